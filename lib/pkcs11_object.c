/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects: create, copy, destroy, their attributes, and the search for them.
 */
#include "host_template.h"
#include "instance.h"
#include "stream.h"
#include "wire/frame.h"

static CK_RV encode(struct connection *connection, const CK_ATTRIBUTE *attributes, CK_ULONG count,
                    struct wire_template *out)
{
	return host_template_encode(attributes, count, &connection->scratch[SCRATCH_TEMPLATE], out);
}

EXPORT CK_RV C_CreateObject(CK_SESSION_HANDLE session, CK_ATTRIBUTE *attributes, CK_ULONG count,
                            CK_OBJECT_HANDLE *object)
{
	struct wire_create_object_request request = {.session = session};
	struct wire_create_object_reply reply;
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	if (!attributes || !object)
		return CKR_ARGUMENTS_BAD;
	rv = encode(connection, attributes, count, &request.attributes);
	if (!rv)
		rv = request_create_object(connection, &request, &reply);
	if (!rv)
		*object = (CK_OBJECT_HANDLE)reply.object;
	return rv;
}

EXPORT CK_RV C_CopyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                          CK_ATTRIBUTE *attributes, CK_ULONG count, CK_OBJECT_HANDLE *new_object)
{
	struct wire_copy_object_request request = {.session = session, .object = object};
	struct wire_copy_object_reply reply;
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	if (!new_object)
		return CKR_ARGUMENTS_BAD;
	rv = encode(connection, attributes, count, &request.attributes);
	if (!rv)
		rv = request_copy_object(connection, &request, &reply);
	if (!rv)
		*new_object = (CK_OBJECT_HANDLE)reply.new_object;
	return rv;
}

EXPORT CK_RV C_DestroyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
	struct wire_destroy_object_request request = {.session = session, .object = object};
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	return connection ? request_destroy_object(connection, &request, NULL) : rv;
}

EXPORT CK_RV C_GetObjectSize(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ULONG *size)
{
	struct wire_get_object_size_request request = {.session = session, .object = object};
	struct wire_get_object_size_reply reply;
	CK_RV rv;
	connection_auto connection = instance_borrow_plain(&rv);

	if (!connection)
		return rv;
	if (!size)
		return CKR_ARGUMENTS_BAD;
	rv = request_get_object_size(connection, &request, &reply);
	if (!rv)
		*size = host_ulong(reply.size);
	return rv;
}

/* As many attributes as one template holds. */
static CK_RV get_attributes(struct connection *connection, CK_SESSION_HANDLE session,
                            CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attributes, CK_ULONG count)
{
	struct wire_get_attributes_request request = {.session = session, .object = object};
	struct wire_get_attributes_reply reply;
	struct wire_buffer *types = &connection->scratch[SCRATCH_TEMPLATE];
	CK_RV rv;

	wire_buffer_reset(types, WIRE_CONTROL_LIMIT);
	rv = host_template_types(attributes, count, types, &request.types);
	if (!rv)
		rv = request_get_attributes(connection, &request, &reply);
	if (rv && rv != CKR_ATTRIBUTE_SENSITIVE && rv != CKR_ATTRIBUTE_TYPE_INVALID)
		return rv;
	return host_template_decode(&reply.attributes, attributes, count, &rv)
	               ? rv
	               : channel_bad_reply(connection);
}

static bool ends_reading(CK_RV rv)
{
	return rv && rv != CKR_ATTRIBUTE_SENSITIVE && rv != CKR_ATTRIBUTE_TYPE_INVALID &&
	       rv != CKR_BUFFER_TOO_SMALL;
}

EXPORT CK_RV C_GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                                 CK_ATTRIBUTE *attributes, CK_ULONG count)
{
	CK_ULONG part, done = 0;
	CK_RV rv, first = CKR_OK;
	connection_auto connection = instance_borrow_plain(&rv);

	if (!connection)
		return rv;
	if (!attributes)
		return CKR_ARGUMENTS_BAD;
	do {
		part = count - done < WIRE_ATTRIBUTE_MAX ? count - done : WIRE_ATTRIBUTE_MAX;
		rv = get_attributes(connection, session, object, attributes + done, part);
		first = first ? first : rv;
		done += part;
	} while (done < count && !ends_reading(rv));
	return ends_reading(rv) ? rv : first;
}

EXPORT CK_RV C_SetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                                 CK_ATTRIBUTE *attributes, CK_ULONG count)
{
	struct wire_set_attributes_request request = {.session = session, .object = object};
	CK_RV rv;
	connection_auto connection = instance_borrow(&rv);

	if (!connection)
		return rv;
	if (!attributes)
		return CKR_ARGUMENTS_BAD;
	rv = encode(connection, attributes, count, &request.attributes);
	return rv ? rv : request_set_attributes(connection, &request, NULL);
}

EXPORT CK_RV C_FindObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE *attributes, CK_ULONG count)
{
	struct wire_find_objects_init_request request = {.session = session};
	CK_RV rv;
	connection_auto connection = instance_borrow_plain(&rv);

	if (!connection)
		return rv;
	rv = encode(connection, attributes, count, &request.attributes);
	return rv ? rv : request_find_objects_init(connection, &request, NULL);
}

/* One reply's worth of handles; *got is how many of the `wanted`. */
static CK_RV find_some(struct connection *connection, CK_SESSION_HANDLE session,
                       CK_OBJECT_HANDLE *objects, CK_ULONG wanted, CK_ULONG *got)
{
	struct wire_find_objects_request request = {.session = session, .max_count = wanted};
	struct wire_find_objects_reply reply;
	CK_RV rv = request_find_objects(connection, &request, &reply);

	*got = 0;
	if (rv)
		return rv;
	if (reply.objects.count > wanted)
		return channel_bad_reply(connection);
	*got = reply.objects.count;
	for (uint32_t i = 0; i < reply.objects.count; i++)
		objects[i] = (CK_OBJECT_HANDLE)wire_u64_list_at(&reply.objects, i);
	return CKR_OK;
}

/* Callers take fewer handles than they asked for as the end of the search, so a large array is
 * filled by several requests. */
EXPORT CK_RV C_FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG max_count,
                           CK_ULONG *count)
{
	CK_ULONG part, got, done = 0;
	CK_RV rv;
	connection_auto connection = instance_borrow_plain(&rv);

	if (!connection)
		return rv;
	if ((!objects && max_count) || !count)
		return CKR_ARGUMENTS_BAD;
	do {
		part = max_count - done < WIRE_FIND_MAX ? max_count - done : WIRE_FIND_MAX;
		rv = find_some(connection, session, objects + done, part, &got);
		if (rv)
			return rv;
		done += got;
	} while (got && got == part && done < max_count);
	*count = done;
	return CKR_OK;
}

STREAM_SESSION(C_FindObjectsFinal, find_objects_final, instance_borrow_plain)
