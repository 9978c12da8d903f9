/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request headers are a table of names; all others are ignored, as gRPC wants it. Replies have few,
 * and always the same, so that HPACK makes some octets of them.
 */
#include "grpc/header.h"

#include <stdio.h>
#include <string.h>

#include "grpc/client.h"
#include "grpc/method.h"

#define TIMEOUT_DIGITS 8u
#define TIMEOUT_MAX_NS 1000000000000000000ull
#define ESCAPED_LEN    (3 * STATUS_MESSAGE_LEN)

static bool is(struct wire_bytes octets, const char *text, size_t text_len)
{
	return octets.len == text_len && memcmp(octets.data, text, text_len) == 0;
}

#define IS(octets, literal) is(octets, literal, sizeof(literal) - 1)

static bool begins(struct wire_bytes octets, const char *text)
{
	size_t len = strlen(text);

	return octets.len >= len && memcmp(octets.data, text, len) == 0;
}

/* ---- requests ---- */

bool header_parse_timeout(struct wire_bytes value, uint64_t *ns)
{
	static const struct {
		char letter;
		uint64_t ns;
	} units[] = {{'H', 3600000000000ull}, {'M', 60000000000ull}, {'S', 1000000000ull},
	             {'m', 1000000ull},       {'u', 1000ull},        {'n', 1ull}};
	uint64_t number = 0;

	if (value.len < 2 || value.len > TIMEOUT_DIGITS + 1)
		return false;
	for (size_t i = 0; i < value.len - 1; i++) {
		if (value.data[i] < '0' || value.data[i] > '9')
			return false;
		number = number * 10 + (value.data[i] - '0');
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (value.data[value.len - 1] != units[i].letter)
			continue;
		*ns = number > TIMEOUT_MAX_NS / units[i].ns ? TIMEOUT_MAX_NS : number * units[i].ns;
		return true;
	}
	return false;
}

static void take_path(struct rpc *rpc, struct wire_bytes value)
{
	rpc->method = method_find((const char *)value.data, value.len);
}

static void take_type(struct rpc *rpc, struct wire_bytes value)
{
	rpc->bad_type = !begins(value, "application/grpc") || begins(value, "application/grpc-web");
}

static void take_encoding(struct rpc *rpc, struct wire_bytes value)
{
	rpc->bad_encoding = !IS(value, "identity");
}

static void take_method(struct rpc *rpc, struct wire_bytes value)
{
	if (!IS(value, "POST"))
		rpc->bad_type = true;
}

static void take_timeout(struct rpc *rpc, struct wire_bytes value)
{
	struct loop *loop = rpc->client->loop;
	uint64_t ns;

	if (rpc->deadline_ns)
		return;
	if (!header_parse_timeout(value, &ns)) {
		rpc_fail(rpc, GRPC_INVALID_ARGUMENT, "grpc-timeout is not of its form");
		return;
	}
	rpc->deadline_ns = loop->now_ns + ns + 1;
	front_count_deadline(loop, true);
}

void header_take(struct rpc *rpc, struct wire_bytes name, struct wire_bytes value)
{
	static const struct {
		const char *name;
		size_t name_len;
		void (*take)(struct rpc *rpc, struct wire_bytes value);
	} rows[] = {
#define ROW(name, take) {name, sizeof(name) - 1, take}
		ROW(":path", take_path),           ROW(":method", take_method),
		ROW("content-type", take_type),    ROW("grpc-encoding", take_encoding),
		ROW("grpc-timeout", take_timeout),
#undef ROW
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (is(name, rows[i].name, rows[i].name_len)) {
			rows[i].take(rpc, value);
			return;
		}
	}
}

/* ---- replies ---- */

/* A pair of the text of a status, which nghttp2 copies. */
#define PAIR(name, value)                                                                          \
	{                                                                                          \
		(uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), strlen(name),         \
			strlen(value), NGHTTP2_NV_FLAG_NO_COPY_NAME                                \
	}
