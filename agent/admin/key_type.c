/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of kinds of keys, both ways: from the command line to a template, from an object's
 * attributes to a name.
 */
#include "key_type.h"

#include <openssl/ec.h>
#include <openssl/objects.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What follows the colon, and the attribute that it sets. */
enum detail { DETAIL_NONE, DETAIL_BITS, DETAIL_LENGTH, DETAIL_CURVE, DETAIL_OID, DETAIL_SET };

struct key_type_row {
	const char *name;
	CK_KEY_TYPE key_type;
	CK_MECHANISM_TYPE generate;
	bool is_pair;
	enum detail detail;
	CK_ULONG number; /* NID or parameter set */
	const char *example;
};

#define PQC(name, key, set)                                                                        \
	{                                                                                          \
		name, CKK_##key, CKM_##key##_KEY_PAIR_GEN, true, DETAIL_SET, CKP_##set, name       \
	}

static const struct key_type_row rows[] = {
	{"rsa", CKK_RSA, CKM_RSA_PKCS_KEY_PAIR_GEN, true, DETAIL_BITS, 0, "rsa:3072"},
	{"ec", CKK_EC, CKM_EC_KEY_PAIR_GEN, true, DETAIL_CURVE, 0, "ec:P-256"},
	{"ed25519", CKK_EC_EDWARDS, CKM_EC_EDWARDS_KEY_PAIR_GEN, true, DETAIL_OID, NID_ED25519,
         "ed25519"},
	{"ed448", CKK_EC_EDWARDS, CKM_EC_EDWARDS_KEY_PAIR_GEN, true, DETAIL_OID, NID_ED448,
         "ed448"},
	{"x25519", CKK_EC_MONTGOMERY, CKM_EC_MONTGOMERY_KEY_PAIR_GEN, true, DETAIL_OID, NID_X25519,
         "x25519"},
	{"x448", CKK_EC_MONTGOMERY, CKM_EC_MONTGOMERY_KEY_PAIR_GEN, true, DETAIL_OID, NID_X448,
         "x448"},
	{"aes", CKK_AES, CKM_AES_KEY_GEN, false, DETAIL_LENGTH, 0, "aes:256"},
	{"aes-xts", CKK_AES_XTS, CKM_AES_XTS_KEY_GEN, false, DETAIL_LENGTH, 0, "aes-xts:512"},
	{"chacha20", CKK_CHACHA20, CKM_CHACHA20_KEY_GEN, false, DETAIL_NONE, 0, "chacha20"},
	{"hmac", CKK_GENERIC_SECRET, CKM_GENERIC_SECRET_KEY_GEN, false, DETAIL_LENGTH, 0,
         "hmac:256"},
	PQC("ml-dsa-44", ML_DSA, ML_DSA_44),
	PQC("ml-dsa-65", ML_DSA, ML_DSA_65),
	PQC("ml-dsa-87", ML_DSA, ML_DSA_87),
	PQC("ml-kem-512", ML_KEM, ML_KEM_512),
	PQC("ml-kem-768", ML_KEM, ML_KEM_768),
	PQC("ml-kem-1024", ML_KEM, ML_KEM_1024),
	PQC("slh-dsa-sha2-128s", SLH_DSA, SLH_DSA_SHA2_128S),
	PQC("slh-dsa-sha2-128f", SLH_DSA, SLH_DSA_SHA2_128F),
	PQC("slh-dsa-sha2-192s", SLH_DSA, SLH_DSA_SHA2_192S),
	PQC("slh-dsa-sha2-192f", SLH_DSA, SLH_DSA_SHA2_192F),
	PQC("slh-dsa-sha2-256s", SLH_DSA, SLH_DSA_SHA2_256S),
	PQC("slh-dsa-sha2-256f", SLH_DSA, SLH_DSA_SHA2_256F),
	PQC("slh-dsa-shake-128s", SLH_DSA, SLH_DSA_SHAKE_128S),
	PQC("slh-dsa-shake-128f", SLH_DSA, SLH_DSA_SHAKE_128F),
	PQC("slh-dsa-shake-192s", SLH_DSA, SLH_DSA_SHAKE_192S),
	PQC("slh-dsa-shake-192f", SLH_DSA, SLH_DSA_SHAKE_192F),
	PQC("slh-dsa-shake-256s", SLH_DSA, SLH_DSA_SHAKE_256S),
	PQC("slh-dsa-shake-256f", SLH_DSA, SLH_DSA_SHAKE_256F),
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct {
	const char *name;
	int nid;
} curves[] = {
	{"P-256", NID_X9_62_prime256v1},
	{"P-384", NID_secp384r1},
	{"P-521", NID_secp521r1},
	{"secp256k1", NID_secp256k1},
};

#define CURVES (sizeof(curves) / sizeof(curves[0]))

static bool fail_type(const char *text)
{
	char list[1024] = "";
	size_t len = 0;

	for (size_t i = 0; i < ROWS; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "",
		                        rows[i].example);
	admin_fail("%s: no such type of key; there are %s", text, list);
	return false;
}

static bool put_oid(struct key_type *type, int nid)
{
	uint8_t *at = type->params;
	const ASN1_OBJECT *object = OBJ_nid2obj(nid);
	int len = object ? i2d_ASN1_OBJECT(object, NULL) : -1;

	if (len <= 0 || (size_t)len > sizeof(type->params))
		return false;
	type->params_len = (size_t)i2d_ASN1_OBJECT(object, &at);
	return true;
}

static bool read_curve(const char *text, struct key_type *type)
{
	for (size_t i = 0; i < CURVES; i++) {
		if (!strcasecmp(text, curves[i].name))
			return put_oid(type, curves[i].nid);
	}
	return false;
}

static bool read_number(const char *text, CK_ULONG unit, CK_ULONG *number)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*number = value / unit;
	return text[0] >= '1' && text[0] <= '9' && !*end && value % unit == 0 && value <= 65536;
}

