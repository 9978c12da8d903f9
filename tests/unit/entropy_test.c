/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The health tests of SP 800-90B find what they are for at their cutoffs, not one sample before.
 */
#include "entropy.h"
#include "harness.h"

TEST(repetition_at_its_cutoff)
{
	uint8_t samples[ENTROPY_REPETITION_CUTOFF];
	struct entropy_tests tests = {0};

	memset(samples, 0x42, sizeof(samples));
	ASSERT_NULL(entropy_test(&tests, samples, ENTROPY_REPETITION_CUTOFF - 1));
	ASSERT_STREQ(entropy_test(&tests, samples, 1), "repetition count");
}

TEST(repetition_starts_again)
{
	struct entropy_tests tests = {0};

	/* Six in a row, again and again: never seven. Few enough of each not to be a matter of
	 * proportion. */
	for (int value = 0; value < 200; value++) {
		uint8_t samples[ENTROPY_REPETITION_CUTOFF - 1];

		memset(samples, value, sizeof(samples));
		ASSERT_NULL(entropy_test(&tests, samples, sizeof(samples)));
	}
}

/* A window whose first sample occurs `count` times in all, never twice in a row. */
static const char *test_window(uint32_t count)
{
	struct entropy_tests tests = {0};
	uint8_t samples[ENTROPY_WINDOW_LEN];

	for (uint32_t i = 0; i < ENTROPY_WINDOW_LEN; i++)
		samples[i] = i % 2 == 0 && i / 2 < count ? 0xaa : (uint8_t)(i % 64);
	return entropy_test(&tests, samples, sizeof(samples));
}

TEST(proportion_at_its_cutoff)
{
	ASSERT_NULL(test_window(ENTROPY_PROPORTION_CUTOFF - 1));
	ASSERT_STREQ(test_window(ENTROPY_PROPORTION_CUTOFF), "adaptive proportion");
}

TEST(windows_are_separate)
{
	struct entropy_tests tests = {0};
	uint8_t samples[ENTROPY_WINDOW_LEN];

	for (int window = 0; window < 4; window++) {
		for (uint32_t i = 0; i < ENTROPY_WINDOW_LEN; i++)
			samples[i] = i % 2 == 0 && i / 2 < ENTROPY_PROPORTION_CUTOFF - 1
			                     ? 0xaa
			                     : (uint8_t)(i % 64);
		ASSERT_NULL(entropy_test(&tests, samples, sizeof(samples)));
	}
}

TEST(the_source_is_healthy)
{
	struct entropy source;
	uint8_t a[64], b[64];

	ASSERT_TRUE(entropy_start(&source));
	for (int i = 0; i < 2000; i++)
		ASSERT_TRUE(entropy_get(&source, a, sizeof(a)));
	ASSERT_TRUE(entropy_get(&source, b, sizeof(b)));
	ASSERT_NE(memcmp(a, b, sizeof(a)), 0);
}

TEST(a_failure_is_final)
{
	uint8_t stuck[ENTROPY_REPETITION_CUTOFF] = {0}, octets[32];
	struct entropy source;

	ASSERT_TRUE(entropy_start(&source));
	source.failure = entropy_test(&source.tests, stuck, sizeof(stuck));
	source.failed = source.failure != NULL;
	ASSERT_TRUE(source.failed);
	for (int i = 0; i < 3; i++) {
		memset(octets, 1, sizeof(octets));
		ASSERT_FALSE(entropy_get(&source, octets, sizeof(octets)));
		for (size_t at = 0; at < sizeof(octets); at++)
			ASSERT_EQ(octets[at], 0);
	}
}

HARNESS_MAIN
