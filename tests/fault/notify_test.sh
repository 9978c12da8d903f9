#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What systemd is told (B26): ready when clients are served, alive in time, reloading, stopping; and the priorities of the journal.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
listen() { # the datagrams that come to the socket, a line each
	/usr/bin/python3 -u - "$1" <<-'END'
		import os, socket, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		name = sys.argv[1]
		s.bind("\0" + name[1:] if name[0] == "@" else name)
		print("LISTENING", flush=True)
		while True:
		    print(s.recv(4096).decode().replace("\n", "|"), flush=True)
	END
}
told() { grep -q "$1" "$SCRATCH/told"; }
begin() { # ADDRESS
	: >"$SCRATCH/told"
	listen "$1" >"$SCRATCH/told" &
	LISTENER=$!
	SCRATCH_PIDS+=("$LISTENER")
	wait_for 10 told LISTENING
}
export JOURNAL_STREAM=1:1
for address in "$SCRATCH/notify.sock" "@craton-test-$$"; do
	begin "$address" || { ktap_fail "a listener"; ktap_done; }
	export NOTIFY_SOCKET=$address WATCHDOG_USEC=400000
	: >"$SCRATCH/agent.log"
	agent_start || { ktap_fail "agent starts"; ktap_done; }
	check "ready ($address)" told '^READY=1|STATUS=Ready\.$'
	check "alive, more than once" wait_for 10 eval '[ "$(grep -c "^WATCHDOG=1$" "$SCRATCH/told")" -ge 3 ]'
	kill -HUP "$AGENT_PID"
	check "reloading" wait_for 10 told '^RELOADING=1$'
	check "and ready again" wait_for 10 eval '[ "$(grep -c "^READY=1" "$SCRATCH/told")" = 2 ]'
	check_here "the agent stops" agent_stop
	check "stopping" wait_for 10 told '^STOPPING=1$'
	kill "$LISTENER"
	wait "$LISTENER" 2>/dev/null
done
check "each line has the journal's priority" eval '! grep -vE "^<[0-7]>" "$SCRATCH/agent.log"'
unset JOURNAL_STREAM
export NOTIFY_SOCKET=nonsense
: >"$SCRATCH/agent.log"
check_here "an address that is none: it starts all the same" agent_start
check "and says so" grep -q 'NOTIFY_SOCKET is no address' "$SCRATCH/agent.log"
agent_stop
ktap_done
