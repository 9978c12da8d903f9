/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of an application's saved operations, newest first.
 */
#include "operation_state.h"

#include <stdlib.h>
#include <string.h>

struct operation_state {
	struct operation_state *older;
	uint64_t slot_id;
	struct operation *operation;
	uint8_t name[OPERATION_STATE_LEN];
};

static void state_free(struct operation_state *state)
{
	if (!state)
		return;
	operation_free(state->operation);
	free(state);
}

void operation_states_init(struct operation_states *states)
{
	pthread_mutex_init(&states->lock, NULL);
	states->newest = NULL;
	states->count = 0;
}

void operation_states_destroy(struct operation_states *states)
{
	while (states->newest) {
		struct operation_state *state = states->newest;

		states->newest = state->older;
		state_free(state);
	}
	pthread_mutex_destroy(&states->lock);
}

/* The oldest, out of the list, when there are too many; else NULL. Under the lock. */
static struct operation_state *take_surplus(struct operation_states *states)
{
	struct operation_state **link = &states->newest, *oldest;

	if (states->count <= OPERATION_STATES_MAX)
		return NULL;
	while ((*link)->older)
		link = &(*link)->older;
	oldest = *link;
	*link = NULL;
	states->count--;
	return oldest;
}

static void keep(struct operation_states *states, struct operation_state *state)
{
	struct operation_state *surplus;

	pthread_mutex_lock(&states->lock);
	state->older = states->newest;
	states->newest = state;
	states->count++;
	surplus = take_surplus(states);
	pthread_mutex_unlock(&states->lock);
	state_free(surplus);
}

enum err operation_states_save(struct operation_states *states, struct crypto *crypto,
                               uint64_t slot_id, const struct operation *operation,
                               uint8_t name[OPERATION_STATE_LEN])
{
	struct operation_state *state = calloc(1, sizeof(*state));
	enum err err;

	if (!state)
		return ERROR_MEMORY;
	state->slot_id = slot_id;
	err = operation_copy(operation, &state->operation);
	if (!err)
		err = crypto_random(crypto, state->name, sizeof(state->name));
	if (err) {
		state_free(state);
		return err;
	}
	memcpy(name, state->name, sizeof(state->name));
	keep(states, state);
	return ERROR_NONE;
}

enum err operation_states_restore(struct operation_states *states, uint64_t slot_id,
                                  struct wire_bytes name, struct operation **operation)
{
	enum err err = ERROR_SAVED_STATE;

	pthread_mutex_lock(&states->lock);
	for (struct operation_state *each = states->newest; each; each = each->older) {
		struct wire_bytes ours = {each->name, sizeof(each->name)};

		if (each->slot_id != slot_id || !wire_secret_equal(ours, name))
			continue;
		err = operation_copy(each->operation, operation);
		break;
	}
	pthread_mutex_unlock(&states->lock);
	return err;
}

void operation_states_drop(struct operation_states *states, uint64_t slot_id)
{
	struct operation_state **link = &states->newest, *dropped = NULL;

	pthread_mutex_lock(&states->lock);
	while (*link) {
		struct operation_state *state = *link;

		if (state->slot_id != slot_id) {
			link = &state->older;
			continue;
		}
		*link = state->older;
		states->count--;
		state->older = dropped;
		dropped = state;
	}
	pthread_mutex_unlock(&states->lock);
	while (dropped) {
		struct operation_state *state = dropped;

		dropped = state->older;
		state_free(state);
	}
}
