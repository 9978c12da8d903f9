/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The committer: changes that come while the disk is busy go in one group; each is carried out or
 * not by itself, in order; what memory shows is what the store has.
 */
#include <pthread.h>
#include <sched.h>

#define SLOT 1u

#include "token_fixture.h"
#include "token_private.h"

#define SO_PIN   wire_text("so-pin-1")
#define USER_PIN wire_text("user-pin")
#define MANY     40u

/* Never followed. */
#define APPLICATION ((const struct application *)(uintptr_t)0x1000)

static unsigned int delay_ms;

static void open_initialized(void)
{
	open_crypto_and_token();
	ASSERT_EQ(token_initialize(token, SO_PIN, wire_text("x"), &delay_ms), ERROR_NONE);
	ASSERT_EQ(token_login(token, TOKEN_SO, SO_PIN, &delay_ms), ERROR_NONE);
	ASSERT_EQ(token_init_pin(token, USER_PIN), ERROR_NONE);
	ASSERT_EQ(token_login(token, TOKEN_USER, USER_PIN, &delay_ms), ERROR_NONE);
}

static void reopen(void)
{
	close_token();
	open_token();
	ASSERT_EQ(token_login(token, TOKEN_USER, USER_PIN, &delay_ms), ERROR_NONE);
}

static struct object *make(const char *label, bool is_token, bool is_private)
{
	attributes_auto set = {0};
	struct object *object = NULL;

	ASSERT_EQ(attributes_set_number(&set, CKA_CLASS, CKO_DATA), ERROR_NONE);
	ASSERT_EQ(attributes_set_flag(&set, CKA_TOKEN, is_token), ERROR_NONE);
	ASSERT_EQ(attributes_set_flag(&set, CKA_PRIVATE, is_private), ERROR_NONE);
	ASSERT_EQ(attributes_set_bytes(&set, CKA_LABEL, label, strlen(label)), ERROR_NONE);
	ASSERT_EQ(object_new(&set, &object), ERROR_NONE);
	object->application = is_token ? NULL : APPLICATION;
	return object;
}

static size_t seen(const char *label)
{
	attributes_auto set = {0};
	struct wire_template template;
	uint32_t *found = NULL;
	size_t count = 0;

	ASSERT_EQ(attributes_set_bytes(&set, CKA_LABEL, label, strlen(label)), ERROR_NONE);
	template = attributes_template(&set);
	ASSERT_EQ(token_search(token, &template, APPLICATION, true, &found, &count), ERROR_NONE);
	free(found);
	return count;
}

/* ---- a committer that is held up, so that what comes gathers ---- */

static uint64_t groups_of(uint64_t *changes)
{
	struct committer_statistics now;

	committer_statistics(committer, &now);
	*changes = now.changes;
	return now.groups;
}

/* The committer waits for `change` with one change in its hands; all others wait behind. */
static struct waiter first_waiter = WAITER;

static void hold_up(void)
{
	object_auto object = make("first", true, false);
	struct token_commit *commit;

	ASSERT_EQ(token_add_objects(token, &object, 1, &commit), ERROR_NONE);
	pthread_mutex_lock(&token->change);
	first_waiter.done = false;
	token_commit_submit(commit, note_end, &first_waiter);
	while (committer_waiting(committer))
		sched_yield();
}

static void let_go(void)
{
	pthread_mutex_unlock(&token->change);
	ASSERT_EQ(wait_for(&first_waiter), ERROR_NONE);
}

static struct waiter waiters[MANY];

static void submit(unsigned int number, struct token_commit *commit)
{
	waiters[number] = (struct waiter)WAITER;
	token_commit_submit(commit, note_end, &waiters[number]);
}

static void submit_add(unsigned int number, struct object *object)
{
	struct token_commit *commit;

	ASSERT_EQ(token_add_objects(token, &object, 1, &commit), ERROR_NONE);
	ASSERT_NOT_NULL(commit);
	submit(number, commit);
}

static void submit_remove(unsigned int number, struct object *object)
{
	struct token_commit *commit;

	ASSERT_EQ(token_remove_object(token, object, &commit), ERROR_NONE);
	submit(number, commit);
}

static void submit_replace(unsigned int number, struct object *object, struct object *successor)
{
	struct token_commit *commit;

	ASSERT_EQ(token_replace_object(token, object, successor, &commit), ERROR_NONE);
	submit(number, commit);
}

TEST(what_waits_goes_together)
{
	uint64_t changes_before, changes, groups;

	open_initialized();
	groups = groups_of(&changes_before);
	hold_up();
	for (unsigned int i = 0; i < MANY; i++) {
		object_auto object = make("many", true, i % 2);

		submit_add(i, object);
		EXPECT_NE(object->handle, 0);
	}
	EXPECT_EQ(seen("many"), 0);
	let_go();
	for (unsigned int i = 0; i < MANY; i++)
		EXPECT_EQ(wait_for(&waiters[i]), ERROR_NONE);
	EXPECT_EQ(groups_of(&changes) - groups, 2);
	EXPECT_EQ(changes - changes_before, 1 + MANY);
	EXPECT_EQ(seen("many"), MANY);
	reopen();
	EXPECT_EQ(seen("many"), MANY);
	close_crypto_and_token();
}

