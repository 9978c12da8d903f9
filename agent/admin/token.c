/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin token init and pin reset: the two acts of the SO, made of ordinary requests.
 */
#include <stdio.h>
#include <string.h>

#include "admin.h"

#define LABEL_MAX 32u

static struct wire_bytes view(const struct admin_pin *pin)
{
	return (struct wire_bytes){pin->octets, pin->len};
}

static CK_RV open_session(struct connection *connection, uint64_t slot_id, uint64_t *session)
{
	struct wire_open_session_request request = {
		.slot_id = slot_id,
		.flags = CKF_SERIAL_SESSION | CKF_RW_SESSION,
	};
	struct wire_open_session_reply reply;
	CK_RV rv = request_open_session(connection, &request, &reply);

	*session = rv ? 0 : reply.session;
	return rv;
}

/* Sets the user PIN as SO; the session ends with the connection. False with a line on standard
 * error. */
static bool set_user_pin(struct connection *connection, uint64_t slot_id,
                         const struct admin_pin *so_pin, const struct admin_pin *user_pin)
{
	struct wire_login_request login = {.user_type = CKU_SO, .pin = view(so_pin)};
	struct wire_init_pin_request init_pin = {.pin = view(user_pin)};
	CK_RV rv;

	rv = open_session(connection, slot_id, &login.session);
	if (rv) {
		admin_fail_rv("opening a session", rv);
		return false;
	}
	init_pin.session = login.session;
	rv = request_login(connection, &login, NULL);
	if (rv) {
		admin_fail_rv("login of the SO", rv);
		return false;
	}
	rv = request_init_pin(connection, &init_pin, NULL);
	if (rv)
		admin_fail_rv("setting the user PIN", rv);
	return !rv;
}

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
		.pin = view(so_pin),
		.label = wire_text(label),
	};
	CK_RV rv = request_init_token(connection, &request, NULL);

	if (rv)
		admin_fail_rv("initialising the token", rv);
	return !rv;
}

static int report(const struct admin_options *options, uint64_t slot_id, const char *done)
{
	if (options->json)
		return admin_print_json(
			json_pack("{s:s, s:I}", "done", done, "slot", (json_int_t)slot_id));
	printf("slot %llu: %s\n", (unsigned long long)slot_id, done);
	return ADMIN_DONE;
}

static bool make_token(struct channel *channel, const struct admin_options *options,
                       uint64_t slot_id)
{
	admin_pin_auto so_pin = {0}, user_pin = {0};
	CK_RV rv;
	connection_auto connection = channel_borrow(channel, &rv);

	if (!connection) {
		admin_fail_rv("token init", rv);
		return false;
	}
	return may_initialize(connection, options, slot_id) &&
	       admin_pin_read(&options->so_pin, "SO PIN", true, &so_pin) &&
	       admin_pin_read(&options->user_pin, "user PIN", true, &user_pin) &&
	       initialize(connection, slot_id, options->label, &so_pin) &&
	       set_user_pin(connection, slot_id, &so_pin, &user_pin);
}

int admin_token_init(const struct admin_options *options)
{
	struct channel *channel;
	uint64_t slot_id;
	bool done;

	if (!options->label || !*options->label || strlen(options->label) > LABEL_MAX) {
		admin_fail("--label: 1 to %u octets are needed", LABEL_MAX);
		return ADMIN_USAGE;
	}
	if (!admin_slot(options, &slot_id))
		return ADMIN_USAGE;
	if (!admin_connect(options, CHANNEL_HELLO, &channel))
		return ADMIN_FAILED;
	done = make_token(channel, options, slot_id);
	channel_close(channel);
	return done ? report(options, slot_id, "token initialised") : ADMIN_FAILED;
}

static bool reset_pin(struct channel *channel, const struct admin_options *options,
                      uint64_t slot_id)
{
	admin_pin_auto so_pin = {0}, new_pin = {0};
	CK_RV rv;
	connection_auto connection = channel_borrow(channel, &rv);

	if (!connection) {
		admin_fail_rv("pin reset", rv);
		return false;
	}
	return admin_pin_read(&options->so_pin, "SO PIN", false, &so_pin) &&
	       admin_pin_read(&options->new_pin, "new user PIN", true, &new_pin) &&
	       set_user_pin(connection, slot_id, &so_pin, &new_pin);
}

int admin_pin_reset(const struct admin_options *options)
{
	struct channel *channel;
	uint64_t slot_id;
	bool done;

	if (!admin_slot(options, &slot_id))
		return ADMIN_USAGE;
	if (!admin_connect(options, CHANNEL_HELLO, &channel))
		return ADMIN_FAILED;
	done = reset_pin(channel, options, slot_id);
	channel_close(channel);
	return done ? report(options, slot_id, "user PIN reset") : ADMIN_FAILED;
}
