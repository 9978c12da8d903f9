/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TOML reader by hand-picked documents: what each construct means, what is refused and on which
 * line, and every limit at its last good and first bad value. Agreement with another reader is
 * toml_oracle_test.py's business.
 */
#include "harness.h"
#include "toml.h"

#include <stdlib.h>
#include <string.h>

struct refusal {
	const char *text;
	unsigned int line;
	const char *says;
};

static struct toml_document *parse(const char *text)
{
	struct toml_error error;
	struct toml_document *document = toml_parse(text, strlen(text), &error);

	if (!document)
		fprintf(stderr, "# %u: %s\n", error.line, error.text);
	return document;
}

/* The value of the first key of the first table that has one; the document is the caller's. */
static const struct toml_value *first_value(const struct toml_document *document)
{
	for (size_t i = 0; i < toml_table_count(document); i++)
		if (toml_table_at(document, i)->entry_count)
			return &toml_table_at(document, i)->entries[0].value;
	return NULL;
}

static void expect_string(const char *text, const char *wanted)
{
	struct toml_document *document = parse(text);

	ASSERT_TRUE(document != NULL);
	EXPECT_EQ(first_value(document)->type, TOML_STRING);
	EXPECT_STREQ(first_value(document)->text, wanted);
	EXPECT_EQ(first_value(document)->text_len, strlen(wanted));
	toml_free(document);
}

static void expect_integer(const char *text, int64_t wanted)
{
	struct toml_document *document = parse(text);

	ASSERT_TRUE(document != NULL);
	EXPECT_EQ(first_value(document)->type, TOML_INTEGER);
	EXPECT_TRUE(first_value(document)->integer == wanted);
	toml_free(document);
}

static bool is_accepted(const char *text, size_t text_len)
{
	struct toml_error error;
	struct toml_document *document = toml_parse(text, text_len, &error);

	toml_free(document);
	return document != NULL;
}

static void expect_refusals(const struct refusal *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct toml_error error = {0};
		struct toml_document *document =
			toml_parse(rows[i].text, strlen(rows[i].text), &error);

		if (document || error.line != rows[i].line || !strstr(error.text, rows[i].says))
			fprintf(stderr, "# row %zu, line %u: %s\n", i, error.line, error.text);
		EXPECT_TRUE(document == NULL);
		EXPECT_EQ(error.line, rows[i].line);
		EXPECT_TRUE(strstr(error.text, rows[i].says) != NULL);
		toml_free(document);
	}
}

#define EXPECT_REFUSALS(rows) expect_refusals(rows, sizeof(rows) / sizeof((rows)[0]))

TEST(empty_documents)
{
	static const char *const texts[] = {"", "\n", " \t", "# only a comment", "\r\n#x\r\n"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct toml_document *document = parse(texts[i]);

		ASSERT_TRUE(document != NULL);
		EXPECT_EQ(toml_table_count(document), 1);
		EXPECT_STREQ(toml_table_at(document, 0)->name, "");
		EXPECT_EQ(toml_table_at(document, 0)->entry_count, 0);
		toml_free(document);
	}
	toml_free(NULL);
}

TEST(tables_and_lines)
{
	struct toml_document *document =
		parse("top = 1\n[a] # comment\r\nx = true\r\n\n[ 'b c' ]\n\"y z\" = 'v'\n"
	              "[[list]]\nn=1\n[[list]]\nn=2");
	const struct toml_table *table;

	ASSERT_TRUE(document != NULL);
	ASSERT_EQ(toml_table_count(document), 5);
	table = toml_table_at(document, 1);
	EXPECT_STREQ(table->name, "a");
	EXPECT_EQ(table->line, 2);
	EXPECT_FALSE(table->is_element);
	ASSERT_EQ(table->entry_count, 1);
	EXPECT_EQ(table->entries[0].line, 3);
	EXPECT_TRUE(table->entries[0].value.boolean);
	table = toml_table_at(document, 2);
	EXPECT_STREQ(table->name, "b c");
	EXPECT_STREQ(table->entries[0].key, "y z");
	table = toml_table_at(document, 4);
	EXPECT_TRUE(table->is_element);
	EXPECT_EQ(table->line, 9);
	EXPECT_EQ(table->entries[0].value.integer, 2);
	toml_free(document);
}

