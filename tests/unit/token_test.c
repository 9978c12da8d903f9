/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens: PINs with their counters and windows, logins, and objects that are kept, hidden, replaced
 * and found, over a store that is closed and opened again.
 */
#include <pthread.h>
#include <sched.h>
#include <sqlite3.h>

#include "clock.h"

#define SO_PIN   wire_text("so-pin-1")
#define USER_PIN wire_text("user-pin")
#define WRONG    wire_text("wrong-pin")
#define SLOT     2u

#include "token_fixture.h"
#include "token_private.h"

/* Never followed. */
#define APPLICATION(n) ((const struct application *)(uintptr_t)(0x1000 * (n)))

static unsigned int delay_ms;

static void reopen(void)
{
	close_token();
	open_token();
}

static enum err login(enum token_user user, struct wire_bytes pin)
{
	delay_ms = 0;
	return token_login(token, user, pin, &delay_ms);
}

/* The first answer that is not about the window, which is at most some hundred milliseconds. */
static enum err login_after_window(enum token_user user, struct wire_bytes pin)
{
	enum err err;

	while ((err = login(user, pin)) == ERROR_PIN_RATE_LIMITED)
		;
	return err;
}

static struct token_info info(void)
{
	struct token_info out;

	token_info(token, &out);
	return out;
}

static void open_initialized(void)
{
	open_crypto_and_token();
	ASSERT_EQ(token_initialize(token, SO_PIN, wire_text("a label"), &delay_ms), ERROR_NONE);
	ASSERT_EQ(login(TOKEN_SO, SO_PIN), ERROR_NONE);
	ASSERT_EQ(token_init_pin(token, USER_PIN), ERROR_NONE);
	token_logout(token);
}

/* ---- objects ---- */

enum kind { SESSION = 0, TOKEN = 1, PRIVATE = 2 };

static struct object *make(const char *label, unsigned int kind)
{
	attributes_auto set = {0};
	struct object *object = NULL;

	ASSERT_EQ(attributes_set_number(&set, CKA_CLASS, CKO_DATA), ERROR_NONE);
	ASSERT_EQ(attributes_set_flag(&set, CKA_TOKEN, kind & TOKEN), ERROR_NONE);
	ASSERT_EQ(attributes_set_flag(&set, CKA_PRIVATE, (kind & PRIVATE) != 0), ERROR_NONE);
	ASSERT_EQ(attributes_set_bytes(&set, CKA_LABEL, label, strlen(label)), ERROR_NONE);
	ASSERT_EQ(object_new(&set, &object), ERROR_NONE);
	return object;
}

static uint32_t add(const char *label, unsigned int kind)
{
	object_auto object = make(label, kind);

	if (!(kind & TOKEN))
		object->application = APPLICATION(1);
	ASSERT_EQ(add_objects(&object, 1), ERROR_NONE);
	ASSERT_NE(object->handle, 0);
	return object->handle;
}

#define PROFILES 3u

/* How many objects with this label (NULL: any) application 1 sees; the handles in `handles`. */
static size_t search(const char *label, uint32_t handles[64])
{
	attributes_auto set = {0};
	struct wire_template template;
	uint32_t *found = NULL;
	size_t count = 0, skipped = 0;

	if (label)
		ASSERT_EQ(attributes_set_bytes(&set, CKA_LABEL, label, strlen(label)), ERROR_NONE);
	template = attributes_template(&set);
	ASSERT_EQ(token_search(token, &template, APPLICATION(1), true, &found, &count), ERROR_NONE);
	/* An initialised token's profiles, which come first. */
	if (!label && count) {
		ASSERT_GE(count, PROFILES);
		count -= PROFILES;
		skipped = PROFILES;
	}
	ASSERT_LE(count, 64);
	if (handles && count)
		memcpy(handles, found + skipped, count * sizeof(*found));
	free(found);
	return count;
}

#define seen(label) search(label, NULL)

/* ---- PINs ---- */

