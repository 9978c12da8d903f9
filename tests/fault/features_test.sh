#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 300
# A library and an agent of different age agree on what both can (the hello's feature bits): with none, with the ring alone (1), with the
# epoch as well (3) every function does what it does with all of them. The API's tests say so, with an agent that lacks the others.
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
need_hooks
HOOKS=$BUILD-hooks
PROGRAMS="bulk bulk_calls bulk_message crypto deferred function interface message object parts process random token"
# Tests of the window itself, and of what is drawn ahead, which takes the epoch.
WINDOW="all_go_through_the_window nothing_stays_in_the_window scribbled_while_it_is_worked_on
	much_besides_the_data an_agent_that_takes_its_time"
EPOCH="many_calls_share fork_and_core_dumps_have_none"

# with FEATURES PROGRAM [TEST...]
with() {
	local features=$1 program=$BUILD/tests/api/$2_test
	shift 2
	BUILD=$HOOKS CRATON_TEST_FEATURES=$features "$program" "$@"
}
run() { # FEATURES PROGRAM
	local -a tests
	local others=$WINDOW
	[ $(($1 & 2)) -ne 0 ] || others="$WINDOW $EPOCH"
	mapfile -t tests < <("$BUILD/tests/api/$2_test" --list | grep -vxF "$(tr -s ' \t' '\n' <<<"$others")")
	[ ${#tests[@]} -gt 0 ] && with "$1" "$2" "${tests[@]}"
}
fails() { ! "$@" >"$SCRATCH/out" && grep -q '^not ok' "$SCRATCH/out"; }

check "with all of them bulk goes through the window" with 11 bulk_calls all_go_through_the_window
for features in 0 1 3; do
	check "with $features it does not" fails with $features bulk_calls all_go_through_the_window
	for program in $PROGRAMS; do
		check "with $features: $program" run $features "$program"
	done
done
ktap_done
