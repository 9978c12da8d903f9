/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token's objects outside their places in the store: as sealed rows in memory, read out one by
 * one, or collected to take the place of what the token holds. Only backup.c uses it. All calls are
 * [slow], and need somebody to be logged in.
 */
#ifndef AGENT_TOKEN_BACKUP_H
#define AGENT_TOKEN_BACKUP_H

#include "token.h"

struct token_snapshot;

/* Empty. */
enum err token_snapshot_new(struct token *token, struct token_snapshot **snapshot) MUST_CHECK;
/* NULL is allowed. */
void token_snapshot_free(struct token_snapshot *snapshot);
size_t token_snapshot_count(const struct token_snapshot *snapshot);

/* All rows of the token, of one moment. */
enum err token_snapshot_take(struct token_snapshot *snapshot) MUST_CHECK;
/* Appends an object in the clear: uid, revision, private flag, its attributes. */
enum err token_snapshot_read(struct token_snapshot *snapshot, size_t at,
                             struct wire_buffer *plain) MUST_CHECK;

/* Reads one such object and seals it for this token. ERROR_BACKUP_DAMAGED when it is none. */
enum err token_snapshot_add(struct token_snapshot *snapshot, struct wire_reader *reader) MUST_CHECK;

struct token_restore {
	const uint8_t *id;    /* STORE_RESTORE_ID_LEN octets */
	bool replace, again;  /* as in struct store_restore */
	const char *serial;   /* NULL: the token keeps its own */
	const uint8_t *label; /* likewise */
};

/* What was added takes the place of the token's objects. Handles of token objects end. */
enum err token_snapshot_restore(struct token_snapshot *snapshot,
                                const struct token_restore *restore) MUST_CHECK;

#endif
