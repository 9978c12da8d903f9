/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applications and their sessions. One process is one PKCS#11 application: the sessions, the login
 * state and the session objects that its first connection began live as long as that connection;
 * further connections join by ticket.
 *
 * Locking: `lock` guards the session table, the logins and the list of connections; it is held for
 * a few instructions only, never over cryptography or disk. Each session has a lock of its own that
 * is held for the whole of a call on it. Order: session, then application, then token.
 */
#ifndef AGENT_APPLICATION_H
#define AGENT_APPLICATION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent.h"
#include "error.h"
#include "message_based.h"
#include "operation.h"
#include "operation_state.h"
#include "wire/frame.h"

#define APPLICATION_NAME_LEN 16u

enum login { LOGIN_NONE, LOGIN_USER, LOGIN_SO };

struct backup;

struct session {
	atomic_uint references;
	pthread_mutex_t lock;
	uint32_t handle;
	bool read_write;
	bool closed;                     /* under `lock`: no call may begin any more */
	struct application *application; /* not counted: the application outlives its sessions */
	struct agent_slot *slot;
	uint64_t slot_id;
	struct operation *operations[OPERATION_KINDS];
	struct message_based *messages[OPERATION_KINDS]; /* one of the two per kind */
	struct {
		uint16_t opcode;   /* of the call whose data come in parts, if some do */
		uint64_t begun_ns; /* for the metrics */
	} parts[OPERATION_KINDS];
	bool context_login[OPERATION_KINDS]; /* CKA_ALWAYS_AUTHENTICATE: the PIN was given for this
	                                        operation */
	struct backup *backup;               /* one that is under way */
	bool searching;                      /* a search is active */
	uint32_t *found;                     /* its handles, NULL when there are none */
	size_t found_count, found_at;
};

struct application {
	atomic_uint references;
	struct agent *agent;
	pthread_mutex_t lock;
	uint64_t id;
	uid_t uid;
	gid_t gid;
	pid_t pid;
	char name[APPLICATION_NAME_LEN]; /* /proc/PID/comm at connect, for status only */
	uint8_t ticket[WIRE_TICKET_LEN];
	char client[WIRE_CLIENT_MAX + 1]; /* whom it is for; written once, then `is_named` is set */
	atomic_bool is_named;
	atomic_bool closed;        /* no session opens and no call goes to a worker any more */
	struct session **sessions; /* open-addressed table, size a power of two */
	uint32_t session_capacity, session_count;
	uint32_t *slot_sessions; /* how many of them per slot */
	_Atomic uint32_t
		*handle_masks; /* per slot, another one for each login: application_handle */
	uint32_t *told_events; /* per slot: how many of agent_slot.events it knows of */
	struct operation_states saved;
	_Atomic uint8_t *logins;      /* enum login per slot */
	atomic_uint calls_on_workers; /* while it is 0, closing waits for nothing slow */
	int *connection_fds; /* registered by connections, so that closing the first can shut down
	                        the rest */
	uint32_t connection_count, connection_capacity;
	struct application *next, *previous; /* in the list */
};

struct application_list {
	pthread_mutex_t lock;
	struct application *first;
	uint32_t count;
	uint64_t next_id;
};

/* Begins an application for a peer. One reference, held by its first connection. */
enum err application_new(struct agent *agent, uid_t uid, gid_t gid, pid_t pid,
                         struct application **application) MUST_CHECK;
/* The application that was given this ticket, if uid and pid are the same; a counted reference,
 * else NULL. */
struct application *application_join(struct agent *agent, const uint8_t ticket[WIRE_TICKET_LEN],
                                     uid_t uid, pid_t pid);
