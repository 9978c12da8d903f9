/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES-CCM (SP 800-38C, RFC 3610). The length of the data is part of what is encrypted, so the data
 * are gathered both ways and must have the length that the parameter announced.
 */
#include <string.h>

#include "crypto_key.h"
#include "crypto_methods.h"

#define NONCE_MIN 7u
#define NONCE_MAX 13u
#define TAG_MIN   4u
#define TAG_MAX   16u

struct ccm {
	uint8_t nonce[NONCE_MAX];
	size_t nonce_len, tag_len;
	uint64_t data_len; /* of the plaintext */
	struct wire_buffer aad;
};

/* The length is written in the 15 - nonce_len octets that the nonce leaves. */
static bool length_fits(uint64_t len, size_t nonce_len)
{
	size_t octets = 15 - nonce_len;

	return len <= WIRE_DATA_LIMIT && (octets > 7 || len >> (8 * octets) == 0);
}

static enum err start(struct operation *operation, const struct wire_mechanism *parameter)
{
	struct ccm *ccm = operation->state;
	struct wire_ccm_parameter record;

	wire_buffer_init(&ccm->aad, WIRE_CONTROL_LIMIT, NULL);
	if (!wire_decode_ccm_parameter(parameter->parameter, &record) ||
	    record.nonce.len < NONCE_MIN || record.nonce.len > NONCE_MAX ||
	    record.tag_len < TAG_MIN || record.tag_len > TAG_MAX || record.tag_len % 2 ||
	    !length_fits(record.data_len, record.nonce.len))
		return ERROR_MECHANISM_PARAMETER;
	memcpy(ccm->nonce, record.nonce.data, record.nonce.len);
	ccm->nonce_len = record.nonce.len;
	ccm->tag_len = record.tag_len;
	ccm->data_len = record.data_len;
	wire_put_raw(&ccm->aad, record.aad.data, record.aad.len);
	return ccm->aad.failed ? ERROR_MEMORY : ERROR_NONE;
}

/* Clients give the length of what they have in hand: for decryption some count the tag, too. */
static enum err check_length(const struct operation *operation, size_t len)
{
	const struct ccm *ccm = operation->state;

	if (operation->kind == OPERATION_ENCRYPT)
		return len == ccm->data_len ? ERROR_NONE : ERROR_DATA_LENGTH;
	if (len < ccm->tag_len)
		return ERROR_ENCRYPTED_DATA_LENGTH;
	return len - ccm->tag_len == ccm->data_len || len == ccm->data_len
	               ? ERROR_NONE
	               : ERROR_ENCRYPTED_DATA_LENGTH;
}

/* CCM's order: lengths of nonce and tag (with the tag itself to decrypt), key, length of data, AAD.
 */
static bool set_up(struct operation *operation, EVP_CIPHER_CTX *context, const uint8_t *tag,
                   size_t data_len)
{
	struct ccm *ccm = operation->state;
	struct wire_bytes key = crypto_key_secret(operation->key);
	const EVP_CIPHER *cipher = crypto_cipher(operation->crypto, CIPHER_AES_CCM, key.len);
	int encrypt = operation->kind == OPERATION_ENCRYPT;
	int len;

	return EVP_CipherInit_ex2(context, cipher, NULL, NULL, encrypt, NULL) &&
	       EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, (int)ccm->nonce_len, NULL) >
	               0 &&
	       EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, (int)ccm->tag_len,
	                           (void *)(uintptr_t)tag) > 0 &&
	       EVP_CipherInit_ex2(context, NULL, key.data, ccm->nonce, encrypt, NULL) &&
	       EVP_CipherUpdate(context, NULL, &len, NULL, (int)data_len) &&
	       (!ccm->aad.len ||
	        EVP_CipherUpdate(context, NULL, &len, ccm->aad.data, (int)ccm->aad.len));
}

static enum err seal(struct operation *operation, EVP_CIPHER_CTX *context, struct wire_bytes data,
                     uint8_t *out, size_t *out_len)
{
	struct ccm *ccm = operation->state;
	int len = 0, more = 0;

	/* OpenSSL wants an update for the data, even of none. */
	if (!set_up(operation, context, NULL, data.len) ||
	    !EVP_CipherUpdate(context, out, &len, data.data ? data.data : out, (int)data.len) ||
	    !EVP_CipherFinal_ex(context, out + len, &more) ||
	    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, (int)ccm->tag_len,
	                        out + data.len) <= 0)
		return ERROR_CRYPTO;
	*out_len = data.len + ccm->tag_len;
	return ERROR_NONE;
}

/* The update of the ciphertext verifies the tag and gives nothing when it is wrong. */
static enum err open_sealed(struct operation *operation, EVP_CIPHER_CTX *context,
                            struct wire_bytes data, uint8_t *out, size_t *out_len)
{
	struct ccm *ccm = operation->state;
	size_t plain_len = data.len - ccm->tag_len;
	int len = 0;

	if (!set_up(operation, context, data.data + plain_len, plain_len))
		return ERROR_CRYPTO;
	if (EVP_CipherUpdate(context, out, &len, data.data, (int)plain_len) <= 0)
		return ERROR_ENCRYPTED_DATA;
	*out_len = plain_len;
	return ERROR_NONE;
}

static enum err produce(struct operation *operation, struct wire_bytes data, uint8_t *out,
                        size_t *out_len)
{
	EVP_CIPHER_CTX *context;
	enum err err = check_length(operation, data.len);

	if (err)
		return err;
	context = EVP_CIPHER_CTX_new();
	if (!context)
		return ERROR_MEMORY;
	err = operation->kind == OPERATION_ENCRYPT
	              ? seal(operation, context, data, out, out_len)
	              : open_sealed(operation, context, data, out, out_len);
	EVP_CIPHER_CTX_free(context);
	return err;
}

static size_t output_max(const struct operation *operation, size_t data_len,
                         enum operation_step step)
{
	const struct ccm *ccm = operation->state;

	(void)step;
	if (operation->kind == OPERATION_ENCRYPT)
		return data_len + ccm->tag_len;
	return data_len < ccm->tag_len ? 0 : data_len - ccm->tag_len;
}

static void stop(struct operation *operation)
{
	struct ccm *ccm = operation->state;

	wire_buffer_free(&ccm->aad);
}

const struct operation_methods crypto_ccm_methods = {
	.state_len = sizeof(struct ccm),
	.start = start,
	.produce = produce,
	.output_max = output_max,
	.stop = stop,
};
