/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DRBG: every key comes from it, reseeding on demand, forks, failures (B3).
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <pthread.h>

#include "base_fixture.h"
#include "config.h"
#include "drbg.h"
#include "keygen.h"
#include "mechanism.h"

#define GAVE_OCTETS 77 /* exit status; sanitizers use 1 */

static struct drbg_statistics statistics(void)
{
	struct drbg_statistics now;

	drbg_statistics(base_crypto->drbg, &now);
	return now;
}

/* Every way to a new key asks the DRBG. */
TEST(keys_come_from_it)
{
	static const struct {
		const char *type, *group;
	} kinds[] = {{"RSA", NULL},
	             {"EC", "P-256"},
	             {"EC", "P-384"},
	             {"EC", "P-521"},
	             {"ED25519", NULL}};
	uint64_t before;
	EVP_PKEY *key;

	base_open_crypto();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		before = statistics().requests;
		if (kinds[i].group)
			key = EVP_PKEY_Q_keygen(base_crypto->library, NULL, kinds[i].type,
			                        kinds[i].group);
		else if (i == 0)
			key = EVP_PKEY_Q_keygen(base_crypto->library, NULL, kinds[i].type,
			                        (size_t)2048);
		else
			key = EVP_PKEY_Q_keygen(base_crypto->library, NULL, kinds[i].type);
		ASSERT_NOT_NULL(key);
		ASSERT_GT(statistics().requests, before);
		EVP_PKEY_free(key);
	}
}

TEST(secret_keys_come_from_it)
{
	struct config *config = config_defaults();
	struct wire_mechanism parameter = {.type = CKM_AES_KEY_GEN};
	const struct mechanism *mechanism;
	attributes_auto set = {0};
	uint64_t before;

	base_open_crypto();
	mechanism = mechanism_find(base_crypto, config, CKM_AES_KEY_GEN);
	ASSERT_NOT_NULL(mechanism);
	ASSERT_EQ(attributes_set_number(&set, CKA_VALUE_LEN, 32), ERROR_NONE);
	before = statistics().requests;
	ASSERT_EQ(keygen_secret(base_crypto, mechanism, &parameter, &set), ERROR_NONE);
	ASSERT_EQ(statistics().requests, before + 1);
	ASSERT_EQ(attributes_bytes(&set, CKA_VALUE).len, 32);
	config_free(config);
}

/* OpenSSL asks for the limit before each output; it is the same when other things are asked, too.
 */
TEST(one_limit_of_a_request)
{
	EVP_RAND_CTX *generator;
	size_t alone = 0, beside = 0;
	int state = EVP_RAND_STATE_ERROR;
	OSSL_PARAM one[] = {OSSL_PARAM_size_t(OSSL_RAND_PARAM_MAX_REQUEST, &alone), OSSL_PARAM_END};
	OSSL_PARAM two[] = {OSSL_PARAM_size_t(OSSL_RAND_PARAM_MAX_REQUEST, &beside),
	                    OSSL_PARAM_int(OSSL_RAND_PARAM_STATE, &state), OSSL_PARAM_END};

	base_open_crypto();
	generator = RAND_get0_public(base_crypto->library);
	ASSERT_NOT_NULL(generator);
	ASSERT_EQ(EVP_RAND_CTX_get_params(generator, one), 1);
	ASSERT_EQ(EVP_RAND_CTX_get_params(generator, two), 1);
	ASSERT_GT(alone, 0);
	ASSERT_EQ(alone, beside);
	ASSERT_EQ(state, EVP_RAND_STATE_READY);
}

static int by_octets(const void *one, const void *other)
{
	return memcmp(one, other, 16);
}

TEST(outputs_differ)
{
	uint8_t a[32], b[32];

	base_open_crypto();
	ASSERT_EQ(crypto_random(base_crypto, a, sizeof(a)), ERROR_NONE);
	ASSERT_EQ(crypto_random(base_crypto, b, sizeof(b)), ERROR_NONE);
	ASSERT_NE(memcmp(a, b, sizeof(a)), 0);
	ASSERT_EQ(statistics().requests, 2);
	ASSERT_EQ(statistics().failures, 0);
}

/* Small requests share larger outputs: no octets come twice, whatever the sizes, over refills and
 * reseeds. */
