/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load on a raw socket: pipelines, clients that leave, never read, are merely numerous or send
 * garbage by the thousand, and the largest data. The agent answers on, and keeps neither memory nor
 * descriptors of those that have gone.
 */
#include "protocol.h"

#include <openssl/evp.h>
#include <sys/resource.h>

#define PIPELINE_MAX 64u /* connection.h: CONNECTION_CALLS_MAX */

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

/* ---- clients that leave or do not read ---- */

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
	printf("# %ld KiB kept\n", agent_status("VmRSS") - before);
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

static void send_garbage(int count)
{
	uint8_t octets[256];

	for (int i = 0; i < count; i++) {
		int fd = raw_connect();
		size_t len = make_garbage(octets);

		/* The agent may close before it has all. */
		if (send(fd, octets, len, MSG_NOSIGNAL) < 0)
			ASSERT_TRUE(errno == EPIPE || errno == ECONNRESET);
		close(fd);
	}
	expect_agent_alive();
}

#define GARBAGE_ROUNDS 10

/* A burst may raise the agent's high-water mark in any round, and the allocator may keep that or
 * give it back; but with a leak, memory grows in each. */
TEST_TIMEOUT(garbage, 120)
{
	time_t began = time(NULL);
	unsigned int before, grown = 0;

	start_agent();
	expect_agent_alive();
	before = agent_descriptors();
	for (int round = 0; round < GARBAGE_ROUNDS; round++) {
		long memory = agent_status("VmRSS");

		send_garbage(5000);
		expect_descriptors(before);
		memory = agent_status("VmRSS") - memory;
		printf("# %ld KiB kept\n", memory);
		grown += memory >= GROWTH_KIB;
	}
	EXPECT_LE(grown, GARBAGE_ROUNDS - 3u);
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
