/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin backup and restore: the file, and the passphrase. What is in the file is sealed
 * by the agent; this program sees no key. Format: the header, then each chunk with its length as
 * eight octets, least significant first.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin.h"
#include "backup_format.h"

#define CHUNK_MAX (1024u * 1024u)

/* ---- backup ---- */

static bool write_all(FILE *file, const void *octets, size_t len)
{
	return fwrite(octets, 1, len, file) == len;
}

static bool write_chunk(FILE *file, struct wire_bytes chunk)
{
	uint8_t len[8];

	wire_store_u64(len, chunk.len);
	return write_all(file, len, sizeof(len)) && write_all(file, chunk.data, chunk.len);
}

static CK_RV fetch_chunks(struct admin_session *session, uint64_t total, FILE *file)
{
	struct wire_backup_next_request request = {.session = session->handle};
	struct wire_backup_next_reply reply = {0};
	CK_RV rv = CKR_OK;

	while (!rv && !reply.last) {
		rv = request_backup_next(session->connection, &request, &reply);
		if (!rv && !write_chunk(file, reply.chunk))
			return CKR_DEVICE_MEMORY;
		if (!rv)
			admin_progress("backup", reply.count, total);
	}
	admin_progress_end();
	return rv;
}

static bool fetch(const struct admin_options *options, struct admin_session *session, FILE *file,
                  uint64_t *total)
{
	struct wire_backup_begin_request request = {.session = session->handle};
	struct wire_backup_begin_reply reply;
	admin_pin_auto passphrase = {0};
	CK_RV rv;

	if (!admin_pin_read(&options->passphrase, "passphrase of the backup", true, &passphrase))
		return false;
	request.passphrase = (struct wire_bytes){passphrase.octets, passphrase.len};
	rv = request_backup_begin(session->connection, &request, &reply);
	if (rv == CKR_PIN_LEN_RANGE) {
		admin_fail("backup: the passphrase must have %u characters or more",
		           BACKUP_PASSPHRASE_MIN);
		return false;
	}
	if (!rv && !write_all(file, reply.header.data, reply.header.len))
		rv = CKR_DEVICE_MEMORY;
	*total = rv ? 0 : reply.count;
	if (!rv)
		rv = fetch_chunks(session, *total, file);
	if (rv == CKR_DEVICE_MEMORY && ferror(file))
		admin_fail("%s: %s", options->arguments[0], strerror(errno));
	else if (rv)
		admin_fail_rv("backup", rv);
	return !rv;
}

/* Durable, with its name, before it is called a backup. */
static bool finish(FILE *file, const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	bool done = !fflush(file) && !fsync(fileno(file));
	int fd;

	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path + 1) : 1,
	         slash ? path : ".");
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	done = done && fd >= 0 && !fsync(fd);
	if (!done)
		admin_fail("%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return done;
}

static int report(const struct admin_options *options, const char *done, uint64_t count)
{
	const char *path = options->arguments[0];

	if (options->json)
		return admin_print_json(json_pack("{s:s, s:s, s:I}", "done", done, "file", path,
		                                  "objects", (json_int_t)count));
	printf("%s: %s, %llu objects\n", path, done, (unsigned long long)count);
	return ADMIN_DONE;
}

static const char *file_argument(const struct admin_options *options, const char *verb)
{
	if (!options->arguments[0])
		admin_fail("%s: name the file", verb);
	return options->arguments[0];
}

int admin_backup(const struct admin_options *options)
{
	const char *path = file_argument(options, "backup");
	admin_session_auto session = {0};
	uint64_t total = 0;
	FILE *file;
	bool done;
	int fd;

	if (!path)
		return ADMIN_USAGE;
	if (!admin_session_begin(options, ADMIN_SO, true, &session))
		return ADMIN_FAILED;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file)
		return admin_fail("%s: %s", path, strerror(errno));
	done = fetch(options, &session, file, &total) && finish(file, path);
	if (fclose(file) && done)
		done = !admin_fail("%s: %s", path, strerror(errno));
	if (!done)
		unlink(path); /* half a backup is none */
	return done ? report(options, "backup written", total) : ADMIN_FAILED;
}