TEST(strings)
{
	expect_string("k = \"\"", "");
	expect_string("k = ''", "");
	expect_string("k = \"a # b\" # c", "a # b");
	expect_string("k = 'C:\\raw\\n\"'", "C:\\raw\\n\"");
	expect_string("k = \"\\b\\t\\n\\f\\r\\\"\\\\\"", "\b\t\n\f\r\"\\");
	expect_string("k = \"\\u0041\\u00e9\\u20AC\\U0001F511\"",
	              "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x91");
	expect_string("k = \"\\u007F\\u0080\\u07ff\\u0800\\uffff\\U0010ffff\"",
	              "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf4\x8f\xbf\xbf");
	expect_string("k = \"na\xc3\xafve\t\"", "na\xc3\xafve\t");
}

TEST(integers)
{
	expect_integer("k=0", 0);
	expect_integer("k=-0", 0);
	expect_integer("k=+17#x", 17);
	expect_integer("k = 600_000", 600000);
	expect_integer("k = 0xDEAD_beef", 0xdeadbeef);
	expect_integer("k = 0x00", 0);
	expect_integer("k = 9223372036854775807", INT64_MAX);
	expect_integer("k = -9223372036854775808", INT64_MIN);
	expect_integer("k = 0x7fffffffffffffff", INT64_MAX);
}

TEST(arrays)
{
	struct toml_document *document =
		parse("a = [ # first\n 1,\n\n 'two' , # second\r\n true,\n]\nb = []\nc=[1,2]");
	const struct toml_table *table;

	ASSERT_TRUE(document != NULL);
	table = toml_table_at(document, 0);
	ASSERT_EQ(table->entry_count, 3);
	ASSERT_EQ(table->entries[0].value.item_count, 3);
	EXPECT_EQ(table->entries[0].value.items[0].integer, 1);
	EXPECT_STREQ(table->entries[0].value.items[1].text, "two");
	EXPECT_EQ(table->entries[0].value.items[1].line, 4);
	EXPECT_TRUE(table->entries[0].value.items[2].boolean);
	EXPECT_EQ(table->entries[1].value.item_count, 0);
	EXPECT_EQ(table->entries[2].line, 8);
	EXPECT_EQ(table->entries[2].value.items[1].integer, 2);
	toml_free(document);
}

TEST(unsupported_is_named)
{
	static const struct refusal rows[] = {
		{"k = 1.5", 1, "floating-point"},         {"k = 1e6", 1, "not a value"},
		{"k = -inf", 1, "not a value"},           {"k = nan", 1, "floating-point"},
		{"\nk = 1979-05-27", 2, "date or time"},  {"k = 07:32:00", 1, "date or time"},
		{"k = 0o755", 1, "octal or binary"},      {"k = 0b1", 1, "octal or binary"},
		{"k = { a = 1 }", 1, "inline tables"},    {"a.b = 1", 1, "dotted keys"},
		{"a . b = 1", 1, "dotted keys"},          {"[a.b]", 1, "dotted keys"},
		{"k = \"\"\"x\"\"\"", 1, "multi-line"},   {"k = '''x'''", 1, "multi-line"},
		{"k = [[1]]", 1, "arrays within arrays"}, {"k = [\n1,\n{}]", 3, "inline tables"},
	};

	EXPECT_REFUSALS(rows);
}

