/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations on many messages (v3.0 §5.9, 5.11, 5.14, 5.16) through the library: results that
 * OpenSSL agrees with, IVs that the agent makes, parts, states, and what a wrong message ends.
 */
#include <openssl/evp.h>

#include "api.h"
#include "wire/cryptoki_3.h"

#define DATA_LEN 100u
#define TAG_LEN  16u
#define MANY     2000u

static CK_BYTE key_value[32] = {1, 2, 3}, data[DATA_LEN], aad[20] = {9};
static CK_BYTE iv[12], tag[TAG_LEN];
static struct cryptoki_3_0 *p;
static CK_SESSION_HANDLE session;

static CK_GCM_MESSAGE_PARAMS gcm(CK_GENERATOR_FUNCTION generator, CK_ULONG fixed_bits)
{
	return (CK_GCM_MESSAGE_PARAMS){iv, sizeof(iv), fixed_bits, generator, tag, 8 * TAG_LEN};
}

static void begin(void)
{
	CK_RV (*get)(CK_UTF8CHAR *, CK_VERSION *, CK_INTERFACE **, CK_FLAGS);
	CK_INTERFACE *found = NULL;

	session = api_user();
	*(void **)&get = dlsym(api_library, "C_GetInterface");
	OK(get(NULL, NULL, &found, 0));
	p = found->pFunctionList;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (CK_BYTE)(i * 13);
	memset(iv, 0x42, sizeof(iv));
}

static void encrypt_init(CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key)
{
	CK_MECHANISM mechanism = {type, NULL, 0};

	OK(p->C_MessageEncryptInit(session, &mechanism, key));
}

static void decrypt_init(CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key)
{
	CK_MECHANISM mechanism = {type, NULL, 0};

	OK(p->C_MessageDecryptInit(session, &mechanism, key));
}

/* What OpenSSL makes of the same, 12 octets of IV. */
static void known(const EVP_CIPHER *cipher, CK_BYTE out[DATA_LEN], CK_BYTE out_tag[TAG_LEN])
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	bool ccm = EVP_CIPHER_get_mode(cipher) == EVP_CIPH_CCM_MODE;
	int len;

	ASSERT_TRUE(EVP_EncryptInit_ex(context, cipher, NULL, NULL, NULL));
	ASSERT_TRUE(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, sizeof(iv), NULL));
	if (ccm)
		ASSERT_TRUE(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, NULL));
	ASSERT_TRUE(EVP_EncryptInit_ex(context, NULL, NULL, key_value, iv));
	if (ccm)
		ASSERT_TRUE(EVP_EncryptUpdate(context, NULL, &len, NULL, DATA_LEN));
	ASSERT_TRUE(EVP_EncryptUpdate(context, NULL, &len, aad, sizeof(aad)));
	ASSERT_TRUE(EVP_EncryptUpdate(context, out, &len, data, DATA_LEN));
	ASSERT_TRUE(EVP_EncryptFinal_ex(context, out + len, &len));
	ASSERT_TRUE(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, out_tag));
	EVP_CIPHER_CTX_free(context);
}

