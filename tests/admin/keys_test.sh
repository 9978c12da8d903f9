#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# craton-hsm-admin token, pin and key, used as an operator does and checked with other programs: pkcs11-tool sees the same
# objects, openssl the same keys. B5, B12 (the states), B24, B28 (files).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
agent_start || { ktap_fail "agent starts"; ktap_done; }

key() { admin key "$@" --pin-file "$SCRATCH/user-pin"; }
# The value of a jq-like path, by Python: FIELD of the object with this LABEL and CLASS.
field() { # LABEL CLASS FIELD
	key list --json --class all | python3 -c '
import json, sys
label, kind, name = sys.argv[1:]
found = [o for o in json.load(sys.stdin)["objects"] if o["label"] == label and o["class"] == kind]
assert len(found) == 1, found
value = found[0][name]
print(",".join(value) if isinstance(value, list) else value)' "$@"
}
is() { local wanted=$1 got; shift; got=$("$@") || return 1; echo "got $got"; [ "$got" = "$wanted" ]; }

# ---- tokens ----
check "a fresh slot is listed as uninitialised" contains 'slot 0: uninitialized' admin token list
check "token init" token_init "operator's"
check "token list tells label and PIN" contains "\"operator's\"" admin token list
check "token info --json" contains '"so_pin_failures": 0' admin --json token info
check "token info of a slot that is not there" fails_with 1 'there is no slot 7' admin token info --slot 7
check "an option of another verb is refused" fails_with 2 'status does not take --cipher' admin status --cipher x
check "a verb that is none" fails_with 2 'frobnicate: no such verb' admin frobnicate
check "VERB --help names its options" contains '--end-date DATE' admin key generate --help

# ---- keys ----
generates() { key generate --type "$1" --label "$2" && is "$1" field "$2" "$3" type; }
check "key generate rsa:2048" generates rsa:2048 k-rsa private
check "key generate ec:P-256" generates ec:P-256 k-ec private
check "key generate ec:P-384" generates ec:P-384 k-ec384 public
check "key generate ed25519" generates ed25519 k-ed private
check "key generate x25519" generates x25519 k-x private
check "key generate aes:256" generates aes:256 k-aes secret
check "key generate hmac:256" generates hmac:256 k-hmac secret
check "key generate aes-xts:512" generates aes-xts:512 k-xts secret
check "key generate chacha20" generates chacha20 k-chacha secret
check "a wrong type lists the right ones" fails_with 2 'ec:P-256' key generate --type dsa:1024 --label x
check "a wrong size is refused" fails_with 2 'no such type' key generate --type aes:257 --label x
check "generated keys are sensitive" is True field k-rsa private sensitive
check "and not extractable" is False field k-rsa private extractable
check "and active" is active field k-rsa private state
check "pkcs11-tool sees them" contains 'k-ec384' p11_user --list-objects
check "--usage says what a pair may do" key generate --type rsa:2048 --label only-sign --usage sign --id 0a0b
check "the private half" is sign field only-sign private usage
check "the public half" is verify field only-sign public usage
check "--id is kept" is 0a0b field only-sign private id
check "--usage refuses what is none" fails_with 2 'encrypt, decrypt' key generate --type aes:128 --label x --usage eat
check "--extractable" key generate --type aes:128 --label out --extractable
check "is listed" is True field out secret extractable
check "--always-authenticate" key generate --type ec:P-256 --label each-time --always-authenticate
check "is listed, too" is True field each-time private always_authenticate

# ---- the life of a key (B12) ----
check "a key with dates" key generate --type ec:P-256 --label dated --start-date 2020-01-01 --end-date 2098-12-31
check "is active between them" is active field dated private state
check "a day that is none" fails_with 2 'a day as YYYY-MM-DD' key generate --type aes:128 --label x --end-date 2026-02-30
check "an end before the start" fails_with 1 'CKR_TEMPLATE_INCONSISTENT' \
	key generate --type aes:128 --label x --start-date 2026-03-01 --end-date 2026-02-01
