/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interfaces of v3.0 as an application finds them, logging in by name, cancelling, and two
 * operations in one call.
 */
#include <openssl/evp.h>

#include "api.h"
#include "wire/cryptoki_3.h"

#define DATA_LEN 100u

static CK_BYTE iv[16] = {3, 1, 4};

static struct cryptoki_3_0 *v3(void)
{
	CK_RV (*get)(CK_UTF8CHAR *, CK_VERSION *, CK_INTERFACE **, CK_FLAGS);
	CK_VERSION version = {3, 0};
	CK_INTERFACE *found = NULL;

	*(void **)&get = dlsym(api_library, "C_GetInterface");
	ASSERT_NOT_NULL(get);
	OK(get((CK_UTF8CHAR *)"PKCS 11", &version, &found, 0));
	return found->pFunctionList;
}

TEST(interfaces)
{
	CK_INTERFACE list[4], *found = NULL;
	CK_VERSION old = {2, 40}, unknown = {4, 0};
	CK_FUNCTION_LIST *functions;
	struct cryptoki_3_0 *p = NULL;
	CK_ULONG count = 0;

	api_user();
	p = v3();
	EXPECT_EQ(p->v2.version.major, 3);
	EXPECT_EQ(p->v2.version.minor, 0);
	GIVES(p->C_GetInterfaceList(NULL, NULL), CKR_ARGUMENTS_BAD);
	OK(p->C_GetInterfaceList(NULL, &count));
	ASSERT_EQ(count, 3);
	count = 2;
	GIVES(p->C_GetInterfaceList(list, &count), CKR_BUFFER_TOO_SMALL);
	EXPECT_EQ(count, 3);
	count = COUNT(list);
	OK(p->C_GetInterfaceList(list, &count));
	ASSERT_EQ(count, 3);
	for (CK_ULONG i = 0; i < count; i++) {
		EXPECT_STREQ((char *)list[i].pInterfaceName, "PKCS 11");
		EXPECT_EQ(list[i].flags, CKF_INTERFACE_FORK_SAFE);
	}
	/* The default is v3.0, which all clients know. */
	OK(p->C_GetInterface(NULL, NULL, &found, 0));
	EXPECT_EQ(found->pFunctionList, (void *)p);
	OK(p->C_GetInterface((CK_UTF8CHAR *)"PKCS 11", NULL, &found, CKF_INTERFACE_FORK_SAFE));
	EXPECT_EQ(found->pFunctionList, (void *)p);
	OK(p->C_GetInterface((CK_UTF8CHAR *)"PKCS 11", &old, &found, 0));
	OK(p->v2.C_GetFunctionList(&functions));
	EXPECT_EQ(found->pFunctionList, (void *)functions);
	GIVES(p->C_GetInterface((CK_UTF8CHAR *)"PKCS 11", &unknown, &found, 0),
	      CKR_FUNCTION_FAILED);
	GIVES(p->C_GetInterface((CK_UTF8CHAR *)"Vendor NSS FIPS Interface", NULL, &found, 0),
	      CKR_FUNCTION_FAILED);
	GIVES(p->C_GetInterface(NULL, NULL, &found, 0x80), CKR_FUNCTION_FAILED);
	GIVES(p->C_GetInterface(NULL, NULL, NULL, 0), CKR_ARGUMENTS_BAD);
}

/* Every function is in the list of v3.0, and the same one as in that of v2.40. */
TEST(lists_are_whole)
{
	struct cryptoki_3_0 *p;
	void **members;

	api_user();
	p = v3();
	members = (void **)&p->v2.C_Initialize;
	for (size_t i = 0;
	     i < (sizeof(*p) - offsetof(CK_FUNCTION_LIST, C_Initialize)) / sizeof(void *); i++)
		EXPECT_NOT_NULL(members[i]);
	EXPECT_MEMEQ(&p->v2.C_Initialize, &p11->C_Initialize,
	             sizeof(*p11) - offsetof(CK_FUNCTION_LIST, C_Initialize));
}

static struct cryptoki_3_2 *v3_2(void)
{
	CK_VERSION version = {3, 2};
	CK_INTERFACE *found = NULL;

	OK(v3()->C_GetInterface(NULL, &version, &found, 0));
	return found->pFunctionList;
}

TEST(list_of_3_2)
{
	struct cryptoki_3_2 *p;
	void **members;

	api_user();
	p = v3_2();
	EXPECT_EQ(p->v3.v2.version.minor, 2);
	EXPECT_MEMEQ(&p->v3.v2.C_Initialize, &v3()->v2.C_Initialize,
	             sizeof(struct cryptoki_3_0) - offsetof(CK_FUNCTION_LIST, C_Initialize));
	members = (void **)&p->C_EncapsulateKey;
	for (size_t i = 0; i < 12; i++)
		EXPECT_NOT_NULL(members[i]);
}

