#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 120
# NSS: modutil adds the module, certutil makes keys and certificates on the token, pk12util brings a key in; openssl checks them.
. "$(dirname "$0")/../lib.sh"
ktap_plan
if ! command -v modutil >/dev/null || ! command -v certutil >/dev/null; then
	skip nss "libnss3-tools is not installed"
	ktap_done
fi
scratch
cd "$SCRATCH" || exit 1
AGENT_CONFIG='threads = 2'
agent_start || { ktap_fail "agent starts"; ktap_done; }
check "token init" token_init nss
mkdir db
: >empty
DB=sql:$SCRATCH/db
database() { certutil -N -d "$DB" --empty-password && modutil -dbdir "$DB" -force -add craton -libfile "$MODULE" -mechanisms FRIENDLY </dev/null; }
check "modutil -add" database
check "modutil -list names the token" contains "token: nss" modutil -dbdir "$DB" -list
cert() { certutil -d "$DB" -h nss -f user-pin "$@"; }
head -c 2048 /dev/urandom >noise
self_signed() { # NAME OPTIONS
	cert -S -x -n "$1" -s "CN=$1" -t ,, -z noise -m "$((RANDOM + 1))" -v 1 "${@:2}" && cert -L -n "nss:$1" -a >"$1.pem" &&
		openssl verify -check_ss_sig -CAfile "$1.pem" "$1.pem" &&
		p11 --read-object --type cert --label "$1" -o "$1.der" && cmp "$1.der" <(openssl x509 -in "$1.pem" -outform DER)
}
check "certutil -S: RSA key and certificate on the token" self_signed rsa -k rsa -g 2048
check "certutil -S: P-256 key and certificate on the token" self_signed ec -k ec -q nistp256
check "certutil -K lists both keys" test "$(cert -K 2>/dev/null | grep -c '^<')" = 2
request() { cert -R -k rsa -g 2048 -s CN=leaf -z noise -a -o leaf.csr && request_verifies leaf.csr; }
check "certutil -R: a request verified by openssl" request
# ---- a CA whose key is in the token; it asks: a CA? path length? critical? ----
ca() { printf 'y\n\ny\n' | cert -S -x -n "$1" -s "CN=$1" -t ,, -z noise -m "$((RANDOM + 1))" -v 1 -2 "${@:2}" && cert -L -n "nss:$1" -a >"$1.pem"; }
issue() { # CA OTHER-CA: for a stranger's request
	openssl req -new -newkey rsa:2048 -nodes -keyout leaf.key -subj "/CN=leaf of $1" -out leaf.csr &&
		cert -C -c "nss:$1" -i leaf.csr -a -o "leaf-$1.pem" -m "$((RANDOM + 1))" -v 1 &&
		openssl verify -CAfile "$1.pem" "leaf-$1.pem" && ! openssl verify -CAfile "$2.pem" "leaf-$1.pem" &&
		[ "$(openssl x509 -in "leaf-$1.pem" -noout -pubkey)" = "$(openssl pkey -in leaf.key -pubout)" ]
}
check "certutil -S -2: a CA with an RSA key" ca rsa-ca -k rsa -g 2048
check "certutil -S -2: a CA with a P-256 key" ca ec-ca -k ec -q nistp256
check "certutil -C: the RSA CA signs a certificate" issue rsa-ca ec-ca
check "certutil -C: the P-256 CA signs a certificate" issue ec-ca rsa-ca
import() {
	openssl req -x509 -newkey rsa:2048 -nodes -keyout in.key -subj /CN=imported -days 2 -out in.crt &&
		openssl pkcs12 -export -inkey in.key -in in.crt -name imported -passout pass:p12-password -out in.p12 &&
		pk12util -d "$DB" -h nss -i in.p12 -k user-pin -W p12-password
}
check "pk12util -i brings a key and its certificate into the token" import
imported_signs() {
	local id
	id=$(p11 --list-objects --type cert 2>/dev/null | awk '$1 == "label:" { l = $2 } $1 == "ID:" && l == "imported" { print $2 }')
	head -c 100 noise >data
	p11_user --sign --mechanism SHA256-RSA-PKCS --id "$id" -i data -o sig &&
		openssl x509 -in in.crt -noout -pubkey >in.pub && openssl dgst -sha256 -verify in.pub -signature sig data
}
check "the imported key signs for its certificate" imported_signs
wrong() { echo wrong-pin-0000 >wrong && ! certutil -K -d "$DB" -h nss -f wrong </dev/null; }
check "a wrong PIN lists no key" wrong
remove() { cert -F -n nss:ec && ! p11 --read-object --type cert --label ec -o gone; }
check "certutil -F deletes key and certificate" remove
check "modutil -delete" modutil -dbdir "$DB" -force -delete craton
check "B10: no session is left" wait_for 5 sessions_freed
ktap_done