/* There and back, then with each part wrong, in one series each. */
static void there_and_back(CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key, const EVP_CIPHER *cipher,
                           void *parameter, CK_ULONG parameter_len)
{
	CK_BYTE sealed[DATA_LEN], plain[DATA_LEN], expected[DATA_LEN], expected_tag[TAG_LEN];
	CK_ULONG len = sizeof(sealed);
	CK_BYTE *const spoilt[] = {sealed, aad, iv, tag};

	known(cipher, expected, expected_tag);
	encrypt_init(type, key);
	for (int round = 0; round < 3; round++) {
		memset(tag, 0, sizeof(tag));
		len = 0;
		OK(p->C_EncryptMessage(session, parameter, parameter_len, aad, sizeof(aad), data,
		                       DATA_LEN, NULL, &len));
		EXPECT_EQ(len, DATA_LEN);
		len = DATA_LEN - 1;
		GIVES(p->C_EncryptMessage(session, parameter, parameter_len, aad, sizeof(aad), data,
		                          DATA_LEN, sealed, &len),
		      CKR_BUFFER_TOO_SMALL);
		EXPECT_EQ(len, DATA_LEN);
		OK(p->C_EncryptMessage(session, parameter, parameter_len, aad, sizeof(aad), data,
		                       DATA_LEN, sealed, &len));
		EXPECT_EQ(len, DATA_LEN);
		EXPECT_MEMEQ(sealed, expected, DATA_LEN);
		EXPECT_MEMEQ(tag, expected_tag, TAG_LEN);
	}
	OK(p->C_MessageEncryptFinal(session));
	decrypt_init(type, key);
	for (size_t i = 0; i <= COUNT(spoilt); i++) {
		if (i < COUNT(spoilt))
			*spoilt[i] ^= 1;
		memset(plain, 0, sizeof(plain));
		len = sizeof(plain);
		GIVES(p->C_DecryptMessage(session, parameter, parameter_len, aad, sizeof(aad),
		                          sealed, DATA_LEN, plain, &len),
		      i < COUNT(spoilt) ? CKR_AEAD_DECRYPT_FAILED : CKR_OK);
		EXPECT_EQ(memcmp(plain, data, DATA_LEN) == 0, i == COUNT(spoilt));
		if (i < COUNT(spoilt))
			*spoilt[i] ^= 1;
	}
	OK(p->C_MessageDecryptFinal(session));
}

TEST(aes_gcm)
{
	CK_GCM_MESSAGE_PARAMS parameter;

	begin();
	parameter = gcm(CKG_NO_GENERATE, 0);
	there_and_back(CKM_AES_GCM, api_secret(session, CKK_AES, key_value, sizeof(key_value)),
	               EVP_aes_256_gcm(), &parameter, sizeof(parameter));
}

TEST(aes_ccm)
{
	CK_CCM_MESSAGE_PARAMS parameter = {DATA_LEN,        iv,  sizeof(iv), 0,
	                                   CKG_NO_GENERATE, tag, TAG_LEN};

	begin();
	there_and_back(CKM_AES_CCM, api_secret(session, CKK_AES, key_value, sizeof(key_value)),
	               EVP_aes_256_ccm(), &parameter, sizeof(parameter));
}

TEST(chacha20_poly1305)
{
	CRYPTOKI_POLY1305_MSG_PARAMS parameter = {iv, sizeof(iv), tag};

	begin();
	there_and_back(CKM_CHACHA20_POLY1305,
	               api_secret(session, CKK_CHACHA20, key_value, sizeof(key_value)),
	               EVP_chacha20_poly1305(), &parameter, sizeof(parameter));
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(iv));
}

/* Never twice, whoever asks, in whatever way. */
TEST(made_ivs)
{
	static CK_BYTE seen[MANY][sizeof(iv)];
	static const CK_ULONG fixed[] = {0, 8, 13, 32};
	CK_BYTE sealed[DATA_LEN], plain[DATA_LEN];
	CK_OBJECT_HANDLE key;
	CK_ULONG len;

	begin();
	key = api_secret(session, CKK_AES, key_value, sizeof(key_value));
	encrypt_init(CKM_AES_GCM, key);
	for (CK_ULONG i = 0; i < MANY; i++) {
		CK_ULONG bits = fixed[i % COUNT(fixed)];
		CK_GCM_MESSAGE_PARAMS parameter = gcm(CKG_GENERATE + i % CKG_GENERATE_RANDOM, bits);

		memset(iv, 0xa5, sizeof(iv));
		len = sizeof(sealed);
		OK(p->C_EncryptMessage(session, &parameter, sizeof(parameter), NULL, 0, data, 16,
		                       sealed, &len));
		memcpy(seen[i], iv, sizeof(iv));
		for (CK_ULONG bit = 0; bit < bits; bit++)
			ASSERT_EQ(iv[bit / 8] >> (7 - bit % 8) & 1, 0xa5 >> (7 - bit % 8) & 1);
	}
	/* The last one opens. */
	decrypt_init(CKM_AES_GCM, key);
	CK_GCM_MESSAGE_PARAMS parameter = gcm(CKG_NO_GENERATE, 0);
	OK(p->C_DecryptMessage(session, &parameter, sizeof(parameter), NULL, 0, sealed, 16, plain,
	                       &len));
	EXPECT_MEMEQ(plain, data, 16);
	/* The counter alone differs already: the last 64 bits. */
	for (CK_ULONG i = 0; i < MANY; i++)
		memset(seen[i], 0, 4);
	qsort(seen, MANY, sizeof(iv), compare);
	for (CK_ULONG i = 1; i < MANY; i++)
		ASSERT_NE(compare(seen[i - 1], seen[i]), 0);
}

