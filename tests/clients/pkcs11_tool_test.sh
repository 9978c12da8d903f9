#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 300
# OpenSC's pkcs11-tool as its users run it, row B4 and B20/B21; every result is checked with openssl.
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
cd "$SCRATCH" || exit 1

p11_so() { p11 --login --login-type so --so-pin "$SO_PIN" "$@"; }
lacks() { # TEXT COMMAND...: the command works and its output does not contain it
	local text=$1 output
	shift
	output=$("$@" 2>&1) || { printf '%s\n' "$output"; return 1; }
	printf '%s\n' "$output"
	! grep -qF -- "$text" <<<"$output"
}
fails_with() { # TEXT COMMAND...: it fails and says TEXT
	local text=$1 output
	shift
	output=$("$@" 2>&1) && { printf '%s\n' "$output"; return 1; }
	printf '%s\n' "$output"
	grep -qF -- "$text" <<<"$output"
}
offers() { awk '{print $1}' mechanisms | grep -qx -- "$1,\?"; } # MECHANISM
hex() { od -An -v -tx1 "$1" | tr -d ' \n'; }
unhex() { printf '%b' "$(sed 's/../\\x&/g' <<<"$1")"; }

# ---- B4: a fresh store ----
agent_start || { ktap_fail "agent starts"; ktap_done; }
check "B4: the slot is listed" contains "Slot 0 (0x0)" p11 --list-slots
no_token_slot() { ! p11 --list-token-slots 2>&1 | grep -q '^Slot '; }
check "B4: no slot has a token" no_token_slot
check "B4: status says uninitialized" contains uninitialized admin status
check "B4: admin initialises it" token_init "$(printf 'first')"
check "B4: then the token is listed" contains "first" p11 --list-token-slots
check_here "agent stops" agent_stop
rm -rf store audit.jsonl device.key

# ---- B4: present_uninitialized ----
TOKEN_CONFIG='present_uninitialized = true'
agent_start || { ktap_fail "agent starts again"; ktap_done; }
check "B4: an uninitialised token is shown" contains "uninitialized" p11 --list-token-slots
SLOT=$(p11 --list-token-slots 2>/dev/null | sed -n 's/^Slot [0-9]* (\(0x[0-9a-f]*\)).*/\1/p' | head -n1)
check "init-token" p11 --slot "$SLOT" --init-token --label craton --so-pin "$SO_PIN"
check "the label is shown" contains "craton" p11 --list-token-slots
check "no user PIN yet" lacks "PIN initialized" p11 --list-token-slots
check "init-pin" p11_so --init-pin --new-pin "$USER_PIN"
check "user PIN is initialised" contains "PIN initialized" p11 --list-token-slots
check "a wrong SO PIN cannot initialise again" fails_with CKR_PIN_INCORRECT \
	p11 --slot "$SLOT" --init-token --label other --so-pin wrong-pin-00000
check "the label stays" contains craton p11 --list-token-slots

# ---- mechanisms ----
p11 --list-mechanisms >mechanisms.raw 2>&1
sed -n 's/^ *\([A-Za-z0-9_-]*\), .*/\1/p; s/^ *\([A-Za-z0-9_-]*\)$/\1/p' mechanisms.raw >mechanisms
for mechanism in RSA-PKCS-KEY-PAIR-GEN RSA-PKCS SHA256-RSA-PKCS RSA-PKCS-PSS SHA256-RSA-PKCS-PSS RSA-PKCS-OAEP \
	ECDSA-KEY-PAIR-GEN ECDSA ECDSA-SHA256 ECDH1-DERIVE AES-KEY-GEN AES-CBC AES-CBC-PAD AES-GCM AES-CTR AES-ECB SHA256 SHA384 \
	SHA512 SHA256-HMAC GENERIC-SECRET-KEY-GEN; do
	check "mechanism $mechanism is listed" offers "$mechanism"
