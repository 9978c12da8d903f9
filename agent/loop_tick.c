/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What loop 0 does once a second, whether or not anybody calls: it looks whether the wall clock was
 * set, and tells the supervisor that it is alive.
 */
#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "log.h"
#include "loop.h"
#include "notify.h"

#define TICK_MS 1000u

/* B12: said, counted, and in the audit log, since dates of keys hang on the clock. */
static void look_at_clock(struct loop *loop)
{
	struct audit_record record;
	uint64_t ticket;
	int64_t step_ns;
	char detail[64];

	if (!clock_check(&loop->agent->clock, &step_ns))
		return;
	epoch_raise(&loop->agent->epoch);
	snprintf(detail, sizeof(detail), "%+.3f s", (double)step_ns / 1e9);
	log_warning("the clock was set: it jumped by %s; keys with dates follow it", detail);
	record = audit_own_record("clock-step", ERROR_NONE, detail);
	ticket = audit_append_own(loop->agent->audit, &record);
	if (ticket)
		loop->event_ticket = ticket;
	loop_write_audit(loop);
}

/* Keys begin and end with a day. */
static void look_at_date(struct loop *loop)
{
	char today[sizeof(loop->today)];

	clock_today(&loop->agent->clock, today);
	if (!memcmp(today, loop->today, sizeof(today)))
		return;
	memcpy(loop->today, today, sizeof(today));
	epoch_raise(&loop->agent->epoch);
}

static void on_tick(struct loop *loop, struct completion *completion, int32_t result,
                    uint32_t flags)
{
	(void)completion;
	(void)result;
	(void)flags;
	if (loop->stopping)
		return;
	if (loop->agent->audit)
		look_at_clock(loop);
	look_at_date(loop);
	/* Also while somebody keeps every loop too busy to get to it: a log that stalled is tried
	 * again. */
	if (audit_is_pending(loop->agent->audit))
		loop_write_audit(loop);
	if (notify_watchdog_ms())
		notify_send("WATCHDOG=1");
	loop_arm_tick(loop);
}

void loop_arm_tick(struct loop *loop)
{
	uint32_t watchdog_ms = notify_watchdog_ms();
	uint32_t period_ms = watchdog_ms && watchdog_ms < TICK_MS ? watchdog_ms : TICK_MS;

	loop->tick.handler = on_tick;
	loop_arm_timer(loop, &loop->tick, period_ms, &loop->tick_period);
}
