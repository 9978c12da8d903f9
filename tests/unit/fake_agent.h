/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An agent for tests of the library: a listening socket, one thread per connection, real frames, no
 * cryptography; and the ways in which an agent can misbehave. Included by one test program at a
 * time, so everything is static.
 *
 * What it answers: sessions are numbers; C_Encrypt inverts; C_GenerateRandom counts; C_Digest of
 * anything is 32 octets of 0xd1 by the rules of length queries; anything else is
 * CKR_FUNCTION_FAILED.
 */
#ifndef TESTS_FAKE_AGENT_H
#define TESTS_FAKE_AGENT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "wire/codec.h"

#define FAKE_CONNECTIONS_MAX 128
#define FAKE_DIGEST_LEN      32

enum fake_mode {
	FAKE_GOOD,
	FAKE_WRONG_ID,
	FAKE_WRONG_OPCODE,
	FAKE_NO_REPLY_FLAG,
	FAKE_OVERSIZE,
	FAKE_SURPLUS,      /* octets behind the frame */
	FAKE_SHORT_FIELDS, /* a body that does not decode */
	FAKE_CUT_HEADER,   /* end of stream inside the header */
	FAKE_CUT_BODY,
	FAKE_EOF,        /* end of stream instead of a reply */
	FAKE_SILENT,     /* no reply until told otherwise */
	FAKE_TRICKLE,    /* one octet at a time */
	FAKE_SLOW,       /* 30 ms */
	FAKE_SLOW_HELLO, /* 1.5 s */
	FAKE_REFUSE_JOIN,
	FAKE_WRONG_LENGTH, /* output_len and output differ */
};

struct fake_agent {
	char path[64];
	int listener;
	pthread_t thread, connections[FAKE_CONNECTIONS_MAX];
	atomic_int fds[FAKE_CONNECTIONS_MAX];
	atomic_int count, mode, joined, applications, ended, at_once, most_at_once;
	uint32_t busy_poll_us;
};

struct fake_connection {
	struct fake_agent *agent;
	int fd;
};

