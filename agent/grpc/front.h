/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cratond's context, and its loops: one thread each with its own io_uring. A loop owns its clients;
 * it never blocks but in io_uring_enter. All that arrives in one look at the completion queue is
 * taken in first; then each client that has something to send sends it at once, so that many
 * requests become one write to the agent, and many replies one write to the client.
 */
#ifndef GRPC_FRONT_H
#define GRPC_FRONT_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include "grpc/counters.h"
#include "grpc/errand.h"
#include "grpc/memory.h"
#include "sandbox.h"
#include "uring.h"

#define FRONT_BUFFER_LEN   16384u
#define FRONT_BUFFER_COUNT 64u
#define FRONT_PLAIN_LEN    16384u /* a TLS record */
#define FRONT_SPARE_RPCS   256u

struct client;
struct config;
struct rpc;
struct rules;

/* What the agent says of itself, as loop 0 last heard it. */
enum agent_state { AGENT_DOWN, AGENT_ERROR, AGENT_OPERATIONAL };

/* What SIGHUP replaces: read once per client, and counted, since clients outlive it. */
struct settings {
	atomic_uint references;
	struct config *config;
	SSL_CTX *tls;
	bool key_in_token; /* handshakes wait for the agent */
	struct rules *rules;
	struct errand release; /* with a key in a token */
};

struct loop {
	struct front *front;
	unsigned int index;
	pthread_t thread;
	bool started;
	int open_error;
	pthread_barrier_t *ready; /* passed when all rings are made, or not */
	struct io_uring ring;
	bool ring_ready;
	struct uring_buffers buffers;
	uint8_t *octets; /* of the receive buffers */
	uint8_t *plain;  /* FRONT_PLAIN_LEN octets out of TLS, wiped after use */
	uint8_t *record; /* as many on their way into TLS */

	/* Loop 0 only. */
	int listen_fd, signal_fd;
	struct completion accept, accept_again, signal;
	struct __kernel_timespec accept_delay;
	bool accepting, accept_failing;
	unsigned int next_loop;
	struct errand reload;
	bool reloading, reload_again;
	struct watch *watch;

	/* Accepted descriptors from loop 0, errands that are done, and the order to stop. */
	pthread_mutex_t mail_lock;
	struct errand *mail_errands; /* list */
	int *mail_fds;
	unsigned int mail_count, mail_capacity;
	int wake_fd;
	uint64_t wake_value;
	struct completion wake, tick, ignored, deadline;
	struct __kernel_timespec tick_period, drain_delay;

	struct client *clients; /* list */
	struct client *dirty;   /* those that may have something to send, linked by `dirty_next` */
	struct rpc *spare_rpcs;
	struct memory memory; /* of HTTP/2 */
	unsigned int client_count, spare_rpc_count;
	unsigned int deadlines;  /* calls that have one */
	unsigned int told_agent; /* front->agent_changes as the watchers were told */
	uint64_t now_ns;         /* at the last look at the completion queue */
	uint64_t looked_ns;      /* after the agent */
	bool stopping;
	bool ticks_fast;
	bool identity_refused; /* that the agent does not believe us has been said */
	bool full;             /* that there are too many connections has been said */
};

struct front {
	const char *config_path;
	struct settings *settings; /* the newest; under settings_lock */
	pthread_mutex_t settings_lock;
	struct sandbox sandbox;
	struct sockaddr_un agent_address;
	socklen_t agent_address_len;
	int listen_fd;
	struct loop **loops;
	unsigned int loop_count;
	atomic_uint client_count;
	atomic_bool stopping;
	uint64_t drain_end_ns;      /* when stopping is to be over */
	struct errands *handshakes; /* and what was for them, released */
	struct errands *reloads;

	/* Of watch.h. */
	_Atomic enum agent_state agent_state;
	atomic_uint agent_changes;
	pthread_mutex_t reason_lock;
	char reason[256];

	atomic_bool token_used; /* OpenSSL has asked the agent for a key */

	struct counters counters;
};

/* Makes settings of a configuration, which they take over. NULL with one line in `error`; the
 * configuration is freed. Waits for the agent when the key is in a token. */
struct settings *settings_new(struct front *front, struct config *config, char *error,
                              size_t error_len);
/* The newest settings, counted. */
struct settings *front_settings(struct front *front);
/* Any thread: those that nobody uses any more are freed. */
void settings_put(struct front *front, struct settings *settings);
/* Reads the configuration again and puts it in force for new connections, or says why not. Waits
 * for the agent as settings_new does. */
void front_reload(struct front *front);

/* Makes front->loop_count loops. 0, or -1 with one line in `error`. */
int front_loops_open(struct front *front, char *error, size_t error_len);
/* Runs them until SIGTERM or SIGINT. Afterwards, with `token_used`, errands may still wait for the
 * agent, which nothing ends but the end of the process: all that they use is to stay. */
int front_loops_run(struct front *front, void (*ready)(struct front *), char *error,
                    size_t error_len);
void front_loops_close(struct front *front);
/* The client has, or may have, something to send: it is looked at before the loop sleeps. */
void front_mark_dirty(struct client *client);
/* Any thread: the errand's loop hears that it is done. */
void front_errand_done(struct errand *errand);
/* A call with a deadline begins or ends. */
void front_count_deadline(struct loop *loop, bool begins);

#endif
