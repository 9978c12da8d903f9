/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cratond's parsers and small state machines: gRPC's framing in pieces of every size, grpc-timeout,
 * the arena, rates, and the mapping of return values.
 */
#include <stdlib.h>

#include "harness.h"

#include "craton_hsm.pb-c.h"
#include "grpc/arena.h"
#include "grpc/client.h"
#include "grpc/header.h"
#include "grpc/message.h"
#include "grpc/status.h"

static enum message_result take(struct message_reader *reader, const void *octets, size_t len,
                                size_t limit, size_t *taken)
{
	return message_reader_take(reader, (struct wire_bytes){octets, len}, limit, taken);
}

/* Two messages, cut into pieces of every size. */
TEST(framing_in_pieces)
{
	static const uint8_t stream[] = {0, 0, 0, 0, 3, 'a', 'b', 'c', 0, 0, 0, 0, 0};

	for (size_t piece = 1; piece <= sizeof(stream); piece++) {
		struct message_reader reader = {0};
		unsigned int whole = 0;

		wire_buffer_init(&reader.message, 100, NULL);
		for (size_t at = 0; at < sizeof(stream);) {
			size_t left = sizeof(stream) - at, taken;
			enum message_result result = take(&reader, stream + at,
			                                  left < piece ? left : piece, 100, &taken);

			ASSERT_TRUE(result == MESSAGE_PARTIAL || result == MESSAGE_WHOLE);
			at += taken;
			if (result != MESSAGE_WHOLE)
				continue;
			ASSERT_EQ(reader.message.len, whole ? 0u : 3u);
			if (!whole++)
				ASSERT_MEMEQ(reader.message.data, "abc", 3);
			message_reader_reset(&reader, 0);
		}
		ASSERT_EQ(whole, 2u);
		ASSERT_FALSE(message_reader_is_partial(&reader));
		wire_buffer_free(&reader.message);
	}
}

TEST(framing_that_is_refused)
{
	static const uint8_t compressed[] = {1, 0, 0, 0, 1, 'a'},
			     large[] = {0, 0xff, 0xff, 0xff, 0xff}, limit[] = {0, 0, 0, 0, 11};
	struct message_reader reader = {0};
	size_t taken;

	wire_buffer_init(&reader.message, 100, NULL);
	ASSERT_EQ(take(&reader, compressed, sizeof(compressed), 10, &taken), MESSAGE_COMPRESSED);
	message_reader_reset(&reader, 0);
	ASSERT_EQ(take(&reader, large, sizeof(large), 10, &taken), MESSAGE_TOO_LARGE);
	message_reader_reset(&reader, 0);
	ASSERT_EQ(take(&reader, limit, sizeof(limit), 10, &taken), MESSAGE_TOO_LARGE);
	message_reader_reset(&reader, 0);
	ASSERT_EQ(take(&reader, limit, sizeof(limit), 11, &taken), MESSAGE_PARTIAL);
	ASSERT_TRUE(message_reader_is_partial(&reader));
	ASSERT_EQ(reader.message.capacity, 0u);
	wire_buffer_free(&reader.message);
}

TEST(timeouts)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t ns;
	} rows[] = {
		{"1n", true, 1},
		{"20u", true, 20000},
		{"100m", true, 100000000},
		{"3S", true, 3000000000},
		{"2M", true, 120000000000},
		{"99999999H", true, 1000000000000000000},
		{"0S", true, 0},
		{"", false, 0},
		{"S", false, 0},
		{"1", false, 0},
		{"1s", false, 0},
		{"-1S", false, 0},
		{" 1S", false, 0},
		{"123456789S", false, 0},
		{"1SS", false, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t ns = 0;

		EXPECT_EQ(header_parse_timeout(wire_text(rows[i].text), &ns), rows[i].good);
		EXPECT_EQ(ns, rows[i].ns);
	}
}

