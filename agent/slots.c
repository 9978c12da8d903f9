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

#include "kernel.h"
#include "log.h"
#include "slots_backend.h"

#define FIRST_CHUNK_LEN (1024u * 1024u)
#define LAST_CHUNK_LEN  (16u * 1024u * 1024u)
#define CHUNKS_MAX      4096u
#define PAGE_LEN        4096u
#define BULK_LEN        262144u /* four control frames */
#define BATCH_LEN       16384u  /* octets moved between a thread and the pool at once */
#define BATCH_MAX       32u
#define REFUSAL_LEN     320u
#define USED_SLACK      65536 /* octets by which a thread's count may run ahead of the total */
#define MARK_USED       0x534c4f54u
#define MARK_FREE       0x46524545u

/* A block for so many octets. Buffers come in powers of two: with the header inside the size they
 * would all take the next larger class. */
#define BLOCK(len) ((len) + (uint32_t)sizeof(struct header))

struct header {
	uint32_t mark;
	uint32_t class;
	uint64_t len; /* what was asked for: all that can hold anything */
};

_Static_assert(sizeof(struct header) == 16, "blocks are 16-byte aligned");

/* Block sizes. Larger allocations have a chunk of their own. */
static const uint32_t class_lens[] = {
	BLOCK(32),    BLOCK(48),     BLOCK(64),     BLOCK(80),     BLOCK(96),      BLOCK(112),
	BLOCK(128),   BLOCK(160),    BLOCK(192),    BLOCK(224),    BLOCK(256),     BLOCK(320),
	BLOCK(384),   BLOCK(512),    BLOCK(640),    BLOCK(768),    BLOCK(1024),    BLOCK(1280),
	BLOCK(1536),  BLOCK(2048),   BLOCK(3072),   BLOCK(4096),   BLOCK(6144),    BLOCK(8192),
	BLOCK(12288), BLOCK(16384),  BLOCK(24576),  BLOCK(32768),  BLOCK(49152),   BLOCK(65536),
	BLOCK(98304), BLOCK(131072), BLOCK(262144), BLOCK(524288), BLOCK(1048576),
};

#define CLASS_COUNT (sizeof(class_lens) / sizeof(class_lens[0]))
#define CLASS_NONE  CLASS_COUNT /* a chunk of its own */

/* A free block: the link lies where the caller's octets were. */
struct block {
	struct header header;
	struct block *next;
};

struct chunk {
	uint8_t *start;
	size_t len;
	enum slots_backend backend;
};

struct list {
	struct block *first;
	uint32_t count;
};

/* What a thread keeps. */
struct cache {
	struct list lists[CLASS_COUNT];
	int64_t used_len; /* not yet in the total: a shared counter would cost more than the rest */
	bool registered;
};

