/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token: initialisation, PINs and logins. Its objects are in token_objects.c.
 */
#include "token_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "config.h"
#include "log.h"
#include "slots.h"

#define HANDLE_MASK 0x7fffffffu

uint64_t token_slot_id(const struct token *token)
{
	return token->slot_id;
}

static enum err token_fill(struct token *token, const struct store_token *row)
{
	uint64_t seeds[2]; /* two, since clients see handles and must not learn the table's */
	enum err err;

	token->key = slots_allocate(CRYPTO_KEY_LEN);
	err = token->key ? crypto_random(token->environment.crypto, seeds, sizeof(seeds))
	                 : ERROR_MEMORY;
	if (err)
		return err;
	token->next_handle = (uint32_t)seeds[0] & HANDLE_MASK;
	token->table = object_table_new(seeds[1]);
	if (!token->table)
		return ERROR_MEMORY;
	if (!row)
		return ERROR_NONE;
	token->row = *row;
	token->initialized = true;
	pin_guard_restore(&token->so_guard, &row->so, clock_monotonic_ns());
	pin_guard_restore(&token->user_guard, &row->user, clock_monotonic_ns());
	err = token_insert_profiles(token);
	return err ? err : token_load_objects(token, false);
}

/* Loops look for keys all the time; by default such readers keep a writer waiting for seconds. The
 * price: nobody takes the lock twice for reading. */
static void init_lock(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attributes;

	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
}

enum err token_new(struct token **out, uint64_t slot_id,
                   const struct token_environment *environment, const struct store_token *row)
{
	struct token *token = calloc(1, sizeof(*token));
	enum err err;

	if (!token)
		return ERROR_MEMORY;
	init_lock(&token->lock);
	pthread_mutex_init(&token->pins, NULL);
	pthread_mutex_init(&token->change, NULL);
	token->slot_id = slot_id;
	token->environment = *environment;
	err = token_fill(token, row);
	if (err) {
		token_free(token);
		return err;
	}
	*out = token;
	return ERROR_NONE;
}

void token_configure(struct token *token, const struct config *config)
{
	token->environment.config = config;
}

void token_free(struct token *token)
{
	if (!token)
		return;
	object_table_free(token->table);
	slots_release(token->key);
	pthread_mutex_destroy(&token->change);
	pthread_mutex_destroy(&token->pins);
	pthread_rwlock_destroy(&token->lock);
	free(token);
}

/* Three flags of CK_TOKEN_INFO for one PIN. */
static uint64_t pin_flags(const struct store_pin *pin, uint64_t max_failures, uint64_t low,
                          uint64_t final, uint64_t locked)
{
	uint64_t flags = 0;

	if (!pin->set || !pin->failures)
		return 0;
	flags |= low;
	if (pin->failures + 1 == max_failures)
		flags |= final;
	if (pin->failures >= max_failures)
		flags |= locked;
	return flags;
}

void token_info(struct token *token, struct token_info *info)
{
	uint64_t max_failures = token->environment.config->security.max_failed_logins;

	memset(info, 0, sizeof(*info));
	pthread_rwlock_rdlock(&token->lock);
	info->initialized = token->initialized;
	info->user_pin_set = token->row.user.set;
	memcpy(info->label, token->row.label, sizeof(info->label));
	memcpy(info->serial, token->row.serial, sizeof(info->serial));
	info->user_failures = token->row.user.failures;
	info->so_failures = token->row.so.failures;
	info->pin_flags = pin_flags(&token->row.user, max_failures, CKF_USER_PIN_COUNT_LOW,
	                            CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED) |
	                  pin_flags(&token->row.so, max_failures, CKF_SO_PIN_COUNT_LOW,
	                            CKF_SO_PIN_FINAL_TRY, CKF_SO_PIN_LOCKED);
	info->object_count = object_table_count(token->table) - token->profile_count;
	pthread_rwlock_unlock(&token->lock);
	if (!info->initialized)
		memset(info->label, ' ', sizeof(info->label));
	if (!info->initialized)
		memset(info->serial, ' ', sizeof(info->serial));
}

/* ---- rows and PINs (under `pins`) ---- */

static void set_row(struct token *token, const struct store_token *row)
{
	pthread_rwlock_wrlock(&token->lock);
	token->row = *row;
	pthread_rwlock_unlock(&token->lock);
}

/* Store first, then memory. */
static enum err write_row(struct token *token, const struct store_token *row)
{
	enum err err;

	pthread_mutex_lock(&token->change);
	err = store_write_token(token->environment.store, row);
	if (!err)
		set_row(token, row);
	pthread_mutex_unlock(&token->change);
	return err;
}

static struct store_pin *pin_of(struct store_token *row, enum token_user user)
{
	return user == TOKEN_SO ? &row->so : &row->user;
}

static struct pin_guard *guard_of(struct token *token, enum token_user user)
{
	return user == TOKEN_SO ? &token->so_guard : &token->user_guard;
}

