#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 300
# SERIAL
# Row B3: a copy of the machine, told by the kernel's uevent, makes the generators reseed before their next output; so does a
# socket that overran. A real uevent of a real kernel, which a test build takes for the vmgenid driver's. Here too: the admin
# program that follows events. With the module and a machine that is really copied: tests/vm.
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
UEVENT=/sys/class/mem/null/uevent
if [ ! -w $UEVENT ]; then
	skip "kernel events" "only root can make uevents, and not in every container"
	ktap_done
fi
need_hooks
PRODUCTION=$BUILD
BUILD=$BUILD-hooks
AGENT_BUILD=$BUILD
export MODULE=$BUILD/libcraton_hsm.so

# The kernel adds this to a uevent that was asked for.
export CRATON_TEST_UEVENT=SYNTH_ARG_MACHINE=$RANDOM
copied() { echo "change $(cat /proc/sys/kernel/random/uuid) ${CRATON_TEST_UEVENT#SYNTH_ARG_}" >$UEVENT; }
other() { echo "change $(cat /proc/sys/kernel/random/uuid) MACHINE=other" >$UEVENT; }
status() { admin --json status | jq "$1"; }
says() { [ "$(status "$1")" = "$2" ]; }
# Connecting draws a ticket, on the only loop.
draw() { p11 --generate-random 16 >/dev/null; }
reseeds() { status .drbg.reseeds; }
record() { grep -F "\"operation\":\"$1\"" "$SCRATCH/audit.jsonl"; }

AGENT_CONFIG='threads = 1
workers = 1'
check_here "the agent starts" agent_start || ktap_done
check "token init" token_init events
check "it hears uevents" says .events.uevents true
draw && draw
BEFORE=$(reseeds)
check "a uevent of something else" other
check "random octets" draw
check "have no reseed before them" says .drbg.reseeds "$BEFORE"

check "the machine is copied" copied
# Nobody has asked the agent for anything since.
check "it is in the audit log at once" wait_for 10 record vm_generation_changed
check "with its source" eval 'record vm_generation_changed | grep -qF "\"detail\":\"source=uevent\""'
check "it is counted" says .events.vm_generations 1
check "and logged" grep -q 'vm_generation_changed: source=uevent; random generators reseed' "$SCRATCH/agent.log"
check "no generator was reseeded yet" says .drbg.reseeds "$BEFORE"
check "the next random octets" draw
check "have a reseed before them" says .drbg.reseeds $((BEFORE + 1))
check "those after them" draw
check "have none" says .drbg.reseeds $((BEFORE + 1))

# A worker and the loop have generators of their own.
check "another copy" copied
check "is heard" wait_for 10 says .events.vm_generations 2
check "a key that a worker makes" p11_user --keypairgen --key-type EC:prime256v1 --label pair
several() { [ "$(reseeds)" -ge $((BEFORE + 3)) ]; }
check "reseeds the worker's, too" several

flood() { local i; for ((i = 0; i < 5000; i++)); do echo change >$UEVENT || return 1; done; }
kill -STOP "$AGENT_PID"
check "5000 uevents while the agent sleeps" flood
kill -CONT "$AGENT_PID"
check "the loss is in the audit log" wait_for 10 record kernel_events_lost
check "and counted" says .events.lost 1
draw
BEFORE=$(reseeds)
draw
check "after it reseeds are rare again" says .drbg.reseeds "$BEFORE"
check "a copy after the loss" copied
check "is heard" wait_for 10 says .events.vm_generations 3
check "the log's chain is whole" admin audit verify-chain "$SCRATCH/audit.jsonl"
check_here "the agent ends" agent_stop

# Following them from the terminal, with no agent.
follow() { # PROGRAM [ARGUMENT...]: in the background
	local admin=$1
	shift
	"$admin" events "$@" >"$SCRATCH/followed" 2>"$SCRATCH/follow.err" &
	FOLLOWER=$!
	SCRATCH_PIDS+=("$FOLLOWER")
}
# Its uevent socket is bound: netlink's protocol 15, a group, its port.
follows() { awk -v pid="$FOLLOWER" '$2 == 15 && $3 == pid && $4 != "00000000" { found = 1 } END { exit !found }' /proc/net/netlink; }
followed() { wait "$FOLLOWER"; local status=$?; forget "$FOLLOWER"; cat "$SCRATCH/followed" "$SCRATCH/follow.err"; return $status; }
follow "$BUILD/craton-hsm-admin" --count 2
check "events --count 2" wait_for 10 follows
copied
other
copied
check_here "ends after two" followed
check "two lines" test "$(grep -cE '^20[0-9T:.-]+Z vm_generation_changed source=uevent$' "$SCRATCH/followed")" = 2
follow "$BUILD/craton-hsm-admin" --json
check "events --json" wait_for 10 follows
copied
check "a line at once" wait_for 10 grep -q . "$SCRATCH/followed"
check "of JSON" eval '[ "$(jq -r ".event, .source" "$SCRATCH/followed" | paste -sd " ")" = "vm_generation_changed uevent" ]'
kill -INT "$FOLLOWER"
check_here "SIGINT ends it cleanly" followed
check "without a complaint" test ! -s "$SCRATCH/follow.err"
check "a count that is none" eval '"$BUILD/craton-hsm-admin" events --count x; [ $? = 2 ]'

# The production build.
follow "$PRODUCTION/craton-hsm-admin" --count 1
check "the production build follows" wait_for 10 follows
copied
kill -TERM "$FOLLOWER"
check_here "until SIGTERM" followed
check "and takes no word of the environment for the driver's" test ! -s "$SCRATCH/followed"
check "which it does not name" eval '! grep -q CRATON_TEST_ "$PRODUCTION/craton-hsm-admin"'
ktap_done
