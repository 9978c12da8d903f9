/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making keys: what all mechanisms have in common, and the pairwise consistency test. The
 * algorithms are in keygen_*.c; wrapping and import checks have files of their own.
 */
#include "keygen.h"

#include <openssl/err.h>
#include <stdlib.h>

#include "config.h"
#include "crypto_key.h"
#include "crypto_pqc.h"
#include "slots.h"

#define PUBLIC_KEY_INFO_MAX 8192u /* octets of DER; RSA-16384 has 2,086 */

#define SHARED_MAX 66u /* a coordinate of P-521 */

static enum err check_generate(const struct mechanism *mechanism,
                               const struct wire_mechanism *parameter, uint64_t function)
{
	enum wire_shape shape;

	if (!mechanism->key || !(mechanism->functions & function) ||
	    !wire_mechanism_shape(mechanism->type, &shape) || parameter->type != mechanism->type)
		return ERROR_MECHANISM;
	return wire_shape_fits(shape, parameter->shape) ? ERROR_NONE : ERROR_MECHANISM_PARAMETER;
}

enum err keygen_secret(struct crypto *crypto, const struct mechanism *mechanism,
                       const struct wire_mechanism *parameter, struct attributes *set)
{
	enum err err = check_generate(mechanism, parameter, CKF_GENERATE);

	return err ? err : mechanism->key->generate(crypto, mechanism, parameter, set);
}

/* A test build can spoil the signature, to see that it would be noticed. */
static void spoil(uint8_t *signature)
{
#ifdef CRATON_TEST_HOOKS
	if (getenv("CRATON_TEST_PAIRWISE_BREAK"))
		signature[0] ^= 1;
#else
	(void)signature;
#endif
}

/* Does the algorithm hash the message itself? */
static bool hashes_itself(const EVP_PKEY *pkey)
{
	uint64_t type = crypto_key_type(pkey);

	return type == CKK_EC_EDWARDS || crypto_pqc_type(type);
}

static bool sign_into(struct crypto *crypto, EVP_PKEY *pkey, uint8_t *signature, size_t len)
{
	static const uint8_t message[] = "pairwise consistency";
	const char *digest = hashes_itself(pkey) ? NULL : "SHA256";
	EVP_MD_CTX *sign = EVP_MD_CTX_new();
	EVP_MD_CTX *verify = EVP_MD_CTX_new();
	bool good;

	good = sign && verify &&
	       EVP_DigestSignInit_ex(sign, NULL, digest, crypto->library, crypto->properties, pkey,
	                             NULL) > 0 &&
	       EVP_DigestSign(sign, signature, &len, message, sizeof(message)) > 0;
	if (good)
		spoil(signature);
	good = good &&
	       EVP_DigestVerifyInit_ex(verify, NULL, digest, crypto->library, crypto->properties,
	                               pkey, NULL) > 0 &&
	       EVP_DigestVerify(verify, signature, len, message, sizeof(message)) == 1;
	EVP_MD_CTX_free(verify);
	EVP_MD_CTX_free(sign);
	return good;
}

/* One signature over a fixed message, made by one half and checked by the other. */
static bool sign_and_verify(struct crypto *crypto, EVP_PKEY *pkey)
{
	int len = EVP_PKEY_get_size(pkey);
	uint8_t *signature = len > 0 ? slots_allocate((size_t)len) : NULL;
	bool good = signature && sign_into(crypto, pkey, signature, (size_t)len);

	slots_release(signature);
	ERR_clear_error();
	return good;
}

