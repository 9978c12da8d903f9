/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inits that the library keeps (lib/deferred.h) change no answer: random calls are made twice, once
 * as they come and once with a call before each that makes the library ask the agent every time;
 * all return values and lengths must be the same. And what another process changes is seen by the
 * next Init.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "api.h"

#define SCRIPTS  150u
#define STEPS    60u
#define SESSIONS 2u

static uint32_t seed;

static uint32_t draw(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % below;
}

/* One run of a script: its sessions, keys, and what came back. */
struct run {
	bool ask_each_time;
	CK_SESSION_HANDLE sessions[SESSIONS];
	CK_OBJECT_HANDLE aes, other_aes, public_key, private_key;
	CK_BYTE buffer[4096];
	CK_BYTE signature[64];
	CK_ULONG signature_len;
	CK_ULONG results[2 * STEPS];
	size_t count;
};

/* A barrier: any call that is not known to change nothing. */
static void ask(struct run *run)
{
	if (run->ask_each_time)
		p11->C_CloseSession(0xdead);
}

static void note(struct run *run, CK_RV rv, CK_ULONG len)
{
	run->results[run->count++] = rv;
	run->results[run->count++] = rv == CKR_OK || rv == CKR_BUFFER_TOO_SMALL ? len : 0;
}

static CK_MECHANISM *mechanism_of(uint32_t which)
{
	static CK_BYTE iv[16];
	static CK_GCM_PARAMS gcm = {iv, 12, 96, NULL, 0, 128};
	static CK_MECHANISM mechanisms[] = {
		{CKM_AES_CBC, iv, 16}, {CKM_AES_GCM, &gcm, sizeof(gcm)}, {CKM_AES_CBC_PAD, iv, 16},
		{CKM_AES_CBC, iv, 15}, /* bad */
		{CKM_ECDSA, NULL, 0},  {CKM_ECDSA_SHA256, NULL, 0},      {CKM_SHA256, NULL, 0},
		{CKM_SHA512, NULL, 0}, {CKM_RSA_PKCS, NULL, 0},
	};

	iv[3] = (CK_BYTE)draw(256);
	return &mechanisms[which];
}

/* Most choices fit, so that operations get somewhere. */
static CK_MECHANISM *cipher(void)
{
	return mechanism_of(draw(10) ? draw(3) : 3 + draw(3));
}

static CK_MECHANISM *signing(void)
{
	return mechanism_of(draw(10) ? 4 + draw(2) : draw(9));
}

static CK_MECHANISM *digest(void)
{
	return mechanism_of(draw(10) ? 6 + draw(2) : draw(9));
}

static CK_OBJECT_HANDLE key(const struct run *run, CK_OBJECT_HANDLE usual)
{
	CK_OBJECT_HANDLE keys[] = {run->aes, run->other_aes, run->public_key, run->private_key,
	                           0xbad};

	return draw(10) ? usual : keys[draw(5)];
}

/* Enough, nothing, or too little room. */
static CK_ULONG room(void)
{
	return draw(6) ? 4096 : draw(20);
}

#define THROUGH(call)                                                                              \
	do {                                                                                       \
		CK_ULONG len = room();                                                             \
		bool query = !draw(6);                                                             \
		CK_ULONG data_len = 16 * draw(5);                                                  \
		CK_RV rv = p11->call(session, run->buffer, data_len,                               \
		                     query ? NULL : run->buffer + 2048, &len);                     \
                                                                                                   \
		note(run, rv, len);                                                                \
	} while (0)

static void sign(struct run *run, CK_SESSION_HANDLE session)
{
	CK_ULONG len = draw(6) ? sizeof(run->signature) : 8;
	CK_BYTE *out = draw(6) ? run->signature : NULL;
	CK_RV rv = p11->C_Sign(session, run->buffer, 32, out, &len);

	if (!rv && out)
		run->signature_len = len;
	note(run, rv, len);
}

static void verify(struct run *run, CK_SESSION_HANDLE session)
{
	bool good = draw(3);
	CK_RV rv;

	if (!good)
		run->signature[0] ^= 1;
	/* Signatures are random, so only whether one was made at all is the same in both runs. */
	rv = p11->C_Verify(session, run->buffer, 32, run->signature, 64);
	if (!good)
		run->signature[0] ^= 1;
	note(run, rv, 0);
}

static void change_objects(struct run *run, CK_SESSION_HANDLE session)
{
	CK_ATTRIBUTE attribute = {CKA_LABEL, run->buffer, 3};

	switch (draw(4)) {
	case 0:
		note(run, p11->C_DestroyObject(session, run->other_aes), 0);
		run->other_aes = run->aes;
		run->aes = api_aes_key(session, false, "a");
		break;
	case 1:
		note(run, p11->C_SetAttributeValue(session, run->aes, &attribute, 1), 0);
		break;
	case 2:
		note(run, p11->C_GetOperationState(session, NULL, &(CK_ULONG){0}), 0);
		break;
	default:
		note(run, p11->C_GetAttributeValue(session, run->aes, &attribute, 1), 0);
	}
}

