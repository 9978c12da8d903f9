# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Copies a machine as a snapshot's restore does: it is saved while its program waits, having said "# ready to be copied", and continues
# under another generation identifier. CLONE_APPEND extends the kernel's command line. Source it after scratch; it is no test itself.
# shellcheck source-path=SCRIPTDIR source=scene.sh
. "$TOP/tests/vm/scene.sh"
TOKEN=$RANDOM

clone_boot() { # NAME GUID QEMU-ARGUMENT...: in the background, its results in NAME.results
	local name=$1 guid=$2
	shift 2
	"$VM/boot" "$(scene_kernel)" "$SCRATCH/initrd" --seconds 130 --token "$TOKEN" \
		--console "$SCRATCH/$name.console" --append "${CLONE_APPEND:-}" -- -device "vmgenid,guid=$guid" "$@" >"$SCRATCH/$name.results" 2>&1 &
	MACHINE=$!
	SCRATCH_PIDS+=("$MACHINE")
}
clone_waits() { grep -q '# ready to be copied' "$SCRATCH/first.results"; }
clone_saved() { scene_qmp query-migrate | grep -q '"status": "completed"'; }
clone_ended() { ! kill -0 "$MACHINE" 2>/dev/null; }

# clone_machine SERIES PROGRAM: up to the end of the copy, whose results are in second.results; ends the test when there is none.
clone_machine() {
	check "kernel, module and initramfs" scene_prepare "$@" || ktap_done
	clone_boot first 324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87 -qmp "unix:$SCRATCH/qmp,server=on,wait=off"
	check "the first machine is ready" wait_for 90 clone_waits || { comment <"$SCRATCH/first.results"; ktap_done; }
	check "it is saved" scene_qmp migrate "{\"uri\": \"exec:cat >$SCRATCH/state\"}"
	check "all of it" wait_for 60 clone_saved
	check "and ended" scene_qmp quit
	wait_for 20 clone_ended
	clone_boot second d4c1f5d0-0d1a-4c3c-9d8e-6f0b8a2f9b11 -incoming "exec:cat $SCRATCH/state"
	wait_for 130 clone_ended
	check "the second machine came to its end" clone_result "@$TOKEN end" || ktap_done
}

# clone_result EXPRESSION: the copy said so; else all that it said is shown.
clone_result() { grep -qE "^$1" "$SCRATCH/second.results" || { cat "$SCRATCH/second.results" "$SCRATCH/second.console"; return 1; }; }
