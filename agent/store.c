/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite, and nothing of what the rows mean. Statements are prepared once and bound; no SQL is ever
 * built.
 */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "path.h"

#define FORMAT_VERSION 2
#define DATABASE_NAME  "store.db"
#define LOCK_NAME      "store.lock"

enum statement {
	STATEMENT_BEGIN,
	STATEMENT_COMMIT,
	STATEMENT_ROLLBACK,
	STATEMENT_SAVEPOINT,
	STATEMENT_ROLLBACK_TO,
	STATEMENT_RELEASE,
	STATEMENT_LOAD_TOKENS,
	STATEMENT_WRITE_TOKEN,
	STATEMENT_DELETE_SLOT,
	STATEMENT_LOAD_OBJECTS,
	STATEMENT_PUT_OBJECT,
	STATEMENT_DELETE_OBJECT,
	STATEMENT_COUNT_OBJECTS,
	STATEMENT_INSERT_OBJECT,
	STATEMENT_FIND_RESTORE,
	STATEMENT_ADD_RESTORE,
	STATEMENT_FORGET_RESTORES,
	STATEMENT_READ_SECRET,
	STATEMENT_WRITE_SECRET,
	STATEMENT_COUNT,
};

static const char *const sql[STATEMENT_COUNT] = {
	[STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_ROLLBACK] = "ROLLBACK",
	[STATEMENT_SAVEPOINT] = "SAVEPOINT change",
	[STATEMENT_ROLLBACK_TO] = "ROLLBACK TO change",
	[STATEMENT_RELEASE] = "RELEASE change",
	[STATEMENT_LOAD_TOKENS] = "SELECT slot_id, label, serial, created, so_pin, user_pin FROM "
				  "tokens ORDER BY slot_id",
	[STATEMENT_WRITE_TOKEN] =
		"INSERT INTO tokens (slot_id, label, serial, created, so_pin, user_pin)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (slot_id) DO UPDATE SET"
		" label = ?2, serial = ?3, created = ?4, so_pin = ?5, user_pin = ?6",
	[STATEMENT_DELETE_SLOT] = "DELETE FROM objects WHERE slot_id = ?1",
	[STATEMENT_LOAD_OBJECTS] =
		"SELECT uid, revision, sealed, number FROM objects WHERE slot_id = ?1"
		" AND private = ?2 ORDER BY number",
	[STATEMENT_PUT_OBJECT] = "INSERT INTO objects (uid, slot_id, revision, private, sealed)"
				 " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (uid) DO UPDATE SET"
				 " slot_id = ?2, revision = ?3, private = ?4, sealed = ?5",
	[STATEMENT_DELETE_OBJECT] = "DELETE FROM objects WHERE slot_id = ?1 AND uid = ?2",
	[STATEMENT_COUNT_OBJECTS] = "SELECT COUNT(*) FROM objects WHERE slot_id = ?1",
	[STATEMENT_INSERT_OBJECT] = "INSERT INTO objects (uid, slot_id, revision, private, sealed)"
				    " VALUES (?1, ?2, ?3, ?4, ?5)",
	[STATEMENT_FIND_RESTORE] = "SELECT COUNT(*) FROM restores WHERE slot_id = ?1 AND id = ?2",
	[STATEMENT_ADD_RESTORE] = "INSERT OR IGNORE INTO restores (slot_id, id) VALUES (?1, ?2)",
	[STATEMENT_FORGET_RESTORES] = "DELETE FROM restores WHERE slot_id = ?1",
	[STATEMENT_READ_SECRET] = "SELECT sealed FROM secrets WHERE name = ?1",
	[STATEMENT_WRITE_SECRET] = "INSERT OR REPLACE INTO secrets (name, sealed) VALUES (?1, ?2)",
};

static const char settings[] = "PRAGMA locking_mode = EXCLUSIVE;"
			       "PRAGMA journal_mode = WAL;"
			       "PRAGMA synchronous = FULL;"
			       "PRAGMA trusted_schema = OFF;"
			       "PRAGMA cell_size_check = ON;"
			       "PRAGMA temp_store = MEMORY;";

