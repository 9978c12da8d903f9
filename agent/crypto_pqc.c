/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between PKCS#11's parameter sets and OpenSSL's algorithms, each of which is one set. Parameters
 * are named by strings where the headers of OpenSSL 3.0 lack their macros.
 */
#include "crypto_pqc.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "crypto_key.h"
#include "slots.h"

#define SEED        "seed"
#define PRIVATE_MAX 8192u /* ML-DSA-87 has 4896 octets */

/* FIPS 203 table 3, FIPS 204 table 2, FIPS 205 table 2. */
static const struct crypto_parameter_set sets[] = {
	{CKK_ML_KEM, CKP_ML_KEM_512, "ML-KEM-512", 800, 768},
	{CKK_ML_KEM, CKP_ML_KEM_768, "ML-KEM-768", 1184, 1088},
	{CKK_ML_KEM, CKP_ML_KEM_1024, "ML-KEM-1024", 1568, 1568},
	{CKK_ML_DSA, CKP_ML_DSA_44, "ML-DSA-44", 1312, 2420},
	{CKK_ML_DSA, CKP_ML_DSA_65, "ML-DSA-65", 1952, 3309},
	{CKK_ML_DSA, CKP_ML_DSA_87, "ML-DSA-87", 2592, 4627},
	{CKK_SLH_DSA, CKP_SLH_DSA_SHA2_128S, "SLH-DSA-SHA2-128s", 32, 7856},
	{CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_128S, "SLH-DSA-SHAKE-128s", 32, 7856},
	{CKK_SLH_DSA, CKP_SLH_DSA_SHA2_128F, "SLH-DSA-SHA2-128f", 32, 17088},
	{CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_128F, "SLH-DSA-SHAKE-128f", 32, 17088},
	{CKK_SLH_DSA, CKP_SLH_DSA_SHA2_192S, "SLH-DSA-SHA2-192s", 48, 16224},
	{CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_192S, "SLH-DSA-SHAKE-192s", 48, 16224},
	{CKK_SLH_DSA, CKP_SLH_DSA_SHA2_192F, "SLH-DSA-SHA2-192f", 48, 35664},
	{CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_192F, "SLH-DSA-SHAKE-192f", 48, 35664},
	{CKK_SLH_DSA, CKP_SLH_DSA_SHA2_256S, "SLH-DSA-SHA2-256s", 64, 29792},
	{CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_256S, "SLH-DSA-SHAKE-256s", 64, 29792},
	{CKK_SLH_DSA, CKP_SLH_DSA_SHA2_256F, "SLH-DSA-SHA2-256f", 64, 49856},
	{CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_256F, "SLH-DSA-SHAKE-256f", 64, 49856},
};

#define SETS (sizeof(sets) / sizeof(sets[0]))

bool crypto_pqc_type(uint64_t key_type)
{
	return key_type == CKK_ML_KEM || key_type == CKK_ML_DSA || key_type == CKK_SLH_DSA;
}

const struct crypto_parameter_set *crypto_pqc_set(uint64_t key_type, uint64_t number)
{
	for (size_t i = 0; i < SETS; i++) {
		if (sets[i].key_type == key_type && sets[i].number == number)
			return &sets[i];
	}
	return NULL;
}

const struct crypto_parameter_set *crypto_pqc_set_of(const EVP_PKEY *pkey)
{
	for (size_t i = 0; i < SETS; i++) {
		if (EVP_PKEY_is_a(pkey, sets[i].name))
			return &sets[i];
	}
	return NULL;
}

static bool push(OSSL_PARAM_BLD *builder, const char *name, struct wire_bytes value)
{
	return !value.len || OSSL_PARAM_BLD_push_octet_string(builder, name, value.data, value.len);
}

enum err crypto_pqc_make(struct crypto *crypto, const struct attributes *set, uint64_t key_type,
                         bool is_private, EVP_PKEY **pkey)
{
	uint64_t number = attributes_number(set, CKA_PARAMETER_SET, CK_UNAVAILABLE_INFORMATION);
	const struct crypto_parameter_set *parameter_set = crypto_pqc_set(key_type, number);
	struct wire_bytes value = attributes_bytes(set, CKA_VALUE), seed = {NULL, 0};
	const char *name = is_private ? OSSL_PKEY_PARAM_PRIV_KEY : OSSL_PKEY_PARAM_PUB_KEY;
	OSSL_PARAM_BLD *builder;
	enum err err = ERROR_MEMORY;

	*pkey = NULL;
	if (is_private)
		seed = attributes_bytes(set, CKA_SEED);
	if (number == CK_UNAVAILABLE_INFORMATION || (!value.len && !seed.len))
		return ERROR_TEMPLATE_INCOMPLETE;
	if (!parameter_set)
		return ERROR_ATTRIBUTE_VALUE;
	builder = OSSL_PARAM_BLD_new();
	if (builder && push(builder, name, value) && push(builder, SEED, seed))
		err = crypto_key_build(crypto, parameter_set->name,
		                       is_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, builder,
		                       pkey);
	OSSL_PARAM_BLD_free(builder);
	return err;
}

