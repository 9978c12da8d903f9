/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every message as a row: how to make a valid one and how to take one apart and put it together
 * again. Made from the same tables as the codec, for the fuzz targets, their seeds and the unit
 * test of the codec; it shares none of the codec's decisions.
 */
#ifndef TESTS_WIRE_MESSAGES_H
#define TESTS_WIRE_MESSAGES_H

#include "wire/codec.h"

#define SAMPLE_SCRATCH_LEN 4096u
#define SAMPLE_VARIANTS    ((unsigned int)WIRE_SHAPE_COUNT)

/* What became of a body that was decoded and encoded again. */
enum recoding { RECODING_REFUSED, RECODING_SAME, RECODING_DIFFERENT };

/* Makes sample values; the octets they borrow lie in `scratch`, which never grows. */
struct sampler {
	struct wire_buffer scratch;
	unsigned int variant; /* chooses the shape of mechanisms: 0..SAMPLE_VARIANTS-1 */
	bool reply;
	uint64_t next;
};

static inline uint64_t sample_u64(struct sampler *sampler)
{
	sampler->next = sampler->next * 6364136223846793005u + 1442695040888963407u;
	return sampler->next;
}

static inline uint32_t sample_u32(struct sampler *sampler)
{
	return (uint32_t)sample_u64(sampler);
}

static inline bool sample_flag(struct sampler *sampler)
{
	return sample_u64(sampler) >> 63;
}

static inline struct wire_bytes sample_since(const struct sampler *sampler, size_t start)
{
	return (struct wire_bytes){sampler->scratch.data + start, sampler->scratch.len - start};
}

static inline struct wire_bytes sample_bytes(struct sampler *sampler)
{
	size_t start = sampler->scratch.len;

	for (size_t i = 0; i < 5; i++)
		wire_put_u8(&sampler->scratch, (uint8_t)(sample_u64(sampler) >> 56));
	return sample_since(sampler, start);
}

static inline struct wire_u64_list sample_u64_list(struct sampler *sampler)
{
	size_t start = sampler->scratch.len;

	for (size_t i = 0; i < 3; i++)
		wire_put_u64(&sampler->scratch, sample_u64(sampler));
	return (struct wire_u64_list){3, sample_since(sampler, start).data};
}

/* One attribute of each flat kind that the direction may have. */
static inline struct wire_template sample_flat_template(struct sampler *sampler)
{
	static const uint8_t date[8] = "20260131", mechanisms[16] = {0x87, 0x10};
	const struct wire_attribute attributes[] = {
		{CKA_LABEL, WIRE_ATTRIBUTE_BYTES, 0, {(const uint8_t *)"key", 3}},
		{CKA_CLASS, WIRE_ATTRIBUTE_NUMBER, CKO_SECRET_KEY, {0}},
		{CKA_TOKEN, WIRE_ATTRIBUTE_FLAG, 1, {0}},
		{CKA_START_DATE, WIRE_ATTRIBUTE_DATE, 0, {date, 8}},
		{CKA_END_DATE, WIRE_ATTRIBUTE_DATE, 0, {0}},
		{CKA_ALLOWED_MECHANISMS, WIRE_ATTRIBUTE_MECHANISMS, 0, {mechanisms, 16}},
		{CKA_MODULUS_BITS,
	         sampler->reply ? WIRE_ATTRIBUTE_UNAVAILABLE : WIRE_ATTRIBUTE_MALFORMED,
	         sampler->reply ? CKR_ATTRIBUTE_SENSITIVE : 0,
	         {0}},
	};
	const size_t count = sizeof(attributes) / sizeof(attributes[0]);
	size_t start = sampler->scratch.len;

	for (size_t i = 0; i < count; i++)
		wire_put_attribute(&sampler->scratch, &attributes[i]);
	return (struct wire_template){(uint32_t)count, sample_since(sampler, start)};
}

