/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client sees of HTTP/2: nghttp2's own client against cratond on the fixture of the fuzz
 * targets. Headers are exactly those that are needed, and messages of every size arrive whole.
 */
#include "harness.h"

#include "fuzz/grpc_fixture.h"

#define BODY_MAX (1u << 20)

/* What came on the one stream. */
static struct {
	char headers[1024]; /* "name=value\n"... */
	uint8_t *body;
	size_t body_len;
	bool closed;
	uint32_t error;
} seen;

static struct wire_bytes upload; /* what is left of the request's body */

static int on_header(nghttp2_session *http, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *context)
{
	size_t at = strlen(seen.headers);

	(void)http;
	(void)frame;
	(void)flags;
	(void)context;
	snprintf(seen.headers + at, sizeof(seen.headers) - at, "%.*s=%.*s\n", (int)name_len, name,
	         (int)value_len, value);
	return 0;
}

static int on_data(nghttp2_session *http, uint8_t flags, int32_t stream_id, const uint8_t *octets,
                   size_t len, void *context)
{
	(void)http;
	(void)flags;
	(void)stream_id;
	(void)context;
	ASSERT_LE(len, BODY_MAX - seen.body_len);
	memcpy(seen.body + seen.body_len, octets, len);
	seen.body_len += len;
	return 0;
}

static int on_close(nghttp2_session *http, int32_t stream_id, uint32_t error, void *context)
{
	(void)http;
	(void)stream_id;
	(void)context;
	seen.closed = true;
	seen.error = error;
	return 0;
}

static ssize_t read_upload(nghttp2_session *http, int32_t stream_id, uint8_t *octets, size_t room,
                           uint32_t *flags, nghttp2_data_source *source, void *context)
{
	size_t len = upload.len < room ? upload.len : room;

	(void)http;
	(void)stream_id;
	(void)source;
	(void)context;
	memcpy(octets, upload.data, len);
	upload.data += len;
	upload.len -= len;
	if (!upload.len)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)len;
}

static nghttp2_session *open_http(void)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_session *http;

	fixture_open();
	memset(&seen, 0, sizeof(seen));
	seen.body = calloc(1, BODY_MAX);
	ASSERT_EQ(nghttp2_session_callbacks_new(&callbacks), 0);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	ASSERT_EQ(nghttp2_session_client_new(&http, callbacks, NULL), 0);
	nghttp2_session_callbacks_del(callbacks);
	ASSERT_EQ(nghttp2_submit_settings(http, 0, NULL, 0), 0);
	return http;
}

static void close_http(nghttp2_session *http)
{
	nghttp2_session_del(http);
	fixture_close();
	free(seen.body);
}

static void ask(nghttp2_session *http, const char *path, struct wire_bytes body)
{
#define PAIR(name, value)                                                                          \
	{                                                                                          \
		(uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), strlen(name),         \
			strlen(value), 0                                                           \
	}
	const nghttp2_nv pairs[] = {
		PAIR(":method", "POST"), PAIR(":scheme", "https"),
		PAIR(":path", path),     PAIR(":authority", "localhost"),
		PAIR("te", "trailers"),  PAIR("content-type", "application/grpc"),
	};
#undef PAIR
	nghttp2_data_provider provider = {.read_callback = read_upload};

	upload = body;
	ASSERT_EQ(nghttp2_submit_request(http, NULL, pairs, sizeof(pairs) / sizeof(pairs[0]),
	                                 &provider, NULL),
	          1);
}

/* Octets to and fro, until nothing moves; without the agent. */
static void exchange(nghttp2_session *http)
{
	static uint8_t octets[HTTP_ROOM_MIN];
	const uint8_t *sent;
	ssize_t len;
	bool moved;

	do {
		moved = false;
		while ((len = nghttp2_session_mem_send(http, &sent)) > 0) {
			ASSERT_TRUE(http_receive(&fixture.client,
			                         (struct wire_bytes){sent, (size_t)len}));
			moved = true;
		}
		client_run_waiting(&fixture.client);
		while ((len = (ssize_t)http_send(&fixture.client, octets, sizeof(octets))) > 0) {
			ASSERT_EQ(nghttp2_session_mem_recv(http, octets, (size_t)len), len);
			moved = true;
		}
	} while (moved);
}

