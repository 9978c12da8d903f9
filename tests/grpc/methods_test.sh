#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 180
# cratond with a real gRPC client (python3-grpcio): every method of every service, what each refuses, streams, deadlines, isolation of
# connections, the client's identity in the audit log, and what is left when the connection goes.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
# shellcheck source=tests/grpc/grpc.sh
. "$TOP/tests/grpc/grpc.sh"
make_pki
make_stubs || { ktap_fail "the stubs are made"; ktap_done; }
TOKEN_CONFIG='slot_count = 2' agent_start || { ktap_fail "agent starts"; ktap_done; }
token_init grpc >/dev/null
TOKEN_CONFIG='slot_count = 2' front_start || { ktap_fail "cratond starts"; ktap_done; }
CLIENT_SECONDS=150 client "$TOP/tests/grpc/every_method.py" >"$SCRATCH/parts" 2>"$SCRATCH/errors"
ended=$?
while read -r line; do
	case $line in
	"ok "*) ktap_ok "${line#ok }" ;;
	"not ok "*) ktap_fail "${line#not ok }" ;;
	esac
done <"$SCRATCH/parts"
check "the client went through" eval 'cat "$SCRATCH/errors"; [ '$ended' -eq 0 ] && [ "$(wc -l <"$SCRATCH/parts")" -eq 17 ]'
check "every method of the .proto files is called" eval 'for m in $(sed -n "s/^  rpc \([A-Za-z]*\).*/\1/p" "$TOP/agent/grpc/craton_hsm.proto"); do
	grep -qE "[SoO]\.$m\b|login|open_session" "$TOP/tests/grpc/every_method.py" || { echo "$m is not"; exit 1; }; done'
only_the_watch() { admin --json status | jq -e '.applications | length == 0'; }
check "B10: when the connections are gone, so are their applications" wait_for 10 only_the_watch
check "each record names the client" eval 'grep "\"operation\":\"C_Sign\"" "$SCRATCH/audit.jsonl" | grep -c "\"client\":\"sha256=[0-9a-f]\{64\} serial=[0-9A-F]* CN=alice,O=Craton tests\"" | grep -vx 0'
check "and none of cratond's is without" eval '! grep "\"operation\":\"C_Sign\"" "$SCRATCH/audit.jsonl" | grep -qv "\"client\":"'
check "no PIN is in any log" eval '! grep -qE "$USER_PIN|$SO_PIN" "$SCRATCH/audit.jsonl" "$FRONT_LOG" "$SCRATCH/agent.log"'
check_here "cratond stops when told to" front_stop
agent_stop >/dev/null
check "the audit log verifies" "$BUILD/craton-hsm-admin" audit verify-chain "$SCRATCH/audit.jsonl"
ktap_done