static void parts(struct run *run, CK_SESSION_HANDLE session)
{
	CK_ULONG len = 2048;

	switch (draw(6)) {
	case 0:
		note(run, p11->C_DigestUpdate(session, run->buffer, 16), 0);
		break;
	case 1:
		note(run, p11->C_DigestFinal(session, run->buffer + 2048, &len), len);
		break;
	case 2:
		note(run, p11->C_EncryptUpdate(session, run->buffer, 32, run->buffer + 2048, &len),
		     len);
		break;
	case 3:
		note(run, p11->C_EncryptFinal(session, run->buffer + 2048, &len), len);
		break;
	case 4:
		note(run, p11->C_SignUpdate(session, run->buffer, 32), 0);
		break;
	default:
		note(run, p11->C_SignFinal(session, run->buffer + 2048, &len), len);
	}
}

static void step(struct run *run)
{
	CK_SESSION_HANDLE session = run->sessions[draw(8) ? 0 : 1];

	ask(run);
	switch (draw(14)) {
	case 0:
	case 1:
		note(run, p11->C_EncryptInit(session, cipher(), key(run, run->aes)), 0);
		break;
	case 2:
	case 3:
		THROUGH(C_Encrypt);
		break;
	case 4:
		note(run, p11->C_DigestInit(session, digest()), 0);
		break;
	case 5:
		THROUGH(C_Digest);
		break;
	case 6:
		note(run, p11->C_SignInit(session, signing(), key(run, run->private_key)), 0);
		break;
	case 7:
	case 8:
		sign(run, session);
		break;
	case 9:
		note(run, p11->C_VerifyInit(session, signing(), key(run, run->public_key)), 0);
		break;
	case 10:
		verify(run, session);
		break;
	case 11:
		change_objects(run, session);
		break;
	case 12:
		parts(run, session);
		break;
	default:
		note(run, p11->C_GenerateRandom(session, run->buffer + 2048, 8), 0);
	}
}

static void play(struct run *run, bool ask_each_time, uint32_t script)
{
	memset(run, 0, sizeof(*run));
	run->ask_each_time = ask_each_time;
	seed = script;
	for (unsigned int i = 0; i < SESSIONS; i++)
		run->sessions[i] = api_session(true);
	run->aes = api_aes_key(run->sessions[0], false, "a");
	run->other_aes = api_aes_key(run->sessions[0], false, "b");
	api_ec_pair(run->sessions[0], false, "e", &run->public_key, &run->private_key);
	for (unsigned int i = 0; i < STEPS; i++)
		step(run);
	for (unsigned int i = 0; i < SESSIONS; i++)
		OK(p11->C_CloseSession(run->sessions[i]));
}

TEST(no_answer_is_different)
{
	static struct run kept, asked;
	CK_SESSION_HANDLE session = api_user();
	unsigned int fine = 0;

	for (uint32_t script = 1; script <= SCRIPTS; script++) {
		play(&kept, false, script);
		play(&asked, true, script);
		ASSERT_EQ(kept.count, asked.count);
		for (size_t i = 0; i < kept.count; i++) {
			if (kept.results[i] != asked.results[i])
				printf("# script %u, step %zu: %#lx, asked each time %#lx\n",
				       script, i / 2, kept.results[i], asked.results[i]);
			ASSERT_EQ(kept.results[i], asked.results[i]);
			fine += i % 2 == 0 && kept.results[i] == CKR_OK;
		}
	}
	printf("# %u of %u calls succeeded\n", fine, SCRIPTS * STEPS);
	ASSERT_GT(fine, SCRIPTS * STEPS / 4);
	OK(p11->C_CloseSession(session));
}

/* Another process destroys or changes the key: the Init after that fails as ever. */
static void elsewhere(const char *label, bool destroy)
{
	pid_t child;
	int status;

	fflush(NULL);
	child = fork();
	if (!child) {
		CK_ATTRIBUTE find = {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)};
		CK_ATTRIBUTE forbid = ATTRIBUTE(CKA_SIGN, no);
		CK_OBJECT_HANDLE found[2];
		CK_SESSION_HANDLE session;
		CK_ULONG count;

		OK(api_initialize());
		session = api_session(true);
		OK(api_login(session, CKU_USER, USER_PIN));
		OK(p11->C_FindObjectsInit(session, &find, 1));
		OK(p11->C_FindObjects(session, found, 2, &count));
		OK(p11->C_FindObjectsFinal(session));
		for (CK_ULONG i = 0; i < count; i++) {
			if (destroy)
				OK(p11->C_DestroyObject(session, found[i]));
			else
				p11->C_SetAttributeValue(session, found[i], &forbid, 1);
		}
		_exit(0);
	}
	ASSERT_EQ(waitpid(child, &status, 0), child);
	ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static CK_OBJECT_HANDLE warm_key(CK_SESSION_HANDLE session)
{
	CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
	CK_OBJECT_HANDLE public_key, private_key;
	CK_BYTE hash[32] = {1}, signature[64];

	api_ec_pair(session, true, "shared", &public_key, &private_key);
	for (int i = 0; i < 5; i++) {
		CK_ULONG len = sizeof(signature);

		OK(p11->C_SignInit(session, &mechanism, private_key));
		OK(p11->C_Sign(session, hash, sizeof(hash), signature, &len));
	}
	return private_key;
}

