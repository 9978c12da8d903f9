/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log (DESIGN §7): JSON Lines, each record chained to the exact octets of the one before
 * by SHA-256. This module formats, chains and buffers records and owns the file; it never writes by
 * itself. A loop takes a batch, writes it by an SQE and reports what happened, so that no loop
 * blocks on disk and a reply can be held until its record is written.
 *
 * At most one batch is in flight, whichever loop took it, so the file's order is the chain's order.
 */
#ifndef AGENT_AUDIT_H
#define AGENT_AUDIT_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "wire/buffer.h"

struct config;
struct crypto;
struct audit;
struct kernel_anchor;

/* What a record is about; [audit].log_level lets these through: all: every class, crypto: all but
 * SESSION, auth: AUTH and ADMIN, admin: ADMIN only, none: nothing but the log's own records. */
enum audit_class { AUDIT_SESSION, AUDIT_CRYPTO, AUDIT_AUTH, AUDIT_ADMIN };

struct audit_record {
	enum audit_class class;
	const char *operation;   /* "C_Sign"; static */
	uint64_t session_handle; /* 0: none */
	const uint8_t *key_uid;  /* OBJECT_UID_LEN octets, shown in hex, or NULL */
	uint64_t mechanism;      /* CKM_*, or CK_UNAVAILABLE_INFORMATION */
	enum err result;
	bool fips_approved;
	uid_t uid;
	pid_t pid;
	const char *client; /* whom a front's application is for, or NULL; likewise */
	const char
		*detail; /* further words ("rate-limited"), or NULL; static or outliving the call */
};

/*
 * Opens or creates (0600) the log; refuses a file that is not a regular file of our own with mode
 * 0600, and symlinks: "Failed to open audit log: PATH: REASON". Reads the last complete record to
 * continue the chain; a torn last line is cut off and kept in an "audit-recovered" record (its
 * octets in hex). With an `anchor` (NULL: none) every batch extends the kernel module's register
 * for this log; a log that does not fit its register is an error line and an "anchor-mismatch"
 * record, but no failure. 0 or -1 with one line in `error`.
 */
int audit_open(struct audit **audit, const struct config *config, struct crypto *crypto,
               const struct kernel_anchor *anchor, char *error, size_t error_len);
/* From now on by this configuration; the one before stays readable (reload.h). */
void audit_configure(struct audit *audit, const struct config *config);
/* Writes what is pending with plain writes (start-up and shut-down, when no loop runs), syncs,
 * closes, frees. */
void audit_close(struct audit *audit);

/*
 * Chains and buffers one record. Any thread. Returns its sequence number, or 0 when it need not be
 * written (filtered, or audit switched off); *result is set to ERROR_AUDIT when the log has failed
 * and cannot take it (the buffer is full).
 */
uint64_t audit_append(struct audit *audit, const struct audit_record *record, enum err *result);
/* Does now what else the next record's caller would have to wait for: the hash of the last one. For
 * when the reply is on its way. */
void audit_catch_up(struct audit *audit);
/* A record of the agent's own, by nobody's call. */
struct audit_record audit_own_record(const char *operation, enum err result, const char *detail);
/* The same as audit_append where nobody waits for the answer: a record that cannot be taken is a
 * line in the log. */
uint64_t audit_append_own(struct audit *audit, const struct audit_record *record);
/* Highest sequence number that is safe: in the pad or in the file, and on disk with sync =
 * "always". One atomic load. */
uint64_t audit_written(const struct audit *audit);
/* Is there anything that is not in the file? Whoever is about to sleep writes it first. */
bool audit_is_pending(const struct audit *audit);
/* Is it so much, or so old, that it is to be written now? */
bool audit_is_due(const struct audit *audit, uint64_t now_ns);
/* Sequence numbers in this range were lost by a failed write: true means the reply must become
 * ERROR_AUDIT. */
bool audit_lost(struct audit *audit, uint64_t sequence);

/*
 * Takes the pending records for writing, if no batch is in flight and there are any. *fd and *batch
 * are to be written (append); the memory stays valid until audit_batch_done. *sync tells that an
 * fdatasync must follow the write before audit_batch_done.
 */
bool audit_batch_take(struct audit *audit, int *fd, struct wire_bytes *batch, bool *sync);
/*
 * Reports the result of the write: octets written, or -errno. True when the rest is to be written
 * with *batch (short write). On an error the file is cut back to its last complete record. Records
 * that are safe in the pad are written with the next batch; others of this batch and all appended
 * since are lost (audit_lost), and the chain continues from the file's end.
 */
bool audit_batch_written(struct audit *audit, ssize_t result, struct wire_bytes *batch);
/* Ends the batch: publishes audit_written. `sync_result` is 0 or -errno of the fdatasync. True when
 * more is pending. */
bool audit_batch_done(struct audit *audit, int sync_result);
/* With sync = "batch": true at most once a second when octets were written since the last one; *fd
 * is to be fdatasync'ed. */
bool audit_sync_due(struct audit *audit, int *fd);

/*
 * Moves the file aside as a segment and goes on in a new one; `name` gets the segment's path. Waits
 * for the batch in flight, so for a worker. 0 or -errno: -ENODATA when the file holds no record,
 * -ENOENT when there is no log.
 */
int audit_rotate(struct audit *audit, char *name, size_t name_len);
/* From now on checkpoints are signed by this key (audit_checkpoint.h), which outlives the log; the
 * first at once. NULL: no more. */
void audit_sign(struct audit *audit, EVP_PKEY *signer);

/* Path, records written, octets, failures, for status. */
struct audit_statistics {
	const char *path;
	uint64_t sequence; /* last one given out */
	uint64_t written;
	uint64_t failures;
	bool anchored;   /* in the kernel module */
	uint64_t anchor; /* extensions of its register */
};
void audit_statistics(struct audit *audit, struct audit_statistics *statistics);

#endif
