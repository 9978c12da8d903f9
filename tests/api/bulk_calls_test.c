/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Much data to verify, and to two operations at once. They go through the window as the others do,
 * and what a caller sees is what it sees with few data.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "bulk_calls.h"

static CK_MECHANISM pad = {CKM_AES_CBC_PAD, iv, sizeof(iv)};

/* ---- verification ---- */

static CK_RV verify(const struct signer *signer, size_t len, CK_BYTE *signature,
                    CK_ULONG signature_len)
{
	CK_RV rv;

	OK(p11->C_VerifyInit(session, signer->mechanism, signer->verifies));
	rv = p11->C_Verify(session, in, len, signature, signature_len);
	/* It has ended, whatever it said. */
	GIVES(p11->C_VerifyUpdate(session, in, 1), CKR_OPERATION_NOT_INITIALIZED);
	return rv;
}

static CK_RV verify_first(const struct signer *signer, size_t len, CK_BYTE *signature,
                          CK_ULONG signature_len)
{
	OK(p->C_VerifySignatureInit(session, signer->mechanism, signer->verifies, signature,
	                            signature_len));
	return p->C_VerifySignature(session, in, len);
}

static CK_RV verify_first_by_updates(const struct signer *signer, size_t len, CK_BYTE *signature,
                                     CK_ULONG signature_len)
{
	OK(p->C_VerifySignatureInit(session, signer->mechanism, signer->verifies, signature,
	                            signature_len));
	OK(p->C_VerifySignatureUpdate(session, in, len / 3));
	OK(p->C_VerifySignatureUpdate(session, in + len / 3, len - len / 3));
	return p->C_VerifySignatureFinal(session);
}

static void verify_all(const struct signer *signer, size_t len)
{
	static CK_RV (*const ways[])(const struct signer *, size_t, CK_BYTE *, CK_ULONG) = {
		verify,
		verify_first,
		verify_first_by_updates,
	};
	CK_BYTE signature[64];
	CK_ULONG got = sizeof(signature);

	OK(p11->C_SignInit(session, signer->mechanism, signer->signs));
	OK(p11->C_Sign(session, in, len, signature, &got));
	for (size_t i = 0; i < COUNT(ways); i++) {
		OK(ways[i](signer, len, signature, got));
		signature[5] ^= 1;
		GIVES(ways[i](signer, len, signature, got), CKR_SIGNATURE_INVALID);
		signature[5] ^= 1;
		in[len - 1] ^= 1;
		GIVES(ways[i](signer, len, signature, got), CKR_SIGNATURE_INVALID);
		in[len - 1] ^= 1;
		GIVES(ways[i](signer, len, signature, got - 1), CKR_SIGNATURE_LEN_RANGE);
	}
}

TEST_TIMEOUT(verifications, 120)
{
	open_all();
	for (size_t i = 0; i < COUNT(sizes); i++) {
		verify_all(&signers()[0], sizes[i]);
		verify_all(&signers()[1], sizes[i]);
	}
	close_all();
}

TEST(verifications_out_of_place)
{
	CK_BYTE signature[32] = {0};

	open_all();
	GIVES(p11->C_Verify(session, in, MEDIUM, signature, sizeof(signature)),
	      CKR_OPERATION_NOT_INITIALIZED);
	OK(p11->C_VerifyInit(session, &hmac, secret));
	OK(p11->C_VerifyUpdate(session, in, MEDIUM));
	GIVES(p11->C_Verify(session, in, MEDIUM, signature, sizeof(signature)),
	      CKR_OPERATION_ACTIVE);
	/* Each kind of Init is for its own calls. */
	OK(p11->C_VerifyInit(session, &hmac, secret));
	GIVES(p->C_VerifySignature(session, in, MEDIUM), CKR_OPERATION_NOT_INITIALIZED);
	GIVES(p->C_VerifySignatureUpdate(session, in, MEDIUM), CKR_OPERATION_NOT_INITIALIZED);
	OK(p11->C_VerifyInit(session, NULL, 0));
	OK(p->C_VerifySignatureInit(session, &hmac, secret, signature, sizeof(signature)));
	GIVES(p11->C_Verify(session, in, MEDIUM, signature, sizeof(signature)),
	      CKR_OPERATION_NOT_INITIALIZED);
	GIVES(p11->C_VerifyUpdate(session, in, MEDIUM), CKR_OPERATION_NOT_INITIALIZED);
	GIVES(p->C_VerifySignature(session, in, MEDIUM), CKR_SIGNATURE_INVALID);
	close_all();
}

