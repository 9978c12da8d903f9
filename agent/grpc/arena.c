/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A block inside the arena for the common small message, further ones from the heap.
 */
#include "grpc/arena.h"

#include <stdlib.h>

#include "wire/buffer.h"

#define BLOCK_LEN 4096u
#define ALIGNMENT 16u
#define STACK_MAX (128 * 1024) /* of protobuf-c: far more than our messages' few levels take */

struct arena_block {
	struct arena_block *next;
	size_t capacity, used;
	_Alignas(ALIGNMENT) unsigned char octets[];
};

void arena_init(struct arena *arena, size_t limit, size_t *counted)
{
	arena->blocks = NULL;
	arena->first_used = 0;
	arena->total_len = 0;
	arena->limit = limit;
	arena->blocks_len = 0;
	arena->counted = counted;
	arena->stack = 0;
}

static void *from_block(struct arena_block *block, size_t len)
{
	void *piece;

	if (!block || block->capacity - block->used < len)
		return NULL;
	piece = block->octets + block->used;
	block->used += len;
	return piece;
}

static void *from_new_block(struct arena *arena, size_t len)
{
	size_t capacity = len > BLOCK_LEN ? len : BLOCK_LEN;
	struct arena_block *block = malloc(sizeof(*block) + capacity);

	if (!block)
		return NULL;
	*block = (struct arena_block){.next = arena->blocks, .capacity = capacity};
	arena->blocks = block;
	arena->blocks_len += sizeof(*block) + capacity;
	if (arena->counted)
		*arena->counted += sizeof(*block) + capacity;
	return from_block(block, len);
}

void *arena_allocate(struct arena *arena, size_t len)
{
	void *piece;

	if (len > arena->limit || arena->total_len > arena->limit - len)
		return NULL;
	len = (len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	if (ARENA_FIRST_LEN - arena->first_used >= len) {
		piece = arena->first + arena->first_used;
		arena->first_used += len;
	} else {
		piece = from_block(arena->blocks, len);
		if (!piece)
			piece = from_new_block(arena, len);
	}
	if (piece)
		arena->total_len += len;
	return piece;
}

void arena_reset(struct arena *arena)
{
	while (arena->blocks) {
		struct arena_block *block = arena->blocks;

		arena->blocks = block->next;
		wire_wipe(block->octets, block->used);
		free(block);
	}
	wire_wipe(arena->first, arena->first_used);
	arena->first_used = 0;
	arena->total_len = 0;
	if (arena->counted)
		*arena->counted -= arena->blocks_len;
	arena->blocks_len = 0;
}

static uintptr_t stack_here(void)
{
	return (uintptr_t)__builtin_frame_address(0);
}

static void *allocate(void *context, size_t len)
{
	struct arena *arena = context;

	return (intptr_t)(arena->stack - stack_here()) > STACK_MAX ? NULL
	                                                           : arena_allocate(arena, len);
}

static void release(void *arena, void *piece)
{
	(void)arena;
	(void)piece;
}

ProtobufCAllocator arena_allocator(struct arena *arena)
{
	arena->stack = stack_here();
	return (ProtobufCAllocator){allocate, release, arena};
}
