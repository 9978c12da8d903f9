/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One socket, one question: the status report, which the agent answers in every state and without a
 * hello.
 */
#include "grpc/watch.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "wire/codec.h"

struct watch {
	struct loop *loop;
	int fd;
	bool connected, asked, stopping;
	unsigned int busy; /* completions that are to come */
	uint8_t question[WIRE_FRAME_HEADER_LEN];
	struct wire_buffer in;
	uint8_t octets[4096];
	struct completion connect, send, receive;
};

static const char *const names[] = {
	[AGENT_DOWN] = "UNAVAILABLE", [AGENT_ERROR] = "ERROR", [AGENT_OPERATIONAL] = "OPERATIONAL"};

const char *watch_state_name(enum agent_state state)
{
	return names[state];
}

void watch_reason(struct front *front, char *text, size_t text_len)
{
	pthread_mutex_lock(&front->reason_lock);
	snprintf(text, text_len, "%s", front->reason);
	pthread_mutex_unlock(&front->reason_lock);
}

static void set_state(struct watch *watch, enum agent_state state, const char *reason)
{
	struct front *front = watch->loop->front;
	bool changed;

	pthread_mutex_lock(&front->reason_lock);
	snprintf(front->reason, sizeof(front->reason), "%s", reason);
	pthread_mutex_unlock(&front->reason_lock);
	changed = atomic_exchange(&front->agent_state, state) != state;
	if (!changed)
		return;
	atomic_fetch_add(&front->agent_changes, 1);
	if (state == AGENT_OPERATIONAL)
		log_notice("the agent serves");
	else
		log_warning("the agent does not serve: %s", reason);
}

/* ---- the answer ---- */

static void take_report(struct watch *watch, struct wire_bytes text)
{
	json_t *report = json_loadb((const char *)text.data, text.len, 0, NULL);
	const char *state = json_string_value(json_object_get(report, "state"));
	const char *reason = json_string_value(json_object_get(report, "reason"));

	if (state && strcmp(state, names[AGENT_OPERATIONAL]) == 0)
		set_state(watch, AGENT_OPERATIONAL, "");
	else
		set_state(watch, AGENT_ERROR,
		          reason && *reason ? reason : "its state is not known");
	json_decref(report);
}

/* Two answers never come at once: there is one question at a time. */
static bool take_answer(struct watch *watch)
{
	struct wire_admin_status_reply reply;
	struct wire_frame_header header;
	struct wire_bytes body;

	if (watch->in.len < WIRE_FRAME_HEADER_LEN)
		return true;
	wire_frame_parse(&header, watch->in.data);
	if (header.opcode != WIRE_OPCODE_admin_status || header.body_len > WIRE_CONTROL_LIMIT)
		return false;
	if (watch->in.len < WIRE_FRAME_HEADER_LEN + header.body_len)
		return true;
	body = (struct wire_bytes){watch->in.data + WIRE_FRAME_HEADER_LEN, header.body_len};
	if (header.status == CKR_OK && wire_decode_admin_status_reply(body, &reply))
		take_report(watch, reply.json);
	else
		set_state(watch, AGENT_ERROR, "it refuses its status");
	wire_buffer_reset(&watch->in, 0);
	watch->asked = false;
	return true;
}

/* ---- the socket ---- */

static void drop(struct watch *watch, const char *reason)
{
	if (watch->fd < 0)
		return;
	if (!watch->stopping)
		set_state(watch, AGENT_DOWN, reason);
	watch->connected = watch->asked = false;
	shutdown(watch->fd, SHUT_RDWR);
	if (watch->busy)
		return;
	close(watch->fd);
	watch->fd = -1;
	wire_buffer_reset(&watch->in, 0);
}

static void arm_receive(struct watch *watch)
{
	struct io_uring_sqe *sqe = uring_sqe(&watch->loop->ring, &watch->receive);

	io_uring_prep_recv(sqe, watch->fd, watch->octets, sizeof(watch->octets), 0);
	watch->busy++;
}

static void on_received(struct loop *loop, struct completion *completion, int32_t result,
                        uint32_t flags)
{
	struct watch *watch = container_of(completion, struct watch, receive);

	(void)loop;
	(void)flags;
	watch->busy--;
	if (result > 0)
		wire_put_raw(&watch->in, watch->octets, (size_t)result);
	if (result <= 0 || watch->in.failed || !take_answer(watch) || watch->stopping ||
	    !watch->connected)
		drop(watch, "it does not run, or went away");
	else
		arm_receive(watch);
}

static void on_sent(struct loop *loop, struct completion *completion, int32_t result,
                    uint32_t flags)
{
	struct watch *watch = container_of(completion, struct watch, send);

	(void)loop;
	(void)flags;
	watch->busy--;
	if (result != (int32_t)sizeof(watch->question) || !watch->connected)
		drop(watch, "it does not run, or went away");
}

static void ask(struct watch *watch)
{
	struct wire_frame_header header = {.opcode = WIRE_OPCODE_admin_status};
	struct io_uring_sqe *sqe = uring_sqe(&watch->loop->ring, &watch->send);

	wire_frame_store(watch->question, &header);
	io_uring_prep_send(sqe, watch->fd, watch->question, sizeof(watch->question), MSG_NOSIGNAL);
	watch->asked = true;
	watch->busy++;
}

static void on_connected(struct loop *loop, struct completion *completion, int32_t result,
                         uint32_t flags)
{
	struct watch *watch = container_of(completion, struct watch, connect);

	(void)loop;
	(void)flags;
	watch->busy--;
	if (result < 0 || watch->stopping) {
		drop(watch, result < 0 ? strerror(-result) : "");
		return;
	}
	watch->connected = true;
	arm_receive(watch);
	ask(watch);
}

static void connect_to_agent(struct watch *watch)
{
	struct front *front = watch->loop->front;
	struct io_uring_sqe *sqe;

	watch->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (watch->fd < 0) {
		set_state(watch, AGENT_DOWN, strerror(errno));
		return;
	}
	sqe = uring_sqe(&watch->loop->ring, &watch->connect);
	io_uring_prep_connect(sqe, watch->fd, (const struct sockaddr *)&front->agent_address,
	                      front->agent_address_len);
	watch->busy++;
}

void watch_tick(struct watch *watch)
{
	if (watch->stopping)
		return;
	if (watch->fd < 0)
		connect_to_agent(watch);
	else if (watch->connected && watch->asked)
		drop(watch, "it does not answer");
	else if (watch->connected)
		ask(watch);
}

struct watch *watch_open(struct loop *loop)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->loop = loop;
	watch->fd = -1;
	watch->connect.handler = on_connected;
	watch->send.handler = on_sent;
	watch->receive.handler = on_received;
	wire_buffer_init(&watch->in, WIRE_CONTROL_LIMIT + WIRE_FRAME_HEADER_LEN, NULL);
	connect_to_agent(watch);
	return watch;
}

bool watch_stop(struct watch *watch)
{
	if (!watch)
		return true;
	watch->stopping = true;
	if (watch->fd >= 0)
		shutdown(watch->fd, SHUT_RDWR);
	return !watch->busy;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	if (watch->fd >= 0)
		close(watch->fd);
	wire_buffer_free(&watch->in);
	free(watch);
}
