/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call in parts: begin, the parts, what is left of the result. The replies come in the order of
 * the requests; after a failure the requests that are on their way are answered, too, and those
 * answers are read away.
 */
#include "exchange_private.h"

#include <string.h>
#include <sys/mman.h>

#include "wire/codec.h"
#include "wire/frame.h"

#define PAUSE_CALLS 256u /* between two requests for a window when the agent has none to give */
#define LEN_LEN     4u   /* of a length on the wire */

struct course {
	struct connection *connection;
	struct exchange_parts *parts;
	int64_t deadline;
	uint32_t first_id, first_turn;
	uint16_t ahead;          /* what went ahead of the first part */
	uint32_t part_count;     /* requests that carry data */
	uint32_t sent, received; /* requests and replies */
	size_t output_at;        /* octets of IV, result and tag that have come */
	bool done;               /* the result's length is known */
	bool refused;            /* and nothing was done */
	CK_RV status;
};

bool exchange_window_map(struct exchange_window *window, int fd)
{
	window->area = exchange_ring_map_shared(fd, sizeof(*window->area), PROT_READ | PROT_WRITE);
	window->turn = 0;
	return window->area;
}

void exchange_window_unmap(struct exchange_window *window, bool forked)
{
	if (window->area && !forked)
		munmap(window->area, sizeof(*window->area));
	window->area = NULL;
}

static uint8_t *slot(const struct course *course, uint32_t number)
{
	return course->connection->window.area
	        ->slots[(course->first_turn + number) % WIRE_WINDOW_SLOTS];
}

/* ---- requests ---- */

static struct wire_bytes part(const struct course *course, uint32_t number)
{
	const struct wire_bytes data = *course->parts->data;
	size_t at = (size_t)number * WIRE_WINDOW_PART_LEN, left;

	if (course->parts->query || number >= course->part_count)
		return (struct wire_bytes){NULL, 0};
	left = data.len - at;
	return (struct wire_bytes){
		data.data + at,
		left < WIRE_WINDOW_PART_LEN ? left : WIRE_WINDOW_PART_LEN,
	};
}

static uint16_t opcode_of(const struct course *course, uint32_t number)
{
	if (!number)
		return WIRE_OPCODE_parts_begin;
	return number < course->part_count ? WIRE_OPCODE_parts_next : WIRE_OPCODE_parts_rest;
}

/* The call's own request without its data. */
static struct wire_bytes own_request(const struct course *course)
{
	struct wire_buffer *own = &course->connection->scratch[SCRATCH_REQUEST];
	const struct exchange_parts *parts = course->parts;
	struct wire_bytes data = *parts->data;

	wire_buffer_reset(own, WIRE_CONTROL_LIMIT);
	*parts->data = (struct wire_bytes){NULL, 0};
	parts->message->encode(own, parts->request);
	*parts->data = data;
	return (struct wire_bytes){own->data, own->len};
}

static void encode_begin(struct course *course)
{
	const struct wire_parts_begin_request begin = {
		.opcode = course->parts->message->opcode,
		.data_len = course->parts->data->len,
		.request = own_request(course),
	};

	wire_encode_parts_begin_request(&course->connection->request, &begin);
}

static void encode_next(struct course *course)
{
	const struct wire_parts_next_request next = {
		.opcode = course->parts->message->opcode,
		.session = course->parts->session,
	};

	wire_encode_parts_next_request(&course->connection->request, &next);
}

/* False when there is no memory for it, or it has fields that leave the others no room in the ring.
 */
static bool encode(struct course *course, uint16_t opcode, uint16_t flags)
{
	struct connection *connection = course->connection;
	size_t offset = exchange_begin_request(connection, opcode, flags);

	if (opcode == WIRE_OPCODE_parts_begin)
		encode_begin(course);
	else if (opcode == WIRE_OPCODE_parts_next)
		encode_next(course);
	wire_frame_finish(&connection->request, offset);
	return !connection->request.failed && !connection->scratch[SCRATCH_REQUEST].failed &&
	       connection->request.len <= WIRE_RING_SIZE - EXCHANGE_FIELDS_LEN;
}

/* The last field is the part, whose octets are in the slot. */
static void announce(struct wire_buffer *request, size_t len)
{
	wire_store_u32(request->data + request->len - LEN_LEN, (uint32_t)len);
}

