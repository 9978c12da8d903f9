/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls in a loop: running them here or on a worker, holding their replies until the audit record
 * is written and a PIN's delay is over, and writing the audit log. Threads, ring and mail are
 * loop.c's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "config.h"
#include "connection.h"
#include "connection_receive.h"
#include "connection_ring.h"
#include "dispatch.h"
#include "keyring.h"
#include "log.h"
#include "loop.h"
#include "registers.h"
#include "slots.h"
#include "token.h"
#include "wire/window.h"

#define SPARE_CALLS_MAX  64u
#define SYNC_DELAY_MS    1000u
#define SLOW_WRITE_NS    1000000u
#define SLOW_DISK_NS     1000000000u
#define WAITED_FOR_CALLS 2u /* an Init and its operation */

/* Between calls small buffers are kept, so that the steady state allocates nothing. */
#define KEEP_LEN 4096u

struct call *loop_call_new(struct loop *loop)
{
	struct call *call = loop->spare_calls;

	if (call) {
		loop->spare_calls = call->next;
		loop->spare_call_count--;
	} else {
		call = calloc(1, sizeof(*call));
		if (!call)
			return NULL;
		wire_buffer_init(&call->output, WIRE_BULK_LIMIT, &slots_wire_allocator);
		wire_buffer_init(&call->reply, WIRE_BULK_LIMIT + WIRE_FRAME_HEADER_LEN,
		                 &slots_wire_allocator);
		wire_buffer_init(&call->part_copy, WIRE_WINDOW_PART_LEN, &slots_wire_allocator);
	}
	call->agent = loop->agent;
	call->loop = loop;
	call->next = NULL;
	return call;
}

static void call_destroy(struct call *call)
{
	wire_buffer_free(&call->body_copy);
	wire_buffer_free(&call->part_copy);
	wire_buffer_free(&call->output);
	wire_buffer_free(&call->reply);
	free(call);
}

void loop_call_free(struct loop *loop, struct call *call)
{
	struct wire_buffer output, reply, part_copy;

	if (loop->spare_call_count >= SPARE_CALLS_MAX) {
		call_destroy(call);
		return;
	}
	wire_buffer_free(&call->body_copy);
	wire_buffer_reset(&call->output, KEEP_LEN);
	wire_buffer_reset(&call->reply, KEEP_LEN);
	wire_buffer_reset(&call->part_copy, KEEP_LEN);
	output = call->output;
	reply = call->reply;
	part_copy = call->part_copy;
	memset(call, 0, sizeof(*call));
	call->output = output;
	call->reply = reply;
	call->part_copy = part_copy;
	call->next = loop->spare_calls;
	loop->spare_calls = call;
	loop->spare_call_count++;
}

void loop_calls_destroy(struct loop *loop)
{
	while (loop->spare_calls) {
		struct call *call = loop->spare_calls;

		loop->spare_calls = call->next;
		call_destroy(call);
	}
}

/* ---- replies ---- */

static void on_delay_over(struct loop *loop, struct completion *completion, int32_t result,
                          uint32_t flags)
{
	struct call *call = container_of(completion, struct call, timer);

	(void)loop;
	(void)result;
	(void)flags;
	connection_reply(call->connection, call);
}

void loop_arm_timer(struct loop *loop, struct completion *completion, unsigned int delay_ms,
                    struct __kernel_timespec *when)
{
	uring_timer(&loop->ring, completion, delay_ms, when);
}

/* Sends the reply, after the delay that a wrong PIN owes. */
static void release(struct loop *loop, struct call *call)
{
	if (!call->delay_ms) {
		loop->last_reply_ns = call->ended_ns;
		loop->last_took_ns = call->ended_ns - call->begun_ns;
		connection_reply(call->connection, call);
		return;
	}
	call->timer.handler = on_delay_over;
	loop_arm_timer(loop, &call->timer, call->delay_ms, &call->delay);
}

