/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session and its callbacks. A stream's user data is its call.
 */
#include "grpc/http.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "config.h"
#include "grpc/client.h"
#include "grpc/header.h"
#include "grpc/method.h"
#include "log.h"

#define STREAM_WINDOW     (256u * 1024u)
#define WINDOW_SHARE      4u /* of the connection's memory, one stream's window at most */
#define CONNECTION_WINDOW (4 * 1024 * 1024)
#define FRAME_HEADER_LEN  9u
#define DATA_LEN          (HTTP_ROOM_MIN - FRAME_HEADER_LEN) /* in one frame */
#define WORK_FACTOR                                                                                \
	2u /* calls that a client may have, those whose streams are gone included, per stream */

static struct counters *counters_of(struct client *client)
{
	return &client->loop->front->counters;
}

/* ---- floods ---- */

/* Answers what is left with GOAWAY, and ends the connection. */
static void end_flood(struct client *client, enum limit limit, const char *what)
{
	if (client->goaway)
		return;
	counters_limit(counters_of(client), limit);
	log_warning("%s: too many %s; its connection is ended", client->peer, what);
	http_goaway(client, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void count_reset(struct client *client)
{
	if (rate_exceeds(&client->resets, client->loop->now_ns,
	                 client_config(client)->daemon.max_resets))
		end_flood(client, LIMIT_RESETS, "cancelled calls");
}

static void count_ping(struct client *client)
{
	if (rate_exceeds(&client->pings, client->loop->now_ns,
	                 client_config(client)->daemon.max_pings))
		end_flood(client, LIMIT_PINGS, "control frames");
}

/* ---- requests ---- */

static int on_begin_headers(nghttp2_session *http, const nghttp2_frame *frame, void *context)
{
	struct client *client = context;
	struct rpc *rpc;

	client->heading = nghttp2_session_get_stream_user_data(http, frame->hd.stream_id);
	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	/* Cancelled calls still have the agent at work, and are not counted as streams any more. */
	if (client->rpc_count >= WORK_FACTOR * client_config(client)->daemon.max_streams ||
	    client->goaway) {
		counters_limit(counters_of(client), LIMIT_STREAMS);
		nghttp2_submit_rst_stream(http, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
		                          NGHTTP2_REFUSED_STREAM);
		return 0;
	}
	rpc = rpc_new(client, frame->hd.stream_id);
	if (!rpc)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	client->open_streams++;
	client->heading = rpc;
	nghttp2_session_set_stream_user_data(http, frame->hd.stream_id, rpc);
	return 0;
}

static int on_header(nghttp2_session *http, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *context)
{
	struct client *client = context;
	struct rpc *rpc = client->heading;

	(void)http;
	(void)frame;
	(void)flags;
	if (!rpc || rpc->state == RPC_ENDED)
		return 0;
	rpc->header_len += name_len + value_len + 32;
	if (rpc->header_len > client_config(client)->daemon.max_header_size) {
		counters_limit(counters_of(client), LIMIT_HEADER);
		rpc_fail(rpc, GRPC_RESOURCE_EXHAUSTED,
		         "the headers are larger than [daemon].max_header_size");
		return 0;
	}
	header_take(rpc, (struct wire_bytes){name, name_len},
	            (struct wire_bytes){value, value_len});
	return 0;
}

static void end_headers(struct rpc *rpc)
{
	if (rpc->state == RPC_ENDED)
		return;
	if (!rpc->method || rpc->bad_type)
		rpc_fail(rpc, GRPC_UNIMPLEMENTED,
		         rpc->bad_type ? "the content-type is not application/grpc"
		                       : "there is no such method");
	else if (rpc->bad_encoding)
		rpc_fail(rpc, GRPC_UNIMPLEMENTED, "compressed messages are not taken");
	else
		rpc_start(rpc);
}

static int on_frame(nghttp2_session *http, const nghttp2_frame *frame, void *context)
{
	struct client *client = context;
	struct rpc *rpc = nghttp2_session_get_stream_user_data(http, frame->hd.stream_id);

	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		if (rpc && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
			end_headers(rpc);
		/* fallthrough */
	case NGHTTP2_DATA:
		if (rpc && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
			rpc_input_end(rpc);
		break;
	case NGHTTP2_RST_STREAM:
		count_reset(client);
		break;
	case NGHTTP2_PING:
	case NGHTTP2_SETTINGS:
	case NGHTTP2_PRIORITY:
		if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
			count_ping(client);
		break;
	default:
		break;
	}
	return 0;
}

/* What a call does not keep counts against its window no more; the connection's window is only for
 * keeping clients from sending faster than we look. */
static int on_data(nghttp2_session *http, uint8_t flags, int32_t stream_id, const uint8_t *octets,
                   size_t len, void *context)
{
	struct rpc *rpc = nghttp2_session_get_stream_user_data(http, stream_id);
	size_t done = len;

	(void)flags;
	(void)context;
	if (rpc)
		done = rpc_receive(rpc, (struct wire_bytes){octets, len});
	if (nghttp2_session_consume_connection(http, len) ||
	    nghttp2_session_consume_stream(http, stream_id, done))
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	return 0;
}

static int on_close(nghttp2_session *http, int32_t stream_id, uint32_t error, void *context)
{
	struct client *client = context;
	struct rpc *rpc = nghttp2_session_get_stream_user_data(http, stream_id);

	(void)error;
	if (!rpc)
		return 0;
	client->open_streams--;
	rpc_abandon(rpc);
	return 0;
}

/* nghttp2 refuses streams beyond SETTINGS_MAX_CONCURRENT_STREAMS by itself. */
static int on_invalid_frame(nghttp2_session *http, const nghttp2_frame *frame, int error,
                            void *context)
{
	struct client *client = context;

	(void)http;
	if (frame->hd.type == NGHTTP2_HEADERS && error == NGHTTP2_ERR_REFUSED_STREAM)
		counters_limit(counters_of(client), LIMIT_STREAMS);
	return 0;
}

static int on_sent_frame(nghttp2_session *http, const nghttp2_frame *frame, void *context)
{
	struct client *client = context;
	struct rpc *rpc = nghttp2_session_get_stream_user_data(http, frame->hd.stream_id);

	if (frame->hd.type == NGHTTP2_RST_STREAM &&
	    frame->rst_stream.error_code == NGHTTP2_REFUSED_STREAM)
		counters_limit(counters_of(client), LIMIT_STREAMS);
	/* A client that makes us cancel its calls cancels them. Refused ones were never begun, and
	 * NO_ERROR is ours, below. */
	else if (frame->hd.type == NGHTTP2_RST_STREAM &&
	         frame->rst_stream.error_code != NGHTTP2_NO_ERROR)
		count_reset(client);
	/* The answer is complete, the request is not: its rest is of no interest. */
	if (frame->hd.type == NGHTTP2_HEADERS && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
	    rpc && !rpc->input_ended)
		return nghttp2_submit_rst_stream(http, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
		                                 NGHTTP2_NO_ERROR);
	return 0;
}

/* ---- replies ---- */

/* How much goes into the next frame. It is copied when the frame is sent, past nghttp2, whose own
 * buffers would keep it. */
static ssize_t read_response(nghttp2_session *http, int32_t stream_id, uint8_t *octets, size_t room,
                             uint32_t *flags, nghttp2_data_source *source, void *context)
{
	struct rpc *rpc = source->ptr;
	size_t left_len = rpc->response.len - rpc->response_at, len = left_len;

	(void)context;
	(void)stream_id;
	(void)octets;
	if (len > room)
		len = room;
	if (len > DATA_LEN)
		len = DATA_LEN;
	if (!len && !rpc->ended) {
		rpc->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (rpc->ended && len == left_len) {
		*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
		if (header_submit_trailer(http, rpc))
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	return (ssize_t)len;
}

static int send_data(nghttp2_session *http, nghttp2_frame *frame, const uint8_t *header, size_t len,
                     nghttp2_data_source *source, void *context)
{
	struct client *client = context;
	struct rpc *rpc = source->ptr;
	uint8_t *octets = client->record + client->record_len;

	(void)http;
	(void)frame; /* without padding: we ask for none */
	if (client->record_room - client->record_len < FRAME_HEADER_LEN + len)
		return NGHTTP2_ERR_WOULDBLOCK;
	memcpy(octets, header, FRAME_HEADER_LEN);
	if (len)
		memcpy(octets + FRAME_HEADER_LEN, rpc->response.data + rpc->response_at, len);
	rpc->response_at += len;
	client->record_len += FRAME_HEADER_LEN + len;
	return 0;
}

void http_respond(struct rpc *rpc)
{
	nghttp2_session *http = rpc->client->http;
	nghttp2_data_provider provider = {.source.ptr = rpc, .read_callback = read_response};
	int failed = 0;

	/* Of a call that failed only what has been sent already counts. */
	if (!rpc->headers_sent && rpc->ended && rpc->status != GRPC_OK) {
		rpc->response_at = rpc->response.len;
		rpc->headers_sent = true;
		failed = header_submit_failure(http, rpc);
	} else if (!rpc->headers_sent) {
		rpc->headers_sent = true;
		failed = header_submit_response(http, rpc, &provider);
	} else if (rpc->deferred) {
		rpc->deferred = false;
		failed = nghttp2_session_resume_data(http, rpc->stream_id);
	}
	/* Of a stream that is gone nobody waits for it. */
	if (failed && nghttp2_is_fatal(failed))
		log_error("%s: HTTP/2: %s", rpc->client->peer, nghttp2_strerror(failed));
	front_mark_dirty(rpc->client);
}

void http_consumed(struct rpc *rpc, size_t len)
{
	/* Fails only for a stream that is gone. */
	if (rpc->stream_id)
		(void)nghttp2_session_consume_stream(rpc->client->http, rpc->stream_id, len);
	front_mark_dirty(rpc->client);
}

/* ---- the session ---- */

static nghttp2_session_callbacks *make_callbacks(void)
{
	nghttp2_session_callbacks *callbacks;

	if (nghttp2_session_callbacks_new(&callbacks))
		return NULL;
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent_frame);
	nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
	return callbacks;
}

static int open_session(struct client *client, nghttp2_session_callbacks *callbacks)
{
	nghttp2_mem memory = memory_for_http(&client->loop->memory);
	nghttp2_option *option;
	int failed = nghttp2_option_new(&option);

	if (failed)
		return failed;
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_no_closed_streams(option, 1);
	/* Ours are the limits that are counted and answered by GOAWAY; nghttp2's are behind them.
	 */
	nghttp2_option_set_stream_reset_rate_limit(
		option, 2 * client_config(client)->daemon.max_resets + 1000, 1000);
	failed = nghttp2_session_server_new3(&client->http, callbacks, client, option, &memory);
	nghttp2_option_del(option);
	return failed;
}

/* So that a stream that sends on while a message of its own is at work keeps within the memory. */
static uint32_t stream_window(const struct config *config)
{
	uint64_t share = config->daemon.max_connection_memory / WINDOW_SHARE;

	return share < STREAM_WINDOW ? (uint32_t)share : STREAM_WINDOW;
}

static int submit_settings(struct client *client)
{
	const struct config *config = client_config(client);
	nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)config->daemon.max_streams},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window(config)},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)config->daemon.max_header_size},
	};
	int failed = nghttp2_submit_settings(client->http, NGHTTP2_FLAG_NONE, settings,
	                                     sizeof(settings) / sizeof(settings[0]));

	return failed ? failed
	              : nghttp2_session_set_local_window_size(client->http, NGHTTP2_FLAG_NONE, 0,
	                                                      CONNECTION_WINDOW);
}

