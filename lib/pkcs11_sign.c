/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C_Sign*, C_Verify* and C_VerifySignature* (v3.2), without the recovering kinds
 * (pkcs11_unsupported.c).
 */
#include "stream.h"
#include "wire/cryptoki_3.h"

STREAM_INIT_KEPT(C_SignInit, sign_init, CKF_SIGN, DEFERRED_SIGN)
STREAM_ONCE(C_Sign, sign, CKR_DATA_LEN_RANGE, DEFERRED_SIGN)
STREAM_FEED(C_SignUpdate, sign_update, CKR_DATA_LEN_RANGE, DEFERRED_SIGN)
STREAM_FINAL(C_SignFinal, sign_final, DEFERRED_SIGN)

STREAM_INIT_KEPT(C_VerifyInit, verify_init, CKF_VERIFY, DEFERRED_VERIFY)
STREAM_FEED(C_VerifyUpdate, verify_update, CKR_DATA_LEN_RANGE, DEFERRED_VERIFY)

EXPORT CK_RV C_Verify(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_len,
                      CK_BYTE *signature, CK_ULONG signature_len)
{
	struct wire_verify_request request = {
		.session = session,
		.data = {data, data_len},
		.signature = {signature, signature_len},
	};
	CK_RV rv;
	connection_auto connection = instance_borrow_plain(&rv);

	if (!connection)
		return rv;
	rv = stream_check_data(data, data_len, CKR_DATA_LEN_RANGE);
	if (!rv)
		rv = stream_check_signature(signature, signature_len);
	if (!rv)
		rv = deferred_prepare(connection, DEFERRED_VERIFY, session);
	if (rv)
		return rv;
	if (!stream_in_parts(connection, STREAM_PARTS(verify, request), NULL, NULL, NULL, NULL,
	                     &rv))
		rv = request_verify(connection, &request, NULL);
	if (!rv || rv == CKR_SIGNATURE_INVALID)
		deferred_ended(connection, DEFERRED_VERIFY, session);
	return rv;
}

EXPORT CK_RV C_VerifyFinal(CK_SESSION_HANDLE session, CK_BYTE *signature, CK_ULONG signature_len)
{
	struct wire_verify_final_request request = {
		.session = session,
		.signature = {signature, signature_len},
	};
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	rv = stream_check_signature(signature, signature_len);
	if (!rv)
		rv = deferred_failure(connection, DEFERRED_VERIFY, session);
	return rv ? rv : request_verify_final(connection, &request, NULL);
}

EXPORT CK_RV C_VerifySignatureInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                                   CK_OBJECT_HANDLE key, CK_BYTE *signature, CK_ULONG signature_len)
{
	struct wire_verify_signature_init_request request = {
		.session = session,
		.key = key,
		.signature = {signature, signature_len},
	};
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	if (!mechanism)
		return stream_cancel(connection, session, CKF_VERIFY);
	rv = stream_check_signature(signature, signature_len);
	if (!rv)
		rv = host_parameter_encode(mechanism, &connection->scratch[SCRATCH_MECHANISM],
		                           &request.mechanism);
	return rv ? rv : request_verify_signature_init(connection, &request, NULL);
}

STREAM_FEED(C_VerifySignature, verify_signature, CKR_DATA_LEN_RANGE, DEFERRED_KINDS)
STREAM_FEED(C_VerifySignatureUpdate, verify_signature_update, CKR_DATA_LEN_RANGE, DEFERRED_KINDS)

STREAM_SESSION(C_VerifySignatureFinal, verify_signature_final, instance_borrow)

STREAM_INIT(C_SignRecoverInit, sign_recover_init, CKF_SIGN_RECOVER)
STREAM_THROUGH(C_SignRecover, sign_recover, CKR_DATA_LEN_RANGE, DEFERRED_KINDS)
STREAM_INIT(C_VerifyRecoverInit, verify_recover_init, CKF_VERIFY_RECOVER)
STREAM_THROUGH(C_VerifyRecover, verify_recover, CKR_SIGNATURE_LEN_RANGE, DEFERRED_KINDS)
