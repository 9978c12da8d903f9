/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines on standard error. Each is made in a buffer of its own and written at once, so that lines
 * of several threads never mix.
 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
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

static void write_line(int priority, const char *word, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

static void write_line(int priority, const char *word, const char *format, va_list arguments)
{
	char line[LINE_MAX_LEN];
	int used = prefix(line, sizeof(line), priority, word);
	int more = vsnprintf(line + used, sizeof(line) - (size_t)used - 1, format, arguments);
	size_t len = (size_t)used;

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
