/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an object's attributes say about themselves once its key material is there: lengths, where
 * it came from, check values, the public key. Makes no keys and checks none (keygen.h).
 */
#include "template_rules.h"

#include <openssl/evp.h>
#include <string.h>

#include "crypto.h"
#include "crypto_key.h"

#define CHECK_VALUE_LEN     3u
#define AES_BLOCK_LEN       16u
#define PUBLIC_KEY_INFO_MAX 8192u /* octets of DER; RSA-16384 has 2,086 */

/* Every attribute that an import must bring is there, whoever brought it. */
static enum err check_material(const struct attributes *set, struct rule_scope scope)
{
	struct wire_attribute present;

	for (size_t i = 0; i < rule_count; i++) {
		if (!(rule_table[i].footnotes & RULE_F1) || !rule_applies(&rule_table[i], scope))
			continue;
		if (!attributes_get(set, rule_table[i].type, &present))
			return ERROR_TEMPLATE_INCOMPLETE;
	}
	return ERROR_NONE;
}

/* Bits of a big-endian number; leading zeros do not count. */
static uint64_t bits_of(struct wire_bytes number)
{
	size_t i = 0;
	uint64_t bits;

	while (i < number.len && !number.data[i])
		i++;
	if (i == number.len)
		return 0;
	bits = 8 * (uint64_t)(number.len - i - 1);
	for (uint8_t top = number.data[i]; top; top >>= 1)
		bits++;
	return bits;
}

static enum err complete_modulus(struct attributes *set, struct rule_scope scope)
{
	if (!rule_find(CKA_MODULUS_BITS, scope))
		return ERROR_NONE;
	return attributes_set_number(set, CKA_MODULUS_BITS,
	                             bits_of(attributes_bytes(set, CKA_MODULUS)));
}

/* A length that was asked for must be the one that came out. */
static enum err complete_length(struct attributes *set, struct rule_scope scope)
{
	uint64_t value_len = attributes_bytes(set, CKA_VALUE).len;

	if (scope.object_class != RULE_SECRET)
		return ERROR_NONE;
	if (attributes_number(set, CKA_VALUE_LEN, value_len) != value_len)
		return ERROR_TEMPLATE_INCONSISTENT;
	return attributes_set_number(set, CKA_VALUE_LEN, value_len);
}

static enum err complete_provenance(const struct template_context *context, struct attributes *set,
                                    struct rule_scope scope)
{
	bool local = context->origin == ORIGIN_GENERATE;
	enum err err;

	if (!(scope.object_class & RULE_KEYS))
		return ERROR_NONE;
	err = attributes_set_flag(set, CKA_LOCAL, local);
	if (err)
		return err;
	return attributes_set_number(set, CKA_KEY_GEN_MECHANISM,
	                             local ? context->mechanism : CK_UNAVAILABLE_INFORMATION);
}

/* Has a key of this origin a past of this kind (`type`: always sensitive, never extractable)?
 * Generated keys have none at all, derived ones have their base key's (C_DeriveKey). */
static bool was_so(const struct template_context *context, uint64_t type)
{
	switch (context->origin) {
	case ORIGIN_GENERATE:
		return true;
	case ORIGIN_DERIVE:
		return context->base && attributes_flag(&context->base->attributes, type) &&
		       (!context->other || attributes_flag(&context->other->attributes, type));
	default:
		return false;
	}
}

static enum err complete_history(const struct template_context *context, struct attributes *set,
                                 struct rule_scope scope)
{
	bool sensitive = attributes_flag(set, CKA_SENSITIVE);
	bool extractable = attributes_flag(set, CKA_EXTRACTABLE);
	enum err err;

	if (!(scope.object_class & (RULE_PRIVATE | RULE_SECRET)))
		return ERROR_NONE;
	err = attributes_set_flag(set, CKA_ALWAYS_SENSITIVE,
	                          sensitive && was_so(context, CKA_ALWAYS_SENSITIVE));
	if (err)
		return err;
	return attributes_set_flag(set, CKA_NEVER_EXTRACTABLE,
	                           !extractable && was_so(context, CKA_NEVER_EXTRACTABLE));
}

static void cipher_context_free(EVP_CIPHER_CTX **context)
{
	EVP_CIPHER_CTX_free(*context);
}

