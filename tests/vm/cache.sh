# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The cache of what tests fetch and build once (kernels, the trixie root), outside the tree. Source it.

CACHE=${CRATON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/craton-hsm}
MIRROR=${CRATON_MIRROR:-http://deb.debian.org}

die() {
	echo "$(basename "$0"): $*" >&2
	exit 1
}

need() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || die "$tool is missing; scripts/install-packages test installs it"
	done
}

# once NAME COMMAND...: unless $CACHE/NAME is there, lets COMMAND fill a new folder (its last argument) that then becomes it: seen
# whole or not at all, and made once even when several ask at the same time.
once() {
	local name=$1 made
	shift
	[ ! -e "$CACHE/$name" ] || return 0
	mkdir -p "$CACHE/$(dirname "$name")"
	(
		exec 9>"$CACHE/${name//\//-}.lock"
		flock 9
		[ ! -e "$CACHE/$name" ] || exit 0
		rm -rf "$CACHE/$name.new"
		mkdir "$CACHE/$name.new"
		made=0
		# In the background, because `||` would let it go on after an error.
		"$@" "$CACHE/$name.new" 9>&- &
		wait $! || made=$?
		[ $made -eq 0 ] && mv -T "$CACHE/$name.new" "$CACHE/$name" && exit 0
		rm -rf "$CACHE/$name.new"
		exit 1
	)
}
