/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C_Message*, C_*Message, C_*MessageBegin and C_*MessageNext of v3.0: the parameters of one message
 * in and out, and the rules of buffers as in stream.h. Which mechanism is at work only the agent
 * knows; the length of a parameter tells its structure.
 */
#include <string.h>

#include "stream.h"
#include "wire/cryptoki_3.h"

/* What a structure says, whichever it is. */
struct parameter {
	CK_ULONG generator, fixed_bits, iv_len, tag_len, total_len;
	CK_BYTE *iv, *tag;
};

static bool take_gcm(const CK_GCM_MESSAGE_PARAMS *given, struct parameter *out)
{
	*out = (struct parameter){
		.generator = given->ivGenerator,
		.fixed_bits = given->ulIvFixedBits,
		.iv = given->pIv,
		.iv_len = given->ulIvLen,
		.tag = given->pTag,
		.tag_len = given->ulTagBits / 8,
	};
	return given->ulTagBits % 8 == 0;
}

static bool take_ccm(const CK_CCM_MESSAGE_PARAMS *given, struct parameter *out)
{
	*out = (struct parameter){
		.generator = given->nonceGenerator,
		.fixed_bits = given->ulNonceFixedBits,
		.iv = given->pNonce,
		.iv_len = given->ulNonceLen,
		.tag = given->pMAC,
		.tag_len = given->ulMACLen,
		.total_len = given->ulDataLen,
	};
	return true;
}

static bool take_poly1305(const CRYPTOKI_POLY1305_MSG_PARAMS *given, struct parameter *out)
{
	*out = (struct parameter){
		.iv = given->pNonce,
		.iv_len = given->ulNonceLen,
		.tag = given->pTag,
		.tag_len = 16,
	};
	return true;
}

static bool take(const void *parameter, CK_ULONG len, struct parameter *out)
{
	union {
		CK_GCM_MESSAGE_PARAMS gcm;
		CK_CCM_MESSAGE_PARAMS ccm;
		CRYPTOKI_POLY1305_MSG_PARAMS poly1305;
	} given;

	if (!parameter || len > sizeof(given))
		return false;
	memcpy(&given, parameter, len);
	switch (len) {
	case sizeof(given.gcm):
		return take_gcm(&given.gcm, out);
	case sizeof(given.ccm):
		return take_ccm(&given.ccm, out);
	case sizeof(given.poly1305):
		return take_poly1305(&given.poly1305, out);
	default:
		return false;
	}
}

/* More than any IV or tag has; what is not so is the agent's to judge. */
#define PART_MAX 4096u

static CK_RV read_parameter(const void *parameter, CK_ULONG len, const CK_BYTE *aad,
                            CK_ULONG aad_len, struct parameter *out)
{
	if (!aad && aad_len)
		return CKR_ARGUMENTS_BAD;
	if (aad_len > WIRE_CONTROL_LIMIT / 2)
		return CKR_ARGUMENTS_BAD;
	if (!take(parameter, len, out) || !out->iv || !out->tag || out->iv_len > PART_MAX ||
	    out->tag_len > PART_MAX)
		return CKR_MECHANISM_PARAM_INVALID;
	return CKR_OK;
}

/* What the four requests with a parameter have in common. */
#define PUT_PARAMETER(request, given, data, data_len)                                              \
	do {                                                                                       \
		(request).iv = (struct wire_bytes){(given).iv, (given).iv_len};                    \
		(request).tag_len = (given).tag_len;                                               \
		(request).total_len = (given).total_len;                                           \
		(request).aad = (struct wire_bytes){(data), (data_len)};                           \
	} while (0)

/* An IV that the agent made, and a tag; the caller's structure has room for what it asked for. */
static CK_RV give_iv(struct connection *connection, const struct parameter *parameter,
                     struct wire_bytes iv)
{
	if (iv.len != parameter->iv_len)
		return channel_bad_reply(connection);
	if (parameter->generator != CKG_NO_GENERATE)
		memcpy(parameter->iv, iv.data, iv.len);
	return CKR_OK;
}

static CK_RV give_tag(struct connection *connection, const struct parameter *parameter,
                      struct wire_bytes tag)
{
	if (tag.len != parameter->tag_len)
		return channel_bad_reply(connection);
	memcpy(parameter->tag, tag.data, tag.len);
	return CKR_OK;
}

/* Where IV and tag come to when the data go in parts. */
struct aside {
	CK_BYTE iv[32], tag[16]; /* a slot of the window has room for both beside a part */
};

