#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 240
# A program holds a slot while its machine is copied: the module must count the copy and say so.
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
. "$TOP/tests/vm/clone.sh"
clone_machine 6.1 "$BUILD/tests/vm/scenes/clone_vmtest"
check "its module noticed that it is a copy" clone_result "ok 1 a_copy_of_the_machine_notices"
check "the kernel log is clean" clone_result "@$TOKEN log clone clean"
ktap_done
