/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Much data through the calls that do not merely turn data into a result: verification, two
 * operations at once, messages under one key. They go through the window as the others do, and what
 * a caller sees is what it sees with few data.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "bulk.h"
#include "wire/cryptoki_3.h"

#define TAG_LEN 16u
#define MEDIUM  (1024u * 1024u + 5u)
#define LIMIT   (64u * 1024u * 1024u)
#define ROOM    (MEDIUM + 64u)

static const size_t sizes[] = {
	1,      7935, 7936, 7937, PART - 1, PART, PART + 1, 5 * PART, WIRE_WINDOW_SLOTS *PART + 1,
	MEDIUM,
};

static CK_BYTE iv[16] = {1, 2, 3, 4, 5}, value[32] = {9, 8, 7}, aad[20] = {9}, tag[TAG_LEN];
static CK_BYTE *in, *out, *known;
static CK_SESSION_HANDLE session;
static CK_OBJECT_HANDLE aes, chacha, secret, public_key, private_key;
static struct cryptoki_3_2 *p;
static CK_MECHANISM pad = {CKM_AES_CBC_PAD, iv, sizeof(iv)}, sha256 = {CKM_SHA256, NULL, 0},
		    hmac = {CKM_SHA256_HMAC, NULL, 0}, ecdsa = {CKM_ECDSA_SHA256, NULL, 0},
		    gcm = {CKM_AES_GCM, NULL, 0}, ccm = {CKM_AES_CCM, NULL, 0},
		    poly1305 = {CKM_CHACHA20_POLY1305, NULL, 0};

static CK_OBJECT_HANDLE import(CK_KEY_TYPE type)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_OBJECT_HANDLE imported = 0;
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_CLASS, class), ATTRIBUTE(CKA_KEY_TYPE, type),
		ATTRIBUTE(CKA_ENCRYPT, yes), ATTRIBUTE(CKA_DECRYPT, yes),
		ATTRIBUTE(CKA_SIGN, yes),    ATTRIBUTE(CKA_VERIFY, yes),
		ATTRIBUTE(CKA_VALUE, value),
	};

	OK(p11->C_CreateObject(session, template, COUNT(template), &imported));
	return imported;
}

static void open_all(void)
{
	CK_RV (*get)(CK_UTF8CHAR *, CK_VERSION *, CK_INTERFACE **, CK_FLAGS);
	CK_VERSION version = {3, 2};
	CK_INTERFACE *found = NULL;

	session = api_user();
	*(void **)&get = dlsym(api_library, "C_GetInterface");
	OK(get(NULL, &version, &found, 0));
	p = found->pFunctionList;
	aes = import(CKK_AES);
	chacha = import(CKK_CHACHA20);
	secret = import(CKK_GENERIC_SECRET);
	api_ec_pair(session, false, "pair", &public_key, &private_key);
	in = malloc(ROOM);
	out = malloc(ROOM);
	known = malloc(ROOM);
	for (size_t i = 0; i < ROOM; i++)
		in[i] = (CK_BYTE)(i * 7 + (i >> 11));
}

static void close_all(void)
{
	free(in);
	free(out);
	free(known);
}

/* ---- verification ---- */

struct signer {
	CK_MECHANISM *mechanism;
	CK_OBJECT_HANDLE signs, verifies;
};

static const struct signer *signers(void)
{
	static struct signer all[2];

	all[0] = (struct signer){&hmac, secret, secret};
	all[1] = (struct signer){&ecdsa, private_key, public_key};
	return all;
}

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

/* ---- messages ---- */

struct cipher {
	CK_MECHANISM *mechanism;
	CK_OBJECT_HANDLE key;
	const EVP_CIPHER *evp;
	void *parameter;
	CK_ULONG parameter_len;
};

