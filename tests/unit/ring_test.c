/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shared rings: octets come out as they went in whatever the position, a full ring takes
 * nothing, what was taken is wiped by who put it, and a peer's nonsense is found. Sleeping and
 * waking under all interleavings is ring_model_test.c's.
 */
#include "harness.h"
#include "wire/ring.h"

#include <pthread.h>

static struct wire_ring_area area;

static void open_both(struct wire_ring *producer, struct wire_ring *consumer, uint32_t position)
{
	memset(&area, 0, sizeof(area));
	wire_ring_requests(producer, &area);
	wire_ring_requests(consumer, &area);
	producer->position = consumer->position = position;
	area.requests.published = area.requests.consumed = position;
}

static void fill(uint8_t *octets, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i++)
		octets[i] = (uint8_t)(seed + 7 * i + 1);
}

TEST(through_every_position_near_the_ends)
{
	static const size_t lens[] = {1, 15, 16, 17, 4096, WIRE_RING_SIZE - 1, WIRE_RING_SIZE};
	static uint8_t in[WIRE_RING_SIZE], out[WIRE_RING_SIZE];
	struct wire_ring producer, consumer;

	for (uint32_t at = UINT32_MAX - 2 * WIRE_RING_SIZE; at != 64; at += 13) {
		for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
			size_t len = lens[i];

			open_both(&producer, &consumer, at);
			fill(in, len, at);
			ASSERT_TRUE(wire_ring_put(&producer, (struct wire_bytes){in, len},
			                          (struct wire_bytes){NULL, 0}));
			ASSERT_EQ(wire_ring_ready(&consumer), len);
			wire_ring_take(&consumer, out, len);
			ASSERT_EQ(memcmp(in, out, len), 0);
			ASSERT_EQ(wire_ring_ready(&consumer), 0);
		}
		if (at > 64 && at < 128)
			break;
	}
}

TEST(full_takes_nothing)
{
	static uint8_t octets[WIRE_RING_SIZE + 1];
	struct wire_ring producer, consumer;

	open_both(&producer, &consumer, 0);
	ASSERT_FALSE(wire_ring_put(&producer, (struct wire_bytes){octets, WIRE_RING_SIZE + 1},
	                           (struct wire_bytes){NULL, 0}));
	ASSERT_TRUE(wire_ring_put(&producer, (struct wire_bytes){octets, WIRE_RING_SIZE - 1},
	                          (struct wire_bytes){NULL, 0}));
	ASSERT_FALSE(wire_ring_put(&producer, (struct wire_bytes){octets, 2},
	                           (struct wire_bytes){NULL, 0}));
	ASSERT_EQ(wire_ring_ready(&consumer), WIRE_RING_SIZE - 1);
	wire_ring_take(&consumer, octets, 1);
	ASSERT_TRUE(wire_ring_put(&producer, (struct wire_bytes){octets, 2},
	                          (struct wire_bytes){NULL, 0}));
}

/* Nothing is left of what was taken, and nothing is missing of what was not. */
TEST(cleaning_spares_what_is_not_taken)
{
	static uint8_t octets[WIRE_RING_SIZE], out[WIRE_RING_SIZE];
	struct wire_ring producer, consumer;
	uint32_t seed = 1;

	open_both(&producer, &consumer, WIRE_RING_SIZE - 77);
	for (uint32_t round = 0, put = 0, taken = 0; round < 20000; round++) {
		size_t len = (seed = seed * 1103515245 + 12345) >> 16 & 2047;

		for (size_t i = 0; i < len; i++)
			octets[i] = (uint8_t)((put + i) % 251 + 1);
		if (wire_ring_put(&producer, (struct wire_bytes){octets, len / 2},
		                  (struct wire_bytes){octets + len / 2, len - len / 2}))
			put += len;
		len = wire_ring_ready(&consumer);
		ASSERT_NE(len, WIRE_RING_CORRUPT);
		len = len ? (seed >> 8) % (len + 1) : 0;
		wire_ring_take(&consumer, out, len);
		for (size_t i = 0; i < len; i++)
			ASSERT_EQ(out[i], (taken + i) % 251 + 1);
		taken += len;
		if (seed & 0x4000)
			wire_ring_clean(&producer);
	}
	wire_ring_take(&consumer, out, wire_ring_ready(&consumer));
	wire_ring_clean(&producer);
	for (size_t i = 0; i < WIRE_RING_SIZE; i++)
		ASSERT_EQ(area.request_octets[i], 0);
}

