/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One function per shape of parameter, which reads the caller's structure (that may be unaligned)
 * and writes the record of wire/parameter.def; and the table of them. Those of derivations are in
 * host_parameter_derive.c. No mechanism is named here.
 */
#include "host_parameter.h"

#include "host_shapes.h"

#include <string.h>

/* CK_GCM_PARAMS as PKCS#11 v2.40's header first had it, without ulIvBits. */
struct gcm_params_without_bits {
	CK_BYTE *pIv;
	CK_ULONG ulIvLen;
	CK_BYTE *pAAD;
	CK_ULONG ulAADLen;
	CK_ULONG ulTagBits;
};

/* CK_CCM_PARAMS, v2.40. */
struct ccm_params {
	CK_ULONG ulDataLen;
	CK_BYTE *pNonce;
	CK_ULONG ulNonceLen;
	CK_BYTE *pAAD;
	CK_ULONG ulAADLen;
	CK_ULONG ulMACLen;
};

/* CK_SALSA20_CHACHA20_POLY1305_PARAMS, v3.0. */
struct poly1305_params {
	CK_BYTE *pNonce;
	CK_ULONG ulNonceLen;
	CK_BYTE *pAAD;
	CK_ULONG ulAADLen;
};

/* CK_EDDSA_PARAMS, v3.0. */
struct eddsa_params {
	CK_BBOOL phFlag;
	CK_ULONG ulContextDataLen;
	CK_BYTE *pContextData;
};

/* CK_SIGN_ADDITIONAL_CONTEXT and CK_HASH_SIGN_ADDITIONAL_CONTEXT, v3.2. */
struct signature_context_params {
	CK_ULONG hedgeVariant;
	CK_BYTE *pContext;
	CK_ULONG ulContextLen;
};

struct hash_context_params {
	CK_ULONG hedgeVariant;
	CK_BYTE *pContext;
	CK_ULONG ulContextLen;
	CK_MECHANISM_TYPE hash;
};

bool host_take_bytes(struct wire_bytes *out, const void *data, CK_ULONG len)
{
	*out = (struct wire_bytes){data, len};
	return data || !len;
}

bool host_take_structure(void *out, size_t out_len, const void *parameter, size_t len)
{
	if (!parameter || len != out_len)
		return false;
	memcpy(out, parameter, len);
	return true;
}

bool host_put_initialization_vector(struct wire_buffer *buffer, const void *parameter, size_t len)
{
	struct wire_initialization_vector_parameter record;

	if (!host_take_bytes(&record.iv, parameter, len))
		return false;
	wire_encode_initialization_vector_parameter(buffer, &record);
	return true;
}

bool host_put_number(struct wire_buffer *buffer, const void *parameter, size_t len)
{
	struct wire_number_parameter record;
	CK_ULONG value;

	if (!host_take_structure(&value, sizeof(value), parameter, len))
		return false;
	record.value = value;
	wire_encode_number_parameter(buffer, &record);
	return true;
}

bool host_put_pss(struct wire_buffer *buffer, const void *parameter, size_t len)
{
	struct wire_pss_parameter record;
	CK_RSA_PKCS_PSS_PARAMS params;

	if (!host_take_structure(&params, sizeof(params), parameter, len))
		return false;
	record = (struct wire_pss_parameter){
		.hash = params.hashAlg, .mgf = params.mgf, .salt_len = params.sLen};
	wire_encode_pss_parameter(buffer, &record);
	return true;
}

bool host_put_oaep(struct wire_buffer *buffer, const void *parameter, size_t len)
{
	struct wire_oaep_parameter record;
	CK_RSA_PKCS_OAEP_PARAMS params;

	if (!host_take_structure(&params, sizeof(params), parameter, len))
		return false;
	record = (struct wire_oaep_parameter){
		.hash = params.hashAlg, .mgf = params.mgf, .source = params.source};
	if (!host_take_bytes(&record.label, params.pSourceData, params.ulSourceDataLen))
		return false;
	wire_encode_oaep_parameter(buffer, &record);
	return true;
}

bool host_put_counter(struct wire_buffer *buffer, const void *parameter, size_t len)
{
	struct wire_counter_parameter record;
	CK_AES_CTR_PARAMS params;

	if (!host_take_structure(&params, sizeof(params), parameter, len))
		return false;
	record.counter_bits = params.ulCounterBits;
	record.block = (struct wire_bytes){params.cb, sizeof(params.cb)};
	wire_encode_counter_parameter(buffer, &record);
	return true;
}

/* ulIvBits says nothing that ulIvLen does not; clients fill it in as they like. */
static bool take_gcm(CK_GCM_PARAMS *out, const void *parameter, size_t len)
{
	struct gcm_params_without_bits old;

	if (host_take_structure(out, sizeof(*out), parameter, len))
		return true;
	if (!host_take_structure(&old, sizeof(old), parameter, len))
		return false;
	*out = (CK_GCM_PARAMS){
		.pIv = old.pIv,
		.ulIvLen = old.ulIvLen,
		.pAAD = old.pAAD,
		.ulAADLen = old.ulAADLen,
		.ulTagBits = old.ulTagBits,
	};
	return true;
}