TEST_TIMEOUT(up_to_the_limit, 120)
{
	CK_BYTE *data = calloc(1, LIMIT + 1), mac[32];
	CK_ULONG got = sizeof(mac);

	open_all();
	OK(p11->C_SignInit(session, &hmac, secret));
	OK(p11->C_Sign(session, data, LIMIT, mac, &got));
	OK(p11->C_VerifyInit(session, &hmac, secret));
	OK(p11->C_Verify(session, data, LIMIT, mac, got));
	OK(p11->C_VerifyInit(session, &hmac, secret));
	GIVES(p11->C_Verify(session, data, LIMIT + 1, mac, got), CKR_DATA_LEN_RANGE);
	free(data);
	close_all();
}

/* ---- two operations at once ---- */

static CK_ULONG oracle_pad(size_t len)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int got, more;

	ASSERT_TRUE(EVP_EncryptInit_ex(context, EVP_aes_256_cbc(), NULL, value, iv));
	ASSERT_TRUE(EVP_EncryptUpdate(context, known, &got, in, (int)len));
	ASSERT_TRUE(EVP_EncryptFinal_ex(context, known + got, &more));
	EVP_CIPHER_CTX_free(context);
	return (CK_ULONG)(got + more);
}

static void check_digest(size_t len)
{
	CK_BYTE digest[32], expected[32];
	CK_ULONG got = sizeof(digest);

	ASSERT_TRUE(EVP_Digest(in, len, expected, NULL, EVP_sha256(), NULL));
	OK(p11->C_DigestFinal(session, digest, &got));
	ASSERT_MEMEQ(digest, expected, sizeof(expected));
}

static void make_mac(size_t len, CK_BYTE mac[32])
{
	unsigned int mac_len = 32;

	ASSERT_NOT_NULL(HMAC(EVP_sha256(), value, sizeof(value), in, len, mac, &mac_len));
}

/* All but one octet by the dual function, whose length is asked first. */
static CK_ULONG pass(CK_C_DigestEncryptUpdate update, CK_C_EncryptFinal final, CK_BYTE *from,
                     size_t len)
{
	CK_ULONG got = 0, more, asked;

	OK(update(session, from, len - 1, NULL, &asked));
	got = asked - 1;
	if (asked)
		GIVES(update(session, from, len - 1, out, &got), CKR_BUFFER_TOO_SMALL);
	OK(update(session, from, len - 1, out, &got));
	ASSERT_EQ(got, asked);
	more = ROOM - got;
	OK(update(session, from + len - 1, 1, out + got, &more));
	got += more;
	more = ROOM - got;
	OK(final(session, out + got, &more));
	return got + more;
}

static void dual(size_t len)
{
	CK_ULONG sealed_len = oracle_pad(len), got = 32;
	CK_BYTE mac[32], expected[32];

	make_mac(len, expected);
	OK(p11->C_EncryptInit(session, &pad, aes));
	OK(p11->C_DigestInit(session, &sha256));
	ASSERT_EQ(pass(p11->C_DigestEncryptUpdate, p11->C_EncryptFinal, in, len), sealed_len);
	ASSERT_MEMEQ(out, known, sealed_len);
	check_digest(len);
	OK(p11->C_EncryptInit(session, &pad, aes));
	OK(p11->C_SignInit(session, &hmac, secret));
	ASSERT_EQ(pass(p11->C_SignEncryptUpdate, p11->C_EncryptFinal, in, len), sealed_len);
	ASSERT_MEMEQ(out, known, sealed_len);
	OK(p11->C_SignFinal(session, mac, &got));
	ASSERT_MEMEQ(mac, expected, sizeof(mac));
}