static CK_GCM_MESSAGE_PARAMS gcm_parameter = {iv, 12, 0, CKG_NO_GENERATE, tag, 8 * TAG_LEN};
static CK_CCM_MESSAGE_PARAMS ccm_parameter = {0, iv, 12, 0, CKG_NO_GENERATE, tag, TAG_LEN};
static CRYPTOKI_POLY1305_MSG_PARAMS poly1305_parameter = {iv, 12, tag};

static struct cipher cipher_number(size_t number)
{
	const struct cipher all[] = {
		{&gcm, aes, EVP_aes_256_gcm(), &gcm_parameter, sizeof(gcm_parameter)},
		{&ccm, aes, EVP_aes_256_ccm(), &ccm_parameter, sizeof(ccm_parameter)},
		{&poly1305, chacha, EVP_chacha20_poly1305(), &poly1305_parameter,
	         sizeof(poly1305_parameter)},
	};

	return all[number];
}

/* What OpenSSL makes of the same. */
static void seal(const EVP_CIPHER *cipher, size_t len, CK_BYTE expected_tag[TAG_LEN])
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	bool is_ccm = EVP_CIPHER_get_mode(cipher) == EVP_CIPH_CCM_MODE;
	int got;

	ASSERT_TRUE(EVP_EncryptInit_ex(context, cipher, NULL, NULL, NULL));
	ASSERT_TRUE(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, 12, NULL));
	if (is_ccm)
		ASSERT_TRUE(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, NULL));
	ASSERT_TRUE(EVP_EncryptInit_ex(context, NULL, NULL, value, iv));
	if (is_ccm)
		ASSERT_TRUE(EVP_EncryptUpdate(context, NULL, &got, NULL, (int)len));
	ASSERT_TRUE(EVP_EncryptUpdate(context, NULL, &got, aad, sizeof(aad)));
	ASSERT_TRUE(EVP_EncryptUpdate(context, known, &got, in, (int)len));
	ASSERT_TRUE(EVP_EncryptFinal_ex(context, known + got, &got));
	ASSERT_TRUE(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, expected_tag));
	EVP_CIPHER_CTX_free(context);
}

static CK_RV encrypt_message(const struct cipher *cipher, size_t len, CK_BYTE *to, CK_ULONG *to_len)
{
	return p->v3.C_EncryptMessage(session, cipher->parameter, cipher->parameter_len, aad,
	                              sizeof(aad), in, len, to, to_len);
}

static CK_RV decrypt_message(const struct cipher *cipher, size_t len, CK_BYTE *to, CK_ULONG *to_len)
{
	return p->v3.C_DecryptMessage(session, cipher->parameter, cipher->parameter_len, aad,
	                              sizeof(aad), known, len, to, to_len);
}

static void messages_there(const struct cipher *cipher, size_t len)
{
	CK_BYTE expected_tag[TAG_LEN];
	CK_ULONG got;

	seal(cipher->evp, len, expected_tag);
	OK(p->v3.C_MessageEncryptInit(session, cipher->mechanism, cipher->key));
	for (int round = 0; round < 2; round++) {
		memset(tag, 0, sizeof(tag));
		OK(encrypt_message(cipher, len, NULL, &got));
		ASSERT_EQ(got, len);
		got = len - 1;
		GIVES(encrypt_message(cipher, len, out, &got), CKR_BUFFER_TOO_SMALL);
		ASSERT_EQ(got, len);
		OK(encrypt_message(cipher, len, out, &got));
		ASSERT_EQ(got, len);
		ASSERT_MEMEQ(out, known, len);
		ASSERT_MEMEQ(tag, expected_tag, TAG_LEN);
	}
	OK(p->v3.C_MessageEncryptFinal(session));
}