done
raw_rsa_off() { ! offers RSA-X-509; }
check "raw RSA is not listed" raw_rsa_off

# ---- key generation ----
generate() { # TYPE ID LABEL [more]
	p11_user --keypairgen --key-type "$1" --id "$2" --label "$3" "${@:4}"
}
check "keypairgen RSA 2048" generate rsa:2048 01 rsa
check "keypairgen P-256" generate EC:prime256v1 02 p256
check "keypairgen P-384" generate EC:secp384r1 03 p384
check "keypairgen P-521" generate EC:secp521r1 04 p521
check "keypairgen P-256 for derivation" generate EC:prime256v1 05 ecdh --usage-derive
ED=
if p11_user --keypairgen --key-type EC:edwards25519 --id 06 --label ed >ed.out 2>&1; then
	ED=1
	ktap_ok "keypairgen Ed25519"
elif grep -qi 'unknown EC key params\|Unknown key type' ed.out; then
	skip "keypairgen Ed25519" "this pkcs11-tool does not know edwards25519"
else
	comment <ed.out
	ktap_fail "keypairgen Ed25519"
fi
check "keygen AES-256" p11_user --keygen --key-type AES:32 --id 10 --label aes
check "keygen AES-256, extractable" p11_user --keygen --key-type AES:32 --id 11 --label aes-out --extractable
check "keygen generic secret" p11_user --keygen --key-type GENERIC:32 --id 12 --label generic
check "a 1024 bit RSA key is refused" fails_with CKR_KEY_SIZE_RANGE generate rsa:1024 09 weak

p11_user --list-objects >objects 2>&1
listed() { grep -A12 -F "$1" objects | grep -q "label: *$2"; }
check "list-objects shows the RSA private key" listed "Private Key Object; RSA" rsa
check "list-objects shows the RSA public key" listed "Public Key Object; RSA 2048 bits" rsa
check "list-objects shows the P-384 public key" listed "Public Key Object; EC" p384
check "list-objects shows the AES key" listed "Secret Key Object; AES length 32" aes
check "private keys are hidden without login" lacks "Private Key Object" p11 --list-objects
check "public keys are seen without login" contains "Public Key Object; RSA" p11 --list-objects
check "the generated key is local, sensitive and never extractable" contains \
	"sensitive, always sensitive, never extractable, local" p11_user --list-objects --type privkey --id 01

