/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of the device key. Losing it loses the public objects, so a store with tokens and no key
 * is refused, not given a new one.
 */
#include "device_key.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "crypto.h"
#include "path.h"
#include "slots.h"
#include "store.h"

#define FILE_NAME     "device.key"
#define SUFFIX_OF_NEW ".new"
/* So that a pipe in the place of the file does not keep the start waiting. */
#define READ_FLAGS (O_RDONLY | O_NONBLOCK | O_CLOEXEC)

static int refuse(const char *path, const char *why, char *error, size_t error_len)
{
	snprintf(error, error_len, "%s: %s", path, why);
	return -1;
}

/* The configured path, or device.key beside the store. False when it is too long. */
static bool find_path(const struct config *config, char path[PATH_MAX])
{
	const char *slash = strrchr(config->token.storage_path, '/');
	int len;

	if (config->agent.device_key[0])
		len = snprintf(path, PATH_MAX, "%s", config->agent.device_key);
	else
		len = snprintf(path, PATH_MAX, "%.*s/" FILE_NAME,
		               (int)(slash ? slash - config->token.storage_path : 0),
		               config->token.storage_path);
	return len > 0 && len < PATH_MAX;
}

static int check_status(int fd, const char *path, char *error, size_t error_len)
{
	struct stat status;

	if (fstat(fd, &status))
		return path_refuse_errno(path, errno, error, error_len);
	if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & 077))
		return refuse(path, "it must be a regular file of the daemon's user with mode 0600",
		              error, error_len);
	return 0;
}

static int read_key(int fd, const char *path, uint8_t *key, char *error, size_t error_len)
{
	ssize_t got = read(fd, key, CRYPTO_KEY_LEN);
	uint8_t beyond;

	if (got == (ssize_t)CRYPTO_KEY_LEN && read(fd, &beyond, 1) == 0)
		return 0;
	if (got < 0)
		return path_refuse_errno(path, errno, error, error_len);
	return refuse(path, "it is not a device key of 32 octets; restore it from a backup", error,
	              error_len);
}

/* 1: systemd gives one; 0: it does not; -1: it cannot be used. */
static int load_credential(uint8_t *key, char *error, size_t error_len)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	char path[PATH_MAX];
	int fd, result;

	if (!directory ||
	    snprintf(path, sizeof(path), "%s/" FILE_NAME, directory) >= (int)sizeof(path))
		return 0;
	fd = open(path, READ_FLAGS);
	if (fd < 0)
		return errno == ENOENT ? 0 : path_refuse_errno(path, errno, error, error_len);
	result = read_key(fd, path, key, error, error_len);
	close(fd);
	return result ? -1 : 1;
}

static enum err found_token(void *context, const struct store_token *token)
{
	(void)token;
	*(bool *)context = true;
	return ERROR_NONE;
}

/* A whole and durable file of this name, or an errno. */
static int write_file(int parent, const char *name, const uint8_t *key)
{
	int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int number = 0;
	ssize_t put;

	if (fd < 0)
		return errno;
	put = write(fd, key, CRYPTO_KEY_LEN);
	if (put != (ssize_t)CRYPTO_KEY_LEN)
		number = put < 0 ? errno : ENOSPC;
	else if (fsync(fd))
		number = errno;
	if (close(fd) && !number)
		number = errno;
	return number;
}

/*
 * The key appears under its name whole or not at all, and never in the place of another. 0 or an
 * errno. What a start that died halfway has left under the other name goes first.
 */
static int write_key(int parent, const char *name, const uint8_t *key)
{
	char fresh[NAME_MAX + 1];
	int number;

	if (snprintf(fresh, sizeof(fresh), "%s" SUFFIX_OF_NEW, name) >= (int)sizeof(fresh))
		return ENAMETOOLONG;
	unlinkat(parent, fresh, 0);
	number = write_file(parent, fresh, key);
	if (!number && linkat(parent, fresh, parent, name, 0))
		number = errno;
	unlinkat(parent, fresh, 0);
	if (!number && path_sync(parent))
		number = errno;
	return number;
}

static int make_key(int parent, const char *name, const char *path, struct store *store,
                    struct crypto *crypto, uint8_t *key, char *error, size_t error_len)
{
	bool has_tokens = false;
	int number;

	if (store_load_tokens(store, found_token, &has_tokens))
		return refuse(path, "the store cannot be read", error, error_len);
	if (has_tokens)
		return refuse(path,
		              "the device key is missing, but the store holds tokens; restore it "
		              "from a backup",
		              error, error_len);
	if (crypto_random(crypto, key, CRYPTO_KEY_LEN))
		return refuse(path, "no random octets for a device key", error, error_len);
	number = write_key(parent, name, key);
	return number ? path_refuse_errno(path, number, error, error_len) : 0;
}

static int load_file(const char *path, struct store *store, struct crypto *crypto, uint8_t *key,
                     char *error, size_t error_len)
{
	const char *name;
	int parent, fd, result;

	parent = path_open_parent(path, &name, error, error_len);
	if (parent < 0)
		return -1;
	fd = openat(parent, name, READ_FLAGS | O_NOFOLLOW);
	if (fd >= 0) {
		result = check_status(fd, path, error, error_len);
		if (!result)
			result = read_key(fd, path, key, error, error_len);
		close(fd);
	} else if (errno == ENOENT) {
		result = make_key(parent, name, path, store, crypto, key, error, error_len);
	} else {
		result = path_refuse_errno(path, errno, error, error_len);
	}
	close(parent);
	return result;
}

int device_key_open(uint8_t **out, const struct config *config, struct store *store,
                    struct crypto *crypto, char *error, size_t error_len)
{
	uint8_t *key = slots_allocate(CRYPTO_KEY_LEN);
	char path[PATH_MAX];
	int result;

	if (!key || !find_path(config, path)) {
		slots_release(key);
		return refuse("[agent].device_key", key ? "the path is too long" : "out of memory",
		              error, error_len);
	}
	result = load_credential(key, error, error_len);
	if (!result)
		result = load_file(path, store, crypto, key, error, error_len);
	if (result < 0) {
		slots_release(key);
		return -1;
	}
	*out = key;
	return 0;
}
