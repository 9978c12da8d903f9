/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volume keys: made, wrapped, unwrapped into a "logon" key for dm-crypt. Two ways, one table of
 * functions each, which understand each other's wrapped keys:
 *
 *   volume_kernel.c  in the kernel module: a volume key is never in this process
 *   volume_memory.c  in locked memory, by OpenSSL and add_key(2), where there is no module
 *
 * The key-encryption key passes through this process's locked memory either way: the token keeps
 * it.
 */
#ifndef AGENT_VOLUME_KEYS_H
#define AGENT_VOLUME_KEYS_H

#include <sys/types.h>

#include "crypto.h"
#include "volume_record.h"

/* One use of volume keys. Everything that it made in the kernel ends with volume_keys_close. */
struct volume_keys {
	const struct volume_key_methods *methods;
	struct crypto *crypto;
	int device_fd; /* of the kernel module; -1: none */
};

/* A key-encryption key, ready for use. `value` is borrowed from the token's object. */
struct volume_kek {
	struct wire_bytes value;
	uint32_t slot; /* its number in the kernel module */
};

/* A wrapped key. */
struct volume_blob {
	uint8_t octets[VOLUME_BLOB_MAX];
	size_t len;
};

struct volume_key_methods {
	bool in_kernel;
	enum err (*import)(struct volume_keys *keys, struct volume_kek *kek);
	enum err (*generate)(struct volume_keys *keys, const struct volume_kek *kek,
	                     struct wire_bytes name, uint32_t key_len, struct volume_blob *blob);
	enum err (*rewrap)(struct volume_keys *keys, const struct volume_kek *from,
	                   const struct volume_kek *to, struct wire_bytes old,
	                   struct volume_blob *blob);
	enum err (*logon)(struct volume_keys *keys, const struct volume_kek *kek,
	                  struct wire_bytes blob, struct wire_bytes name, int32_t keyring,
	                  uint32_t timeout, int32_t *serial);
	void (*close)(struct volume_keys *keys);
};

extern const struct volume_key_methods volume_kernel_methods, volume_memory_methods;

/*
 * Opens the kernel module's way when the module was there at the start (kernel_open), else the
 * other one; with `kernel_only` (a configuration that wants the module) there is no other. To be
 * closed either way. ERROR_KERNEL, with the reason in the log.
 */
enum err volume_keys_open(struct volume_keys *keys, struct crypto *crypto,
                          bool kernel_only) MUST_CHECK;
void volume_keys_close(struct volume_keys *keys);
#define volume_keys_auto __attribute__((cleanup(volume_keys_close))) struct volume_keys
bool volume_keys_in_kernel(const struct volume_keys *keys);

/* Makes a key-encryption key of CRATON_HSM_KEK_LEN octets ready; `value` outlives *kek. */
enum err volume_keys_import(struct volume_keys *keys, struct wire_bytes value,
                            struct volume_kek *kek) MUST_CHECK;
/* A fresh key for a volume of this valid name, wrapped. */
enum err volume_keys_generate(struct volume_keys *keys, const struct volume_kek *kek,
                              struct wire_bytes name, uint32_t key_len,
                              struct volume_blob *blob) MUST_CHECK;
/* The same volume key under another key. ERROR_VOLUME_DAMAGED when `old` does not open. */
enum err volume_keys_rewrap(struct volume_keys *keys, const struct volume_kek *from,
                            const struct volume_kek *to, struct wire_bytes old,
                            struct volume_blob *blob) MUST_CHECK;
/*
 * Puts the key into a logon key "craton-hsm:NAME" in a keyring that the caller of the request has
 * made and let us write to; after `timeout` seconds (0: never) it expires. ERROR_VOLUME_DAMAGED,
 * ERROR_KEYRING.
 */
enum err volume_keys_logon(struct volume_keys *keys, const struct volume_kek *kek,
                           struct wire_bytes blob, struct wire_bytes name, int32_t keyring,
                           uint32_t timeout, int32_t *serial) MUST_CHECK;

#endif