/* Whole blocks, lest the last octets of the text come by the Final, which feeds nobody. */
static void dual_back(size_t len)
{
	CK_MECHANISM cbc = {CKM_AES_CBC, iv, sizeof(iv)};
	CK_BYTE mac[32];

	len = (len + 15) / 16 * 16;
	oracle_pad(len);
	make_mac(len, mac);
	OK(p11->C_DecryptInit(session, &cbc, aes));
	OK(p11->C_DigestInit(session, &sha256));
	ASSERT_EQ(pass(p11->C_DecryptDigestUpdate, p11->C_DecryptFinal, known, len), len);
	ASSERT_MEMEQ(out, in, len);
	check_digest(len);
	OK(p11->C_DecryptInit(session, &cbc, aes));
	OK(p11->C_VerifyInit(session, &hmac, secret));
	ASSERT_EQ(pass(p11->C_DecryptVerifyUpdate, p11->C_DecryptFinal, known, len), len);
	OK(p11->C_VerifyFinal(session, mac, sizeof(mac)));
}

TEST_TIMEOUT(two_at_once, 120)
{
	open_all();
	for (size_t i = 1; i < COUNT(sizes); i++) {
		dual(sizes[i]);
		dual_back(sizes[i]);
	}
	close_all();
}

/* One of the two is missing, and the other is as it was. */
TEST(two_at_once_and_one_missing)
{
	CK_ULONG got = ROOM, sealed_len;

	open_all();
	sealed_len = oracle_pad(MEDIUM);
	OK(p11->C_EncryptInit(session, &pad, aes));
	GIVES(p11->C_DigestEncryptUpdate(session, in, MEDIUM, out, &got),
	      CKR_OPERATION_NOT_INITIALIZED);
	got = ROOM;
	OK(p11->C_Encrypt(session, in, MEDIUM, out, &got));
	ASSERT_EQ(got, sealed_len);
	ASSERT_MEMEQ(out, known, sealed_len);
	OK(p11->C_DigestInit(session, &sha256));
	GIVES(p11->C_DigestEncryptUpdate(session, in, MEDIUM, out, &got),
	      CKR_OPERATION_NOT_INITIALIZED);
	OK(p11->C_DigestUpdate(session, in, MEDIUM));
	check_digest(MEDIUM);
	close_all();
}

static CK_OBJECT_HANDLE edwards_key(void)
{
	CK_MECHANISM generate = {CKM_EC_EDWARDS_KEY_PAIR_GEN, NULL, 0};
	CK_BYTE curve[] = {0x06, 0x03, 0x2b, 0x65, 0x70};
	CK_ATTRIBUTE template[] = {ATTRIBUTE(CKA_EC_PARAMS, curve)};
	CK_OBJECT_HANDLE verifies, signs = 0;

	OK(p11->C_GenerateKeyPair(session, &generate, template, COUNT(template), NULL, 0, &verifies,
	                          &signs));
	return signs;
}

/* A signature that gathers its data gets more than it can: what the cipher made of the last ones is
 * lost, so that neither goes on. */
