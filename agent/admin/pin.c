/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin pin change and pin reset.
 */
#include "pin_set.h"

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

bool pin_set_user(struct connection *connection, uint64_t slot_id, const struct admin_pin *so_pin,
                  const struct admin_pin *user_pin)
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

int admin_pin_reset(const struct admin_options *options)
{
	admin_pin_auto so_pin = {0}, new_pin = {0};
	admin_session_auto session = {0};
	uint64_t slot_id;

	if (!admin_slot(options, &slot_id))
		return ADMIN_USAGE;
	if (!admin_session_reach(options, CHANNEL_HELLO, "pin reset", &session) ||
	    !admin_pin_read(&options->so_pin, "SO PIN", false, &so_pin) ||
	    !admin_pin_read(&options->new_pin, "new user PIN", true, &new_pin) ||
	    !pin_set_user(session.connection, slot_id, &so_pin, &new_pin))
		return ADMIN_FAILED;
	return admin_report_slot(options, slot_id, "user PIN reset");
}

/* C_SetPIN needs no login: the old PIN says who asks (PKCS#11 v2.40 §5.5). Without one it is the
 * user's; the SO logs in first. */
static bool change_pin(const struct admin_options *options, struct admin_session *session)
{
	admin_pin_auto old_pin = {0}, new_pin = {0};
	struct wire_login_request login = {.session = session->handle, .user_type = CKU_SO};
	struct wire_set_pin_request request = {.session = session->handle};
	CK_RV rv = CKR_OK;

	if (!admin_pin_read(options->so ? &options->so_pin : &options->user_pin,
	                    options->so ? "old SO PIN" : "old user PIN", false, &old_pin) ||
	    !admin_pin_read(&options->new_pin, options->so ? "new SO PIN" : "new user PIN", true,
	                    &new_pin))
		return false;
	login.pin = request.old_pin = view(&old_pin);
	request.new_pin = view(&new_pin);
	if (options->so)
		rv = request_login(session->connection, &login, NULL);
	if (!rv)
		rv = request_set_pin(session->connection, &request, NULL);
	if (rv)
		admin_fail_rv("pin change: the old PIN stays", rv);
	return !rv;
}

int admin_pin_change(const struct admin_options *options)
{
	admin_session_auto session = {0};
	uint64_t slot_id;

	if (!admin_slot(options, &slot_id))
		return ADMIN_USAGE;
	if (!admin_session_begin(options, ADMIN_NOBODY, true, &session) ||
	    !change_pin(options, &session))
		return ADMIN_FAILED;
	return admin_report_slot(options, slot_id,
	                         options->so ? "SO PIN changed" : "user PIN changed");
}
