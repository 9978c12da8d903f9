/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin key list: each object as one JSON object or one line. The state is SP 800-57's
 * (part 1, section 7), by the same rules as the agent's policy.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "key_type.h"

/* ---- one object ---- */

/* NULL for what is no text of the object, or no UTF-8. */
static json_t *text_json(const struct cryptoki *token, CK_OBJECT_HANDLE object,
                         CK_ATTRIBUTE_TYPE type, bool hex)
{
	size_t len;
	uint8_t *octets = cryptoki_octets(token, object, type, &len);
	char *digits = octets && hex ? key_to_hex(octets, len) : NULL;
	json_t *value = NULL;

	if (octets)
		value = hex ? json_string(digits ? digits : "")
		            : json_stringn((const char *)octets, len);
	free(digits);
	free(octets);
	return value ? value : json_string("");
}

/* "YYYYMMDD", or "" when there is none. */
static void read_date(const struct cryptoki *token, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                      char date[9])
{
	size_t len;
	uint8_t *octets = cryptoki_octets(token, object, type, &len);

	memset(date, 0, 9);
	if (octets && len == 8)
		memcpy(date, octets, 8);
	free(octets);
}

static json_t *date_json(const char date[9])
{
	return *date ? json_sprintf("%.4s-%.2s-%.2s", date, date + 4, date + 6) : json_null();
}

static void today(char date[9])
{
	time_t now = time(NULL);
	struct tm utc;

	gmtime_r(&now, &utc);
	strftime(date, 9, "%Y%m%d", &utc);
}

static const char *state_of(const char *start, const char *end, bool compromised)
{
	char now[9];

	today(now);
	if (compromised)
		return "compromised";
	if (*start && strcmp(now, start) < 0)
		return "pre-active";
	return *end && strcmp(end, now) < 0 ? "deactivated" : "active";
}

static void add_state(const struct cryptoki *token, CK_OBJECT_HANDLE object, json_t *json)
{
	char start[9], end[9];

	read_date(token, object, CKA_START_DATE, start);
	read_date(token, object, CKA_END_DATE, end);
	json_object_set_new(
		json, "state",
		json_string(state_of(start, end,
	                             cryptoki_flag(token, object, CKA_CRATON_COMPROMISED))));
	json_object_set_new(json, "start_date", date_json(start));
	json_object_set_new(json, "end_date", date_json(end));
}

static void add_flags(const struct cryptoki *token, CK_OBJECT_HANDLE object, json_t *json)
{
	static const struct {
		const char *name;
		CK_ATTRIBUTE_TYPE type;
	} flags[] = {
		{"sensitive", CKA_SENSITIVE}, {"extractable", CKA_EXTRACTABLE},
		{"local", CKA_LOCAL},         {"always_authenticate", CKA_ALWAYS_AUTHENTICATE},
		{"trusted", CKA_TRUSTED},
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		json_object_set_new(json, flags[i].name,
		                    json_boolean(cryptoki_flag(token, object, flags[i].type)));
}

static json_t *describe(const struct cryptoki *token, CK_OBJECT_HANDLE object)
{
	CK_OBJECT_CLASS object_class =
		cryptoki_number(token, object, CKA_CLASS, CK_UNAVAILABLE_INFORMATION);
	bool is_key = object_class == CKO_PRIVATE_KEY || object_class == CKO_PUBLIC_KEY ||
	              object_class == CKO_SECRET_KEY;
	char type[KEY_TYPE_NAME_MAX] = "";
	json_t *json = json_object();

	json_object_set_new(json, "class", json_string(key_class_name(object_class)));
	json_object_set_new(json, "label", text_json(token, object, CKA_LABEL, false));
	json_object_set_new(json, "id", text_json(token, object, CKA_ID, true));
	json_object_set_new(json, "unique_id", text_json(token, object, CKA_UNIQUE_ID, false));
	json_object_set_new(json, "private",
	                    json_boolean(cryptoki_flag(token, object, CKA_PRIVATE)));
	json_object_set_new(json, "modifiable",
	                    json_boolean(cryptoki_flag(token, object, CKA_MODIFIABLE)));
	if (!is_key)
		return json;
	key_type_describe(token, object, type);
	json_object_set_new(json, "type", json_string(type));
	add_state(token, object, json);
	json_object_set_new(json, "usage", key_usages_json(token, object));
	add_flags(token, object, json);
	return json;
}

/* ---- lines ---- */

static enum admin_colour colour_of(const char *state)
{
	if (!strcmp(state, "active"))
		return COLOUR_GOOD;
	return !strcmp(state, "compromised") ? COLOUR_BAD : COLOUR_WARNING;
}

static void print_usages(const json_t *object)
{
	json_t *usage;
	size_t index;

	json_array_foreach(json_object_get(object, "usage"), index, usage)
		printf("%s%s", index ? "," : "  ", json_string_value(usage));
}

static void print_dates(const json_t *object)
{
	const char *start = json_string_value(json_object_get(object, "start_date"));
	const char *end = json_string_value(json_object_get(object, "end_date"));

	if (start)
		printf("  from %s", start);
	if (end)
		printf("  to %s", end);
}

static void print_line(const json_t *object)
{
	const char *state = json_string_value(json_object_get(object, "state"));

	printf("%-11s %-12s ", admin_json_text(object, "class"),
	       state ? admin_json_text(object, "type") : "");
	if (state)
		printf("%s%-11s%s ", admin_colour(colour_of(state)), state,
		       admin_colour(COLOUR_PLAIN));
	else
		printf("%-11s ", "");
	printf("\"%s\"  id %s", admin_json_text(object, "label"), admin_json_text(object, "id"));
	print_usages(object);
	if (json_is_true(json_object_get(object, "extractable")))
		printf("  extractable");
	print_dates(object);
	putchar('\n');
}

/* ---- the verb ---- */

struct listing {
	const struct cryptoki *token;
	json_t *objects;
};

static bool list(void *context, CK_OBJECT_HANDLE object)
{
	struct listing *listing = context;

	return !json_array_append_new(listing->objects, describe(listing->token, object));
}

int admin_key_list(const struct admin_options *options)
{
	cryptoki_auto token = {0};
	struct listing listing = {&token, NULL};
	json_t *object;
	size_t index;

	if (!cryptoki_begin(options, false, &token))
		return ADMIN_FAILED;
	listing.objects = json_array();
	if (!key_select(options, &token, "key", list, &listing)) {
		json_decref(listing.objects);
		return ADMIN_FAILED;
	}
	if (options->json)
		return admin_print_json(json_pack("{s:o}", "objects", listing.objects));
	json_array_foreach(listing.objects, index, object) print_line(object);
	json_decref(listing.objects);
	return ADMIN_DONE;
}
