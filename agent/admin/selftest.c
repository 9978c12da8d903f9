/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin selftest: the power-on self-tests, once more.
 */
#include <stdio.h>
#include <string.h>

#include "admin.h"

static json_t *fetch(const struct admin_options *options)
{
	struct wire_admin_self_test_request request = {0};
	struct wire_admin_self_test_reply reply;
	admin_session_auto session = {0};
	CK_RV rv;

	if (!admin_session_reach(options, CHANNEL_HELLO, "selftest", &session))
		return NULL;
	rv = request_admin_self_test(session.connection, &request, &reply);
	if (!rv)
		return admin_parse_json(reply.json);
	admin_fail_rv("selftest", rv);
	return NULL;
}

int admin_selftest(const struct admin_options *options)
{
	json_t *report = fetch(options), *test;
	long long failed;
	size_t index;

	if (!report)
		return ADMIN_FAILED;
	failed = admin_json_number(report, "failed");
	if (options->json) {
		admin_print_json(report);
	} else {
		json_array_foreach(json_object_get(report, "tests"), index, test)
			printf("%-24s %s\n", admin_json_text(test, "name"),
		               admin_json_text(test, "result"));
		json_decref(report);
	}
	if (failed)
		return admin_fail("%lld self-tests failed; the agent is in its error state, which "
		                  "a restart ends",
		                  failed);
	return ADMIN_DONE;
}
