/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Public keys and certificates of OpenSSL as templates of PKCS#11. Nothing here is secret.
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "key_move.h"

#define RAW_MAX 8192u /* octets of the largest raw public key: ML-DSA-87 has 2592 */

/* ---- the table of types ---- */

static CK_RV create_rsa(struct key_move *move, EVP_PKEY *pkey, struct cryptoki_template *template);
static CK_RV create_ec(struct key_move *move, EVP_PKEY *pkey, struct cryptoki_template *template);
static CK_RV create_curve(struct key_move *move, EVP_PKEY *pkey,
                          struct cryptoki_template *template);
static CK_RV create_raw(struct key_move *move, EVP_PKEY *pkey, struct cryptoki_template *template);

static const struct row {
	const char *name; /* as EVP_PKEY_is_a takes it */
	CK_KEY_TYPE key_type;
	CK_RV (*create)(struct key_move *move, EVP_PKEY *pkey, struct cryptoki_template *template);
	unsigned long number; /* NID of the curve, or parameter set */
} rows[] = {
	{"RSA", CKK_RSA, create_rsa, 0},
	{"EC", CKK_EC, create_ec, 0},
	{"ED25519", CKK_EC_EDWARDS, create_curve, NID_ED25519},
	{"ED448", CKK_EC_EDWARDS, create_curve, NID_ED448},
	{"X25519", CKK_EC_MONTGOMERY, create_curve, NID_X25519},
	{"X448", CKK_EC_MONTGOMERY, create_curve, NID_X448},
	{"ML-DSA-44", CKK_ML_DSA, create_raw, CKP_ML_DSA_44},
	{"ML-DSA-65", CKK_ML_DSA, create_raw, CKP_ML_DSA_65},
	{"ML-DSA-87", CKK_ML_DSA, create_raw, CKP_ML_DSA_87},
	{"ML-KEM-512", CKK_ML_KEM, create_raw, CKP_ML_KEM_512},
	{"ML-KEM-768", CKK_ML_KEM, create_raw, CKP_ML_KEM_768},
	{"ML-KEM-1024", CKK_ML_KEM, create_raw, CKP_ML_KEM_1024},
};

static const struct row *row_of(const EVP_PKEY *pkey)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (EVP_PKEY_is_a(pkey, rows[i].name))
			return &rows[i];
	}
	return NULL;
}

CK_KEY_TYPE key_move_type(const EVP_PKEY *pkey)
{
	const struct row *row = row_of(pkey);

	return row ? row->key_type : CK_UNAVAILABLE_INFORMATION;
}

CK_RV key_move_public(struct key_move *move, EVP_PKEY *pkey, struct cryptoki_template *template)
{
	const struct row *row = row_of(pkey);

	return row ? row->create(move, pkey, template) : CKR_KEY_TYPE_INCONSISTENT;
}

/* ---- RSA ---- */

static uint8_t *number_of(const EVP_PKEY *pkey, const char *name, size_t *len)
{
	BIGNUM *number = NULL;
	uint8_t *octets = NULL;

	*len = 0;
	if (EVP_PKEY_get_bn_param(pkey, name, &number) == 1) {
		*len = (size_t)BN_num_bytes(number);
		octets = malloc(*len + 1);
		if (octets)
			BN_bn2bin(number, octets);
	}
	BN_free(number);
	return octets;
}

static CK_RV create_rsa(struct key_move *move, EVP_PKEY *pkey, struct cryptoki_template *template)
{
	size_t modulus_len, exponent_len;
	uint8_t *modulus = number_of(pkey, OSSL_PKEY_PARAM_RSA_N, &modulus_len);
	uint8_t *exponent = number_of(pkey, OSSL_PKEY_PARAM_RSA_E, &exponent_len);
	CK_RV rv = CKR_FUNCTION_FAILED;

	if (modulus && exponent) {
		cryptoki_add(template, CKA_MODULUS, modulus, modulus_len);
		cryptoki_add(template, CKA_PUBLIC_EXPONENT, exponent, exponent_len);
		rv = key_move_create(move, template);
	}
	free(modulus);
	free(exponent);
	return rv;
}

/* ---- curves ---- */

/* EC_PARAMS is the curve's OID, EC_POINT an OCTET STRING (PKCS#11 v2.40 mechanisms 2.3.3). */
static CK_RV create_on_curve(struct key_move *move, int nid, const uint8_t *point, size_t point_len,
                             struct cryptoki_template *template)
{
	ASN1_OCTET_STRING *string = ASN1_OCTET_STRING_new();
	uint8_t *params = NULL, *encoded = NULL;
	int params_len = i2d_ASN1_OBJECT(OBJ_nid2obj(nid), &params), encoded_len = -1;
	CK_RV rv = CKR_FUNCTION_FAILED;

