/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers of calls whose data come in parts: which call it is (wire/parts.def), who may, and what
 * of it is recorded; the work on a part is operation.c's. A part is an ordinary request that waits
 * for nobody, so a client that stops in the middle keeps nothing but its own session busy.
 */
#include <string.h>

#include "config.h"
#include "handle.h"
#include "operation.h"
#include "wire/window.h"

struct parts {
	uint16_t opcode;
	enum operation_kind kind;
	enum operation_step step;
	bool gives;
};

#define gives_YES true
#define gives_NO  false
static const struct parts rows[] = {
#define PARTS(name, kind, step, output)                                                            \
	{WIRE_OPCODE_##name, OPERATION_##kind, STEP_##step, gives_##output},
#include "wire/parts.def"
#undef PARTS
};

/* The fields that the replies of both messages have. */
struct answer {
	bool *done;
	uint64_t *output_len;
	struct wire_bytes *output;
};

static const struct parts *find(uint32_t opcode)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].opcode == opcode)
			return &rows[i];
	}
	return NULL;
}

/* Copies the part out of the window, unless the operation does nothing else with it. */
static enum err fetch(struct call *call, const struct operation *operation, struct wire_bytes *data)
{
	uint8_t *octets;

	if (!call->part.slot)
		return ERROR_NONE;
	*data = (struct wire_bytes){call->part.slot, call->part.len};
	if (operation_part_is_copied(operation))
		return ERROR_NONE;
	octets = wire_buffer_extend(&call->part_copy, call->part.len);
	if (!octets)
		return ERROR_MEMORY;
	memcpy(octets, call->part.slot, call->part.len);
	*data = (struct wire_bytes){octets, call->part.len};
	return ERROR_NONE;
}

static enum err next_in_place(struct call *call, struct operation **operation,
                              const struct answer *answer)
{
	struct call_part *part = &call->part;
	struct wire_buffer slot = {
		.data = part->slot,
		.capacity = WIRE_WINDOW_SLOT_LEN,
		.limit = WIRE_WINDOW_SLOT_LEN,
	};
	enum err err;

	err = operation_next_part(operation, (struct wire_bytes){part->slot, part->len}, &slot,
	                          answer->output_len, answer->done);
	part->given = !err;
	part->given_len = slot.len;
	return err;
}

static enum err next_by_copy(struct call *call, struct operation **operation,
                             struct wire_bytes data, const struct answer *answer)
{
	enum err err = fetch(call, *operation, &data);

	if (!err)
		return operation_next_part(operation, data, &call->output, answer->output_len,
		                           answer->done);
	operation_free(*operation);
	*operation = NULL;
	return err;
}

/* The output goes from where it is to the window, when the request came through it. */
static enum err next(struct call *call, struct operation **operation, struct wire_bytes data,
                     const struct answer *answer)
{
	bool by_slot = call->part.slot;
	enum err err;

	if (by_slot && operation_part_in_place(*operation))
		err = next_in_place(call, operation, answer);
	else
		err = next_by_copy(call, operation, data, answer);
	if (err)
		return err;
	call->by_slot = by_slot;
	if (!by_slot)
		*answer->output = (struct wire_bytes){call->output.data, call->output.len};
	return ERROR_NONE;
}

/* The call of which this frame is the last is what is recorded and counted, with all its time. */
static enum err conclude(struct call *call, const struct parts *parts, const struct answer *answer,
                         uint64_t begun_ns, enum err err)
{
	bool ends = err || *answer->done;

	call->ends = ends ? parts->opcode : 0;
	if (ends && begun_ns)
		call->begun_ns = begun_ns;
	return err;
}

static enum err begin(struct call *call, const struct parts *parts,
                      const struct wire_parts_begin_request *request, const struct answer *answer)
{
	const struct output_request output = {request->query, request->capacity};
	session_auto session = NULL;
	struct operation **operation;
	enum err err;

	session = handle_active(call, parts->kind, request->session, &err);
	if (err)
		return err;
	operation = &session->operations[parts->kind];
	if (operation_expects(*operation)) /* C_VerifyUpdate is not for such a verification */
		return ERROR_OPERATION_NONE;
	err = operation_begin_parts(operation, parts->step, request->data_len,
	                            parts->gives ? &output : NULL, answer->output_len);
	if (err || request->query) {
		*answer->done = true;
		return err;
	}
	(*operation)->parts.begun_ns = call->begun_ns;
	return next(call, operation, request->data, answer);
}

enum err handle_parts_begin(struct call *call, const struct wire_parts_begin_request *request,
                            struct wire_parts_begin_reply *reply)
{
	const struct answer answer = {&reply->done, &reply->output_len, &reply->output};
	const struct parts *parts = find(request->opcode);
	enum err err;

	if (!parts || (request->query && !parts->gives))
		return ERROR_PROTOCOL;
	err = begin(call, parts, request, &answer);
	/* A query did nothing, and neither did a call whose buffer is too small. */
	call->unaudited = err == ERROR_BUFFER_TOO_SMALL || (!err && request->query);
	return conclude(call, parts, &answer, 0, err);
}

/* The operation that waits for a part of such a call, or NULL. */
static struct operation **expecting(struct session *session, const struct parts *parts)
{
	struct operation **operation = &session->operations[parts->kind];

	if (!operation_in_parts(*operation) || (*operation)->parts.step != parts->step)
		return NULL;
	return operation;
}

/* What is much work is done by a worker. */
static bool defer(struct call *call, const struct operation *operation, size_t len)
{
	call->deferred =
		!call->on_worker && operation_part_work(operation, len) > DISPATCH_SLOW_LEN;
	return call->deferred;
}

/* A part behind one that failed finds nothing that waits for it, and that is no call's failure. */
enum err handle_parts_next(struct call *call, const struct wire_parts_next_request *request,
                           struct wire_parts_next_reply *reply)
{
	const struct answer answer = {&reply->done, &reply->output_len, &reply->output};
	const struct parts *parts = find(request->opcode);
	session_auto session = NULL;
	struct operation **operation;
	uint64_t begun_ns;
	enum err err;

	if (!parts)
		return ERROR_PROTOCOL;
	session = handle_session(call, request->session, &err);
	operation = session ? expecting(session, parts) : NULL;
	if (!operation)
		return session ? ERROR_OPERATION_NONE : err;
	if (defer(call, *operation, call->part.slot ? call->part.len : request->data.len))
		return ERROR_OPERATION_ACTIVE;
	begun_ns = (*operation)->parts.begun_ns;
	err = handle_check_operation(call, session, parts->kind);
	if (err && !call->deferred)
		session_end_operation(session, parts->kind);
	if (!err)
		err = next(call, operation, request->data, &answer);
	call->unaudited = err == ERROR_BUFFER_TOO_SMALL;
	return conclude(call, parts, &answer, begun_ns, err);
}
