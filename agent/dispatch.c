/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dispatcher. Its switches come from wire/message.def and its rows from dispatch.def; the
 * handlers are in handle_*.c.
 */
#include "dispatch.h"

#include "config.h"
#include "keygen.h"
#include "mechanism.h"
#include "metrics.h"
#include "policy.h"
#include "token.h"

#define SLOW_RANDOM_LEN (64u * 1024u)

enum audit_when { WHEN_NEVER, WHEN_FAILURE, WHEN_ALWAYS };

struct row {
	enum audit_class class;
	enum audit_when when;
	enum pace (*pace)(struct call *call);
	enum err (*run)(struct call *call);
};

#define pace_NO NULL

static enum pace pace_YES(struct call *call)
{
	(void)call;
	return PACE_SLOW;
}

static enum pace pace_BULK(struct call *call)
{
	return call->body.len > DISPATCH_SLOW_LEN ? PACE_SLOW : PACE_QUICK;
}

/* A key whose check takes long. */
static bool names_slow_key(const struct wire_template *template)
{
	struct wire_attribute attribute;

	return wire_template_find(template, CKA_KEY_TYPE, &attribute) &&
	       attribute.number == CKK_SLH_DSA;
}

static bool makes_slowly(struct call *call, uint64_t type)
{
	const struct mechanism *mechanism =
		mechanism_find(call->agent->crypto, call->agent->config, type);

	return mechanism && keygen_is_slow(mechanism);
}

/* The template is the last field of all these messages, but they differ before it. A body that does
 * not decode is not slow. */
static bool long_template(struct call *call)
{
	struct wire_create_object_request create;
	struct wire_generate_key_request generate;
	struct wire_unwrap_key_request unwrap;

	switch (call->header.opcode) {
	case WIRE_OPCODE_create_object:
		return wire_decode_create_object_request(call->body, &create) &&
		       names_slow_key(&create.attributes);
	case WIRE_OPCODE_generate_key:
		return wire_decode_generate_key_request(call->body, &generate) &&
		       makes_slowly(call, generate.mechanism.type);
	default:
		return wire_decode_unwrap_key_request(call->body, &unwrap) &&
		       names_slow_key(&unwrap.attributes);
	}
}

static enum pace pace_TEMPLATE(struct call *call)
{
	return long_template(call) ? PACE_LONG : PACE_QUICK;
}

static enum pace pace_PAIR(struct call *call)
{
	struct wire_generate_key_pair_request request;

	return wire_decode_generate_key_pair_request(call->body, &request) &&
	                       makes_slowly(call, request.mechanism.type)
	               ? PACE_LONG
	               : PACE_QUICK;
}

static enum pace pace_RANDOM(struct call *call)
{
	struct wire_generate_random_request request;

	return wire_decode_generate_random_request(call->body, &request) &&
	                       request.random_len > SLOW_RANDOM_LEN
	               ? PACE_SLOW
	               : PACE_QUICK;
}

/* Statuses whose reply carries its fields (see docs/protocol.md). */
static bool reply_has_fields(enum err err)
{
	return err == ERROR_NONE || err == ERROR_BUFFER_TOO_SMALL ||
	       err == ERROR_ATTRIBUTE_SENSITIVE || err == ERROR_ATTRIBUTE_TYPE;
}

static size_t begin_reply(struct call *call, enum err err)
{
	struct wire_frame_header header = {
		.request_id = call->header.request_id,
		.opcode = call->header.opcode,
		.flags = WIRE_FRAME_REPLY,
		.status = (uint32_t)err_ckr(err),
	};

	return wire_frame_begin(&call->reply, &header);
}

void dispatch_fail(struct call *call, enum err err)
{
	wire_buffer_reset(&call->reply, WIRE_CONTROL_LIMIT);
	call->by_slot = false;
	wire_frame_finish(&call->reply, begin_reply(call, err));
}

