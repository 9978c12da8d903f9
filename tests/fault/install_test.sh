#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 240
# `make install` into a folder, twice, and `make uninstall`: what the operator changed is kept. Then DKMS with the module's source as
# it was installed: add, build, install, remove, against Debian 12's kernel headers.
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
ROOT=$SCRATCH/root
cd "$TOP" || exit 1

make_it() { make --no-print-directory BUILD="$BUILD" DESTDIR="$ROOT" "$@"; }
mode() { [ "$(stat -c %a "$ROOT$1")" = "$2" ]; }
VERSION=$(sed -n 's/^VERSION := //p' Makefile)
SOURCE=/usr/src/craton-hsm-$VERSION

check "one version everywhere" eval 'test "$(sed -n "s/^PACKAGE_VERSION=\"\(.*\)\"/\1/p" dkms.conf)" = "$VERSION" &&
	grep -qF "MODULE_VERSION(\"$VERSION\")" kmod/main.c'
check "make install" make_it install
check "the daemon" mode /usr/sbin/craton-hsm-daemon 755
check "runs where it is" contains "$VERSION" "$ROOT/usr/sbin/craton-hsm-daemon" --version
for file in sbin/craton-hsm-daemon lib/libcraton_hsm.so; do
	check "$file is whole" "$ROOT/usr/sbin/craton-hsm-integrity" check "$ROOT/usr/$file"
done
check "the library" mode /usr/lib/libcraton_hsm.so 644
check "the udev rule" grep -q 'GROUP="craton-hsm"' "$ROOT/usr/lib/udev/rules.d/60-craton-hsm.rules"
check "the configuration is one" "$ROOT/usr/sbin/craton-hsm-daemon" --check-config "$ROOT/etc/craton-hsm/craton_hsm.toml"
parameters() { sed -n 's/^module_param_named(\([a-z_]*\),.*/\1/p' kmod/main.c | sort; }
check "modprobe.d names every parameter" eval 'diff <(parameters) \
	<(sed -n "s/^options craton_hsm //p" "$ROOT/etc/modprobe.d/craton-hsm.conf" | tr " " "\n" | cut -d= -f1 | sort)'
echo '# changed' | tee -a "$ROOT/etc/modprobe.d/craton-hsm.conf" >>"$ROOT/etc/craton-hsm/craton_hsm.toml"
check "make install again" make_it install
check "keeps modprobe.d" grep -q '^# changed' "$ROOT/etc/modprobe.d/craton-hsm.conf"
check "and the configuration" grep -q '^# changed' "$ROOT/etc/craton-hsm/craton_hsm.toml"

if ! settings=$(tests/vm/kernels fetch 6.1 2>&1); then
	skip "DKMS" "no kernel headers: ${settings##*$'\n'}"
else
	eval "$settings" # HEADERS and the kernel's VERSION
	KERNEL_VERSION=$VERSION
	PACKAGE=craton-hsm/${SOURCE##*-}
	INSTALLED=$SCRATCH/lib/modules
	mkdir -p "$SCRATCH/dkms" "$INSTALLED/$KERNEL_VERSION"
	dkms_it() {
		local verb=$1
		shift
		dkms "$verb" "$PACKAGE" --dkmstree "$SCRATCH/dkms" --sourcetree "$ROOT/usr/src" --installtree "$INSTALLED" "$@"
	}
	log() { echo "$SCRATCH/dkms/$PACKAGE/$KERNEL_VERSION/$(uname -m)/log/make.log"; }
	module() { find "$INSTALLED" -name 'craton_hsm.ko*'; }
	check "dkms add" dkms_it add
	check "dkms build" dkms_it build -k "$KERNEL_VERSION" --kernelsourcedir "$HEADERS"
	check "without a warning" eval 'test -s "$(log)" && ! grep -iE "warning|error:" "$(log)"'
	check "dkms install" dkms_it install -k "$KERNEL_VERSION" --kernelsourcedir "$HEADERS" --no-depmod
	check "the module is for that kernel" eval 'modinfo -F vermagic "$(module)" | grep -q "^$KERNEL_VERSION "'
	check "and says what it is" contains "Locked key slots" modinfo -F description "$(module)"
	check "dkms status" contains "$PACKAGE, $KERNEL_VERSION, $(uname -m): installed" dkms_it status
	check "dkms remove" dkms_it remove --all --no-depmod
	check "leaves no module" eval '[ -z "$(module)" ]'
fi

check "make uninstall" make_it uninstall
check "leaves the operator's files only" eval 'diff <(cd "$ROOT" && find . -type f | sort) \
	<(printf "%s\n" ./etc/craton-hsm/craton_hsm.toml ./etc/modprobe.d/craton-hsm.conf)'
ktap_done
