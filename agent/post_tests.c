/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Algorithm self-tests against published vectors (post_vectors.h). ECDSA's nonce is random, so its
 * signing is tested by a signature that must verify, and its verifying by the published one.
 */
#include "post_tests.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <string.h>

#include "entropy.h"
#include "post_vectors.h"
#include "wire/buffer.h"

const char POST_TEST_UNAVAILABLE[] = "needs OpenSSL 3.5 or newer";

static const char WRONG_ANSWER[] = "wrong answer";
static const char NO_ANSWER[] = "OpenSSL gave no answer";

/* Compares with the known answer, whose first octet a test build may have flipped. */
static const char *compare(const uint8_t *got, size_t got_len, const uint8_t *known,
                           size_t known_len, uint8_t flip)
{
	if (got_len != known_len || !known_len)
		return WRONG_ANSWER;
	if (got[0] != (known[0] ^ flip) || CRYPTO_memcmp(got + 1, known + 1, known_len - 1))
		return WRONG_ANSWER;
	return NULL;
}

/* ---- digests and HMAC ---- */

static const char *test_digest(struct crypto *crypto, enum crypto_digest digest,
                               const uint8_t *known, size_t known_len, uint8_t flip)
{
	uint8_t got[EVP_MAX_MD_SIZE];
	unsigned int got_len = 0;

	if (!EVP_Digest(message_abc, sizeof(message_abc), got, &got_len, crypto_md(crypto, digest),
	                NULL))
		return NO_ANSWER;
	return compare(got, got_len, known, known_len, flip);
}

static const char *test_hmac(struct crypto *crypto, enum crypto_digest digest, const uint8_t *known,
                             size_t known_len, uint8_t flip)
{
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
	                                         (char *)(uintptr_t)crypto_digest_name(digest), 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC_CTX *mac = EVP_MAC_CTX_new(crypto->hmac);
	uint8_t got[EVP_MAX_MD_SIZE];
	size_t got_len = 0;
	int done;

	done = mac && EVP_MAC_init(mac, hmac_key, sizeof(hmac_key), parameters) &&
	       EVP_MAC_update(mac, hmac_data, sizeof(hmac_data)) &&
	       EVP_MAC_final(mac, got, &got_len, sizeof(got));
	EVP_MAC_CTX_free(mac);
	return done ? compare(got, got_len, known, known_len, flip) : NO_ANSWER;
}

#define DIGEST_TEST(test, digest, known)                                                           \
	static const char *test(struct crypto *crypto, uint8_t flip)                               \
	{                                                                                          \
		return test_digest(crypto, digest, known, sizeof(known), flip);                    \
	}
#define HMAC_TEST(test, digest, known)                                                             \
	static const char *test(struct crypto *crypto, uint8_t flip)                               \
	{                                                                                          \
		return test_hmac(crypto, digest, known, sizeof(known), flip);                      \
	}

DIGEST_TEST(test_sha256, DIGEST_SHA256, digest_sha256)
DIGEST_TEST(test_sha384, DIGEST_SHA384, digest_sha384)
DIGEST_TEST(test_sha512, DIGEST_SHA512, digest_sha512)
DIGEST_TEST(test_sha3_256, DIGEST_SHA3_256, digest_sha3_256)
HMAC_TEST(test_hmac_sha256, DIGEST_SHA256, hmac_sha256)
HMAC_TEST(test_hmac_sha384, DIGEST_SHA384, hmac_sha384)
HMAC_TEST(test_hmac_sha512, DIGEST_SHA512, hmac_sha512)

/* ---- AES ---- */