/* The failure is durable before anybody hears of it. */
static enum err count_failure(struct token *token, enum token_user user, unsigned int *delay_ms)
{
	struct store_token row = token->row;
	enum err err;

	pin_failed(guard_of(token, user), pin_of(&row, user), clock_monotonic_ns(), delay_ms);
	err = write_row(token, &row);
	if (!err)
		return ERROR_PIN_INCORRECT;
	/* A store that cannot be written must not make guessing free: until the restart the failure
	 * counts in memory. */
	pthread_mutex_lock(&token->change);
	set_row(token, &row);
	pthread_mutex_unlock(&token->change);
	return err;
}

static enum err clear_failures(struct token *token, enum token_user user)
{
	struct store_token row = token->row;

	if (!pin_of(&row, user)->failures)
		return ERROR_NONE;
	pin_of(&row, user)->failures = 0;
	return write_row(token, &row);
}

/* Verifies; `key` receives the object master key. */
static enum err verify(struct token *token, enum token_user user, struct wire_bytes pin,
                       uint8_t *key, unsigned int *delay_ms)
{
	struct store_pin *present = pin_of(&token->row, user);
	enum err err;

	if (!token->initialized)
		return ERROR_TOKEN_NOT_RECOGNIZED;
	err = pin_admit(guard_of(token, user), present,
	                token->environment.config->security.max_failed_logins,
	                clock_monotonic_ns());
	if (err)
		return err;
	err = pin_unwrap(token->environment.crypto, pin, present, token->slot_id, key);
	if (err == ERROR_PIN_INCORRECT)
		return count_failure(token, user, delay_ms);
	return err ? err : clear_failures(token, user);
}

static enum err check_length(const struct token *token, struct wire_bytes pin)
{
	const struct config *config = token->environment.config;

	if (pin.len < config->security.pin_min_length || pin.len > config->security.pin_max_length)
		return ERROR_PIN_LENGTH;
	return ERROR_NONE;
}

static enum err wrap(struct token *token, struct wire_bytes pin, const uint8_t *key,
                     struct store_pin *out)
{
	return pin_wrap(token->environment.crypto, pin,
	                token->environment.config->security.pbkdf2_iterations, token->slot_id, key,
	                out);
}

/* ---- initialisation ---- */

/* The configured serial number for the first slot; random digits otherwise. */
static enum err choose_serial(struct token *token, char serial[STORE_SERIAL_LEN])
{
	const char *configured = token->environment.config->token.serial_number;
	uint8_t octets[STORE_SERIAL_LEN / 2];
	enum err err;

	memset(serial, ' ', STORE_SERIAL_LEN);
	if (token->slot_id == 0 && *configured) {
		memcpy(serial, configured, strnlen(configured, STORE_SERIAL_LEN));
		return ERROR_NONE;
	}
	err = crypto_random(token->environment.crypto, octets, sizeof(octets));
	for (size_t i = 0; !err && i < sizeof(octets); i++) {
		char pair[3];

		snprintf(pair, sizeof(pair), "%02x", octets[i]);
		memcpy(serial + 2 * i, pair, 2);
	}
	return err;
}

static enum err make_row(struct token *token, struct wire_bytes pin, struct wire_bytes label,
                         struct store_token *row)
{
	uint8_t *key = slots_allocate(CRYPTO_KEY_LEN);
	enum err err;

	*row = (struct store_token){.slot_id = token->slot_id, .created = time(NULL)};
	if (!key)
		return ERROR_MEMORY;
	memset(row->label, ' ', sizeof(row->label));
	if (label.len)
		memcpy(row->label, label.data,
		       label.len < STORE_LABEL_LEN ? label.len : STORE_LABEL_LEN);
	err = choose_serial(token, row->serial);
	if (!err)
		err = crypto_random(token->environment.crypto, key, CRYPTO_KEY_LEN);
	if (!err)
		err = wrap(token, pin, key, &row->so);
	slots_release(key);
	return err;
}

/* Under `change`, too. */
static enum err reset(struct token *token, const struct store_token *row)
{
	enum err err = store_reset_token(token->environment.store, row);

	if (err)
		return err;
	pthread_rwlock_wrlock(&token->lock);
	token_forget_objects(token);
	token->generation++;
	token->row = *row;
	token->initialized = true;
	token->user_guard = (struct pin_guard){0};
	token->so_guard = (struct pin_guard){0};
	err = token_insert_profiles(token);
	pthread_rwlock_unlock(&token->lock);
	return err;
}

static enum err initialize(struct token *token, struct wire_bytes pin, struct wire_bytes label,
                           unsigned int *delay_ms)
{
	uint8_t *key = slots_allocate(CRYPTO_KEY_LEN);
	struct store_token row;
	enum err err = key ? ERROR_NONE : ERROR_MEMORY;

	if (!err && token->initialized)
		err = verify(token, TOKEN_SO, pin, key, delay_ms);
	slots_release(key);
	if (!err)
		err = check_length(token, pin);
	if (!err)
		err = make_row(token, pin, label, &row);
	if (err)
		return err;
	pthread_mutex_lock(&token->change);
	err = reset(token, &row);
	pthread_mutex_unlock(&token->change);
	return err;
}

