/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protocol on a raw socket: what a client that is wrong, slow, hostile or merely numerous may
 * do to the agent, which is nothing but lose its own connection.
 */
#include "api.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <sys/resource.h>

#include "wire/codec.h"

#define WAIT_MS      10000
#define PIPELINE_MAX 64u /* connection.h: CONNECTION_CALLS_MAX */

/* What the agent may keep of clients that have gone. AddressSanitizer holds freed memory back. */
#ifdef __SANITIZE_ADDRESS__
#define KEPT_KIB 32768
#else
#define KEPT_KIB 1536
#endif

struct reply {
	struct wire_frame_header header;
	uint8_t body[4096];
};

/* ---- sockets ---- */

static int raw_connect(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ASSERT_GE(fd, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", api_path("pkcs11.sock"));
	ASSERT_EQ(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void send_octets(int fd, const void *octets, size_t len)
{
	ASSERT_EQ(send(fd, octets, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Reads exactly `len` octets, or false when the agent closed first. */
static bool receive_octets(int fd, void *octets, size_t len)
{
	for (size_t at = 0; at < len;) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		ssize_t got;

		ASSERT_EQ(poll(&poll_fd, 1, WAIT_MS), 1);
		got = recv(fd, (uint8_t *)octets + at, len - at, 0);
		if (got <= 0)
			return false;
		at += (size_t)got;
	}
	return true;
}

static bool receive(int fd, struct reply *reply)
{
	uint8_t header[WIRE_FRAME_HEADER_LEN];

	if (!receive_octets(fd, header, sizeof(header)))
		return false;
	wire_frame_parse(&reply->header, header);
	ASSERT_EQ(reply->header.flags, WIRE_FRAME_REPLY);
	ASSERT_LE(reply->header.body_len, sizeof(reply->body));
	return receive_octets(fd, reply->body, reply->header.body_len);
}

static void expect_reply(int fd, uint32_t id, CK_RV status)
{
	struct reply reply;

	ASSERT_TRUE(receive(fd, &reply));
	ASSERT_EQ(reply.header.request_id, id);
	ASSERT_EQ(reply.header.status, status);
}

/* The agent closes: at once, that is without a deadline of its own. Replies before that are
 * skipped. */
static void expect_closed(int fd)
{
	uint8_t octets[4096];

	while (receive_octets(fd, octets, 1))
		;
	close(fd);
}

/* Nothing comes, nothing ends, for a moment. */
static void expect_silence(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	ASSERT_EQ(poll(&poll_fd, 1, 20), 0);
}

/* ---- frames ---- */

static struct wire_buffer frames_new(void)
{
	struct wire_buffer frames;

	wire_buffer_init(&frames, 1u << 24, NULL);
	return frames;
}

static void put_header(struct wire_buffer *frames, struct wire_frame_header header)
{
	size_t offset = wire_frame_begin(frames, &header);

	(void)offset;
	frames->data[offset] = (uint8_t)header.body_len;
	frames->data[offset + 1] = (uint8_t)(header.body_len >> 8);
	frames->data[offset + 2] = (uint8_t)(header.body_len >> 16);
	frames->data[offset + 3] = (uint8_t)(header.body_len >> 24);
}

#define PUT_FRAME(frames, id, name, ...)                                                           \
	do {                                                                                       \
		struct wire_##name##_request put_request = {__VA_ARGS__};                          \
		struct wire_frame_header put_head = {.request_id = (id),                           \
		                                     .opcode = WIRE_OPCODE_##name};                \
		size_t put_at = wire_frame_begin(frames, &put_head);                               \
                                                                                                   \
		wire_encode_##name##_request(frames, &put_request);                                \
		wire_frame_finish(frames, put_at);                                                 \
		ASSERT_FALSE((frames)->failed);                                                    \
	} while (0)

static void put_hello(struct wire_buffer *frames, uint32_t id, uint32_t version,
                      struct wire_bytes ticket)
{
	PUT_FRAME(frames, id, hello, .version = version, .ticket = ticket);
}

static void send_frames(int fd, struct wire_buffer *frames)
{
	send_octets(fd, frames->data, frames->len);
	wire_buffer_free(frames);
}

static void send_header(int fd, struct wire_frame_header header)
{
	struct wire_buffer frames = frames_new();

	put_header(&frames, header);
	send_frames(fd, &frames);
}

static void send_hello(int fd, uint32_t version, struct wire_bytes ticket)
{
	struct wire_buffer frames = frames_new();

	put_hello(&frames, 1, version, ticket);
	send_frames(fd, &frames);
}

/* A connection that has said hello; its ticket in `ticket` unless that is NULL. */
static int raw_hello(uint8_t ticket[WIRE_TICKET_LEN])
{
	struct wire_hello_reply hello;
	struct reply reply;
	int fd = raw_connect();

	send_hello(fd, WIRE_VERSION, (struct wire_bytes){0});
	ASSERT_TRUE(receive(fd, &reply));
	ASSERT_EQ(reply.header.status, CKR_OK);
	ASSERT_TRUE(wire_decode_hello_reply((struct wire_bytes){reply.body, reply.header.body_len},
	                                    &hello));
	ASSERT_EQ(hello.version, WIRE_VERSION);
	ASSERT_EQ(hello.ticket.len, WIRE_TICKET_LEN);
	if (ticket)
		memcpy(ticket, hello.ticket.data, WIRE_TICKET_LEN);
	return fd;
}

static void ask_slots(struct wire_buffer *frames, uint32_t id)
{
	PUT_FRAME(frames, id, get_slot_list, .token_present = false);
}

/* Asks and is answered: the connection works. */
static void expect_works(int fd)
{
	struct wire_buffer frames = frames_new();

	ask_slots(&frames, 4711);
	send_frames(fd, &frames);
	expect_reply(fd, 4711, CKR_OK);
}

static void expect_agent_alive(void)
{
	int fd = raw_hello(NULL);

	expect_works(fd);
	close(fd);
	ASSERT_EQ(waitpid(api_agent, NULL, WNOHANG), 0);
}

static void start_agent(void)
{
	api_configure("", "", "");
	api_launch();
}

/* ---- what /proc says of the agent ---- */

static long agent_status(const char *key)
{
	char path[64], line[256];
	long value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)api_agent);
	file = fopen(path, "r");
	ASSERT_NOT_NULL(file);
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, key, strlen(key)))
			value = strtol(line + strlen(key) + 1, NULL, 10);
	}
	fclose(file);
	ASSERT_GE(value, 0);
	return value;
}

/* utime + stime in ticks. */
static unsigned long agent_ticks(void)
{
	unsigned long user, system;
	char path[64], line[1024], *after;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)api_agent);
	file = fopen(path, "r");
	ASSERT_NOT_NULL(file);
	ASSERT_NOT_NULL(fgets(line, sizeof(line), file));
	fclose(file);
	after = strrchr(line, ')');
	ASSERT_NOT_NULL(after);
	ASSERT_EQ(sscanf(after + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
	                 &system),
	          2);
	return user + system;
}

