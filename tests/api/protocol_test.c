/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protocol on a raw socket: what a client that is wrong or hostile may send to the agent, frame
 * by frame, in one piece or in many; it loses nothing but its own connection.
 */
#include "protocol.h"

#define FLAGS_AT 10 /* in a header; its low octet */

/* ---- hello ---- */

TEST(first_frame_must_be_hello)
{
	struct wire_buffer frames = frames_new();
	int fd;

	start_agent();
	fd = raw_connect();
	ask_slots(&frames, 1);
	send_frames(fd, &frames);
	expect_closed(fd);
	fd = raw_connect();
	send_header(fd, (struct wire_frame_header){.opcode = 0x7777});
	expect_closed(fd);
	expect_agent_alive();
}

TEST(status_needs_no_hello)
{
	struct wire_buffer frames = frames_new();
	struct reply reply;
	int fd;

	start_agent();
	fd = raw_connect();
	PUT_FRAME(&frames, 5, admin_status, 0);
	send_frames(fd, &frames);
	ASSERT_TRUE(receive(fd, &reply));
	ASSERT_EQ(reply.header.request_id, 5);
	/* And it is no hello. */
	frames = frames_new();
	ask_slots(&frames, 1);
	send_frames(fd, &frames);
	expect_closed(fd);
	expect_agent_alive();
}

TEST(second_hello)
{
	uint8_t ticket[WIRE_TICKET_LEN];
	int fd;

	start_agent();
	fd = raw_hello(ticket);
	send_hello(fd, WIRE_VERSION, (struct wire_bytes){0});
	expect_reply(fd, 1, CKR_ARGUMENTS_BAD);
	send_hello(fd, WIRE_VERSION, (struct wire_bytes){ticket, sizeof(ticket)});
	expect_reply(fd, 1, CKR_ARGUMENTS_BAD);
	expect_works(fd);
	close(fd);
}

TEST(wrong_versions)
{
	static const uint32_t versions[] = {0, WIRE_VERSION + 1, UINT32_MAX};
	int fd;

	start_agent();
	fd = raw_connect();
	for (size_t i = 0; i < COUNT(versions); i++) {
		send_hello(fd, versions[i], (struct wire_bytes){0});
		expect_reply(fd, 1, CKR_FUNCTION_NOT_SUPPORTED);
	}
	/* The client may come down to a version that both know. */
	send_hello(fd, WIRE_VERSION, (struct wire_bytes){0});
	expect_reply(fd, 1, CKR_OK);
	expect_works(fd);
	close(fd);
}

TEST(features_are_intersected)
{
	struct wire_buffer frames = frames_new();
	struct wire_hello_reply hello;
	struct reply reply;
	int fd;

	start_agent();
	fd = raw_connect();
	PUT_FRAME(&frames, 1, hello, .version = WIRE_VERSION, .features = UINT64_MAX);
	send_frames(fd, &frames);
	ASSERT_TRUE(receive(fd, &reply));
	ASSERT_TRUE(wire_decode_hello_reply((struct wire_bytes){reply.body, reply.header.body_len},
	                                    &hello));
	ASSERT_EQ(hello.features, WIRE_FEATURES);
	close(fd);
}

/* ---- tickets ---- */

TEST(ticket_joins)
{
	uint8_t ticket[WIRE_TICKET_LEN];
	int first, second;

	start_agent();
	first = raw_hello(ticket);
	second = raw_connect();
	send_hello(second, WIRE_VERSION, (struct wire_bytes){ticket, sizeof(ticket)});
	expect_reply(second, 1, CKR_OK);
	expect_works(second);
	/* The end of the first is the end of the application. */
	close(first);
	expect_closed(second);
	second = raw_connect();
	send_hello(second, WIRE_VERSION, (struct wire_bytes){ticket, sizeof(ticket)});
	expect_reply(second, 1, CKR_FUNCTION_REJECTED);
	close(second);
}

TEST(ticket_of_a_joined_connection_lives_on)
{
	uint8_t ticket[WIRE_TICKET_LEN];
	int first, second;

	start_agent();
	first = raw_hello(ticket);
	for (int i = 0; i < 50; i++) {
		second = raw_connect();
		send_hello(second, WIRE_VERSION, (struct wire_bytes){ticket, sizeof(ticket)});
		expect_reply(second, 1, CKR_OK);
		close(second);
	}
	expect_works(first);
	close(first);
}

