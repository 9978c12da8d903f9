/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's side of the anchor. A start reads the whole log, but of it only the first record of
 * each batch; whether the chain holds is the verifier's business.
 */
#include "audit_anchor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit_fold.h"
#include "log.h"

#define READ_LEN 262144u

void audit_anchor_open(struct audit_anchor *anchor, const struct kernel_anchor *methods,
                       const EVP_MD *sha256, const char *path)
{
	*anchor = (struct audit_anchor){.methods = methods, .sha256 = sha256};
	if (!methods || audit_log_id(sha256, path, anchor->log_id))
		return;
	log_error("audit anchor: the log cannot be named; it is not anchored");
	anchor->methods = NULL;
}

/* ---- reading the log ---- */

static void fold_line(struct audit_fold *fold, const char *line, size_t len)
{
	static const char field[] = ",\"anchor\":";
	json_t *record;

	if (!memmem(line, len, field, sizeof(field) - 1))
		return;
	record = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	audit_fold_record(fold, record);
	json_decref(record);
}

/* Folds the whole lines; how many octets they are. */
static size_t fold_lines(struct audit_fold *fold, const char *octets, size_t len)
{
	size_t at = 0;
	const char *newline;

	while ((newline = memchr(octets + at, '\n', len - at))) {
		size_t line_len = (size_t)(newline - octets) - at;

		fold_line(fold, octets + at, line_len);
		at += line_len + 1;
	}
	return at;
}

/* By pread: closing another descriptor of this file would give its lock away. What is longer than
 * any record is no record, and passed over. 0 or -errno. */
static int fold_file(struct audit_fold *fold, int fd)
{
	char *octets = malloc(READ_LEN);
	size_t kept = 0;
	ssize_t got = octets ? 1 : -1;
	off_t at = 0;

	while (got > 0) {
		got = pread(fd, octets + kept, READ_LEN - kept, at);
		if (got > 0) {
			size_t len = kept + (size_t)got, used = fold_lines(fold, octets, len);

			kept = len - used < READ_LEN ? len - used : 0;
			memmove(octets, octets + used, kept);
			at += got;
		}
	}
	free(octets);
	return got < 0 ? -errno : 0;
}

/* ---- the start ---- */

static bool differ(const struct audit_fold *fold, const struct kernel_register *now,
                   bool has_records, char *problem, size_t problem_len)
{
	uint64_t told = fold->told.counter + has_records;

	if (fold->broken)
		audit_fold_describe(fold, problem, problem_len);
	else if (now->counter > told)
		snprintf(problem, problem_len,
		         "the register is at %" PRIu64 ", the log ends at %" PRIu64
		         ": records were cut off its end",
		         now->counter, told);
	else
		snprintf(problem, problem_len,
		         "the register is at %" PRIu64 " and the log at %" PRIu64
		         ", but with other records",
		         now->counter, told);
	return false;
}

static bool compare(struct audit_anchor *anchor, const struct audit_fold *fold,
                    const struct kernel_register *before, const uint8_t *last_hash, char *problem,
                    size_t problem_len)
{
	struct kernel_register now;

	if (last_hash && audit_fold_fits(fold, before, last_hash)) {
		anchor->covers = true;
		return true;
	}
	if (!last_hash || fold->broken || !audit_register_equal(&fold->told, before))
		return differ(fold, before, last_hash != NULL, problem, problem_len);
	log_notice("audit anchor: the log's last batch was not anchored yet; now it is");
	audit_anchor_settle(anchor, audit_anchor_extend(anchor, last_hash, &now), &now);
	return true;
}

/* Without an answer the log cannot be anchored, which is logged, but nothing is known to be wrong.
 */
static bool give_up(struct audit_anchor *anchor, const char *what, int error)
{
	log_error("audit anchor: %s: %s; the log is not anchored", what, strerror(-error));
	anchor->methods = NULL;
	return true;
}

bool audit_anchor_resume(struct audit_anchor *anchor, int fd, const uint8_t *last_hash,
                         char *problem, size_t problem_len)
{
	struct kernel_register now;
	struct audit_fold fold;
	int failed;

	if (!anchor->methods)
		return true;
	failed = anchor->methods->read(anchor->log_id, &now);
	if (failed)
		return give_up(anchor, "the register cannot be read", failed);
	anchor->counter = now.counter;
	if (!now.counter)
		return true;
	audit_fold_begin(&fold, anchor->sha256);
	failed = fold_file(&fold, fd);
	if (failed)
		return give_up(anchor, "the log cannot be read", failed);
	return compare(anchor, &fold, &now, last_hash, problem, problem_len);
}

/* ---- batches ---- */

uint64_t audit_anchor_number(const struct audit_anchor *anchor, bool in_flight)
{
	if (!anchor->methods)
		return 0;
	if (in_flight)
		return anchor->counter + 1;
	return anchor->covers ? anchor->counter : 0;
}

bool audit_anchor_extend(const struct audit_anchor *anchor, const uint8_t *hash,
                         struct kernel_register *now)
{
	int failed;

	if (!anchor->methods)
		return false;
	failed = anchor->methods->extend(anchor->log_id, hash, now);
	if (failed)
		log_error("audit anchor: the register cannot be extended: %s; the log is anchored "
		          "no more",
		          strerror(-failed));
	return !failed;
}

void audit_anchor_settle(struct audit_anchor *anchor, bool extended,
                         const struct kernel_register *now)
{
	anchor->covers = extended;
	if (extended)
		anchor->counter = now->counter;
	else
		anchor->methods = NULL;
}
