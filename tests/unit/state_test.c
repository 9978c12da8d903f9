/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of the module and the log that tells of it: two arrows, the first reason wins, and a
 * line stays a line.
 */
#include <fcntl.h>
#include <pthread.h>

#include "harness.h"
#include "log.h"
#include "state.h"

#define THREADS 8

static struct state state;
static int log_pipe[2];

static void capture_log(void)
{
	unsetenv("JOURNAL_STREAM");
	ASSERT_EQ(pipe2(log_pipe, O_CLOEXEC | O_NONBLOCK), 0);
	ASSERT_EQ(dup2(log_pipe[1], STDERR_FILENO), STDERR_FILENO);
}

/* What was logged since the last time. */
static const char *logged(void)
{
	static char text[65536];
	ssize_t len = read(log_pipe[0], text, sizeof(text) - 1);

	text[len > 0 ? len : 0] = '\0';
	return text;
}

static unsigned int count_lines(const char *text)
{
	unsigned int count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

TEST(from_post_to_operational)
{
	state_init(&state);
	EXPECT_EQ(state_get(&state), STATE_POST);
	EXPECT_FALSE(state_operational(&state));
	EXPECT_STREQ(state_reason(&state), "");
	state_ready(&state);
	EXPECT_EQ(state_get(&state), STATE_OPERATIONAL);
	EXPECT_TRUE(state_operational(&state));
	state_ready(&state);
	EXPECT_EQ(state_get(&state), STATE_OPERATIONAL);
}

TEST(error_is_final_from_post)
{
	capture_log();
	state_init(&state);
	state_fail(&state, "self-test failed: %s", "SHA-256");
	EXPECT_EQ(state_get(&state), STATE_ERROR);
	state_ready(&state);
	EXPECT_EQ(state_get(&state), STATE_ERROR);
	EXPECT_FALSE(state_operational(&state));
	EXPECT_STREQ(state_reason(&state), "self-test failed: SHA-256");
}

TEST(error_is_final_and_keeps_its_first_reason)
{
	capture_log();
	state_init(&state);
	state_ready(&state);
	state_fail(&state, "first");
	state_fail(&state, "second");
	state_ready(&state);
	EXPECT_EQ(state_get(&state), STATE_ERROR);
	EXPECT_STREQ(state_reason(&state), "first");
	EXPECT_STREQ(logged(), "error: error state: first\n");
}

TEST(a_long_reason_is_cut)
{
	char text[1000];

	capture_log();
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	state_init(&state);
	state_fail(&state, "%s", text);
	EXPECT_EQ(strlen(state_reason(&state)), sizeof(state.reason) - 1);
}

static void *fail_as(void *number)
{
	char letter = (char)('a' + (intptr_t)number);
	char text[100];

	memset(text, letter, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	state_fail(&state, "%s", text);
	return NULL;
}

/* Whoever reads ERROR reads one whole reason. */
static void *read_reason(void *unused)
{
	const char *reason;

	(void)unused;
	while (state_get(&state) != STATE_ERROR)
		;
	reason = state_reason(&state);
	for (int i = 0; i < 99; i++) {
		if (reason[i] != reason[0])
			return (void *)(uintptr_t) "mixed";
	}
	return strlen(reason) == 99 ? NULL : (void *)(uintptr_t) "not whole";
}

TEST(threads_that_fail_at_once)
{
	pthread_t threads[THREADS], reader;
	void *problem;

	capture_log();
	for (int round = 0; round < 50; round++) {
		state_init(&state);
		state_ready(&state);
		ASSERT_EQ(pthread_create(&reader, NULL, read_reason, NULL), 0);
		for (intptr_t i = 0; i < THREADS; i++)
			ASSERT_EQ(pthread_create(&threads[i], NULL, fail_as, (void *)i), 0);
		for (int i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		pthread_join(reader, &problem);
		ASSERT_NULL(problem);
		ASSERT_EQ(count_lines(logged()), 1);
	}
}

TEST(names)
{
	EXPECT_STREQ(state_name(STATE_POST), "POST");
	EXPECT_STREQ(state_name(STATE_OPERATIONAL), "OPERATIONAL");
	EXPECT_STREQ(state_name(STATE_ERROR), "ERROR");
}

TEST(priorities_on_a_terminal_and_in_the_journal)
{
	capture_log();
	log_error("a %d", 1);
	log_warning("b");
	log_notice("c");
	log_info("d");
	EXPECT_STREQ(logged(), "error: a 1\nwarning: b\nc\nd\n");
	ASSERT_EQ(setenv("JOURNAL_STREAM", "8:1234", 1), 0);
	log_error("a");
	log_warning("b");
	log_notice("c");
	log_info("d");
	EXPECT_STREQ(logged(), "<3>a\n<4>b\n<5>c\n<6>d\n");
}

TEST(a_line_stays_a_line)
{
	capture_log();
	log_info("one\ntwo\r\033[31m\t\177 three");
	EXPECT_STREQ(logged(), "one?two??[31m?? three\n");
}

TEST(a_long_line_is_cut_and_ends)
{
	const char *text;
	char long_text[5000];

	capture_log();
	memset(long_text, 'y', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	log_error("%s", long_text);
	text = logged();
	EXPECT_EQ(count_lines(text), 1);
	EXPECT_EQ(text[strlen(text) - 1], '\n');
	EXPECT_GT(strlen(text), 900);
	EXPECT_LE(strlen(text), 1024);
}

static void *log_lines(void *number)
{
	for (int i = 0; i < 200; i++)
		log_info("thread %d writes a line of some length", (int)(intptr_t)number);
	return NULL;
}

TEST(lines_of_threads_do_not_mix)
{
	pthread_t threads[4];
	const char *line;

	capture_log();
	for (intptr_t i = 0; i < 4; i++)
		ASSERT_EQ(pthread_create(&threads[i], NULL, log_lines, (void *)i), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	line = logged();
	EXPECT_EQ(count_lines(line), 800);
	for (; *line; line = strchr(line, '\n') + 1)
		ASSERT_EQ(strspn(line, "thread 0123wislnofgm"),
		          strlen("thread 0 writes a line of some length"));
}

HARNESS_MAIN
