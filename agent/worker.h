/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker pool: threads for what takes longer than about a millisecond or blocks on disk (PIN
 * derivation, backups), and others for long jobs, which may take seconds (RSA key generation) and
 * keep nobody waiting but each other. Jobs of either kind are taken in order; results go back
 * through the mailbox of a loop.
 */
#ifndef AGENT_WORKER_H
#define AGENT_WORKER_H

#include <stdbool.h>

struct job {
	void (*run)(struct job *job); /* may free the job */
	bool is_long;
	struct job *next; /* the pool's */
};

struct workers;

/* Starts `count` threads for long jobs and as many for all others. 0, or -1 with errno. */
int workers_start(struct workers **workers, unsigned int count);
/* Any thread. The job is the pool's until run is called. */
void workers_add(struct workers *workers, struct job *job);
/* Runs what is queued, then ends the threads and frees the pool. */
void workers_stop(struct workers *workers);
/* Jobs that wait now, for status. */
unsigned int workers_waiting(struct workers *workers);

#endif
