/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The modes of AES that work on a whole message at once, of any length from a block up, and give as
 * many octets as they take: XTS, where it is a data unit and the parameter is its tweak, and CBC
 * with ciphertext stealing (CS1 of the addendum to SP 800-38A).
 */
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <string.h>

#include "crypto_key.h"
#include "crypto_methods.h"

#define BLOCK_LEN    16u
#define XTS_UNIT_MAX (16u << 20) /* SP 800-38E: 2^20 blocks */

struct unit {
	uint8_t iv[BLOCK_LEN];
};

static enum err start(struct operation *operation, const struct wire_mechanism *parameter)
{
	struct unit *unit = operation->state;
	struct wire_initialization_vector_parameter record;

	if (!wire_decode_initialization_vector_parameter(parameter->parameter, &record) ||
	    record.iv.len != BLOCK_LEN)
		return ERROR_MECHANISM_PARAMETER;
	memcpy(unit->iv, record.iv.data, BLOCK_LEN);
	return ERROR_NONE;
}

static bool length_fits(const struct operation *operation, size_t len)
{
	size_t max =
		operation->mechanism->cipher == CIPHER_AES_XTS ? XTS_UNIT_MAX : WIRE_DATA_LIMIT;

	return len >= BLOCK_LEN && len <= max;
}

static bool run(struct operation *operation, EVP_CIPHER_CTX *context, struct wire_bytes data,
                uint8_t *out, int *len)
{
	struct unit *unit = operation->state;
	struct wire_bytes key = crypto_key_secret(operation->key);
	enum crypto_cipher mode = operation->mechanism->cipher;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_CIPHER_PARAM_CTS_MODE,
	                                         (char *)(uintptr_t)OSSL_CIPHER_CTS_MODE_CS1, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_CipherInit_ex2(context, crypto_cipher(operation->crypto, mode, key.len),
	                          key.data, unit->iv, operation->kind == OPERATION_ENCRYPT,
	                          mode == CIPHER_AES_CTS ? params : NULL) &&
	       EVP_CipherUpdate(context, out, len, data.data, (int)data.len) &&
	       (size_t)*len == data.len;
}

static enum err produce(struct operation *operation, struct wire_bytes data, uint8_t *out,
                        size_t *out_len)
{
	EVP_CIPHER_CTX *context;
	int len = 0;
	bool good;

	if (!length_fits(operation, data.len))
		return operation->kind == OPERATION_DECRYPT ? ERROR_ENCRYPTED_DATA_LENGTH
		                                            : ERROR_DATA_LENGTH;
	context = EVP_CIPHER_CTX_new();
	if (!context)
		return ERROR_MEMORY;
	good = run(operation, context, data, out, &len);
	EVP_CIPHER_CTX_free(context);
	*out_len = data.len;
	return good ? ERROR_NONE : ERROR_CRYPTO;
}

static size_t output_max(const struct operation *operation, size_t data_len,
                         enum operation_step step)
{
	(void)operation;
	(void)step;
	return data_len;
}

const struct operation_methods crypto_aes_unit_methods = {
	.state_len = sizeof(struct unit),
	.start = start,
	.produce = produce,
	.output_max = output_max,
};