TEST(cleaning_believes_no_consumer)
{
	static uint8_t octets[100];
	struct wire_ring producer, consumer;

	open_both(&producer, &consumer, 0);
	memset(octets, 0xa5, sizeof(octets));
	ASSERT_TRUE(wire_ring_put(&producer, (struct wire_bytes){octets, 100},
	                          (struct wire_bytes){NULL, 0}));
	for (uint32_t claim = 101; claim; claim *= 3) {
		atomic_store(&area.requests.consumed, claim);
		wire_ring_clean(&producer);
		if (claim > 0x50000000)
			break;
	}
	for (size_t i = 0; i < 100; i++)
		ASSERT_EQ(area.request_octets[i], 0xa5);
}

TEST(taken_octets_are_wiped)
{
	static uint8_t octets[WIRE_RING_SIZE];
	struct wire_ring producer, consumer;

	open_both(&producer, &consumer, WIRE_RING_SIZE - 5);
	memset(octets, 0xa5, sizeof(octets));
	ASSERT_TRUE(wire_ring_put(&producer, (struct wire_bytes){octets, 1000},
	                          (struct wire_bytes){NULL, 0}));
	wire_ring_take(&consumer, octets, 1000);
	wire_ring_clean(&producer);
	for (size_t i = 0; i < WIRE_RING_SIZE; i++)
		ASSERT_EQ(area.request_octets[i], 0);
}

TEST(nonsense_of_the_producer)
{
	struct wire_ring producer, consumer;

	open_both(&producer, &consumer, 100);
	area.requests.published = 100 + WIRE_RING_SIZE;
	ASSERT_EQ(wire_ring_ready(&consumer), WIRE_RING_SIZE);
	area.requests.published = 101 + WIRE_RING_SIZE;
	ASSERT_EQ(wire_ring_ready(&consumer), WIRE_RING_CORRUPT);
	area.requests.published = 99;
	ASSERT_EQ(wire_ring_ready(&consumer), WIRE_RING_CORRUPT);
}

TEST(nonsense_of_the_consumer)
{
	static const uint8_t octet = 1;
	struct wire_ring producer, consumer;

	open_both(&producer, &consumer, 100);
	area.requests.consumed = 101;
	ASSERT_FALSE(wire_ring_put(&producer, (struct wire_bytes){&octet, 1},
	                           (struct wire_bytes){NULL, 0}));
	area.requests.consumed = 100 - WIRE_RING_SIZE - 1;
	ASSERT_FALSE(wire_ring_put(&producer, (struct wire_bytes){&octet, 1},
	                           (struct wire_bytes){NULL, 0}));
}

TEST(one_bell_for_one_sleep)
{
	static const uint8_t octet = 1;
	struct wire_ring producer, consumer;
	uint8_t out;

	open_both(&producer, &consumer, 0);
	ASSERT_FALSE(wire_ring_must_wake(&producer));
	ASSERT_TRUE(wire_ring_sleep(&consumer));
	ASSERT_TRUE(wire_ring_put(&producer, (struct wire_bytes){&octet, 1},
	                          (struct wire_bytes){NULL, 0}));
	ASSERT_EQ(wire_ring_must_wake(&producer), WIRE_RING_SLEEPS);
	ASSERT_FALSE(wire_ring_must_wake(&producer));
	ASSERT_FALSE(wire_ring_sleep(&consumer));
	ASSERT_FALSE(wire_ring_must_wake(&producer));
	wire_ring_take(&consumer, &out, 1);
	ASSERT_TRUE(wire_ring_sleep(&consumer));
	wire_ring_wake(&consumer);
	ASSERT_FALSE(wire_ring_must_wake(&producer));
}

TEST(a_nap_ends_by_itself)
{
	struct wire_ring producer, consumer;

	open_both(&producer, &consumer, 0);
	ASSERT_FALSE(wire_ring_nap(&consumer, 1000));
	ASSERT_EQ(wire_ring_must_wake(&producer), WIRE_RING_AWAKE);
}

TEST(no_nap_beside_octets)
{
	static const uint8_t octet = 1;
	struct wire_ring producer, consumer;

	open_both(&producer, &consumer, 0);
	ASSERT_TRUE(wire_ring_put(&producer, (struct wire_bytes){&octet, 1},
	                          (struct wire_bytes){NULL, 0}));
	ASSERT_TRUE(wire_ring_nap(&consumer, INT64_MAX));
	ASSERT_EQ(wire_ring_must_wake(&producer), WIRE_RING_AWAKE);
}

