/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a call. A call that is ready to go waits in the link's queue; client_run_waiting
 * takes it out and rpc_run gives it a session and sends its requests, or puts it back into a queue.
 * Where the reply goes is http.c's business.
 */
#include "grpc/rpc.h"

#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "grpc/client.h"
#include "grpc/http.h"
#include "grpc/identity.h"
#include "grpc/method.h"
#include "wire/cryptoki_3.h"

#define ARENA_SLACK                                                                                \
	(256u * 1024u) /* beyond twice the message: the structures around its octets               \
	                */
#define KEEP_LEN       1024u
#define POOL_PAUSE_NS  10000000000ull
#define UNREAD_MAX     (256u * 1024u) /* of a stream's reply, before its next part is begun */
#define RESPONSE_LIMIT (2u * WIRE_BULK_LIMIT)
#define CANCEL_ALL_FLAGS                                                                           \
	(CKF_ENCRYPT | CKF_DECRYPT | CKF_DIGEST | CKF_SIGN | CKF_VERIFY | CKF_FIND_OBJECTS)

/* ---- birth and death ---- */

struct rpc *rpc_new(struct client *client, int32_t stream_id)
{
	struct loop *loop = client->loop;
	struct rpc *rpc = loop->spare_rpcs;

	if (rpc) {
		loop->spare_rpcs = rpc->next;
		loop->spare_rpc_count--;
	} else {
		rpc = calloc(1, sizeof(*rpc));
		if (!rpc)
			return NULL;
		wire_buffer_init(&rpc->backlog, WIRE_BULK_LIMIT, NULL);
		wire_buffer_init(&rpc->response, RESPONSE_LIMIT, NULL);
		wire_buffer_init(&rpc->reader.message, WIRE_BULK_LIMIT, NULL);
	}
	arena_init(&rpc->arena, ARENA_SLACK, &client->held_len);
	rpc->client = client;
	rpc->stream_id = stream_id;
	rpc->previous = NULL;
	rpc->next = client->rpcs;
	if (rpc->next)
		rpc->next->previous = rpc;
	client->rpcs = rpc;
	client->rpc_count++;
	return rpc;
}

void rpc_destroy(struct rpc *rpc)
{
	wire_buffer_free(&rpc->backlog);
	wire_buffer_free(&rpc->response);
	wire_buffer_free(&rpc->reader.message);
	free(rpc);
}

static void unlink_from_client(struct rpc *rpc)
{
	if (rpc->previous)
		rpc->previous->next = rpc->next;
	else
		rpc->client->rpcs = rpc->next;
	if (rpc->next)
		rpc->next->previous = rpc->previous;
	rpc->client->rpc_count--;
}

/* Everything but the buffers is blank for the next. */
static void blank(struct rpc *rpc)
{
	struct wire_buffer backlog = rpc->backlog, response = rpc->response,
			   message = rpc->reader.message;

	memset(rpc, 0, offsetof(struct rpc, arena));
	memset((char *)rpc + offsetof(struct rpc, request), 0,
	       sizeof(*rpc) - offsetof(struct rpc, request));
	rpc->backlog = backlog;
	rpc->response = response;
	rpc->reader.message = message;
}

static void unhold(struct rpc *rpc, size_t len)
{
	rpc->client->held_len -= len;
}

void rpc_free(struct rpc *rpc)
{
	struct loop *loop = rpc->client->loop;

	unhold(rpc, rpc->reader.message.len + rpc->backlog.len + rpc->response.len + rpc->kept.len);
	unlink_from_client(rpc);
	if (rpc->client->heading == rpc)
		rpc->client->heading = NULL;
	if (rpc->deadline_ns)
		front_count_deadline(loop, false);
	arena_reset(&rpc->arena);
	wire_buffer_free(&rpc->kept);
	message_reader_reset(&rpc->reader, KEEP_LEN);
	wire_buffer_reset(&rpc->backlog, KEEP_LEN);
	wire_buffer_reset(&rpc->response, KEEP_LEN);
	if (loop->spare_rpc_count >= FRONT_SPARE_RPCS) {
		rpc_destroy(rpc);
		return;
	}
	blank(rpc);
	rpc->next = loop->spare_rpcs;
	loop->spare_rpcs = rpc;
	loop->spare_rpc_count++;
}

