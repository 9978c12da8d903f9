/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of every function, with arguments that are good but for the state of the session: the
 * rows of tests/sweep/functions.table as code. A call that needs an operation begins it first,
 * whether that succeeds or not.
 */
#ifndef TESTS_API_FUNCTION_CALLS_H
#define TESTS_API_FUNCTION_CALLS_H

#include "api.h"
#include "wire/cryptoki_3.h"

#define MODULUS_LEN   256u
#define SIGNATURE_LEN 64u
#define BLOCK         16u
#define TAG_LEN       16u
#define OBJECT_LABEL  "sweep"

struct fixture {
	const struct cryptoki_3_2 *p;
	CK_SESSION_HANDLE session;
	bool so; /* whose PIN is the right one */
	/* Token objects; data and aes are private, and shown is public. */
	CK_OBJECT_HANDLE data, shown, aes, rsa_public, rsa_private, ec_public, ec_private;
	CK_BYTE text[BLOCK], wrapped[40];
	CK_BYTE signature[SIGNATURE_LEN], recoverable[MODULUS_LEN];
	CK_BYTE iv[12], sealed[BLOCK], tag[TAG_LEN]; /* text by AES-GCM */
	CK_BYTE out[4096];
	CK_ULONG out_len;
	CK_OBJECT_HANDLE made, made_too;
};

#define V2(name, ...)   f->p->v3.v2.name(__VA_ARGS__)
#define V3_0(name, ...) f->p->v3.name(__VA_ARGS__)
#define V3_2(name, ...) f->p->name(__VA_ARGS__)
#define LABEL                                                                                      \
	{                                                                                          \
		CKA_LABEL, (void *)(uintptr_t)OBJECT_LABEL, strlen(OBJECT_LABEL)                   \
	}
#define MECHANISM(type) (&(CK_MECHANISM){(type), NULL, 0})
#define TEXT            f->text, sizeof(f->text)
#define OUT             f->out, &f->out_len
#define GCM                                                                                        \
	&(CK_GCM_MESSAGE_PARAMS){f->iv, sizeof(f->iv), 0, CKG_NO_GENERATE, f->tag, 8 * TAG_LEN},   \
		sizeof(CK_GCM_MESSAGE_PARAMS)
#define PIN(text) (CK_UTF8CHAR *)(uintptr_t)(text), strlen(text)
#define RIGHT_PIN PIN(f->so ? SO_PIN : USER_PIN)

#define CALL(name, call)                                                                           \
	static CK_RV call_##name(struct fixture *f)                                                \
	{                                                                                          \
		return call;                                                                       \
	}
/* `first` may fail. */
#define CALL_AFTER(name, first, call)                                                              \
	static CK_RV call_##name(struct fixture *f)                                                \
	{                                                                                          \
		(void)first;                                                                       \
		f->out_len = sizeof(f->out);                                                       \
		return call;                                                                       \
	}

/* ---- general, slots ---- */

static CK_RV call_C_GetInfo(struct fixture *f)
{
	CK_INFO info;

	return V2(C_GetInfo, &info);
}

static CK_RV call_C_GetFunctionList(struct fixture *f)
{
	CK_FUNCTION_LIST *list;

	return V2(C_GetFunctionList, &list);
}

static CK_RV call_C_GetInterface(struct fixture *f)
{
	CK_INTERFACE *interface;

	return V3_0(C_GetInterface, NULL, NULL, &interface, 0);
}

static CK_RV call_C_GetSlotInfo(struct fixture *f)
{
	CK_SLOT_INFO info;

	return V2(C_GetSlotInfo, 0, &info);
}

static CK_RV call_C_GetTokenInfo(struct fixture *f)
{
	CK_TOKEN_INFO info;

	return V2(C_GetTokenInfo, 0, &info);
}

static CK_RV call_C_GetMechanismInfo(struct fixture *f)
{
	CK_MECHANISM_INFO info;

	return V2(C_GetMechanismInfo, 0, CKM_SHA256, &info);
}

