/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CKM_RSA_AES_KEY_WRAP: a key of any length under an RSA key. A fresh AES key wraps it by RFC 5649
 * and travels before it under OAEP. Both are mechanisms of their own, which do the work.
 */
#include "crypto_key.h"
#include "keygen.h"
#include "slots.h"

#define AES_LEN_MAX 32u

/* The OAEP parameter inside ours. */
static enum err inner_parameter(const struct wire_mechanism *parameter, size_t *aes_len,
                                struct wire_buffer *buffer, struct wire_mechanism *oaep)
{
	struct wire_rsa_aes_parameter record;

	if (!wire_decode_rsa_aes_parameter(parameter->parameter, &record) ||
	    (record.aes_bits != 128 && record.aes_bits != 192 && record.aes_bits != 256))
		return ERROR_MECHANISM_PARAMETER;
	*aes_len = record.aes_bits / 8;
	wire_encode_oaep_parameter(buffer, &(struct wire_oaep_parameter){.hash = record.hash,
	                                                                 .mgf = record.mgf,
	                                                                 .source = record.source,
	                                                                 .label = record.label});
	*oaep = (struct wire_mechanism){
		CKM_RSA_PKCS_OAEP, WIRE_SHAPE_oaep, {buffer->data, buffer->len}};
	return buffer->failed ? ERROR_MEMORY : ERROR_NONE;
}

static enum err make_aes_key(struct wire_bytes value, struct object **key)
{
	attributes_auto set = {0};
	enum err err;

	attributes_init(&set);
	err = attributes_set_number(&set, CKA_CLASS, CKO_SECRET_KEY);
	if (!err)
		err = attributes_set_number(&set, CKA_KEY_TYPE, CKK_AES);
	if (!err)
		err = attributes_set_bytes(&set, CKA_VALUE, value.data, value.len);
	return err ? err : object_new(&set, key);
}

/* One of the two layers, by its own mechanism. */
static enum err run_layer(struct crypto *crypto, enum operation_kind kind,
                          const struct wire_mechanism *parameter, struct object *key,
                          struct wire_bytes in, struct wire_buffer *out)
{
	const struct mechanism *row = mechanism_find(crypto, NULL, parameter->type);

	return row ? keygen_wrapping(crypto, kind, row, parameter, key, in, out) : ERROR_MECHANISM;
}

static enum err run_kwp(struct crypto *crypto, enum operation_kind kind, struct wire_bytes aes,
                        struct wire_bytes in, struct wire_buffer *out)
{
	static const uint8_t no_iv[4]; /* a length of 0: the RFC's own */
	const struct wire_mechanism kwp = {
		CKM_AES_KEY_WRAP_KWP, WIRE_SHAPE_initialization_vector, {no_iv, sizeof(no_iv)}};
	object_auto key = NULL;
	enum err err = make_aes_key(aes, &key);

	return err ? err : run_layer(crypto, kind, &kwp, key, in, out);
}

static enum err wrap_with(struct crypto *crypto, const struct wire_mechanism *oaep,
                          struct object *wrapping_key, struct wire_bytes aes,
                          struct wire_bytes plain, struct wire_buffer *out)
{
	enum err err = run_layer(crypto, OPERATION_ENCRYPT, oaep, wrapping_key, aes, out);

	return err ? err : run_kwp(crypto, OPERATION_ENCRYPT, aes, plain, out);
}

static enum err wrap(struct crypto *crypto, const struct wire_mechanism *parameter,
                     struct object *wrapping_key, struct wire_bytes plain, struct wire_buffer *out)
{
	__attribute__((cleanup(wire_buffer_free))) struct wire_buffer buffer = {0};
	struct wire_mechanism oaep;
	size_t aes_len;
	uint8_t *aes;
	enum err err;

	wire_buffer_init(&buffer, WIRE_CONTROL_LIMIT, NULL);
	err = inner_parameter(parameter, &aes_len, &buffer, &oaep);
	if (err)
		return err;
	aes = slots_allocate(aes_len);
	if (!aes)
		return ERROR_MEMORY;
	err = crypto_random(crypto, aes, aes_len);
	if (!err)
		err = wrap_with(crypto, &oaep, wrapping_key, (struct wire_bytes){aes, aes_len},
		                plain, out);
	slots_release(aes);
	return err;
}

static enum err unwrap(struct crypto *crypto, const struct wire_mechanism *parameter,
                       struct object *unwrapping_key, struct wire_bytes wrapped,
                       struct wire_buffer *out)
{
	__attribute__((cleanup(wire_buffer_free))) struct wire_buffer buffer = {0}, aes = {0};
	struct wire_mechanism oaep;
	struct wire_bytes first = wrapped, second;
	EVP_PKEY *pkey;
	size_t aes_len;
	enum err err;

	wire_buffer_init(&buffer, WIRE_CONTROL_LIMIT, NULL);
	wire_buffer_init(&aes, WIRE_CONTROL_LIMIT, &slots_wire_allocator);
	err = crypto_key_get(crypto, unwrapping_key, &pkey);
	if (!err)
		err = inner_parameter(parameter, &aes_len, &buffer, &oaep);
	if (err)
		return err;
	first.len = (size_t)EVP_PKEY_get_size(pkey);
	if (wrapped.len <= first.len)
		return ERROR_ENCRYPTED_DATA_LENGTH;
	second = (struct wire_bytes){wrapped.data + first.len, wrapped.len - first.len};
	err = run_layer(crypto, OPERATION_DECRYPT, &oaep, unwrapping_key, first, &aes);
	if (!err && aes.len != aes_len)
		err = ERROR_ENCRYPTED_DATA;
	return err ? err
	           : run_kwp(crypto, OPERATION_DECRYPT, (struct wire_bytes){aes.data, aes.len},
	                     second, out);
}

const struct key_methods keygen_rsa_aes_methods = {.wrap = wrap, .unwrap = unwrap};
