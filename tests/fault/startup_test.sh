#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 180
# Rows B8, B9, B14, B23: whatever stands in the way of a start is one line that names the path and the reason, status 1, and
# nothing is left behind.
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
unset JOURNAL_STREAM
cd "$SCRATCH" || exit 1
chmod 755 "$SCRATCH"
mkdir bin
cp "$AGENT_BUILD"/craton-hsm-daemon "$AGENT_BUILD"/craton-hsm-daemon.hmac "$AGENT_BUILD"/libcraton_hsm.so "$AGENT_BUILD"/libcraton_hsm.so.hmac bin/
DAEMON=$SCRATCH/bin/craton-hsm-daemon
# The refused daemons share one folder and socket of their own.
mkdir case
FOLDER=$SCRATCH/case
fresh() { # [STORE [AUDIT]]: an empty folder and a good configuration
	rm -rf "$FOLDER"
	mkdir -m 755 "$FOLDER"
	cat >"$FOLDER/conf" <<END
[token]
storage_path = "${1:-$FOLDER/store}"
[security]
pbkdf2_iterations = 100000
[agent]
socket = "$FOLDER/sock"
device_key = "$FOLDER/device.key"
[audit]
log_path = "${2:-$FOLDER/audit.jsonl}"
END
	chmod 644 "$FOLDER/conf"
}
PREFIX=()
# refused TEXT...: the daemon (behind PREFIX) ends by itself with status 1 and one error line that has every TEXT.
refused() {
	local status text
	timeout 20 "${PREFIX[@]}" "$DAEMON" "${CONFIG:-$FOLDER/conf}" >out 2>err
	status=$?
	cat out err
	[ $status -eq 1 ] || { echo "status $status, not 1"; return 1; }
	[ "$(grep -c '^error: ' err)" = 1 ] || { echo "not exactly one error line"; return 1; }
	[ "$(tail -n 1 err | cut -c1-7)" = "error: " ] || { echo "something follows the error"; return 1; }
	[ ! -s out ] || { echo "standard output is not empty"; return 1; }
	for text in "$@"; do
		grep '^error: ' err | grep -qF -- "$text" || { echo "the error line lacks '$text'"; return 1; }
	done
	[ ! -e "$FOLDER/sock" ] || { echo "the socket is left behind"; return 1; }
	! pgrep -f "$DAEMON $FOLDER/conf" || { echo "a process is left behind"; return 1; }
}
quiet() { refused "$@" && [ "$(wc -l <err)" = 1 ]; } # nothing but the error line

# ---- configuration, B23 ----
fresh
CONFIG=$FOLDER/none check "configuration missing" quiet "$FOLDER/none" "No such file"
sed -i '/storage_path/a no_such_key = 1' "$FOLDER/conf"
check "unknown key: file and line" quiet "$FOLDER/conf:3:" no_such_key
fresh
sed -i 's/^pbkdf2_iterations.*/pbkdf2_iterations = "many"/' "$FOLDER/conf"
check "wrong type: file and line" quiet "$FOLDER/conf:4:" pbkdf2_iterations
fresh
sed -i 's/^pbkdf2_iterations.*/pbkdf2_iterations = 99999/' "$FOLDER/conf"
check "out of range: file and line" quiet "$FOLDER/conf:4:" pbkdf2_iterations 100000
fresh
echo '[nonsense]' >>"$FOLDER/conf"
check "unknown table: file and line" quiet "$FOLDER/conf:10:" nonsense
fresh
echo 'broken = = 3' >>"$FOLDER/conf"
check "syntax error: file and line" quiet "$FOLDER/conf:10:"
fresh
chmod 646 "$FOLDER/conf"
check "world-writable" quiet "$FOLDER/conf" writable
chmod 664 "$FOLDER/conf"
check "group-writable" quiet "$FOLDER/conf" writable
fresh
mv "$FOLDER/conf" "$FOLDER/real" && mkdir "$FOLDER/conf"
check "configuration is a directory" quiet "$FOLDER/conf"

