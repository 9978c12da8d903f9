/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: rows come back as they went in and in order, transactions are all or none, there is
 * one owner, and what was acknowledged survives SIGKILL.
 */
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>

#include "base_fixture.h"
#include "clock.h"
#include "store.h"

#define ROWS_MAX 4096u

static struct store *store;

static int try_open(void)
{
	base_error[0] = '\0';
	return store_open(&store, base_path("store"), base_error, sizeof(base_error));
}

static void open_store(void)
{
	if (try_open())
		printf("# %s\n", base_error);
	else
		return;
	ASSERT_TRUE(false);
}

static void reopen(void)
{
	store_close(store);
	open_store();
}

static struct store_row make_row(uint64_t slot_id, uint32_t number, const char *sealed)
{
	struct store_row row = {.slot_id = slot_id, .revision = 1, .sealed = wire_text(sealed)};

	memcpy(row.uid, &number, sizeof(number));
	return row;
}

static enum err put_one(uint64_t slot_id, uint32_t number, const char *sealed)
{
	struct store_row row = make_row(slot_id, number, sealed);

	return store_put_objects(store, &row, 1);
}

struct loaded {
	uint32_t count;
	uint32_t numbers[ROWS_MAX];
	uint64_t revisions[ROWS_MAX];
	char sealed[ROWS_MAX][16];
};

static struct loaded loaded;

static enum err note_row(void *context, const struct store_row *row)
{
	uint32_t at = loaded.count;

	(void)context;
	ASSERT_LT(at, ROWS_MAX);
	ASSERT_LT(row->sealed.len, sizeof(loaded.sealed[0]));
	memcpy(&loaded.numbers[at], row->uid, sizeof(uint32_t));
	memcpy(loaded.sealed[at], row->sealed.data, row->sealed.len);
	loaded.revisions[at] = row->revision;
	loaded.count++;
	return ERROR_NONE;
}

static void load(uint64_t slot_id, bool is_private)
{
	memset(&loaded, 0, sizeof(loaded));
	ASSERT_EQ(store_load_objects(store, slot_id, is_private, note_row, NULL), ERROR_NONE);
}

TEST(makes_private_files)
{
	struct stat status;

	umask(0);
	open_store();
	ASSERT_EQ(stat(base_path("store"), &status), 0);
	EXPECT_EQ(status.st_mode & 07777, 0700);
	ASSERT_EQ(stat(base_path("store/store.db"), &status), 0);
	EXPECT_EQ(status.st_mode & 07777, 0600);
	ASSERT_EQ(stat(base_path("store/store.lock"), &status), 0);
	EXPECT_EQ(status.st_mode & 07777, 0600);
	store_close(store);
	ASSERT_EQ(chmod(base_path("store/store.db"), 0640), 0);
	EXPECT_EQ(try_open(), -1);
	EXPECT_TRUE(base_error_has("mode 0600"));
	store_close(NULL);
}

TEST(loads_in_order)
{
	struct store_row private = make_row(0, 50, "private");

	private.is_private = true;
	open_store();
	for (uint32_t number = 20; number > 0; number--)
		ASSERT_EQ(put_one(number % 2, number, "x"), ERROR_NONE);
	ASSERT_EQ(store_put_objects(store, &private, 1), ERROR_NONE);
	for (int round = 0; round < 2; round++) {
		load(0, false);
		ASSERT_EQ(loaded.count, 10);
		for (uint32_t i = 0; i < 10; i++)
			EXPECT_EQ(loaded.numbers[i], 20 - 2 * i);
		load(0, true);
		ASSERT_EQ(loaded.count, 1);
		EXPECT_STREQ(loaded.sealed[0], "private");
		load(7, false);
		EXPECT_EQ(loaded.count, 0);
		reopen();
	}
	store_close(store);
}

static enum err stop_at_once(void *context, const struct store_row *row)
{
	(void)row;
	++*(int *)context;
	return ERROR_MEMORY;
}

