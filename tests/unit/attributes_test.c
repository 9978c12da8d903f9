/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attribute sets: setting, replacing, removing, reading by kind, limits, and octets from a damaged
 * store.
 */
#include "attributes.h"
#include "base_fixture.h"
#include "wire/frame.h"

TEST(zeroed_set_is_empty)
{
	attributes_auto set = {0};
	struct wire_attribute attribute;

	base_open_memory();
	EXPECT_FALSE(attributes_get(&set, CKA_LABEL, &attribute));
	EXPECT_EQ(attributes_bytes(&set, CKA_LABEL).len, 0);
	EXPECT_EQ(attributes_number(&set, CKA_CLASS, 42), 42);
	EXPECT_FALSE(attributes_flag(&set, CKA_TOKEN));
	attributes_remove(&set, CKA_LABEL);
	EXPECT_EQ(attributes_template(&set).count, 0);
}

TEST(set_and_get)
{
	attributes_auto set = {0};
	struct wire_attribute attribute;
	struct wire_bytes bytes;

	base_open_memory();
	ASSERT_EQ(attributes_set_bytes(&set, CKA_LABEL, "label", 5), ERROR_NONE);
	ASSERT_EQ(attributes_set_number(&set, CKA_CLASS, CKO_DATA), ERROR_NONE);
	ASSERT_EQ(attributes_set_flag(&set, CKA_TOKEN, true), ERROR_NONE);
	ASSERT_EQ(attributes_set_flag(&set, CKA_PRIVATE, false), ERROR_NONE);
	ASSERT_EQ(attributes_set_bytes(&set, CKA_START_DATE, "20260101", 8), ERROR_NONE);
	ASSERT_EQ(attributes_set_bytes(&set, CKA_ID, NULL, 0), ERROR_NONE);
	EXPECT_EQ(set.count, 6);
	bytes = attributes_bytes(&set, CKA_LABEL);
	ASSERT_EQ(bytes.len, 5);
	EXPECT_MEMEQ(bytes.data, "label", 5);
	EXPECT_TRUE(slots_contains(bytes.data));
	EXPECT_EQ(attributes_number(&set, CKA_CLASS, 42), CKO_DATA);
	EXPECT_TRUE(attributes_flag(&set, CKA_TOKEN));
	EXPECT_FALSE(attributes_flag(&set, CKA_PRIVATE));
	EXPECT_EQ(attributes_bytes(&set, CKA_START_DATE).len, 8);
	ASSERT_TRUE(attributes_get(&set, CKA_ID, &attribute));
	EXPECT_EQ(attribute.value.len, 0);
	EXPECT_EQ(attribute.kind, WIRE_ATTRIBUTE_BYTES);
}

/* Another kind is as good as absent. */
TEST(kinds_are_kept_apart)
{
	attributes_auto set = {0};

	base_open_memory();
	ASSERT_EQ(attributes_set_number(&set, CKA_CLASS, 1), ERROR_NONE);
	ASSERT_EQ(attributes_set_flag(&set, CKA_TOKEN, true), ERROR_NONE);
	ASSERT_EQ(attributes_set_bytes(&set, CKA_LABEL, "\1", 1), ERROR_NONE);
	EXPECT_FALSE(attributes_flag(&set, CKA_CLASS));
	EXPECT_FALSE(attributes_flag(&set, CKA_LABEL));
	EXPECT_EQ(attributes_number(&set, CKA_TOKEN, 42), 42);
	EXPECT_EQ(attributes_number(&set, CKA_LABEL, 42), 42);
	EXPECT_EQ(attributes_bytes(&set, CKA_CLASS).len, 0);
	EXPECT_EQ(attributes_bytes(&set, CKA_TOKEN).len, 0);
}

TEST(replace_and_remove)
{
	attributes_auto set = {0};
	struct wire_attribute attribute;
	size_t len;

	base_open_memory();
	for (uint64_t type = 1; type <= 5; type++)
		ASSERT_EQ(attributes_set_number(&set, CKA_VENDOR_DEFINED + type, type), ERROR_NONE);
	len = set.encoded.len;
	ASSERT_EQ(attributes_set_number(&set, CKA_VENDOR_DEFINED + 3, 33), ERROR_NONE);
	EXPECT_EQ(set.count, 5);
	EXPECT_EQ(set.encoded.len, len);
	for (uint64_t type = 1; type <= 5; type++)
		EXPECT_EQ(attributes_number(&set, CKA_VENDOR_DEFINED + type, 0),
		          type == 3 ? 33 : type);
	attributes_remove(&set, CKA_VENDOR_DEFINED + 1);
	attributes_remove(&set, CKA_VENDOR_DEFINED + 3);
	attributes_remove(&set, CKA_VENDOR_DEFINED + 3);
	EXPECT_EQ(set.count, 3);
	EXPECT_FALSE(attributes_get(&set, CKA_VENDOR_DEFINED + 3, &attribute));
	EXPECT_EQ(attributes_number(&set, CKA_VENDOR_DEFINED + 2, 0), 2);
	EXPECT_EQ(attributes_number(&set, CKA_VENDOR_DEFINED + 5, 0), 5);
}

TEST(at_most_128)
{
	attributes_auto set = {0};

	base_open_memory();
	for (uint64_t i = 0; i < WIRE_ATTRIBUTE_MAX; i++)
		ASSERT_EQ(attributes_set_number(&set, CKA_VENDOR_DEFINED + i, i), ERROR_NONE);
	EXPECT_EQ(attributes_set_number(&set, CKA_CLASS, 1), ERROR_TEMPLATE_INCONSISTENT);
	EXPECT_EQ(attributes_set_number(&set, CKA_VENDOR_DEFINED, 9), ERROR_NONE);
	EXPECT_EQ(set.count, WIRE_ATTRIBUTE_MAX);
	EXPECT_EQ(attributes_number(&set, CKA_VENDOR_DEFINED, 0), 9);
	EXPECT_EQ(attributes_number(&set, CKA_CLASS, 42), 42);
}

