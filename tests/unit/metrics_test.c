/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is counted, as it is shown: no sample twice, each duration in the bucket whose bound it does
 * not exceed, and nothing lost between threads.
 */
#include <pthread.h>

#include "harness.h"

#include "agent.h"
#include "application.h"
#include "metrics.h"
#include "worker.h"

enum place {
#define MESSAGE(opcode, name, function, limit) AT_##name,
#define REQUEST_FIELD(kind, name, text)
#define REPLY_FIELD(kind, name, text)
#define END_MESSAGE
#include "wire/message.def"
#undef MESSAGE
#undef REQUEST_FIELD
#undef REPLY_FIELD
#undef END_MESSAGE
	PLACES,
};

/* The page of an agent that has nothing but its counters. The caller frees it. */
static char *write_page(void)
{
	struct application_list applications = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct agent agent = {.applications = &applications};
	char *text = NULL;
	size_t text_len;
	FILE *file = open_memstream(&text, &text_len);

	if (!file || workers_start(&agent.workers, 1))
		abort();
	metrics_write(&agent, file);
	workers_stop(agent.workers);
	fclose(file);
	return text;
}

/* The value of a sample, -1 when it is not there, -2 when it is there twice. */
static double value_of(const char *page, const char *sample)
{
	size_t len = strlen(sample);
	double value = -1;

	for (const char *line = page; *line; line = strchr(line, '\n') + 1) {
		if (strncmp(line, sample, len) != 0 || line[len] != ' ')
			continue;
		if (value >= 0)
			return -2;
		value = strtod(line + len, NULL);
	}
	return value;
}

#define CALLS(function, result)                                                                    \
	"craton_hsm_operations_total{function=\"" function "\",result=\"" result "\"}"
#define BUCKET(bound)                                                                              \
	"craton_hsm_operation_duration_seconds_bucket{function=\"C_Sign\",le=\"" bound "\"}"

static void count(unsigned int place, enum err err, uint64_t duration_ns)
{
	metrics_count(place, CK_UNAVAILABLE_INFORMATION, err, duration_ns);
}

TEST(messages_of_one_function_are_one_sample)
{
	char *page;

	count(AT_backup_begin, ERROR_NONE, 1);
	count(AT_backup_next, ERROR_NONE, 1);
	count(AT_backup_next, ERROR_NONE, 1);
	count(AT_backup_next, ERROR_STORE, 1);
	page = write_page();
	EXPECT_EQ(value_of(page, CALLS("(backup)", "ok")), 3);
	EXPECT_EQ(value_of(page, CALLS("(backup)", "failed")), 1);
	EXPECT_EQ(value_of(page,
	                   "craton_hsm_operation_duration_seconds_count{function=\"(backup)\"}"),
	          4);
	free(page);
}

/* Whatever is counted, no line's sample comes again. */
TEST(no_sample_comes_twice)
{
	char *page;

	for (unsigned int i = 0; i < PLACES; i++)
		metrics_count(i, CKM_ECDSA, ERROR_NONE, 1);
	page = write_page();
	for (const char *line = page; *line; line = strchr(line, '\n') + 1) {
		char sample[256];

		if (*line == '#')
			continue;
		snprintf(sample, sizeof(sample), "%.*s", (int)strcspn(line, "\n"), line);
		*strrchr(sample, ' ') = '\0';
		if (value_of(page, sample) < 0)
			fprintf(stderr, "# %s\n", sample);
		EXPECT_TRUE(value_of(page, sample) >= 0);
	}
	free(page);
}

TEST(a_bound_belongs_to_its_bucket)
{
	static const struct {
		uint64_t duration_ns;
		double up_to_1us, up_to_4us, up_to_16us; /* after it */
	} steps[] = {
		{0, 1, 1, 1},    {1000, 2, 2, 2},  {1001, 2, 3, 3},
		{1999, 2, 4, 4}, {4000, 2, 5, 5},  {4001, 2, 5, 6},
		{4999, 2, 5, 7}, {16000, 2, 5, 8}, {16001, 2, 5, 8},
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		char *page;

		count(AT_sign, ERROR_NONE, steps[i].duration_ns);
		page = write_page();
		EXPECT_EQ(value_of(page, BUCKET("1e-06")), steps[i].up_to_1us);
		EXPECT_EQ(value_of(page, BUCKET("4e-06")), steps[i].up_to_4us);
		EXPECT_EQ(value_of(page, BUCKET("1.6e-05")), steps[i].up_to_16us);
		EXPECT_EQ(value_of(page, BUCKET("+Inf")), i + 1);
		free(page);
	}
}

TEST(the_longest)
{
	char *page;

	count(AT_sign, ERROR_NONE, 4194304000);
	count(AT_sign, ERROR_NONE, 4194304001);
	count(AT_sign, ERROR_NONE, UINT64_MAX);
	page = write_page();
	EXPECT_EQ(value_of(page, BUCKET("4.194304")), 1);
	EXPECT_EQ(value_of(page, BUCKET("+Inf")), 3);
	free(page);
}

TEST(whose_doing)
{
	char *page;

	count(AT_login, ERROR_PIN_INCORRECT, 1);
	count(AT_login, ERROR_PIN_RATE_LIMITED, 1);
	count(AT_login, ERROR_AUDIT, 1);
	count(AT_login, ERROR_CRYPTO, 1);
	count(AT_login, ERROR_STORE_FULL, 1);
	count(AT_login, ERROR_BUFFER_TOO_SMALL, 1);
	page = write_page();
	EXPECT_EQ(value_of(page, CALLS("C_Login", "ok")), 1);
	EXPECT_EQ(value_of(page, CALLS("C_Login", "refused")), 2);
	EXPECT_EQ(value_of(page, CALLS("C_Login", "failed")), 3);
	free(page);
}

/* Mechanisms that clients make up take no room. */
TEST(mechanisms_without_a_name)
{
	char *page;

	for (uint64_t i = 0; i < 5000; i++)
		metrics_count(AT_sign_init, 0xdead0000u + i, ERROR_MECHANISM, 1);
	metrics_count(AT_sign, CKM_ECDSA, ERROR_NONE, 1);
	page = write_page();
	EXPECT_EQ(value_of(page, "craton_hsm_mechanism_operations_total{mechanism=\"CKM_ECDSA\","
	                         "result=\"ok\"}"),
	          1);
	EXPECT_TRUE(!strstr(page, "(null)"));
	free(page);
}

#define THREADS 4u
#define NOTES   20000u

static void *count_many(void *unused)
{
	(void)unused;
	for (unsigned int i = 0; i < NOTES; i++)
		metrics_count(AT_verify, CKM_ECDSA, ERROR_NONE, i);
	return NULL;
}

TEST(threads_that_have_ended_have_counted)
{
	pthread_t threads[THREADS];
	char *page;

	for (unsigned int i = 0; i < THREADS; i++)
		ASSERT_EQ(pthread_create(&threads[i], NULL, count_many, NULL), 0);
	free(write_page()); /* while they count */
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	page = write_page();
	EXPECT_EQ(value_of(page, CALLS("C_Verify", "ok")), THREADS * NOTES);
	free(page);
}

HARNESS_MAIN
