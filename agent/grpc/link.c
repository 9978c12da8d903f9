/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connecting, greeting, and octets in both directions. Frames come from the agent, which is trusted
 * more than the clients; they are checked all the same.
 */
#include "grpc/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "grpc/client.h"
#include "grpc/rpc.h"
#include "log.h"

#define HELLO_ID    0xffffffffu
#define IDENTITY_ID 0xfffffffeu
#define OUT_MAX     (1u << 20) /* beyond this no call begins before some of it is written */
#define OUT_LIMIT   (2u * (WIRE_BULK_LIMIT + OUT_MAX))

static void fail_all(struct link *link, enum grpc_status status, const char *text);

void link_init(struct link *link, struct client *client)
{
	*link = (struct link){.client = client, .fd = -1};
	link->waiting_last = &link->waiting;
	wire_buffer_init(&link->out, OUT_LIMIT, NULL);
	wire_buffer_init(&link->sending, OUT_LIMIT, NULL);
	wire_buffer_init(&link->in, WIRE_BULK_LIMIT + WIRE_FRAME_HEADER_LEN, NULL);
}

/* ---- requests ---- */

bool link_has_room(struct link *link, unsigned int frames, size_t bulk_len)
{
	bool is_bulk = bulk_len > WIRE_CONTROL_LIMIT / 2;

	if (link->state == LINK_DOWN)
		link_open(link);
	return link->state == LINK_UP && link->frames + frames <= LINK_FRAMES_MAX &&
	       (!is_bulk || link->bulk_frames < LINK_BULK_FRAMES_MAX) && link->out.len < OUT_MAX;
}

static struct link_entry *free_entry(struct link *link)
{
	for (unsigned int i = 0; i < LINK_TABLE_LEN; i++) {
		struct link_entry *entry = &link->table[link->next_id % LINK_TABLE_LEN];

		link->next_id++;
		if (!entry->is_used)
			return entry;
	}
	return NULL;
}

size_t link_begin(struct link *link, uint16_t opcode)
{
	struct wire_frame_header header = {.opcode = opcode};

	return wire_frame_begin(&link->out, &header);
}

/* A login's operation follows its answer without asking for room (calls_data.c), so that its place
 * among the bulk requests is taken with the login. */
static bool is_bulk(const struct wire_frame_header *header, const struct rpc *rpc)
{
	return header->body_len > WIRE_CONTROL_LIMIT ||
	       (header->opcode == WIRE_OPCODE_login && rpc &&
	        rpc->message_len > WIRE_CONTROL_LIMIT / 2);
}

bool link_end(struct link *link, size_t place, struct rpc *rpc)
{
	struct link_entry *entry = NULL;
	struct wire_frame_header header;

	wire_frame_finish(&link->out, place);
	/* The agent would end the connection for a frame beyond its limit. */
	if (!link->out.failed) {
		wire_frame_parse(&header, link->out.data + place);
		if (header.body_len <= wire_frame_limit(header.opcode))
			entry = free_entry(link);
	}
	if (!entry) {
		link->out.failed = false;
		wire_buffer_truncate(&link->out, place);
		return false;
	}
	header.request_id = (link->next_id - 1) & 0x7fffffffu;
	wire_frame_store(link->out.data + place, &header);
	*entry = (struct link_entry){.rpc = rpc,
	                             .request_id = header.request_id,
	                             .opcode = header.opcode,
	                             .is_used = true,
	                             .is_bulk = is_bulk(&header, rpc)};
	link->frames++;
	link->bulk_frames += entry->is_bulk;
	front_mark_dirty(link->client);
	return true;
}

void link_forget(struct link *link, struct rpc *rpc)
{
	for (unsigned int i = 0; i < LINK_TABLE_LEN; i++)
		if (link->table[i].rpc == rpc)
			link->table[i].rpc = NULL;
	for (struct rpc **place = &link->waiting; *place; place = &(*place)->queue_next) {
		if (*place != rpc)
			continue;
		*place = rpc->queue_next;
		if (!*place)
			link->waiting_last = place;
		return;
	}
}

