/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Latencies in logarithmic buckets: 64 per power of two, so that a percentile is off by less than
 * 1.6 percent, in a fixed size that workers fill without locks and the parent adds up.
 */
#ifndef TESTS_BENCH_HISTOGRAM_H
#define TESTS_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_FINE    6u
#define HISTOGRAM_OCTAVES 36u /* above an hour in nanoseconds */
#define HISTOGRAM_BUCKETS (HISTOGRAM_OCTAVES << HISTOGRAM_FINE)

struct histogram {
	uint64_t count;
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

/* Values below 64 have a bucket each; above, the top bit chooses the octave and the next six the
 * bucket in it. */
static inline unsigned int histogram_index(uint64_t ns)
{
	unsigned int top, index;

	if (ns < 1u << HISTOGRAM_FINE)
		return (unsigned int)ns;
	top = 63u - (unsigned int)__builtin_clzll(ns);
	index = ((top - HISTOGRAM_FINE) << HISTOGRAM_FINE) +
	        (unsigned int)(ns >> (top - HISTOGRAM_FINE));
	return index < HISTOGRAM_BUCKETS ? index : HISTOGRAM_BUCKETS - 1;
}

/* The smallest value that falls into a bucket. */
static inline double histogram_floor(unsigned int index)
{
	unsigned int octave = index >> HISTOGRAM_FINE;
	uint64_t fine = index & ((1u << HISTOGRAM_FINE) - 1);

	if (!octave)
		return (double)fine;
	return (double)(((1u << HISTOGRAM_FINE) + fine) << (octave - 1));
}

static inline void histogram_add(struct histogram *histogram, uint64_t ns)
{
	histogram->bucket[histogram_index(ns)]++;
	histogram->count++;
}

static inline void histogram_merge(struct histogram *into, const struct histogram *from)
{
	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
	into->count += from->count;
}

/* In nanoseconds, interpolated inside the bucket; 0 when nothing was counted. */
static inline double histogram_percentile(const struct histogram *histogram, double fraction)
{
	double rank = fraction * (double)histogram->count, below = 0;

	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		double here = (double)histogram->bucket[i];

		if (here > 0 && below + here >= rank) {
			double low = histogram_floor(i), high = histogram_floor(i + 1);

			return low + (high - low) * (rank - below) / here;
		}
		below += here;
	}
	return 0;
}

#endif