TEST(loading_stops_at_an_error)
{
	int calls = 0;

	open_store();
	ASSERT_EQ(put_one(0, 1, "x"), ERROR_NONE);
	ASSERT_EQ(put_one(0, 2, "x"), ERROR_NONE);
	EXPECT_EQ(store_load_objects(store, 0, false, stop_at_once, &calls), ERROR_MEMORY);
	EXPECT_EQ(calls, 1);
	load(0, false);
	EXPECT_EQ(loaded.count, 2);
	store_close(store);
}

TEST(replaces_and_deletes)
{
	struct store_row row = make_row(0, 1, "second");

	open_store();
	ASSERT_EQ(put_one(0, 1, "first"), ERROR_NONE);
	ASSERT_EQ(put_one(0, 2, "other"), ERROR_NONE);
	row.revision = UINT64_MAX;
	ASSERT_EQ(store_put_objects(store, &row, 1), ERROR_NONE);
	load(0, false);
	ASSERT_EQ(loaded.count, 2);
	EXPECT_EQ(loaded.numbers[0], 1); /* in its old place */
	EXPECT_STREQ(loaded.sealed[0], "second");
	EXPECT_EQ(loaded.revisions[0], UINT64_MAX);
	EXPECT_EQ(store_delete_object(store, 1, row.uid), ERROR_OBJECT_HANDLE); /* other slot */
	EXPECT_EQ(store_delete_object(store, 0, row.uid), ERROR_NONE);
	EXPECT_EQ(store_delete_object(store, 0, row.uid), ERROR_OBJECT_HANDLE);
	reopen();
	load(0, false);
	ASSERT_EQ(loaded.count, 1);
	EXPECT_EQ(loaded.numbers[0], 2);
	store_close(store);
}

TEST(all_or_none)
{
	struct store_row rows[3] = {make_row(0, 1, "a"), make_row(0, 2, "b"), make_row(0, 3, "c")};

	open_store();
	ASSERT_EQ(put_one(0, 1, "before"), ERROR_NONE);
	rows[2].sealed = (struct wire_bytes){NULL, 0}; /* the table has no such rows */
	EXPECT_EQ(store_put_objects(store, rows, 3), ERROR_STORE);
	load(0, false);
	ASSERT_EQ(loaded.count, 1);
	EXPECT_STREQ(loaded.sealed[0], "before");
	rows[2].sealed = wire_text("c");
	EXPECT_EQ(store_put_objects(store, rows, 3), ERROR_NONE);
	load(0, false);
	EXPECT_EQ(loaded.count, 3);
	store_close(store);
}

#define CHANGES 8u

/* Changes of two rows each; changes[i] has rows 2i + 1 and 2i + 2. */
struct group {
	struct store_row rows[CHANGES][2];
	struct store_change changes[CHANGES], *list[CHANGES];
};

static void make_group(struct group *group, const char *sealed)
{
	for (uint32_t i = 0; i < CHANGES; i++) {
		group->rows[i][0] = make_row(0, 2 * i + 1, sealed);
		group->rows[i][1] = make_row(0, 2 * i + 2, sealed);
		group->changes[i] = (struct store_change){.rows = group->rows[i], .count = 2};
		group->list[i] = &group->changes[i];
	}
}

/* What fails by itself leaves nothing: neither a row that was put before the bad one, nor one that
 * was put before an object that cannot be deleted. */
TEST(one_bad_change_of_a_group)
{
	static const uint8_t missing[1][OBJECT_UID_LEN] = {{0xff}};
	struct group group;

	open_store();
	make_group(&group, "x");
	group.rows[2][1].sealed = (struct wire_bytes){NULL, 0};
	group.changes[5].deleted = missing;
	group.changes[5].deleted_count = 1;
	group.changes[7].count = 0; /* a single statement that finds nothing */
	group.changes[7].deleted = missing;
	group.changes[7].deleted_count = 1;
	store_change_group(store, group.list, CHANGES);
	for (uint32_t i = 0; i < CHANGES; i++)
		EXPECT_EQ(group.changes[i].err, i == 2             ? ERROR_STORE
		                                : i == 5 || i == 7 ? ERROR_OBJECT_HANDLE
		                                                   : ERROR_NONE);
	reopen();
	load(0, false);
	ASSERT_EQ(loaded.count, 10);
	for (uint32_t i = 0, number = 1; i < loaded.count; i++, number++) {
		if (number == 5 || number == 11)
			number += 2;
		EXPECT_EQ(loaded.numbers[i], number);
	}
	store_close(store);
}

