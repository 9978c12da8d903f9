/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verifying an audit log, offline, from its files alone: the chain of previous_hash, the sequence
 * numbers, the form of each record; and, against a register of the kernel module that the caller
 * has read, whether the log has its end. Used by craton-hsm-admin; the agent does not need it.
 */
#ifndef AGENT_AUDIT_VERIFY_H
#define AGENT_AUDIT_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel.h"

enum audit_anchor_verdict {
	AUDIT_ANCHOR_UNTRIED,    /* no register given, or the chain is not intact */
	AUDIT_ANCHOR_MATCHES,    /* the register covers the log to its last record */
	AUDIT_ANCHOR_UNANCHORED, /* the log is as the register says, but goes on after that */
	AUDIT_ANCHOR_CUT,        /* the register has batches that the log lacks */
	AUDIT_ANCHOR_DIFFERS,    /* other records than those that the register was extended by */
	AUDIT_ANCHOR_NONE,       /* the module has no register for this log */
};

struct audit_verdict {
	bool intact;
	uint64_t records;
	char first_bad_file[256]; /* "" when intact */
	uint64_t first_bad_line;  /* 1-based; 0 when intact */
	char problem[200];  /* "record was edited or the one before it", "sequence jumps from 7 to 9
	                       ..." */
	char last_hash[65]; /* SHA-256 of the last line, hex */
	enum audit_anchor_verdict anchor;
	char anchor_problem[200]; /* "" when it matches */
	uint64_t covered; /* sequence number up to which the register covers the log, or 0 */
	uint64_t missing_batches; /* at least; of a log that was cut */
	uint64_t restarts;        /* times that the register began anew in the course of the log */
};

/*
 * Verifies the files as consecutive segments of one chain, and their end against `now` (NULL: not).
 * A log that is being written is to be read after its register. 0, or -1 when a file cannot be read
 * (reason in verdict->problem).
 */
int audit_verify(const char *const *paths, size_t count, const struct kernel_register *now,
                 struct audit_verdict *verdict);
/* The name that the log at this path has for its register. False when there is no SHA-256. */
bool audit_verify_log_id(const char *path, uint8_t log_id[KERNEL_LOG_ID_LEN]);
/* "matches", "unanchored", "cut", "differs", "no-register", "untried". */
const char *audit_anchor_verdict_name(enum audit_anchor_verdict verdict);

#endif
