/* SPDX-License-Identifier: Apache-2.0 */
/* AES: SP 800-38A, GCM's test cases, RFC 3394 and RFC 5649; lengths, padding, tags, counters. */
#include "harness.h"

#include "key_fixture.h"

#define KEY128  "2b7e151628aed2a6abf7158809cf4f3c"
#define KEY192  "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"
#define KEY256  "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"
#define IV      "000102030405060708090a0b0c0d0e0f"
#define COUNTER "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
#define PLAINTEXT                                                                                  \
	"6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"                         \
	"30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"

/* SP 800-38A, appendix F. */
static const struct {
	uint64_t type;
	const char *key, *ciphertext;
} answers[] = {
	{CKM_AES_ECB, KEY128,
         "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"
         "43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4"},
	{CKM_AES_ECB, KEY192,
         "bd334f1d6e45f25ff712a214571fa5cc974104846d0ad3ad7734ecb3ecee4eef"
         "ef7afd2270e2e60adce0ba2face6444e9a4b41ba738d6c72fb16691603c18e0e"},
	{CKM_AES_ECB, KEY256,
         "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870"
         "b6ed21b99ca6f4f9f153e7b1beafed1d23304b7a39f9f3ff067d8d8f9e24ecc7"},
	{CKM_AES_CBC, KEY128,
         "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
         "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"},
	{CKM_AES_CBC, KEY192,
         "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a"
         "571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd"},
	{CKM_AES_CBC, KEY256,
         "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
         "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b"},
	{CKM_AES_CTR, KEY128,
         "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
         "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee"},
	{CKM_AES_CTR, KEY192,
         "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e94"
         "1e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050"},
	{CKM_AES_CTR, KEY256,
         "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
         "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6"},
};

#define ANSWERS (sizeof(answers) / sizeof(answers[0]))

static struct wire_mechanism parameter_for(uint64_t type)
{
	if (type == CKM_AES_ECB)
		return PLAIN(type);
	if (type == CKM_AES_CTR)
		return PARAMETER(type, counter, 128, hex(COUNTER));
	return PARAMETER(type, initialization_vector, hex(IV));
}

TEST(known_answers)
{
	open_crypto();
	for (size_t i = 0; i < ANSWERS; i++) {
		object_auto key = secret_key(CKK_AES, hex(answers[i].key));
		struct wire_bytes plain = hex(PLAINTEXT), cipher = hex(answers[i].ciphertext);

		ASSERT_EQ(run_once(OPERATION_ENCRYPT, parameter_for(answers[i].type), key, plain),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, cipher);
		ASSERT_EQ(run_once(OPERATION_DECRYPT, parameter_for(answers[i].type), key, cipher),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, plain);
		for (size_t part = 1; part <= 33; part += 4) {
			ASSERT_EQ(run_parts(OPERATION_ENCRYPT, parameter_for(answers[i].type), key,
			                    plain, part),
			          ERROR_NONE);
			EXPECT_BYTES(OUTPUT, cipher);
			ASSERT_EQ(run_parts(OPERATION_DECRYPT, parameter_for(answers[i].type), key,
			                    cipher, part),
			          ERROR_NONE);
			EXPECT_BYTES(OUTPUT, plain);
		}
	}
}

TEST(whole_blocks_only)
{
	static const uint64_t types[] = {CKM_AES_ECB, CKM_AES_CBC};
	uint8_t data[50] = {0};
	object_auto key = NULL;

	open_crypto();
	key = secret_key(CKK_AES, hex(KEY128));
	for (size_t i = 0; i < 2; i++) {
		for (size_t len = 0; len < sizeof(data); len++) {
			struct wire_bytes bytes = {data, len};
			bool whole = len % 16 == 0;

			EXPECT_EQ(run_once(OPERATION_ENCRYPT, parameter_for(types[i]), key, bytes),
			          whole ? ERROR_NONE : ERROR_DATA_LENGTH);
			EXPECT_EQ(run_parts(OPERATION_ENCRYPT, parameter_for(types[i]), key, bytes,
			                    7),
			          whole ? ERROR_NONE : ERROR_DATA_LENGTH);
			EXPECT_EQ(run_once(OPERATION_DECRYPT, parameter_for(types[i]), key, bytes),
			          whole ? ERROR_NONE : ERROR_ENCRYPTED_DATA_LENGTH);
			EXPECT_EQ(run_parts(OPERATION_DECRYPT, parameter_for(types[i]), key, bytes,
			                    7),
			          whole ? ERROR_NONE : ERROR_ENCRYPTED_DATA_LENGTH);
		}
	}
}

