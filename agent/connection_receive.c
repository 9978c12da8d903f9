/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames out of what a socket brings, which may be a part of one or many: whole ones are run where
 * they lie in the receive buffer, and one that is not whole is gathered in memory of its own.
 */
#include "connection_receive.h"

#include "connection.h"
#include "slots.h"

#define GROWTH 8u

/*
 * Runs the whole frames at the front of `octets`. Returns how many octets it took, or SIZE_MAX when
 * the client broke the protocol. *wanted_len is the length of the frame that is not whole yet,
 * header included, or 0 while that is unknown.
 */
static size_t run_frames(struct connection *connection, struct wire_bytes octets,
                         size_t *wanted_len)
{
	struct wire_frame_header header;
	size_t at = 0;

	*wanted_len = 0;
	while (octets.len - at >= WIRE_FRAME_HEADER_LEN && !connection->closing) {
		wire_frame_parse(&header, octets.data + at);
		if (!connection_header_valid(connection, &header, false))
			return SIZE_MAX;
		*wanted_len = WIRE_FRAME_HEADER_LEN + (size_t)header.body_len;
		if (octets.len - at < *wanted_len)
			return at;
		if (!connection_run_frame(connection, &header,
		                          octets.data + at + WIRE_FRAME_HEADER_LEN, false,
		                          (struct call_part){0}))
			return SIZE_MAX;
		at += *wanted_len;
		*wanted_len = 0;
	}
	return at;
}

/* Bulk data is a client's, not a key: above a control frame it need not be in locked memory, only
 * wiped. */
static bool keep_partial(struct connection *connection, struct wire_bytes rest, size_t wanted_len)
{
	const size_t control_len = WIRE_CONTROL_LIMIT + WIRE_FRAME_HEADER_LEN;
	bool bulk = wanted_len > control_len;

	if (!rest.len)
		return true;
	wire_buffer_init(&connection->partial,
	                 bulk ? WIRE_BULK_LIMIT + WIRE_FRAME_HEADER_LEN : control_len,
	                 bulk ? NULL : &slots_wire_allocator);
	wire_put_raw(&connection->partial, rest.data, rest.len);
	return !connection->partial.failed;
}

static size_t partial_wanted(const struct connection *connection)
{
	struct wire_frame_header header;

	if (connection->partial.len < WIRE_FRAME_HEADER_LEN)
		return WIRE_FRAME_HEADER_LEN;
	wire_frame_parse(&header, connection->partial.data);
	return WIRE_FRAME_HEADER_LEN + (size_t)header.body_len;
}

/* To grow by little would copy and wipe again and again; but what a client merely announces gets no
 * memory. So there is room for some times what has come. Where there is not, less has to do. */
static void make_room(struct wire_buffer *partial, size_t wanted_len, size_t more_len)
{
	size_t room = GROWTH * partial->len;

	if (more_len <= partial->capacity - partial->len)
		return;
	if (room > wanted_len)
		room = wanted_len;
	if (room > partial->len)
		(void)wire_buffer_reserve(partial, room - partial->len);
}

/*
 * Completes the partial frame from the front of `octets` and runs it. Octets beyond the frame stay
 * in `octets`. False when the client broke the protocol.
 */
static bool complete_partial(struct connection *connection, struct wire_bytes *octets)
{
	size_t wanted_len, taken;

	while (octets->len && connection->partial.len) {
		size_t missing = partial_wanted(connection) - connection->partial.len;
		size_t now = missing < octets->len ? missing : octets->len;
		struct wire_bytes whole;

		if (!connection->partial.allocator)
			make_room(&connection->partial, partial_wanted(connection), now);
		wire_put_raw(&connection->partial, octets->data, now);
		octets->data += now;
		octets->len -= now;
		if (connection->partial.failed)
			return false;
		whole = (struct wire_bytes){connection->partial.data, connection->partial.len};
		taken = run_frames(connection, whole, &wanted_len);
		if (taken == SIZE_MAX)
			return false;
		if (taken) {
			wire_buffer_free(&connection->partial);
		} else if (wanted_len > WIRE_CONTROL_LIMIT + WIRE_FRAME_HEADER_LEN &&
		           connection->partial.allocator) {
			/* Only now is it known to be bulk. */
			struct wire_buffer control = connection->partial;
			bool kept = keep_partial(connection, whole, wanted_len);

			wire_buffer_free(&control);
			if (!kept)
				return false;
		}
	}
	return true;
}

bool connection_take_octets(struct connection *connection, struct wire_bytes octets)
{
	size_t wanted_len, taken;

	if (!complete_partial(connection, &octets))
		return false;
	if (!octets.len || connection->closing)
		return true;
	taken = run_frames(connection, octets, &wanted_len);
	if (taken == SIZE_MAX)
		return false;
	octets.data += taken;
	octets.len -= taken;
	return connection->closing || keep_partial(connection, octets, wanted_len);
}

bool connection_give_body(struct call *call)
{
	struct wire_buffer *partial = &call->connection->partial;

	if (!partial->data || partial->allocator || call->body.len <= WIRE_CONTROL_LIMIT ||
	    call->body.data != partial->data + WIRE_FRAME_HEADER_LEN)
		return false;
	call->body_copy = *partial;
	wire_buffer_init(partial, partial->limit, partial->allocator);
	return true;
}
