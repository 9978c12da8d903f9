/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PKCS#11 types and constants that both ends use: p11-kit's header (version 2.40), the
 * mechanisms of PKCS#11 v3.0 and later (cryptoki_numbers.h) and, below, other numbers that it does
 * not have. Numbers only; no structure of ours lives here.
 */
#ifndef WIRE_CRYPTOKI_H
#define WIRE_CRYPTOKI_H

#include <p11-kit/pkcs11.h>

#include "wire/cryptoki_numbers.h"

/* Attributes and object classes. */
#ifndef CKA_UNIQUE_ID
#define CKA_UNIQUE_ID 0x00000004UL
#endif
#ifndef CKA_PROFILE_ID
#define CKA_PROFILE_ID 0x00000601UL
#endif
#ifndef CKP_BASELINE_PROVIDER /* v3.0 profiles §2 */
#define CKP_BASELINE_PROVIDER    0x00000001UL
#define CKP_EXTENDED_PROVIDER    0x00000002UL
#define CKP_AUTHENTICATION_TOKEN 0x00000003UL
#endif
#ifndef CKO_PROFILE
#define CKO_PROFILE 0x00000009UL
#endif

/* Return values. */
#ifndef CKR_AEAD_DECRYPT_FAILED
#define CKR_AEAD_DECRYPT_FAILED 0x00000042UL
#endif
#ifndef CKR_OPERATION_CANCEL_FAILED
#define CKR_OPERATION_CANCEL_FAILED 0x00000202UL
#endif

/* Ours, above CKA_VENDOR_DEFINED. Of every key: CK_BBOOL, true once the operator has said that the
 * key is compromised (SP 800-57 part 1 §5.3.5); it then does nothing any more, and stays so. */
#define CKA_CRATON_COMPROMISED 0x83480001UL

/* Ours, above CKR_VENDOR_DEFINED: only the administrative requests return them. */
#define CKR_CRATON_VOLUME_EXISTS     0x80000001UL
#define CKR_CRATON_VOLUME_UNKNOWN    0x80000002UL
#define CKR_CRATON_VOLUME_DAMAGED    0x80000003UL
#define CKR_CRATON_VOLUME_KEK        0x80000004UL
#define CKR_CRATON_KEYRING           0x80000005UL
#define CKR_CRATON_KERNEL            0x80000006UL
#define CKR_CRATON_BACKUP_PASSPHRASE 0x80000007UL
#define CKR_CRATON_BACKUP_DAMAGED    0x80000008UL
#define CKR_CRATON_BACKUP_VERSION    0x80000009UL
#define CKR_CRATON_BACKUP_TOKEN      0x8000000aUL
#define CKR_CRATON_BACKUP_REPLAY     0x8000000bUL
#define CKR_CRATON_TOKEN_IN_USE      0x8000000cUL
#define CKR_CRATON_AUDIT_ROTATE      0x8000000eUL
#define CKR_CRATON_AUDIT_EMPTY       0x8000000fUL
#define CKR_CRATON_BACKUP_ELSEWHERE  0x8000000dUL

#endif
