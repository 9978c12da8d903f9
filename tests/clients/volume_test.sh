#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 300
# craton-hsm-admin volume, as far as it goes without a device mapper: volumes on a loop device, keys in real keyrings, and an agent of
# another user, to whom the keyring must be opened. tests/vm/volume_vmtest.sh goes on to the mapping.
. "$(dirname "$0")/../lib.sh"
ktap_plan
export PATH=$PATH:/usr/sbin:/sbin
scratch
cd "$SCRATCH" || exit 1

DEVICE=
truncate -s 64M disk
if [ "$(id -u)" = 0 ]; then
	DEVICE=$(losetup -f --show disk 2>losetup.err) || DEVICE=
fi
if [ -z "$DEVICE" ]; then
	skip "volumes" "needs root and a loop device"
	ktap_done
fi
trap 'losetup -d "$DEVICE"; scratch_cleanup' EXIT

# The agent is somebody else, as in production.
AGENT_USER=nobody
agent_launch() {
	setpriv --reuid "$AGENT_USER" --regid nogroup --clear-groups --inh-caps=-all -- \
		"$AGENT_BUILD/craton-hsm-daemon" "$SCRATCH/craton_hsm.toml" 2>>"$SCRATCH/agent.log" &
	AGENT_PID=$!
	SCRATCH_PIDS+=("$AGENT_PID")
}
# What the build folder's own permissions may forbid to that user.
mkdir bin && install -m 0755 "$BUILD"/craton-hsm-daemon "$BUILD"/libcraton_hsm.so bin/ && cp "$BUILD"/*.hmac bin/
AGENT_BUILD=$SCRATCH/bin
chown "$AGENT_USER" "$SCRATCH"
chmod 0755 "$SCRATCH"

volume() { admin volume "$@" --user-pin-file "$SCRATCH/user-pin"; }
json() { # EXPRESSION COMMAND...: the command works and jq -e says yes
	local expression=$1 output
	shift
	output=$("$@") || return 1
	printf '%s\n' "$output"
	jq -e "$expression" <<<"$output" >/dev/null
}
audited() { # OPERATION NAME RESULT
	grep -F "\"operation\":\"(volume $1)\"" audit.jsonl | grep -F "\"detail\":\"volume $2\"" | grep -qF "\"result\":\"$3\""
}
no_key() { ! grep -F "craton-hsm:$1" /proc/keys; }

agent_start || { ktap_fail "agent starts"; ktap_done; }
token_init volumes >/dev/null
keyctl new_session >/dev/null 2>&1 || skip "a session keyring" "keyctl does not make one"

# ---- create ----
check "no volumes" json '.volumes == []' volume list --json
check "create" json '.done == "volume created" and .name == "data" and .in_kernel != null' volume create data --device "$DEVICE" --json
check "a name is taken once" fails_with 1 CKR_CRATON_VOLUME_EXISTS volume create data --device "$DEVICE"
check "create with everything said" volume create part --device "$DEVICE" --cipher aes-cbc-essiv:sha256 --key-size 32 \
	--sector-size 4096 --offset 2048 --size 4096 --allow-discards
check "list says it" json '[.volumes[].name] == ["data", "part"] and (.volumes[0] | .cipher == "aes-xts-plain64" and .key_size == 64
	and .sector_size == 512 and .offset == 0 and .size == 0 and (.allow_discards | not)) and (.volumes[1] | .key_size == 32
	and .cipher == "aes-cbc-essiv:sha256" and .sector_size == 4096 and .offset == 2048 and .size == 4096 and .allow_discards)
	and .volumes[0].device == "'"$DEVICE"'"' volume list --json
check "and for people" contains "aes-cbc-essiv:sha256 with a key of 32 octets, on $DEVICE from sector 2048, 4096 sectors" volume list
check "nothing was written" cmp -n 67108864 disk /dev/zero

check "no name" fails_with 2 "name the volume" volume create --device "$DEVICE"
check "no device" fails_with 2 "--device" volume create other
check "two names" fails_with 2 "too many" volume create other another --device "$DEVICE"
check "a bad name" fails_with 1 "letters, digits" volume create "a/b" --device "$DEVICE"
check "a bad key size" fails_with 1 "16 to 128" volume create other --device "$DEVICE" --key-size 7
check "a bad number" fails_with 2 "not a number" volume create other --device "$DEVICE" --offset -1
check "a bad sector size" fails_with 1 "sectors of" volume create other --device "$DEVICE" --sector-size 700
check "the null cipher" fails_with 1 "a cipher" volume create other --device "$DEVICE" --cipher cipher_null-ecb
check "beyond the device" fails_with 1 "131072 sectors" volume create other --device "$DEVICE" --offset 131072
check "beyond its end" fails_with 1 "131072 sectors" volume create other --device "$DEVICE" --offset 131071 --size 2
check "no such device" fails_with 1 "No such file" volume create other --device /dev/none
check "no such partition" fails_with 1 "no such partition" volume create other --device PARTUUID=00000000-01
check "a file" fails_with 1 "not a block device" volume create other --device disk
check "a wrong PIN" fails_with 1 CKR_PIN_INCORRECT admin volume list --user-pin-file so-pin
check "the right one again" wait_for 10 volume list

# ---- what a device holds ----
mkfs.ext4 -q "$DEVICE" >/dev/null 2>&1
check "a filesystem is seen" fails_with 1 "holds ext4" volume create other --device "$DEVICE"
check "beside it there is room" volume create beside --device "$DEVICE" --offset 65536
check "--force" volume create forced --device "$DEVICE" --force
check "nor is it opened" fails_with 1 "holds ext4" volume open data --key-only
head -c 1048576 /dev/zero >"$DEVICE"
check "without it, it is" volume open data --key-only
check "close takes it away" admin volume close data
mkswap "$DEVICE" >/dev/null 2>&1
check "swap is seen" fails_with 1 "holds swap" volume create other --device "$DEVICE"
head -c 1048576 /dev/zero >"$DEVICE"
check "remove needs --force" fails_with 1 "--force" volume remove forced
check "remove" volume remove forced --force
check "it is gone" fails_with 1 CKR_CRATON_VOLUME_UNKNOWN volume open forced

# ---- who may ----
as() { setpriv --reuid "$1" --regid nogroup --clear-groups --inh-caps=-all -- "${@:2}"; }
install -m 0755 "$BUILD/craton-hsm-admin" bin/
chmod 0644 user-pin
admin_as() { as "$1" "$SCRATCH/bin/craton-hsm-admin" --socket "$SCRATCH/pkcs11.sock" volume "${@:2}" --user-pin-file "$SCRATCH/user-pin"; }
chmod 0777 pkcs11.sock
check "the agent's user may" admin_as "$AGENT_USER" list
check "others may not, with the right PIN" fails_with 1 CKR_FUNCTION_REJECTED admin_as 1000 list
check "nor take keys" fails_with 1 CKR_FUNCTION_REJECTED admin_as 1000 open data --device "$DEVICE" --key-only

# ---- open ----
check "open, the key only" json '.done == "key placed" and .table == "0 131072 crypt aes-xts-plain64 :64:logon:craton-hsm:data 0 '"$(
	lsblk -dno MAJ:MIN "$DEVICE" | tr -d ' ')"' 0" and .key > 0' volume open data --key-only --json
KEY=$(keyctl search @s logon craton-hsm:data 2>/dev/null || echo 0)
check "the key is in the session" test "$KEY" != 0
check "it is the agent's" eval "keyctl rdescribe $KEY | grep -q '^logon;$(id -u $AGENT_USER);.*;19090000;craton-hsm:data$'"
check "it is not read" fails_with 1 "not supported" keyctl read "$KEY"
check "nor changed" fails_with 1 "denied" keyctl update "$KEY" x
check "nor revoked" fails_with 1 "denied" keyctl revoke "$KEY"
check "nor opened further" fails_with 1 "denied" keyctl setperm "$KEY" 0x3f3f3f3f
check "sector size and discards are in the table" json '.table | endswith(" 2048 2 allow_discards sector_size:4096")' \
	volume open part --key-only --json
check "close" json '.done == "volume closed"' admin volume close data --json
check "its key is gone" wait_for 5 no_key data
check "the other's is not" keyctl search @s logon craton-hsm:part
check "closed once" fails_with 1 "is not open" admin volume close data
check "close the other" admin volume close part
check "its key is gone, too" wait_for 5 no_key part
check "an unknown one" fails_with 1 CKR_CRATON_VOLUME_UNKNOWN volume open none
if dmsetup targets 2>/dev/null | grep -q '^crypt '; then
	skip "a mapping that fails leaves nothing" "it would not fail here"
else
	check "a mapping that fails says so" fails_with 1 "mapping data: " volume open data
	check "and leaves no key" wait_for 5 no_key data
	check "the audit log has both" eval "audited open data Success && audited close data Success"
fi

# ---- PKCS#11 clients with the PIN ----
prohibited() { fails_with 1 0x1b "$@"; } # CKR_ACTION_PROHIBITED, which pkcs11-tool does not know
check "a client sees the record" contains "craton-hsm volume" p11_user --list-objects --type data
check "and does not delete it" prohibited p11_user --delete-object --type data --label data
check "nor the key-encryption key" prohibited p11_user --delete-object --type secrkey --label "craton-hsm volume key-encryption key"
check "which is never read" fails_with 1 CKR_ATTRIBUTE_SENSITIVE p11_user --read-object --type secrkey \
	--label "craton-hsm volume key-encryption key"
keks() { [ "$(p11_user --list-objects --type secrkey 2>/dev/null | grep -c 'volume key-encryption key')" = "${1:-1}" ]; }
check "there is one of it" keks 1

# ---- rewrap ----
opens() { local name; for name in data part beside; do volume open $name --key-only && admin volume close $name || return 1; done; }
check "rewrap" json '.done == "volumes rewrapped" and .count == 3' volume rewrap --json
check "every volume is in the audit log" eval "audited rewrap data Success && audited rewrap part Success && audited rewrap beside Success"
check "all open" opens
check "there is one key-encryption key" keks 1
check_here "agent stops" agent_stop
agent_start || { ktap_fail "agent restarts"; ktap_done; }
check "all open after a restart" opens

# Killed at each write of the store in turn, until one rewrap comes to its end.
rewrap_killed() { # N: true when the agent was killed
	strace -f -qq -o strace.out -e trace=pwrite64,fdatasync -e inject=pwrite64,fdatasync:signal=KILL:when="$1" -p "$AGENT_PID" &
	local tracer=$!
	SCRATCH_PIDS+=("$tracer")
	wait_for 10 grep -q "^TracerPid:[[:space:]]*$tracer$" "/proc/$AGENT_PID/task/$AGENT_PID/status" || return 2
	# Each thread is attached in turn, the first one first.
	wait_for 10 eval '! grep -h "^TracerPid:[[:space:]]*0$" /proc/$AGENT_PID/task/*/status' || return 2
	if volume rewrap >rewrap.out 2>&1; then
		kill -INT "$tracer"
		tracer_ends "$tracer" || return 2
		return 1
	fi
	# Its sockets are closed before it has ended, and a tracer that is interrupted then may wait for ever.
	wait_for 10 agent_gone && tracer_ends "$tracer" || return 2
	wait "$AGENT_PID" 2>/dev/null
	forget "$AGENT_PID"
	return 0
}
tracer_ends() { # PID
	wait_for 10 eval "! grep '^State:[[:space:]]*[^Z]' /proc/$1/status" || return 1
	wait "$1" 2>/dev/null
	forget "$1"
}
kills=0 problem=
for ((n = 1; n <= 40; n++)); do
	rewrap_killed $n
	case $? in
	1) break ;;
	2)
		problem="strace does not attach, or does not end: $(tail -n 1 rewrap.out)"
		break
		;;
	esac
	kills=$((kills + 1))
	agent_launch
	wait_for 30 agent_answers || problem="after kill $n the agent does not start"
	[ -n "$problem" ] || opens >opens.out 2>&1 || problem="after kill $n a volume does not open: $(tail -n 1 opens.out)"
	[ -n "$problem" ] || keks 1 || problem="after kill $n there are two key-encryption keys, or none"
	[ -z "$problem" ] || break
