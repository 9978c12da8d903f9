/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions of an application: the table, their states, their end. What happens in a session is the
 * handlers' business.
 */
#include <stdlib.h>
#include <string.h>

#include "application.h"
#include "backup.h"
#include "config.h"
#include "policy.h"
#include "token.h"

#define SESSIONS_INITIAL 8u
#define HANDLE_MASK      0x7fffffffu

/* Open addressing with linear probing; a removal re-inserts what follows, so there are no
 * tombstones. */
/* Handles follow one another, and neighbours in the table are costly to remove: so they are spread
 * (by the golden ratio). */
static uint32_t home(const struct application *application, uint32_t handle)
{
	return (uint32_t)(handle * 0x9e3779b97f4a7c15u >> 32) & (application->session_capacity - 1);
}

static void table_insert(struct application *application, struct session *session)
{
	uint32_t at = home(application, session->handle);

	while (application->sessions[at])
		at = (at + 1) & (application->session_capacity - 1);
	application->sessions[at] = session;
}

static enum err table_reserve(struct application *application)
{
	uint32_t old_capacity = application->session_capacity;
	uint32_t capacity = old_capacity ? old_capacity * 2 : SESSIONS_INITIAL;
	struct session **old = application->sessions;
	struct session **fresh;

	if ((application->session_count + 1) * 2 <= old_capacity)
		return ERROR_NONE;
	fresh = calloc(capacity, sizeof(*fresh));
	if (!fresh)
		return ERROR_MEMORY;
	application->sessions = fresh;
	application->session_capacity = capacity;
	for (uint32_t i = 0; i < old_capacity; i++) {
		if (old[i])
			table_insert(application, old[i]);
	}
	free(old);
	return ERROR_NONE;
}

static struct session *table_find(const struct application *application, uint64_t handle,
                                  uint32_t *where)
{
	if (!application->session_capacity || handle > HANDLE_MASK)
		return NULL;
	for (uint32_t at = home(application, (uint32_t)handle); application->sessions[at];
	     at = (at + 1) & (application->session_capacity - 1)) {
		if (application->sessions[at]->handle == handle) {
			*where = at;
			return application->sessions[at];
		}
	}
	return NULL;
}

static void table_remove(struct application *application, uint32_t at)
{
	uint32_t mask = application->session_capacity - 1;

	application->sessions[at] = NULL;
	application->session_count--;
	for (uint32_t next = (at + 1) & mask; application->sessions[next];
	     next = (next + 1) & mask) {
		struct session *moved = application->sessions[next];

		application->sessions[next] = NULL;
		table_insert(application, moved);
	}
}

static void session_free(struct session *session)
{
	session_cancel(session);
	pthread_mutex_destroy(&session->lock);
	free(session);
}

static void session_put(struct session *session)
{
	if (atomic_fetch_sub_explicit(&session->references, 1, memory_order_acq_rel) == 1)
		session_free(session);
}

/* Handles are never 0 and not reused until 2^31 others were given out; a stale one of a former
 * agent misses. */
static uint32_t next_handle(struct agent *agent)
{
	uint32_t handle;

	do {
		handle = atomic_fetch_add(&agent->next_session_handle, 1) & HANDLE_MASK;
	} while (!handle);
	return handle;
}

/* Takes one of a limited number; 0 is no limit. */
static bool take(atomic_uint *counter, uint64_t limit)
{
	unsigned int before = atomic_fetch_add(counter, 1);

	if (!limit || before < limit)
		return true;
	atomic_fetch_sub(counter, 1);
	return false;
}

static bool take_places(const struct config *config, struct agent_slot *slot, bool read_write)
{
	if (!take(&slot->session_count, config->token.max_sessions))
		return false;
	if (!read_write || take(&slot->rw_session_count, config->token.max_rw_sessions))
		return true;
	atomic_fetch_sub(&slot->session_count, 1);
	return false;
}

static void give_places(struct session *session)
{
	atomic_fetch_sub(&session->slot->session_count, 1);
	if (session->read_write)
		atomic_fetch_sub(&session->slot->rw_session_count, 1);
}

static struct session *session_make(struct application *application, uint64_t slot_id,
                                    bool read_write)
{
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	atomic_init(&session->references, 1);
	pthread_mutex_init(&session->lock, NULL);
	session->handle = next_handle(application->agent);
	session->read_write = read_write;
	session->application = application;
	session->slot = agent_slot(application->agent, slot_id);
	session->slot_id = slot_id;
	return session;
}

/* The application's lock makes this one step against a login of the SO and the application's end.
 */
static enum err publish(struct application *application, struct session *session)
{
	enum err err = ERROR_NONE;

	pthread_mutex_lock(&application->lock);
	if (application->closed)
		err = ERROR_STATE;
	else if (!session->read_write &&
	         application_login_state(application, session->slot_id) == LOGIN_SO)
		err = ERROR_SESSION_SO_EXISTS;
	else
		err = table_reserve(application);
	if (!err) {
		table_insert(application, session);
		application->session_count++;
		application->slot_sessions[session->slot_id]++;
	}
	pthread_mutex_unlock(&application->lock);
	return err;
}

