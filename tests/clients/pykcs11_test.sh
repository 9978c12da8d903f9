#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 120
# python3-pykcs11: reads every attribute of every object one by one, those that do not apply too; signs, encrypts, searches.
. "$(dirname "$0")/../lib.sh"
ktap_plan
if ! /usr/bin/python3 -c 'import PyKCS11' 2>/dev/null; then
	skip pykcs11 "python3-pykcs11 is not installed"
	ktap_done
fi
scratch
cd "$SCRATCH" || exit 1
AGENT_CONFIG='threads = 2'
agent_start || { ktap_fail "agent starts"; ktap_done; }
check "token init" token_init pykcs11
check "RSA key" p11_user --keypairgen --key-type rsa:2048 --id 01 --label rsa
check "EC key" p11_user --keypairgen --key-type EC:prime256v1 --id 02 --label ec
check "Ed25519 key" p11_user --keypairgen --key-type EC:edwards25519 --id 03 --label ed
check "AES key" p11_user --keygen --key-type aes:32 --id 04 --label aes
openssl req -x509 -newkey rsa:2048 -nodes -keyout c.key -subj /CN=certificate -outform DER -out c.der 2>/dev/null
check "certificate" p11_user --write-object c.der --type cert --id 05 --label certificate
head -c 100 /dev/urandom >data
check "data object" p11_user --write-object data --type data --label data
check "PyKCS11: every attribute, find, sign, encrypt, digest" /usr/bin/python3 "$TOP/tests/clients/pykcs11.py" "$MODULE" "$USER_PIN" "$SCRATCH"
p11 --read-object --type pubkey --label rsa -o rsa.der >/dev/null 2>&1
openssl pkey -pubin -inform DER -in rsa.der -out rsa.pub
check "its RSA signature verified by openssl" openssl dgst -sha256 -verify rsa.pub -signature rsa.sig data
check "its digest is openssl's" test "$(openssl dgst -sha256 -r data | cut -c1-64)" = "$(cat digest.hex)"
check "B10: no session is left" wait_for 5 sessions_freed
ktap_done
