/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time: today's date in UTC for key lifetimes, and the watch over steps of the wall clock
 * (BEHAVIOUR B12). A step is a change of wall minus monotonic time by more than 100 ms between two
 * looks.
 */
#ifndef AGENT_CLOCK_H
#define AGENT_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define CLOCK_STEP_LIMIT_NS 100000000ll

struct clock {
	_Atomic int64_t offset_ns; /* wall minus monotonic at the last look */
	_Atomic int64_t last_step_ns;
	_Atomic uint64_t steps;
	_Atomic int64_t day;   /* days since 1970 for which `date` stands */
	_Atomic uint64_t date; /* eight digits, packed */
};

void clock_init(struct clock *clock);
/* CLOCK_MONOTONIC, nanoseconds. */
uint64_t clock_monotonic_ns(void);
/* CLOCK_REALTIME, nanoseconds. */
int64_t clock_wall_ns(void);
/* Today in UTC as YYYYMMDD, eight octets without terminator. Any thread. */
void clock_today(struct clock *clock, char date[8]);
/* Looks for a step since the last look. True, and its size in *step_ns, when there was one. */
bool clock_check(struct clock *clock, int64_t *step_ns);
/* Writes 16 digits YYYYMMDDhhmmss00 (CK_TOKEN_INFO.utcTime). */
void clock_utc_time(char text[16]);

#endif
