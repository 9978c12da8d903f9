/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of the module: POST, OPERATIONAL, ERROR. ERROR is left only by a restart; the first
 * reason is kept. Reading it is one relaxed atomic load, so every request may do it.
 */
#ifndef AGENT_STATE_H
#define AGENT_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct epoch;

enum state_value { STATE_POST, STATE_OPERATIONAL, STATE_ERROR };

struct state {
	_Atomic int value;
	_Atomic int reason_taken; /* the first to fail writes `reason`, then publishes ERROR */
	char reason[160];
	struct epoch *epoch; /* raised by ERROR; NULL: nobody looks */
};

void state_init(struct state *state);
enum state_value state_get(const struct state *state);
bool state_operational(const struct state *state);
/* POST -> OPERATIONAL. Does nothing in ERROR. */
void state_ready(struct state *state);
/* Any -> ERROR, logs the line "error state: REASON" once. Safe from any thread. */
void state_fail(struct state *state, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "POST", "OPERATIONAL", "ERROR". */
const char *state_name(enum state_value value);
/* The reason, or "" when not in ERROR. */
const char *state_reason(const struct state *state);

#endif
