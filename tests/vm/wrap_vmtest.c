/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volume keys wrapped and unwrapped in the kernel: who may, what every changed octet gives, and
 * that OpenSSL and the kernel open each other's blobs, so the format is what the header says.
 */
#include <openssl/evp.h>
#include <stddef.h>

#include "device.h"

#define HEAD_LEN  offsetof(struct craton_hsm_blob, nonce)
#define NONCE_LEN 12
#define TAG_LEN   CRATON_HSM_BLOB_TAG_LEN
#define BLOB_MAX  CRATON_HSM_BLOB_LEN(CRATON_HSM_VOLUME_KEY_MAX)

static const uint8_t kek_octets[CRATON_HSM_KEK_LEN] = {1, 2, 3, 4, 5, 6, 7, 8, 9};

/* ---- the format, by OpenSSL */

static void seal(const uint8_t *kek, const struct craton_hsm_blob *head, const uint8_t *key,
                 uint32_t key_len, uint8_t *blob)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t *text = blob + sizeof(*head);
	int len;

	memcpy(blob, head, sizeof(*head));
	ASSERT_EQ(EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, kek, head->nonce), 1);
	ASSERT_EQ(EVP_EncryptUpdate(context, NULL, &len, blob, HEAD_LEN), 1);
	ASSERT_EQ(EVP_EncryptUpdate(context, text, &len, key, key_len), 1);
	ASSERT_EQ(EVP_EncryptFinal_ex(context, text + key_len, &len), 1);
	ASSERT_EQ(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG_LEN, text + key_len), 1);
	EVP_CIPHER_CTX_free(context);
}

/* The key's octets; false when the tag does not fit. */
static bool unseal(const uint8_t *kek, uint8_t *blob, uint32_t key_len, uint8_t *key)
{
	struct craton_hsm_blob *head = (struct craton_hsm_blob *)blob;
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t *text = blob + sizeof(*head);
	int len;
	bool fits;

	ASSERT_EQ(EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, kek, head->nonce), 1);
	ASSERT_EQ(EVP_DecryptUpdate(context, NULL, &len, blob, HEAD_LEN), 1);
	ASSERT_EQ(EVP_DecryptUpdate(context, key, &len, text, key_len), 1);
	ASSERT_EQ(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG_LEN, text + key_len), 1);
	fits = EVP_DecryptFinal_ex(context, key + key_len, &len) == 1;
	EVP_CIPHER_CTX_free(context);
	return fits;
}

static struct craton_hsm_blob head_of(uint32_t key_len)
{
	struct craton_hsm_blob head = {
		.magic = {'C', 'H', 'W', 'K'},
		.version = 1,
		.purpose = 3,
		.key_len = key_len,
		.label = "made by OpenSSL",
		.nonce = {9, 8, 7},
	};

	return head;
}

/* ---- the same way out as in */

static const uint32_t key_lens[] = {16, 17, 32, 63, 64, 65, 127, 128};

TEST(openssl_opens_what_the_kernel_wrapped)
{
	uint8_t key[128], blob[BLOB_MAX], back[128];
	int device = device_open();
	uint32_t kek = slot_kek(device, kek_octets);

	for (size_t i = 0; i < COUNT(key_lens); i++) {
		const struct craton_hsm_blob *head = (const void *)blob;
		uint32_t blob_len = sizeof(blob);
		char label[CRATON_HSM_LABEL_SIZE] = "a test";

		memset(key, 0x40 + i, sizeof(key));
		ASSERT_EQ(slot_wrap(device, kek, slot_volume(device, key, key_lens[i]), blob,
		                    &blob_len),
		          0);
		ASSERT_EQ(blob_len, CRATON_HSM_BLOB_LEN(key_lens[i]));
		ASSERT_TRUE(unseal(kek_octets, blob, key_lens[i], back));
		EXPECT_MEMEQ(back, key, key_lens[i]);
		EXPECT_MEMEQ(head->magic, "CHWK\1\3\0\0", 8);
		EXPECT_EQ(head->key_len, key_lens[i]);
		EXPECT_MEMEQ(head->label, label, sizeof(label));
	}
}

