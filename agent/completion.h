/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an io_uring completion calls: user_data of every SQE points to one of these, embedded in the
 * object it is about.
 */
#ifndef AGENT_COMPLETION_H
#define AGENT_COMPLETION_H

#include <stddef.h>
#include <stdint.h>

struct loop;
struct completion;

/* `result` and `flags` are the CQE's. The function may free the object when no further CQE of it
 * can come. */
typedef void completion_handler(struct loop *loop, struct completion *completion, int32_t result,
                                uint32_t flags);

struct completion {
	completion_handler *handler;
};

#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
