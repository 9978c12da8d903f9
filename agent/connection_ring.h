/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection's shared memory (wire/ring.h), seen from the agent: made sealed and locked, sent to
 * the client, polled while its loop is awake. A ring is awake or asleep; a loop polls the awake
 * ones, and puts all of them to sleep before it sleeps itself. Frames that do not fit take the
 * socket.
 */
#ifndef AGENT_CONNECTION_RING_H
#define AGENT_CONNECTION_RING_H

#include <stdbool.h>

#include "connection.h"
#include "connection_place.h"
#include "wire/ring.h"

struct connection_ring {
	struct wire_ring_area *area;
	struct wire_ring requests, replies;
	bool awake;
	unsigned int
		slow_calls; /* with workers: what came after them waits, so that order is kept */
	bool bell_owed;     /* a reply is half way through the socket */
	struct connection_place place;
	struct connection *next_awake, **link_awake;
};

/* Answers the `ring` request: the memory goes with the reply. False when the connection must end.
 */
bool connection_ring_open(struct connection *connection, const struct wire_frame_header *header);
void connection_ring_free(struct connection *connection);
/* The doorbell. False when the client has no ring. */
bool connection_ring_wake(struct connection *connection);
/* A call that came through the ring goes to a worker: until it is answered, nothing more is taken
 * out.
 */
void connection_ring_hold(struct connection *connection);
/* Its reply has been sent. */
void connection_ring_resume(struct connection *connection);
/* A ring whose connection closes is polled no more. */
void connection_ring_stop(struct connection *connection);
/* Sends the reply through the ring if it fits. The call is still the caller's. That to a part may
 * wait for those to the parts behind it, if the client sleeps. */
bool connection_ring_reply(struct connection *connection, struct wire_bytes frame, bool is_part);
/* A reply goes by the socket: a client that naps, or is about to, would not look there. */
void connection_ring_detour(struct connection *connection);
/* The socket is free again for a bell that had to wait. */
void connection_ring_pay_bell(struct connection *connection);

/* Is there anything in an awake ring? */
bool connection_rings_ready(struct loop *loop);
/* Runs what is in the awake rings. */
void connection_rings_run(struct loop *loop);
/* Puts every ring to sleep. False when something came meanwhile: then it must be run first. */
bool connection_rings_sleep(struct loop *loop);

#endif
