/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks the segments as one chain, one record ahead, so that a fault can be named: what a record
 * says of the one before it and what the next says of it tell together which of them was touched.
 * It trusts nothing in the files; a line that is no record is a finding, not an error.
 */
#include "audit_verify.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit_checkpoint.h"
#include "audit_fold.h"
#include "audit_scan.h"

/* A line as far as the chain is concerned. */
struct link {
	size_t file; /* its place in the order of the chain */
	uint64_t line;
	bool is_record, torn;
	uint64_t sequence, anchor;
	uint8_t previous[AUDIT_HASH_LEN], hash[AUDIT_HASH_LEN];
	bool is_checkpoint, signature_fits;
};

struct segment {
	const char *path;
	uint64_t first; /* sequence number of its first record; 0: none */
};

struct chain {
	struct audit_verdict *verdict;
	const struct audit_verify_options *options;
	struct segment *segments;
	size_t count;
	struct audit_reader *reader;
	size_t file; /* of the reader */
	uint64_t line;
	struct audit_fold fold;
	EVP_MD_CTX *hashing;
	EVP_MD *sha256;
	EVP_PKEY *public_key;
	struct link last; /* the one that was accepted last; line 0: none */
	bool failed;      /* a file cannot be read */
};

/* ---- findings ---- */

