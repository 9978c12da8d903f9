/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules that all operations share: which call is allowed when, what ends an operation, length
 * queries and small buffers, and the checks of every Init. No cipher, hash or key is named here.
 */
#include "operation.h"

#include <openssl/err.h>

#include "crypto_key.h"
#include "slots.h"

#define STATE_ALIGN 16u

static const struct {
	uint64_t function, wrapping; /* CKF_* that permits it */
	bool encrypts;               /* which of the row's two families */
	enum crypto_half half;
} kinds[OPERATION_KINDS] = {
	[OPERATION_ENCRYPT] = {CKF_ENCRYPT, CKF_WRAP, true, HALF_PUBLIC},
	[OPERATION_DECRYPT] = {CKF_DECRYPT, CKF_UNWRAP, true, HALF_PRIVATE},
	[OPERATION_DIGEST] = {CKF_DIGEST, 0, false, HALF_PUBLIC},
	[OPERATION_SIGN] = {CKF_SIGN, 0, false, HALF_PRIVATE},
	[OPERATION_VERIFY] = {CKF_VERIFY, 0, false, HALF_PUBLIC},
	[OPERATION_SIGN_RECOVER] = {CKF_SIGN_RECOVER, 0, false, HALF_PRIVATE},
	[OPERATION_VERIFY_RECOVER] = {CKF_VERIFY_RECOVER, 0, false, HALF_PUBLIC},
};

static enum err check_start(struct crypto *crypto, enum operation_kind kind,
                            const struct mechanism *mechanism,
                            const struct wire_mechanism *parameter, struct object *key)
{
	enum wire_shape shape;
	enum err err = ERROR_NONE;

	if (!wire_mechanism_shape(mechanism->type, &shape) || parameter->type != mechanism->type)
		return ERROR_MECHANISM;
	if (kind != OPERATION_DIGEST)
		err = crypto_key_fits(crypto, mechanism, key, kinds[kind].half);
	if (!err && !wire_shape_fits(shape, parameter->shape))
		err = ERROR_MECHANISM_PARAMETER;
	return err;
}

/* The operation and its family's state in one piece of locked memory. */
static struct operation *allocate(const struct operation_methods *methods)
{
	size_t head = (sizeof(struct operation) + STATE_ALIGN - 1) & ~(size_t)(STATE_ALIGN - 1);
	struct operation *operation = slots_allocate(head + methods->state_len);

	if (!operation)
		return NULL;
	operation->methods = methods;
	operation->state = (uint8_t *)operation + head;
	return operation;
}

static struct operation *make(enum operation_kind kind, struct crypto *crypto,
                              const struct mechanism *mechanism, struct object *key)
{
	struct operation *operation =
		allocate(kinds[kind].encrypts ? mechanism->encryption : mechanism->operation);

	if (!operation)
		return NULL;
	operation->kind = kind;
	operation->crypto = crypto;
	operation->mechanism = mechanism;
	operation->key = key ? object_get(key) : NULL;
	operation->gathers = !operation->methods->update;
	crypto_message_init(&operation->message,
	                    kinds[kind].encrypts ? DIGEST_NONE : mechanism->digest);
	wire_buffer_init(&operation->result, WIRE_DATA_LIMIT, &slots_wire_allocator);
	wire_buffer_init(&operation->expected, WIRE_CONTROL_LIMIT, NULL);
	return operation;
}

/* OpenSSL's queue of errors is emptied: into the log where it tells something. */
static void note_failure(const struct mechanism *mechanism, enum err err)
{
	if (err == ERROR_CRYPTO)
		crypto_log_errors(wire_mechanism_name(mechanism->type));
	else
		ERR_clear_error();
}

static enum err start(struct operation **operation, enum operation_kind kind, uint64_t function,
                      struct crypto *crypto, const struct mechanism *mechanism,
                      const struct wire_mechanism *parameter, struct object *key)
{
	struct operation *made;
	enum err err;

	*operation = NULL;
	if (!(mechanism->functions & function))
		return ERROR_MECHANISM;
	err = check_start(crypto, kind, mechanism, parameter, key);
	if (err)
		return err;
	made = make(kind, crypto, mechanism, key);
	if (!made)
		return ERROR_MEMORY;
	err = made->methods->start ? made->methods->start(made, parameter) : ERROR_NONE;
	if (!err) {
		*operation = made;
		return ERROR_NONE;
	}
	note_failure(mechanism, err);
	operation_free(made);
	return err;
}

