/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Post-quantum keys through the library, and openssl's command line (3.5) on the other side: it
 * verifies what the token signed with the public key that the token gave out, and the other way
 * round. Known answers are for tests/unit.
 */
#include "api.h"
#include "wire/cryptoki_3.h"

#define MESSAGE       "a message of no importance"
#define SIGNATURE_MAX 50000u

static CK_BYTE signature[SIGNATURE_MAX];
static CK_ULONG signature_len;

static bool offered(CK_MECHANISM_TYPE type)
{
	CK_MECHANISM_INFO info;

	return p11->C_GetMechanismInfo(0, type, &info) == CKR_OK;
}

static CK_SESSION_HANDLE user(void)
{
	CK_SESSION_HANDLE session = api_user();

	if (!offered(CKM_ML_DSA))
		SKIP("OpenSSL has no post-quantum algorithms");
	return session;
}

static void write_file(const char *name, const void *octets, size_t len)
{
	FILE *file = fopen(api_path(name), "w");

	ASSERT_NOT_NULL(file);
	ASSERT_EQ(fwrite(octets, 1, len, file), len);
	ASSERT_EQ(fclose(file), 0);
}

static size_t read_file(const char *name, void *octets, size_t size)
{
	FILE *file = fopen(api_path(name), "r");
	size_t len;

	ASSERT_NOT_NULL(file);
	len = fread(octets, 1, size, file);
	ASSERT_LT(len, size);
	fclose(file);
	return len;
}

/* openssl with these arguments, in the scratch folder; what it says goes to a file there. */
static bool openssl(const char *arguments)
{
	char command[1024];
	int status;

	snprintf(command, sizeof(command), "cd %s && openssl %s >openssl.out 2>&1", api_folder,
	         arguments);
	status = system(command);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static CK_RV make_pair(CK_SESSION_HANDLE session, CK_MECHANISM_TYPE type, CK_ULONG set,
                       bool extractable, CK_OBJECT_HANDLE keys[2])
{
	CK_MECHANISM mechanism = {type, NULL, 0};
	CK_BBOOL may_leave = extractable;
	CK_ATTRIBUTE public_template[] = {ATTRIBUTE(CKA_PARAMETER_SET, set)};
	CK_ATTRIBUTE private_template[] = {ATTRIBUTE(CKA_EXTRACTABLE, may_leave)};

	return p11->C_GenerateKeyPair(session, &mechanism, public_template, 1, private_template, 1,
	                              &keys[0], &keys[1]);
}

static CK_RV sign(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	CK_RV rv = p11->C_SignInit(session, mechanism, key);

	signature_len = sizeof(signature);
	if (!rv)
		rv = p11->C_Sign(session, (CK_BYTE *)MESSAGE, sizeof(MESSAGE) - 1, signature,
		                 &signature_len);
	return rv;
}

static CK_RV verify(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	CK_RV rv = p11->C_VerifyInit(session, mechanism, key);

	return rv ? rv
	          : p11->C_Verify(session, (CK_BYTE *)MESSAGE, sizeof(MESSAGE) - 1, signature,
	                          signature_len);
}

/* The public key as the token gives it out, the message and the signature into files. */
static void give_out(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
	CK_BYTE info[4096];
	CK_ATTRIBUTE attribute = ATTRIBUTE(CKA_PUBLIC_KEY_INFO, info);

	OK(p11->C_GetAttributeValue(session, key, &attribute, 1));
	write_file("public.der", info, attribute.ulValueLen);
	write_file("message", MESSAGE, sizeof(MESSAGE) - 1);
	write_file("signature", signature, signature_len);
}

#define VERIFY                                                                                     \
	"pkeyutl -verify -pubin -keyform DER -inkey public.der -rawin -in message "                \
	"-sigfile signature"

static void expect_agreement(CK_SESSION_HANDLE session, CK_MECHANISM_TYPE generate,
                             CK_MECHANISM_TYPE type, CK_ULONG set)
{
	struct {
		CK_ULONG hedge;
		CK_BYTE *context;
		CK_ULONG context_len;
	} params = {CKH_HEDGE_REQUIRED, (CK_BYTE *)"context", 7};
	CK_MECHANISM plain = {type, NULL, 0}, with = {type, &params, sizeof(params)};
	CK_OBJECT_HANDLE keys[2];

	OK(make_pair(session, generate, set, false, keys));
	OK(sign(session, &plain, keys[1]));
	OK(verify(session, &plain, keys[0]));
	give_out(session, keys[0]);
	ASSERT_TRUE(openssl(VERIFY));
	GIVES(verify(session, &with, keys[0]), CKR_SIGNATURE_INVALID);
	OK(sign(session, &with, keys[1]));
	give_out(session, keys[1]); /* the private half knows it, too */
	ASSERT_TRUE(openssl(VERIFY " -pkeyopt context-string:context"));
	ASSERT_FALSE(openssl(VERIFY));
	signature[100] ^= 1;
	GIVES(verify(session, &with, keys[0]), CKR_SIGNATURE_INVALID);
	give_out(session, keys[0]);
	ASSERT_FALSE(openssl(VERIFY " -pkeyopt context-string:context"));
}

TEST(ml_dsa_verified_by_openssl)
{
	CK_SESSION_HANDLE session = user();

	for (CK_ULONG set = CKP_ML_DSA_44; set <= CKP_ML_DSA_87; set++)
		expect_agreement(session, CKM_ML_DSA_KEY_PAIR_GEN, CKM_ML_DSA, set);
}

TEST(slh_dsa_verified_by_openssl)
{
	CK_SESSION_HANDLE session = user();

	expect_agreement(session, CKM_SLH_DSA_KEY_PAIR_GEN, CKM_SLH_DSA, CKP_SLH_DSA_SHA2_128F);
	expect_agreement(session, CKM_SLH_DSA_KEY_PAIR_GEN, CKM_SLH_DSA, CKP_SLH_DSA_SHAKE_256F);
	expect_agreement(session, CKM_SLH_DSA_KEY_PAIR_GEN, CKM_SLH_DSA, CKP_SLH_DSA_SHA2_128S);
}

static const struct {
	CK_KEY_TYPE type;
	CK_ULONG set, public_len;
	CK_MECHANISM_TYPE mechanism;
	const char *name;
} others[] = {
	{CKK_ML_DSA, CKP_ML_DSA_44, 1312, CKM_ML_DSA, "ML-DSA-44"},
	{CKK_ML_DSA, CKP_ML_DSA_87, 2592, CKM_ML_DSA, "ML-DSA-87"},
	{CKK_SLH_DSA, CKP_SLH_DSA_SHA2_192F, 48, CKM_SLH_DSA, "SLH-DSA-SHA2-192f"},
};

/* The public key is the end of its encoding. */
static CK_OBJECT_HANDLE import_public(CK_SESSION_HANDLE session, size_t i)
{
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	CK_KEY_TYPE type = others[i].type;
	CK_ULONG set = others[i].set;
	CK_BYTE der[4096];
	size_t len = read_file("other.der", der, sizeof(der));
	CK_OBJECT_HANDLE key = 0;
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_CLASS, class),
		ATTRIBUTE(CKA_KEY_TYPE, type),
		ATTRIBUTE(CKA_PARAMETER_SET, set),
		{CKA_VALUE, der + len - others[i].public_len, others[i].public_len},
	};

	OK(p11->C_CreateObject(session, template, COUNT(template), &key));
	return key;
}

