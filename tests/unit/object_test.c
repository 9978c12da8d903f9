/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects: what is cached from the attributes, references, dates, and CKA_ALLOWED_MECHANISMS.
 */
#include <pthread.h>

#include "base_fixture.h"
#include "object.h"

static struct object *make(struct attributes *set)
{
	struct object *object = NULL;

	ASSERT_EQ(object_new(set, &object), ERROR_NONE);
	ASSERT_NOT_NULL(object);
	return object;
}

TEST(empty_object)
{
	attributes_auto set = {0};
	struct object *object;

	base_open_memory();
	object = make(&set);
	EXPECT_EQ(atomic_load(&object->references), 1);
	EXPECT_EQ(object->handle, 0);
	EXPECT_EQ(object->object_class, CK_UNAVAILABLE_INFORMATION);
	EXPECT_EQ(object->key_type, CK_UNAVAILABLE_INFORMATION);
	EXPECT_EQ(object->usage, 0);
	EXPECT_FALSE(object->is_token || object->is_private || object->has_allowed_mechanisms);
	EXPECT_EQ(object->start_date[0], 0);
	EXPECT_EQ(object->end_date[0], 0);
	EXPECT_NULL(atomic_load(&object->pkey));
	object_put(object);
	object_put(NULL);
}

TEST(takes_the_attributes_over)
{
	attributes_auto set = {0};
	object_auto object = NULL;

	base_open_memory();
	ASSERT_EQ(attributes_set_bytes(&set, CKA_LABEL, "name", 4), ERROR_NONE);
	object = make(&set);
	EXPECT_EQ(set.count, 0);
	EXPECT_EQ(set.encoded.len, 0);
	EXPECT_EQ(attributes_bytes(&object->attributes, CKA_LABEL).len, 4);
	ASSERT_EQ(attributes_set_flag(&set, CKA_TOKEN, true), ERROR_NONE);
	EXPECT_EQ(set.count, 1);
	EXPECT_FALSE(object->is_token);
}

TEST(caches_numbers_and_flags)
{
	attributes_auto set = {0};
	object_auto object = NULL;

	base_open_memory();
	ASSERT_EQ(attributes_set_number(&set, CKA_CLASS, CKO_SECRET_KEY), ERROR_NONE);
	ASSERT_EQ(attributes_set_number(&set, CKA_KEY_TYPE, CKK_AES), ERROR_NONE);
	ASSERT_EQ(attributes_set_flag(&set, CKA_TOKEN, true), ERROR_NONE);
	ASSERT_EQ(attributes_set_flag(&set, CKA_PRIVATE, true), ERROR_NONE);
	object = make(&set);
	EXPECT_EQ(object->object_class, CKO_SECRET_KEY);
	EXPECT_EQ(object->key_type, CKK_AES);
	EXPECT_TRUE(object->is_token);
	EXPECT_TRUE(object->is_private);
}

/* One flag at a time: true sets its bit alone, false sets none. */
TEST(caches_each_usage)
{
	static const struct {
		uint64_t type;
		uint32_t usage;
	} rows[] = {
		{CKA_ENCRYPT, USAGE_ENCRYPT},
		{CKA_DECRYPT, USAGE_DECRYPT},
		{CKA_SIGN, USAGE_SIGN},
		{CKA_VERIFY, USAGE_VERIFY},
		{CKA_WRAP, USAGE_WRAP},
		{CKA_UNWRAP, USAGE_UNWRAP},
		{CKA_DERIVE, USAGE_DERIVE},
		{CKA_ENCAPSULATE, USAGE_ENCAPSULATE},
		{CKA_DECAPSULATE, USAGE_DECAPSULATE},
		{CKA_SENSITIVE, USAGE_SENSITIVE},
		{CKA_EXTRACTABLE, USAGE_EXTRACTABLE},
		{CKA_MODIFIABLE, USAGE_MODIFIABLE},
		{CKA_COPYABLE, USAGE_COPYABLE},
		{CKA_DESTROYABLE, USAGE_DESTROYABLE},
		{CKA_ALWAYS_AUTHENTICATE, USAGE_ALWAYS_AUTHENTICATE},
		{CKA_WRAP_WITH_TRUSTED, USAGE_WRAP_WITH_TRUSTED},
		{CKA_TRUSTED, USAGE_TRUSTED},
		{CKA_LOCAL, 0},
		{CKA_ALWAYS_SENSITIVE, 0},
		{CKA_NEVER_EXTRACTABLE, 0},
	};

	base_open_memory();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int value = 0; value < 2; value++) {
			attributes_auto set = {0};
			object_auto object = NULL;

			ASSERT_EQ(attributes_set_flag(&set, rows[i].type, value), ERROR_NONE);
			object = make(&set);
			EXPECT_EQ(object->usage, value ? rows[i].usage : 0);
		}
	}
}

