/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions, tokens and PINs. cratond keeps its table of sessions (sessions.h) in step with the
 * agent's, and takes the sessions of its own pool away where they would be in the client's way.
 */
#include "grpc/calls.h"
#include "grpc/client.h"

#define REQUEST(type) ((const CratonHsm__##type *)rpc->request)

/* Sessions of the pool would make the agent refuse an SO's login and a token's initialisation, and
 * keep a login alive that ends with the client's last session. */
static void close_pool(struct client *client, uint64_t slot)
{
	struct client_session *session;

	while ((session = sessions_idle_pool(&client->sessions, slot))) {
		rpc_close_session(client, session->handle);
		/* Nobody waits for a session that nobody uses. */
		(void)sessions_remove(&client->sessions, session);
	}
}

/* ---- opening and closing ---- */

static void send_open(struct rpc *rpc, uint64_t slot, bool read_write)
{
	struct wire_open_session_request request = {
		.slot_id = slot,
		.flags = CKF_SERIAL_SESSION | (read_write ? CKF_RW_SESSION : 0),
	};

	rpc_send_open_session(rpc, &request);
}

void begin_open_session(struct rpc *rpc)
{
	const CratonHsm__OpenSessionRequest *request = REQUEST(OpenSessionRequest);

	rpc->number[0] = request->slot;
	send_open(rpc, request->slot, request->read_write);
}

bool answer_open_session(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	CratonHsm__OpenSessionReply reply = CRATON_HSM__OPEN_SESSION_REPLY__INIT;
	struct wire_open_session_reply opened;

	(void)opcode;
	if (ckr || !wire_decode_open_session_reply(body, &opened))
		return false;
	if (!sessions_add(&rpc->client->sessions, opened.session, rpc->number[0], false)) {
		rpc_close_session(rpc->client, opened.session);
		rpc_refuse(rpc, CKR_SESSION_COUNT);
		return true;
	}
	reply.session = opened.session;
	rpc_put(rpc, &reply.base);
	return true;
}

/* Nobody will ever know its handle. */
void late_open_session(struct rpc *rpc, uint16_t opcode, struct wire_bytes body)
{
	struct wire_open_session_reply opened;

	(void)opcode;
	if (wire_decode_open_session_reply(body, &opened))
		rpc_close_session(rpc->client, opened.session);
}

static void send_close(struct rpc *rpc)
{
	struct wire_close_session_request request = {.session = rpc->session->handle};

	rpc_send_close_session(rpc, &request);
}

/* A login ends with the client's last session. If calls still have sessions of the pool, it is
 * ended by a logout; that runs on a worker of the agent's, where the closing would overtake it, and
 * so its answer is waited for. */
void begin_close_session(struct rpc *rpc)
{
	struct wire_logout_request logout = {.session = rpc->session->handle};
	struct client *client = rpc->client;
	uint64_t slot = rpc->session->slot;

	rpc_refuse_list(sessions_remove(&client->sessions, rpc->session),
	                CKR_SESSION_HANDLE_INVALID);
	if (!sessions_has_own(&client->sessions, slot))
		close_pool(client, slot);
	if (!sessions_has_own(&client->sessions, slot) &&
	    sessions_has_pool(&client->sessions, slot))
		rpc_send_logout(rpc, &logout);
	else
		send_close(rpc);
}

bool answer_close_session(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	CratonHsm__CloseSessionReply reply = CRATON_HSM__CLOSE_SESSION_REPLY__INIT;

	(void)body;
	/* That nobody was logged in is as good. */
	if (opcode == WIRE_OPCODE_logout) {
		send_close(rpc);
		return true;
	}
	if (ckr)
		return false;
	rpc_put(rpc, &reply.base);
	return true;
}

/* It is closed although nobody waits for it any more. */
void late_close_session(struct rpc *rpc, uint16_t opcode, struct wire_bytes body)
{
	(void)body;
	if (opcode == WIRE_OPCODE_logout)
		rpc_close_session(rpc->client, rpc->session->handle);
}

/* ---- the pool: calls of cratond itself, in number[0] the slot ---- */

void begin_pool(struct rpc *rpc)
{
	send_open(rpc, rpc->number[0], false);
}

bool answer_pool(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	struct wire_open_session_reply opened;

	(void)opcode;
	if (ckr || !wire_decode_open_session_reply(body, &opened))
		return false;
	rpc->session->handle = opened.session;
	return true;
}

/* ---- logging in and out ---- */

