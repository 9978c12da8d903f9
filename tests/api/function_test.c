/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions that few clients call: signatures that give their data back (v2.40 §5.11.5,
 * §5.12.5), saved digests (§5.6), waiting for a slot (§5.5), and wrapping that a template confines
 * (§4.10).
 */
#include <openssl/evp.h>
#include <pthread.h>

#include "api.h"

#define DATA_LEN    100u
#define MODULUS_LEN 256u
#define SAVED_MAX   64 /* what the agent keeps for one application */
#define RAW_RSA     "[algorithms]\nallow_raw_rsa = true\n"

static CK_BYTE data[DATA_LEN];
static CK_SESSION_HANDLE session;
static CK_OBJECT_HANDLE public_key, private_key;

static void fill(void)
{
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (CK_BYTE)(i * 7 + 1);
}

static void make_pair(CK_BBOOL recovers)
{
	CK_MECHANISM mechanism = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0};
	CK_ULONG bits = 8 * MODULUS_LEN;
	CK_ATTRIBUTE public_template[] = {
		ATTRIBUTE(CKA_MODULUS_BITS, bits),
		ATTRIBUTE(CKA_VERIFY_RECOVER, recovers),
	};
	CK_ATTRIBUTE private_template[] = {ATTRIBUTE(CKA_SIGN_RECOVER, recovers)};

	OK(p11->C_GenerateKeyPair(session, &mechanism, public_template, COUNT(public_template),
	                          private_template, COUNT(private_template), &public_key,
	                          &private_key));
}

static void sign_recover(CK_MECHANISM_TYPE type, CK_BYTE signature[MODULUS_LEN])
{
	CK_MECHANISM mechanism = {type, NULL, 0};
	CK_ULONG len = 0;

	OK(p11->C_SignRecoverInit(session, &mechanism, private_key));
	OK(p11->C_SignRecover(session, data, DATA_LEN, NULL, &len));
	ASSERT_EQ(len, MODULUS_LEN);
	len--;
	GIVES(p11->C_SignRecover(session, data, DATA_LEN, signature, &len), CKR_BUFFER_TOO_SMALL);
	ASSERT_EQ(len, MODULUS_LEN);
	OK(p11->C_SignRecover(session, data, DATA_LEN, signature, &len));
	ASSERT_EQ(len, MODULUS_LEN);
	GIVES(p11->C_SignRecover(session, data, DATA_LEN, signature, &len),
	      CKR_OPERATION_NOT_INITIALIZED);
}

static CK_RV verify_recover(CK_MECHANISM_TYPE type, CK_BYTE *signature, CK_ULONG signature_len,
                            CK_BYTE *out, CK_ULONG *out_len)
{
	CK_MECHANISM mechanism = {type, NULL, 0};

	OK(p11->C_VerifyRecoverInit(session, &mechanism, public_key));
	return p11->C_VerifyRecover(session, signature, signature_len, out, out_len);
}

TEST(recover_gives_the_data_back)
{
	CK_MECHANISM mechanism = {CKM_RSA_PKCS, NULL, 0};
	CK_BYTE signature[MODULUS_LEN], out[MODULUS_LEN];
	CK_ULONG len = 0;

	session = api_user();
	fill();
	make_pair(CK_TRUE);
	sign_recover(CKM_RSA_PKCS, signature);
	OK(p11->C_VerifyInit(session, &mechanism, public_key));
	OK(p11->C_Verify(session, data, DATA_LEN, signature, sizeof(signature)));

	OK(verify_recover(CKM_RSA_PKCS, signature, sizeof(signature), NULL, &len));
	ASSERT_TRUE(len >= DATA_LEN && len <= MODULUS_LEN);
	len = DATA_LEN - 1;
	GIVES(p11->C_VerifyRecover(session, signature, sizeof(signature), out, &len),
	      CKR_BUFFER_TOO_SMALL);
	ASSERT_EQ(len, DATA_LEN);
	OK(p11->C_VerifyRecover(session, signature, sizeof(signature), out, &len));
	ASSERT_EQ(len, DATA_LEN);
	ASSERT_MEMEQ(out, data, DATA_LEN);

	len = sizeof(out);
	GIVES(verify_recover(CKM_RSA_PKCS, signature, sizeof(signature) - 1, out, &len),
	      CKR_SIGNATURE_LEN_RANGE);
	signature[17] ^= 1;
	GIVES(verify_recover(CKM_RSA_PKCS, signature, sizeof(signature), out, &len),
	      CKR_SIGNATURE_INVALID);
	GIVES(p11->C_VerifyRecover(session, signature, sizeof(signature), out, &len),
	      CKR_OPERATION_NOT_INITIALIZED);
}

