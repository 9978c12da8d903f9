/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of craton-hsm-admin: options, the table of verbs, and the helpers that verbs
 * share.
 */
#include "admin.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

#define WORDS_MAX 2

static const struct verb {
	const char *words[WORDS_MAX];
	int (*run)(const struct admin_options *options);
	const char *arguments;
	const char *help;
} verbs[] = {
	{{"status", NULL},
         admin_status,
         "",
         "state, self-tests, tokens, sessions and memory of the running agent"},
	{{"token", "init"},
         admin_token_init,
         "--label L [--slot N] [--so-pin-* ...] [--user-pin-* ...] [--reinitialize]",
         "initialise the token of a slot and set both PINs"},
	{{"pin", "reset"},
         admin_pin_reset,
         "[--slot N] [--so-pin-* ...] [--new-pin-* ...]",
         "as SO: unlock the user and set a new user PIN; every object is kept"},
	{{"audit", "verify-chain"},
         admin_audit_verify,
         "FILE...",
         "verify audit log segments, oldest first"},
};

#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

enum option_id {
	OPTION_JSON = 256,
	OPTION_SOCKET,
	OPTION_LABEL,
	OPTION_SLOT,
	OPTION_REINITIALIZE,
	OPTION_SO_PIN_FILE,
	OPTION_SO_PIN_FD,
	OPTION_SO_PIN_ENV,
	OPTION_USER_PIN_FILE,
	OPTION_USER_PIN_FD,
	OPTION_USER_PIN_ENV,
	OPTION_NEW_PIN_FILE,
	OPTION_NEW_PIN_FD,
	OPTION_NEW_PIN_ENV,
	OPTION_HELP,
	OPTION_VERSION,
};

static const struct option long_options[] = {
	{"json", no_argument, NULL, OPTION_JSON},
	{"socket", required_argument, NULL, OPTION_SOCKET},
	{"label", required_argument, NULL, OPTION_LABEL},
	{"slot", required_argument, NULL, OPTION_SLOT},
	{"reinitialize", no_argument, NULL, OPTION_REINITIALIZE},
	{"so-pin-file", required_argument, NULL, OPTION_SO_PIN_FILE},
	{"so-pin-fd", required_argument, NULL, OPTION_SO_PIN_FD},
	{"so-pin-env", required_argument, NULL, OPTION_SO_PIN_ENV},
	{"user-pin-file", required_argument, NULL, OPTION_USER_PIN_FILE},
	{"user-pin-fd", required_argument, NULL, OPTION_USER_PIN_FD},
	{"user-pin-env", required_argument, NULL, OPTION_USER_PIN_ENV},
	{"new-pin-file", required_argument, NULL, OPTION_NEW_PIN_FILE},
	{"new-pin-fd", required_argument, NULL, OPTION_NEW_PIN_FD},
	{"new-pin-env", required_argument, NULL, OPTION_NEW_PIN_ENV},
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{NULL, 0, NULL, 0},
};

static void print_usage(FILE *out)
{
	fputs("usage: craton-hsm-admin [--json] [--socket PATH] VERB ...\n\n", out);
	for (size_t i = 0; i < VERB_COUNT; i++) {
		const char *second = verbs[i].words[1] ? verbs[i].words[1] : "";

		fprintf(out, "  %s %s %s\n      %s\n", verbs[i].words[0], second,
		        verbs[i].arguments, verbs[i].help);
	}
	fputs("\nA PIN is asked for on the terminal, or comes from --so-pin-file FILE, --so-pin-fd "
	      "N or\n"
	      "--so-pin-env NAME (and likewise --user-pin-..., --new-pin-...); never from the "
	      "command line.\n",
	      out);
}

/* The text option that an id sets; NULL for flags. */
static const char **text_option(struct admin_options *options, int id)
{
	switch (id) {
	case OPTION_SOCKET:
		return &options->socket_path;
	case OPTION_LABEL:
		return &options->label;
	case OPTION_SLOT:
		return &options->slot;
	case OPTION_SO_PIN_FILE:
		return &options->so_pin.file;
	case OPTION_SO_PIN_FD:
		return &options->so_pin.descriptor;
	case OPTION_SO_PIN_ENV:
		return &options->so_pin.variable;
	case OPTION_USER_PIN_FILE:
		return &options->user_pin.file;
	case OPTION_USER_PIN_FD:
		return &options->user_pin.descriptor;
	case OPTION_USER_PIN_ENV:
		return &options->user_pin.variable;
	case OPTION_NEW_PIN_FILE:
		return &options->new_pin.file;
	case OPTION_NEW_PIN_FD:
		return &options->new_pin.descriptor;
	case OPTION_NEW_PIN_ENV:
		return &options->new_pin.variable;
	default:
		return NULL;
	}
}

