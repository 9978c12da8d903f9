#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 660
# The kernel module and what needs it, in a virtual machine with Debian 12's kernel.
exec "$(dirname "$0")/run" --series 6.1 --seconds 600