/* A secret that one half sends and the other receives. */
static bool send_and_receive(struct crypto *crypto, EVP_PKEY *pkey)
{
	uint8_t sent[CRYPTO_KEM_SECRET_LEN], received[CRYPTO_KEM_SECRET_LEN];
	struct wire_buffer cipher;
	bool good;

	wire_buffer_init(&cipher, WIRE_CONTROL_LIMIT, NULL);
	good = !crypto_kem_encapsulate(crypto, pkey, &cipher, sent);
	if (good)
		spoil(sent);
	good = good &&
	       !crypto_kem_decapsulate(crypto, pkey, (struct wire_bytes){cipher.data, cipher.len},
	                               received) &&
	       wire_secret_equal((struct wire_bytes){sent, sizeof(sent)},
	                         (struct wire_bytes){received, sizeof(received)});
	wire_buffer_free(&cipher);
	wire_wipe(sent, sizeof(sent));
	wire_wipe(received, sizeof(received));
	return good;
}

/* The secret of one key and the public half of another. */
static bool shared_secret(struct crypto *crypto, EVP_PKEY *own, EVP_PKEY *other,
                          uint8_t secret[SHARED_MAX], size_t *len)
{
	EVP_PKEY_CTX *context =
		EVP_PKEY_CTX_new_from_pkey(crypto->library, own, crypto->properties);
	bool good;

	*len = SHARED_MAX;
	good = context && EVP_PKEY_derive_init(context) > 0 &&
	       EVP_PKEY_derive_set_peer(context, other) > 0 &&
	       EVP_PKEY_derive(context, secret, len) > 0;
	EVP_PKEY_CTX_free(context);
	return good;
}

/* A key that cannot sign agrees on a secret with another one, from both sides. */
static bool agree_with_another(struct crypto *crypto, EVP_PKEY *pkey)
{
	pkey_auto other = EVP_PKEY_Q_keygen(crypto->library, crypto->properties,
	                                    EVP_PKEY_get0_type_name(pkey));
	uint8_t mine[SHARED_MAX], theirs[SHARED_MAX];
	size_t mine_len, theirs_len;
	bool good = other && shared_secret(crypto, pkey, other, mine, &mine_len);

	if (good)
		spoil(mine);
	good = good && shared_secret(crypto, other, pkey, theirs, &theirs_len) &&
	       wire_secret_equal((struct wire_bytes){mine, mine_len},
	                         (struct wire_bytes){theirs, theirs_len});
	wire_wipe(mine, sizeof(mine));
	wire_wipe(theirs, sizeof(theirs));
	ERR_clear_error();
	return good;
}

bool keygen_halves_agree(struct crypto *crypto, EVP_PKEY *pkey)
{
	switch (crypto_key_type(pkey)) {
	case CKK_EC_MONTGOMERY:
		return agree_with_another(crypto, pkey);
	case CKK_ML_KEM:
		return send_and_receive(crypto, pkey);
	default:
		return sign_and_verify(crypto, pkey);
	}
}

static bool is_consistent(struct crypto *crypto, EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *context =
		EVP_PKEY_CTX_new_from_pkey(crypto->library, pkey, crypto->properties);
	bool is = context && EVP_PKEY_pairwise_check(context) > 0;

	EVP_PKEY_CTX_free(context);
	return is;
}

bool keygen_public_follows(struct crypto *crypto, EVP_PKEY *pkey)
{
	uint8_t follows = crypto_key_type(pkey) == CKK_EC ? crypto_curve_halves_agree(crypto, pkey)
	                                                  : is_consistent(crypto, pkey);

	spoil(&follows);
	ERR_clear_error();
	return follows;
}

/* FIPS 140-3 IG 10.3.A wants a signature of a key that signs. Elsewhere the public point of a curve
 * is computed anew (SP 800-56A rev. 3, 5.6.2.1.4): a sixth of the work, and it misses nothing. */
static bool pair_is_consistent(struct crypto *crypto, const struct config *config, EVP_PKEY *pkey)
{
	if (crypto_key_type(pkey) == CKK_EC && config && !config->algorithms.fips_approved_only)
		return keygen_public_follows(crypto, pkey);
	return keygen_halves_agree(crypto, pkey);
}

enum err keygen_pairwise_test(struct crypto *crypto, const struct config *config, EVP_PKEY *pkey)
{
	if (pair_is_consistent(crypto, config, pkey))
		return ERROR_NONE;
	if (crypto->state)
		state_fail(crypto->state, "pairwise consistency test failed (%s)",
		           EVP_PKEY_get0_type_name(pkey));
	return ERROR_CRYPTO;
}

