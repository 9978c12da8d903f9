/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encrypted volumes of a token: private data objects that hold a volume's record, and the one
 * key-encryption key of the token that wraps their keys. What PKCS#11 clients do with the user's
 * PIN can neither change nor destroy them, nor use the key; a record that somebody made up has no
 * key that opens.
 *
 * Callers hold the agent's volume lock over everything but finding, so that no key-encryption key
 * is taken away under another's feet. All but finding are [slow].
 */
#ifndef AGENT_VOLUME_H
#define AGENT_VOLUME_H

#include "object.h"
#include "token.h"
#include "volume_keys.h"

/* Where volumes are kept, and what works on them. */
struct volume_scope {
	struct crypto *crypto;
	const struct config *config;
	struct token *token; /* a user is logged in */
};

/* One volume as it stands. Name and record borrow from the object. */
struct volume {
	struct object *object; /* counted */
	struct wire_bytes name;
	struct volume_record record;
};

/* Gives the object back; safe on a zeroed one. */
void volume_put(struct volume *volume);
#define volume_auto __attribute__((cleanup(volume_put))) struct volume

/* ERROR_VOLUME_UNKNOWN; ERROR_VOLUME_DAMAGED when its record is not whole: then the record is
 * empty, and object and name are set. */
enum err volume_find(const struct volume_scope *scope, struct wire_bytes name,
                     struct volume *volume) MUST_CHECK;
/* Calls `each` for every volume, in the order of their names; the record of one that is damaged is
 * empty. One search. */
enum err volume_list(const struct volume_scope *scope,
                     void (*each)(void *context, const struct volume *volume),
                     void *context) MUST_CHECK;

/*
 * A new volume with a key of its own, of which `record` says all but key and key-encryption key,
 * which is made with the token's first volume. ERROR_ARGUMENTS, ERROR_VOLUME_EXISTS.
 */
enum err volume_create(const struct volume_scope *scope, struct volume_keys *keys,
                       struct wire_bytes name, const struct volume_record *record, uint32_t key_len,
                       struct volume *volume) MUST_CHECK;
/* Puts its key into a keyring (volume_keys_logon). */
enum err volume_open(const struct volume_scope *scope, struct volume_keys *keys,
                     const struct volume *volume, int32_t keyring, uint32_t timeout,
                     int32_t *serial) MUST_CHECK;
/* Destroys the record and with it the only copy of the key. */
enum err volume_remove(const struct volume_scope *scope, const struct volume *volume) MUST_CHECK;

/* What volume_rewrap tells: a volume (its record is not always set), and what became of it. */
typedef void volume_rewrapped(void *context, const struct volume *volume, enum err result);
/*
 * A new key-encryption key for all volumes of the token, in one step; the former one is destroyed
 * with it. Calls `each` for every volume when it was done; when one volume fails, for that one, and
 * nothing is changed. *count of them.
 */
enum err volume_rewrap(const struct volume_scope *scope, struct volume_keys *keys,
                       volume_rewrapped *each, void *context, size_t *count) MUST_CHECK;

#endif
