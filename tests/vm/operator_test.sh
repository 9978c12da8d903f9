#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 150
# What docs/kernel-module.md has an operator do, in a machine of its own, since a lockdown cannot be taken back.
exec "$(dirname "$0")/run" --series "${SERIES:-6.1}" --programs "$(dirname "$0")/scenes" --filter '^operator$' --seconds 140
