/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers that make or move keys: generate, wrap, unwrap, derive; and random octets.
 */
#include "handle.h"

#include "config.h"
#include "drbg.h"
#include "keygen.h"
#include "operation.h"

#define SEED_MAX 65536u

/* Builds both the context and the set of a key that a mechanism makes. */
static enum err build(struct call *call, struct session *session, struct template_context *context,
                      const struct wire_template *template, struct attributes *set)
{
	enum err err = template_build(context, template, set);

	if (!err)
		err = handle_approve(call, set);
	return err ? err : handle_may_write(session, set);
}

enum err handle_generate_key(struct call *call, const struct wire_generate_key_request *request,
                             struct wire_generate_key_reply *reply)
{
	struct crypto *crypto = call->agent->crypto;
	const struct mechanism *mechanism;
	struct template_context context;
	session_auto session = NULL;
	attributes_auto set = {0};
	struct attributes *sets[] = {&set};
	enum err err;

	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	mechanism = handle_mechanism(call, &request->mechanism, CKF_GENERATE);
	if (!mechanism)
		return ERROR_MECHANISM;
	context = handle_template_context(session, ORIGIN_GENERATE);
	context.object_class = CKO_SECRET_KEY;
	if (mechanism->key_type != MECHANISM_ANY_SECRET)
		context.key_type = mechanism->key_type;
	context.mechanism = mechanism->type;
	err = build(call, session, &context, &request->attributes, &set);
	if (!err)
		err = keygen_secret(crypto, mechanism, &request->mechanism, &set);
	if (!err)
		err = template_complete(&context, crypto, &set);
	if (!err)
		err = handle_publish(call, session, sets, 1, &reply->key);
	return err;
}

/* The two halves of a pair on their way. */
struct pair {
	struct template_context public_context, private_context;
	struct attributes public_set, private_set;
};

static void pair_clear(struct pair *pair)
{
	attributes_clear(&pair->public_set);
	attributes_clear(&pair->private_set);
}

static enum err pair_build(struct call *call, struct session *session,
                           const struct mechanism *mechanism,
                           const struct wire_generate_key_pair_request *request, struct pair *pair)
{
	enum err err;

	attributes_init(&pair->public_set);
	attributes_init(&pair->private_set);
	pair->public_context = handle_template_context(session, ORIGIN_GENERATE);
	pair->public_context.key_type = mechanism->key_type;
	pair->public_context.mechanism = mechanism->type;
	pair->private_context = pair->public_context;
	pair->public_context.object_class = CKO_PUBLIC_KEY;
	pair->private_context.object_class = CKO_PRIVATE_KEY;
	err = build(call, session, &pair->public_context, &request->public_attributes,
	            &pair->public_set);
	if (!err)
		err = build(call, session, &pair->private_context, &request->private_attributes,
		            &pair->private_set);
	return err;
}

static enum err pair_make(struct call *call, const struct mechanism *mechanism,
                          const struct wire_mechanism *parameter, struct pair *pair)
{
	struct agent *agent = call->agent;
	enum err err;

	err = keygen_pair(agent->crypto, agent->config, mechanism, parameter, &pair->public_set,
	                  &pair->private_set);
	if (!err)
		err = template_complete(&pair->public_context, agent->crypto, &pair->public_set);
	if (!err)
		err = template_complete(&pair->private_context, agent->crypto, &pair->private_set);
	return err;
}

enum err handle_generate_key_pair(struct call *call,
                                  const struct wire_generate_key_pair_request *request,
                                  struct wire_generate_key_pair_reply *reply)
{
	__attribute__((cleanup(pair_clear))) struct pair pair = {0};
	struct attributes *sets[] = {&pair.public_set, &pair.private_set};
	const struct mechanism *mechanism;
	session_auto session = NULL;
	uint64_t handles[2];
	enum err err;

	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	mechanism = handle_mechanism(call, &request->mechanism, CKF_GENERATE_KEY_PAIR);
	if (!mechanism)
		return ERROR_MECHANISM;
	err = pair_build(call, session, mechanism, request, &pair);
	if (!err)
		err = pair_make(call, mechanism, &request->mechanism, &pair);
	if (!err)
		err = handle_publish(call, session, sets, 2, handles);
	if (err)
		return err;
	reply->public_key = handles[0];
	reply->private_key = handles[1];
	return ERROR_NONE;
}

static enum err give_wrapped(struct call *call, const struct wire_wrap_key_request *request,
                             struct wire_wrap_key_reply *reply)
{
	reply->output_len = call->output.len;
	call->unaudited = true;
	if (request->query)
		return ERROR_NONE;
	if (request->capacity < call->output.len)
		return ERROR_BUFFER_TOO_SMALL;
	call->unaudited = false;
	reply->output = (struct wire_bytes){call->output.data, call->output.len};
	return ERROR_NONE;
}

