/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making objects from templates (rows B12, B20): every attribute on every kind of object by every
 * way of making it, against the standard's footnotes; and, row by row, values, defaults and
 * contradictions. Computed attributes are template_complete_test.c's, changes
 * template_change_test.c's, reading template_read_test.c's.
 */
#include "template_help.h"

#define EXPECT_CODE(code, wanted, ...)                                                             \
	do {                                                                                       \
		enum err expect_code = (code), expect_wanted = (wanted);                           \
		if (expect_code != expect_wanted) {                                                \
			printf("# " __VA_ARGS__);                                                  \
			printf(": %s, expected %s\n", err_ckr_name(expect_code),                   \
			       err_ckr_name(expect_wanted));                                       \
			harness_note(false);                                                       \
		}                                                                                  \
	} while (0)

typedef void (*each_type)(const struct kind *kind, enum template_origin origin, uint64_t type);

static void sweep(each_type each)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		for (int origin = ORIGIN_CREATE; origin <= ORIGIN_DERIVE; origin++) {
			if (!can_make(&kinds[i], (enum template_origin)origin))
				continue;
			for (size_t k = 0; k < COUNT(wire_types); k++)
				each(&kinds[i], (enum template_origin)origin, wire_types[k]);
		}
	}
}

static bool is_supported(uint64_t type)
{
	for (size_t i = 0; i < COUNT(standards); i++) {
		if (standards[i].type == type)
			return true;
	}
	return false;
}

/* What the standard says to this attribute on such an object, §4.1.1. */
static enum err verdict(const struct kind *kind, enum template_origin origin, uint64_t type)
{
	const struct standard *standard = standard_of(type, kind);

	if (!standard)
		return is_supported(type) ? ERROR_TEMPLATE_INCONSISTENT : ERROR_ATTRIBUTE_TYPE;
	return noted(standard, must_not_notes[origin]) ? ERROR_ATTRIBUTE_READ_ONLY : ERROR_NONE;
}

/* For derivation, the way to say which key. */
static void put_scope(struct builder *builder, const struct kind *kind, enum template_origin origin)
{
	if (origin != ORIGIN_DERIVE)
		return;
	put_number(builder, CKA_CLASS, kind->object_class);
	put_number(builder, CKA_KEY_TYPE, kind->key_type);
}

static void check_given(const struct kind *kind, enum template_origin origin, uint64_t type)
{
	struct template_context context = context_of(kind, origin);
	enum err wanted = verdict(kind, origin, type);
	builder_auto builder = builder_new();

	put_least(&builder, kind, origin, type);
	if (type != CKA_CLASS && type != CKA_KEY_TYPE)
		put_scope(&builder, kind, origin);
	else if (origin == ORIGIN_DERIVE)
		put_sample(&builder, type == CKA_CLASS ? CKA_KEY_TYPE : CKA_CLASS, kind);
	put_sample(&builder, type, kind);
	if (type == CKA_KEY_TYPE && kind->key_type == NONE)
		wanted = ERROR_ATTRIBUTE_VALUE;
	/* §4.6.3: a URL asks for the hashes. */
	if (type == CKA_URL && wanted == ERROR_NONE)
		wanted = ERROR_TEMPLATE_INCOMPLETE;
	EXPECT_CODE(build_error(&context, &builder), wanted, "%s, origin %d, attribute 0x%llx",
	            kind->name, origin, (unsigned long long)type);
}

TEST(every_attribute_given)
{
	sweep(check_given);
}

static void check_missing(const struct kind *kind, enum template_origin origin, uint64_t type)
{
	struct template_context context = context_of(kind, origin);
	builder_auto builder = builder_new();

	if (!is_needed(type, kind, origin))
		return;
	put_least(&builder, kind, origin, type);
	EXPECT_CODE(build_error(&context, &builder), ERROR_TEMPLATE_INCOMPLETE,
	            "%s, origin %d, without 0x%llx", kind->name, origin, (unsigned long long)type);
}

TEST(every_needed_attribute_missing)
{
	sweep(check_missing);
}

