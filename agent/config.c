/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads and checks the configuration. Everything about the single keys is in config.def; here are
 * the types that the rows use, the few rules between keys, the rules about the file itself, and the
 * two texts made from the rows. Nothing here logs, exits or keeps state.
 */
#include "config.h"
#include "config_clients.h"
#include "toml.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One reading of one file. */
struct load {
	const char *path;
	char *error;
	size_t error_len;
	struct config *config;
	unsigned int *lines; /* by number of the key: where the file gives it, 0 if it does not */
};

struct key;

struct type {
	enum toml_type wanted;
	size_t field_len;
	bool (*store)(struct load *load, const struct key *key, const struct toml_value *value,
	              void *field);
	const char *(*complaint)(const char *text); /* for strings: what is wrong, or NULL */
	const char *const *choices;                 /* ended by NULL */
	const char *described;
};

struct key {
	const char *table;
	const char *name;
	const struct type *type;
	const char *fallback;
	uint64_t min;
	uint64_t max;
	bool is_reloadable;
	const char *help;
	size_t offset;
};

/* One line into the caller's buffer. line 0: the whole file is meant. */
__attribute__((format(printf, 3, 4))) static bool fail(struct load *load, unsigned int line,
                                                       const char *format, ...)
{
	char text[CONFIG_ERROR_LEN];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (line)
		snprintf(load->error, load->error_len, "%s:%u: %s", load->path, line, text);
	else
		snprintf(load->error, load->error_len, "%s: %s", load->path, text);
	for (char *at = load->error; load->error_len && *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?';
	return false;
}

/* ---- types ---- */

static bool store_boolean(struct load *load, const struct key *key, const struct toml_value *value,
                          void *field)
{
	(void)load;
	(void)key;
	*(bool *)field = value->boolean;
	return true;
}

static bool store_number(struct load *load, const struct key *key, const struct toml_value *value,
                         void *field)
{
	if (value->integer < 0 || (uint64_t)value->integer < key->min ||
	    (uint64_t)value->integer > key->max)
		return fail(load, value->line,
		            "[%s].%s = %" PRId64 " is out of range; use %" PRIu64 "..%" PRIu64,
		            key->table, key->name, value->integer, key->min, key->max);
	*(uint64_t *)field = (uint64_t)value->integer;
	return true;
}

/* C0, DEL, and C1 as UTF-8: terminals act on them, and values end in logs. */
static bool has_control(const char *text)
{
	for (const unsigned char *at = (const unsigned char *)text; *at; at++)
		if (*at < 0x20 || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0))
			return true;
	return false;
}

static bool store_string(struct load *load, const struct key *key, const struct toml_value *value,
                         void *field)
{
	char **string = field;
	const char *complaint = has_control(value->text) ? "contains a control character" : NULL;
	char *copy;

	if (value->text_len < key->min || value->text_len > key->max)
		return fail(load, value->line,
		            "[%s].%s has %zu bytes; it must have %" PRIu64 "..%" PRIu64, key->table,
		            key->name, value->text_len, key->min, key->max);
	if (!complaint && value->text_len && key->type->complaint)
		complaint = key->type->complaint(value->text);
	if (complaint)
		return fail(load, value->line, "[%s].%s %s", key->table, key->name, complaint);
	copy = strdup(value->text);
	if (!copy)
		return fail(load, value->line, "out of memory");
	free(*string);
	*string = copy;
	return true;
}

static const char *ascii_complaint(const char *text)
{
	for (; *text; text++)
		if (*text & 0x80)
			return "must be plain ASCII";
	return NULL;
}

static const char *path_complaint(const char *text)
{
	if (*text != '/')
		return "must be an absolute path, beginning with '/'";
	while (*text) {
		size_t part_len = strcspn(text += strspn(text, "/"), "/");

		if ((part_len == 1 && text[0] == '.') ||
		    (part_len == 2 && text[0] == '.' && text[1] == '.'))
			return "contains '.' or '..'; write the path without them";
		text += part_len;
	}
	return NULL;
}

