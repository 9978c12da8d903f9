/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Computed attributes (row B20): check values against known answers, lengths, where a key came from
 * and what it has been, and the public key of each half of real pairs.
 */
#include "crypto.h"
#include "crypto_key.h"
#include "template_help.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

/* As much of the agent's context as check values and keys need, without its DRBG and arena. */
static struct crypto *test_crypto(void)
{
	static struct crypto crypto;

	if (crypto.library)
		return &crypto;
	open_slots();
	crypto.library = OSSL_LIB_CTX_new();
	ASSERT_TRUE(crypto_curve_open(&crypto));
	crypto.digests[DIGEST_SHA1] = EVP_MD_fetch(crypto.library, "SHA1", NULL);
	crypto.ciphers[CIPHER_AES_ECB][0] = EVP_CIPHER_fetch(crypto.library, "AES-128-ECB", NULL);
	crypto.ciphers[CIPHER_AES_ECB][1] = EVP_CIPHER_fetch(crypto.library, "AES-192-ECB", NULL);
	crypto.ciphers[CIPHER_AES_ECB][2] = EVP_CIPHER_fetch(crypto.library, "AES-256-ECB", NULL);
	return &crypto;
}

/* The least set of the kind and origin; material is the test's to add. */
static void start(struct attributes *set, const struct kind *kind,
                  const struct template_context *context)
{
	builder_auto builder = builder_new();
	struct wire_template template;

	put_least(&builder, kind, context->origin, NONE);
	if (context->origin == ORIGIN_DERIVE) {
		put_number(&builder, CKA_CLASS, kind->object_class);
		put_number(&builder, CKA_KEY_TYPE, kind->key_type);
	}
	template = view(&builder);
	ASSERT_EQ(template_build(context, &template, set), ERROR_NONE);
}

static void set_bytes(struct attributes *set, uint64_t type, const void *value, size_t len)
{
	ASSERT_EQ(attributes_set_bytes(set, type, value, len), ERROR_NONE);
}

/* A secret value in a set of the kind, completed. */
static enum err complete_value(const char *name, const void *value, size_t len,
                               const char *check_value, struct attributes *set)
{
	struct template_context context = context_of(kind_named(name), ORIGIN_CREATE);

	start(set, kind_named(name), &context);
	set_bytes(set, CKA_VALUE, value, len);
	if (check_value)
		set_bytes(set, CKA_CHECK_VALUE, check_value, strlen(check_value));
	return template_complete(&context, test_crypto(), set);
}

