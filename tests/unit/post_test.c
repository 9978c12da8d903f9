/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The power-on self-tests on the real crypto, and what the integrity test of temporary files makes
 * of the state.
 */
#include "base_fixture.h"
#include "post.h"
#include "wire/integrity.h"

static const char *binary, *library;

static void open_in_post(void)
{
	base_open_memory();
	state_init(&base_state);
	ASSERT_EQ(crypto_open(&base_crypto, &base_state, base_error, sizeof(base_error)), 0);
}

static void make_files(void)
{
	binary = base_path("daemon");
	library = base_path("library");
	base_write(binary, "the daemon", 10, 0755);
	base_write(library, "the library", 11, 0755);
	ASSERT_EQ(integrity_write_sidecar(binary), 0);
	ASSERT_EQ(integrity_write_sidecar(library), 0);
}

static void check_sums(const struct post_report *report)
{
	unsigned int counts[POST_SKIPPED + 1] = {0};

	for (unsigned int i = 0; i < POST_COUNT; i++)
		counts[report->results[i]]++;
	EXPECT_EQ(counts[POST_NOT_RUN], 0);
	EXPECT_EQ(report->passed, counts[POST_OK]);
	EXPECT_EQ(report->failed, counts[POST_FAILED]);
	EXPECT_EQ(report->unavailable, counts[POST_UNAVAILABLE]);
}

TEST(all_pass)
{
	struct post_report report;

	memset(&report, 0xff, sizeof(report));
	open_in_post();
	make_files();
	post_run(base_crypto, binary, library, true, &report);
	for (unsigned int i = 0; i < POST_COUNT; i++) {
		if (report.results[i] == POST_OK || report.results[i] == POST_UNAVAILABLE)
			continue;
		printf("# %s: %s\n", post_name(i), post_result_name(report.results[i]));
		EXPECT_TRUE(false);
	}
	check_sums(&report);
	EXPECT_EQ(report.failed, 0);
	EXPECT_EQ(report.passed + report.unavailable, POST_COUNT);
	EXPECT_LE(report.unavailable, 3); /* the post-quantum algorithms of OpenSSL 3.5 */
	EXPECT_EQ(state_get(&base_state), STATE_POST); /* the caller says when it is ready */
	EXPECT_STREQ(state_reason(&base_state), "");
}

TEST(runs_again)
{
	struct post_report first, second;

	open_in_post();
	make_files();
	post_run(base_crypto, binary, library, true, &first);
	post_run(base_crypto, binary, library, true, &second);
	EXPECT_MEMEQ(&first, &second, sizeof(first));
}

TEST(names_differ)
{
	EXPECT_STREQ(post_name(0), "module integrity");
	for (unsigned int i = 0; i < POST_COUNT; i++) {
		ASSERT_GT(strlen(post_name(i)), 0);
		for (unsigned int j = 0; j < i; j++)
			EXPECT_NE(strcmp(post_name(i), post_name(j)), 0);
	}
	EXPECT_STREQ(post_result_name(POST_NOT_RUN), "not run");
	EXPECT_STREQ(post_result_name(POST_OK), "ok");
	EXPECT_STREQ(post_result_name(POST_FAILED), "FAILED");
	EXPECT_STREQ(post_result_name(POST_UNAVAILABLE), "unavailable");
	EXPECT_STREQ(post_result_name(POST_SKIPPED), "skipped");
}

/* Runs with files prepared by `spoil`; the result of the integrity test and the state. */
static void expect(void (*spoil)(void), bool required, enum post_result result)
{
	enum state_value state = result == POST_FAILED ? STATE_ERROR : STATE_POST;
	struct post_report report;

	state_init(&base_state);
	make_files();
	spoil();
	post_run(base_crypto, binary, library, required, &report);
	EXPECT_EQ(report.results[0], result);
	EXPECT_EQ(report.failed, result == POST_FAILED);
	check_sums(&report);
	EXPECT_EQ(state_get(&base_state), state);
	EXPECT_STREQ(state_reason(&base_state),
	             state == STATE_ERROR ? "self-test failed: module integrity" : "");
}

static void nothing(void)
{
}

static void no_library(void)
{
	library = "";
}

static void lose_binary_sidecar(void)
{
	ASSERT_EQ(unlink(base_path("daemon.hmac")), 0);
}

static void lose_library_sidecar(void)
{
	ASSERT_EQ(unlink(base_path("library.hmac")), 0);
}

static void change_binary(void)
{
	base_write(binary, "the demon", 9, 0755);
}

static void change_library(void)
{
	base_write(library, "the lisbrary", 12, 0755);
}

static void cut_sidecar(void)
{
	ASSERT_EQ(truncate(base_path("library.hmac"), 10), 0);
}

/* The first has no sidecar; the change of the second must still be seen. */
static void lose_one_change_other(void)
{
	lose_binary_sidecar();
	change_library();
}

static void lose_file(void)
{
	ASSERT_EQ(unlink(binary), 0);
}

TEST(integrity_decides)
{
	static const struct {
		void (*spoil)(void);
		enum post_result required, optional;
	} rows[] = {
		{nothing, POST_OK, POST_OK},
		{no_library, POST_OK, POST_OK},
		{lose_binary_sidecar, POST_FAILED, POST_SKIPPED},
		{lose_library_sidecar, POST_FAILED, POST_SKIPPED},
		{change_binary, POST_FAILED, POST_FAILED},
		{change_library, POST_FAILED, POST_FAILED},
		{cut_sidecar, POST_FAILED, POST_FAILED},
		{lose_one_change_other, POST_FAILED, POST_FAILED},
		{lose_file, POST_FAILED, POST_FAILED},
	};

	open_in_post();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		printf("# row %zu\n", i);
		expect(rows[i].spoil, true, rows[i].required);
		expect(rows[i].spoil, false, rows[i].optional);
	}
}

/* A failure puts an operational module into ERROR, too; an earlier reason stays. */
TEST(failure_stops_an_operational_module)
{
	struct post_report report;

	base_open_crypto();
	make_files();
	change_binary();
	post_run(base_crypto, binary, library, true, &report);
	EXPECT_EQ(state_get(&base_state), STATE_ERROR);
	state_init(&base_state);
	state_fail(&base_state, "earlier");
	post_run(base_crypto, binary, library, true, &report);
	EXPECT_GE(report.failed, 1); /* no random numbers in ERROR: signing fails, too */
	EXPECT_STREQ(state_reason(&base_state), "earlier");
}

HARNESS_MAIN
