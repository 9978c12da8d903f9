/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES in ECB, CBC, CBC with PKCS#7 padding, CTR, OFB and CFB. Knows how many octets each step
 * gives, so that nothing is processed before it is clear that it fits. The other modes have files
 * of their own.
 */
#include <string.h>

#include "crypto_kept.h"
#include "crypto_methods.h"

#define BLOCK_LEN 16u

struct aes {
	struct crypto_kept *kept;
	EVP_CIPHER_CTX *context; /* its; NULL: it could not be made ready */
	uint8_t iv[BLOCK_LEN];
	bool has_iv;
	bool used;      /* needs the IV again before a one-shot */
	size_t pending; /* octets inside OpenSSL, waiting for their block to be complete */
	uint64_t left;  /* CTR: octets until the counter has no value left */
};

static enum err length_error(const struct operation *operation)
{
	return operation->kind == OPERATION_DECRYPT ? ERROR_ENCRYPTED_DATA_LENGTH
	                                            : ERROR_DATA_LENGTH;
}

/* The modes that make a stream of AES have no blocks of their own. */
static bool streams(const struct operation *operation)
{
	switch (operation->mechanism->cipher) {
	case CIPHER_AES_CTR:
	case CIPHER_AES_OFB:
	case CIPHER_AES_CFB8:
	case CIPHER_AES_CFB128:
		return true;
	default:
		return false;
	}
}

/* With padding, decryption keeps the last block back until it is known to be the last. */
static bool keeps_last_block(const struct operation *operation)
{
	return operation->mechanism->padding && operation->kind == OPERATION_DECRYPT;
}

static enum err read_iv(const struct wire_mechanism *parameter, struct aes *aes)
{
	struct wire_initialization_vector_parameter record;

	if (!wire_decode_initialization_vector_parameter(parameter->parameter, &record) ||
	    record.iv.len != BLOCK_LEN)
		return ERROR_MECHANISM_PARAMETER;
	memcpy(aes->iv, record.iv.data, BLOCK_LEN);
	return ERROR_NONE;
}

/*
 * The counter is the low `bits` of the block. PKCS#11 v3.0 §6.13.3: data that would make it
 * overflow are refused, so 2^bits - counter blocks may be processed.
 */
static uint64_t counter_octets(const uint8_t block[BLOCK_LEN], uint64_t bits)
{
	const uint64_t unlimited = UINT64_MAX;
	uint64_t blocks = 0;

	for (unsigned int i = 0; i < BLOCK_LEN; i++) {
		unsigned int above = (BLOCK_LEN - 1 - i) * 8; /* bits to the right of this octet */
		uint8_t mask = bits >= above + 8 ? 0xff
		               : bits > above    ? (uint8_t)((1u << (bits - above)) - 1)
		                                 : 0;
		uint8_t rest = (uint8_t)~block[i] & mask;

		if (rest && above >= 56)
			return unlimited;
		blocks = blocks << 8 | rest;
	}
	return (blocks + 1) * BLOCK_LEN;
}

static enum err read_counter(const struct wire_mechanism *parameter, struct aes *aes)
{
	struct wire_counter_parameter record;

	if (!wire_decode_counter_parameter(parameter->parameter, &record) ||
	    record.block.len != BLOCK_LEN || !record.counter_bits ||
	    record.counter_bits > 8 * BLOCK_LEN)
		return ERROR_MECHANISM_PARAMETER;
	memcpy(aes->iv, record.block.data, BLOCK_LEN);
	aes->left = counter_octets(aes->iv, record.counter_bits);
	return ERROR_NONE;
}

static enum err read_parameter(const struct wire_mechanism *parameter, struct aes *aes)
{
	aes->left = UINT64_MAX;
	aes->has_iv = parameter->shape != WIRE_SHAPE_none;
	switch (parameter->shape) {
	case WIRE_SHAPE_none:
		return ERROR_NONE;
	case WIRE_SHAPE_counter:
		return read_counter(parameter, aes);
	default:
		return read_iv(parameter, aes);
	}
}

static enum err start(struct operation *operation, const struct wire_mechanism *parameter)
{
	struct aes *aes = operation->state;
	enum err err = read_parameter(parameter, aes);

	if (err)
		return err;
	operation->bound_only = keeps_last_block(operation);
	aes->kept = crypto_kept_take(operation, 0);
	aes->context = crypto_kept_cipher(aes->kept, operation, aes->has_iv ? aes->iv : NULL);
	if (!aes->kept)
		return ERROR_MEMORY;
	return aes->context ? ERROR_NONE : ERROR_CRYPTO;
}

