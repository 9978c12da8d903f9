/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attribute sets in the wire's encoding. A set is small (tens of attributes), so finding one is a
 * walk.
 */
#include "attributes.h"

#include <string.h>

#include "slots.h"
#include "wire/frame.h"

/* More than any object needs: a certificate of 48 KiB with all that belongs to it. */
#define ENCODED_MAX (64u * 1024u)

void attributes_init(struct attributes *set)
{
	wire_buffer_init(&set->encoded, ENCODED_MAX, &slots_wire_allocator);
	set->count = 0;
}

/* A zeroed set is an empty one. */
static void ensure_init(struct attributes *set)
{
	if (!set->encoded.limit)
		attributes_init(set);
}

void attributes_clear(struct attributes *set)
{
	wire_buffer_free(&set->encoded);
	set->count = 0;
}

struct wire_template attributes_template(const struct attributes *set)
{
	return wire_template_view(&set->encoded, set->count);
}

enum err attributes_copy(struct attributes *to, const struct attributes *from)
{
	attributes_clear(to);
	ensure_init(to);
	wire_put_raw(&to->encoded, from->encoded.data, from->encoded.len);
	if (to->encoded.failed) {
		attributes_clear(to);
		return ERROR_MEMORY;
	}
	to->count = from->count;
	return ERROR_NONE;
}

void attributes_remove(struct attributes *set, uint64_t type)
{
	struct wire_buffer *encoded = &set->encoded;
	struct wire_template template = attributes_template(set);
	struct wire_attribute attribute;
	size_t from, to;

	if (!wire_template_locate(&template, type, &from))
		return;
	to = from;
	if (!wire_template_next(&template, &to, &attribute))
		return;
	memmove(encoded->data + from, encoded->data + to, encoded->len - to);
	wire_buffer_truncate(encoded, encoded->len - (to - from));
	set->count--;
}

enum err attributes_set(struct attributes *set, const struct wire_attribute *attribute)
{
	size_t before;

	ensure_init(set);
	attributes_remove(set, attribute->type);
	if (set->count == WIRE_ATTRIBUTE_MAX)
		return ERROR_TEMPLATE_INCONSISTENT;
	before = set->encoded.len;
	wire_put_attribute(&set->encoded, attribute);
	if (set->encoded.failed) {
		set->encoded.failed = false;
		wire_buffer_truncate(&set->encoded, before);
		return ERROR_MEMORY;
	}
	set->count++;
	return ERROR_NONE;
}

enum err attributes_set_bytes(struct attributes *set, uint64_t type, const void *value, size_t len)
{
	struct wire_attribute attribute = {
		.type = type,
		.kind = (uint8_t)wire_attribute_kind_of(type),
		.value = {value, len},
	};

	return attributes_set(set, &attribute);
}

enum err attributes_set_number(struct attributes *set, uint64_t type, uint64_t value)
{
	struct wire_attribute attribute = {
		.type = type, .kind = WIRE_ATTRIBUTE_NUMBER, .number = value};

	return attributes_set(set, &attribute);
}

enum err attributes_set_flag(struct attributes *set, uint64_t type, bool value)
{
	struct wire_attribute attribute = {
		.type = type, .kind = WIRE_ATTRIBUTE_FLAG, .number = value};

	return attributes_set(set, &attribute);
}

bool attributes_get(const struct attributes *set, uint64_t type, struct wire_attribute *attribute)
{
	struct wire_template template = attributes_template(set);

	return wire_template_find(&template, type, attribute);
}

struct wire_bytes attributes_bytes(const struct attributes *set, uint64_t type)
{
	struct wire_attribute attribute;

	if (!attributes_get(set, type, &attribute) ||
	    (attribute.kind != WIRE_ATTRIBUTE_BYTES && attribute.kind != WIRE_ATTRIBUTE_DATE))
		return (struct wire_bytes){NULL, 0};
	return attribute.value;
}

uint64_t attributes_number(const struct attributes *set, uint64_t type, uint64_t absent)
{
	struct wire_attribute attribute;

	if (!attributes_get(set, type, &attribute) || attribute.kind != WIRE_ATTRIBUTE_NUMBER)
		return absent;
	return attribute.number;
}

bool attributes_flag(const struct attributes *set, uint64_t type)
{
	struct wire_attribute attribute;

	return attributes_get(set, type, &attribute) && attribute.kind == WIRE_ATTRIBUTE_FLAG &&
	       attribute.number;
}

enum err attributes_decode(struct attributes *set, struct wire_bytes octets)
{
	struct wire_template template;
	struct wire_reader reader;

	wire_reader_init(&reader, octets);
	template = wire_get_template(&reader);
	if (!wire_reader_done(&reader))
		return ERROR_STORE_CORRUPT;
	attributes_clear(set);
	ensure_init(set);
	wire_put_raw(&set->encoded, template.attributes.data, template.attributes.len);
	if (set->encoded.failed)
		return ERROR_MEMORY;
	set->count = template.count;
	return ERROR_NONE;
}
