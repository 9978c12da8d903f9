/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The window with hostile clients: what they write there, and what they say about it, costs them
 * their own data or connection and nobody else anything. And its memory: bounded, and given back.
 */
#include "protocol.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "exchange_ring.h"
#include "wire/window.h"

#define WINDOWS_MAX 512 /* of connection_window.c */
#define PART        WIRE_WINDOW_PART_LEN

struct client {
	int fd;
	struct exchange_ring ring;
	struct wire_window *window;
	uint32_t id;
	uint64_t session;
};

/* Asks for memory; the first descriptor, or -1 with the status. */
static int ask_for(struct client *client, uint16_t opcode, CK_RV *status)
{
	uint8_t octets[WIRE_FRAME_HEADER_LEN + 4];
	int fds[EXCHANGE_RING_FDS] = {-1, -1};
	struct wire_frame_header header;

	send_header(client->fd, (struct wire_frame_header){.request_id = 2, .opcode = opcode});
	ASSERT_TRUE(exchange_ring_receive(client->fd, octets, WIRE_FRAME_HEADER_LEN, fds, WAIT_MS));
	wire_frame_parse(&header, octets);
	ASSERT_EQ(header.opcode, opcode);
	ASSERT_TRUE(exchange_ring_receive(client->fd, octets, header.body_len, fds, WAIT_MS));
	if (opcode == WIRE_OPCODE_ring)
		ASSERT_TRUE(exchange_ring_map(&client->ring, fds, sizeof(struct wire_ring_area)));
	if (fds[1] >= 0)
		close(fds[1]);
	*status = header.status;
	return fds[0];
}

static struct client open_client(void)
{
	struct client client = {.fd = raw_hello(NULL)};
	CK_RV status;

	close(ask_for(&client, WIRE_OPCODE_ring, &status));
	ASSERT_EQ(status, CKR_OK);
	return client;
}

static bool add_window(struct client *client)
{
	CK_RV status;
	int fd = ask_for(client, WIRE_OPCODE_window, &status);

	if (client->window)
		munmap(client->window, sizeof(*client->window));
	client->window = NULL;
	if (fd < 0) {
		EXPECT_EQ(status, CKR_DEVICE_MEMORY);
		return false;
	}
	client->window =
		exchange_ring_map_shared(fd, sizeof(*client->window), PROT_READ | PROT_WRITE);
	ASSERT_NOT_NULL(client->window);
	close(fd);
	return true;
}

static void close_client(struct client *client)
{
	exchange_ring_unmap(&client->ring, false);
	if (client->window)
		munmap(client->window, sizeof(*client->window));
	if (client->fd >= 0)
		close(client->fd);
}

static void put(struct client *client, struct wire_buffer *frames)
{
	ASSERT_FALSE(frames->failed);
	ASSERT_TRUE(wire_ring_put(&client->ring.requests,
	                          (struct wire_bytes){frames->data, frames->len},
	                          (struct wire_bytes){NULL, 0}));
	wire_buffer_free(frames);
	if (wire_ring_must_wake(&client->ring.requests))
		send_header(client->fd, (struct wire_frame_header){.opcode = WIRE_OPCODE_doorbell});
}

/* Of the frame that begins at `offset`, and whose last field is empty and at its end. */
static void mark(struct wire_buffer *frames, size_t offset, size_t part_len)
{
	frames->data[offset + 10] = WIRE_FRAME_WINDOW;
	for (size_t i = 0; i < 4; i++)
		frames->data[frames->len - 4 + i] = (uint8_t)(part_len >> (8 * i));
}

/* What a call with output asks, without its data; they are all alike. Good until the next. */
static struct wire_bytes own_request(const struct client *client, uint64_t capacity)
{
	const struct wire_digest_request own = {.session = client->session, .capacity = capacity};
	static uint8_t octets[64];
	struct wire_buffer buffer = frames_new();
	size_t len;

	wire_encode_digest_request(&buffer, &own);
	ASSERT_LE(buffer.len, sizeof(octets));
	memcpy(octets, buffer.data, buffer.len);
	len = buffer.len;
	wire_buffer_free(&buffer);
	return (struct wire_bytes){octets, len};
}

static void begin(struct client *client, uint16_t opcode, uint64_t data_len, size_t part_len)
{
	struct wire_buffer frames = frames_new();

	PUT_FRAME(&frames, ++client->id, parts_begin, .opcode = opcode, .data_len = data_len,
	          .request = own_request(client, data_len + 64));
	mark(&frames, 0, part_len);
	put(client, &frames);
}

