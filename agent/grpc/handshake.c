/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue, and a thread that empties it.
 */
#include "grpc/handshake.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>

#include "grpc/client.h"

struct handshakes {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct handshake *first, **last; /* under the lock, as is the next */
	bool ending;
};

/* The next one, waited for; NULL at the end. */
static struct handshake *take(struct handshakes *handshakes)
{
	struct handshake *handshake;

	pthread_mutex_lock(&handshakes->lock);
	while (!handshakes->first && !handshakes->ending)
		pthread_cond_wait(&handshakes->changed, &handshakes->lock);
	handshake = handshakes->first;
	if (handshake)
		handshakes->first = handshake->next;
	if (!handshakes->first)
		handshakes->last = &handshakes->first;
	pthread_mutex_unlock(&handshakes->lock);
	return handshake;
}

/* OpenSSL's errors are each thread's own, so that a failure is told here. */
static void *run(void *argument)
{
	struct handshake *handshake;

	while ((handshake = take(argument))) {
		struct client *client = handshake->client;

		handshake->result = tls_handshake(client);
		if (handshake->result != TLS_DONE && handshake->result != TLS_WANTS_OCTETS)
			tls_log_failure(client);
		front_handshake_done(handshake);
	}
	OPENSSL_thread_stop();
	return NULL;
}

struct handshakes *handshakes_open(void)
{
	struct handshakes *handshakes = calloc(1, sizeof(*handshakes));
	int failed;

	if (!handshakes)
		return NULL;
	handshakes->last = &handshakes->first;
	pthread_mutex_init(&handshakes->lock, NULL);
	pthread_cond_init(&handshakes->changed, NULL);
	failed = pthread_create(&handshakes->thread, NULL, run, handshakes);
	if (!failed)
		return handshakes;
	pthread_cond_destroy(&handshakes->changed);
	pthread_mutex_destroy(&handshakes->lock);
	free(handshakes);
	errno = failed;
	return NULL;
}

void handshakes_close(struct handshakes *handshakes)
{
	if (!handshakes)
		return;
	pthread_mutex_lock(&handshakes->lock);
	handshakes->ending = true;
	pthread_cond_signal(&handshakes->changed);
	pthread_mutex_unlock(&handshakes->lock);
	pthread_join(handshakes->thread, NULL);
	pthread_cond_destroy(&handshakes->changed);
	pthread_mutex_destroy(&handshakes->lock);
	free(handshakes);
}

void handshakes_add(struct handshakes *handshakes, struct handshake *handshake)
{
	handshake->next = NULL;
	pthread_mutex_lock(&handshakes->lock);
	*handshakes->last = handshake;
	handshakes->last = &handshake->next;
	pthread_cond_signal(&handshakes->changed);
	pthread_mutex_unlock(&handshakes->lock);
}
