/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The object store: one SQLite database, one owner, every committed change durable (WAL,
 * synchronous=FULL, EXCLUSIVE locking). It keeps opaque sealed rows; it never sees a key. Calls
 * block on disk: workers and the committer only, never a loop. Thread-safe by one mutex.
 */
#ifndef AGENT_STORE_H
#define AGENT_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "object.h"
#include "wire/buffer.h"

#define STORE_SALT_LEN       16u
#define STORE_WRAPPED_LEN    60u /* CRYPTO_SEAL_OVERHEAD + CRYPTO_KEY_LEN */
#define STORE_LABEL_LEN      32u
#define STORE_SERIAL_LEN     16u
#define STORE_RESTORE_ID_LEN 16u

/* What is kept of one PIN. `set` is false when there is none. */
struct store_pin {
	bool set;
	uint8_t salt[STORE_SALT_LEN];
	uint64_t iterations;
	uint8_t wrapped_key[STORE_WRAPPED_LEN]; /* the object master key sealed under the PIN's
	                                           derived key */
	uint32_t failures;                      /* consecutive wrong PINs */
	bool must_change;
};

struct store_token {
	uint64_t slot_id;
	uint8_t label[STORE_LABEL_LEN]; /* blank padded */
	char serial[STORE_SERIAL_LEN];  /* blank padded ASCII */
	int64_t created;                /* Unix seconds */
	struct store_pin so;
	struct store_pin user;
};

/* One object as a row. `sealed` is borrowed. */
struct store_row {
	uint8_t uid[OBJECT_UID_LEN];
	uint64_t slot_id;
	uint64_t revision;
	bool is_private;
	struct wire_bytes sealed;
};

struct store;

/*
 * Opens (and makes, 0700/0600) the database in directory `path`. Refuses, with one line in `error`
 * that names the path, the reason and what to do: a missing parent, permission denied, a wrong
 * owner, group or world access, a read-only file system, a symlink or `..` in any component, a
 * database of a newer format, and "Database is locked" (with the owner's pid if known) when another
 * daemon has it. 0 or -1.
 */
int store_open(struct store **store, const char *path, char *error, size_t error_len);
/* Checkpoints and closes. */
void store_close(struct store *store);

/* Calls `each` for every token, in order of slot_id; stops at the first error and returns it. */
enum err store_load_tokens(struct store *store,
                           enum err (*each)(void *context, const struct store_token *token),
                           void *context) MUST_CHECK;
/* Inserts or replaces the token's row. Durable on return. */
enum err store_write_token(struct store *store, const struct store_token *token) MUST_CHECK;
/* C_InitToken: deletes every object of the slot and writes the token, in one transaction. */
enum err store_reset_token(struct store *store, const struct store_token *token) MUST_CHECK;

/* Calls `each` for the rows of a slot, public or private ones. */
enum err store_load_objects(struct store *store, uint64_t slot_id, bool is_private,
                            enum err (*each)(void *context, const struct store_row *row),
                            void *context) MUST_CHECK;
/* How many objects the slot has, public and private ones. */
enum err store_count_objects(struct store *store, uint64_t slot_id, uint64_t *count) MUST_CHECK;
/* Inserts the rows, or replaces those with the same uid, all or none. Durable on return. */
enum err store_put_objects(struct store *store, const struct store_row *rows,
                           size_t count) MUST_CHECK;
/*
 * A change of a slot's objects, all of it or nothing: the rows are inserted, or replace those with
 * the same uid, and the objects with these uids are deleted; ERROR_OBJECT_HANDLE when one of them
 * is not there. What it points to is borrowed.
 */
struct store_change {
	const struct store_row *rows;
	size_t count;
	uint64_t slot_id;
	const uint8_t (*deleted)[OBJECT_UID_LEN];
	size_t deleted_count;
	enum err err; /* how it ended */
};

/*
 * Several changes, in this order, in one transaction. One that fails by itself leaves nothing and
 * takes nothing from the others; when the transaction fails, all of them do. What ended well is
 * durable on return.
 */
void store_change_group(struct store *store, struct store_change *const *changes, size_t count);
/* One change. */
enum err store_change_objects(struct store *store, struct store_change *change) MUST_CHECK;
/* What a backup brings: the token's row and all its objects, instead of those that it has. */
struct store_restore {
	const struct store_token *token;
	const struct store_row *rows;
	size_t count;
	uint8_t id[STORE_RESTORE_ID_LEN]; /* of the backup */
	bool replace;                     /* objects may be there; else ERROR_TOKEN_IN_USE */
	bool again; /* and the backup may have been restored before; else ERROR_BACKUP_REPLAY */
};

/* All of it or nothing. ERROR_BACKUP_ELSEWHERE when an object's uid is in another slot. */
enum err store_restore(struct store *store, const struct store_restore *restore) MUST_CHECK;

/* What the agent keeps for itself, by name. *len is the room, and then what there is: 0 for
 * nothing. */
enum err store_read_secret(struct store *store, const char *name, uint8_t *sealed,
                           size_t *len) MUST_CHECK;
enum err store_write_secret(struct store *store, const char *name,
                            struct wire_bytes sealed) MUST_CHECK;

/* ERROR_OBJECT_HANDLE when there is no such row. */
enum err store_delete_object(struct store *store, uint64_t slot_id,
                             const uint8_t uid[OBJECT_UID_LEN]) MUST_CHECK;

#endif