static void check_wrong_kinds(const struct kind *kind, enum template_origin origin, uint64_t type)
{
	struct template_context context = context_of(kind, origin);

	if (verdict(kind, origin, type) != ERROR_NONE)
		return;
	for (uint8_t wrong = WIRE_ATTRIBUTE_BYTES; wrong <= WIRE_ATTRIBUTE_MALFORMED; wrong++) {
		builder_auto builder = builder_new();
		struct wire_attribute attribute = {.type = type, .kind = wrong};

		if (wrong == wire_attribute_kind_of(type) || wrong == WIRE_ATTRIBUTE_ATTRIBUTES)
			continue;
		put_least(&builder, kind, origin, type);
		if (type != CKA_CLASS && type != CKA_KEY_TYPE)
			put_scope(&builder, kind, origin);
		put(&builder, &attribute);
		EXPECT_CODE(build_error(&context, &builder), ERROR_ATTRIBUTE_VALUE,
		            "%s, origin %d, attribute 0x%llx as kind %d", kind->name, origin,
		            (unsigned long long)type, wrong);
	}
}

TEST(every_attribute_of_every_wrong_kind)
{
	sweep(check_wrong_kinds);
}

static void check_twice(const struct kind *kind, enum template_origin origin, uint64_t type)
{
	struct template_context context = context_of(kind, origin);
	builder_auto builder = builder_new();

	if (verdict(kind, origin, type) != ERROR_NONE)
		return;
	put_least(&builder, kind, origin, type);
	if (type != CKA_CLASS && type != CKA_KEY_TYPE)
		put_scope(&builder, kind, origin);
	put_sample(&builder, type, kind);
	put_sample(&builder, type, kind);
	if (kind->key_type == NONE && type == CKA_KEY_TYPE)
		return;
	EXPECT_CODE(build_error(&context, &builder), ERROR_TEMPLATE_INCONSISTENT,
	            "%s, origin %d, attribute 0x%llx twice", kind->name, origin,
	            (unsigned long long)type);
}

TEST(every_attribute_twice)
{
	sweep(check_twice);
}

/* The table is searched by halves, so it must be in order; and one object has one row. */
TEST(rules_in_order_and_disjoint)
{
	for (size_t i = 0; i + 1 < rule_count; i++)
		EXPECT_LE(rule_table[i].type, rule_table[i + 1].type);
	for (size_t i = 0; i < rule_count; i++) {
		for (size_t k = 0; k < i; k++) {
			bool both = rule_table[i].type == rule_table[k].type &&
			            (rule_table[i].classes & rule_table[k].classes) &&
			            (rule_table[i].keys & rule_table[k].keys);

			EXPECT_FALSE(both);
		}
	}
}

static void expect_rule_as_standard(const struct kind *kind, uint64_t type)
{
	const struct standard *standard = standard_of(type, kind);
	const struct rule *rule = rule_find(type, kind->scope);
	static const struct {
		char note;
		uint16_t footnote;
	} notes[] = {{'1', RULE_F1}, {'2', RULE_F2},  {'3', RULE_F3},  {'4', RULE_F4},
	             {'5', RULE_F5}, {'6', RULE_F6},  {'7', RULE_F7},  {'8', RULE_F8},
	             {'D', RULE_FD}, {'a', RULE_F10}, {'b', RULE_F11}, {'c', RULE_F12},
	             {'C', RULE_FC}, {'V', RULE_FV},  {'E', RULE_FE},  {'O', RULE_FO}};

	EXPECT_EQ(!rule, !standard);
	for (size_t i = 0; rule && standard && i < COUNT(notes); i++) {
		if (!!(rule->footnotes & notes[i].footnote) == noted(standard, notes[i].note))
			continue;
		printf("# %s 0x%llx: footnote %c, see %s\n", kind->name, (unsigned long long)type,
		       notes[i].note, standard->section);
		harness_note(false);
	}
}

TEST(rules_are_the_standards)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		for (size_t k = 0; k < COUNT(wire_types); k++)
			expect_rule_as_standard(&kinds[i], wire_types[k]);
	}
}

/* An attribute without a kind on the wire would never match its rule's value. */
TEST(rules_have_wire_kinds)
{
	for (size_t i = 0; i < rule_count; i++) {
		bool listed = false;

		for (size_t k = 0; k < COUNT(wire_types); k++)
			listed = listed || wire_types[k] == rule_table[i].type;
		EXPECT_TRUE(listed);
	}
}

