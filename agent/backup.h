/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backup of a token under way, made or restored (docs/backup.md has the file's format). What
 * leaves this process is sealed: a random key for each backup, itself sealed under what PBKDF2
 * makes of the passphrase. The token's own rows stay as they are; objects are opened and sealed
 * anew one chunk at a time, in locked memory.
 *
 * All calls are [slow]. The SO is logged in all the while, since that is when the token has its
 * key; else ERROR_USER_NOT_LOGGED_IN.
 */
#ifndef AGENT_BACKUP_H
#define AGENT_BACKUP_H

#include "backup_format.h"
#include "token.h"

struct backup;

struct backup_options {
	bool replace, other_token, take_identity, again;
};

/*
 * Takes a picture of the token's objects as they are now, and appends the header to `header`.
 * ERROR_PIN_LENGTH when the passphrase is too short or no UTF-8.
 */
enum err backup_begin(struct crypto *crypto, struct token *token, uint64_t iterations,
                      struct wire_bytes passphrase, struct wire_buffer *header,
                      struct backup **backup) MUST_CHECK;
/* Appends the next chunk to `chunk`. ERROR_OPERATION_NONE after the last. */
enum err backup_next(struct backup *backup, struct wire_buffer *chunk, bool *last) MUST_CHECK;

/*
 * ERROR_BACKUP_VERSION, ERROR_BACKUP_PASSPHRASE; ERROR_BACKUP_TOKEN when the header's serial number
 * is not the token's and the options do not let it in.
 */
enum err backup_restore_begin(struct crypto *crypto, struct token *token,
                              struct wire_bytes passphrase, struct wire_bytes header,
                              const struct backup_options *options,
                              struct backup **backup) MUST_CHECK;
/* ERROR_BACKUP_DAMAGED when it is not the next chunk of this backup. */
enum err backup_restore_next(struct backup *backup, struct wire_bytes chunk, bool *last) MUST_CHECK;
/* What was taken in becomes what the token holds, all or nothing (store_restore's errors); before
 * the last chunk ERROR_BACKUP_DAMAGED. */
enum err backup_restore_finish(struct backup *backup) MUST_CHECK;

/* Objects: in the whole backup, and done so far. */
uint64_t backup_total(const struct backup *backup);
uint64_t backup_done(const struct backup *backup);
bool backup_is_restore(const struct backup *backup);
/* NULL is allowed. */
void backup_free(struct backup *backup);

#endif
