/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/host_template.c: the caller's CK_ATTRIBUTE arrays to the wire, with every wrong length, and
 * replies into the caller's array by the rules of C_GetAttributeValue.
 */
#include "host_template.h"

#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "wire/frame.h"

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

static struct wire_buffer buffer;
static CK_ULONG key_class = CKO_SECRET_KEY;
static CK_BBOOL yes = CK_TRUE;

static void renew(void)
{
	wire_buffer_free(&buffer);
	wire_buffer_init(&buffer, WIRE_CONTROL_LIMIT, NULL);
}

/* Encodes one attribute and reads it back. */
static struct wire_attribute encode(CK_ULONG type, const void *value, CK_ULONG len)
{
	CK_ATTRIBUTE attribute = {type, (void *)(uintptr_t)value, len};
	struct wire_template out;
	struct wire_attribute result;
	size_t cursor = 0;

	renew();
	if (host_template_encode(&attribute, 1, &buffer, &out) != CKR_OK || out.count != 1 ||
	    !wire_template_next(&out, &cursor, &result))
		abort();
	return result;
}

TEST(values_by_kind)
{
	CK_ULONG unavailable = CK_UNAVAILABLE_INFORMATION;
	struct wire_attribute out = encode(CKA_CLASS, &key_class, sizeof(key_class));

	ASSERT_EQ(out.kind, WIRE_ATTRIBUTE_NUMBER);
	ASSERT_EQ(out.number, CKO_SECRET_KEY);
	out = encode(CKA_CLASS, &unavailable, sizeof(unavailable));
	ASSERT_EQ(out.number, UINT64_MAX);
	out = encode(CKA_TOKEN, &yes, 1);
	ASSERT_EQ(out.kind, WIRE_ATTRIBUTE_FLAG);
	ASSERT_EQ(out.number, 1);
	out = encode(CKA_LABEL, "label", 5);
	ASSERT_EQ(out.kind, WIRE_ATTRIBUTE_BYTES);
	ASSERT_EQ(out.value.len, 5);
	ASSERT_MEMEQ(out.value.data, "label", 5);
	out = encode(CKA_START_DATE, "20260131", 8);
	ASSERT_EQ(out.kind, WIRE_ATTRIBUTE_DATE);
	ASSERT_EQ(encode(CKA_START_DATE, NULL, 0).kind, WIRE_ATTRIBUTE_DATE);
	ASSERT_EQ(encode(CKA_LABEL, NULL, 0).kind, WIRE_ATTRIBUTE_BYTES);
	ASSERT_EQ(encode(CKA_VENDOR_DEFINED + 7, "x", 1).kind, WIRE_ATTRIBUTE_BYTES);
}

TEST(wrong_lengths_are_malformed)
{
	static const uint8_t zeros[64];
	static const struct {
		CK_ULONG type;
		size_t good, also;
	} rows[] = {
		{CKA_CLASS, sizeof(CK_ULONG), sizeof(CK_ULONG)},
		{CKA_TOKEN, 1, 1},
		{CKA_END_DATE, 0, 8},
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		for (size_t len = 0; len <= sizeof(zeros); len++) {
			bool good = len == rows[i].good || len == rows[i].also;

			EXPECT_EQ(encode(rows[i].type, zeros, len).kind == WIRE_ATTRIBUTE_MALFORMED,
			          !good);
		}
	}
	EXPECT_EQ(encode(CKA_TOKEN, "\2", 1).kind, WIRE_ATTRIBUTE_MALFORMED);
	EXPECT_EQ(encode(CKA_LABEL, NULL, 4).kind, WIRE_ATTRIBUTE_MALFORMED);
	EXPECT_EQ(encode(CKA_LABEL, "x", CK_UNAVAILABLE_INFORMATION).kind,
	          WIRE_ATTRIBUTE_MALFORMED);
	EXPECT_EQ(encode(CKA_ALLOWED_MECHANISMS, zeros, 9).kind, WIRE_ATTRIBUTE_MALFORMED);
	EXPECT_EQ(encode(CKA_WRAP_TEMPLATE, zeros, sizeof(CK_ATTRIBUTE) + 1).kind,
	          WIRE_ATTRIBUTE_MALFORMED);
}

