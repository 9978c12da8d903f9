/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishing by libkeyutils. Keys cannot be changed by anybody, us included: a key that is out of
 * date is displaced by a new one of the same description. Only the keyring can be written to, by
 * our user. What the keys say is decided in the first part of this file, how they get into the
 * kernel in the second.
 */
#include "keyring.h"

#include <errno.h>
#include <jansson.h>
#include <keyutils.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "completion.h"
#include "config.h"
#include "log.h"
#include "slots.h"
#include "store.h"
#include "token_json.h"
#include "worker.h"

#define DESCRIPTION_LEN 96u
#define EXPIRES_SECONDS 150u /* two renewals and a half */

/* SEARCH is also the right to invalidate, so the group has it not. */
#define KEY_PERMISSIONS                                                                            \
	(KEY_POS_VIEW | KEY_POS_READ | KEY_POS_SEARCH | KEY_USR_VIEW | KEY_USR_READ |              \
	 KEY_USR_SEARCH | KEY_GRP_VIEW | KEY_GRP_READ)
/* SETATTR renews its expiry. A possessor may be a session that inherited it: it only looks. */
#define RING_PERMISSIONS (KEY_PERMISSIONS | KEY_USR_WRITE | KEY_USR_SETATTR)

/* One published key. */
struct entry {
	key_serial_t serial; /* 0: not in the kernel */
	char description[DESCRIPTION_LEN];
	char *payload;
};

struct keyring {
	struct agent *agent;
	char *name;
	pthread_mutex_t lock; /* guards what follows; held over system calls, by workers only */
	key_serial_t ring;
	struct entry *entries; /* one per slot, and the arena's */
	uint32_t entry_count;
	bool failing;       /* a warning has been logged */
	atomic_bool stale;  /* somebody has said so since the last time */
	atomic_bool queued; /* `job` is the workers' */
	struct job job;
};

/* ---- what the keys say ---- */

static const char *pin_state(bool set, bool locked)
{
	return locked ? "locked" : set ? "set" : "not set";
}

static json_t *token_metadata(struct keyring *keyring, uint64_t slot_id,
                              const struct token_info *info)
{
	uint64_t objects;

	if (!info->initialized)
		return json_pack("{s:I, s:s}", "slot", (json_int_t)slot_id, "state",
		                 "uninitialized");
	if (store_count_objects(keyring->agent->store, slot_id, &objects))
		return NULL;
	return json_pack(
		"{s:I, s:s, s:o, s:o, s:I, s:s, s:s}", "slot", (json_int_t)slot_id, "state",
		"initialized", "label", token_text_json(info->label, sizeof(info->label)), "serial",
		token_text_json(info->serial, sizeof(info->serial)), "objects", (json_int_t)objects,
		"user_pin", pin_state(info->user_pin_set, info->pin_flags & CKF_USER_PIN_LOCKED),
		"so_pin", pin_state(true, info->pin_flags & CKF_SO_PIN_LOCKED));
}

static json_t *arena_metadata(const struct slots_statistics *memory)
{
	return json_pack("{s:s, s:I, s:I}", "arena", slots_backend_name(memory->backend),
	                 "locked_bytes", (json_int_t)memory->locked_len, "unlocked_bytes",
	                 (json_int_t)memory->unlocked_len);
}

/* One line for a terminal, so the label's other octets are not shown. */
static void describe_token(char *description, uint64_t slot_id, const struct token_info *info)
{
	int len = (int)token_text_len(info->label, sizeof(info->label));

	if (!info->initialized)
		snprintf(description, DESCRIPTION_LEN, "craton-hsm: slot %llu, not initialized",
		         (unsigned long long)slot_id);
	else
		snprintf(description, DESCRIPTION_LEN, "craton-hsm: slot %llu, %.*s",
		         (unsigned long long)slot_id, len, (const char *)info->label);
	for (char *at = description; *at; at++) {
		if (*at < ' ' || *at > '~')
			*at = '?';
	}
}

