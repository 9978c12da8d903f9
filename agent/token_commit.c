/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One change of token objects, from the call that wants it to the disk and back: made here in the
 * caller's thread, rows and all; checked, published and ended by the committer's.
 */
#include <stdlib.h>
#include <string.h>

#include "committer.h"
#include "log.h"
#include "token_private.h"

/* ---- making ---- */

static struct token_commit *commit_new(struct token *token)
{
	struct token_commit *commit = calloc(1, sizeof(*commit));

	if (!commit)
		return NULL;
	commit->token = token;
	commit->change.slot_id = token->slot_id;
	commit->change.rows = commit->rows;
	commit->change.deleted = commit->deleted;
	pthread_rwlock_rdlock(&token->lock);
	commit->generation = token->generation;
	pthread_rwlock_unlock(&token->lock);
	return commit;
}

static void commit_free(struct token_commit *commit)
{
	for (size_t i = 0; i < TOKEN_ADD_MAX; i++) {
		object_put(commit->added[i]);
		object_put(commit->beside[i]);
		wire_buffer_free(&commit->sealed[i]);
	}
	object_put(commit->object);
	object_put(commit->successor);
	free(commit);
}

static enum err add_row(struct token_commit *commit, const struct object *object)
{
	size_t at = commit->change.count++;

	return token_make_row(commit->token, object, &commit->sealed[at], &commit->rows[at]);
}

/* The caller's answer names the handle, so it is given now. */
static void reserve_handle(struct token *token, struct object *object)
{
	pthread_rwlock_wrlock(&token->lock);
	object->handle = token_next_handle(token, object->is_private);
	pthread_rwlock_unlock(&token->lock);
}

static enum err add_object(struct token_commit *commit, struct object *object)
{
	if (!object->is_token) {
		commit->beside[commit->beside_count++] = object_get(object);
		return ERROR_NONE;
	}
	reserve_handle(commit->token, object);
	commit->added[commit->added_count++] = object_get(object);
	return add_row(commit, object);
}

enum err token_commit_add(struct token *token, struct object *const *objects, size_t count,
                          struct token_commit **out)
{
	struct token_commit *commit = commit_new(token);
	enum err err = commit ? ERROR_NONE : ERROR_MEMORY;

	for (size_t i = 0; !err && i < count; i++)
		err = add_object(commit, objects[i]);
	if (!err)
		err = token_publish(token, commit->beside, commit->beside_count);
	if (!err)
		*out = commit;
	else if (commit)
		commit_free(commit);
	return err;
}

enum err token_commit_remove(struct token *token, struct object *object, struct token_commit **out)
{
	struct token_commit *commit = commit_new(token);

	if (!commit)
		return ERROR_MEMORY;
	commit->object = object_get(object);
	memcpy(commit->deleted[commit->change.deleted_count++], object->uid, OBJECT_UID_LEN);
	*out = commit;
	return ERROR_NONE;
}

enum err token_commit_replace(struct token *token, struct object *object, struct object *successor,
                              struct token_commit **out)
{
	struct token_commit *commit = commit_new(token);
	enum err err;

	if (!commit)
		return ERROR_MEMORY;
	commit->object = object_get(object);
	commit->successor = object_get(successor);
	err = add_row(commit, successor);
	if (!err)
		*out = commit;
	else
		commit_free(commit);
	return err;
}

static void withdraw(struct token_commit *commit)
{
	struct token *token = commit->token;

	pthread_rwlock_wrlock(&token->lock);
	for (size_t i = 0; i < commit->beside_count; i++)
		object_table_remove(token->table, commit->beside[i]->handle);
	pthread_rwlock_unlock(&token->lock);
}

void token_commit_discard(struct token_commit *commit)
{
	withdraw(commit);
	commit_free(commit);
}

void token_commit_submit(struct token_commit *commit, void (*done)(void *context, enum err err),
                         void *context)
{
	commit->done = done;
	commit->context = context;
	committer_add(commit->token->environment.committer, commit);
}

/* ---- the committer's steps ---- */

bool token_commits_conflict(const struct token_commit *one, const struct token_commit *other)
{
	return one->object && other->object && one->token == other->token &&
	       one->object->handle == other->object->handle;
}

/* Is there what it removes, or is replaced? A handle is not given out twice. */
static enum err check_object(const struct token_commit *commit)
{
	const struct object *published =
		object_table_find(commit->token->table, commit->object->handle);

	if (!published || (commit->successor && published != commit->object))
		return ERROR_OBJECT_HANDLE;
	return ERROR_NONE;
}

/* Private objects join those that are loaded; what is stored while they are not would be loaded
 * again at the next login, and stay after a logout. */
static enum err check_added(const struct token_commit *commit)
{
	for (size_t i = 0; i < commit->added_count; i++) {
		if (commit->added[i]->is_private && !commit->token->private_loaded)
			return ERROR_USER_NOT_LOGGED_IN;
	}
	return ERROR_NONE;
}

enum err token_commit_check(const struct token_commit *commit)
{
	struct token *token = commit->token;
	enum err err;

	pthread_rwlock_rdlock(&token->lock);
	/* Initialised anew since: the session that wanted this is closed, the rows' key is gone. */
	if (commit->generation != token->generation)
		err = ERROR_SESSION_HANDLE;
	else
		err = commit->object ? check_object(commit) : check_added(commit);
	pthread_rwlock_unlock(&token->lock);
	return err;
}

/* All or none; a logout may have come in between. */
static enum err insert_added(struct token_commit *commit)
{
	struct object_table *table = commit->token->table;
	enum err err = check_added(commit);
	size_t done = 0;

	while (!err && done < commit->added_count) {
		err = object_table_insert(table, commit->added[done]);
		done += !err;
	}
	while (err && done--)
		object_table_remove(table, commit->added[done]->handle);
	return err;
}

/* Under the write lock. */
static enum err follow(struct token_commit *commit)
{
	if (commit->successor)
		return token_put_successor(commit->token, commit->object, commit->successor);
	if (!commit->object)
		return insert_added(commit);
	object_table_remove(commit->token->table, commit->object->handle);
	return ERROR_NONE;
}

/* Takes back what was stored and could not be published. */
static void unstore(const struct token_commit *commit)
{
	for (size_t i = 0; i < commit->added_count; i++) {
		if (store_delete_object(commit->token->environment.store, commit->token->slot_id,
		                        commit->added[i]->uid))
			log_error("store: an object that could not be added stays in the store");
	}
}

void token_commit_publish(struct token_commit *commit)
{
	struct token *token = commit->token;

	if (commit->change.err)
		return;
	pthread_rwlock_wrlock(&token->lock);
	commit->change.err = follow(commit);
	pthread_rwlock_unlock(&token->lock);
	if (commit->change.err)
		unstore(commit);
}

void token_commit_end(struct token_commit *commit)
{
	if (commit->change.err)
		withdraw(commit);
	commit->done(commit->context, commit->change.err);
	commit_free(commit);
}
