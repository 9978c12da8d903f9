/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Cryptoki instance: whether C_Initialize was called, and the channel to the agent. It is the
 * only mutable global of the library. Rules a user can see:
 *
 * - No agent: C_Initialize returns CKR_GENERAL_ERROR within a second (its list of results in the
 *   specification has nothing nearer; one that is there and does not answer is given five), and so
 *   it does while the agent is in its error state.
 * - The agent goes away: calls return CKR_DEVICE_REMOVED. C_OpenSession, C_GetSlotList,
 *   C_GetSlotInfo and C_GetTokenInfo connect anew, once, as a new application without login; the
 * old session handles then get CKR_SESSION_HANDLE_INVALID.
 * - fork(): the child is not initialised, and its first call closes the parent's descriptors; the
 *   parent does not notice. A page that the kernel wipes on fork tells, so that no call needs
 *   getpid().
 * - C_Finalize does not wait for calls in progress; they return CKR_CRYPTOKI_NOT_INITIALIZED.
 * - The library's file is compared with its .hmac sidecar at the first C_Initialize of the process.
 *   When they differ, every call returns CKR_GENERAL_ERROR until the library is unloaded.
 * - With CRATON_HSM_DEBUG set, failures of C_Initialize and of reconnecting are told on stderr.
 */
#ifndef LIB_INSTANCE_H
#define LIB_INSTANCE_H

#include "channel.h"

/* Marks what the library exports; the map lists the same names. */
#define EXPORT __attribute__((visibility("default")))

CK_RV instance_initialize(void);
CK_RV instance_finalize(void);
/* CKR_OK when a call may go on: initialised in this process, and the library's file is whole. */
CK_RV instance_check(void);
/* The same for a function that has no message of its own, which must not seem to work when nothing
 * else does: besides, asks the agent, and CKR_GENERAL_ERROR when it is in its error state. An agent
 * that is gone is no error here. */
CK_RV instance_check_agent(void);
/* instance_check, then a connection for this call; NULL with *rv when there is none. Release it
 * with connection_auto. */
struct connection *instance_borrow(CK_RV *rv);
/* The same for a call that neither changes nor asks what an Init depends on, so that Inits which
 * are kept (deferred.h) can go on waiting. */
struct connection *instance_borrow_plain(CK_RV *rv);
/* After CKR_DEVICE_REMOVED: true when there is a living channel again and the call is to be
 * repeated. */
bool instance_revive(void);

#endif
