/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of wire/parts.def, each with a function that reads its request.
 */
#include "parts.h"

/* One for each kind of request; `r` is the request. */
#define DECODE(name, ...)                                                                          \
	static bool decode_##name(struct wire_bytes body, struct parts_request *request)           \
	{                                                                                          \
		struct wire_##name##_request r;                                                    \
                                                                                                   \
		if (!wire_decode_##name##_request(body, &r) || r.data.len)                         \
			return false;                                                              \
		*request = (struct parts_request){.session = r.session, __VA_ARGS__};              \
		return true;                                                                       \
	}
#define OUTPUT_OF(r) .output = {(r).query, (r).capacity}
#define SEALED_BY(r)                                                                               \
	.iv = (r).iv, .tag_len = (r).tag_len, .total_len = (r).total_len, .aad = (r).aad

#define DECODE_FEED(name)           DECODE(name, .last = true)
#define DECODE_OUTPUT(name)         DECODE(name, OUTPUT_OF(r), .last = true)
#define DECODE_OUTPUT_NEXT(name)    DECODE(name, OUTPUT_OF(r), .last = r.last)
#define DECODE_SIGNATURE(name)      DECODE(name, .tag = r.signature, .last = true)
#define DECODE_SIGNATURE_NEXT(name) DECODE(name, .tag = r.signature, .last = r.last)
#define DECODE_SEAL(name)                                                                          \
	DECODE(name, OUTPUT_OF(r), .last = true,                                                   \
	       .parameter = {.generator = r.generator, .fixed_bits = r.fixed_bits, SEALED_BY(r)})
#define DECODE_OPEN(name)                                                                          \
	DECODE(name, OUTPUT_OF(r), .last = true, .tag = r.tag, .parameter = {SEALED_BY(r)})
#define DECODE_OPEN_NEXT(name) DECODE(name, OUTPUT_OF(r), .last = r.last, .tag = r.tag)

#define PARTS(name, kind, step, fields, other)       DECODE_##fields(name)
#define PARTS_OF_MESSAGE(name, kind, extent, fields) DECODE_##fields(name)
#include "wire/parts.def"
#undef PARTS
#undef PARTS_OF_MESSAGE

#define GIVES_FEED           false
#define GIVES_SIGNATURE      false
#define GIVES_SIGNATURE_NEXT false
#define GIVES_OUTPUT         true
#define GIVES_OUTPUT_NEXT    true
#define GIVES_SEAL           true
#define GIVES_OPEN           true
#define GIVES_OPEN_NEXT      true

#define IS_WHOLE true
#define IS_NEXT  false

#define OTHER_NONE     .other = OPERATION_KINDS
#define OTHER_DIGEST   .other = OPERATION_DIGEST
#define OTHER_SIGN     .other = OPERATION_SIGN
#define OTHER_VERIFY   .other = OPERATION_VERIFY
#define OTHER_EXPECTED OTHER_NONE, .expected = true

static const struct parts rows[] = {
#define PARTS(name, kind_, step_, fields, other)                                                   \
	{                                                                                          \
		.opcode = WIRE_OPCODE_##name,                                                      \
		.kind = OPERATION_##kind_,                                                         \
		.step = STEP_##step_,                                                              \
		.gives = GIVES_##fields,                                                           \
		OTHER_##other,                                                                     \
		.decode = decode_##name,                                                           \
	},
#define PARTS_OF_MESSAGE(name, kind_, extent, fields)                                              \
	{                                                                                          \
		.opcode = WIRE_OPCODE_##name,                                                      \
		.kind = OPERATION_##kind_,                                                         \
		.of_message = true,                                                                \
		.whole = IS_##extent,                                                              \
		.gives = GIVES_##fields,                                                           \
		OTHER_NONE,                                                                        \
		.decode = decode_##name,                                                           \
	},
#include "wire/parts.def"
#undef PARTS
#undef PARTS_OF_MESSAGE
};

const struct parts *parts_find(uint32_t opcode)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].opcode == opcode)
			return &rows[i];
	}
	return NULL;
}
