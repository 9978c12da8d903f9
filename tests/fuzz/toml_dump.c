/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says what our TOML reader makes of documents, so that toml_oracle_test.py can compare it with
 * another reader. Standard input: documents, each after its length as a 32-bit little-endian
 * number. Standard output: a line of JSON per document, or "!LINE: TEXT" where it is refused.
 */
#include "toml.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *json_of(const struct toml_value *value)
{
	json_t *array;

	switch (value->type) {
	case TOML_STRING:
		return json_stringn(value->text, value->text_len);
	case TOML_INTEGER:
		return json_integer(value->integer);
	case TOML_BOOLEAN:
		return json_boolean(value->boolean);
	case TOML_ARRAY:
		array = json_array();
		for (size_t i = 0; i < value->item_count; i++)
			json_array_append_new(array, json_of(&value->items[i]));
		return array;
	}
	return NULL;
}

static void add_entries(json_t *object, const struct toml_table *table)
{
	for (size_t i = 0; i < table->entry_count; i++)
		json_object_set_new(object, table->entries[i].key,
		                    json_of(&table->entries[i].value));
}

/* Where the array of tables `name` hangs: in the root, or for "a.b" in the table a of it, made if
 * need be. */
static json_t *parent_of(json_t *root, const struct toml_table *table, const char **name)
{
	size_t parent_len = strcspn(table->name, ".");
	json_t *parent;

	*name = table->name;
	if (!table->is_dotted)
		return root;
	*name += parent_len + 1;
	parent = json_object_getn(root, table->name, parent_len);
	if (!parent) {
		parent = json_object();
		json_object_setn_new(root, table->name, parent_len, parent);
	}
	return parent;
}

static void add_table(json_t *root, const struct toml_table *table)
{
	json_t *object = json_object(), *parent, *list;
	const char *name;

	add_entries(object, table);
	if (!table->is_element) {
		json_object_set_new(root, table->name, object);
		return;
	}
	parent = parent_of(root, table, &name);
	list = json_object_get(parent, name);
	if (!list) {
		list = json_array();
		json_object_set_new(parent, name, list);
	}
	json_array_append_new(list, object);
}

static void dump(const struct toml_document *document)
{
	json_t *root = json_object();

	add_entries(root, toml_table_at(document, 0));
	for (size_t i = 1; i < toml_table_count(document); i++)
		add_table(root, toml_table_at(document, i));
	json_dumpf(root, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(root);
}

static char *read_document(size_t *text_len)
{
	unsigned char header[4];
	char *text;

	if (fread(header, 1, sizeof(header), stdin) != sizeof(header))
		return NULL;
	*text_len = header[0] | (size_t)header[1] << 8 | (size_t)header[2] << 16 |
	            (size_t)header[3] << 24;
	text = malloc(*text_len ? *text_len : 1);
	if (text && fread(text, 1, *text_len, stdin) == *text_len)
		return text;
	free(text);
	return NULL;
}

int main(void)
{
	size_t text_len;
	char *text;

	while ((text = read_document(&text_len)) != NULL) {
		struct toml_error error;
		struct toml_document *document = toml_parse(text, text_len, &error);

		if (document)
			dump(document);
		else
			printf("!%u: %s\n", error.line, error.text);
		toml_free(document);
		free(text);
	}
	return 0;
}