TEST(what_3_2_has_and_we_have_not)
{
	CK_SESSION_HANDLE session = api_user();
	struct cryptoki_3_2 *p = v3_2();
	CK_FLAGS flags = 7;
	CK_ULONG id;

	GIVES(p->C_AsyncComplete(session, (CK_UTF8CHAR *)"C_Sign", NULL),
	      CKR_FUNCTION_NOT_SUPPORTED);
	GIVES(p->C_AsyncGetID(session, (CK_UTF8CHAR *)"C_Sign", &id), CKR_FUNCTION_NOT_SUPPORTED);
	OK(p->C_GetSessionValidationFlags(session, CKS_LAST_VALIDATION_OK, &flags));
	EXPECT_EQ(flags, 0);
	GIVES(p->C_GetSessionValidationFlags(session, 99, &flags), CKR_ARGUMENTS_BAD);
	GIVES(p->C_GetSessionValidationFlags(session + 1000, CKS_LAST_VALIDATION_OK, &flags),
	      CKR_SESSION_HANDLE_INVALID);
}

TEST(login_user)
{
	CK_SESSION_HANDLE session = api_user();
	CK_UTF8CHAR name[] = "alice", pin[] = USER_PIN;
	CK_SESSION_INFO info;
	struct cryptoki_3_0 *p = v3();

	OK(p11->C_Logout(session));
	GIVES(p->C_LoginUser(session, CKU_USER, pin, strlen(USER_PIN), name, 5),
	      CKR_USER_TYPE_INVALID);
	GIVES(p->C_LoginUser(session, CKU_USER, pin, strlen(USER_PIN), NULL, 5), CKR_ARGUMENTS_BAD);
	OK(p->C_LoginUser(session, CKU_USER, pin, strlen(USER_PIN), NULL, 0));
	OK(p11->C_GetSessionInfo(session, &info));
	EXPECT_EQ(info.state, CKS_RW_USER_FUNCTIONS);
	GIVES(p->C_LoginUser(session, CKU_USER, pin, strlen(USER_PIN), NULL, 0),
	      CKR_USER_ALREADY_LOGGED_IN);
}

static CK_OBJECT_HANDLE secret_key(CK_SESSION_HANDLE session, CK_KEY_TYPE type)
{
	CK_BYTE value[32] = {7};
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_OBJECT_HANDLE key = 0;
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_CLASS, class), ATTRIBUTE(CKA_KEY_TYPE, type),
		ATTRIBUTE(CKA_ENCRYPT, yes), ATTRIBUTE(CKA_DECRYPT, yes),
		ATTRIBUTE(CKA_SIGN, yes),    ATTRIBUTE(CKA_VERIFY, yes),
		ATTRIBUTE(CKA_VALUE, value),
	};

	OK(p11->C_CreateObject(session, template, COUNT(template), &key));
	return key;
}

TEST(cancelling)
{
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE key = secret_key(session, CKK_AES);
	CK_MECHANISM cbc = {CKM_AES_CBC_PAD, iv, sizeof(iv)}, sha = {CKM_SHA256, NULL, 0};
	struct cryptoki_3_0 *p = v3();
	CK_OBJECT_HANDLE object;
	CK_BYTE out[64];
	CK_ULONG len = sizeof(out), count;

	GIVES(p->C_SessionCancel(session + 1000, CKF_DIGEST), CKR_SESSION_HANDLE_INVALID);
	OK(p->C_SessionCancel(session, CKF_ENCRYPT | CKF_FIND_OBJECTS)); /* nothing is active */
	OK(p11->C_EncryptInit(session, &cbc, key));
	OK(p11->C_DigestInit(session, &sha));
	OK(p11->C_FindObjectsInit(session, NULL, 0));
	OK(p->C_SessionCancel(session, CKF_ENCRYPT));
	GIVES(p11->C_Encrypt(session, iv, 16, out, &len), CKR_OPERATION_NOT_INITIALIZED);
	len = sizeof(out);
	OK(p11->C_Digest(session, iv, 16, out, &len));
	OK(p11->C_FindObjects(session, &object, 1, &count));
	OK(p->C_SessionCancel(session, CKF_FIND_OBJECTS));
	GIVES(p11->C_FindObjects(session, &object, 1, &count), CKR_OPERATION_NOT_INITIALIZED);
	OK(p11->C_EncryptInit(session, &cbc, key));
}

