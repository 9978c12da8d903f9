/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ML-KEM, ML-DSA and SLH-DSA against another implementation (pqc_vectors.h), where OpenSSL has
 * them; where not, that nothing of them is offered. Parameters, lengths, imports, damaged
 * signatures.
 */
#include "harness.h"

#include "crypto_pqc.h"
#include "key_fixture.h"
#include "pqc_vectors.h"

#define MESSAGE TEXT("craton")
#define CONTEXT TEXT("context")
#define SIGNATURES(row)                                                                            \
	(sizeof(signature_vectors[row].signatures) / sizeof(signature_vectors[row].signatures[0]))
#define ROWS                       (sizeof(signature_vectors) / sizeof(signature_vectors[0]))
#define KEM_ROWS                   (sizeof(ml_kem_vectors) / sizeof(ml_kem_vectors[0]))
#define SIGNATURE_MAX              50000u
#define WITH(type, hedge, context) PARAMETER(type, signature_context, hedge, context)
#define FIXED(type)                WITH(type, CKH_DETERMINISTIC_REQUIRED, CONTEXT)

static uint8_t signature[SIGNATURE_MAX];
static size_t signature_len;
#define SIGNATURE ((struct wire_bytes){signature, signature_len})

/* Signs in one call or in parts of 4 octets into `signature`. */
static enum err sign(struct wire_mechanism parameter, struct object *key, bool parts)
{
	struct wire_buffer buffer = {.limit = SIGNATURE_MAX};
	const struct output_request room = {false, SIGNATURE_MAX};
	struct operation *operation;
	uint64_t len;
	enum err err = operation_start(&operation, OPERATION_SIGN, crypto, row_of(parameter.type),
	                               &parameter, key);

	if (!err && parts)
		err = operation_update(&operation, TEXT("crat"), NULL, NULL, NULL);
	if (!err && parts)
		err = operation_update(&operation, TEXT("on"), NULL, NULL, NULL);
	if (!err)
		err = parts ? operation_final(&operation, &room, &buffer, &len)
		            : operation_once(&operation, MESSAGE, &room, &buffer, &len);
	signature_len = buffer.len;
	if (buffer.len)
		memcpy(signature, buffer.data, buffer.len);
	wire_buffer_free(&buffer);
	return err;
}

static void expect_sha256(struct wire_bytes octets, const char *known)
{
	uint8_t hash[EVP_MAX_MD_SIZE];

	ASSERT_TRUE(crypto_digest(crypto, DIGEST_SHA256, octets, hash));
	EXPECT_BYTES(((struct wire_bytes){hash, 32}), hex(known));
}

/* A private key as a client imports it: `value` is the seed or the expanded key. */
static enum err import(uint64_t type, uint64_t set_number, uint64_t attribute,
                       struct wire_bytes value, struct attributes *set)
{
	*set = key_set(CKO_PRIVATE_KEY, type);
	ASSERT_EQ(attributes_set_number(set, CKA_PARAMETER_SET, set_number), ERROR_NONE);
	put(set, attribute, value);
	return keygen_check(crypto, NULL, set);
}

/* Both halves from a seed (or, of SLH-DSA, the private key). */
static void keys_of(uint64_t type, uint64_t set_number, const char *from,
                    struct object **public_key, struct object **private_key)
{
	uint64_t attribute = type == CKK_SLH_DSA ? CKA_VALUE : CKA_SEED;
	struct attributes set, public_set = key_set(CKO_PUBLIC_KEY, type);
	EVP_PKEY *pkey;

	ASSERT_EQ(import(type, set_number, attribute, hex(from), &set), ERROR_NONE);
	*private_key = publish(&set);
	ASSERT_EQ(crypto_key_get(crypto, *private_key, &pkey), ERROR_NONE);
	ASSERT_EQ(crypto_key_public_attributes(pkey, &public_set), ERROR_NONE);
	*public_key = publish(&public_set);
}

static struct wire_bytes value_of(const struct object *key)
{
	return attributes_bytes(&key->attributes, CKA_VALUE);
}