static bool must_wait(struct loop *loop, struct call *call)
{
	return call->audit_sequence > audit_written(loop->agent->audit) &&
	       !audit_lost(loop->agent->audit, call->audit_sequence);
}

static void finish(struct loop *loop, struct call *call)
{
	if (audit_lost(loop->agent->audit, call->audit_sequence))
		dispatch_fail(call, ERROR_AUDIT);
	release(loop, call);
}

void loop_call_done(struct loop *loop, struct call *call)
{
	if (call->audit_sequence && must_wait(loop, call)) {
		call->next = NULL;
		*loop->held_last = call;
		loop->held_last = &call->next;
		return;
	}
	if (call->audit_sequence)
		finish(loop, call);
	else
		release(loop, call);
}

/* Lets go of every held reply whose record is written or lost. */
void loop_release_held(struct loop *loop)
{
	struct call *waiting = loop->held;

	loop->held = NULL;
	loop->held_last = &loop->held;
	while (waiting) {
		struct call *call = waiting;

		waiting = call->next;
		loop_call_done(loop, call);
	}
}

uint64_t loop_busy_poll_ns(const struct loop *loop)
{
	return loop->agent->config->agent.busy_poll_us * 1000;
}

/* ---- running ---- */

static void on_committed(void *context, enum err err)
{
	struct call *call = context;

	dispatch_committed(call, err);
	loop_post_call(call->loop, call);
}

static void run_on_worker(struct job *job)
{
	struct call *call = container_of(job, struct call, job);

	dispatch_run(call);
	registers_wipe();
	if (call->application)
		atomic_fetch_sub(&call->application->calls_on_workers, 1);
	if (call->commit)
		token_commit_submit(call->commit, on_committed, call);
	else
		loop_post_call(call->loop, call);
}

/* The receive buffer goes back to the kernel when this returns, so a slow call takes its body
 * along. */
static bool keep_body(struct call *call)
{
	bool bulk = call->body.len > WIRE_CONTROL_LIMIT;

	if (bulk && connection_give_body(call))
		return true;
	wire_buffer_init(&call->body_copy, WIRE_BULK_LIMIT, bulk ? NULL : &slots_wire_allocator);
	wire_put_raw(&call->body_copy, call->body.data, call->body.len);
	call->body = (struct wire_bytes){call->body_copy.data, call->body_copy.len};
	return !call->body_copy.failed;
}

/* What came after the call in its ring waits for it. */
static void hold_ring(struct call *call)
{
	if (!call->by_ring)
		return;
	connection_ring_hold(call->connection);
	call->holds_ring = true;
}

static void hand_to_worker(struct loop *loop, struct call *call)
{
	if (!keep_body(call)) {
		dispatch_fail(call, ERROR_MEMORY);
		loop_call_done(loop, call);
		return;
	}
	hold_ring(call);
	call->on_worker = true;
	call->deferred = false;
	call->begun_ns = 0; /* the time in the queue is not the call's */
	call->job.run = run_on_worker;
	if (call->application)
		atomic_fetch_add(&call->application->calls_on_workers, 1);
	/* In this order; see end_application in connection.c. */
	if (call->application && atomic_load(&call->application->closed)) {
		atomic_fetch_sub(&call->application->calls_on_workers, 1);
		dispatch_fail(call, ERROR_STATE);
		loop_call_done(loop, call);
		return;
	}
	workers_add(loop->agent->workers, &call->job);
}

/* The receive buffer goes back, and nobody looks at the body any more. */
static void hand_to_committer(struct call *call)
{
	call->body = (struct wire_bytes){NULL, 0};
	hold_ring(call);
	token_commit_submit(call->commit, on_committed, call);
}

/*
 * Requests that follow replies closely make spinning worth while; others make it stop. Who sends
 * many at once does not wait for each of them, and may want this processor for the next.
 */