/* -1: go on; else the exit status. */
static int take_option(struct admin_options *options, int id)
{
	const char **text = text_option(options, id);

	if (text) {
		*text = optarg;
		return -1;
	}
	switch (id) {
	case OPTION_JSON:
		options->json = true;
		return -1;
	case OPTION_REINITIALIZE:
		options->reinitialize = true;
		return -1;
	case OPTION_HELP:
		print_usage(stdout);
		return ADMIN_DONE;
	case OPTION_VERSION:
		puts("craton-hsm-admin " CRATON_VERSION);
		return ADMIN_DONE;
	default:
		return ADMIN_USAGE;
	}
}

/* How many words of the verb the arguments begin with; 0 when it is another verb. */
static int matches(const struct verb *verb, char **arguments, int count)
{
	int words = 0;

	while (words < WORDS_MAX && verb->words[words]) {
		if (words >= count || strcmp(verb->words[words], arguments[words]))
			return 0;
		words++;
	}
	return words;
}

static int run_verb(struct admin_options *options)
{
	for (size_t i = 0; i < VERB_COUNT; i++) {
		int words = matches(&verbs[i], options->arguments, options->argument_count);

		if (!words)
			continue;
		options->arguments += words;
		options->argument_count -= words;
		if (options->argument_count && !strstr(verbs[i].arguments, "FILE...")) {
			admin_fail("%s is one argument too many", options->arguments[0]);
			return ADMIN_USAGE;
		}
		return verbs[i].run(options);
	}
	print_usage(stderr);
	return ADMIN_USAGE;
}

int main(int argc, char **argv)
{
	struct admin_options options = {0};
	int id, status = -1;

	while (status < 0 && (id = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		status = take_option(&options, id);
	if (status >= 0)
		return status;
	options.arguments = argv + optind;
	options.argument_count = argc - optind;
	return run_verb(&options);
}

/* ---- what verbs share ---- */

int admin_fail(const char *format, ...)
{
	va_list arguments;

	fputs("craton-hsm-admin: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return ADMIN_FAILED;
}

int admin_fail_rv(const char *what, CK_RV rv)
{
	for (int code = 1; code < ERROR_COUNT; code++) {
		if (err_ckr(code) == rv)
			return admin_fail("%s: %s (0x%lx): %s", what, err_ckr_name(code), rv,
			                  err_text(code));
	}
	return admin_fail("%s: error 0x%lx", what, rv);
}

bool admin_connect(const struct admin_options *options, enum channel_greeting greeting,
                   struct channel **channel)
{
	const char *path = options->socket_path;
	CK_RV rv;

	if (!path)
		path = getenv(CHANNEL_SOCKET_VARIABLE);
	if (!path)
		path = CHANNEL_SOCKET_DEFAULT;
	errno = 0;
	rv = channel_open(channel, path, greeting);
	if (!rv)
		return true;
	if (rv == CKR_DEVICE_REMOVED)
		admin_fail("no agent answers on %s: %s; is craton-hsm-daemon running?", path,
		           strerror(errno));
	else
		admin_fail_rv("the agent refuses to work (see: craton-hsm-admin status)", rv);
	return false;
}

bool admin_slot(const struct admin_options *options, uint64_t *slot_id)
{
	char *end;

	*slot_id = 0;
	if (!options->slot)
		return true;
	errno = 0;
	*slot_id = strtoull(options->slot, &end, 10);
	if (!errno && end != options->slot && !*end && options->slot[0] != '-')
		return true;
	admin_fail("--slot %s: not a slot number", options->slot);
	return false;
}

int admin_print_json(json_t *value)
{
	int failed = json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);

	json_decref(value);
	return failed || putchar('\n') == EOF ? admin_fail("standard output cannot be written")
	                                      : ADMIN_DONE;
}
