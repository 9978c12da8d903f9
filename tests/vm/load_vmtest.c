/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many slots at once: threads and processes that make, list, describe, read, destroy and revoke the
 * same ones, and ten thousand in a row without growth of the kernel's memory.
 *
 * # TIMEOUT 120
 */
#include <keyutils.h>
#include <pthread.h>

#include "device.h"

#define SLOTS_PER_UID "/sys/module/craton_hsm/parameters/slots_per_uid"
#define MANY          10000u
#define WARM_UP       3000u
/* Small against what one lost object, or one lost page, per slot would be. */
#define OBJECTS_NOISE (MANY / 10)
#define KIB_NOISE     (MANY * 4 / 10)
#define ENTRIES       1024u
#define THREADS       6u
#define ROUNDS        150u

/* ---- many hands on the same slots */

struct hand {
	int device;
	uint32_t flags;
	unsigned int seed;
};

/* The number of some slot that the caller can see, and its key; 0 when there is none. */
static uint32_t some_slot(struct hand *hand, int32_t *serial)
{
	struct craton_hsm_slot entries[16];
	uint32_t count = COUNT(entries);
	size_t which;

	ASSERT_EQ(slot_list(hand->device, 0, entries, &count), 0);
	if (!count)
		return 0;
	which = rand_r(&hand->seed) % count;
	*serial = entries[which].serial;
	return entries[which].slot;
}

static void expect_one_of(const char *what, int result, int or)
{
	if (result && result != or)
		HARNESS_FAIL(false, "%s: %d (%s)", what, result, strerror(result));
}

static void one_step(struct hand *hand)
{
	uint8_t key[32];
	uint32_t key_len = sizeof(key), slot;
	int32_t serial;

	slot_generic(hand->device, hand->flags);
	slot = some_slot(hand, &serial);
	switch (rand_r(&hand->seed) % 5) {
	case 0:
		expect_one_of("read", slot_read(hand->device, slot, key, &key_len), ENOENT);
		break;
	case 1:
		expect_one_of("describe", slot_find(hand->device, slot), ENOENT);
		break;
	case 2:
		if (keyctl_revoke(serial) && errno != EKEYREVOKED && errno != ENOKEY)
			HARNESS_FAIL(false, "revoke: %s", strerror(errno));
		break;
	case 3:
		if (keyctl_invalidate(serial) && errno != EKEYREVOKED && errno != ENOKEY)
			HARNESS_FAIL(false, "invalidate: %s", strerror(errno));
		break;
	}
	expect_one_of("destroy", slot_destroy(hand->device, slot), ENOENT);
}

static void *work(void *argument)
{
	for (unsigned int round = 0; round < ROUNDS; round++)
		one_step(argument);
	return NULL;
}

