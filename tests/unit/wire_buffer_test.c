/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers and readers: limits at their last good and first bad value, failures that stay, wiping of
 * everything that is let go (seen from an allocator that looks), and reads at the very end.
 */
#include "harness.h"
#include "wire/buffer.h"

#include <stdlib.h>
#include <string.h>

#define SECRET 0xa5

/* What the watching allocator saw. Test programs are one process per program, single-threaded. */
static size_t live_len, released_dirty, allocations_left;

static void *watch_allocate(size_t len)
{
	void *memory;

	if (!allocations_left)
		return NULL;
	allocations_left--;
	memory = calloc(1, len);
	live_len += memory ? len : 0;
	return memory;
}

static void watch_release(void *memory, size_t len)
{
	released_dirty += !memory;
	for (size_t i = 0; i < len; i++)
		released_dirty += ((uint8_t *)memory)[i] != 0;
	live_len -= len;
	free(memory);
}

static const struct wire_allocator watcher = {watch_allocate, watch_release};

static struct wire_buffer watched(size_t limit)
{
	struct wire_buffer buffer;

	live_len = released_dirty = 0;
	allocations_left = SIZE_MAX;
	wire_buffer_init(&buffer, limit, &watcher);
	return buffer;
}

static void put_secret(struct wire_buffer *buffer, size_t len)
{
	uint8_t *octets = wire_buffer_extend(buffer, len);

	ASSERT_TRUE(octets != NULL);
	memset(octets, SECRET, len);
}

static bool is_all(const uint8_t *octets, size_t len, uint8_t value)
{
	for (size_t i = 0; i < len; i++)
		if (octets[i] != value)
			return false;
	return true;
}

TEST(numbers_are_little_endian)
{
	static const uint8_t wanted[] = {0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04, 0x0f, 0x0e,
	                                 0x0d, 0x0c, 0x0b, 0x0a, 0x09, 0x08, 0x01, 0x00, 0x02,
	                                 0x00, 0x00, 0x00, 'h',  'i',  'r',  'a',  'w'};
	struct wire_buffer buffer = watched(1000);

	wire_put_u8(&buffer, 0x01);
	wire_put_u16(&buffer, 0x0203);
	wire_put_u32(&buffer, 0x04050607);
	wire_put_u64(&buffer, 0x08090a0b0c0d0e0f);
	wire_put_flag(&buffer, true);
	wire_put_flag(&buffer, false);
	wire_put_bytes(&buffer, (struct wire_bytes){(const uint8_t *)"hi", 2});
	wire_put_raw(&buffer, "raw", 3);
	ASSERT_FALSE(buffer.failed);
	ASSERT_EQ(buffer.len, sizeof(wanted));
	ASSERT_MEMEQ(buffer.data, wanted, sizeof(wanted));
	wire_buffer_free(&buffer);
}

TEST(values_come_back)
{
	struct wire_buffer buffer = watched(1000);
	struct wire_reader reader;

	wire_put_u8(&buffer, 0xfe);
	wire_put_u16(&buffer, 0xfedc);
	wire_put_u32(&buffer, 0xfedcba98);
	wire_put_u64(&buffer, 0xfedcba9876543210);
	wire_put_flag(&buffer, true);
	wire_put_bytes(&buffer, (struct wire_bytes){NULL, 0});
	wire_reader_init(&reader, (struct wire_bytes){buffer.data, buffer.len});
	EXPECT_EQ(wire_get_u8(&reader), 0xfe);
	EXPECT_EQ(wire_get_u16(&reader), 0xfedc);
	EXPECT_EQ(wire_get_u32(&reader), 0xfedcba98);
	EXPECT_TRUE(wire_get_u64(&reader) == 0xfedcba9876543210);
	EXPECT_TRUE(wire_get_flag(&reader));
	EXPECT_EQ(wire_get_bytes(&reader).len, 0);
	EXPECT_TRUE(wire_reader_done(&reader));
	wire_buffer_free(&buffer);
}

