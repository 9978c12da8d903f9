/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client's socket: from octets to frames, hello, and replies back. Belongs to one loop; no
 * other thread touches it.
 */
#ifndef AGENT_CONNECTION_H
#define AGENT_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "application.h"
#include "call.h"
#include "completion.h"

/* More requests than this without reading replies is not a client. */
#define CONNECTION_CALLS_MAX 64u
/* So many of them may be bulk frames, which may hold 64 MiB each. */
#define CONNECTION_BULK_CALLS_MAX 4u

/* So many replies are sent at once. */
#define CONNECTION_PIECES 32u

struct connection {
	struct loop *loop;
	int fd;
	uint32_t file; /* its number among the ring's registered files */
	uid_t uid;
	gid_t gid;
	pid_t pid;
	struct application *application; /* NULL before hello */
	uint64_t features;               /* WIRE_FEATURE_*, in force since hello */
	bool primary;   /* began the application: closing it ends the application */
	bool receiving; /* a receive is armed */
	bool sending;
	bool linked; /* the send waits behind an audit write and is cancelled if that fails */
	bool unsent; /* in the loop's list of those that have replies to send */
	bool closing;
	unsigned int calls;         /* calls that have not been answered yet */
	unsigned int bulk_calls;    /* those of them whose body was larger than a control frame's */
	struct wire_buffer partial; /* a frame that has not arrived whole */
	struct completion receive, send;
	size_t sent;                            /* of the first reply */
	struct iovec pieces[CONNECTION_PIECES]; /* of the replies that are on their way */
	struct msghdr message;
	struct call *replies, **replies_last;
	struct connection_ring *ring;     /* NULL: socket only */
	struct connection_window *window; /* NULL: none */
	struct loop *target; /* where it goes as soon as nothing is on its way; or NULL */
	struct connection *next, *previous, *next_unsent;
};

/* Takes over an accepted descriptor: checks the peer, arms the receive. Closes it when the peer may
 * not connect. */
void connection_open(struct loop *loop, int fd);
/* May such a frame come, now and this way? Asked before its body is there. */
bool connection_header_valid(const struct connection *connection,
                             const struct wire_frame_header *header, bool by_ring);
/* Runs one whole frame, whose header is valid. `body` is borrowed; `part` says what of it is in the
 * window. False when the client broke the protocol. */
bool connection_run_frame(struct connection *connection, const struct wire_frame_header *header,
                          const uint8_t *body, bool by_ring, struct call_part part);
/* Queues the call's reply; the call is freed when it has been sent or the connection is gone. */
void connection_reply(struct connection *connection, struct call *call);
/* Sends what has been queued since the last time, all replies of a connection together. */
void connections_send(struct loop *loop);
/* Could the next reply be sent at once? */
bool connection_can_link(const struct connection *connection);
/* Queues the reply as the very next SQE, linked to the one before. connection_can_link was true. */
void connection_reply_linked(struct connection *connection, struct call *call);
/* Goes to another loop, if nothing is on its way here that must stay. What the client puts into the
 * ring meanwhile is found there. */
bool connection_move(struct connection *connection, struct loop *target);
/* The other loop: takes it over. */
void connection_adopt(struct loop *loop, struct connection *connection);
/* Ends it: no more receiving; it is freed when its last call is done. */
void connection_close(struct connection *connection);
/* Closes it if no call is in flight, else after the last reply: for the drain. */
void connection_drain(struct connection *connection);

#endif
