/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secret keys from the DRBG, and the lengths that each key type may have.
 */
#include "keygen.h"
#include "slots.h"

#define SECRET_LEN_MAX 4096u

bool keygen_secret_len_valid(uint64_t key_type, uint64_t len)
{
	if (key_type == CKK_AES)
		return len == 16 || len == 24 || len == 32;
	return len >= 1 && len <= SECRET_LEN_MAX;
}

static enum err generate(struct crypto *crypto, const struct mechanism *mechanism,
                         struct attributes *set)
{
	uint64_t len = attributes_number(set, CKA_VALUE_LEN, CK_UNAVAILABLE_INFORMATION);
	uint8_t *value;
	enum err err;

	if (len == CK_UNAVAILABLE_INFORMATION)
		return ERROR_TEMPLATE_INCOMPLETE;
	if (!keygen_secret_len_valid(mechanism->key_type, len))
		return ERROR_KEY_SIZE;
	value = slots_allocate(len);
	if (!value)
		return ERROR_MEMORY;
	err = crypto_random(crypto, value, len);
	if (!err)
		err = attributes_set_bytes(set, CKA_VALUE, value, len);
	slots_release(value);
	return err;
}

const struct key_methods keygen_secret_methods = {
	.generate = generate,
};