/* The limit is exact, wherever it lies with respect to the doubling. */
TEST(limit_is_exact)
{
	for (size_t limit = 1; limit < 700; limit++) {
		struct wire_buffer buffer = watched(limit);

		for (size_t i = 0; i < limit; i++)
			wire_put_u8(&buffer, SECRET);
		ASSERT_FALSE(buffer.failed);
		ASSERT_TRUE(buffer.capacity <= limit);
		wire_put_u8(&buffer, 1);
		ASSERT_TRUE(buffer.failed);
		ASSERT_EQ(buffer.len, limit);
		ASSERT_TRUE(is_all(buffer.data, limit, SECRET));
		wire_buffer_free(&buffer);
		ASSERT_EQ(live_len, 0);
		ASSERT_EQ(released_dirty, 0);
	}
}

TEST(nothing_fits_a_limit_of_zero)
{
	struct wire_buffer buffer = watched(0);

	wire_put_raw(&buffer, NULL, 0);
	EXPECT_FALSE(buffer.failed);
	wire_put_u8(&buffer, 0);
	EXPECT_TRUE(buffer.failed);
	wire_buffer_reset(&buffer, 0);
	EXPECT_TRUE(wire_buffer_extend(&buffer, 0) == NULL);
	EXPECT_TRUE(buffer.failed);
	EXPECT_EQ(live_len, 0);
	EXPECT_TRUE(buffer.data == NULL);
}

TEST(huge_lengths_do_not_wrap)
{
	struct wire_buffer buffer = watched(SIZE_MAX);
	struct wire_bytes bytes = {NULL, SIZE_MAX};

	wire_put_u8(&buffer, 1);
	EXPECT_TRUE(wire_buffer_extend(&buffer, SIZE_MAX) == NULL);
	EXPECT_TRUE(buffer.failed);
	EXPECT_EQ(buffer.len, 1);
	wire_buffer_reset(&buffer, SIZE_MAX);
	wire_put_bytes(&buffer, bytes);
	EXPECT_TRUE(buffer.failed);
	EXPECT_EQ(buffer.len, 0);
	wire_buffer_free(&buffer);
}

TEST(failure_stays_and_keeps_the_data)
{
	struct wire_buffer buffer = watched(8);

	wire_put_u32(&buffer, 0x01010101);
	wire_put_u64(&buffer, 0);
	EXPECT_TRUE(buffer.failed);
	wire_put_u8(&buffer, 2);
	wire_put_bytes(&buffer, (struct wire_bytes){NULL, 0});
	EXPECT_EQ(buffer.len, 4);
	EXPECT_TRUE(is_all(buffer.data, 4, 1));
	wire_buffer_reset(&buffer, 8);
	EXPECT_FALSE(buffer.failed);
	wire_put_u64(&buffer, 0);
	EXPECT_FALSE(buffer.failed);
	wire_buffer_free(&buffer);
}

/* Every allocation of a growing buffer fails in turn. */
TEST(no_memory)
{
	for (size_t allowed = 0; allowed < 5; allowed++) {
		struct wire_buffer buffer = watched(1 << 20);
		size_t put = 0;

		allocations_left = allowed;
		while (!buffer.failed) {
			wire_put_u8(&buffer, SECRET);
			put++;
		}
		ASSERT_EQ(buffer.len, put - 1);
		ASSERT_EQ(buffer.len == 0, allowed == 0);
		ASSERT_TRUE(is_all(buffer.data, buffer.len, SECRET));
		wire_buffer_free(&buffer);
		ASSERT_EQ(released_dirty, 0);
		ASSERT_EQ(live_len, 0);
	}
}

TEST(growth_doubles)
{
	struct wire_buffer buffer = watched(1 << 20);

	for (size_t i = 0; i < 1 << 20; i++)
		wire_put_u8(&buffer, 1);
	EXPECT_FALSE(buffer.failed);
	EXPECT_TRUE(SIZE_MAX - allocations_left <= 14);
	EXPECT_EQ(live_len, 1 << 20);
	wire_buffer_free(&buffer);
}

