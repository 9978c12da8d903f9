/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel module as the agent keeps it (include/uapi/craton_hsm.h is its manual): one descriptor
 * of its device, opened once at the start and never inherited, for locked memory and the audit
 * log's anchor. What needs slots that end with their owner (volume_keys.c) opens the device anew.
 *
 * The device belongs to the arena of slots.c, whose callbacks carry no context; so this is the
 * other half of that exception to "no global state but the context".
 */
#ifndef AGENT_KERNEL_H
#define AGENT_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KERNEL_LOG_ID_LEN   16u
#define KERNEL_REGISTER_LEN 32u

enum kernel_module {
	KERNEL_UNTRIED,
	KERNEL_READY,
	KERNEL_MISSING,   /* no device: the module is not loaded */
	KERNEL_DENIED,    /* not open to this user */
	KERNEL_OTHER_ABI, /* a module of another version */
	KERNEL_FAILED,    /* anything else */
};

struct kernel_statistics {
	enum kernel_module module;
	uint32_t abi;       /* of the module; 0 while it was not asked */
	uint64_t arena_len; /* octets that this user has of it now */
	uint64_t arena_quota_len;
};

/* A register of the audit log: extend-only, until the module is unloaded. Counter 0: there is none.
 */
struct kernel_register {
	uint64_t counter;
	uint8_t value[KERNEL_REGISTER_LEN];
};

/* The registers, as a table so that tests can have their own. Both give 0 or -errno. */
struct kernel_anchor {
	/* register = SHA-256(register | value), counter + 1; *now is what it is then. */
	int (*extend)(const uint8_t log_id[KERNEL_LOG_ID_LEN],
	              const uint8_t value[KERNEL_REGISTER_LEN], struct kernel_register *now);
	/* A log that has none yet is no error: counter 0. */
	int (*read)(const uint8_t log_id[KERNEL_LOG_ID_LEN], struct kernel_register *now);
};

/* Opens the device and asks which version speaks; what comes of it is kernel_module()'s to say. A
 * second call changes nothing. Before any thread and any fork. */
void kernel_open(void);
/* Memory that was mapped stays. */
void kernel_close(void);
enum kernel_module kernel_module(void);
/* "ready", "missing", "denied", "other-abi", "failed", "untried". */
const char *kernel_module_name(enum kernel_module module);
/* Why it is not ready and what to do, one line that begins with the path; "" when it is. */
const char *kernel_reason(void);
/* CRATON_HSM_DEVICE, but in a build with test hooks. */
const char *kernel_device(void);
void kernel_statistics(struct kernel_statistics *statistics);

/* Zeroed memory of the module, `len` octets in whole pages, given back by munmap of all of it; NULL
 * with errno, ENODEV when the module is not ready. Any thread. */
void *kernel_map(size_t len);
/* NULL when the module is not ready. */
const struct kernel_anchor *kernel_anchor(void);

#endif
