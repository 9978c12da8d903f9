#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 120
# p11-kit: finds the module by a module file, and `p11-kit server` lends it to another process, which signs through p11-kit-client.so.
. "$(dirname "$0")/../lib.sh"
ktap_plan
CLIENT=$(ls /usr/lib/*/pkcs11/p11-kit-client.so 2>/dev/null | head -n1)
if ! command -v p11-kit >/dev/null || [ -z "$CLIENT" ]; then
	skip p11-kit "p11-kit or p11-kit-modules is not installed"
	ktap_done
fi
scratch
cd "$SCRATCH" || exit 1
AGENT_CONFIG='threads = 2'
agent_start || { ktap_fail "agent starts"; ktap_done; }
check "token init" token_init kit
check "RSA key" p11_user --keypairgen --key-type rsa:2048 --id 01 --label rsa
p11 --read-object --type pubkey --label rsa -o rsa.der >/dev/null 2>&1
openssl pkey -pubin -inform DER -in rsa.der -out rsa.pub

# A user's own folder of module files, under a home of ours; p11-kit ignores root's, so root puts one where packages do.
export HOME=$SCRATCH XDG_CONFIG_HOME=$SCRATCH/.config
mkdir -p .config/pkcs11/modules run
printf 'module: %s\ncritical: yes\n' "$MODULE" >.config/pkcs11/modules/craton-hsm.module
if [ "$(id -u)" = 0 ]; then
	FILE=/usr/share/p11-kit/modules/craton-hsm-test-$$.module
	trap 'rm -f "$FILE"; scratch_cleanup' EXIT
	cp .config/pkcs11/modules/craton-hsm.module "$FILE"
fi
check "list-modules has the module" contains ": $MODULE" p11-kit list-modules
check "list-modules has the token" contains "token: kit" p11-kit list-modules
check "p11tool finds the token by the module file" contains "token=kit" p11tool --list-token-urls
[ -z "${FILE:-}" ] || rm -f "$FILE"

p11-kit server -f -n "$SCRATCH/run/remote" --provider "$MODULE" "pkcs11:token=kit" >server.out 2>server.err &
SERVER=$!
SCRATCH_PIDS+=("$SERVER")
remote_socket() { [ -S run/remote ]; }
check "p11-kit server starts" wait_for 10 remote_socket
remote() { P11_KIT_SERVER_ADDRESS="unix:path=$SCRATCH/run/remote" pkcs11-tool --module "$CLIENT" "$@"; }
check "the remote token is ours" contains "token label        : kit" remote --list-slots
head -c 300 /dev/urandom >data
sign() {
	remote --login --pin "$USER_PIN" --sign --mechanism SHA256-RSA-PKCS --id 01 -i data -o sig &&
		openssl dgst -sha256 -verify rsa.pub -signature sig data && ! openssl dgst -sha256 -verify rsa.pub -signature sig rsa.der
}
check "a signature through the server verified by openssl" sign
generate() {
	remote --login --pin "$USER_PIN" --keypairgen --key-type EC:prime256v1 --id 02 --label ec &&
		p11 --read-object --type pubkey --id 02 -o ec.der && openssl pkey -pubin -inform DER -in ec.der -noout
}
check "a key generated through the server is in the token" generate
check "a wrong PIN is refused through the server" contains CKR_PIN_INCORRECT \
	remote --login --pin wrong-pin-0000 --sign --mechanism SHA256-RSA-PKCS --id 01 -i data -o sig
kill "$SERVER"
wait "$SERVER" 2>/dev/null
forget "$SERVER"
check "B10: no session is left" wait_for 5 sessions_freed
ktap_done