/* What leads from each version to the next; a new database begins at the first. */
static const char *const upgrades[FORMAT_VERSION] = {
	"BEGIN IMMEDIATE;"
	"CREATE TABLE tokens (slot_id INTEGER PRIMARY KEY, label BLOB NOT NULL,"
	" serial BLOB NOT NULL, created INTEGER NOT NULL, so_pin BLOB, user_pin BLOB);"
	"CREATE TABLE objects (number INTEGER PRIMARY KEY AUTOINCREMENT, uid BLOB NOT NULL UNIQUE,"
	" slot_id INTEGER NOT NULL, revision INTEGER NOT NULL, private INTEGER NOT NULL,"
	" sealed BLOB NOT NULL);"
	"CREATE INDEX objects_by_slot ON objects (slot_id, private, number);"
	"PRAGMA user_version = 1;"
	"COMMIT;",
	/* The backups that were restored into a token, so that none is restored twice unseen. */
	"BEGIN IMMEDIATE;"
	"CREATE TABLE restores (slot_id INTEGER NOT NULL, id BLOB NOT NULL,"
	" PRIMARY KEY (slot_id, id));"
	/* What the agent keeps for itself, sealed under the device key. */
	"CREATE TABLE secrets (name TEXT PRIMARY KEY, sealed BLOB NOT NULL);"
	"PRAGMA user_version = 2;"
	"COMMIT;",
};

struct store {
	pthread_mutex_t lock;
	sqlite3 *database;
	sqlite3_stmt *statements[STATEMENT_COUNT];
	int lock_fd;
	int directory_fd;
};

/* ---- rows ---- */

/* A PIN's row: u32 failures, u8 must_change, u64 iterations, salt, wrapped key. */
#define PIN_ROW_LEN (4 + 1 + 8 + STORE_SALT_LEN + STORE_WRAPPED_LEN)

static void encode_pin(const struct store_pin *pin, uint8_t row[PIN_ROW_LEN])
{
	for (int i = 0; i < 4; i++)
		row[i] = (uint8_t)(pin->failures >> (8 * i));
	row[4] = pin->must_change;
	for (int i = 0; i < 8; i++)
		row[5 + i] = (uint8_t)(pin->iterations >> (8 * i));
	memcpy(row + 13, pin->salt, STORE_SALT_LEN);
	memcpy(row + 13 + STORE_SALT_LEN, pin->wrapped_key, STORE_WRAPPED_LEN);
}

static enum err decode_pin(sqlite3_stmt *statement, int column, struct store_pin *pin)
{
	const uint8_t *row = sqlite3_column_blob(statement, column);
	int len = sqlite3_column_bytes(statement, column);

	memset(pin, 0, sizeof(*pin));
	if (!row)
		return ERROR_NONE;
	if (len != PIN_ROW_LEN || row[4] > 1)
		return ERROR_STORE_CORRUPT;
	pin->set = true;
	for (int i = 0; i < 4; i++)
		pin->failures |= (uint32_t)row[i] << (8 * i);
	pin->must_change = row[4];
	for (int i = 0; i < 8; i++)
		pin->iterations |= (uint64_t)row[5 + i] << (8 * i);
	memcpy(pin->salt, row + 13, STORE_SALT_LEN);
	memcpy(pin->wrapped_key, row + 13 + STORE_SALT_LEN, STORE_WRAPPED_LEN);
	return ERROR_NONE;
}

static enum err copy_column(sqlite3_stmt *statement, int column, void *out, size_t len)
{
	const void *octets = sqlite3_column_blob(statement, column);

	if (!octets || (size_t)sqlite3_column_bytes(statement, column) != len)
		return ERROR_STORE_CORRUPT;
	memcpy(out, octets, len);
	return ERROR_NONE;
}

static enum err decode_token(sqlite3_stmt *statement, struct store_token *token)
{
	enum err err;

