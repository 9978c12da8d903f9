/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict reader for the part of TOML 1.0 that a configuration file needs: tables, arrays of
 * tables, bare and quoted keys, one-line strings, integers (decimal and hexadecimal), booleans and
 * flat arrays of those. Everything else (floats, dates, inline tables, dotted keys but in [[a.b]],
 * multi-line strings, nested arrays) is refused by name. It never accepts a document that TOML
 * refuses, and it knows nothing about what the keys mean: that is config.c.
 */
#ifndef AGENT_TOML_H
#define AGENT_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOML_MAX_TEXT    (64 * 1024) /* bytes of a document */
#define TOML_MAX_KEY     64          /* bytes of a key or table name */
#define TOML_MAX_STRING  4096        /* bytes of a string value */
#define TOML_MAX_ITEMS   256         /* values in an array */
#define TOML_MAX_ENTRIES 256         /* keys in a table */
#define TOML_MAX_TABLES  64          /* tables of a document, array elements included */

enum toml_type { TOML_STRING, TOML_INTEGER, TOML_BOOLEAN, TOML_ARRAY };

struct toml_value {
	enum toml_type type;
	unsigned int line; /* where it stands, from 1 */
	union {
		struct {
			const char *text; /* UTF-8, no zero byte inside, zero-terminated */
			size_t text_len;
		};
		int64_t integer;
		bool boolean;
		struct {
			struct toml_value *items; /* never arrays themselves */
			size_t item_count;
		};
	};
};

struct toml_entry {
	const char *key; /* never empty, no control characters; unique in its table */
	unsigned int line;
	struct toml_value value;
};

struct toml_table {
	const char *name;  /* "" for the keys above the first header */
	unsigned int line; /* of its header */
	bool is_element;   /* [[name]]; several tables may then share the name */
	bool is_dotted;    /* [[a.b]], the name is then "a.b" */
	struct toml_entry *entries;
	size_t entry_count;
};

struct toml_error {
	unsigned int line; /* from 1 */
	char text[192];    /* what and why; one line, no control characters */
};

/* A parsed document; it owns every string, entry and table that can be reached from it. */
struct toml_document;

/* Reads `text_len` bytes, which need not be zero-terminated and may be freed afterwards. The caller
 * frees the result with toml_free. NULL on failure, with `error` filled. */
struct toml_document *toml_parse(const char *text, size_t text_len, struct toml_error *error)
	__attribute__((warn_unused_result));

/* Frees a document; NULL is allowed. */
void toml_free(struct toml_document *document);

/* The tables in the order of the file; number 0 is always the one without a name. */
size_t toml_table_count(const struct toml_document *document);

/* A table, borrowed from the document. index < toml_table_count. */
const struct toml_table *toml_table_at(const struct toml_document *document, size_t index);

#endif
