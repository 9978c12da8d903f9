/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Getting shared memory from the agent: one question by the socket, whose answer brings descriptors
 * with it. What the memory is for is exchange_ring.c's and exchange_window.c's business.
 */
#include "exchange_private.h"

#include <unistd.h>

#include "wire/codec.h"

#define MEMORY_REPLY_LEN 4u /* its body */

/* The header that comes next, but for doorbells, and the descriptors with it. */
static bool receive_memory_header(struct connection *connection, uint8_t *octets,
                                  int fds[EXCHANGE_RING_FDS], int64_t deadline)
{
	do {
		if (!exchange_ring_receive(connection->fd, octets, WIRE_FRAME_HEADER_LEN, fds,
		                           exchange_milliseconds_until(deadline)))
			return false;
	} while (exchange_is_doorbell(octets));
	return true;
}

/* Asks for memory by a message whose reply is its length. *area_len is 0 when there is none; false
 * when the connection is lost. */
static bool ask_for_memory(struct connection *connection, uint16_t opcode,
                           int fds[EXCHANGE_RING_FDS], uint32_t *area_len, int64_t deadline)
{
	struct wire_frame_header header = {.request_id = ++connection->request_id,
	                                   .opcode = opcode};
	uint8_t octets[WIRE_FRAME_HEADER_LEN + MEMORY_REPLY_LEN];
	struct wire_ring_reply reply = {0};

	if (!exchange_send_header(connection, &header, deadline) ||
	    !receive_memory_header(connection, octets, fds, deadline))
		return false;
	wire_frame_parse(&header, octets);
	if (!exchange_header_fits(&header, opcode, connection->request_id, WIRE_FRAME_HEADER_LEN) ||
	    header.body_len > MEMORY_REPLY_LEN ||
	    !exchange_ring_receive(connection->fd, octets + WIRE_FRAME_HEADER_LEN, header.body_len,
	                           fds, exchange_milliseconds_until(deadline)))
		return false;
	if (!header.status &&
	    wire_decode_ring_reply(
		    (struct wire_bytes){octets + WIRE_FRAME_HEADER_LEN, header.body_len}, &reply))
		*area_len = reply.area_len;
	return true;
}

static void close_all(const int fds[EXCHANGE_RING_FDS])
{
	for (int i = 0; i < EXCHANGE_RING_FDS; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

bool exchange_open_ring(struct connection *connection, int64_t deadline)
{
	int fds[EXCHANGE_RING_FDS] = {-1, -1};
	uint32_t area_len = 0;
	bool good = ask_for_memory(connection, WIRE_OPCODE_ring, fds, &area_len, deadline);

	if (good && fds[0] >= 0)
		exchange_ring_map(&connection->ring, fds, area_len);
	close_all(fds);
	return good;
}

bool exchange_open_window(struct connection *connection, int64_t deadline)
{
	int fds[EXCHANGE_RING_FDS] = {-1, -1};
	uint32_t area_len = 0;
	bool good = ask_for_memory(connection, WIRE_OPCODE_window, fds, &area_len, deadline);

	if (good && fds[0] >= 0 && area_len == sizeof(struct wire_window))
		exchange_window_map(&connection->window, fds[0]);
	close_all(fds);
	return good;
}
