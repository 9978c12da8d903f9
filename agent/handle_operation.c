/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers of the operations on data: encrypt, decrypt, digest, sign, verify. One row per kind says
 * what differs between them; the rules of Init, Update and Final are operation.c's.
 */
#include "handle.h"

#include "config.h"
#include "operation.h"

static const struct {
	uint64_t function; /* what C_GetMechanismInfo must show */
	enum policy_use use;
	bool needs_key;
} kinds[OPERATION_KINDS] = {
	[OPERATION_ENCRYPT] = {CKF_ENCRYPT, POLICY_ENCRYPT, true},
	[OPERATION_DECRYPT] = {CKF_DECRYPT, POLICY_DECRYPT, true},
	[OPERATION_DIGEST] = {CKF_DIGEST, POLICY_USES, false},
	[OPERATION_SIGN] = {CKF_SIGN, POLICY_SIGN, true},
	[OPERATION_VERIFY] = {CKF_VERIFY, POLICY_VERIFY, true},
	[OPERATION_SIGN_RECOVER] = {CKF_SIGN_RECOVER, POLICY_SIGN_RECOVER, true},
	[OPERATION_VERIFY_RECOVER] = {CKF_VERIFY_RECOVER, POLICY_VERIFY_RECOVER, true},
};

/* The caller's output buffer, and where the result goes. */
struct output {
	struct output_request request;
	uint64_t *len;
	struct wire_bytes *octets;
};

enum err handle_prepare(struct call *call, struct session *session, enum operation_kind kind,
                        const struct wire_mechanism *parameter, uint64_t key_handle,
                        bool (*fits)(const struct mechanism *, enum operation_kind),
                        const struct mechanism **mechanism, struct object **key)
{
	enum err err = ERROR_NONE;

	if (session->operations[kind] || session->messages[kind])
		return ERROR_OPERATION_ACTIVE;
	*mechanism = handle_mechanism(call, parameter, kinds[kind].function);
	if (!*mechanism || (fits && !fits(*mechanism, kind)))
		return ERROR_MECHANISM;
	if (kinds[kind].needs_key)
		err = handle_usable_key(call, session, key_handle, kinds[kind].use, *mechanism,
		                        ERROR_KEY_HANDLE, key);
	if (!err)
		session->context_login[kind] = false;
	return err;
}

static enum err begin(struct call *call, struct session *session, enum operation_kind kind,
                      const struct wire_mechanism *parameter, uint64_t key_handle)
{
	const struct mechanism *mechanism;
	object_auto key = NULL;
	enum err err;

	err = handle_prepare(call, session, kind, parameter, key_handle, NULL, &mechanism, &key);
	return err ? err
	           : operation_start(&session->operations[kind], kind, call->agent->crypto,
	                             mechanism, parameter, key);
}

static enum err start(struct call *call, enum operation_kind kind, uint64_t session_handle,
                      const struct wire_mechanism *parameter, uint64_t key_handle)
{
	session_auto session = NULL;
	enum err err;

	session = handle_session(call, session_handle, &err);
	return session ? begin(call, session, kind, parameter, key_handle) : err;
}

enum err handle_check_operation(struct call *call, struct session *session,
                                enum operation_kind kind)
{
	const struct operation *operation = session->operations[kind];
	enum err err;

	err = handle_step(call, session, kind, operation_mechanism(operation),
	                  operation_key(operation));
	call->record.fips_approved &= operation_approved(operation);
	if (err == ERROR_KEY_NOT_ACTIVE)
		session_end_operation(session, kind);
	return err;
}

enum err handle_check_active(struct call *call, struct session *session, enum operation_kind kind)
{
	const struct operation *operation = session->operations[kind];

	if (!operation)
		return ERROR_OPERATION_NONE;
	if (operation_in_parts(operation))
		return ERROR_OPERATION_ACTIVE;
	return handle_check_operation(call, session, kind);
}

struct session *handle_active(struct call *call, enum operation_kind kind, uint64_t handle,
                              enum err *err)
{
	struct session *session = handle_session(call, handle, err);

	if (session)
		*err = handle_check_active(call, session, kind);
	return session;
}

/* A length query did nothing, so it leaves no record; the result, if any, is in the call's output.
 */
static enum err give(struct call *call, const struct output *output, enum err err)
{
	call->unaudited = err == ERROR_BUFFER_TOO_SMALL || (!err && output->request.query);
	if (!err && !output->request.query)
		*output->octets = (struct wire_bytes){call->output.data, call->output.len};
	return err;
}

static enum err once(struct call *call, enum operation_kind kind, uint64_t handle,
                     struct wire_bytes data, const struct output *output)
{
	session_auto session = NULL;
	enum err err;

	session = handle_active(call, kind, handle, &err);
	if (!err)
		err = operation_once(&session->operations[kind], data, &output->request,
		                     &call->output, output->len);
	return give(call, output, err);
}

