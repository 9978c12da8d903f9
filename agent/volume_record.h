/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of an encrypted volume: where it lies on its device, how it is enciphered, and its
 * key, wrapped (struct craton_hsm_blob of <craton_hsm.h>). This is the encoding of it, the value of
 * a private data object; keys are volume_keys.h's business and objects volume.h's.
 *
 * Little-endian: "CHVR", u8 version, u32 flags, u32 sector size, u64 offset, u64 sectors, then as
 * u32 length and octets: id of the key-encryption key, cipher, device, wrapped key. One record has
 * one encoding only.
 */
#ifndef AGENT_VOLUME_RECORD_H
#define AGENT_VOLUME_RECORD_H

#include <craton_hsm.h>
#include <stdbool.h>

#include "error.h"
#include "wire/buffer.h"

#define VOLUME_RECORD_VERSION 1u
#define VOLUME_RECORD_MAX     1024u
#define VOLUME_NAME_MAX       (CRATON_HSM_LABEL_SIZE - 1u)
#define VOLUME_CIPHER_MAX     64u
#define VOLUME_DEVICE_MAX     255u
#define VOLUME_KEK_ID_LEN     16u
#define VOLUME_SECTOR_LEN     512u          /* in which the device mapper counts */
#define VOLUME_LOGON_PREFIX   "craton-hsm:" /* of the keys for dm-crypt, as the module calls them */
#define VOLUME_BLOB_MAX       CRATON_HSM_BLOB_LEN(CRATON_HSM_VOLUME_KEY_MAX)

enum volume_flags {
	VOLUME_ALLOW_DISCARDS = 1u << 0, /* the device learns which sectors are free */
	VOLUME_FLAGS = VOLUME_ALLOW_DISCARDS,
};

/* Text and octets are borrowed: from whoever fills it in, or from what was decoded. */
struct volume_record {
	uint32_t flags;           /* enum volume_flags */
	uint32_t sector_size;     /* octets: 512, 1024, 2048 or 4096 */
	uint64_t offset, sectors; /* of 512 octets, as the device mapper counts; 0 sectors: up to
	                             the device's end */
	struct wire_bytes kek_id; /* CKA_ID of the key-encryption key */
	struct wire_bytes cipher; /* as dm-crypt names it: "aes-xts-plain64" */
	struct wire_bytes device; /* a hint: "PARTUUID=..." or a path; may be empty */
	struct wire_bytes blob;
};

/* A volume's name is also a label of the kernel module's, a mapping's name and a key's. */
bool volume_name_valid(struct wire_bytes name);
/* All but kek_id and blob: what a client may say of a volume. */
bool volume_record_plausible(const struct volume_record *record);
/* May a volume's key have this length (octets)? */
bool volume_key_len_valid(uint32_t key_len);

/* Appends; a record that is not valid, or too long, is the buffer's failure. */
void volume_record_encode(struct wire_buffer *buffer, const struct volume_record *record);
/* False when it is not exactly what volume_record_encode makes. Borrows from `octets`. */
bool volume_record_decode(struct wire_bytes octets, struct volume_record *record);

/* Does the wrapped key say that it is a volume's, of this name? Whether that is true, only
 * unwrapping it tells. */
bool volume_blob_valid(struct wire_bytes blob);
/* Its label, without the zeros that pad it. Borrowed. */
struct wire_bytes volume_blob_name(struct wire_bytes blob);
bool volume_blob_names(struct wire_bytes blob, struct wire_bytes name);
/* Of a valid one. */
uint32_t volume_blob_key_len(struct wire_bytes blob);
/* The head up to the nonce, which is what gets authenticated. */
#define VOLUME_BLOB_HEAD_LEN offsetof(struct craton_hsm_blob, nonce)
void volume_blob_head(struct wire_bytes name, uint32_t key_len, uint8_t head[VOLUME_BLOB_HEAD_LEN]);

#endif
