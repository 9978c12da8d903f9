/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the 17 tests and reports them. The integrity test comes first: an answer of a changed
 * program proves nothing.
 */
#include "post.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "post_tests.h"
#include "wire/integrity.h"

_Static_assert(POST_COUNT == POST_TEST_COUNT + 1, "integrity and the algorithm tests");

#define INTEGRITY_NAME "module integrity"

const char *post_name(unsigned int index)
{
	return index ? post_tests[index - 1].name : INTEGRITY_NAME;
}

const char *post_result_name(enum post_result result)
{
	static const char *const names[] = {"not run", "ok", "FAILED", "unavailable", "skipped"};

	return names[result];
}

static void note(struct post_report *report, unsigned int index, enum post_result result,
                 const char *why)
{
	const char *name = post_name(index);

	report->results[index] = result;
	report->passed += result == POST_OK;
	report->failed += result == POST_FAILED;
	report->unavailable += result == POST_UNAVAILABLE;
	switch (result) {
	case POST_OK:
		log_info("self-test %s: ok", name);
		break;
	case POST_FAILED:
		log_error("self-test %s: FAILED: %s", name, why);
		break;
	case POST_SKIPPED:
		log_warning("self-test %s: skipped: %s", name, why);
		break;
	default:
		log_notice("self-test %s: %s: %s", name, post_result_name(result), why);
		break;
	}
}

/* A test build can spoil one known answer, to see that it would be noticed. */
static uint8_t flip_for(const char *name)
{
#ifdef CRATON_TEST_HOOKS
	const char *broken = getenv("CRATON_TEST_POST_BREAK");

	return broken && !strcmp(broken, name);
#else
	(void)name;
	return 0;
#endif
}

/* NULL: fine. *missing is set when there is no sidecar to compare with. */
static const char *check_file(const char *path, bool *missing)
{
	enum integrity_result result;

	result = integrity_check_file(path);
	if (result == INTEGRITY_OK)
		return NULL;
	if (result == INTEGRITY_MISSING)
		*missing = true;
	return integrity_result_name(result);
}

/* The library may be absent; a daemon that cannot tell its own file cannot vouch for it. */
static void test_integrity(struct post_report *report, const char *const paths[2], bool required)
{
	bool missing = false, failed = false;
	char why[300] = "";

	for (int i = 0; i < 2 && !failed; i++) {
		bool this_missing = false;
		const char *problem =
			i == 1 && !*paths[i] ? NULL : check_file(paths[i], &this_missing);

		if (flip_for(INTEGRITY_NAME))
			problem = integrity_result_name(INTEGRITY_MISMATCH);
		if (!problem)
			continue;
		snprintf(why, sizeof(why), "%s: %s", *paths[i] ? paths[i] : "this daemon's file",
		         problem);
		missing |= this_missing;
		failed = !this_missing || required;
	}
	if (failed)
		note(report, 0, POST_FAILED, why);
	else if (missing)
		note(report, 0, POST_SKIPPED, why);
	else
		note(report, 0, POST_OK, NULL);
}

static void test_algorithm(struct post_report *report, struct crypto *crypto, unsigned int index)
{
	const struct post_test *test = &post_tests[index - 1];
	const char *problem;

	/* Asking for an algorithm that is not there is no error to report. */
	ERR_set_mark();
	problem = test->run(crypto, flip_for(test->name));
	if (problem && problem != POST_TEST_UNAVAILABLE)
		ERR_clear_last_mark();
	else
		ERR_pop_to_mark();
	if (!problem)
		note(report, index, POST_OK, NULL);
	else if (problem == POST_TEST_UNAVAILABLE)
		note(report, index, POST_UNAVAILABLE, problem);
	else
		note(report, index, POST_FAILED, problem);
}

static void list_failed(const struct post_report *report, char *names, size_t names_len)
{
	size_t used = 0;

	for (unsigned int i = 0; i < POST_COUNT && used < names_len; i++) {
		if (report->results[i] == POST_FAILED)
			used += (size_t)snprintf(names + used, names_len - used, "%s%s",
			                         used ? ", " : "", post_name(i));
	}
}

void post_run(struct crypto *crypto, const char *binary_path, const char *library_path,
              bool require_integrity, struct post_report *report)
{
	const char *const paths[2] = {binary_path, library_path};
	char failed[128] = "";

	memset(report, 0, sizeof(*report));
	test_integrity(report, paths, require_integrity);
	for (unsigned int i = 1; i < POST_COUNT; i++)
		test_algorithm(report, crypto, i);
	crypto_log_errors("self-test");
	log_notice("self-test summary: %u passed, %u failed, %u unavailable of %d", report->passed,
	           report->failed, report->unavailable, POST_COUNT);
	list_failed(report, failed, sizeof(failed));
	if (report->failed)
		state_fail(crypto->state, "self-test failed: %s", failed);
}
