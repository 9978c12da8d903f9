/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sees at once that the audit log was moved away or removed, so that no record follows it there: a
 * thread that waits for inotify and raises a flag, which costs those who write a load.
 */
#ifndef AGENT_AUDIT_WATCH_H
#define AGENT_AUDIT_WATCH_H

#include <stdbool.h>

struct audit_watch;

/* NULL when it cannot be had (logged): then the name has to be looked at from time to time. */
struct audit_watch *audit_watch_open(void);
/* From now on this file, which is that of the name; the one before is forgotten. */
void audit_watch_file(struct audit_watch *watch, const char *path);
/* Was it moved or removed since? Once. One atomic load when it was not. */
bool audit_watch_moved(struct audit_watch *watch);
/* NULL is allowed, for all of them. */
void audit_watch_close(struct audit_watch *watch);

#endif