TEST(two_at_once_and_one_fails)
{
	/* At the first part of the second call, or only at its last. */
	static const CK_ULONG before[] = {LIMIT, LIMIT, LIMIT - (MEDIUM - MEDIUM % PART)};
	static const CK_ULONG too_many[] = {100, MEDIUM, MEDIUM};
	CK_MECHANISM eddsa = {CKM_EDDSA, NULL, 0};
	CK_BYTE *data = calloc(1, LIMIT), *sealed = malloc(LIMIT + 16);
	CK_OBJECT_HANDLE edwards;
	CK_ULONG got;

	open_all();
	edwards = edwards_key();
	for (size_t i = 0; i < COUNT(too_many); i++) {
		OK(p11->C_EncryptInit(session, &pad, aes));
		OK(p11->C_SignInit(session, &eddsa, edwards));
		got = LIMIT + 16;
		OK(p11->C_SignEncryptUpdate(session, data, before[i], sealed, &got));
		got = LIMIT;
		GIVES(p11->C_SignEncryptUpdate(session, data, too_many[i], sealed, &got),
		      CKR_DATA_LEN_RANGE);
		GIVES(p11->C_EncryptFinal(session, sealed, &got), CKR_OPERATION_NOT_INITIALIZED);
		GIVES(p11->C_SignFinal(session, sealed, &got), CKR_OPERATION_NOT_INITIALIZED);
	}
	free(data);
	free(sealed);
	close_all();
}

/* ---- which way they go, and what they leave ---- */

TEST(all_go_through_the_window)
{
	CK_ULONG got = ROOM, mac_len = 32;
	CK_BYTE mac[32];

	open_with_window();
	OK(p11->C_SignInit(session, &hmac, secret));
	THROUGH_WINDOW(p11->C_Sign(session, in, MEDIUM, mac, &mac_len));
	OK(p11->C_VerifyInit(session, &hmac, secret));
	THROUGH_WINDOW(p11->C_Verify(session, in, MEDIUM, mac, mac_len));
	OK(p->C_VerifySignatureInit(session, &hmac, secret, mac, mac_len));
	THROUGH_WINDOW(p->C_VerifySignature(session, in, MEDIUM));
	OK(p->C_VerifySignatureInit(session, &hmac, secret, mac, mac_len));
	THROUGH_WINDOW(p->C_VerifySignatureUpdate(session, in, MEDIUM));
	OK(p->C_VerifySignatureFinal(session));
	OK(p11->C_EncryptInit(session, &pad, aes));
	OK(p11->C_DigestInit(session, &sha256));
	OK(p11->C_SignInit(session, &hmac, secret));
	THROUGH_WINDOW(p11->C_DigestEncryptUpdate(session, in, MEDIUM, out, &got));
	got = ROOM;
	THROUGH_WINDOW(p11->C_SignEncryptUpdate(session, in, MEDIUM, out, &got));
	OK(p11->C_DecryptInit(session, &pad, aes));
	OK(p11->C_VerifyInit(session, &hmac, secret));
	got = ROOM;
	THROUGH_WINDOW(p11->C_DecryptDigestUpdate(session, in, MEDIUM, out, &got));
	got = ROOM;
	THROUGH_WINDOW(p11->C_DecryptVerifyUpdate(session, in, MEDIUM, out, &got));
	close_all();
}

/* As of calls with few data: one record each, none of what only asks or goes on. */
TEST(one_record_for_each_call)
{
	CK_BYTE mac[32] = {0};
	CK_ULONG got = ROOM;

	open_all();
	OK(p11->C_VerifyInit(session, &hmac, secret));
	GIVES(p11->C_Verify(session, in, MEDIUM, mac, sizeof(mac)), CKR_SIGNATURE_INVALID);
	OK(p11->C_EncryptInit(session, &pad, aes));
	OK(p11->C_DigestInit(session, &sha256));
	OK(p11->C_DigestEncryptUpdate(session, in, MEDIUM, out, &got));
	OK(p11->C_Finalize(NULL));
	ASSERT_EQ(api_end_agent(SIGTERM), 0);
	EXPECT_EQ(bulk_records_of("C_Verify"), 1);
	EXPECT_EQ(bulk_records_of("C_DigestEncryptUpdate"), 0); /* only failures leave one */
	EXPECT_EQ(bulk_records_of("(data in parts)"), 0);
	close_all();
}

HARNESS_MAIN
