/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RSA: PKCS#1 v1.5 and PSS signatures, PKCS#1 v1.5 and OAEP encryption, and both without padding.
 * The message comes hashed or raw (operation.c); here are the limits of lengths, the parameters,
 * and OpenSSL's calls.
 */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <string.h>

#include "crypto_kept.h"
#include "crypto_key.h"
#include "crypto_methods.h"
#include "slots.h"

#define PKCS1_OVERHEAD 11u
#define PARAMS_MAX     6u

struct rsa {
	EVP_PKEY *pkey; /* borrowed from the key */
	size_t len;     /* octets of the modulus */
	enum wire_shape shape;
	enum crypto_digest hash, mgf;
	int salt_len;
	struct wire_buffer label;
	uint8_t *block; /* CKM_RSA_X_509: the message with zeros before it */
};

typedef EVP_PKEY_CTX *rsa_context;

static void free_context(rsa_context *context)
{
	EVP_PKEY_CTX_free(*context);
}
#define context_auto __attribute__((cleanup(free_context))) rsa_context

/* OpenSSL only reads it, whatever its parameters' type says. */
static OSSL_PARAM text_param(const char *key, const char *text)
{
	return OSSL_PARAM_construct_utf8_string(key, (char *)text, 0);
}

static size_t digest_len(const struct operation *operation, enum crypto_digest digest)
{
	return (size_t)EVP_MD_get_size(crypto_md(operation->crypto, digest));
}

static enum err take_key(struct operation *operation, const struct wire_mechanism *parameter)
{
	struct rsa *rsa = operation->state;
	enum err err = crypto_key_get(operation->crypto, operation->key, &rsa->pkey);

	if (err)
		return err;
	rsa->shape = parameter->shape;
	rsa->len = (size_t)EVP_PKEY_get_size(rsa->pkey);
	return ERROR_NONE;
}

/* What OpenSSL calls the padding. */
static const char *pad_mode(const struct operation *operation)
{
	const struct rsa *rsa = operation->state;

	if (operation->mechanism->type == CKM_RSA_X_509)
		return OSSL_PKEY_RSA_PAD_MODE_NONE;
	if (rsa->shape == WIRE_SHAPE_pss)
		return OSSL_PKEY_RSA_PAD_MODE_PSS;
	return rsa->shape == WIRE_SHAPE_oaep ? OSSL_PKEY_RSA_PAD_MODE_OAEP
	                                     : OSSL_PKEY_RSA_PAD_MODE_PKCSV15;
}

/* CKM_RSA_X_509 takes up to a modulus' length and puts zeros before what is shorter; OpenSSL wants
 * all of it. */
static enum err fill_block(struct operation *operation, struct wire_bytes *message)
{
	struct rsa *rsa = operation->state;

	if (operation->mechanism->type != CKM_RSA_X_509 || message->len >= rsa->len)
		return ERROR_NONE;
	if (!rsa->block)
		rsa->block = slots_allocate(rsa->len);
	if (!rsa->block)
		return ERROR_MEMORY;
	memset(rsa->block, 0, rsa->len - message->len);
	if (message->len)
		memcpy(rsa->block + rsa->len - message->len, message->data, message->len);
	*message = (struct wire_bytes){rsa->block, rsa->len};
	return ERROR_NONE;
}

static void stop(struct operation *operation)
{
	struct rsa *rsa = operation->state;

	slots_release(rsa->block);
	wire_buffer_free(&rsa->label);
}

/* ---- signatures ---- */

/* Hash and mask generation agree with each other and with the mechanism, and the salt fits (RFC
 * 8017 §9.1.1). */
static enum err read_pss(struct operation *operation, const struct wire_mechanism *parameter)
{
	struct rsa *rsa = operation->state;
	const struct mechanism *mechanism = operation->mechanism;
	struct wire_pss_parameter record;
	size_t encoded_len, taken;

