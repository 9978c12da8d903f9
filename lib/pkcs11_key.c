/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys: generate, wrap, unwrap, derive. No key passes through here but wrapped.
 */
#include "host_template.h"
#include "stream.h"
#include "wire/cryptoki_3.h"

/* The mechanism and the one template that most of these have. */
static CK_RV encode(struct connection *connection, const CK_MECHANISM *mechanism,
                    const CK_ATTRIBUTE *attributes, CK_ULONG count,
                    struct wire_mechanism *wire_mechanism, struct wire_template *wire_template)
{
	CK_RV rv = host_parameter_encode(mechanism, &connection->scratch[SCRATCH_MECHANISM],
	                                 wire_mechanism);

	if (rv)
		return rv;
	return host_template_encode(attributes, count, &connection->scratch[SCRATCH_TEMPLATE],
	                            wire_template);
}

EXPORT CK_RV C_GenerateKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                           CK_ATTRIBUTE *attributes, CK_ULONG count, CK_OBJECT_HANDLE *key)
{
	struct wire_generate_key_request request = {.session = session};
	struct wire_generate_key_reply reply;
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	if (!key)
		return CKR_ARGUMENTS_BAD;
	rv = encode(connection, mechanism, attributes, count, &request.mechanism,
	            &request.attributes);
	if (!rv)
		rv = request_generate_key(connection, &request, &reply);
	if (!rv)
		*key = (CK_OBJECT_HANDLE)reply.key;
	return rv;
}

EXPORT CK_RV C_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                               CK_ATTRIBUTE *public_attributes, CK_ULONG public_count,
                               CK_ATTRIBUTE *private_attributes, CK_ULONG private_count,
                               CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
	struct wire_generate_key_pair_request request = {.session = session};
	struct wire_generate_key_pair_reply reply;
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	if (!public_key || !private_key)
		return CKR_ARGUMENTS_BAD;
	rv = encode(connection, mechanism, public_attributes, public_count, &request.mechanism,
	            &request.public_attributes);
	if (!rv)
		rv = host_template_encode(private_attributes, private_count,
		                          &connection->scratch[SCRATCH_SECOND_TEMPLATE],
		                          &request.private_attributes);
	if (!rv)
		rv = request_generate_key_pair(connection, &request, &reply);
	if (rv)
		return rv;
	*public_key = (CK_OBJECT_HANDLE)reply.public_key;
	*private_key = (CK_OBJECT_HANDLE)reply.private_key;
	return CKR_OK;
}

EXPORT CK_RV C_WrapKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                       CK_OBJECT_HANDLE wrapping_key, CK_OBJECT_HANDLE key, CK_BYTE *wrapped,
                       CK_ULONG *wrapped_len)
{
	struct wire_wrap_key_request request = {
		.session = session,
		.wrapping_key = wrapping_key,
		.key = key,
		.query = !wrapped,
	};
	struct wire_wrap_key_reply reply = {0};
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	if (!wrapped_len)
		return CKR_ARGUMENTS_BAD;
	request.capacity = wrapped ? *wrapped_len : 0;
	rv = host_parameter_encode(mechanism, &connection->scratch[SCRATCH_MECHANISM],
	                           &request.mechanism);
	if (rv)
		return rv;
	rv = request_wrap_key(connection, &request, &reply);
	return stream_finish(connection, rv, reply.output_len, reply.output, wrapped, wrapped_len);
}

EXPORT CK_RV C_UnwrapKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                         CK_OBJECT_HANDLE unwrapping_key, CK_BYTE *wrapped, CK_ULONG wrapped_len,
                         CK_ATTRIBUTE *attributes, CK_ULONG count, CK_OBJECT_HANDLE *key)
{
	struct wire_unwrap_key_request request = {
		.session = session,
		.unwrapping_key = unwrapping_key,
		.wrapped_key = {wrapped, wrapped_len},
	};
	struct wire_unwrap_key_reply reply;
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	if (!wrapped || !key)
		return CKR_ARGUMENTS_BAD;
	if (wrapped_len > WIRE_CONTROL_LIMIT)
		return CKR_WRAPPED_KEY_LEN_RANGE;
	rv = encode(connection, mechanism, attributes, count, &request.mechanism,
	            &request.attributes);
	if (!rv)
		rv = request_unwrap_key(connection, &request, &reply);
	if (!rv)
		*key = (CK_OBJECT_HANDLE)reply.key;
	return rv;
}

EXPORT CK_RV C_DeriveKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                         CK_OBJECT_HANDLE base_key, CK_ATTRIBUTE *attributes, CK_ULONG count,
                         CK_OBJECT_HANDLE *key)
{
	struct wire_derive_key_request request = {.session = session, .base_key = base_key};
	struct wire_derive_key_reply reply;
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	if (!key)
		return CKR_ARGUMENTS_BAD;
	rv = encode(connection, mechanism, attributes, count, &request.mechanism,
	            &request.attributes);
	if (!rv)
		rv = request_derive_key(connection, &request, &reply);
	if (!rv)
		*key = (CK_OBJECT_HANDLE)reply.key;
	return rv;
}

EXPORT CK_RV C_EncapsulateKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                              CK_OBJECT_HANDLE public_key, CK_ATTRIBUTE *attributes, CK_ULONG count,
                              CK_BYTE *ciphertext, CK_ULONG *ciphertext_len, CK_OBJECT_HANDLE *key)
{
	struct wire_encapsulate_key_request request = {
		.session = session,
		.public_key = public_key,
		.query = !ciphertext,
	};
	struct wire_encapsulate_key_reply reply = {0};
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	if (!ciphertext_len || (ciphertext && !key))
		return CKR_ARGUMENTS_BAD;
	request.capacity = ciphertext ? *ciphertext_len : 0;
	rv = encode(connection, mechanism, attributes, count, &request.mechanism,
	            &request.attributes);
	if (rv)
		return rv;
	rv = request_encapsulate_key(connection, &request, &reply);
	rv = stream_finish(connection, rv, reply.output_len, reply.output, ciphertext,
	                   ciphertext_len);
	if (!rv && ciphertext)
		*key = (CK_OBJECT_HANDLE)reply.key;
	return rv;
}

EXPORT CK_RV C_DecapsulateKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                              CK_OBJECT_HANDLE private_key, CK_ATTRIBUTE *attributes,
                              CK_ULONG count, CK_BYTE *ciphertext, CK_ULONG ciphertext_len,
                              CK_OBJECT_HANDLE *key)
{
	struct wire_decapsulate_key_request request = {
		.session = session,
		.private_key = private_key,
		.ciphertext = {ciphertext, ciphertext_len},
	};
	struct wire_decapsulate_key_reply reply;
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	if (!key || (!ciphertext && ciphertext_len))
		return CKR_ARGUMENTS_BAD;
	if (ciphertext_len > WIRE_CONTROL_LIMIT / 2)
		return CKR_WRAPPED_KEY_LEN_RANGE;
	rv = encode(connection, mechanism, attributes, count, &request.mechanism,
	            &request.attributes);
	if (!rv)
		rv = request_decapsulate_key(connection, &request, &reply);
	if (!rv)
		*key = (CK_OBJECT_HANDLE)reply.key;
	return rv;
}
