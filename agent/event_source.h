/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where kernel events come from: the netlink group of our module, joined when the module is there
 * and again whenever it is loaded, the kernel's uevents, and its log, which is open to those with
 * CAP_SYSLOG and where kernel.dmesg_restrict is 0. One descriptor to poll for all. What the events
 * mean to anybody is not known here.
 */
#ifndef AGENT_EVENT_SOURCE_H
#define AGENT_EVENT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "event.h"

struct event_source;

/*
 * Begins to listen. It is no error that the module is absent or the log closed. When one of the
 * sockets cannot be had `problem` holds one line, else "". 0, or -1 with `problem` when neither
 * can.
 */
int event_source_open(struct event_source **source, char *problem, size_t problem_len);
void event_source_close(struct event_source *source);
/* Readable when there is something to read. */
int event_source_fd(const struct event_source *source);
/* Are the module's events, uevents, the kernel's log heard now? */
bool event_source_hears_module(const struct event_source *source);
bool event_source_hears_uevents(const struct event_source *source);
bool event_source_hears_log(const struct event_source *source);
/*
 * Reads what has come, a bounded part of it, without waiting, and calls `each` for every
 * event. A way that fails for good is closed, after EVENT_LOST.
 */
void event_source_read(struct event_source *source,
                       void (*each)(void *context, const struct event *event), void *context);

#endif