enum err handle_wrap_key(struct call *call, const struct wire_wrap_key_request *request,
                         struct wire_wrap_key_reply *reply)
{
	const struct mechanism *mechanism;
	object_auto wrapping_key = NULL;
	session_auto session = NULL;
	object_auto key = NULL;
	enum err err;

	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	mechanism = handle_mechanism(call, &request->mechanism, CKF_WRAP);
	if (!mechanism)
		return ERROR_MECHANISM;
	err = handle_usable_key(call, session, request->wrapping_key, POLICY_WRAP, mechanism,
	                        ERROR_WRAPPING_KEY_HANDLE, &wrapping_key);
	if (err)
		return err;
	key = handle_object(session, request->key);
	if (!key)
		return ERROR_KEY_HANDLE;
	handle_note_key(call, key);
	if (!template_permits_wrap(wrapping_key, key))
		return ERROR_KEY_HANDLE; /* §4.10, CKA_WRAP_TEMPLATE */
	err = policy_wrap(wrapping_key, key);
	if (!err)
		err = keygen_wrap(call->agent->crypto, mechanism, &request->mechanism, wrapping_key,
		                  key, &call->output);
	return err ? err : give_wrapped(call, request, reply);
}

/* What unwrapping, deriving and ML-KEM's two halves differ in. */
struct from_key {
	enum template_origin origin;
	uint64_t function;
	enum policy_use use;
	enum err missing; /* what a handle of nothing is called */
};

/* Where the ciphertext of an encapsulation goes. */
struct encapsulation {
	struct output_request request;
	uint64_t *output_len;
	struct wire_bytes *output;
};

/* The request of any, without its session. `wrapped` is what is unwrapped or decapsulated;
 * `encapsulation` is NULL for all others. */
struct from_key_request {
	const struct wire_mechanism *parameter;
	uint64_t base;
	const struct wire_bytes *wrapped;
	const struct wire_template *template;
	const struct encapsulation *encapsulation;
};

static enum err encapsulate(struct call *call, const struct encapsulation *encapsulation,
                            const struct derivation *from, struct attributes *set)
{
	enum err err = keygen_encapsulate(call->agent->crypto, from->mechanism, from->parameter,
	                                  from->base, &call->output, set);

	*encapsulation->output = (struct wire_bytes){call->output.data, call->output.len};
	*encapsulation->output_len = call->output.len;
	return err;
}

static enum err fill_from_key(struct call *call, const struct from_key *how,
                              const struct from_key_request *request, const struct derivation *from,
                              struct attributes *set)
{
	struct crypto *crypto = call->agent->crypto;

	switch (how->function) {
	case CKF_UNWRAP:
		return keygen_unwrap(crypto, from->mechanism, from->parameter, from->base,
		                     *request->wrapped, set);
	case CKF_ENCAPSULATE:
		return encapsulate(call, request->encapsulation, from, set);
	case CKF_DECAPSULATE:
		return keygen_decapsulate(crypto, from->mechanism, from->parameter, from->base,
		                          *request->wrapped, set);
	default:
		return keygen_derive(crypto, from, set);
	}
}

/* A query and a buffer that is too small make no key. True when the call is over, with *err. */
static bool measured(struct call *call, const struct encapsulation *encapsulation,
                     const struct object *key, enum err *err)
{
	size_t len = keygen_encapsulated_len(key);
	bool query = encapsulation->request.query;

	if (!len || (!query && encapsulation->request.capacity >= len))
		return false;
	*encapsulation->output_len = len;
	*err = query ? ERROR_NONE : ERROR_BUFFER_TOO_SMALL;
	call->unaudited = true;
	return true;
}

/* The second key, for a mechanism whose parameter names one: it is derived from, too. */
static enum err find_other(struct call *call, struct session *session, const struct from_key *how,
                           const struct mechanism *mechanism,
                           const struct wire_mechanism *parameter, struct object **other)
{
	uint64_t handle;

	if (how->origin != ORIGIN_DERIVE || !keygen_other_key(mechanism, parameter, &handle))
		return ERROR_NONE;
	return handle_usable_key(call, session, handle, how->use, mechanism, ERROR_KEY_HANDLE,
	                         other);
}

