#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 120
# The agent on the module and a machine that sleeps to disk: refused while the agent runs, as the module parameter is by default, and with
# it set the agent's memory is wiped, which ends it, and nothing that it kept is lost. As far as freezing the processes
# (pm_test); power_vmtest sees slots and arenas themselves.
. "$(dirname "$0")/vmlib.sh"
ktap_plan
grep -qw disk /sys/power/state 2>/dev/null && [ -w /sys/power/pm_test ] || { skip "hibernation" "this kernel does not hibernate"; ktap_done; }
scratch
cd "$SCRATCH" || exit 1
PARAMETER=/sys/module/craton_hsm/parameters/wipe_on_hibernation
echo freezer >/sys/power/pm_test
echo 0 >/sys/module/suspend/parameters/pm_test_delay 2>/dev/null
hibernate() { echo disk >/sys/power/state; }
kernel_says() { dmesg | tail -n 40 | grep -E "^\[[ 0-9.]+\] craton_hsm: $1"; }
audited() { grep -F "\"operation\":\"$1\"" audit.jsonl; }

AGENT_CONFIG='threads = 1
workers = 1'
SECURITY_CONFIG='locked_memory = "kmod"'
check_here "the agent starts on kmod" agent_start || ktap_done
token_init sleeper >/dev/null
check "a key" p11_user --keypairgen --key-type EC:prime256v1 --id 01 --label ec
check "wipe_on_hibernation is off" grep -qx N $PARAMETER
check "hibernation is refused" eval '! hibernate && contains "Operation not permitted" hibernate'
check "the kernel's log says why" kernel_says 'hibernation refused: [0-9]+ slots and arenas hold secrets$'
check "the audit log, too" wait_for 20 audited kernel_hibernation_refused
check "the agent serves" p11_user --list-objects --type privkey

echo Y >$PARAMETER
check "with wipe_on_hibernation the machine sleeps" hibernate
check "the kernel's log says what was wiped" kernel_says '[0-9]+ slots and arenas wiped$'
check "the agent ends, for its memory is gone" wait_for 20 agent_gone
wait "$AGENT_PID"
check "by SIGBUS" test $? = $((128 + $(kill -l BUS)))
forget "$AGENT_PID"
check_here "it starts again" agent_start
check "with every key" contains "ec" p11_user --list-objects --type privkey
check "and the audit log whole" admin audit verify-chain audit.jsonl
check_here "it stops" agent_stop
echo N >$PARAMETER
check "without it the machine sleeps in either case" hibernate
ktap_done