check "key compromise wants --force" fails_with 1 'cannot be undone' key compromise --label dated
check "key compromise wants a name" fails_with 2 'name the key' key compromise --force
check "key compromise" contains 'key compromised: 2 objects' key compromise --label dated --force
check "both halves are" is compromised field dated public state
head -c 32 /dev/urandom >"$SCRATCH/hash"
check "a compromised key signs nothing" contains CKR_KEY_FUNCTION_NOT_PERMITTED \
	p11_user --sign --mechanism ECDSA --id "$(field dated private id)" --input-file "$SCRATCH/hash" --output-file "$SCRATCH/signature"
agent_stop
agent_start || { ktap_fail "agent starts again"; ktap_done; }
check "a restart keeps it so" is compromised field dated private state

# ---- export ----
check "export-public in PEM" eval 'key export-public --label k-rsa >"$SCRATCH/rsa.pem" && openssl pkey -pubin -in "$SCRATCH/rsa.pem" -noout'
check "in DER to a file" eval 'key export-public --label k-ec --format der --output "$SCRATCH/ec.der" && openssl pkey -pubin -inform DER -in "$SCRATCH/ec.der" -noout'
check "an output file is not overwritten" fails_with 1 'File exists' key export-public --label k-ec --output "$SCRATCH/ec.der"
check "ed25519 is exported" eval 'key export-public --label k-ed | openssl pkey -pubin -noout -text | grep -q ED25519'
check "no key of that name" fails_with 1 'no such key' key export-public --label nobody
signs_for_openssl() {
	p11_user --sign --mechanism SHA256-RSA-PKCS --id "$(field k-rsa private id)" --input-file "$SCRATCH/hash" --output-file "$SCRATCH/signature" &&
		openssl dgst -sha256 -verify "$SCRATCH/rsa.pem" -signature "$SCRATCH/signature" "$SCRATCH/hash"
}
check "the exported key verifies the token's signature" signs_for_openssl

# ---- import ----
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$SCRATCH/i-rsa.pem" 2>/dev/null ||
	openssl genrsa -out "$SCRATCH/i-rsa.pem" 2048 2>/dev/null
openssl ecparam -name prime256v1 -genkey -noout -out "$SCRATCH/i-ec.pem"
openssl genpkey -algorithm ED25519 -outform DER -out "$SCRATCH/i-ed.der"
openssl req -x509 -key "$SCRATCH/i-ec.pem" -subj /CN=imported -days 30 -out "$SCRATCH/i-ec.crt"
echo 'file password' >"$SCRATCH/file-password"
openssl pkcs8 -topk8 -in "$SCRATCH/i-rsa.pem" -passout "file:$SCRATCH/file-password" -out "$SCRATCH/i-encrypted.pem"
openssl pkcs12 -export -inkey "$SCRATCH/i-ec.pem" -in "$SCRATCH/i-ec.crt" -passout "file:$SCRATCH/file-password" -out "$SCRATCH/i.p12"

signs_like() { # LABEL MECHANISM FILE DIGEST-OPTIONS...: the token signs, openssl verifies with the file's public key
	local label=$1 mechanism=$2 file=$3
	openssl pkey -in "$file" -pubout -out "$SCRATCH/public.pem" &&
		p11_user --sign --mechanism "$mechanism" --signature-format openssl --id "$(field "$label" private id)" \
			--input-file "$SCRATCH/hash" --output-file "$SCRATCH/signature" &&
		openssl dgst -sha256 -verify "$SCRATCH/public.pem" -signature "$SCRATCH/signature" "$SCRATCH/hash"
}
check "import of an RSA key in PEM" contains '1 private keys, 1 public keys' key import "$SCRATCH/i-rsa.pem" --label i-rsa
check "it signs as before" signs_like i-rsa SHA256-RSA-PKCS "$SCRATCH/i-rsa.pem"
check "an imported key is not local" is False field i-rsa private local
check "import of an EC key in PEM" key import "$SCRATCH/i-ec.pem" --label i-ec
check "it signs as before, too" signs_like i-ec ECDSA-SHA256 "$SCRATCH/i-ec.pem"
check "import of an Ed25519 key in DER" key import "$SCRATCH/i-ed.der"
check "its label is the file's name" is ed25519 field i-ed.der private type
check "an encrypted key" key import "$SCRATCH/i-encrypted.pem" --label i-encrypted --password-file "$SCRATCH/file-password"
check "is the same key" eval 'key export-public --label i-encrypted | cmp - <(key export-public --label i-rsa)'
check "a wrong password" fails_with 1 'the password is wrong' key import "$SCRATCH/i-encrypted.pem" --password-file "$SCRATCH/user-pin"
check "PKCS#12" contains '1 private keys, 1 public keys, 1 certificates' \
	key import "$SCRATCH/i.p12" --label i-p12 --password-file "$SCRATCH/file-password"
