/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin --help, from the tables of verbs and options.
 */
#include <stdio.h>
#include <string.h>

#include "command.h"

#define LINE_WIDTH 100u

/* Options that every verb takes. */
static bool is_common(const char *name)
{
	static const char *const common[] = {"json", "socket", "help", "version"};

	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
		if (!strcmp(common[i], name))
			return true;
	}
	return false;
}

/* Is `word` (after its "--") the option's name, or "begin-*" of it? */
static bool names(const char *word, size_t len, const char *name)
{
	if (len && word[len - 1] == '*')
		return !strncmp(word, name, len - 1);
	return strlen(name) == len && !strncmp(word, name, len);
}

bool command_takes(const struct command_verb *verb, const struct command_option *option)
{
	const char *at = verb->synopsis;

	if (is_common(option->name))
		return true;
	while ((at = strstr(at, "--"))) {
		at += 2;
		if (names(at, strcspn(at, " ]["), option->name))
			return true;
	}
	/* --pin-* is short for --user-pin-*. */
	return !strncmp(option->name, "pin-", 4) && strstr(verb->synopsis, "--user-pin-*");
}

/* The synopsis, broken between its parts. */
static void print_wrapped(FILE *out, const char *text, size_t column)
{
	size_t at = column;

	while (*text) {
		size_t len = strcspn(text, " ");

		/* An option and its argument stay together. */
		if (text[0] != '|' && text[len] == ' ' && text[len + 1] != '[' &&
		    text[len + 1] != '-' && text[len + 1] != '|')
			len += 1 + strcspn(text + len + 1, " ");
		if (at + 1 + len > LINE_WIDTH) {
			fprintf(out, "\n%*s", (int)column, "");
			at = column;
		}
		fprintf(out, " %.*s", (int)len, text);
		at += 1 + len;
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static void print_synopsis(FILE *out, const struct command_verb *verb)
{
	int column = fprintf(out, "  %s%s%s", verb->words[0], verb->words[1] ? " " : "",
	                     verb->words[1] ? verb->words[1] : "");

	print_wrapped(out, verb->synopsis, (size_t)(column > 0 ? column : 0));
	fprintf(out, "      %s\n", verb->help);
}

int command_print_usage(FILE *out)
{
	fputs("usage: craton-hsm-admin [--json] [--socket PATH] VERB ...\n\n", out);
	for (size_t i = 0; i < command_verb_count; i++)
		print_synopsis(out, &command_verbs[i]);
	fputs("\n"
	      "VERB --help explains the options of a verb. A PIN or passphrase is asked for on "
	      "the\n"
	      "terminal, or comes from --...-file FILE, --...-fd N or --...-env NAME; never from "
	      "the\n"
	      "command line. Exit status: 0 done, 1 refused or failed, 2 wrong usage.\n",
	      out);
	return ferror(out) ? ADMIN_FAILED : ADMIN_DONE;
}

int command_print_help(const struct command_verb *verb)
{
	print_synopsis(stdout, verb);
	fputc('\n', stdout);
	for (size_t i = 0; i < command_option_count; i++) {
		const struct command_option *option = &command_options[i];
		char name[64];

		if (!command_takes(verb, option))
			continue;
		snprintf(name, sizeof(name), "--%s%s%s", option->name, option->argument ? " " : "",
		         option->argument ? option->argument : "");
		printf("  %-26s %s\n", name, option->help);
	}
	return ferror(stdout) ? ADMIN_FAILED : ADMIN_DONE;
}