/* Nothing of a message with a wrong tag comes out. */
static void messages_back(const struct cipher *cipher, size_t len)
{
	CK_ULONG got = len;

	OK(p->v3.C_MessageDecryptInit(session, cipher->mechanism, cipher->key));
	known[len / 2] ^= 1;
	memset(out, 0x55, ROOM);
	GIVES(decrypt_message(cipher, len, out, &got), CKR_AEAD_DECRYPT_FAILED);
	for (size_t i = 0; i < ROOM; i++)
		ASSERT_EQ(out[i], 0x55);
	known[len / 2] ^= 1;
	got = len - 1;
	GIVES(decrypt_message(cipher, len, out, &got), CKR_BUFFER_TOO_SMALL);
	OK(decrypt_message(cipher, len, out, &got));
	ASSERT_EQ(got, len);
	ASSERT_MEMEQ(out, in, len);
	/* In place. */
	OK(decrypt_message(cipher, len, known, &got));
	ASSERT_MEMEQ(known, in, len);
	OK(p->v3.C_MessageDecryptFinal(session));
}

TEST_TIMEOUT(messages, 120)
{
	struct cipher cipher;

	open_all();
	for (size_t i = 0; i < COUNT(sizes); i++) {
		for (size_t number = 0; number < 3; number++) {
			cipher = cipher_number(number);
			ccm_parameter.ulDataLen = sizes[i];
			messages_there(&cipher, sizes[i]);
			messages_back(&cipher, sizes[i]);
		}
	}
	close_all();
}

/* The IV comes back with the first part, and the tag with the last. */
TEST(messages_whose_iv_the_agent_makes)
{
	static const CK_ULONG generators[] = {CKG_GENERATE, CKG_GENERATE_COUNTER,
	                                      CKG_GENERATE_RANDOM};
	struct cipher cipher;
	CK_ULONG got = MEDIUM;
	CK_BYTE before[12];

	open_all();
	cipher = cipher_number(0);
	gcm_parameter.ulIvFixedBits = 32;
	OK(p->v3.C_MessageEncryptInit(session, cipher.mechanism, cipher.key));
	OK(p->v3.C_MessageDecryptInit(session, cipher.mechanism, cipher.key));
	for (size_t i = 0; i < COUNT(generators); i++) {
		memcpy(before, iv, sizeof(before));
		gcm_parameter.ivGenerator = generators[i];
		OK(encrypt_message(&cipher, MEDIUM, known, &got));
		EXPECT_MEMEQ(iv, before, 4);
		EXPECT_NE(memcmp(iv, before, sizeof(before)), 0);
		gcm_parameter.ivGenerator = CKG_NO_GENERATE;
		OK(decrypt_message(&cipher, MEDIUM, out, &got));
		ASSERT_MEMEQ(out, in, MEDIUM);
	}
	close_all();
}

static CK_RV encrypt_next(const struct cipher *cipher, size_t at, size_t len, CK_FLAGS flags)
{
	CK_ULONG got = len;
	CK_RV rv = p->v3.C_EncryptMessageNext(session, cipher->parameter, cipher->parameter_len,
	                                      in + at, len, out + at, &got, flags);

	if (!rv)
		ASSERT_EQ(got, len);
	return rv;
}