static CK_RV call_C_InitToken(struct fixture *f)
{
	CK_UTF8CHAR label[32];

	memset(label, ' ', sizeof(label));
	return V2(C_InitToken, 0, PIN(SO_PIN), label);
}

static CK_RV call_C_WaitForSlotEvent(struct fixture *f)
{
	CK_SLOT_ID slot;

	return V2(C_WaitForSlotEvent, CKF_DONT_BLOCK, &slot, NULL);
}

CALL(C_Initialize, V2(C_Initialize, NULL))
CALL(C_Finalize, V2(C_Finalize, NULL))
CALL(C_GetInterfaceList, V3_0(C_GetInterfaceList, NULL, &f->out_len))
CALL(C_GetSlotList, V2(C_GetSlotList, CK_TRUE, NULL, &f->out_len))
CALL(C_GetMechanismList, V2(C_GetMechanismList, 0, NULL, &f->out_len))
CALL(C_InitPIN, V2(C_InitPIN, f->session, PIN(USER_PIN)))
CALL(C_SetPIN, V2(C_SetPIN, f->session, RIGHT_PIN, RIGHT_PIN))

/* ---- sessions ---- */

static CK_RV call_C_GetSessionInfo(struct fixture *f)
{
	CK_SESSION_INFO info;

	return V2(C_GetSessionInfo, f->session, &info);
}

static CK_RV call_C_GetSessionValidationFlags(struct fixture *f)
{
	CK_FLAGS flags;

	return V3_2(C_GetSessionValidationFlags, f->session, CKS_LAST_VALIDATION_OK, &flags);
}

/* A state that is good where one could be had. */
static CK_RV call_C_SetOperationState(struct fixture *f)
{
	(void)V2(C_DigestInit, f->session, MECHANISM(CKM_SHA256));
	(void)V2(C_GetOperationState, f->session, OUT);
	return V2(C_SetOperationState, f->session, f->out, f->out_len, 0, 0);
}

#define OPEN(flags) V2(C_OpenSession, 0, CKF_SERIAL_SESSION | (flags), NULL, NULL, &f->made)
CALL(C_OpenSession, OPEN(CKF_RW_SESSION))
CALL(C_OpenSession_read_only, OPEN(0))
CALL(C_CloseSession, V2(C_CloseSession, f->session))
CALL(C_CloseAllSessions, V2(C_CloseAllSessions, 0))
CALL(C_SessionCancel, V3_0(C_SessionCancel, f->session, CKF_SIGN))
CALL_AFTER(C_GetOperationState, V2(C_DigestInit, f->session, MECHANISM(CKM_SHA256)),
           V2(C_GetOperationState, f->session, OUT))
CALL(C_Login, V2(C_Login, f->session, CKU_USER, PIN(USER_PIN)))
CALL(C_Login_so, V2(C_Login, f->session, CKU_SO, PIN(SO_PIN)))
CALL(C_Login_context, V2(C_Login, f->session, CKU_CONTEXT_SPECIFIC, PIN(USER_PIN)))
CALL(C_LoginUser, V3_0(C_LoginUser, f->session, CKU_USER, PIN(USER_PIN), NULL, 0))
CALL(C_Logout, V2(C_Logout, f->session))

/* ---- objects ---- */

static CK_RV create(struct fixture *f, CK_BBOOL token, CK_BBOOL private)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_CLASS, class),
		ATTRIBUTE(CKA_TOKEN, token),
		ATTRIBUTE(CKA_PRIVATE, private),
		{CKA_VALUE, TEXT},
		LABEL,
	};

	return V2(C_CreateObject, f->session, template, COUNT(template), &f->made);
}

static CK_RV copy(struct fixture *f, CK_OBJECT_HANDLE from, CK_BBOOL token)
{
	CK_ATTRIBUTE template[] = {ATTRIBUTE(CKA_TOKEN, token)};

	return V2(C_CopyObject, f->session, from, template, COUNT(template), &f->made);
}

static CK_RV change(struct fixture *f, CK_OBJECT_HANDLE object)
{
	CK_ATTRIBUTE template[] = {{CKA_APPLICATION, (void *)(uintptr_t) "changed", 7}};

	return V2(C_SetAttributeValue, f->session, object, template, COUNT(template));
}

