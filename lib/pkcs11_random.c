/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C_SeedRandom and C_GenerateRandom. The generator is the agent's; the library has none, but may
 * have octets of it that were drawn ahead.
 */
#include <string.h>

#include "random_ahead.h"
#include "stream.h"

EXPORT CK_RV C_SeedRandom(CK_SESSION_HANDLE session, CK_BYTE *seed, CK_ULONG seed_len)
{
	struct wire_seed_random_request request = {.session = session, .seed = {seed, seed_len}};
	CK_RV rv;
	connection_auto connection = instance_borrow_plain(&rv);

	if (!connection)
		return rv;
	rv = stream_check_data(seed, seed_len, CKR_ARGUMENTS_BAD);
	if (rv)
		return rv;
	deferred_changed(connection); /* what was drawn before does not know the seed */
	return request_seed_random(connection, &request, NULL);
}

EXPORT CK_RV C_GenerateRandom(CK_SESSION_HANDLE session, CK_BYTE *random, CK_ULONG random_len)
{
	struct wire_generate_random_request request = {
		.session = session,
		.random_len = random_len,
	};
	struct wire_generate_random_reply reply;
	CK_RV rv;
	connection_auto connection = instance_borrow_plain(&rv);

	if (!connection)
		return rv;
	if (!random || random_len > WIRE_DATA_LIMIT)
		return CKR_ARGUMENTS_BAD;
	if (random_ahead_take(connection, session, random, random_len, &rv))
		return rv;
	rv = request_generate_random(connection, &request, &reply);
	if (rv)
		return rv;
	if (reply.random.len != random_len)
		return channel_bad_reply(connection);
	if (random_len)
		memcpy(random, reply.random.data, random_len);
	return CKR_OK;
}