static inline void fake_sleep_ms(long ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

static inline bool fake_read(int fd, uint8_t *into, size_t len)
{
	while (len) {
		ssize_t got = recv(fd, into, len, 0);

		if (got <= 0)
			return false;
		into += got;
		len -= (size_t)got;
	}
	return true;
}

static inline void fake_hello(struct fake_agent *agent, struct wire_bytes body,
                              struct wire_buffer *out, uint32_t *status)
{
	static const uint8_t ticket[WIRE_TICKET_LEN] = "sixteen octets!";
	struct wire_hello_request request;
	struct wire_hello_reply reply = {
		.version = WIRE_VERSION,
		.ticket = {ticket, sizeof(ticket)},
		.busy_poll_us = agent->busy_poll_us,
	};
	struct wire_bytes expected = {ticket, sizeof(ticket)};

	*status = CKR_FUNCTION_FAILED;
	if (!wire_decode_hello_request(body, &request))
		return;
	if (request.ticket.len && (!wire_bytes_equal(request.ticket, expected) ||
	                           atomic_load(&agent->mode) == FAKE_REFUSE_JOIN))
		return;
	atomic_fetch_add(request.ticket.len ? &agent->joined : &agent->applications, 1);
	*status = CKR_OK;
	wire_encode_hello_reply(out, &reply);
}

static inline void fake_encrypt(struct wire_bytes body, struct wire_buffer *out, uint32_t *status,
                                bool wrong_length)
{
	struct wire_encrypt_request request;
	struct wire_encrypt_reply reply = {0};
	uint8_t *inverted;

	*status = CKR_FUNCTION_FAILED;
	if (!wire_decode_encrypt_request(body, &request))
		return;
	inverted = malloc(request.data.len + 1);
	for (size_t i = 0; i < request.data.len; i++)
		inverted[i] = request.data.data[i] ^ 0xff;
	reply.output_len = request.data.len + (wrong_length ? 1 : 0);
	*status = request.query || request.capacity >= request.data.len ? CKR_OK
	                                                                : CKR_BUFFER_TOO_SMALL;
	if (*status == CKR_OK && !request.query)
		reply.output = (struct wire_bytes){inverted, request.data.len};
	wire_encode_encrypt_reply(out, &reply);
	free(inverted);
}

static inline void fake_random(struct wire_bytes body, struct wire_buffer *out, uint32_t *status)
{
	struct wire_generate_random_request request;
	struct wire_generate_random_reply reply;
	uint8_t *octets;

	*status = CKR_FUNCTION_FAILED;
	if (!wire_decode_generate_random_request(body, &request))
		return;
	octets = malloc(request.random_len + 1);
	for (size_t i = 0; i < request.random_len; i++)
		octets[i] = (uint8_t)i;
	reply.random = (struct wire_bytes){octets, request.random_len};
	wire_encode_generate_random_reply(out, &reply);
	free(octets);
	*status = CKR_OK;
}

static inline void fake_digest(struct wire_bytes body, struct wire_buffer *out, uint32_t *status)
{
	uint8_t digest[FAKE_DIGEST_LEN];
	struct wire_digest_request request;
	struct wire_digest_reply reply = {.output_len = sizeof(digest)};

	*status = CKR_FUNCTION_FAILED;
	if (!wire_decode_digest_request(body, &request))
		return;
	memset(digest, 0xd1, sizeof(digest));
	*status =
		request.query || request.capacity >= sizeof(digest) ? CKR_OK : CKR_BUFFER_TOO_SMALL;
	if (*status == CKR_OK && !request.query)
		reply.output = (struct wire_bytes){digest, sizeof(digest)};
	wire_encode_digest_reply(out, &reply);
}

static inline void fake_answer(struct fake_agent *agent, uint16_t opcode, struct wire_bytes body,
                               struct wire_buffer *out, uint32_t *status)
{
	struct wire_open_session_reply session = {.session = 7};
	struct wire_find_objects_reply found = {0};
	struct wire_get_slot_list_reply slots = {.slots = {2, (const uint8_t *)"\1\0\0\0\0\0\0\0"
	                                                                       "\2\0\0\0\0\0\0"}};
	struct wire_get_slot_info_reply slot = {
		.description = {(const uint8_t *)"slot", 4},
		.manufacturer = {(const uint8_t *)"1234567890123456789012345678901\xc3\xa9", 33},
		.flags = 1,
		.hardware_version = 0x0102,
	};

	*status = CKR_OK;
	switch (opcode) {
	case WIRE_OPCODE_hello:
		fake_hello(agent, body, out, status);
		break;
	case WIRE_OPCODE_open_session:
		wire_encode_open_session_reply(out, &session);
		break;
	case WIRE_OPCODE_get_slot_list:
		wire_encode_get_slot_list_reply(out, &slots);
		break;
	case WIRE_OPCODE_get_slot_info:
		wire_encode_get_slot_info_reply(out, &slot);
		break;
	case WIRE_OPCODE_find_objects:
		wire_encode_find_objects_reply(out, &found);
		break;
	case WIRE_OPCODE_close_session:
		break;
	case WIRE_OPCODE_encrypt:
		fake_encrypt(body, out, status, atomic_load(&agent->mode) == FAKE_WRONG_LENGTH);
		break;
	case WIRE_OPCODE_generate_random:
		fake_random(body, out, status);
		break;
	case WIRE_OPCODE_digest:
		fake_digest(body, out, status);
		break;
	default:
		*status = CKR_FUNCTION_FAILED;
	}
}

static inline void fake_send(int fd, const uint8_t *octets, size_t len, size_t step)
{
	for (size_t at = 0; at < len;) {
		size_t part = len - at < step ? len - at : step;
		ssize_t sent = send(fd, octets + at, part, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		at += (size_t)sent;
		if (step == 1)
			fake_sleep_ms(1);
	}
}

/* Spoils the reply as the mode says. False: end the stream. */
static inline bool fake_misbehave(int mode, int fd, struct wire_buffer *out,
                                  struct wire_frame_header header)
{
	size_t offset;

	header.request_id += mode == FAKE_WRONG_ID;
	header.opcode = (uint16_t)(header.opcode + (mode == FAKE_WRONG_OPCODE));
	header.flags = mode == FAKE_NO_REPLY_FLAG ? 0 : header.flags;
	if (mode == FAKE_OVERSIZE)
		header.body_len = WIRE_BULK_LIMIT + 1;
	if (mode == FAKE_SHORT_FIELDS)
		header.body_len = 3;
	offset = out->len;
	wire_frame_begin(out, &header);
	/* wire_frame_begin leaves body_len to wire_frame_finish; here it lies. */
	for (int i = 0; i < 4; i++)
		out->data[offset + i] = (uint8_t)(header.body_len >> (8 * i));
	if (mode == FAKE_SHORT_FIELDS || mode == FAKE_SURPLUS)
		wire_put_raw(out, "\1\2\3", 3);
	fake_send(fd, out->data + offset, out->len - offset, SIZE_MAX);
	return mode != FAKE_SHORT_FIELDS && mode != FAKE_SURPLUS;
}

static inline bool fake_reply(struct fake_agent *agent, int fd,
                              const struct wire_frame_header *request, struct wire_bytes body)
{
	int mode = request->opcode == WIRE_OPCODE_hello ? FAKE_GOOD : atomic_load(&agent->mode);
	struct wire_frame_header header = {
		.request_id = request->request_id,
		.opcode = request->opcode,
		.flags = WIRE_FRAME_REPLY,
	};
	struct wire_buffer out, fields;
	size_t offset;
	bool go_on = true;

	wire_buffer_init(&out, WIRE_BULK_LIMIT + 64, NULL);
	wire_buffer_init(&fields, WIRE_BULK_LIMIT, NULL);
	fake_answer(agent, request->opcode, body, &fields, &header.status);
	while (mode == FAKE_SILENT) {
		uint8_t octet;

		fake_sleep_ms(1);
		mode = atomic_load(&agent->mode);
		if (recv(fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
			mode = FAKE_EOF;
	}
	if (mode == FAKE_SLOW)
		fake_sleep_ms(30);
	if (mode == FAKE_GOOD && atomic_load(&agent->mode) == FAKE_SLOW_HELLO)
		fake_sleep_ms(1500);
	switch (mode) {
	case FAKE_EOF:
		go_on = false;
		break;
	case FAKE_WRONG_ID:
	case FAKE_WRONG_OPCODE:
	case FAKE_NO_REPLY_FLAG:
	case FAKE_OVERSIZE:
	case FAKE_SURPLUS:
	case FAKE_SHORT_FIELDS:
		fake_misbehave(mode, fd, &out, header);
		break;
	default:
		offset = wire_frame_begin(&out, &header);
		wire_put_raw(&out, fields.data, fields.len);
		wire_frame_finish(&out, offset);
		if (mode == FAKE_CUT_HEADER)
			wire_buffer_truncate(&out, 9);
		else if (mode == FAKE_CUT_BODY)
			wire_buffer_truncate(&out, out.len - 1);
		fake_send(fd, out.data, out.len, mode == FAKE_TRICKLE ? 1 : SIZE_MAX);
		go_on = mode != FAKE_CUT_HEADER && mode != FAKE_CUT_BODY;
	}
	wire_buffer_free(&out);
	wire_buffer_free(&fields);
	return go_on;
}

static inline void fake_count_call(struct fake_agent *agent, int change)
{
	int now = atomic_fetch_add(&agent->at_once, change) + change;
	int most = atomic_load(&agent->most_at_once);

	while (now > most && !atomic_compare_exchange_weak(&agent->most_at_once, &most, now))
		;
}

static inline void *fake_serve(void *argument)
{
	struct fake_connection connection = *(struct fake_connection *)argument;
	uint8_t octets[WIRE_FRAME_HEADER_LEN];
	struct wire_frame_header header;
	bool go_on = true;

	free(argument);
	while (go_on && fake_read(connection.fd, octets, sizeof(octets))) {
		uint8_t *body;

		wire_frame_parse(&header, octets);
		body = malloc(header.body_len + 1);
		fake_count_call(connection.agent, 1);
		go_on = fake_read(connection.fd, body, header.body_len) &&
		        fake_reply(connection.agent, connection.fd, &header,
		                   (struct wire_bytes){body, header.body_len});
		fake_count_call(connection.agent, -1);
		free(body);
	}
	shutdown(connection.fd, SHUT_RDWR);
	atomic_fetch_add(&connection.agent->ended, 1);
	return NULL;
}

static inline void *fake_accept(void *argument)
{
	struct fake_agent *agent = argument;
	int fd;

	while ((fd = accept4(agent->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		struct fake_connection *connection = malloc(sizeof(*connection));
		int index = atomic_load(&agent->count);

		if (index == FAKE_CONNECTIONS_MAX)
			abort();
		*connection = (struct fake_connection){agent, fd};
		atomic_store(&agent->fds[index], fd);
		/* Counted before it answers: a client that has an answer may look. */
		atomic_store(&agent->count, index + 1);
		pthread_create(&agent->connections[index], NULL, fake_serve, connection);
	}
	return NULL;
}

static inline void fake_start(struct fake_agent *agent, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memset(agent, 0, sizeof(*agent));
	agent->busy_poll_us = 20;
	snprintf(agent->path, sizeof(agent->path), "%s", path);
	memcpy(address.sun_path, agent->path, sizeof(agent->path));
	unlink(agent->path);
	agent->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(agent->listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(agent->listener, 64) || pthread_create(&agent->thread, NULL, fake_accept, agent))
		abort();
}

/* Ends every connection, as an agent that was killed. */
static inline void fake_stop(struct fake_agent *agent)
{
	int count;

	atomic_store(&agent->mode, FAKE_EOF);
	shutdown(agent->listener, SHUT_RDWR);
	pthread_join(agent->thread, NULL);
	close(agent->listener);
	unlink(agent->path);
	count = atomic_load(&agent->count);
	for (int i = 0; i < count; i++)
		shutdown(atomic_load(&agent->fds[i]), SHUT_RDWR);
	for (int i = 0; i < count; i++) {
		pthread_join(agent->connections[i], NULL);
		close(atomic_load(&agent->fds[i]));
	}
}

#endif
