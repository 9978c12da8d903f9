#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 180
# pkcs11-provider, the OpenSSL 3 provider: keys are made, used and served from the token; plain openssl checks every result.
. "$(dirname "$0")/../lib.sh"
ktap_plan
PROVIDER=$(openssl version -m | sed -n 's/.*"\(.*\)"/\1/p')/pkcs11.so
if [ ! -e "$PROVIDER" ]; then
	skip "pkcs11-provider" "no $PROVIDER: the package pkcs11-provider (bookworm-backports) is not installed"
	ktap_done
fi
scratch
cd "$SCRATCH" || exit 1
provider_config "pkcs11-module-token-pin = file:$SCRATCH/user-pin" 'pkcs11-module-encode-provider-uri-to-pem = true' >openssl.cnf
cat >>openssl.cnf <<END
[req]
distinguished_name = dn
x509_extensions = ca
[dn]
[ca]
basicConstraints = critical,CA:TRUE
subjectAltName = DNS:localhost
END
sed 's/^pkcs11-module-path/pkcs11-module-allow-export = 1\n&/' openssl.cnf >no-export.cnf # public keys are used by the token, too
provider() { OPENSSL_CONF=$SCRATCH/openssl.cnf openssl "$@"; }
AGENT_CONFIG='threads = 2'
agent_start || { ktap_fail "agent starts"; ktap_done; }
check "token init" token_init provider
check "the provider loads the module" contains "name: PKCS#11 Provider" provider list -providers

declare -A NUMBER=([rsa]=01 [ec]=02 [ec384]=03 [ed]=04)
uri() { echo "pkcs11:token=provider;object=$1;type=private"; }
# pkcs11-tool 0.23 writes P-256 and RSA keys only; of others it shows the point, to which a SubjectPublicKeyInfo needs but a header.
declare -A HEADER=([ec384]=3076301006072a8648ce3d020106052b81040022036200 [ed]=302a300506032b6570032100) DIGITS=([ec384]=194 [ed]=64)
public_of() { # NAME
	local point
	if [ -z "${HEADER[$1]:-}" ]; then
		p11 --read-object --type pubkey --label "$1" -o "$1.der"
	else
		point=$(p11 --list-objects --type pubkey 2>/dev/null |
			awk -v label="$1" '$1 == "EC_POINT:" { point = $2 } $1 == "label:" && $2 == label { print point }')
		echo "${HEADER[$1]}${point: -${DIGITS[$1]}}" | xxd -r -p >"$1.der"
	fi && openssl pkey -pubin -inform DER -in "$1.der" -out "$1.pub"
}
generate() { # NAME OPTIONS
	provider genpkey -propquery provider=pkcs11 "${@:2}" \
		-pkeyopt "pkcs11_uri:pkcs11:token=provider;object=$1;id=%${NUMBER[$1]}" -out "$1.made" && public_of "$1"
}
check "genpkey RSA" generate rsa -algorithm RSA -pkeyopt rsa_keygen_bits:2048
check "genpkey P-256" generate ec -algorithm EC -pkeyopt ec_paramgen_curve:P-256
check "genpkey P-384" generate ec384 -algorithm EC -pkeyopt ec_paramgen_curve:P-384
check "the private keys are in the token, and sensitive" \
	test "$(p11_user --list-objects --type privkey 2>/dev/null | grep -c 'Access:.*never extractable')" = 3
made_uri() { grep -q 'BEGIN PKCS#11 PROVIDER URI' rsa.made; }
check "what genpkey writes is the key's URI, no key" made_uri
if ! generate ed -algorithm ED25519 >ed.out 2>&1; then # some versions of the provider cannot
	check "Ed25519 made by pkcs11-tool" p11_user --keypairgen --key-type EC:edwards25519 --id 04 --label ed
	check "Ed25519 public key read" public_of ed
fi

head -c 500 /dev/urandom >data
printf tampered >other
same_public() {
	provider pkey -in "$(uri "$1")" -pubout -out "$1.again" && cmp <(openssl pkey -pubin -in "$1.again" -outform DER) \
		<(openssl pkey -pubin -in "$1.pub" -outform DER)
}
sign() { # NAME OPTIONS
	rm -f sig
	provider dgst -sha256 -sign "$(uri "$1")" "${@:2}" -out sig data &&
		openssl dgst -sha256 -verify "$1.pub" "${@:2}" -signature sig data &&
		! openssl dgst -sha256 -verify "$1.pub" "${@:2}" -signature sig other
}
sign_whole() { # NAME: a signature over the message itself, not a digest
	provider pkeyutl -sign -inkey "$(uri "$1")" -rawin -in data -out sig &&
		openssl pkeyutl -verify -pubin -inkey "$1.pub" -rawin -in data -sigfile sig &&
		! openssl pkeyutl -verify -pubin -inkey "$1.pub" -rawin -in other -sigfile sig
}
verify_on_token() { # NAME: the token checks what it signed, and refuses another digest; dgst -verify so crashes in the provider 1.0
	local public=pkcs11:token=provider\;object=$1\;type=public
	openssl dgst -sha256 -binary -out digest data && openssl dgst -sha256 -binary -out digest.other other &&
		provider pkeyutl -sign -inkey "$(uri "$1")" -in digest -out sig -pkeyopt digest:sha256 &&
		OPENSSL_CONF=no-export.cnf openssl pkeyutl -verify -pubin -inkey "$public" -in digest -sigfile sig -pkeyopt digest:sha256 &&
		contains 'Signature Verification Failure' env OPENSSL_CONF=no-export.cnf openssl pkeyutl -verify -pubin -inkey "$public" \
			-in digest.other -sigfile sig -pkeyopt digest:sha256
}
for key in rsa ec ec384; do
	check "$key: the provider's public key is the token's" same_public $key
	check "$key: signature verified by openssl" sign $key
	check "$key: verified through the provider" verify_on_token $key
