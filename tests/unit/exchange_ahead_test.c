/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request that goes ahead of another through the ring: what is sent, and what the answers mean.
 * The agent is this test: it has answered before it is asked.
 */
#include "harness.h"

#include <sys/socket.h>
#include <unistd.h>

#include "exchange.h"
#include "request.h"
#include "wire/codec.h"
#include "wire/frame.h"

static struct wire_ring_area area;
static struct connection connection;
static struct wire_ring agent_requests, agent_replies;
static int peer;

static void open_both(void)
{
	int fds[2];

	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	memset(&area, 0, sizeof(area));
	exchange_init(&connection, NULL);
	connection.fd = fds[0];
	peer = fds[1];
	connection.ring.area = &area;
	wire_ring_requests(&connection.ring.requests, &area);
	wire_ring_replies(&connection.ring.replies, &area);
	wire_ring_requests(&agent_requests, &area);
	wire_ring_replies(&agent_replies, &area);
}

static void close_both(void)
{
	connection.ring.area = NULL; /* it is no mapping */
	exchange_destroy(&connection);
	close(peer);
}

static void answer(uint32_t request_id, uint16_t opcode, CK_RV status, bool with_fields)
{
	const struct wire_frame_header header = {
		.request_id = request_id,
		.opcode = opcode,
		.flags = WIRE_FRAME_REPLY,
		.status = (uint32_t)status,
	};
	const struct wire_digest_reply reply = {.output_len = 4, .output = {(uint8_t *)"hash", 4}};
	struct wire_buffer frame;
	size_t offset;

	wire_buffer_init(&frame, WIRE_CONTROL_LIMIT, NULL);
	offset = wire_frame_begin(&frame, &header);
	if (with_fields)
		wire_encode_digest_reply(&frame, &reply);
	wire_frame_finish(&frame, offset);
	ASSERT_TRUE(wire_ring_put(&agent_replies, (struct wire_bytes){frame.data, frame.len},
	                          (struct wire_bytes){NULL, 0}));
	wire_buffer_free(&frame);
}

static enum exchange_result run(struct wire_digest_reply *reply, CK_RV *status)
{
	struct wire_digest_request request = {.session = 5, .data = {(uint8_t *)"data", 4}};
	int64_t deadline = exchange_clock() + 1000000000;

	exchange_put_ahead(&connection, WIRE_OPCODE_digest_init,
	                   (struct wire_bytes){(uint8_t *)"init", 4});
	return exchange_run(&connection, &exchange_message_of_digest, &request, NULL, reply,
	                    deadline, status);
}

static void expect_frame(uint32_t request_id, uint16_t opcode, uint16_t flags)
{
	uint8_t octets[256];
	struct wire_frame_header header;

	ASSERT_GE(wire_ring_ready(&agent_requests), WIRE_FRAME_HEADER_LEN);
	wire_ring_take(&agent_requests, octets, WIRE_FRAME_HEADER_LEN);
	wire_frame_parse(&header, octets);
	EXPECT_EQ(header.request_id, request_id);
	EXPECT_EQ(header.opcode, opcode);
	EXPECT_EQ(header.flags, flags);
	ASSERT_LE(header.body_len, sizeof(octets));
	wire_ring_take(&agent_requests, octets, header.body_len);
}

TEST(only_the_second_is_answered)
{
	struct wire_digest_reply reply;
	CK_RV status;

	open_both();
	answer(2, WIRE_OPCODE_digest, CKR_OK, true);
	ASSERT_EQ(run(&reply, &status), EXCHANGE_OK);
	EXPECT_EQ(status, CKR_OK);
	EXPECT_EQ(reply.output.len, 4u);
	expect_frame(1, WIRE_OPCODE_digest_init, WIRE_FRAME_QUIET);
	expect_frame(2, WIRE_OPCODE_digest, 0);
	close_both();
}

TEST(failure_of_the_first_stands_for_both)
{
	struct wire_digest_reply reply;
	CK_RV status;

	open_both();
	answer(1, WIRE_OPCODE_digest_init, CKR_MECHANISM_INVALID, false);
	answer(2, WIRE_OPCODE_digest, CKR_OPERATION_NOT_INITIALIZED, false);
	ASSERT_EQ(run(&reply, &status), EXCHANGE_OK);
	EXPECT_EQ(status, CKR_MECHANISM_INVALID);
	/* And the next call finds its own answer. */
	answer(4, WIRE_OPCODE_digest, CKR_OK, true);
	ASSERT_EQ(run(&reply, &status), EXCHANGE_OK);
	EXPECT_EQ(status, CKR_OK);
	close_both();
}

static void expect_lost(uint32_t request_id, uint16_t opcode, CK_RV status)
{
	struct wire_digest_reply reply;
	CK_RV unused;

	open_both();
	answer(request_id, opcode, status, false);
	answer(2, WIRE_OPCODE_digest, CKR_OK, true);
	EXPECT_EQ(run(&reply, &unused), EXCHANGE_LOST);
	close_both();
}

TEST(answers_that_are_none)
{
	expect_lost(1, WIRE_OPCODE_digest_init, CKR_OK);
	expect_lost(1, WIRE_OPCODE_sign_init, CKR_MECHANISM_INVALID);
	expect_lost(0, WIRE_OPCODE_digest_init, CKR_MECHANISM_INVALID);
	expect_lost(3, WIRE_OPCODE_digest, CKR_OK);
}

HARNESS_MAIN
