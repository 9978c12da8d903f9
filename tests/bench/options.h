/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line that all benchmark programs share. A PIN is never on it: only the name of the
 * file that holds it.
 */
#ifndef TESTS_BENCH_OPTIONS_H
#define TESTS_BENCH_OPTIONS_H

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define OPTIONS_EXIT_USAGE 2

enum option_kind {
	OPTION_TEXT,
	OPTION_COUNT,
	OPTION_SECONDS,
	OPTION_SLOT,
	OPTION_FLAG,
};

static const struct option_row {
	const char *name;
	const char *argument;
	const char *help;
	enum option_kind kind;
	size_t offset;
	unsigned int max;
	bool module_only;
} option_rows[] = {
	{"module", "PATH", "PKCS#11 module", OPTION_TEXT,
         offsetof(struct bench_options, module_path), 0, true},
	{"token-label", "L", "token to use", OPTION_TEXT,
         offsetof(struct bench_options, token_label), 0, true},
	{"slot", "N", "slot ID to use (default: the first initialised token)", OPTION_SLOT,
         offsetof(struct bench_options, slot), 0, true},
	{"pin-file", "F", "file whose first line is the user PIN", OPTION_TEXT,
         offsetof(struct bench_options, pin_path), 0, true},
	{"objects", "N", "token objects that `find` searches among (default 100)", OPTION_COUNT,
         offsetof(struct bench_options, objects), 1000000, true},
	{"threads", "N", "threads in each process (default 1)", OPTION_COUNT,
         offsetof(struct bench_options, threads), BENCH_THREADS_MAX, false},
	{"processes", "N", "processes (default 1)", OPTION_COUNT,
         offsetof(struct bench_options, processes), BENCH_PROCESSES_MAX, false},
	{"seconds", "S", "measured time of each operation (default 2)", OPTION_SECONDS,
         offsetof(struct bench_options, seconds), 0, false},
	{"warm-up", "S", "time before that (default 0.2)", OPTION_SECONDS,
         offsetof(struct bench_options, warm_up), 0, false},
	{"operations", "A,B", "only these", OPTION_TEXT, offsetof(struct bench_options, operations),
         0, false},
	{"json", NULL, "JSON instead of a table", OPTION_FLAG, offsetof(struct bench_options, json),
         0, false},
};

#define OPTION_ROWS  (sizeof(option_rows) / sizeof(option_rows[0]))
#define OPTION_FIRST 256

static void options_usage(const struct bench_program *program, FILE *out)
{
	fprintf(out, "usage: %s [OPTION]...\n\n", program->name);
	for (size_t i = 0; i < OPTION_ROWS; i++) {
		const struct option_row *row = &option_rows[i];

		if (row->module_only && !program->has_module)
			continue;
		fprintf(out, "  --%-12s %-5s %s\n", row->name, row->argument ? row->argument : "",
		        row->help);
	}
	fputs("\noperations:", out);
	for (size_t i = 0; i < program->operation_count; i++)
		fprintf(out, " %s", program->operations[i].name);
	fputs("\n\nExit status: 0 all measured or n/a, 1 an operation failed, 2 usage.\n", out);
}

static bool options_number(const struct option_row *row, const char *text, void *field)
{
	char *end;

	errno = 0;
	if (row->kind == OPTION_SECONDS) {
		double value = strtod(text, &end);

		*(double *)field = value;
		return !errno && end != text && !*end && value >= 0 && value <= 3600;
	}
	unsigned long value = strtoul(text, &end, 0);

	if (errno || end == text || *end || *text == '-')
		return false;
	if (row->kind == OPTION_SLOT)
		*(unsigned long *)field = value;
	else
		*(unsigned int *)field = (unsigned int)value;
	return row->kind == OPTION_SLOT || (value >= 1 && value <= row->max);
}

static bool options_take(const struct option_row *row, struct bench_options *options)
{
	void *field = (char *)options + row->offset;

	if (row->kind == OPTION_SLOT)
		options->has_slot = true;
	switch (row->kind) {
	case OPTION_TEXT:
		*(const char **)field = optarg;
		return true;
	case OPTION_FLAG:
		*(bool *)field = true;
		return true;
	case OPTION_COUNT:
	case OPTION_SECONDS:
	case OPTION_SLOT:
		return options_number(row, optarg, field);
	}
	return false;
}

/* Is `name` one of the comma-separated `list`? */
static bool options_list_has(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = list; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (!strncmp(at, name, len) && (at[len] == ',' || !at[len]))
			return true;
	}
	return false;
}

static bool options_wants(const struct bench_options *options, const char *name)
{
	return !options->operations || options_list_has(options->operations, name);
}

/* A misspelt operation must not pass as one that was not asked for. */
static bool options_names_known(const struct bench_program *program, const char *list)
{
	for (const char *at = list; at && *at;) {
		size_t len = strcspn(at, ","), i = 0;

		while (i < program->operation_count &&
		       (strncmp(program->operations[i].name, at, len) ||
		        program->operations[i].name[len]))
			i++;
		if (i == program->operation_count) {
			fprintf(stderr, "%s: no operation `%.*s`\n", program->name, (int)len, at);
			return false;
		}
		at += len + (at[len] == ',');
	}
	return true;
}

static void options_long(const struct bench_program *program, struct option *table)
{
	size_t used = 0;

	for (size_t i = 0; i < OPTION_ROWS; i++) {
		if (option_rows[i].module_only && !program->has_module)
			continue;
		table[used++] =
			(struct option){option_rows[i].name,
		                        option_rows[i].argument ? required_argument : no_argument,
		                        NULL, OPTION_FIRST + (int)i};
	}
	table[used++] = (struct option){"help", no_argument, NULL, 'h'};
	table[used] = (struct option){NULL, 0, NULL, 0};
}

/* -1: go on; else the exit status, and what was wrong is on standard error. */
static int options_parse(const struct bench_program *program, int argc, char **argv,
                         struct bench_options *options)
{
	struct option table[OPTION_ROWS + 2];
	int id;

	*options = (struct bench_options){
		.threads = 1, .processes = 1, .seconds = 2, .warm_up = 0.2, .objects = 100};
	options_long(program, table);
	while ((id = getopt_long(argc, argv, "h", table, NULL)) != -1) {
		if (id == 'h') {
			options_usage(program, stdout);
			return 0;
		}
		if (id < OPTION_FIRST)
			return OPTIONS_EXIT_USAGE;
		if (!options_take(&option_rows[id - OPTION_FIRST], options)) {
			fprintf(stderr, "%s: --%s: `%s` is not in range\n", program->name,
			        option_rows[id - OPTION_FIRST].name, optarg);
			return OPTIONS_EXIT_USAGE;
		}
	}
	if (optind < argc || (program->has_module && !options->module_path)) {
		options_usage(program, stderr);
		return OPTIONS_EXIT_USAGE;
	}
	return options_names_known(program, options->operations) ? -1 : OPTIONS_EXIT_USAGE;
}

#endif
