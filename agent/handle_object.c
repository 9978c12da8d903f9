/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers about objects: create, copy, change, destroy, read, find.
 */
#include "handle.h"

#include <stdlib.h>

#include "keygen.h"

enum err handle_create_object(struct call *call, const struct wire_create_object_request *request,
                              struct wire_create_object_reply *reply)
{
	struct agent *agent = call->agent;
	session_auto session = NULL;
	attributes_auto set = {0};
	struct attributes *sets[] = {&set};
	struct template_context context;
	enum err err;

	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	context = handle_template_context(session, ORIGIN_CREATE);
	err = template_build(&context, &request->attributes, &set);
	if (!err)
		err = handle_may_write(session, &set);
	if (!err)
		err = keygen_check(agent->crypto, agent->config, &set);
	if (!err)
		err = handle_approve(call, &set);
	if (!err)
		err = template_complete(&context, agent->crypto, &set);
	if (!err)
		err = handle_publish(call, session, sets, 1, &reply->object);
	return err;
}

/* The object, if it has the flag that lets this be done to it (0: none is asked for). */
static enum err find_writable(struct session *session, uint64_t handle, uint32_t usage,
                              struct object **object)
{
	*object = handle_object(session, handle);
	if (!*object)
		return ERROR_OBJECT_HANDLE;
	if (((*object)->usage & usage) != usage)
		return ERROR_ACTION_PROHIBITED;
	return ERROR_NONE;
}

enum err handle_copy_object(struct call *call, const struct wire_copy_object_request *request,
                            struct wire_copy_object_reply *reply)
{
	session_auto session = NULL;
	object_auto object = NULL;
	attributes_auto set = {0};
	struct attributes *sets[] = {&set};
	enum err err;

	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	err = find_writable(session, request->object, USAGE_COPYABLE, &object);
	if (err)
		return err;
	handle_note_key(call, object);
	err = template_copy(object, &request->attributes, session_login(session) == LOGIN_SO, &set);
	if (!err)
		err = handle_may_write(session, &set);
	if (!err)
		err = handle_publish(call, session, sets, 1, &reply->new_object);
	return err;
}

enum err handle_destroy_object(struct call *call, const struct wire_destroy_object_request *request,
                               struct wire_destroy_object_reply *reply)
{
	session_auto session = NULL;
	object_auto object = NULL;
	enum err err;

	(void)reply;
	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	err = find_writable(session, request->object, USAGE_DESTROYABLE, &object);
	if (err)
		return err;
	handle_note_key(call, object);
	err = handle_may_write(session, &object->attributes);
	if (!err)
		err = token_remove_object(session->slot->token, object, &call->commit);
	return err;
}

static enum err replace(struct call *call, struct session *session, struct object *object,
                        struct attributes *set)
{
	object_auto successor = NULL;
	enum err err = object_new(set, &successor);

	if (!err)
		err = token_replace_object(session->slot->token, object, successor, &call->commit);
	return err;
}

/* What stays open on an object that is not modifiable: that it is compromised. */
static bool is_operators(const struct wire_template *template)
{
	struct wire_attribute attribute;
	size_t cursor = 0;

	return wire_template_next(template, &cursor, &attribute) &&
	       attribute.type == CKA_CRATON_COMPROMISED &&
	       !wire_template_next(template, &cursor, &attribute);
}

enum err handle_set_attributes(struct call *call, const struct wire_set_attributes_request *request,
                               struct wire_set_attributes_reply *reply)
{
	session_auto session = NULL;
	object_auto object = NULL;
	attributes_auto set = {0};
	enum err err;

	(void)reply;
	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	err = find_writable(session, request->object,
	                    is_operators(&request->attributes) ? 0 : USAGE_MODIFIABLE, &object);
	if (err)
		return err;
	handle_note_key(call, object);
	err = handle_may_write(session, &object->attributes);
	if (!err)
		err = template_modify(object, &request->attributes,
		                      session_login(session) == LOGIN_SO, &set);
	return err ? err : replace(call, session, object, &set);
}

enum err handle_get_object_size(struct call *call,
                                const struct wire_get_object_size_request *request,
                                struct wire_get_object_size_reply *reply)
{
	session_auto session = NULL;
	object_auto object = NULL;
	enum err err;

	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	object = handle_object(session, request->object);
	if (!object)
		return ERROR_OBJECT_HANDLE;
	reply->size = object->attributes.encoded.len;
	return ERROR_NONE;
}

/* The worst of the attributes' answers decides (PKCS#11 v2.40 §5.7, C_GetAttributeValue: any one of
 * them may be given). */
static enum err note_answer(enum err so_far, const struct wire_attribute *attribute)
{
	if (so_far || attribute->kind != WIRE_ATTRIBUTE_UNAVAILABLE)
		return so_far;
	return attribute->number == CKR_ATTRIBUTE_SENSITIVE ? ERROR_ATTRIBUTE_SENSITIVE
	                                                    : ERROR_ATTRIBUTE_TYPE;
}

enum err handle_get_attributes(struct call *call, const struct wire_get_attributes_request *request,
                               struct wire_get_attributes_reply *reply)
{
	session_auto session = NULL;
	object_auto object = NULL;
	enum err err, answer = ERROR_NONE;

	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	object = handle_object(session, request->object);
	if (!object)
		return ERROR_OBJECT_HANDLE;
	if (request->types.count > WIRE_ATTRIBUTE_MAX)
		return ERROR_ARGUMENTS;
	for (uint32_t i = 0; i < request->types.count; i++) {
		struct wire_attribute attribute;

		template_read(object, wire_u64_list_at(&request->types, i), &attribute);
		answer = note_answer(answer, &attribute);
		wire_put_attribute(&call->output, &attribute);
	}
	if (call->output.failed)
		return ERROR_MEMORY;
	reply->attributes = wire_template_view(&call->output, request->types.count);
	return answer;
}

enum err handle_find_objects_init(struct call *call,
                                  const struct wire_find_objects_init_request *request,
                                  struct wire_find_objects_init_reply *reply)
{
	session_auto session = NULL;
	enum err err;

	(void)reply;
	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	if (session->searching)
		return ERROR_OPERATION_ACTIVE;
	err = token_search(session->slot->token, &request->attributes, session->application,
	                   policy_sees_private(session_login(session)), &session->found,
	                   &session->found_count);
	session->searching = !err;
	session->found_at = 0;
	return err;
}

enum err handle_find_objects(struct call *call, const struct wire_find_objects_request *request,
                             struct wire_find_objects_reply *reply)
{
	session_auto session = NULL;
	uint32_t count = 0;
	enum err err;

	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	if (!session->searching)
		return ERROR_OPERATION_NONE;
	while (session->found_at < session->found_count && count < request->max_count &&
	       count < WIRE_FIND_MAX) {
		wire_put_u64(&call->output,
		             application_handle(session->application, session->slot_id,
		                                session->found[session->found_at++]));
		count++;
	}
	if (call->output.failed)
		return ERROR_MEMORY;
	reply->objects = (struct wire_u64_list){count, call->output.data};
	return ERROR_NONE;
}

enum err handle_find_objects_final(struct call *call,
                                   const struct wire_find_objects_final_request *request,
                                   struct wire_find_objects_final_reply *reply)
{
	session_auto session = NULL;
	enum err err;

	(void)reply;
	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	if (!session->searching)
		return ERROR_OPERATION_NONE;
	session_end_search(session);
	return ERROR_NONE;
}
