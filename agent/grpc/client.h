/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One remote client: its socket, its TLS, its HTTP/2 session, its link to the agent, its PKCS#11
 * sessions and its calls. Belongs to one loop; no other thread touches it.
 */
#ifndef GRPC_CLIENT_H
#define GRPC_CLIENT_H

#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "grpc/front.h"
#include "grpc/link.h"
#include "grpc/sessions.h"
#include "grpc/tls.h"

#define CLIENT_PEER_LEN 64u
#define CLIENT_KEEP_LEN 4096u /* of a buffer between calls */

struct rule;

/* How many of something there were in the present period of ten seconds. */
struct rate {
	uint64_t period;
	uint64_t count;
};

struct client {
	struct loop *loop;
	struct client *next, *previous;
	struct client *dirty_next;
	bool is_dirty;
	struct settings *settings; /* counted; as they were when it came */

	/* Socket. */
	int fd;
	char peer[CLIENT_PEER_LEN]; /* "192.0.2.1:40000" */
	struct completion receive, send;
	bool receiving, is_sending;
	bool at_end;    /* nothing more is taken from it; what has been written is still sent */
	bool lingering; /* all has been sent; it may read on */
	bool closing;
	uint64_t opened_ns;
	uint64_t linger_until_ns;        /* with at_end: it is not closed earlier */
	struct wire_buffer out, sending; /* TLS records: being written; on their way */
	size_t sent;
	uint64_t last_octet_ns; /* when the client last sent or took something */

	/* TLS. */
	SSL *tls;
	struct wire_bytes in; /* octets that TLS has not taken yet */
	bool handshake_done, handshake_logged;
	/* With a key in a token: while `away`, all of TLS is the other thread's, and what comes
	 * meanwhile waits. */
	struct errand handshake;
	enum tls_result handshake_result;
	struct wire_buffer early, given; /* waiting; client->in is in this */
	bool away;
	int sent_alert, received_alert; /* -1: none */

	/* Who it is. */
	char identity[WIRE_CLIENT_MAX + 1]; /* "": without a certificate */
	const struct rule *rule;            /* NULL: no rule fits, and there are rules */
	bool restricted;                    /* there are rules */

	/* HTTP/2. */
	nghttp2_session *http;
	struct wire_bytes piece; /* nghttp2's, not sent yet */
	uint8_t *record;         /* what http_send fills */
	size_t record_len, record_room;
	struct rpc *heading; /* whose headers are coming in */
	struct rate resets, pings;
	bool goaway;

	/* Work. */
	struct link link;
	struct sessions sessions;
	struct rpc *rpcs; /* list */
	unsigned int rpc_count, open_streams;
	size_t held_len; /* octets of messages, both ways, and of what is made of them */
};

/* Takes over an accepted descriptor. */
void client_open(struct loop *loop, int fd);
/* Ends it: nothing more is received or answered; it is freed when the kernel is done with it. */
void client_close(struct client *client);
/* Says GOAWAY, and closes it once its calls are answered: for the drain. */
void client_drain(struct client *client);
/* Sends what there is to send. */
void client_flush(struct client *client);
/* Once a second or more often: timeouts, deadlines, watchers. */
void client_tick(struct client *client, bool agent_changed);
/* True once per period when there were more than `max`. */
bool rate_exceeds(struct rate *rate, uint64_t now_ns, uint64_t max);
/* Its agent said something, or went: calls that waited may begin. */
void client_run_waiting(struct client *client);
/* For limits: the configuration in force for this client. */
const struct config *client_config(const struct client *client);
/* Does it hold more than it may, besides these octets? */
bool client_holds_too_much(const struct client *client, size_t besides_len);

#endif