TEST(fresh_token)
{
	struct token_info now;

	open_crypto_and_token();
	now = info();
	EXPECT_EQ(token_slot_id(token), SLOT);
	EXPECT_FALSE(now.initialized || now.user_pin_set);
	EXPECT_EQ(now.label[0], ' ');
	EXPECT_EQ(login(TOKEN_SO, SO_PIN), ERROR_TOKEN_NOT_RECOGNIZED);
	EXPECT_EQ(token_initialize(token, wire_text("short"), wire_text("x"), &delay_ms),
	          ERROR_PIN_LENGTH);
	EXPECT_FALSE(info().initialized);
	close_crypto_and_token();
}

TEST(initialized_token)
{
	struct token_info now;

	open_crypto_and_token();
	ASSERT_EQ(token_initialize(token, SO_PIN, wire_text("a label"), &delay_ms), ERROR_NONE);
	EXPECT_EQ(login(TOKEN_USER, USER_PIN), ERROR_USER_PIN_NOT_SET);
	EXPECT_EQ(token_init_pin(token, USER_PIN), ERROR_USER_NOT_LOGGED_IN);
	ASSERT_EQ(login(TOKEN_SO, SO_PIN), ERROR_NONE);
	EXPECT_EQ(token_init_pin(token, wire_text("short")), ERROR_PIN_LENGTH);
	ASSERT_EQ(token_init_pin(token, USER_PIN), ERROR_NONE);
	token_logout(token);
	for (int round = 0; round < 2; round++) {
		now = info();
		EXPECT_TRUE(now.initialized && now.user_pin_set);
		EXPECT_MEMEQ(now.label, "a label                         ", STORE_LABEL_LEN);
		EXPECT_NULL(memchr(now.serial, ' ', sizeof(now.serial)));
		EXPECT_EQ(now.pin_flags, 0);
		EXPECT_EQ(login(TOKEN_USER, SO_PIN), ERROR_PIN_INCORRECT);
		EXPECT_EQ(login_after_window(TOKEN_USER, USER_PIN), ERROR_NONE);
		token_logout(token);
		reopen();
	}
	close_crypto_and_token();
}

TEST(wrong_pins_open_windows)
{
	open_initialized();
	EXPECT_EQ(login(TOKEN_USER, WRONG), ERROR_PIN_INCORRECT);
	EXPECT_EQ(delay_ms, 100);
	EXPECT_EQ(login(TOKEN_USER, USER_PIN), ERROR_PIN_RATE_LIMITED);
	EXPECT_EQ(delay_ms, 0);
	EXPECT_EQ(info().user_failures, 1); /* the refused one is not counted */
	EXPECT_EQ(info().pin_flags, CKF_USER_PIN_COUNT_LOW);
	EXPECT_EQ(login(TOKEN_SO, SO_PIN), ERROR_NONE); /* the SO has a window of its own */
	token_logout(token);
	EXPECT_EQ(login_after_window(TOKEN_USER, WRONG), ERROR_PIN_INCORRECT);
	EXPECT_EQ(delay_ms, 200);
	EXPECT_EQ(login_after_window(TOKEN_USER, USER_PIN), ERROR_NONE);
	EXPECT_EQ(info().user_failures, 0);
	EXPECT_EQ(info().pin_flags, 0);
	token_logout(token);
	close_crypto_and_token();
}

TEST(locks_and_stays_locked)
{
	open_initialized();
	config->security.max_failed_logins = 3;
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(login_after_window(TOKEN_USER, WRONG), ERROR_PIN_INCORRECT);
	for (int round = 0; round < 2; round++) {
		EXPECT_EQ(login(TOKEN_USER, USER_PIN), ERROR_PIN_LOCKED);
		EXPECT_EQ(info().user_failures, 3);
		EXPECT_EQ(info().pin_flags, CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_LOCKED);
		reopen();
	}
	ASSERT_EQ(login(TOKEN_SO, SO_PIN), ERROR_NONE);
	ASSERT_EQ(token_init_pin(token, USER_PIN), ERROR_NONE);
	token_logout(token);
	EXPECT_EQ(login(TOKEN_USER, USER_PIN), ERROR_NONE);
	close_crypto_and_token();
}