check_config_good() { "$DAEMON" --check-config "$FOLDER/conf" && [ ! -e "$FOLDER/store" ] && [ ! -e "$FOLDER/sock" ]; }
check_config_bad() { ! "$DAEMON" --check-config "$FOLDER/conf" >out 2>err && grep -q "^error: $FOLDER/conf:3:" err && [ ! -s out ]; }
fresh
check "--check-config of a good file" check_config_good
sed -i '/storage_path/a no_such_key = 1' "$FOLDER/conf"
check "--check-config of a bad file" check_config_bad
print_config() { "$DAEMON" --print-config >"$FOLDER/example" && "$DAEMON" --check-config "$FOLDER/example"; }
fresh
umask 022
check "--print-config is a good configuration" print_config
bad_option() { "$DAEMON" --no-such-option >out 2>err; [ $? = 2 ] && grep -q usage err; }
check "an unknown option: usage, status 2" bad_option

# ---- storage path, B8 ----
fresh "$FOLDER/none/store"
check "B8: parent of the store missing" refused "$FOLDER/none/store" "does not exist"
fresh "$FOLDER/link"
mkdir -m 700 "$FOLDER/real" && ln -s real "$FOLDER/link"
check "B8: the store is a symlink" refused "$FOLDER/link" "symbolic link"
nothing_in_real() { [ -z "$(ls -A "$FOLDER/real")" ]; }
check "B8: and nothing was written behind it" nothing_in_real
fresh "$FOLDER/link/store"
mkdir -m 700 "$FOLDER/real" && ln -s real "$FOLDER/link"
check "B8: a component of the store is a symlink" refused "$FOLDER/link/store" "symbolic link"
check "B8: and nothing was written behind it (2)" nothing_in_real
fresh "$FOLDER/a/../store"
mkdir "$FOLDER/a"
check "B8: .." refused "$FOLDER/conf:2:" storage_path "'..'"
fresh relative/store
check "B8: a relative path" refused "$FOLDER/conf:2:" storage_path absolute
fresh "$FOLDER/file"
: >"$FOLDER/file"
check "B8: the store is a file" refused "$FOLDER/file"
fresh
mkdir -m 777 "$FOLDER/store" && chmod 777 "$FOLDER/store"
check "B8: others may write in the store" refused "$FOLDER/store" "0777"
if [ "$(id -u)" = 0 ]; then
	fresh
	mkdir -m 700 "$FOLDER/store" && chown nobody "$FOLDER/store"
	check "B8: the store belongs to somebody else" refused "$FOLDER/store" "uid $(id -u nobody)"
	PREFIX=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups)
	fresh
	mkdir -m 700 "$FOLDER/private" && sed -i "s|^storage_path.*|storage_path = \"$FOLDER/private/store\"|" "$FOLDER/conf"
	check "B8: permission denied, as nobody" refused "$FOLDER/private/store" "ermission denied"
	fresh
	check "B8: the parent cannot be written, as nobody" refused "$FOLDER/store" "ermission denied"
	fresh
	mkdir -m 700 "$FOLDER/store"
	check "B8: a store of root, as nobody" refused "$FOLDER/store"
	PREFIX=()
else
	skip "B8: foreign owners" "needs root"
fi
if unshare -m true 2>/dev/null; then
	fresh "$FOLDER/ro/store"
	mkdir "$FOLDER/ro"
	PREFIX=(unshare -m sh -c "mount -t tmpfs none $FOLDER/ro && mount -o remount,ro $FOLDER/ro && exec \"\$@\"" sh)
	check "B8: read-only file system" refused "$FOLDER/ro/store" "ead-only file system"
	PREFIX=(unshare -m sh -c "mount -t tmpfs none $FOLDER/ro && mkdir -m 700 $FOLDER/ro/store && mount -o remount,ro $FOLDER/ro && exec \"\$@\"" sh)
	check "B8: an existing store on a read-only file system" refused "$FOLDER/ro/store" "ead-only file system"
	fresh "" "$FOLDER/ro/audit.jsonl"
	mkdir "$FOLDER/ro"
	check "B9: audit log on a read-only file system" refused "Failed to open audit log: " "$FOLDER/ro/audit.jsonl" "ead-only file system"
	PREFIX=()
