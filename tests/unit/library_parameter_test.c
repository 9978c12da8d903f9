/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/host_parameter.c: every shape from the host's structure to the wire's record; every length of
 * it but the right one, NULLs, and structures at odd addresses.
 */
#include "host_parameter.h"

#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "wire/frame.h"

static struct wire_buffer buffer;

static struct wire_mechanism encode(CK_MECHANISM_TYPE type, void *parameter, CK_ULONG len)
{
	CK_MECHANISM mechanism = {type, parameter, len};
	struct wire_mechanism out;

	wire_buffer_free(&buffer);
	wire_buffer_init(&buffer, WIRE_CONTROL_LIMIT, NULL);
	if (host_parameter_encode(&mechanism, &buffer, &out) != CKR_OK)
		abort();
	return out;
}

/* Every length from 0 to `len` + 24 but `len` (and `also`) is malformed. */
static void sweep(CK_MECHANISM_TYPE type, const void *parameter, size_t len, size_t also)
{
	uint8_t *copy = calloc(1, len + 24);

	memcpy(copy, parameter, len);
	for (size_t each = 0; each <= len + 24; each++) {
		bool good = each == len || each == also;

		EXPECT_EQ(encode(type, copy, each).shape == WIRE_SHAPE_malformed, !good);
	}
	EXPECT_EQ(encode(type, NULL, 0).shape, WIRE_SHAPE_malformed);
	EXPECT_EQ(encode(type, NULL, len).shape, WIRE_SHAPE_malformed);
	EXPECT_EQ(encode(type, NULL, 0).parameter.len, 0);
	free(copy);
}

TEST(no_mechanism)
{
	struct wire_mechanism out;

	ASSERT_EQ(host_parameter_encode(NULL, &buffer, &out), CKR_ARGUMENTS_BAD);
}

TEST(none)
{
	ASSERT_EQ(encode(CKM_SHA256, NULL, 0).shape, WIRE_SHAPE_none);
	ASSERT_EQ(encode(CKM_SHA256, &buffer, 0).shape, WIRE_SHAPE_none);
	ASSERT_EQ(encode(CKM_SHA256, &buffer, 1).shape, WIRE_SHAPE_malformed);
	ASSERT_EQ(encode(CKM_SHA256, NULL, 8).shape, WIRE_SHAPE_malformed);
}

TEST(unlisted_mechanism_travels_without_parameter)
{
	struct wire_mechanism out = encode(CKM_VENDOR_DEFINED + 1, &buffer, 8);

	ASSERT_EQ(out.type, CKM_VENDOR_DEFINED + 1);
	ASSERT_EQ(out.shape, WIRE_SHAPE_none);
	ASSERT_EQ(out.parameter.len, 0);
}

TEST(initialization_vector)
{
	uint8_t iv[16] = "0123456789abcde";
	uint8_t *huge = calloc(1, WIRE_CONTROL_LIMIT);
	struct wire_initialization_vector_parameter record;
	struct wire_mechanism out = encode(CKM_AES_CBC, iv, sizeof(iv));

	ASSERT_EQ(out.shape, WIRE_SHAPE_initialization_vector);
	ASSERT_TRUE(wire_decode_initialization_vector_parameter(out.parameter, &record));
	ASSERT_EQ(record.iv.len, sizeof(iv));
	ASSERT_MEMEQ(record.iv.data, iv, sizeof(iv));
	EXPECT_EQ(encode(CKM_AES_CBC, NULL, 16).shape, WIRE_SHAPE_malformed);
	EXPECT_EQ(encode(CKM_AES_CBC, huge, WIRE_CONTROL_LIMIT).shape, WIRE_SHAPE_malformed);
	EXPECT_EQ(encode(CKM_AES_CBC, huge, CK_UNAVAILABLE_INFORMATION).shape,
	          WIRE_SHAPE_malformed);
	out = encode(CKM_AES_KEY_WRAP, NULL, 0);
	ASSERT_EQ(out.shape, WIRE_SHAPE_initialization_vector);
	ASSERT_TRUE(wire_decode_initialization_vector_parameter(out.parameter, &record));
	EXPECT_EQ(record.iv.len, 0);
	free(huge);
}

