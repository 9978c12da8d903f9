/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contexts of OpenSSL that were set up for one key and one use, kept in the key's object for the
 * next operation of the same sort: setting one up costs as much as a short operation. A context is
 * somebody's alone while it is taken, so several threads may work with one key.
 */
#ifndef AGENT_CRYPTO_KEPT_H
#define AGENT_CRYPTO_KEPT_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

struct operation;

struct crypto_kept {
	/* What it was set up for. */
	uint64_t mechanism;
	unsigned int kind; /* enum operation_kind */
	uint64_t detail;
	/* One of these, or neither while it is still to be set up. */
	EVP_PKEY_CTX *pkey;
	EVP_CIPHER_CTX *cipher;
};

/* One for the operation's key, mechanism and kind, and for `detail`: whatever else of its parameter
 * the context remembers. It may be one that has no context yet. NULL without memory. */
struct crypto_kept *crypto_kept_take(const struct operation *operation, uint64_t detail);
/* Gives it back: for others, if it is still good, or else it is freed. NULL is allowed. */
void crypto_kept_put(const struct operation *operation, struct crypto_kept *kept, bool is_good);
/* With its key. NULL is allowed. */
void crypto_kept_free(struct crypto_kept *kept);

/* Its EVP_PKEY_CTX, made and set up to sign or verify with `params` if it has none. NULL when
 * OpenSSL refuses. */
EVP_PKEY_CTX *crypto_kept_pkey(struct crypto_kept *kept, const struct operation *operation,
                               EVP_PKEY *pkey, const OSSL_PARAM *params);
/* Its EVP_CIPHER_CTX, at the beginning of a message under this IV (NULL: the mode has none), with
 * the padding that the mechanism has. NULL when OpenSSL refuses. */
EVP_CIPHER_CTX *crypto_kept_cipher(struct crypto_kept *kept, const struct operation *operation,
                                   const uint8_t *iv);

#endif
