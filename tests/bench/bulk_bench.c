/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures a PKCS#11 module with much data in one call, from 64 KiB to 16 MiB: MACs and their
 * verification, encryption of data and of messages, two operations at once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ckr.h"
#include "report.h"
#include "token.h"
#include "wire/cryptoki_3.h"

#define TAG_LEN 16u
#define MAC_LEN 32u

struct worker {
	struct bench_worker base;
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE aes, secret;
	CK_MECHANISM mechanism;
	CK_GCM_PARAMS gcm;
	CK_GCM_MESSAGE_PARAMS message;
	CK_ULONG len;
	CK_BYTE *input, *output;
	CK_BYTE iv[IV_LEN], tag[TAG_LEN], mac[MAC_LEN];
};

#define CALL(worker, function, ...) TOKEN_CALL(&(worker)->base.error, function, __VA_ARGS__)
#define COUNT(array)                (sizeof(array) / sizeof((array)[0]))

static CK_BBOOL yes = CK_TRUE;
static CK_MECHANISM hmac = {CKM_SHA256_HMAC, NULL, 0}, sha256 = {CKM_SHA256, NULL, 0};

/* ---- what is timed ---- */

static bool run_sign(void *argument)
{
	struct worker *worker = argument;
	CK_ULONG mac_len = MAC_LEN;

	return CALL(worker, C_SignInit, worker->session, &hmac, worker->secret) &&
	       CALL(worker, C_Sign, worker->session, worker->input, worker->len, worker->mac,
	            &mac_len);
}

static bool run_verify(void *argument)
{
	struct worker *worker = argument;

	return CALL(worker, C_VerifyInit, worker->session, &hmac, worker->secret) &&
	       CALL(worker, C_Verify, worker->session, worker->input, worker->len, worker->mac,
	            MAC_LEN);
}

static void next_iv(struct worker *worker)
{
	for (unsigned int i = GCM_IV_LEN; i-- && !++worker->iv[i];)
		;
}

static bool run_encrypt(void *argument)
{
	struct worker *worker = argument;
	CK_ULONG len = worker->len + OUTPUT_ROOM;

	next_iv(worker);
	return CALL(worker, C_EncryptInit, worker->session, &worker->mechanism, worker->aes) &&
	       CALL(worker, C_Encrypt, worker->session, worker->input, worker->len, worker->output,
	            &len);
}

static bool run_decrypt(void *argument)
{
	struct worker *worker = argument;
	CK_ULONG len = worker->len + OUTPUT_ROOM;

	return CALL(worker, C_DecryptInit, worker->session, &worker->mechanism, worker->aes) &&
	       CALL(worker, C_Decrypt, worker->session, worker->output, worker->len + TAG_LEN,
	            worker->input, &len);
}

/* NULL when the module has no such functions. */
static struct cryptoki_3_0 *functions_of_3_0(void)
{
	static CK_VERSION version = {3, 0};
	CK_INTERFACE *found = NULL;
	CK_RV (*get)(CK_UTF8CHAR *, CK_VERSION *, CK_INTERFACE **, CK_FLAGS);

	*(void **)&get = dlsym(token.module, "C_GetInterface");
	return get && !get(NULL, &version, &found, 0) ? found->pFunctionList : NULL;
}

static bool run_message(void *argument)
{
	struct worker *worker = argument;
	struct cryptoki_3_0 *p = functions_of_3_0();
	CK_ULONG len = worker->len + OUTPUT_ROOM;

	next_iv(worker);
	return bench_check(&worker->base.error, "C_EncryptMessage",
	                   p->C_EncryptMessage(worker->session, &worker->message,
	                                       sizeof(worker->message), NULL, 0, worker->input,
	                                       worker->len, worker->output, &len));
}

/* The operations go on from call to call. */
static bool run_two(void *argument)
{
	struct worker *worker = argument;
	CK_ULONG len = worker->len + OUTPUT_ROOM;

	return CALL(worker, C_DigestEncryptUpdate, worker->session, worker->input, worker->len,
	            worker->output, &len);
}

/* ---- what comes before it ---- */

static bool import(struct worker *worker, CK_KEY_TYPE type, CK_OBJECT_HANDLE *key)
{
	static CK_BYTE value[32] = {1, 2, 3};
	static CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_ATTRIBUTE template[] = {
		{CKA_CLASS, &class, sizeof(class)}, {CKA_KEY_TYPE, &type, sizeof(type)},
		{CKA_SIGN, &yes, sizeof(yes)},      {CKA_VERIFY, &yes, sizeof(yes)},
		{CKA_ENCRYPT, &yes, sizeof(yes)},   {CKA_DECRYPT, &yes, sizeof(yes)},
		{CKA_VALUE, value, sizeof(value)},
	};

	return CALL(worker, C_CreateObject, worker->session, template, COUNT(template), key);
}

