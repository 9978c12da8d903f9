#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 120
# gpgsm, whose card daemon is gnupg-pkcs11-scd: learns the token's certificate, signs and decrypts with its key; openssl cms checks and seals.
. "$(dirname "$0")/../lib.sh"
ktap_plan
PROVIDER=$(openssl version -m | sed -n 's/.*"\(.*\)"/\1/p')/pkcs11.so
DAEMON=$(command -v gnupg-pkcs11-scd)
if ! command -v gpgsm >/dev/null || ! command -v gpg-agent >/dev/null || [ -z "$DAEMON" ] || [ ! -e "$PROVIDER" ]; then
	skip gpgsm "gpgsm, gpg-agent, gnupg-pkcs11-scd or pkcs11-provider is not installed"
	ktap_done
fi
scratch
cd "$SCRATCH" || exit 1
AGENT_CONFIG='threads = 2'
agent_start || { ktap_fail "agent starts"; ktap_done; }
check "token init" token_init gpg
check "RSA key" p11_user --keypairgen --key-type rsa:2048 --id 01 --label signer
provider_config "pkcs11-module-token-pin = file:$SCRATCH/user-pin" >openssl.cnf
cat >>openssl.cnf <<END
[req]
distinguished_name = dn
x509_extensions = usage
[dn]
[usage]
keyUsage = critical,digitalSignature,nonRepudiation,keyEncipherment,keyCertSign
basicConstraints = critical,CA:TRUE
subjectKeyIdentifier = hash
END
certificate() {
	OPENSSL_CONF=openssl.cnf openssl req -x509 -new -key "pkcs11:token=gpg;object=signer;type=private" -subj /CN=signer -days 2 -out signer.crt &&
		openssl x509 -in signer.crt -outform DER -out signer.der && p11_user --write-object signer.der --type cert --id 01 --label signer
}
check "its certificate" certificate

export GNUPGHOME=$SCRATCH/gnupg
mkdir -m 700 gnupg
# Who is asked for the PIN.
cat >pinentry <<'END'
#!/bin/sh
echo 'OK ready'
while read -r command _; do
	[ "$command" != GETPIN ] || echo "D $(cat "$SCRATCH/pin")"
	echo OK
	[ "$command" != BYE ] || exit 0
done
END
chmod 700 pinentry
cp user-pin pin
printf 'scdaemon-program %s\npinentry-program %s/pinentry\n' "$DAEMON" "$SCRATCH" >gnupg/gpg-agent.conf
printf 'providers craton\nprovider-craton-library %s\n' "$MODULE" >gnupg/gnupg-pkcs11-scd.conf
echo disable-crl-checks >gnupg/gpgsm.conf
echo "$(openssl x509 -in signer.crt -noout -fingerprint -sha1 | sed 's/.*=//') S relax" >gnupg/trustlist.txt
trap 'gpgconf --kill all; gpgconf --remove-socketdir; scratch_cleanup' EXIT
learn() { gpg-connect-agent 'SCD LEARN' /bye && gpgsm --batch --import signer.crt && gpgsm --batch --learn-card; }
check "the card daemon finds the certificate and its key" contains "/CN=signer on gpg" learn
check "gpgsm has the key" contains "Subject: /CN=signer" gpgsm --batch -K
head -c 1000 /dev/urandom >data
printf other >other
signs() { # FILE
	rm -f signature
	gpgsm --batch -u signer --detach-sign --output signature "$1" && gpgsm --batch --verify signature "$1" && ! gpgsm --batch --verify signature other
}
check "gpgsm signs and verifies, and refuses another text" signs data
cms() { openssl cms -verify -binary -inform DER -in signature -content "$1" -certfile signer.crt -CAfile signer.crt -purpose any -out same; } # FILE
# GnuPG takes a card's signature for a signed number: half of them get an octet 0 before them, which openssl refuses.
as_long_as_the_key() { openssl asn1parse -inform DER -in signature | grep 'OCTET STRING' | tail -n 1 | grep -q 'l= 256 '; }
cms_agrees() {
	local n
	for n in $(seq 40); do
		echo "text $n" >text
		signs text || return 1
		as_long_as_the_key || continue
		cms text && cmp same text && ! cms other
		return
	done
	return 1
}
check "openssl cms verifies, and refuses another text" cms_agrees
decrypt() {
	rm -f plain
	openssl cms -encrypt -binary -aes256 -in data -outform DER -out sealed signer.crt && gpgsm --batch --decrypt --output plain sealed &&
		cmp plain data
}
check "gpgsm decrypts what openssl cms sealed" decrypt
gpgconf --kill all
echo wrong-pin-0000 >pin
no_signature() {
	rm -f signature
	contains 'Bad PIN' gpgsm --batch -u signer --detach-sign --output signature data && ! gpgsm --batch --verify signature data
}
check "not with a wrong PIN" no_signature
gpgconf --kill all
check "B10: no session is left" wait_for 5 sessions_freed
ktap_done
