/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers about sessions and logins.
 */
#include "handle.h"
#include "wire/cryptoki_3.h"

/* These are connection.c's, which leaves none for here: a second hello on a connection is a
 * mistake, and so is what is about shared memory inside it. */
#define NOT_HERE(name)                                                                             \
	enum err handle_##name(struct call *call, const struct wire_##name##_request *request,     \
	                       struct wire_##name##_reply *reply)                                  \
	{                                                                                          \
		(void)call;                                                                        \
		(void)request;                                                                     \
		(void)reply;                                                                       \
		return ERROR_PROTOCOL;                                                             \
	}

NOT_HERE(hello)
NOT_HERE(ring)
NOT_HERE(doorbell)
NOT_HERE(window)
NOT_HERE(parts_rest)

enum err handle_open_session(struct call *call, const struct wire_open_session_request *request,
                             struct wire_open_session_reply *reply)
{
	struct agent_slot *slot;
	struct token_info info;
	uint32_t handle;
	enum err err;

	slot = handle_present_slot(call, request->slot_id, &err);
	if (!slot)
		return err;
	if (!(request->flags & CKF_SERIAL_SESSION))
		return ERROR_SESSION_PARALLEL;
	token_info(slot->token, &info);
	if (!info.initialized)
		return ERROR_TOKEN_NOT_RECOGNIZED;
	err = session_open(call->application, request->slot_id, request->flags & CKF_RW_SESSION,
	                   &handle);
	if (err)
		return err;
	reply->session = handle;
	call->record.session_handle = handle;
	return ERROR_NONE;
}

enum err handle_close_session(struct call *call, const struct wire_close_session_request *request,
                              struct wire_close_session_reply *reply)
{
	struct session *session;
	enum err err;

	(void)reply;
	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	session_close(session);
	session_unlock(session);
	return ERROR_NONE;
}

enum err handle_close_all_sessions(struct call *call,
                                   const struct wire_close_all_sessions_request *request,
                                   struct wire_close_all_sessions_reply *reply)
{
	enum err err;

	(void)reply;
	if (!handle_present_slot(call, request->slot_id, &err))
		return err;
	application_close_sessions(call->application, request->slot_id);
	return ERROR_NONE;
}

enum err handle_get_session_info(struct call *call,
                                 const struct wire_get_session_info_request *request,
                                 struct wire_get_session_info_reply *reply)
{
	session_auto session = NULL;
	enum err err;

	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	reply->slot_id = session->slot_id;
	reply->state = session_state(session);
	reply->flags = CKF_SERIAL_SESSION | (session->read_write ? CKF_RW_SESSION : 0);
	return ERROR_NONE;
}

/* The key of the active operation of this kind, or NULL. */
static const struct object *key_in_use(const struct session *session, int kind)
{
	if (session->operations[kind])
		return operation_key(session->operations[kind]);
	return session->messages[kind] ? message_based_key(session->messages[kind]) : NULL;
}

/* The operation that waits for CKU_CONTEXT_SPECIFIC: the one whose key asks for it. */
static enum err context_login(struct call *call, struct session *session, struct wire_bytes pin)
{
	bool waiting[OPERATION_KINDS];
	bool any = false;
	enum err err;

	for (int kind = 0; kind < OPERATION_KINDS; kind++) {
		const struct object *key = key_in_use(session, kind);

		waiting[kind] = key && (key->usage & USAGE_ALWAYS_AUTHENTICATE);
		any |= waiting[kind];
	}
	if (!any)
		return ERROR_OPERATION_NONE;
	if (session_login(session) != LOGIN_USER)
		return ERROR_USER_NOT_LOGGED_IN;
	err = token_verify_pin(session->slot->token, TOKEN_USER, pin, &call->delay_ms);
	for (int kind = 0; !err && kind < OPERATION_KINDS; kind++)
		session->context_login[kind] = waiting[kind];
	return err;
}

static enum err log_in(struct call *call, struct session *session, enum login login,
                       struct wire_bytes pin)
{
	struct token *token = session->slot->token;
	enum token_user user = login == LOGIN_SO ? TOKEN_SO : TOKEN_USER;
	enum err err;

	/* Asked first, so that a mistake of the application costs no PIN derivation and no attempt.
	 */
	err = application_may_log_in(session->application, session->slot_id, login);
	if (!err)
		err = token_login(token, user, pin, &call->delay_ms);
	if (err)
		return err;
	err = application_log_in(session->application, session->slot_id, login);
	if (err)
		token_logout(token);
	return err;
}

enum err handle_login(struct call *call, const struct wire_login_request *request,
                      struct wire_login_reply *reply)
{
	session_auto session = NULL;
	enum err err;

