/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ECDSA, whose signatures are r || s at the length of the curve's order. Keys and curves are
 * crypto_key.h's; EdDSA is in crypto_eddsa.c.
 */
#include <openssl/ec.h>
#include <string.h>

#include "crypto_kept.h"
#include "crypto_key.h"
#include "crypto_methods.h"

#define DER_MAX 160u /* SEQUENCE of two INTEGERs of P-521 */

struct ec {
	EVP_PKEY *pkey;    /* borrowed from the key */
	size_t scalar_len; /* half a signature */
};

static enum err start(struct operation *operation, const struct wire_mechanism *parameter)
{
	struct ec *ec = operation->state;
	enum err err = crypto_key_get(operation->crypto, operation->key, &ec->pkey);

	(void)parameter;
	if (err)
		return err;
	ec->scalar_len = ((size_t)EVP_PKEY_get_bits(ec->pkey) + 7) / 8;
	return ERROR_NONE;
}

static size_t output_max(const struct operation *operation, size_t data_len,
                         enum operation_step step)
{
	const struct ec *ec = operation->state;

	(void)data_len;
	(void)step;
	return 2 * ec->scalar_len;
}

static bool from_der(const uint8_t *der, size_t der_len, uint8_t *out, size_t scalar_len)
{
	ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)der_len);
	bool good;

	if (!signature)
		return false;
	good = BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, (int)scalar_len) >= 0 &&
	       BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + scalar_len, (int)scalar_len) >= 0;
	ECDSA_SIG_free(signature);
	return good;
}

static bool to_der(struct wire_bytes in, uint8_t der[DER_MAX], size_t *der_len)
{
	ECDSA_SIG *signature = ECDSA_SIG_new();
	int half = (int)(in.len / 2);
	BIGNUM *r = BN_bin2bn(in.data, half, NULL);
	BIGNUM *s = BN_bin2bn(in.data + half, half, NULL);
	int len = -1;

	if (signature && r && s && ECDSA_SIG_set0(signature, r, s)) {
		r = NULL;
		s = NULL;
		len = i2d_ECDSA_SIG(signature, NULL);
		if (len > 0 && (size_t)len <= DER_MAX)
			len = i2d_ECDSA_SIG(signature, &der);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(signature);
	*der_len = len > 0 ? (size_t)len : 0;
	return len > 0;
}

static enum err sign_with(struct operation *operation, EVP_PKEY_CTX *context,
                          struct wire_bytes message, uint8_t *out, size_t *out_len)
{
	struct ec *ec = operation->state;
	uint8_t der[DER_MAX];
	size_t der_len = sizeof(der);

	if (!context || EVP_PKEY_sign(context, der, &der_len, message.data, message.len) <= 0 ||
	    !from_der(der, der_len, out, ec->scalar_len))
		return ERROR_CRYPTO;
	*out_len = 2 * ec->scalar_len;
	return ERROR_NONE;
}

static enum err verify_with(EVP_PKEY_CTX *context, struct wire_bytes message,
                            struct wire_bytes signature)
{
	uint8_t der[DER_MAX];
	size_t der_len;

	if (!context || !to_der(signature, der, &der_len))
		return ERROR_CRYPTO;
	return EVP_PKEY_verify(context, der, der_len, message.data, message.len) == 1
	               ? ERROR_NONE
	               : ERROR_SIGNATURE;
}

static enum err ecdsa_sign(struct operation *operation, struct wire_bytes message, uint8_t *out,
                           size_t *out_len)
{
	struct ec *ec = operation->state;
	struct crypto_kept *kept;
	enum err err;

	if (!message.len)
		return ERROR_DATA_LENGTH;
	kept = crypto_kept_take(operation, 0);
	err = sign_with(operation, crypto_kept_pkey(kept, operation, ec->pkey, NULL), message, out,
	                out_len);
	crypto_kept_put(operation, kept, !err);
	return err;
}

static enum err ecdsa_verify(struct operation *operation, struct wire_bytes message,
                             struct wire_bytes signature)
{
	struct ec *ec = operation->state;
	struct crypto_kept *kept;
	enum err err;

	if (!message.len)
		return ERROR_DATA_LENGTH;
	if (signature.len != 2 * ec->scalar_len)
		return ERROR_SIGNATURE_LENGTH;
	kept = crypto_kept_take(operation, 0);
	err = verify_with(crypto_kept_pkey(kept, operation, ec->pkey, NULL), message, signature);
	/* A signature that is wrong leaves a context that is as good as before. */
	crypto_kept_put(operation, kept, err != ERROR_CRYPTO);
	return err;
}

const struct operation_methods crypto_ecdsa_methods = {
	.state_len = sizeof(struct ec),
	.start = start,
	.produce = ecdsa_sign,
	.verify = ecdsa_verify,
	.output_max = output_max,
};