/* What entry `index` has to say now; printable ASCII. The payload is the caller's; NULL: no memory,
 * or the store cannot be read. */
static char *compose(struct keyring *keyring, uint32_t index, char *description)
{
	struct slots_statistics memory;
	struct token_info info;
	json_t *metadata;
	char *payload;

	if (index < keyring->agent->slot_count) {
		token_info(keyring->agent->slots[index].token, &info);
		describe_token(description, index, &info);
		metadata = token_metadata(keyring, index, &info);
	} else {
		slots_statistics(&memory);
		snprintf(description, DESCRIPTION_LEN, "craton-hsm: arena, %s",
		         slots_backend_name(memory.backend));
		metadata = arena_metadata(&memory);
	}
	payload = metadata ? json_dumps(metadata, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	json_decref(metadata);
	return payload;
}

/* ---- keys (under the lock) ---- */

static void forget_entries(struct keyring *keyring)
{
	for (uint32_t i = 0; i < keyring->entry_count; i++) {
		free(keyring->entries[i].payload);
		keyring->entries[i] = (struct entry){0};
	}
}

static uint32_t count_entries(const struct keyring *keyring)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < keyring->entry_count; i++)
		count += keyring->entries[i].serial != 0;
	return count;
}

/* The keyring is linked where it was, and holds as many keys as we put there. */
static bool ring_is_whole(struct keyring *keyring)
{
	return keyring->ring &&
	       keyctl_search(KEY_SPEC_USER_KEYRING, "keyring", keyring->name, 0) == keyring->ring &&
	       keyctl_read(keyring->ring, NULL, 0) ==
	               (long)(count_entries(keyring) * sizeof(key_serial_t));
}

/*
 * Links what was just made in our thread's keyring, where nobody else sees it, into another one;
 * then it is locked. Its serial, or 0 with errno.
 */
static key_serial_t place(key_serial_t serial, key_serial_t destination, key_perm_t permissions)
{
	bool done;
	int error;

	if (serial == -1)
		return 0;
	done = !keyctl_link(serial, destination) && !keyctl_setperm(serial, permissions);
	error = errno;
	if (keyctl_unlink(serial, KEY_SPEC_THREAD_KEYRING) && done)
		return 0;
	errno = error;
	return done ? serial : 0;
}

/* A fresh one displaces what has this name: ours that was damaged, or that of an agent that was
 * killed. False with errno. */
static bool make_ring(struct keyring *keyring)
{
	forget_entries(keyring);
	keyring->ring = place(add_key("keyring", keyring->name, NULL, 0, KEY_SPEC_THREAD_KEYRING),
	                      KEY_SPEC_USER_KEYRING, RING_PERMISSIONS);
	return keyring->ring != 0;
}

static key_serial_t put_key(struct keyring *keyring, const char *description, const char *payload)
{
	return place(
		add_key("user", description, payload, strlen(payload), KEY_SPEC_THREAD_KEYRING),
		keyring->ring, KEY_PERMISSIONS);
}

/* Under another description the key would not be displaced. That it is gone is as good. */
static void remove_renamed(struct keyring *keyring, const struct entry *entry,
                           const char *description)
{
	if (entry->serial && strcmp(entry->description, description))
		keyctl_unlink(entry->serial, keyring->ring);
}

/* False with errno. */
static bool update_entry(struct keyring *keyring, uint32_t index)
{
	struct entry *entry = &keyring->entries[index];
	char description[DESCRIPTION_LEN];
	char *payload = compose(keyring, index, description);
	key_serial_t serial;

	if (!payload) {
		errno = ENOMEM;
		return false;
	}
	if (entry->serial && !strcmp(entry->description, description) &&
	    !strcmp(entry->payload, payload)) {
		free(payload);
		return true;
	}
	serial = put_key(keyring, description, payload);
	if (!serial) {
		free(payload);
		return false;
	}
	remove_renamed(keyring, entry, description);
	free(entry->payload);
	entry->serial = serial;
	entry->payload = payload;
	memcpy(entry->description, description, sizeof(description));
	return true;
}

