/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration: read from a file, checked against the rows of config.def, and then a plain
 * structure that nobody changes. Field names are those of the file: config->token.max_sessions is
 * max_sessions in [token]. It does not open, create or judge the places that the paths name, and it
 * does not apply anything.
 */
#ifndef AGENT_CONFIG_H
#define AGENT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/types.h>

#define CONFIG_DEFAULT_PATH "/etc/craton-hsm/craton_hsm.toml"
#define CONFIG_MAX_IDS      64
#define CONFIG_ERROR_LEN    512 /* enough for every message but those about very long paths */

struct config_ids {
	uint32_t restricted; /* 1: the key is in the file; 0: everybody is meant */
	uint32_t count;
	uint32_t ids[CONFIG_MAX_IDS];
};

/* The C types of the types in config.def: enum config_X for every CHOICES(X), and these. */
typedef bool config_boolean;
typedef uint64_t config_number;
typedef char *config_text; /* never NULL; "" where the table's default is empty */
typedef char *config_ascii;
typedef char *config_path;
typedef char *config_address;
typedef char *config_key_location;
typedef char *config_local_address;
typedef struct config_ids config_ids;

/* clang-format off */
#define CHOICES(name)          typedef enum config_##name {
#define CHOICE(constant, text) constant,
#define END_CHOICES(name)      } config_##name;
#include "config.def"

/* One [[daemon.clients]]: whom it is about, and what they may do. */
struct config_client {
	unsigned int line;
	char *common_name, *san, *fingerprint; /* NULL: any */
	struct config_ids slots;               /* not restricted: all */
	char **operations;                     /* ended by NULL; NULL: all */
};

struct config {
	struct config_client *clients; /* in the file's order; the first that fits counts */
	size_t client_count;
#define TABLE(table, help) struct {
#define KEY(table, key, type, fallback, min, max, change, help) config_##type key;
#define END_TABLE(table)   } table;
#include "config.def"
};
/* clang-format on */

/* The defaults. The caller frees them with config_free. NULL: out of memory. */
struct config *config_defaults(void) __attribute__((warn_unused_result));

/* Reads the file `path`. 0: *out is the caller's, to be freed with config_free. -1: *out is NULL
 * and `error` holds one line, "PATH:LINE: what, why, what to do". The file must be a regular one
 * (no symbolic link), belong to root or to the effective user, and be writable by nobody else. */
int config_load(struct config **out, const char *path, char *error, size_t error_len)
	__attribute__((warn_unused_result));

/* The same from memory; `name` stands for the path in messages. */
int config_parse(struct config **out, const char *name, const char *text, size_t text_len,
                 char *error, size_t error_len) __attribute__((warn_unused_result));

/* NULL is allowed. */
void config_free(struct config *config);

/* Says that a key differs: `applied` tells whether the new value is taken over now or only by a
 * restart. */
typedef void config_changed_fn(void *context, const char *table, const char *key, bool applied);

/* For a reload: tells `changed` (may be NULL) about every key in which `fresh` differs from
 * `running`, and gives those that need a restart their running value back, so that `fresh` can
 * replace `running` as a whole. -1: out of memory; `fresh` is then only good for config_free. */
int config_inherit(struct config *fresh, const struct config *running, config_changed_fn *changed,
                   void *context) __attribute__((warn_unused_result));

/* May a process with this uid and these gids (primary and supplementary) connect? */
bool config_allows_peer(const struct config *config, uid_t uid, const gid_t *gids,
                        size_t gid_count);

/* Turns a checked address of the configuration ("127.0.0.1:5696", "[::1]:5696", "/path") into one
 * for bind(2). false: it is none of these, or the port is not 1..65535. */
bool config_resolve(const char *text, struct sockaddr_storage *address, socklen_t *address_len)
	__attribute__((warn_unused_result));

/* A loopback address or a Unix socket. */
bool config_address_is_local(const struct sockaddr_storage *address);

/* Writes the example file: every key with its help, commented out at its default. */
void config_print_example(FILE *stream);

/* Writes the reference for docs/configuration.md: a section and a Markdown table per [table]. */
void config_print_markdown(FILE *stream);

#endif
