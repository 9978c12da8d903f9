/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations by OpenSSL alone. Algorithms are fetched once, as a good application does; each
 * operation sets its key and parameters again, as a PKCS#11 Init call does. The first member of a
 * program's worker must be a struct openssl_worker.
 */
#ifndef TESTS_BENCH_OPENSSL_OPERATIONS_H
#define TESTS_BENCH_OPENSSL_OPERATIONS_H

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include "bench.h"

#define KEY_LEN 32u
#define TAG_LEN 16u

struct openssl_worker {
	struct bench_worker base;
	EVP_MD *sha256;
	EVP_MD_CTX *digest;
	EVP_CIPHER *cipher;
	EVP_CIPHER_CTX *encryption;
	EVP_PKEY *key;
	EVP_PKEY_CTX *key_use;
	EVP_PKEY_CTX *generation;
	bool is_rsa;
	int input_len;
	size_t signature_len;
	unsigned char secret[KEY_LEN];
	unsigned char iv[IV_LEN];
	unsigned char tag[TAG_LEN];
	unsigned char input[BULK_LEN];
	unsigned char output[BULK_LEN + OUTPUT_ROOM];
	unsigned char signature[SIGNATURE_ROOM];
};

/* OpenSSL's calls return 1; the code of a failure is its error code, or 1 when it left none. */
static bool check(struct openssl_worker *worker, const char *call, bool done)
{
	unsigned long code = done ? 0 : ERR_peek_last_error();

	return bench_check(&worker->base.error, call, done || code ? code : 1);
}