TEST(padding_at_every_length)
{
	uint8_t data[70], cipher[96];
	object_auto key = NULL;

	open_crypto();
	key = secret_key(CKK_AES, hex(KEY256));
	memset(data, 0xa5, sizeof(data));
	for (size_t len = 0; len < sizeof(data); len++) {
		struct wire_mechanism parameter = parameter_for(CKM_AES_CBC_PAD);
		struct wire_bytes bytes = {data, len};
		size_t cipher_len = (len / 16 + 1) * 16;

		ASSERT_EQ(run_once(OPERATION_ENCRYPT, parameter, key, bytes), ERROR_NONE);
		ASSERT_EQ(output_len, cipher_len);
		memcpy(cipher, output, cipher_len);
		ASSERT_EQ(run_parts(OPERATION_ENCRYPT, parameter, key, bytes, 5), ERROR_NONE);
		EXPECT_BYTES(OUTPUT, ((struct wire_bytes){cipher, cipher_len}));
		for (size_t part = 1; part < 40; part += 15) {
			ASSERT_EQ(run_parts(OPERATION_DECRYPT, parameter, key,
			                    ((struct wire_bytes){cipher, cipher_len}), part),
			          ERROR_NONE);
			EXPECT_BYTES(OUTPUT, bytes);
		}
		ASSERT_EQ(run_once(OPERATION_DECRYPT, parameter, key,
		                   ((struct wire_bytes){cipher, cipher_len})),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, bytes);
		EXPECT_EQ(run_once(OPERATION_DECRYPT, parameter, key,
		                   ((struct wire_bytes){cipher, cipher_len - 1})),
		          ERROR_ENCRYPTED_DATA_LENGTH);
		EXPECT_EQ(run_parts(OPERATION_DECRYPT, parameter, key,
		                    ((struct wire_bytes){cipher, cipher_len - 1}), 16),
		          ERROR_ENCRYPTED_DATA_LENGTH);
	}
	EXPECT_EQ(run_once(OPERATION_DECRYPT, parameter_for(CKM_AES_CBC_PAD), key, NOTHING),
	          ERROR_ENCRYPTED_DATA_LENGTH);
}

/* A block of zeros, encrypted without padding, has none that is right. */
TEST(wrong_padding)
{
	uint8_t zeros[32] = {0};
	uint8_t cipher[32];
	object_auto key = NULL;

	open_crypto();
	key = secret_key(CKK_AES, hex(KEY128));
	ASSERT_EQ(run_once(OPERATION_ENCRYPT, parameter_for(CKM_AES_CBC), key, BYTES(zeros)),
	          ERROR_NONE);
	memcpy(cipher, output, sizeof(cipher));
	EXPECT_EQ(run_once(OPERATION_DECRYPT, parameter_for(CKM_AES_CBC_PAD), key, BYTES(cipher)),
	          ERROR_ENCRYPTED_DATA);
	EXPECT_EQ(output_len, 0);
	EXPECT_EQ(run_parts(OPERATION_DECRYPT, parameter_for(CKM_AES_CBC_PAD), key, BYTES(cipher),
	                    16),
	          ERROR_ENCRYPTED_DATA);
}

static enum err count(uint64_t bits, const char *block, size_t data_len)
{
	uint8_t data[80] = {0};
	object_auto key = secret_key(CKK_AES, hex(KEY128));

	return run_once(OPERATION_ENCRYPT, PARAMETER(CKM_AES_CTR, counter, bits, hex(block)), key,
	                ((struct wire_bytes){data, data_len}));
}

#define NONCE "00112233445566778899aabbcc"

