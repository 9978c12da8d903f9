/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a thread of load_test.c does with its session, one function per operation, and the keys that
 * they need. Each operation checks all that it gets, and leaves nothing behind.
 */
#ifndef TESTS_API_LOAD_H
#define TESTS_API_LOAD_H

#include <pthread.h>

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "api.h"

#define TEXT_MAX 3000u   /* crosses the small sizes of every path */
#define BULK_LEN 300000u /* more than a ring and than a loop takes on itself */

enum operation {
	SIGN_EC,
	SIGN_RSA,
	MAC_IN_PARTS,
	ENCRYPT_GCM,
	ENCRYPT_CBC,
	DIGEST,
	DIGEST_BULK,
	RANDOM,
	FIND,
	SESSION_OBJECT,
	TOKEN_OBJECT,
	GENERATE_AES,
	SECOND_SESSION,
	LOGIN_STATE,
	OPERATIONS,
	CHANGE_LOGIN = OPERATIONS, /* the first thread's alone */
	COUNTERS,
};

/* What the processes tell the parent; in memory that all share. */
struct tally {
	uint64_t done[COUNTERS];
	uint64_t slowest_ns;
};

struct keys {
	CK_OBJECT_HANDLE ec, ec_public, rsa, rsa_public, aes, mac;
};

/* One application. Threads hold `login` for reading while they use sessions and keys. */
struct application {
	pthread_rwlock_t login;
	unsigned int generation; /* of the sessions: what was opened in another is gone */
	CK_SESSION_HANDLE session;
	struct keys keys;
	EVP_PKEY *ec, *rsa;
	struct timespec deadline;
	struct tally *tally;
	unsigned int index;
};

struct worker {
	pthread_t thread;
	struct application *application;
	struct tally tally;
	unsigned int index, generation;
	CK_SESSION_HANDLE session;
	bool read_write;
	uint64_t state;
	CK_BYTE random[16];
	CK_BYTE *bulk;
	CK_ULONG text_len;
	CK_BYTE text[TEXT_MAX + 16];
	CK_BYTE out[TEXT_MAX + 64];
	CK_BYTE back[TEXT_MAX + 64];
};

static CK_BYTE mac_value[32] = "known key of the load test 1234";
static CK_BYTE cbc_value[16] = "an AES-128 key.";
static char rsa_label[] = "load rsa", mac_label[] = "load mac";
static CK_OBJECT_CLASS class_data = CKO_DATA, class_secret = CKO_SECRET_KEY;
static CK_OBJECT_CLASS class_private = CKO_PRIVATE_KEY, class_public = CKO_PUBLIC_KEY;
static CK_KEY_TYPE type_generic = CKK_GENERIC_SECRET, type_aes = CKK_AES;

static uint32_t draw(struct worker *worker, uint32_t below)
{
	worker->state ^= worker->state << 13;
	worker->state ^= worker->state >> 7;
	worker->state ^= worker->state << 17;
	return (uint32_t)(worker->state >> 20) % below;
}

/* A text that no other call has, of a length that varies. */
static void draw_text(struct worker *worker)
{
	worker->text_len = 16 + draw(worker, TEXT_MAX - 16);
	for (CK_ULONG i = 0; i < worker->text_len; i++)
		worker->text[i] = (CK_BYTE)draw(worker, 256);
}

/* ---- keys ---- */