TEST(openssl_verified_by_the_token)
{
	CK_SESSION_HANDLE session = user();
	CK_OBJECT_HANDLE key;

	write_file("message", MESSAGE, sizeof(MESSAGE) - 1);
	for (size_t i = 0; i < COUNT(others); i++) {
		CK_MECHANISM mechanism = {others[i].mechanism, NULL, 0};
		char command[128];

		snprintf(command, sizeof(command), "genpkey -algorithm %s -out other.pem",
		         others[i].name);
		ASSERT_TRUE(openssl(command));
		ASSERT_TRUE(openssl("pkey -in other.pem -pubout -outform DER -out other.der"));
		ASSERT_TRUE(openssl("pkeyutl -sign -inkey other.pem -rawin -in message "
		                    "-out signature"));
		key = import_public(session, i);
		signature_len = read_file("signature", signature, sizeof(signature));
		OK(verify(session, &mechanism, key));
		signature[signature_len - 1] ^= 1;
		GIVES(verify(session, &mechanism, key), CKR_SIGNATURE_INVALID);
	}
}

TEST(secrets_of_the_key)
{
	CK_SESSION_HANDLE session = user();
	CK_OBJECT_HANDLE keys[2];
	CK_ULONG set = 0;
	CK_BYTE value[4096];
	CK_BBOOL flag = CK_FALSE;
	CK_ATTRIBUTE seed = ATTRIBUTE(CKA_SEED, value), secret = ATTRIBUTE(CKA_VALUE, value);
	CK_ATTRIBUTE number = ATTRIBUTE(CKA_PARAMETER_SET, set);
	CK_ATTRIBUTE encapsulate = ATTRIBUTE(CKA_ENCAPSULATE, flag);
	CK_ATTRIBUTE decapsulate = ATTRIBUTE(CKA_DECAPSULATE, flag);
	CK_MECHANISM_INFO info;

	OK(make_pair(session, CKM_ML_KEM_KEY_PAIR_GEN, CKP_ML_KEM_768, false, keys));
	GIVES(p11->C_GetAttributeValue(session, keys[1], &seed, 1), CKR_ATTRIBUTE_SENSITIVE);
	GIVES(p11->C_GetAttributeValue(session, keys[1], &secret, 1), CKR_ATTRIBUTE_SENSITIVE);
	OK(p11->C_GetAttributeValue(session, keys[1], &number, 1));
	ASSERT_EQ(set, CKP_ML_KEM_768);
	OK(p11->C_GetAttributeValue(session, keys[0], &encapsulate, 1));
	ASSERT_EQ(flag, CK_TRUE);
	flag = CK_FALSE;
	OK(p11->C_GetAttributeValue(session, keys[1], &decapsulate, 1));
	ASSERT_EQ(flag, CK_TRUE);
	GIVES(make_pair(session, CKM_ML_KEM_KEY_PAIR_GEN, 4, false, keys),
	      CKR_ATTRIBUTE_VALUE_INVALID);
	OK(p11->C_GetMechanismInfo(0, CKM_ML_KEM, &info));
	ASSERT_EQ(info.flags, CKF_ENCAPSULATE | CKF_DECAPSULATE);
	ASSERT_EQ(info.ulMinKeySize, 800);
	ASSERT_EQ(info.ulMaxKeySize, 1568);
}

