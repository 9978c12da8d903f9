/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests of the protocol share: an agent, raw sockets to it, frames made by hand, and what
 * /proc says of the agent.
 */
#ifndef TESTS_API_PROTOCOL_H
#define TESTS_API_PROTOCOL_H

#include "api.h"

#include "wire/codec.h"

#define WAIT_MS 10000

/* What the agent may keep of clients that have gone. AddressSanitizer holds freed memory back. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEPT_KIB   32768
#define GROWTH_KIB 32768
#else
#define KEPT_KIB   1536
#define GROWTH_KIB 64
#endif

struct reply {
	struct wire_frame_header header;
	uint8_t body[4096];
};

/* ---- sockets ---- */

static inline int raw_connect(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ASSERT_GE(fd, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", api_path("pkcs11.sock"));
	ASSERT_EQ(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static inline void send_octets(int fd, const void *octets, size_t len)
{
	ASSERT_EQ(send(fd, octets, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Reads exactly `len` octets, or false when the agent closed first. */
static inline bool receive_octets(int fd, void *octets, size_t len)
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

static inline bool receive(int fd, struct reply *reply)
{
	uint8_t header[WIRE_FRAME_HEADER_LEN];

	if (!receive_octets(fd, header, sizeof(header)))
		return false;
	wire_frame_parse(&reply->header, header);
	ASSERT_EQ(reply->header.flags, WIRE_FRAME_REPLY);
	ASSERT_LE(reply->header.body_len, sizeof(reply->body));
	return receive_octets(fd, reply->body, reply->header.body_len);
}

/* A doorbell may come late, after its sleeper has found the reply by itself. */
static inline void expect_reply(int fd, uint32_t id, CK_RV status)
{
	struct reply reply;

	do {
		ASSERT_TRUE(receive(fd, &reply));
	} while (reply.header.opcode == WIRE_OPCODE_doorbell && !reply.header.request_id);
	ASSERT_EQ(reply.header.request_id, id);
	ASSERT_EQ(reply.header.status, status);
}

/* The agent closes: at once, that is without a deadline of its own. Replies before that are
 * skipped. */
static inline void expect_closed(int fd)
{
	uint8_t octets[4096];

	while (receive_octets(fd, octets, 1))
		;
	close(fd);
}

/* Nothing comes, nothing ends, for a moment. */
static inline void expect_silence(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	ASSERT_EQ(poll(&poll_fd, 1, 20), 0);
}

/* ---- frames ---- */

static inline struct wire_buffer frames_new(void)
{
	struct wire_buffer frames;

	wire_buffer_init(&frames, 1u << 24, NULL);
	return frames;
}

static inline void put_header(struct wire_buffer *frames, struct wire_frame_header header)
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

static inline void put_hello(struct wire_buffer *frames, uint32_t id, uint32_t version,
                             struct wire_bytes ticket)
{
	PUT_FRAME(frames, id, hello, .version = version, .features = WIRE_FEATURES,
	          .ticket = ticket);
}

static inline void send_frames(int fd, struct wire_buffer *frames)
{
	send_octets(fd, frames->data, frames->len);
	wire_buffer_free(frames);
}

static inline void send_header(int fd, struct wire_frame_header header)
{
	struct wire_buffer frames = frames_new();

	put_header(&frames, header);
	send_frames(fd, &frames);
}

static inline void send_hello(int fd, uint32_t version, struct wire_bytes ticket)
{
	struct wire_buffer frames = frames_new();

	put_hello(&frames, 1, version, ticket);
	send_frames(fd, &frames);
}

/* A connection that has said hello; its ticket in `ticket` unless that is NULL. */
static inline int raw_hello(uint8_t ticket[WIRE_TICKET_LEN])
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

static inline void ask_slots(struct wire_buffer *frames, uint32_t id)
{
	PUT_FRAME(frames, id, get_slot_list, .token_present = false);
}

/* Asks and is answered: the connection works. */
static inline void expect_works(int fd)
{
	struct wire_buffer frames = frames_new();

	ask_slots(&frames, 4711);
	send_frames(fd, &frames);
	expect_reply(fd, 4711, CKR_OK);
}

static inline void expect_agent_alive(void)
{
	int fd = raw_hello(NULL);

	expect_works(fd);
	close(fd);
	ASSERT_EQ(waitpid(api_agent, NULL, WNOHANG), 0);
}

static inline void start_agent(void)
{
	api_configure("", "", "");
	api_launch();
}

/* ---- what /proc says of the agent ---- */

static inline long agent_status(const char *key)
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
static inline unsigned long agent_ticks(void)
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

static inline unsigned int agent_descriptors(void)
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
static inline void expect_descriptors(unsigned int wanted)
{
	time_t deadline = time(NULL) + DEADLINE_S;

	while (agent_descriptors() > wanted && time(NULL) < deadline)
		api_pause();
	EXPECT_LE(agent_descriptors(), wanted);
}

/* Hello and a request, as octets. */
static inline struct wire_buffer two_frames(void)
{
	struct wire_buffer frames = frames_new();

	put_hello(&frames, 1, WIRE_VERSION, (struct wire_bytes){0});
	ask_slots(&frames, 2);
	return frames;
}

#endif
