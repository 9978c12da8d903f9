/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the template tests share: templates put together attribute by attribute, a row for each kind
 * of object there is, and the attributes of the standard's tables as the standard has them, written
 * down a second time and by hand, so that attribute_rules.def is compared with something.
 */
#ifndef TESTS_TEMPLATE_HELP_H
#define TESTS_TEMPLATE_HELP_H

#include "harness.h"
#include "slots.h"
#include "template_rules.h"
#include "wire/frame.h"

#define NONE         ((uint64_t)CK_UNAVAILABLE_INFORMATION)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct builder {
	struct wire_buffer octets;
	uint32_t count;
};

static inline void builder_free(struct builder *builder)
{
	wire_buffer_free(&builder->octets);
}
#define builder_auto __attribute__((cleanup(builder_free))) struct builder

static inline struct builder builder_new(void)
{
	struct builder builder = {.count = 0};

	wire_buffer_init(&builder.octets, 1u << 20, NULL);
	return builder;
}

static inline void put(struct builder *builder, const struct wire_attribute *attribute)
{
	wire_put_attribute(&builder->octets, attribute);
	builder->count++;
}

static inline struct wire_template view(const struct builder *builder)
{
	ASSERT_FALSE(builder->octets.failed);
	return wire_template_view(&builder->octets, builder->count);
}

static inline void put_number(struct builder *builder, uint64_t type, uint64_t number)
{
	put(builder, &(struct wire_attribute){
			     .type = type, .kind = WIRE_ATTRIBUTE_NUMBER, .number = number});
}

static inline void put_flag(struct builder *builder, uint64_t type, bool flag)
{
	put(builder,
	    &(struct wire_attribute){.type = type, .kind = WIRE_ATTRIBUTE_FLAG, .number = flag});
}

static inline void put_octets(struct builder *builder, uint64_t type, const void *value, size_t len)
{
	put(builder, &(struct wire_attribute){.type = type,
	                                      .kind = (uint8_t)wire_attribute_kind_of(type),
	                                      .value = {value, len}});
}

static inline void put_text(struct builder *builder, uint64_t type, const char *text)
{
	put_octets(builder, type, text, strlen(text));
}

static inline void put_nested(struct builder *builder, uint64_t type, const struct builder *inner)
{
	struct wire_buffer whole;

	wire_buffer_init(&whole, 1u << 20, NULL);
	wire_put_template(&whole, view(inner));
	put_octets(builder, type, whole.data, whole.len);
	wire_buffer_free(&whole);
}

/* Every kind of object. */
struct kind {
	const char *name;
	uint64_t object_class, key_type;
	struct rule_scope scope;
};

