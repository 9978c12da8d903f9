/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin: what its verbs share. One table of verbs (main.c), one function per verb, each
 * in a file of its subject. Exit status: 0 done, 1 refused or failed, 2 wrong usage.
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
	bool allow_discards, read_only, key_only, force;
};

/* Everything the command line can say; verbs use what is theirs. */
struct admin_options {
	bool json;
	const char *socket_path; /* NULL: CRATON_HSM_SOCKET, else the default */
	const char *label;
	const char *slot;
	const char *count;
	bool reinitialize;
	bool anchor;            /* --anchor */
	const char *anchor_log; /* of --anchor=LOG */
	struct admin_pin_source so_pin, user_pin, new_pin;
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

/* One line on standard error, prefixed with the program's name. Returns ADMIN_FAILED. */
int admin_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same for what the agent answered: name, number, meaning. */
int admin_fail_rv(const char *what, CK_RV rv);
/* Connects, or explains. */
bool admin_connect(const struct admin_options *options, enum channel_greeting greeting,
                   struct channel **channel);
/* A decimal number, `absent` when text is NULL. False with a line on standard error. */
bool admin_number(const char *option, const char *text, uint64_t absent, uint64_t *value);
/* The value of --slot, 0 by default. False with a line on standard error. */
bool admin_slot(const struct admin_options *options, uint64_t *slot_id);
/* Prints and frees. */
int admin_print_json(json_t *value);

int admin_status(const struct admin_options *options);
int admin_token_init(const struct admin_options *options);
int admin_pin_reset(const struct admin_options *options);
int admin_audit_verify(const struct admin_options *options);
int admin_events(const struct admin_options *options);
int admin_keyring_publish(const struct admin_options *options);
int admin_volume_create(const struct admin_options *options);
int admin_volume_open(const struct admin_options *options);
int admin_volume_close(const struct admin_options *options);
int admin_volume_list(const struct admin_options *options);
int admin_volume_rewrap(const struct admin_options *options);
int admin_volume_remove(const struct admin_options *options);

#endif
