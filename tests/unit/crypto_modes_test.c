/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OFB and CFB (SP 800-38A), ciphertext stealing (RFC 3962), XTS (IEEE 1619), CCM (SP 800-38C) and
 * ChaCha20-Poly1305 (RFC 8439): known answers, lengths, parameters, damaged tags.
 */
#include "harness.h"

#include "key_fixture.h"

#define KEY128 "2b7e151628aed2a6abf7158809cf4f3c"
#define KEY256 "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"
#define IV     "000102030405060708090a0b0c0d0e0f"
#define PLAINTEXT                                                                                  \
	"6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"                         \
	"30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"

#define WITH_IV(type, iv) PARAMETER(type, initialization_vector, iv)

/* SP 800-38A, appendices F.3 and F.4. */
static const struct {
	uint64_t type;
	const char *key, *ciphertext;
} streams[] = {
	{CKM_AES_OFB, KEY128,
         "3b3fd92eb72dad20333449f8e83cfb4a7789508d16918f03f53c52dac54ed825"
         "9740051e9c5fecf64344f7a82260edcc304c6528f659c77866a510d9c1d6ae5e"},
	{CKM_AES_OFB, KEY256,
         "dc7e84bfda79164b7ecd8486985d38604febdc6740d20b3ac88f6ad82a4fb08d"
         "71ab47a086e86eedf39d1c5bba97c4080126141d67f37be8538f5a8be740e484"},
	{CKM_AES_CFB128, KEY128,
         "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b"
         "26751f67a3cbb140b1808cf187a4f4dfc04b05357c5d1c0eeac4c66f9ff7f2e6"},
	{CKM_AES_CFB8, KEY128, "3b79424c9c0dd436bace9e0ed4586a4f32b9"},
};

TEST(stream_modes)
{
	open_crypto();
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		struct wire_mechanism parameter = WITH_IV(streams[i].type, hex(IV));
		object_auto key = secret_key(CKK_AES, hex(streams[i].key));
		struct wire_bytes cipher = hex(streams[i].ciphertext), plain = hex(PLAINTEXT);

		plain.len = cipher.len;
		for (size_t len = 0; len <= cipher.len; len++) { /* a stream has a beginning */
			ASSERT_EQ(run_once(OPERATION_ENCRYPT, parameter, key,
			                   ((struct wire_bytes){plain.data, len})),
			          ERROR_NONE);
			EXPECT_BYTES(OUTPUT, ((struct wire_bytes){cipher.data, len}));
		}
		for (size_t part = 1; part < 20; part += 6) {
			ASSERT_EQ(run_parts(OPERATION_ENCRYPT, parameter, key, plain, part),
			          ERROR_NONE);
			EXPECT_BYTES(OUTPUT, cipher);
			ASSERT_EQ(run_parts(OPERATION_DECRYPT, parameter, key, cipher, part),
			          ERROR_NONE);
			EXPECT_BYTES(OUTPUT, plain);
		}
		EXPECT_EQ(run_once(OPERATION_ENCRYPT, WITH_IV(streams[i].type, hex("00")), key,
		                   plain),
		          ERROR_MECHANISM_PARAMETER);
	}
}

#define CTS_KEY "636869636b656e207465726979616b69"
#define CTS_TEXT                                                                                   \
	"4920776f756c64206c696b65207468652047656e6572616c2047617527732043"                         \
	"6869636b656e2c20706c656173652c20"

/* RFC 3962 appendix B has CS3; CS1 is CBC itself for whole blocks and else keeps the order of the
 * last two. */
static const char *const steals[] = {
	"97c6353568f2bf8cb4d8a580362da7ff7f",
	"97687268d6ecccc0c07b25e25ecfe5fc00783e0efdb2c1d445d4c8eff7ed22",
	"97687268d6ecccc0c07b25e25ecfe58439312523a78662d5be7fcbcc98ebf5a8",
};