static const struct kind kinds[] = {
	{"data", CKO_DATA, NONE, {RULE_DATA, RULE_KEYLESS}},
	{"certificate", CKO_CERTIFICATE, NONE, {RULE_CERT, RULE_KEYLESS}},
	{"RSA public", CKO_PUBLIC_KEY, CKK_RSA, {RULE_PUBLIC, RULE_RSA}},
	{"EC public", CKO_PUBLIC_KEY, CKK_EC, {RULE_PUBLIC, RULE_EC}},
	{"Edwards public", CKO_PUBLIC_KEY, CKK_EC_EDWARDS, {RULE_PUBLIC, RULE_EDWARDS}},
	{"Montgomery public", CKO_PUBLIC_KEY, CKK_EC_MONTGOMERY, {RULE_PUBLIC, RULE_MONTGOMERY}},
	{"ML-KEM public", CKO_PUBLIC_KEY, CKK_ML_KEM, {RULE_PUBLIC, RULE_ML_KEM}},
	{"ML-DSA public", CKO_PUBLIC_KEY, CKK_ML_DSA, {RULE_PUBLIC, RULE_ML_DSA}},
	{"SLH-DSA public", CKO_PUBLIC_KEY, CKK_SLH_DSA, {RULE_PUBLIC, RULE_SLH_DSA}},
	{"ML-KEM private", CKO_PRIVATE_KEY, CKK_ML_KEM, {RULE_PRIVATE, RULE_ML_KEM}},
	{"ML-DSA private", CKO_PRIVATE_KEY, CKK_ML_DSA, {RULE_PRIVATE, RULE_ML_DSA}},
	{"SLH-DSA private", CKO_PRIVATE_KEY, CKK_SLH_DSA, {RULE_PRIVATE, RULE_SLH_DSA}},
	{"RSA private", CKO_PRIVATE_KEY, CKK_RSA, {RULE_PRIVATE, RULE_RSA}},
	{"EC private", CKO_PRIVATE_KEY, CKK_EC, {RULE_PRIVATE, RULE_EC}},
	{"Edwards private", CKO_PRIVATE_KEY, CKK_EC_EDWARDS, {RULE_PRIVATE, RULE_EDWARDS}},
	{"Montgomery private", CKO_PRIVATE_KEY, CKK_EC_MONTGOMERY, {RULE_PRIVATE, RULE_MONTGOMERY}},
	{"AES", CKO_SECRET_KEY, CKK_AES, {RULE_SECRET, RULE_AES}},
	{"AES-XTS", CKO_SECRET_KEY, CKK_AES_XTS, {RULE_SECRET, RULE_XTS}},
	{"ChaCha20", CKO_SECRET_KEY, CKK_CHACHA20, {RULE_SECRET, RULE_CHACHA20}},
	{"generic secret", CKO_SECRET_KEY, CKK_GENERIC_SECRET, {RULE_SECRET, RULE_GENERIC}},
	{"HMAC", CKO_SECRET_KEY, CKK_SHA256_HMAC, {RULE_SECRET, RULE_GENERIC}},
};

/*
 * The standard's tables. Notes are its footnotes as characters: 1..8 themselves, a, b and c for
 * 10, 11 and 12; besides, what stands in its text: C may be changed in a copy, V may be emptied, E
 * is empty by default; D what a derivation itself contributes; and O that the operator sets it.
 */
struct standard {
	uint64_t type;
	uint8_t classes;
	uint16_t keys;
	const char *notes, *section;
};

