/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The committer: one thread that carries out changes of token objects. While the disk is busy with
 * some, others gather; they are then made durable together, by one transaction, so that many
 * clients share the price of a write. Nobody waits in a thread of his own.
 */
#ifndef AGENT_COMMITTER_H
#define AGENT_COMMITTER_H

#include <stdint.h>

struct committer;
struct store;
struct token_commit;

/* 0, or -1 with errno. */
int committer_start(struct committer **committer, struct store *store);
/* Any thread. The change is the committer's, which ends and frees it. */
void committer_add(struct committer *committer, struct token_commit *commit);
/* Carries out what waits, then ends the thread. NULL is allowed. */
void committer_stop(struct committer *committer);

/* Changes that wait now, for status. NULL is allowed. */
unsigned int committer_waiting(struct committer *committer);

struct committer_statistics {
	uint64_t changes; /* carried out, whatever came of them */
	uint64_t groups;  /* in so many */
};

/* NULL is allowed: nothing was done. */
void committer_statistics(struct committer *committer, struct committer_statistics *statistics);

#endif