static void value_of(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, CK_BYTE value[32])
{
	CK_ATTRIBUTE attribute = {CKA_VALUE, value, 32};

	OK(p11->C_GetAttributeValue(session, key, &attribute, 1));
	ASSERT_EQ(attribute.ulValueLen, 32);
}

static struct cryptoki_3_2 *v3_2(void)
{
	CK_RV (*get)(CK_UTF8CHAR *, CK_VERSION *, CK_INTERFACE **, CK_FLAGS);
	CK_VERSION version = {3, 2};
	CK_INTERFACE *found = NULL;

	*(void **)&get = dlsym(api_library, "C_GetInterface");
	ASSERT_NOT_NULL(get);
	OK(get(NULL, &version, &found, 0));
	return found->pFunctionList;
}

/* Message by message: what is slow runs on a worker, and the longest signature fits. */
TEST(many_messages)
{
	CK_MECHANISM mechanism = {CKM_SLH_DSA, NULL, 0};
	CK_SESSION_HANDLE session = user();
	struct cryptoki_3_0 *p = &v3_2()->v3;
	CK_BYTE message[] = MESSAGE;
	CK_OBJECT_HANDLE keys[2];

	OK(make_pair(session, CKM_SLH_DSA_KEY_PAIR_GEN, CKP_SLH_DSA_SHAKE_256F, false, keys));
	OK(p->C_MessageSignInit(session, &mechanism, keys[1]));
	OK(p->C_MessageVerifyInit(session, &mechanism, keys[0]));
	for (CK_BYTE round = 0; round < 2; round++) {
		message[0] = round;
		signature_len = sizeof(signature);
		OK(p->C_SignMessage(session, NULL, 0, message, sizeof(message), signature,
		                    &signature_len));
		ASSERT_EQ(signature_len, 49856);
		OK(p->C_VerifyMessage(session, NULL, 0, message, sizeof(message), signature,
		                      signature_len));
		message[0] ^= 0x80;
		GIVES(p->C_VerifyMessage(session, NULL, 0, message, sizeof(message), signature,
		                         signature_len),
		      CKR_SIGNATURE_INVALID);
	}
}

