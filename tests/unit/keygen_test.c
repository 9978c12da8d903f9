/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: generated, wrapped, unwrapped, derived and imported; what the templates may ask for. */
#include "harness.h"

#include <openssl/evp.h>

#include "key_fixture.h"
#include "rsa_vectors.h"

static enum err make_secret(uint64_t type, uint64_t len, struct attributes *set)
{
	struct wire_mechanism parameter = PLAIN(type);

	*set = key_set(CKO_SECRET_KEY, row_of(type)->key_type);
	if (len != UINT64_MAX)
		ASSERT_EQ(attributes_set_number(set, CKA_VALUE_LEN, len), ERROR_NONE);
	return keygen_secret(crypto, row_of(type), &parameter, set);
}

TEST(secret_lengths)
{
	struct attributes set;

	open_crypto();
	for (uint64_t len = 0; len < 40; len++) {
		bool aes = len == 16 || len == 24 || len == 32;

		EXPECT_EQ(make_secret(CKM_AES_KEY_GEN, len, &set),
		          aes ? ERROR_NONE : ERROR_KEY_SIZE);
		EXPECT_EQ(attributes_bytes(&set, CKA_VALUE).len, aes ? len : 0);
		attributes_clear(&set);
		EXPECT_EQ(make_secret(CKM_GENERIC_SECRET_KEY_GEN, len, &set),
		          len ? ERROR_NONE : ERROR_KEY_SIZE);
		attributes_clear(&set);
	}
	EXPECT_EQ(make_secret(CKM_GENERIC_SECRET_KEY_GEN, 4096, &set), ERROR_NONE);
	attributes_clear(&set);
	EXPECT_EQ(make_secret(CKM_GENERIC_SECRET_KEY_GEN, 4097, &set), ERROR_KEY_SIZE);
	attributes_clear(&set);
	EXPECT_EQ(make_secret(CKM_AES_KEY_GEN, UINT64_MAX, &set), ERROR_TEMPLATE_INCOMPLETE);
	attributes_clear(&set);
}

TEST(secrets_differ)
{
	struct attributes a, b;

	open_crypto();
	ASSERT_EQ(make_secret(CKM_AES_KEY_GEN, 32, &a), ERROR_NONE);
	ASSERT_EQ(make_secret(CKM_AES_KEY_GEN, 32, &b), ERROR_NONE);
	EXPECT_NE(memcmp(attributes_bytes(&a, CKA_VALUE).data, attributes_bytes(&b, CKA_VALUE).data,
	                 32),
	          0);
	EXPECT_TRUE(slots_contains(attributes_bytes(&a, CKA_VALUE).data));
	attributes_clear(&a);
	attributes_clear(&b);
}

static enum err pair(const struct mechanism *row, const char *params, uint64_t bits,
                     const char *exponent, struct attributes *public_set,
                     struct attributes *private_set)
{
	struct wire_mechanism parameter = PLAIN(row->type);

	*public_set = key_set(CKO_PUBLIC_KEY, row->key_type);
	*private_set = key_set(CKO_PRIVATE_KEY, row->key_type);
	if (params)
		put(public_set, CKA_EC_PARAMS, hex(params));
	if (bits)
		ASSERT_EQ(attributes_set_number(public_set, CKA_MODULUS_BITS, bits), ERROR_NONE);
	if (exponent)
		put(public_set, CKA_PUBLIC_EXPONENT, hex(exponent));
	return keygen_pair(crypto, NULL, row, &parameter, public_set, private_set);
}

static enum err try_pair(uint64_t type, const char *params, uint64_t bits, const char *exponent)
{
	struct attributes public_set, private_set;
	enum err err = pair(row_of(type), params, bits, exponent, &public_set, &private_set);

	attributes_clear(&public_set);
	attributes_clear(&private_set);
	return err;
}

TEST(rsa_pair_has_its_parts)
{
	struct attributes public_set, private_set;
	static const uint64_t parts[] = {CKA_MODULUS,    CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT,
	                                 CKA_PRIME_1,    CKA_PRIME_2,         CKA_EXPONENT_1,
	                                 CKA_EXPONENT_2, CKA_COEFFICIENT};

	open_crypto();
	ASSERT_EQ(pair(row_of(CKM_RSA_PKCS_KEY_PAIR_GEN), NULL, 2048, NULL, &public_set,
	               &private_set),
	          ERROR_NONE);
	EXPECT_EQ(attributes_bytes(&public_set, CKA_MODULUS).len, 256);
	EXPECT_BYTES(attributes_bytes(&public_set, CKA_PUBLIC_EXPONENT), hex("010001"));
	EXPECT_EQ(attributes_bytes(&public_set, CKA_PRIVATE_EXPONENT).len, 0);
	for (size_t i = 0; i < 8; i++)
		EXPECT_GT(attributes_bytes(&private_set, parts[i]).len, 0);
	EXPECT_EQ(keygen_check(crypto, NULL, &public_set), ERROR_NONE);
	EXPECT_EQ(keygen_check(crypto, NULL, &private_set), ERROR_NONE);
	attributes_clear(&public_set);
	attributes_clear(&private_set);
}