/* AES: FIPS 197's cipher on zeros; SHA-1 of "abc": FIPS 180. */
TEST(check_values)
{
	static const uint8_t zeros[32];
	static const struct {
		const char *kind;
		const void *value;
		size_t len;
		const char *check;
	} rows[] = {
		{"AES", zeros, 16, "\x66\xe9\x4b"}, {"AES", zeros, 24, "\xaa\xe0\x69"},
		{"AES", zeros, 32, "\xdc\x95\xc0"}, {"generic secret", "abc", 3, "\xa9\x99\x3e"},
		{"HMAC", "abc", 3, "\xa9\x99\x3e"}, {"certificate", "abc", 3, "\xa9\x99\x3e"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		attributes_auto computed = {0};
		attributes_auto right = {0};
		attributes_auto wrong = {0};
		attributes_auto longer = {0};
		attributes_auto unwanted = {0};
		struct wire_bytes check;

		ASSERT_EQ(complete_value(rows[i].kind, rows[i].value, rows[i].len, NULL, &computed),
		          ERROR_NONE);
		check = attributes_bytes(&computed, CKA_CHECK_VALUE);
		ASSERT_EQ(check.len, 3);
		EXPECT_MEMEQ(check.data, rows[i].check, 3);
		/* §4.10.2: given, it must be right; empty, there shall be none. */
		EXPECT_EQ(complete_value(rows[i].kind, rows[i].value, rows[i].len, rows[i].check,
		                         &right),
		          ERROR_NONE);
		EXPECT_EQ(complete_value(rows[i].kind, rows[i].value, rows[i].len, "bad", &wrong),
		          ERROR_ATTRIBUTE_VALUE);
		EXPECT_EQ(complete_value(rows[i].kind, rows[i].value, rows[i].len, "four", &longer),
		          ERROR_ATTRIBUTE_VALUE);
		EXPECT_EQ(complete_value(rows[i].kind, rows[i].value, rows[i].len, "", &unwanted),
		          ERROR_NONE);
		EXPECT_EQ(attributes_bytes(&unwanted, CKA_CHECK_VALUE).len, 0);
	}
}

TEST(no_check_value_without_a_value)
{
	static const uint8_t bad_key[15];
	attributes_auto certificate = {0};
	attributes_auto data = {0};
	attributes_auto bad = {0};
	struct wire_attribute attribute;

	ASSERT_EQ(complete_value("certificate", "", 0, NULL, &certificate), ERROR_NONE);
	EXPECT_FALSE(attributes_get(&certificate, CKA_CHECK_VALUE, &attribute));
	ASSERT_EQ(complete_value("data", "abc", 3, NULL, &data), ERROR_NONE);
	EXPECT_FALSE(attributes_get(&data, CKA_CHECK_VALUE, &attribute));
	EXPECT_EQ(complete_value("AES", bad_key, sizeof(bad_key), NULL, &bad),
	          ERROR_ATTRIBUTE_VALUE);
}

/* A length asked for is the length made. */
TEST(lengths_of_values)
{
	struct template_context context = context_of(kind_named("AES"), ORIGIN_UNWRAP);

	for (uint64_t asked = 15; asked <= 17; asked++) {
		attributes_auto set = {0};

		start(&set, kind_named("AES"), &context);
		set_bytes(&set, CKA_VALUE, "0123456789abcdef", 16);
		ASSERT_EQ(attributes_set_number(&set, CKA_VALUE_LEN, asked), ERROR_NONE);
		EXPECT_EQ(template_complete(&context, test_crypto(), &set),
		          asked == 16 ? ERROR_NONE : ERROR_TEMPLATE_INCONSISTENT);
	}
	for (size_t len = 1; len <= 64; len++) {
		static const uint8_t value[64];
		attributes_auto set = {0};

		ASSERT_EQ(complete_value("generic secret", value, len, NULL, &set), ERROR_NONE);
		EXPECT_EQ(attributes_number(&set, CKA_VALUE_LEN, 0), len);
	}
}

/* Whatever a mechanism forgot is seen here. */
TEST(material_must_be_there)
{
	static const struct {
		const char *kind;
		enum template_origin origin;
	} rows[] = {{"AES", ORIGIN_GENERATE},         {"AES", ORIGIN_UNWRAP},
	            {"AES", ORIGIN_DERIVE},           {"RSA public", ORIGIN_GENERATE},
	            {"RSA private", ORIGIN_GENERATE}, {"RSA private", ORIGIN_UNWRAP},
	            {"EC public", ORIGIN_GENERATE},   {"EC private", ORIGIN_GENERATE}};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct template_context context =
			context_of(kind_named(rows[i].kind), rows[i].origin);
		attributes_auto set = {0};

		start(&set, kind_named(rows[i].kind), &context);
		EXPECT_EQ(template_complete(&context, test_crypto(), &set),
		          ERROR_TEMPLATE_INCOMPLETE);
	}
}

/* What a base key has been; for origins without one the flags are not looked at. */
static struct object *base_key(bool always_sensitive, bool never_extractable)
{
	struct object *object = make_object(kind_named("generic secret"), NULL);

	ASSERT_EQ(attributes_set_flag(&object->attributes, CKA_ALWAYS_SENSITIVE, always_sensitive),
	          ERROR_NONE);
	ASSERT_EQ(
		attributes_set_flag(&object->attributes, CKA_NEVER_EXTRACTABLE, never_extractable),
		ERROR_NONE);
	return object;
}

static bool wanted_past(enum template_origin origin, bool now, bool base)
{
	return now && (origin == ORIGIN_GENERATE || (origin == ORIGIN_DERIVE && base));
}

/* §4.7 CKA_LOCAL and CKA_KEY_GEN_MECHANISM; §4.10 the history; C_UnwrapKey and C_DeriveKey. `bits`:
 * sensitive, extractable, base always sensitive, base never extractable. */