static void note_request(struct loop *loop, struct call *call)
{
	uint64_t budget_ns = loop_busy_poll_ns(loop);

	call->begun_ns = clock_monotonic_ns();
	loop->spin = budget_ns && call->connection->calls <= WAITED_FOR_CALLS &&
	             call->begun_ns - loop->last_reply_ns < budget_ns;
}

static void run_call(struct loop *loop, struct call *call)
{
	enum pace pace = dispatch_pace(call);

	if (pace != PACE_QUICK) {
		call->job.is_long = pace == PACE_LONG;
		hand_to_worker(loop, call);
		return;
	}
	dispatch_run(call);
	if (call->deferred)
		hand_to_worker(loop, call);
	else if (call->commit)
		hand_to_committer(call);
	else
		loop_call_done(loop, call);
}

void loop_run_call(struct loop *loop, struct call *call)
{
	note_request(loop, call);
	run_call(loop, call);
	registers_wipe();
}

/* ---- the tokens' metadata in the kernel's keyrings ---- */

static void on_keyring_timer(struct loop *loop, struct completion *completion, int32_t result,
                             uint32_t flags)
{
	(void)completion;
	(void)result;
	(void)flags;
	if (!loop->stopping)
		keyring_post(loop->agent->keyring, loop->agent->workers);
}

static void on_keyring_renewal(struct loop *loop, struct completion *completion, int32_t result,
                               uint32_t flags)
{
	on_keyring_timer(loop, completion, result, flags);
	loop_renew_keyring(loop);
}

void loop_renew_keyring(struct loop *loop)
{
	if (!loop->agent->keyring || loop->stopping)
		return;
	loop->keyring_renewal.handler = on_keyring_renewal;
	loop_arm_timer(loop, &loop->keyring_renewal, KEYRING_RENEW_MS, &loop->keyring_period);
}

void loop_finish_calls(struct loop *loop, struct call *calls)
{
	/* Whatever changes a token is slow or committed, so it comes through here. */
	if (calls && keyring_touch(loop->agent->keyring)) {
		loop->keyring_timer.handler = on_keyring_timer;
		loop_arm_timer(loop, &loop->keyring_timer, KEYRING_DELAY_MS, &loop->keyring_delay);
	}
	while (calls) {
		struct call *call = calls;

		calls = call->next;
		loop_call_done(loop, call);
	}
	registers_wipe();
}

/* ---- audit ---- */

static void on_background_synced(struct loop *loop, struct completion *completion, int32_t result,
                                 uint32_t flags)
{
	(void)loop;
	(void)completion;
	(void)flags;
	if (result < 0)
		log_error("audit log: fdatasync failed: %s", strerror(-result));
}

static void on_sync_timer(struct loop *loop, struct completion *completion, int32_t result,
                          uint32_t flags)
{
	struct io_uring_sqe *sqe;
	int fd;

	(void)completion;
	(void)result;
	(void)flags;
	loop->sync_timer_armed = false;
	if (loop->stopping || !audit_sync_due(loop->agent->audit, &fd))
		return;
	loop->background_sync.handler = on_background_synced;
	sqe = loop_sqe(loop, &loop->background_sync);
	io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
}

static void arm_sync_timer(struct loop *loop)
{
	if (loop->sync_timer_armed || loop->stopping)
		return;
	loop->sync_timer_armed = true;
	loop->sync_timer.handler = on_sync_timer;
	loop_arm_timer(loop, &loop->sync_timer, SYNC_DELAY_MS, &loop->sync_delay);
}

static void batch_finished(struct loop *loop, int sync_result)
{
	bool more;

	loop->audit_in_flight = false;
	more = audit_batch_done(loop->agent->audit, sync_result);
	loops_wake_for_audit(loop);
	loop_release_held(loop);
	arm_sync_timer(loop);
	/* Written at once, what others appended meanwhile is theirs: they have been woken. */
	if (more && !loop->audit_at_once)
		loop_write_audit(loop);
}

static void on_audit_synced(struct loop *loop, struct completion *completion, int32_t result,
                            uint32_t flags)
{
	(void)completion;
	(void)flags;
	batch_finished(loop, result);
}

