/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From OpenSSL's keys to attributes and to the encodings in which keys travel: SubjectPublicKeyInfo
 * and PKCS#8. The way in is crypto_key.c.
 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include "crypto_key.h"
#include "crypto_pqc.h"
#include "slots.h"

struct part {
	uint64_t type;
	const char *name;
};

static const struct part rsa_public[] = {
	{CKA_MODULUS, OSSL_PKEY_PARAM_RSA_N},
	{CKA_PUBLIC_EXPONENT, OSSL_PKEY_PARAM_RSA_E},
	{0, NULL},
};

static const struct part rsa_private[] = {
	{CKA_MODULUS, OSSL_PKEY_PARAM_RSA_N},
	{CKA_PUBLIC_EXPONENT, OSSL_PKEY_PARAM_RSA_E},
	{CKA_PRIVATE_EXPONENT, OSSL_PKEY_PARAM_RSA_D},
	{CKA_PRIME_1, OSSL_PKEY_PARAM_RSA_FACTOR1},
	{CKA_PRIME_2, OSSL_PKEY_PARAM_RSA_FACTOR2},
	{CKA_EXPONENT_1, OSSL_PKEY_PARAM_RSA_EXPONENT1},
	{CKA_EXPONENT_2, OSSL_PKEY_PARAM_RSA_EXPONENT2},
	{CKA_COEFFICIENT, OSSL_PKEY_PARAM_RSA_COEFFICIENT1},
	{0, NULL},
};

/* Big-endian, at least `len` octets; a number that needs none has one. */
static enum err put_number(struct attributes *set, uint64_t type, const BIGNUM *number, size_t len)
{
	size_t needed = (size_t)BN_num_bytes(number);
	uint8_t *octets;
	enum err err = ERROR_CRYPTO;

	if (needed > len)
		len = needed;
	if (!len)
		len = 1;
	octets = slots_allocate(len);
	if (!octets)
		return ERROR_MEMORY;
	if (BN_bn2binpad(number, octets, (int)len) >= 0)
		err = attributes_set_bytes(set, type, octets, len);
	slots_release(octets);
	return err;
}

static enum err put_part(EVP_PKEY *pkey, const struct part *part, size_t len,
                         struct attributes *set)
{
	BIGNUM *number = NULL;
	enum err err;

	if (!EVP_PKEY_get_bn_param(pkey, part->name, &number))
		return ERROR_CRYPTO;
	err = put_number(set, part->type, number, len);
	BN_clear_free(number);
	return err;
}

static enum err put_parts(EVP_PKEY *pkey, const struct part *parts, struct attributes *set)
{
	for (const struct part *part = parts; part->name; part++) {
		enum err err = put_part(pkey, part, 0, set);

		if (err)
			return err;
	}
	return ERROR_NONE;
}

/* A key may have come without its primes; then it has n, e and d only. */
static bool has_primes(EVP_PKEY *pkey)
{
	BIGNUM *prime = NULL;
	bool has = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_FACTOR1, &prime);

	BN_clear_free(prime);
	ERR_clear_error();
	return has;
}

static enum err put_rsa_private(EVP_PKEY *pkey, struct attributes *set)
{
	static const struct part short_form[] = {
		{CKA_MODULUS, OSSL_PKEY_PARAM_RSA_N},
		{CKA_PUBLIC_EXPONENT, OSSL_PKEY_PARAM_RSA_E},
		{CKA_PRIVATE_EXPONENT, OSSL_PKEY_PARAM_RSA_D},
		{0, NULL},
	};

	return put_parts(pkey, has_primes(pkey) ? rsa_private : short_form, set);
}

static enum err put_curve(const struct crypto_curve *curve, struct attributes *set)
{
	if (attributes_bytes(set, CKA_EC_PARAMS).len)
		return ERROR_NONE;
	return crypto_curve_params(curve, set);
}

static enum err put_raw_private(EVP_PKEY *pkey, struct attributes *set)
{
	uint8_t octets[64];
	size_t len = sizeof(octets);
	enum err err = ERROR_CRYPTO;

	if (EVP_PKEY_get_raw_private_key(pkey, octets, &len) > 0)
		err = attributes_set_bytes(set, CKA_VALUE, octets, len);
	wire_wipe(octets, sizeof(octets));
	return err;
}

static enum err put_curve_private(EVP_PKEY *pkey, const struct crypto_curve *curve,
                                  struct attributes *set)
{
	static const struct part scalar = {CKA_VALUE, OSSL_PKEY_PARAM_PRIV_KEY};

	if (curve->key_type != CKK_EC)
		return put_raw_private(pkey, set);
	return put_part(pkey, &scalar, curve->field_len, set);
}

enum err crypto_key_public_attributes(EVP_PKEY *pkey, struct attributes *set)
{
	const struct crypto_parameter_set *parameter_set = crypto_pqc_set_of(pkey);
	const struct crypto_curve *curve = crypto_curve_of(pkey);
	enum err err;

