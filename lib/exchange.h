/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to the agent: a non-blocking Unix socket, the buffers that requests and replies
 * pass through, and the exchange of one request for one reply. It knows no application and no
 * PKCS#11 rule; which connection serves which thread is channel.c's business.
 *
 * A connection belongs to one thread at a time. Only `fd` may be looked at by others (under the
 * channel's lock), so that they can shut it down.
 */
#ifndef LIB_EXCHANGE_H
#define LIB_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include "exchange_ring.h"
#include "exchange_window.h"
#include "wire/buffer.h"
#include "wire/cryptoki.h"

#define EXCHANGE_FOREVER INT64_MAX

/* Buffers in which a caller builds the parts of a request that are not plain fields. */
enum exchange_scratch {
	SCRATCH_MECHANISM,
	SCRATCH_TEMPLATE,
	SCRATCH_SECOND_TEMPLATE,
	SCRATCH_REQUEST,
	SCRATCH_COUNT,
};

#define EXCHANGE_AHEAD_MAX 192u

/* A request without data that goes in front of the next one (deferred.h). */
struct exchange_ahead {
	uint16_t opcode; /* 0: none */
	size_t len;
	uint8_t body[EXCHANGE_AHEAD_MAX];
};

struct connection {
	int fd; /* -1: not connected */
	bool busy;
	uint32_t request_id; /* of the last request */
	uint32_t spin_us, spin_misses, spin_pause;
	struct wire_buffer request, reply, scratch[SCRATCH_COUNT];
	struct exchange_ring ring;
	struct exchange_window window;
	struct exchange_ahead ahead;
	struct deferred *deferred; /* the channel's; NULL: there is none */
	struct random_ahead *random;
	bool barrier; /* this call may change what Inits answer */
	struct channel *channel;
	struct connection *next_of_all, *next_idle;
};

/* How one message is encoded and decoded; made by request.h from message.def. */
struct exchange_message {
	uint16_t opcode;
	void (*encode)(struct wire_buffer *buffer, const void *request);
	bool (*decode)(struct wire_bytes body, void *reply);
	size_t reply_len; /* size of the reply structure */
};

enum exchange_result {
	EXCHANGE_OK,
	EXCHANGE_TOO_LARGE, /* the request does not fit its frame; nothing was sent */
	EXCHANGE_NO_MEMORY, /* the connection stays in step */
	EXCHANGE_ELSEWHERE, /* not in parts: nothing was done, the request goes as a whole */
	EXCHANGE_LOST,      /* end of stream, error, deadline, or a reply that is none */
};

/* Neither allocates nor connects. */
void exchange_init(struct connection *connection, struct channel *channel);
/* Closes the socket, wipes and frees the buffers. */
void exchange_destroy(struct connection *connection);
/* In a forked child: the same without touching what is shared with the parent. */
void exchange_abandon(struct connection *connection);
/* Unmaps what is shared with the agent; in a forked child it never was. */
void exchange_unmap(struct connection *connection, bool forked);
/* Wipes what the last call left in the buffers; keeps small ones for the next. */
void exchange_wipe(struct connection *connection);

/* A new socket for exchange_establish, or -1 with errno. */
int exchange_socket(void);
/* Connects connection->fd before `deadline` (exchange_clock). 0 or an errno. */
int exchange_establish(struct connection *connection, const struct sockaddr_un *address,
                       int64_t deadline);
/* Asks for shared memory. False when the connection is lost; without memory it goes on by the
 * socket. */
bool exchange_open_ring(struct connection *connection, int64_t deadline);
/* CLOCK_MONOTONIC in nanoseconds. */
int64_t exchange_clock(void);

/* This request goes in front of the next; at most EXCHANGE_AHEAD_MAX octets. If it fails, its
 * status is that of both. */
void exchange_put_ahead(struct connection *connection, uint16_t opcode, struct wire_bytes body);
/* Sends a request that was encoded before, and whose reply has no fields. */
enum exchange_result exchange_run_body(struct connection *connection, uint16_t opcode,
                                       struct wire_bytes body, int64_t deadline, CK_RV *status);

/*
 * Sends the request and waits for its reply. `*status` gets the reply's CKR_*; `reply` is filled in
 * when the reply has fields, else zeroed, and borrows from the connection until exchange_wipe.
 * `last` is NULL or the request's last field, of kind bytes, which is then sent from where it is
 * (and put back as it was).
 */
enum exchange_result exchange_run(struct connection *connection,
                                  const struct exchange_message *message, const void *request,
                                  struct wire_bytes *last, void *reply, int64_t deadline,
                                  CK_RV *status);

/*
 * The same for a call whose data go in parts through the window, and whose result comes so.
 * EXCHANGE_ELSEWHERE when there is no window, or the data are not worth one.
 */
enum exchange_result exchange_run_parts(struct connection *connection, struct exchange_parts *parts,
                                        int64_t deadline, CK_RV *status);

#endif
