/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Much data through the library, around every size at which its way to the agent changes: the ring,
 * one part of the window, several, all slots and more, up to the limit; with OpenSSL as the oracle.
 * And what a caller sees of it: results, lengths, errors and records are those of one call.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdatomic.h>

#include "bulk.h"

#define ALL_SLOTS (WIRE_WINDOW_SLOTS * PART)
#define LIMIT     (64u * 1024u * 1024u)
#define ROOM      (LIMIT + 64u)
#define TAG_LEN   16u
#define KEY_LEN   32u
#define MEDIUM    (3u * 1024u * 1024u + 5u)

static const size_t sizes[] = {
	1,        7935,   7936,         7937,          8191,      8192,          8193,
	PART - 1, PART,   PART + 1,     2 * PART - 1,  2 * PART,  2 * PART + 1,  65535,
	65536,    65537,  5 * PART + 7, ALL_SLOTS - 1, ALL_SLOTS, ALL_SLOTS + 1, 262143,
	262144,   262145, 1 << 20,      MEDIUM,
};

static CK_BYTE iv[16] = {1, 2, 3, 4, 5}, value[KEY_LEN] = {9, 8, 7};
static CK_BYTE *in, *out, *known;
static CK_SESSION_HANDLE session;
static CK_OBJECT_HANDLE key;
static CK_GCM_PARAMS gcm_params = {iv, 12, 96, NULL, 0, 8 * TAG_LEN};
static CK_MECHANISM cbc = {CKM_AES_CBC, iv, sizeof(iv)}, pad = {CKM_AES_CBC_PAD, iv, sizeof(iv)},
		    gcm = {CKM_AES_GCM, &gcm_params, sizeof(gcm_params)},
		    sha256 = {CKM_SHA256, NULL, 0}, hmac = {CKM_SHA256_HMAC, NULL, 0};

static void open_all(void)
{
	session = api_user();
	key = api_secret(session, CKK_AES, value, sizeof(value));
	in = bulk_data(ROOM);
	out = malloc(ROOM);
	known = malloc(ROOM);
}

static void close_all(void)
{
	free(in);
	free(out);
	free(known);
}

/* What OpenSSL makes of `len` octets of `in`, with the tag behind; into `known`. */
static CK_ULONG oracle(const EVP_CIPHER *cipher, size_t len, bool padding)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	bool tagged = EVP_CIPHER_get_mode(cipher) == EVP_CIPH_GCM_MODE;
	int got = 0, more = 0;

	ASSERT_TRUE(EVP_EncryptInit_ex(context, cipher, NULL, value, iv));
	EVP_CIPHER_CTX_set_padding(context, padding);
	ASSERT_TRUE(EVP_EncryptUpdate(context, known, &got, in, (int)len));
	ASSERT_TRUE(EVP_EncryptFinal_ex(context, known + got, &more));
	got += more;
	if (tagged)
		ASSERT_TRUE(
			EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, known + got));
	EVP_CIPHER_CTX_free(context);
	return (CK_ULONG)got + (tagged ? TAG_LEN : 0);
}

static void encrypt_and_back(CK_MECHANISM *mechanism, const EVP_CIPHER *cipher, size_t len)
{
	CK_ULONG wanted_len = oracle(cipher, len, mechanism->mechanism == CKM_AES_CBC_PAD);
	CK_ULONG got = 0;

	OK(p11->C_EncryptInit(session, mechanism, key));
	OK(p11->C_Encrypt(session, in, len, NULL, &got));
	ASSERT_EQ(got, wanted_len);
	got--;
	GIVES(p11->C_Encrypt(session, in, len, out, &got), CKR_BUFFER_TOO_SMALL);
	ASSERT_EQ(got, wanted_len);
	OK(p11->C_Encrypt(session, in, len, out, &got));
	ASSERT_EQ(got, wanted_len);
	ASSERT_MEMEQ(out, known, wanted_len);

	/* In place, into as much room as it needs. */
	got = len;
	OK(p11->C_DecryptInit(session, mechanism, key));
	OK(p11->C_Decrypt(session, out, wanted_len, out, &got));
	ASSERT_EQ(got, len);
	ASSERT_MEMEQ(out, in, len);
	GIVES(p11->C_Decrypt(session, out, wanted_len, out, &got), CKR_OPERATION_NOT_INITIALIZED);
}

TEST_TIMEOUT(there_and_back, 120)
{
	open_all();
	for (size_t i = 0; i < COUNT(sizes); i++) {
		encrypt_and_back(&gcm, EVP_aes_256_gcm(), sizes[i]);
		encrypt_and_back(&pad, EVP_aes_256_cbc(), sizes[i]);
		encrypt_and_back(&cbc, EVP_aes_256_cbc(), (sizes[i] + 15) / 16 * 16);
	}
	close_all();
}

