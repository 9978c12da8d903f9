/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's side of the anchor. A start reads the whole log, with its segments; whether the chain
 * holds is the verifier's business.
 */
#include "audit_anchor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit_fold.h"
#include "audit_segment.h"
#include "log.h"

void audit_anchor_open(struct audit_anchor *anchor, const struct kernel_anchor *methods,
                       const EVP_MD *sha256, const char *path)
{
	*anchor = (struct audit_anchor){.methods = methods, .sha256 = sha256};
	if (!methods || audit_log_id(sha256, path, anchor->log_id))
		return;
	log_error("audit anchor: the log cannot be named; it is not anchored");
	anchor->methods = NULL;
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

bool audit_anchor_resume(struct audit_anchor *anchor, const char *path, const uint8_t *last_hash,
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
	if (!audit_segment_fold(path, &fold)) {
		log_notice("audit anchor: the log's oldest segments are not in its folder; its "
		           "register is taken as it is");
		return true;
	}
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
