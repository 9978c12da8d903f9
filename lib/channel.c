/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool of connections that make one channel: opening, joining, borrowing, losing, closing, and
 * what a forked child does with its parent's. Octets on the socket are exchange.c's business.
 *
 * `lock` guards the lists, the descriptors and `busy`; it is held for a few instructions.
 * Connections are never taken out of `all` while the channel lives, and are put there before they
 * get a descriptor, so that a child that was forked at any moment finds every one of them.
 */
#include "channel.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "deferred.h"
#include "random_ahead.h"
#include "request.h"
#include "wire/frame.h"

#define QUEUE_NS    900000000ll   /* for a place in the queue of an agent that may be no more */
#define ANSWER_NS   5000000000ll  /* a busy machine may let the agent wait for seconds */
#define JOIN_NS     30000000000ll /* a further connection, when the agent is known to live */
#define SPIN_US_MAX 1000u         /* whatever the agent says */

struct channel {
	pthread_mutex_t lock;
	atomic_uint references;
	atomic_bool lost, closed;
	enum channel_greeting greeting;
	uint32_t spin_us;
	uint8_t ticket[WIRE_TICKET_LEN];
	struct sockaddr_un address;
	struct connection *first;          /* the one the application lives as long as */
	struct connection *_Atomic all;    /* chained by next_of_all */
	struct connection *idle, *unwired; /* chained by next_idle; unwired ones have no socket */
	struct deferred *deferred;
};

struct channel *channel_get(struct channel *channel)
{
	atomic_fetch_add_explicit(&channel->references, 1, memory_order_relaxed);
	return channel;
}

void channel_put(struct channel *channel)
{
	struct connection *next;

	if (atomic_fetch_sub_explicit(&channel->references, 1, memory_order_acq_rel) != 1)
		return;
	for (struct connection *each = atomic_load(&channel->all); each; each = next) {
		next = each->next_of_all;
		random_ahead_free(each);
		exchange_destroy(each);
		free(each);
	}
	pthread_mutex_destroy(&channel->lock);
	wire_wipe(channel->ticket, sizeof(channel->ticket));
	deferred_free(channel->deferred);
	free(channel);
}

bool channel_is_lost(const struct channel *channel)
{
	return atomic_load(&channel->lost);
}