static enum err put(EVP_PKEY *pkey, const char *name, uint64_t type, struct attributes *set)
{
	uint8_t *octets = slots_allocate(PRIVATE_MAX);
	enum err err = ERROR_CRYPTO;
	size_t len;

	if (!octets)
		return ERROR_MEMORY;
	if (EVP_PKEY_get_octet_string_param(pkey, name, octets, PRIVATE_MAX, &len))
		err = attributes_set_bytes(set, type, octets, len);
	slots_release(octets);
	return err;
}

/* A key that came without its seed does not have it, and SLH-DSA never does. */
static enum err put_seed(EVP_PKEY *pkey, const struct crypto_parameter_set *parameter_set,
                         struct attributes *set)
{
	size_t len = 0;

	if (parameter_set->key_type == CKK_SLH_DSA)
		return ERROR_NONE;
	if (!EVP_PKEY_get_octet_string_param(pkey, SEED, NULL, 0, &len) || !len) {
		ERR_clear_error();
		return ERROR_NONE;
	}
	return put(pkey, SEED, CKA_SEED, set);
}

enum err crypto_pqc_attributes(EVP_PKEY *pkey, const struct crypto_parameter_set *parameter_set,
                               bool is_private, struct attributes *set)
{
	enum err err = attributes_set_number(set, CKA_PARAMETER_SET, parameter_set->number);

	if (!err && !is_private)
		return put(pkey, OSSL_PKEY_PARAM_PUB_KEY, CKA_VALUE, set);
	if (!err)
		err = put(pkey, OSSL_PKEY_PARAM_PRIV_KEY, CKA_VALUE, set);
	return err ? err : put_seed(pkey, parameter_set, set);
}

static EVP_PKEY_CTX *new_context(struct crypto *crypto, EVP_PKEY *pkey)
{
	return EVP_PKEY_CTX_new_from_pkey(crypto->library, pkey, crypto->properties);
}

enum err crypto_kem_encapsulate(struct crypto *crypto, EVP_PKEY *pkey, struct wire_buffer *cipher,
                                uint8_t secret[CRYPTO_KEM_SECRET_LEN])
{
	const struct crypto_parameter_set *parameter_set = crypto_pqc_set_of(pkey);
	EVP_PKEY_CTX *context;
	size_t len, secret_len = CRYPTO_KEM_SECRET_LEN, start = cipher->len;
	uint8_t *place;
	bool good;

	if (!parameter_set || parameter_set->key_type != CKK_ML_KEM)
		return ERROR_KEY_TYPE;
	len = parameter_set->output_len;
	place = wire_buffer_extend(cipher, len);
	if (!place)
		return ERROR_MEMORY;
	context = new_context(crypto, pkey);
	good = context && EVP_PKEY_encapsulate_init(context, NULL) > 0 &&
	       EVP_PKEY_encapsulate(context, place, &len, secret, &secret_len) > 0 &&
	       len == parameter_set->output_len && secret_len == CRYPTO_KEM_SECRET_LEN;
	EVP_PKEY_CTX_free(context);
	if (good)
		return ERROR_NONE;
	crypto_log_errors("encapsulation");
	wire_buffer_truncate(cipher, start);
	return ERROR_CRYPTO;
}

enum err crypto_kem_decapsulate(struct crypto *crypto, EVP_PKEY *pkey, struct wire_bytes cipher,
                                uint8_t secret[CRYPTO_KEM_SECRET_LEN])
{
	const struct crypto_parameter_set *parameter_set = crypto_pqc_set_of(pkey);
	size_t secret_len = CRYPTO_KEM_SECRET_LEN;
	EVP_PKEY_CTX *context;
	bool good;

	if (!parameter_set || parameter_set->key_type != CKK_ML_KEM)
		return ERROR_KEY_TYPE;
	if (cipher.len != parameter_set->output_len)
		return ERROR_ENCRYPTED_DATA_LENGTH;
	context = new_context(crypto, pkey);
	good = context && EVP_PKEY_decapsulate_init(context, NULL) > 0 &&
	       EVP_PKEY_decapsulate(context, secret, &secret_len, cipher.data, cipher.len) > 0 &&
	       secret_len == CRYPTO_KEM_SECRET_LEN;
	EVP_PKEY_CTX_free(context);
	if (good)
		return ERROR_NONE;
	crypto_log_errors("decapsulation");
	return ERROR_CRYPTO;
}