	memset(token, 0, sizeof(*token));
	token->slot_id = (uint64_t)sqlite3_column_int64(statement, 0);
	token->created = sqlite3_column_int64(statement, 3);
	err = copy_column(statement, 1, token->label, sizeof(token->label));
	if (!err)
		err = copy_column(statement, 2, token->serial, sizeof(token->serial));
	if (!err)
		err = decode_pin(statement, 4, &token->so);
	if (!err)
		err = decode_pin(statement, 5, &token->user);
	return err;
}

/* ---- statements (under the lock) ---- */

static enum err translate(struct store *store, int code)
{
	log_error("store: %s", sqlite3_errmsg(store->database));
	if (code == SQLITE_FULL)
		return ERROR_STORE_FULL;
	if (code == SQLITE_NOMEM)
		return ERROR_MEMORY;
	return code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? ERROR_STORE_CORRUPT : ERROR_STORE;
}

/* Runs a statement that gives no rows, and makes it ready for the next use. */
static enum err execute(struct store *store, enum statement which)
{
	sqlite3_stmt *statement = store->statements[which];
	int code = sqlite3_step(statement);
	enum err err = code == SQLITE_DONE ? ERROR_NONE : translate(store, code);

	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return err;
}

static void bind_pin(sqlite3_stmt *statement, int index, const struct store_pin *pin,
                     uint8_t row[PIN_ROW_LEN])
{
	if (!pin->set)
		return;
	encode_pin(pin, row);
	sqlite3_bind_blob(statement, index, row, PIN_ROW_LEN, SQLITE_STATIC);
}

static enum err write_token(struct store *store, const struct store_token *token)
{
	sqlite3_stmt *statement = store->statements[STATEMENT_WRITE_TOKEN];
	uint8_t so_row[PIN_ROW_LEN], user_row[PIN_ROW_LEN];

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)token->slot_id);
	sqlite3_bind_blob(statement, 2, token->label, sizeof(token->label), SQLITE_STATIC);
	sqlite3_bind_blob(statement, 3, token->serial, sizeof(token->serial), SQLITE_STATIC);
	sqlite3_bind_int64(statement, 4, token->created);
	bind_pin(statement, 5, &token->so, so_row);
	bind_pin(statement, 6, &token->user, user_row);
	return execute(store, STATEMENT_WRITE_TOKEN);
}

static enum err put_object(struct store *store, enum statement how, const struct store_row *row)
{
	sqlite3_stmt *statement = store->statements[how];

	sqlite3_bind_blob(statement, 1, row->uid, sizeof(row->uid), SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, (sqlite3_int64)row->slot_id);
	sqlite3_bind_int64(statement, 3, (sqlite3_int64)row->revision);
	sqlite3_bind_int(statement, 4, row->is_private);
	sqlite3_bind_blob64(statement, 5, row->sealed.data, row->sealed.len, SQLITE_STATIC);
	return execute(store, how);
}

static enum err delete_object(struct store *store, uint64_t slot_id,
                              const uint8_t uid[OBJECT_UID_LEN])
{
	sqlite3_stmt *statement = store->statements[STATEMENT_DELETE_OBJECT];
	enum err err;

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)slot_id);
	sqlite3_bind_blob(statement, 2, uid, OBJECT_UID_LEN, SQLITE_STATIC);
	err = execute(store, STATEMENT_DELETE_OBJECT);
	if (!err && !sqlite3_changes(store->database))
		err = ERROR_OBJECT_HANDLE;
	return err;
}

static enum err forget_restores(struct store *store, uint64_t slot_id)
{
	sqlite3_bind_int64(store->statements[STATEMENT_FORGET_RESTORES], 1, (sqlite3_int64)slot_id);
	return execute(store, STATEMENT_FORGET_RESTORES);
}

