/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects through the library: creation, visibility, attributes, search, and the dates of keys
 * (B12).
 */
#include "api.h"

#define PROFILES 3u

static CK_OBJECT_CLASS data_class = CKO_DATA, secret_class = CKO_SECRET_KEY;

static CK_OBJECT_HANDLE data_object(CK_SESSION_HANDLE session, CK_BBOOL token, CK_BBOOL private,
                                    const char *label)
{
	CK_OBJECT_HANDLE object = 0;
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_CLASS, data_class),
		ATTRIBUTE(CKA_TOKEN, token),
		ATTRIBUTE(CKA_PRIVATE, private),
		{CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
		{CKA_VALUE, (void *)(uintptr_t) "some octets", 11},
	};

	OK(p11->C_CreateObject(session, template, COUNT(template), &object));
	return object;
}

TEST(create_read_destroy)
{
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE object = data_object(session, CK_TRUE, CK_TRUE, "a data object");
	CK_BYTE value[32];
	CK_ATTRIBUTE template = {CKA_VALUE, NULL, 0};
	CK_ULONG size = 0;

	OK(p11->C_GetAttributeValue(session, object, &template, 1));
	ASSERT_EQ(template.ulValueLen, 11);
	template.pValue = value;
	template.ulValueLen = 10;
	GIVES(p11->C_GetAttributeValue(session, object, &template, 1), CKR_BUFFER_TOO_SMALL);
	ASSERT_EQ(template.ulValueLen, CK_UNAVAILABLE_INFORMATION);
	template.ulValueLen = sizeof(value);
	OK(p11->C_GetAttributeValue(session, object, &template, 1));
	ASSERT_EQ(template.ulValueLen, 11);
	ASSERT_MEMEQ(value, "some octets", 11);
	OK(p11->C_GetObjectSize(session, object, &size));
	ASSERT_GT(size, 11);
	OK(p11->C_DestroyObject(session, object));
	GIVES(p11->C_DestroyObject(session, object), CKR_OBJECT_HANDLE_INVALID);
	ASSERT_EQ(api_count_label(session, "a data object"), 0);
}

TEST(private_objects_need_a_login)
{
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE object = data_object(session, CK_TRUE, CK_TRUE, "private");
	CK_ATTRIBUTE template[] = {ATTRIBUTE(CKA_CLASS, data_class), ATTRIBUTE(CKA_PRIVATE, yes)};

	data_object(session, CK_TRUE, CK_FALSE, "public");
	OK(p11->C_Logout(session));
	ASSERT_EQ(api_count_label(session, "private"), 0);
	ASSERT_EQ(api_count_label(session, "public"), 1);
	GIVES(p11->C_DestroyObject(session, object), CKR_OBJECT_HANDLE_INVALID);
	GIVES(p11->C_CreateObject(session, template, COUNT(template), &object),
	      CKR_USER_NOT_LOGGED_IN);
	OK(api_login(session, CKU_SO, SO_PIN));
	ASSERT_EQ(api_count_label(session, "private"), 0);
	OK(p11->C_Logout(session));
	OK(api_login(session, CKU_USER, USER_PIN));
	ASSERT_EQ(api_count_label(session, "private"), 1);
}

TEST(read_only_session)
{
	CK_SESSION_HANDLE session = api_user(), read_only = api_session(false);
	CK_OBJECT_HANDLE object = data_object(session, CK_TRUE, CK_TRUE, "stays"), other;
	CK_ATTRIBUTE template[] = {ATTRIBUTE(CKA_CLASS, data_class), ATTRIBUTE(CKA_TOKEN, yes)};

	GIVES(p11->C_DestroyObject(read_only, object), CKR_SESSION_READ_ONLY);
	GIVES(p11->C_CreateObject(read_only, template, COUNT(template), &other),
	      CKR_SESSION_READ_ONLY);
	data_object(read_only, CK_FALSE, CK_TRUE, "session object");
	ASSERT_EQ(api_count_label(session, "session object"), 1);
	OK(p11->C_CloseSession(read_only));
	ASSERT_EQ(api_count_label(session, "session object"), 0);
	ASSERT_EQ(api_count_label(session, "stays"), 1);
}

