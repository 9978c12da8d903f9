#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 600
# craton-hsm-admin volume to the end: a mapping with a filesystem that outlives closing, rewrapping, the agent's restart and the loss of
# the kernel module; and a search of memory for the volume's key, which must find nothing with the module, and something without it
# in an agent that was made to keep the key (else the search would prove nothing). Every command costs a PIN derivation, which is
# slow in here: what can be seen without a mapping, tests/clients/volume_test.sh sees.
. "$(dirname "$0")/vmlib.sh"
ktap_plan
HOOKS=$BUILD-hooks
FIND=$BUILD/tests/vm/find_volume_key
scratch
cd "$SCRATCH" || exit 1
for module in dm-crypt loop ext4; do modprobe $module; done
device_for_agent() { chgrp craton-hsm "$DEVICE" && chmod 0660 "$DEVICE"; } # udev's work
device_for_agent
chown craton-hsm . && chmod 0755 .
ulimit -l unlimited

agent_launch() {
	setpriv --reuid craton-hsm --regid craton-hsm --clear-groups --inh-caps=-all -- \
		env "${AGENT_ENVIRONMENT[@]}" "$AGENT_BUILD/craton-hsm-daemon" "$SCRATCH/craton_hsm.toml" 2>>agent.log &
	AGENT_PID=$!
	SCRATCH_PIDS+=("$AGENT_PID")
}
AGENT_ENVIRONMENT=(LANG=C)
volume() { admin volume "$@" --user-pin-file "$SCRATCH/user-pin"; }
loop_on() { # FILE: a loop device on it
	local device
	device=$(losetup -f) && losetup "$device" "$1" && echo "$device"
}
json() { # EXPRESSION COMMAND...
	local expression=$1 output
	shift
	output=$("$@" 2>json.err) || { cat json.err; return 1; }
	printf '%s\n' "$output"
	jq -e "$expression" <<<"$output" >/dev/null
}
quiet() { # the command works and says nothing on standard error
	"$@" 2>quiet.err || { cat quiet.err; return 1; }
	! grep . quiet.err
}
fails_with() { # TEXT COMMAND...
	local text=$1 output
	shift
	output=$("$@" 2>&1) && { echo "$output"; return 1; }
	printf '%s\n' "$output"
	grep -qF -- "$text" <<<"$output"
}
no_key() { ! grep -F "craton-hsm:$1" /proc/keys; }
mapped() { mkdir -p mnt && mount -t ext4 "/dev/mapper/$1" mnt; }
has_file() { mapped "$1" && cmp mnt/file file && umount mnt; }
closes() { admin volume close "$1" && [ ! -e "/dev/mapper/$1" ]; }

truncate -s 32M disk
truncate -s 4M small
DISK=$(loop_on disk)
SMALL=$(loop_on small)
head -c 300000 /dev/urandom >file

# ---- a filesystem ----
agent_start || { ktap_fail "agent starts"; ktap_done; }
token_init volumes >/dev/null
check "create in the kernel" json '.in_kernel == true' volume create data --device "$DISK" --json
check "open, with nothing to remark" quiet volume open data
check "it is mapped" test -b /dev/mapper/data
check "open, says the list" json '.volumes[0] | .name == "data" and .open == true' volume list --json
check "the mapping is ours" contains CRYPT-CRATON-HSM-data dmsetup info data
check "the table names the key only" contains ":64:logon:craton-hsm:data 0 " dmsetup table --showkeys data
check "no key is left behind" wait_for 5 no_key data
check "open once" fails_with "open already" volume open data
check "a filesystem" mkfs.ext4 -q /dev/mapper/data
check "a file" eval 'mapped data && cp file mnt/ && sync'
check "not closed while it is in use" fails_with "busy" admin volume close data
umount mnt
check "close" closes data
check "the device holds something, and not the file" eval '! cmp -s -n 4096 disk /dev/zero && ! grep -qaF "$(head -c 300 file |
	tr -dc "[:print:]" | head -c 12)" disk'
check "open again, read-only" volume open data --read-only
check "nothing writes to it" fails_with "" dd if=/dev/zero of=/dev/mapper/data bs=512 count=1 conv=fsync
closes data >/dev/null

# ---- rewrapped, restarted ----
check "rewrap in the kernel" json '.count == 1 and .in_kernel == true' volume rewrap --json
check_here "the agent stops" agent_stop
agent_start || { ktap_fail "agent restarts"; ktap_done; }
check "open with the rewrapped key" volume open data
check "the file is there" has_file data

