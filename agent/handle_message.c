/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers of operations on many messages under one key. A message in one call is Begin and its
 * last part together; what that means for ciphers and signatures is message_based.c's.
 */
#include "handle.h"

#include "message_based.h"

static enum err start(struct call *call, enum operation_kind kind, uint64_t session_handle,
                      const struct wire_mechanism *parameter, uint64_t key_handle)
{
	const struct mechanism *mechanism;
	session_auto session = NULL;
	object_auto key = NULL;
	enum err err;

	session = handle_session(call, session_handle, &err);
	if (!session)
		return err;
	err = handle_prepare(call, session, kind, parameter, key_handle, message_based_fits,
	                     &mechanism, &key);
	if (err)
		return err;
	return message_based_start(&session->messages[kind], kind, call->agent->crypto, mechanism,
	                           parameter, key);
}

enum err handle_check_series(struct call *call, struct session *session, enum operation_kind kind)
{
	const struct message_based *series = session->messages[kind];
	enum err err = handle_step(call, session, kind, message_based_mechanism(series),
	                           message_based_key(series));

	call->record.fips_approved &= message_based_approved(series);
	return err;
}

struct message_based *handle_series(struct call *call, enum operation_kind kind, uint64_t handle,
                                    struct session **session, enum err *err)
{
	struct message_based *series;

	*session = handle_session(call, handle, err);
	if (!*session)
		return NULL;
	series = (*session)->messages[kind];
	if (!series)
		*err = ERROR_OPERATION_NONE;
	else if (message_based_in_parts(series))
		*err = ERROR_OPERATION_ACTIVE;
	else
		*err = handle_check_series(call, *session, kind);
	return *err ? NULL : series;
}

static enum err end(struct call *call, enum operation_kind kind, uint64_t handle)
{
	session_auto session = NULL;
	enum err err;

	session = handle_session(call, handle, &err);
	if (!session)
		return err;
	if (!session->messages[kind])
		return ERROR_OPERATION_NONE;
	session_end_messages(session, kind);
	return ERROR_NONE;
}

/* Where a part's results go. `tag` and `iv` are NULL where there are none. */
struct part {
	struct wire_bytes data, tag;
	bool last;
	struct output_request request;
	uint64_t *output_len;
	struct wire_bytes *output, *made_tag, *iv;
};

/* A query and a part that is not the last leave no record; results are in the call's output: IV,
 * octets, tag. */
static enum err run(struct call *call, struct message_based *series, const struct part *part,
                    size_t iv_len)
{
	enum err err = message_based_next(series, part->data, part->last, part->tag, &part->request,
	                                  &call->output, part->output_len);

	call->unaudited =
		err == ERROR_BUFFER_TOO_SMALL || (!err && (part->request.query || !part->last));
	if (err || part->request.query)
		return err;
	*part->output = (struct wire_bytes){call->output.data + iv_len, *part->output_len};
	if (part->made_tag)
		*part->made_tag =
			(struct wire_bytes){call->output.data + iv_len + *part->output_len,
		                            call->output.len - iv_len - *part->output_len};
	if (part->iv)
		*part->iv = (struct wire_bytes){call->output.data, iv_len};
	return ERROR_NONE;
}

static enum err whole(struct call *call, enum operation_kind kind, uint64_t handle,
                      const struct message_parameter *parameter, const struct part *part)
{
	session_auto session = NULL;
	struct message_based *series;
	bool answered;
	enum err err;

	series = handle_series(call, kind, handle, &session, &err);
	if (!series)
		return err;
	err = message_based_ask(series, part->data.len, &part->request, part->output_len,
	                        &answered);
	if (err || answered) {
		call->unaudited = true;
		return err;
	}
	err = message_based_begin(series, parameter, &call->output);
	if (err)
		return err;
	err = run(call, series, part, call->output.len);
	message_based_abandon(series);
	return err;
}

static enum err begin(struct call *call, enum operation_kind kind, uint64_t handle,
                      const struct message_parameter *parameter, struct wire_bytes *iv)
{
	session_auto session = NULL;
	struct message_based *series;
	enum err err;

	series = handle_series(call, kind, handle, &session, &err);
	if (!series)
		return err;
	err = message_based_begin(series, parameter, &call->output);
	if (!err && iv)
		*iv = (struct wire_bytes){call->output.data, call->output.len};
	return err;
}

static enum err next(struct call *call, enum operation_kind kind, uint64_t handle,
                     const struct part *part)
{
	session_auto session = NULL;
	struct message_based *series;
	enum err err;

	series = handle_series(call, kind, handle, &session, &err);
	return series ? run(call, series, part, 0) : err;
}