struct application *application_get(struct application *application);
void application_put(struct application *application);
/* Remembers a connection's descriptor. ERROR_STATE when the application is closed. */
enum err application_attach(struct application *application, int fd) MUST_CHECK;
/* Forgets it; before the descriptor is closed. */
void application_detach(struct application *application, int fd);
/* No session opens, no connection attaches from now on; its connections are shut down. */
void application_stop(struct application *application);
/*
 * Stops it and ends it: logs out, closes every session and destroys their objects and operations.
 * Waits for calls on its sessions that run on other threads, so while some run on workers it is for
 * a worker. Once only, by the end of its first connection.
 */
void application_close(struct application *application);

/* Whom a front's application is for, or NULL. Valid as long as the application. */
const char *application_client(const struct application *application);
/* Says it, once and before its first session, else ERROR_SESSION_EXISTS. */
enum err application_name_client(struct application *application,
                                 struct wire_bytes client) MUST_CHECK;

/* Login state of this application in a slot. One atomic load. */
enum login application_login_state(const struct application *application, uint64_t slot_id);
/*
 * Enters a login, in one step against session_open: ERROR_USER_LOGGED_IN,
 * ERROR_USER_OTHER_LOGGED_IN, and for the SO ERROR_SESSION_READ_ONLY_EXISTS. application_may_log_in
 * asks the same without doing it.
 */
enum err application_log_in(struct application *application, uint64_t slot_id,
                            enum login login) MUST_CHECK;
enum err application_may_log_in(struct application *application, uint64_t slot_id,
                                enum login login) MUST_CHECK;
/*
 * Ends the login, gives it back to the token, cancels the operations of the application's sessions
 * there and drops its private session objects. False when nobody was logged in. The caller holds no
 * session's lock.
 */
bool application_log_out(struct application *application, uint64_t slot_id);

/* Opens a session (limits of [token] included). Its handle only, since another thread may close it
 * at once. */
enum err session_open(struct application *application, uint64_t slot_id, bool read_write,
                      uint32_t *handle) MUST_CHECK;
/* Finds and locks a session; to be given back by session_unlock. NULL when there is none. */
struct session *session_lock(struct application *application, uint64_t handle);
/*
 * The same without waiting: *busy is set (and NULL returned) when another thread holds the session.
 * For loops, which never wait for a slow call.
 */
struct session *session_try_lock(struct application *application, uint64_t handle, bool *busy);
/* The slot of a session; false when there is no such session. */
bool session_slot(struct application *application, uint64_t handle, uint64_t *slot_id);
void session_unlock(struct session *session);
/* For __attribute__((cleanup)). */
void session_unlockp(struct session **session);
#define session_auto __attribute__((cleanup(session_unlockp))) struct session *
/* Closes a locked session: removes it from the table, ends its operations, destroys its objects.
 * Still to be unlocked. */
void session_close(struct session *session);
/* Closes every session of the application in a slot; the application's login there ends with them.
 */
void application_close_sessions(struct application *application, uint64_t slot_id);
/* Ends the active operation, or the series of messages, of this kind in a locked session, if there
 * is one. */
void session_end_operation(struct session *session, enum operation_kind kind);
void session_end_messages(struct session *session, enum operation_kind kind);
/* Ends the search of a locked session. */
void session_end_search(struct session *session);
void session_end_backup(struct session *session);
/* Ends every active operation and search of a locked session. */
void session_cancel(struct session *session);
/*
 * What the application knows an object's handle as, and back. Handles of private objects change
 * with each of its logins, so that a logout makes them void for good (PKCS#11 v3.0 §5.6.10) though
 * another application keeps the token logged in; those of public ones are the same for all.
 */
uint32_t application_handle(const struct application *application, uint64_t slot_id,
                            uint32_t handle);
/* A slot where something happened that the application has not been told; false when there is none.
 */
bool application_next_event(struct application *application, uint64_t *slot_id);
/* Number of sessions of the application in a slot. */
void application_count_sessions(struct application *application, uint64_t slot_id, uint32_t *count,
                                uint32_t *rw_count);
/* The login of the session's application in its slot. */
enum login session_login(const struct session *session);
/* CKS_* of a session as its application is logged in now. */
uint64_t session_state(const struct session *session);

#endif