# ---- the key is nowhere ----
# find_key PLACE...: is the key of the volume in it, whose plaintext and ciphertext are in `plain` and `cipher`?
find_key() { "$FIND" plain cipher "$@"; }
misses_key() {
	find_key "$@" >find.out
	[ $? = 1 ]
}
sectors() { # VOLUME FILE: its first ones, while it is open
	sync
	dd if="/dev/mapper/$1" of=plain bs=2048 count=1 2>/dev/null && dd if="$2" of=cipher bs=2048 count=1 2>/dev/null
}
sectors data disk
check "the ciphertext is another" eval '! cmp -s plain cipher'
check "the key is not in the agent, which opened the volume" misses_key pid "$AGENT_PID"
comment <find.out
check "nor in /proc/kcore, while it is mapped" misses_key kcore
comment <find.out
check "close" closes data

# ---- another key does not open it ----
check "another volume on the same device" volume create other --device "$DISK" --sector-size 4096 --offset 8 --size 1024 --allow-discards
check "opens, for it has a key" volume open other
check "as it was said" contains "8 2 allow_discards sector_size:4096" dmsetup table other
check "of its size" contains "0 1024 crypt" dmsetup table other
dd if=disk of=cipher.other bs=4096 skip=1 count=1 2>/dev/null
check "and shows neither plaintext nor ciphertext of the first" eval '! cmp -s -n 2048 /dev/mapper/other plain &&
	! cmp -s -n 4096 /dev/mapper/other cipher.other && ! mount -t ext4 /dev/mapper/other mnt'
check "close" closes other

# ---- a mapping that fails leaves nothing ----
echo /bin/false >/proc/sys/kernel/modprobe
rmmod dm-crypt
check "without dm-crypt it does not open" fails_with "mapping data: " volume open data
check "no mapping" test ! -e /dev/mapper/data
check "no key" wait_for 5 no_key data
echo /sbin/modprobe >/proc/sys/kernel/modprobe
modprobe dm-crypt
check "the audit log has the end of it" eval 'grep "(volume [a-z]*)" audit.jsonl | tail -n 1 | grep -F "(volume close)" | grep -qF "volume data"'

# ---- without the module ----
check_here "the agent stops" agent_stop
check "the module goes" rmmod craton_hsm
if [ -x "$HOOKS/craton-hsm-daemon" ]; then
	# All its memory can be read, so that a key which was not wiped would be found.
	AGENT_BUILD=$HOOKS
	AGENT_ENVIRONMENT=(CRATON_TEST_PLAIN_MEMORY=1)
	agent_start || { ktap_fail "the agent starts without the module"; ktap_done; }
	check "a volume of the kernel's opens without it, with a notice" contains "passed through the agent's memory" volume open data
	check "it is the same" has_file data
	sectors data disk
	check "the key was wiped from the agent's memory" misses_key pid "$AGENT_PID"
	comment <find.out
	check "of which none is hidden" grep -q ', 0 KiB not readable' find.out
	check "close" closes data
	check "rewrap without the module" json '.count == 2 and .in_kernel == false' volume rewrap --json
	check_here "the agent stops" agent_stop
	AGENT_ENVIRONMENT=(CRATON_TEST_PLAIN_MEMORY=1 CRATON_TEST_VOLUME_KEY_STAYS=1)
	agent_start || { ktap_fail "the careless agent starts"; ktap_done; }
	check "what was rewrapped so opens" volume open data
	check "it is the same" has_file data
	sectors data disk
	check "the search finds its key in a careless agent: it can find" find_key pid "$AGENT_PID"
	check "and in /proc/kcore" find_key kcore
	closes data >/dev/null
	check "a volume of the memory's" json '.in_kernel == false' volume create weak --device "$SMALL" --json
	check "opens" volume open weak
	yes weak-plaintext | head -c 8192 >/dev/mapper/weak
	sync
	closes weak >/dev/null
	check_here "the agent stops" agent_stop
	AGENT_BUILD=$BUILD
	AGENT_ENVIRONMENT=(LANG=C)
	modprobe craton_hsm
	device_for_agent
	agent_start || { ktap_fail "agent starts with the module again"; ktap_done; }
	check "opens in the kernel" json '.in_kernel == true' volume open weak --json
	check "it is the same" eval 'yes weak-plaintext | head -c 8192 | cmp -n 8192 - /dev/mapper/weak'
	closes weak >/dev/null
	check_here "the agent stops" agent_stop
else
	skip "without the module" "no build with test hooks (make hooks)"
fi
check "the audit chain is intact" admin audit verify-chain audit.jsonl
losetup -d "$DISK"
losetup -d "$SMALL"
ktap_done
