/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A channel to the agent: one PKCS#11 application there, reached over as many connections as
 * threads are calling at the same time. The first connection starts the application, further ones
 * join it with the ticket that the first was given. A thread borrows a connection for the length of
 * one call; the one returned last is borrowed next. No lock is held while a call is on the socket.
 *
 * The channel is all or nothing: a connection that ends, or a reply that is none, loses the whole
 * channel, every call on it fails with CKR_DEVICE_REMOVED, and it stays lost. Whoever wants another
 * opens another.
 *
 * There are no globals here: the PKCS#11 library (instance.c) and the administrator's program both
 * use it.
 */
#ifndef LIB_CHANNEL_H
#define LIB_CHANNEL_H

#include "exchange.h"

#define CHANNEL_SOCKET_VARIABLE "CRATON_HSM_SOCKET"
#define CHANNEL_SOCKET_DEFAULT  "/run/craton-hsm/pkcs11.sock"

enum channel_greeting {
	CHANNEL_HELLO,    /* start an application */
	CHANNEL_NO_HELLO, /* only the messages that need none, such as the status of an agent in
	                     its error state */
};

struct channel;

/*
 * Connects, within a second or not at all; an agent that took the connection has five to answer,
 * which a busy machine may need. `socket_path` NULL stands for the environment's CRATON_HSM_SOCKET
 * or else the default. CKR_OK with the caller's reference in *channel; CKR_DEVICE_REMOVED with
 * errno when no agent answers; CKR_HOST_MEMORY; or what the agent said to hello (CKR_GENERAL_ERROR
 * in its error state).
 */
CK_RV channel_open(struct channel **channel, const char *socket_path,
                   enum channel_greeting greeting);
/* Ends every call in progress (they return CKR_CRYPTOKI_NOT_INITIALIZED) without waiting for it,
 * and drops the caller's reference. NULL is allowed. */
void channel_close(struct channel *channel);
/* In a forked child: closes the descriptors and frees what can be freed of the parent's channel,
 * whoever holds references; tells the agent nothing, and does not disturb the parent. */
void channel_abandon(struct channel *channel);

/* One more reference, and one less. */
struct channel *channel_get(struct channel *channel);
void channel_put(struct channel *channel);

/* True when every further call would fail. */
bool channel_is_lost(const struct channel *channel);

/* A connection for this thread, to be returned by channel_return; NULL with *rv when there is none
 * (CKR_DEVICE_REMOVED, CKR_HOST_MEMORY, CKR_DEVICE_ERROR when the agent takes no further one). */
struct connection *channel_borrow(struct channel *channel, CK_RV *rv);
/* Wipes the connection's buffers (every borrowed reply is void then) and gives it back. NULL is
 * allowed. */
void channel_return(struct connection *connection);
/* For __attribute__((cleanup)). */
void channel_return_at(struct connection **connection);
#define connection_auto __attribute__((cleanup(channel_return_at))) struct connection *

/*
 * One call; use the typed functions of request.h. Returns the agent's CKR_*, CKR_ARGUMENTS_BAD when
 * the request does not fit a frame, CKR_HOST_MEMORY, CKR_DEVICE_REMOVED when the channel is lost,
 * or CKR_CRYPTOKI_NOT_INITIALIZED when it was closed.
 */
CK_RV channel_call(struct connection *connection, const struct exchange_message *message,
                   const void *request, struct wire_bytes *last, void *reply);
/* The same for a request that was encoded before, and whose reply has no fields. */
CK_RV channel_call_body(struct connection *connection, uint16_t opcode, struct wire_bytes body);
/* The same for a call whose data go in parts. False: they do not; then nothing was done. */
bool channel_call_parts(struct connection *connection, struct exchange_parts *parts, CK_RV *rv);
/* Waits this long, or until the channel is closed or the agent is gone, which the next call tells.
 */
void channel_pause(struct connection *connection, int timeout_ms);
/* For a reply whose fields contradict each other: loses the channel, returns CKR_DEVICE_REMOVED. */
CK_RV channel_bad_reply(struct connection *connection);

#endif
