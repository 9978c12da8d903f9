/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: gRPC's framing and each request message. The first octet chooses the method, the
 * second the agent's answers and how the stream is cut into pieces; the rest is the stream, so that
 * its prefixes and messages are the fuzzer's.
 *
 * FUZZ_SOURCES: @grpc
 * FUZZ_LIBS: -lnghttp2 -lprotobuf-c -lssl -luring -ljansson -lpthread
 */
#include "fuzz/grpc_fixture.h"

#include "grpc/method.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len);

#define FLAG_END_STREAM  1u
#define FLAG_END_HEADERS 4u
#define PIECE_MAX        16000u

static void put_frame(struct wire_buffer *octets, uint8_t kind, uint8_t flags, uint32_t stream,
                      struct wire_bytes payload)
{
	const uint8_t head[] = {(uint8_t)(payload.len >> 16),
	                        (uint8_t)(payload.len >> 8),
	                        (uint8_t)payload.len,
	                        kind,
	                        flags,
	                        0,
	                        0,
	                        0,
	                        (uint8_t)stream};

	wire_put_raw(octets, head, sizeof(head));
	wire_put_raw(octets, payload.data, payload.len);
}

static void put_header(struct wire_buffer *block, const char *name, const char *value)
{
	wire_put_u8(block, 0);
	wire_put_u8(block, (uint8_t)strlen(name));
	wire_put_raw(block, name, strlen(name));
	wire_put_u8(block, (uint8_t)strlen(value));
	wire_put_raw(block, value, strlen(value));
}

static void put_request(struct wire_buffer *octets, const struct method *method, uint32_t stream)
{
	struct wire_buffer block;

	wire_buffer_init(&block, 4096, NULL);
	wire_put_raw(&block, "\x83\x87", 2);
	put_header(&block, ":path", method->path);
	put_header(&block, ":authority", "localhost");
	put_header(&block, "content-type", "application/grpc");
	put_header(&block, "te", "trailers");
	put_frame(octets, 1, FLAG_END_HEADERS, stream, (struct wire_bytes){block.data, block.len});
	wire_buffer_free(&block);
}

static void receive(struct wire_buffer *octets)
{
	if (http_receive(&fixture.client, (struct wire_bytes){octets->data, octets->len}))
		fixture_run();
	wire_buffer_reset(octets, 4096);
}

static void put_stream(struct wire_buffer *octets, struct wire_bytes data, size_t piece,
                       uint32_t stream)
{
	do {
		size_t now = piece < data.len ? piece : data.len;

		put_frame(octets, 0, now == data.len ? FLAG_END_STREAM : 0, stream,
		          (struct wire_bytes){data.data, now});
		receive(octets);
		data.data += now;
		data.len -= now;
	} while (data.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	static const uint8_t session_request[] = {0, 0, 0, 0, 2, 0x10, 1};
	struct wire_buffer octets;

	if (data_len < 2)
		return -1;
	fixture_open();
	fixture.answer = 1;
	wire_buffer_init(&octets, 1 << 20, NULL);
	wire_put_raw(&octets, preface, sizeof(preface) - 1);
	put_frame(&octets, 4, 0, 0, (struct wire_bytes){0});
	/* Session 2, which the call may name. */
	put_request(&octets, &methods[0], 1);
	put_stream(&octets, (struct wire_bytes){session_request, sizeof(session_request)}, SIZE_MAX,
	           1);
	fixture.answer = data[1];
	put_request(&octets, &methods[data[0] % method_count], 3);
	put_stream(&octets, (struct wire_bytes){data + 2, data_len - 2},
	           data[1] % 4 ? PIECE_MAX : 1u + data[1] / 4, 3);
	wire_buffer_free(&octets);
	fixture_close();
	return 0;
}
