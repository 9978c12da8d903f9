/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which loop serves a connection. A loop with much to do gives connections to one with little.
 * Where there are more clients than processors, a client that shares no processor with its loop
 * waits for two turns instead of one, and each wake-up has to interrupt the other processor: if its
 * calls are short, so that this counts, its connection goes after it.
 */
#ifndef AGENT_CONNECTION_PLACE_H
#define AGENT_CONNECTION_PLACE_H

#include <stdint.h>

struct agent;
struct connection;

enum placement {
	PLACE_FOLLOW, /* to the loop of the client's processor */
	PLACE_LOAD,   /* to a loop that has less to do */
	PLACEMENTS,   /* how many */
};

struct connection_place {
	unsigned int frames;      /* that were run */
	uint64_t longest_ns;      /* of the calls since the last look: an Init is short */
	enum placement placement; /* what the last look was for */
	unsigned int looks;       /* in a row that found such a loop */
	uint64_t stays_until_ns;
};

/* Of a connection with a ring, after each of its frames. It may be on its way to another loop then.
 */
void connection_place(struct connection *connection);
/* How many clients are at work with this loop. */
unsigned int connection_place_clients(const struct agent *agent, unsigned int loop);

#endif
