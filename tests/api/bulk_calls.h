/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests of much data in calls that do not merely turn data into a result share: keys, data,
 * signers, and a window to watch.
 */
#ifndef TESTS_API_BULK_CALLS_H
#define TESTS_API_BULK_CALLS_H

#include "bulk.h"
#include "wire/cryptoki_3.h"

#define MEDIUM (1024u * 1024u + 5u)
#define LIMIT  (64u * 1024u * 1024u)
#define ROOM   (MEDIUM + 64u)

static const size_t sizes[] = {
	1,      7935, 7936, 7937, PART - 1, PART, PART + 1, 5 * PART, WIRE_WINDOW_SLOTS *PART + 1,
	MEDIUM,
};

static CK_BYTE iv[16] = {1, 2, 3, 4, 5}, value[32] = {9, 8, 7};
static CK_BYTE *in, *out, *known;
static CK_SESSION_HANDLE session;
static CK_OBJECT_HANDLE aes, secret, public_key, private_key;
static struct cryptoki_3_2 *p;
static CK_MECHANISM sha256 = {CKM_SHA256, NULL, 0}, hmac = {CKM_SHA256_HMAC, NULL, 0},
		    ecdsa = {CKM_ECDSA_SHA256, NULL, 0};

static void open_all(void)
{
	CK_RV (*get)(CK_UTF8CHAR *, CK_VERSION *, CK_INTERFACE **, CK_FLAGS);
	CK_VERSION version = {3, 2};
	CK_INTERFACE *found = NULL;

	session = api_user();
	*(void **)&get = dlsym(api_library, "C_GetInterface");
	OK(get(NULL, &version, &found, 0));
	p = found->pFunctionList;
	aes = api_secret(session, CKK_AES, value, sizeof(value));
	secret = api_secret(session, CKK_GENERIC_SECRET, value, sizeof(value));
	api_ec_pair(session, false, "pair", &public_key, &private_key);
	in = bulk_data(ROOM);
	out = malloc(ROOM);
	known = malloc(ROOM);
}

static void close_all(void)
{
	free(in);
	free(out);
	free(known);
}

struct signer {
	CK_MECHANISM *mechanism;
	CK_OBJECT_HANDLE signs, verifies;
};

static const struct signer *signers(void)
{
	static struct signer all[2];

	all[0] = (struct signer){&hmac, secret, secret};
	all[1] = (struct signer){&ecdsa, private_key, public_key};
	return all;
}

#define THROUGH_WINDOW(call)                                                                       \
	do {                                                                                       \
		bulk_watch();                                                                      \
		OK(call);                                                                          \
		EXPECT_TRUE(bulk_was_touched());                                                   \
	} while (0)

static void open_with_window(void)
{
	CK_ULONG got = 32;

	open_all();
	OK(p11->C_DigestInit(session, &sha256));
	OK(p11->C_Digest(session, in, MEDIUM, out, &got));
	bulk_watch();
	OK(p11->C_DigestInit(session, &sha256));
	OK(p11->C_Digest(session, in, 100, out, &got));
	EXPECT_FALSE(bulk_was_touched());
}

#endif
