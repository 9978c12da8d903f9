/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers of encrypted volumes. They serve root and the agent's own user only, who besides need
 * the user's PIN. The mapping is the client's to make: this process has not the privilege.
 */
#include "handle.h"

#include <stdio.h>
#include <unistd.h>

#include "config.h"
#include "volume.h"

#define DETAIL "volume "

_Static_assert(CALL_DETAIL_LEN >= sizeof(DETAIL) + VOLUME_NAME_MAX, "a name fits the audit record");

/* The name for the audit record, cut where no valid one would end. */
static void note_name(struct call *call, struct wire_bytes name)
{
	size_t len = name.len < VOLUME_NAME_MAX ? name.len : VOLUME_NAME_MAX;

	snprintf(call->detail, sizeof(call->detail), DETAIL "%.*s", (int)len,
	         name.len ? (const char *)name.data : "");
	call->record.detail = call->detail;
}

/* The session, locked, of a user who may use volumes; and what works on his token. */
static struct session *begin(struct call *call, uint64_t handle, bool read_write,
                             struct volume_scope *scope, enum err *err)
{
	struct session *session = NULL;

	*err = handle_operator(call);
	if (!*err)
		session = handle_session(call, handle, err);
	if (!session)
		return NULL;
	*scope = (struct volume_scope){
		.crypto = call->agent->crypto,
		.config = call->agent->config,
		.token = session->slot->token,
	};
	if (session_login(session) != LOGIN_USER)
		*err = ERROR_USER_NOT_LOGGED_IN;
	else if (read_write && !session->read_write)
		*err = ERROR_SESSION_READ_ONLY;
	return session;
}

static enum err open_keys(struct call *call, struct volume_keys *keys)
{
	return volume_keys_open(keys, call->agent->crypto,
	                        call->agent->config->security.locked_memory == CONFIG_LOCKED_KMOD);
}

/* ---- create ---- */

static enum err create(struct call *call, const struct volume_scope *scope,
                       const struct wire_volume_create_request *request, bool *in_kernel)
{
	const struct volume_record record = {
		.flags = request->allow_discards ? VOLUME_ALLOW_DISCARDS : 0,
		.sector_size = request->sector_size,
		.offset = request->offset,
		.sectors = request->sectors,
		.cipher = request->cipher,
		.device = request->device,
	};
	volume_keys_auto keys = {0};
	volume_auto volume = {0};
	enum err err = open_keys(call, &keys);

	if (err)
		return err;
	*in_kernel = volume_keys_in_kernel(&keys);
	pthread_mutex_lock(&call->agent->volume_lock);
	err = volume_create(scope, &keys, request->name, &record, request->key_len, &volume);
	pthread_mutex_unlock(&call->agent->volume_lock);
	handle_note_key(call, volume.object);
	return err;
}

enum err handle_volume_create(struct call *call, const struct wire_volume_create_request *request,
                              struct wire_volume_create_reply *reply)
{
	session_auto session = NULL;
	struct volume_scope scope;
	enum err err;

	note_name(call, request->name);
	session = begin(call, request->session, true, &scope, &err);
	return err ? err : create(call, &scope, request, &reply->in_kernel);
}

/* ---- list ---- */

static json_t *text_json(struct wire_bytes text)
{
	json_t *value = json_stringn((const char *)text.data, text.len);

	return value ? value : json_string("?");
}

static json_t *volume_json(const struct volume *volume)
{
	const struct volume_record *record = &volume->record;

	/* Of a damaged volume the record was left empty. */
	if (!record->blob.len)
		return json_pack("{s:o, s:b}", "name", text_json(volume->name), "damaged", 1);
	return json_pack("{s:o, s:b, s:o, s:o, s:i, s:i, s:I, s:I, s:b}", "name",
	                 text_json(volume->name), "damaged", 0, "device", text_json(record->device),
	                 "cipher", text_json(record->cipher), "key_size",
	                 (int)volume_blob_key_len(record->blob), "sector_size",
	                 (int)record->sector_size, "offset", (json_int_t)record->offset, "size",
	                 (json_int_t)record->sectors, "allow_discards",
	                 (record->flags & VOLUME_ALLOW_DISCARDS) != 0);
}

struct listing {
	json_t *volumes;
	bool failed; /* out of memory */
};

static void list_one(void *context, const struct volume *volume)
{
	struct listing *listing = context;

	if (json_array_append_new(listing->volumes, volume_json(volume)))
		listing->failed = true;
}

enum err handle_volume_list(struct call *call, const struct wire_volume_list_request *request,
                            struct wire_volume_list_reply *reply)
{
	struct listing listing = {.volumes = json_array()};
	session_auto session = NULL;
	struct volume_scope scope;
	enum err err;

	session = begin(call, request->session, false, &scope, &err);
	if (!err)
		err = volume_list(&scope, list_one, &listing);
	if (!err && !listing.failed)
		return handle_put_json(call, listing.volumes, &reply->json);
	json_decref(listing.volumes);
	return err ? err : ERROR_MEMORY;
}

/* ---- describe ---- */

/* The object may be gone when the reply is sent, so the reply borrows from call->output. */
static struct wire_bytes view(const struct call *call, size_t *at, size_t len)
{
	const struct wire_bytes bytes = {call->output.data + *at, len};

	*at += len;
	return bytes;
}

/* Of a damaged volume the record was left empty. */
static enum err describe(struct call *call, const struct volume *volume,
                         struct wire_volume_describe_reply *reply)
{
	const struct volume_record *record = &volume->record;
	size_t at = 0;

