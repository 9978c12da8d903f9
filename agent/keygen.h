/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making keys: generate, wrap, unwrap, derive. Works on attribute sets: it reads what the template
 * says (CKA_MODULUS_BITS, CKA_EC_PARAMS, CKA_VALUE_LEN) and puts the key material in. Publishing
 * objects and policy are the caller's.
 */
#ifndef AGENT_KEYGEN_H
#define AGENT_KEYGEN_H

#include "crypto.h"
#include "mechanism.h"
#include "object.h"
#include "wire/codec.h"

struct config;

/* Secret key into `set`. */
enum err keygen_secret(struct crypto *crypto, const struct mechanism *mechanism,
                       const struct wire_mechanism *parameter, struct attributes *set) MUST_CHECK;
/* Key pair into both sets; runs the pairwise consistency test (sign and verify, or derive, with the
 * new pair). */
enum err keygen_pair(struct crypto *crypto, const struct config *config,
                     const struct mechanism *mechanism, const struct wire_mechanism *parameter,
                     struct attributes *public_set, struct attributes *private_set) MUST_CHECK;
/* Does a signature of the private half verify with the public one? */
bool keygen_halves_agree(struct crypto *crypto, EVP_PKEY *pkey);
/* Do the parts of a private key from outside belong together? ERROR_ATTRIBUTE_VALUE. */
enum err keygen_check_private(struct crypto *crypto, EVP_PKEY *pkey) MUST_CHECK;
/* Signs with one half and verifies with the other. Failure: the error state and ERROR_CRYPTO. */
enum err keygen_pairwise_test(struct crypto *crypto, EVP_PKEY *pkey) MUST_CHECK;
/* Appends the wrapped key. */
enum err keygen_wrap(struct crypto *crypto, const struct mechanism *mechanism,
                     const struct wire_mechanism *parameter, struct object *wrapping_key,
                     struct object *key, struct wire_buffer *out) MUST_CHECK;
/* Unwraps into `set`, which has class and key type: CKA_VALUE, or the parts of a private key from
 * PKCS#8. */
enum err keygen_unwrap(struct crypto *crypto, const struct mechanism *mechanism,
                       const struct wire_mechanism *parameter, struct object *unwrapping_key,
                       struct wire_bytes wrapped, struct attributes *set) MUST_CHECK;
enum err keygen_derive(struct crypto *crypto, const struct mechanism *mechanism,
                       const struct wire_mechanism *parameter, struct object *base_key,
                       struct attributes *set) MUST_CHECK;
/* True when keygen_pair of this mechanism takes more than about a millisecond (RSA). */
bool keygen_is_slow(const struct mechanism *mechanism);
/* Checks imported key material (C_CreateObject): RSA parts consistent, the EC point on its curve,
 * AES length ...; adds what can be computed (CKA_PRIME_1's exponents) and turns a raw CKA_EC_POINT
 * into the DER form. The lengths of a secret key are bounded here too. */
enum err keygen_check(struct crypto *crypto, const struct config *config,
                      struct attributes *set) MUST_CHECK;

/* May a secret key of this type have this length (octets)? */
bool keygen_secret_len_valid(uint64_t key_type, uint64_t len);
/* The length that the template gives or the key type has; CK_UNAVAILABLE_INFORMATION when neither
 * does. */
uint64_t keygen_secret_len(const struct attributes *set);
/* May it have this value, whose length is good? */
bool keygen_secret_value_valid(uint64_t key_type, struct wire_bytes value);

/* What a mechanism that makes keys implements. Wrapping needs nothing here: it is encryption. */
struct key_methods {
	enum err (*generate)(struct crypto *crypto, const struct mechanism *mechanism,
	                     struct attributes *set);
	/* Makes the pair and leaves its attributes to keygen_pair. */
	enum err (*generate_pair)(struct crypto *crypto, const struct mechanism *mechanism,
	                          const struct attributes *public_set, EVP_PKEY **pkey);
	enum err (*derive)(struct crypto *crypto, const struct mechanism *mechanism,
	                   const struct wire_mechanism *parameter, struct object *base_key,
	                   struct attributes *set);
	bool slow; /* takes more than about a millisecond */
};

extern const struct key_methods keygen_rsa_methods;
extern const struct key_methods keygen_ec_methods;
extern const struct key_methods keygen_secret_methods;
extern const struct key_methods keygen_ecdh_methods;

#endif