enum err operation_start(struct operation **operation, enum operation_kind kind,
                         struct crypto *crypto, const struct mechanism *mechanism,
                         const struct wire_mechanism *parameter, struct object *key)
{
	return start(operation, kind, kinds[kind].function, crypto, mechanism, parameter, key);
}

enum err operation_start_wrapping(struct operation **operation, enum operation_kind kind,
                                  struct crypto *crypto, const struct mechanism *mechanism,
                                  const struct wire_mechanism *parameter, struct object *key)
{
	return start(operation, kind, kinds[kind].wrapping, crypto, mechanism, parameter, key);
}

enum err operation_copy(const struct operation *from, struct operation **copy)
{
	struct operation *made;
	enum err err;

	*copy = NULL;
	if (from->kind != OPERATION_DIGEST)
		return ERROR_STATE_UNSAVEABLE;
	made = make(from->kind, from->crypto, from->mechanism, NULL);
	if (!made)
		return ERROR_MEMORY;
	made->updated = from->updated;
	err = crypto_message_copy(&made->message, &from->message);
	if (err)
		operation_free(made);
	else
		*copy = made;
	return err;
}

void operation_free(struct operation *operation)
{
	if (!operation)
		return;
	if (operation->methods->stop)
		operation->methods->stop(operation);
	crypto_message_clear(&operation->message);
	wire_buffer_free(&operation->result);
	wire_buffer_free(&operation->expected);
	object_put(operation->key);
	slots_release(operation);
}

const struct mechanism *operation_mechanism(const struct operation *operation)
{
	return operation->mechanism;
}

struct object *operation_key(const struct operation *operation)
{
	return operation->key;
}

bool operation_approved(const struct operation *operation)
{
	return !operation->unapproved;
}

enum operation_kind operation_kind(const struct operation *operation)
{
	return operation->kind;
}

/* Ends the operation unless it goes on: `last` is false for an update or a query that succeeded. */
static enum err settle(struct operation **operation, enum err err, bool last)
{
	if (err == ERROR_BUFFER_TOO_SMALL || (!err && !last))
		return err;
	if (err)
		note_failure((*operation)->mechanism, err);
	operation_free(*operation);
	*operation = NULL;
	return err;
}

/* What a decryption is given is not data but ciphertext, and so are the complaints about it. */
static enum err gather(struct operation *operation, struct wire_bytes data)
{
	enum err err = crypto_message_update(operation->crypto, &operation->message, data);

	if (err == ERROR_DATA_LENGTH && operation->kind == OPERATION_DECRYPT)
		return ERROR_ENCRYPTED_DATA_LENGTH;
	return err;
}

static enum err run_once(struct operation *operation, struct wire_bytes data, uint8_t *out,
                         size_t *out_len)
{
	const struct operation_methods *methods = operation->methods;
	struct wire_bytes whole = data;
	size_t updated_len = 0;
	enum err err;

	if (methods->produce) {
		err = operation->gathers ? crypto_message_once(operation->crypto,
		                                               &operation->message, data, &whole)
		                         : ERROR_NONE;
		return err ? err : methods->produce(operation, whole, out, out_len);
	}
	err = methods->update(operation, data, out, &updated_len);
	if (!err)
		err = methods->finish(operation, out + updated_len, out_len);
	*out_len += updated_len;
	return err;
}

static enum err run_final(struct operation *operation, uint8_t *out, size_t *out_len)
{
	struct wire_bytes whole;
	enum err err;

	if (!operation->gathers)
		return operation->methods->finish(operation, out, out_len);
	err = crypto_message_finish(operation->crypto, &operation->message, &whole);
	return err ? err : operation->methods->produce(operation, whole, out, out_len);
}

static enum err run(struct operation *operation, enum operation_step step, struct wire_bytes data,
                    uint8_t *out, size_t *out_len)
{
	switch (step) {
	case STEP_ONCE:
		return run_once(operation, data, out, out_len);
	case STEP_UPDATE:
		if (operation->gathers)
			return gather(operation, data);
		return operation->methods->update(operation, data, out, out_len);
	case STEP_FINAL:
		return run_final(operation, out, out_len);
	}
	return ERROR_INTERNAL;
}

static size_t bound(const struct operation *operation, size_t data_len, enum operation_step step)
{
	if (operation->gathers && step == STEP_UPDATE)
		return 0;
	if (operation->gathers && step == STEP_FINAL)
		data_len = crypto_message_len(&operation->message);
	return operation->methods->output_max(operation, data_len, step);
}

