/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C_Digest*. The specification gives these no length error, so data beyond the limit is
 * CKR_ARGUMENTS_BAD.
 */
#include "stream.h"

EXPORT CK_RV C_DigestInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism)
{
	struct wire_digest_init_request request = {.session = session};
	CK_RV rv;
	connection_auto connection = mechanism ? instance_borrow_plain(&rv) : instance_borrow(&rv);

	if (!connection)
		return rv;
	if (!mechanism)
		return stream_cancel(connection, session, CKF_DIGEST);
	rv = host_parameter_encode(mechanism, &connection->scratch[SCRATCH_MECHANISM],
	                           &request.mechanism);
	return rv ? rv
	          : deferred_init(connection, DEFERRED_DIGEST, &exchange_message_of_digest_init,
	                          &request, session);
}

STREAM_ONCE(C_Digest, digest, CKR_ARGUMENTS_BAD, DEFERRED_DIGEST)
STREAM_FEED(C_DigestUpdate, digest_update, CKR_ARGUMENTS_BAD, DEFERRED_DIGEST)

EXPORT CK_RV C_DigestKey(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
	struct wire_digest_key_request request = {.session = session, .key = key};
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	rv = deferred_failure(connection, DEFERRED_DIGEST, session);
	return rv ? rv : request_digest_key(connection, &request, NULL);
}

STREAM_FINAL(C_DigestFinal, digest_final, DEFERRED_DIGEST)