/* EXCHANGE_ELSEWHERE when it was the first, and was not sent. */
static enum exchange_result send_next(struct course *course)
{
	struct connection *connection = course->connection;
	uint16_t opcode = opcode_of(course, course->sent);
	uint16_t flags = opcode == WIRE_OPCODE_parts_rest ? 0 : WIRE_FRAME_WINDOW;
	uint16_t ahead = connection->ahead.opcode;
	struct wire_bytes octets = part(course, course->sent);
	bool lost;

	if (!encode(course, opcode, flags))
		return course->sent ? EXCHANGE_LOST : EXCHANGE_ELSEWHERE;
	if (octets.len) {
		memcpy(slot(course, course->sent), octets.data, octets.len);
		announce(&connection->request, octets.len);
	}
	if (!exchange_send_request(connection, course->deadline, &lost)) {
		wire_wipe(slot(course, course->sent), octets.len);
		return course->sent ? EXCHANGE_LOST : EXCHANGE_ELSEWHERE;
	}
	if (lost)
		return EXCHANGE_LOST;
	if (!course->sent++) {
		course->ahead = ahead;
		course->first_id = connection->request_id;
	}
	connection->window.turn++;
	return EXCHANGE_OK;
}

/* Octets that come in all, when the length of the result is known. */
static size_t whole_len(const struct exchange_parts *parts)
{
	return parts->output ? parts->before.len + parts->output_len + parts->behind.len : 0;
}

/* Octets of the result that nothing on its way will bring. */
static size_t unasked(const struct course *course)
{
	size_t left = whole_len(course->parts) - course->output_at;
	size_t asked = (size_t)(course->sent - course->received) * WIRE_WINDOW_SLOT_LEN;

	return left > asked ? left - asked : 0;
}

static bool may_send(const struct course *course)
{
	if (course->status || course->sent - course->received >= WIRE_WINDOW_SLOTS)
		return false;
	if (course->sent < course->part_count)
		return !course->done;
	return course->done && course->parts->output && unasked(course);
}

/* ---- replies ---- */

/* The octets of a reply's last field: in the slot, whose length then stands at the end of the body,
 * or in the reply. False for a reply that is none. */
static bool take_announced(struct course *course, struct wire_bytes *octets)
{
	struct wire_buffer *reply = &course->connection->reply;
	struct wire_frame_header header;
	bool by_slot;

	*octets = (struct wire_bytes){NULL, 0};
	wire_frame_parse(&header, reply->data);
	by_slot = header.flags & WIRE_FRAME_WINDOW;
	if (!by_slot || reply->len < WIRE_FRAME_HEADER_LEN + LEN_LEN)
		return !by_slot;
	octets->len = wire_load_u32(reply->data + reply->len - LEN_LEN);
	octets->data = slot(course, course->received);
	announce(reply, 0);
	return octets->len <= WIRE_WINDOW_SLOT_LEN;
}

static bool decode(struct course *course, uint16_t opcode, struct wire_bytes *output)
{
	const struct wire_buffer *reply = &course->connection->reply;
	struct wire_bytes body = {
		reply->data + WIRE_FRAME_HEADER_LEN,
		reply->len - WIRE_FRAME_HEADER_LEN,
	};
	struct wire_parts_rest_reply rest;
	struct wire_parts_begin_reply share; /* that of parts_next has the same fields */

	if (opcode == WIRE_OPCODE_parts_rest) {
		if (!wire_decode_parts_rest_reply(body, &rest))
			return false;
		*output = rest.output;
		return true;
	}
	if (!body.len && course->status)
		return true;
	if (!wire_decode_parts_begin_reply(body, &share))
		return false;
	*output = share.output;
	course->done = share.done;
	course->parts->output_len = share.output_len;
	return true;
}

/* Where the next octets of the result go, and how many of them at most. */
static uint8_t *place_of_next(const struct course *course, size_t *room)
{
	const struct exchange_parts *parts = course->parts;
	uint64_t output_len = course->done ? parts->output_len : parts->capacity;
	size_t at = course->output_at;

	if (at < parts->before.len) {
		*room = parts->before.len - at;
		return parts->before.octets + at;
	}
	at -= parts->before.len;
	if (at < output_len) {
		*room = output_len - at;
		return parts->output + at;
	}
	at -= output_len;
	*room = at < parts->behind.len ? parts->behind.len - at : 0;
	return parts->behind.octets + at;
}

/* Into the caller's memory. False when it is more than was asked for, or the agent has given up the
 * window meanwhile, as when it ends. */
