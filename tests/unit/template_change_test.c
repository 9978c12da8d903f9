/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C_SetAttributeValue and C_CopyObject (row B20): every attribute of every kind of object against
 * the standard's footnotes, the flags that go one way, the SO's rights, and that everything else
 * stays.
 */
#include "template_help.h"

enum how { MODIFY, COPY };

static enum err change(const struct object *from, const struct builder *builder, bool so,
                       enum how how, struct attributes *set)
{
	struct wire_template template = view(builder);

	return how == COPY ? template_copy(from, &template, so, set)
	                   : template_modify(from, &template, so, set);
}

static enum err change_error(const struct object *from, const struct builder *builder, bool so,
                             enum how how)
{
	attributes_auto set = {0};

	return change(from, builder, so, how, &set);
}

/* The error of changing one flag. */
static enum err change_flag(const struct object *from, uint64_t type, bool flag, bool so,
                            enum how how)
{
	builder_auto builder = builder_new();

	put_flag(&builder, type, flag);
	return change_error(from, &builder, so, how);
}

static enum err change_text(const struct object *from, uint64_t type, const char *text,
                            enum how how)
{
	builder_auto builder = builder_new();

	put_text(&builder, type, text);
	return change_error(from, &builder, false, how);
}

/* An object all of whose flags that can be changed are false and not stuck there. */
static struct object *plain_object(const struct kind *kind)
{
	builder_auto builder = builder_new();

	if (kind->scope.object_class & (RULE_PRIVATE | RULE_SECRET)) {
		put_flag(&builder, CKA_SENSITIVE, false);
		put_flag(&builder, CKA_EXTRACTABLE, true);
		put_flag(&builder, CKA_PRIVATE, false);
	}
	return make_object(kind, &builder);
}

static enum err wanted_change(const struct kind *kind, uint64_t type, bool so, enum how how)
{
	const struct standard *standard = standard_of(type, kind);

	if (!standard)
		return ERROR_ATTRIBUTE_TYPE;
	if (noted(standard, 'O'))
		return how == COPY ? ERROR_ATTRIBUTE_READ_ONLY : ERROR_NONE;
	if (noted(standard, '8') || (so && noted(standard, 'a')))
		return ERROR_NONE;
	return how == COPY && noted(standard, 'C') ? ERROR_NONE : ERROR_ATTRIBUTE_READ_ONLY;
}

static void check_one_change(const struct kind *kind, const struct object *object, uint64_t type,
                             bool so, enum how how)
{
	enum err wanted = wanted_change(kind, type, so, how);
	builder_auto builder = builder_new();
	enum err err;

	if (type == CKA_KEY_TYPE && kind->key_type == NONE)
		return;
	put_sample(&builder, type, kind);
	err = change_error(object, &builder, so, how);
	if (err != wanted)
		printf("# %s, attribute 0x%llx, so %d, copy %d: %s, expected %s\n", kind->name,
		       (unsigned long long)type, so, how == COPY, err_ckr_name(err),
		       err_ckr_name(wanted));
	EXPECT_TRUE(err == wanted);
}

TEST(every_attribute_changed)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		object_auto object = plain_object(&kinds[i]);

		for (size_t k = 0; k < COUNT(wire_types); k++) {
			for (int way = 0; way < 4; way++)
				check_one_change(&kinds[i], object, wire_types[k], way & 1,
				                 way & 2 ? COPY : MODIFY);
		}
	}
}

/* Every attribute that may be changed, with a value of a wrong kind. */
TEST(every_attribute_malformed)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		object_auto object = plain_object(&kinds[i]);

		for (size_t k = 0; k < COUNT(wire_types); k++) {
			builder_auto builder = builder_new();

			if (wanted_change(&kinds[i], wire_types[k], false, COPY) != ERROR_NONE)
				continue;
			put(&builder, &(struct wire_attribute){.type = wire_types[k],
			                                       .kind = WIRE_ATTRIBUTE_MALFORMED});
			EXPECT_EQ(change_error(object, &builder, false, COPY),
			          ERROR_ATTRIBUTE_VALUE);
		}
	}
}

TEST(every_attribute_twice)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		object_auto object = plain_object(&kinds[i]);

		for (size_t k = 0; k < COUNT(wire_types); k++) {
			builder_auto builder = builder_new();

			if (wanted_change(&kinds[i], wire_types[k], false, COPY) != ERROR_NONE)
				continue;
			put_sample(&builder, wire_types[k], &kinds[i]);
			put_sample(&builder, wire_types[k], &kinds[i]);
			EXPECT_EQ(change_error(object, &builder, false, COPY),
			          ERROR_TEMPLATE_INCONSISTENT);
		}
	}
}