/* run_NAME: decode, handle, encode. */
#define MESSAGE(opcode, name, function, limit)                                                     \
	static enum err run_##name(struct call *call)                                              \
	{                                                                                          \
		struct wire_##name##_request request;                                              \
		struct wire_##name##_reply reply = {0};                                            \
		enum err err = ERROR_PROTOCOL;                                                     \
		size_t offset;                                                                     \
                                                                                                   \
		if (wire_decode_##name##_request(call->body, &request))                            \
			err = handle_##name(call, &request, &reply);                               \
		offset = begin_reply(call, err);                                                   \
		if (reply_has_fields(err))                                                         \
			wire_encode_##name##_reply(&call->reply, &reply);                          \
		wire_frame_finish(&call->reply, offset);                                           \
		return err;                                                                        \
	}
#define REQUEST_FIELD(kind, name, text)
#define REPLY_FIELD(kind, name, text)
#define END_MESSAGE
#include "wire/message.def"
#undef MESSAGE
#undef END_MESSAGE

/* The rows, by index; the index of a message is its place in message.def. */
enum row_index {
#define MESSAGE(opcode, name, function, limit) INDEX_##name,
#define END_MESSAGE
#include "wire/message.def"
#undef MESSAGE
#undef END_MESSAGE
	ROW_COUNT,
};

static const struct row rows[] = {
#define ROW(name, class, when, slow)                                                               \
	[INDEX_##name] = {AUDIT_##class, WHEN_##when, pace_##slow, run_##name},
#include "dispatch.def"
#undef ROW
};

/* A message that dispatch.def does not have makes ROWS_LISTED smaller than ROW_COUNT. */
enum {
#define ROW(name, class, when, slow) LISTED_##name,
#include "dispatch.def"
#undef ROW
	ROWS_LISTED,
};
_Static_assert((int)ROWS_LISTED == (int)ROW_COUNT, "dispatch.def and wire/message.def differ");

static const struct row *find_row(uint16_t opcode)
{
	switch (opcode) {
#define MESSAGE(opcode, name, function, limit)                                                     \
	case opcode:                                                                               \
		return &rows[INDEX_##name];
#define END_MESSAGE
#include "wire/message.def"
#undef MESSAGE
#undef REQUEST_FIELD
#undef REPLY_FIELD
#undef END_MESSAGE
	default:
		return NULL;
	}
}

bool dispatch_needs_no_hello(uint16_t opcode)
{
	return opcode == WIRE_OPCODE_hello || opcode == WIRE_OPCODE_admin_status;
}

enum pace dispatch_pace(struct call *call)
{
	const struct row *row = find_row(call->header.opcode);

	if (!row || !row->pace || !state_operational(&call->agent->state))
		return PACE_QUICK;
	return row->pace(call);
}

/* As what the frame is recorded and counted. */
static const struct row *ended_row(const struct call *call, const struct row *row)
{
	return call->ends ? find_row(call->ends) : row;
}

static bool to_be_audited(const struct call *call, const struct row *row, enum err err)
{
	if (row->when == WHEN_NEVER || call->unaudited)
		return false;
	return row->when == WHEN_ALWAYS || err != ERROR_NONE;
}

/* What the caller is told: the result, or that it cannot be recorded. */
static enum err audit(struct call *call, const struct row *row, enum err err)
{
	enum err audit_result = ERROR_NONE;

	if (!to_be_audited(call, row, err))
		return err;
	call->record.class = row->class;
	call->record.operation = wire_function_name(call->ends ? call->ends : call->header.opcode);
	call->record.result = err;
	if (call->application) {
		call->record.uid = call->application->uid;
		call->record.pid = call->application->pid;
		call->record.client = application_client(call->application);
	}
	call->audit_sequence = audit_append(call->agent->audit, &call->record, &audit_result);
	if (!audit_result)
		return err;
	dispatch_fail(call, audit_result);
	return audit_result;
}

/* In the error state only status answers; everything else fails at once and leaves no trace but the
 * log's own. */
static bool state_permits(const struct call *call)
{
	return state_operational(&call->agent->state) ||
	       call->header.opcode == WIRE_OPCODE_admin_status;
}

/* What changes tokens, logins or PINs is slow or committed; the rest concerns the caller's own
 * sessions and session objects, of which its library knows. */
static bool may_change_inits(const struct call *call, const struct row *row)
{
	return (call->on_worker || call->committed) &&
	       (row->class == AUDIT_AUTH || row->class == AUDIT_ADMIN);
}

/* The reply is there. */
static void finish(struct call *call, const struct row *row, enum err err)
{
	if (may_change_inits(call, row))
		epoch_raise(&call->agent->epoch);
	call->ended_ns = clock_monotonic_ns();
	row = ended_row(call, row);
	err = audit(call, row, err);
	metrics_count((unsigned int)(row - rows), call->record.mechanism, err,
	              call->ended_ns - call->begun_ns);
}

void dispatch_committed(struct call *call, enum err err)
{
	call->commit = NULL;
	call->committed = true;
	if (err)
		dispatch_fail(call, err);
	finish(call, find_row(call->header.opcode), err);
}

void dispatch_run(struct call *call)
{
	const struct row *row = find_row(call->header.opcode);
	enum err err;

	if (!call->begun_ns)
		call->begun_ns = clock_monotonic_ns();
	call->ended_ns = call->begun_ns;
	if (!row) {
		dispatch_fail(call, ERROR_NOT_SUPPORTED);
		return;
	}
	if (!state_permits(call)) {
		dispatch_fail(call, ERROR_STATE);
		return;
	}
	call->record.mechanism = CK_UNAVAILABLE_INFORMATION;
	err = row->run(call);
	if (call->deferred) {
		/* What the handler wrote says only that it could not begin. */
		wire_buffer_reset(&call->reply, WIRE_CONTROL_LIMIT);
		wire_buffer_reset(&call->output, WIRE_CONTROL_LIMIT);
		return;
	}
	if (call->reply.failed)
		dispatch_fail(call, err = ERROR_MEMORY);
	if (call->commit && !err)
		return;
	if (call->commit)
		token_commit_discard(call->commit);
	call->commit = NULL;
	finish(call, row, err);
}
