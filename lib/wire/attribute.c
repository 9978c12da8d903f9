/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes, templates and lists on the wire. Decoding checks the form of every value, nested
 * templates included, so that later steps through a template cannot fail; whether a value suits its
 * attribute is the agent's judgement.
 */
#include "wire/attribute.h"

#include <string.h>

#include "wire/cryptoki.h"
#include "wire/frame.h"

#define NESTED_DEPTH 1u
#define HEAD_LEN     13u /* type u64, kind u8, length u32 */

uint64_t wire_u64_list_at(const struct wire_u64_list *list, uint32_t index)
{
	return wire_load_u64(list->octets + 8 * (size_t)index);
}

enum wire_attribute_kind wire_attribute_kind_of(uint64_t type)
{
#define KIND_bytes      WIRE_ATTRIBUTE_BYTES
#define KIND_number     WIRE_ATTRIBUTE_NUMBER
#define KIND_flag       WIRE_ATTRIBUTE_FLAG
#define KIND_date       WIRE_ATTRIBUTE_DATE
#define KIND_mechanisms WIRE_ATTRIBUTE_MECHANISMS
#define KIND_attributes WIRE_ATTRIBUTE_ATTRIBUTES
	switch (type) {
#define ATTRIBUTE(number, kind)                                                                    \
	case number:                                                                               \
		return KIND_##kind;
#include "wire/attribute.def"
#undef ATTRIBUTE
	default:
		return WIRE_ATTRIBUTE_BYTES;
	}
#undef KIND_bytes
#undef KIND_number
#undef KIND_flag
#undef KIND_date
#undef KIND_mechanisms
#undef KIND_attributes
}

/* Whether a value of this kind may have this many octets. */
static bool is_length_of_kind(uint8_t kind, size_t len)
{
	switch (kind) {
	case WIRE_ATTRIBUTE_BYTES:
	case WIRE_ATTRIBUTE_ATTRIBUTES:
		return true;
	case WIRE_ATTRIBUTE_NUMBER:
	case WIRE_ATTRIBUTE_UNAVAILABLE:
		return len == 8;
	case WIRE_ATTRIBUTE_FLAG:
		return len == 1;
	case WIRE_ATTRIBUTE_DATE:
		return len == 0 || len == 8;
	case WIRE_ATTRIBUTE_MECHANISMS:
		return len % 8 == 0;
	case WIRE_ATTRIBUTE_MALFORMED:
		return len == 0;
	default:
		return false;
	}
}

static void put_head(struct wire_buffer *buffer, const struct wire_attribute *attribute)
{
	wire_put_u64(buffer, attribute->type);
	wire_put_u8(buffer, attribute->kind);
}

void wire_put_attribute(struct wire_buffer *buffer, const struct wire_attribute *attribute)
{
	switch (attribute->kind) {
	case WIRE_ATTRIBUTE_NUMBER:
	case WIRE_ATTRIBUTE_UNAVAILABLE:
		put_head(buffer, attribute);
		wire_put_u32(buffer, 8);
		wire_put_u64(buffer, attribute->number);
		return;
	case WIRE_ATTRIBUTE_FLAG:
		put_head(buffer, attribute);
		wire_put_u32(buffer, 1);
		wire_put_flag(buffer, attribute->number != 0);
		return;
	default:
		if (!is_length_of_kind(attribute->kind, attribute->value.len))
			buffer->failed = true;
		put_head(buffer, attribute);
		wire_put_bytes(buffer, attribute->value);
	}
}

void wire_put_template(struct wire_buffer *buffer, struct wire_template template)
{
	if (template.count > WIRE_ATTRIBUTE_MAX)
		buffer->failed = true;
	wire_put_u32(buffer, template.count);
	wire_put_bytes(buffer, template.attributes);
}

/* Reads one attribute and checks its kind and length, but not inside a nested template. */
static struct wire_attribute get_flat(struct wire_reader *reader)
{
	struct wire_attribute attribute = {.type = wire_get_u64(reader)};
	struct wire_bytes value;

	attribute.kind = wire_get_u8(reader);
	value = wire_get_bytes(reader);
	if (!is_length_of_kind(attribute.kind, value.len))
		reader->failed = true;
	if (reader->failed)
		return (struct wire_attribute){0};
	switch (attribute.kind) {
	case WIRE_ATTRIBUTE_NUMBER:
	case WIRE_ATTRIBUTE_UNAVAILABLE:
		attribute.number = wire_load_u64(value.data);
		break;
	case WIRE_ATTRIBUTE_FLAG:
		attribute.number = value.data[0];
		reader->failed = attribute.number > 1;
		break;
	default:
		attribute.value = value;
	}
	return attribute;
}

