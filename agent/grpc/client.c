/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's socket: octets in through TLS to HTTP/2, and out again; its timeouts and its end.
 * Everything here runs in the client's loop.
 */
#include "grpc/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "config.h"
#include "grpc/http.h"
#include "grpc/identity.h"
#include "grpc/rpc.h"
#include "grpc/tls.h"
#include "grpc/watch.h"
#include "log.h"

#define OUT_MAX         (256u * 1024u) /* no more is encrypted before some of it is on its way */
#define OUT_LIMIT       (2u * OUT_MAX)
#define RATE_PERIOD_NS  10000000000ull
#define LINGER_NS       2000000000ull /* for the last octets to be sent, and to be read */
#define POOL_IDLE_NS    30000000000ull
#define KEEPALIVE_IDLE  60
#define KEEPALIVE_PAUSE 20

/* Before it knows our windows a client may send 64 KiB of messages, and has its certificates and
 * headers to send besides. */
#define EARLY_MAX (128u * 1024u)

const struct config *client_config(const struct client *client)
{
	return client->settings->config;
}

bool client_holds_too_much(const struct client *client, size_t besides_len)
{
	return client->held_len - besides_len > client_config(client)->daemon.max_connection_memory;
}

bool rate_exceeds(struct rate *rate, uint64_t now_ns, uint64_t max)
{
	if (now_ns / RATE_PERIOD_NS != rate->period)
		*rate = (struct rate){.period = now_ns / RATE_PERIOD_NS};
	rate->count++;
	return rate->count == max + 1;
}

/* ---- the end ---- */

void client_close(struct client *client)
{
	if (client->closing)
		return;
	client->closing = true;
	shutdown(client->fd, SHUT_RDWR);
	link_close(&client->link);
	for (struct rpc *rpc = client->rpcs, *next; rpc; rpc = next) {
		next = rpc->next;
		rpc_abandon(rpc);
	}
	front_mark_dirty(client);
}

/* Nothing more is taken from it. What has been written is sent as long as the client takes some of
 * it now and then. */
static void stop_taking(struct client *client)
{
	client->at_end = true;
	client->linger_until_ns = client->loop->now_ns + LINGER_NS;
}

/* What has been sent may still be read; then it is over. */
static void linger(struct client *client)
{
	if (client->lingering)
		return;
	client->lingering = true;
	client->linger_until_ns = client->loop->now_ns + LINGER_NS;
	shutdown(client->fd, SHUT_WR);
}

static void client_free(struct client *client)
{
	struct loop *loop = client->loop;

	if (client->previous)
		client->previous->next = client->next;
	else
		loop->clients = client->next;
	if (client->next)
		client->next->previous = client->previous;
	loop->client_count--;
	atomic_fetch_sub(&loop->front->client_count, 1);
	if (client->http)
		http_close(client);
	SSL_free(client->tls);
	link_free(&client->link);
	wire_buffer_free(&client->out);
	wire_buffer_free(&client->sending);
	wire_buffer_free(&client->early);
	wire_buffer_free(&client->given);
	close(client->fd);
	settings_put(loop->front, client->settings);
	free(client);
}

static bool is_quiet(const struct client *client)
{
	return !client->receiving && !client->is_sending && !client->away &&
	       link_is_quiet(&client->link);
}

/* ---- out ---- */

static void on_sent(struct loop *loop, struct completion *completion, int32_t result,
                    uint32_t flags)
{
	struct client *client = container_of(completion, struct client, send);

	(void)flags;
	client->is_sending = false;
	if (result <= 0) {
		client_close(client);
	} else {
		client->last_octet_ns = loop->now_ns;
		client->sent += (size_t)result;
		if (client->sent == client->sending.len) {
			wire_buffer_reset(&client->sending, CLIENT_KEEP_LEN);
			client->sent = 0;
		}
	}
	front_mark_dirty(client);
}

static void send_out(struct client *client)
{
	struct io_uring_sqe *sqe;
	struct wire_buffer empty;

	if (client->is_sending || client->closing || client->away)
		return;
	if (!client->sending.len) {
		if (!client->out.len)
			return;
		empty = client->sending;
		client->sending = client->out;
		client->out = empty;
		client->sent = 0;
	}
	sqe = uring_sqe(&client->loop->ring, &client->send);
	io_uring_prep_send(sqe, client->fd, client->sending.data + client->sent,
	                   client->sending.len - client->sent, MSG_NOSIGNAL);
	client->is_sending = true;
}

