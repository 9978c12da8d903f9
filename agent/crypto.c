/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library context, its fetched algorithms, and the three things that every room needs: random
 * octets, sealing, and deriving a key from a PIN.
 */
#include "crypto.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drbg.h"
#include "log.h"

#define NONCE_LEN 12u
#define TAG_LEN   16u

_Static_assert(NONCE_LEN + TAG_LEN == CRYPTO_SEAL_OVERHEAD, "crypto.h says what sealing adds");

static const char *const digest_names[DIGEST_COUNT] = {
	[DIGEST_SHA1] = "SHA1",
	[DIGEST_SHA224] = "SHA224",
	[DIGEST_SHA256] = "SHA256",
	[DIGEST_SHA384] = "SHA384",
	[DIGEST_SHA512] = "SHA512",
	[DIGEST_SHA512_224] = "SHA512-224",
	[DIGEST_SHA512_256] = "SHA512-256",
	[DIGEST_SHA3_224] = "SHA3-224",
	[DIGEST_SHA3_256] = "SHA3-256",
	[DIGEST_SHA3_384] = "SHA3-384",
	[DIGEST_SHA3_512] = "SHA3-512",
	[DIGEST_SHAKE128] = "SHAKE128",
	[DIGEST_SHAKE256] = "SHAKE256",
};

#define AES_KEYS                                                                                   \
	{                                                                                          \
		16, 24, 32                                                                         \
	}

/* "%u" is the length of an AES key in bits, of which the key may hold several. */
static const struct {
	const char *name;
	size_t key_lens[3]; /* octets; 0: no more */
	unsigned int keys;
} ciphers[CIPHER_COUNT] = {
	[CIPHER_AES_ECB] = {"AES-%u-ECB", AES_KEYS, 1},
	[CIPHER_AES_CBC] = {"AES-%u-CBC", AES_KEYS, 1},
	[CIPHER_AES_CTR] = {"AES-%u-CTR", AES_KEYS, 1},
	[CIPHER_AES_OFB] = {"AES-%u-OFB", AES_KEYS, 1},
	[CIPHER_AES_CFB8] = {"AES-%u-CFB8", AES_KEYS, 1},
	[CIPHER_AES_CFB128] = {"AES-%u-CFB", AES_KEYS, 1},
	[CIPHER_AES_CTS] = {"AES-%u-CBC-CTS", AES_KEYS, 1},
	[CIPHER_AES_GCM] = {"AES-%u-GCM", AES_KEYS, 1},
	[CIPHER_AES_CCM] = {"AES-%u-CCM", AES_KEYS, 1},
	[CIPHER_AES_WRAP] = {"AES-%u-WRAP", AES_KEYS, 1},
	[CIPHER_AES_WRAP_PAD] = {"AES-%u-WRAP-PAD", AES_KEYS, 1},
	[CIPHER_AES_XTS] = {"AES-%u-XTS", {32, 64}, 2},
	[CIPHER_CHACHA20_POLY1305] = {"ChaCha20-Poly1305", {32}, 1},
};

static bool fetch_digests(struct crypto *crypto)
{
	for (int i = DIGEST_NONE + 1; i < DIGEST_COUNT; i++) {
		crypto->digests[i] =
			EVP_MD_fetch(crypto->library, digest_names[i], crypto->properties);
		if (!crypto->digests[i])
			return false;
	}
	return true;
}

static EVP_CIPHER *fetch_cipher(struct crypto *crypto, enum crypto_cipher cipher, size_t key_len)
{
	unsigned int bits = (unsigned int)(8 * key_len / ciphers[cipher].keys);
	const char *number = strstr(ciphers[cipher].name, "%u");
	char name[24];

	if (number)
		snprintf(name, sizeof(name), "AES-%u%s", bits, number + 2);
	return EVP_CIPHER_fetch(crypto->library, number ? name : ciphers[cipher].name,
	                        crypto->properties);
}

static bool fetch_ciphers(struct crypto *crypto)
{
	for (int i = 0; i < CIPHER_COUNT; i++) {
		for (int j = 0; j < 3 && ciphers[i].key_lens[j]; j++) {
			crypto->ciphers[i][j] = fetch_cipher(crypto, i, ciphers[i].key_lens[j]);
			if (!crypto->ciphers[i][j])
				return false;
		}
	}
	return true;
}

