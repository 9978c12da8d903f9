#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 1200
# SERIAL
# The unit and API tests on Debian 13 with OpenSSL 3.5: this tree, built inside the trixie root.
. "$(dirname "$0")/../lib.sh"
. "$TOP/tests/trixie/root.sh"
need_root
ktap_plan
scratch
check "its packages are there" "$TOP/scripts/trixie-root" install "${ROOT_BUILD_PACKAGES[@]}"
check "it has OpenSSL 3.5 or newer" has_openssl
check "the tree builds in it" build_inside tests-userspace && run_inside '/tests/(unit|api)/[^/]*_test$'
ktap_done
