/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where there are more clients than processors, a connection goes to the loop of the processor on
 * which its client runs (agent/connection_ring.c): nothing is lost on the way.
 */
#include "api.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define CLIENTS      6u
#define CALLS_WINDOW 3000u /* of all clients together */

static atomic_bool enough;
static _Atomic uint64_t calls;

struct client {
	pthread_t thread;
	CK_SESSION_HANDLE session;
	const char *problem;
};

static void run_on(int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* One call whose answer is known. */
static bool digests(CK_SESSION_HANDLE session)
{
	static const CK_BYTE known[4] = {0xba, 0x78, 0x16, 0xbf}; /* SHA-256 of "abc" */
	CK_MECHANISM mechanism = {CKM_SHA256, NULL, 0};
	CK_BYTE hash[32];
	CK_ULONG len = sizeof(hash);

	return !p11->C_DigestInit(session, &mechanism) &&
	       !p11->C_Digest(session, (CK_BYTE *)(uintptr_t) "abc", 3, hash, &len) &&
	       len == sizeof(hash) && !memcmp(hash, known, sizeof(known));
}

static void *work(void *argument)
{
	struct client *client = argument;
	unsigned int round = 0;

	while (!atomic_load(&enough)) {
		if (round++ % 200 == 0)
			run_on((int)(round / 200 % 2));
		if (!digests(client->session)) {
			client->problem = "a call failed";
			break;
		}
		atomic_fetch_add(&calls, 1);
	}
	return NULL;
}

static void start(struct client clients[CLIENTS])
{
	api_start();
	OK(api_init_token(0, SO_PIN));
	for (unsigned int i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){.session = api_session(false)};
		ASSERT_EQ(pthread_create(&clients[i].thread, NULL, work, &clients[i]), 0);
	}
}

static void stop(struct client clients[CLIENTS])
{
	atomic_store(&enough, true);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		pthread_join(clients[i].thread, NULL);
		EXPECT_NULL(clients[i].problem);
	}
}

static bool has_two_processors(void)
{
	cpu_set_t set;

	return !sched_getaffinity(0, sizeof(set), &set) && CPU_ISSET(0, &set) && CPU_ISSET(1, &set);
}

TEST(nothing_is_lost_on_the_way)
{
	struct client clients[CLIENTS];

	if (!has_two_processors())
		SKIP("needs processors 0 and 1");
	start(clients);
	while (calls < 20 * CALLS_WINDOW)
		api_pause();
	stop(clients);
	EXPECT_EQ(api_end_agent(SIGTERM), 0);
}

HARNESS_MAIN
