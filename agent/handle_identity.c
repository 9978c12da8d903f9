/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A front (cratond) says whom it speaks for: from then on every audit record of that application
 * names the remote client. Only those are believed who could act for anybody anyway, and the
 * front's own user ([daemon].user).
 */
#include "handle.h"

#include <unistd.h>

static bool is_front(const struct call *call)
{
	uid_t uid = call->application->uid;

	return uid == 0 || uid == geteuid() ||
	       (call->agent->front_uid != (uid_t)-1 && uid == call->agent->front_uid);
}

/* Printable ASCII: the text goes into the audit log. A certificate's names come escaped. */
static bool is_printable(struct wire_bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < 0x20 || text.data[i] > 0x7e)
			return false;
	return true;
}

enum err handle_identity(struct call *call, const struct wire_identity_request *request,
                         struct wire_identity_reply *reply)
{
	(void)reply;
	if (!is_front(call))
		return ERROR_DENIED;
	if (!request->client.len || request->client.len > WIRE_CLIENT_MAX ||
	    !is_printable(request->client))
		return ERROR_ARGUMENTS;
	return application_name_client(call->application, request->client);
}
