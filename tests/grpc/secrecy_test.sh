#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 60
# What passed through cratond is not in its memory when the call is answered, though the client stays connected.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
ktap_plan
[ "$(id -u)" -eq 0 ] || { skip "the memory of cratond" "only root may read it"; ktap_done; exit; }
scratch
# shellcheck source=tests/grpc/grpc.sh
. "$TOP/tests/grpc/grpc.sh"
begin_agent secrecy
front_start || { ktap_fail "cratond starts"; ktap_done; }
coproc CLIENT { client "$TOP/tests/grpc/secrecy.py" 2>&1; }
passes() { # WORD
	local line
	echo "$1" >&"${CLIENT[1]}"
	read -rt 60 line <&"${CLIENT[0]}"
	echo "$line"
	[ "$line" = ok ]
}
search() { python3 "$FAULT/find_octets.py" "$1" "$FRONT_PID"; }
printf 'no such octets in the memory of any process at all' | openssl dgst -sha256 -binary >"$SCRATCH/nowhere"
check "memory can be searched" search "$SCRATCH/nowhere"
printf '%s' "$SCRATCH/craton_hsm.toml" >"$SCRATCH/argument"
check "and what is there is found" eval 'search "$SCRATCH/argument"; [ $? -eq 1 ]'
for word in pin random encrypted decrypted; do
	check_here "a client passes $word octets" passes "$word"
	check "$word octets are not kept" search "$SCRATCH/$word"
done
exec {CLIENT[1]}>&-
wait "$CLIENT_PID" 2>/dev/null
check_here "cratond stops" front_stop
ktap_done
