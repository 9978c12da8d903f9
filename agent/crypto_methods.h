/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The families of operations, for the rows of the mechanism table and for nobody else.
 */
#ifndef AGENT_CRYPTO_METHODS_H
#define AGENT_CRYPTO_METHODS_H

#include "operation.h"

extern const struct operation_methods crypto_digest_methods;
extern const struct operation_methods crypto_hmac_methods;
extern const struct operation_methods crypto_aes_methods; /* ECB, CBC, CTR */
extern const struct operation_methods crypto_aes_gcm_methods;
extern const struct operation_methods crypto_aes_wrap_methods; /* RFC 3394, RFC 5649 */
extern const struct operation_methods crypto_rsa_signature_methods;
extern const struct operation_methods crypto_rsa_encryption_methods;
extern const struct operation_methods crypto_ecdsa_methods;
extern const struct operation_methods crypto_eddsa_methods;

#endif
