# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What tests on the host share that boot machines of their own around one program. Source it after scratch; it is no test itself.
VM=$TOP/tests/vm
export BUILD

# scene_prepare SERIES PROGRAM: $SCRATCH/initrd with that program, and $SCRATCH/kernel for scene_kernel.
scene_prepare() {
	"$VM/kernels" fetch "$1" >"$SCRATCH/kernel" && "$VM/build-module" "$1" &&
		"$VM/initramfs" "$1" "$BUILD/vm/$1/craton_hsm.ko" "$SCRATCH/initrd" "$2"
}
scene_kernel() { (. "$SCRATCH/kernel" && echo "$KERNEL"); }
scene_qmp() { "$VM/qmp" "$SCRATCH/qmp" "$@"; }
