/* SPDX-License-Identifier: Apache-2.0 */
/* The table: complete against the wire's, in order, and what the configuration does to it. */
#include "harness.h"

#include "key_fixture.h"

static const uint64_t listed[] = {
#define MECHANISM(number, parameter) number,
#include "wire/mechanism.def"
#undef MECHANISM
};

#define LISTED (sizeof(listed) / sizeof(listed[0]))

TEST(rows_ascend)
{
	for (size_t i = 1; i < mechanism_count(); i++)
		EXPECT_LE(mechanism_row(i - 1)->type, mechanism_row(i)->type);
	EXPECT_NULL(mechanism_row(mechanism_count()));
}

TEST(every_row_has_a_shape)
{
	enum wire_shape shape;

	for (size_t i = 0; i < mechanism_count(); i++)
		EXPECT_TRUE(wire_mechanism_shape(mechanism_row(i)->type, &shape));
}

/* As if OpenSSL had everything; whether it has is crypto_pqc_test's. */
static struct crypto *whole_crypto(void)
{
	static struct crypto whole;

	open_crypto();
	whole = *crypto;
	whole.has_ml_kem = whole.has_ml_dsa = whole.has_slh_dsa = true;
	return &whole;
}

TEST(every_shape_has_a_row)
{
	struct crypto *whole = whole_crypto();

	for (size_t i = 0; i < LISTED; i++) {
		const struct mechanism *row = mechanism_find(whole, NULL, listed[i]);

		if (!row)
			printf("# %s is not offered\n", wire_mechanism_name(listed[i]));
		EXPECT_EQ(!row, listed[i] == CKM_RSA_X_509); /* off by default */
	}
}

/* What a row says it does, it has code for, and the other way round. */
TEST(functions_have_code)
{
	for (size_t i = 0; i < mechanism_count(); i++) {
		const struct mechanism *row = mechanism_row(i);
		uint64_t encrypts = CKF_ENCRYPT | CKF_DECRYPT | CKF_WRAP | CKF_UNWRAP;

		EXPECT_EQ(!(row->functions & encrypts),
		          !row->encryption && (!row->key || !row->key->wrap));
		EXPECT_EQ(!(row->functions & (CKF_SIGN | CKF_VERIFY | CKF_DIGEST)),
		          !row->operation);
		EXPECT_EQ(!(row->functions & CKF_GENERATE), !row->key || !row->key->generate);
		EXPECT_EQ(!(row->functions & CKF_GENERATE_KEY_PAIR),
		          !row->key || !row->key->generate_pair);
		EXPECT_EQ(!(row->functions & CKF_DERIVE), !row->key || !row->key->derive);
		EXPECT_NE(row->functions, 0);
		EXPECT_LE(row->min_key, row->max_key);
		EXPECT_EQ(row->key_type == CK_UNAVAILABLE_INFORMATION,
		          !!(row->functions & CKF_DIGEST));
	}
}

static uint64_t seen[256];
static size_t seen_count;

static void note(void *context, const struct mechanism *mechanism)
{
	(void)context;
	ASSERT_LT(seen_count, 256);
	seen[seen_count++] = mechanism->type;
}

/* Types without an approved row. */
static size_t count_unapproved(void)
{
	size_t count = 0;

	for (size_t i = 0; i < LISTED; i++) {
		bool approved = false;

		for (size_t j = 0; j < mechanism_count(); j++)
			approved |= mechanism_row(j)->type == listed[i] &&
			            mechanism_row(j)->fips_approved;
		count += !approved;
	}
	return count;
}

TEST(each_gives_every_type_once)
{
	struct config *config = config_defaults();
	struct crypto *whole = whole_crypto();
	size_t expected;

	for (unsigned int i = 0; i < 16; i++) {
		config->algorithms.allow_weak_rsa = i & 1;
		config->algorithms.allow_sha1_signing = i & 2;
		config->algorithms.allow_raw_rsa = i & 4;
		config->algorithms.fips_approved_only = i & 8;
		seen_count = 0;
		mechanism_each(whole, config, note, NULL);
		expected = i & 8 ? LISTED - count_unapproved() : LISTED - !(i & 4);
		EXPECT_EQ(seen_count, expected);
		for (size_t j = 1; j < seen_count; j++)
			EXPECT_LT(seen[j - 1], seen[j]);
	}
	config_free(config);
}

