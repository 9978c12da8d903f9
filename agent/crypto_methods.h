/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The families of operations, for the rows of the mechanism table and for nobody else.
 */
#ifndef AGENT_CRYPTO_METHODS_H
#define AGENT_CRYPTO_METHODS_H

#include "operation.h"

extern const struct operation_methods crypto_digest_methods;
extern const struct operation_methods crypto_hmac_methods;
extern const struct operation_methods crypto_cmac_methods;
extern const struct operation_methods crypto_gmac_methods;
extern const struct operation_methods crypto_aes_methods;      /* ECB, CBC, CTR, OFB, CFB */
extern const struct operation_methods crypto_aes_unit_methods; /* XTS, CTS */
extern const struct operation_methods crypto_aead_methods;     /* GCM, ChaCha20-Poly1305 */
extern const struct operation_methods crypto_ccm_methods;
extern const struct operation_methods crypto_aes_wrap_methods; /* RFC 3394, RFC 5649 */
extern const struct operation_methods crypto_rsa_signature_methods;
extern const struct operation_methods crypto_rsa_encryption_methods;
extern const struct operation_methods crypto_ecdsa_methods;
extern const struct operation_methods crypto_eddsa_methods;
extern const struct operation_methods crypto_pqc_signature_methods; /* ML-DSA, SLH-DSA */

/* The parameter of GCM and GMAC, its lengths checked. ERROR_MECHANISM_PARAMETER. */
enum err crypto_gcm_read(const struct wire_mechanism *parameter,
                         struct wire_gcm_parameter *record) MUST_CHECK;

#endif
