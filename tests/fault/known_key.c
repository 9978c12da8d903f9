/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For memory_test.sh: puts the AES key of the file KEY (32 octets) in the token and uses it, then
 * says `ready` and keeps its session, with the key in use, until its standard input ends. It keeps
 * no copy of the key itself.
 *
 *   known_key KEY import|find
 */
#include "p11.h"

#define KEY_LEN 32

static CK_SESSION_HANDLE session;
static CK_BYTE iv[16];
static CK_MECHANISM mechanism = {CKM_AES_CBC, iv, sizeof(iv)};

static CK_OBJECT_HANDLE import(const char *path)
{
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_BYTE key[KEY_LEN];
	CK_OBJECT_HANDLE object;
	CK_ATTRIBUTE template[] = {
		{CKA_CLASS, &class, sizeof(class)},
		{CKA_KEY_TYPE, &type, sizeof(type)},
		{CKA_TOKEN, &yes, 1},
		{CKA_PRIVATE, &yes, 1},
		{CKA_SENSITIVE, &yes, 1},
		{CKA_EXTRACTABLE, &no, 1},
		{CKA_ENCRYPT, &yes, 1},
		{CKA_DECRYPT, &yes, 1},
		{CKA_LABEL, "known", 5},
		{CKA_VALUE, key, KEY_LEN},
	};
	FILE *file = fopen(path, "r");

	if (!file || fread(key, 1, KEY_LEN, file) != KEY_LEN)
		exit(3);
	fclose(file);
	need("C_CreateObject",
	     p11->C_CreateObject(session, template, sizeof(template) / sizeof(*template), &object));
	explicit_bzero(key, KEY_LEN);
	return object;
}

static CK_OBJECT_HANDLE find(void)
{
	CK_ATTRIBUTE template[] = {{CKA_LABEL, "known", 5}};
	CK_OBJECT_HANDLE object;
	CK_ULONG count;

	need("C_FindObjectsInit", p11->C_FindObjectsInit(session, template, 1));
	need("C_FindObjects", p11->C_FindObjects(session, &object, 1, &count));
	need("C_FindObjectsFinal", p11->C_FindObjectsFinal(session));
	if (count != 1)
		exit(4);
	return object;
}

static void encrypt(CK_OBJECT_HANDLE key)
{
	CK_BYTE plain[64] = {0}, cipher[64];
	CK_ULONG cipher_len = sizeof(cipher);

	need("C_EncryptInit", p11->C_EncryptInit(session, &mechanism, key));
	need("C_Encrypt", p11->C_Encrypt(session, plain, sizeof(plain), cipher, &cipher_len));
	for (CK_ULONG i = 0; i < cipher_len; i++)
		printf("%02x", cipher[i]);
	printf("\n");
}

/* An operation that is begun and not ended, so that a cipher's state is in the agent while it is
 * looked at. */
static void begin(void)
{
	CK_BYTE plain[64] = {0}, cipher[128];
	CK_ULONG cipher_len = sizeof(cipher);

	need("C_EncryptInit", p11->C_EncryptInit(session, &mechanism, find()));
	need("C_EncryptUpdate",
	     p11->C_EncryptUpdate(session, plain, sizeof(plain), cipher, &cipher_len));
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 3;
	session = p11_start(getenv("USER_PIN"));
	encrypt(!strcmp(argv[2], "import") ? import(argv[1]) : find());
	begin();
	printf("ready\n");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
