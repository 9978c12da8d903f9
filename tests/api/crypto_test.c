/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations through the library: results that OpenSSL agrees with, the rules of length queries,
 * and bulk data. What each mechanism does inside is for tests/unit.
 */
#include <openssl/evp.h>

#include "api.h"

#define BULK_LEN (20u * 1024u * 1024u)

static CK_BYTE iv[16] = {1, 2, 3, 4, 5};

static CK_OBJECT_HANDLE import_aes(CK_SESSION_HANDLE session, const CK_BYTE *value, CK_ULONG len)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_OBJECT_HANDLE key = 0;
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_CLASS, class),
		ATTRIBUTE(CKA_KEY_TYPE, type),
		ATTRIBUTE(CKA_ENCRYPT, yes),
		ATTRIBUTE(CKA_DECRYPT, yes),
		{CKA_VALUE, (void *)(uintptr_t)value, len},
	};

	OK(p11->C_CreateObject(session, template, COUNT(template), &key));
	return key;
}

static void openssl_cbc(const CK_BYTE *key, const CK_BYTE *in, CK_BYTE *out, int len)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int got = 0, more = 0;

	ASSERT_TRUE(EVP_EncryptInit_ex(context, EVP_aes_256_cbc(), NULL, key, iv));
	EVP_CIPHER_CTX_set_padding(context, 0);
	ASSERT_TRUE(EVP_EncryptUpdate(context, out, &got, in, len));
	ASSERT_TRUE(EVP_EncryptFinal_ex(context, out + got, &more));
	ASSERT_EQ(got + more, len);
	EVP_CIPHER_CTX_free(context);
}

/* 20 MiB there and back, in one call and in parts. */
TEST(bulk_encryption)
{
	CK_MECHANISM cbc = {CKM_AES_CBC, iv, sizeof(iv)};
	CK_BYTE value[32] = {9, 8, 7}, *in = malloc(BULK_LEN), *out = malloc(BULK_LEN),
		*known = malloc(BULK_LEN);
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE key = import_aes(session, value, sizeof(value));
	CK_ULONG len = BULK_LEN, at = 0, part;

	for (CK_ULONG i = 0; i < BULK_LEN; i++)
		in[i] = (CK_BYTE)(i * 7 + (i >> 11));
	openssl_cbc(value, in, known, (int)BULK_LEN);
	OK(p11->C_EncryptInit(session, &cbc, key));
	OK(p11->C_Encrypt(session, in, BULK_LEN, out, &len));
	ASSERT_EQ(len, BULK_LEN);
	ASSERT_MEMEQ(out, known, BULK_LEN);
	OK(p11->C_DecryptInit(session, &cbc, key));
	while (at < BULK_LEN) {
		part = BULK_LEN - at < 3000000 ? BULK_LEN - at : 3000000;
		len = BULK_LEN - at;
		OK(p11->C_DecryptUpdate(session, known + at, part, out + at, &len));
		ASSERT_EQ(len, part / 16 * 16);
		at += part;
	}
	len = 0;
	OK(p11->C_DecryptFinal(session, out, &len));
	ASSERT_MEMEQ(out, in, BULK_LEN);
	free(in);
	free(out);
	free(known);
}

TEST(bulk_random)
{
	CK_SESSION_HANDLE session = api_user();
	CK_BYTE *octets = calloc(1, 3000000);
	unsigned int zeros = 0;

	OK(p11->C_GenerateRandom(session, octets, 3000000));
	for (int i = 0; i < 3000000; i++)
		zeros += octets[i] == 0;
	/* One in 256, give or take ten standard deviations. */
	ASSERT_GT(zeros, 10600);
	ASSERT_LT(zeros, 12840);
	free(octets);
}

