/* SPDX-License-Identifier: Apache-2.0 */
/* RSA against another implementation (rsa_vectors.h): padding, parameters, lengths, key halves. */
#include "harness.h"

#include "key_fixture.h"
#include "rsa_vectors.h"

#define MESSAGE TEXT("craton")
#define K       256u

static struct object *public_key, *private_key;
static uint8_t long_data[K + 1];

static void open_keys(void)
{
	open_crypto();
	pair_from_pkcs8(BYTES(rsa_pkcs8), &public_key, &private_key);
}

static void close_keys(void)
{
	object_put(public_key);
	object_put(private_key);
}

#define PSS(type, hash, mgf, salt) PARAMETER(type, pss, hash, mgf, salt)

TEST(pkcs1_signatures_are_the_known_ones)
{
	open_keys();
	ASSERT_EQ(run_once(OPERATION_SIGN, PLAIN(CKM_SHA256_RSA_PKCS), private_key, MESSAGE),
	          ERROR_NONE);
	EXPECT_BYTES(OUTPUT, BYTES(rsa_pkcs1_sha256));
	ASSERT_EQ(run_parts(OPERATION_SIGN, PLAIN(CKM_SHA256_RSA_PKCS), private_key, MESSAGE, 1),
	          ERROR_NONE);
	EXPECT_BYTES(OUTPUT, BYTES(rsa_pkcs1_sha256));
	ASSERT_EQ(run_once(OPERATION_SIGN, PLAIN(CKM_SHA512_RSA_PKCS), private_key, MESSAGE),
	          ERROR_NONE);
	EXPECT_BYTES(OUTPUT, BYTES(rsa_pkcs1_sha512));
	close_keys();
}

TEST(raw_pkcs1_over_a_digest_info)
{
	uint8_t info[19 + 32];
	struct wire_bytes prefix;

	open_keys();
	prefix = hex("3031300d060960864801650304020105000420");
	memcpy(info, prefix.data, prefix.len);
	ASSERT_EQ(run_once(OPERATION_DIGEST, PLAIN(CKM_SHA256), NULL, MESSAGE), ERROR_NONE);
	memcpy(info + prefix.len, output, output_len);
	ASSERT_EQ(run_once(OPERATION_SIGN, PLAIN(CKM_RSA_PKCS), private_key, BYTES(info)),
	          ERROR_NONE);
	EXPECT_BYTES(OUTPUT, BYTES(rsa_pkcs1_sha256));
	EXPECT_EQ(verify(PLAIN(CKM_RSA_PKCS), public_key, BYTES(info), BYTES(rsa_pkcs1_sha256)),
	          ERROR_NONE);
	ASSERT_EQ(run_parts(OPERATION_SIGN, PLAIN(CKM_RSA_PKCS), private_key, BYTES(info), 7),
	          ERROR_NONE);
	EXPECT_BYTES(OUTPUT, BYTES(rsa_pkcs1_sha256));
	close_keys();
}

TEST(known_signatures_verify)
{
	struct wire_mechanism pss256, pkcs1 = PLAIN(CKM_SHA256_RSA_PKCS);

	open_keys();
	EXPECT_EQ(verify(pkcs1, public_key, MESSAGE, BYTES(rsa_pkcs1_sha256)), ERROR_NONE);
	EXPECT_EQ(verify_parts(pkcs1, public_key, MESSAGE, BYTES(rsa_pkcs1_sha256)), ERROR_NONE);
	EXPECT_EQ(verify(PLAIN(CKM_SHA1_RSA_PKCS), public_key, MESSAGE, BYTES(rsa_pkcs1_sha1)),
	          ERROR_NONE);
	EXPECT_EQ(verify(pkcs1, public_key, MESSAGE, BYTES(rsa_pkcs1_sha512)), ERROR_SIGNATURE);
	pss256 = PSS(CKM_SHA256_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 20);
	EXPECT_EQ(verify(pss256, public_key, MESSAGE, BYTES(rsa_pss_sha256_salt20)), ERROR_NONE);
	EXPECT_EQ(verify(pss256, public_key, TEXT("crayon"), BYTES(rsa_pss_sha256_salt20)),
	          ERROR_SIGNATURE);
	pss256 = PSS(CKM_SHA256_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 21);
	EXPECT_EQ(verify(pss256, public_key, MESSAGE, BYTES(rsa_pss_sha256_salt20)),
	          ERROR_SIGNATURE);
	EXPECT_EQ(verify(PSS(CKM_SHA384_RSA_PKCS_PSS, CKM_SHA384, CKG_MGF1_SHA384, 48), public_key,
	                 MESSAGE, BYTES(rsa_pss_sha384_salt48)),
	          ERROR_NONE);
	close_keys();
}