	if (!wire_decode_pss_parameter(parameter->parameter, &record))
		return ERROR_MECHANISM_PARAMETER;
	rsa->hash = mechanism_digest(record.hash);
	rsa->mgf = mechanism_mgf(record.mgf);
	if (rsa->hash == DIGEST_NONE || rsa->mgf != rsa->hash ||
	    (mechanism->digest != DIGEST_NONE && mechanism->digest != rsa->hash))
		return ERROR_MECHANISM_PARAMETER;
	if (rsa->hash == DIGEST_SHA1 && operation->kind == OPERATION_SIGN &&
	    !(mechanism->needs & NEEDS_SHA1_SIGNING))
		return ERROR_MECHANISM_PARAMETER;
	encoded_len = ((size_t)EVP_PKEY_get_bits(rsa->pkey) + 6) / 8;
	taken = digest_len(operation, rsa->hash) + 2;
	if (encoded_len < taken || record.salt_len > encoded_len - taken)
		return ERROR_MECHANISM_PARAMETER;
	rsa->salt_len = (int)record.salt_len;
	return ERROR_NONE;
}

static enum err signature_start(struct operation *operation, const struct wire_mechanism *parameter)
{
	struct rsa *rsa = operation->state;
	enum err err = take_key(operation, parameter);

	if (err)
		return err;
	if (rsa->shape == WIRE_SHAPE_pss)
		return read_pss(operation, parameter);
	rsa->hash = operation->mechanism->digest;
	operation->bound_only = operation->kind == OPERATION_VERIFY_RECOVER;
	return ERROR_NONE;
}

static const OSSL_PARAM *signature_params(const struct operation *operation,
                                          OSSL_PARAM params[PARAMS_MAX])
{
	struct rsa *rsa = operation->state;
	bool pss = rsa->shape == WIRE_SHAPE_pss;
	OSSL_PARAM *next = params;

	if (rsa->hash != DIGEST_NONE)
		*next++ = text_param(OSSL_SIGNATURE_PARAM_DIGEST, crypto_digest_name(rsa->hash));
	*next++ = text_param(OSSL_SIGNATURE_PARAM_PAD_MODE, pad_mode(operation));
	if (pss) {
		*next++ =
			text_param(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, crypto_digest_name(rsa->mgf));
		*next++ =
			OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, &rsa->salt_len);
	}
	*next = OSSL_PARAM_construct_end();
	return params;
}

/* A message that is not hashed here: at most k - 11 octets, or k without padding, or for PSS just a
 * hash. */
static enum err check_message(struct operation *operation, struct wire_bytes *message)
{
	const struct rsa *rsa = operation->state;
	bool raw = operation->mechanism->type == CKM_RSA_X_509;

	if (rsa->shape == WIRE_SHAPE_pss)
		return message->len == digest_len(operation, rsa->hash) ? ERROR_NONE
		                                                        : ERROR_DATA_LENGTH;
	if (message->len > rsa->len - (raw ? 0 : PKCS1_OVERHEAD))
		return ERROR_DATA_LENGTH;
	return fill_block(operation, message);
}

static EVP_PKEY_CTX *new_context(const struct operation *operation)
{
	const struct rsa *rsa = operation->state;

	return EVP_PKEY_CTX_new_from_pkey(operation->crypto->library, rsa->pkey,
	                                  operation->crypto->properties);
}

/* All that a context remembers of the parameter. */
static uint64_t detail_of(const struct rsa *rsa)
{
	return (uint64_t)rsa->salt_len << 16 | (uint64_t)rsa->hash << 8 | (uint64_t)rsa->mgf;
}

static enum err sign(struct operation *operation, struct wire_bytes message, uint8_t *out,
                     size_t *out_len)
{
	struct rsa *rsa = operation->state;
	OSSL_PARAM params[PARAMS_MAX];
	struct crypto_kept *kept;
	EVP_PKEY_CTX *context;
	size_t len = rsa->len;
	enum err err;
	bool good;

	err = check_message(operation, &message);
	if (err)
		return err;
	kept = crypto_kept_take(operation, detail_of(rsa));
	context = crypto_kept_pkey(kept, operation, rsa->pkey, signature_params(operation, params));
	good = context && EVP_PKEY_sign(context, out, &len, message.data, message.len) > 0;
	crypto_kept_put(operation, kept, good);
	if (!good)
		return operation->mechanism->type == CKM_RSA_X_509 ? ERROR_DATA : ERROR_CRYPTO;
	*out_len = len;
	return ERROR_NONE;
}