struct pool {
	pthread_mutex_t lock;
	pthread_key_t key;
	bool opened;
	enum slots_backend wish;
	size_t next_chunk_len;
	uint8_t *at, *end; /* what is left of the youngest chunk */
	struct list lists[CLASS_COUNT];
	struct chunk chunks[CHUNKS_MAX];
	uint32_t chunk_count;
	enum slots_backend backend; /* of the first chunk */
	uint64_t lens[SLOTS_COUNT]; /* octets of each backend */
	bool warned, fell_back;
	char refusal[REFUSAL_LEN];           /* why the best backend gave no first chunk */
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

/* A backend gave nothing. At the opening that is the reason for the next one; later, the usual one
 * gives no more, which of mlock warn_unlocked says. */
static void note_refusal(const struct slots_backend_row *row, int error)
{
	char why[REFUSAL_LEN];

	slots_backend_reason(row, error, why, sizeof(why));
	if (!pool.chunk_count && !pool.refusal[0])
		snprintf(pool.refusal, sizeof(pool.refusal), "%s", why);
	if (!pool.chunk_count || row->backend != pool.backend || row->backend == SLOTS_MLOCK ||
	    pool.fell_back)
		return;
	pool.fell_back = true;
	log_warning("locked memory: %s gives no more: %s; the next backend serves as well",
	            row->name, why);
}

static uint8_t *add_chunk(const struct slots_backend_row *row, uint8_t *memory, size_t len)
{
	if (!pool.chunk_count)
		pool.backend = row->backend;
	pool.chunks[pool.chunk_count++] = (struct chunk){memory, len, row->backend};
	pool.lens[row->backend] += len;
	return memory;
}

/* Near a quota or a limit a small chunk of a good backend is better than a large one of the next.
 */
static uint8_t *map_from(const struct slots_backend_row *row, size_t *len, size_t least)
{
	uint8_t *memory = row->map(*len);

	if (!memory && *len > least) {
		memory = row->map(least);
		if (memory)
			*len = least;
	}
	return memory ? add_chunk(row, memory, *len) : NULL;
}

/* From the best backend that locks, or from the one that does not: *len octets, or `least` when
 * there are no more. NULL with errno. */
static uint8_t *map_chunk(size_t *len, size_t least, bool locked)
{
	errno = ENOMEM;
	for (unsigned int i = 0; i < SLOTS_BACKEND_COUNT && pool.chunk_count < CHUNKS_MAX; i++) {
		const struct slots_backend_row *row = &slots_backends[i];
		uint8_t *memory;
		int error;

		if (row->locked != locked || !wanted(row))
			continue;
		memory = map_from(row, len, least);
		if (memory)
			return memory;
		error = errno;
		note_refusal(row, error);
		errno = error;
	}
	return NULL;
}

static uint8_t *map_unlocked_chunk(size_t len)
{
	int error = errno;
	uint8_t *memory = map_chunk(&len, len, false);

	if (memory)
		warn_unlocked(error);
	return memory;
}

/* Out of the table; unmapping it is left to the caller, who can let go of the lock first. */
static struct chunk take_chunk(const uint8_t *start)
{
	for (uint32_t i = 0; i < pool.chunk_count; i++) {
		struct chunk chunk = pool.chunks[i];

		if (chunk.start != start)
			continue;
		pool.lens[chunk.backend] -= chunk.len;
		pool.chunks[i] = pool.chunks[--pool.chunk_count];
		return chunk;
	}
	corrupted();
}

static size_t whole_pages(size_t len)
{
	return (len + PAGE_LEN - 1) / PAGE_LEN * PAGE_LEN;
}

static bool grow(size_t needed_len)
{
	size_t least = needed_len > FIRST_CHUNK_LEN ? whole_pages(needed_len) : FIRST_CHUNK_LEN;
	size_t len = least > pool.next_chunk_len ? least : pool.next_chunk_len;
	uint8_t *memory = map_chunk(&len, least, true);

	if (!memory)
		memory = map_unlocked_chunk(len);
	if (!memory)
		return false;
	pool.at = memory;
	pool.end = memory + len;
	if (len == pool.next_chunk_len && len < LAST_CHUNK_LEN)
		pool.next_chunk_len *= 2;
	return true;
}

static struct block *carve(uint32_t class)
{
	struct block *block;

