/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers of backup and restore. They serve root and the agent's own user only, who besides need
 * the SO's PIN: whoever has a backup and its passphrase has the keys.
 */
#include "handle.h"

#include <stdio.h>

#include "backup.h"
#include "config.h"

/* For the audit record: how many objects. */
static void note_count(struct call *call, const char *what, uint64_t count)
{
	snprintf(call->detail, sizeof(call->detail), "%s %llu objects", what,
	         (unsigned long long)count);
	call->record.detail = call->detail;
}

/* The SO's read/write session, locked; NULL with *err. */
static struct session *begin(struct call *call, uint64_t handle, enum err *err)
{
	struct session *session = NULL;

	*err = handle_operator(call);
	if (!*err)
		session = handle_session(call, handle, err);
	if (!session)
		return NULL;
	if (session_login(session) != LOGIN_SO)
		*err = ERROR_USER_NOT_LOGGED_IN;
	else if (!session->read_write)
		*err = ERROR_SESSION_READ_ONLY;
	return session;
}

/* The same with a backup under way, of this kind. */
static struct session *resume(struct call *call, uint64_t handle, bool restore, enum err *err)
{
	struct session *session = begin(call, handle, err);

	if (!*err && (!session->backup || backup_is_restore(session->backup) != restore))
		*err = ERROR_OPERATION_NONE;
	return session;
}

enum err handle_backup_begin(struct call *call, const struct wire_backup_begin_request *request,
                             struct wire_backup_begin_reply *reply)
{
	struct agent *agent = call->agent;
	session_auto session = NULL;
	enum err err;

	session = begin(call, request->session, &err);
	if (err)
		return err;
	session_end_backup(session);
	err = backup_begin(agent->crypto, session->slot->token,
	                   agent->config->security.pbkdf2_iterations, request->passphrase,
	                   &call->output, &session->backup);
	if (err)
		return err;
	reply->count = backup_total(session->backup);
	reply->header = (struct wire_bytes){call->output.data, call->output.len};
	note_count(call, "backup of", reply->count);
	return ERROR_NONE;
}

enum err handle_backup_next(struct call *call, const struct wire_backup_next_request *request,
                            struct wire_backup_next_reply *reply)
{
	session_auto session = NULL;
	enum err err;

	session = resume(call, request->session, false, &err);
	if (err)
		return err;
	err = backup_next(session->backup, &call->output, &reply->last);
	reply->count = backup_done(session->backup);
	reply->chunk = (struct wire_bytes){call->output.data, call->output.len};
	if (err || reply->last)
		session_end_backup(session);
	return err;
}

enum err handle_restore_begin(struct call *call, const struct wire_restore_begin_request *request,
                              struct wire_restore_begin_reply *reply)
{
	const struct backup_options options = {
		.replace = request->replace,
		.other_token = request->other_token,
		.take_identity = request->take_identity,
		.again = request->again,
	};
	session_auto session = NULL;
	enum err err;

	session = begin(call, request->session, &err);
	if (err)
		return err;
	session_end_backup(session);
	err = backup_restore_begin(call->agent->crypto, session->slot->token, request->passphrase,
	                           request->header, &options, &session->backup);
	if (!err)
		reply->count = backup_total(session->backup);
	return err;
}

enum err handle_restore_next(struct call *call, const struct wire_restore_next_request *request,
                             struct wire_restore_next_reply *reply)
{
	session_auto session = NULL;
	enum err err;

	session = resume(call, request->session, true, &err);
	if (err)
		return err;
	err = backup_restore_next(session->backup, request->chunk, &reply->last);
	reply->count = backup_done(session->backup);
	if (err)
		session_end_backup(session);
	return err;
}

enum err handle_restore_finish(struct call *call, const struct wire_restore_finish_request *request,
                               struct wire_restore_finish_reply *reply)
{
	session_auto session = NULL;
	enum err err;

	session = resume(call, request->session, true, &err);
	if (err)
		return err;
	err = backup_restore_finish(session->backup);
	reply->count = backup_done(session->backup);
	session_end_backup(session);
	if (!err)
		note_count(call, "restored", reply->count);
	return err;
}