/* Parts of the caller's, each of which goes in parts of ours. */
TEST(messages_by_updates)
{
	static const size_t steps[] = {PART - 3, 50001, 300000};
	CK_BYTE expected_tag[TAG_LEN];
	CK_FLAGS flags = 0;
	struct cipher cipher;
	CK_ULONG got;

	open_all();
	cipher = cipher_number(0);
	seal(cipher.evp, MEDIUM, expected_tag);
	OK(p->v3.C_MessageEncryptInit(session, cipher.mechanism, cipher.key));
	OK(p->v3.C_MessageDecryptInit(session, cipher.mechanism, cipher.key));
	for (size_t i = 0; i < COUNT(steps); i++) {
		GIVES(encrypt_next(&cipher, 0, MEDIUM, 0), CKR_OPERATION_NOT_INITIALIZED);
		OK(p->v3.C_EncryptMessageBegin(session, cipher.parameter, cipher.parameter_len, aad,
		                               sizeof(aad)));
		for (size_t at = 0, now; at < MEDIUM; at += now) {
			now = MEDIUM - at < steps[i] ? MEDIUM - at : steps[i];
			flags = at + now == MEDIUM ? CKF_END_OF_MESSAGE : 0;
			OK(encrypt_next(&cipher, at, now, flags));
		}
		ASSERT_MEMEQ(out, known, MEDIUM);
		ASSERT_MEMEQ(tag, expected_tag, TAG_LEN);
		GIVES(encrypt_next(&cipher, 0, MEDIUM, 0), CKR_OPERATION_NOT_INITIALIZED);
		OK(p->v3.C_DecryptMessageBegin(session, cipher.parameter, cipher.parameter_len, aad,
		                               sizeof(aad)));
		got = ROOM;
		OK(p->v3.C_DecryptMessageNext(session, cipher.parameter, cipher.parameter_len,
		                              known, steps[i], out, &got, 0));
		ASSERT_EQ(got, 0);
		got = ROOM;
		OK(p->v3.C_DecryptMessageNext(session, cipher.parameter, cipher.parameter_len,
		                              known + steps[i], MEDIUM - steps[i], out, &got,
		                              CKF_END_OF_MESSAGE));
		ASSERT_EQ(got, MEDIUM);
		ASSERT_MEMEQ(out, in, MEDIUM);
	}
	close_all();
}

static void sign_messages(const struct signer *signer, size_t len)
{
	CK_BYTE signature[64];
	CK_ULONG got = 0;

	OK(p->v3.C_MessageSignInit(session, signer->mechanism, signer->signs));
	OK(p->v3.C_MessageVerifyInit(session, signer->mechanism, signer->verifies));
	OK(p->v3.C_SignMessage(session, NULL, 0, in, len, NULL, &got));
	got--;
	GIVES(p->v3.C_SignMessage(session, NULL, 0, in, len, signature, &got),
	      CKR_BUFFER_TOO_SMALL);
	OK(p->v3.C_SignMessage(session, NULL, 0, in, len, signature, &got));
	OK(p->v3.C_VerifyMessage(session, NULL, 0, in, len, signature, got));
	signature[3] ^= 1;
	GIVES(p->v3.C_VerifyMessage(session, NULL, 0, in, len, signature, got),
	      CKR_SIGNATURE_INVALID);
	OK(p->v3.C_SignMessageBegin(session, NULL, 0));
	OK(p->v3.C_SignMessageNext(session, NULL, 0, in, len / 2, NULL, NULL));
	OK(p->v3.C_SignMessageNext(session, NULL, 0, in + len / 2, len - len / 2, signature, &got));
	for (int wrong = 0; wrong < 2; wrong++) {
		OK(p->v3.C_VerifyMessageBegin(session, NULL, 0));
		OK(p->v3.C_VerifyMessageNext(session, NULL, 0, in, len / 2, NULL, 0));
		signature[3] ^= wrong;
		GIVES(p->v3.C_VerifyMessageNext(session, NULL, 0, in + len / 2, len - len / 2,
		                                signature, got),
		      wrong ? CKR_SIGNATURE_INVALID : CKR_OK);
		GIVES(p->v3.C_VerifyMessageNext(session, NULL, 0, in, len, NULL, 0),
		      CKR_OPERATION_NOT_INITIALIZED);
	}
	OK(p->v3.C_MessageSignFinal(session));
	OK(p->v3.C_MessageVerifyFinal(session));
}

TEST_TIMEOUT(signed_messages, 120)
{
	open_all();
	for (size_t i = 0; i < COUNT(sizes); i++) {
		sign_messages(&signers()[0], sizes[i]);
		sign_messages(&signers()[1], sizes[i]);
	}
	close_all();
}

