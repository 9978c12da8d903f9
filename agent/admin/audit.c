/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin audit verify-chain: offline, from the files alone.
 */
#include <stdio.h>

#include "admin.h"
#include "audit_verify.h"

static json_t *as_json(const struct audit_verdict *verdict)
{
	json_t *json = json_pack("{s:b, s:I, s:s}", "intact", verdict->intact, "records",
	                         (json_int_t)verdict->records, "last_hash", verdict->last_hash);

	if (json && !verdict->intact) {
		json_object_set_new(json, "file", json_string(verdict->first_bad_file));
		json_object_set_new(json, "line",
		                    json_integer((json_int_t)verdict->first_bad_line));
		json_object_set_new(json, "problem", json_string(verdict->problem));
	}
	return json;
}

int admin_audit_verify(const struct admin_options *options)
{
	struct audit_verdict verdict;

	if (!options->argument_count) {
		admin_fail("audit verify-chain: name the log's files, oldest first");
		return ADMIN_USAGE;
	}
	if (audit_verify((const char *const *)options->arguments, (size_t)options->argument_count,
	                 &verdict))
		return admin_fail("%s", verdict.problem);
	if (options->json)
		admin_print_json(as_json(&verdict));
	else if (verdict.intact)
		printf("intact: %llu records, last hash %s\n", (unsigned long long)verdict.records,
		       verdict.last_hash);
	if (verdict.intact)
		return ADMIN_DONE;
	return admin_fail("%s:%llu: %s", verdict.first_bad_file,
	                  (unsigned long long)verdict.first_bad_line, verdict.problem);
}
