/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of HTTP/2 sessions: wiped when it is given back, kept for the next, and never more
 * than it may be.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

#include "grpc/memory.h"

static struct memory memory;

static bool is_zero(const unsigned char *octets, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (octets[i])
			return false;
	return true;
}

/* What is given out next is what was given back, unless AddressSanitizer watches. */
TEST(wiped_when_it_is_given_back)
{
	nghttp2_mem http = memory_for_http(&memory);

	for (size_t len = 1; len <= 1024; len++) {
		unsigned char *octets = http.malloc(len, http.mem_user_data), *again;

		ASSERT_NOT_NULL(octets);
		ASSERT_EQ((uintptr_t)octets % 16, 0u);
		memset(octets, 0xa5, len);
		http.free(octets, http.mem_user_data);
		again = http.malloc(len, http.mem_user_data);
#ifndef __SANITIZE_ADDRESS__
		ASSERT_TRUE(again == octets);
		ASSERT_TRUE(is_zero(again, len));
#endif
		http.free(again, http.mem_user_data);
	}
	http.free(NULL, http.mem_user_data);
	memory_close(&memory);
}

TEST(zeros_when_asked_for)
{
	nghttp2_mem http = memory_for_http(&memory);

	for (size_t len = 0; len <= 20000; len += 97) {
		unsigned char *octets = http.calloc(len, 1, http.mem_user_data);

		ASSERT_NOT_NULL(octets);
		ASSERT_TRUE(is_zero(octets, len));
		if (len)
			memset(octets, 0xa5, len);
		http.free(octets, http.mem_user_data);
	}
	ASSERT_NULL(http.calloc(SIZE_MAX / 2, 3, http.mem_user_data));
	ASSERT_NULL(http.malloc(SIZE_MAX, http.mem_user_data));
	memory_close(&memory);
}

TEST(grows_with_its_octets)
{
	nghttp2_mem http = memory_for_http(&memory);
	unsigned char *octets = NULL;
	size_t old_len = 0;

	for (size_t len = 1; len < 100000; len = len * 3 / 2 + 1) {
		octets = http.realloc(octets, len, http.mem_user_data);
		ASSERT_NOT_NULL(octets);
		for (size_t i = 0; i < old_len; i++)
			ASSERT_EQ(octets[i], (unsigned char)i);
		for (size_t i = old_len; i < len; i++)
			octets[i] = (unsigned char)i;
		old_len = len;
	}
	octets = http.realloc(octets, 5, http.mem_user_data);
	ASSERT_EQ(octets[4], 4u);
	ASSERT_NULL(http.realloc(octets, SIZE_MAX, http.mem_user_data));
	ASSERT_EQ(octets[4], 4u);
	http.free(octets, http.mem_user_data);
	memory_close(&memory);
}

/* However much there was at once, little is kept. */
TEST(keeps_little)
{
	enum { COUNT = 5000 };
	nghttp2_mem http = memory_for_http(&memory);
	static void *blocks[COUNT];

	for (unsigned int i = 0; i < COUNT; i++)
		blocks[i] = http.malloc(1000, http.mem_user_data);
	for (unsigned int i = 0; i < COUNT; i++)
		http.free(blocks[i], http.mem_user_data);
	for (unsigned int i = 0; i < MEMORY_SIZES; i++)
		ASSERT_LE(memory.spare[i].count, COUNT / 5);
	memory_close(&memory);
	for (unsigned int i = 0; i < MEMORY_SIZES; i++)
		ASSERT_NULL(memory.spare[i].first);
}

HARNESS_MAIN