	wire_put_raw(&call->output, volume->name.data, volume->name.len);
	wire_put_raw(&call->output, record->cipher.data, record->cipher.len);
	wire_put_raw(&call->output, record->device.data, record->device.len);
	if (call->output.failed)
		return ERROR_MEMORY;
	reply->name = view(call, &at, volume->name.len);
	reply->cipher = view(call, &at, record->cipher.len);
	reply->device = view(call, &at, record->device.len);
	reply->key_len = record->blob.len ? volume_blob_key_len(record->blob) : 0;
	reply->sector_size = record->sector_size;
	reply->offset = record->offset;
	reply->sectors = record->sectors;
	reply->allow_discards = record->flags & VOLUME_ALLOW_DISCARDS;
	return ERROR_NONE;
}

enum err handle_volume_describe(struct call *call,
                                const struct wire_volume_describe_request *request,
                                struct wire_volume_describe_reply *reply)
{
	session_auto session = NULL;
	volume_auto volume = {0};
	struct volume_scope scope;
	enum err err;

	note_name(call, request->name);
	session = begin(call, request->session, false, &scope, &err);
	if (err)
		return err;
	err = volume_find(&scope, request->name, &volume);
	reply->damaged = err == ERROR_VOLUME_DAMAGED;
	if (err && !reply->damaged)
		return err;
	return describe(call, &volume, reply);
}

/* ---- open, close, remove ---- */

static enum err open_volume(struct call *call, const struct volume_scope *scope,
                            const struct wire_volume_open_request *request,
                            struct wire_volume_open_reply *reply)
{
	volume_keys_auto keys = {0};
	volume_auto volume = {0};
	int32_t serial = 0;
	enum err err = open_keys(call, &keys);

	if (err)
		return err;
	reply->in_kernel = volume_keys_in_kernel(&keys);
	pthread_mutex_lock(&call->agent->volume_lock);
	err = volume_find(scope, request->name, &volume);
	if (!err)
		err = volume_open(scope, &keys, &volume, (int32_t)request->keyring,
		                  request->timeout, &serial);
	pthread_mutex_unlock(&call->agent->volume_lock);
	handle_note_key(call, volume.object);
	reply->key = (uint32_t)serial;
	return err;
}

enum err handle_volume_open(struct call *call, const struct wire_volume_open_request *request,
                            struct wire_volume_open_reply *reply)
{
	session_auto session = NULL;
	struct volume_scope scope;
	enum err err;

	note_name(call, request->name);
	session = begin(call, request->session, false, &scope, &err);
	return err ? err : open_volume(call, &scope, request, reply);
}

enum err handle_volume_close(struct call *call, const struct wire_volume_close_request *request,
                             struct wire_volume_close_reply *reply)
{
	enum err err = handle_operator(call);

	(void)reply;
	note_name(call, request->name);
	if (!err && !volume_name_valid(request->name))
		err = ERROR_ARGUMENTS;
	return err;
}

static enum err remove_volume(struct call *call, const struct volume_scope *scope,
                              struct wire_bytes name)
{
	volume_auto volume = {0};
	enum err err;

	pthread_mutex_lock(&call->agent->volume_lock);
	err = volume_find(scope, name, &volume);
	if (!err || err == ERROR_VOLUME_DAMAGED)
		err = volume_remove(scope, &volume);
	pthread_mutex_unlock(&call->agent->volume_lock);
	handle_note_key(call, volume.object);
	return err;
}

enum err handle_volume_remove(struct call *call, const struct wire_volume_remove_request *request,
                              struct wire_volume_remove_reply *reply)
{
	session_auto session = NULL;
	struct volume_scope scope;
	enum err err;

	(void)reply;
	note_name(call, request->name);
	session = begin(call, request->session, true, &scope, &err);
	return err ? err : remove_volume(call, &scope, request->name);
}

/* ---- rewrap ---- */

/* A record of its own for each volume; the request's follows them, and the reply waits for that. */
static void note_rewrapped(void *context, const struct volume *volume, enum err result)
{
	struct call *call = context;
	struct audit_record record = call->record;
	enum err audit_result = ERROR_NONE;

	note_name(call, volume->name);
	record.class = AUDIT_ADMIN;
	record.operation = wire_function_name(call->header.opcode);
	record.detail = call->detail;
	record.key_uid = volume->object->uid;
	record.result = result;
	record.uid = call->application->uid;
	record.pid = call->application->pid;
	record.client = application_client(call->application);
	/* A log that fails fails for the request's own record, too. */
	audit_append(call->agent->audit, &record, &audit_result);
	call->record.detail = NULL;
}

static enum err rewrap(struct call *call, const struct volume_scope *scope,
                       struct wire_volume_rewrap_reply *reply)
{
	volume_keys_auto keys = {0};
	size_t count;
	enum err err = open_keys(call, &keys);

	if (err)
		return err;
	reply->in_kernel = volume_keys_in_kernel(&keys);
	pthread_mutex_lock(&call->agent->volume_lock);
	err = volume_rewrap(scope, &keys, note_rewrapped, call, &count);
	pthread_mutex_unlock(&call->agent->volume_lock);
	reply->count = (uint32_t)count;
	return err;
}

enum err handle_volume_rewrap(struct call *call, const struct wire_volume_rewrap_request *request,
                              struct wire_volume_rewrap_reply *reply)
{
	session_auto session = NULL;
	struct volume_scope scope;
	enum err err;

	session = begin(call, request->session, true, &scope, &err);
	return err ? err : rewrap(call, &scope, reply);
}
