#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The audit tools of an operator (B13): segments by the daemon, by logrotate and by hand, signed checkpoints, exports, the verifier in
# docs/monitoring.md, a full disk, and a million records.
# TIMEOUT 240
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
LOG=$SCRATCH/log/audit.jsonl
mkdir -m 0700 "$SCRATCH/log"
agent_config() {
	cat >"$SCRATCH/craton_hsm.toml" <<-EOF
		[token]
		storage_path = "${STORE:-$SCRATCH/store}"
		[security]
		pbkdf2_iterations = 100000
		[agent]
		socket = "$SCRATCH/pkcs11.sock"
		device_key = "$SCRATCH/device.key"
		[audit]
		log_path = "$LOG"
		${AUDIT_CONFIG:-}
	EOF
}
agent_start || { ktap_fail "agent starts"; ktap_done; }
token_init audited >/dev/null || { ktap_fail "token init"; ktap_done; }

verify() { admin audit verify-chain "$@"; }
operate() { p11_user --list-objects >/dev/null 2>&1; } # a login, sessions, a logout
segments() { find "$SCRATCH/log" -name 'audit.jsonl*' ! -size 0; }
all_intact() { local files; mapfile -t files < <(segments); verify "${files[@]}"; }
count_segments() { segments | wc -l; }

# ---- rotation ----
operate
check "audit rotate names the segment" contains "$LOG.000000000001-" admin audit rotate
operate
check "both are one chain" all_intact
check "two segments" test "$(count_segments)" = 2
check "the new one is private" eval '[ "$(stat -c %a "$LOG")" = 600 ]'
check "the rotation is in the log" grep -q '"operation":"audit-rotated"' "$LOG"
check "--json" eval 'admin audit rotate --json | jq -e ".segment | startswith(\"$LOG.\")"'
mv "$LOG" "$SCRATCH/log/audit.jsonl-by-hand"
operate
check "mv: it goes on in a new file" test -s "$LOG"
check "mv: one chain" all_intact
gzip "$SCRATCH/log/audit.jsonl-by-hand"
check "a compressed segment" all_intact
cp "$LOG" "$SCRATCH/log/audit.jsonl.copied"
: >"$LOG"
operate
check "copytruncate: one chain" all_intact
check "no holes in the file" eval '! grep -qaP "\x00" "$LOG"'
agent_stop
mv "$LOG" "$SCRATCH/log/audit.jsonl.while-it-was-stopped"
agent_start || ktap_fail "agent starts without a log"
check "moved while the agent was stopped: one chain" all_intact
agent_kill9
mv "$LOG" "$SCRATCH/log/audit.jsonl.9" && gzip "$SCRATCH/log/audit.jsonl.9"
agent_start || ktap_fail "agent starts after a kill"
check "killed, moved and compressed: one chain" all_intact

# logrotate itself, thrice each way, with operations in between.
rotate_by() { # OPTION...
	{ printf '%s {\n\trotate 99\n\tmissingok\n' "$LOG"; printf '\t%s\n' "$@"; echo '}'; } >"$SCRATCH/logrotate.conf"
	chmod 600 "$SCRATCH/logrotate.conf"
	for _ in 1 2 3; do
		operate
		/usr/sbin/logrotate --force --state "$SCRATCH/logrotate.state" "$SCRATCH/logrotate.conf" || return 1
		operate
	done
}
check "logrotate with create" rotate_by 'create 0600'
check "logrotate: one chain" all_intact
check "logrotate with compression" rotate_by 'create 0600' compress delaycompress
check "logrotate, compressed: one chain" all_intact
check "logrotate with copytruncate" rotate_by copytruncate
check "logrotate, copytruncate: one chain" all_intact
agent_stop
AUDIT_CONFIG='max_size = 20000'
agent_start || ktap_fail "agent starts with max_size"
before=$(count_segments)
for _ in $(seq 80); do operate; done
check "max_size: the daemon rotates" test "$(count_segments)" -ge $((before + 2))
check "max_size: one chain" all_intact
check "max_size: no segment is much larger" eval '! find "$SCRATCH/log" -name "audit.jsonl.0*" -size +40k | grep .'
agent_stop
AUDIT_CONFIG=
agent_start || ktap_fail "agent starts again"
operate