TEST(caches_dates)
{
	attributes_auto set = {0};
	object_auto object = NULL;

	base_open_memory();
	ASSERT_EQ(attributes_set_bytes(&set, CKA_START_DATE, "20260131", 8), ERROR_NONE);
	ASSERT_EQ(attributes_set_bytes(&set, CKA_END_DATE, NULL, 0), ERROR_NONE);
	object = make(&set);
	EXPECT_MEMEQ(object->start_date, "20260131", 8);
	EXPECT_EQ(object->end_date[0], 0);
	object_put(object);
	ASSERT_EQ(attributes_set_bytes(&set, CKA_END_DATE, "20271231", 8), ERROR_NONE);
	object = make(&set);
	EXPECT_EQ(object->start_date[0], 0);
	EXPECT_MEMEQ(object->end_date, "20271231", 8);
}

static struct object *allowing(const uint64_t *mechanisms, size_t count)
{
	attributes_auto set = {0};
	uint8_t octets[64];

	for (size_t i = 0; i < count; i++)
		wire_store_u64(octets + 8 * i, mechanisms[i]);
	ASSERT_EQ(attributes_set_bytes(&set, CKA_ALLOWED_MECHANISMS, octets, 8 * count),
	          ERROR_NONE);
	return make(&set);
}

TEST(allowed_mechanisms)
{
	static const uint64_t two[] = {CKM_AES_GCM, CKM_AES_CBC};
	attributes_auto set = {0};
	object_auto free = NULL;
	object_auto empty = NULL;
	object_auto bound = NULL;

	base_open_memory();
	free = make(&set);
	empty = allowing(NULL, 0);
	bound = allowing(two, 2);
	EXPECT_FALSE(free->has_allowed_mechanisms);
	EXPECT_FALSE(empty->has_allowed_mechanisms);
	EXPECT_TRUE(bound->has_allowed_mechanisms);
	EXPECT_TRUE(object_allows_mechanism(free, CKM_AES_CTR));
	EXPECT_TRUE(object_allows_mechanism(empty, CKM_AES_CTR));
	EXPECT_TRUE(object_allows_mechanism(bound, CKM_AES_GCM));
	EXPECT_TRUE(object_allows_mechanism(bound, CKM_AES_CBC));
	EXPECT_FALSE(object_allows_mechanism(bound, CKM_AES_CTR));
	EXPECT_FALSE(object_allows_mechanism(bound, 0));
	EXPECT_FALSE(object_allows_mechanism(bound, CKM_AES_GCM | 1ull << 32));
}

static uint64_t used_len(void)
{
	struct slots_statistics statistics;

	slots_statistics(&statistics);
	return statistics.used_len;
}

/* The last reference gives the locked memory back, no earlier one does. */
TEST(references)
{
	attributes_auto set = {0};
	struct object *object;
	uint64_t before;

	base_open_memory();
	before = used_len();
	ASSERT_EQ(attributes_set_bytes(&set, CKA_VALUE, "0123456789abcdef", 16), ERROR_NONE);
	object = make(&set);
	EXPECT_EQ(object_get(object), object);
	EXPECT_EQ(atomic_load(&object->references), 2);
	EXPECT_TRUE(slots_contains(attributes_bytes(&object->attributes, CKA_VALUE).data));
	object_put(object);
	EXPECT_EQ(atomic_load(&object->references), 1);
	EXPECT_GT(used_len(), before);
	object_put(object);
	EXPECT_EQ(used_len(), before);
}

static void *get_and_put(void *context)
{
	for (int i = 0; i < 100000; i++)
		object_put(object_get(context));
	return NULL;
}

TEST(references_of_threads)
{
	attributes_auto set = {0};
	object_auto object = NULL;
	pthread_t threads[4];

	base_open_memory();
	object = make(&set);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(pthread_create(&threads[i], NULL, get_and_put, object), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(atomic_load(&object->references), 1);
}

HARNESS_MAIN
