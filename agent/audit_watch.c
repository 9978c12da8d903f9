/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One inotify descriptor, one watch, one thread.
 */
#include "audit_watch.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "log.h"

/* Removing a file that is open changes its attributes (the number of its names). */
#define EVENTS (IN_MOVE_SELF | IN_DELETE_SELF | IN_ATTRIB)

struct audit_watch {
	int inotify_fd, stop_fd, watched;
	atomic_bool moved;
	pthread_t thread;
};

/* Which event it is does not matter: somebody looks at the name. */
static bool wait_for_events(struct audit_watch *watch)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct pollfd fds[] = {{watch->inotify_fd, POLLIN, 0}, {watch->stop_fd, POLLIN, 0}};

	if (poll(fds, 2, -1) < 0)
		return errno == EINTR;
	if (fds[0].revents && read(watch->inotify_fd, events, sizeof(events)) > 0)
		atomic_store_explicit(&watch->moved, true, memory_order_release);
	return !fds[1].revents;
}

static void *run(void *context)
{
	pthread_setname_np(pthread_self(), "audit-watch");
	while (wait_for_events(context))
		;
	return NULL;
}

/* Signals are for the main thread. */
static int start(struct audit_watch *watch)
{
	sigset_t all, before;
	int failed;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&watch->thread, NULL, run, watch);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return failed;
}

struct audit_watch *audit_watch_open(void)
{
	struct audit_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->watched = -1;
	watch->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	watch->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (watch->inotify_fd >= 0 && watch->stop_fd >= 0 && !start(watch))
		return watch;
	log_warning("audit log: its file cannot be watched (%s); its name is looked at ten times "
	            "a second",
	            strerror(errno));
	if (watch->inotify_fd >= 0)
		close(watch->inotify_fd);
	if (watch->stop_fd >= 0)
		close(watch->stop_fd);
	free(watch);
	return NULL;
}

void audit_watch_file(struct audit_watch *watch, const char *path)
{
	if (!watch)
		return;
	if (watch->watched >= 0)
		inotify_rm_watch(watch->inotify_fd, watch->watched);
	watch->watched = inotify_add_watch(watch->inotify_fd, path, EVENTS);
}

bool audit_watch_moved(struct audit_watch *watch)
{
	return watch && atomic_load_explicit(&watch->moved, memory_order_acquire) &&
	       atomic_exchange(&watch->moved, false);
}

void audit_watch_close(struct audit_watch *watch)
{
	const uint64_t one = 1;

	if (!watch)
		return;
	if (write(watch->stop_fd, &one, sizeof(one)) == (ssize_t)sizeof(one))
		pthread_join(watch->thread, NULL);
	close(watch->inotify_fd);
	close(watch->stop_fd);
	free(watch);
}
