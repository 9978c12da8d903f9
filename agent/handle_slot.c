/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers about slots, tokens and mechanisms: lists and descriptions, C_InitToken, C_InitPIN,
 * C_SetPIN.
 */
#include "handle.h"
#include "wire/cryptoki_3.h"

#include <string.h>

#include "config.h"

#define SLOT_DESCRIPTION "Craton HSM slot"
#define MANUFACTURER     "Craton HSM"
#define MODEL            "Craton HSM Linux"

/* Copies octets into the call's output, which the reply may point into. */
static struct wire_bytes keep(struct call *call, const void *octets, size_t len)
{
	uint8_t *place = wire_buffer_extend(&call->output, len);

	if (!place)
		return (struct wire_bytes){NULL, 0};
	memcpy(place, octets, len);
	return (struct wire_bytes){place, len};
}

static enum err finish_list(struct call *call, struct wire_u64_list *list)
{
	if (call->output.failed)
		return ERROR_MEMORY;
	list->octets = call->output.data;
	list->count = (uint32_t)(call->output.len / sizeof(uint64_t));
	return ERROR_NONE;
}

/* "MAJOR.MINOR.PATCH" as major << 8 | minor. */
static uint32_t version_number(void)
{
	unsigned int major = (unsigned int)(CRATON_VERSION[0] - '0');
	unsigned int minor = (unsigned int)(CRATON_VERSION[2] - '0');

	return major << 8 | minor;
}

enum err handle_get_slot_list(struct call *call, const struct wire_get_slot_list_request *request,
                              struct wire_get_slot_list_reply *reply)
{
	for (uint32_t i = 0; i < call->agent->slot_count; i++) {
		if (!request->token_present || handle_token_present(call, &call->agent->slots[i]))
			wire_put_u64(&call->output, i);
	}
	return finish_list(call, &reply->slots);
}

enum err handle_get_slot_info(struct call *call, const struct wire_get_slot_info_request *request,
                              struct wire_get_slot_info_reply *reply)
{
	struct agent_slot *slot = agent_slot(call->agent, request->slot_id);

	if (!slot)
		return ERROR_SLOT_ID;
	reply->description = wire_text(SLOT_DESCRIPTION);
	reply->manufacturer = wire_text(MANUFACTURER);
	reply->flags = handle_token_present(call, slot) ? CKF_TOKEN_PRESENT : 0;
	reply->hardware_version = version_number();
	reply->firmware_version = version_number();
	return ERROR_NONE;
}

static uint64_t token_flags(const struct token_info *info)
{
	uint64_t flags = CKF_RNG | CKF_LOGIN_REQUIRED | info->pin_flags;

	if (info->initialized)
		flags |= CKF_TOKEN_INITIALIZED;
	if (info->user_pin_set)
		flags |= CKF_USER_PIN_INITIALIZED;
	return flags;
}

enum err handle_get_token_info(struct call *call, const struct wire_get_token_info_request *request,
                               struct wire_get_token_info_reply *reply)
{
	const struct config *config = call->agent->config;
	uint32_t count, rw_count;
	struct agent_slot *slot;
	struct token_info info;
	char utc_time[16];
	enum err err;

	slot = handle_present_slot(call, request->slot_id, &err);
	if (!slot)
		return err;
	token_info(slot->token, &info);
	application_count_sessions(call->application, request->slot_id, &count, &rw_count);
	clock_utc_time(utc_time);
	/* The output keeps all three: room for them is reserved before the first pointer is taken.
	 */
	if (!wire_buffer_extend(&call->output,
	                        sizeof(info.label) + sizeof(info.serial) + sizeof(utc_time)))
		return ERROR_MEMORY;
	wire_buffer_truncate(&call->output, 0);
	reply->label = keep(call, info.label, sizeof(info.label));
	reply->serial_number = keep(call, info.serial, sizeof(info.serial));
	reply->utc_time = keep(call, utc_time, sizeof(utc_time));
	reply->manufacturer = wire_text(MANUFACTURER);
	reply->model = wire_text(MODEL);
	reply->flags = token_flags(&info);
	reply->max_session_count = config->token.max_sessions;
	reply->session_count = count;
	reply->max_rw_session_count = config->token.max_rw_sessions;
	reply->rw_session_count = rw_count;
	reply->max_pin_len = config->security.pin_max_length;
	reply->min_pin_len = config->security.pin_min_length;
	reply->hardware_version = version_number();
	reply->firmware_version = version_number();
	return ERROR_NONE;
}

