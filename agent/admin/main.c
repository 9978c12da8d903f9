/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of craton-hsm-admin: options, the table of verbs, and the helpers that verbs
 * share.
 */
#include "admin.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
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
         "[--anchor[=LOG]] FILE...",
         "verify audit log segments, oldest first; with --anchor their end, too, by the kernel\n"
         "      module (LOG: the path that the agent writes to, when that is not the last FILE)"},
	{{"events", NULL},
         admin_events,
         "[--count N]",
         "follow what the kernel tells, as it comes; needs no agent"},
	{{"keyring", "publish"},
         admin_keyring_publish,
         "",
         "put the tokens' metadata into the kernel's keyrings anew; prints the keyring's serial"},
	{{"volume", "create"},
         admin_volume_create,
         "NAME --device DEV [--cipher C] [--key-size N] [--sector-size N] [--offset N] [--size N]\n"
         "      [--allow-discards] [--force] [--slot N] [--user-pin-* ...]",
         "make the key of an encrypted volume; writes nothing to the device"},
	{{"volume", "open"},
         admin_volume_open,
         "NAME [--device DEV] [--read-only] [--key-only] [--force] [--slot N] [--user-pin-* ...]",
         "map it to /dev/mapper/NAME (or only put its key into the session keyring)"},
	{{"volume", "close"}, admin_volume_close, "NAME", "take the mapping and any key away"},
	{{"volume", "list"},
         admin_volume_list,
         "[--slot N] [--user-pin-* ...]",
         "the volumes of a token, and which are open"},
	{{"volume", "rewrap"},
         admin_volume_rewrap,
         "[--slot N] [--user-pin-* ...]",
         "a new key-encryption key for all volumes of a token; nothing is re-encrypted"},
	{{"volume", "remove"},
         admin_volume_remove,
         "NAME --force [--slot N] [--user-pin-* ...]",
         "destroy a volume's key, and with it what is on the volume"},
};

#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

enum option_id {
	OPTION_JSON = 256,
	OPTION_SOCKET,
	OPTION_LABEL,
	OPTION_SLOT,
	OPTION_COUNT,
	OPTION_REINITIALIZE,
	OPTION_ANCHOR,
	OPTION_SO_PIN_FILE,
	OPTION_SO_PIN_FD,
	OPTION_SO_PIN_ENV,
	OPTION_USER_PIN_FILE,
	OPTION_USER_PIN_FD,
	OPTION_USER_PIN_ENV,
	OPTION_NEW_PIN_FILE,
	OPTION_NEW_PIN_FD,
	OPTION_NEW_PIN_ENV,
	OPTION_DEVICE,
	OPTION_CIPHER,
	OPTION_KEY_SIZE,
	OPTION_SECTOR_SIZE,
	OPTION_OFFSET,
	OPTION_SIZE,
	OPTION_ALLOW_DISCARDS,
	OPTION_READ_ONLY,
	OPTION_KEY_ONLY,
	OPTION_FORCE,
	OPTION_HELP,
	OPTION_VERSION,
};

