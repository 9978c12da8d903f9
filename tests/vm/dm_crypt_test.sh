#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 900
# Encrypted volumes in a virtual machine of their own, with Debian 12's kernel or that of the series in SERIES.
exec "$(dirname "$0")/run" --series "${SERIES:-6.1}" --programs "$(dirname "$0")/scenes" --filter '^dm_crypt$' --seconds 880
