/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages one after the other: their parameters from the caller's parts, IVs that the agent makes,
 * and where a tag stands. The ciphers and signatures are operation.c's.
 */
#include "message_based.h"

#include <string.h>

#include "crypto_key.h"
#include "slots.h"
#include "wire/cryptoki_3.h"

#define IV_MAX      128u
#define COUNTER_LEN 8u /* of an IV that is made here */
#define TAG_MAX     16u

/* A call whose data come in parts. */
struct message_parts {
	bool active, last;
	uint64_t left_len;   /* octets still to come */
	uint64_t output_len; /* of the result, so far */
	struct wire_buffer tag;
};

struct message_based {
	enum operation_kind kind;
	struct crypto *crypto;
	const struct mechanism *mechanism;
	struct object *key;
	struct wire_mechanism parameter; /* of Init; its octets are `octets` */
	uint8_t *octets;
	struct operation *current; /* the message under way */
	size_t given_len;          /* octets of it so far */
	size_t tag_len;
	struct message_parts parts;
	bool unapproved;
};

static bool encrypts(enum operation_kind kind)
{
	return kind == OPERATION_ENCRYPT || kind == OPERATION_DECRYPT;
}

bool message_based_fits(const struct mechanism *mechanism, enum operation_kind kind)
{
	enum wire_shape shape;

	if (!encrypts(kind))
		return kind != OPERATION_DIGEST && mechanism->operation;
	return mechanism->encryption && wire_mechanism_shape(mechanism->type, &shape) &&
	       (shape == WIRE_SHAPE_gcm || shape == WIRE_SHAPE_ccm || shape == WIRE_SHAPE_poly1305);
}

/* A signature's parameter belongs to Init, so it is tried there; a cipher's comes with each
 * message. */
static enum err try(struct message_based *series)
{
	struct operation *operation;
	enum err err;

	if (encrypts(series->kind))
		return crypto_key_fits(series->crypto, series->mechanism, series->key,
		                       series->kind == OPERATION_ENCRYPT ? HALF_PUBLIC
		                                                         : HALF_PRIVATE);
	err = operation_start(&operation, series->kind, series->crypto, series->mechanism,
	                      &series->parameter, series->key);
	series->unapproved = !err && !operation_approved(operation);
	operation_free(operation);
	return err;
}

static enum err keep_parameter(struct message_based *series, const struct wire_mechanism *parameter)
{
	series->parameter = *parameter;
	if (!parameter->parameter.len)
		return ERROR_NONE;
	series->octets = slots_allocate(parameter->parameter.len);
	if (!series->octets)
		return ERROR_MEMORY;
	memcpy(series->octets, parameter->parameter.data, parameter->parameter.len);
	series->parameter.parameter.data = series->octets;
	return ERROR_NONE;
}

enum err message_based_start(struct message_based **series, enum operation_kind kind,
                             struct crypto *crypto, const struct mechanism *mechanism,
                             const struct wire_mechanism *parameter, struct object *key)
{
	struct message_based *made;
	enum err err;

	*series = NULL;
	made = slots_allocate(sizeof(*made));
	if (!made)
		return ERROR_MEMORY;
	*made = (struct message_based){.kind = kind, .crypto = crypto, .mechanism = mechanism};
	wire_buffer_init(&made->parts.tag, WIRE_CONTROL_LIMIT, NULL);
	made->key = object_get(key);
	err = keep_parameter(made, parameter);
	if (!err)
		err = try(made);
	if (err)
		message_based_free(made);
	else
		*series = made;
	return err;
}

void message_based_free(struct message_based *series)
{
	if (!series)
		return;
	message_based_abandon(series);
	object_put(series->key);
	if (series->octets)
		slots_release(series->octets);
	slots_release(series);
}

bool message_based_approved(const struct message_based *series)
{
	return !series->unapproved;
}

const struct mechanism *message_based_mechanism(const struct message_based *series)
{
	return series->mechanism;
}

struct object *message_based_key(const struct message_based *series)
{
	return series->key;
}

static void end_parts(struct message_based *series)
{
	series->parts.active = false;
	wire_buffer_free(&series->parts.tag);
}

