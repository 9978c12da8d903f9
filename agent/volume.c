/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes: finding, creating, opening, removing. What they are as objects is volume_object.c's,
 * what happens to their keys volume_keys.h's.
 */
#include "volume.h"

#include <stdlib.h>
#include <string.h>

#include "volume_object.h"

/* ---- finding ---- */

enum err volume_find(const struct volume_scope *scope, struct wire_bytes name,
                     struct volume *volume)
{
	volume_objects_auto found = {0};
	enum err err = ERROR_VOLUME_UNKNOWN;

	*volume = (struct volume){0};
	if (volume_name_valid(name))
		err = volume_objects_find(scope, name, &found);
	if (!err)
		err = found.count ? volume_read(found.list[0], volume) : ERROR_VOLUME_UNKNOWN;
	return err;
}

/* By octets, the shorter first; of one name the oldest first, as volume_find takes it. */
struct named {
	struct wire_bytes name;
	struct object *object;
	size_t age;
};

static int compare(const void *first, const void *second)
{
	const struct named *a = first, *b = second;
	size_t common = a->name.len < b->name.len ? a->name.len : b->name.len;
	int order = common ? memcmp(a->name.data, b->name.data, common) : 0;

	if (order)
		return order;
	if (a->name.len != b->name.len)
		return a->name.len < b->name.len ? -1 : 1;
	return a->age < b->age ? -1 : a->age > b->age;
}

/* Those whose name is one, in order; a client with the PIN may have made others. */
static size_t sort(const struct volume_objects *found, struct named *sorted)
{
	size_t count = 0;

	for (size_t i = 0; i < found->count; i++) {
		struct wire_bytes name = volume_object_name(found->list[i]);

		if (volume_name_valid(name))
			sorted[count++] = (struct named){name, found->list[i], i};
	}
	qsort(sorted, count, sizeof(*sorted), compare);
	return count;
}

static bool same_name(const struct named *a, const struct named *b)
{
	return a->name.len == b->name.len && !memcmp(a->name.data, b->name.data, a->name.len);
}

static enum err tell(struct object *object, void (*each)(void *context, const struct volume *),
                     void *context)
{
	volume_auto volume = {0};
	enum err err = volume_read(object, &volume);

	if (err && err != ERROR_VOLUME_DAMAGED)
		return err;
	each(context, &volume);
	return ERROR_NONE;
}

enum err volume_list(const struct volume_scope *scope,
                     void (*each)(void *context, const struct volume *volume), void *context)
{
	const struct wire_bytes all = {NULL, 0};
	volume_objects_auto found = {0};
	struct named *sorted;
	size_t count;
	enum err err = volume_objects_find(scope, all, &found);

	if (err)
		return err;
	sorted = calloc(found.count + 1, sizeof(*sorted));
	if (!sorted)
		return ERROR_MEMORY;
	count = sort(&found, sorted);
	for (size_t i = 0; !err && i < count; i++) {
		if (!i || !same_name(&sorted[i - 1], &sorted[i]))
			err = tell(sorted[i].object, each, context);
	}
	free(sorted);
	return err;
}

/* ---- creating ---- */

/* The token's key-encryption key, or a fresh one that is still to be published (*fresh). */
static enum err take_kek(const struct volume_scope *scope, struct object **kek, bool *fresh)
{
	const struct wire_bytes any = {NULL, 0};
	volume_objects_auto found = {0};
	enum err err = volume_kek_find(scope, any, &found);

	*kek = NULL;
	*fresh = false;
	if (err)
		return err;
	if (found.count) {
		*kek = object_get(found.list[0]);
		return ERROR_NONE;
	}
	*fresh = true;
	return volume_kek_make(scope, kek);
}

/* The volume's object, its key wrapped under `kek`. */
static enum err make(struct volume_keys *keys, const struct object *kek, struct wire_bytes name,
                     const struct volume_record *given, uint32_t key_len, struct object **object)
{
	struct volume_record record = *given;
	struct volume_kek imported;
	struct volume_blob blob;
	enum err err;

	err = volume_kek_import(keys, kek, &imported);
	if (!err)
		err = volume_keys_generate(keys, &imported, name, key_len, &blob);
	if (err)
		return err;
	record.kek_id = volume_kek_id(kek);
	record.blob = (struct wire_bytes){blob.octets, blob.len};
	return volume_object_make(name, &record, object);
}

static enum err publish(const struct volume_scope *scope, struct object *kek, bool fresh,
                        struct object *object)
{
	struct object *const added[] = {object, kek};
	const struct token_change change = {.added = added, .added_count = fresh ? 2 : 1};

	return token_change_objects(scope->token, &change);
}

static enum err check_new(const struct volume_scope *scope, struct wire_bytes name,
                          const struct volume_record *record, uint32_t key_len)
{
	volume_objects_auto found = {0};
	enum err err;

	if (!volume_name_valid(name) || !volume_record_plausible(record) ||
	    !volume_key_len_valid(key_len))
		return ERROR_ARGUMENTS;
	err = volume_objects_find(scope, name, &found);
	if (!err && found.count)
		err = ERROR_VOLUME_EXISTS;
	return err;
}

enum err volume_create(const struct volume_scope *scope, struct volume_keys *keys,
                       struct wire_bytes name, const struct volume_record *record, uint32_t key_len,
                       struct volume *volume)
{
	object_auto kek = NULL;
	object_auto object = NULL;
	bool fresh;
	enum err err;

	*volume = (struct volume){0};
	err = check_new(scope, name, record, key_len);
	if (!err)
		err = take_kek(scope, &kek, &fresh);
	if (!err)
		err = make(keys, kek, name, record, key_len, &object);
	if (!err)
		err = publish(scope, kek, fresh, object);
	return err ? err : volume_read(object, volume);
}

/* ---- opening, removing ---- */

enum err volume_open(const struct volume_scope *scope, struct volume_keys *keys,
                     const struct volume *volume, int32_t keyring, uint32_t timeout,
                     int32_t *serial)
{
	volume_objects_auto keks = {0};
	struct volume_kek imported;
	enum err err = volume_kek_find(scope, volume->record.kek_id, &keks);

	if (!err && !keks.count)
		err = ERROR_VOLUME_KEK;
	if (!err)
		err = volume_kek_import(keys, keks.list[0], &imported);
	if (!err)
		err = volume_keys_logon(keys, &imported, volume->record.blob, volume->name, keyring,
		                        timeout, serial);
	return err;
}

enum err volume_remove(const struct volume_scope *scope, const struct volume *volume)
{
	const struct token_change change = {.removed = &volume->object, .removed_count = 1};

	return token_change_objects(scope->token, &change);
}
