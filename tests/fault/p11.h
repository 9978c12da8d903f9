/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the small programs of the fault tests share: the module named by MODULE, a session and a
 * login. Errors end the program with a line that names the call.
 */
#ifndef TESTS_FAULT_P11_H
#define TESTS_FAULT_P11_H

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/cryptoki_3.h"

static CK_FUNCTION_LIST *p11;
static void *p11_module;

static inline void need(const char *what, CK_RV rv)
{
	if (!rv)
		return;
	fprintf(stderr, "%s: 0x%lx\n", what, rv);
	exit(2);
}

static inline void p11_load(void)
{
	const char *path = getenv("MODULE");
	CK_C_GetFunctionList get = NULL;

	p11_module = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
	if (p11_module)
		*(void **)&get = dlsym(p11_module, "C_GetFunctionList");
	if (!get) {
		fprintf(stderr, "MODULE cannot be loaded: %s\n", path ? dlerror() : "not set");
		exit(2);
	}
	need("C_GetFunctionList", get(&p11));
}

/* The functions of v3.2, of which those of v3.0 are the beginning. */
static inline const struct cryptoki_3_2 *p11_3_2(void)
{
	CK_RV (*get)(CK_UTF8CHAR *, CK_VERSION *, CK_INTERFACE **, CK_FLAGS);
	CK_VERSION version = {3, 2};
	CK_INTERFACE *found = NULL;

	*(void **)&get = dlsym(p11_module, "C_GetInterface");
	if (!get) {
		fprintf(stderr, "no C_GetInterface\n");
		exit(2);
	}
	need("C_GetInterface", get((CK_UTF8CHAR *)"PKCS 11", &version, &found, 0));
	return found->pFunctionList;
}

static inline CK_SLOT_ID p11_slot(void)
{
	CK_SLOT_ID slots[256];
	CK_ULONG count = 256;

	need("C_GetSlotList", p11->C_GetSlotList(CK_TRUE, slots, &count));
	if (!count) {
		fprintf(stderr, "no token\n");
		exit(2);
	}
	return slots[0];
}

static inline CK_SESSION_HANDLE p11_session(void)
{
	CK_SESSION_HANDLE session;

	need("C_OpenSession", p11->C_OpenSession(p11_slot(), CKF_SERIAL_SESSION | CKF_RW_SESSION,
	                                         NULL, NULL, &session));
	return session;
}

static inline void p11_login(CK_SESSION_HANDLE session, const char *pin)
{
	need("C_Login", p11->C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)pin, strlen(pin)));
}

static inline CK_SESSION_HANDLE p11_start(const char *pin)
{
	CK_C_INITIALIZE_ARGS arguments = {.flags = CKF_OS_LOCKING_OK};
	CK_SESSION_HANDLE session;

	p11_load();
	need("C_Initialize", p11->C_Initialize(&arguments));
	session = p11_session();
	p11_login(session, pin);
	return session;
}

#endif
