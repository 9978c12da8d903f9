/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Derivation through the library: a second key named in the parameter, data objects, passwords, and
 * what the audit log and FIPS mode make of unapproved keys. Known answers are for tests/unit.
 */
#include "api.h"

static CK_OBJECT_HANDLE import_secret(CK_SESSION_HANDLE session, const char *value, CK_BBOOL derive)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_OBJECT_HANDLE key = 0;
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_CLASS, class),
		ATTRIBUTE(CKA_KEY_TYPE, type),
		ATTRIBUTE(CKA_DERIVE, derive),
		ATTRIBUTE(CKA_SENSITIVE, no),
		ATTRIBUTE(CKA_EXTRACTABLE, yes),
		{CKA_VALUE, (void *)(uintptr_t)value, strlen(value)},
	};

	OK(p11->C_CreateObject(session, template, COUNT(template), &key));
	return key;
}

static void expect_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, const void *known,
                         CK_ULONG len)
{
	CK_BYTE value[128];
	CK_ATTRIBUTE attribute = {CKA_VALUE, value, sizeof(value)};

	OK(p11->C_GetAttributeValue(session, key, &attribute, 1));
	ASSERT_EQ(attribute.ulValueLen, len);
	ASSERT_MEMEQ(value, known, len);
}

TEST(second_key)
{
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE base = import_secret(session, "base", CK_TRUE);
	CK_OBJECT_HANDLE other = import_secret(session, "other", CK_TRUE);
	CK_OBJECT_HANDLE barred = import_secret(session, "barred", CK_FALSE), key;
	CK_MECHANISM join = {CKM_CONCATENATE_BASE_AND_KEY, &other, sizeof(other)};
	CK_BBOOL flag;
	CK_ATTRIBUTE template[] = {ATTRIBUTE(CKA_SENSITIVE, no), ATTRIBUTE(CKA_EXTRACTABLE, yes)};
	CK_ATTRIBUTE always = ATTRIBUTE(CKA_ALWAYS_SENSITIVE, flag);

	OK(p11->C_DeriveKey(session, &join, base, template, 2, &key));
	expect_value(session, key, "baseother", 9);
	OK(p11->C_GetAttributeValue(session, key, &always, 1));
	ASSERT_EQ(flag, CK_FALSE);
	other = barred;
	GIVES(p11->C_DeriveKey(session, &join, base, template, 2, &key),
	      CKR_KEY_FUNCTION_NOT_PERMITTED);
	other = 0x7ffffff0;
	GIVES(p11->C_DeriveKey(session, &join, base, template, 2, &key), CKR_KEY_HANDLE_INVALID);
	join.ulParameterLen = 1;
	GIVES(p11->C_DeriveKey(session, &join, base, template, 2, &key),
	      CKR_MECHANISM_PARAM_INVALID);
}

/* Octets of a sensitive key do not come out through a key that is not. */
TEST(sensitive_stays_sensitive)
{
	CK_SESSION_HANDLE session = api_user();
	CK_MECHANISM generate = {CKM_GENERIC_SECRET_KEY_GEN, NULL, 0};
	CK_KEY_DERIVATION_STRING_DATA data = {(CK_BYTE *)"data", 4};
	CK_MECHANISM join = {CKM_CONCATENATE_BASE_AND_DATA, &data, sizeof(data)};
	CK_ULONG len = 16;
	CK_OBJECT_HANDLE base, key;
	CK_ATTRIBUTE sensitive[] = {ATTRIBUTE(CKA_VALUE_LEN, len), ATTRIBUTE(CKA_DERIVE, yes)};
	CK_ATTRIBUTE open[] = {ATTRIBUTE(CKA_SENSITIVE, no), ATTRIBUTE(CKA_EXTRACTABLE, yes)};

	OK(p11->C_GenerateKey(session, &generate, sensitive, 2, &base));
	GIVES(p11->C_DeriveKey(session, &join, base, open, 2, &key), CKR_TEMPLATE_INCONSISTENT);
	GIVES(p11->C_DeriveKey(session, &join, base, open, 1, &key), CKR_TEMPLATE_INCONSISTENT);
	OK(p11->C_DeriveKey(session, &join, base, NULL, 0, &key));
}