else
	skip "B8: read-only file system" "no mount namespace"
fi
fresh
head -c 8192 /dev/urandom >"$FOLDER/garbage"
mkdir -m 700 "$FOLDER/store"
damaged_database() {
	local name
	"$DAEMON" "$FOLDER/conf" 2>first.err &
	AGENT_PID=$!
	SCRATCH_PIDS+=("$AGENT_PID")
	wait_for 20 test -S "$FOLDER/sock" || return 1
	wait_for 20 "$BUILD/craton-hsm-admin" --socket "$FOLDER/sock" status || return 1
	kill "$AGENT_PID"
	wait "$AGENT_PID" || return 1
	name=$(find "$FOLDER/store" -type f -size +1k | head -n 1)
	[ -n "$name" ] || { ls -l "$FOLDER/store"; return 1; }
	cp "$FOLDER/garbage" "$name"
	refused "$FOLDER/store"
}
check_here "B14: a database of garbage" damaged_database

# ---- a second daemon ----
fresh
start_first() {
	"$DAEMON" "$FOLDER/conf" 2>first.err &
	FIRST=$!
	SCRATCH_PIDS+=("$FIRST")
	wait_for 20 "$BUILD/craton-hsm-admin" --socket "$FOLDER/sock" status
}
second() { # TEXT...: as refused, but the socket is the first daemon's and stays
	timeout 20 "$DAEMON" "$FOLDER/second.conf" >out 2>err
	local status=$? text
	cat err
	[ $status = 1 ] && [ "$(grep -c '^error: ' err)" = 1 ] || return 1
	for text in "$@"; do grep '^error: ' err | grep -qF -- "$text" || { echo "lacks '$text'"; return 1; }; done
	"$BUILD/craton-hsm-admin" --socket "$FOLDER/sock" status >/dev/null
}
start_first
sed "s|^socket.*|socket = \"$FOLDER/sock2\"|; s|^log_path.*|log_path = \"$FOLDER/audit2.jsonl\"|" "$FOLDER/conf" >"$FOLDER/second.conf"
check "B8: second daemon on the store" second "$FOLDER/store" "Database is locked" "$FIRST"
check "B8: it left no socket" test ! -e "$FOLDER/sock2"
sed "s|^storage_path.*|storage_path = \"$FOLDER/store2\"|; s|^log_path.*|log_path = \"$FOLDER/audit2.jsonl\"|; \
	s|^device_key.*|device_key = \"$FOLDER/device2.key\"|" "$FOLDER/conf" >"$FOLDER/second.conf"
check "B14: second daemon on the socket" second "$FOLDER/sock"
sed "s|^storage_path.*|storage_path = \"$FOLDER/store3\"|; s|^socket.*|socket = \"$FOLDER/sock3\"|; \
	s|^device_key.*|device_key = \"$FOLDER/device3.key\"|" "$FOLDER/conf" >"$FOLDER/second.conf"
check "B9: second daemon on the audit log" second "$FOLDER/audit.jsonl"