TEST(counter_does_not_overflow)
{
	open_crypto();
	EXPECT_EQ(count(2, NONCE "ddee01", 48), ERROR_NONE); /* the specification's example */
	EXPECT_EQ(count(2, NONCE "ddee01", 49), ERROR_DATA_LENGTH);
	EXPECT_EQ(count(2, NONCE "ddeefd", 48), ERROR_NONE);
	EXPECT_EQ(count(2, NONCE "ddeefd", 49), ERROR_DATA_LENGTH);
	EXPECT_EQ(count(1, NONCE "ddee01", 16), ERROR_NONE);
	EXPECT_EQ(count(1, NONCE "ddee01", 17), ERROR_DATA_LENGTH);
	EXPECT_EQ(count(8, NONCE "0000fe", 32), ERROR_NONE);
	EXPECT_EQ(count(8, NONCE "0000fe", 33), ERROR_DATA_LENGTH);
	EXPECT_EQ(count(9, NONCE "0000fe", 33), ERROR_NONE);
	EXPECT_EQ(count(9, NONCE "0001fe", 33), ERROR_DATA_LENGTH);
	EXPECT_EQ(count(128, "ffffffffffffffffffffffffffffffff", 16), ERROR_NONE);
	EXPECT_EQ(count(128, "ffffffffffffffffffffffffffffffff", 17), ERROR_DATA_LENGTH);
	EXPECT_EQ(count(128, "feffffffffffffffffffffffffffffff", 17), ERROR_NONE);
	EXPECT_EQ(count(127, "7fffffffffffffffffffffffffffffff", 17), ERROR_DATA_LENGTH);
}

TEST(counter_overflow_in_parts)
{
	object_auto key = NULL;
	uint8_t data[64] = {0};

	open_crypto();
	key = secret_key(CKK_AES, hex(KEY128));
	EXPECT_EQ(run_parts(OPERATION_ENCRYPT,
	                    PARAMETER(CKM_AES_CTR, counter, 8, hex(NONCE "0000fd")), key,
	                    ((struct wire_bytes){data, 48}), 16),
	          ERROR_NONE);
	EXPECT_EQ(run_parts(OPERATION_ENCRYPT,
	                    PARAMETER(CKM_AES_CTR, counter, 8, hex(NONCE "0000fd")), key,
	                    ((struct wire_bytes){data, 49}), 16),
	          ERROR_DATA_LENGTH);
}