static void list_mechanism(void *context, const struct mechanism *mechanism)
{
	wire_put_u64(context, mechanism->type);
}

enum err handle_get_mechanism_list(struct call *call,
                                   const struct wire_get_mechanism_list_request *request,
                                   struct wire_get_mechanism_list_reply *reply)
{
	enum err err;

	if (!handle_present_slot(call, request->slot_id, &err))
		return err;
	mechanism_each(call->agent->crypto, call->agent->config, list_mechanism, &call->output);
	return finish_list(call, &reply->mechanisms);
}

/* CKF_MESSAGE_*: what it can do to many messages. */
static uint64_t message_flags(const struct mechanism *mechanism)
{
	static const struct {
		uint64_t function, flag;
		enum operation_kind kind;
	} rows[] = {
		{CKF_ENCRYPT, CKF_MESSAGE_ENCRYPT, OPERATION_ENCRYPT},
		{CKF_DECRYPT, CKF_MESSAGE_DECRYPT, OPERATION_DECRYPT},
		{CKF_SIGN, CKF_MESSAGE_SIGN, OPERATION_SIGN},
		{CKF_VERIFY, CKF_MESSAGE_VERIFY, OPERATION_VERIFY},
	};
	uint64_t flags = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if ((mechanism->functions & rows[i].function) &&
		    message_based_fits(mechanism, rows[i].kind))
			flags |= rows[i].flag | CKF_MULTI_MESSAGE;
	}
	return flags;
}

enum err handle_get_mechanism_info(struct call *call,
                                   const struct wire_get_mechanism_info_request *request,
                                   struct wire_get_mechanism_info_reply *reply)
{
	const struct mechanism *mechanism;
	enum err err;

	if (!handle_present_slot(call, request->slot_id, &err))
		return err;
	mechanism = mechanism_find(call->agent->crypto, call->agent->config, request->mechanism);
	if (!mechanism)
		return ERROR_MECHANISM;
	reply->min_key_size = mechanism->min_key;
	reply->max_key_size = mechanism->max_key;
	reply->flags = mechanism->functions | mechanism->ec_flags | message_flags(mechanism);
	return ERROR_NONE;
}

enum err handle_init_token(struct call *call, const struct wire_init_token_request *request,
                           struct wire_init_token_reply *reply)
{
	struct agent_slot *slot = agent_slot(call->agent, request->slot_id);
	enum err err;

	(void)reply;
	if (!slot)
		return ERROR_SLOT_ID;
	if (atomic_load(&slot->session_count))
		return ERROR_SESSION_EXISTS;
	if (request->label.len > STORE_LABEL_LEN)
		return ERROR_ARGUMENTS;
	err = token_initialize(slot->token, request->pin, request->label, &call->delay_ms);
	if (!err)
		atomic_fetch_add(&slot->events, 1);
	return err;
}

enum err handle_slot_event(struct call *call, const struct wire_slot_event_request *request,
                           struct wire_slot_event_reply *reply)
{
	(void)request;
	reply->occurred = application_next_event(call->application, &reply->slot_id);
	return ERROR_NONE;
}

enum err handle_init_pin(struct call *call, const struct wire_init_pin_request *request,
                         struct wire_init_pin_reply *reply)
{
	session_auto session = NULL;
	enum err err;

	(void)reply;
	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	if (session_login(session) != LOGIN_SO)
		return ERROR_USER_NOT_LOGGED_IN;
	return token_init_pin(session->slot->token, request->pin);
}

enum err handle_set_pin(struct call *call, const struct wire_set_pin_request *request,
                        struct wire_set_pin_reply *reply)
{
	session_auto session = NULL;
	enum token_user user;
	enum err err;

	(void)reply;
	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	if (!session->read_write)
		return ERROR_SESSION_READ_ONLY;
	user = session_login(session) == LOGIN_SO ? TOKEN_SO : TOKEN_USER;
	return token_set_pin(session->slot->token, user, request->old_pin, request->new_pin,
	                     &call->delay_ms);
}