	if ((size_t)(pool.end - pool.at) < class_lens[class] && !grow(class_lens[class]))
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

static void settle_used(void)
{
	atomic_fetch_add_explicit(&used_len, cache.used_len, memory_order_relaxed);
	cache.used_len = 0;
}

static void count_used(int64_t change)
{
	cache.used_len += change;
	if (cache.used_len > USED_SLACK || cache.used_len < -USED_SLACK)
		settle_used();
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
	settle_used();
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

	if (!pool.opened)
		return;
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

static struct block *allocate_own_chunk(size_t total_len)
{
	size_t len = whole_pages(total_len);
	struct block *block = NULL;

	if (len < total_len || !pool.opened)
		return NULL;
	pthread_mutex_lock(&pool.lock);
	block = (struct block *)(void *)map_chunk(&len, len, true);
	if (!block)
		block = (struct block *)(void *)map_unlocked_chunk(len);
	pthread_mutex_unlock(&pool.lock);
	if (block)
		block->header = (struct header){MARK_FREE, CLASS_NONE, 0};
	return block;
}

static struct block *allocate_block(uint32_t class)
{
	struct block *block;

	if (!cache.lists[class].first)
		refill(class);
	block = pop(&cache.lists[class]);
	if (block && (block->header.mark != MARK_FREE || block->header.class != class))
		corrupted();
	return block;
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
	count_used((int64_t)len);
	return (uint8_t *)block + sizeof(struct header);
}

/* Octets the block can hold. A block with a chunk of its own is checked against that. */
static size_t room(const struct block *block)
{
	if (block->header.class == CLASS_NONE)
		return whole_pages(block->header.len + sizeof(struct header)) -
		       sizeof(struct header);
	return class_lens[block->header.class] - sizeof(struct header);
}

static struct block *block_of(void *memory)
{
	struct block *block = (struct block *)(void *)((uint8_t *)memory - sizeof(struct header));

	if (block->header.mark != MARK_USED || block->header.class > CLASS_NONE ||
	    block->header.len > room(block))
		corrupted();
	return block;
}

static void release_own_chunk(struct block *block)
{
	struct chunk chunk;

	pthread_mutex_lock(&pool.lock);
	chunk = take_chunk((const uint8_t *)block);
	pthread_mutex_unlock(&pool.lock);
	if (block->header.len > chunk.len - sizeof(struct header))
		corrupted();
	count_used(-(int64_t)block->header.len);
	wire_wipe((uint8_t *)block + sizeof(struct header), block->header.len);
	munmap(chunk.start, chunk.len);
}

void slots_release(void *memory)
{
	struct block *block;
	uint32_t class;

	if (!memory)
		return;
	block = block_of(memory);
	class = block->header.class;
	if (class == CLASS_NONE) {
		release_own_chunk(block);
		return;
	}
	count_used(-(int64_t)block->header.len);
	wire_wipe(memory, block->header.len);
	block->header.mark = MARK_FREE;
	push(&cache.lists[class], block);
	if (cache.lists[class].count > 2 * batch_count(class))
		give_back(class, batch_count(class));
	register_thread();
}

static void *resize_in_place(struct block *block, void *memory, size_t len)
{
	if (len < block->header.len)
		wire_wipe((uint8_t *)memory + len, block->header.len - len);
	count_used((int64_t)len - (int64_t)block->header.len);
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

/* Maps the first chunk, which is what tells the backend. */
static int open_pool(enum slots_backend wish, char *error, size_t error_len)
{
	int failed;
	bool got;

	pool.wish = wish;
	pool.next_chunk_len = FIRST_CHUNK_LEN;
#ifdef CRATON_TEST_HOOKS
	if (getenv("CRATON_TEST_PLAIN_MEMORY"))
		pool.wish = SLOTS_UNLOCKED;
#endif
	fill_classes();
	failed = pthread_key_create(&pool.key, on_thread_exit);
	if (failed) {
		snprintf(error, error_len, "cannot make locked memory: %s", strerror(failed));
		return -1;
	}
	pthread_mutex_lock(&pool.lock);
	pool.opened = true;
	got = grow(1);
	pthread_mutex_unlock(&pool.lock);
	if (!got || (wish != SLOTS_AUTO && pool.backend != wish && pool.wish == wish)) {
		snprintf(error, error_len,
		         "[security].locked_memory = \"%s\" cannot be had here: %s; use \"auto\" "
		         "or provide it",
		         slots_backend_name(wish), pool.refusal);
		slots_close();
		return -1;
	}
	if (kernel_module() == KERNEL_READY && wanted(&slots_backends[0]) &&
	    pool.backend != SLOTS_KMOD)
		log_warning("locked memory: kmod gives none: %s", pool.refusal);
	return 0;
}

int slots_open(enum slots_backend wish, char *error, size_t error_len)
{
	if (pool.opened) {
		snprintf(error, error_len, "locked memory is open already");
		return -1;
	}
	if (open_pool(wish, error, error_len))
		return -1;
	if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free))
		return 0;
	snprintf(error, error_len, "OpenSSL was used before its memory could be locked");
	slots_close();
	return -1;
}

void slots_close(void)
{
	if (!pool.opened)
		return;
	pthread_mutex_lock(&pool.lock);
	pool.opened = false;
	while (pool.chunk_count) {
		struct chunk *chunk = &pool.chunks[pool.chunk_count - 1];

		wire_wipe(chunk->start, chunk->len);
		munmap(chunk->start, chunk->len);
		pool.chunk_count--;
	}
	memset(pool.lists, 0, sizeof(pool.lists));
	memset(&cache, 0, sizeof(cache));
	pool.at = pool.end = NULL;
	memset(pool.lens, 0, sizeof(pool.lens));
	pool.refusal[0] = '\0';
	pool.fell_back = false;
	atomic_store(&used_len, 0);
	pthread_mutex_unlock(&pool.lock);
	pthread_key_delete(pool.key);
}

void slots_statistics(struct slots_statistics *statistics)
{
	int64_t used;

	pthread_mutex_lock(&pool.lock);
	statistics->backend = pool.backend;
	memcpy(statistics->lens, pool.lens, sizeof(pool.lens));
	pthread_mutex_unlock(&pool.lock);
	statistics->unlocked_len = statistics->lens[SLOTS_UNLOCKED];
	statistics->locked_len = 0;
	for (enum slots_backend i = SLOTS_KMOD; i < SLOTS_UNLOCKED; i++)
		statistics->locked_len += statistics->lens[i];
	settle_used();
	used = atomic_load_explicit(&used_len, memory_order_relaxed);
	statistics->used_len = used > 0 ? (uint64_t)used : 0;
}

const char *slots_backend_name(enum slots_backend backend)
{
	for (unsigned int i = 0; i < SLOTS_BACKEND_COUNT; i++) {
		if (slots_backends[i].backend == backend)
			return slots_backends[i].name;
	}
	return "auto";
}
