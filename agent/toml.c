/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TOML subset reader: one pass that checks bytes (UTF-8, no control characters), one that reads
 * lines. There is no recursion: arrays do not nest and tables are flat. Decoded strings go into one
 * store as large as the text, because no TOML spelling is shorter than what it stands for. Not a
 * writer, and not a general TOML library.
 */
#include "toml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct toml_document {
	struct toml_table *tables;
	size_t table_count;
	char *store; /* every decoded string, each with its terminating zero */
};

struct parser {
	const char *at;
	const char *end;
	unsigned int line;
	char *store; /* the next free byte of document->store */
	struct toml_document *document;
	struct toml_error *error;
};

__attribute__((format(printf, 2, 3))) static bool fail(struct parser *parser, const char *format,
                                                       ...)
{
	va_list arguments;

	va_start(arguments, format);
	parser->error->line = parser->line;
	vsnprintf(parser->error->text, sizeof(parser->error->text), format, arguments);
	va_end(arguments);
	return false;
}

/* Room for one element more in a list of `count`, in powers of two. NULL: no memory, the list is
 * unchanged. */
static void *grow(void *list, size_t count, size_t element_len)
{
	if (count & (count - 1))
		return list;
	return reallocarray(list, count ? 2 * count : 1, element_len);
}

/* ---- bytes ---- */

/* The length of the UTF-8 sequence at `at`, 0 if it is not well-formed (overlong, surrogate, beyond
 * U+10FFFF, cut). */
static size_t utf8_len(const unsigned char *at, size_t left)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = at[0] < 0x80         ? 1
	             : at[0] >> 5 == 0x06 ? 2
	             : at[0] >> 4 == 0x0e ? 3
	             : at[0] >> 3 == 0x1e ? 4
	                                  : 0;
	uint32_t code;

	if (len <= 1)
		return len;
	if (len > left)
		return 0;
	code = at[0] & (0x7f >> len);
	for (size_t i = 1; i < len; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3f);
	}
	if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return len;
}

static bool is_control(unsigned char byte)
{
	return byte < 0x20 || byte == 0x7f;
}

static bool is_allowed_control(const struct parser *parser)
{
	if (*parser->at == '\r')
		return parser->at + 1 < parser->end && parser->at[1] == '\n';
	return *parser->at == '\n' || *parser->at == '\t';
}

/* After this pass, control characters are tabs, newlines, and carriage returns before a newline. */
static bool check_bytes(struct parser *parser)
{
	const char *start = parser->at;

	while (parser->at < parser->end) {
		unsigned char byte = (unsigned char)*parser->at;
		size_t len = utf8_len((const unsigned char *)parser->at,
		                      (size_t)(parser->end - parser->at));

		if (len == 0)
			return fail(parser, "byte 0x%02x is not valid UTF-8", byte);
		if (is_control(byte) && !is_allowed_control(parser))
			return fail(parser, "control character 0x%02x is not allowed", byte);
		if (byte == '\n')
			parser->line++;
		parser->at += len;
	}
	parser->at = start;
	parser->line = 1;
	return true;
}

static bool at_char(const struct parser *parser, char wanted)
{
	return parser->at < parser->end && *parser->at == wanted;
}

static bool take_char(struct parser *parser, char wanted)
{
	if (!at_char(parser, wanted))
		return false;
	parser->at++;
	return true;
}

static void skip_space(struct parser *parser)
{
	while (at_char(parser, ' ') || at_char(parser, '\t'))
		parser->at++;
}

static bool at_newline(const struct parser *parser)
{
	return at_char(parser, '\n') || at_char(parser, '\r');
}

/* Past spaces and a comment, up to the end of the line or the next character that says something.
 */
static void skip_blank(struct parser *parser)
{
	skip_space(parser);
	if (!at_char(parser, '#'))
		return;
	while (parser->at < parser->end && !at_newline(parser))
		parser->at++;
}

static bool take_newline(struct parser *parser)
{
	take_char(parser, '\r');
	if (!take_char(parser, '\n'))
		return false;
	parser->line++;
	return true;
}

static void skip_lines(struct parser *parser)
{
	do
		skip_blank(parser);
	while (take_newline(parser));
}

