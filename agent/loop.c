/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loops themselves: rings, threads, receive buffers, accepting, mail between threads, signals
 * and the drain. What is done with a call is in loop_call.c.
 */
#include "loop.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "audit.h"
#include "config.h"
#include "reload.h"
#include "connection.h"
#include "connection_ring.h"
#include "events.h"
#include "log.h"
#include "notify.h"
#include "slots.h"

#define RING_ENTRIES    256u
#define DRAIN_SECONDS   5
#define ACCEPT_PAUSE_NS 100000000
#define LOOKS_PER_ENTRY 32u /* at shared memory, for one at the completion queue */

struct io_uring_sqe *loop_sqe(struct loop *loop, struct completion *completion)
{
	return uring_sqe(&loop->ring, completion);
}

/* ---- receive buffers ---- */

void loop_recycle_buffer(struct loop *loop, uint16_t id, size_t used_len)
{
	uring_buffers_recycle(&loop->offers, id, used_len);
}

static int open_buffers(struct loop *loop)
{
	loop->buffers = slots_allocate((size_t)LOOP_BUFFER_COUNT * LOOP_BUFFER_LEN);
	loop->ring_frame = slots_allocate(WIRE_RING_SIZE);
	if (!loop->buffers || !loop->ring_frame)
		return -ENOMEM;
	return uring_buffers_open(&loop->offers, &loop->ring, loop->buffers, LOOP_BUFFER_LEN,
	                          LOOP_BUFFER_COUNT);
}

/* ---- mail ---- */

static void write_wake(struct loop *loop)
{
	uint64_t one = 1;

	/* An eventfd takes 2^64 - 2 wakes; the only failure left is a bug. */
	if (write(loop->wake_fd, &one, sizeof(one)) != sizeof(one))
		log_error("loop %u: wake failed: %s", loop->index, strerror(errno));
}

/* Under the mail lock: is this the first letter since the last reading? */
static bool first_letter(struct loop *loop)
{
	bool first = !loop->mail_pending;

	loop->mail_pending = true;
	return first;
}

static void wake(struct loop *loop)
{
	bool first;

	pthread_mutex_lock(&loop->mail_lock);
	first = first_letter(loop);
	pthread_mutex_unlock(&loop->mail_lock);
	if (first)
		write_wake(loop);
}

void loop_post_call(struct loop *loop, struct call *call)
{
	bool first;

	pthread_mutex_lock(&loop->mail_lock);
	call->next = loop->mail_calls;
	loop->mail_calls = call;
	first = first_letter(loop);
	pthread_mutex_unlock(&loop->mail_lock);
	if (first)
		write_wake(loop);
}

bool loop_post_connection(struct loop *loop, struct connection *connection)
{
	bool first = false, taken;

	pthread_mutex_lock(&loop->mail_lock);
	taken = !loop->ended;
	if (taken) {
		connection->next = loop->mail_connections;
		loop->mail_connections = connection;
		first = first_letter(loop);
	}
	pthread_mutex_unlock(&loop->mail_lock);
	if (first)
		write_wake(loop);
	return taken;
}

/* Under the mail lock. */
static bool reserve_descriptor(struct loop *loop)
{
	unsigned int capacity = loop->mail_fd_capacity ? loop->mail_fd_capacity * 2 : 16;
	int *grown;

	if (loop->mail_fd_count < loop->mail_fd_capacity)
		return true;
	grown = reallocarray(loop->mail_fds, capacity, sizeof(*grown));
	if (!grown)
		return false;
	loop->mail_fds = grown;
	loop->mail_fd_capacity = capacity;
	return true;
}

/* False when there is no memory; the descriptor is still the caller's. */
static bool post_descriptor(struct loop *loop, int fd)
{
	bool first = false, fits;

	pthread_mutex_lock(&loop->mail_lock);
	fits = reserve_descriptor(loop);
	if (fits) {
		loop->mail_fds[loop->mail_fd_count++] = fd;
		first = first_letter(loop);
	}
	pthread_mutex_unlock(&loop->mail_lock);
	if (first)
		write_wake(loop);
	return fits;
}

void loops_wake_for_audit(struct loop *loop)
{
	struct agent *agent = loop->agent;

	for (unsigned int i = 0; i < agent->loop_count; i++) {
		struct loop *other = agent->loops[i];

		if (other != loop && atomic_exchange(&other->waits_for_audit, false))
			wake(other);
	}
}

static void arm_wake(struct loop *loop)
{
	struct io_uring_sqe *sqe = loop_sqe(loop, &loop->wake);

	io_uring_prep_read(sqe, loop->wake_fd, &loop->wake_value, sizeof(loop->wake_value), 0);
}

static void open_descriptors(struct loop *loop, const int *fds, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (loop->stopping)
			close(fds[i]);
		else
			connection_open(loop, fds[i]);
	}
}

