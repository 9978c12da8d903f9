/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates, between the application's memory and the wire. The application's pointers may be
 * unaligned, its lengths absurd; every value is copied by memcpy after its length was checked. What
 * an attribute means, and whether it may be there, is the agent's business.
 */
#include "host_template.h"

#include <string.h>

#include "wire/frame.h"

#define DATE_LEN 8u

/* One value of the caller's. */
struct host_value {
	const uint8_t *data;
	size_t len;
};

static void scratch_free(struct wire_buffer *buffer)
{
	wire_buffer_free(buffer);
}

/* Arrays inside an attribute are rare; they are built in a buffer of their own. */
#define scratch_auto __attribute__((cleanup(scratch_free))) struct wire_buffer

CK_ULONG host_ulong(uint64_t value)
{
	return (CK_ULONG)value == value ? (CK_ULONG)value : CK_UNAVAILABLE_INFORMATION;
}

static uint64_t wire_number(CK_ULONG value)
{
	return value == CK_UNAVAILABLE_INFORMATION ? UINT64_MAX : value;
}

static uint64_t load_ulong(const uint8_t *octets)
{
	CK_ULONG value;

	memcpy(&value, octets, sizeof(value));
	return wire_number(value);
}

static void put_attribute(struct wire_buffer *buffer, CK_ULONG type, const struct host_value *value,
                          unsigned int depth);

static void put_bytes(struct wire_buffer *buffer, struct wire_attribute *attribute,
                      const struct host_value *value)
{
	attribute->value = (struct wire_bytes){value->data, value->len};
	wire_put_attribute(buffer, attribute);
}

static void put_mechanisms(struct wire_buffer *buffer, struct wire_attribute *attribute,
                           const struct host_value *value)
{
	scratch_auto list;

	wire_buffer_init(&list, WIRE_CONTROL_LIMIT, NULL);
	for (size_t at = 0; at < value->len && !list.failed; at += sizeof(CK_ULONG))
		wire_put_u64(&list, load_ulong(value->data + at));
	attribute->value = (struct wire_bytes){list.data, list.len};
	if (list.failed)
		buffer->failed = true;
	else
		wire_put_attribute(buffer, attribute);
}

static void put_inner(struct wire_buffer *inner, const struct host_value *array)
{
	CK_ATTRIBUTE each;

	for (size_t at = 0; at < array->len && !inner->failed; at += sizeof(each)) {
		memcpy(&each, array->data + at, sizeof(each));
		put_attribute(inner, each.type, &(struct host_value){each.pValue, each.ulValueLen},
		              1);
	}
}

static void put_attributes(struct wire_buffer *buffer, struct wire_attribute *attribute,
                           const struct host_value *value)
{
	uint32_t count = (uint32_t)(value->len / sizeof(CK_ATTRIBUTE));
	scratch_auto inner;
	scratch_auto whole;

	wire_buffer_init(&inner, WIRE_CONTROL_LIMIT, NULL);
	wire_buffer_init(&whole, WIRE_CONTROL_LIMIT, NULL);
	put_inner(&inner, value);
	wire_put_template(&whole, wire_template_view(&inner, count));
	attribute->value = (struct wire_bytes){whole.data, whole.len};
	if (inner.failed || whole.failed)
		buffer->failed = true;
	else
		wire_put_attribute(buffer, attribute);
}

/* Does the value have the shape of its kind? Lengths only, but that a flag is 0 or 1. */
static bool is_well_formed(enum wire_attribute_kind kind, const struct host_value *value,
                           unsigned int depth)
{
	if (value->len == CK_UNAVAILABLE_INFORMATION || (!value->data && value->len))
		return false;
	switch (kind) {
	case WIRE_ATTRIBUTE_NUMBER:
		return value->len == sizeof(CK_ULONG);
	case WIRE_ATTRIBUTE_FLAG:
		return value->len == sizeof(CK_BBOOL) && value->data[0] <= CK_TRUE;
	case WIRE_ATTRIBUTE_DATE:
		return value->len == 0 || value->len == DATE_LEN;
	case WIRE_ATTRIBUTE_MECHANISMS:
		return value->len % sizeof(CK_ULONG) == 0;
	case WIRE_ATTRIBUTE_ATTRIBUTES:
		return depth == 0 && value->len % sizeof(CK_ATTRIBUTE) == 0 &&
		       value->len / sizeof(CK_ATTRIBUTE) <= WIRE_ATTRIBUTE_MAX;
	default:
		return true;
	}
}