static void find(struct chain *chain, const struct link *link, enum audit_fault fault,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Notes the first finding only. */
static void find(struct chain *chain, const struct link *link, enum audit_fault fault,
                 const char *format, ...)
{
	struct audit_verdict *verdict = chain->verdict;
	va_list arguments;

	if (!verdict->intact)
		return;
	verdict->intact = false;
	verdict->fault = fault;
	verdict->first_bad_line = link->line;
	snprintf(verdict->first_bad_file, sizeof(verdict->first_bad_file), "%s",
	         chain->segments[link->file].path);
	va_start(arguments, format);
	vsnprintf(verdict->problem, sizeof(verdict->problem), format, arguments);
	va_end(arguments);
}

const char *audit_fault_name(enum audit_fault fault)
{
	static const char *const names[] = {
		[AUDIT_FAULT_NONE] = "none",           [AUDIT_FAULT_EDITED] = "edited",
		[AUDIT_FAULT_DELETED] = "deleted",     [AUDIT_FAULT_SWAPPED] = "swapped",
		[AUDIT_FAULT_INSERTED] = "inserted",   [AUDIT_FAULT_CUT] = "cut",
		[AUDIT_FAULT_SIGNATURE] = "signature",
	};

	return names[fault];
}

/* ---- reading ---- */

static int fail(struct chain *chain, const char *path, const char *why)
{
	snprintf(chain->verdict->problem, sizeof(chain->verdict->problem), "%s: %s", path, why);
	chain->failed = true;
	return -1;
}

static void hash_line(struct chain *chain, const char *line, size_t len, struct link *link)
{
	memset(link->hash, 0, sizeof(link->hash));
	if (!EVP_DigestInit_ex2(chain->hashing, chain->sha256, NULL) ||
	    !EVP_DigestUpdate(chain->hashing, line, len) ||
	    !EVP_DigestFinal_ex(chain->hashing, link->hash, NULL))
		fail(chain, "SHA-256", "it failed");
}

static void check_signature(struct chain *chain, const struct audit_line *line, struct link *link)
{
	const struct audit_field *detail = audit_field(line, "detail");

	link->is_checkpoint =
		detail && audit_field_is(line, "operation", AUDIT_CHECKPOINT_OPERATION);
	if (link->is_checkpoint && chain->public_key)
		link->signature_fits = audit_checkpoint_verify(chain->public_key, line->sequence,
		                                               line->previous_hash, detail->value,
		                                               detail->value_len);
}

static void read_link(struct chain *chain, const char *line, size_t len, bool whole,
                      struct link *link)
{
	struct audit_line record;

	*link = (struct link){.file = chain->file, .line = chain->line, .torn = !whole};
	hash_line(chain, line, len, link);
	link->is_record = whole && audit_scan(line, len, &record);
	if (!link->is_record)
		return;
	link->sequence = record.sequence;
	link->anchor = record.anchor;
	memcpy(link->previous, record.previous_hash, AUDIT_HASH_LEN);
	check_signature(chain, &record, link);
}

/* The next line of the whole; false at the end, or when a file cannot be read. */
static bool next_link(struct chain *chain, struct link *link)
{
	const char *line;
	bool whole;
	size_t len;
	int got;

	while (!chain->failed && chain->file < chain->count) {
		const char *path = chain->segments[chain->file].path;

		if (!chain->reader)
			chain->reader = audit_reader_open(path);
		if (!chain->reader)
			return fail(chain, path, strerror(errno)), false;
		got = audit_reader_next(chain->reader, &line, &len, &whole);
		if (got < 0)
			return fail(chain, path, "cannot be read: damaged, or no log"), false;
		if (got) {
			chain->line++;
			read_link(chain, line, len, whole, link);
			return !chain->failed;
		}
		audit_reader_close(chain->reader);
		chain->reader = NULL;
		chain->line = 0;
		chain->file++;
	}
	return false;
}

/* ---- the chain ---- */

static bool hash_equal(const uint8_t *a, const uint8_t *b)
{
	return !memcmp(a, b, AUDIT_HASH_LEN); /* not secret: of the log */
}

/* Does the next line, if there is one, say that this one is as it was written? */
static bool is_vouched(const struct link *link, const struct link *next)
{
	return !next || !next->is_record || hash_equal(next->previous, link->hash);
}

static bool follows_last(const struct chain *chain, const struct link *link)
{
	return link && link->is_record && link->sequence == chain->last.sequence + 1 &&
	       hash_equal(link->previous, chain->last.hash);
}

/* It comes too early: others are missing before it, in the middle of a file or between files, or it
 * was moved here. */
static void find_gap(struct chain *chain, const struct link *link, const struct link *next)
{
	const struct link *last = &chain->last;
	uint64_t from = last->sequence + 1, to = link->sequence - 1;
	bool begins_file = !last->line || last->file != link->file;

	if (follows_last(chain, next) || (!begins_file && !is_vouched(link, next)))
		find(chain, link, AUDIT_FAULT_SWAPPED,
		     "swapped: record %" PRIu64 " is where record %" PRIu64 " should be",
		     link->sequence, from);
	else if (begins_file)
		find(chain, link, AUDIT_FAULT_CUT,
		     "cut: records %" PRIu64 " to %" PRIu64 " are missing before it%s", from, to,
		     last->line ? "" : " (--partial begins here)");
	else
		find(chain, link, AUDIT_FAULT_DELETED,
		     "deleted: records %" PRIu64 " to %" PRIu64 " are missing before it", from, to);
}

/* A number that was there already. */
static void find_repeated(struct chain *chain, const struct link *link, const struct link *next)
{
	const struct link *last = &chain->last;
	bool twins = link->sequence == last->sequence && hash_equal(link->previous, last->previous);

	if (twins && !hash_equal(link->hash, last->hash) && next && is_vouched(link, next))
		find(chain, last, AUDIT_FAULT_INSERTED,
		     "inserted: record %" PRIu64 " of the log follows it", link->sequence);
	else
		find(chain, link, AUDIT_FAULT_INSERTED,
		     "inserted: record %" PRIu64 " stands after record %" PRIu64, link->sequence,
		     last->sequence);
}

static void find_fault(struct chain *chain, const struct link *link, const struct link *next)
{
	const struct link *last = &chain->last;

	if (hash_equal(link->previous, last->hash))
		find(chain, link, AUDIT_FAULT_EDITED,
		     "edited: its number is %" PRIu64 ", not %" PRIu64, link->sequence,
		     last->sequence + 1);
	else if (link->sequence > last->sequence + 1)
		find_gap(chain, link, next);
	else if (link->sequence <= last->sequence)
		find_repeated(chain, link, next);
	else if (last->line && is_vouched(link, next))
		find(chain, last, AUDIT_FAULT_EDITED,
		     "edited: the record after it has another hash of it");
	else
		find(chain, link, AUDIT_FAULT_EDITED,
		     "edited: it has another hash of the record before it");
}

static void check_link(struct chain *chain, const struct link *link, const struct link *next)
{
	if (!link->is_record && link->torn)
		find(chain, link, AUDIT_FAULT_CUT, "cut: the line is torn, it has no end");
	else if (!link->is_record)
		find(chain, link, AUDIT_FAULT_EDITED, "edited: the line is not an audit record");
	else if (!follows_last(chain, link) && !(chain->options->partial && !chain->last.line))
		find_fault(chain, link, next);
	else if (link->is_checkpoint && chain->public_key && !link->signature_fits)
		find(chain, link, AUDIT_FAULT_SIGNATURE,
		     "signature: the checkpoint is not signed by this key");
}

static void accept(struct chain *chain, const struct link *link)
{
	struct audit_verdict *verdict = chain->verdict;

	chain->last = *link;
	verdict->records++;
	if (link->is_checkpoint) {
		verdict->checkpoints++;
		verdict->last_checkpoint = link->sequence;
	}
	audit_fold_record(&chain->fold, link->sequence, link->anchor, link->previous);
	if (chain->options->now && audit_fold_fits(&chain->fold, chain->options->now, link->hash))
		verdict->covered = link->sequence;
}

static void walk(struct chain *chain)
{
	struct link link, next;
	bool there = next_link(chain, &link), more;

	while (there && chain->verdict->intact && !chain->failed) {
		more = next_link(chain, &next);
		check_link(chain, &link, more ? &next : NULL);
		if (chain->verdict->intact)
			accept(chain, &link);
		if (chain->options->progress)
			chain->options->progress(chain->verdict->records);
		link = next;
		there = more;
	}
}

/* ---- segments ---- */

/* A file whose first line is no record keeps its place at the front, where it is found out. */
static int read_first(struct chain *chain, struct segment *segment)
{
	struct audit_reader *reader = audit_reader_open(segment->path);
	int got;

	if (!reader)
		return fail(chain, segment->path, strerror(errno));
	got = audit_reader_first(reader, &segment->first);
	audit_reader_close(reader);
	return got < 0 ? fail(chain, segment->path, "cannot be read: damaged, or no log") : 0;
}

static int by_first(const void *a, const void *b)
{
	const struct segment *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int open_segments(struct chain *chain, const char *const *paths, size_t count)
{
	chain->segments = calloc(count + 1, sizeof(*chain->segments));
	if (!chain->segments)
		return fail(chain, "segments", "out of memory");
	chain->count = count;
	for (size_t i = 0; i < count; i++) {
		chain->segments[i].path = paths[i];
		if (read_first(chain, &chain->segments[i]))
			return -1;
	}
	qsort(chain->segments, count, sizeof(*chain->segments), by_first);
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
	uint64_t told = fold->told.counter + (chain->last.sequence > 0);
	uint64_t now = chain->options->now->counter;
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
	const struct kernel_register *now = chain->options->now;

	verdict->restarts = chain->fold.restarts;
	if (!now || !verdict->intact)
		return;
	if (!now->counter)
		judge(verdict, AUDIT_ANCHOR_NONE, "the kernel module has no register of this log");
	else if (!verdict->covered)
		judge_uncovered(chain);
	else if (verdict->covered == chain->last.sequence)
		verdict->anchor = AUDIT_ANCHOR_MATCHES;
	else
		judge(verdict, AUDIT_ANCHOR_UNANCHORED,
		      "the register covers the log up to record %" PRIu64 ", %" PRIu64
		      " records after it are not anchored",
		      verdict->covered, chain->last.sequence - verdict->covered);
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

/* ---- the whole ---- */

static int open_public_key(struct chain *chain)
{
	const char *path = chain->options->public_key;
	FILE *file = path ? fopen(path, "re") : NULL;

	if (!path)
		return 0;
	if (!file)
		return fail(chain, path, strerror(errno));
	chain->public_key = PEM_read_PUBKEY(file, NULL, NULL, NULL);
	fclose(file);
	return chain->public_key ? 0 : fail(chain, path, "not a public key in PEM");
}

static void describe_end(const struct chain *chain)
{
	struct audit_verdict *verdict = chain->verdict;

	for (size_t i = 0; i < AUDIT_HASH_LEN; i++)
		snprintf(verdict->last_hash + 2 * i, 3, "%02x", chain->last.hash[i]);
	verdict->last_sequence = chain->last.sequence;
	/* A key that nothing was signed with proves nothing. */
	if (chain->public_key && verdict->intact && !verdict->checkpoints) {
		verdict->intact = false;
		verdict->fault = AUDIT_FAULT_SIGNATURE;
		snprintf(verdict->problem, sizeof(verdict->problem),
		         "signature: the log has no checkpoint");
	}
}

int audit_verify(const char *const *paths, size_t count, const struct audit_verify_options *options,
                 struct audit_verdict *verdict)
{
	static const struct audit_verify_options none = {0};
	struct chain chain = {.verdict = verdict, .options = options ? options : &none};
	int result;

	memset(verdict, 0, sizeof(*verdict));
	verdict->intact = true;
	chain.hashing = EVP_MD_CTX_new();
	chain.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	audit_fold_begin(&chain.fold, chain.sha256);
	if (!chain.hashing || !chain.sha256)
		result = fail(&chain, "SHA-256", "not available");
	else
		result = open_segments(&chain, paths, count) || open_public_key(&chain);
	if (!result)
		walk(&chain);
	if (!result && !chain.failed) {
		judge_anchor(&chain);
		describe_end(&chain);
	}
	audit_reader_close(chain.reader);
	free(chain.segments);
	EVP_PKEY_free(chain.public_key);
	EVP_MD_free(chain.sha256);
	EVP_MD_CTX_free(chain.hashing);
	return chain.failed ? -1 : result;
}
