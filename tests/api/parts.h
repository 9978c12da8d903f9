/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests of calls in parts share: one connection, a question and its answer, sessions, keys. By
 * the socket, where a part is an ordinary request.
 */
#ifndef TESTS_API_PARTS_H
#define TESTS_API_PARTS_H

#include "protocol.h"

#include "wire/cryptoki_3.h"

static int parts_fd;
static uint32_t parts_id;
static struct reply parts_reply;
static struct wire_bytes parts_body; /* of the last reply */

static inline CK_RV parts_ask(struct wire_buffer *frames)
{
	send_frames(parts_fd, frames);
	ASSERT_TRUE(receive(parts_fd, &parts_reply));
	ASSERT_EQ(parts_reply.header.request_id, parts_id);
	parts_body = (struct wire_bytes){parts_reply.body, parts_reply.header.body_len};
	return parts_reply.header.status;
}

#define ASK(name, ...)                                                                             \
	({                                                                                         \
		struct wire_buffer ask_frames = frames_new();                                      \
                                                                                                   \
		PUT_FRAME(&ask_frames, ++parts_id, name, __VA_ARGS__);                             \
		parts_ask(&ask_frames);                                                            \
	})

static inline uint64_t parts_open_session(void)
{
	struct wire_open_session_reply opened;

	OK(ASK(open_session, .slot_id = 0, .flags = CKF_SERIAL_SESSION | CKF_RW_SESSION));
	ASSERT_TRUE(wire_decode_open_session_reply(parts_body, &opened));
	return opened.session;
}

/* An agent with a token, a connection, and a session in which the user is logged in. */
static inline uint64_t parts_start(void)
{
	uint64_t session;

	api_start();
	api_make_token();
	parts_fd = raw_hello(NULL);
	session = parts_open_session();
	OK(ASK(login, .session = session, .user_type = CKU_USER,
	       .pin = {(const uint8_t *)USER_PIN, strlen(USER_PIN)}));
	return session;
}

/* A secret key of 32 octets. */
static inline uint64_t parts_make_key(uint64_t session, uint64_t mechanism)
{
	const struct wire_attribute len = {
		.type = CKA_VALUE_LEN,
		.kind = WIRE_ATTRIBUTE_NUMBER,
		.number = 32,
	};
	struct wire_buffer attributes = frames_new();
	struct wire_generate_key_reply made;

	wire_put_attribute(&attributes, &len);
	OK(ASK(generate_key, .session = session, .mechanism = {.type = mechanism},
	       .attributes = {1, {attributes.data, attributes.len}}));
	wire_buffer_free(&attributes);
	ASSERT_TRUE(wire_decode_generate_key_reply(parts_body, &made));
	return made.key;
}

#endif
