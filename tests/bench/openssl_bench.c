/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same operations by OpenSSL alone, in the caller's own memory: the floor under every module's
 * numbers, and what isolation costs.
 */
#include "openssl_operations.h"
#include "report.h"

static void worker_end(void *argument)
{
	struct openssl_worker *worker = argument;

	EVP_PKEY_CTX_free(worker->generation);
	EVP_PKEY_CTX_free(worker->key_use);
	EVP_PKEY_free(worker->key);
	EVP_CIPHER_CTX_free(worker->encryption);
	EVP_CIPHER_free(worker->cipher);
	EVP_MD_CTX_free(worker->digest);
	EVP_MD_free(worker->sha256);
	OPENSSL_cleanse(worker->secret, KEY_LEN);
}

static const struct bench_program program = {
	.name = "openssl_bench",
	.operations = openssl_operations,
	.operation_count = OPENSSL_OPERATIONS,
	.worker_size = sizeof(struct openssl_worker),
	.worker_start = openssl_worker_start,
	.worker_end = worker_end,
	.error_name = openssl_error_name,
	.is_lacking = openssl_is_lacking,
};

int main(int argc, char **argv)
{
	return report_main(&program, argc, argv);
}