/* The first octets of the key's encryption of a block of zeros. */
static enum err aes_check_value(struct crypto *crypto, struct wire_bytes key,
                                uint8_t check[CHECK_VALUE_LEN])
{
	const EVP_CIPHER *cipher = crypto_cipher(crypto, CIPHER_AES_ECB, key.len);
	__attribute__((cleanup(cipher_context_free))) EVP_CIPHER_CTX *context = NULL;
	static const uint8_t zeros[AES_BLOCK_LEN];
	uint8_t block[AES_BLOCK_LEN];
	int len;

	if (!cipher)
		return ERROR_ATTRIBUTE_VALUE;
	context = EVP_CIPHER_CTX_new();
	if (!context)
		return ERROR_MEMORY;
	if (EVP_EncryptInit_ex2(context, cipher, key.data, NULL, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(context, 0) != 1 ||
	    EVP_EncryptUpdate(context, block, &len, zeros, AES_BLOCK_LEN) != 1) {
		crypto_log_errors("check value");
		return ERROR_CRYPTO;
	}
	memcpy(check, block, CHECK_VALUE_LEN);
	wire_wipe(block, sizeof(block));
	return ERROR_NONE;
}

static enum err digest_check_value(struct crypto *crypto, struct wire_bytes value,
                                   uint8_t check[CHECK_VALUE_LEN])
{
	uint8_t digest[EVP_MAX_MD_SIZE];

	if (EVP_Digest(value.data, value.len, digest, NULL, crypto_md(crypto, DIGEST_SHA1), NULL) !=
	    1) {
		crypto_log_errors("check value");
		return ERROR_CRYPTO;
	}
	memcpy(check, digest, CHECK_VALUE_LEN);
	wire_wipe(digest, sizeof(digest));
	return ERROR_NONE;
}

/* §4.10.2: one that was given must be right; an empty one means none is wanted. A certificate
 * behind a URL has none. */
static enum err complete_check_value(struct crypto *crypto, struct attributes *set,
                                     struct rule_scope scope)
{
	struct wire_bytes value = attributes_bytes(set, CKA_VALUE);
	uint8_t check[CHECK_VALUE_LEN];
	struct wire_attribute given;
	bool was_given = attributes_get(set, CKA_CHECK_VALUE, &given);
	enum err err;

	if (!rule_find(CKA_CHECK_VALUE, scope) || !value.len || (was_given && !given.value.len))
		return ERROR_NONE;
	err = scope.key == RULE_AES ? aes_check_value(crypto, value, check)
	                            : digest_check_value(crypto, value, check);
	if (err)
		return err;
	if (was_given && !wire_bytes_equal(given.value, (struct wire_bytes){check, sizeof(check)}))
		return ERROR_ATTRIBUTE_VALUE;
	return attributes_set_bytes(set, CKA_CHECK_VALUE, check, sizeof(check));
}

static enum err encode_public_key(struct crypto *crypto, const struct attributes *set,
                                  struct wire_buffer *der)
{
	pkey_auto pkey = NULL;
	enum err err = crypto_key_make(crypto, set, &pkey);

	return err ? err : crypto_key_spki(pkey, der);
}

/* §4.8, §4.9: one that was given must belong to the key. */
static enum err complete_public_key(const struct template_context *context, struct crypto *crypto,
                                    struct attributes *set, struct rule_scope scope)
{
	struct wire_bytes given = attributes_bytes(set, CKA_PUBLIC_KEY_INFO);
	__attribute__((cleanup(wire_buffer_free))) struct wire_buffer der = {0};
	enum err err;

	if (!(scope.object_class & (RULE_PUBLIC | RULE_PRIVATE)))
		return ERROR_NONE;
	/* keygen_pair has put it in, or compared it, while it had the key. */
	if (context->origin == ORIGIN_GENERATE && given.len)
		return ERROR_NONE;
	wire_buffer_init(&der, PUBLIC_KEY_INFO_MAX, NULL);
	err = encode_public_key(crypto, set, &der);
	if (err)
		return err;
	if (given.len && !wire_bytes_equal(given, (struct wire_bytes){der.data, der.len}))
		return ERROR_TEMPLATE_INCONSISTENT;
	return attributes_set_bytes(set, CKA_PUBLIC_KEY_INFO, der.data, der.len);
}

enum err template_complete(const struct template_context *context, struct crypto *crypto,
                           struct attributes *set)
{
	struct rule_scope scope = rule_scope_of(set);
	enum err err = check_material(set, scope);

	if (!err)
		err = complete_modulus(set, scope);
	if (!err)
		err = complete_length(set, scope);
	if (!err)
		err = complete_provenance(context, set, scope);
	if (!err)
		err = complete_history(context, set, scope);
	if (!err)
		err = complete_check_value(crypto, set, scope);
	if (!err)
		err = complete_public_key(context, crypto, set, scope);
	return err;
}
