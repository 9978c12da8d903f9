/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From attributes to OpenSSL's keys, with the cache in the object, and the question whether a key
 * fits a mechanism. The way back is in crypto_key_parts.c, curves in crypto_curve.c.
 */
#include "crypto_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "crypto_pqc.h"

#define RSA_PARTS 8u

void crypto_pkey_freep(EVP_PKEY **pkey)
{
	EVP_PKEY_free(*pkey);
}

struct rsa_part {
	uint64_t type;
	const char *name;
};

/* n, e, d and then the five that belong together; rsa_half says how many a key has. */
static const struct rsa_part rsa_parts[RSA_PARTS] = {
	{CKA_MODULUS, OSSL_PKEY_PARAM_RSA_N},
	{CKA_PUBLIC_EXPONENT, OSSL_PKEY_PARAM_RSA_E},
	{CKA_PRIVATE_EXPONENT, OSSL_PKEY_PARAM_RSA_D},
	{CKA_PRIME_1, OSSL_PKEY_PARAM_RSA_FACTOR1},
	{CKA_PRIME_2, OSSL_PKEY_PARAM_RSA_FACTOR2},
	{CKA_EXPONENT_1, OSSL_PKEY_PARAM_RSA_EXPONENT1},
	{CKA_EXPONENT_2, OSSL_PKEY_PARAM_RSA_EXPONENT2},
	{CKA_COEFFICIENT, OSSL_PKEY_PARAM_RSA_COEFFICIENT1},
};

#define RSA_PUBLIC_PARTS 2u
#define RSA_NEEDED_PARTS 3u
#define NUMBER_LEN_MAX   2048u /* what OpenSSL would still touch: 16384 bits */
#define D                2u
#define P                3u
#define Q                4u
#define DP               5u
#define QINV             7u

static enum err read_numbers(const struct attributes *set, BIGNUM *numbers[RSA_PARTS],
                             unsigned int needed)
{
	for (unsigned int i = 0; i < RSA_PARTS; i++) {
		struct wire_bytes value = attributes_bytes(set, rsa_parts[i].type);

		if (!value.len && i < needed)
			return ERROR_TEMPLATE_INCOMPLETE;
		if (value.len > NUMBER_LEN_MAX)
			return ERROR_ATTRIBUTE_VALUE;
		if (!value.len || (needed == RSA_PUBLIC_PARTS && i >= needed))
			continue;
		numbers[i] = BN_secure_new();
		if (!numbers[i] || !BN_bin2bn(value.data, (int)value.len, numbers[i]))
			return ERROR_MEMORY;
		BN_set_flags(numbers[i], BN_FLG_CONSTTIME);
	}
	return ERROR_NONE;
}

/* The primes' own exponents and the coefficient can be computed; a key has all five or none. */
static bool complete_numbers(BIGNUM *numbers[RSA_PARTS])
{
	BN_CTX *context = BN_CTX_secure_new();
	BIGNUM *less = BN_secure_new();
	bool good = context && less;

	for (unsigned int i = 0; good && i < 2; i++) {
		if (numbers[DP + i])
			continue;
		numbers[DP + i] = BN_secure_new();
		good = numbers[DP + i] && BN_copy(less, numbers[P + i]) && BN_sub_word(less, 1) &&
		       BN_mod(numbers[DP + i], numbers[D], less, context);
	}
	if (good && !numbers[QINV]) {
		numbers[QINV] = BN_mod_inverse(NULL, numbers[Q], numbers[P], context);
		good = numbers[QINV];
	}
	BN_clear_free(less);
	BN_CTX_free(context);
	return good;
}