void begin_login(struct rpc *rpc)
{
	const CratonHsm__LoginRequest *request = REQUEST(LoginRequest);
	struct wire_login_request login = {
		.session = rpc->session->handle,
		.user_type = request->user_type,
		.pin = translate_bytes(request->pin),
	};

	if (request->user_type == CKU_CONTEXT_SPECIFIC) {
		rpc_refuse(rpc, CKR_USER_TYPE_INVALID);
		return;
	}
	if (request->user_type == CKU_SO)
		close_pool(rpc->client, rpc->session->slot);
	rpc_send_login(rpc, &login);
}

bool answer_login(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	CratonHsm__LoginReply reply = CRATON_HSM__LOGIN_REPLY__INIT;

	(void)opcode;
	(void)body;
	if (!ckr)
		rpc_put(rpc, &reply.base);
	return !ckr;
}

void begin_logout(struct rpc *rpc)
{
	struct wire_logout_request request = {.session = rpc->session->handle};

	rpc_send_logout(rpc, &request);
}

bool answer_logout(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	CratonHsm__LogoutReply reply = CRATON_HSM__LOGOUT_REPLY__INIT;

	(void)opcode;
	(void)body;
	if (!ckr)
		rpc_put(rpc, &reply.base);
	return !ckr;
}

/* ---- tokens ---- */

void begin_get_token_info(struct rpc *rpc)
{
	struct wire_get_token_info_request request = {.slot_id =
	                                                      REQUEST(GetTokenInfoRequest)->slot};

	rpc_send_get_token_info(rpc, &request);
}

static ProtobufCBinaryData view(struct wire_bytes octets)
{
	return (ProtobufCBinaryData){octets.len, (uint8_t *)(uintptr_t)octets.data};
}

bool answer_get_token_info(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	CratonHsm__GetTokenInfoReply reply = CRATON_HSM__GET_TOKEN_INFO_REPLY__INIT;
	struct wire_get_token_info_reply info;

	(void)opcode;
	if (ckr || !wire_decode_get_token_info_reply(body, &info))
		return false;
	reply.label = view(info.label);
	reply.manufacturer = view(info.manufacturer);
	reply.model = view(info.model);
	reply.serial_number = view(info.serial_number);
	reply.flags = info.flags;
	reply.max_session_count = info.max_session_count;
	reply.session_count = info.session_count;
	reply.max_rw_session_count = info.max_rw_session_count;
	reply.rw_session_count = info.rw_session_count;
	reply.max_pin_len = info.max_pin_len;
	reply.min_pin_len = info.min_pin_len;
	reply.hardware_version = info.hardware_version;
	reply.firmware_version = info.firmware_version;
	reply.utc_time = view(info.utc_time);
	rpc_put(rpc, &reply.base);
	return true;
}

void begin_init_token(struct rpc *rpc)
{
	const CratonHsm__InitTokenRequest *request = REQUEST(InitTokenRequest);
	struct wire_init_token_request init = {
		.slot_id = request->slot,
		.pin = translate_bytes(request->pin),
		.label = translate_bytes(request->label),
	};

	close_pool(rpc->client, request->slot);
	rpc_send_init_token(rpc, &init);
}

bool answer_init_token(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	CratonHsm__InitTokenReply reply = CRATON_HSM__INIT_TOKEN_REPLY__INIT;

	(void)opcode;
	(void)body;
	if (!ckr)
		rpc_put(rpc, &reply.base);
	return !ckr;
}

void begin_init_pin(struct rpc *rpc)
{
	struct wire_init_pin_request request = {
		.session = rpc->session->handle,
		.pin = translate_bytes(REQUEST(InitPINRequest)->pin),
	};

	rpc_send_init_pin(rpc, &request);
}

bool answer_init_pin(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	CratonHsm__InitPINReply reply = CRATON_HSM__INIT_PINREPLY__INIT;

	(void)opcode;
	(void)body;
	if (!ckr)
		rpc_put(rpc, &reply.base);
	return !ckr;
}

void begin_set_pin(struct rpc *rpc)
{
	const CratonHsm__SetPINRequest *request = REQUEST(SetPINRequest);
	struct wire_set_pin_request set = {
		.session = rpc->session->handle,
		.old_pin = translate_bytes(request->old_pin),
		.new_pin = translate_bytes(request->new_pin),
	};

	rpc_send_set_pin(rpc, &set);
}

bool answer_set_pin(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	CratonHsm__SetPINReply reply = CRATON_HSM__SET_PINREPLY__INIT;

	(void)opcode;
	(void)body;
	if (!ckr)
		rpc_put(rpc, &reply.base);
	return !ckr;
}
