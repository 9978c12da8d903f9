/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The module's arithmetic on registers, done over by the log's own account.
 */
#include "audit_fold.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/buffer.h"

static const char log_id_prefix[] = "craton-hsm anchor";

static bool hash_path(const EVP_MD *sha256, const char *path, uint8_t hash[EVP_MAX_MD_SIZE])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool done = context && EVP_DigestInit_ex2(context, sha256, NULL) &&
	            EVP_DigestUpdate(context, log_id_prefix, sizeof(log_id_prefix) - 1) &&
	            EVP_DigestUpdate(context, path, strlen(path)) &&
	            EVP_DigestFinal_ex(context, hash, NULL);

	EVP_MD_CTX_free(context);
	return done;
}

bool audit_log_id(const EVP_MD *sha256, const char *path, uint8_t log_id[KERNEL_LOG_ID_LEN])
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	char *real = realpath(path, NULL);
	bool done = hash_path(sha256, real ? real : path, hash);

	free(real);
	if (done)
		memcpy(log_id, hash, KERNEL_LOG_ID_LEN);
	return done;
}

void audit_fold_begin(struct audit_fold *fold, const EVP_MD *sha256)
{
	*fold = (struct audit_fold){.sha256 = sha256};
}

/* As CRATON_HSM_ANCHOR_EXTEND does it. */
static bool extend(const EVP_MD *sha256, struct kernel_register *at,
                   const uint8_t value[KERNEL_REGISTER_LEN])
{
	uint8_t input[2 * KERNEL_REGISTER_LEN];

	memcpy(input, at->value, KERNEL_REGISTER_LEN);
	memcpy(input + KERNEL_REGISTER_LEN, value, KERNEL_REGISTER_LEN);
	at->counter++;
	return EVP_Digest(input, sizeof(input), at->value, NULL, sha256, NULL);
}

static void restart(struct audit_fold *fold)
{
	fold->restarts += fold->told.counter > 0;
	fold->told = (struct kernel_register){0};
	fold->broken = false;
}

void audit_fold_record(struct audit_fold *fold, uint64_t sequence, uint64_t anchor,
                       const uint8_t previous_hash[KERNEL_REGISTER_LEN])
{
	if (!anchor)
		return;
	if (anchor == 1)
		restart(fold);
	if (fold->broken)
		return;
	if (anchor == fold->told.counter + 1 && extend(fold->sha256, &fold->told, previous_hash))
		return;
	fold->broken = true;
	fold->broken_sequence = sequence;
	fold->broken_from = fold->told.counter;
	fold->broken_to = anchor;
}

void audit_fold_describe(const struct audit_fold *fold, char *problem, size_t problem_len)
{
	snprintf(problem, problem_len,
	         "anchor goes from %" PRIu64 " to %" PRIu64 " in record %" PRIu64,
	         fold->broken_from, fold->broken_to, fold->broken_sequence);
}

bool audit_register_equal(const struct kernel_register *a, const struct kernel_register *b)
{
	return a->counter == b->counter &&
	       !memcmp(a->value, b->value, sizeof(a->value)); /* not secret: of a log */
}

/* The counters are compared first: this is asked of every record. */
static bool fits(const EVP_MD *sha256, struct kernel_register at, const struct kernel_register *now,
                 const uint8_t hash[KERNEL_REGISTER_LEN])
{
	return now->counter == at.counter + 1 && extend(sha256, &at, hash) &&
	       audit_register_equal(&at, now);
}

bool audit_fold_fits(const struct audit_fold *fold, const struct kernel_register *now,
                     const uint8_t hash[KERNEL_REGISTER_LEN])
{
	const struct kernel_register zeros = {0};

	return fits(fold->sha256, zeros, now, hash) ||
	       (!fold->broken && fits(fold->sha256, fold->told, now, hash));
}
