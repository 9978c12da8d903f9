/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The number that every client sees in shared memory (wire/epoch.h): whoever changes what could
 * make a C_*Init fail raises it, after the change and before anybody is told of it.
 */
#ifndef AGENT_EPOCH_H
#define AGENT_EPOCH_H

#include "wire/epoch.h"

struct epoch {
	struct wire_epoch *page; /* NULL: there is none, and clients ask each time */
	int fd;                  /* -1 then */
	unsigned int processors, loops;
	atomic_uint awake;           /* rings that a loop polls: clients at work */
	atomic_uint crowd;           /* enum wire_crowd, what they are told */
	_Atomic uint64_t crowded_ns; /* when there was last reason to tell them so */
};

/* Without memory there is none. */
void epoch_open(struct epoch *epoch);
void epoch_close(struct epoch *epoch);
/* Any thread. */
void epoch_raise(struct epoch *epoch);
/* How many threads share how many processors. */
void epoch_size(struct epoch *epoch, unsigned int processors, unsigned int loops);
/* A client more, or less, is at work. Any thread. */
void epoch_count(struct epoch *epoch, int change);
/* Tells clients of a smaller crowd when it has been smaller for a while: one that waits for its
 * turn looks for a moment as if it had gone. */
void epoch_settle(struct epoch *epoch, uint64_t now_ns);
enum wire_crowd epoch_crowd(const struct epoch *epoch);

#endif
