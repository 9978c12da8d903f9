/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin token list, info and init.
 */
#include <stdio.h>
#include <string.h>

#include "admin.h"
#include "pin_set.h"

#define LABEL_MAX 32u

/* ---- list and info ---- */

static bool is_initialized(const json_t *token)
{
	return !strcmp(admin_json_text(token, "state"), "initialized");
}

static const char *pin_state(const json_t *token, const char *locked, const char *set)
{
	if (json_is_true(json_object_get(token, locked)))
		return "LOCKED";
	return set && !json_is_true(json_object_get(token, set)) ? "not set" : "set";
}

static void print_line(const json_t *token)
{
	if (!is_initialized(token)) {
		printf("slot %lld: uninitialized\n", admin_json_number(token, "slot"));
		return;
	}
	printf("slot %lld: \"%s\", serial %s, %lld objects loaded, user PIN %s\n",
	       admin_json_number(token, "slot"), admin_json_text(token, "label"),
	       admin_json_text(token, "serial"), admin_json_number(token, "objects"),
	       pin_state(token, "user_pin_locked", "user_pin_set"));
}

int admin_token_list(const struct admin_options *options)
{
	json_t *report = admin_fetch_status(options), *tokens, *token;
	size_t index;

	if (!report)
		return ADMIN_FAILED;
	tokens = json_incref(json_object_get(report, "tokens"));
	json_decref(report);
	if (options->json)
		return admin_print_json(json_pack("{s:o}", "tokens", tokens));
	json_array_foreach(tokens, index, token) print_line(token);
	json_decref(tokens);
	return ADMIN_DONE;
}

static void print_token(const json_t *token)
{
	printf("slot         %lld\n", admin_json_number(token, "slot"));
	printf("state        %s\n", admin_json_text(token, "state"));
	if (!is_initialized(token))
		return;
	printf("label        %s\n", admin_json_text(token, "label"));
	printf("serial       %s\n", admin_json_text(token, "serial"));
	printf("user PIN     %s, %lld wrong since the last right one\n",
	       pin_state(token, "user_pin_locked", "user_pin_set"),
	       admin_json_number(token, "user_pin_failures"));
	printf("SO PIN       %s, %lld wrong since the last right one\n",
	       pin_state(token, "so_pin_locked", NULL),
	       admin_json_number(token, "so_pin_failures"));
	printf("objects      %lld loaded (private ones while somebody is logged in)\n",
	       admin_json_number(token, "objects"));
	printf("sessions     %lld, of which %lld read/write\n",
	       admin_json_number(token, "sessions"), admin_json_number(token, "rw_sessions"));
}

static json_t *find_token(const json_t *report, uint64_t slot_id)
{
	json_t *token;
	size_t index;

	json_array_foreach(json_object_get(report, "tokens"), index, token)
	{
		if ((uint64_t)admin_json_number(token, "slot") == slot_id)
			return json_incref(token);
	}
	admin_fail("there is no slot %llu", (unsigned long long)slot_id);
	return NULL;
}

int admin_token_info(const struct admin_options *options)
{
	json_t *report, *token;
	uint64_t slot_id;

	if (!admin_slot(options, &slot_id))
		return ADMIN_USAGE;
	report = admin_fetch_status(options);
	token = report ? find_token(report, slot_id) : NULL;
	json_decref(report);
	if (!token)
		return ADMIN_FAILED;
	if (options->json)
		return admin_print_json(token);
	print_token(token);
	json_decref(token);
	return ADMIN_DONE;
}

/* ---- init ---- */

/* An initialised token is destroyed only when asked for by name. */
static bool may_initialize(struct connection *connection, const struct admin_options *options,
                           uint64_t slot_id)
{
	struct wire_get_token_info_request request = {.slot_id = slot_id};
	struct wire_get_token_info_reply reply;
	CK_RV rv = request_get_token_info(connection, &request, &reply);

	if (rv == CKR_TOKEN_NOT_PRESENT)
		return true;
	if (rv) {
		admin_fail_rv("reading the token", rv);
		return false;
	}
	if (!(reply.flags & CKF_TOKEN_INITIALIZED) || options->reinitialize)
		return true;
	admin_fail("slot %llu holds an initialised token; --reinitialize destroys it and every key "
	           "in it",
	           (unsigned long long)slot_id);
	return false;
}

static bool initialize(struct connection *connection, uint64_t slot_id, const char *label,
                       const struct admin_pin *so_pin)
{
	struct wire_init_token_request request = {
		.slot_id = slot_id,
		.pin = {so_pin->octets, so_pin->len},
		.label = wire_text(label),
	};
	CK_RV rv = request_init_token(connection, &request, NULL);

	if (rv)
		admin_fail_rv("initialising the token", rv);
	return !rv;
}

static bool make_token(const struct admin_options *options, uint64_t slot_id)
{
	admin_pin_auto so_pin = {0}, user_pin = {0};
	admin_session_auto session = {0};

	return admin_session_reach(options, CHANNEL_HELLO, "token init", &session) &&
	       may_initialize(session.connection, options, slot_id) &&
	       admin_pin_read(&options->so_pin, "SO PIN", true, &so_pin) &&
	       admin_pin_read(&options->user_pin, "user PIN", true, &user_pin) &&
	       initialize(session.connection, slot_id, options->label, &so_pin) &&
	       pin_set_user(session.connection, slot_id, &so_pin, &user_pin);
}

int admin_token_init(const struct admin_options *options)
{
	uint64_t slot_id;

	if (!options->label || !*options->label || strlen(options->label) > LABEL_MAX) {
		admin_fail("--label: 1 to %u octets are needed", LABEL_MAX);
		return ADMIN_USAGE;
	}
	if (!admin_slot(options, &slot_id))
		return ADMIN_USAGE;
	return make_token(options, slot_id)
	               ? admin_report_slot(options, slot_id, "token initialised")
	               : ADMIN_FAILED;
}
