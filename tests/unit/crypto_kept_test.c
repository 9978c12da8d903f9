/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contexts that are kept with a key: used again, never for another parameter, as new after an
 * operation that was given up or failed, and good for several threads at once.
 */
#include "harness.h"

#include <pthread.h>

#include "crypto_kept.h"
#include "key_fixture.h"
#include "rsa_vectors.h"

#define MESSAGE TEXT("a message of more than two blocks of AES")
#define THREADS 4u
#define ROUNDS  200u

static uint8_t expected[OUT_MAX];
static size_t expected_len;

#define EXPECTED ((struct wire_bytes){expected, expected_len})

static struct object *aes_key(void)
{
	return secret_key(CKK_AES, hex("000102030405060708090a0b0c0d0e0f"
	                               "101112131415161718191a1b1c1d1e1f"));
}

static struct wire_mechanism gcm(uint8_t first, size_t iv_len)
{
	uint8_t iv[16] = {first};

	return PARAMETER(CKM_AES_GCM, gcm, {iv, iv_len}, TEXT("more"), 128);
}

static struct wire_mechanism with_iv(uint64_t type, uint8_t first)
{
	uint8_t iv[16] = {first};

	return PARAMETER(type, initialization_vector, {iv, sizeof(iv)});
}

/* What a key that was never used before gives. */
static void expect_fresh(enum operation_kind kind, struct wire_mechanism parameter,
                         struct wire_bytes data)
{
	object_auto key = aes_key();

	ASSERT_EQ(run_once(kind, parameter, key, data), ERROR_NONE);
	memcpy(expected, output, output_len);
	expected_len = output_len;
}

static void expect_same_as_fresh(struct object *key, struct wire_mechanism parameter)
{
	expect_fresh(OPERATION_ENCRYPT, parameter, MESSAGE);
	ASSERT_EQ(run_once(OPERATION_ENCRYPT, parameter, key, MESSAGE), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, EXPECTED);
}

static struct crypto_kept *kept_of(struct object *key, bool undoes)
{
	return atomic_load(&key->kept[undoes][0]);
}

TEST(used_again)
{
	struct object *public_key, *private_key;
	struct crypto_kept *signing, *verifying;
	uint8_t hash[32] = {1}, signature[64];

	open_crypto();
	generate(CKM_EC_KEY_PAIR_GEN, P256_PARAMS, &public_key, &private_key);
	EXPECT_NULL(kept_of(private_key, false));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(run_once(OPERATION_SIGN, PLAIN(CKM_ECDSA), private_key, BYTES(hash)),
		          ERROR_NONE);
		memcpy(signature, output, sizeof(signature));
		EXPECT_EQ(verify(PLAIN(CKM_ECDSA), public_key, BYTES(hash), BYTES(signature)),
		          ERROR_NONE);
		signing = i ? signing : kept_of(private_key, false);
		verifying = i ? verifying : kept_of(public_key, true);
		EXPECT_NOT_NULL(signing);
		EXPECT_TRUE(kept_of(private_key, false) == signing);
		EXPECT_TRUE(kept_of(public_key, true) == verifying);
	}
	object_put(public_key);
	object_put(private_key);
}

TEST(wrong_signature_spoils_nothing)
{
	struct object *public_key, *private_key;
	uint8_t wrong[256] = {0};

	open_crypto();
	pair_from_pkcs8(BYTES(rsa_pkcs8), &public_key, &private_key);
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(verify(PLAIN(CKM_SHA256_RSA_PKCS), public_key, TEXT("craton"),
		                 BYTES(rsa_pkcs1_sha256)),
		          ERROR_NONE);
		EXPECT_EQ(verify(PLAIN(CKM_SHA256_RSA_PKCS), public_key, TEXT("craton"),
		                 BYTES(wrong)),
		          ERROR_SIGNATURE);
		EXPECT_EQ(verify(PLAIN(CKM_SHA512_RSA_PKCS), public_key, TEXT("craton"),
		                 BYTES(rsa_pkcs1_sha512)),
		          ERROR_NONE);
	}
	object_put(public_key);
	object_put(private_key);
}