static enum err update(struct call *call, enum operation_kind kind, uint64_t handle,
                       struct wire_bytes data, const struct output *output)
{
	session_auto session = NULL;
	enum err err;

	session = handle_active(call, kind, handle, &err);
	if (err)
		return err;
	if (!output)
		return operation_update(&session->operations[kind], data, NULL, NULL, NULL);
	err = operation_update(&session->operations[kind], data, &output->request, &call->output,
	                       output->len);
	return give(call, output, err);
}

static enum err finish(struct call *call, enum operation_kind kind, uint64_t handle,
                       const struct output *output)
{
	session_auto session = NULL;
	enum err err;

	session = handle_active(call, kind, handle, &err);
	if (!err)
		err = operation_final(&session->operations[kind], &output->request, &call->output,
		                      output->len);
	return give(call, output, err);
}

/* Two operations of one session in one call (v3.0 §5.16): what is plain goes to `other` as well,
 * once the cipher has taken it. */
static enum err dual(struct call *call, enum operation_kind cipher, enum operation_kind other,
                     uint64_t handle, struct wire_bytes data, const struct output *output)
{
	session_auto session = NULL;
	enum err err;

	session = handle_active(call, other, handle, &err);
	if (!err)
		err = handle_check_active(call, session, cipher);
	if (err)
		return err;
	err = operation_update(&session->operations[cipher], data, &output->request, &call->output,
	                       output->len);
	if (!err && !output->request.query) {
		if (cipher == OPERATION_DECRYPT)
			data = (struct wire_bytes){call->output.data, call->output.len};
		err = operation_update(&session->operations[other], data, NULL, NULL, NULL);
		if (err) /* the cipher cannot go on: its result is lost */
			session_end_operation(session, cipher);
	}
	return give(call, output, err);
}

#define OUTPUT                                                                                     \
	(&(struct output){{request->query, request->capacity}, &reply->output_len, &reply->output})

/* The handlers of message.def, one line each: kind and step. */
#define INIT(name, kind)                                                                           \
	enum err handle_##name(struct call *call, const struct wire_##name##_request *request,     \
	                       struct wire_##name##_reply *reply)                                  \
	{                                                                                          \
		(void)reply;                                                                       \
		return start(call, kind, request->session, &request->mechanism, request->key);     \
	}
#define ONCE(name, kind)                                                                           \
	enum err handle_##name(struct call *call, const struct wire_##name##_request *request,     \
	                       struct wire_##name##_reply *reply)                                  \
	{                                                                                          \
		return once(call, kind, request->session, request->data, OUTPUT);                  \
	}
#define UPDATE(name, kind)                                                                         \
	enum err handle_##name(struct call *call, const struct wire_##name##_request *request,     \
	                       struct wire_##name##_reply *reply)                                  \
	{                                                                                          \
		return update(call, kind, request->session, request->data, OUTPUT);                \
	}
#define FEED(name, kind)                                                                           \
	enum err handle_##name(struct call *call, const struct wire_##name##_request *request,     \
	                       struct wire_##name##_reply *reply)                                  \
	{                                                                                          \
		(void)reply;                                                                       \
		return update(call, kind, request->session, request->data, NULL);                  \
	}
#define FINAL(name, kind)                                                                          \
	enum err handle_##name(struct call *call, const struct wire_##name##_request *request,     \
	                       struct wire_##name##_reply *reply)                                  \
	{                                                                                          \
		return finish(call, kind, request->session, OUTPUT);                               \
	}

#define DUAL(name, cipher, other)                                                                  \
	enum err handle_##name(struct call *call, const struct wire_##name##_request *request,     \
	                       struct wire_##name##_reply *reply)                                  \
	{                                                                                          \
		return dual(call, cipher, other, request->session, request->data, OUTPUT);         \
	}

INIT(encrypt_init, OPERATION_ENCRYPT)
ONCE(encrypt, OPERATION_ENCRYPT)
UPDATE(encrypt_update, OPERATION_ENCRYPT)
FINAL(encrypt_final, OPERATION_ENCRYPT)
INIT(decrypt_init, OPERATION_DECRYPT)
ONCE(decrypt, OPERATION_DECRYPT)
UPDATE(decrypt_update, OPERATION_DECRYPT)
FINAL(decrypt_final, OPERATION_DECRYPT)
ONCE(digest, OPERATION_DIGEST)
FEED(digest_update, OPERATION_DIGEST)
FINAL(digest_final, OPERATION_DIGEST)
INIT(sign_init, OPERATION_SIGN)
ONCE(sign, OPERATION_SIGN)
FEED(sign_update, OPERATION_SIGN)
FINAL(sign_final, OPERATION_SIGN)
INIT(verify_init, OPERATION_VERIFY)
INIT(sign_recover_init, OPERATION_SIGN_RECOVER)
ONCE(sign_recover, OPERATION_SIGN_RECOVER)
INIT(verify_recover_init, OPERATION_VERIFY_RECOVER)
ONCE(verify_recover, OPERATION_VERIFY_RECOVER)
DUAL(digest_encrypt_update, OPERATION_ENCRYPT, OPERATION_DIGEST)
DUAL(decrypt_digest_update, OPERATION_DECRYPT, OPERATION_DIGEST)
DUAL(sign_encrypt_update, OPERATION_ENCRYPT, OPERATION_SIGN)
DUAL(decrypt_verify_update, OPERATION_DECRYPT, OPERATION_VERIFY)

