/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call: from the octets of its stream to a message, through the queue of its session and the
 * agent, to the octets of its reply and its status. It outlives its stream while the agent owes it
 * an answer.
 */
#ifndef GRPC_RPC_H
#define GRPC_RPC_H

#include <stdbool.h>
#include <stdint.h>

#include "grpc/arena.h"
#include "grpc/message.h"
#include "grpc/status.h"
#include "wire/codec.h"

struct client;
struct client_session;
struct method;
struct rpc;

enum rpc_state {
	RPC_RECEIVING, /* its request is not whole */
	RPC_QUEUED,    /* waits for its session, or for room on the link */
	RPC_RUNNING,   /* the agent is at it */
	RPC_IDLE,      /* a stream that waits for its client's next message */
	RPC_ENDED,     /* its status is known */
};

/* Which session and slot a request names. */
struct rpc_place {
	uint64_t session, slot;
};

struct rpc {
	struct client *client;
	const struct method *method;
	struct rpc *next, *previous; /* of the client */
	struct rpc *queue_next;      /* in a session's queue or the link's */
	int32_t stream_id;           /* 0: the stream is gone */
	enum rpc_state state;

	/* Request. */
	struct message_reader reader;
	struct wire_buffer backlog; /* of a stream: octets that came while a message was at work */
	bool input_ended;
	bool has_message;
	bool begun; /* a stream's operation has been started in the agent */
	struct arena arena;
	ProtobufCMessage *request; /* in the arena */
	size_t message_len;        /* that it had on its way */
	struct rpc_place place;
	uint64_t deadline_ns; /* 0: none */
	size_t header_len;    /* of the headers so far */
	bool bad_type, bad_encoding, has_path, is_post;

	/* In the agent. */
	struct client_session *session;
	bool holds_session; /* alone */
	unsigned int frames;
	uint64_t ckr; /* the first that was not CKR_OK */
	uint64_t began_ns;
	uint64_t number[2]; /* the method's own */
	bool flag[1];
	struct wire_buffer kept; /* see rpc_keep */

	/* Reply. */
	enum grpc_status status;
	const char *text; /* with a status that has no return value; static, or `words` */
	char words[96];
	struct wire_buffer response; /* framed messages */
	size_t response_at;
	bool headers_sent, deferred, ended;
};

/* A new call on a stream; NULL when there is no memory. */
struct rpc *rpc_new(struct client *client, int32_t stream_id);
/* Its headers are whole, and no header was wrong: the method is known, or NULL. */
void rpc_start(struct rpc *rpc);
/* Octets of its stream. Returns how many of them count against the stream's window no more. */
size_t rpc_receive(struct rpc *rpc, struct wire_bytes octets);
/* The client has sent all. */
void rpc_input_end(struct rpc *rpc);
/* The stream is gone: nobody reads an answer. */
void rpc_abandon(struct rpc *rpc);
/* Tries to begin what it waits for; called again when there is room. */
void rpc_run(struct rpc *rpc);
/* The agent's answer to one of its requests. */
void rpc_answer(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body);
/* Ends the call with a status that is not the agent's; `text` is static. Nothing happens when it
 * has ended. */
void rpc_fail(struct rpc *rpc, enum grpc_status status, const char *text);
/* The link is gone: what it was asked will not be answered. */
void rpc_lose(struct rpc *rpc, enum grpc_status status, const char *text);
/* Does the client hold too much, besides the call's own request, for the call to begin? */
bool rpc_must_wait(const struct rpc *rpc);
/* Has the whole reply been read by the stream? */
bool rpc_drained(const struct rpc *rpc);
void rpc_free(struct rpc *rpc);
/* Frees a spare one for good. */
void rpc_destroy(struct rpc *rpc);

/* ---- for the methods ---- */

/* rpc_send_sign(rpc, &request) and so on: one request to the agent. False when the call has failed.
 */
#define MESSAGE(opcode, name, function, limit)                                                     \
	bool rpc_send_##name(struct rpc *rpc, const struct wire_##name##_request *request);
#define REQUEST_FIELD(kind, name, text)
#define REPLY_FIELD(kind, name, text)
#define END_MESSAGE
#include "wire/message.def"
#undef MESSAGE
#undef REQUEST_FIELD
#undef REPLY_FIELD
#undef END_MESSAGE

/* Appends a message to the reply. */
void rpc_put(struct rpc *rpc, const ProtobufCMessage *message);
/* For the method to keep octets from one answer to the next, in rpc->kept, up to a limit; what
 * there was is gone. */
void rpc_keep_nothing(struct rpc *rpc, size_t limit);
void rpc_keep(struct rpc *rpc, const void *octets, size_t len);
/* The message of a client's stream has been dealt with; the next one may come. */
void rpc_part_done(struct rpc *rpc);
/* Of a stream of cratond's: begin is called again, as soon as the client has read enough. */
void rpc_continue(struct rpc *rpc);
/* Ends calls of a list by `queue_next` with a return value. */
void rpc_refuse_list(struct rpc *list, uint64_t ckr);
/* Tells the agent to close a session; the answer is of no interest. */
void rpc_close_session(struct client *client, uint64_t handle);
/* The call has succeeded; its reply is complete. */
void rpc_succeed(struct rpc *rpc);
/* Ends it with a return value that was not the agent's. */
void rpc_refuse(struct rpc *rpc, uint64_t ckr);
/* The largest message, either way. */
size_t rpc_message_limit(const struct rpc *rpc);

#endif
