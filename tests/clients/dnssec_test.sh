#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 120
# DNSSEC by Knot: kzonesign makes a zone's keys in the token and signs with them; dnssec-verify and ldns-verify-zone check the zone.
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
	printf '$ORIGIN %s.\n$TTL 300\n@ SOA ns hostmaster 1 300 300 3000 300\n@ NS ns\nns A 127.0.0.1\n' "$1" >"$1.zone"
	for n in $(seq 50); do echo "host$n A 127.0.1.$n"; done >>"$1.zone"
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
check "B10: no session is left" wait_for 5 sessions_freed
ktap_done
