/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Positions, copies and the sleep of the shared rings. What is in them, and who owns the memory, is
 * the business of both ends.
 */
#include "wire/ring.h"

#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000

_Static_assert((WIRE_RING_SIZE & (WIRE_RING_SIZE - 1)) == 0, "positions wrap");

void wire_ring_requests(struct wire_ring *ring, struct wire_ring_area *area)
{
	*ring = (struct wire_ring){.line = &area->requests, .octets = area->request_octets};
}

void wire_ring_replies(struct wire_ring *ring, struct wire_ring_area *area)
{
	*ring = (struct wire_ring){.line = &area->replies, .octets = area->reply_octets};
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

enum wire_ring_rest wire_ring_must_wake(struct wire_ring *ring)
{
	if (!atomic_load(&ring->line->rest))
		return WIRE_RING_AWAKE;
	return (enum wire_ring_rest)atomic_exchange(&ring->line->rest, WIRE_RING_AWAKE);
}

void wire_ring_rouse(struct wire_ring *ring)
{
	syscall(SYS_futex, &ring->line->rest, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void wire_ring_detour(struct wire_ring *ring)
{
	atomic_fetch_add(&ring->line->detours, 1);
	if (wire_ring_must_wake(ring) == WIRE_RING_NAPS)
		wire_ring_rouse(ring);
}

bool wire_ring_all_taken(const struct wire_ring *ring)
{
	return atomic_load_explicit(&ring->line->consumed, memory_order_acquire) == ring->position;
}

size_t wire_ring_ready(const struct wire_ring *ring)
{
	uint32_t ready = atomic_load(&ring->line->published) - ring->position;

	return ready > WIRE_RING_SIZE ? WIRE_RING_CORRUPT : ready;
}

static void copy_out(const struct wire_ring *ring, uint8_t *into, size_t len)
{
	const uint8_t *from = ring->octets + ring->position % WIRE_RING_SIZE;
	size_t first = before_end(ring->position, len);

	memcpy(into, from, first);
	memcpy(into + first, ring->octets, len - first);
}

bool wire_ring_peek(const struct wire_ring *ring, struct wire_frame_header *header)
{
	uint8_t octets[WIRE_FRAME_HEADER_LEN];
	size_t ready = wire_ring_ready(ring);

	if (ready == WIRE_RING_CORRUPT || ready < sizeof(octets))
		return false;
	copy_out(ring, octets, sizeof(octets));
	wire_frame_parse(header, octets);
	return true;
}

void wire_ring_take(struct wire_ring *ring, uint8_t *into, size_t len)
{
	copy_out(ring, into, len);
	ring->position += (uint32_t)len;
	atomic_store_explicit(&ring->line->consumed, ring->position, memory_order_release);
}

/* Says how it will wait; false when octets have come meanwhile, and then it is awake. */
static bool begin_rest(struct wire_ring *ring, enum wire_ring_rest rest)
{
	atomic_store(&ring->line->rest, rest);
	if (!wire_ring_ready(ring))
		return true;
	wire_ring_wake(ring);
	return false;
}

bool wire_ring_nap(struct wire_ring *ring, int64_t nap_ns)
{
	const struct timespec timeout = {nap_ns / NS_PER_S, nap_ns % NS_PER_S};

	if (begin_rest(ring, WIRE_RING_NAPS)) {
		/* Whatever ends it: a look at the ring tells. */
		if (atomic_load(&ring->line->detours) == ring->detours)
			syscall(SYS_futex, &ring->line->rest, FUTEX_WAIT, WIRE_RING_NAPS, &timeout,
			        NULL, 0);
		wire_ring_wake(ring);
	}
	ring->detours = atomic_load(&ring->line->detours);
	return wire_ring_ready(ring);
}

bool wire_ring_sleep(struct wire_ring *ring)
{
	return begin_rest(ring, WIRE_RING_SLEEPS);
}

void wire_ring_wake(struct wire_ring *ring)
{
	atomic_store(&ring->line->rest, WIRE_RING_AWAKE);
}