TEST_TIMEOUT(up_to_the_limit, 120)
{
	CK_ULONG got = ROOM;

	open_all();
	encrypt_and_back(&cbc, EVP_aes_256_cbc(), LIMIT);
	encrypt_and_back(&gcm, EVP_aes_256_gcm(), LIMIT - TAG_LEN);
	OK(p11->C_EncryptInit(session, &cbc, key));
	GIVES(p11->C_Encrypt(session, in, LIMIT + 16, out, &got), CKR_DATA_LEN_RANGE);
	close_all();
}

/* Into `out`, by parts of the caller's, each of which goes in parts of ours. How much came. */
static CK_ULONG pass(CK_C_EncryptUpdate update, CK_C_EncryptFinal final, CK_BYTE *from, size_t len,
                     size_t step)
{
	CK_ULONG got, at = 0, done = 0;

	while (at < len) {
		CK_ULONG now = len - at < step ? len - at : step;

		got = ROOM - done;
		OK(update(session, from + at, now, out + done, &got));
		at += now;
		done += got;
	}
	got = ROOM - done;
	OK(final(session, out + done, &got));
	return done + got;
}

static void update_all(CK_MECHANISM *mechanism, size_t len, size_t step)
{
	CK_ULONG done;

	OK(p11->C_EncryptInit(session, mechanism, key));
	done = pass(p11->C_EncryptUpdate, p11->C_EncryptFinal, in, len, step);
	ASSERT_EQ(done, oracle(EVP_aes_256_cbc(), len, true));
	ASSERT_MEMEQ(out, known, done);
}

static void decrypt_all(CK_MECHANISM *mechanism, size_t len, size_t step)
{
	CK_ULONG done;

	OK(p11->C_DecryptInit(session, mechanism, key));
	done = pass(p11->C_DecryptUpdate, p11->C_DecryptFinal, known, len, step);
	ASSERT_MEMEQ(out, in, done);
}

TEST_TIMEOUT(updates, 120)
{
	static const size_t steps[] = {8000, PART + 5, 50001, 1000000};

	open_all();
	for (size_t i = 0; i < COUNT(steps); i++) {
		update_all(&pad, MEDIUM, steps[i]);
		decrypt_all(&pad, oracle(EVP_aes_256_cbc(), MEDIUM, true), steps[i]);
		decrypt_all(&gcm, oracle(EVP_aes_256_gcm(), MEDIUM, false), steps[i]);
	}
	close_all();
}

static void digest_and_sign(CK_OBJECT_HANDLE secret, size_t len)
{
	CK_BYTE digest[32], mac[32];
	unsigned int mac_len = sizeof(mac);
	CK_ULONG got = sizeof(digest);

	ASSERT_TRUE(EVP_Digest(in, len, digest, NULL, EVP_sha256(), NULL));
	ASSERT_NOT_NULL(HMAC(EVP_sha256(), value, sizeof(value), in, len, mac, &mac_len));
	OK(p11->C_DigestInit(session, &sha256));
	OK(p11->C_Digest(session, in, len, out, &got));
	ASSERT_EQ(got, sizeof(digest));
	ASSERT_MEMEQ(out, digest, sizeof(digest));
	OK(p11->C_DigestInit(session, &sha256));
	OK(p11->C_DigestUpdate(session, in, len / 2));
	OK(p11->C_DigestUpdate(session, in + len / 2, len - len / 2));
	OK(p11->C_DigestFinal(session, out, &got));
	ASSERT_MEMEQ(out, digest, sizeof(digest));
	OK(p11->C_SignInit(session, &hmac, secret));
	OK(p11->C_Sign(session, in, len, out, &got));
	ASSERT_MEMEQ(out, mac, sizeof(mac));
	OK(p11->C_SignInit(session, &hmac, secret));
	OK(p11->C_SignUpdate(session, in, len));
	OK(p11->C_SignFinal(session, out, &got));
	ASSERT_MEMEQ(out, mac, sizeof(mac));
	OK(p11->C_VerifyInit(session, &hmac, secret));
	OK(p11->C_VerifyUpdate(session, in, len));
	OK(p11->C_VerifyFinal(session, mac, sizeof(mac)));
}

TEST_TIMEOUT(digests_and_signatures, 120)
{
	CK_OBJECT_HANDLE secret;

	open_all();
	secret = api_secret(session, CKK_GENERIC_SECRET, value, sizeof(value));
	for (size_t i = 0; i < COUNT(sizes); i++)
		digest_and_sign(secret, sizes[i]);
	digest_and_sign(secret, LIMIT);
	close_all();
}

/* ---- what a caller sees ---- */

