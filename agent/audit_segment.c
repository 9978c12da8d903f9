/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding segments and making one.
 */
#include "audit_segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit_file.h"
#include "audit_scan.h"
#include "log.h"

struct segment {
	char path[PATH_MAX];
	uint64_t first;
};

struct segments {
	struct segment *list;
	size_t count;
};

/* ---- finding ---- */

static uint64_t first_of(const char *path)
{
	struct audit_reader *reader = audit_reader_open(path);
	uint64_t first = 0;

	if (reader)
		audit_reader_first(reader, &first);
	audit_reader_close(reader);
	return first;
}

static void add(struct segments *segments, const char *folder, const char *name)
{
	struct segment *grown = reallocarray(segments->list, segments->count + 1, sizeof(*grown));
	struct segment *segment;

	if (!grown || segments->count == AUDIT_SEGMENTS_MAX) {
		segments->list = grown ? grown : segments->list;
		return;
	}
	segments->list = grown;
	segment = &grown[segments->count];
	if ((size_t)snprintf(segment->path, sizeof(segment->path), "%s/%s", folder, name) >=
	    sizeof(segment->path))
		return;
	segment->first = first_of(segment->path);
	segments->count += segment->first > 0;
}

/* "audit.jsonl" itself, "audit.jsonl.1.gz", "audit.jsonl-20260101". */
static bool is_of_log(const char *name, const char *base)
{
	size_t len = strlen(base);

	return !strncmp(name, base, len) && (!name[len] || name[len] == '.' || name[len] == '-');
}

static int by_first(const void *a, const void *b)
{
	uint64_t x = ((const struct segment *)a)->first, y = ((const struct segment *)b)->first;

	return x < y ? -1 : x > y;
}

static void find(const char *log_path, struct segments *segments)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(log_path, '/');
	struct dirent *entry;
	DIR *directory;

	*segments = (struct segments){0};
	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - log_path) : 1,
	         slash ? log_path : ".");
	directory = opendir(*folder ? folder : "/");
	while (directory && (entry = readdir(directory))) {
		if (is_of_log(entry->d_name, slash ? slash + 1 : log_path))
			add(segments, folder, entry->d_name);
	}
	if (directory)
		closedir(directory);
	qsort(segments->list, segments->count, sizeof(*segments->list), by_first);
}

/* ---- reading ---- */

/* Calls `each` for the records of a file; false when it ends in something else. */
static bool read_segment(const char *path,
                         void (*each)(void *context, const struct audit_line *record,
                                      const char *line, size_t len),
                         void *context)
{
	struct audit_reader *reader = audit_reader_open(path);
	struct audit_line record;
	const char *line;
	bool whole;
	size_t len;
	int got = reader ? 1 : -1;

	while (got > 0 && (got = audit_reader_next(reader, &line, &len, &whole)) > 0) {
		if (whole && audit_scan(line, len, &record))
			each(context, &record, line, len);
	}
	audit_reader_close(reader);
	if (got < 0)
		log_warning("audit log: segment %s cannot be read", path);
	return got == 0;
}

struct ending {
	const EVP_MD *sha256;
	struct audit_end end;
};

static void note_end(void *context, const struct audit_line *record, const char *line, size_t len)
{
	struct ending *ending = context;

	if (record->sequence <= ending->end.sequence ||
	    !EVP_Digest(line, len, ending->end.hash, NULL, ending->sha256, NULL))
		return;
	ending->end.sequence = record->sequence;
}

void audit_segment_end(const char *log_path, const EVP_MD *sha256, struct audit_end *end)
{
	struct ending ending = {.sha256 = sha256};
	struct segments segments;

	find(log_path, &segments);
	if (segments.count)
		read_segment(segments.list[segments.count - 1].path, note_end, &ending);
	*end = ending.end;
	free(segments.list);
}

static void fold_record(void *context, const struct audit_line *record, const char *line,
                        size_t len)
{
	(void)line;
	(void)len;
	audit_fold_record(context, record->sequence, record->anchor, record->previous_hash);
}

bool audit_segment_fold(const char *log_path, struct audit_fold *fold)
{
	struct segments segments;
	bool complete;

	find(log_path, &segments);
	complete = !segments.count || segments.list[0].first == 1;
	for (size_t i = 0; i < segments.count; i++)
		complete = read_segment(segments.list[i].path, fold_record, fold) && complete;
	free(segments.list);
	return complete;
}

/* ---- rotating ---- */

/* At every moment there is a log under its name. */
int audit_segment_rotate(const char *log_path, uint64_t first, uint64_t last, char *name,
                         size_t name_len)
{
	char fresh[PATH_MAX], error[256];
	struct audit_tail tail;
	int fd;

	if ((size_t)snprintf(fresh, sizeof(fresh), "%s.new", log_path) >= sizeof(fresh) ||
	    (size_t)snprintf(name, name_len, "%s.%012llu-%012llu", log_path,
	                     (unsigned long long)first, (unsigned long long)last) >= name_len) {
		errno = ENAMETOOLONG;
		return -1;
	}
	unlink(fresh);
	fd = audit_file_open(fresh, &tail, error, sizeof(error));
	if (fd < 0)
		return -1;
	if (!link(log_path, name)) {
		if (!rename(fresh, log_path))
			return fd;
		unlink(name);
	}
	unlink(fresh);
	close(fd);
	return -1;
}
