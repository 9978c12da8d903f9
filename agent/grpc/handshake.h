/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handshakes whose private key is in a token. Each waits for a signature of the agent's, for as
 * long as that takes, so they are carried on by a thread of their own, one after another, and no
 * loop waits. While a handshake is here its client's TLS, and what TLS reads and writes, are this
 * thread's.
 */
#ifndef GRPC_HANDSHAKE_H
#define GRPC_HANDSHAKE_H

#include "grpc/tls.h"

struct client;
struct handshakes;

struct handshake {
	struct client *client;
	enum tls_result result;
	struct handshake *next;
};

/* Starts the thread. NULL with errno. */
struct handshakes *handshakes_open(void);
/* Ends it. No client has a handshake here. NULL is allowed. */
void handshakes_close(struct handshakes *handshakes);
/* Goes on with client->tls, and then comes back by front_handshake_done. The handshake lasts until
 * then. */
void handshakes_add(struct handshakes *handshakes, struct handshake *handshake);

#endif