static CK_OBJECT_HANDLE find_one(CK_SESSION_HANDLE session, CK_OBJECT_CLASS *class,
                                 const char *label)
{
	CK_ATTRIBUTE template[] = {
		{CKA_CLASS, class, sizeof(*class)},
		{CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
	};
	CK_OBJECT_HANDLE found[2];
	CK_ULONG count;

	OK(p11->C_FindObjectsInit(session, template, COUNT(template)));
	OK(p11->C_FindObjects(session, found, COUNT(found), &count));
	OK(p11->C_FindObjectsFinal(session));
	ASSERT_LE(count, 1);
	return count ? found[0] : CK_INVALID_HANDLE;
}

static void find_keys(CK_SESSION_HANDLE session, struct keys *keys)
{
	keys->ec = find_one(session, &class_private, "load ec");
	keys->ec_public = find_one(session, &class_public, "load ec");
	keys->rsa = find_one(session, &class_private, "load rsa");
	keys->rsa_public = find_one(session, &class_public, "load rsa");
	keys->aes = find_one(session, &class_secret, "load aes");
	keys->mac = find_one(session, &class_secret, "load mac");
	ASSERT_TRUE(keys->ec && keys->ec_public && keys->rsa && keys->rsa_public);
	ASSERT_TRUE(keys->aes && keys->mac);
}

static void make_rsa_pair(CK_SESSION_HANDLE session)
{
	CK_MECHANISM mechanism = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0};
	CK_BYTE exponent[] = {1, 0, 1};
	CK_ULONG bits = 2048;
	CK_OBJECT_HANDLE handles[2];
	CK_ATTRIBUTE public_template[] = {
		ATTRIBUTE(CKA_TOKEN, yes),
		ATTRIBUTE(CKA_VERIFY, yes),
		ATTRIBUTE(CKA_MODULUS_BITS, bits),
		ATTRIBUTE(CKA_PUBLIC_EXPONENT, exponent),
		{CKA_LABEL, rsa_label, sizeof(rsa_label) - 1},
	};
	CK_ATTRIBUTE private_template[] = {
		ATTRIBUTE(CKA_TOKEN, yes),
		ATTRIBUTE(CKA_SIGN, yes),
		{CKA_LABEL, rsa_label, sizeof(rsa_label) - 1},
	};

	OK(p11->C_GenerateKeyPair(session, &mechanism, public_template, COUNT(public_template),
	                          private_template, COUNT(private_template), &handles[0],
	                          &handles[1]));
}

static void make_keys(CK_SESSION_HANDLE session)
{
	CK_OBJECT_HANDLE handles[2];
	CK_ATTRIBUTE mac[] = {
		ATTRIBUTE(CKA_CLASS, class_secret), ATTRIBUTE(CKA_KEY_TYPE, type_generic),
		ATTRIBUTE(CKA_TOKEN, yes),          ATTRIBUTE(CKA_SIGN, yes),
		ATTRIBUTE(CKA_VALUE, mac_value),    {CKA_LABEL, mac_label, sizeof(mac_label) - 1},
	};

	api_aes_key(session, true, "load aes");
	api_ec_pair(session, true, "load ec", &handles[0], &handles[1]);
	make_rsa_pair(session);
	OK(p11->C_CreateObject(session, mac, COUNT(mac), &handles[0]));
}

static EVP_PKEY *make_public(const char *type, OSSL_PARAM_BLD *builder)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
	EVP_PKEY *key = NULL;

	ASSERT_EQ(EVP_PKEY_fromdata_init(context), 1);
	ASSERT_EQ(EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters), 1);
	OSSL_PARAM_free(parameters);
	OSSL_PARAM_BLD_free(builder);
	EVP_PKEY_CTX_free(context);
	return key;
}

static EVP_PKEY *read_ec(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
	CK_BYTE point[67];
	CK_ATTRIBUTE template = ATTRIBUTE(CKA_EC_POINT, point);
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();

	OK(p11->C_GetAttributeValue(session, object, &template, 1));
	ASSERT_EQ(template.ulValueLen, sizeof(point)); /* a DER OCTET STRING around it */
	OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
	OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point + 2, 65);
	return make_public("EC", builder);
}

static EVP_PKEY *read_rsa(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
	CK_BYTE modulus[256];
	CK_ATTRIBUTE template = ATTRIBUTE(CKA_MODULUS, modulus);
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	BIGNUM *number;
	EVP_PKEY *key;

	OK(p11->C_GetAttributeValue(session, object, &template, 1));
	ASSERT_EQ(template.ulValueLen, sizeof(modulus));
	number = BN_bin2bn(modulus, sizeof(modulus), NULL);
	OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, number);
	OSSL_PARAM_BLD_push_uint(builder, OSSL_PKEY_PARAM_RSA_E, 65537);
	key = make_public("RSA", builder);
	BN_free(number);
	return key;
}

/* ---- the operations ---- */

