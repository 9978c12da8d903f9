/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connecting to the agent and logging in, for the verbs whose requests are the agent's own. Verbs
 * that do what any PKCS#11 application does are in cryptoki.h's care.
 */
#include "admin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool admin_connect(const struct admin_options *options, enum channel_greeting greeting,
                   struct channel **channel)
{
	const char *path = options->socket_path;
	CK_RV rv;

	if (!path)
		path = getenv(CHANNEL_SOCKET_VARIABLE);
	if (!path)
		path = CHANNEL_SOCKET_DEFAULT;
	errno = 0;
	rv = channel_open(channel, path, greeting);
	if (!rv)
		return true;
	if (rv == CKR_DEVICE_REMOVED)
		admin_fail("no agent answers on %s: %s; is craton-hsm-daemon running?", path,
		           strerror(errno));
	else
		admin_fail_rv("the agent refuses to work (see: craton-hsm-admin status)", rv);
	return false;
}

bool admin_number(const char *option, const char *text, uint64_t absent, uint64_t *value)
{
	char *end;

	*value = absent;
	if (!text)
		return true;
	errno = 0;
	*value = strtoull(text, &end, 10);
	if (!errno && text[0] >= '0' && text[0] <= '9' && !*end)
		return true;
	admin_fail("%s %s: not a number", option, text);
	return false;
}

bool admin_slot(const struct admin_options *options, uint64_t *slot_id)
{
	return admin_number("--slot", options->slot, 0, slot_id);
}

static bool log_in(const struct admin_options *options, enum admin_login login,
                   struct admin_session *session)
{
	admin_pin_auto pin = {0};
	struct wire_login_request request = {.session = session->handle};
	const struct admin_pin_source *source =
		login == ADMIN_SO ? &options->so_pin : &options->user_pin;
	CK_RV rv;

	if (!admin_pin_read(source, login == ADMIN_SO ? "SO PIN" : "user PIN", false, &pin))
		return false;
	request.user_type = login == ADMIN_SO ? CKU_SO : CKU_USER;
	request.pin = (struct wire_bytes){pin.octets, pin.len};
	rv = request_login(session->connection, &request, NULL);
	if (rv)
		admin_fail_rv(login == ADMIN_SO ? "login of the SO" : "login", rv);
	return !rv;
}

bool admin_session_reach(const struct admin_options *options, enum channel_greeting greeting,
                         const char *what, struct admin_session *session)
{
	CK_RV rv;

	*session = (struct admin_session){0};
	if (!admin_connect(options, greeting, &session->channel))
		return false;
	session->connection = channel_borrow(session->channel, &rv);
	if (rv)
		admin_fail_rv(what, rv);
	return !rv;
}

bool admin_session_begin(const struct admin_options *options, enum admin_login login,
                         bool read_write, struct admin_session *session)
{
	struct wire_open_session_request request = {.flags = CKF_SERIAL_SESSION};
	struct wire_open_session_reply reply;
	uint64_t slot_id;
	CK_RV rv;

	*session = (struct admin_session){0};
	if (read_write)
		request.flags |= CKF_RW_SESSION;
	if (!admin_slot(options, &slot_id) ||
	    !admin_session_reach(options, CHANNEL_HELLO, "opening a session", session))
		return false;
	session->slot_id = request.slot_id = slot_id;
	rv = request_open_session(session->connection, &request, &reply);
	if (rv) {
		admin_fail_rv("opening a session", rv);
		return false;
	}
	session->handle = reply.session;
	return login == ADMIN_NOBODY || log_in(options, login, session);
}

void admin_session_end(struct admin_session *session)
{
	channel_return(session->connection);
	channel_close(session->channel);
	*session = (struct admin_session){0};
}
