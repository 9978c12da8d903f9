/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations on data that is in one message: the Init and the operation are sent to the agent one
 * behind the other, so that they cost one crossing. If the Init fails, that is what the client is
 * told.
 */
#include "grpc/calls.h"
#include "grpc/client.h"

#define REQUEST(type) ((const CratonHsm__##type *)rpc->request)

/*
 * The PIN that a key with CKA_ALWAYS_AUTHENTICATE wants between the two. A login runs on a worker
 * of the agent's, where an operation that is sent behind it would overtake it; so that is sent
 * after its answer.
 */
static void send_context_login(struct rpc *rpc, ProtobufCBinaryData pin)
{
	struct wire_login_request login = {
		.session = rpc->session->handle,
		.user_type = CKU_CONTEXT_SPECIFIC,
		.pin = translate_bytes(pin),
	};

	rpc_send_login(rpc, &login);
}

/*
 * begin_NAME's first half: Init with mechanism and key. False when the call has ended.
 */
#define SEND_INIT(name)                                                                            \
	static bool send_##name##_init(struct rpc *rpc, const CratonHsm__Mechanism *mechanism,     \
	                               uint64_t key)                                               \
	{                                                                                          \
		struct wire_##name##_init_request init = {                                         \
			.session = rpc->session->handle,                                           \
			.key = key,                                                                \
		};                                                                                 \
                                                                                                   \
		if (translate_mechanism(&rpc->arena, mechanism, &init.mechanism))                  \
			return rpc_send_##name##_init(rpc, &init);                                 \
		rpc_refuse(rpc, CKR_ARGUMENTS_BAD);                                                \
		return false;                                                                      \
	}
SEND_INIT(sign)
SEND_INIT(verify)
SEND_INIT(encrypt)
SEND_INIT(decrypt)

static bool send_sign(struct rpc *rpc)
{
	struct wire_sign_request request = {
		.session = rpc->session->handle,
		.capacity = rpc_message_limit(rpc),
		.data = translate_bytes(REQUEST(SignRequest)->data),
	};

	return rpc_send_sign(rpc, &request);
}

void begin_sign(struct rpc *rpc)
{
	const CratonHsm__SignRequest *from = REQUEST(SignRequest);

	if (!send_sign_init(rpc, from->mechanism, from->key))
		return;
	if (from->context_pin.len)
		send_context_login(rpc, from->context_pin);
	else
		send_sign(rpc);
}

bool answer_sign(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	CratonHsm__SignReply reply = CRATON_HSM__SIGN_REPLY__INIT;
	struct wire_sign_reply made;

	if (!ckr && opcode == WIRE_OPCODE_login)
		return send_sign(rpc);
	if (ckr || opcode != WIRE_OPCODE_sign)
		return !ckr;
	if (!wire_decode_sign_reply(body, &made))
		return false;
	reply.signature.data = (uint8_t *)(uintptr_t)made.output.data;
	reply.signature.len = made.output.len;
	rpc_put(rpc, &reply.base);
	return true;
}

void begin_verify(struct rpc *rpc)
{
	const CratonHsm__VerifyRequest *from = REQUEST(VerifyRequest);
	struct wire_verify_request request = {
		.session = rpc->session->handle,
		.data = translate_bytes(from->data),
		.signature = translate_bytes(from->signature),
	};

	if (send_verify_init(rpc, from->mechanism, from->key))
		rpc_send_verify(rpc, &request);
}

/* A wrong signature is an answer, too. */
bool put_verdict(struct rpc *rpc, uint64_t ckr)
{
	CratonHsm__VerifyReply reply = CRATON_HSM__VERIFY_REPLY__INIT;

	if (ckr && ckr != CKR_SIGNATURE_INVALID && ckr != CKR_SIGNATURE_LEN_RANGE)
		return false;
	reply.valid = !ckr;
	reply.ckr = ckr;
	rpc_put(rpc, &reply.base);
	return true;
}

bool answer_verify(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	(void)body;
	return opcode == WIRE_OPCODE_verify ? put_verdict(rpc, ckr) : !ckr;
}

void begin_encrypt(struct rpc *rpc)
{
	const CratonHsm__EncryptRequest *from = REQUEST(EncryptRequest);
	struct wire_encrypt_request request = {
		.session = rpc->session->handle,
		.capacity = rpc_message_limit(rpc),
		.data = translate_bytes(from->data),
	};

	if (send_encrypt_init(rpc, from->mechanism, from->key))
		rpc_send_encrypt(rpc, &request);
}