#define CALL(worker, function, ...) check((worker), #function, function(__VA_ARGS__) == 1)
#define MAKE(worker, place, function, ...)                                                         \
	check((worker), #function, ((place) = function(__VA_ARGS__)) != NULL)

/* What is timed. */

static bool run_random(void *argument)
{
	struct openssl_worker *worker = argument;

	return CALL(worker, RAND_bytes, worker->output, RANDOM_LEN);
}

static bool run_digest(void *argument)
{
	struct openssl_worker *worker = argument;

	return CALL(worker, EVP_DigestInit_ex2, worker->digest, worker->sha256, NULL) &&
	       CALL(worker, EVP_DigestUpdate, worker->digest, worker->input,
	            (size_t)worker->input_len) &&
	       CALL(worker, EVP_DigestFinal_ex, worker->digest, worker->output, NULL);
}

static bool encrypt(struct openssl_worker *worker)
{
	int len, rest;

	for (unsigned int i = GCM_IV_LEN; i-- && !++worker->iv[i];)
		;
	return CALL(worker, EVP_EncryptInit_ex2, worker->encryption, worker->cipher, worker->secret,
	            worker->iv, NULL) &&
	       CALL(worker, EVP_EncryptUpdate, worker->encryption, worker->output, &len,
	            worker->input, worker->input_len) &&
	       CALL(worker, EVP_EncryptFinal_ex, worker->encryption, worker->output + len, &rest);
}

static bool run_gcm(void *argument)
{
	struct openssl_worker *worker = argument;

	return encrypt(worker) && CALL(worker, EVP_CIPHER_CTX_ctrl, worker->encryption,
	                               EVP_CTRL_AEAD_GET_TAG, TAG_LEN, worker->tag);
}

static bool run_cbc(void *argument)
{
	return encrypt(argument);
}

/* CKM_ECDSA takes a hash that was made before; CKM_SHA256_RSA_PKCS makes it: so do we. */
static bool prepare_hash(struct openssl_worker *worker, const unsigned char **hash)
{
	*hash = worker->is_rsa ? worker->output : worker->input;
	return !worker->is_rsa ||
	       (run_digest(worker) &&
	        CALL(worker, EVP_PKEY_CTX_set_rsa_padding, worker->key_use, RSA_PKCS1_PADDING) &&
	        CALL(worker, EVP_PKEY_CTX_set_signature_md, worker->key_use, worker->sha256));
}

static bool run_sign(void *argument)
{
	struct openssl_worker *worker = argument;
	const unsigned char *hash;

	worker->signature_len = sizeof(worker->signature);
	return CALL(worker, EVP_PKEY_sign_init, worker->key_use) && prepare_hash(worker, &hash) &&
	       CALL(worker, EVP_PKEY_sign, worker->key_use, worker->signature,
	            &worker->signature_len, hash, HASH_LEN);
}

static bool run_verify(void *argument)
{
	struct openssl_worker *worker = argument;
	const unsigned char *hash;

	return CALL(worker, EVP_PKEY_verify_init, worker->key_use) && prepare_hash(worker, &hash) &&
	       CALL(worker, EVP_PKEY_verify, worker->key_use, worker->signature,
	            worker->signature_len, hash, HASH_LEN);
}

static bool run_aes_keygen(void *argument)
{
	struct openssl_worker *worker = argument;
	bool done = CALL(worker, RAND_priv_bytes, worker->secret, KEY_LEN);

	OPENSSL_cleanse(worker->secret, KEY_LEN);
	return done;
}

static bool run_ec_keygen(void *argument)
{
	struct openssl_worker *worker = argument;
	EVP_PKEY *key = NULL;
	bool done = CALL(worker, EVP_PKEY_generate, worker->generation, &key);

	EVP_PKEY_free(key);
	return done;
}

/* What comes before it. */

static bool setup_digest(void *argument)
{
	struct openssl_worker *worker = argument;

	worker->input_len = MESSAGE_LEN;
	return MAKE(worker, worker->digest, EVP_MD_CTX_new);
}

static bool setup_cipher(struct openssl_worker *worker, const char *name, int input_len)
{
	worker->input_len = input_len;
	return MAKE(worker, worker->cipher, EVP_CIPHER_fetch, NULL, name, NULL) &&
	       MAKE(worker, worker->encryption, EVP_CIPHER_CTX_new) &&
	       CALL(worker, RAND_priv_bytes, worker->secret, KEY_LEN);
}

static bool setup_gcm(void *argument)
{
	return setup_cipher(argument, "AES-256-GCM", MESSAGE_LEN);
}

/* The padding adds one block to 4096: nothing that could be measured. */
static bool setup_cbc(void *argument)
{
	return setup_cipher(argument, "AES-256-CBC", BULK_LEN);
}

static bool setup_ec_generation(void *argument)
{
	struct openssl_worker *worker = argument;

	return MAKE(worker, worker->generation, EVP_PKEY_CTX_new_from_name, NULL, "EC", NULL) &&
	       CALL(worker, EVP_PKEY_keygen_init, worker->generation) &&
	       CALL(worker, EVP_PKEY_CTX_set_group_name, worker->generation, "P-256");
}

static bool setup_ecdsa(void *argument)
{
	struct openssl_worker *worker = argument;

	return MAKE(worker, worker->key, EVP_EC_gen, "P-256") &&
	       MAKE(worker, worker->key_use, EVP_PKEY_CTX_new_from_pkey, NULL, worker->key, NULL);
}

static bool setup_rsa(void *argument)
{
	struct openssl_worker *worker = argument;

	worker->is_rsa = true;
	worker->input_len = HASH_LEN;
	return MAKE(worker, worker->digest, EVP_MD_CTX_new) &&
	       MAKE(worker, worker->key, EVP_RSA_gen, 2048) &&
	       MAKE(worker, worker->key_use, EVP_PKEY_CTX_new_from_pkey, NULL, worker->key, NULL);
}

static bool setup_ecdsa_verify(void *argument)
{
	return setup_ecdsa(argument) && run_sign(argument);
}

static bool setup_rsa_verify(void *argument)
{
	return setup_rsa(argument) && run_sign(argument);
}

static const struct bench_operation openssl_operations[] = {
	{"random-32", NULL, run_random, NULL},
	{"digest-sha256-4k", setup_digest, run_digest, NULL},
	{"aes-gcm-4k", setup_gcm, run_gcm, NULL},
	{"aes-cbc-64k", setup_cbc, run_cbc, NULL},
	{"ecdsa-p256-sign", setup_ecdsa, run_sign, NULL},
	{"ecdsa-p256-verify", setup_ecdsa_verify, run_verify, NULL},
	{"rsa2048-sign", setup_rsa, run_sign, NULL},
	{"rsa2048-verify", setup_rsa_verify, run_verify, NULL},
	{"aes-keygen", NULL, run_aes_keygen, NULL},
	{"ec-keygen", setup_ec_generation, run_ec_keygen, NULL},
};

#define OPENSSL_OPERATIONS (sizeof(openssl_operations) / sizeof(openssl_operations[0]))

static bool openssl_worker_start(void *argument)
{
	struct openssl_worker *worker = argument;

	memset(worker->input, 0x5a, sizeof(worker->input));
	return MAKE(worker, worker->sha256, EVP_MD_fetch, NULL, "SHA256", NULL);
}

static const char *openssl_error_name(unsigned long code)
{
	const char *reason = ERR_reason_error_string(code);

	return reason ? reason : "failed";
}

static bool openssl_is_lacking(unsigned long code)
{
	return ERR_GET_REASON(code) == ERR_R_UNSUPPORTED;
}

#endif