static const char *address_complaint(const char *text)
{
	struct sockaddr_storage address;
	socklen_t address_len;

	if (*text == '/' || !config_resolve(text, &address, &address_len))
		return "must be a numeric address and port, such as 127.0.0.1:5696 or [::1]:5696";
	return NULL;
}

static const char *key_location_complaint(const char *text)
{
	if (strncmp(text, "pkcs11:", strlen("pkcs11:")) != 0)
		return path_complaint(text);
	/* This file may be read by many, and what is in it is shown and logged. */
	return strcasestr(text, "pin-value") ? "must not hold a PIN (pin-value); use "
	                                       "pin-source=file:... instead"
	                                     : NULL;
}

static const char *local_address_complaint(const char *text)
{
	struct sockaddr_storage address;
	socklen_t address_len;

	if (*text == '/')
		return path_complaint(text);
	if (!config_resolve(text, &address, &address_len) || !config_address_is_local(&address))
		return "must be a loopback address and port, such as 127.0.0.1:9464, or the path "
		       "of a Unix socket";
	return NULL;
}

static bool store_ids(struct load *load, const struct key *key, const struct toml_value *value,
                      void *field)
{
	struct config_ids *ids = field;

	static_assert(sizeof(*ids) == (2 + CONFIG_MAX_IDS) * sizeof(uint32_t), "no padding");
	if (value->item_count > key->max || value->item_count > CONFIG_MAX_IDS)
		return fail(load, value->line, "[%s].%s has %zu ids; at most %" PRIu64 " fit",
		            key->table, key->name, value->item_count, key->max);
	*ids = (struct config_ids){.restricted = 1};
	for (size_t i = 0; i < value->item_count; i++) {
		const struct toml_value *item = &value->items[i];

		/* The highest number stands for "no id" in the kernel. */
		if (item->type != TOML_INTEGER || item->integer < 0 || item->integer >= UINT32_MAX)
			return fail(load, item->line,
			            "[%s].%s must hold numeric ids, 0..4294967294", key->table,
			            key->name);
		ids->ids[ids->count++] = (uint32_t)item->integer;
	}
	return true;
}

/* "a", "b" or "c" into a buffer, cut where it ends. */
static void list_choices(const char *const *choices, char *list, size_t list_len)
{
	size_t used = 0;

	for (; *choices && used < list_len; choices++) {
		const char *between = used == 0 ? "" : choices[1] ? ", " : " or ";

		used += (size_t)snprintf(list + used, list_len - used, "%s\"%s\"", between,
		                         *choices);
	}
}

static bool store_choice(struct load *load, const struct key *key, const struct toml_value *value,
                         void *field)
{
	const char *const *choices = key->type->choices;
	unsigned int found = 0;
	char list[160] = "";

	while (choices[found] && strcmp(choices[found], value->text) != 0)
		found++;
	if (!choices[found]) {
		list_choices(choices, list, sizeof(list));
		return fail(load, value->line, "[%s].%s = \"%.40s\" is unknown; use %s", key->table,
		            key->name, value->text, list);
	}
	memcpy(field, &found, sizeof(found));
	return true;
}

#define STRING_TYPE(name, check, text)                                                             \
	static const struct type type_##name = {                                                   \
		.wanted = TOML_STRING,                                                             \
		.field_len = sizeof(char *),                                                       \
		.store = store_string,                                                             \
		.complaint = check,                                                                \
		.described = text,                                                                 \
	}

static const struct type type_boolean = {
	.wanted = TOML_BOOLEAN, .field_len = sizeof(bool), .store = store_boolean};
static const struct type type_number = {
	.wanted = TOML_INTEGER, .field_len = sizeof(uint64_t), .store = store_number};
static const struct type type_ids = {
	.wanted = TOML_ARRAY, .field_len = sizeof(struct config_ids), .store = store_ids};
STRING_TYPE(text, NULL, "text");
STRING_TYPE(ascii, ascii_complaint, "ASCII text");
STRING_TYPE(path, path_complaint, "absolute path");
STRING_TYPE(address, address_complaint, "address and port");
STRING_TYPE(key_location, key_location_complaint, "absolute path or pkcs11: URI");
STRING_TYPE(local_address, local_address_complaint, "loopback address and port, or path");

