/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects of a token: sealing and loading rows, publishing, replacing, removing, finding.
 */
#include "token_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "slots.h"
#include "template.h"

#define ROW_FORMAT  1u
#define BINDING_LEN (1 + OBJECT_UID_LEN + 8 + 8)
#define ROW_MAX     (80u * 1024u)

/* ---- rows ---- */

/* What a sealed row is bound to: format, uid, slot, revision. A row moved or rolled back to
 * elsewhere does not open. */
static struct wire_bytes binding(const uint8_t *uid, uint64_t slot_id, uint64_t revision,
                                 uint8_t octets[BINDING_LEN])
{
	octets[0] = ROW_FORMAT;
	memcpy(octets + 1, uid, OBJECT_UID_LEN);
	wire_store_u64(octets + 1 + OBJECT_UID_LEN, slot_id);
	wire_store_u64(octets + 1 + OBJECT_UID_LEN + 8, revision);
	return (struct wire_bytes){octets, BINDING_LEN};
}

/* Private objects under the master key (somebody is logged in), public ones under the device key.
 * Under `lock`. */
static const uint8_t *sealing_key(const struct token *token, bool is_private)
{
	if (!is_private)
		return token->environment.device_key;
	return token->logins ? token->key : NULL;
}

static enum err seal_into(struct token *token, const struct object *object, struct wire_bytes plain,
                          struct wire_buffer *sealed)
{
	uint8_t bound[BINDING_LEN],
		*out = wire_buffer_extend(sealed, plain.len + CRYPTO_SEAL_OVERHEAD);
	enum err err = out ? ERROR_USER_NOT_LOGGED_IN : ERROR_MEMORY;
	const uint8_t *key;

	pthread_rwlock_rdlock(&token->lock);
	key = sealing_key(token, object->is_private);
	if (out && key)
		err = crypto_seal(token->environment.crypto, key,
		                  binding(object->uid, token->slot_id, object->revision, bound),
		                  plain, out);
	pthread_rwlock_unlock(&token->lock);
	return err;
}

enum err token_make_row(struct token *token, const struct object *object,
                        struct wire_buffer *sealed, struct store_row *row)
{
	struct wire_buffer plain;
	enum err err = ERROR_MEMORY;

	wire_buffer_init(sealed, ROW_MAX, NULL);
	wire_buffer_init(&plain, ROW_MAX, &slots_wire_allocator);
	wire_put_template(&plain, attributes_template(&object->attributes));
	if (!plain.failed)
		err = seal_into(token, object, (struct wire_bytes){plain.data, plain.len}, sealed);
	wire_buffer_free(&plain);
	*row = (struct store_row){
		.slot_id = token->slot_id,
		.revision = object->revision,
		.is_private = object->is_private,
		.sealed = {sealed->data, sealed->len},
	};
	memcpy(row->uid, object->uid, OBJECT_UID_LEN);
	return err;
}

/* ---- loading ---- */

/* A logout may come in between: then the key is gone, and that is no fault of the row. */
static enum err open_row(struct token *token, const struct store_row *row, uint8_t *plain)
{
	enum err err = ERROR_USER_NOT_LOGGED_IN;
	uint8_t bound[BINDING_LEN];
	const uint8_t *key;

	pthread_rwlock_rdlock(&token->lock);
	key = sealing_key(token, row->is_private);
	if (key)
		err = crypto_open_sealed(token->environment.crypto, key,
		                         binding(row->uid, token->slot_id, row->revision, bound),
		                         row->sealed, plain);
	pthread_rwlock_unlock(&token->lock);
	return err;
}

enum err token_open_row(struct token *token, const struct store_row *row, struct attributes *set)
{
	size_t len = row->sealed.len - CRYPTO_SEAL_OVERHEAD;
	uint8_t *plain;
	enum err err;

	if (row->sealed.len <= CRYPTO_SEAL_OVERHEAD || row->sealed.len > ROW_MAX)
		return ERROR_STORE_CORRUPT;
	plain = slots_allocate(len);
	err = plain ? open_row(token, row, plain) : ERROR_MEMORY;
	if (!err)
		err = attributes_decode(set, (struct wire_bytes){plain, len});
	slots_release(plain);
	return err;
}

static enum err insert_loaded(struct token *token, const struct store_row *row,
                              struct attributes *set)
{
	object_auto object = NULL;
	enum err err = object_new(set, &object);

	if (err)
		return err;
	memcpy(object->uid, row->uid, OBJECT_UID_LEN);
	object->revision = row->revision;
	if (!object->is_token || object->is_private != row->is_private)
		return ERROR_STORE_CORRUPT;
	pthread_rwlock_wrlock(&token->lock);
	object->handle = token_next_handle(token, object->is_private);
	err = object_table_insert(token->table, object);
	pthread_rwlock_unlock(&token->lock);
	return err;
}