TEST(shares_differ)
{
	static uint8_t shares[3000][16];
	uint8_t waste[64];

	base_open_crypto();
	for (size_t i = 0; i < 3000; i++) {
		ASSERT_EQ(crypto_random(base_crypto, shares[i], 16), ERROR_NONE);
		ASSERT_EQ(crypto_random(base_crypto, waste, 1 + i % 64), ERROR_NONE);
		if (i % 100 == 0)
			drbg_reseed_all(base_crypto->drbg);
	}
	ASSERT_EQ(statistics().requests, 6000);
	qsort(shares, 3000, 16, by_octets);
	for (size_t i = 1; i < 3000; i++)
		ASSERT_NE(memcmp(shares[i - 1], shares[i], 16), 0);
}

TEST(large_requests)
{
	static uint8_t octets[300000];

	base_open_crypto();
	ASSERT_EQ(crypto_random(base_crypto, octets, sizeof(octets)), ERROR_NONE);
	/* 65536 octets is the most that one request gives. */
	ASSERT_EQ(statistics().requests, 5);
}

TEST(reseed_on_demand)
{
	uint8_t octets[32];
	uint64_t before;

	base_open_crypto();
	ASSERT_EQ(crypto_random(base_crypto, octets, sizeof(octets)), ERROR_NONE);
	before = statistics().reseeds;
	ASSERT_EQ(crypto_random(base_crypto, octets, sizeof(octets)), ERROR_NONE);
	ASSERT_EQ(statistics().reseeds, before);
	drbg_reseed_all(base_crypto->drbg);
	ASSERT_EQ(statistics().reseeds, before);
	ASSERT_EQ(crypto_random(base_crypto, octets, sizeof(octets)), ERROR_NONE);
	ASSERT_EQ(statistics().reseeds, before + 1);
	drbg_add(base_crypto->drbg, octets, sizeof(octets));
	ASSERT_EQ(crypto_random(base_crypto, octets, sizeof(octets)), ERROR_NONE);
	ASSERT_EQ(statistics().reseeds, before + 2);
}

TEST(a_fork_is_seen)
{
	uint8_t octets[32];
	int status;
	pid_t child;

	base_open_crypto();
	ASSERT_EQ(crypto_random(base_crypto, octets, sizeof(octets)), ERROR_NONE);
	fflush(NULL);
	child = fork();
	if (!child)
		_exit(crypto_random(base_crypto, octets, sizeof(octets)) ? 0 : GAVE_OCTETS);
	waitpid(child, &status, 0);
	/* Refused, or ended because the child does not have the locked memory; never the parent's
	 * stream. */
	ASSERT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) == GAVE_OCTETS);
	ASSERT_EQ(crypto_random(base_crypto, octets, sizeof(octets)), ERROR_NONE);
}

TEST(nothing_in_the_error_state)
{
	uint8_t octets[32];

	base_open_crypto();
	state_fail(&base_state, "for the test");
	memset(octets, 1, sizeof(octets));
	ASSERT_EQ(crypto_random(base_crypto, octets, sizeof(octets)), ERROR_RANDOM);
	for (size_t i = 0; i < sizeof(octets); i++)
		ASSERT_EQ(octets[i], 0);
	ASSERT_NULL(EVP_PKEY_Q_keygen(base_crypto->library, NULL, "EC", "P-256"));
}

static void *draw(void *unused)
{
	uint8_t octets[24];

	(void)unused;
	for (int i = 0; i < 2000; i++) {
		if (crypto_random(base_crypto, octets, sizeof(octets)))
			return (void *)(uintptr_t) "failed";
	}
	return NULL;
}

TEST(threads)
{
	pthread_t threads[6];
	void *problem;

	base_open_crypto();
	for (int i = 0; i < 6; i++)
		ASSERT_EQ(pthread_create(&threads[i], NULL, draw, NULL), 0);
	for (int i = 0; i < 20; i++)
		drbg_reseed_all(base_crypto->drbg);
	for (int i = 0; i < 6; i++) {
		pthread_join(threads[i], &problem);
		ASSERT_NULL(problem);
	}
	ASSERT_EQ(statistics().requests, 12000);
}

TEST(reseeding_at_the_interval_is_counted)
{
	uint8_t octets[65]; /* too many for a share of a larger output */
	uint64_t before;

	base_open_crypto();
	ASSERT_EQ(crypto_random(base_crypto, octets, sizeof(octets)), ERROR_NONE);
	before = statistics().reseeds;
	for (int i = 0; i < 4096; i++)
		ASSERT_EQ(crypto_random(base_crypto, octets, sizeof(octets)), ERROR_NONE);
	ASSERT_EQ(statistics().reseeds, before + 1);
}

HARNESS_MAIN