TEST(rsa_templates)
{
	open_crypto();
	EXPECT_EQ(try_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0, NULL), ERROR_TEMPLATE_INCOMPLETE);
	EXPECT_EQ(try_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 1024, NULL), ERROR_KEY_SIZE);
	EXPECT_EQ(try_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 2047, NULL), ERROR_KEY_SIZE);
	EXPECT_EQ(try_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 2049, NULL), ERROR_KEY_SIZE);
	EXPECT_EQ(try_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 4104, NULL), ERROR_KEY_SIZE);
	EXPECT_EQ(try_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 2048, "03"), ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(try_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 2048, "010000"), ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(try_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 2048, "ffff"), ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(try_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 2048,
	                   "0100000000000000000000000000000000000000000000000000000000000000"
	                   "01"),
	          ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(try_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 2048, "010003"), ERROR_NONE);
	EXPECT_TRUE(keygen_is_slow(row_of(CKM_RSA_PKCS_KEY_PAIR_GEN)));
	EXPECT_FALSE(keygen_is_slow(row_of(CKM_EC_KEY_PAIR_GEN)));
	EXPECT_FALSE(keygen_is_slow(row_of(CKM_SHA256)));
}

TEST(weak_rsa_when_allowed)
{
	struct config *config = config_defaults();
	struct attributes public_set, private_set;

	open_crypto();
	config->algorithms.allow_weak_rsa = true;
	EXPECT_EQ(pair(mechanism_find(crypto, config, CKM_RSA_PKCS_KEY_PAIR_GEN), NULL, 1024, NULL,
	               &public_set, &private_set),
	          ERROR_NONE);
	EXPECT_EQ(keygen_check(crypto, config, &private_set), ERROR_NONE);
	EXPECT_EQ(keygen_check(crypto, NULL, &private_set), ERROR_KEY_SIZE);
	attributes_clear(&public_set);
	attributes_clear(&private_set);
	config_free(config);
}

static const struct {
	uint64_t type;
	const char *params;
	size_t point_len, scalar_len;
} curves[] = {
	{CKM_EC_KEY_PAIR_GEN, P256_PARAMS, 67, 32},
	{CKM_EC_KEY_PAIR_GEN, P384_PARAMS, 99, 48},
	{CKM_EC_KEY_PAIR_GEN, P521_PARAMS, 136, 66},
	{CKM_EC_KEY_PAIR_GEN, "1309736563703235367231", 67, 32}, /* "secp256r1" */
	{CKM_EC_EDWARDS_KEY_PAIR_GEN, ED25519_PARAMS, 34, 32},
	{CKM_EC_EDWARDS_KEY_PAIR_GEN, "130c656477617264733235353139", 34, 32},
};

TEST(curve_pairs)
{
	struct attributes public_set, private_set;

	open_crypto();
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		ASSERT_EQ(pair(row_of(curves[i].type), curves[i].params, 0, NULL, &public_set,
		               &private_set),
		          ERROR_NONE);
		EXPECT_BYTES(attributes_bytes(&private_set, CKA_EC_PARAMS), hex(curves[i].params));
		EXPECT_EQ(attributes_bytes(&private_set, CKA_VALUE).len, curves[i].scalar_len);
		EXPECT_EQ(attributes_bytes(&public_set, CKA_EC_POINT).len, curves[i].point_len);
		EXPECT_EQ(attributes_bytes(&public_set, CKA_EC_POINT).data[0], 4);
		EXPECT_EQ(attributes_bytes(&public_set, CKA_VALUE).len, 0);
		EXPECT_EQ(keygen_check(crypto, NULL, &public_set), ERROR_NONE);
		EXPECT_EQ(keygen_check(crypto, NULL, &private_set), ERROR_NONE);
		attributes_clear(&public_set);
		attributes_clear(&private_set);
	}
	EXPECT_EQ(try_pair(CKM_EC_KEY_PAIR_GEN, NULL, 0, NULL), ERROR_TEMPLATE_INCOMPLETE);
	EXPECT_EQ(try_pair(CKM_EC_KEY_PAIR_GEN, ED25519_PARAMS, 0, NULL), ERROR_CURVE);
	EXPECT_EQ(try_pair(CKM_EC_EDWARDS_KEY_PAIR_GEN, P256_PARAMS, 0, NULL), ERROR_CURVE);
	EXPECT_EQ(try_pair(CKM_EC_KEY_PAIR_GEN, "06092b2403030208010107", 0, NULL), ERROR_CURVE);
	EXPECT_EQ(try_pair(CKM_EC_KEY_PAIR_GEN, "3000", 0, NULL), ERROR_DOMAIN_PARAMETERS);
}

TEST(failing_pairwise_test_makes_no_key)
{
#ifdef CRATON_TEST_HOOKS
	open_crypto();
	EXPECT_EQ(try_pair(CKM_EC_KEY_PAIR_GEN, P256_PARAMS, 0, NULL), ERROR_NONE);
	setenv("CRATON_TEST_PAIRWISE_BREAK", "1", 1);
	EXPECT_EQ(try_pair(CKM_EC_KEY_PAIR_GEN, P256_PARAMS, 0, NULL), ERROR_CRYPTO);
	EXPECT_FALSE(state_operational(&fixture_state));
#else
	SKIP("needs TEST_HOOKS=1");
#endif
}

