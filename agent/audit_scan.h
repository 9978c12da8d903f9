/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the audit log back: lines of a file that may be compressed, and the form of a record,
 * which is exactly what audit_format writes. What deviates is no record; nothing is repaired.
 */
#ifndef AGENT_AUDIT_SCAN_H
#define AGENT_AUDIT_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit_format.h"

#define AUDIT_FIELDS_MAX 20u

enum audit_field_kind { AUDIT_TEXT, AUDIT_NUMBER, AUDIT_WORD };

/* Borrowed from the line. Text is without its quotes, and needs no unescaping. */
struct audit_field {
	const char *name, *value;
	size_t name_len, value_len;
	enum audit_field_kind kind; /* AUDIT_WORD: true, false or null */
};

struct audit_line {
	uint64_t sequence;
	uint64_t anchor; /* 0: not told */
	uint8_t previous_hash[AUDIT_HASH_LEN];
	struct audit_field fields[AUDIT_FIELDS_MAX];
	size_t count;
};

/* A line without its newline. False when it is no record. */
bool audit_scan(const char *line, size_t len, struct audit_line *out);
/* NULL when the record has no such field. */
const struct audit_field *audit_field(const struct audit_line *line, const char *name);
/* Does the record say this there? */
bool audit_field_is(const struct audit_line *line, const char *name, const char *value);
/* Octets of lower-case digits, at most `room` of them. */
bool audit_parse_hex(const char *hex, size_t hex_len, uint8_t *octets, size_t room, size_t *len);

/* ---- lines of a file ---- */

struct audit_reader;

/* Plain or gzip. NULL with errno. */
struct audit_reader *audit_reader_open(const char *path);
/*
 * The next line, borrowed until the next call, without its newline. 1; 0 at the end; -1 when the
 * file cannot be read. *whole is false when the line has no newline, or is longer than any record.
 */
int audit_reader_next(struct audit_reader *reader, const char **line, size_t *len, bool *whole);
/* The number of the first record of a file that was just opened; 0 when its first line is none. As
 * audit_reader_next otherwise. */
int audit_reader_first(struct audit_reader *reader, uint64_t *sequence);
/* NULL is allowed. */
void audit_reader_close(struct audit_reader *reader);

#endif