/* Ends a transaction: all of it or nothing. */
static enum err finish(struct store *store, enum err err)
{
	if (!err)
		err = execute(store, STATEMENT_COMMIT);
	/* SQLite may have rolled back by itself (disk full); then there is nothing left to do. */
	if (err && !sqlite3_get_autocommit(store->database) && execute(store, STATEMENT_ROLLBACK))
		log_error("store: a transaction could not be rolled back");
	return err;
}

/* ---- the interface ---- */

enum err store_load_tokens(struct store *store,
                           enum err (*each)(void *context, const struct store_token *token),
                           void *context)
{
	sqlite3_stmt *statement = store->statements[STATEMENT_LOAD_TOKENS];
	struct store_token token;
	enum err err = ERROR_NONE;
	int code;

	/* Start-up only: `each` may call the store again, so the lock is not held over it. */
	while (!err && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		err = decode_token(statement, &token);
		if (!err)
			err = each(context, &token);
	}
	if (!err && code != SQLITE_DONE)
		err = translate(store, code);
	sqlite3_reset(statement);
	return err;
}

enum err store_write_token(struct store *store, const struct store_token *token)
{
	enum err err;

	pthread_mutex_lock(&store->lock);
	err = write_token(store, token);
	pthread_mutex_unlock(&store->lock);
	return err;
}

enum err store_reset_token(struct store *store, const struct store_token *token)
{
	enum err err;

	pthread_mutex_lock(&store->lock);
	err = execute(store, STATEMENT_BEGIN);
	if (!err) {
		sqlite3_bind_int64(store->statements[STATEMENT_DELETE_SLOT], 1,
		                   (sqlite3_int64)token->slot_id);
		err = execute(store, STATEMENT_DELETE_SLOT);
		if (!err)
			err = forget_restores(store, token->slot_id);
		if (!err)
			err = write_token(store, token);
		err = finish(store, err);
	}
	pthread_mutex_unlock(&store->lock);
	return err;
}

/* False, and a line in the log, when it has no uid: others may still be whole. */
static bool decode_row(sqlite3_stmt *statement, struct store_row *row)
{
	if (copy_column(statement, 0, row->uid, sizeof(row->uid))) {
		log_error("store: row %lld of slot %llu is damaged; it is kept, but not shown",
		          (long long)sqlite3_column_int64(statement, 3),
		          (unsigned long long)row->slot_id);
		return false;
	}
	row->revision = (uint64_t)sqlite3_column_int64(statement, 1);
	row->sealed = (struct wire_bytes){sqlite3_column_blob(statement, 2),
	                                  (size_t)sqlite3_column_bytes(statement, 2)};
	return true;
}

enum err store_load_objects(struct store *store, uint64_t slot_id, bool is_private,
                            enum err (*each)(void *context, const struct store_row *row),
                            void *context)
{
	sqlite3_stmt *statement = store->statements[STATEMENT_LOAD_OBJECTS];
	struct store_row row = {.slot_id = slot_id, .is_private = is_private};
	enum err err = ERROR_NONE;
	int code = SQLITE_DONE;

	pthread_mutex_lock(&store->lock);
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)slot_id);
	sqlite3_bind_int(statement, 2, is_private);
	while (!err && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		if (decode_row(statement, &row))
			err = each(context, &row);
	}
	if (!err && code != SQLITE_DONE)
		err = translate(store, code);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	pthread_mutex_unlock(&store->lock);
	return err;
}

/* ---- changes ---- */

static enum err apply_change(struct store *store, const struct store_change *change)
{
	enum err err = ERROR_NONE;

	for (size_t i = 0; !err && i < change->count; i++)
		err = put_object(store, STATEMENT_PUT_OBJECT, &change->rows[i]);
	for (size_t i = 0; !err && i < change->deleted_count; i++)
		err = delete_object(store, change->slot_id, change->deleted[i]);
	return err;
}

/*
 * One change of a transaction, the result in its err. A single statement is all or nothing by
 * itself; more of them have a savepoint. Returns what ended the transaction: SQLite rolls back all
 * of it when the disk is full.
 */
