/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Octets between a window and the frames that name them, one copy each way. The window is the
 * client's: a part is copied out before anybody looks at it (handle_parts.c), but for what a
 * cipher reads once and writes once, and what is written is not read again.
 */
#include "connection_window.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "connection_ring.h"
#include "dispatch.h"
#include "loop.h"
#include "shared_memory.h"
#include "slots.h"

#define WINDOWS_MAX 512u   /* of all clients: 64 MiB */
#define IDLE_MS     10000u /* at most twice as long a window stays that nobody uses */
#define LEN_LEN     4u     /* of a length on the wire */
#define FLAGS_AT    10u    /* in a frame */

struct connection_window {
	struct wire_window *area;
	uint32_t turn;           /* requests that used it */
	bool used;               /* since the last look */
	struct wire_buffer rest; /* of the last reply's output */
	size_t rest_at;
};

/* ---- the memory ---- */

static bool count(struct agent *agent)
{
	if (atomic_fetch_add(&agent->window_count, 1) < WINDOWS_MAX)
		return true;
	atomic_fetch_sub(&agent->window_count, 1);
	return false;
}

static struct connection_window *window_new(struct agent *agent, int *fd)
{
	struct connection_window *window;

	*fd = -1;
	if (!count(agent))
		return NULL;
	window = calloc(1, sizeof(*window));
	if (window)
		window->area =
			shared_memory_new("craton-hsm window", sizeof(*window->area), false, fd);
	if (window && window->area) {
		atomic_store(&window->area->alive, 1);
		return window;
	}
	free(window);
	atomic_fetch_sub(&agent->window_count, 1);
	return NULL;
}

/* The client may have it mapped still; the pages go back to the system all the same. Should it be
 * reading a reply there, it sees by `alive` that it read nothing. */
void connection_window_free(struct connection *connection)
{
	struct connection_window *window = connection->window;

	if (!window)
		return;
	atomic_store(&window->area->alive, 0);
	if (madvise(window->area, sizeof(*window->area), MADV_REMOVE))
		wire_wipe(window->area, sizeof(*window->area));
	shared_memory_free(window->area, sizeof(*window->area));
	wire_buffer_free(&window->rest);
	free(window);
	connection->window = NULL;
	atomic_fetch_sub(&connection->loop->agent->window_count, 1);
}

/* ---- giving up what is not used ---- */

static void arm_timer(struct loop *loop);

static unsigned int idle_ms(void)
{
#ifdef CRATON_TEST_HOOKS
	const char *hook = getenv("CRATON_TEST_WINDOW_IDLE_MS");

	if (hook)
		return (unsigned int)strtoul(hook, NULL, 10);
#endif
	return IDLE_MS;
}

/* Nothing is in it that the client may still want. */
static bool is_idle(const struct connection *connection)
{
	const struct connection_window *window = connection->window;

	return !window->used && !window->rest.len && !connection->calls &&
	       wire_ring_all_taken(&connection->ring->replies);
}

/* Is there a window still? */
static bool look_at(struct connection *connection)
{
	struct connection_window *window = connection->window;

	if (!window)
		return false;
	if (is_idle(connection)) {
		connection_window_free(connection);
		return false;
	}
	window->used = false;
	return true;
}

static void on_timer(struct loop *loop, struct completion *completion, int32_t result,
                     uint32_t flags)
{
	bool left = false;

	(void)completion;
	(void)result;
	(void)flags;
	loop->window_timer_armed = false;
	for (struct connection *each = loop->connections; each; each = each->next)
		left |= look_at(each);
	if (left)
		arm_timer(loop);
}

static void arm_timer(struct loop *loop)
{
	if (loop->window_timer_armed || loop->stopping)
		return;
	loop->window_timer_armed = true;
	loop->window_timer.handler = on_timer;
	loop_arm_timer(loop, &loop->window_timer, idle_ms(), &loop->window_delay);
}

void connection_window_adopt(struct connection *connection)
{
	if (connection->window)
		arm_timer(connection->loop);
}

bool connection_window_open(struct connection *connection, const struct wire_frame_header *header)
{
	bool sent;
	int fd;

	if (!(connection->features & WIRE_FEATURE_WINDOW) || !connection->ring || connection->calls)
		return false;
	connection_window_free(connection);
	connection->window = window_new(connection->loop->agent, &fd);
	sent = shared_memory_answer(connection->fd, header, sizeof(struct wire_window), &fd,
	                            connection->window ? 1 : 0);
	if (fd >= 0)
		close(fd);
	if (connection->window) {
		connection->window->used = true;
		arm_timer(connection->loop);
	}
	return sent;
}

