/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader is a small state machine that can be fed in pieces of any size. Nothing is allocated
 * for a message before octets of it have come.
 */
#include "grpc/message.h"

#include <string.h>

static enum message_result judge_prefix(struct message_reader *reader, size_t limit)
{
	const uint8_t *prefix = reader->prefix;

	if (prefix[0])
		return MESSAGE_COMPRESSED;
	reader->wanted_len = (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 |
	                     (size_t)prefix[3] << 8 | prefix[4];
	if (reader->wanted_len > limit)
		return MESSAGE_TOO_LARGE;
	reader->message.limit = reader->wanted_len;
	return MESSAGE_PARTIAL;
}

static size_t take_prefix(struct message_reader *reader, struct wire_bytes octets)
{
	size_t missing = MESSAGE_PREFIX_LEN - reader->prefix_len;
	size_t now = missing < octets.len ? missing : octets.len;

	if (now)
		memcpy(reader->prefix + reader->prefix_len, octets.data, now);
	reader->prefix_len += now;
	return now;
}

enum message_result message_reader_take(struct message_reader *reader, struct wire_bytes octets,
                                        size_t limit, size_t *taken)
{
	enum message_result result = MESSAGE_PARTIAL;
	size_t missing;

	*taken = 0;
	if (reader->prefix_len < MESSAGE_PREFIX_LEN) {
		*taken = take_prefix(reader, octets);
		if (reader->prefix_len < MESSAGE_PREFIX_LEN)
			return MESSAGE_PARTIAL;
		result = judge_prefix(reader, limit);
		if (result != MESSAGE_PARTIAL)
			return result;
	}
	missing = reader->wanted_len - reader->message.len;
	if (missing > octets.len - *taken)
		missing = octets.len - *taken;
	if (missing)
		wire_put_raw(&reader->message, octets.data + *taken, missing);
	*taken += missing;
	if (reader->message.failed)
		return MESSAGE_NO_MEMORY;
	return reader->message.len == reader->wanted_len ? MESSAGE_WHOLE : MESSAGE_PARTIAL;
}

bool message_reader_is_partial(const struct message_reader *reader)
{
	return reader->prefix_len > 0;
}

void message_reader_reset(struct message_reader *reader, size_t keep_len)
{
	wire_buffer_reset(&reader->message, keep_len);
	reader->prefix_len = 0;
	reader->wanted_len = 0;
}

void message_put_prefix(uint8_t *octets, size_t message_len)
{
	octets[0] = 0;
	octets[1] = (uint8_t)(message_len >> 24);
	octets[2] = (uint8_t)(message_len >> 16);
	octets[3] = (uint8_t)(message_len >> 8);
	octets[4] = (uint8_t)message_len;
}
