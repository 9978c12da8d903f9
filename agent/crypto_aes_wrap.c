/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES key wrapping: RFC 3394 and, with padding, RFC 5649. The whole key goes in at once; a damaged
 * one gives nothing. Which keys may be wrapped is not decided here.
 */
#include <string.h>

#include "crypto_key.h"
#include "crypto_methods.h"

#define HALF_BLOCK      8u
#define WRAP_IV_LEN     8u
#define WRAP_PAD_IV_LEN 4u

struct key_wrap {
	bool has_iv; /* else the RFC's default */
	uint8_t iv[WRAP_IV_LEN];
};

static enum err start(struct operation *operation, const struct wire_mechanism *parameter)
{
	struct key_wrap *wrap = operation->state;
	size_t iv_len = operation->mechanism->padding ? WRAP_PAD_IV_LEN : WRAP_IV_LEN;
	struct wire_initialization_vector_parameter record;

	if (!wire_decode_initialization_vector_parameter(parameter->parameter, &record) ||
	    (record.iv.len && record.iv.len != iv_len))
		return ERROR_MECHANISM_PARAMETER;
	wrap->has_iv = record.iv.len;
	if (wrap->has_iv)
		memcpy(wrap->iv, record.iv.data, record.iv.len);
	operation->bound_only =
		operation->mechanism->padding && operation->kind == OPERATION_DECRYPT;
	return ERROR_NONE;
}

/* RFC 3394 takes two halves of a block or more, RFC 5649 any octet or more. */
static enum err check_length(const struct operation *operation, size_t len)
{
	bool padded = operation->mechanism->padding;

	if (operation->kind == OPERATION_DECRYPT)
		return len % HALF_BLOCK || len < (padded ? 2 : 3) * HALF_BLOCK
		               ? ERROR_ENCRYPTED_DATA_LENGTH
		               : ERROR_NONE;
	if (padded)
		return len ? ERROR_NONE : ERROR_DATA_LENGTH;
	return len % HALF_BLOCK || len < 2 * HALF_BLOCK ? ERROR_DATA_LENGTH : ERROR_NONE;
}

static bool run(struct operation *operation, EVP_CIPHER_CTX *context, struct wire_bytes data,
                uint8_t *out, int *len)
{
	struct key_wrap *wrap = operation->state;
	struct wire_bytes key = crypto_key_secret(operation->key);
	const EVP_CIPHER *cipher =
		crypto_cipher(operation->crypto, operation->mechanism->cipher, key.len);

	EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	return EVP_CipherInit_ex2(context, cipher, key.data, wrap->has_iv ? wrap->iv : NULL,
	                          operation->kind == OPERATION_ENCRYPT, NULL) &&
	       EVP_CipherUpdate(context, out, len, data.data, (int)data.len) && *len > 0;
}

static enum err produce(struct operation *operation, struct wire_bytes data, uint8_t *out,
                        size_t *out_len)
{
	EVP_CIPHER_CTX *context;
	enum err err;
	int len = 0;

	err = check_length(operation, data.len);
	if (err)
		return err;
	context = EVP_CIPHER_CTX_new();
	if (!context)
		return ERROR_MEMORY;
	if (run(operation, context, data, out, &len))
		*out_len = (size_t)len;
	else
		err = operation->kind == OPERATION_DECRYPT ? ERROR_ENCRYPTED_DATA : ERROR_CRYPTO;
	EVP_CIPHER_CTX_free(context);
	return err;
}

/* RFC 5649 has up to 7 octets of padding that only decryption finds. OpenSSL's decryption writes
 * no more than this either. */
static size_t output_max(const struct operation *operation, size_t data_len,
                         enum operation_step step)
{
	(void)step;
	if (operation->kind == OPERATION_DECRYPT)
		return data_len < HALF_BLOCK ? 0 : data_len - HALF_BLOCK;
	return (data_len + HALF_BLOCK - 1) / HALF_BLOCK * HALF_BLOCK + HALF_BLOCK;
}

const struct operation_methods crypto_aes_wrap_methods = {
	.state_len = sizeof(struct key_wrap),
	.start = start,
	.produce = produce,
	.output_max = output_max,
};
