/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: a stream of frames that arrives in pieces, taken apart as a connection would:
 * header, limit, whole body, next frame. The first octet sets the size of the pieces. A header must
 * survive being written again, and a buffer must hold exactly what was put in and not yet consumed.
 */
#include "fuzz/wire_messages.h"

#include <stdlib.h>
#include <string.h>

#define STREAM_LIMIT (WIRE_CONTROL_LIMIT + WIRE_FRAME_HEADER_LEN)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_header(const struct wire_frame_header *header, const uint8_t *octets)
{
	struct wire_buffer again;

	wire_buffer_init(&again, WIRE_FRAME_HEADER_LEN, NULL);
	require(wire_frame_begin(&again, header) == 0 && !again.failed);
	require(again.len == WIRE_FRAME_HEADER_LEN && !memcmp(again.data + 4, octets + 4, 12));
	wire_frame_finish(&again, 0);
	require(!again.failed && !again.data[0] && !again.data[3]);
	wire_buffer_free(&again);
}

/* Takes one frame off the buffer. False when it is not whole; *broken when it never can be. */
static bool take_frame(struct wire_buffer *buffer, bool *broken)
{
	struct wire_frame_header header;
	const struct message_row *row;

	if (buffer->len < WIRE_FRAME_HEADER_LEN)
		return false;
	wire_frame_parse(&header, buffer->data);
	check_header(&header, buffer->data);
	row = message_row_find(header.opcode, header.flags & WIRE_FRAME_REPLY);
	require((wire_frame_limit(header.opcode) != 0) == (row != NULL));
	*broken = !row || header.body_len > wire_frame_limit(header.opcode) ||
	          header.body_len > STREAM_LIMIT - WIRE_FRAME_HEADER_LEN;
	if (*broken || buffer->len - WIRE_FRAME_HEADER_LEN < header.body_len)
		return false;
	require(message_recode(row, (struct wire_bytes){buffer->data + WIRE_FRAME_HEADER_LEN,
	                                                header.body_len}) != RECODING_DIFFERENT);
	wire_buffer_consume(buffer, WIRE_FRAME_HEADER_LEN + header.body_len);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len)
{
	struct wire_buffer buffer;
	bool broken = false;
	size_t piece, rest;

	if (!data_len)
		return -1;
	piece = 1 + (size_t)*data++;
	wire_buffer_init(&buffer, STREAM_LIMIT, NULL);
	for (rest = data_len - 1; rest && !broken; rest -= piece, data += piece) {
		if (piece > rest)
			piece = rest;
		wire_put_raw(&buffer, data, piece);
		if (buffer.failed)
			break;
		while (take_frame(&buffer, &broken))
			;
		require(!memcmp(buffer.data + buffer.len -
		                        (piece < buffer.len ? piece : buffer.len),
		                data + piece - (piece < buffer.len ? piece : buffer.len),
		                piece < buffer.len ? piece : buffer.len));
	}
	wire_buffer_free(&buffer);
	return 0;
}
