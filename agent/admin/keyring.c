/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin keyring publish: has the agent put its tokens' metadata into the kernel's
 * keyrings anew, for keyctl(1).
 */
#include <stdio.h>

#include "admin.h"

static CK_RV publish(struct channel *channel, struct wire_admin_keyring_publish_reply *reply)
{
	struct wire_admin_keyring_publish_request request = {0};
	CK_RV rv;
	connection_auto connection = channel_borrow(channel, &rv);

	return connection ? request_admin_keyring_publish(connection, &request, reply) : rv;
}

int admin_keyring_publish(const struct admin_options *options)
{
	struct wire_admin_keyring_publish_reply reply;
	struct channel *channel;
	CK_RV rv;

	if (!admin_connect(options, CHANNEL_HELLO, &channel))
		return ADMIN_FAILED;
	rv = publish(channel, &reply);
	channel_close(channel);
	if (rv)
		return admin_fail_rv("keyring publish", rv);
	if (options->json)
		return admin_print_json(json_pack("{s:I, s:i}", "keyring", (json_int_t)reply.serial,
		                                  "keys", reply.count));
	printf("%u\n", reply.serial);
	return ADMIN_DONE;
}
