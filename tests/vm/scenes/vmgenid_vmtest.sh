#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 120
# The guest's part of tests/vm/vmgenid_test.sh, which copies this machine while the agent serves in it: in the copy every generator
# reseeds before its next output, and the audit log and the status say why. Where the kernel itself tells of copies (6.10), it
# must do without our module.
. "$(dirname "$0")/vmlib.sh"
ktap_plan
scratch
status() { admin --json status | jq "$1"; }
says() { [ "$(status "$1")" = "$2" ]; }
draw() { p11 --generate-random 16 >/dev/null; }
series=$(uname -r | awk -F. '{ print $1 * 100 + $2 }')

SOURCE=module
if [ "$series" -ge 610 ]; then
	SOURCE=uevent
	check "the module is not needed" rmmod craton_hsm
fi
SECURITY_CONFIG='locked_memory = "mlock"'
AGENT_CONFIG='threads = 1
workers = 1'
check_here "the agent starts" agent_start || ktap_done
check "it listens" wait_for 20 says ".events.${SOURCE/uevent/uevents}" true
check "token init" token_init copied
draw && draw
BEFORE=$(status .drbg.reseeds)
draw
check "no reseed without a reason" says .drbg.reseeds "$BEFORE"
echo "# ready to be copied"

check "the copy notices" wait_for 60 says .events.vm_generations 1
check "it is in the audit log" grep -q "\"operation\":\"vm_generation_changed\".*source=$SOURCE" "$SCRATCH/audit.jsonl"
check "nothing was drawn since" says .drbg.reseeds "$BEFORE"
check "random octets" draw
check "with a reseed before them" says .drbg.reseeds $((BEFORE + 1))
check "the agent is well" says .state '"OPERATIONAL"'
check "the chain of the log is whole" admin audit verify-chain "$SCRATCH/audit.jsonl"
check_here "it ends" agent_stop
ktap_done
