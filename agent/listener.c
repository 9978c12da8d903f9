/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes socket files. To the agent's own anybody may connect as far as the file goes; who is served
 * is decided by the peer's identity and [security].allowed_uids, and what he may do by his PIN.
 */
#include "listener.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG  1024
#define CLOSE_MS 500 /* how long a killed agent's socket may take to go */

static int fill_address(struct sockaddr_un *address, const char *path)
{
	size_t path_len = strlen(path);

	if (path_len >= sizeof(address->sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, path, path_len + 1);
	return 0;
}

/* The kernel holds the socket of a killed agent until its io_uring is torn down, which is after the
 * process is gone: connections succeed for a moment, and are then closed. A living owner keeps them
 * open. */
static bool closes(int fd)
{
	struct pollfd end = {.fd = fd, .events = POLLIN};
	char octet;

	return poll(&end, 1, CLOSE_MS) > 0 && recv(fd, &octet, 1, MSG_DONTWAIT) <= 0;
}

/* Is the socket somebody's? Only a refused connection, or one that ends by itself, says no: a full
 * queue, another type of socket or missing rights mean that it is in use. */
static bool in_use(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool used;

	if (fd < 0)
		return true;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)))
		used = errno != ECONNREFUSED;
	else
		used = !closes(fd);
	close(fd);
	return used;
}

/* NULL when the path is free now, else why it is not; a reason that ends with a space wants the
 * configuration's key behind it. */
static const char *clear_path(const struct sockaddr_un *address)
{
	struct stat status;

	if (lstat(address->sun_path, &status))
		return errno == ENOENT ? NULL : strerror(errno);
	if (!S_ISSOCK(status.st_mode))
		return "a file that is not a socket is in the way; remove it or change ";
	if (in_use(address))
		return "another daemon answers there; stop it or change ";
	return unlink(address->sun_path) ? strerror(errno) : NULL;
}

static int bind_and_listen(int fd, const struct sockaddr_un *address, mode_t mode)
{
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)))
		return -1;
	if (chmod(address->sun_path, mode))
		return -1;
	return listen(fd, BACKLOG);
}

int listener_open_for(const char *key, const char *path, mode_t mode, char *error, size_t error_len)
{
	struct sockaddr_un address;
	const char *refusal;
	int fd = -1;

	refusal = fill_address(&address, path) ? strerror(errno) : clear_path(&address);
	if (!refusal) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && !bind_and_listen(fd, &address, mode))
			return fd;
		refusal = strerror(errno);
	}
	snprintf(error, error_len, "cannot listen on %s: %s%s", path, refusal,
	         refusal[strlen(refusal) - 1] == ' ' ? key : "");
	if (fd >= 0)
		close(fd);
	return -1;
}

int listener_open(const char *path, char *error, size_t error_len)
{
	return listener_open_for("[agent].socket", path, 0666, error, error_len);
}

void listener_close(int fd, const char *path)
{
	close(fd);
	unlink(path);
}