void message_based_abandon(struct message_based *series)
{
	end_parts(series);
	operation_free(series->current);
	series->current = NULL;
}

/* ---- initialisation vectors ---- */

/*
 * The caller's leading bits, random ones, and a counter of this agent in the last 64 bits, which no
 * other IV of its life has. COUNTER_XOR would let the caller choose what the counter is combined
 * with, and so bring back an IV; it is refused, as is less room than the counter takes.
 */
static enum err make_iv(struct crypto *crypto, const struct message_parameter *parameter,
                        uint8_t iv[IV_MAX])
{
	size_t len = parameter->iv.len, fixed = parameter->fixed_bits / 8;
	uint64_t counter;
	enum err err;

	if (parameter->generator > CKG_GENERATE_RANDOM || len < COUNTER_LEN || len > IV_MAX ||
	    parameter->fixed_bits > 8 * (len - COUNTER_LEN))
		return ERROR_MECHANISM_PARAMETER;
	err = crypto_next_iv(crypto, &counter);
	if (!err)
		err = crypto_random(crypto, iv, len - COUNTER_LEN);
	if (err)
		return err;
	memcpy(iv, parameter->iv.data, fixed);
	if (parameter->fixed_bits % 8) {
		uint8_t mask = (uint8_t)(0xff << (8 - parameter->fixed_bits % 8));

		iv[fixed] = (uint8_t)((parameter->iv.data[fixed] & mask) | (iv[fixed] & ~mask));
	}
	for (size_t i = 0; i < COUNTER_LEN; i++)
		iv[len - 1 - i] = (uint8_t)(counter >> (8 * i));
	return ERROR_NONE;
}

static enum err choose_iv(struct message_based *series, const struct message_parameter *parameter,
                          uint8_t iv[IV_MAX])
{
	if (!parameter->iv.len || parameter->iv.len > IV_MAX)
		return ERROR_MECHANISM_PARAMETER;
	if (series->kind == OPERATION_ENCRYPT && parameter->generator != CKG_NO_GENERATE)
		return make_iv(series->crypto, parameter, iv);
	memcpy(iv, parameter->iv.data, parameter->iv.len);
	return ERROR_NONE;
}

/* ---- one message ---- */

static bool encode(enum wire_shape shape, const struct message_parameter *given,
                   struct wire_bytes iv, struct wire_buffer *buffer)
{
	struct wire_gcm_parameter gcm = {iv, given->aad, 8 * given->tag_len};
	struct wire_ccm_parameter ccm = {given->total_len, iv, given->aad, given->tag_len};
	struct wire_poly1305_parameter poly1305 = {iv, given->aad};

	switch (shape) {
	case WIRE_SHAPE_gcm:
		wire_encode_gcm_parameter(buffer, &gcm);
		break;
	case WIRE_SHAPE_ccm:
		wire_encode_ccm_parameter(buffer, &ccm);
		break;
	default:
		if (given->tag_len != TAG_MAX)
			return false;
		wire_encode_poly1305_parameter(buffer, &poly1305);
	}
	return true;
}

static enum err begin_cipher(struct message_based *series,
                             const struct message_parameter *parameter, struct wire_bytes iv)
{
	__attribute__((cleanup(wire_buffer_free))) struct wire_buffer buffer = {0};
	struct wire_mechanism mechanism = {.type = series->mechanism->type};
	enum wire_shape shape;
	enum err err;

	if (!parameter->tag_len || parameter->tag_len > TAG_MAX ||
	    !wire_mechanism_shape(mechanism.type, &shape))
		return ERROR_MECHANISM_PARAMETER;
	wire_buffer_init(&buffer, WIRE_DATA_LIMIT, NULL);
	if (!encode(shape, parameter, iv, &buffer))
		return ERROR_MECHANISM_PARAMETER;
	if (buffer.failed)
		return ERROR_MEMORY;
	mechanism.shape = (uint8_t)shape;
	mechanism.parameter = (struct wire_bytes){buffer.data, buffer.len};
	series->tag_len = parameter->tag_len;
	err = operation_start(&series->current, series->kind, series->crypto, series->mechanism,
	                      &mechanism, series->key);
	if (!err) /* a tag comes besides the data, where other decryptions have it among them */
		crypto_message_extend(&series->current->message, TAG_MAX);
	return err;
}