static bool openssl_verifies(EVP_PKEY *key, struct worker *worker, const CK_BYTE *signature,
                             size_t len)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
	            EVP_DigestVerify(context, signature, len, worker->text, worker->text_len) == 1;

	EVP_MD_CTX_free(context);
	return good;
}

/* r and s, one after the other, as OpenSSL wants them. */
static size_t ecdsa_der(const CK_BYTE signature[64], CK_BYTE der[80])
{
	ECDSA_SIG *pair = ECDSA_SIG_new();
	int len;

	ECDSA_SIG_set0(pair, BN_bin2bn(signature, 32, NULL), BN_bin2bn(signature + 32, 32, NULL));
	len = i2d_ECDSA_SIG(pair, &der);
	ECDSA_SIG_free(pair);
	ASSERT_GT(len, 0);
	return (size_t)len;
}

static void sign_and_verify(struct worker *worker, CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key,
                            CK_OBJECT_HANDLE public_key, CK_ULONG *len)
{
	CK_MECHANISM mechanism = {type, NULL, 0};
	CK_SESSION_HANDLE session = worker->session;

	draw_text(worker);
	*len = sizeof(worker->out);
	OK(p11->C_SignInit(session, &mechanism, key));
	OK(p11->C_Sign(session, worker->text, worker->text_len, worker->out, len));
	OK(p11->C_VerifyInit(session, &mechanism, public_key));
	OK(p11->C_Verify(session, worker->text, worker->text_len, worker->out, *len));
	worker->text[0] ^= 1;
	OK(p11->C_VerifyInit(session, &mechanism, public_key));
	GIVES(p11->C_Verify(session, worker->text, worker->text_len, worker->out, *len),
	      CKR_SIGNATURE_INVALID);
	worker->text[0] ^= 1;
}

static void sign_ec(struct worker *worker)
{
	struct application *application = worker->application;
	CK_BYTE der[80];
	CK_ULONG len;

	sign_and_verify(worker, CKM_ECDSA_SHA256, application->keys.ec, application->keys.ec_public,
	                &len);
	ASSERT_EQ(len, 64);
	ASSERT_TRUE(openssl_verifies(application->ec, worker, der, ecdsa_der(worker->out, der)));
}

static void sign_rsa(struct worker *worker)
{
	struct application *application = worker->application;
	CK_ULONG len;

	sign_and_verify(worker, CKM_SHA256_RSA_PKCS, application->keys.rsa,
	                application->keys.rsa_public, &len);
	ASSERT_EQ(len, 256);
	ASSERT_TRUE(openssl_verifies(application->rsa, worker, worker->out, len));
}

static void mac_in_parts(struct worker *worker)
{
	CK_MECHANISM mechanism = {CKM_SHA256_HMAC, NULL, 0};
	CK_BYTE mac[32], wanted[32];
	CK_ULONG len = sizeof(mac), part;
	size_t wanted_len;

	draw_text(worker);
	part = draw(worker, (uint32_t)worker->text_len);
	OK(p11->C_SignInit(worker->session, &mechanism, worker->application->keys.mac));
	OK(p11->C_SignUpdate(worker->session, worker->text, part));
	OK(p11->C_SignUpdate(worker->session, worker->text + part, worker->text_len - part));
	OK(p11->C_SignFinal(worker->session, mac, &len));
	ASSERT_EQ(len, sizeof(wanted));
	ASSERT_NOT_NULL(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, mac_value, sizeof(mac_value),
	                          worker->text, worker->text_len, wanted, sizeof(wanted),
	                          &wanted_len));
	ASSERT_MEMEQ(mac, wanted, sizeof(mac));
}

