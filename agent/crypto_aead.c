/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES-GCM and ChaCha20-Poly1305 with the caller's IV. Encryption streams. Decryption gathers the
 * ciphertext and opens it at the end, so that no octet of plaintext leaves before the tag is
 * verified. CCM, which must know all lengths before, is in crypto_ccm.c.
 */
#include "crypto_kept.h"
#include "crypto_key.h"
#include "crypto_methods.h"

#define GCM_IV_MAX    128u /* OpenSSL's limit */
#define IV_USUAL      12u
#define TAG_MAX       16u
#define TAG_USUAL_MIN 12u

struct aead {
	struct crypto_kept *kept; /* NULL: an IV of this length is too rare to keep a context */
	EVP_CIPHER_CTX *context;
	bool ready;
	size_t tag_len;
};

/* SP 800-38D §5.2.1.2: 96 to 128 bits; 32 and 64 for the applications that it allows. */
static bool tag_allowed(uint64_t bits)
{
	return bits == 32 || bits == 64 ||
	       (bits % 8 == 0 && bits >= 8 * TAG_USUAL_MIN && bits <= 8 * TAG_MAX);
}

enum err crypto_gcm_read(const struct wire_mechanism *parameter, struct wire_gcm_parameter *record)
{
	if (!wire_decode_gcm_parameter(parameter->parameter, record) || !record->iv.len ||
	    record->iv.len > GCM_IV_MAX || !tag_allowed(record->tag_bits))
		return ERROR_MECHANISM_PARAMETER;
	return ERROR_NONE;
}

/* RFC 8439: one length of nonce, one of tag. */
static enum err read_poly1305(const struct wire_mechanism *parameter,
                              struct wire_gcm_parameter *record)
{
	struct wire_poly1305_parameter given;

	if (!wire_decode_poly1305_parameter(parameter->parameter, &given) ||
	    given.nonce.len != IV_USUAL)
		return ERROR_MECHANISM_PARAMETER;
	*record = (struct wire_gcm_parameter){given.nonce, given.aad, 8 * TAG_MAX};
	return ERROR_NONE;
}

static bool with_usual_iv(struct operation *operation, const struct wire_gcm_parameter *record)
{
	struct aead *aead = operation->state;

	aead->kept = crypto_kept_take(operation, 0);
	aead->context = crypto_kept_cipher(aead->kept, operation, record->iv.data);
	return aead->context;
}

static bool with_other_iv(struct operation *operation, const struct wire_gcm_parameter *record)
{
	struct aead *aead = operation->state;
	struct wire_bytes key = crypto_key_secret(operation->key);
	const EVP_CIPHER *cipher =
		crypto_cipher(operation->crypto, operation->mechanism->cipher, key.len);
	int encrypt = operation->kind == OPERATION_ENCRYPT;

	aead->context = EVP_CIPHER_CTX_new();
	return aead->context &&
	       EVP_CipherInit_ex2(aead->context, cipher, NULL, NULL, encrypt, NULL) &&
	       EVP_CIPHER_CTX_ctrl(aead->context, EVP_CTRL_AEAD_SET_IVLEN, (int)record->iv.len,
	                           NULL) > 0 &&
	       EVP_CipherInit_ex2(aead->context, NULL, key.data, record->iv.data, encrypt, NULL);
}

static bool set_up(struct operation *operation, const struct wire_gcm_parameter *record)
{
	struct aead *aead = operation->state;
	bool usual = record->iv.len == IV_USUAL;
	int len;

	return (usual ? with_usual_iv(operation, record) : with_other_iv(operation, record)) &&
	       (!record->aad.len || EVP_CipherUpdate(aead->context, NULL, &len, record->aad.data,
	                                             (int)record->aad.len));
}

static enum err start(struct operation *operation, const struct wire_mechanism *parameter)
{
	struct aead *aead = operation->state;
	struct wire_gcm_parameter record;
	enum err err = parameter->shape == WIRE_SHAPE_poly1305
	                       ? read_poly1305(parameter, &record)
	                       : crypto_gcm_read(parameter, &record);

