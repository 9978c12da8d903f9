/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the handlers (handle_*.c) share: finding the session and the key a request names, noting
 * them for the audit record, and publishing new objects.
 */
#ifndef AGENT_HANDLE_H
#define AGENT_HANDLE_H

#include <jansson.h>

#include "application.h"
#include "call.h"
#include "dispatch.h"
#include "policy.h"
#include "template.h"
#include "token.h"

/*
 * The session, locked; NULL with *err set when there is none, or when it is busy and the call has
 * been marked to run again on a worker. Notes the handle for the audit record.
 */
struct session *handle_session(struct call *call, uint64_t handle, enum err *err);
/* May this peer do what is for operators: root, and the agent's own user? Asked before anything
 * else is looked at. ERROR_DENIED. */
enum err handle_operator(const struct call *call) MUST_CHECK;
/* The slot with a token present; else NULL and *err. */
struct agent_slot *handle_present_slot(struct call *call, uint64_t slot_id, enum err *err);
/* Is the token of this slot present (initialised, or [token].present_uninitialized)? */
bool handle_token_present(struct call *call, struct agent_slot *slot);
/* An object that the session sees, or NULL. Counted. */
struct object *handle_object(struct session *session, uint64_t handle);
/* May such a key come to life? Not in FIPS mode when it has no approved use; notes that it has
 * none. ERROR_CURVE, ERROR_ATTRIBUTE_VALUE. */
enum err handle_approve(struct call *call, const struct attributes *set) MUST_CHECK;
/* Notes the key for the audit record, after the mechanism. */
void handle_note_key(struct call *call, const struct object *key);
/* Notes the mechanism and whether it is approved. */
void handle_note_mechanism(struct call *call, uint64_t type, const struct mechanism *mechanism);
/* The row of an offered mechanism that has all of `functions`, or NULL. Notes it. */
const struct mechanism *handle_mechanism(struct call *call, const struct wire_mechanism *mechanism,
                                         uint64_t functions);
/* The key of this handle, noted, if it may be used so (policy.h); `missing` when there is none.
 * Counted. */
enum err handle_usable_key(struct call *call, struct session *session, uint64_t handle,
                           enum policy_use use, const struct mechanism *mechanism, enum err missing,
                           struct object **key) MUST_CHECK;
/*
 * What every Init asks: nothing of this kind is active in the session, the mechanism is offered for
 * it and fits (NULL: any does), the key may be used. The key is counted, and NULL for digests.
 */
enum err handle_prepare(struct call *call, struct session *session, enum operation_kind kind,
                        const struct wire_mechanism *parameter, uint64_t key_handle,
                        bool (*fits)(const struct mechanism *, enum operation_kind),
                        const struct mechanism **mechanism, struct object **key) MUST_CHECK;
/*
 * What every later step asks: may the key (NULL: none) be used now? Notes both. What is slow comes
 * again on a worker: then the call is deferred and the error is to be passed on.
 */
enum err handle_step(struct call *call, const struct session *session, enum operation_kind kind,
                     const struct mechanism *mechanism, const struct object *key) MUST_CHECK;
/* The same for the operation of this kind, which there is. */
enum err handle_check_operation(struct call *call, struct session *session,
                                enum operation_kind kind) MUST_CHECK;
/* The same where there may be none, or one that waits for a part of another call. */
enum err handle_check_active(struct call *call, struct session *session,
                             enum operation_kind kind) MUST_CHECK;
/* The session, locked, when it has such an operation that can go on; NULL or *err set when not. */
struct session *handle_active(struct call *call, enum operation_kind kind, uint64_t handle,
                              enum err *err);
/* The session, locked, and its series of messages of this kind, which can go on; NULL and *err when
 * not, and *session NULL when there is none. */
struct message_based *handle_series(struct call *call, enum operation_kind kind, uint64_t handle,
                                    struct session **session, enum err *err);
/* May the key of the series be used now? As handle_check_operation. */
enum err handle_check_series(struct call *call, struct session *session,
                             enum operation_kind kind) MUST_CHECK;
/* May the session make an object with these attributes? */
enum err handle_may_write(const struct session *session, const struct attributes *set) MUST_CHECK;
/* Makes objects of complete sets (emptied), owned by the session when they are session objects, and
 * publishes all or none; token objects by call->commit. The handler's last step. */
enum err handle_publish(struct call *call, struct session *session, struct attributes *const *sets,
                        size_t count, uint64_t *handles) MUST_CHECK;
/* Puts a report, which is given up, into the call's output. */
enum err handle_put_json(struct call *call, json_t *report, struct wire_bytes *reply) MUST_CHECK;
/* The context for template_build of a key or object made in this session. */
struct template_context handle_template_context(const struct session *session,
                                                enum template_origin origin);

#endif