TEST(a_key_that_others_destroy)
{
	CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE private_key = warm_key(session);

	elsewhere("shared", true);
	EXPECT_EQ(p11->C_SignInit(session, &mechanism, private_key), CKR_KEY_HANDLE_INVALID);
}

TEST(a_key_that_others_change)
{
	CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE private_key = warm_key(session);

	elsewhere("shared", false);
	EXPECT_EQ(p11->C_SignInit(session, &mechanism, private_key),
	          CKR_KEY_FUNCTION_NOT_PERMITTED);
}

/* The operation holds its key, whatever happens to the object after the Init. */
TEST(an_active_operation_keeps_its_key)
{
	CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE private_key = warm_key(session);
	CK_BYTE hash[32] = {1}, signature[64];
	CK_ULONG len = sizeof(signature);

	OK(p11->C_SignInit(session, &mechanism, private_key));
	OK(p11->C_DestroyObject(session, private_key));
	EXPECT_EQ(p11->C_Sign(session, hash, sizeof(hash), signature, &len), CKR_OK);
}

/* Threads with sessions of their own, on connections that the library chooses. */
static void *sign_many(void *key)
{
	CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
	CK_SESSION_HANDLE session = api_session(false);
	CK_BYTE hash[32] = {1}, signature[64];

	for (int i = 0; i < 2000; i++) {
		CK_ULONG len = sizeof(signature);

		if (p11->C_SignInit(session, &mechanism, *(CK_OBJECT_HANDLE *)key) ||
		    p11->C_Sign(session, hash, sizeof(hash), signature, &len))
			return (void *)(uintptr_t) "failed";
	}
	return NULL;
}

TEST(many_threads)
{
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE private_key = warm_key(session);
	pthread_t threads[8];
	void *problem;

	for (int i = 0; i < 8; i++)
		ASSERT_EQ(pthread_create(&threads[i], NULL, sign_many, &private_key), 0);
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], &problem);
		EXPECT_NULL(problem);
	}
}

/* Another thread uses the same session for what needs no operation: order is kept all the same. */
static atomic_bool enough;

static void *draw_random(void *session)
{
	CK_BYTE octets[8];

	while (!atomic_load(&enough)) {
		if (p11->C_GenerateRandom(*(CK_SESSION_HANDLE *)session, octets, sizeof(octets)))
			return (void *)(uintptr_t) "failed";
	}
	return NULL;
}

TEST(two_threads_on_one_session)
{
	CK_MECHANISM mechanism = {CKM_SHA256, NULL, 0};
	CK_SESSION_HANDLE session = api_user();
	CK_BYTE hash[32], octets[64] = {1};
	pthread_t thread;
	void *problem;

	ASSERT_EQ(pthread_create(&thread, NULL, draw_random, &session), 0);
	for (int i = 0; i < 5000; i++) {
		CK_ULONG len = sizeof(hash);

		ASSERT_EQ(p11->C_DigestInit(session, &mechanism), CKR_OK);
		ASSERT_EQ(p11->C_Digest(session, octets, sizeof(octets), hash, &len), CKR_OK);
	}
	atomic_store(&enough, true);
	pthread_join(thread, &problem);
	EXPECT_NULL(problem);
}

/* An Init that is too long to be kept makes the session active like any other. */
TEST(a_long_init)
{
	static CK_BYTE iv[16], aad[400];
	CK_GCM_PARAMS gcm = {iv, 12, 96, aad, sizeof(aad), 128};
	CK_MECHANISM long_one = {CKM_AES_GCM, &gcm, sizeof(gcm)}, short_one = {CKM_AES_CBC, iv, 16};
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE key = api_aes_key(session, false, "a");
	CK_BYTE octets[16] = {1}, out[64];
	CK_ULONG len;

	for (int i = 0; i < 5; i++) {
		len = sizeof(out);
		OK(p11->C_EncryptInit(session, &short_one, key));
		OK(p11->C_Encrypt(session, octets, sizeof(octets), out, &len));
	}
	OK(p11->C_EncryptInit(session, &long_one, key));
	EXPECT_EQ(p11->C_EncryptInit(session, &short_one, key), CKR_OPERATION_ACTIVE);
	len = sizeof(out);
	OK(p11->C_Encrypt(session, octets, sizeof(octets), out, &len));
	EXPECT_EQ(len, sizeof(octets) + 16);
}

HARNESS_MAIN