TEST(modified_and_truncated_signatures)
{
	uint8_t octets[K + 1];

	open_keys();
	memcpy(octets, rsa_pkcs1_sha256, K);
	for (size_t i = 0; i < K; i += 5) {
		octets[i] ^= 0x10;
		EXPECT_EQ(verify(PLAIN(CKM_SHA256_RSA_PKCS), public_key, MESSAGE,
		                 ((struct wire_bytes){octets, K})),
		          ERROR_SIGNATURE);
		octets[i] ^= 0x10;
	}
	for (size_t len = 0; len <= K + 1; len += len == 0 || len >= K - 2 ? 1 : K - 3)
		EXPECT_EQ(verify(PLAIN(CKM_SHA256_RSA_PKCS), public_key, MESSAGE,
		                 ((struct wire_bytes){octets, len})),
		          len == K ? ERROR_NONE : ERROR_SIGNATURE_LENGTH);
	memset(octets, 0, K);
	EXPECT_EQ(verify(PLAIN(CKM_SHA256_RSA_PKCS), public_key, MESSAGE,
	                 ((struct wire_bytes){octets, K})),
	          ERROR_SIGNATURE);
	memset(octets, 0xff, K);
	EXPECT_EQ(verify(PLAIN(CKM_SHA256_RSA_PKCS), public_key, MESSAGE,
	                 ((struct wire_bytes){octets, K})),
	          ERROR_SIGNATURE);
	close_keys();
}

static const struct {
	uint64_t hash, mgf, pss, pkcs1;
	size_t len;
} hashes[] = {
	{CKM_SHA224, CKG_MGF1_SHA224, CKM_SHA224_RSA_PKCS_PSS, CKM_SHA224_RSA_PKCS, 28},
	{CKM_SHA256, CKG_MGF1_SHA256, CKM_SHA256_RSA_PKCS_PSS, CKM_SHA256_RSA_PKCS, 32},
	{CKM_SHA384, CKG_MGF1_SHA384, CKM_SHA384_RSA_PKCS_PSS, CKM_SHA384_RSA_PKCS, 48},
	{CKM_SHA512, CKG_MGF1_SHA512, CKM_SHA512_RSA_PKCS_PSS, CKM_SHA512_RSA_PKCS, 64},
};

TEST(every_signature_mechanism_round_trips)
{
	open_keys();
	for (size_t i = 0; i < 4; i++) {
		struct wire_mechanism parameter =
			PSS(hashes[i].pss, hashes[i].hash, hashes[i].mgf, hashes[i].len);

		ASSERT_EQ(run_once(OPERATION_SIGN, parameter, private_key, MESSAGE), ERROR_NONE);
		EXPECT_EQ(verify_parts(parameter, public_key, MESSAGE, OUTPUT), ERROR_NONE);
		ASSERT_EQ(
			run_parts(OPERATION_SIGN, PLAIN(hashes[i].pkcs1), private_key, MESSAGE, 2),
			ERROR_NONE);
		EXPECT_EQ(verify(PLAIN(hashes[i].pkcs1), public_key, MESSAGE, OUTPUT), ERROR_NONE);
	}
	close_keys();
}