/* Two blocks without padding, one direction. */
static bool two_blocks(struct crypto *crypto, enum crypto_cipher cipher, const uint8_t *iv,
                       const uint8_t *in, uint8_t *out, int encrypt)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int len = 0, more = 0;
	bool done;

	done = context &&
	       EVP_CipherInit_ex2(context, crypto_cipher(crypto, cipher, sizeof(aes_key)), aes_key,
	                          iv, encrypt, NULL) &&
	       EVP_CIPHER_CTX_set_padding(context, 0) &&
	       EVP_CipherUpdate(context, out, &len, in, sizeof(aes_plain)) &&
	       EVP_CipherFinal_ex(context, out + len, &more) &&
	       (size_t)len + (size_t)more == sizeof(aes_plain);
	EVP_CIPHER_CTX_free(context);
	return done;
}

static const char *test_blocks(struct crypto *crypto, enum crypto_cipher cipher, const uint8_t *iv,
                               const uint8_t *known, uint8_t flip)
{
	uint8_t out[sizeof(aes_plain)], back[sizeof(aes_plain)];
	const char *problem;

	if (!two_blocks(crypto, cipher, iv, aes_plain, out, 1) ||
	    !two_blocks(crypto, cipher, iv, known, back, 0))
		return NO_ANSWER;
	problem = compare(out, sizeof(out), known, sizeof(aes_plain), flip);
	return problem ? problem : compare(back, sizeof(back), aes_plain, sizeof(aes_plain), 0);
}

static const char *test_cbc(struct crypto *crypto, uint8_t flip)
{
	return test_blocks(crypto, CIPHER_AES_CBC, cbc_iv, cbc_cipher, flip);
}

static const char *test_ctr(struct crypto *crypto, uint8_t flip)
{
	return test_blocks(crypto, CIPHER_AES_CTR, ctr_block, ctr_cipher, flip);
}

static bool gcm_encrypt(EVP_CIPHER_CTX *context, struct crypto *crypto, uint8_t *out, uint8_t *tag)
{
	int len = 0, more = 0;

	return EVP_EncryptInit_ex2(context, crypto_cipher(crypto, CIPHER_AES_GCM, sizeof(gcm_key)),
	                           gcm_key, gcm_iv, NULL) &&
	       EVP_EncryptUpdate(context, NULL, &len, gcm_aad, sizeof(gcm_aad)) &&
	       EVP_EncryptUpdate(context, out, &len, gcm_plain, sizeof(gcm_plain)) &&
	       EVP_EncryptFinal_ex(context, out + len, &more) &&
	       EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, sizeof(gcm_tag), tag);
}

/* 1 for the right tag, 0 for a wrong one. */
static bool gcm_accepts(EVP_CIPHER_CTX *context, struct crypto *crypto, uint8_t *tag)
{
	uint8_t out[sizeof(gcm_cipher)];
	int len = 0, more = 0;

	return EVP_DecryptInit_ex2(context, crypto_cipher(crypto, CIPHER_AES_GCM, sizeof(gcm_key)),
	                           gcm_key, gcm_iv, NULL) &&
	       EVP_DecryptUpdate(context, NULL, &len, gcm_aad, sizeof(gcm_aad)) &&
	       EVP_DecryptUpdate(context, out, &len, gcm_cipher, sizeof(gcm_cipher)) &&
	       EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, sizeof(gcm_tag), tag) &&
	       EVP_DecryptFinal_ex(context, out + len, &more) > 0;
}

static const char *test_gcm(struct crypto *crypto, uint8_t flip)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t out[sizeof(gcm_cipher)], tag[sizeof(gcm_tag)];
	const char *problem = NO_ANSWER;

	if (context && gcm_encrypt(context, crypto, out, tag)) {
		problem = compare(out, sizeof(out), gcm_cipher, sizeof(gcm_cipher), flip);
		if (!problem)
			problem = compare(tag, sizeof(tag), gcm_tag, sizeof(gcm_tag), 0);
		if (!problem && !gcm_accepts(context, crypto, tag))
			problem = "the right tag was refused";
		tag[0] ^= 1;
		if (!problem && gcm_accepts(context, crypto, tag))
			problem = "a wrong tag was accepted";
	}
	EVP_CIPHER_CTX_free(context);
	return problem;
}

/* ---- signatures ---- */

