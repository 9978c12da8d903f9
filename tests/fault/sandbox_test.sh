#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The sandbox of the running daemon: gdb makes it try what an intruder would, from inside. What it needs still works: all other tests run
# with the sandbox on.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
if ldd "$AGENT_BUILD/craton-hsm-daemon" | grep -qE 'lib[at]san'; then
	skip "the sandbox" "gdb does not call functions of a sanitizer's build; the plain build is tested"
	ktap_done
fi
agent_start || { ktap_fail "agent starts"; ktap_done; }
if ! admin status --json | jq -e '.sandbox.landlock > 0' >/dev/null; then
	skip "the sandbox" "this kernel has no Landlock: $(grep -o 'no Landlock.*' "$SCRATCH/agent.log")"
	ktap_done
fi
check "seccomp is in force" eval 'admin status --json | jq -e .sandbox.seccomp'
check "the kernel says so" grep -q '^Seccomp:.*2$' "/proc/$AGENT_PID/status"
# inside EXPRESSION: what the call gives in the daemon's main thread, and errno.
inside() {
	gdb -p "$AGENT_PID" -batch -nx -iex 'set auto-load off' -ex "print (long)$1" -ex 'print *((int *(*)(void))__errno_location)()' 2>/dev/null |
		sed -n 's/^\$[12] = //p' | tr '\n' ' '
}
gives() { local wanted=$1 got; got=$(inside "$2"); echo "got: $got"; [ "$got" = "$wanted " ]; }
opens() { local got; got=$(inside "$1"); echo "got: $got"; [ "${got%% *}" -ge 0 ]; }
EPERM=1 EACCES=13
O_RDWR_CREAT=66
check "gdb can call into it" eval '[ "$(inside "((int (*)(void))getpid)()" | cut -d " " -f 1)" = "$AGENT_PID" ]'
check "it cannot read /etc/shadow" gives "-1 $EACCES" '((int (*)(const char *, int, ...))open)("/etc/shadow", 0)'
check "nor /etc/passwd" gives "-1 $EACCES" '((int (*)(const char *, int, ...))open)("/etc/passwd", 0)'
check "nor make a file in /var/tmp" gives "-1 $EACCES" "((int (*)(const char *, int, ...))open)(\"/var/tmp/craton-intruder\", $O_RDWR_CREAT, 0600)"
check "nor remove one elsewhere" eval 'touch /var/tmp/craton-victim; gives "-1 $EACCES" "((int (*)(const char *))unlink)(\"/var/tmp/craton-victim\")"; r=$?; rm -f /var/tmp/craton-victim; exit $r'
check "it opens its configuration" opens "((int (*)(const char *, int, ...))open)(\"$SCRATCH/craton_hsm.toml\", 0)"
check "and its audit log" opens "((int (*)(const char *, int, ...))open)(\"$SCRATCH/audit.jsonl\", 1)"
check "no program is run" gives "-1 $EPERM" '((int (*)(const char *, void *, void *))execve)("/bin/sh", 0, 0)'
check "nothing is mounted" gives "-1 $EPERM" '((int (*)(const char *, const char *, const char *, long, void *))mount)("none", "/mnt", "tmpfs", 0, 0)'
check "no process is traced" gives "-1 $EPERM" '((long (*)(long, ...))syscall)(101, 16, 1, 0, 0)'
check "no other user is taken on" gives "-1 $EPERM" '((long (*)(long, ...))syscall)(105, 0)'
check "no raw socket" gives "-1 $EPERM" '((int (*)(int, int, int))socket)(17, 3, 0)'
check "a Unix socket is its business" opens '((int (*)(int, int, int))socket)(1, 1, 0)'
check "it still serves" token_init sandboxed
check_here "and stops" agent_stop
SECURITY_CONFIG='sandbox = "off"'
agent_start || ktap_fail "agent starts without the sandbox"
check "off is said" grep -q 'the sandbox is off' "$SCRATCH/agent.log"
check "without it /etc/shadow opens: the test can fail" opens '((int (*)(const char *, int, ...))open)("/etc/shadow", 0)'
agent_stop
SECURITY_CONFIG='sandbox = "required"'
agent_start || ktap_fail "agent starts where both are there"
check "required, where both are there" admin status
agent_stop
SECURITY_CONFIG= AGENT_CONFIG='log_format = "json"'
: >"$SCRATCH/agent.log"
agent_start || ktap_fail "agent starts with a log in JSON"
agent_stop
check "each line of the log is JSON" eval 'jq -es "length > 5 and all(.[]; (.time > 1e9) and (.priority >= 0) and (.message | length > 0))" "$SCRATCH/agent.log"'
ktap_done
