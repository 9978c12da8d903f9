/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RSA key pairs: the size and the exponent that the template asks for, within the row's bounds.
 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "keygen.h"

#define DEFAULT_EXPONENT  65537u
#define EXPONENT_BITS_MIN 17 /* odd and above 2^16 (FIPS 186-5 §A.1.1) */
#define EXPONENT_BITS_MAX 256
#define EXPONENT_LEN_MAX  512u

static enum err read_bits(const struct mechanism *mechanism, const struct attributes *set,
                          uint64_t *bits)
{
	*bits = attributes_number(set, CKA_MODULUS_BITS, CK_UNAVAILABLE_INFORMATION);
	if (*bits == CK_UNAVAILABLE_INFORMATION)
		return ERROR_TEMPLATE_INCOMPLETE;
	if (*bits < mechanism->min_key || *bits > mechanism->max_key || *bits % 8)
		return ERROR_KEY_SIZE;
	return ERROR_NONE;
}

static enum err read_exponent(const struct attributes *set, BIGNUM *exponent)
{
	struct wire_bytes value = attributes_bytes(set, CKA_PUBLIC_EXPONENT);

	if (!value.len)
		return BN_set_word(exponent, DEFAULT_EXPONENT) ? ERROR_NONE : ERROR_MEMORY;
	if (value.len > EXPONENT_LEN_MAX)
		return ERROR_ATTRIBUTE_VALUE;
	if (!BN_bin2bn(value.data, (int)value.len, exponent))
		return ERROR_MEMORY;
	if (!BN_is_odd(exponent) || BN_num_bits(exponent) < EXPONENT_BITS_MIN ||
	    BN_num_bits(exponent) > EXPONENT_BITS_MAX)
		return ERROR_ATTRIBUTE_VALUE;
	return ERROR_NONE;
}

static enum err run(struct crypto *crypto, const OSSL_PARAM *params, EVP_PKEY **pkey)
{
	EVP_PKEY_CTX *context =
		EVP_PKEY_CTX_new_from_name(crypto->library, "RSA", crypto->properties);
	enum err err = ERROR_CRYPTO;

	if (context && EVP_PKEY_keygen_init(context) > 0 &&
	    EVP_PKEY_CTX_set_params(context, params) > 0 && EVP_PKEY_generate(context, pkey) > 0)
		err = ERROR_NONE;
	else
		crypto_log_errors("RSA key generation");
	EVP_PKEY_CTX_free(context);
	return err;
}

static enum err generate_sized(struct crypto *crypto, uint64_t bits, const BIGNUM *exponent,
                               EVP_PKEY **pkey)
{
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	enum err err = ERROR_MEMORY;

	if (builder && OSSL_PARAM_BLD_push_size_t(builder, OSSL_PKEY_PARAM_RSA_BITS, bits) &&
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent))
		params = OSSL_PARAM_BLD_to_param(builder);
	if (params)
		err = run(crypto, params, pkey);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(builder);
	return err;
}

static enum err generate_pair(struct crypto *crypto, const struct mechanism *mechanism,
                              const struct attributes *public_set, EVP_PKEY **pkey)
{
	BIGNUM *exponent = BN_new();
	uint64_t bits;
	enum err err;

	err = exponent ? read_bits(mechanism, public_set, &bits) : ERROR_MEMORY;
	if (!err)
		err = read_exponent(public_set, exponent);
	if (!err)
		err = generate_sized(crypto, bits, exponent, pkey);
	BN_free(exponent);
	return err;
}

const struct key_methods keygen_rsa_methods = {
	.generate_pair = generate_pair,
	.slow = true,
};
