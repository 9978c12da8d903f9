/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's connection to the agent: one Unix socket, on which it is an application of its own.
 * Made when it is first needed, and again after the agent went away. Requests are appended and sent
 * together; replies are led to the call that asked by their number. The agent ends connections with
 * more than 64 open requests, so no more are sent.
 */
#ifndef GRPC_LINK_H
#define GRPC_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "completion.h"
#include "wire/codec.h"

#define LINK_FRAMES_MAX                                                                            \
	48u /* below the agent's CONNECTION_CALLS_MAX, by what is sent without asking for room */
#define LINK_BULK_FRAMES_MAX 3u /* below its CONNECTION_BULK_CALLS_MAX */
#define LINK_TABLE_LEN       64u

struct client;
struct rpc;

enum link_state { LINK_DOWN, LINK_CONNECTING, LINK_GREETING, LINK_UP, LINK_CLOSING };

/* A request that the agent has not answered. */
struct link_entry {
	struct rpc *rpc; /* NULL: nobody waits for it any more */
	uint32_t request_id;
	uint16_t opcode;
	bool is_used, is_bulk;
};

struct link {
	struct client *client;
	enum link_state state;
	int fd;
	struct wire_buffer out, sending; /* being written; what is on its way */
	size_t sent;
	struct wire_buffer in; /* a frame that has not arrived whole */
	struct link_entry table[LINK_TABLE_LEN];
	uint32_t next_id;
	unsigned int frames, bulk_frames;    /* unanswered */
	struct rpc *waiting, **waiting_last; /* calls that could not begin yet, by `queue_next` */
	struct completion connect, send, receive;
	bool connecting, is_sending, receiving;
	uint64_t greeting; /* CKR_* with which the agent refused us; CKR_OK */
};

void link_init(struct link *link, struct client *client);
/* Can `frames` more requests be sent, one of them with `bulk_len` octets? If not and the link is
 * down, it is being made. */
bool link_has_room(struct link *link, unsigned int frames, size_t bulk_len);
/* Connects, unless that is under way. */
void link_open(struct link *link);
/* Appends a request, which is followed by its fields. The place is for link_end. */
size_t link_begin(struct link *link, uint16_t opcode);
/* The request is whole. False when it did not fit; it is gone then. */
bool link_end(struct link *link, size_t place, struct rpc *rpc);
/* Replies for this call lead nowhere from now on. */
void link_forget(struct link *link, struct rpc *rpc);
/* Writes what has been appended, unless a write is under way. */
void link_flush(struct link *link);
/* Takes octets of the agent. False when they are not of the protocol. For fuzzing, too. */
bool link_take(struct link *link, struct wire_bytes octets);
/* Ends the connection: its calls fail with UNAVAILABLE. */
void link_close(struct link *link);
/* No completion of it can come any more. */
bool link_is_quiet(const struct link *link);
void link_free(struct link *link);

#endif
