/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attribute_rules.def as data, and the checks of values that all template_*.c share. Private to
 * them; everybody else includes template.h.
 */
#ifndef AGENT_TEMPLATE_RULES_H
#define AGENT_TEMPLATE_RULES_H

#include "template.h"

/* The columns of attribute_rules.def. */
enum rule_class {
	RULE_DATA = 1 << 0,
	RULE_CERT = 1 << 1,
	RULE_PUBLIC = 1 << 2,
	RULE_PRIVATE = 1 << 3,
	RULE_SECRET = 1 << 4,
	RULE_PROFILE = 1 << 5,
	RULE_KEYS = RULE_PUBLIC | RULE_PRIVATE | RULE_SECRET,
	RULE_ALL = RULE_DATA | RULE_CERT | RULE_KEYS | RULE_PROFILE,
};

enum rule_key {
	RULE_KEYLESS = 1 << 0, /* data, certificates and profiles */
	RULE_RSA = 1 << 1,
	RULE_EC = 1 << 2,
	RULE_EDWARDS = 1 << 3,
	RULE_MONTGOMERY = 1 << 4,
	RULE_AES = 1 << 5,
	RULE_GENERIC = 1 << 6, /* generic secrets, HMAC and HKDF keys */
	RULE_XTS = 1 << 7,
	RULE_CHACHA20 = 1 << 8,
	RULE_ML_KEM = 1 << 9,
	RULE_ML_DSA = 1 << 10,
	RULE_SLH_DSA = 1 << 11,
	RULE_PQC = RULE_ML_KEM | RULE_ML_DSA | RULE_SLH_DSA,
	RULE_CIPHERS = RULE_AES | RULE_XTS | RULE_CHACHA20,
	RULE_CURVES = RULE_EC | RULE_EDWARDS | RULE_MONTGOMERY,
	RULE_ASYMMETRIC = RULE_RSA | RULE_CURVES | RULE_PQC,
	RULE_SYMMETRIC = RULE_CIPHERS | RULE_GENERIC,
	RULE_ANY = RULE_KEYLESS | RULE_ASYMMETRIC | RULE_SYMMETRIC,
};

enum rule_footnote {
	RULE_F1 = 1 << 0,
	RULE_F2 = 1 << 1,
	RULE_F3 = 1 << 2,
	RULE_F4 = 1 << 3,
	RULE_F5 = 1 << 4,
	RULE_F6 = 1 << 5,
	RULE_FD = 1 << 6,
	RULE_F7 = 1 << 7,
	RULE_F8 = 1 << 8,
	RULE_F10 = 1 << 9,
	RULE_F11 = 1 << 10,
	RULE_F12 = 1 << 11,
	RULE_FC = 1 << 12,
	RULE_FV = 1 << 13,
	RULE_FE = 1 << 14,
	RULE_FO = 1 << 15,
	RULE_AGENT = RULE_F2 | RULE_F4 | RULE_F6 | RULE_FD,
	RULE_MATERIAL = RULE_F1 | RULE_F4 | RULE_F6 | RULE_FD,
};

enum rule_fallback {
	FALLBACK_NOTHING, /* stays absent */
	FALLBACK_FALSE,
	FALLBACK_TRUE,
	FALLBACK_ZERO,
	FALLBACK_LOGIN,     /* true when the user is logged in */
	FALLBACK_UNWRAPPED, /* true for C_UnwrapKey */
};

struct rule {
	uint64_t type;
	uint8_t classes;
	uint16_t keys;
	uint16_t footnotes;
	uint8_t fallback;
};

/* What an object is, as one bit of each column. */
struct rule_scope {
	uint8_t object_class;
	uint16_t key;
};

/* All rows, in order. */
extern const struct rule rule_table[];
extern const size_t rule_count;

/* The bit of a class or key type; 0 when we do not have it. A key type of
 * CK_UNAVAILABLE_INFORMATION is none: RULE_KEYLESS. */
uint8_t rule_class_bit(uint64_t object_class);
uint16_t rule_key_bit(uint64_t key_type);
/* Can an object of this class have this key type? Also when both are unknown: no. */
bool rule_scope_valid(struct rule_scope scope);
struct rule_scope rule_scope_of(const struct attributes *set);

bool rule_applies(const struct rule *rule, struct rule_scope scope);
/* Does any object have this attribute? */
bool rule_known(uint64_t type);
/* The row, or NULL when such an object has no such attribute. */
const struct rule *rule_find(uint64_t type, struct rule_scope scope);

/* Kind and value of one attribute by itself. ERROR_ATTRIBUTE_VALUE. */
enum err rule_check_value(const struct wire_attribute *attribute) MUST_CHECK;
/* The template inside an attribute of kind attributes; empty when it is not one. */
struct wire_template rule_nested(const struct wire_attribute *attribute);
/* Do the attributes of the set agree with each other? ERROR_TEMPLATE_INCONSISTENT, _INCOMPLETE. */
enum err rule_check_set(const struct attributes *set, struct rule_scope scope) MUST_CHECK;
/* Same kind and same value? */
bool rule_same_value(const struct wire_attribute *a, const struct wire_attribute *b);
/* An empty date is no date: takes such out of the set. */
void rule_drop_empty_dates(struct attributes *set);

#endif
