/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every function in every state of a session, as tests/sweep/functions.table expects it. The calls
 * are in function_calls.h; here are the states, the reading of the table, and the check that
 * nothing is left out. Each cell is run by itself: initialised, session opened, logged in, called,
 * finalised.
 */
#include "function_calls.h"

#define STATES       7
#define LINE_MAX_LEN 512

enum state { BEFORE, NONE, RO_PUBLIC, RW_PUBLIC, RO_USER, RW_USER, RW_SO };

static const struct {
	const char *name;
	CK_RV (*call)(struct fixture *f);
} calls[] = {
#define ROW(name, function)                                                                        \
	{                                                                                          \
		name, function                                                                     \
	}
	ROW("C_Initialize", call_C_Initialize),
	ROW("C_Finalize", call_C_Finalize),
	ROW("C_GetInfo", call_C_GetInfo),
	ROW("C_GetFunctionList", call_C_GetFunctionList),
	ROW("C_GetInterfaceList", call_C_GetInterfaceList),
	ROW("C_GetInterface", call_C_GetInterface),
	ROW("C_GetSlotList", call_C_GetSlotList),
	ROW("C_GetSlotInfo", call_C_GetSlotInfo),
	ROW("C_GetTokenInfo", call_C_GetTokenInfo),
	ROW("C_WaitForSlotEvent", call_C_WaitForSlotEvent),
	ROW("C_GetMechanismList", call_C_GetMechanismList),
	ROW("C_GetMechanismInfo", call_C_GetMechanismInfo),
	ROW("C_InitToken", call_C_InitToken),
	ROW("C_InitPIN", call_C_InitPIN),
	ROW("C_SetPIN", call_C_SetPIN),
	ROW("C_OpenSession", call_C_OpenSession),
	ROW("C_OpenSession:read-only", call_C_OpenSession_read_only),
	ROW("C_CloseSession", call_C_CloseSession),
	ROW("C_CloseAllSessions", call_C_CloseAllSessions),
	ROW("C_GetSessionInfo", call_C_GetSessionInfo),
	ROW("C_SessionCancel", call_C_SessionCancel),
	ROW("C_GetOperationState", call_C_GetOperationState),
	ROW("C_SetOperationState", call_C_SetOperationState),
	ROW("C_Login", call_C_Login),
	ROW("C_Login:so", call_C_Login_so),
	ROW("C_Login:context", call_C_Login_context),
	ROW("C_LoginUser", call_C_LoginUser),
	ROW("C_Logout", call_C_Logout),
	ROW("C_CreateObject", call_C_CreateObject),
	ROW("C_CreateObject:token", call_C_CreateObject_token),
	ROW("C_CreateObject:private", call_C_CreateObject_private),
	ROW("C_CreateObject:private-token", call_C_CreateObject_private_token),
	ROW("C_CopyObject", call_C_CopyObject),
	ROW("C_CopyObject:token", call_C_CopyObject_token),
	ROW("C_CopyObject:of-private", call_C_CopyObject_of_private),
	ROW("C_DestroyObject", call_C_DestroyObject),
	ROW("C_DestroyObject:token", call_C_DestroyObject_token),
	ROW("C_DestroyObject:private-token", call_C_DestroyObject_private_token),
	ROW("C_GetObjectSize", call_C_GetObjectSize),
	ROW("C_GetObjectSize:private", call_C_GetObjectSize_private),
	ROW("C_GetAttributeValue", call_C_GetAttributeValue),
	ROW("C_GetAttributeValue:private", call_C_GetAttributeValue_private),
	ROW("C_SetAttributeValue", call_C_SetAttributeValue),
	ROW("C_SetAttributeValue:token", call_C_SetAttributeValue_token),
	ROW("C_SetAttributeValue:private-token", call_C_SetAttributeValue_private_token),
	ROW("C_FindObjectsInit", call_C_FindObjectsInit),
	ROW("C_FindObjects", call_C_FindObjects),
	ROW("C_FindObjects:not-begun", call_C_FindObjects_not_begun),
	ROW("C_FindObjectsFinal", call_C_FindObjectsFinal),
	ROW("C_EncryptInit", call_C_EncryptInit),
	ROW("C_Encrypt", call_C_Encrypt),
	ROW("C_EncryptUpdate", call_C_EncryptUpdate),
	ROW("C_EncryptFinal", call_C_EncryptFinal),
	ROW("C_MessageEncryptInit", call_C_MessageEncryptInit),
	ROW("C_EncryptMessage", call_C_EncryptMessage),
	ROW("C_EncryptMessageBegin", call_C_EncryptMessageBegin),
	ROW("C_EncryptMessageNext", call_C_EncryptMessageNext),
	ROW("C_MessageEncryptFinal", call_C_MessageEncryptFinal),
	ROW("C_DecryptInit", call_C_DecryptInit),
	ROW("C_Decrypt", call_C_Decrypt),
	ROW("C_DecryptUpdate", call_C_DecryptUpdate),
	ROW("C_DecryptFinal", call_C_DecryptFinal),
	ROW("C_MessageDecryptInit", call_C_MessageDecryptInit),
	ROW("C_DecryptMessage", call_C_DecryptMessage),
	ROW("C_DecryptMessageBegin", call_C_DecryptMessageBegin),
	ROW("C_DecryptMessageNext", call_C_DecryptMessageNext),
	ROW("C_MessageDecryptFinal", call_C_MessageDecryptFinal),
	ROW("C_DigestInit", call_C_DigestInit),
	ROW("C_Digest", call_C_Digest),
	ROW("C_Digest:not-begun", call_C_Digest_not_begun),
	ROW("C_DigestUpdate", call_C_DigestUpdate),
	ROW("C_DigestKey", call_C_DigestKey),
	ROW("C_DigestFinal", call_C_DigestFinal),
	ROW("C_SignInit", call_C_SignInit),
	ROW("C_Sign", call_C_Sign),
	ROW("C_SignUpdate", call_C_SignUpdate),
	ROW("C_SignFinal", call_C_SignFinal),
	ROW("C_SignRecoverInit", call_C_SignRecoverInit),
	ROW("C_SignRecover", call_C_SignRecover),
	ROW("C_MessageSignInit", call_C_MessageSignInit),
	ROW("C_SignMessage", call_C_SignMessage),
	ROW("C_SignMessageBegin", call_C_SignMessageBegin),
	ROW("C_SignMessageNext", call_C_SignMessageNext),
	ROW("C_MessageSignFinal", call_C_MessageSignFinal),
	ROW("C_VerifyInit", call_C_VerifyInit),
	ROW("C_Verify", call_C_Verify),
	ROW("C_VerifyUpdate", call_C_VerifyUpdate),
	ROW("C_VerifyFinal", call_C_VerifyFinal),
	ROW("C_VerifyRecoverInit", call_C_VerifyRecoverInit),
	ROW("C_VerifyRecover", call_C_VerifyRecover),
	ROW("C_MessageVerifyInit", call_C_MessageVerifyInit),
	ROW("C_VerifyMessage", call_C_VerifyMessage),
	ROW("C_VerifyMessageBegin", call_C_VerifyMessageBegin),
	ROW("C_VerifyMessageNext", call_C_VerifyMessageNext),
	ROW("C_MessageVerifyFinal", call_C_MessageVerifyFinal),
	ROW("C_VerifySignatureInit", call_C_VerifySignatureInit),
	ROW("C_VerifySignature", call_C_VerifySignature),
	ROW("C_VerifySignatureUpdate", call_C_VerifySignatureUpdate),
	ROW("C_VerifySignatureFinal", call_C_VerifySignatureFinal),
	ROW("C_DigestEncryptUpdate", call_C_DigestEncryptUpdate),
	ROW("C_DecryptDigestUpdate", call_C_DecryptDigestUpdate),
	ROW("C_SignEncryptUpdate", call_C_SignEncryptUpdate),
	ROW("C_DecryptVerifyUpdate", call_C_DecryptVerifyUpdate),
	ROW("C_GenerateKey", call_C_GenerateKey),
	ROW("C_GenerateKey:token", call_C_GenerateKey_token),
	ROW("C_GenerateKey:private", call_C_GenerateKey_private),
	ROW("C_GenerateKeyPair", call_C_GenerateKeyPair),
	ROW("C_GenerateKeyPair:token", call_C_GenerateKeyPair_token),
	ROW("C_WrapKey", call_C_WrapKey),
	ROW("C_UnwrapKey", call_C_UnwrapKey),
	ROW("C_DeriveKey", call_C_DeriveKey),
	ROW("C_EncapsulateKey", call_C_EncapsulateKey),
	ROW("C_DecapsulateKey", call_C_DecapsulateKey),
	ROW("C_WrapKeyAuthenticated", call_C_WrapKeyAuthenticated),
	ROW("C_UnwrapKeyAuthenticated", call_C_UnwrapKeyAuthenticated),
	ROW("C_SeedRandom", call_C_SeedRandom),
	ROW("C_GenerateRandom", call_C_GenerateRandom),
	ROW("C_GetFunctionStatus", call_C_GetFunctionStatus),
	ROW("C_CancelFunction", call_C_CancelFunction),
	ROW("C_GetSessionValidationFlags", call_C_GetSessionValidationFlags),
	ROW("C_AsyncComplete", call_C_AsyncComplete),
	ROW("C_AsyncGetID", call_C_AsyncGetID),
	ROW("C_AsyncJoin", call_C_AsyncJoin),
};