TEST(number)
{
	uint8_t place[1 + sizeof(CK_ULONG)];
	CK_ULONG value = 20;
	struct wire_number_parameter record;
	struct wire_mechanism out;

	memcpy(place + 1, &value, sizeof(value)); /* unaligned */
	out = encode(CKM_SHA256_HMAC_GENERAL, place + 1, sizeof(value));
	ASSERT_TRUE(wire_decode_number_parameter(out.parameter, &record));
	ASSERT_EQ(record.value, 20);
	sweep(CKM_SHA256_HMAC_GENERAL, &value, sizeof(value), sizeof(value));
}

TEST(pss)
{
	CK_RSA_PKCS_PSS_PARAMS params = {CKM_SHA256, CKG_MGF1_SHA256, 32};
	struct wire_pss_parameter record;
	struct wire_mechanism out = encode(CKM_RSA_PKCS_PSS, &params, sizeof(params));

	ASSERT_EQ(out.shape, WIRE_SHAPE_pss);
	ASSERT_TRUE(wire_decode_pss_parameter(out.parameter, &record));
	EXPECT_EQ(record.hash, CKM_SHA256);
	EXPECT_EQ(record.mgf, CKG_MGF1_SHA256);
	EXPECT_EQ(record.salt_len, 32);
	sweep(CKM_RSA_PKCS_PSS, &params, sizeof(params), sizeof(params));
}

TEST(oaep)
{
	CK_RSA_PKCS_OAEP_PARAMS params = {CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED,
	                                  (CK_BYTE_PTR)(uintptr_t) "label", 5};
	struct wire_oaep_parameter record;
	struct wire_mechanism out = encode(CKM_RSA_PKCS_OAEP, &params, sizeof(params));

	ASSERT_TRUE(wire_decode_oaep_parameter(out.parameter, &record));
	EXPECT_EQ(record.source, CKZ_DATA_SPECIFIED);
	EXPECT_EQ(record.label.len, 5);
	EXPECT_MEMEQ(record.label.data, "label", 5);
	sweep(CKM_RSA_PKCS_OAEP, &params, sizeof(params), sizeof(params));
	params.pSourceData = NULL;
	EXPECT_EQ(encode(CKM_RSA_PKCS_OAEP, &params, sizeof(params)).shape, WIRE_SHAPE_malformed);
	params.ulSourceDataLen = 0;
	EXPECT_EQ(encode(CKM_RSA_PKCS_OAEP, &params, sizeof(params)).shape, WIRE_SHAPE_oaep);
}

TEST(counter)
{
	CK_AES_CTR_PARAMS params = {64, "counter block 1"};
	struct wire_counter_parameter record;
	struct wire_mechanism out = encode(CKM_AES_CTR, &params, sizeof(params));

	ASSERT_TRUE(wire_decode_counter_parameter(out.parameter, &record));
	EXPECT_EQ(record.counter_bits, 64);
	ASSERT_EQ(record.block.len, 16);
	EXPECT_MEMEQ(record.block.data, params.cb, 16);
	sweep(CKM_AES_CTR, &params, sizeof(params), sizeof(params));
}

static void check_gcm(struct wire_mechanism out)
{
	struct wire_gcm_parameter record;

	ASSERT_EQ(out.shape, WIRE_SHAPE_gcm);
	ASSERT_TRUE(wire_decode_gcm_parameter(out.parameter, &record));
	ASSERT_EQ(record.iv.len, 12);
	EXPECT_MEMEQ(record.iv.data, "iv iv iv iv ", 12);
	ASSERT_EQ(record.aad.len, 3);
	EXPECT_MEMEQ(record.aad.data, "aad", 3);
	EXPECT_EQ(record.tag_bits, 128);
}