TEST(recover_without_padding)
{
	CK_BYTE signature[MODULUS_LEN], out[MODULUS_LEN], zeros[MODULUS_LEN - DATA_LEN] = {0};
	CK_ULONG len = sizeof(out);

	api_start_with("", "", RAW_RSA);
	api_make_token();
	session = api_session(true);
	OK(api_login(session, CKU_USER, USER_PIN));
	fill();
	make_pair(CK_TRUE);
	sign_recover(CKM_RSA_X_509, signature);
	OK(verify_recover(CKM_RSA_X_509, signature, sizeof(signature), out, &len));
	ASSERT_EQ(len, MODULUS_LEN);
	ASSERT_MEMEQ(out, zeros, sizeof(zeros));
	ASSERT_MEMEQ(out + sizeof(zeros), data, DATA_LEN);
}

TEST(recover_refuses)
{
	CK_MECHANISM hashed = {CKM_SHA256_RSA_PKCS, NULL, 0}, plain = {CKM_RSA_PKCS, NULL, 0};
	CK_BYTE signature[MODULUS_LEN], large[MODULUS_LEN] = {0};
	CK_ULONG len = sizeof(signature);

	session = api_user();
	make_pair(CK_FALSE);
	GIVES(p11->C_SignRecoverInit(session, &plain, private_key), CKR_KEY_FUNCTION_NOT_PERMITTED);
	GIVES(p11->C_VerifyRecoverInit(session, &plain, public_key),
	      CKR_KEY_FUNCTION_NOT_PERMITTED);
	make_pair(CK_TRUE);
	GIVES(p11->C_SignRecoverInit(session, &hashed, private_key), CKR_MECHANISM_INVALID);
	GIVES(p11->C_SignRecoverInit(session, &plain, 0), CKR_KEY_HANDLE_INVALID);
	GIVES(p11->C_SignRecoverInit(session, &plain, public_key), CKR_KEY_FUNCTION_NOT_PERMITTED);
	OK(p11->C_SignRecoverInit(session, &plain, private_key));
	GIVES(p11->C_SignRecoverInit(session, &plain, private_key), CKR_OPERATION_ACTIVE);
	OK(p11->C_SignRecoverInit(session, NULL, private_key)); /* ends it */
	GIVES(p11->C_SignRecover(session, data, 1, signature, &len), CKR_OPERATION_NOT_INITIALIZED);
	OK(p11->C_SignRecoverInit(session, &plain, private_key));
	GIVES(p11->C_SignRecover(session, large, MODULUS_LEN - 10, signature, &len),
	      CKR_DATA_LEN_RANGE);
}

/* ---- saved digests ---- */

static void sha256(CK_BYTE out[32])
{
	ASSERT_TRUE(EVP_Digest(data, DATA_LEN, out, NULL, EVP_sha256(), NULL));
}

static void begin_digest(CK_SESSION_HANDLE in)
{
	CK_MECHANISM mechanism = {CKM_SHA256, NULL, 0};

	OK(p11->C_DigestInit(in, &mechanism));
	OK(p11->C_DigestUpdate(in, data, DATA_LEN / 2));
}

/* The second half of the data; the result is that of the whole. */
static void end_digest(CK_SESSION_HANDLE in)
{
	CK_BYTE expected[32], got[32];
	CK_ULONG len = sizeof(got);

	sha256(expected);
	OK(p11->C_DigestUpdate(in, data + DATA_LEN / 2, DATA_LEN - DATA_LEN / 2));
	OK(p11->C_DigestFinal(in, got, &len));
	ASSERT_EQ(len, sizeof(got));
	ASSERT_MEMEQ(got, expected, sizeof(got));
}

TEST(digest_goes_on_elsewhere)
{
	CK_SESSION_HANDLE other;
	CK_BYTE state[64];
	CK_ULONG len = 0;

	session = api_user();
	other = api_session(false);
	fill();
	GIVES(p11->C_GetOperationState(session, NULL, &len), CKR_OPERATION_NOT_INITIALIZED);
	begin_digest(session);
	GIVES(p11->C_GetOperationState(session, NULL, NULL), CKR_ARGUMENTS_BAD);
	OK(p11->C_GetOperationState(session, NULL, &len));
	ASSERT_TRUE(len > 0 && len <= sizeof(state));
	len--;
	GIVES(p11->C_GetOperationState(session, state, &len), CKR_BUFFER_TOO_SMALL);
	OK(p11->C_GetOperationState(session, state, &len));
	end_digest(session);
	for (int round = 0; round < 2; round++) {
		OK(p11->C_SetOperationState(other, state, len, 0, 0));
		end_digest(other);
	}
	begin_digest(session); /* is replaced */
	OK(p11->C_DigestUpdate(session, data, 1));
	OK(p11->C_SetOperationState(session, state, len, 0, 0));
	end_digest(session);
}