/* Runs a step whose result is `max` octets or, with bound_only, fewer; appends it to `out`. */
static enum err append(struct operation *operation, enum operation_step step,
                       struct wire_bytes data, size_t max, struct wire_buffer *out, size_t *len)
{
	size_t start = out->len;
	uint8_t nothing[1];
	uint8_t *place = max ? wire_buffer_extend(out, max) : nothing;
	enum err err;

	*len = 0;
	if (!place)
		return ERROR_MEMORY;
	err = run(operation, step, data, place, len);
	wire_buffer_truncate(out, start + (err ? 0 : *len));
	return err;
}

/* A result that was made but did not fit is kept for the next Final; the others are made again. */
static enum err append_result(struct operation *operation, struct wire_buffer *out)
{
	wire_put_raw(out, operation->result.data, operation->result.len);
	return out->failed ? ERROR_MEMORY : ERROR_NONE;
}

static enum err keep_result(struct operation *operation, struct wire_buffer *out, size_t len)
{
	wire_put_raw(&operation->result, out->data + out->len - len, len);
	operation->finished = true;
	return operation->result.failed ? ERROR_MEMORY : ERROR_BUFFER_TOO_SMALL;
}

/* An update cannot be made again, so its length is always known before. */
static bool is_exact(const struct operation *operation, enum operation_step step)
{
	return step == STEP_UPDATE || operation->finished || !operation->bound_only;
}

static enum err give(struct operation *operation, enum operation_step step, struct wire_bytes data,
                     const struct output_request *request, struct wire_buffer *out,
                     uint64_t *output_len)
{
	size_t max = operation->finished ? operation->result.len : bound(operation, data.len, step);
	enum err err;
	size_t len;

	*output_len = max;
	if (request->query)
		return ERROR_NONE;
	if (request->capacity < max && is_exact(operation, step))
		return ERROR_BUFFER_TOO_SMALL;
	if (operation->finished)
		return append_result(operation, out);
	err = append(operation, step, data, max, out, &len);
	if (err)
		return err;
	*output_len = len;
	if (len <= request->capacity)
		return ERROR_NONE;
	err = step == STEP_FINAL ? keep_result(operation, out, len) : ERROR_BUFFER_TOO_SMALL;
	wire_buffer_truncate(out, out->len - len);
	return err;
}

/* What every step but Init asks first. */
static enum err check_step(const struct operation *operation, enum operation_step step,
                           struct wire_bytes data)
{
	if (step == STEP_ONCE && operation->updated)
		return ERROR_OPERATION_ACTIVE;
	if (step != STEP_FINAL && operation->finished)
		return ERROR_OPERATION_ACTIVE;
	if (data.len > WIRE_DATA_LIMIT)
		return operation->kind == OPERATION_DECRYPT ? ERROR_ENCRYPTED_DATA_LENGTH
		                                            : ERROR_DATA_LENGTH;
	return ERROR_NONE;
}

static enum err step_with_output(struct operation **operation, enum operation_step step,
                                 struct wire_bytes data, const struct output_request *request,
                                 struct wire_buffer *out, uint64_t *output_len)
{
	enum err err;

	*output_len = 0;
	if (!*operation)
		return ERROR_OPERATION_NONE;
	err = check_step(*operation, step, data);
	if (!err)
		err = give(*operation, step, data, request, out, output_len);
	if (!err && step == STEP_UPDATE && !request->query)
		(*operation)->updated = true;
	return settle(operation, err, step != STEP_UPDATE && !request->query);
}

static enum err step_without_output(struct operation **operation, struct wire_bytes data)
{
	enum err err;

	if (!*operation)
		return ERROR_OPERATION_NONE;
	err = check_step(*operation, STEP_UPDATE, data);
	if (!err)
		err = run(*operation, STEP_UPDATE, data, NULL, NULL);
	(*operation)->updated = true;
	return settle(operation, err, false);
}

enum err operation_once(struct operation **operation, struct wire_bytes data,
                        const struct output_request *request, struct wire_buffer *out,
                        uint64_t *output_len)
{
	return step_with_output(operation, STEP_ONCE, data, request, out, output_len);
}

enum err operation_update(struct operation **operation, struct wire_bytes data,
                          const struct output_request *request, struct wire_buffer *out,
                          uint64_t *output_len)
{
	if (!request)
		return step_without_output(operation, data);
	return step_with_output(operation, STEP_UPDATE, data, request, out, output_len);
}