TEST(wrong_parameters)
{
	uint8_t data[16] = {0};
	object_auto key = NULL;

	open_crypto();
	key = secret_key(CKK_AES, hex(KEY128));
	for (size_t len = 0; len < 20; len++) {
		struct wire_bytes iv = hex("000102030405060708090a0b0c0d0e0f10111213");
		enum err expected = len == 16 ? ERROR_NONE : ERROR_MECHANISM_PARAMETER;

		iv.len = len;
		EXPECT_EQ(run_once(OPERATION_ENCRYPT,
		                   PARAMETER(CKM_AES_CBC, initialization_vector, iv), key,
		                   BYTES(data)),
		          expected);
		EXPECT_EQ(run_once(OPERATION_ENCRYPT, PARAMETER(CKM_AES_CTR, counter, 64, iv), key,
		                   BYTES(data)),
		          expected);
	}
	EXPECT_EQ(count(0, COUNTER, 1), ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(count(129, COUNTER, 1), ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(count(UINT64_MAX, COUNTER, 1), ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(run_once(OPERATION_ENCRYPT, PLAIN(CKM_AES_CBC), key, BYTES(data)),
	          ERROR_MECHANISM_PARAMETER);
}

TEST(wrong_keys)
{
	uint8_t data[16] = {0};
	object_auto generic = NULL;
	object_auto odd = NULL;

	open_crypto();
	generic = secret_key(CKK_GENERIC_SECRET, hex(KEY128));
	odd = secret_key(CKK_AES, hex("00010203"));
	EXPECT_EQ(run_once(OPERATION_ENCRYPT, PLAIN(CKM_AES_ECB), generic, BYTES(data)),
	          ERROR_KEY_TYPE);
	EXPECT_EQ(run_once(OPERATION_ENCRYPT, PLAIN(CKM_AES_ECB), odd, BYTES(data)),
	          ERROR_KEY_SIZE);
	EXPECT_EQ(run_once(OPERATION_SIGN, PLAIN(CKM_AES_ECB), generic, BYTES(data)),
	          ERROR_MECHANISM);
}

/* ---- GCM: test cases of McGrew and Viega's specification ---- */

#define GCM_KEY128 "feffe9928665731c6d6a8f9467308308"
#define GCM_KEY192 GCM_KEY128 "feffe9928665731c"
#define GCM_KEY256 GCM_KEY128 GCM_KEY128
#define GCM_AAD    "feedfacedeadbeeffeedfacedeadbeefabaddad2"
#define GCM_IV     "cafebabefacedbaddecaf888"
#define GCM_PLAIN                                                                                  \
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"                         \
	"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"

static const struct {
	const char *key, *iv, *aad, *plain, *sealed;
} gcm[] = {
	{"00000000000000000000000000000000", "000000000000000000000000", "", "",
         "58e2fccefa7e3061367f1d57a4e7455a"}, /* 1 */
	{"00000000000000000000000000000000", "000000000000000000000000", "",
         "00000000000000000000000000000000",
         "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"}, /* 2 */
	{GCM_KEY128, GCM_IV, GCM_AAD, GCM_PLAIN,
         "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
         "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
         "5bc94fbc3221a5db94fae95ae7121a47"}, /* 4 */
	{GCM_KEY128, "cafebabefacedbad", GCM_AAD, GCM_PLAIN,
         "61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c7423"
         "73806900e49f24b22b097544d4896b424989b5e1ebac0f07c23f4598"
         "3612d2e79e3b0785561be14aaca2fccb"}, /* 5: IV of 8 octets */
	{GCM_KEY128,
         "9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728"
         "c3c0c95156809539fcf0e2429a6b525416aedbf5a0de6a57a637b39b",
         GCM_AAD, GCM_PLAIN,
         "8ce24998625615b603a033aca13fb894be9112a5c3a211a8ba262a3cca7e2ca7"
         "01e4a9a4fba43c90ccdcb281d48c7c6fd62875d2aca417034c34aee5"
         "619cc5aefffe0bfa462af43c1699d050"}, /* 6: IV of 60 octets */
	{GCM_KEY192, GCM_IV, GCM_AAD, GCM_PLAIN,
         "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c"
         "7d773d00c144c525ac619d18c84a3f4718e2448b2fe324d9ccda2710"
         "2519498e80f1478f37ba55bd6d27618c"}, /* 10 */
	{GCM_KEY256, GCM_IV, GCM_AAD, GCM_PLAIN,
         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
         "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
         "76fc6ece0f4e1768cddf8853bb2d551b"}, /* 16 */
};

#define GCM_ANSWERS (sizeof(gcm) / sizeof(gcm[0]))

TEST(gcm_known_answers)
{
	open_crypto();
	for (size_t i = 0; i < GCM_ANSWERS; i++) {
		object_auto key = secret_key(CKK_AES, hex(gcm[i].key));
		struct wire_mechanism parameter =
			PARAMETER(CKM_AES_GCM, gcm, hex(gcm[i].iv), hex(gcm[i].aad), 128);
		struct wire_bytes plain = hex(gcm[i].plain), sealed = hex(gcm[i].sealed);

		ASSERT_EQ(run_once(OPERATION_ENCRYPT, parameter, key, plain), ERROR_NONE);
		EXPECT_BYTES(OUTPUT, sealed);
		ASSERT_EQ(run_once(OPERATION_DECRYPT, parameter, key, sealed), ERROR_NONE);
		EXPECT_BYTES(OUTPUT, plain);
		for (size_t part = 1; part < 40; part += 6) {
			ASSERT_EQ(run_parts(OPERATION_ENCRYPT, parameter, key, plain, part),
			          ERROR_NONE);
			EXPECT_BYTES(OUTPUT, sealed);
			ASSERT_EQ(run_parts(OPERATION_DECRYPT, parameter, key, sealed, part),
			          ERROR_NONE);
			EXPECT_BYTES(OUTPUT, plain);
		}
	}
}

TEST(gcm_gives_nothing_before_the_tag)
{
	struct wire_buffer buffer = {.limit = 256};
	struct wire_mechanism parameter;
	struct operation *operation;
	object_auto key = NULL;
	uint64_t len = 99;

	open_crypto();
	key = secret_key(CKK_AES, hex(gcm[2].key));
	parameter = PARAMETER(CKM_AES_GCM, gcm, hex(GCM_IV), hex(GCM_AAD), 128);
	ASSERT_EQ(operation_start(&operation, OPERATION_DECRYPT, crypto, row_of(CKM_AES_GCM),
	                          &parameter, key),
	          ERROR_NONE);
	ASSERT_EQ(operation_update(&operation, hex(gcm[2].sealed), &everything, &buffer, &len),
	          ERROR_NONE);
	EXPECT_EQ(len, 0);
	EXPECT_EQ(buffer.len, 0);
	ASSERT_EQ(operation_final(&operation, &everything, &buffer, &len), ERROR_NONE);
	EXPECT_EQ(len, 60);
	wire_buffer_free(&buffer);
}

TEST(gcm_every_modified_octet_is_seen)
{
	struct wire_bytes sealed;
	uint8_t octets[128];
	object_auto key = NULL;

	open_crypto();
	key = secret_key(CKK_AES, hex(gcm[2].key));
	sealed = hex(gcm[2].sealed);
	memcpy(octets, sealed.data, sealed.len);
	for (size_t i = 0; i < sealed.len; i++) {
		octets[i] ^= 4;
		EXPECT_EQ(run_once(OPERATION_DECRYPT,
		                   PARAMETER(CKM_AES_GCM, gcm, hex(GCM_IV), hex(GCM_AAD), 128), key,
		                   ((struct wire_bytes){octets, sealed.len})),
		          ERROR_ENCRYPTED_DATA);
		EXPECT_EQ(output_len, 0);
		octets[i] ^= 4;
	}
	for (size_t len = 0; len < sealed.len; len++)
		EXPECT_EQ(run_once(OPERATION_DECRYPT,
		                   PARAMETER(CKM_AES_GCM, gcm, hex(GCM_IV), hex(GCM_AAD), 128), key,
		                   ((struct wire_bytes){octets, len})),
		          len < 16 ? ERROR_ENCRYPTED_DATA_LENGTH : ERROR_ENCRYPTED_DATA);
	EXPECT_EQ(run_once(OPERATION_DECRYPT,
	                   PARAMETER(CKM_AES_GCM, gcm, hex(GCM_IV), NOTHING, 128), key,
	                   ((struct wire_bytes){octets, sealed.len})),
	          ERROR_ENCRYPTED_DATA);
}

TEST(gcm_tag_and_iv_lengths)
{
	uint8_t iv[300];
	object_auto key = NULL;

	open_crypto();
	memset(iv, 1, sizeof(iv));
	key = secret_key(CKK_AES, hex(gcm[2].key));
	for (uint64_t bits = 0; bits < 200; bits++) {
		bool good =
			bits == 32 || bits == 64 || (bits >= 96 && bits <= 128 && bits % 8 == 0);

		EXPECT_EQ(run_once(OPERATION_ENCRYPT,
		                   PARAMETER(CKM_AES_GCM, gcm, hex(GCM_IV), hex(GCM_AAD), bits),
		                   key, hex(GCM_PLAIN)),
		          good ? ERROR_NONE : ERROR_MECHANISM_PARAMETER);
		if (!good)
			continue;
		EXPECT_EQ(output_len, 60 + bits / 8);
		EXPECT_MEMEQ(output, hex(gcm[2].sealed).data, output_len);
		EXPECT_EQ(run_once(OPERATION_DECRYPT,
		                   PARAMETER(CKM_AES_GCM, gcm, hex(GCM_IV), hex(GCM_AAD), bits),
		                   key, OUTPUT),
		          ERROR_NONE);
	}
	for (size_t len = 0; len < sizeof(iv); len++) {
		bool good = len >= 1 && len <= 128;
		struct wire_bytes bytes = {iv, len};

		EXPECT_EQ(run_once(OPERATION_ENCRYPT,
		                   PARAMETER(CKM_AES_GCM, gcm, bytes, NOTHING, 128), key,
		                   hex(GCM_PLAIN)),
		          good ? ERROR_NONE : ERROR_MECHANISM_PARAMETER);
	}
}

/* ---- key wrapping as encryption; as wrapping in keygen_test.c ---- */

static const struct {
	uint64_t type;
	const char *key, *plain, *wrapped;
} wraps[] = {
	{CKM_AES_KEY_WRAP, "000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff",
         "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"}, /* RFC 3394 §4.1 */
	{CKM_AES_KEY_WRAP, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
         "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
         "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326"
         "cbc7f0e71a99f43bfb988b9b7a02dd21"}, /* RFC 3394 §4.6 */
	{CKM_AES_KEY_WRAP_KWP, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
         "c37b7e6492584340bed12207808941155068f738",
         "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"}, /* RFC 5649 §6 */
	{CKM_AES_KEY_WRAP_PAD, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", "466f7250617369",
         "afbeb0f07dfbf5419200f2ccb50bb24f"}, /* RFC 5649 §6 */
};

static enum err wrap(enum operation_kind kind, uint64_t type, struct object *key,
                     struct wire_bytes iv, struct wire_bytes data)
{
	struct wire_mechanism parameter = PARAMETER(type, initialization_vector, iv);
	struct wire_buffer buffer = {.limit = 4096};
	struct operation *operation;
	uint64_t len;
	enum err err;

	err = operation_start_wrapping(&operation, kind, crypto, row_of(type), &parameter, key);
	if (!err)
		err = operation_once(&operation, data, &everything, &buffer, &len);
	take_output(&buffer);
	return err;
}

TEST(wrap_known_answers)
{
	open_crypto();
	for (size_t i = 0; i < sizeof(wraps) / sizeof(wraps[0]); i++) {
		object_auto key = secret_key(CKK_AES, hex(wraps[i].key));

		ASSERT_EQ(wrap(OPERATION_ENCRYPT, wraps[i].type, key, NOTHING, hex(wraps[i].plain)),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, hex(wraps[i].wrapped));
		ASSERT_EQ(
			wrap(OPERATION_DECRYPT, wraps[i].type, key, NOTHING, hex(wraps[i].wrapped)),
			ERROR_NONE);
		EXPECT_BYTES(OUTPUT, hex(wraps[i].plain));
		output_len = hex(wraps[i].wrapped).len;
		memcpy(output, hex(wraps[i].wrapped).data, output_len);
		output[3] ^= 1;
		EXPECT_EQ(wrap(OPERATION_DECRYPT, wraps[i].type, key, NOTHING, OUTPUT),
		          ERROR_ENCRYPTED_DATA);
		EXPECT_EQ(output_len, 0);
	}
}

TEST(wrap_lengths_and_ivs)
{
	uint8_t data[64] = {1};
	object_auto key = NULL;

	open_crypto();
	key = secret_key(CKK_AES, hex(KEY256));
	for (size_t len = 0; len < sizeof(data); len++) {
		struct wire_bytes bytes = {data, len};
		bool whole = len % 8 == 0;

		EXPECT_EQ(wrap(OPERATION_ENCRYPT, CKM_AES_KEY_WRAP, key, NOTHING, bytes),
		          whole && len >= 16 ? ERROR_NONE : ERROR_DATA_LENGTH);
		EXPECT_EQ(wrap(OPERATION_ENCRYPT, CKM_AES_KEY_WRAP_KWP, key, NOTHING, bytes),
		          len ? ERROR_NONE : ERROR_DATA_LENGTH);
		if (len) {
			EXPECT_EQ(
				wrap(OPERATION_DECRYPT, CKM_AES_KEY_WRAP_KWP, key, NOTHING, OUTPUT),
				ERROR_NONE);
			EXPECT_BYTES(OUTPUT, bytes);
		}
		EXPECT_EQ(wrap(OPERATION_DECRYPT, CKM_AES_KEY_WRAP, key, NOTHING, bytes),
		          whole && len >= 24 ? ERROR_ENCRYPTED_DATA : ERROR_ENCRYPTED_DATA_LENGTH);
		EXPECT_EQ(wrap(OPERATION_DECRYPT, CKM_AES_KEY_WRAP_KWP, key, NOTHING, bytes),
		          whole && len >= 16 ? ERROR_ENCRYPTED_DATA : ERROR_ENCRYPTED_DATA_LENGTH);
	}
	for (size_t len = 0; len < 17; len++) {
		struct wire_bytes iv = {data, len};
		struct wire_bytes plain = {data, 16};

		EXPECT_EQ(wrap(OPERATION_ENCRYPT, CKM_AES_KEY_WRAP, key, iv, plain),
		          len == 0 || len == 8 ? ERROR_NONE : ERROR_MECHANISM_PARAMETER);
		EXPECT_EQ(wrap(OPERATION_ENCRYPT, CKM_AES_KEY_WRAP_PAD, key, iv, plain),
		          len == 0 || len == 4 ? ERROR_NONE : ERROR_MECHANISM_PARAMETER);
	}
	EXPECT_EQ(run_once(OPERATION_ENCRYPT,
	                   PARAMETER(CKM_AES_KEY_WRAP, initialization_vector, NOTHING), key,
	                   hex(KEY128)),
	          ERROR_MECHANISM);
}

HARNESS_MAIN
