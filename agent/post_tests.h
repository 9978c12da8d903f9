/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The 16 algorithm tests. Each returns NULL when it passed, POST_TEST_UNAVAILABLE when OpenSSL has
 * no such algorithm, else what went wrong (static). `flip` is 0; a test build passes 1 to spoil the
 * known answer.
 */
#ifndef AGENT_POST_TESTS_H
#define AGENT_POST_TESTS_H

#include <stddef.h>
#include <stdint.h>

#include "crypto.h"

extern const char POST_TEST_UNAVAILABLE[];

struct post_test {
	const char *name;
	const char *(*run)(struct crypto *crypto, uint8_t flip);
};

#define POST_TEST_COUNT 16u
extern const struct post_test post_tests[POST_TEST_COUNT];

#endif