/* Says what stands here instead of what was wanted. */
static bool unexpected(struct parser *parser, const char *wanted)
{
	if (parser->at == parser->end)
		return fail(parser, "the file ends where %s should be", wanted);
	if (at_newline(parser))
		return fail(parser, "the line ends where %s should be", wanted);
	if (*parser->at & 0x80)
		return fail(parser, "a character outside ASCII where %s should be; quote it",
		            wanted);
	if (at_char(parser, '\t'))
		return fail(parser, "a tab where %s should be", wanted);
	return fail(parser, "'%c' where %s should be", *parser->at, wanted);
}

/* ---- strings and keys ---- */

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

static void put_utf8(struct parser *parser, uint32_t code)
{
	static const uint32_t first_beyond[] = {0x80, 0x800, 0x10000, 0x110000};
	static const unsigned char lead[] = {0x00, 0xc0, 0xe0, 0xf0};
	unsigned int following = 0;

	while (code >= first_beyond[following])
		following++;
	*parser->store++ = (char)(lead[following] | code >> (6 * following));
	while (following-- > 0)
		*parser->store++ = (char)(0x80 | (code >> (6 * following) & 0x3f));
}

/* \uXXXX and \UXXXXXXXX, after the letter. */
static bool take_code_point(struct parser *parser, unsigned int digits)
{
	uint32_t code = 0;

	for (unsigned int i = 0; i < digits; i++) {
		int digit = parser->at < parser->end ? hex_digit(*parser->at) : -1;

		if (digit < 0)
			return fail(parser, "a \\u escape needs 4 hexadecimal digits, \\U needs 8");
		code = code << 4 | (uint32_t)digit;
		parser->at++;
	}
	if (code == 0)
		return fail(parser, "a string may not contain U+0000");
	if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return fail(parser, "U+%04X is not a Unicode character", (unsigned int)code);
	put_utf8(parser, code);
	return true;
}

static bool take_escape(struct parser *parser)
{
	static const char letters[] = "btnfr\"\\", meanings[] = "\b\t\n\f\r\"\\";
	const char *found;
	char letter;

	parser->at++;
	if (parser->at == parser->end || at_newline(parser))
		return unexpected(parser, "the rest of an escape");
	letter = *parser->at++;
	if (letter == 'u')
		return take_code_point(parser, 4);
	if (letter == 'U')
		return take_code_point(parser, 8);
	found = memchr(letters, letter, sizeof(letters) - 1);
	if (!found)
		return fail(parser, "unknown escape in a string; write \\\\ for a backslash");
	*parser->store++ = meanings[found - letters];
	return true;
}

/* "basic" or 'literal', on one line. The result lives in the store. */
static bool take_string(struct parser *parser, const char **text, size_t *text_len)
{
	const char *start = parser->store;
	char quote = *parser->at++;

	if (at_char(parser, quote) && parser->at + 1 < parser->end && parser->at[1] == quote)
		return fail(parser, "multi-line strings are not supported; write it on one line");
	while (!at_char(parser, quote)) {
		if (parser->at == parser->end || at_newline(parser))
			return fail(parser, "a string is not closed on its line; add a %c", quote);
		if (parser->store - start > TOML_MAX_STRING)
			return fail(parser, "a string is longer than %d bytes", TOML_MAX_STRING);
		if (quote == '"' && *parser->at == '\\') {
			if (!take_escape(parser))
				return false;
		} else {
			*parser->store++ = *parser->at++;
		}
	}
	parser->at++;
	*text_len = (size_t)(parser->store - start);
	*text = start;
	*parser->store++ = '\0';
	if (*text_len > TOML_MAX_STRING)
		return fail(parser, "a string is longer than %d bytes", TOML_MAX_STRING);
	return true;
}

static bool is_bare(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || byte == '_' || byte == '-';
}

static void take_bare(struct parser *parser, const char **text, size_t *text_len)
{
	const char *start = parser->store;

	while (parser->at < parser->end && is_bare(*parser->at))
		*parser->store++ = *parser->at++;
	*text_len = (size_t)(parser->store - start);
	*text = start;
	*parser->store++ = '\0';
}

static bool has_control(const char *text)
{
	while (*text)
		if (is_control((unsigned char)*text++))
			return true;
	return false;
}

/* A key or a table's name, or a part of one, and the spaces after it. */
static bool take_part(struct parser *parser, const char **key)
{
	size_t key_len;

	if (parser->at < parser->end && is_bare(*parser->at))
		take_bare(parser, key, &key_len);
	else if (!at_char(parser, '"') && !at_char(parser, '\''))
		return unexpected(parser, "a key");
	else if (!take_string(parser, key, &key_len))
		return false;
	if (key_len == 0 || key_len > TOML_MAX_KEY)
		return fail(parser, "a key has %zu bytes; it may have 1 to %d", key_len,
		            TOML_MAX_KEY);
	if (has_control(*key))
		return fail(parser, "a key contains a control character");
	skip_space(parser);
	return true;
}