	(void)reply;
	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	switch (request->user_type) {
	case CKU_SO:
		return log_in(call, session, LOGIN_SO, request->pin);
	case CKU_USER:
		return log_in(call, session, LOGIN_USER, request->pin);
	case CKU_CONTEXT_SPECIFIC:
		return context_login(call, session, request->pin);
	default:
		return ERROR_USER_TYPE;
	}
}

enum err handle_logout(struct call *call, const struct wire_logout_request *request,
                       struct wire_logout_reply *reply)
{
	struct session *session;
	uint64_t slot_id;
	enum err err;

	(void)reply;
	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	slot_id = session->slot_id;
	session_unlock(session);
	return application_log_out(call->application, slot_id) ? ERROR_NONE
	                                                       : ERROR_USER_NOT_LOGGED_IN;
}

/* Which operation a flag of C_SessionCancel means. */
static const struct {
	uint64_t flag, message_flag;
	enum operation_kind kind;
} cancellable[] = {
	{CKF_ENCRYPT, CKF_MESSAGE_ENCRYPT, OPERATION_ENCRYPT},
	{CKF_DECRYPT, CKF_MESSAGE_DECRYPT, OPERATION_DECRYPT},
	{CKF_DIGEST, 0, OPERATION_DIGEST},
	{CKF_SIGN, CKF_MESSAGE_SIGN, OPERATION_SIGN},
	{CKF_VERIFY, CKF_MESSAGE_VERIFY, OPERATION_VERIFY},
	{CKF_SIGN_RECOVER, 0, OPERATION_SIGN_RECOVER},
	{CKF_VERIFY_RECOVER, 0, OPERATION_VERIFY_RECOVER},
};

/* What is not active need not be cancelled (v3.0 §5.6.10). */
enum err handle_session_cancel(struct call *call, const struct wire_session_cancel_request *request,
                               struct wire_session_cancel_reply *reply)
{
	session_auto session = NULL;
	enum err err;

	(void)reply;
	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	for (size_t i = 0; i < sizeof(cancellable) / sizeof(cancellable[0]); i++) {
		if (request->flags & cancellable[i].flag)
			session_end_operation(session, cancellable[i].kind);
		if (request->flags & cancellable[i].message_flag)
			session_end_messages(session, cancellable[i].kind);
	}
	if (request->flags & CKF_FIND_OBJECTS)
		session_end_search(session);
	return ERROR_NONE;
}

/* Saved is the state of a session that does nothing but digest. */
static enum err saveable(const struct session *session)
{
	bool any = false, other = false;

	for (int kind = 0; kind < OPERATION_KINDS; kind++) {
		bool active = session->operations[kind] || session->messages[kind];

		any |= active;
		other |= active && kind != OPERATION_DIGEST;
	}
	if (!any)
		return ERROR_OPERATION_NONE;
	return other ? ERROR_STATE_UNSAVEABLE : ERROR_NONE;
}

enum err handle_get_operation_state(struct call *call,
                                    const struct wire_get_operation_state_request *request,
                                    struct wire_get_operation_state_reply *reply)
{
	session_auto session = NULL;
	uint8_t *name;
	enum err err;

	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	err = saveable(session);
	if (err)
		return err;
	reply->output_len = OPERATION_STATE_LEN;
	call->unaudited = request->query || request->capacity < OPERATION_STATE_LEN;
	if (call->unaudited)
		return request->query ? ERROR_NONE : ERROR_BUFFER_TOO_SMALL;
	name = wire_buffer_extend(&call->output, OPERATION_STATE_LEN);
	if (!name)
		return ERROR_MEMORY;
	reply->output = (struct wire_bytes){name, OPERATION_STATE_LEN};
	return operation_states_save(&call->application->saved, call->agent->crypto,
	                             session->slot_id, session->operations[OPERATION_DIGEST], name);
}

/* What was active in the session is replaced. */
enum err handle_set_operation_state(struct call *call,
                                    const struct wire_set_operation_state_request *request,
                                    struct wire_set_operation_state_reply *reply)
{
	session_auto session = NULL;
	struct operation *operation;
	enum err err;

	(void)reply;
	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	err = operation_states_restore(&call->application->saved, session->slot_id, request->state,
	                               &operation);
	if (err)
		return err;
	if (request->encryption_key || request->authentication_key) {
		operation_free(operation);
		return ERROR_KEY_NOT_NEEDED;
	}
	for (int kind = 0; kind < OPERATION_KINDS; kind++) {
		session_end_operation(session, kind);
		session_end_messages(session, kind);
	}
	session->operations[OPERATION_DIGEST] = operation;
	return ERROR_NONE;
}