/* clang-format off */
static const struct standard standards[] = {
	{CKA_CLASS,                RULE_ALL,                      RULE_ANY,    "1",      "v2.40 4.2 table 11"},
	{CKA_TOKEN,                RULE_ALL,                      RULE_ANY,    "C",      "4.4 table 13"},
	{CKA_PRIVATE,              RULE_ALL,                      RULE_ANY,    "C",      "4.4"},
	{CKA_MODIFIABLE,           RULE_ALL,                      RULE_ANY,    "C",      "4.4"},
	{CKA_LABEL,                RULE_ALL,                      RULE_ANY,    "8E",     "4.4"},
	{CKA_COPYABLE,             RULE_ALL,                      RULE_ANY,    "Cc",     "4.4"},
	{CKA_DESTROYABLE,          RULE_ALL,                      RULE_ANY,    "C",      "4.4"},
	{CKA_UNIQUE_ID,            RULE_ALL,                      RULE_ANY,    "246D",   "v3.0 4.4 table 14"},
	{CKA_PROFILE_ID,           RULE_PROFILE,                  RULE_ANY,    "246D",   "v3.0 4.13"},
	{CKA_APPLICATION,          RULE_DATA,                     RULE_ANY,    "8E",     "4.5 table 14"},
	{CKA_OBJECT_ID,            RULE_DATA,                     RULE_ANY,    "8E",     "4.5"},
	{CKA_VALUE,                RULE_DATA,                     RULE_ANY,    "8E",     "4.5"},
	{CKA_CERTIFICATE_TYPE,     RULE_CERT,                     RULE_ANY,    "1",      "4.6.2 table 15"},
	{CKA_TRUSTED,              RULE_CERT,                     RULE_ANY,    "a",      "4.6.2"},
	{CKA_CERTIFICATE_CATEGORY, RULE_CERT,                     RULE_ANY,    "",       "4.6.2"},
	{CKA_CHECK_VALUE,          RULE_CERT,                     RULE_ANY,    "VE",     "4.6.2"},
	{CKA_START_DATE,           RULE_CERT,                     RULE_ANY,    "E",      "4.6.2"},
	{CKA_END_DATE,             RULE_CERT,                     RULE_ANY,    "E",      "4.6.2"},
	{CKA_PUBLIC_KEY_INFO,      RULE_CERT,                     RULE_ANY,    "E",      "4.6.2"},
	{CKA_SUBJECT,              RULE_CERT,                     RULE_ANY,    "1",      "4.6.3 table 16"},
	{CKA_ID,                   RULE_CERT,                     RULE_ANY,    "8E",     "4.6.3"},
	{CKA_ISSUER,               RULE_CERT,                     RULE_ANY,    "8E",     "4.6.3"},
	{CKA_SERIAL_NUMBER,        RULE_CERT,                     RULE_ANY,    "8E",     "4.6.3"},
	{CKA_VALUE,                RULE_CERT,                     RULE_ANY,    "1E",     "4.6.3"},
	{CKA_URL,                  RULE_CERT,                     RULE_ANY,    "E",      "4.6.3"},
	{CKA_HASH_OF_SUBJECT_PUBLIC_KEY, RULE_CERT,               RULE_ANY,    "E",      "4.6.3"},
	{CKA_HASH_OF_ISSUER_PUBLIC_KEY, RULE_CERT,                RULE_ANY,    "E",      "4.6.3"},
	{CKA_JAVA_MIDP_SECURITY_DOMAIN, RULE_CERT,                RULE_ANY,    "",       "4.6.3"},
	{CKA_KEY_TYPE,             RULE_KEYS,                     RULE_ANY,    "15",     "4.7 table 19"},
	{CKA_ID,                   RULE_KEYS,                     RULE_ANY,    "8E",     "4.7"},
	{CKA_START_DATE,           RULE_KEYS,                     RULE_ANY,    "8E",     "4.7"},
	{CKA_END_DATE,             RULE_KEYS,                     RULE_ANY,    "8E",     "4.7"},
	{CKA_DERIVE,               RULE_KEYS,                     RULE_ANY,    "8",      "4.7"},
	{CKA_LOCAL,                RULE_KEYS,                     RULE_ANY,    "246D",   "4.7"},
	{CKA_KEY_GEN_MECHANISM,    RULE_KEYS,                     RULE_ANY,    "246D",   "4.7"},
	{CKA_ALLOWED_MECHANISMS,   RULE_KEYS,                     RULE_ANY,    "",       "4.7"},
	{CKA_SUBJECT,              RULE_PUBLIC | RULE_PRIVATE,    RULE_ANY,    "8E",     "4.8 table 20"},
	{CKA_ENCRYPT,              RULE_PUBLIC | RULE_SECRET,     RULE_ANY,    "8",      "4.8, 4.10"},
	{CKA_VERIFY,               RULE_PUBLIC | RULE_SECRET,     RULE_ANY,    "8",      "4.8, 4.10"},
	{CKA_VERIFY_RECOVER,       RULE_PUBLIC,                   RULE_ANY,    "8",      "4.8"},
	{CKA_WRAP,                 RULE_PUBLIC | RULE_SECRET,     RULE_ANY,    "8",      "4.8, 4.10"},
	{CKA_TRUSTED,              RULE_PUBLIC | RULE_SECRET,     RULE_ANY,    "a",      "4.8, 4.10"},
	{CKA_WRAP_TEMPLATE,        RULE_PUBLIC | RULE_SECRET,     RULE_ANY,    "",       "4.8, 4.10"},
	{CKA_PUBLIC_KEY_INFO,      RULE_PUBLIC | RULE_PRIVATE,    RULE_ANY,    "4DE",    "4.8, 4.9"},
	{CKA_SENSITIVE,            RULE_PRIVATE | RULE_SECRET,    RULE_ANY,    "8b",     "4.9 table 22, 4.10 table 24"},
	{CKA_DECRYPT,              RULE_PRIVATE | RULE_SECRET,    RULE_ANY,    "8",      "4.9, 4.10"},
	{CKA_SIGN,                 RULE_PRIVATE | RULE_SECRET,    RULE_ANY,    "8",      "4.9, 4.10"},
	{CKA_SIGN_RECOVER,         RULE_PRIVATE,                  RULE_ANY,    "8",      "4.9"},
	{CKA_UNWRAP,               RULE_PRIVATE | RULE_SECRET,    RULE_ANY,    "8",      "4.9, 4.10"},
	{CKA_EXTRACTABLE,          RULE_PRIVATE | RULE_SECRET,    RULE_ANY,    "8c",     "4.9, 4.10"},
	{CKA_ALWAYS_SENSITIVE,     RULE_PRIVATE | RULE_SECRET,    RULE_ANY,    "246D",   "4.9, 4.10"},
	{CKA_NEVER_EXTRACTABLE,    RULE_PRIVATE | RULE_SECRET,    RULE_ANY,    "246D",   "4.9, 4.10"},
	{CKA_WRAP_WITH_TRUSTED,    RULE_PRIVATE | RULE_SECRET,    RULE_ANY,    "8b",     "4.9, 4.10"},
	{CKA_UNWRAP_TEMPLATE,      RULE_PRIVATE | RULE_SECRET,    RULE_ANY,    "",       "4.9, 4.10"},
	{CKA_DERIVE_TEMPLATE,      RULE_PRIVATE | RULE_SECRET,    RULE_ANY,    "",       "v3.0 4.9, 4.10"},
	{CKA_ALWAYS_AUTHENTICATE,  RULE_PRIVATE,                  RULE_ANY,    "",       "4.9"},
	{CKA_CHECK_VALUE,          RULE_SECRET,                   RULE_ANY,    "VE",     "4.10"},
	{CKA_MODULUS,              RULE_PUBLIC,                   RULE_RSA,    "14",     "mechanisms 2.1.2"},
	{CKA_MODULUS_BITS,         RULE_PUBLIC,                   RULE_RSA,    "23",     "mechanisms 2.1.2"},
	{CKA_PUBLIC_EXPONENT,      RULE_PUBLIC,                   RULE_RSA,    "1",      "mechanisms 2.1.2"},
	{CKA_MODULUS,              RULE_PRIVATE,                  RULE_RSA,    "146D",   "mechanisms 2.1.3"},
	{CKA_PUBLIC_EXPONENT,      RULE_PRIVATE,                  RULE_RSA,    "46D",    "mechanisms 2.1.3"},
	{CKA_PRIVATE_EXPONENT,     RULE_PRIVATE,                  RULE_RSA,    "1467D",  "mechanisms 2.1.3"},
	{CKA_PRIME_1,              RULE_PRIVATE,                  RULE_RSA,    "467D",   "mechanisms 2.1.3"},
	{CKA_PRIME_2,              RULE_PRIVATE,                  RULE_RSA,    "467D",   "mechanisms 2.1.3"},
	{CKA_EXPONENT_1,           RULE_PRIVATE,                  RULE_RSA,    "467D",   "mechanisms 2.1.3"},
	{CKA_EXPONENT_2,           RULE_PRIVATE,                  RULE_RSA,    "467D",   "mechanisms 2.1.3"},
	{CKA_COEFFICIENT,          RULE_PRIVATE,                  RULE_RSA,    "467D",   "mechanisms 2.1.3"},
	{CKA_EC_PARAMS,            RULE_PUBLIC,                   RULE_CURVES, "13",     "mechanisms 2.3.3"},
	{CKA_EC_POINT,             RULE_PUBLIC,                   RULE_CURVES, "14",     "mechanisms 2.3.3"},
	{CKA_EC_PARAMS,            RULE_PRIVATE,                  RULE_CURVES, "146D",   "mechanisms 2.3.4"},
	{CKA_VALUE,                RULE_PRIVATE,                  RULE_CURVES, "1467D",  "mechanisms 2.3.4"},
	{CKA_VALUE,                RULE_PUBLIC,                   RULE_PQC,    "14",     "v3.2 6.67.2, 6.68.2, 6.69.2"},
	{CKA_VALUE,                RULE_PRIVATE,                  RULE_PQC,    "467D",   "v3.2 6.67.3; a seed will do"},
	{CKA_PARAMETER_SET,        RULE_PUBLIC,                   RULE_PQC,    "13",     "v3.2 6.67.2"},
	{CKA_PARAMETER_SET,        RULE_PRIVATE,                  RULE_PQC,    "146D",   "v3.2 6.67.3"},
	{CKA_ENCAPSULATE,          RULE_PUBLIC,                   RULE_ML_KEM, "8",      "v3.2 4.8"},
	{CKA_DECAPSULATE,          RULE_PRIVATE,                  RULE_ML_KEM, "8",      "v3.2 4.9"},
	{CKA_SEED,                 RULE_PRIVATE,                  RULE_ML_KEM | RULE_ML_DSA, "467D", "v3.2 6.67.3"},
	{CKA_VALUE,                RULE_SECRET,                   RULE_ANY,    "1467D",  "mechanisms 2.8.2, 2.7.2"},
	/* Footnote 6 left out: see attribute_rules.def. */
	{CKA_VALUE_LEN,            RULE_SECRET,                   RULE_ANY & ~RULE_CHACHA20, "23", "mechanisms 2.8.2, 2.7.2"},
	{CKA_VALUE_LEN,            RULE_DATA,                     RULE_ANY,    "246",    "v3.0 2.42, CKM_HKDF_DATA"},
	{CKA_VALUE_LEN,            RULE_SECRET,                   RULE_CHACHA20, "2",    "v3.0 2.58"},
	{CKA_CRATON_COMPROMISED,   RULE_KEYS,                     RULE_ANY,    "246DbEO", "ours; SP 800-57 part 1 5.3.5"},
};
/* clang-format on */