/* There and back, and a ciphertext with a wrong bit is refused. */
static void gcm_there_and_back(struct worker *worker, CK_OBJECT_HANDLE key)
{
	CK_BYTE iv[12];
	CK_GCM_PARAMS gcm = {
		.pIv = iv, .ulIvLen = sizeof(iv), .ulIvBits = 8 * sizeof(iv), .ulTagBits = 128};
	CK_MECHANISM mechanism = {CKM_AES_GCM, &gcm, sizeof(gcm)};
	CK_SESSION_HANDLE session = worker->session;
	CK_ULONG len = sizeof(worker->out), back_len = sizeof(worker->back);

	draw_text(worker);
	OK(p11->C_GenerateRandom(session, iv, sizeof(iv)));
	OK(p11->C_EncryptInit(session, &mechanism, key));
	OK(p11->C_Encrypt(session, worker->text, worker->text_len, worker->out, &len));
	ASSERT_EQ(len, worker->text_len + 16);
	ASSERT_NE(memcmp(worker->out, worker->text, 16), 0);
	OK(p11->C_DecryptInit(session, &mechanism, key));
	OK(p11->C_Decrypt(session, worker->out, len, worker->back, &back_len));
	ASSERT_EQ(back_len, worker->text_len);
	ASSERT_MEMEQ(worker->back, worker->text, back_len);
	worker->out[draw(worker, (uint32_t)len)] ^= 1;
	OK(p11->C_DecryptInit(session, &mechanism, key));
	back_len = sizeof(worker->back);
	GIVES(p11->C_Decrypt(session, worker->out, len, worker->back, &back_len),
	      CKR_ENCRYPTED_DATA_INVALID);
}

static void encrypt_gcm(struct worker *worker)
{
	gcm_there_and_back(worker, worker->application->keys.aes);
}

/* With a key that OpenSSL has too. */
static void encrypt_cbc(struct worker *worker)
{
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_CLASS, class_secret),
		ATTRIBUTE(CKA_KEY_TYPE, type_aes),
		ATTRIBUTE(CKA_ENCRYPT, yes),
		ATTRIBUTE(CKA_VALUE, cbc_value),
	};
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	CK_ULONG len = sizeof(worker->out);
	CK_OBJECT_HANDLE key;
	CK_BYTE iv[16];
	CK_MECHANISM mechanism = {CKM_AES_CBC_PAD, iv, sizeof(iv)};
	int head, tail;

	draw_text(worker);
	memcpy(iv, worker->text, sizeof(iv));
	OK(p11->C_CreateObject(worker->session, template, COUNT(template), &key));
	OK(p11->C_EncryptInit(worker->session, &mechanism, key));
	OK(p11->C_Encrypt(worker->session, worker->text, worker->text_len, worker->out, &len));
	OK(p11->C_DestroyObject(worker->session, key));
	ASSERT_EQ(EVP_EncryptInit_ex(context, EVP_aes_128_cbc(), NULL, cbc_value, iv), 1);
	ASSERT_EQ(EVP_EncryptUpdate(context, worker->back, &head, worker->text,
	                            (int)worker->text_len),
	          1);
	ASSERT_EQ(EVP_EncryptFinal_ex(context, worker->back + head, &tail), 1);
	EVP_CIPHER_CTX_free(context);
	ASSERT_EQ(len, head + tail);
	ASSERT_MEMEQ(worker->out, worker->back, len);
}

static void digest_text(struct worker *worker, CK_BYTE *text, CK_ULONG text_len)
{
	CK_MECHANISM mechanism = {CKM_SHA384, NULL, 0};
	CK_BYTE got[48], wanted[48];
	CK_ULONG len = sizeof(got);

	OK(p11->C_DigestInit(worker->session, &mechanism));
	OK(p11->C_Digest(worker->session, text, text_len, got, &len));
	ASSERT_EQ(len, sizeof(wanted));
	ASSERT_EQ(EVP_Digest(text, text_len, wanted, NULL, EVP_sha384(), NULL), 1);
	ASSERT_MEMEQ(got, wanted, sizeof(got));
}

static void digest(struct worker *worker)
{
	draw_text(worker);
	digest_text(worker, worker->text, worker->text_len);
}

static void digest_bulk(struct worker *worker)
{
	worker->bulk[draw(worker, BULK_LEN)] ^= 1;
	digest_text(worker, worker->bulk, BULK_LEN);
}

static void random_octets(struct worker *worker)
{
	static const CK_BYTE zero[16];
	CK_BYTE octets[16] = {0};

	OK(p11->C_GenerateRandom(worker->session, octets, sizeof(octets)));
	ASSERT_NE(memcmp(octets, zero, sizeof(octets)), 0);
	ASSERT_NE(memcmp(octets, worker->random, sizeof(octets)), 0);
	memcpy(worker->random, octets, sizeof(octets));
}