bool http_open(struct client *client)
{
	nghttp2_session_callbacks *callbacks = make_callbacks();
	int failed = callbacks ? open_session(client, callbacks) : NGHTTP2_ERR_NOMEM;

	nghttp2_session_callbacks_del(callbacks);
	if (!failed)
		failed = submit_settings(client);
	return !failed;
}

bool http_receive(struct client *client, struct wire_bytes octets)
{
	ssize_t taken = nghttp2_session_mem_recv(client->http, octets.data, octets.len);

	front_mark_dirty(client);
	if (taken == NGHTTP2_ERR_FLOODED)
		counters_limit(counters_of(client), LIMIT_PINGS);
	if (taken < 0 && !client->goaway)
		log_warning("%s: HTTP/2: %s", client->peer, nghttp2_strerror((int)taken));
	return taken >= 0;
}

/* As much of nghttp2's piece as there is room for. */
static void take_piece(struct client *client)
{
	size_t room = client->record_room - client->record_len;
	size_t now = client->piece.len < room ? client->piece.len : room;

	memcpy(client->record + client->record_len, client->piece.data, now);
	client->piece.data += now;
	client->piece.len -= now;
	client->record_len += now;
}

/* nghttp2 gives what it has piece by piece; a piece stays its own until the next is asked for, so
 * one that does not fit is kept for the next time. Messages come by send_data, between two pieces.
 */
