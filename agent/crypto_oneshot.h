/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures over a whole message that the algorithm hashes itself, as often as it likes: EdDSA,
 * ML-DSA, SLH-DSA. The families fill the state in their start; OpenSSL's calls are here.
 */
#ifndef AGENT_CRYPTO_ONESHOT_H
#define AGENT_CRYPTO_ONESHOT_H

#include "crypto_key.h"
#include "operation.h"

#define ONESHOT_CONTEXT_MAX 255u
#define ONESHOT_PARAMS      6u

struct oneshot {
	EVP_PKEY *pkey; /* borrowed from the key */
	size_t signature_len;
	OSSL_PARAM params[ONESHOT_PARAMS]; /* point into this structure; ended by start */
	uint8_t context[ONESHOT_CONTEXT_MAX];
	size_t context_len;
	int numbers[2];     /* what integer parameters point at */
	const void *family; /* what else the family needs: static */
};

/* The context string, copied. ERROR_MECHANISM_PARAMETER above 255 octets. */
enum err crypto_oneshot_take_context(struct oneshot *state, struct wire_bytes context) MUST_CHECK;
/* The parameter "context-string" of it. */
OSSL_PARAM crypto_oneshot_context(struct oneshot *state);

enum err crypto_oneshot_sign(struct operation *operation, struct wire_bytes message, uint8_t *out,
                             size_t *out_len) MUST_CHECK;
enum err crypto_oneshot_verify(struct operation *operation, struct wire_bytes message,
                               struct wire_bytes signature) MUST_CHECK;
size_t crypto_oneshot_max(const struct operation *operation, size_t data_len,
                          enum operation_step step);

#endif
