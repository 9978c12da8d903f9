/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log as a file: opening it safely and finding where its chain ends.
 */
#ifndef AGENT_AUDIT_FILE_H
#define AGENT_AUDIT_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "audit_format.h"

/* The end of the file. All zero for a new one. */
struct audit_tail {
	uint64_t sequence;              /* of the last complete record */
	uint64_t first_sequence;        /* of the first record; 0: it is none */
	char last_line[AUDIT_LINE_MAX]; /* its octets without the newline */
	size_t last_line_len;
	off_t complete_len; /* octets of complete records; the file is cut to this */
	size_t torn_len;    /* octets after them */
	char torn_hex[AUDIT_DETAIL_MAX + 1]; /* the first of them in hex */
};

/*
 * Opens or creates (0600) the file for appending, cuts off a torn last line and describes the tail.
 * Refuses what is not a regular file of our own with mode 0600: one line in `error` that begins
 * with "Failed to open audit log: ". The descriptor, or -1.
 */
int audit_file_open(const char *path, struct audit_tail *tail, char *error, size_t error_len);

#endif