/* Octets that leave when `len` more come in. */
static size_t flowing(const struct operation *operation, size_t len)
{
	const struct aes *aes = operation->state;
	size_t total = aes->pending + len;

	if (streams(operation))
		return len;
	if (keeps_last_block(operation))
		return total ? (total - 1) / BLOCK_LEN * BLOCK_LEN : 0;
	return total / BLOCK_LEN * BLOCK_LEN;
}

static enum err update(struct operation *operation, struct wire_bytes data, uint8_t *out,
                       size_t *out_len)
{
	struct aes *aes = operation->state;
	size_t expected = flowing(operation, data.len);
	int len = 0;

	if (data.len > aes->left)
		return ERROR_DATA_LENGTH;
	aes->used = true;
	if (data.len && !EVP_CipherUpdate(aes->context, out, &len, data.data, (int)data.len))
		return ERROR_CRYPTO;
	if ((size_t)len != expected)
		return ERROR_INTERNAL;
	if (aes->left != UINT64_MAX)
		aes->left -= data.len;
	aes->pending = aes->pending + data.len - expected;
	*out_len = expected;
	return ERROR_NONE;
}

/* Is the total length one that the mode can end with? */
static bool complete(const struct operation *operation)
{
	const struct aes *aes = operation->state;

	if (streams(operation))
		return true;
	if (operation->mechanism->padding)
		return operation->kind == OPERATION_ENCRYPT || aes->pending == BLOCK_LEN;
	return !aes->pending;
}

static enum err finish(struct operation *operation, uint8_t *out, size_t *out_len)
{
	struct aes *aes = operation->state;
	uint8_t last[2 * BLOCK_LEN];
	int len = 0;
	bool good;

	if (!complete(operation))
		return length_error(operation);
	good = EVP_CipherFinal_ex(aes->context, last, &len);
	if (good) {
		memcpy(out, last, (size_t)len);
		*out_len = (size_t)len;
	}
	wire_wipe(last, sizeof(last));
	if (!good && operation->kind == OPERATION_DECRYPT)
		return ERROR_ENCRYPTED_DATA;
	return good ? ERROR_NONE : ERROR_CRYPTO;
}

/* A one-shot begins at the IV, also when it is asked for again. */
static enum err rewind_iv(struct aes *aes)
{
	if (!aes->used)
		return ERROR_NONE;
	aes->pending = 0;
	return EVP_CipherInit_ex2(aes->context, NULL, NULL, aes->has_iv ? aes->iv : NULL, -1, NULL)
	               ? ERROR_NONE
	               : ERROR_CRYPTO;
}

static enum err produce(struct operation *operation, struct wire_bytes data, uint8_t *out,
                        size_t *out_len)
{
	size_t first = 0, last = 0;
	enum err err;

	err = rewind_iv(operation->state);
	if (!err)
		err = update(operation, data, out, &first);
	if (!err)
		err = finish(operation, out + first, &last);
	*out_len = first + last;
	return err;
}

static size_t output_max(const struct operation *operation, size_t data_len,
                         enum operation_step step)
{
	bool padded = operation->mechanism->padding;

	if (step == STEP_UPDATE)
		return flowing(operation, data_len);
	if (step == STEP_FINAL)
		return padded ? BLOCK_LEN : 0;
	if (padded && operation->kind == OPERATION_ENCRYPT)
		return (data_len / BLOCK_LEN + 1) * BLOCK_LEN;
	return data_len;
}

/*
 * CBC encryption: a block is read once, combined with the one before, which is in a register, and
 * its ciphertext written once (OpenSSL's portable code takes the one before out of the result; who
 * changes it there has what an IV of its own gives, too). With octets pending the result would lie
 * ahead of the data. It is worth it: the cipher waits for itself, not for the memory.
 */
static bool in_place(const struct operation *operation)
{
	const struct aes *aes = operation->state;

	return operation->kind == OPERATION_ENCRYPT &&
	       operation->mechanism->cipher == CIPHER_AES_CBC && !aes->pending;
}

static void stop(struct operation *operation)
{
	struct aes *aes = operation->state;

	crypto_kept_put(operation, aes->kept, aes->context);
}

const struct operation_methods crypto_aes_methods = {
	.state_len = sizeof(struct aes),
	.start = start,
	.produce = produce,
	.update = update,
	.finish = finish,
	.output_max = output_max,
	.in_place = in_place,
	.stop = stop,
};