TEST(wrong_tickets)
{
	uint8_t ticket[WIRE_TICKET_LEN + 1] = {0};
	int fd, first;

	start_agent();
	first = raw_hello(ticket);
	fd = raw_connect();
	for (size_t len = 1; len <= sizeof(ticket); len++) {
		if (len == WIRE_TICKET_LEN)
			continue;
		send_hello(fd, WIRE_VERSION, (struct wire_bytes){ticket, len});
		expect_reply(fd, 1, CKR_ARGUMENTS_BAD);
	}
	ticket[3] ^= 4;
	send_hello(fd, WIRE_VERSION, (struct wire_bytes){ticket, WIRE_TICKET_LEN});
	expect_reply(fd, 1, CKR_FUNCTION_REJECTED);
	ticket[3] ^= 4;
	send_hello(fd, WIRE_VERSION, (struct wire_bytes){ticket, WIRE_TICKET_LEN});
	expect_reply(fd, 1, CKR_OK);
	close(fd);
	close(first);
}

/* A ticket that leaked is of no use to another process, not even to a child. */
TEST(ticket_from_another_process)
{
	uint8_t ticket[WIRE_TICKET_LEN];
	int first, status;
	pid_t child;

	start_agent();
	first = raw_hello(ticket);
	child = fork();
	if (!child) {
		int fd = raw_connect();

		send_hello(fd, WIRE_VERSION, (struct wire_bytes){ticket, sizeof(ticket)});
		expect_reply(fd, 1, CKR_FUNCTION_REJECTED);
		harness_end(0);
	}
	ASSERT_EQ(waitpid(child, &status, 0), child);
	ASSERT_EQ(status, 0);
	expect_works(first);
	close(first);
}

/* ---- headers ---- */

TEST(unknown_opcodes)
{
	static const uint16_t opcodes[] = {0, 6, 0x0100, 0x01ff, 0x7fff, 0xffff};
	int fd;

	start_agent();
	for (size_t i = 0; i < COUNT(opcodes); i++) {
		fd = raw_hello(NULL);
		send_header(fd, (struct wire_frame_header){.request_id = 8, .opcode = opcodes[i]});
		expect_reply(fd, 8, CKR_FUNCTION_NOT_SUPPORTED);
		expect_works(fd);
		/* With a body it has no limit that would fit. */
		send_header(fd, (struct wire_frame_header){.body_len = 1, .opcode = opcodes[i]});
		expect_closed(fd);
	}
	expect_agent_alive();
}

/* After a hello that asks for no features. */
static int plain_hello(void)
{
	struct wire_buffer frames = frames_new();
	int fd = raw_connect();

	PUT_FRAME(&frames, 1, hello, .version = WIRE_VERSION);
	send_octets(fd, frames.data, frames.len);
	wire_buffer_free(&frames);
	expect_reply(fd, 1, CKR_OK);
	return fd;
}

TEST(header_bits_that_must_be_zero)
{
	int fd;

	start_agent();
	for (int bit = 0; bit < 48; bit++) {
		struct wire_frame_header header = {.opcode = WIRE_OPCODE_get_slot_list};

		if (bit < 16)
			header.flags = (uint16_t)(1u << bit);
		else
			header.status = 1u << (bit - 16);
		fd = header.flags == WIRE_FRAME_QUIET ? plain_hello() : raw_hello(NULL);
		send_header(fd, header);
		expect_closed(fd);
	}
	expect_agent_alive();
}

/* Of a quiet request only a failure is answered. */
TEST(quiet_requests)
{
	struct wire_buffer frames = frames_new();
	size_t second;
	int fd;

	start_agent();
	fd = raw_hello(NULL);
	PUT_FRAME(&frames, 7, get_slot_list, .token_present = 0);
	frames.data[FLAGS_AT] = WIRE_FRAME_QUIET;
	second = frames.len;
	PUT_FRAME(&frames, 8, digest_final, .session = 12345);
	frames.data[second + FLAGS_AT] = WIRE_FRAME_QUIET;
	PUT_FRAME(&frames, 9, get_slot_list, .token_present = 0);
	send_octets(fd, frames.data, frames.len);
	expect_reply(fd, 8, CKR_SESSION_HANDLE_INVALID);
	expect_reply(fd, 9, CKR_OK);
	/* As many as a client may have unanswered, again and again. */
	for (int i = 0; i < 200; i++)
		send_octets(fd, frames.data, second);
	send_octets(fd, frames.data + second, frames.len - second);
	expect_reply(fd, 8, CKR_SESSION_HANDLE_INVALID);
	expect_reply(fd, 9, CKR_OK);
	wire_buffer_free(&frames);
	close(fd);
}

