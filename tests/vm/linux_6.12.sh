#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 660
# The same as linux_6.1_test.sh with a newer kernel. `make check` leaves it out, `make check-vm-all` does not.
exec "$(dirname "$0")/run" --series 6.12 --seconds 600
