#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 180
# B2 over gRPC, and an agent that is not there: every method fails with the right status, health says so by itself, and the same
# connection works again when the agent does. Then the rules for clients, identities, and who is believed about them.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
# shellcheck source=tests/grpc/grpc.sh
. "$TOP/tests/grpc/grpc.sh"
make_pki
certificate bob root clientAuth
certificate carol root clientAuth 30
make_stubs
export TOKEN_CONFIG='slot_count = 2'
agent_start || { ktap_fail "agent starts"; ktap_done; }
token_init faults >/dev/null
token_init second 1 >/dev/null
front_start || { ktap_fail "cratond starts"; ktap_done; }

coproc CLIENT { CLIENT_SECONDS=120 client "$TOP/tests/grpc/faults.py" 2>&1; }
expects() { # WHAT
	local line
	echo "$1" >&"${CLIENT[1]}"
	read -rt 60 line <&"${CLIENT[0]}"
	echo "$line"
	[ "$line" = ok ]
}
check_here "a client is served, and watches" expects serving
agent_kill9
check_here "the agent is killed: UNAVAILABLE, NOT_SERVING" expects down
check "the log says so" front_says 'the agent does not serve'
agent_launch
wait_for 30 agent_answers
check_here "the agent is back: the same connection works again, with new sessions" expects back
agent_stop >/dev/null
check_here "the agent has stopped" expects down

# A daemon that is not what its sidecar says.
mkdir "$SCRATCH/damaged"
cp "$BUILD/craton-hsm-daemon" "$BUILD/libcraton_hsm.so" "$SCRATCH/damaged/"
sed 's/[0-9a-f]/0/g' "$BUILD/craton-hsm-daemon.hmac" >"$SCRATCH/damaged/craton-hsm-daemon.hmac"
cp "$BUILD/libcraton_hsm.so.hmac" "$SCRATCH/damaged/"
AGENT_BUILD=$SCRATCH/damaged agent_launch
wait_for 30 agent_answers
check "the agent is in its error state" contains ERROR admin status
check "cratond's log has the reason" wait_for 10 front_says 'the agent does not serve: self-test'
check_here "B2: every method fails, health says NOT_SERVING" expects error
agent_stop >/dev/null
agent_launch
wait_for 30 agent_answers
check_here "a good agent: served again" expects back
exec {CLIENT[1]}>&-
wait "$CLIENT_PID" 2>/dev/null
check_here "cratond stops" front_stop

# ---- rules ----
fingerprint=$(openssl x509 -in "$PKI/carol.pem" -noout -fingerprint -sha256 | cut -d= -f2)
RULES='[[daemon.clients]]
common_name = "alice"
operations = ["OpenSession", "GenerateRandom", "Digest"]
[[daemon.clients]]
fingerprint = "'$fingerprint'"
slots = [1]'
front_start "$RULES" || { ktap_fail "cratond starts with rules"; ktap_done; }
cat >"$SCRATCH/rules.py" <<-'END'
	import grpc, hsm
	from hsm import pb
	alice, bob, carol = (hsm.hsm(hsm.channel(name)) for name in ('alice', 'bob', 'carol'))
	denied = grpc.StatusCode.PERMISSION_DENIED
	random = lambda s, slot=0: s.GenerateRandom(pb.GenerateRandomRequest(slot=slot, length=4), timeout=20)
	# alice: some methods, every slot
	random(alice), random(alice, 1)
	sha = hsm.mechanism(hsm.CKM_SHA256)
	alice.Digest(pb.DigestRequest(mechanism=sha), timeout=20)
	alice.DigestStream(iter([pb.DigestStreamRequest(begin=pb.Begin(mechanism=sha))]), timeout=20)
	session = hsm.open_session(alice)
	error = hsm.fails(lambda: hsm.login(alice, session), None, denied)
	assert hsm.ckr(error) is None and 'rule' in error.details(), error
	hsm.fails(lambda: alice.Sign(pb.SignRequest(session=session), timeout=20), None, denied)
	hsm.fails(lambda: alice.SignStream(iter([pb.SignStreamRequest()]), timeout=20), None, denied)
	# carol: every method, one slot
	random(carol, 1)
	for call in (lambda: random(carol, 0), lambda: hsm.open_session(carol, 0), lambda: carol.GetTokenInfo(pb.GetTokenInfoRequest(slot=0), timeout=20),
	             lambda: carol.InitToken(pb.InitTokenRequest(slot=0, pin=hsm.SO_PIN), timeout=20)):
	    hsm.fails(call, None, denied)
	session = hsm.open_session(carol, 1)
	hsm.login(carol, session)
	# bob: nothing, but how cratond is
	hsm.fails(lambda: random(bob), None, denied)
	hsm.fails(lambda: hsm.open_session(bob), None, denied)
	assert bob.HealthCheck(pb.HealthCheckRequest(), timeout=20).serving
