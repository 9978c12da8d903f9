/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads segments line by line, as one chain. It trusts nothing in them: a line that is not a record
 * is a finding, not an error.
 */
#include "audit_verify.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit_fold.h"

#define HASH_LEN     32
#define HASH_HEX_LEN 64

struct chain {
	struct audit_verdict *verdict;
	const char *path;
	uint64_t line;
	uint64_t sequence; /* of the record before */
	char hash[HASH_HEX_LEN + 1];
	const struct kernel_register *now; /* NULL: no anchor is asked for */
	struct audit_fold fold;
	EVP_MD_CTX *hashing;
	EVP_MD *sha256;
};

/* Notes the first finding only. */
static void find(struct chain *chain, const char *problem)
{
	struct audit_verdict *verdict = chain->verdict;

	if (!verdict->intact)
		return;
	verdict->intact = false;
	verdict->first_bad_line = chain->line;
	snprintf(verdict->first_bad_file, sizeof(verdict->first_bad_file), "%s", chain->path);
	snprintf(verdict->problem, sizeof(verdict->problem), "%s", problem);
}

static void hash_line(struct chain *chain, const char *line, size_t len)
{
	unsigned char hash[HASH_LEN] = {0};

	if (EVP_DigestInit_ex2(chain->hashing, chain->sha256, NULL) &&
	    EVP_DigestUpdate(chain->hashing, line, len))
		EVP_DigestFinal_ex(chain->hashing, hash, NULL);
	for (int i = 0; i < HASH_LEN; i++)
		snprintf(chain->hash + 2 * i, 3, "%02x", hash[i]);
	if (chain->now && audit_fold_fits(&chain->fold, chain->now, hash))
		chain->verdict->covered = chain->sequence;
}

static void check_links(struct chain *chain, uint64_t sequence, const char *previous)
{
	char problem[160];

	if (strcmp(previous, chain->hash)) { /* not secret: hashes of the log */
		snprintf(problem, sizeof(problem),
		         sequence == chain->sequence + 1
		                 ? "previous_hash does not fit: this record or the one before it "
		                   "was edited"
		                 : "previous_hash does not fit: sequence goes from %llu to %llu "
		                   "(record deleted, inserted or moved)",
		         (unsigned long long)chain->sequence, (unsigned long long)sequence);
		find(chain, problem);
	} else if (sequence != chain->sequence + 1) {
		snprintf(problem, sizeof(problem), "sequence goes from %llu to %llu",
		         (unsigned long long)chain->sequence, (unsigned long long)sequence);
		find(chain, problem);
	}
}

static void check_line(struct chain *chain, const char *line, size_t len)
{
	json_t *record = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *previous = json_string_value(json_object_get(record, "previous_hash"));
	json_t *sequence = json_object_get(record, "seq");

	if (!previous || !json_is_integer(sequence)) {
		find(chain, "the line is not an audit record");
	} else {
		check_links(chain, (uint64_t)json_integer_value(sequence), previous);
		chain->sequence = (uint64_t)json_integer_value(sequence);
		chain->verdict->records++;
		audit_fold_record(&chain->fold, record);
	}
	json_decref(record);
	hash_line(chain, line, len);
}

static void check_file(struct chain *chain, FILE *file)
{
	char *line = NULL;
	size_t capacity = 0;
	ssize_t len;

	chain->line = 0;
	while (chain->verdict->intact && (len = getline(&line, &capacity, file)) > 0) {
		chain->line++;
		if (line[len - 1] != '\n')
			find(chain, "the last line is torn: it has no newline");
		else
			check_line(chain, line, (size_t)len - 1);
	}
	free(line);
}

static int check_path(struct chain *chain, const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file) {
		snprintf(chain->verdict->problem, sizeof(chain->verdict->problem), "%s: %s", path,
		         strerror(errno));
		return -1;
	}
	chain->path = path;
	check_file(chain, file);
	if (ferror(file)) {
		snprintf(chain->verdict->problem, sizeof(chain->verdict->problem),
		         "%s: cannot be read", path);
		fclose(file);
		return -1;
	}
	fclose(file);
	return 0;
}

/* ---- the anchor ---- */

static void judge(struct audit_verdict *verdict, enum audit_anchor_verdict anchor,
                  const char *format, ...) __attribute__((format(printf, 3, 4)));

