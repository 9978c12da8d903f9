/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wrapping is encrypting a key's octets and unwrapping is decrypting them, so both run as
 * operations here, under the errors that Cryptoki has for them. Secret keys travel as their value,
 * private keys as PKCS#8. May this key be wrapped by that one: policy.h.
 */
#include "crypto_key.h"
#include "keygen.h"
#include "operation.h"
#include "slots.h"

/* What an operation says, and what that is called when it was about wrapping or unwrapping. */
struct translation {
	enum err from, to;
};

static const struct translation wrapping[] = {
	{ERROR_KEY_HANDLE, ERROR_WRAPPING_KEY_HANDLE}, {ERROR_KEY_TYPE, ERROR_WRAPPING_KEY_TYPE},
	{ERROR_KEY_FUNCTION, ERROR_WRAPPING_KEY_TYPE}, {ERROR_KEY_SIZE, ERROR_WRAPPING_KEY_SIZE},
	{ERROR_DATA_LENGTH, ERROR_KEY_SIZE},           {ERROR_NONE, ERROR_NONE},
};

static const struct translation unwrapping[] = {
	{ERROR_KEY_HANDLE, ERROR_UNWRAPPING_KEY_HANDLE},
	{ERROR_KEY_TYPE, ERROR_UNWRAPPING_KEY_TYPE},
	{ERROR_KEY_FUNCTION, ERROR_UNWRAPPING_KEY_TYPE},
	{ERROR_KEY_SIZE, ERROR_UNWRAPPING_KEY_TYPE}, /* error.def has no size error here */
	{ERROR_ENCRYPTED_DATA, ERROR_WRAPPED_KEY},
	{ERROR_ENCRYPTED_DATA_LENGTH, ERROR_WRAPPED_KEY_LENGTH},
	{ERROR_NONE, ERROR_NONE},
};

static enum err translate(const struct translation *rows, enum err err)
{
	for (; rows->from; rows++) {
		if (rows->from == err)
			return rows->to;
	}
	return err;
}

enum err keygen_wrapping(struct crypto *crypto, enum operation_kind kind,
                         const struct mechanism *mechanism, const struct wire_mechanism *parameter,
                         struct object *key, struct wire_bytes in, struct wire_buffer *out)
{
	const struct output_request all = {.query = false, .capacity = UINT64_MAX};
	struct operation *operation;
	uint64_t len;
	enum err err;

	err = operation_start_wrapping(&operation, kind, crypto, mechanism, parameter, key);
	return err ? err : operation_once(&operation, in, &all, out, &len);
}

static enum err run(struct crypto *crypto, enum operation_kind kind,
                    const struct mechanism *mechanism, const struct wire_mechanism *parameter,
                    struct object *key, struct wire_bytes in, struct wire_buffer *out)
{
	bool wraps = kind == OPERATION_ENCRYPT;
	enum wire_shape shape;
	enum err err;

	if (!mechanism->key || !mechanism->key->wrap)
		return keygen_wrapping(crypto, kind, mechanism, parameter, key, in, out);
	if (!wire_mechanism_shape(mechanism->type, &shape) || parameter->type != mechanism->type)
		return ERROR_MECHANISM;
	err = crypto_key_fits(crypto, mechanism, key, wraps ? HALF_PUBLIC : HALF_PRIVATE);
	if (!err && parameter->shape != shape)
		err = ERROR_MECHANISM_PARAMETER;
	if (err)
		return err;
	return wraps ? mechanism->key->wrap(crypto, parameter, key, in, out)
	             : mechanism->key->unwrap(crypto, parameter, key, in, out);
}

static bool wraps_private_keys(const struct mechanism *mechanism)
{
	return mechanism->key_type == CKK_AES || (mechanism->key && mechanism->key->wrap);
}