TEST(unaligned_number)
{
	uint8_t place[1 + sizeof(CK_ULONG)];

	memcpy(place + 1, &key_class, sizeof(key_class));
	ASSERT_EQ(encode(CKA_CLASS, place + 1, sizeof(key_class)).number, CKO_SECRET_KEY);
}

TEST(mechanisms)
{
	CK_MECHANISM_TYPE list[] = {CKM_AES_GCM, CKM_AES_CBC};
	struct wire_attribute out = encode(CKA_ALLOWED_MECHANISMS, list, sizeof(list));

	ASSERT_EQ(out.kind, WIRE_ATTRIBUTE_MECHANISMS);
	ASSERT_EQ(out.value.len, 16);
	ASSERT_EQ(wire_load_u64(out.value.data + 8), CKM_AES_CBC);
	ASSERT_EQ(encode(CKA_ALLOWED_MECHANISMS, NULL, 0).kind, WIRE_ATTRIBUTE_MECHANISMS);
}

TEST(nested_template)
{
	CK_ATTRIBUTE inner[] = {
		{CKA_CLASS, &key_class, sizeof(key_class)},
		{CKA_WRAP_TEMPLATE, inner, sizeof(*inner)}, /* a second level is not allowed */
		{CKA_TOKEN, &yes, 1},
	};
	struct wire_attribute out = encode(CKA_UNWRAP_TEMPLATE, inner, sizeof(inner)), each;
	struct wire_reader reader;
	struct wire_template template;
	size_t cursor = 0;

	ASSERT_EQ(out.kind, WIRE_ATTRIBUTE_ATTRIBUTES);
	wire_reader_init(&reader, out.value);
	template = wire_get_template(&reader);
	ASSERT_TRUE(wire_reader_done(&reader));
	ASSERT_EQ(template.count, 3);
	ASSERT_TRUE(wire_template_next(&template, &cursor, &each));
	EXPECT_EQ(each.number, CKO_SECRET_KEY);
	ASSERT_TRUE(wire_template_next(&template, &cursor, &each));
	EXPECT_EQ(each.kind, WIRE_ATTRIBUTE_MALFORMED);
	ASSERT_TRUE(wire_template_next(&template, &cursor, &each));
	EXPECT_EQ(each.number, 1);
}

TEST(limits)
{
	CK_ATTRIBUTE *many = calloc(WIRE_ATTRIBUTE_MAX + 1, sizeof(*many));
	uint8_t *huge = calloc(1, WIRE_CONTROL_LIMIT);
	CK_ATTRIBUTE large = {CKA_VALUE, huge, WIRE_CONTROL_LIMIT};
	struct wire_template out;

	renew();
	EXPECT_EQ(host_template_encode(NULL, 0, &buffer, &out), CKR_OK);
	EXPECT_EQ(host_template_encode(NULL, 1, &buffer, &out), CKR_ARGUMENTS_BAD);
	EXPECT_EQ(host_template_encode(many, WIRE_ATTRIBUTE_MAX + 1, &buffer, &out),
	          CKR_ARGUMENTS_BAD);
	EXPECT_EQ(host_template_encode(many, WIRE_ATTRIBUTE_MAX, &buffer, &out), CKR_OK);
	renew();
	EXPECT_EQ(host_template_encode(&large, 1, &buffer, &out), CKR_ARGUMENTS_BAD);
	large.ulValueLen = CK_UNAVAILABLE_INFORMATION - 1;
	renew();
	EXPECT_EQ(host_template_encode(&large, 1, &buffer, &out), CKR_ARGUMENTS_BAD);
	free(many);
	free(huge);
}

/* A reply of one attribute. */
static struct wire_template reply(uint64_t type, enum wire_attribute_kind kind, uint64_t number,
                                  const void *value, size_t len)
{
	struct wire_attribute attribute = {type, (uint8_t)kind, number, {value, len}};

	renew();
	wire_put_attribute(&buffer, &attribute);
	return wire_template_view(&buffer, 1);
}

static CK_RV decode(const struct wire_template *template, CK_ATTRIBUTE *attributes, CK_ULONG count)
{
	CK_RV rv;

	return host_template_decode(template, attributes, count, &rv) ? rv : CKR_DEVICE_ERROR;
}