static void adopt_connections(struct loop *loop, struct connection *connections)
{
	while (connections) {
		struct connection *connection = connections;

		connections = connection->next;
		connection_adopt(loop, connection);
	}
}

static void begin_drain(struct loop *loop);

static void on_wake(struct loop *loop, struct completion *completion, int32_t result,
                    uint32_t flags)
{
	struct connection *connections;
	unsigned int fd_count;
	struct call *calls;
	int *fds;

	(void)completion;
	(void)result;
	(void)flags;
	pthread_mutex_lock(&loop->mail_lock);
	calls = loop->mail_calls;
	connections = loop->mail_connections;
	fds = loop->mail_fds;
	fd_count = loop->mail_fd_count;
	loop->mail_calls = NULL;
	loop->mail_connections = NULL;
	loop->mail_fds = NULL;
	loop->mail_fd_count = loop->mail_fd_capacity = 0;
	loop->mail_pending = false;
	pthread_mutex_unlock(&loop->mail_lock);
	open_descriptors(loop, fds, fd_count);
	free(fds);
	adopt_connections(loop, connections);
	loop_finish_calls(loop, calls);
	loop_release_held(loop);
	if (atomic_load(&loop->agent->stopping) && !loop->stopping)
		begin_drain(loop);
	arm_wake(loop);
}

/* ---- accepting ---- */

static void arm_accept(struct loop *loop)
{
	struct io_uring_sqe *sqe = loop_sqe(loop, &loop->accept);

	/* Blocking sockets: of others io_uring would report EAGAIN instead of waiting. */
	io_uring_prep_multishot_accept(sqe, loop->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	loop->accepting = true;
}

/* Connections go round the loops. */
static void distribute(struct loop *loop, int fd)
{
	struct agent *agent = loop->agent;
	struct loop *target = agent->loops[loop->next_loop++ % agent->loop_count];

	if (target == loop)
		connection_open(loop, fd);
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
	loop->accept_again.handler = on_accept_again;
	loop->accept_delay = (struct __kernel_timespec){.tv_nsec = ACCEPT_PAUSE_NS};
	io_uring_prep_timeout(loop_sqe(loop, &loop->accept_again), &loop->accept_delay, 0, 0);
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

/* ---- the drain ---- */

static void on_deadline(struct loop *loop, struct completion *completion, int32_t result,
                        uint32_t flags)
{
	(void)completion;
	(void)result;
	(void)flags;
	loop->overdue = true;
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
	struct connection *next;

	loop->stopping = true;
	if (loop->accepting)
		io_uring_prep_cancel(loop_sqe(loop, &loop->ignored), &loop->accept, 0);
	for (struct connection *each = loop->connections; each; each = next) {
		next = each->next;
		connection_drain(each);
	}
	loop->deadline.handler = on_deadline;
	loop->drain_delay = (struct __kernel_timespec){.tv_sec = DRAIN_SECONDS};
	io_uring_prep_timeout(loop_sqe(loop, &loop->deadline), &loop->drain_delay, 0, 0);
}

static bool drained(const struct loop *loop)
{
	if (!loop->stopping || loop->audit_in_flight)
		return false;
	return loop->overdue || (!loop->connections && !loop->held);
}

/* Another loop may send a connection until it has seen the stop itself; from here on it keeps what
 * it has. False when one has come already. */
static bool end(struct loop *loop)
{
	pthread_mutex_lock(&loop->mail_lock);
	loop->ended = loop->overdue || !loop->mail_connections;
	pthread_mutex_unlock(&loop->mail_lock);
	return loop->ended;
}

static void arm_signal(struct loop *loop)
{
	io_uring_prep_poll_add(loop_sqe(loop, &loop->signal), loop->signal_fd, POLLIN);
}

static void stop_all(struct agent *agent)
{
	atomic_store(&agent->stopping, true);
	for (unsigned int i = 0; i < agent->loop_count; i++)
		wake(agent->loops[i]);
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
			notify_send("RELOADING=1");
			reload_configuration(loop->agent);
			notify_send("READY=1");
			loop_write_audit(loop);
			continue;
		}
		log_notice("stopping: %s from pid %u", strsignal((int)signal.ssi_signo),
		           signal.ssi_pid);
		notify_send("STOPPING=1");
		stop_all(loop->agent);
	}
	arm_signal(loop);
}

/* ---- kernel events ---- */

static void arm_event(struct loop *loop)
{
	io_uring_prep_poll_add(loop_sqe(loop, &loop->event), loop->event_fd, POLLIN);
}

static void on_event(struct loop *loop, struct completion *completion, int32_t result,
                     uint32_t flags)
{
	uint64_t ticket;

	(void)completion;
	(void)flags;
	if (result < 0) {
		log_error("kernel events are heard no more: %s", strerror(-result));
		return;
	}
	ticket = events_read(loop->agent->events);
	if (ticket)
		loop->event_ticket = ticket;
	arm_event(loop);
}