/* The other way to cancel: an Init without a mechanism. */
TEST(init_without_a_mechanism)
{
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE key = secret_key(session, CKK_AES);
	CK_MECHANISM cbc = {CKM_AES_CBC_PAD, iv, sizeof(iv)}, sha = {CKM_SHA256, NULL, 0},
		     mac = {CKM_AES_CMAC, NULL, 0};
	CK_BYTE out[64];
	CK_ULONG len = sizeof(out);

	OK(p11->C_EncryptInit(session, &cbc, key));
	OK(p11->C_DecryptInit(session, &cbc, key));
	OK(p11->C_SignInit(session, &mac, key));
	OK(p11->C_VerifyInit(session, &mac, key));
	OK(p11->C_DigestInit(session, &sha));
	GIVES(p11->C_DigestInit(session, &sha), CKR_OPERATION_ACTIVE);
	OK(p11->C_DigestInit(session, NULL));
	OK(p11->C_EncryptInit(session, NULL, 0));
	OK(p11->C_DecryptInit(session, NULL, key));
	OK(p11->C_SignInit(session, NULL, 0));
	OK(p11->C_VerifyInit(session, NULL, 0));
	GIVES(p11->C_Digest(session, iv, 16, out, &len), CKR_OPERATION_NOT_INITIALIZED);
	GIVES(p11->C_Encrypt(session, iv, 16, out, &len), CKR_OPERATION_NOT_INITIALIZED);
	GIVES(p11->C_Decrypt(session, iv, 16, out, &len), CKR_OPERATION_NOT_INITIALIZED);
	GIVES(p11->C_Sign(session, iv, 16, out, &len), CKR_OPERATION_NOT_INITIALIZED);
	GIVES(p11->C_Verify(session, iv, 16, out, 16), CKR_OPERATION_NOT_INITIALIZED);
	GIVES(p11->C_SignInit(session + 1000, NULL, 0), CKR_SESSION_HANDLE_INVALID);
}

static void sha256(const CK_BYTE *data, size_t len, CK_BYTE hash[32])
{
	ASSERT_TRUE(EVP_Digest(data, len, hash, NULL, EVP_sha256(), NULL));
}

TEST(digest_and_cipher_together)
{
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE key = secret_key(session, CKK_AES);
	CK_MECHANISM cbc = {CKM_AES_CBC_PAD, iv, sizeof(iv)}, sha = {CKM_SHA256, NULL, 0};
	CK_BYTE data[DATA_LEN], sealed[DATA_LEN + 32], plain[DATA_LEN + 32], hash[32], known[32];
	CK_ULONG len = sizeof(sealed), part, total;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (CK_BYTE)(i * 11);
	sha256(data, sizeof(data), known);
	GIVES(p11->C_DigestEncryptUpdate(session, data, 10, sealed, &len),
	      CKR_OPERATION_NOT_INITIALIZED);
	OK(p11->C_EncryptInit(session, &cbc, key));
	/* Without a digest nothing is encrypted, either. */
	GIVES(p11->C_DigestEncryptUpdate(session, data, 10, sealed, &len),
	      CKR_OPERATION_NOT_INITIALIZED);
	OK(p11->C_DigestInit(session, &sha));
	OK(p11->C_DigestEncryptUpdate(session, data, 40, NULL, &len));
	EXPECT_EQ(len, 32);
	len = 31;
	GIVES(p11->C_DigestEncryptUpdate(session, data, 40, sealed, &len), CKR_BUFFER_TOO_SMALL);
	EXPECT_EQ(len, 32);
	OK(p11->C_DigestEncryptUpdate(session, data, 40, sealed, &len));
	total = len;
	len = sizeof(sealed) - total;
	OK(p11->C_DigestEncryptUpdate(session, data + 40, DATA_LEN - 40, sealed + total, &len));
	total += len;
	len = sizeof(sealed) - total;
	OK(p11->C_EncryptFinal(session, sealed + total, &len));
	total += len;
	EXPECT_EQ(total, 112);
	len = sizeof(hash);
	OK(p11->C_DigestFinal(session, hash, &len));
	EXPECT_MEMEQ(hash, known, sizeof(hash));

	OK(p11->C_DecryptInit(session, &cbc, key));
	OK(p11->C_DigestInit(session, &sha));
	part = sizeof(plain);
	OK(p11->C_DecryptDigestUpdate(session, sealed, total, plain, &part));
	len = sizeof(plain) - part;
	OK(p11->C_DecryptFinal(session, plain + part, &len));
	EXPECT_EQ(part + len, DATA_LEN);
	EXPECT_MEMEQ(plain, data, DATA_LEN);
	/* What only Final gives is the caller's to digest. */
	OK(p11->C_DigestUpdate(session, plain + part, len));
	len = sizeof(hash);
	OK(p11->C_DigestFinal(session, hash, &len));
	EXPECT_MEMEQ(hash, known, sizeof(hash));
}

