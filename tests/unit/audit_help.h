/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests of the audit log share: a log in a scratch folder, the loop's part (it takes the
 * batches, writes them or says that it could not), and a look at what came of it.
 */
#ifndef TESTS_UNIT_AUDIT_HELP_H
#define TESTS_UNIT_AUDIT_HELP_H

#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>

#include "harness.h"

#include "audit.h"
#include "audit_file.h"
#include "audit_format.h"
#include "audit_verify.h"
#include "config.h"
#include "crypto.h"
#include "kernel.h"

static char folder[64];
static char log_path[96];
static struct config *config;
static struct crypto crypto;
static const struct kernel_anchor *anchor; /* of the logs that are opened; NULL: none */

static inline void remove_scratch(void)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	if (system(command))
		printf("# %s could not be removed\n", folder);
	config_free(config);
}

/* A folder, a configuration that logs there, and just enough of crypto. */
static inline void set_up(void)
{
	snprintf(folder, sizeof(folder), "/tmp/craton-audit.XXXXXX");
	ASSERT_NOT_NULL(mkdtemp(folder));
	snprintf(log_path, sizeof(log_path), "%s/audit.jsonl", folder);
	config = config_defaults();
	ASSERT_NOT_NULL(config);
	free(config->audit.log_path);
	config->audit.log_path = strdup(log_path);
	/* Records wait for their batch; what settles in the pad is tested in audit_pad_test.c. */
	config->audit.sync = CONFIG_SYNC_ALWAYS;
	crypto.digests[DIGEST_SHA256] = (EVP_MD *)(uintptr_t)EVP_sha256();
	atexit(remove_scratch);
}

static inline struct audit *open_log(void)
{
	struct audit *audit = NULL;
	char error[512] = "";

	if (audit_open(&audit, config, &crypto, anchor, error, sizeof(error)))
		printf("# %s\n", error);
	ASSERT_NOT_NULL(audit);
	return audit;
}

static inline struct audit *start(void)
{
	set_up();
	return open_log();
}

static inline struct audit_record record_of(enum audit_class class)
{
	return (struct audit_record){
		.class = class,
		.operation = "C_Sign",
		.session_handle = 77,
		.mechanism = CKM_ECDSA,
		.uid = 1000,
		.pid = 4242,
	};
}

static inline uint64_t append(struct audit *audit, const char *detail)
{
	struct audit_record record = record_of(AUDIT_CRYPTO);
	enum err err = ERROR_NONE;
	uint64_t ticket;

	record.detail = detail;
	ticket = audit_append(audit, &record, &err);
	ASSERT_EQ(err, ERROR_NONE);
	ASSERT_NE(ticket, 0);
	return ticket;
}

/* Writes what is pending, at most `step` octets at a time. The number of writes. */
static inline unsigned int write_batch(struct audit *audit, size_t step)
{
	struct wire_bytes batch;
	unsigned int writes = 0;
	bool sync, more;
	int fd;

	ASSERT_TRUE(audit_batch_take(audit, &fd, &batch, &sync));
	do {
		size_t len = batch.len < step ? batch.len : step;

		ASSERT_EQ(write(fd, batch.data, len), (ssize_t)len);
		writes++;
		more = audit_batch_written(audit, (ssize_t)len, &batch);
	} while (more);
	audit_batch_done(audit, 0);
	return writes;
}

/* The file is one unbroken chain of this many records. */
static inline void expect_intact(uint64_t records)
{
	struct audit_verdict verdict;
	const char *path = log_path;

	ASSERT_EQ(audit_verify(&path, 1, NULL, &verdict), 0);
	if (!verdict.intact)
		printf("# line %llu: %s\n", (unsigned long long)verdict.first_bad_line,
		       verdict.problem);
	ASSERT_TRUE(verdict.intact);
	ASSERT_EQ(verdict.records, records);
}

/* The value that line `number` (from 1) has under `key`; the caller's reference. */
static inline json_t *value_at(unsigned int number, const char *key)
{
	char line[AUDIT_LINE_MAX + 1];
	FILE *file = fopen(log_path, "r");
	json_t *record, *value;

	ASSERT_NOT_NULL(file);
	for (unsigned int i = 0; i < number; i++)
		ASSERT_NOT_NULL(fgets(line, sizeof(line), file));
	fclose(file);
	record = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	ASSERT_NOT_NULL(record);
	value = json_incref(json_object_get(record, key));
	json_decref(record);
	return value;
}

static inline void expect_text(unsigned int line, const char *key, const char *wanted)
{
	json_t *value = value_at(line, key);

	EXPECT_STREQ(json_string_value(value), wanted);
	json_decref(value);
}

static inline off_t log_len(void)
{
	struct stat status;

	ASSERT_EQ(stat(log_path, &status), 0);
	return status.st_size;
}

#endif