	if (EVP_PKEY_is_a(pkey, "RSA"))
		return put_parts(pkey, rsa_public, set);
	if (parameter_set)
		return crypto_pqc_attributes(pkey, parameter_set, false, set);
	if (!curve)
		return ERROR_KEY_TYPE;
	err = put_curve(curve, set);
	return err ? err : crypto_curve_put_point(pkey, set);
}

enum err crypto_key_private_attributes(EVP_PKEY *pkey, struct attributes *set)
{
	const struct crypto_parameter_set *parameter_set = crypto_pqc_set_of(pkey);
	const struct crypto_curve *curve = crypto_curve_of(pkey);
	enum err err;

	if (EVP_PKEY_is_a(pkey, "RSA"))
		return put_rsa_private(pkey, set);
	if (parameter_set)
		return crypto_pqc_attributes(pkey, parameter_set, true, set);
	if (!curve)
		return ERROR_KEY_TYPE;
	err = put_curve(curve, set);
	return err ? err : put_curve_private(pkey, curve, set);
}

uint64_t crypto_key_type(const EVP_PKEY *pkey)
{
	const struct crypto_curve *curve = crypto_curve_of(pkey);
	const struct crypto_parameter_set *parameter_set;

	if (curve)
		return curve->key_type;
	parameter_set = crypto_pqc_set_of(pkey);
	if (parameter_set)
		return parameter_set->key_type;
	return EVP_PKEY_is_a(pkey, "RSA") ? CKK_RSA : CK_UNAVAILABLE_INFORMATION;
}

/* The structure of a Weierstrass key. OpenSSL's general encoder takes tens of microseconds for the
 * same octets, as much as making the key. */
static X509_PUBKEY *curve_structure(const struct crypto_curve *curve, EVP_PKEY *pkey)
{
	X509_PUBKEY *structure = X509_PUBKEY_new();
	unsigned char *point = NULL;
	size_t len = EVP_PKEY_get1_encoded_public_key(pkey, &point);

	if (structure && len &&
	    X509_PUBKEY_set0_param(structure, OBJ_nid2obj(NID_X9_62_id_ecPublicKey), V_ASN1_OBJECT,
	                           OBJ_nid2obj(curve->nid), point, (int)len))
		return structure;
	OPENSSL_free(point);
	X509_PUBKEY_free(structure);
	return NULL;
}

/* As i2d_PUBKEY. */
static int encode_public(EVP_PKEY *pkey, unsigned char **octets)
{
	const struct crypto_curve *curve = crypto_curve_of(pkey);
	X509_PUBKEY *structure;
	int len;

	if (!curve || curve->key_type != CKK_EC)
		return i2d_PUBKEY(pkey, octets);
	structure = curve_structure(curve, pkey);
	len = structure ? i2d_X509_PUBKEY(structure, octets) : -1;
	X509_PUBKEY_free(structure);
	return len;
}

enum err crypto_key_spki(EVP_PKEY *pkey, struct wire_buffer *der)
{
	unsigned char *octets = NULL;
	int len = encode_public(pkey, &octets);

	if (len <= 0)
		return ERROR_CRYPTO;
	wire_put_raw(der, octets, (size_t)len);
	OPENSSL_free(octets);
	return der->failed ? ERROR_MEMORY : ERROR_NONE;
}

enum err crypto_key_pkcs8(EVP_PKEY *pkey, struct wire_buffer *der)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey);
	unsigned char *octets = NULL;
	int len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &octets) : -1;
	enum err err = ERROR_CRYPTO;

	if (len > 0) {
		wire_put_raw(der, octets, (size_t)len);
		err = der->failed ? ERROR_MEMORY : ERROR_NONE;
		OPENSSL_clear_free(octets, (size_t)len);
	}
	PKCS8_PRIV_KEY_INFO_free(info);
	return err;
}

/* SoftHSM2 fills a key up with zeros to whole blocks of 8 octets before it wraps it with padding.
 */
static bool is_filling(const unsigned char *at, struct wire_bytes der)
{
	size_t left = der.len - (size_t)(at - der.data);

	if (left >= 8 || (left && der.len % 8))
		return false;
	while (left && !*at) {
		at++;
		left--;
	}
	return !left;
}

enum err crypto_key_from_pkcs8(struct crypto *crypto, struct wire_bytes der, EVP_PKEY **pkey)
{
	const unsigned char *at = der.data;
	PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der.len);

	*pkey = NULL;
	if (info && is_filling(at, der))
		*pkey = EVP_PKCS82PKEY_ex(info, crypto->library, crypto->properties);
	PKCS8_PRIV_KEY_INFO_free(info);
	ERR_clear_error();
	return *pkey ? ERROR_NONE : ERROR_WRAPPED_KEY;
}