TEST(sensitive_values_stay)
{
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE key = api_aes_key(session, false, "sealed"), object;
	CK_BYTE value[32];
	CK_BBOOL sensitive = CK_FALSE, extractable = CK_TRUE;
	CK_ATTRIBUTE read[] = {
		{CKA_VALUE, value, sizeof(value)},
		ATTRIBUTE(CKA_SENSITIVE, sensitive),
		{CKA_MODULUS, value, sizeof(value)},
		ATTRIBUTE(CKA_EXTRACTABLE, extractable),
	};
	CK_ATTRIBUTE lower = ATTRIBUTE(CKA_SENSITIVE, no), raise = ATTRIBUTE(CKA_EXTRACTABLE, yes);
	CK_RV rv;

	rv = p11->C_GetAttributeValue(session, key, read, COUNT(read));
	ASSERT_TRUE(rv == CKR_ATTRIBUTE_SENSITIVE || rv == CKR_ATTRIBUTE_TYPE_INVALID);
	ASSERT_EQ(read[0].ulValueLen, CK_UNAVAILABLE_INFORMATION);
	ASSERT_EQ(read[1].ulValueLen, 1);
	ASSERT_EQ(sensitive, CK_TRUE);
	ASSERT_EQ(read[2].ulValueLen, CK_UNAVAILABLE_INFORMATION);
	ASSERT_EQ(extractable, CK_FALSE);
	GIVES(p11->C_SetAttributeValue(session, key, &lower, 1), CKR_ATTRIBUTE_READ_ONLY);
	GIVES(p11->C_SetAttributeValue(session, key, &raise, 1), CKR_ATTRIBUTE_READ_ONLY);
	GIVES(p11->C_CopyObject(session, key, &lower, 1, &object), CKR_ATTRIBUTE_READ_ONLY);
}

TEST(change_and_copy)
{
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE key = api_aes_key(session, true, "before"), copy = 0;
	CK_ATTRIBUTE label = {CKA_LABEL, (void *)(uintptr_t) "after", 5};
	CK_ATTRIBUTE session_object = ATTRIBUTE(CKA_TOKEN, no);
	CK_KEY_TYPE rsa = CKK_RSA;
	CK_ATTRIBUTE type = ATTRIBUTE(CKA_KEY_TYPE, rsa);

	OK(p11->C_SetAttributeValue(session, key, &label, 1));
	ASSERT_EQ(api_count_label(session, "before"), 0);
	ASSERT_EQ(api_count_label(session, "after"), 1);
	GIVES(p11->C_SetAttributeValue(session, key, &type, 1), CKR_ATTRIBUTE_READ_ONLY);
	OK(p11->C_CopyObject(session, key, &session_object, 1, &copy));
	ASSERT_NE(copy, key);
	ASSERT_EQ(api_count_label(session, "after"), 2);
	OK(p11->C_DestroyObject(session, key));
	ASSERT_EQ(api_count_label(session, "after"), 1);
}

TEST(search_rules)
{
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE found[4];
	CK_ULONG count;
	CK_ATTRIBUTE class = ATTRIBUTE(CKA_CLASS, secret_class);

	for (int i = 0; i < 3; i++)
		api_aes_key(session, i == 0, "searched");
	OK(p11->C_FindObjectsInit(session, &class, 1));
	GIVES(p11->C_FindObjectsInit(session, &class, 1), CKR_OPERATION_ACTIVE);
	OK(p11->C_FindObjects(session, found, 2, &count));
	ASSERT_EQ(count, 2);
	OK(p11->C_FindObjects(session, found, 2, &count));
	ASSERT_EQ(count, 1);
	OK(p11->C_FindObjects(session, found, 2, &count));
	ASSERT_EQ(count, 0);
	OK(p11->C_FindObjectsFinal(session));
	GIVES(p11->C_FindObjects(session, found, 2, &count), CKR_OPERATION_NOT_INITIALIZED);
	GIVES(p11->C_FindObjectsFinal(session), CKR_OPERATION_NOT_INITIALIZED);
	ASSERT_EQ(api_count(session, NULL, 0), 3 + PROFILES);
}