static enum err apply_one(struct store *store, struct store_change *change)
{
	bool several = change->count + change->deleted_count > 1;
	enum err err = several ? execute(store, STATEMENT_SAVEPOINT) : ERROR_NONE;

	if (err)
		return err;
	change->err = apply_change(store, change);
	if (sqlite3_get_autocommit(store->database))
		return change->err ? change->err : ERROR_STORE;
	if (several && change->err)
		err = execute(store, STATEMENT_ROLLBACK_TO);
	if (several && !err)
		err = execute(store, STATEMENT_RELEASE);
	return err;
}

void store_change_group(struct store *store, struct store_change *const *changes, size_t count)
{
	enum err err;

	pthread_mutex_lock(&store->lock);
	err = execute(store, STATEMENT_BEGIN);
	for (size_t i = 0; i < count; i++) {
		changes[i]->err = ERROR_NONE;
		if (!err)
			err = apply_one(store, changes[i]);
	}
	err = finish(store, err);
	pthread_mutex_unlock(&store->lock);
	for (size_t i = 0; i < count; i++)
		changes[i]->err = changes[i]->err ? changes[i]->err : err;
}

enum err store_change_objects(struct store *store, struct store_change *change)
{
	store_change_group(store, &change, 1);
	return change->err;
}

/* The one number that a bound statement gives. */
static enum err read_count(struct store *store, enum statement which, uint64_t *count)
{
	sqlite3_stmt *statement = store->statements[which];
	enum err err = ERROR_NONE;
	int code = sqlite3_step(statement);

	if (code == SQLITE_ROW)
		*count = (uint64_t)sqlite3_column_int64(statement, 0);
	else
		err = translate(store, code);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return err;
}

static enum err count_objects(struct store *store, uint64_t slot_id, uint64_t *count)
{
	sqlite3_bind_int64(store->statements[STATEMENT_COUNT_OBJECTS], 1, (sqlite3_int64)slot_id);
	return read_count(store, STATEMENT_COUNT_OBJECTS, count);
}

enum err store_count_objects(struct store *store, uint64_t slot_id, uint64_t *count)
{
	enum err err;

	pthread_mutex_lock(&store->lock);
	err = count_objects(store, slot_id, count);
	pthread_mutex_unlock(&store->lock);
	return err;
}

/* ---- restoring a backup ---- */

static void bind_restore(struct store *store, enum statement which,
                         const struct store_restore *restore)
{
	sqlite3_stmt *statement = store->statements[which];

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)restore->token->slot_id);
	sqlite3_bind_blob(statement, 2, restore->id, STORE_RESTORE_ID_LEN, SQLITE_STATIC);
}

static enum err check_restore(struct store *store, const struct store_restore *restore)
{
	uint64_t objects = 0, before = 0;
	enum err err = count_objects(store, restore->token->slot_id, &objects);

	bind_restore(store, STATEMENT_FIND_RESTORE, restore);
	if (!err)
		err = read_count(store, STATEMENT_FIND_RESTORE, &before);
	if (!err && before && !restore->again)
		err = ERROR_BACKUP_REPLAY;
	if (!err && objects && !restore->replace)
		err = ERROR_TOKEN_IN_USE;
	return err;
}

static enum err insert_rows(struct store *store, const struct store_restore *restore)
{
	enum err err = ERROR_NONE;

	for (size_t i = 0; !err && i < restore->count; i++) {
		err = put_object(store, STATEMENT_INSERT_OBJECT, &restore->rows[i]);
		if (err && sqlite3_errcode(store->database) == SQLITE_CONSTRAINT)
			err = ERROR_BACKUP_ELSEWHERE;
	}
	return err;
}

static enum err apply_restore(struct store *store, const struct store_restore *restore)
{
	enum err err = check_restore(store, restore);