/* Later changes of a group see the earlier ones, and the last word counts. */
TEST(a_group_keeps_its_order)
{
	struct store_row first = make_row(0, 1, "first"), second = make_row(0, 1, "second");
	const uint8_t(*uid)[OBJECT_UID_LEN] = (const uint8_t(*)[OBJECT_UID_LEN]) & first.uid;
	struct store_change put = {.rows = &first, .count = 1},
			    again = {.rows = &second, .count = 1},
			    gone = {.deleted = uid, .deleted_count = 1}, missed = gone,
			    last = again;
	struct store_change *list[] = {&put, &again, &gone, &missed, &last};

	open_store();
	store_change_group(store, list, 3);
	load(0, false);
	EXPECT_EQ(loaded.count, 0);
	store_change_group(store, list, 5);
	EXPECT_EQ(gone.err, ERROR_NONE);
	EXPECT_EQ(missed.err, ERROR_OBJECT_HANDLE);
	EXPECT_EQ(last.err, ERROR_NONE);
	load(0, false);
	ASSERT_EQ(loaded.count, 1);
	EXPECT_STREQ(loaded.sealed[0], "second");
	store_close(store);
}

/* The transaction cannot be written: all of the group fail, and nothing of it is there. */
TEST(a_group_fails_as_a_whole)
{
	struct group group;

	open_store();
	ASSERT_EQ(put_one(0, 100, "before"), ERROR_NONE);
	make_group(&group, "x");
	base_limit_files(4096);
	store_change_group(store, group.list, CHANGES);
	base_limit_files(0);
	for (uint32_t i = 0; i < CHANGES; i++)
		EXPECT_EQ(group.changes[i].err, ERROR_STORE);
	load(0, false);
	EXPECT_EQ(loaded.count, 1);
	store_change_group(store, group.list, CHANGES);
	for (uint32_t i = 0; i < CHANGES; i++)
		EXPECT_EQ(group.changes[i].err, ERROR_NONE);
	reopen();
	load(0, false);
	EXPECT_EQ(loaded.count, 1 + 2 * CHANGES);
	store_close(store);
}

/* A disk that takes no more: the error is told, and the store lives on when there is room. */
TEST(failed_writes_lose_nothing)
{
	enum err err = ERROR_NONE;
	uint32_t done = 0;

	open_store();
	base_limit_files(256 * 1024);
	while (!err && done < ROWS_MAX - 1) {
		err = put_one(0, done + 1, "x");
		done += !err;
	}
	base_limit_files(0);
	EXPECT_NE(err, ERROR_NONE);
	EXPECT_EQ(put_one(0, done + 1, "x"), ERROR_NONE);
	reopen();
	load(0, false);
	ASSERT_EQ(loaded.count, done + 1);
	for (uint32_t i = 0; i <= done; i++)
		ASSERT_EQ(loaded.numbers[i], i + 1);
	store_close(store);
}

static struct store_token make_token(uint64_t slot_id)
{
	struct store_token token = {.slot_id = slot_id, .created = -5};

	memset(token.label, 'L', sizeof(token.label));
	memset(token.serial, 'S', sizeof(token.serial));
	token.so = (struct store_pin){
		.set = true, .iterations = 1ull << 40, .failures = 0x01020304, .must_change = true};
	memset(token.so.salt, 1, sizeof(token.so.salt));
	memset(token.so.wrapped_key, 2, sizeof(token.so.wrapped_key));
	return token;
}

static enum err note_token(void *context, const struct store_token *token)
{
	struct store_token *tokens = context;

