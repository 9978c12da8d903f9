/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy: may this be done now? Pure functions of the object, the mechanism, the login state and
 * the date; they read nothing else and change nothing.
 */
#ifndef AGENT_POLICY_H
#define AGENT_POLICY_H

#include "application.h"
#include "mechanism.h"
#include "object.h"

/* What a key is to be used for. */
enum policy_use {
	POLICY_ENCRYPT,
	POLICY_DECRYPT,
	POLICY_SIGN,
	POLICY_VERIFY,
	POLICY_SIGN_RECOVER,
	POLICY_VERIFY_RECOVER,
	POLICY_WRAP,
	POLICY_UNWRAP,
	POLICY_DERIVE,
	POLICY_ENCAPSULATE,
	POLICY_DECAPSULATE,
	POLICY_USES,
};

/*
 * Usage flag, CKA_ALLOWED_MECHANISMS, SP 800-57 state by date (before CKA_START_DATE nothing; after
 * CKA_END_DATE only verify, decrypt, unwrap, decapsulate; compromised nothing), and with fips_only
 * the approval of mechanism and key. `today` is YYYYMMDD.
 */
enum err policy_use_key(const struct object *key, enum policy_use use,
                        const struct mechanism *mechanism, const char today[8],
                        bool fips_only) MUST_CHECK;
/* Is the use of this key with this mechanism FIPS-approved? For the audit record. */
bool policy_fips_approved(const struct mechanism *mechanism);
/* May a session create, change or destroy an object of these properties? (PKCS#11 v2.40 §2.4 table
 * 6, §4.4) */
enum err policy_write_object(bool session_read_write, enum login login, bool is_token,
                             bool is_private) MUST_CHECK;
/* May `key` be wrapped by `wrapping_key`? */
enum err policy_wrap(const struct object *wrapping_key, const struct object *key) MUST_CHECK;
/* Does this login see private objects? */
bool policy_sees_private(enum login login);

#endif