/* An object that was removed behind the committer's back is the one bad change among many: its row
 * is not there. */
TEST(one_bad_change_among_many)
{
	object_auto victim = NULL;

	open_initialized();
	victim = make("victim", true, true);
	ASSERT_EQ(add_objects(&victim, 1), ERROR_NONE);
	ASSERT_EQ(store_delete_object(store, SLOT, victim->uid), ERROR_NONE);
	hold_up();
	for (unsigned int i = 0; i < MANY; i++) {
		object_auto object = make("many", true, true);

		if (i == MANY / 2)
			submit_remove(i, victim);
		else
			submit_add(i, object);
	}
	let_go();
	for (unsigned int i = 0; i < MANY; i++)
		EXPECT_EQ(wait_for(&waiters[i]), i == MANY / 2 ? ERROR_OBJECT_HANDLE : ERROR_NONE);
	EXPECT_EQ(seen("many"), MANY - 1);
	reopen();
	EXPECT_EQ(seen("many"), MANY - 1);
	EXPECT_EQ(seen("victim"), 0);
	close_crypto_and_token();
}

/* No file may grow: additions, a removal and a replacement fail together, and everything is as it
 * was, here and after a restart. */
TEST(the_disk_fails_the_whole_group)
{
	object_auto stays = NULL;
	object_auto old = NULL;
	object_auto successor = NULL;

	open_initialized();
	stays = make("stays", true, true);
	old = make("old", true, true);
	successor = make("new", true, true);
	ASSERT_EQ(add_objects(&stays, 1), ERROR_NONE);
	ASSERT_EQ(add_objects(&old, 1), ERROR_NONE);
	hold_up();
	base_limit_files(4096);
	submit_remove(0, stays);
	submit_replace(1, old, successor);
	for (unsigned int i = 2; i < MANY; i++) {
		object_auto object = make("many", true, true);

		submit_add(i, object);
	}
	pthread_mutex_unlock(&token->change);
	EXPECT_EQ(wait_for(&first_waiter), ERROR_STORE);
	for (unsigned int i = 0; i < MANY; i++)
		EXPECT_EQ(wait_for(&waiters[i]), ERROR_STORE);
	base_limit_files(0);
	for (int round = 0; round < 2; round++) {
		EXPECT_EQ(seen("first"), 0);
		EXPECT_EQ(seen("many"), 0);
		EXPECT_EQ(seen("new"), 0);
		EXPECT_EQ(seen("stays"), 1);
		EXPECT_EQ(seen("old"), 1);
		reopen();
	}
	close_crypto_and_token();
}

/* The second of two changes of an object is judged after the first: a replaced object is not
 * replaced again, one that is removed not brought back by a replacement. */
TEST(changes_of_one_object_keep_their_order)
{
	object_auto object = NULL;
	object_auto second = NULL;
	object_auto third = NULL;
	object_auto fourth = NULL;

	open_initialized();
	object = make("one", true, true);
	second = make("two", true, true);
	third = make("three", true, true);
	fourth = make("four", true, true);
	ASSERT_EQ(add_objects(&object, 1), ERROR_NONE);
	hold_up();
	submit_replace(0, object, second);
	submit_replace(1, object, third); /* of what is no more current */
	submit_remove(2, object);         /* removes what it was replaced by */
	submit_replace(3, object, fourth);
	submit_remove(4, object);
	let_go();
	EXPECT_EQ(wait_for(&waiters[0]), ERROR_NONE);
	EXPECT_EQ(wait_for(&waiters[1]), ERROR_OBJECT_HANDLE);
	EXPECT_EQ(wait_for(&waiters[2]), ERROR_NONE);
	EXPECT_EQ(wait_for(&waiters[3]), ERROR_OBJECT_HANDLE);
	EXPECT_EQ(wait_for(&waiters[4]), ERROR_OBJECT_HANDLE);
	for (int round = 0; round < 2; round++) {
		EXPECT_EQ(seen("one") + seen("two") + seen("three") + seen("four"), 0);
		reopen();
	}
	close_crypto_and_token();
}

static atomic_uint ended;
static unsigned int places[MANY];

static void note_place(void *context, enum err err)
{
	EXPECT_EQ(err, ERROR_NONE);
	*(unsigned int *)context = atomic_load(&ended); /* nobody else adds */
	atomic_fetch_add(&ended, 1);
}

