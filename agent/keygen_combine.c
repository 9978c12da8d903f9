/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys made of other keys' octets: joined to a key or to data, XORed, cut out at a bit, hashed,
 * encrypted data. All but the last two show the base key's octets, so they are transparent: the new
 * key is no less protected than what it is made of.
 */
#include <string.h>

#include "crypto_key.h"
#include "keygen.h"
#include "slots.h"

#define BLOCK_LEN 16u

/* A result of at most SECRET_MAX octets in locked memory, then the key from its beginning. */
static enum err put_joined(struct attributes *set, struct wire_bytes first,
                           struct wire_bytes second)
{
	size_t len = first.len + second.len;
	uint8_t *joined;
	enum err err;

	if (!len || len > KEYGEN_SECRET_MAX)
		return ERROR_KEY_SIZE;
	joined = slots_allocate(len);
	if (!joined)
		return ERROR_MEMORY;
	if (first.len)
		memcpy(joined, first.data, first.len);
	if (second.len)
		memcpy(joined + first.len, second.data, second.len);
	err = keygen_put_derived(set, (struct wire_bytes){joined, len}, len);
	slots_release(joined);
	return err;
}

static enum err join_keys(struct crypto *crypto, const struct derivation *derivation,
                          struct attributes *set)
{
	(void)crypto;
	if (!derivation->other)
		return ERROR_MECHANISM_PARAMETER;
	if (derivation->other->object_class != CKO_SECRET_KEY)
		return ERROR_KEY_TYPE;
	return put_joined(set, crypto_key_secret(derivation->base),
	                  crypto_key_secret(derivation->other));
}

static enum err read_data(const struct derivation *derivation, struct wire_bytes *data)
{
	struct wire_derivation_data_parameter record;

	if (!wire_decode_derivation_data_parameter(derivation->parameter->parameter, &record))
		return ERROR_MECHANISM_PARAMETER;
	*data = record.data;
	return ERROR_NONE;
}

static enum err join_data(struct crypto *crypto, const struct derivation *derivation,
                          struct attributes *set)
{
	struct wire_bytes data, base = crypto_key_secret(derivation->base);
	enum err err = read_data(derivation, &data);

	(void)crypto;
	if (err)
		return err;
	if (derivation->mechanism->type == CKM_CONCATENATE_DATA_AND_BASE)
		return put_joined(set, data, base);
	return put_joined(set, base, data);
}

/* As long as the shorter of both. */
static enum err xor_data(struct crypto *crypto, const struct derivation *derivation,
                         struct attributes *set)
{
	struct wire_bytes data, base = crypto_key_secret(derivation->base);
	enum err err = read_data(derivation, &data);
	uint8_t *out;
	size_t len;

	(void)crypto;
	if (err)
		return err;
	len = data.len < base.len ? data.len : base.len;
	if (!len)
		return ERROR_MECHANISM_PARAMETER;
	out = slots_allocate(len);
	if (!out)
		return ERROR_MEMORY;
	for (size_t i = 0; i < len; i++)
		out[i] = base.data[i] ^ data.data[i];
	err = keygen_put_derived(set, (struct wire_bytes){out, len}, len);
	slots_release(out);
	return err;
}

/* Octet `at` of the key, read from bit `shift` of its first octet on; behind the end comes the
 * beginning. */
static uint8_t octet_from(struct wire_bytes base, uint64_t bit, size_t at)
{
	size_t first = (size_t)(bit / 8 + at) % base.len;
	unsigned int shift = bit % 8;
	unsigned int two = (unsigned int)base.data[first] << 8 | base.data[(first + 1) % base.len];

	return (uint8_t)(two >> (8 - shift));
}

static enum err extract(struct crypto *crypto, const struct derivation *derivation,
                        struct attributes *set)
{
	struct wire_bytes base = crypto_key_secret(derivation->base);
	struct wire_number_parameter record;
	uint8_t *out;
	enum err err;