static void next(struct client *client, uint16_t opcode, size_t part_len)
{
	struct wire_buffer frames = frames_new();

	PUT_FRAME(&frames, ++client->id, parts_next, .opcode = opcode, .session = client->session);
	mark(&frames, 0, part_len);
	put(client, &frames);
}

/* A reply out of the ring; sleeps on the socket as the library does. */
static CK_RV answer(struct client *client, uint32_t id, struct reply *reply)
{
	uint8_t octets[WIRE_FRAME_HEADER_LEN];
	struct reply bell;

	while (wire_ring_sleep(&client->ring.replies)) {
		ASSERT_TRUE(receive(client->fd, &bell));
		ASSERT_EQ(bell.header.opcode, WIRE_OPCODE_doorbell);
		wire_ring_wake(&client->ring.replies);
	}
	wire_ring_take(&client->ring.replies, octets, sizeof(octets));
	wire_frame_parse(&reply->header, octets);
	ASSERT_EQ(reply->header.request_id, id);
	wire_ring_take(&client->ring.replies, reply->body, reply->header.body_len);
	return reply->header.status;
}

static CK_RV answers(struct client *client)
{
	struct reply reply;

	return answer(client, client->id, &reply);
}

#define ASK(client, reply, name, ...)                                                              \
	({                                                                                         \
		struct wire_buffer ask_frames = frames_new();                                      \
                                                                                                   \
		PUT_FRAME(&ask_frames, ++(client)->id, name, __VA_ARGS__);                         \
		put(client, &ask_frames);                                                          \
		answer(client, (client)->id, reply);                                               \
	})

/* A session on the token with a digest that has begun. */
static void begin_digest(struct client *client)
{
	struct wire_open_session_reply opened;
	struct reply reply;

	if (!client->session) {
		ASSERT_EQ(ASK(client, &reply, open_session, .slot_id = 0,
		              .flags = CKF_SERIAL_SESSION),
		          CKR_OK);
		ASSERT_TRUE(wire_decode_open_session_reply(
			(struct wire_bytes){reply.body, reply.header.body_len}, &opened));
		client->session = opened.session;
	}
	ASSERT_EQ(ASK(client, &reply, digest_init, .session = client->session,
	              .mechanism = {.type = CKM_SHA256}),
	          CKR_OK);
}

static struct client open_digesting(void)
{
	struct client client = open_client();

	ASSERT_TRUE(add_window(&client));
	begin_digest(&client);
	return client;
}

static void expect_dead(struct client *client)
{
	expect_closed(client->fd);
	client->fd = -1;
	close_client(client);
}

static void expect_digest_works(struct client *client)
{
	begin_digest(client);
	begin(client, WIRE_OPCODE_digest, PART + 1, PART);
	ASSERT_EQ(answers(client), CKR_OK);
	next(client, WIRE_OPCODE_digest, 1);
	ASSERT_EQ(answers(client), CKR_OK);
}

TEST(asked_and_answered)
{
	struct wire_parts_next_reply fields;
	struct client client;
	struct reply reply;

	api_user();
	client = open_digesting();
	for (int i = 0; i < 100; i++) {
		begin(&client, WIRE_OPCODE_digest, 2 * PART + 1, PART);
		next(&client, WIRE_OPCODE_digest, PART);
		next(&client, WIRE_OPCODE_digest, 1);
		ASSERT_EQ(answer(&client, client.id - 2, &reply), CKR_OK);
		ASSERT_EQ(answer(&client, client.id - 1, &reply), CKR_OK);
		ASSERT_EQ(answer(&client, client.id, &reply), CKR_OK);
		ASSERT_EQ(reply.header.flags, WIRE_FRAME_REPLY | WIRE_FRAME_WINDOW);
		ASSERT_EQ(reply.body[reply.header.body_len - 4], 32);
		reply.body[reply.header.body_len - 4] = 0;
		ASSERT_TRUE(wire_decode_parts_next_reply(
			(struct wire_bytes){reply.body, reply.header.body_len}, &fields));
		ASSERT_TRUE(fields.done);
		ASSERT_EQ(fields.output_len, 32);
		begin_digest(&client);
	}
	close_client(&client);
	expect_agent_alive();
}

/* ---- lies ---- */

static void send_marked(struct client *client, size_t part_len)
{
	begin(client, WIRE_OPCODE_digest, 3 * (uint64_t)PART, part_len);
}

