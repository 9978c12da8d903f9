/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Positions, copies and the sleep of the shared rings. What is in them, and who owns the memory, is
 * the business of both ends.
 */
#include "wire/ring.h"

#include <string.h>

_Static_assert((WIRE_RING_SIZE & (WIRE_RING_SIZE - 1)) == 0, "positions wrap");

void wire_ring_requests(struct wire_ring *ring, struct wire_ring_area *area)
{
	*ring = (struct wire_ring){&area->requests, area->request_octets, 0, 0};
}

void wire_ring_replies(struct wire_ring *ring, struct wire_ring_area *area)
{
	*ring = (struct wire_ring){&area->replies, area->reply_octets, 0, 0};
}

/* How many of `len` octets from `position` on lie before the end of the ring. */
static size_t before_end(uint32_t position, size_t len)
{
	size_t left = WIRE_RING_SIZE - position % WIRE_RING_SIZE;

	return len < left ? len : left;
}

static void copy_in(struct wire_ring *ring, struct wire_bytes octets)
{
	size_t first = before_end(ring->position, octets.len);

	memcpy(ring->octets + ring->position % WIRE_RING_SIZE, octets.data, first);
	memcpy(ring->octets, octets.data + first, octets.len - first);
	ring->position += (uint32_t)octets.len;
	/* What is older has been overwritten, perhaps by what is not taken yet. */
	if (ring->position - ring->clean > WIRE_RING_SIZE)
		ring->clean = ring->position - WIRE_RING_SIZE;
}

bool wire_ring_put(struct wire_ring *ring, struct wire_bytes octets, struct wire_bytes more)
{
	uint32_t consumed = atomic_load_explicit(&ring->line->consumed, memory_order_acquire);
	uint32_t used = ring->position - consumed;

	/* A consumer that claims more than was published gets nothing more by the ring. */
	if (used > WIRE_RING_SIZE || octets.len > WIRE_RING_SIZE - used ||
	    more.len > WIRE_RING_SIZE - used - octets.len)
		return false;
	copy_in(ring, octets);
	if (more.len)
		copy_in(ring, more);
	atomic_store(&ring->line->published, ring->position);
	return true;
}

void wire_ring_clean(struct wire_ring *ring)
{
	uint32_t consumed = atomic_load_explicit(&ring->line->consumed, memory_order_acquire);
	size_t len, first;

	len = consumed - ring->clean;
	if (len > ring->position - ring->clean) /* a consumer's nonsense, or nothing */
		return;
	first = before_end(ring->clean, len);
	wire_wipe(ring->octets + ring->clean % WIRE_RING_SIZE, first);
	wire_wipe(ring->octets, len - first);
	ring->clean = consumed;
}

bool wire_ring_must_wake(struct wire_ring *ring)
{
	return atomic_load(&ring->line->sleeping) && atomic_exchange(&ring->line->sleeping, 0);
}

size_t wire_ring_ready(const struct wire_ring *ring)
{
	uint32_t ready = atomic_load(&ring->line->published) - ring->position;

	return ready > WIRE_RING_SIZE ? WIRE_RING_CORRUPT : ready;
}

void wire_ring_peek(const struct wire_ring *ring, uint8_t *into, size_t len)
{
	const uint8_t *from = ring->octets + ring->position % WIRE_RING_SIZE;
	size_t first = before_end(ring->position, len);

	memcpy(into, from, first);
	memcpy(into + first, ring->octets, len - first);
}

void wire_ring_take(struct wire_ring *ring, uint8_t *into, size_t len)
{
	wire_ring_peek(ring, into, len);
	ring->position += (uint32_t)len;
	atomic_store_explicit(&ring->line->consumed, ring->position, memory_order_release);
}

bool wire_ring_sleep(struct wire_ring *ring)
{
	atomic_store(&ring->line->sleeping, 1);
	if (!wire_ring_ready(ring))
		return true;
	wire_ring_wake(ring);
	return false;
}

void wire_ring_wake(struct wire_ring *ring)
{
	atomic_store(&ring->line->sleeping, 0);
}
