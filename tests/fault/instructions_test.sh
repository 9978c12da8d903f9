#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 240
# What an operation costs inside the agent, in instructions of our own code (OpenSSL's and libc's are theirs and change with their
# versions), counted by callgrind: the same on every run, whatever the machine does besides. tests/bench/instructions.table has the
# limits; whoever makes the hot path longer on purpose changes them, and says why.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
PROGRAM=$BUILD/tests/unit/cost_test
if ldd "$PROGRAM" | grep -qE 'lib[at]san'; then
	skip "instructions" "a sanitizer's build has others"
	ktap_done
fi
counted() { # OPERATION ROUNDS: instructions in our own code while requests were dispatched
	CRATON_COST_ONLY=$1 CRATON_COST_ROUNDS=$2 valgrind -q --tool=callgrind --toggle-collect=dispatch_run \
		--callgrind-out-file="$SCRATCH/out.$1.$2.%p" "$PROGRAM" >"$SCRATCH/log" 2>&1 || { cat "$SCRATCH/log" >&2; return 1; }
	# The harness runs each test in a child, whose output is the large one.
	callgrind_annotate --threshold=100 --auto=no "$(find "$SCRATCH" -name "out.$1.$2.*" -printf '%s %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2)" |
		awk -v program="[$PROGRAM]" '$NF == program { gsub(",", "", $1); sum += $1 } END { print sum + 0 }'
}
within() { # OPERATION LIMIT: at most the limit, and not so much less that the limit means nothing
	local few many each
	few=$(counted "$1" 100) && many=$(counted "$1" 300) || return 1
	each=$(((many - few) / 200))
	echo "$each instructions of our own for each $1, limit $2"
	[ "$each" -le "$2" ] && [ $((each * 3)) -ge $(($2 * 2)) ]
}
while read -r operation limit; do
	within "$operation" "$limit" >"$SCRATCH/said" 2>&1
	status=$?
	comment <"$SCRATCH/said"
	check "$operation" test $status = 0
done < <(grep -v '^#' "$TOP/tests/bench/instructions.table")
ktap_done