static void expect_digest(CK_SESSION_HANDLE session, CK_MECHANISM_TYPE type, const EVP_MD *md)
{
	CK_MECHANISM mechanism = {type, NULL, 0};
	CK_BYTE data[1000], got[64], known[64];
	CK_ULONG got_len = 0;
	unsigned int known_len;

	memset(data, 'd', sizeof(data));
	ASSERT_TRUE(EVP_Digest(data, sizeof(data), known, &known_len, md, NULL));
	OK(p11->C_DigestInit(session, &mechanism));
	OK(p11->C_Digest(session, data, sizeof(data), NULL, &got_len));
	ASSERT_EQ(got_len, known_len);
	got_len = known_len - 1;
	GIVES(p11->C_Digest(session, data, sizeof(data), got, &got_len), CKR_BUFFER_TOO_SMALL);
	ASSERT_EQ(got_len, known_len);
	OK(p11->C_Digest(session, data, sizeof(data), got, &got_len));
	ASSERT_MEMEQ(got, known, known_len);
	GIVES(p11->C_Digest(session, data, sizeof(data), got, &got_len),
	      CKR_OPERATION_NOT_INITIALIZED);
	OK(p11->C_DigestInit(session, &mechanism));
	GIVES(p11->C_DigestInit(session, &mechanism), CKR_OPERATION_ACTIVE);
	OK(p11->C_DigestUpdate(session, data, 400));
	OK(p11->C_DigestUpdate(session, data + 400, 600));
	got_len = sizeof(got);
	OK(p11->C_DigestFinal(session, got, &got_len));
	ASSERT_MEMEQ(got, known, known_len);
}

TEST(digests)
{
	CK_SESSION_HANDLE session = api_user();

	expect_digest(session, CKM_SHA_1, EVP_sha1());
	expect_digest(session, CKM_SHA224, EVP_sha224());
	expect_digest(session, CKM_SHA256, EVP_sha256());
	expect_digest(session, CKM_SHA384, EVP_sha384());
	expect_digest(session, CKM_SHA512, EVP_sha512());
	expect_digest(session, CKM_SHA3_256, EVP_sha3_256());
	expect_digest(session, CKM_SHA3_384, EVP_sha3_384());
	expect_digest(session, CKM_SHA3_512, EVP_sha3_512());
}

TEST(sign_and_verify)
{
	CK_MECHANISM mechanism = {CKM_ECDSA_SHA384, NULL, 0};
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE public_key, private_key;
	CK_BYTE data[100] = {4}, signature[64];
	CK_ULONG len = 0;

	api_ec_pair(session, false, "pair", &public_key, &private_key);
	OK(p11->C_SignInit(session, &mechanism, private_key));
	OK(p11->C_Sign(session, data, sizeof(data), NULL, &len));
	ASSERT_EQ(len, sizeof(signature));
	OK(p11->C_Sign(session, data, sizeof(data), signature, &len));
	OK(p11->C_VerifyInit(session, &mechanism, public_key));
	OK(p11->C_Verify(session, data, sizeof(data), signature, len));
	signature[5] ^= 1;
	OK(p11->C_VerifyInit(session, &mechanism, public_key));
	GIVES(p11->C_Verify(session, data, sizeof(data), signature, len), CKR_SIGNATURE_INVALID);
	OK(p11->C_VerifyInit(session, &mechanism, public_key));
	GIVES(p11->C_Verify(session, data, sizeof(data), signature, len - 1),
	      CKR_SIGNATURE_LEN_RANGE);
	GIVES(p11->C_SignInit(session, &mechanism, public_key), CKR_KEY_FUNCTION_NOT_PERMITTED);
	GIVES(p11->C_SignInit(session, &mechanism, 0x7ffffff0), CKR_KEY_HANDLE_INVALID);
	mechanism.mechanism = CKM_VENDOR_DEFINED + 5;
	GIVES(p11->C_SignInit(session, &mechanism, private_key), CKR_MECHANISM_INVALID);
	mechanism = (CK_MECHANISM){CKM_ECDSA, iv, 3};
	GIVES(p11->C_SignInit(session, &mechanism, private_key), CKR_MECHANISM_PARAM_INVALID);
}