/* A flat template, and the same one inside an attribute. */
static inline struct wire_template sample_template(struct sampler *sampler)
{
	struct wire_template flat = sample_flat_template(sampler);
	struct wire_attribute nested = {CKA_WRAP_TEMPLATE, WIRE_ATTRIBUTE_ATTRIBUTES, 0, {0}};
	size_t start = sampler->scratch.len;

	wire_put_template(&sampler->scratch, flat);
	nested.value = sample_since(sampler, start);
	start = sampler->scratch.len;
	wire_put_raw(&sampler->scratch, flat.attributes.data, flat.attributes.len);
	wire_put_attribute(&sampler->scratch, &nested);
	return (struct wire_template){flat.count + 1, sample_since(sampler, start)};
}

/* clang-format off */
#define RECORD(shape)                                                                              \
	static inline void fill_##shape##_parameter(struct sampler *sampler,                       \
	                                            struct wire_##shape##_parameter *parameter)    \
	{
#define RECORD_FIELD(kind, name, text) parameter->name = sample_##kind(sampler);
#define END_RECORD }
#include "wire/parameter.def"
#undef RECORD
#undef RECORD_FIELD
#undef END_RECORD
/* clang-format on */

#define RECORD_FIELD(kind, name, text)
#define END_RECORD

/* A parameter of the sampler's shape. */
static inline struct wire_bytes sample_parameter(struct sampler *sampler)
{
	struct wire_buffer octets;
	size_t start;

	wire_buffer_init(&octets, SAMPLE_SCRATCH_LEN, NULL);
	switch (sampler->variant) {
#define RECORD(shape)                                                                              \
	case WIRE_SHAPE_##shape: {                                                                 \
		struct wire_##shape##_parameter parameter;                                         \
                                                                                                   \
		fill_##shape##_parameter(sampler, &parameter);                                     \
		wire_encode_##shape##_parameter(&octets, &parameter);                              \
		break;                                                                             \
	}
#include "wire/parameter.def"
#undef RECORD
	default:
		break;
	}
	start = sampler->scratch.len;
	wire_put_raw(&sampler->scratch, octets.data, octets.len);
	wire_buffer_free(&octets);
	return sample_since(sampler, start);
}

static inline struct wire_mechanism sample_mechanism(struct sampler *sampler)
{
	return (struct wire_mechanism){sample_u64(sampler), (uint8_t)sampler->variant,
	                               sample_parameter(sampler)};
}

/* Whether the octets are a record of this shape that encodes to the same octets again. */
static inline bool same_parameter(uint8_t shape, struct wire_bytes body, struct wire_buffer *out)
{
	size_t start = out->len;
	bool same = false;

	switch (shape) {
#define RECORD(shape)                                                                              \
	case WIRE_SHAPE_##shape: {                                                                 \
		struct wire_##shape##_parameter parameter;                                         \
                                                                                                   \
		if (!wire_decode_##shape##_parameter(body, &parameter))                            \
			return false;                                                              \
		wire_encode_##shape##_parameter(out, &parameter);                                  \
		break;                                                                             \
	}
#include "wire/parameter.def"
#undef RECORD
	default:
		return body.len == 0;
	}
	same = !out->failed && out->len - start == body.len &&
	       wire_bytes_equal(body, (struct wire_bytes){out->data + start, body.len});
	wire_buffer_truncate(out, start);
	return same;
}

#undef RECORD_FIELD
#undef END_RECORD

static inline bool same_flat_template(struct wire_template template, struct wire_buffer *out,
                                      unsigned int *nested);

/* Whether a nested template can be read out of an attribute's value and stepped through. */
static inline bool same_nested(struct wire_bytes value, struct wire_buffer *out)
{
	struct wire_reader reader;
	struct wire_template template;
	unsigned int nested = 0;

	wire_reader_init(&reader, value);
	template = wire_get_template(&reader);
	return wire_reader_done(&reader) && same_flat_template(template, out, &nested) && !nested;
}

