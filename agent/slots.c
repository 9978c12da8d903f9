/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arena: chunks of locked memory divided into blocks of fixed size classes. Every thread keeps
 * a few free blocks of each class, so that OpenSSL's allocations take no lock in the steady state.
 * A block is wiped when it is released, which is also what makes the next allocation of it zeroed.
 *
 * In front of each block stands a header of 16 octets with a mark; a mark that is not right when a
 * block is released means that memory was overrun or released twice, and the process ends at once.
 */
#include "slots.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "log.h"
#include "slots_backend.h"

#define FIRST_CHUNK_LEN (1024u * 1024u)
#define LAST_CHUNK_LEN  (16u * 1024u * 1024u)
#define CHUNKS_MAX      4096u
#define PAGE_LEN        4096u
#define BULK_LEN        262144u /* four control frames */
#define BATCH_LEN       16384u  /* octets moved between a thread and the pool at once */
#define BATCH_MAX       32u
#define MARK_USED       0x534c4f54u
#define MARK_FREE       0x46524545u

/* Block sizes, header included. Larger allocations have a chunk of their own. */
static const uint32_t class_lens[] = {
	48,   64,    80,    96,    112,   128,   160,   192,    224,    256,    320,
	384,  512,   640,   768,   1024,  1280,  1536,  2048,   3072,   4096,   6144,
	8192, 12288, 16384, 24576, 32768, 49152, 65536, 131072, 262144, 524288, 1048576,
};

#define CLASS_COUNT (sizeof(class_lens) / sizeof(class_lens[0]))
#define CLASS_NONE  CLASS_COUNT /* a chunk of its own */

struct header {
	uint32_t mark;
	uint32_t class;
	uint64_t len; /* what was asked for: all that can hold anything */
};

_Static_assert(sizeof(struct header) == 16, "blocks are 16-byte aligned");

/* A free block: the link lies where the caller's octets were. */
struct block {
	struct header header;
	struct block *next;
};

struct chunk {
	uint8_t *start;
	size_t len;
	bool locked;
};

struct list {
	struct block *first;
	uint32_t count;
};

/* What a thread keeps. */
struct cache {
	struct list lists[CLASS_COUNT];
	bool registered;
};

struct pool {
	pthread_mutex_t lock;
	pthread_key_t key;
	enum slots_backend wish;
	size_t next_chunk_len;
	uint8_t *at, *end; /* what is left of the youngest chunk */
	struct list lists[CLASS_COUNT];
	struct chunk chunks[CHUNKS_MAX];
	uint32_t chunk_count;
	enum slots_backend backend; /* of the first chunk */
	uint64_t locked_len, unlocked_len;
	bool warned;
	uint8_t class_of[PAGE_LEN / 16 + 1]; /* by size in units of 16, up to a page */
};

/* The exception that slots.h explains. */
static struct pool pool = {.lock = PTHREAD_MUTEX_INITIALIZER};
static _Thread_local struct cache cache;
static _Atomic int64_t used_len;

static void __attribute__((noreturn)) corrupted(void)
{
	log_error("locked memory: a block was overrun or released twice; stopping");
	abort();
}

/* ---- chunks (under the lock) ---- */

static void warn_unlocked(int error)
{
	if (pool.warned)
		return;
	pool.warned = true;
	log_warning("mlock failed: %s; keys may be written to swap: grant CAP_IPC_LOCK or raise "
	            "RLIMIT_MEMLOCK",
	            strerror(error));
}

/* May this backend be used for a wish? A wish for one backend still falls back when its chunks run
 * out, but says so. */
static bool wanted(const struct slots_backend_row *row)
{
	return pool.wish == SLOTS_AUTO || row->backend >= pool.wish;
}

static uint8_t *map_chunk(size_t len)
{
	int error = 0;

	if (pool.chunk_count == CHUNKS_MAX)
		return NULL;
	for (unsigned int i = 0; i < SLOTS_BACKEND_COUNT; i++) {
		const struct slots_backend_row *row = &slots_backends[i];
		uint8_t *memory = wanted(row) ? row->map(len) : NULL;

		if (!memory) {
			error = errno;
			continue;
		}
		if (!row->locked)
			warn_unlocked(error);
		if (!pool.chunk_count)
			pool.backend = row->backend;
		pool.chunks[pool.chunk_count++] = (struct chunk){memory, len, row->locked};
		*(row->locked ? &pool.locked_len : &pool.unlocked_len) += len;
		return memory;
	}
	return NULL;
}

static void unmap_chunk(uint8_t *start)
{
	for (uint32_t i = 0; i < pool.chunk_count; i++) {
		struct chunk *chunk = &pool.chunks[i];

		if (chunk->start != start)
			continue;
		*(chunk->locked ? &pool.locked_len : &pool.unlocked_len) -= chunk->len;
		munmap(chunk->start, chunk->len);
		*chunk = pool.chunks[--pool.chunk_count];
		return;
	}
	corrupted();
}