TEST(template_errors)
{
	CK_SESSION_HANDLE session = api_user();
	CK_KEY_TYPE aes = CKK_AES;
	CK_BYTE value[5] = {0};
	CK_OBJECT_HANDLE object;
	CK_ATTRIBUTE no_class[] = {ATTRIBUTE(CKA_TOKEN, no)};
	CK_ATTRIBUTE no_type[] = {ATTRIBUTE(CKA_CLASS, secret_class), ATTRIBUTE(CKA_VALUE, value)};
	CK_ATTRIBUTE bad_len[] = {ATTRIBUTE(CKA_CLASS, secret_class), {CKA_KEY_TYPE, &aes, 3}};
	CK_ATTRIBUTE wrong_value[] = {ATTRIBUTE(CKA_CLASS, secret_class),
	                              ATTRIBUTE(CKA_KEY_TYPE, aes), ATTRIBUTE(CKA_VALUE, value)};

	GIVES(p11->C_CreateObject(session, no_class, COUNT(no_class), &object),
	      CKR_TEMPLATE_INCOMPLETE);
	GIVES(p11->C_CreateObject(session, no_type, COUNT(no_type), &object),
	      CKR_TEMPLATE_INCOMPLETE);
	GIVES(p11->C_CreateObject(session, bad_len, COUNT(bad_len), &object),
	      CKR_ATTRIBUTE_VALUE_INVALID);
	ASSERT_NE(p11->C_CreateObject(session, wrong_value, COUNT(wrong_value), &object), CKR_OK);
	GIVES(p11->C_CreateObject(session, NULL, 2, &object), CKR_ARGUMENTS_BAD);
}

/* The date `days` from now, as CK_DATE wants it. */
static CK_DATE date_from_now(int days)
{
	time_t then = time(NULL) + (time_t)days * 86400;
	char text[9];
	struct tm utc;
	CK_DATE date;

	gmtime_r(&then, &utc);
	strftime(text, sizeof(text), "%Y%m%d", &utc);
	memcpy(&date, text, sizeof(date));
	return date;
}

static CK_OBJECT_HANDLE dated_key(CK_SESSION_HANDLE session, int start, int end)
{
	CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
	CK_DATE start_date = date_from_now(start), end_date = date_from_now(end);
	CK_ULONG len = 32;
	CK_OBJECT_HANDLE key = 0;
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_VALUE_LEN, len),     ATTRIBUTE(CKA_ENCRYPT, yes),
		ATTRIBUTE(CKA_DECRYPT, yes),       ATTRIBUTE(CKA_START_DATE, start_date),
		ATTRIBUTE(CKA_END_DATE, end_date),
	};

	OK(p11->C_GenerateKey(session, &mechanism, template, COUNT(template), &key));
	return key;
}

/* B12: before its start a key does nothing, after its end it only undoes. */
TEST(key_dates)
{
	CK_BYTE iv[16] = {0}, in[16] = {0}, out[16];
	CK_MECHANISM cbc = {CKM_AES_CBC, iv, sizeof(iv)};
	CK_SESSION_HANDLE session = api_user();
	CK_ULONG len = sizeof(out);
	CK_OBJECT_HANDLE future = dated_key(session, 2, 9), past = dated_key(session, -9, -2);
	CK_OBJECT_HANDLE present = dated_key(session, -2, 2);

	GIVES(p11->C_EncryptInit(session, &cbc, future), CKR_KEY_FUNCTION_NOT_PERMITTED);
	GIVES(p11->C_DecryptInit(session, &cbc, future), CKR_KEY_FUNCTION_NOT_PERMITTED);
	GIVES(p11->C_EncryptInit(session, &cbc, past), CKR_KEY_FUNCTION_NOT_PERMITTED);
	OK(p11->C_DecryptInit(session, &cbc, past));
	OK(p11->C_Decrypt(session, in, sizeof(in), out, &len));
	OK(p11->C_EncryptInit(session, &cbc, present));
	OK(p11->C_Encrypt(session, in, sizeof(in), out, &len));
}

/* B12: what the operator calls compromised does nothing any more, also in the middle of an
 * operation, and no client takes it back; not even a key that cannot be changed escapes. */