	if (err)
		return err;
	operation->gathers = operation->kind == OPERATION_DECRYPT;
	aead->tag_len = record.tag_bits / 8;
	aead->ready = set_up(operation, &record);
	return aead->ready ? ERROR_NONE : ERROR_CRYPTO;
}

static enum err update(struct operation *operation, struct wire_bytes data, uint8_t *out,
                       size_t *out_len)
{
	struct aead *aead = operation->state;
	int len = 0;

	if (data.len && !EVP_CipherUpdate(aead->context, out, &len, data.data, (int)data.len))
		return ERROR_CRYPTO;
	*out_len = (size_t)len;
	return ERROR_NONE;
}

static enum err finish(struct operation *operation, uint8_t *out, size_t *out_len)
{
	struct aead *aead = operation->state;
	uint8_t nothing[TAG_MAX];
	int len = 0;

	if (!EVP_CipherFinal_ex(aead->context, nothing, &len) ||
	    EVP_CIPHER_CTX_ctrl(aead->context, EVP_CTRL_AEAD_GET_TAG, (int)aead->tag_len, out) <= 0)
		return ERROR_CRYPTO;
	*out_len = aead->tag_len;
	return ERROR_NONE;
}

/* The caller wipes `out` when the tag is wrong. */
static enum err open_sealed(struct operation *operation, struct wire_bytes data, uint8_t *out,
                            size_t *out_len)
{
	struct aead *aead = operation->state;
	struct wire_bytes sealed = data;
	uint8_t nothing[TAG_MAX];
	int len = 0;
	enum err err;

	if (data.len < aead->tag_len)
		return ERROR_ENCRYPTED_DATA_LENGTH;
	sealed.len -= aead->tag_len;
	if (EVP_CIPHER_CTX_ctrl(aead->context, EVP_CTRL_AEAD_SET_TAG, (int)aead->tag_len,
	                        (void *)(data.data + sealed.len)) <= 0)
		return ERROR_CRYPTO;
	err = update(operation, sealed, out, out_len);
	if (!err && !EVP_CipherFinal_ex(aead->context, nothing, &len))
		err = ERROR_ENCRYPTED_DATA;
	return err;
}

static enum err seal(struct operation *operation, struct wire_bytes data, uint8_t *out,
                     size_t *out_len)
{
	size_t tag_len = 0;
	enum err err = update(operation, data, out, out_len);

	if (!err)
		err = finish(operation, out + *out_len, &tag_len);
	*out_len += tag_len;
	return err;
}

/* Runs once in an operation's life: the lengths are exact, so a small buffer is seen before. */
static enum err produce(struct operation *operation, struct wire_bytes data, uint8_t *out,
                        size_t *out_len)
{
	if (operation->kind == OPERATION_DECRYPT)
		return open_sealed(operation, data, out, out_len);
	return seal(operation, data, out, out_len);
}

static size_t output_max(const struct operation *operation, size_t data_len,
                         enum operation_step step)
{
	const struct aead *aead = operation->state;

	if (operation->kind == OPERATION_DECRYPT)
		return data_len < aead->tag_len ? 0 : data_len - aead->tag_len;
	if (step == STEP_UPDATE)
		return data_len;
	return (step == STEP_ONCE ? data_len : 0) + aead->tag_len;
}

static void stop(struct operation *operation)
{
	struct aead *aead = operation->state;

	if (!aead->kept)
		EVP_CIPHER_CTX_free(aead->context);
	crypto_kept_put(operation, aead->kept, aead->ready);
}

const struct operation_methods crypto_aead_methods = {
	.state_len = sizeof(struct aead),
	.start = start,
	.produce = produce,
	.update = update,
	.finish = finish,
	.output_max = output_max,
	.stop = stop,
};
