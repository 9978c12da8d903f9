/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the kernel's generator and looks at every octet. Not thread-safe: each user has its own or
 * a lock.
 */
#include "entropy.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "wire/buffer.h"

static bool repeats_too_often(struct entropy_tests *tests, uint8_t sample)
{
	if (tests->started && sample == tests->last)
		return ++tests->repetitions >= ENTROPY_REPETITION_CUTOFF;
	tests->last = sample;
	tests->repetitions = 1;
	return false;
}

static bool occurs_too_often(struct entropy_tests *tests, uint8_t sample)
{
	if (tests->seen == 0) {
		tests->first = sample;
		tests->occurrences = 0;
	}
	tests->occurrences += sample == tests->first;
	tests->seen = (tests->seen + 1) % ENTROPY_WINDOW_LEN;
	return tests->occurrences >= ENTROPY_PROPORTION_CUTOFF;
}

const char *entropy_test(struct entropy_tests *tests, const uint8_t *samples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bool repeats = repeats_too_often(tests, samples[i]);
		bool occurs = occurs_too_often(tests, samples[i]);

		tests->started = true;
		if (repeats)
			return "repetition count";
		if (occurs)
			return "adaptive proportion";
	}
	return NULL;
}

#ifdef CRATON_TEST_HOOKS
/* A test build can make the source fail while it runs: as long as the file exists, samples are
 * stuck. */
static void stick(uint8_t *octets, size_t len)
{
	const char *path = getenv("CRATON_TEST_ENTROPY_FAIL_FILE");

	if (path && !access(path, F_OK)) {
		for (size_t i = 0; i < len; i++)
			octets[i] = 0x55;
	}
}
#else
#define stick(octets, len) ((void)0)
#endif

static bool read_source(uint8_t *octets, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t more = getrandom(octets + got, len - got, 0);

		if (more < 0 && errno != EINTR)
			return false;
		got += more > 0 ? (size_t)more : 0;
	}
	stick(octets, len);
	return true;
}

bool entropy_get(struct entropy *entropy, uint8_t *octets, size_t len)
{
	if (!entropy->failed) {
		entropy->failure = read_source(octets, len)
		                           ? entropy_test(&entropy->tests, octets, len)
		                           : "getrandom";
		entropy->failed = entropy->failure != NULL;
	}
	if (entropy->failed)
		wire_wipe(octets, len);
	return !entropy->failed;
}

bool entropy_check(struct entropy *entropy)
{
	uint8_t samples[ENTROPY_STARTUP_SAMPLES];
	bool healthy = entropy_get(entropy, samples, sizeof(samples));

	wire_wipe(samples, sizeof(samples));
	return healthy;
}

bool entropy_start(struct entropy *entropy)
{
	*entropy = (struct entropy){0};
	return entropy_check(entropy);
}
