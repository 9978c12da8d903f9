#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 300
# The same as vmgenid_test.sh without our module.
exec "$(dirname "$0")/vmgenid_test.sh" 6.1 log
