/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random octets that were drawn ahead. A caller that keeps asking for a few is given them from one
 * larger output of the agent's generator, which costs one crossing and one record of the audit log.
 * Each octet is given out once and wiped then.
 *
 * They lie in memory of this process, as they would if the caller had asked for them all at once;
 * a fork wipes them, and they are in no core dump. What could make the agent refuse, or make it
 * reseed (deferred_now tells), drops them.
 */
#ifndef LIB_RANDOM_AHEAD_H
#define LIB_RANDOM_AHEAD_H

#include "channel.h"

/* Fills `random` from what lies ready, and asks the agent for more when that is not enough; *rv is
 * its answer. False when the caller has not asked often enough, or for too many: then nothing was
 * done, and the agent is to be asked for just these octets. */
bool random_ahead_take(struct connection *connection, CK_SESSION_HANDLE session, uint8_t *random,
                       size_t random_len, CK_RV *rv);
/* Wipes and frees what the connection has. */
void random_ahead_free(struct connection *connection);

#endif
