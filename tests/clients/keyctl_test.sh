#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 120
# The tokens' metadata in the kernel's keyrings, looked at by keyctl(1) (row B24, keyring publish): it is there, true, brought up to date,
# nobody's to change, without any octet of a key, and gone with the agent.
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
RING=craton_hsm:$SCRATCH/pkcs11.sock

if ! keyctl show @u >/dev/null 2>&1; then
	skip "keyctl" "this kernel or container has no keyrings"
	ktap_done
fi

ring() { keyctl search @u keyring "$RING"; }
keys() { keyctl rlist "$(ring)"; }
# key WORDS: the serial of the key whose description contains them.
key() {
	local id
	for id in $(keys); do
		if keyctl rdescribe "$id" | grep -qF -- "$1"; then
			echo "$id"
			return
		fi
	done
	return 1
}
is() { # WORDS FIELD VALUE: what the key says
	local said
	said=$(keyctl print "$(key "$1")" | jq -r ".$2") && echo "$2: $said" && [ "$said" = "$3" ]
}
denied() { contains 'Permission denied' "$@" && ! "$@" >/dev/null 2>&1; }

SECURITY_CONFIG='max_failed_logins = 3'
check_here "the agent starts" agent_start || ktap_done
check "its keyring is in the user keyring" ring
check "it shows in keyctl show" contains "$RING" keyctl show @u
check "a slot without a token" is 'slot 0' state uninitialized
check "its description says so" key 'craton-hsm: slot 0, not initialized'
check "the locked memory" is 'craton-hsm: arena' arena "$(admin --json status | jq -r .memory.backend)"

check "token init" token_init $'Show\xc3\xa9 me'
check "the token shows" wait_for 10 key 'craton-hsm: slot 0, Show?? me'
check "and only once" eval '[ "$(keyctl list $(ring) | grep -c "slot 0")" = 1 ]'
check "its state" is 'slot 0' state initialized
check "its label, whole" is 'slot 0' label $'Show\xc3\xa9 me'
check "its serial number" is 'slot 0' serial "$(admin --json status | jq -r '.tokens[0].serial')"
check "its PIN" is 'slot 0' user_pin set
check "no object yet" is 'slot 0' objects 0

check "a key pair" p11_user --keypairgen --key-type EC:prime256v1 --label pair
check "is counted, nobody being logged in" wait_for 10 is 'slot 0' objects 2
check "a public key less" p11_user --delete-object --type pubkey --label pair
check "is counted" wait_for 10 is 'slot 0' objects 1

# A key whose value is known: none of what is published may contain it.
printf 'planted-key-octets-0123456789abc' >"$SCRATCH/value"
check "a secret key is imported" p11_user --write-object "$SCRATCH/value" --type secrkey --key-type AES:32 --label known
check "and counted" wait_for 10 is 'slot 0' objects 2
published() { for id in $(keys); do keyctl rdescribe "$id"; keyctl pipe "$id"; keyctl read "$id" | tail -n +2 | tr -d ' \n'; done; }
check "what is published can be read" contains '"objects":2' published
check "and has no octet of it" eval "! published | grep -qE 'planted|706c616e746564|$USER_PIN|$SO_PIN'"

SLOT=$(key 'slot 0')
check "describe" contains 'user: craton-hsm: slot 0' keyctl describe "$SLOT"
check "the permissions" contains ';0b0b0300;' keyctl rdescribe "$SLOT"
check "nobody updates it" denied keyctl update "$SLOT" forged
check "revokes it" denied keyctl revoke "$SLOT"
check "changes its permissions" denied keyctl setperm "$SLOT" 0x3f3f3f3f
check "its expiry" denied keyctl timeout "$SLOT" 1
check "or links it elsewhere" denied keyctl link "$SLOT" @u
check "it is as it was" is 'slot 0' objects 2
if [ "$(id -u)" -eq 0 ]; then
	check "another user cannot read it" denied setpriv --reuid 54321 --regid 54321 --clear-groups keyctl print "$SLOT"
	check "its keyring expires, should the agent not look after it" \
		grep -qE "^$(printf %08x "$(ring)") [^ ]+ +[0-9]+ +2m " /proc/keys
fi

check "keyring publish prints the keyring" eval '[ "$(admin keyring publish)" = "$(ring)" ]'
check "as JSON with the number of keys" eval '[ "$(admin --json keyring publish | jq .keys)" = 2 ]'
keyctl unlink "$(key arena)" "$(ring)" >/dev/null
check "a key that was unlinked is missed" eval '! key arena'
check "keyring publish" admin keyring publish
check "brings it back" key arena
keyctl unlink "$(ring)" @u >/dev/null
check "a keyring that was unlinked" eval '! ring'
check "comes back with the next change" eval 'p11_user --delete-object --type secrkey --label known && wait_for 10 is "slot 0" objects 1'
check "the audit log knows who asked" grep -qF '(keyring publish)' "$SCRATCH/audit.jsonl"

wrong() { pkcs11-tool --module "$MODULE" --login --pin wrong-pin-123 --list-objects; }
locked() { wrong; is 'slot 0' user_pin locked; }
check "wrong PINs show, in the end" wait_for 20 locked

# Requests cost nothing: what loops serve never talks to the keyrings.
if command -v strace >/dev/null && [ "$(id -u)" -eq 0 ]; then
	strace -f -p "$AGENT_PID" -e trace=add_key,keyctl -o "$SCRATCH/trace" 2>"$SCRATCH/strace.log" &
	STRACE=$!
	SCRATCH_PIDS+=("$STRACE")
	wait_for 10 grep -q attached "$SCRATCH/strace.log"
	check "keyring publish does" admin keyring publish
	# It ran on a worker, so the keyring is looked at once more.
	twice() { [ "$(grep -c KEYCTL_SET_TIMEOUT "$SCRATCH/trace")" -ge 2 ]; }
	check "and once more" wait_for 10 twice
	calls() { grep -cE 'add_key|keyctl' "$SCRATCH/trace"; }
	BEFORE=$(calls)
	requests() { for _ in $(seq 30); do p11 --generate-random 16 >/dev/null || return 1; done; }
	check "requests" requests
	# One renewal may have come in between: a search, a read, an expiry.
	check "do not" eval '[ "$(calls)" -le $((BEFORE + 3)) ]'
	kill -INT "$STRACE" && wait "$STRACE"
	forget "$STRACE"
fi

BEFORE=$(ring)
agent_kill9
check "what a killed agent left" eval '[ "$(ring)" = "$BEFORE" ]'
agent_launch
wait_for 30 agent_answers
replaced() { [ "$(ring)" != "$BEFORE" ] && [ "$(keyctl rlist @u | tr ' ' '\n' | grep -c "$BEFORE")" = 0 ]; }
check "its successor displaces" replaced
check "with true metadata" is 'slot 0' objects 1
check_here "the agent ends" agent_stop
check "and its keyring with it" eval '! ring'

AGENT_CONFIG='publish_keyring = false'
check_here "switched off, the agent starts" agent_start
check "and shows nothing" eval '! ring'
check "keyring publish says that" contains CKR_FUNCTION_NOT_SUPPORTED admin keyring publish
check_here "it ends" agent_stop
ktap_done