TEST(counters_survive_a_restart)
{
	open_initialized();
	config->security.max_failed_logins = 3;
	ASSERT_EQ(login(TOKEN_USER, WRONG), ERROR_PIN_INCORRECT);
	ASSERT_EQ(login_after_window(TOKEN_USER, WRONG), ERROR_PIN_INCORRECT);
	ASSERT_EQ(login(TOKEN_SO, WRONG), ERROR_PIN_INCORRECT);
	reopen();
	EXPECT_EQ(info().user_failures, 2);
	EXPECT_EQ(info().so_failures, 1);
	EXPECT_EQ(info().pin_flags,
	          CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_SO_PIN_COUNT_LOW);
	EXPECT_EQ(login(TOKEN_USER, USER_PIN), ERROR_PIN_RATE_LIMITED); /* the window, too */
	EXPECT_EQ(login_after_window(TOKEN_USER, USER_PIN), ERROR_NONE);
	token_logout(token);
	reopen();
	EXPECT_EQ(info().user_failures, 0);
	EXPECT_EQ(info().so_failures, 1);
	close_crypto_and_token();
}

/* The SO's counter is a counter of its own, with flags of its own. */
TEST(so_locks_too)
{
	open_initialized();
	config->security.max_failed_logins = 3;
	ASSERT_EQ(login_after_window(TOKEN_SO, WRONG), ERROR_PIN_INCORRECT);
	EXPECT_EQ(info().pin_flags, CKF_SO_PIN_COUNT_LOW);
	ASSERT_EQ(login_after_window(TOKEN_SO, WRONG), ERROR_PIN_INCORRECT);
	EXPECT_EQ(info().pin_flags, CKF_SO_PIN_COUNT_LOW | CKF_SO_PIN_FINAL_TRY);
	ASSERT_EQ(login_after_window(TOKEN_SO, WRONG), ERROR_PIN_INCORRECT);
	EXPECT_EQ(info().pin_flags, CKF_SO_PIN_COUNT_LOW | CKF_SO_PIN_LOCKED);
	EXPECT_EQ(login(TOKEN_SO, SO_PIN), ERROR_PIN_LOCKED);
	EXPECT_EQ(token_initialize(token, SO_PIN, wire_text("new"), &delay_ms), ERROR_PIN_LOCKED);
	EXPECT_EQ(login(TOKEN_USER, USER_PIN), ERROR_NONE);
	token_logout(token);
	close_crypto_and_token();
}

/* Of a length that no PIN has: wrong like any other, so nobody learns the limits by it. */
TEST(wrong_lengths_count)
{
	static const char many[] = "0123456789012345678901234567890123456789"
				   "0123456789012345678901234567890123456789";

	open_initialized();
	EXPECT_EQ(login_after_window(TOKEN_USER, (struct wire_bytes){NULL, 0}),
	          ERROR_PIN_INCORRECT);
	EXPECT_EQ(login_after_window(TOKEN_USER, wire_text("x")), ERROR_PIN_INCORRECT);
	EXPECT_EQ(login_after_window(TOKEN_USER, wire_text(many)), ERROR_PIN_INCORRECT);
	EXPECT_EQ(delay_ms, 400);
	EXPECT_EQ(info().user_failures, 3);
	close_crypto_and_token();
}

static void *guess(void *context)
{
	unsigned int delay = 0;

	*(enum err *)context = token_login(token, TOKEN_USER, WRONG, &delay);
	return NULL;
}

/* Guesses that come together are one guess: the others meet its window. */
TEST(guesses_at_once)
{
	enum err answers[4];
	pthread_t threads[4];
	unsigned int incorrect = 0, limited = 0;
	uint64_t window_ends;

	open_initialized();
	for (int i = 0; i < 3; i++) /* so that the window is long: 800 ms */
		ASSERT_EQ(login_after_window(TOKEN_USER, WRONG), ERROR_PIN_INCORRECT);
	window_ends = clock_monotonic_ns() + delay_ms * 1000000ull;
	while (clock_monotonic_ns() < window_ends)
		;
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(pthread_create(&threads[i], NULL, guess, &answers[i]), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		incorrect += answers[i] == ERROR_PIN_INCORRECT;
		limited += answers[i] == ERROR_PIN_RATE_LIMITED;
	}
	EXPECT_EQ(incorrect, 1);
	EXPECT_EQ(limited, 3);
	EXPECT_EQ(info().user_failures, 4);
	close_crypto_and_token();
}

