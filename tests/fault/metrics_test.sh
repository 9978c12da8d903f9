#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 120
# Metrics and health (B26): a real Prometheus scrapes the agent and knows what was done; promtool finds nothing wrong with the
# exposition and the alert rules; every metric that the rules, the dashboard and the documentation name exists.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
PORT=$(free_port)
agent_config_with() { # LISTEN
	agent_config
	printf '[metrics]\nlisten = "%s"\n' "$1" >>"$SCRATCH/craton_hsm.toml"
}
start_with() { # LISTEN
	agent_config_with "$1"
	agent_launch
	wait_for 30 agent_answers
}
start_with "127.0.0.1:$PORT" || { comment <"$SCRATCH/agent.log"; ktap_fail "agent starts"; ktap_done; }
get() { curl -sS --max-time 10 "http://127.0.0.1:$PORT$1"; }
code() { curl -sS --max-time 10 -o /dev/null -w '%{http_code}' "$@"; }
value() { get /metrics | awk -v name="$1" '$1 == name { print $2 }'; }
is() { local wanted=$1 got; shift; got=$("$@") || return 1; echo "got $got"; [ "$got" = "$wanted" ]; }

check "healthz" is ok get /healthz
check "its status" is 200 code "http://127.0.0.1:$PORT/healthz"
check "another path" is 404 code "http://127.0.0.1:$PORT/etc/passwd"
check "another method" is 405 code -X POST -d x "http://127.0.0.1:$PORT/metrics"
check "nobody else can reach it" eval 'ss -ltn | grep ":$PORT " | grep -q 127.0.0.1 && ! ss -ltn | grep ":$PORT " | grep -qE "0\.0\.0\.0:$PORT|\*:$PORT"'

token_init metered >/dev/null
p11_user --keypairgen --key-type EC:prime256v1 --id 01 >/dev/null 2>&1
head -c 32 /dev/urandom >"$SCRATCH/hash"
for _ in 1 2 3; do p11_user --sign --mechanism ECDSA --id 01 --input-file "$SCRATCH/hash" --output-file "$SCRATCH/s" >/dev/null 2>&1; done
p11 --login --pin wrong-pin-0000 --list-objects >/dev/null 2>&1
check "three signatures" is 3 value 'craton_hsm_operations_total{function="C_Sign",result="ok"}'
check "by mechanism: Init and Sign" is 6 value 'craton_hsm_mechanism_operations_total{mechanism="CKM_ECDSA",result="ok"}'
check "one refused login" is 1 value 'craton_hsm_operations_total{function="C_Login",result="refused"}'
check "the histogram has as many" is 3 value 'craton_hsm_operation_duration_seconds_count{function="C_Sign"}'
check "+Inf, too" is 3 value 'craton_hsm_operation_duration_seconds_bucket{function="C_Sign",le="+Inf"}'
check "a wrong PIN is counted" is 1 value 'craton_hsm_pin_failures{slot="0",user="user"}'
check "no PIN is locked" is 0 value 'craton_hsm_pin_locked{slot="0",user="user"}'
check "no sessions are left" is 0 value 'craton_hsm_sessions{slot="0",access="write"}'
check "memory is locked" eval '[ "$(value "craton_hsm_memory_bytes{kind=\"locked\"}")" -gt 1000 ]'
check "the audit log keeps up" is 0 value craton_hsm_audit_lag_records
check "promtool finds nothing wrong" eval '[ -z "$(get /metrics | promtool check metrics 2>&1 | grep -v "use base unit" | tee /dev/stderr)" ]'

printf 'passphrase-12345678\n' >"$SCRATCH/passphrase"
chmod 600 "$SCRATCH/passphrase"
check "a backup, which takes several messages" admin backup "$SCRATCH/backup" --slot 0 --so-pin-file "$SCRATCH/so-pin" --passphrase-file "$SCRATCH/passphrase"
no_sample_twice() { local twice; twice=$(get /metrics | grep -v '^#' | sed 's/ [^ ]*$//' | sort | uniq -d); echo "$twice"; [ -z "$twice" ]; }
check "no sample comes twice" no_sample_twice

