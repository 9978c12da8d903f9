#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 240
# Row B13: the records, their chain as sha256sum sees it, tampering, a torn end and a full disk.
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
cd "$SCRATCH" || exit 1
LOG=$SCRATCH/audit.jsonl
verify() { "$BUILD/craton-hsm-admin" audit verify-chain "$@"; }
# The same without a line of our code.
independent() {
	local previous line number=0 ours
	previous=$(printf '0%.0s' {1..64})
	while IFS= read -r line; do
		number=$((number + 1))
		ours=$(sed -n 's/.*"previous_hash": *"\([0-9a-f]*\)".*/\1/p' <<<"$line")
		[ "$ours" = "$previous" ] || { echo "line $number: $ours instead of $previous"; return 1; }
		previous=$(printf '%s' "$line" | sha256sum | cut -d' ' -f1)
	done <"$1"
	echo "$number lines"
	[ "$number" -gt 0 ]
}
AGENT_CONFIG='threads = 2'
agent_start || { ktap_fail "agent starts"; ktap_done; }
check "token init" token_init audit
check "key pair" p11_user --keypairgen --key-type EC:prime256v1 --id 01 --label ec
head -c 32 /dev/urandom >digest
check "signature" p11_user --sign -m ECDSA --id 01 -i digest -o signature
check "a wrong PIN" eval '! p11 --login --pin wrong-pin-000 --list-objects'
wait_for 10 p11_user --list-objects
check "a failure" eval '! p11_user --sign -m SHA256-RSA-PKCS --id 01 -i digest -o /dev/null'
check "destruction" p11_user --delete-object --type pubkey --id 01

# ---- the fields ----
fields() {
	python3 - "$LOG" <<'END'
import json, re, sys, time
problems = []
for number, line in enumerate(open(sys.argv[1]), 1):
    record = json.loads(line)
    def wrong(what):
        problems.append(f'line {number}: {what}: {line.strip()}')
    for name, kinds in (('seq', int), ('timestamp', (int, float)), ('session_handle', int), ('operation', str), ('result', str),
                        ('fips_approved', bool), ('uid', int), ('pid', int), ('previous_hash', str)):
        if not isinstance(record.get(name), kinds):
            wrong(name)
    if record['seq'] != number:
        wrong('seq')
    if abs(record['timestamp'] - time.time()) > 600:
        wrong('timestamp')
    if 'key_id' not in record or not (record['key_id'] is None or re.fullmatch('[0-9a-f]+', record['key_id'])):
        wrong('key_id')
    if record['result'] not in ('Success', 'Failure'):
        wrong('result')
    if record['result'] == 'Failure' and not (str(record.get('ckr', '')).startswith('CKR_') and record.get('ckr_number', 0) > 0):
        wrong('failure without its code')
    if not re.fullmatch('[0-9a-f]{64}', record['previous_hash']):
        wrong('previous_hash')
print('\n'.join(problems[:10]))
sys.exit(bool(problems))
END
}
check "every record has the fields of the design" fields
record() { # PYTHON EXPRESSION over r: one record fits
	python3 -c "import json, sys
sys.exit(not any($1 for r in map(json.loads, open('$LOG'))))" || { tail -n 8 "$LOG" | cut -c1-300; return 1; }
}
check "a signature is recorded with mechanism and key" record \
	"r['operation'] == 'C_Sign' and r.get('mechanism') == 'CKM_ECDSA' and r['key_id'] and r['result'] == 'Success'"
check "a wrong PIN is recorded" record "r['operation'] == 'C_Login' and r.get('ckr') == 'CKR_PIN_INCORRECT' and r.get('ckr_number') == 0xa0"
check "a key pair generation is recorded" record "r['operation'] == 'C_GenerateKeyPair' and r['result'] == 'Success' and r['fips_approved']"
check "a refused mechanism is recorded" record "r['operation'] == 'C_SignInit' and r['result'] == 'Failure'"
check "a destruction is recorded" record "r['operation'] == 'C_DestroyObject' and r['result'] == 'Success'"
check "the initialisation is recorded" record "r['operation'] == 'C_InitToken' and r['result'] == 'Success'"
check "peers are recorded" record "r['operation'] == 'C_Login' and r['uid'] == $(id -u) and r['pid'] > 1"
no_secret() { ! grep -qF -e "$USER_PIN" -e "$SO_PIN" -e wrong-pin-000 "$LOG" agent.log; }
check "no PIN is in the log" no_secret
check "the chain is intact for verify-chain" verify "$LOG"
check "the chain is intact for sha256sum" independent "$LOG"
same_count() { contains "intact: $(wc -l <"$LOG") records" verify "$LOG"; }
check "verify-chain counts the lines" same_count
last_hash() { contains "$(tail -n 1 "$LOG" | tr -d '\n' | sha256sum | cut -d' ' -f1)" verify "$LOG"; }
check "verify-chain names the last hash" last_hash
check_here "the agent stops" agent_stop
check "the chain is intact after the stop" independent "$LOG"