static bool take_key(struct parser *parser, const char **key)
{
	if (!take_part(parser, key))
		return false;
	if (at_char(parser, '.'))
		return fail(parser, "dotted keys are not supported; use a [table]");
	return true;
}

/* The name of an array of tables, which may have two bare parts. They are stored one behind the
 * other, so that the dot takes the place of the first one's end. */
static bool take_element_name(struct parser *parser, const char **name, bool *is_dotted)
{
	bool is_bare_part = parser->at < parser->end && is_bare(*parser->at);
	const char *second;

	*is_dotted = false;
	if (!take_part(parser, name))
		return false;
	if (!at_char(parser, '.'))
		return true;
	parser->at++;
	skip_space(parser);
	is_bare_part = is_bare_part && parser->at < parser->end && is_bare(*parser->at);
	if (!is_bare_part || !take_part(parser, &second) || at_char(parser, '.'))
		return fail(parser, "dotted keys are not supported, but for [[TABLE.NAME]] with "
		                    "bare names");
	((char *)(uintptr_t)second)[-1] = '.';
	*is_dotted = true;
	return true;
}

/* ---- values ---- */

/* A run of the characters that numbers, dates and keywords are made of. */
struct token {
	const char *text;
	int len; /* an int, for printf's %.*s; never more than TOML_MAX_TEXT */
};

static struct token take_token(struct parser *parser)
{
	struct token token = {.text = parser->at};

	while (parser->at < parser->end &&
	       (is_bare(*parser->at) || strchr("+.:", *parser->at) != NULL))
		parser->at++;
	token.len = (int)(parser->at - token.text);
	return token;
}

static bool token_is(struct token token, const char *text)
{
	return strlen(text) == (size_t)token.len && memcmp(token.text, text, strlen(text)) == 0;
}

static bool token_has(struct token token, const char *any_of)
{
	for (int i = 0; i < token.len; i++)
		if (strchr(any_of, token.text[i]))
			return true;
	return false;
}

static bool refuse_token(struct parser *parser, struct token token)
{
	int shown = token.len < 40 ? token.len : 40;
	const char *why = "not a value; strings need quotes, numbers are decimal or 0x";

	if (token_has(token, ":") || (token.len > 5 && token.text[4] == '-'))
		why = "a date or time, which is not supported; use a quoted string";
	else if (token_has(token, ".") || token_is(token, "inf") || token_is(token, "nan"))
		why = "a floating-point number, which is not supported; use an integer";
	else if (token.len > 1 && token.text[0] == '0' && strchr("ob", token.text[1]))
		why = "an octal or binary number, which is not supported; use decimal or 0x";
	else if (token.len > 1 && token.text[0] == '0' && token.text[1] != 'x')
		why = "not a number; leading zeros are not allowed";
	return fail(parser, "'%.*s' is %s", shown, token.text, why);
}

/* Digits with single underscores between them; UINT64_MAX stands for anything too large. */
static bool read_digits(struct token digits, unsigned int base, uint64_t *number)
{
	bool after_digit = false;

	*number = 0;
	for (int i = 0; i < digits.len; i++) {
		int digit = hex_digit(digits.text[i]);

		if (digits.text[i] == '_' && after_digit) {
			after_digit = false;
			continue;
		}
		if (digit < 0 || (unsigned int)digit >= base)
			return false;
		if (__builtin_mul_overflow(*number, base, number) ||
		    __builtin_add_overflow(*number, (uint64_t)digit, number))
			*number = UINT64_MAX;
		after_digit = true;
	}
	return after_digit;
}

static bool take_number(struct parser *parser, struct token token, struct toml_value *value)
{
	bool negative = token.text[0] == '-';
	bool is_hex = token.len > 2 && memcmp(token.text, "0x", 2) == 0;
	int skip = is_hex ? 2 : negative || token.text[0] == '+';
	struct token digits = {.text = token.text + skip, .len = token.len - skip};
	uint64_t number;

	if (!is_hex && digits.len > 1 && digits.text[0] == '0')
		return refuse_token(parser, token);
	if (!read_digits(digits, is_hex ? 16 : 10, &number))
		return refuse_token(parser, token);
	if (number > (uint64_t)INT64_MAX + negative)
		return fail(parser, "an integer does not fit into 64 bits");
	value->type = TOML_INTEGER;
	value->integer = (int64_t)(negative ? 0 - number : number);
	return true;
}