/* The length of the salt, which the mechanism does not tell, is in the signature. */
TEST(salt_is_not_the_one_before)
{
	static const uint64_t salts[] = {32, 20, 0, 32};
	struct object *public_key, *private_key;

	open_crypto();
	pair_from_pkcs8(BYTES(rsa_pkcs8), &public_key, &private_key);
	for (unsigned int i = 0; i < 4; i++) {
		struct wire_mechanism pss = PARAMETER(CKM_SHA256_RSA_PKCS_PSS, pss, CKM_SHA256,
		                                      CKG_MGF1_SHA256, salts[i]);
		struct wire_mechanism other;

		ASSERT_EQ(run_once(OPERATION_SIGN, pss, private_key, MESSAGE), ERROR_NONE);
		memcpy(expected, output, output_len);
		expected_len = output_len;
		EXPECT_EQ(verify(pss, public_key, MESSAGE, EXPECTED), ERROR_NONE);
		other = PARAMETER(CKM_SHA256_RSA_PKCS_PSS, pss, CKM_SHA256, CKG_MGF1_SHA256,
		                  salts[i] + 1);
		EXPECT_EQ(verify(other, public_key, MESSAGE, EXPECTED), ERROR_SIGNATURE);
	}
	object_put(public_key);
	object_put(private_key);
}

TEST(mode_is_not_the_one_before)
{
	object_auto key = NULL;

	open_crypto();
	key = aes_key();
	for (uint8_t i = 0; i < 2; i++) {
		expect_same_as_fresh(key, gcm(i, 12));
		expect_same_as_fresh(key, with_iv(CKM_AES_CBC_PAD, i));
		expect_same_as_fresh(key, gcm(i, 16));
		expect_same_as_fresh(key, with_iv(CKM_AES_OFB, i));
		expect_same_as_fresh(key, gcm(i, 12));
		expect_same_as_fresh(key, gcm(i + 1, 12));
	}
}

/* Begins a message, and gives it up in the middle of a block. */
static void give_up(enum operation_kind kind, struct wire_mechanism parameter, struct object *key)
{
	struct operation *operation;
	struct wire_buffer buffer;
	uint64_t len;

	ASSERT_EQ(
		operation_start(&operation, kind, crypto, row_of(parameter.type), &parameter, key),
		ERROR_NONE);
	wire_buffer_init(&buffer, WIRE_BULK_LIMIT, NULL);
	EXPECT_EQ(operation_update(&operation, TEXT("nineteen octets now"), &everything, &buffer,
	                           &len),
	          ERROR_NONE);
	wire_buffer_free(&buffer);
	operation_free(operation);
}

TEST(message_that_was_given_up_leaves_nothing)
{
	object_auto key = NULL;

	open_crypto();
	key = aes_key();
	for (int i = 0; i < 3; i++) {
		give_up(OPERATION_ENCRYPT, gcm(7, 12), key);
		expect_same_as_fresh(key, gcm(8, 12));
	}
	for (int i = 0; i < 3; i++) {
		give_up(OPERATION_ENCRYPT, with_iv(CKM_AES_CBC_PAD, 7), key);
		expect_same_as_fresh(key, with_iv(CKM_AES_CBC_PAD, 8));
	}
	for (int i = 0; i < 3; i++) {
		give_up(OPERATION_ENCRYPT, with_iv(CKM_AES_CFB8, 7), key);
		expect_same_as_fresh(key, with_iv(CKM_AES_CFB8, 8));
	}
}