/* ---- answers ---- */

static void put_greeting(struct link *link)
{
	struct wire_hello_request hello = {.version = WIRE_VERSION};
	struct wire_frame_header header = {.opcode = WIRE_OPCODE_hello, .request_id = HELLO_ID};
	struct wire_identity_request identity = {.client = wire_text(link->client->identity)};
	size_t place = wire_frame_begin(&link->out, &header);

	wire_encode_hello_request(&link->out, &hello);
	wire_frame_finish(&link->out, place);
	if (!identity.client.len)
		return;
	header = (struct wire_frame_header){.opcode = WIRE_OPCODE_identity,
	                                    .request_id = IDENTITY_ID};
	place = wire_frame_begin(&link->out, &header);
	wire_encode_identity_request(&link->out, &identity);
	wire_frame_finish(&link->out, place);
}

/* The agent refuses who we are: a configuration that cannot serve, which the operator must
 * see, once. */
static void refuse_identity(struct link *link)
{
	if (!link->client->loop->identity_refused)
		log_error("the agent does not believe cratond whom it speaks for; run it as the "
		          "user of [daemon].user");
	link->client->loop->identity_refused = true;
	fail_all(link, GRPC_INTERNAL, "the agent does not trust cratond; see its log");
	link_close(link);
}

static void take_greeting(struct link *link, const struct wire_frame_header *header)
{
	bool is_hello = header->request_id == HELLO_ID;

	if (header->status != CKR_OK && is_hello) {
		fail_all(link, GRPC_INTERNAL, "the module is in the error state");
		link_close(link);
		return;
	}
	if (header->status != CKR_OK) {
		refuse_identity(link);
		return;
	}
	if (is_hello && link->client->identity[0])
		return;
	link->client->loop->identity_refused = false;
	link->state = LINK_UP;
	client_run_waiting(link->client);
}

static struct link_entry *find_entry(struct link *link, const struct wire_frame_header *header)
{
	for (unsigned int i = 0; i < LINK_TABLE_LEN; i++) {
		struct link_entry *entry = &link->table[(header->request_id + i) % LINK_TABLE_LEN];

		if (entry->is_used && entry->request_id == header->request_id)
			return entry;
	}
	return NULL;
}

static bool take_frame(struct link *link, const struct wire_frame_header *header,
                       struct wire_bytes body)
{
	struct link_entry *entry;
	struct rpc *rpc;

	if (header->flags != WIRE_FRAME_REPLY)
		return false;
	if (header->request_id >= IDENTITY_ID) {
		if (link->state != LINK_GREETING)
			return false;
		take_greeting(link, header);
		return true;
	}
	entry = find_entry(link, header);
	if (!entry || entry->opcode != header->opcode)
		return false;
	rpc = entry->rpc;
	link->frames--;
	link->bulk_frames -= entry->is_bulk;
	*entry = (struct link_entry){0};
	if (rpc)
		rpc_answer(rpc, header->opcode, header->status, body);
	return true;
}

/* Runs the whole frames at the front. How many octets they had, or SIZE_MAX. */
static size_t take_frames(struct link *link, struct wire_bytes octets)
{
	struct wire_frame_header header;
	size_t at = 0;

	while (octets.len - at >= WIRE_FRAME_HEADER_LEN && link->state != LINK_CLOSING) {
		const uint8_t *body = octets.data + at + WIRE_FRAME_HEADER_LEN;

		wire_frame_parse(&header, octets.data + at);
		if (header.body_len > wire_frame_limit(header.opcode))
			return SIZE_MAX;
		if (octets.len - at - WIRE_FRAME_HEADER_LEN < header.body_len)
			return at;
		if (!take_frame(link, &header, (struct wire_bytes){body, header.body_len}))
			return SIZE_MAX;
		at += WIRE_FRAME_HEADER_LEN + header.body_len;
	}
	return at;
}

