#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 3000
# The guest's part of tests/bench/vm: two agents side by side, one with its secrets in the module's arena, one in memory locked by
# mlock(2); the measurements alternate, and who begins alternates too. Each result is a line `# result BACKEND OPERATION OPS/S`; nothing
# is judged by its speed. BENCH_ROUNDS, BENCH_SECONDS and BENCH_OPERATIONS come from the kernel's command line.
. "$(dirname "$0")/vmlib.sh"
ktap_plan
scratch
BACKENDS=(kmod mlock)
OPERATIONS=${BENCH_OPERATIONS:-random-32,aes-gcm-4k,ecdsa-p256-sign,aes-keygen,ec-keygen}
AGENT_CONFIG='threads = 1
workers = 1'
ulimit -l unlimited

in_place_of() { # BACKEND COMMAND...: in that agent's folder
	local SCRATCH=$SCRATCH/$1 CRATON_HSM_SOCKET=$SCRATCH/$1/pkcs11.sock
	shift
	export CRATON_HSM_SOCKET
	"$@"
}
serve() { # BACKEND
	local SECURITY_CONFIG="locked_memory = \"$1\""
	mkdir "$SCRATCH/$1"
	cp "$SCRATCH"/*-pin "$SCRATCH/$1/"
	in_place_of "$1" agent_start
}
measure() { # BACKEND
	in_place_of "$1" "$BUILD/tests/bench/pkcs11_bench" --module "$MODULE" --token-label bench --pin-file "$SCRATCH/user-pin" \
		--operations "$OPERATIONS" --seconds "${BENCH_SECONDS:-1}" --warm-up 0.3 >"$SCRATCH/out" || return 1
	sed -nE "s/^([a-z0-9-]+) +([0-9.]+) +[0-9.]+ +[0-9.]+\$/# result $1 \1 \2/p" "$SCRATCH/out"
}

for backend in "${BACKENDS[@]}"; do
	check_here "the agent starts on $backend" serve "$backend" || ktap_done
	check "$backend, says the status" contains "memory       $backend, " in_place_of "$backend" admin status
	check "token init" in_place_of "$backend" token_init bench
done
for ((round = 1; round <= ${BENCH_ROUNDS:-3}; round++)); do
	for turn in 0 1; do
		backend=${BACKENDS[(round + turn) % 2]}
		measure "$backend" >"$SCRATCH/results"
		check "round $round, $backend" grep -q result "$SCRATCH/results"
		cat "$SCRATCH/results"
	done
done
for backend in "${BACKENDS[@]}"; do
	check "$backend is what it was" contains "memory       $backend, " in_place_of "$backend" admin status
done
ktap_done
