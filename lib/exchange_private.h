/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What exchange.c has for exchange_window.c, which sends several requests before it waits, and for
 * exchange_memory.c.
 */
#ifndef LIB_EXCHANGE_PRIVATE_H
#define LIB_EXCHANGE_PRIVATE_H

#include "exchange.h"
#include "wire/frame.h"

/* Begins connection->request with what is to go ahead, if anything, and the header of a request.
 * Returns the offset of the header. */
size_t exchange_begin_request(struct connection *connection, uint16_t opcode, uint16_t flags);
/* Puts it into the ring. False when it does not fit, and nothing was sent; *lost: the connection is
 * lost. */
bool exchange_send_request(struct connection *connection, int64_t deadline, bool *lost);
/* Waits for the reply to the request with this id; `ahead` is the opcode of what went ahead of it
 * (whose failure then is the status), or 0. */
enum exchange_result exchange_receive_reply(struct connection *connection, uint32_t request_id,
                                            uint16_t ahead, uint16_t opcode, int64_t deadline,
                                            CK_RV *status);
/* Sends a frame without a body by the socket. */
bool exchange_send_header(struct connection *connection, const struct wire_frame_header *header,
                          int64_t deadline);
/* Is it the header of a doorbell? */
bool exchange_is_doorbell(const uint8_t *octets);
/* Is it that of the reply to this request, of which `have` octets have come? */
bool exchange_header_fits(const struct wire_frame_header *header, uint16_t opcode,
                          uint32_t request_id, size_t have);
/* For poll: at least a millisecond, none after the deadline, -1 for ever. */
int exchange_milliseconds_until(int64_t deadline);

/* Asks for a window. False when the connection is lost; without a window it goes on. */
bool exchange_open_window(struct connection *connection, int64_t deadline);

#endif
