/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the benchmarks make of their workers' counts.
 */
#include "harness.h"

/* What measures is not called here. */
#pragma GCC diagnostic ignored "-Wunused-function"
#include "bench/runner.h"

#define SEATS  2u
#define SECOND 1000000000ull

static struct runner_result collect(const uint64_t first_ns[SEATS], const uint64_t last_ns[SEATS],
                                    const unsigned int operations[SEATS])
{
	static _Alignas(struct runner_shared) unsigned char
		room[sizeof(struct runner_shared) + SEATS * sizeof(struct runner_seat)];
	static struct runner_result result;
	struct runner runner = {.seats = SEATS, .shared = (struct runner_shared *)room};

	memset(room, 0, sizeof(room));
	for (unsigned int i = 0; i < SEATS; i++) {
		struct runner_seat *seat = &runner.shared->seat[i];

		seat->state = STATE_DONE;
		seat->first_ns = first_ns[i];
		seat->last_ns = last_ns[i];
		for (unsigned int n = 0; n < operations[i]; n++)
			histogram_add(&seat->histogram, 1000);
	}
	memset(&result, 0, sizeof(result));
	runner_collect(&runner, &result);
	return result;
}

/* Both took turns on one processor, which does 100 a second. */
TEST(workers_that_wait_for_each_other_do_not_count_twice)
{
	struct runner_result result = collect((const uint64_t[]){0, 9 * SECOND / 10},
	                                      (const uint64_t[]){9 * SECOND / 10, SECOND},
	                                      (const unsigned int[]){90, 10});

	EXPECT_EQ((int)(result.per_second + 0.5), 100);
	EXPECT_EQ(result.histogram.count, 100);
	EXPECT_EQ(result.error.code, 0);
}

TEST(workers_at_the_same_time_add_up)
{
	struct runner_result result =
		collect((const uint64_t[]){5 * SECOND, 5 * SECOND},
	                (const uint64_t[]){6 * SECOND, 6 * SECOND}, (const unsigned int[]){70, 30});

	EXPECT_EQ((int)(result.per_second + 0.5), 100);
}

TEST(a_worker_without_an_operation_leaves_the_time_alone)
{
	struct runner_result result =
		collect((const uint64_t[]){5 * SECOND, 0}, (const uint64_t[]){6 * SECOND, 0},
	                (const unsigned int[]){50, 0});

	EXPECT_EQ((int)(result.per_second + 0.5), 50);
}

HARNESS_MAIN
