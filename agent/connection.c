/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames in, frames out. Every octet here is a client's: a frame that is not of the protocol ends
 * the connection, nothing else. What a request means is dispatch's business.
 */
#include "connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config.h"
#include "connection_peer.h"
#include "connection_receive.h"
#include "connection_ring.h"
#include "connection_window.h"
#include "dispatch.h"
#include "log.h"
#include "loop.h"

static void link_to_loop(struct loop *loop, struct connection *connection)
{
	connection->loop = loop;
	connection->previous = NULL;
	connection->next = loop->connections;
	if (loop->connections)
		loop->connections->previous = connection;
	loop->connections = connection;
	loop->connection_count++;
}

static void unlink_from_loop(struct connection *connection)
{
	struct loop *loop = connection->loop;

	if (connection->previous)
		connection->previous->next = connection->next;
	else
		loop->connections = connection->next;
	if (connection->next)
		connection->next->previous = connection->previous;
	loop->connection_count--;
}

static void connection_free(struct connection *connection)
{
	unlink_from_loop(connection);
	if (connection->application)
		application_put(connection->application);
	wire_buffer_free(&connection->partial);
	connection_window_free(connection);
	connection_ring_free(connection);
	free(connection);
}

/* The ring keeps a reference to a registered file, so it has to forget it before close means
 * anything to the peer. */
static void unregister_file(struct connection *connection)
{
	int none = -1;

	io_uring_register_files_update(&connection->loop->ring, connection->file, &none, 1);
	connection->loop->file_used[connection->file] = 0;
}

/* One that no ring knows. */
static void free_unregistered(struct connection *connection)
{
	close(connection->fd);
	connection_free(connection);
}

static void free_if_done(struct connection *connection)
{
	if (!connection->closing || connection->receiving || connection->sending ||
	    connection->unsent || connection->calls)
		return;
	unregister_file(connection);
	free_unregistered(connection);
}

struct close_job {
	struct job job;
	struct application *application;
};

static void run_close_job(struct job *job)
{
	struct close_job *close_job = container_of(job, struct close_job, job);

	application_close(close_job->application);
	application_put(close_job->application);
	free(close_job);
}

/*
 * Inline when nothing slow of the application is running, so that its sessions are free at once. It
 * is stopped before that is asked: a loop that hands a call to a worker counts it first and then
 * looks whether the application was stopped.
 */
static void end_application(struct connection *connection)
{
	struct application *application = connection->application;
	struct close_job *job;

	application_stop(application);
	if (atomic_load(&application->calls_on_workers)) {
		job = calloc(1, sizeof(*job));
		if (job) {
			job->job.run = run_close_job;
			job->application = application_get(application);
			workers_add(application->agent->workers, &job->job);
			return;
		}
	}
	application_close(application);
}

void connection_close(struct connection *connection)
{
	if (connection->closing)
		return;
	connection->closing = true;
	connection_ring_stop(connection);
	if (connection->application) {
		application_detach(connection->application, connection->fd);
		if (connection->primary)
			end_application(connection);
	}
	/* Ends the multishot receive and a send that waits for a peer who does not read. */
	shutdown(connection->fd, SHUT_RDWR);
}

void connection_drain(struct connection *connection)
{
	if (!connection->calls) {
		connection_close(connection);
		free_if_done(connection);
	}
}

/* ---- replies ---- */

static bool is_bulk(const struct wire_frame_header *header)
{
	return header->body_len > WIRE_CONTROL_LIMIT;
}

/* The replies that have gathered, the first without what has been sent of it. */
static void gather(struct connection *connection)
{
	size_t skip = connection->sent, count = 0;

	for (struct call *call = connection->replies; call && count < CONNECTION_PIECES;
	     call = call->next, skip = 0)
		connection->pieces[count++] =
			(struct iovec){call->reply.data + skip, call->reply.len - skip};
	connection->message = (struct msghdr){.msg_iov = connection->pieces, .msg_iovlen = count};
}

static void send_next(struct connection *connection)
{
	struct io_uring_sqe *sqe;

	if (!connection->replies || connection->sending)
		return;
	gather(connection);
	sqe = loop_sqe(connection->loop, &connection->send);
	io_uring_prep_sendmsg(sqe, (int)connection->file, &connection->message,
	                      MSG_NOSIGNAL | MSG_WAITALL);
	sqe->flags |= IOSQE_FIXED_FILE;
	connection->sending = true;
}

static void answered(struct connection *connection, struct call *call)
{
	connection->calls--;
	connection->bulk_calls -= is_bulk(&call->header);
	loop_call_free(connection->loop, call);
}

static void drop_first_reply(struct connection *connection)
{
	struct call *call = connection->replies;

	connection->replies = call->next;
	if (!connection->replies)
		connection->replies_last = &connection->replies;
	connection->sent = 0;
	answered(connection, call);
}

