#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 1800
# The same as linux_debug.sh as User Mode Linux: without emulation, so many times as fast, and without preemption or power states.
# So this is where more than a million random ioctls are made.
exec "$(dirname "$0")/run" --series uml --seconds 1700 --append "FUZZ_CALLS=${FUZZ_CALLS:-1100000}"