enum err crypto_key_build(struct crypto *crypto, const char *type, int selection,
                          OSSL_PARAM_BLD *builder, EVP_PKEY **pkey)
{
	EVP_PKEY_CTX *context =
		EVP_PKEY_CTX_new_from_name(crypto->library, type, crypto->properties);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
	enum err err = ERROR_MEMORY;

	*pkey = NULL;
	if (context && params)
		err = EVP_PKEY_fromdata_init(context) > 0 &&
		                      EVP_PKEY_fromdata(context, pkey, selection, params) > 0
		              ? ERROR_NONE
		              : ERROR_ATTRIBUTE_VALUE;
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(context);
	ERR_clear_error();
	return err;
}

static enum err build_rsa(struct crypto *crypto, BIGNUM *numbers[RSA_PARTS], bool is_private,
                          EVP_PKEY **pkey)
{
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	bool good = builder;
	enum err err = ERROR_MEMORY;

	for (unsigned int i = 0; good && i < RSA_PARTS; i++)
		good = !numbers[i] ||
		       OSSL_PARAM_BLD_push_BN(builder, rsa_parts[i].name, numbers[i]);
	if (good)
		err = crypto_key_build(crypto, "RSA",
		                       is_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, builder,
		                       pkey);
	OSSL_PARAM_BLD_free(builder);
	return err;
}

static enum err make_rsa(struct crypto *crypto, const struct attributes *set, bool is_private,
                         EVP_PKEY **pkey)
{
	BIGNUM *numbers[RSA_PARTS] = {NULL};
	enum err err;

	err = read_numbers(set, numbers, is_private ? RSA_NEEDED_PARTS : RSA_PUBLIC_PARTS);
	if (!err && is_private && (!numbers[P] != !numbers[Q]))
		err = ERROR_TEMPLATE_INCOMPLETE;
	if (!err && numbers[P] && (BN_num_bits(numbers[P]) < 2 || !complete_numbers(numbers)))
		err = ERROR_ATTRIBUTE_VALUE;
	if (!err)
		err = build_rsa(crypto, numbers, is_private, pkey);
	for (unsigned int i = 0; i < RSA_PARTS; i++)
		BN_clear_free(numbers[i]);
	return err;
}

static enum err make_on_curve(struct crypto *crypto, const struct attributes *set, bool is_private,
                              uint64_t key_type, EVP_PKEY **pkey)
{
	struct wire_bytes params = attributes_bytes(set, CKA_EC_PARAMS);
	struct wire_bytes value = attributes_bytes(set, is_private ? CKA_VALUE : CKA_EC_POINT);
	const struct crypto_curve *curve;
	enum err err;

	if (!params.len || !value.len)
		return ERROR_TEMPLATE_INCOMPLETE;
	err = crypto_key_curve(params, &curve);
	if (err)
		return err;
	if (curve->key_type != key_type)
		return ERROR_CURVE;
	if (is_private)
		return crypto_curve_private_key(crypto, curve, value, pkey);
	value = crypto_curve_point(curve, value);
	return value.data ? crypto_curve_public_key(crypto, curve, value, pkey)
	                  : ERROR_ATTRIBUTE_VALUE;
}

enum err crypto_key_make(struct crypto *crypto, const struct attributes *set, EVP_PKEY **pkey)
{
	uint64_t class = attributes_number(set, CKA_CLASS, CK_UNAVAILABLE_INFORMATION);
	uint64_t type = attributes_number(set, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);
	bool is_private = class == CKO_PRIVATE_KEY;

	*pkey = NULL;
	if (!is_private && class != CKO_PUBLIC_KEY)
		return ERROR_KEY_TYPE;
	switch (type) {
	case CKK_RSA:
		return make_rsa(crypto, set, is_private, pkey);
	case CKK_EC:
	case CKK_EC_EDWARDS:
	case CKK_EC_MONTGOMERY:
		return make_on_curve(crypto, set, is_private, type, pkey);
	case CKK_ML_KEM:
	case CKK_ML_DSA:
	case CKK_SLH_DSA:
		return crypto_pqc_make(crypto, set, type, is_private, pkey);
	default:
		return ERROR_KEY_TYPE;
	}
}

