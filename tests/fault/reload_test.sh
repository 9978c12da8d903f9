#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 120
# B23: SIGHUP takes over what is marked so, says what waits for a restart, and keeps what it has when the file is not good.
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
unset JOURNAL_STREAM
agent_start || { ktap_fail "agent starts"; ktap_done; }
CONF=$SCRATCH/craton_hsm.toml
LOG=$SCRATCH/agent.log
cp "$CONF" "$SCRATCH/first.toml"
check "token init" token_init reload

seen() { [ "$(grep -c "$1" "$LOG")" -gt "$2" ]; }
# reload TEXT: SIGHUP, until the log says TEXT once more than before.
reload() {
	local before
	before=$(grep -c "$1" "$LOG")
	kill -HUP "$AGENT_PID"
	wait_for 10 seen "$1" "$before" || { tail -n 5 "$LOG"; return 1; }
}
# edit TABLE LINE: the first configuration with this line at the head of the table.
edit() { sed "/^\[$1\]/a $2" "$SCRATCH/first.toml" >"$CONF"; }
pin_of_8() { admin pin reset --slot 0 --so-pin-file "$SCRATCH/so-pin" --new-pin-file "$SCRATCH/short-pin"; }
printf 12345678 >"$SCRATCH/short-pin"
chmod 600 "$SCRATCH/short-pin"

check "an unchanged file: says so" reload 'nothing in .* has changed'
check "a PIN of eight is long enough" pin_of_8
edit security 'pin_min_length = 12'
check "pin_min_length is in force" reload 'SIGHUP: \[security\].pin_min_length is in force'
refused_short() { pin_of_8 >"$SCRATCH/out" 2>&1; local status=$?; cat "$SCRATCH/out"; [ "$status" -ne 0 ] && grep -qi 'length' "$SCRATCH/out"; }
check "the same PIN is too short now" refused_short
check "the audit log has it" grep -q '"operation":"reload-configuration".*"detail":"security.pin_min_length"' "$SCRATCH/audit.jsonl"

edit token 'slot_count = 2'
check "slot_count waits" reload 'SIGHUP: \[token\].slot_count takes effect at the next restart'
check "and the former value of pin_min_length is back" pin_of_8
one_slot() { admin --json status | jq -e '.tokens | length == 1'; }
check "there is one slot still" one_slot

edit security 'no_such_key = 1'
check "a file that is not good is refused by name and line" reload "SIGHUP: $CONF:[0-9]*: .*no_such_key.*stays as it was"
check "and the service goes on" pin_of_8
chmod 666 "$CONF"
check "a file that others may write is refused" reload "SIGHUP: $CONF: .*stays as it was"
chmod 600 "$CONF"

others() { setpriv --reuid nobody --clear-groups env CRATON_HSM_SOCKET="$SCRATCH/pkcs11.sock" pkcs11-tool --module "$MODULE" --list-slots; }
chmod 755 "$SCRATCH"
edit security 'allowed_uids = [0]'
check "allowed_uids is in force" reload 'SIGHUP: \[security\].allowed_uids is in force'
not_others() { ! others; }
check "another uid is refused" not_others
edit audit 'log_level = "none"'
check "log_level is in force" reload 'SIGHUP: \[audit\].log_level is in force'
records() { wc -l <"$SCRATCH/audit.jsonl"; }
unrecorded() { local before; before=$(records); pin_of_8 && [ "$(records)" = "$before" ]; }
check "nothing is recorded any more" unrecorded
check "that it was switched off is" grep -q '"detail":".*audit.log_level"' "$SCRATCH/audit.jsonl"
many() { local i; for i in $(seq 20); do edit token "max_sessions = $((100 + i))" && reload 'max_sessions is in force' || return 1; done; }
check "twenty times" many
check "the log's chain is whole" admin audit verify-chain "$SCRATCH/audit.jsonl"
check_here "the agent ends cleanly" agent_stop
ktap_done