_Static_assert(WIRE_WINDOW_SLOT_LEN - WIRE_WINDOW_PART_LEN >= sizeof(struct aside),
               "an IV and a tag go with a part");

/* False when they are longer than that; then the message does not go in parts. */
static bool sets_aside(const struct parameter *given, bool begins, bool ends, struct aside *aside,
                       struct exchange_parts *parts)
{
	if (given->iv_len > sizeof(aside->iv) || given->tag_len > sizeof(aside->tag))
		return false;
	parts->before = (struct exchange_aside){aside->iv, begins ? given->iv_len : 0};
	parts->behind = (struct exchange_aside){aside->tag, ends ? given->tag_len : 0};
	return true;
}

STREAM_INIT(C_MessageEncryptInit, message_encrypt_init, CKF_MESSAGE_ENCRYPT)
STREAM_INIT(C_MessageDecryptInit, message_decrypt_init, CKF_MESSAGE_DECRYPT)
STREAM_INIT(C_MessageSignInit, message_sign_init, CKF_MESSAGE_SIGN)
STREAM_INIT(C_MessageVerifyInit, message_verify_init, CKF_MESSAGE_VERIFY)
STREAM_SESSION(C_MessageEncryptFinal, message_encrypt_final, instance_borrow)
STREAM_SESSION(C_MessageDecryptFinal, message_decrypt_final, instance_borrow)
STREAM_SESSION(C_MessageSignFinal, message_sign_final, instance_borrow)
STREAM_SESSION(C_MessageVerifyFinal, message_verify_final, instance_borrow)

/* ---- encryption ---- */

EXPORT CK_RV C_EncryptMessage(CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len,
                              CK_BYTE *aad, CK_ULONG aad_len, CK_BYTE *data, CK_ULONG data_len,
                              CK_BYTE *output, CK_ULONG *output_len)
{
	struct wire_encrypt_message_request request = {.session = session, .query = !output};
	struct wire_encrypt_message_reply reply = {0};
	struct exchange_parts *parts = STREAM_PARTS(encrypt_message, request);
	struct parameter given;
	struct aside aside;
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	rv = output_len ? stream_check_data(data, data_len, CKR_DATA_LEN_RANGE) : CKR_ARGUMENTS_BAD;
	if (!rv)
		rv = read_parameter(parameter, parameter_len, aad, aad_len, &given);
	if (rv)
		return rv;
	request.capacity = output ? *output_len : 0;
	request.generator = given.generator;
	request.fixed_bits = given.fixed_bits;
	PUT_PARAMETER(request, given, aad, aad_len);
	request.data = (struct wire_bytes){data, data_len};
	if (sets_aside(&given, true, true, &aside, parts) &&
	    stream_in_parts(connection, parts, output, output_len, &reply.output_len, &reply.output,
	                    &rv)) {
		reply.iv = (struct wire_bytes){aside.iv, given.iv_len};
		reply.tag = (struct wire_bytes){aside.tag, given.tag_len};
	} else {
		rv = request_encrypt_message_bulk(connection, &request, &reply);
	}
	rv = stream_finish(connection, rv, reply.output_len, reply.output, output, output_len);
	if (!rv && output)
		rv = give_iv(connection, &given, reply.iv);
	return rv || !output ? rv : give_tag(connection, &given, reply.tag);
}

EXPORT CK_RV C_EncryptMessageBegin(CK_SESSION_HANDLE session, void *parameter,
                                   CK_ULONG parameter_len, CK_BYTE *aad, CK_ULONG aad_len)
{
	struct wire_encrypt_message_begin_request request = {.session = session};
	struct wire_encrypt_message_begin_reply reply = {0};
	struct parameter given;
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	rv = read_parameter(parameter, parameter_len, aad, aad_len, &given);
	if (rv)
		return rv;
	request.generator = given.generator;
	request.fixed_bits = given.fixed_bits;
	PUT_PARAMETER(request, given, aad, aad_len);
	rv = request_encrypt_message_begin(connection, &request, &reply);
	return rv ? rv : give_iv(connection, &given, reply.iv);
}