/* A header that announces too much ends the connection before anything is kept for it. */
TEST(body_above_the_limit)
{
	static const struct {
		uint16_t opcode;
		uint32_t body_len;
		bool closed;
	} rows[] = {
		{WIRE_OPCODE_get_slot_list, WIRE_CONTROL_LIMIT, false},
		{WIRE_OPCODE_get_slot_list, WIRE_CONTROL_LIMIT + 1, true},
		{WIRE_OPCODE_get_slot_list, UINT32_MAX, true},
		{WIRE_OPCODE_digest, WIRE_BULK_LIMIT, false},
		{WIRE_OPCODE_digest, WIRE_BULK_LIMIT + 1, true},
		{WIRE_OPCODE_digest, 1u << 31, true},
		{WIRE_OPCODE_digest, UINT32_MAX, true},
		{WIRE_OPCODE_digest, UINT32_MAX - WIRE_FRAME_HEADER_LEN + 1, true},
		{WIRE_OPCODE_hello, WIRE_CONTROL_LIMIT + 1, true},
	};
	long before, size;

	start_agent();
	expect_agent_alive();
	before = agent_status("VmPeak");
	size = agent_status("VmSize");
	for (size_t i = 0; i < COUNT(rows); i++) {
		int fd = raw_hello(NULL);

		send_header(fd, (struct wire_frame_header){.opcode = rows[i].opcode,
		                                           .body_len = rows[i].body_len});
		if (rows[i].closed) {
			expect_closed(fd);
		} else {
			expect_silence(fd);
			/* The peak may have been higher before. */
			EXPECT_LT(agent_status("VmSize") - size, 16 * 1024);
			close(fd);
		}
	}
	EXPECT_LT(agent_status("VmPeak") - before, 16 * 1024);
	expect_agent_alive();
}

/* A body of the largest size that is garbage is an answer, not an end. */
TEST(largest_control_body)
{
	static uint8_t body[WIRE_CONTROL_LIMIT];
	int fd;

	start_agent();
	fd = raw_hello(NULL);
	send_header(fd, (struct wire_frame_header){.request_id = 3,
	                                           .opcode = WIRE_OPCODE_get_slot_list,
	                                           .body_len = sizeof(body)});
	send_octets(fd, body, sizeof(body));
	expect_reply(fd, 3, CKR_ARGUMENTS_BAD);
	expect_works(fd);
	close(fd);
}

/* ---- pieces ---- */

TEST(octet_by_octet)
{
	struct wire_buffer frames = two_frames();
	int fd;

	start_agent();
	fd = raw_connect();
	for (size_t i = 0; i < frames.len; i++) {
		send_octets(fd, frames.data + i, 1);
		poll(NULL, 0, 2);
	}
	wire_buffer_free(&frames);
	expect_reply(fd, 1, CKR_OK);
	expect_reply(fd, 2, CKR_OK);
	expect_works(fd);
	close(fd);
}

TEST(split_at_every_offset)
{
	struct wire_buffer frames = two_frames();

	start_agent();
	for (size_t split = 1; split < frames.len; split++) {
		int fd = raw_connect();

		send_octets(fd, frames.data, split);
		poll(NULL, 0, 2);
		send_octets(fd, frames.data + split, frames.len - split);
		expect_reply(fd, 1, CKR_OK);
		expect_reply(fd, 2, CKR_OK);
		close(fd);
	}
	wire_buffer_free(&frames);
}