enum err session_open(struct application *application, uint64_t slot_id, bool read_write,
                      uint32_t *handle)
{
	struct agent_slot *slot = agent_slot(application->agent, slot_id);
	struct session *session;
	enum err err;

	if (!take_places(application->agent->config, slot, read_write))
		return ERROR_SESSION_COUNT;
	session = session_make(application, slot_id, read_write);
	if (!session) {
		atomic_fetch_sub(&slot->session_count, 1);
		if (read_write)
			atomic_fetch_sub(&slot->rw_session_count, 1);
		return ERROR_MEMORY;
	}
	*handle = session->handle;
	err = publish(application, session);
	if (err) {
		give_places(session);
		session_put(session);
	}
	return err;
}

/* A counted reference, not locked. */
static struct session *session_find(struct application *application, uint64_t handle)
{
	struct session *session;
	uint32_t where;

	pthread_mutex_lock(&application->lock);
	session = table_find(application, handle, &where);
	if (session)
		atomic_fetch_add_explicit(&session->references, 1, memory_order_relaxed);
	pthread_mutex_unlock(&application->lock);
	return session;
}

/* The session if it is still open, else unlocked and NULL. */
static struct session *unless_closed(struct session *session)
{
	if (!session->closed)
		return session;
	session_unlock(session);
	return NULL;
}

struct session *session_lock(struct application *application, uint64_t handle)
{
	struct session *session = session_find(application, handle);

	if (!session)
		return NULL;
	pthread_mutex_lock(&session->lock);
	return unless_closed(session);
}

struct session *session_try_lock(struct application *application, uint64_t handle, bool *busy)
{
	struct session *session = session_find(application, handle);

	*busy = false;
	if (!session)
		return NULL;
	if (!pthread_mutex_trylock(&session->lock))
		return unless_closed(session);
	*busy = true;
	session_put(session);
	return NULL;
}

bool session_slot(struct application *application, uint64_t handle, uint64_t *slot_id)
{
	struct session *session = session_find(application, handle);

	if (!session)
		return false;
	*slot_id = session->slot_id;
	session_put(session);
	return true;
}

void session_unlock(struct session *session)
{
	pthread_mutex_unlock(&session->lock);
	session_put(session);
}

void session_unlockp(struct session **session)
{
	if (*session)
		session_unlock(*session);
}

void session_end_search(struct session *session)
{
	free(session->found);
	session->found = NULL;
	session->found_count = session->found_at = 0;
	session->searching = false;
}

void session_end_backup(struct session *session)
{
	backup_free(session->backup);
	session->backup = NULL;
}

void session_end_operation(struct session *session, enum operation_kind kind)
{
	operation_free(session->operations[kind]);
	session->operations[kind] = NULL;
}

void session_end_messages(struct session *session, enum operation_kind kind)
{
	message_based_free(session->messages[kind]);
	session->messages[kind] = NULL;
}

void session_cancel(struct session *session)
{
	for (enum operation_kind kind = 0; kind < OPERATION_KINDS; kind++) {
		session_end_operation(session, kind);
		session_end_messages(session, kind);
		session->context_login[kind] = false;
	}
	session_end_search(session);
	session_end_backup(session);
}

/* Takes it out of the table. Closing the last session in a slot logs the application out there
 * (PKCS#11 v2.40 §5.6, C_CloseSession), in the same step, lest the login of a session that is
 * opened meanwhile is meant. False when it was not in the table any more; *logged_out says that the
 * token is owed a logout. */
static bool withdraw(struct application *application, struct session *session, bool *logged_out)
{
	uint32_t where;
	bool removed;

	*logged_out = false;
	pthread_mutex_lock(&application->lock);
	removed = table_find(application, session->handle, &where) == session;
	if (removed) {
		table_remove(application, where);
		if (!--application->slot_sessions[session->slot_id])
			*logged_out = atomic_exchange(&application->logins[session->slot_id],
			                              LOGIN_NONE) != LOGIN_NONE;
	}
	pthread_mutex_unlock(&application->lock);
	return removed;
}

void session_close(struct session *session)
{
	struct application *application = session->application;
	bool logged_out;

	if (!withdraw(application, session, &logged_out))
		return;
	session->closed = true;
	session_cancel(session);
	give_places(session);
	token_drop_session_objects(session->slot->token, application, session->handle);
	if (logged_out) {
		operation_states_drop(&application->saved, session->slot_id);
		token_logout(session->slot->token);
	}
	session_put(session); /* the table's reference; the caller's lock still holds one */
}

/* Some session of the application in the slot, locked, or NULL when there is none left (*handle is
 * 0) or it has just been closed. The search goes on from *at. */
