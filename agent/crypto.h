/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one OpenSSL library context of the agent, its DRBG and the algorithms it fetched once.
 * Everything cryptographic in the agent takes a `struct crypto *`; nothing uses the default
 * context.
 */
#ifndef AGENT_CRYPTO_H
#define AGENT_CRYPTO_H

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/types.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "state.h"
#include "wire/buffer.h"

struct drbg;

enum crypto_digest {
	DIGEST_NONE,
	DIGEST_SHA1,
	DIGEST_SHA224,
	DIGEST_SHA256,
	DIGEST_SHA384,
	DIGEST_SHA512,
	DIGEST_SHA512_224,
	DIGEST_SHA512_256,
	DIGEST_SHA3_224,
	DIGEST_SHA3_256,
	DIGEST_SHA3_384,
	DIGEST_SHA3_512,
	DIGEST_SHAKE128, /* 32 octets of it: only as the hash of a signature */
	DIGEST_SHAKE256, /* 64 octets */
	DIGEST_COUNT,
};

enum crypto_cipher {
	CIPHER_AES_ECB,
	CIPHER_AES_CBC,
	CIPHER_AES_CTR,
	CIPHER_AES_OFB,
	CIPHER_AES_CFB8,
	CIPHER_AES_CFB128,
	CIPHER_AES_CTS, /* CBC with ciphertext stealing */
	CIPHER_AES_GCM,
	CIPHER_AES_CCM,
	CIPHER_AES_WRAP,     /* RFC 3394 */
	CIPHER_AES_WRAP_PAD, /* RFC 5649 */
	CIPHER_AES_XTS,      /* its key is two keys */
	CIPHER_CHACHA20_POLY1305,
	CIPHER_COUNT,
};

#define CRYPTO_CURVES 8u

/* Makes key pairs on one curve, for one thread at a time. */
struct crypto_pair_maker {
	pthread_mutex_t lock;
	EVP_PKEY_CTX *context;
};

struct crypto {
	OSSL_LIB_CTX *library;
	const char *properties; /* NULL, or the property query in force */
	struct drbg *drbg;
	_Atomic uint64_t next_iv; /* 0: to be chosen */
	struct state *state;
	EVP_MD *digests[DIGEST_COUNT];        /* [DIGEST_NONE] is NULL */
	EVP_CIPHER *ciphers[CIPHER_COUNT][3]; /* by the lengths of key that it takes, ascending */
	EC_GROUP *groups[CRYPTO_CURVES]; /* of crypto_curve.c's table; NULL where there is none */
	struct crypto_pair_maker pair_makers[CRYPTO_CURVES];
	EVP_MAC *hmac, *cmac, *gmac;
	EVP_KDF *pbkdf2, *hkdf;
	bool has_eddsa_instances;                 /* Ed25519ctx and the like: OpenSSL 3.2 */
	bool has_ml_kem, has_ml_dsa, has_slh_dsa; /* OpenSSL 3.5 */
	OSSL_PROVIDER *default_provider;
	OSSL_PROVIDER *entropy_provider;
};

/* Makes the context: providers, the DRBG over the health-tested source, all fetches. slots_open
 * comes first. 0 or -1. */
int crypto_open(struct crypto **crypto, struct state *state, char *error, size_t error_len);
void crypto_close(struct crypto *crypto);

/* Of crypto_open and crypto_close, in crypto_curve.c: what is made once for each curve. */
bool crypto_curve_open(struct crypto *crypto);
void crypto_curve_close(struct crypto *crypto);

/* Octets from the DRBG (the calling thread's private instance). ERROR_RANDOM when it fails. */
enum err crypto_random(struct crypto *crypto, void *octets, size_t len) MUST_CHECK;
/* The next number for an IV that the agent makes: none comes twice while it lives. Begins anywhere.
 */
enum err crypto_next_iv(struct crypto *crypto, uint64_t *number) MUST_CHECK;
/* They go on from another place: this machine may be a copy. */
void crypto_forget_ivs(struct crypto *crypto);
const EVP_MD *crypto_md(const struct crypto *crypto, enum crypto_digest digest);
/* Octets of the hash. */
size_t crypto_digest_len(const struct crypto *crypto, enum crypto_digest digest);
/* The hash of a message, of that length. False when OpenSSL fails. */
bool crypto_digest(const struct crypto *crypto, enum crypto_digest digest, struct wire_bytes data,
                   uint8_t hash[EVP_MAX_MD_SIZE]) MUST_CHECK;
/* Ends a context that was given the message. */
bool crypto_digest_finish(EVP_MD_CTX *context, size_t len,
                          uint8_t hash[EVP_MAX_MD_SIZE]) MUST_CHECK;
/* "SHA256" as OpenSSL names it; NULL for DIGEST_NONE. */
const char *crypto_digest_name(enum crypto_digest digest);
/* NULL when the cipher has no key of this length. */
const EVP_CIPHER *crypto_cipher(const struct crypto *crypto, enum crypto_cipher cipher,
                                size_t key_len);
/* Empties OpenSSL's error queue of this thread into one log line at debug level; call after a
 * failure. */
void crypto_log_errors(const char *what);

/*
 * AES-256-GCM with a fresh random nonce, for the store and wrapped keys. sealed = nonce(12) ||
 * ciphertext || tag(16), so it has in_len + CRYPTO_SEAL_OVERHEAD octets; `out` must have room.
 */
#define CRYPTO_SEAL_OVERHEAD 28u
#define CRYPTO_KEY_LEN       32u
enum err crypto_seal(struct crypto *crypto, const uint8_t key[CRYPTO_KEY_LEN],
                     struct wire_bytes aad, struct wire_bytes in, uint8_t *out) MUST_CHECK;
/* The reverse; out has in.len - CRYPTO_SEAL_OVERHEAD octets. ERROR_STORE_CORRUPT when the tag is
 * wrong (out is wiped). */
enum err crypto_open_sealed(struct crypto *crypto, const uint8_t key[CRYPTO_KEY_LEN],
                            struct wire_bytes aad, struct wire_bytes in, uint8_t *out) MUST_CHECK;
/* PBKDF2-HMAC-SHA-256; slow on purpose, worker threads only. */
enum err crypto_pbkdf2(struct crypto *crypto, struct wire_bytes pin, struct wire_bytes salt,
                       uint64_t iterations, uint8_t key[CRYPTO_KEY_LEN]) MUST_CHECK;

#endif
