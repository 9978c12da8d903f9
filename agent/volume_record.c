/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The codec of a volume's record and of the head of a wrapped key. Everything here may come from a
 * damaged store or from a client with the user's PIN, so nothing is believed.
 */
#include "volume_record.h"

#include <string.h>

#define MAGIC     "CHVR"
#define MAGIC_LEN 4u
/* Where dm-crypt's counting ends: octets in a signed 64-bit number. */
#define SECTORS_MAX ((uint64_t)INT64_MAX / VOLUME_SECTOR_LEN)

static bool is_letter_or_digit(uint8_t octet)
{
	return (octet >= '0' && octet <= '9') || (octet >= 'A' && octet <= 'Z') ||
	       (octet >= 'a' && octet <= 'z');
}

/* Every octet is a letter, a digit or one of `others`. */
static bool consists_of(struct wire_bytes text, const char *others)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!is_letter_or_digit(text.data[i]) &&
		    (!text.data[i] || !strchr(others, text.data[i])))
			return false;
	}
	return true;
}

bool volume_name_valid(struct wire_bytes name)
{
	return name.len && name.len <= VOLUME_NAME_MAX && is_letter_or_digit(name.data[0]) &&
	       consists_of(name, "._+-");
}

static bool device_valid(struct wire_bytes device)
{
	for (size_t i = 0; i < device.len; i++) {
		if (device.data[i] <= ' ' || device.data[i] > '~')
			return false;
	}
	return device.len <= VOLUME_DEVICE_MAX;
}

static bool extent_valid(const struct volume_record *record)
{
	uint32_t unit = record->sector_size / VOLUME_SECTOR_LEN;

	return record->offset <= SECTORS_MAX && record->sectors <= SECTORS_MAX - record->offset &&
	       record->offset % unit == 0 && record->sectors % unit == 0;
}

/* dm-crypt's cipher, which stands in a table of words: "aes-xts-plain64", "capi:xts(aes)-plain64".
 * The null cipher enciphers nothing. */
static bool cipher_valid(struct wire_bytes cipher)
{
	return cipher.len && cipher.len <= VOLUME_CIPHER_MAX && consists_of(cipher, "-_:()") &&
	       !memmem(cipher.data, cipher.len, "null", 4);
}

bool volume_record_plausible(const struct volume_record *record)
{
	uint32_t size = record->sector_size;

	return !(record->flags & ~(uint32_t)VOLUME_FLAGS) &&
	       (size == 512 || size == 1024 || size == 2048 || size == 4096) &&
	       extent_valid(record) && cipher_valid(record->cipher) && device_valid(record->device);
}

static bool record_valid(const struct volume_record *record)
{
	return volume_record_plausible(record) && record->kek_id.len == VOLUME_KEK_ID_LEN &&
	       volume_blob_valid(record->blob);
}

void volume_record_encode(struct wire_buffer *buffer, const struct volume_record *record)
{
	if (!record_valid(record)) {
		buffer->failed = true;
		return;
	}
	wire_put_raw(buffer, MAGIC, MAGIC_LEN);
	wire_put_u8(buffer, VOLUME_RECORD_VERSION);
	wire_put_u32(buffer, record->flags);
	wire_put_u32(buffer, record->sector_size);
	wire_put_u64(buffer, record->offset);
	wire_put_u64(buffer, record->sectors);
	wire_put_bytes(buffer, record->kek_id);
	wire_put_bytes(buffer, record->cipher);
	wire_put_bytes(buffer, record->device);
	wire_put_bytes(buffer, record->blob);
}

bool volume_record_decode(struct wire_bytes octets, struct volume_record *record)
{
	struct wire_bytes magic;
	struct wire_reader reader;
	uint8_t version;

	wire_reader_init(&reader, octets);
	magic = wire_get_raw(&reader, MAGIC_LEN);
	version = wire_get_u8(&reader);
	record->flags = wire_get_u32(&reader);
	record->sector_size = wire_get_u32(&reader);
	record->offset = wire_get_u64(&reader);
	record->sectors = wire_get_u64(&reader);
	record->kek_id = wire_get_bytes(&reader);
	record->cipher = wire_get_bytes(&reader);
	record->device = wire_get_bytes(&reader);
	record->blob = wire_get_bytes(&reader);
	return wire_reader_done(&reader) && !memcmp(magic.data, MAGIC, MAGIC_LEN) &&
	       version == VOLUME_RECORD_VERSION && record_valid(record);
}

/* ---- the wrapped key ---- */

bool volume_key_len_valid(uint32_t key_len)
{
	return key_len >= CRATON_HSM_VOLUME_KEY_MIN && key_len <= CRATON_HSM_VOLUME_KEY_MAX;
}

/* No struct of the header is laid over octets: they need not be aligned. */
#define FIELD(blob, name) ((blob).data + offsetof(struct craton_hsm_blob, name))

uint32_t volume_blob_key_len(struct wire_bytes blob)
{
	const uint8_t *len = FIELD(blob, key_len);

	return len[0] | (uint32_t)len[1] << 8 | (uint32_t)len[2] << 16 | (uint32_t)len[3] << 24;
}

struct wire_bytes volume_blob_name(struct wire_bytes blob)
{
	const uint8_t *label = FIELD(blob, label);

	return (struct wire_bytes){label, strnlen((const char *)label, CRATON_HSM_LABEL_SIZE)};
}

bool volume_blob_valid(struct wire_bytes blob)
{
	uint8_t head[VOLUME_BLOB_HEAD_LEN];
	uint32_t key_len;

	if (blob.len < sizeof(struct craton_hsm_blob))
		return false;
	key_len = volume_blob_key_len(blob);
	if (!volume_key_len_valid(key_len) || blob.len != CRATON_HSM_BLOB_LEN(key_len) ||
	    !volume_name_valid(volume_blob_name(blob)))
		return false;
	volume_blob_head(volume_blob_name(blob), key_len, head);
	return !memcmp(blob.data, head, sizeof(head));
}

bool volume_blob_names(struct wire_bytes blob, struct wire_bytes name)
{
	return wire_bytes_equal(volume_blob_name(blob), name);
}

void volume_blob_head(struct wire_bytes name, uint32_t key_len, uint8_t head[VOLUME_BLOB_HEAD_LEN])
{
	struct craton_hsm_blob blob = {
		.magic = {'C', 'H', 'W', 'K'},
		.version = CRATON_HSM_BLOB_VERSION,
		.purpose = CRATON_HSM_VOLUME,
	};

	for (unsigned int i = 0; i < sizeof(blob.key_len); i++)
		((uint8_t *)&blob.key_len)[i] = (uint8_t)(key_len >> (8 * i));
	memcpy(blob.label, name.data, name.len);
	memcpy(head, &blob, VOLUME_BLOB_HEAD_LEN);
}
