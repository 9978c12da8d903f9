/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library's end of the shared rings (wire/ring.h): getting the memory from the agent, and
 * frames through it. What to do when there is no ring is exchange.c's business: the socket.
 */
#ifndef LIB_EXCHANGE_RING_H
#define LIB_EXCHANGE_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/ring.h"

struct exchange_ring {
	struct wire_ring_area *area; /* NULL: none */
	struct wire_ring requests, replies;
};

/* Maps the area of a descriptor that came from the agent. False when it is not what it should be.
 */
bool exchange_ring_map(struct exchange_ring *ring, int fd, uint32_t area_len);
/* Also in a forked child, where the memory is not mapped any more. */
void exchange_ring_unmap(struct exchange_ring *ring, bool forked);

/* Receives exactly one frame header and the descriptor that came with it, or -1 in *fd. False at
 * the end of the stream. Waits for at most `timeout_ms`. */
bool exchange_ring_receive(int socket_fd, uint8_t *octets, size_t len, int *fd, int timeout_ms);

#endif
