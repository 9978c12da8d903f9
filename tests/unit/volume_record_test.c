/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record of a volume: what is written is read again, and everything else is refused: every
 * shorter one, every longer one, and what has a field out of its range.
 */
#include <stddef.h>

#include "harness.h"
#include "volume_record.h"

#define BYTES(text) ((struct wire_bytes){(const uint8_t *)(text), sizeof(text) - 1})

static uint8_t blob[CRATON_HSM_BLOB_LEN(64)];
static struct wire_buffer encoded;

static struct volume_record sample(void)
{
	volume_blob_head(BYTES("data"), 64, blob);
	memset(blob + VOLUME_BLOB_HEAD_LEN, 0xa5, sizeof(blob) - VOLUME_BLOB_HEAD_LEN);
	return (struct volume_record){
		.flags = VOLUME_ALLOW_DISCARDS,
		.sector_size = 4096,
		.offset = 2048,
		.sectors = 8192,
		.kek_id = BYTES("0123456789abcdef"),
		.cipher = BYTES("aes-xts-plain64"),
		.device = BYTES("PARTUUID=8a2b-1"),
		.blob = {blob, sizeof(blob)},
	};
}

static bool encodes(const struct volume_record *record)
{
	wire_buffer_free(&encoded);
	wire_buffer_init(&encoded, VOLUME_RECORD_MAX, NULL);
	volume_record_encode(&encoded, record);
	return !encoded.failed;
}

static bool decodes(size_t len, struct volume_record *record)
{
	return volume_record_decode((struct wire_bytes){encoded.data, len}, record);
}

TEST(what_is_written_is_read)
{
	struct volume_record record = sample(), read;

	ASSERT_TRUE(encodes(&record));
	ASSERT_TRUE(decodes(encoded.len, &read));
	EXPECT_EQ(read.flags, record.flags);
	EXPECT_EQ(read.sector_size, 4096);
	EXPECT_EQ(read.offset, 2048);
	EXPECT_EQ(read.sectors, 8192);
	EXPECT_TRUE(wire_bytes_equal(read.kek_id, record.kek_id));
	EXPECT_TRUE(wire_bytes_equal(read.cipher, record.cipher));
	EXPECT_TRUE(wire_bytes_equal(read.device, record.device));
	EXPECT_TRUE(wire_bytes_equal(read.blob, record.blob));
	EXPECT_EQ(volume_blob_key_len(read.blob), 64);
	EXPECT_TRUE(volume_blob_names(read.blob, BYTES("data")));
	EXPECT_FALSE(volume_blob_names(read.blob, BYTES("dat")));
	wire_buffer_free(&encoded);
}

TEST(every_other_length_is_refused)
{
	struct volume_record record = sample(), read;
	size_t len;

	ASSERT_TRUE(encodes(&record));
	len = encoded.len;
	for (size_t shorter = 0; shorter < len; shorter++)
		EXPECT_FALSE(decodes(shorter, &read));
	wire_put_u8(&encoded, 0);
	EXPECT_FALSE(decodes(len + 1, &read));
	wire_buffer_free(&encoded);
}

/* A changed octet gives another record or none, never the same one: one record, one encoding. */
TEST(every_octet_counts)
{
	struct volume_record record = sample(), read;
	struct wire_buffer again = {0};

	ASSERT_TRUE(encodes(&record));
	wire_buffer_init(&again, VOLUME_RECORD_MAX, NULL);
	for (size_t i = 0; i < encoded.len; i++) {
		encoded.data[i] ^= 0x40;
		if (decodes(encoded.len, &read)) {
			wire_buffer_reset(&again, VOLUME_RECORD_MAX);
			volume_record_encode(&again, &read);
			ASSERT_FALSE(again.failed);
			ASSERT_EQ(again.len, encoded.len);
			EXPECT_MEMEQ(again.data, encoded.data, again.len);
		}
		encoded.data[i] ^= 0x40;
	}
	wire_buffer_free(&again);
	wire_buffer_free(&encoded);
}

TEST(numbers_out_of_range)
{
	static const uint32_t sizes[] = {0, 1, 256, 511, 513, 3072, 8192, UINT32_MAX};
	const struct volume_record good = sample();
	struct volume_record record;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		record = good;
		record.sector_size = sizes[i];
		EXPECT_FALSE(encodes(&record));
	}
	record = good;
	record.flags = 2;
	EXPECT_FALSE(encodes(&record));
	record = good;
	record.offset = 2049;
	EXPECT_FALSE(encodes(&record));
	record = good;
	record.sectors = 8191;
	EXPECT_FALSE(encodes(&record));
	record = good;
	record.sector_size = 512;
	record.offset = UINT64_MAX;
	EXPECT_FALSE(encodes(&record));
	record.offset = INT64_MAX / 512;
	record.sectors = 1;
	EXPECT_FALSE(encodes(&record));
	record.sectors = 0;
	EXPECT_TRUE(encodes(&record));
	wire_buffer_free(&encoded);
}

