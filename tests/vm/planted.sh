#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 1500
# Each checker of the debug kernels must notice a bug that is planted for it, and none may complain of a module without bugs. Those that
# a kind of kernel does not have are named here. Part of `make check-vm-debug`.
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
mkdir "$SCRATCH/programs"
declare -A TELLS=([after_free]='KASAN: .*use-after-free' [out_of_bounds]='KASAN: .*out-of-bounds' [lock_order]='possible circular locking'
	[leak]='unreferenced object' [array_bounds]='UBSAN: array-index-out-of-bounds' [sleep_in_atomic]='sleeping function called')
UML_LACKS=' sleep_in_atomic '

program() { # NAME COMMAND: one result, which passes
	printf '#!/bin/bash\n# TIMEOUT 120\n%s && printf "1..1\\nok 1 done\\n"\n' "$2" >"$SCRATCH/programs/$1_vmtest.sh"
}
# In the order of their names: lockdep is silent once KASAN or itself found something.
program 0_clean "rmmod craton_hsm && modprobe craton_hsm"
for bug in "${!TELLS[@]}"; do
	number=2
	[ "$bug" != lock_order ] || number=1
	program ${number}_"$bug" "echo $bug >/sys/module/craton_hsm/parameters/bug"
done

# found BUG: its program passed, and the kernel's log did not. Leaks are looked for at the end, for all programs.
found() {
	local judged="[12]_$1"
	[ "$1" != leak ] || judged=leaks
	grep -qE "^ok [0-9]+ [12]_$1: done" "$SCRATCH/out" && grep -qE "^not ok [0-9]+ $judged: the kernel log is clean" "$SCRATCH/out" &&
		grep -qE "^# .*${TELLS[$1]}" "$SCRATCH/out"
}

for series in debug uml; do
	CRATON_MODULE=$TOP/tests/vm/planted "$TOP/tests/vm/run" --series $series --programs "$SCRATCH/programs" --seconds 700 \
		>"$SCRATCH/out" 2>&1
	check "$series: no complaint of a module without bugs" grep -qE '^ok [0-9]+ 0_clean: the kernel log is clean' "$SCRATCH/out"
	for bug in "${!TELLS[@]}"; do
		[[ $series = uml && $UML_LACKS = *" $bug "* ]] || check "$series: $bug is noticed" found "$bug"
	done
	[ $KTAP_FAILED -eq 0 ] || comment <"$SCRATCH/out"
done
ktap_done