TEST(parts_longer_than_a_slot)
{
	static const size_t lens[] = {PART + 1, WIRE_WINDOW_SLOT_LEN, 1u << 24, UINT32_MAX};

	api_user();
	for (size_t i = 0; i < COUNT(lens); i++) {
		struct client client = open_digesting();

		send_marked(&client, lens[i]);
		expect_dead(&client);
	}
	expect_agent_alive();
}

/* The flag belongs to the ring, and to a body that can hold a length. */
TEST(flags_in_the_wrong_place)
{
	struct wire_frame_header header = {.opcode = WIRE_OPCODE_get_slot_list,
	                                   .flags = WIRE_FRAME_WINDOW};
	struct wire_buffer frames = frames_new();
	struct client client;

	api_user();
	client = open_digesting();
	put_header(&frames, (struct wire_frame_header){.opcode = WIRE_OPCODE_get_slot_list,
	                                               .flags = WIRE_FRAME_WINDOW});
	put(&client, &frames);
	expect_dead(&client);
	client = open_digesting();
	send_header(client.fd, header);
	expect_dead(&client);
	expect_agent_alive();
}

TEST(without_a_window)
{
	struct wire_buffer frames = frames_new();
	struct client client;
	int fd;

	api_user();
	client = open_client();
	begin_digest(&client);
	send_marked(&client, PART);
	EXPECT_EQ(answers(&client), CKR_FUNCTION_NOT_SUPPORTED);
	ASSERT_TRUE(add_window(&client)); /* nothing was done */
	begin(&client, WIRE_OPCODE_digest, 1, 1);
	EXPECT_EQ(answers(&client), CKR_OK);
	close_client(&client);

	client = open_client();
	put_header(&frames, (struct wire_frame_header){.opcode = WIRE_OPCODE_parts_rest});
	put(&client, &frames);
	expect_dead(&client);

	fd = raw_hello(NULL); /* a window without a ring */
	send_header(fd, (struct wire_frame_header){.opcode = WIRE_OPCODE_window});
	expect_closed(fd);
	expect_agent_alive();
}

/* By the socket a part is an ordinary request. */
TEST(parts_without_shared_memory)
{
	static uint8_t octets[100];
	struct wire_parts_begin_reply fields;
	struct client client;
	struct reply reply;

	api_user();
	client = open_digesting();
	ASSERT_EQ(ASK(&client, &reply, parts_begin, .opcode = WIRE_OPCODE_digest,
	              .request = own_request(&client, 64), .data_len = sizeof(octets),
	              .data = {octets, sizeof(octets)}),
	          CKR_OK);
	ASSERT_TRUE(wire_decode_parts_begin_reply(
		(struct wire_bytes){reply.body, reply.header.body_len}, &fields));
	EXPECT_TRUE(fields.done);
	EXPECT_EQ(fields.output.len, 32);
	close_client(&client);
}

TEST(calls_that_do_not_go_in_parts)
{
	static const uint16_t opcodes[] = {0, WIRE_OPCODE_login, WIRE_OPCODE_parts_begin, 0xffff};
	struct client client;

	api_user();
	client = open_digesting();
	for (size_t i = 0; i < COUNT(opcodes); i++) {
		begin(&client, opcodes[i], PART, PART);
		EXPECT_EQ(answers(&client), CKR_ARGUMENTS_BAD);
		next(&client, opcodes[i], PART);
		EXPECT_EQ(answers(&client), CKR_ARGUMENTS_BAD);
	}
	begin(&client, WIRE_OPCODE_digest, 1, 1);
	EXPECT_EQ(answers(&client), CKR_OK);
	close_client(&client);
}

/* More than was said ends the call; what follows finds none. */
TEST(more_than_was_said)
{
	struct client client;

	api_user();
	client = open_digesting();
	begin(&client, WIRE_OPCODE_digest, PART + 1, PART);
	EXPECT_EQ(answers(&client), CKR_OK);
	next(&client, WIRE_OPCODE_digest, 2);
	EXPECT_EQ(answers(&client), CKR_ARGUMENTS_BAD);
	next(&client, WIRE_OPCODE_digest, 1);
	EXPECT_EQ(answers(&client), CKR_OPERATION_NOT_INITIALIZED);
	expect_digest_works(&client);
	close_client(&client);
}

/* Too many octets announced. */
TEST(announced_and_never_sent)
{
	static const uint64_t lens[] = {(64u << 20) + 1, 1ull << 32, UINT64_MAX};
	struct client client;

	api_user();
	client = open_client();
	ASSERT_TRUE(add_window(&client));
	for (size_t i = 0; i < COUNT(lens); i++) {
		begin_digest(&client);
		begin(&client, WIRE_OPCODE_digest, lens[i], PART);
		EXPECT_EQ(answers(&client), CKR_DATA_LEN_RANGE);
	}
	expect_digest_works(&client);
	close_client(&client);
}