static const struct option long_options[] = {
	{"json", no_argument, NULL, OPTION_JSON},
	{"socket", required_argument, NULL, OPTION_SOCKET},
	{"label", required_argument, NULL, OPTION_LABEL},
	{"slot", required_argument, NULL, OPTION_SLOT},
	{"count", required_argument, NULL, OPTION_COUNT},
	{"reinitialize", no_argument, NULL, OPTION_REINITIALIZE},
	{"anchor", optional_argument, NULL, OPTION_ANCHOR},
	{"so-pin-file", required_argument, NULL, OPTION_SO_PIN_FILE},
	{"so-pin-fd", required_argument, NULL, OPTION_SO_PIN_FD},
	{"so-pin-env", required_argument, NULL, OPTION_SO_PIN_ENV},
	{"user-pin-file", required_argument, NULL, OPTION_USER_PIN_FILE},
	{"user-pin-fd", required_argument, NULL, OPTION_USER_PIN_FD},
	{"user-pin-env", required_argument, NULL, OPTION_USER_PIN_ENV},
	{"new-pin-file", required_argument, NULL, OPTION_NEW_PIN_FILE},
	{"new-pin-fd", required_argument, NULL, OPTION_NEW_PIN_FD},
	{"new-pin-env", required_argument, NULL, OPTION_NEW_PIN_ENV},
	{"device", required_argument, NULL, OPTION_DEVICE},
	{"cipher", required_argument, NULL, OPTION_CIPHER},
	{"key-size", required_argument, NULL, OPTION_KEY_SIZE},
	{"sector-size", required_argument, NULL, OPTION_SECTOR_SIZE},
	{"offset", required_argument, NULL, OPTION_OFFSET},
	{"size", required_argument, NULL, OPTION_SIZE},
	{"allow-discards", no_argument, NULL, OPTION_ALLOW_DISCARDS},
	{"read-only", no_argument, NULL, OPTION_READ_ONLY},
	{"key-only", no_argument, NULL, OPTION_KEY_ONLY},
	{"force", no_argument, NULL, OPTION_FORCE},
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
	case OPTION_COUNT:
		return &options->count;
	case OPTION_ANCHOR:
		return &options->anchor_log;
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
	case OPTION_DEVICE:
		return &options->volume.device;
	case OPTION_CIPHER:
		return &options->volume.cipher;
	case OPTION_KEY_SIZE:
		return &options->volume.key_size;
	case OPTION_SECTOR_SIZE:
		return &options->volume.sector_size;
	case OPTION_OFFSET:
		return &options->volume.offset;
	case OPTION_SIZE:
		return &options->volume.size;
	default:
		return NULL;
	}
}

/* The flag that an id raises; NULL for others. */
static bool *flag_option(struct admin_options *options, int id)
{
	switch (id) {
	case OPTION_JSON:
		return &options->json;
	case OPTION_REINITIALIZE:
		return &options->reinitialize;
	case OPTION_ANCHOR:
		return &options->anchor;
	case OPTION_ALLOW_DISCARDS:
		return &options->volume.allow_discards;
	case OPTION_READ_ONLY:
		return &options->volume.read_only;
	case OPTION_KEY_ONLY:
		return &options->volume.key_only;
	case OPTION_FORCE:
		return &options->volume.force;
	default:
		return NULL;
	}
}

/* -1: go on; else the exit status. */
static int take_option(struct admin_options *options, int id)
{
	const char **text = text_option(options, id);
	bool *flag = flag_option(options, id);

	if (text)
		*text = optarg;
	if (flag)
		*flag = true;
	if (text || flag)
		return -1;
	switch (id) {
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

/* How many words may follow a verb. */
static int arguments_max(const struct verb *verb)
{
	if (strstr(verb->arguments, "FILE..."))
		return INT_MAX;
	return !strncmp(verb->arguments, "NAME", 4);
}

static int run_verb(struct admin_options *options)
{
	for (size_t i = 0; i < VERB_COUNT; i++) {
		int words = matches(&verbs[i], options->arguments, options->argument_count);

		if (!words)
			continue;
		options->arguments += words;
		options->argument_count -= words;
		if (options->argument_count > arguments_max(&verbs[i])) {
			admin_fail("%s is one argument too many",
			           options->arguments[arguments_max(&verbs[i])]);
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

bool admin_number(const char *option, const char *text, uint64_t absent, uint64_t *value)
{
	char *end;

	*value = absent;
	if (!text)
		return true;
	errno = 0;
	*value = strtoull(text, &end, 10);
	if (!errno && text[0] >= '0' && text[0] <= '9' && !*end)
		return true;
	admin_fail("%s %s: not a number", option, text);
	return false;
}

bool admin_slot(const struct admin_options *options, uint64_t *slot_id)
{
	return admin_number("--slot", options->slot, 0, slot_id);
}

int admin_print_json(json_t *value)
{
	int failed = json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);

	json_decref(value);
	return failed || putchar('\n') == EOF ? admin_fail("standard output cannot be written")
	                                      : ADMIN_DONE;
}