static inline const struct standard *standard_of(uint64_t type, const struct kind *kind)
{
	for (size_t i = 0; i < COUNT(standards); i++) {
		if (standards[i].type == type &&
		    (standards[i].classes & kind->scope.object_class) &&
		    (standards[i].keys & kind->scope.key))
			return &standards[i];
	}
	return NULL;
}

static inline bool noted(const struct standard *standard, char note)
{
	return standard && strchr(standard->notes, note);
}

/* Every attribute that the wire gives a kind to. */
static const uint64_t wire_types[] = {
#define ATTRIBUTE(type, kind) type,
#include "wire/attribute.def"
#undef ATTRIBUTE
};

/* A good value that differs from the default where it is a flag that may be changed up. */
static inline void put_sample(struct builder *builder, uint64_t type, const struct kind *kind)
{
	static const uint8_t one_mechanism[8] = {CKM_AES_ECB & 0xff, CKM_AES_ECB >> 8};
	struct builder inner;

	switch (wire_attribute_kind_of(type)) {
	case WIRE_ATTRIBUTE_NUMBER:
		put_number(builder, type,
		           type == CKA_CLASS      ? kind->object_class
		           : type == CKA_KEY_TYPE ? kind->key_type
		                                  : 0);
		break;
	case WIRE_ATTRIBUTE_FLAG:
		put_flag(builder, type, false);
		break;
	case WIRE_ATTRIBUTE_DATE:
		put_text(builder, type, "20250131");
		break;
	case WIRE_ATTRIBUTE_MECHANISMS:
		put_octets(builder, type, one_mechanism, sizeof(one_mechanism));
		break;
	case WIRE_ATTRIBUTE_ATTRIBUTES:
		inner = builder_new();
		put_text(&inner, CKA_LABEL, "inner");
		put_nested(builder, type, &inner);
		builder_free(&inner);
		break;
	default:
		put_text(builder, type, "0123456789abcdef");
	}
}

