/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin audit verify-chain: from the files alone, without the agent; with --anchor also
 * against the kernel module's register, which shows whether the end is there.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "admin.h"
#include "audit_verify.h"

#define ALIVE_MS 1000 /* a running agent anchors a batch sooner */
#define LOOK_MS  10

/* The register of the log that is verified. */
struct anchor {
	const struct kernel_anchor *methods; /* NULL: the module cannot be asked */
	uint8_t log_id[KERNEL_LOG_ID_LEN];
	struct kernel_register now;
	bool moving; /* an agent is writing the log */
};

static bool read_register(const struct anchor *anchor, struct kernel_register *now)
{
	int failed = anchor->methods->read(anchor->log_id, now);

	if (failed)
		admin_fail("%s: the register cannot be read: %s", kernel_device(),
		           strerror(-failed));
	return !failed;
}

/* Before the log is read: then what is written meanwhile is after the register, not missing. */
static bool open_anchor(struct anchor *anchor, const struct admin_options *options)
{
	const char *log = options->anchor_text ? options->anchor_text
	                                       : options->arguments[options->argument_count - 1];

	*anchor = (struct anchor){0};
	if (!options->anchor)
		return true;
	kernel_open();
	anchor->methods = kernel_anchor();
	if (!anchor->methods)
		return true;
	if (!audit_verify_log_id(log, anchor->log_id)) {
		admin_fail("SHA-256 is not available");
		return false;
	}
	return read_register(anchor, &anchor->now);
}

/* Does the register go on? What an agent has just written it anchors in a moment. */
static bool look_again(struct anchor *anchor)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
	struct kernel_register later = anchor->now;

	for (int ms = 0; ms < ALIVE_MS && later.counter == anchor->now.counter; ms += LOOK_MS) {
		nanosleep(&pause, NULL);
		if (!read_register(anchor, &later))
			return false;
	}
	anchor->moving = later.counter != anchor->now.counter;
	return true;
}

/* ---- the report ---- */

static bool is_whole(const struct audit_verdict *verdict, const struct anchor *anchor)
{
	return verdict->anchor == AUDIT_ANCHOR_MATCHES ||
	       (verdict->anchor == AUDIT_ANCHOR_UNANCHORED && anchor->moving);
}

static json_t *anchor_json(const struct audit_verdict *verdict, const struct anchor *anchor)
{
	const char *name = audit_anchor_verdict_name(verdict->anchor);

	if (!anchor->methods)
		return json_pack("{s:s, s:s}", "verdict", "no-module", "problem", kernel_reason());
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:b, s:s}", "verdict", name, "counter",
	                 (json_int_t)anchor->now.counter, "covered", (json_int_t)verdict->covered,
	                 "missing_batches", (json_int_t)verdict->missing_batches, "restarts",
	                 (json_int_t)verdict->restarts, "being_written", anchor->moving, "problem",
	                 verdict->anchor_problem);
}

static json_t *as_json(const struct audit_verdict *verdict)
{
	json_t *json = json_pack("{s:b, s:I, s:s}", "intact", verdict->intact, "records",
	                         (json_int_t)verdict->records, "last_hash", verdict->last_hash);

	if (json) {
		json_object_set_new(json, "last_record",
		                    json_integer((json_int_t)verdict->last_sequence));
		json_object_set_new(json, "checkpoints",
		                    json_integer((json_int_t)verdict->checkpoints));
		json_object_set_new(json, "last_checkpoint",
		                    json_integer((json_int_t)verdict->last_checkpoint));
	}
	if (json && !verdict->intact) {
		json_object_set_new(json, "fault", json_string(audit_fault_name(verdict->fault)));
		json_object_set_new(json, "file", json_string(verdict->first_bad_file));
		json_object_set_new(json, "line",
		                    json_integer((json_int_t)verdict->first_bad_line));
		json_object_set_new(json, "problem", json_string(verdict->problem));
	}
	return json;
}

static int report_anchor(const struct audit_verdict *verdict, const struct anchor *anchor,
                         bool quiet)
{
	if (!anchor->methods)
		return admin_fail("anchor: %s", kernel_reason());
	if (!is_whole(verdict, anchor))
		return admin_fail("anchor: %s", verdict->anchor_problem);
	if (!quiet)
		printf("anchor: the register matches at %llu%s%s\n",
		       (unsigned long long)anchor->now.counter,
		       anchor->moving ? "; the log is being written: " : "",
		       verdict->anchor_problem);
	return ADMIN_DONE;
}

static void print_intact(const struct admin_options *options, const struct audit_verdict *verdict)
{
	printf("intact: %llu records, last hash %s\n", (unsigned long long)verdict->records,
	       verdict->last_hash);
	if (options->audit.public_key)
		printf("signed: %llu checkpoints, the last is record %llu; %llu records after it\n",
		       (unsigned long long)verdict->checkpoints,
		       (unsigned long long)verdict->last_checkpoint,
		       (unsigned long long)(verdict->last_sequence - verdict->last_checkpoint));
}

static int report(const struct admin_options *options, const struct audit_verdict *verdict,
                  const struct anchor *anchor)
{
	json_t *json = options->json ? as_json(verdict) : NULL;

	if (json && options->anchor)
		json_object_set_new(json, "anchor", anchor_json(verdict, anchor));
	if (json)
		admin_print_json(json);
	else if (verdict->intact)
		print_intact(options, verdict);
	if (!verdict->intact && !verdict->first_bad_line)
		return admin_fail("%s", verdict->problem);
	if (!verdict->intact)
		return admin_fail("%s:%llu: %s", verdict->first_bad_file,
		                  (unsigned long long)verdict->first_bad_line, verdict->problem);
	return options->anchor ? report_anchor(verdict, anchor, options->json) : ADMIN_DONE;
}

/* How many there are nobody knows before the end, so the bar fills up once per 100,000. */
static void show_progress(uint64_t records)
{
	if (records % 1000 == 0)
		admin_progress("verifying", records % 100000, 100000);
}

int admin_audit_verify(const struct admin_options *options)
{
	struct audit_verify_options how = {
		.public_key = options->audit.public_key,
		.partial = options->audit.partial,
		.progress = show_progress,
	};
	struct audit_verdict verdict;
	struct anchor anchor;

	if (!options->argument_count) {
		admin_fail("audit verify-chain: name the log's files");
		return ADMIN_USAGE;
	}
	if (!open_anchor(&anchor, options))
		return ADMIN_FAILED;
	how.now = anchor.methods ? &anchor.now : NULL;
	if (audit_verify((const char *const *)options->arguments, (size_t)options->argument_count,
	                 &how, &verdict))
		return admin_fail("%s", verdict.problem);
	admin_progress_end();
	if (verdict.anchor == AUDIT_ANCHOR_UNANCHORED && !look_again(&anchor))
		return ADMIN_FAILED;
	return report(options, &verdict, &anchor);
}
