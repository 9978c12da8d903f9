/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Message authentication: HMAC, CMAC and GMAC, full or cut to a length that the parameter gives.
 * The context is keyed at start; the key itself is not copied elsewhere.
 */
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <string.h>

#include "crypto_key.h"
#include "crypto_methods.h"

#define CMAC_LEN 16u
#define GMAC_LEN 16u

struct mac {
	EVP_MAC_CTX *context;
	size_t out_len; /* what the caller wants of it */
};

static enum err read_length(const struct wire_mechanism *parameter, size_t mac_len, struct mac *mac)
{
	struct wire_number_parameter number;

	mac->out_len = mac_len;
	if (parameter->shape == WIRE_SHAPE_none)
		return ERROR_NONE;
	if (!wire_decode_number_parameter(parameter->parameter, &number) || !number.value ||
	    number.value > mac_len)
		return ERROR_MECHANISM_PARAMETER;
	mac->out_len = number.value;
	return ERROR_NONE;
}

static enum err set_key(struct operation *operation, EVP_MAC *algorithm, const OSSL_PARAM *params)
{
	struct mac *mac = operation->state;
	struct wire_bytes key = crypto_key_secret(operation->key);

	operation->gathers = false;
	mac->context = EVP_MAC_CTX_new(algorithm);
	if (!mac->context)
		return ERROR_MEMORY;
	return EVP_MAC_init(mac->context, key.data, key.len, params) ? ERROR_NONE : ERROR_CRYPTO;
}

static enum err start_hmac(struct operation *operation, const struct wire_mechanism *parameter)
{
	enum crypto_digest digest = operation->mechanism->digest;
	size_t mac_len = (size_t)EVP_MD_get_size(crypto_md(operation->crypto, digest));
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
	                                         (char *)crypto_digest_name(digest), 0),
		OSSL_PARAM_construct_end(),
	};
	enum err err = read_length(parameter, mac_len, operation->state);

	return err ? err : set_key(operation, operation->crypto->hmac, params);
}

/* The mode of AES that the algorithm is made of, by the key's length. */
static OSSL_PARAM cipher_param(const struct operation *operation, enum crypto_cipher cipher)
{
	size_t key_len = crypto_key_secret(operation->key).len;
	const EVP_CIPHER *mode = crypto_cipher(operation->crypto, cipher, key_len);

	return OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER,
	                                        (char *)(uintptr_t)EVP_CIPHER_get0_name(mode), 0);
}

static enum err start_cmac(struct operation *operation, const struct wire_mechanism *parameter)
{
	OSSL_PARAM params[] = {
		cipher_param(operation, CIPHER_AES_CBC),
		OSSL_PARAM_construct_end(),
	};
	enum err err = read_length(parameter, CMAC_LEN, operation->state);

	return err ? err : set_key(operation, operation->crypto->cmac, params);
}

/* What is authenticated comes as the message, so the parameter has none of it. */
static enum err start_gmac(struct operation *operation, const struct wire_mechanism *parameter)
{
	struct mac *mac = operation->state;
	struct wire_gcm_parameter record;
	OSSL_PARAM params[3];

	if (crypto_gcm_read(parameter, &record) || record.aad.len)
		return ERROR_MECHANISM_PARAMETER;
	mac->out_len = record.tag_bits / 8;
	params[0] = cipher_param(operation, CIPHER_AES_GCM);
	params[1] = OSSL_PARAM_construct_octet_string(
		OSSL_MAC_PARAM_IV, (void *)(uintptr_t)record.iv.data, record.iv.len);
	params[2] = OSSL_PARAM_construct_end();
	return set_key(operation, operation->crypto->gmac, params);
}

static enum err update(struct operation *operation, struct wire_bytes data, uint8_t *out,
                       size_t *out_len)
{
	struct mac *mac = operation->state;

	(void)out;
	(void)out_len;
	return EVP_MAC_update(mac->context, data.data, data.len) ? ERROR_NONE : ERROR_CRYPTO;
}

static enum err finish(struct operation *operation, uint8_t *out, size_t *out_len)
{
	struct mac *mac = operation->state;
	uint8_t whole[EVP_MAX_MD_SIZE];
	size_t whole_len;
	enum err err = ERROR_CRYPTO;

	if (EVP_MAC_final(mac->context, whole, &whole_len, sizeof(whole)) &&
	    whole_len >= mac->out_len) {
		memcpy(out, whole, mac->out_len);
		*out_len = mac->out_len;
		err = ERROR_NONE;
	}
	wire_wipe(whole, sizeof(whole));
	return err;
}

static size_t output_max(const struct operation *operation, size_t data_len,
                         enum operation_step step)
{
	const struct mac *mac = operation->state;

	(void)data_len;
	(void)step;
	return mac->out_len;
}

static void stop(struct operation *operation)
{
	struct mac *mac = operation->state;

	EVP_MAC_CTX_free(mac->context);
}

#define METHODS(begin)                                                                             \
	{                                                                                          \
		.state_len = sizeof(struct mac), .start = begin, .update = update,                 \
		.finish = finish, .output_max = output_max, .stop = stop,                          \
	}

const struct operation_methods crypto_hmac_methods = METHODS(start_hmac);
const struct operation_methods crypto_cmac_methods = METHODS(start_cmac);
const struct operation_methods crypto_gmac_methods = METHODS(start_gmac);