	if (err)
		return err;
	sqlite3_bind_int64(store->statements[STATEMENT_DELETE_SLOT], 1,
	                   (sqlite3_int64)restore->token->slot_id);
	err = execute(store, STATEMENT_DELETE_SLOT);
	if (!err)
		err = insert_rows(store, restore);
	if (!err)
		err = write_token(store, restore->token);
	bind_restore(store, STATEMENT_ADD_RESTORE, restore);
	return err ? err : execute(store, STATEMENT_ADD_RESTORE);
}

enum err store_restore(struct store *store, const struct store_restore *restore)
{
	enum err err;

	pthread_mutex_lock(&store->lock);
	err = execute(store, STATEMENT_BEGIN);
	if (!err)
		err = finish(store, apply_restore(store, restore));
	pthread_mutex_unlock(&store->lock);
	return err;
}

enum err store_put_objects(struct store *store, const struct store_row *rows, size_t count)
{
	return store_change_objects(store, &(struct store_change){.rows = rows, .count = count});
}

enum err store_delete_object(struct store *store, uint64_t slot_id,
                             const uint8_t uid[OBJECT_UID_LEN])
{
	enum err err;

	pthread_mutex_lock(&store->lock);
	err = delete_object(store, slot_id, uid);
	pthread_mutex_unlock(&store->lock);
	return err;
}

/* ---- secrets ---- */

static enum err read_secret(struct store *store, const char *name, uint8_t *sealed, size_t *len)
{
	sqlite3_stmt *statement = store->statements[STATEMENT_READ_SECRET];
	size_t room = *len, there = 0;
	enum err err = ERROR_NONE;
	int code;

	sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		const void *octets = sqlite3_column_blob(statement, 0);

		there = (size_t)sqlite3_column_bytes(statement, 0);
		if (!octets || !there || there > room)
			err = ERROR_STORE_CORRUPT;
		else
			memcpy(sealed, octets, there);
	} else if (code != SQLITE_DONE) {
		err = translate(store, code);
	}
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	*len = err ? 0 : there;
	return err;
}

enum err store_read_secret(struct store *store, const char *name, uint8_t *sealed, size_t *len)
{
	enum err err;

	pthread_mutex_lock(&store->lock);
	err = read_secret(store, name, sealed, len);
	pthread_mutex_unlock(&store->lock);
	return err;
}

enum err store_write_secret(struct store *store, const char *name, struct wire_bytes sealed)
{
	sqlite3_stmt *statement = store->statements[STATEMENT_WRITE_SECRET];
	enum err err;

	pthread_mutex_lock(&store->lock);
	sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_blob64(statement, 2, sealed.data, sealed.len, SQLITE_STATIC);
	err = execute(store, STATEMENT_WRITE_SECRET);
	pthread_mutex_unlock(&store->lock);
	return err;
}

/* ---- opening ---- */

static int refuse(const char *path, const char *why, char *error, size_t error_len)
{
	snprintf(error, error_len, "%s: %s", path, why);
	return -1;
}

/* Who has a lock on any of the file. */
static int describe_owner(int fd, const char *path, char *error, size_t error_len)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fd >= 0 && !fcntl(fd, F_GETLK, &lock) && lock.l_type != F_UNLCK && lock.l_pid > 0)
		snprintf(error, error_len,
		         "%s: Database is locked by pid %d; stop that process first", path,
		         (int)lock.l_pid);
	else
		snprintf(error, error_len,
		         "%s: Database is locked by another process; stop it first", path);
	return -1;
}

/* A lock of our own besides SQLite's, because it knows its owner's pid. It lasts as long as the
 * process. */
static int take_lock(struct store *store, const char *path, char *error, size_t error_len)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	store->lock_fd = openat(store->directory_fd, LOCK_NAME,
	                        O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (store->lock_fd < 0)
		return path_refuse_errno(path, errno, error, error_len);
	if (!fcntl(store->lock_fd, F_SETLK, &lock))
		return 0;
	if (errno == EACCES || errno == EAGAIN)
		return describe_owner(store->lock_fd, path, error, error_len);
	return path_refuse_errno(path, errno, error, error_len);
}

