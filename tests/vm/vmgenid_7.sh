#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 300
# The same as vmgenid_test.sh with a newer kernel, which tells of copies without our module.
SERIES=7 exec "$(dirname "$0")/vmgenid_test.sh"