static EVP_PKEY *key_from(struct crypto *crypto, const char *type, OSSL_PARAM_BLD *builder)
{
	EVP_PKEY_CTX *context =
		EVP_PKEY_CTX_new_from_name(crypto->library, type, crypto->properties);
	OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
	EVP_PKEY *key = NULL;

	if (!context || !parameters || EVP_PKEY_fromdata_init(context) <= 0 ||
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, parameters) <= 0)
		key = NULL;
	OSSL_PARAM_free(parameters);
	EVP_PKEY_CTX_free(context);
	return key;
}

static EVP_PKEY *rsa_key(struct crypto *crypto)
{
	BIGNUM *n = BN_bin2bn(rsa_modulus, sizeof(rsa_modulus), NULL);
	BIGNUM *d = BN_bin2bn(rsa_private_exponent, sizeof(rsa_private_exponent), NULL);
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;

	if (n && d && builder && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) &&
	    OSSL_PARAM_BLD_push_uint(builder, OSSL_PKEY_PARAM_RSA_E, 65537) &&
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_D, d))
		key = key_from(crypto, "RSA", builder);
	OSSL_PARAM_BLD_free(builder);
	BN_clear_free(d);
	BN_free(n);
	return key;
}

static EVP_PKEY *ec_key(struct crypto *crypto)
{
	BIGNUM *private = BN_bin2bn(ec_private, sizeof(ec_private), NULL);
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;

	if (private && builder &&
	    OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) &&
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, private) &&
	    OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, ec_public,
	                                     sizeof(ec_public)))
		key = key_from(crypto, "EC", builder);
	OSSL_PARAM_BLD_free(builder);
	BN_clear_free(private);
	return key;
}

/* Signs with SHA-256; the length, or 0. */
static size_t sign(struct crypto *crypto, EVP_PKEY *key, struct wire_bytes message,
                   uint8_t *signature, size_t room)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t len = room;

	if (!context ||
	    EVP_DigestSignInit_ex(context, NULL, "SHA256", crypto->library, crypto->properties, key,
	                          NULL) <= 0 ||
	    EVP_DigestSign(context, signature, &len, message.data, message.len) <= 0)
		len = 0;
	EVP_MD_CTX_free(context);
	return len;
}

static bool verifies(struct crypto *crypto, EVP_PKEY *key, const char *digest,
                     struct wire_bytes message, const uint8_t *signature, size_t len)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool valid;

	valid = context &&
	        EVP_DigestVerifyInit_ex(context, NULL, digest, crypto->library, crypto->properties,
	                                key, NULL) > 0 &&
	        EVP_DigestVerify(context, signature, len, message.data, message.len) == 1;
	EVP_MD_CTX_free(context);
	return valid;
}

/* Accepts the signature and refuses it once it is changed. */
static const char *test_verify(struct crypto *crypto, EVP_PKEY *key, const char *digest,
                               struct wire_bytes message, uint8_t *signature, size_t len)
{
	if (!verifies(crypto, key, digest, message, signature, len))
		return "a right signature was refused";
	signature[len - 1] ^= 1;
	return verifies(crypto, key, digest, message, signature, len)
	               ? "a wrong signature was accepted"
	               : NULL;
}

static const char *test_rsa(struct crypto *crypto, uint8_t flip)
{
	struct wire_bytes message = {rsa_message, sizeof(rsa_message)};
	EVP_PKEY *key = rsa_key(crypto);
	uint8_t signature[sizeof(rsa_signature)];
	const char *problem = NO_ANSWER;
	size_t len;

	if (key) {
		len = sign(crypto, key, message, signature, sizeof(signature));
		problem = compare(signature, len, rsa_signature, sizeof(rsa_signature), flip);
		if (!problem)
			problem = test_verify(crypto, key, "SHA256", message, signature, len);
	}
	EVP_PKEY_free(key);
	return problem;
}

