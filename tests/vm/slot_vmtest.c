/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots one by one: what may be created and what not, that octets come back as they went in, that
 * sealed ones never do, lists, lengths, timeouts. Whose slots they are is owner_vmtest's, many at
 * once load_vmtest's.
 */
#include "device.h"

static const char longest[] = "a label of sixty-three characters, which is as long as it gets.";

/* ---- what may be created */

static const struct {
	const char *name;
	uint32_t flags, purpose, key_len;
	int import, generate; /* the results wanted */
} shapes[] = {
	{"generic, 1 octet", 0, CRATON_HSM_GENERIC, 1, 0, 0},
	{"generic, all octets", 0, CRATON_HSM_GENERIC, CRATON_HSM_KEY_MAX, 0, 0},
	{"generic, sealed", CRATON_HSM_SEALED, CRATON_HSM_GENERIC, 32, 0, 0},
	{"generic, none", 0, CRATON_HSM_GENERIC, 0, EINVAL, EINVAL},
	{"generic, too long", 0, CRATON_HSM_GENERIC, CRATON_HSM_KEY_MAX + 1, EINVAL, EINVAL},
	{"generic, far too long", 0, CRATON_HSM_GENERIC, UINT32_MAX, EINVAL, EINVAL},
	{"key encryption", CRATON_HSM_SEALED, CRATON_HSM_KEY_ENCRYPTION, 32, 0, 0},
	{"key encryption, readable", 0, CRATON_HSM_KEY_ENCRYPTION, 32, EINVAL, EINVAL},
	{"key encryption, short", CRATON_HSM_SEALED, CRATON_HSM_KEY_ENCRYPTION, 31, EINVAL, EINVAL},
	{"key encryption, long", CRATON_HSM_SEALED, CRATON_HSM_KEY_ENCRYPTION, 33, EINVAL, EINVAL},
	{"volume, shortest", CRATON_HSM_SEALED, CRATON_HSM_VOLUME, 16, 0, 0},
	{"volume, longest", CRATON_HSM_SEALED, CRATON_HSM_VOLUME, 128, 0, 0},
	{"volume, readable", 0, CRATON_HSM_VOLUME, 64, EINVAL, EINVAL},
	{"volume, short", CRATON_HSM_SEALED, CRATON_HSM_VOLUME, 15, EINVAL, EINVAL},
	{"volume, long", CRATON_HSM_SEALED, CRATON_HSM_VOLUME, 129, EINVAL, EINVAL},
	{"no purpose", CRATON_HSM_SEALED, 0, 32, EINVAL, EINVAL},
	{"unknown purpose", CRATON_HSM_SEALED, 4, 32, EINVAL, EINVAL},
	{"purpose of many bits", CRATON_HSM_SEALED, 1u << 31 | 1, 32, EINVAL, EINVAL},
};

static void expect_create(int device, struct craton_hsm_slot_create *request, int wanted,
                          const char *what)
{
	uint32_t count = info_of(device).slot_count;
	int result = call(device, CRATON_HSM_SLOT_CREATE, request);

	if (result != wanted)
		HARNESS_FAIL(false, "%s: expected %d, got %d (%s)", what, wanted, result,
		             strerror(result));
	EXPECT_EQ(info_of(device).slot_count, count + !result);
}

TEST(shapes)
{
	static uint8_t key[CRATON_HSM_KEY_MAX + 1];
	int device = device_open();

	for (size_t i = 0; i < COUNT(shapes); i++) {
		uint32_t flags = shapes[i].flags;
		struct craton_hsm_slot_create request =
			slot_request(flags, shapes[i].purpose, key, shapes[i].key_len);

		expect_create(device, &request, shapes[i].import, shapes[i].name);
		request = slot_request(flags | CRATON_HSM_GENERATE, shapes[i].purpose, NULL,
		                       shapes[i].key_len);
		expect_create(device, &request, shapes[i].generate, shapes[i].name);
	}
}