static struct session *lock_any(struct application *application, uint64_t slot_id, uint32_t *at,
                                uint32_t *handle)
{
	*handle = 0;
	pthread_mutex_lock(&application->lock);
	for (uint32_t i = 0; i < application->session_capacity && !*handle; i++) {
		uint32_t place = (*at + i) & (application->session_capacity - 1);
		struct session *session = application->sessions[place];

		if (!session || session->slot_id != slot_id)
			continue;
		*handle = session->handle;
		*at = place;
	}
	pthread_mutex_unlock(&application->lock);
	return *handle ? session_lock(application, *handle) : NULL;
}

void application_close_sessions(struct application *application, uint64_t slot_id)
{
	struct session *session;
	uint32_t handle, at = 0;

	do {
		session = lock_any(application, slot_id, &at, &handle);
		if (session) {
			session_close(session);
			session_unlock(session);
		}
	} while (handle);
}

/* Copies the handles of the application's sessions in a slot, so that they can be visited without
 * its lock. */
static uint32_t *copy_handles(struct application *application, uint64_t slot_id, uint32_t *count)
{
	uint32_t *handles;

	*count = 0;
	pthread_mutex_lock(&application->lock);
	handles = calloc(application->session_count + 1, sizeof(*handles));
	for (uint32_t i = 0; handles && i < application->session_capacity; i++) {
		if (application->sessions[i] && application->sessions[i]->slot_id == slot_id)
			handles[(*count)++] = application->sessions[i]->handle;
	}
	pthread_mutex_unlock(&application->lock);
	return handles;
}

static void cancel_sessions(struct application *application, uint64_t slot_id)
{
	uint32_t count;
	uint32_t *handles = copy_handles(application, slot_id, &count);

	for (uint32_t i = 0; handles && i < count; i++) {
		struct session *session = session_lock(application, handles[i]);

		if (!session)
			continue;
		session_cancel(session);
		session_unlock(session);
	}
	free(handles);
}

bool application_log_out(struct application *application, uint64_t slot_id)
{
	struct token *token = agent_slot(application->agent, slot_id)->token;

	if (atomic_exchange(&application->logins[slot_id], LOGIN_NONE) == LOGIN_NONE)
		return false;
	cancel_sessions(application, slot_id);
	token_drop_private_session_objects(token, application);
	operation_states_drop(&application->saved, slot_id);
	token_logout(token);
	return true;
}

/* Under the application's lock. */
static void count_sessions(const struct application *application, uint64_t slot_id, uint32_t *count,
                           uint32_t *rw_count)
{
	*count = *rw_count = 0;
	for (uint32_t i = 0; i < application->session_capacity; i++) {
		const struct session *session = application->sessions[i];

		if (!session || session->slot_id != slot_id)
			continue;
		*count += 1;
		*rw_count += session->read_write;
	}
}

void application_count_sessions(struct application *application, uint64_t slot_id, uint32_t *count,
                                uint32_t *rw_count)
{
	pthread_mutex_lock(&application->lock);
	count_sessions(application, slot_id, count, rw_count);
	pthread_mutex_unlock(&application->lock);
}

/* Under the application's lock. */
static enum err check_login(const struct application *application, uint64_t slot_id,
                            enum login login)
{
	enum login present = application_login_state(application, slot_id);
	uint32_t count, rw_count;

	if (present != LOGIN_NONE)
		return present == login ? ERROR_USER_LOGGED_IN : ERROR_USER_OTHER_LOGGED_IN;
	if (login != LOGIN_SO)
		return ERROR_NONE;
	count_sessions(application, slot_id, &count, &rw_count);
	return count == rw_count ? ERROR_NONE : ERROR_SESSION_READ_ONLY_EXISTS;
}

enum err application_may_log_in(struct application *application, uint64_t slot_id, enum login login)
{
	enum err err;

	pthread_mutex_lock(&application->lock);
	err = check_login(application, slot_id, login);
	pthread_mutex_unlock(&application->lock);
	return err;
}

enum err application_log_in(struct application *application, uint64_t slot_id, enum login login)
{
	uint32_t mask;
	enum err err = crypto_random(application->agent->crypto, (uint8_t *)&mask, sizeof(mask));

	if (err)
		return err;
	pthread_mutex_lock(&application->lock);
	err = check_login(application, slot_id, login);
	if (!err)
		atomic_store(&application->handle_masks[slot_id], mask & HANDLE_MASK);
	if (!err)
		atomic_store(&application->logins[slot_id], (uint8_t)login);
	pthread_mutex_unlock(&application->lock);
	return err;
}

enum login session_login(const struct session *session)
{
	return application_login_state(session->application, session->slot_id);
}

uint64_t session_state(const struct session *session)
{
	static const uint64_t states[3][2] = {
		[LOGIN_NONE] = {CKS_RO_PUBLIC_SESSION, CKS_RW_PUBLIC_SESSION},
		[LOGIN_USER] = {CKS_RO_USER_FUNCTIONS, CKS_RW_USER_FUNCTIONS},
		[LOGIN_SO] = {CKS_RW_SO_FUNCTIONS, CKS_RW_SO_FUNCTIONS},
	};

	return states[session_login(session)][session->read_write];
}