TEST(ciphers)
{
	static const char *const good[] = {"aes-xts-plain64", "aes-cbc-essiv:sha256",
	                                   "capi:xts(aes)-plain64", "aes"};
	static const char *const bad[] = {"",
	                                  "aes xts",
	                                  "aes-xts-plain64\n",
	                                  "cipher_null-ecb",
	                                  "capi:ecb(cipher_null)-null",
	                                  "aes-xts-plain64 0 7:0"};
	struct volume_record record = sample();

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		record.cipher = (struct wire_bytes){(const uint8_t *)good[i], strlen(good[i])};
		EXPECT_TRUE(volume_record_plausible(&record));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		record.cipher = (struct wire_bytes){(const uint8_t *)bad[i], strlen(bad[i])};
		EXPECT_FALSE(volume_record_plausible(&record));
	}
	record.cipher = (struct wire_bytes){(const uint8_t *)"aes\0x", 5};
	EXPECT_FALSE(volume_record_plausible(&record));
}

TEST(devices)
{
	struct volume_record record = sample();
	char path[VOLUME_DEVICE_MAX + 2];

	memset(path, 'd', sizeof(path));
	record.device = (struct wire_bytes){(const uint8_t *)path, VOLUME_DEVICE_MAX};
	EXPECT_TRUE(encodes(&record));
	record.device.len++;
	EXPECT_FALSE(encodes(&record));
	record.device = BYTES("/dev/a b");
	EXPECT_FALSE(encodes(&record));
	record.device = (struct wire_bytes){NULL, 0};
	EXPECT_TRUE(encodes(&record));
	wire_buffer_free(&encoded);
}

TEST(names)
{
	char name[VOLUME_NAME_MAX + 1];

	memset(name, 'n', sizeof(name));
	EXPECT_TRUE(volume_name_valid((struct wire_bytes){(const uint8_t *)name, VOLUME_NAME_MAX}));
	EXPECT_FALSE(
		volume_name_valid((struct wire_bytes){(const uint8_t *)name, VOLUME_NAME_MAX + 1}));
	EXPECT_TRUE(volume_name_valid(BYTES("a")));
	EXPECT_TRUE(volume_name_valid(BYTES("srv-data_1.old+")));
	EXPECT_FALSE(volume_name_valid(BYTES("")));
	EXPECT_FALSE(volume_name_valid(BYTES(".hidden")));
	EXPECT_FALSE(volume_name_valid(BYTES("a/b")));
	EXPECT_FALSE(volume_name_valid(BYTES("a b")));
	EXPECT_FALSE(volume_name_valid(BYTES("a:b")));
	EXPECT_FALSE(volume_name_valid(BYTES("a;b")));
	EXPECT_FALSE(volume_name_valid(BYTES("a\0b")));
	EXPECT_FALSE(volume_name_valid(BYTES("\xc3\xa4")));
}

static bool valid_with(size_t at, uint8_t octet)
{
	uint8_t before = blob[at];
	bool valid;

	blob[at] = octet;
	valid = volume_blob_valid((struct wire_bytes){blob, sizeof(blob)});
	blob[at] = before;
	return valid;
}

TEST(wrapped_keys)
{
	struct wire_bytes whole = sample().blob;

	EXPECT_TRUE(volume_blob_valid(whole));
	for (size_t len = 0; len < whole.len; len++)
		EXPECT_FALSE(volume_blob_valid((struct wire_bytes){blob, len}));
	EXPECT_FALSE(valid_with(offsetof(struct craton_hsm_blob, magic), 'X'));
	EXPECT_FALSE(valid_with(offsetof(struct craton_hsm_blob, version), 2));
	EXPECT_FALSE(
		valid_with(offsetof(struct craton_hsm_blob, purpose), CRATON_HSM_KEY_ENCRYPTION));
	EXPECT_FALSE(valid_with(offsetof(struct craton_hsm_blob, reserved), 1));
	EXPECT_FALSE(valid_with(offsetof(struct craton_hsm_blob, reserved) + 1, 1));
	EXPECT_FALSE(valid_with(offsetof(struct craton_hsm_blob, key_len), 65));
	EXPECT_FALSE(valid_with(offsetof(struct craton_hsm_blob, key_len) + 3, 1));
	EXPECT_FALSE(valid_with(offsetof(struct craton_hsm_blob, label), ' '));
	/* Behind the end of the name there are zeros. */
	EXPECT_FALSE(valid_with(offsetof(struct craton_hsm_blob, label) + 5, 'x'));
	EXPECT_FALSE(valid_with(offsetof(struct craton_hsm_blob, label) + 63, 'x'));
	EXPECT_TRUE(valid_with(offsetof(struct craton_hsm_blob, nonce), 0));
}

TEST(key_lengths)
{
	EXPECT_FALSE(volume_key_len_valid(0));
	EXPECT_FALSE(volume_key_len_valid(15));
	EXPECT_TRUE(volume_key_len_valid(16));
	EXPECT_TRUE(volume_key_len_valid(128));
	EXPECT_FALSE(volume_key_len_valid(129));
}

HARNESS_MAIN
