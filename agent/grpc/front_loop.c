/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loops: rings, threads, accepting, mail between threads, signals, the clock, and the drain.
 * What is done with a connection is client.c's.
 */
#include "grpc/front.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "clock.h"
#include "grpc/client.h"
#include "grpc/http.h"
#include "grpc/rpc.h"
#include "grpc/watch.h"
#include "log.h"
#include "notify.h"

_Static_assert(FRONT_PLAIN_LEN >= HTTP_ROOM_MIN, "a frame fits a record");

#define RING_ENTRIES    512u
#define DRAIN_MS        5000u
#define ACCEPT_PAUSE_MS 100u
#define TICK_MS         1000u
#define TICK_FAST_MS    20u /* while a call has a deadline */
#define MAIL_FIRST      16u

/* ---- what is to be sent ---- */

void front_mark_dirty(struct client *client)
{
	struct loop *loop = client->loop;

	if (client->is_dirty)
		return;
	client->is_dirty = true;
	client->dirty_next = loop->dirty;
	loop->dirty = client;
}

static void flush_dirty(struct loop *loop)
{
	while (loop->dirty) {
		struct client *client = loop->dirty;

		loop->dirty = client->dirty_next;
		client->is_dirty = false;
		client_flush(client);
	}
}

/* ---- mail ---- */

static void write_wake(struct loop *loop)
{
	uint64_t one = 1;

	if (write(loop->wake_fd, &one, sizeof(one)) != sizeof(one))
		log_error("loop %u: wake failed: %s", loop->index, strerror(errno));
}

/* Under the mail lock. */
static bool reserve_mail(struct loop *loop)
{
	unsigned int capacity = loop->mail_capacity ? 2 * loop->mail_capacity : MAIL_FIRST;
	int *grown;

	if (loop->mail_count < loop->mail_capacity)
		return true;
	grown = reallocarray(loop->mail_fds, capacity, sizeof(*grown));
	if (!grown)
		return false;
	loop->mail_fds = grown;
	loop->mail_capacity = capacity;
	return true;
}

static bool post_descriptor(struct loop *loop, int fd)
{
	bool fits;

	pthread_mutex_lock(&loop->mail_lock);
	fits = reserve_mail(loop);
	if (fits)
		loop->mail_fds[loop->mail_count++] = fd;
	pthread_mutex_unlock(&loop->mail_lock);
	if (fits)
		write_wake(loop);
	return fits;
}

void front_errand_done(struct errand *errand)
{
	struct loop *loop = errand->loop;

	pthread_mutex_lock(&loop->mail_lock);
	errand->next = loop->mail_errands;
	loop->mail_errands = errand;
	pthread_mutex_unlock(&loop->mail_lock);
	write_wake(loop);
}

static void take_errands(struct errand *list)
{
	while (list) {
		struct errand *errand = list;

		list = errand->next;
		errand->done(errand);
	}
}

static void arm_wake(struct loop *loop)
{
	io_uring_prep_read(uring_sqe(&loop->ring, &loop->wake), loop->wake_fd, &loop->wake_value,
	                   sizeof(loop->wake_value), 0);
}

static void begin_drain(struct loop *loop);

static void on_wake(struct loop *loop, struct completion *completion, int32_t result,
                    uint32_t flags)
{
	struct errand *errands;
	unsigned int count;
	int *fds;

	(void)completion;
	(void)result;
	(void)flags;
	pthread_mutex_lock(&loop->mail_lock);
	fds = loop->mail_fds;
	count = loop->mail_count;
	errands = loop->mail_errands;
	loop->mail_errands = NULL;
	loop->mail_fds = NULL;
	loop->mail_count = loop->mail_capacity = 0;
	pthread_mutex_unlock(&loop->mail_lock);
	take_errands(errands);
	for (unsigned int i = 0; i < count; i++) {
		if (loop->stopping)
			close(fds[i]);
		else
			client_open(loop, fds[i]);
	}
	free(fds);
	if (atomic_load(&loop->front->stopping) && !loop->stopping)
		begin_drain(loop);
	arm_wake(loop);
}

/* ---- accepting ---- */

static void arm_accept(struct loop *loop)
{
	io_uring_prep_multishot_accept(uring_sqe(&loop->ring, &loop->accept), loop->listen_fd, NULL,
	                               NULL, SOCK_CLOEXEC);
	loop->accepting = true;
}

