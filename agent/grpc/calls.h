/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the methods do: begin_X sends their requests to the agent, answer_X takes its answers. The
 * meaning of both, and of finish and late, is in method.h.
 */
#ifndef GRPC_CALLS_H
#define GRPC_CALLS_H

#include "grpc/method.h"
#include "grpc/translate.h"

#define METHOD(service, name, function, request, need, frames, streams, rule, finished, lost)      \
	void begin_##function(struct rpc *rpc);                                                    \
	bool answer_##function(struct rpc *rpc, uint16_t opcode, uint64_t ckr,                     \
	                       struct wire_bytes body);
#include "grpc/method.def"

void begin_pool(struct rpc *rpc);
bool answer_pool(struct rpc *rpc, uint16_t opcode, uint64_t ckr, struct wire_bytes body);

/* The answer to a verification; false when this return value is none. */
bool put_verdict(struct rpc *rpc, uint64_t ckr);

void finish_random_stream(struct rpc *rpc);
void finish_stream(struct rpc *rpc);
void late_close_session(struct rpc *rpc, uint16_t opcode, struct wire_bytes body);
void late_open_session(struct rpc *rpc, uint16_t opcode, struct wire_bytes body);

#endif
