#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 300
# SIGKILL at any moment: what was confirmed is there after the restart, what was destroyed is not, nothing is half there, and the
# audit chain stays intact. ROUNDS (default 50) kills with two clients at work, whose changes are mostly alone; then CROWDED (default
# 15) with sixteen, whose changes go to the disk in groups.
. "$(dirname "$0")/../lib.sh"
ROUNDS=${ROUNDS:-50}
CROWDED=${CROWDED:-15}
export USER_PIN
ktap_plan
scratch
fault_program load
AGENT_CONFIG='threads = 2'
TOKEN_CONFIG=$'max_sessions = 32\nmax_rw_sessions = 32'
agent_start || { ktap_fail "agent starts"; ktap_done; }
check "token init" token_init crash

restart() {
	wait "$AGENT_PID" 2>/dev/null
	agent_launch
	wait_for 30 agent_settled
	agent_answers || { tail -n 5 "$SCRATCH/agent.log"; return 1; }
}
at_work() { # JOURNAL...: each client has begun
	local journal
	for journal; do [ -s "$journal" ] || return 1; done
}
load() { # ROUND CLIENTS: the last of them kills the agent
	local journals=() others=() client pid status=0
	for ((client = 1; client < $2; client++)); do
		journals+=("$SCRATCH/journal-$1-$client")
		timeout 20 "$SCRATCH/load" run "$SCRATCH/journal-$1-$client" "$1-$client" 0 1 &
		others+=($!)
	done
	SCRATCH_PIDS+=("${others[@]}")
	[ "$2" = 2 ] || wait_for 20 at_work "${journals[@]}" || return 1
	timeout 20 "$SCRATCH/load" run "$SCRATCH/journal-$1-0" "$1-0" "$AGENT_PID" $((RANDOM % 60000 + 500)) || status=1
	for pid in "${others[@]}"; do
		wait "$pid" # ends with the agent; it may not have got as far as a session
		forget "$pid"
	done
	wait_for 10 agent_gone || status=1 # it takes a moment after its sockets are closed
	touch "${journals[@]}"
	return $status
}
FAILED_ROUNDS=0
for ((round = 1; round <= ROUNDS + CROWDED; round++)); do
	problem=
	clients=$((round > ROUNDS ? 16 : 2))
	load $round $clients >"$SCRATCH/out" 2>&1 || problem="the load"
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
check "every confirmed change survived $((ROUNDS + CROWDED)) kills, and no other" test $FAILED_ROUNDS = 0
tail -n 1 "$SCRATCH/out" | comment
made=$(cat "$SCRATCH"/journal-* | grep -c '^C')
gone=$(cat "$SCRATCH"/journal-* | grep -c '^D')
echo "# $made creations and $gone destructions were confirmed"
check "there was a load: more confirmed changes than ten for each kill" test $((made + gone)) -gt $((10 * (ROUNDS + CROWDED)))
unanswered() { # rounds in which more than one change had no answer when the agent died
	local round lines count=0
	for ((round = ROUNDS + 1; round <= ROUNDS + CROWDED; round++)); do
		lines=$(tail -qn 1 "$SCRATCH"/journal-"$round"-* | grep -c '^[cd]')
		[ "$lines" -lt 2 ] || count=$((count + 1))
	done
	echo "$count"
}
check "with sixteen clients several changes were under way at every kill" test "$(unanswered)" = "$CROWDED"
# The judge can find fault: a journal that says otherwise is not believed.
lost() { printf 'c never-1\nC never-1\n' >"$SCRATCH/lie" && ! "$SCRATCH/load" judge "$SCRATCH"/journal-* "$SCRATCH/lie"; }
check "the judge misses an object that is not there" lost
extra() { ! "$SCRATCH/load" judge "$SCRATCH"/journal-1-0; }
check "the judge finds objects that nobody made" extra
check_here "the agent ends cleanly" agent_stop
ktap_done
