/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The status report: what an operator asks a running agent, as one JSON object (docs/operation.md).
 * It answers in every state, to any peer that may connect, and holds nothing secret.
 */
#include "handle.h"

#include <string.h>

#include "config.h"
#include "drbg.h"
#include "events.h"
#include "kernel.h"
#include "keyring.h"
#include "self_test.h"
#include "slots.h"
#include "token_json.h"

/* More applications than this are counted, not listed, so that the report fits a control frame. */
#define LISTED_MAX 200u

static json_t *report_tests(const struct post_report *post)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < POST_COUNT; i++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "name", post_name(i), "result",
		                                      post_result_name(post->results[i])));
	return json_pack("{s:i, s:i, s:i, s:o}", "passed", post->passed, "failed", post->failed,
	                 "unavailable", post->unavailable, "tests", list);
}

static json_t *report_memory(void)
{
	json_t *backends = json_object();
	struct slots_statistics memory;

	slots_statistics(&memory);
	for (enum slots_backend i = SLOTS_KMOD; i < SLOTS_COUNT; i++) {
		if (memory.lens[i])
			json_object_set_new(backends, slots_backend_name(i),
			                    json_integer((json_int_t)memory.lens[i]));
	}
	return json_pack("{s:s, s:I, s:I, s:I, s:o}", "backend", slots_backend_name(memory.backend),
	                 "locked_bytes", (json_int_t)memory.locked_len, "unlocked_bytes",
	                 (json_int_t)memory.unlocked_len, "used_bytes", (json_int_t)memory.used_len,
	                 "bytes_by_backend", backends);
}

static json_t *report_module(void)
{
	struct kernel_statistics module;

	kernel_statistics(&module);
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "state",
	                 kernel_module_name(module.module), "device", kernel_device(), "reason",
	                 kernel_reason(), "abi", (json_int_t)module.abi, "arena_bytes",
	                 (json_int_t)module.arena_len, "arena_quota_bytes",
	                 (json_int_t)module.arena_quota_len);
}

static json_t *report_drbg(const struct agent *agent)
{
	struct drbg_statistics statistics = {0};

	if (agent->crypto)
		drbg_statistics(agent->crypto->drbg, &statistics);
	return json_pack("{s:I, s:I, s:I}", "requests", (json_int_t)statistics.requests, "reseeds",
	                 (json_int_t)statistics.reseeds, "failures",
	                 (json_int_t)statistics.failures);
}

static json_t *report_token(struct agent_slot *slot, uint64_t slot_id)
{
	struct token_info info;

	token_info(slot->token, &info);
	return json_pack(
		"{s:I, s:s, s:o, s:o, s:b, s:b, s:b, s:i, s:i, s:i, s:i, s:i}", "slot",
		(json_int_t)slot_id, "state", info.initialized ? "initialized" : "uninitialized",
		"label", token_text_json(info.label, sizeof(info.label)), "serial",
		token_text_json(info.serial, sizeof(info.serial)), "user_pin_set",
		info.user_pin_set, "user_pin_locked", (info.pin_flags & CKF_USER_PIN_LOCKED) != 0,
		"so_pin_locked", (info.pin_flags & CKF_SO_PIN_LOCKED) != 0, "user_pin_failures",
		info.user_failures, "so_pin_failures", info.so_failures, "objects",
		info.object_count, "sessions", atomic_load(&slot->session_count), "rw_sessions",
		atomic_load(&slot->rw_session_count));
}

static json_t *report_tokens(struct agent *agent)
{
	json_t *list = json_array();

	for (uint32_t i = 0; agent->slots && i < agent->slot_count; i++)
		json_array_append_new(list, report_token(&agent->slots[i], i));
	return list;
}

static json_t *report_application(struct application *application)
{
	uint32_t sessions, connections;
	json_t *name;

	pthread_mutex_lock(&application->lock);
	sessions = application->session_count;
	connections = application->connection_count;
	pthread_mutex_unlock(&application->lock);
	name = json_string(application->name);
	return json_pack("{s:I, s:i, s:i, s:o, s:i, s:i, s:s*}", "id", (json_int_t)application->id,
	                 "pid", (int)application->pid, "uid", (int)application->uid, "name",
	                 name ? name : json_string("?"), "sessions", sessions, "connections",
	                 connections, "client", application_client(application));
}

