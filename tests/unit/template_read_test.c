/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading attributes and matching templates (row B20): every attribute of every kind of object,
 * with and without a value, hidden and open; and that a search finds what reading shows and no
 * more.
 */
#include "template_help.h"

static struct object *key_object(const struct kind *kind, bool sensitive, bool extractable)
{
	builder_auto builder = builder_new();

	put_flag(&builder, CKA_SENSITIVE, sensitive);
	put_flag(&builder, CKA_EXTRACTABLE, extractable);
	return make_object(kind, &builder);
}

static void expect_unavailable(const struct wire_attribute *attribute, uint64_t type, CK_RV ckr)
{
	EXPECT_EQ(attribute->type, type);
	EXPECT_EQ(attribute->kind, WIRE_ATTRIBUTE_UNAVAILABLE);
	EXPECT_EQ(attribute->number, ckr);
}

/* What the standard says of an attribute that has no value here. */
static void check_absent(const struct kind *kind, uint64_t type,
                         const struct wire_attribute *attribute)
{
	if (!noted(standard_of(type, kind), 'E')) {
		expect_unavailable(attribute, type, CKR_ATTRIBUTE_TYPE_INVALID);
		return;
	}
	EXPECT_EQ(attribute->kind, wire_attribute_kind_of(type));
	EXPECT_EQ(attribute->value.len, 0);
}

static void check_read(const struct kind *kind, const struct object *object, uint64_t type)
{
	const struct standard *standard = standard_of(type, kind);
	struct wire_attribute attribute, stored;
	bool open = (object->usage & USAGE_EXTRACTABLE) && !(object->usage & USAGE_SENSITIVE);

	template_read(object, type, &attribute);
	EXPECT_EQ(attribute.type, type);
	if (type == CKA_UNIQUE_ID)
		EXPECT_EQ(attribute.value.len, 2 * OBJECT_UID_LEN);
	else if (!standard)
		expect_unavailable(&attribute, type, CKR_ATTRIBUTE_TYPE_INVALID);
	else if (noted(standard, '7') && !open)
		expect_unavailable(&attribute, type, CKR_ATTRIBUTE_SENSITIVE);
	else if (attributes_get(&object->attributes, type, &stored))
		EXPECT_TRUE(rule_same_value(&attribute, &stored));
	else
		check_absent(kind, type, &attribute);
}

TEST(every_attribute_read)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		bool has_secrets = kinds[i].scope.object_class & (RULE_PRIVATE | RULE_SECRET);

		for (int way = 0; way < (has_secrets ? 4 : 1); way++) {
			object_auto object = has_secrets ? key_object(&kinds[i], way & 1, way & 2)
			                                 : make_object(&kinds[i], NULL);

			for (size_t k = 0; k < COUNT(wire_types); k++)
				check_read(&kinds[i], object, wire_types[k]);
		}
	}
}

/* Footnote 7: either flag hides. */
TEST(secrets_are_hidden)
{
	for (int way = 0; way < 4; way++) {
		object_auto object = key_object(kind_named("AES"), way & 1, way & 2);
		struct wire_attribute attribute;

		template_read(object, CKA_VALUE, &attribute);
		if (way == 2)
			EXPECT_EQ(attribute.kind, WIRE_ATTRIBUTE_BYTES);
		else
			expect_unavailable(&attribute, CKA_VALUE, CKR_ATTRIBUTE_SENSITIVE);
	}
}

/* The names of secret parts, even those that this key does not have, are answered alike. */
TEST(absent_secrets_are_hidden_too)
{
	object_auto object = key_object(kind_named("RSA private"), true, false);
	struct wire_attribute attribute;

	template_read(object, CKA_PRIME_1, &attribute);
	expect_unavailable(&attribute, CKA_PRIME_1, CKR_ATTRIBUTE_SENSITIVE);
}