/* Wakes every thread that waits on a socket of ours; their calls then find the channel lost. */
static void lose(struct channel *channel)
{
	atomic_store(&channel->lost, true);
	pthread_mutex_lock(&channel->lock);
	for (struct connection *each = atomic_load(&channel->all); each; each = each->next_of_all) {
		if (each->fd >= 0)
			shutdown(each->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&channel->lock);
}

static CK_RV why_lost(const struct channel *channel)
{
	return atomic_load(&channel->closed) ? CKR_CRYPTOKI_NOT_INITIALIZED : CKR_DEVICE_REMOVED;
}

void channel_close(struct channel *channel)
{
	if (!channel)
		return;
	atomic_store(&channel->closed, true);
	lose(channel);
	channel_put(channel);
}

/* A connection that was busy at the fork belonged to a thread that does not exist here; its buffers
 * may have been about to change, so they are left alone. */
void channel_abandon(struct channel *channel)
{
	struct connection *next;

	for (struct connection *each = atomic_load(&channel->all); each; each = next) {
		next = each->next_of_all;
		random_ahead_free(each);
		if (each->busy && each->fd >= 0)
			close(each->fd);
		if (!each->busy)
			exchange_abandon(each);
		free(each);
	}
	wire_wipe(channel->ticket, sizeof(channel->ticket));
	free(channel->deferred); /* whoever holds its locks */
	free(channel);
}

/* An idle connection, or one to be connected. NULL without memory. */
static struct connection *take(struct channel *channel)
{
	struct connection **from, *connection;

	pthread_mutex_lock(&channel->lock);
	from = channel->idle ? &channel->idle : &channel->unwired;
	connection = *from;
	if (connection) {
		*from = connection->next_idle;
		connection->busy = true;
	}
	pthread_mutex_unlock(&channel->lock);
	return connection;
}

static struct connection *add(struct channel *channel)
{
	struct connection *connection = malloc(sizeof(*connection));

	if (!connection)
		return NULL;
	exchange_init(connection, channel);
	connection->deferred = channel->deferred;
	connection->busy = true;
	pthread_mutex_lock(&channel->lock);
	connection->next_of_all = atomic_load(&channel->all);
	atomic_store(&channel->all, connection);
	pthread_mutex_unlock(&channel->lock);
	return connection;
}

static void give_back(struct connection *connection)
{
	struct channel *channel = connection->channel;
	struct connection **to;

	exchange_wipe(connection);
	pthread_mutex_lock(&channel->lock);
	to = connection->fd >= 0 ? &channel->idle : &channel->unwired;
	connection->next_idle = *to;
	*to = connection;
	connection->busy = false;
	pthread_mutex_unlock(&channel->lock);
}

static int wire(struct connection *connection)
{
	struct channel *channel = connection->channel;
	int fd = -1, error = 0;

	pthread_mutex_lock(&channel->lock);
	if (channel_is_lost(channel))
		error = ESHUTDOWN;
	else
		connection->fd = fd = exchange_socket();
	if (!error && fd < 0)
		error = errno;
	pthread_mutex_unlock(&channel->lock);
	return error;
}

static void unwire(struct connection *connection)
{
	struct channel *channel = connection->channel;

	pthread_mutex_lock(&channel->lock);
	if (connection->fd >= 0)
		close(connection->fd);
	connection->fd = -1;
	pthread_mutex_unlock(&channel->lock);
	exchange_unmap(connection, false);
}

/* The first hello brings the ticket; the others show it. */
static void learn(struct channel *channel, const struct wire_hello_reply *reply)
{
	uint64_t spin_us = reply->busy_poll_us;

	memcpy(channel->ticket, reply->ticket.data, WIRE_TICKET_LEN);
	channel->spin_us = spin_us < SPIN_US_MAX ? (uint32_t)spin_us : SPIN_US_MAX;
}

static CK_RV greet(struct connection *connection, int64_t deadline)
{
	struct channel *channel = connection->channel;
	bool is_first = connection == channel->first;
	struct wire_hello_request request = {.version = WIRE_VERSION, .features = WIRE_FEATURES};
	struct wire_hello_reply reply;
	CK_RV status;

	if (!is_first)
		request.ticket = (struct wire_bytes){channel->ticket, WIRE_TICKET_LEN};
	if (exchange_run(connection, &exchange_message_of_hello, &request, NULL, &reply, deadline,
	                 &status))
		return CKR_DEVICE_REMOVED;
	if (status)
		return status;
	if (reply.version != WIRE_VERSION || reply.ticket.len != WIRE_TICKET_LEN)
		return CKR_DEVICE_REMOVED;
	if (is_first)
		learn(channel, &reply);
	connection->spin_us = channel->spin_us;
	connection->window.offered = reply.features & WIRE_FEATURE_WINDOW;
	if ((reply.features & WIRE_FEATURE_RING) && !exchange_open_ring(connection, deadline))
		return CKR_DEVICE_REMOVED;
	return CKR_OK;
}

/* Connects and greets; on failure the connection is as before, and errno tells why. */
static CK_RV establish(struct connection *connection)
{
	struct channel *channel = connection->channel;
	bool is_first = connection == channel->first;
	int64_t begin = exchange_clock(), deadline = begin + (is_first ? ANSWER_NS : JOIN_NS);
	int error = wire(connection);
	CK_RV rv = CKR_OK;

	if (!error)
		error = exchange_establish(connection, &channel->address,
		                           is_first ? begin + QUEUE_NS : deadline);
	if (!error && channel_is_lost(channel))
		error = ESHUTDOWN; /* lose() may have come before there was anything to shut down */
	if (error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS)
		rv = CKR_HOST_MEMORY;
	else if (error)
		rv = CKR_DEVICE_REMOVED;
	else if (channel->greeting == CHANNEL_HELLO) {
		rv = greet(connection, deadline);
		error = exchange_clock() >= deadline ? ETIMEDOUT : EPROTO;
	}
	if (rv)
		unwire(connection);
	errno = error;
	return rv;
}

static bool first_is_alive(struct channel *channel)
{
	char octet;
	ssize_t got;

	pthread_mutex_lock(&channel->lock);
	got = recv(channel->first->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		got = 1;
	pthread_mutex_unlock(&channel->lock);
	return got > 0;
}

/* A connection that cannot join is a passing matter, unless the application is gone. */
static CK_RV join(struct connection *connection)
{
	struct channel *channel = connection->channel;
	CK_RV rv = establish(connection);

	if (!rv || rv == CKR_HOST_MEMORY)
		return rv;
	if (first_is_alive(channel))
		return rv == CKR_DEVICE_REMOVED ? CKR_DEVICE_ERROR : rv;
	lose(channel);
	return why_lost(channel);
}

struct connection *channel_borrow(struct channel *channel, CK_RV *rv)
{
	struct connection *connection;

	*rv = why_lost(channel);
	if (channel_is_lost(channel))
		return NULL;
	connection = take(channel);
	if (!connection)
		connection = add(channel);
	*rv = CKR_HOST_MEMORY;
	if (!connection)
		return NULL;
	*rv = connection->fd < 0 ? join(connection) : CKR_OK;
	if (*rv) {
		give_back(connection);
		return NULL;
	}
	channel_get(channel);
	return connection;
}

void channel_return(struct connection *connection)
{
	struct channel *channel;

	if (!connection)
		return;
	channel = connection->channel;
	if (connection->barrier)
		deferred_changed(connection); /* what others have learnt meanwhile is void, too */
	connection->barrier = false;
	give_back(connection);
	channel_put(channel);
}

void channel_return_at(struct connection **connection)
{
	channel_return(*connection);
}

/* Octets that come meanwhile, such as a late doorbell, are the next call's. */
void channel_pause(struct connection *connection, int timeout_ms)
{
	struct pollfd end = {.fd = connection->fd, .events = POLLRDHUP};

	poll(&end, 1, timeout_ms);
}

CK_RV channel_bad_reply(struct connection *connection)
{
	lose(connection->channel);
	return why_lost(connection->channel);
}

static CK_RV result_of(struct connection *connection, enum exchange_result result, CK_RV status)
{
	switch (result) {
	case EXCHANGE_OK:
		return status;
	case EXCHANGE_TOO_LARGE:
		return CKR_ARGUMENTS_BAD;
	case EXCHANGE_NO_MEMORY:
		return CKR_HOST_MEMORY;
	case EXCHANGE_ELSEWHERE:
	case EXCHANGE_LOST:
		break;
	}
	return channel_bad_reply(connection);
}

CK_RV channel_call(struct connection *connection, const struct exchange_message *message,
                   const void *request, struct wire_bytes *last, void *reply)
{
	CK_RV status = CKR_OK;
	enum exchange_result result;

	result = exchange_run(connection, message, request, last, reply, EXCHANGE_FOREVER, &status);
	return result_of(connection, result, status);
}

CK_RV channel_call_body(struct connection *connection, uint16_t opcode, struct wire_bytes body)
{
	CK_RV status = CKR_OK;
	enum exchange_result result;

	result = exchange_run_body(connection, opcode, body, EXCHANGE_FOREVER, &status);
	return result_of(connection, result, status);
}

bool channel_call_parts(struct connection *connection, struct exchange_parts *parts, CK_RV *rv)
{
	CK_RV status = CKR_OK;
	enum exchange_result result;

	result = exchange_run_parts(connection, parts, EXCHANGE_FOREVER, &status);
	if (result == EXCHANGE_ELSEWHERE)
		return false;
	*rv = result_of(connection, result, status);
	return true;
}

static int set_address(struct channel *channel, const char *path)
{
	struct sockaddr_un *address = &channel->address;
	size_t len;

	if (!path)
		path = secure_getenv(CHANNEL_SOCKET_VARIABLE);
	if (!path || !*path)
		path = CHANNEL_SOCKET_DEFAULT;
	address->sun_family = AF_UNIX;
	len = strlen(path);
	if (len >= sizeof(address->sun_path))
		return ENAMETOOLONG;
	memcpy(address->sun_path, path, len + 1);
	return 0;
}

static CK_RV open_first(struct channel *channel, const char *socket_path)
{
	CK_RV rv;

	errno = set_address(channel, socket_path);
	if (errno)
		return CKR_DEVICE_REMOVED;
	channel->first = add(channel);
	if (!channel->first)
		return CKR_HOST_MEMORY;
	rv = establish(channel->first);
	if (!rv)
		give_back(channel->first);
	return rv;
}

CK_RV channel_open(struct channel **out, const char *socket_path, enum channel_greeting greeting)
{
	struct channel *channel = calloc(1, sizeof(*channel));
	CK_RV rv;
	int error;

	if (!channel)
		return CKR_HOST_MEMORY;
	pthread_mutex_init(&channel->lock, NULL);
	atomic_init(&channel->references, 1);
	channel->greeting = greeting;
	channel->deferred = deferred_new();
	rv = open_first(channel, socket_path);
	if (!rv) {
		*out = channel;
		return CKR_OK;
	}
	error = errno;
	channel_put(channel);
	errno = error;
	return rv;
}
