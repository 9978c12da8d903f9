/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The KDFs of SP 800-108 in PKCS#11's flexible form: the caller lists the parts of the PRF's input
 * in the order he likes. OpenSSL's KBKDF has one order only, so the iterations are here and the PRF
 * is OpenSSL's. Additional keys of one derivation are not made.
 */
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <string.h>

#include "crypto_key.h"
#include "keygen.h"
#include "slots.h"

#define PRF_MAX    EVP_MAX_MD_SIZE
#define BITS_MAX   32u /* width of the counter */
#define LENGTH_MAX 64u /* width of the length */
#define CMAC_LEN   16u

struct kbkdf {
	const struct derivation *derivation;
	struct wire_sp800_108_parameter record;
	EVP_MAC_CTX *prf;
	size_t prf_len, key_len;
	uint8_t previous[PRF_MAX]; /* K(i-1) of feedback, A(i) of the double pipeline */
	struct wire_bytes
		iteration;         /* what stands for the iteration variable, but for the counter */
	unsigned int counter_bits; /* of the counter, wherever it stands; 0: none */
};

static const struct {
	uint64_t type;
	enum crypto_digest digest;
} prfs[] = {
	{CKM_SHA_1_HMAC, DIGEST_SHA1},        {CKM_SHA224_HMAC, DIGEST_SHA224},
	{CKM_SHA256_HMAC, DIGEST_SHA256},     {CKM_SHA384_HMAC, DIGEST_SHA384},
	{CKM_SHA512_HMAC, DIGEST_SHA512},     {CKM_SHA3_224_HMAC, DIGEST_SHA3_224},
	{CKM_SHA3_256_HMAC, DIGEST_SHA3_256}, {CKM_SHA3_384_HMAC, DIGEST_SHA3_384},
	{CKM_SHA3_512_HMAC, DIGEST_SHA3_512},
};

static bool is_counter_mode(const struct kbkdf *kdf)
{
	return kdf->derivation->mechanism->type == CKM_SP800_108_COUNTER_KDF;
}

/* ---- the PRF ---- */

static enum err open_hmac(struct crypto *crypto, struct kbkdf *kdf, enum crypto_digest digest)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
	                                         (char *)(uintptr_t)crypto_digest_name(digest), 0),
		OSSL_PARAM_construct_end(),
	};

	kdf->prf_len = (size_t)EVP_MD_get_size(crypto_md(crypto, digest));
	kdf->prf = EVP_MAC_CTX_new(crypto->hmac);
	if (!kdf->prf)
		return ERROR_MEMORY;
	return EVP_MAC_CTX_set_params(kdf->prf, params) ? ERROR_NONE : ERROR_CRYPTO;
}

static enum err open_cmac(struct crypto *crypto, struct kbkdf *kdf)
{
	size_t key_len = crypto_key_secret(kdf->derivation->base).len;
	const EVP_CIPHER *cipher = crypto_cipher(crypto, CIPHER_AES_CBC, key_len);
	OSSL_PARAM params[2];

	if (kdf->derivation->base->key_type != CKK_AES || !cipher)
		return ERROR_KEY_TYPE;
	params[0] = OSSL_PARAM_construct_utf8_string(
		OSSL_MAC_PARAM_CIPHER, (char *)(uintptr_t)EVP_CIPHER_get0_name(cipher), 0);
	params[1] = OSSL_PARAM_construct_end();
	kdf->prf_len = CMAC_LEN;
	kdf->prf = EVP_MAC_CTX_new(crypto->cmac);
	if (!kdf->prf)
		return ERROR_MEMORY;
	return EVP_MAC_CTX_set_params(kdf->prf, params) ? ERROR_NONE : ERROR_CRYPTO;
}

static enum err open_prf(struct crypto *crypto, struct kbkdf *kdf)
{
	if (kdf->record.prf == CKM_AES_CMAC)
		return open_cmac(crypto, kdf);
	for (size_t i = 0; i < sizeof(prfs) / sizeof(prfs[0]); i++) {
		if (prfs[i].type == kdf->record.prf)
			return open_hmac(crypto, kdf, prfs[i].digest);
	}
	return ERROR_MECHANISM_PARAMETER;
}