TEST(pss_parameters)
{
	struct wire_bytes digest = {long_data, 32};
	size_t salt_max = K - 32 - 2;

	open_keys();
#define TRY(kind, hash, mgf, salt)                                                                 \
	run_once(kind, PSS(CKM_RSA_PKCS_PSS, hash, mgf, salt), private_key, digest)
	EXPECT_EQ(TRY(OPERATION_SIGN, CKM_SHA256, CKG_MGF1_SHA256, 0), ERROR_NONE);
	EXPECT_EQ(TRY(OPERATION_SIGN, CKM_SHA256, CKG_MGF1_SHA256, salt_max), ERROR_NONE);
	EXPECT_EQ(TRY(OPERATION_SIGN, CKM_SHA256, CKG_MGF1_SHA256, salt_max + 1),
	          ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(OPERATION_SIGN, CKM_SHA256, CKG_MGF1_SHA256, UINT64_MAX),
	          ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(OPERATION_SIGN, CKM_SHA256, CKG_MGF1_SHA1, 32), ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(OPERATION_SIGN, CKM_AES_GCM, CKG_MGF1_SHA1, 32), ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(OPERATION_SIGN, CKM_SHA256, 0, 32), ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(OPERATION_SIGN, CKM_SHA384, CKG_MGF1_SHA384, 48), ERROR_DATA_LENGTH);
	EXPECT_EQ(TRY(OPERATION_SIGN, CKM_SHA_1, CKG_MGF1_SHA1, 20), ERROR_MECHANISM_PARAMETER);
#undef TRY
	EXPECT_EQ(run_once(OPERATION_SIGN,
	                   PSS(CKM_SHA256_RSA_PKCS_PSS, CKM_SHA384, CKG_MGF1_SHA384, 32),
	                   private_key, MESSAGE),
	          ERROR_MECHANISM_PARAMETER);
	for (size_t len = 31; len < 34; len++)
		EXPECT_EQ(run_once(OPERATION_SIGN,
		                   PSS(CKM_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 32),
		                   private_key, ((struct wire_bytes){long_data, len})),
		          len == 32 ? ERROR_NONE : ERROR_DATA_LENGTH);
	close_keys();
}

/* DigestInfo by hand: the object identifiers of SHA3-224 to -512 end in 7 to 10. */
TEST(sha3_pkcs1)
{
	static const struct {
		uint64_t sign, digest;
		uint8_t len, number;
	} rows[] = {{CKM_SHA3_224_RSA_PKCS, CKM_SHA3_224, 28, 7},
	            {CKM_SHA3_256_RSA_PKCS, CKM_SHA3_256, 32, 8},
	            {CKM_SHA3_384_RSA_PKCS, CKM_SHA3_384, 48, 9},
	            {CKM_SHA3_512_RSA_PKCS, CKM_SHA3_512, 64, 10}};
	uint8_t info[19 + 64], signature[K];

	open_keys();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct wire_bytes whole = {info, 19u + rows[i].len};

		memcpy(info, hex("3000300d06096086480165030402000500 0400").data, 19);
		info[1] = (uint8_t)(17 + rows[i].len);
		info[14] = rows[i].number;
		info[18] = rows[i].len;
		ASSERT_EQ(run_once(OPERATION_SIGN, PLAIN(rows[i].sign), private_key, MESSAGE),
		          ERROR_NONE);
		ASSERT_EQ(output_len, K);
		memcpy(signature, output, K);
		EXPECT_EQ(verify_parts(PLAIN(rows[i].sign), public_key, MESSAGE, BYTES(signature)),
		          ERROR_NONE);
		ASSERT_EQ(run_once(OPERATION_DIGEST, PLAIN(rows[i].digest), NULL, MESSAGE),
		          ERROR_NONE);
		memcpy(info + 19, output, rows[i].len);
		EXPECT_EQ(verify(PLAIN(CKM_RSA_PKCS), public_key, whole, BYTES(signature)),
		          ERROR_NONE);
		signature[9] ^= 1;
		EXPECT_EQ(verify(PLAIN(rows[i].sign), public_key, MESSAGE, BYTES(signature)),
		          ERROR_SIGNATURE);
	}
	close_keys();
}

