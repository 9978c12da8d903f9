/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wrapping what is imported, and taking it back when the import fails half-way.
 */
#include "key_move.h"

#include <openssl/crypto.h>
#include <stdlib.h>

/* ---- the wrapping key ---- */

static CK_RV make_wrapping_key(struct key_move *move)
{
	static const CK_OBJECT_CLASS secret = CKO_SECRET_KEY;
	static const CK_KEY_TYPE aes = CKK_AES;
	const struct cryptoki *token = move->token;
	struct cryptoki_template template = {0};
	CK_RV rv = token->functions->C_GenerateRandom(token->session, move->wrapping_value,
	                                              KEY_MOVE_WRAP_LEN);

	if (rv)
		return rv;
	cryptoki_add(&template, CKA_CLASS, &secret, sizeof(secret));
	cryptoki_add(&template, CKA_KEY_TYPE, &aes, sizeof(aes));
	cryptoki_add_flag(&template, CKA_TOKEN, false);
	cryptoki_add_flag(&template, CKA_UNWRAP, true);
	cryptoki_add_flag(&template, CKA_SENSITIVE, true);
	cryptoki_add_flag(&template, CKA_EXTRACTABLE, false);
	cryptoki_add(&template, CKA_VALUE, move->wrapping_value, KEY_MOVE_WRAP_LEN);
	return token->functions->C_CreateObject(token->session, template.attributes, template.count,
	                                        &move->wrapping_key);
}

bool key_move_begin(struct key_move *move, const struct cryptoki *token)
{
	CK_RV rv;

	*move = (struct key_move){.token = token};
	rv = make_wrapping_key(move);
	if (rv)
		admin_fail_rv("making a key to import with", rv);
	return !rv;
}

void key_move_end(struct key_move *move, bool keep)
{
	const struct cryptoki *token = move->token;

	for (size_t i = 0; !keep && i < move->made_count; i++) {
		if (token->functions->C_DestroyObject(token->session, move->made[i]))
			admin_fail("an object of the failed import stays in the token");
	}
	if (move->wrapping_key)
		token->functions->C_DestroyObject(token->session, move->wrapping_key);
	free(move->made);
	OPENSSL_cleanse(move, sizeof(*move));
}

/* ---- what comes in ---- */

/* Room first, so that what is made can always be remembered. */
static bool make_room(struct key_move *move)
{
	CK_OBJECT_HANDLE *grown =
		reallocarray(move->made, move->made_count + 1, sizeof(*move->made));

	if (grown)
		move->made = grown;
	return grown;
}

CK_RV key_move_create(struct key_move *move, const struct cryptoki_template *template)
{
	CK_ATTRIBUTE *attributes = (CK_ATTRIBUTE *)(uintptr_t) template->attributes;
	const struct cryptoki *token = move->token;
	CK_RV rv = make_room(move) ? CKR_OK : CKR_HOST_MEMORY;

	if (!rv)
		rv = token->functions->C_CreateObject(token->session, attributes, template->count,
		                                      &move->made[move->made_count]);
	move->made_count += !rv;
	return rv;
}

CK_RV key_move_unwrap(struct key_move *move, uint8_t *wrapped, size_t wrapped_len,
                      const struct cryptoki_template *template)
{
	CK_MECHANISM mechanism = {CKM_AES_KEY_WRAP_PAD, NULL, 0};
	CK_ATTRIBUTE *attributes = (CK_ATTRIBUTE *)(uintptr_t) template->attributes;
	const struct cryptoki *token = move->token;
	CK_RV rv = make_room(move) ? CKR_OK : CKR_HOST_MEMORY;

	if (!rv)
		rv = token->functions->C_UnwrapKey(token->session, &mechanism, move->wrapping_key,
		                                   wrapped, wrapped_len, attributes,
		                                   template->count, &move->made[move->made_count]);
	move->made_count += !rv;
	return rv;
}

/* RFC 5649. `out` has room for in_len + 16. */
static bool wrap(const uint8_t *key, const uint8_t *in, size_t in_len, uint8_t *out,
                 size_t *out_len)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-WRAP-PAD", NULL);
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int len = 0, last = 0;
	bool done = false;

	if (cipher && context && in_len <= INT32_MAX) {
		EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
		done = EVP_EncryptInit_ex2(context, cipher, key, NULL, NULL) == 1 &&
		       EVP_EncryptUpdate(context, out, &len, in, (int)in_len) == 1 &&
		       EVP_EncryptFinal_ex(context, out + len, &last) == 1;
	}
	*out_len = (size_t)(len + last);
	EVP_CIPHER_CTX_free(context);
	EVP_CIPHER_free(cipher);
	return done;
}

static CK_RV wrap_and_unwrap(struct key_move *move, const uint8_t *der, size_t der_len,
                             const struct cryptoki_template *template)
{
	uint8_t *wrapped = malloc(der_len + 16);
	size_t wrapped_len;
	CK_RV rv = CKR_HOST_MEMORY;

	if (wrapped && wrap(move->wrapping_value, der, der_len, wrapped, &wrapped_len))
		rv = key_move_unwrap(move, wrapped, wrapped_len, template);
	free(wrapped);
	return rv;
}

CK_RV key_move_private(struct key_move *move, EVP_PKEY *pkey,
                       const struct cryptoki_template *template)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey);
	uint8_t *der = NULL;
	int len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;
	CK_RV rv = CKR_FUNCTION_FAILED;

	if (len > 0)
		rv = wrap_and_unwrap(move, der, (size_t)len, template);
	OPENSSL_clear_free(der, len > 0 ? (size_t)len : 0);
	PKCS8_PRIV_KEY_INFO_free(info);
	return rv;
}