struct row {
	char name[64];
	char cells[STATES][16];
};

static struct {
	struct row rows[256];
	size_t count;
	struct {
		char name[16], code[64];
	} names[64];
	size_t name_count;
} table;

static const struct {
	const char *name;
	CK_RV code;
} codes[] = {
#define CODE(name)                                                                                 \
	{                                                                                          \
#name, name                                                                        \
	}
	CODE(CKR_OK),
	CODE(CKR_CRYPTOKI_NOT_INITIALIZED),
	CODE(CKR_CRYPTOKI_ALREADY_INITIALIZED),
	CODE(CKR_SESSION_HANDLE_INVALID),
	CODE(CKR_SESSION_EXISTS),
	CODE(CKR_SESSION_READ_ONLY),
	CODE(CKR_SESSION_READ_ONLY_EXISTS),
	CODE(CKR_SESSION_READ_WRITE_SO_EXISTS),
	CODE(CKR_USER_NOT_LOGGED_IN),
	CODE(CKR_USER_ALREADY_LOGGED_IN),
	CODE(CKR_USER_ANOTHER_ALREADY_LOGGED_IN),
	CODE(CKR_OPERATION_NOT_INITIALIZED),
	CODE(CKR_KEY_HANDLE_INVALID),
	CODE(CKR_WRAPPING_KEY_HANDLE_INVALID),
	CODE(CKR_UNWRAPPING_KEY_HANDLE_INVALID),
	CODE(CKR_OBJECT_HANDLE_INVALID),
	CODE(CKR_NO_EVENT),
	CODE(CKR_FUNCTION_NOT_PARALLEL),
	CODE(CKR_MECHANISM_INVALID),
	CODE(CKR_FUNCTION_NOT_SUPPORTED),
};