# ---- checkpoints ----
check "audit public-key" eval 'admin audit public-key >"$SCRATCH/key.pem" && openssl pkey -pubin -in "$SCRATCH/key.pem" -noout'
mapfile -t SEGMENTS < <(segments)
check "verify-chain --public-key" contains 'checkpoints, the last is record' verify "${SEGMENTS[@]}" --public-key "$SCRATCH/key.pem"
openssl ecparam -name prime256v1 -genkey -noout | openssl pkey -pubout >"$SCRATCH/other.pem"
check "another key" fails_with 1 'not signed by this key' verify "${SEGMENTS[@]}" --public-key "$SCRATCH/other.pem"
check "a file that is no key" fails_with 1 'not a public key' verify "${SEGMENTS[@]}" --public-key "$LOG"
# Somebody who writes the whole log anew, with right hashes: the chain is intact, the signatures are not.
forge() {
	python3 - "$1" "$LOG.forged" "${@:2}" <<-'END'
		import gzip, hashlib, json, sys
		change, out, files = sys.argv[1], sys.argv[2], sys.argv[3:]
		lines = []
		for name in files:
		    opened = gzip.open(name) if name.endswith(".gz") else open(name, "rb")
		    lines += opened.read().splitlines()
		lines.sort(key=lambda line: json.loads(line)["seq"])
		lines = [line.decode() for line in lines]
		if change == "edit":
		    at = next(i for i, line in enumerate(lines) if '"operation":"C_Login"' in line)
		    lines[at] = lines[at].replace('"uid":0', '"uid":7')
		elif change == "unsign":
		    lines = [line for line in lines if "audit-checkpoint" not in line]
		previous, result = "0" * 64, []
		for number, line in enumerate(lines, 1):
		    head, tail = line.split(",", 1)
		    line = '{"seq":%d,' % number + tail[:tail.rindex('"previous_hash":"')] + '"previous_hash":"' + previous + '"}'
		    previous = hashlib.sha256(line.encode()).hexdigest()
		    result.append(line)
		open(out, "w").write("".join(line + "\n" for line in result))
	END
}
forge edit "${SEGMENTS[@]}"
check "rewritten with right hashes: the chain alone says nothing" verify "$LOG.forged"
check "but a signature does" fails_with 1 'not signed by this key' verify "$LOG.forged" --public-key "$SCRATCH/key.pem"
forge unsign "${SEGMENTS[@]}"
check "without any checkpoint" fails_with 1 'no checkpoint' verify "$LOG.forged" --public-key "$SCRATCH/key.pem"
rm -f "$LOG.forged"

# ---- the verifier of docs/monitoring.md ----
sed -n '/<!-- verifier -->/,/^```$/p' "$TOP/docs/monitoring.md" | sed '1,2d;$d' >"$SCRATCH/verify.sh"
check "it has 60 lines at most" eval '[ "$(wc -l <"$SCRATCH/verify.sh")" -le 60 ] && [ "$(wc -l <"$SCRATCH/verify.sh")" -ge 30 ]'
in_order() { python3 -c '
import gzip, json, sys
def first(name):
    with (gzip.open(name) if name.endswith(".gz") else open(name, "rb")) as log:
        line = log.readline()
        return json.loads(line)["seq"] if line else 0
print("\n".join(sorted((n for n in sys.argv[1:] if first(n)), key=first)))' "$@"; }
mapfile -t ORDERED < <(in_order "${SEGMENTS[@]}")
own() { sh "$SCRATCH/verify.sh" "$@"; }
check "it agrees" own "$SCRATCH/key.pem" "${ORDERED[@]}"
agree_on_hash() { [ "$(own - "${ORDERED[@]}" | sed 's/.*last hash //')" = "$(verify "${ORDERED[@]}" | sed -n 's/.*last hash //p')" ]; }
check "on the last hash, too" agree_on_hash
check "another key, it says too" fails_with 1 'the signature is wrong' own "$SCRATCH/other.pem" "${ORDERED[@]}"
case ${ORDERED[-1]} in *.gz) ;; *) cp "${ORDERED[-1]}" "$SCRATCH/tampered" ;; esac
sed -i '2s/"uid":0/"uid":1/' "$SCRATCH/tampered"
check "an edited line, it says too" fails_with 1 'another hash of the line before' own - "${ORDERED[@]:0:${#ORDERED[@]}-1}" "$SCRATCH/tampered"
check "and verify-chain names it" fails_with 1 "$SCRATCH/tampered:2: edited" verify "${ORDERED[@]:0:${#ORDERED[@]}-1}" "$SCRATCH/tampered"