enum err message_based_begin(struct message_based *series,
                             const struct message_parameter *parameter, struct wire_buffer *iv)
{
	uint8_t octets[IV_MAX];
	enum err err;

	if (series->current)
		return ERROR_OPERATION_ACTIVE;
	series->given_len = 0;
	if (!encrypts(series->kind))
		return operation_start(&series->current, series->kind, series->crypto,
		                       series->mechanism, &series->parameter, series->key);
	err = choose_iv(series, parameter, octets);
	if (!err)
		err = begin_cipher(series, parameter,
		                   (struct wire_bytes){octets, parameter->iv.len});
	if (err || series->kind == OPERATION_DECRYPT)
		return err;
	wire_put_raw(iv, octets, parameter->iv.len);
	return iv->failed ? ERROR_MEMORY : ERROR_NONE;
}

/* A cipher that wants its message whole gives all of it at the end. */
static size_t cipher_output_len(const struct message_based *series, size_t data_len, bool last)
{
	if (!series->current->gathers)
		return data_len;
	return last ? series->given_len + data_len : 0;
}

/* What a part gives, known before. A signature's length is the key's. */
static size_t output_len_of(const struct message_based *series, size_t data_len, bool last)
{
	const struct operation *operation = series->current;

	if (encrypts(series->kind))
		return cipher_output_len(series, data_len, last);
	return last ? operation->methods->output_max(operation, data_len, STEP_FINAL) : 0;
}

static enum err feed(struct message_based *series, struct wire_bytes data, struct wire_buffer *out)
{
	const struct output_request whole = {.capacity = UINT64_MAX};
	uint64_t len;
	enum err err;

	if (!encrypts(series->kind))
		return operation_update(&series->current, data, NULL, NULL, NULL);
	err = operation_update(&series->current, data, &whole, out, &len);
	series->given_len += data.len;
	return err;
}

static enum err finish(struct message_based *series, struct wire_bytes tag, struct wire_buffer *out)
{
	const struct output_request whole = {.capacity = UINT64_MAX};
	uint64_t len;
	enum err err = ERROR_NONE;

	if (series->kind == OPERATION_DECRYPT) {
		if (tag.len != series->tag_len) {
			message_based_abandon(series);
			return ERROR_MECHANISM_PARAMETER;
		}
		err = operation_update(&series->current, tag, &whole, out, &len);
	}
	if (!err)
		err = operation_final(&series->current, &whole, out, &len);
	return err == ERROR_ENCRYPTED_DATA ? ERROR_AEAD : err;
}

enum err message_based_next(struct message_based *series, struct wire_bytes data, bool last,
                            struct wire_bytes tag, const struct output_request *request,
                            struct wire_buffer *out, uint64_t *output_len)
{
	size_t start = out->len;
	enum err err;

	*output_len = 0;
	if (!series->current)
		return ERROR_OPERATION_NONE;
	*output_len = output_len_of(series, data.len, last);
	if (request->query)
		return ERROR_NONE;
	if (request->capacity < *output_len)
		return ERROR_BUFFER_TOO_SMALL;
	err = feed(series, data, out);
	if (!err && last)
		err = finish(series, tag, out);
	if (err)
		return err;
	*output_len = out->len - start;
	if (last && series->kind == OPERATION_ENCRYPT)
		*output_len -= series->tag_len;
	return ERROR_NONE;
}

enum err message_based_verify(struct message_based *series, struct wire_bytes data,
                              struct wire_bytes signature)
{
	enum err err;

	if (!series->current)
		return ERROR_OPERATION_NONE;
	err = operation_update(&series->current, data, NULL, NULL, NULL);
	return err ? err : operation_verify_final(&series->current, signature);
}

/* ---- data in parts ---- */

bool message_based_in_parts(const struct message_based *series)
{
	return series->parts.active;
}

