/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of craton-hsm-admin: reads the options of option.def, finds the verb of verb.def
 * and runs it.
 */
#include "admin.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "command.h"

#define ID_BASE 256 /* getopt keeps what is below for single letters */

/* The secrets' options store into a struct's member, which offsetof can name. */
#define OPTION(id, name, kind, field, argument, help) OPTION_ROW_##kind(name, field, argument, help)
#define OPTION_ROW_FLAG(name, field, argument, help)                                               \
	{name, OPTION_FLAG, offsetof(struct admin_options, field), 0, argument, help},
#define OPTION_ROW_TEXT(name, field, argument, help)                                               \
	{name, OPTION_TEXT, 0, offsetof(struct admin_options, field), argument, help},
#define OPTION_ROW_OPTIONAL(name, field, argument, help)                                           \
	{name,                                                                                     \
	 OPTION_OPTIONAL,                                                                          \
	 offsetof(struct admin_options, field),                                                    \
	 offsetof(struct admin_options, field##_text),                                             \
	 argument,                                                                                 \
	 help},
#define SECRET(id, name, field, help)                                                              \
	OPTION_ROW_TEXT(name "-file", field.file, "FILE", help ", from a file")                    \
	OPTION_ROW_TEXT(name "-fd", field.descriptor, "N", help ", from a descriptor")             \
	OPTION_ROW_TEXT(name "-env", field.variable, "NAME", help ", from an environment variable")

const struct command_option command_options[] = {
#include "option.def"
};
const size_t command_option_count = sizeof(command_options) / sizeof(command_options[0]);

#define VERB(first, second, function, synopsis, help) {{first, second}, function, synopsis, help},
const struct command_verb command_verbs[] = {
#include "verb.def"
};
const size_t command_verb_count = sizeof(command_verbs) / sizeof(command_verbs[0]);

#define OPTION_MAX 128u
_Static_assert(sizeof(command_options) / sizeof(command_options[0]) < OPTION_MAX, "table is full");

/* ---- reading ---- */

static void make_getopt_table(struct option table[OPTION_MAX])
{
	static const int has_argument[] = {
		[OPTION_FLAG] = no_argument,
		[OPTION_TEXT] = required_argument,
		[OPTION_OPTIONAL] = optional_argument,
	};

	memset(table, 0, OPTION_MAX * sizeof(*table));
	for (size_t i = 0; i < command_option_count; i++) {
		table[i].name = command_options[i].name;
		table[i].has_arg = has_argument[command_options[i].kind];
		table[i].val = ID_BASE + (int)i;
	}
}

/* What was given, by its place in the table. */
struct given {
	bool options[OPTION_MAX];
};

static void take(struct admin_options *options, const struct command_option *option)
{
	char *base = (char *)options;

	if (option->kind != OPTION_TEXT)
		*(bool *)(base + option->flag_at) = true;
	if (option->kind == OPTION_TEXT || (option->kind == OPTION_OPTIONAL && optarg))
		*(const char **)(base + option->text_at) = optarg;
}

/* False when getopt has complained. */
static bool read_options(int argc, char **argv, struct admin_options *options, struct given *given)
{
	struct option table[OPTION_MAX];
	int id;

	make_getopt_table(table);
	while ((id = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (id < ID_BASE)
			return false;
		given->options[id - ID_BASE] = true;
		take(options, &command_options[id - ID_BASE]);
	}
	options->arguments = argv + optind;
	options->argument_count = argc - optind;
	return true;
}

/* ---- the verb ---- */

/* How many words of the verb the arguments begin with; 0 when it is another verb. */
static int matches(const struct command_verb *verb, char **arguments, int count)
{
	int words = 0;

	while (words < COMMAND_WORDS && verb->words[words]) {
		if (words >= count || strcmp(verb->words[words], arguments[words]) != 0)
			return 0;
		words++;
	}
	return words;
}

static const struct command_verb *find_verb(struct admin_options *options)
{
	for (size_t i = 0; i < command_verb_count; i++) {
		int words = matches(&command_verbs[i], options->arguments, options->argument_count);

		if (!words)
			continue;
		options->arguments += words;
		options->argument_count -= words;
		return &command_verbs[i];
	}
	return NULL;
}

/* How many words may follow a verb. */
static int arguments_max(const struct command_verb *verb)
{
	if (!strncmp(verb->synopsis, "FILE...", strlen("FILE...")))
		return INT_MAX;
	return verb->synopsis[0] && verb->synopsis[0] != '-' && verb->synopsis[0] != '[';
}

/* An option that means nothing to the verb would be a mistake that nobody sees. */
static bool fits(const struct command_verb *verb, const struct admin_options *options,
                 const struct given *given)
{
	for (size_t i = 0; i < command_option_count; i++) {
		if (!given->options[i] || command_takes(verb, &command_options[i]))
			continue;
		admin_fail("%s%s%s does not take --%s", verb->words[0], verb->words[1] ? " " : "",
		           verb->words[1] ? verb->words[1] : "", command_options[i].name);
		return false;
	}
	if (options->argument_count <= arguments_max(verb))
		return true;
	admin_fail("%s is one argument too many", options->arguments[arguments_max(verb)]);
	return false;
}

static int run_verb(struct admin_options *options, const struct given *given)
{
	const struct command_verb *verb = find_verb(options);

	if (verb && options->help)
		return command_print_help(verb);
	if (!verb && options->argument_count) {
		admin_fail("%s: no such verb; craton-hsm-admin --help lists them",
		           options->arguments[0]);
		return ADMIN_USAGE;
	}
	if (!verb)
		return command_print_usage(stderr), ADMIN_USAGE;
	return fits(verb, options, given) ? verb->run(options) : ADMIN_USAGE;
}

int main(int argc, char **argv)
{
	struct admin_options options = {0};
	struct given given = {0};

	if (!read_options(argc, argv, &options, &given))
		return ADMIN_USAGE;
	if (options.version)
		return puts("craton-hsm-admin " CRATON_VERSION) == EOF;
	if (options.help && !options.argument_count)
		return command_print_usage(stdout);
	return run_verb(&options, &given);
}
