#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 120
# systemd-cryptenroll binds a LUKS2 volume to keys of the token, and cryptsetup opens its key slot by them (systemd's plugin). Nothing is
# mapped, so that no device mapper is needed. p11-kit sees our module file in a mount namespace of the command's own.
. "$(dirname "$0")/../lib.sh"
ktap_plan
export PATH=$PATH:/usr/sbin:/sbin
PROVIDER=$(openssl version -m | sed -n 's/.*"\(.*\)"/\1/p')/pkcs11.so
PLUGIN=$(ls /usr/lib/*/cryptsetup/libcryptsetup-token-systemd-pkcs11.so 2>/dev/null | head -n1)
if ! command -v systemd-cryptenroll >/dev/null || ! command -v cryptsetup >/dev/null || [ -z "$PLUGIN" ] || [ ! -e "$PROVIDER" ]; then
	skip cryptenroll "systemd(-cryptsetup), cryptsetup-bin or pkcs11-provider is not installed"
	ktap_done
fi
scratch
cd "$SCRATCH" || exit 1
truncate -s 32M disk
DEVICE=
[ "$(id -u)" != 0 ] || DEVICE=$(losetup -f --show disk 2>losetup.err) || DEVICE=
if [ -z "$DEVICE" ] || ! unshare -m true; then
	skip cryptenroll "needs root, a loop device and a mount namespace"
	ktap_done
fi
trap 'losetup -d "$DEVICE"; scratch_cleanup' EXIT
provider_config "pkcs11-module-token-pin = file:$SCRATCH/user-pin" >openssl.cnf
cat >>openssl.cnf <<END
[req]
distinguished_name = dn
[dn]
END
AGENT_CONFIG='threads = 2'
agent_start || { ktap_fail "agent starts"; ktap_done; }
check "token init" token_init crypt
mkdir modules
printf 'module: %s\n' "$MODULE" >modules/craton-hsm.module
with_module() { # COMMAND...: as if the module file were installed
	mkdir -p /usr/share/p11-kit/modules
	unshare -m sh -c 'mount --bind "$SCRATCH/modules" /usr/share/p11-kit/modules && exec "$@"' sh "$@"
}
certificate() { # LABEL ID: what systemd finds the public key by
	OPENSSL_CONF=openssl.cnf openssl req -x509 -new -key "pkcs11:token=crypt;object=$1;type=private" -subj "/CN=$1" -days 2 \
		-outform DER -out "$1.der" && p11_user --write-object "$1.der" --type cert --id "$2" --label "$1"
}
check "RSA key" p11_user --keypairgen --key-type rsa:2048 --id 01 --label rsa --usage-decrypt
check "its certificate" certificate rsa 01
printf passphrase >passphrase
check "a LUKS2 volume" cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$DEVICE" passphrase

enroll() { # LABEL
	PASSWORD=passphrase PIN=$USER_PIN with_module systemd-cryptenroll --pkcs11-token-uri="pkcs11:token=crypt;object=$1" "$DEVICE" &&
		contains "pkcs11:token=crypt;object=$1" cryptsetup luksDump "$DEVICE"
}
# By pkcs11-tool: what is in the header, decrypted, opens the slot.
decrypts() {
	cryptsetup token export --token-id 0 "$DEVICE" | jq -r '."pkcs11-key"' | base64 -d >sealed &&
		p11_user --decrypt --mechanism RSA-PKCS --id 01 -i sealed -o key && base64 -w0 key >key.text &&
		cryptsetup open --test-passphrase --key-slot 1 --key-file key.text "$DEVICE"
}
opens() { # TOKEN [PIN-FILE]
	with_module cryptsetup open --test-passphrase --token-only --token-id "$1" -v "$DEVICE" <"${2:-user-pin}"
}
stays_shut() { # TOKEN [PIN-FILE]
	! opens "$@"
}
check "systemd-cryptenroll with the RSA key" enroll rsa
check "what it left in the header, decrypted by pkcs11-tool, opens the slot" decrypts
check "cryptsetup opens the slot by the token" contains "Key slot 1 unlocked" opens 0
printf 'wrong-pin-0000\n' >wrong-pin
check "not with a wrong PIN" stays_shut 0 wrong-pin
check "again with the right one" wait_for 10 opens 0
if [ "$(systemd-cryptenroll --version | sed -n '1s/[^0-9]*\([0-9]*\).*/\1/p')" -lt 256 ]; then
	enroll_ec() { p11_user --keypairgen --key-type EC:prime256v1 --id 02 --label ec --usage-derive && certificate ec 02 && ! enroll ec; }
	check "this systemd knows no EC keys, and says so" enroll_ec
else
	check "EC key" p11_user --keypairgen --key-type EC:prime256v1 --id 02 --label ec --usage-derive --usage-sign
	check "its certificate" certificate ec 02
	check "systemd-cryptenroll with the EC key" enroll ec
	check "cryptsetup opens the slot by the token" contains "Key slot 2 unlocked" opens 1
fi
check "the RSA key is deleted" p11_user --delete-object --type privkey --id 01
check "then the volume stays shut" stays_shut 0
check "but for its passphrase" cryptsetup open --test-passphrase --key-file passphrase "$DEVICE"
check "B10: no session is left" wait_for 5 sessions_freed
ktap_done
