#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 3600
# The same as linux_6.1_test.sh with a kernel that checks memory, locks and leaks. Part of `make check-vm-debug`.
exec "$(dirname "$0")/run" --series debug --seconds 3500