# ---- the rules, the dashboard, the documentation ----
RULES=$TOP/docs/monitoring/alerts.yml
DASHBOARD=$TOP/docs/monitoring/grafana-dashboard.json
check "the alert rules are right" promtool check rules "$RULES"
table() { sed -nE 's/^METRIC\([A-Z_]+, +"([a-z_]+)", +"([a-z]+)", +"(.*)"\)$/| `\1` | \2 | \3 |/p' "$TOP/agent/metrics.def"; }
check "the documentation has the table" eval 'diff <(table) <(grep "^| .craton_hsm_" "$TOP/docs/monitoring.md") && [ "$(table | wc -l)" -ge 20 ]'
known() { table | cut -d '`' -f 2; }
named() { grep -ohE 'craton_hsm_[a-z_]+' "$@" | sed -E 's/_(bucket|sum|count)$//' | sort -u; }
check "rules and dashboard name only metrics that exist" eval '[ -z "$(comm -13 <(known | sort -u) <(named "$RULES" "$DASHBOARD") | tee /dev/stderr)" ]'
check "each metric is in the exposition" eval '[ -z "$(comm -23 <(known | sort -u) <(get /metrics | sed -n "s/^# TYPE \([a-z_]*\) .*/\1/p" | sort -u) | tee /dev/stderr)" ]'
check "the dashboard is JSON" jq -e '.panels | length > 10' "$DASHBOARD"
cat >"$SCRATCH/rules_test.yml" <<-EOF
	rule_files: ["$RULES"]
	tests:
	  - interval: 1m
	    input_series:
	      - {series: 'craton_hsm_operational{instance="a"}', values: '1 0 0'}
	      - {series: 'craton_hsm_pin_locked{instance="a",slot="0",user="user"}', values: '0 1 1'}
	      - {series: 'craton_hsm_audit_failures_total{instance="a"}', values: '0 0 3'}
	    alert_rule_test:
	      - {eval_time: 0m, alertname: CratonHsmErrorState, exp_alerts: []}
	      - eval_time: 2m
	        alertname: CratonHsmErrorState
	        exp_alerts: [{exp_labels: {severity: critical, instance: a}, exp_annotations: {summary: "The key service on a is in its error state; see craton-hsm-admin status"}}]
	      - eval_time: 2m
	        alertname: CratonHsmPinLocked
	        exp_alerts: [{exp_labels: {severity: warning, instance: a, slot: "0", user: user}, exp_annotations: {summary: "The user PIN of slot 0 on a is locked"}}]
	      - eval_time: 2m
	        alertname: CratonHsmAuditFailing
	        exp_alerts: [{exp_labels: {severity: critical, instance: a}, exp_annotations: {summary: "The audit log of a cannot be written; operations fail"}}]
EOF
check "promtool tries the rules" promtool test rules "$SCRATCH/rules_test.yml"

# ---- Prometheus itself ----
WEB=$(free_port)
cat >"$SCRATCH/prometheus.yml" <<-EOF
	global: {scrape_interval: 1s, evaluation_interval: 1s}
	rule_files: ["$RULES"]
	scrape_configs:
	  - {job_name: craton-hsm, static_configs: [{targets: ["127.0.0.1:$PORT"]}]}
EOF
prometheus --config.file="$SCRATCH/prometheus.yml" --storage.tsdb.path="$SCRATCH/tsdb" --web.listen-address="127.0.0.1:$WEB" --log.level=warn 2>"$SCRATCH/prometheus.log" &
PROMETHEUS=$!
SCRATCH_PIDS+=("$PROMETHEUS")
query() { curl -sS --max-time 5 -G "http://127.0.0.1:$WEB/api/v1/query" --data-urlencode "query=$1" | jq -r '.data.result[0].value[1]'; }
asks() { [ "$(query "$1")" = "$2" ]; }
check "Prometheus reaches it" wait_for 30 asks 'up{job="craton-hsm"}' 1
check "and knows the signatures" wait_for 20 asks 'craton_hsm_operations_total{function="C_Sign",result="ok"}' 3
check "its functions take the histogram" eval '[ "$(query "histogram_quantile(0.99, craton_hsm_operation_duration_seconds_bucket{function=\"C_Sign\"}) > bool 0")" = 1 ]'
kill -TERM "$PROMETHEUS"
wait "$PROMETHEUS" 2>/dev/null
forget "$PROMETHEUS"
check_here "the agent stops" agent_stop

# ---- a Unix socket, and what is refused ----
start_with "$SCRATCH/metrics.sock" || ktap_fail "agent starts with a Unix socket"
check "over a Unix socket" eval '[ "$(curl -sS --unix-socket "$SCRATCH/metrics.sock" http://localhost/healthz)" = ok ]'
check "which is for its group" eval '[ "$(stat -c %a "$SCRATCH/metrics.sock")" = 660 ]'
agent_stop
check "it is gone afterwards" test ! -e "$SCRATCH/metrics.sock"
echo "not ours" >"$SCRATCH/file"
in_the_way() { agent_config_with "$SCRATCH/file"; ! "$AGENT_BUILD/craton-hsm-daemon" "$SCRATCH/craton_hsm.toml" 2>"$SCRATCH/out"; cat "$SCRATCH/out"; grep -qF "cannot listen on $SCRATCH/file: a file that is not a socket is in the way; remove it or change [metrics].listen" "$SCRATCH/out" && [ -f "$SCRATCH/file" ]; }
check "a file that is in the way: the right key is named, the file stays" in_the_way
refuses() { agent_config_with "$1"; ! "$AGENT_BUILD/craton-hsm-daemon" --check-config "$SCRATCH/craton_hsm.toml"; }
check "an address of the network is refused" refuses 0.0.0.0:9145
ktap_done