/* The database file, made here so that its mode is ours and it is no link. */
static int check_file(struct store *store, const char *path, char *error, size_t error_len)
{
	int fd = openat(store->directory_fd, DATABASE_NAME,
	                O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct stat status;
	int result = 0;

	if (fd < 0)
		return path_refuse_errno(path, errno, error, error_len);
	if (fstat(fd, &status) || !S_ISREG(status.st_mode) || status.st_uid != geteuid() ||
	    (status.st_mode & 077))
		result = refuse(path,
		                DATABASE_NAME
		                " must be a regular file of the daemon's user with mode 0600",
		                error, error_len);
	close(fd);
	return result;
}

static int read_version(struct store *store)
{
	sqlite3_stmt *statement;
	int version = -1;

	if (sqlite3_prepare_v2(store->database, "PRAGMA user_version", -1, &statement, NULL) !=
	    SQLITE_OK)
		return -1;
	if (sqlite3_step(statement) == SQLITE_ROW)
		version = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return version;
}

static const char *prepare(struct store *store)
{
	int version;

	if (sqlite3_exec(store->database, settings, NULL, NULL, NULL) != SQLITE_OK)
		return sqlite3_errmsg(store->database);
	version = read_version(store);
	if (version > FORMAT_VERSION)
		return "it was written by a newer version; install that one or restore a backup";
	if (version < 0)
		return sqlite3_errmsg(store->database);
	for (; version < FORMAT_VERSION; version++) {
		if (sqlite3_exec(store->database, upgrades[version], NULL, NULL, NULL) != SQLITE_OK)
			return sqlite3_errmsg(store->database);
	}
	for (int i = 0; i < STATEMENT_COUNT; i++) {
		if (sqlite3_prepare_v3(store->database, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
		                       &store->statements[i], NULL) != SQLITE_OK)
			return sqlite3_errmsg(store->database);
	}
	return NULL;
}

/* Somebody uses the database without our lock: the sqlite3 shell, or a backup. Closing this
 * descriptor takes SQLite's own locks away, which is of no matter: it has none. */
static int describe_user(struct store *store, const char *path, char *error, size_t error_len)
{
	int fd = openat(store->directory_fd, DATABASE_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int result = describe_owner(fd, path, error, error_len);

	if (fd >= 0)
		close(fd);
	return result;
}

static int open_database(struct store *store, const char *path, char *error, size_t error_len)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
	char file[4096];
	const char *why;

	if ((size_t)snprintf(file, sizeof(file), "%s/" DATABASE_NAME, path) >= sizeof(file))
		return refuse(path, "the path is too long", error, error_len);
	if (sqlite3_open_v2(file, &store->database, flags, NULL) != SQLITE_OK)
		return refuse(path,
		              store->database ? sqlite3_errmsg(store->database) : "out of memory",
		              error, error_len);
	why = prepare(store);
	if (!why)
		return 0;
	if (sqlite3_errcode(store->database) == SQLITE_BUSY)
		return describe_user(store, path, error, error_len);
	return refuse(path, why, error, error_len);
}

int store_open(struct store **out, const char *path, char *error, size_t error_len)
{
	struct store *store = calloc(1, sizeof(*store));

	if (!store)
		return refuse(path, "out of memory", error, error_len);
	pthread_mutex_init(&store->lock, NULL);
	store->lock_fd = -1;
	store->directory_fd = path_open_private_directory(path, error, error_len);
	if (store->directory_fd >= 0 && !take_lock(store, path, error, error_len) &&
	    !check_file(store, path, error, error_len) &&
	    !open_database(store, path, error, error_len)) {
		*out = store;
		return 0;
	}
	store_close(store);
	return -1;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(store->statements[i]);
	if (sqlite3_close(store->database) != SQLITE_OK)
		log_error("store: not closed cleanly: %s", sqlite3_errmsg(store->database));
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	if (store->directory_fd >= 0)
		close(store->directory_fd);
	pthread_mutex_destroy(&store->lock);
	free(store);
}
