/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel says of a socket's other end. Who may connect is the configuration's business.
 */
#include "connection_peer.h"

#include <sys/socket.h>

#define PEER_GROUPS_MAX 256

bool connection_peer_allowed(const struct connection *connection, const struct config *config)
{
	gid_t groups[PEER_GROUPS_MAX + 1];
	socklen_t groups_len = PEER_GROUPS_MAX * sizeof(groups[0]);
	size_t count = 0;

	/* More groups than fit: only the primary one counts, which can only refuse. */
	if (!getsockopt(connection->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_len))
		count = groups_len / sizeof(groups[0]);
	groups[count++] = connection->gid;
	return config_allows_peer(config, connection->uid, groups, count);
}

bool connection_identify_peer(struct connection *connection)
{
	struct ucred peer;
	socklen_t peer_len = sizeof(peer);

	if (getsockopt(connection->fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_len))
		return false;
	connection->uid = peer.uid;
	connection->gid = peer.gid;
	connection->pid = peer.pid;
	return true;
}