/* Footnotes 11 and 12: from, to, and what comes of it. */
TEST(flags_that_go_one_way)
{
	static const struct {
		uint64_t type;
		bool from, to;
		enum how how;
		enum err wanted;
	} rows[] = {
		{CKA_SENSITIVE, false, true, MODIFY, ERROR_NONE},
		{CKA_SENSITIVE, true, false, MODIFY, ERROR_ATTRIBUTE_READ_ONLY},
		{CKA_SENSITIVE, true, false, COPY, ERROR_ATTRIBUTE_READ_ONLY},
		{CKA_SENSITIVE, true, true, MODIFY, ERROR_NONE},
		{CKA_EXTRACTABLE, true, false, MODIFY, ERROR_NONE},
		{CKA_EXTRACTABLE, false, true, MODIFY, ERROR_ATTRIBUTE_READ_ONLY},
		{CKA_EXTRACTABLE, false, true, COPY, ERROR_ATTRIBUTE_READ_ONLY},
		{CKA_EXTRACTABLE, false, false, COPY, ERROR_NONE},
		{CKA_WRAP_WITH_TRUSTED, false, true, MODIFY, ERROR_NONE},
		{CKA_WRAP_WITH_TRUSTED, true, false, MODIFY, ERROR_ATTRIBUTE_READ_ONLY},
		{CKA_WRAP_WITH_TRUSTED, true, false, COPY, ERROR_ATTRIBUTE_READ_ONLY},
		{CKA_COPYABLE, true, false, COPY, ERROR_NONE},
		{CKA_COPYABLE, false, true, COPY, ERROR_ATTRIBUTE_READ_ONLY},
		{CKA_COPYABLE, true, false, MODIFY, ERROR_ATTRIBUTE_READ_ONLY},
		{CKA_DESTROYABLE, false, true, COPY, ERROR_NONE},
		{CKA_MODIFIABLE, true, false, COPY, ERROR_NONE},
		{CKA_TOKEN, false, true, COPY, ERROR_NONE},
		{CKA_TOKEN, false, true, MODIFY, ERROR_ATTRIBUTE_READ_ONLY},
		{CKA_PRIVATE, false, true, COPY, ERROR_NONE},
		{CKA_PRIVATE, true, false, COPY, ERROR_TEMPLATE_INCONSISTENT},
		{CKA_SIGN, true, false, MODIFY, ERROR_NONE},
		{CKA_SIGN, false, true, MODIFY, ERROR_NONE},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		builder_auto builder = builder_new();
		object_auto object = NULL;
		enum err err;

		put_flag(&builder, rows[i].type, rows[i].from);
		object = make_object(kind_named("AES"), &builder);
		err = change_flag(object, rows[i].type, rows[i].to, false, rows[i].how);
		if (err != rows[i].wanted)
			printf("# row %zu: %s\n", i, err_ckr_name(err));
		EXPECT_TRUE(err == rows[i].wanted);
	}
}

/* Footnote 10, and §4.6.2: trusted certificates cannot be modified. */
TEST(trusted_objects_are_the_security_officers)
{
	static const char *const names[] = {"certificate", "RSA public", "AES"};

	for (size_t i = 0; i < COUNT(names); i++) {
		builder_auto builder = builder_new();
		object_auto object = NULL;

		put_flag(&builder, CKA_TRUSTED, true);
		object = make_object(kind_named(names[i]), &builder);
		for (int how = MODIFY; how <= COPY; how++) {
			enum err wanted = ERROR_ATTRIBUTE_READ_ONLY;

			EXPECT_EQ(change_flag(object, CKA_TRUSTED, false, false, how), wanted);
			EXPECT_EQ(change_flag(object, CKA_TRUSTED, false, true, how), ERROR_NONE);
			EXPECT_EQ(change_text(object, CKA_ID, "other", how), wanted);
		}
		EXPECT_EQ(change_flag(object, CKA_TOKEN, true, false, COPY), ERROR_NONE);
	}
}

/* §4.10.2: a check value may only be destroyed. */
TEST(check_values_may_be_emptied)
{
	object_auto object = plain_object(kind_named("AES"));

	EXPECT_EQ(change_text(object, CKA_CHECK_VALUE, "", MODIFY), ERROR_NONE);
	EXPECT_EQ(change_text(object, CKA_CHECK_VALUE, "", COPY), ERROR_NONE);
	EXPECT_EQ(change_text(object, CKA_CHECK_VALUE, "abc", MODIFY), ERROR_ATTRIBUTE_READ_ONLY);
}

