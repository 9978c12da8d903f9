/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For volume_test.sh: makes COUNT data objects that look like volumes, as a client with the PIN
 * can. They are no volumes: their records are damaged.
 *
 *   many_volumes COUNT
 */
#include "p11.h"

#define APPLICATION "craton-hsm volume"

static void make(CK_SESSION_HANDLE session, unsigned int number)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_BBOOL yes = CK_TRUE;
	CK_OBJECT_HANDLE object;
	char label[64]; /* as long as a name may be */
	CK_ATTRIBUTE template[] = {
		{CKA_CLASS, &class, sizeof(class)},
		{CKA_TOKEN, &yes, 1},
		{CKA_PRIVATE, &yes, 1},
		{CKA_APPLICATION, APPLICATION, sizeof(APPLICATION) - 1},
		{CKA_LABEL, label, sizeof(label) - 1},
		{CKA_VALUE, "no record", 9},
	};

	snprintf(label, sizeof(label), "zz-planted-%052u", number);
	need("C_CreateObject", p11->C_CreateObject(session, template, 6, &object));
}

int main(int argc, char **argv)
{
	CK_SESSION_HANDLE session = p11_start(getenv("USER_PIN"));
	unsigned int count = argc == 2 ? (unsigned int)atoi(argv[1]) : 0;

	for (unsigned int i = 0; i < count; i++)
		make(session, i);
	return count ? 0 : 2;
}
