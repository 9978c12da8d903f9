#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Backup and restore (B25), and the token of SoftHSM2 that moves in (B28): what signed before signs the same afterwards.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
TOKEN_CONFIG='slot_count = 3'
agent_start || { ktap_fail "agent starts"; ktap_done; }
echo 'a passphrase of words' >"$SCRATCH/passphrase"
echo 'not the passphrase, no' >"$SCRATCH/wrong"
echo 'fifteen letters' >"$SCRATCH/short"

key() { admin key "$@" --pin-file "$SCRATCH/user-pin"; }
backup() { admin backup "$@" --so-pin-file "$SCRATCH/so-pin" --passphrase-file "${PASSPHRASE:-$SCRATCH/passphrase}"; }
restore() { admin restore "$@" --so-pin-file "$SCRATCH/so-pin" --passphrase-file "${PASSPHRASE:-$SCRATCH/passphrase}"; }
listing() { key list --class all --json --slot "${1:-0}"; }
same() { cmp <(listing "${2:-0}") "$1"; }
head -c 32 /dev/urandom >"$SCRATCH/hash"
openssl ecparam -name prime256v1 -genkey -noout -out "$SCRATCH/ec.pem"
openssl req -x509 -key "$SCRATCH/ec.pem" -subj /CN=kept -days 30 -out "$SCRATCH/ec.crt"

token_init "kept" >/dev/null || { ktap_fail "token init"; ktap_done; }
check "keys" eval 'key generate --type rsa:2048 --label r --id 01 && key generate --type aes:256 --label a --id 02 --end-date 2090-01-01 && key import "$SCRATCH/ec.pem" --label e --id 03'
check "a certificate and data" eval 'key import "$SCRATCH/ec.crt" --label e && p11_user --write-object "$SCRATCH/hash" --type data --label d >/dev/null'
key compromise --label a --force >/dev/null
listing >"$SCRATCH/before"
key export-public --label r >"$SCRATCH/r.pem"
serial() { admin token info --slot "${1:-0}" | sed -n 's/^serial *//p'; }
SERIAL=$(serial)
signs() { # SLOT: as the key did that was backed up
	p11_user --slot "${1:-0}" --sign --mechanism SHA256-RSA-PKCS --id 01 --input-file "$SCRATCH/hash" --output-file "$SCRATCH/signature" &&
		openssl dgst -sha256 -verify "$SCRATCH/r.pem" -signature "$SCRATCH/signature" "$SCRATCH/hash"
}
check "the key signs" signs

# ---- making one ----
check "a short passphrase" eval 'PASSPHRASE=$SCRATCH/short fails_with 1 "16 characters" backup "$SCRATCH/b"'
check "leaves no file" test ! -e "$SCRATCH/b"
check "a wrong SO PIN" fails_with 1 CKR_PIN_INCORRECT admin backup "$SCRATCH/b" --so-pin-file "$SCRATCH/wrong" --passphrase-file "$SCRATCH/passphrase"
check "backup" contains 'backup written, 7 objects' backup "$SCRATCH/b"
check "only its owner reads it" eval '[ "$(stat -c %a "$SCRATCH/b")" = 600 ]'
check "an existing file stays" fails_with 1 'File exists' backup "$SCRATCH/b"
check "a folder that is not there" fails_with 1 'No such file' backup "$SCRATCH/nowhere/b"
check "a full disk" eval 'mkdir -p "$SCRATCH/small" && mount -t tmpfs -o size=4k none "$SCRATCH/small" && { fails_with 1 "No space left" backup "$SCRATCH/small/b"; r=$?; ls -A "$SCRATCH/small"; [ -z "$(ls -A "$SCRATCH/small")" ] || r=1; umount "$SCRATCH/small"; exit $r; }'
check "nothing of the keys is in it" eval '! grep -qaF kept-not "$SCRATCH/b" && ! openssl pkey -in "$SCRATCH/ec.pem" -outform DER | tail -c 100 | head -c 32 | xxd -p -c 64 | grep -qf - <(xxd -p -c 100000 "$SCRATCH/b")'
check "it is audited" grep -q '"backup of 7 objects"' "$SCRATCH/audit.jsonl"
check "the passphrase is not" eval '! grep -rqF "a passphrase of words" "$SCRATCH/audit.jsonl" "$SCRATCH/agent.log"'

