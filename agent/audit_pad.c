/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One page that says how much each half holds, then the halves. Whether the lines continue the log
 * is for the log to say.
 */
#include "audit_pad.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "audit_scan.h"

#define MAGIC       0x31646170746d7363ull /* little-endian "csmtpad1" */
#define HEADER_LEN  4096u
#define HALVES      2u
#define ZFS_MAGIC   0x2fc12fc1
#define DAMAGED_MAX 100u
#define FILE_LEN    (HEADER_LEN + HALVES * AUDIT_PAD_HALF)

struct header {
	uint64_t magic;
	_Atomic uint64_t len[HALVES];
};
_Static_assert(sizeof(struct header) <= HEADER_LEN, "a page is enough");

struct audit_pad {
	struct header *header;
	char *octets; /* of the halves */
	char path[PATH_MAX];
};

static bool name_file(struct audit_pad *pad, const char *log_path)
{
	const char *slash = strrchr(log_path, '/');
	int folder_len = slash ? (int)(slash + 1 - log_path) : 0;
	int len = snprintf(pad->path, sizeof(pad->path), "%.*s.%s.pending", folder_len, log_path,
	                   log_path + folder_len);

	return len > 0 && (size_t)len < sizeof(pad->path);
}

/* Where a reserved block is written elsewhere, a full disk could kill us in the middle of a store.
 */
static bool copies_on_write(int fd)
{
	struct statfs status;

	return !fstatfs(fd, &status) &&
	       (status.f_type == BTRFS_SUPER_MAGIC || status.f_type == ZFS_MAGIC);
}

static const char *open_file(struct audit_pad *pad, int *fd)
{
	struct stat status;

	*fd = open(pad->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	if (*fd < 0 || fstat(*fd, &status))
		return strerror(errno);
	if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() ||
	    (status.st_mode & 07777) != 0600)
		return "it is not a file of the daemon's with mode 0600; remove it";
	if (copies_on_write(*fd))
		return "its file system cannot reserve room";
	/* Reserved, so that a full disk does not become a signal when memory is written. */
	errno = posix_fallocate(*fd, 0, FILE_LEN);
	return errno ? strerror(errno) : NULL;
}

static const char *map_file(struct audit_pad *pad, int fd)
{
	void *memory = mmap(NULL, FILE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return strerror(errno);
	pad->header = memory;
	pad->octets = (char *)memory + HEADER_LEN;
	if (pad->header->magic == MAGIC && pad->header->len[0] <= AUDIT_PAD_HALF &&
	    pad->header->len[1] <= AUDIT_PAD_HALF)
		return NULL;
	audit_pad_empty(pad);
	pad->header->magic = MAGIC;
	return NULL;
}

struct audit_pad *audit_pad_open(const char *log_path, char *error, size_t error_len)
{
	struct audit_pad *pad = calloc(1, sizeof(*pad));
	const char *why = "out of memory";
	int fd = -1;

	if (pad)
		why = name_file(pad, log_path) ? open_file(pad, &fd) : strerror(ENAMETOOLONG);
	if (!why)
		why = map_file(pad, fd);
	if (why)
		snprintf(error, error_len, "%s: %s", pad ? pad->path : log_path, why);
	if (fd >= 0)
		close(fd);
	if (!why)
		return pad;
	free(pad);
	return NULL;
}

void audit_pad_close(struct audit_pad *pad)
{
	if (!pad)
		return;
	munmap(pad->header, FILE_LEN);
	free(pad);
}

char *audit_pad_half(struct audit_pad *pad, unsigned int half)
{
	return pad->octets + (size_t)half * AUDIT_PAD_HALF;
}

unsigned int audit_pad_index(const struct audit_pad *pad, const char *memory)
{
	return memory == pad->octets ? 0 : 1;
}

void audit_pad_publish(struct audit_pad *pad, unsigned int half, size_t len)
{
	/* After the octets: who dies in between leaves the record out, and has not answered. */
	atomic_store_explicit(&pad->header->len[half], len, memory_order_release);
}

void audit_pad_empty(struct audit_pad *pad)
{
	for (unsigned int half = 0; half < HALVES; half++)
		audit_pad_publish(pad, half, 0);
}

/* ---- what was left ---- */

static const char *end_of_line(const char *octets, size_t len)
{
	return memchr(octets, '\n', len);
}

/* The number of a half's first record; UINT64_MAX when it has none. */
static uint64_t first_of(struct audit_pad *pad, unsigned int half)
{
	const char *octets = audit_pad_half(pad, half);
	const char *end = end_of_line(octets, pad->header->len[half]);
	struct audit_line line;

	return end && audit_scan(octets, (size_t)(end - octets), &line) ? line.sequence
	                                                                : UINT64_MAX;
}

static bool each_of(struct audit_pad *pad, unsigned int half,
                    bool (*take)(void *context, const char *line, size_t len), void *context)
{
	const char *at = audit_pad_half(pad, half);
	size_t left = pad->header->len[half];

	while (left) {
		const char *end = end_of_line(at, left);

		if (!end || !take(context, at, (size_t)(end - at)))
			return false;
		left -= (size_t)(end + 1 - at);
		at = end + 1;
	}
	return true;
}

bool audit_pad_each(struct audit_pad *pad,
                    bool (*take)(void *context, const char *line, size_t len), void *context)
{
	unsigned int older = first_of(pad, 0) <= first_of(pad, 1) ? 0 : 1;

	return each_of(pad, older, take, context) && each_of(pad, 1 - older, take, context);
}

static FILE *new_file(const struct audit_pad *pad)
{
	char path[PATH_MAX + sizeof(".damaged.000")];
	FILE *file = NULL;

	for (unsigned int i = 0; i < DAMAGED_MAX && !file; i++) {
		snprintf(path, sizeof(path), i ? "%s.damaged.%u" : "%s.damaged", pad->path, i);
		file = fopen(path, "wxe");
	}
	return file;
}

/* A copy: the mapping goes on with the file that it is of. */
bool audit_pad_set_aside(struct audit_pad *pad)
{
	FILE *copy = new_file(pad);
	bool whole = copy != NULL;

	for (unsigned int half = 0; whole && half < HALVES; half++) {
		size_t len = pad->header->len[half];

		whole = fwrite(audit_pad_half(pad, half), 1, len, copy) == len;
	}
	whole = whole && !fflush(copy) && !fsync(fileno(copy));
	if (copy && fclose(copy))
		whole = false;
	return whole;
}
