/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list: a client has few sessions. What is said to the agent about them is session_calls.c's and
 * rpc.c's business.
 */
#include "grpc/sessions.h"

#include <stdlib.h>

#include "grpc/rpc.h"

struct client_session *sessions_add(struct sessions *sessions, uint64_t handle, uint64_t slot,
                                    bool is_pool)
{
	struct client_session *session =
		sessions->count < SESSIONS_MAX ? calloc(1, sizeof(*session)) : NULL;

	if (!session)
		return NULL;
	session->handle = handle;
	session->slot = slot;
	session->is_pool = is_pool;
	session->waiting_last = &session->waiting;
	session->next = sessions->first;
	sessions->first = session;
	sessions->count++;
	return session;
}

struct client_session *sessions_find(struct sessions *sessions, uint64_t handle)
{
	for (struct client_session *each = sessions->first; handle && each; each = each->next)
		if (each->handle == handle && !each->is_pool)
			return each;
	return NULL;
}

struct client_session *sessions_from_pool(struct sessions *sessions, uint64_t slot, bool alone,
                                          bool *may_open)
{
	struct client_session *found = NULL;
	unsigned int count = 0;

	for (struct client_session *each = sessions->first; each; each = each->next) {
		if (!each->is_pool || each->slot != slot)
			continue;
		count++;
		if (each->handle && (!alone || !each->owner))
			found = each;
	}
	*may_open = count < (alone ? SESSIONS_POOL : 1) && sessions->count < SESSIONS_MAX &&
	            (!count || sessions->now_ns >= sessions->no_growth_ns);
	return found;
}

static bool has_any(const struct sessions *sessions, uint64_t slot, bool is_pool)
{
	for (const struct client_session *each = sessions->first; each; each = each->next)
		if (each->is_pool == is_pool && each->slot == slot)
			return true;
	return false;
}

bool sessions_has_own(const struct sessions *sessions, uint64_t slot)
{
	return has_any(sessions, slot, false);
}

bool sessions_has_pool(const struct sessions *sessions, uint64_t slot)
{
	return has_any(sessions, slot, true);
}

struct client_session *sessions_idle_pool(struct sessions *sessions, uint64_t slot)
{
	for (struct client_session *each = sessions->first; each; each = each->next)
		if (each->is_pool && each->slot == slot && each->handle && !each->users)
			return each;
	return NULL;
}

struct client_session *sessions_stale_pool(struct sessions *sessions, uint64_t idle_ns)
{
	for (struct client_session *each = sessions->first; each; each = each->next)
		if (each->is_pool && each->handle && !each->users &&
		    sessions->now_ns - each->used_ns > idle_ns)
			return each;
	return NULL;
}

void sessions_use(struct client_session *session, struct rpc *rpc, bool alone)
{
	session->users++;
	if (alone)
		session->owner = rpc;
}

static void free_if_done(struct client_session *session)
{
	if (session->is_closed && !session->users)
		free(session);
}

static struct rpc *take_first(struct client_session *session)
{
	struct rpc *first = session->waiting;

	if (!first)
		return NULL;
	session->waiting = first->queue_next;
	if (!session->waiting)
		session->waiting_last = &session->waiting;
	first->queue_next = NULL;
	return first;
}

struct rpc *sessions_release(struct sessions *sessions, struct client_session *session,
                             struct rpc *rpc)
{
	struct rpc *next = NULL;

	session->users--;
	session->used_ns = sessions->now_ns;
	if (session->owner == rpc) {
		session->owner = NULL;
		next = take_first(session);
	}
	free_if_done(session);
	return next;
}

struct rpc *sessions_orphan(struct sessions *sessions)
{
	for (struct client_session *each = sessions->first; each; each = each->next)
		if (!each->owner && each->waiting)
			return take_first(each);
	return NULL;
}

void sessions_wait(struct client_session *session, struct rpc *rpc)
{
	rpc->queue_next = NULL;
	*session->waiting_last = rpc;
	session->waiting_last = &rpc->queue_next;
}

struct rpc *sessions_remove(struct sessions *sessions, struct client_session *session)
{
	struct client_session **place = &sessions->first;
	struct rpc *waiting = session->waiting;

	while (*place && *place != session)
		place = &(*place)->next;
	if (*place) {
		*place = session->next;
		sessions->count--;
	}
	session->waiting = NULL;
	session->waiting_last = &session->waiting;
	session->is_closed = true;
	free_if_done(session);
	return waiting;
}

static bool forget_in(struct client_session *session, struct rpc *rpc)
{
	for (struct rpc **place = &session->waiting; *place; place = &(*place)->queue_next) {
		if (*place != rpc)
			continue;
		*place = rpc->queue_next;
		if (!*place)
			session->waiting_last = place;
		return true;
	}
	return false;
}

void sessions_forget(struct sessions *sessions, struct rpc *rpc)
{
	for (struct client_session *each = sessions->first; each; each = each->next)
		if (forget_in(each, rpc))
			return;
}
