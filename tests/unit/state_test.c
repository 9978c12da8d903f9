/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state machine: its two arrows, the first reason that stays, and threads that fail at once.
 */
#include <pthread.h>

#include "harness.h"
#include "state.h"

#define THREADS 8

TEST(starts_in_post)
{
	struct state state;

	memset(&state, 0xff, sizeof(state));
	state_init(&state);
	EXPECT_EQ(state_get(&state), STATE_POST);
	EXPECT_FALSE(state_operational(&state));
	EXPECT_STREQ(state_reason(&state), "");
}

TEST(post_to_operational_to_error)
{
	struct state state;

	state_init(&state);
	state_ready(&state);
	EXPECT_EQ(state_get(&state), STATE_OPERATIONAL);
	EXPECT_TRUE(state_operational(&state));
	state_ready(&state);
	EXPECT_EQ(state_get(&state), STATE_OPERATIONAL);
	EXPECT_STREQ(state_reason(&state), "");
	state_fail(&state, "test %d of %s", 7, "many");
	EXPECT_EQ(state_get(&state), STATE_ERROR);
	EXPECT_FALSE(state_operational(&state));
	EXPECT_STREQ(state_reason(&state), "test 7 of many");
}

TEST(error_is_final)
{
	struct state state;

	state_init(&state);
	state_fail(&state, "first");
	state_ready(&state);
	EXPECT_EQ(state_get(&state), STATE_ERROR);
	state_fail(&state, "second");
	EXPECT_STREQ(state_reason(&state), "first");
}

TEST(long_reason_is_cut)
{
	char reason[1000];
	struct state state;

	memset(reason, 'x', sizeof(reason));
	reason[sizeof(reason) - 1] = '\0';
	state_init(&state);
	state_fail(&state, "%s", reason);
	EXPECT_EQ(strlen(state_reason(&state)), sizeof(state.reason) - 1);
}

TEST(names)
{
	EXPECT_STREQ(state_name(STATE_POST), "POST");
	EXPECT_STREQ(state_name(STATE_OPERATIONAL), "OPERATIONAL");
	EXPECT_STREQ(state_name(STATE_ERROR), "ERROR");
}

struct racer {
	struct state *state;
	pthread_barrier_t *start;
	int number;
};

/* Fails, and sees a whole reason as soon as it sees ERROR. */
static void *race(void *context)
{
	struct racer *racer = context;
	char reason[sizeof(racer->state->reason)];
	int number = -1;

	pthread_barrier_wait(racer->start);
	state_ready(racer->state);
	state_fail(racer->state, "thread %d of %d failed", racer->number, THREADS);
	while (state_get(racer->state) != STATE_ERROR)
		;
	snprintf(reason, sizeof(reason), "%s", state_reason(racer->state));
	EXPECT_EQ(sscanf(reason, "thread %d of 8 failed", &number), 1);
	return (void *)(intptr_t)number;
}

TEST(threads_agree_on_one_reason)
{
	struct racer racers[THREADS];
	pthread_t threads[THREADS];
	pthread_barrier_t start;
	struct state state;
	void *seen, *first = NULL;

	for (int round = 0; round < 200; round++) {
		state_init(&state);
		pthread_barrier_init(&start, NULL, THREADS);
		for (int i = 0; i < THREADS; i++) {
			racers[i] = (struct racer){&state, &start, i};
			ASSERT_EQ(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
		}
		for (int i = 0; i < THREADS; i++) {
			pthread_join(threads[i], &seen);
			first = i ? first : seen;
			ASSERT_EQ(seen, first);
		}
		ASSERT_EQ(state_get(&state), STATE_ERROR);
		pthread_barrier_destroy(&start);
	}
}

HARNESS_MAIN