/* B12: a changed date is looked at like a given one, beside the one that stays. */
TEST(dates_are_checked_again)
{
	builder_auto builder = builder_new();
	object_auto object = NULL;
	struct wire_attribute attribute;
	attributes_auto set = {0};

	put_text(&builder, CKA_START_DATE, "20250101");
	put_text(&builder, CKA_END_DATE, "20251231");
	object = make_object(kind_named("AES"), &builder);
	for (int how = MODIFY; how <= COPY; how++) {
		EXPECT_EQ(change_text(object, CKA_END_DATE, "20260101", how), ERROR_NONE);
		EXPECT_EQ(change_text(object, CKA_END_DATE, "20241231", how),
		          ERROR_TEMPLATE_INCONSISTENT);
		EXPECT_EQ(change_text(object, CKA_START_DATE, "20260101", how),
		          ERROR_TEMPLATE_INCONSISTENT);
		EXPECT_EQ(change_text(object, CKA_START_DATE, "20251301", how),
		          ERROR_ATTRIBUTE_VALUE);
	}
	builder_free(&builder);
	builder = builder_new();
	put_text(&builder, CKA_END_DATE, "");
	ASSERT_EQ(change(object, &builder, false, MODIFY, &set), ERROR_NONE);
	EXPECT_FALSE(attributes_get(&set, CKA_END_DATE, &attribute));
	EXPECT_TRUE(attributes_get(&set, CKA_START_DATE, &attribute));
}

/* §4.9: CKA_ALWAYS_AUTHENTICATE keeps an object private. */
TEST(always_authenticate_is_checked_again)
{
	builder_auto builder = builder_new();
	object_auto object = NULL;

	put_flag(&builder, CKA_ALWAYS_AUTHENTICATE, true);
	object = make_object(kind_named("RSA private"), &builder);
	EXPECT_EQ(change_flag(object, CKA_PRIVATE, false, false, COPY),
	          ERROR_TEMPLATE_INCONSISTENT);
	EXPECT_EQ(change_flag(object, CKA_PRIVATE, true, false, COPY), ERROR_NONE);
}

static void expect_same_but(const struct attributes *now, const struct attributes *was,
                            uint64_t but)
{
	struct wire_template template = attributes_template(was);
	struct wire_attribute a, b;

	EXPECT_EQ(now->count, was->count);
	for (size_t cursor = 0; wire_template_next(&template, &cursor, &a);) {
		ASSERT_TRUE(attributes_get(now, a.type, &b));
		EXPECT_EQ(rule_same_value(&a, &b), a.type != but);
	}
}

/* The original, the key material and where the key came from stay as they are. */
TEST(everything_else_stays)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		builder_auto builder = builder_new();
		object_auto object = NULL;
		attributes_auto before = {0};

		put_text(&builder, CKA_LABEL, "old");
		object = make_object(&kinds[i], &builder);
		ASSERT_EQ(attributes_set_flag(&object->attributes, CKA_LOCAL, true), ERROR_NONE);
		attributes_init(&before);
		ASSERT_EQ(attributes_copy(&before, &object->attributes), ERROR_NONE);
		builder_free(&builder);
		builder = builder_new();
		put_text(&builder, CKA_LABEL, "new");
		for (int how = MODIFY; how <= COPY; how++) {
			attributes_auto set = {0};

			ASSERT_EQ(change(object, &builder, false, how, &set), ERROR_NONE);
			expect_same_but(&set, &before, CKA_LABEL);
			expect_same_but(&object->attributes, &before, NONE);
		}
	}
}

TEST(an_empty_template_copies)
{
	object_auto object = plain_object(kind_named("EC private"));
	builder_auto builder = builder_new();
	attributes_auto set = {0};

	ASSERT_EQ(change(object, &builder, false, COPY, &set), ERROR_NONE);
	expect_same_but(&set, &object->attributes, NONE);
}

TEST(vendor_attributes_are_unknown)
{
	object_auto object = plain_object(kind_named("AES"));

	EXPECT_EQ(change_text(object, CKA_VENDOR_DEFINED + 1, "x", MODIFY), ERROR_ATTRIBUTE_TYPE);
	EXPECT_EQ(change_text(object, CKA_VENDOR_DEFINED + 1, "x", COPY), ERROR_ATTRIBUTE_TYPE);
}

HARNESS_MAIN
