/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two tables of the command line as data, and what is printed from them.
 */
#ifndef ADMIN_COMMAND_H
#define ADMIN_COMMAND_H

#include <stdio.h>

#include "admin.h"

#define COMMAND_WORDS 2

enum command_kind { OPTION_FLAG, OPTION_TEXT, OPTION_OPTIONAL };

struct command_option {
	const char *name;
	enum command_kind kind;
	size_t flag_at, text_at; /* in struct admin_options */
	const char *argument, *help;
};

struct command_verb {
	const char *words[COMMAND_WORDS];
	int (*run)(const struct admin_options *options);
	const char *synopsis, *help;
};

extern const struct command_option command_options[];
extern const size_t command_option_count;
extern const struct command_verb command_verbs[];
extern const size_t command_verb_count;

/* Does the verb's synopsis name the option, or is it one that every verb takes? */
bool command_takes(const struct command_verb *verb, const struct command_option *option);
/* All verbs; one verb with its options. Both return an exit status. */
int command_print_usage(FILE *out);
int command_print_help(const struct command_verb *verb);

#endif