TEST(sha3_pss)
{
	static const struct {
		uint64_t sign, digest, mgf, salt;
	} rows[] = {{CKM_SHA3_224_RSA_PKCS_PSS, CKM_SHA3_224, CKG_MGF1_SHA3_224, 28},
	            {CKM_SHA3_256_RSA_PKCS_PSS, CKM_SHA3_256, CKG_MGF1_SHA3_256, 32},
	            {CKM_SHA3_384_RSA_PKCS_PSS, CKM_SHA3_384, CKG_MGF1_SHA3_384, 48},
	            {CKM_SHA3_512_RSA_PKCS_PSS, CKM_SHA3_512, CKG_MGF1_SHA3_512, 64}};
	uint8_t signature[K];

	open_keys();
	EXPECT_EQ(verify(PSS(CKM_SHA3_256_RSA_PKCS_PSS, CKM_SHA3_256, CKG_MGF1_SHA3_256, 32),
	                 public_key, MESSAGE, BYTES(rsa_pss_sha3_256_salt32)),
	          ERROR_NONE);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ASSERT_EQ(run_once(OPERATION_SIGN,
		                   PSS(rows[i].sign, rows[i].digest, rows[i].mgf, rows[i].salt),
		                   private_key, MESSAGE),
		          ERROR_NONE);
		memcpy(signature, output, K);
		EXPECT_EQ(verify(PSS(rows[i].sign, rows[i].digest, rows[i].mgf, rows[i].salt),
		                 public_key, MESSAGE, BYTES(signature)),
		          ERROR_NONE);
		EXPECT_EQ(verify(PSS(rows[i].sign, rows[i].digest, rows[i].mgf, rows[i].salt - 1),
		                 public_key, MESSAGE, BYTES(signature)),
		          ERROR_SIGNATURE);
		EXPECT_EQ(verify(PSS(rows[i].sign, CKM_SHA256, CKG_MGF1_SHA256, 32), public_key,
		                 MESSAGE, BYTES(signature)),
		          ERROR_MECHANISM_PARAMETER);
	}
	close_keys();
}

/* PKCS#1 by hand, over what has no padding. */
TEST(raw_only_when_allowed)
{
	struct config *config = config_defaults();
	uint8_t block[K] = {0, 1}, big[K];
	const struct mechanism *row;
	struct wire_bytes info;

	open_keys();
	EXPECT_NULL(mechanism_find(crypto, config, CKM_RSA_X_509));
	config->algorithms.allow_raw_rsa = true;
	row = mechanism_find(crypto, config, CKM_RSA_X_509);
	ASSERT_NOT_NULL(row);
	ASSERT_EQ(run_once(OPERATION_DIGEST, PLAIN(CKM_SHA256), NULL, MESSAGE), ERROR_NONE);
	info = hex("3031300d060960864801650304020105000420");
	memset(block + 2, 0xff, K - 2);
	block[K - 32 - 19 - 1] = 0;
	memcpy(block + K - 32 - 19, info.data, 19);
	memcpy(block + K - 32, output, 32);
	ASSERT_EQ(
		run_once_with(OPERATION_SIGN, row, PLAIN(CKM_RSA_X_509), private_key, BYTES(block)),
		ERROR_NONE);
	EXPECT_BYTES(OUTPUT, BYTES(rsa_pkcs1_sha256));
	ASSERT_EQ(run_once_with(OPERATION_SIGN, row, PLAIN(CKM_RSA_X_509), private_key,
	                        ((struct wire_bytes){block + 1, K - 1})),
	          ERROR_NONE); /* the leading zero is put there */
	EXPECT_BYTES(OUTPUT, BYTES(rsa_pkcs1_sha256));
	EXPECT_EQ(verify_with(row, PLAIN(CKM_RSA_X_509), public_key,
	                      ((struct wire_bytes){block + 1, K - 1}), BYTES(rsa_pkcs1_sha256)),
	          ERROR_NONE);
	block[100] ^= 1;
	EXPECT_EQ(verify_with(row, PLAIN(CKM_RSA_X_509), public_key, BYTES(block),
	                      BYTES(rsa_pkcs1_sha256)),
	          ERROR_SIGNATURE);
	ASSERT_EQ(run_once_with(OPERATION_ENCRYPT, row, PLAIN(CKM_RSA_X_509), public_key,
	                        TEXT("short")),
	          ERROR_NONE);
	ASSERT_EQ(run_once_with(OPERATION_DECRYPT, row, PLAIN(CKM_RSA_X_509), private_key, OUTPUT),
	          ERROR_NONE);
	ASSERT_EQ(output_len, K);
	EXPECT_MEMEQ(output + K - 5, "short", 5);
	EXPECT_EQ(run_once_with(OPERATION_SIGN, row, PLAIN(CKM_RSA_X_509), private_key,
	                        ((struct wire_bytes){long_data, K + 1})),
	          ERROR_DATA_LENGTH);
	memset(big, 0xff, K); /* not below the modulus */
	EXPECT_EQ(run_once_with(OPERATION_SIGN, row, PLAIN(CKM_RSA_X_509), private_key, BYTES(big)),
	          ERROR_DATA);
	EXPECT_EQ(
		run_once_with(OPERATION_ENCRYPT, row, PLAIN(CKM_RSA_X_509), public_key, BYTES(big)),
		ERROR_DATA);
	config_free(config);
	close_keys();
}