static bool take_with_partial(struct link *link, struct wire_bytes octets)
{
	size_t taken;

	wire_put_raw(&link->in, octets.data, octets.len);
	if (link->in.failed)
		return false;
	taken = take_frames(link, (struct wire_bytes){link->in.data, link->in.len});
	if (taken == SIZE_MAX)
		return false;
	if (taken == link->in.len)
		wire_buffer_reset(&link->in, CLIENT_KEEP_LEN);
	else
		wire_buffer_consume(&link->in, taken);
	return true;
}

bool link_take(struct link *link, struct wire_bytes octets)
{
	size_t taken;

	if (link->in.len)
		return take_with_partial(link, octets);
	taken = take_frames(link, octets);
	if (taken == SIZE_MAX)
		return false;
	if (link->state != LINK_CLOSING && taken < octets.len)
		wire_put_raw(&link->in, octets.data + taken, octets.len - taken);
	return !link->in.failed;
}

/* ---- the socket ---- */

/* Every call that hangs on the link gets this status; those that waited for it, too. */
static void fail_all(struct link *link, enum grpc_status status, const char *text)
{
	struct rpc *waiting = link->waiting;

	link->waiting = NULL;
	link->waiting_last = &link->waiting;
	while (waiting) {
		struct rpc *rpc = waiting;

		waiting = rpc->queue_next;
		rpc->queue_next = NULL;
		rpc_lose(rpc, status, text);
	}
	for (unsigned int i = 0; i < LINK_TABLE_LEN; i++) {
		struct link_entry entry = link->table[i];

		link->table[i] = (struct link_entry){0};
		if (!entry.rpc)
			continue;
		/* The call may be freed now, and have further entries. */
		link_forget(link, entry.rpc);
		rpc_lose(entry.rpc, status, text);
	}
	link->frames = link->bulk_frames = 0;
}

/* The agent's application is gone, and all of its sessions. */
static void drop_sessions(struct client *client)
{
	while (client->sessions.first) {
		struct client_session *session = client->sessions.first;
		struct rpc *waiting = sessions_remove(&client->sessions, session);

		while (waiting) {
			struct rpc *rpc = waiting;

			waiting = rpc->queue_next;
			rpc->queue_next = NULL;
			rpc_lose(rpc, GRPC_UNAVAILABLE, "the agent went away");
		}
	}
}

bool link_is_quiet(const struct link *link)
{
	return !link->connecting && !link->is_sending && !link->receiving;
}

/* Once the kernel is done with the old socket a new one may be made. */
static void settle(struct link *link)
{
	if (link->state != LINK_CLOSING || !link_is_quiet(link))
		return;
	close(link->fd);
	link->fd = -1;
	link->state = LINK_DOWN;
	wire_buffer_reset(&link->out, CLIENT_KEEP_LEN);
	wire_buffer_reset(&link->sending, CLIENT_KEEP_LEN);
	wire_buffer_reset(&link->in, CLIENT_KEEP_LEN);
	link->sent = 0;
	if (link->waiting && !link->client->closing)
		link_open(link);
}

void link_close(struct link *link)
{
	if (link->state == LINK_DOWN || link->state == LINK_CLOSING)
		return;
	link->state = LINK_CLOSING;
	shutdown(link->fd, SHUT_RDWR);
	fail_all(link, GRPC_UNAVAILABLE, "the agent went away");
	drop_sessions(link->client);
	if (link->connecting)
		io_uring_prep_cancel(
			uring_sqe(&link->client->loop->ring, &link->client->loop->ignored),
			&link->connect, 0);
}