enum err handle_digest_init(struct call *call, const struct wire_digest_init_request *request,
                            struct wire_digest_init_reply *reply)
{
	(void)reply;
	return start(call, OPERATION_DIGEST, request->session, &request->mechanism, 0);
}

enum err handle_digest_key(struct call *call, const struct wire_digest_key_request *request,
                           struct wire_digest_key_reply *reply)
{
	session_auto session = NULL;
	object_auto key = NULL;
	enum err err;

	(void)reply;
	session = handle_active(call, OPERATION_DIGEST, request->session, &err);
	if (err)
		return err;
	key = handle_object(session, request->key);
	if (!key)
		return ERROR_KEY_HANDLE;
	handle_note_key(call, key);
	return operation_digest_key(&session->operations[OPERATION_DIGEST], key);
}

/* The session with an active verification that was begun with its signature (v3.2) or without. */
static struct session *verifying(struct call *call, uint64_t handle, bool expects, enum err *err)
{
	struct session *session = handle_active(call, OPERATION_VERIFY, handle, err);

	if (session && !*err && operation_expects(session->operations[OPERATION_VERIFY]) != expects)
		*err = ERROR_OPERATION_NONE;
	return session;
}

static enum err feed_verification(struct call *call, uint64_t handle, bool expects,
                                  struct wire_bytes data)
{
	session_auto session = NULL;
	enum err err;

	session = verifying(call, handle, expects, &err);
	if (err)
		return err;
	return operation_update(&session->operations[OPERATION_VERIFY], data, NULL, NULL, NULL);
}

enum err handle_verify(struct call *call, const struct wire_verify_request *request,
                       struct wire_verify_reply *reply)
{
	session_auto session = NULL;
	enum err err;

	(void)reply;
	session = verifying(call, request->session, false, &err);
	if (err)
		return err;
	return operation_verify_once(&session->operations[OPERATION_VERIFY], request->data,
	                             request->signature);
}

enum err handle_verify_final(struct call *call, const struct wire_verify_final_request *request,
                             struct wire_verify_final_reply *reply)
{
	session_auto session = NULL;
	enum err err;

	(void)reply;
	session = verifying(call, request->session, false, &err);
	if (err)
		return err;
	return operation_verify_final(&session->operations[OPERATION_VERIFY], request->signature);
}

enum err handle_verify_update(struct call *call, const struct wire_verify_update_request *request,
                              struct wire_verify_update_reply *reply)
{
	(void)reply;
	return feed_verification(call, request->session, false, request->data);
}

enum err handle_verify_signature_init(struct call *call,
                                      const struct wire_verify_signature_init_request *request,
                                      struct wire_verify_signature_init_reply *reply)
{
	session_auto session = NULL;
	enum err err;

	(void)reply;
	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	err = begin(call, session, OPERATION_VERIFY, &request->mechanism, request->key);
	if (err)
		return err;
	err = operation_expect(session->operations[OPERATION_VERIFY], request->signature);
	if (err)
		session_end_operation(session, OPERATION_VERIFY);
	return err;
}

enum err handle_verify_signature(struct call *call,
                                 const struct wire_verify_signature_request *request,
                                 struct wire_verify_signature_reply *reply)
{
	session_auto session = NULL;
	struct operation **operation;
	enum err err;

	(void)reply;
	session = verifying(call, request->session, true, &err);
	if (err)
		return err;
	operation = &session->operations[OPERATION_VERIFY];
	return operation_verify_once(operation, request->data, operation_expected(*operation));
}

enum err handle_verify_signature_update(struct call *call,
                                        const struct wire_verify_signature_update_request *request,
                                        struct wire_verify_signature_update_reply *reply)
{
	(void)reply;
	return feed_verification(call, request->session, true, request->data);
}

enum err handle_verify_signature_final(struct call *call,
                                       const struct wire_verify_signature_final_request *request,
                                       struct wire_verify_signature_final_reply *reply)
{
	session_auto session = NULL;
	struct operation **operation;
	enum err err;

	(void)reply;
	session = verifying(call, request->session, true, &err);
	if (err)
		return err;
	operation = &session->operations[OPERATION_VERIFY];
	return operation_verify_final(operation, operation_expected(*operation));
}