	while (tokens->serial[0])
		tokens++;
	*tokens = *token;
	return ERROR_NONE;
}

static void same_pin(const struct store_pin *a, const struct store_pin *b)
{
	EXPECT_EQ(a->set, b->set);
	EXPECT_EQ(a->iterations, b->iterations);
	EXPECT_EQ(a->failures, b->failures);
	EXPECT_EQ(a->must_change, b->must_change);
	EXPECT_MEMEQ(a->salt, b->salt, sizeof(a->salt));
	EXPECT_MEMEQ(a->wrapped_key, b->wrapped_key, sizeof(a->wrapped_key));
}

TEST(tokens_come_back)
{
	struct store_token token = make_token(3), tokens[4] = {0};

	open_store();
	ASSERT_EQ(store_write_token(store, &token), ERROR_NONE);
	token.slot_id = 1;
	ASSERT_EQ(store_write_token(store, &token), ERROR_NONE);
	token = make_token(3);
	token.user = token.so;
	token.user.failures = 9;
	ASSERT_EQ(store_write_token(store, &token), ERROR_NONE);
	reopen();
	ASSERT_EQ(store_load_tokens(store, note_token, tokens), ERROR_NONE);
	EXPECT_EQ(tokens[0].slot_id, 1);
	EXPECT_FALSE(tokens[0].user.set);
	EXPECT_EQ(tokens[1].slot_id, 3);
	EXPECT_EQ(tokens[1].created, -5);
	EXPECT_MEMEQ(tokens[1].label, token.label, sizeof(token.label));
	EXPECT_MEMEQ(tokens[1].serial, token.serial, sizeof(token.serial));
	same_pin(&tokens[1].so, &token.so);
	same_pin(&tokens[1].user, &token.user);
	EXPECT_EQ(tokens[2].serial[0], 0);
	store_close(store);
}

TEST(reset_empties_one_slot)
{
	struct store_token token = make_token(0), tokens[4] = {0};
	struct store_row row = make_row(0, 3, "private");

	row.is_private = true;
	open_store();
	ASSERT_EQ(put_one(0, 1, "x"), ERROR_NONE);
	ASSERT_EQ(put_one(1, 2, "x"), ERROR_NONE);
	ASSERT_EQ(store_put_objects(store, &row, 1), ERROR_NONE);
	ASSERT_EQ(store_reset_token(store, &token), ERROR_NONE);
	reopen();
	load(0, false);
	EXPECT_EQ(loaded.count, 0);
	load(0, true);
	EXPECT_EQ(loaded.count, 0);
	load(1, false);
	EXPECT_EQ(loaded.count, 1);
	ASSERT_EQ(store_load_tokens(store, note_token, tokens), ERROR_NONE);
	EXPECT_EQ(tokens[0].serial[0], 'S');
	store_close(store);
}

/* Changes the closed database behind the store's back. */
static void run_sql(const char *sql)
{
	sqlite3 *database;

	ASSERT_EQ(sqlite3_open(base_path("store/store.db"), &database), SQLITE_OK);
	ASSERT_EQ(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
	ASSERT_EQ(sqlite3_close(database), SQLITE_OK);
}

TEST(damaged_token_is_told)
{
	static const char *const damages[] = {
		"UPDATE tokens SET so_pin = zeroblob(12)",
		"UPDATE tokens SET user_pin = zeroblob(90)",
		"UPDATE tokens SET label = zeroblob(31)",
		"UPDATE tokens SET serial = zeroblob(17)",
	};
	struct store_token token = make_token(0), tokens[2];

	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		open_store();
		ASSERT_EQ(store_write_token(store, &token), ERROR_NONE);
		store_close(store);
		run_sql(damages[i]);
		open_store();
		memset(tokens, 0, sizeof(tokens));
		EXPECT_EQ(store_load_tokens(store, note_token, tokens), ERROR_STORE_CORRUPT);
		store_close(store);
	}
}

