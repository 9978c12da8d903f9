/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared memory with hostile clients: whatever they write there, whenever, ends their own
 * connection at worst. And with honest ones: sleeping, waking, replies too large for the ring, and
 * a death in between.
 */
#include "protocol.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "exchange_ring.h"

struct client {
	int fd, fds[EXCHANGE_RING_FDS];
	struct exchange_ring ring;
};

static struct client open_client(void)
{
	struct client client = {.fd = raw_hello(NULL), .fds = {-1, -1}};
	uint8_t octets[WIRE_FRAME_HEADER_LEN + 4];
	struct wire_frame_header header;

	send_header(client.fd,
	            (struct wire_frame_header){.request_id = 2, .opcode = WIRE_OPCODE_ring});
	ASSERT_TRUE(exchange_ring_receive(client.fd, octets, sizeof(octets), client.fds, WAIT_MS));
	wire_frame_parse(&header, octets);
	ASSERT_EQ(header.status, CKR_OK);
	ASSERT_GE(client.fds[0], 0);
	ASSERT_GE(client.fds[1], 0);
	ASSERT_TRUE(exchange_ring_map(&client.ring, client.fds, sizeof(struct wire_ring_area)));
	return client;
}

static void close_client(struct client *client)
{
	exchange_ring_unmap(&client->ring, false);
	close(client->fds[0]);
	close(client->fds[1]);
	close(client->fd);
}

static void ring_bell(struct client *client)
{
	send_header(client->fd, (struct wire_frame_header){.opcode = WIRE_OPCODE_doorbell});
}

static bool ask_by_ring(struct client *client, uint32_t id)
{
	struct wire_buffer frames = frames_new();
	bool put;

	ask_slots(&frames, id);
	put = wire_ring_put(&client->ring.requests, (struct wire_bytes){frames.data, frames.len},
	                    (struct wire_bytes){NULL, 0});
	wire_buffer_free(&frames);
	if (put && wire_ring_must_wake(&client->ring.requests))
		ring_bell(client);
	return put;
}

static void ask_by_socket(struct client *client, uint32_t id)
{
	struct wire_buffer frames = frames_new();

	ask_slots(&frames, id);
	send_octets(client->fd, frames.data, frames.len);
	wire_buffer_free(&frames);
}

/* Bells that ring meanwhile are for a look into the ring. */
static void expect_by_socket(struct client *client, uint32_t id)
{
	struct reply reply;

	do
		ASSERT_TRUE(receive(client->fd, &reply));
	while (reply.header.opcode == WIRE_OPCODE_doorbell);
	ASSERT_EQ(reply.header.request_id, id);
	ASSERT_EQ(reply.header.status, CKR_OK);
}

/* Sleeps on the socket as the library does. */
static void expect_by_ring(struct client *client, uint32_t id)
{
	struct wire_frame_header header;
	uint8_t octets[WIRE_RING_SIZE];
	struct reply bell;
	size_t ready;

	while (wire_ring_sleep(&client->ring.replies)) {
		ASSERT_TRUE(receive(client->fd, &bell));
		ASSERT_EQ(bell.header.opcode, WIRE_OPCODE_doorbell);
		wire_ring_wake(&client->ring.replies);
	}
	ready = wire_ring_ready(&client->ring.replies);
	ASSERT_GE(ready, WIRE_FRAME_HEADER_LEN);
	ASSERT_LE(ready, WIRE_RING_SIZE);
	wire_ring_take(&client->ring.replies, octets, WIRE_FRAME_HEADER_LEN);
	wire_frame_parse(&header, octets);
	ASSERT_EQ(header.request_id, id);
	ASSERT_EQ(header.status, CKR_OK);
	wire_ring_take(&client->ring.replies, octets, header.body_len);
}

TEST(asked_and_answered)
{
	struct client client;

	start_agent();
	client = open_client();
	for (uint32_t i = 0; i < 2000; i++) {
		ASSERT_TRUE(ask_by_ring(&client, i));
		expect_by_ring(&client, i);
	}
	expect_works(client.fd);
	close_client(&client);
}

/* Many more clients than cores, each asleep until its own bell rings. */
TEST(many_clients)
{
	struct client clients[40];

	start_agent();
	for (int i = 0; i < 40; i++)
		clients[i] = open_client();
	for (uint32_t round = 0; round < 50; round++) {
		for (int i = 0; i < 40; i++)
			ASSERT_TRUE(ask_by_ring(&clients[i], round));
		for (int i = 0; i < 40; i++)
			expect_by_ring(&clients[i], round);
	}
	for (int i = 0; i < 40; i++)
		close_client(&clients[i]);
	expect_agent_alive();
}

