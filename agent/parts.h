/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls whose data may come in parts (wire/parts.def), and what their own requests say, in one
 * shape for all of them.
 */
#ifndef AGENT_PARTS_H
#define AGENT_PARTS_H

#include "message_based.h"
#include "operation.h"

/* What the call's request says. Borrows from it. */
struct parts_request {
	uint64_t session;
	struct output_request output;
	struct message_parameter parameter; /* of a whole message that is encrypted or decrypted */
	struct wire_bytes tag;              /* or the signature */
	bool last;                          /* it ends its message; true for those that are none */
};

struct parts {
	uint16_t opcode;
	enum operation_kind kind;
	bool of_message;
	enum operation_step step;  /* unless of_message */
	bool whole;                /* of_message: all of it in one call */
	bool gives;                /* there is a result */
	bool expected;             /* the signature came with the Init */
	enum operation_kind other; /* gets what is plain as well; OPERATION_KINDS: none does */
	/* False when it is no such request, or has data of its own. */
	bool (*decode)(struct wire_bytes body, struct parts_request *request);
};

/* NULL when the data of this call never come in parts. */
const struct parts *parts_find(uint32_t opcode);

#endif
