/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The encoders and decoders of every message and parameter, written out by the preprocessor from
 * message.def and parameter.def; only the mechanism is coded by hand. Nothing here knows what a
 * message does.
 */
#include "wire/codec.h"

#include <string.h>

/* How a field of each kind is read; `refused` is the attribute kind that this direction has not. */
#define GET_u32(reader, refused)       wire_get_u32(reader)
#define GET_u64(reader, refused)       wire_get_u64(reader)
#define GET_flag(reader, refused)      wire_get_flag(reader)
#define GET_bytes(reader, refused)     wire_get_bytes(reader)
#define GET_mechanism(reader, refused) wire_get_mechanism(reader)
#define GET_template(reader, refused)  wire_get_template_without(reader, refused)
#define GET_u64_list(reader, refused)  wire_get_u64_list(reader)

/* clang-format off */
#define RECORD(shape)                                                                              \
	void wire_encode_##shape##_parameter(struct wire_buffer *buffer,                           \
	                                     const struct wire_##shape##_parameter *parameter)     \
	{
#define RECORD_FIELD(kind, name, text) wire_put_##kind(buffer, parameter->name);
#define END_RECORD }
#include "wire/parameter.def"
#undef RECORD
#undef RECORD_FIELD
#undef END_RECORD

#define RECORD(shape)                                                                              \
	bool wire_decode_##shape##_parameter(struct wire_bytes body,                               \
	                                     struct wire_##shape##_parameter *parameter)           \
	{                                                                                          \
		struct wire_reader reader;                                                         \
		wire_reader_init(&reader, body);
#define RECORD_FIELD(kind, name, text) parameter->name = GET_##kind(&reader, 0);
#define END_RECORD                                                                                 \
		return wire_reader_done(&reader);                                                  \
	}
#include "wire/parameter.def"
#undef RECORD
#undef RECORD_FIELD
#undef END_RECORD

/* Whether the octets are a record of the shape. */
static bool is_parameter(uint8_t shape, struct wire_bytes body)
{
	switch (shape) {
	case WIRE_SHAPE_none:
	case WIRE_SHAPE_malformed:
		return body.len == 0;
#define RECORD(shape)                                                                              \
	case WIRE_SHAPE_##shape: {                                                                 \
		struct wire_##shape##_parameter parameter;                                         \
		return wire_decode_##shape##_parameter(body, &parameter);                          \
	}
#define RECORD_FIELD(kind, name, text)
#define END_RECORD
#include "wire/parameter.def"
#undef RECORD
#undef RECORD_FIELD
#undef END_RECORD
	default:
		return false;
	}
}
/* clang-format on */

void wire_put_mechanism(struct wire_buffer *buffer, struct wire_mechanism mechanism)
{
	wire_put_u64(buffer, mechanism.type);
	wire_put_u8(buffer, mechanism.shape);
	wire_put_bytes(buffer, mechanism.parameter);
}

struct wire_mechanism wire_get_mechanism(struct wire_reader *reader)
{
	struct wire_mechanism mechanism = {.type = wire_get_u64(reader)};

	mechanism.shape = wire_get_u8(reader);
	mechanism.parameter = wire_get_bytes(reader);
	if (!reader->failed && !is_parameter(mechanism.shape, mechanism.parameter))
		reader->failed = true;
	if (reader->failed)
		memset(&mechanism, 0, sizeof(mechanism));
	return mechanism;
}

/* clang-format off */
#define MESSAGE(opcode, name, function, limit)                                                     \
	void wire_encode_##name##_request(struct wire_buffer *buffer,                              \
	                                  const struct wire_##name##_request *message)             \
	{                                                                                          \
		(void)buffer;                                                                      \
		(void)message;
#define REQUEST_FIELD(kind, name, text) wire_put_##kind(buffer, message->name);
#define REPLY_FIELD(kind, name, text)
#define END_MESSAGE }
#include "wire/message.def"
#undef MESSAGE
#undef REQUEST_FIELD
#undef REPLY_FIELD
#undef END_MESSAGE

#define MESSAGE(opcode, name, function, limit)                                                     \
	void wire_encode_##name##_reply(struct wire_buffer *buffer,                                \
	                                const struct wire_##name##_reply *message)                 \
	{                                                                                          \
		(void)buffer;                                                                      \
		(void)message;
#define REQUEST_FIELD(kind, name, text)
#define REPLY_FIELD(kind, name, text) wire_put_##kind(buffer, message->name);
#define END_MESSAGE }
#include "wire/message.def"
#undef MESSAGE
#undef REQUEST_FIELD
#undef REPLY_FIELD
#undef END_MESSAGE

#define MESSAGE(opcode, name, function, limit)                                                     \
	bool wire_decode_##name##_request(struct wire_bytes body,                                  \
	                                  struct wire_##name##_request *message)                   \
	{                                                                                          \
		struct wire_reader reader;                                                         \
		wire_reader_init(&reader, body);                                                   \
		message->no_fields = 0;
#define REQUEST_FIELD(kind, name, text)                                                            \
		message->name = GET_##kind(&reader, WIRE_ATTRIBUTE_UNAVAILABLE);
#define REPLY_FIELD(kind, name, text)
#define END_MESSAGE                                                                                \
		return wire_reader_done(&reader);                                                  \
	}
#include "wire/message.def"
#undef MESSAGE
#undef REQUEST_FIELD
#undef REPLY_FIELD
#undef END_MESSAGE

#define MESSAGE(opcode, name, function, limit)                                                     \
	bool wire_decode_##name##_reply(struct wire_bytes body, struct wire_##name##_reply *message) \
	{                                                                                          \
		struct wire_reader reader;                                                         \
		wire_reader_init(&reader, body);                                                   \
		message->no_fields = 0;
#define REQUEST_FIELD(kind, name, text)
#define REPLY_FIELD(kind, name, text)                                                              \
		message->name = GET_##kind(&reader, WIRE_ATTRIBUTE_MALFORMED);
#define END_MESSAGE                                                                                \
		return wire_reader_done(&reader);                                                  \
	}
#include "wire/message.def"
#undef MESSAGE
#undef REQUEST_FIELD
#undef REPLY_FIELD
#undef END_MESSAGE
/* clang-format on */
