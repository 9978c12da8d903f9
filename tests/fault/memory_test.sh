#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 180
# Row B11: a key in use is in no memory that root can read, nor in a core dump; without lockable memory there is a warning and the
# service runs.
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
fault_program known_key
head -c 32 /dev/urandom >"$SCRATCH/key"
KEY_HEX=$(od -An -v -tx1 "$SCRATCH/key" | tr -d ' \n')
EXPECTED=$(head -c 64 /dev/zero | openssl enc -aes-256-cbc -nopad -K "$KEY_HEX" -iv 00000000000000000000000000000000 |
	od -An -v -tx1 | tr -d ' \n')
USER=
use_key() { # import|find: a client that holds the key in use
	rm -f "$SCRATCH/stdin"
	mkfifo "$SCRATCH/stdin"
	USER_PIN=$USER_PIN "$SCRATCH/known_key" "$SCRATCH/key" "$1" >"$SCRATCH/out" 2>&1 <"$SCRATCH/stdin" &
	USER=$!
	SCRATCH_PIDS+=("$USER")
	exec 7>"$SCRATCH/stdin"
	settled() { grep -q ready "$SCRATCH/out" || ! kill -0 "$USER"; }
	wait_for 20 settled
	cat "$SCRATCH/out"
	grep -q ready "$SCRATCH/out"
}
release() { exec 7>&-; wait "$USER"; }
right_cipher() { contains "$EXPECTED" cat "$SCRATCH/out"; }
search() { python3 "$FAULT/find_octets.py" "$SCRATCH/key" "$1"; }
# gcore runs ptrace as root, whatever the dumpable flag says.
dump() { rm -f "$SCRATCH"/core.*; timeout 60 gcore -a -o "$SCRATCH/core" "$AGENT_PID" >"$SCRATCH/gcore.out" 2>&1; [ -s "$SCRATCH/core.$AGENT_PID" ]; }

if [ "$(id -u)" != 0 ]; then
	skip "B11: memory of the agent" "needs root to read it"
	ktap_done
fi
backend() { admin --json status | sed -n 's/.*"backend": "\(.*\)".*/\1/p'; }

agent_start || { ktap_fail "agent starts"; ktap_done; }
check "token init" token_init memory
BACKEND=$(backend)
echo "# backend: $BACKEND"
check "status shows the backend and its locked octets" eval 'admin status | grep -q "^memory  *$BACKEND, [1-9][0-9]* bytes locked"'
case $BACKEND in
memfd_secret | kmod) HIDDEN=1 ;;
*) HIDDEN= ;;
esac
check_here "a known key is imported and used" use_key import
check "it encrypts as openssl does" right_cipher
if [ -n "$HIDDEN" ]; then
	check "B11: the key is not in /proc/PID/mem" search "$AGENT_PID"
	if command -v gcore >/dev/null; then
		if dump; then
			check "B11: the key is not in a core that gcore makes" search "$SCRATCH/core.$AGENT_PID"
		else
			skip "B11: the key is not in a core that gcore makes" "gcore cannot dump it"
		fi
	else
		skip "B11: the key is not in a core that gcore makes" "no gdb"
	fi
else
	skip "B11: the key is not in /proc/PID/mem" "backend $BACKEND is readable by root"
	skip "B11: the key is not in a core that gcore makes" "backend $BACKEND is readable by root"
fi
no_store_file() { ! find "$SCRATCH/store" "$SCRATCH/audit.jsonl" "$SCRATCH/agent.log" -type f -exec sh -c \
	'for f; do od -An -v -tx1 "$f" | tr -d " \n" | grep -q "$0" && echo "$f"; done' "$KEY_HEX" {} + | grep .; }
check "the key is in no file" no_store_file
release
check_here "restart" agent_stop
agent_start
check_here "the key is loaded from the store and used" use_key find
check "it encrypts as openssl does (2)" right_cipher
[ -z "$HIDDEN" ] || check "B11: the key from the store is not in /proc/PID/mem" search "$AGENT_PID"
core_limit() { grep -q 'Max core file size *0 *0' "/proc/$AGENT_PID/limits"; }
check "core dumps are off" core_limit
not_dumpable() { [ "$(stat -c %u "/proc/$AGENT_PID/environ")" = 0 ] && ! setpriv --reuid=nobody --clear-groups cat "/proc/$AGENT_PID/maps"; }
check "others cannot look into the process" not_dumpable
printf '%s' "$USER_PIN" >"$SCRATCH/pin-octets"
check "the PIN is not in /proc/PID/mem" python3 "$FAULT/find_octets.py" "$SCRATCH/pin-octets" "$AGENT_PID"
release
agent_stop