TEST(ivs_that_are_refused)
{
	CK_BYTE sealed[DATA_LEN];
	CK_ULONG len;
	const struct {
		CK_GENERATOR_FUNCTION generator;
		CK_ULONG fixed_bits, iv_len, tag_bits;
	} rows[] = {
		{CKG_GENERATE_COUNTER_XOR, 0, 12, 128}, {CKG_GENERATE_COUNTER_XOR + 1, 0, 12, 128},
		{CKG_GENERATE_COUNTER, 33, 12, 128},    {CKG_GENERATE, 97, 12, 128},
		{CKG_GENERATE, ~0ul, 12, 128},          {CKG_GENERATE, 0, 7, 128},
		{CKG_NO_GENERATE, 0, 0, 128},           {CKG_NO_GENERATE, 0, 12, 0},
		{CKG_NO_GENERATE, 0, 12, 127},          {CKG_NO_GENERATE, 0, 12, 136},
		{CKG_NO_GENERATE, 0, ~0ul, 128},
	};

	begin();
	encrypt_init(CKM_AES_GCM, api_secret(session, CKK_AES, key_value, sizeof(key_value)));
	for (size_t i = 0; i < COUNT(rows); i++) {
		CK_GCM_MESSAGE_PARAMS parameter = gcm(rows[i].generator, rows[i].fixed_bits);

		parameter.ulIvLen = rows[i].iv_len;
		parameter.ulTagBits = rows[i].tag_bits;
		len = sizeof(sealed);
		GIVES(p->C_EncryptMessage(session, &parameter, sizeof(parameter), NULL, 0, data, 16,
		                          sealed, &len),
		      CKR_MECHANISM_PARAM_INVALID);
	}
	len = sizeof(sealed);
	GIVES(p->C_EncryptMessage(session, NULL, 0, NULL, 0, data, 16, sealed, &len),
	      CKR_MECHANISM_PARAM_INVALID);
	GIVES(p->C_EncryptMessage(session, iv, 7, NULL, 0, data, 16, sealed, &len),
	      CKR_MECHANISM_PARAM_INVALID);
}

