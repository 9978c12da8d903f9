/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue, and a thread that empties it.
 */
#include "grpc/errand.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "grpc/front.h"

struct errands {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;       /* by CLOCK_MONOTONIC */
	struct errand *first, **last; /* under the lock, as are the next */
	bool at_work, ending;
};

/* The next one, waited for; NULL at the end. */
static struct errand *take(struct errands *errands)
{
	struct errand *errand;

	pthread_mutex_lock(&errands->lock);
	errands->at_work = false;
	pthread_cond_broadcast(&errands->changed);
	while (!errands->first && !errands->ending)
		pthread_cond_wait(&errands->changed, &errands->lock);
	errand = errands->first;
	errands->at_work = errand != NULL;
	if (errand)
		errands->first = errand->next;
	if (!errands->first)
		errands->last = &errands->first;
	pthread_mutex_unlock(&errands->lock);
	return errand;
}

static void *run(void *argument)
{
	struct errand *errand;

	while ((errand = take(argument))) {
		bool is_awaited = errand->loop != NULL;

		errand->run(errand);
		if (is_awaited)
			front_errand_done(errand);
	}
	OPENSSL_thread_stop();
	return NULL;
}

static void destroy(struct errands *errands)
{
	pthread_cond_destroy(&errands->changed);
	pthread_mutex_destroy(&errands->lock);
	free(errands);
}

struct errands *errands_open(void)
{
	struct errands *errands = calloc(1, sizeof(*errands));
	pthread_condattr_t attributes;
	int failed;

	if (!errands)
		return NULL;
	errands->last = &errands->first;
	pthread_mutex_init(&errands->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&errands->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	failed = pthread_create(&errands->thread, NULL, run, errands);
	if (!failed)
		return errands;
	destroy(errands);
	errno = failed;
	return NULL;
}

void errands_add(struct errands *errands, struct errand *errand)
{
	errand->next = NULL;
	pthread_mutex_lock(&errands->lock);
	*errands->last = errand;
	errands->last = &errand->next;
	pthread_cond_broadcast(&errands->changed);
	pthread_mutex_unlock(&errands->lock);
}

bool errands_wait(struct errands *errands, uint64_t until_ns)
{
	const struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000u),
	                               .tv_nsec = (long)(until_ns % 1000000000u)};
	int failed = 0;
	bool is_idle;

	if (!errands)
		return true;
	pthread_mutex_lock(&errands->lock);
	while ((errands->first || errands->at_work) && !failed)
		failed = pthread_cond_timedwait(&errands->changed, &errands->lock, &until);
	is_idle = !errands->first && !errands->at_work;
	pthread_mutex_unlock(&errands->lock);
	return is_idle;
}

void errands_close(struct errands *errands)
{
	if (!errands)
		return;
	pthread_mutex_lock(&errands->lock);
	errands->ending = true;
	pthread_cond_broadcast(&errands->changed);
	pthread_mutex_unlock(&errands->lock);
	pthread_join(errands->thread, NULL);
	destroy(errands);
}