static void drop_sent_replies(struct connection *connection)
{
	size_t sent = connection->sent;

	while (connection->replies && sent >= connection->replies->reply.len) {
		sent -= connection->replies->reply.len;
		drop_first_reply(connection);
	}
	connection->sent = sent;
}

static void drop_replies(struct connection *connection)
{
	while (connection->replies)
		drop_first_reply(connection);
}

static bool succeeded(const struct call *call)
{
	struct wire_frame_header header;

	wire_frame_parse(&header, call->reply.data);
	return !header.status;
}

static bool reply_by_ring(struct connection *connection, struct call *call)
{
	if (!call->by_ring)
		return false;
	if (call->by_slot)
		return connection_window_reply(connection, call);
	return connection_ring_reply(connection,
	                             (struct wire_bytes){call->reply.data, call->reply.len}, false);
}

/* Without the socket: through the ring, or not at all. Where there is no memory even for a failure,
 * there is no reply, and the client would wait for it for ever. */
static bool reply_at_once(struct connection *connection, struct call *call)
{
	if (connection->closing)
		return false;
	if (call->reply.failed) {
		answered(connection, call);
		connection_close(connection);
		return true;
	}
	if (!(call->quiet && succeeded(call)) && !reply_by_ring(connection, call))
		return false;
	answered(connection, call);
	if (connection->loop->stopping && !connection->calls)
		connection_close(connection);
	return true;
}

static void queue_reply(struct connection *connection, struct call *call)
{
	call->next = NULL;
	*connection->replies_last = call;
	connection->replies_last = &call->next;
}

static void mark_unsent(struct connection *connection)
{
	struct loop *loop = connection->loop;

	if (connection->unsent || connection->sending)
		return;
	connection->unsent = true;
	connection->next_unsent = loop->unsent;
	loop->unsent = connection;
}

void connection_reply(struct connection *connection, struct call *call)
{
	if (call->holds_ring)
		connection_ring_resume(connection);
	if (reply_at_once(connection, call))
		return;
	if (call->by_ring)
		connection_ring_detour(connection);
	if (call->by_slot)
		connection_window_close_reply(call);
	queue_reply(connection, call);
	mark_unsent(connection);
}

void connections_send(struct loop *loop)
{
	while (loop->unsent) {
		struct connection *connection = loop->unsent;

		loop->unsent = connection->next_unsent;
		connection->unsent = false;
		if (!connection->closing || connection->sending) {
			send_next(connection);
			continue;
		}
		drop_replies(connection);
		free_if_done(connection);
	}
}

bool connection_can_link(const struct connection *connection)
{
	return !connection->sending && !connection->closing && !connection->replies;
}

void connection_reply_linked(struct connection *connection, struct call *call)
{
	connection->linked = true;
	queue_reply(connection, call);
	send_next(connection);
}

/* The audit write before it failed or was short: the reply waits again, and the call is not
 * answered yet. */
static void hold_again(struct connection *connection)
{
	struct call *call = connection->replies;

	connection->replies = call->next;
	if (!connection->replies)
		connection->replies_last = &connection->replies;
	loop_call_done(connection->loop, call);
}

static void on_sent(struct loop *loop, struct completion *completion, int32_t result,
                    uint32_t flags)
{
	struct connection *connection = container_of(completion, struct connection, send);
	bool cancelled = connection->linked && result == -ECANCELED;

	(void)flags;
	if (connection->linked)
		loop->last_reply_ns = clock_monotonic_ns();
	connection->sending = connection->linked = false;
	if (cancelled && !connection->closing) {
		hold_again(connection);
		send_next(connection);
		return;
	}
	if (result <= 0)
		connection_close(connection);
	else
		connection->sent += (size_t)result;
	if (connection->closing)
		drop_replies(connection);
	else
		drop_sent_replies(connection);
	send_next(connection);
	connection_ring_pay_bell(connection);
	if (loop->stopping)
		connection_drain(connection);
	else
		free_if_done(connection);
}

/* ---- hello ---- */

static enum err join(struct connection *connection, struct wire_bytes ticket)
{
	struct agent *agent = connection->loop->agent;
	enum err err;

	if (!ticket.len) {
		err = application_new(agent, connection->uid, connection->gid, connection->pid,
		                      &connection->application);
		connection->primary = !err;
		return err;
	}
	if (ticket.len != WIRE_TICKET_LEN)
		return ERROR_PROTOCOL;
	connection->application =
		application_join(agent, ticket.data, connection->uid, connection->pid);
	return connection->application ? ERROR_NONE : ERROR_DENIED;
}

