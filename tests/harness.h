/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small kselftest-style harness: each TEST runs in a child of its own with a deadline, so that a
 * crash, an abort or a sanitizer's report fails that test only. Output is KTAP. Include it once per
 * program and end the file with HARNESS_MAIN. tests/unit/harness_test.sh tests it.
 *
 *   TEST(name) { ASSERT_EQ(f(), 3); EXPECT_TRUE(g()); }      60 seconds
 *   TEST_TIMEOUT(name, seconds) { ... }
 *
 * ASSERT_* end the test, EXPECT_* note the failure and go on, SKIP("reason") ends it unjudged. All
 * of them count in processes that the test forks, too. A test passes only by returning: code under
 * test that calls exit(0) fails it. Processes that a test leaves behind are killed. A program takes
 * --list or the names of the tests to run.
 */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Tests compare enums and small constants; a wrong sign would show in the values printed. */
#pragma GCC diagnostic ignored "-Wsign-compare"

#define HARNESS_SECONDS   60u
#define HARNESS_FAILED    1
#define HARNESS_SKIPPED   4
#define HARNESS_TESTS_MAX 512u

struct harness_test {
	const char *name;
	void (*run)(void);
	unsigned int seconds;
};

static struct harness_test harness_tests[HARNESS_TESTS_MAX];
static unsigned int harness_count;
static bool harness_failed; /* in this process */

/* What a test's processes tell the harness; in memory that they share. */
struct harness_report {
	bool failed;
	bool skipped;
	bool returned;
	char reason[200];
};

static struct harness_report *harness_report;

static inline void harness_add(const char *name, void (*run)(void), unsigned int seconds)
{
	if (harness_count == HARNESS_TESTS_MAX)
		abort();
	harness_tests[harness_count++] = (struct harness_test){name, run, seconds};
}