TEST(offered_only_where_openssl_has_them)
{
	struct config *config = config_defaults();
	struct crypto without;

	open_crypto();
	EXPECT_EQ(mechanism_find(crypto, config, CKM_ML_KEM) != NULL, crypto->has_ml_kem);
	EXPECT_EQ(mechanism_find(crypto, config, CKM_ML_DSA) != NULL, crypto->has_ml_dsa);
	EXPECT_EQ(mechanism_find(crypto, config, CKM_HASH_SLH_DSA) != NULL, crypto->has_slh_dsa);
	config->algorithms.enable_pqc = false;
	EXPECT_NULL(mechanism_find(crypto, config, CKM_ML_KEM));
	EXPECT_NULL(mechanism_find(crypto, config, CKM_ML_DSA));
	EXPECT_NULL(mechanism_find(crypto, config, CKM_SLH_DSA_KEY_PAIR_GEN));
	config->algorithms.enable_pqc = true;
	without = *crypto;
	without.has_ml_kem = without.has_slh_dsa = false;
	without.has_ml_dsa = true;
	EXPECT_NULL(mechanism_find(&without, config, CKM_ML_KEM));
	EXPECT_NULL(mechanism_find(&without, config, CKM_HASH_SLH_DSA_SHA256));
	EXPECT_NOT_NULL(mechanism_find(&without, config, CKM_HASH_ML_DSA_SHA256));
	config_free(config);
}

TEST(parameter_sets)
{
	static const struct {
		uint64_t type, last;
	} families[] = {{CKK_ML_KEM, 3}, {CKK_ML_DSA, 3}, {CKK_SLH_DSA, 12}};

	for (size_t i = 0; i < 3; i++) {
		for (uint64_t number = 0; number < 20; number++) {
			const struct crypto_parameter_set *set =
				crypto_pqc_set(families[i].type, number);

			EXPECT_EQ(set != NULL, number && number <= families[i].last);
		}
		EXPECT_TRUE(crypto_pqc_type(families[i].type));
	}
	EXPECT_NULL(crypto_pqc_set(CKK_RSA, 1));
	EXPECT_FALSE(crypto_pqc_type(CKK_EC));
}

/* ---- ML-KEM ---- */

static struct object *kem_public, *kem_private;

static void kem_keys(size_t i)
{
	keys_of(CKK_ML_KEM, ml_kem_vectors[i].set, ml_kem_vectors[i].seed, &kem_public,
	        &kem_private);
}

static void kem_close(void)
{
	object_put(kem_public);
	object_put(kem_private);
}

/* The secret is put into `output`. */
static enum err decapsulate(struct wire_bytes cipher, uint64_t key_type, uint64_t len)
{
	struct attributes set = key_set(CKO_SECRET_KEY, key_type);
	struct wire_mechanism parameter = PLAIN(CKM_ML_KEM);
	struct wire_bytes value;
	enum err err;

	if (len)
		ASSERT_EQ(attributes_set_number(&set, CKA_VALUE_LEN, len), ERROR_NONE);
	err = keygen_decapsulate(crypto, row_of(CKM_ML_KEM), &parameter, kem_private, cipher, &set);
	value = attributes_bytes(&set, CKA_VALUE);
	output_len = value.len;
	if (value.len)
		memcpy(output, value.data, value.len);
	attributes_clear(&set);
	return err;
}

TEST(ml_kem_known_answers)
{
	uint8_t damaged[2048];

	open_crypto();
	if (!crypto->has_ml_kem)
		SKIP("OpenSSL has no ML-KEM");
	for (size_t i = 0; i < KEM_ROWS; i++) {
		struct wire_bytes cipher = hex(ml_kem_vectors[i].cipher);

		kem_keys(i);
		expect_sha256(value_of(kem_public), ml_kem_vectors[i].public_sha256);
		expect_sha256(value_of(kem_private), ml_kem_vectors[i].private_sha256);
		EXPECT_BYTES(attributes_bytes(&kem_private->attributes, CKA_SEED),
		             hex(ml_kem_vectors[i].seed));
		EXPECT_EQ(keygen_encapsulated_len(kem_public), cipher.len);
		ASSERT_EQ(decapsulate(cipher, CKK_GENERIC_SECRET, 0), ERROR_NONE);
		EXPECT_BYTES(OUTPUT, hex(ml_kem_vectors[i].secret));
		memcpy(damaged, cipher.data, cipher.len);
		damaged[10] ^= 1; /* another secret, but always the same */
		ASSERT_EQ(decapsulate(((struct wire_bytes){damaged, cipher.len}), CKK_AES, 32),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, hex(ml_kem_vectors[i].rejected));
		cipher.len--;
		EXPECT_EQ(decapsulate(cipher, CKK_AES, 32), ERROR_WRAPPED_KEY_LENGTH);
		cipher.len += 2;
		EXPECT_EQ(decapsulate(((struct wire_bytes){damaged, cipher.len}), CKK_AES, 32),
		          ERROR_WRAPPED_KEY_LENGTH);
		kem_close();
	}
}