TEST(gcm_in_both_layouts)
{
	struct {
		CK_BYTE *iv;
		CK_ULONG iv_len;
		CK_BYTE *aad;
		CK_ULONG aad_len, tag_bits;
	} old = {(CK_BYTE *)"iv iv iv iv ", 12, (CK_BYTE *)"aad", 3, 128};
	CK_GCM_PARAMS params = {old.iv, 12, 96, old.aad, 3, 128};

	check_gcm(encode(CKM_AES_GCM, &params, sizeof(params)));
	params.ulIvBits = 0;
	check_gcm(encode(CKM_AES_GCM, &params, sizeof(params)));
	check_gcm(encode(CKM_AES_GCM, &old, sizeof(old)));
	EXPECT_EQ(encode(CKM_AES_GCM, NULL, 0).shape, WIRE_SHAPE_malformed);
	for (size_t len = 0; len < sizeof(params); len++) {
		if (len != sizeof(old))
			EXPECT_EQ(encode(CKM_AES_GCM, &params, len).shape, WIRE_SHAPE_malformed);
	}
	params.ulAADLen = CK_UNAVAILABLE_INFORMATION;
	EXPECT_EQ(encode(CKM_AES_GCM, &params, sizeof(params)).shape, WIRE_SHAPE_malformed);
	params.ulAADLen = 3;
	params.pAAD = NULL;
	EXPECT_EQ(encode(CKM_AES_GCM, &params, sizeof(params)).shape, WIRE_SHAPE_malformed);
	params.ulAADLen = 0;
	EXPECT_EQ(encode(CKM_AES_GCM, &params, sizeof(params)).shape, WIRE_SHAPE_gcm);
}

TEST(ccm)
{
	struct {
		CK_ULONG data_len;
		CK_BYTE *nonce;
		CK_ULONG nonce_len;
		CK_BYTE *aad;
		CK_ULONG aad_len, tag_len;
	} params = {1000, (CK_BYTE *)"nonce", 5, (CK_BYTE *)"aad", 3, 8};
	struct wire_ccm_parameter record;
	struct wire_mechanism out = encode(CKM_AES_CCM, &params, sizeof(params));

	ASSERT_EQ(out.shape, WIRE_SHAPE_ccm);
	ASSERT_TRUE(wire_decode_ccm_parameter(out.parameter, &record));
	EXPECT_EQ(record.data_len, 1000);
	ASSERT_EQ(record.nonce.len, 5);
	EXPECT_MEMEQ(record.nonce.data, "nonce", 5);
	ASSERT_EQ(record.aad.len, 3);
	EXPECT_MEMEQ(record.aad.data, "aad", 3);
	EXPECT_EQ(record.tag_len, 8);
	params.nonce = NULL;
	EXPECT_EQ(encode(CKM_AES_CCM, &params, sizeof(params)).shape, WIRE_SHAPE_malformed);
	params.nonce_len = 0;
	sweep(CKM_AES_CCM, &params, sizeof(params), sizeof(params));
}

TEST(poly1305)
{
	struct {
		CK_BYTE *nonce;
		CK_ULONG nonce_len;
		CK_BYTE *aad;
		CK_ULONG aad_len;
	} params = {(CK_BYTE *)"nonce nonce ", 12, (CK_BYTE *)"aad", 3};
	struct wire_poly1305_parameter record;
	struct wire_mechanism out = encode(CKM_CHACHA20_POLY1305, &params, sizeof(params));

	ASSERT_EQ(out.shape, WIRE_SHAPE_poly1305);
	ASSERT_TRUE(wire_decode_poly1305_parameter(out.parameter, &record));
	ASSERT_EQ(record.nonce.len, 12);
	EXPECT_MEMEQ(record.nonce.data, "nonce nonce ", 12);
	ASSERT_EQ(record.aad.len, 3);
	EXPECT_MEMEQ(record.aad.data, "aad", 3);
	params.aad = NULL;
	EXPECT_EQ(encode(CKM_CHACHA20_POLY1305, &params, sizeof(params)).shape,
	          WIRE_SHAPE_malformed);
	params.aad_len = params.nonce_len = 0;
	params.nonce = NULL;
	sweep(CKM_CHACHA20_POLY1305, &params, sizeof(params), sizeof(params));
}