TEST(wrong_tag_and_wrong_padding_spoil_nothing)
{
	object_auto key = NULL;
	uint8_t sealed[256];
	size_t sealed_len;

	open_crypto();
	key = aes_key();
	ASSERT_EQ(run_once(OPERATION_ENCRYPT, gcm(1, 12), key, MESSAGE), ERROR_NONE);
	memcpy(sealed, output, output_len);
	sealed_len = output_len;
	for (int i = 0; i < 3; i++) {
		struct wire_bytes whole = {sealed, sealed_len};

		EXPECT_EQ(run_once(OPERATION_DECRYPT, gcm(2, 12), key, whole),
		          ERROR_ENCRYPTED_DATA);
		ASSERT_EQ(run_once(OPERATION_DECRYPT, gcm(1, 12), key, whole), ERROR_NONE);
		EXPECT_BYTES(OUTPUT, MESSAGE);
	}
	ASSERT_EQ(run_once(OPERATION_ENCRYPT, with_iv(CKM_AES_CBC_PAD, 1), key, MESSAGE),
	          ERROR_NONE);
	memcpy(sealed, output, output_len);
	sealed_len = output_len;
	for (int i = 0; i < 3; i++) {
		struct wire_bytes whole = {sealed, sealed_len};

		/* Of the first block the padding is certainly wrong: it is the message's. */
		EXPECT_EQ(run_once(OPERATION_DECRYPT, with_iv(CKM_AES_CBC_PAD, 1), key,
		                   (struct wire_bytes){sealed, 16}),
		          ERROR_ENCRYPTED_DATA);
		ASSERT_EQ(run_once(OPERATION_DECRYPT, with_iv(CKM_AES_CBC_PAD, 1), key, whole),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, MESSAGE);
	}
}

/* ---- several threads, one key ---- */

struct work {
	pthread_t thread;
	struct object *aes, *private_key;
	unsigned int good;
};

static enum err once_in_thread(enum operation_kind kind, struct wire_mechanism parameter,
                               struct object *key, struct wire_bytes data,
                               struct wire_buffer *buffer)
{
	struct operation *operation;
	uint64_t len;
	enum err err;

	wire_buffer_init(buffer, WIRE_BULK_LIMIT, NULL);
	err = operation_start(&operation, kind, crypto, row_of(parameter.type), &parameter, key);
	return err ? err : operation_once(&operation, data, &everything, buffer, &len);
}

static bool signs(struct object *key)
{
	struct wire_buffer buffer;
	uint8_t hash[32] = {1};
	bool good;

	good = !once_in_thread(OPERATION_SIGN, PLAIN(CKM_ECDSA), key, BYTES(hash), &buffer) &&
	       buffer.len == 64;
	wire_buffer_free(&buffer);
	return good;
}

static bool encrypts(struct object *key)
{
	uint8_t iv[12] = {9}, octets[128];
	struct wire_buffer parameter, buffer;
	struct wire_gcm_parameter record = {BYTES(iv), TEXT("more"), 128};
	bool good;

	wire_buffer_init(&parameter, sizeof(octets), NULL);
	wire_encode_gcm_parameter(&parameter, &record);
	good = !once_in_thread(OPERATION_ENCRYPT,
	                       (struct wire_mechanism){CKM_AES_GCM,
	                                               WIRE_SHAPE_gcm,
	                                               {parameter.data, parameter.len}},
	                       key, MESSAGE, &buffer) &&
	       wire_bytes_equal((struct wire_bytes){buffer.data, buffer.len}, EXPECTED);
	wire_buffer_free(&parameter);
	wire_buffer_free(&buffer);
	return good;
}

static void *work(void *argument)
{
	struct work *mine = argument;

	for (unsigned int i = 0; i < ROUNDS; i++)
		mine->good += signs(mine->private_key) && encrypts(mine->aes);
	OPENSSL_thread_stop();
	return NULL;
}

TEST(threads_with_one_key_do_not_meet)
{
	struct object *public_key, *private_key;
	struct work all[THREADS];
	object_auto aes = NULL;

	open_crypto();
	aes = aes_key();
	generate(CKM_EC_KEY_PAIR_GEN, P256_PARAMS, &public_key, &private_key);
	expect_fresh(OPERATION_ENCRYPT, gcm(9, 12), MESSAGE);
	for (unsigned int i = 0; i < THREADS; i++) {
		all[i] = (struct work){.aes = aes, .private_key = private_key};
		ASSERT_EQ(pthread_create(&all[i].thread, NULL, work, &all[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(all[i].thread, NULL);
		EXPECT_EQ(all[i].good, ROUNDS);
	}
	object_put(public_key);
	object_put(private_key);
}

HARNESS_MAIN
