#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 180
# The agent and the kernel module, on a machine that need not have it: what is said without it, and, with one that is played by a
# preloaded library (tests/fake_module.c), the arena, its quota, the audit log's anchor and what verify-chain --anchor finds.
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
unset JOURNAL_STREAM
cd "$SCRATCH" || exit 1
LOG=$SCRATCH/audit.jsonl
DEVICE=/dev/craton-hsm
FAKE_LIBRARY=$SCRATCH/fake_module.so
AGENT_CONFIG='threads = 2'
cc -O1 -Wall -shared -fPIC -D_GNU_SOURCE -I"$TOP/include/uapi" -o "$FAKE_LIBRARY" "$TOP/tests/fake_module.c" -lcrypto ||
	{ ktap_fail "the fake module compiles"; ktap_done; }

fake() { # [FILE NUMBER]...: a module that was just loaded, different in these points
	rm -rf "$SCRATCH/module"
	mkdir "$SCRATCH/module"
	while [ $# -gt 0 ]; do
		echo "$2" >"$SCRATCH/module/$1"
		shift 2
	done
}
with_module() { LD_PRELOAD=$FAKE_LIBRARY FAKE_MODULE=$SCRATCH/module "$@"; }
# As agent_launch, but with the module.
fake_launch() {
	env LD_PRELOAD="$FAKE_LIBRARY" FAKE_MODULE="$SCRATCH/module" "$AGENT_BUILD/craton-hsm-daemon" "$SCRATCH/craton_hsm.toml" 2>>"$SCRATCH/agent.log" &
	AGENT_PID=$!
	SCRATCH_PIDS+=("$AGENT_PID")
}
fresh() { rm -rf store audit.jsonl device.key; : >agent.log; agent_config; }
fake_start() {
	: >agent.log
	fake_launch
	wait_for 30 agent_settled
	agent_answers || { cat agent.log; return 1; }
}
# The daemon ends with status 1 and one error line, which has every TEXT.
refused() {
	local status text
	timeout 20 "$AGENT_BUILD/craton-hsm-daemon" "$SCRATCH/craton_hsm.toml" >out 2>err
	status=$?
	cat out err
	[ $status = 1 ] && [ "$(grep -c '^error: ' err)" = 1 ] || return 1
	for text; do grep '^error: ' err | grep -qF -- "$text" || { echo "lacks '$text'"; return 1; }; done
	[ ! -e "$SCRATCH/pkcs11.sock" ]
}
field() { admin --json status | python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }
is() { local found; found=$(field "$1"); echo "$1: $found"; [ "$found" = "$2" ]; }
verify() { with_module "$BUILD/craton-hsm-admin" audit verify-chain "$@"; }

# ---- the machine as it is ----
fresh
if [ -e $DEVICE ]; then
	skip "no module: the log says so" "this machine has $DEVICE"
else
	agent_start
	check "no module: the log says so" grep -q "^$DEVICE: the kernel module is not loaded; .*modprobe craton_hsm" agent.log
	check "no module: which is no warning" eval '! grep -q "^warning: $DEVICE" agent.log'
	check "no module: status" contains "module       missing: $DEVICE: the kernel module is not loaded" admin status
	check "no module: status as JSON" is "['module']['state']" missing
	check "no module: another backend" eval '! is "[\"memory\"][\"backend\"]" kmod'
	check "no module: the log is not anchored" is "['audit']['anchored']" False
	check_here "no module: it stops" agent_stop
	check "no module: no record tells of an anchor" eval '! grep -q "\"anchor\":" "$LOG"'
	check "no module: verify-chain --anchor fails" eval '! "$BUILD/craton-hsm-admin" audit verify-chain --anchor "$LOG"'
	check "no module: and says why" contains "anchor: $DEVICE: the kernel module is not loaded" \
		"$BUILD/craton-hsm-admin" audit verify-chain --anchor "$LOG"
	check "no module: as JSON" contains '"verdict": "no-module"' "$BUILD/craton-hsm-admin" --json audit verify-chain --anchor "$LOG"
	check "no module: verify-chain alone is content" "$BUILD/craton-hsm-admin" audit verify-chain "$LOG"
	fresh
	SECURITY_CONFIG='locked_memory = "kmod"' agent_config
	check "no module: locked_memory = kmod is refused" refused 'locked_memory = "kmod"' "$DEVICE: the kernel module is not loaded"
fi

# ---- a module that is not to be had ----
one_warning() { # TEXT: and no other
	grep '^warning: ' agent.log
	[ "$(grep -c '^warning: ' agent.log)" = 1 ] && grep '^warning: ' agent.log | grep -qF -- "$1"
}
# The agent goes on with another backend, or refuses when this one is what was asked for.
without() { # NAME TEXT STATE FILE NUMBER
	local name=$1 text=$2 state=$3
	shift 3
	fresh
	fake "$@"
	check_here "$name: the agent starts" fake_start
	check "$name: one warning" one_warning "$text"
	check "$name: status" is "['module']['state']" "$state"
	check "$name: another backend" eval '! is "[\"memory\"][\"backend\"]" kmod'
	check_here "$name: it stops" agent_stop
	SECURITY_CONFIG='locked_memory = "kmod"' agent_config
	check "$name: locked_memory = kmod is refused" with_module refused 'locked_memory = "kmod"' "$text"
}
without "permission denied" "permission denied; the daemon's user must be in the device's group" denied open-errno 13
without "another version" "the loaded module speaks ABI 2, this program ABI 1" other-abi abi 2
without "another device" "it is not the kernel module's device" failed info-errno 25
without "no quota" "the user's quota is used up" ready arena-quota 0

# ---- the arena ----
fresh
fake
check_here "the agent starts on the module" fake_start
check "status: kmod" contains "memory       kmod, " admin status
check "status: the module" contains "module       ready, ABI 1, $DEVICE, " admin status
check "status: the anchor" contains ", anchor " admin status
check "token init" token_init module
check "key pair" p11_user --keypairgen --key-type EC:prime256v1 --id 01 --label ec
head -c 32 /dev/urandom >digest
check "signature" p11_user --sign -m ECDSA --id 01 -i digest -o signature
one_each() { # each extension is told once, but the last
	local told made
	made=$(stat -c %s module/extensions)
	told=$(grep -c '"anchor":' "$LOG")
	echo "$made extensions, $told told"
	[ "$made" = $((told + 1)) ] && [ "$made" -gt 10 ]
}
check_here "it stops" agent_stop
check "one extension per batch" one_each
check "verify-chain --anchor" contains "anchor: the register matches at $(stat -c %s module/extensions)" verify --anchor "$LOG"
check "as JSON" contains '"verdict": "matches"' verify --json --anchor "$LOG"

fresh
fake arena-quota $((2 << 20))
SECURITY_CONFIG='locked_memory = "kmod"' agent_config
check_here "a small quota: the agent starts" fake_start
check "a small quota: token init" token_init small
check "a small quota: key pair" p11_user --keypairgen --key-type EC:prime256v1 --id 01 --label ec
check "a small quota: a warning, once" test "$(grep -c '^warning: locked memory: kmod gives no more: .*arena_bytes_per_uid' agent.log)" = 1
check "a small quota: signature" p11_user --sign -m ECDSA --id 01 -i digest -o signature
check "a small quota: status shows both" eval 'admin status | tee /dev/stderr | grep -qE "^memory +kmod, .*; kmod [0-9]+; (memfd_secret|mlock) [0-9]+$"'
check_here "a small quota: it stops" agent_stop

# ---- the anchor ----
fresh
fake
check_here "anchor: the agent starts" fake_start
check "anchor: token init" token_init anchor
check "anchor: key pair" p11_user --keypairgen --key-type EC:prime256v1 --id 01 --label ec
check "anchor: a running agent's log matches" verify --anchor "$LOG"
signing() { while [ ! -e enough ]; do p11_user --sign -m ECDSA --id 01 -i digest -o /dev/null || return; done; }
busy() { # verifying a log that is being written is no false alarm
	local i status=0
	rm -f enough
	signing >/dev/null 2>&1 &
	for ((i = 0; i < 30; i++)); do
		verify --anchor "$LOG" || { status=1; break; }
	done
	touch enough
	wait $!
	return $status
}
check_here "anchor: nor is it while it is being written" busy
agent_kill9
check_here "anchor: after SIGKILL the agent starts" fake_start
check "anchor: and all is well" verify --anchor "$LOG"
check "anchor: no mismatch" eval '! grep -q anchor-mismatch "$LOG"'
check_here "anchor: it stops" agent_stop
COUNTER=$(stat -c %s module/extensions)
cp "$LOG" whole
found() { # TEXT [FILE]: verify-chain --anchor of the file as if it were the log fails and says so
	local output
	output=$(verify --anchor="$LOG" "${2:-cut}" 2>&1) && { echo "not found: $output"; return 1; }
	echo "$output"
	grep -qF -- "$1" <<<"$output" && grep -q '^intact: ' <<<"$output"
}
check "anchor: a copy elsewhere, by the log's name" verify --anchor="$LOG" whole
check "anchor: a copy elsewhere has no register of its own" eval '! contains "has no register of this log" verify --anchor whole || ! verify --anchor whole'
head -n -1 whole >cut
# The last batch is that of the stop: its record and the checkpoint.
check "anchor: one record cut off" found "register $COUNTER does not fit: records of the last batch were cut off"
LAST=$(grep -n '"anchor":' whole | tail -n 1 | cut -d: -f1)
head -n $((LAST - 1)) whole >cut
check "anchor: one batch cut off" found "at least 1 batches are missing"
BATCHES=$(grep -n '"anchor":' whole | tail -n 3 | head -n 1 | cut -d: -f1)
head -n $((BATCHES - 1)) whole >cut
check "anchor: three batches cut off" found "at least 3 batches are missing"
: >cut
check "anchor: the whole log cut off" found "at least $COUNTER batches are missing"
json_cut() { verify --json --anchor="$LOG" cut 2>/dev/null | python3 -c "import json, sys
a = json.load(sys.stdin)['anchor']; print(a); sys.exit(not (a['verdict'] == 'cut' and a['missing_batches'] == $COUNTER))"; }
check "anchor: as JSON" json_cut
rewrite() { python3 - <<'END'
import hashlib, re
previous, out = '0' * 64, []
for number, line in enumerate(open('whole')):
    line = re.sub('"previous_hash":"[0-9a-f]*"', f'"previous_hash":"{previous}"', line.rstrip('\n'))
    if number == 3:
        line = re.sub('"uid":[0-9]+', '"uid":4242', line)
    previous = hashlib.sha256(line.encode()).hexdigest()
    out.append(line + '\n')
open('cut', 'w').writelines(out)
END
}
rewrite
check "anchor: a record changed and the chain made anew" found "does not fit"
sed '3s/"uid":/"uid": /' whole >cut
check "anchor: a broken chain is named as such" contains "cut:3: edited" verify --anchor="$LOG" cut

head -n $((LAST - 1)) whole >"$LOG"
check_here "anchor: an agent on a log that was cut starts" fake_start
check "anchor: it says so" grep -q "^error: audit log: $LOG does not fit its register in the kernel module: the register is at $COUNTER" agent.log
check "anchor: the log has it" eval 'grep "\"operation\":\"anchor-mismatch\"" "$LOG" | grep -q "\"ckr\":\"CKR_GENERAL_ERROR\""'
check "anchor: it works" p11_user --sign -m ECDSA --id 01 -i digest -o /dev/null
check_here "anchor: it stops (2)" agent_stop
check "anchor: the cut is not forgotten" eval '! verify --anchor "$LOG"'
fake
check "anchor: a module loaded anew has no register" eval '! contains "has no register of this log" verify --anchor "$LOG" || ! verify --anchor "$LOG"'
check_here "anchor: an agent on a module loaded anew" fake_start
check "anchor: it works (2)" p11_user --sign -m ECDSA --id 01 -i digest -o /dev/null
check_here "anchor: it stops (3)" agent_stop
check "anchor: the register covers the log from its beginning on" verify --anchor "$LOG"
fake extend-errno 13
check_here "anchor: a register that is not ours: the agent starts" fake_start
check "anchor: a register that is not ours: one error" test "$(grep -c '^error: audit anchor: the register cannot be extended: Permission denied' agent.log)" = 1
check "anchor: a register that is not ours: it works" p11_user --sign -m ECDSA --id 01 -i digest -o /dev/null
check "anchor: a register that is not ours: status" is "['audit']['anchored']" False
check_here "anchor: it stops (4)" agent_stop

# ---- the device of a test build ----
if build_hooks; then
	fresh
	fake
	export CRATON_TEST_DEVICE=$SCRATCH/none
	AGENT_BUILD=$BUILD-hooks
	check_here "test build: the agent starts" fake_start
	check "test build: it looks for the device where it is told" contains "missing: $SCRATCH/none: " admin status
	check_here "test build: it stops" agent_stop
	AGENT_BUILD=$BUILD
	check_here "the production build starts" fake_start
	check "the production build ignores CRATON_TEST_DEVICE" contains "ready, ABI 1, $DEVICE" admin status
	check_here "the production build stops" agent_stop
else
	tail -n 5 "$SCRATCH/make.out" | comment
	ktap_fail "the build with test hooks"
fi
ktap_done
