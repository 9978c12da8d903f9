#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What --json prints is what docs/admin.schema.json says, for each verb; and the schema has every verb (B24).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
SCHEMA=$TOP/docs/admin.schema.json
fits() { # VERB ARGUMENT...: --json of it fits the schema of the verb
	local verb=$1
	shift
	# shellcheck disable=SC2086
	admin $verb --json "$@" >"$SCRATCH/out.json" || [ "$verb" = 'token import' ] || return 1
	/usr/bin/python3 - "$SCHEMA" "$verb" "$SCRATCH/out.json" <<-'END'
		import json, sys
		import jsonschema
		schema = json.load(open(sys.argv[1]))
		value = json.load(open(sys.argv[3]))
		jsonschema.Draft202012Validator({**schema, "$ref": "#/$defs/" + sys.argv[2]}).validate(value)
	END
}
verbs() { sed -nE 's/^VERB\("([a-z-]+)", (NULL|"([a-z-]+)").*/\1 \3/p' "$TOP/agent/admin/verb.def" | sed 's/ $//'; }
in_schema() { jq -e --arg verb "$1" '."$defs" | has($verb)' "$SCHEMA" >/dev/null; }
# What prints no object: a stream, scripts, text that is what was asked for.
others='events|completion|manual|audit export-ndjson|audit export-syslog'
every_verb() { verbs | grep -vxE "$others" | while read -r verb; do in_schema "$verb" || { echo "$verb"; exit 1; }; done; }
check "the schema has every verb" every_verb
check "there are that many" eval '[ "$(verbs | wc -l)" -ge 30 ]'
check "the schema is one" /usr/bin/python3 -c 'import json, sys, jsonschema; jsonschema.Draft202012Validator.check_schema(json.load(open(sys.argv[1])))' "$SCHEMA"
agent_start || { ktap_fail "agent starts"; ktap_done; }
PIN=(--pin-file "$SCRATCH/user-pin")
SO=(--so-pin-file "$SCRATCH/so-pin")
echo 'a long enough passphrase' >"$SCRATCH/passphrase"
openssl ecparam -name prime256v1 -genkey -noout -out "$SCRATCH/ec.pem"
check "token list, uninitialised" fits 'token list'
check "token init" fits 'token init' --label j "${SO[@]}" "${PIN[@]}"
check "token info" fits 'token info'
check "status" fits status
check "key generate" fits 'key generate' --type rsa:2048 --label k --end-date 2090-01-01 "${PIN[@]}"
check "key import" fits 'key import' "$SCRATCH/ec.pem" --label e "${PIN[@]}"
check "key list" fits 'key list' --class all "${PIN[@]}"
check "key export-public" fits 'key export-public' --label k "${PIN[@]}"
check "key compromise" fits 'key compromise' --label e --force "${PIN[@]}"
check "key list with a compromised one" fits 'key list' "${PIN[@]}"
check "key delete" fits 'key delete' --label e --force "${PIN[@]}"
check "backup" fits backup "$SCRATCH/b" "${SO[@]}" --passphrase-file "$SCRATCH/passphrase"
check "restore" fits restore "$SCRATCH/b" --replace "${SO[@]}" --passphrase-file "$SCRATCH/passphrase"
printf 'another-pin-1234\n' >"$SCRATCH/other-pin"
check "pin change" fits 'pin change' "${PIN[@]}" --new-pin-file "$SCRATCH/other-pin"
check "pin reset" fits 'pin reset' "${SO[@]}" --new-pin-file "$SCRATCH/user-pin"
check "audit rotate" fits 'audit rotate'
check "audit public-key" fits 'audit public-key'
check "audit verify-chain" fits 'audit verify-chain' "$SCRATCH"/audit.jsonl*
check "audit export-json" fits 'audit export-json' "$SCRATCH/audit.jsonl"
check "audit dump" fits 'audit dump' "$SCRATCH/audit.jsonl"
check "selftest" fits selftest
check "bench" fits bench --seconds 1 "${PIN[@]}"
check "volume list" fits 'volume list' "${PIN[@]}"
export SOFTHSM2_CONF=$SCRATCH/softhsm2.conf
mkdir "$SCRATCH/softhsm"
echo "directories.tokendir = $SCRATCH/softhsm" >"$SOFTHSM2_CONF"
softhsm2-util --init-token --free --label soft --so-pin 12345678 --pin 87654321 >/dev/null
echo 87654321 >"$SCRATCH/soft-pin"
pkcs11-tool --module /usr/lib/softhsm/libsofthsm2.so --login --pin 87654321 --keypairgen --key-type EC:prime256v1 --id 11 --label stays >/dev/null 2>&1
check "token import" fits 'token import' --module /usr/lib/softhsm/libsofthsm2.so --source-label soft --source-pin-file "$SCRATCH/soft-pin" "${PIN[@]}"
sed -i '2s/"uid":0/"uid":1/' "$SCRATCH"/audit.jsonl.0*
verdict() { ! admin audit verify-chain --json "$SCRATCH"/audit.jsonl* >"$SCRATCH/out.json" 2>/dev/null && jq -e '.fault == "edited" and .line == 2' "$SCRATCH/out.json"; }
check "a bad log's verdict has its fault and line" verdict
agent_stop
ktap_done