/* A key that asks for its PIN at each use. */
TEST(always_authenticate)
{
	CK_MECHANISM generate = {CKM_EC_KEY_PAIR_GEN, NULL, 0}, sign = {CKM_ECDSA, NULL, 0};
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE public_key, private_key;
	CK_BYTE data[32] = {1}, signature[64];
	CK_ULONG len = sizeof(signature);
	CK_ATTRIBUTE public_template[] = {ATTRIBUTE(CKA_EC_PARAMS, api_p256)};
	CK_ATTRIBUTE private_template[] = {ATTRIBUTE(CKA_SIGN, yes), ATTRIBUTE(CKA_PRIVATE, yes),
	                                   ATTRIBUTE(CKA_ALWAYS_AUTHENTICATE, yes)};

	OK(p11->C_GenerateKeyPair(session, &generate, public_template, COUNT(public_template),
	                          private_template, COUNT(private_template), &public_key,
	                          &private_key));
	for (int i = 0; i < 2; i++) {
		OK(p11->C_SignInit(session, &sign, private_key));
		OK(api_login(session, CKU_CONTEXT_SPECIFIC, USER_PIN));
		OK(p11->C_Sign(session, data, sizeof(data), signature, &len));
	}
	OK(p11->C_SignInit(session, &sign, private_key));
	GIVES(p11->C_Sign(session, data, sizeof(data), signature, &len), CKR_USER_NOT_LOGGED_IN);
}

TEST(wrap_and_unwrap)
{
	CK_MECHANISM wrap = {CKM_AES_KEY_WRAP, NULL, 0}, cbc = {CKM_AES_CBC, iv, sizeof(iv)};
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE wrapping = api_aes_key(session, false, "wrapping"), key, back;
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_MECHANISM generate = {CKM_AES_KEY_GEN, NULL, 0};
	CK_ULONG key_len = 16, wrapped_len = 0, len = 16;
	CK_BYTE wrapped[64], data[16] = {5}, a[16], b[16];
	CK_ATTRIBUTE template[] = {ATTRIBUTE(CKA_VALUE_LEN, key_len),
	                           ATTRIBUTE(CKA_EXTRACTABLE, yes), ATTRIBUTE(CKA_ENCRYPT, yes)};
	CK_ATTRIBUTE unwrapped[] = {ATTRIBUTE(CKA_CLASS, class), ATTRIBUTE(CKA_KEY_TYPE, type),
	                            ATTRIBUTE(CKA_ENCRYPT, yes)};

	OK(p11->C_GenerateKey(session, &generate, template, COUNT(template), &key));
	OK(p11->C_WrapKey(session, &wrap, wrapping, key, NULL, &wrapped_len));
	ASSERT_EQ(wrapped_len, 24);
	OK(p11->C_WrapKey(session, &wrap, wrapping, key, wrapped, &wrapped_len));
	OK(p11->C_UnwrapKey(session, &wrap, wrapping, wrapped, wrapped_len, unwrapped,
	                    COUNT(unwrapped), &back));
	OK(p11->C_EncryptInit(session, &cbc, key));
	OK(p11->C_Encrypt(session, data, sizeof(data), a, &len));
	OK(p11->C_EncryptInit(session, &cbc, back));
	OK(p11->C_Encrypt(session, data, sizeof(data), b, &len));
	ASSERT_MEMEQ(a, b, 16);
	wrapped[3] ^= 1;
	GIVES(p11->C_UnwrapKey(session, &wrap, wrapping, wrapped, wrapped_len, unwrapped,
	                       COUNT(unwrapped), &back),
	      CKR_WRAPPED_KEY_INVALID);
	GIVES(p11->C_WrapKey(session, &wrap, wrapping, wrapping, wrapped, &wrapped_len),
	      CKR_KEY_UNEXTRACTABLE);
}

TEST(mechanism_list)
{
	CK_MECHANISM_TYPE list[256];
	CK_ULONG count = COUNT(list);
	CK_MECHANISM_INFO info;

	api_start();
	OK(api_init_token(0, SO_PIN));
	OK(p11->C_GetMechanismList(0, list, &count));
	ASSERT_GE(count, 90);
	for (CK_ULONG i = 0; i < count; i++)
		OK(p11->C_GetMechanismInfo(0, list[i], &info));
	GIVES(p11->C_GetMechanismInfo(0, CKM_RSA_X_509, &info), CKR_MECHANISM_INVALID);
	OK(p11->C_GetMechanismInfo(0, CKM_RSA_PKCS_KEY_PAIR_GEN, &info));
	ASSERT_EQ(info.ulMinKeySize, 2048);
	ASSERT_EQ(info.ulMaxKeySize, 4096);
}

HARNESS_MAIN