static const char *test_ecdsa(struct crypto *crypto, uint8_t flip)
{
	struct wire_bytes message = {ec_message, sizeof(ec_message)};
	EVP_PKEY *key = ec_key(crypto);
	uint8_t published[sizeof(ec_signature)], signature[80];
	const char *problem = NO_ANSWER;
	size_t len = key ? sign(crypto, key, message, signature, sizeof(signature)) : 0;

	if (len) {
		memcpy(published, ec_signature, sizeof(published));
		published[sizeof(published) / 2] ^= flip;
		problem = test_verify(crypto, key, "SHA256", message, published, sizeof(published));
		if (!problem)
			problem = test_verify(crypto, key, "SHA256", message, signature, len);
	}
	EVP_PKEY_free(key);
	return problem;
}

/* ---- post-quantum, where OpenSSL has it ---- */

/*
 * Key generation from a published seed has a known answer, compared by its SHA-256; so has the
 * rejection of a ciphertext. Signing and encapsulation are tested for consistency: ML-DSA without
 * randomness must give the same signature twice, and what was made must be accepted. Parameters are
 * named by strings, since the headers of OpenSSL 3.0 lack their macros.
 */
static EVP_PKEY *key_from_seed(struct crypto *crypto, const char *type, struct wire_bytes seed)
{
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_octet_string("seed", (void *)(uintptr_t)seed.data, seed.len),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY_CTX *context =
		EVP_PKEY_CTX_new_from_name(crypto->library, type, crypto->properties);
	EVP_PKEY *key = NULL;

	if (!context || EVP_PKEY_keygen_init(context) <= 0 ||
	    EVP_PKEY_CTX_set_params(context, parameters) <= 0 ||
	    EVP_PKEY_generate(context, &key) <= 0)
		key = NULL;
	EVP_PKEY_CTX_free(context);
	return key;
}

static const char *compare_public(struct crypto *crypto, EVP_PKEY *key, const uint8_t known[32],
                                  uint8_t flip)
{
	uint8_t public[1312], got[EVP_MAX_MD_SIZE];
	unsigned int got_len = 0;
	size_t len = 0;

	if (!EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, public, sizeof(public),
	                                     &len) ||
	    !EVP_Digest(public, len, got, &got_len, crypto_md(crypto, DIGEST_SHA256), NULL))
		return NO_ANSWER;
	return compare(got, got_len, known, 32, flip);
}

#define ML_DSA_44_SIGNATURE_LEN 2420u

static bool ml_dsa_sign(struct crypto *crypto, EVP_PKEY *key,
                        uint8_t signature[ML_DSA_44_SIGNATURE_LEN])
{
	int deterministic = 1;
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_int("deterministic", &deterministic),
		OSSL_PARAM_construct_end(),
	};
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t len = ML_DSA_44_SIGNATURE_LEN;
	bool done;

	done = context &&
	       EVP_DigestSignInit_ex(context, NULL, NULL, crypto->library, crypto->properties, key,
	                             parameters) > 0 &&
	       EVP_DigestSign(context, signature, &len, message_abc, sizeof(message_abc)) > 0 &&
	       len == ML_DSA_44_SIGNATURE_LEN;
	EVP_MD_CTX_free(context);
	return done;
}

static const char *ml_dsa_round(struct crypto *crypto, EVP_PKEY *key)
{
	struct wire_bytes message = {message_abc, sizeof(message_abc)};
	uint8_t signature[ML_DSA_44_SIGNATURE_LEN], again[ML_DSA_44_SIGNATURE_LEN];

	if (!ml_dsa_sign(crypto, key, signature) || !ml_dsa_sign(crypto, key, again))
		return NO_ANSWER;
	if (CRYPTO_memcmp(signature, again, sizeof(signature)))
		return "two signatures without randomness differ";
	return test_verify(crypto, key, NULL, message, signature, sizeof(signature));
}