/* Whether stepping gives `count` attributes that encode to the same octets again. */
static inline bool same_flat_template(struct wire_template template, struct wire_buffer *out,
                                      unsigned int *nested)
{
	struct wire_attribute attribute;
	size_t start = out->len, cursor = 0;
	uint32_t count = 0;
	bool same;

	for (; wire_template_next(&template, &cursor, &attribute); count++) {
		wire_put_attribute(out, &attribute);
		*nested += attribute.kind == WIRE_ATTRIBUTE_ATTRIBUTES;
	}
	same = count == template.count && !out->failed &&
	       out->len - start == template.attributes.len &&
	       (!out->data ||
	        wire_bytes_equal(template.attributes,
	                         (struct wire_bytes){out->data + start, out->len - start}));
	wire_buffer_truncate(out, start);
	return same;
}

static inline bool same_template(struct wire_template template, struct wire_buffer *out)
{
	struct wire_attribute attribute;
	unsigned int nested = 0;
	size_t cursor = 0;

	if (!same_flat_template(template, out, &nested))
		return false;
	while (nested && wire_template_next(&template, &cursor, &attribute))
		if (attribute.kind == WIRE_ATTRIBUTE_ATTRIBUTES &&
		    !same_nested(attribute.value, out))
			return false;
	return true;
}

/* The octets themselves are read when the list is encoded again. */
static inline bool same_u64_list(struct wire_u64_list list)
{
	return !list.count || wire_u64_list_at(&list, list.count - 1) ==
	                              wire_load_u64(list.octets + 8 * ((size_t)list.count - 1));
}

/* What is done with each decoded field besides encoding it again. */
#define SAME_u32(field, out)       true
#define SAME_u64(field, out)       true
#define SAME_flag(field, out)      true
#define SAME_bytes(field, out)     true
#define SAME_u64_list(field, out)  same_u64_list(field)
#define SAME_template(field, out)  same_template(field, out)
#define SAME_mechanism(field, out) same_parameter((field).shape, (field).parameter, out)