/* Answers three wrong PINs, says so, and waits for its end. */
static void __attribute__((noreturn)) fail_and_wait(int said)
{
	open_initialized();
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(login_after_window(TOKEN_USER, WRONG), ERROR_PIN_INCORRECT);
	ASSERT_EQ(write(said, "", 1), 1);
	for (;;)
		pause();
}

TEST(counters_survive_sigkill)
{
	char octet;
	int ends[2];
	pid_t child;

	base_path(""); /* the child uses it, too */
	ASSERT_EQ(pipe(ends), 0);
	if (!(child = fork()))
		fail_and_wait(ends[1]);
	close(ends[1]);
	ASSERT_EQ(read(ends[0], &octet, 1), 1);
	kill(child, SIGKILL);
	ASSERT_EQ(waitpid(child, NULL, 0), child);
	open_crypto_and_token();
	EXPECT_EQ(info().user_failures, 3);
	EXPECT_EQ(login(TOKEN_USER, USER_PIN), ERROR_PIN_RATE_LIMITED);
	EXPECT_EQ(login_after_window(TOKEN_USER, USER_PIN), ERROR_NONE);
	close_crypto_and_token();
}

/* The configured serial number is the first slot's; any other gets sixteen random digits. */
TEST(serials)
{
	struct token_environment environment;
	struct token_info first;
	struct token *slot_0;

	open_crypto_and_token();
	free(config->token.serial_number);
	config->token.serial_number = strdup("SN-1");
	ASSERT_EQ(token_initialize(token, SO_PIN, wire_text("x"), &delay_ms), ERROR_NONE);
	first = info();
	for (int i = 0; i < 16; i++)
		EXPECT_NOT_NULL(memchr("0123456789abcdef", first.serial[i], 16));
	environment = (struct token_environment){base_crypto, store, config, device_key, committer};
	ASSERT_EQ(token_new(&slot_0, 0, &environment, NULL), ERROR_NONE);
	ASSERT_EQ(token_initialize(slot_0, SO_PIN, wire_text("y"), &delay_ms), ERROR_NONE);
	token_info(slot_0, &first);
	EXPECT_MEMEQ(first.serial, "SN-1            ", STORE_SERIAL_LEN);
	token_free(slot_0);
	close_crypto_and_token();
}

TEST(verifying_is_no_login)
{
	open_initialized();
	EXPECT_EQ(token_verify_pin(token, TOKEN_USER, USER_PIN, &delay_ms), ERROR_NONE);
	EXPECT_EQ(token_init_pin(token, USER_PIN), ERROR_USER_NOT_LOGGED_IN);
	EXPECT_EQ(token_verify_pin(token, TOKEN_USER, WRONG, &delay_ms), ERROR_PIN_INCORRECT);
	EXPECT_EQ(info().user_failures, 1);
	close_crypto_and_token();
}

TEST(new_pins_keep_objects)
{
	struct wire_bytes second = wire_text("second-pin"), third = wire_text("third-pin");

	open_initialized();
	ASSERT_EQ(login(TOKEN_USER, USER_PIN), ERROR_NONE);
	add("secret", TOKEN | PRIVATE);
	add("known", TOKEN);
	EXPECT_EQ(token_set_pin(token, TOKEN_USER, USER_PIN, wire_text("x"), &delay_ms),
	          ERROR_PIN_LENGTH);
	ASSERT_EQ(token_set_pin(token, TOKEN_USER, USER_PIN, second, &delay_ms), ERROR_NONE);
	EXPECT_EQ(token_set_pin(token, TOKEN_USER, USER_PIN, third, &delay_ms),
	          ERROR_PIN_INCORRECT);
	token_logout(token);
	reopen();
	ASSERT_EQ(login_after_window(TOKEN_USER, second), ERROR_NONE);
	EXPECT_EQ(seen("secret"), 1);
	token_logout(token);
	ASSERT_EQ(login(TOKEN_SO, SO_PIN), ERROR_NONE);
	ASSERT_EQ(token_init_pin(token, third), ERROR_NONE);
	ASSERT_EQ(token_set_pin(token, TOKEN_SO, SO_PIN, second, &delay_ms), ERROR_NONE);
	token_logout(token);
	reopen();
	ASSERT_EQ(login(TOKEN_SO, second), ERROR_NONE);
	token_logout(token);
	ASSERT_EQ(login(TOKEN_USER, third), ERROR_NONE);
	EXPECT_EQ(seen("secret"), 1);
	EXPECT_EQ(seen("known"), 1);
	close_crypto_and_token();
}