static const char must_notes[] = {[ORIGIN_CREATE] = '1',
                                  [ORIGIN_GENERATE] = '3',
                                  [ORIGIN_UNWRAP] = '5',
                                  [ORIGIN_DERIVE] = '0'};
static const char must_not_notes[] = {[ORIGIN_CREATE] = '2',
                                      [ORIGIN_GENERATE] = '4',
                                      [ORIGIN_UNWRAP] = '6',
                                      [ORIGIN_DERIVE] = 'D'};

/* Is this needed to make an object of the kind in this way? The class always is, but where the
 * mechanism brings it. */
static inline bool is_needed(uint64_t type, const struct kind *kind, enum template_origin origin)
{
	if (type == CKA_CLASS)
		return origin == ORIGIN_CREATE || origin == ORIGIN_UNWRAP;
	return noted(standard_of(type, kind), must_notes[origin]);
}

/* The least template, without one attribute. */
static inline void put_least(struct builder *builder, const struct kind *kind,
                             enum template_origin origin, uint64_t without)
{
	for (size_t i = 0; i < COUNT(wire_types); i++) {
		if (wire_types[i] != without && is_needed(wire_types[i], kind, origin))
			put_sample(builder, wire_types[i], kind);
	}
}

/* Sets live in locked memory. Each test opens it in its own process, before OpenSSL is used. */
static inline void open_slots(void)
{
	static bool opened;
	char error[256];

	if (!opened)
		ASSERT_EQ(slots_open(SLOTS_AUTO, error, sizeof(error)), 0);
	opened = true;
}

