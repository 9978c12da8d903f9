/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring's mechanics, without any policy: see uring.h.
 */
#include "uring.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

#include "wire/buffer.h"

#define COMPLETIONS_MAX 64u

int uring_open(struct io_uring *ring, unsigned int entries)
{
	struct io_uring_params wishes = {.flags = IORING_SETUP_SINGLE_ISSUER |
	                                          IORING_SETUP_DEFER_TASKRUN |
	                                          IORING_SETUP_TASKRUN_FLAG};
	struct io_uring_params plain = {0};
	int error;

	error = io_uring_queue_init_params(entries, ring, &wishes);
	if (error == -EINVAL) /* before Linux 6.1 */
		error = io_uring_queue_init_params(entries, ring, &plain);
	if (error)
		return error;
	/* Saves a look-up at every entry; without it all works as well. */
	io_uring_register_ring_fd(ring);
	return 0;
}

struct io_uring_sqe *uring_sqe(struct io_uring *ring, struct completion *completion)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	while (!sqe) {
		/* The queue is full: submitting empties it. Interrupted or short of memory, it is
		 * tried again. */
		io_uring_submit(ring);
		sqe = io_uring_get_sqe(ring);
	}
	io_uring_sqe_set_data(sqe, completion);
	return sqe;
}

void uring_run(struct io_uring *ring, struct loop *loop)
{
	struct io_uring_cqe *cqes[COMPLETIONS_MAX];
	unsigned int count = io_uring_peek_batch_cqe(ring, cqes, COMPLETIONS_MAX);

	for (unsigned int i = 0; i < count; i++) {
		struct completion *completion = io_uring_cqe_get_data(cqes[i]);

		completion->handler(loop, completion, cqes[i]->res, cqes[i]->flags);
	}
	io_uring_cq_advance(ring, count);
}

void uring_timer(struct io_uring *ring, struct completion *completion, unsigned int delay_ms,
                 struct __kernel_timespec *when)
{
	struct io_uring_sqe *sqe = uring_sqe(ring, completion);

	when->tv_sec = delay_ms / 1000;
	when->tv_nsec = (long long)(delay_ms % 1000) * 1000000;
	io_uring_prep_timeout(sqe, when, 0, 0);
}

int uring_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void offer(struct uring_buffers *buffers, uint16_t id)
{
	io_uring_buf_ring_add(buffers->offers, buffers->octets + (size_t)id * buffers->len,
	                      (unsigned int)buffers->len, id,
	                      io_uring_buf_ring_mask(buffers->count), 0);
	io_uring_buf_ring_advance(buffers->offers, 1);
}

int uring_buffers_open(struct uring_buffers *buffers, struct io_uring *ring, uint8_t *octets,
                       size_t len, unsigned int count)
{
	struct io_uring_buf_reg registration = {.ring_entries = count, .bgid = 0};
	size_t offers_len = count * sizeof(struct io_uring_buf);
	int error;

	*buffers = (struct uring_buffers){.octets = octets, .len = len, .count = count};
	if (posix_memalign((void **)&buffers->offers, 4096, offers_len))
		return -ENOMEM;
	memset(buffers->offers, 0, offers_len);
	registration.ring_addr = (uint64_t)(uintptr_t)buffers->offers;
	error = io_uring_register_buf_ring(ring, &registration, 0);
	if (error)
		return error;
	io_uring_buf_ring_init(buffers->offers);
	for (uint16_t id = 0; id < count; id++)
		offer(buffers, id);
	return 0;
}

void uring_buffers_recycle(struct uring_buffers *buffers, uint16_t id, size_t used_len)
{
	wire_wipe(buffers->octets + (size_t)id * buffers->len, used_len);
	offer(buffers, id);
}

void uring_buffers_close(struct uring_buffers *buffers)
{
	free(buffers->offers);
	buffers->offers = NULL;
}