TEST(fips_shows_approved_rows_only)
{
	struct config *config = config_defaults();

	open_crypto();
	config->algorithms.fips_approved_only = true;
	config->algorithms.allow_weak_rsa = true;
	config->algorithms.allow_sha1_signing = true;
	for (size_t i = 0; i < LISTED; i++) {
		const struct mechanism *row = mechanism_find(crypto, config, listed[i]);

		if (!row)
			continue;
		EXPECT_TRUE(row->fips_approved);
		EXPECT_FALSE(row->digest == DIGEST_SHA1 && row->key_type == CKK_RSA &&
		             (row->functions & CKF_SIGN));
		EXPECT_FALSE(row->key_type == CKK_RSA && row->min_key < 2048);
	}
	EXPECT_NULL(mechanism_find(crypto, config, CKM_RSA_PKCS));
	EXPECT_NULL(mechanism_find(crypto, config, CKM_RSA_X_509));
	EXPECT_NULL(mechanism_find(crypto, config, CKM_CHACHA20_POLY1305));
	EXPECT_NULL(mechanism_find(crypto, config, CKM_AES_XTS));
	EXPECT_NOT_NULL(mechanism_find(crypto, config, CKM_AES_XTS_KEY_GEN));
	EXPECT_NOT_NULL(mechanism_find(crypto, config, CKM_RSA_PKCS_OAEP));
	EXPECT_EQ(mechanism_find(crypto, config, CKM_ECDSA_SHA1)->functions, CKF_VERIFY);
	config_free(config);
}

static void count(void *context, const struct mechanism *mechanism)
{
	(void)mechanism;
	(*(size_t *)context)++;
}

/* What a client sees with the default configuration: 90 on OpenSSL 3.0, 120 on 3.5. */
TEST(enough_are_offered)
{
	struct config *config = config_defaults();
	size_t offered = 0;

	open_crypto();
	mechanism_each(crypto, config, count, &offered);
	printf("# %zu mechanisms are offered\n", offered);
	EXPECT_GE(offered, crypto->has_ml_kem ? 120 : 90);
	config_free(config);
}

TEST(unknown_types)
{
	open_crypto();
	EXPECT_NULL(mechanism_find(crypto, NULL, CKM_DES3_CBC));
	EXPECT_NULL(mechanism_find(crypto, NULL, UINT64_MAX));
	EXPECT_NULL(mechanism_find(crypto, NULL, 0x80000000));
	EXPECT_NULL(mechanism_find(crypto, NULL, (1ull << 32) | CKM_AES_ECB));
}

/* An OpenSSL without an algorithm: its rows are gone, the others stay. */
TEST(missing_algorithms_are_not_offered)
{
	struct crypto without;

	open_crypto();
	without = *crypto;
	without.digests[DIGEST_SHA3_256] = NULL;
	without.ciphers[CIPHER_AES_WRAP_PAD][0] = NULL;
	EXPECT_NULL(mechanism_find(&without, NULL, CKM_SHA3_256));
	EXPECT_NULL(mechanism_find(&without, NULL, CKM_SHA3_256_HMAC));
	EXPECT_NULL(mechanism_find(&without, NULL, CKM_AES_KEY_WRAP_KWP));
	EXPECT_NOT_NULL(mechanism_find(&without, NULL, CKM_AES_KEY_WRAP));
	EXPECT_NOT_NULL(mechanism_find(&without, NULL, CKM_SHA256));
	without.hmac = NULL;
	EXPECT_NULL(mechanism_find(&without, NULL, CKM_SHA256_HMAC));
	EXPECT_NOT_NULL(mechanism_find(&without, NULL, CKM_AES_CMAC));
	without.cmac = NULL;
	without.gmac = NULL;
	EXPECT_NULL(mechanism_find(&without, NULL, CKM_AES_CMAC));
	EXPECT_NULL(mechanism_find(&without, NULL, CKM_AES_GMAC));
	without.ciphers[CIPHER_CHACHA20_POLY1305][0] = NULL;
	EXPECT_NULL(mechanism_find(&without, NULL, CKM_CHACHA20_POLY1305));
}

HARNESS_MAIN
