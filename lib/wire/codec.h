/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages as C structures, and their encoders and decoders, all made from message.def and
 * parameter.def.
 *
 * For a message `sign` there are struct wire_sign_request, struct wire_sign_reply and
 *   void wire_encode_sign_request(struct wire_buffer *, const struct wire_sign_request *);
 *   bool wire_decode_sign_request(struct wire_bytes body, struct wire_sign_request *);   likewise
 * for _reply. For a parameter shape `pss` there are struct wire_pss_parameter and
 * wire_{encode,decode}_pss_parameter. Encoders set the buffer's failure; decoders return false
 * unless the whole body was read. Decoded fields borrow from the body.
 */
#ifndef WIRE_CODEC_H
#define WIRE_CODEC_H

#include "wire/attribute.h"
#include "wire/buffer.h"
#include "wire/cryptoki.h"
#include "wire/frame.h"

/* Shapes of mechanism parameters. */
enum wire_shape {
	WIRE_SHAPE_none = 0,
#define RECORD(shape) WIRE_SHAPE_##shape,
#define RECORD_FIELD(kind, name, text)
#define END_RECORD
#include "wire/parameter.def"
#undef RECORD
#undef RECORD_FIELD
#undef END_RECORD
	WIRE_SHAPE_malformed, /* the caller's structure had the wrong length or a NULL it may not
	                         have */
	WIRE_SHAPE_COUNT,
};

/* On the wire: u64 type, u8 shape, bytes parameter (a record of that shape; empty for none and
 * malformed). */
struct wire_mechanism {
	uint64_t type;
	uint8_t shape;
	struct wire_bytes parameter;
};

/* C types of the field kinds. */
#define WIRE_TYPE_u32       uint32_t
#define WIRE_TYPE_u64       uint64_t
#define WIRE_TYPE_flag      bool
#define WIRE_TYPE_bytes     struct wire_bytes
#define WIRE_TYPE_mechanism struct wire_mechanism
#define WIRE_TYPE_template  struct wire_template
#define WIRE_TYPE_u64_list  struct wire_u64_list

/* Opcodes: WIRE_OPCODE_sign. */
enum wire_opcode {
#define MESSAGE(opcode, name, function, limit) WIRE_OPCODE_##name = (opcode),
#define REQUEST_FIELD(kind, name, text)
#define REPLY_FIELD(kind, name, text)
#define END_MESSAGE
#include "wire/message.def"
#undef MESSAGE
#undef REQUEST_FIELD
#undef REPLY_FIELD
#undef END_MESSAGE
};

/* struct wire_NAME_request; `no_fields` keeps a request without fields a complete type and is
 * ignored. */
#define MESSAGE(opcode, name, function, limit) struct wire_##name##_request {
#define REQUEST_FIELD(kind, name, text)        WIRE_TYPE_##kind name;
#define REPLY_FIELD(kind, name, text)
#define END_MESSAGE                                                                                \
	char no_fields;                                                                            \
	}                                                                                          \
	;
#include "wire/message.def"
#undef MESSAGE
#undef REQUEST_FIELD
#undef REPLY_FIELD
#undef END_MESSAGE

#define MESSAGE(opcode, name, function, limit) struct wire_##name##_reply {
#define REQUEST_FIELD(kind, name, text)
#define REPLY_FIELD(kind, name, text) WIRE_TYPE_##kind name;
#define END_MESSAGE                                                                                \
	char no_fields;                                                                            \
	}                                                                                          \
	;
#include "wire/message.def"
#undef MESSAGE
#undef REQUEST_FIELD
#undef REPLY_FIELD
#undef END_MESSAGE

#define RECORD(shape)                  struct wire_##shape##_parameter {
#define RECORD_FIELD(kind, name, text) WIRE_TYPE_##kind name;
#define END_RECORD                                                                                 \
	}                                                                                          \
	;
#include "wire/parameter.def"
#undef RECORD
#undef RECORD_FIELD
#undef END_RECORD

#define MESSAGE(opcode, name, function, limit)                                                     \
	void wire_encode_##name##_request(struct wire_buffer *,                                    \
	                                  const struct wire_##name##_request *);                   \
	bool wire_decode_##name##_request(struct wire_bytes, struct wire_##name##_request *);      \
	void wire_encode_##name##_reply(struct wire_buffer *, const struct wire_##name##_reply *); \
	bool wire_decode_##name##_reply(struct wire_bytes, struct wire_##name##_reply *);
#define REQUEST_FIELD(kind, name, text)
#define REPLY_FIELD(kind, name, text)
#define END_MESSAGE
#include "wire/message.def"
#undef MESSAGE
#undef REQUEST_FIELD
#undef REPLY_FIELD
#undef END_MESSAGE

#define RECORD(shape)                                                                              \
	void wire_encode_##shape##_parameter(struct wire_buffer *,                                 \
	                                     const struct wire_##shape##_parameter *);             \
	bool wire_decode_##shape##_parameter(struct wire_bytes, struct wire_##shape##_parameter *);
#define RECORD_FIELD(kind, name, text)
#define END_RECORD
#include "wire/parameter.def"
#undef RECORD
#undef RECORD_FIELD
#undef END_RECORD

void wire_put_mechanism(struct wire_buffer *buffer, struct wire_mechanism mechanism);
struct wire_mechanism wire_get_mechanism(struct wire_reader *reader);

/* The shape mechanism.def gives a mechanism. False when it is not listed. */
bool wire_mechanism_shape(uint64_t type, enum wire_shape *shape);
/* May a mechanism of the shape `wanted` come with `given`: the same, or none where the parameter
 * can be left out. */
bool wire_shape_fits(enum wire_shape wanted, uint8_t given);
/* "CKM_AES_GCM", or NULL when mechanism.def does not list it. Static. */
const char *wire_mechanism_name(uint64_t type);
/* "C_Sign" for an opcode, or NULL. Static. */
const char *wire_function_name(uint16_t opcode);

#endif