enum err operation_final(struct operation **operation, const struct output_request *request,
                         struct wire_buffer *out, uint64_t *output_len)
{
	const struct wire_bytes nothing = {NULL, 0};

	return step_with_output(operation, STEP_FINAL, nothing, request, out, output_len);
}

/* ---- verification ---- */

/* Families without verify: make it again and compare. */
static enum err compare(struct operation *operation, enum operation_step step,
                        struct wire_bytes data, struct wire_bytes signature)
{
	uint8_t expected[EVP_MAX_MD_SIZE];
	size_t len = 0;
	enum err err;

	if (signature.len != bound(operation, data.len, step))
		return ERROR_SIGNATURE_LENGTH;
	err = run(operation, step, data, expected, &len);
	if (!err && !wire_secret_equal((struct wire_bytes){expected, len}, signature))
		err = ERROR_SIGNATURE;
	wire_wipe(expected, sizeof(expected));
	return err;
}

static enum err verify(struct operation *operation, enum operation_step step,
                       struct wire_bytes data, struct wire_bytes signature)
{
	struct crypto *crypto = operation->crypto;
	struct wire_bytes whole;
	enum err err;

	err = check_step(operation, step, data);
	if (err)
		return err;
	if (!operation->methods->verify)
		return compare(operation, step, data, signature);
	if (step == STEP_ONCE)
		err = crypto_message_once(crypto, &operation->message, data, &whole);
	else
		err = crypto_message_finish(crypto, &operation->message, &whole);
	return err ? err : operation->methods->verify(operation, whole, signature);
}

enum err operation_verify_once(struct operation **operation, struct wire_bytes data,
                               struct wire_bytes signature)
{
	if (!*operation)
		return ERROR_OPERATION_NONE;
	return settle(operation, verify(*operation, STEP_ONCE, data, signature), true);
}

enum err operation_verify_final(struct operation **operation, struct wire_bytes signature)
{
	const struct wire_bytes nothing = {NULL, 0};

	if (!*operation)
		return ERROR_OPERATION_NONE;
	return settle(operation, verify(*operation, STEP_FINAL, nothing, signature), true);
}

enum err operation_keep_signature(struct operation *operation, struct wire_bytes signature)
{
	wire_put_raw(&operation->expected, signature.data, signature.len);
	return operation->expected.failed ? ERROR_MEMORY : ERROR_NONE;
}

enum err operation_expect(struct operation *operation, struct wire_bytes signature)
{
	operation->expects = true;
	return operation_keep_signature(operation, signature);
}

bool operation_expects(const struct operation *operation)
{
	return operation->expects;
}

struct wire_bytes operation_expected(const struct operation *operation)
{
	return (struct wire_bytes){operation->expected.data, operation->expected.len};
}

/* ---- data in parts ---- */

bool operation_in_parts(const struct operation *operation)
{
	return operation && operation->parts.active;
}

size_t operation_part_work(const struct operation *operation, size_t len)
{
	if (operation->parts.whole && len == operation->parts.left_len)
		return crypto_message_len(&operation->message) + len;
	return len;
}

/* Is nothing done with the parts before all of them are there, but to hash them? */
static bool gathers_parts(const struct operation *operation)
{
	return operation->parts.whole || operation->gathers;
}

bool operation_part_is_copied(const struct operation *operation)
{
	return operation->message.digest == DIGEST_NONE && gathers_parts(operation);
}

bool operation_part_in_place(const struct operation *operation)
{
	return operation->methods->in_place && !gathers_parts(operation) &&
	       operation->methods->in_place(operation);
}

/* A one-shot cannot be made of updates where nothing may be given before all is known: a result
 * that may be asked for again with a larger buffer, and plaintext that may be wrong. */
static bool wants_whole(const struct operation *operation, enum operation_step step)
{
	return step == STEP_ONCE && operation->message.digest == DIGEST_NONE &&
	       (operation->bound_only || operation->gathers);
}

enum err operation_expect_data(struct operation *operation, size_t len)
{
	return gathers_parts(operation) ? crypto_message_expect(&operation->message, len)
	                                : ERROR_NONE;
}