static void log_damaged(const struct store_row *row)
{
	char uid[2 * OBJECT_UID_LEN + 1];

	for (size_t i = 0; i < OBJECT_UID_LEN; i++)
		snprintf(uid + 2 * i, 3, "%02x", row->uid[i]);
	log_error("store: object %s of slot %llu is damaged; it is kept, but not shown", uid,
	          (unsigned long long)row->slot_id);
}

static enum err load_row(void *context, const struct store_row *row)
{
	struct token *token = context;
	attributes_auto set = {0};
	enum err err = token_open_row(token, row, &set);

	if (!err)
		err = insert_loaded(token, row, &set);
	if (err != ERROR_STORE_CORRUPT)
		return err;
	log_damaged(row);
	return ERROR_NONE;
}

enum err token_load_objects(struct token *token, bool is_private)
{
	enum err err = store_load_objects(token->environment.store, token->slot_id, is_private,
	                                  load_row, token);

	if (is_private) {
		pthread_rwlock_wrlock(&token->lock);
		token->private_loaded = !err;
		if (err)
			token_forget_private(token);
		pthread_rwlock_unlock(&token->lock);
	}
	return err;
}

/* ---- forgetting ---- */

static bool is_private_token(const void *unused, const struct object *object)
{
	(void)unused;
	return object->is_token && object->is_private;
}

static bool any(const void *unused, const struct object *object)
{
	(void)unused;
	(void)object;
	return true;
}

void token_forget_private(struct token *token)
{
	object_table_remove_if(token->table, NULL, is_private_token, NULL);
	token->private_loaded = false;
}

static bool is_stored(const void *unused, const struct object *object)
{
	(void)unused;
	return object->is_token;
}

void token_forget_stored(struct token *token)
{
	object_table_remove_if(token->table, NULL, is_stored, NULL);
	token->profile_count = 0;
	token->private_loaded = false;
}

void token_forget_objects(struct token *token)
{
	object_table_remove_if(token->table, NULL, any, NULL);
	token->profile_count = 0;
	token->private_loaded = false;
}

static bool of_session(const void *context, const struct object *object)
{
	uint32_t session_handle = *(const uint32_t *)context;

	return !object->is_token && (!session_handle || object->session_handle == session_handle);
}

static bool is_private_session(const void *unused, const struct object *object)
{
	(void)unused;
	return !object->is_token && object->is_private;
}

void token_drop_session_objects(struct token *token, const struct application *application,
                                uint32_t session_handle)
{
	pthread_rwlock_wrlock(&token->lock);
	object_table_remove_if(token->table, application, of_session, &session_handle);
	pthread_rwlock_unlock(&token->lock);
}

void token_drop_private_session_objects(struct token *token, const struct application *application)
{
	pthread_rwlock_wrlock(&token->lock);
	object_table_remove_if(token->table, application, is_private_session, NULL);
	pthread_rwlock_unlock(&token->lock);
}

/* ---- changing ---- */

enum err token_name_object(struct token *token, struct object *object)
{
	object->revision = 1;
	return crypto_random(token->environment.crypto, object->uid, OBJECT_UID_LEN);
}

static enum err name_objects(struct token *token, struct object *const *objects, size_t count)
{
	enum err err = ERROR_NONE;

	for (size_t i = 0; !err && i < count; i++)
		err = token_name_object(token, objects[i]);
	return err;
}

/* Private objects join those that are loaded; what is stored while they are not would be loaded
 * again at the next login, and stay after a logout. Under the write lock. */
enum err token_insert_new(struct token *token, struct object *object)
{
	if (object->is_token && object->is_private && !token->private_loaded)
		return ERROR_USER_NOT_LOGGED_IN;
	object->handle = token_next_handle(token, object->is_private);
	return object_table_insert(token->table, object);
}

/* In memory, all or none. */
enum err token_publish(struct token *token, struct object *const *objects, size_t count)
{
	enum err err = ERROR_NONE;
	size_t done = 0;

	pthread_rwlock_wrlock(&token->lock);
	while (!err && done < count) {
		err = token_insert_new(token, objects[done]);
		done += !err;
	}
	while (err && done--)
		object_table_remove(token->table, objects[done]->handle);
	pthread_rwlock_unlock(&token->lock);
	return err;
}

static bool any_token_object(struct object *const *objects, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (objects[i]->is_token)
			return true;
	}
	return false;
}

enum err token_add_objects(struct token *token, struct object *const *objects, size_t count,
                           struct token_commit **commit)
{
	enum err err;

