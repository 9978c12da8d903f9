/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers of calls whose data come in parts: which call it is (wire/parts.def), who may, and what
 * of it is recorded; the work on a part is operation.c's. A part is an ordinary request that waits
 * for nobody, so a client that stops in the middle keeps nothing but its own session busy.
 */
#include <string.h>

#include "config.h"
#include "handle.h"
#include "parts.h"
#include "wire/window.h"

/* What a part is for: an operation of the session, or else its series of messages. */
struct target {
	const struct parts *parts;
	struct session *session;
	struct operation **operation; /* NULL: a series */
	struct message_based *series;
};

/* The fields that the replies of both messages have. */
struct answer {
	bool *done;
	uint64_t *output_len;
	struct wire_bytes *output;
};

static struct target target_of(const struct parts *parts, struct session *session)
{
	struct target target = {.parts = parts, .session = session};

	if (parts->of_message)
		target.series = session->messages[parts->kind];
	else
		target.operation = &session->operations[parts->kind];
	return target;
}

static bool is_in_place(const struct target *target)
{
	return target->operation && target->parts->other == OPERATION_KINDS &&
	       operation_part_in_place(*target->operation);
}

/* Copied as it is, and looked at by nobody? */
static bool is_copied(const struct target *target)
{
	if (!target->operation)
		return message_based_part_is_copied(target->series);
	return target->parts->other == OPERATION_KINDS &&
	       operation_part_is_copied(*target->operation);
}

static size_t work(const struct target *target, size_t len)
{
	return target->operation ? operation_part_work(*target->operation, len)
	                         : message_based_part_work(target->series, len);
}

static void give_up(const struct target *target)
{
	if (target->operation)
		session_end_operation(target->session, target->parts->kind);
	else
		message_based_abandon(target->series);
}

/* ---- one part ---- */

/* Copies the part out of the window, unless nothing else is done with it. */
static enum err fetch(struct call *call, const struct target *target, struct wire_bytes *data)
{
	uint8_t *octets;

	if (!call->part.slot)
		return ERROR_NONE;
	*data = (struct wire_bytes){call->part.slot, call->part.len};
	if (is_copied(target))
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

/* What is plain goes to the session's other operation as well, once the cipher has taken it. Where
 * that fails the cipher cannot go on: its result is lost. */
static enum err feed_other(struct call *call, const struct target *target, struct wire_bytes data)
{
	enum err err;