static bool read_detail(const struct key_type_row *row, const char *text, struct key_type *type)
{
	switch (row->detail) {
	case DETAIL_BITS:
		return text && read_number(text, 1, &type->number);
	case DETAIL_LENGTH:
		return text && read_number(text, 8, &type->number);
	case DETAIL_CURVE:
		return text && read_curve(text, type);
	case DETAIL_OID:
		return !text && put_oid(type, (int)row->number);
	case DETAIL_SET:
		type->number = row->number;
		return !text;
	default:
		return !text;
	}
}

bool key_type_parse(const char *text, struct key_type *type)
{
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	for (size_t i = 0; i < ROWS; i++) {
		if (strlen(rows[i].name) != len || strncasecmp(text, rows[i].name, len) != 0)
			continue;
		*type = (struct key_type){.row = &rows[i],
		                          .key_type = rows[i].key_type,
		                          .generate = rows[i].generate,
		                          .is_pair = rows[i].is_pair};
		return read_detail(&rows[i], colon ? colon + 1 : NULL, type) || fail_type(text);
	}
	return fail_type(text);
}

void key_type_add(const struct key_type *type, struct cryptoki_template *template)
{
	switch (type->row->detail) {
	case DETAIL_BITS:
		cryptoki_add(template, CKA_MODULUS_BITS, &type->number, sizeof(type->number));
		break;
	case DETAIL_LENGTH:
		cryptoki_add(template, CKA_VALUE_LEN, &type->number, sizeof(type->number));
		break;
	case DETAIL_CURVE:
	case DETAIL_OID:
		cryptoki_add(template, CKA_EC_PARAMS, type->params, type->params_len);
		break;
	case DETAIL_SET:
		cryptoki_add(template, CKA_PARAMETER_SET, &type->number, sizeof(type->number));
		break;
	default:
		break;
	}
}

/* ---- the other way ---- */

/* Bits of a modulus; its first octet may be 0. */
static size_t modulus_bits(const uint8_t *modulus, size_t len)
{
	size_t bits;

	while (len && !*modulus) {
		modulus++;
		len--;
	}
	bits = len * 8;
	for (uint8_t bit = 0x80; len && bit && !(*modulus & bit); bit >>= 1)
		bits--;
	return bits;
}

static int oid_of(const uint8_t *params, size_t len)
{
	ASN1_OBJECT *object = d2i_ASN1_OBJECT(NULL, &params, (long)len);
	int nid = object ? OBJ_obj2nid(object) : NID_undef;

	ASN1_OBJECT_free(object);
	return nid;
}

static const char *curve_name(int nid)
{
	for (size_t i = 0; i < CURVES; i++) {
		if (curves[i].nid == nid)
			return curves[i].name;
	}
	return nid == NID_undef ? "?" : OBJ_nid2sn(nid);
}

static bool describe(const struct cryptoki *token, CK_OBJECT_HANDLE object,
                     const struct key_type_row *row, char name[KEY_TYPE_NAME_MAX])
{
	CK_ATTRIBUTE_TYPE type = row->detail == DETAIL_BITS ? CKA_MODULUS : CKA_EC_PARAMS;
	uint8_t *octets;
	size_t len;
	bool done = true;

	switch (row->detail) {
	case DETAIL_LENGTH:
		snprintf(name, KEY_TYPE_NAME_MAX, "%s:%lu", row->name,
		         8 * cryptoki_number(token, object, CKA_VALUE_LEN, 0));
		return true;
	case DETAIL_SET:
		snprintf(name, KEY_TYPE_NAME_MAX, "%s", row->name);
		return cryptoki_number(token, object, CKA_PARAMETER_SET, 0) == row->number;
	case DETAIL_NONE:
		snprintf(name, KEY_TYPE_NAME_MAX, "%s", row->name);
		return true;
	default:
		break;
	}
	octets = cryptoki_octets(token, object, type, &len);
	if (!octets)
		return false;
	if (row->detail == DETAIL_BITS)
		snprintf(name, KEY_TYPE_NAME_MAX, "%s:%zu", row->name, modulus_bits(octets, len));
	else if (row->detail == DETAIL_CURVE)
		snprintf(name, KEY_TYPE_NAME_MAX, "%s:%s", row->name,
		         curve_name(oid_of(octets, len)));
	else
		done = oid_of(octets, len) == (int)row->number;
	if (done && row->detail == DETAIL_OID)
		snprintf(name, KEY_TYPE_NAME_MAX, "%s", row->name);
	free(octets);
	return done;
}

void key_type_describe(const struct cryptoki *token, CK_OBJECT_HANDLE object,
                       char name[KEY_TYPE_NAME_MAX])
{
	CK_KEY_TYPE key_type =
		cryptoki_number(token, object, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);

	for (size_t i = 0; i < ROWS; i++) {
		if (rows[i].key_type == key_type && describe(token, object, &rows[i], name))
			return;
	}
	snprintf(name, KEY_TYPE_NAME_MAX, "0x%lx", key_type);
}