TEST(hkdf_makes_data)
{
	struct {
		CK_BBOOL extract, expand;
		CK_ULONG hash, salt_type;
		CK_BYTE *salt;
		CK_ULONG salt_len, salt_key;
		CK_BYTE *info;
		CK_ULONG info_len;
	} params = {
		CK_TRUE, CK_TRUE,           CKM_SHA256, CKF_HKDF_SALT_DATA, (CK_BYTE *)"salt", 4,
		0,       (CK_BYTE *)"info", 4};
	/* Python: HKDF of "base" by hmac. */
	static const CK_BYTE known[] = {0x94, 0x68, 0x4c, 0x2e, 0x21, 0xe0, 0x45, 0xc4, 0x89, 0x27,
	                                0x44, 0x8b, 0x79, 0x55, 0x71, 0x10, 0x74, 0xe4, 0x14, 0xff,
	                                0x7c, 0x74, 0x5e, 0x29, 0xac, 0xc3, 0x9f, 0x92, 0xe1, 0x7a,
	                                0xcd, 0xb8, 0xa3, 0x03, 0x2e, 0x99, 0xa6, 0xe7, 0xd8, 0x3b};
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE base = import_secret(session, "base", CK_TRUE), made;
	CK_MECHANISM hkdf = {CKM_HKDF_DATA, &params, sizeof(params)};
	CK_OBJECT_CLASS class = CKO_DATA, secret = CKO_SECRET_KEY, got;
	CK_ULONG len = sizeof(known);
	CK_ATTRIBUTE template[] = {ATTRIBUTE(CKA_CLASS, class), ATTRIBUTE(CKA_VALUE_LEN, len)};
	CK_ATTRIBUTE wrong[] = {ATTRIBUTE(CKA_CLASS, secret), ATTRIBUTE(CKA_VALUE_LEN, len)};
	CK_ATTRIBUTE read[] = {ATTRIBUTE(CKA_CLASS, got), ATTRIBUTE(CKA_VALUE_LEN, len)};

	OK(p11->C_DeriveKey(session, &hkdf, base, template, 2, &made));
	expect_value(session, made, known, sizeof(known));
	OK(p11->C_GetAttributeValue(session, made, read, 1));
	ASSERT_EQ(got, CKO_DATA);
	GIVES(p11->C_GetAttributeValue(session, made, read, 2), CKR_ATTRIBUTE_TYPE_INVALID);
	len = sizeof(known);
	GIVES(p11->C_DeriveKey(session, &hkdf, base, wrong, 2, &made), CKR_TEMPLATE_INCONSISTENT);
	hkdf.mechanism = CKM_HKDF_DERIVE;
	GIVES(p11->C_DeriveKey(session, &hkdf, base, template, 2, &made),
	      CKR_TEMPLATE_INCONSISTENT);
	/* Data objects are not made with a length otherwise. */
	GIVES(p11->C_CreateObject(session, template, 2, &made), CKR_ATTRIBUTE_READ_ONLY);
}

TEST(password)
{
	struct {
		CK_ULONG source;
		void *salt;
		CK_ULONG salt_len, iterations, prf;
		void *prf_data;
		CK_ULONG prf_data_len;
		CK_BYTE *password;
		CK_ULONG password_len;
	} params = {CKZ_SALT_SPECIFIED,
	            (void *)(uintptr_t) "salt",
	            4,
	            2,
	            CKP_PKCS5_PBKD2_HMAC_SHA1,
	            NULL,
	            0,
	            (CK_BYTE *)"password",
	            8};
	static const CK_BYTE known[] = {0xea, 0x6c, 0x01, 0x4d, 0xc7, 0x2d, 0x6f, 0x8c, 0xcd, 0x1e,
	                                0xd9, 0x2a, 0xce, 0x1d, 0x41, 0xf0, 0xd8, 0xde, 0x89, 0x57};
	CK_MECHANISM pbkdf2 = {CKM_PKCS5_PBKD2, &params, sizeof(params)};
	CK_SESSION_HANDLE session = api_user();
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_ULONG len = sizeof(known), password_len = 8;
	CK_OBJECT_HANDLE key;
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_VALUE_LEN, len),
		ATTRIBUTE(CKA_SENSITIVE, no),
		ATTRIBUTE(CKA_EXTRACTABLE, yes),
		ATTRIBUTE(CKA_KEY_TYPE, type),
	};

	OK(p11->C_GenerateKey(session, &pbkdf2, template, 4, &key));
	expect_value(session, key, known, sizeof(known));
	params.password_len = (CK_ULONG)&password_len;
	OK(p11->C_GenerateKey(session, &pbkdf2, template, 4, &key));
	expect_value(session, key, known, sizeof(known));
	GIVES(p11->C_GenerateKey(session, &pbkdf2, template, 3, &key), CKR_TEMPLATE_INCOMPLETE);
}

