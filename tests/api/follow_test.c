/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where there are more clients than processors, a connection goes to the loop of the processor on
 * which its client runs (agent/connection_ring.c), and nothing is lost on the way.
 */
#include "api.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CLIENTS      6u
#define CALLS_WINDOW 3000u /* of all clients together */

static atomic_bool enough;
static _Atomic uint64_t calls;

struct client {
	pthread_t thread;
	CK_SESSION_HANDLE session;
	int processor; /* -1: goes from one to another */
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

	if (client->processor >= 0)
		run_on(client->processor);
	while (!atomic_load(&enough)) {
		if (client->processor < 0 && round++ % 200 == 0)
			run_on((int)(round / 200 % 2));
		if (!digests(client->session)) {
			client->problem = "a call failed";
			break;
		}
		atomic_fetch_add(&calls, 1);
	}
	return NULL;
}

static void start(struct client clients[CLIENTS], int processor)
{
	api_start();
	OK(api_init_token(0, SO_PIN));
	for (unsigned int i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){.session = api_session(false), .processor = processor};
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

/* Nanoseconds that the agent's loop on this processor has run; 0: there is no such loop. */
static uint64_t loop_ran_ns(int processor)
{
	char path[128], line[256];
	uint64_t ran_ns = 0;
	struct dirent *entry;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)api_agent);
	tasks = opendir(path);
	ASSERT_NOT_NULL(tasks);
	while ((entry = readdir(tasks))) {
		int allowed = -1;
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/status", (int)api_agent,
		         entry->d_name);
		file = fopen(path, "r");
		while (file && fgets(line, sizeof(line), file)) {
			/* A loop may run on one processor only. */
			if (!strncmp(line, "Cpus_allowed_list:", 18) && !strpbrk(line, "-,"))
				allowed = atoi(line + 18);
		}
		if (file)
			fclose(file);
		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/schedstat", (int)api_agent,
		         entry->d_name);
		file = allowed == processor ? fopen(path, "r") : NULL;
		if (file && fgets(line, sizeof(line), file))
			ran_ns += strtoull(line, NULL, 10);
		if (file)
			fclose(file);
	}
	closedir(tasks);
	return ran_ns;
}

/* Waits until so many more calls were made, and tells what part of the loops' work was done on
 * processor 0, in percent. */
static unsigned int share_of_first(void)
{
	uint64_t first = loop_ran_ns(0), second = loop_ran_ns(1), until = calls + CALLS_WINDOW;

	while (calls < until)
		api_pause();
	first = loop_ran_ns(0) - first;
	second = loop_ran_ns(1) - second;
	return (unsigned int)(100 * first / (first + second + 1));
}

static bool has_two_processors(void)
{
	cpu_set_t set;

	return !sched_getaffinity(0, sizeof(set), &set) && CPU_ISSET(0, &set) && CPU_ISSET(1, &set);
}

TEST(connections_follow_their_clients)
{
	time_t deadline = time(NULL) + DEADLINE_S;
	struct client clients[CLIENTS];
	unsigned int share;

	if (!has_two_processors())
		SKIP("needs processors 0 and 1");
	start(clients, 0);
	/* In the end nothing is left for the other loop. */
	do {
		share = share_of_first();
	} while (share < 95 && time(NULL) < deadline);
	stop(clients);
	printf("# %u %% of the loops' work\n", share);
	EXPECT_GE(share, 95u);
}

TEST(nothing_is_lost_on_the_way)
{
	struct client clients[CLIENTS];

	if (!has_two_processors())
		SKIP("needs processors 0 and 1");
	start(clients, -1);
	while (calls < 20 * CALLS_WINDOW)
		api_pause();
	stop(clients);
	EXPECT_EQ(api_end_agent(SIGTERM), 0);
}

HARNESS_MAIN