TEST(arena_is_bounded_and_wiped)
{
	struct arena *arena = malloc(sizeof(*arena));
	unsigned char *small, *large;

	ASSERT_NOT_NULL(arena);
	arena_init(arena, 10000, NULL);
	small = arena_allocate(arena, 100);
	large = arena_allocate(arena, 5000);
	ASSERT_NOT_NULL(small);
	ASSERT_NOT_NULL(large);
	ASSERT_EQ((uintptr_t)small % 16, 0u);
	ASSERT_EQ((uintptr_t)large % 16, 0u);
	ASSERT_NULL(arena_allocate(arena, 5000));
	ASSERT_NULL(arena_allocate(arena, SIZE_MAX));
	small[0] = 's';
	arena_reset(arena);
	ASSERT_EQ(arena->first[0], 0);
	ASSERT_EQ(arena->total_len, 0u);
	ASSERT_NOT_NULL(arena_allocate(arena, 9000));
	arena_reset(arena);
	free(arena);
}

/* Attributes in an attribute in attributes, and so on: written from the inside out, each level
 * before what it holds. Returns where it begins. */
static size_t nest(uint8_t *octets, size_t room, unsigned int depth)
{
	static const uint8_t tags[] = {1 << 3 | 2, 7 << 3 | 2};
	size_t at = room;

	for (unsigned int i = 0; i < 2 * depth; i++) {
		size_t len = room - at;

		octets[--at] = (uint8_t)(len >> 14 & 0x7f);
		octets[--at] = (uint8_t)(len >> 7 | 0x80);
		octets[--at] = (uint8_t)(len | 0x80);
		octets[--at] = tags[i % 2];
	}
	return at;
}

static bool unpacks(unsigned int depth)
{
	const size_t room = 1 << 20;
	uint8_t *octets = malloc(room);
	struct arena *arena = malloc(sizeof(*arena));
	ProtobufCAllocator allocator;
	size_t at = nest(octets, room, depth);
	bool good;

	arena_init(arena, 64 * room, NULL);
	allocator = arena_allocator(arena);
	good = protobuf_c_message_unpack(&craton_hsm__attribute__descriptor, &allocator, room - at,
	                                 octets + at);
	arena_reset(arena);
	free(arena);
	free(octets);
	return good;
}

/* protobuf-c would go down as far as the message goes, and off the stack's end. */
TEST(nesting_is_bounded)
{
	EXPECT_TRUE(unpacks(1));
	EXPECT_TRUE(unpacks(4));
	EXPECT_FALSE(unpacks(1000));
	EXPECT_FALSE(unpacks(60000));
}

TEST(rates)
{
	const uint64_t second = 1000000000;
	struct rate rate = {0};

	for (unsigned int i = 0; i < 5; i++)
		EXPECT_FALSE(rate_exceeds(&rate, 10 * second, 5));
	EXPECT_TRUE(rate_exceeds(&rate, 19 * second, 5));
	/* Once is enough. */
	EXPECT_FALSE(rate_exceeds(&rate, 19 * second, 5));
	for (unsigned int i = 0; i < 5; i++)
		EXPECT_FALSE(rate_exceeds(&rate, 20 * second, 5));
	EXPECT_TRUE(rate_exceeds(&rate, 20 * second, 5));
}

TEST(return_values)
{
	char message[STATUS_MESSAGE_LEN], details[STATUS_DETAILS_LEN];

	EXPECT_EQ(status_of_ckr(CKR_PIN_INCORRECT), GRPC_UNAUTHENTICATED);
	EXPECT_EQ(status_of_ckr(CKR_GENERAL_ERROR), GRPC_INTERNAL);
	EXPECT_EQ(status_of_ckr(0x12345678), GRPC_UNKNOWN);
	status_message(CKR_PIN_INCORRECT, message);
	EXPECT_STREQ(message, "CKR_PIN_INCORRECT: PIN is wrong");
	status_message(0x12345678, message);
	EXPECT_STREQ(message, "CKR 0x12345678");
	EXPECT_GT(status_details(CKR_PIN_INCORRECT, details), 20u);
	EXPECT_NULL(strchr(details, '='));
	EXPECT_STREQ(status_name(GRPC_UNAVAILABLE), "UNAVAILABLE");
}

HARNESS_MAIN