/* Both halves have the same secret; a ciphertext that was changed gives another. */
TEST(encapsulated_secrets)
{
	static const CK_ULONG sets[] = {CKP_ML_KEM_512, CKP_ML_KEM_768, CKP_ML_KEM_1024};
	static const CK_ULONG lens[] = {768, 1088, 1568};
	CK_MECHANISM mechanism = {CKM_ML_KEM, NULL, 0};
	CK_SESSION_HANDLE session = user();
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_BBOOL off = CK_FALSE;
	CK_ULONG value_len = 32;
	CK_ATTRIBUTE template[] = {ATTRIBUTE(CKA_CLASS, class), ATTRIBUTE(CKA_KEY_TYPE, type),
	                           ATTRIBUTE(CKA_SENSITIVE, off), ATTRIBUTE(CKA_EXTRACTABLE, yes),
	                           ATTRIBUTE(CKA_VALUE_LEN, value_len)};
	CK_BYTE ciphertext[1568], ours[32], theirs[32];
	struct cryptoki_3_2 *p = v3_2();

	for (size_t i = 0; i < COUNT(sets); i++) {
		CK_OBJECT_HANDLE keys[2], secret = 0, other = 0;
		CK_ULONG len = 0;

		OK(make_pair(session, CKM_ML_KEM_KEY_PAIR_GEN, sets[i], false, keys));
		OK(p->C_EncapsulateKey(session, &mechanism, keys[0], template, COUNT(template),
		                       NULL, &len, NULL));
		ASSERT_EQ(len, lens[i]);
		len--;
		GIVES(p->C_EncapsulateKey(session, &mechanism, keys[0], template, COUNT(template),
		                          ciphertext, &len, &secret),
		      CKR_BUFFER_TOO_SMALL);
		ASSERT_EQ(len, lens[i]);
		OK(p->C_EncapsulateKey(session, &mechanism, keys[0], template, COUNT(template),
		                       ciphertext, &len, &secret));
		OK(p->C_DecapsulateKey(session, &mechanism, keys[1], template, COUNT(template),
		                       ciphertext, len, &other));
		value_of(session, secret, ours);
		value_of(session, other, theirs);
		EXPECT_MEMEQ(ours, theirs, 32);
		ciphertext[5] ^= 1;
		OK(p->C_DecapsulateKey(session, &mechanism, keys[1], template, COUNT(template),
		                       ciphertext, len, &other));
		value_of(session, other, theirs);
		EXPECT_TRUE(memcmp(ours, theirs, 32) != 0);
		GIVES(p->C_DecapsulateKey(session, &mechanism, keys[1], template, COUNT(template),
		                          ciphertext, len - 1, &other),
		      CKR_WRAPPED_KEY_LEN_RANGE);
		/* Each half for its half. */
		GIVES(p->C_EncapsulateKey(session, &mechanism, keys[1], template, COUNT(template),
		                          ciphertext, &len, &secret),
		      CKR_KEY_FUNCTION_NOT_PERMITTED);
		GIVES(p->C_DecapsulateKey(session, &mechanism, keys[0], template, COUNT(template),
		                          ciphertext, len, &other),
		      CKR_KEY_FUNCTION_NOT_PERMITTED);
	}
}

/* As PKCS#8 under an AES key, and back. */
TEST(private_keys_travel_wrapped)
{
	static const CK_MECHANISM_TYPE generate[] = {CKM_ML_DSA_KEY_PAIR_GEN,
	                                             CKM_SLH_DSA_KEY_PAIR_GEN};
	static const CK_MECHANISM_TYPE types[] = {CKM_ML_DSA, CKM_SLH_DSA};
	static const CK_ULONG sets[] = {CKP_ML_DSA_87, CKP_SLH_DSA_SHAKE_128F};
	CK_SESSION_HANDLE session = user();
	CK_OBJECT_HANDLE wrapping = api_aes_key(session, false, "wrapping"), keys[2], back;
	CK_MECHANISM wrap = {CKM_AES_KEY_WRAP_KWP, NULL, 0};
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_BYTE wrapped[8192];

	for (size_t i = 0; i < COUNT(types); i++) {
		CK_KEY_TYPE type = i ? CKK_SLH_DSA : CKK_ML_DSA;
		CK_MECHANISM mechanism = {types[i], NULL, 0};
		CK_ULONG len = sizeof(wrapped);
		CK_ATTRIBUTE template[] = {ATTRIBUTE(CKA_CLASS, class),
		                           ATTRIBUTE(CKA_KEY_TYPE, type)};

		OK(make_pair(session, generate[i], sets[i], true, keys));
		OK(p11->C_WrapKey(session, &wrap, wrapping, keys[1], wrapped, &len));
		OK(p11->C_UnwrapKey(session, &wrap, wrapping, wrapped, len, template, 2, &back));
		OK(sign(session, &mechanism, back));
		OK(verify(session, &mechanism, keys[0]));
	}
}

TEST(all_self_tests_run)
{
	user();
	ASSERT_TRUE(api_log_has("self-test ML-DSA-44: ok"));
	ASSERT_TRUE(api_log_has("self-test ML-KEM-768: ok"));
	ASSERT_TRUE(api_log_has("self-test summary: 17 passed, 0 failed, 0 unavailable of 17"));
}

TEST(switched_off)
{
	api_start_with("", "", "[algorithms]\nenable_pqc = false\n");
	api_make_token();
	ASSERT_FALSE(offered(CKM_ML_DSA));
	ASSERT_FALSE(offered(CKM_ML_KEM));
	ASSERT_FALSE(offered(CKM_SLH_DSA_KEY_PAIR_GEN));
	ASSERT_TRUE(offered(CKM_EDDSA));
}

HARNESS_MAIN