TEST(what_is_let_go_is_wiped)
{
	struct wire_buffer buffer = watched(1 << 16);

	put_secret(&buffer, 300);
	put_secret(&buffer, 3000);
	EXPECT_EQ(released_dirty, 0);
	wire_buffer_truncate(&buffer, 100);
	EXPECT_TRUE(is_all(buffer.data + 100, buffer.capacity - 100, 0));
	EXPECT_TRUE(is_all(buffer.data, 100, SECRET));
	wire_buffer_truncate(&buffer, 100);
	wire_buffer_reset(&buffer, 1 << 16);
	EXPECT_TRUE(is_all(buffer.data, buffer.capacity, 0));
	EXPECT_TRUE(live_len > 0);
	put_secret(&buffer, 1000);
	wire_buffer_reset(&buffer, 999);
	EXPECT_EQ(live_len, 0);
	EXPECT_EQ(released_dirty, 0);
	put_secret(&buffer, 1000);
	wire_buffer_free(&buffer);
	wire_buffer_free(&buffer);
	EXPECT_EQ(live_len, 0);
	EXPECT_EQ(released_dirty, 0);
}

TEST(consume_moves_and_wipes)
{
	for (size_t consumed = 0; consumed <= 256; consumed++) {
		struct wire_buffer buffer = watched(1 << 10);

		for (size_t i = 0; i < 256; i++)
			wire_put_u8(&buffer, (uint8_t)(i ^ SECRET));
		wire_buffer_consume(&buffer, consumed);
		ASSERT_EQ(buffer.len, 256 - consumed);
		for (size_t i = 0; i < buffer.len; i++)
			ASSERT_EQ(buffer.data[i], (uint8_t)((i + consumed) ^ SECRET));
		ASSERT_TRUE(is_all(buffer.data + buffer.len, buffer.capacity - buffer.len, 0));
		wire_buffer_free(&buffer);
	}
}

TEST(a_zeroed_buffer_is_safe)
{
	struct wire_buffer buffer = {0};

	wire_buffer_free(&buffer);
	wire_buffer_reset(&buffer, 0);
	wire_buffer_truncate(&buffer, 0);
	wire_buffer_consume(&buffer, 0);
	wire_put_u8(&buffer, 1);
	EXPECT_TRUE(buffer.failed);
	wire_buffer_free(&buffer);
}

TEST(malloc_is_the_default)
{
	struct wire_buffer buffer;

	wire_buffer_init(&buffer, 1 << 16, NULL);
	put_secret(&buffer, 40000);
	EXPECT_TRUE(is_all(buffer.data, 40000, SECRET));
	wire_buffer_free(&buffer);
	EXPECT_EQ(buffer.limit, 1 << 16);
}

/* Each read at each distance from the end; the octets end where the heap block ends. */
TEST(reads_stop_at_the_end)
{
	for (size_t len = 0; len < 8; len++) {
		uint8_t *octets = calloc(1, len ? len : 1);
		struct wire_bytes all = {octets, len};
		struct wire_reader reader;

#define STOPS(get, size)                                                                           \
	wire_reader_init(&reader, all);                                                            \
	(void)get;                                                                                 \
	ASSERT_EQ(reader.failed, len < (size));                                                    \
	ASSERT_EQ(wire_reader_done(&reader), len == (size));
		STOPS(wire_get_u8(&reader), 1)
		STOPS(wire_get_flag(&reader), 1)
		STOPS(wire_get_u16(&reader), 2)
		STOPS(wire_get_u32(&reader), 4)
		STOPS(wire_get_u64(&reader), 8)
		STOPS(wire_get_bytes(&reader), 4)
		STOPS(wire_get_raw(&reader, 3), 3)
#undef STOPS
		free(octets);
	}
}

