/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC: RFC 2202 and RFC 4231, SHA-3 against Python's hmac, cut lengths, key types. */
#include "harness.h"

#include "key_fixture.h"

static const struct {
	uint64_t type, general, key_type;
	const char *mac; /* key "Jefe", "what do ya want for nothing?" */
} answers[] = {
	{CKM_SHA_1_HMAC, CKM_SHA_1_HMAC_GENERAL, CKK_SHA_1_HMAC,
         "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
	{CKM_SHA224_HMAC, CKM_SHA224_HMAC_GENERAL, CKK_SHA224_HMAC,
         "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44"},
	{CKM_SHA256_HMAC, CKM_SHA256_HMAC_GENERAL, CKK_SHA256_HMAC,
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	{CKM_SHA384_HMAC, CKM_SHA384_HMAC_GENERAL, CKK_SHA384_HMAC,
         "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
         "8e2240ca5e69e2c78b3239ecfab21649"},
	{CKM_SHA512_HMAC, CKM_SHA512_HMAC_GENERAL, CKK_SHA512_HMAC,
         "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
         "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
	{CKM_SHA3_224_HMAC, CKM_SHA3_224_HMAC_GENERAL, CKK_SHA3_224_HMAC,
         "7fdb8dd88bd2f60d1b798634ad386811c2cfc85bfaf5d52bbace5e66"},
	{CKM_SHA3_256_HMAC, CKM_SHA3_256_HMAC_GENERAL, CKK_SHA3_256_HMAC,
         "c7d4072e788877ae3596bbb0da73b887c9171f93095b294ae857fbe2645e1ba5"},
	{CKM_SHA3_384_HMAC, CKM_SHA3_384_HMAC_GENERAL, CKK_SHA3_384_HMAC,
         "f1101f8cbf9766fd6764d2ed61903f21ca9b18f57cf3e1a23ca13508a93243ce"
         "48c045dc007f26a21b3f5e0e9df4c20a"},
	{CKM_SHA3_512_HMAC, CKM_SHA3_512_HMAC_GENERAL, CKK_SHA3_512_HMAC,
         "5a4bfeab6166427c7a3647b747292b8384537cdb89afb3bf5665e4c5e709350b"
         "287baec921fd7ca0ee7a0c31d022a95e1fc92ba9d77df883960275beb4e62024"},
};

#define ANSWERS (sizeof(answers) / sizeof(answers[0]))
#define MESSAGE TEXT("what do ya want for nothing?")

TEST(known_answers)
{
	open_crypto();
	for (size_t i = 0; i < ANSWERS; i++) {
		object_auto key = secret_key(CKK_GENERIC_SECRET, TEXT("Jefe"));
		object_auto own = secret_key(answers[i].key_type, TEXT("Jefe"));
		struct wire_mechanism parameter = PLAIN(answers[i].type);
		struct wire_bytes mac = hex(answers[i].mac);

		ASSERT_EQ(run_once(OPERATION_SIGN, parameter, key, MESSAGE), ERROR_NONE);
		EXPECT_BYTES(OUTPUT, mac);
		ASSERT_EQ(run_parts(OPERATION_SIGN, parameter, own, MESSAGE, 5), ERROR_NONE);
		EXPECT_BYTES(OUTPUT, mac);
		EXPECT_EQ(verify(parameter, key, MESSAGE, mac), ERROR_NONE);
		EXPECT_EQ(verify_parts(parameter, key, MESSAGE, mac), ERROR_NONE);
	}
}

TEST(modified_and_truncated_macs)
{
	open_crypto();
	for (size_t i = 0; i < ANSWERS; i++) {
		object_auto key = secret_key(CKK_GENERIC_SECRET, TEXT("Jefe"));
		struct wire_mechanism parameter = PLAIN(answers[i].type);
		struct wire_bytes mac = hex(answers[i].mac);
		uint8_t octets[65];

		memcpy(octets, mac.data, mac.len);
		for (size_t at = 0; at < mac.len; at++) {
			octets[at] ^= 1;
			EXPECT_EQ(verify(parameter, key, MESSAGE,
			                 ((struct wire_bytes){octets, mac.len})),
			          ERROR_SIGNATURE);
			octets[at] ^= 1;
		}
		EXPECT_EQ(
			verify(parameter, key, MESSAGE, ((struct wire_bytes){octets, mac.len - 1})),
			ERROR_SIGNATURE_LENGTH);
		EXPECT_EQ(
			verify(parameter, key, MESSAGE, ((struct wire_bytes){octets, mac.len + 1})),
			ERROR_SIGNATURE_LENGTH);
		EXPECT_EQ(verify(parameter, key, MESSAGE, NOTHING), ERROR_SIGNATURE_LENGTH);
		EXPECT_EQ(verify(parameter, key, TEXT("x"), mac), ERROR_SIGNATURE);
	}
}

TEST(general_length)
{
	open_crypto();
	for (size_t i = 0; i < ANSWERS; i++) {
		object_auto key = secret_key(CKK_GENERIC_SECRET, TEXT("Jefe"));
		struct wire_bytes mac = hex(answers[i].mac);

		for (uint64_t len = 1; len <= mac.len; len++) {
			struct wire_mechanism parameter =
				PARAMETER(answers[i].general, number, len);

			ASSERT_EQ(run_once(OPERATION_SIGN, parameter, key, MESSAGE), ERROR_NONE);
			ASSERT_EQ(output_len, len);
			EXPECT_MEMEQ(output, mac.data, len);
			EXPECT_EQ(verify(parameter, key, MESSAGE, OUTPUT), ERROR_NONE);
			output[len - 1] ^= 0x80;
			EXPECT_EQ(verify(parameter, key, MESSAGE, OUTPUT), ERROR_SIGNATURE);
		}
		EXPECT_EQ(run_once(OPERATION_SIGN, PARAMETER(answers[i].general, number, 0), key,
		                   MESSAGE),
		          ERROR_MECHANISM_PARAMETER);
		EXPECT_EQ(run_once(OPERATION_SIGN,
		                   PARAMETER(answers[i].general, number, mac.len + 1), key,
		                   MESSAGE),
		          ERROR_MECHANISM_PARAMETER);
		EXPECT_EQ(run_once(OPERATION_SIGN,
		                   PARAMETER(answers[i].general, number, UINT64_MAX), key, MESSAGE),
		          ERROR_MECHANISM_PARAMETER);
	}
}

TEST(long_keys_and_all_block_boundaries)
{
	uint8_t octets[200];
	uint8_t whole[64];

	open_crypto();
	memset(octets, 0x5a, sizeof(octets));
	for (size_t len = 1; len < sizeof(octets); len++) {
		struct wire_bytes bytes = {octets, len};
		object_auto key = secret_key(CKK_GENERIC_SECRET, bytes);

		ASSERT_EQ(run_once(OPERATION_SIGN, PLAIN(CKM_SHA512_HMAC), key, bytes), ERROR_NONE);
		memcpy(whole, output, sizeof(whole));
		ASSERT_EQ(run_parts(OPERATION_SIGN, PLAIN(CKM_SHA512_HMAC), key, bytes, 31),
		          ERROR_NONE);
		ASSERT_MEMEQ(output, whole, sizeof(whole));
	}
}

TEST(wrong_keys)
{
	object_auto aes = NULL;
	object_auto other = NULL;

	open_crypto();
	aes = secret_key(CKK_AES, hex("000102030405060708090a0b0c0d0e0f"));
	other = secret_key(CKK_SHA384_HMAC, TEXT("Jefe"));
	EXPECT_EQ(run_once(OPERATION_SIGN, PLAIN(CKM_SHA256_HMAC), aes, MESSAGE), ERROR_KEY_TYPE);
	EXPECT_EQ(run_once(OPERATION_SIGN, PLAIN(CKM_SHA256_HMAC), other, MESSAGE), ERROR_KEY_TYPE);
	EXPECT_EQ(run_once(OPERATION_SIGN, PLAIN(CKM_SHA256_HMAC), NULL, MESSAGE),
	          ERROR_KEY_HANDLE);
	EXPECT_EQ(run_once(OPERATION_ENCRYPT, PLAIN(CKM_SHA256_HMAC), aes, MESSAGE),
	          ERROR_MECHANISM);
}

HARNESS_MAIN