TEST(idle_rings_cost_nothing)
{
	struct client clients[40];
	unsigned long before;

	start_agent();
	for (int i = 0; i < 40; i++) {
		clients[i] = open_client();
		ASSERT_TRUE(ask_by_ring(&clients[i], 1));
		expect_by_ring(&clients[i], 1);
	}
	expect_silence(clients[0].fd); /* longer than the agent polls */
	before = agent_ticks();
	for (int i = 0; i < 50; i++)
		expect_silence(clients[i % 40].fd);
	EXPECT_LE(agent_ticks() - before, 1);
	for (int i = 0; i < 40; i++)
		close_client(&clients[i]);
}

TEST(the_area_is_sealed)
{
	struct client client;

	start_agent();
	client = open_client();
	EXPECT_EQ(ftruncate(client.fds[0], 0), -1);
	EXPECT_EQ(ftruncate(client.fds[0], 1 << 20), -1);
	EXPECT_EQ(fcntl(client.fds[0], F_ADD_SEALS, F_SEAL_WRITE), -1);
	close_client(&client);
}

/* ---- hostile ---- */

static void publish(struct client *client, uint32_t position)
{
	atomic_store(&client->ring.area->requests.published, position);
	ring_bell(client);
}

TEST(impossible_positions)
{
	static const uint32_t positions[] = {1,          15,         WIRE_RING_SIZE + 1,
	                                     0x80000000, 0xffffffff, 0xffff0000};

	start_agent();
	for (size_t i = 0; i < COUNT(positions); i++) {
		struct client client = open_client();

		publish(&client, positions[i]);
		expect_closed(client.fd);
		client.fd = -1;
		close_client(&client);
	}
	expect_agent_alive();
}

static void write_header(struct client *client, struct wire_frame_header header)
{
	wire_frame_store(client->ring.area->request_octets, &header);
}

TEST(frames_that_are_none)
{
	static const struct wire_frame_header headers[] = {
		{.body_len = 1, .opcode = WIRE_OPCODE_get_slot_list}, /* more than is there */
		{.body_len = 0xffffffff, .opcode = WIRE_OPCODE_get_slot_list},
		{.body_len = WIRE_RING_SIZE, .opcode = WIRE_OPCODE_digest},
		{.opcode = WIRE_OPCODE_get_slot_list, .flags = WIRE_FRAME_REPLY},
		{.opcode = WIRE_OPCODE_get_slot_list, .status = 1},
		{.opcode = WIRE_OPCODE_ring},
		{.opcode = WIRE_OPCODE_doorbell},
	};

	start_agent();
	for (size_t i = 0; i < COUNT(headers); i++) {
		struct client client = open_client();

		write_header(&client, headers[i]);
		publish(&client, WIRE_FRAME_HEADER_LEN);
		expect_closed(client.fd);
		client.fd = -1;
		close_client(&client);
	}
	expect_agent_alive();
}

TEST(a_second_ring_is_refused)
{
	struct client client;

	start_agent();
	client = open_client();
	send_header(client.fd, (struct wire_frame_header){.opcode = WIRE_OPCODE_ring});
	expect_closed(client.fd);
	client.fd = -1;
	close_client(&client);
	expect_agent_alive();
}

TEST(a_bell_without_a_ring)
{
	int fd;

	start_agent();
	fd = raw_hello(NULL);
	send_header(fd, (struct wire_frame_header){.opcode = WIRE_OPCODE_doorbell});
	expect_closed(fd);
	expect_agent_alive();
}

/* A full reply ring: what does not fit takes the socket. */
TEST(replies_are_not_taken)
{
	struct client client;
	struct reply reply;

	start_agent();
	client = open_client();
	atomic_store(&client.ring.area->replies.consumed, 1); /* claims more than there was */
	ASSERT_TRUE(ask_by_ring(&client, 7));
	do
		ASSERT_TRUE(receive(client.fd, &reply));
	while (reply.header.opcode == WIRE_OPCODE_doorbell);
	EXPECT_EQ(reply.header.request_id, 7);
	/* A client that was awake has been told not to nap. */
	EXPECT_EQ(atomic_load(&client.ring.area->replies.detours), 1);
	EXPECT_FALSE(wire_ring_nap(&client.ring.replies, INT64_MAX));
	close_client(&client);
	expect_agent_alive();
}

struct scribbler {
	struct client *client;
	atomic_bool stop;
	uint64_t seed;
};

