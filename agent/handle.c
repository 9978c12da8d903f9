/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps that several handlers have in common. No handler is here.
 */
#include "handle.h"

#include <string.h>
#include <unistd.h>

#include "config.h"

#define PUBLISH_MAX 2u

struct session *handle_session(struct call *call, uint64_t handle, enum err *err)
{
	struct session *session;
	bool busy = false;

	call->record.session_handle = handle;
	if (call->on_worker)
		session = session_lock(call->application, handle);
	else
		session = session_try_lock(call->application, handle, &busy);
	call->deferred = busy;
	*err = session ? ERROR_NONE : ERROR_SESSION_HANDLE;
	return session;
}

enum err handle_operator(const struct call *call)
{
	uid_t uid = call->application->uid;

	return uid == 0 || uid == geteuid() ? ERROR_NONE : ERROR_DENIED;
}

bool handle_token_present(struct call *call, struct agent_slot *slot)
{
	struct token_info info;

	if (call->agent->config->token.present_uninitialized)
		return true;
	token_info(slot->token, &info);
	return info.initialized;
}

struct agent_slot *handle_present_slot(struct call *call, uint64_t slot_id, enum err *err)
{
	struct agent_slot *slot = agent_slot(call->agent, slot_id);

	*err = ERROR_NONE;
	if (!slot)
		*err = ERROR_SLOT_ID;
	else if (!handle_token_present(call, slot))
		*err = ERROR_TOKEN_NOT_PRESENT;
	return *err ? NULL : slot;
}

struct object *handle_object(struct session *session, uint64_t handle)
{
	if (!handle || handle > UINT32_MAX)
		return NULL;
	return token_find(
		session->slot->token,
		application_handle(session->application, session->slot_id, (uint32_t)handle),
		session->application, policy_sees_private(session_login(session)));
}

void handle_note_key(struct call *call, const struct object *key)
{
	if (!key)
		return;
	memcpy(call->key_uid, key->uid, OBJECT_UID_LEN);
	call->record.key_uid = call->key_uid;
	if (key->unapproved)
		call->record.fips_approved = false;
}

enum err handle_approve(struct call *call, const struct attributes *set)
{
	if (!object_unapproved(set))
		return ERROR_NONE;
	call->record.fips_approved = false;
	if (!call->agent->config->algorithms.fips_approved_only)
		return ERROR_NONE;
	return attributes_bytes(set, CKA_EC_PARAMS).len ? ERROR_CURVE : ERROR_ATTRIBUTE_VALUE;
}

void handle_note_mechanism(struct call *call, uint64_t type, const struct mechanism *mechanism)
{
	call->record.mechanism = type;
	call->record.fips_approved = policy_fips_approved(mechanism);
}

const struct mechanism *handle_mechanism(struct call *call, const struct wire_mechanism *mechanism,
                                         uint64_t functions)
{
	const struct mechanism *row =
		mechanism_find(call->agent->crypto, call->agent->config, mechanism->type);

	handle_note_mechanism(call, mechanism->type, row);
	return row && (row->functions & functions) == functions ? row : NULL;
}

enum err handle_usable_key(struct call *call, struct session *session, uint64_t handle,
                           enum policy_use use, const struct mechanism *mechanism, enum err missing,
                           struct object **key)
{
	char today[8];

	*key = handle_object(session, handle);
	if (!*key)
		return missing;
	handle_note_key(call, *key);
	clock_today(&call->agent->clock, today);
	return policy_use_key(*key, use, mechanism, today,
	                      call->agent->config->algorithms.fips_approved_only);
}

enum err handle_step(struct call *call, const struct session *session, enum operation_kind kind,
                     const struct mechanism *mechanism, const struct object *key)
{
	if (mechanism->slow && !call->on_worker) {
		call->deferred = true;
		call->job.is_long = true;
		return ERROR_OPERATION_ACTIVE;
	}
	handle_note_mechanism(call, mechanism->type, mechanism);
	handle_note_key(call, key);
	if (key && (key->usage & USAGE_COMPROMISED)) /* since the operation began */
		return ERROR_KEY_NOT_ACTIVE;
	if (key && (key->usage & USAGE_ALWAYS_AUTHENTICATE) && !session->context_login[kind])
		return ERROR_USER_NOT_LOGGED_IN;
	return ERROR_NONE;
}

enum err handle_may_write(const struct session *session, const struct attributes *set)
{
	return policy_write_object(session->read_write, session_login(session),
	                           attributes_flag(set, CKA_TOKEN),
	                           attributes_flag(set, CKA_PRIVATE));
}

struct template_context handle_template_context(const struct session *session,
                                                enum template_origin origin)
{
	return (struct template_context){
		.origin = origin,
		.object_class = CK_UNAVAILABLE_INFORMATION,
		.key_type = CK_UNAVAILABLE_INFORMATION,
		.mechanism = CK_UNAVAILABLE_INFORMATION,
		.so = session_login(session) == LOGIN_SO,
		.user = session_login(session) == LOGIN_USER,
	};
}

static enum err make_object(struct session *session, struct attributes *set, struct object **object)
{
	enum err err = object_new(set, object);

	if (err)
		return err;
	if (!(*object)->is_token) {
		(*object)->application = session->application;
		(*object)->session_handle = session->handle;
	}
	return ERROR_NONE;
}

enum err handle_publish(struct call *call, struct session *session, struct attributes *const *sets,
                        size_t count, uint64_t *handles)
{
	struct object *objects[PUBLISH_MAX] = {NULL};
	enum err err = count <= PUBLISH_MAX ? ERROR_NONE : ERROR_INTERNAL;

	for (size_t i = 0; !err && i < count; i++)
		err = make_object(session, sets[i], &objects[i]);
	if (!err)
		err = token_add_objects(session->slot->token, objects, count, &call->commit);
	for (size_t i = 0; i < PUBLISH_MAX; i++) {
		if (!err && i < count)
			handles[i] = application_handle(session->application, session->slot_id,
			                                objects[i]->handle);
		object_put(objects[i]);
	}
	return err;
}

static int append(const char *text, size_t len, void *buffer)
{
	wire_put_raw(buffer, text, len);
	return 0;
}

enum err handle_put_json(struct call *call, json_t *report, struct wire_bytes *reply)
{
	int failed = json_dump_callback(report, append, &call->output, JSON_COMPACT);

	json_decref(report);
	if (failed || call->output.failed)
		return ERROR_MEMORY;
	*reply = (struct wire_bytes){call->output.data, call->output.len};
	return ERROR_NONE;
}
