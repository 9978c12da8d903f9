/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parameters of mechanisms that derive keys, make them from passwords, or wrap in two layers.
 * The structures that p11-kit's header lacks are written out here as the standard has them.
 */
#include "host_shapes.h"

#define PARTS_MAX 64u
/* No pointer is as small (vm.mmap_min_addr), and no password as long. */
#define PASSWORD_LEN_MAX 65535u

bool host_put_derivation_data(struct wire_buffer *buffer, const void *parameter, size_t len)
{
	struct wire_derivation_data_parameter record;
	struct {
		CK_BYTE *pData;
		CK_ULONG ulLen;
	} params; /* CK_KEY_DERIVATION_STRING_DATA */

	if (!host_take_structure(&params, sizeof(params), parameter, len) ||
	    !host_take_bytes(&record.data, params.pData, params.ulLen))
		return false;
	wire_encode_derivation_data_parameter(buffer, &record);
	return true;
}

bool host_put_encrypt_data(struct wire_buffer *buffer, const void *parameter, size_t len)
{
	struct wire_encrypt_data_parameter record;
	struct {
		CK_BYTE iv[16];
		CK_BYTE *pData;
		CK_ULONG length;
	} params; /* CK_AES_CBC_ENCRYPT_DATA_PARAMS */

	if (!host_take_structure(&params, sizeof(params), parameter, len) ||
	    !host_take_bytes(&record.data, params.pData, params.length))
		return false;
	record.iv = (struct wire_bytes){params.iv, sizeof(params.iv)};
	wire_encode_encrypt_data_parameter(buffer, &record);
	return true;
}

bool host_put_hkdf(struct wire_buffer *buffer, const void *parameter, size_t len)
{
	struct wire_hkdf_parameter record;
	struct {
		CK_BBOOL bExtract, bExpand;
		CK_MECHANISM_TYPE prfHashMechanism;
		CK_ULONG ulSaltType;
		CK_BYTE *pSalt;
		CK_ULONG ulSaltLen;
		CK_OBJECT_HANDLE hSaltKey;
		CK_BYTE *pInfo;
		CK_ULONG ulInfoLen;
	} params; /* CK_HKDF_PARAMS, v3.0 */

	if (!host_take_structure(&params, sizeof(params), parameter, len) ||
	    !host_take_bytes(&record.salt, params.pSalt, params.ulSaltLen) ||
	    !host_take_bytes(&record.info, params.pInfo, params.ulInfoLen))
		return false;
	record.extract = params.bExtract != CK_FALSE;
	record.expand = params.bExpand != CK_FALSE;
	record.hash = params.prfHashMechanism;
	record.salt_type = params.ulSaltType;
	record.salt_key = params.hSaltKey;
	wire_encode_hkdf_parameter(buffer, &record);
	return true;
}

/*
 * The two versions of the structure differ in its last field: CK_PKCS5_PBKD2_PARAMS (v2.40) has a
 * pointer to the length of the password, CK_PKCS5_PBKD2_PARAMS2 the length itself. What is too
 * small for a pointer is a length.
 */
struct pbkdf2_params {
	CK_ULONG saltSource;
	void *pSaltSourceData;
	CK_ULONG ulSaltSourceDataLen;
	CK_ULONG iterations;
	CK_ULONG prf;
	void *pPrfData;
	CK_ULONG ulPrfDataLen;
	CK_UTF8CHAR *pPassword;
	CK_ULONG ulPasswordLen;
};

static CK_ULONG password_len(const struct pbkdf2_params *params)
{
	if (params->ulPasswordLen <= PASSWORD_LEN_MAX ||
	    params->ulPasswordLen == CK_UNAVAILABLE_INFORMATION)
		return params->ulPasswordLen;
	return *(const CK_ULONG *)params->ulPasswordLen;
}

bool host_put_pbkdf2(struct wire_buffer *buffer, const void *parameter, size_t len)
{
	struct wire_pbkdf2_parameter record;
	struct pbkdf2_params params;

	if (!host_take_structure(&params, sizeof(params), parameter, len) ||
	    !host_take_bytes(&record.salt, params.pSaltSourceData, params.ulSaltSourceDataLen) ||
	    !host_take_bytes(&record.prf_data, params.pPrfData, params.ulPrfDataLen) ||
	    !host_take_bytes(&record.password, params.pPassword, password_len(&params)))
		return false;
	record.salt_source = params.saltSource;
	record.iterations = params.iterations;
	record.prf = params.prf;
	wire_encode_pbkdf2_parameter(buffer, &record);
	return true;
}

/* CK_PRF_DATA_PARAM, v3.0; what pValue points at depends on the type. */
struct part {
	CK_ULONG type;
	void *pValue;
	CK_ULONG ulValueLen;
};

static bool take_counter(struct wire_sp800_108_part_parameter *record, const struct part *part)
{
	struct {
		CK_BBOOL bLittleEndian;
		CK_ULONG ulWidthInBits;
	} format; /* CK_SP800_108_COUNTER_FORMAT */

	if (!host_take_structure(&format, sizeof(format), part->pValue, part->ulValueLen))
		return false;
	record->little_endian = format.bLittleEndian != CK_FALSE;
	record->bits = format.ulWidthInBits;
	return true;
}