done
check "rsa: PSS signature verified by openssl" sign rsa -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest
check "ed25519: the provider's public key is the token's" same_public ed
check "ed25519: signature verified by openssl" sign_whole ed

decrypt() { # OPTIONS
	openssl pkeyutl -encrypt -pubin -inkey rsa.pub -in other -out cipher "$@" &&
		provider pkeyutl -decrypt -inkey "$(uri rsa)" -in cipher -out plain "$@" && cmp plain other
}
check "rsa: PKCS#1 decryption" decrypt -pkeyopt rsa_padding_mode:pkcs1
check "rsa: OAEP with SHA-1" decrypt -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha1 -pkeyopt rsa_mgf1_md:sha1
check "rsa: OAEP with SHA-256" decrypt -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256

derive() { # NAME CURVE
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:"$2" -out peer.key && openssl pkey -in peer.key -pubout -out peer.pub &&
		provider pkeyutl -derive -inkey "$(uri "$1")" -peerkey peer.pub -out shared &&
		openssl pkeyutl -derive -inkey peer.key -peerkey "$1.pub" -out expected && [ -s shared ] && cmp shared expected
}
check "ec: derive agrees with openssl" derive ec P-256
check "ec384: derive agrees with openssl" derive ec384 P-384

request() {
	provider req -new -key "$(uri "$1")" -subj "/CN=$1" -out "$1.csr" && request_verifies "$1.csr"
}
certificate() {
	provider req -x509 -key "$(uri "$1")" -subj "/CN=localhost" -days 2 -out "$1.crt" &&
		openssl verify -check_ss_sig -CAfile "$1.crt" "$1.crt"
}
issue() { # CA: the token's key signs a stranger's request
	openssl req -new -newkey rsa:2048 -nodes -keyout leaf.key -subj /CN=leaf -out leaf.csr &&
		provider x509 -req -in leaf.csr -CA "$1.crt" -CAkey "$(uri "$1")" -days 1 -out leaf.crt && openssl verify -CAfile "$1.crt" leaf.crt
}
for key in rsa ec ed; do
	check "$key: certificate request verified by openssl" request $key
	check "$key: self-signed certificate verified by openssl" certificate $key
	check "$key: x509 -CAkey issues a certificate" issue $key
done

# ---- TLS: s_server ends with its standard input ----
mkfifo stdin
exec 7<>stdin
server_settled() { grep -q '^ACCEPT' "server-$1.out" || ! kill -0 "$SERVER_PID"; }
server() { # KEY
	OPENSSL_CONF=$SCRATCH/openssl.cnf openssl s_server -key "$(uri "$1")" -cert "$1.crt" -accept 127.0.0.1:0 -naccept 20 \
		>"server-$1.out" 2>&1 <&7 &
	SERVER_PID=$!
	SCRATCH_PIDS+=("$SERVER_PID")
	wait_for 10 server_settled "$1"
	PORT=$(sed -n 's/^ACCEPT.*:\([0-9]*\)$/\1/p' "server-$1.out" | head -n1)
	[ -n "$PORT" ] || { cat "server-$1.out"; return 1; }
}
handshake() { # KEY VERSION TEXT SIGNATURE
	openssl s_client -connect "127.0.0.1:$PORT" -servername localhost -verify_return_error -CAfile "$1.crt" "-$2" </dev/null >client.out 2>&1
	local status=$? # of the whole handshake; what s_client prints, it knew before it checked the signature
	cat client.out "server-$1.out"
	[ $status = 0 ] && grep -q "Verify return code: 0 (ok)" client.out && grep -q "New, $3, Cipher is [A-Z]" client.out &&
		grep -qi "Peer signature type: $4" client.out
}
stranger() { ! openssl s_client -connect "127.0.0.1:$PORT" -verify_return_error -CAfile "$1.crt" </dev/null; }
declare -A SIGNATURE=([rsa]="rsa[-_]pss" [ec]=ECDSA [ed]=Ed25519) STRANGER=([rsa]=ec [ec]=rsa [ed]=ec)
for key in rsa ec ed; do
	check_here "$key: s_server starts" server $key || continue
	check "$key: TLS 1.3 handshake" handshake $key tls1_3 TLSv1.3 "${SIGNATURE[$key]}"
	check "$key: TLS 1.2 handshake" handshake $key tls1_2 TLSv1.2 "${SIGNATURE[$key]}"
	check "$key: a client that trusts another certificate refuses" stranger "${STRANGER[$key]}"
	kill "$SERVER_PID"
	wait "$SERVER_PID" 2>/dev/null
	forget "$SERVER_PID"
done
check "B10: no session is left" wait_for 5 sessions_freed
ktap_done
