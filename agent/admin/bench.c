/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin bench: how long common operations take through the whole of the service, one
 * caller, session keys. The project's own comparison with other tokens is tests/bench.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cryptoki.h"

#define DATA_LEN   4096u
#define SAMPLE_MAX 200000u
#define SECONDS    1u

struct bench {
	const struct cryptoki *token;
	CK_OBJECT_HANDLE public_key, private_key;
	uint8_t in[DATA_LEN], out[DATA_LEN + 64];
	CK_ULONG out_len;
	uint8_t iv[12];
};

typedef CK_RV prepare_function(struct bench *bench);
typedef CK_RV run_function(struct bench *bench);

/* ---- keys ---- */

static CK_RV make_pair(struct bench *bench, CK_MECHANISM_TYPE type, CK_ATTRIBUTE_TYPE detail,
                       const void *value, size_t len)
{
	struct cryptoki_template public = {0}, private = {0};
	CK_MECHANISM mechanism = {type, NULL, 0};

	cryptoki_add_flag(&public, CKA_TOKEN, false);
	cryptoki_add(&public, detail, value, len);
	cryptoki_add_flag(&private, CKA_TOKEN, false);
	return bench->token->functions->C_GenerateKeyPair(
		bench->token->session, &mechanism, public.attributes, public.count,
		private.attributes, private.count, &bench->public_key, &bench->private_key);
}

static CK_RV make_rsa(struct bench *bench)
{
	static const CK_ULONG bits = 2048;

	return make_pair(bench, CKM_RSA_PKCS_KEY_PAIR_GEN, CKA_MODULUS_BITS, &bits, sizeof(bits));
}

static CK_RV make_ec(struct bench *bench)
{
	static const uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

	return make_pair(bench, CKM_EC_KEY_PAIR_GEN, CKA_EC_PARAMS, p256, sizeof(p256));
}

static CK_RV make_aes(struct bench *bench)
{
	static const CK_ULONG len = 32;
	struct cryptoki_template template = {0};
	CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};

	cryptoki_add_flag(&template, CKA_TOKEN, false);
	cryptoki_add(&template, CKA_VALUE_LEN, &len, sizeof(len));
	return bench->token->functions->C_GenerateKey(bench->token->session, &mechanism,
	                                              template.attributes, template.count,
	                                              &bench->private_key);
}

static CK_RV make_nothing(struct bench *bench)
{
	(void)bench;
	return CKR_OK;
}

/* ---- operations ---- */

static CK_RV random_32(struct bench *bench)
{
	return bench->token->functions->C_GenerateRandom(bench->token->session, bench->out, 32);
}

static CK_RV digest(struct bench *bench)
{
	CK_MECHANISM mechanism = {CKM_SHA256, NULL, 0};
	CK_RV rv = bench->token->functions->C_DigestInit(bench->token->session, &mechanism);

	bench->out_len = sizeof(bench->out);
	return rv ? rv
	          : bench->token->functions->C_Digest(bench->token->session, bench->in, DATA_LEN,
	                                              bench->out, &bench->out_len);
}

static CK_RV sign(struct bench *bench, CK_MECHANISM_TYPE type, size_t len)
{
	CK_MECHANISM mechanism = {type, NULL, 0};
	CK_RV rv = bench->token->functions->C_SignInit(bench->token->session, &mechanism,
	                                               bench->private_key);

	bench->out_len = sizeof(bench->out);
	return rv ? rv
	          : bench->token->functions->C_Sign(bench->token->session, bench->in, len,
	                                            bench->out, &bench->out_len);
}

static CK_RV sign_rsa(struct bench *bench)
{
	return sign(bench, CKM_SHA256_RSA_PKCS, 32);
}

static CK_RV sign_ec(struct bench *bench)
{
	return sign(bench, CKM_ECDSA, 32);
}

/* The signature is the last one that was made: of the warming up. */
static CK_RV verify_ec(struct bench *bench)
{
	CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
	CK_RV rv = bench->token->functions->C_VerifyInit(bench->token->session, &mechanism,
	                                                 bench->public_key);

	return rv ? rv
	          : bench->token->functions->C_Verify(bench->token->session, bench->in, 32,
	                                              bench->out, bench->out_len);
}

static CK_RV make_signature(struct bench *bench)
{
	CK_RV rv = make_ec(bench);

	return rv ? rv : sign_ec(bench);
}

