/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HMAC: RFC 2202 and RFC 4231, SHA-3 and SHA-512/t against Python's hmac, cut lengths, key types.
 * CMAC: RFC 4493 and SP 800-38B. GMAC: a CAVP vector, and GCM over nothing.
 */
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
	{CKM_SHA512_224_HMAC, CKM_SHA512_224_HMAC_GENERAL, CKK_SHA512_224_HMAC,
         "4a530b31a79ebcce36916546317c45f247d83241dfb818fd37254bde"},
	{CKM_SHA512_256_HMAC, CKM_SHA512_256_HMAC_GENERAL, CKK_SHA512_256_HMAC,
         "6df7b24630d5ccb2ee335407081a87188c221489768fa2020513b2d593359456"},
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

#define CMAC_TEXT                                                                                  \
	"6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"                         \
	"30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
#define CMAC_KEY128 "2b7e151628aed2a6abf7158809cf4f3c"
#define CMAC_KEY192 "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"
#define CMAC_KEY256 "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"

static const struct {
	const char *key;
	size_t len;
	const char *mac;
} cmacs[] = {
	{CMAC_KEY128, 0, "bb1d6929e95937287fa37d129b756746"},
	{CMAC_KEY128, 16, "070a16b46b4d4144f79bdd9dd04a287c"},
	{CMAC_KEY128, 40, "dfa66747de9ae63030ca32611497c827"},
	{CMAC_KEY128, 64, "51f0bebf7e3b9d92fc49741779363cfe"},
	{CMAC_KEY192, 0, "d17ddf46adaacde531cac483de7a9367"},
	{CMAC_KEY256, 0, "028962f61b7bf89efc6b551f4667d983"},
	{CMAC_KEY256, 64, "e1992190549f6ed5696a2c056c315410"},
};

TEST(cmac_known_answers)
{
	open_crypto();
	for (size_t i = 0; i < sizeof(cmacs) / sizeof(cmacs[0]); i++) {
		object_auto key = secret_key(CKK_AES, hex(cmacs[i].key));
		struct wire_bytes data = hex(CMAC_TEXT), mac = hex(cmacs[i].mac);

		data.len = cmacs[i].len;
		ASSERT_EQ(run_once(OPERATION_SIGN, PLAIN(CKM_AES_CMAC), key, data), ERROR_NONE);
		EXPECT_BYTES(OUTPUT, mac);
		ASSERT_EQ(run_parts(OPERATION_SIGN, PLAIN(CKM_AES_CMAC), key, data, 7), ERROR_NONE);
		EXPECT_BYTES(OUTPUT, mac);
		EXPECT_EQ(verify_parts(PLAIN(CKM_AES_CMAC), key, data, mac), ERROR_NONE);
		output[15] ^= 1;
		EXPECT_EQ(verify(PLAIN(CKM_AES_CMAC), key, data, OUTPUT), ERROR_SIGNATURE);
		EXPECT_EQ(
			verify(PLAIN(CKM_AES_CMAC), key, data, ((struct wire_bytes){mac.data, 15})),
			ERROR_SIGNATURE_LENGTH);
		for (uint64_t len = 0; len < 20; len++) {
			struct wire_mechanism cut = PARAMETER(CKM_AES_CMAC_GENERAL, number, len);
			bool good = len && len <= 16;

			EXPECT_EQ(run_once(OPERATION_SIGN, cut, key, data),
			          good ? ERROR_NONE : ERROR_MECHANISM_PARAMETER);
			EXPECT_BYTES(OUTPUT, ((struct wire_bytes){mac.data, good ? len : 0}));
		}
	}
}

#define GMAC(iv, aad, bits) PARAMETER(CKM_AES_GMAC, gcm, iv, aad, bits)

TEST(gmac)
{
	struct wire_mechanism parameter;
	object_auto key = NULL;
	struct wire_bytes iv, data, tag;
	uint8_t longer[32] = {7};

	open_crypto();
	key = secret_key(CKK_AES, hex("77be63708971c4e240d1cb79e8d77feb"));
	iv = hex("e0e00f19fed7ba0136a797f3");
	data = hex("7a43ec1d9c0a5a78a0b16533a6213cab");
	tag = hex("209fcc8d3675ed938e9c7166709dd946");
	parameter = GMAC(iv, NOTHING, 128);
	ASSERT_EQ(run_once(OPERATION_SIGN, parameter, key, data), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, tag);
	ASSERT_EQ(run_parts(OPERATION_SIGN, parameter, key, data, 5), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, tag);
	EXPECT_EQ(verify(parameter, key, data, tag), ERROR_NONE);
	EXPECT_EQ(verify(parameter, key, TEXT("other"), tag), ERROR_SIGNATURE);
	tag.len = 12;
	EXPECT_EQ(verify(parameter, key, data, tag), ERROR_SIGNATURE_LENGTH);
	EXPECT_EQ(verify(GMAC(iv, NOTHING, 96), key, data, tag), ERROR_NONE);
	EXPECT_EQ(verify(GMAC(iv, NOTHING, 100), key, data, tag), ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(verify(GMAC(iv, TEXT("x"), 96), key, data, tag), ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(verify(GMAC(NOTHING, NOTHING, 96), key, data, tag), ERROR_MECHANISM_PARAMETER);
	/* An IV that is not of 12 octets: GCM over nothing agrees. */
	iv = BYTES(longer);
	ASSERT_EQ(run_once(OPERATION_ENCRYPT, PARAMETER(CKM_AES_GCM, gcm, iv, data, 128), key,
	                   NOTHING),
	          ERROR_NONE);
	EXPECT_EQ(verify(GMAC(iv, NOTHING, 128), key, data, OUTPUT), ERROR_NONE);
}

HARNESS_MAIN