static void work_in_threads(void *argument)
{
	struct hand hands[THREADS];
	pthread_t threads[THREADS];
	struct hand *hand = argument;

	for (unsigned int i = 0; i < THREADS; i++) {
		hands[i] = *hand;
		hands[i].seed = hand->seed + i;
		ASSERT_EQ(pthread_create(&threads[i], NULL, work, &hands[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++)
		ASSERT_EQ(pthread_join(threads[i], NULL), 0);
}

/* Those that nobody's random choice hit. */
static void destroy_all(int device)
{
	static struct craton_hsm_slot entries[ENTRIES];
	uint32_t after = 0, count;

	do {
		count = ENTRIES;
		ASSERT_EQ(slot_list(device, after, entries, &count), 0);
		for (uint32_t i = 0; i < count; i++) {
			after = entries[i].slot;
			ASSERT_EQ(slot_destroy(device, after), 0);
		}
	} while (count);
}

static bool keyring_is_empty(void *info)
{
	return keyctl_read(((struct craton_hsm_info *)info)->keyring, NULL, 0) == 0;
}

static void nothing_is_left(int device)
{
	struct craton_hsm_info info;

	destroy_all(device);
	info = info_of(device);
	EXPECT_EQ(info.slot_count, 0);
	EXPECT_TRUE(comes_true(keyring_is_empty, &info, 10));
}

TEST(threads)
{
	struct hand hand = {.device = device_open(), .seed = 1};

	work_in_threads(&hand);
	nothing_is_left(hand.device);
}

static void work_of_process(void *argument)
{
	struct hand hand = *(struct hand *)argument;

	hand.device = device_open();
	work_in_threads(&hand);
}

TEST(processes_with_persistent_slots)
{
	struct hand hand = {.flags = CRATON_HSM_PERSISTENT};
	pid_t children[3];
	int status;

	fflush(NULL);
	for (size_t i = 0; i < COUNT(children); i++) {
		hand.seed = 100 * i;
		children[i] = fork();
		if (!children[i]) {
			work_of_process(&hand);
			harness_end(harness_failed);
		}
	}
	for (size_t i = 0; i < COUNT(children); i++) {
		ASSERT_EQ(waitpid(children[i], &status, 0), children[i]);
		EXPECT_EQ(status, 0);
	}
	nothing_is_left(device_open());
}

/* Closing takes slots away while others still use the description: the last close() waits for them.
 */
static void *work_until_closed(void *argument)
{
	struct hand *hand = argument;
	struct craton_hsm_slot_create request;

	for (;;) {
		request = slot_request(CRATON_HSM_GENERATE, CRATON_HSM_GENERIC, NULL, 32);
		int result = call(hand->device, CRATON_HSM_SLOT_CREATE, &request);

		if (result == EBADF)
			return NULL;
		expect_one_of("create", result, EDQUOT);
	}
}

TEST(closed_under_way)
{
	for (int round = 0; round < 20; round++) {
		struct hand hand = {.device = device_open()};
		pthread_t threads[3];

		for (size_t i = 0; i < COUNT(threads); i++)
			ASSERT_EQ(pthread_create(&threads[i], NULL, work_until_closed, &hand), 0);
		slot_generic(hand.device, 0);
		close(hand.device);
		for (size_t i = 0; i < COUNT(threads); i++)
			ASSERT_EQ(pthread_join(threads[i], NULL), 0);
	}
	EXPECT_EQ(info_of(device_open()).slot_count, 0);
}

/* ---- ten thousand */

struct memory {
	uint64_t free_kib, vmalloc_kib;
	size_t count;
	struct {
		char name[32];
		unsigned long objects;
	} caches[300];
};

/* The sum of the numbers behind a word, where a line begins with it. */
static uint64_t sum_of(const char *path, const char *word)
{
	FILE *file = fopen(path, "re");
	char line[256], found[64];
	unsigned long number;
	uint64_t sum = 0;

	ASSERT_NOT_NULL(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, " %63s %lu", found, &number) == 2 && !strcmp(found, word))
			sum += number;
	}
	fclose(file);
	return sum;
}

/* With the pages that processors keep ready, tens of MiB, which MemFree does not count. */
static uint64_t free_kib(void)
{
	return 4 * (sum_of("/proc/zoneinfo", "nr_free_pages") + sum_of("/proc/zoneinfo", "count:"));
}

/* The caches that keep something per slot: ours are the general ones, and that of keys. */
static void slabs(struct memory *memory)
{
	FILE *file = fopen("/proc/slabinfo", "re");
	char line[256];

	ASSERT_NOT_NULL(file);
	memory->count = 0;
	while (fgets(line, sizeof(line), file) && memory->count < COUNT(memory->caches)) {
		char *name = memory->caches[memory->count].name;

		if (sscanf(line, "%31s %lu", name, &memory->caches[memory->count].objects) != 2)
			continue;
		if (!strncmp(name, "kmalloc-", 8) || !strcmp(name, "key_jar") ||
		    !strcmp(name, "radix_tree_node"))
			memory->count++;
	}
	fclose(file);
}

/* KASAN keeps what was freed for a while; shrinking a cache takes it out. */
static void shrink(const struct memory *memory)
{
	char path[64];

	for (size_t i = 0; i < memory->count; i++) {
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", memory->caches[i].name);
		file_write(path, "1");
	}
}

static void memory_take(struct memory *memory)
{
	/* What is only cached, here and per processor, is not in use. */
	file_write("/proc/sys/vm/drop_caches", "3");
	slabs(memory);
	shrink(memory);
	slabs(memory);
	memory->free_kib = free_kib();
	memory->vmalloc_kib = sum_of("/proc/meminfo", "VmallocUsed:");
}

static struct memory before, after;

/* Keys go in their own time, by a worker. */
static bool as_before(void *unused)
{
	bool same = true;

	(void)unused;
	memory_take(&after);
	for (size_t i = 0; i < before.count; i++)
		same = same && after.caches[i].objects < before.caches[i].objects + OBJECTS_NOISE;
	return same && after.free_kib + KIB_NOISE > before.free_kib &&
	       after.vmalloc_kib < before.vmalloc_kib + KIB_NOISE;
}

static void show_growth(void)
{
	printf("# free %lu -> %lu KiB, VmallocUsed %lu -> %lu KiB\n", before.free_kib,
	       after.free_kib, before.vmalloc_kib, after.vmalloc_kib);
	for (size_t i = 0; i < before.count; i++) {
		if (before.caches[i].objects != after.caches[i].objects)
			printf("# %s: %lu -> %lu objects\n", before.caches[i].name,
			       before.caches[i].objects, after.caches[i].objects);
	}
}

static uint32_t listed(int device)
{
	static struct craton_hsm_slot entries[ENTRIES];
	uint32_t last = 0, seen = 0, count;

	do {
		count = ENTRIES;
		ASSERT_EQ(slot_list(device, last, entries, &count), 0);
		for (uint32_t i = 0; i < count; i++, seen++) {
			ASSERT_GT(entries[i].slot, last);
			last = entries[i].slot;
		}
	} while (count);
	return seen;
}

static void make_list_destroy(int device, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		slot_make(device, 0, CRATON_HSM_GENERIC, NULL, i % CRATON_HSM_KEY_MAX + 1);
	EXPECT_EQ(listed(device), count);
	destroy_all(device);
	EXPECT_EQ(listed(device), 0);
	EXPECT_EQ(info_of(device).slot_count, 0);
}

TEST_TIMEOUT(ten_thousand_leave_nothing_behind, 100)
{
	char quota[16];
	int device = device_open();

	snprintf(quota, sizeof(quota), "%u", info_of(device).slot_quota);
	ASSERT_TRUE(file_write(SLOTS_PER_UID, "10000"));
	make_list_destroy(device, WARM_UP);
	memory_take(&before);
	make_list_destroy(device, MANY);
	EXPECT_TRUE(comes_true(as_before, NULL, 30));
	show_growth();
	ASSERT_TRUE(file_write(SLOTS_PER_UID, quota));
}

HARNESS_MAIN
