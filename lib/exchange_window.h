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
#include "wire/window.h"

struct exchange_window {
	struct wire_window *area; /* NULL: none */
	bool offered;             /* by the agent, in its hello */
	uint32_t pause;           /* calls until it is asked again, since it had none */
	uint32_t turn;            /* requests that used it */
};

/* A call of wire/parts.def. */
struct exchange_parts {
	uint16_t opcode;
	uint64_t session;
	struct wire_bytes data;
	uint8_t *output;     /* NULL: only the length is wanted, or there is no result */
	bool query;          /* only the length is wanted */
	uint64_t capacity;   /* of `output` */
	uint64_t output_len; /* what the agent says of it */
};

/* Maps what the agent sent. False when it is not what it should be. */
bool exchange_window_map(struct exchange_window *window, int fd);
/* Also in a forked child, where the memory is not mapped any more. */
void exchange_window_unmap(struct exchange_window *window, bool forked);

#endif
