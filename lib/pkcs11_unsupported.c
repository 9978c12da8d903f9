/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of v3.2 that wire/message.def has no message for: calls that end later, of which
 * the token has none, and wrapping with additional data. They are in the function list, as the
 * specification wants, and say CKR_FUNCTION_NOT_SUPPORTED. One that gets a message leaves this
 * file.
 */
#include "instance.h"
#include "wire/cryptoki_3.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

static CK_RV unsupported(void)
{
	CK_RV rv = instance_check_agent();

	return rv ? rv : CKR_FUNCTION_NOT_SUPPORTED;
}

#define UNSUPPORTED(function, ...)                                                                 \
	EXPORT CK_RV function(CK_SESSION_HANDLE session, __VA_ARGS__)                              \
	{                                                                                          \
		return unsupported();                                                              \
	}

UNSUPPORTED(C_AsyncComplete, CK_UTF8CHAR *function, void *result)
UNSUPPORTED(C_AsyncGetID, CK_UTF8CHAR *function, CK_ULONG *id)
UNSUPPORTED(C_AsyncJoin, CK_UTF8CHAR *function, CK_ULONG id, CK_BYTE *data, CK_ULONG data_len)
UNSUPPORTED(C_WrapKeyAuthenticated, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapping_key,
            CK_OBJECT_HANDLE key, CK_BYTE *aad, CK_ULONG aad_len, CK_BYTE *wrapped,
            CK_ULONG *wrapped_len)
UNSUPPORTED(C_UnwrapKeyAuthenticated, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE unwrapping_key,
            CK_BYTE *wrapped, CK_ULONG wrapped_len, CK_ATTRIBUTE *attributes, CK_ULONG count,
            CK_BYTE *aad, CK_ULONG aad_len, CK_OBJECT_HANDLE *key)