TEST(parts)
{
	CK_BYTE sealed[DATA_LEN], plain[DATA_LEN], expected[DATA_LEN], expected_tag[TAG_LEN];
	CK_GCM_MESSAGE_PARAMS parameter;
	CK_OBJECT_HANDLE key;
	CK_ULONG len = sizeof(sealed), at;

	begin();
	parameter = gcm(CKG_NO_GENERATE, 0);
	key = api_secret(session, CKK_AES, key_value, sizeof(key_value));
	known(EVP_aes_256_gcm(), expected, expected_tag);
	encrypt_init(CKM_AES_GCM, key);
	GIVES(p->C_EncryptMessageNext(session, &parameter, sizeof(parameter), data, 1, sealed, &len,
	                              0),
	      CKR_OPERATION_NOT_INITIALIZED);
	OK(p->C_EncryptMessageBegin(session, &parameter, sizeof(parameter), aad, sizeof(aad)));
	GIVES(p->C_EncryptMessageBegin(session, &parameter, sizeof(parameter), aad, sizeof(aad)),
	      CKR_OPERATION_ACTIVE);
	for (at = 0; at < 90; at += 30) {
		len = 29;
		GIVES(p->C_EncryptMessageNext(session, &parameter, sizeof(parameter), data + at, 30,
		                              sealed + at, &len, 0),
		      CKR_BUFFER_TOO_SMALL);
		EXPECT_EQ(len, 30);
		OK(p->C_EncryptMessageNext(session, &parameter, sizeof(parameter), data + at, 30,
		                           sealed + at, &len, 0));
	}
	len = DATA_LEN - at;
	OK(p->C_EncryptMessageNext(session, &parameter, sizeof(parameter), data + at, DATA_LEN - at,
	                           sealed + at, &len, CKF_END_OF_MESSAGE));
	EXPECT_MEMEQ(sealed, expected, DATA_LEN);
	EXPECT_MEMEQ(tag, expected_tag, TAG_LEN);
	GIVES(p->C_EncryptMessageNext(session, &parameter, sizeof(parameter), data, 1, sealed, &len,
	                              0),
	      CKR_OPERATION_NOT_INITIALIZED);

	/* No plaintext before the tag is known to fit. */
	decrypt_init(CKM_AES_GCM, key);
	for (int wrong = 1; wrong >= 0; wrong--) {
		OK(p->C_DecryptMessageBegin(session, &parameter, sizeof(parameter), aad,
		                            sizeof(aad)));
		len = sizeof(plain);
		OK(p->C_DecryptMessageNext(session, &parameter, sizeof(parameter), sealed, 60,
		                           plain, &len, 0));
		EXPECT_EQ(len, 0);
		len = DATA_LEN - 1;
		GIVES(p->C_DecryptMessageNext(session, &parameter, sizeof(parameter), sealed + 60,
		                              DATA_LEN - 60, plain, &len, CKF_END_OF_MESSAGE),
		      CKR_BUFFER_TOO_SMALL);
		EXPECT_EQ(len, DATA_LEN);
		tag[0] ^= wrong;
		GIVES(p->C_DecryptMessageNext(session, &parameter, sizeof(parameter), sealed + 60,
		                              DATA_LEN - 60, plain, &len, CKF_END_OF_MESSAGE),
		      wrong ? CKR_AEAD_DECRYPT_FAILED : CKR_OK);
		tag[0] ^= wrong;
	}
	EXPECT_EQ(len, DATA_LEN);
	EXPECT_MEMEQ(plain, data, DATA_LEN);
}

TEST(states)
{
	CK_BYTE block[16] = {4};
	CK_MECHANISM cbc = {CKM_AES_CBC, block, sizeof(block)}, aes_gcm = {CKM_AES_GCM, NULL, 0},
		     pad = {CKM_AES_ECB, NULL, 0};
	CK_GCM_MESSAGE_PARAMS parameter;
	CK_OBJECT_HANDLE key, other;
	CK_BYTE sealed[DATA_LEN];
	CK_ULONG len = sizeof(sealed);

	begin();
	parameter = gcm(CKG_NO_GENERATE, 0);
	key = api_secret(session, CKK_AES, key_value, sizeof(key_value));
	other = api_secret(session, CKK_GENERIC_SECRET, key_value, sizeof(key_value));
	GIVES(p->C_EncryptMessage(session, &parameter, sizeof(parameter), NULL, 0, data, 16, sealed,
	                          &len),
	      CKR_OPERATION_NOT_INITIALIZED);
	GIVES(p->C_MessageEncryptFinal(session), CKR_OPERATION_NOT_INITIALIZED);
	GIVES(p->C_MessageEncryptInit(session, &cbc, key), CKR_MECHANISM_INVALID);
	GIVES(p->C_MessageEncryptInit(session, &aes_gcm, other), CKR_KEY_TYPE_INCONSISTENT);
	GIVES(p->C_MessageEncryptInit(session, &aes_gcm, key + 1000), CKR_KEY_HANDLE_INVALID);
	GIVES(p->C_MessageEncryptInit(session + 1000, &aes_gcm, key), CKR_SESSION_HANDLE_INVALID);
	OK(p->C_MessageEncryptInit(session, &aes_gcm, key));
	GIVES(p->C_MessageEncryptInit(session, &aes_gcm, key), CKR_OPERATION_ACTIVE);
	GIVES(p11->C_EncryptInit(session, &pad, key), CKR_OPERATION_ACTIVE);
	OK(p->C_MessageDecryptInit(session, &aes_gcm, key)); /* another operation */
	OK(p->C_SessionCancel(session, CKF_MESSAGE_ENCRYPT));
	GIVES(p->C_MessageEncryptFinal(session), CKR_OPERATION_NOT_INITIALIZED);
	OK(p->C_MessageDecryptInit(session, NULL, 0));
	GIVES(p->C_MessageDecryptFinal(session), CKR_OPERATION_NOT_INITIALIZED);
	OK(p11->C_EncryptInit(session, &pad, key));
	GIVES(p->C_MessageEncryptInit(session, &aes_gcm, key), CKR_OPERATION_ACTIVE);
}

