/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The curves that are offered, the two ways in which PKCS#11 names them, the two ways in which it
 * writes points, and keys on them. Curve arithmetic and DER are OpenSSL's.
 */
#include <openssl/asn1.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>
#include <pthread.h>
#include <string.h>

#include "crypto_key.h"

#define POINT_UNCOMPRESSED 0x04u
#define POINT_MAX          (1u + 2u * 66u)
#define GROUP_NAME_LEN     32u

static const struct crypto_curve curves[] = {
	{NID_X9_62_prime256v1, CKK_EC, "prime256v1", "secp256r1", 32, true},
	{NID_secp384r1, CKK_EC, "secp384r1", "secp384r1", 48, true},
	{NID_secp521r1, CKK_EC, "secp521r1", "secp521r1", 66, true},
	{NID_secp256k1, CKK_EC, "secp256k1", "secp256k1", 32, false},
	{NID_ED25519, CKK_EC_EDWARDS, "ED25519", "edwards25519", 32, true},
	{NID_ED448, CKK_EC_EDWARDS, "ED448", "edwards448", 57, true},
	{NID_X25519, CKK_EC_MONTGOMERY, "X25519", "curve25519", 32, false},
	{NID_X448, CKK_EC_MONTGOMERY, "X448", "curve448", 56, false},
};

#define CURVES (sizeof(curves) / sizeof(curves[0]))

static const struct crypto_curve *by_nid(int nid)
{
	for (size_t i = 0; i < CURVES; i++) {
		if (curves[i].nid == nid)
			return &curves[i];
	}
	return NULL;
}

static const struct crypto_curve *by_name(const char *name, size_t len)
{
	for (size_t i = 0; i < CURVES; i++) {
		if (strlen(curves[i].name) == len && !memcmp(curves[i].name, name, len))
			return &curves[i];
	}
	return NULL;
}

/* A value of any type that fills the octets exactly; the caller frees it. */
static ASN1_TYPE *parse(struct wire_bytes der)
{
	const uint8_t *at = der.data;
	ASN1_TYPE *value = d2i_ASN1_TYPE(NULL, &at, (long)der.len);

	if (value && at == der.data + der.len)
		return value;
	ASN1_TYPE_free(value);
	ERR_clear_error();
	return NULL;
}

enum err crypto_key_curve(struct wire_bytes ec_params, const struct crypto_curve **curve)
{
	ASN1_TYPE *value = parse(ec_params);
	enum err err = ERROR_CURVE;

	*curve = NULL;
	if (!value)
		return ERROR_DOMAIN_PARAMETERS;
	if (value->type == V_ASN1_OBJECT)
		*curve = by_nid(OBJ_obj2nid(value->value.object));
	else if (value->type == V_ASN1_PRINTABLESTRING)
		*curve = by_name((const char *)ASN1_STRING_get0_data(value->value.printablestring),
		                 (size_t)ASN1_STRING_length(value->value.printablestring));
	else
		err = ERROR_DOMAIN_PARAMETERS; /* explicit ones, too */
	ASN1_TYPE_free(value);
	return *curve ? ERROR_NONE : err;
}

/* The curves that are an algorithm of their own in OpenSSL. */
static const struct crypto_curve *by_algorithm(const EVP_PKEY *pkey)
{
	for (size_t i = 0; i < CURVES; i++) {
		if (curves[i].key_type != CKK_EC && EVP_PKEY_is_a(pkey, curves[i].group))
			return &curves[i];
	}
	return NULL;
}

const struct crypto_curve *crypto_curve_of(const EVP_PKEY *pkey)
{
	char name[GROUP_NAME_LEN];

	if (!EVP_PKEY_is_a(pkey, "EC"))
		return by_algorithm(pkey);
	if (!EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, name, sizeof(name),
	                                    NULL))
		return NULL;
	return by_nid(OBJ_txt2nid(name));
}

enum err crypto_curve_params(const struct crypto_curve *curve, struct attributes *set)
{
	unsigned char *der = NULL;
	int len = i2d_ASN1_OBJECT(OBJ_nid2obj(curve->nid), &der);
	enum err err = ERROR_CRYPTO;

	if (len > 0)
		err = attributes_set_bytes(set, CKA_EC_PARAMS, der, (size_t)len);
	OPENSSL_free(der);
	return err;
}

static size_t point_len(const struct crypto_curve *curve)
{
	return curve->key_type == CKK_EC ? 1 + 2 * curve->field_len : curve->field_len;
}