TEST(initializing_again_destroys)
{
	open_initialized();
	add("known", TOKEN);
	EXPECT_EQ(token_initialize(token, WRONG, wire_text("new"), &delay_ms), ERROR_PIN_INCORRECT);
	EXPECT_EQ(info().so_failures, 1);
	EXPECT_EQ(seen("known"), 1);
	while (token_initialize(token, SO_PIN, wire_text("new"), &delay_ms) ==
	       ERROR_PIN_RATE_LIMITED)
		;
	for (int round = 0; round < 2; round++) {
		EXPECT_MEMEQ(info().label, "new ", 4);
		EXPECT_FALSE(info().user_pin_set);
		EXPECT_EQ(info().so_failures, 0);
		EXPECT_EQ(seen(NULL), 0);
		reopen();
	}
	close_crypto_and_token();
}

/* ---- objects ---- */

TEST(private_objects_go_with_the_last_logout)
{
	object_auto refused = NULL;
	uint32_t handle;

	open_initialized();
	refused = make("refused", TOKEN | PRIVATE);
	EXPECT_EQ(add_objects(&refused, 1), ERROR_USER_NOT_LOGGED_IN);
	ASSERT_EQ(login(TOKEN_USER, USER_PIN), ERROR_NONE);
	ASSERT_EQ(login(TOKEN_USER, USER_PIN), ERROR_NONE);
	handle = add("secret", TOKEN | PRIVATE);
	add("known", TOKEN);
	EXPECT_NULL(token_find(token, handle, APPLICATION(1), false));
	token_logout(token);
	EXPECT_EQ(seen("secret"), 1);
	token_logout(token);
	EXPECT_EQ(seen("secret"), 0);
	EXPECT_EQ(seen("known"), 1);
	EXPECT_NULL(token_find(token, handle, APPLICATION(1), true));
	ASSERT_EQ(login(TOKEN_USER, USER_PIN), ERROR_NONE);
	EXPECT_EQ(seen("secret"), 1);
	token_logout(token);
	reopen();
	ASSERT_EQ(login(TOKEN_USER, USER_PIN), ERROR_NONE);
	EXPECT_EQ(seen(NULL), 2);
	close_crypto_and_token();
}

TEST(session_objects)
{
	object_auto other = NULL;
	uint32_t handle;

	open_initialized();
	handle = add("mine", SESSION);
	add("mine, private", SESSION | PRIVATE);
	other = make("other", SESSION);
	other->application = APPLICATION(2);
	other->session_handle = 7;
	ASSERT_EQ(add_objects(&other, 1), ERROR_NONE);
	EXPECT_EQ(seen(NULL), 2);
	EXPECT_NULL(token_find(token, handle, APPLICATION(2), true));
	token_drop_private_session_objects(token, APPLICATION(1));
	EXPECT_EQ(seen(NULL), 1);
	token_drop_session_objects(token, APPLICATION(2), 8);
	EXPECT_EQ(info().object_count, 2);
	token_drop_session_objects(token, APPLICATION(2), 7);
	token_drop_session_objects(token, APPLICATION(1), 0);
	EXPECT_EQ(info().object_count, 0);
	close_crypto_and_token();
}

