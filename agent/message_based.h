/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations on many messages under one key (PKCS#11 v3.0 §5.9, 5.11, 5.14, 5.16): each message is
 * an operation of its own (operation.h), made here from what Init said and what comes with the
 * message. The caller holds the session's lock.
 *
 * An error ends the message, not the series; ERROR_BUFFER_TOO_SMALL and a query end nothing, use up
 * no IV and take in no data.
 */
#ifndef AGENT_MESSAGE_BASED_H
#define AGENT_MESSAGE_BASED_H

#include "operation.h"

struct message_based;

/* What comes with a message that is encrypted or decrypted. */
struct message_parameter {
	uint64_t generator;  /* CKG_*; encryption only */
	uint64_t fixed_bits; /* the leading bits of `iv` that stay */
	struct wire_bytes iv;
	uint64_t tag_len;
	uint64_t total_len; /* CCM */
	struct wire_bytes aad;
};

/* Can the mechanism be used so? Encryption: the authenticated ciphers; signatures: all. */
bool message_based_fits(const struct mechanism *mechanism, enum operation_kind kind);
/* Checks parameter and key as operation_start does, and keeps its own copies. The mechanism fits.
 */
enum err message_based_start(struct message_based **series, enum operation_kind kind,
                             struct crypto *crypto, const struct mechanism *mechanism,
                             const struct wire_mechanism *parameter, struct object *key) MUST_CHECK;
/* Wipes and frees, with the message that is under way. NULL is allowed. */
void message_based_free(struct message_based *series);
/* As operation_approved. */
bool message_based_approved(const struct message_based *series);
const struct mechanism *message_based_mechanism(const struct message_based *series);
struct object *message_based_key(const struct message_based *series);

/* A message in parts: ERROR_OPERATION_ACTIVE when one is under way. `parameter` is NULL for
 * signatures. With encryption the IV that is used is appended to `iv`. */
enum err message_based_begin(struct message_based *series,
                             const struct message_parameter *parameter,
                             struct wire_buffer *iv) MUST_CHECK;
/*
 * A part. Output is appended to `out`, with the tag behind it when the last part of an encryption
 * ends; `tag` is the one to verify with the last part of a decryption. *output_len is without the
 * tag.
 */
enum err message_based_next(struct message_based *series, struct wire_bytes data, bool last,
                            struct wire_bytes tag, const struct output_request *request,
                            struct wire_buffer *out, uint64_t *output_len) MUST_CHECK;
/* The last part of a message whose signature is verified. */
enum err message_based_verify(struct message_based *series, struct wire_bytes data,
                              struct wire_bytes signature) MUST_CHECK;
/* Gives the message up. */
void message_based_abandon(struct message_based *series);

/* A call for a message, or the next part of one. */
struct message_call {
	bool whole;                         /* begins its message, and ends it */
	bool last;                          /* ends it; true if `whole` */
	struct message_parameter parameter; /* if `whole`, for ciphers */
	struct wire_bytes tag;              /* or the signature, of the last part */
	struct output_request request;
};

/* What a whole message's result takes, before it is begun and an IV is made: ERROR_BUFFER_TOO_SMALL
 * or *answered when no more is to be done. */
enum err message_based_ask(const struct message_based *series, size_t data_len,
                           const struct output_request *request, uint64_t *output_len,
                           bool *answered) MUST_CHECK;
/*
 * The same calls with data that come in parts, `data_len` octets of them: the same answers, and the
 * same output but that the IV of a whole message comes first. A query is answered by begin, and
 * begins nothing. Until the last part the series takes nothing else: the caller asks
 * message_based_in_parts.
 */
enum err message_based_begin_parts(struct message_based *series, const struct message_call *call,
                                   uint64_t data_len, struct wire_buffer *out,
                                   uint64_t *output_len) MUST_CHECK;
/* The next part. *done: it was the last, and *output_len is what message_based_next says of all. */
enum err message_based_next_part(struct message_based *series, struct wire_bytes data,
                                 struct wire_buffer *out, uint64_t *output_len,
                                 bool *done) MUST_CHECK;
bool message_based_in_parts(const struct message_based *series);
/* Does the call that comes in parts end its message? */
bool message_based_parts_last(const struct message_based *series);
/* As operation_part_is_copied and operation_part_work. */
bool message_based_part_is_copied(const struct message_based *series);
size_t message_based_part_work(const struct message_based *series, size_t len);

#endif
