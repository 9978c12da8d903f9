/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The format of a backup and its cryptography; what the octets of an object mean is
 * token_backup.c's.
 *
 *   header  magic, version, salt, iterations, id, created, serial, label, count, sealed key
 *   chunk   nonce, ciphertext, tag; bound to the header, to its place, and to being the last or not
 */
#include "backup.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "slots.h"
#include "token_backup.h"

#define MAGIC         "CRATONBK"
#define VERSION       1u
#define ID_LEN        STORE_RESTORE_ID_LEN
#define SALT_LEN      16u
#define SEALED_LEN    (CRYPTO_SEAL_OVERHEAD + CRYPTO_KEY_LEN)
#define PUBLIC_LEN    (8u + 4 + SALT_LEN + 8 + ID_LEN + 8 + STORE_SERIAL_LEN + STORE_LABEL_LEN + 8)
#define BOUND_LEN     (BACKUP_HEADER_LEN + 8 + 1)
#define CHUNK_PLAIN   (256u * 1024u) /* a chunk ends with the object that reaches this */
#define CHUNK_MAX     (CHUNK_PLAIN + 128u * 1024u)
#define ITERATION_MIN 100000u
#define ITERATION_MAX 10000000u

_Static_assert(BACKUP_HEADER_LEN == PUBLIC_LEN + SEALED_LEN, "the parts are the header");

struct backup {
	struct crypto *crypto;
	struct token *token;
	struct backup_options options;
	uint8_t header[BACKUP_HEADER_LEN];
	uint8_t id[ID_LEN];
	uint8_t salt[SALT_LEN];
	uint64_t iterations, total, done, chunks;
	char serial[STORE_SERIAL_LEN];
	uint8_t label[STORE_LABEL_LEN];
	uint8_t *key;                    /* locked memory */
	struct token_snapshot *snapshot; /* what is read, or what came in so far */
	bool restoring, ended;
};

uint64_t backup_total(const struct backup *backup)
{
	return backup->total;
}

uint64_t backup_done(const struct backup *backup)
{
	return backup->done;
}

bool backup_is_restore(const struct backup *backup)
{
	return backup->restoring;
}

void backup_free(struct backup *backup)
{
	if (!backup)
		return;
	slots_release(backup->key);
	token_snapshot_free(backup->snapshot);
	free(backup);
}

static enum err backup_new(struct crypto *crypto, struct token *token, struct backup **out)
{
	struct backup *backup = calloc(1, sizeof(*backup));

	*out = backup;
	if (!backup)
		return ERROR_MEMORY;
	backup->crypto = crypto;
	backup->token = token;
	backup->key = slots_allocate(CRYPTO_KEY_LEN);
	return backup->key ? token_snapshot_new(token, &backup->snapshot) : ERROR_MEMORY;
}

/* ---- the passphrase ---- */

/* Octets that begin a character; others only continue one. */
static bool is_long_enough(struct wire_bytes passphrase)
{
	size_t characters = 0;

	for (size_t i = 0; i < passphrase.len; i++)
		characters += (passphrase.data[i] & 0xc0) != 0x80;
	return characters >= BACKUP_PASSPHRASE_MIN;
}

/* The key that the backup's key is sealed under. Locked memory, or NULL. */
static uint8_t *derive(const struct backup *backup, struct wire_bytes passphrase, enum err *err)
{
	uint8_t *derived = slots_allocate(CRYPTO_KEY_LEN);

	*err = derived ? crypto_pbkdf2(backup->crypto, passphrase,
	                               (struct wire_bytes){backup->salt, SALT_LEN},
	                               backup->iterations, derived)
	               : ERROR_MEMORY;
	return derived;
}

/* ---- the header ---- */

static void encode_header(struct backup *backup, struct wire_buffer *buffer)
{
	wire_put_raw(buffer, MAGIC, 8);
	wire_put_u32(buffer, VERSION);
	wire_put_raw(buffer, backup->salt, SALT_LEN);
	wire_put_u64(buffer, backup->iterations);
	wire_put_raw(buffer, backup->id, ID_LEN);
	wire_put_u64(buffer, (uint64_t)time(NULL));
	wire_put_raw(buffer, backup->serial, sizeof(backup->serial));
	wire_put_raw(buffer, backup->label, sizeof(backup->label));
	wire_put_u64(buffer, backup->total);
}

static void take_raw(struct wire_reader *reader, void *to, size_t len)
{
	struct wire_bytes octets = wire_get_raw(reader, len);

	if (octets.len == len)
		memcpy(to, octets.data, len);
}

static enum err decode_header(struct backup *backup, struct wire_bytes header)
{
	struct wire_reader reader;
	uint8_t magic[8] = {0};

