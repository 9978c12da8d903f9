/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library's end of the shared rings (wire/ring.h): getting the memory from the agent, and
 * frames through it. What to do when there is no ring is exchange.c's business: the socket.
 */
#ifndef LIB_EXCHANGE_RING_H
#define LIB_EXCHANGE_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/epoch.h"
#include "wire/ring.h"

#define EXCHANGE_RING_FDS 2 /* the area, and the agent's epoch */

struct exchange_ring {
	struct wire_ring_area *area; /* NULL: none */
	struct wire_ring requests, replies;
	const struct wire_epoch *epoch; /* NULL: the agent shows none */
};

/* Memory of exactly this length from a descriptor of the agent's, which cannot shrink. NULL when it
 * is not so. */
void *exchange_ring_map_shared(int fd, size_t len, int protection);
/* Maps the area and, if it came, the epoch of descriptors from the agent. False when they are not
 * what they should be. */
bool exchange_ring_map(struct exchange_ring *ring, const int fds[EXCHANGE_RING_FDS],
                       uint32_t area_len);
/* Also in a forked child, where the memory is not mapped any more. */
void exchange_ring_unmap(struct exchange_ring *ring, bool forked);

/* Receives exactly this many octets and the descriptors that came with them; those that did not
 * come stay -1. False at the end of the stream. Waits for at most `timeout_ms`. */
bool exchange_ring_receive(int socket_fd, uint8_t *octets, size_t len, int fds[EXCHANGE_RING_FDS],
                           int timeout_ms);

#endif
