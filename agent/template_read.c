/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and searching: what an object shows of itself. Whether the session sees the object at all
 * was asked before. Called for every attribute of every candidate of a search, so the frequent
 * attributes are answered from the object's caches.
 */
#include "template_rules.h"

#define UNIQUE_ID_LEN (2 * OBJECT_UID_LEN)

static void set_unavailable(struct wire_attribute *attribute, uint64_t type, CK_RV ckr)
{
	*attribute = (struct wire_attribute){
		.type = type, .kind = WIRE_ATTRIBUTE_UNAVAILABLE, .number = ckr};
}

/* The uid in hexadecimal. Attributes borrow their values, and this one lies in no object: each
 * thread has room for one. */
static void read_unique_id(const struct object *object, struct wire_attribute *attribute)
{
	static _Thread_local uint8_t text[UNIQUE_ID_LEN];
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < OBJECT_UID_LEN; i++) {
		text[2 * i] = (uint8_t)digits[object->uid[i] >> 4];
		text[2 * i + 1] = (uint8_t)digits[object->uid[i] & 15];
	}
	*attribute = (struct wire_attribute){
		.type = CKA_UNIQUE_ID, .kind = WIRE_ATTRIBUTE_BYTES, .value = {text, sizeof(text)}};
}

/* Footnote 7. */
static bool is_hidden(const struct object *object, const struct rule *rule)
{
	return (rule->footnotes & RULE_F7) &&
	       ((object->usage & USAGE_SENSITIVE) || !(object->usage & USAGE_EXTRACTABLE));
}

static void read_absent(const struct rule *rule, struct wire_attribute *attribute)
{
	if (rule->footnotes & RULE_FE)
		*attribute = (struct wire_attribute){
			.type = rule->type, .kind = (uint8_t)wire_attribute_kind_of(rule->type)};
	else
		set_unavailable(attribute, rule->type, CKR_ATTRIBUTE_TYPE_INVALID);
}

void template_read(const struct object *object, uint64_t type, struct wire_attribute *attribute)
{
	struct rule_scope scope = {rule_class_bit(object->object_class),
	                           rule_key_bit(object->key_type)};
	const struct rule *rule = rule_find(type, scope);

	if (!rule)
		set_unavailable(attribute, type, CKR_ATTRIBUTE_TYPE_INVALID);
	else if (is_hidden(object, rule))
		set_unavailable(attribute, type, CKR_ATTRIBUTE_SENSITIVE);
	else if (type == CKA_UNIQUE_ID)
		read_unique_id(object, attribute);
	else if (!attributes_get(&object->attributes, type, attribute))
		read_absent(rule, attribute);
}

static bool is_number(const struct wire_attribute *wanted, uint64_t number)
{
	return wanted->kind == WIRE_ATTRIBUTE_NUMBER && wanted->number == number &&
	       number != CK_UNAVAILABLE_INFORMATION;
}

static bool is_flag(const struct wire_attribute *wanted, bool flag)
{
	return wanted->kind == WIRE_ATTRIBUTE_FLAG && wanted->number == flag;
}

/* Unavailable values, in the object or in the template, are equal to nothing. */
static bool matches_read(const struct object *object, const struct wire_attribute *wanted)
{
	struct wire_attribute value;

	template_read(object, wanted->type, &value);
	return value.kind != WIRE_ATTRIBUTE_UNAVAILABLE && rule_same_value(&value, wanted);
}

static bool matches(const struct object *object, const struct wire_attribute *wanted)
{
	switch (wanted->type) {
	case CKA_CLASS:
		return is_number(wanted, object->object_class);
	case CKA_KEY_TYPE:
		return is_number(wanted, object->key_type);
	case CKA_TOKEN:
		return is_flag(wanted, object->is_token);
	case CKA_PRIVATE:
		return is_flag(wanted, object->is_private);
	default:
		return matches_read(object, wanted);
	}
}

bool template_matches(const struct object *object, const struct wire_template *template)
{
	struct wire_attribute wanted;
	size_t cursor = 0;

	while (wire_template_next(template, &cursor, &wanted)) {
		if (!matches(object, &wanted))
			return false;
	}
	return true;
}

bool template_permits_wrap(const struct object *wrapping_key, const struct object *key)
{
	struct wire_attribute outer;
	struct wire_template wanted;

	if (!attributes_get(&wrapping_key->attributes, CKA_WRAP_TEMPLATE, &outer))
		return true;
	wanted = rule_nested(&outer);
	return template_matches(key, &wanted);
}
