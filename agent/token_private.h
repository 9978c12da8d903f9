/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What token.c, token_objects.c and their kin share with the committer. Nobody else includes it.
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
	uint64_t generation;    /* how often it was initialised in this agent's life */
};

/* One change of token objects, all of it or nothing: some are added, or one is removed, or replaced
 * by a successor. */
struct token_commit {
	struct token_commit *next; /* the committer's */
	struct token *token;
	uint64_t generation; /* of the token, when the change was made */
	struct object *added[TOKEN_ADD_MAX];
	size_t added_count;
	struct object *beside[TOKEN_ADD_MAX]; /* session objects of the same call, published */
	size_t beside_count;
	struct object *object, *successor;
	struct wire_buffer sealed[TOKEN_ADD_MAX];
	struct store_row rows[TOKEN_ADD_MAX];
	uint8_t deleted[1][OBJECT_UID_LEN];
	struct store_change change;
	void (*done)(void *context, enum err err);
	void *context;
};

/* Make a change; *commit is the caller's, as in token.h. Of the objects at least one is a token
 * object. */
enum err token_commit_add(struct token *token, struct object *const *objects, size_t count,
                          struct token_commit **commit) MUST_CHECK;
enum err token_commit_remove(struct token *token, struct object *object,
                             struct token_commit **commit) MUST_CHECK;
enum err token_commit_replace(struct token *token, struct object *object, struct object *successor,
                              struct token_commit **commit) MUST_CHECK;
/* Do both change the same object? */
bool token_commits_conflict(const struct token_commit *one, const struct token_commit *other);
/* May it be carried out, as things are now? Under `change`, until it is published. */
enum err token_commit_check(const struct token_commit *commit) MUST_CHECK;
/* Memory follows the store, unless that failed; the result is in change.err. */
void token_commit_publish(struct token_commit *commit);
/* Tells its caller, and frees it. Under no lock. */
void token_commit_end(struct token_commit *commit);

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
/* Gives objects handles and puts them into the table, all or none. */
enum err token_publish(struct token *token, struct object *const *objects, size_t count) MUST_CHECK;
/* Under the write lock: the successor takes the object's place, if that is still there. */
enum err token_put_successor(struct token *token, struct object *object,
                             struct object *successor) MUST_CHECK;
/* Is this very object still the published one? Under a lock. */
bool token_is_current(const struct token *token, const struct object *object);
/* What a successor takes over, and its next revision. */
void token_succeed(const struct object *object, struct object *successor);

#endif
