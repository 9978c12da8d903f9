#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 300
# SIGKILL at any moment: what was confirmed is there after the restart, what was destroyed is not, nothing is half there, and the
# audit chain stays intact. ROUNDS (default 50) kills.
. "$(dirname "$0")/../lib.sh"
ROUNDS=${ROUNDS:-50}
export USER_PIN
ktap_plan
scratch
fault_program load
AGENT_CONFIG='threads = 2'
agent_start || { ktap_fail "agent starts"; ktap_done; }
check "token init" token_init crash

restart() {
	wait "$AGENT_PID" 2>/dev/null
	agent_launch
	wait_for 30 agent_settled
	agent_answers || { tail -n 5 "$SCRATCH/agent.log"; return 1; }
}
SECOND=
load() { # ROUND: two clients at once, one of which kills the agent
	: >"$SCRATCH/journal-$1-a"
	: >"$SCRATCH/journal-$1-b"
	timeout 20 "$SCRATCH/load" run "$SCRATCH/journal-$1-b" "$1-b" 0 1 &
	SECOND=$!
	SCRATCH_PIDS+=("$SECOND")
	timeout 20 "$SCRATCH/load" run "$SCRATCH/journal-$1-a" "$1-a" "$AGENT_PID" $((RANDOM % 60000 + 500)) || return 1
	wait "$SECOND" # ends with the agent; it may not have got as far as a session
	wait_for 10 agent_gone # it takes a moment after its sockets are closed
}
FAILED_ROUNDS=0
for ((round = 1; round <= ROUNDS; round++)); do
	problem=
	load $round >"$SCRATCH/out" 2>&1 || problem="the load"
	[ -n "$problem" ] || restart >>"$SCRATCH/out" 2>&1 || problem="the restart"
	[ -n "$problem" ] || "$SCRATCH/load" judge "$SCRATCH"/journal-* >>"$SCRATCH/out" 2>&1 || problem="the objects"
	[ -n "$problem" ] || admin audit verify-chain "$SCRATCH/audit.jsonl" >>"$SCRATCH/out" 2>&1 || problem="the audit chain"
	[ -z "$problem" ] && continue
	tail -n 20 "$SCRATCH/out" | comment
	tail -n 5 "$SCRATCH/agent.log" | comment
	echo "# round $round: $problem"
	FAILED_ROUNDS=$((FAILED_ROUNDS + 1))
	[ $FAILED_ROUNDS -lt 3 ] || break
	agent_gone && ! restart >/dev/null && break
done
check "every confirmed change survived $ROUNDS kills, and no other" test $FAILED_ROUNDS = 0
tail -n 1 "$SCRATCH/out" | comment
made=$(cat "$SCRATCH"/journal-* | grep -c '^C')
gone=$(cat "$SCRATCH"/journal-* | grep -c '^D')
echo "# $made creations and $gone destructions were confirmed"
check "there was a load: more confirmed changes than ten for each kill" test $((made + gone)) -gt $((10 * ROUNDS))
# The judge can find fault: a journal that says otherwise is not believed.
lost() { printf 'c never-1\nC never-1\n' >"$SCRATCH/lie" && ! "$SCRATCH/load" judge "$SCRATCH"/journal-* "$SCRATCH/lie"; }
check "the judge misses an object that is not there" lost
extra() { ! "$SCRATCH/load" judge "$SCRATCH"/journal-1-a; }
check "the judge finds objects that nobody made" extra
check_here "the agent ends cleanly" agent_stop
ktap_done
