# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What script tests share: KTAP output, a scratch folder that is cleaned up, and an agent of their own in it. Source it; it is
# no test itself. BUILD is the build folder to test (default: build at the top of the tree).

set -u
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
FAULT=$TOP/tests/fault
BUILD=${BUILD:-$TOP/build}
case $BUILD in /*) ;; *) BUILD=$TOP/$BUILD ;; esac
AGENT_BUILD=${AGENT_BUILD:-$BUILD}
export MODULE=$BUILD/libcraton_hsm.so

SO_PIN=so-pin-12345678
USER_PIN=user-pin-12345678

KTAP_NUMBER=0
KTAP_FAILED=0
KTAP_PASSED=0
KTAP_SKIPPED=0
AGENT_PID=
declare -a SCRATCH_PIDS=()

ktap_plan() {
	echo "TAP version 13"
	[ $# -eq 0 ] || echo "1..$1"
	KTAP_PLANNED=${1:-}
}

ktap_ok() {
	KTAP_NUMBER=$((KTAP_NUMBER + 1))
	KTAP_PASSED=$((KTAP_PASSED + 1))
	echo "ok $KTAP_NUMBER $1"
}

ktap_fail() {
	KTAP_NUMBER=$((KTAP_NUMBER + 1))
	KTAP_FAILED=$((KTAP_FAILED + 1))
	echo "not ok $KTAP_NUMBER $1"
}

skip() { # NAME REASON
	KTAP_NUMBER=$((KTAP_NUMBER + 1))
	KTAP_SKIPPED=$((KTAP_SKIPPED + 1))
	echo "ok $KTAP_NUMBER $1 # SKIP $2"
}

comment() { sed 's/^/# /'; }

# check NAME COMMAND...: ok when the command succeeds; its output is shown when it does not.
check() {
	local name=$1 output status
	shift
	output=$("$@" 2>&1)
	status=$?
	if [ $status -eq 0 ]; then
		ktap_ok "$name"
	else
		printf '%s\n' "$output" | tail -n 60 | comment
		echo "# status $status of: $*"
		ktap_fail "$name"
	fi
	return $status
}

# check, but in this shell, which alone can wait for its children and keep what it starts.
check_here() {
	local name=$1 status
	shift
	"$@" >"$SCRATCH/here.out" 2>&1
	status=$?
	check "$name" eval "cat '$SCRATCH/here.out'; exit $status"
}

# contains TEXT COMMAND...: the output of the command, whatever its status, contains the text.
contains() {
	local text=$1 output
	shift
	output=$("$@" 2>&1)
	printf '%s\n' "$output"
	grep -qF -- "$text" <<<"$output"
}

# The command ends with this status and says this.
fails_with() { # STATUS TEXT COMMAND...
	local wanted=$1 text=$2 output status
	shift 2
	output=$("$@" 2>&1)
	status=$?
	printf '%s\n' "$output"
	[ $status -eq "$wanted" ] && grep -qF -- "$text" <<<"$output"
}

# The signature on a certificate request is right; before 3.3 `openssl req` ends with 0 when it is not.
request_verifies() { contains 'verify OK' openssl req -in "$1" -verify -noout; } # FILE

# The totals, and a plan when none was announced.
ktap_done() {
	[ -n "${KTAP_PLANNED:-}" ] || echo "1..$KTAP_NUMBER"
	echo "# Totals: pass:$KTAP_PASSED fail:$KTAP_FAILED skip:$KTAP_SKIPPED"
	[ $KTAP_FAILED -eq 0 ]
	exit
}

# What ended and was waited for is struck off: its number may be another process's by now.
forget() {
	local pid kept=()
	for pid in "${SCRATCH_PIDS[@]:-}"; do
		[ -z "$pid" ] || [ "$pid" = "$1" ] || kept+=("$pid")
	done
	SCRATCH_PIDS=("${kept[@]:-}")
}

scratch_cleanup() {
	local pid
	for pid in "${SCRATCH_PIDS[@]:-}" $(jobs -p); do
		[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null
	done
	wait 2>/dev/null
	[ -z "${SCRATCH:-}" ] || rm -rf "$SCRATCH"
}

scratch() {
	SCRATCH=$(mktemp -d /tmp/craton-test.XXXXXX) || exit 1
	export SCRATCH
	export CRATON_HSM_SOCKET=$SCRATCH/pkcs11.sock
	trap scratch_cleanup EXIT
	trap 'exit 1' INT TERM
	printf '%s\n' "$SO_PIN" >"$SCRATCH/so-pin"
	printf '%s\n' "$USER_PIN" >"$SCRATCH/user-pin"
}

# The build with test hooks, in "$BUILD-hooks"; several tests may want it at once. What make says is in $SCRATCH/make.out.
build_hooks() {
	flock "$BUILD-hooks.lock" make -C "$TOP" -j2 BUILD="$BUILD-hooks" TEST_HOOKS=1 all >"$SCRATCH/make.out" 2>&1
}

# The same for a test that is nothing without it.
need_hooks() {
	build_hooks || { tail -n 5 "$SCRATCH/make.out" | comment; ktap_fail "the build with test hooks"; ktap_done; }
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $deadline ] || return 1
		read -rt 0.02 <> <(:) || :
	done
}

agent_config() { # [text appended]
	cat >"$SCRATCH/craton_hsm.toml" <<EOF
[token]
storage_path = "$SCRATCH/store"
${TOKEN_CONFIG:-}
[security]
pbkdf2_iterations = 100000
${SECURITY_CONFIG:-}
[algorithms]
${ALGORITHMS_CONFIG:-}
[agent]
socket = "$SCRATCH/pkcs11.sock"
device_key = "$SCRATCH/device.key"
${AGENT_CONFIG:-}
[audit]
log_path = "$SCRATCH/audit.jsonl"
${AUDIT_CONFIG:-}
EOF
}

admin() { "$BUILD/craton-hsm-admin" --socket "$SCRATCH/pkcs11.sock" "$@"; }

agent_answers() { admin status; }

# The agent has no client any more.
sessions_freed() { admin --json status | grep -q '"applications": \[\]'; }

# The agent answers, or is no more.
agent_settled() { agent_answers || agent_gone; }

agent_launch() {
	"$AGENT_BUILD/craton-hsm-daemon" "$SCRATCH/craton_hsm.toml" 2>>"$SCRATCH/agent.log" &
	AGENT_PID=$!
	SCRATCH_PIDS+=("$AGENT_PID")
}

# Starts an agent on the scratch folder; {TOKEN,SECURITY,ALGORITHMS,AGENT,AUDIT}_CONFIG add lines to those tables.
agent_start() {
	agent_config
	agent_launch
	wait_for 30 agent_settled
	if ! agent_answers >/dev/null 2>&1; then
		comment <"$SCRATCH/agent.log"
		return 1
	fi
}

# has_ended PID: whether or not this shell has noticed yet, since to kill -0 a zombie lives.
has_ended() {
	local state
	state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null)
	[ -z "$state" ] || [ "$state" = Z ]
}
agent_gone() { has_ended "$AGENT_PID"; }

agent_stop() {
	local status
	kill -TERM "$AGENT_PID"
	wait "$AGENT_PID"
	status=$?
	forget "$AGENT_PID"
	return $status
}

agent_kill9() {
	kill -KILL "$AGENT_PID"
	wait "$AGENT_PID" 2>/dev/null
	forget "$AGENT_PID"
}

token_init() { # LABEL [SLOT]
	admin token init --label "$1" --slot "${2:-0}" --so-pin-file "$SCRATCH/so-pin" --user-pin-file "$SCRATCH/user-pin"
}

p11() { pkcs11-tool --module "$MODULE" "$@"; }
p11_user() { pkcs11-tool --module "$MODULE" --login --pin "$USER_PIN" "$@"; }

# provider_config LINE...: an OpenSSL configuration with the provider in $PROVIDER on our module; the lines are about it.
provider_config() {
	cat <<-END
		openssl_conf = init
		[init]
		providers = providers
		[providers]
		default = built_in
		pkcs11 = pkcs11
		[built_in]
		activate = 1
		[pkcs11]
		module = $PROVIDER
		pkcs11-module-path = $MODULE
		activate = 1
	END
	printf '%s\n' "$@"
}

# install_to DESTDIR ARGUMENT...: make install or uninstall, but never a build: other tests are using what is there.
# The make that runs the tests has flags of its own.
install_to() {
	# By the name under which it was built: the compiler's dependencies have it.
	local settings=(BUILD="${BUILD#"$TOP"/}" DESTDIR="$1")
	env -u MAKEFLAGS -u MFLAGS make -C "$TOP" -q "${settings[@]}" all || { echo "$BUILD is not up to date: make tests"; return 1; }
	env -u MAKEFLAGS -u MFLAGS make -C "$TOP" -s "${settings[@]}" "${@:2}"
}
# fault_program NAME: compiles tests/fault/NAME.c to $SCRATCH/NAME, or ends the test.
fault_program() {
	cc -O1 -Wall -I"$FAULT/../../lib" -o "$SCRATCH/$1" $(pkg-config --cflags p11-kit-1) "$FAULT/$1.c" -ldl || { ktap_fail "$1 compiles"; ktap_done; }
}
