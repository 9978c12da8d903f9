/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What unit tests of a token share: a store in the scratch folder, and the token over it, which can
 * be opened again as after a restart. The program defines its SLOT before it includes this.
 */
#ifndef TESTS_TOKEN_FIXTURE_H
#define TESTS_TOKEN_FIXTURE_H

#include "base_fixture.h"
#include "config.h"
#include "store.h"
#include "token.h"

static const uint8_t device_key[CRYPTO_KEY_LEN] = {8, 6, 7, 5, 3, 0, 9};
static struct config *config;
static struct store *store;
static struct token *token;

static inline enum err note_stored(void *context, const struct store_token *row)
{
	*(struct store_token *)context = *row;
	return ERROR_NONE;
}

static inline void open_token(void)
{
	struct token_environment environment = {base_crypto, NULL, config, device_key};
	struct store_token stored = {0};

	ASSERT_EQ(store_open(&store, base_path("store"), base_error, sizeof(base_error)), 0);
	environment.store = store;
	ASSERT_EQ(store_load_tokens(store, note_stored, &stored), ERROR_NONE);
	ASSERT_EQ(token_new(&token, SLOT, &environment, stored.so.set ? &stored : NULL),
	          ERROR_NONE);
}

static inline void close_token(void)
{
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