static void check_history(enum template_origin origin, unsigned int bits)
{
	const struct kind *kind = kind_named("generic secret");
	struct template_context context = context_of(kind, origin);
	object_auto base = base_key(bits & 4, bits & 8);
	attributes_auto set = {0};
	bool local = origin == ORIGIN_GENERATE;

	context.base = origin == ORIGIN_CREATE || local ? NULL : base;
	context.mechanism = CKM_GENERIC_SECRET_KEY_GEN;
	start(&set, kind, &context);
	set_bytes(&set, CKA_VALUE, "0123456789abcdef", 16);
	attributes_remove(&set, CKA_VALUE_LEN);
	ASSERT_EQ(attributes_set_flag(&set, CKA_SENSITIVE, bits & 1), ERROR_NONE);
	ASSERT_EQ(attributes_set_flag(&set, CKA_EXTRACTABLE, bits & 2), ERROR_NONE);
	ASSERT_EQ(template_complete(&context, test_crypto(), &set), ERROR_NONE);
	EXPECT_EQ(attributes_flag(&set, CKA_LOCAL), local);
	EXPECT_EQ(attributes_number(&set, CKA_KEY_GEN_MECHANISM, 0),
	          local ? CKM_GENERIC_SECRET_KEY_GEN : NONE);
	EXPECT_EQ(attributes_flag(&set, CKA_ALWAYS_SENSITIVE),
	          wanted_past(origin, bits & 1, bits & 4));
	EXPECT_EQ(attributes_flag(&set, CKA_NEVER_EXTRACTABLE),
	          wanted_past(origin, !(bits & 2), bits & 8));
}

TEST(history)
{
	for (int origin = ORIGIN_CREATE; origin <= ORIGIN_DERIVE; origin++) {
		for (unsigned int bits = 0; bits < 16; bits++)
			check_history((enum template_origin)origin, bits);
	}
}

/* One number of the key as an attribute, `len` octets or as many as it needs. */
static void set_number_of(struct attributes *set, uint64_t type, const EVP_PKEY *pkey,
                          const char *name, int len)
{
	uint8_t octets[512];
	BIGNUM *number = NULL;

	ASSERT_EQ(EVP_PKEY_get_bn_param(pkey, name, &number), 1);
	len = len ? len : BN_num_bytes(number);
	ASSERT_EQ(BN_bn2binpad(number, octets, len), len);
	BN_free(number);
	set_bytes(set, type, octets, (size_t)len);
}

/* The key's point in a DER OCTET STRING; short enough for a length of one octet. */
static void set_point(struct attributes *set, const EVP_PKEY *pkey)
{
	uint8_t octets[128] = {0x04};
	size_t len;

	ASSERT_EQ(EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY,
	                                          octets + 2, sizeof(octets) - 2, &len),
	          1);
	octets[1] = (uint8_t)len;
	set_bytes(set, CKA_EC_POINT, octets, len + 2);
}