static void find(struct worker *worker)
{
	struct keys keys;

	find_keys(worker->session, &keys);
	ASSERT_MEMEQ(&keys, &worker->application->keys, sizeof(keys));
	ASSERT_EQ(find_one(worker->session, &class_private, "load none"), CK_INVALID_HANDLE);
}

/* An object that nobody else has: made, found, read, destroyed, gone. */
static void object_life(struct worker *worker, CK_BBOOL on_token)
{
	CK_SESSION_HANDLE session = worker->session;
	CK_OBJECT_HANDLE object;
	char label[32];
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_CLASS, class_data),
		ATTRIBUTE(CKA_TOKEN, on_token),
		{CKA_LABEL, label, 0},
		{CKA_VALUE, worker->text, 0},
	};
	CK_ATTRIBUTE value = {CKA_VALUE, worker->back, sizeof(worker->back)};

	draw_text(worker);
	template[2].ulValueLen = (CK_ULONG)snprintf(label, sizeof(label), "object %u of %u",
	                                            worker->index, worker->application->index);
	template[3].ulValueLen = worker->text_len;
	ASSERT_EQ(find_one(session, &class_data, label), CK_INVALID_HANDLE);
	OK(p11->C_CreateObject(session, template, COUNT(template), &object));
	ASSERT_EQ(find_one(session, &class_data, label), object);
	OK(p11->C_GetAttributeValue(session, object, &value, 1));
	ASSERT_EQ(value.ulValueLen, worker->text_len);
	ASSERT_MEMEQ(worker->back, worker->text, worker->text_len);
	OK(p11->C_DestroyObject(session, object));
	GIVES(p11->C_GetAttributeValue(session, object, &value, 1), CKR_OBJECT_HANDLE_INVALID);
	ASSERT_EQ(find_one(session, &class_data, label), CK_INVALID_HANDLE);
}

static void session_object(struct worker *worker)
{
	object_life(worker, CK_FALSE);
}

static void token_object(struct worker *worker)
{
	if (worker->read_write)
		object_life(worker, CK_TRUE);
}

static void generate_aes(struct worker *worker)
{
	CK_OBJECT_HANDLE key = api_aes_key(worker->session, false, "fresh");

	gcm_there_and_back(worker, key);
	OK(p11->C_DestroyObject(worker->session, key));
	GIVES(p11->C_DestroyObject(worker->session, key), CKR_OBJECT_HANDLE_INVALID);
}

static CK_SESSION_HANDLE open_session(struct worker *worker)
{
	return api_session(worker->read_write);
}

/* What belongs to a session goes with it. */
static void second_session(struct worker *worker)
{
	CK_SESSION_HANDLE first = worker->session;
	CK_OBJECT_HANDLE key;
	CK_ATTRIBUTE value = {CKA_LABEL, worker->back, sizeof(worker->back)};
	CK_BYTE octets[8];

	worker->session = open_session(worker);
	ASSERT_NE(worker->session, first);
	key = api_aes_key(worker->session, false, "of the session");
	OK(p11->C_GetAttributeValue(first, key, &value, 1));
	OK(p11->C_CloseSession(worker->session));
	GIVES(p11->C_GenerateRandom(worker->session, octets, sizeof(octets)),
	      CKR_SESSION_HANDLE_INVALID);
	worker->session = first;
	GIVES(p11->C_GetAttributeValue(first, key, &value, 1), CKR_OBJECT_HANDLE_INVALID);
}

static void expect_state(struct worker *worker, CK_STATE read_only, CK_STATE read_write)
{
	CK_SESSION_INFO info;

	OK(p11->C_GetSessionInfo(worker->session, &info));
	ASSERT_EQ(info.state, worker->read_write ? read_write : read_only);
}

static void login_state(struct worker *worker)
{
	expect_state(worker, CKS_RO_USER_FUNCTIONS, CKS_RW_USER_FUNCTIONS);
	GIVES(api_login(worker->session, CKU_USER, USER_PIN), CKR_USER_ALREADY_LOGGED_IN);
	GIVES(api_login(worker->session, CKU_SO, SO_PIN), CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
}

#endif