	if (string && ASN1_OCTET_STRING_set(string, point, (int)point_len))
		encoded_len = i2d_ASN1_OCTET_STRING(string, &encoded);
	if (params_len > 0 && encoded_len > 0) {
		cryptoki_add(template, CKA_EC_PARAMS, params, (size_t)params_len);
		cryptoki_add(template, CKA_EC_POINT, encoded, (size_t)encoded_len);
		rv = key_move_create(move, template);
	}
	OPENSSL_free(params);
	OPENSSL_free(encoded);
	ASN1_OCTET_STRING_free(string);
	return rv;
}

static CK_RV create_ec(struct key_move *move, EVP_PKEY *pkey, struct cryptoki_template *template)
{
	char group[64];
	uint8_t *point = NULL;
	size_t len = 0;
	CK_RV rv = CKR_FUNCTION_FAILED;

	if (EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group),
	                                   NULL) == 1)
		len = EVP_PKEY_get1_encoded_public_key(pkey, &point);
	if (len)
		rv = create_on_curve(move, OBJ_txt2nid(group), point, len, template);
	OPENSSL_free(point);
	return rv;
}

static CK_RV create_curve(struct key_move *move, EVP_PKEY *pkey, struct cryptoki_template *template)
{
	uint8_t point[64];
	size_t len = sizeof(point);

	if (EVP_PKEY_get_raw_public_key(pkey, point, &len) != 1)
		return CKR_FUNCTION_FAILED;
	return create_on_curve(move, (int)row_of(pkey)->number, point, len, template);
}

/* ---- post-quantum ---- */

static CK_RV create_raw(struct key_move *move, EVP_PKEY *pkey, struct cryptoki_template *template)
{
	CK_ULONG set = row_of(pkey)->number;
	size_t len = RAW_MAX;
	uint8_t *value = malloc(len);
	CK_RV rv = value ? CKR_FUNCTION_FAILED : CKR_HOST_MEMORY;

	if (value && EVP_PKEY_get_raw_public_key(pkey, value, &len) == 1) {
		cryptoki_add(template, CKA_PARAMETER_SET, &set, sizeof(set));
		cryptoki_add(template, CKA_VALUE, value, len);
		rv = key_move_create(move, template);
	}
	free(value);
	return rv;
}

/* ---- certificates ---- */

bool key_move_id(EVP_PKEY *pkey, uint8_t id[20])
{
	X509_PUBKEY *public = NULL;
	const uint8_t *octets;
	unsigned int len;
	int octets_len;
	bool done;

	done = X509_PUBKEY_set(&public, pkey) == 1 &&
	       X509_PUBKEY_get0_param(NULL, &octets, &octets_len, NULL, public) == 1 &&
	       EVP_Digest(octets, (size_t)octets_len, id, &len, EVP_sha1(), NULL) == 1;
	X509_PUBKEY_free(public);
	return done;
}

CK_RV key_move_certificate(struct key_move *move, X509 *certificate,
                           struct cryptoki_template *template)
{
	static const CK_CERTIFICATE_TYPE x509 = CKC_X_509;
	uint8_t *subject = NULL, *issuer = NULL, *serial = NULL, *value = NULL;
	int subject_len = i2d_X509_NAME(X509_get_subject_name(certificate), &subject);
	int issuer_len = i2d_X509_NAME(X509_get_issuer_name(certificate), &issuer);
	int serial_len = i2d_ASN1_INTEGER(X509_get_serialNumber(certificate), &serial);
	int value_len = i2d_X509(certificate, &value);
	CK_RV rv = CKR_FUNCTION_FAILED;

	if (subject_len > 0 && issuer_len > 0 && serial_len > 0 && value_len > 0) {
		cryptoki_add(template, CKA_CERTIFICATE_TYPE, &x509, sizeof(x509));
		cryptoki_add(template, CKA_SUBJECT, subject, (size_t)subject_len);
		cryptoki_add(template, CKA_ISSUER, issuer, (size_t)issuer_len);
		cryptoki_add(template, CKA_SERIAL_NUMBER, serial, (size_t)serial_len);
		cryptoki_add(template, CKA_VALUE, value, (size_t)value_len);
		rv = key_move_create(move, template);
	}
	OPENSSL_free(subject);
	OPENSSL_free(issuer);
	OPENSSL_free(serial);
	OPENSSL_free(value);
	return rv;
}
