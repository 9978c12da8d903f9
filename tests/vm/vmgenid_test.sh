#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 300
# Row B3: the agent serves in a machine that is copied; its generators reseed before their next output, and audit log and status tell.
#
#   vmgenid_test.sh [SERIES [module|log]]    6.1 unless told; who tells the agent: our module, or the kernel's log without it
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
. "$TOP/tests/vm/clone.sh"
[ "${2:-module}" = module ] || CLONE_APPEND=module=no
clone_machine "${1:-6.1}" "$TOP/tests/vm/scenes/vmgenid_vmtest.sh"
# What the agent's machine found, as results of this test: those before the copy stand in the first one's.
while read -r verdict number name; do
	check "in the copy: ${name:-$verdict $number}" test "$verdict" = ok
done < <(sed -n 's/^not ok /not-ok /; /^\(ok\|not-ok\) /p' "$SCRATCH/first.results" "$SCRATCH/second.results")
check "the copy reseeded" clone_result 'ok [0-9]+ with a reseed before them'
check "its program ended well" clone_result "@$TOKEN status vmgenid 0"
check "the kernel log is clean" clone_result "@$TOKEN log vmgenid clean"
ktap_done
