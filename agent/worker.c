/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two queues, a lock and threads. What a job does is its owner's business.
 */
#include "worker.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

/* A loop that wakes up on the core of a worker gets it at once, and a worker a tenth of a core that
 * loops want all the time (measured in docs/performance.md). */
#define NICE 10

struct queue {
	struct job *first, **last;
};

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct queue ordinary, lengthy;
	uint64_t added;
	unsigned int waiting;
	unsigned int long_running, long_max;
	bool stopping;
	unsigned int count;
	pthread_t threads[];
};

static void queue_init(struct queue *queue)
{
	queue->first = NULL;
	queue->last = &queue->first;
}

static void queue_add(struct queue *queue, struct job *job)
{
	job->next = NULL;
	*queue->last = job;
	queue->last = &job->next;
}

static struct job *queue_take(struct queue *queue)
{
	struct job *job = queue->first;

	queue->first = job->next;
	if (!queue->first)
		queue->last = &queue->first;
	return job;
}

/* The queue whose job is next: the older one, if it may begin now. NULL: none. */
static struct queue *next_queue(struct workers *workers)
{
	const struct job *ordinary = workers->ordinary.first, *lengthy = workers->lengthy.first;

	if (lengthy && workers->long_running < workers->long_max &&
	    (!ordinary || lengthy->number < ordinary->number))
		return &workers->lengthy;
	return ordinary ? &workers->ordinary : NULL;
}

/* The next job, or NULL when the pool ends and nothing is left that this thread could do: long jobs
 * that are left are for those who are at long ones now. */
static struct job *take(struct workers *workers)
{
	struct queue *queue;
	struct job *job = NULL;

	pthread_mutex_lock(&workers->lock);
	while (!(queue = next_queue(workers)) && !workers->stopping)
		pthread_cond_wait(&workers->work, &workers->lock);
	if (queue) {
		job = queue_take(queue);
		workers->waiting--;
		workers->long_running += job->is_long;
	}
	pthread_mutex_unlock(&workers->lock);
	return job;
}

static void note_long_end(struct workers *workers)
{
	pthread_mutex_lock(&workers->lock);
	workers->long_running--;
	pthread_mutex_unlock(&workers->lock);
}

static void *work(void *argument)
{
	struct workers *workers = argument;
	struct job *job;

	errno = 0;
	if (nice(NICE) == -1 && errno)
		log_warning("a worker keeps its priority: %s", strerror(errno));
	while ((job = take(workers))) {
		bool was_long = job->is_long; /* run may free it */

		job->run(job);
		if (was_long)
			note_long_end(workers);
	}
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

int workers_start(struct workers **out, unsigned int long_max)
{
	unsigned int count = long_max + 1;
	struct workers *workers = calloc(1, sizeof(*workers) + count * sizeof(workers->threads[0]));
	int error = 0;

	if (!workers)
		return -1;
	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->work, NULL);
	queue_init(&workers->ordinary);
	queue_init(&workers->lengthy);
	workers->long_max = long_max;
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
	pthread_mutex_lock(&workers->lock);
	job->number = workers->added++;
	queue_add(job->is_long ? &workers->lengthy : &workers->ordinary, job);
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