/* As the handlers do it: a generated key's class and type come from the mechanism. */
static inline struct template_context context_of(const struct kind *kind,
                                                 enum template_origin origin)
{
	struct template_context context = {.origin = origin,
	                                   .object_class = NONE,
	                                   .key_type = NONE,
	                                   .mechanism = NONE,
	                                   .user = true};

	open_slots();
	if (origin == ORIGIN_GENERATE) {
		context.object_class = kind->object_class;
		context.key_type = kind->key_type;
	}
	return context;
}

static inline bool can_make(const struct kind *kind, enum template_origin origin)
{
	static const uint8_t classes[] = {[ORIGIN_CREATE] = RULE_ALL,
	                                  [ORIGIN_GENERATE] = RULE_KEYS,
	                                  [ORIGIN_UNWRAP] = RULE_PRIVATE | RULE_SECRET,
	                                  [ORIGIN_DERIVE] = RULE_SECRET};

	return classes[origin] & kind->scope.object_class;
}

/* The only error of a build; the set is thrown away. */
static inline enum err build_error(const struct template_context *context,
                                   const struct builder *builder)
{
	struct wire_template template = view(builder);
	attributes_auto set = {0};

	return template_build(context, &template, &set);
}

static inline const struct kind *kind_named(const char *name)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	}
	abort();
}

/* An object of the kind as C_CreateObject makes it from these attributes and the least others; not
 * completed, so material is what the test gave. */
static inline struct object *make_object(const struct kind *kind, const struct builder *extra)
{
	struct template_context context = context_of(kind, ORIGIN_CREATE);
	builder_auto builder = builder_new();
	struct object *object = NULL;
	struct wire_attribute each;
	struct wire_template template = {0};
	attributes_auto set = {0};

	context.so = true;
	put_least(&builder, kind, ORIGIN_CREATE, NONE);
	if (extra)
		template = view(extra);
	for (size_t cursor = 0; wire_template_next(&template, &cursor, &each);)
		put(&builder, &each);
	template = view(&builder);
	ASSERT_EQ(template_build(&context, &template, &set), ERROR_NONE);
	ASSERT_EQ(object_new(&set, &object), ERROR_NONE);
	return object;
}

#endif
