/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dates and the watch over clock steps, on clocks of the test's own: clock_gettime and time are
 * defined here.
 */
#include <pthread.h>
#include <time.h>

#include "harness.h"

#include "clock.h"

#define SECOND 1000000000ll
#define MS     1000000ll

static _Atomic int64_t wall_ns, monotonic_ns = 77 * SECOND;

int clock_gettime(clockid_t id, struct timespec *now)
{
	int64_t ns = atomic_load(id == CLOCK_REALTIME ? &wall_ns : &monotonic_ns);

	now->tv_sec = ns / SECOND;
	now->tv_nsec = ns % SECOND;
	return 0;
}

time_t time(time_t *now)
{
	time_t seconds = atomic_load(&wall_ns) / SECOND;

	if (now)
		*now = seconds;
	return seconds;
}

static const struct {
	int64_t seconds;
	const char *date, *utc;
} moments[] = {
	{0, "19700101", "1970010100000000"},          {86399, "19700101", "1970010123595900"},
	{86400, "19700102", "1970010200000000"},      {946684799, "19991231", "1999123123595900"},
	{946684800, "20000101", "2000010100000000"},  {951782400, "20000229", "2000022900000000"},
	{1709251199, "20240229", "2024022923595900"}, {1709251200, "20240301", "2024030100000000"},
	{1781524800, "20260615", "2026061512000000"}, {2147483647, "20380119", "2038011903140700"},
	{2147483648, "20380119", "2038011903140800"}, {4107542399, "21000228", "2100022823595900"},
	{4107542400, "21000301", "2100030100000000"},
};
#define MOMENTS (sizeof(moments) / sizeof(moments[0]))

static void expect_date(struct clock *clock, const char *wanted)
{
	char date[9] = "........";

	clock_today(clock, date);
	EXPECT_STREQ(date, wanted); /* the ninth octet is untouched */
}

TEST(reads_the_clocks)
{
	atomic_store(&wall_ns, 5 * SECOND + 7);
	EXPECT_EQ(clock_wall_ns(), 5 * SECOND + 7);
	EXPECT_EQ(clock_monotonic_ns(), 77u * SECOND);
}

TEST(dates)
{
	for (size_t i = 0; i < MOMENTS; i++) {
		struct clock clock;

		atomic_store(&wall_ns, moments[i].seconds * SECOND);
		clock_init(&clock);
		expect_date(&clock, moments[i].date);
		expect_date(&clock, moments[i].date); /* from memory */
	}
}

/* One clock through all of them, forth and back: what is remembered is of one day only. */
TEST(date_changes)
{
	struct clock clock;

	clock_init(&clock);
	for (size_t i = 0; i < 2 * MOMENTS; i++) {
		size_t at = i < MOMENTS ? i : 2 * MOMENTS - 1 - i;

		atomic_store(&wall_ns, moments[at].seconds * SECOND + SECOND - 1);
		expect_date(&clock, moments[at].date);
	}
}

TEST(zone_does_not_matter)
{
	struct clock clock;

	setenv("TZ", "Pacific/Kiritimati", 1);
	tzset();
	atomic_store(&wall_ns, 86399 * SECOND);
	clock_init(&clock);
	expect_date(&clock, "19700101");
}

TEST(utc_time)
{
	for (size_t i = 0; i < MOMENTS; i++) {
		char text[17] = "................";

		atomic_store(&wall_ns, moments[i].seconds * SECOND);
		clock_utc_time(text);
		EXPECT_STREQ(text, moments[i].utc);
	}
}

/* Both clocks go on; the wall clock by `step` more. */
static bool step(struct clock *clock, int64_t step_ns, int64_t *seen)
{
	atomic_fetch_add(&monotonic_ns, SECOND);
	atomic_fetch_add(&wall_ns, SECOND + step_ns);
	return clock_check(clock, seen);
}

TEST(steps)
{
	static const struct {
		int64_t step;
		bool seen;
	} rows[] = {
		{0, false},
		{1, false},
		{99 * MS, false},
		{100 * MS, false},
		{-100 * MS, false},
		{100 * MS + 1, true},
		{-100 * MS - 1, true},
		{3600 * SECOND, true},
		{-3600 * SECOND, true},
		{0, false},
	};
	struct clock clock;
	uint64_t steps = 0;

	atomic_store(&wall_ns, 1781524800 * SECOND);
	clock_init(&clock);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t seen = 42;

		EXPECT_EQ(step(&clock, rows[i].step, &seen), rows[i].seen);
		EXPECT_EQ(seen, rows[i].seen ? rows[i].step : 42);
		steps += rows[i].seen;
		EXPECT_EQ(atomic_load(&clock.steps), steps);
		if (rows[i].seen)
			EXPECT_EQ(atomic_load(&clock.last_step_ns), rows[i].step);
	}
}

static atomic_bool done;

/* Whatever date is read is a whole one of the two. */
static void *read_dates(void *argument)
{
	struct clock *clock = argument;
	uintptr_t wrong = 0;
	char date[8];

	while (!atomic_load(&done)) {
		clock_today(clock, date);
		wrong += memcmp(date, "20240229", 8) && memcmp(date, "20240301", 8);
	}
	return (void *)wrong;
}

TEST(readers_over_midnight)
{
	pthread_t threads[4];
	struct clock clock;

	atomic_store(&wall_ns, 1709251199 * SECOND);
	clock_init(&clock);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(pthread_create(&threads[i], NULL, read_dates, &clock), 0);
	for (int i = 0; i < 200000; i++)
		atomic_store(&wall_ns, (1709251199 + i % 2) * SECOND);
	atomic_store(&done, true);
	for (int i = 0; i < 4; i++) {
		void *wrong;

		ASSERT_EQ(pthread_join(threads[i], &wrong), 0);
		EXPECT_NULL(wrong);
	}
}

HARNESS_MAIN
