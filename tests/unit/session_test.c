/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions: the table of handles, limits, and closing while they are in use, also from many
 * threads.
 */
#include <sched.h>

#include "session_help.h"

/* ---- the table ---- */

static uint32_t random_below(uint32_t limit)
{
	static uint32_t state = 2463534242u;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % limit;
}

/* Thousands, closed in random order; after every removal some lookups, now and then all of them. */
TEST(thousands)
{
	enum { MANY = 5000 };
	struct application *application = start(0, 0);
	uint32_t *handles = calloc(MANY, sizeof(*handles));
	uint32_t left = MANY;

	for (uint32_t i = 0; i < MANY; i++)
		handles[i] = open_session(application, i % SLOTS, i % 2);
	while (left) {
		uint32_t at = random_below(left), gone = handles[at];

		ASSERT_TRUE(close_session(application, gone));
		handles[at] = handles[--left];
		ASSERT_FALSE(exists(application, gone));
		ASSERT_FALSE(close_session(application, gone));
		for (uint32_t i = 0; i < left; i += left % 500 ? left / 4 + 1 : 1)
			ASSERT_TRUE(exists(application, handles[i]));
	}
	ASSERT_EQ(application->session_count, 0);
	for (unsigned int i = 0; i < SLOTS; i++) {
		ASSERT_EQ(atomic_load(&slots[i].session_count), 0);
		ASSERT_EQ(atomic_load(&slots[i].rw_session_count), 0);
	}
	free(handles);
	end(application);
}

/* Handles that collide: every n-th is kept, so that runs in the table are long and full of holes.
 */
TEST(collisions)
{
	enum { KEPT = 600, STEP = 64 };
	struct application *application = start(0, 0);
	uint32_t handles[KEPT];

	for (uint32_t i = 0; i < KEPT; i++) {
		handles[i] = open_session(application, 0, false);
		atomic_fetch_add(&agent.next_session_handle, STEP - 1);
	}
	for (uint32_t i = 0; i < KEPT; i += 3)
		ASSERT_TRUE(close_session(application, handles[i]));
	for (uint32_t i = 0; i < KEPT; i++)
		ASSERT_EQ(exists(application, handles[i]), i % 3 != 0);
	end(application);
}

/* Many sessions opened and closed in the order of opening, and all at once: no pass over the table
 * for each. */
TEST_TIMEOUT(closing_is_not_quadratic, 30)
{
	enum { MANY = 100000 };
	struct application *application = start(0, 0);
	uint32_t *handles = calloc(MANY, sizeof(*handles));

	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < MANY; i++)
			handles[i] = open_session(application, 0, true);
		for (uint32_t i = 0; i < MANY && !round; i++)
			ASSERT_TRUE(close_session(application, handles[i]));
	}
	free(handles);
	application_close_sessions(application, 0);
	ASSERT_EQ(application->session_count, 0);
	end(application);
}

TEST(handles)
{
	struct application *application = start(0, 0);
	uint32_t first = open_session(application, 0, false);

	/* None of these is 0; the number wraps below 2^31 and skips 0. */
	atomic_store(&agent.next_session_handle, 0x7fffffffu);
	ASSERT_EQ(open_session(application, 0, false), 0x7fffffff);
	ASSERT_EQ(open_session(application, 0, false), 1);
	atomic_store(&agent.next_session_handle, UINT32_MAX);
	open_session(application, 0, false);
	ASSERT_FALSE(exists(application, 0));
	ASSERT_FALSE(exists(application, UINT64_MAX));
	ASSERT_FALSE(exists(application, (1ull << 32) + first)); /* not cut to 32 bits */
	ASSERT_FALSE(exists(application, (1ull << 31) + first));
	ASSERT_TRUE(exists(application, first));
	end(application);
}

TEST(lookup_in_an_empty_table)
{
	struct application *application = start(0, 0);
	uint64_t slot;
	bool busy;

	ASSERT_FALSE(exists(application, 1));
	ASSERT_FALSE(session_slot(application, 1, &slot));
	ASSERT_NULL(session_try_lock(application, 1, &busy));
	ASSERT_FALSE(busy);
	end(application);
}

TEST(sessions_belong_to_their_application)
{
	struct application *one = start(0, 0), *other = application_of(1, 3);
	uint32_t handle = open_session(one, 0, false);

	ASSERT_FALSE(exists(other, handle));
	ASSERT_FALSE(close_session(other, handle));
	ASSERT_TRUE(exists(one, handle));
	end(other);
	ASSERT_TRUE(exists(one, handle));
	end(one);
}

