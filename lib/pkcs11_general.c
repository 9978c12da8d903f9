/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C_Initialize, C_Finalize, C_GetInfo and the two functions of parallel calls, which there never
 * were. What initialising does is in instance.c.
 */
#include <stdlib.h>
#include <string.h>

#include "instance.h"

/* The four callbacks come together or not at all. We use the system's locks, which the application
 * must allow by CKF_OS_LOCKING_OK if it brought its own. We start no threads, so
 * CKF_LIBRARY_CANT_CREATE_OS_THREADS is all the same. */
static CK_RV check_arguments(const CK_C_INITIALIZE_ARGS *arguments)
{
	int callbacks = !!arguments->CreateMutex + !!arguments->DestroyMutex +
	                !!arguments->LockMutex + !!arguments->UnlockMutex;

	if (arguments->pReserved || (callbacks != 0 && callbacks != 4))
		return CKR_ARGUMENTS_BAD;
	return callbacks && !(arguments->flags & CKF_OS_LOCKING_OK) ? CKR_CANT_LOCK : CKR_OK;
}

EXPORT CK_RV C_Initialize(void *arguments)
{
	CK_RV rv = arguments ? check_arguments(arguments) : CKR_OK;

	return rv ? rv : instance_initialize();
}

EXPORT CK_RV C_Finalize(void *reserved)
{
	CK_RV rv = instance_check();

	if (rv)
		return rv;
	return reserved ? CKR_ARGUMENTS_BAD : instance_finalize();
}

static void pad(CK_UTF8CHAR *out, size_t out_len, const char *text)
{
	memset(out, ' ', out_len);
	memcpy(out, text, strlen(text));
}

/* "1.2.3" is 1.2 here. */
static CK_VERSION library_version(void)
{
	char *end;
	CK_VERSION version = {.major = (CK_BYTE)strtoul(CRATON_VERSION, &end, 10)};

	if (*end == '.')
		version.minor = (CK_BYTE)strtoul(end + 1, NULL, 10);
	return version;
}

EXPORT CK_RV C_GetInfo(CK_INFO *info)
{
	CK_RV rv = instance_check_agent();

	if (rv)
		return rv;
	if (!info)
		return CKR_ARGUMENTS_BAD;
	info->cryptokiVersion = (CK_VERSION){2, 40};
	info->flags = 0;
	info->libraryVersion = library_version();
	pad(info->manufacturerID, sizeof(info->manufacturerID), "Craton HSM");
	pad(info->libraryDescription, sizeof(info->libraryDescription), "Craton HSM for Linux");
	return CKR_OK;
}

static CK_RV not_parallel(void)
{
	CK_RV rv = instance_check();

	return rv ? rv : CKR_FUNCTION_NOT_PARALLEL;
}

EXPORT CK_RV C_GetFunctionStatus(CK_SESSION_HANDLE session)
{
	(void)session;
	return not_parallel();
}

EXPORT CK_RV C_CancelFunction(CK_SESSION_HANDLE session)
{
	(void)session;
	return not_parallel();
}
