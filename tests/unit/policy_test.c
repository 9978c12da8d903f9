/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy, swept: every use against every usage flag, date, state and mechanism, compared with the
 * rules as the specifications say them, written down a second time.
 */
#include "harness.h"

#include "policy.h"
#include "slots.h"
#include "wire/codec.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char today[8] = {'2', '0', '2', '6', '0', '6', '1', '5'};

/* SP 800-57 part 1 §5.3: what protects ends with the period, what processes may go on. */
static const struct {
	const char *name;
	enum policy_use use;
	uint32_t usage;
	bool processes;
} uses[] = {
	{"encrypt", POLICY_ENCRYPT, USAGE_ENCRYPT, false},
	{"decrypt", POLICY_DECRYPT, USAGE_DECRYPT, true},
	{"sign", POLICY_SIGN, USAGE_SIGN, false},
	{"verify", POLICY_VERIFY, USAGE_VERIFY, true},
	{"sign recover", POLICY_SIGN_RECOVER, USAGE_SIGN_RECOVER, false},
	{"verify recover", POLICY_VERIFY_RECOVER, USAGE_VERIFY_RECOVER, true},
	{"wrap", POLICY_WRAP, USAGE_WRAP, false},
	{"unwrap", POLICY_UNWRAP, USAGE_UNWRAP, true},
	{"derive", POLICY_DERIVE, USAGE_DERIVE, false},
	{"encapsulate", POLICY_ENCAPSULATE, USAGE_ENCAPSULATE, false},
	{"decapsulate", POLICY_DECAPSULATE, USAGE_DECAPSULATE, true},
};

/* Pairs of dates, "" for none, and the state they make. */
enum period { BEFORE, WITHIN, AFTER };

static const struct {
	const char *start, *end;
	enum period period;
} dates[] = {
	{"", "", WITHIN},
	{"20260615", "", WITHIN}, /* begins today */
	{"", "20260615", WITHIN}, /* ends today */
	{"20260615", "20260615", WITHIN},
	{"20260616", "", BEFORE},
	{"20260616", "20270101", BEFORE},
	{"20260701", "", BEFORE},
	{"20270101", "", BEFORE},
	{"20260614", "", WITHIN},
	{"20250701", "", WITHIN},
	{"", "20260614", AFTER},
	{"", "20251231", AFTER},
	{"20200101", "20260531", AFTER},
	{"", "20260616", WITHIN},
	{"", "99991231", WITHIN},
	{"00010101", "", WITHIN},
	{"20260616", "20260614", BEFORE}, /* nonsense: the stricter one counts */
};

static struct mechanism mechanism_of(uint64_t type, bool approved)
{
	return (struct mechanism){.type = type, .fips_approved = approved};
}

static void set_date(char to[8], const char *from)
{
	memset(to, 0, 8);
	memcpy(to, from, strlen(from));
}

static bool allowed_by_period(size_t use, enum period period, bool compromised)
{
	if (compromised || period == BEFORE)
		return false;
	return period == WITHIN || uses[use].processes;
}

/* The flags of those uses whose bits are set. */
static uint32_t flags_of(uint32_t mask)
{
	uint32_t flags = 0;

	for (size_t use = 0; use < COUNT(uses); use++)
		flags |= mask >> use & 1 ? uses[use].usage : 0;
	return flags;
}

/* All but the allowed mechanisms: 9 uses, 2^9 flags, every pair of dates, compromised, approval. */
TEST(sweep)
{
	const uint32_t masks = 1u << COUNT(uses);
	unsigned int cases = 0;

	for (uint32_t bits = 0; bits < COUNT(uses) * masks * COUNT(dates) * 8; bits++) {
		uint32_t rest = bits;
		bool compromised = rest & 1, approved = rest & 2, fips_only = rest & 4;
		size_t use = (rest >>= 3) % COUNT(uses);
		uint32_t flags = flags_of((rest /= COUNT(uses)) % masks);
		size_t date = rest / masks;
		struct mechanism mechanism = mechanism_of(CKM_AES_GCM, approved);
		struct object key = {.usage = flags | (compromised ? USAGE_COMPROMISED : 0)};
		enum err wanted = ERROR_NONE, got;

		set_date(key.start_date, dates[date].start);
		set_date(key.end_date, dates[date].end);
		if (fips_only && !approved)
			wanted = ERROR_MECHANISM;
		else if (!(flags & uses[use].usage))
			wanted = ERROR_KEY_FUNCTION;
		else if (!allowed_by_period(use, dates[date].period, compromised))
			wanted = ERROR_KEY_NOT_ACTIVE;
		got = policy_use_key(&key, uses[use].use, &mechanism, today, fips_only);
		if (got != wanted)
			printf("# %s, flags %02x, dates \"%s\" \"%s\", compromised %d, approved "
			       "%d, "
			       "fips %d\n",
			       uses[use].name, flags, dates[date].start, dates[date].end,
			       compromised, approved, fips_only);
		ASSERT_EQ(got, wanted);
		cases++;
	}
	printf("# %u cases\n", cases);
}

/* Flags that are not usages permit nothing. */
TEST(other_flags_permit_nothing)
{
	struct mechanism mechanism = mechanism_of(CKM_AES_GCM, true);
	struct object key = {.usage = ~(uint32_t)USAGE_COMPROMISED};

	for (size_t use = 0; use < COUNT(uses); use++)
		key.usage &= ~uses[use].usage;

	for (size_t use = 0; use < COUNT(uses); use++)
		EXPECT_EQ(policy_use_key(&key, uses[use].use, &mechanism, today, false),
		          ERROR_KEY_FUNCTION);
}

