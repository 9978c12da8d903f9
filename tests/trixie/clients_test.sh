#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 1200
# SERIAL
# The client tests on Debian 13: its programs, newer than Debian 12's, with the library built there.
. "$(dirname "$0")/../lib.sh"
. "$TOP/tests/trixie/root.sh"
need_root
PROGRAMS=(opensc libengine-pkcs11-openssl pkcs11-provider gnutls-bin p11-kit p11-kit-modules openssh-client openssh-server
	default-jdk-headless libnss3-tools nginx-light curl python3-pykcs11 gunicorn bind9-utils knot-dnssecutils ldnsutils nodejs keyutils
	gpgsm gpg-agent gnupg-pkcs11-scd cryptsetup-bin systemd-cryptsetup dmsetup e2fsprogs strace xxd jq procps)
ktap_plan
scratch
check "its packages are there" "$TOP/scripts/trixie-root" install "${ROOT_BUILD_PACKAGES[@]}" "${PROGRAMS[@]}"
check "the tree builds in it" build_inside all && run_inside '/tests/clients/'
ktap_done