/* Anything but an array. */
static bool take_scalar(struct parser *parser, struct toml_value *value)
{
	struct token token;

	value->line = parser->line;
	if (at_char(parser, '"') || at_char(parser, '\'')) {
		value->type = TOML_STRING;
		return take_string(parser, &value->text, &value->text_len);
	}
	if (at_char(parser, '{'))
		return fail(parser, "inline tables are not supported; use a [table]");
	token = take_token(parser);
	if (token.len == 0)
		return unexpected(parser, "a value");
	value->type = TOML_BOOLEAN;
	value->boolean = token_is(token, "true");
	if (value->boolean || token_is(token, "false"))
		return true;
	return take_number(parser, token, value);
}

static bool take_item(struct parser *parser, struct toml_value *array)
{
	struct toml_value *items;

	if (at_char(parser, '['))
		return fail(parser, "arrays within arrays are not supported");
	if (array->item_count == TOML_MAX_ITEMS)
		return fail(parser, "an array has more than %d values", TOML_MAX_ITEMS);
	items = grow(array->items, array->item_count, sizeof(*items));
	if (!items)
		return fail(parser, "out of memory");
	array->items = items;
	memset(&items[array->item_count], 0, sizeof(*items));
	return take_scalar(parser, &items[array->item_count++]);
}

static bool take_array(struct parser *parser, struct toml_value *array)
{
	array->line = parser->line;
	array->type = TOML_ARRAY;
	parser->at++;
	for (;;) {
		skip_lines(parser);
		if (take_char(parser, ']'))
			return true;
		if (!take_item(parser, array))
			return false;
		skip_lines(parser);
		if (!take_char(parser, ',') && !at_char(parser, ']'))
			return unexpected(parser, "a ',' or the array's ']'");
	}
}

/* ---- tables and lines ---- */

static const struct toml_entry *find_entry(const struct toml_table *table, const char *key)
{
	for (size_t i = 0; i < table->entry_count; i++)
		if (strcmp(table->entries[i].key, key) == 0) /* not secret: names */
			return &table->entries[i];
	return NULL;
}

/* A new entry at the end of the last table. Its value is filled in place, so that a half-read one
 * is freed too. */
static struct toml_entry *add_entry(struct parser *parser, const char *key)
{
	struct toml_table *table = &parser->document->tables[parser->document->table_count - 1];
	const struct toml_entry *twin = find_entry(table, key);
	struct toml_entry *entries;

	if (twin) {
		fail(parser, "key '%s' is given twice, first on line %u", key, twin->line);
		return NULL;
	}
	if (table->entry_count == TOML_MAX_ENTRIES) {
		fail(parser, "a table has more than %d keys", TOML_MAX_ENTRIES);
		return NULL;
	}
	entries = grow(table->entries, table->entry_count, sizeof(*entries));
	if (!entries) {
		fail(parser, "out of memory");
		return NULL;
	}
	table->entries = entries;
	entries[table->entry_count] = (struct toml_entry){.key = key, .line = parser->line};
	return &entries[table->entry_count++];
}

static bool take_pair(struct parser *parser)
{
	struct toml_entry *entry;
	const char *key;

	if (!take_key(parser, &key))
		return false;
	if (!take_char(parser, '='))
		return unexpected(parser, "'='");
	entry = add_entry(parser, key);
	if (!entry)
		return false;
	skip_space(parser);
	if (at_char(parser, '['))
		return take_array(parser, &entry->value);
	return take_scalar(parser, &entry->value);
}

static bool is_name_free(struct parser *parser, const char *name, bool is_element)
{
	const struct toml_document *document = parser->document;
	const struct toml_entry *entry = find_entry(&document->tables[0], name);

	if (entry)
		return fail(parser, "table '%s' has the name of the key on line %u", name,
		            entry->line);
	for (size_t i = 1; i < document->table_count; i++) {
		const struct toml_table *other = &document->tables[i];

		if (strcmp(other->name, name) == 0 && !(is_element && other->is_element))
			return fail(parser, "table '%s' is given twice, first on line %u", name,
			            other->line);
	}
	return true;
}

static bool begins_with(const char *name, const char *parent)
{
	size_t parent_len = strlen(parent);

	return strncmp(name, parent, parent_len) == 0 && name[parent_len] == '.';
}