TEST(replace_and_remove)
{
	object_auto first = NULL;
	object_auto second = NULL;
	object_auto third = NULL;
	object_auto last = NULL;
	uint32_t handles[64];

	open_initialized();
	first = make("first", TOKEN);
	second = make("second", TOKEN);
	third = make("third", TOKEN);
	ASSERT_EQ(add_objects(&first, 1), ERROR_NONE);
	ASSERT_EQ(replace_object(first, second), ERROR_NONE);
	EXPECT_EQ(second->handle, first->handle);
	EXPECT_EQ(second->revision, first->revision + 1);
	EXPECT_MEMEQ(second->uid, first->uid, OBJECT_UID_LEN);
	EXPECT_EQ(replace_object(first, third), ERROR_OBJECT_HANDLE);
	for (int round = 0; round < 2; round++) {
		EXPECT_EQ(seen("first"), 0);
		EXPECT_EQ(seen("second"), 1);
		EXPECT_EQ(seen("third"), 0);
		if (!round)
			reopen();
	}
	ASSERT_EQ(search("second", handles), 1);
	last = token_find(token, handles[0], APPLICATION(1), false);
	ASSERT_NOT_NULL(last);
	EXPECT_EQ(remove_object(last), ERROR_NONE);
	EXPECT_EQ(remove_object(last), ERROR_OBJECT_HANDLE);
	reopen();
	EXPECT_EQ(seen(NULL), 0);
	close_crypto_and_token();
}

TEST(oldest_first)
{
	uint32_t added[40], found[64];

	open_initialized();
	for (uint32_t i = 0; i < 40; i++)
		added[i] = add(i % 2 ? "odd" : "even", i % 3 ? SESSION : TOKEN);
	ASSERT_EQ(search(NULL, found), 40);
	EXPECT_MEMEQ(found, added, sizeof(added));
	ASSERT_EQ(search("odd", found), 20);
	for (uint32_t i = 0; i < 20; i++)
		EXPECT_EQ(found[i], added[2 * i + 1]);
	close_crypto_and_token();
}

/* Changes that many rows of the closed database behind the token's back. */
static void run_sql(const char *sql, int rows)
{
	sqlite3 *database;

	ASSERT_EQ(sqlite3_open(base_path("store/store.db"), &database), SQLITE_OK);
	ASSERT_EQ(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
	EXPECT_EQ(sqlite3_changes(database), rows);
	sqlite3_close(database);
}

/* Rows 1 to 4 are public and the sixth is private, each damaged in a way of its own. */
TEST(damaged_rows_are_kept_but_not_shown)
{
	static const char *const damages[] = {
		"UPDATE objects SET sealed = zeroblob(length(sealed)) WHERE number = 1",
		"UPDATE objects SET revision = revision + 1 WHERE number = 2",
		"UPDATE objects SET uid = zeroblob(16) WHERE number = 3",
		"UPDATE objects SET sealed = zeroblob(5) WHERE number = 4",
		"UPDATE objects SET private = 0 WHERE number = 6",
	};

	open_initialized();
	ASSERT_EQ(login(TOKEN_USER, USER_PIN), ERROR_NONE);
	for (int i = 0; i < 5; i++)
		add(i < 4 ? "damaged" : "whole", TOKEN);
	add("damaged", TOKEN | PRIVATE);
	add("whole", TOKEN | PRIVATE);
	token_logout(token);
	close_token();
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++)
		run_sql(damages[i], 1);
	open_token();
	EXPECT_EQ(seen(NULL), 1);
	ASSERT_EQ(login(TOKEN_USER, USER_PIN), ERROR_NONE);
	EXPECT_EQ(seen("whole"), 2);
	EXPECT_EQ(seen("damaged"), 0);
	token_logout(token);
	close_token();
	run_sql("UPDATE objects SET slot_id = slot_id", 7); /* all of them are there */
	open_token();
	close_crypto_and_token();
}

