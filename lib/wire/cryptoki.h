/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PKCS#11 types and constants that both ends use: p11-kit's header (version 2.40) and, below
 * it, the numbers of PKCS#11 v3.0 and later that it does not have. Numbers only; no structure of
 * ours lives here.
 */
#ifndef WIRE_CRYPTOKI_H
#define WIRE_CRYPTOKI_H

#include <p11-kit/pkcs11.h>

/* PKCS#11 v3.0, pkcs11t.h: mechanisms. */
#ifndef CKM_SHA3_256
#define CKM_SHA3_256              0x000002b0UL
#define CKM_SHA3_256_HMAC         0x000002b1UL
#define CKM_SHA3_256_HMAC_GENERAL 0x000002b2UL
#define CKM_SHA3_224              0x000002b5UL
#define CKM_SHA3_224_HMAC         0x000002b6UL
#define CKM_SHA3_224_HMAC_GENERAL 0x000002b7UL
#define CKM_SHA3_384              0x000002c0UL
#define CKM_SHA3_384_HMAC         0x000002c1UL
#define CKM_SHA3_384_HMAC_GENERAL 0x000002c2UL
#define CKM_SHA3_512              0x000002d0UL
#define CKM_SHA3_512_HMAC         0x000002d1UL
#define CKM_SHA3_512_HMAC_GENERAL 0x000002d2UL
#endif
#ifndef CKM_EC_EDWARDS_KEY_PAIR_GEN
#define CKM_EC_EDWARDS_KEY_PAIR_GEN 0x00001055UL
#endif
#ifndef CKM_ECDSA_SHA224
#define CKM_ECDSA_SHA224 0x00001043UL
#define CKM_ECDSA_SHA256 0x00001044UL
#define CKM_ECDSA_SHA384 0x00001045UL
#define CKM_ECDSA_SHA512 0x00001046UL
#endif
#ifndef CKM_AES_KEY_WRAP_KWP
#define CKM_AES_KEY_WRAP_KWP 0x0000210bUL
#endif

/* Key types, mask generation functions. */
#ifndef CKK_EC_MONTGOMERY
#define CKK_EC_MONTGOMERY 0x00000041UL
#endif
#ifndef CKK_SHA3_224_HMAC
#define CKK_SHA3_224_HMAC 0x00000033UL
#define CKK_SHA3_256_HMAC 0x00000034UL
#define CKK_SHA3_384_HMAC 0x00000035UL
#define CKK_SHA3_512_HMAC 0x00000036UL
#endif
#ifndef CKG_MGF1_SHA3_224
#define CKG_MGF1_SHA3_224 0x00000006UL
#define CKG_MGF1_SHA3_256 0x00000007UL
#define CKG_MGF1_SHA3_384 0x00000008UL
#define CKG_MGF1_SHA3_512 0x00000009UL
#endif

/* Attributes and object classes. */
#ifndef CKA_UNIQUE_ID
#define CKA_UNIQUE_ID 0x00000004UL
#endif
#ifndef CKA_PROFILE_ID
#define CKA_PROFILE_ID 0x00000601UL
#endif
#ifndef CKO_PROFILE
#define CKO_PROFILE 0x00000009UL
#endif

/* Return values. */
#ifndef CKR_OPERATION_CANCEL_FAILED
#define CKR_OPERATION_CANCEL_FAILED 0x00000202UL
#endif

/* Ours, above CKR_VENDOR_DEFINED: only the administrative requests return them. */
#define CKR_CRATON_VOLUME_EXISTS  0x80000001UL
#define CKR_CRATON_VOLUME_UNKNOWN 0x80000002UL
#define CKR_CRATON_VOLUME_DAMAGED 0x80000003UL
#define CKR_CRATON_VOLUME_KEK     0x80000004UL
#define CKR_CRATON_KEYRING        0x80000005UL
#define CKR_CRATON_KERNEL         0x80000006UL

#endif
