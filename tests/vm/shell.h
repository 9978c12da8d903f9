/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that a test runs as an administrator would: the command line stands in the test, the
 * output comes back.
 */
#ifndef TESTS_VM_SHELL_H
#define TESTS_VM_SHELL_H

#include <stdarg.h>

#include "harness.h"

#define SHELL_OUTPUT 16384

/* What the command said, both ways out. */
static char shell_output[SHELL_OUTPUT];

/* Runs a command line in the process's own session; its exit status. */
static inline __attribute__((format(printf, 1, 2))) int shell(const char *format, ...)
{
	char wanted[1024], line[1100], rest[512];
	va_list arguments;
	FILE *output;
	int status;

	va_start(arguments, format);
	vsnprintf(wanted, sizeof(wanted), format, arguments);
	va_end(arguments);
	snprintf(line, sizeof(line), "{ %s; } 2>&1", wanted);
	fflush(NULL);
	output = popen(line, "re");
	if (!output)
		return -1;
	shell_output[fread(shell_output, 1, sizeof(shell_output) - 1, output)] = '\0';
	while (fread(rest, 1, sizeof(rest), output))
		;
	status = pclose(output);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline bool shell_said(const char *text)
{
	return strstr(shell_output, text) != NULL;
}

static inline void shell_show(void)
{
	char *rest = shell_output, *line;

	while ((line = strsep(&rest, "\n")))
		printf("#   %s\n", line);
}

/* The command works. */
#define SHELL(...)                                                                                 \
	do {                                                                                       \
		int shell_status = shell(__VA_ARGS__);                                             \
		if (shell_status) {                                                                \
			shell_show();                                                              \
			HARNESS_FAIL(true, "status %d of %s", shell_status, #__VA_ARGS__);         \
		}                                                                                  \
	} while (0)

/* The command fails and says why. */
#define SHELL_FAILS(reason, ...)                                                                   \
	do {                                                                                       \
		int shell_status = shell(__VA_ARGS__);                                             \
		if (!shell_status || !shell_said(reason)) {                                        \
			shell_show();                                                              \
			HARNESS_FAIL(false, "status %d, not \"%s\", of %s", shell_status, reason,  \
			             #__VA_ARGS__);                                                \
		}                                                                                  \
	} while (0)

#endif
