/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes and templates: each kind with every length around the right one, nesting of one level
 * and no more, counts and lengths that lie, and the limit on the number of attributes. Whole
 * messages are wire_codec_test.c's business.
 */
#include "harness.h"
#include "wire/attribute.h"
#include "wire/cryptoki.h"
#include "wire/frame.h"

#include <stdlib.h>
#include <string.h>

#define BUFFER_LIMIT 65536u

static struct wire_buffer new_buffer(void)
{
	struct wire_buffer buffer;

	wire_buffer_init(&buffer, BUFFER_LIMIT, NULL);
	return buffer;
}

/* An attribute as octets, with any length and any kind. */
static void put_octets(struct wire_buffer *buffer, uint8_t kind, const void *value, size_t len)
{
	wire_put_u64(buffer, CKA_LABEL);
	wire_put_u8(buffer, kind);
	wire_put_bytes(buffer, (struct wire_bytes){value, len});
}

/* Whether these octets are an attribute; from an exact copy, so that a read beyond it shows. */
static bool is_attribute(const struct wire_buffer *octets, unsigned int depth,
                         struct wire_attribute *attribute)
{
	uint8_t *copy = malloc(octets->len);
	struct wire_reader reader;
	bool done;

	memcpy(copy, octets->data, octets->len);
	wire_reader_init(&reader, (struct wire_bytes){copy, octets->len});
	*attribute = wire_get_attribute(&reader, depth);
	done = wire_reader_done(&reader);
	free(copy);
	return done;
}

static bool is_template(const struct wire_buffer *octets, enum wire_attribute_kind refused)
{
	uint8_t *copy = malloc(octets->len);
	struct wire_reader reader;
	bool done;

	memcpy(copy, octets->data, octets->len);
	wire_reader_init(&reader, (struct wire_bytes){copy, octets->len});
	wire_get_template_without(&reader, refused);
	done = wire_reader_done(&reader);
	free(copy);
	return done;
}

static bool accepts(uint8_t kind, const void *value, size_t len)
{
	struct wire_buffer buffer = new_buffer();
	struct wire_attribute attribute;
	bool accepted;

	put_octets(&buffer, kind, value, len);
	accepted = is_attribute(&buffer, 0, &attribute);
	wire_buffer_free(&buffer);
	return accepted;
}

TEST(lengths_by_kind)
{
	static const uint8_t zeros[33];

	for (size_t len = 0; len <= 32; len++) {
		ASSERT_TRUE(accepts(WIRE_ATTRIBUTE_BYTES, zeros, len));
		ASSERT_EQ(accepts(WIRE_ATTRIBUTE_NUMBER, zeros, len), len == 8);
		ASSERT_EQ(accepts(WIRE_ATTRIBUTE_UNAVAILABLE, zeros, len), len == 8);
		ASSERT_EQ(accepts(WIRE_ATTRIBUTE_FLAG, zeros, len), len == 1);
		ASSERT_EQ(accepts(WIRE_ATTRIBUTE_DATE, zeros, len), len == 0 || len == 8);
		ASSERT_EQ(accepts(WIRE_ATTRIBUTE_MECHANISMS, zeros, len), len % 8 == 0);
		ASSERT_EQ(accepts(WIRE_ATTRIBUTE_ATTRIBUTES, zeros, len), len == 8);
		ASSERT_EQ(accepts(WIRE_ATTRIBUTE_MALFORMED, zeros, len), len == 0);
		ASSERT_FALSE(accepts(0, zeros, len));
		for (unsigned int kind = WIRE_ATTRIBUTE_UNAVAILABLE + 1; kind < 256; kind++)
			ASSERT_FALSE(accepts((uint8_t)kind, zeros, len));
	}
}

TEST(flags_are_0_or_1)
{
	for (unsigned int value = 0; value < 256; value++) {
		uint8_t octet = (uint8_t)value;

		ASSERT_EQ(accepts(WIRE_ATTRIBUTE_FLAG, &octet, 1), value <= 1);
	}
}

