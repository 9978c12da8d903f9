/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of one call's messages: given out piece by piece, bounded, and wiped and given back as
 * a whole, since requests carry PINs. protobuf-c allocates from it.
 */
#ifndef GRPC_ARENA_H
#define GRPC_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#define ARENA_FIRST_LEN 1024u

struct arena_block;

struct arena {
	struct arena_block *blocks; /* beyond the first, newest first */
	size_t first_used;
	size_t total_len; /* given out */
	size_t limit;
	size_t blocks_len; /* of the blocks */
	size_t *counted;   /* NULL, or what counts them, too */
	uintptr_t stack;   /* where it stood when protobuf-c began; see arena_allocator */
	_Alignas(16) unsigned char first[ARENA_FIRST_LEN];
};

/* An empty arena that gives out at most `limit` octets. What it takes from the heap is added to
 * *counted, unless that is NULL, until it is reset. `first` need not be zeroed. */
void arena_init(struct arena *arena, size_t limit, size_t *counted);
/* NULL when the limit is reached or there is no memory. Aligned for everything, not zeroed. */
void *arena_allocate(struct arena *arena, size_t len);
/* Wipes and takes back all that was given out. Twice is safe. */
void arena_reset(struct arena *arena);
/* For protobuf-c, to be used by the function that asks for it. What it frees stays until
 * arena_reset. Refers to the arena. protobuf-c recurses as deep as a message is nested, however
 * deep that is, and allocates at each level: once that has cost too much stack there is no more
 * memory. */
ProtobufCAllocator arena_allocator(struct arena *arena);

#endif