TEST_TIMEOUT(up_to_the_limit, 120)
{
	CK_BYTE *data = calloc(1, LIMIT + 1), *result = malloc(LIMIT), mac[32];
	struct cipher cipher;
	CK_ULONG got = sizeof(mac);

	open_all();
	cipher = cipher_number(0);
	OK(p11->C_SignInit(session, &hmac, secret));
	OK(p11->C_Sign(session, data, LIMIT, mac, &got));
	OK(p11->C_VerifyInit(session, &hmac, secret));
	OK(p11->C_Verify(session, data, LIMIT, mac, got));
	OK(p11->C_VerifyInit(session, &hmac, secret));
	GIVES(p11->C_Verify(session, data, LIMIT + 1, mac, got), CKR_DATA_LEN_RANGE);
	OK(p->v3.C_MessageEncryptInit(session, cipher.mechanism, cipher.key));
	OK(p->v3.C_MessageDecryptInit(session, cipher.mechanism, cipher.key));
	got = LIMIT;
	OK(p->v3.C_EncryptMessage(session, cipher.parameter, cipher.parameter_len, NULL, 0, data,
	                          LIMIT, result, &got));
	ASSERT_EQ(got, LIMIT);
	GIVES(p->v3.C_EncryptMessage(session, cipher.parameter, cipher.parameter_len, NULL, 0, data,
	                             LIMIT + 1, result, &got),
	      CKR_DATA_LEN_RANGE);
	got = LIMIT;
	OK(p->v3.C_DecryptMessage(session, cipher.parameter, cipher.parameter_len, NULL, 0, result,
	                          LIMIT, result, &got));
	ASSERT_MEMEQ(result, data, LIMIT);
	free(data);
	free(result);
	close_all();
}

/* ---- which way they go, and what they leave ---- */

#define THROUGH_WINDOW(call)                                                                       \
	do {                                                                                       \
		bulk_watch();                                                                      \
		OK(call);                                                                          \
		EXPECT_TRUE(bulk_was_touched());                                                   \
	} while (0)

static void open_with_window(void)
{
	CK_ULONG got = 32;

	open_all();
	OK(p11->C_DigestInit(session, &sha256));
	OK(p11->C_Digest(session, in, MEDIUM, out, &got));
	bulk_watch();
	OK(p11->C_DigestInit(session, &sha256));
	OK(p11->C_Digest(session, in, 100, out, &got));
	EXPECT_FALSE(bulk_was_touched());
}

TEST(all_go_through_the_window)
{
	CK_ULONG got = ROOM, mac_len = 32;
	struct cipher cipher;
	CK_BYTE mac[32];

	open_with_window();
	cipher = cipher_number(0);
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
	OK(p->v3.C_SessionCancel(session, CKF_ENCRYPT | CKF_DECRYPT | CKF_SIGN | CKF_VERIFY));
	OK(p->v3.C_MessageEncryptInit(session, cipher.mechanism, cipher.key));
	OK(p->v3.C_MessageDecryptInit(session, cipher.mechanism, cipher.key));
	got = ROOM;
	THROUGH_WINDOW(encrypt_message(&cipher, MEDIUM, known, &got));
	THROUGH_WINDOW(decrypt_message(&cipher, MEDIUM, out, &got));
	OK(p->v3.C_EncryptMessageBegin(session, cipher.parameter, cipher.parameter_len, NULL, 0));
	THROUGH_WINDOW(encrypt_next(&cipher, 0, MEDIUM, 0));
	OK(p->v3.C_DecryptMessageBegin(session, cipher.parameter, cipher.parameter_len, NULL, 0));
	THROUGH_WINDOW(p->v3.C_DecryptMessageNext(session, cipher.parameter, cipher.parameter_len,
	                                          known, MEDIUM, out, &got, 0));
	OK(p->v3.C_MessageEncryptFinal(session));
	OK(p->v3.C_MessageDecryptFinal(session));
	OK(p->v3.C_MessageSignInit(session, &hmac, secret));
	OK(p->v3.C_MessageVerifyInit(session, &hmac, secret));
	THROUGH_WINDOW(p->v3.C_SignMessage(session, NULL, 0, in, MEDIUM, mac, &mac_len));
	THROUGH_WINDOW(p->v3.C_VerifyMessage(session, NULL, 0, in, MEDIUM, mac, mac_len));
	OK(p->v3.C_SignMessageBegin(session, NULL, 0));
	THROUGH_WINDOW(p->v3.C_SignMessageNext(session, NULL, 0, in, MEDIUM, mac, &mac_len));
	OK(p->v3.C_VerifyMessageBegin(session, NULL, 0));
	THROUGH_WINDOW(p->v3.C_VerifyMessageNext(session, NULL, 0, in, MEDIUM, mac, mac_len));
	close_all();
}