# ---- exports ----
check "dump" contains 'C_Login' admin audit dump "${SEGMENTS[@]}"
check "export-json is JSON" eval 'admin audit export-json "${ORDERED[@]}" | jq -e "length > 100 and .[0].seq == 1"'
check "export-ndjson is the log" eval 'admin audit export-ndjson "${ORDERED[-1]}" | cmp - "${ORDERED[-1]}"'
check "--operation" eval '[ "$(admin audit export-json "${ORDERED[@]}" --operation C_Login | jq "map(.operation) | unique == [\"C_Login\"]")" = true ]'
p11 --login --pin wrong-pin-00 --list-objects >/dev/null 2>&1
check "--result" eval 'admin audit dump "$LOG" --result Failure | grep -q CKR_PIN_INCORRECT'
check "--since in the future" eval '[ "$(admin audit export-json "$LOG" --since 2099-01-01)" = "[]" ]'
check "a time that is none" fails_with 2 'YYYY-MM-DD' admin audit dump "$LOG" --since yesterday
syslog_is_rfc5424() {
	admin audit export-syslog "${ORDERED[@]}" --output "$SCRATCH/syslog" && python3 - "$SCRATCH/syslog" <<-'END'
		import re, sys
		form = re.compile(r'<(\d{1,3})>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \S{1,255} craton-hsm (\d{1,10}|-) [!-~]{1,32} '
		                  r'\[audit@32473(?: [a-z_]+="(?:[^"\\\]]|\\["\\\]])*")+\] .+\n')
		lines = open(sys.argv[1]).readlines()
		assert len(lines) > 100, len(lines)
		for line in lines:
		    assert form.fullmatch(line), line
	END
}
check "export-syslog keeps to RFC 5424" syslog_is_rfc5424
check "what is no log" fails_with 1 'not an audit record' admin audit dump "$SCRATCH/key.pem"

# ---- a full disk ----
agent_stop
mkdir "$SCRATCH/small"
mount -t tmpfs -o size=400k,mode=0700 none "$SCRATCH/small" || skip "a full disk" "no tmpfs can be mounted here"
SMALL=$SCRATCH/small
LOG=$SMALL/audit.jsonl
agent_start || ktap_fail "agent starts on the small disk"
fill() { dd if=/dev/zero of="$SMALL/filler" bs=1k status=none 2>/dev/null; dd if=/dev/zero bs=1 count=4096 status=none 2>/dev/null >>"$SMALL/filler"; :; }
refused_when_full() {
	fill
	local i
	for i in $(seq 60); do
		contains CKR_GENERAL_ERROR p11_user --generate-random 16 >/dev/null && return 0
	done
	return 1
}
check "no room for the audit log: CKR_GENERAL_ERROR" refused_when_full
rm -f "$SMALL/filler"
check "room again: the service goes on" wait_for 10 p11_user --generate-random 16
check "nothing acknowledged is missing, nothing torn" verify "$LOG" --partial
agent_stop
LOG=$SCRATCH/log/audit.jsonl
rm -rf "${SMALL:?}"/*
STORE=$SMALL/store
agent_start || ktap_fail "agent starts with its store on the small disk"
token_init full >/dev/null
objects() { p11_user --list-objects --type data 2>/dev/null | grep -c 'Data object'; }
head -c 6000 /dev/urandom >"$SCRATCH/value"
ACKNOWLEDGED=0
FULL=
for i in $(seq 100); do
	OUTPUT=$(p11_user --write-object "$SCRATCH/value" --type data --label "d$i" 2>&1) && ! grep -q error <<<"$OUTPUT" && ACKNOWLEDGED=$((ACKNOWLEDGED + 1)) && continue
	FULL=$OUTPUT
	break
done
check "no room for an object: CKR_DEVICE_MEMORY" grep -q CKR_DEVICE_MEMORY <<<"$FULL"
check "what was acknowledged is there" eval '[ "$(objects)" = $ACKNOWLEDGED ]'
mount -o remount,size=4m "$SMALL"
check "room again: objects are taken" p11_user --write-object "$SCRATCH/value" --type data --label more
agent_stop
agent_start || ktap_fail "agent starts after the full disk"
check "and all are there after a restart" eval '[ "$(objects)" = $((ACKNOWLEDGED + 1)) ]'
agent_stop
umount "$SMALL"

# ---- a million records ----
python3 - "$SCRATCH/million" <<-'END'
	import hashlib, sys
	previous = "0" * 64
	with open(sys.argv[1], "w") as out:
	    for number in range(1, 1000001):
	        line = ('{"seq":%d,"timestamp":%d.000000,"session_handle":12345678,"operation":"C_Sign","key_id":"0123456789abcdef0123456789abcdef",'
	                '"result":"Success","fips_approved":true,"uid":1000,"pid":4242,"mechanism":"CKM_ECDSA","previous_hash":"%s"}'
	                % (number, 1700000000 + number, previous))
	        previous = hashlib.sha256(line.encode()).hexdigest()
	        out.write(line + "\n")
END
million() { local from=$EPOCHREALTIME; contains 'intact: 1000000 records' verify "$SCRATCH/million" && python3 -c "print('seconds', $EPOCHREALTIME - $from)"; }
check "a million records are verified" million
million | comment
sed -i '777777s/"pid":4242/"pid":4243/' "$SCRATCH/million"
check "one of a million that was edited is named" fails_with 1 "$SCRATCH/million:777777: edited" verify "$SCRATCH/million"
ktap_done
