/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random octets that the library draws ahead (lib/random_ahead.h): none comes twice, a program that
 * wants few leaves none behind, and a session that is closed, a seed, a change in the agent and a
 * fork drop them. How often the agent was asked its audit log tells.
 */
#include "api.h"

#include <stdlib.h>
#include <sys/wait.h>

#define CALLS_BEFORE 9 /* that ask for themselves */
#define AHEAD_LEN    1024

static void draw(CK_SESSION_HANDLE session, unsigned int calls, CK_ULONG len)
{
	CK_BYTE octets[128];

	for (unsigned int i = 0; i < calls; i++)
		OK(p11->C_GenerateRandom(session, octets, len));
}

/* Ends the agent and counts. */
static unsigned int records(void)
{
	unsigned int count = 0;
	char line[2048];
	FILE *log;

	EXPECT_EQ(api_end_agent(SIGTERM), 0);
	log = fopen(api_path("audit.jsonl"), "r");
	ASSERT_NOT_NULL(log);
	while (fgets(line, sizeof(line), log))
		count += strstr(line, "\"C_GenerateRandom\"") != NULL;
	fclose(log);
	return count;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

TEST(none_comes_twice)
{
	static CK_BYTE drawn[5000][64];
	CK_SESSION_HANDLE session = api_user();

	for (int i = 0; i < 5000; i++) {
		/* Lengths that leave a rest, and some that are served by themselves. */
		CK_ULONG len = 16 + (CK_ULONG)i % 49;

		OK(p11->C_GenerateRandom(session, drawn[i], len));
	}
	qsort(drawn, 5000, sizeof(drawn[0]), compare);
	for (int i = 1; i < 5000; i++)
		ASSERT_NE(memcmp(drawn[i - 1], drawn[i], 16), 0);
}

TEST(few_calls_draw_nothing_ahead)
{
	draw(api_user(), CALLS_BEFORE, 32);
	EXPECT_EQ(records(), CALLS_BEFORE);
}

TEST(many_calls_share)
{
	draw(api_user(), CALLS_BEFORE + 5 * AHEAD_LEN / 32, 32);
	EXPECT_EQ(records(), CALLS_BEFORE + 5);
}

TEST(long_requests_are_their_own)
{
	draw(api_user(), 40, 65);
	EXPECT_EQ(records(), 40);
}

TEST(closed_session_gets_none)
{
	CK_SESSION_HANDLE session = api_user(), other = api_session(false);
	CK_BYTE octets[16];

	draw(session, CALLS_BEFORE + 1, 16);
	OK(p11->C_CloseSession(session));
	GIVES(p11->C_GenerateRandom(session, octets, 16), CKR_SESSION_HANDLE_INVALID);
	draw(other, 1, 16);
}

TEST(bad_session_is_told_so_every_time)
{
	CK_BYTE octets[16];

	api_user();
	for (int i = 0; i < 3 * CALLS_BEFORE; i++)
		GIVES(p11->C_GenerateRandom(12345, octets, 16), CKR_SESSION_HANDLE_INVALID);
}

TEST(seed_drops_them)
{
	CK_SESSION_HANDLE session = api_user();
	CK_BYTE seed[20] = {1};

	draw(session, CALLS_BEFORE + 1, 32);
	OK(p11->C_SeedRandom(session, seed, sizeof(seed)));
	draw(session, CALLS_BEFORE + 1, 32);
	EXPECT_EQ(records(), 2 * (CALLS_BEFORE + 1));
}

/* Another program logs in. */
static void log_in_elsewhere(void)
{
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (!child) {
		OK(api_initialize());
		OK(api_login(api_session(false), CKU_USER, USER_PIN));
		OK(p11->C_Finalize(NULL));
		_exit(harness_failed);
	}
	ASSERT_EQ(waitpid(child, &status, 0), child);
	ASSERT_EQ(status, 0);
}

TEST(change_in_the_agent_drops_them)
{
	CK_SESSION_HANDLE session = api_user();

	draw(session, CALLS_BEFORE + 1, 32);
	log_in_elsewhere();
	draw(session, CALLS_BEFORE + 1, 32);
	EXPECT_EQ(records(), 2 * (CALLS_BEFORE + 1));
}

/* How many mappings of one page the kernel wipes on fork, and leaves out of core dumps. */
static unsigned int guarded_pages(void)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	unsigned int count = 0;
	bool one_page = false;
	char line[512];

	ASSERT_NOT_NULL(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (!strncmp(line, "Size:", 5))
			one_page = strstr(line, " 4 kB") != NULL;
		if (!strncmp(line, "VmFlags:", 8))
			count += one_page && strstr(line, " wf") && strstr(line, " dd");
	}
	fclose(maps);
	return count;
}

TEST(fork_and_core_dumps_have_none)
{
	CK_SESSION_HANDLE session = api_user();
	unsigned int before = guarded_pages();

	draw(session, CALLS_BEFORE + 1, 32);
	EXPECT_EQ(guarded_pages(), before + 1);
	OK(p11->C_Finalize(NULL));
	EXPECT_EQ(guarded_pages(), before);
}

HARNESS_MAIN