/* ---- wrapping ---- */

static struct wire_buffer wrapped;

static enum err wrap(struct wire_mechanism parameter, struct object *wrapping, struct object *key)
{
	wire_buffer_free(&wrapped);
	wire_buffer_init(&wrapped, 65536, NULL);
	return keygen_wrap(crypto, row_of(parameter.type), &parameter, wrapping, key, &wrapped);
}

static enum err unwrap(struct wire_mechanism parameter, struct object *key, uint64_t class,
                       uint64_t type, struct attributes *set)
{
	*set = key_set(class, type);
	return keygen_unwrap(crypto, row_of(parameter.type), &parameter, key,
	                     (struct wire_bytes){wrapped.data, wrapped.len}, set);
}

static const uint8_t iv[16] = {9};

#define CBC_PAD PARAMETER(CKM_AES_CBC_PAD, initialization_vector, BYTES(iv))
#define KWP     PARAMETER(CKM_AES_KEY_WRAP_KWP, initialization_vector, NOTHING)
#define KW      PARAMETER(CKM_AES_KEY_WRAP, initialization_vector, NOTHING)
#define OAEP    PARAMETER(CKM_RSA_PKCS_OAEP, oaep, CKM_SHA256, CKG_MGF1_SHA256, 1, NOTHING)