static unsigned int agent_descriptors(void)
{
	unsigned int count = 0;
	char path[64];

	for (int fd = 0; fd < 4096; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)api_agent, fd);
		count += faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	}
	return count;
}

/* Descriptors are given back soon after a client has gone. */
static void expect_descriptors(unsigned int wanted)
{
	time_t deadline = time(NULL) + DEADLINE_S;

	while (agent_descriptors() > wanted && time(NULL) < deadline)
		api_pause();
	EXPECT_LE(agent_descriptors(), wanted);
}

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
	static const uint16_t opcodes[] = {0, 2, 0x0100, 0x01ff, 0x7fff, 0xffff};
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
		fd = raw_hello(NULL);
		send_header(fd, header);
		expect_closed(fd);
	}
	expect_agent_alive();
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
	long before;

	start_agent();
	expect_agent_alive();
	before = agent_status("VmPeak");
	for (size_t i = 0; i < COUNT(rows); i++) {
		int fd = raw_hello(NULL);

		send_header(fd, (struct wire_frame_header){.opcode = rows[i].opcode,
		                                           .body_len = rows[i].body_len});
		if (rows[i].closed) {
			expect_closed(fd);
		} else {
			expect_silence(fd);
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

/* Hello and a request, as octets. */
static struct wire_buffer two_frames(void)
{
	struct wire_buffer frames = frames_new();

	put_hello(&frames, 1, WIRE_VERSION, (struct wire_bytes){0});
	ask_slots(&frames, 2);
	return frames;
}

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

/* ---- pipelines ---- */

static void send_pipeline(int fd, uint32_t count)
{
	struct wire_buffer frames = frames_new();

	for (uint32_t i = 0; i < count; i++)
		ask_slots(&frames, 100 + i);
	send_frames(fd, &frames);
}

TEST(full_pipeline)
{
	int fd;

	start_agent();
	fd = raw_hello(NULL);
	for (int round = 0; round < 50; round++) {
		send_pipeline(fd, PIPELINE_MAX);
		for (uint32_t i = 0; i < PIPELINE_MAX; i++)
			expect_reply(fd, 100 + i, CKR_OK);
	}
	close(fd);
}

TEST(overfull_pipeline)
{
	int fd;

	start_agent();
	fd = raw_hello(NULL);
	send_pipeline(fd, PIPELINE_MAX + 1);
	expect_closed(fd);
	expect_agent_alive();
}

/* Hello, then at once the rest, in one write. */
TEST(hello_and_requests_in_one_write)
{
	struct wire_buffer frames = two_frames();
	int fd;

	start_agent();
	for (uint32_t i = 3; i < 60; i++)
		ask_slots(&frames, i);
	fd = raw_connect();
	send_frames(fd, &frames);
	for (uint32_t i = 1; i < 60; i++)
		expect_reply(fd, i, CKR_OK);
	close(fd);
}

/* A slow request is overtaken; the ids say what is what. */
TEST(replies_out_of_order)
{
	struct wire_buffer frames = frames_new();
	struct wire_bytes pin = {(const uint8_t *)SO_PIN, strlen(SO_PIN)};
	struct wire_bytes label = {(const uint8_t *)"raw", 3};
	int fd;

	start_agent();
	fd = raw_hello(NULL);
	PUT_FRAME(&frames, 0xfffffff0, init_token, .slot_id = 0, .pin = pin, .label = label);
	ask_slots(&frames, 0);
	ask_slots(&frames, 0); /* ids are the client's business */
	send_frames(fd, &frames);
	expect_reply(fd, 0, CKR_OK);
	expect_reply(fd, 0, CKR_OK);
	expect_reply(fd, 0xfffffff0, CKR_OK);
	expect_works(fd);
	close(fd);
}

/* The client goes while workers are busy for it. */
TEST(client_leaves_slow_calls_behind)
{
	struct wire_bytes pin = {(const uint8_t *)SO_PIN, strlen(SO_PIN)};
	struct wire_bytes label = {(const uint8_t *)"raw", 3};
	unsigned int before;

	start_agent();
	expect_agent_alive();
	before = agent_descriptors();
	for (int round = 0; round < 20; round++) {
		struct wire_buffer frames = frames_new();
		int fd = raw_hello(NULL);

		for (uint32_t i = 0; i < 3; i++)
			PUT_FRAME(&frames, i, init_token, .slot_id = 0, .pin = pin, .label = label);
		send_frames(fd, &frames);
		close(fd);
	}
	expect_agent_alive();
	expect_descriptors(before);
}

/* Requests and requests, and no reply is ever read: memory stays, and the connection ends. */
TEST(peer_that_never_reads)
{
	struct wire_buffer frames = frames_new();
	time_t deadline = time(NULL) + DEADLINE_S;
	ssize_t sent = 0;
	long before;
	int fd;

	start_agent();
	expect_agent_alive();
	before = agent_status("VmRSS");
	fd = raw_hello(NULL);
	ask_slots(&frames, 1);
	while (sent >= 0 && time(NULL) < deadline) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};

		poll(&poll_fd, 1, 100);
		sent = send(fd, frames.data, frames.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EAGAIN)
			sent = 0;
	}
	wire_buffer_free(&frames);
	EXPECT_LT(sent, 0);
	EXPECT_TRUE(errno == EPIPE || errno == ECONNRESET);
	close(fd);
	EXPECT_LT(agent_status("VmRSS") - before, KEPT_KIB);
	expect_agent_alive();
}