	*commit = NULL;
	if (count > TOKEN_ADD_MAX)
		return ERROR_INTERNAL;
	err = name_objects(token, objects, count);
	if (err)
		return err;
	if (any_token_object(objects, count))
		return token_commit_add(token, objects, count, commit);
	return token_publish(token, objects, count);
}

bool token_is_current(const struct token *token, const struct object *object)
{
	return object_table_find(token->table, object->handle) == object;
}

static enum err unpublish(struct token *token, const struct object *object)
{
	bool removed;

	pthread_rwlock_wrlock(&token->lock);
	removed = token_is_current(token, object) &&
	          object_table_remove(token->table, object->handle);
	pthread_rwlock_unlock(&token->lock);
	return removed ? ERROR_NONE : ERROR_OBJECT_HANDLE;
}

enum err token_remove_object(struct token *token, struct object *object,
                             struct token_commit **commit)
{
	*commit = NULL;
	return object->is_token ? token_commit_remove(token, object, commit)
	                        : unpublish(token, object);
}

enum err token_put_successor(struct token *token, struct object *object, struct object *successor)
{
	enum err err = ERROR_OBJECT_HANDLE;

	if (token_is_current(token, object))
		err = object_table_replace(token->table, successor);
	if (!err) /* operations that were begun with it end with it */
		atomic_fetch_or(&object->usage, successor->usage & USAGE_COMPROMISED);
	return err;
}

static enum err republish(struct token *token, struct object *object, struct object *successor)
{
	enum err err;

	pthread_rwlock_wrlock(&token->lock);
	err = token_put_successor(token, object, successor);
	pthread_rwlock_unlock(&token->lock);
	return err;
}

void token_succeed(const struct object *object, struct object *successor)
{
	successor->handle = object->handle;
	memcpy(successor->uid, object->uid, OBJECT_UID_LEN);
	successor->revision = object->revision + 1;
	successor->application = object->application;
	successor->session_handle = object->session_handle;
}

enum err token_replace_object(struct token *token, struct object *object, struct object *successor,
                              struct token_commit **commit)
{
	*commit = NULL;
	token_succeed(object, successor);
	return object->is_token ? token_commit_replace(token, object, successor, commit)
	                        : republish(token, object, successor);
}

/* ---- finding ---- */

static bool visible(const struct object *object, const struct application *application,
                    bool private_visible)
{
	if (object->is_private && !private_visible)
		return false;
	return object->is_token || object->application == application;
}

struct object *token_find(struct token *token, uint32_t handle,
                          const struct application *application, bool private_visible)
{
	struct object *object;

	pthread_rwlock_rdlock(&token->lock);
	object = object_table_find(token->table, handle);
	object =
		object && visible(object, application, private_visible) ? object_get(object) : NULL;
	pthread_rwlock_unlock(&token->lock);
	return object;
}

struct found {
	uint64_t age;
	uint32_t handle;
};

struct search {
	const struct wire_template *template;
	const struct application *application;
	bool private_visible, failed;
	struct found *found;
	size_t count, capacity;
};

static bool collect(void *context, struct object *object, uint64_t age)
{
	struct search *search = context;

	if (!visible(object, search->application, search->private_visible) ||
	    !template_matches(object, search->template))
		return true;
	if (search->count == search->capacity) {
		size_t capacity = search->capacity ? search->capacity * 2 : 16;
		struct found *grown = reallocarray(search->found, capacity, sizeof(*grown));

		search->failed = !grown;
		if (!grown)
			return false;
		search->found = grown;
		search->capacity = capacity;
	}
	search->found[search->count++] = (struct found){age, object->handle};
	return true;
}

static int older_first(const void *a, const void *b)
{
	uint64_t age_a = ((const struct found *)a)->age, age_b = ((const struct found *)b)->age;

	return age_a < age_b ? -1 : age_a > age_b;
}

static enum err give_handles(const struct search *search, uint32_t **handles, size_t *count)
{
	*count = search->count;
	*handles = NULL;
	if (!search->count)
		return ERROR_NONE;
	*handles = calloc(search->count, sizeof(**handles));
	if (!*handles)
		return ERROR_MEMORY;
	qsort(search->found, search->count, sizeof(*search->found), older_first);
	for (size_t i = 0; i < search->count; i++)
		(*handles)[i] = search->found[i].handle;
	return ERROR_NONE;
}

enum err token_search(struct token *token, const struct wire_template *template,
                      const struct application *application, bool private_visible,
                      uint32_t **handles, size_t *count)
{
	struct search search = {template, application, private_visible, false, NULL, 0, 0};
	enum err err;

	pthread_rwlock_rdlock(&token->lock);
	object_table_candidates(token->table, template, collect, &search);
	pthread_rwlock_unlock(&token->lock);
	err = search.failed ? ERROR_MEMORY : give_handles(&search, handles, count);
	free(search.found);
	return err;
}
