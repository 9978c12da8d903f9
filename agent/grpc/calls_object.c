/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects: finding, reading, copying, destroying.
 */
#include "grpc/calls.h"
#include "grpc/client.h"

#include <stdlib.h>

#define REQUEST(type) ((const CratonHsm__##type *)rpc->request)

#define FIND_DEFAULT WIRE_FIND_MAX
#define FIND_LIMIT   (1u << 20)

void begin_destroy_object(struct rpc *rpc)
{
	struct wire_destroy_object_request request = {
		.session = rpc->session->handle,
		.object = REQUEST(DestroyObjectRequest)->object,
	};

	rpc_send_destroy_object(rpc, &request);
}

bool answer_destroy_object(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	CratonHsm__DestroyObjectReply reply = CRATON_HSM__DESTROY_OBJECT_REPLY__INIT;

	(void)opcode;
	(void)body;
	if (!ckr)
		rpc_put(rpc, &reply.base);
	return !ckr;
}

void begin_copy_object(struct rpc *rpc)
{
	const CratonHsm__CopyObjectRequest *request = REQUEST(CopyObjectRequest);
	struct wire_copy_object_request copy = {
		.session = rpc->session->handle,
		.object = request->object,
	};

	if (!translate_template(&rpc->arena, request->attributes, request->n_attributes,
	                        &copy.attributes))
		rpc_refuse(rpc, CKR_ARGUMENTS_BAD);
	else
		rpc_send_copy_object(rpc, &copy);
}

bool answer_copy_object(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	CratonHsm__CopyObjectReply reply = CRATON_HSM__COPY_OBJECT_REPLY__INIT;
	struct wire_copy_object_reply copied;

	(void)opcode;
	if (ckr || !wire_decode_copy_object_reply(body, &copied))
		return false;
	reply.object = copied.new_object;
	rpc_put(rpc, &reply.base);
	return true;
}

/* ---- finding: number[0] is how many are wanted, number[1] how many are in rpc->kept ---- */

static void send_find(struct rpc *rpc)
{
	uint64_t left = rpc->number[0] - rpc->number[1];
	struct wire_find_objects_request request = {
		.session = rpc->session->handle,
		.max_count = left < WIRE_FIND_MAX ? left : WIRE_FIND_MAX,
	};

	rpc_send_find_objects(rpc, &request);
}

static void send_final(struct rpc *rpc)
{
	struct wire_find_objects_final_request request = {.session = rpc->session->handle};

	rpc->flag[0] = true;
	rpc_send_find_objects_final(rpc, &request);
}

/* When one answer can hold all that is wanted, the end of the search is sent along. */
void begin_find_objects(struct rpc *rpc)
{
	const CratonHsm__FindObjectsRequest *request = REQUEST(FindObjectsRequest);
	struct wire_find_objects_init_request init = {.session = rpc->session->handle};

	rpc->number[0] = request->max_objects ? request->max_objects : FIND_DEFAULT;
	if (rpc->number[0] > FIND_LIMIT ||
	    !translate_template(&rpc->arena, request->attributes, request->n_attributes,
	                        &init.attributes)) {
		rpc_refuse(rpc, CKR_ARGUMENTS_BAD);
		return;
	}
	rpc_keep_nothing(rpc, FIND_LIMIT * 8);
	if (!rpc_send_find_objects_init(rpc, &init))
		return;
	send_find(rpc);
	if (rpc->number[0] <= WIRE_FIND_MAX)
		send_final(rpc);
}

static bool take_found(struct rpc *rpc, struct wire_bytes body)
{
	struct wire_find_objects_reply found;
	bool more;

	if (!wire_decode_find_objects_reply(body, &found))
		return false;
	rpc_keep(rpc, found.objects.octets, (size_t)found.objects.count * 8);
	rpc->number[1] += found.objects.count;
	if (rpc->flag[0])
		return true;
	more = found.objects.count == WIRE_FIND_MAX && rpc->number[1] < rpc->number[0];
	if (more)
		send_find(rpc);
	else
		send_final(rpc);
	return true;
}

static bool put_found(struct rpc *rpc)
{
	CratonHsm__FindObjectsReply reply = CRATON_HSM__FIND_OBJECTS_REPLY__INIT;
	size_t count = rpc->kept.len / 8;
	uint64_t *objects = NULL;

	if (count) {
		objects = reallocarray(NULL, count, sizeof(*objects));
		if (!objects || rpc->kept.failed) {
			free(objects);
			return false;
		}
	}
	for (size_t i = 0; i < count; i++)
		objects[i] = wire_load_u64(rpc->kept.data + 8 * i);
	reply.n_objects = count;
	reply.objects = objects;
	rpc_put(rpc, &reply.base);
	free(objects);
	return true;
}

bool answer_find_objects(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	if (ckr)
		return false;
	if (opcode == WIRE_OPCODE_find_objects)
		return take_found(rpc, body);
	return opcode != WIRE_OPCODE_find_objects_final || put_found(rpc);
}

/* ---- attributes ---- */

void begin_get_attributes(struct rpc *rpc)
{
	const CratonHsm__GetAttributeValueRequest *request = REQUEST(GetAttributeValueRequest);
	struct wire_get_attributes_request get = {
		.session = rpc->session->handle,
		.object = request->object,
	};

	if (!translate_numbers(&rpc->arena, request->types, request->n_types, &get.types))
		rpc_refuse(rpc, CKR_ARGUMENTS_BAD);
	else
		rpc_send_get_attributes(rpc, &get);
}

/* What cannot be given is no failure of the call: the reply says so per attribute. */
static bool has_attributes(uint64_t ckr)
{
	return ckr == CKR_OK || ckr == CKR_ATTRIBUTE_SENSITIVE || ckr == CKR_ATTRIBUTE_TYPE_INVALID;
}

bool answer_get_attributes(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body)
{
	CratonHsm__GetAttributeValueReply reply = CRATON_HSM__GET_ATTRIBUTE_VALUE_REPLY__INIT;
	struct wire_get_attributes_reply got;

	(void)opcode;
	if (!has_attributes(ckr) || !wire_decode_get_attributes_reply(body, &got) ||
	    !translate_reply_template(&rpc->arena, &got.attributes, &reply.attributes,
	                              &reply.n_attributes))
		return false;
	reply.ckr = ckr;
	rpc_put(rpc, &reply.base);
	return true;
}