static CK_RV get(struct fixture *f, CK_OBJECT_HANDLE object)
{
	CK_ATTRIBUTE template[] = {{CKA_VALUE, f->out, sizeof(f->out)}};

	return V2(C_GetAttributeValue, f->session, object, template, COUNT(template));
}

CALL(C_CreateObject, create(f, no, no))
CALL(C_CreateObject_token, create(f, yes, no))
CALL(C_CreateObject_private, create(f, no, yes))
CALL(C_CreateObject_private_token, create(f, yes, yes))
CALL(C_CopyObject, copy(f, f->shown, no))
CALL(C_CopyObject_token, copy(f, f->shown, yes))
CALL(C_CopyObject_of_private, copy(f, f->data, no))
CALL_AFTER(C_DestroyObject, create(f, no, no), V2(C_DestroyObject, f->session, f->made))
CALL(C_DestroyObject_token, V2(C_DestroyObject, f->session, f->shown))
CALL(C_DestroyObject_private_token, V2(C_DestroyObject, f->session, f->data))
CALL(C_GetObjectSize, V2(C_GetObjectSize, f->session, f->shown, &f->out_len))
CALL(C_GetObjectSize_private, V2(C_GetObjectSize, f->session, f->data, &f->out_len))
CALL(C_GetAttributeValue, get(f, f->shown))
CALL(C_GetAttributeValue_private, get(f, f->data))
CALL_AFTER(C_SetAttributeValue, create(f, no, no), change(f, f->made))
CALL(C_SetAttributeValue_token, change(f, f->shown))
CALL(C_SetAttributeValue_private_token, change(f, f->data))
#define FIND_INIT V2(C_FindObjectsInit, f->session, NULL, 0)
CALL(C_FindObjectsInit, FIND_INIT)
CALL_AFTER(C_FindObjects, FIND_INIT, V2(C_FindObjects, f->session, &f->made, 1, &f->out_len))
CALL(C_FindObjects_not_begun, V2(C_FindObjects, f->session, &f->made, 1, &f->out_len))
CALL_AFTER(C_FindObjectsFinal, FIND_INIT, V2(C_FindObjectsFinal, f->session))

/* ---- ciphers ---- */

#define ENCRYPT_INIT V2(C_EncryptInit, f->session, MECHANISM(CKM_AES_ECB), f->aes)
CALL(C_EncryptInit, ENCRYPT_INIT)
CALL_AFTER(C_Encrypt, ENCRYPT_INIT, V2(C_Encrypt, f->session, TEXT, OUT))
CALL_AFTER(C_EncryptUpdate, ENCRYPT_INIT, V2(C_EncryptUpdate, f->session, TEXT, OUT))
CALL_AFTER(C_EncryptFinal, ENCRYPT_INIT, V2(C_EncryptFinal, f->session, OUT))
#define DECRYPT_INIT V2(C_DecryptInit, f->session, MECHANISM(CKM_AES_ECB), f->aes)
CALL(C_DecryptInit, DECRYPT_INIT)
CALL_AFTER(C_Decrypt, DECRYPT_INIT, V2(C_Decrypt, f->session, TEXT, OUT))
CALL_AFTER(C_DecryptUpdate, DECRYPT_INIT, V2(C_DecryptUpdate, f->session, TEXT, OUT))
CALL_AFTER(C_DecryptFinal, DECRYPT_INIT, V2(C_DecryptFinal, f->session, OUT))

