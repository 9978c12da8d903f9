/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all derivations share: the length of the new key, its value, and what it inherits.
 */
#include "crypto_key.h"
#include "keygen.h"

enum err keygen_derived_len(const struct attributes *set, size_t usual, size_t max, size_t *len)
{
	uint64_t type = attributes_number(set, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);
	uint64_t wanted = keygen_secret_len(set);

	if (attributes_number(set, CKA_CLASS, CKO_SECRET_KEY) != CKO_SECRET_KEY)
		return ERROR_TEMPLATE_INCONSISTENT;
	if (wanted == CK_UNAVAILABLE_INFORMATION) {
		if (!usual || type == CKK_AES || type == CKK_AES_XTS)
			return ERROR_TEMPLATE_INCOMPLETE;
		wanted = usual;
	}
	if (!keygen_secret_len_valid(type, wanted) || wanted > max)
		return ERROR_KEY_SIZE;
	*len = wanted;
	return ERROR_NONE;
}

enum err keygen_put_value(struct attributes *set, struct wire_bytes value)
{
	uint64_t type = attributes_number(set, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);

	if (!keygen_secret_value_valid(type, value))
		return ERROR_CRYPTO;
	return attributes_set_bytes(set, CKA_VALUE, value.data, value.len);
}

enum err keygen_put_derived(struct attributes *set, struct wire_bytes material, size_t usual)
{
	size_t len;
	enum err err = keygen_derived_len(set, usual, material.len, &len);

	return err ? err : keygen_put_value(set, (struct wire_bytes){material.data, len});
}

/* What one key's protection demands of a key that shows its octets. */
static bool protects_less(const struct attributes *set, const struct object *key)
{
	return ((key->usage & USAGE_SENSITIVE) && !attributes_flag(set, CKA_SENSITIVE)) ||
	       (!(key->usage & USAGE_EXTRACTABLE) && attributes_flag(set, CKA_EXTRACTABLE));
}

enum err keygen_check_inherited(const struct derivation *derivation, const struct attributes *set)
{
	if (!derivation->mechanism->key->transparent)
		return ERROR_NONE;
	if (protects_less(set, derivation->base) ||
	    (derivation->other && protects_less(set, derivation->other)))
		return ERROR_TEMPLATE_INCONSISTENT;
	return ERROR_NONE;
}
