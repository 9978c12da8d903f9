/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's end of the shared rings. Every octet in the area is the client's: headers and bodies
 * are copied into the loop's own memory before they are looked at.
 */
#include "connection_ring.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection_window.h"
#include "loop.h"
#include "shared_memory.h"
#include "wire/codec.h"
#include "wire/frame.h"

/* ---- the memory ---- */

/* Locked, since PINs pass through it. */
static struct connection_ring *ring_new(int *fd)
{
	struct connection_ring *ring = calloc(1, sizeof(*ring));

	*fd = -1;
	if (!ring)
		return NULL;
	ring->area = shared_memory_new("craton-hsm ring", sizeof(*ring->area), true, fd);
	if (!ring->area) {
		free(ring);
		return NULL;
	}
	wire_ring_requests(&ring->requests, ring->area);
	wire_ring_replies(&ring->replies, ring->area);
	return ring;
}

static void ring_free(struct connection_ring *ring)
{
	if (!ring)
		return;
	wire_wipe(ring->area->request_octets, 2 * WIRE_RING_SIZE);
	shared_memory_free(ring->area, sizeof(*ring->area));
	free(ring);
}

/* Without memory to lock the client is told so and keeps to the socket. */
static bool answer(struct connection *connection, const struct wire_frame_header *request, int fd)
{
	const int fds[] = {fd, connection->loop->agent->epoch.fd};
	size_t count = 0;

	if (fd >= 0)
		count = (connection->features & WIRE_FEATURE_EPOCH) && fds[1] >= 0 ? 2 : 1;
	return shared_memory_answer(connection->fd, request, sizeof(struct wire_ring_area), fds,
	                            count);
}

bool connection_ring_open(struct connection *connection, const struct wire_frame_header *header)
{
	bool sent;
	int fd;

	if (connection->ring || connection->calls)
		return false;
	connection->ring = ring_new(&fd);
	if (connection->ring)
		wire_ring_sleep(&connection->ring->requests);
	sent = answer(connection, header, fd);
	if (fd >= 0)
		close(fd);
	return sent;
}

void connection_ring_free(struct connection *connection)
{
	connection_ring_stop(connection);
	ring_free(connection->ring);
	connection->ring = NULL;
}

/* ---- awake and asleep ---- */

bool connection_ring_wake(struct connection *connection)
{
	struct connection_ring *ring = connection->ring;
	struct loop *loop = connection->loop;

	if (!ring)
		return false;
	if (ring->awake || ring->slow_calls)
		return true;
	wire_ring_wake(&ring->requests);
	ring->awake = true;
	epoch_count(&loop->agent->epoch, 1);
	atomic_fetch_add_explicit(&loop->awake_count, 1, memory_order_relaxed);
	ring->next_awake = loop->awake;
	ring->link_awake = &loop->awake;
	if (loop->awake)
		loop->awake->ring->link_awake = &ring->next_awake;
	loop->awake = connection;
	return true;
}

void connection_ring_stop(struct connection *connection)
{
	struct connection_ring *ring = connection->ring;

	if (!ring || !ring->awake)
		return;
	*ring->link_awake = ring->next_awake;
	if (ring->next_awake)
		ring->next_awake->ring->link_awake = ring->link_awake;
	ring->awake = false;
	epoch_count(&connection->loop->agent->epoch, -1);
	atomic_fetch_sub_explicit(&connection->loop->awake_count, 1, memory_order_relaxed);
}

void connection_ring_hold(struct connection *connection)
{
	connection->ring->slow_calls++;
	connection_ring_stop(connection);
}

void connection_ring_resume(struct connection *connection)
{
	if (!--connection->ring->slow_calls && !connection->closing)
		connection_ring_wake(connection);
}

bool connection_rings_ready(struct loop *loop)
{
	for (struct connection *each = loop->awake; each; each = each->ring->next_awake) {
		if (wire_ring_ready(&each->ring->requests))
			return true;
	}
	return false;
}