static bool take_length(struct wire_sp800_108_part_parameter *record, const struct part *part)
{
	struct {
		CK_ULONG dkmLengthMethod;
		CK_BBOOL bLittleEndian;
		CK_ULONG ulWidthInBits;
	} format; /* CK_SP800_108_DKM_LENGTH_FORMAT */

	if (!host_take_structure(&format, sizeof(format), part->pValue, part->ulValueLen))
		return false;
	record->method = format.dkmLengthMethod;
	record->little_endian = format.bLittleEndian != CK_FALSE;
	record->bits = format.ulWidthInBits;
	return true;
}

/* The iteration variable is a counter in one mode and stands for itself in the others. */
static bool take_part(struct wire_sp800_108_part_parameter *record, const struct part *part)
{
	switch (part->type) {
	case CK_SP800_108_ITERATION_VARIABLE:
		return (!part->pValue && !part->ulValueLen) || take_counter(record, part);
	case CK_SP800_108_OPTIONAL_COUNTER:
		return take_counter(record, part);
	case CK_SP800_108_DKM_LENGTH:
		return take_length(record, part);
	default:
		return host_take_bytes(&record->value, part->pValue, part->ulValueLen);
	}
}

bool host_put_sp800_108_part(struct wire_buffer *buffer, const void *parameter, size_t len)
{
	struct wire_sp800_108_part_parameter record = {0};
	struct part part;

	if (!host_take_structure(&part, sizeof(part), parameter, len) || !take_part(&record, &part))
		return false;
	record.type = part.type;
	wire_encode_sp800_108_part_parameter(buffer, &record);
	return true;
}

static bool put_part(struct wire_buffer *parts, const struct part *part)
{
	struct wire_buffer one;
	bool good;

	wire_buffer_init(&one, WIRE_CONTROL_LIMIT, NULL);
	good = host_put_sp800_108_part(&one, part, sizeof(*part)) && !one.failed;
	if (good)
		wire_put_bytes(parts, (struct wire_bytes){one.data, one.len});
	wire_buffer_free(&one);
	return good && !parts->failed;
}

static bool put_parts(struct wire_buffer *parts, const struct part *array, CK_ULONG count)
{
	if (count > PARTS_MAX || (count && !array))
		return false;
	for (CK_ULONG i = 0; i < count; i++) {
		if (!put_part(parts, array + i))
			return false;
	}
	return true;
}

/* CK_SP800_108_KDF_PARAMS and CK_SP800_108_FEEDBACK_KDF_PARAMS, v3.0. */
struct kdf_params {
	CK_MECHANISM_TYPE prfType;
	CK_ULONG ulNumberOfDataParams;
	struct part *pDataParams;
	CK_ULONG ulAdditionalDerivedKeys;
	void *pAdditionalDerivedKeys;
};

struct feedback_params {
	CK_MECHANISM_TYPE prfType;
	CK_ULONG ulNumberOfDataParams;
	struct part *pDataParams;
	CK_ULONG ulIVLen;
	CK_BYTE *pIV;
	CK_ULONG ulAdditionalDerivedKeys;
	void *pAdditionalDerivedKeys;
};

/* Their lengths tell them apart. */
static bool take_kdf(struct feedback_params *out, const void *parameter, size_t len)
{
	struct kdf_params params;

	if (host_take_structure(out, sizeof(*out), parameter, len))
		return true;
	if (!host_take_structure(&params, sizeof(params), parameter, len))
		return false;
	*out = (struct feedback_params){
		.prfType = params.prfType,
		.ulNumberOfDataParams = params.ulNumberOfDataParams,
		.pDataParams = params.pDataParams,
		.ulAdditionalDerivedKeys = params.ulAdditionalDerivedKeys,
	};
	return true;
}

/* Additional keys of one derivation are not made. */
bool host_put_sp800_108(struct wire_buffer *buffer, const void *parameter, size_t len)
{
	struct wire_sp800_108_parameter record;
	struct feedback_params params;
	struct wire_buffer parts;
	bool good;

	if (!take_kdf(&params, parameter, len) || params.ulAdditionalDerivedKeys ||
	    !host_take_bytes(&record.iv, params.pIV, params.ulIVLen))
		return false;
	wire_buffer_init(&parts, WIRE_CONTROL_LIMIT, NULL);
	good = put_parts(&parts, params.pDataParams, params.ulNumberOfDataParams);
	record.prf = params.prfType;
	record.parts = (struct wire_bytes){parts.data, parts.len};
	if (good)
		wire_encode_sp800_108_parameter(buffer, &record);
	wire_buffer_free(&parts);
	return good;
}

bool host_put_rsa_aes(struct wire_buffer *buffer, const void *parameter, size_t len)
{
	struct wire_rsa_aes_parameter record;
	CK_RSA_PKCS_OAEP_PARAMS oaep;
	struct {
		CK_ULONG ulAESKeyBits;
		CK_RSA_PKCS_OAEP_PARAMS *pOAEPParams;
	} params; /* CK_RSA_AES_KEY_WRAP_PARAMS */

	if (!host_take_structure(&params, sizeof(params), parameter, len) ||
	    !host_take_structure(&oaep, sizeof(oaep), params.pOAEPParams, sizeof(oaep)) ||
	    !host_take_bytes(&record.label, oaep.pSourceData, oaep.ulSourceDataLen))
		return false;
	record.aes_bits = params.ulAESKeyBits;
	record.hash = oaep.hashAlg;
	record.mgf = oaep.mgf;
	record.source = oaep.source;
	wire_encode_rsa_aes_parameter(buffer, &record);
	return true;
}
