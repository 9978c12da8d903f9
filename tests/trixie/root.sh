# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What tests in the trixie root (scripts/trixie-root) share: this tree built inside it, with objects in the cache so that the second
# time is quick, and tests/run inside, each of whose results becomes one here. Source it after lib.sh; it is no test itself.

. "$TOP/tests/vm/cache.sh"
ROOT_BUILD_PACKAGES=(gcc make pkg-config libc6-dev binutils libssl-dev libsqlite3-dev liburing-dev libjansson-dev libkeyutils-dev
	libnl-genl-3-dev libdevmapper-dev libblkid-dev libp11-kit-dev zlib1g-dev libmicrohttpd-dev libseccomp-dev libnghttp2-dev
	libprotobuf-c-dev protobuf-c-compiler protobuf-compiler openssl python3-minimal)
# One folder per tree, as several may share the cache.
TRIXIE_BUILD=$CACHE/trixie-build/$(printf %s "$TOP" | sha256sum | cut -c1-16)
RESULTS=$TRIXIE_BUILD/results

root() { "$TOP/scripts/trixie-root" exec "$@"; }
need_root() {
	[ "$(id -u)" -ne 0 ] || return 0
	echo "TAP version 13"
	echo "1..0 # SKIP making the trixie root and entering it needs root"
	exit 0
}

has_openssl() { root openssl version | grep -q '^OpenSSL 3\.[5-9]'; }
build_inside() { # TARGET...
	mkdir -p "$TRIXIE_BUILD"
	root make --no-print-directory -j2 BUILD="$TRIXIE_BUILD" "$@"
}

# RESULTS has a line for each: verdict, program, name, reason.
pass_on() {
	local verdict program name reason
	while IFS=$'\t' read -r verdict program name reason; do
		case $verdict in
		pass) ktap_ok "$program: $name" ;;
		skip) skip "$program: $name" "$reason" ;;
		*) ktap_fail "$program: $name" ;;
		esac
	done <"$RESULTS"
}

# run_inside FILTER: what tests/run then runs, and its results.
run_inside() {
	rm -f "$RESULTS"
	root tests/run --build "$TRIXIE_BUILD" --results "$RESULTS" --filter "$1" >"$SCRATCH/out" 2>&1
	grep -E '^(FAIL|     [|F])' "$SCRATCH/out" | comment
	[ -s "$RESULTS" ] || tail -n 20 "$SCRATCH/out" | comment
	check "its tests ran" test -s "$RESULTS"
	[ ! -s "$RESULTS" ] || pass_on
}