TEST(ml_kem_round)
{
	struct wire_mechanism parameter = PLAIN(CKM_ML_KEM);
	struct wire_mechanism wrong = PARAMETER(CKM_ML_KEM, number, 1);
	struct wire_buffer cipher = {.limit = 4096};
	struct attributes set;

	open_crypto();
	if (!crypto->has_ml_kem)
		SKIP("OpenSSL has no ML-KEM");
	for (size_t i = 0; i < KEM_ROWS; i++) {
		kem_keys(i);
		set = key_set(CKO_SECRET_KEY, CKK_AES);
		EXPECT_EQ(keygen_encapsulate(crypto, row_of(CKM_ML_KEM), &parameter, kem_public,
		                             &cipher, &set),
		          ERROR_TEMPLATE_INCOMPLETE); /* an AES key has several lengths */
		EXPECT_EQ(cipher.len, 0);
		ASSERT_EQ(attributes_set_number(&set, CKA_VALUE_LEN, 16), ERROR_NONE);
		EXPECT_EQ(keygen_encapsulate(crypto, row_of(CKM_ML_KEM), &wrong, kem_public,
		                             &cipher, &set),
		          ERROR_MECHANISM_PARAMETER);
		EXPECT_EQ(keygen_encapsulate(crypto, row_of(CKM_ML_KEM), &parameter, kem_private,
		                             &cipher, &set),
		          ERROR_KEY_FUNCTION);
		ASSERT_EQ(keygen_encapsulate(crypto, row_of(CKM_ML_KEM), &parameter, kem_public,
		                             &cipher, &set),
		          ERROR_NONE);
		ASSERT_EQ(cipher.len, keygen_encapsulated_len(kem_public));
		ASSERT_EQ(decapsulate(((struct wire_bytes){cipher.data, cipher.len}), CKK_AES, 16),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, attributes_bytes(&set, CKA_VALUE));
		EXPECT_EQ(decapsulate(((struct wire_bytes){cipher.data, cipher.len}), CKK_AES, 33),
		          ERROR_KEY_SIZE);
		attributes_clear(&set);
		wire_buffer_free(&cipher);
		kem_close();
	}
}

/* ---- signatures ---- */

static bool has_row(size_t i)
{
	return signature_vectors[i].type == CKK_ML_DSA ? crypto->has_ml_dsa : crypto->has_slh_dsa;
}

/* The small sets of SLH-DSA take a second per signature. */
static bool is_slow(size_t i)
{
	uint64_t set = signature_vectors[i].set;

	return signature_vectors[i].type == CKK_SLH_DSA &&
	       (set == CKP_SLH_DSA_SHA2_128S || set == CKP_SLH_DSA_SHAKE_128S ||
	        set == CKP_SLH_DSA_SHA2_192S || set == CKP_SLH_DSA_SHAKE_192S ||
	        set == CKP_SLH_DSA_SHA2_256S || set == CKP_SLH_DSA_SHAKE_256S);
}

static void expect_signature(size_t row, size_t i, struct object *public_key,
                             struct object *private_key)
{
	uint64_t type = signature_vectors[row].signatures[i].type;

	ASSERT_EQ(sign(FIXED(type), private_key, false), ERROR_NONE);
	expect_sha256(SIGNATURE, signature_vectors[row].signatures[i].signature_sha256);
	EXPECT_EQ(verify(FIXED(type), public_key, MESSAGE, SIGNATURE), ERROR_NONE);
	EXPECT_EQ(verify(FIXED(type), public_key, TEXT("Craton"), SIGNATURE), ERROR_SIGNATURE);
	EXPECT_EQ(verify(WITH(type, 0, NOTHING), public_key, MESSAGE, SIGNATURE), ERROR_SIGNATURE);
	if (is_slow(row))
		return;
	EXPECT_EQ(verify_parts(FIXED(type), public_key, MESSAGE, SIGNATURE), ERROR_NONE);
	ASSERT_EQ(sign(FIXED(type), private_key, true), ERROR_NONE);
	expect_sha256(SIGNATURE, signature_vectors[row].signatures[i].signature_sha256);
	signature[signature_len / 2] ^= 1;
	EXPECT_EQ(verify(FIXED(type), public_key, MESSAGE, SIGNATURE), ERROR_SIGNATURE);
	signature_len--;
	EXPECT_EQ(verify(FIXED(type), public_key, MESSAGE, SIGNATURE), ERROR_SIGNATURE_LENGTH);
}