check "its key and certificate have the same id" eval '[ "$(field i-p12 private id)" = "$(field i-p12 certificate id)" ]'
check "the certificate comes out as it went in" eval 'key export-public --label i-p12 --class certificate | openssl x509 | cmp - <(openssl x509 -in "$SCRATCH/i-ec.crt")'
head -c 32 /dev/urandom >"$SCRATCH/aes.raw"
check "a symmetric key" contains '1 secret keys' key import "$SCRATCH/aes.raw" --type aes --label i-aes --id ae50
encrypts_alike() {
	head -c 64 /dev/zero >"$SCRATCH/plain"
	p11_user --encrypt --mechanism AES-ECB --id ae50 --input-file "$SCRATCH/plain" --output-file "$SCRATCH/cipher" &&
		openssl enc -aes-256-ecb -nopad -K "$(xxd -p -c 64 "$SCRATCH/aes.raw")" -in "$SCRATCH/plain" | cmp - "$SCRATCH/cipher"
}
check "it encrypts as openssl does" encrypts_alike
check "a file without a key" fails_with 1 'no key or certificate' key import "$SCRATCH/hash"
check "a file that is not there" fails_with 1 'No such file' key import "$SCRATCH/nothing"
count_objects() { key list --json --class all | grep -c '"unique_id"'; }
before=$(count_objects)
# The second key of the file is one that the token refuses: the first must not stay.
{ openssl pkey -in "$SCRATCH/i-ec.pem"; openssl genrsa 512 2>/dev/null; } >"$SCRATCH/two.pem"
check "a file of which half is refused" fails_with 1 'nothing was imported' key import "$SCRATCH/two.pem" --label half
check "leaves nothing" is "$before" count_objects

# ---- destroy ----
check "key delete wants --force" fails_with 1 '--force' key delete --label i-p12
check "key delete takes both halves" contains 'key deleted: 2 objects' key delete --label i-p12 --force
check "and leaves the certificate" contains i-p12 key list --class certificate
check "a second time there is none" fails_with 1 'no such key' key delete --label i-p12 --force

# ---- PINs ----
printf 'another-pin-1234\n' >"$SCRATCH/other-pin"
check "pin change" admin pin change --pin-file "$SCRATCH/user-pin" --new-pin-file "$SCRATCH/other-pin"
check "the old one is wrong now" fails_with 1 CKR_PIN_INCORRECT admin key list --pin-file "$SCRATCH/user-pin"
export OTHER=another-pin-1234
check "from the environment" admin key list --pin-env OTHER
check "from a descriptor" eval 'admin key list --pin-fd 7 7<"$SCRATCH/other-pin"'
check "pin change of the SO" admin pin change --so --so-pin-file "$SCRATCH/so-pin" --new-pin-file "$SCRATCH/other-pin"
check "and back" admin pin change --so --so-pin-file "$SCRATCH/other-pin" --new-pin-file "$SCRATCH/so-pin"
check "pin reset by the SO" admin pin reset --so-pin-file "$SCRATCH/so-pin" --new-pin-file "$SCRATCH/user-pin"
check "keeps every key" is active field k-rsa private state
check "two sources of one PIN" fails_with 1 'more than one source' admin key list --pin-file "$SCRATCH/user-pin" --pin-env OTHER