static void distribute(struct loop *loop, int fd)
{
	struct front *front = loop->front;
	struct loop *target = front->loops[loop->next_loop++ % front->loop_count];

	if (target == loop)
		client_open(loop, fd);
	else if (!post_descriptor(target, fd))
		close(fd);
}

static void on_accept_again(struct loop *loop, struct completion *completion, int32_t result,
                            uint32_t flags)
{
	(void)completion;
	(void)result;
	(void)flags;
	if (!loop->stopping)
		arm_accept(loop);
}

/* Out of descriptors or memory: at once it would fail again, so a moment later. */
static void pause_accept(struct loop *loop, int error)
{
	if (!loop->accept_failing)
		log_warning("accept failed: %s; connections wait", strerror(error));
	loop->accept_failing = true;
	uring_timer(&loop->ring, &loop->accept_again, ACCEPT_PAUSE_MS, &loop->accept_delay);
}

static void on_accepted(struct loop *loop, struct completion *completion, int32_t result,
                        uint32_t flags)
{
	(void)completion;
	if (!(flags & IORING_CQE_F_MORE))
		loop->accepting = false;
	if (result >= 0 && loop->stopping)
		close(result);
	else if (result >= 0)
		distribute(loop, result);
	if (result >= 0)
		loop->accept_failing = false;
	if (loop->accepting || loop->stopping)
		return;
	if (result < 0)
		pause_accept(loop, -result);
	else
		arm_accept(loop);
}

/* ---- the clock ---- */

static void arm_tick(struct loop *loop)
{
	uring_timer(&loop->ring, &loop->tick, loop->deadlines ? TICK_FAST_MS : TICK_MS,
	            &loop->tick_period);
}

/* A call that brings the first deadline waits for the present tick, so that one is made quick. */
void front_count_deadline(struct loop *loop, bool begins)
{
	struct io_uring_sqe *sqe;

	if (!begins) {
		loop->deadlines--;
		return;
	}
	if (loop->deadlines++ || loop->ticks_fast)
		return;
	loop->ticks_fast = true;
	loop->tick_period = (struct __kernel_timespec){.tv_nsec = TICK_FAST_MS * 1000000ll};
	sqe = uring_sqe(&loop->ring, &loop->ignored);
	io_uring_prep_timeout_update(sqe, &loop->tick_period, (uint64_t)(uintptr_t)&loop->tick, 0);
}

/* Loop 0 also tells the supervisor that it is alive, and asks the agent how it is; once a second.
 */
static void look_after(struct loop *loop)
{
	if (loop->now_ns - loop->looked_ns < (uint64_t)TICK_MS * 900000)
		return;
	loop->looked_ns = loop->now_ns;
	if (loop->watch)
		watch_tick(loop->watch);
	if (loop->index == 0 && notify_watchdog_ms())
		notify_send("WATCHDOG=1");
}

static void on_tick(struct loop *loop, struct completion *completion, int32_t result,
                    uint32_t flags)
{
	unsigned int changes = atomic_load(&loop->front->agent_changes);
	bool changed = changes != loop->told_agent;

	(void)completion;
	(void)result;
	(void)flags;
	loop->told_agent = changes;
	for (struct client *client = loop->clients, *next; client; client = next) {
		next = client->next;
		client_tick(client, changed);
	}
	look_after(loop);
	loop->ticks_fast = loop->deadlines > 0;
	arm_tick(loop);
}

/* ---- signals and the drain ---- */

static void arm_signal(struct loop *loop)
{
	io_uring_prep_poll_add(uring_sqe(&loop->ring, &loop->signal), loop->signal_fd, POLLIN);
}

static void stop_all(struct front *front)
{
	if (!front->drain_end_ns)
		front->drain_end_ns = clock_monotonic_ns() + DRAIN_MS * 1000000ull;
	atomic_store(&front->stopping, true);
	for (unsigned int i = 0; i < front->loop_count; i++)
		write_wake(front->loops[i]);
}

static void reload(struct errand *errand)
{
	front_reload(errand->loop->front);
}

static void on_reloaded(struct errand *errand);

/* One at a time. What is ordered while one is under way may have changed what that has already
 * read, so there is one more afterwards. */