#define SEAL_INIT  V3_0(C_MessageEncryptInit, f->session, MECHANISM(CKM_AES_GCM), f->aes)
#define SEAL_BEGIN V3_0(C_EncryptMessageBegin, f->session, GCM, NULL, 0)
#define SEAL_NEXT  V3_0(C_EncryptMessageNext, f->session, GCM, TEXT, OUT, CKF_END_OF_MESSAGE)
CALL(C_MessageEncryptInit, SEAL_INIT)
CALL_AFTER(C_EncryptMessage, SEAL_INIT, V3_0(C_EncryptMessage, f->session, GCM, NULL, 0, TEXT, OUT))
CALL_AFTER(C_EncryptMessageBegin, SEAL_INIT, SEAL_BEGIN)
CALL_AFTER(C_EncryptMessageNext, (SEAL_INIT, SEAL_BEGIN), SEAL_NEXT)
CALL_AFTER(C_MessageEncryptFinal, SEAL_INIT, V3_0(C_MessageEncryptFinal, f->session))
#define SEALED     f->sealed, sizeof(f->sealed)
#define OPEN_INIT  V3_0(C_MessageDecryptInit, f->session, MECHANISM(CKM_AES_GCM), f->aes)
#define OPEN_BEGIN V3_0(C_DecryptMessageBegin, f->session, GCM, NULL, 0)
#define OPEN_NEXT  V3_0(C_DecryptMessageNext, f->session, GCM, SEALED, OUT, CKF_END_OF_MESSAGE)
CALL(C_MessageDecryptInit, OPEN_INIT)
CALL_AFTER(C_DecryptMessage, OPEN_INIT,
           V3_0(C_DecryptMessage, f->session, GCM, NULL, 0, SEALED, OUT))
CALL_AFTER(C_DecryptMessageBegin, OPEN_INIT, OPEN_BEGIN)
CALL_AFTER(C_DecryptMessageNext, (OPEN_INIT, OPEN_BEGIN), OPEN_NEXT)
CALL_AFTER(C_MessageDecryptFinal, OPEN_INIT, V3_0(C_MessageDecryptFinal, f->session))

/* ---- digests ---- */

#define DIGEST_INIT V2(C_DigestInit, f->session, MECHANISM(CKM_SHA256))
CALL(C_DigestInit, DIGEST_INIT)
CALL_AFTER(C_Digest, DIGEST_INIT, V2(C_Digest, f->session, TEXT, OUT))
CALL(C_Digest_not_begun, V2(C_Digest, f->session, TEXT, OUT))
CALL_AFTER(C_DigestUpdate, DIGEST_INIT, V2(C_DigestUpdate, f->session, TEXT))
CALL_AFTER(C_DigestKey, DIGEST_INIT, V2(C_DigestKey, f->session, f->aes))
CALL_AFTER(C_DigestFinal, DIGEST_INIT, V2(C_DigestFinal, f->session, OUT))

/* ---- signatures ---- */

#define SIGN_INIT V2(C_SignInit, f->session, MECHANISM(CKM_ECDSA_SHA256), f->ec_private)
CALL(C_SignInit, SIGN_INIT)
CALL_AFTER(C_Sign, SIGN_INIT, V2(C_Sign, f->session, TEXT, OUT))
CALL_AFTER(C_SignUpdate, SIGN_INIT, V2(C_SignUpdate, f->session, TEXT))
CALL_AFTER(C_SignFinal, SIGN_INIT, V2(C_SignFinal, f->session, OUT))
#define SIGN_RECOVER_INIT V2(C_SignRecoverInit, f->session, MECHANISM(CKM_RSA_PKCS), f->rsa_private)
CALL(C_SignRecoverInit, SIGN_RECOVER_INIT)
CALL_AFTER(C_SignRecover, SIGN_RECOVER_INIT, V2(C_SignRecover, f->session, TEXT, OUT))
#define SIGN_MESSAGES                                                                              \
	V3_0(C_MessageSignInit, f->session, MECHANISM(CKM_ECDSA_SHA256), f->ec_private)
#define SIGN_BEGIN V3_0(C_SignMessageBegin, f->session, NULL, 0)
CALL(C_MessageSignInit, SIGN_MESSAGES)
CALL_AFTER(C_SignMessage, SIGN_MESSAGES, V3_0(C_SignMessage, f->session, NULL, 0, TEXT, OUT))
CALL_AFTER(C_SignMessageBegin, SIGN_MESSAGES, SIGN_BEGIN)
CALL_AFTER(C_SignMessageNext, (SIGN_MESSAGES, SIGN_BEGIN),
           V3_0(C_SignMessageNext, f->session, NULL, 0, TEXT, OUT))