static void put_attribute(struct wire_buffer *buffer, CK_ULONG type, const struct host_value *value,
                          unsigned int depth)
{
	struct wire_attribute attribute = {.type = type, .kind = wire_attribute_kind_of(type)};

	if (!is_well_formed(attribute.kind, value, depth))
		attribute.kind = WIRE_ATTRIBUTE_MALFORMED;
	switch (attribute.kind) {
	case WIRE_ATTRIBUTE_NUMBER:
		attribute.number = load_ulong(value->data);
		break;
	case WIRE_ATTRIBUTE_FLAG:
		attribute.number = value->data[0];
		break;
	case WIRE_ATTRIBUTE_MECHANISMS:
		put_mechanisms(buffer, &attribute, value);
		return;
	case WIRE_ATTRIBUTE_ATTRIBUTES:
		put_attributes(buffer, &attribute, value);
		return;
	case WIRE_ATTRIBUTE_MALFORMED:
		break;
	default:
		put_bytes(buffer, &attribute, value);
		return;
	}
	wire_put_attribute(buffer, &attribute);
}

CK_RV host_template_encode(const CK_ATTRIBUTE *attributes, CK_ULONG count,
                           struct wire_buffer *buffer, struct wire_template *out)
{
	CK_ATTRIBUTE each;

	if ((!attributes && count) || count > WIRE_ATTRIBUTE_MAX)
		return CKR_ARGUMENTS_BAD;
	for (CK_ULONG i = 0; i < count && !buffer->failed; i++) {
		memcpy(&each, (const uint8_t *)attributes + i * sizeof(each), sizeof(each));
		put_attribute(buffer, each.type, &(struct host_value){each.pValue, each.ulValueLen},
		              0);
	}
	*out = wire_template_view(buffer, (uint32_t)count);
	return buffer->failed ? CKR_ARGUMENTS_BAD : CKR_OK;
}

CK_RV host_template_types(const CK_ATTRIBUTE *attributes, CK_ULONG count,
                          struct wire_buffer *buffer, struct wire_u64_list *out)
{
	if (count > WIRE_ATTRIBUTE_MAX)
		return CKR_ARGUMENTS_BAD;
	for (CK_ULONG i = 0; i < count; i++)
		wire_put_u64(buffer, attributes[i].type);
	*out = (struct wire_u64_list){(uint32_t)count, buffer->data};
	return buffer->failed ? CKR_HOST_MEMORY : CKR_OK;
}

/* Replies. Each give_* sets ulValueLen and, where there is room, the value. */

static CK_RV refuse(CK_ATTRIBUTE *attribute, CK_RV rv)
{
	attribute->ulValueLen = CK_UNAVAILABLE_INFORMATION;
	return rv;
}

/* True when the caller's buffer is there and large enough; else *rv is what to return. */
static bool has_room(CK_ATTRIBUTE *attribute, size_t len, CK_RV *rv)
{
	bool fits = attribute->pValue && attribute->ulValueLen >= len;

	*rv = CKR_OK;
	if (attribute->pValue && !fits)
		*rv = refuse(attribute, CKR_BUFFER_TOO_SMALL);
	else
		attribute->ulValueLen = len;
	return fits;
}

static CK_RV give_octets(CK_ATTRIBUTE *attribute, const void *octets, size_t len)
{
	CK_RV rv;

	if (has_room(attribute, len, &rv) && len)
		memcpy(attribute->pValue, octets, len);
	return rv;
}

