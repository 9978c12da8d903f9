/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of input and output buffers behind stream.h's definitions. No function of PKCS#11 is
 * here.
 */
#include "stream.h"

#include <string.h>

/* The longest of any mechanism has 49,856 octets (SLH-DSA-256f); the frame has more than this
 * beside the data. */
#define SIGNATURE_LIMIT (WIRE_CONTROL_LIMIT - 8192u)

CK_RV stream_check_data(const void *data, CK_ULONG len, CK_RV too_long)
{
	if (!data && len)
		return CKR_ARGUMENTS_BAD;
	return len > WIRE_DATA_LIMIT ? too_long : CKR_OK;
}

static bool may_go_in_parts(uint16_t opcode)
{
	switch (opcode) {
#define PARTS(name, kind, step, fields, other)       case WIRE_OPCODE_##name:
#define PARTS_OF_MESSAGE(name, kind, extent, fields) case WIRE_OPCODE_##name:
#include "wire/parts.def"
#undef PARTS
#undef PARTS_OF_MESSAGE
		return true;
	default:
		return false;
	}
}

bool stream_in_parts(struct connection *connection, struct exchange_parts *parts, CK_BYTE *output,
                     const CK_ULONG *capacity, uint64_t *output_len, struct wire_bytes *result,
                     CK_RV *rv)
{
	if (!exchange_worth_parts(parts->data->len) || !may_go_in_parts(parts->message->opcode))
		return false;
	if (capacity) {
		parts->output = output;
		parts->query = !output;
		parts->capacity = output ? *capacity : 0;
	}
	if (!channel_call_parts(connection, parts, rv))
		return false;
	if (capacity) {
		*output_len = parts->output_len;
		*result = (struct wire_bytes){output, parts->output_len};
	}
	return true;
}

CK_RV stream_finish(struct connection *connection, CK_RV rv, uint64_t output_len,
                    struct wire_bytes result, CK_BYTE *output, CK_ULONG *output_len_out)
{
	if (rv != CKR_OK && rv != CKR_BUFFER_TOO_SMALL)
		return rv;
	if (rv == CKR_OK && output) {
		if (result.len != output_len || output_len > *output_len_out)
			return channel_bad_reply(connection);
		if (result.len && result.data != output)
			memcpy(output, result.data, result.len);
	}
	*output_len_out = (CK_ULONG)output_len;
	return rv;
}

CK_RV stream_cancel(struct connection *connection, CK_SESSION_HANDLE session, CK_FLAGS flag)
{
	struct wire_session_cancel_request request = {.session = session, .flags = flag};

	return request_session_cancel(connection, &request, NULL);
}

CK_RV stream_check_signature(const CK_BYTE *signature, CK_ULONG signature_len)
{
	if (!signature)
		return CKR_ARGUMENTS_BAD;
	return signature_len > SIGNATURE_LIMIT ? CKR_SIGNATURE_LEN_RANGE : CKR_OK;
}
