/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealing, PIN derivation and the fetched algorithms.
 */
#include "base_fixture.h"

static const uint8_t key[CRYPTO_KEY_LEN] = {1, 2, 3};

TEST(seal_and_open)
{
	uint8_t sealed[100 + CRYPTO_SEAL_OVERHEAD], again[sizeof(sealed)], back[100], plain[100];
	struct wire_bytes aad = wire_text("bound to this");

	base_open_crypto();
	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)i;
	ASSERT_EQ(crypto_seal(base_crypto, key, aad, (struct wire_bytes){plain, 100}, sealed),
	          ERROR_NONE);
	ASSERT_EQ(crypto_seal(base_crypto, key, aad, (struct wire_bytes){plain, 100}, again),
	          ERROR_NONE);
	ASSERT_NE(memcmp(sealed, again, sizeof(sealed)), 0);
	ASSERT_EQ(crypto_open_sealed(base_crypto, key, aad,
	                             (struct wire_bytes){sealed, sizeof(sealed)}, back),
	          ERROR_NONE);
	ASSERT_MEMEQ(back, plain, 100);
}

/* Every octet counts, and nothing of the plaintext comes out of a damaged one. */
TEST(damage_is_seen)
{
	uint8_t sealed[20 + CRYPTO_SEAL_OVERHEAD], back[20], plain[20] = {9};
	struct wire_bytes aad = wire_text("aad");

	base_open_crypto();
	ASSERT_EQ(crypto_seal(base_crypto, key, aad, (struct wire_bytes){plain, 20}, sealed),
	          ERROR_NONE);
	for (size_t i = 0; i < sizeof(sealed); i++) {
		sealed[i] ^= 1;
		memset(back, 7, sizeof(back));
		ASSERT_EQ(crypto_open_sealed(base_crypto, key, aad,
		                             (struct wire_bytes){sealed, sizeof(sealed)}, back),
		          ERROR_STORE_CORRUPT);
		for (size_t at = 0; at < sizeof(back); at++)
			ASSERT_EQ(back[at], 0);
		sealed[i] ^= 1;
	}
	for (size_t len = 0; len < sizeof(sealed); len++)
		ASSERT_EQ(crypto_open_sealed(base_crypto, key, aad,
		                             (struct wire_bytes){sealed, len}, back),
		          ERROR_STORE_CORRUPT);
	ASSERT_EQ(crypto_open_sealed(base_crypto, key, wire_text("aae"),
	                             (struct wire_bytes){sealed, sizeof(sealed)}, back),
	          ERROR_STORE_CORRUPT);
}

/* RFC 7914 section 11: PBKDF2-HMAC-SHA-256, P = "Password", S = "NaCl", c = 80000; the first 32
 * octets. */
TEST(pbkdf2_known_answer)
{
	static const uint8_t known[32] = {0x4d, 0xdc, 0xd8, 0xf6, 0x0b, 0x98, 0xbe, 0x21,
	                                  0x83, 0x0c, 0xee, 0x5e, 0xf2, 0x27, 0x01, 0xf9,
	                                  0x64, 0x1a, 0x44, 0x18, 0xd0, 0x4c, 0x04, 0x14,
	                                  0xae, 0xff, 0x08, 0x87, 0x6b, 0x34, 0xab, 0x56};
	uint8_t derived[32];

	base_open_crypto();
	ASSERT_EQ(crypto_pbkdf2(base_crypto, wire_text("Password"), wire_text("NaCl"), 80000,
	                        derived),
	          ERROR_NONE);
	ASSERT_MEMEQ(derived, known, 32);
}

TEST(algorithms_are_there)
{
	base_open_crypto();
	for (int i = DIGEST_NONE + 1; i < DIGEST_COUNT; i++)
		ASSERT_NOT_NULL(crypto_md(base_crypto, (enum crypto_digest)i));
	for (int i = 0; i < CIPHER_COUNT; i++) {
		for (size_t len = 0; len <= 70; len++) {
			const EVP_CIPHER *cipher =
				crypto_cipher(base_crypto, (enum crypto_cipher)i, len);
			bool valid = len == 16 || len == 24 || len == 32;

			if (i == CIPHER_AES_XTS)
				valid = len == 32 || len == 64;
			if (i == CIPHER_CHACHA20_POLY1305)
				valid = len == 32;

			ASSERT_EQ(cipher != NULL, valid);
			if (cipher)
				ASSERT_EQ(EVP_CIPHER_get_key_length(cipher), (int)len);
		}
	}
}

HARNESS_MAIN
