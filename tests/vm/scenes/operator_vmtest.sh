#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 120
# The module as docs/kernel-module.md has it run: parameters from modprobe.d and while it runs, unloading that is refused, and a kernel
# that gets locked down: what was loaded works on, what is not signed does not come back, and the lines are those of the guide.
. "$(dirname "$0")/vmlib.sh"
ktap_plan
scratch
cd "$SCRATCH" || exit 1
PARAMETERS=/sys/module/craton_hsm/parameters
LOCKDOWN=/sys/kernel/security/lockdown
fails_with() { # TEXT COMMAND...
	local text=$1 output
	shift
	output=$("$@" 2>&1) && { echo "$output"; return 1; }
	printf '%s\n' "$output"
	grep -qF -- "$text" <<<"$output"
}
parameters() { (cd $PARAMETERS && grep . -- *) | sed 's/:/=/' | sort; }
options() { sed -n 's/^options craton_hsm //p' /etc/modprobe.d/craton-hsm.conf | xargs -n 1 | sort; }
loaded_as_configured() { diff <(options) <(parameters); }
kernel_says() { dmesg | tail -n 20 | grep -F -- "$1"; }

# ---- loading ----
check "its lines" kernel_says "craton_hsm: $DEVICE, interface 1"
check "unsigned, it taints" kernel_says "craton_hsm: module verification failed: signature and/or required key missing - tainting kernel"
check "the device is root's until udev comes" test "$(stat -c '%a %U' $DEVICE)" = "660 root"
mkdir -p /etc/modprobe.d
cp /craton/kmod/craton-hsm.conf /etc/modprobe.d/
check "with the file of make install" eval 'rmmod craton_hsm && modprobe craton_hsm'
check "its parameters are the defaults" loaded_as_configured
sed -i 's/slots_per_uid=1024 arena_bytes_per_uid=67108864 wipe_on_hibernation=N/slots_per_uid=64 arena_bytes_per_uid=8388608 wipe_on_hibernation=Y/' \
	/etc/modprobe.d/craton-hsm.conf
check "with a changed one" eval 'rmmod craton_hsm && modprobe craton_hsm'
check "they are what it says" eval 'loaded_as_configured && grep -qx 64 $PARAMETERS/slots_per_uid'
rmmod craton_hsm
check "a number that is none" fails_with "Invalid argument" modprobe craton_hsm slots_per_uid=x
check "and what the kernel says of it" kernel_says "craton_hsm: \`x' invalid for parameter \`slots_per_uid'"
rm /etc/modprobe.d/craton-hsm.conf
modprobe craton_hsm

# ---- an agent on it ----
AGENT_CONFIG='threads = 1
workers = 1'
SECURITY_CONFIG='locked_memory = "kmod"'
check_here "an agent" agent_start || ktap_done
token_init operator >/dev/null
check "a key" p11_user --keypairgen --key-type EC:prime256v1 --id 01 --label ec
head -c 32 /dev/urandom >digest
sign() { p11_user --sign -m ECDSA --id 01 -i digest -o /dev/null; }
check "its descriptor is counted, arenas and all" eval '[ "$(module_users)" = 1 ]'
check "the module does not go under it" fails_with "" rmmod craton_hsm
check "status says it is used" contains "module       ready, ABI 1, $DEVICE, " admin status

# ---- lockdown ----
mount -t securityfs securityfs /sys/kernel/security
if [ -w $LOCKDOWN ]; then
	check "lockdown: integrity" eval 'echo integrity >$LOCKDOWN && grep -qF "[integrity]" $LOCKDOWN'
	check "the agent signs" sign
	check "no hibernation" eval '! grep -qw disk /sys/power/state || fails_with "" eval "echo disk >/sys/power/state"'
	check "/proc/kcore can be read still" eval '[ "$(head -c 64 /proc/kcore | wc -c)" = 64 ]'
	check "lockdown: confidentiality" eval 'echo confidentiality >$LOCKDOWN'
	check "it cannot now" fails_with "Operation not permitted" head -c 64 /proc/kcore
	check "the agent signs (2)" sign
	check_here "it stops" agent_stop
	check "the module goes" rmmod craton_hsm
	check "and does not come back unsigned" fails_with "Operation not permitted" modprobe craton_hsm
	check "for a reason" kernel_says "Lockdown: modprobe: unsigned module loading is restricted; see man kernel_lockdown.7"
	SECURITY_CONFIG='locked_memory = "auto"'
	check_here "an agent does without it" agent_start
	check "and says so" contains "module       missing: $DEVICE: the kernel module is not loaded; install it and run modprobe craton_hsm" admin status
	check_here "it stops (2)" agent_stop
else
	skip "lockdown" "this kernel has none"
	check_here "it stops" agent_stop
fi
ktap_done