TEST(secret_keys_wrap_and_unwrap)
{
	struct object *rsa_public, *rsa_private;
	object_auto kek = NULL;
	object_auto key = NULL;
	struct attributes set;

	open_crypto();
	pair_from_pkcs8(BYTES(rsa_pkcs8), &rsa_public, &rsa_private);
	kek = secret_key(CKK_AES, hex("000102030405060708090a0b0c0d0e0f"));
	key = secret_key(CKK_AES, hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"));
#define TRY(parameter, wrapping, unwrapping)                                                       \
	do {                                                                                       \
		ASSERT_EQ(wrap(parameter, wrapping, key), ERROR_NONE);                             \
		ASSERT_EQ(unwrap(parameter, unwrapping, CKO_SECRET_KEY, CKK_AES, &set),            \
		          ERROR_NONE);                                                             \
		EXPECT_BYTES(attributes_bytes(&set, CKA_VALUE), crypto_key_secret(key));           \
		attributes_clear(&set);                                                            \
	} while (0)
	TRY(CBC_PAD, kek, kek);
	TRY(KW, kek, kek);
	TRY(KWP, kek, kek);
	TRY(PLAIN(CKM_RSA_PKCS), rsa_public, rsa_private);
	TRY(OAEP, rsa_public, rsa_private);
#undef TRY
	wire_buffer_free(&wrapped);
	object_put(rsa_public);
	object_put(rsa_private);
}

TEST(private_keys_wrap_and_unwrap)
{
	struct object *keys[6];
	object_auto kek = NULL;
	struct attributes set;

	open_crypto();
	kek = secret_key(CKK_AES, hex("000102030405060708090a0b0c0d0e0f"));
	pair_from_pkcs8(BYTES(rsa_pkcs8), &keys[0], &keys[1]);
	generate(CKM_EC_KEY_PAIR_GEN, P521_PARAMS, &keys[2], &keys[3]);
	generate(CKM_EC_EDWARDS_KEY_PAIR_GEN, ED25519_PARAMS, &keys[4], &keys[5]);
	for (size_t i = 1; i < 6; i += 2) {
		uint64_t part = i == 1 ? CKA_PRIVATE_EXPONENT : CKA_VALUE;

		ASSERT_EQ(wrap(CBC_PAD, kek, keys[i]), ERROR_NONE);
		ASSERT_EQ(unwrap(CBC_PAD, kek, CKO_PRIVATE_KEY, keys[i]->key_type, &set),
		          ERROR_NONE);
		EXPECT_BYTES(attributes_bytes(&set, part),
		             attributes_bytes(&keys[i]->attributes, part));
		attributes_clear(&set);
		ASSERT_EQ(wrap(KWP, kek, keys[i]), ERROR_NONE);
		EXPECT_EQ(unwrap(KWP, kek, CKO_PRIVATE_KEY,
		                 keys[i]->key_type == CKK_RSA ? CKK_EC : CKK_RSA, &set),
		          ERROR_WRAPPED_KEY);
		attributes_clear(&set);
	}
	EXPECT_EQ(wrap(PLAIN(CKM_RSA_PKCS), keys[0], keys[1]), ERROR_KEY_NOT_WRAPPABLE);
	EXPECT_EQ(wrap(CBC_PAD, kek, keys[0]), ERROR_KEY_NOT_WRAPPABLE);
	for (size_t i = 0; i < 6; i++)
		object_put(keys[i]);
	wire_buffer_free(&wrapped);
}

/* What was wrapped elsewhere may be anything: here PKCS#8 whose last octet, of the coefficient, is
 * wrong, and PKCS#8 with an octet too many. */
TEST(damaged_private_keys_do_not_unwrap)
{
	uint8_t octets[sizeof(rsa_pkcs8) + 1] = {0};
	object_auto kek = NULL;
	object_auto longer = NULL;
	object_auto wrong = NULL;
	struct attributes set;

	open_crypto();
	kek = secret_key(CKK_AES, hex("000102030405060708090a0b0c0d0e0f"));
	memcpy(octets, rsa_pkcs8, sizeof(rsa_pkcs8));
	longer = secret_key(CKK_GENERIC_SECRET, BYTES(octets));
	octets[sizeof(rsa_pkcs8) - 1] ^= 1;
	wrong = secret_key(CKK_GENERIC_SECRET, ((struct wire_bytes){octets, sizeof(rsa_pkcs8)}));
	ASSERT_EQ(wrap(KWP, kek, longer), ERROR_NONE);
	EXPECT_EQ(unwrap(KWP, kek, CKO_PRIVATE_KEY, CKK_RSA, &set), ERROR_WRAPPED_KEY);
	attributes_clear(&set);
	ASSERT_EQ(wrap(KWP, kek, wrong), ERROR_NONE);
	EXPECT_EQ(unwrap(KWP, kek, CKO_PRIVATE_KEY, CKK_RSA, &set), ERROR_WRAPPED_KEY);
	attributes_clear(&set);
	wire_buffer_free(&wrapped);
}

TEST(unwrapped_length_is_the_template_s)
{
	object_auto kek = NULL;
	object_auto key = NULL;
	struct attributes set;
	struct wire_mechanism parameter;

	open_crypto();
	kek = secret_key(CKK_AES, hex("000102030405060708090a0b0c0d0e0f"));
	key = secret_key(CKK_GENERIC_SECRET, TEXT("sixteen octets.."));
	ASSERT_EQ(wrap(KWP, kek, key), ERROR_NONE);
	for (uint64_t len = 15; len < 18; len++) {
		set = key_set(CKO_SECRET_KEY, CKK_GENERIC_SECRET);
		ASSERT_EQ(attributes_set_number(&set, CKA_VALUE_LEN, len), ERROR_NONE);
		parameter = KWP;
		EXPECT_EQ(keygen_unwrap(crypto, row_of(parameter.type), &parameter, kek,
		                        ((struct wire_bytes){wrapped.data, wrapped.len}), &set),
		          len == 16 ? ERROR_NONE : ERROR_WRAPPED_KEY_LENGTH);
		attributes_clear(&set);
	}
	wire_buffer_free(&wrapped);
}

TEST(wrapping_errors_have_their_own_names)
{
	struct object *rsa_public, *rsa_private;
	object_auto kek = NULL;
	object_auto short_kek = NULL;
	object_auto odd = NULL;
	object_auto big = NULL;
	uint8_t octets[300] = {1};
	struct attributes set;

	open_crypto();
	pair_from_pkcs8(BYTES(rsa_pkcs8), &rsa_public, &rsa_private);
	kek = secret_key(CKK_AES, hex("000102030405060708090a0b0c0d0e0f"));
	short_kek = secret_key(CKK_AES, hex("00010203"));
	odd = secret_key(CKK_GENERIC_SECRET, TEXT("seventeen octets!"));
	big = secret_key(CKK_GENERIC_SECRET, BYTES(octets));
	EXPECT_EQ(wrap(KW, kek, odd), ERROR_KEY_SIZE);
	EXPECT_EQ(wrap(PLAIN(CKM_RSA_PKCS), rsa_public, big), ERROR_KEY_SIZE);
	EXPECT_EQ(wrap(KW, odd, kek), ERROR_WRAPPING_KEY_TYPE);
	EXPECT_EQ(wrap(KW, short_kek, kek), ERROR_WRAPPING_KEY_SIZE);
	EXPECT_EQ(wrap(PLAIN(CKM_RSA_PKCS), rsa_private, kek), ERROR_WRAPPING_KEY_TYPE);
	EXPECT_EQ(wrap(PLAIN(CKM_AES_ECB), kek, odd), ERROR_MECHANISM);
	EXPECT_EQ(wrap(PLAIN(CKM_SHA256_HMAC), odd, kek), ERROR_MECHANISM);
	EXPECT_EQ(wrap(PLAIN(CKM_AES_CBC_PAD), kek, odd), ERROR_MECHANISM_PARAMETER);
	ASSERT_EQ(wrap(KWP, kek, odd), ERROR_NONE);
#define TRY(parameter, key, type)                                                                  \
	({                                                                                         \
		enum err err = unwrap(parameter, key, CKO_SECRET_KEY, type, &set);                 \
		attributes_clear(&set);                                                            \
		err;                                                                               \
	})
	EXPECT_EQ(TRY(KWP, kek, CKK_GENERIC_SECRET), ERROR_NONE);
	EXPECT_EQ(TRY(KWP, kek, CKK_AES), ERROR_WRAPPED_KEY_LENGTH);
	EXPECT_EQ(TRY(KW, kek, CKK_AES), ERROR_WRAPPED_KEY);
	EXPECT_EQ(TRY(CBC_PAD, odd, CKK_AES), ERROR_UNWRAPPING_KEY_TYPE);
	EXPECT_EQ(TRY(PLAIN(CKM_RSA_PKCS), rsa_public, CKK_AES), ERROR_UNWRAPPING_KEY_TYPE);
	EXPECT_EQ(TRY(PLAIN(CKM_RSA_PKCS), rsa_private, CKK_AES), ERROR_WRAPPED_KEY_LENGTH);
	wrapped.data[0] ^= 1;
	EXPECT_EQ(TRY(KWP, kek, CKK_GENERIC_SECRET), ERROR_WRAPPED_KEY);
	wire_buffer_truncate(&wrapped, wrapped.len - 1);
	EXPECT_EQ(TRY(KWP, kek, CKK_GENERIC_SECRET), ERROR_WRAPPED_KEY_LENGTH);
	EXPECT_EQ(TRY(CBC_PAD, kek, CKK_GENERIC_SECRET), ERROR_WRAPPED_KEY_LENGTH);
#undef TRY
	EXPECT_EQ(unwrap(KWP, kek, CKO_PUBLIC_KEY, CKK_RSA, &set), ERROR_TEMPLATE_INCONSISTENT);
	attributes_clear(&set);
	wire_buffer_free(&wrapped);
	object_put(rsa_public);
	object_put(rsa_private);
}

/* ---- ECDH: RFC 5903 §8.1 ---- */

#define ECDH_I "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433"
#define ECDH_GR                                                                                    \
	"04"                                                                                       \
	"d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"                         \
	"56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab"
#define ECDH_Z "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de"

/* The derived value is put into `output`. */
static enum err derive(uint64_t type, uint64_t kdf, struct wire_bytes shared,
                       struct wire_bytes peer, uint64_t key_type, uint64_t len)
{
	object_auto base = curve_key(CKO_PRIVATE_KEY, CKK_EC, P256_PARAMS, ECDH_I);
	struct wire_mechanism parameter = PARAMETER(type, ecdh1, kdf, shared, peer);
	struct attributes set = key_set(CKO_SECRET_KEY, key_type);
	struct wire_bytes value;
	enum err err;

	if (len != UINT64_MAX)
		ASSERT_EQ(attributes_set_number(&set, CKA_VALUE_LEN, len), ERROR_NONE);
	err = keygen_derive(crypto, &(struct derivation){row_of(type), &parameter, base, NULL},
	                    &set);
	value = attributes_bytes(&set, CKA_VALUE);
	output_len = value.len;
	if (value.len)
		memcpy(output, value.data, value.len);
	attributes_clear(&set);
	return err;
}

TEST(ecdh_known_answer)
{
	const uint64_t none = UINT64_MAX;
	struct wire_bytes z, peer;

	open_crypto();
	z = hex(ECDH_Z);
	peer = hex(ECDH_GR);
	for (uint64_t type = CKM_ECDH1_DERIVE; type <= CKM_ECDH1_COFACTOR_DERIVE; type++) {
		ASSERT_EQ(derive(type, CKD_NULL, NOTHING, peer, CKK_GENERIC_SECRET, none),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, z);
		ASSERT_EQ(derive(type, CKD_NULL, NOTHING, hex("0441" ECDH_GR), CKK_AES, 16),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, ((struct wire_bytes){z.data + 16, 16}));
	}
	EXPECT_EQ(derive(CKM_ECDH1_DERIVE, CKD_NULL, NOTHING, peer, CKK_GENERIC_SECRET, 33),
	          ERROR_KEY_SIZE);
	EXPECT_EQ(derive(CKM_ECDH1_DERIVE, CKD_NULL, NOTHING, peer, CKK_AES, none),
	          ERROR_TEMPLATE_INCOMPLETE);
	EXPECT_EQ(derive(CKM_ECDH1_DERIVE, CKD_NULL, NOTHING, peer, CKK_AES, 17), ERROR_KEY_SIZE);
}

/* X9.63: hash(Z || counter || shared data), computed here by hand. */
TEST(ecdh_with_a_kdf)
{
	static const struct {
		uint64_t kdf;
		const char *name;
		size_t len;
	} kdfs[] = {{CKD_SHA1_KDF, "SHA1", 20},
	            {CKD_SHA224_KDF, "SHA224", 28},
	            {CKD_SHA256_KDF, "SHA256", 32},
	            {CKD_SHA384_KDF, "SHA384", 48},
	            {CKD_SHA512_KDF, "SHA512", 64}};
	uint8_t expected[128], input[32 + 4 + 6] = {0};

	open_crypto();
	memcpy(input, hex(ECDH_Z).data, 32);
	memcpy(input + 36, "shared", 6);
	for (size_t i = 0; i < 5; i++) {
		for (uint8_t counter = 1; counter <= 2; counter++) {
			input[35] = counter;
			ASSERT_EQ(EVP_Q_digest(crypto->library, kdfs[i].name, NULL, input,
			                       sizeof(input),
			                       expected + (counter - 1) * kdfs[i].len, NULL),
			          1);
		}
		for (size_t len = 1; len <= 2 * kdfs[i].len; len++) {
			ASSERT_EQ(derive(CKM_ECDH1_DERIVE, kdfs[i].kdf, TEXT("shared"),
			                 hex(ECDH_GR), CKK_GENERIC_SECRET, len),
			          ERROR_NONE);
			EXPECT_BYTES(OUTPUT, ((struct wire_bytes){expected, len}));
		}
	}
	EXPECT_EQ(derive(CKM_ECDH1_DERIVE, CKD_SHA256_KDF, NOTHING, hex(ECDH_GR), CKK_AES, 32),
	          ERROR_NONE);
	EXPECT_EQ(derive(CKM_ECDH1_DERIVE, CKD_SHA256_KDF, NOTHING, hex(ECDH_GR),
	                 CKK_GENERIC_SECRET, UINT64_MAX),
	          ERROR_TEMPLATE_INCOMPLETE);
}

TEST(ecdh_parameters)
{
	char off_curve[] = ECDH_GR;
	object_auto rsa_like = NULL;
	struct wire_mechanism parameter;

	open_crypto();
	off_curve[129] ^= 1;
#define TRY(kdf, shared, peer) derive(CKM_ECDH1_DERIVE, kdf, shared, peer, CKK_GENERIC_SECRET, 16)
	EXPECT_EQ(TRY(CKD_NULL, NOTHING, hex(ECDH_GR)), ERROR_NONE);
	EXPECT_EQ(TRY(CKD_NULL, TEXT("x"), hex(ECDH_GR)), ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(99, NOTHING, hex(ECDH_GR)), ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(CKD_NULL, NOTHING, hex(off_curve)), ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(CKD_NULL, NOTHING, NOTHING), ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(CKD_NULL, NOTHING, hex("00")), ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(CKD_NULL, NOTHING, hex(ECDH_GR "00")), ERROR_MECHANISM_PARAMETER);
#undef TRY
	rsa_like = secret_key(CKK_AES, BYTES(iv));
	parameter = PARAMETER(CKM_ECDH1_DERIVE, ecdh1, CKD_NULL, NOTHING, NOTHING);
	EXPECT_EQ(keygen_derive(crypto,
	                        &(struct derivation){row_of(CKM_ECDH1_DERIVE), &parameter, rsa_like,
	                                             NULL},
	                        NULL),
	          ERROR_KEY_TYPE);
}

/* ---- imports ---- */

static struct attributes imported_rsa(void)
{
	struct attributes set = key_set(CKO_PRIVATE_KEY, CKK_RSA);
	EVP_PKEY *pkey;

	ASSERT_EQ(crypto_key_from_pkcs8(crypto, BYTES(rsa_pkcs8), &pkey), ERROR_NONE);
	ASSERT_EQ(crypto_key_private_attributes(pkey, &set), ERROR_NONE);
	EVP_PKEY_free(pkey);
	return set;
}

static enum err check_without(uint64_t type, bool flip)
{
	struct attributes set = imported_rsa();
	uint8_t octets[512];
	struct wire_bytes value = attributes_bytes(&set, type);
	enum err err;

	memcpy(octets, value.data, value.len);
	octets[value.len - 1] ^= 2;
	if (flip)
		put(&set, type, (struct wire_bytes){octets, value.len});
	else
		attributes_remove(&set, type);
	err = keygen_check(crypto, NULL, &set);
	if (!err)
		EXPECT_EQ(attributes_bytes(&set, type).len, value.len);
	attributes_clear(&set);
	return err;
}

TEST(imported_rsa_parts_agree)
{
	open_crypto();
	EXPECT_EQ(check_without(CKA_MODULUS, true), ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(check_without(CKA_PUBLIC_EXPONENT, true), ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(check_without(CKA_PRIVATE_EXPONENT, true), ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(check_without(CKA_PRIME_1, true), ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(check_without(CKA_PRIME_2, true), ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(check_without(CKA_EXPONENT_1, true), ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(check_without(CKA_EXPONENT_2, true), ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(check_without(CKA_COEFFICIENT, true), ERROR_ATTRIBUTE_VALUE);
}

/* What can be computed is, what cannot is asked for. */
TEST(imported_rsa_parts_may_be_missing)
{
	struct attributes set;

	open_crypto();
	EXPECT_EQ(check_without(CKA_EXPONENT_1, false), ERROR_NONE);
	EXPECT_EQ(check_without(CKA_EXPONENT_2, false), ERROR_NONE);
	EXPECT_EQ(check_without(CKA_COEFFICIENT, false), ERROR_NONE);
	EXPECT_EQ(check_without(CKA_MODULUS, false), ERROR_TEMPLATE_INCOMPLETE);
	EXPECT_EQ(check_without(CKA_PUBLIC_EXPONENT, false), ERROR_TEMPLATE_INCOMPLETE);
	EXPECT_EQ(check_without(CKA_PRIVATE_EXPONENT, false), ERROR_TEMPLATE_INCOMPLETE);
	EXPECT_EQ(check_without(CKA_PRIME_1, false), ERROR_TEMPLATE_INCOMPLETE);
	set = imported_rsa();
	attributes_remove(&set, CKA_PRIME_1);
	attributes_remove(&set, CKA_PRIME_2);
	attributes_remove(&set, CKA_EXPONENT_1);
	attributes_remove(&set, CKA_EXPONENT_2);
	attributes_remove(&set, CKA_COEFFICIENT);
	EXPECT_EQ(keygen_check(crypto, NULL, &set), ERROR_NONE);
	attributes_clear(&set);
}

TEST(imported_public_keys)
{
	struct attributes set;

	open_crypto();
	set = key_set(CKO_PUBLIC_KEY, CKK_EC);
	put(&set, CKA_EC_PARAMS, hex(P256_PARAMS));
	put(&set, CKA_EC_POINT, hex(ECDH_GR));
	ASSERT_EQ(keygen_check(crypto, NULL, &set), ERROR_NONE);
	EXPECT_BYTES(attributes_bytes(&set, CKA_EC_POINT), hex("0441" ECDH_GR));
	attributes_clear(&set);
	set = key_set(CKO_PUBLIC_KEY, CKK_RSA);
	put(&set, CKA_MODULUS, hex("00c1"));
	put(&set, CKA_PUBLIC_EXPONENT, hex("010001"));
	EXPECT_EQ(keygen_check(crypto, NULL, &set), ERROR_KEY_SIZE);
	attributes_clear(&set);
	set = imported_rsa();
	ASSERT_EQ(attributes_set_number(&set, CKA_CLASS, CKO_PUBLIC_KEY), ERROR_NONE);
	EXPECT_EQ(keygen_check(crypto, NULL, &set), ERROR_NONE);
	put(&set, CKA_PUBLIC_EXPONENT, hex("03"));
	EXPECT_EQ(keygen_check(crypto, NULL, &set), ERROR_NONE);
	put(&set, CKA_PUBLIC_EXPONENT, hex("04"));
	EXPECT_EQ(keygen_check(crypto, NULL, &set), ERROR_ATTRIBUTE_VALUE);
	put(&set, CKA_PUBLIC_EXPONENT, hex("01"));
	EXPECT_EQ(keygen_check(crypto, NULL, &set), ERROR_ATTRIBUTE_VALUE);
	attributes_clear(&set);
}

TEST(imported_secrets)
{
	static const uint8_t octets[33];
	struct attributes set;

	open_crypto();
	for (size_t len = 0; len <= 33; len++) {
		set = key_set(CKO_SECRET_KEY, CKK_AES);
		put(&set, CKA_VALUE, (struct wire_bytes){octets, len});
		EXPECT_EQ(keygen_check(crypto, NULL, &set),
		          len == 16 || len == 24 || len == 32 ? ERROR_NONE : ERROR_ATTRIBUTE_VALUE);
		attributes_clear(&set);
	}
	set = key_set(CKO_SECRET_KEY, CKK_AES);
	EXPECT_EQ(keygen_check(crypto, NULL, &set), ERROR_TEMPLATE_INCOMPLETE);
	attributes_clear(&set);
}

static void make_wrap_and_drop(void)
{
	struct object *public_key, *private_key;
	object_auto kek = secret_key(CKK_AES, hex("000102030405060708090a0b0c0d0e0f"));
	struct attributes set;

	generate(CKM_EC_KEY_PAIR_GEN, P256_PARAMS, &public_key, &private_key);
	ASSERT_EQ(wrap(KWP, kek, private_key), ERROR_NONE);
	ASSERT_EQ(unwrap(KWP, kek, CKO_PRIVATE_KEY, CKK_EC, &set), ERROR_NONE);
	ASSERT_EQ(keygen_check(crypto, NULL, &set), ERROR_NONE);
	attributes_clear(&set);
	object_put(public_key);
	object_put(private_key);
	pair_from_pkcs8(BYTES(rsa_pkcs8), &public_key, &private_key);
	ASSERT_EQ(wrap(OAEP, public_key, kek), ERROR_NONE);
	object_put(public_key);
	object_put(private_key);
	EXPECT_EQ(check_without(CKA_COEFFICIENT, false), ERROR_NONE);
	EXPECT_EQ(check_without(CKA_PRIME_1, true), ERROR_ATTRIBUTE_VALUE);
	ASSERT_EQ(derive(CKM_ECDH1_DERIVE, CKD_SHA256_KDF, NOTHING, hex(ECDH_GR), CKK_AES, 32),
	          ERROR_NONE);
	wire_buffer_free(&wrapped);
}

#define ROUNDS 10

/* The two layers by their own mechanisms. */
TEST(rsa_aes_wrapping)
{
	struct object *public_key, *private_key;
	object_auto key = NULL;
	object_auto aes = NULL;
	struct wire_mechanism parameter, oaep, kwp;
	struct wire_buffer packed = {.limit = 8192};
	struct attributes set;
	struct wire_bytes all;

	open_crypto();
	pair_from_pkcs8(BYTES(rsa_pkcs8), &public_key, &private_key);
	key = secret_key(CKK_GENERIC_SECRET, TEXT("a key of 20 octets.."));
	for (uint64_t bits = 0; bits <= 320; bits += 64) {
		bool good = bits == 128 || bits == 192 || bits == 256;

		parameter = PARAMETER(CKM_RSA_AES_KEY_WRAP, rsa_aes, bits, CKM_SHA256,
		                      CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, TEXT("label"));
		wire_buffer_free(&packed);
		EXPECT_EQ(keygen_wrap(crypto, row_of(CKM_RSA_AES_KEY_WRAP), &parameter, public_key,
		                      key, &packed),
		          good ? ERROR_NONE : ERROR_MECHANISM_PARAMETER);
		if (!good)
			continue;
		ASSERT_EQ(packed.len, 256 + 32);
		all = (struct wire_bytes){packed.data, packed.len};
		set = key_set(CKO_SECRET_KEY, CKK_GENERIC_SECRET);
		ASSERT_EQ(keygen_unwrap(crypto, row_of(CKM_RSA_AES_KEY_WRAP), &parameter,
		                        private_key, all, &set),
		          ERROR_NONE);
		EXPECT_BYTES(attributes_bytes(&set, CKA_VALUE), TEXT("a key of 20 octets.."));
		attributes_clear(&set);
		for (size_t at = 0; at < packed.len; at += 7) {
			packed.data[at] ^= 1;
			set = key_set(CKO_SECRET_KEY, CKK_GENERIC_SECRET);
			EXPECT_EQ(keygen_unwrap(crypto, row_of(CKM_RSA_AES_KEY_WRAP), &parameter,
			                        private_key, all, &set),
			          ERROR_WRAPPED_KEY);
			attributes_clear(&set);
			packed.data[at] ^= 1;
		}
		set = key_set(CKO_SECRET_KEY, CKK_GENERIC_SECRET);
		EXPECT_EQ(keygen_unwrap(crypto, row_of(CKM_RSA_AES_KEY_WRAP), &parameter,
		                        private_key, ((struct wire_bytes){packed.data, 256}), &set),
		          ERROR_WRAPPED_KEY_LENGTH);
		EXPECT_EQ(keygen_unwrap(crypto, row_of(CKM_RSA_AES_KEY_WRAP), &parameter,
		                        public_key, all, &set),
		          ERROR_UNWRAPPING_KEY_TYPE);
		attributes_clear(&set);
	}
	wire_buffer_free(&packed);
	parameter = PARAMETER(CKM_RSA_AES_KEY_WRAP, rsa_aes, 256, CKM_SHA256, CKG_MGF1_SHA256,
	                      CKZ_DATA_SPECIFIED, TEXT("label"));
	ASSERT_EQ(keygen_wrap(crypto, row_of(CKM_RSA_AES_KEY_WRAP), &parameter, public_key,
	                      private_key, &packed),
	          ERROR_NONE); /* a private key, too */
	oaep = PARAMETER(CKM_RSA_PKCS_OAEP, oaep, CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED,
	                 TEXT("label"));
	ASSERT_EQ(run_once(OPERATION_DECRYPT, oaep, private_key,
	                   ((struct wire_bytes){packed.data, 256})),
	          ERROR_NONE);
	ASSERT_EQ(output_len, 32);
	aes = secret_key(CKK_AES, OUTPUT);
	kwp = PARAMETER(CKM_AES_KEY_WRAP_KWP, initialization_vector, NOTHING);
	set = key_set(CKO_PRIVATE_KEY, CKK_RSA);
	ASSERT_EQ(keygen_unwrap(crypto, row_of(CKM_AES_KEY_WRAP_KWP), &kwp, aes,
	                        ((struct wire_bytes){packed.data + 256, packed.len - 256}), &set),
	          ERROR_NONE);
	EXPECT_BYTES(attributes_bytes(&set, CKA_MODULUS),
	             attributes_bytes(&private_key->attributes, CKA_MODULUS));
	attributes_clear(&set);
	wire_buffer_free(&packed);
	object_put(public_key);
	object_put(private_key);
}

TEST(nothing_stays_in_locked_memory)
{
	struct slots_statistics before, after;

	open_crypto();
	for (int i = -2; i < ROUNDS; i++) {
		if (!i)
			slots_statistics(&before);
		make_wrap_and_drop();
	}
	slots_statistics(&after);
	EXPECT_LT(after.used_len, before.used_len + 8 * ROUNDS);
}

TEST(key_is_parsed_once)
{
	object_auto key = NULL;
	EVP_PKEY *first, *second;

	open_crypto();
	key = curve_key(CKO_PRIVATE_KEY, CKK_EC, P256_PARAMS, ECDH_I);
	ASSERT_EQ(crypto_key_get(crypto, key, &first), ERROR_NONE);
	ASSERT_EQ(crypto_key_get(crypto, key, &second), ERROR_NONE);
	EXPECT_TRUE(first == second);
}

TEST(no_parameter_for_generation)
{
	struct wire_mechanism parameter;
	struct attributes set;

	open_crypto();
	set = key_set(CKO_SECRET_KEY, CKK_AES);
	parameter = PARAMETER(CKM_AES_KEY_GEN, number, 3);
	EXPECT_EQ(keygen_secret(crypto, row_of(CKM_AES_KEY_GEN), &parameter, &set),
	          ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(keygen_secret(crypto, row_of(CKM_AES_ECB), &PLAIN(CKM_AES_ECB), &set),
	          ERROR_MECHANISM);
	attributes_clear(&set);
}

HARNESS_MAIN
