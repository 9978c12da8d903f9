#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 120
# DNSSEC by Knot: kzonesign makes a zone's keys in the token and signs with them; by BIND 9.20: dnssec-keyfromlabel takes keys of the
# token, dnssec-signzone signs with them. dnssec-verify and ldns-verify-zone check the zones.
. "$(dirname "$0")/../lib.sh"
ktap_plan
if ! command -v kzonesign >/dev/null || ! command -v ldns-verify-zone >/dev/null || ! command -v dnssec-verify >/dev/null; then
	skip dnssec "knot-dnssecutils, bind9-utils or ldnsutils is not installed"
	ktap_done
fi
scratch
cd "$SCRATCH" || exit 1
AGENT_CONFIG='threads = 2'
agent_start || { ktap_fail "agent starts"; ktap_done; }
check "token init" token_init dns
write_zone() { # ZONE
	printf '$ORIGIN %s.\n$TTL 300\n@ SOA ns hostmaster 1 300 300 3000 300\n@ NS ns\nns A 127.0.0.1\n' "$1" >"$1.zone"
	for n in $(seq 50); do echo "host$n A 127.0.1.$n"; done >>"$1.zone"
}
sign_zone() { # ZONE ALGORITHM
	mkdir -p "kasp-$1"
	cat >"$1.conf" <<END
server:
  rundir: "$SCRATCH"
database:
  storage: "$SCRATCH/kasp-$1"
keystore:
  - id: token
    backend: pkcs11
    config: "pkcs11:token=dns;pin-value=$USER_PIN $MODULE"
policy:
  - id: signed
    keystore: token
    algorithm: $2
zone:
  - domain: $1
    storage: "$SCRATCH"
    file: $1.zone
    dnssec-policy: signed
END
	write_zone "$1"
	mkdir -p "signed-$1"
	kzonesign -c "$1.conf" -o "signed-$1" "$1" && ls "signed-$1" && cp "signed-$1/"* "$1.signed"
}
private_keys() { p11_user --list-objects --type privkey 2>/dev/null | grep -c 'never extractable'; }
tampered() { # ZONE
	sed 's/127\.0\.1\.7$/127.0.1.77/' "$1.signed" >"$1.tampered" && ! cmp -s "$1.signed" "$1.tampered" &&
		! dnssec-verify -o "$1" "$1.tampered" && ! ldns-verify-zone "$1.tampered"
}
KEYS=0
for zone in "ec.example ecdsap256sha256" "rsa.example rsasha256"; do
	# shellcheck disable=SC2086
	set -- $zone
	KEYS=$((KEYS + 2))
	check "$2: the zone is signed" sign_zone "$@"
	check "$2: its two keys are in the token, and never leave it" test "$(private_keys)" = $KEYS
	check "$2: dnssec-verify" dnssec-verify -o "$1" "$1.signed"
	check "$2: ldns-verify-zone" ldns-verify-zone "$1.signed"
	check "$2: a tampered zone is refused by both" tampered "$1"
done

# ---- BIND, by the provider; 9.18 (Debian 12) ends before it opens a module, see docs/clients.md ----
PROVIDER=$(openssl version -m | sed -n 's/.*"\(.*\)"/\1/p')/pkcs11.so
bind_new() { [ -e "$PROVIDER" ] && command -v dnssec-keyfromlabel && printf '9.20\n%s\n' "$(dnssec-keygen -V | cut -d' ' -f2)" | sort -CV; }
provider_config 'pkcs11-module-quirks = no-deinit no-operation-state' 'pkcs11-module-load-behavior = early' >openssl.cnf
bind() { OPENSSL_CONF=$SCRATCH/openssl.cnf "$@"; }
from_label() { # ZONE ALGORITHM LABEL OPTIONS
	bind dnssec-keyfromlabel -K "keys-$1" -a "$2" -l "pkcs11:token=dns;object=$3;pin-source=file:$SCRATCH/user-pin" "${@:4}" "$1"
}
bind_keys() { # ZONE ALGORITHM TYPE
	mkdir "keys-$1"
	p11_user --keypairgen --key-type "$3" --id "1$KEYS" --label "ksk-$1" && p11_user --keypairgen --key-type "$3" --id "2$KEYS" --label "zsk-$1" &&
		from_label "$1" "$2" "ksk-$1" -f KSK && from_label "$1" "$2" "zsk-$1" && [ "$(cat "keys-$1"/*.private | grep -c '^Label:')" = 2 ] &&
		! grep -qE '^(PrivateKey|PrivateExponent|Prime)' "keys-$1"/*.private
}
bind_signs() { # ZONE
	write_zone "$1"
	bind dnssec-signzone -S -K "keys-$1" -o "$1" -f "$1.signed" "$1.zone"
}
if bind_new >/dev/null; then
	for zone in "bind-ec.example ECDSAP256SHA256 EC:prime256v1" "bind-rsa.example RSASHA256 rsa:2048"; do
		# shellcheck disable=SC2086
		set -- $zone
		KEYS=$((KEYS + 2))
		check "$2: dnssec-keyfromlabel takes two keys of the token" bind_keys "$@"
		check "$2: dnssec-signzone signs the zone with them" bind_signs "$1"
		check "$2: dnssec-verify" dnssec-verify -o "$1" "$1.signed"
		check "$2: ldns-verify-zone" ldns-verify-zone "$1.signed"
		check "$2: a tampered zone is refused by both" tampered "$1"
	done
fi
check "B10: no session is left" wait_for 5 sessions_freed
ktap_done
