#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The life of a key under a clock that is shifted while the agent runs (B12): before its start it does nothing, within it works, after
# its end it only undoes; and the steps of the clock are seen. libfaketime shifts; nobody waits for days.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
: >"$SCRATCH/agent.log"
FAKETIME_LIBRARY=/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1
[ -e "$FAKETIME_LIBRARY" ] || FAKETIME_LIBRARY=$(find /usr/lib -name libfaketimeMT.so.1 | head -n 1)
if [ -z "$FAKETIME_LIBRARY" ]; then ktap_fail "libfaketime is installed"; ktap_done; fi
if ldd "$AGENT_BUILD/craton-hsm-daemon" | grep -qE 'lib[at]san'; then
	skip "keys under a shifted clock" "a sanitizer and libfaketime want to be the first library"
	ktap_done
fi
shifted() { # COMMAND...: under the clock of the file
	FAKETIME_TIMESTAMP_FILE=$SCRATCH/clock FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 LD_PRELOAD=$FAKETIME_LIBRARY "$@"
}
set_clock() { # OFFSET: and wait until the agent has seen it
	local before
	before=$(grep -c 'the clock was set' "$SCRATCH/agent.log")
	echo "$1" >"$SCRATCH/clock.new"
	mv "$SCRATCH/clock.new" "$SCRATCH/clock"
	wait_for 10 eval '[ "$(grep -c "the clock was set" "$SCRATCH/agent.log")" -gt '"$before"' ]'
}
echo +0 >"$SCRATCH/clock"
agent_launch() {
	shifted "$AGENT_BUILD/craton-hsm-daemon" "$SCRATCH/craton_hsm.toml" 2>>"$SCRATCH/agent.log" &
	AGENT_PID=$!
	SCRATCH_PIDS+=("$AGENT_PID")
}
agent_start || { ktap_fail "agent starts"; ktap_done; }
token_init dates >/dev/null
key() { shifted "$BUILD/craton-hsm-admin" --socket "$SCRATCH/pkcs11.sock" key "$@" --pin-file "$SCRATCH/user-pin"; }
state() { key list --json --label "$1" | jq -r '[.objects[].state] | unique | join(",")'; }
is() { local wanted=$1 got; shift; got=$("$@") || return 1; echo "got $got"; [ "$got" = "$wanted" ]; }
head -c 32 /dev/urandom >"$SCRATCH/hash"
head -c 64 /dev/zero >"$SCRATCH/plain"
IV=00112233445566778899aabbccddeeff
sign() { p11_user --sign --mechanism ECDSA --id "$1" --input-file "$SCRATCH/hash" --output-file "$SCRATCH/signature-$1"; }
verify() { contains 'is valid' p11_user --verify --mechanism ECDSA --id "$1" --input-file "$SCRATCH/hash" --signature-file "$SCRATCH/signature-$1"; }
encrypt() { p11_user --encrypt --mechanism AES-CBC --iv $IV --id "$1" --input-file "$SCRATCH/plain" --output-file "${2:-$SCRATCH/cipher-$1}"; }
decrypt() { p11_user --decrypt --mechanism AES-CBC --iv $IV --id "$1" --input-file "$SCRATCH/cipher-$1" --output-file "$SCRATCH/out" && cmp "$SCRATCH/plain" "$SCRATCH/out"; }
not_permitted() { contains CKR_KEY_FUNCTION_NOT_PERMITTED "$@"; }

NEXT_WEEK=$(date -u -d '+7 days' +%F)
IN_A_MONTH=$(date -u -d '+30 days' +%F)
check "a signing key for next week" key generate --type ec:P-256 --label s --id 01 --start-date "$NEXT_WEEK" --end-date "$IN_A_MONTH"
check "a cipher key" key generate --type aes:256 --label c --id 02 --start-date "$NEXT_WEEK" --end-date "$IN_A_MONTH"
check "now: pre-active" is pre-active state s
check "now: signs nothing" not_permitted sign 01
check "now: encrypts nothing" not_permitted encrypt 02 "$SCRATCH/nothing"

set_clock +10d
check "in ten days: active" is active state s
check "in ten days: signs" sign 01
check "in ten days: verifies" verify 01
check "in ten days: encrypts" encrypt 02
check "in ten days: decrypts" decrypt 02

set_clock +40d
check "in forty days: deactivated" is deactivated state s
check "in forty days: signs nothing" not_permitted sign 01
check "in forty days: still verifies" verify 01
check "in forty days: encrypts nothing" not_permitted encrypt 02 "$SCRATCH/nothing"
check "in forty days: still decrypts" decrypt 02
check "compromised" key compromise --label s --force
check "compromised: not even verifies" not_permitted p11_user --verify --mechanism ECDSA --id 01 --input-file "$SCRATCH/hash" --signature-file "$SCRATCH/signature-01"

set_clock +10d
check "back in time: compromised for good" is compromised state s
check "back in time: the cipher key is active again" is active state c

# ---- the steps ----
steps() { admin status --json | jq .clock.steps; }
check "the steps were counted" eval '[ "$(steps)" -ge 3 ]'
check "each is in the log, with its size" grep -qE 'the clock was set: it jumped by \+(864000|863999)\.[0-9]+ s' "$SCRATCH/agent.log"
check "the one back, too" grep -qE 'jumped by -(2592000|2591999)\.[0-9]+ s' "$SCRATCH/agent.log"
check "and in the audit log" eval 'grep "\"operation\":\"clock-step\"" "$SCRATCH/audit.jsonl" | grep -qE "detail\":\"-(2592000|2591999)\."'
check "status tells the last one" contains 'clock ' admin status
before=$(steps)
check "without a step nothing is counted" eval '[ "$(steps)" = "$before" ]'
check "the audit chain is intact" admin audit verify-chain "$SCRATCH/audit.jsonl"
agent_stop
ktap_done
