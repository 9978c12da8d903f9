/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where chunks of the arena come from. One row per backend, best first.
 */
#ifndef AGENT_SLOTS_BACKEND_H
#define AGENT_SLOTS_BACKEND_H

#include <stddef.h>

#include "slots.h"

struct slots_backend_row {
	enum slots_backend backend;
	const char *name;
	bool locked;
	/* Zeroed memory of `len` octets (whole pages), or NULL with errno. */
	void *(*map)(size_t len);
};

#define SLOTS_BACKEND_COUNT 4u
extern const struct slots_backend_row slots_backends[SLOTS_BACKEND_COUNT];

/* One line on why `map` gave nothing, and what to do. */
void slots_backend_reason(const struct slots_backend_row *row, int error, char *reason,
                          size_t reason_len);

#endif
