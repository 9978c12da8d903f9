/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keyring in which the agent leaves a volume's key for dm-crypt, which looks for it among the
 * keys of the process that makes the mapping: this one.
 */
#include <errno.h>
#include <keyutils.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "volume_parts.h"

/* The agent comes as the group, or as the owner when it runs as the same user. */
#define PERMISSIONS                                                                                \
	(KEY_POS_ALL | KEY_USR_VIEW | KEY_USR_SEARCH | KEY_USR_WRITE | KEY_GRP_SEARCH |            \
	 KEY_GRP_WRITE)

#define DESCRIPTION_MAX (sizeof(VOLUME_LOGON_PREFIX) + VOLUME_NAME_MAX)

static key_serial_t parent(bool keep)
{
	return keep ? KEY_SPEC_SESSION_KEYRING : KEY_SPEC_PROCESS_KEYRING;
}

static void describe(const char *name, char description[DESCRIPTION_MAX])
{
	snprintf(description, DESCRIPTION_MAX, VOLUME_LOGON_PREFIX "%s", name);
}

/* Only a privileged process may give a key to a group that it does not belong to. */
static bool admit_agent(key_serial_t keyring, const struct connection *connection)
{
	struct ucred agent;
	socklen_t len = sizeof(agent);

	return !getsockopt(connection->fd, SOL_SOCKET, SO_PEERCRED, &agent, &len) &&
	       !keyctl_chown(keyring, (uid_t)-1, agent.gid) &&
	       !keyctl_setperm(keyring, PERMISSIONS);
}

int32_t volume_keyring_make(const struct connection *connection, const char *name, bool keep)
{
	char description[DESCRIPTION_MAX];
	key_serial_t keyring;

	describe(name, description);
	keyring = add_key("keyring", description, NULL, 0, parent(keep));
	if (keyring < 0) {
		admin_fail("a keyring for the volume's key: %s", strerror(errno));
		return 0;
	}
	if (admit_agent(keyring, connection))
		return keyring;
	admin_fail("a keyring for the agent: %s", strerror(errno));
	volume_keyring_drop(keyring, keep);
	return 0;
}

void volume_keyring_drop(int32_t keyring, bool keep)
{
	/* At once, not only when the kernel collects what nothing links. */
	keyctl_clear(keyring);
	if (keyctl_unlink(keyring, parent(keep)) && errno != ENOENT)
		admin_fail("the keyring of the volume's key: %s", strerror(errno));
}

bool volume_keyring_purge(const char *name)
{
	char description[DESCRIPTION_MAX];
	key_serial_t keyring, key;

	describe(name, description);
	keyring = (key_serial_t)keyctl_search(KEY_SPEC_SESSION_KEYRING, "keyring", description, 0);
	if (keyring > 0)
		volume_keyring_drop(keyring, true);
	/* One that was linked elsewhere in the session. */
	key = (key_serial_t)keyctl_search(KEY_SPEC_SESSION_KEYRING, "logon", description, 0);
	if (key > 0 && keyctl_invalidate(key))
		admin_fail("the volume's key: %s", strerror(errno));
	return keyring > 0 || key > 0;
}