static CK_BYTE x25519[] = {0x06, 0x03, 0x2b, 0x65, 0x6e};
static CK_BYTE secp256k1[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a};

static CK_RV make_pair(CK_SESSION_HANDLE session, CK_MECHANISM_TYPE type, CK_BYTE *params,
                       CK_ULONG len, CK_OBJECT_HANDLE keys[2])
{
	CK_MECHANISM mechanism = {type, NULL, 0};
	CK_ATTRIBUTE public_template[] = {{CKA_EC_PARAMS, params, len}};
	CK_ATTRIBUTE private_template[] = {ATTRIBUTE(CKA_DERIVE, yes)};

	return p11->C_GenerateKeyPair(session, &mechanism, public_template, 1, private_template, 1,
	                              &keys[0], &keys[1]);
}

/* Both sides of an agreement. */
TEST(x25519_agrees)
{
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE mine[2], theirs[2], key;
	CK_BYTE point[2][34], value[2][32];
	CK_ECDH1_DERIVE_PARAMS params = {.kdf = CKD_NULL};
	CK_MECHANISM ecdh = {CKM_ECDH1_DERIVE, &params, sizeof(params)};
	CK_ATTRIBUTE template[] = {ATTRIBUTE(CKA_SENSITIVE, no), ATTRIBUTE(CKA_EXTRACTABLE, yes)};

	OK(make_pair(session, CKM_EC_MONTGOMERY_KEY_PAIR_GEN, x25519, sizeof(x25519), mine));
	OK(make_pair(session, CKM_EC_MONTGOMERY_KEY_PAIR_GEN, x25519, sizeof(x25519), theirs));
	for (int i = 0; i < 2; i++) {
		CK_ATTRIBUTE read = ATTRIBUTE(CKA_EC_POINT, point[i]);

		OK(p11->C_GetAttributeValue(session, i ? theirs[0] : mine[0], &read, 1));
		ASSERT_EQ(read.ulValueLen, 34);
	}
	for (int i = 0; i < 2; i++) {
		CK_ATTRIBUTE read = ATTRIBUTE(CKA_VALUE, value[i]);

		params.pPublicData = point[!i];
		params.ulPublicDataLen = 34;
		OK(p11->C_DeriveKey(session, &ecdh, i ? theirs[1] : mine[1], template, 2, &key));
		OK(p11->C_GetAttributeValue(session, key, &read, 1));
	}
	ASSERT_MEMEQ(value[0], value[1], 32);
}

TEST(fips_mode_has_approved_curves)
{
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE keys[2];
	CK_MECHANISM_TYPE list[256];
	CK_ULONG count = COUNT(list);

	api_start_with("", "", "[algorithms]\nfips_approved_only = true\n");
	api_make_token();
	session = api_session(true);
	OK(api_login(session, CKU_USER, USER_PIN));
	OK(make_pair(session, CKM_EC_KEY_PAIR_GEN, api_p256, sizeof(api_p256), keys));
	GIVES(make_pair(session, CKM_EC_KEY_PAIR_GEN, secp256k1, sizeof(secp256k1), keys),
	      CKR_CURVE_NOT_SUPPORTED);
	GIVES(make_pair(session, CKM_EC_MONTGOMERY_KEY_PAIR_GEN, x25519, sizeof(x25519), keys),
	      CKR_MECHANISM_INVALID);
	OK(p11->C_GetMechanismList(0, list, &count));
	for (CK_ULONG i = 0; i < count; i++)
		ASSERT_TRUE(list[i] != CKM_CHACHA20_POLY1305 &&
		            list[i] != CKM_EXTRACT_KEY_FROM_KEY);
}

HARNESS_MAIN
