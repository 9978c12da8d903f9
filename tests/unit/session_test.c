/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applications and sessions: the table, limits, logins, tickets and the end of all of them, also
 * from many threads. The tokens are the test's own: they only count what they are told.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>

#include "harness.h"

#include "application.h"
#include "config.h"
#include "crypto.h"
#include "slots.h"
#include "token.h"

#define SLOTS   3u
#define THREADS 8

/* ---- tokens ---- */

struct token {
	atomic_uint logouts, drops, private_drops;
	_Atomic uint32_t last_dropped; /* session handle */
};

void token_logout(struct token *token)
{
	atomic_fetch_add(&token->logouts, 1);
}

void token_drop_session_objects(struct token *token, const struct application *application,
                                uint32_t session_handle)
{
	(void)application;
	atomic_fetch_add(&token->drops, 1);
	atomic_store(&token->last_dropped, session_handle);
}

void token_drop_private_session_objects(struct token *token, const struct application *application)
{
	(void)application;
	atomic_fetch_add(&token->private_drops, 1);
}

/* ---- an agent ---- */

static struct agent agent;
static struct agent_slot slots[SLOTS];
static struct token tokens[SLOTS];
static struct application_list applications;

static void tear_down(void)
{
	crypto_close(agent.crypto);
	config_free(agent.config);
}

static void set_up(uint64_t max_sessions, uint64_t max_rw_sessions)
{
	char error[256] = "";

	ASSERT_EQ(slots_open(SLOTS_AUTO, error, sizeof(error)), 0);
	state_init(&agent.state);
	agent.config = config_defaults();
	ASSERT_NOT_NULL(agent.config);
	agent.config->token.max_sessions = max_sessions;
	agent.config->token.max_rw_sessions = max_rw_sessions;
	if (crypto_open(&agent.crypto, &agent.state, error, sizeof(error)))
		printf("# %s\n", error);
	ASSERT_NOT_NULL(agent.crypto);
	state_ready(&agent.state);
	for (unsigned int i = 0; i < SLOTS; i++)
		slots[i].token = &tokens[i];
	agent.slots = slots;
	agent.slot_count = SLOTS;
	pthread_mutex_init(&applications.lock, NULL);
	agent.applications = &applications;
	atomic_store(&agent.next_session_handle, 1000);
	atexit(tear_down);
}

static struct application *application_of(uid_t uid, pid_t pid)
{
	struct application *application = NULL;

	ASSERT_EQ(application_new(&agent, uid, 1, pid, &application), ERROR_NONE);
	return application;
}

static struct application *start(uint64_t max_sessions, uint64_t max_rw_sessions)
{
	set_up(max_sessions, max_rw_sessions);
	return application_of(1, 2);
}

static void end(struct application *application)
{
	application_close(application);
	application_put(application);
}

static uint32_t open_session(struct application *application, uint64_t slot, bool read_write)
{
	uint32_t handle = 0;

	ASSERT_EQ(session_open(application, slot, read_write, &handle), ERROR_NONE);
	return handle;
}

static bool close_session(struct application *application, uint64_t handle)
{
	struct session *session = session_lock(application, handle);

	if (!session)
		return false;
	session_close(session);
	session_unlock(session);
	return true;
}

static bool exists(struct application *application, uint64_t handle)
{
	session_auto session = session_lock(application, handle);

	return session && session->handle == handle;
}

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

static atomic_uint opened, refused;
static struct application *shared;

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

static void run_threads(void *(*run)(void *), int count)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < count; i++)
		ASSERT_EQ(pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)i), 0);
	for (int i = 0; i < count; i++)
		ASSERT_EQ(pthread_join(threads[i], NULL), 0);
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

/* ---- logins ---- */

TEST(login_states)
{
	static const uint64_t wanted[3][2] = {
		{CKS_RO_PUBLIC_SESSION, CKS_RW_PUBLIC_SESSION},
		{CKS_RO_USER_FUNCTIONS, CKS_RW_USER_FUNCTIONS},
		{0, CKS_RW_SO_FUNCTIONS},
	};
	struct application *application = start(0, 0);

	for (enum login login = LOGIN_NONE; login <= LOGIN_SO; login++) {
		for (int read_write = login == LOGIN_SO; read_write < 2; read_write++) {
			uint32_t handle = open_session(application, 0, read_write);
			struct session *session = session_lock(application, handle);

			ASSERT_NOT_NULL(session);
			if (login)
				ASSERT_EQ(application_log_in(application, 0, login), ERROR_NONE);
			EXPECT_EQ(session_state(session), wanted[login][read_write]);
			EXPECT_EQ(session_login(session), login);
			session_unlock(session);
			application_close_sessions(application, 0);
			EXPECT_EQ(application_login_state(application, 0), LOGIN_NONE);
		}
	}
	end(application);
}