# ---- tampering ----
LINES=$(wc -l <"$LOG")
MIDDLE=$((LINES / 2))
found() { # LINE FILE [OTHER-LINE]: verify-chain fails and names FILE:LINE (or OTHER-LINE), and so does sha256sum
	local output
	output=$(verify "$2" 2>&1) && { echo "not found: $output"; return 1; }
	echo "$output"
	grep -qE "$2:($1${3:+|$3}):" <<<"$output" || { echo "not line $1"; return 1; }
	! independent "$2" || return 1
}
cp "$LOG" edited
sed -i "${MIDDLE}s/\"uid\":[0-9]*/\"uid\":4242/" edited
# The edit shows in the record after it, whose hash does not fit.
check "an edited record is found" found $((MIDDLE + 1)) edited $MIDDLE
sed "1s/\"uid\":[0-9]*/\"uid\":4242/" "$LOG" >edited-first
check "an edited first record is found" found 2 edited-first 1
sed "${MIDDLE}d" "$LOG" >deleted
check "a deleted record is found" found $MIDDLE deleted
sed 1d "$LOG" >deleted-first
first_missing() { ! independent deleted-first && ! contains "intact: $((LINES - 1)) records" verify deleted-first; }
check "a deleted first record is found" first_missing
awk -v n=$MIDDLE 'NR == n {held = $0; next} {print} NR == n + 1 {print held}' "$LOG" >swapped
check "swapped records are found" found $MIDDLE swapped
sed "${MIDDLE}p" "$LOG" >inserted
check "an inserted record is found" found $((MIDDLE + 1)) inserted
sed "${MIDDLE}a garbage" "$LOG" >garbage
check "an inserted line of garbage is found" found $((MIDDLE + 1)) garbage
sed "${MIDDLE}s/\$/ /" "$LOG" >blank
check "a blank at the end of a line is found" found $((MIDDLE + 1)) blank $MIDDLE
head -c -10 "$LOG" >torn
check "a torn end is found" eval 'contains "torn:$LINES:" verify torn && ! verify torn'
split_segments() { head -n $MIDDLE "$LOG" >part1; tail -n +$((MIDDLE + 1)) "$LOG" >part2; verify part1 part2; }
check "segments in order are one chain" split_segments
check "and so they are in any order" verify part2 part1
part_missing() { head -n $((MIDDLE - 1)) "$LOG" >part0; contains "cut: records $MIDDLE to $MIDDLE are missing" verify part0 part2; }
check "a record between two segments" part_missing
check "an absent file is an error" eval '! verify absent'
check "an empty log is not an edited one" eval ': >empty; verify empty'
json_verdict() { contains '"line": '$MIDDLE verify --json deleted || contains '"line": '$MIDDLE "$BUILD/craton-hsm-admin" --json audit verify-chain deleted; }
check "--json names the line" json_verdict

# ---- a torn last line ----
agent_launch
wait_for 30 agent_settled
check "an operation before the crash" p11_user --list-objects
agent_kill9
BEFORE=$(wc -l <"$LOG")
TORN=$(tail -n 1 "$LOG" | head -c -9)
truncate -s -10 "$LOG"
agent_launch
wait_for 30 agent_settled
check "torn end: the agent starts" agent_answers
check "torn end: it is logged" grep -qi 'torn' agent.log
check "torn end: it is recorded" grep -q '"operation":"audit-recovered"' "$LOG"
kept() { grep '"operation":"audit-recovered"' "$LOG" | grep -q "$(printf '%s' "$TORN" | head -c 40 | od -An -v -tx1 | tr -d ' \n')"; }
check "torn end: what was torn is kept in the record" kept
check "torn end: no complete record was lost" test "$(wc -l <"$LOG")" -ge "$BEFORE"
check "torn end: the chain is intact" verify "$LOG"
check "torn end: sha256sum agrees" independent "$LOG"
check "torn end: work goes on" p11_user --list-objects
agent_stop

# ---- a full disk ----
if [ "$(id -u)" = 0 ] && mkdir full && mount -t tmpfs -o size=256k,mode=700 none full 2>/dev/null; then
	trap 'umount -l "$SCRATCH/full"; scratch_cleanup' EXIT
	rm -rf store device.key
	agent_start_full() {
		agent_config
		sed -i "s|^log_path.*|log_path = \"$SCRATCH/full/audit.jsonl\"|" craton_hsm.toml
		: >agent.log
		agent_launch
		wait_for 30 agent_settled
		agent_answers
	}
	check_here "full disk: the agent starts" agent_start_full
	check "full disk: token init" token_init full
	check "full disk: works while there is room" p11_user --list-objects
	head -c 1M /dev/zero >full/ballast 2>/dev/null
	# What is left of the last page may still take a record or two.
	fill() {
		local i
		for ((i = 0; i < 200; i++)); do
			p11_user --list-objects >filled 2>&1 || { grep CKR_ filled; grep -q CKR_GENERAL_ERROR filled; return; }
		done
		ls -l full
		return 1
	}
	check "full disk: an operation fails with CKR_GENERAL_ERROR" fill
	check "full disk: so does a key generation" contains CKR_GENERAL_ERROR p11_user --keypairgen --key-type EC:prime256v1 --id 05
	check "full disk: the log says why" grep -q 'audit log: write failed: No space left on device' agent.log
	check "full disk: status counts failures" eval 'admin status | grep -q "audit .* [1-9][0-9]* failures"'
	alive() { kill -0 "$AGENT_PID"; }
	check "full disk: the agent is alive" alive
	rm full/ballast
	check "full disk: with space it serves again" wait_for 10 p11_user --list-objects
	check "full disk: and generates" p11_user --keypairgen --key-type EC:prime256v1 --id 06 --label after
	check "full disk: the chain is intact" verify full/audit.jsonl
	check "full disk: sha256sum agrees" independent full/audit.jsonl
	unrecorded() { ! p11_user --list-objects --type privkey | grep -q 'ID: *05'; }
	check "full disk: the refused key is not there" unrecorded
	check_here "full disk: the agent stops" agent_stop
else
	skip "full disk" "cannot mount a small tmpfs"
fi
ktap_done
