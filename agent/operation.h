/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations: the rules of Init, Update, Final and length queries that encryption, decryption,
 * digesting, signing and verifying share, once. What a mechanism does inside is behind struct
 * operation_methods. The caller holds the session's lock; nothing here touches sessions, tokens or
 * the audit log.
 *
 * Rules kept here (PKCS#11 v2.40 §5.2, §5.8-5.13): a query or ERROR_BUFFER_TOO_SMALL leaves the
 * operation active; every other error ends it; one-shot after an Update is ERROR_OPERATION_ACTIVE;
 * Final or Update without Init is ERROR_OPERATION_NONE; success of a one-shot or Final ends it.
 */
#ifndef AGENT_OPERATION_H
#define AGENT_OPERATION_H

#include "crypto.h"
#include "crypto_message.h"
#include "mechanism.h"
#include "object.h"
#include "wire/codec.h"

enum operation_kind {
	OPERATION_ENCRYPT,
	OPERATION_DECRYPT,
	OPERATION_DIGEST,
	OPERATION_SIGN,
	OPERATION_VERIFY,
	OPERATION_SIGN_RECOVER,
	OPERATION_VERIFY_RECOVER, /* the signature is the data, and the data are the result */
	OPERATION_KINDS,
};

enum operation_step { STEP_ONCE, STEP_UPDATE, STEP_FINAL };

struct operation;

/* What the caller can take: `query` asks for the length only. */
struct output_request {
	bool query;
	uint64_t capacity;
};

/*
 * Starts an operation. Checks the mechanism's functions, key class, type and size, and the
 * parameter. Takes its own reference to `key` (NULL for digests). Policy (may this key do this) has
 * been asked by the caller.
 */
enum err operation_start(struct operation **operation, enum operation_kind kind,
                         struct crypto *crypto, const struct mechanism *mechanism,
                         const struct wire_mechanism *parameter, struct object *key) MUST_CHECK;
/* The same for wrapping (OPERATION_ENCRYPT) and unwrapping (OPERATION_DECRYPT): keygen_wrap.c. */
enum err operation_start_wrapping(struct operation **operation, enum operation_kind kind,
                                  struct crypto *crypto, const struct mechanism *mechanism,
                                  const struct wire_mechanism *parameter,
                                  struct object *key) MUST_CHECK;
/* False when the parameter leaves what FIPS approves, though the mechanism does not. */
bool operation_approved(const struct operation *operation);
/* Another operation in the same state. ERROR_STATE_UNSAVEABLE for all but digests. */
enum err operation_copy(const struct operation *from, struct operation **copy) MUST_CHECK;
/* Wipes and frees. NULL is allowed. */
void operation_free(struct operation *operation);
const struct mechanism *operation_mechanism(const struct operation *operation);
struct object *operation_key(const struct operation *operation);
enum operation_kind operation_kind(const struct operation *operation);

/*
 * The four steps. `*operation` is freed and set to NULL when the operation ends, by success or
 * error. Output is appended to `out`, and *output_len is the length of the result or what it needs;
 * on a query or ERROR_BUFFER_TOO_SMALL nothing is appended. `data` is borrowed for the call. A NULL
 * *operation gives ERROR_OPERATION_NONE.
 */
enum err operation_once(struct operation **operation, struct wire_bytes data,
                        const struct output_request *request, struct wire_buffer *out,
                        uint64_t *output_len) MUST_CHECK;
/* Encrypt and decrypt give output; digest, sign and verify take request and out NULL. */
enum err operation_update(struct operation **operation, struct wire_bytes data,
                          const struct output_request *request, struct wire_buffer *out,
                          uint64_t *output_len) MUST_CHECK;
enum err operation_final(struct operation **operation, const struct output_request *request,
                         struct wire_buffer *out, uint64_t *output_len) MUST_CHECK;
/*
 * A one-shot or an update whose data come in parts; the same answers as if they had come at once,
 * but for output that the parts before a failure gave. operation_begin_parts checks what can be
 * known before (`request` NULL as for operation_update); a query is answered by it and begins
 * nothing. Until the last part the operation takes nothing else: the caller asks
 * operation_in_parts. Where parts cannot be worked on one by one, they are gathered.
 */
enum err operation_begin_parts(struct operation **operation, enum operation_step step,
                               uint64_t data_len, const struct output_request *request,
                               uint64_t *output_len) MUST_CHECK;
/* Before it, for a one-shot verification: what the message is to be verified with at the end. */
enum err operation_keep_signature(struct operation *operation,
                                  struct wire_bytes signature) MUST_CHECK;
/* So many octets are still to come by updates: what gathers gets its memory at once. */
enum err operation_expect_data(struct operation *operation, size_t len) MUST_CHECK;
/* The next part. *done: it was the last, and *output_len is the length of the whole result. */
enum err operation_next_part(struct operation **operation, struct wire_bytes data,
                             struct wire_buffer *out, uint64_t *output_len, bool *done) MUST_CHECK;
/* NULL is allowed. */
bool operation_in_parts(const struct operation *operation);
/* Is the next part copied as it is, and not looked at before? Then it may be in shared memory. */
bool operation_part_is_copied(const struct operation *operation);
/* May the next part be in shared memory, with the result written over it? */
bool operation_part_in_place(const struct operation *operation);
/* How many octets are worked on when the next part, of `len` octets, has come. */
size_t operation_part_work(const struct operation *operation, size_t len);
/* Verify: one-shot, and after updates. */
enum err operation_verify_once(struct operation **operation, struct wire_bytes data,
                               struct wire_bytes signature) MUST_CHECK;
enum err operation_verify_final(struct operation **operation,
                                struct wire_bytes signature) MUST_CHECK;
/* C_VerifySignatureInit: the signature comes before the data. */
enum err operation_expect(struct operation *operation, struct wire_bytes signature) MUST_CHECK;
/* Was it begun so, and what it brought. */
bool operation_expects(const struct operation *operation);
struct wire_bytes operation_expected(const struct operation *operation);
/* C_DigestKey: feeds a secret key's value. */
enum err operation_digest_key(struct operation **operation, const struct object *key) MUST_CHECK;

/*
 * What a family of mechanisms implements. There are two sorts. A gathering family has no update:
 * the message (its digest when the mechanism has one, else the octets, gathered up to
 * WIRE_DATA_LIMIT) goes whole to produce or verify. A streaming family has update and finish, and
 * may have produce as the short way for a one-shot. Where
 * bound_only is set, produce must be able to do the same twice: that is what a caller with a too
 * small buffer asks for.
 */
struct operation_methods {
	size_t state_len; /* of the family's own state, zeroed memory behind operation->state */
	enum err (*start)(struct operation *operation, const struct wire_mechanism *parameter);
	enum err (*produce)(struct operation *operation, struct wire_bytes message, uint8_t *out,
	                    size_t *out_len);
	/* NULL: produce or finish, and compare in constant time. */
	enum err (*verify)(struct operation *operation, struct wire_bytes message,
	                   struct wire_bytes signature);
	/* `out` and `out_len` are NULL for sign, verify and digest. */
	enum err (*update)(struct operation *operation, struct wire_bytes data, uint8_t *out,
	                   size_t *out_len);
	enum err (*finish)(struct operation *operation, uint8_t *out, size_t *out_len);
	/* Length of what the step gives; an upper bound for once and
	 * final where operation->bound_only is set. */
	size_t (*output_max)(const struct operation *operation, size_t data_len,
	                     enum operation_step step);
	/* May update write its result over its data, in memory that a client changes meanwhile? It
	 * then reads each octet once, and what it reads decides about nothing but the result. NULL:
	 * never. */
	bool (*in_place)(const struct operation *operation);
	/* Undoes start, also one that failed half-way. May be NULL. */
	void (*stop)(struct operation *operation);
};

/* A step whose data come in parts. */
struct operation_parts {
	bool active;
	bool whole; /* gathered in the operation's message and done at once at the end */
	bool gives; /* there is a result, for `request` */
	enum operation_step step;
	struct output_request request;
	uint64_t left_len;   /* octets still to come */
	uint64_t output_len; /* of the result, so far */
};

struct operation {
	enum operation_kind kind;
	bool updated;    /* an Update happened: one-shot is over */
	bool finished;   /* the result of Final waits in `result` for a larger buffer */
	bool gathers;    /* set by operation_start from the methods; start may change it */
	bool bound_only; /* set by start: the length is known only afterwards */
	struct crypto *crypto;
	const struct mechanism *mechanism;
	const struct operation_methods *methods;
	struct object *key;
	struct crypto_message message; /* what a gathering family has been given */
	struct operation_parts parts;
	struct wire_buffer result;
	struct wire_buffer expected; /* the signature, when it comes before the end of the data */
	bool expects;                /* it came with the Init (v3.2) */
	bool unapproved; /* set by start: its parameter makes it one that FIPS does not approve */
	void *state;
};

#endif
