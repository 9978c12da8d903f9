/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The profiles that a token says it keeps (PKCS#11 v3.0 §4.13): public objects that every
 * initialised token has, not stored, and that nobody makes, changes or destroys.
 */
#include "token_private.h"

#include <string.h>

#include "crypto.h"

/* Not CKP_PUBLIC_CERTIFICATES_TOKEN: an application may make a certificate private. */
static const uint64_t profiles[] = {
	CKP_BASELINE_PROVIDER,
	CKP_EXTENDED_PROVIDER,
	CKP_AUTHENTICATION_TOKEN,
};

static enum err describe(uint64_t profile, struct attributes *set)
{
	static const struct {
		uint64_t type;
		bool value;
	} flags[] = {
		{CKA_TOKEN, true},     {CKA_PRIVATE, false},     {CKA_MODIFIABLE, false},
		{CKA_COPYABLE, false}, {CKA_DESTROYABLE, false},
	};
	enum err err = attributes_set_number(set, CKA_CLASS, CKO_PROFILE);

	if (!err)
		err = attributes_set_number(set, CKA_PROFILE_ID, profile);
	for (size_t i = 0; !err && i < sizeof(flags) / sizeof(flags[0]); i++)
		err = attributes_set_flag(set, flags[i].type, flags[i].value);
	return err;
}

/* The same for as long as the token is: of its serial number and the profile. */
static enum err name(const struct token *token, uint64_t profile, uint8_t uid[OBJECT_UID_LEN])
{
	uint8_t octets[STORE_SERIAL_LEN + 8], hash[EVP_MAX_MD_SIZE];

	memcpy(octets, token->row.serial, STORE_SERIAL_LEN);
	wire_store_u64(octets + STORE_SERIAL_LEN, profile);
	if (!crypto_digest(token->environment.crypto, DIGEST_SHA256,
	                   (struct wire_bytes){octets, sizeof(octets)}, hash))
		return ERROR_CRYPTO;
	memcpy(uid, hash, OBJECT_UID_LEN);
	return ERROR_NONE;
}

static enum err insert(struct token *token, uint64_t profile)
{
	attributes_auto set = {0};
	object_auto object = NULL;
	enum err err;

	attributes_init(&set);
	err = describe(profile, &set);
	if (!err)
		err = object_new(&set, &object);
	if (!err)
		err = name(token, profile, object->uid);
	if (err)
		return err;
	object->revision = 1;
	return token_insert_new(token, object);
}

enum err token_insert_profiles(struct token *token)
{
	enum err err = ERROR_NONE;

	token->profile_count = 0;
	for (size_t i = 0; !err && i < sizeof(profiles) / sizeof(profiles[0]); i++) {
		err = insert(token, profiles[i]);
		token->profile_count += !err;
	}
	return err;
}