TEST(compromised_keys)
{
	CK_SESSION_HANDLE session = api_user();
	CK_BYTE iv[16] = {0}, in[16] = {0}, out[48], value[16] = {7};
	CK_MECHANISM cbc = {CKM_AES_CBC, iv, sizeof(iv)}, wrap = {CKM_AES_KEY_WRAP, NULL, 0},
		     sha = {CKM_SHA256, NULL, 0};
	CK_KEY_TYPE aes = CKK_AES;
	CK_BBOOL flag = CK_TRUE;
	CK_ATTRIBUTE compromised = ATTRIBUTE(CKA_CRATON_COMPROMISED, yes),
		     clean = ATTRIBUTE(CKA_CRATON_COMPROMISED, no);
	CK_ATTRIBUTE read = ATTRIBUTE(CKA_CRATON_COMPROMISED, flag),
		     relabel[] = {compromised, {CKA_LABEL, value, 1}};
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_CLASS, secret_class), ATTRIBUTE(CKA_KEY_TYPE, aes),
		ATTRIBUTE(CKA_VALUE, value),        ATTRIBUTE(CKA_TOKEN, yes),
		ATTRIBUTE(CKA_MODIFIABLE, no),      ATTRIBUTE(CKA_WRAP, yes),
		ATTRIBUTE(CKA_UNWRAP, yes),         ATTRIBUTE(CKA_EXTRACTABLE, yes),
		ATTRIBUTE(CKA_SENSITIVE, no),
	};
	CK_OBJECT_HANDLE key, good, copy;
	CK_ULONG len = sizeof(out);

	OK(p11->C_CreateObject(session, template, COUNT(template), &key));
	OK(p11->C_CreateObject(session, template, COUNT(template), &good));
	OK(p11->C_GetAttributeValue(session, key, &read, 1));
	ASSERT_EQ(flag, CK_FALSE);
	OK(p11->C_EncryptInit(session, &cbc, key));
	GIVES(p11->C_SetAttributeValue(session, key, relabel, COUNT(relabel)),
	      CKR_ACTION_PROHIBITED);
	OK(p11->C_SetAttributeValue(session, key, &compromised, 1));
	OK(p11->C_SetAttributeValue(session, key, &compromised, 1));
	GIVES(p11->C_SetAttributeValue(session, key, &clean, 1), CKR_ATTRIBUTE_READ_ONLY);
	OK(p11->C_GetAttributeValue(session, key, &read, 1));
	ASSERT_EQ(flag, CK_TRUE);

	GIVES(p11->C_EncryptInit(session, &cbc, key), CKR_OPERATION_ACTIVE);
	GIVES(p11->C_Encrypt(session, in, sizeof(in), out, &len), CKR_KEY_FUNCTION_NOT_PERMITTED);
	GIVES(p11->C_EncryptInit(session, &cbc, key), CKR_KEY_FUNCTION_NOT_PERMITTED);
	GIVES(p11->C_DecryptInit(session, &cbc, key), CKR_KEY_FUNCTION_NOT_PERMITTED);
	len = sizeof(out);
	GIVES(p11->C_WrapKey(session, &wrap, key, good, out, &len), CKR_KEY_FUNCTION_NOT_PERMITTED);
	GIVES(p11->C_WrapKey(session, &wrap, good, key, out, &len), CKR_KEY_FUNCTION_NOT_PERMITTED);
	OK(p11->C_DigestInit(session, &sha));
	GIVES(p11->C_DigestKey(session, key), CKR_KEY_INDIGESTIBLE);
	OK(p11->C_CopyObject(session, key, NULL, 0, &copy));
	GIVES(p11->C_EncryptInit(session, &cbc, copy), CKR_KEY_FUNCTION_NOT_PERMITTED);
	OK(p11->C_EncryptInit(session, &cbc, good));
}

