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
#include <sys/resource.h>
#include <unistd.h>

#include "log.h"

/* At a long job: a loop that wakes up on the core of a worker gets it at once, and a worker a tenth
 * of a core that loops want all the time (measured in docs/performance.md). */
#define NICE_AT_LONG 10
#define NICE_LIMIT   20 /* as RLIMIT_NICE counts: back to 0 and no further */

struct queue {
	struct job *first, **last;
};

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct queue ordinary, lengthy;
	uint64_t added;
	unsigned int waiting;
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
static struct queue *next_queue(struct workers *workers, bool takes_long)
{
	const struct job *ordinary = workers->ordinary.first, *lengthy = workers->lengthy.first;

	if (takes_long && lengthy && (!ordinary || lengthy->number < ordinary->number))
		return &workers->lengthy;
	return ordinary ? &workers->ordinary : NULL;
}

/* The next job, or NULL when the pool ends and nothing is left that this thread does. */
static struct job *take(struct workers *workers, bool takes_long)
{
	struct queue *queue;
	struct job *job = NULL;

	pthread_mutex_lock(&workers->lock);
	while (!(queue = next_queue(workers, takes_long)) && !workers->stopping)
		pthread_cond_wait(&workers->work, &workers->lock);
	if (queue) {
		job = queue_take(queue);
		workers->waiting--;
	}
	pthread_mutex_unlock(&workers->lock);
	return job;
}

/* Of this thread. Back to 0 it may not be permitted, which permit_priority has said. */
static void set_nice(int nice_value)
{
	setpriority(PRIO_PROCESS, (id_t)gettid(), nice_value);
}

static void run_nicely(struct job *job)
{
	set_nice(NICE_AT_LONG);
	job->run(job);
	set_nice(0);
}

static void work_through(struct workers *workers, bool takes_long)
{
	struct job *job;

	while ((job = take(workers, takes_long))) {
		if (job->is_long)
			run_nicely(job);
		else
			job->run(job);
	}
	OPENSSL_thread_stop();
}

static void *work(void *workers)
{
	work_through(workers, true);
	return NULL;
}

/* One thread of the pool, whose priority is as it was, whatever becomes of the others'. */
static void *work_at_ordinary(void *workers)
{
	work_through(workers, false);
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

/* Who may do so permits itself to take back what nice gave away; others stay nice. */
static void permit_priority(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NICE, &limit) || limit.rlim_cur >= NICE_LIMIT)
		return;
	limit.rlim_cur = NICE_LIMIT;
	if (limit.rlim_max < NICE_LIMIT)
		limit.rlim_max = NICE_LIMIT;
	if (setrlimit(RLIMIT_NICE, &limit))
		log_notice(
			"workers that were at a long job stay at nice %d: LimitNICE=+0 in the unit "
			"permits more",
			NICE_AT_LONG);
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
	permit_priority();
	while (!error && workers->count < count) {
		error = pthread_create(&workers->threads[workers->count], NULL,
		                       workers->count ? work : work_at_ordinary, workers);
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
	/* Not one, which might be the thread that takes no long ones. */
	pthread_cond_broadcast(&workers->work);
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
