/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What unit tests of a token share: a store in the scratch folder, and the token over it, which can
 * be opened again as after a restart. The program defines its SLOT before it includes this.
 */
#ifndef TESTS_TOKEN_FIXTURE_H
#define TESTS_TOKEN_FIXTURE_H

#include <pthread.h>

#include "base_fixture.h"
#include "committer.h"
#include "config.h"
#include "store.h"
#include "token.h"

static const uint8_t device_key[CRYPTO_KEY_LEN] = {8, 6, 7, 5, 3, 0, 9};
static struct config *config;
static struct store *store;
static struct committer *committer;
static struct token *token;

/* Waits for a change of token objects. */
struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool done;
	enum err err;
};

#define WAITER                                                                                     \
	{                                                                                          \
		PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, ERROR_NONE             \
	}

static inline void note_end(void *context, enum err err)
{
	struct waiter *waiter = context;

	pthread_mutex_lock(&waiter->lock);
	waiter->err = err;
	waiter->done = true;
	pthread_cond_signal(&waiter->ended);
	pthread_mutex_unlock(&waiter->lock);
}

static inline enum err wait_for(struct waiter *waiter)
{
	pthread_mutex_lock(&waiter->lock);
	while (!waiter->done)
		pthread_cond_wait(&waiter->ended, &waiter->lock);
	pthread_mutex_unlock(&waiter->lock);
	return waiter->err;
}

static inline enum err carry_out(enum err err, struct token_commit *commit)
{
	struct waiter waiter = WAITER;

	if (err || !commit)
		return err;
	token_commit_submit(commit, note_end, &waiter);
	return wait_for(&waiter);
}

static inline enum err add_objects(struct object *const *objects, size_t count)
{
	struct token_commit *commit;
	enum err err = token_add_objects(token, objects, count, &commit);

	return carry_out(err, commit);
}

static inline enum err remove_object(struct object *object)
{
	struct token_commit *commit;
	enum err err = token_remove_object(token, object, &commit);

	return carry_out(err, commit);
}

static inline enum err replace_object(struct object *object, struct object *successor)
{
	struct token_commit *commit;
	enum err err = token_replace_object(token, object, successor, &commit);

	return carry_out(err, commit);
}

static inline enum err note_stored(void *context, const struct store_token *row)
{
	*(struct store_token *)context = *row;
	return ERROR_NONE;
}

static inline void open_token(void)
{
	struct token_environment environment = {base_crypto, NULL, config, device_key, NULL};
	struct store_token stored = {0};

	ASSERT_EQ(store_open(&store, base_path("store"), base_error, sizeof(base_error)), 0);
	ASSERT_EQ(committer_start(&committer, store), 0);
	environment.store = store;
	environment.committer = committer;
	ASSERT_EQ(store_load_tokens(store, note_stored, &stored), ERROR_NONE);
	ASSERT_EQ(token_new(&token, SLOT, &environment, stored.so.set ? &stored : NULL),
	          ERROR_NONE);
}

static inline void close_token(void)
{
	committer_stop(committer);
	token_free(token);
	store_close(store);
}

static inline void open_crypto_and_token(void)
{
	base_open_crypto();
	config = config_defaults();
	ASSERT_NOT_NULL(config);
	config->security.pbkdf2_iterations = 100000;
	open_token();
}

static inline void close_crypto_and_token(void)
{
	close_token();
	config_free(config);
	crypto_close(base_crypto);
}

#endif