static void begin_reload(struct loop *loop)
{
	loop->reload_again = loop->reloading;
	if (loop->reloading)
		return;
	loop->reloading = true;
	notify_send("RELOADING=1");
	loop->reload = (struct errand){.run = reload, .loop = loop, .done = on_reloaded};
	errands_add(loop->front->reloads, &loop->reload);
}

static void on_reloaded(struct errand *errand)
{
	struct loop *loop = errand->loop;

	loop->reloading = false;
	if (atomic_load(&loop->front->stopping))
		return;
	notify_send("READY=1");
	if (loop->reload_again)
		begin_reload(loop);
}

static void on_signal(struct loop *loop, struct completion *completion, int32_t result,
                      uint32_t flags)
{
	struct signalfd_siginfo signal;

	(void)completion;
	(void)result;
	(void)flags;
	while (read(loop->signal_fd, &signal, sizeof(signal)) == sizeof(signal)) {
		if (signal.ssi_signo == SIGHUP) {
			if (!atomic_load(&loop->front->stopping))
				begin_reload(loop);
			continue;
		}
		log_notice("stopping: %s from pid %u", strsignal((int)signal.ssi_signo),
		           signal.ssi_pid);
		notify_send("STOPPING=1");
		stop_all(loop->front);
	}
	arm_signal(loop);
}

static void on_deadline(struct loop *loop, struct completion *completion, int32_t result,
                        uint32_t flags)
{
	(void)completion;
	(void)result;
	(void)flags;
	for (struct client *client = loop->clients, *next; client; client = next) {
		next = client->next;
		client_close(client);
	}
}

static void ignore(struct loop *loop, struct completion *completion, int32_t result, uint32_t flags)
{
	(void)loop;
	(void)completion;
	(void)result;
	(void)flags;
}

static void begin_drain(struct loop *loop)
{
	loop->stopping = true;
	if (loop->accepting)
		io_uring_prep_cancel(uring_sqe(&loop->ring, &loop->ignored), &loop->accept, 0);
	for (struct client *client = loop->clients, *next; client; client = next) {
		next = client->next;
		client_drain(client);
	}
	loop->deadline.handler = on_deadline;
	uring_timer(&loop->ring, &loop->deadline, DRAIN_MS, &loop->drain_delay);
	(void)watch_stop(loop->watch);
}

/* A client whose handshake is with the agent has been closed, and is not waited for:
 * front_loops_run says what that means. */
static bool has_clients(const struct loop *loop)
{
	for (const struct client *client = loop->clients; client; client = client->next)
		if (!client->away)
			return true;
	return false;
}

static bool drained(struct loop *loop)
{
	return loop->stopping && !has_clients(loop) && watch_stop(loop->watch);
}

/* ---- the thread ---- */

static int open_ring(struct loop *loop)
{
	int error = uring_open(&loop->ring, RING_ENTRIES);

	if (error)
		return error;
	loop->ring_ready = true;
	loop->octets = malloc((size_t)FRONT_BUFFER_COUNT * FRONT_BUFFER_LEN);
	loop->plain = malloc(FRONT_PLAIN_LEN);
	loop->record = malloc(FRONT_PLAIN_LEN);
	if (!loop->octets || !loop->plain || !loop->record)
		return -ENOMEM;
	return uring_buffers_open(&loop->buffers, &loop->ring, loop->octets, FRONT_BUFFER_LEN,
	                          FRONT_BUFFER_COUNT);
}

static void arm_all(struct loop *loop)
{
	arm_wake(loop);
	arm_tick(loop);
	if (loop->signal_fd >= 0)
		arm_signal(loop);
	if (loop->listen_fd >= 0)
		arm_accept(loop);
	if (loop->index == 0)
		loop->watch = watch_open(loop);
}

/* A SINGLE_ISSUER ring belongs to the thread that enables it, so it is made here. */
static void *run(void *argument)
{
	struct loop *loop = argument;

	loop->open_error = open_ring(loop);
	pthread_barrier_wait(loop->ready);
	if (loop->open_error)
		return NULL;
	loop->now_ns = clock_monotonic_ns();
	arm_all(loop);
	while (!drained(loop)) {
		io_uring_submit_and_wait(&loop->ring, 1);
		loop->now_ns = clock_monotonic_ns();
		uring_run(&loop->ring, loop);
		flush_dirty(loop);
	}
	OPENSSL_thread_stop();
	return NULL;
}