TEST(eddsa)
{
	struct {
		CK_BBOOL prehash;
		CK_ULONG context_len;
		CK_BYTE *context;
	} params = {CK_TRUE, 3, (CK_BYTE *)"ctx"};
	struct wire_eddsa_parameter record;
	struct wire_mechanism out = encode(CKM_EDDSA, &params, sizeof(params));

	ASSERT_EQ(out.shape, WIRE_SHAPE_eddsa);
	ASSERT_TRUE(wire_decode_eddsa_parameter(out.parameter, &record));
	EXPECT_TRUE(record.prehash);
	ASSERT_EQ(record.context.len, 3);
	EXPECT_MEMEQ(record.context.data, "ctx", 3);
	params.context = NULL;
	EXPECT_EQ(encode(CKM_EDDSA, &params, sizeof(params)).shape, WIRE_SHAPE_malformed);
	/* Without a parameter it is plain EdDSA. */
	EXPECT_EQ(encode(CKM_EDDSA, NULL, 0).shape, WIRE_SHAPE_none);
	EXPECT_EQ(encode(CKM_EDDSA, &params, 0).shape, WIRE_SHAPE_malformed);
	EXPECT_EQ(encode(CKM_EDDSA, NULL, sizeof(params)).shape, WIRE_SHAPE_malformed);
}

TEST(derivation_data)
{
	CK_KEY_DERIVATION_STRING_DATA params = {(CK_BYTE *)"data", 4};
	struct wire_derivation_data_parameter record;
	struct wire_mechanism out = encode(CKM_XOR_BASE_AND_DATA, &params, sizeof(params));

	ASSERT_EQ(out.shape, WIRE_SHAPE_derivation_data);
	ASSERT_TRUE(wire_decode_derivation_data_parameter(out.parameter, &record));
	ASSERT_EQ(record.data.len, 4);
	EXPECT_MEMEQ(record.data.data, "data", 4);
	params.pData = NULL;
	EXPECT_EQ(encode(CKM_XOR_BASE_AND_DATA, &params, sizeof(params)).shape,
	          WIRE_SHAPE_malformed);
	params.ulLen = 0;
	sweep(CKM_XOR_BASE_AND_DATA, &params, sizeof(params), sizeof(params));
}

TEST(encrypt_data)
{
	CK_AES_CBC_ENCRYPT_DATA_PARAMS params = {{1, 2}, (CK_BYTE *)"data", 4};
	struct wire_encrypt_data_parameter record;
	struct wire_mechanism out = encode(CKM_AES_CBC_ENCRYPT_DATA, &params, sizeof(params));

	ASSERT_EQ(out.shape, WIRE_SHAPE_encrypt_data);
	ASSERT_TRUE(wire_decode_encrypt_data_parameter(out.parameter, &record));
	ASSERT_EQ(record.iv.len, 16);
	EXPECT_EQ(record.iv.data[1], 2);
	ASSERT_EQ(record.data.len, 4);
	EXPECT_MEMEQ(record.data.data, "data", 4);
	sweep(CKM_AES_CBC_ENCRYPT_DATA, &(CK_AES_CBC_ENCRYPT_DATA_PARAMS){0}, sizeof(params),
	      sizeof(params));
}

TEST(hkdf)
{
	struct {
		CK_BBOOL extract, expand;
		CK_ULONG hash, salt_type;
		CK_BYTE *salt;
		CK_ULONG salt_len, salt_key;
		CK_BYTE *info;
		CK_ULONG info_len;
	} params = {1, 0, CKM_SHA384, 2, (CK_BYTE *)"salt", 4, 77, (CK_BYTE *)"info!", 5};
	struct wire_hkdf_parameter record;
	struct wire_mechanism out = encode(CKM_HKDF_DERIVE, &params, sizeof(params));

	ASSERT_EQ(out.shape, WIRE_SHAPE_hkdf);
	ASSERT_TRUE(wire_decode_hkdf_parameter(out.parameter, &record));
	EXPECT_TRUE(record.extract);
	EXPECT_FALSE(record.expand);
	EXPECT_EQ(record.hash, CKM_SHA384);
	EXPECT_EQ(record.salt_type, 2);
	EXPECT_EQ(record.salt_key, 77);
	ASSERT_EQ(record.salt.len, 4);
	EXPECT_MEMEQ(record.salt.data, "salt", 4);
	ASSERT_EQ(record.info.len, 5);
	EXPECT_MEMEQ(record.info.data, "info!", 5);
	params.salt = NULL;
	EXPECT_EQ(encode(CKM_HKDF_DATA, &params, sizeof(params)).shape, WIRE_SHAPE_malformed);
	params.salt_len = params.info_len = 0;
	params.info = NULL;
	sweep(CKM_HKDF_DATA, &params, sizeof(params), sizeof(params));
}