/* [[a.b]] is for a table a (given before, or not at all) that has no b of its own; otherwise the
 * document means something else, or nothing. */
static bool is_parent_free(struct parser *parser, const char *name)
{
	const struct toml_document *document = parser->document;

	for (size_t i = 0; i < document->table_count; i++) {
		const struct toml_table *table = &document->tables[i];

		for (size_t j = 0; i == 0 && j < table->entry_count; j++)
			if (begins_with(name, table->entries[j].key))
				return fail(parser, "'%s' has the name of the key on line %u", name,
				            table->entries[j].line);
		if (i == 0 || table->is_dotted || !begins_with(name, table->name))
			continue;
		if (table->is_element || find_entry(table, name + strlen(table->name) + 1))
			return fail(parser, "'%s' does not fit the table on line %u", name,
			            table->line);
	}
	return true;
}

/* Its arrays of tables come after a table, so that all its keys are known by then. */
static bool has_no_children(struct parser *parser, const char *name)
{
	const struct toml_document *document = parser->document;

	for (size_t i = 1; i < document->table_count; i++)
		if (document->tables[i].is_dotted && begins_with(document->tables[i].name, name))
			return fail(parser, "'%s' must come before its arrays of tables (line %u)",
			            name, document->tables[i].line);
	return true;
}

static bool add_table(struct parser *parser, const char *name, bool is_element, bool is_dotted)
{
	struct toml_document *document = parser->document;
	struct toml_table *tables;

	if (document->table_count > TOML_MAX_TABLES)
		return fail(parser, "more than %d tables", TOML_MAX_TABLES);
	tables = grow(document->tables, document->table_count, sizeof(*tables));
	if (!tables)
		return fail(parser, "out of memory");
	document->tables = tables;
	tables[document->table_count++] = (struct toml_table){.name = name,
	                                                      .line = parser->line,
	                                                      .is_element = is_element,
	                                                      .is_dotted = is_dotted};
	return true;
}

static bool take_header(struct parser *parser)
{
	bool is_element, is_dotted = false;
	const char *name;

	parser->at++;
	is_element = take_char(parser, '[');
	skip_space(parser);
	if (!(is_element ? take_element_name(parser, &name, &is_dotted) : take_key(parser, &name)))
		return false;
	if (!take_char(parser, ']') || (is_element && !take_char(parser, ']')))
		return unexpected(parser, is_element ? "']]'" : "']'");
	if (is_dotted ? !is_parent_free(parser, name) : !has_no_children(parser, name))
		return false;
	return is_name_free(parser, name, is_element) &&
	       add_table(parser, name, is_element, is_dotted);
}

static bool take_lines(struct parser *parser)
{
	for (;;) {
		skip_lines(parser);
		if (parser->at == parser->end)
			return true;
		if (at_char(parser, '[') ? !take_header(parser) : !take_pair(parser))
			return false;
		skip_blank(parser);
		if (parser->at < parser->end && !take_newline(parser))
			return unexpected(parser, "the end of the line");
	}
}

static bool take_document(struct parser *parser)
{
	if (!check_bytes(parser))
		return false;
	parser->store = parser->document->store;
	return add_table(parser, "", false, false) && take_lines(parser);
}

struct toml_document *toml_parse(const char *text, size_t text_len, struct toml_error *error)
{
	struct parser parser = {.at = text, .end = text + text_len, .line = 1, .error = error};

	if (text_len > TOML_MAX_TEXT) {
		fail(&parser, "the file is larger than %d bytes", TOML_MAX_TEXT);
		return NULL;
	}
	parser.document = calloc(1, sizeof(*parser.document));
	if (parser.document)
		parser.document->store = malloc(text_len + 1);
	if (!parser.document || !parser.document->store)
		fail(&parser, "out of memory");
	else if (take_document(&parser))
		return parser.document;
	toml_free(parser.document);
	return NULL;
}

void toml_free(struct toml_document *document)
{
	if (!document)
		return;
	for (size_t i = 0; i < document->table_count; i++) {
		struct toml_table *table = &document->tables[i];

		for (size_t j = 0; j < table->entry_count; j++)
			if (table->entries[j].value.type == TOML_ARRAY)
				free(table->entries[j].value.items);
		free(table->entries);
	}
	free(document->tables);
	free(document->store);
	free(document);
}

size_t toml_table_count(const struct toml_document *document)
{
	return document->table_count;
}

const struct toml_table *toml_table_at(const struct toml_document *document, size_t index)
{
	return &document->tables[index];
}
