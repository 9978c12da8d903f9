/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pairwise consistency test (B22) finds a pair whose halves do not belong together, by
 * whichever way the mode asks for.
 */
#include "harness.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "key_fixture.h"

#include "config.h"
#include "keygen.h"

/* A key whose halves do not belong together: the private scalar of one, the point of another. */
static void expect_pairwise_failure(bool fips)
{
	struct config *config = config_defaults();
	EVP_PKEY *pkey = NULL;
	EVP_PKEY_CTX *context;
	uint8_t scalar[32], octets[65];
	EVP_PKEY *point;
	size_t len;

	open_crypto();
	config->algorithms.fips_approved_only = fips;
	memset(scalar, 5, sizeof(scalar));
	point = EVP_PKEY_Q_keygen(crypto->library, NULL, "EC", "P-256");
	ASSERT_EQ(EVP_PKEY_get_octet_string_param(point, "pub", octets, sizeof(octets), &len), 1);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string("group", (char *)"P-256", 0),
		OSSL_PARAM_construct_octet_string("pub", octets, len),
		OSSL_PARAM_construct_BN("priv", scalar, sizeof(scalar)),
		OSSL_PARAM_construct_end(),
	};
	context = EVP_PKEY_CTX_new_from_name(crypto->library, "EC", NULL);
	ASSERT_EQ(EVP_PKEY_fromdata_init(context), 1);
	ASSERT_EQ(EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_KEYPAIR, params), 1);
	EXPECT_EQ(keygen_pairwise_test(crypto, config, point), ERROR_NONE);
	EXPECT_TRUE(state_operational(&fixture_state));
	EXPECT_EQ(keygen_pairwise_test(crypto, config, pkey), ERROR_CRYPTO);
	EXPECT_FALSE(state_operational(&fixture_state));
	EXPECT_NOT_NULL(strstr(state_reason(&fixture_state), "pairwise"));
	EVP_PKEY_free(pkey);
	EVP_PKEY_free(point);
	EVP_PKEY_CTX_free(context);
	config_free(config);
}

TEST(pairwise_failure_is_the_error_state)
{
	expect_pairwise_failure(false);
}
TEST(pairwise_failure_by_signature_in_fips_mode)
{
	expect_pairwise_failure(true);
}

HARNESS_MAIN