/* Is there a reply, or the record of an event, that waits for the audit log? */
static bool owes_audit(const struct loop *loop)
{
	return loop->held || loop->event_ticket > audit_written(loop->agent->audit);
}

/* ---- the thread ---- */

static void pin(struct loop *loop)
{
	cpu_set_t set;

	if (loop->cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(loop->cpu, &set);
	if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set) ||
	    io_uring_register_iowq_aff(&loop->ring, sizeof(set), &set))
		log_warning("loop %u: cannot be pinned to core %d; it will be slower", loop->index,
		            loop->cpu);
}

static bool rings_have_work(struct loop *loop)
{
	for (unsigned int i = 0; i < LOOKS_PER_ENTRY; i++) {
		if (connection_rings_ready(loop))
			return true;
	}
	return false;
}

/* Looks, without a system call, whether the kernel has something: a completion, or work that it
 * wants to do in this thread first. */
static bool kernel_has_work(struct loop *loop)
{
	unsigned int flags = IO_URING_READ_ONCE(*loop->ring.sq.kflags);

	return io_uring_cq_ready(&loop->ring) ||
	       (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW));
}

/* Looks for work without sleeping, as long as the budget lasts. */
static bool spin(struct loop *loop)
{
	uint64_t until = loop->last_reply_ns + loop_busy_poll_ns(loop);

	do {
		if (loop->awake && rings_have_work(loop))
			return true;
		if (epoch_crowd(&loop->agent->epoch))
			sched_yield(); /* to a client that has the next request */
		if (!loop->taskrun_flag || kernel_has_work(loop))
			io_uring_get_events(&loop->ring);
		if (io_uring_cq_ready(&loop->ring))
			return true;
	} while (clock_monotonic_ns() < until);
	loop->spin = false;
	return false;
}

static void wait_for_completions(struct loop *loop)
{
	/* An append to the audit log runs on this core: spinning would keep it, and the replies
	 * that wait for it, from running. */
	if (loop->spin && !(loop->audit_in_flight && loop->held) && !loop->stopping) {
		connections_send(loop);
		io_uring_submit(&loop->ring);
		if (spin(loop))
			return;
	}
	if (audit_is_pending(loop->agent->audit))
		loop_write_audit(loop);
	connections_send(loop);
	if (connection_rings_sleep(loop))
		io_uring_submit_and_wait(&loop->ring, 1);
	else
		io_uring_submit(&loop->ring);
}

static int open_ring(struct loop *loop)
{
	int error = uring_open(&loop->ring, RING_ENTRIES);

	if (error)
		return error;
	loop->ring_ready = true;
	loop->taskrun_flag = loop->ring.flags & IORING_SETUP_TASKRUN_FLAG;
	error = io_uring_register_files_sparse(&loop->ring, loop->file_count);
	return error ? error : open_buffers(loop);
}

static void arm_all(struct loop *loop)
{
	arm_wake(loop);
	if (loop->signal_fd >= 0)
		arm_signal(loop);
	if (loop->event_fd >= 0)
		arm_event(loop);
	if (loop->index == 0) {
		loop_renew_keyring(loop);
		loop_arm_tick(loop);
	}
	if (loop->listen_fd >= 0)
		arm_accept(loop);
}

/* A SINGLE_ISSUER ring belongs to the thread that enables it, so the ring is made here and the
 * result reported. */
static void *run(void *argument)
{
	struct loop *loop = argument;

	loop->open_error = open_ring(loop);
	pthread_barrier_wait(loop->ready);
	if (loop->open_error)
		return NULL;
	pin(loop);
	arm_all(loop);
	while (!drained(loop) || !end(loop)) {
		wait_for_completions(loop);
		uring_run(&loop->ring, loop);
		connection_rings_run(loop);
		audit_catch_up(loop->agent->audit);
		epoch_settle(&loop->agent->epoch, loop->last_reply_ns);
		if (owes_audit(loop) || audit_is_due(loop->agent->audit, loop->last_reply_ns))
			loop_write_audit(loop);
	}
	OPENSSL_thread_stop();
	return NULL;
}

/* ---- opening and closing ---- */

static struct loop *loop_new(struct agent *agent, unsigned int index, int cpu)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->agent = agent;
	loop->index = index;
	loop->cpu = cpu;
	loop->listen_fd = loop->signal_fd = loop->event_fd = -1;
	loop->held_last = &loop->held;
	loop->accept.handler = on_accepted;
	loop->wake.handler = on_wake;
	loop->signal.handler = on_signal;
	loop->event.handler = on_event;
	loop->ignored.handler = ignore;
	pthread_mutex_init(&loop->mail_lock, NULL);
	loop->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (loop->wake_fd >= 0)
		return loop;
	pthread_mutex_destroy(&loop->mail_lock);
	free(loop);
	return NULL;
}

