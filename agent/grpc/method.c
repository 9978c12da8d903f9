/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of methods, and looking in it.
 */
#include "grpc/method.h"

#include <string.h>

#include "grpc/calls.h"
#include "grpc/counters.h"
#include "grpc/sessions.h"
#include "health.pb-c.h"
#include "reflection.pb-c.h"

#define SERVICE_HSM                "craton_hsm.HsmService"
#define SERVICE_HEALTH             "grpc.health.v1.Health"
#define SERVICE_REFLECTION_V1      "grpc.reflection.v1.ServerReflection"
#define SERVICE_REFLECTION_V1ALPHA "grpc.reflection.v1alpha.ServerReflection"

enum method_id {
#define METHOD(service, name, function, request, need, frames, streams, rule, finished, lost)      \
	ID_##service##_##name,
#include "grpc/method.def"
	ID_COUNT,
};

_Static_assert((int)ID_COUNT < (int)METHOD_RULE_ANY, "rules are bits of 64");
_Static_assert((int)ID_COUNT <= (int)COUNTERS_METHODS, "each method is counted");

#define ID_HSM_ANY METHOD_RULE_ANY

/* ---- where a request names its session and slot, by its fields' names ---- */

/* Requests have few fields, and those that are looked for are the first; so this is quicker than
 * protobuf-c's search by name. */
static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessage *message,
                                                  ProtobufCType type, const char *name)
{
	const ProtobufCMessageDescriptor *descriptor = message->descriptor;

	for (unsigned int i = 0; i < descriptor->n_fields; i++)
		if (descriptor->fields[i].type == type &&
		    strcmp(descriptor->fields[i].name, name) == 0) /* not secret: names */
			return &descriptor->fields[i];
	return NULL;
}

static uint64_t number_of(const ProtobufCMessage *message, const char *name)
{
	const ProtobufCFieldDescriptor *field = find_field(message, PROTOBUF_C_TYPE_UINT64, name);
	uint64_t value = 0;

	if (field)
		memcpy(&value, (const char *)message + field->offset, sizeof(value));
	return value;
}

/* Streams name them in the message `begin`, which need not be there. */
static const ProtobufCMessage *begin_of(const ProtobufCMessage *message)
{
	const ProtobufCFieldDescriptor *field =
		find_field(message, PROTOBUF_C_TYPE_MESSAGE, "begin");
	const ProtobufCMessage *begin = NULL;

	if (!field)
		return message;
	memcpy(&begin, (const char *)message + field->offset, sizeof(begin));
	return begin;
}

static struct rpc_place locate(const ProtobufCMessage *request)
{
	const ProtobufCMessage *message = begin_of(request);
	struct rpc_place place = {0};

	if (message) {
		place.session = number_of(message, "session");
		place.slot = number_of(message, "slot");
	}
	return place;
}

/* ---- the rows ---- */

const struct method methods[] = {
#define METHOD(of, title, function, message, wants, count, which, allowed, finished, lost)         \
	[ID_##of##_##title] = {                                                                    \
		.path = "/" SERVICE_##of "/" #title,                                               \
		.path_len = sizeof("/" SERVICE_##of "/" #title) - 1,                               \
		.service = SERVICE_##of,                                                           \
		.name = #title,                                                                    \
		.request = &message##__descriptor,                                                 \
		.locate = locate,                                                                  \
		.need = NEED_##wants,                                                              \
		.streams = STREAMS_##which,                                                        \
		.frames = count,                                                                   \
		.rule = ID_HSM_##allowed,                                                          \
		.begin = begin_##function,                                                         \
		.answer = answer_##function,                                                       \
		.finish = finished,                                                                \
		.late = lost,                                                                      \
	},
#include "grpc/method.def"
};

const unsigned int method_count = ID_COUNT;

const struct method method_pool = {
	.path = "",
	.service = "",
	.name = "",
	.frames = 1,
	.rule = METHOD_RULE_ANY,
	.begin = begin_pool,
	.answer = answer_pool,
	.late = late_open_session,
};

/* The paths differ in length more than not, so that few are compared. */
const struct method *method_find(const char *path, size_t path_len)
{
	for (unsigned int i = 0; i < ID_COUNT; i++)
		if (methods[i].path_len == path_len && memcmp(methods[i].path, path, path_len) == 0)
			return &methods[i];
	return NULL;
}

int method_rule(const char *name)
{
	for (unsigned int i = 0; i < ID_COUNT; i++)
		if (methods[i].rule == i &&
		    strcmp(methods[i].name, name) == 0) /* not secret: names */
			return (int)i;
	return -1;
}

unsigned int method_number(const struct method *method)
{
	return (unsigned int)(method - methods);
}
