#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The benchmark's opencryptoki: its token is there and works, the machine's own installation is left as it was, and nothing stays behind.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
ktap_plan
if ! [ -x /usr/sbin/pkcsslotd ]; then
	skip opencryptoki "opencryptoki is not installed; make bench installs it"
	ktap_done
fi
if [ "$(id -u)" -ne 0 ] || ! unshare --mount --ipc true 2>/dev/null; then
	skip opencryptoki "needs root and a mount namespace"
	ktap_done
fi
scratch
machine() { # what belongs to the machine's own
	find /etc/opencryptoki /var/lib/opencryptoki /run/lock/opencryptoki /dev/shm/var.lib.opencryptoki* /run/pkcsslotd* /var/log/opencryptoki \
		-printf '%p %T@ %s %m\n' 2>/dev/null | sort
}
bench() { # OPERATIONS
	TMPDIR=$SCRATCH "$TOP/tests/bench/run" --build "$BUILD" --only opencryptoki --operations "$1" --rounds 1 --seconds 0.02 --clients none \
		--output "$SCRATCH/out"
}
status_of() { jq -r ".results[\"$1\"].opencryptoki.status" "$SCRATCH/out/results.json"; } # OPERATION
daemons() { # that have the scratch folder's sockets open or stand in it
	local entry
	for entry in /proc/[0-9]*; do
		[ "$(cat "$entry/comm" 2>/dev/null)" = pkcsslotd ] && readlink "$entry/cwd" | grep -F "$SCRATCH"
	done
}
before=$(machine)
check "it is measured" bench random-32,aes-keygen,token-object,aes-gcm-4k
for operation in random-32 aes-keygen token-object; do
	check "$operation works" test "$(status_of "$operation")" = ok
done
check "aes-gcm-4k is lacking, which is no failure" test "$(status_of aes-gcm-4k)" = n/a
check "the machine's own installation is as it was" test "$(machine)" = "$before"
check "its daemon is gone" test -z "$(daemons)"
check "its folder is gone" eval '[ -z "$(find "$SCRATCH" -name "craton-bench.*")" ]'
ktap_done
