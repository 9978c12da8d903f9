/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cratond without its sockets: a client whose HTTP/2 octets come from the fuzzer, and an agent that
 * answers each request in one of several ways. What cratond asks of the agent must be of the
 * protocol, whatever the client sent.
 */
#ifndef TESTS_FUZZ_GRPC_FIXTURE_H
#define TESTS_FUZZ_GRPC_FIXTURE_H

#include "fuzz/wire_messages.h"

#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "grpc/client.h"
#include "grpc/http.h"
#include "grpc/identity.h"
#include "grpc/rpc.h"

struct fixture {
	struct front front;
	struct loop loop;
	struct settings settings;
	struct client client;
	uint8_t answer; /* how the agent answers next */
};

static struct fixture fixture;

static inline void fixture_open(void)
{
	struct client *client = &fixture.client;
	char error[CONFIG_ERROR_LEN];

	if (!fixture.settings.config) {
		fixture.settings.config = config_defaults();
		fixture.settings.rules = rules_new(fixture.settings.config, error, sizeof(error));
		fixture.front.agent_state = AGENT_OPERATIONAL;
		fixture.loop.front = &fixture.front;
		pthread_mutex_init(&fixture.front.reason_lock, NULL);
	}
	fixture.settings.config->daemon.max_message_size = 65536;
	fixture.settings.config->daemon.max_connection_memory = 1 << 20;
	memset(client, 0, sizeof(*client));
	client->loop = &fixture.loop;
	client->settings = &fixture.settings;
	client->is_dirty = true; /* and so never put into a list */
	link_init(&client->link, client);
	client->link.state = LINK_UP;
	if (!http_open(client))
		abort();
}

/* A reply that is all zeros, or a session's handle; or a return value; or octets that are no reply
 * at all. */
static inline void fixture_answer(const struct wire_frame_header *request)
{
	struct wire_frame_header header = {.request_id = request->request_id,
	                                   .opcode = request->opcode,
	                                   .flags = WIRE_FRAME_REPLY};
	struct wire_open_session_reply opened = {.session = 1 + fixture.answer % 3};
	struct wire_buffer frame;
	uint8_t zeros[256] = {0};
	size_t place;

	wire_buffer_init(&frame, WIRE_CONTROL_LIMIT, NULL);
	fixture.answer = (uint8_t)(fixture.answer * 5 + 1);
	if (fixture.answer % 7 == 0)
		header.status = CKR_KEY_HANDLE_INVALID;
	place = wire_frame_begin(&frame, &header);
	if (request->opcode == WIRE_OPCODE_open_session && !header.status)
		wire_encode_open_session_reply(&frame, &opened);
	else if (!header.status)
		wire_put_raw(&frame, zeros,
		             fixture.answer % 11 == 0 ? 3 : (fixture.answer % 16) * 4);
	wire_frame_finish(&frame, place);
	if (!link_take(&fixture.client.link, (struct wire_bytes){frame.data, frame.len}))
		abort();
	wire_buffer_free(&frame);
}

/* Reads what cratond has written to the agent, and answers it. */
static inline void fixture_serve(void)
{
	struct link *link = &fixture.client.link;
	struct wire_frame_header header;
	struct wire_buffer out = link->out;
	size_t at = 0;

	wire_buffer_init(&link->out, out.limit, NULL);
	while (at < out.len) {
		struct wire_bytes body = {out.data + at + WIRE_FRAME_HEADER_LEN, 0};
		const struct message_row *row;

		wire_frame_parse(&header, out.data + at);
		body.len = header.body_len;
		row = message_row_find(header.opcode, false);
		if (!row || message_recode(row, body) != RECODING_SAME)
			abort();
		at += WIRE_FRAME_HEADER_LEN + header.body_len;
		fixture_answer(&header);
	}
	wire_buffer_free(&out);
}

/* Until nothing moves any more. */
static inline void fixture_run(void)
{
	uint8_t octets[HTTP_ROOM_MIN];

	for (unsigned int i = 0; i < 32; i++) {
		client_run_waiting(&fixture.client);
		if (!fixture.client.link.out.len &&
		    !http_send(&fixture.client, octets, sizeof(octets)))
			return;
		fixture_serve();
		while (http_send(&fixture.client, octets, sizeof(octets)))
			;
	}
}

static inline void fixture_close(void)
{
	struct client *client = &fixture.client;

	client->closing = true;
	link_close(&client->link);
	while (client->rpcs)
		rpc_abandon(client->rpcs);
	http_close(client);
	link_free(&client->link);
	if (client->held_len)
		abort();
}

#endif