/* v3.0 §4.13: everybody sees them, nobody changes them, and they are the same after a restart. */
TEST(profiles)
{
	CK_OBJECT_CLASS class = CKO_PROFILE;
	CK_ULONG id = 0,
		 known[] = {CKP_BASELINE_PROVIDER, CKP_EXTENDED_PROVIDER, CKP_AUTHENTICATION_TOKEN};
	CK_ATTRIBUTE wanted[] = {ATTRIBUTE(CKA_CLASS, class), ATTRIBUTE(CKA_PROFILE_ID, id)};
	CK_BYTE unique[COUNT(known)][32];
	CK_OBJECT_HANDLE object, copy;
	CK_SESSION_HANDLE session;
	CK_ULONG count;

	session = api_user();
	OK(p11->C_Logout(session));
	for (int run = 0; run < 2; run++) {
		ASSERT_EQ(api_count(session, wanted, 1), COUNT(known));
		for (size_t i = 0; i < COUNT(known); i++) {
			CK_ATTRIBUTE read = {CKA_UNIQUE_ID, unique[i], sizeof(unique[i])};
			CK_BYTE before[32];

			memcpy(before, unique[i], sizeof(before));
			id = known[i];
			OK(p11->C_FindObjectsInit(session, wanted, COUNT(wanted)));
			OK(p11->C_FindObjects(session, &object, 1, &count));
			OK(p11->C_FindObjectsFinal(session));
			ASSERT_EQ(count, 1);
			OK(p11->C_GetAttributeValue(session, object, &read, 1));
			if (run)
				ASSERT_MEMEQ(unique[i], before, sizeof(before));
		}
		GIVES(p11->C_DestroyObject(session, object), CKR_ACTION_PROHIBITED);
		GIVES(p11->C_CopyObject(session, object, NULL, 0, &copy), CKR_ACTION_PROHIBITED);
		GIVES(p11->C_SetAttributeValue(session, object, &wanted[1], 1),
		      CKR_ACTION_PROHIBITED);
		GIVES(p11->C_CreateObject(session, wanted, COUNT(wanted), &copy),
		      CKR_TEMPLATE_INCONSISTENT);
		OK(p11->C_Finalize(NULL));
		ASSERT_EQ(api_end_agent(SIGTERM), 0);
		api_launch();
		OK(api_initialize());
		session = api_session(true);
	}
}

static CK_OBJECT_HANDLE public_key(CK_SESSION_HANDLE session, CK_BBOOL *trusted)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_BYTE value[32] = {7};
	CK_OBJECT_HANDLE key = 0;
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_CLASS, class),      ATTRIBUTE(CKA_KEY_TYPE, type),
		ATTRIBUTE(CKA_TOKEN, yes),        ATTRIBUTE(CKA_PRIVATE, no),
		ATTRIBUTE(CKA_WRAP, yes),         ATTRIBUTE(CKA_VALUE, value),
		ATTRIBUTE(CKA_TRUSTED, *trusted),
	};

	OK(p11->C_CreateObject(session, template, COUNT(template), &key));
	return key;
}

/* What must be wrapped by a trusted key is wrapped by none that the SO did not trust (§4.10). */
TEST(trusted_by_the_so)
{
	CK_MECHANISM wrap = {CKM_AES_KEY_WRAP, NULL, 0}, generate = {CKM_AES_KEY_GEN, NULL, 0};
	CK_ULONG len = 32, wrapped_len = 64;
	CK_ATTRIBUTE confined[] = {
		ATTRIBUTE(CKA_VALUE_LEN, len),
		ATTRIBUTE(CKA_EXTRACTABLE, yes),
		ATTRIBUTE(CKA_WRAP_WITH_TRUSTED, yes),
	};
	CK_ATTRIBUTE trust = ATTRIBUTE(CKA_TRUSTED, yes);
	CK_OBJECT_HANDLE chosen, blessed, plain, key;
	CK_SESSION_HANDLE session;
	CK_BYTE wrapped[64];

	session = api_user();
	OK(p11->C_Logout(session));
	OK(api_login(session, CKU_SO, SO_PIN));
	chosen = public_key(session, &yes);
	blessed = public_key(session, &no);
	plain = public_key(session, &no);
	OK(p11->C_SetAttributeValue(session, blessed, &trust, 1));
	OK(p11->C_Logout(session));
	OK(api_login(session, CKU_USER, USER_PIN));
	GIVES(p11->C_SetAttributeValue(session, plain, &trust, 1), CKR_ATTRIBUTE_READ_ONLY);
	OK(p11->C_GenerateKey(session, &generate, confined, COUNT(confined), &key));
	OK(p11->C_WrapKey(session, &wrap, chosen, key, wrapped, &wrapped_len));
	OK(p11->C_WrapKey(session, &wrap, blessed, key, wrapped, &wrapped_len));
	GIVES(p11->C_WrapKey(session, &wrap, plain, key, wrapped, &wrapped_len),
	      CKR_KEY_NOT_WRAPPABLE);
}

HARNESS_MAIN
