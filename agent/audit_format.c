/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form of a record. Every text in it is a name of ours or a number, so nothing needs escaping
 * but `detail`, of which octets that JSON would escape are replaced.
 */
#include "audit_format.h"

#include <string.h>

#include "object.h"
#include "wire/codec.h"

/* An end that moves; audit_format's bounds make every put fit (see the static assertion below). */
struct pen {
	char *at;
};

static void put(struct pen *pen, const char *text, size_t len)
{
	memcpy(pen->at, text, len);
	pen->at += len;
}

#define PUT(pen, literal) put(pen, literal, sizeof(literal) - 1)

static void put_number(struct pen *pen, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	put(pen, digits + at, sizeof(digits) - at);
}

/* A number that a client chose: readers of JSON take integers up to INT64_MAX, larger ones become
 * text. */
static void put_foreign_number(struct pen *pen, uint64_t value)
{
	if (value <= INT64_MAX) {
		put_number(pen, value);
		return;
	}
	PUT(pen, "\"");
	put_number(pen, value);
	PUT(pen, "\"");
}

static void put_microseconds(struct pen *pen, uint64_t microseconds)
{
	char digits[6];

	for (int i = 5; i >= 0; i--) {
		digits[i] = (char)('0' + microseconds % 10);
		microseconds /= 10;
	}
	put(pen, digits, sizeof(digits));
}

static void put_hex(struct pen *pen, const uint8_t *octets, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*pen->at++ = digits[octets[i] >> 4];
		*pen->at++ = digits[octets[i] & 15];
	}
}

static void put_key(struct pen *pen, const uint8_t *uid)
{
	PUT(pen, ",\"key_id\":");
	if (!uid) {
		PUT(pen, "null");
		return;
	}
	PUT(pen, "\"");
	put_hex(pen, uid, OBJECT_UID_LEN);
	PUT(pen, "\"");
}

static void put_result(struct pen *pen, enum err result)
{
	const char *name = err_ckr_name(result);

	if (result == ERROR_NONE) {
		PUT(pen, ",\"result\":\"Success\"");
		return;
	}
	PUT(pen, ",\"result\":\"Failure\",\"ckr\":\"");
	put(pen, name, strlen(name));
	PUT(pen, "\",\"ckr_number\":");
	put_number(pen, err_ckr(result));
	PUT(pen, ",\"reason\":\"");
	put(pen, err_text(result), strlen(err_text(result)));
	PUT(pen, "\"");
}

static void put_mechanism(struct pen *pen, uint64_t type)
{
	const char *name;

	if (type == CK_UNAVAILABLE_INFORMATION)
		return;
	PUT(pen, ",\"mechanism\":");
	name = wire_mechanism_name(type);
	if (!name) {
		put_foreign_number(pen, type);
		return;
	}
	PUT(pen, "\"");
	put(pen, name, strlen(name));
	PUT(pen, "\"");
}

/* Up to `max` octets of a text that others had a hand in. */
static void put_text(struct pen *pen, const char *text, size_t max)
{
	for (size_t i = 0; i < max && text[i]; i++) {
		unsigned char octet = (unsigned char)text[i];

		*pen->at++ = octet < 0x20 || octet > 0x7e || octet == '"' || octet == '\\'
		                     ? '?'
		                     : text[i];
	}
	PUT(pen, "\"");
}

static void put_detail(struct pen *pen, const char *detail)
{
	if (!detail)
		return;
	PUT(pen, ",\"detail\":\"");
	put_text(pen, detail, AUDIT_DETAIL_MAX);
}

static void put_client(struct pen *pen, const char *client)
{
	if (!client)
		return;
	PUT(pen, ",\"client\":\"");
	put_text(pen, client, WIRE_CLIENT_MAX);
}

/* Names and texts of ours stay below 64 octets each; five of them, seven numbers, three hex strings
 * and the keys of JSON. */
_Static_assert(AUDIT_LINE_MAX >= AUDIT_DETAIL_MAX + WIRE_CLIENT_MAX + 5 * 64 + 7 * 20 +
                                         2 * (OBJECT_UID_LEN + AUDIT_HASH_LEN) + 290,
               "a record fits its line");

size_t audit_format(char *line, const struct audit_record *record, const struct audit_place *place,
                    int64_t timestamp_ns)
{
	struct pen pen = {line};

	PUT(&pen, "{\"seq\":");
	put_number(&pen, place->sequence);
	PUT(&pen, ",\"timestamp\":");
	put_number(&pen, (uint64_t)timestamp_ns / 1000000000u);
	PUT(&pen, ".");
	put_microseconds(&pen, (uint64_t)timestamp_ns / 1000u % 1000000u);
	PUT(&pen, ",\"session_handle\":");
	put_foreign_number(&pen, record->session_handle);
	PUT(&pen, ",\"operation\":\"");
	put(&pen, record->operation, strlen(record->operation));
	PUT(&pen, "\"");
	put_key(&pen, record->key_uid);
	put_result(&pen, record->result);
	PUT(&pen, ",\"fips_approved\":");
	put(&pen, record->fips_approved ? "true" : "false", record->fips_approved ? 4 : 5);
	PUT(&pen, ",\"uid\":");
	put_number(&pen, record->uid);
	PUT(&pen, ",\"pid\":");
	put_number(&pen, (uint64_t)record->pid);
	put_client(&pen, record->client);
	put_mechanism(&pen, record->mechanism);
	put_detail(&pen, record->detail);
	if (place->anchor) {
		PUT(&pen, ",\"anchor\":");
		put_number(&pen, place->anchor);
	}
	PUT(&pen, ",\"previous_hash\":\"");
	put_hex(&pen, place->previous_hash, AUDIT_HASH_LEN);
	PUT(&pen, "\"}\n");
	return (size_t)(pen.at - line);
}