static void sign_and_verify(CK_MECHANISM mechanism, CK_OBJECT_HANDLE private_key,
                            CK_OBJECT_HANDLE public_key, CK_ULONG signature_len)
{
	CK_BYTE signature[256];
	CK_ULONG len;

	OK(p->C_MessageSignInit(session, &mechanism, private_key));
	OK(p->C_MessageVerifyInit(session, &mechanism, public_key));
	for (CK_BYTE round = 0; round < 3; round++) {
		data[0] = round;
		OK(p->C_SignMessage(session, NULL, 0, data, DATA_LEN, NULL, &len));
		EXPECT_EQ(len, signature_len);
		len--;
		GIVES(p->C_SignMessage(session, NULL, 0, data, DATA_LEN, signature, &len),
		      CKR_BUFFER_TOO_SMALL);
		OK(p->C_SignMessage(session, NULL, 0, data, DATA_LEN, signature, &len));
		OK(p->C_VerifyMessage(session, NULL, 0, data, DATA_LEN, signature, len));
		data[0] ^= 0x80;
		GIVES(p->C_VerifyMessage(session, NULL, 0, data, DATA_LEN, signature, len),
		      CKR_SIGNATURE_INVALID);
		data[0] ^= 0x80;
		/* In parts. */
		OK(p->C_SignMessageBegin(session, NULL, 0));
		OK(p->C_SignMessageNext(session, NULL, 0, data, 40, NULL, NULL));
		len = 1;
		GIVES(p->C_SignMessageNext(session, NULL, 0, data + 40, 60, signature, &len),
		      CKR_BUFFER_TOO_SMALL);
		EXPECT_EQ(len, signature_len);
		OK(p->C_SignMessageNext(session, NULL, 0, data + 40, 60, signature, &len));
		OK(p->C_VerifyMessage(session, NULL, 0, data, DATA_LEN, signature, len));
		OK(p->C_VerifyMessageBegin(session, NULL, 0));
		OK(p->C_VerifyMessageNext(session, NULL, 0, data, 70, NULL, 0));
		OK(p->C_VerifyMessageNext(session, NULL, 0, data + 70, 30, signature, len));
		GIVES(p->C_VerifyMessageNext(session, NULL, 0, data, 70, NULL, 0),
		      CKR_OPERATION_NOT_INITIALIZED);
	}
	GIVES(p->C_SignMessage(session, iv, 1, data, DATA_LEN, signature, &len),
	      CKR_MECHANISM_PARAM_INVALID);
	OK(p->C_MessageSignFinal(session));
	OK(p->C_MessageVerifyFinal(session));
}

