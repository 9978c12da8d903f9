#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 180
# GnuTLS: p11tool and certtool find the token by its URI, generate, test and export keys, and sign certificates with them.
. "$(dirname "$0")/../lib.sh"
ktap_plan
if ! command -v p11tool >/dev/null || ! command -v certtool >/dev/null; then
	skip p11tool "gnutls-bin is not installed"
	ktap_done
fi
scratch
cd "$SCRATCH" || exit 1
export GNUTLS_PIN=$USER_PIN GNUTLS_SO_PIN=$SO_PIN
URI='pkcs11:token=gnutls%20token'
tool() { p11tool --provider "$MODULE" --batch "$@"; }
TOKEN_CONFIG='present_uninitialized = true'
agent_start || { ktap_fail "agent starts"; ktap_done; }

# GnuTLS lists no token without a label, but finds it by an empty URI.
initialise() { tool --initialize --label 'gnutls token' 'pkcs11:' && tool --initialize-pin "$URI"; }
check "--initialize and --initialize-pin" initialise
if ! tool --list-tokens 2>/dev/null | grep -q "gnutls"; then
	token_init 'gnutls token' 2>&1 | comment
fi
check "--list-tokens names the token" contains "Label: gnutls token" tool --list-tokens
check "--list-tokens has the URI" contains "token=gnutls%20token" tool --list-tokens
same_uri() { [ "$(tool --list-token-urls)" = "$(tool --list-token-urls)" ] && [ -n "$(tool --list-token-urls)" ]; }
check "the URI is stable" same_uri
check "--list-mechanisms" contains "CKM_RSA_PKCS" tool --list-mechanisms "$URI"

generate() { # LABEL OPTIONS
	tool --login --label "$1" --outfile "$1.pem" "${@:2}" "$URI" && openssl pkey -pubin -in "$1.pem" -noout
}
check "--generate-rsa" generate rsa --generate-privkey=rsa --bits=2048
check "--generate-ecc" generate ecc --generate-privkey=ecdsa --curve=secp256r1
check "--generate-ecc P-384" generate ecc384 --generate-privkey=ecdsa --curve=secp384r1
if tool --login --label ed --outfile ed.pem --generate-privkey=ed25519 "$URI" >ed.out 2>&1; then
	ktap_ok "--generate-privkey=ed25519"
	check "Ed25519: the public key parses" openssl pkey -pubin -in ed.pem -noout
elif grep -q 'unsupported feature' ed.out; then
	skip "--generate-privkey=ed25519" "this GnuTLS cannot (nor with SoftHSM2)"
else
	comment <ed.out
	ktap_fail "--generate-privkey=ed25519"
fi
for label in rsa ecc; do
	check "--list-all shows $label" contains "Label: $label" tool --login --list-all "$URI"
	check "--list-all-privkeys shows $label" contains "object=$label;type=private" tool --login --list-all-privkeys "$URI"
	export_public() {
		tool --login --export-pubkey --outfile "$label.again" "$URI;object=$label;type=private" &&
			[ "$(openssl pkey -pubin -in $label.again -outform DER | sha256sum)" = \
				"$(openssl pkey -pubin -in $label.pem -outform DER | sha256sum)" ]
	}
	check "--export-pubkey of $label is the key that was generated" export_public
	check "--test-sign with $label" tool --login --test-sign "$URI;object=$label;type=private"
done
check "--test-sign with RSA-PSS" tool --login --test-sign --sign-params=RSA-PSS --hash=SHA256 "$URI;object=rsa;type=private"
check "--test-sign with P-384" tool --login --test-sign --hash=SHA384 "$URI;object=ecc384;type=private"
[ ! -s ed.pem ] || check "--test-sign with Ed25519" tool --login --test-sign --hash=SHA512 "$URI;object=ed;type=private"

printf 'cn = "token signed"\nserial = 7\nexpiration_days = 2\nca\ncert_signing_key\n' >template
self_signed() { # LABEL
	certtool --provider "$MODULE" --generate-self-signed --template template --load-privkey "$URI;object=$1;type=private" \
		--load-pubkey "$URI;object=$1;type=public" --outfile "$1-cert.pem" &&
		openssl verify -CAfile "$1-cert.pem" -check_ss_sig "$1-cert.pem" &&
		[ "$(openssl x509 -in "$1-cert.pem" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum)" = \
			"$(openssl pkey -pubin -in "$1.pem" -outform DER | sha256sum)" ]
}
check "certtool: self-signed certificate with RSA" self_signed rsa
check "certtool: self-signed certificate with EC" self_signed ecc
write_certificate() {
	tool --login --write --load-certificate rsa-cert.pem --label rsa --no-mark-private "$URI" &&
		tool --export --outfile back.pem "$URI;object=rsa;type=cert" &&
		[ "$(openssl x509 -in back.pem -outform DER | sha256sum)" = "$(openssl x509 -in rsa-cert.pem -outform DER | sha256sum)" ]
}
check "--write and --export a certificate" write_certificate
check "--list-all-certs shows it" contains "type=cert" tool --list-all-certs "$URI"
delete() { tool --login --delete "$URI;object=ecc384;type=private" && ! tool --login --list-all "$URI" | grep -q 'object=ecc384;type=private'; }
check "--delete" delete
wrong_pin() { ! GNUTLS_PIN=wrong-pin-0000 tool --login --list-all-privkeys "$URI" | grep -q type=private; }
check "a wrong PIN shows no private key" wrong_pin
ktap_done
