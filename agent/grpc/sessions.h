/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's PKCS#11 sessions as cratond knows them: which slot each is in, which call has it to
 * itself, and who waits for it. Besides those that the client opened there is a pool for calls that
 * name none.
 */
#ifndef GRPC_SESSIONS_H
#define GRPC_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SESSIONS_MAX  1024u /* of one client, cratond's own included */
#define SESSIONS_POOL 16u   /* that cratond opens in one slot for one client */

struct rpc;

struct client_session {
	struct client_session *next;
	uint64_t handle; /* 0: being opened */
	uint64_t slot;
	bool is_pool;
	bool is_closed;     /* the agent has been told; freed when its last call lets go */
	struct rpc *owner;  /* has it to itself */
	unsigned int users; /* calls that refer to it, the owner included */
	uint64_t used_ns;   /* when one last let go of it */
	struct rpc *waiting, **waiting_last; /* by `queue_next` */
};

struct sessions {
	struct client_session *first;
	unsigned int count;
	uint64_t now_ns;       /* as the loop's */
	uint64_t no_growth_ns; /* until then the pool stays as it is: the agent has refused another
	                          session */
};

/* Enters a session; NULL when there are too many or no memory. */
struct client_session *sessions_add(struct sessions *sessions, uint64_t handle, uint64_t slot,
                                    bool is_pool);
struct client_session *sessions_find(struct sessions *sessions, uint64_t handle);
/* A session of the pool for a call: a free one if it wants it alone, else any that is open. NULL:
 * none; *may_open tells whether another one may be opened. */
struct client_session *sessions_from_pool(struct sessions *sessions, uint64_t slot, bool alone,
                                          bool *may_open);
/* A session of the pool that nobody has used for this long; NULL: none. */
struct client_session *sessions_stale_pool(struct sessions *sessions, uint64_t idle_ns);
/* Does the client itself have a session in the slot? */
bool sessions_has_own(const struct sessions *sessions, uint64_t slot);
/* Has the pool, one that is being opened included? */
bool sessions_has_pool(const struct sessions *sessions, uint64_t slot);
/* The next session of the pool in the slot that nobody uses, to be closed; NULL: none. */
struct client_session *sessions_idle_pool(struct sessions *sessions, uint64_t slot);
/* The call refers to it; `alone` only when it has no owner. */
void sessions_use(struct client_session *session, struct rpc *rpc, bool alone);
/* It does not any more. The first that waits, if any, is returned, taken out of the queue. */
struct rpc *sessions_release(struct sessions *sessions, struct client_session *session,
                             struct rpc *rpc);
/* One that waits for a session which has no owner, taken out of the queue; NULL: none. That happens
 * when the one that sessions_release returned has ended instead of taking the session. */
struct rpc *sessions_orphan(struct sessions *sessions);
/* Waits for the session. */
void sessions_wait(struct client_session *session, struct rpc *rpc);
/* Is out of the list, freed now or when the last user lets go. Returns those that waited, a list by
 * `queue_next`. */
struct rpc *sessions_remove(struct sessions *sessions, struct client_session *session);
/* Waits no more. */
void sessions_forget(struct sessions *sessions, struct rpc *rpc);

#endif
