/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library's end of the window (wire/window.h): calls whose data are too long for the ring go
 * through it in parts, several of them on their way at a time, so that this side copies one while
 * the agent works on another. Each octet is copied once on this side: from the caller's memory to
 * the window, and from the window to the caller's.
 */
#ifndef LIB_EXCHANGE_WINDOW_H
#define LIB_EXCHANGE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/buffer.h"
#include "wire/ring.h"
#include "wire/window.h"

struct exchange_window {
	struct wire_window *area; /* NULL: none */
	bool offered;             /* by the agent, in its hello */
	uint32_t pause;           /* calls until it is asked again, since it had none */
	uint32_t turn;            /* requests that used it */
};

struct exchange_message;

/* Memory that `len` octets come to. */
struct exchange_aside {
	uint8_t *octets;
	size_t len;
};

/* A call of wire/parts.def. */
struct exchange_parts {
	const struct exchange_message *message;
	const void *request;     /* the call's own */
	struct wire_bytes *data; /* its field, whose octets go in parts */
	uint64_t session;
	bool query;      /* only the length is wanted */
	uint8_t *output; /* NULL: a query, or there is no result */
	uint64_t capacity;
	uint64_t output_len; /* what the agent says of it */
	/* Of an encrypted message: its IV comes before the output, its tag behind it. */
	struct exchange_aside before, behind;
};

#define EXCHANGE_FIELDS_LEN 256u /* of a request: data that may not fit the ring beside them */

/* Do so many octets go in parts, where that is possible? */
static inline bool exchange_worth_parts(size_t len)
{
	return len > WIRE_RING_SIZE - EXCHANGE_FIELDS_LEN;
}

/* Maps what the agent sent. False when it is not what it should be. */
bool exchange_window_map(struct exchange_window *window, int fd);
/* Also in a forked child, where the memory is not mapped any more. */
void exchange_window_unmap(struct exchange_window *window, bool forked);

#endif
