/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that is shared with a client: sealed, so that the client cannot shrink it under our feet,
 * and sent as a descriptor with the reply that the client waits for.
 */
#ifndef AGENT_SHARED_MEMORY_H
#define AGENT_SHARED_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/buffer.h"
#include "wire/frame.h"

#define SHARED_MEMORY_FDS_MAX 2u /* that go with one reply */

/* `len` octets of zeros, in no core dump and no child; locked or not. NULL, and *fd -1, without
 * memory. The descriptor is the caller's to close. */
void *shared_memory_new(const char *name, size_t len, bool locked, int *fd);
/* Unmaps it; wiping is the owner's business. */
void shared_memory_free(void *memory, size_t len);
/* Answers `request` by `area_len` and the descriptors; without any (count 0) by ERROR_MEMORY. False
 * when the connection must end. */
bool shared_memory_answer(int socket_fd, const struct wire_frame_header *request, uint32_t area_len,
                          const int *fds, size_t count);

#endif
