/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frame headers: writing, closing and reading them, and how large a body an opcode may have. What a
 * body holds is codec.c's business, and what to do with a bad header the connection's.
 */
#include "wire/frame.h"

size_t wire_frame_begin(struct wire_buffer *buffer, const struct wire_frame_header *header)
{
	uint8_t *octets = wire_buffer_extend(buffer, WIRE_FRAME_HEADER_LEN);

	if (!octets)
		return buffer->len;
	wire_frame_store(octets, header);
	wire_store_u32(octets, 0);
	return buffer->len - WIRE_FRAME_HEADER_LEN;
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
	wire_store_u32(buffer->data + offset, (uint32_t)body_len);
}

void wire_frame_store(uint8_t *octets, const struct wire_frame_header *header)
{
	wire_store_u32(octets, header->body_len);
	wire_store_u32(octets + 4, header->request_id);
	wire_store_u16(octets + 8, header->opcode);
	wire_store_u16(octets + 10, header->flags);
	wire_store_u32(octets + 12, header->status);
}

void wire_frame_parse(struct wire_frame_header *header, const uint8_t *octets)
{
	header->body_len = wire_load_u32(octets);
	header->request_id = wire_load_u32(octets + 4);
	header->opcode = wire_load_u16(octets + 8);
	header->flags = wire_load_u16(octets + 10);
	header->status = wire_load_u32(octets + 12);
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
