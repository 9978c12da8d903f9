/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens the log and reads its end. What is in the middle is the verifier's business, not a
 * start-up's.
 */
#include "audit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit_scan.h"

/* Enough for the longest complete record and the longest torn one before the end. */
#define TAIL_LEN (2 * AUDIT_LINE_MAX)

static int refuse(char *error, size_t error_len, const char *path, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static int refuse(char *error, size_t error_len, const char *path, const char *format, ...)
{
	va_list arguments;
	int used = snprintf(error, error_len, "Failed to open audit log: ");

	va_start(arguments, format);
	if (used > 0 && (size_t)used < error_len) {
		int more = vsnprintf(error + used, error_len - (size_t)used, format, arguments);

		used += more > 0 ? more : 0;
	}
	va_end(arguments);
	if ((size_t)used < error_len)
		snprintf(error + used, error_len - (size_t)used, " (%s)", path);
	return -1;
}

static int refuse_errno(char *error, size_t error_len, const char *path)
{
	switch (errno) {
	case EACCES:
	case EPERM:
		return refuse(error, error_len, path,
		              "permission denied: the file and its directory must be the daemon's; "
		              "chown them");
	case ELOOP:
		return refuse(error, error_len, path, "it is a symbolic link; name the real file");
	case ENOENT:
		return refuse(error, error_len, path, "its directory does not exist; create it");
	case EROFS:
		return refuse(error, error_len, path,
		              "read-only file system; add ReadWritePaths= to the unit");
	default:
		return refuse(error, error_len, path, "%s", strerror(errno));
	}
}

static int check_status(int fd, const char *path, struct stat *status, char *error,
                        size_t error_len)
{
	if (fstat(fd, status))
		return refuse_errno(error, error_len, path);
	if (!S_ISREG(status->st_mode))
		return refuse(error, error_len, path, "it is not a regular file");
	if (status->st_uid != geteuid())
		return refuse(error, error_len, path,
		              "it belongs to uid %u, not to the daemon's uid %u; chown it",
		              status->st_uid, geteuid());
	if ((status->st_mode & 07777) != 0600)
		return refuse(error, error_len, path, "its mode is %04o, not 0600; chmod 600 it",
		              (unsigned int)status->st_mode & 07777);
	return 0;
}

/* Two writers would fork the chain. The lock lasts as long as this descriptor, whoever else opens
 * and closes the file in this process. */
static int take_lock(int fd, const char *path, char *error, size_t error_len)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (!fcntl(fd, F_OFD_SETLK, &lock))
		return 0;
	if (errno != EACCES && errno != EAGAIN)
		return refuse_errno(error, error_len, path);
	return refuse(error, error_len, path,
	              "it is in use by another process, such as a second daemon; stop it first");
}

static void keep_torn(struct audit_tail *tail, const char *torn, size_t len)
{
	size_t shown = len < AUDIT_DETAIL_MAX / 2 ? len : AUDIT_DETAIL_MAX / 2;

	tail->torn_len = len;
	for (size_t i = 0; i < shown; i++)
		snprintf(tail->torn_hex + 2 * i, 3, "%02x", (unsigned char)torn[i]);
}

/* Finds the last newline and the line before it in the last octets of the file. False: there is no
 * complete, bounded line. */
static bool split_tail(struct audit_tail *tail, const char *octets, size_t len, off_t file_len)
{
	const char *newline = memrchr(octets, '\n', len);
	const char *before;
	size_t torn_len;

	if (!newline) {
		keep_torn(tail, octets, len);
		return file_len == (off_t)len;
	}
	torn_len = len - (size_t)(newline + 1 - octets);
	keep_torn(tail, newline + 1, torn_len);
	tail->complete_len = file_len - (off_t)torn_len;
	before = memrchr(octets, '\n', (size_t)(newline - octets));
	if (!before && file_len > (off_t)len)
		return false;
	before = before ? before + 1 : octets;
	tail->last_line_len = (size_t)(newline - before);
	if (tail->last_line_len >= sizeof(tail->last_line))
		return false;
	memcpy(tail->last_line, before, tail->last_line_len);
	return true;
}

static bool read_sequence(struct audit_tail *tail)
{
	json_t *record, *sequence;
	bool valid;

	if (!tail->last_line_len)
		return tail->complete_len == 0;
	record = json_loadb(tail->last_line, tail->last_line_len, JSON_REJECT_DUPLICATES, NULL);
	sequence = json_object_get(record, "seq");
	valid = json_is_integer(sequence) && json_integer_value(sequence) > 0;
	if (valid)
		tail->sequence = (uint64_t)json_integer_value(sequence);
	json_decref(record);
	return valid;
}

static int read_tail(int fd, const char *path, off_t file_len, struct audit_tail *tail, char *error,
                     size_t error_len)
{
	char octets[TAIL_LEN];
	off_t from = file_len > (off_t)sizeof(octets) ? file_len - (off_t)sizeof(octets) : 0;
	ssize_t got = pread(fd, octets, sizeof(octets), from);

	if (got < 0)
		return refuse_errno(error, error_len, path);
	if (got && (!split_tail(tail, octets, (size_t)got, file_len) || !read_sequence(tail)))
		return refuse(
			error, error_len, path,
			"its last line is not an audit record; move the file away and keep it");
	if (tail->torn_len && ftruncate(fd, tail->complete_len))
		return refuse_errno(error, error_len, path);
	return 0;
}

/* Names the segment when the file is moved aside. */
static uint64_t read_first(int fd)
{
	char octets[AUDIT_LINE_MAX];
	ssize_t got = pread(fd, octets, sizeof(octets), 0);
	const char *newline = got > 0 ? memchr(octets, '\n', (size_t)got) : NULL;
	struct audit_line record;

	if (!newline || !audit_scan(octets, (size_t)(newline - octets), &record))
		return 0;
	return record.sequence;
}

int audit_file_open(const char *path, struct audit_tail *tail, char *error, size_t error_len)
{
	struct stat status;
	int fd;

	memset(tail, 0, sizeof(*tail));
	fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	if (fd < 0)
		return refuse_errno(error, error_len, path);
	if (check_status(fd, path, &status, error, error_len) ||
	    take_lock(fd, path, error, error_len) ||
	    read_tail(fd, path, status.st_size, tail, error, error_len)) {
		close(fd);
		return -1;
	}
	tail->first_sequence = read_first(fd);
	return fd;
}
