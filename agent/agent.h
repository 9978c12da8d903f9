/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The context: all state of the process hangs off one struct agent (the arena of slots.c is the
 * exception, see there). It is filled by main's init ladder and then changed only through the
 * modules it points to.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "clock.h"
#include "connection_place.h"
#include "epoch.h"
#include "post.h"
#include "sandbox.h"
#include "state.h"

struct application_list;
struct audit;
struct committer;
struct config;
struct crypto;
struct events;
struct keyring;
struct loop;
struct store;
struct token;
struct workers;

/* One PKCS#11 slot: its token and how many sessions are open on it, over all applications. */
struct agent_slot {
	struct token *token;
	atomic_uint session_count;
	atomic_uint rw_session_count;
	atomic_uint events; /* how often its token was initialised in this agent's life */
};

struct agent {
	struct config
		*_Atomic config; /* replaced by reload.h: read it once where two keys must agree */
	const char *config_path;
	uid_t front_uid; /* of [daemon].user, who may speak for remote clients; -1: no such user */
	struct retired_config *retired; /* of reload.c */
	struct state state;
	struct clock clock;
	struct epoch epoch;
	struct sandbox sandbox;
	struct crypto *crypto;
	struct post_report post;     /* of the start */
	char daemon_path[PATH_MAX];  /* "" when it is not known */
	char library_path[PATH_MAX]; /* "" when there is none */
	struct store *store;
	struct committer *committer;
	uint8_t *device_key;
	struct audit *audit;
	EVP_PKEY *audit_key;     /* signs its checkpoints; NULL: none */
	struct events *events;   /* NULL when none can be heard */
	struct keyring *keyring; /* NULL when switched off */
	struct agent_slot *slots;
	uint32_t slot_count;
	struct application_list *applications;
	struct workers *workers;
	struct loop **loops;
	unsigned int loop_count;
	_Atomic uint64_t placements[PLACEMENTS]; /* of connection_place.c */
	atomic_uint window_count;                /* of connection_window.c */
	atomic_uint next_session_handle;         /* random start, never reused soon */
	pthread_mutex_t volume_lock;             /* of volume.h */
	atomic_bool stopping;
	uint64_t started_ns; /* CLOCK_MONOTONIC */
};

/* The slot with this id, or NULL. Slot ids are 0 .. slot_count - 1. */
struct agent_slot *agent_slot(struct agent *agent, uint64_t slot_id);

#endif