TEST(newer_format_is_refused)
{
	open_store();
	store_close(store);
	run_sql("PRAGMA user_version = 3");
	EXPECT_EQ(try_open(), -1);
	EXPECT_TRUE(base_error_has("written by a newer version"));
	run_sql("PRAGMA user_version = 2");
	EXPECT_EQ(try_open(), 0);
	store_close(store);
}

/* A database of version 1 had no table of restores; what it holds stays. */
TEST(older_format_is_upgraded)
{
	struct store_token token = make_token(0), tokens[2] = {0};

	open_store();
	ASSERT_EQ(store_write_token(store, &token), ERROR_NONE);
	store_close(store);
	run_sql("DROP TABLE restores; DROP TABLE secrets; PRAGMA user_version = 1");
	open_store();
	EXPECT_EQ(store_load_tokens(store, note_token, tokens), ERROR_NONE);
	EXPECT_MEMEQ(tokens[0].label, token.label, sizeof(token.label));
	EXPECT_EQ(store_reset_token(store, &token), ERROR_NONE);
	store_close(store);
	open_store();
	store_close(store);
}

TEST(no_database)
{
	open_store();
	store_close(store);
	base_write(base_path("store/store.db"), "this is no database, but long enough to be read",
	           47, 0600);
	EXPECT_EQ(try_open(), -1);
	EXPECT_TRUE(base_error_has("not a database"));
	ASSERT_EQ(unlink(base_path("store/store.db")), 0);
	ASSERT_EQ(symlink("elsewhere", base_path("store/store.db")), 0);
	EXPECT_EQ(try_open(), -1);
	EXPECT_NE(access(base_path("store/elsewhere"), F_OK), 0);
}

