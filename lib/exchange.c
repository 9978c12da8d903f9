/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets and frames, seen from the client: send all of a request in one system call, wait for the
 * reply (first spinning, then sleeping), and believe nothing in it that was not checked. It is not
 * the place where connections are chosen, shared or given up: see channel.c.
 */
#include "exchange_private.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "wire/codec.h"
#include "wire/frame.h"

#define KEEP_LEN         (64u * 1024u) /* of each buffer between two calls */
#define FIRST_READ_LEN   512u          /* holds most replies whole */
#define DIRECT_LEN       512u          /* data from this length on is not copied into the frame */
#define DRAIN_LEN        4096u
#define SPIN_MISSES_MAX  3u       /* in a row, before spinning pauses */
#define SPIN_PAUSE_CALLS 64u      /* calls without spinning after that */
#define LOOKS_PER_CLOCK  16u      /* at shared memory, for one at the clock */
#define NAP_NS           50000000 /* then the socket, which also tells when the agent is gone */
#define CONNECT_RETRY_NS 2000000
#define NS_PER_US        1000
#define NS_PER_MS        1000000
#define NS_PER_S         1000000000

void exchange_init(struct connection *connection, struct channel *channel)
{
	*connection = (struct connection){.fd = -1, .channel = channel};
	wire_buffer_init(&connection->request, WIRE_FRAME_HEADER_LEN + WIRE_BULK_LIMIT, NULL);
	wire_buffer_init(&connection->reply, WIRE_FRAME_HEADER_LEN + WIRE_BULK_LIMIT, NULL);
	for (int i = 0; i < SCRATCH_COUNT; i++)
		wire_buffer_init(&connection->scratch[i], WIRE_CONTROL_LIMIT, NULL);
}

void exchange_wipe(struct connection *connection)
{
	wire_buffer_reset(&connection->request, KEEP_LEN);
	wire_buffer_reset(&connection->reply, KEEP_LEN);
	for (int i = 0; i < SCRATCH_COUNT; i++)
		wire_buffer_reset(&connection->scratch[i], KEEP_LEN);
	wire_wipe(connection->ahead.body, connection->ahead.len);
	connection->ahead.len = 0;
}

void exchange_unmap(struct connection *connection, bool forked)
{
	exchange_ring_unmap(&connection->ring, forked);
	exchange_window_unmap(&connection->window, forked);
}

void exchange_destroy(struct connection *connection)
{
	if (connection->fd >= 0)
		close(connection->fd);
	connection->fd = -1;
	exchange_unmap(connection, false);
	wire_buffer_free(&connection->request);
	wire_buffer_free(&connection->reply);
	for (int i = 0; i < SCRATCH_COUNT; i++)
		wire_buffer_free(&connection->scratch[i]);
}

void exchange_abandon(struct connection *connection)
{
	exchange_unmap(connection, true);
	exchange_destroy(connection);
}