/* OpenSSL before 3.2 would ignore the parameter and sign something else. */
static bool has_eddsa_instances(struct crypto *crypto)
{
	EVP_SIGNATURE *signature =
		EVP_SIGNATURE_fetch(crypto->library, "ED25519", crypto->properties);
	const OSSL_PARAM *settable =
		signature ? EVP_SIGNATURE_settable_ctx_params(signature) : NULL;
	bool has = settable && OSSL_PARAM_locate_const(settable, "instance");

	EVP_SIGNATURE_free(signature);
	ERR_clear_error();
	return has;
}

static bool has_signature(struct crypto *crypto, const char *name)
{
	EVP_SIGNATURE *algorithm = EVP_SIGNATURE_fetch(crypto->library, name, crypto->properties);

	EVP_SIGNATURE_free(algorithm);
	ERR_clear_error();
	return algorithm;
}

static bool has_kem(struct crypto *crypto, const char *name)
{
	EVP_KEM *algorithm = EVP_KEM_fetch(crypto->library, name, crypto->properties);

	EVP_KEM_free(algorithm);
	ERR_clear_error();
	return algorithm;
}

/* OpenSSL has all sets of a family or none. */
static void look_for_post_quantum(struct crypto *crypto)
{
	crypto->has_ml_kem = has_kem(crypto, "ML-KEM-768");
	crypto->has_ml_dsa = has_signature(crypto, "ML-DSA-65");
	crypto->has_slh_dsa = has_signature(crypto, "SLH-DSA-SHA2-128s");
}

static bool fetch_all(struct crypto *crypto)
{
	crypto->hmac = EVP_MAC_fetch(crypto->library, "HMAC", crypto->properties);
	crypto->cmac = EVP_MAC_fetch(crypto->library, "CMAC", crypto->properties);
	crypto->gmac = EVP_MAC_fetch(crypto->library, "GMAC", crypto->properties);
	crypto->pbkdf2 = EVP_KDF_fetch(crypto->library, "PBKDF2", crypto->properties);
	crypto->hkdf = EVP_KDF_fetch(crypto->library, "HKDF", crypto->properties);
	crypto->has_eddsa_instances = has_eddsa_instances(crypto);
	look_for_post_quantum(crypto);
	return crypto->hmac && crypto->cmac && crypto->gmac && crypto->pbkdf2 && crypto->hkdf &&
	       fetch_digests(crypto) && fetch_ciphers(crypto);
}

static int fill(struct crypto *crypto, char *error, size_t error_len)
{
	crypto->library = OSSL_LIB_CTX_new();
	if (crypto->library)
		crypto->default_provider = OSSL_PROVIDER_load(crypto->library, "default");
	if (!crypto->default_provider) {
		snprintf(error, error_len, "OpenSSL's default provider cannot be loaded");
		return -1;
	}
	if (drbg_install(&crypto->drbg, crypto->library, &crypto->entropy_provider, crypto->state,
	                 error, error_len))
		return -1;
	if (fetch_all(crypto) && crypto_curve_open(crypto))
		return 0;
	snprintf(error, error_len, "OpenSSL lacks an algorithm that the module needs");
	return -1;
}

int crypto_open(struct crypto **out, struct state *state, char *error, size_t error_len)
{
	struct crypto *crypto = calloc(1, sizeof(*crypto));

	if (!crypto) {
		snprintf(error, error_len, "out of memory");
		return -1;
	}
	crypto->state = state;
	if (fill(crypto, error, error_len)) {
		crypto_log_errors("start");
		crypto_close(crypto);
		return -1;
	}
	*out = crypto;
	return 0;
}