static enum err verify(struct operation *operation, struct wire_bytes message,
                       struct wire_bytes signature)
{
	struct rsa *rsa = operation->state;
	OSSL_PARAM params[PARAMS_MAX];
	struct crypto_kept *kept;
	EVP_PKEY_CTX *context;
	enum err err;

	err = check_message(operation, &message);
	if (err)
		return err;
	if (signature.len != rsa->len)
		return ERROR_SIGNATURE_LENGTH;
	kept = crypto_kept_take(operation, detail_of(rsa));
	context = crypto_kept_pkey(kept, operation, rsa->pkey, signature_params(operation, params));
	err = ERROR_CRYPTO;
	if (context)
		err = EVP_PKEY_verify(context, signature.data, signature.len, message.data,
		                      message.len) == 1
		              ? ERROR_NONE
		              : ERROR_SIGNATURE;
	crypto_kept_put(operation, kept, context);
	return err;
}

/* Out of the signature comes what was signed; without padding that is a whole modulus' length. */
static enum err recover(struct operation *operation, struct wire_bytes signature, uint8_t *out,
                        size_t *out_len)
{
	struct rsa *rsa = operation->state;
	context_auto context = NULL;
	OSSL_PARAM params[PARAMS_MAX];
	size_t len = rsa->len;

	if (signature.len != rsa->len)
		return ERROR_SIGNATURE_LENGTH;
	context = new_context(operation);
	if (!context ||
	    EVP_PKEY_verify_recover_init_ex(context, signature_params(operation, params)) <= 0)
		return ERROR_CRYPTO;
	if (EVP_PKEY_verify_recover(context, out, &len, signature.data, signature.len) <= 0)
		return ERROR_SIGNATURE;
	*out_len = len;
	return ERROR_NONE;
}

static enum err signature_produce(struct operation *operation, struct wire_bytes message,
                                  uint8_t *out, size_t *out_len)
{
	if (operation->kind == OPERATION_VERIFY_RECOVER)
		return recover(operation, message, out, out_len);
	return sign(operation, message, out, out_len);
}

static size_t signature_max(const struct operation *operation, size_t data_len,
                            enum operation_step step)
{
	const struct rsa *rsa = operation->state;

	(void)data_len;
	(void)step;
	return rsa->len;
}

/* ---- encryption ---- */

/* The two hashes may differ: Java's OAEP has MGF1 with SHA-1 beside any hash. */
static enum err read_oaep(struct operation *operation, const struct wire_mechanism *parameter)
{
	struct rsa *rsa = operation->state;
	struct wire_oaep_parameter record;

	if (!wire_decode_oaep_parameter(parameter->parameter, &record))
		return ERROR_MECHANISM_PARAMETER;
	rsa->hash = mechanism_digest(record.hash);
	rsa->mgf = mechanism_mgf(record.mgf);
	if (rsa->hash == DIGEST_NONE || rsa->mgf == DIGEST_NONE)
		return ERROR_MECHANISM_PARAMETER;
	if (record.source != CKZ_DATA_SPECIFIED && (record.source || record.label.len))
		return ERROR_MECHANISM_PARAMETER;
	wire_put_raw(&rsa->label, record.label.data, record.label.len);
	return rsa->label.failed ? ERROR_MEMORY : ERROR_NONE;
}

static enum err encryption_start(struct operation *operation,
                                 const struct wire_mechanism *parameter)
{
	struct rsa *rsa = operation->state;
	enum err err = take_key(operation, parameter);

	wire_buffer_init(&rsa->label, WIRE_CONTROL_LIMIT, NULL);
	operation->bound_only = operation->kind == OPERATION_DECRYPT;
	if (!err && rsa->shape == WIRE_SHAPE_oaep)
		err = read_oaep(operation, parameter);
	return err;
}