/* Only of this key, if the template gave one. */
static enum err put_info(struct attributes *set, struct wire_bytes info)
{
	struct wire_bytes given = attributes_bytes(set, CKA_PUBLIC_KEY_INFO);

	if (given.len)
		return wire_bytes_equal(given, info) ? ERROR_NONE : ERROR_TEMPLATE_INCONSISTENT;
	return attributes_set_bytes(set, CKA_PUBLIC_KEY_INFO, info.data, info.len);
}

/* CKA_PUBLIC_KEY_INFO of both halves while the key is at hand: template_complete would have to make
 * it again. */
static enum err put_public_key_info(EVP_PKEY *pkey, struct attributes *public_set,
                                    struct attributes *private_set)
{
	__attribute__((cleanup(wire_buffer_free))) struct wire_buffer der = {0};
	enum err err;

	wire_buffer_init(&der, PUBLIC_KEY_INFO_MAX, NULL);
	err = crypto_key_spki(pkey, &der);
	if (!err)
		err = put_info(public_set, (struct wire_bytes){der.data, der.len});
	return err ? err : put_info(private_set, (struct wire_bytes){der.data, der.len});
}

enum err keygen_pair(struct crypto *crypto, const struct config *config,
                     const struct mechanism *mechanism, const struct wire_mechanism *parameter,
                     struct attributes *public_set, struct attributes *private_set)
{
	pkey_auto pkey = NULL;
	struct wire_bytes params;
	enum err err;

	err = check_generate(mechanism, parameter, CKF_GENERATE_KEY_PAIR);
	if (!err)
		err = mechanism->key->generate_pair(crypto, mechanism, public_set, &pkey);
	if (!err)
		err = keygen_pairwise_test(crypto, config, pkey);
	if (!err)
		err = crypto_key_public_attributes(pkey, public_set);
	params = attributes_bytes(public_set, CKA_EC_PARAMS);
	if (!err && params.len)
		err = attributes_set_bytes(private_set, CKA_EC_PARAMS, params.data, params.len);
	if (!err)
		err = crypto_key_private_attributes(pkey, private_set);
	return err ? err : put_public_key_info(pkey, public_set, private_set);
}

static enum err check_derivation(struct crypto *crypto, const struct derivation *derivation)
{
	const struct mechanism *mechanism = derivation->mechanism;
	enum wire_shape shape;
	enum err err;

	if (!mechanism->key || !mechanism->key->derive ||
	    !wire_mechanism_shape(mechanism->type, &shape) ||
	    derivation->parameter->type != mechanism->type)
		return ERROR_MECHANISM;
	err = crypto_key_fits(crypto, mechanism, derivation->base, HALF_PRIVATE);
	if (!err && !wire_shape_fits(shape, derivation->parameter->shape))
		err = ERROR_MECHANISM_PARAMETER;
	return err;
}

enum err keygen_derive(struct crypto *crypto, const struct derivation *derivation,
                       struct attributes *set)
{
	enum err err = check_derivation(crypto, derivation);

	if (!err)
		err = keygen_check_inherited(derivation, set);
	return err ? err : derivation->mechanism->key->derive(crypto, derivation, set);
}

bool keygen_other_key(const struct mechanism *mechanism, const struct wire_mechanism *parameter,
                      uint64_t *handle)
{
	enum wire_shape shape;

	return mechanism->key && mechanism->key->other_key &&
	       wire_mechanism_shape(mechanism->type, &shape) && parameter->shape == shape &&
	       mechanism->key->other_key(parameter, handle);
}

bool keygen_makes_data(const struct mechanism *mechanism)
{
	return mechanism->key && mechanism->key->makes_data;
}

bool keygen_is_slow(const struct mechanism *mechanism)
{
	return mechanism->key && mechanism->key->slow;
}