/* Whoever was awake when a frame took the socket looks there before a nap; once. */
TEST(no_nap_after_a_detour)
{
	struct wire_ring producer, consumer;

	open_both(&producer, &consumer, 0);
	wire_ring_detour(&producer);
	ASSERT_FALSE(wire_ring_nap(&consumer, INT64_MAX));
	ASSERT_EQ(wire_ring_must_wake(&producer), WIRE_RING_AWAKE);
	ASSERT_EQ(consumer.detours, 1);
	ASSERT_FALSE(wire_ring_nap(&consumer, 1000));
}

/* ---- two real threads ---- */

/* Puts an octet as soon as the other naps. */
static void *rouse(void *argument)
{
	static const uint8_t octet = 1;
	struct wire_ring *producer = argument;

	while (atomic_load(&area.requests.rest) != WIRE_RING_NAPS)
		;
	if (!wire_ring_put(producer, (struct wire_bytes){&octet, 1},
	                   (struct wire_bytes){NULL, 0}) ||
	    wire_ring_must_wake(producer) != WIRE_RING_NAPS)
		return (void *)(uintptr_t) "it does not nap";
	wire_ring_rouse(producer);
	return NULL;
}

TEST(a_nap_is_ended)
{
	struct wire_ring producer, consumer;
	pthread_t thread;
	void *problem;
	uint8_t out;

	open_both(&producer, &consumer, 0);
	for (int i = 0; i < 200; i++) {
		ASSERT_EQ(pthread_create(&thread, NULL, rouse, &producer), 0);
		ASSERT_TRUE(wire_ring_nap(&consumer, INT64_MAX));
		pthread_join(thread, &problem);
		ASSERT_NULL(problem);
		wire_ring_take(&consumer, &out, 1);
	}
}

/* Whenever it comes: before the nap, while it begins, or in the midst of it. */
static void *detour(void *argument)
{
	wire_ring_detour(argument);
	return NULL;
}

TEST(a_detour_is_never_slept_through)
{
	struct wire_ring producer, consumer;
	pthread_t thread;

	open_both(&producer, &consumer, 0);
	for (uint32_t i = 1; i <= 2000; i++) {
		ASSERT_EQ(pthread_create(&thread, NULL, detour, &producer), 0);
		while (consumer.detours != i)
			ASSERT_FALSE(wire_ring_nap(&consumer, INT64_MAX));
		pthread_join(thread, NULL);
	}
}

#define FRAMES 200000u

static void *produce(void *argument)
{
	struct wire_ring *producer = argument;
	uint8_t frame[300];

	for (uint32_t i = 0; i < FRAMES; i++) {
		size_t len = 4 + i % 290;

		memcpy(frame, &i, 4);
		fill(frame + 4, len - 4, i);
		while (!wire_ring_put(producer, (struct wire_bytes){frame, len},
		                      (struct wire_bytes){NULL, 0}))
			sched_yield();
	}
	return NULL;
}

TEST(two_threads)
{
	uint8_t frame[300], wanted[300];
	struct wire_ring producer, consumer;
	pthread_t thread;

	open_both(&producer, &consumer, UINT32_MAX - 1000);
	ASSERT_EQ(pthread_create(&thread, NULL, produce, &producer), 0);
	for (uint32_t i = 0; i < FRAMES; i++) {
		size_t len = 4 + i % 290;

		while (!wire_ring_ready(&consumer))
			sched_yield();
		ASSERT_GE(wire_ring_ready(&consumer), len); /* whole or not at all */
		wire_ring_take(&consumer, frame, len);
		memcpy(wanted, &i, 4);
		fill(wanted + 4, len - 4, i);
		ASSERT_EQ(memcmp(frame, wanted, len), 0);
	}
	pthread_join(thread, NULL);
}

TEST(all_taken)
{
	struct wire_ring producer, consumer;
	uint8_t octets[2] = {1, 2};

	open_both(&producer, &consumer, UINT32_MAX);
	EXPECT_TRUE(wire_ring_all_taken(&producer));
	ASSERT_TRUE(wire_ring_put(&producer, (struct wire_bytes){octets, 2},
	                          (struct wire_bytes){NULL, 0}));
	EXPECT_FALSE(wire_ring_all_taken(&producer));
	wire_ring_take(&consumer, octets, 1);
	EXPECT_FALSE(wire_ring_all_taken(&producer));
	wire_ring_take(&consumer, octets, 1);
	EXPECT_TRUE(wire_ring_all_taken(&producer));
}

HARNESS_MAIN