TEST(signatures)
{
	CK_MECHANISM hmac = {CKM_SHA256_HMAC, NULL, 0}, ecdsa = {CKM_ECDSA_SHA256, NULL, 0},
		     make = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
	CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
	CK_ATTRIBUTE public_template[] = {{CKA_EC_PARAMS, p256, sizeof(p256)},
	                                  ATTRIBUTE(CKA_VERIFY, yes)};
	CK_ATTRIBUTE private_template[] = {ATTRIBUTE(CKA_SIGN, yes)};
	CK_OBJECT_HANDLE key, private_key, public_key;

	begin();
	key = api_secret(session, CKK_GENERIC_SECRET, key_value, sizeof(key_value));
	sign_and_verify(hmac, key, key, 32);
	OK(p11->C_GenerateKeyPair(session, &make, public_template, COUNT(public_template),
	                          private_template, COUNT(private_template), &public_key,
	                          &private_key));
	sign_and_verify(ecdsa, private_key, public_key, 64);
}

/* The mechanism is approved, one of the curves is not. */
TEST(records_know_the_key)
{
	CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
	CK_BYTE secp256k1[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a};
	CK_MECHANISM ecdsa = {CKM_ECDSA_SHA256, NULL, 0}, make = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
	CK_ATTRIBUTE curves[] = {{CKA_EC_PARAMS, p256, sizeof(p256)},
	                         {CKA_EC_PARAMS, secp256k1, sizeof(secp256k1)}};
	CK_ATTRIBUTE sign[] = {ATTRIBUTE(CKA_SIGN, yes)};
	CK_OBJECT_HANDLE private_key, public_key;
	CK_BYTE signature[64];
	CK_ULONG len;

	begin();
	for (size_t i = 0; i < COUNT(curves); i++) {
		OK(p11->C_GenerateKeyPair(session, &make, &curves[i], 1, sign, 1, &public_key,
		                          &private_key));
		len = sizeof(signature);
		OK(p->C_MessageSignInit(session, &ecdsa, private_key));
		OK(p->C_SignMessage(session, NULL, 0, data, DATA_LEN, signature, &len));
		OK(p->C_MessageSignFinal(session));
		EXPECT_EQ(api_recorded_as_approved("C_SignMessage"), i == 0);
		OK(p11->C_SignInit(session, &ecdsa, private_key));
		OK(p11->C_Sign(session, data, DATA_LEN, signature, &len));
		EXPECT_EQ(api_recorded_as_approved("C_Sign"), i == 0);
	}
}

TEST(mechanism_flags)
{
	const struct {
		CK_MECHANISM_TYPE type;
		CK_FLAGS flags;
	} rows[] = {
		{CKM_AES_GCM, CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT | CKF_MULTI_MESSAGE},
		{CKM_AES_CBC, 0},
		{CKM_ECDSA, CKF_MESSAGE_SIGN | CKF_MESSAGE_VERIFY | CKF_MULTI_MESSAGE},
		{CKM_SHA256, 0},
	};
	CK_MECHANISM_INFO info;

	begin();
	for (size_t i = 0; i < COUNT(rows); i++) {
		OK(p11->C_GetMechanismInfo(0, rows[i].type, &info));
		EXPECT_EQ(info.flags & 0x3e, rows[i].flags);
	}
}

/* A whole MiB, which takes the way of bulk data and of workers. */
TEST(large_messages)
{
	const CK_ULONG len = 1 << 20;
	CK_BYTE *in = malloc(len), *out = malloc(len), *back = malloc(len);
	CK_GCM_MESSAGE_PARAMS parameter;
	CK_OBJECT_HANDLE key;
	CK_ULONG out_len = len, back_len = len;

	begin();
	memset(in, 0x37, len);
	parameter = gcm(CKG_GENERATE_COUNTER, 32);
	key = api_secret(session, CKK_AES, key_value, sizeof(key_value));
	encrypt_init(CKM_AES_GCM, key);
	decrypt_init(CKM_AES_GCM, key);
	OK(p->C_EncryptMessage(session, &parameter, sizeof(parameter), aad, sizeof(aad), in, len,
	                       out, &out_len));
	OK(p->C_DecryptMessage(session, &parameter, sizeof(parameter), aad, sizeof(aad), out,
	                       out_len, back, &back_len));
	EXPECT_EQ(back_len, len);
	EXPECT_TRUE(!memcmp(in, back, len));
	free(in);
	free(out);
	free(back);
}

HARNESS_MAIN