static const OSSL_PARAM *encryption_params(const struct operation *operation,
                                           OSSL_PARAM params[PARAMS_MAX])
{
	struct rsa *rsa = operation->state;
	bool oaep = rsa->shape == WIRE_SHAPE_oaep;
	OSSL_PARAM *next = params;

	*next++ = text_param(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, pad_mode(operation));
	if (oaep) {
		*next++ = text_param(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST,
		                     crypto_digest_name(rsa->hash));
		*next++ = text_param(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST,
		                     crypto_digest_name(rsa->mgf));
		if (rsa->label.len)
			*next++ = OSSL_PARAM_construct_octet_string(
				OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL, rsa->label.data, rsa->label.len);
	}
	*next = OSSL_PARAM_construct_end();
	return params;
}

/* The longest plaintext; false when the key is too short for any (OAEP with a long hash). */
static bool plain_max(const struct operation *operation, size_t *max)
{
	const struct rsa *rsa = operation->state;
	size_t overhead = PKCS1_OVERHEAD;

	if (operation->mechanism->type == CKM_RSA_X_509)
		overhead = 0;
	if (rsa->shape == WIRE_SHAPE_oaep)
		overhead = 2 * digest_len(operation, rsa->hash) + 2;
	if (rsa->len < overhead)
		return false;
	*max = rsa->len - overhead;
	return true;
}

static enum err encrypt(struct operation *operation, struct wire_bytes message, uint8_t *out,
                        size_t *out_len)
{
	struct rsa *rsa = operation->state;
	context_auto context = NULL;
	OSSL_PARAM params[PARAMS_MAX];
	size_t len = rsa->len, max;
	enum err err;

	if (!plain_max(operation, &max) || message.len > max)
		return ERROR_DATA_LENGTH;
	err = fill_block(operation, &message);
	if (err)
		return err;
	context = new_context(operation);
	if (!context ||
	    EVP_PKEY_encrypt_init_ex(context, encryption_params(operation, params)) <= 0 ||
	    EVP_PKEY_encrypt(context, out, &len, message.data ? message.data : out, message.len) <=
	            0)
		return operation->mechanism->type == CKM_RSA_X_509 ? ERROR_DATA : ERROR_CRYPTO;
	*out_len = len;
	return ERROR_NONE;
}

/* One way for every failure, no log line and nothing that depends on its cause: who can tell bad
 * padding from good has the plaintext. */
static enum err decrypt(struct operation *operation, struct wire_bytes message, uint8_t *out,
                        size_t *out_len)
{
	struct rsa *rsa = operation->state;
	context_auto context = NULL;
	OSSL_PARAM params[PARAMS_MAX];
	size_t len = rsa->len;
	int good;

	if (message.len != rsa->len)
		return ERROR_ENCRYPTED_DATA_LENGTH;
	context = new_context(operation);
	if (!context ||
	    EVP_PKEY_decrypt_init_ex(context, encryption_params(operation, params)) <= 0)
		return ERROR_CRYPTO;
	ERR_set_mark();
	good = EVP_PKEY_decrypt(context, out, &len, message.data, message.len);
	ERR_pop_to_mark();
	*out_len = good > 0 ? len : 0;
	return good > 0 ? ERROR_NONE : ERROR_ENCRYPTED_DATA;
}

static enum err encryption_produce(struct operation *operation, struct wire_bytes message,
                                   uint8_t *out, size_t *out_len)
{
	if (operation->kind == OPERATION_DECRYPT)
		return decrypt(operation, message, out, out_len);
	return encrypt(operation, message, out, out_len);
}

/* OpenSSL asks for room for a whole modulus even when it gives less. */
static size_t encryption_max(const struct operation *operation, size_t data_len,
                             enum operation_step step)
{
	const struct rsa *rsa = operation->state;

	(void)data_len;
	(void)step;
	return rsa->len;
}

const struct operation_methods crypto_rsa_signature_methods = {
	.state_len = sizeof(struct rsa),
	.start = signature_start,
	.produce = signature_produce,
	.verify = verify,
	.output_max = signature_max,
	.stop = stop,
};

const struct operation_methods crypto_rsa_encryption_methods = {
	.state_len = sizeof(struct rsa),
	.start = encryption_start,
	.produce = encryption_produce,
	.output_max = encryption_max,
	.stop = stop,
};