/* ---- the table ---- */

static void read_line(const char *line)
{
	struct row *row = &table.rows[table.count];
	char section[64];
	int got;

	if (line[0] == '#' || line[0] == '\n')
		return;
	if (line[0] == '=') {
		ASSERT_TRUE(table.name_count < COUNT(table.names));
		got = sscanf(line, "= %15s %63s", table.names[table.name_count].name,
		             table.names[table.name_count].code);
		ASSERT_EQ(got, 2);
		table.name_count++;
		return;
	}
	ASSERT_TRUE(table.count < COUNT(table.rows));
	got = sscanf(line, "%63s %15s %15s %15s %15s %15s %15s %15s %63s", row->name, row->cells[0],
	             row->cells[1], row->cells[2], row->cells[3], row->cells[4], row->cells[5],
	             row->cells[6], section);
	if (got != STATES + 2)
		printf("# a row without all its cells and its section: %s", line);
	ASSERT_EQ(got, STATES + 2);
	table.count++;
}

static void read_table(void)
{
	FILE *file = fopen("tests/sweep/functions.table", "r");
	char line[LINE_MAX_LEN];

	ASSERT_NOT_NULL(file);
	while (fgets(line, sizeof(line), file))
		read_line(line);
	fclose(file);
}

static CK_RV code_of(const char *cell)
{
	for (size_t i = 0; i < table.name_count; i++) {
		if (strcmp(table.names[i].name, cell))
			continue;
		for (size_t j = 0; j < COUNT(codes); j++) {
			if (!strcmp(codes[j].name, table.names[i].code))
				return codes[j].code;
		}
	}
	printf("# a cell that means nothing: %s\n", cell);
	ASSERT_TRUE(false);
	return CKR_GENERAL_ERROR;
}