END
check "rules: by name, by fingerprint, methods, slots, and nothing for who fits none" client "$SCRATCH/rules.py"
check "the log says whom no rule fits" front_says 'no rule of [[daemon.clients]] fits sha256='
check "each identity is in the audit log" eval 'for name in alice carol; do grep "\"operation\":\"C_OpenSession\"" "$SCRATCH/audit.jsonl" | grep -q "\"client\":\"sha256=[0-9a-f]* serial=[0-9A-F]* CN=$name,O=Craton tests\"" || exit 1; done; ! grep -q "CN=bob" "$SCRATCH/audit.jsonl"'
kill -HUP "$FRONT_PID"
check_here "cratond stops" front_stop
RULES='[[daemon.clients]]
operations = ["Sing"]'
front_config "$RULES"
check "a rule with a method that does not exist is refused" fails_with 1 "HsmService has no method 'Sing'" timeout 20 "$BUILD/cratond" "$SCRATCH/craton_hsm.toml"
check "and does not trouble the agent" "$BUILD/craton-hsm-daemon" --check-config "$SCRATCH/craton_hsm.toml"

# ---- who is believed ----
cat >"$SCRATCH/liar.py" <<-'END'
	import os, socket, struct
	s = socket.socket(socket.AF_UNIX)
	s.connect(os.environ['CRATON_HSM_SOCKET'])
	def ask(opcode, body):
	    s.sendall(struct.pack('<IIHHI', len(body), 1, opcode, 0, 0) + body)
	    head = s.recv(16, socket.MSG_WAITALL)
	    length, _, _, _, status = struct.unpack('<IIHHI', head)
	    s.recv(length, socket.MSG_WAITALL) if length else b''
	    return status
	assert ask(1, struct.pack('<IQI', 1, 0, 0)) == 0
	name = b'CN="ev\\il"'
	print(hex(ask(4, struct.pack('<I', 3) + b'CN\n')), end=' ')
	print(hex(ask(4, struct.pack('<I', len(name)) + name)), hex(ask(4, struct.pack('<I', 1) + b'x')), hex(ask(0x201, struct.pack('<QQ', 0, 4))))
END
chmod 755 "$SCRATCH"
lies() { [ "$(/usr/bin/python3 "$SCRATCH/liar.py")" = "0x7 0x0 0xb6 0x0" ]; }
last_client_is() { tail -n 3 "$SCRATCH/audit.jsonl" | jq -e 'select(.operation == "C_OpenSession") | .client == "CN=?ev?il?"'; }
check "root is believed once, in printable octets" lies
check "and its text is escaped" wait_for 10 last_client_is
if [ "$(id -u)" -eq 0 ]; then
	check "another user is not" eval 'setpriv --reuid nobody --clear-groups /usr/bin/python3 "$SCRATCH/liar.py" | grep -q "^0x200 0x200 0x200 0x0$"'
else
	skip "another user is not" "only root can be another"
fi
agent_stop >/dev/null
check "the audit log verifies" "$BUILD/craton-hsm-admin" audit verify-chain "$SCRATCH/audit.jsonl"
ktap_done
