# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What script tests inside the virtual machine share, beyond tests/lib.sh. Source it; it is no test itself.

# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
DEVICE=/dev/craton-hsm

# as USER COMMAND...: with that user's ids and no capability.
as() {
	local user=$1
	shift
	setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups --inh-caps=-all -- "$@"
}

module_loaded() { grep -q '^craton_hsm ' /proc/modules; }
module_gone() { ! module_loaded; }
module_path() { find "/lib/modules/$(uname -r)" -name craton_hsm.ko; }
# An attribute of the module: its reference count is how many slots and open descriptors live; an arena keeps its descriptor.
module_users() { cat /sys/module/craton_hsm/refcnt; }