enum err crypto_key_get(struct crypto *crypto, struct object *object, EVP_PKEY **pkey)
{
	EVP_PKEY *expected = NULL;
	enum err err;

	*pkey = atomic_load_explicit(&object->pkey, memory_order_acquire);
	if (*pkey)
		return ERROR_NONE;
	err = crypto_key_make(crypto, &object->attributes, pkey);
	if (err)
		return err;
	if (!atomic_compare_exchange_strong(&object->pkey, &expected, *pkey)) {
		EVP_PKEY_free(*pkey); /* another thread was first */
		*pkey = expected;
	}
	return ERROR_NONE;
}

struct wire_bytes crypto_key_secret(const struct object *key)
{
	return attributes_bytes(&key->attributes, CKA_VALUE);
}

static bool in_octets(uint64_t key_type)
{
	return key_type == CKK_AES || key_type == CKK_AES_XTS;
}

/* Octets of a public key of this set, for either half. */
static uint64_t set_size(const struct object *key)
{
	const struct crypto_parameter_set *set =
		crypto_pqc_set(key->key_type, attributes_number(&key->attributes, CKA_PARAMETER_SET,
	                                                        CK_UNAVAILABLE_INFORMATION));

	return set ? set->public_len : 0;
}

/* In the unit of the mechanism's row. */
static enum err key_size(struct crypto *crypto, struct object *key, uint64_t *size)
{
	EVP_PKEY *pkey;
	enum err err;

	if (key->object_class == CKO_SECRET_KEY) {
		*size = crypto_key_secret(key).len * (in_octets(key->key_type) ? 1 : 8);
		return ERROR_NONE;
	}
	if (crypto_pqc_type(key->key_type)) {
		*size = set_size(key);
		return ERROR_NONE;
	}
	err = crypto_key_get(crypto, key, &pkey);
	if (err)
		return err;
	*size = (uint64_t)EVP_PKEY_get_bits(pkey);
	if (key->key_type == CKK_EC_EDWARDS || key->key_type == CKK_EC_MONTGOMERY)
		*size = *size > 256 ? 448 : 255; /* OpenSSL's versions differ */
	return ERROR_NONE;
}

static bool is_key(const struct object *object)
{
	return object->object_class == CKO_SECRET_KEY || object->object_class == CKO_PUBLIC_KEY ||
	       object->object_class == CKO_PRIVATE_KEY;
}

static bool right_class(const struct mechanism *mechanism, const struct object *key,
                        enum crypto_half half)
{
	switch (mechanism->key_type) {
	case CKK_RSA:
	case CKK_EC:
	case CKK_EC_EDWARDS:
	case CKK_EC_MONTGOMERY:
	case CKK_ML_KEM:
	case CKK_ML_DSA:
	case CKK_SLH_DSA:
		return key->object_class ==
		       (half == HALF_PRIVATE ? CKO_PRIVATE_KEY : CKO_PUBLIC_KEY);
	default:
		return key->object_class == CKO_SECRET_KEY;
	}
}

enum err crypto_key_fits(struct crypto *crypto, const struct mechanism *mechanism,
                         struct object *key, enum crypto_half half)
{
	uint64_t size;
	enum err err;

	if (!key || !is_key(key))
		return ERROR_KEY_HANDLE;
	if (mechanism->key_type == MECHANISM_ANY_SECRET)
		return key->object_class == CKO_SECRET_KEY ? ERROR_NONE : ERROR_KEY_TYPE;
	if (key->key_type != mechanism->key_type &&
	    (key->key_type != mechanism->other_key_type ||
	     mechanism->other_key_type == CK_UNAVAILABLE_INFORMATION))
		return ERROR_KEY_TYPE;
	if (!right_class(mechanism, key, half))
		return ERROR_KEY_FUNCTION;
	err = key_size(crypto, key, &size);
	if (err)
		return err;
	return size < mechanism->min_key || size > mechanism->max_key ? ERROR_KEY_SIZE : ERROR_NONE;
}