/* A key to import, or GENERATE: one of them, and not both. */
TEST(either_a_key_or_generate)
{
	int device = device_open();
	uint8_t key[32] = {0};
	struct craton_hsm_slot_create request;

	request = slot_request(CRATON_HSM_GENERATE, CRATON_HSM_GENERIC, key, sizeof(key));
	expect_create(device, &request, EINVAL, "both");
	request = slot_request(0, CRATON_HSM_GENERIC, NULL, sizeof(key));
	expect_create(device, &request, EINVAL, "neither");
}

static const struct {
	const char *name;
	const char *label;
	size_t label_len;
	int wanted;
} labels[] = {
	{"one character", "x", 1, 0},
	{"the longest", longest, 63, 0},
	{"no end", "a label of sixty-four characters, which is one more than it can.", 64, EINVAL},
	{"empty", "", 0, EINVAL},
	{"lowest and highest", " ~", 2, 0},
	{"too low", "a\x1f", 2, EINVAL},
	{"too high", "a\x7f", 2, EINVAL},
	{"not ASCII", "k\xc3\xa4se", 5, EINVAL},
	{"newline", "a\nb", 3, EINVAL},
	{"colon", "a:b", 3, EINVAL},
	{"semicolon", "a;b", 3, EINVAL},
	{"percent", "%s%n", 4, 0},
	{"more after the end", "a\0b", 3, EINVAL},
	{"begins with the end", "\0b", 2, EINVAL},
};

TEST(labels)
{
	int device = device_open();
	uint8_t key[16] = {0};

	for (size_t i = 0; i < COUNT(labels); i++) {
		struct craton_hsm_slot_create request =
			slot_request(0, CRATON_HSM_GENERIC, key, sizeof(key));
		struct craton_hsm_slot description;

		memset(request.label, 0, sizeof(request.label));
		memcpy(request.label, labels[i].label, labels[i].label_len);
		expect_create(device, &request, labels[i].wanted, labels[i].name);
		if (labels[i].wanted)
			continue;
		ASSERT_EQ(slot_describe(device, request.slot, &description), 0);
		EXPECT_MEMEQ(description.label, request.label, sizeof(request.label));
	}
}

/* ---- what comes out again */

TEST(octets_come_back)
{
	static const uint32_t lens[] = {1, 15, 16, 17, 4095, 4096};
	static uint8_t key[CRATON_HSM_KEY_MAX], back[CRATON_HSM_KEY_MAX + 1];
	int device = device_open();

	for (size_t i = 0; i < COUNT(lens); i++) {
		uint32_t back_len = sizeof(back), slot;

		for (uint32_t at = 0; at < lens[i]; at++)
			key[at] = at * 7 + lens[i];
		memset(back, 0xa5, sizeof(back));
		slot = slot_make(device, 0, CRATON_HSM_GENERIC, key, lens[i]);
		ASSERT_EQ(slot_read(device, slot, back, &back_len), 0);
		EXPECT_EQ(back_len, lens[i]);
		EXPECT_MEMEQ(back, key, lens[i]);
		EXPECT_EQ(back[lens[i]], 0xa5);
	}
}

TEST(generated_octets_differ)
{
	uint8_t keys[8][32], zero[32] = {0};
	int device = device_open();

	for (size_t i = 0; i < COUNT(keys); i++) {
		uint32_t key_len = sizeof(keys[i]);

		ASSERT_EQ(slot_read(device, slot_generic(device, 0), keys[i], &key_len), 0);
		EXPECT_NE(memcmp(keys[i], zero, sizeof(zero)), 0);
		for (size_t j = 0; j < i; j++)
			EXPECT_NE(memcmp(keys[i], keys[j], sizeof(zero)), 0);
	}
}

/* A page is used again and again; what was in it must not be. */
TEST(the_rest_of_a_slot_is_not_its_predecessor)
{
	uint8_t key[64];
	int device = device_open();

	memset(key, 0xa5, sizeof(key));
	for (int round = 0; round < 100; round++) {
		uint32_t slot = slot_make(device, 0, CRATON_HSM_GENERIC, key, sizeof(key));

		ASSERT_EQ(slot_destroy(device, slot), 0);
		slot = slot_make(device, 0, CRATON_HSM_GENERIC, "", 1);
		uint8_t back[64] = {1};
		uint32_t back_len = sizeof(back);

		ASSERT_EQ(slot_read(device, slot, back, &back_len), 0);
		ASSERT_EQ(back_len, 1);
		ASSERT_EQ(back[0], 0);
		ASSERT_EQ(slot_destroy(device, slot), 0);
	}
}