/* Everything as it is now. False with errno; then some keys may lack. */
static bool update(struct keyring *keyring)
{
	bool done = ring_is_whole(keyring) || make_ring(keyring);

	for (uint32_t i = 0; done && i < keyring->entry_count; i++)
		done = update_entry(keyring, i);
	return done && !keyctl_set_timeout(keyring->ring, EXPIRES_SECONDS);
}

static enum err update_and_say(struct keyring *keyring)
{
	bool done = update(keyring);
	int error = errno;

	if (done) {
		keyring->failing = false;
		return ERROR_NONE;
	}
	if (!keyring->failing)
		log_warning("keyring: %s; keyctl will not show all tokens%s", strerror(error),
		            error == EDQUOT ? " (sysctl kernel.keys.maxkeys, maxbytes)" : "");
	keyring->failing = true;
	return ERROR_KEYRING;
}

/* ---- the interface ---- */

static void run_job(struct job *job)
{
	struct keyring *keyring = container_of(job, struct keyring, job);

	/* First: what changes from here on is for the next time. */
	atomic_store(&keyring->queued, false);
	atomic_store(&keyring->stale, false);
	pthread_mutex_lock(&keyring->lock);
	/* The failure is logged, and the renewal tries again. */
	update_and_say(keyring);
	pthread_mutex_unlock(&keyring->lock);
}

bool keyring_touch(struct keyring *keyring)
{
	return keyring && !atomic_load_explicit(&keyring->stale, memory_order_relaxed) &&
	       !atomic_exchange(&keyring->stale, true);
}

void keyring_post(struct keyring *keyring, struct workers *workers)
{
	if (!keyring || atomic_exchange(&keyring->queued, true))
		return;
	keyring->job.run = run_job;
	workers_add(workers, &keyring->job);
}

enum err keyring_publish(struct keyring *keyring, uint32_t *serial, uint32_t *count)
{
	enum err err;

	if (!keyring)
		return ERROR_NOT_SUPPORTED;
	pthread_mutex_lock(&keyring->lock);
	if (keyring->ring)
		keyctl_clear(keyring->ring);
	forget_entries(keyring);
	err = update_and_say(keyring);
	*serial = (uint32_t)keyring->ring;
	*count = count_entries(keyring);
	pthread_mutex_unlock(&keyring->lock);
	return err;
}

static void keyring_free(struct keyring *keyring)
{
	if (keyring->entries)
		forget_entries(keyring);
	free(keyring->entries);
	free(keyring->name);
	pthread_mutex_destroy(&keyring->lock);
	free(keyring);
}

static struct keyring *keyring_new(struct agent *agent)
{
	struct keyring *keyring = calloc(1, sizeof(*keyring));

	if (!keyring)
		return NULL;
	pthread_mutex_init(&keyring->lock, NULL);
	keyring->agent = agent;
	keyring->entry_count = agent->slot_count + 1;
	keyring->entries = calloc(keyring->entry_count, sizeof(*keyring->entries));
	/* A name with a leading dot, like the module's, is the kernel's alone. */
	if (asprintf(&keyring->name, "craton_hsm:%s", agent->config->agent.socket) < 0)
		keyring->name = NULL;
	if (keyring->entries && keyring->name)
		return keyring;
	keyring_free(keyring);
	return NULL;
}

void keyring_open(struct keyring **out, struct agent *agent)
{
	*out = agent->config->agent.publish_keyring ? keyring_new(agent) : NULL;
	if (*out)
		run_job(&(*out)->job);
	else if (agent->config->agent.publish_keyring)
		log_warning("keyring: out of memory: keyctl will not show the tokens");
}

void keyring_close(struct keyring *keyring)
{
	if (!keyring)
		return;
	/* By number, not by name: another agent may have displaced it. */
	if (keyring->ring) {
		keyctl_clear(keyring->ring);
		keyctl_unlink(keyring->ring, KEY_SPEC_USER_KEYRING);
	}
	keyring_free(keyring);
}