/* The first held reply that can follow this very write: no delay owed, nothing before it on its
 * connection. Unheld. */
static struct call *take_linkable(struct loop *loop)
{
	struct call **link = &loop->held;

	while (*link) {
		struct call *call = *link;

		if (!call->delay_ms && !call->by_ring && !call->quiet && !call->reply.failed &&
		    connection_can_link(call->connection)) {
			*link = call->next;
			if (!*link)
				loop->held_last = link;
			return call;
		}
		link = &call->next;
	}
	return NULL;
}

/*
 * Writes what is left of the batch. One reply is linked behind it, so that with one busy client the
 * kernel sends without waking us in between. A short or failed write cancels the link; the reply is
 * then held again (connection.c).
 */
static void submit_audit_write(struct loop *loop)
{
	bool may_link = !loop->audit_must_sync && io_uring_sq_space_left(&loop->ring) >= 2;
	struct call *call = may_link ? take_linkable(loop) : NULL;
	struct io_uring_sqe *sqe = loop_sqe(loop, &loop->audit_write);

	/* The file is O_APPEND, so the offset is of no account. */
	io_uring_prep_write(sqe, loop->audit_fd, loop->audit_batch.data,
	                    (unsigned int)loop->audit_batch.len, 0);
	if (!call)
		return;
	sqe->flags |= IOSQE_IO_LINK;
	connection_reply_linked(call->connection, call);
}

static void on_audit_written(struct loop *loop, struct completion *completion, int32_t result,
                             uint32_t flags)
{
	struct io_uring_sqe *sqe;

	(void)completion;
	(void)flags;
	if (audit_batch_written(loop->agent->audit, result, &loop->audit_batch)) {
		submit_audit_write(loop);
		return;
	}
	if (!loop->audit_must_sync || result < 0) {
		batch_finished(loop, 0);
		return;
	}
	loop->audit_sync.handler = on_audit_synced;
	sqe = loop_sqe(loop, &loop->audit_sync);
	io_uring_prep_fsync(sqe, loop->audit_fd, IORING_FSYNC_DATASYNC);
}

/*
 * An append to the page cache takes about 2 microseconds, a third of the price of handing it to
 * io_uring's worker (no file system that Debian installs by default lets io_uring append without
 * one). So it is done here, as long as the disk keeps that promise: after one write that took a
 * millisecond they all go through the ring for a second.
 */
static bool disk_is_quick(const struct loop *loop)
{
	return clock_monotonic_ns() >= loop->slow_disk_until_ns;
}

static void write_at_once(struct loop *loop)
{
	uint64_t start_ns = clock_monotonic_ns(), end_ns;
	ssize_t written = write(loop->audit_fd, loop->audit_batch.data, loop->audit_batch.len);
	int32_t result = written < 0 ? -errno : (int32_t)written;

	end_ns = clock_monotonic_ns();
	if (end_ns - start_ns > SLOW_WRITE_NS)
		loop->slow_disk_until_ns = end_ns + SLOW_DISK_NS;
	loop->audit_at_once = true;
	on_audit_written(loop, &loop->audit_write, result, 0);
	loop->audit_at_once = false;
}

void loop_write_audit(struct loop *loop)
{
	struct audit *audit = loop->agent->audit;

	if (loop->audit_in_flight)
		return;
	/* Said before asking, so that a batch which ends in between wakes us. */
	atomic_store(&loop->waits_for_audit, true);
	if (!audit_batch_take(audit, &loop->audit_fd, &loop->audit_batch, &loop->audit_must_sync)) {
		loop_release_held(loop);
		return;
	}
	atomic_store(&loop->waits_for_audit, false);
	loop->audit_in_flight = true;
	loop->audit_write.handler = on_audit_written;
	if (!loop->audit_must_sync && disk_is_quick(loop))
		write_at_once(loop);
	else
		submit_audit_write(loop);
}