# ---- what is refused, and changes nothing ----
damaged() { # OFFSET: the backup with that octet changed
	cp "$SCRATCH/b" "$SCRATCH/damaged"
	local octet
	octet=$(xxd -s "$1" -l 1 -p "$SCRATCH/b")
	printf "\\x$(printf %02x $((0x$octet ^ 1)))" | dd of="$SCRATCH/damaged" bs=1 seek="$1" conv=notrunc status=none
}
refuses() { fails_with 1 "$@" && same "$SCRATCH/before"; }
check "restore into a token that holds objects" refuses '--replace destroys them' restore "$SCRATCH/b"
check "a wrong passphrase" eval 'PASSPHRASE=$SCRATCH/wrong refuses "passphrase is wrong" restore "$SCRATCH/b" --replace'
for at in 0 8 13 30 40 70 90 130 175 180 190 300 $(($(stat -c %s "$SCRATCH/b") - 1)); do
	damaged "$at"
	check "a changed octet at $at" refuses 'nothing was changed' restore "$SCRATCH/damaged" --replace --other-token
done
for len in 0 100 176 183 184 500 $(($(stat -c %s "$SCRATCH/b") - 1)); do
	head -c "$len" "$SCRATCH/b" >"$SCRATCH/damaged"
	check "cut after $len octets" refuses '' restore "$SCRATCH/damaged" --replace
done
cat "$SCRATCH/b" "$SCRATCH/hash" >"$SCRATCH/damaged"
check "something behind it" refuses 'something follows' restore "$SCRATCH/damaged" --replace
check "the user cannot" fails_with 1 'CKR_PIN_INCORRECT' admin restore "$SCRATCH/b" --replace --so-pin-file "$SCRATCH/user-pin" --passphrase-file "$SCRATCH/passphrase"

# ---- restoring ----
check "a key goes" key delete --label r --force
check "restore" contains 'backup restored, 7 objects' restore "$SCRATCH/b" --replace
check "every object is back as it was" same "$SCRATCH/before"
check "the key signs again" signs
check "a second time is a replay" refuses '--again' restore "$SCRATCH/b" --replace
check "which --again allows" restore "$SCRATCH/b" --replace --again
check "every object is there once" same "$SCRATCH/before"
agent_stop
agent_start || ktap_fail "agent starts again"
check "after a restart, too" same "$SCRATCH/before"
check "a restart does not forget the replay" refuses '--again' restore "$SCRATCH/b" --replace

# ---- another token, another host ----
token_init "other" 1 >/dev/null
other() { restore "$SCRATCH/b" --slot 1 "$@"; }
check "another token's backup" fails_with 1 '--other-token lets it in' other
check "the same objects in two slots" fails_with 1 'another slot' other --other-token
check "the second token is still empty" eval '[ "$(listing 1 | jq ".objects | length")" = 0 ]'
agent_stop
mv "$SCRATCH/store" "$SCRATCH/store.lost"
rm -f "$SCRATCH/device.key"
agent_start || ktap_fail "agent starts on the new host"
token_init "new host" >/dev/null
check "on another host it is another token's, too" fails_with 1 '--other-token lets it in' restore "$SCRATCH/b"
check "restore there" restore "$SCRATCH/b" --other-token --take-identity
check "every object is there" same "$SCRATCH/before"
check "the key signs there" signs
check "the token took over the serial number" test "$(serial)" = "$SERIAL"
check "and the label" contains 'label        kept' admin token info
check "a re-initialised token has seen no backup" eval 'admin token init --label again --reinitialize --so-pin-file "$SCRATCH/so-pin" --user-pin-file "$SCRATCH/user-pin" && restore "$SCRATCH/b" --other-token'