CALL_AFTER(C_MessageSignFinal, SIGN_MESSAGES, V3_0(C_MessageSignFinal, f->session))

#define SIGNATURE   f->signature, sizeof(f->signature)
#define VERIFY_INIT V2(C_VerifyInit, f->session, MECHANISM(CKM_ECDSA_SHA256), f->ec_public)
CALL(C_VerifyInit, VERIFY_INIT)
CALL_AFTER(C_Verify, VERIFY_INIT, V2(C_Verify, f->session, TEXT, SIGNATURE))
CALL_AFTER(C_VerifyUpdate, VERIFY_INIT, V2(C_VerifyUpdate, f->session, TEXT))
CALL_AFTER(C_VerifyFinal, (VERIFY_INIT, V2(C_VerifyUpdate, f->session, TEXT)),
           V2(C_VerifyFinal, f->session, SIGNATURE))
#define VERIFY_RECOVER_INIT                                                                        \
	V2(C_VerifyRecoverInit, f->session, MECHANISM(CKM_RSA_PKCS), f->rsa_public)
CALL(C_VerifyRecoverInit, VERIFY_RECOVER_INIT)
CALL_AFTER(C_VerifyRecover, VERIFY_RECOVER_INIT,
           V2(C_VerifyRecover, f->session, f->recoverable, sizeof(f->recoverable), OUT))
#define VERIFY_MESSAGES                                                                            \
	V3_0(C_MessageVerifyInit, f->session, MECHANISM(CKM_ECDSA_SHA256), f->ec_public)
#define VERIFY_BEGIN V3_0(C_VerifyMessageBegin, f->session, NULL, 0)
CALL(C_MessageVerifyInit, VERIFY_MESSAGES)
CALL_AFTER(C_VerifyMessage, VERIFY_MESSAGES,
           V3_0(C_VerifyMessage, f->session, NULL, 0, TEXT, SIGNATURE))
CALL_AFTER(C_VerifyMessageBegin, VERIFY_MESSAGES, VERIFY_BEGIN)
CALL_AFTER(C_VerifyMessageNext, (VERIFY_MESSAGES, VERIFY_BEGIN),
           V3_0(C_VerifyMessageNext, f->session, NULL, 0, TEXT, SIGNATURE))
CALL_AFTER(C_MessageVerifyFinal, VERIFY_MESSAGES, V3_0(C_MessageVerifyFinal, f->session))
#define VERIFY_SIGNATURE                                                                           \
	V3_2(C_VerifySignatureInit, f->session, MECHANISM(CKM_ECDSA_SHA256), f->ec_public,         \
	     SIGNATURE)
CALL(C_VerifySignatureInit, VERIFY_SIGNATURE)
CALL_AFTER(C_VerifySignature, VERIFY_SIGNATURE, V3_2(C_VerifySignature, f->session, TEXT))
CALL_AFTER(C_VerifySignatureUpdate, VERIFY_SIGNATURE,
           V3_2(C_VerifySignatureUpdate, f->session, TEXT))
CALL_AFTER(C_VerifySignatureFinal,
           (VERIFY_SIGNATURE, V3_2(C_VerifySignatureUpdate, f->session, TEXT)),
           V3_2(C_VerifySignatureFinal, f->session))

/* ---- two operations in one call ---- */

CALL_AFTER(C_DigestEncryptUpdate, (DIGEST_INIT, ENCRYPT_INIT),
           V2(C_DigestEncryptUpdate, f->session, TEXT, OUT))
CALL_AFTER(C_DecryptDigestUpdate, (DECRYPT_INIT, DIGEST_INIT),
           V2(C_DecryptDigestUpdate, f->session, TEXT, OUT))
CALL_AFTER(C_SignEncryptUpdate, (SIGN_INIT, ENCRYPT_INIT),
           V2(C_SignEncryptUpdate, f->session, TEXT, OUT))
CALL_AFTER(C_DecryptVerifyUpdate, (DECRYPT_INIT, VERIFY_INIT),
           V2(C_DecryptVerifyUpdate, f->session, TEXT, OUT))