static CK_RV (*call_of(const char *name))(struct fixture *f)
{
	for (size_t i = 0; i < COUNT(calls); i++) {
		if (!strcmp(calls[i].name, name))
			return calls[i].call;
	}
	printf("# a row that nobody calls: %s\n", name);
	ASSERT_TRUE(false);
	return NULL;
}

/* ---- what the calls are given ---- */

static void make_data(struct fixture *f)
{
	OK(create(f, yes, yes));
	f->data = f->made;
	OK(create(f, yes, no));
	f->shown = f->made;
}

static void make_aes(struct fixture *f)
{
	CK_ULONG len = 32;
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_VALUE_LEN, len),
		ATTRIBUTE(CKA_TOKEN, yes),
		ATTRIBUTE(CKA_PRIVATE, yes),
		ATTRIBUTE(CKA_SENSITIVE, no),
		ATTRIBUTE(CKA_EXTRACTABLE, yes),
		ATTRIBUTE(CKA_WRAP, yes),
		ATTRIBUTE(CKA_UNWRAP, yes),
		ATTRIBUTE(CKA_DERIVE, yes),
		LABEL,
	};

	OK(V2(C_GenerateKey, f->session, MECHANISM(CKM_AES_KEY_GEN), template, COUNT(template),
	      &f->aes));
}

static void make_rsa(struct fixture *f)
{
	CK_ULONG bits = 8 * MODULUS_LEN;
	CK_ATTRIBUTE public_template[] = {
		ATTRIBUTE(CKA_MODULUS_BITS, bits),
		ATTRIBUTE(CKA_VERIFY_RECOVER, yes),
		ATTRIBUTE(CKA_TOKEN, yes),
	};
	CK_ATTRIBUTE private_template[] = {
		ATTRIBUTE(CKA_SIGN_RECOVER, yes),
		ATTRIBUTE(CKA_TOKEN, yes),
		LABEL,
	};

	OK(V2(C_GenerateKeyPair, f->session, MECHANISM(CKM_RSA_PKCS_KEY_PAIR_GEN), public_template,
	      COUNT(public_template), private_template, COUNT(private_template), &f->rsa_public,
	      &f->rsa_private));
}

/* Ciphertexts and signatures of the text. */
static void make_results(struct fixture *f)
{
	CK_ULONG len = sizeof(f->signature);

	OK(SIGN_INIT);
	OK(V2(C_Sign, f->session, TEXT, f->signature, &len));
	len = sizeof(f->recoverable);
	OK(SIGN_RECOVER_INIT);
	OK(V2(C_SignRecover, f->session, TEXT, f->recoverable, &len));
	len = sizeof(f->sealed);
	OK(SEAL_INIT);
	OK(V3_0(C_EncryptMessage, f->session, GCM, NULL, 0, TEXT, f->sealed, &len));
	OK(V3_0(C_MessageEncryptFinal, f->session));
	len = sizeof(f->wrapped);
	OK(V2(C_WrapKey, f->session, MECHANISM(CKM_AES_KEY_WRAP), f->aes, f->aes, f->wrapped,
	      &len));
	ASSERT_EQ(len, sizeof(f->wrapped));
}

/* Everything anew on an initialised token; leaves the library finalised. */
static void furnish(struct fixture *f)
{
	api_make_token();
	f->session = api_session(true);
	OK(api_login(f->session, CKU_USER, USER_PIN));
	make_data(f);
	make_aes(f);
	make_rsa(f);
	api_ec_pair(f->session, true, OBJECT_LABEL, &f->ec_public, &f->ec_private);
	make_results(f);
	OK(p11->C_Finalize(NULL));
}

/* The two that a call may have destroyed. */
static void refurnish(struct fixture *f)
{
	OK(api_initialize());
	f->session = api_session(true);
	OK(api_login(f->session, CKU_USER, USER_PIN));
	make_data(f);
	OK(p11->C_Finalize(NULL));
}

/* The private object of this class and key type (of data: CKK_AES, which they do not have). */
static CK_OBJECT_HANDLE find(struct fixture *f, CK_OBJECT_CLASS class, CK_KEY_TYPE type)
{
	CK_OBJECT_HANDLE found = 0;
	CK_ULONG count = 0;
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_CLASS, class),
		ATTRIBUTE(CKA_PRIVATE, yes),
		LABEL,
		ATTRIBUTE(CKA_KEY_TYPE, type),
	};

	OK(V2(C_FindObjectsInit, f->session, template,
	      class == CKO_DATA ? COUNT(template) - 1 : COUNT(template)));
	OK(V2(C_FindObjects, f->session, &found, 1, &count));
	OK(V2(C_FindObjectsFinal, f->session));
	ASSERT_EQ(count, 1);
	return found;
}