TEST(state_that_is_none)
{
	CK_MECHANISM mechanism = {CKM_AES_ECB, NULL, 0};
	CK_OBJECT_HANDLE key;
	CK_BYTE state[64] = {0};
	CK_ULONG len = sizeof(state);

	session = api_user();
	fill();
	key = api_aes_key(session, false, "a");
	begin_digest(session);
	OK(p11->C_GetOperationState(session, state, &len));
	OK(p11->C_EncryptInit(session, &mechanism, key));
	GIVES(p11->C_GetOperationState(session, state, &len), CKR_STATE_UNSAVEABLE);
	GIVES(p11->C_SetOperationState(session, state, len, key, 0), CKR_KEY_NOT_NEEDED);
	GIVES(p11->C_SetOperationState(session, state, len, 0, key), CKR_KEY_NOT_NEEDED);
	GIVES(p11->C_SetOperationState(session, NULL, len, 0, 0), CKR_ARGUMENTS_BAD);
	GIVES(p11->C_SetOperationState(session, state, len - 1, 0, 0), CKR_SAVED_STATE_INVALID);
	GIVES(p11->C_SetOperationState(session, state, 0, 0, 0), CKR_SAVED_STATE_INVALID);
	GIVES(p11->C_SetOperationState(session, state, 1ul << 40, 0, 0), CKR_SAVED_STATE_INVALID);
	GIVES(p11->C_SetOperationState(session + 1, state, len, 0, 0), CKR_SESSION_HANDLE_INVALID);
	state[0] ^= 1;
	GIVES(p11->C_SetOperationState(session, state, len, 0, 0), CKR_SAVED_STATE_INVALID);
	end_digest(session); /* none of that ended it */
	state[0] ^= 1;
	OK(p11->C_SetOperationState(session, state, len, 0, 0));
	GIVES(p11->C_EncryptInit(session, &mechanism, 0), CKR_KEY_HANDLE_INVALID);
	OK(p11->C_Logout(session));
	GIVES(p11->C_SetOperationState(session, state, len, 0, 0), CKR_SAVED_STATE_INVALID);
}

TEST(the_oldest_state_makes_room)
{
	CK_BYTE first[64], second[64], state[64];
	CK_ULONG len = sizeof(first);

	session = api_user();
	fill();
	begin_digest(session);
	OK(p11->C_GetOperationState(session, first, &len));
	OK(p11->C_GetOperationState(session, second, &len));
	for (int i = 2; i <= SAVED_MAX; i++)
		OK(p11->C_GetOperationState(session, state, &len));
	GIVES(p11->C_SetOperationState(session, first, len, 0, 0), CKR_SAVED_STATE_INVALID);
	OK(p11->C_SetOperationState(session, second, len, 0, 0));
	end_digest(session);
}

/* ---- waiting for a slot ---- */

struct waiter {
	pthread_t thread;
	CK_SLOT_ID slot;
	CK_RV rv;
};

static void *wait_for_slot(void *argument)
{
	struct waiter *waiter = argument;

	waiter->rv = p11->C_WaitForSlotEvent(0, &waiter->slot, NULL);
	return NULL;
}

static void begin_waiting(struct waiter *waiter)
{
	*waiter = (struct waiter){.slot = 99};
	ASSERT_EQ(pthread_create(&waiter->thread, NULL, wait_for_slot, waiter), 0);
}

TEST(initialising_a_token_is_an_event)
{
	CK_SLOT_ID slot = 99;
	struct waiter waiter;

	api_start_with("slot_count = 3", "", "");
	GIVES(p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL), CKR_NO_EVENT);
	GIVES(p11->C_WaitForSlotEvent(0, NULL, NULL), CKR_ARGUMENTS_BAD);
	GIVES(p11->C_WaitForSlotEvent(0, &slot, &slot), CKR_ARGUMENTS_BAD);
	OK(api_init_token(2, SO_PIN));
	OK(p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL));
	ASSERT_EQ(slot, 2);
	GIVES(p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL), CKR_NO_EVENT);
	begin_waiting(&waiter);
	OK(api_init_token(1, SO_PIN));
	pthread_join(waiter.thread, NULL);
	OK(waiter.rv);
	ASSERT_EQ(waiter.slot, 1);
	/* An application that comes later was told by C_GetSlotList. */
	OK(p11->C_Finalize(NULL));
	OK(p11->C_Initialize(NULL));
	GIVES(p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL), CKR_NO_EVENT);
}