/* A client that stops in the middle keeps its own session busy until it cancels. */
TEST(stops_in_the_middle)
{
	static uint8_t octet[1];
	struct client client, other;
	struct reply reply;

	api_user();
	client = open_digesting();
	other = open_digesting();
	begin(&client, WIRE_OPCODE_digest, 64u << 20, PART);
	EXPECT_EQ(answers(&client), CKR_OK);
	EXPECT_EQ(
		ASK(&client, &reply, digest_update, .session = client.session, .data = {octet, 1}),
		CKR_OPERATION_ACTIVE);
	EXPECT_EQ(ASK(&client, &reply, digest_final, .session = client.session, .capacity = 64),
	          CKR_OPERATION_ACTIVE);
	begin(&client, WIRE_OPCODE_digest, PART, PART);
	EXPECT_EQ(answers(&client), CKR_OPERATION_ACTIVE);
	next(&client, WIRE_OPCODE_digest_update, PART); /* another call than was begun */
	EXPECT_EQ(answers(&client), CKR_OPERATION_NOT_INITIALIZED);
	begin(&other, WIRE_OPCODE_digest, PART, PART);
	EXPECT_EQ(answers(&other), CKR_OK);
	EXPECT_EQ(ASK(&client, &reply, session_cancel, .session = client.session,
	              .flags = CKF_DIGEST),
	          CKR_OK);
	next(&client, WIRE_OPCODE_digest, PART);
	EXPECT_EQ(answers(&client), CKR_OPERATION_NOT_INITIALIZED);
	expect_digest_works(&client);
	close_client(&client);
	close_client(&other);
}

TEST(dies_in_the_middle)
{
	struct client client;

	api_user();
	for (int i = 0; i < 50; i++) {
		client = open_digesting();
		begin(&client, WIRE_OPCODE_digest, 64u << 20, PART);
		if (i % 2)
			ASSERT_EQ(answers(&client), CKR_OK);
		next(&client, WIRE_OPCODE_digest, PART);
		close_client(&client);
	}
	expect_descriptors(64);
	expect_agent_alive();
}

/* ---- the memory ---- */

TEST(the_window_is_sealed)
{
	struct client client;
	CK_RV status;
	int fd;

	start_agent();
	client = open_client();
	fd = ask_for(&client, WIRE_OPCODE_window, &status);
	ASSERT_EQ(status, CKR_OK);
	EXPECT_EQ(ftruncate(fd, 0), -1);
	EXPECT_EQ(ftruncate(fd, 1 << 20), -1);
	EXPECT_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	close(fd);
	close_client(&client);
}

/* A window that is replaced is empty and dead in the hands of who still has it. */
TEST(another_window)
{
	struct client client;
	struct wire_window *before;

	start_agent();
	client = open_client();
	for (int i = 0; i < 3 * WINDOWS_MAX; i++) {
		before = client.window;
		client.window = NULL;
		if (before)
			before->slots[0][0] = 1;
		ASSERT_TRUE(add_window(&client));
		ASSERT_EQ(atomic_load(&client.window->alive), 1);
		if (!before)
			continue;
		ASSERT_EQ(atomic_load(&before->alive), 0);
		ASSERT_EQ(before->slots[0][0], 0);
		munmap(before, sizeof(*before));
	}
	close_client(&client);
	expect_agent_alive();
}

static void allow_descriptors(rlim_t count)
{
	struct rlimit limit;

	ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = count < limit.rlim_max ? count : limit.rlim_max;
	ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ASSERT_GE(limit.rlim_cur, count);
}

/* All windows in the hands of a few: others are told so, and served by the socket; closed ones are
 * free again. */
TEST_TIMEOUT(as_many_as_there_are, 120)
{
	static struct client clients[WINDOWS_MAX];
	static CK_BYTE data[100000], digest[32];
	CK_MECHANISM sha256 = {CKM_SHA256, NULL, 0};
	CK_SESSION_HANDLE session = api_user();
	CK_ULONG len = sizeof(digest);
	struct client late;
	int count = 0;

	allow_descriptors(2 * WINDOWS_MAX);
	while (count < WINDOWS_MAX) {
		clients[count] = open_client();
		if (!add_window(&clients[count++]))
			break;
	}
	ASSERT_EQ(count, WINDOWS_MAX);
	late = open_client();
	EXPECT_FALSE(add_window(&late));
	OK(p11->C_DigestInit(session, &sha256));
	OK(p11->C_Digest(session, data, sizeof(data), digest, &len));
	while (count)
		close_client(&clients[--count]);
	expect_descriptors(64);
	EXPECT_TRUE(add_window(&late));
	close_client(&late);
	expect_agent_alive();
}

