/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks paths by openat with O_NOFOLLOW. What is in the files is the caller's business.
 */
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(const char *path, const char *why, char *error, size_t error_len)
{
	snprintf(error, error_len, "%s: %s", path, why);
	return -1;
}

int path_refuse_errno(const char *path, int number, char *error, size_t error_len)
{
	const char *why = strerror(number);

	switch (number) {
	case EACCES:
	case EPERM:
		why = "permission denied: the directory and its parents must be open to the "
		      "daemon's user; chown or chmod "
		      "them";
		break;
	case ENOENT:
		why = "a directory of this path does not exist; create it";
		break;
	case ELOOP:
	case ENOTDIR:
		why = "a component is a symbolic link or not a directory; name the real directory";
		break;
	case EROFS:
		why = "read-only file system; add the directory to ReadWritePaths= of the unit or "
		      "mount it writable";
		break;
	default:
		break;
	}
	return refuse(path, why, error, error_len);
}

/* A step on the way: O_PATH, because a parent that may be passed need not be readable. */
static int open_step(int parent, const char *name)
{
	return openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int open_readable(int parent, const char *name)
{
	return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int path_sync(int directory)
{
	int fd = open_readable(directory, "."), result, number;

	if (fd < 0)
		return -1;
	result = fsync(fd);
	number = errno;
	close(fd);
	errno = number;
	return result;
}

/* Copies the next component to `name` and returns what follows it; NULL when it is too long. */
static const char *next_component(const char *at, char name[NAME_MAX + 1])
{
	size_t len = strcspn(at, "/");

	if (len > NAME_MAX)
		return NULL;
	memcpy(name, at, len);
	name[len] = '\0';
	return at + len + strspn(at + len, "/");
}

int path_open_parent(const char *path, const char **name, char *error, size_t error_len)
{
	char component[NAME_MAX + 1];
	const char *at = path + strspn(path, "/");
	int fd, next;

	if (path[0] != '/' || !*at)
		return refuse(path, "the path must be absolute", error, error_len);
	fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	while (fd >= 0) {
		const char *rest = next_component(at, component);

		if (!rest || !strcmp(component, ".") || !strcmp(component, "..")) {
			close(fd);
			return refuse(path,
			              "`.`, `..` and names of more than 255 octets are not allowed",
			              error, error_len);
		}
		if (!*rest) {
			*name = at;
			return fd;
		}
		next = open_step(fd, component);
		if (next < 0) {
			int number = errno;

			close(fd);
			return path_refuse_errno(path, number, error, error_len);
		}
		close(fd);
		fd = next;
		at = rest;
	}
	return path_refuse_errno(path, errno, error, error_len);
}

static int check_private(int fd, const char *path, char *error, size_t error_len)
{
	struct stat status;
	char why[160];

	if (fstat(fd, &status))
		return path_refuse_errno(path, errno, error, error_len);
	if (status.st_uid != geteuid()) {
		snprintf(why, sizeof(why),
		         "it belongs to uid %u, the daemon runs as uid %u; chown it", status.st_uid,
		         geteuid());
		return refuse(path, why, error, error_len);
	}
	if (status.st_mode & 077) {
		snprintf(why, sizeof(why), "its mode is %04o, others can get in; chmod 700 it",
		         (unsigned int)status.st_mode & 07777);
		return refuse(path, why, error, error_len);
	}
	return 0;
}

/* Opens it, and makes it if it is missing: a new one is durable before anything is put into it. */
static int open_or_make(int parent, const char *name)
{
	int fd = open_readable(parent, name);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	if ((mkdirat(parent, name, 0700) && errno != EEXIST) || path_sync(parent))
		return -1;
	return open_readable(parent, name);
}

int path_open_private_directory(const char *path, char *error, size_t error_len)
{
	char component[NAME_MAX + 1];
	const char *name;
	int parent, fd, number;

	parent = path_open_parent(path, &name, error, error_len);
	if (parent < 0)
		return -1;
	next_component(name, component);
	fd = open_or_make(parent, component);
	number = errno;
	close(parent);
	if (fd < 0)
		return path_refuse_errno(path, number, error, error_len);
	if (!check_private(fd, path, error, error_len))
		return fd;
	close(fd);
	return -1;
}
