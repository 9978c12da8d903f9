/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines on standard error. Each is made in a buffer of its own and written at once, so that lines
 * of several threads never mix.
 */
#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_LEN 1024

/* Whatever a client or a file name brought in, a line stays a line. */
static void make_printable(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			text[i] = '?';
	}
}

/* Under the journal its priority prefix, on a terminal a word. */
static int prefix(char *line, size_t line_len, int priority, const char *word)
{
	if (getenv("JOURNAL_STREAM"))
		return snprintf(line, line_len, "<%d>", priority);
	return snprintf(line, line_len, "%s", word);
}

static atomic_bool as_json;

void log_use_json(bool json)
{
	atomic_store(&as_json, json);
}

/* {"time":...,"priority":N,"message":"..."}; what JSON would escape is replaced, as control
 * characters are. */
static size_t wrap_in_json(char *line, size_t line_len, int priority, const char *message)
{
	struct timespec now = {0};
	int len;

	clock_gettime(CLOCK_REALTIME, &now);
	len = snprintf(line, line_len, "{\"time\":%lld.%06ld,\"priority\":%d,\"message\":\"",
	               (long long)now.tv_sec, now.tv_nsec / 1000, priority);
	for (; *message && (size_t)len < line_len - 8; message++) {
		if (*message == '"' || *message == '\\')
			line[len++] = '\\';
		line[len++] = (unsigned char)*message < 0x80 ? *message : '?';
	}
	len += snprintf(line + len, line_len - (size_t)len, "\"}");
	return (size_t)len;
}

static void write_json(int priority, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

static void write_json(int priority, const char *format, va_list arguments)
{
	char message[LINE_MAX_LEN], line[2 * LINE_MAX_LEN];
	size_t len;

	vsnprintf(message, sizeof(message), format, arguments);
	make_printable(message, strlen(message));
	len = wrap_in_json(line, sizeof(line) - 1, priority, message);
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}

static void write_line(int priority, const char *word, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

static void write_line(int priority, const char *word, const char *format, va_list arguments)
{
	char line[LINE_MAX_LEN];
	int used, more;
	size_t len;

	if (atomic_load_explicit(&as_json, memory_order_relaxed)) {
		write_json(priority, format, arguments);
		return;
	}
	used = prefix(line, sizeof(line), priority, word);
	more = vsnprintf(line + used, sizeof(line) - (size_t)used - 1, format, arguments);
	len = (size_t)used;

	if (more > 0)
		len += (size_t)more < sizeof(line) - len - 1 ? (size_t)more
		                                             : sizeof(line) - len - 2;
	make_printable(line, len);
	line[len++] = '\n';
	/* A log that cannot be written has nowhere to say so. */
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}

#define LOG_FUNCTION(name, priority, word)                                                         \
	void log_##name(const char *format, ...)                                                   \
	{                                                                                          \
		va_list arguments;                                                                 \
                                                                                                   \
		va_start(arguments, format);                                                       \
		write_line(priority, word, format, arguments);                                     \
		va_end(arguments);                                                                 \
	}

LOG_FUNCTION(error, LOG_ERR, "error: ")
LOG_FUNCTION(warning, LOG_WARNING, "warning: ")
LOG_FUNCTION(notice, LOG_NOTICE, "")
LOG_FUNCTION(info, LOG_INFO, "")