/* The build whose agent is impatient when it is told so. */
static bool use_hooks(void)
{
	char hooks[PATH_MAX];

	snprintf(hooks, sizeof(hooks), "%s-hooks", api_build());
	if (access(hooks, X_OK))
		return false;
	setenv("BUILD", hooks, 1);
	setenv("CRATON_TEST_WINDOW_IDLE_MS", "20", 1);
	return true;
}

static void expect_given_up(const struct wire_window *window)
{
	time_t deadline = time(NULL) + DEADLINE_S;

	while (atomic_load(&window->alive) && time(NULL) < deadline)
		api_pause();
	ASSERT_EQ(atomic_load(&window->alive), 0);
}

/* Leaves a reply untaken; anew when the window was given up before it was used. */
static void leave_a_reply(struct client *client)
{
	struct wire_frame_header header = {.status = CKR_FUNCTION_NOT_SUPPORTED};

	while (header.status) {
		ASSERT_TRUE(add_window(client));
		begin(client, WIRE_OPCODE_digest, 1, 1);
		while (!wire_ring_ready(&client->ring.replies))
			api_pause();
		ASSERT_TRUE(wire_ring_peek(&client->ring.replies, &header));
		if (header.status)
			ASSERT_EQ(answers(client), CKR_FUNCTION_NOT_SUPPORTED);
	}
}

/* Who has not taken its reply is not idle. */
TEST(idle_windows_are_given_up)
{
	static CK_BYTE data[100000], digest[32];
	CK_MECHANISM sha256 = {CKM_SHA256, NULL, 0};
	CK_ULONG len = sizeof(digest);
	struct client client, waiting;
	CK_SESSION_HANDLE session;

	if (!use_hooks())
		SKIP("needs TEST_HOOKS=1");
	session = api_user();
	waiting = open_digesting();
	leave_a_reply(&waiting);
	for (int i = 0; i < 3; i++) {
		OK(p11->C_DigestInit(session, &sha256));
		OK(p11->C_Digest(session, data, sizeof(data), digest, &len));
		client = open_digesting();
		expect_given_up(client.window);
		send_marked(&client, PART);
		ASSERT_EQ(answers(&client), CKR_FUNCTION_NOT_SUPPORTED);
		close_client(&client);
	}
	ASSERT_EQ(atomic_load(&waiting.window->alive), 1);
	ASSERT_EQ(answers(&waiting), CKR_OK);
	expect_given_up(waiting.window);
	close_client(&waiting);
	expect_agent_alive();
}

/* ---- scribbling ---- */

struct scribbler {
	struct client *client;
	atomic_bool stop;
	uint64_t seed;
};

/* Races with its own process on purpose. */
__attribute__((no_sanitize("thread"))) static void *scribble(void *argument)
{
	struct scribbler *scribbler = argument;
	uint8_t *slots = (uint8_t *)scribbler->client->window->slots;

	while (!atomic_load_explicit(&scribbler->stop, memory_order_relaxed)) {
		scribbler->seed ^= scribbler->seed << 13;
		scribbler->seed ^= scribbler->seed >> 7;
		scribbler->seed ^= scribbler->seed << 17;
		slots[scribbler->seed % (WIRE_WINDOW_SLOTS * WIRE_WINDOW_SLOT_LEN)] =
			(uint8_t)(scribbler->seed >> 32);
	}
	return NULL;
}

/* It gets digests of what nobody knows; the answers come all the same, and an honest client's are
 * right. */
TEST_TIMEOUT(scribbled_while_it_is_read, 120)
{
	struct client client, honest;
	struct scribbler scribbler;
	pthread_t thread;

	api_user();
	client = open_client();
	honest = open_client();
	ASSERT_TRUE(add_window(&client));
	ASSERT_TRUE(add_window(&honest));
	scribbler = (struct scribbler){&client, false, 0x9e3779b97f4a7c15ull};
	ASSERT_EQ(pthread_create(&thread, NULL, scribble, &scribbler), 0);
	for (int round = 0; round < 300; round++) {
		expect_digest_works(&client);
		expect_digest_works(&honest);
	}
	atomic_store(&scribbler.stop, true);
	pthread_join(thread, NULL);
	expect_digest_works(&client);
	close_client(&client);
	close_client(&honest);
	expect_agent_alive();
}

HARNESS_MAIN