TEST(waiting_ends)
{
	struct waiter waiter;

	api_start();
	begin_waiting(&waiter);
	OK(p11->C_Finalize(NULL));
	pthread_join(waiter.thread, NULL);
	GIVES(waiter.rv, CKR_CRYPTOKI_NOT_INITIALIZED);
	OK(p11->C_Initialize(NULL));
	begin_waiting(&waiter);
	api_end_agent(SIGKILL);
	pthread_join(waiter.thread, NULL);
	GIVES(waiter.rv, CKR_DEVICE_REMOVED);
}

/* ---- CKA_WRAP_TEMPLATE ---- */

static CK_OBJECT_HANDLE labelled_key(const char *label, CK_ATTRIBUTE *wrap, CK_ULONG wrap_len)
{
	CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
	CK_ULONG value_len = 32;
	CK_BBOOL wraps = wrap != NULL;
	CK_OBJECT_HANDLE key = 0;
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_VALUE_LEN, value_len),
		{CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
		ATTRIBUTE(CKA_EXTRACTABLE, yes),
		ATTRIBUTE(CKA_WRAP, wraps),
		{CKA_WRAP_TEMPLATE, wrap, wrap_len},
	};

	OK(p11->C_GenerateKey(session, &mechanism, template, COUNT(template) - !wrap, &key));
	return key;
}

TEST(wrap_template_confines)
{
	CK_MECHANISM mechanism = {CKM_AES_KEY_WRAP, NULL, 0};
	CK_KEY_TYPE type = CKK_AES;
	CK_ATTRIBUTE wanted[] = {ATTRIBUTE(CKA_KEY_TYPE, type),
	                         {CKA_LABEL, (void *)(uintptr_t) "mine", 4}};
	CK_OBJECT_HANDLE wrapping, mine, other;
	CK_BYTE wrapped[64];
	CK_ULONG len = sizeof(wrapped);

	session = api_user();
	wrapping = labelled_key("kek", wanted, sizeof(wanted));
	mine = labelled_key("mine", NULL, 0);
	other = labelled_key("other", NULL, 0);
	OK(p11->C_WrapKey(session, &mechanism, wrapping, mine, wrapped, &len));
	ASSERT_EQ(len, 40);
	GIVES(p11->C_WrapKey(session, &mechanism, wrapping, other, wrapped, &len),
	      CKR_KEY_HANDLE_INVALID);
}

/* ---- what the audit log calls approved ---- */

/* FIPS 186-5 has Ed25519 and Ed25519ph, not Ed25519ctx. */
TEST(ed25519_with_a_context_is_not_approved)
{
	CK_MECHANISM generate = {CKM_EC_EDWARDS_KEY_PAIR_GEN, NULL, 0};
	struct {
		CK_BBOOL prehash;
		CK_ULONG context_len;
		CK_BYTE *context;
	} parameter = {CK_FALSE, 3, (CK_BYTE *)"ctx"};
	CK_MECHANISM with = {CKM_EDDSA, &parameter, sizeof(parameter)};
	CK_MECHANISM without = {CKM_EDDSA, NULL, 0};
	CK_BYTE curve[] = {0x06, 0x03, 0x2b, 0x65, 0x70}, signature[64];
	CK_ATTRIBUTE template[] = {ATTRIBUTE(CKA_EC_PARAMS, curve)};
	CK_ULONG len = sizeof(signature);
	CK_RV rv;

	session = api_user();
	OK(p11->C_GenerateKeyPair(session, &generate, template, 1, NULL, 0, &public_key,
	                          &private_key));
	OK(p11->C_SignInit(session, &without, private_key));
	OK(p11->C_Sign(session, data, DATA_LEN, signature, &len));
	ASSERT_TRUE(api_recorded_as_approved("C_Sign"));
	rv = p11->C_SignInit(session, &with, private_key);
	if (rv == CKR_MECHANISM_PARAM_INVALID)
		SKIP("OpenSSL before 3.2 has no Ed25519ctx");
	OK(rv);
	OK(p11->C_Sign(session, data, DATA_LEN, signature, &len));
	ASSERT_FALSE(api_recorded_as_approved("C_Sign"));
}

HARNESS_MAIN
