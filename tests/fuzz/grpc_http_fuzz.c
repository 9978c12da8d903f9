/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: HTTP/2 as cratond gets it out of TLS. The first octet chooses the agent's answers
 * and how the rest is cut; the preface is there already.
 *
 * FUZZ_SOURCES: @grpc
 * FUZZ_LIBS: -lnghttp2 -lprotobuf-c -lssl -luring -ljansson -lpthread
 */
#include "fuzz/grpc_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len);

static void receive(struct wire_bytes octets, size_t piece)
{
	while (octets.len) {
		size_t now = piece < octets.len ? piece : octets.len;

		if (!http_receive(&fixture.client, (struct wire_bytes){octets.data, now}))
			return;
		fixture_run();
		octets.data += now;
		octets.len -= now;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

	if (!data_len)
		return -1;
	fixture_open();
	fixture.answer = data[0];
	receive((struct wire_bytes){(const uint8_t *)preface, sizeof(preface) - 1}, SIZE_MAX);
	receive((struct wire_bytes){data + 1, data_len - 1},
	        data[0] % 4 ? SIZE_MAX : 1 + data[0] / 4);
	fixture_close();
	return 0;
}