int64_t exchange_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int exchange_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int exchange_establish(struct connection *connection, const struct sockaddr_un *address,
                       int64_t deadline)
{
	const struct timespec pause = {.tv_nsec = CONNECT_RETRY_NS};

	while (connect(connection->fd, (const struct sockaddr *)address, sizeof(*address))) {
		/* EAGAIN: the agent's queue of connections is full. */
		if (errno != EAGAIN && errno != EINTR)
			return errno;
		if (exchange_clock() >= deadline)
			return ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	return 0;
}

int exchange_milliseconds_until(int64_t deadline)
{
	int64_t left;

	if (deadline == EXCHANGE_FOREVER)
		return -1;
	left = deadline - exchange_clock();
	return left < 0 ? 0 : (int)(left / NS_PER_MS) + 1;
}

/* Sleeps until the socket is ready. False after the deadline or on error. */
static bool wait_ready(int fd, short events, int64_t deadline)
{
	struct pollfd wanted = {.fd = fd, .events = events};
	int timeout = exchange_milliseconds_until(deadline);
	int ready;

	if (!timeout)
		return false;
	ready = poll(&wanted, 1, timeout);
	return ready > 0 || (ready < 0 && errno == EINTR);
}

/* Drops `len` octets from the front of what is to be sent. */
static void advance(struct msghdr *message, size_t len)
{
	while (message->msg_iovlen && len >= message->msg_iov->iov_len) {
		len -= message->msg_iov->iov_len;
		message->msg_iov++;
		message->msg_iovlen--;
	}
	if (message->msg_iovlen) {
		message->msg_iov->iov_base = (uint8_t *)message->msg_iov->iov_base + len;
		message->msg_iov->iov_len -= len;
	}
}

static bool send_all(int fd, struct iovec *parts, size_t count, int64_t deadline)
{
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};

	while (message.msg_iovlen) {
		ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);

		if (sent >= 0)
			advance(&message, (size_t)sent);
		else if (errno == EAGAIN ? !wait_ready(fd, POLLOUT, deadline) : errno != EINTR)
			return false;
	}
	return true;
}

