#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 300
# Row B3: an entropy source that fails while the agent runs. The call that sees it fails with CKR_FUNCTION_FAILED, then everything
# with CKR_GENERAL_ERROR. A production build cannot be made to fail.
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
export USER_PIN
fault_program every_call
need_hooks
PRODUCTION=$BUILD
HOOKS=$BUILD-hooks
use() { BUILD=$1 AGENT_BUILD=$1; export MODULE=$1/libcraton_hsm.so; }
export CRATON_TEST_ENTROPY_FAIL_FILE=$SCRATCH/fail
# More requests than lie between two reseeds (65536) of every thread that may serve them.
DRAWS=300000
AGENT_CONFIG='threads = 1
workers = 1'
fresh() { rm -rf "$SCRATCH/store" "$SCRATCH/audit.jsonl" "$SCRATCH/device.key" "$SCRATCH/fail"; : >"$SCRATCH/agent.log"; }

# The error state after a failure that `draw` saw.
aftermath() {
	check "$1: the failing call gave CKR_FUNCTION_FAILED" grep -q 'first failure: 0x6$' "$SCRATCH/out"
	check "$1: every call after it gave CKR_GENERAL_ERROR" grep -q ' calls, 0 unexpected' "$SCRATCH/out"
	comment <"$SCRATCH/out"
	check "$1: the log names the drbg" grep -q '^error: .*drbg' "$SCRATCH/agent.log"
	check "$1: status says ERROR and drbg" contains drbg admin status
	check "$1: status says ERROR" contains ERROR admin status
	check "$1: a new process gets CKR_GENERAL_ERROR" contains CKR_GENERAL_ERROR p11 --list-slots
	rm -f "$SCRATCH/fail"
	check "$1: it stays so when the source recovers" contains CKR_GENERAL_ERROR p11 --list-slots
	check_here "$1: the daemon is up and ends cleanly" agent_stop
}

use "$HOOKS"
agent_start || { ktap_fail "the test build starts"; ktap_done; }
check "token init" token_init drbg
healthy() { AGENT_DRAWS=$("$SCRATCH/every_call" random 32 1000) && grep -q 'drawn: 1000, first failure: 0x0' <<<"$AGENT_DRAWS"; }
check "a healthy source serves" healthy
: >"$SCRATCH/fail"
"$SCRATCH/every_call" random 32 $DRAWS >"$SCRATCH/out" 2>&1
aftermath "C_GenerateRandom"
fresh
agent_start
check "after a restart it is OPERATIONAL again" contains OPERATIONAL admin status
check "token init again" token_init drbg
: >"$SCRATCH/fail"
"$SCRATCH/every_call" pairs 0 $DRAWS >"$SCRATCH/out" 2>&1
aftermath "C_GenerateKeyPair"

# At the start.
fresh
: >"$SCRATCH/fail"
agent_start
check "a source that is stuck at the start: ERROR" contains ERROR admin status
check "and the log names the self-test" grep -qi 'self-test .*entropy.*FAILED\|error state: .*\(drbg\|entropy\)' "$SCRATCH/agent.log"
agent_stop

# The production build.
fresh
use "$PRODUCTION"
: >"$SCRATCH/fail"
agent_start
check "the production build ignores the variable at its start" contains OPERATIONAL admin status
check "token init with the production build" token_init drbg
ignores() { "$SCRATCH/every_call" random 32 100000 >"$SCRATCH/out" 2>&1; cat "$SCRATCH/out"; grep -q 'drawn: 100000, first failure: 0x0' "$SCRATCH/out"; }
check "and while it runs, over a reseed" ignores
reseeded() { admin --json status | grep -A9 '"drbg"' | grep -q '"failures": 0'; }
check "without a failure counted" reseeded
name_absent() { ! grep -q CRATON_TEST_ "$PRODUCTION/$1"; }
check "no test variable is named in the production daemon" name_absent craton-hsm-daemon
check "nor in the library" name_absent libcraton_hsm.so
check "but in the test build" grep -q CRATON_TEST_ENTROPY_FAIL_FILE "$HOOKS/craton-hsm-daemon"
agent_stop
ktap_done