#define TEST_TIMEOUT(test_name, limit)                                                             \
	static void test_name##_test(void);                                                        \
	static void __attribute__((constructor)) test_name##_add(void)                             \
	{                                                                                          \
		harness_add(#test_name, test_name##_test, limit);                                  \
	}                                                                                          \
	static void test_name##_test(void)
#define TEST(test_name) TEST_TIMEOUT(test_name, HARNESS_SECONDS)

/* Ends the child without the destructors of what it shares with the parent. */
static inline void __attribute__((noreturn)) harness_end(int status)
{
	fflush(NULL);
	_exit(status);
}

static inline void harness_note(bool fatal)
{
	__atomic_store_n(&harness_failed, true, __ATOMIC_RELAXED); /* threads may fail at once */
	__atomic_store_n(&harness_report->failed, true, __ATOMIC_RELAXED);
	fflush(stdout);
	if (fatal)
		harness_end(HARNESS_FAILED);
}

#define HARNESS_FAIL(fatal, ...)                                                                   \
	do {                                                                                       \
		printf("# %s:%d: ", __FILE__, __LINE__);                                           \
		printf(__VA_ARGS__);                                                               \
		putchar('\n');                                                                     \
		harness_note(fatal);                                                               \
	} while (0)

#define HARNESS_TRUTH(fatal, value, wanted)                                                        \
	do {                                                                                       \
		if ((bool)(value) != (wanted))                                                     \
			HARNESS_FAIL(fatal, "expected %s to be %s", #value,                        \
			             (wanted) ? "true" : "false");                                 \
	} while (0)

/* Integers and pointers; shown in decimal and hexadecimal. */
#define HARNESS_COMPARE(fatal, a, operator, b)                                                     \
	do {                                                                                       \
		__auto_type harness_a = (a);                                                       \
		__auto_type harness_b = (b);                                                       \
		if (!(harness_a operator harness_b))                                               \
			HARNESS_FAIL(fatal,                                                        \
			             "expected %s %s %s, got %lld (0x%llx) and %lld (0x%llx)", #a, \
			             #operator, #b, (long long)(intptr_t)harness_a,                \
			             (unsigned long long)(intptr_t)harness_a,                      \
			             (long long)(intptr_t)harness_b,                               \
			             (unsigned long long)(intptr_t)harness_b);                     \
	} while (0)

#define HARNESS_STRING(fatal, a, b)                                                                \
	do {                                                                                       \
		const char *harness_a = (a), *harness_b = (b);                                     \
		if (!harness_a || !harness_b || strcmp(harness_a, harness_b))                      \
			HARNESS_FAIL(fatal, "expected %s == %s, got \"%s\" and \"%s\"", #a, #b,    \
			             harness_a ? harness_a : "(null)",                             \
			             harness_b ? harness_b : "(null)");                            \
	} while (0)

static inline void harness_show(const char *what, const void *octets, size_t len)
{
	printf("#   %s:", what);
	for (size_t i = 0; i < len && i < 64; i++)
		printf(" %02x", ((const unsigned char *)octets)[i]);
	printf(len > 64 ? " ...\n" : "\n");
}

#define HARNESS_MEMORY(fatal, a, b, len)                                                           \
	do {                                                                                       \
		const void *harness_a = (a), *harness_b = (b);                                     \
		size_t harness_len = (len);                                                        \
		if (harness_len && memcmp(harness_a, harness_b, harness_len)) {                    \
			harness_show(#a, harness_a, harness_len);                                  \
			harness_show(#b, harness_b, harness_len);                                  \
			HARNESS_FAIL(fatal, "expected %s and %s to be the same %zu octets", #a,    \
			             #b, harness_len);                                             \
		}                                                                                  \
	} while (0)

#define ASSERT_TRUE(value)      HARNESS_TRUTH(true, value, true)
#define ASSERT_FALSE(value)     HARNESS_TRUTH(true, value, false)
#define ASSERT_EQ(a, b)         HARNESS_COMPARE(true, a, ==, b)
#define ASSERT_NE(a, b)         HARNESS_COMPARE(true, a, !=, b)
#define ASSERT_LT(a, b)         HARNESS_COMPARE(true, a, <, b)
#define ASSERT_LE(a, b)         HARNESS_COMPARE(true, a, <=, b)
#define ASSERT_GT(a, b)         HARNESS_COMPARE(true, a, >, b)
#define ASSERT_GE(a, b)         HARNESS_COMPARE(true, a, >=, b)
#define ASSERT_NULL(value)      HARNESS_TRUTH(true, (value) == NULL, true)
#define ASSERT_NOT_NULL(value)  HARNESS_TRUTH(true, (value) != NULL, true)
#define ASSERT_STREQ(a, b)      HARNESS_STRING(true, a, b)
#define ASSERT_MEMEQ(a, b, len) HARNESS_MEMORY(true, a, b, len)
#define EXPECT_TRUE(value)      HARNESS_TRUTH(false, value, true)
#define EXPECT_FALSE(value)     HARNESS_TRUTH(false, value, false)
#define EXPECT_EQ(a, b)         HARNESS_COMPARE(false, a, ==, b)
#define EXPECT_NE(a, b)         HARNESS_COMPARE(false, a, !=, b)
#define EXPECT_LT(a, b)         HARNESS_COMPARE(false, a, <, b)
#define EXPECT_LE(a, b)         HARNESS_COMPARE(false, a, <=, b)
#define EXPECT_GT(a, b)         HARNESS_COMPARE(false, a, >, b)
#define EXPECT_GE(a, b)         HARNESS_COMPARE(false, a, >=, b)
#define EXPECT_NULL(value)      HARNESS_TRUTH(false, (value) == NULL, true)
#define EXPECT_NOT_NULL(value)  HARNESS_TRUTH(false, (value) != NULL, true)
#define EXPECT_STREQ(a, b)      HARNESS_STRING(false, a, b)
#define EXPECT_MEMEQ(a, b, len) HARNESS_MEMORY(false, a, b, len)

static inline void __attribute__((noreturn)) harness_skip(const char *reason)
{
	snprintf(harness_report->reason, sizeof(harness_report->reason), "%s", reason);
	harness_report->skipped = true;
	harness_end(HARNESS_SKIPPED);
}

#define SKIP(reason) harness_skip(reason)

static inline void __attribute__((noreturn)) harness_child(const struct harness_test *test)
{
	test->run();
	harness_report->returned = true;
	/* Destructors and leak checks run, so that a leak fails its test. */
	exit(harness_failed ? HARNESS_FAILED : 0);
}

/* Waits for the child, SIGCHLD being blocked; false when it took too long and was killed. */
static inline bool harness_wait(pid_t child, unsigned int seconds, int *status)
{
	struct timespec now, left = {0};
	time_t deadline;
	sigset_t ended;

	sigemptyset(&ended);
	sigaddset(&ended, SIGCHLD);
	clock_gettime(CLOCK_MONOTONIC, &now);
	deadline = now.tv_sec + seconds + 1;
	while (waitpid(child, status, WNOHANG) == 0) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		left.tv_sec = deadline - now.tv_sec;
		if (left.tv_sec > 0) {
			sigtimedwait(&ended, NULL, &left);
			continue;
		}
		kill(child, SIGKILL);
		waitpid(child, status, 0);
		return false;
	}
	return true;
}

/* Ends what the test left running; as subreaper, this process is now its parent. */
static inline void harness_sweep(void)
{
	for (;;) {
		FILE *children = fopen("/proc/thread-self/children", "re");
		int found, pid;

		if (!children)
			return;
		found = fscanf(children, "%d", &pid);
		fclose(children);
		if (found != 1)
			return;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

enum harness_verdict { HARNESS_PASS, HARNESS_FAIL_VERDICT, HARNESS_SKIP };

static inline enum harness_verdict harness_judge(const struct harness_test *test, int status)
{
	if (WIFSIGNALED(status))
		printf("# %s: ended by signal %d (%s)\n", test->name, WTERMSIG(status),
		       strsignal(WTERMSIG(status)));
	else if (harness_report->failed)
		return HARNESS_FAIL_VERDICT; /* and has said why */
	else if (harness_report->skipped && WEXITSTATUS(status) == HARNESS_SKIPPED)
		return HARNESS_SKIP;
	else if (WEXITSTATUS(status))
		printf("# %s: ended with status %d\n", test->name, WEXITSTATUS(status));
	else if (!harness_report->returned)
		printf("# %s: ended with status 0 before it returned\n", test->name);
	else
		return HARNESS_PASS;
	return HARNESS_FAIL_VERDICT;
}

/* Runs one test in a child, with every signal as it was before. */
static inline enum harness_verdict harness_run(const struct harness_test *test)
{
	sigset_t ended, before;
	int status = 0;
	bool in_time;
	pid_t child;

	memset(harness_report, 0, sizeof(*harness_report));
	sigemptyset(&ended);
	sigaddset(&ended, SIGCHLD);
	sigprocmask(SIG_BLOCK, &ended, &before);
	fflush(NULL);
	child = fork();
	if (child < 0) {
		perror("# fork");
		return HARNESS_FAIL_VERDICT;
	}
	if (!child) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		harness_child(test);
	}
	in_time = harness_wait(child, test->seconds, &status);
	harness_sweep();
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (in_time)
		return harness_judge(test, status);
	printf("# %s: took more than %u seconds\n", test->name, test->seconds);
	return HARNESS_FAIL_VERDICT;
}

static inline bool harness_chosen(const struct harness_test *test, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], test->name))
			return true;
	}
	return argc < 2;
}