static CK_RV encrypt(struct bench *bench)
{
	CK_GCM_PARAMS parameter = {
		.pIv = bench->iv, .ulIvLen = sizeof(bench->iv), .ulIvBits = 96, .ulTagBits = 128};
	CK_MECHANISM mechanism = {CKM_AES_GCM, &parameter, sizeof(parameter)};
	CK_RV rv = bench->token->functions->C_EncryptInit(bench->token->session, &mechanism,
	                                                  bench->private_key);

	bench->out_len = sizeof(bench->out);
	return rv ? rv
	          : bench->token->functions->C_Encrypt(bench->token->session, bench->in, DATA_LEN,
	                                               bench->out, &bench->out_len);
}

static const struct row {
	const char *name;
	prepare_function *prepare;
	run_function *run;
} rows[] = {
	{"random, 32 bytes", make_nothing, random_32},     {"SHA-256, 4 KiB", make_nothing, digest},
	{"AES-256-GCM encrypt, 4 KiB", make_aes, encrypt}, {"ECDSA P-256 sign", make_ec, sign_ec},
	{"ECDSA P-256 verify", make_signature, verify_ec}, {"RSA-2048 sign", make_rsa, sign_rsa},
};

/* ---- measuring ---- */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static CK_RV measure(struct bench *bench, const struct row *row, uint64_t seconds,
                     uint64_t *samples, size_t *count)
{
	uint64_t begin = now_ns(), end = begin + seconds * 1000000000u, before = begin;
	CK_RV rv = CKR_OK;

	*count = 0;
	while (!rv && before < end && *count < SAMPLE_MAX) {
		uint64_t after;

		rv = row->run(bench);
		after = now_ns();
		samples[(*count)++] = after - before;
		before = after;
		admin_progress(row->name, after - begin, end - begin);
	}
	admin_progress_end();
	qsort(samples, *count, sizeof(*samples), ascending);
	return rv;
}

static json_t *describe(const struct row *row, const uint64_t *samples, size_t count)
{
	double total = 0;

	for (size_t i = 0; i < count; i++)
		total += (double)samples[i];
	return json_pack("{s:s, s:I, s:f, s:f, s:f}", "operation", row->name, "count",
	                 (json_int_t)count, "per_second", (double)count * 1e9 / total, "median_us",
	                 (double)samples[count / 2] / 1e3, "p99_us",
	                 (double)samples[count * 99 / 100] / 1e3);
}

static void print(const json_t *result)
{
	printf("%-28s %10.0f/s   median %9.1f us   p99 %9.1f us\n",
	       admin_json_text(result, "operation"),
	       json_number_value(json_object_get(result, "per_second")),
	       json_number_value(json_object_get(result, "median_us")),
	       json_number_value(json_object_get(result, "p99_us")));
}

static CK_RV run_all(struct bench *bench, uint64_t seconds, uint64_t *samples, bool text,
                     json_t *results)
{
	CK_RV rv = CKR_OK;
	size_t count;

	for (size_t i = 0; !rv && i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *result;

		rv = rows[i].prepare(bench);
		if (!rv)
			rv = measure(bench, &rows[i], seconds, samples, &count);
		if (rv)
			return rv;
		result = describe(&rows[i], samples, count);
		if (text)
			print(result);
		json_array_append_new(results, result);
	}
	return rv;
}

int admin_bench(const struct admin_options *options)
{
	cryptoki_auto token = {0};
	struct bench bench = {.token = &token};
	uint64_t seconds, *samples;
	json_t *results;
	CK_RV rv;

	if (!admin_number("--seconds", options->seconds, SECONDS, &seconds) || !seconds ||
	    seconds > 3600) {
		admin_fail("--seconds: 1 to 3600");
		return ADMIN_USAGE;
	}
	if (!cryptoki_begin(options, false, &token))
		return ADMIN_FAILED;
	samples = calloc(SAMPLE_MAX, sizeof(*samples));
	if (!samples)
		return admin_fail("out of memory");
	results = json_array();
	rv = run_all(&bench, seconds, samples, !options->json, results);
	free(samples);
	if (!rv && options->json)
		return admin_print_json(json_pack("{s:o}", "results", results));
	json_decref(results);
	return rv ? admin_fail_rv("bench", rv) : ADMIN_DONE;
}
