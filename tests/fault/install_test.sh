#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 120
# make install and uninstall into a DESTDIR: every file is there with its mode and no other, what an operator changed is kept, and the
# module's files agree with each other: what DKMS needs, the parameters and their defaults, the version.
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
cd "$TOP" || exit 1
DEST=$SCRATCH/dest
VERSION=$(sed -n 's/^VERSION := //p' Makefile)
SOURCE=usr/src/craton-hsm-$VERSION

files() { (cd "$DEST" && find . ! -type d -printf '%m %P\n' | LC_ALL=C sort -k 2); }
kept="644 etc/craton-hsm/craton_hsm.toml
644 etc/modprobe.d/craton-hsm.conf"
expected() {
	echo "$kept"
	for file in lib{craton_hsm.so,craton_hsm.so.hmac}; do echo "644 usr/lib/$file"; done
	echo "644 usr/lib/udev/rules.d/60-craton-hsm.rules"
	for file in admin daemon integrity; do echo "755 usr/sbin/craton-hsm-$file"; done
	echo "644 usr/sbin/craton-hsm-daemon.hmac"
	echo "755 usr/sbin/cratond"
	for file in craton_hsm health reflection reflection_v1alpha; do echo "644 usr/share/craton-hsm/proto/$file.proto"; done
	for page in man4/craton_hsm.4 man5/craton_hsm.toml.5 man7/libcraton_hsm.7 man8/craton-hsm-{admin,daemon,integrity}.8 man8/cratond.8; do
		echo "644 usr/share/man/$page"
	done
	echo "644 usr/share/bash-completion/completions/craton-hsm-admin"
	echo "644 usr/share/zsh/vendor-completions/_craton-hsm-admin"
	echo "644 usr/share/fish/vendor_completions.d/craton-hsm-admin.fish"
	echo "644 usr/lib/systemd/system/craton-hsm.service"
	echo "644 usr/lib/systemd/system/cratond.service"
	echo "644 usr/lib/sysusers.d/cratond.conf"
	for kind in sysusers tmpfiles; do echo "644 usr/lib/$kind.d/craton-hsm.conf"; done
	echo "644 usr/share/p11-kit/modules/craton-hsm.module"
	for file in dkms.conf Kbuild kmod/*.[ch] include/uapi/*.h LICENSES/GPL*; do echo "644 $SOURCE/$file"; done
}
lists() { diff -u <("$@" | LC_ALL=C sort -k 2) <(files); }
content() { (cd "$DEST" && cat "$@"); }

check "make install" install_to "$DEST" install || ktap_done
check "puts these files there, with these modes" lists expected
check "the binaries fit their sidecars" eval 'for file in sbin/craton-hsm-daemon lib/libcraton_hsm.so; do
	"$DEST/usr/sbin/craton-hsm-integrity" check "$DEST/usr/$file" || exit; done'
check "the daemon runs where it is" contains "$VERSION" "$DEST/usr/sbin/craton-hsm-daemon" --version
check "the configuration is one" "$DEST/usr/sbin/craton-hsm-daemon" --check-config "$DEST/etc/craton-hsm/craton_hsm.toml"
check "the installed daemon takes the example for its own" eval '"$DEST/usr/sbin/craton-hsm-daemon" --print-config |
	cmp - "$DEST/etc/craton-hsm/craton_hsm.toml"'

# ---- the module's files ----
check "the udev rule is for the device, by group and mode" eval 'content usr/lib/udev/rules.d/60-craton-hsm.rules |
	grep -qx "KERNEL==\"craton-hsm\", SUBSYSTEM==\"misc\", GROUP=\"craton-hsm\", MODE=\"0660\".*"'
objects() { sed -n '/^craton_hsm-y/,/[^\\]$/p' Kbuild | grep -oE 'kmod/[a-z]+\.o'; }
check "the DKMS tree has every source that Kbuild names" eval 'for object in $(objects); do
	[ -e "$DEST/$SOURCE/${object%.o}.c" ] || { echo "$object"; exit 1; }; done; [ "$(objects | wc -l)" -gt 5 ]'
check "one version" eval 'grep -qxF "PACKAGE_VERSION=\"$VERSION\"" "$DEST/$SOURCE/dkms.conf" &&
	grep -qxF "MODULE_VERSION(\"$VERSION\");" "$DEST/$SOURCE/kmod/main.c"'

# NAME=DEFAULT of every parameter, as the source has it and as modprobe.d says.
in_source() {
	local name variable value
	sed -nE 's/^module_param_named\(([a-z_]+), ([a-z_]+),.*/\1 \2/p' kmod/main.c | while read -r name variable; do
		value=$(sed -nE "s/^(unsigned int|unsigned long|bool) $variable( = (.*))?;\$/\3/p" kmod/main.c)
		case $value in
		'') value=N ;; # bool
		*) value=$((${value//UL/})) ;;
		esac
		echo "$name=$value"
	done
}
in_modprobe() { content etc/modprobe.d/craton-hsm.conf | sed -n 's/^options craton_hsm //p' | xargs -n 1; }
same_parameters() { [ "$(in_source | wc -l)" -ge 3 ] && diff <(in_source) <(in_modprobe); }
check "modprobe.d has the parameters with their defaults" same_parameters
check "and says what each is" eval 'for name in $(in_source | cut -d= -f1); do content etc/modprobe.d/craton-hsm.conf | grep -q "^# $name  " || exit; done'

# ---- again, and away ----
echo '# mine' >>"$DEST/etc/craton-hsm/craton_hsm.toml"
echo '# mine' >>"$DEST/etc/modprobe.d/craton-hsm.conf"
echo old >"$DEST/$SOURCE/kmod/gone.c"
check "make install again" install_to "$DEST" install
check "keeps what the operator changed" eval 'for file in craton-hsm/craton_hsm.toml modprobe.d/craton-hsm.conf; do
	tail -n 1 "$DEST/etc/$file" | grep -qx "# mine" || exit; done'
check "and takes away what an older version had" lists expected
check "make uninstall" install_to "$DEST" uninstall
check "leaves the configuration alone" lists echo "$kept"
check "other places: make install" install_to "$DEST" PREFIX=/opt/craton SYSCONFDIR=/opt/craton/etc install
check "go where they are told" eval '[ -e "$DEST/opt/craton/lib/udev/rules.d/60-craton-hsm.rules" ] && [ -e "$DEST/opt/craton/src/craton-hsm-$VERSION/Kbuild" ] &&
	[ -e "$DEST/opt/craton/etc/modprobe.d/craton-hsm.conf" ] && ! [ -e "$DEST/usr/sbin/craton-hsm-daemon" ]'
ktap_done
