/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The integrity sidecar. Used inside applications too, so it works in an OpenSSL context of its
 * own: the default one may be in the middle of loading this very library by the application's
 * openssl.cnf.
 */
#include "wire/integrity.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/buffer.h"

#define MAC_LEN  32u
#define MAC_HEX  (2 * MAC_LEN)
#define READ_LEN 16384u /* on an application's stack */
#define SUFFIX   ".hmac"
#define PATH_LEN (PATH_MAX + sizeof(SUFFIX) + 8)

/* Not a secret: whoever can change the file can change the sidecar. It marks the purpose. */
static const unsigned char mac_key[] = "Craton HSM module integrity";

/* An application's signals are not our failure. */
static ssize_t read_some(int fd, void *octets, size_t len)
{
	ssize_t got;

	do
		got = read(fd, octets, len);
	while (got < 0 && errno == EINTR);
	return got;
}

static bool feed_file(EVP_MAC_CTX *mac, int fd)
{
	unsigned char octets[READ_LEN];
	ssize_t got;

	while ((got = read_some(fd, octets, sizeof(octets))) > 0) {
		if (!EVP_MAC_update(mac, octets, (size_t)got))
			return false;
	}
	return got == 0;
}

static bool mac_descriptor(int fd, unsigned char result[MAC_LEN])
{
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
	                                         (char *)(uintptr_t) "SHA256", 0),
		OSSL_PARAM_construct_end(),
	};
	OSSL_LIB_CTX *library = OSSL_LIB_CTX_new();
	EVP_MAC *hmac = library ? EVP_MAC_fetch(library, "HMAC", NULL) : NULL;
	EVP_MAC_CTX *mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
	size_t len = 0;
	bool done;

	done = mac && EVP_MAC_init(mac, mac_key, sizeof(mac_key) - 1, parameters) &&
	       feed_file(mac, fd) && EVP_MAC_final(mac, result, &len, MAC_LEN) && len == MAC_LEN;
	EVP_MAC_CTX_free(mac);
	EVP_MAC_free(hmac);
	OSSL_LIB_CTX_free(library);
	return done;
}

static bool mac_file(const char *path, char hex[MAC_HEX + 1])
{
	unsigned char result[MAC_LEN];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool done = fd >= 0 && mac_descriptor(fd, result);

	if (fd >= 0)
		close(fd);
	for (size_t i = 0; done && i < MAC_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", result[i]);
	return done;
}

static bool sidecar_path(const char *path, const char *more, char out[PATH_LEN])
{
	int len = snprintf(out, PATH_LEN, "%s%s%s", path, SUFFIX, more);

	return len > 0 && (size_t)len < PATH_LEN;
}

/* Exactly 64 digits and a newline. */
static enum integrity_result read_sidecar(const char *path, char hex[MAC_HEX + 1])
{
	char text[MAC_HEX + 2], sidecar[PATH_LEN];
	ssize_t got;
	int fd;

	if (!sidecar_path(path, "", sidecar))
		return INTEGRITY_UNREADABLE;
	fd = open(sidecar, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? INTEGRITY_MISSING : INTEGRITY_UNREADABLE;
	got = read_some(fd, text, sizeof(text));
	close(fd);
	if (got != MAC_HEX + 1 || text[MAC_HEX] != '\n')
		return INTEGRITY_UNREADABLE;
	text[MAC_HEX] = '\0';
	if (strspn(text, "0123456789abcdef") != MAC_HEX)
		return INTEGRITY_UNREADABLE;
	memcpy(hex, text, MAC_HEX + 1);
	return INTEGRITY_OK;
}

enum integrity_result integrity_check_file(const char *path)
{
	char expected[MAC_HEX + 1], actual[MAC_HEX + 1];
	enum integrity_result result = read_sidecar(path, expected);

	if (result != INTEGRITY_OK)
		return result;
	if (!mac_file(path, actual))
		return INTEGRITY_UNREADABLE;
	return wire_secret_equal((struct wire_bytes){(const uint8_t *)expected, MAC_HEX},
	                         (struct wire_bytes){(const uint8_t *)actual, MAC_HEX})
	               ? INTEGRITY_OK
	               : INTEGRITY_MISMATCH;
}

static int write_all(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	int failed;

	if (fd < 0)
		return -1;
	failed = write(fd, text, len) != (ssize_t)len || fchmod(fd, 0644) || fsync(fd);
	return close(fd) || failed ? -1 : 0;
}

int integrity_write_sidecar(const char *path)
{
	char sidecar[PATH_LEN], fresh[PATH_LEN], text[MAC_HEX + 2];
	int error;

	if (!sidecar_path(path, "", sidecar) || !sidecar_path(path, ".new", fresh)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (!mac_file(path, text))
		return -1;
	text[MAC_HEX] = '\n';
	if (!write_all(fresh, text, MAC_HEX + 1) && !rename(fresh, sidecar))
		return 0;
	error = errno;
	unlink(fresh);
	errno = error;
	return -1;
}

const char *integrity_result_name(enum integrity_result result)
{
	static const char *const names[] = {"ok", "sidecar missing",
	                                    "file and sidecar do not fit together",
	                                    "file or sidecar cannot be read"};

	return names[result];
}