static enum err begin_parts(struct operation *operation, enum operation_step step, size_t data_len,
                            const struct output_request *request, uint64_t *output_len)
{
	size_t max = request ? bound(operation, data_len, step) : 0;

	*output_len = max;
	if (request && request->query)
		return ERROR_NONE;
	if (request && request->capacity < max && is_exact(operation, step))
		return ERROR_BUFFER_TOO_SMALL;
	operation->parts = (struct operation_parts){
		.active = true,
		.whole = wants_whole(operation, step),
		.gives = request,
		.step = step,
		.request = request ? *request : (struct output_request){0},
		.left_len = data_len,
	};
	*output_len = 0;
	return operation_expect_data(operation, data_len);
}

enum err operation_begin_parts(struct operation **operation, enum operation_step step,
                               uint64_t data_len, const struct output_request *request,
                               uint64_t *output_len)
{
	enum err err;

	*output_len = 0;
	if (!*operation)
		return ERROR_OPERATION_NONE;
	err = check_step(*operation, step, (struct wire_bytes){NULL, data_len});
	if (!err)
		err = begin_parts(*operation, step, data_len, request, output_len);
	return settle(operation, err, false);
}

/* One step's share of the result. */
static enum err add(struct operation *operation, enum operation_step step, struct wire_bytes data,
                    struct wire_buffer *out)
{
	size_t len = 0;
	enum err err;

	if (!operation->parts.gives)
		return run(operation, step, data, NULL, NULL);
	err = append(operation, step, data, bound(operation, data.len, step), out, &len);
	operation->parts.output_len += len;
	return err;
}

/* Does the last part say whether a signature is good? */
static bool verifies(const struct operation *operation)
{
	return operation->kind == OPERATION_VERIFY && operation->parts.step == STEP_ONCE;
}

static enum err do_whole(struct operation *operation, struct wire_buffer *out)
{
	struct operation_parts *parts = &operation->parts;
	struct wire_bytes whole = {
		operation->message.gathered.data,
		operation->message.gathered.len,
	};
	enum err err;

	if (verifies(operation))
		err = verify(operation, STEP_ONCE, whole, operation_expected(operation));
	else
		err = give(operation, STEP_ONCE, whole, &parts->request, out, &parts->output_len);
	wire_buffer_free(&operation->message.gathered);
	return err;
}

static enum err finish_parts(struct operation *operation, struct wire_buffer *out)
{
	const struct wire_bytes nothing = {NULL, 0};

	if (operation->parts.whole)
		return do_whole(operation, out);
	if (verifies(operation))
		return verify(operation, STEP_FINAL, nothing, operation_expected(operation));
	return operation->parts.step == STEP_ONCE ? add(operation, STEP_FINAL, nothing, out)
	                                          : ERROR_NONE;
}

static enum err take_part(struct operation *operation, struct wire_bytes data,
                          struct wire_buffer *out)
{
	struct operation_parts *parts = &operation->parts;
	enum err err;

	if (data.len > parts->left_len)
		return ERROR_PROTOCOL;
	parts->left_len -= data.len;
	parts->active = parts->left_len;
	if (parts->whole)
		err = gather(operation, data);
	else
		err = add(operation, STEP_UPDATE, data, out);
	return err || parts->active ? err : finish_parts(operation, out);
}

enum err operation_next_part(struct operation **operation, struct wire_bytes data,
                             struct wire_buffer *out, uint64_t *output_len, bool *done)
{
	struct operation_parts *parts;
	bool last;
	enum err err;

	*done = false;
	*output_len = 0;
	if (!operation_in_parts(*operation))
		return ERROR_OPERATION_NONE;
	parts = &(*operation)->parts;
	err = take_part(*operation, data, out);
	*done = !parts->active;
	if (err || *done)
		*output_len = parts->output_len;
	last = *done && parts->step == STEP_ONCE;
	if (!err && *done && parts->step == STEP_UPDATE)
		(*operation)->updated = true;
	return settle(operation, err, last);
}

/* ---- keys that are digested ---- */

/* The digest of a short secret betrays it, so only keys that could be read anyway are digested. */
static bool digestible(const struct object *key)
{
	return key->object_class == CKO_SECRET_KEY && (key->usage & USAGE_EXTRACTABLE) &&
	       !(key->usage & (USAGE_SENSITIVE | USAGE_COMPROMISED));
}

enum err operation_digest_key(struct operation **operation, const struct object *key)
{
	if (!*operation)
		return ERROR_OPERATION_NONE;
	if (!digestible(key))
		return settle(operation, ERROR_KEY_INDIGESTIBLE, true);
	return step_without_output(operation, crypto_key_secret(key));
}