static void judge(struct audit_verdict *verdict, enum audit_anchor_verdict anchor,
                  const char *format, ...)
{
	va_list arguments;

	verdict->anchor = anchor;
	va_start(arguments, format);
	vsnprintf(verdict->anchor_problem, sizeof(verdict->anchor_problem), format, arguments);
	va_end(arguments);
}

/* The register's last extension was not by a record of this log that comes where it should. */
static void judge_uncovered(const struct chain *chain)
{
	const struct audit_fold *fold = &chain->fold;
	uint64_t told = fold->told.counter + (chain->sequence > 0), now = chain->now->counter;
	struct audit_verdict *verdict = chain->verdict;

	if (fold->broken) {
		verdict->anchor = AUDIT_ANCHOR_DIFFERS;
		audit_fold_describe(fold, verdict->anchor_problem, sizeof(verdict->anchor_problem));
	} else if (now > told) {
		verdict->missing_batches = now - told;
		judge(verdict, AUDIT_ANCHOR_CUT,
		      "the end was cut off: the register is at %" PRIu64
		      ", the log ends at %" PRIu64 "; at least %" PRIu64 " batches are missing",
		      now, told, verdict->missing_batches);
	} else if (now == told) {
		judge(verdict, AUDIT_ANCHOR_DIFFERS,
		      "register %" PRIu64 " does not fit: records of the last batch were cut "
		      "off, or the log was written anew",
		      now);
	} else {
		judge(verdict, AUDIT_ANCHOR_DIFFERS,
		      "register %" PRIu64 " does not fit a log at %" PRIu64
		      ": it began anew and those records were cut off, or the log was written "
		      "anew",
		      now, told);
	}
}

static void judge_anchor(const struct chain *chain)
{
	struct audit_verdict *verdict = chain->verdict;

	verdict->restarts = chain->fold.restarts;
	if (!chain->now || !verdict->intact)
		return;
	if (!chain->now->counter)
		judge(verdict, AUDIT_ANCHOR_NONE, "the kernel module has no register of this log");
	else if (!verdict->covered)
		judge_uncovered(chain);
	else if (verdict->covered == chain->sequence)
		verdict->anchor = AUDIT_ANCHOR_MATCHES;
	else
		judge(verdict, AUDIT_ANCHOR_UNANCHORED,
		      "the register covers the log up to record %" PRIu64 ", %" PRIu64
		      " records after it are not anchored",
		      verdict->covered, chain->sequence - verdict->covered);
}

const char *audit_anchor_verdict_name(enum audit_anchor_verdict verdict)
{
	static const char *const names[] = {
		[AUDIT_ANCHOR_UNTRIED] = "untried",       [AUDIT_ANCHOR_MATCHES] = "matches",
		[AUDIT_ANCHOR_UNANCHORED] = "unanchored", [AUDIT_ANCHOR_CUT] = "cut",
		[AUDIT_ANCHOR_DIFFERS] = "differs",       [AUDIT_ANCHOR_NONE] = "no-register",
	};

	return names[verdict];
}

bool audit_verify_log_id(const char *path, uint8_t log_id[KERNEL_LOG_ID_LEN])
{
	EVP_MD *sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	bool done = sha256 && audit_log_id(sha256, path, log_id);

	EVP_MD_free(sha256);
	return done;
}

int audit_verify(const char *const *paths, size_t count, const struct kernel_register *now,
                 struct audit_verdict *verdict)
{
	struct chain chain = {.verdict = verdict, .now = now};
	int result = 0;

	memset(verdict, 0, sizeof(*verdict));
	verdict->intact = true;
	memset(chain.hash, '0', HASH_HEX_LEN);
	chain.hashing = EVP_MD_CTX_new();
	chain.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	audit_fold_begin(&chain.fold, chain.sha256);
	if (!chain.hashing || !chain.sha256) {
		snprintf(verdict->problem, sizeof(verdict->problem), "SHA-256 is not available");
		result = -1;
	}
	for (size_t i = 0; !result && verdict->intact && i < count; i++)
		result = check_path(&chain, paths[i]);
	if (!result)
		judge_anchor(&chain);
	snprintf(verdict->last_hash, sizeof(verdict->last_hash), "%s", chain.hash);
	EVP_MD_free(chain.sha256);
	EVP_MD_CTX_free(chain.hashing);
	return result;
}