/* A volume key is never readable; wrapped again under a key that we know, it tells itself. */
static void expect_key(int device, uint32_t slot, const uint8_t *key, uint32_t key_len)
{
	uint8_t blob[BLOB_MAX], back[128];
	uint32_t blob_len = sizeof(blob);

	ASSERT_EQ(slot_wrap(device, slot_kek(device, kek_octets), slot, blob, &blob_len), 0);
	ASSERT_TRUE(unseal(kek_octets, blob, key_len, back));
	EXPECT_MEMEQ(back, key, key_len);
}

TEST(the_kernel_opens_what_openssl_sealed)
{
	uint8_t key[128], blob[BLOB_MAX];
	int device = device_open();
	uint32_t kek = slot_kek(device, kek_octets), slot;

	for (size_t i = 0; i < COUNT(key_lens); i++) {
		struct craton_hsm_blob head = head_of(key_lens[i]);
		struct craton_hsm_slot description;

		memset(key, 0x60 + i, sizeof(key));
		seal(kek_octets, &head, key, key_lens[i], blob);
		ASSERT_EQ(slot_unwrap(device, kek, blob, CRATON_HSM_BLOB_LEN(key_lens[i]), &slot),
		          0);
		ASSERT_EQ(slot_describe(device, slot, &description), 0);
		EXPECT_EQ(description.purpose, CRATON_HSM_VOLUME);
		EXPECT_EQ(description.flags, CRATON_HSM_SEALED);
		EXPECT_EQ(description.key_len, key_lens[i]);
		EXPECT_MEMEQ(description.label, head.label, sizeof(head.label));
		expect_key(device, slot, key, key_lens[i]);
	}
}

TEST(unwrapped_slots_are_slots)
{
	uint8_t key[64] = {7}, blob[BLOB_MAX];
	int device = device_open();
	uint32_t kek = slot_kek(device, NULL), blob_len = sizeof(blob), key_len = sizeof(key);
	struct craton_hsm_unwrap request = {.size = sizeof(request),
	                                    .kek = kek,
	                                    .flags = CRATON_HSM_PERSISTENT,
	                                    .timeout = 500,
	                                    .blob = (uintptr_t)blob};
	struct craton_hsm_slot description;

	ASSERT_EQ(slot_wrap(device, kek, slot_volume(device, key, sizeof(key)), blob, &blob_len),
	          0);
	request.blob_len = blob_len;
	ASSERT_EQ(call(device, CRATON_HSM_UNWRAP, &request), 0);
	ASSERT_EQ(slot_describe(device, request.slot, &description), 0);
	EXPECT_EQ(description.flags, CRATON_HSM_SEALED | CRATON_HSM_PERSISTENT);
	EXPECT_EQ(description.serial, request.serial);
	EXPECT_LE(description.remaining, 500);
	EXPECT_GT(description.remaining, 400);
	EXPECT_EQ(slot_read(device, request.slot, key, &key_len), EACCES);
	expect_key(device_open(), request.slot, key, sizeof(key));
	EXPECT_EQ(slot_destroy(device, request.slot), 0);
}

TEST(no_nonce_twice)
{
	enum { ROUNDS = 200 };
	static uint8_t nonces[ROUNDS][NONCE_LEN];
	uint8_t blob[BLOB_MAX];
	int device = device_open();
	uint32_t kek = slot_kek(device, NULL), slot = slot_volume(device, NULL, 32);

	for (int i = 0; i < ROUNDS; i++) {
		uint32_t blob_len = sizeof(blob);

		ASSERT_EQ(slot_wrap(device, kek, slot, blob, &blob_len), 0);
		memcpy(nonces[i], blob + HEAD_LEN, NONCE_LEN);
		for (int j = 0; j < i; j++)
			ASSERT_NE(memcmp(nonces[i], nonces[j], NONCE_LEN), 0);
	}
}

/* ---- changed blobs */

