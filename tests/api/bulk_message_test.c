/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Much data in messages under one key. They go through the window as other calls do, with the IV
 * before and the tag behind, and what a caller sees is what it sees with short messages.
 */
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>

#include "bulk_calls.h"

#define TAG_LEN 16u

/* ---- messages ---- */

struct cipher {
	CK_MECHANISM *mechanism;
	CK_OBJECT_HANDLE key;
	const EVP_CIPHER *evp;
	void *parameter;
	CK_ULONG parameter_len;
};

static CK_BYTE aad[20] = {9}, tag[TAG_LEN];
static CK_OBJECT_HANDLE chacha;
static CK_MECHANISM gcm = {CKM_AES_GCM, NULL, 0}, ccm = {CKM_AES_CCM, NULL, 0},
		    poly1305 = {CKM_CHACHA20_POLY1305, NULL, 0};
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
	chacha = api_secret(session, CKK_CHACHA20, value, sizeof(value));
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
	CK_BYTE *data = calloc(1, LIMIT + 1), *result = malloc(LIMIT);
	struct cipher cipher;
	CK_ULONG got = LIMIT;

	open_all();
	cipher = cipher_number(0);
	OK(p->v3.C_MessageEncryptInit(session, cipher.mechanism, cipher.key));
	OK(p->v3.C_MessageDecryptInit(session, cipher.mechanism, cipher.key));
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

TEST(all_go_through_the_window)
{
	CK_ULONG got = ROOM, mac_len = 32;
	struct cipher cipher;
	CK_BYTE mac[32];

	open_with_window();
	cipher = cipher_number(0);
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

struct sealing {
	struct cipher cipher;
	CK_ULONG aad_len;
	atomic_int thread;
	atomic_bool ended;
	CK_RV rv;
};

static void *seal_with_long_aad(void *argument)
{
	static CK_BYTE long_aad[20000];
	struct sealing *sealing = argument;
	CK_ULONG got = 10 * PART;

	atomic_store(&sealing->thread, gettid());
	sealing->rv = p->v3.C_EncryptMessage(session, sealing->cipher.parameter,
	                                     sealing->cipher.parameter_len, long_aad,
	                                     sealing->aad_len, in, 10 * PART, out, &got);
	atomic_store(&sealing->ended, true);
	return NULL;
}

static bool is_asleep(int thread)
{
	char path[64], line[256] = "", *after;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", thread);
	file = fopen(path, "r");
	if (!file)
		return false;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	after = strrchr(line, ')');
	return after && after[1] == ' ' && after[2] == 'S';
}

/* All that may be on its way fits the ring, when the agent takes nothing out of it. */
TEST_TIMEOUT(an_agent_that_takes_its_time, 120)
{
	struct sealing sealing = {.aad_len = 7500};
	pthread_t thread;

	open_with_window();
	sealing.cipher = cipher_number(0);
	OK(p->v3.C_MessageEncryptInit(session, sealing.cipher.mechanism, sealing.cipher.key));
	for (; sealing.aad_len < 8300; sealing.aad_len += 20) {
		atomic_store(&sealing.thread, 0);
		atomic_store(&sealing.ended, false);
		ASSERT_EQ(kill(api_agent, SIGSTOP), 0);
		ASSERT_EQ(pthread_create(&thread, NULL, seal_with_long_aad, &sealing), 0);
		while (!atomic_load(&sealing.ended) && !is_asleep(atomic_load(&sealing.thread)))
			api_pause();
		ASSERT_EQ(kill(api_agent, SIGCONT), 0);
		pthread_join(thread, NULL);
		OK(sealing.rv);
	}
	close_all();
}

/* As of calls with few data: one record each, none of what only asks or goes on. */
TEST(one_record_for_each_call)
{
	struct cipher cipher;
	CK_ULONG got = ROOM;

	open_all();
	cipher = cipher_number(0);
	OK(p->v3.C_MessageEncryptInit(session, cipher.mechanism, cipher.key));
	OK(encrypt_message(&cipher, MEDIUM, NULL, &got));
	got = 1;
	GIVES(encrypt_message(&cipher, MEDIUM, known, &got), CKR_BUFFER_TOO_SMALL);
	OK(encrypt_message(&cipher, MEDIUM, known, &got));
	OK(p->v3.C_EncryptMessageBegin(session, cipher.parameter, cipher.parameter_len, NULL, 0));
	OK(encrypt_next(&cipher, 0, MEDIUM, 0));
	OK(encrypt_next(&cipher, 0, MEDIUM, CKF_END_OF_MESSAGE));
	OK(p11->C_Finalize(NULL));
	ASSERT_EQ(api_end_agent(SIGTERM), 0);
	EXPECT_EQ(bulk_records_of("C_EncryptMessage"), 1);
	EXPECT_EQ(bulk_records_of("C_EncryptMessageNext"), 1);
	EXPECT_EQ(bulk_records_of("(data in parts)"), 0);
	close_all();
}

HARNESS_MAIN