bool connection_rings_sleep(struct loop *loop)
{
	while (loop->awake) {
		struct connection *connection = loop->awake;

		if (!wire_ring_sleep(&connection->ring->requests))
			return false;
		wire_ring_clean(&connection->ring->replies);
		connection_ring_stop(connection);
	}
	return true;
}

/* ---- requests ---- */

/* Runs one frame; false when the client broke the protocol. A frame is published whole. */
static bool run_one(struct connection *connection, size_t ready)
{
	struct wire_ring *requests = &connection->ring->requests;
	uint8_t *frame = connection->loop->ring_frame;
	struct wire_frame_header header;
	struct call_part part;
	bool good;

	if (ready == WIRE_RING_CORRUPT || ready < WIRE_FRAME_HEADER_LEN)
		return false;
	wire_ring_take(requests, frame, WIRE_FRAME_HEADER_LEN);
	wire_frame_parse(&header, frame);
	if (header.body_len > ready - WIRE_FRAME_HEADER_LEN)
		return false;
	wire_ring_take(requests, frame, header.body_len);
	good = connection_window_read(connection, &header, frame, &part) &&
	       connection_header_valid(connection, &header, true) &&
	       connection_run_frame(connection, &header, frame, true, part);
	wire_wipe(frame, header.body_len);
	return good;
}

/* One frame each, in turn, so that no client keeps the others waiting. */
void connection_rings_run(struct loop *loop)
{
	struct connection *next;

	for (struct connection *each = loop->awake; each; each = next) {
		size_t ready = wire_ring_ready(&each->ring->requests);

		next = each->ring->next_awake;
		if (!ready)
			continue;
		if (!run_one(each, ready))
			connection_close(each);
		else if (!each->closing)
			connection_place(each);
	}
}

/* ---- replies ---- */

static void ring_the_bell(struct connection *connection)
{
	static const struct wire_frame_header header = {
		.opcode = WIRE_OPCODE_doorbell,
		.flags = WIRE_FRAME_REPLY,
	};
	uint8_t frame[WIRE_FRAME_HEADER_LEN];

	wire_frame_store(frame, &header);
	/* When its queue is full the client has something to wake it already; when it is gone, the
	 * receive says so. */
	send(connection->fd, frame, sizeof(frame), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Is the next request one for a part, which will be answered? */
static bool another_part_waits(const struct connection_ring *ring)
{
	struct wire_frame_header header;

	if (!wire_ring_peek(&ring->requests, &header))
		return false;
	return (header.opcode == WIRE_OPCODE_parts_next ||
	        header.opcode == WIRE_OPCODE_parts_rest) &&
	       !(header.flags & WIRE_FRAME_QUIET);
}

bool connection_ring_reply(struct connection *connection, struct wire_bytes frame, bool is_part)
{
	struct connection_ring *ring = connection->ring;
	enum wire_ring_rest rest;

	if (!ring || !wire_ring_put(&ring->replies, frame, (struct wire_bytes){NULL, 0}))
		return false;
	/* The reply to the next part wakes a client that sleeps: one change of threads for all of
	 * them. */
	if (is_part && another_part_waits(ring))
		return true;
	rest = wire_ring_must_wake(&ring->replies);
	if (rest == WIRE_RING_AWAKE)
		return true;
	if (rest == WIRE_RING_NAPS)
		wire_ring_rouse(&ring->replies);
	else if (connection->sending)
		ring->bell_owed = true;
	else
		ring_the_bell(connection);
	return true;
}

void connection_ring_detour(struct connection *connection)
{
	if (connection->ring)
		wire_ring_detour(&connection->ring->replies);
}

void connection_ring_pay_bell(struct connection *connection)
{
	if (!connection->ring || !connection->ring->bell_owed || connection->sending)
		return;
	connection->ring->bell_owed = false;
	ring_the_bell(connection);
}
