/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of a client's rule and their checks; see config_clients.h.
 */
#include "config_clients.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "toml.h"

#define NAME_MAX_LEN    255u
#define FINGERPRINT_LEN 64u /* hex digits of SHA-256 */

struct complaint {
	char *text;
	size_t text_len;
};

__attribute__((format(printf, 2, 3))) static bool refuse(struct complaint *complaint,
                                                         const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(complaint->text, complaint->text_len, format, arguments);
	va_end(arguments);
	return false;
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

static bool store_name(char **field, const struct toml_entry *entry, struct complaint *complaint)
{
	const struct toml_value *value = &entry->value;

	if (value->type != TOML_STRING || !value->text_len || value->text_len > NAME_MAX_LEN ||
	    has_control(value->text))
		return refuse(complaint, "[[daemon.clients]].%s must be a string of 1..%u bytes",
		              entry->key, NAME_MAX_LEN);
	*field = strdup(value->text);
	return *field || refuse(complaint, "out of memory");
}

/* As certificates' fingerprints are shown: with colons or without, in any case. Kept in small
 * letters. */
static bool store_fingerprint(char **field, const struct toml_entry *entry,
                              struct complaint *complaint)
{
	size_t len = 0;
	char *at;

	if (!store_name(field, entry, complaint))
		return false;
	for (at = *field; *at; at++) {
		if (isxdigit((unsigned char)*at))
			(*field)[len++] = (char)tolower((unsigned char)*at);
		else if (*at != ':')
			break;
	}
	if (*at || len != FINGERPRINT_LEN)
		return refuse(complaint, "[[daemon.clients]].fingerprint must be a SHA-256 "
		                         "fingerprint: 64 hex digits");
	(*field)[len] = '\0';
	return true;
}

static bool store_slots(struct config_ids *slots, const struct toml_value *value,
                        struct complaint *complaint)
{
	*slots = (struct config_ids){.restricted = 1};
	for (size_t i = 0; value->type == TOML_ARRAY && i < value->item_count; i++) {
		const struct toml_value *item = &value->items[i];

		if (item->type != TOML_INTEGER || item->integer < 0 || item->integer > 255 ||
		    slots->count == CONFIG_MAX_IDS)
			return refuse(complaint,
			              "[[daemon.clients]].slots must hold at most %d "
			              "slot ids, 0..255",
			              CONFIG_MAX_IDS);
		slots->ids[slots->count++] = (uint32_t)item->integer;
	}
	return value->type == TOML_ARRAY ||
	       refuse(complaint, "[[daemon.clients]].slots has the wrong type; write an array of "
	                         "integers");
}

static bool store_operations(char ***operations, const struct toml_value *value,
                             struct complaint *complaint)
{
	if (value->type != TOML_ARRAY)
		return refuse(complaint, "[[daemon.clients]].operations has the wrong type; write "
		                         "an array of strings");
	*operations = calloc(value->item_count + 1, sizeof(**operations));
	for (size_t i = 0; *operations && i < value->item_count; i++) {
		if (value->items[i].type != TOML_STRING || value->items[i].text_len > TOML_MAX_KEY)
			return refuse(complaint, "[[daemon.clients]].operations must hold names of "
			                         "methods");
		(*operations)[i] = strdup(value->items[i].text);
		if (!(*operations)[i])
			return refuse(complaint, "out of memory");
	}
	return *operations || refuse(complaint, "out of memory");
}

static bool store_entry(struct config_client *client, const struct toml_entry *entry,
                        struct complaint *complaint)
{
	if (strcmp(entry->key, "common_name") == 0) /* not secret: names */
		return store_name(&client->common_name, entry, complaint);
	if (strcmp(entry->key, "san") == 0) /* not secret: names */
		return store_name(&client->san, entry, complaint);
	if (strcmp(entry->key, "fingerprint") == 0) /* not secret: names */
		return store_fingerprint(&client->fingerprint, entry, complaint);
	if (strcmp(entry->key, "slots") == 0) /* not secret: names */
		return store_slots(&client->slots, &entry->value, complaint);
	if (strcmp(entry->key, "operations") == 0) /* not secret: names */
		return store_operations(&client->operations, &entry->value, complaint);
	return refuse(complaint,
	              "unknown key '%s' in [[daemon.clients]]; check its spelling or "
	              "remove it",
	              entry->key);
}

bool config_clients_add(struct config *config, const struct toml_table *table, char *error,
                        size_t error_len)
{
	struct complaint complaint = {error, error_len};
	struct config_client *grown;

	grown = reallocarray(config->clients, config->client_count + 1, sizeof(*grown));
	if (!grown)
		return refuse(&complaint, "out of memory");
	config->clients = grown;
	grown = &config->clients[config->client_count++];
	*grown = (struct config_client){.line = table->line};
	for (size_t i = 0; i < table->entry_count; i++)
		if (!store_entry(grown, &table->entries[i], &complaint))
			return false;
	return true;
}

void config_clients_free(struct config *config)
{
	for (size_t i = 0; i < config->client_count; i++) {
		struct config_client *client = &config->clients[i];

		free(client->common_name);
		free(client->san);
		free(client->fingerprint);
		for (char **each = client->operations; each && *each; each++)
			free(*each);
		free(client->operations);
	}
	free(config->clients);
	config->clients = NULL;
	config->client_count = 0;
}

void config_clients_print_example(FILE *stream)
{
	fputs("\n# Which client may do what. Without any such table every certificate of "
	      "tls_client_ca "
	      "may do everything.\n"
	      "# Otherwise the first table that fits counts, and who fits none may do nothing.\n"
	      "#[[daemon.clients]]\n"
	      "#common_name = \"signer.example\"\n"
	      "#san = \"signer.example\"\n"
	      "#fingerprint = "
	      "\"0000000000000000000000000000000000000000000000000000000000000000\"\n"
	      "#slots = [0]\n"
	      "#operations = [\"OpenSession\", \"Login\", \"FindObjects\", \"Sign\"]\n",
	      stream);
}

void config_clients_print_markdown(FILE *stream)
{
	fputs("\n### `[[daemon.clients]]`\n\n"
	      "Which client may do what, as many tables as needed (a change needs a reload). "
	      "Without any, "
	      "every certificate of `tls_client_ca` may\ndo everything. Otherwise the first table "
	      "that "
	      "fits counts, and who fits none may do nothing.\n\n"
	      "| key | values | default | change by | meaning |\n|---|---|---|---|---|\n"
	      "| `common_name` | text, 1..255 bytes | any | reload | The common name of the "
	      "certificate's "
	      "subject. |\n"
	      "| `san` | text, 1..255 bytes | any | reload | One of its alternative names: DNS, "
	      "e-mail, URI or "
	      "address. |\n"
	      "| `fingerprint` | 64 hex digits | any | reload | SHA-256 of the certificate. |\n"
	      "| `slots` | array of at most 64 slot ids | all | reload | The slots that it may "
	      "use. |\n"
	      "| `operations` | array of methods' names | all | reload | The methods of "
	      "`HsmService` that it may "
	      "call; `Sign` includes `SignStream`, and so on. |\n",
	      stream);
}