TEST(too_little_room_says_how_much)
{
	static const uint32_t rooms[] = {0, 1, 31};
	int device = device_open();
	uint32_t slot = slot_generic(device, 0);
	uint8_t back[32];

	for (size_t i = 0; i < COUNT(rooms); i++) {
		uint32_t back_len = rooms[i];

		memset(back, 0xa5, sizeof(back));
		EXPECT_EQ(slot_read(device, slot, back, &back_len), ENOSPC);
		EXPECT_EQ(back_len, 32);
		EXPECT_EQ(back[0], 0xa5);
	}
	uint32_t back_len = 0;

	EXPECT_EQ(slot_read(device, slot, NULL, &back_len), ENOSPC);
	EXPECT_EQ(back_len, 32);
}

TEST(sealed_is_never_readable)
{
	static const uint32_t rooms[] = {0, 16, 4096};
	static uint8_t back[4096], untouched[4096];
	int device = device_open();
	const uint32_t slots[] = {slot_generic(device, CRATON_HSM_SEALED), slot_kek(device, NULL),
	                          slot_volume(device, NULL, 64)};

	for (size_t i = 0; i < COUNT(slots); i++) {
		for (size_t j = 0; j < COUNT(rooms); j++) {
			uint32_t back_len = rooms[j];

			EXPECT_EQ(slot_read(device, slots[i], back, &back_len), EACCES);
			EXPECT_EQ(back_len, rooms[j]);
			EXPECT_MEMEQ(back, untouched, sizeof(back));
		}
	}
}

TEST(destroyed_is_gone)
{
	int device = device_open();
	uint32_t slot = slot_generic(device, 0), back_len = 32;
	uint8_t back[32];

	ASSERT_EQ(slot_destroy(device, slot), 0);
	EXPECT_EQ(slot_destroy(device, slot), ENOENT);
	EXPECT_EQ(slot_find(device, slot), ENOENT);
	EXPECT_EQ(slot_read(device, slot, back, &back_len), ENOENT);
	EXPECT_EQ(slot_destroy(device, 0), ENOENT);
	EXPECT_EQ(slot_destroy(device, UINT32_MAX), ENOENT);
	EXPECT_NE(slot_generic(device, 0), slot); /* nor taken for another */
}

/* ---- what is told about slots */

TEST(description)
{
	int device = device_open();
	struct craton_hsm_slot_create request =
		slot_request(CRATON_HSM_SEALED | CRATON_HSM_GENERATE, CRATON_HSM_VOLUME, NULL, 64);
	struct craton_hsm_slot description;

	request.timeout = 1000;
	ASSERT_EQ(call(device, CRATON_HSM_SLOT_CREATE, &request), 0);
	ASSERT_EQ(slot_describe(device, request.slot, &description), 0);
	EXPECT_EQ(description.slot, request.slot);
	EXPECT_EQ(description.flags, CRATON_HSM_SEALED); /* how it came to be is not a property */
	EXPECT_EQ(description.purpose, CRATON_HSM_VOLUME);
	EXPECT_EQ(description.key_len, 64);
	EXPECT_EQ(description.serial, request.serial);
	EXPECT_EQ(description.uid, 0);
	EXPECT_GT(description.remaining, 900);
	EXPECT_LE(description.remaining, 1000);
	EXPECT_MEMEQ(description.label, request.label, sizeof(request.label));
}

TEST(timeouts)
{
	static const uint32_t timeouts[] = {0, 1, 1u << 31, UINT32_MAX};
	int device = device_open();

	for (size_t i = 0; i < COUNT(timeouts); i++) {
		struct craton_hsm_slot_create request =
			slot_request(CRATON_HSM_GENERATE, CRATON_HSM_GENERIC, NULL, 1);
		struct craton_hsm_slot description;

		request.timeout = timeouts[i];
		ASSERT_EQ(call(device, CRATON_HSM_SLOT_CREATE, &request), 0);
		ASSERT_EQ(slot_describe(device, request.slot, &description), 0);
		EXPECT_LE(description.remaining, timeouts[i]);
		EXPECT_GE(description.remaining,
		          timeouts[i] > 60 ? timeouts[i] - 60 : !!timeouts[i]);
	}
}