TEST(reply_length_value_and_short_buffer)
{
	uint8_t place[8] = {0};
	CK_ATTRIBUTE attribute = {CKA_ID, NULL, 99};
	struct wire_template template = reply(CKA_ID, WIRE_ATTRIBUTE_BYTES, 0, "12345", 5);

	ASSERT_EQ(decode(&template, &attribute, 1), CKR_OK);
	ASSERT_EQ(attribute.ulValueLen, 5);
	attribute.pValue = place;
	ASSERT_EQ(decode(&template, &attribute, 1), CKR_OK);
	ASSERT_MEMEQ(place, "12345\0\0\0", 8);
	memset(place, 0, sizeof(place));
	attribute.ulValueLen = 4;
	ASSERT_EQ(decode(&template, &attribute, 1), CKR_BUFFER_TOO_SMALL);
	ASSERT_EQ(attribute.ulValueLen, CK_UNAVAILABLE_INFORMATION);
	ASSERT_MEMEQ(place, "\0\0\0\0\0\0\0\0", 8);
	attribute.ulValueLen = 8;
	ASSERT_EQ(decode(&template, &attribute, 1), CKR_OK);
	ASSERT_EQ(attribute.ulValueLen, 5);
}

TEST(reply_number_flag_mechanisms)
{
	CK_ULONG number = 0, mechanisms[2] = {0};
	CK_BBOOL flag = 9;
	uint8_t list[16];
	CK_ATTRIBUTE attribute = {CKA_CLASS, &number, sizeof(number)};
	struct wire_template template = reply(CKA_CLASS, WIRE_ATTRIBUTE_NUMBER, 3, NULL, 0);

	ASSERT_EQ(decode(&template, &attribute, 1), CKR_OK);
	ASSERT_EQ(number, 3);
	template = reply(CKA_CLASS, WIRE_ATTRIBUTE_NUMBER, UINT64_MAX, NULL, 0);
	ASSERT_EQ(decode(&template, &attribute, 1), CKR_OK);
	ASSERT_EQ(number, CK_UNAVAILABLE_INFORMATION);
	attribute = (CK_ATTRIBUTE){CKA_TOKEN, &flag, 1};
	template = reply(CKA_TOKEN, WIRE_ATTRIBUTE_FLAG, 0, NULL, 0);
	ASSERT_EQ(decode(&template, &attribute, 1), CKR_OK);
	ASSERT_EQ(flag, CK_FALSE);
	wire_store_u64(list, CKM_AES_GCM);
	wire_store_u64(list + 8, CKM_AES_CBC);
	attribute = (CK_ATTRIBUTE){CKA_ALLOWED_MECHANISMS, mechanisms, sizeof(mechanisms)};
	template = reply(CKA_ALLOWED_MECHANISMS, WIRE_ATTRIBUTE_MECHANISMS, 0, list, 16);
	ASSERT_EQ(decode(&template, &attribute, 1), CKR_OK);
	ASSERT_EQ(mechanisms[1], CKM_AES_CBC);
	attribute.ulValueLen = sizeof(mechanisms) - 1;
	ASSERT_EQ(decode(&template, &attribute, 1), CKR_BUFFER_TOO_SMALL);
}