static const char *test_ml_dsa(struct crypto *crypto, uint8_t flip)
{
	EVP_SIGNATURE *algorithm =
		EVP_SIGNATURE_fetch(crypto->library, "ML-DSA-44", crypto->properties);
	struct wire_bytes seed = {ml_dsa_seed, sizeof(ml_dsa_seed)};
	const char *problem = NO_ANSWER;
	EVP_PKEY *key;

	if (!algorithm)
		return POST_TEST_UNAVAILABLE;
	key = key_from_seed(crypto, "ML-DSA-44", seed);
	if (key)
		problem = compare_public(crypto, key, ml_dsa_public_sha256, flip);
	if (key && !problem)
		problem = ml_dsa_round(crypto, key);
	EVP_PKEY_free(key);
	EVP_SIGNATURE_free(algorithm);
	return problem;
}

#define ML_KEM_768_CIPHER_LEN 1088u

static bool decapsulate(EVP_PKEY_CTX *context, const uint8_t cipher[ML_KEM_768_CIPHER_LEN],
                        uint8_t secret[32])
{
	size_t len = 32;

	return EVP_PKEY_decapsulate_init(context, NULL) > 0 &&
	       EVP_PKEY_decapsulate(context, secret, &len, cipher, ML_KEM_768_CIPHER_LEN) > 0 &&
	       len == 32;
}

static const char *ml_kem_round(EVP_PKEY_CTX *context)
{
	uint8_t cipher[ML_KEM_768_CIPHER_LEN], sent[32], received[32];
	size_t cipher_len = sizeof(cipher), sent_len = sizeof(sent);
	const char *problem = NO_ANSWER;

	if (EVP_PKEY_encapsulate_init(context, NULL) > 0 &&
	    EVP_PKEY_encapsulate(context, cipher, &cipher_len, sent, &sent_len) > 0 &&
	    cipher_len == sizeof(cipher) && decapsulate(context, cipher, received))
		problem = compare(received, sizeof(received), sent, sent_len, 0);
	wire_wipe(sent, sizeof(sent));
	wire_wipe(received, sizeof(received));
	return problem;
}

static const char *ml_kem_reject(EVP_PKEY_CTX *context)
{
	const uint8_t zeros[ML_KEM_768_CIPHER_LEN] = {0};
	uint8_t secret[32];

	if (!decapsulate(context, zeros, secret))
		return NO_ANSWER;
	return compare(secret, sizeof(secret), ml_kem_rejected, sizeof(ml_kem_rejected), 0);
}

static const char *test_ml_kem(struct crypto *crypto, uint8_t flip)
{
	EVP_KEM *algorithm = EVP_KEM_fetch(crypto->library, "ML-KEM-768", crypto->properties);
	struct wire_bytes seed = {ml_kem_seed, sizeof(ml_kem_seed)};
	EVP_PKEY_CTX *context = NULL;
	const char *problem = NO_ANSWER;
	EVP_PKEY *key;

	if (!algorithm)
		return POST_TEST_UNAVAILABLE;
	key = key_from_seed(crypto, "ML-KEM-768", seed);
	if (key)
		problem = compare_public(crypto, key, ml_kem_public_sha256, flip);
	if (key && !problem) {
		context = EVP_PKEY_CTX_new_from_pkey(crypto->library, key, crypto->properties);
		problem = context ? ml_kem_reject(context) : NO_ANSWER;
	}
	if (context && !problem)
		problem = ml_kem_round(context);
	EVP_PKEY_CTX_free(context);
	EVP_PKEY_free(key);
	EVP_KEM_free(algorithm);
	return problem;
}

/* ---- entropy and DRBG ---- */

/* The source passes its start-up test, and each health test finds what it is for. */
static const char *test_entropy(struct crypto *crypto, uint8_t flip)
{
	struct entropy_tests stuck = {0}, biased = {0};
	uint8_t samples[ENTROPY_WINDOW_LEN];
	struct entropy source;

	(void)crypto;
	if (!entropy_start(&source))
		return source.failure;
	memset(samples, 0x55, sizeof(samples));
	if (!entropy_test(&stuck, samples, ENTROPY_REPETITION_CUTOFF))
		return "a stuck source was accepted";
	for (size_t i = 0; i < sizeof(samples); i++)
		samples[i] = i % 2 ? (uint8_t)i : 0x55;
	if (!entropy_test(&biased, samples, sizeof(samples)))
		return "a biased source was accepted";
	return flip ? WRONG_ANSWER : NULL;
}