#define HANDLER(name)                                                                              \
	enum err handle_##name(struct call *call, const struct wire_##name##_request *request,     \
	                       struct wire_##name##_reply *reply)

#define INIT(name, kind)                                                                           \
	HANDLER(name)                                                                              \
	{                                                                                          \
		(void)reply;                                                                       \
		return start(call, kind, request->session, &request->mechanism, request->key);     \
	}
#define END(name, kind)                                                                            \
	HANDLER(name)                                                                              \
	{                                                                                          \
		(void)reply;                                                                       \
		return end(call, kind, request->session);                                          \
	}
#define BEGIN(name, kind)                                                                          \
	HANDLER(name)                                                                              \
	{                                                                                          \
		(void)reply;                                                                       \
		return begin(call, kind, request->session, NULL, NULL);                            \
	}

INIT(message_encrypt_init, OPERATION_ENCRYPT)
INIT(message_decrypt_init, OPERATION_DECRYPT)
INIT(message_sign_init, OPERATION_SIGN)
INIT(message_verify_init, OPERATION_VERIFY)
END(message_encrypt_final, OPERATION_ENCRYPT)
END(message_decrypt_final, OPERATION_DECRYPT)
END(message_sign_final, OPERATION_SIGN)
END(message_verify_final, OPERATION_VERIFY)
BEGIN(sign_message_begin, OPERATION_SIGN)
BEGIN(verify_message_begin, OPERATION_VERIFY)

/* What the requests of ciphers have in common. */
#define ENCRYPT_PARAMETER                                                                          \
	(&(struct message_parameter){request->generator, request->fixed_bits, request->iv,         \
	                             request->tag_len, request->total_len, request->aad})
#define DECRYPT_PARAMETER                                                                          \
	(&(struct message_parameter){.iv = request->iv,                                            \
	                             .tag_len = request->tag_len,                                  \
	                             .total_len = request->total_len,                              \
	                             .aad = request->aad})
#define PART(is_last, ...)                                                                         \
	(&(struct part){.data = request->data,                                                     \
	                .last = (is_last),                                                         \
	                .request = {request->query, request->capacity},                            \
	                .output_len = &reply->output_len,                                          \
	                .output = &reply->output,                                                  \
	                __VA_ARGS__})

HANDLER(encrypt_message)
{
	return whole(call, OPERATION_ENCRYPT, request->session, ENCRYPT_PARAMETER,
	             PART(true, .made_tag = &reply->tag, .iv = &reply->iv));
}

HANDLER(encrypt_message_begin)
{
	return begin(call, OPERATION_ENCRYPT, request->session, ENCRYPT_PARAMETER, &reply->iv);
}

HANDLER(encrypt_message_next)
{
	return next(call, OPERATION_ENCRYPT, request->session,
	            PART(request->last, .made_tag = &reply->tag));
}

HANDLER(decrypt_message)
{
	return whole(call, OPERATION_DECRYPT, request->session, DECRYPT_PARAMETER,
	             PART(true, .tag = request->tag));
}

HANDLER(decrypt_message_begin)
{
	(void)reply;
	return begin(call, OPERATION_DECRYPT, request->session, DECRYPT_PARAMETER, NULL);
}

HANDLER(decrypt_message_next)
{
	return next(call, OPERATION_DECRYPT, request->session,
	            PART(request->last, .tag = request->tag));
}

HANDLER(sign_message)
{
	return whole(call, OPERATION_SIGN, request->session, NULL, PART(true, .iv = NULL));
}

HANDLER(sign_message_next)
{
	return next(call, OPERATION_SIGN, request->session, PART(request->last, .iv = NULL));
}

HANDLER(verify_message)
{
	session_auto session = NULL;
	struct message_based *series;
	enum err err;

	(void)reply;
	series = handle_series(call, OPERATION_VERIFY, request->session, &session, &err);
	if (!series)
		return err;
	err = message_based_begin(series, NULL, NULL);
	return err ? err : message_based_verify(series, request->data, request->signature);
}

HANDLER(verify_message_next)
{
	const struct output_request nothing = {0};
	session_auto session = NULL;
	struct message_based *series;
	uint64_t len;
	enum err err;

	(void)reply;
	series = handle_series(call, OPERATION_VERIFY, request->session, &session, &err);
	if (!series)
		return err;
	if (request->last)
		return message_based_verify(series, request->data, request->signature);
	call->unaudited = true;
	return message_based_next(series, request->data, false, request->signature, &nothing,
	                          &call->output, &len);
}