TEST(sha1_signs_only_when_allowed)
{
	struct config *config = config_defaults();
	struct wire_mechanism pss;
	const struct mechanism *row;

	open_keys();
	EXPECT_EQ(run_once(OPERATION_SIGN, PLAIN(CKM_SHA1_RSA_PKCS), private_key, MESSAGE),
	          ERROR_MECHANISM);
	EXPECT_EQ(run_once(OPERATION_SIGN, PLAIN(CKM_ECDSA_SHA1), private_key, MESSAGE),
	          ERROR_MECHANISM);
	config->algorithms.allow_sha1_signing = true;
	row = mechanism_find(crypto, config, CKM_SHA1_RSA_PKCS);
	ASSERT_EQ(
		run_once_with(OPERATION_SIGN, row, PLAIN(CKM_SHA1_RSA_PKCS), private_key, MESSAGE),
		ERROR_NONE);
	EXPECT_BYTES(OUTPUT, BYTES(rsa_pkcs1_sha1));
	row = mechanism_find(crypto, config, CKM_RSA_PKCS_PSS);
	pss = PSS(CKM_RSA_PKCS_PSS, CKM_SHA_1, CKG_MGF1_SHA1, 20);
	EXPECT_EQ(run_once_with(OPERATION_SIGN, row, pss, private_key,
	                        ((struct wire_bytes){long_data, 20})),
	          ERROR_NONE);
	EXPECT_EQ(verify(pss, public_key, ((struct wire_bytes){long_data, 20}), OUTPUT),
	          ERROR_NONE);
	config_free(config);
	close_keys();
}

TEST(raw_lengths)
{
	open_keys();
	for (size_t len = 0; len <= K; len += len < K - 14 ? 27 : 1)
		EXPECT_EQ(run_once(OPERATION_SIGN, PLAIN(CKM_RSA_PKCS), private_key,
		                   ((struct wire_bytes){long_data, len})),
		          len <= K - 11 ? ERROR_NONE : ERROR_DATA_LENGTH);
	close_keys();
}

TEST(known_ciphertexts_decrypt)
{
	struct wire_mechanism oaep;

	open_keys();
	ASSERT_EQ(run_once(OPERATION_DECRYPT, PLAIN(CKM_RSA_PKCS), private_key,
	                   BYTES(rsa_encrypted_pkcs1)),
	          ERROR_NONE);
	EXPECT_BYTES(OUTPUT, MESSAGE);
	ASSERT_EQ(run_parts(OPERATION_DECRYPT, PLAIN(CKM_RSA_PKCS), private_key,
	                    BYTES(rsa_encrypted_pkcs1), 100),
	          ERROR_NONE);
	EXPECT_BYTES(OUTPUT, MESSAGE);
	oaep = PARAMETER(CKM_RSA_PKCS_OAEP, oaep, CKM_SHA256, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED,
	                 TEXT("label"));
	ASSERT_EQ(run_once(OPERATION_DECRYPT, oaep, private_key,
	                   BYTES(rsa_encrypted_oaep_sha256_mgf_sha1)),
	          ERROR_NONE);
	EXPECT_BYTES(OUTPUT, MESSAGE);
	oaep = PARAMETER(CKM_RSA_PKCS_OAEP, oaep, CKM_SHA256, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED,
	                 TEXT("Label"));
	EXPECT_EQ(run_once(OPERATION_DECRYPT, oaep, private_key,
	                   BYTES(rsa_encrypted_oaep_sha256_mgf_sha1)),
	          ERROR_ENCRYPTED_DATA);
	EXPECT_EQ(output_len, 0);
	close_keys();
}

