/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of mechanisms and its lookup. A mechanism that two settings of the configuration see
 * differently has two rows, the permissive one first. Parameter shapes are wire/mechanism.def's;
 * what a mechanism does is behind the methods.
 */
#include "mechanism.h"

#include "config.h"
#include "crypto_methods.h"
#include "keygen.h"

#define NO_KEY CK_UNAVAILABLE_INFORMATION

#define RSA_MIN      2048
#define RSA_WEAK_MIN 1024
#define RSA_MAX      4096
/* Secret keys of 1 to 4096 octets. */
#define SECRET_MIN 8
#define SECRET_MAX 32768

#define SIGN    (CKF_SIGN | CKF_VERIFY)
#define RECOVER (CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER)
#define ENCRYPT (CKF_ENCRYPT | CKF_DECRYPT)
#define WRAP    (CKF_WRAP | CKF_UNWRAP)

/* One row; what it is beyond its key follows. */
#define ROW(number, key, other, smallest, largest, does, ...)                                      \
	{                                                                                          \
		.type = number, .key_type = key, .other_key_type = other, .min_key = smallest,     \
		.max_key = largest, .functions = does, __VA_ARGS__                                 \
	}

/* Weak keys are for compatibility: a configuration that allows them is no approved mode. */
#define RSA(number, does, what, approved, ...)                                                     \
	ROW(number, CKK_RSA, NO_KEY, RSA_WEAK_MIN, RSA_MAX, does, .needs = NEEDS_WEAK_RSA | what,  \
	    .fips_approved = false, __VA_ARGS__),                                                  \
		ROW(number, CKK_RSA, NO_KEY, RSA_MIN, RSA_MAX, does, .needs = what,                \
	            .fips_approved = approved, __VA_ARGS__)
#define RSA_SIGN(number, does, what, hash)                                                         \
	RSA(number, does, what, !(what), .digest = hash, .operation = &crypto_rsa_signature_methods)
#define RSA_SHA1(number)                                                                           \
	RSA_SIGN(number, SIGN, NEEDS_SHA1_SIGNING, DIGEST_SHA1),                                   \
		RSA_SIGN(number, CKF_VERIFY, 0, DIGEST_SHA1)

#define EC(number, does, ...)                                                                      \
	ROW(number, CKK_EC, NO_KEY, 256, 521, does,                                                \
	    .ec_flags = CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS, __VA_ARGS__)
#define ECDSA(number, does, hash, ...)                                                             \
	EC(number, does, .digest = hash, .operation = &crypto_ecdsa_methods, __VA_ARGS__)
#define EDWARDS(number, does, ...)                                                                 \
	ROW(number, CKK_EC_EDWARDS, NO_KEY, 255, 448, does,                                        \
	    .ec_flags = CKF_EC_F_P | CKF_EC_NAMEDCURVE, .fips_approved = true, __VA_ARGS__)

#define AES(number, does, ...)                                                                     \
	ROW(number, CKK_AES, NO_KEY, 16, 32, does, .fips_approved = true, __VA_ARGS__)
#define DIGEST(number, hash)                                                                       \
	ROW(number, NO_KEY, NO_KEY, 0, 0, CKF_DIGEST, .digest = hash, .fips_approved = true,       \
	    .operation = &crypto_digest_methods)
#define HMAC(number, key, hash)                                                                    \
	ROW(number, CKK_GENERIC_SECRET, key, SECRET_MIN, SECRET_MAX, SIGN, .digest = hash,         \
	    .fips_approved = true, .operation = &crypto_hmac_methods)