/* From HTTP/2 into TLS records, as full as they can be. */
static void encrypt(struct client *client)
{
	while (client->http && client->out.len < OUT_MAX) {
		size_t len = http_send(client, client->loop->record, FRONT_PLAIN_LEN);
		bool done;

		if (!len)
			break;
		done = tls_write(client, client->loop->record, len);
		wire_wipe(client->loop->record, len);
		if (!done) {
			client_close(client);
			return;
		}
	}
}

void client_run_waiting(struct client *client)
{
	struct link *link = &client->link;
	struct rpc *list = link->waiting;

	link->waiting = NULL;
	link->waiting_last = &link->waiting;
	while (list) {
		struct rpc *rpc = list;

		/* What must wait on goes to the end of the new queue, in the same order. */
		list = rpc->queue_next;
		rpc->queue_next = NULL;
		rpc_run(rpc);
	}
}

void client_flush(struct client *client)
{
	if (client->closing) {
		if (is_quiet(client) && !client->rpcs)
			client_free(client);
		return;
	}
	client->sessions.now_ns = client->loop->now_ns;
	if (client->link.waiting)
		client_run_waiting(client);
	link_flush(&client->link);
	encrypt(client);
	if (client->closing)
		return;
	if (client->http && !client->at_end && http_is_done(client)) {
		tls_end(client);
		stop_taking(client);
	}
	send_out(client);
	if (client->at_end && !client->is_sending)
		linger(client);
}

/* ---- in ---- */

/* Who it is, and what it may do. */
static void identify(struct client *client)
{
	X509 *certificate = SSL_get1_peer_certificate(client->tls);

	client->restricted = rules_exist(client->settings->rules);
	client->rule = rules_match(client->settings->rules, certificate);
	if (certificate)
		identity_describe(certificate, client->identity, sizeof(client->identity));
	X509_free(certificate);
	if (client->restricted && !client->rule)
		log_warning("%s: no rule of [[daemon.clients]] fits %s; it may do nothing",
		            client->peer, client->identity[0] ? client->identity : "it");
}

/* False when the client is to be left alone from now on. */
static bool begin_http(struct client *client)
{
	const unsigned char *protocol;
	unsigned int protocol_len;

	client->handshake_done = true;
	atomic_fetch_add(&client->loop->front->counters.handshakes, 1);
	SSL_get0_alpn_selected(client->tls, &protocol, &protocol_len);
	if (!protocol_len) {
		log_warning("%s does not speak HTTP/2 (no ALPN); its connection is ended",
		            client->peer);
		tls_end(client);
		stop_taking(client);
		return false;
	}
	identify(client);
	if (http_open(client))
		return true;
	client_close(client);
	return false;
}

static void take_plain(struct client *client)
{
	unsigned char *plain = client->loop->plain;
	size_t len;

	while (!client->at_end && !client->closing) {
		enum tls_result result = tls_read(client, plain, FRONT_PLAIN_LEN, &len);
		bool good;

		if (result == TLS_WANTS_OCTETS)
			return;
		if (result != TLS_DONE) {
			client_close(client);
			return;
		}
		good = http_receive(client, (struct wire_bytes){plain, len});
		wire_wipe(plain, len);
		if (!good) {
			encrypt(client);
			stop_taking(client);
		}
	}
}

/* False when the client is to be left alone, for the time being or from now on. */
static bool shake_hands(struct client *client)
{
	switch (tls_handshake(client)) {
	case TLS_WANTS_OCTETS:
		return false;
	case TLS_DONE:
		return begin_http(client);
	default:
		tls_log_failure(client);
		stop_taking(client);
		return false;
	}
}

static void on_shaken(struct errand *errand);

/* By the other thread, which has OpenSSL's errors: they are each thread's own. */
static void shake(struct errand *errand)
{
	struct client *client = container_of(errand, struct client, handshake);

	client->handshake_result = tls_handshake(client);
	if (client->handshake_result != TLS_DONE && client->handshake_result != TLS_WANTS_OCTETS)
		tls_log_failure(client);
}

/* What has come goes to the other thread, unless that is still at what came before. */
static void shake_elsewhere(struct client *client)
{
	struct wire_buffer empty = client->given;

	if (client->away || !client->early.len)
		return;
	client->given = client->early;
	client->early = empty;
	client->in = (struct wire_bytes){client->given.data, client->given.len};
	client->away = true;
	client->handshake = (struct errand){.run = shake, .loop = client->loop, .done = on_shaken};
	errands_add(client->loop->front->handshakes, &client->handshake);
}

static void gather(struct client *client, struct wire_bytes octets)
{
	wire_put_raw(&client->early, octets.data, octets.len);
	if (client->early.failed)
		client_close(client);
	else
		shake_elsewhere(client);
}

