/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an event to the log, the audit log and the random generators. Reading and decoding are
 * event_source.c's and event.c's.
 */
#include "events.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent.h"
#include "audit.h"
#include "crypto.h"
#include "drbg.h"
#include "event_source.h"
#include "log.h"

struct events {
	struct agent *agent;
	struct event_source *source;
	uint64_t ticket; /* of the last audit record */
	bool told;       /* that copies of the machine may go unnoticed */
	atomic_bool module, uevents, kernel_log;
	_Atomic uint64_t received, vm_generations, lost;
};

static void log_event(const struct event *event, const char *text)
{
	const char *operation = event_operation(event->type);

	switch (event->type) {
	case EVENT_SLOT_CREATED:
	case EVENT_SLOT_DESTROYED:
		log_info("%s: %s", operation, text);
		break;
	case EVENT_MODULE_FOUND:
	case EVENT_MODULE_GONE:
		log_notice("%s: %s", operation, text);
		break;
	default:
		log_warning("%s: %s%s", operation, text,
		            event_wants_reseed(event) ? "; random generators reseed" : "");
	}
}

static void audit_event(struct events *events, const struct event *event, const char *text)
{
	bool denied = event->type == EVENT_ACCESS_DENIED;
	bool whose = event->present & 1u << CRATON_HSM_ATTR_UID;
	struct audit_record record = audit_own_record(event_operation(event->type),
	                                              denied ? ERROR_DENIED : ERROR_NONE, text);
	uint64_t ticket;

	if (whose) {
		record.uid = (uid_t)event->values[CRATON_HSM_ATTR_UID];
		record.pid = (pid_t)event->values[CRATON_HSM_ATTR_PID];
	}
	ticket = audit_append_own(events->agent->audit, &record);
	if (ticket)
		events->ticket = ticket;
}

static void count(struct events *events, const struct event *event)
{
	atomic_fetch_add(&events->received, 1);
	if (event->type == EVENT_VM_GENERATION)
		atomic_fetch_add(&events->vm_generations, 1);
	if (event->type == EVENT_LOST)
		atomic_fetch_add(&events->lost, 1);
}

static void take(void *context, const struct event *event)
{
	struct events *events = context;
	char text[EVENT_TEXT_LEN];

	/* First of all: no output may come between. */
	if (event_wants_reseed(event)) {
		drbg_reseed_all(events->agent->crypto->drbg);
		crypto_forget_ivs(events->agent->crypto);
		epoch_raise(&events->agent->epoch); /* nor any that a client has drawn ahead */
	}
	count(events, event);
	event_text(event, text);
	log_event(event, text);
	audit_event(events, event, text);
}

/* The answer whether the module is there is the first that is ever read. */
static void note_sources(struct events *events)
{
	bool module = event_source_hears_module(events->source);
	bool kernel_log = event_source_hears_log(events->source);

	atomic_store(&events->module, module);
	atomic_store(&events->uevents, event_source_hears_uevents(events->source));
	atomic_store(&events->kernel_log, kernel_log);
	if (!events->told && !module && !kernel_log)
		log_notice("copies of this virtual machine would go unnoticed by most kernels: the "
		           "module craton_hsm is not loaded, and the kernel's log is closed "
		           "(CAP_SYSLOG)");
	events->told = true;
}

uint64_t events_read(struct events *events)
{
	events->ticket = 0;
	event_source_read(events->source, take, events);
	note_sources(events);
	return events->ticket;
}

void events_open(struct events **out, struct agent *agent)
{
	struct events *events = calloc(1, sizeof(*events));
	char problem[256] = "kernel events cannot be heard: out of memory";

	*out = NULL;
	if (events)
		event_source_open(&events->source, problem, sizeof(problem));
	if (*problem)
		log_warning("%s; copies of the machine may go unnoticed", problem);
	if (!events || !events->source) {
		free(events);
		return;
	}
	events->agent = agent;
	atomic_init(&events->uevents, event_source_hears_uevents(events->source));
	atomic_init(&events->kernel_log, event_source_hears_log(events->source));
	/* Of a copy made since the generators were seeded nobody has heard. */
	drbg_reseed_all(agent->crypto->drbg);
	*out = events;
}

void events_close(struct events *events)
{
	if (!events)
		return;
	event_source_close(events->source);
	free(events);
}

int events_fd(const struct events *events)
{
	return events ? event_source_fd(events->source) : -1;
}

void events_statistics(const struct events *events, struct events_statistics *statistics)
{
	*statistics = (struct events_statistics){0};
	if (!events)
		return;
	statistics->module = atomic_load(&events->module);
	statistics->uevents = atomic_load(&events->uevents);
	statistics->kernel_log = atomic_load(&events->kernel_log);
	statistics->received = atomic_load(&events->received);
	statistics->vm_generations = atomic_load(&events->vm_generations);
	statistics->lost = atomic_load(&events->lost);
}