static EVP_RAND_CTX *rand_context(struct crypto *crypto, const char *name, EVP_RAND_CTX *parent)
{
	EVP_RAND *algorithm = EVP_RAND_fetch(crypto->library, name, "provider=default");
	EVP_RAND_CTX *context = algorithm ? EVP_RAND_CTX_new(algorithm, parent) : NULL;

	EVP_RAND_free(algorithm);
	return context;
}

static bool drbg_output(EVP_RAND_CTX *source, EVP_RAND_CTX *drbg, uint8_t *out, size_t len)
{
	unsigned int strength = 256;
	OSSL_PARAM fixed[] = {
		OSSL_PARAM_construct_octet_string(OSSL_RAND_PARAM_TEST_ENTROPY,
	                                          (void *)(uintptr_t)drbg_entropy,
	                                          sizeof(drbg_entropy)),
		OSSL_PARAM_construct_octet_string(OSSL_RAND_PARAM_TEST_NONCE,
	                                          (void *)(uintptr_t)drbg_nonce,
	                                          sizeof(drbg_nonce)),
		OSSL_PARAM_construct_uint(OSSL_RAND_PARAM_STRENGTH, &strength),
		OSSL_PARAM_construct_end(),
	};
	OSSL_PARAM kind[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_MAC, (char *)(uintptr_t) "HMAC",
	                                         0),
		OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_DIGEST,
	                                         (char *)(uintptr_t) "SHA256", 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_RAND_CTX_set_params(source, fixed) &&
	       EVP_RAND_instantiate(source, strength, 0, NULL, 0, NULL) &&
	       /* Empty, not absent: OpenSSL has a personalisation string of its own for those who
	          give none. */
	       EVP_RAND_instantiate(drbg, strength, 0, (const unsigned char *)"", 0, kind) &&
	       EVP_RAND_generate(drbg, out, len, strength, 0, NULL, 0) &&
	       EVP_RAND_generate(drbg, out, len, strength, 0, NULL, 0);
}

static const char *test_drbg(struct crypto *crypto, uint8_t flip)
{
	EVP_RAND_CTX *source = rand_context(crypto, "TEST-RAND", NULL);
	EVP_RAND_CTX *drbg = source ? rand_context(crypto, "HMAC-DRBG", source) : NULL;
	uint8_t out[sizeof(drbg_output_known)];
	const char *problem = NO_ANSWER;

	if (drbg && drbg_output(source, drbg, out, sizeof(out)))
		problem = compare(out, sizeof(out), drbg_output_known, sizeof(drbg_output_known),
		                  flip);
	EVP_RAND_CTX_free(drbg);
	EVP_RAND_CTX_free(source);
	return problem;
}

const struct post_test post_tests[POST_TEST_COUNT] = {
	{"SHA-256", test_sha256},
	{"SHA-384", test_sha384},
	{"SHA-512", test_sha512},
	{"SHA3-256", test_sha3_256},
	{"HMAC-SHA-256", test_hmac_sha256},
	{"HMAC-SHA-384", test_hmac_sha384},
	{"HMAC-SHA-512", test_hmac_sha512},
	{"AES-256-GCM", test_gcm},
	{"AES-256-CBC", test_cbc},
	{"AES-256-CTR", test_ctr},
	{"RSA-2048 sign/verify", test_rsa},
	{"ECDSA P-256 sign/verify", test_ecdsa},
	{"ML-DSA-44", test_ml_dsa},
	{"ML-KEM-768", test_ml_kem},
	{"entropy source health", test_entropy},
	{"HMAC-DRBG", test_drbg},
};
