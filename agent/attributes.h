/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of attributes: what an object is. Kept in locked memory in the wire's encoding
 * (wire/attribute.h), at most one of each type, so that storing, sending and reading it need no
 * conversion. Knows no rules; template.h does.
 */
#ifndef AGENT_ATTRIBUTES_H
#define AGENT_ATTRIBUTES_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "wire/attribute.h"

struct attributes {
	struct wire_buffer encoded;
	uint32_t count;
};

void attributes_init(struct attributes *set);
/* Wipes and frees; the set is then empty and usable. */
void attributes_clear(struct attributes *set);
/* For sets on the stack: zeroed is empty. */
#define attributes_auto __attribute__((cleanup(attributes_clear))) struct attributes
enum err attributes_copy(struct attributes *to, const struct attributes *from) MUST_CHECK;

/* Adds or replaces. ERROR_MEMORY, or ERROR_TEMPLATE_INCONSISTENT above WIRE_ATTRIBUTE_MAX
 * attributes. */
enum err attributes_set(struct attributes *set, const struct wire_attribute *attribute) MUST_CHECK;
enum err attributes_set_bytes(struct attributes *set, uint64_t type, const void *value,
                              size_t len) MUST_CHECK;
enum err attributes_set_number(struct attributes *set, uint64_t type, uint64_t value) MUST_CHECK;
enum err attributes_set_flag(struct attributes *set, uint64_t type, bool value) MUST_CHECK;
void attributes_remove(struct attributes *set, uint64_t type);

/* False when absent. Values are borrowed until the set changes. */
bool attributes_get(const struct attributes *set, uint64_t type, struct wire_attribute *attribute);
/* Empty when absent or not of kind bytes or date. */
struct wire_bytes attributes_bytes(const struct attributes *set, uint64_t type);
/* `absent` when there is none. */
uint64_t attributes_number(const struct attributes *set, uint64_t type, uint64_t absent);
/* False when absent. */
bool attributes_flag(const struct attributes *set, uint64_t type);

/* View as a template, borrowed. */
struct wire_template attributes_template(const struct attributes *set);
/* Replaces the set by decoded octets (u32 count, u32 length, attributes: wire_put_template's form).
 * ERROR_STORE_CORRUPT. */
enum err attributes_decode(struct attributes *set, struct wire_bytes octets) MUST_CHECK;

#endif
