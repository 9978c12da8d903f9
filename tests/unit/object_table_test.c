/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index of objects: a hundred thousand of them are found in a few steps by handle, label and
 * id, and every index follows a replacement and a removal.
 */
#include "base_fixture.h"
#include "clock.h"
#include "object_table.h"

#define MANY 100000u
#define FEW  16u                 /* candidates in a chain that is not degenerate */
#define SEED 0x9d3f5a17c2e8b461u /* like any other; the agent takes a random one */

/* Never followed. */
#define APPLICATION(n) ((const struct application *)(uintptr_t)(0x1000 * (n)))

static struct object *make(uint32_t handle, uint64_t object_class, const char *label)
{
	attributes_auto set = {0};
	struct object *object = NULL;

	ASSERT_EQ(attributes_set_number(&set, CKA_CLASS, object_class), ERROR_NONE);
	ASSERT_EQ(attributes_set_flag(&set, CKA_TOKEN, true), ERROR_NONE);
	ASSERT_EQ(attributes_set_bytes(&set, CKA_LABEL, label, strlen(label)), ERROR_NONE);
	ASSERT_EQ(attributes_set_bytes(&set, CKA_ID, &handle, sizeof(handle)), ERROR_NONE);
	ASSERT_EQ(object_new(&set, &object), ERROR_NONE);
	object->handle = handle;
	return object;
}

static void insert(struct object_table *table, uint32_t handle, const char *label)
{
	object_auto object = make(handle, CKO_DATA, label);

	ASSERT_EQ(object_table_insert(table, object), ERROR_NONE);
}

static void insert_session(struct object_table *table, uint32_t handle, unsigned int application)
{
	object_auto object = make(handle, CKO_DATA, "session object");

	object->is_token = false;
	object->application = APPLICATION(application);
	ASSERT_EQ(object_table_insert(table, object), ERROR_NONE);
}

struct calls {
	uint32_t wanted; /* this handle must be among them */
	unsigned int count, limit;
	bool met;
	uint64_t age;
};

static bool count_call(void *context, struct object *object, uint64_t age)
{
	struct calls *calls = context;

	if (object->handle == calls->wanted) {
		calls->met = true;
		calls->age = age;
	}
	return ++calls->count != calls->limit;
}

static struct calls search(const struct object_table *table, const struct attributes *set,
                           uint32_t wanted)
{
	struct wire_template template = attributes_template(set);
	struct calls calls = {.wanted = wanted};

	object_table_candidates(table, &template, count_call, &calls);
	return calls;
}

static struct calls search_label(const struct object_table *table, const char *label,
                                 uint32_t wanted)
{
	attributes_auto set = {0};

	ASSERT_EQ(attributes_set_bytes(&set, CKA_LABEL, label, strlen(label)), ERROR_NONE);
	return search(table, &set, wanted);
}

static struct calls search_id(const struct object_table *table, uint32_t id)
{
	attributes_auto set = {0};

	ASSERT_EQ(attributes_set_number(&set, CKA_CLASS, CKO_DATA), ERROR_NONE);
	ASSERT_EQ(attributes_set_bytes(&set, CKA_ID, &id, sizeof(id)), ERROR_NONE);
	return search(table, &set, id);
}

static void label_of(uint32_t handle, char label[24])
{
	snprintf(label, 24, "object %u", handle);
}

static struct object_table *many(void)
{
	struct object_table *table = object_table_new(SEED);
	char label[24];

	ASSERT_NOT_NULL(table);
	for (uint32_t handle = 1; handle <= MANY; handle++) {
		label_of(handle, label);
		insert(table, handle, label);
	}
	return table;
}

static double us_each(uint64_t start_ns, unsigned int count)
{
	return (double)(clock_monotonic_ns() - start_ns) / 1e3 / count;
}

