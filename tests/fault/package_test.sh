#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 600
# make deb, and its packages in a clean Debian: they install, the service runs from them as its own user, an upgrade and a removal keep
# the keys, a purge takes what is the package's and says where the keys are.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
if [ "$BUILD" != "$TOP/build" ]; then skip "packages" "made of the plain build only"; ktap_done; fi
if ! git -C "$TOP" rev-parse >/dev/null 2>&1; then skip "packages" "make deb copies what git knows, and this is no clone"; ktap_done; fi
ROOT=$SCRATCH/root
in_root() { chroot "$ROOT" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"; }
unmount() { umount -l "$ROOT/proc" "$ROOT/dev" 2>/dev/null; }
trap 'unmount; scratch_cleanup' EXIT

check "make deb" env -u MAKEFLAGS -u MFLAGS make -C "$TOP" -s deb BUILD=build || ktap_done
no_lintian_errors() { local found; found=$(lintian --allow-root --fail-on none "$TOP"/build/deb/*.changes 2>&1); echo "$found"; ! grep '^E:' <<<"$found"; }
check "lintian finds no error" no_lintian_errors

# With what the packages depend on, so that installing them asks no archive.
DEPENDS=libkeyutils1,libnl-3-200,libnl-genl-3-200,libsqlite3-0,liburing2,libjansson4,libdevmapper1.02.1,libblkid1,libssl3,zlib1g,libmicrohttpd12,libseccomp2,libnghttp2-14,libprotobuf-c1
base() { mmdebstrap --quiet --variant=minbase --include="opensc,systemd,procps,kmod,dkms,$DEPENDS" bookworm "$ROOT" "deb ${CRATON_MIRROR:-http://deb.debian.org}/debian bookworm main"; }
check "a clean Debian" base || ktap_done
mount -t proc proc "$ROOT/proc"
mount --bind /dev "$ROOT/dev"
mkdir "$ROOT/debs"
cp "$TOP"/build/deb/*.deb "$ROOT/debs"
install_debs() { in_root sh -c 'apt-get -qq -y --no-install-recommends install /debs/*.deb'; }
check "the packages install" install_debs
check "dpkg finds nothing wrong" eval '[ -z "$(in_root dpkg --audit)" ] && in_root dpkg --verify craton-hsm libcraton-hsm-pkcs11 craton-hsm-dkms'
check "the user is there" eval 'in_root id craton-hsm'
check "its folder is its own" eval '[ "$(in_root stat -c "%U %a" /var/lib/craton-hsm)" = "craton-hsm 700" ]'
check "systemd would start it" eval 'in_root systemctl is-enabled craton-hsm.service'
check "the unit is well formed" eval 'in_root systemd-analyze verify --man=no /lib/systemd/system/craton-hsm.service'
check "DKMS knows the module" contains craton-hsm in_root dkms status
check "the binaries fit their sidecars" eval 'in_root craton-hsm-integrity check /usr/sbin/craton-hsm-daemon && in_root sh -c "craton-hsm-integrity check /usr/lib/*/pkcs11/libcraton_hsm.so"'
check "man pages" eval '[ -e "$ROOT/usr/share/man/man8/craton-hsm-admin.8.gz" ]'

MODULE_IN_ROOT=$(cd "$ROOT" && echo usr/lib/*/pkcs11/libcraton_hsm.so)
begin_service() { # as the unit does: the same user, folder and configuration
	in_root systemd-tmpfiles --create craton-hsm.conf
	chroot "$ROOT" setpriv --reuid craton-hsm --regid craton-hsm --clear-groups --no-new-privs --bounding-set=-all \
		/usr/sbin/craton-hsm-daemon /etc/craton-hsm/craton_hsm.toml 2>>"$SCRATCH/agent.log" &
	AGENT_PID=$!
	SCRATCH_PIDS+=("$AGENT_PID")
	wait_for 30 in_root craton-hsm-admin status
}
end_service() { agent_stop; }
printf '%s\n' "$SO_PIN" >"$ROOT/root/so-pin"
printf '%s\n' "$USER_PIN" >"$ROOT/root/user-pin"
key_list() { in_root craton-hsm-admin key list --pin-file /root/user-pin; }
check_here "the service runs" begin_service
comment <"$SCRATCH/agent.log" | tail -n 3
check "17 self-tests, of the installed files" contains ' ok, 0 failed' in_root craton-hsm-admin status
check "a token and a key" eval 'in_root craton-hsm-admin token init --label packaged --so-pin-file /root/so-pin --user-pin-file /root/user-pin &&
	in_root craton-hsm-admin key generate --type ec:P-256 --label kept --pin-file /root/user-pin'
check "pkcs11-tool uses it" contains kept in_root pkcs11-tool --module "/$MODULE_IN_ROOT" --login --pin "$USER_PIN" --list-objects
check_here "the service ends" end_service

# ---- upgrade: the same, called newer ----
newer() {
	local deb
	for deb in "$ROOT"/debs/craton-hsm_*.deb "$ROOT"/debs/craton-hsm-grpc_*.deb "$ROOT"/debs/libcraton*.deb; do
		dpkg-deb -R "$deb" "$SCRATCH/deb" && sed -i 's/^Version: .*/Version: 0.2.0/; s/(= 0.1.0)/(= 0.2.0)/' "$SCRATCH/deb/DEBIAN/control" &&
			dpkg-deb --root-owner-group -b "$SCRATCH/deb" "$ROOT/debs/$(basename "${deb%%_*}")-new.deb" >/dev/null && rm -rf "$SCRATCH/deb" || return 1
	done
}
echo '# what the operator wrote' >>"$ROOT/etc/craton-hsm/craton_hsm.toml"
check "a newer version" newer
check "upgrades" eval 'in_root sh -c "apt-get -qq -y install /debs/*-new.deb" && in_root dpkg -s craton-hsm | grep -q "Version: 0.2.0"'
check "the operator's configuration is kept" tail -n 1 "$ROOT/etc/craton-hsm/craton_hsm.toml"
check "and is his" grep -q 'what the operator wrote' "$ROOT/etc/craton-hsm/craton_hsm.toml"
check_here "the service runs again" begin_service
check "the key is there" contains kept key_list
check_here "and ends again" end_service

# ---- removal ----
check "remove" in_root apt-get -qq -y remove craton-hsm
check "takes the daemon" test ! -e "$ROOT/usr/sbin/craton-hsm-daemon"
check "keeps the store and the configuration" test -d "$ROOT/var/lib/craton-hsm/store" -a -e "$ROOT/etc/craton-hsm/craton_hsm.toml"
check "purge says where the keys are" contains 'the tokens in /var/lib/craton-hsm are kept' in_root apt-get -qq -y purge craton-hsm
check "and takes the configuration" test ! -e "$ROOT/etc/craton-hsm/craton_hsm.toml"
check "the keys are there" test -e "$ROOT/var/lib/craton-hsm/store/store.db"
check "installing again finds them" eval 'in_root sh -c "apt-get -qq -y install /debs/*-new.deb"'
check_here "the service runs once more" begin_service
check "with the key" contains kept key_list
check_here "and ends" end_service
check "the other packages purge, too" in_root apt-get -qq -y purge craton-hsm libcraton-hsm-pkcs11 craton-hsm-dkms
check "leaving nothing in /usr" eval '! find "$ROOT/usr" "$ROOT/etc" -iname "*craton*" | grep .'
ktap_done
