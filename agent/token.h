/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token in its slot: its PINs, its object master key while somebody is logged in, its objects and
 * their index. Session objects live in the same table, marked with their application, so that one
 * search serves both.
 *
 * Locking: one rwlock per token guards table, index and key; nothing that blocks on disk or derives
 * a PIN runs under it. A mutex orders changes of token objects and of the token's row (store first,
 * then memory), another one those who come with a PIN, so calls marked [slow] are for worker
 * threads.
 */
#ifndef AGENT_TOKEN_H
#define AGENT_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto.h"
#include "object.h"
#include "store.h"
#include "wire/attribute.h"

struct committer;
struct config;
struct token;
struct application;

enum token_user { TOKEN_USER, TOKEN_SO };

struct token_info {
	bool initialized;
	bool user_pin_set;
	uint8_t label[STORE_LABEL_LEN];
	char serial[STORE_SERIAL_LEN];
	uint64_t pin_flags;    /* CKF_USER_PIN_COUNT_LOW ... CKF_SO_PIN_LOCKED as they stand */
	uint32_t object_count; /* in memory: loaded token objects, and session objects */
	uint32_t user_failures, so_failures;
};

/* The octets of a blank-padded label or serial number without the blanks. */
static inline size_t token_text_len(const void *text, size_t len)
{
	while (len && ((const char *)text)[len - 1] == ' ')
		len--;
	return len;
}

/* Everything a token needs from outside. Borrowed for the life of the token. */
struct token_environment {
	struct crypto *crypto;
	struct store *store;
	const struct config *_Atomic config;
	const uint8_t *device_key; /* CRYPTO_KEY_LEN octets: seals public objects */
	struct committer *committer;
};

/*
 * Makes the token of a slot from its row (NULL: never initialised) and loads its public objects. A
 * row that does not open is kept in the store, logged by uid, and not shown; it does not stop the
 * start.
 */
enum err token_new(struct token **token, uint64_t slot_id,
                   const struct token_environment *environment,
                   const struct store_token *row) MUST_CHECK;
/* From now on by this configuration; the one before stays readable (reload.h). */
void token_configure(struct token *token, const struct config *config);
void token_free(struct token *token);
uint64_t token_slot_id(const struct token *token);
void token_info(struct token *token, struct token_info *info);

/*
 * [slow] C_InitToken: a fresh token needs any SO PIN of valid length; an initialised one its
 * present SO PIN (counted and rate-limited like a login). Destroys every object. The caller has
 * checked that no session is open. `*delay_ms` as in token_login.
 */
enum err token_initialize(struct token *token, struct wire_bytes pin, struct wire_bytes label,
                          unsigned int *delay_ms) MUST_CHECK;
/*
 * [slow] Verifies a PIN (B5). The failure counter is durable before this returns. On
 * ERROR_PIN_INCORRECT *delay_ms says how long the answer is to be held; attempts that begin inside
 * that time get ERROR_PIN_RATE_LIMITED at once and are not counted. On success the object master
 * key is in memory, private objects are loaded, and the caller holds one "login" to be given back
 * by token_logout. The SO holds the key too but sees no private object (that is policy's business).
 */
enum err token_login(struct token *token, enum token_user user, struct wire_bytes pin,
                     unsigned int *delay_ms) MUST_CHECK;
/* Gives a login back; the last one wipes the key and unloads private objects. */
void token_logout(struct token *token);
/* [slow] Like token_login but only verifies: context-specific login. */
enum err token_verify_pin(struct token *token, enum token_user user, struct wire_bytes pin,
                          unsigned int *delay_ms) MUST_CHECK;
/* [slow] C_InitPIN by the SO, who is logged in: sets the user PIN, clears its counter, keeps every
 * object. */
enum err token_init_pin(struct token *token, struct wire_bytes pin) MUST_CHECK;
/* [slow] C_SetPIN. The old PIN is verified as in token_login. */
enum err token_set_pin(struct token *token, enum token_user user, struct wire_bytes old_pin,
                       struct wire_bytes new_pin, unsigned int *delay_ms) MUST_CHECK;

/*
 * Changes of objects. What touches session objects alone is done on return, with *commit NULL.
 * Otherwise *commit is the change, made but not begun: the caller gives it to token_commit_submit,
 * or drops it by token_commit_discard. Nothing of it is seen before it is durable, but for session
 * objects that are added beside token objects: their application sees them at once, and no more
 * when the change fails.
 *
 * token_add_objects gives the objects handles and takes its own references; at most TOKEN_ADD_MAX,
 * all or none. ERROR_USER_NOT_LOGGED_IN when a private token object comes while no user is logged
 * in.
 */
struct token_commit;

#define TOKEN_ADD_MAX 2u
enum err token_add_objects(struct token *token, struct object *const *objects, size_t count,
                           struct token_commit **commit) MUST_CHECK;
/* Removes one, or what it was replaced by. */
enum err token_remove_object(struct token *token, struct object *object,
                             struct token_commit **commit) MUST_CHECK;
/* Publishes `successor` in the place of `object`, same handle and uid, next revision. When it is
 * marked as compromised, so is `object`, whoever holds it. */
enum err token_replace_object(struct token *token, struct object *object, struct object *successor,
                              struct token_commit **commit) MUST_CHECK;
/*
 * Has it carried out, in the order of submission; then `done` is told, by the committer's thread.
 * ERROR_OBJECT_HANDLE when what was to be removed is gone, or what was to be replaced has been, or
 * was unloaded since by a logout; ERROR_USER_NOT_LOGGED_IN when it is no more so for a private
 * object; ERROR_SESSION_HANDLE when the token was initialised since.
 */
void token_commit_submit(struct token_commit *commit, void (*done)(void *context, enum err err),
                         void *context);
void token_commit_discard(struct token_commit *commit);
/* [slow] Several changes of private token objects, all or none, whatever happens meanwhile: power
 * loss, too. ERROR_OBJECT_HANDLE when one that is to be replaced or removed was changed since by
 * somebody else. */
struct token_change {
	struct object *const *added;
	size_t added_count;
	struct object *const *replaced; /* each by the successor at the same place */
	struct object *const *successors;
	size_t replaced_count;
	struct object *const *removed;
	size_t removed_count;
};
enum err token_change_objects(struct token *token, const struct token_change *change) MUST_CHECK;
/* Removes the session objects of one session, or of the whole application when session_handle is 0.
 */
void token_drop_session_objects(struct token *token, const struct application *application,
                                uint32_t session_handle);

/* C_Logout: removes the application's private session objects only. */
void token_drop_private_session_objects(struct token *token, const struct application *application);

/*
 * A reference to the object with this handle if `application` may see it (token objects; its own
 * session objects; private ones only with `private_visible`), else NULL.
 */
struct object *token_find(struct token *token, uint32_t handle,
                          const struct application *application, bool private_visible);
/*
 * The handles of all visible objects that match, oldest first, in *handles (malloc; the caller
 * frees), *count of them. Uses the index of class, key type, label and id when the template names
 * one of them.
 */
enum err token_search(struct token *token, const struct wire_template *template,
                      const struct application *application, bool private_visible,
                      uint32_t **handles, size_t *count) MUST_CHECK;

#endif
