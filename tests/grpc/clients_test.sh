#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 240
# Clients that others made: @grpc/grpc-js (from npm, once, into the cache) through every method, a generic client that knows services by
# reflection only, nghttp, and a load by h2load.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
. "$TOP/tests/vm/cache.sh"
ktap_plan
scratch
# shellcheck source=tests/grpc/grpc.sh
. "$TOP/tests/grpc/grpc.sh"
make_pki
make_stubs
export TOKEN_CONFIG='slot_count = 2' TOP FRONT_THREADS=2
agent_start || { ktap_fail "agent starts"; ktap_done; }
token_init clients >/dev/null
front_start 'allow_unauthenticated_tls = true' || { ktap_fail "cratond starts"; ktap_done; }
check "a generic client: reflection v1 and v1alpha" contains reflected client "$TOP/tests/grpc/generic.py"

fetch() { (cd "$1" && echo '{}' >package.json && npm install --no-audit --no-fund @grpc/grpc-js@1.12.6 @grpc/proto-loader@0.7.13); }
if ! command -v node >/dev/null || { ! command -v npm >/dev/null && [ ! -e "$CACHE/node-grpc" ]; }; then
	skip "grpc-js" "node is not installed, or npm is not and its packages are not in the cache"
elif ! once node-grpc fetch >"$SCRATCH/npm.out" 2>&1; then
	tail -n 20 "$SCRATCH/npm.out" | comment
	skip "grpc-js" "npm cannot fetch it here (see above)"
else
	check "@grpc/grpc-js: every method, with messages from reflection" contains '30 methods' env FRONT_PORT="$FRONT_PORT" PKI="$PKI" SO_PIN="$SO_PIN" USER_PIN="$USER_PIN" \
		NODE_PATH="$CACHE/node-grpc/node_modules" timeout 120 node "$TOP/tests/grpc/every_method.js"
fi

# ---- load: neither of these has a client certificate, so it is allowed here ----
printf '\0\0\0\0\2\30\40' >"$SCRATCH/random"
URL=https://127.0.0.1:$FRONT_PORT/craton_hsm.HsmService/GenerateRandom
load() { timeout 100 h2load -n 20000 -c 16 -m 32 -H 'content-type: application/grpc' -H 'te: trailers' -d "$SCRATCH/random" "$URL"; }
check "h2load: 20,000 calls on 16 connections, none fails" contains '20000 succeeded, 0 failed, 0 errored, 0 timeout' load
served() { [ "$(grep -c '"operation":"C_GenerateRandom"' "$SCRATCH/audit.jsonl")" -ge 20000 ]; }
check "and each is in the audit log" served
check "nghttp sees the trailer" contains 'grpc-status: 0' timeout 20 nghttp -nv -H ':method: POST' -H 'content-type: application/grpc' -H 'te: trailers' -d "$SCRATCH/random" "$URL"
check "B10: nothing is left behind" wait_for 10 sessions_freed
check_here "it stops" front_stop
ktap_done