TEST(bad_syntax)
{
	static const struct refusal rows[] = {
		{"k", 1, "the file ends where '=' should be"},
		{"k\n", 1, "the line ends where '='"},
		{"k =", 1, "where a value"},
		{"k = # x", 1, "where a value"},
		{"= 1", 1, "where a key"},
		{"\xc3\xa4 = 1", 1, "quote it"},
		{"'' = 1", 1, "a key has 0 bytes"},
		{"\"a\\nb\" = 1", 1, "control character"},
		{"a = 1 b = 2", 1, "the end of the line"},
		{"[a] x = 1", 1, "the end of the line"},
		{"[a\n", 1, "']'"},
		{"[[a]\n", 1, "']]'"},
		{"[a]]\n", 1, "the end of the line"},
		{"[]", 1, "where a key"},
		{"[ [a]]", 1, "where a key"},
		{"k = yes", 1, "not a value"},
		{"k = True", 1, "not a value"},
		{"k = 01", 1, "leading zeros"},
		{"k = +01", 1, "not a value"},
		{"k = 1__0", 1, "not a value"},
		{"k = 1_", 1, "not a value"},
		{"k = _1", 1, "not a value"},
		{"k = 0x", 1, "not a value"},
		{"k = 0x_1", 1, "not a value"},
		{"k = +0x1", 1, "not a value"},
		{"k = 0XFF", 1, "leading zeros"},
		{"k = -", 1, "not a value"},
		{"k = 9223372036854775808", 1, "64 bits"},
		{"k = -9223372036854775809", 1, "64 bits"},
		{"k = 0x8000000000000000", 1, "64 bits"},
		{"k = 99999999999999999999999", 1, "64 bits"},
		{"k = [1 2]", 1, "','"},
		{"k = [,]", 1, "where a value"},
		{"k = [1,,]", 1, "where a value"},
		{"k = [1\n\n", 3, "the file ends"},
		{"k = 'x", 1, "not closed"},
		{"k = \"x\n\"", 1, "not closed"},
		{"k = \"x\\\n\"", 1, "rest of an escape"},
		{"k = \"\\q\"", 1, "unknown escape"},
		{"k = \"\\e\"", 1, "unknown escape"},
		{"k = \"\\u12\"", 1, "hexadecimal"},
		{"k = \"\\u0000\"", 1, "U+0000"},
		{"k = \"\\ud800\"", 1, "U+D800"},
		{"k = \"\\U00110000\"", 1, "U+110000"},
	};

	EXPECT_REFUSALS(rows);
}

TEST(bad_bytes)
{
	static const struct refusal rows[] = {
		{"#\xff", 1, "UTF-8"},
		{"#\xc0\xaf", 1, "UTF-8"},
		{"#\xc3", 1, "UTF-8"},
		{"#\xe0\x9f\xbf", 1, "UTF-8"},
		{"#\xed\xa0\x80", 1, "UTF-8"},
		{"#\xf4\x90\x80\x80", 1, "UTF-8"},
		{"#\xf8\x88\x80\x80\x80", 1, "UTF-8"},
		{"\n#\xe2\x82", 2, "UTF-8"},
		{"\xef\xbb\xbf# BOM", 1, "outside ASCII"},
		{"# \x01", 1, "0x01"},
		{"# \x7f", 1, "0x7f"},
		{"a = 1\rb = 2", 1, "0x0d"},
		{"a = 1\n\r", 2, "0x0d"},
	};

	EXPECT_REFUSALS(rows);
	EXPECT_FALSE(is_accepted("a=1\n\0", 5));
	EXPECT_TRUE(is_accepted("#\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80", 11));
}

TEST(duplicates)
{
	static const struct refusal rows[] = {
		{"a = 1\n\"a\" = 2", 2, "first on line 1"},
		{"[t]\nb=1\n\nb=1", 4, "first on line 2"},
		{"[t]\n[u]\n['t']", 3, "first on line 1"},
		{"[[t]]\n[t]", 2, "given twice"},
		{"[['a'.b]]", 1, "bare names"},
		{"[[a.b.c]]", 1, "bare names"},
		{"[[a.'b']]", 1, "bare names"},
		{"a=1\n[[a.b]]", 2, "name of the key on line 1"},
		{"[a]\nb=1\n[[a.b]]", 3, "does not fit the table on line 1"},
		{"[[a]]\n[[a.b]]", 2, "does not fit the table on line 1"},
		{"[[a.b]]\n[a]", 2, "must come before"},
		{"[[a.b]]\n[[a]]", 2, "must come before"},
		{"[t]\n[[t]]", 2, "given twice"},
		{"t = 1\n[t]", 2, "name of the key on line 1"},
		{"t = [1]\n[[t]]", 2, "name of the key on line 1"},
	};

	EXPECT_REFUSALS(rows);
	EXPECT_TRUE(is_accepted("[a]\nx=1\n[b]\nx=1\na=1", 19));
}

