/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations on data that comes in many messages. The first says what to do; every one may bring
 * data; the end of the stream is the Final. A session is held from the first to the last.
 */
#include "grpc/calls.h"
#include "grpc/client.h"

#define REQUEST(type) ((const CratonHsm__##type *)rpc->request)

/* `begin` must be in the first message and only there. */
static bool check_begin(struct rpc *rpc, const CratonHsm__Begin *begin)
{
	if (!rpc->begun == (begin != NULL))
		return true;
	rpc_fail(rpc, GRPC_INVALID_ARGUMENT,
	         "the field begin belongs in the first message of the stream, and only there");
	return false;
}

/* With a PIN for the operation, the data of the first message is sent after its answer (see
 * calls_data.c). */
static bool logs_in(struct rpc *rpc, const CratonHsm__Begin *begin)
{
	struct wire_login_request login = {
		.session = rpc->session->handle,
		.user_type = CKU_CONTEXT_SPECIFIC,
		.pin = translate_bytes(begin->context_pin),
	};

	if (login.pin.len)
		rpc_send_login(rpc, &login);
	return login.pin.len > 0;
}

/* send_NAME_begin: the first message's part. True also when there is nothing to begin. */
#define SEND_BEGIN(name)                                                                           \
	static bool send_##name##_begin(struct rpc *rpc, const CratonHsm__Begin *begin)            \
	{                                                                                          \
		struct wire_##name##_init_request init = {.session = rpc->session->handle};        \
                                                                                                   \
		if (!check_begin(rpc, begin))                                                      \
			return false;                                                              \
		if (!begin)                                                                        \
			return true;                                                               \
		rpc->begun = true;                                                                 \
		SET_KEY_##name(init, begin->key);                                                  \
		if (translate_mechanism(&rpc->arena, begin->mechanism, &init.mechanism))           \
			return rpc_send_##name##_init(rpc, &init) && !logs_in(rpc, begin);         \
		rpc_refuse(rpc, CKR_ARGUMENTS_BAD);                                                \
		return false;                                                                      \
	}
#define SET_KEY_sign(init, handle)    ((init).key = (handle))
#define SET_KEY_verify(init, handle)  ((init).key = (handle))
#define SET_KEY_encrypt(init, handle) ((init).key = (handle))
#define SET_KEY_decrypt(init, handle) ((init).key = (handle))
#define SET_KEY_digest(init, handle)  ((void)0)
SEND_BEGIN(sign)
SEND_BEGIN(verify)
SEND_BEGIN(encrypt)
SEND_BEGIN(decrypt)
SEND_BEGIN(digest)

/* The operations whose parts give nothing back. */
#define SEND_UPDATE(name)                                                                          \
	static void send_##name##_update(struct rpc *rpc, ProtobufCBinaryData data)                \
	{                                                                                          \
		struct wire_##name##_update_request update = {                                     \
			.session = rpc->session->handle,                                           \
			.data = translate_bytes(data),                                             \
		};                                                                                 \
                                                                                                   \
		if (data.len)                                                                      \
			rpc_send_##name##_update(rpc, &update);                                    \
	}
SEND_UPDATE(sign)
SEND_UPDATE(verify)
SEND_UPDATE(digest)

static ProtobufCBinaryData view(struct wire_bytes octets)
{
	return (ProtobufCBinaryData){octets.len, (uint8_t *)(uintptr_t)octets.data};
}

/* A part is done, or, with the last one, the call. */
void finish_stream(struct rpc *rpc)
{
	if (rpc->flag[0])
		rpc_succeed(rpc);
	else
		rpc_part_done(rpc);
}

/* The stream has ended: flag[0] is set. False: before it began. */
static bool end_stream(struct rpc *rpc)
{
	rpc->flag[0] = true;
	if (rpc->begun)
		return true;
	rpc_fail(rpc, GRPC_INVALID_ARGUMENT, "the stream has no message");
	return false;
}

/* ---- SignStream ---- */

void begin_sign_stream(struct rpc *rpc)
{
	struct wire_sign_final_request final = {.capacity = rpc_message_limit(rpc)};

	if (rpc->request) {
		if (send_sign_begin(rpc, REQUEST(SignStreamRequest)->begin))
			send_sign_update(rpc, REQUEST(SignStreamRequest)->data);
	} else if (end_stream(rpc)) {
		final.session = rpc->session->handle;
		rpc_send_sign_final(rpc, &final);
	}
}

bool answer_sign_stream(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	CratonHsm__SignReply reply = CRATON_HSM__SIGN_REPLY__INIT;
	struct wire_sign_final_reply made;

	if (!ckr && opcode == WIRE_OPCODE_login)
		send_sign_update(rpc, REQUEST(SignStreamRequest)->data);
	if (ckr || opcode != WIRE_OPCODE_sign_final)
		return !ckr;
	if (!wire_decode_sign_final_reply(body, &made))
		return false;
	reply.signature = view(made.output);
	rpc_put(rpc, &reply.base);
	return true;
}

/* ---- VerifyStream: the signature is kept until the end ---- */

#define SIGNATURE_LIMIT WIRE_CONTROL_LIMIT

static void keep_signature(struct rpc *rpc, ProtobufCBinaryData signature)
{
	if (!signature.len)
		return;
	rpc_keep_nothing(rpc, SIGNATURE_LIMIT / 2);
	rpc_keep(rpc, signature.data, signature.len);
	if (rpc->kept.failed)
		rpc_fail(rpc, GRPC_INVALID_ARGUMENT, "the signature is too long");
}

