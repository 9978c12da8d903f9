/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin audit rotate and audit public-key.
 */
#include <stdio.h>

#include "admin.h"

int admin_audit_rotate(const struct admin_options *options)
{
	struct wire_audit_rotate_request request = {0};
	struct wire_audit_rotate_reply reply;
	admin_session_auto session = {0};
	CK_RV rv;

	if (!admin_session_reach(options, CHANNEL_HELLO, "audit rotate", &session))
		return ADMIN_FAILED;
	rv = request_audit_rotate(session.connection, &request, &reply);
	if (rv)
		return admin_fail_rv("audit rotate", rv);
	if (options->json)
		return admin_print_json(json_pack("{s:s, s:s%}", "done", "audit log rotated",
		                                  "segment", (const char *)reply.segment.data,
		                                  (size_t)reply.segment.len));
	printf("%.*s\n", (int)reply.segment.len, (const char *)reply.segment.data);
	return ADMIN_DONE;
}

int admin_audit_public_key(const struct admin_options *options)
{
	struct wire_audit_public_key_request request = {0};
	struct wire_audit_public_key_reply reply;
	admin_session_auto session = {0};
	CK_RV rv;

	if (!admin_session_reach(options, CHANNEL_HELLO, "audit public-key", &session))
		return ADMIN_FAILED;
	rv = request_audit_public_key(session.connection, &request, &reply);
	if (rv)
		return admin_fail_rv("audit public-key", rv);
	if (options->json)
		return admin_print_json(json_pack("{s:s%}", "public_key",
		                                  (const char *)reply.pem.data,
		                                  (size_t)reply.pem.len));
	printf("%.*s", (int)reply.pem.len, (const char *)reply.pem.data);
	return ADMIN_DONE;
}
