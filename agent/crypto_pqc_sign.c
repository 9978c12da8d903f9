/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures of ML-DSA and SLH-DSA: pure, and over a hash of the message. OpenSSL has the pure form
 * only, so the other's message M' (FIPS 204 §5.4, FIPS 205 §10.2) is put together here and signed
 * as it is.
 */
#include <openssl/params.h>
#include <string.h>

#include "crypto_methods.h"
#include "crypto_oneshot.h"
#include "crypto_pqc.h"

#define OID_LEN     11u
#define PREFIX_MAX  (2u + ONESHOT_CONTEXT_MAX + OID_LEN)
#define ENCODED_MAX (PREFIX_MAX + EVP_MAX_MD_SIZE)

/* The last arc of each hash under 2.16.840.1.101.3.4.2. */
struct hash_oid {
	enum crypto_digest digest;
	uint8_t arc;
};

static const struct hash_oid oids[] = {
	{DIGEST_SHA256, 1},    {DIGEST_SHA384, 2},     {DIGEST_SHA512, 3},
	{DIGEST_SHA224, 4},    {DIGEST_SHA512_224, 5}, {DIGEST_SHA512_256, 6},
	{DIGEST_SHA3_224, 7},  {DIGEST_SHA3_256, 8},   {DIGEST_SHA3_384, 9},
	{DIGEST_SHA3_512, 10}, {DIGEST_SHAKE128, 11},  {DIGEST_SHAKE256, 12},
};

static const struct hash_oid *find_oid(enum crypto_digest digest)
{
	for (size_t i = 0; i < sizeof(oids) / sizeof(oids[0]); i++) {
		if (oids[i].digest == digest)
			return &oids[i];
	}
	return NULL;
}

static bool hedge_known(uint64_t hedge)
{
	return hedge == CKH_HEDGE_PREFERRED || hedge == CKH_HEDGE_REQUIRED ||
	       hedge == CKH_DETERMINISTIC_REQUIRED;
}

/* Both records, the shorter one with the mechanism's own hash. */
static bool read_record(const struct operation *operation, const struct wire_mechanism *parameter,
                        struct wire_hash_context_parameter *record, enum crypto_digest *digest)
{
	struct wire_signature_context_parameter plain = {0};

	*digest = operation->mechanism->digest;
	if (parameter->shape == WIRE_SHAPE_hash_context) {
		if (!wire_decode_hash_context_parameter(parameter->parameter, record))
			return false;
		*digest = mechanism_digest(record->hash);
		return *digest != DIGEST_NONE;
	}
	if (parameter->shape != WIRE_SHAPE_none &&
	    !wire_decode_signature_context_parameter(parameter->parameter, &plain))
		return false;
	*record = (struct wire_hash_context_parameter){plain.hedge, plain.context, 0};
	return true;
}

static enum err read_parameter(struct operation *operation, const struct wire_mechanism *parameter)
{
	struct oneshot *state = operation->state;
	struct wire_hash_context_parameter record;
	OSSL_PARAM *next = state->params;
	enum crypto_digest digest;
	enum err err;

	if (!read_record(operation, parameter, &record, &digest) || !hedge_known(record.hedge))
		return ERROR_MECHANISM_PARAMETER;
	state->family = digest != DIGEST_NONE ? find_oid(digest) : NULL;
	if (digest != DIGEST_NONE && !state->family)
		return ERROR_MECHANISM_PARAMETER; /* SHA-1 */
	err = crypto_oneshot_take_context(state, record.context);
	if (err)
		return err;
	state->numbers[0] = record.hedge == CKH_DETERMINISTIC_REQUIRED;
	state->numbers[1] = 0; /* the message is M' */
	if (operation->kind == OPERATION_SIGN)
		*next++ = OSSL_PARAM_construct_int("deterministic", &state->numbers[0]);
	if (state->family)
		*next++ = OSSL_PARAM_construct_int("message-encoding", &state->numbers[1]);
	else
		*next++ = crypto_oneshot_context(state);
	*next = OSSL_PARAM_construct_end();
	return ERROR_NONE;
}

static enum err start(struct operation *operation, const struct wire_mechanism *parameter)
{
	struct oneshot *state = operation->state;
	enum err err = crypto_key_get(operation->crypto, operation->key, &state->pkey);

	if (err)
		return err;
	state->signature_len = crypto_pqc_set_of(state->pkey)->output_len;
	return read_parameter(operation, parameter);
}

/* M' = 1 || length of the context || context || OID of the hash || hash. */
static enum err encode(struct operation *operation, struct wire_bytes *message,
                       uint8_t encoded[ENCODED_MAX])
{
	static const uint8_t oid[OID_LEN - 1] = {0x06, 0x09, 0x60, 0x86, 0x48,
	                                         0x01, 0x65, 0x03, 0x04, 0x02};
	struct oneshot *state = operation->state;
	const struct hash_oid *hash = state->family;
	size_t len = 0;

	if (!hash)
		return ERROR_NONE;
	if (message->len != crypto_digest_len(operation->crypto, hash->digest))
		return ERROR_DATA_LENGTH;
	encoded[len++] = 1;
	encoded[len++] = (uint8_t)state->context_len;
	memcpy(encoded + len, state->context, state->context_len);
	len += state->context_len;
	memcpy(encoded + len, oid, sizeof(oid));
	len += sizeof(oid);
	encoded[len++] = hash->arc;
	memcpy(encoded + len, message->data, message->len);
	*message = (struct wire_bytes){encoded, len + message->len};
	return ERROR_NONE;
}

static enum err produce(struct operation *operation, struct wire_bytes message, uint8_t *out,
                        size_t *out_len)
{
	uint8_t encoded[ENCODED_MAX];
	enum err err = encode(operation, &message, encoded);

	return err ? err : crypto_oneshot_sign(operation, message, out, out_len);
}

static enum err verify(struct operation *operation, struct wire_bytes message,
                       struct wire_bytes signature)
{
	uint8_t encoded[ENCODED_MAX];
	enum err err = encode(operation, &message, encoded);

	return err ? err : crypto_oneshot_verify(operation, message, signature);
}

const struct operation_methods crypto_pqc_signature_methods = {
	.state_len = sizeof(struct oneshot),
	.start = start,
	.produce = produce,
	.verify = verify,
	.output_max = crypto_oneshot_max,
};