/* Tests make it an agent that has not all of them. */
static uint64_t offered_features(void)
{
#ifdef CRATON_TEST_HOOKS
	const char *hook = getenv("CRATON_TEST_FEATURES");

	if (hook)
		return WIRE_FEATURES & strtoull(hook, NULL, 10);
#endif
	return WIRE_FEATURES;
}

static enum err hello(struct connection *connection, struct call *call,
                      struct wire_hello_reply *reply)
{
	struct wire_hello_request request;
	enum err err;

	if (!wire_decode_hello_request(call->body, &request))
		return ERROR_PROTOCOL;
	if (request.version != WIRE_VERSION)
		return ERROR_NOT_SUPPORTED;
	if (!state_operational(&call->agent->state))
		return ERROR_STATE;
	err = join(connection, request.ticket);
	if (!err)
		err = application_attach(connection->application, connection->fd);
	if (err)
		return err;
	reply->version = WIRE_VERSION;
	connection->features = request.features & offered_features();
	reply->features = connection->features;
	reply->ticket = (struct wire_bytes){connection->application->ticket, WIRE_TICKET_LEN};
	reply->busy_poll_us = call->agent->config->agent.busy_poll_us;
	return ERROR_NONE;
}

static void answer_hello(struct connection *connection, struct call *call)
{
	struct wire_hello_reply reply = {0};
	struct wire_frame_header header = call->header;
	enum err err = hello(connection, call, &reply);
	size_t offset;

	header.flags = WIRE_FRAME_REPLY;
	header.status = (uint32_t)err_ckr(err);
	offset = wire_frame_begin(&call->reply, &header);
	if (!err)
		wire_encode_hello_reply(&call->reply, &reply);
	wire_frame_finish(&call->reply, offset);
	connection_reply(connection, call);
}

/* ---- requests ---- */

bool connection_header_valid(const struct connection *connection,
                             const struct wire_frame_header *header, bool by_ring)
{
	uint16_t permitted = connection->features & WIRE_FEATURE_EPOCH ? WIRE_FRAME_QUIET : 0;

	if (by_ring && connection->features & WIRE_FEATURE_WINDOW)
		permitted |= WIRE_FRAME_WINDOW;
	if (header->flags & ~permitted || header->status ||
	    header->body_len > wire_frame_limit(header->opcode))
		return false;
	return connection->application || dispatch_needs_no_hello(header->opcode);
}

/* What is about the shared memory itself, and no call. */
static bool is_about_memory(uint16_t opcode)
{
	return opcode == WIRE_OPCODE_ring || opcode == WIRE_OPCODE_doorbell ||
	       opcode == WIRE_OPCODE_window || opcode == WIRE_OPCODE_parts_rest;
}

static bool run_memory_frame(struct connection *connection, const struct wire_frame_header *header,
                             bool by_ring)
{
	if (header->body_len || by_ring != (header->opcode == WIRE_OPCODE_parts_rest))
		return false;
	switch (header->opcode) {
	case WIRE_OPCODE_ring:
		return connection_ring_open(connection, header);
	case WIRE_OPCODE_window:
		return connection_window_open(connection, header);
	case WIRE_OPCODE_parts_rest:
		return connection_window_rest(connection, header);
	default:
		return connection_ring_wake(connection);
	}
}

/* The window was given up, and the client did not know it yet. */
static void refuse(struct connection *connection, struct call *call)
{
	dispatch_fail(call, ERROR_NOT_SUPPORTED);
	loop_call_done(connection->loop, call);
}

bool connection_run_frame(struct connection *connection, const struct wire_frame_header *header,
                          const uint8_t *body, bool by_ring, struct call_part part)
{
	struct call *call;

	if (is_about_memory(header->opcode))
		return run_memory_frame(connection, header, by_ring);
	if (connection->calls >= CONNECTION_CALLS_MAX)
		return false;
	if (is_bulk(header) && connection->bulk_calls >= CONNECTION_BULK_CALLS_MAX)
		return false;
	call = loop_call_new(connection->loop);
	if (!call)
		return false;
	connection->calls++;
	connection->bulk_calls += is_bulk(header);
	call->connection = connection;
	call->by_ring = by_ring;
	call->part = part;
	call->quiet = header->flags & WIRE_FRAME_QUIET;
	call->application = connection->application;
	call->header = *header;
	call->body = (struct wire_bytes){body, header->body_len};
	if (!connection->application && header->opcode == WIRE_OPCODE_hello)
		answer_hello(connection, call);
	else if (header->flags & WIRE_FRAME_WINDOW)
		refuse(connection, call);
	else
		loop_run_call(connection->loop, call);
	return true;
}

static void arm_receive(struct connection *connection)
{
	struct io_uring_sqe *sqe = loop_sqe(connection->loop, &connection->receive);

	io_uring_prep_recv_multishot(sqe, (int)connection->file, NULL, 0, 0);
	sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
	sqe->buf_group = 0;
	connection->receiving = true;
}