/* clang-format off */
#define CHOICES(name)          static const char *const choices_##name[] = {
#define CHOICE(constant, text) text,
#define END_CHOICES(name)                                                                          \
	NULL};                                                                                     \
	static_assert(sizeof(config_##name) == sizeof(unsigned int), "store_choice writes that");  \
	static const struct type type_##name = {                                                   \
	        .wanted = TOML_STRING,                                                             \
	        .field_len = sizeof(config_##name),                                                \
	        .store = store_choice,                                                             \
	        .choices = choices_##name,                                                         \
	};
#include "config.def"
/* clang-format on */

/* ---- the rows ---- */

enum { RESTART = false, RELOAD = true };

static const struct key keys[] = {
#define KEY(table, key, type, fallback, min, max, change, help)                                    \
	{#table,    #key, &type_##type,                                                            \
	 #fallback, min,  max,                                                                     \
	 change,    help, offsetof(struct config, table.key)},
#include "config.def"
};

enum key_number {
#define KEY(table, key, type, fallback, min, max, change, help) KEY_##table##_##key,
#include "config.def"
	KEY_COUNT,
};

static const struct {
	const char *name;
	const char *help;
} tables[] = {
#define TABLE(table, help) {#table, help},
#include "config.def"
};

#define TABLE_COUNT (sizeof(tables) / sizeof(tables[0]))

static void *field_of(const struct config *config, const struct key *key)
{
	return (char *)config + key->offset;
}

static char **string_of(const struct config *config, const struct key *key)
{
	if (key->type->wanted != TOML_STRING || key->type->choices)
		return NULL;
	return field_of(config, key);
}

static const struct key *find_key(const char *table, const char *name)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		if ((!table || strcmp(keys[i].table, table) == 0) && /* not secret: names */
		    strcmp(keys[i].name, name) == 0)                 /* not secret: names */
			return &keys[i];
	return NULL;
}

static bool is_known_table(const char *name)
{
	for (size_t i = 0; i < TABLE_COUNT; i++)
		if (strcmp(tables[i].name, name) == 0)
			return true;
	return false;
}

/* ---- from a document into a configuration ---- */

static const char *type_name(enum toml_type type)
{
	switch (type) {
	case TOML_STRING:
		return "a string in quotes";
	case TOML_INTEGER:
		return "an integer";
	case TOML_BOOLEAN:
		return "true or false";
	case TOML_ARRAY:
		return "an array of integers";
	}
	return "something else";
}

static bool store_value(struct load *load, const struct key *key, const struct toml_value *value)
{
	if (value->type != key->type->wanted)
		return fail(load, value->line, "[%s].%s has the wrong type; write %s", key->table,
		            key->name, type_name(key->type->wanted));
	return key->type->store(load, key, value, field_of(load->config, key));
}

static bool refuse_key(struct load *load, const char *table, const struct toml_entry *entry)
{
	const struct key *elsewhere = find_key(NULL, entry->key);

	if (elsewhere)
		return fail(load, entry->line, "'%s' does not belong in [%s]; move it to [%s]",
		            entry->key, table, elsewhere->table);
	return fail(load, entry->line, "unknown key '%s' in [%s]; check its spelling or remove it",
	            entry->key, table);
}

static bool apply_entry(struct load *load, const char *table, const struct toml_entry *entry)
{
	const struct key *key = find_key(table, entry->key);

	if (!key)
		return refuse_key(load, table, entry);
	load->lines[key - keys] = entry->line;
	return store_value(load, key, &entry->value);
}

static bool apply_table(struct load *load, const struct toml_table *table)
{
	if (table->name[0] == '\0' && table->entry_count)
		return fail(load, table->entries[0].line,
		            "key '%s' stands before the first [table]; move it into its table",
		            table->entries[0].key);
	if (table->is_element && strcmp(table->name, CONFIG_CLIENTS_TABLE) == 0) {
		char error[CONFIG_ERROR_LEN];

		/* A table that is not whole frees what it has with the configuration. */
		return config_clients_add(load->config, table, error, sizeof(error)) ||
		       fail(load, table->line, "%s", error);
	}
	if (table->is_element)
		return fail(load, table->line, "[[%s]] is an array of tables; write [%s]",
		            table->name, table->name);
	if (table->name[0] && !is_known_table(table->name))
		return fail(load, table->line,
		            "unknown table [%s]; check its spelling or remove it", table->name);
	for (size_t i = 0; i < table->entry_count; i++)
		if (!apply_entry(load, table->name, &table->entries[i]))
			return false;
	return true;
}

static bool apply_document(struct load *load, const struct toml_document *document)
{
	for (size_t i = 0; i < toml_table_count(document); i++)
		if (!apply_table(load, toml_table_at(document, i)))
			return false;
	return true;
}

/* max_rw_sessions follows a smaller max_sessions, unless the file says otherwise itself. */
static bool check_sessions(struct load *load)
{
	uint64_t all = load->config->token.max_sessions;
	unsigned int line = load->lines[KEY_token_max_rw_sessions];

	if (all == 0 || load->config->token.max_rw_sessions <= all)
		return true;
	if (line)
		return fail(load, line,
		            "[token].max_rw_sessions = %" PRIu64 " is above max_sessions = %" PRIu64
		            "; lower it or raise that",
		            load->config->token.max_rw_sessions, all);
	load->config->token.max_rw_sessions = all;
	return true;
}

static bool check_relations(struct load *load)
{
	uint64_t min = load->config->security.pin_min_length;
	uint64_t max = load->config->security.pin_max_length;
	unsigned int min_line = load->lines[KEY_security_pin_min_length];
	unsigned int max_line = load->lines[KEY_security_pin_max_length];

	if (load->config->daemon.max_connection_memory < load->config->daemon.max_message_size)
		return fail(load, load->lines[KEY_daemon_max_message_size],
		            "[daemon].max_message_size = %" PRIu64
		            " is above max_connection_memory = %" PRIu64 "; lower it or raise that",
		            load->config->daemon.max_message_size,
		            load->config->daemon.max_connection_memory);
	if (min > max)
		return fail(load, min_line > max_line ? min_line : max_line,
		            "[security].pin_min_length = %" PRIu64
		            " is above pin_max_length = %" PRIu64 "; lower it or raise that",
		            min, max);
	return check_sessions(load);
}

static void free_document(struct toml_document **document)
{
	toml_free(*document);
}

static bool store_default(struct load *load, const struct key *key)
{
	__attribute__((cleanup(free_document))) struct toml_document *document = NULL;
	struct toml_error error;
	char text[256];
	int text_len = snprintf(text, sizeof(text), "fallback = %s", key->fallback);

	if (key->fallback[0] == '\0')
		return true;
	document = toml_parse(text, (size_t)text_len, &error);
	if (!document)
		return fail(load, error.line, "default of [%s].%s: %s", key->table, key->name,
		            error.text);
	return store_value(load, key, &toml_table_at(document, 0)->entries[0].value);
}

struct config *config_defaults(void)
{
	char error[CONFIG_ERROR_LEN];
	struct load load = {.path = "defaults", .error = error, .error_len = sizeof(error)};

	load.config = calloc(1, sizeof(*load.config));
	for (size_t i = 0; load.config && i < KEY_COUNT; i++) {
		if (!store_default(&load, &keys[i])) {
			config_free(load.config);
			load.config = NULL;
		}
	}
	return load.config;
}

static void free_config(struct config **config)
{
	config_free(*config);
}

static struct config *take_config(struct config **config)
{
	struct config *taken = *config;

	*config = NULL;
	return taken;
}

static int parse(struct config **out, struct load *load, const char *text, size_t text_len)
{
	__attribute__((cleanup(free_document))) struct toml_document *document = NULL;
	__attribute__((cleanup(free_config))) struct config *config = config_defaults();
	unsigned int lines[KEY_COUNT] = {0};
	struct toml_error error;
	bool done = false;

	load->config = config;
	load->lines = lines;
	document = toml_parse(text, text_len, &error);
	if (!config)
		fail(load, 0, "out of memory");
	else if (!document)
		fail(load, error.line, "%s", error.text);
	else
		done = apply_document(load, document) && check_relations(load);
	*out = done ? take_config(&config) : NULL;
	return done ? 0 : -1;
}

int config_parse(struct config **out, const char *name, const char *text, size_t text_len,
                 char *error, size_t error_len)
{
	struct load load = {.path = name, .error = error, .error_len = error_len};

	return parse(out, &load, text, text_len);
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (string_of(config, &keys[i]))
			free(*string_of(config, &keys[i]));
	config_clients_free(config);
	free(config);
}

/* ---- the file ---- */

static void close_file(int *file)
{
	if (*file >= 0)
		close(*file);
}

static bool check_file(struct load *load, int file)
{
	struct stat status;

	if (fstat(file, &status) < 0)
		return fail(load, 0, "fstat: %s", strerror(errno));
	if (!S_ISREG(status.st_mode))
		return fail(load, 0, "is not a regular file; name the configuration file itself");
	if (status.st_uid != 0 && status.st_uid != geteuid())
		return fail(load, 0, "belongs to uid %u; make it root's with chown root",
		            (unsigned int)status.st_uid);
	if (status.st_mode & (S_IWGRP | S_IWOTH))
		return fail(load, 0, "is writable by %s (mode %04o); do chmod go-w",
		            status.st_mode & S_IWOTH ? "everybody" : "its group",
		            (unsigned int)(status.st_mode & 07777));
	return true;
}

static bool read_file(struct load *load, int file, char *text, size_t *text_len, size_t limit_len)
{
	*text_len = 0;
	while (*text_len < limit_len) {
		ssize_t got = read(file, text + *text_len, limit_len - *text_len);

		if (got == 0)
			return true;
		if (got < 0 && errno != EINTR)
			return fail(load, 0, "cannot be read: %s", strerror(errno));
		if (got > 0)
			*text_len += (size_t)got;
	}
	return fail(load, 0, "is larger than %d bytes; shorten it", TOML_MAX_TEXT);
}

/* Without blocking: a FIFO under this name must not hang the start. */
static int open_file(struct load *load)
{
	int file = open(load->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (file < 0 && errno == ELOOP)
		fail(load, 0, "is a symbolic link, or under a loop of them; name the file itself");
	else if (file < 0 && errno == ENOENT)
		fail(load, 0, "%s; create it or set CRATON_HSM_CONFIG to another",
		     strerror(ENOENT));
	else if (file < 0)
		fail(load, 0, "cannot be opened: %s; check its owner and mode", strerror(errno));
	return file;
}

int config_load(struct config **out, const char *path, char *error, size_t error_len)
{
	struct load load = {.path = path, .error = error, .error_len = error_len};
	__attribute__((cleanup(close_file))) int file = open_file(&load);
	char text[TOML_MAX_TEXT + 1];
	size_t text_len;

	*out = NULL;
	if (file < 0 || !check_file(&load, file))
		return -1;
	if (!read_file(&load, file, text, &text_len, sizeof(text)))
		return -1;
	return parse(out, &load, text, text_len);
}

/* ---- reload ---- */

static bool is_same(const struct config *one, const struct config *other, const struct key *key)
{
	char **string = string_of(one, key);

	if (string)
		return strcmp(*string, *string_of(other, key)) == 0; /* not secret: names */
	size_t len = key->type->field_len;
	const void *ours = field_of(one, key), *theirs = field_of(other, key);

	return memcmp(ours, theirs, len) == 0;
}

static bool copy_value(struct config *to, const struct config *from, const struct key *key)
{
	char **string = string_of(to, key);
	char *copy;

	if (!string) {
		memcpy(field_of(to, key), field_of(from, key), key->type->field_len);
		return true;
	}
	copy = strdup(*string_of(from, key));
	if (!copy)
		return false;
	free(*string);
	*string = copy;
	return true;
}

int config_inherit(struct config *fresh, const struct config *running, config_changed_fn *changed,
                   void *context)
{
	for (size_t i = 0; i < KEY_COUNT; i++) {
		const struct key *key = &keys[i];

		if (is_same(fresh, running, key))
			continue;
		if (!key->is_reloadable && !copy_value(fresh, running, key))
			return -1;
		if (changed)
			changed(context, key->table, key->name, key->is_reloadable);
	}
	return 0;
}

/* ---- what callers ask of the values ---- */

static bool ids_contain(const struct config_ids *ids, uint32_t id)
{
	for (uint32_t i = 0; i < ids->count; i++)
		if (ids->ids[i] == id)
			return true;
	return false;
}

bool config_allows_peer(const struct config *config, uid_t uid, const gid_t *gids, size_t gid_count)
{
	const struct config_ids *allowed_gids = &config->security.allowed_gids;

	if (!config->security.allowed_uids.restricted && !allowed_gids->restricted)
		return true;
	if (ids_contain(&config->security.allowed_uids, uid))
		return true;
	for (size_t i = 0; i < gid_count; i++)
		if (ids_contain(allowed_gids, gids[i]))
			return true;
	return false;
}

/* ---- texts from the rows ---- */

static void describe_values(FILE *stream, const struct key *key)
{
	char list[160] = "";

	if (key->type->choices)
		list_choices(key->type->choices, list, sizeof(list));
	if (list[0])
		fputs(list, stream);
	else if (key->type->wanted == TOML_BOOLEAN)
		fputs("true or false", stream);
	else if (key->type->wanted == TOML_INTEGER)
		fprintf(stream, "%" PRIu64 "..%" PRIu64, key->min, key->max);
	else if (key->type->wanted == TOML_ARRAY)
		fprintf(stream, "array of at most %" PRIu64 " ids", key->max);
	else
		fprintf(stream, "%s, %" PRIu64 "..%" PRIu64 " bytes", key->type->described,
		        key->min, key->max);
}

static const char *change_name(const struct key *key)
{
	return key->is_reloadable ? "reload" : "restart";
}

static void print_example_key(FILE *stream, const struct key *key)
{
	const char *example = key->fallback[0] ? key->fallback : "[0, 1000]";
	const char *note = key->fallback[0] ? "" : " By default absent; an example:";

	fprintf(stream, "\n# %s\n# Values: ", key->help);
	describe_values(stream, key);
	fprintf(stream, ". A change needs a %s.%s\n#%s = %s\n", change_name(key), note, key->name,
	        example);
}

static void print_markdown_key(FILE *stream, const struct key *key)
{
	fprintf(stream, "| `%s` | ", key->name);
	describe_values(stream, key);
	fprintf(stream, " | %s%s%s | %s | %s |\n", key->fallback[0] ? "`" : "",
	        key->fallback[0] ? key->fallback : "absent", key->fallback[0] ? "`" : "",
	        change_name(key), key->help);
}

static void print_keys(FILE *stream, const char *table,
                       void (*print)(FILE *stream, const struct key *key))
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (strcmp(keys[i].table, table) == 0) /* not secret: names */
			print(stream, &keys[i]);
}

void config_print_example(FILE *stream)
{
	fputs("# Craton HSM for Linux: configuration, " CONFIG_DEFAULT_PATH ".\n"
	      "# Every key is shown with its default; remove the '#' before one to change it.\n"
	      "# The file must belong to root or to the daemon's user, writable by nobody else.\n",
	      stream);
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		fprintf(stream, "\n# %s\n[%s]\n", tables[i].help, tables[i].name);
		print_keys(stream, tables[i].name, print_example_key);
		if (strcmp(tables[i].name, "daemon") == 0) /* not secret: names */
			config_clients_print_example(stream);
	}
}

void config_print_markdown(FILE *stream)
{
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		fprintf(stream, "%s## `[%s]`\n\n%s\n\n", i ? "\n" : "", tables[i].name,
		        tables[i].help);
		fputs("| key | values | default | change by | meaning |\n|---|---|---|---|---|\n",
		      stream);
		print_keys(stream, tables[i].name, print_markdown_key);
		if (strcmp(tables[i].name, "daemon") == 0) /* not secret: names */
			config_clients_print_markdown(stream);
	}
}
