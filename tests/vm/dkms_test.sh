#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 180
# DKMS adds, builds, signs, installs and removes the module from what `make install` put there, for the 6.1 kernel of the harness. Trees,
# keys and settings are the test's own: the machine's DKMS is not touched. That the module works, the other programs here show.
. "$(dirname "$0")/../lib.sh"
export PATH=$PATH:/usr/sbin:/sbin

# Settings can be had by a mount only, which is seen by this process and its children alone.
if [ "${1:-}" != mounted ]; then
	if [ "$(id -u)" != 0 ] || ! unshare -m true 2>/dev/null; then
		ktap_plan
		skip "DKMS" "needs root"
		ktap_done
	fi
	exec unshare -m "$0" mounted
fi
ktap_plan
scratch
cd "$TOP" || exit 1
check "a kernel with headers" eval 'tests/vm/kernels fetch 6.1 >"$SCRATCH/settings"' || ktap_done
eval "$(cat "$SCRATCH/settings")"
MODULE_VERSION=$(sed -n 's/^VERSION := //p' Makefile)
NAME=craton-hsm/$MODULE_VERSION
TREES=(--sourcetree "$SCRATCH/dest/usr/src" --dkmstree "$SCRATCH/tree" --installtree "$SCRATCH/modules")
KERNEL_IS=(-k "$VERSION" --kernelsourcedir "$HEADERS")
LOG=$SCRATCH/tree/$NAME/$VERSION/$(uname -m)/log/make.log
INSTALLED=$SCRATCH/modules/$VERSION/updates/dkms/craton_hsm.ko
mkdir -p "$SCRATCH/tree" "$SCRATCH/modules/$VERSION" "$SCRATCH/conf"
printf '%s\n' "sign_file=$HEADERS/scripts/sign-file" "mok_signing_key=$SCRATCH/mok.key" "mok_certificate=$SCRATCH/mok.pub" \
	>"$SCRATCH/conf/test.conf"
mount --bind "$SCRATCH/conf" /etc/dkms/framework.conf.d || { ktap_fail "DKMS is installed (scripts/install-packages test)"; ktap_done; }
state() { dkms status "${TREES[@]}" | tee /dev/stderr | grep -q "^$NAME$1"; }

check "make install" install_to "$SCRATCH/dest" install || ktap_done
check "dkms add" dkms add "${TREES[@]}" "$NAME"
check "it is added" state ': added'
check "dkms build" dkms build "${TREES[@]}" "${KERNEL_IS[@]}" "$NAME" || comment <"$LOG"
check "without a warning" eval 'test -s "$LOG" && ! grep -iE "warning|error:" "$LOG"'
check "it is built for that kernel" state ", $VERSION, .*: built"
check "dkms install" dkms install "${TREES[@]}" "${KERNEL_IS[@]}" --no-depmod "$NAME"
check "it is installed" state ", $VERSION, .*: installed"
check "for that kernel" eval 'modinfo -F vermagic "$INSTALLED" | grep -q "^$VERSION "'
check "with its description" contains "Locked key slots" modinfo -F description "$INSTALLED"
check "it is the module that the other tests load" eval 'tests/vm/build-module 6.1 && [ "$(modinfo -F srcversion "$INSTALLED")" = \
	"$(modinfo -F srcversion "$BUILD/vm/6.1/craton_hsm.ko")" ]'
signer() { # FILE: who signed it
	modinfo -F signer "$1"
}
serial_of() { openssl x509 -inform DER -in "$1" -noout -serial | sed 's/.*=//'; }
# Both as hexadecimal digits; the kernel's tools put colons between them, and DER a zero before a high bit.
signed_with() { modinfo -F sig_key "$1" | tr -d ':\n' | grep -qiE "^(00)?$(serial_of "$2")$"; }
check "signed by DKMS's key" test "$(signer "$INSTALLED")" = "DKMS module signing key"
check "which is the one to enrol" signed_with "$INSTALLED" "$SCRATCH/mok.pub"

# The guide's other way: a key of one's own and the kernel's sign-file.
cp "$BUILD/vm/6.1/craton_hsm.ko" "$SCRATCH/own.ko"
cd "$SCRATCH" || exit 1
check "the module from make kmod is not signed" test -z "$(signer own.ko)"
check "a key of one's own" openssl req -new -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=Example module signing/" \
	-addext extendedKeyUsage=codeSigning -outform DER -keyout module-signing.key -out module-signing.der
check "sign-file" "$HEADERS/scripts/sign-file" sha256 module-signing.key module-signing.der own.ko
check "signs it" test "$(signer own.ko)" = "Example module signing"
check "with that key" signed_with own.ko module-signing.der
check "and no other" eval '! signed_with own.ko "$SCRATCH/mok.pub"'

check "dkms uninstall" dkms uninstall "${TREES[@]}" -k "$VERSION" --no-depmod "$NAME"
check "takes the module away" test ! -e "$INSTALLED"
check "dkms remove" dkms remove "${TREES[@]}" "$NAME" --all
check "leaves nothing" eval '! dkms status "${TREES[@]}" | grep .'
ktap_done