/* ---- restore ---- */

static bool read_all(FILE *file, const char *path, void *octets, size_t len)
{
	if (fread(octets, 1, len, file) == len)
		return true;
	admin_fail("%s: %s", path,
	           ferror(file) ? strerror(errno)
	                        : "the file ends early: no backup, or an incomplete one; nothing "
	                          "was changed");
	return false;
}

/* One chunk into `room` of CHUNK_MAX octets. */
static bool read_chunk(FILE *file, const char *path, uint8_t *room, size_t *chunk_len)
{
	uint8_t len[8];

	if (!read_all(file, path, len, sizeof(len)))
		return false;
	*chunk_len = (size_t)wire_load_u64(len);
	if (*chunk_len <= CHUNK_MAX)
		return read_all(file, path, room, *chunk_len);
	admin_fail("%s: a chunk of %zu octets: no backup, or a damaged one; nothing was changed",
	           path, *chunk_len);
	return false;
}

static bool give_chunks(struct admin_session *session, FILE *file, const char *path, uint64_t total)
{
	struct wire_restore_next_request request = {.session = session->handle};
	struct wire_restore_next_reply reply = {0};
	uint8_t *room = malloc(CHUNK_MAX);
	size_t len = 0;
	CK_RV rv = CKR_OK;
	bool done = room;

	while (done && !reply.last) {
		done = read_chunk(file, path, room, &len);
		request.chunk = (struct wire_bytes){room, len};
		rv = done ? request_restore_next(session->connection, &request, &reply) : CKR_OK;
		if (rv)
			admin_fail_rv("restore: nothing was changed", rv);
		done = done && !rv;
		if (done)
			admin_progress("restore", reply.count, total);
	}
	admin_progress_end();
	free(room);
	if (done && getc(file) != EOF)
		done = !admin_fail("%s: something follows the backup; nothing was changed", path);
	return done;
}

static bool begin(const struct admin_options *options, struct admin_session *session,
                  const uint8_t header[BACKUP_HEADER_LEN], uint64_t *total)
{
	struct wire_restore_begin_request request = {
		.session = session->handle,
		.header = {header, BACKUP_HEADER_LEN},
		.replace = options->restore.replace,
		.other_token = options->restore.other_token,
		.take_identity = options->restore.take_identity,
		.again = options->restore.again,
	};
	struct wire_restore_begin_reply reply;
	admin_pin_auto passphrase = {0};
	CK_RV rv;

	if (!admin_pin_read(&options->passphrase, "passphrase of the backup", false, &passphrase))
		return false;
	request.passphrase = (struct wire_bytes){passphrase.octets, passphrase.len};
	rv = request_restore_begin(session->connection, &request, &reply);
	if (rv)
		admin_fail_rv("restore: nothing was changed", rv);
	*total = rv ? 0 : reply.count;
	return !rv;
}

static bool end(struct admin_session *session)
{
	struct wire_restore_finish_request request = {.session = session->handle};
	struct wire_restore_finish_reply reply;
	CK_RV rv = request_restore_finish(session->connection, &request, &reply);

	if (rv)
		admin_fail_rv("restore: nothing was changed", rv);
	return !rv;
}

int admin_restore(const struct admin_options *options)
{
	const char *path = file_argument(options, "restore");
	admin_session_auto session = {0};
	uint8_t header[BACKUP_HEADER_LEN];
	uint64_t total;
	FILE *file;
	bool done;

	if (!path)
		return ADMIN_USAGE;
	file = fopen(path, "re");
	if (!file)
		return admin_fail("%s: %s", path, strerror(errno));
	done = read_all(file, path, header, sizeof(header)) &&
	       admin_session_begin(options, ADMIN_SO, true, &session) &&
	       begin(options, &session, header, &total) &&
	       give_chunks(&session, file, path, total) && end(&session);
	fclose(file);
	return done ? report(options, "backup restored", total) : ADMIN_FAILED;
}
