/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shapes that the C_* functions of ciphers, digests and signatures share, as definitions by
 * name: start with a mechanism and a key, feed data, data in and result out, only result out. And
 * the rules of an output buffer, once: NULL asks for the length, a short buffer gets the length and
 * CKR_BUFFER_TOO_SMALL. The agent decides; the library only says what the caller's buffer holds.
 */
#ifndef LIB_STREAM_H
#define LIB_STREAM_H

#include "deferred.h"
#include "host_parameter.h"
#include "instance.h"
#include "request.h"
#include "wire/frame.h"

/* Are these octets there, and do they fit a frame? `too_long` is what the function returns for data
 * beyond the limit. */
CK_RV stream_check_data(const void *data, CK_ULONG len, CK_RV too_long);
/* Is there a signature, and does it fit a frame? */
CK_RV stream_check_signature(const CK_BYTE *signature, CK_ULONG signature_len);
/* An Init without a mechanism ends the active operation (v3.0 §5.8.1 and its kin). */
CK_RV stream_cancel(struct connection *connection, CK_SESSION_HANDLE session, CK_FLAGS flag);
/* What is said of a call whose data may go in parts; `request` is its request structure. */
#define STREAM_PARTS(name, of_request)                                                             \
	(&(struct exchange_parts){                                                                 \
		.message = &exchange_message_of_##name,                                            \
		.request = &(of_request),                                                          \
		.data = &(of_request).data,                                                        \
		.session = (of_request).session,                                                   \
	})
/* Data in and result out (or none: `capacity` NULL), with data enough to go in parts: *rv and the
 * reply's fields are the agent's answer. False: it goes as one request. */
bool stream_in_parts(struct connection *connection, struct exchange_parts *parts, CK_BYTE *output,
                     const CK_ULONG *capacity, uint64_t *output_len, struct wire_bytes *result,
                     CK_RV *rv);
/* Gives the caller the reply's result; `rv` is the agent's answer. */
CK_RV stream_finish(struct connection *connection, CK_RV rv, uint64_t output_len,
                    struct wire_bytes result, CK_BYTE *output, CK_ULONG *output_len_out);

#define STREAM_INIT(function, name, flag)                                                          \
	EXPORT CK_RV function(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,                  \
	                      CK_OBJECT_HANDLE key)                                                \
	{                                                                                          \
		struct wire_##name##_request request = {.session = session, .key = key};           \
		CK_RV rv;                                                                          \
		connection_auto connection = instance_borrow(&rv);                                 \
                                                                                                   \
		if (!connection)                                                                   \
			return rv;                                                                 \
		if (!mechanism)                                                                    \
			return stream_cancel(connection, session, flag);                           \
		rv = host_parameter_encode(mechanism, &connection->scratch[SCRATCH_MECHANISM],     \
		                           &request.mechanism);                                    \
		return rv ? rv : request_##name(connection, &request, NULL);                       \
	}

/* The same for a kind whose Inits may be kept. */
#define STREAM_INIT_KEPT(function, name, flag, kind)                                               \
	EXPORT CK_RV function(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,                  \
	                      CK_OBJECT_HANDLE key)                                                \
	{                                                                                          \
		struct wire_##name##_request request = {.session = session, .key = key};           \
		CK_RV rv;                                                                          \
		connection_auto connection =                                                       \
			mechanism ? instance_borrow_plain(&rv) : instance_borrow(&rv);             \
                                                                                                   \
		if (!connection)                                                                   \
			return rv;                                                                 \
		if (!mechanism)                                                                    \
			return stream_cancel(connection, session, flag);                           \
		rv = host_parameter_encode(mechanism, &connection->scratch[SCRATCH_MECHANISM],     \
		                           &request.mechanism);                                    \
		return rv ? rv                                                                     \
		          : deferred_init(connection, kind, &exchange_message_of_##name, &request, \
		                          session);                                                \
	}

/* Only the session is named, and nothing comes back. */
#define STREAM_SESSION(function, name, borrow)                                                     \
	EXPORT CK_RV function(CK_SESSION_HANDLE session)                                           \
	{                                                                                          \
		struct wire_##name##_request request = {.session = session};                       \
		CK_RV rv;                                                                          \
		connection_auto connection = borrow(&rv);                                          \
                                                                                                   \
		return connection ? request_##name(connection, &request, NULL) : rv;               \
	}

