/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applications: birth, joining by ticket, login states, death. Their sessions are in session.c.
 */
#include "application.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config.h"
#include "crypto.h"
#include "token.h"

#define CONNECTIONS_INITIAL 4u

static void read_name(struct application *application)
{
	char path[40];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)application->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	got = read(fd, application->name, sizeof(application->name) - 1);
	close(fd);
	if (got > 0 && application->name[got - 1] == '\n')
		application->name[got - 1] = '\0';
}

static void application_free(struct application *application)
{
	pthread_mutex_destroy(&application->lock);
	wire_wipe(application->ticket, sizeof(application->ticket));
	free((void *)application->logins);
	free(application->slot_sessions);
	free(application->told_events);
	free((void *)application->handle_masks);
	operation_states_destroy(&application->saved);
	free(application->connection_fds);
	free(application->sessions);
	free(application);
}

static void list_insert(struct application_list *list, struct application *application)
{
	pthread_mutex_lock(&list->lock);
	application->id = ++list->next_id;
	application->next = list->first;
	if (list->first)
		list->first->previous = application;
	list->first = application;
	list->count++;
	pthread_mutex_unlock(&list->lock);
}

static void list_remove(struct application_list *list, struct application *application)
{
	pthread_mutex_lock(&list->lock);
	if (application->previous)
		application->previous->next = application->next;
	else
		list->first = application->next;
	if (application->next)
		application->next->previous = application->previous;
	list->count--;
	pthread_mutex_unlock(&list->lock);
}

enum err application_new(struct agent *agent, uid_t uid, gid_t gid, pid_t pid,
                         struct application **out)
{
	struct application *application = calloc(1, sizeof(*application));
	enum err err;

	if (!application)
		return ERROR_MEMORY;
	atomic_init(&application->references, 1);
	pthread_mutex_init(&application->lock, NULL);
	operation_states_init(&application->saved);
	application->agent = agent;
	application->uid = uid;
	application->gid = gid;
	application->pid = pid;
	application->logins = calloc(agent->slot_count, sizeof(*application->logins));
	application->slot_sessions = calloc(agent->slot_count, sizeof(*application->slot_sessions));
	application->handle_masks = calloc(agent->slot_count, sizeof(*application->handle_masks));
	application->told_events = calloc(agent->slot_count, sizeof(*application->told_events));
	err = application->logins && application->slot_sessions && application->told_events &&
	                      application->handle_masks
	              ? crypto_random(agent->crypto, application->ticket, WIRE_TICKET_LEN)
	              : ERROR_MEMORY;
	if (err) {
		application_free(application);
		return err;
	}
	for (uint32_t i = 0; i < agent->slot_count; i++)
		application->told_events[i] = atomic_load(&agent->slots[i].events);
	read_name(application);
	list_insert(agent->applications, application);
	*out = application;
	return ERROR_NONE;
}

const char *application_client(const struct application *application)
{
	return atomic_load(&application->is_named) ? application->client : NULL;
}

enum err application_name_client(struct application *application, struct wire_bytes client)
{
	enum err err = ERROR_SESSION_EXISTS;

	pthread_mutex_lock(&application->lock);
	if (!atomic_load(&application->is_named) && !application->session_count) {
		memcpy(application->client, client.data, client.len);
		application->client[client.len] = '\0';
		atomic_store(&application->is_named, true);
		err = ERROR_NONE;
	}
	pthread_mutex_unlock(&application->lock);
	return err;
}

static bool ticket_fits(const struct application *application, const uint8_t *ticket, uid_t uid,
                        pid_t pid)
{
	struct wire_bytes ours = {application->ticket, WIRE_TICKET_LEN};
	struct wire_bytes theirs = {ticket, WIRE_TICKET_LEN};

	return application->uid == uid && application->pid == pid &&
	       wire_secret_equal(ours, theirs);
}

struct application *application_join(struct agent *agent, const uint8_t ticket[WIRE_TICKET_LEN],
                                     uid_t uid, pid_t pid)
{
	struct application_list *list = agent->applications;
	struct application *found = NULL;

	pthread_mutex_lock(&list->lock);
	for (struct application *each = list->first; each && !found; each = each->next) {
		if (ticket_fits(each, ticket, uid, pid))
			found = application_get(each);
	}
	pthread_mutex_unlock(&list->lock);
	return found;
}

struct application *application_get(struct application *application)
{
	atomic_fetch_add_explicit(&application->references, 1, memory_order_relaxed);
	return application;
}

void application_put(struct application *application)
{
	if (application &&
	    atomic_fetch_sub_explicit(&application->references, 1, memory_order_acq_rel) == 1)
		application_free(application);
}

static enum err reserve_connection(struct application *application)
{
	uint32_t wanted = application->connection_capacity * 2;
	int *grown;

	if (application->connection_count < application->connection_capacity)
		return ERROR_NONE;
	if (!wanted)
		wanted = CONNECTIONS_INITIAL;
	grown = reallocarray(application->connection_fds, wanted, sizeof(*grown));
	if (!grown)
		return ERROR_MEMORY;
	application->connection_fds = grown;
	application->connection_capacity = wanted;
	return ERROR_NONE;
}

enum err application_attach(struct application *application, int fd)
{
	enum err err = ERROR_STATE;

	pthread_mutex_lock(&application->lock);
	if (!application->closed)
		err = reserve_connection(application);
	if (!err)
		application->connection_fds[application->connection_count++] = fd;
	pthread_mutex_unlock(&application->lock);
	return err;
}

void application_detach(struct application *application, int fd)
{
	pthread_mutex_lock(&application->lock);
	for (uint32_t i = 0; i < application->connection_count; i++) {
		if (application->connection_fds[i] != fd)
			continue;
		application->connection_fds[i] =
			application->connection_fds[--application->connection_count];
		break;
	}
	pthread_mutex_unlock(&application->lock);
}

void application_stop(struct application *application)
{
	pthread_mutex_lock(&application->lock);
	atomic_store(&application->closed, true);
	for (uint32_t i = 0; i < application->connection_count; i++)
		shutdown(application->connection_fds[i], SHUT_RDWR);
	pthread_mutex_unlock(&application->lock);
}

static void leave_slot(struct application *application, uint64_t slot_id)
{
	struct agent_slot *slot = agent_slot(application->agent, slot_id);

	application_close_sessions(application, slot_id);
	token_drop_session_objects(slot->token, application, 0);
}

void application_close(struct application *application)
{
	struct agent *agent = application->agent;

	application_stop(application);
	for (uint32_t i = 0; i < agent->slot_count; i++)
		leave_slot(application, i);
	list_remove(agent->applications, application);
}

enum login application_login_state(const struct application *application, uint64_t slot_id)
{
	return atomic_load_explicit(&application->logins[slot_id], memory_order_acquire);
}

bool application_next_event(struct application *application, uint64_t *slot_id)
{
	struct agent *agent = application->agent;
	bool found = false;

	pthread_mutex_lock(&application->lock);
	for (uint32_t i = 0; i < agent->slot_count && !found; i++) {
		uint32_t events = atomic_load(&agent->slots[i].events);

		found = application->told_events[i] != events;
		application->told_events[i] = events;
		*slot_id = found ? i : 0;
	}
	pthread_mutex_unlock(&application->lock);
	return found;
}

uint32_t application_handle(const struct application *application, uint64_t slot_id,
                            uint32_t handle)
{
	if (!(handle & OBJECT_HANDLE_PRIVATE))
		return handle;
	return handle ^ atomic_load(&application->handle_masks[slot_id]);
}
