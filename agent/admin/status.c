/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin status: the agent's report, as JSON or for people.
 */
#include <stdio.h>
#include <string.h>

#include "admin.h"

static void print_tests(const json_t *report)
{
	const json_t *tests = json_object_get(report, "self_tests");
	size_t index;
	json_t *test;

	printf("self-tests   %lld ok, %lld failed, %lld unavailable\n",
	       admin_json_number(tests, "passed"), admin_json_number(tests, "failed"),
	       admin_json_number(tests, "unavailable"));
	json_array_foreach(json_object_get(tests, "tests"), index, test)
	{
		if (strcmp(admin_json_text(test, "result"), "ok"))
			printf("             %s: %s\n", admin_json_text(test, "name"),
			       admin_json_text(test, "result"));
	}
}

static void print_token(const json_t *token)
{
	printf("slot %-7lld %s", admin_json_number(token, "slot"), admin_json_text(token, "state"));
	if (strcmp(admin_json_text(token, "state"), "initialized")) {
		printf("\n");
		return;
	}
	printf(", \"%s\", serial %s, %lld objects, %lld sessions (%lld read/write)%s%s%s\n",
	       admin_json_text(token, "label"), admin_json_text(token, "serial"),
	       admin_json_number(token, "objects"), admin_json_number(token, "sessions"),
	       admin_json_number(token, "rw_sessions"),
	       json_is_true(json_object_get(token, "user_pin_set")) ? "" : ", user PIN not set",
	       json_is_true(json_object_get(token, "user_pin_locked")) ? ", user PIN LOCKED" : "",
	       json_is_true(json_object_get(token, "so_pin_locked")) ? ", SO PIN LOCKED" : "");
	if (admin_json_number(token, "user_pin_failures") ||
	    admin_json_number(token, "so_pin_failures"))
		printf("             wrong PINs since the last right one: user %lld, SO %lld\n",
		       admin_json_number(token, "user_pin_failures"),
		       admin_json_number(token, "so_pin_failures"));
}

static void print_application(const json_t *application)
{
	printf("process      pid %lld (%s), uid %lld: %lld sessions, %lld connections\n",
	       admin_json_number(application, "pid"), admin_json_text(application, "name"),
	       admin_json_number(application, "uid"), admin_json_number(application, "sessions"),
	       admin_json_number(application, "connections"));
}

static void print_module(const json_t *module)
{
	if (strcmp(admin_json_text(module, "state"), "ready")) {
		printf("module       %s: %s\n", admin_json_text(module, "state"),
		       admin_json_text(module, "reason"));
		return;
	}
	printf("module       ready, ABI %lld, %s, %lld of %lld bytes of arena in use\n",
	       admin_json_number(module, "abi"), admin_json_text(module, "device"),
	       admin_json_number(module, "arena_bytes"),
	       admin_json_number(module, "arena_quota_bytes"));
}

/* Once the first backend gave no more, how much is from which. */
static void print_memory(const json_t *memory)
{
	json_t *backends = json_object_get(memory, "bytes_by_backend");
	const char *name;
	json_t *len;

	printf("memory       %s, %lld bytes locked, %lld not, %lld in use",
	       admin_json_text(memory, "backend"), admin_json_number(memory, "locked_bytes"),
	       admin_json_number(memory, "unlocked_bytes"),
	       admin_json_number(memory, "used_bytes"));
	if (json_object_size(backends) > 1)
		json_object_foreach(backends, name, len)
			printf("; %s %lld", name, (long long)json_integer_value(len));
	printf("\n");
}

static void print_audit(const json_t *audit)
{
	printf("audit        %s%s, %lld records, %lld failures", admin_json_text(audit, "path"),
	       json_is_true(json_object_get(audit, "enabled")) ? "" : " (off)",
	       admin_json_number(audit, "sequence"), admin_json_number(audit, "failures"));
	if (json_is_true(json_object_get(audit, "anchored")))
		printf(", anchor %lld", admin_json_number(audit, "anchor"));
	printf("\n");
}

static const char *state_colour(const char *state)
{
	return admin_colour(!strcmp(state, "OPERATIONAL") ? COLOUR_GOOD : COLOUR_BAD);
}

static void print_report(const json_t *report)
{
	const json_t *drbg = json_object_get(report, "drbg");
	const json_t *events = json_object_get(report, "events");
	const json_t *clock = json_object_get(report, "clock");
	const json_t *sandbox;
	size_t index;
	json_t *each;

	printf("agent        %s, up %.0f s\n", admin_json_text(report, "version"),
	       json_number_value(json_object_get(report, "uptime_seconds")));
	printf("state        %s%s%s%s%s\n", state_colour(admin_json_text(report, "state")),
	       admin_json_text(report, "state"), admin_colour(COLOUR_PLAIN),
	       *admin_json_text(report, "reason") ? ": " : "", admin_json_text(report, "reason"));
	print_tests(report);
	print_memory(json_object_get(report, "memory"));
	print_module(json_object_get(report, "module"));
	sandbox = json_object_get(report, "sandbox");
	printf("sandbox      %s, %s\n",
	       admin_json_number(sandbox, "landlock") ? "Landlock" : "no Landlock",
	       json_is_true(json_object_get(sandbox, "seccomp")) ? "seccomp" : "no seccomp");
	printf("drbg         %lld requests, %lld reseeds, %lld failures\n",
	       admin_json_number(drbg, "requests"), admin_json_number(drbg, "reseeds"),
	       admin_json_number(drbg, "failures"));
	print_audit(json_object_get(report, "audit"));
	printf("events       %s%s%s, %lld received, %lld copies of the machine, %lld times lost\n",
	       json_is_true(json_object_get(events, "module")) ? "module" : "no module",
	       json_is_true(json_object_get(events, "uevents")) ? ", uevents" : "",
	       json_is_true(json_object_get(events, "kernel_log")) ? ", kernel log" : "",
	       admin_json_number(events, "received"), admin_json_number(events, "vm_generations"),
	       admin_json_number(events, "lost"));
	if (admin_json_number(clock, "steps"))
		printf("clock        stepped %lld times, last by %.0f ms\n",
		       admin_json_number(clock, "steps"),
		       json_number_value(json_object_get(clock, "last_step_ms")));
	json_array_foreach(json_object_get(report, "tokens"), index, each) print_token(each);
	json_array_foreach(json_object_get(report, "applications"), index, each)
		print_application(each);
}

json_t *admin_fetch_status(const struct admin_options *options)
{
	struct wire_admin_status_request request = {0};
	struct wire_admin_status_reply reply;
	admin_session_auto session = {0};
	CK_RV rv;

	if (!admin_session_reach(options, CHANNEL_NO_HELLO, "status", &session))
		return NULL;
	rv = request_admin_status(session.connection, &request, &reply);
	if (!rv)
		return admin_parse_json(reply.json);
	admin_fail_rv("status", rv);
	return NULL;
}

int admin_status(const struct admin_options *options)
{
	json_t *report = admin_fetch_status(options);

	if (!report)
		return ADMIN_FAILED;
	if (options->json)
		return admin_print_json(report);
	print_report(report);
	json_decref(report);
	return ADMIN_DONE;
}
