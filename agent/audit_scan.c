/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict reader of one flat object per line. Everything in the log may have been written by
 * somebody else.
 */
#include "audit_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#define ROOM       (256u * 1024u)
#define REST_TRIES 3
#define REST_NS    1000000L

/* ---- one record ---- */

struct scanner {
	const char *at, *end;
};

static bool take(struct scanner *scanner, char wanted)
{
	if (scanner->at == scanner->end || *scanner->at != wanted)
		return false;
	scanner->at++;
	return true;
}

static size_t span_digits(struct scanner *scanner)
{
	const char *begin = scanner->at;

	while (scanner->at < scanner->end && *scanner->at >= '0' && *scanner->at <= '9')
		scanner->at++;
	return (size_t)(scanner->at - begin);
}

/* Without an exponent: we write none. */
static bool take_number(struct scanner *scanner)
{
	const char *begin = scanner->at;
	size_t digits = span_digits(scanner);

	if (!digits || (digits > 1 && *begin == '0'))
		return false;
	return !take(scanner, '.') || span_digits(scanner);
}

static bool take_text(struct scanner *scanner, const char **text, size_t *len)
{
	if (!take(scanner, '"'))
		return false;
	*text = scanner->at;
	while (scanner->at < scanner->end && *scanner->at >= 0x20 && *scanner->at < 0x7f &&
	       *scanner->at != '"' && *scanner->at != '\\')
		scanner->at++;
	*len = (size_t)(scanner->at - *text);
	return take(scanner, '"');
}

static bool take_word(struct scanner *scanner)
{
	static const char *const words[] = {"true", "false", "null"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t len = strlen(words[i]);

		if ((size_t)(scanner->end - scanner->at) >= len &&
		    !memcmp(scanner->at, words[i], len)) {
			scanner->at += len;
			return true;
		}
	}
	return false;
}

static bool take_value(struct scanner *scanner, struct audit_field *field)
{
	if (scanner->at == scanner->end)
		return false;
	if (*scanner->at == '"') {
		field->kind = AUDIT_TEXT;
		return take_text(scanner, &field->value, &field->value_len);
	}
	field->value = scanner->at;
	field->kind = *scanner->at >= '0' && *scanner->at <= '9' ? AUDIT_NUMBER : AUDIT_WORD;
	if (!(field->kind == AUDIT_NUMBER ? take_number(scanner) : take_word(scanner)))
		return false;
	field->value_len = (size_t)(scanner->at - field->value);
	return true;
}

static bool take_fields(struct scanner *scanner, struct audit_line *out)
{
	out->count = 0;
	if (!take(scanner, '{'))
		return false;
	do {
		struct audit_field *field = &out->fields[out->count];

		if (out->count == AUDIT_FIELDS_MAX ||
		    !take_text(scanner, &field->name, &field->name_len) || !take(scanner, ':') ||
		    !take_value(scanner, field))
			return false;
		out->count++;
	} while (take(scanner, ','));
	return take(scanner, '}') && scanner->at == scanner->end;
}

static bool is_text(const char *octets, size_t len, const char *text)
{
	return strlen(text) == len && !memcmp(octets, text, len);
}

static bool is_named(const struct audit_field *field, const char *name)
{
	return is_text(field->name, field->name_len, name);
}

const struct audit_field *audit_field(const struct audit_line *line, const char *name)
{
	for (size_t i = 0; i < line->count; i++) {
		if (is_named(&line->fields[i], name))
			return &line->fields[i];
	}
	return NULL;
}

bool audit_field_is(const struct audit_line *line, const char *name, const char *value)
{
	const struct audit_field *field = audit_field(line, name);

	return field && is_text(field->value, field->value_len, value);
}