TEST(slot_of_a_session)
{
	struct application *application = start(0, 0);
	uint32_t handle = open_session(application, 2, false), count, rw_count;
	uint64_t slot = 99;

	open_session(application, 1, true);
	open_session(application, 1, false);
	ASSERT_TRUE(session_slot(application, handle, &slot));
	ASSERT_EQ(slot, 2);
	application_count_sessions(application, 1, &count, &rw_count);
	ASSERT_EQ(count, 2);
	ASSERT_EQ(rw_count, 1);
	application_close_sessions(application, 1);
	application_count_sessions(application, 1, &count, &rw_count);
	ASSERT_EQ(count + rw_count, 0);
	ASSERT_TRUE(exists(application, handle));
	end(application);
}

/* ---- limits ---- */

TEST(limits)
{
	struct application *application = start(5, 2), *other = application_of(9, 9);
	uint32_t writer, handle;

	writer = open_session(application, 0, true);
	open_session(other, 0, true);
	ASSERT_EQ(session_open(application, 0, true, &handle), ERROR_SESSION_COUNT);
	for (int i = 0; i < 3; i++)
		open_session(application, 0, false);
	ASSERT_EQ(session_open(application, 0, false, &handle), ERROR_SESSION_COUNT);
	ASSERT_EQ(session_open(other, 0, false, &handle), ERROR_SESSION_COUNT);
	open_session(application, 1, true); /* per token */
	ASSERT_TRUE(close_session(application, writer));
	open_session(other, 0, true);
	ASSERT_EQ(session_open(other, 0, true, &handle), ERROR_SESSION_COUNT);
	end(other);
	end(application);
	ASSERT_EQ(atomic_load(&slots[0].session_count), 0);
}

static void *open_until_refused(void *argument)
{
	uint32_t handle;
	enum err err;

	(void)argument;
	do {
		err = session_open(shared, 0, atomic_load(&opened) % 2, &handle);
		atomic_fetch_add(err ? &refused : &opened, 1);
	} while (!err);
	return NULL;
}

TEST(limit_under_threads)
{
	shared = start(500, 0);
	for (int round = 0; round < 20; round++) {
		atomic_store(&opened, 0);
		run_threads(open_until_refused, THREADS);
		/* A refusal holds a place for a moment, so one more may fit; never more than the
		 * limit. */
		ASSERT_LE(atomic_load(&opened), 500);
		ASSERT_EQ(atomic_load(&slots[0].session_count), atomic_load(&opened));
		ASSERT_GE(atomic_load(&opened), 500 - THREADS);
		application_close_sessions(shared, 0);
		ASSERT_EQ(atomic_load(&slots[0].session_count), 0);
		ASSERT_EQ(atomic_load(&slots[0].rw_session_count), 0);
	}
	end(shared);
}

static void *open_and_close(void *argument)
{
	(void)argument;
	for (int i = 0; i < 3000; i++) {
		uint32_t handle, count, rw_count;

		if (session_open(shared, 0, i % 2, &handle))
			continue;
		atomic_fetch_add(&opened, 1);
		application_count_sessions(shared, 0, &count, &rw_count);
		EXPECT_LE(count, 10u);
		EXPECT_LE(rw_count, 4u);
		EXPECT_TRUE(close_session(shared, handle));
	}
	return NULL;
}

TEST(churn_under_threads)
{
	shared = start(10, 4);
	run_threads(open_and_close, THREADS);
	ASSERT_GT(atomic_load(&opened), 1000);
	ASSERT_EQ(shared->session_count, 0);
	ASSERT_EQ(atomic_load(&slots[0].session_count), 0);
	ASSERT_EQ(atomic_load(&slots[0].rw_session_count), 0);
	end(shared);
}

/* ---- closing ---- */

static atomic_uint stage;
static uint32_t used_handle;

static void *close_used(void *argument)
{
	(void)argument;
	atomic_store(&stage, 1);
	EXPECT_TRUE(close_session(shared, used_handle));
	atomic_store(&stage, 2);
	return NULL;
}

