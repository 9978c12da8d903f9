/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volume keys where there is no kernel module: in locked memory of this process for the moment of
 * use, by OpenSSL, and into a logon key by add_key(2). Weaker than volume_kernel.c: whoever can
 * read this process's memory at that moment gets the key.
 */
#include <errno.h>
#include <keyutils.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "slots.h"
#include "volume_keys.h"

/* As the kernel module makes them: its possessor finds, views and links it; nobody changes it. */
#define PERMISSIONS (KEY_POS_VIEW | KEY_POS_SEARCH | KEY_POS_LINK | KEY_USR_VIEW | KEY_USR_SEARCH)
#define LOGON_TYPE  "logon"

static enum err import_kek(struct volume_keys *keys, struct volume_kek *kek)
{
	(void)keys;
	(void)kek; /* its value is all that is needed */
	return ERROR_NONE;
}

/* crypto_seal gives nonce, ciphertext, tag: what stands in the wrapped key after its head. */
_Static_assert(CRATON_HSM_BLOB_LEN(0) == VOLUME_BLOB_HEAD_LEN + CRYPTO_SEAL_OVERHEAD,
               "a wrapped key is a head and what crypto_seal makes");

static enum err wrap(struct volume_keys *keys, const struct volume_kek *kek, struct wire_bytes name,
                     struct wire_bytes key, struct volume_blob *blob)
{
	struct wire_bytes head = {blob->octets, VOLUME_BLOB_HEAD_LEN};

	volume_blob_head(name, (uint32_t)key.len, blob->octets);
	blob->len = CRATON_HSM_BLOB_LEN(key.len);
	return crypto_seal(keys->crypto, kek->value.data, head, key, blob->octets + head.len);
}

/* `key` has room for what volume_blob_key_len says. */
static enum err unwrap(struct volume_keys *keys, const struct volume_kek *kek,
                       struct wire_bytes blob, uint8_t *key)
{
	struct wire_bytes head = {blob.data, VOLUME_BLOB_HEAD_LEN};
	struct wire_bytes sealed = {blob.data + head.len, blob.len - head.len};
	enum err err = crypto_open_sealed(keys->crypto, kek->value.data, head, sealed, key);

	return err == ERROR_STORE_CORRUPT ? ERROR_VOLUME_DAMAGED : err;
}

/* A test build can keep volume keys, to see that a scan of memory finds them. */
static void release(uint8_t *key)
{
#ifdef CRATON_TEST_HOOKS
	if (getenv("CRATON_TEST_VOLUME_KEY_STAYS"))
		return;
#endif
	slots_release(key);
}

static enum err generate(struct volume_keys *keys, const struct volume_kek *kek,
                         struct wire_bytes name, uint32_t key_len, struct volume_blob *blob)
{
	uint8_t *key = slots_allocate(key_len);
	enum err err;

	if (!key)
		return ERROR_MEMORY;
	err = crypto_random(keys->crypto, key, key_len);
	if (!err)
		err = wrap(keys, kek, name, (struct wire_bytes){key, key_len}, blob);
	release(key);
	return err;
}

static enum err rewrap(struct volume_keys *keys, const struct volume_kek *from,
                       const struct volume_kek *to, struct wire_bytes old, struct volume_blob *blob)
{
	uint32_t key_len = volume_blob_key_len(old);
	uint8_t *key = slots_allocate(key_len);
	enum err err;

	if (!key)
		return ERROR_MEMORY;
	err = unwrap(keys, from, old, key);
	if (!err)
		err = wrap(keys, to, volume_blob_name(old), (struct wire_bytes){key, key_len},
		           blob);
	release(key);
	return err;
}

/* ---- the logon key ---- */

static enum err refuse(const char *what)
{
	log_warning("volumes: %s: %s", what, strerror(errno));
	return ERROR_KEYRING;
}

/*
 * Made in the thread's own keyring, for only its possessor may set permissions and link it; the
 * keyring it goes to is not ours to possess.
 */
static enum err link_logon(key_serial_t key, key_serial_t keyring, uint32_t timeout)
{
	if (timeout && keyctl_set_timeout(key, timeout))
		return refuse("timeout of the logon key");
	if (keyctl_setperm(key, PERMISSIONS))
		return refuse("permissions of the logon key");
	if (keyctl_link(key, keyring))
		return refuse("the keyring that was given");
	return ERROR_NONE;
}

/* Linking would put a key of the same name out of its place. */
static enum err check_free(key_serial_t keyring, const char *description)
{
	if (keyctl_search(keyring, LOGON_TYPE, description, 0) < 0)
		return ERROR_NONE;
	errno = EEXIST;
	return refuse("the keyring that was given");
}

static enum err add_logon(struct wire_bytes payload, struct wire_bytes name, int32_t keyring,
                          uint32_t timeout, int32_t *serial)
{
	char description[sizeof(VOLUME_LOGON_PREFIX) + VOLUME_NAME_MAX];
	enum err err;

	snprintf(description, sizeof(description), VOLUME_LOGON_PREFIX "%.*s", (int)name.len,
	         (const char *)name.data);
	err = check_free(keyring, description);
	if (err)
		return err;
	*serial = add_key(LOGON_TYPE, description, payload.data, payload.len,
	                  KEY_SPEC_THREAD_KEYRING);
	if (*serial < 0)
		return refuse("making the logon key");
	err = link_logon(*serial, keyring, timeout);
	if (keyctl_unlink(*serial, KEY_SPEC_THREAD_KEYRING))
		log_error("volumes: a logon key stays in the thread's keyring: %s",
		          strerror(errno));
	return err;
}

static enum err logon(struct volume_keys *keys, const struct volume_kek *kek,
                      struct wire_bytes blob, struct wire_bytes name, int32_t keyring,
                      uint32_t timeout, int32_t *serial)
{
	uint32_t key_len = volume_blob_key_len(blob);
	uint8_t *key = slots_allocate(key_len);
	enum err err;

	if (!key)
		return ERROR_MEMORY;
	err = unwrap(keys, kek, blob, key);
	if (!err)
		err = add_logon((struct wire_bytes){key, key_len}, name, keyring, timeout, serial);
	release(key);
	return err;
}

static void close_nothing(struct volume_keys *keys)
{
	(void)keys;
}

const struct volume_key_methods volume_memory_methods = {
	.in_kernel = false,
	.import = import_kek,
	.generate = generate,
	.rewrap = rewrap,
	.logon = logon,
	.close = close_nothing,
};