/* What is not well-formed is told before the key is used; both are refusals, and no slot comes. */
TEST(every_octet_counts)
{
	uint8_t blob[BLOB_MAX];
	int device = device_open();
	uint32_t kek = slot_kek(device, NULL), blob_len = sizeof(blob), slot;
	uint32_t volume = slot_volume(device, NULL, 64), slots;

	ASSERT_EQ(slot_wrap(device, kek, volume, blob, &blob_len), 0);
	slots = info_of(device).slot_count;
	for (uint32_t at = 0; at < blob_len; at++) {
		bool strict = at >= HEAD_LEN; /* nonce, ciphertext, tag: nothing to be malformed */

		for (uint8_t bit = 1; bit; bit <<= 1) {
			int result;

			blob[at] ^= bit;
			result = slot_unwrap(device, kek, blob, blob_len, &slot);
			blob[at] ^= bit;
			if (result != EBADMSG && (strict || result != EINVAL))
				HARNESS_FAIL(false, "octet %u, bit %02x: %d (%s)", at, bit, result,
				             strerror(result));
		}
	}
	EXPECT_EQ(info_of(device).slot_count, slots);
	EXPECT_EQ(slot_unwrap(device, kek, blob, blob_len, &slot), 0);
}

/* One character of the label for another: well-formed, and yet not what was wrapped. */
TEST(the_label_is_bound)
{
	uint8_t blob[BLOB_MAX];
	int device = device_open();
	uint32_t kek = slot_kek(device, NULL), blob_len = sizeof(blob), slot;

	ASSERT_EQ(slot_wrap(device, kek, slot_volume(device, NULL, 64), blob, &blob_len), 0);
	memcpy(((struct craton_hsm_blob *)blob)->label, "b test", 6);
	EXPECT_EQ(slot_unwrap(device, kek, blob, blob_len, &slot), EBADMSG);
}

TEST(another_key_opens_nothing)
{
	uint8_t blob[BLOB_MAX];
	int device = device_open();
	uint32_t blob_len = sizeof(blob), slot;

	ASSERT_EQ(slot_wrap(device, slot_kek(device, kek_octets), slot_volume(device, NULL, 64),
	                    blob, &blob_len),
	          0);
	EXPECT_EQ(slot_unwrap(device, slot_kek(device, NULL), blob, blob_len, &slot), EBADMSG);
	EXPECT_EQ(slot_unwrap(device, slot_kek(device, kek_octets), blob, blob_len, &slot), 0);
}

/* Rightly sealed, but not by us: the header is checked all the same. */
TEST(well_sealed_nonsense)
{
	static const struct {
		const char *name;
		uint32_t at, octet;
		uint32_t key_len, blob_len;
	} cases[] = {
		{"magic", 0, 'X', 64, 168},
		{"version 0", 4, 0, 64, 168},
		{"version 2", 4, 2, 64, 168},
		{"purpose generic", 5, 1, 64, 168},
		{"purpose key encryption", 5, 2, 64, 168},
		{"reserved", 6, 1, 64, 168},
		{"reserved", 7, 1, 64, 168},
		{"key_len 15", 8, 15, 15, 119},
		{"key_len 0", 8, 0, 0, 104},
		{"key_len more than there is", 8, 65, 64, 168},
		{"key_len less than there is", 8, 63, 64, 168},
		{"key_len huge", 11, 0x80, 64, 168},
		{"an empty label", 12, 0, 64, 168},
		{"a colon in the label", 12, ':', 64, 168},
		{"octets after the label", 75, 'x', 64, 168},
	};
	uint8_t key[128] = {0}, blob[BLOB_MAX];
	int device = device_open();
	uint32_t kek = slot_kek(device, kek_octets), slot;

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct craton_hsm_blob head = head_of(cases[i].key_len);

		((uint8_t *)&head)[cases[i].at] = cases[i].octet;
		seal(kek_octets, &head, key, cases[i].key_len, blob);
		int result = slot_unwrap(device, kek, blob, cases[i].blob_len, &slot);

		if (result != EINVAL)
			HARNESS_FAIL(false, "%s: %d (%s)", cases[i].name, result, strerror(result));
	}
	EXPECT_EQ(info_of(device).slot_count, 1);
}

TEST(every_length_but_the_right_one)
{
	static uint8_t blob[8192];
	int device = device_open();
	uint32_t kek = slot_kek(device, NULL), blob_len = sizeof(blob), slot;

	ASSERT_EQ(slot_wrap(device, kek, slot_volume(device, NULL, 64), blob, &blob_len), 0);
	for (uint32_t len = 0; len < 400; len++)
		EXPECT_EQ(slot_unwrap(device, kek, blob, len, &slot), len == blob_len ? 0 : EINVAL);
	EXPECT_EQ(slot_unwrap(device, kek, blob, UINT32_MAX, &slot), EINVAL);
}