# ---- many objects: several chunks ----
many() { # a token of 700 data objects of 1 KiB
	head -c 1024 /dev/urandom >"$SCRATCH/value"
	/usr/bin/python3 - "$MODULE" "$USER_PIN" "$SCRATCH/value" <<-'END'
		import sys, PyKCS11
		module, pin, value = sys.argv[1:]
		lib = PyKCS11.PyKCS11Lib()
		lib.load(module)
		session = lib.openSession(0, PyKCS11.CKF_SERIAL_SESSION | PyKCS11.CKF_RW_SESSION)
		session.login(pin)
		octets = open(value, "rb").read()
		for i in range(700):
		    session.createObject([(PyKCS11.CKA_CLASS, PyKCS11.CKO_DATA), (PyKCS11.CKA_TOKEN, True),
		                          (PyKCS11.CKA_LABEL, f"d{i}"), (PyKCS11.CKA_VALUE, octets)])
	END
}
check "700 more objects" many
listing >"$SCRATCH/before"
check "backup of several chunks" contains '707 objects' backup "$SCRATCH/b2"
swap_chunks() {
	/usr/bin/python3 - "$SCRATCH/b2" "$SCRATCH/swapped" <<-"END"
		import struct, sys
		octets = open(sys.argv[1], "rb").read()
		header, at, chunks = octets[:176], 176, []
		while at < len(octets):
		    length = struct.unpack("<Q", octets[at:at + 8])[0]
		    chunks.append(octets[at:at + 8 + length])
		    at += 8 + length
		assert len(chunks) > 2, len(chunks)
		chunks[0], chunks[1] = chunks[1], chunks[0]
		open(sys.argv[2], "wb").write(header + b"".join(chunks))
	END
}
check "a backup whose chunks changed places" swap_chunks
check "is refused" refuses "nothing was changed" restore "$SCRATCH/swapped" --replace
check "restore of several chunks" contains '707 objects' restore "$SCRATCH/b2" --replace
check "all of them" same "$SCRATCH/before"

# ---- SIGKILL while it restores: all or nothing ----
killed_restore() {
	local at
	key delete --label e --force >/dev/null
	listing >"$SCRATCH/without"
	restore "$SCRATCH/b2" --replace --again &
	at=$!
	wait_for 10 grep -q '"restore_begin"\|restore' "$SCRATCH/audit.jsonl"
	agent_kill9
	wait $at
	agent_launch
	wait_for 30 agent_answers || return 1
	same "$SCRATCH/without" || same "$SCRATCH/before"
}
check_here "killed while it restores" killed_restore

# ---- SoftHSM2 (B28) ----
export SOFTHSM2_CONF=$SCRATCH/softhsm2.conf
mkdir -p "$SCRATCH/softhsm"
echo "directories.tokendir = $SCRATCH/softhsm" >"$SOFTHSM2_CONF"
SOFT=/usr/lib/softhsm/libsofthsm2.so
softhsm2-util --init-token --free --label soft --so-pin 12345678 --pin 87654321 >/dev/null
echo 87654321 >"$SCRATCH/soft-pin"
soft() { pkcs11-tool --module "$SOFT" --login --pin 87654321 "$@"; }
soft --keypairgen --key-type RSA:2048 --id 11 --label s-rsa --extractable >/dev/null 2>&1
soft --keypairgen --key-type EC:prime256v1 --id 12 --label s-ec --extractable >/dev/null 2>&1
soft --keypairgen --key-type EC:edwards25519 --id 15 --label s-ed-sensitive --extractable >/dev/null 2>&1
# SoftHSM2 wraps no Ed25519 key; one that may be read comes over all the same.
/usr/bin/python3 - "$SOFT" <<-'END'
	import sys
	from PyKCS11 import *
	library = PyKCS11Lib()
	library.load(sys.argv[1])
	session = library.openSession(library.getSlotList(True)[0], CKF_SERIAL_SESSION | CKF_RW_SESSION)
	session.login("87654321")
	session.generateKeyPair(
	    [(CKA_TOKEN, True), (CKA_ID, (0x16,)), (CKA_LABEL, "s-ed"), (CKA_VERIFY, True), (CKA_EC_PARAMS, (6, 3, 43, 101, 112))],
	    [(CKA_TOKEN, True), (CKA_ID, (0x16,)), (CKA_LABEL, "s-ed"), (CKA_SIGN, True), (CKA_PRIVATE, True),
	     (CKA_SENSITIVE, False), (CKA_EXTRACTABLE, True)], mecha=Mechanism(0x1055, None))