/* CLIENTS.md: pkcs11-tool expects "no such attribute" where nothing restricts the mechanisms. */
TEST(allowed_mechanisms)
{
	static const uint8_t list[16] = {0x82, 0x10, 0, 0, 0, 0, 0, 0, 0x87, 0x10};
	object_auto unrestricted = make_object(kind_named("AES"), NULL);
	builder_auto builder = builder_new();
	object_auto restricted = NULL;
	struct wire_attribute attribute;

	put_octets(&builder, CKA_ALLOWED_MECHANISMS, list, sizeof(list));
	restricted = make_object(kind_named("AES"), &builder);
	template_read(unrestricted, CKA_ALLOWED_MECHANISMS, &attribute);
	expect_unavailable(&attribute, CKA_ALLOWED_MECHANISMS, CKR_ATTRIBUTE_TYPE_INVALID);
	template_read(restricted, CKA_ALLOWED_MECHANISMS, &attribute);
	EXPECT_EQ(attribute.kind, WIRE_ATTRIBUTE_MECHANISMS);
	ASSERT_EQ(attribute.value.len, sizeof(list));
	EXPECT_MEMEQ(attribute.value.data, list, sizeof(list));
}

/* v3.0 §4.4: CKA_UNIQUE_ID is text. */
TEST(unique_id_is_the_uid_in_hexadecimal)
{
	object_auto object = make_object(kind_named("data"), NULL);
	struct wire_attribute attribute;

	for (uint8_t i = 0; i < OBJECT_UID_LEN; i++)
		object->uid[i] = (uint8_t)(16 * i + 15 - i);
	template_read(object, CKA_UNIQUE_ID, &attribute);
	EXPECT_EQ(attribute.kind, WIRE_ATTRIBUTE_BYTES);
	ASSERT_EQ(attribute.value.len, 32);
	EXPECT_MEMEQ(attribute.value.data, "0f1e2d3c4b5a69788796a5b4c3d2e1f0", 32);
}

TEST(vendor_attributes_are_unknown)
{
	object_auto object = make_object(kind_named("certificate"), NULL);
	struct wire_attribute attribute;

	template_read(object, 0xce536351u, &attribute);
	expect_unavailable(&attribute, 0xce536351u, CKR_ATTRIBUTE_TYPE_INVALID);
}

/* An object whose class this version does not know shows nothing and breaks nothing. */
TEST(unknown_classes_show_nothing)
{
	object_auto object = make_object(kind_named("data"), NULL);
	struct wire_attribute attribute;

	object->object_class = CKO_HW_FEATURE;
	template_read(object, CKA_LABEL, &attribute);
	expect_unavailable(&attribute, CKA_LABEL, CKR_ATTRIBUTE_TYPE_INVALID);
}

static bool matches(const struct object *object, const struct builder *builder)
{
	struct wire_template template = view(builder);

	return template_matches(object, &template);
}

static bool matches_one(const struct object *object, const struct wire_attribute *attribute)
{
	builder_auto builder = builder_new();

	put(&builder, attribute);
	return matches(object, &builder);
}

/* What reading shows is what a search finds; what it hides, no search finds. */
static void check_found(const struct object *object, uint64_t type)
{
	struct wire_attribute attribute, stored;

	template_read(object, type, &attribute);
	if (attribute.kind != WIRE_ATTRIBUTE_UNAVAILABLE) {
		EXPECT_TRUE(matches_one(object, &attribute));
		return;
	}
	EXPECT_FALSE(matches_one(object, &attribute));
	if (attributes_get(&object->attributes, type, &stored))
		EXPECT_FALSE(matches_one(object, &stored));
}

TEST(every_attribute_found)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		object_auto object = make_object(&kinds[i], NULL);

		for (size_t k = 0; k < COUNT(wire_types); k++)
			check_found(object, wire_types[k]);
	}
}

