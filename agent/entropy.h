/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entropy source: octets of getrandom(2) under the health tests of SP 800-90B §4.4 (repetition
 * count, adaptive proportion) and a start-up test of 1024 samples. A failure is permanent for the
 * source.
 */
#ifndef AGENT_ENTROPY_H
#define AGENT_ENTROPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A sample is an octet of claimed min-entropy H = 7 bits (full entropy, with a margin).
 * alpha = 2^-40.
 *   repetition count, 4.4.1:    C = 1 + ceil(40 / H) = 7
 *   adaptive proportion, 4.4.2: W = 512, C = 1 + CRITBINOM(512, 2^-7, 1 - 2^-40) = 26
 */
#define ENTROPY_REPETITION_CUTOFF 7u
#define ENTROPY_WINDOW_LEN        512u
#define ENTROPY_PROPORTION_CUTOFF 26u
#define ENTROPY_STARTUP_SAMPLES   1024u

/* The running tests. Zeroed is a fresh start. */
struct entropy_tests {
	bool started;
	uint8_t last; /* repetition count: the sample and how often in a row */
	uint32_t repetitions;
	uint8_t first; /* adaptive proportion: the window's first sample and how often */
	uint32_t seen, occurrences;
};

struct entropy {
	struct entropy_tests tests;
	bool failed;
	const char
		*failure; /* "repetition count", "adaptive proportion", "getrandom"; static; NULL */
};

/* Feeds samples; NULL, or the name of the test that failed. */
const char *entropy_test(struct entropy_tests *tests, const uint8_t *samples, size_t count);
/* Begins, with the start-up test. False when it failed. */
bool entropy_start(struct entropy *entropy);
/* The same 1024 samples more, on top of the running tests: before each seeding. False, for good,
 * when they failed. */
bool entropy_check(struct entropy *entropy);
/* Fills `octets` with tested samples. False, for good, when the source failed; the octets are then
 * wiped. */
bool entropy_get(struct entropy *entropy, uint8_t *octets, size_t len);

#endif