/* The agent's one answer: random octets of this length, each its place. */
static void answer_random(size_t len)
{
	struct wire_frame_header header;
	struct wire_generate_random_reply reply;
	struct wire_buffer frame;
	uint8_t *random = malloc(len + 1);
	size_t place;

	for (size_t i = 0; i < len; i++)
		random[i] = (uint8_t)(i * 7 + i / 256);
	ASSERT_GE(fixture.client.link.out.len, WIRE_FRAME_HEADER_LEN);
	wire_frame_parse(&header, fixture.client.link.out.data);
	ASSERT_EQ(header.opcode, WIRE_OPCODE_generate_random);
	wire_buffer_reset(&fixture.client.link.out, 0);
	header.flags = WIRE_FRAME_REPLY;
	reply.random = (struct wire_bytes){random, len};
	wire_buffer_init(&frame, WIRE_BULK_LIMIT, NULL);
	place = wire_frame_begin(&frame, &header);
	wire_encode_generate_random_reply(&frame, &reply);
	wire_frame_finish(&frame, place);
	ASSERT_TRUE(link_take(&fixture.client.link, (struct wire_bytes){frame.data, frame.len}));
	wire_buffer_free(&frame);
	free(random);
}

#define RANDOM_PATH "/craton_hsm.HsmService/GenerateRandom"

/* session = 1, length = 3 */
static const uint8_t random_request[] = {0, 0, 0, 0, 4, 0x08, 1, 0x18, 3};

TEST(headers_of_a_success)
{
	nghttp2_session *http = open_http();

	ASSERT_NOT_NULL(sessions_add(&fixture.client.sessions, 1, 0, false));
	ask(http, RANDOM_PATH, (struct wire_bytes){random_request, sizeof(random_request)});
	exchange(http);
	answer_random(3);
	exchange(http);
	ASSERT_TRUE(seen.closed);
	ASSERT_EQ(seen.error, NGHTTP2_NO_ERROR);
	ASSERT_STREQ(seen.headers, ":status=200\ncontent-type=application/grpc\ngrpc-status=0\n");
	close_http(http);
}

/* Who compresses is told what is taken instead. */
TEST(headers_of_a_refused_compression)
{
	static const uint8_t body[] = {1, 0, 0, 0, 1, 'x'};
	nghttp2_session *http = open_http();

	ask(http, RANDOM_PATH, (struct wire_bytes){body, sizeof(body)});
	exchange(http);
	ASSERT_TRUE(seen.closed);
	ASSERT_STREQ(seen.headers, ":status=200\ncontent-type=application/grpc\n"
	                           "grpc-accept-encoding=identity\ngrpc-status=12\n"
	                           "grpc-message=compressed messages are not taken\n");
	close_http(http);
}

/* Around the length of a frame, of a record, and of a window. */
TEST(messages_of_every_size)
{
	static const size_t edges[] = {0, 1, 9, 4096, 8192, 16350, 16384, 32750, 65000};

	for (size_t edge = 0; edge < sizeof(edges) / sizeof(edges[0]); edge++) {
		for (size_t more = 0; more < 40; more++) {
			nghttp2_session *http = open_http();
			size_t len = edges[edge] + more;

			ASSERT_NOT_NULL(sessions_add(&fixture.client.sessions, 1, 0, false));
			ask(http, RANDOM_PATH,
			    (struct wire_bytes){random_request, sizeof(random_request)});
			exchange(http);
			answer_random(len);
			exchange(http);
			ASSERT_TRUE(seen.closed);
			ASSERT_GE(seen.body_len, len);
			for (size_t i = 0; i < len; i++)
				ASSERT_EQ(seen.body[seen.body_len - len + i],
				          (uint8_t)(i * 7 + i / 256));
			close_http(http);
		}
	}
}

/* A stream that ends while a frame of it waits for room takes no other with it. */
TEST(reset_in_the_middle_of_a_message)
{
	nghttp2_session *http = open_http();
	static uint8_t octets[HTTP_ROOM_MIN];
	size_t len;

	ASSERT_NOT_NULL(sessions_add(&fixture.client.sessions, 1, 0, false));
	ask(http, RANDOM_PATH, (struct wire_bytes){random_request, sizeof(random_request)});
	exchange(http);
	answer_random(60000);
	len = http_send(&fixture.client, octets, sizeof(octets));
	ASSERT_GT(len, 0u);
	ASSERT_EQ(nghttp2_session_mem_recv(http, octets, len), (ssize_t)len);
	ASSERT_EQ(nghttp2_submit_rst_stream(http, 0, 1, NGHTTP2_CANCEL), 0);
	exchange(http);
	ASSERT_TRUE(seen.closed);
	ASSERT_EQ(fixture.client.rpc_count, 0u);
	ASSERT_EQ(nghttp2_submit_ping(http, 0, NULL), 0);
	exchange(http);
	ASSERT_NE(nghttp2_session_want_read(http), 0);
	close_http(http);
}

HARNESS_MAIN
