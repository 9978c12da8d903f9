/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon takes away from itself before it opens anything, so that a fault in it cannot be
 * used to reach the rest of the machine: by Landlock every file but those of its configuration, by
 * seccomp the system calls that only an intruder would make. The unit's SystemCallFilter is
 * narrower, and comes on top.
 */
#ifndef AGENT_SANDBOX_H
#define AGENT_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

struct config;

struct sandbox {
	int landlock; /* its version in the kernel; 0: not in force */
	bool seccomp;
};

/*
 * For the whole process, so before its first thread; `file` is the configuration's. What the kernel
 * cannot do is a warning, and with [security].sandbox = "required" a failure: -1 with one line in
 * `error`.
 */
int sandbox_enter(struct sandbox *sandbox, const struct config *config, const char *file,
                  char *error, size_t error_len);

/* The same for cratond: it reads its certificates and connects to the agent's socket, and nothing
 * else. */
int sandbox_enter_front(struct sandbox *sandbox, const struct config *config, const char *file,
                        char *error, size_t error_len);

#endif