/* One recv: octets read, 0 when there are none yet, -1 at the end of the stream or on error. */
static ssize_t try_receive(int fd, uint8_t *into, size_t len)
{
	ssize_t got = recv(fd, into, len, MSG_DONTWAIT);

	if (got > 0)
		return got;
	return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static ssize_t receive_some(int fd, uint8_t *into, size_t len, int64_t deadline)
{
	ssize_t got;

	while ((got = try_receive(fd, into, len)) == 0) {
		if (!wait_ready(fd, POLLIN, deadline))
			return -1;
	}
	return got;
}

static bool receive_all(int fd, uint8_t *into, size_t len, int64_t deadline)
{
	while (len) {
		ssize_t got = receive_some(fd, into, len, deadline);

		if (got < 0)
			return false;
		into += got;
		len -= (size_t)got;
	}
	return true;
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static enum wire_crowd crowd(const struct connection *connection)
{
	const struct wire_epoch *epoch = connection->ring.epoch;

	return epoch ? (enum wire_crowd)atomic_load_explicit(&epoch->crowd, memory_order_relaxed)
	             : WIRE_CROWD_NONE;
}

/* Spinning saves the sleep and the wake-up of a call that takes some microseconds; where it keeps
 * failing (slow calls, a busy machine) it only burns the processor that the agent needs. */
static bool may_spin(struct connection *connection)
{
	if (!connection->spin_us || crowd(connection) != WIRE_CROWD_NONE)
		return false;
	if (!connection->spin_pause)
		return true;
	connection->spin_pause--;
	return false;
}

static void note_miss(struct connection *connection)
{
	if (++connection->spin_misses < SPIN_MISSES_MAX)
		return;
	connection->spin_misses = SPIN_MISSES_MAX - 1; /* one more miss after the pause */
	connection->spin_pause = SPIN_PAUSE_CALLS;
}

static ssize_t spin(struct connection *connection, uint8_t *into, size_t len)
{
	int64_t until = exchange_clock() + (int64_t)connection->spin_us * NS_PER_US;
	ssize_t got;

	do {
		got = try_receive(connection->fd, into, len);
		if (got) {
			connection->spin_misses = 0;
			return got;
		}
		relax();
	} while (exchange_clock() < until);
	note_miss(connection);
	return 0;
}

bool exchange_is_doorbell(const uint8_t *octets)
{
	struct wire_frame_header header;

	wire_frame_parse(&header, octets);
	return header.opcode == WIRE_OPCODE_doorbell && header.flags == WIRE_FRAME_REPLY &&
	       !header.body_len;
}

/* A bell that came after its reply had been found is of no use any more. */
static size_t skip_doorbells(uint8_t *octets, size_t have)
{
	while (have >= WIRE_FRAME_HEADER_LEN && exchange_is_doorbell(octets)) {
		have -= WIRE_FRAME_HEADER_LEN;
		memmove(octets, octets + WIRE_FRAME_HEADER_LEN, have);
	}
	return have;
}

/* Reads the header and whatever came with it into the first FIRST_READ_LEN octets of the reply
 * buffer. Returns the octets read, or 0. */
static size_t receive_header(struct connection *connection, int64_t deadline)
{
	uint8_t *into = connection->reply.data;
	size_t have = 0;
	ssize_t got = may_spin(connection) ? spin(connection, into, FIRST_READ_LEN) : 0;

	if (got > 0)
		have = skip_doorbells(into, (size_t)got);
	while (got >= 0 && have < WIRE_FRAME_HEADER_LEN) {
		got = receive_some(connection->fd, into + have, FIRST_READ_LEN - have, deadline);
		if (got > 0)
			have = skip_doorbells(into, have + (size_t)got);
	}
	return got < 0 ? 0 : have;
}

/* Reads away a reply that there is no memory for, so that the next one is found. */
static enum exchange_result drain(struct connection *connection, size_t len, int64_t deadline)
{
	uint8_t waste[DRAIN_LEN];
	bool ok = true;

	while (ok && len) {
		size_t part = len < sizeof(waste) ? len : sizeof(waste);

		ok = receive_all(connection->fd, waste, part, deadline);
		len -= part;
	}
	wire_wipe(waste, sizeof(waste));
	return ok ? EXCHANGE_NO_MEMORY : EXCHANGE_LOST;
}

/* Reads the rest of the frame, of which `have` octets are there. */
static enum exchange_result receive_rest(struct connection *connection, size_t frame_len,
                                         size_t have, int64_t deadline)
{
	struct wire_buffer *reply = &connection->reply;

	if (frame_len > reply->len && !wire_buffer_extend(reply, frame_len - reply->len))
		return drain(connection, frame_len - have, deadline);
	if (!receive_all(connection->fd, reply->data + have, frame_len - have, deadline))
		return EXCHANGE_LOST;
	wire_buffer_truncate(reply, frame_len);
	return EXCHANGE_OK;
}

/* Only the replies to these are read by who knows of the window. */
static uint16_t window_flag(uint16_t opcode)
{
	switch (opcode) {
	case WIRE_OPCODE_parts_begin:
	case WIRE_OPCODE_parts_next:
	case WIRE_OPCODE_parts_rest:
		return WIRE_FRAME_WINDOW;
	default:
		return 0;
	}
}

bool exchange_header_fits(const struct wire_frame_header *header, uint16_t opcode,
                          uint32_t request_id, size_t have)
{
	return header->request_id == request_id && header->opcode == opcode &&
	       (header->flags & ~window_flag(opcode)) == WIRE_FRAME_REPLY &&
	       header->body_len <= wire_frame_limit(opcode) &&
	       have <= WIRE_FRAME_HEADER_LEN + (size_t)header->body_len;
}

/* `have` octets, a header at least, are in the reply buffer. */
static enum exchange_result receive_body(struct connection *connection, uint16_t opcode,
                                         size_t have, int64_t deadline, CK_RV *status)
{
	struct wire_frame_header header;

	wire_frame_parse(&header, connection->reply.data);
	if (!exchange_header_fits(&header, opcode, connection->request_id, have))
		return EXCHANGE_LOST;
	*status = header.status;
	return receive_rest(connection, WIRE_FRAME_HEADER_LEN + (size_t)header.body_len, have,
	                    deadline);
}

static enum exchange_result receive_reply(struct connection *connection, uint16_t opcode,
                                          int64_t deadline, CK_RV *status)
{
	size_t have = receive_header(connection, deadline);

	return have ? receive_body(connection, opcode, have, deadline, status) : EXCHANGE_LOST;
}

/* ---- through shared memory ---- */

/* As send and receive, with memory in between; in the rare cases that need it, with the socket. */
static bool ring_spin(struct connection *connection)
{
	int64_t until = exchange_clock() + (int64_t)connection->spin_us * NS_PER_US;

	do {
		for (unsigned int i = 0; i < LOOKS_PER_CLOCK; i++) {
			if (wire_ring_ready(&connection->ring.replies)) {
				connection->spin_misses = 0;
				return true;
			}
			relax();
		}
		wire_ring_clean(&connection->ring.requests); /* there is time now */
	} while (exchange_clock() < until);
	note_miss(connection);
	return false;
}

/* Where every processor has work, the agent had better serve a client where it runs: otherwise each
 * waits for another's turn. */
static void say_where(struct connection *connection)
{
	if (crowd(connection) != WIRE_CROWD_NONE)
		atomic_store_explicit(&connection->ring.area->processor, (uint32_t)sched_getcpu(),
		                      memory_order_relaxed);
}

enum arrival { ARRIVED_RING, ARRIVED_SOCKET, ARRIVED_NEVER };

/* Sleeps on the socket until there is something in the ring, or a whole header, which is no
 * doorbell, in the reply buffer. */
static enum arrival ring_wait(struct connection *connection, int64_t deadline)
{
	uint8_t *into = connection->reply.data;

	if (may_spin(connection) && ring_spin(connection))
		return ARRIVED_RING;
	say_where(connection);
	if (wire_ring_nap(&connection->ring.replies, NAP_NS))
		return ARRIVED_RING;
	while (wire_ring_sleep(&connection->ring.replies)) {
		bool got = receive_all(connection->fd, into, WIRE_FRAME_HEADER_LEN, deadline);

		wire_ring_wake(&connection->ring.replies);
		if (!got)
			return ARRIVED_NEVER;
		if (!exchange_is_doorbell(into))
			return ARRIVED_SOCKET;
	}
	return ARRIVED_RING;
}

static enum exchange_result ring_take(struct connection *connection, uint16_t opcode, CK_RV *status)
{
	struct wire_ring *replies = &connection->ring.replies;
	size_t ready = wire_ring_ready(replies);
	struct wire_buffer *reply = &connection->reply;
	struct wire_frame_header header;

	if (ready == WIRE_RING_CORRUPT || ready < WIRE_FRAME_HEADER_LEN)
		return EXCHANGE_LOST;
	wire_ring_take(replies, reply->data, WIRE_FRAME_HEADER_LEN);
	wire_frame_parse(&header, reply->data);
	if (!exchange_header_fits(&header, opcode, connection->request_id, WIRE_FRAME_HEADER_LEN) ||
	    header.body_len > ready - WIRE_FRAME_HEADER_LEN)
		return EXCHANGE_LOST;
	wire_buffer_truncate(reply, WIRE_FRAME_HEADER_LEN);
	if (!wire_buffer_extend(reply, header.body_len))
		return EXCHANGE_LOST; /* it stays in the ring, and the next reply would not be found
		                       */
	wire_ring_take(replies, reply->data + WIRE_FRAME_HEADER_LEN, header.body_len);
	*status = header.status;
	return EXCHANGE_OK;
}

static enum exchange_result ring_arrived(struct connection *connection, enum arrival arrival,
                                         uint16_t opcode, int64_t deadline, CK_RV *status)
{
	switch (arrival) {
	case ARRIVED_RING:
		return ring_take(connection, opcode, status);
	case ARRIVED_SOCKET: /* too large for the ring */
		return receive_body(connection, opcode, WIRE_FRAME_HEADER_LEN, deadline, status);
	case ARRIVED_NEVER:
		break;
	}
	return EXCHANGE_LOST;
}

static enum exchange_result ring_receive(struct connection *connection, uint16_t opcode,
                                         int64_t deadline, CK_RV *status)
{
	return ring_arrived(connection, ring_wait(connection, deadline), opcode, deadline, status);
}

/* Is the frame at the front of the ring the answer to the request before the last? */
static bool answers_the_one_before(const struct connection *connection)
{
	struct wire_frame_header header;

	return wire_ring_peek(&connection->ring.replies, &header) &&
	       header.request_id == connection->request_id - 1;
}

bool exchange_send_header(struct connection *connection, const struct wire_frame_header *header,
                          int64_t deadline)
{
	uint8_t octets[WIRE_FRAME_HEADER_LEN];
	struct iovec part = {octets, sizeof(octets)};

	wire_frame_store(octets, header);
	return send_all(connection->fd, &part, 1, deadline);
}

static bool ring_the_bell(struct connection *connection, int64_t deadline)
{
	static const struct wire_frame_header header = {.opcode = WIRE_OPCODE_doorbell};

	return exchange_send_header(connection, &header, deadline);
}

/* Into the ring if it fits. *lost: the bell could not be rung. */
static bool ring_send(struct connection *connection, struct wire_bytes frame,
                      struct wire_bytes direct, int64_t deadline, bool *lost)
{
	*lost = false;
	if (!connection->ring.area || !wire_ring_put(&connection->ring.requests, frame, direct))
		return false;
	if (wire_ring_must_wake(&connection->ring.requests))
		*lost = !ring_the_bell(connection, deadline);
	return true;
}

/* Counts `len` octets, which follow the buffer on their way, into the frame that begins at `offset`
 * and into its last field, which was encoded empty. */
static void announce_direct(struct wire_buffer *frames, size_t offset, size_t len)
{
	wire_store_u32(frames->data + offset,
	               (uint32_t)(frames->len - offset - WIRE_FRAME_HEADER_LEN + len));
	wire_store_u32(frames->data + frames->len - sizeof(uint32_t), (uint32_t)len);
}

static size_t begin_frame(struct connection *connection, uint16_t opcode, uint16_t flags)
{
	struct wire_frame_header header = {
		.request_id = ++connection->request_id,
		.opcode = opcode,
		.flags = flags,
	};

	return wire_frame_begin(&connection->request, &header);
}

static void put_body(struct connection *connection, uint16_t opcode, uint16_t flags,
                     struct wire_bytes body)
{
	size_t offset = begin_frame(connection, opcode, flags);

	wire_put_raw(&connection->request, body.data, body.len);
	wire_frame_finish(&connection->request, offset);
}

/* An empty buffer, or one that begins with what goes ahead. */
static void begin_request(struct connection *connection)
{
	const struct exchange_ahead *ahead = &connection->ahead;

	wire_buffer_reset(&connection->request, KEEP_LEN);
	if (ahead->opcode)
		put_body(connection, ahead->opcode, WIRE_FRAME_QUIET,
		         (struct wire_bytes){ahead->body, ahead->len});
}

/* Appends the frame of a request. */
static enum exchange_result encode(struct connection *connection,
                                   const struct exchange_message *message, const void *request,
                                   size_t direct_len)
{
	struct wire_buffer *frames = &connection->request;
	size_t offset = begin_frame(connection, message->opcode, 0);

	message->encode(frames, request);
	if (frames->failed)
		return EXCHANGE_NO_MEMORY;
	if (frames->len - offset - WIRE_FRAME_HEADER_LEN + direct_len >
	    wire_frame_limit(message->opcode))
		return EXCHANGE_TOO_LARGE;
	wire_frame_finish(frames, offset);
	if (direct_len)
		announce_direct(frames, offset, direct_len);
	return EXCHANGE_OK;
}

static bool send_frame(struct connection *connection, struct wire_bytes frame,
                       struct wire_bytes direct, int64_t deadline)
{
	struct iovec parts[] = {
		{(void *)(uintptr_t)frame.data, frame.len},
		{(void *)(uintptr_t)direct.data, direct.len},
	};

	return send_all(connection->fd, parts, direct.len ? 2 : 1, deadline);
}

/* A failed call may have no fields; one that succeeded has all of them. */
static bool decode(struct connection *connection, const struct exchange_message *message,
                   CK_RV status, void *reply)
{
	struct wire_bytes body = {
		connection->reply.data + WIRE_FRAME_HEADER_LEN,
		connection->reply.len - WIRE_FRAME_HEADER_LEN,
	};

	memset(reply, 0, message->reply_len);
	return (status != CKR_OK && !body.len) || message->decode(body, reply);
}

/* Room for the first octets of a reply. */
static bool expect_reply(struct connection *connection)
{
	wire_buffer_reset(&connection->reply, KEEP_LEN);
	return wire_buffer_extend(&connection->reply, FIRST_READ_LEN) != NULL;
}

/* One frame out and its reply in, by whichever way. */
static enum exchange_result pass(struct connection *connection, struct wire_bytes frame,
                                 uint16_t opcode, struct wire_bytes direct, int64_t deadline,
                                 CK_RV *status)
{
	enum exchange_result result;
	bool lost;

	if (ring_send(connection, frame, direct, deadline, &lost)) {
		result = lost ? EXCHANGE_LOST : ring_receive(connection, opcode, deadline, status);
		wire_ring_clean(&connection->ring.requests);
		return result;
	}
	if (!send_frame(connection, frame, direct, deadline))
		return EXCHANGE_LOST;
	return receive_reply(connection, opcode, deadline, status);
}

enum exchange_result exchange_run_body(struct connection *connection, uint16_t opcode,
                                       struct wire_bytes body, int64_t deadline, CK_RV *status)
{
	wire_buffer_reset(&connection->request, KEEP_LEN);
	put_body(connection, opcode, 0, body);
	if (connection->request.failed || !expect_reply(connection))
		return EXCHANGE_NO_MEMORY;
	return pass(connection,
	            (struct wire_bytes){connection->request.data, connection->request.len}, opcode,
	            (struct wire_bytes){NULL, 0}, deadline, status);
}

void exchange_put_ahead(struct connection *connection, uint16_t opcode, struct wire_bytes body)
{
	struct exchange_ahead *ahead = &connection->ahead;

	ahead->opcode = opcode;
	ahead->len = body.len;
	memcpy(ahead->body, body.data, body.len);
}

/* What is ahead goes first, and is waited for. */
static enum exchange_result run_ahead(struct connection *connection, int64_t deadline,
                                      CK_RV *status)
{
	struct exchange_ahead *ahead = &connection->ahead;
	uint16_t opcode = ahead->opcode;

	ahead->opcode = 0;
	return exchange_run_body(connection, opcode, (struct wire_bytes){ahead->body, ahead->len},
	                         deadline, status);
}

/* Takes the failure of the request that went ahead. */
static enum exchange_result take_failure(struct connection *connection, uint16_t opcode,
                                         CK_RV *status)
{
	enum exchange_result result;

	connection->request_id--;
	result = ring_take(connection, opcode, status);
	connection->request_id++;
	if (result)
		return result;
	return *status && expect_reply(connection) ? EXCHANGE_OK : EXCHANGE_LOST;
}

/* The reply to the second of two frames that went into the ring together. Of the first only a
 * failure is answered, which then stands for both. */
static enum exchange_result receive_second(struct connection *connection, uint16_t first,
                                           uint16_t second, int64_t deadline, CK_RV *status)
{
	enum arrival arrival = ring_wait(connection, deadline);
	bool failed = arrival == ARRIVED_RING && answers_the_one_before(connection);
	enum exchange_result result = EXCHANGE_OK;
	CK_RV failure = CKR_OK;

	if (failed) {
		result = take_failure(connection, first, &failure);
		if (!result)
			arrival = ring_wait(connection, deadline);
	}
	if (!result)
		result = ring_arrived(connection, arrival, second, deadline, status);
	wire_ring_clean(&connection->ring.requests);
	if (!result && failed) {
		wire_buffer_truncate(&connection->reply, WIRE_FRAME_HEADER_LEN);
		*status = failure;
	}
	return result;
}

/* What is ahead and the request behind it, by one look of the agent into the ring. False when they
 * do not fit; nothing was sent then. */
static bool run_both(struct connection *connection, const struct exchange_message *message,
                     const void *request, struct wire_bytes direct, int64_t deadline, CK_RV *status,
                     enum exchange_result *result)
{
	struct exchange_ahead *ahead = &connection->ahead;
	uint32_t request_id = connection->request_id;
	struct wire_bytes frames;
	bool lost;

	begin_request(connection);
	if (!encode(connection, message, request, direct.len) && expect_reply(connection)) {
		frames = (struct wire_bytes){connection->request.data, connection->request.len};
		if (ring_send(connection, frames, direct, deadline, &lost)) {
			*result = lost ? EXCHANGE_LOST
			               : receive_second(connection, ahead->opcode, message->opcode,
			                                deadline, status);
			ahead->opcode = 0;
			return true;
		}
	}
	connection->request_id = request_id;
	return false;
}

static enum exchange_result run(struct connection *connection,
                                const struct exchange_message *message, const void *request,
                                struct wire_bytes direct, int64_t deadline, CK_RV *status)
{
	enum exchange_result result;

	if (connection->ahead.opcode) {
		if (run_both(connection, message, request, direct, deadline, status, &result))
			return result;
		result = run_ahead(connection, deadline, status);
		if (result || *status)
			return result;
	}
	begin_request(connection);
	result = encode(connection, message, request, direct.len);
	if (!result && !expect_reply(connection))
		result = EXCHANGE_NO_MEMORY;
	if (result)
		return result;
	return pass(connection,
	            (struct wire_bytes){connection->request.data, connection->request.len},
	            message->opcode, direct, deadline, status);
}

enum exchange_result exchange_run(struct connection *connection,
                                  const struct exchange_message *message, const void *request,
                                  struct wire_bytes *last, void *reply, int64_t deadline,
                                  CK_RV *status)
{
	struct wire_bytes direct = {NULL, 0};
	enum exchange_result result;

	if (last && last->len >= DIRECT_LEN) {
		direct = *last;
		last->len = 0;
	}
	result = run(connection, message, request, direct, deadline, status);
	if (direct.len)
		*last = direct;
	if (result)
		return result;
	return decode(connection, message, *status, reply) ? EXCHANGE_OK : EXCHANGE_LOST;
}

/* ---- several requests at once (exchange_window.c) ---- */

size_t exchange_begin_request(struct connection *connection, uint16_t opcode, uint16_t flags)
{
	begin_request(connection);
	return begin_frame(connection, opcode, flags);
}

bool exchange_send_request(struct connection *connection, int64_t deadline, bool *lost)
{
	const struct wire_buffer *request = &connection->request;

	*lost = false;
	if (request->failed ||
	    !ring_send(connection, (struct wire_bytes){request->data, request->len},
	               (struct wire_bytes){NULL, 0}, deadline, lost))
		return false;
	connection->ahead.opcode = 0;
	return true;
}

enum exchange_result exchange_receive_reply(struct connection *connection, uint32_t request_id,
                                            uint16_t ahead, uint16_t opcode, int64_t deadline,
                                            CK_RV *status)
{
	uint32_t last_id = connection->request_id;
	enum exchange_result result;

	if (!expect_reply(connection))
		return EXCHANGE_LOST; /* the replies that are to come would not be found */
	connection->request_id = request_id;
	if (ahead)
		result = receive_second(connection, ahead, opcode, deadline, status);
	else if (wire_ring_ready(&connection->ring.replies)) /* says nothing about spinning */
		result = ring_take(connection, opcode, status);
	else
		result = ring_receive(connection, opcode, deadline, status);
	connection->request_id = last_id;
	return result;
}
