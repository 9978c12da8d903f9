#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 150
# What a machine leaves in its memory when it reboots, read from outside by QEMU: what a program had in ordinary memory is still there
# for whoever comes next; what was in slots and arenas, which the first reading found, is not.
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
. "$TOP/tests/vm/scene.sh"
check "kernel, module and initramfs" scene_prepare 6.1 "$BUILD/tests/vm/scenes/reboot_vmtest" || ktap_done

secrets_are_there() { grep -q '# the secrets are there' "$SCRATCH/results"; }
is_down() { scene_qmp query-status | grep -q '"status": "shutdown"'; }
read_memory() { scene_qmp pmemsave "{\"val\": 0, \"size\": $((512 << 20)), \"filename\": \"$SCRATCH/$1\"}"; }

# in_memory FILE: the names of the patterns in it, masked in scenes/reboot_vmtest.c as here.
in_memory() {
	python3 - "$SCRATCH/$1" <<-'EOF_PYTHON'
		import mmap, struct, sys
		names = 'ordinary', 'arena', 'generic', 'kek', 'volume', 'persistent'
		with open(sys.argv[1], 'rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
		    for i, name in enumerate(names):
		        words = [((i + 1) * 0x0101010101010101 + word) ^ 0x9d3f5b7ac6e18420 for word in range(4)]
		        if memory.find(struct.pack('<4Q', *words)) >= 0:
		            print(name)
	EOF_PYTHON
}
holds() { # FILE NAMES: these patterns and no others
	local found
	found=$(in_memory "$1" | xargs)
	echo "found: $found"
	[ "$found" = "$2" ]
}

mkfifo "$SCRATCH/go.in" "$SCRATCH/go.out"
# A reboot ends QEMU, and its end is only a pause: the memory stays.
"$VM/boot" "$(scene_kernel)" "$SCRATCH/initrd" --seconds 100 --console "$SCRATCH/console" -- -m 512 -serial "pipe:$SCRATCH/go" -no-shutdown \
	-qmp "unix:$SCRATCH/qmp,server=on,wait=off" >"$SCRATCH/results" 2>&1 &
SCRATCH_PIDS+=($!)
check "the machine has secrets" wait_for 60 secrets_are_there || { comment <"$SCRATCH/results"; ktap_done; }
check "its memory is read" read_memory before
check "all of them are in it" holds before "ordinary arena generic kek volume persistent"
echo >"$SCRATCH/go.in"
check "the machine goes down" wait_for 60 is_down || comment <"$SCRATCH/console"
check "its memory is read again" read_memory after
check "only ordinary memory kept its secret" holds after "ordinary"
check "QEMU ends" scene_qmp quit
ktap_done