TEST(signature_and_cipher_together)
{
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE key = secret_key(session, CKK_AES),
			 mac_key = secret_key(session, CKK_GENERIC_SECRET);
	CK_MECHANISM ctr = {CKM_AES_CBC, iv, sizeof(iv)}, hmac = {CKM_SHA256_HMAC, NULL, 0};
	CK_BYTE data[64] = {5, 6}, sealed[64], plain[64], mac[32], known[32];
	CK_ULONG len = sizeof(known);

	OK(p11->C_SignInit(session, &hmac, mac_key));
	OK(p11->C_Sign(session, data, sizeof(data), known, &len));
	OK(p11->C_SignInit(session, &hmac, mac_key));
	OK(p11->C_EncryptInit(session, &ctr, key));
	len = sizeof(sealed);
	OK(p11->C_SignEncryptUpdate(session, data, sizeof(data), sealed, &len));
	EXPECT_EQ(len, sizeof(sealed));
	len = sizeof(mac);
	OK(p11->C_SignFinal(session, mac, &len));
	EXPECT_MEMEQ(mac, known, sizeof(mac));
	len = 0;
	OK(p11->C_EncryptFinal(session, plain, &len));

	for (int wrong = 0; wrong < 2; wrong++) {
		sealed[3] ^= wrong;
		OK(p11->C_VerifyInit(session, &hmac, mac_key));
		OK(p11->C_DecryptInit(session, &ctr, key));
		len = sizeof(plain);
		OK(p11->C_DecryptVerifyUpdate(session, sealed, sizeof(sealed), plain, &len));
		EXPECT_EQ(memcmp(plain, data, sizeof(data)) != 0, wrong);
		GIVES(p11->C_VerifyFinal(session, mac, sizeof(mac)),
		      wrong ? CKR_SIGNATURE_INVALID : CKR_OK);
		len = 0;
		OK(p11->C_DecryptFinal(session, NULL, &len));
		OK(p11->C_DecryptFinal(session, plain, &len));
	}
}

/* The signature comes first, and is not asked for again. */
TEST(signature_before_data)
{
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE key = secret_key(session, CKK_GENERIC_SECRET);
	CK_MECHANISM hmac = {CKM_SHA256_HMAC, NULL, 0};
	struct cryptoki_3_2 *p = v3_2();
	CK_BYTE data[80] = {8}, mac[32];
	CK_ULONG len = sizeof(mac);

	OK(p11->C_SignInit(session, &hmac, key));
	OK(p11->C_Sign(session, data, sizeof(data), mac, &len));
	GIVES(p->C_VerifySignature(session, data, sizeof(data)), CKR_OPERATION_NOT_INITIALIZED);
	for (CK_RV wanted = CKR_OK;; wanted = CKR_SIGNATURE_INVALID) {
		OK(p->C_VerifySignatureInit(session, &hmac, key, mac, len));
		GIVES(p->C_VerifySignature(session, data, sizeof(data)), wanted);
		OK(p->C_VerifySignatureInit(session, &hmac, key, mac, len));
		OK(p->C_VerifySignatureUpdate(session, data, 30));
		OK(p->C_VerifySignatureUpdate(session, data + 30, 50));
		GIVES(p->C_VerifySignatureFinal(session), wanted);
		if (wanted)
			break;
		mac[31] ^= 1;
	}
	/* The calls of one way are not those of the other. */
	OK(p->C_VerifySignatureInit(session, &hmac, key, mac, len));
	GIVES(p->C_VerifySignatureInit(session, &hmac, key, mac, len), CKR_OPERATION_ACTIVE);
	GIVES(p11->C_VerifyInit(session, &hmac, key), CKR_OPERATION_ACTIVE);
	GIVES(p11->C_VerifyUpdate(session, data, 1), CKR_OPERATION_NOT_INITIALIZED);
	GIVES(p11->C_Verify(session, data, 1, mac, len), CKR_OPERATION_NOT_INITIALIZED);
	OK(p->C_VerifySignatureInit(session, NULL, 0, NULL, 0));
	OK(p11->C_VerifyInit(session, &hmac, key));
	GIVES(p->C_VerifySignature(session, data, 1), CKR_OPERATION_NOT_INITIALIZED);
	GIVES(p->C_VerifySignatureFinal(session), CKR_OPERATION_NOT_INITIALIZED);
	GIVES(p->C_VerifySignatureInit(session, &hmac, key, NULL, 0), CKR_ARGUMENTS_BAD);
}

HARNESS_MAIN