# ---- mlock, chosen by name ----
SECURITY_CONFIG='locked_memory = "mlock"'
agent_start
check "locked_memory = mlock: status says so" contains mlock admin status
check_here "and it works" use_key find
check "mlock: it encrypts as openssl does" right_cipher
check "mlock: no warning" eval '! grep -q "mlock failed" "$SCRATCH/agent.log"'
if dump; then # gdb obeys MADV_DONTDUMP unless told otherwise
	core_search() { search "$SCRATCH/core.$AGENT_PID"; }
	echo "# mlock: gcore -a ignores MADV_DONTDUMP: $(core_search | tail -n 1)"
fi
release
agent_stop
SECURITY_CONFIG=

# ---- this test can fail ----
if build_hooks; then
	AGENT_BUILD=$BUILD-hooks
	export CRATON_TEST_PLAIN_MEMORY=1
	agent_start
	check_here "plain memory (test build): the key is used" use_key find
	check "plain memory (test build): the search finds it" eval 'search "$AGENT_PID" | grep -q ^found'
	if dump; then
		check "plain memory (test build): it is in the core" eval 'search "$SCRATCH/core.$AGENT_PID" | grep -q ^found'
	else
		skip "plain memory (test build): it is in the core" "gcore cannot dump it"
	fi
	release
	agent_stop
	AGENT_BUILD=$BUILD
	agent_start
	check "the production build ignores CRATON_TEST_PLAIN_MEMORY" contains "$BACKEND" admin status
	use_key find >/dev/null
	[ -z "$HIDDEN" ] || check "and hides the key still" search "$AGENT_PID"
	release
	agent_stop
	unset CRATON_TEST_PLAIN_MEMORY
else
	tail -n 5 "$SCRATCH/make.out" | comment
	ktap_fail "the build with test hooks"
fi

# ---- nothing lockable ----
rm -rf "$SCRATCH/store" "$SCRATCH/audit.jsonl" "$SCRATCH/device.key"
: >"$SCRATCH/agent.log"
mkdir "$SCRATCH/bin"
cp "$BUILD"/craton-hsm-daemon "$BUILD"/libcraton_hsm.so "$BUILD"/*.hmac "$SCRATCH/bin/"
chmod 755 "$SCRATCH"
chgrp "$(id -g nobody)" "$SCRATCH" && chmod 775 "$SCRATCH"
# KIB of lockable memory, without any capability.
nobody_start() {
	rm -rf "$SCRATCH/store" "$SCRATCH/audit.jsonl" "$SCRATCH/device.key"
	: >"$SCRATCH/agent.log"
	agent_config
	chmod 644 "$SCRATCH/craton_hsm.toml"
	(
		ulimit -l "$1"
		exec setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups --bounding-set=-all --no-new-privs \
			"$SCRATCH/bin/craton-hsm-daemon" "$SCRATCH/craton_hsm.toml"
	) 2>>"$SCRATCH/agent.log" &
	AGENT_PID=$!
	SCRATCH_PIDS+=("$AGENT_PID")
	wait_for 30 agent_settled
	grep -v '^self-test' "$SCRATCH/agent.log" | comment
}
AGENT_CONFIG='threads = 1'
# 512 KiB is enough for io_uring and too little for a chunk of the arena.
for limit in 512 0; do
	nobody_start $limit
	name="nobody, RLIMIT_MEMLOCK $limit KiB"
	check "B11: $name: the warning" grep -q '^warning: mlock failed: ' "$SCRATCH/agent.log"
	check "B11: $name: said once" test "$(grep -c 'mlock failed' "$SCRATCH/agent.log")" = 1
	if grep -q 'io_uring cannot be used: Cannot allocate memory; raise the memory limit (RLIMIT_MEMLOCK)' "$SCRATCH/agent.log"; then
		skip "B11: $name: the service runs" "this kernel counts io_uring's own rings as locked memory; the daemon says so and ends"
		continue
	fi
	check "B11: $name: the service runs" contains OPERATIONAL admin status || continue
	check "B11: $name: status says how much is not locked" eval 'admin status | tee /dev/stderr | grep -q "^memory .* bytes locked, [1-9][0-9]* not"'
	check "B11: $name: token init" token_init unlocked
	check_here "B11: $name: a key can be used" use_key import
	check "B11: $name: it encrypts as openssl does" right_cipher
	release
	check_here "B11: $name: it ends cleanly" agent_stop
done
ktap_done
