/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin status: the agent's report, as JSON or for people.
 */
#include <stdio.h>
#include <string.h>

#include "admin.h"

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "?";
}

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_tests(const json_t *report)
{
	const json_t *tests = json_object_get(report, "self_tests");
	size_t index;
	json_t *test;

	printf("self-tests   %lld ok, %lld failed, %lld unavailable\n", number(tests, "passed"),
	       number(tests, "failed"), number(tests, "unavailable"));
	json_array_foreach(json_object_get(tests, "tests"), index, test)
	{
		if (strcmp(text(test, "result"), "ok"))
			printf("             %s: %s\n", text(test, "name"), text(test, "result"));
	}
}

static void print_token(const json_t *token)
{
	printf("slot %-7lld %s", number(token, "slot"), text(token, "state"));
	if (strcmp(text(token, "state"), "initialized")) {
		printf("\n");
		return;
	}
	printf(", \"%s\", serial %s, %lld objects, %lld sessions (%lld read/write)%s%s%s\n",
	       text(token, "label"), text(token, "serial"), number(token, "objects"),
	       number(token, "sessions"), number(token, "rw_sessions"),
	       json_is_true(json_object_get(token, "user_pin_set")) ? "" : ", user PIN not set",
	       json_is_true(json_object_get(token, "user_pin_locked")) ? ", user PIN LOCKED" : "",
	       json_is_true(json_object_get(token, "so_pin_locked")) ? ", SO PIN LOCKED" : "");
	if (number(token, "user_pin_failures") || number(token, "so_pin_failures"))
		printf("             wrong PINs since the last right one: user %lld, SO %lld\n",
		       number(token, "user_pin_failures"), number(token, "so_pin_failures"));
}

static void print_application(const json_t *application)
{
	printf("process      pid %lld (%s), uid %lld: %lld sessions, %lld connections\n",
	       number(application, "pid"), text(application, "name"), number(application, "uid"),
	       number(application, "sessions"), number(application, "connections"));
}

static void print_module(const json_t *module)
{
	if (strcmp(text(module, "state"), "ready")) {
		printf("module       %s: %s\n", text(module, "state"), text(module, "reason"));
		return;
	}
	printf("module       ready, ABI %lld, %s, %lld of %lld bytes of arena in use\n",
	       number(module, "abi"), text(module, "device"), number(module, "arena_bytes"),
	       number(module, "arena_quota_bytes"));
}

/* Once the first backend gave no more, how much is from which. */
static void print_memory(const json_t *memory)
{
	json_t *backends = json_object_get(memory, "bytes_by_backend");
	const char *name;
	json_t *len;

	printf("memory       %s, %lld bytes locked, %lld not, %lld in use", text(memory, "backend"),
	       number(memory, "locked_bytes"), number(memory, "unlocked_bytes"),
	       number(memory, "used_bytes"));
	if (json_object_size(backends) > 1)
		json_object_foreach(backends, name, len)
			printf("; %s %lld", name, (long long)json_integer_value(len));
	printf("\n");
}

static void print_audit(const json_t *audit)
{
	printf("audit        %s%s, %lld records, %lld failures", text(audit, "path"),
	       json_is_true(json_object_get(audit, "enabled")) ? "" : " (off)",
	       number(audit, "sequence"), number(audit, "failures"));
	if (json_is_true(json_object_get(audit, "anchored")))
		printf(", anchor %lld", number(audit, "anchor"));
	printf("\n");
}

static void print_report(const json_t *report)
{
	const json_t *drbg = json_object_get(report, "drbg");
	const json_t *events = json_object_get(report, "events");
	const json_t *clock = json_object_get(report, "clock");
	size_t index;
	json_t *each;

	printf("agent        %s, up %.0f s\n", text(report, "version"),
	       json_number_value(json_object_get(report, "uptime_seconds")));
	printf("state        %s%s%s\n", text(report, "state"), *text(report, "reason") ? ": " : "",
	       text(report, "reason"));
	print_tests(report);
	print_memory(json_object_get(report, "memory"));
	print_module(json_object_get(report, "module"));
	printf("drbg         %lld requests, %lld reseeds, %lld failures\n",
	       number(drbg, "requests"), number(drbg, "reseeds"), number(drbg, "failures"));
	print_audit(json_object_get(report, "audit"));
	printf("events       %s%s%s, %lld received, %lld copies of the machine, %lld times lost\n",
	       json_is_true(json_object_get(events, "module")) ? "module" : "no module",
	       json_is_true(json_object_get(events, "uevents")) ? ", uevents" : "",
	       json_is_true(json_object_get(events, "kernel_log")) ? ", kernel log" : "",
	       number(events, "received"), number(events, "vm_generations"),
	       number(events, "lost"));
	if (number(clock, "steps"))
		printf("clock        stepped %lld times, last by %.0f ms\n", number(clock, "steps"),
		       json_number_value(json_object_get(clock, "last_step_ms")));
	json_array_foreach(json_object_get(report, "tokens"), index, each) print_token(each);
	json_array_foreach(json_object_get(report, "applications"), index, each)
		print_application(each);
}

static json_t *fetch(struct channel *channel)
{
	struct wire_admin_status_request request = {0};
	struct wire_admin_status_reply reply;
	json_t *report;
	CK_RV rv;
	connection_auto connection = channel_borrow(channel, &rv);

	if (connection)
		rv = request_admin_status(connection, &request, &reply);
	if (rv) {
		admin_fail_rv("status", rv);
		return NULL;
	}
	report = json_loadb((const char *)reply.json.data, reply.json.len, JSON_REJECT_DUPLICATES,
	                    NULL);
	if (!report)
		admin_fail("the agent's report is not JSON");
	return report;
}

int admin_status(const struct admin_options *options)
{
	struct channel *channel;
	json_t *report;

	if (!admin_connect(options, CHANNEL_NO_HELLO, &channel))
		return ADMIN_FAILED;
	report = fetch(channel);
	channel_close(channel);
	if (!report)
		return ADMIN_FAILED;
	if (options->json)
		return admin_print_json(report);
	print_report(report);
	json_decref(report);
	return ADMIN_DONE;
}
