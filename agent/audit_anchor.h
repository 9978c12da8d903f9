/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log's anchor: after each batch the kernel module's register for this log is extended,
 * so that records cut off the log's end are found (audit_fold.h says how). One call of the module
 * per batch; without the module nothing at all.
 *
 * What is kept here is guarded by the audit log's lock, but for audit_anchor_extend, which is the
 * business of the one batch in flight.
 */
#ifndef AGENT_AUDIT_ANCHOR_H
#define AGENT_AUDIT_ANCHOR_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel.h"

struct audit_anchor {
	const struct kernel_anchor *methods; /* NULL: the log is not anchored */
	const EVP_MD *sha256;
	uint8_t log_id[KERNEL_LOG_ID_LEN];
	uint64_t counter; /* extensions of the register */
	bool covers;      /* the last of them was by the last record in the file */
};

/* `methods` may be NULL. The file at this path exists. */
void audit_anchor_open(struct audit_anchor *anchor, const struct kernel_anchor *methods,
                       const EVP_MD *sha256, const char *path);
/*
 * At a start: compares the log with its register. `last_hash` is that of the last record, NULL when
 * there is none. When just the last batch is missing in the register (a crash after its write) that
 * is made good. False when log and register differ, with the reason in `problem`; the register goes
 * on from where it is.
 */
bool audit_anchor_resume(struct audit_anchor *anchor, const char *path, const uint8_t *last_hash,
                         char *problem, size_t problem_len);
/* The number that the first record of a batch has to tell, 0: none. `in_flight`: the batch before
 * it is being written, and its extension comes before this record can. */
uint64_t audit_anchor_number(const struct audit_anchor *anchor, bool in_flight);
/* Extends the register by the hash of a batch's last record. False when that cannot be done
 * (logged), or need not be. */
bool audit_anchor_extend(const struct audit_anchor *anchor, const uint8_t *hash,
                         struct kernel_register *now);
/* Takes over what audit_anchor_extend gave; after a failure the log is anchored no more. */
void audit_anchor_settle(struct audit_anchor *anchor, bool extended,
                         const struct kernel_register *now);

#endif
