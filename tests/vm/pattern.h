/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns to look for in places where a secret should not be. What the program keeps is masked, so
 * that the only plain copies are those that pattern_put() made, and none is its own.
 */
#ifndef TESTS_VM_PATTERN_H
#define TESTS_VM_PATTERN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#define PATTERN_WORDS 4
#define PATTERN_LEN   (PATTERN_WORDS * sizeof(uint64_t))

struct pattern {
	uint64_t masked[PATTERN_WORDS];
	unsigned int seen;
};

/* Read anew each time, so that no compiler unmasks a pattern ahead. */
static volatile uint64_t pattern_mask = 0x9d3f5b7ac6e18420;

static inline bool pattern_make(struct pattern *pattern)
{
	pattern->seen = 0;
	/* Different each time is enough; a machine that has just begun may lack what is better. */
	return getrandom(pattern->masked, PATTERN_LEN, GRND_INSECURE) == (ssize_t)PATTERN_LEN;
}

/* To an address of words; eight octets go through a register at a time. */
static inline void pattern_put(const struct pattern *pattern, void *to)
{
	for (int i = 0; i < PATTERN_WORDS; i++)
		((volatile uint64_t *)to)[i] = pattern->masked[i] ^ pattern_mask;
}

static inline void pattern_wipe(void *at)
{
	for (int i = 0; i < PATTERN_WORDS; i++)
		((volatile uint64_t *)at)[i] = 0;
}

static inline uint64_t pattern_word(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

static inline bool pattern_is_at(const struct pattern *pattern, const uint8_t *at, uint64_t mask)
{
	for (int i = 0; i < PATTERN_WORDS; i++) {
		if ((pattern_word(at + i * sizeof(uint64_t)) ^ mask) != pattern->masked[i])
			return false;
	}
	return true;
}

/* Counts what begins at a multiple of four octets, as a key within a blob does, and lies within. */
static inline void pattern_count(struct pattern *patterns, size_t count, const uint8_t *octets,
                                 size_t len)
{
	const uint64_t mask = pattern_mask;

	for (size_t at = 0; at + PATTERN_LEN <= len; at += sizeof(uint32_t)) {
		uint64_t word = pattern_word(octets + at) ^ mask;

		for (size_t i = 0; i < count; i++) {
			if (word == patterns[i].masked[0] &&
			    pattern_is_at(&patterns[i], octets + at, mask))
				patterns[i].seen++;
		}
	}
}

/* A file from here on, to its end or `len` octets; false when a read failed. */
static inline bool pattern_scan(struct pattern *patterns, size_t count, int file, uint64_t from,
                                uint64_t len)
{
	static uint8_t buffer[1 << 16] __attribute__((aligned(4096)));
	uint64_t end = from + len;
	ssize_t got = 1;

	while (from < end && got) {
		size_t want = end - from < sizeof(buffer) ? end - from : sizeof(buffer);

		got = pread(file, buffer, want, (off_t)from);
		if (got < 0)
			return false;
		pattern_count(patterns, count, buffer, got);
		from += got;
	}
	return true;
}

#endif
