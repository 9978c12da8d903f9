/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of key material that comes from outside: sizes, points, and whether the parts of a
 * private key belong together. Cheap enough for the loop thread: primes are not tested for being
 * prime, the arithmetic that ties the parts to each other is.
 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>

#include "config.h"
#include "crypto_key.h"
#include "keygen.h"

#define RSA_BITS_MIN      2048
#define RSA_WEAK_BITS_MIN 1024
#define RSA_BITS_MAX      4096
#define FIPS_EXPONENT_MIN 17 /* bits */

enum rsa_part { N, E, P, Q, DP, DQ, QINV, D, RSA_PARTS };

static const char *const rsa_names[RSA_PARTS] = {
	[N] = OSSL_PKEY_PARAM_RSA_N,
	[E] = OSSL_PKEY_PARAM_RSA_E,
	[P] = OSSL_PKEY_PARAM_RSA_FACTOR1,
	[Q] = OSSL_PKEY_PARAM_RSA_FACTOR2,
	[DP] = OSSL_PKEY_PARAM_RSA_EXPONENT1,
	[DQ] = OSSL_PKEY_PARAM_RSA_EXPONENT2,
	[QINV] = OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
	[D] = OSSL_PKEY_PARAM_RSA_D,
};

static bool fips_only(const struct config *config)
{
	return config && config->algorithms.fips_approved_only;
}

static enum err check_rsa_size(const struct config *config, EVP_PKEY *pkey)
{
	bool weak = config && config->algorithms.allow_weak_rsa && !fips_only(config);
	int bits = EVP_PKEY_get_bits(pkey);

	if (bits < (weak ? RSA_WEAK_BITS_MIN : RSA_BITS_MIN) || bits > RSA_BITS_MAX)
		return ERROR_KEY_SIZE;
	return ERROR_NONE;
}

static bool get_numbers(EVP_PKEY *pkey, BIGNUM *numbers[RSA_PARTS])
{
	for (unsigned int i = 0; i < RSA_PARTS; i++) {
		if (!EVP_PKEY_get_bn_param(pkey, rsa_names[i], &numbers[i]))
			return false;
		BN_set_flags(numbers[i], BN_FLG_CONSTTIME);
	}
	return true;
}

/* exponent = d mod (prime - 1) */
static bool exponent_fits(BIGNUM *const numbers[RSA_PARTS], enum rsa_part prime,
                          enum rsa_part exponent, BIGNUM *a, BIGNUM *b, BN_CTX *context)
{
	return BN_copy(a, numbers[prime]) && BN_sub_word(a, 1) &&
	       BN_mod(b, numbers[D], a, context) && !BN_cmp(b, numbers[exponent]);
}

static bool numbers_agree(BIGNUM *const numbers[RSA_PARTS], BN_CTX *context)
{
	BIGNUM *a = BN_CTX_get(context);
	BIGNUM *b = BN_CTX_get(context);

	return b && BN_num_bits(numbers[P]) > 1 && BN_num_bits(numbers[Q]) > 1 &&
	       BN_mul(a, numbers[P], numbers[Q], context) && !BN_cmp(a, numbers[N]) &&
	       exponent_fits(numbers, P, DP, a, b, context) &&
	       exponent_fits(numbers, Q, DQ, a, b, context) &&
	       BN_mod_mul(a, numbers[Q], numbers[QINV], numbers[P], context) && BN_is_one(a);
}

static bool rsa_parts_agree(struct crypto *crypto, EVP_PKEY *pkey)
{
	BIGNUM *numbers[RSA_PARTS] = {NULL};
	BN_CTX *context = BN_CTX_secure_new_ex(crypto->library);
	bool good = context && get_numbers(pkey, numbers);

	if (good) {
		BN_CTX_start(context);
		good = numbers_agree(numbers, context);
		BN_CTX_end(context);
	}
	for (unsigned int i = 0; i < RSA_PARTS; i++)
		BN_clear_free(numbers[i]);
	BN_CTX_free(context);
	ERR_clear_error();
	return good;
}

static bool exponent_allowed(const struct config *config, EVP_PKEY *pkey)
{
	BIGNUM *e = NULL, *n = NULL;
	bool good = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) &&
	            EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) && BN_is_odd(n) &&
	            BN_is_odd(e) && !BN_is_one(e) && BN_cmp(e, n) < 0 &&
	            (!fips_only(config) || BN_num_bits(e) >= FIPS_EXPONENT_MIN);

	BN_free(e);
	BN_free(n);
	return good;
}

static enum err check_rsa(const struct config *config, EVP_PKEY *pkey)
{
	enum err err = check_rsa_size(config, pkey);

	return err || exponent_allowed(config, pkey) ? err : ERROR_ATTRIBUTE_VALUE;
}

/* A key may have come with n, e and d only. */
static bool has_primes(EVP_PKEY *pkey)
{
	BIGNUM *prime = NULL;
	bool has = EVP_PKEY_get_bn_param(pkey, rsa_names[P], &prime);

	BN_clear_free(prime);
	ERR_clear_error();
	return has;
}

/* The point becomes DER, the private key its canonical form with everything that was computed. */
static enum err normalise(EVP_PKEY *pkey, struct attributes *set, bool is_private)
{
	if (is_private)
		return crypto_key_private_attributes(pkey, set);
	return crypto_curve_of(pkey) ? crypto_curve_put_point(pkey, set) : ERROR_NONE;
}

enum err keygen_check_private(struct crypto *crypto, EVP_PKEY *pkey)
{
	if (EVP_PKEY_is_a(pkey, "RSA") && has_primes(pkey) && !rsa_parts_agree(crypto, pkey))
		return ERROR_ATTRIBUTE_VALUE;
	switch (crypto_key_type(pkey)) {
	case CKK_EC:
	case CKK_SLH_DSA: /* a sixth and a tenth of the work of a signature and its verification */
		return keygen_public_follows(crypto, pkey) ? ERROR_NONE : ERROR_ATTRIBUTE_VALUE;
	default:
		break;
	}
	return keygen_halves_agree(crypto, pkey) ? ERROR_NONE : ERROR_ATTRIBUTE_VALUE;
}

static enum err check_pair_half(struct crypto *crypto, const struct config *config,
                                struct attributes *set, bool is_private)
{
	pkey_auto pkey = NULL;
	enum err err;

	err = crypto_key_make(crypto, set, &pkey);
	if (!err && EVP_PKEY_is_a(pkey, "RSA"))
		err = check_rsa(config, pkey);
	if (!err && is_private)
		err = keygen_check_private(crypto, pkey);
	return err ? err : normalise(pkey, set, is_private);
}

static enum err check_secret(const struct attributes *set)
{
	uint64_t type = attributes_number(set, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);
	struct wire_attribute value;

	if (!attributes_get(set, CKA_VALUE, &value))
		return ERROR_TEMPLATE_INCOMPLETE;
	if (!keygen_secret_len_valid(type, value.value.len) ||
	    !keygen_secret_value_valid(type, value.value))
		return ERROR_ATTRIBUTE_VALUE;
	return ERROR_NONE;
}

enum err keygen_check(struct crypto *crypto, const struct config *config, struct attributes *set)
{
	switch (attributes_number(set, CKA_CLASS, CK_UNAVAILABLE_INFORMATION)) {
	case CKO_SECRET_KEY:
		return check_secret(set);
	case CKO_PUBLIC_KEY:
		return check_pair_half(crypto, config, set, false);
	case CKO_PRIVATE_KEY:
		return check_pair_half(crypto, config, set, true);
	default:
		return ERROR_NONE;
	}
}
