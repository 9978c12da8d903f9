/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C_Initialize's and C_Finalize's state, the detection of fork, and the library's check of its own
 * file. What goes over the channel is not known here.
 *
 * The lock lives in the page that the kernel wipes on fork: a child finds it free, whoever held it
 * in the parent, and finds `alive` false. The channel pointer lives outside, so that the child can
 * close what it inherited. A descriptor that another thread of the parent was just opening or
 * closing at the moment of the fork can escape it; it is close-on-exec like all of them.
 */
#include "instance.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "deferred.h"
#include "request.h"
#include "wire/integrity.h"

/* The largest page of each architecture: alignment must be known to the compiler. */
#if defined(__x86_64__) || defined(__i386__)
#define PAGE_LEN 4096
#else
#define PAGE_LEN 65536
#endif

/* Part of the library's own data, not a mapping of its own, so that it is gone with dlclose and not
 * before, and a thread that still calls while the process exits finds it. */
static union {
	struct {
		pthread_mutex_t lock; /* all zero is PTHREAD_MUTEX_INITIALIZER */
		bool alive;           /* under `lock`: `instance.channel` is this process's */
	};
	char whole[PAGE_LEN];
} page __attribute__((aligned(PAGE_LEN)));

enum integrity_state { INTEGRITY_UNKNOWN, INTEGRITY_GOOD, INTEGRITY_BAD };

/* Under page.lock. */
static struct {
	struct channel *channel;
	enum integrity_state integrity;
	bool fork_is_seen;
	char path[PATH_MAX]; /* of this library; empty when unknown */
} instance;

static void tell(const char *what, const char *why)
{
	if (secure_getenv("CRATON_HSM_DEBUG"))
		fprintf(stderr, "libcraton_hsm: %s: %s\n", what, why);
}

/* The path is made absolute now: later the program may be in another folder. */
__attribute__((constructor)) static void load(void)
{
	Dl_info self;

	instance.fork_is_seen = madvise(&page, sizeof(page), MADV_WIPEONFORK) == 0;
	if (!dladdr(&page, &self) || !realpath(self.dli_fname, instance.path))
		instance.path[0] = '\0';
}

/* Runs at dlclose and at exit. At exit other threads may still be calling; they find an instance
 * that was finalised. */
__attribute__((destructor)) static void unload(void)
{
	instance_finalize();
}

/* Under the lock, at the beginning of everything: in a child, lets go of the parent's channel. */
static void forget_parent(void)
{
	struct channel *channel = instance.channel;

	if (page.alive || !channel)
		return;
	instance.channel = NULL;
	channel_abandon(channel);
}

static void lock_instance(void)
{
	pthread_mutex_lock(&page.lock);
	forget_parent();
}

static void unlock_instance(void)
{
	pthread_mutex_unlock(&page.lock);
}

static enum integrity_state check_own_file(void)
{
	enum integrity_result result;

	if (!instance.path[0]) {
		tell("integrity", "own file unknown");
		return INTEGRITY_GOOD;
	}
	result = integrity_check_file(instance.path);
	if (result != INTEGRITY_OK)
		tell(instance.path, integrity_result_name(result));
	return result == INTEGRITY_OK || result == INTEGRITY_MISSING ? INTEGRITY_GOOD
	                                                             : INTEGRITY_BAD;
}

/* Under the lock. */
static CK_RV check_integrity(void)
{
	if (instance.integrity == INTEGRITY_UNKNOWN)
		instance.integrity = check_own_file();
	return instance.integrity == INTEGRITY_GOOD && instance.fork_is_seen ? CKR_OK
	                                                                     : CKR_GENERAL_ERROR;
}

/* Under the lock. */
static CK_RV check(void)
{
	if (instance.integrity == INTEGRITY_BAD)
		return CKR_GENERAL_ERROR;
	return page.alive ? CKR_OK : CKR_CRYPTOKI_NOT_INITIALIZED;
}

CK_RV instance_check(void)
{
	CK_RV rv;

	lock_instance();
	rv = check();
	unlock_instance();
	return rv;
}

static CK_RV open_channel(struct channel **channel)
{
	CK_RV rv = channel_open(channel, NULL, CHANNEL_HELLO);

	if (rv)
		tell("no agent", rv == CKR_DEVICE_REMOVED ? strerror(errno) : "it refuses us");
	return rv;
}

/* Puts the channel in the place of `expected`; false when another thread was first. Under the
 * lock. */
static bool install(struct channel *channel, const struct channel *expected)
{
	if (instance.channel != expected)
		return false;
	instance.channel = channel;
	page.alive = true;
	return true;
}

static CK_RV prepare(void)
{
	CK_RV rv;

	lock_instance();
	rv = check_integrity();
	if (!rv && page.alive)
		rv = CKR_CRYPTOKI_ALREADY_INITIALIZED;
	unlock_instance();
	return rv;
}

CK_RV instance_initialize(void)
{
	struct channel *channel;
	CK_RV rv = prepare();
	bool installed;

	if (rv)
		return rv;
	rv = open_channel(&channel);
	if (rv)
		return rv == CKR_HOST_MEMORY ? rv : CKR_GENERAL_ERROR;
	lock_instance();
	installed = install(channel, NULL);
	unlock_instance();
	if (installed)
		return CKR_OK;
	channel_close(channel);
	return CKR_CRYPTOKI_ALREADY_INITIALIZED;
}

CK_RV instance_finalize(void)
{
	struct channel *channel;
	CK_RV rv;

	lock_instance();
	rv = check();
	channel = instance.channel;
	instance.channel = NULL;
	page.alive = false;
	unlock_instance();
	channel_close(channel);
	return rv;
}

/* The instance's channel, counted. */
static struct channel *get_channel(CK_RV *rv)
{
	struct channel *channel = NULL;

	lock_instance();
	*rv = check();
	if (!*rv)
		channel = channel_get(instance.channel);
	unlock_instance();
	return channel;
}

struct connection *instance_borrow(CK_RV *rv)
{
	struct connection *connection = instance_borrow_plain(rv);

	if (!connection)
		return NULL;
	connection->barrier = true;
	deferred_changed(connection);
	deferred_flush(connection);
	return connection;
}

struct connection *instance_borrow_plain(CK_RV *rv)
{
	struct channel *channel = get_channel(rv);
	struct connection *connection;

	if (!channel)
		return NULL;
	connection = channel_borrow(channel, rv);
	channel_put(channel);
	return connection;
}

/* Returns the channel that is not wanted any more: the lost one, or the new one when another thread
 * was first. */
static struct channel *replace(struct channel *lost, struct channel *fresh)
{
	bool installed;

	lock_instance();
	installed = page.alive && install(fresh, lost);
	unlock_instance();
	return installed ? lost : fresh;
}

bool instance_revive(void)
{
	CK_RV rv;
	struct channel *fresh, *lost = get_channel(&rv);
	bool revived;

	if (!lost)
		return false;
	revived = !channel_is_lost(lost);
	if (!revived && open_channel(&fresh) == CKR_OK) {
		channel_close(replace(lost, fresh));
		revived = true;
	}
	channel_put(lost);
	return revived;
}

CK_RV instance_check_agent(void)
{
	struct wire_get_slot_list_request request = {0};
	struct wire_get_slot_list_reply reply;
	CK_RV rv = instance_check();
	CK_RV answer;
	connection_auto connection = rv ? NULL : instance_borrow(&answer);

	if (rv || !connection)
		return rv;
	answer = request_get_slot_list(connection, &request, &reply);
	return answer == CKR_GENERAL_ERROR ? answer : CKR_OK;
}
