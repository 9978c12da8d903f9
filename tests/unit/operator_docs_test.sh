#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The operator's documents: each message of troubleshooting.md is in the source, each verb that a document types exists, the quick start
# runs as it stands, and docs/rows.md names tests that are there.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
cd "$TOP" || exit 1
# Messages: what stands in backquotes and is no command, path, key or CKR_ name.
messages() {
	grep -oE '`[^`]+`' docs/troubleshooting.md | tr -d '`' |
		grep -vE '^(craton-hsm-|systemctl|CKR_|CRATON_|--|df$|ps |dmesg|storage_path|max_rw_sessions|LimitMEMLOCK|openssl |tls_[a-z_]+$|operations$|craton_grpc_|pid$|uninitialized$|key list$|VERB|\[)'
}
missing_messages() {
	local message
	messages | while IFS= read -r message; do
		# A message that is put together: its words up to the first that changes.
		grep -rqF -- "$message" agent lib scripts/integrity.c || grep -rqF -- "${message% }" agent lib || echo "$message"
	done
}
check "troubleshooting.md has many messages" eval '[ "$(messages | wc -l)" -ge 25 ]'
check "each is in the source" eval '[ -z "$(missing_messages | tee /dev/stderr)" ]'
verbs() { sed -nE 's/^VERB\("([a-z-]+)", (NULL|"([a-z-]+)").*/\1 \3/p' agent/admin/verb.def | sed 's/ $//'; }
unknown_verbs() {
	grep -ohE 'craton-hsm-admin [a-z]+( [a-z-]+)?' README.md $(ls docs/*.md | grep -v configuration.md) | sed 's/craton-hsm-admin //' | sort -u | while read -r first second; do
		verbs | grep -qxE "$first( $second)?" || verbs | grep -qx "$first" || { [ -z "$second" ] && verbs | grep -q "^$first "; } || echo "$first $second"
	done
}
check "documents type only verbs that exist" eval '[ -z "$(unknown_verbs | tee /dev/stderr)" ]'
quick_start() {
	sed -n '/<!-- quick start -->/,/^```$/p' docs/installation.md | sed '1,2d;$d' >"$SCRATCH/quick.sh"
	[ "$(wc -l <"$SCRATCH/quick.sh")" -gt 20 ] || return 1
	HOME=$SCRATCH/home PATH=$BUILD:$PATH CRATON_HSM_MODULE=$MODULE timeout 60 bash -e "$SCRATCH/quick.sh"
}
mkdir "$SCRATCH/home"
quick_start >"$SCRATCH/quick.out" 2>&1 </dev/null
check "the quick start runs as it stands" eval "cat '$SCRATCH/quick.out'; exit $?"
check "and its signature verified" grep -q 'Verified OK' "$SCRATCH/quick.out"
rows() { grep -oE '^\| B[0-9]+ ' docs/rows.md | tr -d '| '; }
check "docs/rows.md has rows B1 to B14 and B20 to B28" diff <(rows) <(printf 'B%s\n' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 20 21 22 23 24 25 26 27 28)
named_tests() { grep '^| B' docs/rows.md | grep -oE '`tests/[^` ]+' | tr -d '`' | sort -u; }
check "the tests that it names are there" eval 'for t in $(named_tests); do [ -e "$t" ] || { echo "$t"; exit 1; }; done; [ "$(named_tests | wc -l)" -ge 20 ]'
ktap_done
