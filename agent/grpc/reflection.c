/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server reflection, from the descriptors that protoc made at build time. v1 and v1alpha have the
 * same messages under two names, so v1's are used for both.
 */
#include <string.h>

#include "descriptor.pb-c.h"
#include "grpc/calls.h"
#include "grpc/client.h"
#include "reflection.pb-c.h"

#define MESSAGE_LIMIT (1u << 20)

/* By ld -b binary. */
extern const uint8_t _binary_descriptors_bin_start[], _binary_descriptors_bin_end[];

typedef CratonHsm__Descriptor__File file_t;
typedef Grpc__Reflection__V1__ServerReflectionResponse response_t;

static const char *const served[] = {
	"craton_hsm.HsmService",
	"grpc.health.v1.Health",
	"grpc.reflection.v1.ServerReflection",
	"grpc.reflection.v1alpha.ServerReflection",
};

/* ---- looking into the descriptors ---- */

static CratonHsm__Descriptor__FileSet *open_files(struct rpc *rpc)
{
	ProtobufCAllocator allocator = arena_allocator(&rpc->arena);

	rpc->arena.limit = MESSAGE_LIMIT;
	return craton_hsm__descriptor__file_set__unpack(
		&allocator,
		(size_t)((uintptr_t)_binary_descriptors_bin_end -
	                 (uintptr_t)_binary_descriptors_bin_start),
		_binary_descriptors_bin_start);
}

static bool has_name(CratonHsm__Descriptor__Named *const *names, size_t count, const char *name,
                     size_t name_len)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(names[i]->name) == name_len &&
		    memcmp(names[i]->name, name, name_len) == 0)
			return true;
	return false;
}

/* "package.Name" or something inside it. */
static bool declares(const file_t *file, const char *symbol)
{
	size_t package_len = strlen(file->package), name_len;

	if (strncmp(symbol, file->package, package_len) != 0 || symbol[package_len] != '.')
		return false;
	symbol += package_len + 1;
	name_len = strcspn(symbol, ".");
	return has_name(file->message_type, file->n_message_type, symbol, name_len) ||
	       has_name(file->enum_type, file->n_enum_type, symbol, name_len) ||
	       has_name(file->service, file->n_service, symbol, name_len);
}

static bool is_called(const file_t *file, const char *name)
{
	return strcmp(file->name, name) == 0;
}

static const ProtobufCBinaryData *find_file(struct rpc *rpc, const char *wanted,
                                            bool (*is_it)(const file_t *, const char *))
{
	CratonHsm__Descriptor__FileSet *set = open_files(rpc);
	ProtobufCAllocator allocator = arena_allocator(&rpc->arena);

	for (size_t i = 0; set && i < set->n_file; i++) {
		const file_t *file = craton_hsm__descriptor__file__unpack(
			&allocator, set->file[i].len, set->file[i].data);

		if (file && is_it(file, wanted))
			return &set->file[i];
	}
	return NULL;
}

/* ---- answers ---- */

static void put_error(struct rpc *rpc, response_t reply, enum grpc_status status, const char *text)
{
	Grpc__Reflection__V1__ErrorResponse error = GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT;

	error.error_code = (int32_t)status;
	error.error_message = (char *)(uintptr_t)text;
	reply.message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
	reply.error_response = &error;
	rpc_put(rpc, &reply.base);
}

/* None of the files imports another, so one is all that is needed. */
static void put_file(struct rpc *rpc, response_t reply, const ProtobufCBinaryData *file)
{
	Grpc__Reflection__V1__FileDescriptorResponse files =
		GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT;

	if (!file) {
		put_error(rpc, reply, GRPC_NOT_FOUND, "there is no such file or symbol");
		return;
	}
	files.n_file_descriptor_proto = 1;
	files.file_descriptor_proto = (ProtobufCBinaryData *)(uintptr_t)file;
	reply.message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
	reply.file_descriptor_response = &files;
	rpc_put(rpc, &reply.base);
}

#define SERVED_COUNT (sizeof(served) / sizeof(served[0]))

static void put_services(struct rpc *rpc, response_t reply)
{
	Grpc__Reflection__V1__ListServiceResponse list =
		GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;
	Grpc__Reflection__V1__ServiceResponse services[SERVED_COUNT], *pointers[SERVED_COUNT];

	for (size_t i = 0; i < SERVED_COUNT; i++) {
		grpc__reflection__v1__service_response__init(&services[i]);
		services[i].name = (char *)(uintptr_t)served[i];
		pointers[i] = &services[i];
	}
	list.n_service = SERVED_COUNT;
	list.service = pointers;
	reply.message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
	reply.list_services_response = &list;
	rpc_put(rpc, &reply.base);
}

static void answer(struct rpc *rpc, Grpc__Reflection__V1__ServerReflectionRequest *request)
{
	response_t reply = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;

	reply.valid_host = request->host;
	reply.original_request = request;
	switch (request->message_request_case) {
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
		put_file(rpc, reply, find_file(rpc, request->file_by_filename, is_called));
		break;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
		put_file(rpc, reply, find_file(rpc, request->file_containing_symbol, declares));
		break;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
		put_services(rpc, reply);
		break;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
		put_error(rpc, reply, GRPC_NOT_FOUND, "no message has extensions");
		break;
	default:
		put_error(rpc, reply, GRPC_INVALID_ARGUMENT, "the request asks for nothing");
	}
}

void begin_reflect(struct rpc *rpc)
{
	if (rpc->request)
		answer(rpc, (Grpc__Reflection__V1__ServerReflectionRequest *)rpc->request);
	else
		rpc_succeed(rpc);
}

bool answer_reflect(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	(void)rpc;
	(void)opcode;
	(void)ckr;
	(void)body;
	return false;
}
