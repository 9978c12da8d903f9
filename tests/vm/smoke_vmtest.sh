#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The module loads, shows its device, and can be unloaded and loaded again; the machine is one that the other programs can work in.
. "$(dirname "$0")/vmlib.sh"
ktap_plan

check "the module is loaded" module_loaded
check "the device is there" test -c "$DEVICE"
check "the device opens" eval "exec 3<>$DEVICE"
check "rmmod" rmmod craton_hsm
check "the module is gone" module_gone
check "the device is gone" test ! -e "$DEVICE"
check "modprobe" modprobe craton_hsm
check "the device is back" test -c "$DEVICE"
check "another user" test "$(as user id -u)" = 1000
for module in dm-crypt loop ext4; do
	check "$module loads" modprobe "$module"
done
check "the agent runs" "$BUILD/craton-hsm-daemon" --version
check "the agent is whole" test -s "$BUILD/craton-hsm-daemon.hmac"
ktap_done
