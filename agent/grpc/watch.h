/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the agent is: a connection of cratond's own to it, on loop 0, that asks once a second and
 * notices at once when the agent goes away. Health answers come from here.
 */
#ifndef GRPC_WATCH_H
#define GRPC_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "grpc/front.h"

struct rpc;
struct watch;

/* Begins to watch. NULL: out of memory. */
struct watch *watch_open(struct loop *loop);
/* Asks again; reconnects if need be. Once a second. */
void watch_tick(struct watch *watch);
/* Ends it; true when no completion of it can come any more. */
bool watch_stop(struct watch *watch);
void watch_free(struct watch *watch);

/* "OPERATIONAL", "ERROR", "UNAVAILABLE". Static. */
const char *watch_state_name(enum agent_state state);
/* Why it does not serve, for people. */
void watch_reason(struct front *front, char *text, size_t text_len);
/* Tells a call of Health.Watch that something changed; others are left alone. */
void watch_tell(struct rpc *rpc);

#endif
