#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 1200
# SERIAL
# The unit and API tests on Debian 13 with OpenSSL 3.5: this tree, built inside the trixie root (scripts/trixie-root), with objects
# in the cache so that the second time is quick. Each of their results is a result here.
. "$(dirname "$0")/../lib.sh"
. "$TOP/tests/vm/cache.sh"
PACKAGES=(gcc make pkg-config libc6-dev binutils libssl-dev libsqlite3-dev liburing-dev libjansson-dev libkeyutils-dev
	libnl-genl-3-dev libdevmapper-dev libblkid-dev libp11-kit-dev openssl python3-minimal)

if [ "$(id -u)" -ne 0 ]; then
	echo "TAP version 13"
	echo "1..0 # SKIP making the trixie root and entering it needs root"
	exit 0
fi

# One folder per tree, as several may share the cache.
TRIXIE_BUILD=$CACHE/trixie-build/$(printf %s "$TOP" | sha256sum | cut -c1-16)
RESULTS=$TRIXIE_BUILD/results
mkdir -p "$TRIXIE_BUILD"
root() { "$TOP/scripts/trixie-root" exec "$@"; }
has_openssl() { root openssl version | grep -q '^OpenSSL 3\.[5-9]'; }
build() { root make --no-print-directory -j2 BUILD="$TRIXIE_BUILD" tests-userspace; }

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

run_inside() {
	rm -f "$RESULTS"
	root tests/run --build "$TRIXIE_BUILD" --results "$RESULTS" --filter '/tests/(unit|api)/[^/]*_test$' >"$SCRATCH/out" 2>&1
	grep -E '^(FAIL|     [|F])' "$SCRATCH/out" | comment
	[ -s "$RESULTS" ] || tail -n 20 "$SCRATCH/out" | comment
}

ktap_plan
scratch
check "its packages are there" "$TOP/scripts/trixie-root" install "${PACKAGES[@]}"
check "it has OpenSSL 3.5 or newer" has_openssl
if check "the tree builds in it" build; then
	run_inside
	check "its tests ran" test -s "$RESULTS"
	[ ! -s "$RESULTS" ] || pass_on
fi
ktap_done