TEST(vendor_attributes_are_unknown)
{
	static const uint64_t types[] = {CKA_VENDOR_DEFINED, CKA_VENDOR_DEFINED + 1, 0xce534351u,
	                                 CKA_OWNER,          CKA_AC_ISSUER,          5,
	                                 UINT64_MAX};

	for (size_t i = 0; i < COUNT(types); i++) {
		const struct kind *kind = kind_named("AES");
		struct template_context context = context_of(kind, ORIGIN_CREATE);
		builder_auto builder = builder_new();

		put_least(&builder, kind, ORIGIN_CREATE, NONE);
		put_text(&builder, types[i], "x");
		EXPECT_EQ(build_error(&context, &builder), ERROR_ATTRIBUTE_TYPE);
	}
}

/* One attribute with this text, on the least template. */
static enum err create_with_text(const char *kind_name, uint64_t type, const char *text)
{
	const struct kind *kind = kind_named(kind_name);
	struct template_context context = context_of(kind, ORIGIN_CREATE);
	builder_auto builder = builder_new();

	put_least(&builder, kind, ORIGIN_CREATE, type);
	put_text(&builder, type, text);
	return build_error(&context, &builder);
}

static enum err create_with_number(const char *kind_name, uint64_t type, uint64_t number)
{
	const struct kind *kind = kind_named(kind_name);
	struct template_context context = context_of(kind, ORIGIN_CREATE);
	builder_auto builder = builder_new();

	put_least(&builder, kind, ORIGIN_CREATE, type);
	put_number(&builder, type, number);
	return build_error(&context, &builder);
}

/* B12; CK_DATE, v2.40 §3.4. */
TEST(dates_by_themselves)
{
	static const struct {
		const char *text;
		enum err wanted;
	} rows[] = {
		{"", ERROR_NONE},
		{"20250101", ERROR_NONE},
		{"20251231", ERROR_NONE},
		{"20240229", ERROR_NONE},
		{"20000229", ERROR_NONE},
		{"99991231", ERROR_NONE},
		{"00010101", ERROR_NONE},
		{"20250229", ERROR_ATTRIBUTE_VALUE},
		{"19000229", ERROR_ATTRIBUTE_VALUE},
		{"20250431", ERROR_ATTRIBUTE_VALUE},
		{"20251301", ERROR_ATTRIBUTE_VALUE},
		{"20250001", ERROR_ATTRIBUTE_VALUE},
		{"20250100", ERROR_ATTRIBUTE_VALUE},
		{"20250132", ERROR_ATTRIBUTE_VALUE},
		{"00000000", ERROR_ATTRIBUTE_VALUE},
		{"2025013a", ERROR_ATTRIBUTE_VALUE},
		{"2025/1/1", ERROR_ATTRIBUTE_VALUE},
		{"-2025101", ERROR_ATTRIBUTE_VALUE},
		{" 2025101", ERROR_ATTRIBUTE_VALUE},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		EXPECT_CODE(create_with_text("AES", CKA_START_DATE, rows[i].text), rows[i].wanted,
		            "start date %s", rows[i].text);
		EXPECT_CODE(create_with_text("certificate", CKA_END_DATE, rows[i].text),
		            rows[i].wanted, "end date %s", rows[i].text);
	}
}

static enum err create_with_dates(const char *start, const char *end)
{
	const struct kind *kind = kind_named("AES");
	struct template_context context = context_of(kind, ORIGIN_CREATE);
	builder_auto builder = builder_new();

	put_least(&builder, kind, ORIGIN_CREATE, NONE);
	put_text(&builder, CKA_START_DATE, start);
	put_text(&builder, CKA_END_DATE, end);
	return build_error(&context, &builder);
}

TEST(dates_in_order)
{
	EXPECT_EQ(create_with_dates("20250101", "20250102"), ERROR_NONE);
	EXPECT_EQ(create_with_dates("20250101", "20250101"), ERROR_NONE);
	EXPECT_EQ(create_with_dates("", "20250101"), ERROR_NONE);
	EXPECT_EQ(create_with_dates("20250101", ""), ERROR_NONE);
	EXPECT_EQ(create_with_dates("20250102", "20250101"), ERROR_TEMPLATE_INCONSISTENT);
	EXPECT_EQ(create_with_dates("20260101", "20251231"), ERROR_TEMPLATE_INCONSISTENT);
}

