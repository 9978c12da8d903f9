/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loops: one thread per core, each with its own io_uring. A loop owns its connections; it runs
 * short calls inline, hands slow ones to the workers, and holds replies until their audit record is
 * written. It never blocks but in io_uring_enter.
 *
 * Each loop is pinned to its core and its io_uring workers to the same one: an append to the audit
 * log goes through such a worker on most file systems, and handing it to another core costs several
 * times as much (docs/performance.md).
 */
#ifndef AGENT_LOOP_H
#define AGENT_LOOP_H

#include <liburing.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent.h"
#include "call.h"
#include "completion.h"
#include "uring.h"

#define LOOP_BUFFER_LEN   16384u
#define LOOP_BUFFER_COUNT 32u
#define LOOP_FILES        4096u /* connections of one loop */

struct loop {
	struct agent *agent;
	unsigned int index;
	int cpu; /* -1: not pinned */
	pthread_t thread;
	bool started;
	int open_error;           /* of the ring, made by the thread itself */
	pthread_barrier_t *ready; /* passed when all rings are made, or not */
	struct io_uring ring;
	bool ring_ready;
	bool taskrun_flag; /* the kernel says in memory when it wants to run */

	/* Provided receive buffers, in locked memory, and the ring that offers them. */
	struct uring_buffers offers;
	uint8_t *buffers;

	/* The listening socket (loop 0 only, else -1), signals and kernel events. */
	int listen_fd;
	int signal_fd;
	int event_fd;
	struct completion accept, signal, event, deadline, ignored;
	uint64_t event_ticket; /* of the last event's audit record, which no reply waits for */
	struct completion accept_again;
	struct __kernel_timespec accept_delay;
	bool accepting, accept_failing;
	unsigned int next_loop; /* who gets the next connection */

	/* Mail from other threads: finished calls, new descriptors, audit progress. */
	pthread_mutex_t mail_lock;
	struct call *mail_calls;
	struct connection *mail_connections;
	int *mail_fds;
	unsigned int mail_fd_count, mail_fd_capacity;
	bool mail_pending; /* the eventfd has been written */
	bool ended;        /* nobody reads it any more */
	int wake_fd;
	uint64_t wake_value;
	struct completion wake;

	/* Audit: the batch this loop writes, the replies it holds, whether it waits for another
	 * loop's batch. */
	struct call *held;
	struct call **held_last;
	struct completion audit_write, audit_sync, sync_timer, background_sync;
	int audit_fd;
	struct wire_bytes audit_batch;
	bool audit_in_flight, audit_must_sync, audit_at_once, sync_timer_armed;
	uint64_t slow_disk_until_ns; /* until then audit writes go through the ring */
	struct __kernel_timespec sync_delay, drain_delay;
	atomic_bool waits_for_audit;

	/* From a change of a token to its metadata in the kernel's keyrings; loop 0 also renews. */
	struct completion keyring_timer, keyring_renewal;
	struct completion window_timer; /* of connection_window.c */
	struct __kernel_timespec window_delay;
	bool window_timer_armed;
	struct completion tick; /* of loop 0 */
	char today[8];          /* when it came last */
	struct __kernel_timespec tick_period;
	struct __kernel_timespec keyring_delay, keyring_period;

	/* Connections and spare calls. */
	struct connection *connections; /* list */
	struct connection *awake;       /* whose rings are polled (connection_ring.h) */
	atomic_uint awake_count;        /* of them; other loops look before they send one here */
	struct connection *unsent;      /* that have replies to send */
	uint8_t *ring_frame;            /* a frame out of a ring; WIRE_RING_SIZE octets, locked */
	atomic_uint connection_count;   /* other loops look before they send one here */
	uint8_t file_used[LOOP_FILES];
	uint32_t file_count; /* of them are registered with the ring */
	uint32_t next_file;
	struct call *spare_calls;
	unsigned int spare_call_count;

	/* Adaptive polling: spin after a reply only while requests have been coming soon after
	 * replies. */
	uint64_t last_reply_ns;
	uint64_t last_took_ns; /* the call it answered */
	bool spin;
	bool stopping;
	bool overdue; /* the drain's deadline passed */
};

/*
 * Makes agent->loop_count loops; listen_fd goes to the first. 0, or -1 with one line in `error`
 * (io_uring missing or forbidden included).
 */
int loops_open(struct agent *agent, int listen_fd, char *error, size_t error_len);
/*
 * Starts the threads, calls `ready` when every loop can serve, then waits until all have ended
 * (SIGTERM or SIGINT). 0 or -1.
 */
int loops_run(struct agent *agent, void (*ready)(struct agent *), char *error, size_t error_len);
/* Frees the loops. No thread of theirs runs. */
void loops_close(struct agent *agent);

/* An SQE for this completion, never NULL: a full queue is submitted first. Loop thread only. */
struct io_uring_sqe *loop_sqe(struct loop *loop, struct completion *completion);
/* Gives a receive buffer back to the kernel, wiped. */
void loop_recycle_buffer(struct loop *loop, uint16_t id, size_t used_len);
/* How long the loop spins for the next request. */
uint64_t loop_busy_poll_ns(const struct loop *loop);
/* The completion comes once, after this time. `when` lasts until then. */
void loop_arm_timer(struct loop *loop, struct completion *completion, unsigned int delay_ms,
                    struct __kernel_timespec *when);
/* A blank call; NULL when there is no memory. */
struct call *loop_call_new(struct loop *loop);
/* Wipes it and keeps it for the next. */
void loop_call_free(struct loop *loop, struct call *call);
/* Runs a call whose frame has been received, here or on a worker; its reply is sent by
 * connection_reply in due time. */
void loop_run_call(struct loop *loop, struct call *call);
/* Any thread: a worker has run this call. */
void loop_post_call(struct loop *loop, struct call *call);
/* Another loop: this connection is yours now. False when that loop has ended. */
bool loop_post_connection(struct loop *loop, struct connection *connection);
/* A call has run: its reply goes out now, or waits for its record. */
void loop_call_done(struct loop *loop, struct call *call);
/* Takes a list of calls that workers have run. */
void loop_finish_calls(struct loop *loop, struct call *calls);
/* Loop 0: looks after the tokens' metadata in the kernel's keyrings from now on. */
void loop_renew_keyring(struct loop *loop);
/* loop_tick.c: begins to look at the clock, and to tell the supervisor, once a second. */
void loop_arm_tick(struct loop *loop);
/* Frees the spare calls. */
void loop_calls_destroy(struct loop *loop);
/* Writes what is pending in the audit log, unless another loop is at it; then that one wakes us. */
void loop_write_audit(struct loop *loop);
/* Sends every held reply whose record is written. */
void loop_release_held(struct loop *loop);
/* Wakes the other loops that hold replies. */
void loops_wake_for_audit(struct loop *loop);

#endif
