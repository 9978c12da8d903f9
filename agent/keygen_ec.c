/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key pairs on elliptic curves: the curve that CKA_EC_PARAMS names, if it belongs to the mechanism.
 */
#include "crypto_key.h"
#include "keygen.h"

static enum err generate_pair(struct crypto *crypto, const struct mechanism *mechanism,
                              const struct attributes *public_set, EVP_PKEY **pkey)
{
	struct wire_bytes params = attributes_bytes(public_set, CKA_EC_PARAMS);
	const struct crypto_curve *curve;
	enum err err;

	if (!params.len)
		return ERROR_TEMPLATE_INCOMPLETE;
	err = crypto_key_curve(params, &curve);
	if (err)
		return err;
	if (curve->key_type != mechanism->key_type)
		return ERROR_CURVE;
	*pkey = crypto_curve_pair(crypto, curve);
	if (*pkey)
		return ERROR_NONE;
	crypto_log_errors("EC key generation");
	return ERROR_CRYPTO;
}

const struct key_methods keygen_ec_methods = {
	.generate_pair = generate_pair,
};