size_t http_send(struct client *client, uint8_t *octets, size_t room)
{
	client->record = octets;
	client->record_len = 0;
	client->record_room = room;
	while (client->record_len < room) {
		if (!client->piece.len) {
			const uint8_t *data;
			ssize_t piece_len = nghttp2_session_mem_send(client->http, &data);

			if (piece_len <= 0)
				break;
			client->piece = (struct wire_bytes){data, (size_t)piece_len};
		}
		take_piece(client);
	}
	client->record = NULL;
	return client->record_len;
}

bool http_is_done(const struct client *client)
{
	return !client->piece.len && !nghttp2_session_want_read(client->http) &&
	       !nghttp2_session_want_write(client->http);
}

void http_goaway(struct client *client, uint32_t error)
{
	client->goaway = true;
	if (!client->http)
		return;
	if (error == NGHTTP2_NO_ERROR)
		(void)nghttp2_submit_goaway(client->http, NGHTTP2_FLAG_NONE,
		                            nghttp2_session_get_last_proc_stream_id(client->http),
		                            error, NULL, 0);
	else
		(void)nghttp2_session_terminate_session(client->http, error);
	front_mark_dirty(client);
}

void http_close(struct client *client)
{
	nghttp2_session_del(client->http);
	client->http = NULL;
}