static bool prf_begin(struct kbkdf *kdf)
{
	struct wire_bytes key = crypto_key_secret(kdf->derivation->base);

	return EVP_MAC_init(kdf->prf, key.data, key.len, NULL);
}

static bool prf_end(struct kbkdf *kdf, uint8_t out[PRF_MAX])
{
	size_t len;

	return EVP_MAC_final(kdf->prf, out, &len, PRF_MAX) && len == kdf->prf_len;
}

static bool prf_add(struct kbkdf *kdf, struct wire_bytes bytes)
{
	return !bytes.len || EVP_MAC_update(kdf->prf, bytes.data, bytes.len);
}

/* A number of `bits` bits in either order. */
static bool prf_add_number(struct kbkdf *kdf, uint64_t number, unsigned int bits, bool little)
{
	uint8_t octets[8];
	size_t len = bits / 8;

	for (size_t i = 0; i < len; i++)
		octets[little ? i : len - 1 - i] = (uint8_t)(number >> (8 * i));
	return prf_add(kdf, (struct wire_bytes){octets, len});
}

/* ---- the parts of its input ---- */

/* The next part; false at the end. `bad` is set when the octets are no list of parts. */
static bool next_part(struct wire_reader *reader, struct wire_sp800_108_part_parameter *part,
                      bool *bad)
{
	struct wire_bytes body;

	if (reader->at == reader->end)
		return false;
	body = wire_get_bytes(reader);
	*bad = reader->failed || !wire_decode_sp800_108_part_parameter(body, part);
	return !*bad;
}

static bool width_allowed(uint64_t bits, uint64_t max)
{
	return bits && bits <= max && bits % 8 == 0;
}

static uint64_t blocks(const struct kbkdf *kdf)
{
	return (kdf->key_len + kdf->prf_len - 1) / kdf->prf_len;
}

/* The length in bits that goes into the PRF. */
static uint64_t total_bits(const struct kbkdf *kdf, uint64_t method)
{
	return 8 * (method == CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS ? kdf->key_len
	                                                          : blocks(kdf) * kdf->prf_len);
}

static bool length_part_good(const struct kbkdf *kdf,
                             const struct wire_sp800_108_part_parameter *part)
{
	if (part->method != CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS &&
	    part->method != CK_SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS)
		return false;
	return width_allowed(part->bits, LENGTH_MAX) &&
	       (part->bits == LENGTH_MAX || total_bits(kdf, part->method) >> part->bits == 0);
}

/* How often each sort may stand there (PKCS#11 v3.0 §2.42.3 to 2.42.5): the iteration variable
 * once, the length at most once, the counter at most once where the iteration variable is not
 * itself it. */
static enum err check_parts(struct kbkdf *kdf)
{
	unsigned int seen[CK_SP800_108_BYTE_ARRAY + 1] = {0};
	struct wire_sp800_108_part_parameter part;
	struct wire_reader reader;
	bool bad = false;

	wire_reader_init(&reader, kdf->record.parts);
	while (next_part(&reader, &part, &bad)) {
		bool counts =
			part.type == CK_SP800_108_OPTIONAL_COUNTER ||
			(part.type == CK_SP800_108_ITERATION_VARIABLE && is_counter_mode(kdf));

		if (!part.type || part.type > CK_SP800_108_BYTE_ARRAY)
			return ERROR_MECHANISM_PARAMETER;
		seen[part.type]++;
		if ((counts && !width_allowed(part.bits, BITS_MAX)) ||
		    (part.type == CK_SP800_108_DKM_LENGTH && !length_part_good(kdf, &part)))
			return ERROR_MECHANISM_PARAMETER;
		if (counts)
			kdf->counter_bits = (unsigned int)part.bits;
	}
	if (bad || seen[CK_SP800_108_ITERATION_VARIABLE] != 1 ||
	    seen[CK_SP800_108_DKM_LENGTH] > 1 ||
	    seen[CK_SP800_108_OPTIONAL_COUNTER] > (is_counter_mode(kdf) ? 0u : 1u))
		return ERROR_MECHANISM_PARAMETER;
	return kdf->counter_bits && blocks(kdf) >> kdf->counter_bits ? ERROR_KEY_SIZE : ERROR_NONE;
}