/* The last reference to a private object outlives a logout; the object has another handle since. */
TEST(reference_from_before_a_logout)
{
	object_auto object = NULL;
	uint32_t handle;

	open_initialized();
	ASSERT_EQ(login(TOKEN_USER, USER_PIN), ERROR_NONE);
	handle = add("secret", TOKEN | PRIVATE);
	object = token_find(token, handle, APPLICATION(1), true);
	ASSERT_NOT_NULL(object);
	token_logout(token);
	ASSERT_EQ(login(TOKEN_USER, USER_PIN), ERROR_NONE);
	EXPECT_EQ(remove_object(object), ERROR_OBJECT_HANDLE);
	EXPECT_EQ(seen("secret"), 1);
	reopen();
	ASSERT_EQ(login(TOKEN_USER, USER_PIN), ERROR_NONE);
	EXPECT_EQ(seen("secret"), 1);
	close_crypto_and_token();
}

/* While the SO alone is logged in, private objects are not loaded, so none can join them. */
TEST(private_object_without_user)
{
	object_auto object = NULL;

	open_initialized();
	ASSERT_EQ(login(TOKEN_SO, SO_PIN), ERROR_NONE);
	object = make("secret", TOKEN | PRIVATE);
	EXPECT_EQ(add_objects(&object, 1), ERROR_USER_NOT_LOGGED_IN);
	EXPECT_EQ(seen("secret"), 0);
	ASSERT_EQ(login(TOKEN_USER, USER_PIN), ERROR_NONE);
	EXPECT_EQ(seen("secret"), 0); /* nor was it stored */
	close_crypto_and_token();
}

TEST(handles_are_not_reused)
{
	uint32_t first, third;
	object_auto object = NULL;

	open_initialized();
	first = add("one", SESSION);
	object = token_find(token, first, APPLICATION(1), false);
	ASSERT_EQ(remove_object(object), ERROR_NONE);
	EXPECT_NE(add("two", SESSION), first);
	reopen();
	third = add("three", SESSION);
	EXPECT_TRUE(third - first > 1000 && first - third > 1000); /* a random start */
	close_crypto_and_token();
}

/* One bit in the middle of the row's sealed octets. */
static void flip_bit(sqlite3_int64 number)
{
	sqlite3_blob *blob;
	sqlite3 *database;
	uint8_t octet;

	ASSERT_EQ(sqlite3_open(base_path("store/store.db"), &database), SQLITE_OK);
	ASSERT_EQ(sqlite3_blob_open(database, "main", "objects", "sealed", number, 1, &blob), 0);
	ASSERT_EQ(sqlite3_blob_read(blob, &octet, 1, 30), SQLITE_OK);
	octet ^= 0x10;
	ASSERT_EQ(sqlite3_blob_write(blob, &octet, 1, 30), SQLITE_OK);
	ASSERT_EQ(sqlite3_blob_close(blob), SQLITE_OK);
	ASSERT_EQ(sqlite3_close(database), SQLITE_OK);
}

/* What `act` writes to standard error holds `text`. */
static bool logs(void (*act)(void), const char *text)
{
	static char content[4096];
	FILE *log = tmpfile();
	int saved = dup(2);

	ASSERT_NOT_NULL(log);
	dup2(fileno(log), 2);
	act();
	dup2(saved, 2);
	close(saved);
	rewind(log);
	content[fread(content, 1, sizeof(content) - 1, log)] = '\0';
	fclose(log);
	return strstr(content, text) != NULL;
}

TEST(flipped_bit)
{
	open_initialized();
	add("first", TOKEN);
	add("second", TOKEN);
	add("third", TOKEN);
	close_token();
	flip_bit(2);
	EXPECT_TRUE(logs(open_token, "of slot 2 is damaged; it is kept, but not shown"));
	EXPECT_EQ(seen(NULL), 2);
	EXPECT_EQ(seen("second"), 0);
	close_crypto_and_token();
}

static void *log_user_in(void *unused)
{
	unsigned int delay = 0;

	(void)unused;
	ASSERT_EQ(token_login(token, TOKEN_USER, USER_PIN, &delay), ERROR_NONE);
	return NULL;
}

/* The SO leaves as soon as the first of the user's objects is seen; the rest is loaded after that.
 */