TEST(a_hundred_thousand)
{
	struct object_table *table;
	unsigned int total = 0;
	char label[24];
	uint64_t start;

	base_open_memory();
	start = clock_monotonic_ns();
	table = many();
	printf("# %u inserts: %.2f us each\n", MANY, us_each(start, MANY));
	EXPECT_EQ(object_table_count(table), MANY);
	start = clock_monotonic_ns();
	for (uint32_t handle = 1; handle <= MANY; handle++) {
		struct object *object = object_table_find(table, handle);
		struct calls by_label, by_id;

		ASSERT_NOT_NULL(object);
		ASSERT_EQ(object->handle, handle);
		label_of(handle, label);
		by_label = search_label(table, label, handle);
		by_id = search_id(table, handle);
		ASSERT_TRUE(by_label.met && by_id.met);
		ASSERT_EQ(by_label.age, handle - 1);
		ASSERT_LE(by_label.count, FEW);
		ASSERT_LE(by_id.count, FEW);
		total += by_label.count + by_id.count;
	}
	printf("# find by handle, label and id: %.2f us for all three, %.3f candidates each\n",
	       us_each(start, MANY), total / (2.0 * MANY));
	EXPECT_LT(total, 3 * 2 * MANY);
	EXPECT_NULL(object_table_find(table, 0));
	EXPECT_NULL(object_table_find(table, MANY + 1));
	EXPECT_LE(search_label(table, "nothing", 0).count, FEW);
	object_table_free(table);
}

TEST(other_searches)
{
	attributes_auto nothing = {0};
	attributes_auto class = {0};
	struct wire_template all;
	struct object_table *table;
	struct calls some = {.limit = 3};

	base_open_memory();
	table = object_table_new(SEED);
	for (uint32_t handle = 1; handle <= 100; handle++)
		insert(table, handle, "same");
	EXPECT_EQ(search(table, &nothing, 1).count, 100);
	EXPECT_EQ(search_label(table, "same", 1).count, 100);
	ASSERT_EQ(attributes_set_number(&class, CKA_CLASS, CKO_DATA), ERROR_NONE);
	EXPECT_EQ(search(table, &class, 1).count, 100);
	all = attributes_template(&nothing);
	object_table_candidates(table, &all, count_call, &some);
	EXPECT_EQ(some.count, 3);
	object_table_free(table);
	object_table_free(NULL);
}

static struct calls search_empty(const struct object_table *table, uint64_t type, uint32_t wanted)
{
	attributes_auto set = {0};

	ASSERT_EQ(attributes_set_bytes(&set, type, NULL, 0), ERROR_NONE);
	return search(table, &set, wanted);
}

/* An absent label or id reads as an empty one, so whoever searches for an empty one finds it. */
TEST(absent_is_empty)
{
	attributes_auto set = {0};
	object_auto bare = NULL;
	struct object_table *table;

	base_open_memory();
	table = object_table_new(SEED);
	for (uint32_t handle = 1; handle <= 100; handle++)
		insert(table, handle, "named");
	insert(table, 101, "");
	ASSERT_EQ(attributes_set_number(&set, CKA_CLASS, CKO_DATA), ERROR_NONE);
	ASSERT_EQ(object_new(&set, &bare), ERROR_NONE);
	bare->handle = 102;
	ASSERT_EQ(object_table_insert(table, bare), ERROR_NONE);
	EXPECT_TRUE(search_empty(table, CKA_LABEL, 101).met);
	EXPECT_TRUE(search_empty(table, CKA_LABEL, 102).met);
	EXPECT_TRUE(search_empty(table, CKA_ID, 102).met);
	EXPECT_LE(search_empty(table, CKA_LABEL, 102).count, FEW);
	ASSERT_TRUE(object_table_remove(table, 102));
	EXPECT_FALSE(search_empty(table, CKA_LABEL, 102).met);
	object_table_free(table);
}