static void known_answers(uint64_t type)
{
	for (size_t i = 0; i < ROWS; i++) {
		struct object *public_key, *private_key;

		if (signature_vectors[i].type != type)
			continue;
		if (!has_row(i))
			SKIP("OpenSSL has no such algorithm");
		keys_of(type, signature_vectors[i].set, signature_vectors[i].key, &public_key,
		        &private_key);
		expect_sha256(value_of(public_key), signature_vectors[i].public_sha256);
		for (size_t j = 0; j < SIGNATURES(i) && signature_vectors[i].signatures[j].type;
		     j++)
			expect_signature(i, j, public_key, private_key);
		object_put(public_key);
		object_put(private_key);
	}
}

TEST(ml_dsa_known_answers)
{
	open_crypto();
	known_answers(CKK_ML_DSA);
}

TEST(slh_dsa_known_answers)
{
	open_crypto();
	known_answers(CKK_SLH_DSA);
}

static size_t row_for(uint64_t type, uint64_t set)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (signature_vectors[i].type == type && signature_vectors[i].set == set)
			return i;
	}
	ASSERT_TRUE(!"there is one");
	return 0;
}

/* What is weaker than the key has no known answer there; the general form is the same with the hash
 * from outside. */
TEST(hashes_from_outside)
{
	static const struct {
		uint64_t type, set, whole, hash;
	} rows[] = {
		{CKK_ML_DSA, CKP_ML_DSA_44, CKM_HASH_ML_DSA_SHA224, CKM_SHA224},
		{CKK_ML_DSA, CKP_ML_DSA_44, CKM_HASH_ML_DSA_SHA256, CKM_SHA256},
		{CKK_ML_DSA, CKP_ML_DSA_87, CKM_HASH_ML_DSA_SHA3_224, CKM_SHA3_224},
		{CKK_ML_DSA, CKP_ML_DSA_87, CKM_HASH_ML_DSA_SHA3_512, CKM_SHA3_512},
		{CKK_SLH_DSA, CKP_SLH_DSA_SHA2_128F, CKM_HASH_SLH_DSA_SHA224, CKM_SHA224},
		{CKK_SLH_DSA, CKP_SLH_DSA_SHA2_128F, CKM_HASH_SLH_DSA_SHA3_224, CKM_SHA3_224},
		{CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_128F, CKM_HASH_SLH_DSA_SHA512, CKM_SHA512},
	};

	open_crypto();
	if (!crypto->has_ml_dsa || !crypto->has_slh_dsa)
		SKIP("OpenSSL has no ML-DSA or SLH-DSA");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t general = rows[i].type == CKK_ML_DSA ? CKM_HASH_ML_DSA : CKM_HASH_SLH_DSA;
		size_t row = row_for(rows[i].type, rows[i].set);
		struct object *public_key, *private_key;
		struct wire_mechanism parameter;
		struct wire_bytes hash;

		keys_of(rows[i].type, rows[i].set, signature_vectors[row].key, &public_key,
		        &private_key);
		ASSERT_EQ(
			sign(WITH(rows[i].whole, CKH_HEDGE_REQUIRED, CONTEXT), private_key, false),
			ERROR_NONE);
		ASSERT_EQ(run_once(OPERATION_DIGEST, PLAIN(rows[i].hash), NULL, MESSAGE),
		          ERROR_NONE);
		hash = OUTPUT;
		parameter = PARAMETER(general, hash_context, 0, CONTEXT, rows[i].hash);
		EXPECT_EQ(verify(parameter, public_key, hash, SIGNATURE), ERROR_NONE);
		hash.len--;
		EXPECT_EQ(verify(parameter, public_key, hash, SIGNATURE), ERROR_DATA_LENGTH);
		hash.len++;
		parameter = PARAMETER(general, hash_context, 0, TEXT("other"), rows[i].hash);
		EXPECT_EQ(verify(parameter, public_key, hash, SIGNATURE), ERROR_SIGNATURE);
		EXPECT_EQ(verify(PLAIN(general), public_key, hash, SIGNATURE),
		          ERROR_MECHANISM_PARAMETER);
		EXPECT_EQ(verify(PARAMETER(general, hash_context, 0, CONTEXT, CKM_SHA_1),
		                 public_key, hash, SIGNATURE),
		          ERROR_MECHANISM_PARAMETER);
		EXPECT_EQ(verify(PARAMETER(general, hash_context, 0, CONTEXT, 0), public_key, hash,
		                 SIGNATURE),
		          ERROR_MECHANISM_PARAMETER);
		object_put(public_key);
		object_put(private_key);
	}
}