static bool add_part(struct kbkdf *kdf, const struct wire_sp800_108_part_parameter *part,
                     uint64_t counter)
{
	switch (part->type) {
	case CK_SP800_108_ITERATION_VARIABLE:
		if (!is_counter_mode(kdf))
			return prf_add(kdf, kdf->iteration);
		return prf_add_number(kdf, counter, (unsigned int)part->bits, part->little_endian);
	case CK_SP800_108_OPTIONAL_COUNTER:
		return prf_add_number(kdf, counter, (unsigned int)part->bits, part->little_endian);
	case CK_SP800_108_DKM_LENGTH:
		return prf_add_number(kdf, total_bits(kdf, part->method), (unsigned int)part->bits,
		                      part->little_endian);
	default:
		return prf_add(kdf, part->value);
	}
}

/* One call of the PRF over all parts, or only over those that are the same each time. */
static bool run_prf(struct kbkdf *kdf, uint64_t counter, bool fixed_only, uint8_t out[PRF_MAX])
{
	struct wire_sp800_108_part_parameter part;
	struct wire_reader reader;
	bool bad = false, good = prf_begin(kdf);

	wire_reader_init(&reader, kdf->record.parts);
	while (good && next_part(&reader, &part, &bad)) {
		if (fixed_only && part.type != CK_SP800_108_BYTE_ARRAY &&
		    part.type != CK_SP800_108_DKM_LENGTH)
			continue;
		good = add_part(kdf, &part, counter);
	}
	return good && !bad && prf_end(kdf, out);
}

/* ---- the three modes ---- */

/* A(i) = PRF(A(i-1)), where A(0) is what is the same in each input. */
static bool advance_pipeline(struct kbkdf *kdf, uint64_t counter)
{
	uint8_t next[PRF_MAX];
	bool good;

	if (counter == 1)
		good = run_prf(kdf, 0, true, next);
	else
		good = prf_begin(kdf) && prf_add(kdf, kdf->iteration) && prf_end(kdf, next);
	memcpy(kdf->previous, next, sizeof(next));
	wire_wipe(next, sizeof(next));
	kdf->iteration = (struct wire_bytes){kdf->previous, kdf->prf_len};
	return good;
}

static bool make_block(struct kbkdf *kdf, uint64_t counter, uint8_t out[PRF_MAX])
{
	uint64_t type = kdf->derivation->mechanism->type;

	if (type == CKM_SP800_108_DOUBLE_PIPELINE_KDF && !advance_pipeline(kdf, counter))
		return false;
	if (!run_prf(kdf, counter, false, out))
		return false;
	if (type == CKM_SP800_108_FEEDBACK_KDF) {
		memcpy(kdf->previous, out, kdf->prf_len);
		kdf->iteration = (struct wire_bytes){kdf->previous, kdf->prf_len};
	}
	return true;
}

static enum err make_key(struct kbkdf *kdf, struct attributes *set)
{
	uint8_t *key = slots_allocate(blocks(kdf) * kdf->prf_len + PRF_MAX);
	enum err err = ERROR_NONE;

	if (!key)
		return ERROR_MEMORY;
	for (uint64_t i = 0; !err && i < blocks(kdf); i++)
		err = make_block(kdf, i + 1, key + i * kdf->prf_len) ? ERROR_NONE : ERROR_CRYPTO;
	if (!err)
		err = keygen_put_value(set, (struct wire_bytes){key, kdf->key_len});
	slots_release(key);
	return err;
}

static enum err derive(struct crypto *crypto, const struct derivation *derivation,
                       struct attributes *set)
{
	struct kbkdf kdf = {.derivation = derivation};
	enum err err;

	if (!wire_decode_sp800_108_parameter(derivation->parameter->parameter, &kdf.record) ||
	    (kdf.record.iv.len && derivation->mechanism->type != CKM_SP800_108_FEEDBACK_KDF))
		return ERROR_MECHANISM_PARAMETER;
	kdf.iteration = kdf.record.iv;
	err = keygen_derived_len(set, 0, KEYGEN_SECRET_MAX, &kdf.key_len);
	if (!err)
		err = open_prf(crypto, &kdf);
	if (!err)
		err = check_parts(&kdf);
	if (!err)
		err = make_key(&kdf, set);
	EVP_MAC_CTX_free(kdf.prf);
	wire_wipe(kdf.previous, sizeof(kdf.previous));
	return err;
}

const struct key_methods keygen_kbkdf_methods = {.derive = derive};