static bool prepare(struct worker *worker, CK_ULONG len)
{
	worker->len = len;
	worker->input = malloc(len + OUTPUT_ROOM);
	worker->output = malloc(len + OUTPUT_ROOM);
	if (!worker->input || !worker->output)
		return bench_check(&worker->base.error, "malloc", CKR_HOST_MEMORY);
	memset(worker->input, 0x5a, len + OUTPUT_ROOM);
	memset(worker->output, 0, len + OUTPUT_ROOM);
	worker->gcm = (CK_GCM_PARAMS){
		.pIv = worker->iv,
		.ulIvLen = GCM_IV_LEN,
		.ulIvBits = GCM_IV_LEN * 8,
		.ulTagBits = TAG_LEN * 8,
	};
	worker->mechanism = (CK_MECHANISM){CKM_AES_GCM, &worker->gcm, sizeof(worker->gcm)};
	worker->message = (CK_GCM_MESSAGE_PARAMS){
		.pIv = worker->iv,
		.ulIvLen = GCM_IV_LEN,
		.ivGenerator = CKG_NO_GENERATE,
		.pTag = worker->tag,
		.ulTagBits = TAG_LEN * 8,
	};
	return import(worker, CKK_GENERIC_SECRET, &worker->secret) &&
	       import(worker, CKK_AES, &worker->aes);
}

static bool prepare_nothing(struct worker *worker)
{
	(void)worker;
	return true;
}

#define prepare_sign    prepare_nothing
#define prepare_encrypt prepare_nothing

static bool prepare_verify(struct worker *worker)
{
	return run_sign(worker);
}

static bool prepare_decrypt(struct worker *worker)
{
	return run_encrypt(worker);
}

static bool prepare_message(struct worker *worker)
{
	CK_MECHANISM mechanism = {CKM_AES_GCM, NULL, 0};
	struct cryptoki_3_0 *p = functions_of_3_0();

	return bench_check(&worker->base.error, "C_GetInterface",
	                   p ? CKR_OK : CKR_FUNCTION_NOT_SUPPORTED) &&
	       bench_check(&worker->base.error, "C_MessageEncryptInit",
	                   p->C_MessageEncryptInit(worker->session, &mechanism, worker->aes));
}

static bool prepare_two(struct worker *worker)
{
	CK_MECHANISM cbc = {CKM_AES_CBC, worker->iv, IV_LEN};

	return CALL(worker, C_EncryptInit, worker->session, &cbc, worker->aes) &&
	       CALL(worker, C_DigestInit, worker->session, &sha256);
}

#define SETUP(kind, size, len)                                                                     \
	static bool setup_##kind##_##size(void *argument)                                          \
	{                                                                                          \
		return prepare(argument, len) && prepare_##kind(argument);                         \
	}
#define SIZES(row, kind, name)                                                                     \
	row(kind, name, 64k, 65536u) row(kind, name, 1m, 1u << 20) row(kind, name, 16m, 16u << 20)
#define KINDS(row)                                                                                 \
	SIZES(row, sign, "hmac-sign")                                                              \
	SIZES(row, verify, "hmac-verify")                                                          \
	SIZES(row, encrypt, "gcm-encrypt")                                                         \
	SIZES(row, decrypt, "gcm-decrypt")                                                         \
	SIZES(row, message, "gcm-message")                                                         \
	SIZES(row, two, "cbc-and-digest")

#define SETUP_ROW(kind, name, size, len) SETUP(kind, size, len)
KINDS(SETUP_ROW)

static void teardown(void *argument)
{
	struct worker *worker = argument;

	free(worker->input);
	free(worker->output);
}

#define OPERATION_ROW(kind, name, size, len)                                                       \
	{name "-" #size, setup_##kind##_##size, run_##kind, teardown},
static const struct bench_operation operations[] = {KINDS(OPERATION_ROW)};

static bool worker_start(void *argument)
{
	struct worker *worker = argument;

	return token_open_session(&worker->session, &worker->base.error);
}

static void worker_end(void *argument)
{
	struct worker *worker = argument;

	if (worker->session)
		CALL(worker, C_CloseSession, worker->session);
}

/* SoftHSM2 has one operation at a time. */
static bool is_lacking(unsigned long code)
{
	return code == CKR_MECHANISM_INVALID || code == CKR_FUNCTION_NOT_SUPPORTED ||
	       code == CKR_OPERATION_ACTIVE;
}

static const struct bench_program program = {
	.name = "bulk_bench",
	.has_module = true,
	.operations = operations,
	.operation_count = COUNT(operations),
	.worker_size = sizeof(struct worker),
	.process_start = token_open,
	.process_end = token_close,
	.worker_start = worker_start,
	.worker_end = worker_end,
	.error_name = ckr_name,
	.is_lacking = is_lacking,
};

int main(int argc, char **argv)
{
	return report_main(&program, argc, argv);
}
