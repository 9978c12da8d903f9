#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 180
# The limits of [daemon], one by one: each has a key, is counted in the metrics, and holds against a client that keeps to no rule.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
# shellcheck source=tests/grpc/grpc.sh
. "$TOP/tests/grpc/grpc.sh"
begin_agent limits
METRICS=$SCRATCH/front-metrics.sock
front_start "metrics_listen = \"$METRICS\"" 'max_connections = 4' 'max_streams = 8' 'max_message_size = 65536' 'max_connection_memory = 200000' 'max_header_size = 2048' \
	'handshake_timeout = 1' 'idle_timeout = 2' 'max_resets = 20' 'max_pings = 20' || { ktap_fail "cratond starts"; ktap_done; }
export FRONT_PID
metrics() { curl -sS --max-time 10 --unix-socket "$METRICS" http://localhost/metrics; }
count() { metrics | sed -n "s/^craton_grpc_limit_total{limit=\"$1\"} //p"; }
# limit NAME LABEL FUNCTION: it holds, is counted, and cratond still serves.
limit() {
	local before after
	before=$(count "$2")
	client "$TOP/tests/grpc/limits.py" "$3" >"$SCRATCH/out" 2>&1
	local status=$?
	after=$(count "$2")
	check "$1" eval 'cat "$SCRATCH/out"; echo "'"$2: $before -> $after"'"; [ '"$status"' -eq 0 ] && [ "'"${after:-0}"'" -gt "'"${before:-0}"'" ]'
}
check "metrics are served" eval '[ "$(count connections)" = 0 ]'
command -v promtool >/dev/null || skip "promtool finds nothing wrong with them" "promtool is not installed"
! command -v promtool >/dev/null || check "promtool finds nothing wrong with them" eval '[ -z "$(metrics | promtool check metrics 2>&1 | grep -v "use base unit" | tee /dev/stderr)" ]'
check "healthz" eval '[ "$(curl -sS --unix-socket "$METRICS" http://localhost/healthz)" = ok ]'
limit "rapid resets are answered by GOAWAY" resets resets
limit "so are those that the server is made to send" resets made_resets
limit "a flood of PINGs is answered by GOAWAY" pings pings
limit "a flood of SETTINGS, too" pings settings
limit "streams per connection" streams streams
limit "size of the headers" header_size headers
limit "size of a message" message_size messages
limit "memory of a connection" connection_memory memory
limit "time of the handshake" handshake_timeout handshake
limit "idle connections" idle_timeout idle
limit "one that takes nothing any more" idle_timeout stuck
limit "connections" connections connections
check "the log says who flooded" front_says 'too many cancelled calls; its connection is ended'
check "and that there are too many connections, once" eval '[ "$(grep -c "as many as \[daemon\].max_connections lets in" "$FRONT_LOG")" -eq 1 ]'
check "a client that stops reading holds nobody up" client "$TOP/tests/grpc/limits.py" unread
check "answers of the reflection that nobody reads take no memory" client "$TOP/tests/grpc/limits.py" reflection
told() { metrics | sed -nE 's/^# HELP ([a-z_]+) (.*)$/\1/p' | sort; }
documented() { sed -nE 's/^\| `(craton_grpc_[a-z_]+)` .*/\1/p' "$TOP/docs/monitoring.md" | sort; }
check "the documentation has every metric" diff <(told) <(documented)
check "and every limit" eval 'for label in $(sed -nE "s/^LIMIT\([A-Z]+, +\"([a-z_]+)\",.*/\1/p" "$TOP/agent/grpc/limits.def"); do grep -q "| .$label. |" "$TOP/docs/remote-access.md" || { echo "$label"; exit 1; }; done'
check "every limit has its key" eval 'for key in $(sed -nE "s/^LIMIT\([A-Z]+, +\"[a-z_]+\", +\"([a-z_]+)\"\)$/\1/p" "$TOP/agent/grpc/limits.def"); do grep -q "KEY(daemon, $key," "$TOP/agent/config.def" || { echo "$key"; exit 1; }; done'
check_here "it stops" front_stop
ktap_done
