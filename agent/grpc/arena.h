/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of one call's messages: given out piece by piece, bounded, and wiped and given back as
 * a whole, since requests carry PINs. protobuf-c allocates from it.
 */
#ifndef GRPC_ARENA_H
#define GRPC_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

#define ARENA_FIRST_LEN 1024u

struct arena_block;

struct arena {
	struct arena_block *blocks; /* beyond the first, newest first */
	size_t first_used;
	size_t total_len; /* given out */
	size_t limit;
	_Alignas(16) unsigned char first[ARENA_FIRST_LEN];
};

/* An empty arena that gives out at most `limit` octets. `first` need not be zeroed. */
void arena_init(struct arena *arena, size_t limit);
/* NULL when the limit is reached or there is no memory. Aligned for everything, not zeroed. */
void *arena_allocate(struct arena *arena, size_t len);
/* Wipes and takes back all that was given out. Twice is safe. */
void arena_reset(struct arena *arena);
/* For protobuf-c. What it frees stays until arena_reset. Refers to the arena. */
ProtobufCAllocator arena_allocator(struct arena *arena);

#endif
