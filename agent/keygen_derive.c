/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ECDH: the shared secret of a private key and the other party's point, as it is (CKD_NULL) or
 * through the KDF of ANSI X9.63.
 */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "crypto_key.h"
#include "keygen.h"
#include "slots.h"

#define SECRET_MAX 66u /* a coordinate of P-521 */

static const struct {
	uint64_t kdf;
	enum crypto_digest digest;
} kdfs[] = {
	{CKD_NULL, DIGEST_NONE},
	{CKD_SHA1_KDF, DIGEST_SHA1},
	{CKD_SHA224_KDF, DIGEST_SHA224},
	{CKD_SHA256_KDF, DIGEST_SHA256},
	{CKD_SHA384_KDF, DIGEST_SHA384},
	{CKD_SHA512_KDF, DIGEST_SHA512},
	{CKD_SHA3_224_KDF, DIGEST_SHA3_224},
	{CKD_SHA3_256_KDF, DIGEST_SHA3_256},
	{CKD_SHA3_384_KDF, DIGEST_SHA3_384},
	{CKD_SHA3_512_KDF, DIGEST_SHA3_512},
};

static bool find_kdf(uint64_t kdf, enum crypto_digest *digest)
{
	for (size_t i = 0; i < sizeof(kdfs) / sizeof(kdfs[0]); i++) {
		if (kdfs[i].kdf == kdf) {
			*digest = kdfs[i].digest;
			return true;
		}
	}
	return false;
}

static enum err read_parameter(const struct wire_mechanism *parameter,
                               struct wire_ecdh1_parameter *record, enum crypto_digest *digest)
{
	if (!wire_decode_ecdh1_parameter(parameter->parameter, record) ||
	    !find_kdf(record->kdf, digest) || (*digest == DIGEST_NONE && record->shared_data.len))
		return ERROR_MECHANISM_PARAMETER;
	return ERROR_NONE;
}

static enum err read_peer(struct crypto *crypto, const struct crypto_curve *curve,
                          struct wire_bytes public_data, EVP_PKEY **peer)
{
	struct wire_bytes point = crypto_curve_point(curve, public_data);

	if (!point.data || crypto_curve_public_key(crypto, curve, point, peer))
		return ERROR_MECHANISM_PARAMETER;
	return ERROR_NONE;
}

/* Montgomery curves have no mode of the cofactor: their scalars are multiples of it. */
static bool set_cofactor(EVP_PKEY_CTX *context, EVP_PKEY *pkey, bool cofactor)
{
	return !EVP_PKEY_is_a(pkey, "EC") ||
	       EVP_PKEY_CTX_set_ecdh_cofactor_mode(context, cofactor) > 0;
}

/* EVP_PKEY_derive_set_peer validates the point (SP 800-56A §5.6.2.3). On a Montgomery curve every
 * string is one, but one of small order gives a secret of zeros, which OpenSSL refuses (RFC 7748
 * §6.1). */
static enum err agree(struct crypto *crypto, EVP_PKEY *pkey, EVP_PKEY *peer, bool cofactor,
                      uint8_t secret[SECRET_MAX], size_t *len)
{
	EVP_PKEY_CTX *context =
		EVP_PKEY_CTX_new_from_pkey(crypto->library, pkey, crypto->properties);
	enum err err = ERROR_CRYPTO;

	*len = SECRET_MAX;
	if (context && EVP_PKEY_derive_init(context) > 0 && set_cofactor(context, pkey, cofactor)) {
		if (EVP_PKEY_derive_set_peer(context, peer) <= 0)
			err = ERROR_MECHANISM_PARAMETER;
		else if (EVP_PKEY_derive(context, secret, len) > 0)
			err = ERROR_NONE;
		else if (!EVP_PKEY_is_a(pkey, "EC"))
			err = ERROR_MECHANISM_PARAMETER;
	}
	EVP_PKEY_CTX_free(context);
	ERR_clear_error();
	return err;
}

static enum err run_kdf(struct crypto *crypto, enum crypto_digest digest, struct wire_bytes secret,
                        struct wire_bytes shared, uint8_t *out, size_t out_len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(crypto->library, OSSL_KDF_NAME_X963KDF, crypto->properties);
	EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
	                                         (char *)crypto_digest_name(digest), 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret.data,
	                                          secret.len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)shared.data,
	                                          shared.len),
		OSSL_PARAM_construct_end(),
	};
	enum err err = ERROR_CRYPTO;

	if (!shared.len)
		params[2] = OSSL_PARAM_construct_end();
	if (context && EVP_KDF_derive(context, out, out_len, params) > 0)
		err = ERROR_NONE;
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
	return err;
}

/* Without a KDF a shorter key is the end of the secret: PKCS#11 removes octets from its front. */
static enum err put_key(struct crypto *crypto, enum crypto_digest digest, struct wire_bytes secret,
                        struct wire_bytes shared, struct attributes *set)
{
	uint8_t *value;
	enum err err;
	size_t len;

	if (digest == DIGEST_NONE)
		err = keygen_derived_len(set, secret.len, secret.len, &len);
	else
		err = keygen_derived_len(set, 0, KEYGEN_SECRET_MAX, &len);
	if (err)
		return err;
	if (digest == DIGEST_NONE)
		return keygen_put_value(set,
		                        (struct wire_bytes){secret.data + secret.len - len, len});
	value = slots_allocate(len);
	if (!value)
		return ERROR_MEMORY;
	err = run_kdf(crypto, digest, secret, shared, value, len);
	if (!err)
		err = keygen_put_value(set, (struct wire_bytes){value, len});
	slots_release(value);
	return err;
}

static enum err derive(struct crypto *crypto, const struct derivation *derivation,
                       struct attributes *set)
{
	bool cofactor = derivation->mechanism->type == CKM_ECDH1_COFACTOR_DERIVE;
	struct wire_ecdh1_parameter record;
	enum crypto_digest digest;
	pkey_auto peer = NULL;
	uint8_t *secret;
	EVP_PKEY *pkey;
	size_t len;
	enum err err;

	err = read_parameter(derivation->parameter, &record, &digest);
	if (!err)
		err = crypto_key_get(crypto, derivation->base, &pkey);
	if (!err)
		err = read_peer(crypto, crypto_curve_of(pkey), record.public_data, &peer);
	if (err)
		return err;
	secret = slots_allocate(SECRET_MAX);
	if (!secret)
		return ERROR_MEMORY;
	err = agree(crypto, pkey, peer, cofactor, secret, &len);
	if (!err)
		err = put_key(crypto, digest, (struct wire_bytes){secret, len}, record.shared_data,
		              set);
	slots_release(secret);
	return err;
}

const struct key_methods keygen_ecdh_methods = {
	.derive = derive,
};
