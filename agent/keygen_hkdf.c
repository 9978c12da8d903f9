/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HKDF (RFC 5869): extract, expand, or both, into a key or into data.
 */
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "crypto_key.h"
#include "keygen.h"
#include "slots.h"

#define BLOCKS_MAX 255u
#define PARAMS_MAX 6u

struct hkdf {
	struct wire_hkdf_parameter record;
	struct wire_bytes salt;
	enum crypto_digest digest;
	size_t hash_len;
};

static bool take_salt(const struct derivation *derivation, struct hkdf *hkdf)
{
	const struct wire_hkdf_parameter *record = &hkdf->record;

	switch (record->salt_type) {
	case CKF_HKDF_SALT_NULL:
		return !record->salt.len;
	case CKF_HKDF_SALT_DATA:
		hkdf->salt = record->salt;
		return true;
	case CKF_HKDF_SALT_KEY:
		if (!derivation->other || derivation->other->object_class != CKO_SECRET_KEY)
			return false;
		hkdf->salt = crypto_key_secret(derivation->other);
		return true;
	default:
		return false;
	}
}

static enum err read_parameter(struct crypto *crypto, const struct derivation *derivation,
                               struct hkdf *hkdf)
{
	if (!wire_decode_hkdf_parameter(derivation->parameter->parameter, &hkdf->record))
		return ERROR_MECHANISM_PARAMETER;
	hkdf->digest = mechanism_digest(hkdf->record.hash);
	if (hkdf->digest == DIGEST_NONE || (!hkdf->record.extract && !hkdf->record.expand))
		return ERROR_MECHANISM_PARAMETER;
	if (hkdf->record.extract && !take_salt(derivation, hkdf))
		return ERROR_MECHANISM_PARAMETER;
	hkdf->hash_len = (size_t)EVP_MD_get_size(crypto_md(crypto, hkdf->digest));
	return ERROR_NONE;
}

static OSSL_PARAM octets(const char *name, struct wire_bytes bytes)
{
	return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)bytes.data, bytes.len);
}

static enum err run(struct crypto *crypto, const struct hkdf *hkdf, struct wire_bytes key,
                    uint8_t *out, size_t len)
{
	EVP_KDF_CTX *context = EVP_KDF_CTX_new(crypto->hkdf);
	int mode = !hkdf->record.expand    ? EVP_KDF_HKDF_MODE_EXTRACT_ONLY
	           : !hkdf->record.extract ? EVP_KDF_HKDF_MODE_EXPAND_ONLY
	                                   : EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND;
	OSSL_PARAM params[PARAMS_MAX], *next = params;
	enum err err = ERROR_CRYPTO;

	if (!context)
		return ERROR_MEMORY;
	*next++ = OSSL_PARAM_construct_utf8_string(
		OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)crypto_digest_name(hkdf->digest), 0);
	*next++ = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
	*next++ = octets(OSSL_KDF_PARAM_KEY, key);
	if (hkdf->salt.len)
		*next++ = octets(OSSL_KDF_PARAM_SALT, hkdf->salt);
	if (hkdf->record.expand && hkdf->record.info.len)
		*next++ = octets(OSSL_KDF_PARAM_INFO, hkdf->record.info);
	*next = OSSL_PARAM_construct_end();
	if (EVP_KDF_derive(context, out, len, params) > 0)
		err = ERROR_NONE;
	else
		crypto_log_errors("HKDF");
	EVP_KDF_CTX_free(context);
	return err;
}

/* Extraction gives one hash; expansion as much as is asked for. */
static size_t output_max(const struct hkdf *hkdf)
{
	return hkdf->record.expand ? BLOCKS_MAX * hkdf->hash_len : hkdf->hash_len;
}

/* Makes what is needed of `len` octets: extraction cannot make less than a hash. */
static enum err make(struct crypto *crypto, const struct derivation *derivation,
                     const struct hkdf *hkdf, size_t len,
                     enum err (*give)(struct attributes *, struct wire_bytes),
                     struct attributes *set)
{
	size_t made = hkdf->record.expand ? len : hkdf->hash_len;
	uint8_t *out = slots_allocate(made);
	enum err err;

	if (!out)
		return ERROR_MEMORY;
	err = run(crypto, hkdf, crypto_key_secret(derivation->base), out, made);
	if (!err)
		err = give(set, (struct wire_bytes){out, len});
	slots_release(out);
	return err;
}

static enum err derive(struct crypto *crypto, const struct derivation *derivation,
                       struct attributes *set)
{
	struct hkdf hkdf = {0};
	size_t len;
	enum err err = read_parameter(crypto, derivation, &hkdf);

	if (!err)
		err = keygen_derived_len(set, hkdf.record.expand ? 0 : hkdf.hash_len,
		                         output_max(&hkdf), &len);
	return err ? err : make(crypto, derivation, &hkdf, len, keygen_put_value, set);
}

static enum err put_data(struct attributes *set, struct wire_bytes data)
{
	attributes_remove(set, CKA_VALUE_LEN); /* data objects have none */
	return attributes_set_bytes(set, CKA_VALUE, data.data, data.len);
}

static enum err derive_data(struct crypto *crypto, const struct derivation *derivation,
                            struct attributes *set)
{
	uint64_t len = attributes_number(set, CKA_VALUE_LEN, CK_UNAVAILABLE_INFORMATION);
	struct hkdf hkdf = {0};
	enum err err = read_parameter(crypto, derivation, &hkdf);

	if (err)
		return err;
	if (attributes_bytes(set, CKA_VALUE).len)
		return ERROR_TEMPLATE_INCONSISTENT;
	if (len == CK_UNAVAILABLE_INFORMATION) {
		if (hkdf.record.expand)
			return ERROR_TEMPLATE_INCOMPLETE;
		len = hkdf.hash_len;
	}
	if (!len || len > output_max(&hkdf))
		return ERROR_KEY_SIZE;
	return make(crypto, derivation, &hkdf, len, put_data, set);
}

static bool salt_key(const struct wire_mechanism *parameter, uint64_t *handle)
{
	struct wire_hkdf_parameter record;

	if (!wire_decode_hkdf_parameter(parameter->parameter, &record) ||
	    record.salt_type != CKF_HKDF_SALT_KEY || !record.extract)
		return false;
	*handle = record.salt_key;
	return true;
}

const struct key_methods keygen_hkdf_methods = {.derive = derive, .other_key = salt_key};
const struct key_methods keygen_hkdf_data_methods = {
	.derive = derive_data,
	.other_key = salt_key,
	.makes_data = true,
};
