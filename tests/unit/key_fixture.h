/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of mechanisms share: the context, keys from octets, parameters, and operations in
 * one line. Include it after harness.h.
 */
#ifndef TESTS_KEY_FIXTURE_H
#define TESTS_KEY_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "crypto_key.h"
#include "keygen.h"
#include "mechanism.h"
#include "operation.h"
#include "slots.h"

#define OUT_MAX      8192u
#define BYTES(array) ((struct wire_bytes){(const uint8_t *)(array), sizeof(array)})
#define TEXT(string) ((struct wire_bytes){(const uint8_t *)(string), sizeof(string) - 1})
#define NOTHING      ((struct wire_bytes){NULL, 0})

__attribute__((unused)) static struct state fixture_state;
__attribute__((unused)) static struct crypto *crypto;

__attribute__((unused)) static void open_crypto(void)
{
	char error[256] = "";

	if (crypto)
		return;
	ASSERT_EQ(slots_open(SLOTS_AUTO, error, sizeof(error)), 0);
	state_init(&fixture_state);
	ASSERT_EQ(crypto_open(&crypto, &fixture_state, error, sizeof(error)), 0);
	state_ready(&fixture_state);
}

/* Octets of a hexadecimal string; valid until the 64th call after this one. */
__attribute__((unused)) static struct wire_bytes hex(const char *digits)
{
	static uint8_t pool[64][2048];
	static unsigned int next;
	uint8_t *octets = pool[next++ % 64];
	size_t len = 0;

	for (; digits[0]; digits++) {
		unsigned int value;

		if (*digits == ' ')
			continue;
		ASSERT_EQ(sscanf(digits++, "%2x", &value), 1);
		octets[len++] = (uint8_t)value;
	}
	return (struct wire_bytes){octets, len};
}

__attribute__((unused)) static struct object *publish(struct attributes *set)
{
	struct object *object;

	ASSERT_EQ(object_new(set, &object), ERROR_NONE);
	return object;
}

__attribute__((unused)) static struct object *secret_key(uint64_t type, struct wire_bytes value)
{
	attributes_auto set = {0};

	attributes_init(&set);
	ASSERT_EQ(attributes_set_number(&set, CKA_CLASS, CKO_SECRET_KEY), ERROR_NONE);
	ASSERT_EQ(attributes_set_number(&set, CKA_KEY_TYPE, type), ERROR_NONE);
	ASSERT_EQ(attributes_set_flag(&set, CKA_EXTRACTABLE, true), ERROR_NONE);
	ASSERT_EQ(attributes_set_bytes(&set, CKA_VALUE, value.data, value.len), ERROR_NONE);
	return publish(&set);
}

/* A set with class and key type; the caller clears it. */
__attribute__((unused)) static struct attributes key_set(uint64_t class, uint64_t type)
{
	struct attributes set;

	attributes_init(&set);
	ASSERT_EQ(attributes_set_number(&set, CKA_CLASS, class), ERROR_NONE);
	ASSERT_EQ(attributes_set_number(&set, CKA_KEY_TYPE, type), ERROR_NONE);
	return set;
}

__attribute__((unused)) static void put(struct attributes *set, uint64_t type,
                                        struct wire_bytes value)
{
	ASSERT_EQ(attributes_set_bytes(set, type, value.data, value.len), ERROR_NONE);
}

#define P256_PARAMS    "06082a8648ce3d030107"
#define P384_PARAMS    "06052b81040022"
#define P521_PARAMS    "06052b81040023"
#define ED25519_PARAMS "06032b6570"

__attribute__((unused)) static struct object *curve_key(uint64_t class, uint64_t type,
                                                        const char *params, const char *value)
{
	struct attributes set = key_set(class, type);
	struct object *key;

	put(&set, CKA_EC_PARAMS, hex(params));
	put(&set, class == CKO_PRIVATE_KEY ? CKA_VALUE : CKA_EC_POINT, hex(value));
	key = publish(&set);
	attributes_clear(&set);
	return key;
}

__attribute__((unused)) static const struct mechanism *row_of(uint64_t type)
{
	const struct mechanism *row = mechanism_find(crypto, NULL, type);

	ASSERT_NOT_NULL(row);
	return row;
}

/* A parameter of any shape: the record is encoded into static memory. */
static struct wire_buffer parameter_buffer;

__attribute__((unused)) static struct wire_mechanism parameter_end(uint64_t type,
                                                                   enum wire_shape shape)
{
	return (struct wire_mechanism){
		type, (uint8_t)shape, {parameter_buffer.data, parameter_buffer.len}};
}