static int the_device;

static bool slot_is_gone(void *slot)
{
	return slot_find(the_device, *(uint32_t *)slot) == ENOENT;
}

TEST(a_slot_ends_in_time)
{
	struct craton_hsm_slot_create request =
		slot_request(CRATON_HSM_GENERATE, CRATON_HSM_GENERIC, NULL, 1);
	uint32_t other;
	struct timespec from, to;

	the_device = device_open();
	other = slot_generic(the_device, 0);
	request.timeout = 1;
	clock_gettime(CLOCK_BOOTTIME, &from);
	ASSERT_EQ(call(the_device, CRATON_HSM_SLOT_CREATE, &request), 0);
	ASSERT_EQ(slot_find(the_device, request.slot), 0);
	ASSERT_TRUE(comes_true(slot_is_gone, &request.slot, 10));
	clock_gettime(CLOCK_BOOTTIME, &to);
	EXPECT_GE((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000, 999);
	EXPECT_EQ(slot_find(the_device, other), 0);
	EXPECT_EQ(info_of(the_device).slot_count, 1);
}

/* ---- lists */

TEST(lists)
{
	static const uint32_t rooms[] = {1, 2, 3, 7, 1024, UINT32_MAX};
	static struct craton_hsm_slot entries[1024];
	int device = device_open();
	uint32_t slots[7];

	for (size_t i = 0; i < COUNT(slots); i++)
		slots[i] = slot_generic(device, 0);
	for (size_t i = 0; i < COUNT(rooms); i++) {
		uint32_t after = 0, seen = 0, count;

		do {
			count = rooms[i];
			ASSERT_EQ(slot_list(device, after, entries, &count), 0);
			EXPECT_LE(count, rooms[i]);
			for (uint32_t j = 0; j < count; j++, seen++) {
				struct craton_hsm_slot one;

				ASSERT_LT(seen, COUNT(slots));
				EXPECT_EQ(entries[j].slot, slots[seen]);
				ASSERT_EQ(slot_describe(device, slots[seen], &one), 0);
				EXPECT_MEMEQ(&entries[j], &one, sizeof(one));
				after = entries[j].slot;
			}
		} while (count);
		EXPECT_EQ(seen, COUNT(slots));
	}
}

TEST(list_needs_room)
{
	struct craton_hsm_slot entry;
	int device = device_open();
	uint32_t count = 0;

	EXPECT_EQ(slot_list(device, 0, &entry, &count), EINVAL);
	count = 1;
	EXPECT_EQ(slot_list(device, 0, &entry, &count), 0);
	EXPECT_EQ(count, 0);
	slot_generic(device, 0);
	count = 1;
	EXPECT_EQ(slot_list(device, UINT32_MAX, &entry, &count), 0);
	EXPECT_EQ(count, 0);
	/* A hole after the first entry: fails as a whole. */
	slot_generic(device, 0);
	uint8_t *pages =
		mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_EQ(munmap(pages + 4096, 4096), 0);
	count = 2;
	EXPECT_EQ(slot_list(device, 0, (void *)(pages + 4096 - sizeof(entry)), &count), EFAULT);
	EXPECT_EQ(count, 2);
}

TEST(info)
{
	int device = device_open();
	struct craton_hsm_info info = info_of(device);

	EXPECT_EQ(info.abi, CRATON_HSM_ABI);
	EXPECT_EQ(info.features &
	                  ~(CRATON_HSM_FEATURE_VM_GENERATION | CRATON_HSM_FEATURE_OFFLINE_PAGES),
	          0);
	EXPECT_EQ(info.slot_count, 0);
	EXPECT_EQ(info.arena_len, 0);
	EXPECT_GT(info.slot_quota, 0);
	EXPECT_GT(info.arena_quota_len, 0);
	for (uint32_t count = 1; count <= 5; count++) {
		slot_generic(device, 0);
		info = info_of(device);
		EXPECT_EQ(info.slot_count, count);
		EXPECT_GT(info.keyring, 0);
	}
}

HARNESS_MAIN
