/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker pool: threads for what takes longer than about a millisecond or blocks on disk (RSA
 * key generation, PIN derivation, backups). Jobs are taken in order, but for long ones, which may
 * take seconds and never have all the threads. Results go back through the mailbox of a loop.
 */
#ifndef AGENT_WORKER_H
#define AGENT_WORKER_H

#include <stdbool.h>
#include <stdint.h>

struct job {
	void (*run)(struct job *job); /* may free the job */
	bool is_long;
	/* The pool's. */
	struct job *next;
	uint64_t number;
};

struct workers;

/* Starts threads for `count` long jobs at a time, and one more, so that others need not wait for a
 * long one to end. 0, or -1 with errno. */
int workers_start(struct workers **workers, unsigned int count);
/* Any thread. The job is the pool's until run is called. */
void workers_add(struct workers *workers, struct job *job);
/* Runs what is queued, then ends the threads and frees the pool. */
void workers_stop(struct workers *workers);
/* Jobs that wait now, for status. */
unsigned int workers_waiting(struct workers *workers);

#endif
