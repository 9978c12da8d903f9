/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frame headers: writing, closing and reading them, and how large a body an opcode may have. What a
 * body holds is codec.c's business, and what to do with a bad header the connection's.
 */
#include "wire/frame.h"

static void store(uint8_t *octets, uint32_t value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		octets[i] = (uint8_t)(value >> (8 * i));
}

size_t wire_frame_begin(struct wire_buffer *buffer, const struct wire_frame_header *header)
{
	size_t offset = buffer->len;

	wire_put_u32(buffer, 0);
	wire_put_u32(buffer, header->request_id);
	wire_put_u16(buffer, header->opcode);
	wire_put_u16(buffer, header->flags);
	wire_put_u32(buffer, header->status);
	return offset;
}

void wire_frame_finish(struct wire_buffer *buffer, size_t offset)
{
	size_t body_len;

	if (buffer->failed)
		return;
	body_len = buffer->len - offset - WIRE_FRAME_HEADER_LEN;
	if (body_len > WIRE_BULK_LIMIT) {
		buffer->failed = true;
		return;
	}
	store(buffer->data + offset, (uint32_t)body_len, 4);
}

void wire_frame_store(uint8_t *octets, const struct wire_frame_header *header)
{
	store(octets, header->body_len, 4);
	store(octets + 4, header->request_id, 4);
	store(octets + 8, header->opcode, 2);
	store(octets + 10, header->flags, 2);
	store(octets + 12, header->status, 4);
}

void wire_frame_parse(struct wire_frame_header *header, const uint8_t *octets)
{
	struct wire_reader reader;

	wire_reader_init(&reader, (struct wire_bytes){octets, WIRE_FRAME_HEADER_LEN});
	header->body_len = wire_get_u32(&reader);
	header->request_id = wire_get_u32(&reader);
	header->opcode = wire_get_u16(&reader);
	header->flags = wire_get_u16(&reader);
	header->status = wire_get_u32(&reader);
}

size_t wire_frame_limit(uint16_t opcode)
{
	switch (opcode) {
#define MESSAGE(number, name, function, limit)                                                     \
	case number:                                                                               \
		return WIRE_##limit##_LIMIT;
#define REQUEST_FIELD(kind, name, text)
#define REPLY_FIELD(kind, name, text)
#define END_MESSAGE
#include "wire/message.def"
#undef MESSAGE
#undef REQUEST_FIELD
#undef REPLY_FIELD
#undef END_MESSAGE
	default:
		return 0;
	}
}
