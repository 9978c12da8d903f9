/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the clocks and turns seconds into dates. It decides nothing: what a date means for a key is
 * policy.c's business, what a step means the caller's.
 */
#include "clock.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_SECOND   1000000000ll
#define SECONDS_PER_DAY 86400

static int64_t read_ns(clockid_t id)
{
	struct timespec now;

	/* Neither clock can fail on Linux with a valid address; a zero would only make a key look
	 * inactive. */
	if (clock_gettime(id, &now))
		return 0;
	return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
	return (uint64_t)read_ns(CLOCK_MONOTONIC);
}

int64_t clock_wall_ns(void)
{
	return read_ns(CLOCK_REALTIME);
}

static int64_t present_offset(void)
{
	return read_ns(CLOCK_REALTIME) - read_ns(CLOCK_MONOTONIC);
}

void clock_init(struct clock *clock)
{
	memset(clock, 0, sizeof(*clock));
	atomic_store(&clock->day, -1);
	atomic_store(&clock->offset_ns, present_offset());
}

static void two_digits(char *out, int value)
{
	out[0] = (char)('0' + value / 10 % 10);
	out[1] = (char)('0' + value % 10);
}

static void write_date(char out[8], const struct tm *utc)
{
	int year = utc->tm_year + 1900;

	two_digits(out, year / 100);
	two_digits(out + 2, year % 100);
	two_digits(out + 4, utc->tm_mon + 1);
	two_digits(out + 6, utc->tm_mday);
}

/* gmtime_r once a day; in between two atomic loads. Racing threads compute the same value. */
void clock_today(struct clock *clock, char date[8])
{
	time_t now = (time_t)(clock_wall_ns() / NS_PER_SECOND);
	int64_t day = now / SECONDS_PER_DAY;
	uint64_t packed;
	struct tm utc;

	if (atomic_load_explicit(&clock->day, memory_order_acquire) == day) {
		packed = atomic_load_explicit(&clock->date, memory_order_relaxed);
		memcpy(date, &packed, sizeof(packed));
		return;
	}
	gmtime_r(&now, &utc);
	write_date(date, &utc);
	/* The day is taken back first, so that nobody pairs the new day with the old date or the
	 * reverse. */
	atomic_store_explicit(&clock->day, -1, memory_order_release);
	memcpy(&packed, date, sizeof(packed));
	atomic_store_explicit(&clock->date, packed, memory_order_relaxed);
	atomic_store_explicit(&clock->day, day, memory_order_release);
}

bool clock_check(struct clock *clock, int64_t *step_ns)
{
	int64_t now = present_offset();
	int64_t step = now - atomic_exchange(&clock->offset_ns, now);

	if (llabs(step) <= CLOCK_STEP_LIMIT_NS)
		return false;
	atomic_store(&clock->last_step_ns, step);
	atomic_fetch_add(&clock->steps, 1);
	*step_ns = step;
	return true;
}

void clock_utc_time(char text[16])
{
	time_t now = time(NULL);
	struct tm utc;

	gmtime_r(&now, &utc);
	write_date(text, &utc);
	two_digits(text + 8, utc.tm_hour);
	two_digits(text + 10, utc.tm_min);
	two_digits(text + 12, utc.tm_sec);
	two_digits(text + 14, 0);
}