enum err token_initialize(struct token *token, struct wire_bytes pin, struct wire_bytes label,
                          unsigned int *delay_ms)
{
	enum err err;

	pthread_mutex_lock(&token->pins);
	err = initialize(token, pin, label, delay_ms);
	pthread_mutex_unlock(&token->pins);
	return err;
}

/* ---- logins ---- */

/* Takes one login; the key is there from now on. True when private objects are still to be loaded
 * for it. */
static bool take_login(struct token *token, enum token_user user, const uint8_t *key)
{
	bool load;

	pthread_rwlock_wrlock(&token->lock);
	if (!token->logins++)
		memcpy(token->key, key, CRYPTO_KEY_LEN);
	load = user == TOKEN_USER && !token->private_loaded;
	pthread_rwlock_unlock(&token->lock);
	return load;
}

static enum err enter(struct token *token, enum token_user user, const uint8_t *key)
{
	enum err err = ERROR_NONE;

	pthread_mutex_lock(&token->change);
	if (take_login(token, user, key))
		err = token_load_objects(token, true);
	pthread_mutex_unlock(&token->change);
	if (err)
		token_logout(token);
	return err;
}

enum err token_login(struct token *token, enum token_user user, struct wire_bytes pin,
                     unsigned int *delay_ms)
{
	uint8_t *key = slots_allocate(CRYPTO_KEY_LEN);
	enum err err;

	if (!key)
		return ERROR_MEMORY;
	pthread_mutex_lock(&token->pins);
	err = verify(token, user, pin, key, delay_ms);
	if (!err)
		err = enter(token, user, key);
	pthread_mutex_unlock(&token->pins);
	slots_release(key);
	return err;
}

void token_logout(struct token *token)
{
	pthread_rwlock_wrlock(&token->lock);
	if (!--token->logins) {
		wire_wipe(token->key, CRYPTO_KEY_LEN);
		token_forget_private(token);
	}
	pthread_rwlock_unlock(&token->lock);
}

enum err token_verify_pin(struct token *token, enum token_user user, struct wire_bytes pin,
                          unsigned int *delay_ms)
{
	uint8_t *key = slots_allocate(CRYPTO_KEY_LEN);
	enum err err;

	if (!key)
		return ERROR_MEMORY;
	pthread_mutex_lock(&token->pins);
	err = verify(token, user, pin, key, delay_ms);
	pthread_mutex_unlock(&token->pins);
	slots_release(key);
	return err;
}

/* Wraps `key` under a new PIN and stores it. */
static enum err store_pin(struct token *token, enum token_user user, struct wire_bytes pin,
                          const uint8_t *key)
{
	struct store_token row = token->row;
	enum err err;

	err = wrap(token, pin, key, pin_of(&row, user));
	if (!err)
		err = write_row(token, &row);
	if (!err)
		*guard_of(token, user) = (struct pin_guard){0};
	return err;
}

/* A copy of the master key, which is only there while somebody is logged in. */
static enum err copy_key(struct token *token, uint8_t *key)
{
	bool there;

	pthread_rwlock_rdlock(&token->lock);
	there = token->logins > 0;
	if (there)
		memcpy(key, token->key, CRYPTO_KEY_LEN);
	pthread_rwlock_unlock(&token->lock);
	return there ? ERROR_NONE : ERROR_USER_NOT_LOGGED_IN;
}

enum err token_init_pin(struct token *token, struct wire_bytes pin)
{
	uint8_t *key = slots_allocate(CRYPTO_KEY_LEN);
	enum err err;

	if (!key)
		return ERROR_MEMORY;
	pthread_mutex_lock(&token->pins);
	err = check_length(token, pin);
	if (!err)
		err = copy_key(token, key);
	if (!err)
		err = store_pin(token, TOKEN_USER, pin, key);
	pthread_mutex_unlock(&token->pins);
	slots_release(key);
	return err;
}

enum err token_set_pin(struct token *token, enum token_user user, struct wire_bytes old_pin,
                       struct wire_bytes new_pin, unsigned int *delay_ms)
{
	uint8_t *key = slots_allocate(CRYPTO_KEY_LEN);
	enum err err;

	if (!key)
		return ERROR_MEMORY;
	pthread_mutex_lock(&token->pins);
	err = check_length(token, new_pin);
	if (!err)
		err = verify(token, user, old_pin, key, delay_ms);
	if (!err)
		err = store_pin(token, user, new_pin, key);
	pthread_mutex_unlock(&token->pins);
	slots_release(key);
	return err;
}

uint32_t token_next_handle(struct token *token, bool is_private)
{
	uint32_t kind = is_private ? OBJECT_HANDLE_PRIVATE : 0, handle;

	/* Never 0, and not one that still lives after 2^31 others were given out. */
	do {
		handle = ++token->next_handle & HANDLE_MASK;
	} while (!handle || object_table_find(token->table, kind | handle));
	return kind | handle;
}
