/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes through the TOML reader and the configuration built on it. Besides what
 * the sanitizers see, it checks that both agree, that errors are one line, and that whatever is
 * accepted keeps the promises of the headers.
 */
/* FUZZ_SOURCES: agent/toml.c agent/config.c agent/config_address.c */
#include "config.h"
#include "toml.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len);

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

static void check_line(const char *text)
{
	REQUIRE(*text);
	for (; *text; text++)
		REQUIRE((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void check_value(const struct toml_value *value)
{
	REQUIRE(value->line > 0);
	if (value->type == TOML_STRING)
		REQUIRE(strlen(value->text) == value->text_len &&
		        value->text_len <= TOML_MAX_STRING);
	if (value->type == TOML_ARRAY)
		for (size_t i = 0; i < value->item_count; i++) {
			REQUIRE(value->items[i].type != TOML_ARRAY);
			check_value(&value->items[i]);
		}
}

static void check_document(const struct toml_document *document)
{
	for (size_t i = 0; i < toml_table_count(document); i++) {
		const struct toml_table *table = toml_table_at(document, i);

		REQUIRE(!!*table->name == (i > 0));
		for (size_t j = 0; j < table->entry_count; j++) {
			check_line(table->entries[j].key);
			check_value(&table->entries[j].value);
		}
	}
}

static void check_config(const struct config *config)
{
	REQUIRE(config->token.slot_count >= 1 && config->token.slot_count <= 256);
	REQUIRE(config->security.pin_min_length <= config->security.pin_max_length);
	REQUIRE(config->security.allowed_uids.count <= CONFIG_MAX_IDS);
	REQUIRE(config->security.locked_memory <= CONFIG_LOCKED_MLOCK);
	REQUIRE(config->token.storage_path[0] == '/');
	REQUIRE(strlen(config->token.label) <= 32);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len)
{
	const char *text = data ? (const char *)data : "";
	char error[CONFIG_ERROR_LEN] = "";
	struct toml_error toml_error = {0};
	struct toml_document *document = toml_parse(text, data_len, &toml_error);
	struct config *config, *running = config_defaults();
	int result = config_parse(&config, "fuzz", text, data_len, error, sizeof(error));

	REQUIRE((result == 0) == (config != NULL) && (document || !config));
	if (document)
		check_document(document);
	else
		check_line(toml_error.text);
	if (config) {
		check_config(config);
		REQUIRE(config_inherit(config, running, NULL, NULL) == 0);
	} else {
		check_line(error);
	}
	config_free(running);
	config_free(config);
	toml_free(document);
	return 0;
}
