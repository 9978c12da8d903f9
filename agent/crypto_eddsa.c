/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EdDSA (RFC 8032): Ed25519 and Ed448 as they are, and by CK_EDDSA_PARAMS with a context or over a
 * hash that the algorithm makes. The variants need OpenSSL 3.2.
 */
#include <openssl/params.h>

#include "crypto_methods.h"
#include "crypto_oneshot.h"

#define HALF_ED25519 32u

/* The instances of RFC 8032 §5, by curve and flag; Ed25519 with a context has a name of its own. */
static const char *instance(const struct crypto_curve *curve, bool prehash)
{
	if (curve->field_len == HALF_ED25519)
		return prehash ? "Ed25519ph" : "Ed25519ctx";
	return prehash ? "Ed448ph" : "Ed448";
}

/* FIPS 186-5 §7.8 has no Ed25519ctx; a context of Ed25519ctx may not be empty (RFC 8032 §8.3), and
 * without a parameter there is none. */
static bool allowed(const struct operation *operation, const struct crypto_curve *curve,
                    const struct wire_eddsa_parameter *record)
{
	if (!operation->crypto->has_eddsa_instances)
		return false;
	if (record->prehash || curve->field_len != HALF_ED25519)
		return true;
	return record->context.len && (operation->mechanism->needs & NEEDS_FIPS_OFF);
}

static enum err read_parameter(struct operation *operation, const struct wire_mechanism *parameter,
                               const struct crypto_curve *curve)
{
	struct oneshot *state = operation->state;
	struct wire_eddsa_parameter record;
	enum err err;

	if (!wire_decode_eddsa_parameter(parameter->parameter, &record) ||
	    !allowed(operation, curve, &record))
		return ERROR_MECHANISM_PARAMETER;
	operation->unapproved = !record.prehash && curve->field_len == HALF_ED25519;
	err = crypto_oneshot_take_context(state, record.context);
	if (err)
		return err;
	state->params[0] = OSSL_PARAM_construct_utf8_string(
		"instance", (char *)(uintptr_t)instance(curve, record.prehash), 0);
	state->params[1] = crypto_oneshot_context(state);
	state->params[2] = OSSL_PARAM_construct_end();
	return ERROR_NONE;
}

static enum err start(struct operation *operation, const struct wire_mechanism *parameter)
{
	struct oneshot *state = operation->state;
	const struct crypto_curve *curve;
	enum err err = crypto_key_get(operation->crypto, operation->key, &state->pkey);

	if (err)
		return err;
	curve = crypto_curve_of(state->pkey);
	state->signature_len = 2 * curve->field_len;
	if (parameter->shape == WIRE_SHAPE_none)
		return ERROR_NONE;
	return read_parameter(operation, parameter, curve);
}

const struct operation_methods crypto_eddsa_methods = {
	.state_len = sizeof(struct oneshot),
	.start = start,
	.produce = crypto_oneshot_sign,
	.verify = crypto_oneshot_verify,
	.output_max = crypto_oneshot_max,
};
