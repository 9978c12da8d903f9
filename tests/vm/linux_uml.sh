#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 900
# The same as linux_debug.sh as User Mode Linux: without emulation, so many times as fast, and without preemption or power states.
exec "$(dirname "$0")/run" --series uml --seconds 800
