/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection's window (wire/window.h), seen from the agent: made at the client's first bulk call,
 * and given up when it has not been used for a while, or with the connection. All clients' windows
 * together are bounded; a client without one goes on by the socket.
 */
#ifndef AGENT_CONNECTION_WINDOW_H
#define AGENT_CONNECTION_WINDOW_H

#include <stdbool.h>

#include "connection.h"
#include "wire/window.h"

/* Answers the `window` request. False when the connection must end. */
bool connection_window_open(struct connection *connection, const struct wire_frame_header *header);
/* No call uses it any more. NULL is allowed. */
void connection_window_free(struct connection *connection);
/* The connection has come to another loop. */
void connection_window_adopt(struct connection *connection);
/*
 * Of a frame with WIRE_FRAME_WINDOW: takes its slot, into *part, and leaves the field empty and the
 * flag away; without a window the flag stays. Other frames are left alone. False when the client
 * broke the protocol.
 */
bool connection_window_read(struct connection *connection, struct wire_frame_header *header,
                            uint8_t *body, struct call_part *part);
/* Sends the reply of a call with by_slot through ring and window. False when the ring has no room;
 * then the call is as before. */
bool connection_window_reply(struct connection *connection, struct call *call);
/* Makes such a reply one that has its output inside. */
void connection_window_close_reply(struct call *call);
/* Answers parts_rest. False when the client broke the protocol. */
bool connection_window_rest(struct connection *connection, const struct wire_frame_header *header);

#endif