static int end_of(pid_t child)
{
	int status = 0;

	ASSERT_EQ(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(one_owner)
{
	char wanted[80];
	pid_t child;

	snprintf(wanted, sizeof(wanted), "Database is locked by pid %d;", (int)getpid());
	open_store();
	child = fork();
	if (!child)
		_exit(!try_open() ? 78 : base_error_has(wanted) ? 77 : 79);
	EXPECT_EQ(end_of(child), 77);
	EXPECT_EQ(put_one(0, 1, "x"), ERROR_NONE);
	store_close(store);
	child = fork();
	if (!child)
		_exit(try_open() ? 78 : 77);
	EXPECT_EQ(end_of(child), 77);
}

/* Somebody who has the database open without our lock, such as the sqlite3 shell. */
static void __attribute__((noreturn)) hold_database(int ready)
{
	sqlite3 *database;

	if (sqlite3_open(base_path("store/store.db"), &database) ||
	    sqlite3_exec(database, "BEGIN; SELECT count(*) FROM objects", NULL, NULL, NULL) ||
	    write(ready, "", 1) != 1)
		_exit(78);
	for (;;)
		pause();
}

TEST(foreign_owner_of_the_database)
{
	char wanted[80], octet;
	int ends[2];
	pid_t child;

	open_store();
	store_close(store);
	ASSERT_EQ(pipe(ends), 0);
	child = fork();
	if (!child)
		hold_database(ends[1]);
	ASSERT_EQ(read(ends[0], &octet, 1), 1);
	snprintf(wanted, sizeof(wanted), "Database is locked by pid %d;", (int)child);
	EXPECT_EQ(try_open(), -1);
	EXPECT_TRUE(base_error_has(wanted));
	kill(child, SIGKILL);
	EXPECT_EQ(end_of(child), -SIGKILL);
	open_store();
	store_close(store);
}

/* Rows whose uid is damaged stop nobody from loading the others. */
TEST(rows_without_uid_are_skipped)
{
	open_store();
	for (uint32_t number = 1; number <= 4; number++)
		ASSERT_EQ(put_one(0, number, "x"), ERROR_NONE);
	store_close(store);
	run_sql("UPDATE objects SET uid = zeroblob(15) WHERE number = 2;"
	        "UPDATE objects SET uid = x'' WHERE number = 3");
	open_store();
	load(0, false);
	ASSERT_EQ(loaded.count, 2);
	EXPECT_EQ(loaded.numbers[0], 1);
	EXPECT_EQ(loaded.numbers[1], 4);
	store_close(store);
}

/* A file system of our own at the place of the store. */
static void mount_store(const char *options)
{
	ASSERT_EQ(mkdir(base_path("store"), 0700), 0);
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", base_path("store"), "tmpfs", 0, options))
		SKIP("needs root to mount a file system");
}

TEST(full_disk)
{
	enum err err = ERROR_NONE;
	uint32_t done = 0;

	mount_store("size=256k,mode=0700");
	open_store();
	while (!err && done < ROWS_MAX - 1) {
		err = put_one(0, done + 1, "x");
		done += !err;
	}
	EXPECT_EQ(err, ERROR_STORE_FULL);
	load(0, false);
	EXPECT_EQ(loaded.count, done);
	ASSERT_EQ(mount(NULL, base_path("store"), NULL, MS_REMOUNT, "size=4m,mode=0700"), 0);
	EXPECT_EQ(put_one(0, done + 1, "x"), ERROR_NONE);
	reopen();
	load(0, false);
	EXPECT_EQ(loaded.count, done + 1);
	store_close(store);
	umount2(base_path("store"), MNT_DETACH);
}

TEST(read_only_file_system)
{
	mount_store("size=256k,mode=0700");
	open_store();
	store_close(store);
	ASSERT_EQ(mount(NULL, base_path("store"), NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	EXPECT_EQ(try_open(), -1);
	EXPECT_TRUE(base_error_has("read-only file system"));
	umount2(base_path("store"), MNT_DETACH);
}

/* Not judged: how long a durable put takes here. */
TEST(put_timing)
{
	const uint32_t puts = 500;
	uint64_t start;

	open_store();
	start = clock_monotonic_ns();
	for (uint32_t number = 1; number <= puts; number++)
		ASSERT_EQ(put_one(0, number, "0123456789abcde"), ERROR_NONE);
	printf("# put: %.0f us\n", (double)(clock_monotonic_ns() - start) / 1e3 / puts);
	store_close(store);
}

/* Puts pairs without end and says so after each. */
static void __attribute__((noreturn)) put_pairs(int pipe_end, uint32_t from)
{
	if (try_open())
		_exit(78);
	for (uint32_t number = from;; number += 2) {
		struct store_row rows[2] = {make_row(0, number, "x"), make_row(0, number + 1, "x")};

		if (store_put_objects(store, rows, 2) ||
		    write(pipe_end, &number, sizeof(number)) != sizeof(number))
			_exit(79);
	}
}

/* The last number that a child acknowledged before it was killed. */
static uint32_t kill_in_the_middle(uint32_t from, unsigned int after)
{
	uint32_t number, last = 0;
	unsigned int seen = 0;
	int ends[2];
	pid_t child;

	ASSERT_EQ(pipe(ends), 0);
	child = fork();
	if (!child)
		put_pairs(ends[1], from);
	close(ends[1]);
	while (read(ends[0], &number, sizeof(number)) == sizeof(number)) {
		last = number;
		if (++seen == after)
			kill(child, SIGKILL);
	}
	close(ends[0]);
	EXPECT_EQ(end_of(child), -SIGKILL);
	EXPECT_GE(seen, after);
	return last;
}

TEST(acknowledged_rows_survive_sigkill)
{
	uint32_t next = 1;

	base_path(""); /* the children use it, too */
	for (unsigned int round = 0; round < 8; round++) {
		uint32_t last = kill_in_the_middle(next, 3 + 7 * round);

		open_store();
		load(0, false);
		ASSERT_GE(loaded.count, last + 1);
		ASSERT_EQ(loaded.count % 2, 0);
		for (uint32_t i = 0; i < loaded.count; i++)
			ASSERT_EQ(loaded.numbers[i], i + 1);
		next = loaded.count + 1;
		store_close(store);
	}
}

HARNESS_MAIN
