/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests of applications and sessions share: an agent with tokens of the test's own, which only
 * count what they are told, and threads.
 */
#ifndef TESTS_UNIT_SESSION_HELP_H
#define TESTS_UNIT_SESSION_HELP_H

#include <pthread.h>

#include "harness.h"

#include "application.h"
#include "backup.h"
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

void backup_free(struct backup *backup)
{
	EXPECT_TRUE(!backup);
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

static inline void tear_down(void)
{
	crypto_close(agent.crypto);
	config_free(agent.config);
}

static inline void set_up(uint64_t max_sessions, uint64_t max_rw_sessions)
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

static inline struct application *application_of(uid_t uid, pid_t pid)
{
	struct application *application = NULL;

	ASSERT_EQ(application_new(&agent, uid, 1, pid, &application), ERROR_NONE);
	return application;
}

static inline struct application *start(uint64_t max_sessions, uint64_t max_rw_sessions)
{
	set_up(max_sessions, max_rw_sessions);
	return application_of(1, 2);
}

static inline void end(struct application *application)
{
	application_close(application);
	application_put(application);
}

static inline uint32_t open_session(struct application *application, uint64_t slot, bool read_write)
{
	uint32_t handle = 0;

	ASSERT_EQ(session_open(application, slot, read_write, &handle), ERROR_NONE);
	return handle;
}

static inline bool close_session(struct application *application, uint64_t handle)
{
	struct session *session = session_lock(application, handle);

	if (!session)
		return false;
	session_close(session);
	session_unlock(session);
	return true;
}

static inline bool exists(struct application *application, uint64_t handle)
{
	session_auto session = session_lock(application, handle);

	return session && session->handle == handle;
}

/* ---- threads ---- */

/* What the threads of a test work on and count. */
static struct application *shared;
static atomic_uint opened, refused;

static inline void run_threads(void *(*run)(void *), int count)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < count; i++)
		ASSERT_EQ(pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)i), 0);
	for (int i = 0; i < count; i++)
		ASSERT_EQ(pthread_join(threads[i], NULL), 0);
}

#endif
