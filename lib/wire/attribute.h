/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes and templates on the wire: typed values, so that hosts of different word size and the
 * rules of the agent never meet a host's structure.
 *
 * One attribute: u64 type, u8 kind, u32 length, value. A template: u32 count, u32 length of all
 * attributes, attributes. A template inside an attribute (kind attributes) may not contain another
 * one.
 *
 * A value whose length does not fit the type (a CK_ULONG of 3 octets) is sent as kind malformed
 * without its octets; the agent answers CKR_ATTRIBUTE_VALUE_INVALID. So the library needs no rules.
 */
#ifndef WIRE_ATTRIBUTE_H
#define WIRE_ATTRIBUTE_H

#include "wire/buffer.h"

enum wire_attribute_kind {
	WIRE_ATTRIBUTE_BYTES = 1,
	WIRE_ATTRIBUTE_NUMBER = 2,      /* 8 octets; CK_UNAVAILABLE_INFORMATION is all ones */
	WIRE_ATTRIBUTE_FLAG = 3,        /* 1 octet, 0 or 1 */
	WIRE_ATTRIBUTE_DATE = 4,        /* 0 or 8 octets YYYYMMDD; the agent looks for digits */
	WIRE_ATTRIBUTE_MECHANISMS = 5,  /* n times 8 octets */
	WIRE_ATTRIBUTE_ATTRIBUTES = 6,  /* a template */
	WIRE_ATTRIBUTE_MALFORMED = 7,   /* no octets; requests only */
	WIRE_ATTRIBUTE_UNAVAILABLE = 8, /* 8 octets: the CKR_* that says why; replies only */
};

/* One attribute. `value` holds the octets of kinds bytes, date, mechanisms (little-endian u64 each)
 * and attributes. */
struct wire_attribute {
	uint64_t type;
	uint8_t kind;
	uint64_t number; /* kinds number, flag and unavailable */
	struct wire_bytes value;
};

/* A validated run of attributes, borrowed. Iterate with wire_template_next; a decoded template
 * cannot fail to iterate. */
struct wire_template {
	uint32_t count;
	struct wire_bytes attributes;
};

/* A borrowed array of little-endian u64, validated. */
struct wire_u64_list {
	uint32_t count;
	const uint8_t *octets;
};

uint64_t wire_u64_list_at(const struct wire_u64_list *list, uint32_t index);

/* The kind that attribute.def gives to a type; bytes for those it does not list. */
enum wire_attribute_kind wire_attribute_kind_of(uint64_t type);

/* Steps through a template. *cursor starts at 0. False at the end. */
bool wire_template_next(const struct wire_template *template, size_t *cursor,
                        struct wire_attribute *attribute);
/* Where the first attribute of this type begins, for wire_template_next. */
bool wire_template_locate(const struct wire_template *template, uint64_t type, size_t *offset);
/* Finds the first attribute of this type. */
bool wire_template_find(const struct wire_template *template, uint64_t type,
                        struct wire_attribute *attribute);

/* Encoding and decoding, used by the codec; a template is validated whole, nested ones included. */
void wire_put_attribute(struct wire_buffer *buffer, const struct wire_attribute *attribute);
void wire_put_template(struct wire_buffer *buffer, struct wire_template template);
struct wire_template wire_get_template(struct wire_reader *reader);
/* As above, and an attribute of kind `refused` is a failure wherever it stands: a request has no
 * unavailable attributes, a reply no malformed ones. */
struct wire_template wire_get_template_without(struct wire_reader *reader,
                                               enum wire_attribute_kind refused);
/* Reads one attribute and checks it by its kind; nested templates only when `depth` is 0. */
struct wire_attribute wire_get_attribute(struct wire_reader *reader, unsigned int depth);
void wire_put_u64_list(struct wire_buffer *buffer, struct wire_u64_list list);
struct wire_u64_list wire_get_u64_list(struct wire_reader *reader);

/* Builds a template in a buffer of the caller's: begin, put attributes, finish gives a view of it.
 */
struct wire_template wire_template_view(const struct wire_buffer *attributes, uint32_t count);

#endif