bool answer_encrypt(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	CratonHsm__EncryptReply reply = CRATON_HSM__ENCRYPT_REPLY__INIT;
	struct wire_encrypt_reply made;

	if (ckr || opcode != WIRE_OPCODE_encrypt)
		return !ckr;
	if (!wire_decode_encrypt_reply(body, &made))
		return false;
	reply.data.data = (uint8_t *)(uintptr_t)made.output.data;
	reply.data.len = made.output.len;
	rpc_put(rpc, &reply.base);
	return true;
}

static bool send_decrypt(struct rpc *rpc)
{
	struct wire_decrypt_request request = {
		.session = rpc->session->handle,
		.capacity = rpc_message_limit(rpc),
		.data = translate_bytes(REQUEST(DecryptRequest)->data),
	};

	return rpc_send_decrypt(rpc, &request);
}

void begin_decrypt(struct rpc *rpc)
{
	const CratonHsm__DecryptRequest *from = REQUEST(DecryptRequest);

	if (!send_decrypt_init(rpc, from->mechanism, from->key))
		return;
	if (from->context_pin.len)
		send_context_login(rpc, from->context_pin);
	else
		send_decrypt(rpc);
}

bool answer_decrypt(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	CratonHsm__DecryptReply reply = CRATON_HSM__DECRYPT_REPLY__INIT;
	struct wire_decrypt_reply made;

	if (!ckr && opcode == WIRE_OPCODE_login)
		return send_decrypt(rpc);
	if (ckr || opcode != WIRE_OPCODE_decrypt)
		return !ckr;
	if (!wire_decode_decrypt_reply(body, &made))
		return false;
	reply.data.data = (uint8_t *)(uintptr_t)made.output.data;
	reply.data.len = made.output.len;
	rpc_put(rpc, &reply.base);
	return true;
}

void begin_digest(struct rpc *rpc)
{
	const CratonHsm__DigestRequest *from = REQUEST(DigestRequest);
	struct wire_digest_init_request init = {.session = rpc->session->handle};
	struct wire_digest_request request = {
		.session = rpc->session->handle,
		.capacity = rpc_message_limit(rpc),
		.data = translate_bytes(from->data),
	};

	if (!translate_mechanism(&rpc->arena, from->mechanism, &init.mechanism))
		rpc_refuse(rpc, CKR_ARGUMENTS_BAD);
	else if (rpc_send_digest_init(rpc, &init))
		rpc_send_digest(rpc, &request);
}

bool answer_digest(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	CratonHsm__DigestReply reply = CRATON_HSM__DIGEST_REPLY__INIT;
	struct wire_digest_reply made;

	if (ckr || opcode != WIRE_OPCODE_digest)
		return !ckr;
	if (!wire_decode_digest_reply(body, &made))
		return false;
	reply.digest.data = (uint8_t *)(uintptr_t)made.output.data;
	reply.digest.len = made.output.len;
	rpc_put(rpc, &reply.base);
	return true;
}

/* ---- random octets ---- */

#define RANDOM_PART_LEN (64u * 1024u)
#define RANDOM_OVERHEAD 16u /* of the message around them */

static void send_random(struct rpc *rpc, uint64_t len)
{
	struct wire_generate_random_request request = {
		.session = rpc->session->handle,
		.random_len = len,
	};

	rpc_send_generate_random(rpc, &request);
}

void begin_random(struct rpc *rpc)
{
	uint64_t len = REQUEST(GenerateRandomRequest)->length;

	if (len > rpc_message_limit(rpc) - RANDOM_OVERHEAD)
		rpc_refuse(rpc, CKR_ARGUMENTS_BAD);
	else
		send_random(rpc, len);
}

bool answer_random(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	CratonHsm__GenerateRandomReply reply = CRATON_HSM__GENERATE_RANDOM_REPLY__INIT;
	struct wire_generate_random_reply made;

	(void)opcode;
	if (ckr || !wire_decode_generate_random_reply(body, &made))
		return false;
	reply.random.data = (uint8_t *)(uintptr_t)made.random.data;
	reply.random.len = made.random.len;
	rpc_put(rpc, &reply.base);
	return true;
}

/* number[0] is what is left; each part waits until the client has taken most of those before. */
void begin_random_stream(struct rpc *rpc)
{
	uint64_t len = rpc_message_limit(rpc) - RANDOM_OVERHEAD;

	if (!rpc->begun)
		rpc->number[0] = REQUEST(GenerateRandomRequest)->length;
	rpc->begun = true;
	if (len > RANDOM_PART_LEN)
		len = RANDOM_PART_LEN;
	if (len > rpc->number[0])
		len = rpc->number[0];
	rpc->number[0] -= len;
	send_random(rpc, len);
}

bool answer_random_stream(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	return answer_random(rpc, opcode, ckr, body);
}

void finish_random_stream(struct rpc *rpc)
{
	if (rpc->number[0])
		rpc_continue(rpc);
	else
		rpc_succeed(rpc);
}
