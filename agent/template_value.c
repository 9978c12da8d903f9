/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values: what one attribute may be by itself, and which attributes of one object must agree. Not
 * key material, which keygen.h judges.
 */
#include "template_rules.h"

#include <string.h>

#define DATE_LEN                  8u
#define CERTIFICATE_CATEGORY_LAST 3u /* CK_CERTIFICATE_CATEGORY_OTHER_ENTITY */
#define SECURITY_DOMAIN_LAST      3u /* CK_SECURITY_DOMAIN_THIRD_PARTY */

/* Decimal digits as a number; -1 when one of them is none. */
static int decimal(const uint8_t *digits, size_t len)
{
	int value = 0;

	for (size_t i = 0; i < len; i++) {
		if (digits[i] < '0' || digits[i] > '9')
			return -1;
		value = 10 * value + (digits[i] - '0');
	}
	return value;
}

static int days_in_month(int year, int month)
{
	static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Empty, or a day of the Gregorian calendar. */
static bool is_date(struct wire_bytes value)
{
	int year, month, day;

	if (!value.len)
		return true;
	if (value.len != DATE_LEN)
		return false;
	year = decimal(value.data, 4);
	month = decimal(value.data + 4, 2);
	day = decimal(value.data + 6, 2);
	return year > 0 && month >= 1 && month <= 12 && day >= 1 &&
	       day <= days_in_month(year, month);
}

struct wire_template rule_nested(const struct wire_attribute *attribute)
{
	struct wire_reader reader;

	if (attribute->kind != WIRE_ATTRIBUTE_ATTRIBUTES)
		return (struct wire_template){0};
	wire_reader_init(&reader, attribute->value);
	return wire_get_template(&reader);
}

/* Is there an attribute of this type at or after the cursor? */
static bool comes_again(const struct wire_template *template, size_t cursor, uint64_t type)
{
	struct wire_attribute attribute;

	while (wire_template_next(template, &cursor, &attribute)) {
		if (attribute.type == type)
			return true;
	}
	return false;
}

/* Attributes that exist, each once and good in itself. Whether they suit a key is seen when the
 * template is used. */
static enum err check_nested(const struct wire_attribute *outer)
{
	struct wire_template template = rule_nested(outer);
	struct wire_attribute attribute;
	size_t cursor = 0;

	while (wire_template_next(&template, &cursor, &attribute)) {
		if (!rule_known(attribute.type) || attribute.kind == WIRE_ATTRIBUTE_ATTRIBUTES ||
		    comes_again(&template, cursor, attribute.type))
			return ERROR_ATTRIBUTE_VALUE;
		if (rule_check_value(&attribute))
			return ERROR_ATTRIBUTE_VALUE;
	}
	return ERROR_NONE;
}

static bool is_good_number(const struct wire_attribute *attribute)
{
	switch (attribute->type) {
	case CKA_CLASS:
		return rule_class_bit(attribute->number);
	case CKA_KEY_TYPE:
		return rule_key_bit(attribute->number) & ~RULE_KEYLESS;
	case CKA_CERTIFICATE_TYPE:
		return attribute->number == CKC_X_509;
	case CKA_CERTIFICATE_CATEGORY:
		return attribute->number <= CERTIFICATE_CATEGORY_LAST;
	case CKA_JAVA_MIDP_SECURITY_DOMAIN:
		return attribute->number <= SECURITY_DOMAIN_LAST;
	default:
		return true;
	}
}

enum err rule_check_value(const struct wire_attribute *attribute)
{
	bool good = true;

	if (attribute->kind != wire_attribute_kind_of(attribute->type))
		return ERROR_ATTRIBUTE_VALUE;
	switch (attribute->kind) {
	case WIRE_ATTRIBUTE_NUMBER:
		good = is_good_number(attribute);
		break;
	case WIRE_ATTRIBUTE_DATE:
		good = is_date(attribute->value);
		break;
	case WIRE_ATTRIBUTE_ATTRIBUTES:
		return check_nested(attribute);
	default:
		break;
	}
	return good ? ERROR_NONE : ERROR_ATTRIBUTE_VALUE;
}

bool rule_same_value(const struct wire_attribute *a, const struct wire_attribute *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == WIRE_ATTRIBUTE_NUMBER || a->kind == WIRE_ATTRIBUTE_FLAG)
		return a->number == b->number;
	return wire_bytes_equal(a->value, b->value);
}

void rule_drop_empty_dates(struct attributes *set)
{
	if (!attributes_bytes(set, CKA_START_DATE).len)
		attributes_remove(set, CKA_START_DATE);
	if (!attributes_bytes(set, CKA_END_DATE).len)
		attributes_remove(set, CKA_END_DATE);
}

/* Eight digits compare as text. */
static bool dates_in_order(const struct attributes *set)
{
	struct wire_bytes start = attributes_bytes(set, CKA_START_DATE);
	struct wire_bytes end = attributes_bytes(set, CKA_END_DATE);

	return start.len != DATE_LEN || end.len != DATE_LEN ||
	       memcmp(start.data, end.data, DATE_LEN) <= 0;
}

/* §4.6.3: a value or a URL; with a URL the hashes of both public keys. */
static enum err check_certificate(const struct attributes *set)
{
	bool has_url = attributes_bytes(set, CKA_URL).len;

	if (!has_url && !attributes_bytes(set, CKA_VALUE).len)
		return ERROR_TEMPLATE_INCOMPLETE;
	if (has_url && (!attributes_bytes(set, CKA_HASH_OF_SUBJECT_PUBLIC_KEY).len ||
	                !attributes_bytes(set, CKA_HASH_OF_ISSUER_PUBLIC_KEY).len))
		return ERROR_TEMPLATE_INCOMPLETE;
	return ERROR_NONE;
}

/* §4.9: CKA_ALWAYS_AUTHENTICATE is for private objects only. */
enum err rule_check_set(const struct attributes *set, struct rule_scope scope)
{
	if (!dates_in_order(set))
		return ERROR_TEMPLATE_INCONSISTENT;
	if (attributes_flag(set, CKA_ALWAYS_AUTHENTICATE) && !attributes_flag(set, CKA_PRIVATE))
		return ERROR_TEMPLATE_INCONSISTENT;
	return scope.object_class == RULE_CERT ? check_certificate(set) : ERROR_NONE;
}
