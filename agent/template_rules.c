/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attribute_rules.def as an array, and how a row is found: by binary search for the attribute, then
 * along its few rows. Knows nothing of templates and how objects are made.
 */
#include "template_rules.h"

const struct rule rule_table[] = {
#define ALL        RULE_ALL
#define DATA       RULE_DATA
#define CERT       RULE_CERT
#define PUBLIC     RULE_PUBLIC
#define PRIVATE    RULE_PRIVATE
#define SECRET     RULE_SECRET
#define KEYS       RULE_KEYS
#define PROFILE    RULE_PROFILE
#define ANY        RULE_ANY
#define RSA        RULE_RSA
#define EC         RULE_EC
#define EDWARDS    RULE_EDWARDS
#define MONTGOMERY RULE_MONTGOMERY
#define CURVES     RULE_CURVES
#define AES        RULE_AES
#define GENERIC    RULE_GENERIC
#define XTS        RULE_XTS
#define CHACHA20   RULE_CHACHA20
#define CIPHERS    RULE_CIPHERS
#define ML_KEM     RULE_ML_KEM
#define ML_DSA     RULE_ML_DSA
#define SLH_DSA    RULE_SLH_DSA
#define PQC        RULE_PQC
#define F1         RULE_F1
#define F2         RULE_F2
#define F3         RULE_F3
#define F4         RULE_F4
#define F5         RULE_F5
#define F6         RULE_F6
#define FD         RULE_FD
#define F7         RULE_F7
#define F8         RULE_F8
#define F10        RULE_F10
#define F11        RULE_F11
#define F12        RULE_F12
#define FC         RULE_FC
#define FV         RULE_FV
#define FE         RULE_FE
#define FO         RULE_FO
#define AGENT      RULE_AGENT
#define MATERIAL   RULE_MATERIAL
#define RULE(attribute, classes, keys, footnotes, fallback)                                        \
	{attribute, classes, keys, footnotes, FALLBACK_##fallback},
#include "attribute_rules.def"
#undef RULE
};

const size_t rule_count = sizeof(rule_table) / sizeof(rule_table[0]);

uint8_t rule_class_bit(uint64_t object_class)
{
	switch (object_class) {
	case CKO_DATA:
		return RULE_DATA;
	case CKO_CERTIFICATE:
		return RULE_CERT;
	case CKO_PUBLIC_KEY:
		return RULE_PUBLIC;
	case CKO_PRIVATE_KEY:
		return RULE_PRIVATE;
	case CKO_SECRET_KEY:
		return RULE_SECRET;
	case CKO_PROFILE:
		return RULE_PROFILE;
	default:
		return 0;
	}
}

static const struct {
	uint64_t type;
	uint16_t bit;
} key_types[] = {
	{CK_UNAVAILABLE_INFORMATION, RULE_KEYLESS},
	{CKK_RSA, RULE_RSA},
	{CKK_EC, RULE_EC},
	{CKK_EC_EDWARDS, RULE_EDWARDS},
	{CKK_EC_MONTGOMERY, RULE_MONTGOMERY},
	{CKK_AES, RULE_AES},
	{CKK_GENERIC_SECRET, RULE_GENERIC},
	{CKK_SHA_1_HMAC, RULE_GENERIC},
	{CKK_SHA224_HMAC, RULE_GENERIC},
	{CKK_SHA256_HMAC, RULE_GENERIC},
	{CKK_SHA384_HMAC, RULE_GENERIC},
	{CKK_SHA512_HMAC, RULE_GENERIC},
	{CKK_SHA3_224_HMAC, RULE_GENERIC},
	{CKK_SHA3_256_HMAC, RULE_GENERIC},
	{CKK_SHA3_384_HMAC, RULE_GENERIC},
	{CKK_SHA3_512_HMAC, RULE_GENERIC},
	{CKK_SHA512_224_HMAC, RULE_GENERIC},
	{CKK_SHA512_256_HMAC, RULE_GENERIC},
	{CKK_HKDF, RULE_GENERIC},
	{CKK_AES_XTS, RULE_XTS},
	{CKK_CHACHA20, RULE_CHACHA20},
	{CKK_ML_KEM, RULE_ML_KEM},
	{CKK_ML_DSA, RULE_ML_DSA},
	{CKK_SLH_DSA, RULE_SLH_DSA},
};

uint16_t rule_key_bit(uint64_t key_type)
{
	for (size_t i = 0; i < sizeof(key_types) / sizeof(key_types[0]); i++) {
		if (key_types[i].type == key_type)
			return key_types[i].bit;
	}
	return 0;
}

bool rule_scope_valid(struct rule_scope scope)
{
	switch (scope.object_class) {
	case RULE_DATA:
	case RULE_CERT:
	case RULE_PROFILE:
		return scope.key == RULE_KEYLESS;
	case RULE_PUBLIC:
	case RULE_PRIVATE:
		return scope.key & RULE_ASYMMETRIC;
	case RULE_SECRET:
		return scope.key & RULE_SYMMETRIC;
	default:
		return false;
	}
}

struct rule_scope rule_scope_of(const struct attributes *set)
{
	uint64_t none = CK_UNAVAILABLE_INFORMATION;

	return (struct rule_scope){rule_class_bit(attributes_number(set, CKA_CLASS, none)),
	                           rule_key_bit(attributes_number(set, CKA_KEY_TYPE, none))};
}

/* The first row whose attribute is not below `type`. */
static size_t lower_bound(uint64_t type)
{
	size_t low = 0, high = rule_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (rule_table[middle].type < type)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool rule_known(uint64_t type)
{
	size_t i = lower_bound(type);

	return i < rule_count && rule_table[i].type == type;
}

bool rule_applies(const struct rule *rule, struct rule_scope scope)
{
	return (rule->classes & scope.object_class) && (rule->keys & scope.key);
}

const struct rule *rule_find(uint64_t type, struct rule_scope scope)
{
	for (size_t i = lower_bound(type); i < rule_count && rule_table[i].type == type; i++) {
		if (rule_applies(&rule_table[i], scope))
			return &rule_table[i];
	}
	return NULL;
}