EXPORT CK_RV C_EncryptMessageNext(CK_SESSION_HANDLE session, void *parameter,
                                  CK_ULONG parameter_len, CK_BYTE *data, CK_ULONG data_len,
                                  CK_BYTE *output, CK_ULONG *output_len, CK_FLAGS flags)
{
	struct wire_encrypt_message_next_request request = {
		.session = session,
		.query = !output,
		.last = flags & CKF_END_OF_MESSAGE,
		.data = {data, data_len},
	};
	struct wire_encrypt_message_next_reply reply = {0};
	struct exchange_parts *parts = STREAM_PARTS(encrypt_message_next, request);
	struct parameter given;
	struct aside aside;
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	rv = output_len ? stream_check_data(data, data_len, CKR_DATA_LEN_RANGE) : CKR_ARGUMENTS_BAD;
	if (!rv)
		rv = read_parameter(parameter, parameter_len, NULL, 0, &given);
	if (rv)
		return rv;
	request.capacity = output ? *output_len : 0;
	if (sets_aside(&given, false, request.last, &aside, parts) &&
	    stream_in_parts(connection, parts, output, output_len, &reply.output_len, &reply.output,
	                    &rv))
		reply.tag = (struct wire_bytes){aside.tag, given.tag_len};
	else
		rv = request_encrypt_message_next_bulk(connection, &request, &reply);
	rv = stream_finish(connection, rv, reply.output_len, reply.output, output, output_len);
	return rv || !output || !request.last ? rv : give_tag(connection, &given, reply.tag);
}

/* ---- decryption ---- */

EXPORT CK_RV C_DecryptMessage(CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len,
                              CK_BYTE *aad, CK_ULONG aad_len, CK_BYTE *data, CK_ULONG data_len,
                              CK_BYTE *output, CK_ULONG *output_len)
{
	struct wire_decrypt_message_request request = {.session = session, .query = !output};
	struct wire_decrypt_message_reply reply = {0};
	struct parameter given;
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	rv = output_len ? stream_check_data(data, data_len, CKR_ENCRYPTED_DATA_LEN_RANGE)
	                : CKR_ARGUMENTS_BAD;
	if (!rv)
		rv = read_parameter(parameter, parameter_len, aad, aad_len, &given);
	if (rv)
		return rv;
	request.capacity = output ? *output_len : 0;
	PUT_PARAMETER(request, given, aad, aad_len);
	request.tag = (struct wire_bytes){given.tag, given.tag_len};
	request.data = (struct wire_bytes){data, data_len};
	if (!stream_in_parts(connection, STREAM_PARTS(decrypt_message, request), output, output_len,
	                     &reply.output_len, &reply.output, &rv))
		rv = request_decrypt_message_bulk(connection, &request, &reply);
	return stream_finish(connection, rv, reply.output_len, reply.output, output, output_len);
}

EXPORT CK_RV C_DecryptMessageBegin(CK_SESSION_HANDLE session, void *parameter,
                                   CK_ULONG parameter_len, CK_BYTE *aad, CK_ULONG aad_len)
{
	struct wire_decrypt_message_begin_request request = {.session = session};
	struct parameter given;
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	rv = read_parameter(parameter, parameter_len, aad, aad_len, &given);
	if (rv)
		return rv;
	PUT_PARAMETER(request, given, aad, aad_len);
	return request_decrypt_message_begin(connection, &request, NULL);
}

EXPORT CK_RV C_DecryptMessageNext(CK_SESSION_HANDLE session, void *parameter,
                                  CK_ULONG parameter_len, CK_BYTE *data, CK_ULONG data_len,
                                  CK_BYTE *output, CK_ULONG *output_len, CK_FLAGS flags)
{
	struct wire_decrypt_message_next_request request = {
		.session = session,
		.query = !output,
		.last = flags & CKF_END_OF_MESSAGE,
		.data = {data, data_len},
	};
	struct wire_decrypt_message_next_reply reply = {0};
	struct parameter given;
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	rv = output_len ? stream_check_data(data, data_len, CKR_ENCRYPTED_DATA_LEN_RANGE)
	                : CKR_ARGUMENTS_BAD;
	if (!rv)
		rv = read_parameter(parameter, parameter_len, NULL, 0, &given);
	if (rv)
		return rv;
	request.capacity = output ? *output_len : 0;
	if (request.last)
		request.tag = (struct wire_bytes){given.tag, given.tag_len};
	if (!stream_in_parts(connection, STREAM_PARTS(decrypt_message_next, request), output,
	                     output_len, &reply.output_len, &reply.output, &rv))
		rv = request_decrypt_message_next_bulk(connection, &request, &reply);
	return stream_finish(connection, rv, reply.output_len, reply.output, output, output_len);
}

/* ---- signatures ---- */

/* No mechanism of ours has a parameter for each signature. */
static CK_RV no_parameter(const void *parameter, CK_ULONG len)
{
	return parameter || len ? CKR_MECHANISM_PARAM_INVALID : CKR_OK;
}

