/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects: their caches and their count of references. Publishing and finding them is token.c's.
 */
#include "object.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "crypto_kept.h"

#define RSA_APPROVED_LEN 256u /* octets of a modulus of 2048 bits */

/* Usage flags that are attributes. */
static const struct {
	uint64_t type;
	uint32_t usage;
} usages[] = {
	{CKA_ENCRYPT, USAGE_ENCRYPT},
	{CKA_DECRYPT, USAGE_DECRYPT},
	{CKA_SIGN, USAGE_SIGN},
	{CKA_VERIFY, USAGE_VERIFY},
	{CKA_VERIFY_RECOVER, USAGE_VERIFY_RECOVER},
	{CKA_SIGN_RECOVER, USAGE_SIGN_RECOVER},
	{CKA_WRAP, USAGE_WRAP},
	{CKA_UNWRAP, USAGE_UNWRAP},
	{CKA_DERIVE, USAGE_DERIVE},
	{CKA_ENCAPSULATE, USAGE_ENCAPSULATE},
	{CKA_DECAPSULATE, USAGE_DECAPSULATE},
	{CKA_SENSITIVE, USAGE_SENSITIVE},
	{CKA_EXTRACTABLE, USAGE_EXTRACTABLE},
	{CKA_MODIFIABLE, USAGE_MODIFIABLE},
	{CKA_COPYABLE, USAGE_COPYABLE},
	{CKA_DESTROYABLE, USAGE_DESTROYABLE},
	{CKA_ALWAYS_AUTHENTICATE, USAGE_ALWAYS_AUTHENTICATE},
	{CKA_WRAP_WITH_TRUSTED, USAGE_WRAP_WITH_TRUSTED},
	{CKA_TRUSTED, USAGE_TRUSTED},
	{CKA_CRATON_COMPROMISED, USAGE_COMPROMISED},
};

static uint32_t usage_of(const struct wire_attribute *attribute)
{
	if (attribute->kind != WIRE_ATTRIBUTE_FLAG || !attribute->number)
		return 0;
	for (size_t i = 0; i < sizeof(usages) / sizeof(usages[0]); i++) {
		if (usages[i].type == attribute->type)
			return usages[i].usage;
	}
	return 0;
}

static void cache_date(char date[8], const struct wire_attribute *attribute)
{
	if (attribute->value.len == 8)
		memcpy(date, attribute->value.data, 8);
}

/* secp256k1 by its OID and by its name: the one curve of CKK_EC that is not approved. */
static bool unapproved_curve(struct wire_bytes params)
{
	static const uint8_t oid[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a};
	static const uint8_t name[] = "\x13\x09secp256k1";

	return wire_bytes_equal(params, (struct wire_bytes){oid, sizeof(oid)}) ||
	       wire_bytes_equal(params, (struct wire_bytes){name, sizeof(name) - 1});
}

static bool unapproved_type(uint64_t key_type)
{
	return key_type == CKK_EC_MONTGOMERY || key_type == CKK_CHACHA20;
}

static bool is_unapproved(const struct wire_attribute *attribute)
{
	switch (attribute->type) {
	case CKA_KEY_TYPE:
		return unapproved_type(attribute->number);
	case CKA_EC_PARAMS:
		return unapproved_curve(attribute->value);
	case CKA_MODULUS:
		return attribute->value.len < RSA_APPROVED_LEN;
	default:
		return false;
	}
}

bool object_unapproved(const struct attributes *attributes)
{
	struct wire_template template = attributes_template(attributes);
	struct wire_attribute attribute;
	size_t cursor = 0;

	while (wire_template_next(&template, &cursor, &attribute)) {
		if (is_unapproved(&attribute))
			return true;
	}
	return false;
}

static void cache_attribute(struct object *object, const struct wire_attribute *attribute)
{
	object->usage |= usage_of(attribute);
	object->unapproved |= is_unapproved(attribute);
	switch (attribute->type) {
	case CKA_CLASS:
		object->object_class = attribute->number;
		break;
	case CKA_KEY_TYPE:
		object->key_type = attribute->number;
		break;
	case CKA_TOKEN:
		object->is_token = attribute->number;
		break;
	case CKA_PRIVATE:
		object->is_private = attribute->number;
		break;
	case CKA_START_DATE:
		cache_date(object->start_date, attribute);
		break;
	case CKA_END_DATE:
		cache_date(object->end_date, attribute);
		break;
	case CKA_ALLOWED_MECHANISMS:
		object->has_allowed_mechanisms = attribute->value.len > 0;
		break;
	default:
		break;
	}
}

enum err object_new(struct attributes *attributes, struct object **out)
{
	struct object *object = calloc(1, sizeof(*object));
	struct wire_attribute attribute;
	struct wire_template template;
	size_t cursor = 0;

	if (!object)
		return ERROR_MEMORY;
	atomic_init(&object->references, 1);
	object->object_class = object->key_type = CK_UNAVAILABLE_INFORMATION;
	object->attributes = *attributes;
	attributes_init(attributes);
	template = attributes_template(&object->attributes);
	while (wire_template_next(&template, &cursor, &attribute))
		cache_attribute(object, &attribute);
	*out = object;
	return ERROR_NONE;
}

struct object *object_get(struct object *object)
{
	atomic_fetch_add_explicit(&object->references, 1, memory_order_relaxed);
	return object;
}

static void free_kept(struct object *object)
{
	for (unsigned int i = 0; i < OBJECT_KEPT; i++) {
		crypto_kept_free(atomic_load(&object->kept[0][i]));
		crypto_kept_free(atomic_load(&object->kept[1][i]));
	}
}

void object_put(struct object *object)
{
	if (!object || atomic_fetch_sub_explicit(&object->references, 1, memory_order_acq_rel) != 1)
		return;
	free_kept(object);
	EVP_PKEY_free(atomic_load(&object->pkey));
	attributes_clear(&object->attributes);
	free(object);
}

void object_putp(struct object **object)
{
	object_put(*object);
}

bool object_allows_mechanism(const struct object *object, uint64_t mechanism)
{
	struct wire_attribute allowed;

	if (!object->has_allowed_mechanisms ||
	    !attributes_get(&object->attributes, CKA_ALLOWED_MECHANISMS, &allowed))
		return true;
	for (size_t at = 0; at + 8 <= allowed.value.len; at += 8) {
		if (wire_load_u64(allowed.value.data + at) == mechanism)
			return true;
	}
	return false;
}