/* The n-th core that this process may run on, or -1. */
static int nth_cpu(const cpu_set_t *allowed, unsigned int n)
{
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, allowed) && !n--)
			return cpu;
	}
	return -1;
}

/* As many descriptors as the process may have (the soft limit is 1024 nearly everywhere, and a
 * table of registered files above it is refused). Returns how many a loop may register. */
static uint32_t raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return LOOP_FILES;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) || getrlimit(RLIMIT_NOFILE, &limit))
		log_warning("the limit of open files cannot be raised: %s", strerror(errno));
	return limit.rlim_cur < LOOP_FILES ? (uint32_t)limit.rlim_cur : LOOP_FILES;
}

int loops_open(struct agent *agent, int listen_fd, char *error, size_t error_len)
{
	uint32_t file_count = raise_descriptor_limit();
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		CPU_ZERO(&allowed);
	epoch_size(&agent->epoch, (unsigned int)CPU_COUNT(&allowed), agent->loop_count);
	agent->loops = calloc(agent->loop_count, sizeof(*agent->loops));
	for (unsigned int i = 0; agent->loops && i < agent->loop_count; i++) {
		agent->loops[i] = loop_new(agent, i, nth_cpu(&allowed, i));
		if (!agent->loops[i])
			goto failed;
		agent->loops[i]->file_count = file_count;
	}
	if (!agent->loops)
		goto failed;
	agent->loops[0]->listen_fd = listen_fd;
	agent->loops[0]->event_fd = events_fd(agent->events);
	agent->loops[0]->signal_fd = uring_signals();
	if (agent->loops[0]->signal_fd >= 0)
		return 0;
failed:
	snprintf(error, error_len, "cannot make the event loops: %s", strerror(errno));
	return -1;
}

static int start_threads(struct agent *agent, pthread_barrier_t *ready)
{
	for (unsigned int i = 0; i < agent->loop_count; i++) {
		struct loop *loop = agent->loops[i];

		loop->ready = ready;
		if (pthread_create(&loop->thread, NULL, run, loop))
			return -1;
		loop->started = true;
	}
	return 0;
}

static int first_open_error(const struct agent *agent)
{
	for (unsigned int i = 0; i < agent->loop_count; i++) {
		if (agent->loops[i]->open_error)
			return agent->loops[i]->open_error;
	}
	return 0;
}

static void describe_ring_error(int ring_error, char *error, size_t error_len)
{
	const char *advice = "io_uring is required (Linux 6.0 or newer)";

	if (ring_error == -EPERM || ring_error == -EACCES)
		advice = "io_uring is required: allow it (sysctl kernel.io_uring_disabled=0, or "
			 "the seccomp "
			 "filter of the container)";
	else if (ring_error == -ENOMEM)
		advice = "raise the memory limit (RLIMIT_MEMLOCK) of the service";
	snprintf(error, error_len, "io_uring cannot be used: %s; %s", strerror(-ring_error),
	         advice);
}

int loops_run(struct agent *agent, void (*ready_function)(struct agent *), char *error,
              size_t error_len)
{
	pthread_barrier_t ready;
	int ring_error;

	pthread_barrier_init(&ready, NULL, agent->loop_count + 1);
	if (start_threads(agent, &ready)) {
		/* Threads that wait at the barrier cannot be called back; the process ends with
		 * them. */
		snprintf(error, error_len,
		         "cannot start the event loops: %s; raise the limit of tasks",
		         strerror(errno));
		return -1;
	}
	pthread_barrier_wait(&ready);
	ring_error = first_open_error(agent);
	if (ring_error)
		stop_all(agent);
	else
		ready_function(agent);
	for (unsigned int i = 0; i < agent->loop_count; i++)
		pthread_join(agent->loops[i]->thread, NULL);
	pthread_barrier_destroy(&ready);
	if (!ring_error)
		return 0;
	describe_ring_error(ring_error, error, error_len);
	return -1;
}

static void loop_free(struct loop *loop)
{
	if (loop->ring_ready)
		io_uring_queue_exit(&loop->ring);
	loop_calls_destroy(loop);
	slots_release(loop->buffers);
	slots_release(loop->ring_frame);
	uring_buffers_close(&loop->offers);
	free(loop->mail_fds);
	close(loop->wake_fd);
	if (loop->signal_fd >= 0)
		close(loop->signal_fd);
	pthread_mutex_destroy(&loop->mail_lock);
	free(loop);
}

void loops_close(struct agent *agent)
{
	for (unsigned int i = 0; agent->loops && i < agent->loop_count; i++) {
		if (agent->loops[i])
			loop_free(agent->loops[i]);
	}
	free(agent->loops);
	agent->loops = NULL;
}
