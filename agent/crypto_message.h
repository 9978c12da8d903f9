/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message on its way to an operation that wants it whole: either hashed as it comes, or gathered
 * in memory that is wiped. Knows no keys and no mechanisms.
 */
#ifndef AGENT_CRYPTO_MESSAGE_H
#define AGENT_CRYPTO_MESSAGE_H

#include "crypto.h"

struct crypto_message {
	enum crypto_digest digest; /* DIGEST_NONE: gather */
	EVP_MD_CTX *context;       /* made at the first update */
	struct wire_buffer gathered;
	uint8_t hash[EVP_MAX_MD_SIZE];
};

/* Allocates nothing. */
void crypto_message_init(struct crypto_message *message, enum crypto_digest digest);
/* Lets `len` octets be gathered beyond WIRE_DATA_LIMIT. */
void crypto_message_extend(struct crypto_message *message, size_t len);
/* Wipes and frees. Safe on a zeroed structure. */
void crypto_message_clear(struct crypto_message *message);
/* The state of `from`, which hashes, into a fresh one. */
enum err crypto_message_copy(struct crypto_message *to,
                             const struct crypto_message *from) MUST_CHECK;
/* ERROR_DATA_LENGTH above WIRE_DATA_LIMIT gathered octets. */
enum err crypto_message_update(struct crypto *crypto, struct crypto_message *message,
                               struct wire_bytes data) MUST_CHECK;
/* So many octets will come: what gathers gets its memory at once. ERROR_DATA_LENGTH, ERROR_MEMORY.
 */
enum err crypto_message_expect(struct crypto_message *message, size_t len) MUST_CHECK;
/* What the operation works on: the hash or the gathered octets, borrowed. Once. */
enum err crypto_message_finish(struct crypto *crypto, struct crypto_message *message,
                               struct wire_bytes *whole) MUST_CHECK;
/* The same for a message that comes in one piece: gathers nothing, `whole` borrows from `data`. */
enum err crypto_message_once(struct crypto *crypto, struct crypto_message *message,
                             struct wire_bytes data, struct wire_bytes *whole) MUST_CHECK;
/* Octets gathered so far; 0 when hashing. */
size_t crypto_message_len(const struct crypto_message *message);

#endif