TEST(replace_indexes_again)
{
	object_auto successor = NULL;
	object_auto stranger = NULL;
	struct object_table *table;

	base_open_memory();
	table = object_table_new(SEED);
	for (uint32_t handle = 1; handle <= 1000; handle++)
		insert(table, handle, handle == 500 ? "before" : "other");
	successor = make(500, CKO_CERTIFICATE, "after");
	ASSERT_EQ(object_table_replace(table, successor), ERROR_NONE);
	EXPECT_EQ(object_table_count(table), 1000);
	EXPECT_EQ(object_table_find(table, 500), successor);
	EXPECT_FALSE(search_label(table, "before", 500).met);
	EXPECT_TRUE(search_label(table, "after", 500).met);
	EXPECT_EQ(search_label(table, "after", 500).age, 499); /* as old as before */
	EXPECT_EQ(atomic_load(&successor->references), 2);
	stranger = make(1001, CKO_DATA, "stranger");
	EXPECT_EQ(object_table_replace(table, stranger), ERROR_OBJECT_HANDLE);
	EXPECT_EQ(atomic_load(&stranger->references), 1);
	object_table_free(table);
	EXPECT_EQ(atomic_load(&successor->references), 1);
}

TEST(remove)
{
	object_auto kept = NULL;
	struct object_table *table;

	base_open_memory();
	table = object_table_new(SEED);
	for (uint32_t handle = 1; handle <= 1000; handle++)
		insert(table, handle, handle % 2 ? "odd" : "even");
	kept = object_get(object_table_find(table, 2));
	for (uint32_t handle = 2; handle <= 1000; handle += 2)
		ASSERT_TRUE(object_table_remove(table, handle));
	EXPECT_FALSE(object_table_remove(table, 2));
	EXPECT_EQ(object_table_count(table), 500);
	EXPECT_EQ(atomic_load(&kept->references), 1);
	EXPECT_EQ(attributes_bytes(&kept->attributes, CKA_LABEL).len, 4);
	EXPECT_FALSE(search_label(table, "even", 2).met);
	for (uint32_t handle = 1; handle <= 1000; handle++)
		ASSERT_EQ(object_table_find(table, handle) != NULL, handle % 2);
	object_table_free(table);
}

struct judge {
	unsigned int *calls;
	uint32_t below;
};

static bool is_below(const void *context, const struct object *object)
{
	const struct judge *judge = context;

	++*judge->calls;
	return object->handle < judge->below;
}

/* Asks about the objects of that application only, among many others. */
TEST(remove_if_of_one_application)
{
	struct object_table *table;
	unsigned int calls = 0;
	struct judge judge = {&calls, 1050};

	base_open_memory();
	table = object_table_new(SEED);
	for (uint32_t handle = 1; handle <= 1000; handle++)
		insert(table, handle, "token object");
	for (uint32_t handle = 1001; handle <= 1300; handle++)
		insert_session(table, handle, 1 + handle % 3);
	object_table_remove_if(table, APPLICATION(1), is_below, &judge);
	EXPECT_EQ(calls, 100);
	for (uint32_t handle = 1; handle <= 1300; handle++) {
		bool gone = handle > 1000 && handle < 1050 && handle % 3 == 0;

		ASSERT_EQ(object_table_find(table, handle) == NULL, gone);
	}
	calls = 0;
	object_table_remove_if(table, APPLICATION(9), is_below, &judge);
	EXPECT_EQ(calls, 0);
	object_table_free(table);
}

TEST(remove_if_of_all)
{
	struct object_table *table;
	unsigned int calls = 0;
	struct judge judge = {&calls, 150};

	base_open_memory();
	table = object_table_new(SEED);
	for (uint32_t handle = 1; handle <= 100; handle++)
		insert(table, handle, "token object");
	for (uint32_t handle = 101; handle <= 200; handle++)
		insert_session(table, handle, 1);
	object_table_remove_if(table, NULL, is_below, &judge);
	EXPECT_EQ(calls, 200);
	EXPECT_EQ(object_table_count(table), 51);
	judge.below = UINT32_MAX;
	object_table_remove_if(table, NULL, is_below, &judge);
	EXPECT_EQ(object_table_count(table), 0);
	insert(table, 5, "again");
	EXPECT_TRUE(search_label(table, "again", 5).met);
	object_table_free(table);
}

HARNESS_MAIN