TEST(a_failed_reader_gives_nothing)
{
	static const uint8_t octets[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
	struct wire_reader reader;
	struct wire_bytes got;

	wire_reader_init(&reader, (struct wire_bytes){octets, sizeof(octets)});
	got = wire_get_raw(&reader, 17);
	EXPECT_TRUE(got.data == NULL && got.len == 0);
	EXPECT_EQ(wire_get_u8(&reader), 0);
	EXPECT_TRUE(wire_get_u64(&reader) == 0);
	EXPECT_FALSE(wire_get_flag(&reader));
	EXPECT_FALSE(wire_reader_done(&reader));
}

TEST(length_prefix_is_not_trusted)
{
	static const uint32_t lies[] = {2, 3, 0x7fffffff, 0x80000000, UINT32_MAX - 4, UINT32_MAX};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct wire_buffer buffer = watched(100);
		struct wire_reader reader;
		struct wire_bytes got;

		wire_put_u32(&buffer, lies[i]);
		wire_put_u8(&buffer, 7);
		wire_reader_init(&reader, (struct wire_bytes){buffer.data, buffer.len});
		got = wire_get_bytes(&reader);
		ASSERT_TRUE(reader.failed && got.data == NULL && got.len == 0);
		wire_buffer_free(&buffer);
	}
}

TEST(a_flag_is_0_or_1)
{
	for (unsigned int value = 0; value < 256; value++) {
		uint8_t octet = (uint8_t)value;
		struct wire_reader reader;

		wire_reader_init(&reader, (struct wire_bytes){&octet, 1});
		ASSERT_EQ(wire_get_flag(&reader), value == 1);
		ASSERT_EQ(reader.failed, value > 1);
	}
}

TEST(no_octets_may_be_null)
{
	struct wire_reader reader;

	wire_reader_init(&reader, (struct wire_bytes){NULL, 0});
	EXPECT_TRUE(wire_reader_done(&reader));
	EXPECT_EQ(wire_get_raw(&reader, 0).len, 0);
	EXPECT_TRUE(wire_reader_done(&reader));
	wire_reader_init(&reader, (struct wire_bytes){NULL, 1});
	EXPECT_FALSE(wire_reader_done(&reader));
	EXPECT_EQ(wire_get_u8(&reader), 0);
	wire_wipe(NULL, 0);
}

TEST(comparisons)
{
	uint8_t a[32], b[32];
	struct wire_bytes whole = {a, sizeof(a)}, other = {b, sizeof(b)}, none = {NULL, 0};

	memset(a, SECRET, sizeof(a));
	memset(b, SECRET, sizeof(b));
	EXPECT_TRUE(wire_secret_equal(whole, other) && wire_bytes_equal(whole, other));
	EXPECT_TRUE(wire_secret_equal(none, none) && wire_bytes_equal(none, none));
	EXPECT_FALSE(wire_secret_equal(whole, none) || wire_bytes_equal(none, whole));
	for (size_t bit = 0; bit < 8 * sizeof(b); bit++) {
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ASSERT_FALSE(wire_secret_equal(whole, other));
		ASSERT_FALSE(wire_bytes_equal(whole, other));
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	other.len--;
	EXPECT_FALSE(wire_secret_equal(whole, other) || wire_bytes_equal(whole, other));
}

TEST(wipe_wipes)
{
	uint8_t octets[34];

	memset(octets, SECRET, sizeof(octets));
	wire_wipe(octets + 1, 32);
	EXPECT_TRUE(is_all(octets + 1, 32, 0));
	EXPECT_EQ(octets[0], SECRET);
	EXPECT_EQ(octets[33], SECRET);
}

/* What was reserved is put without another allocation, and a refusal leaves the buffer good. */
TEST(reserved_room)
{
	struct wire_buffer buffer = watched(100);

	allocations_left = 2;
	wire_put_u8(&buffer, SECRET);
	ASSERT_TRUE(wire_buffer_reserve(&buffer, 99));
	ASSERT_EQ(buffer.len, 1);
	ASSERT_EQ(buffer.data[0], SECRET);
	allocations_left = 0;
	ASSERT_NOT_NULL(wire_buffer_extend(&buffer, 99));
	ASSERT_FALSE(wire_buffer_reserve(&buffer, 1));
	ASSERT_TRUE(wire_buffer_reserve(&buffer, 0));
	ASSERT_FALSE(buffer.failed);
	wire_buffer_free(&buffer);
	ASSERT_FALSE(wire_buffer_reserve(&buffer, 1));
	ASSERT_FALSE(buffer.failed);
	ASSERT_EQ(released_dirty, 0);
}

HARNESS_MAIN
