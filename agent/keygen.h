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
#include "operation.h"
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
/* Is the public half what the private one makes? */
bool keygen_public_follows(struct crypto *crypto, EVP_PKEY *pkey);
/* The pairwise consistency test of a new pair: one half signs and the other verifies, or in their
 * kind's way; outside FIPS mode a curve's point is computed anew. Failure: the error state and
 * ERROR_CRYPTO. */
enum err keygen_pairwise_test(struct crypto *crypto, const struct config *config,
                              EVP_PKEY *pkey) MUST_CHECK;
/* Appends the wrapped key. */
enum err keygen_wrap(struct crypto *crypto, const struct mechanism *mechanism,
                     const struct wire_mechanism *parameter, struct object *wrapping_key,
                     struct object *key, struct wire_buffer *out) MUST_CHECK;
/* Unwraps into `set`, which has class and key type: CKA_VALUE, or the parts of a private key from
 * PKCS#8. */
enum err keygen_unwrap(struct crypto *crypto, const struct mechanism *mechanism,
                       const struct wire_mechanism *parameter, struct object *unwrapping_key,
                       struct wire_bytes wrapped, struct attributes *set) MUST_CHECK;
/* What a key is derived from. */
struct derivation {
	const struct mechanism *mechanism;
	const struct wire_mechanism *parameter;
	struct object *base;
	struct object *other; /* the second key, when the parameter names one; else NULL */
};
/* Derives into `set`, which has what the template said: its length, and the protection that must
 * not be less than that of a key whose octets it shows. */
enum err keygen_derive(struct crypto *crypto, const struct derivation *derivation,
                       struct attributes *set) MUST_CHECK;
/* The handle of the second key that the parameter names; false when it names none. */
bool keygen_other_key(const struct mechanism *mechanism, const struct wire_mechanism *parameter,
                      uint64_t *handle);
/* The shared secret of ML-KEM into `set`, which has what the template said, and the ciphertext
 * appended; and back. Errors as for deriving, and ERROR_WRAPPED_KEY_LENGTH. A damaged ciphertext
 * gives another secret, no error. */
enum err keygen_encapsulate(struct crypto *crypto, const struct mechanism *mechanism,
                            const struct wire_mechanism *parameter, struct object *public_key,
                            struct wire_buffer *cipher, struct attributes *set) MUST_CHECK;
enum err keygen_decapsulate(struct crypto *crypto, const struct mechanism *mechanism,
                            const struct wire_mechanism *parameter, struct object *private_key,
                            struct wire_bytes cipher, struct attributes *set) MUST_CHECK;
/* Octets of the ciphertext, for length queries; 0 when the key cannot encapsulate. */
size_t keygen_encapsulated_len(const struct object *public_key);
/* Does this mechanism derive a data object instead of a key? */
bool keygen_makes_data(const struct mechanism *mechanism);
/* True when making a key by this mechanism takes more than about a millisecond (RSA, PBKDF2). */
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

/* What a mechanism that makes keys implements. Wrapping rarely needs anything here: it is
 * encryption. */
struct key_methods {
	enum err (*generate)(struct crypto *crypto, const struct mechanism *mechanism,
	                     const struct wire_mechanism *parameter, struct attributes *set);
	/* Makes the pair and leaves its attributes to keygen_pair. */
	enum err (*generate_pair)(struct crypto *crypto, const struct mechanism *mechanism,
	                          const struct attributes *public_set, EVP_PKEY **pkey);
	enum err (*derive)(struct crypto *crypto, const struct derivation *derivation,
	                   struct attributes *set);
	/* May be NULL: the parameter names no key. */
	bool (*other_key)(const struct wire_mechanism *parameter, uint64_t *handle);
	/* Of mechanisms whose wrapping is no operation of its own. */
	enum err (*wrap)(struct crypto *crypto, const struct wire_mechanism *parameter,
	                 struct object *wrapping_key, struct wire_bytes plain,
	                 struct wire_buffer *out);
	enum err (*unwrap)(struct crypto *crypto, const struct wire_mechanism *parameter,
	                   struct object *unwrapping_key, struct wire_bytes wrapped,
	                   struct wire_buffer *out);
	bool transparent; /* the derived key shows octets of the base key */
	bool makes_data;  /* derives a data object */
	bool slow;        /* takes more than about a millisecond */
};

extern const struct key_methods keygen_rsa_methods;
extern const struct key_methods keygen_ec_methods;
extern const struct key_methods keygen_secret_methods;
extern const struct key_methods keygen_ecdh_methods;
extern const struct key_methods keygen_join_keys_methods;
extern const struct key_methods keygen_join_data_methods;
extern const struct key_methods keygen_xor_methods;
extern const struct key_methods keygen_extract_methods;
extern const struct key_methods keygen_hash_methods;
extern const struct key_methods keygen_encrypt_data_methods;
extern const struct key_methods keygen_hkdf_methods;
extern const struct key_methods keygen_hkdf_data_methods;
extern const struct key_methods keygen_kbkdf_methods;
extern const struct key_methods keygen_pbkdf2_methods;
extern const struct key_methods keygen_rsa_aes_methods;
extern const struct key_methods keygen_lattice_methods; /* ML-KEM, ML-DSA */
extern const struct key_methods keygen_slh_dsa_methods;

/* For keygen_*.c. */

#define KEYGEN_SECRET_MAX 4096u /* octets of a secret key */

/* The length that a derived key is to have: what the template asks for, else what its type fixes,
 * else `usual` (0: it must ask). ERROR_TEMPLATE_INCOMPLETE, ERROR_TEMPLATE_INCONSISTENT (no secret
 * key), ERROR_KEY_SIZE (not for its type, or above `max`). */
enum err keygen_derived_len(const struct attributes *set, size_t usual, size_t max,
                            size_t *len) MUST_CHECK;
/* CKA_VALUE, of a length that was checked. */
enum err keygen_put_value(struct attributes *set, struct wire_bytes value) MUST_CHECK;
/* Both: the beginning of the material. */
enum err keygen_put_derived(struct attributes *set, struct wire_bytes material,
                            size_t usual) MUST_CHECK;
/* ERROR_TEMPLATE_INCONSISTENT when the set protects octets less than the keys they come from. */
enum err keygen_check_inherited(const struct derivation *derivation,
                                const struct attributes *set) MUST_CHECK;
/* Encrypts or decrypts a whole by a mechanism that wraps; the result is appended. */
enum err keygen_wrapping(struct crypto *crypto, enum operation_kind kind,
                         const struct mechanism *mechanism, const struct wire_mechanism *parameter,
                         struct object *key, struct wire_bytes in,
                         struct wire_buffer *out) MUST_CHECK;

#endif