/* ---- requests to the agent ---- */

/* clang-format off */
#define MESSAGE(opcode, name, function, limit)                                                     \
	bool rpc_send_##name(struct rpc *rpc, const struct wire_##name##_request *request)         \
	{                                                                                          \
		struct link *link = &rpc->client->link;                                            \
		size_t place = link_begin(link, WIRE_OPCODE_##name);                               \
                                                                                                   \
		wire_encode_##name##_request(&link->out, request);                                 \
		if (link_end(link, place, rpc)) {                                                  \
			rpc->frames++;                                                             \
			return true;                                                               \
		}                                                                                  \
		rpc_fail(rpc, GRPC_RESOURCE_EXHAUSTED, "the request is too large for the agent");  \
		return false;                                                                      \
	}
#define REQUEST_FIELD(kind, name, text)
#define REPLY_FIELD(kind, name, text)
#define END_MESSAGE
#include "wire/message.def"
#undef MESSAGE
#undef REQUEST_FIELD
#undef REPLY_FIELD
#undef END_MESSAGE
/* clang-format on */

/* A request whose answer is of no interest. That there is no room for it means that the link is
 * being lost, and its sessions with it. */
void rpc_close_session(struct client *client, uint64_t handle)
{
	struct wire_close_session_request request = {.session = handle};
	size_t place;

	if (client->link.state != LINK_UP)
		return;
	place = link_begin(&client->link, WIRE_OPCODE_close_session);
	wire_encode_close_session_request(&client->link.out, &request);
	(void)link_end(&client->link, place, NULL);
}

static void cancel_operations(struct client *client, uint64_t handle)
{
	struct wire_session_cancel_request request = {.session = handle, .flags = CANCEL_ALL_FLAGS};
	size_t place;

	if (client->link.state != LINK_UP)
		return;
	place = link_begin(&client->link, WIRE_OPCODE_session_cancel);
	wire_encode_session_cancel_request(&client->link.out, &request);
	(void)link_end(&client->link, place, NULL);
}

/* ---- sessions and queues ---- */

/* To the end of the link's queue, until something happens: the queue is run after whatever could
 * make room. */
static void wait_for_room(struct rpc *rpc)
{
	struct link *link = &rpc->client->link;

	rpc->queue_next = NULL;
	*link->waiting_last = rpc;
	link->waiting_last = &rpc->queue_next;
}

/* The same for a call that may be able to go: the queue is run before the loop sleeps. */
static void queue(struct rpc *rpc)
{
	wait_for_room(rpc);
	front_mark_dirty(rpc->client);
}

/* Gives its session up. What it may have left unfinished there is ended first. */
static void let_go(struct rpc *rpc)
{
	struct client_session *session = rpc->session;
	struct client *client = rpc->client;
	struct rpc *next;

	if (!session)
		return;
	rpc->session = NULL;
	if (rpc->holds_session && rpc->status != GRPC_OK && session->handle && !session->is_closed)
		cancel_operations(client, session->handle);
	next = sessions_release(&client->sessions, session, rpc);
	if (next)
		wait_for_room(next);
	front_mark_dirty(client);
}

/* After the end: what is left to do once the agent owes nothing, and nobody reads. */
static void settle(struct rpc *rpc)
{
	if (rpc->state != RPC_ENDED || rpc->frames)
		return;
	let_go(rpc);
	arena_reset(&rpc->arena);
	rpc->request = NULL;
	if (!rpc->stream_id)
		rpc_free(rpc);
}

/* Takes it out of whatever queue it is in. If a session was about to be its own, that is now the
 * turn of those behind it. */
static void leave_queues(struct rpc *rpc)
{
	struct client *client = rpc->client;
	struct rpc *next;

	link_forget(&client->link, rpc);
	sessions_forget(&client->sessions, rpc);
	while ((next = sessions_orphan(&client->sessions)))
		queue(next);
}

static void end(struct rpc *rpc, enum grpc_status status)
{
	struct client *client = rpc->client;

	if (rpc->state == RPC_ENDED)
		return;
	if (rpc->state == RPC_QUEUED)
		leave_queues(rpc);
	/* A session of the pool that was not opened is none; nobody waits for it by itself. */
	if (rpc->method == &method_pool && status != GRPC_OK && !rpc->session->is_closed)
		(void)sessions_remove(&client->sessions, rpc->session);
	rpc->status = status;
	rpc->state = RPC_ENDED;
	rpc->ended = true;
	if (rpc->method && rpc->method->request)
		counters_call(&client->loop->front->counters, method_number(rpc->method), status);
	if (rpc->stream_id)
		http_respond(rpc);
	settle(rpc);
}

void rpc_fail(struct rpc *rpc, enum grpc_status status, const char *text)
{
	if (rpc->state == RPC_ENDED)
		return;
	rpc->text = text;
	end(rpc, status);
}

void rpc_lose(struct rpc *rpc, enum grpc_status status, const char *text)
{
	rpc->frames = 0;
	if (rpc->state == RPC_ENDED)
		settle(rpc);
	else
		rpc_fail(rpc, status, text);
}

/* The pool's own failure is that of those who waited for it. */
static void fail_pool_waiters(struct client *client, uint64_t slot, uint64_t ckr)
{
	struct rpc *list = client->link.waiting;

	client->link.waiting = NULL;
	client->link.waiting_last = &client->link.waiting;
	while (list) {
		struct rpc *rpc = list;

		list = rpc->queue_next;
		if (!rpc->session && rpc->method->need >= NEED_POOL && rpc->request &&
		    !rpc->place.session && rpc->place.slot == slot)
			rpc_refuse(rpc, ckr);
		else
			wait_for_room(rpc);
	}
}

/* With another session open the waiters have that one. */
static void fail_pool(struct rpc *rpc, uint64_t ckr)
{
	struct client *client = rpc->client;
	uint64_t slot = rpc->session->slot;
	bool unused;

	client->sessions.no_growth_ns = client->loop->now_ns + POOL_PAUSE_NS;
	if (!sessions_from_pool(&client->sessions, slot, false, &unused))
		fail_pool_waiters(client, slot, ckr);
}

void rpc_refuse(struct rpc *rpc, uint64_t ckr)
{
	if (rpc->state == RPC_ENDED)
		return;
	rpc->ckr = ckr;
	if (rpc->method == &method_pool)
		fail_pool(rpc, ckr);
	end(rpc, status_of_ckr(ckr));
}

void rpc_refuse_list(struct rpc *list, uint64_t ckr)
{
	while (list) {
		struct rpc *rpc = list;

		list = rpc->queue_next;
		rpc->queue_next = NULL;
		rpc_refuse(rpc, ckr);
	}
}

void rpc_succeed(struct rpc *rpc)
{
	end(rpc, GRPC_OK);
}

void rpc_abandon(struct rpc *rpc)
{
	rpc->stream_id = 0;
	if (rpc->state == RPC_ENDED)
		settle(rpc);
	else
		end(rpc, GRPC_CANCELLED);
}

/* ---- running ---- */

/* Opens another session of the pool. */
static void grow_pool(struct client *client, uint64_t slot)
{
	struct client_session *session = sessions_add(&client->sessions, 0, slot, true);
	struct rpc *rpc = session ? rpc_new(client, 0) : NULL;

	if (!rpc) {
		if (session)
			(void)sessions_remove(&client->sessions, session);
		return;
	}
	rpc->method = &method_pool;
	rpc->number[0] = slot;
	rpc->session = session;
	sessions_use(session, rpc, false);
	rpc->state = RPC_RUNNING;
	method_pool.begin(rpc);
}

/* True when it has its session now. Otherwise it has been refused, or waits. */
static bool take_pool_session(struct rpc *rpc, uint64_t slot)
{
	bool alone = rpc->method->need == NEED_ALONE, may_open;
	struct client_session *session =
		sessions_from_pool(&rpc->client->sessions, slot, alone, &may_open);

	if (session) {
		rpc->session = session;
		rpc->holds_session = alone;
		sessions_use(session, rpc, alone);
		return true;
	}
	if (may_open && link_has_room(&rpc->client->link, 1, 0))
		grow_pool(rpc->client, slot);
	if (rpc->state == RPC_QUEUED)
		wait_for_room(rpc);
	return false;
}

static bool take_named_session(struct rpc *rpc, uint64_t handle)
{
	struct client_session *session = sessions_find(&rpc->client->sessions, handle);
	bool alone = rpc->method->need == NEED_ALONE;

	if (!session) {
		rpc_refuse(rpc, CKR_SESSION_HANDLE_INVALID);
		return false;
	}
	if (!rule_allows_slot(rpc->client->rule, session->slot)) {
		rpc_fail(rpc, GRPC_PERMISSION_DENIED, "no rule lets this client use the slot");
		return false;
	}
	if (alone && session->owner) {
		sessions_wait(session, rpc);
		return false;
	}
	rpc->session = session;
	rpc->holds_session = alone;
	sessions_use(session, rpc, alone);
	return true;
}

static bool take_session(struct rpc *rpc)
{
	enum method_need need = rpc->method->need;
	struct rpc_place place = rpc->place;

	if (rpc->session || need == NEED_NOTHING || !rpc->request)
		return true;
	if (place.session && need != NEED_SLOT)
		return take_named_session(rpc, place.session);
	if (need == NEED_SESSION) {
		rpc_refuse(rpc, CKR_SESSION_HANDLE_INVALID);
		return false;
	}
	if (!rule_allows_slot(rpc->client->rule, place.slot)) {
		rpc_fail(rpc, GRPC_PERMISSION_DENIED, "no rule lets this client use the slot");
		return false;
	}
	return need == NEED_SLOT || take_pool_session(rpc, place.slot);
}

/* What the stream has taken makes room. */
static void drop_read(struct rpc *rpc)
{
	size_t read_len = rpc->response_at;

	if (!read_len || (!rpc_drained(rpc) && read_len < UNREAD_MAX))
		return;
	unhold(rpc, read_len);
	if (rpc_drained(rpc))
		wire_buffer_reset(&rpc->response, UNREAD_MAX);
	else
		wire_buffer_consume(&rpc->response, read_len);
	rpc->response_at = 0;
}

bool rpc_must_wait(const struct rpc *rpc)
{
	return !rpc->begun &&
	       client_holds_too_much(rpc->client, rpc->reader.message.len + rpc->arena.blocks_len);
}

/* Its client must read before there is more. What it has read must not be what it waits for. */
static bool must_read_first(struct rpc *rpc)
{
	drop_read(rpc);
	return rpc->response.len - rpc->response_at > UNREAD_MAX || rpc_must_wait(rpc);
}

void rpc_run(struct rpc *rpc)
{
	struct link *link = &rpc->client->link;

	rpc->state = RPC_QUEUED;
	if ((rpc->method->streams & STREAMS_OUT) && must_read_first(rpc)) {
		wait_for_room(rpc);
		return;
	}
	if (rpc->method->frames) {
		if (link->state != LINK_UP || must_read_first(rpc)) {
			link_open(link);
			if (link->state == LINK_DOWN)
				rpc_fail(rpc, GRPC_UNAVAILABLE, "the agent cannot be reached");
			else
				wait_for_room(rpc);
			return;
		}
		if (!take_session(rpc))
			return;
		if (!link_has_room(link, rpc->method->frames, rpc->message_len)) {
			wait_for_room(rpc);
			return;
		}
	}
	rpc->state = RPC_RUNNING;
	rpc->method->begin(rpc);
	if (rpc->state == RPC_RUNNING && !rpc->frames && (rpc->method->streams & STREAMS_IN))
		rpc_part_done(rpc);
}

void rpc_continue(struct rpc *rpc)
{
	rpc->state = RPC_QUEUED;
	queue(rpc);
}

static void take_answer(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	if (rpc->ckr || rpc->state != RPC_RUNNING)
		return;
	if (!rpc->method->answer(rpc, opcode, ckr, body))
		rpc->ckr = ckr ? ckr : CKR_DEVICE_ERROR;
}

void rpc_answer(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	rpc->frames--;
	if (rpc->state == RPC_ENDED) {
		if (rpc->method->late)
			rpc->method->late(rpc, opcode, body);
		settle(rpc);
		return;
	}
	take_answer(rpc, opcode, ckr, body);
	if (rpc->frames || rpc->state != RPC_RUNNING)
		settle(rpc);
	else if (rpc->ckr)
		rpc_refuse(rpc, rpc->ckr);
	else if (rpc->method->finish)
		rpc->method->finish(rpc);
	else
		rpc_succeed(rpc);
}

/* ---- the request's octets ---- */

size_t rpc_message_limit(const struct rpc *rpc)
{
	return client_config(rpc->client)->daemon.max_message_size;
}

void rpc_start(struct rpc *rpc)
{
	struct client *client = rpc->client;

	if (client->restricted && rpc->method->rule != METHOD_RULE_ANY &&
	    !rule_allows_method(client->rule, rpc->method->rule)) {
		atomic_fetch_add(&client->loop->front->counters.denied, 1);
		rpc_fail(rpc, GRPC_PERMISSION_DENIED, "no rule lets this client call the method");
	}
}

static void fail_message(struct rpc *rpc, enum message_result result)
{
	struct counters *counters = &rpc->client->loop->front->counters;

	if (result == MESSAGE_COMPRESSED) {
		rpc_fail(rpc, GRPC_UNIMPLEMENTED, "compressed messages are not taken");
	} else if (result == MESSAGE_TOO_LARGE) {
		counters_limit(counters, LIMIT_MESSAGE);
		rpc_fail(rpc, GRPC_RESOURCE_EXHAUSTED,
		         "the message is larger than [daemon].max_message_size");
	} else {
		rpc_fail(rpc, GRPC_RESOURCE_EXHAUSTED, "out of memory");
	}
}

/* Everything of the message is in the arena then, so its octets are given up. */
static bool unpack(struct rpc *rpc)
{
	struct wire_buffer *message = &rpc->reader.message;
	ProtobufCAllocator allocator;

	rpc->arena.limit = 2 * message->len + ARENA_SLACK;
	allocator = arena_allocator(&rpc->arena);
	rpc->request =
		protobuf_c_message_unpack(rpc->method->request, &allocator, message->len,
	                                  message->len ? message->data : (const uint8_t *)"");
	rpc->message_len = message->len;
	unhold(rpc, message->len);
	wire_buffer_reset(message, rpc->method->streams & STREAMS_IN ? UNREAD_MAX : KEEP_LEN);
	if (rpc->request) {
		rpc->place = rpc->method->locate(rpc->request);
		return true;
	}
	rpc_fail(rpc, GRPC_INVALID_ARGUMENT, "the message is not of the method's type");
	return false;
}

/* A whole message: a stream's is dealt with now, any other when its stream has ended. */
static void take_message(struct rpc *rpc)
{
	rpc->has_message = true;
	if (!(rpc->method->streams & STREAMS_IN))
		return;
	if (unpack(rpc))
		rpc_continue(rpc);
}

/* What is refused is what would take the connection beyond its budget: if it were only made to
 * wait, everything could come to wait for everything else. */
static bool refuse_excess(struct rpc *rpc)
{
	if (!client_holds_too_much(rpc->client, 0))
		return false;
	counters_limit(&rpc->client->loop->front->counters, LIMIT_MEMORY);
	rpc_fail(rpc, GRPC_RESOURCE_EXHAUSTED,
	         "the connection has more unfinished than [daemon].max_connection_memory");
	return true;
}

/* Feeds the reader up to the end of a message. Returns how many octets it took. */
static size_t feed(struct rpc *rpc, struct wire_bytes octets)
{
	size_t before = rpc->reader.message.len, taken;
	enum message_result result =
		message_reader_take(&rpc->reader, octets, rpc_message_limit(rpc), &taken);

	rpc->client->held_len += rpc->reader.message.len - before;
	if (result != MESSAGE_WHOLE && result != MESSAGE_PARTIAL)
		fail_message(rpc, result);
	else if (!refuse_excess(rpc) && result == MESSAGE_WHOLE)
		take_message(rpc);
	return taken;
}

static bool may_feed(const struct rpc *rpc)
{
	return !rpc->has_message && (rpc->state == RPC_RECEIVING || rpc->state == RPC_IDLE);
}

size_t rpc_receive(struct rpc *rpc, struct wire_bytes octets)
{
	size_t taken = 0, given = octets.len, before;

	if (rpc->state == RPC_ENDED)
		return given;
	/* An empty message is whole with its prefix, so the reader is asked before the octets are
	 * counted. */
	if (may_feed(rpc))
		taken = feed(rpc, octets);
	if (taken == given || rpc->state == RPC_ENDED)
		return given;
	if (!(rpc->method->streams & STREAMS_IN)) {
		rpc_fail(rpc, GRPC_INVALID_ARGUMENT, "the method takes one message");
		return given;
	}
	before = rpc->backlog.len;
	wire_put_raw(&rpc->backlog, octets.data + taken, given - taken);
	rpc->client->held_len += rpc->backlog.len - before;
	if (rpc->backlog.failed)
		rpc_fail(rpc, GRPC_RESOURCE_EXHAUSTED, "out of memory");
	else
		(void)refuse_excess(rpc);
	return taken;
}

/* The stream's end, once all of its messages are dealt with. */
static void take_end(struct rpc *rpc)
{
	if (message_reader_is_partial(&rpc->reader)) {
		rpc_fail(rpc, GRPC_INVALID_ARGUMENT, "the stream ended inside a message");
		return;
	}
	rpc->request = NULL;
	rpc_continue(rpc);
}

/* What came meanwhile. It is not counted while it moves into the reader, where it is. */
static void feed_backlog(struct rpc *rpc)
{
	size_t total = 0;

	unhold(rpc, rpc->backlog.len);
	while (rpc->backlog.len > total && may_feed(rpc))
		total += feed(rpc, (struct wire_bytes){rpc->backlog.data + total,
		                                       rpc->backlog.len - total});
	rpc->client->held_len += rpc->backlog.len - total;
	if (!total)
		return;
	http_consumed(rpc, total);
	if (total == rpc->backlog.len)
		wire_buffer_reset(&rpc->backlog, KEEP_LEN);
	else
		wire_buffer_consume(&rpc->backlog, total);
}

void rpc_part_done(struct rpc *rpc)
{
	if (rpc->state == RPC_ENDED)
		return;
	rpc->state = RPC_IDLE;
	rpc->has_message = false;
	rpc->request = NULL;
	rpc->message_len = 0;
	arena_reset(&rpc->arena);
	message_reader_reset(&rpc->reader, UNREAD_MAX);
	feed_backlog(rpc);
	if (rpc->state == RPC_IDLE && !rpc->has_message && rpc->input_ended && !rpc->backlog.len)
		take_end(rpc);
}

void rpc_input_end(struct rpc *rpc)
{
	if (rpc->input_ended)
		return;
	rpc->input_ended = true;
	if (rpc->state == RPC_ENDED)
		return;
	if (rpc->method->streams & STREAMS_IN) {
		if (may_feed(rpc))
			take_end(rpc);
	} else if (!rpc->has_message) {
		rpc_fail(rpc, GRPC_INVALID_ARGUMENT, "the stream has no whole message");
	} else if (unpack(rpc)) {
		rpc_continue(rpc);
	}
}

/* ---- what a method keeps ---- */

void rpc_keep_nothing(struct rpc *rpc, size_t limit)
{
	unhold(rpc, rpc->kept.len);
	wire_buffer_free(&rpc->kept);
	wire_buffer_init(&rpc->kept, limit, NULL);
}

void rpc_keep(struct rpc *rpc, const void *octets, size_t len)
{
	size_t before = rpc->kept.len;

	wire_put_raw(&rpc->kept, octets, len);
	rpc->client->held_len += rpc->kept.len - before;
}

/* ---- the reply's octets ---- */

void rpc_put(struct rpc *rpc, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message), before;
	uint8_t *octets;

	if (!rpc->stream_id)
		return;
	if (len > rpc_message_limit(rpc)) {
		counters_limit(&rpc->client->loop->front->counters, LIMIT_MESSAGE);
		rpc_fail(rpc, GRPC_RESOURCE_EXHAUSTED,
		         "the reply is larger than [daemon].max_message_size");
		return;
	}
	drop_read(rpc);
	before = rpc->response.len;
	octets = wire_buffer_extend(&rpc->response, MESSAGE_PREFIX_LEN + len);
	if (!octets) {
		rpc_fail(rpc, GRPC_RESOURCE_EXHAUSTED, "out of memory");
		return;
	}
	rpc->client->held_len += rpc->response.len - before;
	message_put_prefix(octets, len);
	protobuf_c_message_pack(message, octets + MESSAGE_PREFIX_LEN);
	if (rpc->method->streams & STREAMS_OUT)
		http_respond(rpc);
}

bool rpc_drained(const struct rpc *rpc)
{
	return rpc->response_at == rpc->response.len;
}
