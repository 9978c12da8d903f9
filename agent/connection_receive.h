/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames out of the octets that a connection's socket brings.
 */
#ifndef AGENT_CONNECTION_RECEIVE_H
#define AGENT_CONNECTION_RECEIVE_H

#include "call.h"

/* Runs the frames that the octets complete; keeps what is left. The octets are borrowed. False when
 * the client broke the protocol. */
bool connection_take_octets(struct connection *connection, struct wire_bytes octets);
/* The call's body outlives what its frame was received in. If that is memory of its own it is the
 * call's from now on, as body_copy; false when it is not. */
bool connection_give_body(struct call *call);

#endif
