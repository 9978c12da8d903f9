/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of ML-KEM, ML-DSA and SLH-DSA: generated for the parameter set that the template names, and
 * the shared secrets of ML-KEM.
 */
#include "crypto_key.h"
#include "crypto_pqc.h"
#include "keygen.h"
#include "slots.h"

static enum err generate_pair(struct crypto *crypto, const struct mechanism *mechanism,
                              const struct attributes *public_set, EVP_PKEY **pkey)
{
	uint64_t number =
		attributes_number(public_set, CKA_PARAMETER_SET, CK_UNAVAILABLE_INFORMATION);
	const struct crypto_parameter_set *parameter_set;
	EVP_PKEY_CTX *context;
	enum err err = ERROR_CRYPTO;

	if (number == CK_UNAVAILABLE_INFORMATION)
		return ERROR_TEMPLATE_INCOMPLETE;
	parameter_set = crypto_pqc_set(mechanism->key_type, number);
	if (!parameter_set)
		return ERROR_ATTRIBUTE_VALUE;
	context = EVP_PKEY_CTX_new_from_name(crypto->library, parameter_set->name,
	                                     crypto->properties);
	if (context && EVP_PKEY_keygen_init(context) > 0 && EVP_PKEY_generate(context, pkey) > 0)
		err = ERROR_NONE;
	else
		crypto_log_errors("post-quantum key generation");
	EVP_PKEY_CTX_free(context);
	return err;
}

/* The key's EVP_PKEY, when mechanism, parameter and key fit each other. */
static enum err check(struct crypto *crypto, const struct mechanism *mechanism,
                      const struct wire_mechanism *parameter, struct object *key,
                      enum crypto_half half, EVP_PKEY **pkey)
{
	enum err err;

	if (!(mechanism->functions & (half == HALF_PUBLIC ? CKF_ENCAPSULATE : CKF_DECAPSULATE)) ||
	    parameter->type != mechanism->type)
		return ERROR_MECHANISM;
	err = crypto_key_fits(crypto, mechanism, key, half);
	if (!err && parameter->shape != WIRE_SHAPE_none)
		err = ERROR_MECHANISM_PARAMETER;
	return err ? err : crypto_key_get(crypto, key, pkey);
}

/* The secret becomes the key, before anything is made for nothing. */
static enum err check_len(const struct attributes *set)
{
	size_t len;

	return keygen_derived_len(set, CRYPTO_KEM_SECRET_LEN, CRYPTO_KEM_SECRET_LEN, &len);
}

enum err keygen_encapsulate(struct crypto *crypto, const struct mechanism *mechanism,
                            const struct wire_mechanism *parameter, struct object *public_key,
                            struct wire_buffer *cipher, struct attributes *set)
{
	uint8_t *secret;
	EVP_PKEY *pkey;
	enum err err = check(crypto, mechanism, parameter, public_key, HALF_PUBLIC, &pkey);

	if (!err)
		err = check_len(set);
	if (err)
		return err;
	secret = slots_allocate(CRYPTO_KEM_SECRET_LEN);
	if (!secret)
		return ERROR_MEMORY;
	err = crypto_kem_encapsulate(crypto, pkey, cipher, secret);
	if (!err)
		err = keygen_put_derived(set, (struct wire_bytes){secret, CRYPTO_KEM_SECRET_LEN},
		                         CRYPTO_KEM_SECRET_LEN);
	slots_release(secret);
	return err;
}

enum err keygen_decapsulate(struct crypto *crypto, const struct mechanism *mechanism,
                            const struct wire_mechanism *parameter, struct object *private_key,
                            struct wire_bytes cipher, struct attributes *set)
{
	uint8_t *secret;
	EVP_PKEY *pkey;
	enum err err = check(crypto, mechanism, parameter, private_key, HALF_PRIVATE, &pkey);

	if (!err)
		err = check_len(set);
	if (err)
		return err;
	secret = slots_allocate(CRYPTO_KEM_SECRET_LEN);
	if (!secret)
		return ERROR_MEMORY;
	err = crypto_kem_decapsulate(crypto, pkey, cipher, secret);
	if (err == ERROR_ENCRYPTED_DATA_LENGTH)
		err = ERROR_WRAPPED_KEY_LENGTH;
	if (!err)
		err = keygen_put_derived(set, (struct wire_bytes){secret, CRYPTO_KEM_SECRET_LEN},
		                         CRYPTO_KEM_SECRET_LEN);
	slots_release(secret);
	return err;
}

size_t keygen_encapsulated_len(const struct object *public_key)
{
	const struct crypto_parameter_set *parameter_set = crypto_pqc_set(
		public_key->key_type, attributes_number(&public_key->attributes, CKA_PARAMETER_SET,
	                                                CK_UNAVAILABLE_INFORMATION));

	return parameter_set && parameter_set->key_type == CKK_ML_KEM ? parameter_set->output_len
	                                                              : 0;
}

const struct key_methods keygen_lattice_methods = {.generate_pair = generate_pair};
const struct key_methods keygen_slh_dsa_methods = {.generate_pair = generate_pair, .slow = true};