/* The client's first octets of HTTP/2 may have come with the last of its handshake, or behind. */
static void take_early(struct client *client)
{
	if (!begin_http(client))
		return;
	take_plain(client);
	client->in = (struct wire_bytes){client->early.data, client->early.len};
	take_plain(client);
}

/* What the other thread did is seen: there were locks in between. */
static void on_shaken(struct errand *errand)
{
	struct client *client = container_of(errand, struct client, handshake);
	enum tls_result result = client->handshake_result;

	client->away = false;
	front_mark_dirty(client);
	if (client->closing)
		return;
	if (result == TLS_DONE)
		take_early(client);
	else if (result != TLS_WANTS_OCTETS)
		stop_taking(client);
	client->in = (struct wire_bytes){0};
	wire_buffer_reset(&client->given, 0);
	if (result == TLS_WANTS_OCTETS)
		shake_elsewhere(client);
	else
		wire_buffer_reset(&client->early, 0);
}

static void take_octets(struct client *client, struct wire_bytes octets)
{
	client->last_octet_ns = client->loop->now_ns;
	if (!client->handshake_done && client->settings->key_in_token) {
		gather(client, octets);
		return;
	}
	client->in = octets;
	if (client->handshake_done || shake_hands(client))
		take_plain(client);
	client->in = (struct wire_bytes){0};
}

static void arm_receive(struct client *client)
{
	struct io_uring_sqe *sqe = uring_sqe(&client->loop->ring, &client->receive);

	io_uring_prep_recv_multishot(sqe, client->fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 0;
	client->receiving = true;
}

static void lose(struct client *client)
{
	if (!client->handshake_done && !client->at_end && !client->away) {
		stop_taking(client);
		tls_log_failure(client);
	}
	client_close(client);
}

static void on_received(struct loop *loop, struct completion *completion, int32_t result,
                        uint32_t flags)
{
	struct client *client = container_of(completion, struct client, receive);

	if (!(flags & IORING_CQE_F_MORE))
		client->receiving = false;
	if (flags & IORING_CQE_F_BUFFER) {
		uint16_t id = (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT);
		struct wire_bytes octets = {loop->octets + (size_t)id * FRONT_BUFFER_LEN,
		                            result > 0 ? (size_t)result : 0};

		if (octets.len && !client->closing && !client->at_end)
			take_octets(client, octets);
		uring_buffers_recycle(&loop->buffers, id, result > 0 ? (size_t)result : 0);
	}
	if (result <= 0 && result != -ENOBUFS)
		lose(client);
	if (!client->receiving && !client->closing)
		arm_receive(client);
	front_mark_dirty(client);
}

/* ---- time ---- */

/* Does the agent work for it, or does it wait to be told something? A call whose client must read
 * first is no work. */
static bool has_work(const struct client *client)
{
	for (const struct rpc *rpc = client->rpcs; rpc; rpc = rpc->next)
		if (rpc->state == RPC_RUNNING ||
		    (rpc->state == RPC_QUEUED && !rpc_must_wait(rpc) && rpc_drained(rpc)))
			return true;
	return false;
}

static void check_handshake(struct client *client)
{
	uint64_t limit_ns = client_config(client)->daemon.handshake_timeout * 1000000000ull;

	if (client->loop->now_ns - client->opened_ns < limit_ns)
		return;
	counters_limit(&client->loop->front->counters, LIMIT_HANDSHAKE);
	if (client->away || !client->handshake_logged)
		log_warning("TLS handshake with %s failed: it took longer than "
		            "[daemon].handshake_timeout",
		            client->peer);
	if (!client->away)
		client->handshake_logged = true;
	client_close(client);
}

static void check_idle(struct client *client)
{
	uint64_t limit_ns = client_config(client)->daemon.idle_timeout * 1000000000ull;

	if (!limit_ns || client->loop->now_ns - client->last_octet_ns < limit_ns ||
	    has_work(client))
		return;
	if (!client->goaway) {
		counters_limit(&client->loop->front->counters, LIMIT_IDLE);
		log_info("%s: idle for %llu s; its connection is ended", client->peer,
		         (unsigned long long)client_config(client)->daemon.idle_timeout);
		http_goaway(client, NGHTTP2_NO_ERROR);
		client_flush(client);
	}
	if (!client->closing && !client->at_end) {
		tls_end(client);
		stop_taking(client);
		front_mark_dirty(client);
	}
}

/* One that takes nothing any more is not waited for. */
static void check_end(struct client *client)
{
	uint64_t now_ns = client->loop->now_ns;

	if (now_ns >= client->linger_until_ns && now_ns - client->last_octet_ns >= LINGER_NS)
		client_close(client);
}

static void check_calls(struct client *client, bool agent_changed)
{
	for (struct rpc *rpc = client->rpcs, *next; rpc; rpc = next) {
		next = rpc->next;
		if (rpc->deadline_ns && rpc->deadline_ns <= client->loop->now_ns)
			rpc_fail(rpc, GRPC_DEADLINE_EXCEEDED,
			         "the deadline of the call has passed");
		else if (agent_changed)
			watch_tell(rpc);
	}
}

/* Sessions that were needed for a while are given back: others may want them. With the link full
 * the agent could not be told; it is then for the next time. */
static void trim_pool(struct client *client)
{
	struct client_session *stale;

	client->sessions.now_ns = client->loop->now_ns;
	while (client->link.frames < LINK_FRAMES_MAX &&
	       (stale = sessions_stale_pool(&client->sessions, POOL_IDLE_NS))) {
		rpc_close_session(client, stale->handle);
		/* Nobody waits for a session that nobody uses. */
		(void)sessions_remove(&client->sessions, stale);
	}
}

void client_tick(struct client *client, bool agent_changed)
{
	if (client->closing)
		return;
	check_calls(client, agent_changed);
	trim_pool(client);
	if (client->at_end)
		check_end(client);
	else if (!client->handshake_done)
		check_handshake(client);
	else
		check_idle(client);
}

void client_drain(struct client *client)
{
	if (!client->handshake_done)
		client_close(client);
	else if (!client->goaway)
		http_goaway(client, NGHTTP2_NO_ERROR);
}

/* ---- the beginning ---- */

static void name_peer(struct client *client)
{
	struct sockaddr_storage address;
	socklen_t address_len = sizeof(address);
	char host[INET6_ADDRSTRLEN] = "?";
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (getpeername(client->fd, (struct sockaddr *)&address, &address_len))
		address.ss_family = AF_UNSPEC;
	memcpy(&v4, &address, sizeof(v4));
	memcpy(&v6, &address, sizeof(v6));
	if (address.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof(host));
		snprintf(client->peer, sizeof(client->peer), "[%s]:%u", host, ntohs(v6.sin6_port));
	} else if (address.ss_family == AF_INET) {
		inet_ntop(AF_INET, &v4.sin_addr, host, sizeof(host));
		snprintf(client->peer, sizeof(client->peer), "%s:%u", host, ntohs(v4.sin_port));
	} else {
		snprintf(client->peer, sizeof(client->peer), "a peer that is gone");
	}
}