bool message_based_parts_last(const struct message_based *series)
{
	return series->parts.last;
}

bool message_based_part_is_copied(const struct message_based *series)
{
	return operation_part_is_copied(series->current);
}

size_t message_based_part_work(const struct message_based *series, size_t len)
{
	const struct message_parts *parts = &series->parts;

	if (parts->last && len == parts->left_len && series->current->gathers)
		return crypto_message_len(&series->current->message) + len;
	return len;
}

/* For a cipher the length is that of the data. */
enum err message_based_ask(const struct message_based *series, size_t data_len,
                           const struct output_request *request, uint64_t *output_len,
                           bool *answered)
{
	*answered = false;
	if (!encrypts(series->kind) || (!request->query && request->capacity >= data_len))
		return ERROR_NONE;
	*output_len = data_len;
	*answered = request->query;
	return request->query ? ERROR_NONE : ERROR_BUFFER_TOO_SMALL;
}

static enum err check_parts(const struct message_based *series, uint64_t data_len)
{
	if (data_len <= WIRE_DATA_LIMIT)
		return ERROR_NONE;
	return series->kind == OPERATION_DECRYPT ? ERROR_ENCRYPTED_DATA_LENGTH : ERROR_DATA_LENGTH;
}

/* The message is under way. */
static enum err start_parts(struct message_based *series, const struct message_call *call,
                            uint64_t data_len, uint64_t *output_len)
{
	struct message_parts *parts = &series->parts;

	*output_len =
		series->kind == OPERATION_VERIFY ? 0 : output_len_of(series, data_len, call->last);
	if (call->request.query)
		return ERROR_NONE;
	if (call->request.capacity < *output_len)
		return ERROR_BUFFER_TOO_SMALL;
	*output_len = 0;
	parts->active = true;
	parts->last = call->last;
	parts->left_len = data_len;
	parts->output_len = 0;
	wire_put_raw(&parts->tag, call->tag.data, call->tag.len);
	if (parts->tag.failed)
		return ERROR_MEMORY;
	if (series->kind == OPERATION_DECRYPT && call->last)
		data_len += series->tag_len; /* is fed, too */
	return operation_expect_data(series->current, data_len);
}

enum err message_based_begin_parts(struct message_based *series, const struct message_call *call,
                                   uint64_t data_len, struct wire_buffer *out, uint64_t *output_len)
{
	bool answered = false;
	enum err err;

	*output_len = 0;
	err = check_parts(series, data_len);
	if (!err && call->whole)
		err = message_based_ask(series, data_len, &call->request, output_len, &answered);
	if (!err && call->whole && !answered)
		err = message_based_begin(series, &call->parameter, out);
	if (err || answered)
		return err;
	if (!series->current)
		return ERROR_OPERATION_NONE;
	err = start_parts(series, call, data_len, output_len);
	if ((err && err != ERROR_BUFFER_TOO_SMALL) || (call->whole && !series->parts.active))
		message_based_abandon(series);
	return err;
}

static enum err take_part(struct message_based *series, struct wire_bytes data,
                          struct wire_buffer *out)
{
	const struct output_request whole = {.capacity = UINT64_MAX};
	struct message_parts *parts = &series->parts;
	struct wire_bytes tag = {parts->tag.data, parts->tag.len};
	bool last = parts->last && data.len == parts->left_len;
	uint64_t len;
	enum err err;

	if (data.len > parts->left_len)
		return ERROR_PROTOCOL;
	parts->left_len -= data.len;
	if (series->kind == OPERATION_VERIFY && last)
		return message_based_verify(series, data, tag);
	err = message_based_next(series, data, last, tag, &whole, out, &len);
	parts->output_len += len;
	return err;
}

enum err message_based_next_part(struct message_based *series, struct wire_bytes data,
                                 struct wire_buffer *out, uint64_t *output_len, bool *done)
{
	struct message_parts *parts = &series->parts;
	enum err err = take_part(series, data, out);

	*done = !parts->left_len;
	*output_len = *done ? parts->output_len : 0;
	if (err)
		message_based_abandon(series);
	else if (*done)
		end_parts(series);
	return err;
}
