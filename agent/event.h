/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel tells: the module's events, the coming and going of its netlink family, and the
 * two ways in which a kernel may tell without the module that the machine was copied: a line in its
 * log, and the uevent that some vendors' kernels have. Octets become a struct here; no sockets.
 */
#ifndef AGENT_EVENT_H
#define AGENT_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <craton_hsm.h>

#define EVENT_ATTRIBUTE_MAX CRATON_HSM_ATTR_COUNT
#define EVENT_TEXT_LEN      512u /* enough for every event_text, terminator included */

enum event_type {
	EVENT_SLOT_CREATED,
	EVENT_SLOT_DESTROYED,
	EVENT_ACCESS_DENIED,
	EVENT_VM_GENERATION,
	EVENT_HIBERNATION_REFUSED,
	EVENT_WIPED,
	EVENT_UNKNOWN,      /* of a newer module */
	EVENT_MALFORMED,    /* what it promises is not in it */
	EVENT_LOST,         /* the socket overran or failed: any event may have been among them */
	EVENT_MODULE_FOUND, /* its events are heard from now on */
	EVENT_MODULE_GONE,
	EVENT_TYPES,
};

enum event_source_name { EVENT_FROM_MODULE, EVENT_FROM_UEVENT, EVENT_FROM_LOG };

struct event {
	enum event_type type;
	enum event_source_name source;
	uint32_t command; /* the module's number of an unknown event */
	uint32_t present; /* bit n: values[n] was in the message */
	uint64_t values[EVENT_ATTRIBUTE_MAX + 1];
};

/* What nlctrl says about our family. */
struct event_family {
	bool gone;
	uint16_t id;
	uint32_t group; /* of its events; 0 when gone */
};

/* A message of the module's family; any octets give an event, if only EVENT_MALFORMED. */
void event_decode(const void *octets, size_t len, struct event *event);
/* A message of nlctrl. False when it is not about our family, or malformed. */
bool event_decode_family(const void *octets, size_t len, struct event_family *family);
/* A uevent. False when it says nothing about the machine's generation. */
bool event_decode_uevent(const void *octets, size_t len, struct event *event);

/* The same of a record of /dev/kmsg. */
bool event_decode_log(const void *octets, size_t len, struct event *event);

/* "kernel_slot_created", as the audit log calls it; static. */
const char *event_operation(enum event_type type);
/* Must every random generator be seeded anew? */
bool event_wants_reseed(const struct event *event);

/* One number of an event, by its name; `word` is what the number means, or "". */
struct event_field {
	const char *name;
	uint64_t number;
	char word[32];
};
/* False when `attribute` (up to EVENT_ATTRIBUTE_MAX) is not in the event. */
bool event_field(const struct event *event, unsigned int attribute, struct event_field *field);
/* "module", "uevent" or "kernel-log". */
const char *event_source_text(const struct event *event);
/* "source=module slot=3 purpose=volume ..." in `text` (EVENT_TEXT_LEN octets). */
void event_text(const struct event *event, char *text);

#endif