/* Raw points have exactly one length, and no DER of a point has it. */
struct wire_bytes crypto_curve_point(const struct crypto_curve *curve, struct wire_bytes point)
{
	const size_t len = point_len(curve);
	struct wire_bytes raw = {NULL, 0};
	ASN1_TYPE *value;

	if (point.len != len) {
		value = parse(point);
		if (value && value->type == V_ASN1_OCTET_STRING &&
		    (size_t)ASN1_STRING_length(value->value.octet_string) == len)
			raw = (struct wire_bytes){point.data + point.len - len, len};
		ASN1_TYPE_free(value);
	} else {
		raw = point;
	}
	if (raw.data && curve->key_type == CKK_EC && raw.data[0] != POINT_UNCOMPRESSED)
		raw = (struct wire_bytes){NULL, 0};
	return raw;
}

enum err crypto_curve_public_key(struct crypto *crypto, const struct crypto_curve *curve,
                                 struct wire_bytes point, EVP_PKEY **pkey)
{
	OSSL_PARAM_BLD *builder;
	enum err err = ERROR_MEMORY;

	*pkey = NULL;
	if (curve->key_type != CKK_EC) {
		*pkey = EVP_PKEY_new_raw_public_key_ex(crypto->library, curve->group,
		                                       crypto->properties, point.data, point.len);
		return *pkey ? ERROR_NONE : ERROR_ATTRIBUTE_VALUE;
	}
	builder = OSSL_PARAM_BLD_new();
	if (builder &&
	    OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0) &&
	    OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point.data,
	                                     point.len))
		err = crypto_key_build(crypto, "EC", EVP_PKEY_PUBLIC_KEY, builder, pkey);
	OSSL_PARAM_BLD_free(builder);
	return err;
}

bool crypto_curve_open(struct crypto *crypto)
{
	_Static_assert(CURVES == CRYPTO_CURVES, "a place for each");
	for (size_t i = 0; i < CURVES; i++) {
		if (curves[i].key_type != CKK_EC)
			continue;
		crypto->groups[i] = EC_GROUP_new_by_curve_name_ex(
			crypto->library, crypto->properties, curves[i].nid);
		pthread_mutex_init(&crypto->pair_makers[i].lock, NULL);
		if (!crypto->groups[i])
			return false;
	}
	return true;
}

void crypto_curve_close(struct crypto *crypto)
{
	for (size_t i = 0; i < CURVES; i++) {
		EC_GROUP_free(crypto->groups[i]);
		EVP_PKEY_CTX_free(crypto->pair_makers[i].context);
	}
}

/* The context is worth keeping: making one takes twice as long as a key on P-256. One thread at a
 * time has it. */
static EVP_PKEY *make_pair(struct crypto *crypto, const struct crypto_curve *curve,
                           EVP_PKEY_CTX **context)
{
	EVP_PKEY *pkey = NULL;

	if (!*context) {
		*context = EVP_PKEY_CTX_new_from_name(crypto->library, "EC", crypto->properties);
		if (!*context || EVP_PKEY_keygen_init(*context) <= 0 ||
		    EVP_PKEY_CTX_set_group_name(*context, curve->group) <= 0) {
			EVP_PKEY_CTX_free(*context);
			*context = NULL;
			return NULL;
		}
	}
	return EVP_PKEY_generate(*context, &pkey) > 0 ? pkey : NULL;
}

EVP_PKEY *crypto_curve_pair(struct crypto *crypto, const struct crypto_curve *curve)
{
	struct crypto_pair_maker *maker = &crypto->pair_makers[curve - curves];
	EVP_PKEY *pkey;

	if (curve->key_type != CKK_EC)
		return EVP_PKEY_Q_keygen(crypto->library, crypto->properties, curve->group);
	if (pthread_mutex_trylock(&maker->lock))
		return EVP_PKEY_Q_keygen(crypto->library, crypto->properties, "EC", curve->group);
	pkey = make_pair(crypto, curve, &maker->context);
	pthread_mutex_unlock(&maker->lock);
	return pkey;
}

/* place = scalar times the generator; false when the scalar is not in 1..order-1. */
static bool multiply(const EC_GROUP *group, const BIGNUM *scalar, EC_POINT *place, BN_CTX *context)
{
	return !BN_is_zero(scalar) && BN_cmp(scalar, EC_GROUP_get0_order(group)) < 0 &&
	       EC_POINT_mul(group, place, scalar, NULL, NULL, context);
}