#define PARAMETER(type, record_shape, ...)                                                         \
	({                                                                                         \
		wire_buffer_free(&parameter_buffer);                                               \
		wire_buffer_init(&parameter_buffer, 65536, NULL);                                  \
		wire_encode_##record_shape##_parameter(                                            \
			&parameter_buffer,                                                         \
			&(struct wire_##record_shape##_parameter){__VA_ARGS__});                   \
		parameter_end(type, WIRE_SHAPE_##record_shape);                                    \
	})
#define PLAIN(type) ((struct wire_mechanism){(type), WIRE_SHAPE_none, {NULL, 0}})

/* Result of the last operation. */
__attribute__((unused)) static uint8_t output[OUT_MAX];
__attribute__((unused)) static size_t output_len;

__attribute__((unused)) static void take_output(struct wire_buffer *buffer)
{
	ASSERT_LE(buffer->len, sizeof(output));
	output_len = buffer->len;
	if (buffer->len)
		memcpy(output, buffer->data, buffer->len);
	wire_buffer_free(buffer);
}

#define OUTPUT ((struct wire_bytes){output, output_len})
#define EXPECT_BYTES(actual, expected)                                                             \
	do {                                                                                       \
		struct wire_bytes bytes_a = (actual), bytes_b = (expected);                        \
		EXPECT_EQ(bytes_a.len, bytes_b.len);                                               \
		if (bytes_a.len == bytes_b.len)                                                    \
			EXPECT_MEMEQ(bytes_a.data, bytes_b.data, bytes_a.len);                     \
	} while (0)

static const struct output_request everything = {false, OUT_MAX};

/* Start and one-shot; the result is in `output`. */
__attribute__((unused)) static enum err run_once_with(enum operation_kind kind,
                                                      const struct mechanism *row,
                                                      struct wire_mechanism parameter,
                                                      struct object *key, struct wire_bytes data)
{
	struct operation *operation;
	struct wire_buffer buffer;
	uint64_t len;
	enum err err;

	output_len = 0;
	err = operation_start(&operation, kind, crypto, row, &parameter, key);
	if (err)
		return err;
	wire_buffer_init(&buffer, WIRE_BULK_LIMIT, NULL);
	err = operation_once(&operation, data, &everything, &buffer, &len);
	EXPECT_NULL(operation);
	EXPECT_EQ(err ? 0 : len, buffer.len);
	take_output(&buffer);
	return err;
}

__attribute__((unused)) static enum err run_once(enum operation_kind kind,
                                                 struct wire_mechanism parameter,
                                                 struct object *key, struct wire_bytes data)
{
	return run_once_with(kind, row_of(parameter.type), parameter, key, data);
}

/* The same in parts of `part` octets. */
__attribute__((unused)) static enum err run_parts(enum operation_kind kind,
                                                  struct wire_mechanism parameter,
                                                  struct object *key, struct wire_bytes data,
                                                  size_t part)
{
	bool gives = kind == OPERATION_ENCRYPT || kind == OPERATION_DECRYPT;
	struct operation *operation;
	struct wire_buffer buffer;
	uint64_t len;
	enum err err;

	output_len = 0;
	err = operation_start(&operation, kind, crypto, row_of(parameter.type), &parameter, key);
	wire_buffer_init(&buffer, WIRE_BULK_LIMIT, NULL);
	while (!err && data.len) {
		size_t now = data.len < part ? data.len : part;

		err = operation_update(&operation, (struct wire_bytes){data.data, now},
		                       gives ? &everything : NULL, gives ? &buffer : NULL,
		                       gives ? &len : NULL);
		data.data += now;
		data.len -= now;
	}
	if (!err)
		err = operation_final(&operation, &everything, &buffer, &len);
	EXPECT_NULL(operation);
	take_output(&buffer);
	return err;
}

__attribute__((unused)) static enum err verify_with(const struct mechanism *row,
                                                    struct wire_mechanism parameter,
                                                    struct object *key, struct wire_bytes data,
                                                    struct wire_bytes signature)
{
	struct operation *operation;
	enum err err;

	err = operation_start(&operation, OPERATION_VERIFY, crypto, row, &parameter, key);
	if (err)
		return err;
	err = operation_verify_once(&operation, data, signature);
	EXPECT_NULL(operation);
	return err;
}

__attribute__((unused)) static enum err verify(struct wire_mechanism parameter, struct object *key,
                                               struct wire_bytes data, struct wire_bytes signature)
{
	return verify_with(row_of(parameter.type), parameter, key, data, signature);
}

__attribute__((unused)) static enum err verify_parts(struct wire_mechanism parameter,
                                                     struct object *key, struct wire_bytes data,
                                                     struct wire_bytes signature)
{
	struct operation *operation;
	enum err err;

	err = operation_start(&operation, OPERATION_VERIFY, crypto, row_of(parameter.type),
	                      &parameter, key);
	for (size_t i = 0; !err && i < data.len; i++)
		err = operation_update(&operation, (struct wire_bytes){data.data + i, 1}, NULL,
		                       NULL, NULL);
	if (!err)
		err = operation_verify_final(&operation, signature);
	EXPECT_NULL(operation);
	return err;
}

/* Both halves of a PKCS#8 key as objects. */
__attribute__((unused)) static void
pair_from_pkcs8(struct wire_bytes der, struct object **public_key, struct object **private_key)
{
	EVP_PKEY *pkey;
	struct attributes set;

	ASSERT_EQ(crypto_key_from_pkcs8(crypto, der, &pkey), ERROR_NONE);
	set = key_set(CKO_PUBLIC_KEY, crypto_key_type(pkey));
	ASSERT_EQ(crypto_key_public_attributes(pkey, &set), ERROR_NONE);
	*public_key = publish(&set);
	set = key_set(CKO_PRIVATE_KEY, crypto_key_type(pkey));
	ASSERT_EQ(crypto_key_private_attributes(pkey, &set), ERROR_NONE);
	*private_key = publish(&set);
	EVP_PKEY_free(pkey);
}

/* A pair of a mechanism that generates one. */
__attribute__((unused)) static void
generate(uint64_t type, const char *params, struct object **public_key, struct object **private_key)
{
	const struct mechanism *row = row_of(type);
	struct wire_mechanism parameter = PLAIN(type);
	struct attributes public_set = key_set(CKO_PUBLIC_KEY, row->key_type);
	struct attributes private_set = key_set(CKO_PRIVATE_KEY, row->key_type);

	if (params)
		put(&public_set, CKA_EC_PARAMS, hex(params));
	else
		ASSERT_EQ(attributes_set_number(&public_set, CKA_MODULUS_BITS, 2048), ERROR_NONE);
	ASSERT_EQ(keygen_pair(crypto, NULL, row, &parameter, &public_set, &private_set),
	          ERROR_NONE);
	*public_key = publish(&public_set);
	*private_key = publish(&private_set);
}

#endif