static void report_applications(struct agent *agent, json_t *report)
{
	struct application_list *applications = agent->applications;
	json_t *list = json_array();
	uint32_t count;

	pthread_mutex_lock(&applications->lock);
	count = applications->count;
	for (struct application *each = applications->first;
	     each && json_array_size(list) < LISTED_MAX; each = each->next)
		json_array_append_new(list, report_application(each));
	pthread_mutex_unlock(&applications->lock);
	json_object_set_new(report, "applications", list);
	json_object_set_new(report, "application_count", json_integer(count));
}

static json_t *report_audit(struct agent *agent)
{
	struct audit_statistics statistics = {.path = ""};

	if (agent->audit)
		audit_statistics(agent->audit, &statistics);
	return json_pack("{s:b, s:s, s:I, s:I, s:I, s:b, s:I}", "enabled",
	                 agent->config->audit.enabled, "path", statistics.path, "sequence",
	                 (json_int_t)statistics.sequence, "written", (json_int_t)statistics.written,
	                 "failures", (json_int_t)statistics.failures, "anchored",
	                 statistics.anchored, "anchor", (json_int_t)statistics.anchor);
}

static json_t *report_events(struct agent *agent)
{
	struct events_statistics statistics;

	events_statistics(agent->events, &statistics);
	return json_pack("{s:b, s:b, s:b, s:I, s:I, s:I}", "module", statistics.module, "uevents",
	                 statistics.uevents, "kernel_log", statistics.kernel_log, "received",
	                 (json_int_t)statistics.received, "vm_generations",
	                 (json_int_t)statistics.vm_generations, "lost",
	                 (json_int_t)statistics.lost);
}

static json_t *report_clock(struct agent *agent)
{
	return json_pack("{s:I, s:f}", "steps", (json_int_t)atomic_load(&agent->clock.steps),
	                 "last_step_ms", (double)atomic_load(&agent->clock.last_step_ns) / 1e6);
}

static json_t *report(struct agent *agent)
{
	json_t *all = json_object();
	uint64_t uptime_ns = clock_monotonic_ns() - agent->started_ns;

	json_object_set_new(all, "version", json_string(CRATON_VERSION));
	json_object_set_new(all, "state", json_string(state_name(state_get(&agent->state))));
	json_object_set_new(all, "reason", json_string(state_reason(&agent->state)));
	json_object_set_new(all, "uptime_seconds", json_real((double)uptime_ns / 1e9));
	json_object_set_new(all, "fips_approved_only",
	                    json_boolean(agent->config->algorithms.fips_approved_only));
	json_object_set_new(all, "loops", json_integer(agent->loop_count));
	json_object_set_new(all, "jobs_waiting", json_integer(workers_waiting(agent->workers)));
	json_object_set_new(all, "self_tests", report_tests(&agent->post));
	json_object_set_new(all, "memory", report_memory());
	json_object_set_new(all, "module", report_module());
	json_object_set_new(all, "sandbox",
	                    json_pack("{s:i, s:b}", "landlock", agent->sandbox.landlock, "seccomp",
	                              agent->sandbox.seccomp));
	json_object_set_new(all, "drbg", report_drbg(agent));
	json_object_set_new(all, "audit", report_audit(agent));
	json_object_set_new(all, "events", report_events(agent));
	json_object_set_new(all, "clock", report_clock(agent));
	json_object_set_new(all, "tokens", report_tokens(agent));
	report_applications(agent, all);
	return all;
}

enum err handle_admin_status(struct call *call, const struct wire_admin_status_request *request,
                             struct wire_admin_status_reply *reply)
{
	(void)request;
	return handle_put_json(call, report(call->agent), &reply->json);
}

enum err handle_admin_keyring_publish(struct call *call,
                                      const struct wire_admin_keyring_publish_request *request,
                                      struct wire_admin_keyring_publish_reply *reply)
{
	(void)request;
	return keyring_publish(call->agent->keyring, &reply->serial, &reply->count);
}

enum err handle_admin_self_test(struct call *call,
                                const struct wire_admin_self_test_request *request,
                                struct wire_admin_self_test_reply *reply)
{
	struct post_report report;
	enum err err = handle_operator(call);

	(void)request;
	if (err)
		return err;
	self_test_run(call->agent, &report);
	return handle_put_json(call, report_tests(&report), &reply->json);
}
