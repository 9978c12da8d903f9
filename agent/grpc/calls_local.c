/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cratond answers itself: health, of its own kind and of gRPC's.
 */
#include <stdio.h>
#include <string.h>

#include "grpc/calls.h"
#include "grpc/client.h"
#include "grpc/watch.h"
#include "health.pb-c.h"

#define SERVICE "craton_hsm.HsmService"

static enum agent_state agent_state(const struct rpc *rpc)
{
	return atomic_load(&rpc->client->loop->front->agent_state);
}

/* None of these asks the agent. */
#define NO_ANSWER(function)                                                                        \
	bool answer_##function(struct rpc *rpc, uint16_t opcode, uint64_t ckr,                     \
	                       struct wire_bytes body)                                             \
	{                                                                                          \
		(void)rpc;                                                                         \
		(void)opcode;                                                                      \
		(void)ckr;                                                                         \
		(void)body;                                                                        \
		return false;                                                                      \
	}
NO_ANSWER(health_check)
NO_ANSWER(check)
NO_ANSWER(watch)

void begin_health_check(struct rpc *rpc)
{
	CratonHsm__HealthCheckReply reply = CRATON_HSM__HEALTH_CHECK_REPLY__INIT;
	enum agent_state state = agent_state(rpc);

	if (state == AGENT_DOWN) {
		rpc_fail(rpc, GRPC_UNAVAILABLE, "the agent does not run");
		return;
	}
	if (state == AGENT_ERROR) {
		watch_reason(rpc->client->loop->front, rpc->words, sizeof(rpc->words));
		rpc_fail(rpc, GRPC_INTERNAL, rpc->words);
		return;
	}
	reply.serving = true;
	reply.state = (char *)(uintptr_t)watch_state_name(state);
	reply.version = (char *)(uintptr_t)CRATON_VERSION;
	rpc_put(rpc, &reply.base);
	rpc_succeed(rpc);
}

/* ---- grpc.health.v1 ---- */

static void put_health(struct rpc *rpc, bool is_known)
{
	Grpc__Health__V1__HealthCheckResponse reply = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

	if (!is_known)
		reply.status =
			GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN;
	else if (agent_state(rpc) == AGENT_OPERATIONAL)
		reply.status = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
	else
		reply.status = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
	rpc_put(rpc, &reply.base);
}

static bool names_known_service(const struct rpc *rpc)
{
	const char *service = ((const Grpc__Health__V1__HealthCheckRequest *)rpc->request)->service;

	return !*service || strcmp(service, SERVICE) == 0;
}

void begin_check(struct rpc *rpc)
{
	if (!names_known_service(rpc)) {
		rpc_fail(rpc, GRPC_NOT_FOUND, "there is no such service");
		return;
	}
	put_health(rpc, true);
	rpc_succeed(rpc);
}

/* Stays open; watch_tell goes on with it. */
void begin_watch(struct rpc *rpc)
{
	put_health(rpc, names_known_service(rpc));
}

void watch_tell(struct rpc *rpc)
{
	if (rpc->method && rpc->method->begin == begin_watch && rpc->state == RPC_RUNNING &&
	    names_known_service(rpc))
		put_health(rpc, true);
}
