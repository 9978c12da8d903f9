#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 180
# B7: TLS of cratond with real certificates. What is refused at the start, with the file named; each cause of a failed handshake and the
# line that it leaves; the chain that s_client sees; versions; a reload that drops nobody; a key that is in a token.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
# shellcheck source=tests/grpc/grpc.sh
. "$TOP/tests/grpc/grpc.sh"
make_pki
authority stranger
certificate mallory stranger clientAuth
certificate late root clientAuth -3
certificate lost root clientAuth
NOT_BEFORE="+2 days" certificate early root clientAuth
certificate wrong root serverAuth
certificate old middle serverAuth -3
certificate far middle clientAuth
cat "$PKI/old.pem" "$PKI/middle.pem" >"$PKI/old.chain"
revoke lost root
make_stubs
agent_start || { ktap_fail "agent starts"; ktap_done; }
token_init tls >/dev/null

# ---- what is refused at the start ----
FRONT_PORT=$(free_port)
refuses() { # TEXT: cratond ends with 1 and one line that has it
	front_config "${@:2}"
	fails_with 1 "$1" timeout 20 "$BUILD/cratond" "$SCRATCH/craton_hsm.toml"
}
FRONT_KEY=$PKI/alice.key check "certificate and key that do not belong together" refuses "[daemon].tls_key: $PKI/alice.key: the key does not belong to the certificate in $PKI/server.chain"
FRONT_CERT=$PKI/old.chain FRONT_KEY=$PKI/old.key check "an expired certificate" refuses "[daemon].tls_cert: $PKI/old.chain: the certificate of \"old\" expired on "
FRONT_CERT=$PKI/none.pem check "a certificate that is not there" refuses "[daemon].tls_cert: $PKI/none.pem: No such file or directory"
FRONT_KEY=$PKI/none.key check "a key that is not there" refuses "[daemon].tls_key: $PKI/none.key: No such file or directory"
FRONT_CA=$PKI/none.pem check "authorities that are not there" refuses "[daemon].tls_client_ca: $PKI/none.pem: No such file or directory"
echo rubbish >"$PKI/rubbish"
FRONT_CERT=$PKI/rubbish check "a certificate that is none" refuses "[daemon].tls_cert: $PKI/rubbish: no PEM certificate can be read"
FRONT_KEY=$PKI/rubbish check "a key that is none" refuses "[daemon].tls_key: $PKI/rubbish: no PEM private key"
FRONT_CA=$PKI/rubbish check "authorities that are none" refuses "[daemon].tls_client_ca: $PKI/rubbish: no PEM certificate can be read"
check "revocations that are none" refuses "[daemon].tls_client_crl: $PKI/rubbish: no PEM revocation list" "tls_client_crl = \"$PKI/rubbish\""
exposed() { FRONT_CA='' front_config "$@"; sed -i "s/^bind = .*/bind = \"0.0.0.0:$FRONT_PORT\"/" "$SCRATCH/craton_hsm.toml"; }
refuses_exposed() { exposed; fails_with 1 "tls_client_ca is not set: everybody could connect" timeout 20 "$BUILD/cratond" "$SCRATCH/craton_hsm.toml"; }
check "a listener for others without client authorities" refuses_exposed
allows_exposed() { exposed 'allow_unauthenticated_tls = true'; "$BUILD/cratond" --check-config "$SCRATCH/craton_hsm.toml"; }
check "unless the operator says so" allows_exposed
front_config
check "--check-config reads the files, too" contains ': ok' "$BUILD/cratond" --check-config "$SCRATCH/craton_hsm.toml"
FRONT_CERT=$PKI/none.pem front_config
check "and says what is wrong with them" fails_with 1 "$PKI/none.pem" "$BUILD/cratond" --check-config "$SCRATCH/craton_hsm.toml"