/* Cut short and left: nothing but a closed connection. */
TEST(truncated_everywhere)
{
	struct wire_buffer frames = two_frames();
	unsigned int before;

	start_agent();
	expect_agent_alive();
	before = agent_descriptors();
	for (size_t len = 0; len < frames.len; len++) {
		int fd = raw_connect();

		if (len)
			send_octets(fd, frames.data, len);
		close(fd);
	}
	wire_buffer_free(&frames);
	expect_agent_alive();
	expect_descriptors(before);
}

/* A bulk frame whose header comes in two pieces, whose body in many, with a frame behind it. */
TEST(bulk_frame_in_pieces)
{
	static uint8_t body[300000];
	struct wire_buffer frames = frames_new();
	int fd;

	start_agent();
	for (size_t split = 1; split <= WIRE_FRAME_HEADER_LEN + 1; split++) {
		fd = raw_hello(NULL);
		put_header(&frames, (struct wire_frame_header){.request_id = 6,
		                                               .opcode = WIRE_OPCODE_digest,
		                                               .body_len = sizeof(body)});
		wire_put_raw(&frames, body, sizeof(body));
		ask_slots(&frames, 7);
		send_octets(fd, frames.data, split);
		poll(NULL, 0, 2);
		for (size_t at = split; at < frames.len; at += 33333)
			send_octets(fd, frames.data + at,
			            frames.len - at < 33333 ? frames.len - at : 33333);
		wire_buffer_free(&frames);
		frames = frames_new();
		/* The slow one may be answered later. */
		for (int i = 0; i < 2; i++) {
			struct reply reply;

			ASSERT_TRUE(receive(fd, &reply));
			ASSERT_EQ(reply.header.status,
			          reply.header.request_id == 6 ? CKR_ARGUMENTS_BAD : CKR_OK);
		}
		close(fd);
	}
}

/* ---- many at once ---- */

/* Requests that come together are answered together: who waits for the first has all. */
TEST(replies_to_a_burst_come_together)
{
	enum { BURST = 20, ROUNDS = 50 };
	static uint8_t octets[BURST * sizeof(struct reply)];
	size_t burst_len = 0;
	int fd;

	start_agent();
	fd = raw_hello(NULL);
	for (int round = 0; round < ROUNDS; round++) {
		struct wire_buffer frames = frames_new();
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		ssize_t got;

		for (uint32_t id = 0; id < BURST; id++)
			ask_slots(&frames, id);
		send_frames(fd, &frames);
		ASSERT_EQ(poll(&poll_fd, 1, WAIT_MS), 1);
		got = recv(fd, octets, sizeof(octets), 0);
		ASSERT_GT(got, 0);
		if (!round)
			burst_len = (size_t)got;
		ASSERT_EQ((size_t)got, burst_len);
		ASSERT_EQ(burst_len % BURST, 0);
	}
	close(fd);
}

/* So do those of a client that is gone before it is answered. */
TEST(burst_of_a_client_that_goes)
{
	int fd;

	start_agent();
	for (int round = 0; round < 100; round++) {
		struct wire_buffer frames = frames_new();

		fd = raw_hello(NULL);
		for (uint32_t id = 0; id < 20; id++)
			ask_slots(&frames, id);
		/* Ends the connection in the middle of the burst. */
		if (round % 2)
			put_header(&frames, (struct wire_frame_header){.opcode = 0xffff});
		send_frames(fd, &frames);
		close(fd);
	}
	expect_agent_alive();
	ASSERT_EQ(api_end_agent(SIGTERM), 0);
}

/* ---- values ---- */

/* Whatever number a client names, the audit log stays one that the agent takes up again. */
TEST(numbers_in_the_audit_log)
{
	static const uint64_t numbers[] = {0, INT64_MAX, 1ull << 63, UINT64_MAX};
	int fd;

	start_agent();
	fd = raw_hello(NULL);
	for (size_t i = 0; i < COUNT(numbers); i++) {
		struct wire_buffer frames = frames_new();

		PUT_FRAME(&frames, 9, sign, .session = numbers[i], .query = false, .capacity = 64);
		send_frames(fd, &frames);
		expect_reply(fd, 9, CKR_SESSION_HANDLE_INVALID);
	}
	close(fd);
	ASSERT_EQ(api_end_agent(SIGKILL), -SIGKILL);
	api_launch();
	expect_agent_alive();
	ASSERT_EQ(api_end_agent(SIGTERM), 0);
}

HARNESS_MAIN