END
soft --keygen --key-type AES:32 --id 13 --label s-aes --extractable >/dev/null 2>&1
soft --keypairgen --key-type RSA:2048 --id 14 --label s-stays >/dev/null 2>&1
openssl x509 -in "$SCRATCH/ec.crt" -outform DER -out "$SCRATCH/ec.der"
soft --write-object "$SCRATCH/ec.der" --type cert --id 12 --label s-cert >/dev/null
soft --write-object "$SCRATCH/hash" --type data --label s-data >/dev/null
import() { admin token import --module "$SOFT" --source-label soft --source-pin-file "$SCRATCH/soft-pin" --pin-file "$SCRATCH/user-pin" --slot 2 "$@"; }
token_init "moved" 2 >/dev/null
check "a wrong label of the other token" fails_with 1 '0 tokens fit' admin token import --module "$SOFT" --source-label nobody --pin-file "$SCRATCH/user-pin" --slot 2
check "a module that is none" fails_with 1 'libnothing' admin token import --module /libnothing.so --pin-file "$SCRATCH/user-pin" --slot 2
import >"$SCRATCH/imported" 2>&1
IMPORT_STATUS=$?
comment <"$SCRATCH/imported"
check "what may not leave is named" grep -q 'left behind: private "s-stays": the other token does not let it go' "$SCRATCH/imported"
check "and what it cannot wrap" grep -q 'left behind: private "s-ed-sensitive": the other token cannot wrap such a key' "$SCRATCH/imported"
check "nothing else is" eval '[ "$(grep -c "left behind" "$SCRATCH/imported")" = 2 ]'
check "and the exit status says so" test $IMPORT_STATUS -eq 1
check "certificate and data came" grep -q '1 certificates, 1 data objects' "$SCRATCH/imported"
ours() { p11_user --slot 2 "$@"; }
both_sign() { # ID MECHANISM: the same key signs in both
	local id=$1 mechanism=$2
	soft --sign --mechanism "$mechanism" --id "$id" --input-file "$SCRATCH/hash" --output-file "$SCRATCH/theirs" &&
		ours --sign --mechanism "$mechanism" --id "$id" --input-file "$SCRATCH/hash" --output-file "$SCRATCH/ours" || return
	case $mechanism in
	ECDSA) soft --verify --mechanism "$mechanism" --id "$id" --input-file "$SCRATCH/hash" --signature-file "$SCRATCH/ours" | grep -q 'is valid' &&
		ours --verify --mechanism "$mechanism" --id "$id" --input-file "$SCRATCH/hash" --signature-file "$SCRATCH/theirs" | grep -q 'is valid' ;;
	*) cmp "$SCRATCH/theirs" "$SCRATCH/ours" ;;
	esac
}
check "RSA signs the same" both_sign 11 SHA256-RSA-PKCS
check "EC signs for the other's public key" both_sign 12 ECDSA
check "Ed25519 signs the same" both_sign 16 EDDSA
head -c 64 /dev/zero >"$SCRATCH/plain"
check "AES encrypts the same" eval 'soft --encrypt --mechanism AES-CBC --iv 00112233445566778899aabbccddeeff --id 13 --input-file "$SCRATCH/plain" --output-file "$SCRATCH/theirs" && ours --encrypt --mechanism AES-CBC --iv 00112233445566778899aabbccddeeff --id 13 --input-file "$SCRATCH/plain" --output-file "$SCRATCH/ours" && cmp "$SCRATCH/theirs" "$SCRATCH/ours"'
check "the certificate is the same" eval 'admin key export-public --class certificate --label s-cert --format der --slot 2 --pin-file "$SCRATCH/user-pin" | cmp - "$SCRATCH/ec.der"'
check "the data is the same" eval 'ours --read-object --type data --label s-data --output-file "$SCRATCH/data" && cmp "$SCRATCH/data" "$SCRATCH/hash"'
check "what came over is sensitive, and stays" eval '[ "$(listing 2 | jq "[.objects[] | select(.class == \"private\" or .class == \"secret\") | .sensitive and (.extractable | not)] | all")" = true ]'
check "no key of the import stays behind" eval '[ "$(soft --list-objects --type secrkey 2>/dev/null | grep -c "Secret Key Object")" = 1 ]'

# ---- self-tests and bench ----
check "selftest" contains 'ML-KEM-768' admin selftest
check "selftest --json" eval '[ "$(admin selftest --json | jq .failed)" = 0 ]'
check "bench" eval 'admin bench --seconds 1 --json --pin-file "$SCRATCH/user-pin" | jq -e ".results | length == 6 and all(.per_second > 0)"'
check "the audit chain is intact" admin audit verify-chain "$SCRATCH/audit.jsonl"
agent_stop
ktap_done
