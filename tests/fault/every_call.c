/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls every function of the list once and names those whose result is not the one expected.
 *
 *   every_call cold [tolerant]
 *
 * C_Initialize must fail with CKR_GENERAL_ERROR, and so must all others after it, which may also
 * say CKR_CRYPTOKI_NOT_INITIALIZED when tolerant.
 *
 *   every_call random BYTES N
 *   every_call pairs BYTES N
 *
 * Initialises, opens a session and draws BYTES octets, or generates EC key pairs, up to N times,
 * until a call fails; prints `drawn: COUNT, first failure: 0x...`; then all others must say
 * CKR_GENERAL_ERROR.
 */
#include "p11.h"

static CK_SESSION_HANDLE session = 1;
static CK_BYTE octets[4096];
static CK_ULONG octets_len = sizeof(octets);
static CK_MECHANISM digest = {CKM_SHA256, NULL, 0};
static CK_MECHANISM pair = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
static CK_MECHANISM aes = {CKM_AES_KEY_GEN, NULL, 0};
static CK_BYTE curve[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static CK_ATTRIBUTE public_template[] = {{CKA_EC_PARAMS, curve, sizeof(curve)}};
static CK_OBJECT_HANDLE object = 1, other;
static CK_ULONG aes_len = 32;
static CK_ATTRIBUTE template[] = {{CKA_VALUE_LEN, &aes_len, sizeof(aes_len)}};
static int bad, calls, tolerant;

static void expect(const char *name, CK_RV rv)
{
	calls++;
	octets_len = sizeof(octets);
	if (rv == CKR_GENERAL_ERROR || (tolerant && rv == CKR_CRYPTOKI_NOT_INITIALIZED))
		return;
	/* These two are not carried out by anybody, in any state. */
	if (!strcmp(name, "C_GetFunctionStatus") || !strcmp(name, "C_CancelFunction"))
		if (rv == CKR_FUNCTION_NOT_PARALLEL)
			return;
	printf("%s: 0x%lx\n", name, rv);
	bad++;
}

#define TRY(name, ...) expect(#name, p11->name(__VA_ARGS__))

#define TRY_3_0(name, ...) expect(#name, p32->v3.name(__VA_ARGS__))
#define TRY_3_2(name, ...) expect(#name, p32->name(__VA_ARGS__))

static void every_cipher_on_messages(const struct cryptoki_3_2 *p32)
{
	CK_BYTE iv[12] = {0}, tag[16];
	CK_GCM_MESSAGE_PARAMS gcm = {iv, sizeof(iv), 0, CKG_NO_GENERATE, tag, 128};

	TRY_3_0(C_MessageEncryptInit, session, &digest, object);
	TRY_3_0(C_EncryptMessage, session, &gcm, sizeof(gcm), NULL, 0, octets, 16, octets,
	        &octets_len);
	TRY_3_0(C_EncryptMessageBegin, session, &gcm, sizeof(gcm), NULL, 0);
	TRY_3_0(C_EncryptMessageNext, session, &gcm, sizeof(gcm), octets, 16, octets, &octets_len,
	        CKF_END_OF_MESSAGE);
	TRY_3_0(C_MessageEncryptFinal, session);
	TRY_3_0(C_MessageDecryptInit, session, &digest, object);
	TRY_3_0(C_DecryptMessage, session, &gcm, sizeof(gcm), NULL, 0, octets, 16, octets,
	        &octets_len);
	TRY_3_0(C_DecryptMessageBegin, session, &gcm, sizeof(gcm), NULL, 0);
	TRY_3_0(C_DecryptMessageNext, session, &gcm, sizeof(gcm), octets, 16, octets, &octets_len,
	        CKF_END_OF_MESSAGE);
	TRY_3_0(C_MessageDecryptFinal, session);
}

static void every_signature_on_messages(const struct cryptoki_3_2 *p32)
{
	TRY_3_0(C_MessageSignInit, session, &digest, object);
	TRY_3_0(C_SignMessage, session, NULL, 0, octets, 16, octets, &octets_len);
	TRY_3_0(C_SignMessageBegin, session, NULL, 0);
	TRY_3_0(C_SignMessageNext, session, NULL, 0, octets, 16, octets, &octets_len);
	TRY_3_0(C_MessageSignFinal, session);
	TRY_3_0(C_MessageVerifyInit, session, &digest, object);
	TRY_3_0(C_VerifyMessage, session, NULL, 0, octets, 16, octets, 16);
	TRY_3_0(C_VerifyMessageBegin, session, NULL, 0);
	TRY_3_0(C_VerifyMessageNext, session, NULL, 0, octets, 16, octets, 16);
	TRY_3_0(C_MessageVerifyFinal, session);
}

/* What v3.0 and v3.2 added. */
static void every_new_call(void)
{
	const struct cryptoki_3_2 *p32 = p11_3_2();

	TRY_3_0(C_LoginUser, session, CKU_USER, (CK_UTF8CHAR *)"12345678", 8, (CK_UTF8CHAR *)"user",
	        4);
	TRY_3_0(C_SessionCancel, session, CKF_SIGN);
	every_cipher_on_messages(p32);
	every_signature_on_messages(p32);
	TRY_3_2(C_EncapsulateKey, session, &digest, object, template, 1, octets, &octets_len,
	        &other);
	TRY_3_2(C_DecapsulateKey, session, &digest, object, template, 1, octets, 16, &other);
	TRY_3_2(C_VerifySignatureInit, session, &digest, object, octets, 16);
	TRY_3_2(C_VerifySignature, session, octets, 16);
	TRY_3_2(C_VerifySignatureUpdate, session, octets, 16);
	TRY_3_2(C_VerifySignatureFinal, session);
}

static void every_call(void)
{
	CK_INFO info;
	CK_SLOT_INFO slot_info;
	CK_TOKEN_INFO token_info;
	CK_MECHANISM_INFO mechanism_info;
	CK_SESSION_INFO session_info;
	CK_SLOT_ID slots[8];
	CK_MECHANISM_TYPE types[200];
	CK_ULONG count = 8, type_count = 200;
	CK_UTF8CHAR label[32];
	CK_SESSION_HANDLE opened;

	memset(label, ' ', sizeof(label));
	TRY(C_GetInfo, &info);
	TRY(C_GetSlotList, CK_FALSE, slots, &count);
	TRY(C_GetSlotInfo, 0, &slot_info);
	TRY(C_GetTokenInfo, 0, &token_info);
	TRY(C_GetMechanismList, 0, types, &type_count);
	TRY(C_GetMechanismInfo, 0, CKM_SHA256, &mechanism_info);
	TRY(C_InitToken, 0, (CK_UTF8CHAR *)"so-pin-12345678", 15, label);
	TRY(C_InitPIN, session, (CK_UTF8CHAR *)"12345678", 8);
	TRY(C_SetPIN, session, (CK_UTF8CHAR *)"12345678", 8, (CK_UTF8CHAR *)"12345679", 8);
	TRY(C_OpenSession, 0, CKF_SERIAL_SESSION, NULL, NULL, &opened);
	TRY(C_GetSessionInfo, session, &session_info);
	TRY(C_GetOperationState, session, octets, &octets_len);
	TRY(C_SetOperationState, session, octets, 16, 0, 0);
	TRY(C_Login, session, CKU_USER, (CK_UTF8CHAR *)"12345678", 8);
	TRY(C_CreateObject, session, template, 1, &other);
	TRY(C_CopyObject, session, object, template, 0, &other);
	TRY(C_DestroyObject, session, object);
	TRY(C_GetObjectSize, session, object, &count);
	TRY(C_GetAttributeValue, session, object, template, 1);
	TRY(C_SetAttributeValue, session, object, template, 1);
	TRY(C_FindObjectsInit, session, NULL, 0);
	TRY(C_FindObjects, session, &other, 1, &count);
	TRY(C_FindObjectsFinal, session);
	TRY(C_EncryptInit, session, &digest, object);
	TRY(C_Encrypt, session, octets, 16, octets, &octets_len);
	TRY(C_EncryptUpdate, session, octets, 16, octets, &octets_len);
	TRY(C_EncryptFinal, session, octets, &octets_len);
	TRY(C_DecryptInit, session, &digest, object);
	TRY(C_Decrypt, session, octets, 16, octets, &octets_len);
	TRY(C_DecryptUpdate, session, octets, 16, octets, &octets_len);
	TRY(C_DecryptFinal, session, octets, &octets_len);
	TRY(C_DigestInit, session, &digest);
	TRY(C_Digest, session, octets, 16, octets, &octets_len);
	TRY(C_DigestUpdate, session, octets, 16);
	TRY(C_DigestKey, session, object);
	TRY(C_DigestFinal, session, octets, &octets_len);
	TRY(C_SignInit, session, &digest, object);
	TRY(C_Sign, session, octets, 16, octets, &octets_len);
	TRY(C_SignUpdate, session, octets, 16);
	TRY(C_SignFinal, session, octets, &octets_len);
	TRY(C_SignRecoverInit, session, &digest, object);
	TRY(C_SignRecover, session, octets, 16, octets, &octets_len);
	TRY(C_VerifyInit, session, &digest, object);
	TRY(C_Verify, session, octets, 16, octets, 16);
	TRY(C_VerifyUpdate, session, octets, 16);
	TRY(C_VerifyFinal, session, octets, 16);
	TRY(C_VerifyRecoverInit, session, &digest, object);
	TRY(C_VerifyRecover, session, octets, 16, octets, &octets_len);
	TRY(C_DigestEncryptUpdate, session, octets, 16, octets, &octets_len);
	TRY(C_DecryptDigestUpdate, session, octets, 16, octets, &octets_len);
	TRY(C_SignEncryptUpdate, session, octets, 16, octets, &octets_len);
	TRY(C_DecryptVerifyUpdate, session, octets, 16, octets, &octets_len);
	TRY(C_GenerateKey, session, &aes, template, 1, &other);
	TRY(C_GenerateKeyPair, session, &pair, public_template, 1, NULL, 0, &object, &other);
	TRY(C_WrapKey, session, &digest, object, object, octets, &octets_len);
	TRY(C_UnwrapKey, session, &digest, object, octets, 16, template, 1, &other);
	TRY(C_DeriveKey, session, &digest, object, template, 1, &other);
	TRY(C_SeedRandom, session, octets, 16);
	TRY(C_GenerateRandom, session, octets, 16);
	TRY(C_GetFunctionStatus, session);
	TRY(C_CancelFunction, session);
	TRY(C_WaitForSlotEvent, CKF_DONT_BLOCK, slots, NULL);
	every_new_call();
	TRY(C_Logout, session);
	TRY(C_CloseSession, session);
	TRY(C_CloseAllSessions, 0);
}

static CK_RV draw(int pairs, CK_ULONG len)
{
	if (!pairs)
		return p11->C_GenerateRandom(session, octets, len);
	return p11->C_GenerateKeyPair(session, &pair, public_template, 1, NULL, 0, &object, &other);
}

static void draw_until_failure(int pairs, CK_ULONG len, unsigned long limit)
{
	unsigned long count = 0;
	CK_RV rv = CKR_OK;

	need("C_Initialize", p11->C_Initialize(NULL));
	session = p11_session();
	if (getenv("USER_PIN"))
		p11_login(session, getenv("USER_PIN"));
	while (count < limit && !(rv = draw(pairs, len)))
		count++;
	printf("drawn: %lu, first failure: 0x%lx\n", count, rv);
	if (!rv)
		exit(0);
}

int main(int argc, char **argv)
{
	p11_load();
	if (argc > 3) {
		draw_until_failure(!strcmp(argv[1], "pairs"), strtoul(argv[2], NULL, 10),
		                   strtoul(argv[3], NULL, 10));
	} else {
		tolerant = argc > 2;
		expect("C_Initialize", p11->C_Initialize(NULL));
	}
	every_call();
	printf("%d calls, %d unexpected\n", calls, bad);
	return bad != 0;
}