done
[ -z "$problem" ] || echo "# $problem"
check "killed at every write, all volumes open" test -z "$problem"
echo "# $kills kills"
check "it was killed at several, and not at the end" test $kills -ge 3 -a $kills -lt 40

# ---- more than fit a small frame ----
fault_program many_volumes
check "1000 more, which a client made up" env USER_PIN="$USER_PIN" CRATON_HSM_SOCKET="$SCRATCH/pkcs11.sock" "$SCRATCH/many_volumes" 1000
check "are listed, as damaged, after the others" json '[.volumes[:4][].name] == ["beside", "data", "part", "zz-planted-'"$(printf %052d 0)"'"] and
	(.volumes | length) == 1003 and ([.volumes[] | select(.damaged)] | length) == 1000 and (tostring | length) > 65536' volume list --json

# ---- the log ----
for operation in create open close rewrap remove; do
	check "$operation is audited" eval "audited $operation data Success || audited $operation forced Success"
done
check "refusals are audited" eval 'grep -F "(volume describe)" audit.jsonl | grep -qF "\"uid\":1000"'
check "the audit chain is intact" admin audit verify-chain "$SCRATCH/audit.jsonl"
check_here "the agent stops" agent_stop
check "without an agent, too, a key is closed" eval 'keyctl newring craton-hsm:data @s >/dev/null && contains "audit log does not say" admin volume close data'
ktap_done
