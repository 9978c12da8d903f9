/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin: what its verbs share. One table of verbs (verb.def), one function per verb,
 * each in a file of its subject. Exit status: 0 done, 1 refused or failed, 2 wrong usage.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "channel.h"
#include "request.h"

#define ADMIN_PIN_MAX 255u

enum admin_exit { ADMIN_DONE = 0, ADMIN_FAILED = 1, ADMIN_USAGE = 2 };

/* Where a PIN comes from: at most one is set; none means a prompt on the terminal. */
struct admin_pin_source {
	const char *file;
	const char *descriptor; /* a number */
	const char *variable;   /* name of an environment variable */
};

/* What the verbs of volumes are told. Numbers are text as it was given, NULL when it was not. */
struct admin_volume_options {
	const char *device, *cipher;
	const char *key_size, *sector_size; /* octets */
	const char *offset, *size;          /* sectors of 512 octets */
	bool allow_discards, read_only, key_only;
};

/* What key verbs are told, as it was given. */
struct admin_key_options {
	const char *type, *id, *unique_id, *class, *usage, *start_date, *end_date, *format;
	bool extractable, always_authenticate;
};

/* The token that is imported. */
struct admin_source_options {
	const char *module, *slot, *label;
};

struct admin_restore_options {
	bool replace, other_token, take_identity, again;
};

struct admin_audit_options {
	const char *public_key, *since, *until, *operation, *result;
	bool partial;
};

/* Everything the command line can say (option.def); verbs use what is theirs. */
struct admin_options {
	bool json, help, version;
	const char *socket_path; /* NULL: CRATON_HSM_SOCKET, else the default */
	const char *label, *slot, *count, *seconds, *output;
	bool so, reinitialize, force;
	bool anchor;
	const char *anchor_text; /* of --anchor=LOG */
	struct admin_pin_source so_pin, user_pin, new_pin, passphrase, password, source_pin;
	struct admin_key_options key;
	struct admin_source_options source;
	struct admin_restore_options restore;
	struct admin_audit_options audit;
	struct admin_volume_options volume;
	char **arguments; /* what is left after verb and options */
	int argument_count;
};

/* A PIN in memory; wiped by admin_pin_wipe. */
struct admin_pin {
	uint8_t octets[ADMIN_PIN_MAX];
	size_t len;
};

#define admin_pin_auto __attribute__((cleanup(admin_pin_wipe))) struct admin_pin
void admin_pin_wipe(struct admin_pin *pin);
bool admin_pin_given(const struct admin_pin_source *source);
/*
 * Reads a PIN from its source, or from the terminal without echo: `what` names it in the prompt,
 * `confirm` asks twice. False with a line on standard error.
 */
bool admin_pin_read(const struct admin_pin_source *source, const char *what, bool confirm,
                    struct admin_pin *pin);

/* ---- report.c ---- */

/* One line on standard error, prefixed with the program's name. Returns ADMIN_FAILED. */
int admin_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same for what the agent answered: name, number, meaning. */
int admin_fail_rv(const char *what, CK_RV rv);
/* Prints and frees. */
int admin_print_json(json_t *value);
/* What was done to a slot: a line, or {"done", "slot"}. */
int admin_report_slot(const struct admin_options *options, uint64_t slot_id, const char *done);
/* A colour's escape sequence, or "" where standard output is no terminal. */
enum admin_colour { COLOUR_PLAIN, COLOUR_GOOD, COLOUR_BAD, COLOUR_WARNING };
const char *admin_colour(enum admin_colour colour);
/* What an agent's reply says in JSON; NULL with a line on standard error when it is none. */
json_t *admin_parse_json(struct wire_bytes json);
/* Text of a report, "?" where it is missing; a number of it, 0. */
const char *admin_json_text(const json_t *object, const char *key);
long long admin_json_number(const json_t *object, const char *key);

/* ---- progress.c ---- */

/* A bar on standard error while it is a terminal; nothing otherwise. `total` 0: not known. */
void admin_progress(const char *what, uint64_t done, uint64_t total);
void admin_progress_end(void);

/* ---- session.c ---- */

/* Connects, or explains. */
bool admin_connect(const struct admin_options *options, enum channel_greeting greeting,
                   struct channel **channel);
/* A decimal number, `absent` when text is NULL. False with a line on standard error. */
bool admin_number(const char *option, const char *text, uint64_t absent, uint64_t *value);
/* The value of --slot, 0 by default. False with a line on standard error. */
bool admin_slot(const struct admin_options *options, uint64_t *slot_id);

/* A connection to the agent, and a session on it when there is one. */
struct admin_session {
	struct channel *channel;
	struct connection *connection;
	uint64_t slot_id, handle;
};

enum admin_login { ADMIN_NOBODY, ADMIN_USER, ADMIN_SO };

/* The connection alone. False with a line on standard error, which begins with `what` when an agent
 * answers; to be ended either way. */
bool admin_session_reach(const struct admin_options *options, enum channel_greeting greeting,
                         const char *what, struct admin_session *session);
/* Asks for the PIN of `login` if need be. False with a line on standard error; to be ended either
 * way. */
bool admin_session_begin(const struct admin_options *options, enum admin_login login,
                         bool read_write, struct admin_session *session);
void admin_session_end(struct admin_session *session);
#define admin_session_auto __attribute__((cleanup(admin_session_end))) struct admin_session

/* The agent's report (status), or NULL with a line on standard error. */
json_t *admin_fetch_status(const struct admin_options *options);

/* ---- the verbs ---- */

#define VERB(first, second, function, synopsis, help)                                              \
	int function(const struct admin_options *options);
#include "verb.def"

#endif