/* What does not fit is refused, and the set is usable afterwards. */
TEST(at_most_64_kib)
{
	static uint8_t value[64 * 1024];
	attributes_auto set = {0};
	const size_t room = sizeof(value) - 13; /* type, kind, length */

	base_open_memory();
	EXPECT_EQ(attributes_set_bytes(&set, CKA_VALUE, value, room + 1), ERROR_MEMORY);
	EXPECT_EQ(set.count, 0);
	ASSERT_EQ(attributes_set_bytes(&set, CKA_VALUE, value, room), ERROR_NONE);
	EXPECT_EQ(attributes_bytes(&set, CKA_VALUE).len, room);
	EXPECT_EQ(attributes_set_flag(&set, CKA_TOKEN, true), ERROR_MEMORY);
	EXPECT_EQ(attributes_bytes(&set, CKA_VALUE).len, room);
	EXPECT_EQ(set.count, 1);
	attributes_remove(&set, CKA_VALUE);
	EXPECT_EQ(attributes_set_flag(&set, CKA_TOKEN, true), ERROR_NONE);
	EXPECT_TRUE(attributes_flag(&set, CKA_TOKEN));
}

static void fill(struct attributes *set)
{
	ASSERT_EQ(attributes_set_number(set, CKA_CLASS, CKO_SECRET_KEY), ERROR_NONE);
	ASSERT_EQ(attributes_set_flag(set, CKA_TOKEN, true), ERROR_NONE);
	ASSERT_EQ(attributes_set_bytes(set, CKA_LABEL, "some label", 10), ERROR_NONE);
	ASSERT_EQ(attributes_set_bytes(set, CKA_END_DATE, "20301231", 8), ERROR_NONE);
}

TEST(copies_are_independent)
{
	attributes_auto from = {0};
	attributes_auto to = {0};

	base_open_memory();
	fill(&from);
	ASSERT_EQ(attributes_set_number(&to, CKA_KEY_TYPE, 7), ERROR_NONE);
	ASSERT_EQ(attributes_copy(&to, &from), ERROR_NONE);
	EXPECT_EQ(to.count, from.count);
	EXPECT_EQ(attributes_number(&to, CKA_KEY_TYPE, 42), 42);
	attributes_remove(&from, CKA_LABEL);
	EXPECT_EQ(attributes_bytes(&to, CKA_LABEL).len, 10);
	attributes_clear(&from);
	EXPECT_EQ(from.count, 0);
	ASSERT_EQ(attributes_copy(&to, &from), ERROR_NONE);
	EXPECT_EQ(to.count, 0);
}

static void encode(struct wire_buffer *octets, const struct attributes *set)
{
	wire_buffer_init(octets, 1u << 20, NULL);
	wire_put_template(octets, attributes_template(set));
	ASSERT_FALSE(octets->failed);
}

TEST(decodes_what_was_encoded)
{
	attributes_auto set = {0};
	attributes_auto back = {0};
	struct wire_buffer octets;

	base_open_memory();
	fill(&set);
	encode(&octets, &set);
	ASSERT_EQ(attributes_set_number(&back, CKA_KEY_TYPE, 7), ERROR_NONE);
	ASSERT_EQ(attributes_decode(&back, (struct wire_bytes){octets.data, octets.len}),
	          ERROR_NONE);
	EXPECT_EQ(back.count, set.count);
	ASSERT_EQ(back.encoded.len, set.encoded.len);
	EXPECT_MEMEQ(back.encoded.data, set.encoded.data, set.encoded.len);
	wire_buffer_free(&octets);
}

/* A set that was decoded from anything at all can be walked to its end, or was refused whole. */
static void decode_damaged(const uint8_t *octets, size_t len)
{
	attributes_auto set = {0};
	struct wire_attribute attribute;
	struct wire_template template;
	uint32_t count = 0;
	size_t cursor = 0;
	enum err err;

	ASSERT_EQ(attributes_set_number(&set, CKA_KEY_TYPE, 7), ERROR_NONE);
	err = attributes_decode(&set, (struct wire_bytes){octets, len});
	if (err) {
		ASSERT_EQ(err, ERROR_STORE_CORRUPT);
		ASSERT_EQ(attributes_number(&set, CKA_KEY_TYPE, 0), 7);
		return;
	}
	template = attributes_template(&set);
	while (wire_template_next(&template, &cursor, &attribute))
		count++;
	ASSERT_EQ(count, set.count);
	ASSERT_EQ(cursor, set.encoded.len);
}

TEST(damaged_octets)
{
	attributes_auto set = {0};
	struct wire_buffer octets;

	base_open_memory();
	fill(&set);
	encode(&octets, &set);
	for (size_t len = 0; len < octets.len; len++) {
		uint8_t *cut = malloc(len ? len : 1); /* so that a sanitizer sees its end */

		memcpy(cut, octets.data, len);
		ASSERT_EQ(attributes_decode(&set, (struct wire_bytes){cut, len}),
		          ERROR_STORE_CORRUPT);
		free(cut);
	}
	for (size_t bit = 0; bit < 8 * octets.len; bit++) {
		octets.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		decode_damaged(octets.data, octets.len);
		octets.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	wire_put_u8(&octets, 0);
	EXPECT_EQ(attributes_decode(&set, (struct wire_bytes){octets.data, octets.len}),
	          ERROR_STORE_CORRUPT);
	EXPECT_EQ(set.count, 4);
	wire_buffer_free(&octets);
}

HARNESS_MAIN
