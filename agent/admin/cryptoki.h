/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PKCS#11 token as the key verbs use it: ours through the library, which this program contains,
 * or another one through its module. What a key is called on the command line is key_type.h's.
 */
#ifndef ADMIN_CRYPTOKI_H
#define ADMIN_CRYPTOKI_H

#include "admin.h"
#include "wire/cryptoki_numbers.h"

#define CRYPTOKI_ATTRIBUTES_MAX 64u
#define CRYPTOKI_ID_MAX         64u

struct cryptoki {
	CK_FUNCTION_LIST *functions; /* NULL: not begun */
	CK_SESSION_HANDLE session;
	CK_SLOT_ID slot_id;
};

/* A session of ours, of the user, who is asked for the PIN. False with a line on standard error; to
 * be ended either way. */
bool cryptoki_begin(const struct admin_options *options, bool read_write, struct cryptoki *token);
/* The same with functions that are initialised, and a slot that is chosen; `what` names the PIN. */
bool cryptoki_open(struct cryptoki *token, const struct admin_pin_source *source, const char *what,
                   bool read_write);
void cryptoki_end(struct cryptoki *token);
#define cryptoki_auto __attribute__((cleanup(cryptoki_end))) struct cryptoki

/* ---- templates ---- */

/* Values are borrowed. */
struct cryptoki_template {
	CK_ATTRIBUTE attributes[CRYPTOKI_ATTRIBUTES_MAX];
	CK_ULONG count;
};

void cryptoki_add(struct cryptoki_template *template, CK_ATTRIBUTE_TYPE type, const void *value,
                  size_t len);
void cryptoki_add_flag(struct cryptoki_template *template, CK_ATTRIBUTE_TYPE type, bool flag);
/* Nothing for NULL. */
void cryptoki_add_text(struct cryptoki_template *template, CK_ATTRIBUTE_TYPE type,
                       const char *text);

/* ---- objects ---- */

/* Calls `each` for what matches; stops when it returns false. False, and a line when the token
 * failed. */
bool cryptoki_each(const struct cryptoki *token, const struct cryptoki_template *wanted,
                   bool (*each)(void *context, CK_OBJECT_HANDLE object), void *context);
/* An attribute's octets, malloc'd with a zero after them; NULL when the object does not have or
 * give it. */
uint8_t *cryptoki_octets(const struct cryptoki *token, CK_OBJECT_HANDLE object,
                         CK_ATTRIBUTE_TYPE type, size_t *len);
/* A number, or `absent`. */
CK_ULONG cryptoki_number(const struct cryptoki *token, CK_OBJECT_HANDLE object,
                         CK_ATTRIBUTE_TYPE type, CK_ULONG absent);
/* False when it is absent. */
bool cryptoki_flag(const struct cryptoki *token, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type);

#endif
