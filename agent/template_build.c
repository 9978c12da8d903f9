/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a client's template to the attributes of a new object: what it is, what was given, what the
 * unwrapping or base key adds, defaults, and whether anything lacks. Key material and what follows
 * from it is template_complete.c's.
 */
#include "template_rules.h"

#define NONE CK_UNAVAILABLE_INFORMATION

/* The footnotes that say must and must not, by origin. */
static const struct {
	uint16_t must, must_not;
} origins[] = {
	[ORIGIN_CREATE] = {RULE_F1, RULE_F2},
	[ORIGIN_GENERATE] = {RULE_F3, RULE_F4},
	[ORIGIN_UNWRAP] = {RULE_F5, RULE_F6},
	[ORIGIN_DERIVE] = {0, RULE_FD},
};

/* The number an attribute has in the template, else the forced one. One that differs from the
 * forced one contradicts the mechanism. */
static enum err settle(const struct wire_template *template, uint64_t type, uint64_t forced,
                       uint64_t *number)
{
	struct wire_attribute attribute;
	enum err err;

	*number = forced;
	if (!wire_template_find(template, type, &attribute))
		return ERROR_NONE;
	err = rule_check_value(&attribute);
	if (err)
		return err;
	*number = attribute.number;
	return forced == NONE || forced == *number ? ERROR_NONE : ERROR_TEMPLATE_INCONSISTENT;
}

/* A derived key is a generic secret unless the template says otherwise (v2.40 current mechanisms
 * §2.42 and the like). */
static void derive_defaults(enum template_origin origin, uint64_t *object_class, uint64_t *key_type)
{
	if (origin != ORIGIN_DERIVE)
		return;
	if (*object_class == NONE)
		*object_class = CKO_SECRET_KEY;
	if (*key_type == NONE && *object_class != CKO_DATA)
		*key_type = CKK_GENERIC_SECRET;
}

/* What can come to life in this way. Data are derived only by a mechanism that makes them. */
static bool origin_makes(const struct template_context *context, uint8_t object_class)
{
	static const uint8_t classes[] = {
		[ORIGIN_CREATE] = RULE_ALL & ~RULE_PROFILE,
		[ORIGIN_GENERATE] = RULE_KEYS,
		[ORIGIN_UNWRAP] = RULE_PRIVATE | RULE_SECRET,
		[ORIGIN_DERIVE] = RULE_SECRET,
	};

	if (context->origin == ORIGIN_DERIVE && context->object_class == CKO_DATA)
		return object_class == RULE_DATA;
	return classes[context->origin] & object_class;
}

static enum err check_scope(const struct template_context *context, struct rule_scope scope)
{
	if ((scope.object_class & RULE_KEYS) && scope.key == RULE_KEYLESS)
		return ERROR_TEMPLATE_INCOMPLETE;
	if (!rule_scope_valid(scope) || !origin_makes(context, scope.object_class))
		return ERROR_TEMPLATE_INCONSISTENT;
	return ERROR_NONE;
}

/* Class and key type into the set; they decide which rules hold. */
static enum err settle_scope(const struct template_context *context,
                             const struct wire_template *template, struct attributes *set,
                             struct rule_scope *scope)
{
	uint64_t object_class, key_type;
	enum err err = settle(template, CKA_CLASS, context->object_class, &object_class);

	if (!err)
		err = settle(template, CKA_KEY_TYPE, context->key_type, &key_type);
	if (err)
		return err;
	derive_defaults(context->origin, &object_class, &key_type);
	if (object_class == NONE)
		return ERROR_TEMPLATE_INCOMPLETE;
	*scope = (struct rule_scope){rule_class_bit(object_class), rule_key_bit(key_type)};
	err = check_scope(context, *scope);
	if (!err)
		err = attributes_set_number(set, CKA_CLASS, object_class);
	if (!err && key_type != NONE)
		err = attributes_set_number(set, CKA_KEY_TYPE, key_type);
	return err;
}

/* May this attribute be given for such an object in this way? */
static enum err check_given(const struct template_context *context, struct rule_scope scope,
                            const struct wire_attribute *attribute)
{
	const struct rule *rule = rule_find(attribute->type, scope);
	enum err err;

	if (!rule)
		return rule_known(attribute->type) ? ERROR_TEMPLATE_INCONSISTENT
		                                   : ERROR_ATTRIBUTE_TYPE;
	if (rule->footnotes & origins[context->origin].must_not)
		return ERROR_ATTRIBUTE_READ_ONLY;
	err = rule_check_value(attribute);
	if (err)
		return err;
	if ((rule->footnotes & RULE_F10) && attribute->number && !context->so)
		return ERROR_ATTRIBUTE_READ_ONLY;
	return ERROR_NONE;
}