/* The length of the password itself, or a pointer to it. */
TEST(pbkdf2_in_both_versions)
{
	CK_ULONG len = 8;
	struct {
		CK_ULONG source;
		void *salt;
		CK_ULONG salt_len, iterations, prf;
		void *prf_data;
		CK_ULONG prf_data_len;
		CK_BYTE *password;
		CK_ULONG password_len;
	} params = {1, (void *)(uintptr_t) "salt", 4, 1000, 4, NULL, 0, (CK_BYTE *)"password", 0};

	for (int i = 0; i < 2; i++) {
		struct wire_pbkdf2_parameter record;
		struct wire_mechanism out;

		params.password_len = i ? (CK_ULONG)&len : len;
		out = encode(CKM_PKCS5_PBKD2, &params, sizeof(params));
		ASSERT_EQ(out.shape, WIRE_SHAPE_pbkdf2);
		ASSERT_TRUE(wire_decode_pbkdf2_parameter(out.parameter, &record));
		EXPECT_EQ(record.salt_source, 1);
		ASSERT_EQ(record.salt.len, 4);
		EXPECT_MEMEQ(record.salt.data, "salt", 4);
		EXPECT_EQ(record.iterations, 1000);
		EXPECT_EQ(record.prf, 4);
		EXPECT_EQ(record.prf_data.len, 0);
		ASSERT_EQ(record.password.len, 8);
		EXPECT_MEMEQ(record.password.data, "password", 8);
	}
	params.password = NULL;
	EXPECT_EQ(encode(CKM_PKCS5_PBKD2, &params, sizeof(params)).shape, WIRE_SHAPE_malformed);
	params.password_len = CK_UNAVAILABLE_INFORMATION;
	EXPECT_EQ(encode(CKM_PKCS5_PBKD2, &params, sizeof(params)).shape, WIRE_SHAPE_malformed);
	params.password_len = 0;
	sweep(CKM_PKCS5_PBKD2, &params, sizeof(params), sizeof(params));
}

struct kdf_part {
	CK_ULONG type;
	void *value;
	CK_ULONG len;
};

TEST(sp800_108)
{
	struct {
		CK_BBOOL little;
		CK_ULONG bits;
	} counter = {1, 16};
	struct {
		CK_ULONG method;
		CK_BBOOL little;
		CK_ULONG bits;
	} length = {2, 0, 32};
	struct kdf_part parts[] = {{1, &counter, sizeof(counter)},
	                           {4, (void *)(uintptr_t) "octets", 6},
	                           {3, &length, sizeof(length)},
	                           {1, NULL, 0}};
	struct {
		CK_ULONG prf, count;
		struct kdf_part *parts;
		CK_ULONG more;
		void *keys;
	} params = {CKM_SHA256_HMAC, 4, parts, 0, NULL};
	struct {
		CK_ULONG prf, count;
		struct kdf_part *parts;
		CK_ULONG iv_len;
		CK_BYTE *iv;
		CK_ULONG more;
		void *keys;
	} feedback = {CKM_SHA256_HMAC, 0, NULL, 2, (CK_BYTE *)"iv", 0, NULL};
	struct wire_sp800_108_part_parameter part;
	struct wire_sp800_108_parameter record;
	struct wire_mechanism out = encode(CKM_SP800_108_COUNTER_KDF, &params, sizeof(params));
	struct wire_reader reader;

	ASSERT_EQ(out.shape, WIRE_SHAPE_sp800_108);
	ASSERT_TRUE(wire_decode_sp800_108_parameter(out.parameter, &record));
	EXPECT_EQ(record.prf, CKM_SHA256_HMAC);
	EXPECT_EQ(record.iv.len, 0);
	wire_reader_init(&reader, record.parts);
	ASSERT_TRUE(wire_decode_sp800_108_part_parameter(wire_get_bytes(&reader), &part));
	EXPECT_EQ(part.type, 1);
	EXPECT_TRUE(part.little_endian);
	EXPECT_EQ(part.bits, 16);
	ASSERT_TRUE(wire_decode_sp800_108_part_parameter(wire_get_bytes(&reader), &part));
	EXPECT_EQ(part.type, 4);
	ASSERT_EQ(part.value.len, 6);
	EXPECT_MEMEQ(part.value.data, "octets", 6);
	ASSERT_TRUE(wire_decode_sp800_108_part_parameter(wire_get_bytes(&reader), &part));
	EXPECT_EQ(part.type, 3);
	EXPECT_EQ(part.method, 2);
	EXPECT_FALSE(part.little_endian);
	EXPECT_EQ(part.bits, 32);
	ASSERT_TRUE(wire_decode_sp800_108_part_parameter(wire_get_bytes(&reader), &part));
	EXPECT_EQ(part.type, 1);
	EXPECT_EQ(part.bits, 0);
	EXPECT_TRUE(wire_reader_done(&reader));
	out = encode(CKM_SP800_108_FEEDBACK_KDF, &feedback, sizeof(feedback));
	ASSERT_TRUE(wire_decode_sp800_108_parameter(out.parameter, &record));
	ASSERT_EQ(record.iv.len, 2);
	EXPECT_EQ(record.parts.len, 0);
	params.more = 1; /* additional keys */
	EXPECT_EQ(encode(CKM_SP800_108_COUNTER_KDF, &params, sizeof(params)).shape,
	          WIRE_SHAPE_malformed);
	params.more = 0;
	parts[0].len--;
	EXPECT_EQ(encode(CKM_SP800_108_COUNTER_KDF, &params, sizeof(params)).shape,
	          WIRE_SHAPE_malformed);
	params.count = 65;
	EXPECT_EQ(encode(CKM_SP800_108_COUNTER_KDF, &params, sizeof(params)).shape,
	          WIRE_SHAPE_malformed);
	params.parts = NULL;
	params.count = 1;
	EXPECT_EQ(encode(CKM_SP800_108_COUNTER_KDF, &params, sizeof(params)).shape,
	          WIRE_SHAPE_malformed);
	params.count = 0;
	sweep(CKM_SP800_108_COUNTER_KDF, &params, sizeof(params), sizeof(feedback));
}