static bool grow(void)
{
	uint8_t *memory = map_chunk(pool.next_chunk_len);

	if (!memory)
		return false;
	pool.at = memory;
	pool.end = memory + pool.next_chunk_len;
	if (pool.next_chunk_len < LAST_CHUNK_LEN)
		pool.next_chunk_len *= 2;
	return true;
}

static struct block *carve(uint32_t class)
{
	struct block *block;

	if ((size_t)(pool.end - pool.at) < class_lens[class] && !grow())
		return NULL;
	block = (struct block *)(void *)pool.at;
	pool.at += class_lens[class];
	block->header = (struct header){MARK_FREE, class, 0};
	return block;
}

/* ---- lists ---- */

static void push(struct list *list, struct block *block)
{
	block->next = list->first;
	list->first = block;
	list->count++;
}

static struct block *pop(struct list *list)
{
	struct block *block = list->first;

	if (block) {
		list->first = block->next;
		list->count--;
		block->next = NULL;
	}
	return block;
}

static uint32_t batch_count(uint32_t class)
{
	uint32_t count = BATCH_LEN / class_lens[class];

	if (!count)
		return 1;
	return count < BATCH_MAX ? count : BATCH_MAX;
}

/* Gives up to `count` blocks of the thread's back to the pool. */
static void give_back(uint32_t class, uint32_t count)
{
	struct block *block;

	pthread_mutex_lock(&pool.lock);
	while (count-- && (block = pop(&cache.lists[class])))
		push(&pool.lists[class], block);
	pthread_mutex_unlock(&pool.lock);
}

static void on_thread_exit(void *unused)
{
	(void)unused;
	cache.registered = false;
	for (uint32_t class = 0; class < CLASS_COUNT; class ++)
		give_back(class, cache.lists[class].count);
}

/* Registered again when another destructor still uses memory after ours has run. */
static void register_thread(void)
{
	if (cache.registered)
		return;
	cache.registered = !pthread_setspecific(pool.key, &cache);
}

static void refill(uint32_t class)
{
	uint32_t count = batch_count(class);

	register_thread();
	pthread_mutex_lock(&pool.lock);
	while (count--) {
		struct block *block = pop(&pool.lists[class]);

		if (!block)
			block = carve(class);
		if (!block)
			break;
		push(&cache.lists[class], block);
	}
	pthread_mutex_unlock(&pool.lock);
}

/* ---- the interface ---- */

static uint32_t search_class(size_t total_len)
{
	uint32_t class = 0;

	while (class < CLASS_COUNT && class_lens[class] < total_len)
		class ++;
	return class;
}

static uint32_t class_for(size_t total_len)
{
	if (total_len <= PAGE_LEN)
		return pool.class_of[(total_len + 15) / 16];
	return search_class(total_len);
}

static size_t own_chunk_len(size_t total_len)
{
	return (total_len + PAGE_LEN - 1) / PAGE_LEN * PAGE_LEN;
}

static struct block *allocate_own_chunk(size_t total_len)
{
	struct block *block;

	if (total_len > SIZE_MAX - PAGE_LEN)
		return NULL;
	pthread_mutex_lock(&pool.lock);
	block = (struct block *)(void *)map_chunk(own_chunk_len(total_len));
	pthread_mutex_unlock(&pool.lock);
	if (block)
		block->header.class = CLASS_NONE;
	return block;
}

static struct block *allocate_block(uint32_t class)
{
	if (!cache.lists[class].first)
		refill(class);
	return pop(&cache.lists[class]);
}

void *slots_allocate(size_t len)
{
	size_t total_len = len + sizeof(struct header);
	struct block *block;
	uint32_t class;

	if (!len || total_len < len)
		return NULL;
	class = class_for(total_len);
	block = class == CLASS_NONE ? allocate_own_chunk(total_len) : allocate_block(class);
	if (!block)
		return NULL;
	block->header.mark = MARK_USED;
	block->header.len = len;
	atomic_fetch_add_explicit(&used_len, (int64_t)len, memory_order_relaxed);
	return (uint8_t *)block + sizeof(struct header);
}

static struct block *block_of(void *memory)
{
	struct block *block = (struct block *)(void *)((uint8_t *)memory - sizeof(struct header));

	if (block->header.mark != MARK_USED || block->header.class > CLASS_NONE)
		corrupted();
	return block;
}

void slots_release(void *memory)
{
	struct block *block;
	uint32_t class;

	if (!memory)
		return;
	block = block_of(memory);
	class = block->header.class;
	atomic_fetch_sub_explicit(&used_len, (int64_t)block->header.len, memory_order_relaxed);
	wire_wipe(memory, block->header.len);
	block->header.mark = MARK_FREE;
	if (class == CLASS_NONE) {
		pthread_mutex_lock(&pool.lock);
		unmap_chunk((uint8_t *)block);
		pthread_mutex_unlock(&pool.lock);
		return;
	}
	push(&cache.lists[class], block);
	if (cache.lists[class].count > 2 * batch_count(class))
		give_back(class, batch_count(class));
	register_thread();
}

/* Octets the block can hold. */
static size_t room(const struct block *block)
{
	if (block->header.class == CLASS_NONE)
		return own_chunk_len(block->header.len + sizeof(struct header)) -
		       sizeof(struct header);
	return class_lens[block->header.class] - sizeof(struct header);
}