TEST(login_exclusivity)
{
	struct application *application = start(0, 0);
	uint32_t reader, handle;

	open_session(application, 0, true);
	reader = open_session(application, 0, false);
	EXPECT_EQ(application_may_log_in(application, 0, LOGIN_SO), ERROR_SESSION_READ_ONLY_EXISTS);
	EXPECT_EQ(application_log_in(application, 0, LOGIN_SO), ERROR_SESSION_READ_ONLY_EXISTS);
	EXPECT_EQ(application_login_state(application, 0), LOGIN_NONE);
	EXPECT_EQ(application_log_in(application, 0, LOGIN_USER), ERROR_NONE);
	EXPECT_EQ(application_log_in(application, 0, LOGIN_USER), ERROR_USER_LOGGED_IN);
	EXPECT_EQ(application_log_in(application, 0, LOGIN_SO), ERROR_USER_OTHER_LOGGED_IN);
	EXPECT_EQ(application_may_log_in(application, 0, LOGIN_USER), ERROR_USER_LOGGED_IN);
	/* Another slot is another world. */
	open_session(application, 1, true);
	EXPECT_EQ(application_log_in(application, 1, LOGIN_SO), ERROR_NONE);
	EXPECT_EQ(session_open(application, 1, false, &handle), ERROR_SESSION_SO_EXISTS);
	EXPECT_EQ(atomic_load(&slots[1].session_count), 1);
	EXPECT_TRUE(application_log_out(application, 0));
	EXPECT_FALSE(application_log_out(application, 0));
	EXPECT_EQ(atomic_load(&tokens[0].logouts), 1);
	EXPECT_EQ(atomic_load(&tokens[0].private_drops), 1);
	EXPECT_EQ(application_login_state(application, 1), LOGIN_SO);
	EXPECT_TRUE(close_session(application, reader));
	EXPECT_EQ(application_log_in(application, 0, LOGIN_SO), ERROR_NONE);
	end(application);
	EXPECT_EQ(atomic_load(&tokens[0].logouts), 2);
	EXPECT_EQ(atomic_load(&tokens[1].logouts), 1);
	EXPECT_EQ(atomic_load(&tokens[2].logouts), 0);
}

TEST(logins_of_applications_are_apart)
{
	struct application *one = start(0, 0), *other = application_of(1, 3);

	open_session(one, 0, true);
	open_session(other, 0, false);
	EXPECT_EQ(application_log_in(one, 0, LOGIN_SO), ERROR_NONE); /* its own sessions count */
	EXPECT_EQ(application_login_state(other, 0), LOGIN_NONE);
	EXPECT_EQ(application_log_in(other, 0, LOGIN_USER), ERROR_NONE);
	end(one);
	EXPECT_EQ(application_login_state(other, 0), LOGIN_USER);
	end(other);
}

TEST(last_session_takes_the_login_along)
{
	struct application *application = start(0, 0);
	uint32_t first = open_session(application, 0, true);
	uint32_t second = open_session(application, 0, false);

	open_session(application, 1, false);
	ASSERT_EQ(application_log_in(application, 0, LOGIN_USER), ERROR_NONE);
	ASSERT_TRUE(close_session(application, first));
	ASSERT_EQ(application_login_state(application, 0), LOGIN_USER);
	ASSERT_TRUE(close_session(application, second));
	ASSERT_EQ(application_login_state(application, 0), LOGIN_NONE);
	ASSERT_EQ(atomic_load(&tokens[0].logouts), 1);
	end(application);
	ASSERT_EQ(atomic_load(&tokens[0].logouts), 1);
}

static atomic_bool done;

/* Logs the SO in again and again, and looks for read-only sessions while he is. */
static void log_in_so(void)
{
	while (atomic_load(&opened) < 500) {
		uint32_t count, rw_count;

		if (!application_log_in(shared, 0, LOGIN_SO))
			atomic_fetch_add(&opened, 1);
		if (application_login_state(shared, 0) != LOGIN_SO)
			continue;
		application_count_sessions(shared, 0, &count, &rw_count);
		if (application_login_state(shared, 0) == LOGIN_SO)
			EXPECT_EQ(count, rw_count);
	}
	atomic_store(&done, true);
}

/* Opens read-only sessions; when the SO is in the way, logs him out. */
static void read_only(void)
{
	while (!atomic_load(&done)) {
		uint32_t handle;
		enum err err = session_open(shared, 0, false, &handle);

		if (err) {
			EXPECT_EQ(err, ERROR_SESSION_SO_EXISTS);
			application_log_out(shared, 0);
			continue;
		}
		EXPECT_NE(application_login_state(shared, 0), LOGIN_SO);
		close_session(shared, handle);
		atomic_fetch_add(&refused, 1);
	}
}

static void *race_so(void *argument)
{
	if (argument)
		log_in_so();
	else
		read_only();
	return NULL;
}

/* The SO and a read-only session never see each other. (Two threads only: a log-out and a new
 * session between two looks of a third would be no fault.) */
TEST(so_against_read_only)
{
	shared = start(0, 0);
	open_session(shared, 0, true);
	run_threads(race_so, 2);
	printf("# %u logins, %u sessions\n", atomic_load(&opened), atomic_load(&refused));
	ASSERT_EQ(atomic_load(&tokens[0].logouts) + (application_login_state(shared, 0) != 0),
	          atomic_load(&opened));
	end(shared);
}

static atomic_uint logins;

