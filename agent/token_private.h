/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What token.c and token_objects.c share. Nobody else includes it.
 */
#ifndef AGENT_TOKEN_PRIVATE_H
#define AGENT_TOKEN_PRIVATE_H

#include <pthread.h>

#include "object_table.h"
#include "pin.h"
#include "token.h"

struct token {
	uint64_t slot_id;
	struct token_environment environment;
	pthread_mutex_t pins;   /* one PIN at a time, its derivation included. Taken first */
	pthread_mutex_t change; /* orders changes: store first, then memory; held over disk, but no
	                           derivation. Taken before `lock` */
	pthread_rwlock_t lock;  /* guards what follows; nothing slow under it */
	bool initialized;
	struct store_token row;                /* written under all three, readable under any */
	struct pin_guard so_guard, user_guard; /* under `pins` */
	uint8_t *key; /* the object master key while logins > 0; locked memory */
	uint32_t logins;
	bool private_loaded;
	struct object_table *table;
	uint32_t next_handle;
	uint32_t profile_count; /* objects of the table that are not in the store */
};

/* [slow] Reads the rows of the public or private objects into the table. Under `change`. */
enum err token_load_objects(struct token *token, bool is_private) MUST_CHECK;
/* Under the write lock: drops private token objects; drops everything. */
void token_forget_private(struct token *token);
void token_forget_objects(struct token *token);
/* Likewise, all token objects, the profiles too; session objects stay. */
void token_forget_stored(struct token *token);
/* Under the write lock. */
uint32_t token_next_handle(struct token *token, bool is_private);
/* A random uid, revision 1. */
enum err token_name_object(struct token *token, struct object *object) MUST_CHECK;
/* The object as a sealed row. `sealed` is initialised here, is to be freed either way, and the row
 * points into it. */
enum err token_make_row(struct token *token, const struct object *object,
                        struct wire_buffer *sealed, struct store_row *row) MUST_CHECK;
/* The attributes of a sealed row. ERROR_STORE_CORRUPT, ERROR_USER_NOT_LOGGED_IN. */
enum err token_open_row(struct token *token, const struct store_row *row,
                        struct attributes *set) MUST_CHECK;
/* Under the write lock: gives it a handle and puts it into the table. */
enum err token_insert_new(struct token *token, struct object *object) MUST_CHECK;
/* The token's profile objects into the table, which has none. Under the write lock, or before
 * anybody else knows the token. */
enum err token_insert_profiles(struct token *token) MUST_CHECK;
/* Is this very object still the published one? Under a lock. */
bool token_is_current(const struct token *token, const struct object *object);
/* What a successor takes over, and its next revision. */
void token_succeed(const struct object *object, struct object *successor);

#endif