static const size_t oaep_overheads[] = {2 * 28 + 2, 2 * 32 + 2, 2 * 48 + 2, 2 * 64 + 2};

TEST(oaep_round_trips_up_to_its_length)
{
	open_keys();
	for (size_t i = 0; i < 4; i++) {
		struct wire_mechanism oaep = PARAMETER(CKM_RSA_PKCS_OAEP, oaep, hashes[i].hash,
		                                       hashes[i].mgf, 0, NOTHING);
		size_t max = K - oaep_overheads[i];

		for (size_t len = 0; len <= max + 1; len += len == 1 ? max - 2 : 1) {
			struct wire_bytes data = {long_data, len};

			EXPECT_EQ(run_once(OPERATION_ENCRYPT, oaep, public_key, data),
			          len <= max ? ERROR_NONE : ERROR_DATA_LENGTH);
			if (len > max)
				continue;
			ASSERT_EQ(output_len, K);
			EXPECT_EQ(run_once(OPERATION_DECRYPT, oaep, private_key, OUTPUT),
			          ERROR_NONE);
			EXPECT_BYTES(OUTPUT, data);
		}
	}
	close_keys();
}

TEST(oaep_parameters)
{
	open_keys();
#define TRY(...)                                                                                   \
	run_once(OPERATION_ENCRYPT, PARAMETER(CKM_RSA_PKCS_OAEP, oaep, __VA_ARGS__), public_key,   \
	         MESSAGE)
	EXPECT_EQ(TRY(CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NOTHING), ERROR_NONE);
	EXPECT_EQ(TRY(CKM_SHA_1, CKG_MGF1_SHA1, 0, NOTHING), ERROR_NONE);
	EXPECT_EQ(TRY(CKM_SHA_1, CKG_MGF1_SHA1, 0, TEXT("x")), ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(CKM_SHA_1, CKG_MGF1_SHA1, 2, NOTHING), ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(CKM_SHA_1, 77, 1, NOTHING), ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(CKM_RSA_PKCS, CKG_MGF1_SHA1, 1, NOTHING), ERROR_MECHANISM_PARAMETER);
#undef TRY
	EXPECT_EQ(run_once(OPERATION_ENCRYPT, PLAIN(CKM_RSA_PKCS_OAEP), public_key, MESSAGE),
	          ERROR_MECHANISM_PARAMETER);
	close_keys();
}

TEST(pkcs1_encryption_lengths)
{
	open_keys();
	for (size_t len = 0; len <= K; len += len < K - 14 ? 27 : 1) {
		struct wire_bytes data = {long_data, len};

		EXPECT_EQ(run_once(OPERATION_ENCRYPT, PLAIN(CKM_RSA_PKCS), public_key, data),
		          len <= K - 11 ? ERROR_NONE : ERROR_DATA_LENGTH);
		if (len > K - 11)
			continue;
		EXPECT_EQ(run_once(OPERATION_DECRYPT, PLAIN(CKM_RSA_PKCS), private_key, OUTPUT),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, data);
	}
	for (size_t len = K - 1; len <= K + 1; len += 2)
		EXPECT_EQ(run_once(OPERATION_DECRYPT, PLAIN(CKM_RSA_PKCS), private_key,
		                   ((struct wire_bytes){long_data, len})),
		          ERROR_ENCRYPTED_DATA_LENGTH);
	close_keys();
}

