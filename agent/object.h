/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An object: immutable once it is published, so that readers need no lock. Changing one means
 * publishing a successor with the same handle (token_replace_object); operations that hold the old
 * one finish with it.
 */
#ifndef AGENT_OBJECT_H
#define AGENT_OBJECT_H

#include <openssl/types.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "attributes.h"
#include "error.h"

#define OBJECT_UID_LEN 16u
/* Handles of private objects have this bit, all others do not. */
#define OBJECT_HANDLE_PRIVATE 0x80000000u

/* How many contexts of OpenSSL a key keeps for each side of its use (crypto_kept.h). */
#define OBJECT_KEPT 2u

struct application;
struct crypto_kept;

/* Usage flags cached from the attributes, so that policy is a few bit tests. */
enum object_usage {
	USAGE_ENCRYPT = 1u << 0,
	USAGE_DECRYPT = 1u << 1,
	USAGE_SIGN = 1u << 2,
	USAGE_VERIFY = 1u << 3,
	USAGE_WRAP = 1u << 4,
	USAGE_UNWRAP = 1u << 5,
	USAGE_DERIVE = 1u << 6,
	USAGE_SENSITIVE = 1u << 7,
	USAGE_EXTRACTABLE = 1u << 8,
	USAGE_MODIFIABLE = 1u << 9,
	USAGE_COPYABLE = 1u << 10,
	USAGE_DESTROYABLE = 1u << 11,
	USAGE_ALWAYS_AUTHENTICATE = 1u << 12,
	USAGE_WRAP_WITH_TRUSTED = 1u << 13,
	USAGE_TRUSTED = 1u << 14,
	USAGE_COMPROMISED = 1u << 15, /* set by the operator: no use at all */
	USAGE_ENCAPSULATE = 1u << 16,
	USAGE_DECAPSULATE = 1u << 17,
	USAGE_SIGN_RECOVER = 1u << 18,
	USAGE_VERIFY_RECOVER = 1u << 19,
};

struct object {
	atomic_uint references;
	uint32_t handle; /* 0 until one is given */
	uint8_t uid[OBJECT_UID_LEN];
	uint64_t revision; /* counts replacements of a token object */
	bool is_token;     /* CKA_TOKEN */
	bool is_private;   /* CKA_PRIVATE */
	/* Session objects: who sees it, and with which session it dies. Compared, never followed.
	 */
	const struct application *application;
	uint32_t session_handle;
	/* Cached from the attributes. */
	uint64_t object_class;
	uint64_t key_type;               /* CK_UNAVAILABLE_INFORMATION when there is none */
	_Atomic uint32_t usage;          /* USAGE_COMPROMISED may come later, from a successor */
	char start_date[8], end_date[8]; /* YYYYMMDD, first octet 0 when absent */
	bool has_allowed_mechanisms;
	bool unapproved; /* no FIPS-approved use: its curve, its type or its size */
	struct attributes attributes;
	/* The key as OpenSSL wants it, made at first use by crypto_key.h and shared by successors
	 * with the same key. */
	_Atomic(EVP_PKEY *) pkey;
	_Atomic(struct crypto_kept *) kept[2]
					  [OBJECT_KEPT]; /* encrypting and signing; the reverse */
};

/* A fresh object that takes over the attributes (the set is left empty) and fills the caches. One
 * reference. */
enum err object_new(struct attributes *attributes, struct object **object) MUST_CHECK;
struct object *object_get(struct object *object);
/* Drops a reference; the last one wipes and frees. NULL is allowed. */
void object_put(struct object *object);
/* For __attribute__((cleanup)). */
void object_putp(struct object **object);
#define object_auto __attribute__((cleanup(object_putp))) struct object *
/* Does a set describe a key that has no FIPS-approved use: by its curve, its type or its size? */
bool object_unapproved(const struct attributes *attributes);
/* True when CKA_ALLOWED_MECHANISMS is absent, empty or names the mechanism. */
bool object_allows_mechanism(const struct object *object, uint64_t mechanism);

#endif