void crypto_close(struct crypto *crypto)
{
	if (!crypto)
		return;
	for (int i = 0; i < DIGEST_COUNT; i++)
		EVP_MD_free(crypto->digests[i]);
	for (int i = 0; i < CIPHER_COUNT * 3; i++)
		EVP_CIPHER_free(crypto->ciphers[i / 3][i % 3]);
	crypto_curve_close(crypto);
	EVP_MAC_free(crypto->hmac);
	EVP_MAC_free(crypto->cmac);
	EVP_MAC_free(crypto->gmac);
	EVP_KDF_free(crypto->pbkdf2);
	EVP_KDF_free(crypto->hkdf);
	if (crypto->entropy_provider)
		OSSL_PROVIDER_unload(crypto->entropy_provider);
	if (crypto->default_provider)
		OSSL_PROVIDER_unload(crypto->default_provider);
	OSSL_LIB_CTX_free(crypto->library);
	drbg_free(crypto->drbg);
	free(crypto);
}

void crypto_log_errors(const char *what)
{
	unsigned long code = ERR_peek_last_error();
	char text[160];

	if (!code)
		return;
	ERR_error_string_n(code, text, sizeof(text));
	ERR_clear_error();
	log_info("%s: %s", what, text);
}

enum err crypto_random(struct crypto *crypto, void *octets, size_t len)
{
	if (RAND_priv_bytes_ex(crypto->library, octets, len, 0) == 1) /* lint: our own context */
		return ERROR_NONE;
	ERR_clear_error();
	wire_wipe(octets, len);
	return ERROR_RANDOM;
}

enum err crypto_next_iv(struct crypto *crypto, uint64_t *number)
{
	uint64_t none, start;
	enum err err;

	while (!atomic_load(&crypto->next_iv)) {
		err = crypto_random(crypto, &start, sizeof(start));
		if (err)
			return err;
		none = 0;
		atomic_compare_exchange_strong(&crypto->next_iv, &none, start);
	}
	*number = atomic_fetch_add(&crypto->next_iv, 1);
	return ERROR_NONE;
}

void crypto_forget_ivs(struct crypto *crypto)
{
	atomic_store(&crypto->next_iv, 0);
}

const EVP_MD *crypto_md(const struct crypto *crypto, enum crypto_digest digest)
{
	return crypto->digests[digest];
}

/* Functions of any length give twice their strength: FIPS 204 §5.4.1. */
size_t crypto_digest_len(const struct crypto *crypto, enum crypto_digest digest)
{
	switch (digest) {
	case DIGEST_SHAKE128:
		return 32;
	case DIGEST_SHAKE256:
		return 64;
	default:
		return (size_t)EVP_MD_get_size(crypto_md(crypto, digest));
	}
}

bool crypto_digest_finish(EVP_MD_CTX *context, size_t len, uint8_t hash[EVP_MAX_MD_SIZE])
{
	if (EVP_MD_get_flags(EVP_MD_CTX_get0_md(context)) & EVP_MD_FLAG_XOF)
		return EVP_DigestFinalXOF(context, hash, len);
	return EVP_DigestFinal_ex(context, hash, NULL);
}

bool crypto_digest(const struct crypto *crypto, enum crypto_digest digest, struct wire_bytes data,
                   uint8_t hash[EVP_MAX_MD_SIZE])
{
	EVP_MD_CTX *context;
	bool good;

	if (digest != DIGEST_SHAKE128 && digest != DIGEST_SHAKE256)
		return EVP_Digest(data.data, data.len, hash, NULL, crypto_md(crypto, digest), NULL);
	context = EVP_MD_CTX_new();
	good = context && EVP_DigestInit_ex2(context, crypto_md(crypto, digest), NULL) &&
	       EVP_DigestUpdate(context, data.data, data.len) &&
	       crypto_digest_finish(context, crypto_digest_len(crypto, digest), hash);
	EVP_MD_CTX_free(context);
	return good;
}

const char *crypto_digest_name(enum crypto_digest digest)
{
	return digest_names[digest];
}

const EVP_CIPHER *crypto_cipher(const struct crypto *crypto, enum crypto_cipher cipher,
                                size_t key_len)
{
	for (int i = 0; i < 3; i++) {
		if (key_len && ciphers[cipher].key_lens[i] == key_len)
			return crypto->ciphers[cipher][i];
	}
	return NULL;
}

/* ---- sealing ---- */

static bool seal(EVP_CIPHER_CTX *cipher, const struct crypto *crypto, const uint8_t *key,
                 struct wire_bytes aad, struct wire_bytes in, uint8_t *out)
{
	uint8_t *body = out + NONCE_LEN;
	int len, more = 0;