/* A number above the modulus is no ciphertext. Bad padding may be answered by an error or, from
 * OpenSSL 3.2 on, by random plaintext (implicit rejection); never by the message. */
TEST(damaged_ciphertexts)
{
	uint8_t octets[K];

	open_keys();
	memset(octets, 0xff, sizeof(octets));
	EXPECT_EQ(run_once(OPERATION_DECRYPT, PLAIN(CKM_RSA_PKCS), private_key, BYTES(octets)),
	          ERROR_ENCRYPTED_DATA);
	memcpy(octets, rsa_encrypted_pkcs1, K);
	octets[K - 1] ^= 1;
	if (!run_once(OPERATION_DECRYPT, PLAIN(CKM_RSA_PKCS), private_key, BYTES(octets)))
		EXPECT_FALSE(output_len == 6 && !memcmp(output, "craton", 6));
	close_keys();
}

TEST(the_right_half_and_type)
{
	object_auto other = NULL;
	struct attributes data;

	open_keys();
	EXPECT_EQ(run_once(OPERATION_SIGN, PLAIN(CKM_RSA_PKCS), public_key, MESSAGE),
	          ERROR_KEY_FUNCTION);
	EXPECT_EQ(run_once(OPERATION_DECRYPT, PLAIN(CKM_RSA_PKCS), public_key, MESSAGE),
	          ERROR_KEY_FUNCTION);
	EXPECT_EQ(run_once(OPERATION_ENCRYPT, PLAIN(CKM_RSA_PKCS), private_key, MESSAGE),
	          ERROR_KEY_FUNCTION);
	EXPECT_EQ(verify(PLAIN(CKM_RSA_PKCS), private_key, MESSAGE, NOTHING), ERROR_KEY_FUNCTION);
	EXPECT_EQ(run_once(OPERATION_SIGN, PLAIN(CKM_ECDSA), private_key, MESSAGE), ERROR_KEY_TYPE);
	EXPECT_EQ(run_once(OPERATION_SIGN, PLAIN(CKM_RSA_PKCS_KEY_PAIR_GEN), private_key, MESSAGE),
	          ERROR_MECHANISM);
	attributes_init(&data);
	ASSERT_EQ(attributes_set_number(&data, CKA_CLASS, CKO_DATA), ERROR_NONE);
	other = publish(&data);
	EXPECT_EQ(run_once(OPERATION_SIGN, PLAIN(CKM_RSA_PKCS), other, MESSAGE), ERROR_KEY_HANDLE);
	close_keys();
}

TEST(weak_keys_need_the_configuration)
{
	struct config *config = config_defaults();
	struct wire_mechanism parameter = PLAIN(CKM_SHA256_RSA_PKCS);
	EVP_PKEY *pkey;
	struct attributes set;
	object_auto weak = NULL;
	const struct mechanism *row;

	open_crypto();
	pkey = EVP_PKEY_Q_keygen(crypto->library, crypto->properties, "RSA", (size_t)1024);
	ASSERT_NOT_NULL(pkey);
	set = key_set(CKO_PRIVATE_KEY, CKK_RSA);
	ASSERT_EQ(crypto_key_private_attributes(pkey, &set), ERROR_NONE);
	weak = publish(&set);
	EXPECT_EQ(run_once(OPERATION_SIGN, parameter, weak, MESSAGE), ERROR_KEY_SIZE);
	config->algorithms.allow_weak_rsa = true;
	row = mechanism_find(crypto, config, CKM_SHA256_RSA_PKCS);
	EXPECT_EQ(run_once_with(OPERATION_SIGN, row, parameter, weak, MESSAGE), ERROR_NONE);
	EXPECT_FALSE(row->fips_approved);
	EXPECT_EQ(output_len, 128);
	config->algorithms.fips_approved_only = true;
	row = mechanism_find(crypto, config, CKM_SHA256_RSA_PKCS);
	EXPECT_EQ(run_once_with(OPERATION_SIGN, row, parameter, weak, MESSAGE), ERROR_KEY_SIZE);
	EVP_PKEY_free(pkey);
	config_free(config);
}

HARNESS_MAIN