TEST(too_little_room_says_how_much)
{
	uint8_t blob[BLOB_MAX] = {0}, untouched[BLOB_MAX] = {0};
	int device = device_open();
	uint32_t kek = slot_kek(device, NULL), volume = slot_volume(device, NULL, 64);

	for (uint32_t room = 0; room < CRATON_HSM_BLOB_LEN(64); room++) {
		uint32_t blob_len = room;

		ASSERT_EQ(slot_wrap(device, kek, volume, room ? blob : NULL, &blob_len), ENOSPC);
		ASSERT_EQ(blob_len, CRATON_HSM_BLOB_LEN(64));
		ASSERT_MEMEQ(blob, untouched, sizeof(blob));
	}
}

/* ---- which slots */

TEST(purposes)
{
	uint8_t blob[BLOB_MAX];
	int device = device_open();
	uint32_t kek = slot_kek(device, NULL), volume = slot_volume(device, NULL, 32), slot;
	const uint32_t others[] = {slot_generic(device, 0),
	                           slot_generic(device, CRATON_HSM_SEALED)};
	uint32_t blob_len = sizeof(blob);

	EXPECT_EQ(slot_wrap(device, volume, volume, blob, &blob_len), EINVAL);
	EXPECT_EQ(slot_wrap(device, kek, kek, blob, &blob_len), EINVAL);
	for (size_t i = 0; i < COUNT(others); i++) {
		EXPECT_EQ(slot_wrap(device, others[i], volume, blob, &blob_len), EINVAL);
		EXPECT_EQ(slot_wrap(device, kek, others[i], blob, &blob_len), EINVAL);
	}
	EXPECT_EQ(slot_wrap(device, kek + 1000, volume, blob, &blob_len), ENOENT);
	EXPECT_EQ(slot_wrap(device, kek, kek + 1000, blob, &blob_len), ENOENT);
	blob_len = sizeof(blob);
	ASSERT_EQ(slot_wrap(device, kek, volume, blob, &blob_len), 0);
	EXPECT_EQ(slot_unwrap(device, kek + 1000, blob, blob_len, &slot), ENOENT);
	EXPECT_EQ(slot_unwrap(device, volume, blob, blob_len, &slot), EINVAL);
	EXPECT_EQ(slot_unwrap(device, others[0], blob, blob_len, &slot), EINVAL);
}

/* Another description's slots serve in neither place. */
TEST(other_peoples_slots)
{
	uint8_t blob[BLOB_MAX];
	int mine = device_open(), theirs = device_open();
	uint32_t kek = slot_kek(mine, NULL), volume = slot_volume(mine, NULL, 32), slot;
	uint32_t blob_len = sizeof(blob);

	EXPECT_EQ(slot_wrap(theirs, kek, volume, blob, &blob_len), ENOENT);
	EXPECT_EQ(slot_wrap(theirs, slot_kek(theirs, NULL), volume, blob, &blob_len), ENOENT);
	EXPECT_EQ(slot_wrap(mine, kek, slot_volume(theirs, NULL, 32), blob, &blob_len), ENOENT);
	ASSERT_EQ(slot_wrap(mine, kek, volume, blob, &blob_len), 0);
	EXPECT_EQ(slot_unwrap(theirs, kek, blob, blob_len, &slot), ENOENT);
}

/* A key-encryption slot that went takes its blobs with it; a copy of it would not. */
TEST(without_its_key_a_blob_is_lost)
{
	uint8_t blob[BLOB_MAX];
	int device = device_open();
	uint32_t kek = slot_kek(device, NULL), blob_len = sizeof(blob), slot;

	ASSERT_EQ(slot_wrap(device, kek, slot_volume(device, NULL, 32), blob, &blob_len), 0);
	ASSERT_EQ(slot_destroy(device, kek), 0);
	EXPECT_EQ(slot_unwrap(device, kek, blob, blob_len, &slot), ENOENT);
}

HARNESS_MAIN