static void arm_receive(struct link *link)
{
	struct io_uring_sqe *sqe = uring_sqe(&link->client->loop->ring, &link->receive);

	io_uring_prep_recv_multishot(sqe, link->fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 0;
	link->receiving = true;
}

static void on_received(struct loop *loop, struct completion *completion, int32_t result,
                        uint32_t flags)
{
	struct link *link = container_of(completion, struct link, receive);

	if (!(flags & IORING_CQE_F_MORE))
		link->receiving = false;
	if (flags & IORING_CQE_F_BUFFER) {
		uint16_t id = (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT);
		struct wire_bytes octets = {loop->octets + (size_t)id * FRONT_BUFFER_LEN,
		                            result > 0 ? (size_t)result : 0};

		if (octets.len && link->state != LINK_CLOSING && !link_take(link, octets)) {
			log_error("the agent sent what is not of the protocol");
			link_close(link);
		}
		uring_buffers_recycle(&loop->buffers, id, octets.len);
	}
	if (result <= 0 && result != -ENOBUFS)
		link_close(link);
	if (!link->receiving && link->state != LINK_CLOSING)
		arm_receive(link);
	settle(link);
	front_mark_dirty(link->client);
}

static void on_sent(struct loop *loop, struct completion *completion, int32_t result,
                    uint32_t flags)
{
	struct link *link = container_of(completion, struct link, send);

	(void)loop;
	(void)flags;
	link->is_sending = false;
	if (result < 0)
		link_close(link);
	else
		link->sent += (size_t)result;
	if (link->state != LINK_CLOSING) {
		if (link->sent == link->sending.len) {
			wire_buffer_reset(&link->sending, CLIENT_KEEP_LEN);
			link->sent = 0;
		}
		link_flush(link);
		client_run_waiting(link->client);
	}
	settle(link);
	front_mark_dirty(link->client);
}

void link_flush(struct link *link)
{
	struct io_uring_sqe *sqe;
	struct wire_buffer empty;

	if (link->is_sending || link->state < LINK_GREETING || link->state == LINK_CLOSING)
		return;
	if (!link->sending.len) {
		if (!link->out.len)
			return;
		empty = link->sending;
		link->sending = link->out;
		link->out = empty;
		link->sent = 0;
	}
	sqe = uring_sqe(&link->client->loop->ring, &link->send);
	io_uring_prep_send(sqe, link->fd, link->sending.data + link->sent,
	                   link->sending.len - link->sent, MSG_NOSIGNAL | MSG_WAITALL);
	link->is_sending = true;
}

static void on_connected(struct loop *loop, struct completion *completion, int32_t result,
                         uint32_t flags)
{
	struct link *link = container_of(completion, struct link, connect);

	(void)loop;
	(void)flags;
	link->connecting = false;
	if (link->state == LINK_CLOSING) {
		settle(link);
	} else if (result < 0) {
		fail_all(link, GRPC_UNAVAILABLE, "the agent does not answer");
		link_close(link);
		settle(link);
	} else {
		link->state = LINK_GREETING;
		put_greeting(link);
		arm_receive(link);
	}
	front_mark_dirty(link->client);
}

void link_open(struct link *link)
{
	struct front *front = link->client->loop->front;
	struct io_uring_sqe *sqe;

	if (link->state != LINK_DOWN || link->client->closing)
		return;
	link->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (link->fd < 0) {
		log_warning("no socket for the agent: %s", strerror(errno));
		fail_all(link, GRPC_RESOURCE_EXHAUSTED, "cratond is out of descriptors");
		return;
	}
	link->connect.handler = on_connected;
	link->send.handler = on_sent;
	link->receive.handler = on_received;
	link->state = LINK_CONNECTING;
	link->connecting = true;
	sqe = uring_sqe(&link->client->loop->ring, &link->connect);
	io_uring_prep_connect(sqe, link->fd, (const struct sockaddr *)&front->agent_address,
	                      front->agent_address_len);
}

void link_free(struct link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	wire_buffer_free(&link->out);
	wire_buffer_free(&link->sending);
	wire_buffer_free(&link->in);
}
