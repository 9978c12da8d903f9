/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where kernel events come from: the netlink group of our module, joined when the module is there
 * and again whenever it is loaded, and the kernel's uevents. One descriptor to poll for both. What
 * the events mean to anybody is not known here.
 */
#ifndef AGENT_EVENT_SOURCE_H
#define AGENT_EVENT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "event.h"

struct event_source;

/*
 * Begins to listen. It is no error that the module is absent, or that one of the two ways is
 * closed: then `problem` holds one line, else "". 0, or -1 with `problem` when nothing can be
 * heard.
 */
int event_source_open(struct event_source **source, char *problem, size_t problem_len);
void event_source_close(struct event_source *source);
/* Readable when there is something to read. */
int event_source_fd(const struct event_source *source);
/* Are the module's events, are uevents heard now? */
bool event_source_hears_module(const struct event_source *source);
bool event_source_hears_uevents(const struct event_source *source);
/*
 * Reads what has come, at most about 64 messages, without waiting, and calls `each` for every
 * event. A way that fails for good is closed, after EVENT_LOST.
 */
void event_source_read(struct event_source *source,
                       void (*each)(void *context, const struct event *event), void *context);

#endif