# ---- public keys ----
public_key() { # ID NAME
	p11 --read-object --type pubkey --id "$1" -o "$2.der" && openssl pkey -pubin -inform DER -in "$2.der" -out "$2.pem"
}
# OpenSC 0.23 cannot read P-384 ("cannot create EVP_PKEY", with SoftHSM2 as well): put together from the listed point.
public_p384() {
	local point
	point=$(p11 --list-objects --type pubkey --id 03 | sed -n 's/.*EC_POINT: *0461//p' | tr -d ' ')
	[ ${#point} = 194 ] || { echo "EC_POINT is '$point'"; return 1; }
	unhex "3076301006072a8648ce3d020106052b81040022036200$point" >p384.der
	openssl pkey -pubin -inform DER -in p384.der -pubcheck -out p384.pem
}
check "the P-384 public key is on the curve" public_p384
for pair in 01:rsa 02:p256 04:p521 05:ecdh; do
	check "read-object ${pair#*:} public key parses" public_key "${pair%:*}" "${pair#*:}"
done

# ---- signatures ----
head -c 1000 /dev/urandom >data
printf tampered >other
for hash in sha1 sha224 sha256 sha384 sha512; do openssl dgst -$hash -binary data >data.$hash; done

# sign_verify NAME ID MECHANISM SIGN-OPTIONS -- OPENSSL-OPTIONS: the file `in` says what is signed and verified.
sign_verify() {
	local name=$1 id=$2 mechanism=$3 input=$4 sign=() verify=()
	shift 4
	while [ $# -gt 0 ] && [ "$1" != -- ]; do sign+=("$1"); shift; done
	shift
	verify=("$@")
	rm -f signature
	p11_user --sign --id "$id" -m "$mechanism" "${sign[@]}" -i "$input" -o signature || return 1
	"${verify[@]}" -signature signature data >verify.out 2>&1 || { cat verify.out; return 1; }
	! "${verify[@]}" -signature signature other >/dev/null 2>&1
}
dgst() { openssl dgst -"$1" -verify "$2.pem" "${@:3}"; }
for hash in sha224 sha256 sha384 sha512; do
	check "sign ${hash^^}-RSA-PKCS" sign_verify rsa 01 "${hash^^}-RSA-PKCS" data -- dgst $hash rsa
	check "sign ${hash^^}-RSA-PKCS-PSS" sign_verify rsa 01 "${hash^^}-RSA-PKCS-PSS" data -- \
		dgst $hash rsa -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest
done
check "sign RSA-PKCS-PSS over a digest" sign_verify rsa 01 RSA-PKCS-PSS data.sha256 --hash-algorithm SHA256 --mgf MGF1-SHA256 \
	--salt-len 32 -- dgst sha256 rsa -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32
{ unhex 3031300d060960864801650304020105000420; cat data.sha256; } >digest_info
check "sign RSA-PKCS over a DigestInfo" sign_verify rsa 01 RSA-PKCS digest_info -- dgst sha256 rsa
sha1_signing() { fails_with CKR_ p11_user --sign --id 01 -m SHA1-RSA-PKCS -i data -o sha1.sig; }
check "signing with SHA-1 is refused" sha1_signing
for pair in p256:02 p384:03 p521:04; do
	key=${pair%:*} id=${pair#*:}
	check "sign ECDSA with $key" sign_verify "$key" "$id" ECDSA data.sha256 -f openssl -- dgst sha256 "$key"
	for hash in sha256 sha384 sha512; do
		if offers "ECDSA-${hash^^}"; then
			check "sign ECDSA-${hash^^} with $key" sign_verify "$key" "$id" "ECDSA-${hash^^}" data -f openssl -- dgst $hash "$key"
		else
			ktap_fail "sign ECDSA-${hash^^} with $key: not offered"
		fi
	done
done
rs_length() { p11_user --sign --id 02 -m ECDSA -f rs -i data.sha256 -o rs.sig && [ "$(stat -c %s rs.sig)" = 64 ]; }
check "a raw P-256 signature has 64 octets" rs_length
token_verify() {
	p11_user --sign --id 01 -m SHA256-RSA-PKCS -i data -o token.sig || return 1
	contains "Signature is valid" p11_user --verify --id 01 -m SHA256-RSA-PKCS -i data --signature-file token.sig || return 1
	lacks "Signature is valid" eval 'p11_user --verify --id 01 -m SHA256-RSA-PKCS -i other --signature-file token.sig || :'
}
check "the token verifies its signature and rejects another text" token_verify
sign_openssl_verify_token() {
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out own.pem 2>/dev/null &&
		openssl pkey -in own.pem -pubout -outform DER -out own.der &&
		p11_user --write-object own.der --type pubkey --id 20 --label own --usage-sign &&
		openssl dgst -sha256 -sign own.pem -out own.sig data &&
		contains "Signature is valid" p11_user --verify --id 20 -m SHA256-RSA-PKCS -i data --signature-file own.sig
}
check "the token verifies what openssl signed, with a written public key" sign_openssl_verify_token
ed_sign() {
	local point
	point=$(p11 --list-objects --type pubkey --id 06 | sed -n 's/.*EC_POINT: *0420//p' | tr -d ' ')
	[ ${#point} = 64 ] || { echo "EC_POINT is '$point'"; return 1; }
	unhex "302a300506032b6570032100$point" >ed.der
	p11_user --sign --id 06 -m EDDSA -i data -o ed.sig &&
		openssl pkeyutl -verify -pubin -keyform DER -inkey ed.der -rawin -in data -sigfile ed.sig &&
		! openssl pkeyutl -verify -pubin -keyform DER -inkey ed.der -rawin -in other -sigfile ed.sig
}
if [ -n "$ED" ]; then check "sign EDDSA" ed_sign; else skip "sign EDDSA" "no Ed25519 key"; fi

# ---- RSA decryption ----
decrypt_rsa() { # MECHANISM token options -- openssl options
	local mechanism=$1 token=()
	shift
	while [ "$1" != -- ]; do token+=("$1"); shift; done
	shift
	rm -f plain
	openssl pkeyutl -encrypt -pubin -inkey rsa.pem "$@" -in data.sha256 -out cipher &&
		p11_user --decrypt --id 01 -m "$mechanism" "${token[@]}" -i cipher -o plain && cmp plain data.sha256
}
check "decrypt RSA-PKCS" decrypt_rsa RSA-PKCS -- -pkeyopt rsa_padding_mode:pkcs1
for hash in sha1 sha256 sha384; do
	check "decrypt RSA-PKCS-OAEP with ${hash^^}" decrypt_rsa RSA-PKCS-OAEP --hash-algorithm "${hash/sha1/SHA-1}" --mgf "MGF1-${hash^^}" -- \
		-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:$hash -pkeyopt rsa_mgf1_md:$hash
done

# ---- AES ----
head -c 32 /dev/urandom >aes.key
IV=000102030405060708090a0b0c0d0e0f
check "write-object AES key" p11_user --write-object aes.key --type secrkey --key-type AES:32 --id 13 --label known \
	--usage-decrypt --extractable
aes() { # MECHANISM OPENSSL-CIPHER INPUT [openssl options]
	local mechanism=$1 cipher=$2 input=$3
	shift 3
	rm -f aes.cipher aes.plain
	p11_user --encrypt --id 13 -m "$mechanism" --iv $IV -i "$input" -o aes.cipher &&
		openssl enc -d "-$cipher" -K "$(hex aes.key)" -iv $IV "$@" -in aes.cipher -out aes.plain && cmp aes.plain "$input" &&
		openssl enc "-$cipher" -K "$(hex aes.key)" -iv $IV "$@" -in "$input" -out aes.cipher &&
		p11_user --decrypt --id 13 -m "$mechanism" --iv $IV -i aes.cipher -o aes.plain && cmp aes.plain "$input"
}
head -c 4096 /dev/urandom >blocks
check "AES-CBC both ways against openssl" aes AES-CBC aes-256-cbc blocks -nopad
check "AES-CBC-PAD both ways against openssl" aes AES-CBC-PAD aes-256-cbc data
aes_ecb() {
	p11_user --encrypt --id 13 -m AES-ECB -i blocks -o aes.cipher &&
		openssl enc -d -aes-256-ecb -K "$(hex aes.key)" -nopad -in aes.cipher -out aes.plain && cmp aes.plain blocks
}
check "AES-ECB against openssl" aes_ecb
if pkcs11-tool --help 2>&1 | grep -q -- --tag-bits; then
	gcm_round() {
		p11_user --encrypt --id 13 -m AES-GCM --iv 000102030405060708090a0b --aad 0102 --tag-bits-len 128 -i data -o gcm.cipher &&
			[ "$(stat -c %s gcm.cipher)" = 1016 ] &&
			p11_user --decrypt --id 13 -m AES-GCM --iv 000102030405060708090a0b --aad 0102 --tag-bits-len 128 -i gcm.cipher -o gcm.plain &&
			cmp gcm.plain data
	}
	check "AES-GCM round trip" gcm_round
else
	skip "AES-GCM" "this pkcs11-tool cannot set its parameters"
fi

# ---- digests ----
hash_token() { p11_user --hash -m "${1^^}" -i data -o hash.out && cmp hash.out "data.$1"; }
for hash in sha224 sha256 sha384 sha512; do check "hash ${hash^^}" hash_token $hash; done
hash_sha1() { p11_user --hash -m SHA-1 -i data -o hash.out && cmp hash.out data.sha1; }
check "hash SHA-1" hash_sha1
hmac() {
	p11_user --sign --id 14 -m SHA256-HMAC -i data -o hmac.out &&
		[ "$(hex hmac.out)" = "$(openssl dgst -sha256 -mac HMAC -macopt "hexkey:$(hex aes.key)" data | sed 's/.*= //')" ]
}
check "write-object generic secret" p11_user --write-object aes.key --type secrkey --id 14 --label mac --usage-sign
check "SHA256-HMAC against openssl" hmac

# ---- ECDH ----
derive() {
	openssl ecparam -name prime256v1 -genkey -noout -out peer.pem && openssl pkey -in peer.pem -pubout -outform DER -out peer.der &&
		p11_user --derive -m ECDH1-DERIVE --id 05 -i peer.der -o shared.token &&
		openssl pkeyutl -derive -inkey peer.pem -peerkey ecdh.pem -out shared.openssl && cmp shared.token shared.openssl
}
check "ECDH1-DERIVE against openssl" derive

# ---- other objects ----
openssl req -x509 -key own.pem -subj "/CN=pkcs11-tool test" -days 2 -outform DER -out cert.der 2>/dev/null
certificate() {
	p11_user --write-object cert.der --type cert --id 20 --label cert &&
		p11 --read-object --type cert --id 20 -o cert.back && cmp cert.der cert.back &&
		contains "CN=pkcs11-tool test" p11 --list-objects --type cert
}
check "write and read a certificate" certificate
read_written_public() { p11 --read-object --type pubkey --id 20 -o own.back && cmp own.der own.back; }
check "read back the written public key" read_written_public
data_object() {
	p11_user --write-object data --type data --label blob --application-label tests --private &&
		p11_user --read-object --type data --label blob --application-label tests -o data.back && cmp data data.back
}
check "write and read a private data object" data_object
data_hidden() { ! p11 --read-object --type data --label blob -o /dev/null; }
check "the private data object needs login" data_hidden
import_private() {
	openssl pkey -in own.pem -outform DER -out own-private.der &&
		p11_user --write-object own-private.der --type privkey --id 20 --label own --usage-sign &&
		p11_user --sign --id 20 -m SHA256-RSA-PKCS -i data -o own.sig &&
		openssl pkey -in own.pem -pubout -out own-public.pem && openssl dgst -sha256 -verify own-public.pem -signature own.sig data
}
check "write an RSA private key and sign with it" import_private
import_ec() {
	openssl pkey -in peer.pem -outform DER -out peer-private.der && openssl pkey -in peer.pem -pubout -out peer-public.pem &&
		p11_user --write-object peer-private.der --type privkey --id 21 --label peer --usage-sign &&
		p11_user --sign --id 21 -m ECDSA -f openssl -i data.sha256 -o peer.sig &&
		openssl dgst -sha256 -verify peer-public.pem -signature peer.sig data
}
check "write an EC private key and sign with it" import_ec
not_readable() { fails_with "" p11_user --read-object --type secrkey --id 10 -o aes.leak && [ ! -s aes.leak ]; }
check "a sensitive AES key cannot be read" not_readable

# ---- wrap and unwrap ----
if p11 --help 2>&1 | grep -q -- '--wrap'; then
	check "keypairgen RSA for wrapping" generate rsa:2048 07 wrapper --usage-wrap --usage-decrypt
	public_key 07 wrapper >/dev/null 2>&1
	unwrap() {
		openssl pkeyutl -encrypt -pubin -inkey wrapper.pem -pkeyopt rsa_padding_mode:pkcs1 -in aes.key -out wrapped &&
			p11_user --unwrap -m RSA-PKCS --id 07 -i wrapped --key-type AES: --application-id 30 --application-label unwrapped \
				--extractable &&
			p11_user --encrypt --id 30 -m AES-CBC --iv $IV -i blocks -o aes.cipher &&
			openssl enc -d -aes-256-cbc -nopad -K "$(hex aes.key)" -iv $IV -in aes.cipher -out aes.plain && cmp aes.plain blocks
	}
	check "unwrap an AES key with RSA-PKCS and use it" unwrap
	wrap() {
		p11_user --wrap -m RSA-PKCS --id 07 --application-id 13 -o wrapped.token &&
			p11_user --decrypt -m RSA-PKCS --id 07 -i wrapped.token -o unwrapped && cmp unwrapped aes.key
	}
	check "wrap an AES key with RSA-PKCS; what is in it is the key" wrap
	not_wrapping() { fails_with CKR_KEY_FUNCTION_NOT_PERMITTED p11_user --wrap -m RSA-PKCS --id 01 --application-id 13 -o wrapped.no; }
	check "a key that may not wrap does not" not_wrapping
	unextractable() { fails_with CKR_KEY_UNEXTRACTABLE p11_user --wrap -m RSA-PKCS --id 07 --application-id 10 -o wrapped.no; }
	check "an unextractable key cannot be wrapped" unextractable
else
	skip "wrap and unwrap" "this pkcs11-tool cannot"
fi

# ---- the tool's own tests ----
own_tests() { p11_user --allow-sw --test >test.out 2>&1; local status=$?; cat test.out; [ $status = 0 ] && grep -q "No errors" test.out; }
check "--test --login says No errors" own_tests
signs_in_test() { grep -q "Signatures: not implemented" test.out && return 1
	grep -q "all 4 signature functions seem to work" test.out && grep -q "SHA256-RSA-PKCS: OK" test.out || { cat test.out; return 1; }; }
check "--test tried signatures" signs_in_test
check "--test-fork" p11_user --test-fork
random() { p11 --generate-random 64 -o random && [ "$(stat -c %s random)" = 64 ]; }
check "--generate-random" random
check "--test-threads" p11_user --use-locking --test-threads ILGISLT0 --test-threads ILGISLT0

# ---- delete, PINs ----
delete() { p11_user --delete-object --type secrkey --id 11 && lacks "aes-out" p11_user --list-objects; }
check "delete-object" delete
delete_without_login() { ! p11 --delete-object --type privkey --id 01 && contains "label:      rsa" p11_user --list-objects --type privkey; }
check "delete-object needs login for a private key" delete_without_login
check "a wrong PIN is CKR_PIN_INCORRECT" fails_with CKR_PIN_INCORRECT p11 --login --pin wrong-pin-1234 --list-objects
check "the right PIN works after the back-off" wait_for 10 p11_user --list-objects
check "change-pin" p11 --login --pin "$USER_PIN" --change-pin --new-pin new-user-pin-1
check "the new PIN works" p11 --login --pin new-user-pin-1 --list-objects
check "the old PIN does not" fails_with CKR_PIN_INCORRECT p11_user --list-objects
check "a PIN that is too short is refused" eval 'wait_for 10 p11 --login --pin new-user-pin-1 --list-objects &&
	fails_with CKR_PIN_LEN_RANGE p11 --login --pin new-user-pin-1 --change-pin --new-pin abc'

# ---- what a restart keeps ----
check_here "agent stops with status 0" agent_stop
agent_start || { ktap_fail "agent restarts"; ktap_done; }
USER_PIN=new-user-pin-1
check "after a restart the RSA key signs" sign_verify rsa 01 SHA256-RSA-PKCS data -- dgst sha256 rsa
check "the audit chain is intact" admin audit verify-chain "$SCRATCH/audit.jsonl"
agent_stop
ktap_done
