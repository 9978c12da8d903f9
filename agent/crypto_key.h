/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between attributes and OpenSSL's keys: an EVP_PKEY from an object's attributes, made once and
 * cached in the object; the attributes of an EVP_PKEY; curves and points. DER is OpenSSL's.
 */
#ifndef AGENT_CRYPTO_KEY_H
#define AGENT_CRYPTO_KEY_H

#include "crypto.h"
#include "mechanism.h"
#include "object.h"

/* For __attribute__((cleanup)). */
void crypto_pkey_freep(EVP_PKEY **pkey);
#define pkey_auto __attribute__((cleanup(crypto_pkey_freep))) EVP_PKEY *

/* Borrowed from the object's cache; made at the first call. Public and private keys of RSA, EC,
 * Edwards, Montgomery. ERROR_KEY_TYPE for any other object. */
enum err crypto_key_get(struct crypto *crypto, struct object *object, EVP_PKEY **pkey) MUST_CHECK;
/* Makes one from a set that is not an object yet. The caller frees it. ERROR_TEMPLATE_INCOMPLETE,
 * ERROR_ATTRIBUTE_VALUE, ERROR_CURVE, ERROR_DOMAIN_PARAMETERS, ERROR_KEY_TYPE. */
enum err crypto_key_make(struct crypto *crypto, const struct attributes *set,
                         EVP_PKEY **pkey) MUST_CHECK;
/* EVP_PKEY_fromdata; the builder stays the caller's. ERROR_ATTRIBUTE_VALUE when OpenSSL refuses. */
enum err crypto_key_build(struct crypto *crypto, const char *type, int selection,
                          OSSL_PARAM_BLD *builder, EVP_PKEY **pkey) MUST_CHECK;
/* Puts public parts (CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_EC_POINT ...) or private parts into a
 * set. CKA_EC_PARAMS that the set has already stays as the caller wrote it. */
enum err crypto_key_public_attributes(EVP_PKEY *pkey, struct attributes *set) MUST_CHECK;
enum err crypto_key_private_attributes(EVP_PKEY *pkey, struct attributes *set) MUST_CHECK;
/* CKK_* of an OpenSSL key, or CK_UNAVAILABLE_INFORMATION. */
uint64_t crypto_key_type(const EVP_PKEY *pkey);
/* CKA_PUBLIC_KEY_INFO: DER SubjectPublicKeyInfo, appended. */
enum err crypto_key_spki(EVP_PKEY *pkey, struct wire_buffer *der) MUST_CHECK;
/* PKCS#8 PrivateKeyInfo, appended to a buffer in locked memory; and back: ERROR_WRAPPED_KEY when it
 * is not one. */
enum err crypto_key_pkcs8(EVP_PKEY *pkey, struct wire_buffer *der) MUST_CHECK;
enum err crypto_key_from_pkcs8(struct crypto *crypto, struct wire_bytes der,
                               EVP_PKEY **pkey) MUST_CHECK;

/* Which half of a pair a mechanism wants; secret keys have none. */
enum crypto_half { HALF_PUBLIC, HALF_PRIVATE };
/* Is the key one that the mechanism can use: type, then class, then size. ERROR_KEY_HANDLE (not a
 * key), ERROR_KEY_TYPE, ERROR_KEY_FUNCTION (the wrong half), ERROR_KEY_SIZE. */
enum err crypto_key_fits(struct crypto *crypto, const struct mechanism *mechanism,
                         struct object *key, enum crypto_half half) MUST_CHECK;
/* A secret key's value, borrowed from the object. */
struct wire_bytes crypto_key_secret(const struct object *key);

struct crypto_curve {
	int nid;
	uint64_t key_type; /* CKK_EC, CKK_EC_EDWARDS or CKK_EC_MONTGOMERY */
	const char *group; /* as OpenSSL names it */
	const char *name;  /* as a PrintableString names it */
	size_t field_len;  /* octets of a coordinate, of a scalar, of half a signature */
	bool approved;     /* by FIPS 186-5, SP 800-186 or SP 800-56A */
};

/* The curve of CKA_EC_PARAMS (OID or PrintableString in DER), static. ERROR_CURVE /
 * ERROR_DOMAIN_PARAMETERS. */
enum err crypto_key_curve(struct wire_bytes ec_params,
                          const struct crypto_curve **curve) MUST_CHECK;
/* The curve of a key, static; NULL when it is none of ours. */
const struct crypto_curve *crypto_curve_of(const EVP_PKEY *pkey);
/* Puts CKA_EC_PARAMS: the OID. */
enum err crypto_curve_params(const struct crypto_curve *curve, struct attributes *set) MUST_CHECK;
/* The octets of a point that stands in raw or in DER form; data NULL when it is neither. Borrowed.
 * Does not look whether it is on the curve. */
struct wire_bytes crypto_curve_point(const struct crypto_curve *curve, struct wire_bytes point);
/* A public key from those octets. ERROR_ATTRIBUTE_VALUE when they are no point of the curve. */
enum err crypto_curve_public_key(struct crypto *crypto, const struct crypto_curve *curve,
                                 struct wire_bytes point, EVP_PKEY **pkey) MUST_CHECK;
/* A private key, its public half computed. ERROR_ATTRIBUTE_VALUE when the scalar is out of range.
 */
enum err crypto_curve_private_key(struct crypto *crypto, const struct crypto_curve *curve,
                                  struct wire_bytes scalar, EVP_PKEY **pkey) MUST_CHECK;
/* A new pair; NULL with OpenSSL's errors. */
EVP_PKEY *crypto_curve_pair(struct crypto *crypto, const struct crypto_curve *curve);
/* Is the point of this EC key the one that its scalar makes? */
bool crypto_curve_halves_agree(struct crypto *crypto, const EVP_PKEY *pkey);
/* CKA_EC_POINT of a key: the DER OCTET STRING, put into the set. */
enum err crypto_curve_put_point(const EVP_PKEY *pkey, struct attributes *set) MUST_CHECK;

#endif