bool host_put_gcm(struct wire_buffer *buffer, const void *parameter, size_t len)
{
	struct wire_gcm_parameter record;
	CK_GCM_PARAMS params;

	if (!take_gcm(&params, parameter, len) ||
	    !host_take_bytes(&record.iv, params.pIv, params.ulIvLen) ||
	    !host_take_bytes(&record.aad, params.pAAD, params.ulAADLen))
		return false;
	record.tag_bits = params.ulTagBits;
	wire_encode_gcm_parameter(buffer, &record);
	return true;
}

bool host_put_ccm(struct wire_buffer *buffer, const void *parameter, size_t len)
{
	struct wire_ccm_parameter record;
	struct ccm_params params;

	if (!host_take_structure(&params, sizeof(params), parameter, len) ||
	    !host_take_bytes(&record.nonce, params.pNonce, params.ulNonceLen) ||
	    !host_take_bytes(&record.aad, params.pAAD, params.ulAADLen))
		return false;
	record.data_len = params.ulDataLen;
	record.tag_len = params.ulMACLen;
	wire_encode_ccm_parameter(buffer, &record);
	return true;
}

bool host_put_poly1305(struct wire_buffer *buffer, const void *parameter, size_t len)
{
	struct wire_poly1305_parameter record;
	struct poly1305_params params;

	if (!host_take_structure(&params, sizeof(params), parameter, len) ||
	    !host_take_bytes(&record.nonce, params.pNonce, params.ulNonceLen) ||
	    !host_take_bytes(&record.aad, params.pAAD, params.ulAADLen))
		return false;
	wire_encode_poly1305_parameter(buffer, &record);
	return true;
}

bool host_put_ecdh1(struct wire_buffer *buffer, const void *parameter, size_t len)
{
	struct wire_ecdh1_parameter record;
	CK_ECDH1_DERIVE_PARAMS params;

	if (!host_take_structure(&params, sizeof(params), parameter, len) ||
	    !host_take_bytes(&record.shared_data, params.pSharedData, params.ulSharedDataLen) ||
	    !host_take_bytes(&record.public_data, params.pPublicData, params.ulPublicDataLen))
		return false;
	record.kdf = params.kdf;
	wire_encode_ecdh1_parameter(buffer, &record);
	return true;
}

bool host_put_eddsa(struct wire_buffer *buffer, const void *parameter, size_t len)
{
	struct wire_eddsa_parameter record;
	struct eddsa_params params;

	if (!host_take_structure(&params, sizeof(params), parameter, len) ||
	    !host_take_bytes(&record.context, params.pContextData, params.ulContextDataLen))
		return false;
	record.prehash = params.phFlag != CK_FALSE;
	wire_encode_eddsa_parameter(buffer, &record);
	return true;
}

bool host_put_signature_context(struct wire_buffer *buffer, const void *parameter, size_t len)
{
	struct wire_signature_context_parameter record;
	struct signature_context_params params;

	if (!host_take_structure(&params, sizeof(params), parameter, len) ||
	    !host_take_bytes(&record.context, params.pContext, params.ulContextLen))
		return false;
	record.hedge = params.hedgeVariant;
	wire_encode_signature_context_parameter(buffer, &record);
	return true;
}

bool host_put_hash_context(struct wire_buffer *buffer, const void *parameter, size_t len)
{
	struct wire_hash_context_parameter record;
	struct hash_context_params params;

	if (!host_take_structure(&params, sizeof(params), parameter, len) ||
	    !host_take_bytes(&record.context, params.pContext, params.ulContextLen))
		return false;
	record.hedge = params.hedgeVariant;
	record.hash = params.hash;
	wire_encode_hash_context_parameter(buffer, &record);
	return true;
}

/* A shape of parameter.def without a function here does not compile. */
typedef bool put_parameter(struct wire_buffer *buffer, const void *parameter, size_t len);
static put_parameter *const put_shape[WIRE_SHAPE_COUNT] = {
#define RECORD(shape) [WIRE_SHAPE_##shape] = host_put_##shape,
#define RECORD_FIELD(kind, name, text)
#define END_RECORD
#include "wire/parameter.def"
#undef RECORD
#undef RECORD_FIELD
#undef END_RECORD
};

static enum wire_shape encode(enum wire_shape shape, const CK_MECHANISM *mechanism,
                              struct wire_buffer *buffer)
{
	if (!mechanism->pParameter && !mechanism->ulParameterLen &&
	    wire_shape_fits(shape, WIRE_SHAPE_none))
		return WIRE_SHAPE_none;
	if (!put_shape[shape])
		return mechanism->ulParameterLen ? WIRE_SHAPE_malformed : WIRE_SHAPE_none;
	if (!put_shape[shape](buffer, mechanism->pParameter, mechanism->ulParameterLen) ||
	    buffer->failed)
		return WIRE_SHAPE_malformed;
	return shape;
}

CK_RV host_parameter_encode(const CK_MECHANISM *mechanism, struct wire_buffer *buffer,
                            struct wire_mechanism *out)
{
	enum wire_shape shape;

	if (!mechanism)
		return CKR_ARGUMENTS_BAD;
	*out = (struct wire_mechanism){.type = mechanism->mechanism, .shape = WIRE_SHAPE_none};
	if (!wire_mechanism_shape(mechanism->mechanism, &shape))
		return CKR_OK;
	out->shape = encode(shape, mechanism, buffer);
	if (out->shape != WIRE_SHAPE_malformed)
		out->parameter = (struct wire_bytes){buffer->data, buffer->len};
	return CKR_OK;
}
