#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 150
# The agent on the module, as its own user: locked memory that root cannot read, the quota, the anchor of the audit log and a tail
# that was cut, the module denied and gone. What each line says is tested on the host (tests/fault/module_test.sh).
. "$(dirname "$0")/vmlib.sh"
ktap_plan
"$BUILD/craton-hsm-daemon" --version >/dev/null || { skip "the agent" "it does not run here"; ktap_done; }
# Without a seed getrandom(2) waits for ever; User Mode Linux has no source of one.
[ "$(timeout 10 head -c 1 /dev/random | wc -c)" = 1 ] || { skip "the agent" "the kernel's random generator is not seeded"; ktap_done; }
scratch
cd "$SCRATCH" || exit 1
LOG=$SCRATCH/audit.jsonl
QUOTA=/sys/module/craton_hsm/parameters/arena_bytes_per_uid
AGENT_CONFIG='threads = 1'

# As the unit does it, with what udev does for the device.
agent_launch() {
	chown -R craton-hsm: "$SCRATCH"
	[ ! -e "$DEVICE" ] || { chgrp craton-hsm "$DEVICE" && chmod "${MODE:-660}" "$DEVICE"; }
	: >agent.log
	setpriv --reuid craton-hsm --regid craton-hsm --clear-groups --inh-caps=-all "$BUILD/craton-hsm-daemon" \
		"$SCRATCH/craton_hsm.toml" 2>>agent.log &
	AGENT_PID=$!
	SCRATCH_PIDS+=("$AGENT_PID")
}
said() { grep '^[a-z]*: ' agent.log | grep -qF -- "$1" || { cat agent.log; return 1; }; }
verify() { "$BUILD/craton-hsm-admin" audit verify-chain "$@"; }
sign() { p11_user --sign -m ECDSA --id 01 -i digest -o /dev/null; }

# ---- memory ----
SECURITY_CONFIG='locked_memory = "kmod"'
check_here "the agent starts on kmod" agent_start
check "status: kmod" contains "memory       kmod, " admin status
check "status: the module" contains "module       ready, ABI 1, $DEVICE, " admin status
check "token init" token_init vm
check "key pair" p11_user --keypairgen --key-type EC:prime256v1 --id 01 --label ec
head -c 32 /dev/urandom >digest
check "signature" sign
arenas() { sed -n "s|^\\([0-9a-f]*\\)-.* $DEVICE\$|\\1|p" "/proc/$AGENT_PID/maps"; }
stack() { sed -n 's|^[0-9a-f]*-\([0-9a-f]*\) .*\[stack\]$|\1|p' "/proc/$AGENT_PID/maps"; }
page_of() { dd if="/proc/$AGENT_PID/mem" bs=4096 skip=$((0x$1 / 4096 - ${2:-0})) count=1 2>/dev/null | wc -c; }
check "root can read the stack" eval 'test "$(page_of "$(stack)" 1)" = 4096'
unreadable() {
	local at count=0
	for at in $(arenas); do
		count=$((count + 1))
		[ "$(page_of "$at")" = 0 ] || { echo "the arena at $at can be read"; return 1; }
	done
	echo "$count arenas"
	[ $count -gt 0 ]
}
check "but no arena" unreadable
check "the module is held" eval '! rmmod craton_hsm'
check "a running agent's log matches its register" verify --anchor "$LOG"
check_here "it stops" agent_stop

# ---- the anchor ----
check "the log matches its register" contains "anchor: the register matches at " verify --anchor "$LOG"
cp "$LOG" whole
head -n -1 whole >cut
check "one record cut off is found" contains "records of the last batch were cut off" verify --anchor="$LOG" cut
check "with a status that says so" eval '! verify --anchor="$LOG" cut'
check_here "the agent goes on" agent_start
check "signature (2)" sign
agent_kill9
check "a killed agent's log matches its register" verify --anchor "$LOG"
head -n -3 "$LOG" >cut && cat cut >"$LOG"
check_here "the agent starts on a log that was cut" agent_start
check "it says so" said "does not fit its register in the kernel module"
check "and records it" grep -q '"operation":"anchor-mismatch"' "$LOG"
check_here "it stops (2)" agent_stop
check "the cut is not forgotten" eval '! verify --anchor "$LOG"'

# ---- the quota, the device, the module ----
echo $((1 << 20)) >$QUOTA
check_here "a small quota: the agent starts" agent_start
check "a small quota: a warning" said "warning: locked memory: kmod gives no more: the user's quota is used up"
check "a small quota: signature" sign
check "a small quota: status" eval 'admin status | tee /dev/stderr | grep -qE "^memory +kmod, .*; kmod 1048576; "'
check_here "a small quota: it stops" agent_stop
echo $((1 << 26)) >$QUOTA
agent_refused() { agent_launch; wait "$AGENT_PID"; [ $? = 1 ] && forget "$AGENT_PID" && said "error: [security].locked_memory" && said "$1"; }
MODE=600 check_here "a device of root alone is refused" agent_refused "permission denied"
check "rmmod" rmmod craton_hsm
check_here "without the module: refused" agent_refused "the kernel module is not loaded"
check "without the module: no register" eval '! verify --anchor "$LOG"'
modprobe craton_hsm
check_here "the module again: the agent starts" agent_start
check_here "it stops (3)" agent_stop
check "its log matches the new register" verify --anchor "$LOG"
ktap_done
