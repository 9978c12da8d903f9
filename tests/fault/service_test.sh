#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The systemd unit: its exposure as systemd-analyze computes it, and that its system call filter lets the daemon do its work. What the
# daemon calls is seen by strace, what the filter means is asked of systemd.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
UNIT=$TOP/agent/systemd/craton-hsm.service
score() { systemd-analyze security --offline=true --no-pager "$UNIT" | sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p'; }
check "an exposure is computed" eval '[ -n "$(score)" ]'
score | comment
check "it is below 2.0" eval 'python3 -c "import sys; sys.exit(not float(sys.argv[1]) < 2.0)" "$(score)"'
check "sysusers.d is well formed" eval 'systemd-sysusers --dry-run "$TOP/agent/systemd/craton-hsm.sysusers"'
check "tmpfiles.d makes the folders" eval 'mkdir "$SCRATCH/tree" && sed "s/craton-hsm craton-hsm/root root/" "$TOP/agent/systemd/craton-hsm.tmpfiles" >"$SCRATCH/t.conf" &&
	systemd-tmpfiles --root="$SCRATCH/tree" --create "$SCRATCH/t.conf" && [ "$(stat -c %a "$SCRATCH/tree/var/lib/craton-hsm")" = 700 ]'

# The names behind a group, those of groups in it, too.
expand() {
	local name=${1#@}
	case $1 in
	@*) systemd-analyze syscall-filter --no-pager "@$name" | sed -n '2,$s/^ *\([@a-z_0-9-]*\).*/\1/p' | grep -v '^$' | while read -r each; do expand "$each"; done ;;
	*) echo "$1" ;;
	esac
}
filter() { # the lines of the unit, in their order
	local line word
	: >"$SCRATCH/allowed"
	sed -n 's/^SystemCallFilter=//p' "$UNIT" | while read -r line; do
		for word in ${line#\~}; do expand "$word"; done | sort -u >"$SCRATCH/words"
		case $line in
		\~*) comm -23 <(sort -u "$SCRATCH/allowed") "$SCRATCH/words" >"$SCRATCH/next" ;;
		*) sort -u "$SCRATCH/allowed" "$SCRATCH/words" >"$SCRATCH/next" ;;
		esac
		mv "$SCRATCH/next" "$SCRATCH/allowed"
	done
}
filter
check "the filter forbids execve's kin of privilege" eval '! grep -qxE "mount|ptrace|init_module|reboot|swapon|setuid|chroot|kexec_load" "$SCRATCH/allowed"'
if [ "$BUILD" != "$TOP/build" ]; then skip "the daemon's system calls" "asked of the plain build only"; ktap_done; fi
agent_launch() {
	strace -f -qq -o "$SCRATCH/trace" "$AGENT_BUILD/craton-hsm-daemon" "$SCRATCH/craton_hsm.toml" 2>>"$SCRATCH/agent.log" &
	AGENT_PID=$!
	SCRATCH_PIDS+=("$AGENT_PID")
}
agent_start || { ktap_fail "agent starts"; ktap_done; }
token_init s >/dev/null
admin key generate --type rsa:2048 --label k --pin-file "$SCRATCH/user-pin" >/dev/null
p11_user --list-objects >/dev/null 2>&1
admin audit rotate >/dev/null
admin selftest >/dev/null
DAEMON_PID=$(pgrep -P "$AGENT_PID" craton-hsm || pgrep -f "^$AGENT_BUILD/craton-hsm-daemon $SCRATCH/" | head -n 1)
kill -HUP "$DAEMON_PID"
wait_for 10 grep -q 'reload' "$SCRATCH/audit.jsonl"
kill -TERM "$DAEMON_PID"
wait "$AGENT_PID"
forget "$AGENT_PID"
# execve is systemd's own, before the filter is in place; fchown is SQLite's when it runs as root, which the unit's user is not.
used() { sed -nE 's/^[0-9]+ +(<\.\.\. )?([a-z_0-9]+)(\(| resumed>).*/\2/p' "$SCRATCH/trace" | grep -vxE 'execve|fchown' | sort -u; }
check "the daemon did its work" eval '[ "$(used | wc -l)" -gt 30 ] && used | grep -qx io_uring_enter'
check "and every call of it is allowed" eval '[ -z "$(comm -23 <(used) <(sort -u "$SCRATCH/allowed") | tee /dev/stderr)" ]'
ktap_done