# ---- a terminal ----
on_terminal() { # WORD...: the command on a terminal of its own, which types the PIN when asked
	python3 - "$USER_PIN" "$@" <<-'END'
		import os, pty, sys
		pin, command = sys.argv[1], sys.argv[2:]
		child, terminal = pty.fork()
		if child == 0:
		    os.environ["TERM"] = "xterm"
		    os.execv(command[0], command)
		said, asked = b"", False
		while True:
		    try:
		        got = os.read(terminal, 4096)
		    except OSError:
		        break
		    if not got:
		        break
		    said += got
		    if b"user PIN:" in said and not asked:
		        asked = True
		        os.write(terminal, pin.encode() + b"\n")
		status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
		sys.stdout.buffer.write(said)
		sys.exit(0 if status == 0 and asked and pin.encode() not in said else 1)
	END
}
interrupted_prompt() { # ^C at the prompt: the program ends by the signal, and the terminal echoes again
	python3 - "$@" <<-'END'
		import os, pty, signal, sys, termios
		child, terminal = pty.fork()
		if child == 0:
		    os.execv(sys.argv[1], sys.argv[1:])
		said, echo = b"", lambda: bool(termios.tcgetattr(terminal)[3] & termios.ECHO)
		while b"user PIN:" not in said:
		    said += os.read(terminal, 4096)
		during = echo()
		os.write(terminal, b"\x03")
		status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
		print("status", status, "echo during", during, "after", echo())
		sys.exit(0 if status == -signal.SIGINT and not during and echo() else 1)
	END
}
check "^C at the prompt gives the echo back" interrupted_prompt "$BUILD/craton-hsm-admin" --socket "$SCRATCH/pkcs11.sock" key list
check "the PIN is asked for, without echo" on_terminal "$BUILD/craton-hsm-admin" --socket "$SCRATCH/pkcs11.sock" key list
colours() { on_terminal "$@" | grep -q $'\033\\[32mactive'; }
check "a terminal gets colours" colours "$BUILD/craton-hsm-admin" --socket "$SCRATCH/pkcs11.sock" key list
no_colours() { ! NO_COLOR=1 on_terminal "$BUILD/craton-hsm-admin" --socket "$SCRATCH/pkcs11.sock" key list | grep -q $'\033\\['; }
check "but not with NO_COLOR" no_colours
check "and a pipe never does" eval '! key list | grep -q "$(printf "\033")"'

# ---- completion and manual ----
completes() { # LINE WORD: bash offers the word
	bash --norc -c '
		. /dev/stdin
		read -ra COMP_WORDS <<<"$1"; [[ $1 == *" " ]] && COMP_WORDS+=("")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
		_craton_hsm_admin
		printf "%s\n" "${COMPREPLY[@]}" | grep -qx -- "$2"' bash "$1" "$2" < <(admin completion bash)
}
check "bash completes verbs" completes "craton-hsm-admin key gen" generate
check "bash completes options" completes "craton-hsm-admin key generate --start" --start-date
check "only those of the verb" eval '! completes "craton-hsm-admin status --start" --start-date'
if command -v zsh >/dev/null; then
	check "zsh takes its completion" eval 'admin completion zsh >"$SCRATCH/_craton" && zsh -n "$SCRATCH/_craton"'
else
	skip "zsh takes its completion" "zsh is not installed"
fi
if command -v fish >/dev/null; then
	check "fish takes its completion" eval 'admin completion fish >"$SCRATCH/craton.fish" && fish -n "$SCRATCH/craton.fish"'
else
	skip "fish takes its completion" "fish is not installed"
fi
check "another shell has none" fails_with 2 'bash, zsh or fish' admin completion csh
check "the manual page has no fault" eval 'admin manual >"$SCRATCH/admin.8" && ! man --warnings=all -l "$SCRATCH/admin.8" 2>&1 >/dev/null | grep .'
agent_stop
ktap_done
