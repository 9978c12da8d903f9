/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applications: who is logged in where and for how long, also when threads race for it, the tickets
 * by which connections join, and their end with the application.
 */
#include <sys/socket.h>

#include "session_help.h"

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