/* Small answers at once, and a look now and then whether the host is still there. What cannot be
 * set is only slower. */
static void set_options(int fd)
{
	int one = 1, idle = KEEPALIVE_IDLE, pause = KEEPALIVE_PAUSE;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &pause, sizeof(pause));
}

static void enter(struct client *client)
{
	struct loop *loop = client->loop;

	client->next = loop->clients;
	if (loop->clients)
		loop->clients->previous = client;
	loop->clients = client;
	loop->client_count++;
	client->receive.handler = on_received;
	client->send.handler = on_sent;
	wire_buffer_init(&client->out, OUT_LIMIT, NULL);
	wire_buffer_init(&client->sending, OUT_LIMIT, NULL);
	wire_buffer_init(&client->early, EARLY_MAX, NULL);
	wire_buffer_init(&client->given, EARLY_MAX, NULL);
	client->opened_ns = client->last_octet_ns = loop->now_ns;
	link_init(&client->link, client);
	arm_receive(client);
}

/* Said once, until there was room again. */
static bool has_room(struct loop *loop, const struct settings *settings, unsigned int count)
{
	if (count < settings->config->daemon.max_connections) {
		loop->full = false;
		return true;
	}
	counters_limit(&loop->front->counters, LIMIT_CONNECTIONS);
	if (!loop->full)
		log_warning(
			"there are %u connections, as many as [daemon].max_connections lets in; "
			"further ones are closed",
			count);
	loop->full = true;
	return false;
}

void client_open(struct loop *loop, int fd)
{
	struct settings *settings = front_settings(loop->front);
	unsigned int count = atomic_fetch_add(&loop->front->client_count, 1);
	struct client *client = has_room(loop, settings, count) ? calloc(1, sizeof(*client)) : NULL;

	if (client) {
		client->loop = loop;
		client->fd = fd;
		client->settings = settings;
		name_peer(client);
		set_options(fd);
		if (tls_start(client)) {
			enter(client);
			return;
		}
		SSL_free(client->tls);
		free(client);
	}
	atomic_fetch_sub(&loop->front->client_count, 1);
	settings_put(loop->front, settings);
	close(fd);
}
