#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 180
# cratond as a process: its own user without capabilities, its sandbox, its unit, sd_notify, and what a thousand idle clients cost.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
# shellcheck source=tests/grpc/grpc.sh
. "$TOP/tests/grpc/grpc.sh"
UNIT=$TOP/agent/systemd/cratond.service
score() { systemd-analyze security --offline=true --no-pager "$UNIT" | sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p'; }
check "the unit's exposure is below 2.0" eval '[ -n "$(score)" ] && python3 -c "import sys; sys.exit(not float(sys.argv[1]) < 2.0)" "$(score)"'
score | comment
check "sysusers.d is well formed" systemd-sysusers --dry-run "$TOP/agent/systemd/cratond.sysusers"
make_pki
make_stubs
TOKEN_CONFIG='max_sessions = 2000' agent_start || { ktap_fail "agent starts"; ktap_done; }
token_init process >/dev/null
TOKEN_CONFIG='max_sessions = 2000' front_start 'max_connections = 2000' || { ktap_fail "cratond starts"; ktap_done; }
export FRONT_PID AGENT_PID
status() { grep -E "^$1:" "/proc/$FRONT_PID/status"; }
check "seccomp is in force" contains 2 status Seccomp
check "no new privileges" contains 1 status NoNewPrivs
check "no warning about the sandbox" eval '! grep -q sandbox "$FRONT_LOG"'
check "what is not its own is closed to it" eval 'grep -qE "landlock" /sys/kernel/security/lsm 2>/dev/null || exit 0; cp "$PKI/server.chain" "$SCRATCH/elsewhere.pem"; mkdir -p /var/tmp/craton-elsewhere.$$ && cp "$PKI/server.chain" /var/tmp/craton-elsewhere.$$/c.pem
	sed "s|^tls_cert = .*|tls_cert = \"/var/tmp/craton-elsewhere.$$/c.pem\"|" -i "$SCRATCH/craton_hsm.toml"; kill -HUP "$FRONT_PID"; wait_for 10 front_says "c.pem: Permission denied"; status=$?; rm -r /var/tmp/craton-elsewhere.$$; exit $status'
check "a thousand idle clients take less than 100 KiB each" eval 'CLIENT_SECONDS=100 client "$TOP/tests/grpc/idle.py" | tee "$SCRATCH/idle.out"; [ "${PIPESTATUS[0]}" -eq 0 ]'
cat "$SCRATCH/idle.out"
check "B10: they are gone, and so are their applications" wait_for 20 sessions_freed
check_here "it stops" front_stop

if [ "$(id -u)" -eq 0 ]; then
	FRONT_PORT=$(free_port)
	export TOKEN_CONFIG='max_sessions = 2000'
	agent_stop >/dev/null
	front_config
	sed -i 's/^user = .*/user = "nobody"/' "$SCRATCH/craton_hsm.toml"
	agent_launch
	wait_for 30 agent_answers
	chmod 755 "$SCRATCH" "$PKI" && chmod 644 "$PKI"/*
	: >"$FRONT_LOG"
	cp "$BUILD/cratond" "$SCRATCH/cratond"
	setpriv --reuid nobody --regid nogroup --clear-groups --bounding-set=-all --inh-caps=-all "$SCRATCH/cratond" "$SCRATCH/craton_hsm.toml" 2>>"$FRONT_LOG" &
	FRONT_PID=$!
	SCRATCH_PIDS+=("$FRONT_PID")
	wait_for 20 front_settled
	wait_for 10 front_says 'the agent serves'
	check "it has no capability" eval 'for kind in CapInh CapPrm CapEff CapBnd CapAmb; do status $kind | grep -q "0000000000000000" || exit 1; done'
	printf 'import hsm\ns = hsm.hsm(hsm.channel())\nsession = hsm.open_session(s)\nhsm.login(s, session)\nprint(len(s.GenerateRandom(hsm.pb.GenerateRandomRequest(session=session, length=32), timeout=10).random))\n' >"$SCRATCH/random.py"
	check "as [daemon].user it serves, and is believed whom it speaks for" contains 32 client "$SCRATCH/random.py"
	check "which the audit log shows" eval 'grep "\"operation\":\"C_Login\"" "$SCRATCH/audit.jsonl" | tail -n 1 | grep -q "\"uid\":$(id -u nobody),.*\"client\":\"sha256=[0-9a-f]* serial=[0-9A-F]* CN=alice"'
	check_here "it stops" front_stop
else
	skip "as a user of its own" "only root can start it so"
fi

# ---- sd_notify ----
front_config
notify_listen
NOTIFY_SOCKET=$NOTIFY WATCHDOG_USEC=2000000 front_launch
check "it tells systemd that it is ready" wait_for 10 notified 'READY=1 STATUS=Ready.'
check "and that it is alive" wait_for 10 notified 'WATCHDOG=1'
kill -HUP "$FRONT_PID"
check "and when it reloads" wait_for 10 notified 'RELOADING=1'
check_here "it stops" front_stop
check "and says so" wait_for 10 notified 'STOPPING=1'
ktap_done
