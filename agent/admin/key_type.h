/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kinds of keys are called on the command line ("rsa:2048", "ec:P-256", "ed25519"), and what
 * else key options say: identifiers, dates, usages, classes.
 */
#ifndef ADMIN_KEY_TYPE_H
#define ADMIN_KEY_TYPE_H

#include "cryptoki.h"

#define KEY_TYPE_NAME_MAX 40u
#define KEY_PARAMS_MAX    32u

struct key_type_row;

/* A kind of key, ready for templates that borrow from it. */
struct key_type {
	const struct key_type_row *row;
	CK_KEY_TYPE key_type;
	CK_MECHANISM_TYPE generate;
	bool is_pair;
	CK_ULONG number;                /* bits, octets or parameter set */
	uint8_t params[KEY_PARAMS_MAX]; /* DER of the curve's OID */
	size_t params_len;
};

/* Reads "aes:256" and its like. False with a line that lists them. */
bool key_type_parse(const char *text, struct key_type *type);
/* Adds what the generation of such a key asks for. */
void key_type_add(const struct key_type *type, struct cryptoki_template *template);
/* The name of an object's kind, by its attributes. */
void key_type_describe(const struct cryptoki *token, CK_OBJECT_HANDLE object,
                       char name[KEY_TYPE_NAME_MAX]);

/* What --label, --id, the dates and the usage list say, checked. Borrowed by templates. */
struct key_names {
	const char *label;
	uint8_t id[CRYPTOKI_ID_MAX];
	size_t id_len;
	CK_DATE start, end;
	bool has_start, has_end;
	uint32_t usages; /* by place in the table of usages */
	bool has_usages;
};

/* False with a line on standard error. */
bool key_names_read(const struct admin_options *options, struct key_names *names);
/* Label, id and dates. */
void key_names_add(const struct key_names *names, struct cryptoki_template *template);
/* The usage flags of an object of this class: those that were named are true, all others that the
 * class has false. Nothing without --usage. */
void key_usages_add(const struct key_names *names, CK_OBJECT_CLASS object_class,
                    CK_KEY_TYPE key_type, struct cryptoki_template *template);
/* What private and secret keys are: private, sensitive, and extractable only with --extractable. */
void key_protect(const struct admin_options *options, struct cryptoki_template *template);
/* The usages that an object has, as an array of words. */
json_t *key_usages_json(const struct cryptoki *token, CK_OBJECT_HANDLE object);

/* The words of --class. False with a line. `classes` gets at most 5. */
bool key_classes(const char *text, const char *absent, CK_OBJECT_CLASS classes[5], size_t *count);
const char *key_class_name(CK_OBJECT_CLASS object_class);
/* Hexadecimal digits. False when there are others, an odd number of them, or too many. */
bool key_hex(const char *text, uint8_t *octets, size_t room, size_t *len);
/* malloc'd digits. */
char *key_to_hex(const uint8_t *octets, size_t len);

/* ---- key_select.c ---- */

/* Calls `each` for the objects that --label, --id, --unique-id and --class name; `absent` is the
 * class when none is given. False when the options or the token failed, with a line. */
bool key_select(const struct admin_options *options, const struct cryptoki *token,
                const char *absent, bool (*each)(void *context, CK_OBJECT_HANDLE object),
                void *context);
/* Does the command line name any object? */
bool key_is_named(const struct admin_options *options);

#endif
