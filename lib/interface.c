/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The function lists of PKCS#11 v2.40, v3.0 and v3.2, and the three calls that give them out, which
 * work before C_Initialize and whatever state the library is in (v3.0 §5.4).
 */
#include <string.h>

#include "instance.h"
#include "wire/cryptoki_3.h"

#define INTERFACE_NAME "PKCS 11"

#define V2_FUNCTIONS                                                                               \
	.C_Initialize = C_Initialize, .C_Finalize = C_Finalize, .C_GetInfo = C_GetInfo,            \
	.C_GetFunctionList = C_GetFunctionList, .C_GetSlotList = C_GetSlotList,                    \
	.C_GetSlotInfo = C_GetSlotInfo, .C_GetTokenInfo = C_GetTokenInfo,                          \
	.C_GetMechanismList = C_GetMechanismList, .C_GetMechanismInfo = C_GetMechanismInfo,        \
	.C_InitToken = C_InitToken, .C_InitPIN = C_InitPIN, .C_SetPIN = C_SetPIN,                  \
	.C_OpenSession = C_OpenSession, .C_CloseSession = C_CloseSession,                          \
	.C_CloseAllSessions = C_CloseAllSessions, .C_GetSessionInfo = C_GetSessionInfo,            \
	.C_GetOperationState = C_GetOperationState, .C_SetOperationState = C_SetOperationState,    \
	.C_Login = C_Login, .C_Logout = C_Logout, .C_CreateObject = C_CreateObject,                \
	.C_CopyObject = C_CopyObject, .C_DestroyObject = C_DestroyObject,                          \
	.C_GetObjectSize = C_GetObjectSize, .C_GetAttributeValue = C_GetAttributeValue,            \
	.C_SetAttributeValue = C_SetAttributeValue, .C_FindObjectsInit = C_FindObjectsInit,        \
	.C_FindObjects = C_FindObjects, .C_FindObjectsFinal = C_FindObjectsFinal,                  \
	.C_EncryptInit = C_EncryptInit, .C_Encrypt = C_Encrypt,                                    \
	.C_EncryptUpdate = C_EncryptUpdate, .C_EncryptFinal = C_EncryptFinal,                      \
	.C_DecryptInit = C_DecryptInit, .C_Decrypt = C_Decrypt,                                    \
	.C_DecryptUpdate = C_DecryptUpdate, .C_DecryptFinal = C_DecryptFinal,                      \
	.C_DigestInit = C_DigestInit, .C_Digest = C_Digest, .C_DigestUpdate = C_DigestUpdate,      \
	.C_DigestKey = C_DigestKey, .C_DigestFinal = C_DigestFinal, .C_SignInit = C_SignInit,      \
	.C_Sign = C_Sign, .C_SignUpdate = C_SignUpdate, .C_SignFinal = C_SignFinal,                \
	.C_SignRecoverInit = C_SignRecoverInit, .C_SignRecover = C_SignRecover,                    \
	.C_VerifyInit = C_VerifyInit, .C_Verify = C_Verify, .C_VerifyUpdate = C_VerifyUpdate,      \
	.C_VerifyFinal = C_VerifyFinal, .C_VerifyRecoverInit = C_VerifyRecoverInit,                \
	.C_VerifyRecover = C_VerifyRecover, .C_DigestEncryptUpdate = C_DigestEncryptUpdate,        \
	.C_DecryptDigestUpdate = C_DecryptDigestUpdate,                                            \
	.C_SignEncryptUpdate = C_SignEncryptUpdate,                                                \
	.C_DecryptVerifyUpdate = C_DecryptVerifyUpdate, .C_GenerateKey = C_GenerateKey,            \
	.C_GenerateKeyPair = C_GenerateKeyPair, .C_WrapKey = C_WrapKey,                            \
	.C_UnwrapKey = C_UnwrapKey, .C_DeriveKey = C_DeriveKey, .C_SeedRandom = C_SeedRandom,      \
	.C_GenerateRandom = C_GenerateRandom, .C_GetFunctionStatus = C_GetFunctionStatus,          \
	.C_CancelFunction = C_CancelFunction, .C_WaitForSlotEvent = C_WaitForSlotEvent,

#define V3_MEMBER(name, arguments) .name = name,

/* All begin with version 2.40's functions; only the number tells them apart. */
static const CK_FUNCTION_LIST function_list = {.version = {2, 40}, V2_FUNCTIONS};
static const struct cryptoki_3_0 function_list_3_0 = {.v2 = {.version = {3, 0}, V2_FUNCTIONS},
                                                      CRYPTOKI_3_0_FUNCTIONS(V3_MEMBER)};
static const struct cryptoki_3_2 function_list_3_2 = {
	.v3 = {.v2 = {.version = {3, 2}, V2_FUNCTIONS}, CRYPTOKI_3_0_FUNCTIONS(V3_MEMBER)},
	CRYPTOKI_3_2_FUNCTIONS(V3_MEMBER)};

/* The default first. After a fork the child sees a library that is not initialised, and may
 * initialise it: that is what fork-safe means. */
static const CK_INTERFACE interfaces[] = {
	{(void *)INTERFACE_NAME, (void *)(uintptr_t)&function_list_3_0, CKF_INTERFACE_FORK_SAFE},
	{(void *)INTERFACE_NAME, (void *)(uintptr_t)&function_list_3_2, CKF_INTERFACE_FORK_SAFE},
	{(void *)INTERFACE_NAME, (void *)(uintptr_t)&function_list, CKF_INTERFACE_FORK_SAFE},
};

#define INTERFACES (sizeof(interfaces) / sizeof(interfaces[0]))

EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	if (!list)
		return CKR_ARGUMENTS_BAD;
	*list = (CK_FUNCTION_LIST *)(uintptr_t)&function_list; /* the type came without const */
	return CKR_OK;
}

EXPORT CK_RV C_GetInterfaceList(CK_INTERFACE *list, CK_ULONG *count)
{
	CK_ULONG room;

	if (!count)
		return CKR_ARGUMENTS_BAD;
	room = *count;
	*count = INTERFACES;
	if (!list)
		return CKR_OK;
	if (room < INTERFACES)
		return CKR_BUFFER_TOO_SMALL;
	memcpy(list, interfaces, sizeof(interfaces));
	return CKR_OK;
}

static bool fits(const CK_INTERFACE *interface, const CK_UTF8CHAR *name, const CK_VERSION *version,
                 CK_FLAGS flags)
{
	/* Every list begins with its version. */
	const CK_VERSION *ours = interface->pFunctionList;

	return (!name || !strcmp((const char *)name, INTERFACE_NAME)) &&
	       (!version || (version->major == ours->major && version->minor == ours->minor)) &&
	       !(flags & ~interface->flags);
}

EXPORT CK_RV C_GetInterface(CK_UTF8CHAR *name, CK_VERSION *version, CK_INTERFACE **found,
                            CK_FLAGS flags)
{
	if (!found)
		return CKR_ARGUMENTS_BAD;
	for (size_t i = 0; i < INTERFACES; i++) {
		if (fits(&interfaces[i], name, version, flags)) {
			*found = (CK_INTERFACE *)(uintptr_t)&interfaces[i];
			return CKR_OK;
		}
	}
	return CKR_FUNCTION_FAILED;
}
