/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parameter sets of ML-KEM, ML-DSA and SLH-DSA (FIPS 203 to 205) and keys of them. They are
 * known on every OpenSSL and work where it has them (3.5).
 */
#ifndef AGENT_CRYPTO_PQC_H
#define AGENT_CRYPTO_PQC_H

#include "crypto.h"
#include "object.h"

struct crypto_parameter_set {
	uint64_t key_type; /* CKK_ML_KEM, CKK_ML_DSA or CKK_SLH_DSA */
	uint64_t number;   /* CKP_*, the value of CKA_PARAMETER_SET */
	const char *name;  /* as OpenSSL names it */
	size_t public_len; /* octets */
	size_t output_len; /* octets of a signature or of a ciphertext */
};

/* Is it one of the three? */
bool crypto_pqc_type(uint64_t key_type);
/* The set of this number, static; NULL when there is none. */
const struct crypto_parameter_set *crypto_pqc_set(uint64_t key_type, uint64_t number);
/* The set of a key, static; NULL when it is none of ours. */
const struct crypto_parameter_set *crypto_pqc_set_of(const EVP_PKEY *pkey);
/* From CKA_PARAMETER_SET and CKA_VALUE, or for a private key CKA_SEED alone. The caller frees it.
 * ERROR_TEMPLATE_INCOMPLETE, ERROR_ATTRIBUTE_VALUE. */
enum err crypto_pqc_make(struct crypto *crypto, const struct attributes *set, uint64_t key_type,
                         bool is_private, EVP_PKEY **pkey) MUST_CHECK;
/* Puts CKA_PARAMETER_SET and CKA_VALUE; of a private key also CKA_SEED, if it is known. */
enum err crypto_pqc_attributes(EVP_PKEY *pkey, const struct crypto_parameter_set *parameter_set,
                               bool is_private, struct attributes *set) MUST_CHECK;

/* ML-KEM's two halves. Both secrets have this length. */
#define CRYPTO_KEM_SECRET_LEN 32u
/* Appends the ciphertext. */
enum err crypto_kem_encapsulate(struct crypto *crypto, EVP_PKEY *pkey, struct wire_buffer *cipher,
                                uint8_t secret[CRYPTO_KEM_SECRET_LEN]) MUST_CHECK;
/* A ciphertext of the right length always gives a secret: a damaged one gives another (FIPS 203
 * §6.3). ERROR_ENCRYPTED_DATA_LENGTH. */
enum err crypto_kem_decapsulate(struct crypto *crypto, EVP_PKEY *pkey, struct wire_bytes cipher,
                                uint8_t secret[CRYPTO_KEM_SECRET_LEN]) MUST_CHECK;

#endif