TEST(attributes_come_back)
{
	static const uint8_t octets[16] = "20260131";
	const struct wire_attribute attributes[] = {
		{CKA_LABEL, WIRE_ATTRIBUTE_BYTES, 0, {octets, 5}},
		{CKA_LABEL, WIRE_ATTRIBUTE_BYTES, 0, {NULL, 0}},
		{UINT64_MAX, WIRE_ATTRIBUTE_NUMBER, UINT64_MAX, {NULL, 0}},
		{CKA_TOKEN, WIRE_ATTRIBUTE_FLAG, 1, {NULL, 0}},
		{CKA_TOKEN, WIRE_ATTRIBUTE_FLAG, 0, {NULL, 0}},
		{CKA_START_DATE, WIRE_ATTRIBUTE_DATE, 0, {octets, 8}},
		{CKA_START_DATE, WIRE_ATTRIBUTE_DATE, 0, {NULL, 0}},
		{CKA_ALLOWED_MECHANISMS, WIRE_ATTRIBUTE_MECHANISMS, 0, {octets, 16}},
		{CKA_CLASS, WIRE_ATTRIBUTE_MALFORMED, 0, {NULL, 0}},
		{CKA_VALUE, WIRE_ATTRIBUTE_UNAVAILABLE, CKR_ATTRIBUTE_SENSITIVE, {NULL, 0}},
	};

	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		const struct wire_attribute *wanted = &attributes[i];
		struct wire_buffer buffer = new_buffer();
		struct wire_reader reader;
		struct wire_attribute got;

		wire_put_attribute(&buffer, wanted);
		ASSERT_FALSE(buffer.failed);
		wire_reader_init(&reader, (struct wire_bytes){buffer.data, buffer.len});
		got = wire_get_attribute(&reader, 0);
		ASSERT_TRUE(wire_reader_done(&reader));
		ASSERT_TRUE(got.type == wanted->type && got.number == wanted->number);
		ASSERT_EQ(got.kind, wanted->kind);
		ASSERT_TRUE(wire_bytes_equal(got.value, wanted->value));
		wire_buffer_free(&buffer);
	}
}

/* What the decoder would refuse, the encoder does not make. */
TEST(encoder_refuses_what_does_not_fit)
{
	static const uint8_t octets[16];
	const struct wire_attribute attributes[] = {
		{CKA_START_DATE, WIRE_ATTRIBUTE_DATE, 0, {octets, 7}},
		{CKA_ALLOWED_MECHANISMS, WIRE_ATTRIBUTE_MECHANISMS, 0, {octets, 9}},
		{CKA_CLASS, WIRE_ATTRIBUTE_MALFORMED, 0, {octets, 1}},
		{CKA_CLASS, 0, 0, {NULL, 0}},
		{CKA_CLASS, 9, 0, {NULL, 0}},
	};

	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		struct wire_buffer buffer = new_buffer();

		wire_put_attribute(&buffer, &attributes[i]);
		ASSERT_TRUE(buffer.failed);
		wire_buffer_free(&buffer);
	}
}

TEST(any_flag_but_zero_is_sent_as_1)
{
	const struct wire_attribute flag = {CKA_TOKEN, WIRE_ATTRIBUTE_FLAG, 256, {NULL, 0}};
	struct wire_buffer buffer = new_buffer();
	struct wire_attribute got;

	wire_put_attribute(&buffer, &flag);
	ASSERT_TRUE(is_attribute(&buffer, 0, &got));
	EXPECT_TRUE(got.number == 1);
	wire_buffer_free(&buffer);
}

/* A template of `count` empty labels, its counts and lengths off by the given amounts. */
static void put_labels(struct wire_buffer *buffer, uint32_t count, int count_off, int len_off)
{
	wire_put_u32(buffer, count + (uint32_t)count_off);
	wire_put_u32(buffer, 13 * count + (uint32_t)len_off);
	for (uint32_t i = 0; i < count; i++)
		put_octets(buffer, WIRE_ATTRIBUTE_BYTES, NULL, 0);
}

static bool accepts_labels(uint32_t count, int count_off, int len_off)
{
	struct wire_buffer buffer = new_buffer();
	bool accepted;

	put_labels(&buffer, count, count_off, len_off);
	accepted = is_template(&buffer, 0);
	wire_buffer_free(&buffer);
	return accepted;
}

TEST(counts_and_lengths_that_lie)
{
	for (uint32_t count = 0; count <= WIRE_ATTRIBUTE_MAX; count++) {
		ASSERT_TRUE(accepts_labels(count, 0, 0));
		ASSERT_FALSE(accepts_labels(count, 1, 0));
		ASSERT_FALSE(accepts_labels(count, -1, 0));
		ASSERT_FALSE(accepts_labels(count, 0, 1));
		ASSERT_FALSE(accepts_labels(count, 0, -1));
		ASSERT_FALSE(accepts_labels(count, 0, -14));
	}
	EXPECT_FALSE(accepts_labels(WIRE_ATTRIBUTE_MAX + 1, 0, 0));
	EXPECT_FALSE(accepts_labels(0, -1, 0));
}

