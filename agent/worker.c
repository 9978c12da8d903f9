/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lock, two queues, and threads for each. What a job does is its owner's business.
 */
#include "worker.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

/* Of the threads for long jobs: a loop that wakes up on the core of one has it at once, and where
 * loops want the core all the time the job still gets a tenth (docs/performance.md). */
#define LONG_NICE 10

struct queue {
	pthread_cond_t work;
	struct job *first, **last;
};

struct workers {
	pthread_mutex_t lock;
	struct queue ordinary, lengthy;
	unsigned int waiting;
	bool stopping;
	unsigned int count;
	pthread_t threads[];
};

static void queue_init(struct queue *queue)
{
	pthread_cond_init(&queue->work, NULL);
	queue->last = &queue->first;
}

/* The next job, or NULL when the pool ends and nothing is left. */
static struct job *take(struct workers *workers, struct queue *queue)
{
	struct job *job;

	pthread_mutex_lock(&workers->lock);
	while (!queue->first && !workers->stopping)
		pthread_cond_wait(&queue->work, &workers->lock);
	job = queue->first;
	if (job) {
		queue->first = job->next;
		if (!queue->first)
			queue->last = &queue->first;
		workers->waiting--;
	}
	pthread_mutex_unlock(&workers->lock);
	return job;
}

static void work(struct workers *workers, struct queue *queue)
{
	struct job *job;

	while ((job = take(workers, queue)))
		job->run(job);
	OPENSSL_thread_stop();
}

static void *do_ordinary(void *argument)
{
	struct workers *workers = argument;

	work(workers, &workers->ordinary);
	return NULL;
}

static void *do_lengthy(void *argument)
{
	struct workers *workers = argument;

	errno = 0;
	if (nice(LONG_NICE) == -1 && errno)
		log_warning("workers for long jobs keep their priority: %s", strerror(errno));
	work(workers, &workers->lengthy);
	return NULL;
}

static void end(struct workers *workers)
{
	pthread_mutex_lock(&workers->lock);
	workers->stopping = true;
	pthread_cond_broadcast(&workers->ordinary.work);
	pthread_cond_broadcast(&workers->lengthy.work);
	pthread_mutex_unlock(&workers->lock);
	for (unsigned int i = 0; i < workers->count; i++)
		pthread_join(workers->threads[i], NULL);
	pthread_cond_destroy(&workers->ordinary.work);
	pthread_cond_destroy(&workers->lengthy.work);
	pthread_mutex_destroy(&workers->lock);
	free(workers);
}

int workers_start(struct workers **out, unsigned int count)
{
	struct workers *workers =
		calloc(1, sizeof(*workers) + 2 * count * sizeof(workers->threads[0]));
	int error = 0;

	if (!workers)
		return -1;
	pthread_mutex_init(&workers->lock, NULL);
	queue_init(&workers->ordinary);
	queue_init(&workers->lengthy);
	while (!error && workers->count < 2 * count) {
		error = pthread_create(&workers->threads[workers->count], NULL,
		                       workers->count % 2 ? do_lengthy : do_ordinary, workers);
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
	struct queue *queue = job->is_long ? &workers->lengthy : &workers->ordinary;

	job->next = NULL;
	pthread_mutex_lock(&workers->lock);
	*queue->last = job;
	queue->last = &job->next;
	workers->waiting++;
	pthread_cond_signal(&queue->work);
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