/* RSA by itself takes no private keys: none would fit, and PKCS#11 has no encoding for it. */
static enum err check_wrappable(const struct mechanism *mechanism, const struct object *key)
{
	if (key->object_class == CKO_SECRET_KEY)
		return crypto_key_secret(key).len ? ERROR_NONE : ERROR_KEY_NOT_WRAPPABLE;
	if (key->object_class != CKO_PRIVATE_KEY || !wraps_private_keys(mechanism))
		return ERROR_KEY_NOT_WRAPPABLE;
	return ERROR_NONE;
}

static enum err put_key(struct crypto *crypto, struct object *key, struct wire_buffer *plain)
{
	struct wire_bytes value = crypto_key_secret(key);
	EVP_PKEY *pkey;
	enum err err;

	if (key->object_class == CKO_SECRET_KEY) {
		wire_put_raw(plain, value.data, value.len);
		return plain->failed ? ERROR_MEMORY : ERROR_NONE;
	}
	err = crypto_key_get(crypto, key, &pkey);
	return err ? ERROR_KEY_NOT_WRAPPABLE : crypto_key_pkcs8(pkey, plain);
}

/* RFC 3394 and CBC without padding want whole blocks; PKCS#8 is rarely one. RFC 5649 is there. */
enum err keygen_wrap(struct crypto *crypto, const struct mechanism *mechanism,
                     const struct wire_mechanism *parameter, struct object *wrapping_key,
                     struct object *key, struct wire_buffer *out)
{
	struct wire_buffer plain;
	enum err err;

	err = check_wrappable(mechanism, key);
	if (err)
		return err;
	wire_buffer_init(&plain, WIRE_CONTROL_LIMIT, &slots_wire_allocator);
	err = put_key(crypto, key, &plain);
	if (!err)
		err = translate(wrapping,
		                run(crypto, OPERATION_ENCRYPT, mechanism, parameter, wrapping_key,
		                    (struct wire_bytes){plain.data, plain.len}, out));
	wire_buffer_free(&plain);
	return err;
}

static enum err take_secret(struct wire_bytes plain, struct attributes *set)
{
	uint64_t type = attributes_number(set, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);
	uint64_t len = attributes_number(set, CKA_VALUE_LEN, plain.len);

	if (len != plain.len || !keygen_secret_len_valid(type, plain.len))
		return ERROR_WRAPPED_KEY_LENGTH;
	if (!keygen_secret_value_valid(type, plain))
		return ERROR_WRAPPED_KEY;
	return attributes_set_bytes(set, CKA_VALUE, plain.data, plain.len);
}

static enum err take_private(struct crypto *crypto, struct wire_bytes plain, struct attributes *set)
{
	uint64_t type = attributes_number(set, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);
	pkey_auto pkey = NULL;
	enum err err;

	err = crypto_key_from_pkcs8(crypto, plain, &pkey);
	if (err)
		return err;
	if (crypto_key_type(pkey) != type || keygen_check_private(crypto, pkey))
		return ERROR_WRAPPED_KEY;
	return crypto_key_private_attributes(pkey, set);
}

enum err keygen_unwrap(struct crypto *crypto, const struct mechanism *mechanism,
                       const struct wire_mechanism *parameter, struct object *unwrapping_key,
                       struct wire_bytes wrapped, struct attributes *set)
{
	uint64_t class = attributes_number(set, CKA_CLASS, CK_UNAVAILABLE_INFORMATION);
	struct wire_buffer buffer;
	struct wire_bytes plain;
	enum err err;

	if (class != CKO_SECRET_KEY && (class != CKO_PRIVATE_KEY || !wraps_private_keys(mechanism)))
		return ERROR_TEMPLATE_INCONSISTENT;
	wire_buffer_init(&buffer, WIRE_CONTROL_LIMIT, &slots_wire_allocator);
	err = translate(unwrapping, run(crypto, OPERATION_DECRYPT, mechanism, parameter,
	                                unwrapping_key, wrapped, &buffer));
	plain = (struct wire_bytes){buffer.data, buffer.len};
	if (!err && class == CKO_SECRET_KEY)
		err = take_secret(plain, set);
	else if (!err)
		err = take_private(crypto, plain, set);
	wire_buffer_free(&buffer);
	return err;
}
