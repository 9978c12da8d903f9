/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new key-encryption key for every volume of a token. All wrapped keys are made first, then one
 * change of the token brings the new key and the new records and takes the old key away: a crash
 * leaves either all of the old state or all of the new.
 */
#include <stdlib.h>

#include "volume_object.h"

struct rewrapping {
	const struct volume_scope *scope;
	struct volume_keys *keys;
	struct volume_objects volumes;
	struct object **successors;  /* one per volume */
	struct volume_objects old;   /* key-encryption keys */
	struct volume_kek *imported; /* one per old key, once `ready` */
	bool *ready;
	struct object *fresh;
	struct volume_kek fresh_imported;
};

static void rewrapping_end(struct rewrapping *work)
{
	for (size_t i = 0; work->successors && i < work->volumes.count; i++)
		object_put(work->successors[i]);
	free(work->successors);
	free(work->imported);
	free(work->ready);
	object_put(work->fresh);
	volume_objects_free(&work->volumes);
	volume_objects_free(&work->old);
}

static enum err rewrapping_begin(struct rewrapping *work)
{
	const struct wire_bytes all = {NULL, 0};
	enum err err = volume_objects_find(work->scope, all, &work->volumes);

	if (!err)
		err = volume_kek_find(work->scope, all, &work->old);
	if (err)
		return err;
	work->successors = calloc(work->volumes.count + 1, sizeof(struct object *));
	work->imported = calloc(work->old.count + 1, sizeof(*work->imported));
	work->ready = calloc(work->old.count + 1, sizeof(*work->ready));
	if (!work->successors || !work->imported || !work->ready)
		return ERROR_MEMORY;
	err = volume_kek_make(work->scope, &work->fresh);
	return err ? err : volume_kek_import(work->keys, work->fresh, &work->fresh_imported);
}

/* The key that wraps this volume's, imported once. */
static enum err old_kek(struct rewrapping *work, struct wire_bytes id, struct volume_kek **kek)
{
	enum err err = ERROR_NONE;
	size_t at = 0;

	while (at < work->old.count && !wire_bytes_equal(volume_kek_id(work->old.list[at]), id))
		at++;
	if (at == work->old.count)
		return ERROR_VOLUME_KEK;
	*kek = &work->imported[at];
	if (!work->ready[at])
		err = volume_kek_import(work->keys, work->old.list[at], *kek);
	work->ready[at] = !err;
	return err;
}

static enum err rewrap_volume(struct rewrapping *work, const struct volume *volume,
                              struct object **successor)
{
	struct volume_record record = volume->record;
	struct volume_blob blob;
	struct volume_kek *old;
	enum err err;

	err = old_kek(work, record.kek_id, &old);
	if (!err)
		err = volume_keys_rewrap(work->keys, old, &work->fresh_imported, record.blob,
		                         &blob);
	if (err)
		return err;
	record.kek_id = volume_kek_id(work->fresh);
	record.blob = (struct wire_bytes){blob.octets, blob.len};
	return volume_object_make(volume->name, &record, successor);
}

static enum err rewrap_at(struct rewrapping *work, size_t at, volume_rewrapped *each, void *context)
{
	volume_auto volume = {0};
	enum err err = volume_read(work->volumes.list[at], &volume);

	if (!err)
		err = rewrap_volume(work, &volume, &work->successors[at]);
	if (err)
		each(context, &volume, err);
	return err;
}

static enum err publish(const struct rewrapping *work)
{
	const struct token_change change = {
		.added = &work->fresh,
		.added_count = 1,
		.replaced = work->volumes.list,
		.successors = work->successors,
		.replaced_count = work->volumes.count,
		.removed = work->old.list,
		.removed_count = work->old.count,
	};

	return token_change_objects(work->scope->token, &change);
}

static void tell(const struct rewrapping *work, volume_rewrapped *each, void *context)
{
	for (size_t i = 0; i < work->volumes.count; i++) {
		const struct volume volume = {
			.object = work->volumes.list[i],
			.name = volume_object_name(work->volumes.list[i]),
		};

		each(context, &volume, ERROR_NONE);
	}
}

enum err volume_rewrap(const struct volume_scope *scope, struct volume_keys *keys,
                       volume_rewrapped *each, void *context, size_t *count)
{
	struct rewrapping work = {.scope = scope, .keys = keys};
	enum err err = rewrapping_begin(&work);

	for (size_t i = 0; !err && i < work.volumes.count; i++)
		err = rewrap_at(&work, i, each, context);
	if (!err)
		err = publish(&work);
	if (!err)
		tell(&work, each, context);
	*count = work.volumes.count;
	rewrapping_end(&work);
	return err;
}
