/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures any PKCS#11 module as an application sees it: every operation with its Init call, keys
 * made as session keys, errors checked. What is timed is in the run_ functions, and nothing else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ckr.h"
#include "report.h"
#include "token.h"

#define LABEL_ROOM 48u

struct worker {
	struct bench_worker base;
	pid_t process;
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE key, public_key, private_key;
	CK_MECHANISM mechanism;
	CK_GCM_PARAMS gcm;
	CK_ULONG input_len;
	CK_ULONG signature_len;
	CK_OBJECT_HANDLE *objects;
	unsigned int object_count;
	unsigned int next_object;
	CK_BYTE iv[IV_LEN];
	CK_BYTE input[BULK_LEN];
	CK_BYTE output[BULK_LEN + OUTPUT_ROOM];
	CK_BYTE signature[SIGNATURE_ROOM];
};

#define CALL(worker, function, ...) TOKEN_CALL(&(worker)->base.error, function, __VA_ARGS__)
#define COUNT(array)                (sizeof(array) / sizeof((array)[0]))

static CK_BBOOL yes = CK_TRUE;
static CK_BBOOL no = CK_FALSE;
static CK_OBJECT_CLASS class_data = CKO_DATA;
static CK_ULONG aes_len = 32;
static CK_ULONG rsa_bits = 2048;
static CK_BYTE rsa_exponent[] = {0x01, 0x00, 0x01};
static CK_BYTE p256_oid[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

/* Keys. */

static bool make_aes_key(struct worker *worker, CK_OBJECT_HANDLE *key)
{
	CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
	CK_ATTRIBUTE template[] = {
		{CKA_TOKEN, &no, sizeof(no)},
		{CKA_SENSITIVE, &yes, sizeof(yes)},
		{CKA_ENCRYPT, &yes, sizeof(yes)},
		{CKA_DECRYPT, &yes, sizeof(yes)},
		{CKA_VALUE_LEN, &aes_len, sizeof(aes_len)},
	};

	return CALL(worker, C_GenerateKey, worker->session, &mechanism, template, COUNT(template),
	            key);
}

static bool make_pair(struct worker *worker, CK_MECHANISM_TYPE type, CK_ATTRIBUTE *public_template,
                      CK_ULONG public_count)
{
	CK_MECHANISM mechanism = {type, NULL, 0};
	CK_ATTRIBUTE private_template[] = {
		{CKA_TOKEN, &no, sizeof(no)},
		{CKA_PRIVATE, &yes, sizeof(yes)},
		{CKA_SENSITIVE, &yes, sizeof(yes)},
		{CKA_SIGN, &yes, sizeof(yes)},
	};

	return CALL(worker, C_GenerateKeyPair, worker->session, &mechanism, public_template,
	            public_count, private_template, COUNT(private_template), &worker->public_key,
	            &worker->private_key);
}

static bool make_ec_pair(struct worker *worker)
{
	CK_ATTRIBUTE template[] = {
		{CKA_TOKEN, &no, sizeof(no)},
		{CKA_VERIFY, &yes, sizeof(yes)},
		{CKA_EC_PARAMS, p256_oid, sizeof(p256_oid)},
	};

	return make_pair(worker, CKM_EC_KEY_PAIR_GEN, template, COUNT(template));
}

static bool make_rsa_pair(struct worker *worker)
{
	CK_ATTRIBUTE template[] = {
		{CKA_TOKEN, &no, sizeof(no)},
		{CKA_VERIFY, &yes, sizeof(yes)},
		{CKA_MODULUS_BITS, &rsa_bits, sizeof(rsa_bits)},
		{CKA_PUBLIC_EXPONENT, rsa_exponent, sizeof(rsa_exponent)},
	};

	return make_pair(worker, CKM_RSA_PKCS_KEY_PAIR_GEN, template, COUNT(template));
}

/* What is timed. */

static bool run_random(void *argument)
{
	struct worker *worker = argument;

	return CALL(worker, C_GenerateRandom, worker->session, worker->output, RANDOM_LEN);
}

static bool run_digest(void *argument)
{
	struct worker *worker = argument;
	CK_ULONG len = HASH_LEN;

	return CALL(worker, C_DigestInit, worker->session, &worker->mechanism) &&
	       CALL(worker, C_Digest, worker->session, worker->input, worker->input_len,
	            worker->output, &len);
}

/* The IV counts, as an application's must. */
static bool run_encrypt(void *argument)
{
	struct worker *worker = argument;
	CK_ULONG len = sizeof(worker->output);

	for (unsigned int i = GCM_IV_LEN; i-- && !++worker->iv[i];)
		;
	return CALL(worker, C_EncryptInit, worker->session, &worker->mechanism, worker->key) &&
	       CALL(worker, C_Encrypt, worker->session, worker->input, worker->input_len,
	            worker->output, &len);
}

static bool run_sign(void *argument)
{
	struct worker *worker = argument;

	worker->signature_len = sizeof(worker->signature);
	return CALL(worker, C_SignInit, worker->session, &worker->mechanism, worker->private_key) &&
	       CALL(worker, C_Sign, worker->session, worker->input, worker->input_len,
	            worker->signature, &worker->signature_len);
}

static bool run_verify(void *argument)
{
	struct worker *worker = argument;

	return CALL(worker, C_VerifyInit, worker->session, &worker->mechanism,
	            worker->public_key) &&
	       CALL(worker, C_Verify, worker->session, worker->input, worker->input_len,
	            worker->signature, worker->signature_len);
}

static bool run_aes_keygen(void *argument)
{
	struct worker *worker = argument;
	CK_OBJECT_HANDLE key;

	return make_aes_key(worker, &key) && CALL(worker, C_DestroyObject, worker->session, key);
}

static bool run_ec_keygen(void *argument)
{
	struct worker *worker = argument;

	return make_ec_pair(worker) &&
	       CALL(worker, C_DestroyObject, worker->session, worker->private_key) &&
	       CALL(worker, C_DestroyObject, worker->session, worker->public_key);
}

/* Unique to the process too: what a killed run left on the token is not what we look for. */
static size_t object_label(const struct worker *worker, unsigned int number, char *label)
{
	return (size_t)snprintf(label, LABEL_ROOM, "bench-%d-%u-%u", (int)worker->process,
	                        worker->base.index, number);
}

/* One match is expected, but not insisted on: where threads of several processes create objects,
 * SoftHSM2 2.6.1 may list one of them twice. */
static bool run_find(void *argument)
{
	struct worker *worker = argument;
	char label[LABEL_ROOM];
	size_t label_len = object_label(worker, worker->next_object, label);
	CK_ATTRIBUTE template[] = {{CKA_LABEL, label, label_len}};
	CK_OBJECT_HANDLE found[2];
	CK_ULONG count = 0;

	worker->next_object = (worker->next_object + 1) % worker->object_count;
	return CALL(worker, C_FindObjectsInit, worker->session, template, COUNT(template)) &&
	       CALL(worker, C_FindObjects, worker->session, found, COUNT(found), &count) &&
	       CALL(worker, C_FindObjectsFinal, worker->session) &&
	       bench_check(&worker->base.error, "C_FindObjects (no match)",
	                   count ? CKR_OK : CKR_GENERAL_ERROR);
}

static bool run_token_object(void *argument)
{
	struct worker *worker = argument;
	CK_ATTRIBUTE template[] = {
		{CKA_CLASS, &class_data, sizeof(class_data)},
		{CKA_TOKEN, &yes, sizeof(yes)},
		{CKA_PRIVATE, &yes, sizeof(yes)},
		{CKA_VALUE, worker->input, HASH_LEN},
	};
	CK_OBJECT_HANDLE object;

	return CALL(worker, C_CreateObject, worker->session, template, COUNT(template), &object) &&
	       CALL(worker, C_DestroyObject, worker->session, object);
}

/* What comes before it. */

static bool setup_digest(void *argument)
{
	struct worker *worker = argument;

	worker->mechanism.mechanism = CKM_SHA256;
	worker->input_len = MESSAGE_LEN;
	return true;
}

static bool setup_gcm(void *argument)
{
	struct worker *worker = argument;

	worker->gcm = (CK_GCM_PARAMS){
		.pIv = worker->iv,
		.ulIvLen = GCM_IV_LEN,
		.ulIvBits = GCM_IV_LEN * 8,
		.ulTagBits = 128,
	};
	worker->mechanism = (CK_MECHANISM){CKM_AES_GCM, &worker->gcm, sizeof(worker->gcm)};
	worker->input_len = MESSAGE_LEN;
	return make_aes_key(worker, &worker->key);
}

static bool setup_cbc(void *argument)
{
	struct worker *worker = argument;

	worker->mechanism = (CK_MECHANISM){CKM_AES_CBC, worker->iv, IV_LEN};
	worker->input_len = BULK_LEN;
	return make_aes_key(worker, &worker->key);
}

static bool setup_ecdsa(void *argument)
{
	struct worker *worker = argument;

	worker->mechanism.mechanism = CKM_ECDSA;
	worker->input_len = HASH_LEN;
	return make_ec_pair(worker);
}

static bool setup_rsa(void *argument)
{
	struct worker *worker = argument;

	worker->mechanism.mechanism = CKM_SHA256_RSA_PKCS;
	worker->input_len = HASH_LEN;
	return make_rsa_pair(worker);
}

static bool setup_ecdsa_verify(void *argument)
{
	return setup_ecdsa(argument) && run_sign(argument);
}

static bool setup_rsa_verify(void *argument)
{
	return setup_rsa(argument) && run_sign(argument);
}

static bool make_object(struct worker *worker, unsigned int number)
{
	char label[LABEL_ROOM];
	size_t label_len = object_label(worker, number, label);
	CK_ATTRIBUTE template[] = {
		{CKA_CLASS, &class_data, sizeof(class_data)},
		{CKA_TOKEN, &yes, sizeof(yes)},
		{CKA_PRIVATE, &no, sizeof(no)},
		{CKA_LABEL, label, label_len},
		{CKA_VALUE, worker->input, HASH_LEN},
	};

	return CALL(worker, C_CreateObject, worker->session, template, COUNT(template),
	            &worker->objects[number]);
}

/* All workers together make the number that was asked for, at least one each. */
static bool setup_find(void *argument)
{
	struct worker *worker = argument;
	const struct bench_options *options = worker->base.options;
	unsigned int wanted = options->objects / (options->threads * options->processes);

	wanted += !wanted;
	worker->objects = calloc(wanted, sizeof(*worker->objects));
	if (!worker->objects)
		return bench_check(&worker->base.error, "calloc", CKR_HOST_MEMORY);
	while (worker->object_count < wanted) {
		if (!make_object(worker, worker->object_count))
			return false;
		worker->object_count++;
	}
	return true;
}

static void teardown_find(void *argument)
{
	struct worker *worker = argument;

	for (unsigned int i = 0; i < worker->object_count; i++)
		CALL(worker, C_DestroyObject, worker->session, worker->objects[i]);
	free(worker->objects);
}

static const struct bench_operation operations[] = {
	{"random-32", NULL, run_random, NULL},
	{"digest-sha256-4k", setup_digest, run_digest, NULL},
	{"aes-gcm-4k", setup_gcm, run_encrypt, NULL},
	{"aes-cbc-64k", setup_cbc, run_encrypt, NULL},
	{"ecdsa-p256-sign", setup_ecdsa, run_sign, NULL},
	{"ecdsa-p256-verify", setup_ecdsa_verify, run_verify, NULL},
	{"rsa2048-sign", setup_rsa, run_sign, NULL},
	{"rsa2048-verify", setup_rsa_verify, run_verify, NULL},
	{"aes-keygen", NULL, run_aes_keygen, NULL},
	{"ec-keygen", NULL, run_ec_keygen, NULL},
	{"find", setup_find, run_find, teardown_find},
	{"token-object", NULL, run_token_object, NULL},
};

static bool worker_start(void *argument)
{
	struct worker *worker = argument;

	worker->process = getpid();
	memset(worker->input, 0x5a, sizeof(worker->input));
	return token_open_session(&worker->session, &worker->base.error);
}

static void worker_end(void *argument)
{
	struct worker *worker = argument;

	if (worker->session)
		CALL(worker, C_CloseSession, worker->session);
}

static bool is_lacking(unsigned long code)
{
	return code == CKR_MECHANISM_INVALID || code == CKR_FUNCTION_NOT_SUPPORTED;
}

static const struct bench_program program = {
	.name = "pkcs11_bench",
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
