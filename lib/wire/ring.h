/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames through shared memory: one area per connection, two one-way rings in it, each with one
 * producer and one consumer. A frame is published whole or not at all. Whoever finds its ring empty
 * may say that it sleeps; the other side then rings the bell: a doorbell frame on the socket.
 *
 * The peer may be hostile and may write anywhere in the area at any time. So each side keeps its
 * own position to itself and only publishes it, loads every field of the other's once, and copies
 * octets out before it looks at them. What it cannot explain is WIRE_RING_CORRUPT.
 *
 * Memory order: the producer publishes its position, then reads `sleeping`; the consumer writes
 * `sleeping`, then reads the position; all four sequentially consistent, so one of them sees the
 * other (tests/unit/ring_model_test.c tries every interleaving).
 */
#ifndef WIRE_RING_H
#define WIRE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/frame.h"

#define WIRE_RING_SIZE    8192u /* octets of each ring, a power of 2 */
#define WIRE_RING_CORRUPT SIZE_MAX

/* How the consumer waits, and how it is to be woken. */
enum wire_ring_rest {
	WIRE_RING_AWAKE,  /* not at all */
	WIRE_RING_NAPS,   /* in a futex, which is `rest` itself */
	WIRE_RING_SLEEPS, /* by the bell: a doorbell frame on the socket */
};

/* One direction. Positions count octets and wrap. */
struct wire_ring_line {
	_Alignas(64) _Atomic uint32_t published; /* the producer's position */
	_Atomic uint32_t detours;                /* the producer's: frames that take the socket */
	_Alignas(64) _Atomic uint32_t consumed;  /* the consumer's position */
	_Atomic uint32_t rest;                   /* the consumer's: enum wire_ring_rest */
};

struct wire_ring_area {
	struct wire_ring_line requests, replies;
	_Atomic uint32_t processor; /* the client's: where its caller ran before its last rest */
	_Alignas(4096) uint8_t request_octets[WIRE_RING_SIZE];
	uint8_t reply_octets[WIRE_RING_SIZE];
};

/* One side's end of one ring. */
struct wire_ring {
	struct wire_ring_line *line;
	uint8_t *octets;
	uint32_t position;
	uint32_t clean;   /* the producer's: everything before it that was taken is wiped */
	uint32_t detours; /* the consumer's: those it knows of */
};

/* A fresh area is all zeros. */
void wire_ring_requests(struct wire_ring *ring, struct wire_ring_area *area);
void wire_ring_replies(struct wire_ring *ring, struct wire_ring_area *area);

/* The producer's: publishes the octets and, in the same frame, more of them (or none); false when
 * they do not fit now. */
bool wire_ring_put(struct wire_ring *ring, struct wire_bytes octets, struct wire_bytes more);
/* The producer's: wipes what it put and the other side has taken. It is the producer who does so,
 * because it is about to write there again, and its core then has the memory already. */
void wire_ring_clean(struct wire_ring *ring);
/* The producer's, after a put: must the consumer be woken, and how? Not WIRE_RING_AWAKE once for
 * each rest. */
enum wire_ring_rest wire_ring_must_wake(struct wire_ring *ring);
/* The producer's: ends a nap. */
void wire_ring_rouse(struct wire_ring *ring);
/* The producer's: a frame goes by the socket, where a consumer that naps does not look. Ends its
 * nap, or keeps it from the next. */
void wire_ring_detour(struct wire_ring *ring);

/* The producer's: has the other side taken all that was put? It may not tell the truth. */
bool wire_ring_all_taken(const struct wire_ring *ring);

/* The consumer's: octets that can be taken, or WIRE_RING_CORRUPT. */
size_t wire_ring_ready(const struct wire_ring *ring);
/* The consumer's: copies octets that are ready and frees their place. */
void wire_ring_take(struct wire_ring *ring, uint8_t *into, size_t len);
/* The consumer's: the header of the frame in front, which stays there. False when none is. */
bool wire_ring_peek(const struct wire_ring *ring, struct wire_frame_header *header);
/* The consumer's: waits so long, or until it is roused; not at all when a frame has gone by the
 * socket since the last nap. True when there are octets. */
bool wire_ring_nap(struct wire_ring *ring, int64_t nap_ns);
/* The consumer's: asks for the bell. False when octets have come meanwhile; then it is not asked
 * for. */
bool wire_ring_sleep(struct wire_ring *ring);
/* The consumer's: awake again, however it came about. */
void wire_ring_wake(struct wire_ring *ring);

#endif
