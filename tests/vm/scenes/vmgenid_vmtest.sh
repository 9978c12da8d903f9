#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 120
# The guest's part of tests/vm/vmgenid_test.sh, which copies this machine while the agent serves in it: in the copy every generator
# reseeds before its next output, and the audit log and the status say why. With module=no on the kernel's command line it must
# do without our module, by the kernel's log alone.
. "$(dirname "$0")/vmlib.sh"
ktap_plan
scratch
status() { admin --json status | jq "$1"; }
says() { [ "$(status "$1")" = "$2" ]; }
# By each of its sources, and only then are there no more reseeds to come.
noticed() { grep -q "\"operation\":\"vm_generation_changed\".*source=$SOURCE" "$SCRATCH/audit.jsonl" && status .events.vm_generations; }
draw() { p11 --generate-random 16 >/dev/null; }

SOURCE=module
if grep -qw module=no /proc/cmdline; then
	SOURCE=kernel-log
	check "the module is not needed" rmmod craton_hsm
fi
SECURITY_CONFIG='locked_memory = "mlock"'
AGENT_CONFIG='threads = 1
workers = 1'
check_here "the agent starts" agent_start || ktap_done
check "it listens" wait_for 20 says ".events.${SOURCE/-/_}" true
check "token init" token_init copied
draw && draw
BEFORE=$(status .drbg.reseeds)
draw
check "no reseed without a reason" says .drbg.reseeds "$BEFORE"
echo "# ready to be copied"

check "the copy notices" wait_for 60 noticed
check "it is in the audit log" grep -q "\"operation\":\"vm_generation_changed\".*source=$SOURCE" "$SCRATCH/audit.jsonl"
check "nothing was drawn since" says .drbg.reseeds "$BEFORE"
check "random octets" draw
check "with a reseed before them" says .drbg.reseeds $((BEFORE + 1))
check "the agent is well" says .state '"OPERATIONAL"'
check "the chain of the log is whole" admin audit verify-chain "$SCRATCH/audit.jsonl"
check_here "it ends" agent_stop
ktap_done