TEST(ciphertext_stealing)
{
	struct wire_mechanism parameter;
	object_auto key = NULL;

	open_crypto();
	key = secret_key(CKK_AES, hex(CTS_KEY));
	parameter = WITH_IV(CKM_AES_CTS, hex("00000000000000000000000000000000"));
	for (size_t i = 0; i < sizeof(steals) / sizeof(steals[0]); i++) {
		struct wire_bytes cipher = hex(steals[i]), plain = hex(CTS_TEXT);

		plain.len = cipher.len;
		ASSERT_EQ(run_once(OPERATION_ENCRYPT, parameter, key, plain), ERROR_NONE);
		EXPECT_BYTES(OUTPUT, cipher);
		ASSERT_EQ(run_parts(OPERATION_DECRYPT, parameter, key, cipher, 7), ERROR_NONE);
		EXPECT_BYTES(OUTPUT, plain);
	}
	for (size_t len = 0; len < 16; len++) {
		struct wire_bytes few = {hex(CTS_TEXT).data, len};

		EXPECT_EQ(run_once(OPERATION_ENCRYPT, parameter, key, few), ERROR_DATA_LENGTH);
		EXPECT_EQ(run_once(OPERATION_DECRYPT, parameter, key, few),
		          ERROR_ENCRYPTED_DATA_LENGTH);
	}
}

/* IEEE 1619-2007, annex B, vectors 2 and 15. */
static const struct {
	const char *key, *unit, *plain, *cipher;
} xts[] = {
	{"1111111111111111111111111111111122222222222222222222222222222222",
         "33333333330000000000000000000000",
         "4444444444444444444444444444444444444444444444444444444444444444",
         "c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0"},
	{"fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0bfbebdbcbbbab9b8b7b6b5b4b3b2b1b0",
         "9a785634120000000000000000000000", "000102030405060708090a0b0c0d0e0f10",
         "6c1625db4671522d3d7599601de7ca09ed"},
};

TEST(xts_known_answers)
{
	open_crypto();
	for (size_t i = 0; i < sizeof(xts) / sizeof(xts[0]); i++) {
		struct wire_mechanism parameter = WITH_IV(CKM_AES_XTS, hex(xts[i].unit));
		object_auto key = secret_key(CKK_AES_XTS, hex(xts[i].key));

		ASSERT_EQ(run_once(OPERATION_ENCRYPT, parameter, key, hex(xts[i].plain)),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, hex(xts[i].cipher));
		ASSERT_EQ(run_once(OPERATION_DECRYPT, parameter, key, hex(xts[i].cipher)),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, hex(xts[i].plain));
		EXPECT_EQ(run_once(OPERATION_ENCRYPT, parameter, key,
		                   ((struct wire_bytes){hex(xts[i].plain).data, 15})),
		          ERROR_DATA_LENGTH);
		EXPECT_EQ(run_once(OPERATION_ENCRYPT, WITH_IV(CKM_AES_XTS, hex("00")), key,
		                   hex(xts[i].plain)),
		          ERROR_MECHANISM_PARAMETER);
	}
}

TEST(xts_wants_its_own_keys)
{
	struct wire_mechanism parameter;
	object_auto aes = NULL;
	object_auto twice = NULL;
	uint8_t value[64] = {0};

	open_crypto();
	aes = secret_key(CKK_AES, hex(KEY256));
	parameter = WITH_IV(CKM_AES_XTS, hex(IV));
	EXPECT_EQ(run_once(OPERATION_ENCRYPT, parameter, aes, hex(IV)), ERROR_KEY_TYPE);
	EXPECT_FALSE(keygen_secret_value_valid(CKK_AES_XTS, ((struct wire_bytes){value, 64})));
	value[32] = 1;
	EXPECT_TRUE(keygen_secret_value_valid(CKK_AES_XTS, ((struct wire_bytes){value, 64})));
	for (size_t len = 0; len <= 64; len++)
		EXPECT_EQ(keygen_secret_len_valid(CKK_AES_XTS, len), len == 32 || len == 64);
	twice = secret_key(CKK_AES_XTS, ((struct wire_bytes){value, 64}));
	ASSERT_EQ(run_once(OPERATION_ENCRYPT, parameter, twice, hex(IV)), ERROR_NONE);
}