TEST(every_use_is_in_the_table)
{
	ASSERT_EQ(COUNT(uses), POLICY_USES);
	for (size_t use = 0; use < COUNT(uses); use++)
		ASSERT_EQ(uses[use].use, use);
}

/* A key with CKA_ALLOWED_MECHANISMS; the caller puts it. */
static struct object *restricted_key(const uint64_t *types, uint32_t count)
{
	struct wire_attribute allowed = {.type = CKA_ALLOWED_MECHANISMS,
	                                 .kind = WIRE_ATTRIBUTE_MECHANISMS};
	struct attributes attributes;
	struct object *key = NULL;
	uint8_t octets[64];

	for (uint32_t i = 0; i < count; i++)
		wire_store_u64(octets + 8 * i, types[i]);
	allowed.value = (struct wire_bytes){octets, 8 * count};
	attributes_init(&attributes);
	ASSERT_EQ(attributes_set_number(&attributes, CKA_CLASS, CKO_SECRET_KEY), ERROR_NONE);
	ASSERT_EQ(attributes_set_number(&attributes, CKA_KEY_TYPE, CKK_AES), ERROR_NONE);
	ASSERT_EQ(attributes_set_flag(&attributes, CKA_SIGN, true), ERROR_NONE);
	ASSERT_EQ(attributes_set(&attributes, &allowed), ERROR_NONE);
	ASSERT_EQ(object_new(&attributes, &key), ERROR_NONE);
	return key;
}

TEST(allowed_mechanisms)
{
	static const uint64_t types[] = {CKM_AES_GCM, CKM_SHA256_HMAC, 1ull << 40};
	struct mechanism gcm = mechanism_of(CKM_AES_GCM, true);
	struct mechanism hmac = mechanism_of(CKM_SHA256_HMAC, true);
	struct mechanism cbc = mechanism_of(CKM_AES_CBC, true);
	struct object *key;
	char error[256];

	ASSERT_EQ(slots_open(SLOTS_AUTO, error, sizeof(error)), 0); /* where attributes live */
	for (uint32_t count = 0; count <= COUNT(types); count++) {
		key = restricted_key(types, count);
		EXPECT_EQ(policy_use_key(key, POLICY_SIGN, &gcm, today, false), ERROR_NONE);
		EXPECT_EQ(policy_use_key(key, POLICY_SIGN, &hmac, today, false),
		          count == 1 ? ERROR_MECHANISM : ERROR_NONE);
		EXPECT_EQ(policy_use_key(key, POLICY_SIGN, &cbc, today, false),
		          count ? ERROR_MECHANISM : ERROR_NONE);
		/* The usage is asked first. */
		EXPECT_EQ(policy_use_key(key, POLICY_WRAP, &cbc, today, false), ERROR_KEY_FUNCTION);
		object_put(key);
	}
}

TEST(fips_approved)
{
	struct mechanism yes = mechanism_of(1, true), no = mechanism_of(1, false);

	EXPECT_TRUE(policy_fips_approved(&yes));
	EXPECT_FALSE(policy_fips_approved(&no));
	EXPECT_FALSE(policy_fips_approved(NULL));
}

TEST(sees_private)
{
	EXPECT_FALSE(policy_sees_private(LOGIN_NONE));
	EXPECT_TRUE(policy_sees_private(LOGIN_USER));
	EXPECT_FALSE(policy_sees_private(LOGIN_SO));
}

/* PKCS#11 v2.40 §2.4 table 6 (access to objects), for writing. */
TEST(write_object)
{
	static const struct {
		bool read_write;
		enum login login;
		/* public session, private session, public token, private token */
		enum err wanted[4];
	} rows[] = {
		{false,
	         LOGIN_NONE,
	         {ERROR_NONE, ERROR_USER_NOT_LOGGED_IN, ERROR_SESSION_READ_ONLY,
	          ERROR_USER_NOT_LOGGED_IN}},
		{true,
	         LOGIN_NONE,
	         {ERROR_NONE, ERROR_USER_NOT_LOGGED_IN, ERROR_NONE, ERROR_USER_NOT_LOGGED_IN}},
		{false,
	         LOGIN_USER,
	         {ERROR_NONE, ERROR_NONE, ERROR_SESSION_READ_ONLY, ERROR_SESSION_READ_ONLY}},
		{true, LOGIN_USER, {ERROR_NONE, ERROR_NONE, ERROR_NONE, ERROR_NONE}},
		{true,
	         LOGIN_SO,
	         {ERROR_NONE, ERROR_USER_NOT_LOGGED_IN, ERROR_NONE, ERROR_USER_NOT_LOGGED_IN}},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		for (int kind = 0; kind < 4; kind++)
			EXPECT_EQ(policy_write_object(rows[i].read_write, rows[i].login, kind & 2,
			                              kind & 1),
			          rows[i].wanted[kind]);
	}
}

TEST(wrap)
{
	for (int bits = 0; bits < 8; bits++) {
		bool extractable = bits & 1, with_trusted = bits & 2, trusted = bits & 4;
		struct object key = {.usage = (extractable ? USAGE_EXTRACTABLE : 0) |
		                              (with_trusted ? USAGE_WRAP_WITH_TRUSTED : 0) |
		                              USAGE_SENSITIVE | USAGE_TRUSTED};
		struct object wrapping = {.usage = (trusted ? USAGE_TRUSTED : 0) | USAGE_WRAP |
		                                   USAGE_EXTRACTABLE};
		enum err wanted = ERROR_NONE;

		if (!extractable)
			wanted = ERROR_KEY_UNEXTRACTABLE;
		else if (with_trusted && !trusted)
			wanted = ERROR_KEY_NOT_WRAPPABLE;
		EXPECT_EQ(policy_wrap(&wrapping, &key), wanted);
	}
}

HARNESS_MAIN