	if (target->parts->kind == OPERATION_DECRYPT)
		data = (struct wire_bytes){call->output.data, call->output.len};
	err = operation_update(&target->session->operations[target->parts->other], data, NULL, NULL,
	                       NULL);
	if (err)
		give_up(target);
	return err;
}

static enum err next_by_copy(struct call *call, const struct target *target, struct wire_bytes data,
                             const struct answer *answer)
{
	enum err err = fetch(call, target, &data);

	if (err) {
		give_up(target);
		return err;
	}
	if (!target->operation)
		return message_based_next_part(target->series, data, &call->output,
		                               answer->output_len, answer->done);
	err = operation_next_part(target->operation, data, &call->output, answer->output_len,
	                          answer->done);
	if (!err && target->parts->other != OPERATION_KINDS)
		err = feed_other(call, target, data);
	return err;
}

/* The output goes from where it is to the window, when the request came through it. */
static enum err next(struct call *call, const struct target *target, struct wire_bytes data,
                     const struct answer *answer)
{
	bool by_slot = call->part.slot;
	enum err err;

	if (by_slot && is_in_place(target))
		err = next_in_place(call, target->operation, answer);
	else
		err = next_by_copy(call, target, data, answer);
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

/* ---- the first ---- */

static enum err begin_operation(const struct target *target, const struct parts_request *wanted,
                                uint64_t data_len, uint64_t *output_len)
{
	const struct parts *parts = target->parts;
	enum err err = ERROR_NONE;

	if (operation_expects(*target->operation) != parts->expected)
		return ERROR_OPERATION_NONE;
	if (wanted->tag.len)
		err = operation_keep_signature(*target->operation, wanted->tag);
	if (err) {
		give_up(target);
		return err;
	}
	return operation_begin_parts(target->operation, parts->step, data_len,
	                             parts->gives ? &wanted->output : NULL, output_len);
}

static enum err begin_series(struct call *call, const struct target *target,
                             const struct parts_request *wanted, uint64_t data_len,
                             uint64_t *output_len)
{
	const struct message_call message = {
		.whole = target->parts->whole,
		.last = wanted->last,
		.parameter = wanted->parameter,
		.tag = wanted->tag,
		.request = wanted->output,
	};

	return message_based_begin_parts(target->series, &message, data_len, &call->output,
	                                 output_len);
}

/* The session, locked, if the call can be begun; NULL or *err set when not. */
static struct session *ready(struct call *call, const struct parts *parts, uint64_t handle,
                             enum err *err)
{
	struct session *session;

	if (parts->of_message) {
		handle_series(call, parts->kind, handle, &session, err);
		return session;
	}
	if (parts->other == OPERATION_KINDS)
		return handle_active(call, parts->kind, handle, err);
	session = handle_active(call, parts->other, handle, err);
	if (!*err)
		*err = handle_check_active(call, session, parts->kind);
	return session;
}

static enum err begin(struct call *call, const struct parts *parts,
                      const struct wire_parts_begin_request *request,
                      const struct parts_request *wanted, const struct answer *answer)
{
	session_auto session = NULL;
	struct target target;
	enum err err;

	session = ready(call, parts, wanted->session, &err);
	if (err)
		return err;
	target = target_of(parts, session);
	if (parts->of_message)
		err = begin_series(call, &target, wanted, request->data_len, answer->output_len);
	else
		err = begin_operation(&target, wanted, request->data_len, answer->output_len);
	if (err || wanted->output.query) {
		*answer->done = true;
		return err;
	}
	session->parts[parts->kind].opcode = parts->opcode;
	session->parts[parts->kind].begun_ns = call->begun_ns;
	return next(call, &target, request->data, answer);
}

enum err handle_parts_begin(struct call *call, const struct wire_parts_begin_request *request,
                            struct wire_parts_begin_reply *reply)
{
	const struct answer answer = {&reply->done, &reply->output_len, &reply->output};
	const struct parts *parts = parts_find(request->opcode);
	struct parts_request wanted;
	enum err err;

	if (!parts || !parts->decode(request->request, &wanted))
		return ERROR_PROTOCOL;
	err = begin(call, parts, request, &wanted, &answer);
	/* A query did nothing, and neither did a call whose buffer is too small. */
	call->unaudited =
		err == ERROR_BUFFER_TOO_SMALL || (!err && (wanted.output.query || !wanted.last));
	return conclude(call, parts, &answer, 0, err);
}

/* ---- the others ---- */

/* Does the session wait for a part of this call? */
static bool expects(const struct target *target)
{
	if (target->session->parts[target->parts->kind].opcode != target->parts->opcode)
		return false;
	return target->operation ? operation_in_parts(*target->operation)
	                         : target->series && message_based_in_parts(target->series);
}

/* What is much work is done by a worker. */
static bool defer(struct call *call, const struct target *target, size_t len)
{
	call->deferred = !call->on_worker && work(target, len) > DISPATCH_SLOW_LEN;
	return call->deferred;
}

/* May it go on? */
static enum err check(struct call *call, const struct target *target)
{
	const struct parts *parts = target->parts;
	enum err err = ERROR_NONE;

	if (parts->of_message)
		return handle_check_series(call, target->session, parts->kind);
	if (parts->other != OPERATION_KINDS)
		err = handle_check_active(call, target->session, parts->other);
	return err ? err : handle_check_operation(call, target->session, parts->kind);
}

static enum err go_on(struct call *call, const struct target *target, struct wire_bytes data,
                      const struct answer *answer)
{
	enum err err;

	if (defer(call, target, call->part.slot ? call->part.len : data.len))
		return ERROR_OPERATION_ACTIVE;
	err = check(call, target);
	if (!err)
		return next(call, target, data, answer);
	if (!call->deferred)
		give_up(target);
	return err;
}

/* A part behind one that failed finds nothing that waits for it, and that is no call's failure. */
enum err handle_parts_next(struct call *call, const struct wire_parts_next_request *request,
                           struct wire_parts_next_reply *reply)
{
	const struct answer answer = {&reply->done, &reply->output_len, &reply->output};
	const struct parts *parts = parts_find(request->opcode);
	session_auto session = NULL;
	struct target target;
	uint64_t begun_ns;
	bool is_noted;
	enum err err;

	if (!parts)
		return ERROR_PROTOCOL;
	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	target = target_of(parts, session);
	if (!expects(&target))
		return ERROR_OPERATION_NONE;
	begun_ns = session->parts[parts->kind].begun_ns;
	is_noted = !parts->of_message || message_based_parts_last(target.series);
	err = go_on(call, &target, request->data, &answer);
	if (call->deferred)
		return err;
	call->unaudited = err == ERROR_BUFFER_TOO_SMALL || (!err && !is_noted);
	return conclude(call, parts, &answer, begun_ns, err);
}
