/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every message as a typed C function, made from message.def:
 *   CK_RV request_sign(struct connection *, const struct wire_sign_request *,
 *                      struct wire_sign_reply *);
 * and, for those whose last field is bulk data, request_sign_bulk, whose request is not const: its
 * last field is sent from where it is. A reply may be NULL when the message has none. The result is
 * the agent's CKR_*, or channel_call's. Nothing else lives here.
 */
#ifndef LIB_REQUEST_H
#define LIB_REQUEST_H

#include "channel.h"
#include "wire/codec.h"

/* The wrappers give the codec's functions one type, so that a table can hold them. */
#define MESSAGE(number, name, function, limit)                                                     \
	static inline void request_encode_##name(struct wire_buffer *buffer, const void *request)  \
	{                                                                                          \
		wire_encode_##name##_request(buffer, request);                                     \
	}                                                                                          \
	static inline bool request_decode_##name(struct wire_bytes body, void *reply)              \
	{                                                                                          \
		return wire_decode_##name##_reply(body, reply);                                    \
	}                                                                                          \
	static const struct exchange_message exchange_message_of_##name = {                        \
		.opcode = (number),                                                                \
		.encode = request_encode_##name,                                                   \
		.decode = request_decode_##name,                                                   \
		.reply_len = sizeof(struct wire_##name##_reply),                                   \
	};                                                                                         \
	static inline CK_RV request_##name##_last(                                                 \
		struct connection *connection, const struct wire_##name##_request *request,        \
		struct wire_bytes *last, struct wire_##name##_reply *reply)                        \
	{                                                                                          \
		struct wire_##name##_reply unused;                                                 \
                                                                                                   \
		return channel_call(connection, &exchange_message_of_##name, request, last,        \
		                    reply ? reply : &unused);                                      \
	}                                                                                          \
	static inline CK_RV request_##name(struct connection *connection,                          \
	                                   const struct wire_##name##_request *request,            \
	                                   struct wire_##name##_reply *reply)                      \
	{                                                                                          \
		return request_##name##_last(connection, request, NULL, reply);                    \
	}
#define REQUEST_FIELD(kind, name, text)
#define REPLY_FIELD(kind, name, text)
#define END_MESSAGE
#include "wire/message.def"
#undef MESSAGE
#undef REQUEST_FIELD
#undef REPLY_FIELD
#undef END_MESSAGE

/* Those whose last request field is `data`. */
#define REQUEST_BULK(name)                                                                         \
	static inline CK_RV request_##name##_bulk(struct connection *connection,                   \
	                                          struct wire_##name##_request *request,           \
	                                          struct wire_##name##_reply *reply)               \
	{                                                                                          \
		return request_##name##_last(connection, request, &request->data, reply);          \
	}
REQUEST_BULK(encrypt)
REQUEST_BULK(encrypt_update)
REQUEST_BULK(decrypt)
REQUEST_BULK(digest_encrypt_update)
REQUEST_BULK(decrypt_digest_update)
REQUEST_BULK(sign_encrypt_update)
REQUEST_BULK(decrypt_verify_update)
REQUEST_BULK(decrypt_update)
REQUEST_BULK(encrypt_message)
REQUEST_BULK(encrypt_message_next)
REQUEST_BULK(decrypt_message)
REQUEST_BULK(decrypt_message_next)
REQUEST_BULK(sign_message)
REQUEST_BULK(sign_message_next)
REQUEST_BULK(verify_message)
REQUEST_BULK(verify_message_next)
REQUEST_BULK(digest)
REQUEST_BULK(digest_update)
REQUEST_BULK(sign)
REQUEST_BULK(sign_update)
REQUEST_BULK(verify_update)
REQUEST_BULK(sign_recover)
REQUEST_BULK(verify_recover)
REQUEST_BULK(verify_signature)
REQUEST_BULK(verify_signature_update)
#undef REQUEST_BULK

#endif
