/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C_SetAttributeValue and C_CopyObject: a set with the template's differences, or why not. Whether
 * the object may be changed or copied at all (CKA_MODIFIABLE, CKA_COPYABLE, the session) was asked
 * before.
 */
#include "template_rules.h"

/* What is being done, to what, by whom. */
struct change {
	const struct object *from;
	struct rule_scope scope;
	bool so;
	bool copying;
};

/* Can this attribute of this object ever be changed so? */
static bool is_open(const struct change *change, const struct rule *rule,
                    const struct wire_attribute *to)
{
	if (rule->footnotes & RULE_F10)
		return change->so;
	if (rule->footnotes & RULE_FO)
		return !change->copying;
	if (rule->footnotes & RULE_F8)
		return change->so || !(change->from->usage & USAGE_TRUSTED);
	if (rule->footnotes & RULE_FC)
		return change->copying;
	return (rule->footnotes & RULE_FV) && !to->value.len;
}

/* Flags that stay where they once went (footnotes 11 and 12). */
static bool is_stuck(const struct rule *rule, const struct wire_attribute *now)
{
	return rule->footnotes & (now->number ? RULE_F11 : RULE_F12);
}

static enum err check_change(const struct change *change, const struct wire_attribute *to)
{
	const struct rule *rule = rule_find(to->type, change->scope);
	struct wire_attribute now;
	enum err err;

	if (!rule)
		return ERROR_ATTRIBUTE_TYPE;
	err = rule_check_value(to);
	if (err)
		return err;
	if (!is_open(change, rule, to))
		return ERROR_ATTRIBUTE_READ_ONLY;
	if (attributes_get(&change->from->attributes, to->type, &now) && is_stuck(rule, &now) &&
	    !rule_same_value(&now, to))
		return ERROR_ATTRIBUTE_READ_ONLY;
	return ERROR_NONE;
}

/* Is this type in the template before the cursor of its attribute? */
static bool came_before(const struct wire_template *template, size_t before, uint64_t type)
{
	struct wire_attribute attribute;
	size_t cursor = 0;

	while (cursor < before && wire_template_next(template, &cursor, &attribute)) {
		if (attribute.type == type)
			return true;
	}
	return false;
}

static enum err apply(const struct change *change, const struct wire_template *template,
                      struct attributes *set)
{
	struct wire_attribute to;
	size_t cursor = 0, before = 0;

	for (; wire_template_next(template, &cursor, &to); before = cursor) {
		enum err err = check_change(change, &to);

		if (!err && came_before(template, before, to.type))
			err = ERROR_TEMPLATE_INCONSISTENT;
		if (!err)
			err = attributes_set(set, &to);
		if (err)
			return err;
	}
	return ERROR_NONE;
}

/* Nothing private becomes public by being copied. */
static enum err check_result(const struct change *change, const struct attributes *set)
{
	if (change->from->is_private && !attributes_flag(set, CKA_PRIVATE))
		return ERROR_TEMPLATE_INCONSISTENT;
	return rule_check_set(set, change->scope);
}

static enum err change_object(const struct change *change, const struct wire_template *template,
                              struct attributes *set)
{
	enum err err;

	attributes_init(set);
	err = attributes_copy(set, &change->from->attributes);
	if (!err)
		err = apply(change, template, set);
	if (err)
		return err;
	rule_drop_empty_dates(set);
	return check_result(change, set);
}

enum err template_copy(const struct object *from, const struct wire_template *template, bool so,
                       struct attributes *set)
{
	struct change change = {from, rule_scope_of(&from->attributes), so, true};

	return change_object(&change, template, set);
}

enum err template_modify(const struct object *from, const struct wire_template *template, bool so,
                         struct attributes *set)
{
	struct change change = {from, rule_scope_of(&from->attributes), so, false};

	return change_object(&change, template, set);
}