static void *race_last(void *argument)
{
	(void)argument;
	for (int i = 0; i < 3000; i++) {
		struct session *session;
		uint32_t handle;

		if (session_open(shared, 0, true, &handle))
			continue;
		session = session_lock(shared, handle);
		if (!application_log_in(shared, 0, LOGIN_USER)) {
			atomic_fetch_add(&logins, 1);
			session_unlock(session);
		} else {
			session_unlock(session);
		}
		close_session(shared, handle);
	}
	return NULL;
}

/* As many logouts as logins, whoever closed the last session; and none left with no session. */
TEST(logins_are_given_back)
{
	shared = start(0, 0);
	run_threads(race_last, THREADS);
	ASSERT_EQ(shared->session_count, 0);
	ASSERT_EQ(application_login_state(shared, 0), LOGIN_NONE);
	ASSERT_EQ(atomic_load(&tokens[0].logouts), atomic_load(&logins));
	end(shared);
}

static void *keep_a_session(void *argument)
{
	(void)argument;
	for (int i = 0; i < 20000; i++) {
		struct session *session;
		uint32_t handle;

		if (session_open(shared, 0, true, &handle))
			continue;
		session = session_lock(shared, handle);
		if (!application_log_in(shared, 0, LOGIN_USER)) {
			/* While this session is open, nobody else's close may end the login. */
			for (int look = 0; look < 20; look++)
				EXPECT_EQ(application_login_state(shared, 0), LOGIN_USER);
		}
		session_unlock(session);
		close_session(shared, handle);
	}
	return NULL;
}

/* The last session's close and the next one's login do not mix. */
TEST(login_is_kept_while_a_session_is_open)
{
	shared = start(0, 0);
	run_threads(keep_a_session, 2);
	end(shared);
}

/* ---- tickets and connections ---- */

TEST(join)
{
	struct application *application = start(0, 0), *other = application_of(1, 3);
	uint8_t ticket[WIRE_TICKET_LEN];

	memcpy(ticket, application->ticket, sizeof(ticket));
	ASSERT_EQ(application_join(&agent, ticket, 1, 2), application);
	ASSERT_EQ(atomic_load(&application->references), 2);
	application_put(application);
	ASSERT_NULL(application_join(&agent, ticket, 1, 3)); /* another process */
	ASSERT_NULL(application_join(&agent, ticket, 0, 2)); /* even root */
	ASSERT_NULL(application_join(&agent, other->ticket, 1, 2));
	for (unsigned int i = 0; i < WIRE_TICKET_LEN * 8; i++) {
		ticket[i / 8] ^= (uint8_t)(1u << i % 8);
		ASSERT_NULL(application_join(&agent, ticket, 1, 2));
		ticket[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	ASSERT_EQ(atomic_load(&application->references), 1);
	application_close(application);
	ASSERT_NULL(application_join(&agent, ticket, 1, 2)); /* it has ended */
	application_put(application);
	end(other);
}

TEST(tickets_differ)
{
	struct application *several[50];

	set_up(0, 0);
	for (int i = 0; i < 50; i++) {
		several[i] = application_of(1, 2);
		for (int k = 0; k < i; k++)
			ASSERT_NE(memcmp(several[i]->ticket, several[k]->ticket, WIRE_TICKET_LEN),
			          0);
		ASSERT_GT(several[i]->id, i ? several[i - 1]->id : 0);
	}
	ASSERT_EQ(applications.count, 50);
	/* From the middle, the front and the end of the list. */
	for (int i = 0; i < 50; i++)
		end(several[(i * 7 + 20) % 50]);
	ASSERT_EQ(applications.count, 0);
	ASSERT_NULL(applications.first);
}

static bool at_end(int fd)
{
	char octet;

	return recv(fd, &octet, 1, MSG_DONTWAIT) == 0;
}

/* Closing shuts down the connections that are attached, and no others. */
TEST(connections)
{
	enum { PAIRS = 40 };
	struct application *application = start(0, 0);
	int pairs[PAIRS][2];

	for (int i = 0; i < PAIRS; i++) {
		ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]), 0);
		ASSERT_EQ(application_attach(application, pairs[i][0]), ERROR_NONE);
	}
	for (int i = 0; i < PAIRS; i += 3)
		application_detach(application, pairs[i][0]);
	application_detach(application, 12345); /* a stranger */
	application_close(application);
	for (int i = 0; i < PAIRS; i++)
		EXPECT_EQ(at_end(pairs[i][1]), i % 3 != 0);
	application_put(application);
}

TEST(name_of_the_process)
{
	struct application *application;
	char name[APPLICATION_NAME_LEN + 1] = "";
	FILE *file = fopen("/proc/self/comm", "r");

	ASSERT_NOT_NULL(file);
	ASSERT_EQ(fscanf(file, "%16s", name), 1);
	fclose(file);
	set_up(0, 0);
	application = application_of(getuid(), getpid());
	EXPECT_STREQ(application->name, name);
	end(application);
	application = application_of(1, 0x7fffffff); /* no such process */
	EXPECT_STREQ(application->name, "");
	end(application);
}

HARNESS_MAIN