	(void)crypto;
	if (!wire_decode_number_parameter(derivation->parameter->parameter, &record) ||
	    record.value >= 8 * (uint64_t)base.len)
		return ERROR_MECHANISM_PARAMETER;
	out = slots_allocate(base.len);
	if (!out)
		return ERROR_MEMORY;
	for (size_t i = 0; i < base.len; i++)
		out[i] = octet_from(base, record.value, i);
	err = keygen_put_derived(set, (struct wire_bytes){out, base.len}, 0);
	slots_release(out);
	return err;
}

static enum err hash(struct crypto *crypto, const struct derivation *derivation,
                     struct attributes *set)
{
	struct wire_bytes base = crypto_key_secret(derivation->base);
	const EVP_MD *md = crypto_md(crypto, derivation->mechanism->digest);
	uint8_t out[EVP_MAX_MD_SIZE];
	unsigned int len;
	enum err err = ERROR_CRYPTO;

	if (EVP_Digest(base.data, base.len, out, &len, md, NULL))
		err = keygen_put_derived(set, (struct wire_bytes){out, len}, len);
	wire_wipe(out, sizeof(out));
	return err;
}

static bool encrypt(struct crypto *crypto, const struct derivation *derivation, const uint8_t *iv,
                    struct wire_bytes data, uint8_t *out)
{
	struct wire_bytes key = crypto_key_secret(derivation->base);
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	enum crypto_cipher cipher = derivation->mechanism->cipher;
	int len = 0;
	bool good;

	good = context &&
	       EVP_EncryptInit_ex2(context, crypto_cipher(crypto, cipher, key.len), key.data, iv,
	                           NULL) &&
	       EVP_CIPHER_CTX_set_padding(context, 0) &&
	       EVP_EncryptUpdate(context, out, &len, data.data, (int)data.len) &&
	       (size_t)len == data.len;
	EVP_CIPHER_CTX_free(context);
	return good;
}

static enum err encrypt_data(struct crypto *crypto, const struct derivation *derivation,
                             struct attributes *set)
{
	struct wire_bytes in = derivation->parameter->parameter, data;
	bool cbc = derivation->mechanism->cipher == CIPHER_AES_CBC;
	struct wire_encrypt_data_parameter record = {0};
	enum err err = ERROR_NONE;
	uint8_t *out;

	if (!cbc)
		err = read_data(derivation, &record.data);
	else if (!wire_decode_encrypt_data_parameter(in, &record) || record.iv.len != BLOCK_LEN)
		err = ERROR_MECHANISM_PARAMETER;
	data = record.data;
	if (!err && (!data.len || data.len % BLOCK_LEN || data.len > KEYGEN_SECRET_MAX))
		err = ERROR_MECHANISM_PARAMETER;
	if (err)
		return err;
	out = slots_allocate(data.len);
	if (!out)
		return ERROR_MEMORY;
	err = ERROR_CRYPTO;
	if (encrypt(crypto, derivation, cbc ? record.iv.data : NULL, data, out))
		err = keygen_put_derived(set, (struct wire_bytes){out, data.len}, data.len);
	slots_release(out);
	return err;
}

static bool joined_key(const struct wire_mechanism *parameter, uint64_t *handle)
{
	struct wire_number_parameter record;

	if (!wire_decode_number_parameter(parameter->parameter, &record))
		return false;
	*handle = record.value;
	return true;
}

const struct key_methods keygen_join_keys_methods = {
	.derive = join_keys,
	.other_key = joined_key,
	.transparent = true,
};
const struct key_methods keygen_join_data_methods = {.derive = join_data, .transparent = true};
const struct key_methods keygen_xor_methods = {.derive = xor_data, .transparent = true};
const struct key_methods keygen_extract_methods = {.derive = extract, .transparent = true};
const struct key_methods keygen_hash_methods = {.derive = hash};
const struct key_methods keygen_encrypt_data_methods = {.derive = encrypt_data};