/* A request whose other fields take much of the ring: from some length on it goes as a whole. */
TEST(much_besides_the_data)
{
	static CK_BYTE long_aad[20000];
	struct cipher cipher;
	bool by_window = true;
	CK_ULONG got;

	open_with_window();
	cipher = cipher_number(0);
	OK(p->v3.C_MessageEncryptInit(session, cipher.mechanism, cipher.key));
	OK(p->v3.C_MessageDecryptInit(session, cipher.mechanism, cipher.key));
	for (CK_ULONG len = 7000; len <= sizeof(long_aad); len += len < 8400 ? 7 : 500) {
		bulk_watch();
		got = 3 * PART;
		OK(p->v3.C_EncryptMessage(session, cipher.parameter, cipher.parameter_len, long_aad,
		                          len, in, 3 * PART, out, &got));
		/* Once it does not fit, more does not. */
		EXPECT_FALSE(bulk_was_touched() && !by_window);
		by_window = bulk_touched;
		OK(p->v3.C_DecryptMessage(session, cipher.parameter, cipher.parameter_len, long_aad,
		                          len, out, 3 * PART, out, &got));
		ASSERT_MEMEQ(out, in, 3 * PART);
	}
	EXPECT_FALSE(by_window);
	close_all();
}

/* As of calls with few data: one record each, none of what only asks or goes on. */
TEST(one_record_for_each_call)
{
	CK_BYTE mac[32] = {0};
	struct cipher cipher;
	CK_ULONG got = ROOM;

	open_all();
	cipher = cipher_number(0);
	OK(p11->C_VerifyInit(session, &hmac, secret));
	GIVES(p11->C_Verify(session, in, MEDIUM, mac, sizeof(mac)), CKR_SIGNATURE_INVALID);
	OK(p->v3.C_MessageEncryptInit(session, cipher.mechanism, cipher.key));
	OK(encrypt_message(&cipher, MEDIUM, NULL, &got));
	got = 1;
	GIVES(encrypt_message(&cipher, MEDIUM, known, &got), CKR_BUFFER_TOO_SMALL);
	OK(encrypt_message(&cipher, MEDIUM, known, &got));
	OK(p->v3.C_EncryptMessageBegin(session, cipher.parameter, cipher.parameter_len, NULL, 0));
	OK(encrypt_next(&cipher, 0, MEDIUM, 0));
	OK(encrypt_next(&cipher, 0, MEDIUM, CKF_END_OF_MESSAGE));
	GIVES(p11->C_EncryptInit(session, &pad, aes), CKR_OPERATION_ACTIVE);
	OK(p->v3.C_MessageEncryptFinal(session));
	OK(p11->C_EncryptInit(session, &pad, aes));
	OK(p11->C_DigestInit(session, &sha256));
	got = ROOM;
	OK(p11->C_DigestEncryptUpdate(session, in, MEDIUM, out, &got));
	OK(p11->C_Finalize(NULL));
	ASSERT_EQ(api_end_agent(SIGTERM), 0);
	EXPECT_EQ(bulk_records_of("C_Verify"), 1);
	EXPECT_EQ(bulk_records_of("C_EncryptMessage"), 1);
	EXPECT_EQ(bulk_records_of("C_EncryptMessageNext"), 1);
	EXPECT_EQ(bulk_records_of("C_DigestEncryptUpdate"), 0);
	EXPECT_EQ(bulk_records_of("(data in parts)"), 0);
	close_all();
}

HARNESS_MAIN