/* ---- from loop to loop ---- */

static bool is_at_rest(const struct connection *connection)
{
	return !connection->closing && !connection->calls && !connection->sending &&
	       !connection->unsent && !connection->replies && !connection->partial.len &&
	       !connection->loop->stopping;
}

/* Not so near to full that some on their way at once could find no place. */
static bool has_room(struct loop *loop)
{
	return atomic_load_explicit(&loop->connection_count, memory_order_relaxed) <
	       loop->file_count / 8 * 7;
}

bool connection_move(struct connection *connection, struct loop *target)
{
	struct loop *loop = connection->loop;

	if (connection->target || !connection->receiving || !is_at_rest(connection) ||
	    !has_room(target))
		return false;
	connection->target = target;
	connection_ring_stop(connection);
	io_uring_prep_cancel(loop_sqe(loop, &loop->ignored), &connection->receive, 0);
	return true;
}

/* The receive has ended, so nothing of it is left in this ring. False when something came. */
static bool leave(struct connection *connection)
{
	struct loop *loop = connection->loop, *target = connection->target;

	if (!is_at_rest(connection))
		return false;
	connection_ring_stop(connection); /* a bell may have come */
	unregister_file(connection);
	unlink_from_loop(connection);
	if (!loop_post_connection(target, connection))
		connection_adopt(loop, connection);
	return true;
}

static void stay(struct connection *connection)
{
	connection->target = NULL;
	if (!connection->closing)
		connection_ring_wake(connection);
}

static void on_received(struct loop *loop, struct completion *completion, int32_t result,
                        uint32_t flags)
{
	struct connection *connection = container_of(completion, struct connection, receive);

	if (!(flags & IORING_CQE_F_MORE))
		connection->receiving = false;
	if (flags & IORING_CQE_F_BUFFER) {
		uint16_t id = (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT);
		struct wire_bytes octets = {loop->buffers + (size_t)id * LOOP_BUFFER_LEN, 0};

		if (result > 0 && !connection->closing) {
			octets.len = (size_t)result;
			if (!connection_take_octets(connection, octets))
				connection_close(connection);
		}
		loop_recycle_buffer(loop, id, result > 0 ? (size_t)result : 0);
	}
	if (!connection->receiving && connection->target && leave(connection))
		return;
	/* No buffer was free: there is one again by now, since calls give them back at once. */
	if (result <= 0 && result != -ENOBUFS && !(result == -ECANCELED && connection->target))
		connection_close(connection);
	if (!connection->receiving && connection->target)
		stay(connection);
	if (!connection->receiving && !connection->closing)
		arm_receive(connection);
	free_if_done(connection);
}

/* ---- opening ---- */

/* A number among the registered files, or file_count when all are taken. */
static uint32_t find_file(struct loop *loop)
{
	for (uint32_t i = 0; i < loop->file_count; i++) {
		uint32_t at = (loop->next_file + i) % loop->file_count;

		if (!loop->file_used[at]) {
			loop->next_file = at + 1;
			return at;
		}
	}
	return loop->file_count;
}

static bool register_file(struct connection *connection)
{
	struct loop *loop = connection->loop;

	connection->file = find_file(loop);
	if (connection->file == loop->file_count)
		return false;
	if (io_uring_register_files_update(&loop->ring, connection->file, &connection->fd, 1) != 1)
		return false;
	loop->file_used[connection->file] = 1;
	return true;
}

static const char *prepare(struct connection *connection)
{
	if (!connection_identify_peer(connection))
		return "its identity cannot be read";
	if (!connection_peer_allowed(connection, connection->loop->agent->config))
		return "it is not among [security].allowed_uids and allowed_gids";
	if (!register_file(connection))
		return "too many connections";
	return NULL;
}

void connection_open(struct loop *loop, int fd)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	const char *refusal = "out of memory";

	if (connection) {
		connection->loop = loop;
		connection->fd = fd;
		refusal = prepare(connection);
	}
	if (refusal) {
		log_warning("connection of uid %d, pid %d refused: %s",
		            connection ? (int)connection->uid : -1,
		            connection ? (int)connection->pid : -1, refusal);
		free(connection);
		close(fd);
		return;
	}
	connection->receive.handler = on_received;
	connection->send.handler = on_sent;
	connection->replies_last = &connection->replies;
	link_to_loop(loop, connection);
	arm_receive(connection);
}

void connection_adopt(struct loop *loop, struct connection *connection)
{
	link_to_loop(loop, connection);
	connection->target = NULL;
	if (!register_file(connection)) {
		connection_close(connection);
		free_unregistered(connection);
		return;
	}
	arm_receive(connection);
	connection_window_adopt(connection);
	if (loop->stopping)
		connection_close(connection);
	else
		connection_ring_wake(connection);
}