# ---- the end ----
clean_end() { kill -TERM "$FIRST" && wait "$FIRST" && [ ! -e "$FOLDER/sock" ] && ! grep -q '^error: ' first.err; }
check_here "SIGTERM: status 0, no socket, no error" clean_end
kill_restart() {
	start_first || return 1
	kill -KILL "$FIRST"
	wait "$FIRST" 2>/dev/null
	[ -S "$FOLDER/sock" ] || { echo "no stale socket to test with"; return 1; }
	start_first || { cat first.err; return 1; }
}
check_here "SIGKILL, then a start over the stale socket" kill_restart
check_here "SIGTERM again" clean_end
sigint() { start_first && kill -INT "$FIRST" && wait "$FIRST" && [ ! -e "$FOLDER/sock" ]; }
check_here "SIGINT: the same" sigint
fresh
: >"$FOLDER/sock"
in_the_way() {
	timeout 20 "$DAEMON" "$FOLDER/conf" 2>err
	[ $? = 1 ] && [ "$(grep -c '^error: ' err)" = 1 ] && grep '^error: ' err | grep -qF "$FOLDER/sock" && [ -f "$FOLDER/sock" ]
}
check "B14: a file is in the way of the socket and stays" in_the_way
fresh
sed -i "s|^socket.*|socket = \"$FOLDER/none/sock\"|" "$FOLDER/conf"
check "B14: the socket's directory is missing" refused "$FOLDER/none/sock" "No such file"
fresh
echo short >"$FOLDER/device.key"
check "B14: a device key that is none" refused "$FOLDER/device.key"

# ---- audit log, B9 ----
fresh
: >"$FOLDER/audit.jsonl" && chmod 644 "$FOLDER/audit.jsonl"
check "B9: mode 0644" refused "Failed to open audit log: " "$FOLDER/audit.jsonl" 0644
fresh
: >"$FOLDER/real" && chmod 600 "$FOLDER/real" && ln -s real "$FOLDER/audit.jsonl"
check "B9: a symlink" refused "Failed to open audit log: " "$FOLDER/audit.jsonl" "symbolic link"
fresh
mkdir -m 700 "$FOLDER/audit.jsonl"
check "B9: a directory" refused "Failed to open audit log: " "$FOLDER/audit.jsonl"
fresh
mkfifo -m 600 "$FOLDER/audit.jsonl"
check "B9: a fifo" refused "Failed to open audit log: " "$FOLDER/audit.jsonl"
fresh "" "$FOLDER/none/audit.jsonl"
check "B9: its directory is missing" refused "Failed to open audit log: " "$FOLDER/none/audit.jsonl" "does not exist"
fresh
(umask 077; echo 'not a record' >"$FOLDER/audit.jsonl")
check "B9: its last line is no record" refused "Failed to open audit log: " "$FOLDER/audit.jsonl"
unchanged() { [ "$(cat "$FOLDER/audit.jsonl")" = "not a record" ]; }
check "B9: and it stays as it was" unchanged
if [ "$(id -u)" = 0 ]; then
	fresh
	install -m 600 -o nobody /dev/null "$FOLDER/audit.jsonl"
	check "B9: owner is somebody else" refused "Failed to open audit log: " "$FOLDER/audit.jsonl" "uid $(id -u nobody)"
	PREFIX=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups)
	fresh
	mkdir -m 700 "$FOLDER/own" "$FOLDER/root"
	chown nobody "$FOLDER/own"
	sed -i "s|^storage_path.*|storage_path = \"$FOLDER/own/store\"|; s|^device_key.*|device_key = \"$FOLDER/own/device.key\"|; \
		s|^socket.*|socket = \"$FOLDER/own/sock\"|; s|^log_path.*|log_path = \"$FOLDER/root/audit.jsonl\"|" "$FOLDER/conf"
	check "B9: permission denied, as nobody" refused "Failed to open audit log: permission denied" "$FOLDER/root/audit.jsonl"
	PREFIX=()
else
	skip "B9: foreign owners" "needs root"
fi
fresh
created() {
	start_first && [ "$(stat -c %a "$FOLDER/audit.jsonl")" = 600 ] && [ "$(stat -c %u "$FOLDER/audit.jsonl")" = "$(id -u)" ] &&
		[ "$(stat -c %a "$FOLDER/store")" = 700 ] && kill "$FIRST" && wait "$FIRST"
}
check_here "B9: absent, it is created with mode 0600" created
ktap_done