/* Each attribute that is there, changed a little, is not found. */
static void check_not_found(const struct object *object, uint64_t type)
{
	struct wire_attribute attribute;
	uint8_t longer[256] = {0};

	template_read(object, type, &attribute);
	if (attribute.kind == WIRE_ATTRIBUTE_UNAVAILABLE)
		return;
	attribute.number ^= 1;
	if (attribute.kind == WIRE_ATTRIBUTE_NUMBER || attribute.kind == WIRE_ATTRIBUTE_FLAG) {
		EXPECT_FALSE(matches_one(object, &attribute));
		return;
	}
	if (attribute.kind != WIRE_ATTRIBUTE_BYTES)
		return;
	ASSERT_LT(attribute.value.len, sizeof(longer));
	if (attribute.value.len)
		memcpy(longer, attribute.value.data, attribute.value.len);
	attribute.value = (struct wire_bytes){longer, attribute.value.len + 1};
	EXPECT_FALSE(matches_one(object, &attribute));
}

TEST(every_attribute_not_found)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		object_auto object = make_object(&kinds[i], NULL);

		for (size_t k = 0; k < COUNT(wire_types); k++)
			check_not_found(object, wire_types[k]);
	}
}

/* The cached attributes are compared by kind, too; a malformed value is equal to nothing. */
TEST(kinds_matter)
{
	static const uint64_t types[] = {CKA_CLASS, CKA_KEY_TYPE, CKA_TOKEN, CKA_PRIVATE,
	                                 CKA_LABEL};
	builder_auto extra = builder_new();
	object_auto object = NULL;

	put_flag(&extra, CKA_PRIVATE, false);
	object = make_object(kind_named("RSA public"), &extra);
	for (size_t i = 0; i < COUNT(types); i++) {
		for (uint8_t kind = WIRE_ATTRIBUTE_BYTES; kind <= WIRE_ATTRIBUTE_UNAVAILABLE;
		     kind++) {
			struct wire_attribute attribute;

			template_read(object, types[i], &attribute);
			if (kind == attribute.kind || kind == WIRE_ATTRIBUTE_ATTRIBUTES)
				continue;
			attribute.kind = kind;
			EXPECT_FALSE(matches_one(object, &attribute));
		}
	}
}

/* Objects without a key type are not found by the value that stands for none. */
TEST(no_key_type_is_not_a_key_type)
{
	object_auto object = make_object(kind_named("certificate"), NULL);
	builder_auto builder = builder_new();

	put_number(&builder, CKA_KEY_TYPE, NONE);
	EXPECT_FALSE(matches(object, &builder));
}

TEST(all_attributes_must_match)
{
	builder_auto extra = builder_new();
	builder_auto both = builder_new();
	object_auto object = NULL;

	put_text(&extra, CKA_LABEL, "label");
	put_text(&extra, CKA_ID, "id");
	object = make_object(kind_named("AES"), &extra);
	EXPECT_TRUE(matches(object, &both));
	put_number(&both, CKA_CLASS, CKO_SECRET_KEY);
	put_text(&both, CKA_LABEL, "label");
	EXPECT_TRUE(matches(object, &both));
	put_text(&both, CKA_ID, "other");
	EXPECT_FALSE(matches(object, &both));
}

/* NSS looks for its own attributes. */
TEST(vendor_attributes_match_nothing)
{
	object_auto object = make_object(kind_named("certificate"), NULL);
	builder_auto builder = builder_new();

	put_text(&builder, 0xce534351u, "");
	EXPECT_FALSE(matches(object, &builder));
}

/* Session objects are looked for by unique id like others; two at once do not disturb each other.
 */
TEST(unique_ids_are_found)
{
	object_auto one = make_object(kind_named("data"), NULL);
	object_auto two = make_object(kind_named("data"), NULL);
	builder_auto builder = builder_new();
	struct wire_attribute attribute;

	one->uid[0] = 1;
	two->uid[0] = 2;
	template_read(one, CKA_UNIQUE_ID, &attribute);
	put(&builder, &attribute);
	EXPECT_TRUE(matches(one, &builder));
	EXPECT_FALSE(matches(two, &builder));
}

HARNESS_MAIN