/* ---- keys ---- */

static CK_RV generate(struct fixture *f, CK_BBOOL token, CK_BBOOL private)
{
	CK_ULONG len = 32;
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_VALUE_LEN, len),
		ATTRIBUTE(CKA_TOKEN, token),
		ATTRIBUTE(CKA_PRIVATE, private),
	};

	return V2(C_GenerateKey, f->session, MECHANISM(CKM_AES_KEY_GEN), template, COUNT(template),
	          &f->made);
}

static CK_RV generate_pair(struct fixture *f, CK_BBOOL token)
{
	CK_ATTRIBUTE public_template[] = {
		ATTRIBUTE(CKA_EC_PARAMS, api_p256),
		ATTRIBUTE(CKA_TOKEN, token),
	};
	CK_ATTRIBUTE private_template[] = {ATTRIBUTE(CKA_TOKEN, token)};

	return V2(C_GenerateKeyPair, f->session, MECHANISM(CKM_EC_KEY_PAIR_GEN), public_template,
	          COUNT(public_template), private_template, COUNT(private_template), &f->made,
	          &f->made_too);
}

static CK_RV from_key(struct fixture *f, bool unwrap)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_ATTRIBUTE template[] = {ATTRIBUTE(CKA_CLASS, class), ATTRIBUTE(CKA_KEY_TYPE, type)};

	if (unwrap)
		return V2(C_UnwrapKey, f->session, MECHANISM(CKM_AES_KEY_WRAP), f->aes, f->wrapped,
		          sizeof(f->wrapped), template, COUNT(template), &f->made);
	return V2(C_DeriveKey, f->session, MECHANISM(CKM_SHA256_KEY_DERIVATION), f->aes, template,
	          COUNT(template), &f->made);
}

CALL(C_GenerateKey, generate(f, no, no))
CALL(C_GenerateKey_token, generate(f, yes, no))
CALL(C_GenerateKey_private, generate(f, no, yes))
CALL(C_GenerateKeyPair, generate_pair(f, no))
CALL(C_GenerateKeyPair_token, generate_pair(f, yes))
CALL(C_WrapKey, V2(C_WrapKey, f->session, MECHANISM(CKM_AES_KEY_WRAP), f->aes, f->aes, OUT))
CALL(C_UnwrapKey, from_key(f, true))
CALL(C_DeriveKey, from_key(f, false))
CALL(C_EncapsulateKey, V3_2(C_EncapsulateKey, f->session, MECHANISM(CKM_SHA256), f->ec_public, NULL,
                            0, OUT, &f->made))
CALL(C_DecapsulateKey, V3_2(C_DecapsulateKey, f->session, MECHANISM(CKM_SHA256), f->ec_private,
                            NULL, 0, TEXT, &f->made))
CALL(C_WrapKeyAuthenticated,
     V3_2(C_WrapKeyAuthenticated, f->session, MECHANISM(CKM_AES_GCM), f->aes, f->aes, NULL, 0, OUT))
CALL(C_UnwrapKeyAuthenticated, V3_2(C_UnwrapKeyAuthenticated, f->session, MECHANISM(CKM_AES_GCM),
                                    f->aes, TEXT, NULL, 0, NULL, 0, &f->made))

/* ---- the rest ---- */

CALL(C_SeedRandom, V2(C_SeedRandom, f->session, TEXT))
CALL(C_GenerateRandom, V2(C_GenerateRandom, f->session, f->out, 32))
CALL(C_GetFunctionStatus, V2(C_GetFunctionStatus, f->session))
CALL(C_CancelFunction, V2(C_CancelFunction, f->session))
CALL(C_AsyncComplete, V3_2(C_AsyncComplete, f->session, (CK_UTF8CHAR *)"C_Sign", f->out))
CALL(C_AsyncGetID, V3_2(C_AsyncGetID, f->session, (CK_UTF8CHAR *)"C_Sign", &f->out_len))
CALL(C_AsyncJoin, V3_2(C_AsyncJoin, f->session, (CK_UTF8CHAR *)"C_Sign", 1, TEXT))

#endif