/* ---- many ---- */

static uint32_t random_number(void)
{
	static uint32_t state = 88172645u;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

/* Octets that are random, or frames that are nearly right. */
static size_t make_garbage(uint8_t octets[256])
{
	size_t len = random_number() % 256;

	for (size_t i = 0; i < len; i++)
		octets[i] = (uint8_t)random_number();
	if (random_number() % 2) {
		struct wire_buffer frames = two_frames();

		memcpy(octets, frames.data, frames.len);
		octets[random_number() % frames.len] ^= (uint8_t)(1u << random_number() % 8);
		if (len < frames.len)
			len = frames.len;
		wire_buffer_free(&frames);
	}
	return len;
}

TEST_TIMEOUT(garbage, 120)
{
	time_t began = time(NULL);
	uint8_t octets[256];
	unsigned int before;
	long memory;

	start_agent();
	expect_agent_alive();
	before = agent_descriptors();
	memory = agent_status("VmRSS");
	for (int i = 0; i < 10000; i++) {
		int fd = raw_connect();
		size_t len = make_garbage(octets);

		/* The agent may close before it has all. */
		if (send(fd, octets, len, MSG_NOSIGNAL) < 0)
			ASSERT_TRUE(errno == EPIPE || errno == ECONNRESET);
		close(fd);
	}
	expect_agent_alive();
	expect_descriptors(before);
	printf("# %ld KiB kept\n", agent_status("VmRSS") - memory);
	EXPECT_LT(agent_status("VmRSS") - memory, KEPT_KIB);
	printf("# %ld s\n", (long)(time(NULL) - began));
	EXPECT_LT(time(NULL) - began, 60);
}

#define IDLE_CLIENTS 200

TEST(idle_clients_cost_little)
{
	struct pollfd nothing = {.fd = -1};
	int fds[IDLE_CLIENTS];
	unsigned long ticks;
	long before, growth;

	start_agent();
	expect_agent_alive();
	before = agent_status("VmRSS");
	for (int i = 0; i < IDLE_CLIENTS; i++) {
		fds[i] = raw_hello(NULL);
		expect_works(fds[i]);
	}
	growth = agent_status("VmRSS") - before;
	printf("# %ld KiB for %d clients\n", growth, IDLE_CLIENTS);
	EXPECT_LT(growth, 64 * IDLE_CLIENTS);
	poll(&nothing, 1, 100); /* the last spin ends */
	ticks = agent_ticks();
	poll(&nothing, 1, 1000);
	ticks = agent_ticks() - ticks;
	printf("# %lu ticks in a second\n", ticks);
	EXPECT_LE(ticks, 1u);
	for (int i = 0; i < IDLE_CLIENTS; i++) {
		expect_works(fds[i]);
		close(fds[i]);
	}
}

static off_t log_len(void)
{
	struct stat status;

	ASSERT_EQ(stat(api_path("agent.log"), &status), 0);
	return status.st_size;
}

/* More connections than the agent has descriptors for: they wait, and the waiting costs neither
 * time nor log. */
TEST(more_connections_than_descriptors)
{
	struct rlimit limit = {.rlim_cur = 64, .rlim_max = 64};
	struct pollfd nothing = {.fd = -1};
	unsigned long ticks;
	int fds[55];
	off_t len;

	/* The same limit holds for the agent, which needs more of it for itself. */
	ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	start_agent();
	expect_agent_alive();
	for (size_t i = 0; i < COUNT(fds); i++)
		fds[i] = raw_connect();
	len = log_len();
	ticks = agent_ticks();
	poll(&nothing, 1, 1000);
	printf("# %u descriptors\n", agent_descriptors());
	printf("# %lu ticks, %ld octets of log\n", agent_ticks() - ticks, (long)(log_len() - len));
	EXPECT_LE(agent_ticks() - ticks, 10u);
	EXPECT_LT(log_len() - len, 10000);
	for (size_t i = 0; i < COUNT(fds); i++)
		close(fds[i]);
	expect_agent_alive();
	ASSERT_TRUE(api_log_has("accept failed: Too many open files"));
}

/* The limits that a shell or a service manager gives by default are enough to start with. */
TEST(default_descriptor_limit)
{
	struct rlimit limit;

	ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 1024;
	ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	start_agent();
	expect_agent_alive();
	ASSERT_EQ(prlimit(api_agent, RLIMIT_NOFILE, NULL, &limit), 0);
	EXPECT_EQ(limit.rlim_cur, limit.rlim_max);
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

/* ---- much data ---- */

static CK_BYTE *much_data(size_t len)
{
	CK_BYTE *data = malloc(len);

	ASSERT_NOT_NULL(data);
	for (size_t i = 0; i < len; i++)
		data[i] = (CK_BYTE)(i * 2654435761u >> 13);
	return data;
}

static CK_RV digest(CK_SESSION_HANDLE session, CK_BYTE *data, size_t len, CK_BYTE out[32])
{
	CK_MECHANISM mechanism = {CKM_SHA256, NULL, 0};
	CK_ULONG out_len = 32;
	CK_RV rv;

	OK(p11->C_DigestInit(session, &mechanism));
	rv = p11->C_Digest(session, data, len, out, &out_len);
	if (rv == CKR_OK)
		ASSERT_EQ(out_len, 32);
	return rv;
}

TEST(largest_data)
{
	const size_t limit = WIRE_DATA_LIMIT;
	CK_BYTE *data = much_data(limit + 1), got[32], wanted[32];
	CK_SESSION_HANDLE session;
	CK_RV rv;

	api_start();
	api_make_token();
	session = api_session(false);
	OK(digest(session, data, limit, got));
	ASSERT_EQ(EVP_Digest(data, limit, wanted, NULL, EVP_sha256(), NULL), 1);
	ASSERT_MEMEQ(got, wanted, 32);
	rv = digest(session, data, limit + 1, got);
	printf("# 64 MiB + 1: 0x%lx\n", rv);
	ASSERT_NE(rv, CKR_OK);
	session = api_session(false); /* the connection lives */
	OK(digest(session, data, 1000, got));
	free(data);
}

/* The agent says so itself, to a client that does not ask its library. */
TEST(larger_data_on_the_raw_socket)
{
	const size_t len = WIRE_DATA_LIMIT + 1;
	struct wire_open_session_reply opened;
	struct wire_buffer frames = frames_new();
	CK_BYTE *data = much_data(len);
	struct wire_buffer bulk;
	struct reply reply;
	int fd;

	api_start();
	api_make_token();
	fd = raw_hello(NULL);
	PUT_FRAME(&frames, 1, open_session, .slot_id = 0, .flags = CKF_SERIAL_SESSION);
	send_frames(fd, &frames);
	ASSERT_TRUE(receive(fd, &reply));
	ASSERT_TRUE(wire_decode_open_session_reply(
		(struct wire_bytes){reply.body, reply.header.body_len}, &opened));
	frames = frames_new();
	PUT_FRAME(&frames, 2, digest_init, .session = opened.session,
	          .mechanism = {.type = CKM_SHA256});
	send_frames(fd, &frames);
	expect_reply(fd, 2, CKR_OK);
	wire_buffer_init(&bulk, WIRE_BULK_LIMIT + WIRE_FRAME_HEADER_LEN, NULL);
	PUT_FRAME(&bulk, 3, digest, .session = opened.session, .capacity = 32, .data = {data, len});
	for (size_t at = 0; at < bulk.len;) {
		ssize_t sent = send(fd, bulk.data + at, bulk.len - at, MSG_NOSIGNAL);

		ASSERT_GT(sent, 0);
		at += (size_t)sent;
	}
	wire_buffer_free(&bulk);
	ASSERT_TRUE(receive(fd, &reply));
	printf("# status 0x%x\n", reply.header.status);
	EXPECT_NE(reply.header.status, CKR_OK);
	close(fd);
	free(data);
}

HARNESS_MAIN