#define STREAM_FEED(function, name, too_long, kind)                                                \
	EXPORT CK_RV function(CK_SESSION_HANDLE session, CK_BYTE *part, CK_ULONG part_len)         \
	{                                                                                          \
		struct wire_##name##_request request = {                                           \
			.session = session,                                                        \
			.data = {part, part_len},                                                  \
		};                                                                                 \
		CK_RV rv;                                                                          \
		connection_auto connection = instance_borrow(&rv);                                 \
                                                                                                   \
		if (!connection)                                                                   \
			return rv;                                                                 \
		rv = stream_check_data(part, part_len, too_long);                                  \
		if (!rv)                                                                           \
			rv = deferred_failure(connection, kind, session);                          \
		if (rv)                                                                            \
			return rv;                                                                 \
		if (stream_in_parts(connection, STREAM_PARTS(name, request), NULL, NULL, NULL,     \
		                    NULL, &rv))                                                    \
			return rv;                                                                 \
		return request_##name##_bulk(connection, &request, NULL);                          \
	}

/* Data in and result out: a part of an operation, or the whole of one, whose Init may be kept. */
#define STREAM_DATA(function, name, too_long, kind, is_whole)                                      \
	EXPORT CK_RV function(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_len,         \
	                      CK_BYTE *output, CK_ULONG *output_len)                               \
	{                                                                                          \
		struct wire_##name##_request request = {                                           \
			.session = session,                                                        \
			.query = !output,                                                          \
			.data = {data, data_len},                                                  \
		};                                                                                 \
		struct wire_##name##_reply reply = {0};                                            \
		CK_RV rv;                                                                          \
		connection_auto connection =                                                       \
			(is_whole) ? instance_borrow_plain(&rv) : instance_borrow(&rv);            \
                                                                                                   \
		if (!connection)                                                                   \
			return rv;                                                                 \
		rv = output_len ? stream_check_data(data, data_len, too_long) : CKR_ARGUMENTS_BAD; \
		if (!rv)                                                                           \
			rv = (is_whole) ? deferred_prepare(connection, kind, session)              \
			                : deferred_failure(connection, kind, session);             \
		if (rv)                                                                            \
			return rv;                                                                 \
		request.capacity = output ? *output_len : 0;                                       \
		if (!stream_in_parts(connection, STREAM_PARTS(name, request), output, output_len,  \
		                     &reply.output_len, &reply.output, &rv))                       \
			rv = request_##name##_bulk(connection, &request, &reply);                  \
		if ((is_whole) && !rv && output)                                                   \
			deferred_ended(connection, kind, session);                                 \
		return stream_finish(connection, rv, reply.output_len, reply.output, output,       \
		                     output_len);                                                  \
	}

#define STREAM_THROUGH(function, name, too_long, kind)                                             \
	STREAM_DATA(function, name, too_long, kind, false)
#define STREAM_ONCE(function, name, too_long, kind)                                                \
	STREAM_DATA(function, name, too_long, kind, true)

#define STREAM_FINAL(function, name, kind)                                                         \
	EXPORT CK_RV function(CK_SESSION_HANDLE session, CK_BYTE *output, CK_ULONG *output_len)    \
	{                                                                                          \
		struct wire_##name##_request request = {.session = session, .query = !output};     \
		struct wire_##name##_reply reply = {0};                                            \
		CK_RV rv;                                                                          \
		connection_auto connection = instance_borrow(&rv);                                 \
                                                                                                   \
		if (!connection)                                                                   \
			return rv;                                                                 \
		if (!output_len)                                                                   \
			return CKR_ARGUMENTS_BAD;                                                  \
		rv = deferred_failure(connection, kind, session);                                  \
		if (rv)                                                                            \
			return rv;                                                                 \
		request.capacity = output ? *output_len : 0;                                       \
		rv = request_##name(connection, &request, &reply);                                 \
		return stream_finish(connection, rv, reply.output_len, reply.output, output,       \
		                     output_len);                                                  \
	}

#endif
