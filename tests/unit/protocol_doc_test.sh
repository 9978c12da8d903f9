#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# docs/protocol.md is committed; it must be what scripts/protocol-doc.c prints now, and name every
# message. KTAP.
set -u

cd "$(dirname "$0")/../.." || exit 2
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
status=0 number=0

result() { # STATUS NAME
	number=$((number + 1))
	[ "$1" -eq 0 ] && echo "ok $number $2" && return
	echo "not ok $number $2"
	status=1
}

builds() {
	"${CC:-gcc}" -std=gnu17 -D_GNU_SOURCE -Ilib $(pkg-config --cflags p11-kit-1) scripts/protocol-doc.c \
		-o "$scratch/protocol-doc" && "$scratch/protocol-doc" >"$scratch/protocol.md"
}

is_current() {
	diff -u docs/protocol.md "$scratch/protocol.md" >"$scratch/diff" && return
	echo "# stale: run 'make docs'"
	head -n 20 "$scratch/diff" | sed 's/^/# /'
	return 1
}

names_every_message() {
	local name missing=0

	for name in $(sed -n 's/^MESSAGE(0x[0-9a-f]*, \([a-z_]*\),.*/\1/p' lib/wire/message.def); do
		grep -qx "### $name" docs/protocol.md && continue
		echo "# missing: $name"
		missing=1
	done
	return $missing
}

echo "KTAP version 1"
echo "1..3"
builds
result $? the_generator_builds
is_current
result $? the_page_is_current
names_every_message
result $? every_message_is_named
exit $status
