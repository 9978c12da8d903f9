/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting keys into a token: what importing a file and importing a token share. A private or secret
 * key comes in wrapped, by a session key that lives as long as the import; only the token opens it.
 */
#ifndef ADMIN_KEY_MOVE_H
#define ADMIN_KEY_MOVE_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "key_type.h"

#define KEY_MOVE_WRAP_LEN 32u /* octets of an AES-256 key */

/* What has been put into the token so far, so that all of it can be taken back. */
struct key_move {
	const struct cryptoki *token;
	CK_OBJECT_HANDLE wrapping_key; /* 0: not made */
	uint8_t wrapping_value[KEY_MOVE_WRAP_LEN];
	CK_OBJECT_HANDLE *made;
	size_t made_count;
};

/* Makes the wrapping key. False with a line; to be ended either way. */
bool key_move_begin(struct key_move *move, const struct cryptoki *token);
/* Destroys the wrapping key; with `keep` false, what was made, too. */
void key_move_end(struct key_move *move, bool keep);

/* Opens what was wrapped by the wrapping key with CKM_AES_KEY_WRAP_PAD into an object of this
 * template. */
CK_RV key_move_unwrap(struct key_move *move, uint8_t *wrapped, size_t wrapped_len,
                      const struct cryptoki_template *template);
CK_RV key_move_create(struct key_move *move, const struct cryptoki_template *template);
/* A private key: PKCS#8, wrapped here, and unwrapped there. */
CK_RV key_move_private(struct key_move *move, EVP_PKEY *pkey,
                       const struct cryptoki_template *template);
/* A public key, of the attributes that its type has. */
CK_RV key_move_public(struct key_move *move, EVP_PKEY *pkey, struct cryptoki_template *template);
/* A certificate with its names; the template has the label and the identifier. */
CK_RV key_move_certificate(struct key_move *move, X509 *certificate,
                           struct cryptoki_template *template);
/* The identifier that both halves of a pair and its certificate share: SHA-1 of the public key (RFC
 * 5280 section 4.2.1.2). */
bool key_move_id(EVP_PKEY *pkey, uint8_t id[20]);
/* CKK_* of a key, CK_UNAVAILABLE_INFORMATION when PKCS#11 has none. */
CK_KEY_TYPE key_move_type(const EVP_PKEY *pkey);

#endif
