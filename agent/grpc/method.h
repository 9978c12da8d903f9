/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The methods as rows; what the rows mean is in method.def, and how they are run in rpc.c.
 */
#ifndef GRPC_METHOD_H
#define GRPC_METHOD_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "grpc/rpc.h"

enum method_need { NEED_NOTHING, NEED_SLOT, NEED_SESSION, NEED_POOL, NEED_ALONE };

enum method_streams { STREAMS_NONE = 0, STREAMS_IN = 1, STREAMS_OUT = 2, STREAMS_BOTH = 3 };

/* Of a rule that everybody fulfils. */
#define METHOD_RULE_ANY 63u

struct method {
	const char *path, *service, *name;
	size_t path_len;
	const ProtobufCMessageDescriptor *request; /* NULL: of cratond's own making */
	struct rpc_place (*locate)(const ProtobufCMessage *request);
	enum method_need need;
	enum method_streams streams;
	unsigned int frames;
	unsigned int rule; /* number of a method, or METHOD_RULE_ANY */
	/*
	 * Sends the requests for the message in rpc->request, and may end the call itself. A
	 * client's stream comes here for each of its messages, and once with rpc->request NULL at
	 * its end.
	 */
	void (*begin)(struct rpc *rpc);
	/*
	 * One answer of the agent. False: it is a failure of the call (with `ckr`, if that is one).
	 * Answers after a failure are not shown.
	 */
	bool (*answer)(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body);
	/* All requests are answered, none failed. NULL: the call has succeeded. */
	void (*finish)(struct rpc *rpc);
	/* An answer that nobody waits for any more, a failure too (without a body). NULL: it is
	 * dropped. */
	void (*late)(struct rpc *rpc, uint16_t opcode, struct wire_bytes body);
};

extern const struct method methods[];
extern const unsigned int method_count;
/* Opens a session of the pool. */
extern const struct method method_pool;

/* NULL when there is none of this path. */
const struct method *method_find(const char *path, size_t path_len);
/* The rule's number for the name of a method of HsmService; -1: no such name. */
int method_rule(const char *name);
/* The number for the counters. */
unsigned int method_number(const struct method *method);

#endif
