/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several changes of a token's private objects in one step: one transaction of the store, then
 * memory follows. What the store has said yes to is the truth, so when memory cannot follow, it is
 * read from the store anew.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "token_private.h"

/* The rows of a change, and what they borrow. */
struct rows {
	struct wire_buffer *sealed;
	struct store_row *rows;
	uint8_t (*deleted)[OBJECT_UID_LEN];
	size_t count;
};

static void rows_free(struct rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		wire_buffer_free(&rows->sealed[i]);
	free(rows->sealed);
	free(rows->rows);
	free(rows->deleted);
}

/* One more than needed: there is always something to allocate. */
static enum err rows_allocate(struct rows *rows, const struct token_change *change)
{
	size_t count = change->added_count + change->replaced_count + 1;

	rows->sealed = calloc(count, sizeof(*rows->sealed));
	rows->rows = calloc(count, sizeof(*rows->rows));
	rows->deleted = calloc(change->removed_count + 1, sizeof(*rows->deleted));
	return rows->sealed && rows->rows && rows->deleted ? ERROR_NONE : ERROR_MEMORY;
}

static enum err put(struct token *token, struct rows *rows, const struct object *object)
{
	size_t at = rows->count++;

	if (!object->is_token || !object->is_private)
		return ERROR_INTERNAL;
	return token_make_row(token, object, &rows->sealed[at], &rows->rows[at]);
}

static enum err fill_rows(struct token *token, const struct token_change *change, struct rows *rows)
{
	enum err err = rows_allocate(rows, change);

	for (size_t i = 0; !err && i < change->added_count; i++) {
		err = token_name_object(token, change->added[i]);
		if (!err)
			err = put(token, rows, change->added[i]);
	}
	for (size_t i = 0; !err && i < change->replaced_count; i++) {
		token_succeed(change->replaced[i], change->successors[i]);
		err = put(token, rows, change->successors[i]);
	}
	for (size_t i = 0; !err && i < change->removed_count; i++)
		memcpy(rows->deleted[i], change->removed[i]->uid, OBJECT_UID_LEN);
	return err;
}

static bool all_current(const struct token *token, struct object *const *objects, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!token_is_current(token, objects[i]))
			return false;
	}
	return true;
}

/* Under `change` nobody but a logout takes objects away from now on. */
static enum err check(struct token *token, const struct token_change *change)
{
	enum err err = ERROR_NONE;

	pthread_rwlock_rdlock(&token->lock);
	if (!token->private_loaded)
		err = ERROR_USER_NOT_LOGGED_IN;
	else if (!all_current(token, change->replaced, change->replaced_count) ||
	         !all_current(token, change->removed, change->removed_count))
		err = ERROR_OBJECT_HANDLE;
	pthread_rwlock_unlock(&token->lock);
	return err;
}

/* Under the write lock. After a logout there is nothing to do: the next login reads the store. */
static enum err follow(struct token *token, const struct token_change *change)
{
	enum err err = ERROR_NONE;

	if (!token->private_loaded)
		return ERROR_NONE;
	for (size_t i = 0; !err && i < change->added_count; i++)
		err = token_insert_new(token, change->added[i]);
	for (size_t i = 0; !err && i < change->replaced_count; i++)
		err = object_table_replace(token->table, change->successors[i]);
	for (size_t i = 0; !err && i < change->removed_count; i++)
		object_table_remove(token->table, change->removed[i]->handle);
	if (err)
		token_forget_private(token);
	return err;
}

static void publish(struct token *token, const struct token_change *change)
{
	enum err err;

	pthread_rwlock_wrlock(&token->lock);
	err = follow(token, change);
	pthread_rwlock_unlock(&token->lock);
	if (!err)
		return;
	log_warning("token: private objects are read again: %s", err_text(err));
	if (token_load_objects(token, true))
		log_error("token: private objects are hidden until the next login");
}

enum err token_change_objects(struct token *token, const struct token_change *change)
{
	struct store_change stored;
	struct rows rows = {0};
	enum err err;

	pthread_mutex_lock(&token->change);
	err = check(token, change);
	if (!err)
		err = fill_rows(token, change, &rows);
	if (!err) {
		stored = (struct store_change){
			.rows = rows.rows,
			.count = rows.count,
			.slot_id = token->slot_id,
			.deleted = rows.deleted,
			.deleted_count = change->removed_count,
		};
		err = store_change_objects(token->environment.store, &stored);
	}
	if (!err)
		publish(token, change);
	pthread_mutex_unlock(&token->change);
	rows_free(&rows);
	return err;
}