/* A hash function with its HMACs, whose numbers follow it. */
#define HASH(name, hash)                                                                           \
	DIGEST(CKM_##name, hash), HMAC(CKM_##name##_HMAC, CKK_##name##_HMAC, hash),                \
		HMAC(CKM_##name##_HMAC_GENERAL, CKK_##name##_HMAC, hash)
#define SECRET_GEN(number, made, smallest, largest)                                                \
	ROW(number, made, NO_KEY, smallest, largest, CKF_GENERATE, .fips_approved = true,          \
	    .key = &keygen_secret_methods)
#define HMAC_GEN(name) SECRET_GEN(CKM_##name##_KEY_GEN, CKK_##name##_HMAC, SECRET_MIN, SECRET_MAX)

/* Sizes are octets of the public key. */
#define ML_KEM(number, does, ...)                                                                  \
	ROW(number, CKK_ML_KEM, NO_KEY, 800, 1568, does, .needs = NEEDS_PQC,                       \
	    .fips_approved = true, __VA_ARGS__)
#define ML_DSA(number, does, ...)                                                                  \
	ROW(number, CKK_ML_DSA, NO_KEY, 1312, 2592, does, .needs = NEEDS_PQC,                      \
	    .fips_approved = true, __VA_ARGS__)
#define SLH_DSA(number, does, ...)                                                                 \
	ROW(number, CKK_SLH_DSA, NO_KEY, 32, 64, does, .needs = NEEDS_PQC, .fips_approved = true,  \
	    __VA_ARGS__)
#define ML_DSA_SIGN(number, hash)                                                                  \
	ML_DSA(number, SIGN, .digest = hash, .operation = &crypto_pqc_signature_methods)
#define SLH_DSA_SIGN(number, hash)                                                                 \
	SLH_DSA(number, SIGN, .digest = hash, .slow = true,                                        \
	        .operation = &crypto_pqc_signature_methods)

/* From any secret key: its type says little about it. */
#define FROM_SECRET(number, approved, methods, ...)                                                \
	ROW(number, MECHANISM_ANY_SECRET, NO_KEY, SECRET_MIN, SECRET_MAX, CKF_DERIVE,              \
	    .fips_approved = approved, .key = &methods, __VA_ARGS__)
/* SP 800-108 and SP 800-56C want a PRF, not a bare hash. */
#define HASHED(number, hash) FROM_SECRET(number, false, keygen_hash_methods, .digest = hash)

/* Ascending by type, which mechanism_find relies on. */
static const struct mechanism table[] = {
	RSA(CKM_RSA_PKCS_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR, 0, true, .key = &keygen_rsa_methods),
	RSA(CKM_RSA_PKCS, SIGN | RECOVER | ENCRYPT | WRAP, 0, false,
            .operation = &crypto_rsa_signature_methods,
            .encryption = &crypto_rsa_encryption_methods),
	RSA(CKM_RSA_X_509, SIGN | RECOVER | ENCRYPT, NEEDS_RAW_RSA, false,
            .operation = &crypto_rsa_signature_methods,
            .encryption = &crypto_rsa_encryption_methods),
	RSA_SHA1(CKM_SHA1_RSA_PKCS),
	RSA(CKM_RSA_PKCS_OAEP, ENCRYPT | WRAP, 0, true,
            .encryption = &crypto_rsa_encryption_methods),
	/* The row that may sign over SHA-1 is told from the other by its needs. */
	RSA_SIGN(CKM_RSA_PKCS_PSS, SIGN, NEEDS_SHA1_SIGNING, DIGEST_NONE),
	RSA_SIGN(CKM_RSA_PKCS_PSS, SIGN, 0, DIGEST_NONE),
	RSA_SHA1(CKM_SHA1_RSA_PKCS_PSS),
	ML_KEM(CKM_ML_KEM_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR, .key = &keygen_lattice_methods),
	ML_KEM(CKM_ML_KEM, CKF_ENCAPSULATE | CKF_DECAPSULATE),
	ML_DSA(CKM_ML_DSA_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR, .key = &keygen_lattice_methods),
	ML_DSA_SIGN(CKM_ML_DSA, DIGEST_NONE),
	ML_DSA_SIGN(CKM_HASH_ML_DSA, DIGEST_NONE),
	ML_DSA_SIGN(CKM_HASH_ML_DSA_SHA224, DIGEST_SHA224),
	ML_DSA_SIGN(CKM_HASH_ML_DSA_SHA256, DIGEST_SHA256),
	ML_DSA_SIGN(CKM_HASH_ML_DSA_SHA384, DIGEST_SHA384),
	ML_DSA_SIGN(CKM_HASH_ML_DSA_SHA512, DIGEST_SHA512),
	ML_DSA_SIGN(CKM_HASH_ML_DSA_SHA3_224, DIGEST_SHA3_224),
	ML_DSA_SIGN(CKM_HASH_ML_DSA_SHA3_256, DIGEST_SHA3_256),
	ML_DSA_SIGN(CKM_HASH_ML_DSA_SHA3_384, DIGEST_SHA3_384),
	ML_DSA_SIGN(CKM_HASH_ML_DSA_SHA3_512, DIGEST_SHA3_512),
	ML_DSA_SIGN(CKM_HASH_ML_DSA_SHAKE128, DIGEST_SHAKE128),
	ML_DSA_SIGN(CKM_HASH_ML_DSA_SHAKE256, DIGEST_SHAKE256),
	SLH_DSA(CKM_SLH_DSA_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR, .key = &keygen_slh_dsa_methods),
	SLH_DSA_SIGN(CKM_SLH_DSA, DIGEST_NONE),
	SLH_DSA_SIGN(CKM_HASH_SLH_DSA, DIGEST_NONE),
	SLH_DSA_SIGN(CKM_HASH_SLH_DSA_SHA224, DIGEST_SHA224),
	SLH_DSA_SIGN(CKM_HASH_SLH_DSA_SHA256, DIGEST_SHA256),
	SLH_DSA_SIGN(CKM_HASH_SLH_DSA_SHA384, DIGEST_SHA384),
	SLH_DSA_SIGN(CKM_HASH_SLH_DSA_SHA512, DIGEST_SHA512),
	SLH_DSA_SIGN(CKM_HASH_SLH_DSA_SHA3_224, DIGEST_SHA3_224),
	SLH_DSA_SIGN(CKM_HASH_SLH_DSA_SHA3_256, DIGEST_SHA3_256),
	SLH_DSA_SIGN(CKM_HASH_SLH_DSA_SHA3_384, DIGEST_SHA3_384),
	SLH_DSA_SIGN(CKM_HASH_SLH_DSA_SHA3_512, DIGEST_SHA3_512),
	SLH_DSA_SIGN(CKM_HASH_SLH_DSA_SHAKE128, DIGEST_SHAKE128),
	SLH_DSA_SIGN(CKM_HASH_SLH_DSA_SHAKE256, DIGEST_SHAKE256),
	RSA_SIGN(CKM_SHA256_RSA_PKCS, SIGN, 0, DIGEST_SHA256),
	RSA_SIGN(CKM_SHA384_RSA_PKCS, SIGN, 0, DIGEST_SHA384),
	RSA_SIGN(CKM_SHA512_RSA_PKCS, SIGN, 0, DIGEST_SHA512),
	RSA_SIGN(CKM_SHA256_RSA_PKCS_PSS, SIGN, 0, DIGEST_SHA256),
	RSA_SIGN(CKM_SHA384_RSA_PKCS_PSS, SIGN, 0, DIGEST_SHA384),
	RSA_SIGN(CKM_SHA512_RSA_PKCS_PSS, SIGN, 0, DIGEST_SHA512),
	RSA_SIGN(CKM_SHA224_RSA_PKCS, SIGN, 0, DIGEST_SHA224),
	RSA_SIGN(CKM_SHA224_RSA_PKCS_PSS, SIGN, 0, DIGEST_SHA224),
	HASH(SHA512_224, DIGEST_SHA512_224),
	HASHED(CKM_SHA512_224_KEY_DERIVATION, DIGEST_SHA512_224),
	HASH(SHA512_256, DIGEST_SHA512_256),
	HASHED(CKM_SHA512_256_KEY_DERIVATION, DIGEST_SHA512_256),
	RSA_SIGN(CKM_SHA3_256_RSA_PKCS, SIGN, 0, DIGEST_SHA3_256),
	RSA_SIGN(CKM_SHA3_384_RSA_PKCS, SIGN, 0, DIGEST_SHA3_384),
	RSA_SIGN(CKM_SHA3_512_RSA_PKCS, SIGN, 0, DIGEST_SHA3_512),
	RSA_SIGN(CKM_SHA3_256_RSA_PKCS_PSS, SIGN, 0, DIGEST_SHA3_256),
	RSA_SIGN(CKM_SHA3_384_RSA_PKCS_PSS, SIGN, 0, DIGEST_SHA3_384),
	RSA_SIGN(CKM_SHA3_512_RSA_PKCS_PSS, SIGN, 0, DIGEST_SHA3_512),
	RSA_SIGN(CKM_SHA3_224_RSA_PKCS, SIGN, 0, DIGEST_SHA3_224),
	RSA_SIGN(CKM_SHA3_224_RSA_PKCS_PSS, SIGN, 0, DIGEST_SHA3_224),
	HASH(SHA_1, DIGEST_SHA1),
	HASH(SHA256, DIGEST_SHA256),
	HASH(SHA224, DIGEST_SHA224),
	HASH(SHA384, DIGEST_SHA384),
	HASH(SHA512, DIGEST_SHA512),
	HASH(SHA3_256, DIGEST_SHA3_256),
	HMAC_GEN(SHA3_256),
	HASH(SHA3_224, DIGEST_SHA3_224),
	HMAC_GEN(SHA3_224),
	HASH(SHA3_384, DIGEST_SHA3_384),
	HMAC_GEN(SHA3_384),
	HASH(SHA3_512, DIGEST_SHA3_512),
	HMAC_GEN(SHA3_512),
	SECRET_GEN(CKM_GENERIC_SECRET_KEY_GEN, CKK_GENERIC_SECRET, SECRET_MIN, SECRET_MAX),
	/* SP 800-133 §6.3 approves joining keys and XOR with data, not cutting bits out. */
	FROM_SECRET(CKM_CONCATENATE_BASE_AND_KEY, true, keygen_join_keys_methods),
	FROM_SECRET(CKM_CONCATENATE_BASE_AND_DATA, true, keygen_join_data_methods),
	FROM_SECRET(CKM_CONCATENATE_DATA_AND_BASE, true, keygen_join_data_methods),
	FROM_SECRET(CKM_XOR_BASE_AND_DATA, true, keygen_xor_methods),
	FROM_SECRET(CKM_EXTRACT_KEY_FROM_KEY, false, keygen_extract_methods),
	HASHED(CKM_SHA1_KEY_DERIVATION, DIGEST_SHA1),
	HASHED(CKM_SHA256_KEY_DERIVATION, DIGEST_SHA256),
	HASHED(CKM_SHA384_KEY_DERIVATION, DIGEST_SHA384),
	HASHED(CKM_SHA512_KEY_DERIVATION, DIGEST_SHA512),
	HASHED(CKM_SHA224_KEY_DERIVATION, DIGEST_SHA224),
	HASHED(CKM_SHA3_256_KEY_DERIVATION, DIGEST_SHA3_256),
	HASHED(CKM_SHA3_224_KEY_DERIVATION, DIGEST_SHA3_224),
	HASHED(CKM_SHA3_384_KEY_DERIVATION, DIGEST_SHA3_384),
	HASHED(CKM_SHA3_512_KEY_DERIVATION, DIGEST_SHA3_512),
	FROM_SECRET(CKM_SP800_108_COUNTER_KDF, true, keygen_kbkdf_methods),
	FROM_SECRET(CKM_SP800_108_FEEDBACK_KDF, true, keygen_kbkdf_methods),
	FROM_SECRET(CKM_SP800_108_DOUBLE_PIPELINE_KDF, true, keygen_kbkdf_methods),
	/* The row that takes short salts and few iterations is told from the other by its needs. */
	ROW(CKM_PKCS5_PBKD2, MECHANISM_ANY_SECRET, NO_KEY, SECRET_MIN, SECRET_MAX, CKF_GENERATE,
            .needs = NEEDS_FIPS_OFF, .key = &keygen_pbkdf2_methods),
	ROW(CKM_PKCS5_PBKD2, MECHANISM_ANY_SECRET, NO_KEY, SECRET_MIN, SECRET_MAX, CKF_GENERATE,
            .fips_approved = true, .key = &keygen_pbkdf2_methods),
	EC(CKM_EC_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR, .fips_approved = true,
           .key = &keygen_ec_methods),
	ECDSA(CKM_ECDSA, SIGN, DIGEST_NONE, .fips_approved = true),
	ECDSA(CKM_ECDSA_SHA1, SIGN, DIGEST_SHA1, .needs = NEEDS_SHA1_SIGNING),
	ECDSA(CKM_ECDSA_SHA1, CKF_VERIFY, DIGEST_SHA1, .fips_approved = true),
	ECDSA(CKM_ECDSA_SHA224, SIGN, DIGEST_SHA224, .fips_approved = true),
	ECDSA(CKM_ECDSA_SHA256, SIGN, DIGEST_SHA256, .fips_approved = true),
	ECDSA(CKM_ECDSA_SHA384, SIGN, DIGEST_SHA384, .fips_approved = true),
	ECDSA(CKM_ECDSA_SHA512, SIGN, DIGEST_SHA512, .fips_approved = true),
	ECDSA(CKM_ECDSA_SHA3_224, SIGN, DIGEST_SHA3_224, .fips_approved = true),
	ECDSA(CKM_ECDSA_SHA3_256, SIGN, DIGEST_SHA3_256, .fips_approved = true),
	ECDSA(CKM_ECDSA_SHA3_384, SIGN, DIGEST_SHA3_384, .fips_approved = true),
	ECDSA(CKM_ECDSA_SHA3_512, SIGN, DIGEST_SHA3_512, .fips_approved = true),
	ROW(CKM_ECDH1_DERIVE, CKK_EC, CKK_EC_MONTGOMERY, 255, 521, CKF_DERIVE,
            .ec_flags = CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS, .fips_approved = true,
            .key = &keygen_ecdh_methods),
	EC(CKM_ECDH1_COFACTOR_DERIVE, CKF_DERIVE, .fips_approved = true,
           .key = &keygen_ecdh_methods),
	RSA(CKM_RSA_AES_KEY_WRAP, WRAP, 0, true, .key = &keygen_rsa_aes_methods),
	EDWARDS(CKM_EC_EDWARDS_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR, .key = &keygen_ec_methods),
	ROW(CKM_EC_MONTGOMERY_KEY_PAIR_GEN, CKK_EC_MONTGOMERY, NO_KEY, 255, 448,
            CKF_GENERATE_KEY_PAIR, .ec_flags = CKF_EC_F_P | CKF_EC_NAMEDCURVE,
            .key = &keygen_ec_methods),
	/* The row that may sign as Ed25519ctx is told from the other by its needs. */
	EDWARDS(CKM_EDDSA, SIGN, .needs = NEEDS_FIPS_OFF, .operation = &crypto_eddsa_methods),
	EDWARDS(CKM_EDDSA, SIGN, .operation = &crypto_eddsa_methods),
	/* SP 800-38E approves XTS for storage, of which a client's data unit tells nothing; the key
           may well be for storage. */
	ROW(CKM_AES_XTS, CKK_AES_XTS, NO_KEY, 32, 64, ENCRYPT, .cipher = CIPHER_AES_XTS,
            .encryption = &crypto_aes_unit_methods),
	SECRET_GEN(CKM_AES_XTS_KEY_GEN, CKK_AES_XTS, 32, 64),
	SECRET_GEN(CKM_AES_KEY_GEN, CKK_AES, 16, 32),
	AES(CKM_AES_ECB, ENCRYPT, .cipher = CIPHER_AES_ECB, .encryption = &crypto_aes_methods),
	AES(CKM_AES_CBC, ENCRYPT, .cipher = CIPHER_AES_CBC, .encryption = &crypto_aes_methods),
	AES(CKM_AES_CBC_PAD, ENCRYPT | WRAP, .cipher = CIPHER_AES_CBC, .padding = true,
            .encryption = &crypto_aes_methods),
	AES(CKM_AES_CTR, ENCRYPT, .cipher = CIPHER_AES_CTR, .encryption = &crypto_aes_methods),
	AES(CKM_AES_GCM, ENCRYPT, .cipher = CIPHER_AES_GCM, .encryption = &crypto_aead_methods),
	AES(CKM_AES_CCM, ENCRYPT, .cipher = CIPHER_AES_CCM, .encryption = &crypto_ccm_methods),
	AES(CKM_AES_CTS, ENCRYPT, .cipher = CIPHER_AES_CTS, .encryption = &crypto_aes_unit_methods),
	AES(CKM_AES_CMAC, SIGN, .operation = &crypto_cmac_methods),
	AES(CKM_AES_CMAC_GENERAL, SIGN, .operation = &crypto_cmac_methods),
	AES(CKM_AES_GMAC, SIGN, .operation = &crypto_gmac_methods),
	ROW(CKM_AES_ECB_ENCRYPT_DATA, CKK_AES, NO_KEY, 16, 32, CKF_DERIVE, .cipher = CIPHER_AES_ECB,
            .key = &keygen_encrypt_data_methods),
	ROW(CKM_AES_CBC_ENCRYPT_DATA, CKK_AES, NO_KEY, 16, 32, CKF_DERIVE, .cipher = CIPHER_AES_CBC,
            .key = &keygen_encrypt_data_methods),
	ROW(CKM_CHACHA20_KEY_GEN, CKK_CHACHA20, NO_KEY, 256, 256, CKF_GENERATE,
            .key = &keygen_secret_methods),
	AES(CKM_AES_OFB, ENCRYPT, .cipher = CIPHER_AES_OFB, .encryption = &crypto_aes_methods),
	AES(CKM_AES_CFB8, ENCRYPT, .cipher = CIPHER_AES_CFB8, .encryption = &crypto_aes_methods),
	AES(CKM_AES_CFB128, ENCRYPT, .cipher = CIPHER_AES_CFB128,
            .encryption = &crypto_aes_methods),
	AES(CKM_AES_KEY_WRAP, WRAP, .cipher = CIPHER_AES_WRAP,
            .encryption = &crypto_aes_wrap_methods),
	AES(CKM_AES_KEY_WRAP_PAD, WRAP, .cipher = CIPHER_AES_WRAP_PAD, .padding = true,
            .encryption = &crypto_aes_wrap_methods),
	AES(CKM_AES_KEY_WRAP_KWP, WRAP, .cipher = CIPHER_AES_WRAP_PAD, .padding = true,
            .encryption = &crypto_aes_wrap_methods),
	HMAC_GEN(SHA_1),
	HMAC_GEN(SHA224),
	HMAC_GEN(SHA256),
	HMAC_GEN(SHA384),
	HMAC_GEN(SHA512),
	HMAC_GEN(SHA512_224),
	HMAC_GEN(SHA512_256),
	ROW(CKM_CHACHA20_POLY1305, CKK_CHACHA20, NO_KEY, 256, 256, ENCRYPT,
            .cipher = CIPHER_CHACHA20_POLY1305, .encryption = &crypto_aead_methods),
	FROM_SECRET(CKM_HKDF_DERIVE, true, keygen_hkdf_methods),
	FROM_SECRET(CKM_HKDF_DATA, true, keygen_hkdf_data_methods),
	SECRET_GEN(CKM_HKDF_KEY_GEN, CKK_HKDF, SECRET_MIN, SECRET_MAX),
};

#define ROWS (sizeof(table) / sizeof(table[0]))

static bool has_mac(const struct crypto *crypto, const struct operation_methods *methods)
{
	return (methods != &crypto_hmac_methods || crypto->hmac) &&
	       (methods != &crypto_cmac_methods || crypto->cmac) &&
	       (methods != &crypto_gmac_methods || crypto->gmac);
}

static bool has_key_type(const struct crypto *crypto, uint64_t key_type)
{
	switch (key_type) {
	case CKK_ML_KEM:
		return crypto->has_ml_kem;
	case CKK_ML_DSA:
		return crypto->has_ml_dsa;
	case CKK_SLH_DSA:
		return crypto->has_slh_dsa;
	default:
		return true;
	}
}

/* OpenSSL has what the row is made of. */
static bool available(const struct crypto *crypto, const struct mechanism *row)
{
	if (row->digest != DIGEST_NONE && !crypto->digests[row->digest])
		return false;
	if (!has_mac(crypto, row->operation) || !has_key_type(crypto, row->key_type))
		return false;
	return !row->encryption || row->key_type == CKK_RSA || crypto->ciphers[row->cipher][0];
}

static bool offered(const struct crypto *crypto, const struct config *config,
                    const struct mechanism *row)
{
	uint32_t has = 0;

	if (config && config->algorithms.allow_weak_rsa)
		has |= NEEDS_WEAK_RSA;
	if (config && config->algorithms.allow_sha1_signing)
		has |= NEEDS_SHA1_SIGNING;
	if (!config || config->algorithms.enable_pqc)
		has |= NEEDS_PQC;
	if (config && config->algorithms.allow_raw_rsa)
		has |= NEEDS_RAW_RSA;
	if (config && config->algorithms.fips_approved_only) {
		if (!row->fips_approved)
			return false;
	} else {
		has |= NEEDS_FIPS_OFF;
	}
	return !(row->needs & ~has) && available(crypto, row);
}

/* The first row whose type is not below `type`. */
static size_t lower_bound(uint64_t type)
{
	size_t low = 0, high = ROWS;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (table[middle].type < type)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct mechanism *mechanism_find(const struct crypto *crypto, const struct config *config,
                                       uint64_t type)
{
	for (size_t i = lower_bound(type); i < ROWS && table[i].type == type; i++) {
		if (offered(crypto, config, &table[i]))
			return &table[i];
	}
	return NULL;
}

void mechanism_each(const struct crypto *crypto, const struct config *config,
                    void (*each)(void *context, const struct mechanism *mechanism), void *context)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (mechanism_find(crypto, config, table[i].type) == &table[i])
			each(context, &table[i]);
	}
}

size_t mechanism_count(void)
{
	return ROWS;
}

const struct mechanism *mechanism_row(size_t index)
{
	return index < ROWS ? &table[index] : NULL;
}

static const struct {
	uint64_t hash, mgf; /* 0: no such mask generation function has a number */
	enum crypto_digest digest;
} hashes[] = {
	{CKM_SHA_1, CKG_MGF1_SHA1, DIGEST_SHA1},
	{CKM_SHA224, CKG_MGF1_SHA224, DIGEST_SHA224},
	{CKM_SHA256, CKG_MGF1_SHA256, DIGEST_SHA256},
	{CKM_SHA384, CKG_MGF1_SHA384, DIGEST_SHA384},
	{CKM_SHA512, CKG_MGF1_SHA512, DIGEST_SHA512},
	{CKM_SHA512_224, 0, DIGEST_SHA512_224},
	{CKM_SHA512_256, 0, DIGEST_SHA512_256},
	{CKM_SHA3_224, CKG_MGF1_SHA3_224, DIGEST_SHA3_224},
	{CKM_SHA3_256, CKG_MGF1_SHA3_256, DIGEST_SHA3_256},
	{CKM_SHA3_384, CKG_MGF1_SHA3_384, DIGEST_SHA3_384},
	{CKM_SHA3_512, CKG_MGF1_SHA3_512, DIGEST_SHA3_512},
};

enum crypto_digest mechanism_digest(uint64_t hash)
{
	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		if (hashes[i].hash == hash)
			return hashes[i].digest;
	}
	return DIGEST_NONE;
}

enum crypto_digest mechanism_mgf(uint64_t mgf)
{
	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		if (mgf && hashes[i].mgf == mgf)
			return hashes[i].digest;
	}
	return DIGEST_NONE;
}