#define CCM_KEY                   "404142434445464748494a4b4c4d4e4f"
#define CCM_AAD                   "000102030405060708090a0b0c0d0e0f10111213"
#define CCM_TEXT                  "202122232425262728292a2b2c2d2e2f3031323334353637"
#define CCM(len, nonce, aad, tag) PARAMETER(CKM_AES_CCM, ccm, len, nonce, aad, tag)

/* SP 800-38C, appendix C, examples 1 to 3. */
static const struct {
	const char *nonce;
	size_t aad_len, plain_len, tag_len;
	const char *cipher;
} ccm[] = {
	{"10111213141516", 8, 4, 4, "7162015b4dac255d"},
	{"1011121314151617", 16, 16, 6, "d2a1f0e051ea5f62081a7792073d593d1fc64fbfaccd"},
	{"101112131415161718191a1b", 20, 24, 8,
         "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951"},
};

static struct wire_mechanism ccm_parameter(size_t i, uint64_t data_len)
{
	struct wire_bytes aad = hex(CCM_AAD);

	aad.len = ccm[i].aad_len;
	return CCM(data_len, hex(ccm[i].nonce), aad, ccm[i].tag_len);
}

TEST(ccm_known_answers)
{
	object_auto key = NULL;

	open_crypto();
	key = secret_key(CKK_AES, hex(CCM_KEY));
	for (size_t i = 0; i < sizeof(ccm) / sizeof(ccm[0]); i++) {
		struct wire_bytes cipher = hex(ccm[i].cipher), plain = hex(CCM_TEXT);
		uint8_t damaged[64];

		plain.len = ccm[i].plain_len;
		ASSERT_EQ(run_once(OPERATION_ENCRYPT, ccm_parameter(i, plain.len), key, plain),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, cipher);
		ASSERT_EQ(run_parts(OPERATION_ENCRYPT, ccm_parameter(i, plain.len), key, plain, 3),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, cipher);
		ASSERT_EQ(run_parts(OPERATION_DECRYPT, ccm_parameter(i, plain.len), key, cipher, 3),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, plain);
		memcpy(damaged, cipher.data, cipher.len);
		for (size_t at = 0; at < cipher.len; at++) {
			damaged[at] ^= 4;
			EXPECT_EQ(run_once(OPERATION_DECRYPT, ccm_parameter(i, plain.len), key,
			                   ((struct wire_bytes){damaged, cipher.len})),
			          ERROR_ENCRYPTED_DATA);
			EXPECT_EQ(output_len, 0);
			damaged[at] ^= 4;
		}
		EXPECT_EQ(run_once(OPERATION_DECRYPT, ccm_parameter(i, plain.len), key,
		                   ((struct wire_bytes){damaged, ccm[i].tag_len - 1})),
		          ERROR_ENCRYPTED_DATA_LENGTH);
	}
}