static bool is_scope(uint64_t type)
{
	return type == CKA_CLASS || type == CKA_KEY_TYPE;
}

/* Class and key type are in the set before anything is added. */
static enum err add_given(const struct template_context *context, struct rule_scope scope,
                          const struct wire_template *template, struct attributes *set)
{
	struct wire_attribute attribute, other;
	unsigned int scopes[2] = {0};
	size_t cursor = 0;

	while (wire_template_next(template, &cursor, &attribute)) {
		enum err err = check_given(context, scope, &attribute);

		if (err)
			return err;
		if (is_scope(attribute.type)) {
			if (scopes[attribute.type == CKA_CLASS]++)
				return ERROR_TEMPLATE_INCONSISTENT;
			continue;
		}
		if (attributes_get(set, attribute.type, &other))
			return ERROR_TEMPLATE_INCONSISTENT;
		err = attributes_set(set, &attribute);
		if (err)
			return err;
	}
	return ERROR_NONE;
}

/* What the unwrapping or base key prescribes (§4.10, CKA_UNWRAP_TEMPLATE; v3.0 §4.9,
 * CKA_DERIVE_TEMPLATE): the client's template may repeat it, not contradict it. */
static enum err add_prescribed(const struct template_context *context, struct rule_scope scope,
                               struct attributes *set)
{
	uint64_t type =
		context->origin == ORIGIN_UNWRAP ? CKA_UNWRAP_TEMPLATE : CKA_DERIVE_TEMPLATE;
	struct wire_attribute outer, attribute, given;
	struct wire_template prescribed;
	size_t cursor = 0;
	enum err err;

	if (!context->base || !attributes_get(&context->base->attributes, type, &outer))
		return ERROR_NONE;
	prescribed = rule_nested(&outer);
	while (wire_template_next(&prescribed, &cursor, &attribute)) {
		err = check_given(context, scope, &attribute);
		if (err)
			return err;
		if (!attributes_get(set, attribute.type, &given))
			err = attributes_set(set, &attribute);
		else if (!rule_same_value(&given, &attribute))
			err = ERROR_TEMPLATE_INCONSISTENT;
		if (err)
			return err;
	}
	return ERROR_NONE;
}

static enum err set_fallback(const struct template_context *context, const struct rule *rule,
                             struct attributes *set)
{
	switch ((enum rule_fallback)rule->fallback) {
	case FALLBACK_FALSE:
		return attributes_set_flag(set, rule->type, false);
	case FALLBACK_TRUE:
		return attributes_set_flag(set, rule->type, true);
	case FALLBACK_ZERO:
		return attributes_set_number(set, rule->type, 0);
	case FALLBACK_LOGIN:
		return attributes_set_flag(set, rule->type, context->user);
	case FALLBACK_UNWRAPPED:
		return attributes_set_flag(set, rule->type, context->origin == ORIGIN_UNWRAP);
	case FALLBACK_NOTHING:
		break;
	}
	return ERROR_NONE;
}

/* Defaults for what is absent; an error where something absent must be there. */
static enum err add_absent(const struct template_context *context, struct rule_scope scope,
                           struct attributes *set)
{
	struct wire_attribute present;

	for (size_t i = 0; i < rule_count; i++) {
		const struct rule *rule = &rule_table[i];
		enum err err;

		if (!rule_applies(rule, scope) || attributes_get(set, rule->type, &present))
			continue;
		if (rule->footnotes & origins[context->origin].must)
			return ERROR_TEMPLATE_INCOMPLETE;
		err = set_fallback(context, rule, set);
		if (err)
			return err;
	}
	return ERROR_NONE;
}

enum err template_build(const struct template_context *context,
                        const struct wire_template *template, struct attributes *set)
{
	struct rule_scope scope;
	enum err err;

	attributes_init(set);
	err = settle_scope(context, template, set, &scope);
	if (!err)
		err = add_given(context, scope, template, set);
	if (!err)
		err = add_prescribed(context, scope, set);
	if (!err)
		err = add_absent(context, scope, set);
	if (err)
		return err;
	rule_drop_empty_dates(set);
	return rule_check_set(set, scope);
}
