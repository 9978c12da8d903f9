/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mechanism table: for every mechanism what it is. Key type and sizes, the functions it may be
 * used for, the parameter's shape, FIPS status and the code that implements it. C_GetMechanismList,
 * C_GetMechanismInfo, every Init, the audit log's fips_approved and the tests read this table and
 * nothing else.
 */
#ifndef AGENT_MECHANISM_H
#define AGENT_MECHANISM_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto.h"
#include "wire/codec.h"

struct operation_methods; /* operation.h: encrypt, decrypt, sign, verify, digest */
struct key_methods;       /* keygen.h: generate, derive */
struct config;

/* What must be so for a row to be offered. The configuration switches between rows of one type;
 * the first that is offered counts. */
enum mechanism_needs {
	NEEDS_WEAK_RSA = 1u << 0,     /* [algorithms].allow_weak_rsa */
	NEEDS_SHA1_SIGNING = 1u << 1, /* [algorithms].allow_sha1_signing */
	NEEDS_RAW_RSA = 1u << 2,      /* [algorithms].allow_raw_rsa */
	NEEDS_PQC = 1u << 4,          /* [algorithms].enable_pqc, and OpenSSL's */
	NEEDS_FIPS_OFF = 1u << 3,     /* without [algorithms].fips_approved_only */
};

#define MECHANISM_ANY_SECRET (CK_UNAVAILABLE_INFORMATION - 1)

struct mechanism {
	uint64_t type;           /* CKM_* */
	uint64_t key_type;       /* CKK_* of the key it uses or makes; CK_UNAVAILABLE_INFORMATION
	                            for digests, MECHANISM_ANY_SECRET for all secret keys */
	uint64_t other_key_type; /* a second one it may use, or CK_UNAVAILABLE_INFORMATION */
	uint64_t functions;      /* CKF_DIGEST, CKF_SIGN ... as in C_GetMechanismInfo */
	uint64_t ec_flags;       /* CKF_EC_* shown besides */
	uint32_t min_key;        /* AES: octets; all others: bits; 0 for digests */
	uint32_t max_key;
	uint32_t needs; /* enum mechanism_needs */
	bool fips_approved;
	bool padding;              /* PKCS#7 padding, ciphers only */
	bool slow;                 /* an operation takes more than about a millisecond */
	enum crypto_digest digest; /* hash inside, or DIGEST_NONE */
	enum crypto_cipher cipher; /* meaningful for ciphers only */
	const struct operation_methods *encryption; /* encrypt, decrypt, wrap, unwrap; or NULL */
	const struct operation_methods *operation;  /* digest, sign, verify; or NULL */
	const struct key_methods *key;              /* generate, derive; or NULL */
};

/* The row, or NULL when the mechanism is unknown or switched off (algorithm missing in OpenSSL,
 * policy). */
const struct mechanism *mechanism_find(const struct crypto *crypto, const struct config *config,
                                       uint64_t type);
/* Calls `each` for every offered mechanism, in table order. */
void mechanism_each(const struct crypto *crypto, const struct config *config,
                    void (*each)(void *context, const struct mechanism *mechanism), void *context);
/* Upper bound of what mechanism_each calls. */
size_t mechanism_count(void);
/* Every row, offered or not, ascending by type: for tests. NULL at and past mechanism_count(). */
const struct mechanism *mechanism_row(size_t index);

/* CKM_SHA* and CKG_MGF1_* as parameters name them; DIGEST_NONE when unknown. */
enum crypto_digest mechanism_digest(uint64_t hash);
enum crypto_digest mechanism_mgf(uint64_t mgf);

#endif