	wire_reader_init(&reader, header);
	take_raw(&reader, magic, sizeof(magic));
	if (memcmp(magic, MAGIC, sizeof(magic)) != 0 || wire_get_u32(&reader) != VERSION)
		return ERROR_BACKUP_VERSION;
	take_raw(&reader, backup->salt, SALT_LEN);
	backup->iterations = wire_get_u64(&reader);
	take_raw(&reader, backup->id, ID_LEN);
	wire_get_u64(&reader); /* when it was made: for people */
	take_raw(&reader, backup->serial, sizeof(backup->serial));
	take_raw(&reader, backup->label, sizeof(backup->label));
	backup->total = wire_get_u64(&reader);
	wire_get_raw(&reader, SEALED_LEN);
	if (!wire_reader_done(&reader) || backup->iterations < ITERATION_MIN ||
	    backup->iterations > ITERATION_MAX)
		return ERROR_BACKUP_DAMAGED;
	memcpy(backup->header, header.data, BACKUP_HEADER_LEN);
	return ERROR_NONE;
}

/* Everything before the sealed key is bound to it. */
static struct wire_bytes public_part(const struct backup *backup)
{
	return (struct wire_bytes){backup->header, PUBLIC_LEN};
}

static enum err seal_key(struct backup *backup, struct wire_bytes passphrase)
{
	enum err err;
	uint8_t *derived = derive(backup, passphrase, &err);

	if (!err)
		err = crypto_random(backup->crypto, backup->key, CRYPTO_KEY_LEN);
	if (!err)
		err = crypto_seal(backup->crypto, derived, public_part(backup),
		                  (struct wire_bytes){backup->key, CRYPTO_KEY_LEN},
		                  backup->header + PUBLIC_LEN);
	slots_release(derived);
	return err;
}

static enum err open_key(struct backup *backup, struct wire_bytes passphrase)
{
	enum err err;
	uint8_t *derived = derive(backup, passphrase, &err);

	if (!err)
		err = crypto_open_sealed(
			backup->crypto, derived, public_part(backup),
			(struct wire_bytes){backup->header + PUBLIC_LEN, SEALED_LEN}, backup->key);
	slots_release(derived);
	return err == ERROR_STORE_CORRUPT ? ERROR_BACKUP_PASSPHRASE : err;
}

/* ---- chunks ---- */

static struct wire_bytes binding(const struct backup *backup, bool last, uint8_t octets[BOUND_LEN])
{
	memcpy(octets, backup->header, BACKUP_HEADER_LEN);
	wire_store_u64(octets + BACKUP_HEADER_LEN, backup->chunks);
	octets[BACKUP_HEADER_LEN + 8] = last;
	return (struct wire_bytes){octets, BOUND_LEN};
}

/* ---- making one ---- */

static enum err make_header(struct backup *backup, uint64_t iterations,
                            struct wire_bytes passphrase)
{
	struct wire_buffer buffer;
	struct token_info info;
	enum err err;

	token_info(backup->token, &info);
	memcpy(backup->serial, info.serial, sizeof(backup->serial));
	memcpy(backup->label, info.label, sizeof(backup->label));
	backup->iterations = iterations;
	err = crypto_random(backup->crypto, backup->salt, SALT_LEN);
	if (!err)
		err = crypto_random(backup->crypto, backup->id, ID_LEN);
	if (err)
		return err;
	wire_buffer_init(&buffer, PUBLIC_LEN, NULL);
	encode_header(backup, &buffer);
	if (buffer.failed || buffer.len != PUBLIC_LEN)
		err = ERROR_MEMORY;
	else
		memcpy(backup->header, buffer.data, PUBLIC_LEN);
	wire_buffer_free(&buffer);
	return err ? err : seal_key(backup, passphrase);
}

enum err backup_begin(struct crypto *crypto, struct token *token, uint64_t iterations,
                      struct wire_bytes passphrase, struct wire_buffer *header, struct backup **out)
{
	struct backup *backup;
	enum err err;

	if (!is_long_enough(passphrase))
		return ERROR_PIN_LENGTH;
	err = backup_new(crypto, token, &backup);
	if (!err)
		err = token_snapshot_take(backup->snapshot);
	if (!err)
		backup->total = token_snapshot_count(backup->snapshot);
	if (!err)
		err = make_header(backup, iterations, passphrase);
	if (!err)
		wire_put_raw(header, backup->header, BACKUP_HEADER_LEN);
	if (!err && header->failed)
		err = ERROR_MEMORY;
	if (err)
		backup_free(backup);
	else
		*out = backup;
	return err;
}