TEST(numbers_in_range)
{
	/* §4.6.2 */
	EXPECT_EQ(create_with_number("certificate", CKA_CERTIFICATE_CATEGORY, 3), ERROR_NONE);
	EXPECT_EQ(create_with_number("certificate", CKA_CERTIFICATE_CATEGORY, 4),
	          ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(create_with_number("certificate", CKA_JAVA_MIDP_SECURITY_DOMAIN, 3), ERROR_NONE);
	EXPECT_EQ(create_with_number("certificate", CKA_JAVA_MIDP_SECURITY_DOMAIN, 4),
	          ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(create_with_number("certificate", CKA_CERTIFICATE_TYPE, CKC_X_509), ERROR_NONE);
	EXPECT_EQ(create_with_number("certificate", CKA_CERTIFICATE_TYPE, CKC_WTLS),
	          ERROR_ATTRIBUTE_VALUE);
}

TEST(classes_and_key_types)
{
	/* What we do not have. */
	EXPECT_EQ(create_with_number("data", CKA_CLASS, CKO_HW_FEATURE), ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(create_with_number("data", CKA_CLASS, CKO_DOMAIN_PARAMETERS),
	          ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(create_with_number("data", CKA_CLASS, NONE), ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(create_with_number("AES", CKA_KEY_TYPE, CKK_DES3), ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(create_with_number("AES", CKA_KEY_TYPE, NONE), ERROR_ATTRIBUTE_VALUE);
	/* What cannot be both. */
	EXPECT_EQ(create_with_number("AES", CKA_KEY_TYPE, CKK_RSA), ERROR_TEMPLATE_INCONSISTENT);
	EXPECT_EQ(create_with_number("RSA public", CKA_KEY_TYPE, CKK_AES),
	          ERROR_TEMPLATE_INCONSISTENT);
	EXPECT_EQ(create_with_number("data", CKA_KEY_TYPE, CKK_AES), ERROR_TEMPLATE_INCONSISTENT);
	/* All HMAC keys. */
	EXPECT_EQ(create_with_number("HMAC", CKA_KEY_TYPE, CKK_SHA_1_HMAC), ERROR_NONE);
	EXPECT_EQ(create_with_number("HMAC", CKA_KEY_TYPE, CKK_SHA512_HMAC), ERROR_NONE);
	EXPECT_EQ(create_with_number("HMAC", CKA_KEY_TYPE, CKK_SHA3_512_HMAC), ERROR_NONE);
}

/* What one way of making cannot make. */
TEST(classes_by_origin)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		for (int origin = ORIGIN_UNWRAP; origin <= ORIGIN_DERIVE; origin++) {
			struct template_context context =
				context_of(&kinds[i], (enum template_origin)origin);
			builder_auto builder = builder_new();

			if (can_make(&kinds[i], (enum template_origin)origin))
				continue;
			put_number(&builder, CKA_CLASS, kinds[i].object_class);
			if (kinds[i].key_type != NONE)
				put_number(&builder, CKA_KEY_TYPE, kinds[i].key_type);
			EXPECT_CODE(build_error(&context, &builder), ERROR_TEMPLATE_INCONSISTENT,
			            "%s, origin %d", kinds[i].name, origin);
		}
	}
}

static enum err generate_aes(uint64_t object_class, uint64_t key_type)
{
	struct template_context context = context_of(kind_named("AES"), ORIGIN_GENERATE);
	builder_auto builder = builder_new();

	put_number(&builder, CKA_VALUE_LEN, 16);
	if (object_class != NONE)
		put_number(&builder, CKA_CLASS, object_class);
	if (key_type != NONE)
		put_number(&builder, CKA_KEY_TYPE, key_type);
	return build_error(&context, &builder);
}

/* §4.1.1: what the function itself contributes may be repeated, not contradicted. */
TEST(the_mechanism_decides)
{
	EXPECT_EQ(generate_aes(NONE, NONE), ERROR_NONE);
	EXPECT_EQ(generate_aes(CKO_SECRET_KEY, CKK_AES), ERROR_NONE);
	EXPECT_EQ(generate_aes(CKO_PRIVATE_KEY, NONE), ERROR_TEMPLATE_INCONSISTENT);
	EXPECT_EQ(generate_aes(NONE, CKK_GENERIC_SECRET), ERROR_TEMPLATE_INCONSISTENT);
	EXPECT_EQ(generate_aes(CKO_DATA, NONE), ERROR_TEMPLATE_INCONSISTENT);
}

TEST(derived_keys_are_generic_secrets_by_default)
{
	struct template_context context = context_of(kind_named("AES"), ORIGIN_DERIVE);
	struct wire_template empty = {0};
	attributes_auto set = {0};

	ASSERT_EQ(template_build(&context, &empty, &set), ERROR_NONE);
	EXPECT_EQ(attributes_number(&set, CKA_CLASS, NONE), CKO_SECRET_KEY);
	EXPECT_EQ(attributes_number(&set, CKA_KEY_TYPE, NONE), CKK_GENERIC_SECRET);
}

/* Footnote 10. */
TEST(trusted_is_the_security_officers)
{
	static const char *const names[] = {"certificate", "RSA public", "AES"};

	for (size_t i = 0; i < COUNT(names); i++) {
		const struct kind *kind = kind_named(names[i]);
		struct template_context context = context_of(kind, ORIGIN_CREATE);
		builder_auto trusted = builder_new();
		builder_auto untrusted = builder_new();

		put_least(&trusted, kind, ORIGIN_CREATE, NONE);
		put_least(&untrusted, kind, ORIGIN_CREATE, NONE);
		put_flag(&trusted, CKA_TRUSTED, true);
		put_flag(&untrusted, CKA_TRUSTED, false);
		EXPECT_EQ(build_error(&context, &trusted), ERROR_ATTRIBUTE_READ_ONLY);
		EXPECT_EQ(build_error(&context, &untrusted), ERROR_NONE);
		context.so = true;
		EXPECT_EQ(build_error(&context, &trusted), ERROR_NONE);
	}
}

/* §4.9: CKA_ALWAYS_AUTHENTICATE is true only where CKA_PRIVATE is. */
TEST(always_authenticate_is_for_private_objects)
{
	const struct kind *kind = kind_named("RSA private");

	for (int user = 0; user <= 1; user++) {
		struct template_context context = context_of(kind, ORIGIN_CREATE);
		builder_auto builder = builder_new();

		context.user = user;
		put_least(&builder, kind, ORIGIN_CREATE, NONE);
		put_flag(&builder, CKA_ALWAYS_AUTHENTICATE, true);
		EXPECT_EQ(build_error(&context, &builder),
		          user ? ERROR_NONE : ERROR_TEMPLATE_INCONSISTENT);
		put_flag(&builder, CKA_PRIVATE, false);
		EXPECT_EQ(build_error(&context, &builder), ERROR_TEMPLATE_INCONSISTENT);
	}
}

static enum err create_certificate(const char *value, const char *url, const char *subject_hash,
                                   const char *issuer_hash)
{
	const struct kind *kind = kind_named("certificate");
	struct template_context context = context_of(kind, ORIGIN_CREATE);
	builder_auto builder = builder_new();

	put_least(&builder, kind, ORIGIN_CREATE, CKA_VALUE);
	put_text(&builder, CKA_VALUE, value);
	put_text(&builder, CKA_URL, url);
	put_text(&builder, CKA_HASH_OF_SUBJECT_PUBLIC_KEY, subject_hash);
	put_text(&builder, CKA_HASH_OF_ISSUER_PUBLIC_KEY, issuer_hash);
	return build_error(&context, &builder);
}

/* §4.6.3 table 16, footnotes 2 to 4. */
TEST(certificates_by_url)
{
	EXPECT_EQ(create_certificate("DER", "", "", ""), ERROR_NONE);
	EXPECT_EQ(create_certificate("", "http://x", "h", "h"), ERROR_NONE);
	EXPECT_EQ(create_certificate("DER", "http://x", "h", "h"), ERROR_NONE);
	EXPECT_EQ(create_certificate("", "", "h", "h"), ERROR_TEMPLATE_INCOMPLETE);
	EXPECT_EQ(create_certificate("", "http://x", "", "h"), ERROR_TEMPLATE_INCOMPLETE);
	EXPECT_EQ(create_certificate("", "http://x", "h", ""), ERROR_TEMPLATE_INCOMPLETE);
}

/* Defaults that the standard leaves to us; the reasons are in attribute_rules.def. */
static const struct {
	const char *kind;
	enum template_origin origin;
	bool user;
	uint64_t type;
	bool wanted;
} defaults[] = {
	{"AES", ORIGIN_GENERATE, true, CKA_TOKEN, false},
	{"AES", ORIGIN_GENERATE, true, CKA_PRIVATE, true},
	{"AES", ORIGIN_GENERATE, false, CKA_PRIVATE, false},
	{"EC private", ORIGIN_CREATE, true, CKA_PRIVATE, true},
	{"EC public", ORIGIN_CREATE, true, CKA_PRIVATE, false},
	{"data", ORIGIN_CREATE, true, CKA_PRIVATE, false},
	{"certificate", ORIGIN_CREATE, true, CKA_PRIVATE, false},
	{"certificate", ORIGIN_CREATE, true, CKA_TRUSTED, false},
	{"data", ORIGIN_CREATE, true, CKA_MODIFIABLE, true},
	{"data", ORIGIN_CREATE, true, CKA_COPYABLE, true},
	{"data", ORIGIN_CREATE, true, CKA_DESTROYABLE, true},
	{"AES", ORIGIN_GENERATE, true, CKA_SENSITIVE, true},
	{"AES", ORIGIN_CREATE, true, CKA_SENSITIVE, true},
	{"AES", ORIGIN_UNWRAP, true, CKA_SENSITIVE, true},
	{"AES", ORIGIN_DERIVE, true, CKA_SENSITIVE, true},
	{"RSA private", ORIGIN_GENERATE, true, CKA_SENSITIVE, true},
	{"AES", ORIGIN_GENERATE, true, CKA_EXTRACTABLE, false},
	{"AES", ORIGIN_CREATE, true, CKA_EXTRACTABLE, false},
	{"AES", ORIGIN_DERIVE, true, CKA_EXTRACTABLE, false},
	/* §5.13, C_UnwrapKey */
	{"AES", ORIGIN_UNWRAP, true, CKA_EXTRACTABLE, true},
	{"RSA private", ORIGIN_UNWRAP, true, CKA_EXTRACTABLE, true},
	{"RSA private", ORIGIN_GENERATE, true, CKA_EXTRACTABLE, false},
	{"AES", ORIGIN_GENERATE, true, CKA_ENCRYPT, true},
	{"AES", ORIGIN_GENERATE, true, CKA_DECRYPT, true},
	{"AES", ORIGIN_GENERATE, true, CKA_SIGN, true},
	{"AES", ORIGIN_GENERATE, true, CKA_WRAP, false},
	{"AES", ORIGIN_GENERATE, true, CKA_UNWRAP, false},
	{"AES", ORIGIN_GENERATE, true, CKA_DERIVE, false},
	{"HMAC", ORIGIN_CREATE, true, CKA_SIGN, true},
	{"HMAC", ORIGIN_CREATE, true, CKA_VERIFY, true},
	{"HMAC", ORIGIN_CREATE, true, CKA_ENCRYPT, false},
	{"RSA public", ORIGIN_CREATE, true, CKA_ENCRYPT, true},
	{"RSA public", ORIGIN_CREATE, true, CKA_VERIFY, true},
	{"RSA public", ORIGIN_CREATE, true, CKA_WRAP, false},
	{"RSA private", ORIGIN_GENERATE, true, CKA_DECRYPT, true},
	{"RSA private", ORIGIN_GENERATE, true, CKA_SIGN, true},
	{"RSA private", ORIGIN_GENERATE, true, CKA_UNWRAP, false},
	{"EC private", ORIGIN_GENERATE, true, CKA_SIGN, true},
	{"EC private", ORIGIN_GENERATE, true, CKA_DECRYPT, false},
	{"EC private", ORIGIN_GENERATE, true, CKA_DERIVE, false},
	{"Montgomery private", ORIGIN_GENERATE, true, CKA_SIGN, false},
	{"Montgomery private", ORIGIN_GENERATE, true, CKA_DERIVE, true},
	{"Montgomery public", ORIGIN_GENERATE, true, CKA_VERIFY, false},
	{"Edwards public", ORIGIN_GENERATE, true, CKA_VERIFY, true},
	{"RSA private", ORIGIN_GENERATE, true, CKA_ALWAYS_AUTHENTICATE, false},
	{"RSA private", ORIGIN_GENERATE, true, CKA_WRAP_WITH_TRUSTED, false},
	{"RSA private", ORIGIN_GENERATE, true, CKA_SIGN_RECOVER, false},
	{"RSA public", ORIGIN_GENERATE, true, CKA_VERIFY_RECOVER, false},
};

TEST(defaults)
{
	for (size_t i = 0; i < COUNT(defaults); i++) {
		const struct kind *kind = kind_named(defaults[i].kind);
		struct template_context context = context_of(kind, defaults[i].origin);
		builder_auto builder = builder_new();
		struct wire_attribute attribute;
		struct wire_template template;
		attributes_auto set = {0};

		context.user = defaults[i].user;
		put_least(&builder, kind, defaults[i].origin, NONE);
		put_scope(&builder, kind, defaults[i].origin);
		template = view(&builder);
		ASSERT_EQ(template_build(&context, &template, &set), ERROR_NONE);
		ASSERT_TRUE(attributes_get(&set, defaults[i].type, &attribute));
		EXPECT_EQ(attribute.kind, WIRE_ATTRIBUTE_FLAG);
		if (!!attribute.number != defaults[i].wanted)
			printf("# row %zu: %s 0x%llx\n", i, kind->name,
			       (unsigned long long)defaults[i].type);
		EXPECT_EQ(!!attribute.number, defaults[i].wanted);
	}
}

/* §4.6.2: unspecified, both. */
TEST(default_numbers_of_certificates)
{
	const struct kind *kind = kind_named("certificate");
	struct template_context context = context_of(kind, ORIGIN_CREATE);
	builder_auto builder = builder_new();
	struct wire_template template;
	attributes_auto set = {0};

	put_least(&builder, kind, ORIGIN_CREATE, NONE);
	template = view(&builder);
	ASSERT_EQ(template_build(&context, &template, &set), ERROR_NONE);
	EXPECT_EQ(attributes_number(&set, CKA_CERTIFICATE_CATEGORY, NONE), 0);
	EXPECT_EQ(attributes_number(&set, CKA_JAVA_MIDP_SECURITY_DOMAIN, NONE), 0);
}

/* What is given wins over what is by default, for every flag that can be given. */
static void check_given_flag(const struct kind *kind, enum template_origin origin, uint64_t type)
{
	struct template_context context = context_of(kind, origin);

	context.so = true;
	if (wire_attribute_kind_of(type) != WIRE_ATTRIBUTE_FLAG ||
	    verdict(kind, origin, type) != ERROR_NONE)
		return;
	for (int flag = 0; flag <= 1; flag++) {
		builder_auto builder = builder_new();
		struct wire_template template;
		attributes_auto set = {0};

		put_least(&builder, kind, origin, NONE);
		put_scope(&builder, kind, origin);
		put_flag(&builder, type, flag);
		template = view(&builder);
		ASSERT_EQ(template_build(&context, &template, &set), ERROR_NONE);
		EXPECT_EQ(attributes_flag(&set, type), flag);
	}
}

TEST(given_flags_win)
{
	sweep(check_given_flag);
}

static enum err create_with_nested(const struct builder *inner)
{
	const struct kind *kind = kind_named("AES");
	struct template_context context = context_of(kind, ORIGIN_CREATE);
	builder_auto builder = builder_new();

	put_least(&builder, kind, ORIGIN_CREATE, NONE);
	put_nested(&builder, CKA_UNWRAP_TEMPLATE, inner);
	return build_error(&context, &builder);
}

/* §4.9, §4.10: arrays of attributes are looked into. */
TEST(nested_templates)
{
	static const struct wire_attribute bad[] = {
		{.type = CKA_SENSITIVE, .kind = WIRE_ATTRIBUTE_BYTES},
		{.type = CKA_SENSITIVE, .kind = WIRE_ATTRIBUTE_MALFORMED},
		{.type = CKA_START_DATE,
	         .kind = WIRE_ATTRIBUTE_DATE,
	         .value = {(const uint8_t *)"20251301", 8}},
		{.type = CKA_VENDOR_DEFINED, .kind = WIRE_ATTRIBUTE_BYTES},
		{.type = CKA_KEY_TYPE, .kind = WIRE_ATTRIBUTE_NUMBER, .number = CKK_DES3},
		{.type = CKA_SIGN, .kind = WIRE_ATTRIBUTE_FLAG, .number = 1}, /* a second time */
	};

	for (size_t i = 0; i < COUNT(bad); i++) {
		builder_auto inner = builder_new();

		EXPECT_EQ(create_with_nested(&inner), ERROR_NONE);
		put_flag(&inner, CKA_SIGN, true);
		EXPECT_EQ(create_with_nested(&inner), ERROR_NONE);
		put(&inner, &bad[i]);
		EXPECT_EQ(create_with_nested(&inner), ERROR_ATTRIBUTE_VALUE);
	}
}

/* A key whose unwrapped keys must not be extractable and may not sign. */
static struct object *prescribing_key(uint64_t type, bool trusted)
{
	builder_auto inner = builder_new();
	builder_auto outer = builder_new();

	put_flag(&inner, CKA_EXTRACTABLE, false);
	put_flag(&inner, CKA_SIGN, false);
	if (trusted)
		put_flag(&inner, CKA_TRUSTED, true);
	put_nested(&outer, type, &inner);
	return make_object(kind_named("AES"), &outer);
}

static enum err build_under(struct object *base, enum template_origin origin, int extractable,
                            struct attributes *set)
{
	const struct kind *kind = kind_named("generic secret");
	struct template_context context = context_of(kind, origin);
	builder_auto builder = builder_new();
	struct wire_template template;

	context.base = base;
	put_number(&builder, CKA_CLASS, kind->object_class);
	put_number(&builder, CKA_KEY_TYPE, kind->key_type);
	if (extractable >= 0)
		put_flag(&builder, CKA_EXTRACTABLE, extractable);
	template = view(&builder);
	return template_build(&context, &template, set);
}

TEST(prescribed_attributes)
{
	static const struct {
		enum template_origin origin;
		uint64_t type;
	} rows[] = {{ORIGIN_UNWRAP, CKA_UNWRAP_TEMPLATE}, {ORIGIN_DERIVE, CKA_DERIVE_TEMPLATE}};

	for (size_t i = 0; i < COUNT(rows); i++) {
		object_auto base = prescribing_key(rows[i].type, false);
		object_auto traitor = prescribing_key(rows[i].type, true);
		object_auto free_key = prescribing_key(rows[1 - i].type, false);
		attributes_auto silent = {0};
		attributes_auto same = {0};
		attributes_auto other = {0};
		attributes_auto trusted = {0};
		attributes_auto unbound = {0};

		ASSERT_EQ(build_under(base, rows[i].origin, -1, &silent), ERROR_NONE);
		EXPECT_FALSE(attributes_flag(&silent, CKA_EXTRACTABLE));
		EXPECT_FALSE(attributes_flag(&silent, CKA_SIGN));
		EXPECT_TRUE(attributes_flag(&silent, CKA_VERIFY));
		EXPECT_EQ(build_under(base, rows[i].origin, false, &same), ERROR_NONE);
		EXPECT_EQ(build_under(base, rows[i].origin, true, &other),
		          ERROR_TEMPLATE_INCONSISTENT);
		/* Trust cannot be had through the back door. */
		EXPECT_EQ(build_under(traitor, rows[i].origin, -1, &trusted),
		          ERROR_ATTRIBUTE_READ_ONLY);
		ASSERT_EQ(build_under(free_key, rows[i].origin, true, &unbound), ERROR_NONE);
		EXPECT_TRUE(attributes_flag(&unbound, CKA_EXTRACTABLE));
	}
}

/* Empty dates are accepted and leave nothing behind. */
TEST(empty_dates_are_not_kept)
{
	const struct kind *kind = kind_named("AES");
	struct template_context context = context_of(kind, ORIGIN_CREATE);
	builder_auto builder = builder_new();
	struct wire_template template;
	struct wire_attribute attribute;
	attributes_auto set = {0};

	put_least(&builder, kind, ORIGIN_CREATE, NONE);
	put_text(&builder, CKA_START_DATE, "");
	put_text(&builder, CKA_END_DATE, "20250131");
	template = view(&builder);
	ASSERT_EQ(template_build(&context, &template, &set), ERROR_NONE);
	EXPECT_FALSE(attributes_get(&set, CKA_START_DATE, &attribute));
	EXPECT_TRUE(attributes_get(&set, CKA_END_DATE, &attribute));
}

/* The set that a caller passes is zeroed, not initialised; whatever happens it can be cleared. */
TEST(a_refused_template_leaves_a_set_to_clear)
{
	struct template_context context = context_of(kind_named("data"), ORIGIN_CREATE);
	struct wire_template empty = {0};
	attributes_auto set = {0};

	EXPECT_EQ(template_build(&context, &empty, &set), ERROR_TEMPLATE_INCOMPLETE);
	attributes_clear(&set);
	attributes_clear(&set);
}

HARNESS_MAIN