TEST(encoder_has_the_same_maximum)
{
	struct wire_buffer buffer = new_buffer();

	wire_put_template(&buffer, (struct wire_template){WIRE_ATTRIBUTE_MAX, {NULL, 0}});
	EXPECT_FALSE(buffer.failed);
	wire_put_template(&buffer, (struct wire_template){WIRE_ATTRIBUTE_MAX + 1, {NULL, 0}});
	EXPECT_TRUE(buffer.failed);
	wire_buffer_free(&buffer);
}

/* An attribute whose value is a template whose last attribute is ... `levels` deep. */
static struct wire_buffer nested(unsigned int levels, uint8_t innermost)
{
	struct wire_buffer value = new_buffer(), outer;

	put_octets(&value, innermost, "\1\0\0\0\0\0\0\0",
	           innermost == WIRE_ATTRIBUTE_UNAVAILABLE ? 8 : 0);
	for (; levels; levels--) {
		struct wire_buffer inner = new_buffer();

		wire_put_template(&inner, wire_template_view(&value, 1));
		outer = new_buffer();
		put_octets(&outer, WIRE_ATTRIBUTE_ATTRIBUTES, inner.data, inner.len);
		wire_buffer_free(&inner);
		wire_buffer_free(&value);
		value = outer;
	}
	return value;
}

TEST(one_level_of_nesting)
{
	for (unsigned int levels = 0; levels < 6; levels++) {
		struct wire_buffer buffer = nested(levels, WIRE_ATTRIBUTE_BYTES);
		struct wire_attribute got;

		ASSERT_FALSE(buffer.failed);
		ASSERT_EQ(is_attribute(&buffer, 0, &got), levels <= 1);
		ASSERT_EQ(got.kind != 0, levels <= 1);
		ASSERT_EQ(is_attribute(&buffer, 1, &got), levels == 0);
		ASSERT_EQ(is_attribute(&buffer, 7, &got), levels == 0);
		wire_buffer_free(&buffer);
	}
}

/* A refused kind is refused inside a nested template too, and nowhere else. */
TEST(kinds_of_a_direction)
{
	for (unsigned int levels = 0; levels <= 1; levels++) {
		for (uint8_t kind = WIRE_ATTRIBUTE_MALFORMED; kind <= WIRE_ATTRIBUTE_UNAVAILABLE;
		     kind++) {
			struct wire_buffer attribute = nested(levels, kind);
			struct wire_buffer buffer = new_buffer();

			wire_put_template(&buffer, wire_template_view(&attribute, 1));
			ASSERT_TRUE(is_template(&buffer, 0));
			ASSERT_EQ(is_template(&buffer, WIRE_ATTRIBUTE_MALFORMED),
			          kind != WIRE_ATTRIBUTE_MALFORMED);
			ASSERT_EQ(is_template(&buffer, WIRE_ATTRIBUTE_UNAVAILABLE),
			          kind != WIRE_ATTRIBUTE_UNAVAILABLE);
			wire_buffer_free(&attribute);
			wire_buffer_free(&buffer);
		}
	}
}

TEST(truncations_of_an_attribute)
{
	struct wire_buffer buffer = nested(1, WIRE_ATTRIBUTE_BYTES);
	struct wire_attribute got;

	while (buffer.len > 1) {
		wire_buffer_truncate(&buffer, buffer.len - 1);
		ASSERT_FALSE(is_attribute(&buffer, 0, &got));
		ASSERT_TRUE(got.type == 0 && got.kind == 0 && got.value.len == 0);
	}
	wire_buffer_free(&buffer);
}