/* A wrong tag, or padding, gives nothing away. */
TEST(wrong_ciphertexts)
{
	static CK_MECHANISM *const mechanisms[] = {&gcm, &pad};
	CK_ULONG len, got;

	open_all();
	for (size_t i = 0; i < COUNT(mechanisms); i++) {
		got = ROOM;
		OK(p11->C_EncryptInit(session, mechanisms[i], key));
		OK(p11->C_Encrypt(session, in, MEDIUM, out, &got));
		len = got;
		out[len - 17] ^= 1; /* of the padding's block, or of the text before the tag */
		memset(known, 0x55, MEDIUM + 64);
		GIVES(p11->C_DecryptInit(session, mechanisms[i], key), CKR_OK);
		ASSERT_NE(p11->C_Decrypt(session, out, len, known, &got), (CK_RV)CKR_OK);
		for (size_t at = 0; at < MEDIUM + 64; at++)
			ASSERT_EQ(known[at], 0x55);
		GIVES(p11->C_Decrypt(session, out, len, known, &got),
		      CKR_OPERATION_NOT_INITIALIZED);
	}
	close_all();
}

/* Found at the end of the data, which have gone in parts by then. */
TEST(wrong_lengths)
{
	CK_ULONG got = ROOM;

	open_all();
	OK(p11->C_EncryptInit(session, &cbc, key));
	GIVES(p11->C_Encrypt(session, in, 100001, out, &got), CKR_DATA_LEN_RANGE);
	GIVES(p11->C_Encrypt(session, in, 100000, out, &got), CKR_OPERATION_NOT_INITIALIZED);
	OK(p11->C_DecryptInit(session, &cbc, key));
	GIVES(p11->C_Decrypt(session, in, 100001, out, &got), CKR_ENCRYPTED_DATA_LEN_RANGE);
	OK(p11->C_EncryptInit(session, &cbc, key));
	got = ROOM;
	OK(p11->C_Encrypt(session, in, 100000, out, &got));
	close_all();
}

/* Refused at the first of three parts, in one crossing with an Init or not. */
TEST(nothing_active)
{
	CK_ULONG got = ROOM;

	open_all();
	for (int i = 0; i < 3; i++) {
		GIVES(p11->C_Encrypt(session, in, 3 * PART, out, &got),
		      CKR_OPERATION_NOT_INITIALIZED);
		GIVES(p11->C_DigestUpdate(session, in, 3 * PART), CKR_OPERATION_NOT_INITIALIZED);
		got = ROOM;
		OK(p11->C_EncryptInit(session, &cbc, key));
		OK(p11->C_Encrypt(session, in, 3 * PART, out, &got));
	}
	GIVES(p11->C_Encrypt(session + 1000, in, 3 * PART, out, &got), CKR_SESSION_HANDLE_INVALID);
	close_all();
}

/* A kept Init fails after all: its error is the call's, and the next call is in step. */
TEST(an_init_that_went_ahead_and_failed)
{
	CK_ULONG got = ROOM;

	open_all();
	for (int i = 0; i < 3; i++) {
		OK(p11->C_EncryptInit(session, &gcm, key));
		OK(p11->C_Encrypt(session, in, 3 * PART, out, &got));
		got = ROOM;
	}
	OK(p11->C_EncryptInit(session, &gcm, key));
	OK(p11->C_DestroyObject(session, key)); /* sends the Init first */
	OK(p11->C_Encrypt(session, in, 3 * PART, out, &got));
	GIVES(p11->C_EncryptInit(session, &gcm, key), CKR_KEY_HANDLE_INVALID);
	key = api_secret(session, CKK_AES, value, sizeof(value));
	encrypt_and_back(&gcm, EVP_aes_256_gcm(), 3 * PART);
	close_all();
}

/* Output across the data: the data that are still to go are not overwritten. */
TEST(overlapping_buffers)
{
	static const size_t shifts[] = {1, 16, PART, ALL_SLOTS, ALL_SLOTS + 1};
	CK_BYTE *memory;
	CK_ULONG got;

	open_all();
	memory = malloc(ROOM);
	for (size_t i = 0; i < COUNT(shifts); i++) {
		size_t len = 2 * ALL_SLOTS + PART;

		oracle(EVP_aes_256_cbc(), len, false);
		memcpy(memory, in, len);
		got = len;
		OK(p11->C_EncryptInit(session, &cbc, key));
		OK(p11->C_Encrypt(session, memory, len, memory + shifts[i], &got));
		ASSERT_MEMEQ(memory + shifts[i], known, len);
		memcpy(memory + shifts[i], in, len);
		OK(p11->C_EncryptInit(session, &cbc, key));
		OK(p11->C_Encrypt(session, memory + shifts[i], len, memory, &got));
		ASSERT_MEMEQ(memory, known, len);
	}
	free(memory);
	close_all();
}