static CK_RV give_mechanisms(CK_ATTRIBUTE *attribute, struct wire_bytes value)
{
	size_t count = value.len / sizeof(uint64_t);
	CK_RV rv;

	if (!has_room(attribute, count * sizeof(CK_ULONG), &rv))
		return rv;
	for (size_t i = 0; i < count; i++) {
		CK_ULONG number = host_ulong(wire_load_u64(value.data + i * sizeof(uint64_t)));

		memcpy((uint8_t *)attribute->pValue + i * sizeof(number), &number, sizeof(number));
	}
	return rv;
}

static CK_RV give_attribute(CK_ATTRIBUTE *attribute, const struct wire_attribute *value,
                            unsigned int depth);

static void keep_first(CK_RV *rv, CK_RV next)
{
	if (*rv == CKR_OK)
		*rv = next;
}

/* The caller's array holds the buffers of the inner values. */
static CK_RV give_inner(CK_ATTRIBUTE *attribute, const struct wire_template *inner)
{
	uint8_t *array = attribute->pValue;
	struct wire_attribute value;
	CK_ATTRIBUTE each;
	size_t cursor = 0;
	CK_RV rv = CKR_OK;

	for (size_t at = 0; wire_template_next(inner, &cursor, &value); at += sizeof(each)) {
		memcpy(&each, array + at, sizeof(each));
		each.type = host_ulong(value.type);
		keep_first(&rv, give_attribute(&each, &value, 1));
		memcpy(array + at, &each, sizeof(each));
	}
	return rv;
}

static CK_RV give_attributes(CK_ATTRIBUTE *attribute, struct wire_bytes value, unsigned int depth)
{
	struct wire_template inner;
	struct wire_reader reader;
	CK_RV rv;

	wire_reader_init(&reader, value);
	inner = wire_get_template(&reader);
	if (depth || !wire_reader_done(&reader))
		return refuse(attribute, CKR_DEVICE_ERROR);
	if (!has_room(attribute, inner.count * sizeof(CK_ATTRIBUTE), &rv))
		return rv;
	return give_inner(attribute, &inner);
}

static CK_RV give_attribute(CK_ATTRIBUTE *attribute, const struct wire_attribute *value,
                            unsigned int depth)
{
	CK_ULONG number = host_ulong(value->number);
	CK_BBOOL flag = value->number ? CK_TRUE : CK_FALSE;

	switch (value->kind) {
	case WIRE_ATTRIBUTE_UNAVAILABLE:
		return refuse(attribute, number ? number : CKR_DEVICE_ERROR);
	case WIRE_ATTRIBUTE_NUMBER:
		return give_octets(attribute, &number, sizeof(number));
	case WIRE_ATTRIBUTE_FLAG:
		return give_octets(attribute, &flag, sizeof(flag));
	case WIRE_ATTRIBUTE_MECHANISMS:
		return give_mechanisms(attribute, value->value);
	case WIRE_ATTRIBUTE_ATTRIBUTES:
		return give_attributes(attribute, value->value, depth);
	case WIRE_ATTRIBUTE_BYTES:
	case WIRE_ATTRIBUTE_DATE:
		return give_octets(attribute, value->value.data, value->value.len);
	default:
		return refuse(attribute, CKR_DEVICE_ERROR);
	}
}

bool host_template_decode(const struct wire_template *reply, CK_ATTRIBUTE *attributes,
                          CK_ULONG count, CK_RV *rv)
{
	struct wire_attribute value;
	size_t cursor = 0;

	*rv = CKR_OK;
	if (reply->count != count)
		return false;
	for (CK_ULONG i = 0; i < count; i++) {
		if (!wire_template_next(reply, &cursor, &value) || value.type != attributes[i].type)
			return false;
		keep_first(rv, give_attribute(&attributes[i], &value, 0));
	}
	return true;
}