void begin_verify_stream(struct rpc *rpc)
{
	struct wire_verify_final_request final = {0};

	if (rpc->request) {
		keep_signature(rpc, REQUEST(VerifyStreamRequest)->signature);
		if (rpc->state != RPC_ENDED &&
		    send_verify_begin(rpc, REQUEST(VerifyStreamRequest)->begin))
			send_verify_update(rpc, REQUEST(VerifyStreamRequest)->data);
	} else if (end_stream(rpc)) {
		final.session = rpc->session->handle;
		final.signature = (struct wire_bytes){rpc->kept.data, rpc->kept.len};
		rpc_send_verify_final(rpc, &final);
	}
}

bool answer_verify_stream(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	(void)body;
	return opcode == WIRE_OPCODE_verify_final ? put_verdict(rpc, ckr) : !ckr;
}

/* ---- EncryptStream and DecryptStream ---- */

void begin_encrypt_stream(struct rpc *rpc)
{
	struct wire_encrypt_update_request update = {.capacity = rpc_message_limit(rpc)};
	struct wire_encrypt_final_request final = {.capacity = rpc_message_limit(rpc)};

	if (rpc->request) {
		update.session = rpc->session->handle;
		update.data = translate_bytes(REQUEST(EncryptStreamRequest)->data);
		if (send_encrypt_begin(rpc, REQUEST(EncryptStreamRequest)->begin) &&
		    update.data.len)
			rpc_send_encrypt_update(rpc, &update);
	} else if (end_stream(rpc)) {
		final.session = rpc->session->handle;
		rpc_send_encrypt_final(rpc, &final);
	}
}

static void put_encrypted(struct rpc *rpc, struct wire_bytes output)
{
	CratonHsm__EncryptReply reply = CRATON_HSM__ENCRYPT_REPLY__INIT;

	reply.data = view(output);
	if (output.len)
		rpc_put(rpc, &reply.base);
}

bool answer_encrypt_stream(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	struct wire_encrypt_update_reply part;
	struct wire_encrypt_final_reply last;

	if (ckr)
		return false;
	if (opcode == WIRE_OPCODE_encrypt_update) {
		if (!wire_decode_encrypt_update_reply(body, &part))
			return false;
		put_encrypted(rpc, part.output);
	} else if (opcode == WIRE_OPCODE_encrypt_final) {
		if (!wire_decode_encrypt_final_reply(body, &last))
			return false;
		put_encrypted(rpc, last.output);
	}
	return true;
}

static void send_decrypt_part(struct rpc *rpc)
{
	struct wire_decrypt_update_request update = {
		.session = rpc->session->handle,
		.capacity = rpc_message_limit(rpc),
		.data = translate_bytes(REQUEST(DecryptStreamRequest)->data),
	};

	if (update.data.len)
		rpc_send_decrypt_update(rpc, &update);
}

void begin_decrypt_stream(struct rpc *rpc)
{
	struct wire_decrypt_final_request final = {.capacity = rpc_message_limit(rpc)};

	if (rpc->request) {
		if (send_decrypt_begin(rpc, REQUEST(DecryptStreamRequest)->begin))
			send_decrypt_part(rpc);
	} else if (end_stream(rpc)) {
		final.session = rpc->session->handle;
		rpc_send_decrypt_final(rpc, &final);
	}
}

static void put_decrypted(struct rpc *rpc, struct wire_bytes output)
{
	CratonHsm__DecryptReply reply = CRATON_HSM__DECRYPT_REPLY__INIT;

	reply.data = view(output);
	if (output.len)
		rpc_put(rpc, &reply.base);
}

bool answer_decrypt_stream(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	struct wire_decrypt_update_reply part;
	struct wire_decrypt_final_reply last;

	if (ckr)
		return false;
	if (opcode == WIRE_OPCODE_login)
		send_decrypt_part(rpc);
	if (opcode == WIRE_OPCODE_decrypt_update) {
		if (!wire_decode_decrypt_update_reply(body, &part))
			return false;
		put_decrypted(rpc, part.output);
	} else if (opcode == WIRE_OPCODE_decrypt_final) {
		if (!wire_decode_decrypt_final_reply(body, &last))
			return false;
		put_decrypted(rpc, last.output);
	}
	return true;
}

/* ---- DigestStream ---- */

void begin_digest_stream(struct rpc *rpc)
{
	struct wire_digest_final_request final = {.capacity = rpc_message_limit(rpc)};

	if (rpc->request) {
		if (send_digest_begin(rpc, REQUEST(DigestStreamRequest)->begin))
			send_digest_update(rpc, REQUEST(DigestStreamRequest)->data);
	} else if (end_stream(rpc)) {
		final.session = rpc->session->handle;
		rpc_send_digest_final(rpc, &final);
	}
}

bool answer_digest_stream(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	CratonHsm__DigestReply reply = CRATON_HSM__DIGEST_REPLY__INIT;
	struct wire_digest_final_reply made;

	if (ckr || opcode != WIRE_OPCODE_digest_final)
		return !ckr;
	if (!wire_decode_digest_final_reply(body, &made))
		return false;
	reply.digest = view(made.output);
	rpc_put(rpc, &reply.base);
	return true;
}
