/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC's framing: an octet that says whether the message is compressed, four with its length, the
 * message.
 */
#ifndef GRPC_MESSAGE_H
#define GRPC_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/buffer.h"

#define MESSAGE_PREFIX_LEN 5u

enum message_result {
	MESSAGE_PARTIAL,    /* more octets are wanted */
	MESSAGE_WHOLE,      /* reader->message has it */
	MESSAGE_COMPRESSED, /* which we have not agreed to */
	MESSAGE_TOO_LARGE,
	MESSAGE_NO_MEMORY,
};

/* Puts one message at a time together. */
struct message_reader {
	uint8_t prefix[MESSAGE_PREFIX_LEN];
	size_t prefix_len;
	size_t wanted_len; /* known when the prefix is whole */
	struct wire_buffer message;
};

/* Takes octets up to the end of a message; *taken is how many. After a whole message the next one
 * needs message_reader_reset. */
enum message_result message_reader_take(struct message_reader *reader, struct wire_bytes octets,
                                        size_t limit, size_t *taken);
/* Is it in the middle of a message? */
bool message_reader_is_partial(const struct message_reader *reader);
/* Wipes it, for the next message. Memory beyond `keep_len` octets is given back. */
void message_reader_reset(struct message_reader *reader, size_t keep_len);
/* Writes a prefix of MESSAGE_PREFIX_LEN octets. */
void message_put_prefix(uint8_t *octets, size_t message_len);

#endif
