/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions and logging in. The library keeps no session: handles are the agent's. Notifications are
 * never sent, so C_OpenSession's callback is not kept.
 */
#include "host_template.h"
#include "instance.h"
#include "stream.h"
#include "wire/cryptoki_3.h"

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, CK_SESSION_HANDLE *session)
{
	struct wire_open_session_request request = {.slot_id = slot, .flags = flags};
	struct wire_open_session_reply reply;
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	if (!session)
		return CKR_ARGUMENTS_BAD;
	rv = request_open_session(connection, &request, &reply);
	if (!rv)
		*session = (CK_SESSION_HANDLE)reply.session;
	return rv;
}

EXPORT CK_RV C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
                           CK_SESSION_HANDLE *session)
{
	CK_RV rv = open_session(slot, flags, session);

	(void)application;
	(void)notify;
	if (rv == CKR_DEVICE_REMOVED && instance_revive())
		rv = open_session(slot, flags, session);
	return rv;
}

STREAM_SESSION(C_CloseSession, close_session, instance_borrow)

EXPORT CK_RV C_CloseAllSessions(CK_SLOT_ID slot)
{
	struct wire_close_all_sessions_request request = {.slot_id = slot};
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	return connection ? request_close_all_sessions(connection, &request, NULL) : rv;
}

EXPORT CK_RV C_GetSessionInfo(CK_SESSION_HANDLE session, CK_SESSION_INFO *info)
{
	struct wire_get_session_info_request request = {.session = session};
	struct wire_get_session_info_reply reply;
	CK_RV rv;
	connection_auto connection = instance_borrow_plain(&rv);

	if (!connection)
		return rv;
	if (!info)
		return CKR_ARGUMENTS_BAD;
	rv = request_get_session_info(connection, &request, &reply);
	if (rv)
		return rv;
	*info = (CK_SESSION_INFO){
		.slotID = (CK_SLOT_ID)reply.slot_id,
		.state = (CK_STATE)reply.state,
		.flags = (CK_FLAGS)reply.flags,
		.ulDeviceError = host_ulong(reply.device_error),
	};
	return CKR_OK;
}

/* A NULL PIN asks for the token's own keypad, which it has not. */
EXPORT CK_RV C_Login(CK_SESSION_HANDLE session, CK_USER_TYPE user_type, CK_UTF8CHAR *pin,
                     CK_ULONG pin_len)
{
	struct wire_login_request request = {
		.session = session,
		.user_type = user_type,
		.pin = {pin, pin_len},
	};
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	return pin ? request_login(connection, &request, NULL) : CKR_ARGUMENTS_BAD;
}

/* The token knows two users, and neither by a name (v3.0 §5.6.9). */
EXPORT CK_RV C_LoginUser(CK_SESSION_HANDLE session, CK_USER_TYPE user_type, CK_UTF8CHAR *pin,
                         CK_ULONG pin_len, CK_UTF8CHAR *username, CK_ULONG username_len)
{
	CK_RV rv = instance_check_agent();

	if (rv)
		return rv;
	if (username_len)
		return username ? CKR_USER_TYPE_INVALID : CKR_ARGUMENTS_BAD;
	return C_Login(session, user_type, pin, pin_len);
}

EXPORT CK_RV C_SessionCancel(CK_SESSION_HANDLE session, CK_FLAGS flags)
{
	struct wire_session_cancel_request request = {.session = session, .flags = flags};
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	return connection ? request_session_cancel(connection, &request, NULL) : rv;
}

/* No validation of the token is claimed, so no operation can be within one (v3.2). */
EXPORT CK_RV C_GetSessionValidationFlags(CK_SESSION_HANDLE session, CK_ULONG type, CK_FLAGS *flags)
{
	CK_SESSION_INFO info;
	CK_RV rv = instance_check_agent();

	if (rv)
		return rv;
	if (!flags || type != CKS_LAST_VALIDATION_OK)
		return CKR_ARGUMENTS_BAD;
	rv = C_GetSessionInfo(session, &info);
	if (!rv)
		*flags = 0;
	return rv;
}

STREAM_SESSION(C_Logout, logout, instance_borrow)

EXPORT CK_RV C_InitPIN(CK_SESSION_HANDLE session, CK_UTF8CHAR *pin, CK_ULONG pin_len)
{
	struct wire_init_pin_request request = {.session = session, .pin = {pin, pin_len}};
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	return pin ? request_init_pin(connection, &request, NULL) : CKR_ARGUMENTS_BAD;
}

EXPORT CK_RV C_SetPIN(CK_SESSION_HANDLE session, CK_UTF8CHAR *old_pin, CK_ULONG old_len,
                      CK_UTF8CHAR *new_pin, CK_ULONG new_len)
{
	struct wire_set_pin_request request = {
		.session = session,
		.old_pin = {old_pin, old_len},
		.new_pin = {new_pin, new_len},
	};
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	return old_pin && new_pin ? request_set_pin(connection, &request, NULL) : CKR_ARGUMENTS_BAD;
}

STREAM_FINAL(C_GetOperationState, get_operation_state, DEFERRED_KINDS)

EXPORT CK_RV C_SetOperationState(CK_SESSION_HANDLE session, CK_BYTE *state, CK_ULONG state_len,
                                 CK_OBJECT_HANDLE encryption_key,
                                 CK_OBJECT_HANDLE authentication_key)
{
	struct wire_set_operation_state_request request = {
		.session = session,
		.state = {state, state_len},
		.encryption_key = encryption_key,
		.authentication_key = authentication_key,
	};
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	if (!state)
		return CKR_ARGUMENTS_BAD;
	/* One that does not fit a frame is none of ours. */
	if (state_len > WIRE_CONTROL_LIMIT)
		return CKR_SAVED_STATE_INVALID;
	rv = request_set_operation_state(connection, &request, NULL);
	return rv == CKR_ARGUMENTS_BAD ? CKR_SAVED_STATE_INVALID : rv;
}
