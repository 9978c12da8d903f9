/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What verbs tell: failures on standard error, results as JSON or text, colours where a terminal
 * shows them.
 */
#include "admin.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "error.h"

int admin_fail(const char *format, ...)
{
	va_list arguments;

	admin_progress_end();
	fputs("craton-hsm-admin: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return ADMIN_FAILED;
}

/* What the library's channel says by itself; error.def has what the agent says. */
static const struct {
	CK_RV rv;
	const char *name, *text;
} lost[] = {
	{CKR_DEVICE_REMOVED, "CKR_DEVICE_REMOVED", "the agent went away before it answered"},
	{CKR_HOST_MEMORY, "CKR_HOST_MEMORY", "out of memory"},
};

int admin_fail_rv(const char *what, CK_RV rv)
{
	for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
		if (lost[i].rv == rv)
			return admin_fail("%s: %s (0x%lx): %s", what, lost[i].name, rv,
			                  lost[i].text);
	}
	for (int code = 1; code < ERROR_COUNT; code++) {
		if (err_ckr(code) == rv)
			return admin_fail("%s: %s (0x%lx): %s", what, err_ckr_name(code), rv,
			                  err_text(code));
	}
	return admin_fail("%s: error 0x%lx", what, rv);
}

int admin_print_json(json_t *value)
{
	int failed = json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);

	json_decref(value);
	return failed || putchar('\n') == EOF ? admin_fail("standard output cannot be written")
	                                      : ADMIN_DONE;
}

int admin_report_slot(const struct admin_options *options, uint64_t slot_id, const char *done)
{
	if (options->json)
		return admin_print_json(
			json_pack("{s:s, s:I}", "done", done, "slot", (json_int_t)slot_id));
	printf("slot %llu: %s\n", (unsigned long long)slot_id, done);
	return ADMIN_DONE;
}

/* NO_COLOR: https://no-color.org */
const char *admin_colour(enum admin_colour colour)
{
	static const char *const sequences[] = {
		[COLOUR_PLAIN] = "\033[0m",
		[COLOUR_GOOD] = "\033[32m",
		[COLOUR_BAD] = "\033[1;31m",
		[COLOUR_WARNING] = "\033[33m",
	};
	const char *refused = getenv("NO_COLOR"), *terminal = getenv("TERM");

	if ((refused && *refused) || !terminal || !isatty(STDOUT_FILENO))
		return "";
	return sequences[colour];
}

json_t *admin_parse_json(struct wire_bytes json)
{
	json_t *value = json_loadb((const char *)json.data, json.len, JSON_REJECT_DUPLICATES, NULL);

	if (!value)
		admin_fail("the agent's answer is not JSON");
	return value;
}

const char *admin_json_text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "?";
}

long long admin_json_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}