/* clang-format off */
#define MESSAGE(number, name, function, limit)                                                     \
	static inline void fill_##name##_request(struct sampler *sampler,                          \
	                                         struct wire_##name##_request *message)            \
	{                                                                                          \
		(void)sampler;                                                                     \
		message->no_fields = 0;
#define REQUEST_FIELD(kind, name, text) message->name = sample_##kind(sampler);
#define REPLY_FIELD(kind, name, text)
#define END_MESSAGE }
#include "wire/message.def"
#undef MESSAGE
#undef REQUEST_FIELD
#undef REPLY_FIELD
#undef END_MESSAGE

#define MESSAGE(number, name, function, limit)                                                     \
	static inline void fill_##name##_reply(struct sampler *sampler,                            \
	                                       struct wire_##name##_reply *message)                \
	{                                                                                          \
		(void)sampler;                                                                     \
		message->no_fields = 0;
#define REQUEST_FIELD(kind, name, text)
#define REPLY_FIELD(kind, name, text) message->name = sample_##kind(sampler);
#define END_MESSAGE }
#include "wire/message.def"
#undef MESSAGE
#undef REQUEST_FIELD
#undef REPLY_FIELD
#undef END_MESSAGE

#define MESSAGE(number, name, function, limit)                                                     \
	static inline bool same_##name##_request(const struct wire_##name##_request *message,      \
	                                         struct wire_buffer *out)                          \
	{                                                                                          \
		(void)message;                                                                     \
		(void)out;                                                                         \
		return true
#define REQUEST_FIELD(kind, name, text) && SAME_##kind(message->name, out)
#define REPLY_FIELD(kind, name, text)
#define END_MESSAGE ; }
#include "wire/message.def"
#undef MESSAGE
#undef REQUEST_FIELD
#undef REPLY_FIELD
#undef END_MESSAGE

#define MESSAGE(number, name, function, limit)                                                     \
	static inline bool same_##name##_reply(const struct wire_##name##_reply *message,          \
	                                       struct wire_buffer *out)                            \
	{                                                                                          \
		(void)message;                                                                     \
		(void)out;                                                                         \
		return true
#define REQUEST_FIELD(kind, name, text)
#define REPLY_FIELD(kind, name, text) && SAME_##kind(message->name, out)
#define END_MESSAGE ; }
#include "wire/message.def"
#undef MESSAGE
#undef REQUEST_FIELD
#undef REPLY_FIELD
#undef END_MESSAGE
/* clang-format on */

#define REQUEST_FIELD(kind, name, text)
#define REPLY_FIELD(kind, name, text)
#define END_MESSAGE

/* put_NAME_DIRECTION appends a sample body, recode_NAME_DIRECTION is a row's `recode`. */
#define DIRECTION(name, direction)                                                                 \
	static inline void put_##name##_##direction(struct sampler *sampler,                       \
	                                            struct wire_buffer *out)                       \
	{                                                                                          \
		struct wire_##name##_##direction message;                                          \
                                                                                                   \
		fill_##name##_##direction(sampler, &message);                                      \
		wire_encode_##name##_##direction(out, &message);                                   \
	}                                                                                          \
	static inline enum recoding recode_##name##_##direction(struct wire_bytes body,            \
	                                                        struct wire_buffer *out)           \
	{                                                                                          \
		struct wire_##name##_##direction message;                                          \
                                                                                                   \
		if (!wire_decode_##name##_##direction(body, &message))                             \
			return RECODING_REFUSED;                                                   \
		if (!same_##name##_##direction(&message, out))                                     \
			return RECODING_DIFFERENT;                                                 \
		wire_encode_##name##_##direction(out, &message);                                   \
		return !out->failed && wire_bytes_equal(body,                                      \
		                                        (struct wire_bytes){out->data, out->len})  \
		               ? RECODING_SAME                                                     \
		               : RECODING_DIFFERENT;                                               \
	}
#define MESSAGE(number, name, function, limit) DIRECTION(name, request) DIRECTION(name, reply)
#include "wire/message.def"
#undef MESSAGE
#undef DIRECTION

/* One direction of a message. */
struct message_row {
	const char *name;
	uint16_t opcode;
	bool reply;
	void (*put)(struct sampler *sampler, struct wire_buffer *out);
	/* Decodes, walks through every field and encodes again into the empty buffer `out`. */
	enum recoding (*recode)(struct wire_bytes body, struct wire_buffer *out);
};

static const struct message_row message_rows[] = {
#define MESSAGE(number, name, function, limit)                                                     \
	{#name, number, false, put_##name##_request, recode_##name##_request},                     \
		{#name, number, true, put_##name##_reply, recode_##name##_reply},
#include "wire/message.def"
#undef MESSAGE
};
#undef REQUEST_FIELD
#undef REPLY_FIELD
#undef END_MESSAGE

#define MESSAGE_ROW_COUNT (sizeof(message_rows) / sizeof(message_rows[0]))

static inline const struct message_row *message_row_find(uint16_t opcode, bool reply)
{
	for (size_t i = 0; i < MESSAGE_ROW_COUNT; i++)
		if (message_rows[i].opcode == opcode && message_rows[i].reply == reply)
			return &message_rows[i];
	return NULL;
}

/* Appends a valid body. False when the sample does not fit its scratch memory. */
static inline bool message_sample(const struct message_row *row, unsigned int variant,
                                  struct wire_buffer *out)
{
	struct sampler sampler = {.variant = variant, .reply = row->reply, .next = variant};
	bool whole;

	wire_buffer_init(&sampler.scratch, SAMPLE_SCRATCH_LEN, NULL);
	if (!wire_buffer_extend(&sampler.scratch, SAMPLE_SCRATCH_LEN))
		return false;
	wire_buffer_truncate(&sampler.scratch, 0);
	row->put(&sampler, out);
	whole = !sampler.scratch.failed && !out->failed;
	wire_buffer_free(&sampler.scratch);
	return whole;
}

/* Recodes a body with a buffer of its own. */
static inline enum recoding message_recode(const struct message_row *row, struct wire_bytes body)
{
	struct wire_buffer out;
	enum recoding recoding;

	wire_buffer_init(&out, 2 * (body.len + 64), NULL);
	recoding = row->recode(body, &out);
	wire_buffer_free(&out);
	return recoding;
}

#endif
