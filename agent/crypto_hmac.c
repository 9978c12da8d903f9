/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HMAC, full or cut to a length that the parameter gives. The context is keyed at start; the key
 * itself is not copied elsewhere.
 */
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <string.h>

#include "crypto_key.h"
#include "crypto_methods.h"

struct hmac {
	EVP_MAC_CTX *context;
	size_t mac_len;
	size_t out_len; /* what the caller wants of it */
};

static enum err read_length(const struct wire_mechanism *parameter, struct hmac *hmac)
{
	struct wire_number_parameter number;

	hmac->out_len = hmac->mac_len;
	if (parameter->shape == WIRE_SHAPE_none)
		return ERROR_NONE;
	if (!wire_decode_number_parameter(parameter->parameter, &number) || !number.value ||
	    number.value > hmac->mac_len)
		return ERROR_MECHANISM_PARAMETER;
	hmac->out_len = number.value;
	return ERROR_NONE;
}

static enum err start(struct operation *operation, const struct wire_mechanism *parameter)
{
	struct hmac *hmac = operation->state;
	enum crypto_digest digest = operation->mechanism->digest;
	struct wire_bytes key = crypto_key_secret(operation->key);
	OSSL_PARAM params[2];
	enum err err;

	operation->gathers = false;
	hmac->mac_len = (size_t)EVP_MD_get_size(crypto_md(operation->crypto, digest));
	err = read_length(parameter, hmac);
	if (err)
		return err;
	hmac->context = EVP_MAC_CTX_new(operation->crypto->hmac);
	if (!hmac->context)
		return ERROR_MEMORY;
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
	                                             (char *)crypto_digest_name(digest), 0);
	params[1] = OSSL_PARAM_construct_end();
	return EVP_MAC_init(hmac->context, key.data, key.len, params) ? ERROR_NONE : ERROR_CRYPTO;
}

static enum err update(struct operation *operation, struct wire_bytes data, uint8_t *out,
                       size_t *out_len)
{
	struct hmac *hmac = operation->state;

	(void)out;
	(void)out_len;
	return EVP_MAC_update(hmac->context, data.data, data.len) ? ERROR_NONE : ERROR_CRYPTO;
}

static enum err finish(struct operation *operation, uint8_t *out, size_t *out_len)
{
	struct hmac *hmac = operation->state;
	uint8_t mac[EVP_MAX_MD_SIZE];
	size_t mac_len;
	enum err err = ERROR_CRYPTO;

	if (EVP_MAC_final(hmac->context, mac, &mac_len, sizeof(mac)) && mac_len >= hmac->out_len) {
		memcpy(out, mac, hmac->out_len);
		*out_len = hmac->out_len;
		err = ERROR_NONE;
	}
	wire_wipe(mac, sizeof(mac));
	return err;
}

static size_t output_max(const struct operation *operation, size_t data_len,
                         enum operation_step step)
{
	const struct hmac *hmac = operation->state;

	(void)data_len;
	(void)step;
	return hmac->out_len;
}

static void stop(struct operation *operation)
{
	struct hmac *hmac = operation->state;

	EVP_MAC_CTX_free(hmac->context);
}

const struct operation_methods crypto_hmac_methods = {
	.state_len = sizeof(struct hmac),
	.start = start,
	.update = update,
	.finish = finish,
	.output_max = output_max,
	.stop = stop,
};