static bool parse_number(const struct audit_field *field, uint64_t *number)
{
	*number = 0;
	if (field->kind != AUDIT_NUMBER || field->value_len > 18)
		return false;
	for (size_t i = 0; i < field->value_len; i++) {
		if (field->value[i] == '.')
			return false;
		*number = *number * 10 + (uint64_t)(field->value[i] - '0');
	}
	return *number > 0;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool audit_parse_hex(const char *hex, size_t hex_len, uint8_t *octets, size_t room, size_t *len)
{
	*len = hex_len / 2;
	if (hex_len % 2 || *len > room)
		return false;
	for (size_t i = 0; i < *len; i++) {
		int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		octets[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool parse_hash(const struct audit_field *field, uint8_t hash[AUDIT_HASH_LEN])
{
	size_t len;

	return audit_parse_hex(field->value, field->value_len, hash, AUDIT_HASH_LEN, &len) &&
	       len == AUDIT_HASH_LEN;
}

/* The number comes first, the link last; the anchor's number, if any, before the link. */
bool audit_scan(const char *line, size_t len, struct audit_line *out)
{
	struct scanner scanner = {line, line + len};
	const struct audit_field *last, *before;

	if (!take_fields(&scanner, out) || out->count < 3)
		return false;
	last = &out->fields[out->count - 1];
	before = &out->fields[out->count - 2];
	out->anchor = 0;
	if (is_named(before, "anchor") && !parse_number(before, &out->anchor))
		return false;
	return is_named(&out->fields[0], "seq") && parse_number(&out->fields[0], &out->sequence) &&
	       is_named(last, "previous_hash") && last->kind == AUDIT_TEXT &&
	       parse_hash(last, out->previous_hash);
}

/* ---- lines ---- */

struct audit_reader {
	gzFile file;
	size_t at, len; /* of what is read ahead */
	bool ended;
	char octets[ROOM];
};

struct audit_reader *audit_reader_open(const char *path)
{
	struct audit_reader *reader = malloc(sizeof(*reader));
	int fd = reader ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		reader->at = reader->len = 0;
		reader->ended = false;
		reader->file = gzdopen(fd, "r");
		if (reader->file) {
			gzbuffer(reader->file, ROOM);
			return reader;
		}
		close(fd);
		errno = ENOMEM;
	}
	free(reader);
	return NULL;
}

void audit_reader_close(struct audit_reader *reader)
{
	if (!reader)
		return;
	gzclose_r(reader->file);
	free(reader);
}

/* Reads on behind what is left. False when the file cannot be read. */
static bool fill(struct audit_reader *reader)
{
	int got, code;

	memmove(reader->octets, reader->octets + reader->at, reader->len - reader->at);
	reader->len -= reader->at;
	reader->at = 0;
	got = gzread(reader->file, reader->octets + reader->len,
	             (unsigned int)(ROOM - reader->len));
	if (got < 0)
		return false;
	reader->len += (size_t)got;
	reader->ended = !got;
	/* A compressed file that ends early is read up to there, and then it is an error. */
	gzerror(reader->file, &code);
	return code == Z_OK || code == Z_STREAM_END;
}

/* The end of a line that is being written comes in a moment: whoever writes is in the middle of it.
 */
static bool await_rest(struct audit_reader *reader)
{
	const struct timespec pause = {.tv_nsec = REST_NS};

	for (int i = 0; i < REST_TRIES; i++) {
		size_t before = reader->len - reader->at;

		nanosleep(&pause, NULL);
		gzclearerr(reader->file);
		if (!fill(reader))
			return false;
		if (reader->len - reader->at > before)
			return true;
	}
	return false;
}

int audit_reader_next(struct audit_reader *reader, const char **line, size_t *len, bool *whole)
{
	const char *newline;

	for (;;) {
		*line = reader->octets + reader->at;
		*len = reader->len - reader->at;
		newline = memchr(*line, '\n', *len);
		if (newline || *len == ROOM)
			break;
		if (reader->ended && (!*len || !gzdirect(reader->file) || !await_rest(reader)))
			break;
		if (!reader->ended && !fill(reader))
			return -1;
	}
	*whole = newline && newline - *line < (ptrdiff_t)AUDIT_LINE_MAX;
	if (newline)
		*len = (size_t)(newline - *line);
	reader->at += *len + (newline != NULL);
	return newline || *len;
}

int audit_reader_first(struct audit_reader *reader, uint64_t *sequence)
{
	struct audit_line record;
	const char *line;
	bool whole;
	size_t len;
	int got = audit_reader_next(reader, &line, &len, &whole);

	*sequence = got > 0 && whole && audit_scan(line, len, &record) ? record.sequence : 0;
	return got;
}
