/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent does about kernel events: each is logged and audited, and one that may mean a copy
 * of the machine makes every random generator reseed before its next output (B3). Loop 0 polls the
 * descriptor like the signals'; nothing waits.
 */
#ifndef AGENT_EVENTS_H
#define AGENT_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

struct agent;
struct events;

struct events_statistics {
	bool module, uevents, kernel_log; /* heard now */
	uint64_t received;
	uint64_t vm_generations; /* of them: the machine was copied or rolled back */
	uint64_t lost;           /* times that some were lost */
};

/* Begins to listen. A kernel that cannot be heard is a warning; then *events is NULL, which the
 * others take. */
void events_open(struct events **events, struct agent *agent);
void events_close(struct events *events);
/* To be polled for reading; -1 when nothing is heard. */
int events_fd(const struct events *events);
/* Takes what has come. The audit log's number of the last record, or 0 when there is none to write.
 * One thread at a time. */
uint64_t events_read(struct events *events);
/* Any thread. */
void events_statistics(const struct events *events, struct events_statistics *statistics);

#endif