static enum err seal_chunk(struct backup *backup, struct wire_bytes plain,
                           struct wire_buffer *chunk)
{
	bool last = backup->done == backup->total;
	uint8_t bound[BOUND_LEN], *sealed;
	enum err err;

	wire_put_flag(chunk, last);
	sealed = wire_buffer_extend(chunk, plain.len + CRYPTO_SEAL_OVERHEAD);
	if (!sealed)
		return ERROR_MEMORY;
	err = crypto_seal(backup->crypto, backup->key, binding(backup, last, bound), plain, sealed);
	backup->chunks++;
	backup->ended = last;
	return err;
}

enum err backup_next(struct backup *backup, struct wire_buffer *chunk, bool *last)
{
	struct wire_buffer plain;
	enum err err = ERROR_NONE;

	if (backup->ended)
		return ERROR_OPERATION_NONE;
	wire_buffer_init(&plain, CHUNK_MAX, &slots_wire_allocator);
	while (!err && backup->done < backup->total && plain.len < CHUNK_PLAIN) {
		err = token_snapshot_read(backup->snapshot, backup->done, &plain);
		backup->done += !err;
	}
	if (!err)
		err = seal_chunk(backup, (struct wire_bytes){plain.data, plain.len}, chunk);
	wire_buffer_free(&plain);
	*last = backup->ended;
	return err;
}

/* ---- restoring one ---- */

static enum err check_token(const struct backup *backup)
{
	struct token_info info;

	token_info(backup->token, &info);
	if (backup->options.other_token ||
	    !memcmp(info.serial, backup->serial, sizeof(backup->serial)))
		return ERROR_NONE;
	return ERROR_BACKUP_TOKEN;
}

enum err backup_restore_begin(struct crypto *crypto, struct token *token,
                              struct wire_bytes passphrase, struct wire_bytes header,
                              const struct backup_options *options, struct backup **out)
{
	struct backup *backup;
	enum err err = backup_new(crypto, token, &backup);

	if (!err)
		err = decode_header(backup, header);
	if (!err) {
		backup->options = *options;
		backup->restoring = true;
		err = open_key(backup, passphrase);
	}
	if (!err)
		err = check_token(backup);
	if (err)
		backup_free(backup);
	else
		*out = backup;
	return err;
}

static enum err take_in(struct backup *backup, struct wire_bytes plain)
{
	struct wire_reader reader;
	enum err err = ERROR_NONE;

	wire_reader_init(&reader, plain);
	while (!err && reader.at < reader.end) {
		err = token_snapshot_add(backup->snapshot, &reader);
		backup->done += !err;
	}
	if (!err && backup->done > backup->total)
		err = ERROR_BACKUP_DAMAGED;
	return err;
}

static enum err open_chunk(struct backup *backup, bool last, struct wire_bytes sealed)
{
	size_t len = sealed.len - CRYPTO_SEAL_OVERHEAD;
	uint8_t bound[BOUND_LEN], *plain = slots_allocate(len ? len : 1);
	enum err err = ERROR_MEMORY;

	if (plain)
		err = crypto_open_sealed(backup->crypto, backup->key, binding(backup, last, bound),
		                         sealed, plain);
	if (err == ERROR_STORE_CORRUPT)
		err = ERROR_BACKUP_DAMAGED;
	if (!err)
		err = take_in(backup, (struct wire_bytes){plain, len});
	slots_release(plain);
	return err;
}

enum err backup_restore_next(struct backup *backup, struct wire_bytes chunk, bool *last)
{
	struct wire_reader reader;
	enum err err = ERROR_BACKUP_DAMAGED;

	wire_reader_init(&reader, chunk);
	*last = wire_get_flag(&reader);
	if (!reader.failed && !backup->ended && chunk.len > CRYPTO_SEAL_OVERHEAD &&
	    chunk.len <= CHUNK_MAX + CRYPTO_SEAL_OVERHEAD + 1)
		err = open_chunk(backup, *last,
		                 wire_get_raw(&reader, (size_t)(reader.end - reader.at)));
	if (!err && *last && backup->done != backup->total)
		err = ERROR_BACKUP_DAMAGED;
	if (err)
		return err;
	backup->chunks++;
	backup->ended = *last;
	return ERROR_NONE;
}

enum err backup_restore_finish(struct backup *backup)
{
	const struct token_restore restore = {
		.id = backup->id,
		.replace = backup->options.replace,
		.again = backup->options.again,
		.serial = backup->options.take_identity ? backup->serial : NULL,
		.label = backup->options.take_identity ? backup->label : NULL,
	};

	if (!backup->ended)
		return ERROR_BACKUP_DAMAGED;
	return token_snapshot_restore(backup->snapshot, &restore);
}