TEST(logout_while_another_loads)
{
	const size_t many = 60;
	pthread_t user;

	open_initialized();
	ASSERT_EQ(login(TOKEN_USER, USER_PIN), ERROR_NONE);
	for (size_t i = 0; i < many; i++)
		add("secret", TOKEN | PRIVATE);
	token_logout(token);
	for (int round = 0; round < 5; round++) {
		ASSERT_EQ(login(TOKEN_SO, SO_PIN), ERROR_NONE);
		ASSERT_EQ(pthread_create(&user, NULL, log_user_in, NULL), 0);
		while (!seen("secret"))
			;
		token_logout(token);
		pthread_join(user, NULL);
		EXPECT_EQ(seen("secret"), many);
		token_logout(token);
		EXPECT_EQ(seen("secret"), 0);
	}
	close_crypto_and_token();
}

static atomic_bool verified;

static void *log_so_in(void *unused)
{
	unsigned int delay = 0;

	(void)unused;
	ASSERT_EQ(token_login(token, TOKEN_SO, SO_PIN, &delay), ERROR_NONE);
	atomic_store(&verified, true);
	return NULL;
}

/* A PIN takes its time to be derived; objects are changed meanwhile. The derivation is a thousand
 * times as long as the change. */
TEST(changes_do_not_wait_for_a_pin)
{
	pthread_t officer;

	open_crypto_and_token();
	config->security.pbkdf2_iterations = 2000000;
	ASSERT_EQ(token_initialize(token, SO_PIN, wire_text("a label"), &delay_ms), ERROR_NONE);
	ASSERT_EQ(pthread_create(&officer, NULL, log_so_in, NULL), 0);
	while (!pthread_mutex_trylock(&token->pins)) {
		pthread_mutex_unlock(&token->pins);
		sched_yield();
	}
	add("meanwhile", TOKEN);
	EXPECT_FALSE(atomic_load(&verified));
	EXPECT_EQ(seen("meanwhile"), 1);
	pthread_join(officer, NULL);
	token_logout(token);
	close_crypto_and_token();
}

static atomic_bool stop_reading;

static void *read_without_end(void *context)
{
	uint32_t handle = *(uint32_t *)context;

	while (!atomic_load(&stop_reading)) {
		object_auto object = token_find(token, handle, APPLICATION(1), false);

		ASSERT_NOT_NULL(object);
	}
	return NULL;
}

/* Loops that find keys all the time do not keep a change waiting for ever. */
TEST(readers_do_not_starve_writers)
{
	pthread_t threads[6];
	uint32_t handle;
	uint64_t start;

	open_initialized();
	handle = add("key", SESSION);
	for (int i = 0; i < 6; i++)
		ASSERT_EQ(pthread_create(&threads[i], NULL, read_without_end, &handle), 0);
	start = clock_monotonic_ns();
	for (int i = 0; i < 200; i++)
		add("another", SESSION);
	start = (clock_monotonic_ns() - start) / 1000000;
	atomic_store(&stop_reading, true);
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	EXPECT_LT(start, 5000); /* ms; half a minute when readers go first */
	close_crypto_and_token();
}

/* Adds, finds and removes; every eighth object is a token object. */
static void *churn(void *context)
{
	for (int i = 0; i < 200; i++) {
		uint32_t handle = add(context, i % 8 ? SESSION : TOKEN);
		object_auto object = token_find(token, handle, APPLICATION(1), false);

		ASSERT_NOT_NULL(object);
		EXPECT_EQ(object->handle, handle);
		EXPECT_GE(seen(context), 1);
		ASSERT_EQ(remove_object(object), ERROR_NONE);
		EXPECT_EQ(remove_object(object), ERROR_OBJECT_HANDLE);
		EXPECT_NULL(token_find(token, handle, APPLICATION(1), false));
	}
	return NULL;
}

TEST(threads)
{
	static const char *const labels[] = {"one", "two", "three", "four"};
	pthread_t threads[4];

	open_initialized();
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(pthread_create(&threads[i], NULL, churn, (void *)(uintptr_t)labels[i]),
		          0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(info().object_count, 0);
	reopen();
	EXPECT_EQ(seen(NULL), 0);
	close_crypto_and_token();
}

HARNESS_MAIN