	if (in.len > INT32_MAX || aad.len > INT32_MAX)
		return false;
	return EVP_EncryptInit_ex2(cipher, crypto_cipher(crypto, CIPHER_AES_GCM, CRYPTO_KEY_LEN),
	                           key, out, NULL) &&
	       EVP_EncryptUpdate(cipher, NULL, &len, aad.data, (int)aad.len) &&
	       EVP_EncryptUpdate(cipher, body, &len, in.data, (int)in.len) &&
	       EVP_EncryptFinal_ex(cipher, body + len, &more) &&
	       (size_t)len + (size_t)more == in.len &&
	       EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, body + in.len);
}

enum err crypto_seal(struct crypto *crypto, const uint8_t key[CRYPTO_KEY_LEN],
                     struct wire_bytes aad, struct wire_bytes in, uint8_t *out)
{
	EVP_CIPHER_CTX *cipher;
	enum err err;

	err = crypto_random(crypto, out, NONCE_LEN);
	if (err)
		return err;
	cipher = EVP_CIPHER_CTX_new();
	if (!cipher)
		return ERROR_MEMORY;
	err = seal(cipher, crypto, key, aad, in, out) ? ERROR_NONE : ERROR_CRYPTO;
	EVP_CIPHER_CTX_free(cipher);
	return err;
}

static bool unseal(EVP_CIPHER_CTX *cipher, const struct crypto *crypto, const uint8_t *key,
                   struct wire_bytes aad, struct wire_bytes in, uint8_t *out)
{
	size_t body_len = in.len - CRYPTO_SEAL_OVERHEAD;
	const uint8_t *body = in.data + NONCE_LEN;
	uint8_t tag[TAG_LEN];
	int len, more = 0;

	if (body_len > INT32_MAX || aad.len > INT32_MAX)
		return false;
	memcpy(tag, body + body_len, TAG_LEN);
	return EVP_DecryptInit_ex2(cipher, crypto_cipher(crypto, CIPHER_AES_GCM, CRYPTO_KEY_LEN),
	                           key, in.data, NULL) &&
	       EVP_DecryptUpdate(cipher, NULL, &len, aad.data, (int)aad.len) &&
	       EVP_DecryptUpdate(cipher, out, &len, body, (int)body_len) &&
	       EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) &&
	       EVP_DecryptFinal_ex(cipher, out + len, &more) > 0;
}

enum err crypto_open_sealed(struct crypto *crypto, const uint8_t key[CRYPTO_KEY_LEN],
                            struct wire_bytes aad, struct wire_bytes in, uint8_t *out)
{
	EVP_CIPHER_CTX *cipher;
	bool opened;

	if (in.len < CRYPTO_SEAL_OVERHEAD)
		return ERROR_STORE_CORRUPT;
	cipher = EVP_CIPHER_CTX_new();
	if (!cipher)
		return ERROR_MEMORY;
	opened = unseal(cipher, crypto, key, aad, in, out);
	EVP_CIPHER_CTX_free(cipher);
	if (opened)
		return ERROR_NONE;
	ERR_clear_error();
	wire_wipe(out, in.len - CRYPTO_SEAL_OVERHEAD);
	return ERROR_STORE_CORRUPT;
}

enum err crypto_pbkdf2(struct crypto *crypto, struct wire_bytes pin, struct wire_bytes salt,
                       uint64_t iterations, uint8_t key[CRYPTO_KEY_LEN])
{
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD,
	                                          (void *)(uintptr_t)pin.data, pin.len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt.data,
	                                          salt.len),
		OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_ITER, &iterations),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
	                                         (char *)(uintptr_t) "SHA256", 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF_CTX *kdf = EVP_KDF_CTX_new(crypto->pbkdf2);
	int done;

	if (!kdf)
		return ERROR_MEMORY;
	done = EVP_KDF_derive(kdf, key, CRYPTO_KEY_LEN, parameters);
	EVP_KDF_CTX_free(kdf);
	if (done == 1)
		return ERROR_NONE;
	crypto_log_errors("PBKDF2");
	wire_wipe(key, CRYPTO_KEY_LEN);
	return ERROR_CRYPTO;
}