/* A logout makes the handles of private objects void, so every login finds them anew; without one,
 * the last ones known must mean nothing. */
static void find_private(struct fixture *f)
{
	f->data = find(f, CKO_DATA, CKK_AES);
	f->aes = find(f, CKO_SECRET_KEY, CKK_AES);
	f->rsa_private = find(f, CKO_PRIVATE_KEY, CKK_RSA);
	f->ec_private = find(f, CKO_PRIVATE_KEY, CKK_EC);
}

static void enter(struct fixture *f, enum state state)
{
	f->session = 0;
	f->so = state == RW_SO;
	f->out_len = sizeof(f->out);
	f->made = f->made_too = 0;
	if (state == BEFORE)
		return;
	OK(api_initialize());
	if (state == NONE)
		return;
	f->session = api_session(state == RW_PUBLIC || state == RW_USER || state == RW_SO);
	if (state >= RO_USER)
		OK(api_login(f->session, f->so ? CKU_SO : CKU_USER, f->so ? SO_PIN : USER_PIN));
	if (state == RO_USER || state == RW_USER)
		find_private(f);
}

static void leave(void)
{
	CK_RV rv = p11->C_Finalize(NULL);

	ASSERT_TRUE(rv == CKR_OK || rv == CKR_CRYPTOKI_NOT_INITIALIZED);
}

static bool destroys(const char *name)
{
	return !strncmp(name, "C_DestroyObject:", 16);
}

static void start(struct fixture *f)
{
	CK_RV (*interface)(CK_UTF8CHAR *, CK_VERSION *, CK_INTERFACE **, CK_FLAGS);
	CK_VERSION version = {3, 2};
	CK_INTERFACE *found = NULL;

	api_start();
	*(void **)&interface = dlsym(api_library, "C_GetInterface");
	OK(interface(NULL, &version, &found, 0));
	*f = (struct fixture){.p = found->pFunctionList};
	furnish(f);
	read_table();
}

static unsigned int run_row(struct fixture *f, const struct row *row)
{
	unsigned int wrong = 0;

	for (int state = 0; state < STATES; state++) {
		CK_RV wanted = code_of(row->cells[state]), got;

		enter(f, (enum state)state);
		got = call_of(row->name)(f);
		leave();
		if (got != wanted)
			printf("# %s, state %d: 0x%lx, not %s\n", row->name, state, got,
			       row->cells[state]);
		wrong += got != wanted;
		if (destroys(row->name) && !got)
			refurnish(f);
		if (!strcmp(row->name, "C_InitToken") && !got) {
			OK(api_initialize());
			furnish(f);
		}
	}
	return wrong;
}

TEST_TIMEOUT(every_cell, 120)
{
	unsigned int wrong = 0;
	struct fixture f;

	start(&f);
	for (size_t i = 0; i < table.count; i++)
		wrong += run_row(&f, &table.rows[i]);
	printf("# %zu rows, %zu cells, %u wrong\n", table.count, table.count * STATES, wrong);
	ASSERT_EQ(wrong, 0);
}

/* Every function that the library exports, and every call, has a row; no row twice. */
TEST(nothing_is_left_out)
{
	FILE *map = fopen("lib/libcraton_hsm.map", "r");
	char line[LINE_MAX_LEN], name[64];
	unsigned int functions = 0;

	read_table();
	ASSERT_NOT_NULL(map);
	while (fgets(line, sizeof(line), map)) {
		bool found = false;

		if (sscanf(line, " %63[C_A-Za-z0-9];", name) != 1 || strncmp(name, "C_", 2))
			continue;
		functions++;
		for (size_t i = 0; i < table.count; i++)
			found |= !strcmp(table.rows[i].name, name);
		if (!found)
			printf("# no row: %s\n", name);
		EXPECT_TRUE(found);
	}
	fclose(map);
	ASSERT_TRUE(functions > 90);
	ASSERT_EQ(table.count, COUNT(calls));
	for (size_t i = 0; i < table.count; i++) {
		for (size_t j = 0; j < i; j++)
			EXPECT_NE(strcmp(table.rows[i].name, table.rows[j].name), 0);
	}
}

HARNESS_MAIN
