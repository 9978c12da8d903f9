/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dispatch: from an opcode to its handler. A flat list of steps: decode, check the state, handle,
 * append the audit record, encode. What happens inside a step is a room of its own.
 */
#ifndef AGENT_DISPATCH_H
#define AGENT_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "call.h"

/* Above this an operation on data takes about a millisecond. */
#define DISPATCH_SLOW_LEN (256u * 1024u)

/* How long a call takes: a loop runs it; a worker does; a worker does, and it may be for seconds.
 */
enum pace { PACE_QUICK, PACE_SLOW, PACE_LONG };

/* Looks at the body; decides nothing else. */
enum pace dispatch_pace(struct call *call);
/*
 * Runs it. When call->deferred is set, nothing was done and a worker must run it again. When
 * call->commit is set, that is to be submitted, and dispatch_committed to be called with its
 * result. Otherwise call->reply is a complete frame, and audit_sequence and delay_ms say what it
 * waits for. */
void dispatch_run(struct call *call);
/* Any thread: the change has ended, and the call has run. */
void dispatch_committed(struct call *call, enum err err);
/* Replaces the reply by one that only says `err`. */
void dispatch_fail(struct call *call, enum err err);
/* May this opcode come before hello? */
bool dispatch_needs_no_hello(uint16_t opcode);

/* One handler per message: handle_sign(call, request, reply). Defined in handle_*.c. */
#define MESSAGE(opcode, name, function, limit)                                                     \
	enum err handle_##name(struct call *call, const struct wire_##name##_request *request,     \
	                       struct wire_##name##_reply *reply) MUST_CHECK;
#define REQUEST_FIELD(kind, name, text)
#define REPLY_FIELD(kind, name, text)
#define END_MESSAGE
#include "wire/message.def"
#undef MESSAGE
#undef REQUEST_FIELD
#undef REPLY_FIELD
#undef END_MESSAGE

#endif
