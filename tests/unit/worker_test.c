/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker pool: every job runs once, in order where that can be said, stopping runs what is
 * queued, and long jobs keep no others waiting.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/resource.h>

#include "harness.h"

#include "worker.h"

#define JOBS   20000
#define ADDERS 4

struct counted {
	struct job job;
	atomic_uint runs;
	unsigned int order;
};

static atomic_uint ran;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static struct counted *of(struct job *job)
{
	return (struct counted *)((char *)job - offsetof(struct counted, job));
}

static void count(struct job *job)
{
	atomic_fetch_add(&of(job)->runs, 1);
	of(job)->order = atomic_fetch_add(&ran, 1);
}

/* Holds its thread until the test opens the gate. */
static void wait_at_gate(struct job *job)
{
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	count(job);
}

static struct counted *jobs_of(unsigned int number, void (*run)(struct job *))
{
	struct counted *jobs = calloc(number, sizeof(*jobs));

	ASSERT_NOT_NULL(jobs);
	for (unsigned int i = 0; i < number; i++)
		jobs[i].job.run = run;
	return jobs;
}

static struct workers *start(unsigned int threads)
{
	struct workers *workers = NULL;

	ASSERT_EQ(workers_start(&workers, threads), 0);
	ASSERT_NOT_NULL(workers);
	return workers;
}

static void expect_once(struct counted *jobs, unsigned int number)
{
	for (unsigned int i = 0; i < number; i++)
		ASSERT_EQ(atomic_load(&jobs[i].runs), 1);
}

TEST(start_and_stop)
{
	for (unsigned int threads = 1; threads <= 16; threads++)
		workers_stop(start(threads));
	workers_stop(NULL);
}

TEST(each_job_runs_once)
{
	for (unsigned int threads = 1; threads <= 8; threads *= 2) {
		struct workers *workers = start(threads);
		struct counted *jobs = jobs_of(JOBS, count);

		for (unsigned int i = 0; i < JOBS; i++)
			workers_add(workers, &jobs[i].job);
		workers_stop(workers);
		expect_once(jobs, JOBS);
		free(jobs);
	}
}

TEST(one_thread_keeps_the_order)
{
	struct workers *workers = start(1);
	struct counted *jobs = jobs_of(JOBS, count);

	for (unsigned int i = 0; i < JOBS; i++)
		workers_add(workers, &jobs[i].job);
	workers_stop(workers);
	for (unsigned int i = 0; i < JOBS; i++)
		ASSERT_EQ(jobs[i].order, i);
	free(jobs);
}

/* Long jobs stand at the gate on all threads that they have, and more of them wait; what is not
 * long runs all the same. */
TEST(long_jobs_keep_nobody_waiting)
{
	struct workers *workers = start(2);
	struct counted *held = jobs_of(5, wait_at_gate), *jobs = jobs_of(100, count);

	pthread_mutex_lock(&gate);
	for (unsigned int i = 0; i < 5; i++) {
		held[i].job.is_long = true;
		workers_add(workers, &held[i].job);
	}
	for (unsigned int i = 0; i < 100; i++)
		workers_add(workers, &jobs[i].job);
	while (atomic_load(&ran) < 100 || workers_waiting(workers) > 3)
		sched_yield();
	expect_once(jobs, 100);
	ASSERT_EQ(workers_waiting(workers), 3);
	pthread_mutex_unlock(&gate);
	workers_stop(workers);
	expect_once(held, 5);
	free(held);
	free(jobs);
}

static void note_priority(struct job *job)
{
	of(job)->order = (unsigned int)getpriority(PRIO_PROCESS, 0);
}

TEST(long_jobs_give_way)
{
	struct workers *workers = start(1);
	struct counted *jobs = jobs_of(2, note_priority);
	int own = getpriority(PRIO_PROCESS, 0);

	jobs[1].job.is_long = true;
	workers_add(workers, &jobs[0].job);
	workers_add(workers, &jobs[1].job);
	workers_stop(workers);
	EXPECT_EQ((int)jobs[0].order, own);
	EXPECT_GT((int)jobs[1].order, own);
	free(jobs);
}

struct adder {
	struct workers *workers;
	struct counted *jobs;
};

static void *add_jobs(void *argument)
{
	struct adder *adder = argument;

	for (unsigned int i = 0; i < JOBS; i++)
		workers_add(adder->workers, &adder->jobs[i].job);
	return NULL;
}

TEST(many_adders)
{
	struct workers *workers = start(4);
	struct adder adders[ADDERS];
	pthread_t threads[ADDERS];

	for (int i = 0; i < ADDERS; i++) {
		adders[i] = (struct adder){workers, jobs_of(JOBS, count)};
		ASSERT_EQ(pthread_create(&threads[i], NULL, add_jobs, &adders[i]), 0);
	}
	for (int i = 0; i < ADDERS; i++)
		ASSERT_EQ(pthread_join(threads[i], NULL), 0);
	workers_stop(workers);
	ASSERT_EQ(atomic_load(&ran), ADDERS * JOBS);
	for (int i = 0; i < ADDERS; i++) {
		expect_once(adders[i].jobs, JOBS);
		free(adders[i].jobs);
	}
}

/* The threads stand at the gate while the rest is queued; the stop has to wait for all of it. */
TEST(stop_runs_what_is_queued)
{
	struct workers *workers = start(2);
	struct counted *held = jobs_of(2, wait_at_gate), *jobs = jobs_of(100, count);

	pthread_mutex_lock(&gate);
	workers_add(workers, &held[0].job);
	workers_add(workers, &held[1].job);
	while (workers_waiting(workers))
		sched_yield();
	for (unsigned int i = 0; i < 100; i++) {
		workers_add(workers, &jobs[i].job);
		ASSERT_EQ(workers_waiting(workers), i + 1);
	}
	ASSERT_EQ(atomic_load(&ran), 0);
	pthread_mutex_unlock(&gate);
	workers_stop(workers);
	expect_once(held, 2);
	expect_once(jobs, 100);
	free(held);
	free(jobs);
}

static void free_itself(struct job *job)
{
	atomic_fetch_add(&ran, 1);
	free(of(job));
}

TEST(job_may_free_itself)
{
	struct workers *workers = start(3);

	for (int i = 0; i < 1000; i++)
		workers_add(workers, &jobs_of(1, free_itself)->job);
	workers_stop(workers);
	ASSERT_EQ(atomic_load(&ran), 1000);
}

static struct workers *shared;

static void add_another(struct job *job)
{
	struct counted *counted = of(job);

	if (atomic_fetch_add(&counted->runs, 1) < 500)
		workers_add(shared, job);
	atomic_fetch_add(&ran, 1);
}

/* A job that queues itself again, until it has had enough; a stop meanwhile runs these as well. */
TEST(job_may_add_jobs)
{
	struct counted *job = jobs_of(1, add_another);

	shared = start(1);
	workers_add(shared, &job->job);
	workers_stop(shared);
	ASSERT_EQ(atomic_load(&ran), 501);
	free(job);
}

static void count_only(struct job *job)
{
	(void)job;
	atomic_fetch_add(&ran, 1);
}

TEST(idle_threads_are_woken)
{
	struct workers *workers = start(4);
	struct counted *job = jobs_of(1, count_only);

	for (unsigned int i = 0; i < 2000; i++) {
		workers_add(workers, &job->job);
		while (atomic_load(&ran) != i + 1)
			sched_yield();
	}
	workers_stop(workers);
	free(job);
}

HARNESS_MAIN