/* One session's changes end in the order in which it asked for them. */
TEST(ends_in_order)
{
	open_initialized();
	hold_up();
	for (unsigned int i = 0; i < MANY; i++) {
		object_auto object = make("many", true, true);
		struct token_commit *commit;

		ASSERT_EQ(token_add_objects(token, (struct object *const[]){object}, 1, &commit),
		          ERROR_NONE);
		token_commit_submit(commit, note_place, &places[i]);
	}
	let_go();
	while (atomic_load(&ended) < MANY)
		sched_yield();
	for (unsigned int i = 0; i < MANY; i++)
		EXPECT_EQ(places[i], i);
	close_crypto_and_token();
}

/* A logout between call and disk: private objects fail, public ones do not. */
TEST(logout_in_between)
{
	object_auto private = NULL;
	object_auto public = NULL;

	open_initialized();
	private = make("private", true, true);
	public = make("public", true, false);
	token_logout(token); /* the SO's */
	hold_up();
	submit_add(0, private);
	submit_add(1, public);
	token_logout(token);
	let_go();
	EXPECT_EQ(wait_for(&waiters[0]), ERROR_USER_NOT_LOGGED_IN);
	EXPECT_EQ(wait_for(&waiters[1]), ERROR_NONE);
	reopen();
	EXPECT_EQ(seen("private"), 0);
	EXPECT_EQ(seen("public"), 1);
	close_crypto_and_token();
}

/* What was sealed for the token as it was does not come into the one that it is now. */
TEST(initialised_in_between)
{
	object_auto public = NULL;
	struct token_commit *commit;

	open_initialized();
	public = make("public", true, false);
	ASSERT_EQ(token_add_objects(token, (struct object *const[]){public}, 1, &commit),
	          ERROR_NONE);
	ASSERT_EQ(token_initialize(token, SO_PIN, wire_text("y"), &delay_ms), ERROR_NONE);
	submit(0, commit);
	EXPECT_EQ(wait_for(&waiters[0]), ERROR_SESSION_HANDLE);
	EXPECT_EQ(seen("public"), 0);
	close_crypto_and_token();
}

/* A session object beside a token object is there at once, and goes when the other fails. */
TEST(session_object_beside)
{
	object_auto token_half = NULL;
	object_auto session_half = NULL;
	struct token_commit *commit;

	open_initialized();
	token_logout(token); /* the SO's */
	token_half = make("half", true, true);
	session_half = make("half", false, false);
	ASSERT_EQ(token_add_objects(token, (struct object *const[]){token_half, session_half}, 2,
	                            &commit),
	          ERROR_NONE);
	EXPECT_EQ(seen("half"), 1);
	token_logout(token);
	submit(0, commit);
	EXPECT_EQ(wait_for(&waiters[0]), ERROR_USER_NOT_LOGGED_IN);
	EXPECT_EQ(seen("half"), 0);
	ASSERT_EQ(token_login(token, TOKEN_USER, USER_PIN, &delay_ms), ERROR_NONE);
	ASSERT_EQ(token_add_objects(token, (struct object *const[]){token_half, session_half}, 2,
	                            &commit),
	          ERROR_NONE);
	token_commit_discard(commit);
	EXPECT_EQ(seen("half"), 0);
	ASSERT_EQ(add_objects((struct object *const[]){token_half, session_half}, 2), ERROR_NONE);
	EXPECT_EQ(seen("half"), 2);
	close_crypto_and_token();
}

/* Stopping carries out what waits. */
TEST(stop_carries_out)
{
	open_initialized();
	for (unsigned int i = 0; i < MANY; i++) {
		object_auto object = make("many", true, true);

		submit_add(i, object);
	}
	close_token();
	for (unsigned int i = 0; i < MANY; i++)
		EXPECT_TRUE(waiters[i].done && waiters[i].err == ERROR_NONE);
	open_token();
	ASSERT_EQ(token_login(token, TOKEN_USER, USER_PIN, &delay_ms), ERROR_NONE);
	EXPECT_EQ(seen("many"), MANY);
	close_crypto_and_token();
}

#define WRITERS 16u
#define ROUNDS  50u

static void *write_pairs(void *unused)
{
	(void)unused;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		object_auto object = make("short-lived", true, true);
		object_auto kept = make("kept", true, true);

		ASSERT_EQ(add_objects(&object, 1), ERROR_NONE);
		ASSERT_EQ(add_objects(&kept, 1), ERROR_NONE);
		ASSERT_EQ(remove_object(object), ERROR_NONE);
	}
	return NULL;
}

TEST(many_writers)
{
	pthread_t writers[WRITERS];
	uint64_t changes;

	open_initialized();
	for (unsigned int i = 0; i < WRITERS; i++)
		ASSERT_EQ(pthread_create(&writers[i], NULL, write_pairs, NULL), 0);
	for (unsigned int i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);
	printf("# %llu groups\n", (unsigned long long)groups_of(&changes));
	EXPECT_EQ(changes, 3 * WRITERS * ROUNDS);
	for (int round = 0; round < 2; round++) {
		EXPECT_EQ(seen("short-lived"), 0);
		EXPECT_EQ(seen("kept"), WRITERS * ROUNDS);
		reopen();
	}
	close_crypto_and_token();
}

HARNESS_MAIN
