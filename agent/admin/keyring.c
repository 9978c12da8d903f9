/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin keyring publish: has the agent put its tokens' metadata into the kernel's
 * keyrings anew, for keyctl(1).
 */
#include <stdio.h>

#include "admin.h"

int admin_keyring_publish(const struct admin_options *options)
{
	struct wire_admin_keyring_publish_request request = {0};
	struct wire_admin_keyring_publish_reply reply;
	admin_session_auto session = {0};
	CK_RV rv;

	if (!admin_session_reach(options, CHANNEL_HELLO, "keyring publish", &session))
		return ADMIN_FAILED;
	rv = request_admin_keyring_publish(session.connection, &request, &reply);
	if (rv)
		return admin_fail_rv("keyring publish", rv);
	if (options->json)
		return admin_print_json(json_pack("{s:I, s:i}", "keyring", (json_int_t)reply.serial,
		                                  "keys", reply.count));
	printf("%u\n", reply.serial);
	return ADMIN_DONE;
}
