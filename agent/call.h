/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request on its way: from the frame that a connection received, through dispatch and its
 * handler, to the reply that waits for its audit record. Belongs to the loop of its connection,
 * except while a worker thread runs it.
 */
#ifndef AGENT_CALL_H
#define AGENT_CALL_H

#include <liburing.h>

#include "agent.h"
#include "application.h"
#include "audit.h"
#include "completion.h"
#include "wire/codec.h"
#include "worker.h"

#define CALL_DETAIL_LEN 80u

struct connection;
struct loop;
struct token_commit;

/* Octets of a request that are in a slot of its connection's window (wire/window.h). */
struct call_part {
	uint8_t *slot; /* NULL: none */
	size_t len;
	bool given; /* the reply's octets are in the slot already, this many: */
	size_t given_len;
};

struct call {
	struct agent *agent;
	struct loop *loop;
	struct connection *connection;
	struct application *application; /* the connection's; NULL before hello */
	struct wire_frame_header header;
	struct wire_bytes
		body; /* borrowed from the receive buffer, or of body_copy for slow calls */
	struct wire_buffer body_copy; /* slow calls outlive the receive buffer */
	struct wire_buffer output;    /* what a handler produced; replies point into it */
	struct wire_buffer reply;     /* the frame to send */
	struct audit_record record;
	uint8_t key_uid[OBJECT_UID_LEN]; /* record.key_uid points here when the call used a key */
	char detail[CALL_DETAIL_LEN];    /* record.detail points here when there is one */
	bool by_ring;                    /* came through shared memory, and so does the reply */
	bool holds_ring;                 /* what came after it there waits for it */
	bool quiet;                      /* only a failure is answered */
	bool unaudited;                  /* a length query: nothing happened */
	uint16_t ends; /* the opcode of the call that this frame, its last, ends; or 0 */
	struct call_part part;
	struct wire_buffer part_copy; /* the part's octets, where only we can change them */
	bool by_slot; /* the reply's last field is not in `reply` yet: it is part.given, or `output`
	               */
	bool on_worker;              /* may wait for a session's lock */
	struct token_commit *commit; /* a change that must be durable before the answer */
	bool committed;              /* it has ended, well or not */
	bool deferred;           /* the session is busy: run again on a worker; nothing was done */
	uint64_t audit_sequence; /* hold the reply until this is written; 0: no need */
	uint64_t begun_ns;       /* when its turn came; 0: dispatch looks itself */
	uint64_t ended_ns;       /* when it had been carried out */
	unsigned int delay_ms;   /* hold the reply this long besides (wrong PIN) */
	struct __kernel_timespec delay;
	struct completion timer; /* of delay_ms */
	struct job job;          /* when a worker runs it */
	struct call *next;       /* in the loop's or a worker's list */
};

#endif
