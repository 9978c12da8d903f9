/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules, as data where they are a table. No locks, no clocks, no side effects: the caller
 * brings the facts.
 */
#include "policy.h"

#include <string.h>

/* One row per use: the flag the key needs, and whether a key past its end date may still do it (SP
 * 800-57 part 1, §5.3). */
static const struct {
	uint32_t usage;
	bool after_end;
} uses[POLICY_USES] = {
	[POLICY_ENCRYPT] = {USAGE_ENCRYPT, false},
	[POLICY_DECRYPT] = {USAGE_DECRYPT, true},
	[POLICY_SIGN] = {USAGE_SIGN, false},
	[POLICY_VERIFY] = {USAGE_VERIFY, true},
	[POLICY_SIGN_RECOVER] = {USAGE_SIGN_RECOVER, false},
	[POLICY_VERIFY_RECOVER] = {USAGE_VERIFY_RECOVER, true},
	[POLICY_WRAP] = {USAGE_WRAP, false},
	[POLICY_UNWRAP] = {USAGE_UNWRAP, true},
	[POLICY_DERIVE] = {USAGE_DERIVE, false},
	[POLICY_ENCAPSULATE] = {USAGE_ENCAPSULATE, false},
	[POLICY_DECAPSULATE] = {USAGE_DECAPSULATE, true},
};

/* Eight digits compare as text. */
static bool before(const char a[8], const char b[8])
{
	return memcmp(a, b, 8) < 0;
}

static enum err check_dates(const struct object *key, enum policy_use use, const char today[8])
{
	if (key->usage & USAGE_COMPROMISED)
		return ERROR_KEY_NOT_ACTIVE;
	if (key->start_date[0] && before(today, key->start_date))
		return ERROR_KEY_NOT_ACTIVE;
	if (key->end_date[0] && before(key->end_date, today) && !uses[use].after_end)
		return ERROR_KEY_NOT_ACTIVE;
	return ERROR_NONE;
}

enum err policy_use_key(const struct object *key, enum policy_use use,
                        const struct mechanism *mechanism, const char today[8], bool fips_only)
{
	if (fips_only && !mechanism->fips_approved)
		return ERROR_MECHANISM;
	if (!(key->usage & uses[use].usage) || (fips_only && key->unapproved))
		return ERROR_KEY_FUNCTION;
	if (!object_allows_mechanism(key, mechanism->type))
		return ERROR_MECHANISM;
	return check_dates(key, use, today);
}

bool policy_fips_approved(const struct mechanism *mechanism)
{
	return mechanism && mechanism->fips_approved;
}

bool policy_sees_private(enum login login)
{
	return login == LOGIN_USER;
}

enum err policy_write_object(bool session_read_write, enum login login, bool is_token,
                             bool is_private)
{
	if (is_private && !policy_sees_private(login))
		return ERROR_USER_NOT_LOGGED_IN;
	if (is_token && !session_read_write)
		return ERROR_SESSION_READ_ONLY;
	return ERROR_NONE;
}

enum err policy_wrap(const struct object *wrapping_key, const struct object *key)
{
	if (key->usage & USAGE_COMPROMISED)
		return ERROR_KEY_NOT_ACTIVE;
	if (!(key->usage & USAGE_EXTRACTABLE))
		return ERROR_KEY_UNEXTRACTABLE;
	if ((key->usage & USAGE_WRAP_WITH_TRUSTED) && !(wrapping_key->usage & USAGE_TRUSTED))
		return ERROR_KEY_NOT_WRAPPABLE;
	return ERROR_NONE;
}
