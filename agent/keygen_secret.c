/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secret keys from the DRBG, and the lengths that each key type may have.
 */
#include "keygen.h"
#include "slots.h"

#define CHACHA20_LEN 32u

bool keygen_secret_len_valid(uint64_t key_type, uint64_t len)
{
	switch (key_type) {
	case CKK_AES:
		return len == 16 || len == 24 || len == 32;
	case CKK_AES_XTS:
		return len == 32 || len == 64;
	case CKK_CHACHA20:
		return len == CHACHA20_LEN;
	default:
		return len >= 1 && len <= KEYGEN_SECRET_MAX;
	}
}

uint64_t keygen_secret_len(const struct attributes *set)
{
	uint64_t type = attributes_number(set, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);

	return attributes_number(set, CKA_VALUE_LEN,
	                         type == CKK_CHACHA20 ? CHACHA20_LEN : CK_UNAVAILABLE_INFORMATION);
}

/* The halves of a key of XTS must differ (SP 800-38E by way of FIPS 140-3 IG C.I); OpenSSL refuses
 * it otherwise. */
bool keygen_secret_value_valid(uint64_t key_type, struct wire_bytes value)
{
	size_t half = value.len / 2;

	return key_type != CKK_AES_XTS ||
	       !wire_secret_equal((struct wire_bytes){value.data, half},
	                          (struct wire_bytes){value.data + half, half});
}

static enum err generate(struct crypto *crypto, const struct mechanism *mechanism,
                         const struct wire_mechanism *parameter, struct attributes *set)
{
	uint64_t len = keygen_secret_len(set);
	uint8_t *value;
	enum err err;

	(void)parameter;
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
