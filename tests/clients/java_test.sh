#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 180
# Java's SunPKCS11: keytool makes keys and certificates, openssl checks them; a program signs, seals and does so in eight threads; a TLS
# server of eight threads has its key in the token.
. "$(dirname "$0")/../lib.sh"
ktap_plan
if ! command -v keytool >/dev/null || ! command -v javac >/dev/null; then
	skip java "no JDK: default-jdk-headless is not installed"
	ktap_done
fi
scratch
cd "$SCRATCH" || exit 1
# SunPKCS11 keeps a pool of sessions, read/write ones too: the default of 10 is too few for threads.
TOKEN_CONFIG='max_rw_sessions = 100'
AGENT_CONFIG='threads = 2'
agent_start || { ktap_fail "agent starts"; ktap_done; }
check "token init" token_init java
printf 'name = craton\nlibrary = %s\nslotListIndex = 0\n' "$MODULE" >java.cfg
tool() {
	keytool -keystore NONE -storetype PKCS11 -storepass "$USER_PIN" -providerclass sun.security.pkcs11.SunPKCS11 -providerarg java.cfg "$@"
}
generate() { # ALIAS OPTIONS
	tool -genkeypair -alias "$1" "${@:2}" -dname "CN=$1" -ext san=dns:localhost -validity 2 && tool -exportcert -alias "$1" -rfc -file "$1.pem" &&
		openssl verify -check_ss_sig -CAfile "$1.pem" "$1.pem" &&
		p11 --read-object --type cert --label "$1" -o "$1.der" && cmp "$1.der" <(openssl x509 -in "$1.pem" -outform DER)
}
check "keytool -genkeypair RSA; certificate verified by openssl" generate rsa -keyalg RSA -keysize 2048
check "keytool -genkeypair EC; certificate verified by openssl" generate ec -keyalg EC -groupname secp256r1
check "keytool -list has both keys" test "$(tool -list 2>/dev/null | grep -c PrivateKeyEntry)" = 2
request() { tool -certreq -alias rsa -file rsa.csr && request_verifies rsa.csr; }
check "keytool -certreq verified by openssl" request
javac -d . "$TOP/tests/clients/Probe.java" >javac.out 2>&1 || comment <javac.out
java -cp . Probe java.cfg "$USER_PIN" >probe.out 2>&1
comment <probe.out
check "sign and verify, against the JDK's own verifier" grep -qx signatures probe.out
check "AES-GCM: sealed, opened, tampered, and what SunJCE computes" grep -qx gcm probe.out
check "eight threads" grep -qx threads probe.out

# ---- TLS ----
javac -d . "$TOP/tests/clients/TlsServer.java" >javac.out 2>&1 || comment <javac.out
mkfifo stdin
exec 7<>stdin
server_settled() { grep -q '^port' "server-$1.out" || ! kill -0 "$SERVER"; }
server() { # ALIAS
	java -cp . TlsServer java.cfg "$USER_PIN" "$1" >"server-$1.out" 2>"server-$1.err" <&7 7<&- &
	SERVER=$!
	SCRATCH_PIDS+=("$SERVER")
	wait_for 20 server_settled "$1"
	PORT=$(sed -n 's/^port //p' "server-$1.out")
	[ -n "$PORT" ] || { cat "server-$1.err"; return 1; }
}
get() { curl -sS --cacert "$1.pem" --resolve "localhost:$PORT:127.0.0.1" "${@:2}" "https://localhost:$PORT/"; }
handshake() { # ALIAS VERSION SIGNATURE
	openssl s_client -connect "127.0.0.1:$PORT" -verify_return_error -CAfile "$1.pem" "-$2" </dev/null >client.out 2>&1
	local status=$? # of the whole handshake; what s_client prints, it knew before it checked the signature
	cat client.out "server-$1.err"
	[ $status = 0 ] && grep -q "Verify return code: 0 (ok)" client.out && grep -qi "Peer signature type: $3" client.out
}
eight_at_once() { # ALIAS: eight clients; until each thread of the server has answered
	local n client
	: >answers
	for n in $(seq 20); do
		local clients=()
		for client in $(seq 8); do
			get "$1" >"answer-$client" 2>&1 &
			clients+=("$!")
		done
		for client in "${clients[@]}"; do wait "$client" || { cat answer-*; return 1; }; done
		cat answer-? >>answers
		[ "$(sort -u answers | grep -c '^[0-7]$')" -lt 8 ] || return 0
	done
	sort answers | uniq -c
	return 1
}
stranger() { ! get "$1"; }
declare -A SIGNATURE=([rsa]="rsa[-_]pss" [ec]=ecdsa) STRANGER=([rsa]=ec [ec]=rsa)
for alias in rsa ec; do
	check_here "TLS server with the $alias key starts" server "$alias" || continue
	check "$alias: TLS 1.3 handshake" handshake "$alias" tls1_3 "${SIGNATURE[$alias]}"
	check "$alias: TLS 1.2 handshake" handshake "$alias" tls1_2 "${SIGNATURE[$alias]}"
	check_here "$alias: eight clients at once, until eight threads have signed" eight_at_once "$alias"
	check "$alias: a client that trusts another certificate refuses" stranger "${STRANGER[$alias]}"
	kill "$SERVER"
	wait "$SERVER" 2>/dev/null
	forget "$SERVER"
done
# keytool leaves a certificate that another of the token may hang on: one whose issuer has the same name.
delete() { tool -delete -alias ec && ! p11 --read-object --type cert --label ec -o gone; }
check "keytool -delete" delete
check "B10: no session is left" wait_for 5 sessions_freed
ktap_done
