/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is at the other end of a connection, as the kernel noted when it was made.
 */
#ifndef AGENT_CONNECTION_PEER_H
#define AGENT_CONNECTION_PEER_H

#include "config.h"
#include "connection.h"

/* Sets uid, gid and pid. False when they cannot be read. */
bool connection_identify_peer(struct connection *connection);
/* May it connect: is its user, or one of its groups, among those that the configuration names? */
bool connection_peer_allowed(const struct connection *connection, const struct config *config);

#endif
