/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue, a lock and threads. What a job does is its owner's business.
 */
#include "worker.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct job *first, **last;
	unsigned int waiting;
	bool stopping;
	unsigned int count;
	pthread_t threads[];
};

/* The next job, or NULL when the pool ends and nothing is left. */
static struct job *take(struct workers *workers)
{
	struct job *job;

	pthread_mutex_lock(&workers->lock);
	while (!workers->first && !workers->stopping)
		pthread_cond_wait(&workers->work, &workers->lock);
	job = workers->first;
	if (job) {
		workers->first = job->next;
		if (!workers->first)
			workers->last = &workers->first;
		workers->waiting--;
	}
	pthread_mutex_unlock(&workers->lock);
	return job;
}

static void *work(void *argument)
{
	struct workers *workers = argument;
	struct job *job;

	while ((job = take(workers)))
		job->run(job);
	OPENSSL_thread_stop();
	return NULL;
}

static void end(struct workers *workers)
{
	pthread_mutex_lock(&workers->lock);
	workers->stopping = true;
	pthread_cond_broadcast(&workers->work);
	pthread_mutex_unlock(&workers->lock);
	for (unsigned int i = 0; i < workers->count; i++)
		pthread_join(workers->threads[i], NULL);
	pthread_cond_destroy(&workers->work);
	pthread_mutex_destroy(&workers->lock);
	free(workers);
}

int workers_start(struct workers **out, unsigned int count)
{
	struct workers *workers = calloc(1, sizeof(*workers) + count * sizeof(workers->threads[0]));
	int error = 0;

	if (!workers)
		return -1;
	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->work, NULL);
	workers->last = &workers->first;
	while (!error && workers->count < count) {
		error = pthread_create(&workers->threads[workers->count], NULL, work, workers);
		if (!error)
			workers->count++;
	}
	if (error) {
		end(workers);
		errno = error;
		return -1;
	}
	*out = workers;
	return 0;
}

void workers_add(struct workers *workers, struct job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&workers->lock);
	*workers->last = job;
	workers->last = &job->next;
	workers->waiting++;
	pthread_cond_signal(&workers->work);
	pthread_mutex_unlock(&workers->lock);
}

void workers_stop(struct workers *workers)
{
	if (workers)
		end(workers);
}

unsigned int workers_waiting(struct workers *workers)
{
	unsigned int waiting;

	pthread_mutex_lock(&workers->lock);
	waiting = workers->waiting;
	pthread_mutex_unlock(&workers->lock);
	return waiting;
}