static const uint8_t p256_params[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
static const uint8_t ed25519_params[] = {6, 3, 0x2b, 0x65, 0x70};

static void set_rsa(struct attributes *set, const EVP_PKEY *pkey, bool private_half)
{
	static const struct {
		uint64_t type;
		const char *name;
	} secrets[] = {{CKA_PRIVATE_EXPONENT, OSSL_PKEY_PARAM_RSA_D},
	               {CKA_PRIME_1, OSSL_PKEY_PARAM_RSA_FACTOR1},
	               {CKA_PRIME_2, OSSL_PKEY_PARAM_RSA_FACTOR2},
	               {CKA_EXPONENT_1, OSSL_PKEY_PARAM_RSA_EXPONENT1},
	               {CKA_EXPONENT_2, OSSL_PKEY_PARAM_RSA_EXPONENT2},
	               {CKA_COEFFICIENT, OSSL_PKEY_PARAM_RSA_COEFFICIENT1}};

	set_number_of(set, CKA_MODULUS, pkey, OSSL_PKEY_PARAM_RSA_N, 0);
	set_number_of(set, CKA_PUBLIC_EXPONENT, pkey, OSSL_PKEY_PARAM_RSA_E, 0);
	for (size_t i = 0; private_half && i < COUNT(secrets); i++)
		set_number_of(set, secrets[i].type, pkey, secrets[i].name, 0);
}

static void set_p256(struct attributes *set, const EVP_PKEY *pkey, bool private_half)
{
	set_bytes(set, CKA_EC_PARAMS, p256_params, sizeof(p256_params));
	if (private_half)
		set_number_of(set, CKA_VALUE, pkey, OSSL_PKEY_PARAM_PRIV_KEY, 32);
	else
		set_point(set, pkey);
}

static void set_ed25519(struct attributes *set, const EVP_PKEY *pkey, bool private_half)
{
	uint8_t octets[34] = {0x04, 0x20};
	size_t len = 32;

	set_bytes(set, CKA_EC_PARAMS, ed25519_params, sizeof(ed25519_params));
	if (private_half)
		ASSERT_EQ(EVP_PKEY_get_raw_private_key(pkey, octets + 2, &len), 1);
	else
		ASSERT_EQ(EVP_PKEY_get_raw_public_key(pkey, octets + 2, &len), 1);
	if (private_half)
		set_bytes(set, CKA_VALUE, octets + 2, 32);
	else
		set_bytes(set, CKA_EC_POINT, octets, 34);
}

/* The half is completed with the info given (NULL: none); `der` is what it must be. */
static enum err complete_half(const char *name, EVP_PKEY *pkey,
                              void (*material)(struct attributes *, const EVP_PKEY *, bool),
                              struct wire_bytes info, struct attributes *set)
{
	const struct kind *kind = kind_named(name);
	struct template_context context = context_of(kind, ORIGIN_CREATE);

	start(set, kind, &context);
	material(set, pkey, kind->object_class == CKO_PRIVATE_KEY);
	if (info.data)
		set_bytes(set, CKA_PUBLIC_KEY_INFO, info.data, info.len);
	return template_complete(&context, test_crypto(), set);
}

static void check_half(const char *name, EVP_PKEY *pkey,
                       void (*material)(struct attributes *, const EVP_PKEY *, bool))
{
	attributes_auto computed = {0};
	attributes_auto right = {0};
	attributes_auto wrong = {0};
	unsigned char *der = NULL;
	struct wire_bytes info, none = {0};
	int len = i2d_PUBKEY(pkey, &der);

	ASSERT_GT(len, 0);
	ASSERT_EQ(complete_half(name, pkey, material, none, &computed), ERROR_NONE);
	info = attributes_bytes(&computed, CKA_PUBLIC_KEY_INFO);
	ASSERT_EQ(info.len, (size_t)len);
	EXPECT_MEMEQ(info.data, der, info.len);
	info = (struct wire_bytes){der, (size_t)len};
	EXPECT_EQ(complete_half(name, pkey, material, info, &right), ERROR_NONE);
	der[len - 1] ^= 1;
	EXPECT_EQ(complete_half(name, pkey, material, info, &wrong), ERROR_TEMPLATE_INCONSISTENT);
	OPENSSL_free(der);
}

TEST(public_key_of_rsa)
{
	pkey_auto pkey = EVP_PKEY_Q_keygen(test_crypto()->library, NULL, "RSA", (size_t)2048);

	check_half("RSA public", pkey, set_rsa);
	check_half("RSA private", pkey, set_rsa);
}

TEST(public_key_of_ec)
{
	pkey_auto pkey = EVP_PKEY_Q_keygen(test_crypto()->library, NULL, "EC", "P-256");

	check_half("EC public", pkey, set_p256);
	check_half("EC private", pkey, set_p256);
}

TEST(public_key_of_edwards)
{
	pkey_auto pkey = EVP_PKEY_Q_keygen(test_crypto()->library, NULL, "ED25519");

	check_half("Edwards public", pkey, set_ed25519);
	check_half("Edwards private", pkey, set_ed25519);
}

/* Bits of the modulus, not of its octets; what a template says of a generated key stays checked. */
TEST(modulus_bits)
{
	struct wire_bytes none = {0};
	attributes_auto set = {0};
	attributes_auto padded = {0};
	uint8_t modulus[258] = {0};
	struct template_context context = context_of(kind_named("RSA public"), ORIGIN_CREATE);
	pkey_auto pkey = EVP_PKEY_Q_keygen(test_crypto()->library, NULL, "RSA", (size_t)2048);

	ASSERT_EQ(complete_half("RSA public", pkey, set_rsa, none, &set), ERROR_NONE);
	EXPECT_EQ(attributes_number(&set, CKA_MODULUS_BITS, 0), 2048);
	memcpy(modulus + 2, attributes_bytes(&set, CKA_MODULUS).data, 256);
	start(&padded, kind_named("RSA public"), &context);
	set_rsa(&padded, pkey, false);
	set_bytes(&padded, CKA_MODULUS, modulus, sizeof(modulus));
	ASSERT_EQ(template_complete(&context, test_crypto(), &padded), ERROR_NONE);
	EXPECT_EQ(attributes_number(&padded, CKA_MODULUS_BITS, 0), 2048);
}

TEST(public_keys_have_no_history)
{
	struct wire_bytes none = {0};
	struct wire_attribute attribute;
	attributes_auto set = {0};
	pkey_auto pkey = EVP_PKEY_Q_keygen(test_crypto()->library, NULL, "EC", "P-256");

	ASSERT_EQ(complete_half("EC public", pkey, set_p256, none, &set), ERROR_NONE);
	EXPECT_FALSE(attributes_get(&set, CKA_ALWAYS_SENSITIVE, &attribute));
	EXPECT_FALSE(attributes_get(&set, CKA_NEVER_EXTRACTABLE, &attribute));
	EXPECT_TRUE(attributes_get(&set, CKA_LOCAL, &attribute));
}

HARNESS_MAIN