static bool copy_out(struct course *course, struct wire_bytes octets)
{
	const struct exchange_parts *parts = course->parts;

	if (!octets.len)
		return true;
	if (!parts->output || (course->done && parts->output_len > parts->capacity))
		return false;
	while (octets.len) {
		size_t room, now;
		uint8_t *place = place_of_next(course, &room);

		if (!room)
			return false;
		now = octets.len < room ? octets.len : room;
		memcpy(place, octets.data, now);
		octets.data += now;
		octets.len -= now;
		course->output_at += now;
	}
	/* Not a plain load, which might come before the copy. */
	return atomic_fetch_or(&course->connection->window.area->alive, 0);
}

static bool take_output(struct course *course, uint16_t opcode, size_t *used_len)
{
	struct wire_bytes announced, output = {NULL, 0};

	if (!take_announced(course, &announced) || !decode(course, opcode, &output) ||
	    !copy_out(course, announced.len ? announced : output))
		return false;
	if (announced.len > *used_len)
		*used_len = announced.len;
	return opcode != WIRE_OPCODE_parts_rest || announced.len;
}

/* What is behind the failure of another part is of no account. */
static bool receive_next(struct course *course)
{
	uint16_t opcode = opcode_of(course, course->received);
	size_t used_len = part(course, course->received).len;
	bool failed = course->status, good;
	CK_RV status;

	if (exchange_receive_reply(course->connection, course->first_id + course->received,
	                           course->received ? 0 : course->ahead, opcode, course->deadline,
	                           &status))
		return false;
	if (!failed)
		course->status = status;
	good = failed || take_output(course, opcode, &used_len);
	/* After a failure the agent may have written more than it said. */
	wire_wipe(slot(course, course->received), course->status ? WIRE_WINDOW_SLOT_LEN : used_len);
	/* The agent gave up the window, and the first part found none. */
	course->refused |= !course->received && status == CKR_FUNCTION_NOT_SUPPORTED;
	course->received++;
	return good;
}

static enum exchange_result run(struct course *course)
{
	enum exchange_result result = send_next(course);

	if (result)
		return result;
	do {
		while (!result && may_send(course))
			result = send_next(course);
		if (result || !receive_next(course))
			return EXCHANGE_LOST;
	} while (course->sent != course->received || may_send(course));
	return EXCHANGE_OK;
}

/* Is the result there? */
static bool is_complete(const struct course *course)
{
	return course->status || !course->parts->output ||
	       (course->done && course->output_at == whole_len(course->parts));
}

/* The output may lie where the data are, since it is never ahead of them, but not across them. */
static bool overlap(const struct exchange_parts *parts)
{
	uintptr_t data = (uintptr_t)parts->data->data, output = (uintptr_t)parts->output;

	return parts->output && data != output && data < output + parts->capacity &&
	       output < data + parts->data->len;
}

/* False when there is none; *lost: the connection is lost. */
static bool has_window(struct connection *connection, int64_t deadline, bool *lost)
{
	struct exchange_window *window = &connection->window;

	*lost = false;
	if (window->area)
		return true;
	if (!window->offered || !connection->ring.area)
		return false;
	if (window->pause) {
		window->pause--;
		return false;
	}
	*lost = !exchange_open_window(connection, deadline);
	if (!window->area)
		window->pause = PAUSE_CALLS;
	return window->area;
}

enum exchange_result exchange_run_parts(struct connection *connection, struct exchange_parts *parts,
                                        int64_t deadline, CK_RV *status)
{
	struct course course = {
		.connection = connection,
		.parts = parts,
		.deadline = deadline,
		.part_count = 1,
	};
	enum exchange_result result;
	bool lost;

	if (!exchange_worth_parts(parts->data->len) || overlap(parts))
		return EXCHANGE_ELSEWHERE;
	if (!has_window(connection, deadline, &lost))
		return lost ? EXCHANGE_LOST : EXCHANGE_ELSEWHERE;
	course.first_turn = connection->window.turn;
	if (!parts->query)
		course.part_count = (uint32_t)((parts->data->len - 1) / WIRE_WINDOW_PART_LEN + 1);
	result = run(&course);
	wire_ring_clean(&connection->ring.requests);
	if (result)
		return result;
	*status = course.status;
	if (!course.refused)
		return is_complete(&course) ? EXCHANGE_OK : EXCHANGE_LOST;
	exchange_window_unmap(&connection->window, false);
	return EXCHANGE_ELSEWHERE;
}
