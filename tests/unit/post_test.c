/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The self-tests (B1, B2): their names, that each notices a wrong known answer, what a failure
 * does, and what is logged. The vectors themselves are not repeated here.
 */
#include <fcntl.h>
#include <openssl/crypto.h>

#include "base_fixture.h"
#include "post.h"
#include "post_tests.h"
#include "wire/integrity.h"

#define OPENSSL_3_5 0x30500000ul

static struct post_report report;

/* A file with its sidecar; good until the third next call. It uses OpenSSL, so memory is opened
 * before. */
static const char *vouched_file(const char *name)
{
	const char *path = base_path(name);

	base_write(path, "a program", 9, 0755);
	ASSERT_EQ(integrity_write_sidecar(path), 0);
	return path;
}

static bool has_pqc(void)
{
	return OpenSSL_version_num() >= OPENSSL_3_5;
}

/* Everything that is logged from here on goes to a file. */
static const char *capture_log(void)
{
	const char *path = base_path("log");
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	unsetenv("JOURNAL_STREAM");
	ASSERT_GE(fd, 0);
	ASSERT_EQ(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	close(fd);
	return path;
}

/* Lines of the file that begin with this text. */
static unsigned int count_lines(const char *path, const char *text)
{
	FILE *file = fopen(path, "r");
	unsigned int count = 0;
	char line[2048];

	ASSERT_NOT_NULL(file);
	while (fgets(line, sizeof(line), file))
		count += !strncmp(line, text, strlen(text));
	fclose(file);
	return count;
}

TEST(names_are_those_of_the_row)
{
	static const char *const names[POST_COUNT] = {
		"module integrity",
		"SHA-256",
		"SHA-384",
		"SHA-512",
		"SHA3-256",
		"HMAC-SHA-256",
		"HMAC-SHA-384",
		"HMAC-SHA-512",
		"AES-256-GCM",
		"AES-256-CBC",
		"AES-256-CTR",
		"RSA-2048 sign/verify",
		"ECDSA P-256 sign/verify",
		"ML-DSA-44",
		"ML-KEM-768",
		"entropy source health",
		"HMAC-DRBG",
	};

	for (unsigned int i = 0; i < POST_COUNT; i++)
		EXPECT_STREQ(post_name(i), names[i]);
}

TEST(all_of_them_pass)
{
	unsigned int missing = has_pqc() ? 0 : 2;

	base_open_crypto();
	post_run(base_crypto, vouched_file("daemon"), vouched_file("library"), true, &report);
	EXPECT_EQ(report.failed, 0);
	EXPECT_EQ(report.unavailable, missing);
	EXPECT_EQ(report.passed, POST_COUNT - missing);
	for (unsigned int i = 0; i < POST_COUNT; i++) {
		bool pqc = !strncmp(post_name(i), "ML-", 3);

		EXPECT_EQ(report.results[i], pqc && missing ? POST_UNAVAILABLE : POST_OK);
	}
	EXPECT_EQ(state_get(&base_state), STATE_OPERATIONAL);
}

/* A known answer that is wrong in one bit is noticed by every test. */
TEST(each_notices_a_wrong_answer)
{
	base_open_crypto();
	for (unsigned int i = 0; i < POST_TEST_COUNT; i++) {
		const char *right = post_tests[i].run(base_crypto, 0);
		const char *wrong = post_tests[i].run(base_crypto, 1);

		if (right == POST_TEST_UNAVAILABLE)
			continue;
		EXPECT_NULL(right);
		EXPECT_NOT_NULL(wrong);
		if (right || !wrong)
			printf("# %s\n", post_tests[i].name);
	}
}

TEST(a_changed_program_is_an_error)
{
	const char *library, *daemon;

	base_open_crypto();
	library = vouched_file("library");
	daemon = vouched_file("daemon");
	base_write(daemon, "a progrbm", 9, 0755);
	post_run(base_crypto, daemon, library, false, &report);
	EXPECT_EQ(report.results[0], POST_FAILED);
	EXPECT_EQ(report.failed, 1);
	EXPECT_EQ(state_get(&base_state), STATE_ERROR);
	EXPECT_NOT_NULL(strstr(state_reason(&base_state), "self-test"));
	EXPECT_NOT_NULL(strstr(state_reason(&base_state), "module integrity"));
}

TEST(a_changed_library_is_an_error)
{
	const char *daemon, *library;

	base_open_crypto();
	daemon = vouched_file("daemon");
	library = vouched_file("library");
	base_write(library, "a progrbm", 9, 0755);
	post_run(base_crypto, daemon, library, false, &report);
	EXPECT_EQ(report.results[0], POST_FAILED);
	EXPECT_EQ(state_get(&base_state), STATE_ERROR);
}

TEST(a_missing_sidecar_is_an_error_only_when_required)
{
	const char *path = base_path("daemon");

	base_open_crypto();
	base_write(path, "a program", 9, 0755);
	post_run(base_crypto, path, "", false, &report);
	EXPECT_EQ(report.results[0], POST_SKIPPED);
	EXPECT_EQ(report.failed, 0);
	EXPECT_EQ(state_get(&base_state), STATE_OPERATIONAL);
	post_run(base_crypto, path, "", true, &report);
	EXPECT_EQ(report.results[0], POST_FAILED);
	EXPECT_EQ(state_get(&base_state), STATE_ERROR);
}

/* One that is damaged is an error although the other one only lacks its sidecar. */
TEST(missing_does_not_hide_damaged)
{
	const char *daemon = base_path("daemon"), *library;

	base_open_crypto();
	library = vouched_file("library");
	base_write(daemon, "a program", 9, 0755);
	base_write(library, "a progrbm", 9, 0755);
	post_run(base_crypto, daemon, library, false, &report);
	EXPECT_EQ(report.results[0], POST_FAILED);
}

TEST(a_line_for_each_and_a_summary)
{
	const char *daemon, *log;

	base_open_crypto();
	daemon = vouched_file("daemon");
	log = capture_log();
	post_run(base_crypto, daemon, "", true, &report);
	EXPECT_EQ(count_lines(log, "self-test SHA-256: ok\n"), 1);
	EXPECT_EQ(count_lines(log, "self-test HMAC-DRBG: ok\n"), 1);
	EXPECT_EQ(count_lines(log, "self-test ML-DSA-44: unavailable: "), has_pqc() ? 0 : 1);
	EXPECT_EQ(count_lines(log, "self-test summary: "), 1);
	for (unsigned int i = 0; i < POST_COUNT; i++) {
		char line[80];

		snprintf(line, sizeof(line), "self-test %s: ", post_name(i));
		EXPECT_EQ(count_lines(log, line), 1);
	}
}

TEST(a_failure_is_logged_with_its_reason)
{
	const char *daemon, *log;

	base_open_crypto();
	daemon = vouched_file("daemon");
	base_write(daemon, "a progrbm", 9, 0755);
	log = capture_log();
	post_run(base_crypto, daemon, "", true, &report);
	EXPECT_EQ(count_lines(log, "error: self-test module integrity: FAILED: "), 1);
	EXPECT_EQ(count_lines(log, "error: error state: self-test failed: module integrity"), 1);
}

TEST(results_have_names)
{
	EXPECT_STREQ(post_result_name(POST_NOT_RUN), "not run");
	EXPECT_STREQ(post_result_name(POST_OK), "ok");
	EXPECT_STREQ(post_result_name(POST_FAILED), "FAILED");
	EXPECT_STREQ(post_result_name(POST_UNAVAILABLE), "unavailable");
	EXPECT_STREQ(post_result_name(POST_SKIPPED), "skipped");
}

HARNESS_MAIN