/* All are processed whatever happens; the first failure is returned. */
TEST(reply_processes_every_attribute)
{
	CK_ULONG number = 0;
	uint8_t small[2], octets[8];
	CK_ATTRIBUTE attributes[] = {
		{CKA_ID, octets, sizeof(octets)},     {CKA_VALUE, octets, sizeof(octets)},
		{CKA_LABEL, small, sizeof(small)},    {CKA_MODULUS, NULL, 0},
		{CKA_CLASS, &number, sizeof(number)},
	};
	struct wire_attribute values[] = {
		{CKA_ID, WIRE_ATTRIBUTE_BYTES, 0, {(const uint8_t *)"id", 2}},
		{CKA_VALUE, WIRE_ATTRIBUTE_UNAVAILABLE, CKR_ATTRIBUTE_SENSITIVE, {NULL, 0}},
		{CKA_LABEL, WIRE_ATTRIBUTE_BYTES, 0, {(const uint8_t *)"label", 5}},
		{CKA_MODULUS, WIRE_ATTRIBUTE_UNAVAILABLE, CKR_ATTRIBUTE_TYPE_INVALID, {NULL, 0}},
		{CKA_CLASS, WIRE_ATTRIBUTE_NUMBER, 4, {NULL, 0}},
	};
	struct wire_template template;

	renew();
	for (size_t i = 0; i < LEN(values); i++)
		wire_put_attribute(&buffer, &values[i]);
	template = wire_template_view(&buffer, LEN(values));
	ASSERT_EQ(decode(&template, attributes, LEN(attributes)), CKR_ATTRIBUTE_SENSITIVE);
	EXPECT_EQ(attributes[0].ulValueLen, 2);
	EXPECT_EQ(attributes[1].ulValueLen, CK_UNAVAILABLE_INFORMATION);
	EXPECT_EQ(attributes[2].ulValueLen, CK_UNAVAILABLE_INFORMATION);
	EXPECT_EQ(attributes[3].ulValueLen, CK_UNAVAILABLE_INFORMATION);
	EXPECT_EQ(number, 4);
}

TEST(reply_that_answers_something_else)
{
	CK_ATTRIBUTE attributes[2] = {{CKA_LABEL, NULL, 0}, {CKA_ID, NULL, 0}};
	struct wire_template template = reply(CKA_ID, WIRE_ATTRIBUTE_BYTES, 0, "x", 1);

	EXPECT_EQ(decode(&template, attributes, 1), CKR_DEVICE_ERROR);
	EXPECT_EQ(decode(&template, attributes + 1, 1), CKR_OK);
	EXPECT_EQ(decode(&template, attributes, 2), CKR_DEVICE_ERROR);
	EXPECT_EQ(decode(&template, attributes, 0), CKR_DEVICE_ERROR);
}

TEST(reply_nested)
{
	CK_ULONG number = 0;
	CK_ATTRIBUTE inner[2] = {{0, &number, sizeof(number)}, {0, NULL, 0}};
	CK_ATTRIBUTE outer = {CKA_WRAP_TEMPLATE, NULL, 0};
	struct wire_attribute values[] = {
		{CKA_CLASS, WIRE_ATTRIBUTE_NUMBER, 4, {NULL, 0}},
		{CKA_LABEL, WIRE_ATTRIBUTE_BYTES, 0, {(const uint8_t *)"label", 5}},
	};
	struct wire_buffer attributes, value;
	struct wire_template template;

	wire_buffer_init(&attributes, 1000, NULL);
	wire_buffer_init(&value, 1000, NULL);
	wire_put_attribute(&attributes, &values[0]);
	wire_put_attribute(&attributes, &values[1]);
	wire_put_template(&value, wire_template_view(&attributes, 2));
	template = reply(CKA_WRAP_TEMPLATE, WIRE_ATTRIBUTE_ATTRIBUTES, 0, value.data, value.len);

	EXPECT_EQ(decode(&template, &outer, 1), CKR_OK);
	EXPECT_EQ(outer.ulValueLen, sizeof(inner));
	outer.pValue = inner;
	EXPECT_EQ(decode(&template, &outer, 1), CKR_OK);
	EXPECT_EQ(inner[0].type, CKA_CLASS);
	EXPECT_EQ(number, 4);
	EXPECT_EQ(inner[1].type, CKA_LABEL);
	EXPECT_EQ(inner[1].ulValueLen, 5);
	inner[0].ulValueLen = 1;
	EXPECT_EQ(decode(&template, &outer, 1), CKR_BUFFER_TOO_SMALL);
	EXPECT_EQ(inner[0].ulValueLen, CK_UNAVAILABLE_INFORMATION);
	EXPECT_EQ(inner[1].ulValueLen, 5);
	outer.ulValueLen = sizeof(inner) - 1;
	EXPECT_EQ(decode(&template, &outer, 1), CKR_BUFFER_TOO_SMALL);
	EXPECT_EQ(outer.ulValueLen, CK_UNAVAILABLE_INFORMATION);
	wire_buffer_free(&attributes);
	wire_buffer_free(&value);
	wire_buffer_free(&buffer);
}

HARNESS_MAIN
