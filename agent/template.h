/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of attributes (PKCS#11 v2.40 §4, v3.0 §4): from a client's template and the way the
 * object comes to life to its full set of attributes with defaults, or the CKR_* that says why not.
 * The rules are rows of attribute_rules.def: for each attribute the classes and key types it
 * belongs to, where it may, must and must not be given, its default, and whether it can be changed
 * or read. No state that outlives a call but one buffer per thread (template_read); no locks.
 */
#ifndef AGENT_TEMPLATE_H
#define AGENT_TEMPLATE_H

#include "attributes.h"
#include "object.h"

/* How the object comes to life. */
enum template_origin {
	ORIGIN_CREATE,   /* C_CreateObject */
	ORIGIN_GENERATE, /* C_GenerateKey, C_GenerateKeyPair */
	ORIGIN_UNWRAP,   /* C_UnwrapKey */
	ORIGIN_DERIVE,   /* C_DeriveKey */
};

struct template_context {
	enum template_origin origin;
	uint64_t object_class; /* forced class for keys made by a mechanism;
	                          CK_UNAVAILABLE_INFORMATION when free */
	uint64_t key_type;     /* forced key type, likewise */
	uint64_t mechanism;    /* CKA_KEY_GEN_MECHANISM for ORIGIN_GENERATE */
	bool so;               /* the SO is logged in: may set CKA_TRUSTED */
	bool user; /* the user is logged in: default of CKA_PRIVATE is true for private and secret
	              keys */
	/* The unwrapping key for ORIGIN_UNWRAP, the base key for ORIGIN_DERIVE, both borrowed; NULL
	 * otherwise. Its CKA_UNWRAP_TEMPLATE or CKA_DERIVE_TEMPLATE binds the new key; a derived
	 * key's CKA_ALWAYS_SENSITIVE and CKA_NEVER_EXTRACTABLE follow its base key's. */
	const struct object *base;
	/* A second key that the derivation takes in, borrowed, or NULL. */
	const struct object *other;
};

/*
 * Checks `template` and fills `set`, whatever it held (nothing is freed), with it and every
 * default, but not yet with key material that a mechanism makes (CKA_VALUE, CKA_MODULUS ... of
 * generated keys) nor with attributes computed from it (template_complete does those). The
 * session's right to make such an object is policy.h's. On failure the set may hold some of it: the
 * caller clears it either way.
 *
 *   ERROR_ATTRIBUTE_TYPE         nobody has this attribute, vendors' included
 *   ERROR_ATTRIBUTE_VALUE        wrong kind or length, an unknown class or key type, no date
 *   ERROR_ATTRIBUTE_READ_ONLY    may not be given in this way; CKA_TRUSTED true without the SO
 *   ERROR_TEMPLATE_INCOMPLETE    something lacks
 *   ERROR_TEMPLATE_INCONSISTENT  given twice, not for this class or key type, another class or key
 *                                type than the mechanism's, dates in the wrong order
 */
enum err template_build(const struct template_context *context,
                        const struct wire_template *template, struct attributes *set) MUST_CHECK;
/*
 * After the key material is in `set`: checks that what must be there is (ERROR_TEMPLATE_INCOMPLETE)
 * and consistent, sets CKA_CHECK_VALUE (AES: first 3 octets of ECB of zeros; others: SHA-1 of the
 * value), CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_KEY_GEN_MECHANISM,
 * CKA_MODULUS_BITS, CKA_VALUE_LEN, CKA_PUBLIC_KEY_INFO where they apply.
 */
struct crypto;
enum err template_complete(const struct template_context *context, struct crypto *crypto,
                           struct attributes *set) MUST_CHECK;
/*
 * C_CopyObject: `set`, whatever it held, becomes a copy of `from` with the template's differences.
 *
 *   ERROR_ATTRIBUTE_TYPE         the object has no such attribute
 *   ERROR_ATTRIBUTE_VALUE        wrong kind or length, no date
 *   ERROR_ATTRIBUTE_READ_ONLY    cannot be changed, or not in this direction (CKA_SENSITIVE only
 *                                up, CKA_EXTRACTABLE only down ...), or only by the SO: CKA_TRUSTED
 *                                and all else of an object that has it
 *   ERROR_TEMPLATE_INCONSISTENT  given twice, dates in the wrong order, a private object that is
 *                                to become public
 */
enum err template_copy(const struct object *from, const struct wire_template *template, bool so,
                       struct attributes *set) MUST_CHECK;
/* C_SetAttributeValue: likewise for a change in place, which CKA_TOKEN, CKA_PRIVATE and the like
 * cannot have. */
enum err template_modify(const struct object *from, const struct wire_template *template, bool so,
                         struct attributes *set) MUST_CHECK;
/*
 * C_GetAttributeValue of one type: fills `attribute` with the value or with kind unavailable and
 * the CKR (sensitive, type invalid). Answers what is not stored, too: empty values, and
 * CKA_UNIQUE_ID, whose value is borrowed from the thread until its next template_read; all others
 * are borrowed from the object.
 */
void template_read(const struct object *object, uint64_t type, struct wire_attribute *attribute);
/* Does the object match a search template? Every attribute must be readable and equal. Overwrites
 * the thread's CKA_UNIQUE_ID as template_read does. */
bool template_matches(const struct object *object, const struct wire_template *template);
/* Does the key match the wrapping key's CKA_WRAP_TEMPLATE, if it has one? Compared as in a search.
 */
bool template_permits_wrap(const struct object *wrapping_key, const struct object *key);

#endif
