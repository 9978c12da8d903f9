/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys from passwords: PBKDF2 (RFC 8018). Slow on purpose, so it runs on a worker.
 */
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "keygen.h"
#include "slots.h"

#define ITERATIONS_MAX 10000000u
/* SP 800-132 §5. */
#define APPROVED_ITERATIONS 1000u
#define APPROVED_SALT_LEN   16u
#define APPROVED_KEY_LEN    14u

static const struct {
	uint64_t prf;
	enum crypto_digest digest;
} prfs[] = {
	{CKP_PKCS5_PBKD2_HMAC_SHA1, DIGEST_SHA1},
	{CKP_PKCS5_PBKD2_HMAC_SHA224, DIGEST_SHA224},
	{CKP_PKCS5_PBKD2_HMAC_SHA256, DIGEST_SHA256},
	{CKP_PKCS5_PBKD2_HMAC_SHA384, DIGEST_SHA384},
	{CKP_PKCS5_PBKD2_HMAC_SHA512, DIGEST_SHA512},
	{CKP_PKCS5_PBKD2_HMAC_SHA512_224, DIGEST_SHA512_224},
	{CKP_PKCS5_PBKD2_HMAC_SHA512_256, DIGEST_SHA512_256},
};

static enum crypto_digest find_prf(uint64_t prf)
{
	for (size_t i = 0; i < sizeof(prfs) / sizeof(prfs[0]); i++) {
		if (prfs[i].prf == prf)
			return prfs[i].digest;
	}
	return DIGEST_NONE;
}

static bool approved(const struct wire_pbkdf2_parameter *record, size_t len)
{
	return record->iterations >= APPROVED_ITERATIONS && record->salt.len >= APPROVED_SALT_LEN &&
	       len >= APPROVED_KEY_LEN;
}

static enum err read_parameter(const struct mechanism *mechanism,
                               const struct wire_mechanism *parameter, size_t len,
                               struct wire_pbkdf2_parameter *record)
{
	if (!wire_decode_pbkdf2_parameter(parameter->parameter, record) ||
	    record->salt_source != CKZ_SALT_SPECIFIED || !record->salt.len || !record->iterations ||
	    record->iterations > ITERATIONS_MAX || record->prf_data.len ||
	    find_prf(record->prf) == DIGEST_NONE)
		return ERROR_MECHANISM_PARAMETER;
	if (!(mechanism->needs & NEEDS_FIPS_OFF) && !approved(record, len))
		return ERROR_MECHANISM_PARAMETER;
	return ERROR_NONE;
}

static enum err run(struct crypto *crypto, const struct wire_pbkdf2_parameter *record, uint8_t *out,
                    size_t len)
{
	const char *digest = crypto_digest_name(find_prf(record->prf));
	const struct wire_bytes password = record->password;
	uint64_t iterations = record->iterations;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_PASSWORD,
			password.len ? (void *)(uintptr_t)password.data : (void *)"", password.len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT,
	                                          (void *)(uintptr_t)record->salt.data,
	                                          record->salt.len),
		OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_ITER, &iterations),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)digest,
	                                         0),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF_CTX *context = EVP_KDF_CTX_new(crypto->pbkdf2);
	enum err err = ERROR_CRYPTO;

	if (!context)
		return ERROR_MEMORY;
	if (EVP_KDF_derive(context, out, len, params) > 0)
		err = ERROR_NONE;
	else
		crypto_log_errors("PBKDF2");
	EVP_KDF_CTX_free(context);
	return err;
}

static enum err generate(struct crypto *crypto, const struct mechanism *mechanism,
                         const struct wire_mechanism *parameter, struct attributes *set)
{
	struct wire_pbkdf2_parameter record;
	uint8_t *out;
	size_t len;
	enum err err = keygen_derived_len(set, 0, KEYGEN_SECRET_MAX, &len);

	if (!err)
		err = read_parameter(mechanism, parameter, len, &record);
	if (err)
		return err;
	out = slots_allocate(len);
	if (!out)
		return ERROR_MEMORY;
	err = run(crypto, &record, out, len);
	if (!err)
		err = keygen_put_value(set, (struct wire_bytes){out, len});
	slots_release(out);
	return err;
}

const struct key_methods keygen_pbkdf2_methods = {.generate = generate, .slow = true};