/* `before`, `count` times `unit`, `after`: is it accepted? */
static bool is_repeat_accepted(const char *before, const char *unit, size_t count,
                               const char *after)
{
	size_t unit_len = strlen(unit), used = strlen(before);
	char *text = malloc(used + count * unit_len + strlen(after) + 1);
	bool accepted;

	memcpy(text, before, used);
	for (size_t i = 0; i < count; i++, used += unit_len)
		memcpy(text + used, unit, unit_len);
	memcpy(text + used, after, strlen(after) + 1);
	accepted = is_accepted(text, used + strlen(after));
	free(text);
	return accepted;
}

/* `count` lines that differ in a number between `before` and `after`. */
static bool are_lines_accepted(const char *before, size_t count, const char *after)
{
	char *text = malloc(count * 32);
	size_t used = 0;
	bool accepted;

	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(text + used, 32, "%s%zu%s\n", before, i, after);
	accepted = is_accepted(text, used);
	free(text);
	return accepted;
}

TEST(limits)
{
	EXPECT_TRUE(is_repeat_accepted("", "k", TOML_MAX_KEY, "=1"));
	EXPECT_FALSE(is_repeat_accepted("", "k", TOML_MAX_KEY + 1, "=1"));
	EXPECT_TRUE(is_repeat_accepted("[", "k", TOML_MAX_KEY, "]"));
	EXPECT_FALSE(is_repeat_accepted("[", "k", TOML_MAX_KEY + 1, "]"));
	EXPECT_TRUE(is_repeat_accepted("k='", "s", TOML_MAX_STRING, "'"));
	EXPECT_FALSE(is_repeat_accepted("k='", "s", TOML_MAX_STRING + 1, "'"));
	EXPECT_FALSE(is_repeat_accepted("k=\"", "\\u20ac", TOML_MAX_STRING, "\""));
	EXPECT_TRUE(is_repeat_accepted("k=[", "1,", TOML_MAX_ITEMS, "]"));
	EXPECT_FALSE(is_repeat_accepted("k=[", "1,", TOML_MAX_ITEMS + 1, "]"));
	EXPECT_TRUE(is_repeat_accepted("", "\n", TOML_MAX_TEXT, ""));
	EXPECT_FALSE(is_repeat_accepted("", "\n", TOML_MAX_TEXT + 1, ""));
	EXPECT_TRUE(is_repeat_accepted("", "[[t]]\n", TOML_MAX_TABLES, ""));
	EXPECT_FALSE(is_repeat_accepted("", "[[t]]\n", TOML_MAX_TABLES + 1, ""));
	EXPECT_TRUE(are_lines_accepted("k", TOML_MAX_ENTRIES, "=1"));
	EXPECT_FALSE(are_lines_accepted("k", TOML_MAX_ENTRIES + 1, "=1"));
	EXPECT_TRUE(are_lines_accepted("[t", TOML_MAX_TABLES, "]"));
	EXPECT_FALSE(are_lines_accepted("[t", TOML_MAX_TABLES + 1, "]"));
	EXPECT_FALSE(is_repeat_accepted("k=", "[", 60000, ""));
}

/* Every prefix of a document is read without touching what lies behind it (the sanitizer watches).
 */
TEST(every_prefix)
{
	static const char text[] =
		"a=1\n['t']#c\n\"k\\u00e9\"=[0x1F,\n'x',true]\r\n[[z]]\nb=\"\\t\"\n";

	for (size_t text_len = 0; text_len < sizeof(text); text_len++) {
		char *copy = malloc(text_len ? text_len : 1);

		memcpy(copy, text, text_len);
		is_accepted(copy, text_len);
		free(copy);
	}
	EXPECT_TRUE(is_accepted(text, sizeof(text) - 1));
}

HARNESS_MAIN
