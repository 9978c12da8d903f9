#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 300
# Row B2: a changed byte, a missing sidecar and a failing known answer put the module in its error state; it stays up to say so.
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
ORIGINAL=$BUILD
COPY=$SCRATCH/copy
copy() { # a fresh copy of the build, with sidecars; it is what BUILD means then
	rm -rf "$COPY"
	mkdir "$COPY"
	cp "$ORIGINAL"/craton-hsm-daemon "$ORIGINAL"/craton-hsm-admin "$ORIGINAL"/libcraton_hsm.so "$ORIGINAL"/*.hmac "$COPY"/
	BUILD=$COPY AGENT_BUILD=$COPY
	export MODULE=$COPY/libcraton_hsm.so
	: >"$SCRATCH/agent.log"
}
# One bit in a section that is never loaded.
flip() {
	local file=$1 offset byte
	offset=$(readelf -SW "$file" | sed 's/\[ *[0-9]*\]//' | awk '$1 == ".comment" {print $4}')
	[ -n "$offset" ] || return 1
	offset=$((16#$offset + 3))
	byte=$(od -An -tu1 -j "$offset" -N1 "$file" | tr -d ' ')
	printf '%b' "\\x$(printf %x $((byte ^ 1)))" | dd of="$file" bs=1 seek="$offset" conv=notrunc status=none
	! cmp -s "$file" "$ORIGINAL/$(basename "$file")"
}
fault_program every_call
token_fails() { contains CKR_GENERAL_ERROR p11 --list-slots; }
stays_up() { kill -0 "$AGENT_PID"; }
module_fails() { # WHAT: everything that B2 says of the error state
	check "$1: status says ERROR" contains ERROR admin status
	check "$1: the daemon stays up" stays_up
	check "$1: pkcs11-tool gets CKR_GENERAL_ERROR" token_fails
	check "$1: so does every function" "$SCRATCH/every_call" cold tolerant
	json_state() { admin --json status | grep -q '"state": "ERROR"'; }
	check "$1: the JSON status says ERROR" json_state
	check "$1: no token can be initialised" eval '! token_init broken'
	check_here "$1: the daemon still ends cleanly" agent_stop
}

# ---- the copy itself works ----
copy
agent_start
check "a copy is OPERATIONAL" contains OPERATIONAL admin status
check "the library copy initialises" p11 --list-slots
check "it logs 17 self-tests" test "$(grep -c 'self-test .*: ' "$SCRATCH/agent.log")" -ge 17
every_call_can_fail() { ! "$SCRATCH/every_call" cold tolerant; }
check "every_call finds fault with a module that works" every_call_can_fail
agent_stop

# ---- daemon ----
copy
check "a bit of the daemon is flipped" flip "$COPY/craton-hsm-daemon"
agent_start
check "damaged daemon: the log names the self-test" grep -q 'self-test .*ntegrity.*FAILED' "$SCRATCH/agent.log"
check "damaged daemon: status names the self-test" contains ntegrity admin status
module_fails "damaged daemon"

# ---- library ----
copy
flip "$COPY/libcraton_hsm.so"
agent_start
check "damaged library: the daemon's self-test sees it" grep -q 'self-test .*ntegrity.*FAILED' "$SCRATCH/agent.log"
module_fails "damaged library"
copy
mkdir "$COPY/elsewhere"
cp "$COPY"/libcraton_hsm.so* "$COPY/elsewhere/"
flip "$COPY/elsewhere/libcraton_hsm.so"
agent_start
check "damaged library elsewhere: the daemon is OPERATIONAL" contains OPERATIONAL admin status
export MODULE=$COPY/elsewhere/libcraton_hsm.so
check "damaged library elsewhere: its own check refuses" token_fails
check "damaged library elsewhere: every function refuses" "$SCRATCH/every_call" cold
export MODULE=$COPY/libcraton_hsm.so
check "the undamaged one works beside it" p11 --list-slots
agent_stop

# ---- sidecars ----
for file in craton-hsm-daemon libcraton_hsm.so; do
	copy
	rm "$COPY/$file.hmac"
	SECURITY_CONFIG= agent_start
	check "no $file.hmac: OPERATIONAL with a warning" contains OPERATIONAL admin status
	check "no $file.hmac: the warning names it" eval 'grep -i "^warning: .*$file" "$SCRATCH/agent.log"'
	agent_stop
	: >"$SCRATCH/agent.log"
	SECURITY_CONFIG='require_integrity = true'
	agent_start
	check "no $file.hmac, require_integrity: the log names the self-test" grep -q 'self-test .*ntegrity.*FAILED' "$SCRATCH/agent.log"
	module_fails "no $file.hmac, require_integrity"
	SECURITY_CONFIG=
	copy
	sed -i 's/^./g/' "$COPY/$file.hmac"
	agent_start
	check "nonsense in $file.hmac" contains ERROR admin status
	agent_stop
done

# ---- a known answer that comes out wrong ----
export CRATON_TEST_POST_BREAK=SHA-256
copy
agent_start
check "the production build ignores CRATON_TEST_POST_BREAK" contains OPERATIONAL admin status
agent_stop
BUILD=$ORIGINAL need_hooks
ORIGINAL=$ORIGINAL-hooks
for name in SHA-256 AES-256-GCM "ECDSA P-256 sign/verify" HMAC-DRBG; do
	export CRATON_TEST_POST_BREAK=$name
	copy
	agent_start
	check "$name broken: the log names it" grep -q "self-test .*$name.*FAILED" "$SCRATCH/agent.log"
	check "$name broken: status names it" contains "$name" admin status
	module_fails "$name broken"
done
unset CRATON_TEST_POST_BREAK
copy
agent_start
check "after a restart without the fault it is OPERATIONAL" contains OPERATIONAL admin status
agent_stop
ktap_done