EXPORT CK_RV C_SignMessage(CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len,
                           CK_BYTE *data, CK_ULONG data_len, CK_BYTE *signature,
                           CK_ULONG *signature_len)
{
	struct wire_sign_message_request request = {
		.session = session,
		.query = !signature,
		.data = {data, data_len},
	};
	struct wire_sign_message_reply reply = {0};
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	rv = signature_len ? stream_check_data(data, data_len, CKR_DATA_LEN_RANGE)
	                   : CKR_ARGUMENTS_BAD;
	if (!rv)
		rv = no_parameter(parameter, parameter_len);
	if (rv)
		return rv;
	request.capacity = signature ? *signature_len : 0;
	if (!stream_in_parts(connection, STREAM_PARTS(sign_message, request), signature,
	                     signature_len, &reply.output_len, &reply.output, &rv))
		rv = request_sign_message_bulk(connection, &request, &reply);
	return stream_finish(connection, rv, reply.output_len, reply.output, signature,
	                     signature_len);
}

EXPORT CK_RV C_SignMessageBegin(CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len)
{
	struct wire_sign_message_begin_request request = {.session = session};
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	rv = no_parameter(parameter, parameter_len);
	return rv ? rv : request_sign_message_begin(connection, &request, NULL);
}

/* Without a place for the length it is not the last part. */
EXPORT CK_RV C_SignMessageNext(CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len,
                               CK_BYTE *data, CK_ULONG data_len, CK_BYTE *signature,
                               CK_ULONG *signature_len)
{
	struct wire_sign_message_next_request request = {
		.session = session,
		.query = signature_len && !signature,
		.last = signature_len,
		.data = {data, data_len},
	};
	struct wire_sign_message_next_reply reply = {0};
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	rv = stream_check_data(data, data_len, CKR_DATA_LEN_RANGE);
	if (!rv)
		rv = no_parameter(parameter, parameter_len);
	if (rv)
		return rv;
	request.capacity = signature && signature_len ? *signature_len : 0;
	if (!stream_in_parts(connection, STREAM_PARTS(sign_message_next, request), signature,
	                     signature_len, &reply.output_len, &reply.output, &rv))
		rv = request_sign_message_next_bulk(connection, &request, &reply);
	return signature_len ? stream_finish(connection, rv, reply.output_len, reply.output,
	                                     signature, signature_len)
	                     : rv;
}

EXPORT CK_RV C_VerifyMessage(CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len,
                             CK_BYTE *data, CK_ULONG data_len, CK_BYTE *signature,
                             CK_ULONG signature_len)
{
	struct wire_verify_message_request request = {
		.session = session,
		.signature = {signature, signature_len},
		.data = {data, data_len},
	};
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	rv = stream_check_data(data, data_len, CKR_DATA_LEN_RANGE);
	if (!rv)
		rv = no_parameter(parameter, parameter_len);
	if (!rv)
		rv = stream_check_signature(signature, signature_len);
	if (rv)
		return rv;
	if (!stream_in_parts(connection, STREAM_PARTS(verify_message, request), NULL, NULL, NULL,
	                     NULL, &rv))
		rv = request_verify_message_bulk(connection, &request, NULL);
	return rv;
}

EXPORT CK_RV C_VerifyMessageBegin(CK_SESSION_HANDLE session, void *parameter,
                                  CK_ULONG parameter_len)
{
	struct wire_verify_message_begin_request request = {.session = session};
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	rv = no_parameter(parameter, parameter_len);
	return rv ? rv : request_verify_message_begin(connection, &request, NULL);
}

/* Without a signature it is not the last part. */
EXPORT CK_RV C_VerifyMessageNext(CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len,
                                 CK_BYTE *data, CK_ULONG data_len, CK_BYTE *signature,
                                 CK_ULONG signature_len)
{
	struct wire_verify_message_next_request request = {
		.session = session,
		.last = signature,
		.data = {data, data_len},
	};
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	rv = stream_check_data(data, data_len, CKR_DATA_LEN_RANGE);
	if (!rv)
		rv = no_parameter(parameter, parameter_len);
	if (!rv && signature)
		rv = stream_check_signature(signature, signature_len);
	if (rv)
		return rv;
	if (signature)
		request.signature = (struct wire_bytes){signature, signature_len};
	if (!stream_in_parts(connection, STREAM_PARTS(verify_message_next, request), NULL, NULL,
	                     NULL, NULL, &rv))
		rv = request_verify_message_next_bulk(connection, &request, NULL);
	return rv;
}