static inline unsigned int harness_choose(int argc, char **argv)
{
	unsigned int chosen = 0;

	for (unsigned int i = 0; i < harness_count; i++) {
		if (harness_chosen(&harness_tests[i], argc, argv))
			harness_tests[chosen++] = harness_tests[i];
	}
	return chosen;
}

/* A name that no test has would otherwise look like success. */
static inline bool harness_knows(const char *name)
{
	for (unsigned int i = 0; i < harness_count; i++) {
		if (!strcmp(harness_tests[i].name, name))
			return true;
	}
	fprintf(stderr, "no test is called %s; --list shows them\n", name);
	return false;
}

static inline void harness_setup(void)
{
	harness_report = mmap(NULL, sizeof(*harness_report), PROT_READ | PROT_WRITE,
	                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (harness_report == MAP_FAILED)
		abort();
	signal(SIGCHLD, SIG_DFL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static inline int harness_main(int argc, char **argv)
{
	static const char *const words[] = {"ok", "not ok", "ok"};
	unsigned int totals[3] = {0};
	bool list = argc == 2 && !strcmp(argv[1], "--list");
	unsigned int count;

	for (unsigned int i = 0; list && i < harness_count; i++)
		puts(harness_tests[i].name);
	if (list)
		return 0;
	for (int i = 1; i < argc; i++) {
		if (!harness_knows(argv[i]))
			return 2;
	}
	harness_setup();
	count = harness_choose(argc, argv);
	printf("TAP version 13\n1..%u\n", count);
	for (unsigned int i = 0; i < count; i++) {
		enum harness_verdict verdict = harness_run(&harness_tests[i]);

		totals[verdict]++;
		printf("%s %u %s%s%s\n", words[verdict], i + 1, harness_tests[i].name,
		       verdict == HARNESS_SKIP ? " # SKIP " : "",
		       verdict == HARNESS_SKIP ? harness_report->reason : "");
	}
	printf("# Totals: pass:%u fail:%u skip:%u\n", totals[0], totals[1], totals[2]);
	return totals[1] || !count ? 1 : 0;
}

#define HARNESS_MAIN                                                                               \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		return harness_main(argc, argv);                                                   \
	}

#endif