TEST(stepping_and_finding)
{
	struct wire_buffer buffer = new_buffer();
	struct wire_attribute attribute = {.kind = WIRE_ATTRIBUTE_NUMBER};
	struct wire_template template;
	size_t cursor = 0;

	for (uint64_t i = 0; i < 10; i++) {
		attribute.type = i % 5;
		attribute.number = i;
		wire_put_attribute(&buffer, &attribute);
	}
	template = wire_template_view(&buffer, 10);
	for (uint64_t i = 0; i < 10; i++) {
		ASSERT_TRUE(wire_template_next(&template, &cursor, &attribute));
		ASSERT_TRUE(attribute.type == i % 5 && attribute.number == i);
	}
	ASSERT_FALSE(wire_template_next(&template, &cursor, &attribute));
	ASSERT_FALSE(wire_template_next(&template, &cursor, &attribute));
	ASSERT_TRUE(wire_template_find(&template, 4, &attribute));
	ASSERT_TRUE(attribute.number == 4);
	ASSERT_FALSE(wire_template_find(&template, 5, &attribute));
	template = (struct wire_template){0};
	ASSERT_FALSE(wire_template_find(&template, 4, &attribute));
	wire_buffer_free(&buffer);
}

/* Octets that were never validated end the steps; they are not read past. */
TEST(stepping_through_rubbish_ends)
{
	struct wire_buffer buffer = nested(1, WIRE_ATTRIBUTE_BYTES);

	for (size_t len = 0; len < buffer.len; len++) {
		uint8_t *copy = malloc(len ? len : 1);
		struct wire_template template = {1, {copy, len}};
		struct wire_attribute attribute;
		size_t cursor = 0;

		memcpy(copy, buffer.data, len);
		ASSERT_FALSE(wire_template_next(&template, &cursor, &attribute));
		ASSERT_EQ(cursor, len);
		free(copy);
	}
	wire_buffer_free(&buffer);
}

TEST(lists)
{
	static const uint32_t lies[] = {0, 2, 4, 0x1fffffff, 0x20000000, 0x20000003, UINT32_MAX};
	uint8_t octets[24];

	for (uint64_t i = 0; i < 3; i++)
		wire_store_u64(octets + 8 * i, 0x0102030405060708 * (i + 1));
	for (size_t i = 0; i <= sizeof(lies) / sizeof(lies[0]); i++) {
		bool lie = i < sizeof(lies) / sizeof(lies[0]);
		struct wire_buffer buffer = new_buffer();
		struct wire_reader reader;
		struct wire_u64_list list;

		wire_put_u32(&buffer, lie ? lies[i] : 3);
		wire_put_raw(&buffer, octets, sizeof(octets));
		wire_reader_init(&reader, (struct wire_bytes){buffer.data, buffer.len});
		list = wire_get_u64_list(&reader);
		ASSERT_EQ(wire_reader_done(&reader), !lie);
		ASSERT_TRUE(!lie || reader.failed == (list.count == 0 && lies[i] != 0));
		for (uint32_t j = 0; j < list.count; j++)
			ASSERT_TRUE(wire_u64_list_at(&list, j) == 0x0102030405060708 * (j + 1));
		wire_buffer_free(&buffer);
	}
}

TEST(kinds_of_types)
{
	EXPECT_EQ(wire_attribute_kind_of(CKA_CLASS), WIRE_ATTRIBUTE_NUMBER);
	EXPECT_EQ(wire_attribute_kind_of(CKA_TOKEN), WIRE_ATTRIBUTE_FLAG);
	EXPECT_EQ(wire_attribute_kind_of(CKA_VALUE), WIRE_ATTRIBUTE_BYTES);
	EXPECT_EQ(wire_attribute_kind_of(CKA_END_DATE), WIRE_ATTRIBUTE_DATE);
	EXPECT_EQ(wire_attribute_kind_of(CKA_ALLOWED_MECHANISMS), WIRE_ATTRIBUTE_MECHANISMS);
	EXPECT_EQ(wire_attribute_kind_of(CKA_DERIVE_TEMPLATE), WIRE_ATTRIBUTE_ATTRIBUTES);
	EXPECT_EQ(wire_attribute_kind_of(CKA_VENDOR_DEFINED), WIRE_ATTRIBUTE_BYTES);
	EXPECT_EQ(wire_attribute_kind_of(UINT64_MAX), WIRE_ATTRIBUTE_BYTES);
	/* CKF_ARRAY_ATTRIBUTE and the kind agree. */
#define ATTRIBUTE(type, kind)                                                                      \
	EXPECT_EQ(((type)&0x40000000UL) != 0,                                                      \
	          wire_attribute_kind_of(type) == WIRE_ATTRIBUTE_ATTRIBUTES ||                     \
	                  wire_attribute_kind_of(type) == WIRE_ATTRIBUTE_MECHANISMS);
#include "wire/attribute.def"
#undef ATTRIBUTE
}

HARNESS_MAIN
