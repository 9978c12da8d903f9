#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 180
# libp11's OpenSSL engine: signatures, requests, certificates and TLS 1.3 servers whose keys are in the token.
. "$(dirname "$0")/../lib.sh"
ktap_plan
ENGINE=
for file in /usr/lib/*/engines-3/pkcs11.so /usr/lib64/engines-3/pkcs11.so /usr/lib/engines-3/pkcs11.so; do
	[ -z "$ENGINE" ] && [ -e "$file" ] && ENGINE=$file
done
if [ -z "$ENGINE" ]; then
	skip "openssl engine" "libengine-pkcs11-openssl is not installed"
	ktap_done
fi
scratch
cd "$SCRATCH" || exit 1
cat >openssl.cnf <<END
openssl_conf = init
[init]
engines = engines
[engines]
pkcs11 = pkcs11
[pkcs11]
engine_id = pkcs11
dynamic_path = $ENGINE
MODULE_PATH = $MODULE
PIN = $USER_PIN
init = 0
[req]
distinguished_name = dn
x509_extensions = ca
[dn]
[ca]
basicConstraints = critical,CA:TRUE
subjectAltName = DNS:localhost
END
engine() { OPENSSL_CONF=$SCRATCH/openssl.cnf openssl "$@"; }
AGENT_CONFIG='threads = 2'
agent_start || { ktap_fail "agent starts"; ktap_done; }
check "token init" token_init engine
check "RSA key" p11_user --keypairgen --key-type rsa:2048 --id 01 --label rsa
check "EC key" p11_user --keypairgen --key-type EC:prime256v1 --id 02 --label ec

URI_rsa='pkcs11:token=engine;object=rsa;type=private'
URI_ec='pkcs11:token=engine;object=ec;type=private'
loads() { engine engine pkcs11 -t 2>&1 | grep -q '\[ available \]'; }
check "the engine loads the module" loads
head -c 500 /dev/urandom >data
printf tampered >other

for key in rsa ec; do
	uri=URI_$key
	uri=${!uri}
	public() {
		engine pkey -engine pkcs11 -inform engine -in "${uri/private/public}" -pubin -out $key.pub &&
			p11 --read-object --type pubkey --label $key -o $key.der &&
			[ "$(openssl pkey -pubin -in $key.pub -outform DER | sha256sum)" = "$(sha256sum <$key.der)" ]
	}
	check "$key: the engine's public key is the token's" public
	sign() { # OPENSSL OPTIONS
		rm -f sig
		engine dgst -engine pkcs11 -keyform engine -sha256 -sign "$uri" "$@" -out sig data &&
			openssl dgst -sha256 -verify $key.pub "$@" -signature sig data &&
			! openssl dgst -sha256 -verify $key.pub "$@" -signature sig other
	}
	check "$key: signature verified by openssl" sign
	if [ $key = rsa ]; then
		check "rsa: PSS signature verified by openssl" sign -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest
		decrypt() {
			openssl pkeyutl -encrypt -pubin -inkey rsa.pub -in other -out cipher -pkeyopt rsa_padding_mode:"$1" &&
				engine pkeyutl -engine pkcs11 -keyform engine -decrypt -inkey "$URI_rsa" -in cipher -out plain \
					-pkeyopt rsa_padding_mode:"$1" && cmp plain other
		}
		check "rsa: PKCS#1 decryption" decrypt pkcs1
		check "rsa: OAEP decryption" decrypt oaep
	fi
	request() {
		engine req -new -engine pkcs11 -keyform engine -key "$uri" -subj "/CN=$key" -out $key.csr && request_verifies $key.csr
	}
	check "$key: certificate request verified by openssl" request
	certificate() {
		engine req -x509 -engine pkcs11 -keyform engine -key "$uri" -subj "/CN=localhost" -days 2 -out $key.crt &&
			openssl verify -check_ss_sig -CAfile $key.crt $key.crt &&
			[ "$(openssl x509 -in $key.crt -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum)" = "$(sha256sum <$key.der)" ]
	}
	check "$key: self-signed certificate verified by openssl" certificate
done

# ---- TLS ----
# s_server ends with its standard input.
mkfifo stdin
exec 7<>stdin
SERVER_PID=
server_port() { PORT=$(sed -n 's/^ACCEPT.*:\([0-9]*\)$/\1/p' "server-$1.out" 2>/dev/null | head -n1); [ -n "$PORT" ]; }
server_settled() { grep -q '^ACCEPT' "server-$1.out" || ! kill -0 "$SERVER_PID"; }
server() { # KEY [options]
	local key=$1 uri=URI_$1
	OPENSSL_CONF=$SCRATCH/openssl.cnf openssl s_server -engine pkcs11 -keyform engine -key "${!uri}" -cert "$key.crt" \
		-accept 127.0.0.1:0 -naccept 20 "${@:2}" >"server-$key.out" 2>&1 <&7 &
	SERVER_PID=$!
	SCRATCH_PIDS+=("$SERVER_PID")
	wait_for 10 server_settled "$key"
	server_port "$key" || { cat "server-$key.out"; return 1; }
}
client() { # KEY PROTOCOL [options]
	openssl s_client -connect "127.0.0.1:$PORT" -servername localhost -verify_return_error -CAfile "$1.crt" "-$2" "${@:3}" </dev/null \
		>client.out 2>&1
	local status=$? # of the whole handshake; what s_client prints, it knew before it checked the signature
	cat client.out "server-$1.out"
	return $status
}
handshake() { # KEY PROTOCOL TEXT
	client "$1" "$2" "${@:4}" >all.out || { cat all.out; return 1; }
	cat all.out
	grep -q "Verify return code: 0 (ok)" client.out && grep -q "New, $3, Cipher is [A-Z]" client.out
}
# OpenSSL 3.5 names TLS 1.3's schemes: ecdsa_secp256r1_sha256, rsa_pss_rsae_sha256.
signature_type() { grep -qi "Peer signature type: $1" client.out || { cat client.out; return 1; }; }
stranger() { # the certificate of the other key is not accepted
	cp rsa.crt stranger.crt
	[ "$1" = rsa ] && cp ec.crt stranger.crt
	! openssl s_client -connect "127.0.0.1:$PORT" -verify_return_error -CAfile stranger.crt </dev/null >client.out 2>&1 &&
		grep -q "verify error" client.out
}
for key in ec rsa; do
	SERVER_PID=
	if ! server $key >start.out; then
		comment <start.out
		ktap_fail "$key: s_server starts"
		continue
	fi
	ktap_ok "$key: s_server starts"
	check "$key: TLS 1.3 handshake" handshake $key tls1_3 TLSv1.3
	if [ $key = ec ]; then
		check "ec: signed by ECDSA" signature_type ECDSA
	else
		check "rsa: signed by RSA-PSS" signature_type "rsa[-_]pss"
	fi
	check "$key: TLS 1.2 handshake" handshake $key tls1_2 TLSv1.2
	check "$key: a client that trusts another certificate refuses" stranger $key
	ten() { for _ in 1 2 3 4 5 6 7 8 9 10; do handshake $key tls1_3 TLSv1.3 || return 1; done; }
	check "$key: ten more handshakes" ten
	kill "$SERVER_PID" 2>/dev/null
	wait "$SERVER_PID" 2>/dev/null
done
check "B10: no session is left" wait_for 5 sessions_freed
ktap_done