/* A new key out of an old one. */
static enum err make_from_key(struct call *call, const struct from_key *how,
                              uint64_t session_handle, const struct from_key_request *request,
                              uint64_t *handle)
{
	const struct mechanism *mechanism;
	struct template_context context;
	session_auto session = NULL;
	object_auto base = NULL;
	object_auto other = NULL;
	attributes_auto set = {0};
	struct attributes *sets[] = {&set};
	enum err err;

	session = handle_session(call, session_handle, &err);
	if (!session)
		return err;
	mechanism = handle_mechanism(call, request->parameter, how->function);
	if (!mechanism)
		return ERROR_MECHANISM;
	err = find_other(call, session, how, mechanism, request->parameter, &other);
	if (!err)
		err = handle_usable_key(call, session, request->base, how->use, mechanism,
		                        how->missing, &base);
	if (err || (request->encapsulation && measured(call, request->encapsulation, base, &err)))
		return err;
	context = handle_template_context(session, how->origin);
	context.base = base;
	context.other = other;
	if (how->origin == ORIGIN_DERIVE && keygen_makes_data(mechanism))
		context.object_class = CKO_DATA;
	err = build(call, session, &context, request->template, &set);
	if (!err)
		err = fill_from_key(
			call, how, request,
			&(struct derivation){mechanism, request->parameter, base, other}, &set);
	if (!err)
		err = template_complete(&context, call->agent->crypto, &set);
	return err ? err : handle_publish(call, session, sets, 1, handle);
}

enum err handle_unwrap_key(struct call *call, const struct wire_unwrap_key_request *request,
                           struct wire_unwrap_key_reply *reply)
{
	static const struct from_key unwrapping = {ORIGIN_UNWRAP, CKF_UNWRAP, POLICY_UNWRAP,
	                                           ERROR_UNWRAPPING_KEY_HANDLE};

	return make_from_key(
		call, &unwrapping, request->session,
		&(struct from_key_request){&request->mechanism, request->unwrapping_key,
	                                   &request->wrapped_key, &request->attributes, NULL},
		&reply->key);
}

enum err handle_derive_key(struct call *call, const struct wire_derive_key_request *request,
                           struct wire_derive_key_reply *reply)
{
	static const struct from_key deriving = {ORIGIN_DERIVE, CKF_DERIVE, POLICY_DERIVE,
	                                         ERROR_KEY_HANDLE};

	return make_from_key(call, &deriving, request->session,
	                     &(struct from_key_request){&request->mechanism, request->base_key,
	                                                NULL, &request->attributes, NULL},
	                     &reply->key);
}

enum err handle_encapsulate_key(struct call *call,
                                const struct wire_encapsulate_key_request *request,
                                struct wire_encapsulate_key_reply *reply)
{
	static const struct from_key encapsulating = {ORIGIN_DERIVE, CKF_ENCAPSULATE,
	                                              POLICY_ENCAPSULATE, ERROR_KEY_HANDLE};
	const struct encapsulation encapsulation = {
		{request->query, request->capacity}, &reply->output_len, &reply->output};

	return make_from_key(call, &encapsulating, request->session,
	                     &(struct from_key_request){&request->mechanism, request->public_key,
	                                                NULL, &request->attributes, &encapsulation},
	                     &reply->key);
}

enum err handle_decapsulate_key(struct call *call,
                                const struct wire_decapsulate_key_request *request,
                                struct wire_decapsulate_key_reply *reply)
{
	static const struct from_key decapsulating = {ORIGIN_DERIVE, CKF_DECAPSULATE,
	                                              POLICY_DECAPSULATE, ERROR_KEY_HANDLE};

	return make_from_key(call, &decapsulating, request->session,
	                     &(struct from_key_request){&request->mechanism, request->private_key,
	                                                &request->ciphertext, &request->attributes,
	                                                NULL},
	                     &reply->key);
}

enum err handle_seed_random(struct call *call, const struct wire_seed_random_request *request,
                            struct wire_seed_random_reply *reply)
{
	session_auto session = NULL;
	enum err err;

	(void)reply;
	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	if (request->seed.len > SEED_MAX)
		return ERROR_ARGUMENTS;
	drbg_add(call->agent->crypto->drbg, request->seed.data, request->seed.len);
	return ERROR_NONE;
}

enum err handle_generate_random(struct call *call,
                                const struct wire_generate_random_request *request,
                                struct wire_generate_random_reply *reply)
{
	session_auto session = NULL;
	uint8_t *octets;
	enum err err;

	session = handle_session(call, request->session, &err);
	if (!session)
		return err;
	call->record.fips_approved = true;
	if (!request->random_len)
		return ERROR_NONE;
	if (request->random_len > WIRE_DATA_LIMIT)
		return ERROR_DATA_LENGTH;
	octets = wire_buffer_extend(&call->output, request->random_len);
	if (!octets)
		return ERROR_MEMORY;
	err = crypto_random(call->agent->crypto, octets, request->random_len);
	if (!err)
		reply->random = (struct wire_bytes){octets, request->random_len};
	return err;
}