/* Whether the octets are `count` attributes, none of them of the refused kind or a template. */
static bool is_flat_run(struct wire_template template, uint8_t refused)
{
	struct wire_reader reader;

	wire_reader_init(&reader, template.attributes);
	for (uint32_t i = 0; i < template.count && !reader.failed; i++) {
		uint8_t kind = get_flat(&reader).kind;

		if (kind == refused || kind == WIRE_ATTRIBUTE_ATTRIBUTES)
			return false;
	}
	return wire_reader_done(&reader);
}

/* Reads count and octets; what they hold is not checked. */
static struct wire_template get_unchecked(struct wire_reader *reader)
{
	struct wire_template template = {.count = wire_get_u32(reader)};

	template.attributes = wire_get_bytes(reader);
	if (template.count > WIRE_ATTRIBUTE_MAX)
		reader->failed = true;
	return template;
}

static bool is_flat_template(struct wire_bytes octets, uint8_t refused)
{
	struct wire_reader reader;
	struct wire_template template;

	wire_reader_init(&reader, octets);
	template = get_unchecked(&reader);
	return wire_reader_done(&reader) && is_flat_run(template, refused);
}

static struct wire_attribute get_checked(struct wire_reader *reader, unsigned int depth,
                                         uint8_t refused)
{
	struct wire_attribute attribute = get_flat(reader);

	if (reader->failed)
		return attribute;
	if (attribute.kind == refused)
		reader->failed = true;
	if (attribute.kind == WIRE_ATTRIBUTE_ATTRIBUTES &&
	    (depth >= NESTED_DEPTH || !is_flat_template(attribute.value, refused)))
		reader->failed = true;
	return attribute;
}

struct wire_attribute wire_get_attribute(struct wire_reader *reader, unsigned int depth)
{
	struct wire_attribute attribute = get_checked(reader, depth, 0);

	if (reader->failed)
		memset(&attribute, 0, sizeof(attribute));
	return attribute;
}

struct wire_template wire_get_template_without(struct wire_reader *reader,
                                               enum wire_attribute_kind refused)
{
	struct wire_template template = get_unchecked(reader);
	struct wire_reader inner;

	wire_reader_init(&inner, template.attributes);
	for (uint32_t i = 0; i < template.count && !inner.failed; i++)
		get_checked(&inner, 0, (uint8_t)refused);
	if (!wire_reader_done(&inner))
		reader->failed = true;
	if (reader->failed)
		memset(&template, 0, sizeof(template));
	return template;
}

struct wire_template wire_get_template(struct wire_reader *reader)
{
	return wire_get_template_without(reader, 0);
}

bool wire_template_next(const struct wire_template *template, size_t *cursor,
                        struct wire_attribute *attribute)
{
	struct wire_reader reader;
	size_t len = template->attributes.len;

	if (*cursor >= len)
		return false;
	wire_reader_init(&reader, template->attributes);
	reader.at += *cursor;
	*attribute = get_flat(&reader);
	*cursor = reader.failed ? len : len - (size_t)(reader.end - reader.at);
	return !reader.failed;
}

/* Looks at heads only: most of an object's life is finding attributes. */
bool wire_template_locate(const struct wire_template *template, uint64_t type, size_t *offset)
{
	const uint8_t *octets = template->attributes.data;
	size_t left = template->attributes.len;

	while (left >= HEAD_LEN) {
		uint32_t value_len;

		if (wire_load_u64(octets) == type) {
			*offset = template->attributes.len - left;
			return true;
		}
		value_len = wire_load_u32(octets + HEAD_LEN - sizeof(value_len));
		if (value_len > left - HEAD_LEN)
			break;
		octets += HEAD_LEN + value_len;
		left -= HEAD_LEN + value_len;
	}
	return false;
}

bool wire_template_find(const struct wire_template *template, uint64_t type,
                        struct wire_attribute *attribute)
{
	size_t cursor;

	return wire_template_locate(template, type, &cursor) &&
	       wire_template_next(template, &cursor, attribute);
}

void wire_put_u64_list(struct wire_buffer *buffer, struct wire_u64_list list)
{
	if (list.count > UINT32_MAX / 8)
		buffer->failed = true;
	wire_put_u32(buffer, list.count);
	wire_put_raw(buffer, list.octets, 8 * (size_t)list.count);
}

/* The count is checked before it is multiplied: size_t may have 32 bits. */
struct wire_u64_list wire_get_u64_list(struct wire_reader *reader)
{
	uint32_t count = wire_get_u32(reader);
	struct wire_bytes octets;

	if (count > (size_t)(reader->end - reader->at) / 8)
		reader->failed = true;
	octets = wire_get_raw(reader, 8 * (size_t)count);
	return (struct wire_u64_list){reader->failed ? 0 : count, octets.data};
}

struct wire_template wire_template_view(const struct wire_buffer *attributes, uint32_t count)
{
	return (struct wire_template){count, {attributes->data, attributes->len}};
}
