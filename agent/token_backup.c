/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots of a token: copies of its sealed rows, opened and sealed one at a time.
 */
#include "token_backup.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "slots.h"
#include "token_private.h"

struct token_snapshot {
	struct token *token;
	struct store_row *rows; /* each owns its sealed octets */
	size_t count, capacity;
};

enum err token_snapshot_new(struct token *token, struct token_snapshot **snapshot)
{
	*snapshot = calloc(1, sizeof(**snapshot));
	if (!*snapshot)
		return ERROR_MEMORY;
	(*snapshot)->token = token;
	return ERROR_NONE;
}

void token_snapshot_free(struct token_snapshot *snapshot)
{
	if (!snapshot)
		return;
	for (size_t i = 0; i < snapshot->count; i++)
		free((void *)(uintptr_t)snapshot->rows[i].sealed.data);
	free(snapshot->rows);
	free(snapshot);
}

size_t token_snapshot_count(const struct token_snapshot *snapshot)
{
	return snapshot->count;
}

static enum err make_room(struct token_snapshot *snapshot)
{
	size_t capacity = snapshot->capacity ? 2 * snapshot->capacity : 64;
	struct store_row *grown;

	if (snapshot->count < snapshot->capacity)
		return ERROR_NONE;
	grown = reallocarray(snapshot->rows, capacity, sizeof(*grown));
	if (!grown)
		return ERROR_MEMORY;
	snapshot->rows = grown;
	snapshot->capacity = capacity;
	return ERROR_NONE;
}

/* Copies the row with its sealed octets. */
static enum err append(struct token_snapshot *snapshot, const struct store_row *row)
{
	uint8_t *sealed = malloc(row->sealed.len ? row->sealed.len : 1);
	enum err err = sealed ? make_room(snapshot) : ERROR_MEMORY;

	if (err) {
		free(sealed);
		return err;
	}
	if (row->sealed.len)
		memcpy(sealed, row->sealed.data, row->sealed.len);
	snapshot->rows[snapshot->count] = *row;
	snapshot->rows[snapshot->count++].sealed.data = sealed;
	return ERROR_NONE;
}

/* ---- reading out ---- */

static enum err take_row(void *context, const struct store_row *row)
{
	return append(context, row);
}

enum err token_snapshot_take(struct token_snapshot *snapshot)
{
	struct token *token = snapshot->token;
	enum err err;

	pthread_mutex_lock(&token->change);
	err = store_load_objects(token->environment.store, token->slot_id, false, take_row,
	                         snapshot);
	if (!err)
		err = store_load_objects(token->environment.store, token->slot_id, true, take_row,
		                         snapshot);
	pthread_mutex_unlock(&token->change);
	return err;
}

/* With its length, in the form that attributes_decode takes. */
static void put_attributes(struct wire_buffer *plain, const struct attributes *set)
{
	struct wire_buffer encoded;

	wire_buffer_init(&encoded, plain->limit, &slots_wire_allocator);
	wire_put_template(&encoded, attributes_template(set));
	wire_put_bytes(plain, (struct wire_bytes){encoded.data, encoded.len});
	plain->failed |= encoded.failed;
	wire_buffer_free(&encoded);
}

enum err token_snapshot_read(struct token_snapshot *snapshot, size_t at, struct wire_buffer *plain)
{
	const struct store_row *row = &snapshot->rows[at];
	attributes_auto set = {0};
	enum err err = token_open_row(snapshot->token, row, &set);

	if (err)
		return err;
	wire_put_raw(plain, row->uid, OBJECT_UID_LEN);
	wire_put_u64(plain, row->revision);
	wire_put_flag(plain, row->is_private);
	put_attributes(plain, &set);
	return plain->failed ? ERROR_MEMORY : ERROR_NONE;
}

/* ---- taking in ---- */

static enum err seal_row(struct token_snapshot *snapshot, const struct object *object)
{
	struct wire_buffer sealed;
	struct store_row row;
	enum err err = token_make_row(snapshot->token, object, &sealed, &row);

	if (!err)
		err = append(snapshot, &row);
	wire_buffer_free(&sealed);
	return err;
}

enum err token_snapshot_add(struct token_snapshot *snapshot, struct wire_reader *reader)
{
	struct wire_bytes uid = wire_get_raw(reader, OBJECT_UID_LEN);
	uint64_t revision = wire_get_u64(reader);
	bool is_private = wire_get_flag(reader);
	struct wire_bytes encoded = wire_get_bytes(reader);
	attributes_auto set = {0};
	object_auto object = NULL;
	enum err err;

	if (reader->failed || attributes_decode(&set, encoded))
		return ERROR_BACKUP_DAMAGED;
	err = object_new(&set, &object);
	if (err)
		return err;
	if (!object->is_token || object->is_private != is_private)
		return ERROR_BACKUP_DAMAGED;
	memcpy(object->uid, uid.data, OBJECT_UID_LEN);
	object->revision = revision;
	return seal_row(snapshot, object);
}

/* Memory follows the store. Under `pins` and `change`. */
static void reload(struct token *token, const struct store_token *row)
{
	bool with_private;
	enum err err;

	pthread_rwlock_wrlock(&token->lock);
	with_private = token->private_loaded;
	token->row = *row;
	token_forget_stored(token);
	err = token_insert_profiles(token);
	pthread_rwlock_unlock(&token->lock);
	if (!err)
		err = token_load_objects(token, false);
	if (!err && with_private)
		err = token_load_objects(token, true);
	if (err)
		log_error("token: restored objects are hidden until the next start: %s",
		          err_text(err));
}

enum err token_snapshot_restore(struct token_snapshot *snapshot,
                                const struct token_restore *restore)
{
	struct token *token = snapshot->token;
	struct store_token row;
	struct store_restore change = {
		.token = &row,
		.rows = snapshot->rows,
		.count = snapshot->count,
		.replace = restore->replace,
		.again = restore->again,
	};
	enum err err;

	memcpy(change.id, restore->id, sizeof(change.id));
	pthread_mutex_lock(&token->pins);
	pthread_mutex_lock(&token->change);
	row = token->row;
	if (restore->serial)
		memcpy(row.serial, restore->serial, sizeof(row.serial));
	if (restore->label)
		memcpy(row.label, restore->label, sizeof(row.label));
	err = store_restore(token->environment.store, &change);
	if (!err)
		reload(token, &row);
	pthread_mutex_unlock(&token->change);
	pthread_mutex_unlock(&token->pins);
	return err;
}
