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

/* What is wrong with the first bad line, as far as it and its neighbours tell. */
enum audit_fault {
	AUDIT_FAULT_NONE,
	AUDIT_FAULT_EDITED,
	AUDIT_FAULT_DELETED,   /* records before it are missing */
	AUDIT_FAULT_SWAPPED,   /* it belongs elsewhere */
	AUDIT_FAULT_INSERTED,  /* it was not there */
	AUDIT_FAULT_CUT,       /* a torn line; or records between two files, or before the first */
	AUDIT_FAULT_SIGNATURE, /* a checkpoint that the key did not sign, or none at all */
};

struct audit_verify_options {
	const struct kernel_register *now;  /* NULL: the end is not checked by a register */
	const char *public_key;             /* a PEM file; NULL: signatures are not checked */
	bool partial;                       /* the chain may begin in the middle */
	void (*progress)(uint64_t records); /* NULL: nobody wants to know */
};

struct audit_verdict {
	bool intact;
	enum audit_fault fault;
	uint64_t records;
	uint64_t last_sequence;
	uint64_t checkpoints, last_checkpoint; /* how many; the last one's sequence number */
	char first_bad_file[256];              /* "" when intact */
	uint64_t first_bad_line;               /* 1-based; 0 when intact */
	char problem[200];                     /* "deleted: records 7 to 8 are missing before it" */
	char last_hash[65];                    /* SHA-256 of the last line, hex */
	enum audit_anchor_verdict anchor;
	char anchor_problem[200]; /* "" when it matches */
	uint64_t covered; /* sequence number up to which the register covers the log, or 0 */
	uint64_t missing_batches; /* at least; of a log that was cut */
	uint64_t restarts;        /* times that the register began anew in the course of the log */
};

/*
 * Verifies the files, plain or gzip, in whatever order, as segments of one chain. A log that is
 * being written is to be read after its register. `options` may be NULL. 0, or -1 when a file
 * cannot be read (reason in verdict->problem).
 */
int audit_verify(const char *const *paths, size_t count, const struct audit_verify_options *options,
                 struct audit_verdict *verdict);
/* "edited" ... */
const char *audit_fault_name(enum audit_fault fault);
/* The name that the log at this path has for its register. False when there is no SHA-256. */
bool audit_verify_log_id(const char *path, uint8_t log_id[KERNEL_LOG_ID_LEN]);
/* "matches", "unanchored", "cut", "differs", "no-register", "untried". */
const char *audit_anchor_verdict_name(enum audit_anchor_verdict verdict);

#endif