/* One of two literals, of which it keeps the address. */
#define FIXED_PAIR(name, value)                                                                    \
	{                                                                                          \
		(uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), sizeof(name) - 1,     \
			sizeof(value) - 1,                                                         \
			NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE               \
	}

#define RESPONSE_HEADERS                                                                           \
	FIXED_PAIR(":status", "200"), FIXED_PAIR("content-type", "application/grpc")
#define RESPONSE_COUNT 2u
#define TRAILER_MAX    4u

/* Percent-encoding, for what is not printable. */
static void escape(const char *text, char *escaped, size_t escaped_len)
{
	size_t at = 0;

	for (; *text && at + 4 < escaped_len; text++) {
		unsigned char octet = (unsigned char)*text;

		if (octet >= 0x20 && octet < 0x7f && octet != '%')
			escaped[at++] = *text;
		else
			at += (size_t)snprintf(escaped + at, escaped_len - at, "%%%02X", octet);
	}
	escaped[at] = '\0';
}

struct trailer {
	char status[8], ckr[24];
	char message[ESCAPED_LEN], details[STATUS_DETAILS_LEN];
};

/* The pairs point into `text`. */
static size_t fill_failure(struct rpc *rpc, struct trailer *text, nghttp2_nv pairs[TRAILER_MAX])
{
	char message[STATUS_MESSAGE_LEN];
	size_t count = 0;

	snprintf(text->status, sizeof(text->status), "%d", (int)rpc->status);
	pairs[count++] = (nghttp2_nv)PAIR("grpc-status", text->status);
	if (rpc->text)
		snprintf(message, sizeof(message), "%s", rpc->text);
	else
		status_message(rpc->ckr, message);
	escape(message, text->message, sizeof(text->message));
	pairs[count++] = (nghttp2_nv)PAIR("grpc-message", text->message);
	if (rpc->text)
		return count;
	snprintf(text->ckr, sizeof(text->ckr), "%llu", (unsigned long long)rpc->ckr);
	pairs[count++] = (nghttp2_nv)PAIR("craton-ckr", text->ckr);
	if (status_details(rpc->ckr, text->details))
		pairs[count++] = (nghttp2_nv)PAIR("grpc-status-details-bin", text->details);
	return count;
}

int header_submit_response(nghttp2_session *http, struct rpc *rpc, nghttp2_data_provider *provider)
{
	static const nghttp2_nv pairs[] = {RESPONSE_HEADERS};

	return nghttp2_submit_response(http, rpc->stream_id, pairs, RESPONSE_COUNT, provider);
}

static int submit_failure_trailer(nghttp2_session *http, struct rpc *rpc)
{
	nghttp2_nv pairs[TRAILER_MAX];
	struct trailer text;
	size_t count = fill_failure(rpc, &text, pairs);

	return nghttp2_submit_trailer(http, rpc->stream_id, pairs, count);
}

int header_submit_trailer(nghttp2_session *http, struct rpc *rpc)
{
	static const nghttp2_nv success = FIXED_PAIR("grpc-status", "0");

	_Static_assert(GRPC_OK == 0, "as it is written");
	if (rpc->status != GRPC_OK)
		return submit_failure_trailer(http, rpc);
	return nghttp2_submit_trailer(http, rpc->stream_id, &success, 1);
}

/* Who sent a compressed message is told what is taken. */
int header_submit_failure(nghttp2_session *http, struct rpc *rpc)
{
	nghttp2_nv pairs[RESPONSE_COUNT + 1 + TRAILER_MAX] = {
		RESPONSE_HEADERS, FIXED_PAIR("grpc-accept-encoding", "identity")};
	size_t count = RESPONSE_COUNT + 1;
	struct trailer text;

	count += fill_failure(rpc, &text, pairs + count);
	return nghttp2_submit_response(http, rpc->stream_id, pairs, count, NULL);
}