/* The point that belongs to the scalar. */
static bool point_of(struct crypto *crypto, const struct crypto_curve *curve, const BIGNUM *scalar,
                     uint8_t point[POINT_MAX])
{
	const EC_GROUP *group = crypto->groups[curve - curves];
	BN_CTX *context = BN_CTX_secure_new_ex(crypto->library);
	EC_POINT *place = EC_POINT_new(group);
	bool good = place && context && multiply(group, scalar, place, context) &&
	            EC_POINT_point2oct(group, place, POINT_CONVERSION_UNCOMPRESSED, point,
	                               POINT_MAX, context) == point_len(curve);

	EC_POINT_clear_free(place);
	BN_CTX_free(context);
	return good;
}

/* In whatever form the point is given. */
static bool is_point_of(struct crypto *crypto, const struct crypto_curve *curve,
                        const BIGNUM *scalar, struct wire_bytes given)
{
	const EC_GROUP *group = crypto->groups[curve - curves];
	BN_CTX *context = BN_CTX_secure_new_ex(crypto->library);
	EC_POINT *place = EC_POINT_new(group), *other = EC_POINT_new(group);
	bool is = place && other && context && multiply(group, scalar, place, context) &&
	          EC_POINT_oct2point(group, other, given.data, given.len, context) &&
	          EC_POINT_cmp(group, place, other, context) == 0;

	EC_POINT_clear_free(place);
	EC_POINT_free(other);
	BN_CTX_free(context);
	return is;
}

bool crypto_curve_halves_agree(struct crypto *crypto, const EVP_PKEY *pkey)
{
	const struct crypto_curve *curve = crypto_curve_of(pkey);
	uint8_t given[POINT_MAX];
	BIGNUM *scalar = NULL;
	size_t len = 0;
	bool agree = curve && curve->key_type == CKK_EC &&
	             EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_PRIV_KEY, &scalar) &&
	             EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, given,
	                                             sizeof(given), &len) &&
	             is_point_of(crypto, curve, scalar, (struct wire_bytes){given, len});

	BN_clear_free(scalar);
	return agree;
}

static enum err make_private(struct crypto *crypto, const struct crypto_curve *curve,
                             const BIGNUM *scalar, EVP_PKEY **pkey)
{
	OSSL_PARAM_BLD *builder;
	uint8_t point[POINT_MAX];
	enum err err = ERROR_MEMORY;

	if (!point_of(crypto, curve, scalar, point))
		return ERROR_ATTRIBUTE_VALUE;
	builder = OSSL_PARAM_BLD_new();
	if (builder &&
	    OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0) &&
	    OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point,
	                                     point_len(curve)) &&
	    OSSL_PARAM_BLD_push_BN_pad(builder, OSSL_PKEY_PARAM_PRIV_KEY, scalar, curve->field_len))
		err = crypto_key_build(crypto, "EC", EVP_PKEY_KEYPAIR, builder, pkey);
	OSSL_PARAM_BLD_free(builder);
	return err;
}

enum err crypto_curve_private_key(struct crypto *crypto, const struct crypto_curve *curve,
                                  struct wire_bytes scalar, EVP_PKEY **pkey)
{
	enum err err = ERROR_MEMORY;
	BIGNUM *number;

	*pkey = NULL;
	if (curve->key_type != CKK_EC) {
		*pkey = EVP_PKEY_new_raw_private_key_ex(
			crypto->library, curve->group, crypto->properties, scalar.data, scalar.len);
		ERR_clear_error();
		return *pkey ? ERROR_NONE : ERROR_ATTRIBUTE_VALUE;
	}
	if (scalar.len > curve->field_len + 1) /* a leading zero is tolerated */
		return ERROR_ATTRIBUTE_VALUE;
	number = BN_secure_new();
	if (number && BN_bin2bn(scalar.data, (int)scalar.len, number)) {
		BN_set_flags(number, BN_FLG_CONSTTIME);
		err = make_private(crypto, curve, number, pkey);
	}
	BN_clear_free(number);
	return err;
}

enum err crypto_curve_put_point(const EVP_PKEY *pkey, struct attributes *set)
{
	ASN1_OCTET_STRING *string = ASN1_OCTET_STRING_new();
	uint8_t point[POINT_MAX];
	unsigned char *der = NULL;
	enum err err = ERROR_CRYPTO;
	size_t len;
	int der_len;

	if (string &&
	    EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point),
	                                    &len) &&
	    ASN1_OCTET_STRING_set(string, point, (int)len)) {
		der_len = i2d_ASN1_OCTET_STRING(string, &der);
		if (der_len > 0)
			err = attributes_set_bytes(set, CKA_EC_POINT, der, (size_t)der_len);
	}
	OPENSSL_free(der);
	ASN1_OCTET_STRING_free(string);
	return err;
}
