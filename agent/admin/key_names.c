/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What key options say of an object: label, identifier, dates, usages, class.
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "key_type.h"

/* ---- hexadecimal ---- */

bool key_hex(const char *text, uint8_t *octets, size_t room, size_t *len)
{
	return *text && OPENSSL_hexstr2buf_ex(octets, room, len, text, '\0') == 1;
}

char *key_to_hex(const uint8_t *octets, size_t len)
{
	char *text = calloc(2, len + 1);

	for (size_t i = 0; text && i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", octets[i]);
	return text;
}

/* ---- classes ---- */

static const struct {
	const char *name;
	CK_OBJECT_CLASS object_class;
	bool is_key;
} classes_table[] = {
	{"private", CKO_PRIVATE_KEY, true}, {"public", CKO_PUBLIC_KEY, true},
	{"secret", CKO_SECRET_KEY, true},   {"certificate", CKO_CERTIFICATE, false},
	{"data", CKO_DATA, false},
};

#define CLASSES (sizeof(classes_table) / sizeof(classes_table[0]))

bool key_classes(const char *text, const char *absent, CK_OBJECT_CLASS classes[5], size_t *count)
{
	const char *wanted = text ? text : absent;
	bool keys = !strcmp(wanted, "key"); /* not secret: a word of the command line */

	*count = 0;
	for (size_t i = 0; i < CLASSES; i++) {
		if (!strcmp(wanted, "all") || !strcmp(wanted, classes_table[i].name) ||
		    (keys && classes_table[i].is_key))
			classes[(*count)++] = classes_table[i].object_class;
	}
	if (!*count)
		admin_fail("--class %s: private, public, secret, key, certificate, data or all",
		           wanted);
	return *count > 0;
}

const char *key_class_name(CK_OBJECT_CLASS object_class)
{
	for (size_t i = 0; i < CLASSES; i++) {
		if (classes_table[i].object_class == object_class)
			return classes_table[i].name;
	}
	return "other";
}

/* ---- usages ---- */

/* A word names both halves of a pair: who signs with the one verifies with the other. */
static const struct usage {
	const char *word;
	CK_ATTRIBUTE_TYPE type;
	uint8_t pair; /* usages of one pair have the same number */
	bool of_public, of_private, of_secret;
	CK_KEY_TYPE only; /* CK_UNAVAILABLE_INFORMATION: any */
} usages[] = {
	{"encrypt", CKA_ENCRYPT, 0, true, false, true, CK_UNAVAILABLE_INFORMATION},
	{"decrypt", CKA_DECRYPT, 0, false, true, true, CK_UNAVAILABLE_INFORMATION},
	{"sign", CKA_SIGN, 1, false, true, true, CK_UNAVAILABLE_INFORMATION},
	{"verify", CKA_VERIFY, 1, true, false, true, CK_UNAVAILABLE_INFORMATION},
	{"wrap", CKA_WRAP, 2, true, false, true, CK_UNAVAILABLE_INFORMATION},
	{"unwrap", CKA_UNWRAP, 2, false, true, true, CK_UNAVAILABLE_INFORMATION},
	{"derive", CKA_DERIVE, 3, true, true, true, CK_UNAVAILABLE_INFORMATION},
	{"encapsulate", CKA_ENCAPSULATE, 4, true, false, false, CKK_ML_KEM},
	{"decapsulate", CKA_DECAPSULATE, 4, false, true, false, CKK_ML_KEM},
};

#define USAGES (sizeof(usages) / sizeof(usages[0]))

static bool read_usage(const char *word, size_t len, uint32_t *named)
{
	for (size_t i = 0; i < USAGES; i++) {
		if (strlen(usages[i].word) == len && !strncmp(word, usages[i].word, len)) {
			*named |= 1u << i;
			return true;
		}
	}
	admin_fail("--usage %.*s: encrypt, decrypt, sign, verify, wrap, unwrap, derive, "
	           "encapsulate or decapsulate",
	           (int)len, word);
	return false;
}

static bool read_usages(const char *list, struct key_names *names)
{
	names->has_usages = list;
	while (list && *list) {
		size_t len = strcspn(list, ",");

		if (!read_usage(list, len, &names->usages))
			return false;
		list += len + (list[len] == ',');
	}
	return true;
}

static bool has_class(const struct usage *usage, CK_OBJECT_CLASS object_class, CK_KEY_TYPE key_type)
{
	if (usage->only != CK_UNAVAILABLE_INFORMATION && usage->only != key_type)
		return false;
	switch (object_class) {
	case CKO_PUBLIC_KEY:
		return usage->of_public && (usage->type != CKA_DERIVE);
	case CKO_PRIVATE_KEY:
		return usage->of_private;
	default:
		return usage->of_secret;
	}
}

static bool is_named(const struct key_names *names, size_t at, CK_OBJECT_CLASS object_class)
{
	for (size_t i = 0; i < USAGES; i++) {
		if ((names->usages & 1u << i) && (i == at || (object_class != CKO_SECRET_KEY &&
		                                              usages[i].pair == usages[at].pair)))
			return true;
	}
	return false;
}

void key_usages_add(const struct key_names *names, CK_OBJECT_CLASS object_class,
                    CK_KEY_TYPE key_type, struct cryptoki_template *template)
{
	for (size_t i = 0; names->has_usages && i < USAGES; i++) {
		if (has_class(&usages[i], object_class, key_type))
			cryptoki_add_flag(template, usages[i].type,
			                  is_named(names, i, object_class));
	}
}

void key_protect(const struct admin_options *options, struct cryptoki_template *template)
{
	cryptoki_add_flag(template, CKA_PRIVATE, true);
	cryptoki_add_flag(template, CKA_SENSITIVE, true);
	cryptoki_add_flag(template, CKA_EXTRACTABLE, options->key.extractable);
}

json_t *key_usages_json(const struct cryptoki *token, CK_OBJECT_HANDLE object)
{
	json_t *list = json_array();

	for (size_t i = 0; i < USAGES; i++) {
		if (cryptoki_flag(token, object, usages[i].type))
			json_array_append_new(list, json_string(usages[i].word));
	}
	return list;
}

/* ---- names ---- */

/* Only days that exist: what timegm makes of others differs from them. */
static bool read_date(const char *option, const char *text, CK_DATE *date, bool *given)
{
	struct tm day = {0}, again;
	const char *end;
	time_t seconds;

	*given = text;
	if (!text)
		return true;
	end = strptime(text, "%Y-%m-%d", &day);
	again = day;
	seconds = timegm(&again);
	if (!end || *end || strlen(text) != 10 || again.tm_mday != day.tm_mday || seconds == -1) {
		admin_fail("%s %s: a day as YYYY-MM-DD is needed", option, text);
		return false;
	}
	memcpy(date->year, text, 4);
	memcpy(date->month, text + 5, 2);
	memcpy(date->day, text + 8, 2);
	return true;
}

bool key_names_read(const struct admin_options *options, struct key_names *names)
{
	const struct admin_key_options *key = &options->key;

	*names = (struct key_names){.label = options->label};
	if (key->id && !key_hex(key->id, names->id, sizeof(names->id), &names->id_len)) {
		admin_fail("--id %s: an even number of hexadecimal digits is needed, at most %u",
		           key->id, 2 * CRYPTOKI_ID_MAX);
		return false;
	}
	return read_date("--start-date", key->start_date, &names->start, &names->has_start) &&
	       read_date("--end-date", key->end_date, &names->end, &names->has_end) &&
	       read_usages(key->usage, names);
}

void key_names_add(const struct key_names *names, struct cryptoki_template *template)
{
	cryptoki_add_text(template, CKA_LABEL, names->label);
	if (names->id_len)
		cryptoki_add(template, CKA_ID, names->id, names->id_len);
	if (names->has_start)
		cryptoki_add(template, CKA_START_DATE, &names->start, sizeof(names->start));
	if (names->has_end)
		cryptoki_add(template, CKA_END_DATE, &names->end, sizeof(names->end));
}
