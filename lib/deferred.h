/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C_*Init calls that are answered without asking the agent. When the same Init has succeeded before
 * on this session, nothing can have changed since, and no operation of its kind is active, its
 * answer is known to be CKR_OK; then it is kept here and sent in front of the C_Sign, C_Encrypt ...
 * that follows, so that both cost one crossing. The agent carries out both, with all its checks, as
 * if they had come one by one.
 *
 * That nothing has changed is known by two numbers: one that the agent shows every client in shared
 * memory and raises with each change that could make an Init fail (wire/epoch.h), and one of this
 * application's own, which every call raises that is not known to change nothing.
 *
 * Any other call first sends what is kept (deferred_flush), so that no order is ever different from
 * the caller's.
 */
#ifndef LIB_DEFERRED_H
#define LIB_DEFERRED_H

#include "channel.h"

enum deferred_kind {
	DEFERRED_ENCRYPT,
	DEFERRED_DECRYPT,
	DEFERRED_DIGEST,
	DEFERRED_SIGN,
	DEFERRED_VERIFY,
	DEFERRED_KINDS,
};

struct deferred;

/* The two numbers. */
struct deferred_moment {
	uint64_t epoch, changes;
};

/* False when the agent shows none: nobody knows what has changed. */
bool deferred_now(const struct connection *connection, struct deferred_moment *now);

/* NULL without memory: then nothing is ever kept. */
struct deferred *deferred_new(void);
/* NULL is allowed. */
void deferred_free(struct deferred *deferred);

/* C_*Init: keeps it and returns CKR_OK, or sends it and returns the agent's answer. `request` is
 * the message's request structure, which begins with the session and the mechanism. */
CK_RV deferred_init(struct connection *connection, enum deferred_kind kind,
                    const struct exchange_message *message, const void *request,
                    CK_SESSION_HANDLE session);
/* C_Sign and its kin: what is kept for this operation will go ahead of the connection's next
 * request. CKR_OK, or why an Init that was sent meanwhile failed after all. */
CK_RV deferred_prepare(struct connection *connection, enum deferred_kind kind,
                       CK_SESSION_HANDLE session);
/* For a call that goes on with an operation: why its Init, which was kept and sent meanwhile,
 * failed after all; CKR_OK when it did not. DEFERRED_KINDS is no kind, and never fails. */
CK_RV deferred_failure(struct connection *connection, enum deferred_kind kind,
                       CK_SESSION_HANDLE session);
/* The operation has ended, and none of this kind is active on the session. */
void deferred_ended(struct connection *connection, enum deferred_kind kind,
                    CK_SESSION_HANDLE session);
/* Sends everything that is kept. */
void deferred_flush(struct connection *connection);
/* From now on no Init is known to succeed. */
void deferred_changed(struct connection *connection);

#endif