/* A close waits for the call that uses the session; after it nobody finds the session. */
TEST(close_during_use)
{
	struct session *session;
	pthread_t thread;
	bool busy;

	shared = start(0, 0);
	used_handle = open_session(shared, 0, true);
	session = session_lock(shared, used_handle);
	ASSERT_NOT_NULL(session);
	ASSERT_EQ(pthread_create(&thread, NULL, close_used, NULL), 0);
	while (!atomic_load(&stage))
		sched_yield();
	for (int i = 0; i < 1000; i++)
		sched_yield();
	ASSERT_EQ(atomic_load(&stage), 1);
	ASSERT_FALSE(session->closed);
	ASSERT_NULL(session_try_lock(shared, used_handle, &busy) /* own lock, other view */);
	ASSERT_TRUE(busy);
	session_unlock(session);
	ASSERT_EQ(pthread_join(thread, NULL), 0);
	ASSERT_FALSE(exists(shared, used_handle));
	ASSERT_EQ(atomic_load(&tokens[0].last_dropped), used_handle);
	end(shared);
}

static void *use_all(void *argument)
{
	uint32_t base = *(uint32_t *)argument, found = 1;

	while (found) {
		found = 0;
		for (uint32_t i = 0; i < 200; i++) {
			struct session *session = session_lock(shared, base + i);

			if (!session)
				continue;
			EXPECT_FALSE(session->closed);
			session->searching = true;
			found++;
			session_unlock(session);
		}
	}
	return NULL;
}

/* Threads use sessions, others close them one by one, and the application ends in the middle of
 * it. */
TEST(application_ends_during_use)
{
	for (int round = 0; round < 10; round++) {
		pthread_t threads[4];
		uint32_t base;

		if (!round)
			shared = start(0, 0);
		else
			shared = application_of(1, 2);
		base = open_session(shared, 0, false);
		for (int i = 1; i < 200; i++)
			open_session(shared, i % SLOTS, true);
		for (int i = 0; i < 4; i++)
			ASSERT_EQ(pthread_create(&threads[i], NULL, use_all, &base), 0);
		for (uint32_t i = 0; i < 100; i++)
			EXPECT_TRUE(close_session(shared, base + 2 * i));
		application_close(shared);
		for (int i = 0; i < 4; i++)
			ASSERT_EQ(pthread_join(threads[i], NULL), 0);
		ASSERT_EQ(shared->session_count, 0);
		application_put(shared);
	}
	for (unsigned int i = 0; i < SLOTS; i++)
		ASSERT_EQ(atomic_load(&slots[i].session_count), 0);
}

TEST(nothing_opens_after_the_end)
{
	struct application *application = start(0, 0);
	uint32_t handle;

	application_close(application);
	ASSERT_EQ(session_open(application, 0, false, &handle), ERROR_STATE);
	ASSERT_EQ(atomic_load(&slots[0].session_count), 0);
	ASSERT_EQ(application_attach(application, 0), ERROR_STATE);
	application_close(application); /* twice is once */
	application_put(application);
}

/* A session that is closed by two threads counts once. */
static void *close_racing(void *argument)
{
	(void)argument;
	for (uint32_t i = 0; i < 2000; i++)
		atomic_fetch_add(&opened, close_session(shared, used_handle + i));
	return NULL;
}

TEST(closed_once)
{
	shared = start(0, 0);
	used_handle = open_session(shared, 0, true);
	for (int i = 1; i < 2000; i++)
		open_session(shared, 0, true);
	run_threads(close_racing, 4);
	ASSERT_EQ(atomic_load(&opened), 2000);
	ASSERT_EQ(atomic_load(&slots[0].session_count), 0);
	end(shared);
}

static void *open_many(void *argument)
{
	(void)argument;
	for (int i = 0; i < 3000; i++) {
		uint32_t handle = open_session(shared, 0, true);

		EXPECT_NE(handle, 0);
	}
	atomic_fetch_add(&stage, 1);
	return NULL;
}

static void *close_all(void *argument)
{
	(void)argument;
	while (atomic_load(&stage) < 2)
		application_close_sessions(shared, 0);
	return NULL;
}

static void *open_or_close_all(void *argument)
{
	return (uintptr_t)argument < 2 ? open_many(argument) : close_all(argument);
}

/* C_CloseAllSessions in one thread, C_OpenSession in others. */
TEST(close_all_while_opening)
{
	shared = start(0, 0);
	run_threads(open_or_close_all, 3);
	application_close_sessions(shared, 0);
	ASSERT_EQ(atomic_load(&slots[0].session_count), 0);
	end(shared);
}

HARNESS_MAIN