/* ---- opening and closing ---- */

static struct loop *loop_new(struct front *front, unsigned int index)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->front = front;
	loop->index = index;
	loop->listen_fd = loop->signal_fd = -1;
	loop->accept.handler = on_accepted;
	loop->accept_again.handler = on_accept_again;
	loop->wake.handler = on_wake;
	loop->tick.handler = on_tick;
	loop->signal.handler = on_signal;
	loop->ignored.handler = ignore;
	pthread_mutex_init(&loop->mail_lock, NULL);
	loop->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (loop->wake_fd >= 0)
		return loop;
	pthread_mutex_destroy(&loop->mail_lock);
	free(loop);
	return NULL;
}

/* Each client takes two descriptors. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		log_warning("the limit of open files cannot be raised: %s", strerror(errno));
}

int front_loops_open(struct front *front, char *error, size_t error_len)
{
	raise_descriptor_limit();
	front->loops = calloc(front->loop_count, sizeof(*front->loops));
	for (unsigned int i = 0; front->loops && i < front->loop_count; i++) {
		front->loops[i] = loop_new(front, i);
		if (!front->loops[i])
			goto failed;
	}
	if (!front->loops)
		goto failed;
	front->loops[0]->listen_fd = front->listen_fd;
	front->loops[0]->signal_fd = uring_signals();
	front->handshakes = errands_open();
	front->reloads = errands_open();
	if (front->handshakes && front->reloads && front->loops[0]->signal_fd >= 0)
		return 0;
failed:
	snprintf(error, error_len, "cannot make the event loops: %s", strerror(errno));
	return -1;
}

static int start_threads(struct front *front, pthread_barrier_t *ready)
{
	for (unsigned int i = 0; i < front->loop_count; i++) {
		struct loop *loop = front->loops[i];

		loop->ready = ready;
		if (pthread_create(&loop->thread, NULL, run, loop))
			return -1;
		loop->started = true;
	}
	return 0;
}

static int first_open_error(const struct front *front)
{
	for (unsigned int i = 0; i < front->loop_count; i++)
		if (front->loops[i]->open_error)
			return front->loops[i]->open_error;
	return 0;
}

int front_loops_run(struct front *front, void (*ready_function)(struct front *), char *error,
                    size_t error_len)
{
	pthread_barrier_t ready;
	int ring_error;

	pthread_barrier_init(&ready, NULL, front->loop_count + 1);
	if (start_threads(front, &ready)) {
		/* Threads at the barrier cannot be called back; the process ends with them. */
		snprintf(error, error_len,
		         "cannot start the event loops: %s; raise the limit of tasks",
		         strerror(errno));
		return -1;
	}
	pthread_barrier_wait(&ready);
	ring_error = first_open_error(front);
	if (ring_error)
		stop_all(front);
	else
		ready_function(front);
	for (unsigned int i = 0; i < front->loop_count; i++)
		pthread_join(front->loops[i]->thread, NULL);
	pthread_barrier_destroy(&ready);
	if (ring_error)
		snprintf(error, error_len,
		         "io_uring cannot be used: %s; it is required (Linux 6.0 or newer, "
		         "kernel.io_uring_disabled=0)",
		         strerror(-ring_error));
	return ring_error ? -1 : 0;
}

static void loop_free(struct loop *loop)
{
	if (loop->ring_ready)
		io_uring_queue_exit(&loop->ring);
	watch_free(loop->watch);
	while (loop->spare_rpcs) {
		struct rpc *rpc = loop->spare_rpcs;

		loop->spare_rpcs = rpc->next;
		rpc_destroy(rpc);
	}
	memory_close(&loop->memory);
	uring_buffers_close(&loop->buffers);
	free(loop->octets);
	free(loop->plain);
	free(loop->record);
	free(loop->mail_fds);
	close(loop->wake_fd);
	if (loop->signal_fd >= 0)
		close(loop->signal_fd);
	pthread_mutex_destroy(&loop->mail_lock);
	free(loop);
}

void front_loops_close(struct front *front)
{
	errands_close(front->handshakes);
	errands_close(front->reloads);
	front->handshakes = front->reloads = NULL;
	for (unsigned int i = 0; front->loops && i < front->loop_count; i++)
		if (front->loops[i])
			loop_free(front->loops[i]);
	free(front->loops);
	front->loops = NULL;
}