TEST(ccm_parameters)
{
	struct wire_bytes plain, nonce;
	object_auto key = NULL;

	open_crypto();
	key = secret_key(CKK_AES, hex(KEY256));
	plain = hex(CCM_TEXT);
	nonce = hex("101112131415161718191a1b1c1d");
	for (size_t len = 0; len <= 14; len++)
		EXPECT_EQ(run_once(OPERATION_ENCRYPT,
		                   CCM(24, ((struct wire_bytes){nonce.data, len}), NOTHING, 16),
		                   key, plain),
		          len >= 7 && len <= 13 ? ERROR_NONE : ERROR_MECHANISM_PARAMETER);
	nonce.len = 13;
	for (uint64_t tag = 0; tag < 20; tag++)
		EXPECT_EQ(run_once(OPERATION_ENCRYPT, CCM(24, nonce, NOTHING, tag), key, plain),
		          tag >= 4 && tag <= 16 && tag % 2 == 0 ? ERROR_NONE
		                                                : ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(run_once(OPERATION_ENCRYPT, CCM(23, nonce, NOTHING, 16), key, plain),
	          ERROR_DATA_LENGTH);
	EXPECT_EQ(run_once(OPERATION_ENCRYPT, CCM(25, nonce, NOTHING, 16), key, plain),
	          ERROR_DATA_LENGTH);
	EXPECT_EQ(run_once(OPERATION_ENCRYPT, CCM(65536, nonce, NOTHING, 16), key, plain),
	          ERROR_MECHANISM_PARAMETER); /* two octets for the length */
	EXPECT_EQ(run_once(OPERATION_ENCRYPT, CCM(UINT64_MAX, nonce, NOTHING, 16), key, plain),
	          ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(run_once(OPERATION_ENCRYPT, CCM(0, nonce, NOTHING, 16), key, NOTHING),
	          ERROR_NONE);
	EXPECT_EQ(output_len, 16);
	EXPECT_EQ(run_once(OPERATION_DECRYPT, CCM(0, nonce, NOTHING, 16), key, OUTPUT), ERROR_NONE);
	EXPECT_EQ(output_len, 0);
}

#define CHACHA_KEY "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
#define CHACHA_TEXT                                                                                \
	TEXT("Ladies and Gentlemen of the class of '99: If I could offer you only one tip for "    \
	     "the future, sunscreen would be it.")
#define CHACHA_SEALED                                                                              \
	"d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"                         \
	"3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"                         \
	"92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"                         \
	"3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691"

/* RFC 8439 §2.8.2. */
TEST(chacha20_poly1305)
{
	struct wire_mechanism parameter;
	object_auto key = NULL;
	uint8_t damaged[160];
	struct wire_bytes sealed;

	open_crypto();
	key = secret_key(CKK_CHACHA20, hex(CHACHA_KEY));
	sealed = hex(CHACHA_SEALED);
	parameter = PARAMETER(CKM_CHACHA20_POLY1305, poly1305, hex("070000004041424344454647"),
	                      hex("50515253c0c1c2c3c4c5c6c7"));
	ASSERT_EQ(run_once(OPERATION_ENCRYPT, parameter, key, CHACHA_TEXT), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, sealed);
	ASSERT_EQ(run_parts(OPERATION_ENCRYPT, parameter, key, CHACHA_TEXT, 9), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, sealed);
	ASSERT_EQ(run_parts(OPERATION_DECRYPT, parameter, key, sealed, 50), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, CHACHA_TEXT);
	memcpy(damaged, sealed.data, sealed.len);
	for (size_t at = 0; at < sealed.len; at += 5) {
		damaged[at] ^= 0x20;
		EXPECT_EQ(run_once(OPERATION_DECRYPT, parameter, key,
		                   ((struct wire_bytes){damaged, sealed.len})),
		          ERROR_ENCRYPTED_DATA);
		damaged[at] ^= 0x20;
	}
	EXPECT_EQ(run_once(OPERATION_DECRYPT, parameter, key, ((struct wire_bytes){damaged, 15})),
	          ERROR_ENCRYPTED_DATA_LENGTH);
}

TEST(chacha20_poly1305_nonces)
{
	static const uint8_t zeros[16];
	object_auto key = NULL;

	open_crypto();
	key = secret_key(CKK_CHACHA20, hex(CHACHA_KEY));
	for (size_t len = 0; len <= sizeof(zeros); len++)
		EXPECT_EQ(run_once(OPERATION_ENCRYPT,
		                   PARAMETER(CKM_CHACHA20_POLY1305, poly1305,
		                             ((struct wire_bytes){zeros, len}), NOTHING),
		                   key, TEXT("x")),
		          len == 12 ? ERROR_NONE : ERROR_MECHANISM_PARAMETER);
}

HARNESS_MAIN
