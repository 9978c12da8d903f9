/* SPDX-License-Identifier: Apache-2.0 */
/* Digests: known answers, every length around the block, C_DigestKey. */
#include "harness.h"

#include "key_fixture.h"

static const struct {
	uint64_t type;
	const char *abc;
} answers[] = {
	{CKM_SHA_1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
	{CKM_SHA224, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"},
	{CKM_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{CKM_SHA384, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
                     "8086072ba1e7cc2358baeca134c825a7"},
	{CKM_SHA512, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                     "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
	{CKM_SHA512_224, "4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa"},
	{CKM_SHA512_256, "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"},
	{CKM_SHA3_224, "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf"},
	{CKM_SHA3_256, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"},
	{CKM_SHA3_384, "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b2"
                       "98d88cea927ac7f539f1edf228376d25"},
	{CKM_SHA3_512, "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
                       "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0"},
};

#define ANSWERS (sizeof(answers) / sizeof(answers[0]))

TEST(known_answers)
{
	open_crypto();
	for (size_t i = 0; i < ANSWERS; i++) {
		ASSERT_EQ(run_once(OPERATION_DIGEST, PLAIN(answers[i].type), NULL, TEXT("abc")),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, hex(answers[i].abc));
		ASSERT_EQ(run_parts(OPERATION_DIGEST, PLAIN(answers[i].type), NULL, TEXT("abc"), 1),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, hex(answers[i].abc));
	}
}

TEST(empty_message)
{
	const char *empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

	open_crypto();
	ASSERT_EQ(run_once(OPERATION_DIGEST, PLAIN(CKM_SHA256), NULL, NOTHING), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, hex(empty));
	ASSERT_EQ(run_parts(OPERATION_DIGEST, PLAIN(CKM_SHA256), NULL, NOTHING, 1), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, hex(empty));
}

TEST(parts_agree_with_the_whole_at_every_length)
{
	uint8_t data[300];
	uint8_t whole[64];

	open_crypto();
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	for (size_t i = 0; i < ANSWERS; i++) {
		for (size_t len = 60; len < sizeof(data); len += 9) {
			struct wire_bytes bytes = {data, len};
			struct wire_mechanism parameter = PLAIN(answers[i].type);

			ASSERT_EQ(run_once(OPERATION_DIGEST, parameter, NULL, bytes), ERROR_NONE);
			memcpy(whole, output, output_len);
			ASSERT_EQ(run_parts(OPERATION_DIGEST, parameter, NULL, bytes, 63),
			          ERROR_NONE);
			ASSERT_MEMEQ(whole, output, output_len);
		}
	}
}

static struct operation *started(void)
{
	struct wire_mechanism parameter = PLAIN(CKM_SHA256);
	struct operation *operation;

	ASSERT_EQ(operation_start(&operation, OPERATION_DIGEST, crypto, row_of(CKM_SHA256),
	                          &parameter, NULL),
	          ERROR_NONE);
	return operation;
}

TEST(key_is_digested_like_data)
{
	struct wire_buffer buffer = {.limit = 64};
	object_auto key = NULL;
	struct operation *operation;
	uint64_t len;

	open_crypto();
	key = secret_key(CKK_GENERIC_SECRET, TEXT("abc"));
	operation = started();
	ASSERT_EQ(operation_digest_key(&operation, key), ERROR_NONE);
	ASSERT_EQ(operation_final(&operation, &everything, &buffer, &len), ERROR_NONE);
	take_output(&buffer);
	EXPECT_BYTES(OUTPUT, hex(answers[2].abc));
}

TEST(keys_that_may_not_be_read_are_indigestible)
{
	struct attributes set;
	struct operation *operation;
	object_auto hidden = NULL;
	object_auto sensitive = NULL;
	object_auto public_key = NULL;

	open_crypto();
	set = key_set(CKO_SECRET_KEY, CKK_GENERIC_SECRET);
	put(&set, CKA_VALUE, TEXT("abc"));
	hidden = publish(&set);
	set = key_set(CKO_SECRET_KEY, CKK_GENERIC_SECRET);
	put(&set, CKA_VALUE, TEXT("abc"));
	ASSERT_EQ(attributes_set_flag(&set, CKA_EXTRACTABLE, true), ERROR_NONE);
	ASSERT_EQ(attributes_set_flag(&set, CKA_SENSITIVE, true), ERROR_NONE);
	sensitive = publish(&set);
	set = key_set(CKO_PUBLIC_KEY, CKK_RSA);
	ASSERT_EQ(attributes_set_flag(&set, CKA_EXTRACTABLE, true), ERROR_NONE);
	public_key = publish(&set);
	operation = started();
	EXPECT_EQ(operation_digest_key(&operation, hidden), ERROR_KEY_INDIGESTIBLE);
	EXPECT_NULL(operation);
	operation = started();
	EXPECT_EQ(operation_digest_key(&operation, sensitive), ERROR_KEY_INDIGESTIBLE);
	operation = started();
	EXPECT_EQ(operation_digest_key(&operation, public_key), ERROR_KEY_INDIGESTIBLE);
	EXPECT_EQ(operation_digest_key(&operation, hidden), ERROR_OPERATION_NONE);
}

TEST(parameter_is_refused)
{
	open_crypto();
	EXPECT_EQ(run_once(OPERATION_DIGEST, PARAMETER(CKM_SHA256, number, 5), NULL, NOTHING),
	          ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(run_once(OPERATION_DIGEST,
	                   ((struct wire_mechanism){CKM_SHA256, WIRE_SHAPE_malformed, NOTHING}),
	                   NULL, NOTHING),
	          ERROR_MECHANISM_PARAMETER);
}

HARNESS_MAIN
