/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small blocks are of a few sizes, each with its list of spare ones; larger ones come from the heap
 * and go back to it. All are wiped as they are given back.
 */
#include "grpc/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/buffer.h"

#define FIRST_LEN 64u
#define LAST_LEN  (FIRST_LEN << (MEMORY_SIZES - 1))
#ifdef __SANITIZE_ADDRESS__
#define SPARE_MAX 0u /* it wants to see where each block ends */
#else
#define SPARE_MAX 512u /* of each size: what a busy loop has under way */
#endif

struct memory_block {
	size_t len; /* of the octets */
	struct memory_block *next;
	_Alignas(16) unsigned char octets[];
};

static struct memory_block *block_of(void *octets)
{
	return (struct memory_block *)(void *)((unsigned char *)octets -
	                                       offsetof(struct memory_block, octets));
}

/* The number of the smallest size that holds `len` octets, which is no more than LAST_LEN. */
static unsigned int size_of(size_t len)
{
	unsigned int size = 0;

	while (len > (size_t)FIRST_LEN << size)
		size++;
	return size;
}

static struct memory_block *take_spare(struct memory *memory, unsigned int size)
{
	struct memory_block *block = memory->spare[size].first;

	if (!block)
		return NULL;
	memory->spare[size].first = block->next;
	memory->spare[size].count--;
	return block;
}

static void *allocate(size_t len, void *context)
{
	struct memory_block *block = NULL;

	if (len > SIZE_MAX / 2)
		return NULL;
	if (len <= LAST_LEN) {
		block = take_spare(context, size_of(len));
		len = (size_t)FIRST_LEN << size_of(len);
	}
	if (!block)
		block = malloc(sizeof(*block) + len);
	if (!block)
		return NULL;
	block->len = len;
	return block->octets;
}

static void release(void *octets, void *context)
{
	struct memory *memory = context;
	struct memory_block *block;
	unsigned int size;

	if (!octets)
		return;
	block = block_of(octets);
	wire_wipe(octets, block->len);
	size = block->len <= LAST_LEN ? size_of(block->len) : MEMORY_SIZES;
	if (size == MEMORY_SIZES || memory->spare[size].count >= SPARE_MAX) {
		free(block);
		return;
	}
	block->next = memory->spare[size].first;
	memory->spare[size].first = block;
	memory->spare[size].count++;
}

static void *allocate_zeros(size_t count, size_t len, void *context)
{
	void *octets;

	if (len && count > SIZE_MAX / len)
		return NULL;
	octets = allocate(count * len, context);
	if (octets)
		memset(octets, 0, count * len);
	return octets;
}

static void *reallocate(void *octets, size_t len, void *context)
{
	size_t old_len = octets ? block_of(octets)->len : 0;
	void *moved;

	if (octets && len <= old_len)
		return octets;
	moved = allocate(len, context);
	if (!moved)
		return NULL;
	if (octets)
		memcpy(moved, octets, old_len);
	release(octets, context);
	return moved;
}

nghttp2_mem memory_for_http(struct memory *memory)
{
	return (nghttp2_mem){memory, allocate, release, allocate_zeros, reallocate};
}

void memory_close(struct memory *memory)
{
	for (unsigned int size = 0; size < MEMORY_SIZES; size++) {
		struct memory_block *block;

		while ((block = take_spare(memory, size)))
			free(block);
	}
}