TEST(signature_parameters)
{
	struct object *public_key, *private_key;
	uint8_t context[256] = {0}, first[64];

	open_crypto();
	if (!crypto->has_ml_dsa)
		SKIP("OpenSSL has no ML-DSA");
	keys_of(CKK_ML_DSA, CKP_ML_DSA_65, signature_vectors[1].key, &public_key, &private_key);
	for (uint64_t hedge = 0; hedge < 5; hedge++)
		EXPECT_EQ(sign(WITH(CKM_ML_DSA, hedge, NOTHING), private_key, false),
		          hedge <= CKH_DETERMINISTIC_REQUIRED ? ERROR_NONE
		                                              : ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(sign(WITH(CKM_ML_DSA, 0, BYTES(context)), private_key, false),
	          ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(
		sign(WITH(CKM_ML_DSA, 0, ((struct wire_bytes){context, 255})), private_key, false),
		ERROR_NONE);
	/* No parameter: no context, and randomness. */
	ASSERT_EQ(sign(PLAIN(CKM_ML_DSA), private_key, false), ERROR_NONE);
	memcpy(first, signature, sizeof(first));
	EXPECT_EQ(verify(WITH(CKM_ML_DSA, 0, NOTHING), public_key, MESSAGE, SIGNATURE), ERROR_NONE);
	ASSERT_EQ(sign(PLAIN(CKM_ML_DSA), private_key, false), ERROR_NONE);
	EXPECT_NE(memcmp(first, signature, sizeof(first)), 0);
	EXPECT_EQ(sign(PLAIN(CKM_SLH_DSA), private_key, false), ERROR_KEY_TYPE);
	EXPECT_EQ(sign(PLAIN(CKM_ML_DSA), public_key, false), ERROR_KEY_FUNCTION);
	object_put(public_key);
	object_put(private_key);
}

/* ---- keys ---- */

static const struct {
	uint64_t mechanism, type, set;
} generated[] = {
	{CKM_ML_KEM_KEY_PAIR_GEN, CKK_ML_KEM, CKP_ML_KEM_512},
	{CKM_ML_KEM_KEY_PAIR_GEN, CKK_ML_KEM, CKP_ML_KEM_768},
	{CKM_ML_KEM_KEY_PAIR_GEN, CKK_ML_KEM, CKP_ML_KEM_1024},
	{CKM_ML_DSA_KEY_PAIR_GEN, CKK_ML_DSA, CKP_ML_DSA_44},
	{CKM_ML_DSA_KEY_PAIR_GEN, CKK_ML_DSA, CKP_ML_DSA_65},
	{CKM_ML_DSA_KEY_PAIR_GEN, CKK_ML_DSA, CKP_ML_DSA_87},
	{CKM_SLH_DSA_KEY_PAIR_GEN, CKK_SLH_DSA, CKP_SLH_DSA_SHA2_128F},
	{CKM_SLH_DSA_KEY_PAIR_GEN, CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_256F},
};

static enum err make_pair(uint64_t type, uint64_t key_type, uint64_t set_number,
                          struct attributes *public_set, struct attributes *private_set)
{
	struct wire_mechanism parameter = PLAIN(type);

	*public_set = key_set(CKO_PUBLIC_KEY, key_type);
	*private_set = key_set(CKO_PRIVATE_KEY, key_type);
	if (set_number != UINT64_MAX)
		ASSERT_EQ(attributes_set_number(public_set, CKA_PARAMETER_SET, set_number),
		          ERROR_NONE);
	return keygen_pair(crypto, NULL, row_of(type), &parameter, public_set, private_set);
}

/* A generated key comes back from its value, from its seed, and from PKCS#8. */
TEST(keys_come_back)
{
	open_crypto();
	if (!crypto->has_ml_dsa || !crypto->has_slh_dsa || !crypto->has_ml_kem)
		SKIP("OpenSSL has no post-quantum algorithms");
	for (size_t i = 0; i < sizeof(generated) / sizeof(generated[0]); i++) {
		struct attributes public_set, private_set, set;
		struct wire_buffer der = {.limit = 65536};
		EVP_PKEY *pkey, *back;

		ASSERT_EQ(make_pair(generated[i].mechanism, generated[i].type, generated[i].set,
		                    &public_set, &private_set),
		          ERROR_NONE);
		EXPECT_EQ(attributes_number(&private_set, CKA_PARAMETER_SET, 0), generated[i].set);
		EXPECT_GT(attributes_bytes(&private_set, CKA_PUBLIC_KEY_INFO).len, 0);
		EXPECT_EQ(attributes_bytes(&private_set, CKA_SEED).len,
		          generated[i].type == CKK_ML_KEM   ? 64
		          : generated[i].type == CKK_ML_DSA ? 32
		                                            : 0);
		ASSERT_EQ(crypto_key_make(crypto, &private_set, &pkey), ERROR_NONE);
		ASSERT_EQ(import(generated[i].type, generated[i].set, CKA_VALUE,
		                 attributes_bytes(&private_set, CKA_VALUE), &set),
		          ERROR_NONE);
		ASSERT_EQ(crypto_key_make(crypto, &set, &back), ERROR_NONE);
		EXPECT_EQ(EVP_PKEY_eq(pkey, back), 1);
		EVP_PKEY_free(back);
		attributes_clear(&set);
		ASSERT_EQ(crypto_key_pkcs8(pkey, &der), ERROR_NONE);
		ASSERT_EQ(crypto_key_from_pkcs8(crypto, ((struct wire_bytes){der.data, der.len}),
		                                &back),
		          ERROR_NONE);
		EXPECT_EQ(EVP_PKEY_eq(pkey, back), 1);
		EXPECT_EQ(crypto_key_type(back), generated[i].type);
		EVP_PKEY_free(back);
		EVP_PKEY_free(pkey);
		ASSERT_EQ(crypto_key_make(crypto, &public_set, &pkey), ERROR_NONE);
		EVP_PKEY_free(pkey);
		wire_buffer_free(&der);
		attributes_clear(&public_set);
		attributes_clear(&private_set);
	}
}

TEST(bad_keys_are_refused)
{
	uint8_t value[64] = {1};
	struct attributes set, other;
	struct wire_bytes bytes;

	open_crypto();
	if (!crypto->has_ml_dsa || !crypto->has_slh_dsa || !crypto->has_ml_kem)
		SKIP("OpenSSL has no post-quantum algorithms");
	EXPECT_EQ(make_pair(CKM_ML_DSA_KEY_PAIR_GEN, CKK_ML_DSA, UINT64_MAX, &set, &other),
	          ERROR_TEMPLATE_INCOMPLETE);
	EXPECT_EQ(make_pair(CKM_ML_DSA_KEY_PAIR_GEN, CKK_ML_DSA, 4, &set, &other),
	          ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(make_pair(CKM_ML_KEM_KEY_PAIR_GEN, CKK_ML_KEM, 0, &set, &other),
	          ERROR_ATTRIBUTE_VALUE);
	for (size_t len = 0; len <= 64; len++) {
		bytes = (struct wire_bytes){value, len};
		EXPECT_EQ(import(CKK_ML_DSA, CKP_ML_DSA_44, CKA_SEED, bytes, &set),
		          len == 32 ? ERROR_NONE
		          : len     ? ERROR_ATTRIBUTE_VALUE
		                    : ERROR_TEMPLATE_INCOMPLETE);
		attributes_clear(&set);
		EXPECT_EQ(import(CKK_ML_KEM, CKP_ML_KEM_512, CKA_VALUE, bytes, &set),
		          len ? ERROR_ATTRIBUTE_VALUE : ERROR_TEMPLATE_INCOMPLETE);
		attributes_clear(&set);
	}
	/* A private key whose public root is another's. */
	EXPECT_EQ(import(CKK_SLH_DSA, CKP_SLH_DSA_SHA2_128F, CKA_VALUE, BYTES(value), &set),
	          ERROR_ATTRIBUTE_VALUE);
	/* A seed beside a value that it does not make. */
	ASSERT_EQ(make_pair(CKM_ML_DSA_KEY_PAIR_GEN, CKK_ML_DSA, CKP_ML_DSA_44, &set, &other),
	          ERROR_NONE);
	put(&other, CKA_SEED, ((struct wire_bytes){value, 32}));
	EXPECT_EQ(keygen_check(crypto, NULL, &other), ERROR_ATTRIBUTE_VALUE);
}

HARNESS_MAIN
