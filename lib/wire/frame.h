/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames: a header of 16 octets, little-endian, then a body.
 *
 *   u32 body_len   octets after the header
 *   u32 request_id chosen by the client, repeated in the reply; replies may come out of order
 *   u16 opcode     of message.def
 *   u16 flags      WIRE_FRAME_REPLY in replies; WIRE_FRAME_QUIET in requests of which only a
 *                  failure is answered; WIRE_FRAME_WINDOW in the ring (wire/window.h); every other
 *                  bit is zero
 *   u32 status     CKR_* in replies, zero in requests
 */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include "wire/buffer.h"

#define WIRE_VERSION          1u
#define WIRE_FRAME_HEADER_LEN 16u
#define WIRE_CONTROL_LIMIT    (64u * 1024u)                          /* body of a CONTROL frame */
#define WIRE_DATA_LIMIT       (64u * 1024u * 1024u)                  /* data of one call */
#define WIRE_BULK_LIMIT       (WIRE_DATA_LIMIT + WIRE_CONTROL_LIMIT) /* body of a BULK frame */
#define WIRE_TICKET_LEN       16u
#define WIRE_FIND_MAX         1024u /* handles in one find_objects reply */
#define WIRE_ATTRIBUTE_MAX    128u  /* attributes in one template */
#define WIRE_CLIENT_MAX       320u  /* octets of a remote client's identity */
#define WIRE_FRAME_REPLY      0x0001u
#define WIRE_FRAME_QUIET      0x0002u
#define WIRE_FRAME_WINDOW     0x0004u

/* Feature bits of the hello. */
#define WIRE_FEATURE_RING   1ull /* wire/ring.h */
#define WIRE_FEATURE_EPOCH  2ull /* wire/epoch.h, with the ring; and WIRE_FRAME_QUIET */
#define WIRE_FEATURE_WINDOW 8ull /* wire/window.h, with the ring; and the messages parts_* */
/* 4 was a window with another parts_begin. */
#define WIRE_FEATURES (WIRE_FEATURE_RING | WIRE_FEATURE_EPOCH | WIRE_FEATURE_WINDOW)

struct wire_frame_header {
	uint32_t body_len;
	uint32_t request_id;
	uint16_t opcode;
	uint16_t flags;
	uint32_t status;
};

/* Appends a header whose body_len is to be set by wire_frame_finish. Returns the offset of the
 * header. */
size_t wire_frame_begin(struct wire_buffer *buffer, const struct wire_frame_header *header);
/* Sets body_len of the frame that begins at `offset` to what has been written since. */
void wire_frame_finish(struct wire_buffer *buffer, size_t offset);
/* Writes a header to WIRE_FRAME_HEADER_LEN octets, body_len as it is. */
void wire_frame_store(uint8_t *octets, const struct wire_frame_header *header);
/* Reads a header from at least WIRE_FRAME_HEADER_LEN octets. Judges nothing. */
void wire_frame_parse(struct wire_frame_header *header, const uint8_t *octets);
/* The largest body this opcode may have in either direction; 0 for an opcode that does not exist.
 */
size_t wire_frame_limit(uint16_t opcode);

#endif