static uint64_t random_of(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Races with its own process on purpose. */
__attribute__((no_sanitize("thread"))) static void *scribble(void *argument)
{
	struct scribbler *scribbler = argument;
	uint8_t *area = (uint8_t *)scribbler->client->ring.area;

	while (!atomic_load_explicit(&scribbler->stop, memory_order_relaxed)) {
		uint64_t random = random_of(&scribbler->seed);

		/* Mostly where the positions and the next frames are. */
		area[random & 1 ? random >> 1 & 0xff : 4096 + (random >> 1 & 0x3ff)] =
			(uint8_t)(random >> 32);
	}
	return NULL;
}

/* While its thread writes anywhere in the area, a client asks and asks; an honest one is served
 * beside it. */
TEST_TIMEOUT(scribbled_while_it_is_read, 120)
{
	struct client honest;
	unsigned int ended = 0;

	start_agent();
	honest = open_client();
	/* Goes on until some of it was noticed; none in the test's time is a failure. */
	for (uint32_t round = 0; round < 300 || ended == 0; round++) {
		struct client client = open_client();
		struct scribbler scribbler = {&client, false, 0x9e3779b97f4a7c15ull + round};
		pthread_t thread;

		ASSERT_EQ(pthread_create(&thread, NULL, scribble, &scribbler), 0);
		for (uint32_t i = 0; i < 40; i++) {
			struct wire_frame_header bell = {.opcode = WIRE_OPCODE_doorbell};
			uint8_t octets[WIRE_FRAME_HEADER_LEN];
			struct wire_buffer frames = frames_new();

			ask_slots(&frames, i);
			wire_ring_put(&client.ring.requests,
			              (struct wire_bytes){frames.data, frames.len},
			              (struct wire_bytes){NULL, 0});
			wire_buffer_free(&frames);
			wire_frame_store(octets, &bell);
			if (send(client.fd, octets, sizeof(octets), MSG_NOSIGNAL | MSG_DONTWAIT) <
			    0) {
				ended++;
				break;
			}
		}
		atomic_store(&scribbler.stop, true);
		pthread_join(thread, NULL);
		close_client(&client);
		ASSERT_TRUE(ask_by_ring(&honest, round));
		expect_by_ring(&honest, round);
	}
	close_client(&honest);
	expect_agent_alive();
	expect_descriptors(64);
}

/* Asks `calls` times from a processor that it makes up. */
static void ask_from(struct client *client, uint32_t processor, uint32_t calls)
{
	atomic_store(&client->ring.area->processor, processor);
	for (uint32_t i = 0; i < calls; i++) {
		ASSERT_TRUE(ask_by_ring(client, i));
		expect_by_ring(client, i);
	}
}

/* Whatever processor a client claims to run on, and when it asks by the socket or goes away while
 * it is handed from loop to loop. */
TEST_TIMEOUT(sent_from_loop_to_loop, 120)
{
	struct client clients[8];
	uint64_t seed = 0x9e3779b97f4a7c15;

	start_agent();
	for (int i = 0; i < 8; i++)
		clients[i] = open_client();
	for (uint32_t round = 0; round < 4000; round++) {
		struct client *client = &clients[random_of(&seed) % 8];
		uint64_t random = random_of(&seed);

		for (int i = 0; i < 8; i++)
			ring_bell(&clients[i]); /* awake, so that there is a crowd */
		ask_from(client, random & 1 ? round / 8 % 2 : (uint32_t)(random >> 8), 34);
		if (random >> 1 & 1) {
			ASSERT_TRUE(ask_by_ring(client, 1000));
			ring_bell(client);
			ask_by_socket(client, 1001);
		}
		if (random >> 2 & 1) {
			close_client(client);
			*client = open_client();
		} else if (random >> 1 & 1) {
			expect_by_socket(client, 1001);
			expect_by_ring(client, 1000);
		}
	}
	for (int i = 0; i < 8; i++)
		close_client(&clients[i]);
	expect_agent_alive();
	expect_descriptors(64);
}

/* Everybody sees the epoch, nobody but the agent changes it. */
TEST(the_epoch_is_read_only)
{
	struct client client;
	uint64_t before;

	api_start();
	client = open_client();
	before = atomic_load(&client.ring.epoch->value);
	EXPECT_GT(before, 0);
	EXPECT_EQ(write(client.fds[1], &before, sizeof(before)), -1);
	EXPECT_EQ(ftruncate(client.fds[1], 0), -1);
	EXPECT_TRUE(mmap(NULL, WIRE_EPOCH_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, client.fds[1],
	                 0) == MAP_FAILED);
	close_client(&client);
}

HARNESS_MAIN