static void *resize_in_place(struct block *block, void *memory, size_t len)
{
	if (len < block->header.len)
		wire_wipe((uint8_t *)memory + len, block->header.len - len);
	atomic_fetch_add_explicit(&used_len, (int64_t)len - (int64_t)block->header.len,
	                          memory_order_relaxed);
	block->header.len = len;
	return memory;
}

void *slots_reallocate(void *memory, size_t len)
{
	struct block *block;
	void *fresh;

	if (!memory)
		return slots_allocate(len);
	block = block_of(memory);
	if (len && len <= room(block) && block->header.class != CLASS_NONE)
		return resize_in_place(block, memory, len);
	fresh = slots_allocate(len);
	if (!fresh)
		return NULL;
	memcpy(fresh, memory, block->header.len < len ? block->header.len : len);
	slots_release(memory);
	return fresh;
}

bool slots_contains(const void *memory)
{
	const uint8_t *at = memory;
	bool found = false;

	pthread_mutex_lock(&pool.lock);
	for (uint32_t i = 0; i < pool.chunk_count && !found; i++)
		found = at >= pool.chunks[i].start &&
		        at < pool.chunks[i].start + pool.chunks[i].len;
	pthread_mutex_unlock(&pool.lock);
	return found;
}

/* ---- OpenSSL and wire buffers ---- */

static void *openssl_malloc(size_t len, const char *file, int line)
{
	(void)file;
	(void)line;
	return slots_allocate(len);
}

static void *openssl_realloc(void *memory, size_t len, const char *file, int line)
{
	(void)file;
	(void)line;
	if (len)
		return slots_reallocate(memory, len);
	slots_release(memory);
	return NULL;
}

static void openssl_free(void *memory, const char *file, int line)
{
	(void)file;
	(void)line;
	slots_release(memory);
}

/* What is larger than any frame that may hold a key is a client's bulk data: wiped by its buffer,
 * but not worth locked memory. */
static bool is_bulk(size_t len)
{
	return len > BULK_LEN;
}

static void *allocate_wire(size_t len)
{
	return is_bulk(len) ? malloc(len) : slots_allocate(len);
}

static void release_wire(void *memory, size_t len)
{
	if (is_bulk(len))
		free(memory);
	else
		slots_release(memory);
}

const struct wire_allocator slots_wire_allocator = {allocate_wire, release_wire};

/* ---- opening ---- */

static void fill_classes(void)
{
	for (size_t unit = 0; unit < sizeof(pool.class_of); unit++)
		pool.class_of[unit] = (uint8_t)search_class(unit * 16);
}

int slots_open(enum slots_backend wish, char *error, size_t error_len)
{
	bool got;

	pool.wish = wish;
	pool.next_chunk_len = FIRST_CHUNK_LEN;
#ifdef CRATON_TEST_HOOKS
	if (getenv("CRATON_TEST_PLAIN_MEMORY"))
		pool.wish = SLOTS_UNLOCKED;
#endif
	fill_classes();
	if (pthread_key_create(&pool.key, on_thread_exit)) {
		snprintf(error, error_len, "cannot make locked memory: %s", strerror(errno));
		return -1;
	}
	pthread_mutex_lock(&pool.lock);
	errno = 0;
	got = grow();
	pthread_mutex_unlock(&pool.lock);
	if (!got || (wish != SLOTS_AUTO && pool.backend != wish && pool.wish == wish)) {
		snprintf(error, error_len,
		         "[security].locked_memory = \"%s\" cannot be had here: %s; use \"auto\" "
		         "or provide it",
		         slots_backend_name(wish), strerror(errno));
		return -1;
	}
	if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free))
		return 0;
	snprintf(error, error_len, "OpenSSL was used before its memory could be locked");
	return -1;
}

void slots_close(void)
{
	pthread_mutex_lock(&pool.lock);
	while (pool.chunk_count) {
		struct chunk *chunk = &pool.chunks[pool.chunk_count - 1];

		wire_wipe(chunk->start, chunk->len);
		munmap(chunk->start, chunk->len);
		pool.chunk_count--;
	}
	memset(pool.lists, 0, sizeof(pool.lists));
	memset(&cache, 0, sizeof(cache));
	pool.at = pool.end = NULL;
	pool.locked_len = pool.unlocked_len = 0;
	pthread_mutex_unlock(&pool.lock);
	pthread_key_delete(pool.key);
}

void slots_statistics(struct slots_statistics *statistics)
{
	pthread_mutex_lock(&pool.lock);
	statistics->backend = pool.backend;
	statistics->locked_len = pool.locked_len;
	statistics->unlocked_len = pool.unlocked_len;
	pthread_mutex_unlock(&pool.lock);
	statistics->used_len = (uint64_t)atomic_load_explicit(&used_len, memory_order_relaxed);
}

const char *slots_backend_name(enum slots_backend backend)
{
	for (unsigned int i = 0; i < SLOTS_BACKEND_COUNT; i++) {
		if (slots_backends[i].backend == backend)
			return slots_backends[i].name;
	}
	return "auto";
}
