/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locked memory: where every plaintext key octet of the agent lives, OpenSSL's heap included. Three
 * backends, best one first: kmod (the kernel module, see kernel.h), memfd_secret, mlock. When
 * nothing can be locked the agent goes on with ordinary memory and says so.
 *
 * This module is one of two exceptions to "no global state but the context": OpenSSL's allocation
 * callbacks carry no context, so the arena hangs off a static of slots.c.
 */
#ifndef AGENT_SLOTS_H
#define AGENT_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/buffer.h"

enum slots_backend {
	SLOTS_AUTO, /* only as a wish */
	SLOTS_KMOD,
	SLOTS_MEMFD,
	SLOTS_MLOCK,
	SLOTS_UNLOCKED, /* only as an outcome */
	SLOTS_COUNT,
};

struct slots_statistics {
	enum slots_backend backend; /* of the first chunk */
	uint64_t lens[SLOTS_COUNT]; /* octets in chunks of each backend */
	uint64_t locked_len;        /* octets in chunks that are locked */
	uint64_t unlocked_len;      /* octets in chunks that could not be locked */
	uint64_t used_len;          /* octets handed out now; other threads' last 64 KiB may lack */
};

/*
 * Opens the arena and gives it to OpenSSL (CRYPTO_set_mem_functions), so it must come before any
 * other OpenSSL call, and after kernel_open. `wish` other than SLOTS_AUTO that cannot be had is an
 * error; with SLOTS_AUTO the next backend is taken, and if none locks, a warning "mlock failed:
 * REASON" is logged. 0, or -1 with one line in `error`.
 *
 * A backend that gives no more later (a quota, a limit) is followed by the next one, whatever the
 * wish was: that is a warning, once.
 */
int slots_open(enum slots_backend wish, char *error, size_t error_len);
/* Wipes and unmaps everything. Nothing of it may be in use. */
void slots_close(void);

/* Zeroed memory, 16-byte aligned, or NULL. Any thread. `len` 0 gives NULL. */
void *slots_allocate(size_t len) __attribute__((malloc, warn_unused_result));
/* Grows or shrinks; the old block is wiped. On failure NULL and the old block stays. */
void *slots_reallocate(void *memory, size_t len) __attribute__((warn_unused_result));
/* Wipes all of the block and takes it back. NULL is allowed. */
void slots_release(void *memory);
/* True when the address lies in a chunk of the arena, locked or not. */
bool slots_contains(const void *memory);

void slots_statistics(struct slots_statistics *statistics);
/* "kmod", "memfd_secret", "mlock", "none". */
const char *slots_backend_name(enum slots_backend backend);

/* For wire_buffer: frames with PINs and key values live here too; bulk data of more than 256 KiB in
 * ordinary memory. */
extern const struct wire_allocator slots_wire_allocator;

#endif
