/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power-on self-tests: module integrity and 16 algorithm tests, one table row each (BEHAVIOUR B1,
 * B2). Known answers are vectors from the standards named in the rows.
 */
#ifndef AGENT_POST_H
#define AGENT_POST_H

#include <stdbool.h>

#include "crypto.h"

#define POST_COUNT 17

enum post_result { POST_NOT_RUN, POST_OK, POST_FAILED, POST_UNAVAILABLE, POST_SKIPPED };

struct post_report {
	enum post_result results[POST_COUNT];
	unsigned int passed;
	unsigned int failed;
	unsigned int unavailable;
};

/*
 * Runs all of them, logs "self-test NAME: ok|FAILED: why|unavailable: why" for each and one summary
 * line. On a failure puts `crypto->state` in ERROR with the names. `binary_path` is this daemon's
 * file, `library_path` the client library's
 * ("" when it is not beside it); `require_integrity` makes a missing sidecar a failure, else a
 * warning.
 */
void post_run(struct crypto *crypto, const char *binary_path, const char *library_path,
              bool require_integrity, struct post_report *report);
/* "SHA-256" ... of row i. Static. */
const char *post_name(unsigned int index);
const char *post_result_name(enum post_result result);

#endif
