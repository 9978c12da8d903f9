/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C_Sign* and C_Verify*, without the recovering kinds (pkcs11_unsupported.c).
 */
#include "stream.h"

/* The longest of any mechanism has 49,856 octets (SLH-DSA-256f); the frame has more than this
 * beside the data. */
#define SIGNATURE_LIMIT (WIRE_CONTROL_LIMIT - 8192u)

STREAM_INIT(C_SignInit, sign_init, CKF_SIGN)
STREAM_THROUGH(C_Sign, sign, CKR_DATA_LEN_RANGE)
STREAM_FEED(C_SignUpdate, sign_update, CKR_DATA_LEN_RANGE)
STREAM_FINAL(C_SignFinal, sign_final)

STREAM_INIT(C_VerifyInit, verify_init, CKF_VERIFY)
STREAM_FEED(C_VerifyUpdate, verify_update, CKR_DATA_LEN_RANGE)

static CK_RV check_signature(const CK_BYTE *signature, CK_ULONG signature_len)
{
	if (!signature)
		return CKR_ARGUMENTS_BAD;
	return signature_len > SIGNATURE_LIMIT ? CKR_SIGNATURE_LEN_RANGE : CKR_OK;
}

EXPORT CK_RV C_Verify(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_len,
                      CK_BYTE *signature, CK_ULONG signature_len)
{
	struct wire_verify_request request = {
		.session = session,
		.data = {data, data_len},
		.signature = {signature, signature_len},
	};
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	rv = stream_check_data(data, data_len, CKR_DATA_LEN_RANGE);
	if (!rv)
		rv = check_signature(signature, signature_len);
	return rv ? rv : request_verify(connection, &request, NULL);
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
	rv = check_signature(signature, signature_len);
	return rv ? rv : request_verify_final(connection, &request, NULL);
}