TEST(rsa_aes)
{
	CK_RSA_PKCS_OAEP_PARAMS oaep = {CKM_SHA256, CKG_MGF1_SHA1, 1, (void *)(uintptr_t) "label",
	                                5};
	struct {
		CK_ULONG bits;
		CK_RSA_PKCS_OAEP_PARAMS *oaep;
	} params = {256, &oaep};
	struct wire_rsa_aes_parameter record;
	struct wire_mechanism out = encode(CKM_RSA_AES_KEY_WRAP, &params, sizeof(params));

	ASSERT_EQ(out.shape, WIRE_SHAPE_rsa_aes);
	ASSERT_TRUE(wire_decode_rsa_aes_parameter(out.parameter, &record));
	EXPECT_EQ(record.aes_bits, 256);
	EXPECT_EQ(record.hash, CKM_SHA256);
	EXPECT_EQ(record.mgf, CKG_MGF1_SHA1);
	EXPECT_EQ(record.source, 1);
	ASSERT_EQ(record.label.len, 5);
	EXPECT_MEMEQ(record.label.data, "label", 5);
	sweep(CKM_RSA_AES_KEY_WRAP, &params, sizeof(params), sizeof(params));
	params.oaep = NULL;
	EXPECT_EQ(encode(CKM_RSA_AES_KEY_WRAP, &params, sizeof(params)).shape,
	          WIRE_SHAPE_malformed);
}

TEST(ecdh1)
{
	CK_ECDH1_DERIVE_PARAMS params = {CKD_NULL, 0, NULL, 5, (CK_BYTE *)"point"};
	struct wire_ecdh1_parameter record;
	struct wire_mechanism out = encode(CKM_ECDH1_DERIVE, &params, sizeof(params));

	ASSERT_TRUE(wire_decode_ecdh1_parameter(out.parameter, &record));
	EXPECT_EQ(record.kdf, CKD_NULL);
	EXPECT_EQ(record.shared_data.len, 0);
	ASSERT_EQ(record.public_data.len, 5);
	EXPECT_MEMEQ(record.public_data.data, "point", 5);
	sweep(CKM_ECDH1_DERIVE, &params, sizeof(params), sizeof(params));
	params.pPublicData = NULL;
	EXPECT_EQ(encode(CKM_ECDH1_DERIVE, &params, sizeof(params)).shape, WIRE_SHAPE_malformed);
	wire_buffer_free(&buffer);
}

HARNESS_MAIN