/* ---- requests ---- */

static uint8_t *next_slot(struct connection_window *window)
{
	window->used = true;
	return window->area->slots[window->turn++ % WIRE_WINDOW_SLOTS];
}

static void drop_rest(struct connection_window *window)
{
	wire_buffer_free(&window->rest);
	window->rest_at = 0;
}

static bool takes_parts(uint16_t opcode)
{
	return opcode == WIRE_OPCODE_parts_begin || opcode == WIRE_OPCODE_parts_next;
}

bool connection_window_read(struct connection *connection, struct wire_frame_header *header,
                            uint8_t *body, struct call_part *part)
{
	struct connection_window *window = connection->window;
	uint8_t *announced;

	*part = (struct call_part){0};
	if (!(header->flags & WIRE_FRAME_WINDOW))
		return true;
	if (!takes_parts(header->opcode) || header->body_len < LEN_LEN)
		return false;
	announced = body + header->body_len - LEN_LEN;
	part->len = wire_load_u32(announced);
	if (part->len > WIRE_WINDOW_PART_LEN)
		return false;
	if (!window)
		return true;
	drop_rest(window);
	part->slot = next_slot(window);
	wire_store_u32(announced, 0);
	header->flags &= (uint16_t)~WIRE_FRAME_WINDOW;
	return true;
}

/* ---- replies ---- */

/* Of a reply whose last field has `len` octets, elsewhere. */
static void announce(struct wire_buffer *reply, uint8_t flags, size_t len)
{
	reply->data[FLAGS_AT] = flags;
	wire_store_u32(reply->data + reply->len - LEN_LEN, (uint32_t)len);
}

static size_t slot_share(size_t len)
{
	return len < WIRE_WINDOW_SLOT_LEN ? len : WIRE_WINDOW_SLOT_LEN;
}

static void keep_rest(struct connection_window *window, struct call *call, size_t given_len)
{
	if (given_len == call->output.len)
		return;
	window->rest = call->output;
	window->rest_at = given_len;
	wire_buffer_init(&call->output, call->output.limit, call->output.allocator);
}

bool connection_window_reply(struct connection *connection, struct call *call)
{
	const struct call_part *part = &call->part;
	size_t len = part->given ? part->given_len : slot_share(call->output.len);

	if (len && !part->given)
		memcpy(part->slot, call->output.data, len);
	announce(&call->reply, WIRE_FRAME_REPLY | WIRE_FRAME_WINDOW, len);
	if (!connection_ring_reply(connection,
	                           (struct wire_bytes){call->reply.data, call->reply.len}, true))
		return false;
	if (!part->given)
		keep_rest(connection->window, call, len);
	return true;
}

void connection_window_close_reply(struct call *call)
{
	const struct call_part *part = &call->part;
	struct wire_bytes output = {call->output.data, call->output.len};

	if (part->given)
		output = (struct wire_bytes){part->slot, part->given_len};
	announce(&call->reply, WIRE_FRAME_REPLY, output.len);
	wire_store_u32(call->reply.data,
	               (uint32_t)(call->reply.len - WIRE_FRAME_HEADER_LEN + output.len));
	wire_put_raw(&call->reply, output.data, output.len);
	call->by_slot = false;
	if (call->reply.failed)
		dispatch_fail(call, ERROR_MEMORY);
}

bool connection_window_rest(struct connection *connection, const struct wire_frame_header *header)
{
	struct connection_window *window = connection->window;
	uint8_t frame[WIRE_FRAME_HEADER_LEN + LEN_LEN];
	struct wire_frame_header reply = *header;
	uint8_t *slot;
	size_t len;

	if (!window)
		return false;
	slot = next_slot(window);
	len = slot_share(window->rest.len - window->rest_at);
	if (len)
		memcpy(slot, window->rest.data + window->rest_at, len);
	window->rest_at += len;
	if (window->rest_at == window->rest.len)
		drop_rest(window);
	reply.body_len = LEN_LEN;
	reply.flags = WIRE_FRAME_REPLY | WIRE_FRAME_WINDOW;
	wire_frame_store(frame, &reply);
	wire_store_u32(frame + WIRE_FRAME_HEADER_LEN, (uint32_t)len);
	return connection_ring_reply(connection, (struct wire_bytes){frame, sizeof(frame)}, true);
}