/* The log is written behind the replies; a clean end writes all of it. */
TEST(one_record_for_each_call)
{
	CK_ULONG got = ROOM;

	open_all();
	OK(p11->C_EncryptInit(session, &cbc, key));
	OK(p11->C_Encrypt(session, in, 1 << 20, NULL, &got)); /* a query leaves none */
	OK(p11->C_Encrypt(session, in, 1 << 20, out, &got));
	GIVES(p11->C_Encrypt(session, in, 1 << 20, out, &got), CKR_OPERATION_NOT_INITIALIZED);
	OK(p11->C_DigestInit(session, &sha256));
	OK(p11->C_DigestUpdate(session, in, 1 << 20));
	OK(p11->C_DigestFinal(session, out, &got));
	GIVES(p11->C_DigestUpdate(session, in, 1 << 20), CKR_OPERATION_NOT_INITIALIZED);
	OK(p11->C_Finalize(NULL));
	ASSERT_EQ(api_end_agent(SIGTERM), 0);
	EXPECT_EQ(bulk_records_of("C_Encrypt"), 2);
	EXPECT_EQ(bulk_records_of("C_DigestUpdate"), 1); /* the failure */
	EXPECT_EQ(bulk_records_of("(data in parts)"), 0);
	close_all();
}

/* ---- threads and scribblers ---- */

static void *encrypt_often(void *argument)
{
	CK_SESSION_HANDLE mine = api_session(false);
	CK_BYTE *result = malloc(ROOM);
	size_t len = 30 * PART;

	(void)argument;
	for (int i = 0; i < 20; i++) {
		CK_ULONG got = ROOM;

		OK(p11->C_EncryptInit(mine, &cbc, key));
		OK(p11->C_Encrypt(mine, in, len, result, &got));
		ASSERT_MEMEQ(result, known, len);
	}
	free(result);
	return NULL;
}

TEST_TIMEOUT(threads, 120)
{
	pthread_t all[16];

	open_all();
	oracle(EVP_aes_256_cbc(), 30 * PART, false);
	for (size_t i = 0; i < COUNT(all); i++)
		ASSERT_EQ(pthread_create(&all[i], NULL, encrypt_often, NULL), 0);
	for (size_t i = 0; i < COUNT(all); i++)
		pthread_join(all[i], NULL);
	close_all();
}

/* What passed through it is wiped when the call is over, also when it failed. */
TEST(nothing_stays_in_the_window)
{
	const uint8_t *octets;
	CK_ULONG got = ROOM;

	open_all();
	encrypt_and_back(&gcm, EVP_aes_256_gcm(), MEDIUM);
	OK(p11->C_EncryptInit(session, &cbc, key));
	GIVES(p11->C_Encrypt(session, in, 100001, out, &got), CKR_DATA_LEN_RANGE);
	GIVES(p11->C_DigestUpdate(session, in, MEDIUM), CKR_OPERATION_NOT_INITIALIZED);
	octets = (const uint8_t *)bulk_window()->slots;
	for (size_t i = 0; i < sizeof(bulk_window()->slots); i++)
		ASSERT_EQ(octets[i], 0);
	close_all();
}

static atomic_bool enough;

/* Races with its own process on purpose. */
__attribute__((no_sanitize("thread"))) static void *scribble(void *argument)
{
	struct wire_window *window = argument;
	uint8_t *octets = (uint8_t *)window->slots;
	uint64_t seed = 0x9e3779b97f4a7c15ull;

	while (!atomic_load_explicit(&enough, memory_order_relaxed)) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		octets[seed % sizeof(window->slots)] = (uint8_t)(seed >> 32);
	}
	return NULL;
}

/* Who scribbles over its own data gets nonsense, and a verdict on it, but never a wrong length. */
TEST_TIMEOUT(scribbled_while_it_is_worked_on, 120)
{
	static CK_MECHANISM *const mechanisms[] = {&cbc, &gcm, &pad};
	pthread_t thread;
	CK_ULONG got, len = 30 * PART;

	open_all();
	encrypt_and_back(&cbc, EVP_aes_256_cbc(), len);
	ASSERT_EQ(pthread_create(&thread, NULL, scribble, bulk_window()), 0);
	for (int i = 0; i < 150; i++) {
		CK_MECHANISM *mechanism = mechanisms[i % 3];

		got = ROOM;
		OK(p11->C_EncryptInit(session, mechanism, key));
		OK(p11->C_Encrypt(session, in, len, out, &got));
		OK(p11->C_DecryptInit(session, mechanism, key));
		(void)p11->C_Decrypt(session, out, got, known, &got);
		ASSERT_LE(got, len + 16);
	}
	atomic_store(&enough, true);
	pthread_join(thread, NULL);
	encrypt_and_back(&gcm, EVP_aes_256_gcm(), len);
	close_all();
}

HARNESS_MAIN
