/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saved operations (C_GetOperationState, C_SetOperationState; PKCS#11 v2.40 §5.6): what a client is
 * given is a random name; the state itself stays here, so no octet of a digested key leaves the
 * agent and no forged state comes in. An application has at most OPERATION_STATES_MAX; the oldest
 * makes room. They end with a logout from their slot and with the application.
 */
#ifndef AGENT_OPERATION_STATE_H
#define AGENT_OPERATION_STATE_H

#include <pthread.h>

#include "operation.h"

#define OPERATION_STATE_LEN  16u
#define OPERATION_STATES_MAX 64u

struct operation_state;

struct operation_states {
	pthread_mutex_t lock;
	struct operation_state *newest;
	unsigned int count;
};

void operation_states_init(struct operation_states *states);
void operation_states_destroy(struct operation_states *states);
/* Keeps a copy of the operation and gives it a name. ERROR_STATE_UNSAVEABLE, ERROR_MEMORY. */
enum err operation_states_save(struct operation_states *states, struct crypto *crypto,
                               uint64_t slot_id, const struct operation *operation,
                               uint8_t name[OPERATION_STATE_LEN]) MUST_CHECK;
/* A copy of what was saved in this slot by this name, as often as it is asked for.
 * ERROR_SAVED_STATE. */
enum err operation_states_restore(struct operation_states *states, uint64_t slot_id,
                                  struct wire_bytes name, struct operation **operation) MUST_CHECK;
/* Forgets those of a slot. */
void operation_states_drop(struct operation_states *states, uint64_t slot_id);

#endif