# ---- handshakes ----
front_start "tls_client_crl = \"$PKI/root.crl\"" || { ktap_fail "cratond starts"; ktap_done; }
shake() { # OPTION...: what s_client says; the connection is closed at once
	timeout 20 openssl s_client -connect "127.0.0.1:$FRONT_PORT" -CAfile "$PKI/root.pem" -alpn h2 "$@" </dev/null 2>&1
}
# Names are written as OpenSSL 3.2 and later write them.
as() { shake -cert "$PKI/$1.pem" -key "$PKI/$1.key" "${@:2}" | sed 's/CN = /CN=/'; }
check "B7: s_client with certificate, key and CA file" contains 'Verify return code: 0 (ok)' as alice
chain() { as alice -showcerts | grep -c 'BEGIN CERTIFICATE'; }
check "B7: the full chain of tls_cert is sent, and nothing else" eval '[ "$(chain)" -eq 2 ] && as alice -showcerts | grep -q "s:.*CN=middle"'
check "by TLS 1.3" contains 'TLSv1.3' as alice
check "HTTP/2 is agreed on" contains 'ALPN protocol: h2' as alice
# cause NAME TEXT COMMAND...: the handshake fails and leaves exactly one line, which has the text and the peer's address.
cause() {
	local name=$1 text=$2
	shift 2
	: >"$SCRATCH/client.out"
	local before
	before=$(grep -c 'TLS handshake with' "$FRONT_LOG")
	"$@" >"$SCRATCH/client.out" 2>&1
	check "B7: $name" eval 'wait_for 10 eval "[ \$(grep -c \"TLS handshake with\" \"$FRONT_LOG\") -gt '"$before"' ]"; sed -n "$(('"$before"' + 1)),\$p" <(grep "TLS handshake with" "$FRONT_LOG") | tee "$SCRATCH/line";
		[ "$(wc -l <"$SCRATCH/line")" -eq 1 ] && grep -qE "TLS handshake with 127\.0\.0\.1:[0-9]+ failed: '"$text"'" "$SCRATCH/line"'
}
cause "no client certificate: certificate required" 'alert certificate required' shake
cause "an authority that is not ours: unknown ca" 'alert unknown ca' as mallory
cause "a client whose intermediate is missing: unknown ca" 'alert unknown ca \(unable to get local issuer certificate\)' as far
cause "an expired client certificate: certificate expired" 'alert certificate expired' as late
cause "a client certificate that is not valid yet: bad certificate" 'alert bad certificate' as early
cause "a revoked client certificate: certificate revoked" 'alert certificate revoked' as lost
cause "a certificate of the wrong purpose" 'alert unsupported certificate' as wrong
cause "an old version: protocol version" 'alert protocol version' as alice -tls1_2
unknown_server() { timeout 20 openssl s_client -connect "127.0.0.1:$FRONT_PORT" -CAfile "$PKI/stranger.pem" -verify_return_error -cert "$PKI/alice.pem" -key "$PKI/alice.key" </dev/null; }
cause "a client that does not know our authority" 'it sent alert unknown ca' unknown_server
no_protocol() { timeout 20 openssl s_client -connect "127.0.0.1:$FRONT_PORT" -CAfile "$PKI/root.pem" -alpn http/1.1 -cert "$PKI/alice.pem" -key "$PKI/alice.key" </dev/null; }
cause "a client that wants another protocol" 'alert no application protocol' no_protocol
plain() { timeout 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/$FRONT_PORT; echo 'GET / HTTP/1.0' >&3; echo >&3; cat <&3"; }
cause "a client that does not speak TLS" '' plain
gone() { timeout 10 bash -c ": </dev/tcp/127.0.0.1/$FRONT_PORT"; }
cause "a client that hangs up" 'it closed the connection' gone
with_intermediate() { shake -cert "$PKI/far.pem" -key "$PKI/far.key" -cert_chain "$PKI/middle.pem"; }
check "with its intermediate the same client is let in" contains 'Verify return code: 0 (ok)' with_intermediate
printf 'import hsm\ns = hsm.hsm(hsm.channel("%s"))\nprint(len(s.GenerateRandom(hsm.pb.GenerateRandomRequest(length=32), timeout=10).random))\n' alice >"$SCRATCH/random.py"
check "and a real client after all of them" contains 32 client "$SCRATCH/random.py"

# ---- reload ----
cat >"$SCRATCH/stay.py" <<-'END'
	import os, sys, hsm
	c = hsm.channel()
	s = hsm.hsm(c)
	session = hsm.open_session(s)
	print('first', flush=True)
	sys.stdin.readline()
	s.GetTokenInfo(hsm.pb.GetTokenInfoRequest(slot=0), timeout=10)
	hsm.login(s, session)
	print('second', flush=True)
END
coproc STAY { client "$SCRATCH/stay.py" 2>&1; }
exec 5<&"${STAY[0]}" 6>&"${STAY[1]}"
stay_pid=$STAY_PID
read -rt 30 line <&5
check "a client is connected" [ "$line" = first ]
certificate renewed middle serverAuth
cat "$PKI/renewed.pem" "$PKI/middle.pem" >"$PKI/renewed.chain"
FRONT_CERT=$PKI/renewed.chain FRONT_KEY=$PKI/renewed.key front_config "tls_client_crl = \"$PKI/root.crl\""
kill -HUP "$FRONT_PID"
check "SIGHUP takes the new certificate" wait_for 10 front_says 'SIGHUP: certificates, authorities and rules have been read again'
check "and says which keys changed" front_says 'SIGHUP: [daemon].tls_cert is in force for new connections'
check "new connections see it" contains 'CN=renewed' as alice
echo go >&6
read -rt 30 line <&5
check "the old one is still there, with its session" [ "$line" = second ]
wait "$stay_pid" 2>/dev/null
revoke alice root
kill -HUP "$FRONT_PID"
wait_for 10 eval '[ "$(grep -c "have been read again" "$FRONT_LOG")" -eq 2 ]'
cause "a certificate that has been revoked since the start" 'alert certificate revoked' as alice
FRONT_CERT=$PKI/old.chain FRONT_KEY=$PKI/old.key front_config
kill -HUP "$FRONT_PID"
check "a reload that is no good is refused" wait_for 10 front_says 'everything stays as it was'
certificate bob root clientAuth
check "and changes nothing" contains 'CN=renewed' as bob
check_here "it stops" front_stop

# ---- TLS 1.2 ----
front_start 'tls_min_version = "1.2"' || ktap_fail "cratond starts with TLS 1.2"
check "TLS 1.2 by option" contains 'TLSv1.2' as bob -tls1_2
check "only AEAD suites" contains 'alert handshake failure' as bob -tls1_2 -cipher 'ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA384:AES128-SHA'
cause "without a certificate by TLS 1.2" 'alert handshake failure' shake -tls1_2
check_here "it stops" front_stop
FRONT_CA='' front_start || ktap_fail "cratond starts without client authorities on loopback"
check "on loopback clients need no certificate when there is no authority" contains 'Verify return code: 0 (ok)' shake
check_here "it stops" front_stop

# ---- the key in our own token ----
if ! token_key tls; then
	skip "a pkcs11: URI" "pkcs11-provider is not installed"
else
	FRONT_CERT=$PKI/token.chain FRONT_KEY=$TOKEN_KEY front_start || ktap_fail "cratond starts with a key in a token"
	check "B7: the server's key is in our own token" contains 'Verify return code: 0 (ok)' as bob
	check "which signed for the handshake" eval 'grep -q "\"operation\":\"C_Sign[A-Za-z]*\"" "$SCRATCH/audit.jsonl"'
	sed -i 's/alice/bob/' "$SCRATCH/random.py"
	check "and a real client" contains 32 client "$SCRATCH/random.py"
	check "handshakes that wait for the agent hold nobody up" contains '4 handshakes' eval 'export AGENT_PID; client "$TOP/tests/grpc/stopped.py"'
	records() { wc -l <"$SCRATCH/audit.jsonl"; }
	before=$(records)
	check_here "it stops" front_stop
	check "having given the key back, of which the agent keeps a record" [ "$(records)" -gt "$before" ]
	FRONT_KEY=$TOKEN_KEY check "a key in a token that is another's, without what leads to the PIN" \
		refuses '[daemon].tls_key: pkcs11:token=tls;object=front;type=private: the key does not belong'
fi
ktap_done
