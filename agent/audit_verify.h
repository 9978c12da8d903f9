/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verifying an audit log, offline, from its files alone: the chain of previous_hash, the sequence
 * numbers, the form of each record. Used by craton-hsm-admin; the agent does not need it.
 */
#ifndef AGENT_AUDIT_VERIFY_H
#define AGENT_AUDIT_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct audit_verdict {
	bool intact;
	uint64_t records;
	char first_bad_file[256]; /* "" when intact */
	uint64_t first_bad_line;  /* 1-based; 0 when intact */
	char problem[200];  /* "record was edited or the one before it", "sequence jumps from 7 to 9
	                       ..." */
	char last_hash[65]; /* SHA-256 of the last line, hex */
};

/* Verifies the files as consecutive segments of one chain. 0, or -1 when a file cannot be read
 * (reason in verdict->problem). */
int audit_verify(const char *const *paths, size_t count, struct audit_verdict *verdict);

#endif
