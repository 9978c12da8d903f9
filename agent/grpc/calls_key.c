/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys: generating, wrapping, unwrapping, deriving.
 */
#include "grpc/calls.h"
#include "grpc/client.h"

#define REQUEST(type) ((const CratonHsm__##type *)rpc->request)

/* Both parts that nearly all of these have. False: the call has been refused. */
static bool take_parts(struct rpc *rpc, const CratonHsm__Mechanism *from,
                       struct wire_mechanism *mechanism, CratonHsm__Attribute *const *attributes,
                       size_t count, struct wire_template *template)
{
	if (translate_mechanism(&rpc->arena, from, mechanism) &&
	    translate_template(&rpc->arena, attributes, count, template))
		return true;
	rpc_refuse(rpc, CKR_ARGUMENTS_BAD);
	return false;
}

void begin_generate_key(struct rpc *rpc)
{
	const CratonHsm__GenerateKeyRequest *from = REQUEST(GenerateKeyRequest);
	struct wire_generate_key_request request = {.session = rpc->session->handle};

	if (take_parts(rpc, from->mechanism, &request.mechanism, from->attributes,
	               from->n_attributes, &request.attributes))
		rpc_send_generate_key(rpc, &request);
}

bool answer_generate_key(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	CratonHsm__GenerateKeyReply reply = CRATON_HSM__GENERATE_KEY_REPLY__INIT;
	struct wire_generate_key_reply made;

	(void)opcode;
	if (ckr || !wire_decode_generate_key_reply(body, &made))
		return false;
	reply.key = made.key;
	rpc_put(rpc, &reply.base);
	return true;
}

void begin_generate_key_pair(struct rpc *rpc)
{
	const CratonHsm__GenerateKeyPairRequest *from = REQUEST(GenerateKeyPairRequest);
	struct wire_generate_key_pair_request request = {.session = rpc->session->handle};

	if (!take_parts(rpc, from->mechanism, &request.mechanism, from->public_attributes,
	                from->n_public_attributes, &request.public_attributes))
		return;
	if (!translate_template(&rpc->arena, from->private_attributes, from->n_private_attributes,
	                        &request.private_attributes))
		rpc_refuse(rpc, CKR_ARGUMENTS_BAD);
	else
		rpc_send_generate_key_pair(rpc, &request);
}

bool answer_generate_key_pair(struct rpc *rpc, uint16_t opcode, uint64_t ckr,
                              struct wire_bytes body)
{
	CratonHsm__GenerateKeyPairReply reply = CRATON_HSM__GENERATE_KEY_PAIR_REPLY__INIT;
	struct wire_generate_key_pair_reply made;

	(void)opcode;
	if (ckr || !wire_decode_generate_key_pair_reply(body, &made))
		return false;
	reply.public_key = made.public_key;
	reply.private_key = made.private_key;
	rpc_put(rpc, &reply.base);
	return true;
}

void begin_wrap_key(struct rpc *rpc)
{
	const CratonHsm__WrapKeyRequest *from = REQUEST(WrapKeyRequest);
	struct wire_wrap_key_request request = {
		.session = rpc->session->handle,
		.wrapping_key = from->wrapping_key,
		.key = from->key,
		.capacity = WIRE_CONTROL_LIMIT,
	};

	if (!translate_mechanism(&rpc->arena, from->mechanism, &request.mechanism))
		rpc_refuse(rpc, CKR_ARGUMENTS_BAD);
	else
		rpc_send_wrap_key(rpc, &request);
}

bool answer_wrap_key(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	CratonHsm__WrapKeyReply reply = CRATON_HSM__WRAP_KEY_REPLY__INIT;
	struct wire_wrap_key_reply wrapped;

	(void)opcode;
	if (ckr || !wire_decode_wrap_key_reply(body, &wrapped))
		return false;
	reply.wrapped_key.data = (uint8_t *)(uintptr_t)wrapped.output.data;
	reply.wrapped_key.len = wrapped.output.len;
	rpc_put(rpc, &reply.base);
	return true;
}

void begin_unwrap_key(struct rpc *rpc)
{
	const CratonHsm__UnwrapKeyRequest *from = REQUEST(UnwrapKeyRequest);
	struct wire_unwrap_key_request request = {
		.session = rpc->session->handle,
		.unwrapping_key = from->unwrapping_key,
		.wrapped_key = translate_bytes(from->wrapped_key),
	};

	if (take_parts(rpc, from->mechanism, &request.mechanism, from->attributes,
	               from->n_attributes, &request.attributes))
		rpc_send_unwrap_key(rpc, &request);
}

bool answer_unwrap_key(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	CratonHsm__UnwrapKeyReply reply = CRATON_HSM__UNWRAP_KEY_REPLY__INIT;
	struct wire_unwrap_key_reply made;

	(void)opcode;
	if (ckr || !wire_decode_unwrap_key_reply(body, &made))
		return false;
	reply.key = made.key;
	rpc_put(rpc, &reply.base);
	return true;
}

void begin_derive_key(struct rpc *rpc)
{
	const CratonHsm__DeriveKeyRequest *from = REQUEST(DeriveKeyRequest);
	struct wire_derive_key_request request = {
		.session = rpc->session->handle,
		.base_key = from->base_key,
	};

	if (take_parts(rpc, from->mechanism, &request.mechanism, from->attributes,
	               from->n_attributes, &request.attributes))
		rpc_send_derive_key(rpc, &request);
}

bool answer_derive_key(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	CratonHsm__DeriveKeyReply reply = CRATON_HSM__DERIVE_KEY_REPLY__INIT;
	struct wire_derive_key_reply made;

	(void)opcode;
	if (ckr || !wire_decode_derive_key_reply(body, &made))
		return false;
	reply.key = made.key;
	rpc_put(rpc, &reply.base);
	return true;
}
