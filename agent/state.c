/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state machine. Two arrows only: POST to OPERATIONAL, anything to ERROR.
 */
#include "state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "epoch.h"
#include "log.h"

void state_init(struct state *state)
{
	memset(state->reason, 0, sizeof(state->reason));
	atomic_store(&state->reason_taken, 0);
	state->epoch = NULL;
	atomic_store(&state->value, STATE_POST);
}

enum state_value state_get(const struct state *state)
{
	return (enum state_value)atomic_load_explicit(&state->value, memory_order_acquire);
}

bool state_operational(const struct state *state)
{
	return atomic_load_explicit(&state->value, memory_order_relaxed) == STATE_OPERATIONAL;
}

void state_ready(struct state *state)
{
	int expected = STATE_POST;

	atomic_compare_exchange_strong(&state->value, &expected, STATE_OPERATIONAL);
}

void state_fail(struct state *state, const char *format, ...)
{
	va_list arguments;
	int free_to_take = 0;

	if (!atomic_compare_exchange_strong(&state->reason_taken, &free_to_take, 1))
		return;
	va_start(arguments, format);
	vsnprintf(state->reason, sizeof(state->reason), format, arguments);
	va_end(arguments);
	atomic_store_explicit(&state->value, STATE_ERROR, memory_order_release);
	if (state->epoch)
		epoch_raise(state->epoch);
	log_error("error state: %s", state->reason);
}

const char *state_name(enum state_value value)
{
	static const char *const names[] = {"POST", "OPERATIONAL", "ERROR"};

	return names[value];
}

const char *state_reason(const struct state *state)
{
	return state_get(state) == STATE_ERROR ? state->reason : "";
}
