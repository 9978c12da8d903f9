/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring as every program with a loop uses it: a ring for one thread, SQEs that lead to a
 * completion, receive buffers that the kernel takes from, timers and signals. What the completions
 * mean, and the loop itself, are the program's; `struct loop` is whatever it defines.
 */
#ifndef AGENT_URING_H
#define AGENT_URING_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

#include "completion.h"

/* Opens the ring for the calling thread, which alone may use it. 0 or -errno. */
int uring_open(struct io_uring *ring, unsigned int entries);
/* An SQE for this completion, never NULL: a full queue is submitted first. */
struct io_uring_sqe *uring_sqe(struct io_uring *ring, struct completion *completion);
/* Calls the completions that are there, up to a bound. */
void uring_run(struct io_uring *ring, struct loop *loop);
/* The completion comes once, after this time. `when` lasts until then. */
void uring_timer(struct io_uring *ring, struct completion *completion, unsigned int delay_ms,
                 struct __kernel_timespec *when);
/* SIGTERM, SIGINT and SIGHUP, which are blocked, as a descriptor; -1 with errno. */
int uring_signals(void);

/*
 * Receive buffers of one size, `count` (a power of two) of them in `octets`, offered to the kernel
 * as group 0. The ring of offers is read by the kernel through pinned pages; the buffers are only
 * copied to, so that they may lie in memory that cannot be pinned.
 */
struct uring_buffers {
	struct io_uring_buf_ring *offers;
	uint8_t *octets;
	size_t len; /* of each */
	unsigned int count;
};

/* `octets` stays the caller's. 0 or -errno. */
int uring_buffers_open(struct uring_buffers *buffers, struct io_uring *ring, uint8_t *octets,
                       size_t len, unsigned int count);
/* Gives one back to the kernel, wiped. */
void uring_buffers_recycle(struct uring_buffers *buffers, uint16_t id, size_t used_len);
/* Frees the offers, after the ring was closed. */
void uring_buffers_close(struct uring_buffers *buffers);

#endif
