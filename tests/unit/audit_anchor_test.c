/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log's anchor, from both sides: what the agent extends its register by and tells in the
 * log, and what the verifier makes of a log and a register's value. The register is a few lines
 * here; the logs are the agent's, and then cut, changed or written anew.
 */
#include "audit_help.h"

#include <openssl/evp.h>
#include <unistd.h>

#define LINES_MAX 64u

/* ---- a register of our own ---- */

static struct {
	struct kernel_register at;
	uint8_t log_id[KERNEL_LOG_ID_LEN];
	unsigned int extensions, reads;
	int extend_error, read_error;
} fake;

static int fake_extend(const uint8_t log_id[KERNEL_LOG_ID_LEN],
                       const uint8_t value[KERNEL_REGISTER_LEN], struct kernel_register *now)
{
	uint8_t input[2 * KERNEL_REGISTER_LEN];

	if (fake.extend_error)
		return -fake.extend_error;
	memcpy(fake.log_id, log_id, KERNEL_LOG_ID_LEN);
	memcpy(input, fake.at.value, KERNEL_REGISTER_LEN);
	memcpy(input + KERNEL_REGISTER_LEN, value, KERNEL_REGISTER_LEN);
	ASSERT_EQ(EVP_Digest(input, sizeof(input), fake.at.value, NULL, EVP_sha256(), NULL), 1);
	fake.at.counter++;
	fake.extensions++;
	*now = fake.at;
	return 0;
}

static int fake_read(const uint8_t log_id[KERNEL_LOG_ID_LEN], struct kernel_register *now)
{
	(void)log_id;
	fake.reads++;
	*now = fake.at;
	return -fake.read_error;
}

static const struct kernel_anchor fake_anchor = {fake_extend, fake_read};

/* ---- logs ---- */

static void batch(struct audit *audit, unsigned int records)
{
	for (unsigned int i = 0; i < records; i++)
		append(audit, NULL);
	write_batch(audit, SIZE_MAX);
}

/* One run of the agent: batches of 1 (agent-start), then these, then 1 (agent-stop). */
static void run(const unsigned int *sizes, unsigned int count)
{
	struct audit *audit;

	anchor = &fake_anchor;
	if (!config)
		set_up();
	audit = open_log();
	for (unsigned int i = 0; i < count; i++)
		batch(audit, sizes[i]);
	audit_close(audit);
}

/* 1 + 3 + 1 + 4 + 1 records in 5 batches. */
static void make_log(void)
{
	static const unsigned int sizes[] = {3, 1, 4};

	run(sizes, 3);
	ASSERT_EQ(fake.at.counter, 5);
}

#define RECORDS 10u

static struct audit_verdict verify(void)
{
	struct audit_verdict verdict;
	const char *path = log_path;

	ASSERT_EQ(audit_verify(&path, 1, &(struct audit_verify_options){.now = &fake.at}, &verdict),
	          0);
	if (!verdict.intact || verdict.anchor_problem[0])
		printf("# %s: %s%s\n", audit_anchor_verdict_name(verdict.anchor), verdict.problem,
		       verdict.anchor_problem);
	ASSERT_TRUE(verdict.intact);
	EXPECT_EQ(verdict.anchor == AUDIT_ANCHOR_MATCHES, verdict.anchor_problem[0] == '\0');
	return verdict;
}

static void expect_matches(uint64_t records)
{
	struct audit_verdict verdict = verify();

	EXPECT_EQ(verdict.anchor, AUDIT_ANCHOR_MATCHES);
	EXPECT_EQ(verdict.covered, records);
	EXPECT_EQ(verdict.records, records);
}

/* Keeps this many lines. */
static void cut_to(unsigned int lines)
{
	FILE *file = fopen(log_path, "r");
	off_t len = 0;
	int octet;

	ASSERT_NOT_NULL(file);
	while (lines && (octet = fgetc(file)) != EOF) {
		len++;
		lines -= octet == '\n';
	}
	fclose(file);
	ASSERT_EQ(lines, 0);
	ASSERT_EQ(truncate(log_path, len), 0);
}

static void hash_of(const char *line, size_t len, char hex[2 * AUDIT_HASH_LEN + 1])
{
	uint8_t hash[AUDIT_HASH_LEN];

	ASSERT_EQ(EVP_Digest(line, len, hash, NULL, EVP_sha256(), NULL), 1);
	for (unsigned int i = 0; i < AUDIT_HASH_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
}

/* Replaces a text in one line and makes the chain anew from there, as somebody could who may write
 * the file. */
static void forge(unsigned int number, const char *from, const char *to)
{
	static char lines[LINES_MAX][AUDIT_LINE_MAX + 64];
	char hex[2 * AUDIT_HASH_LEN + 1];
	FILE *file = fopen(log_path, "r+");
	unsigned int count = 0;

	ASSERT_NOT_NULL(file);
	while (fgets(lines[count], sizeof(lines[0]), file))
		count++;
	for (unsigned int i = number - 1; i < count; i++) {
		char *at = strstr(lines[i], i == number - 1 ? from : "\"previous_hash\":\"");

		ASSERT_NOT_NULL(at);
		if (i == number - 1) {
			memmove(at + strlen(to), at + strlen(from), strlen(at + strlen(from)) + 1);
			memcpy(at, to, strlen(to));
		} else {
			memcpy(at + strlen("\"previous_hash\":\""), hex, 2 * AUDIT_HASH_LEN);
		}
		hash_of(lines[i], strlen(lines[i]) - 1, hex);
	}
	rewind(file);
	ASSERT_EQ(ftruncate(fileno(file), 0), 0);
	for (unsigned int i = 0; i < count; i++)
		fputs(lines[i], file);
	ASSERT_EQ(fclose(file), 0);
}

static void expect_anchor(unsigned int line, json_int_t number)
{
	json_t *value = value_at(line, "anchor");

	EXPECT_EQ(json_integer_value(value), number);
	EXPECT_EQ(value != NULL, number != 0);
	json_decref(value);
}

static unsigned int mismatches(void)
{
	char line[AUDIT_LINE_MAX + 1];
	FILE *file = fopen(log_path, "r");
	unsigned int count = 0;

	ASSERT_NOT_NULL(file);
	while (fgets(line, sizeof(line), file))
		count += strstr(line, "\"operation\":\"anchor-mismatch\"") != NULL;
	fclose(file);
	return count;
}

/* ---- what the agent does ---- */

TEST(one_extension_per_batch)
{
	make_log();
	EXPECT_EQ(fake.extensions, 5);
	EXPECT_EQ(fake.reads, 1);
	expect_matches(RECORDS);
}

TEST(the_first_record_of_a_batch_tells)
{
	static const json_int_t wanted[RECORDS] = {0, 1, 0, 0, 2, 3, 0, 0, 0, 4};

	make_log();
	for (unsigned int i = 0; i < RECORDS; i++)
		expect_anchor(i + 1, wanted[i]);
}

/* A log with one record, line 2, whose batch is being written. */
static struct audit *start_in_flight(int *fd, struct wire_bytes *octets)
{
	struct audit *audit;
	bool sync;

	anchor = &fake_anchor;
	audit = start();
	append(audit, NULL);
	ASSERT_TRUE(audit_batch_take(audit, fd, octets, &sync));
	return audit;
}

/* The number is told before the extension that it is the number of. */
TEST(records_while_a_batch_is_in_flight)
{
	struct wire_bytes octets;
	int fd;
	struct audit *audit = start_in_flight(&fd, &octets);

	append(audit, NULL); /* line 3 */
	append(audit, NULL);
	ASSERT_EQ(write(fd, octets.data, octets.len), (ssize_t)octets.len);
	ASSERT_FALSE(audit_batch_written(audit, (ssize_t)octets.len, &octets));
	EXPECT_EQ(fake.extensions, 1);
	ASSERT_TRUE(audit_batch_done(audit, 0));
	EXPECT_EQ(fake.extensions, 2);
	write_batch(audit, SIZE_MAX);
	expect_anchor(2, 1);
	expect_anchor(3, 2);
	expect_anchor(4, 0);
	audit_close(audit);
	expect_matches(5);
}

TEST(a_failed_write_extends_nothing)
{
	struct wire_bytes octets;
	int fd;
	struct audit *audit = start_in_flight(&fd, &octets);

	append(audit, NULL); /* told 2; lost with the batch */
	ASSERT_FALSE(audit_batch_written(audit, -ENOSPC, &octets));
	audit_batch_done(audit, 0);
	EXPECT_EQ(fake.extensions, 1);
	batch(audit, 2);
	expect_anchor(2, 1);
	audit_close(audit);
	expect_matches(4);
}

TEST(without_the_module_nothing_is_told)
{
	struct audit_statistics statistics;
	struct audit *audit = start();

	batch(audit, 2);
	audit_statistics(audit, &statistics);
	EXPECT_FALSE(statistics.anchored);
	audit_close(audit);
	for (unsigned int i = 1; i <= 4; i++)
		expect_anchor(i, 0);
	EXPECT_EQ(fake.extensions + fake.reads, 0);
}

TEST(statistics)
{
	struct audit_statistics statistics;
	struct audit *audit;

	anchor = &fake_anchor;
	audit = start();
	batch(audit, 2);
	audit_statistics(audit, &statistics);
	EXPECT_TRUE(statistics.anchored);
	EXPECT_EQ(statistics.anchor, 2);
	audit_close(audit);
}

/* The log goes on, and says no more what is not so. */
TEST(a_register_that_fails)
{
	struct audit_statistics statistics;
	struct audit *audit;

	anchor = &fake_anchor;
	audit = start();
	batch(audit, 1);
	fake.extend_error = EIO;
	batch(audit, 1); /* tells 2; its own extension fails */
	batch(audit, 1);
	fake.extend_error = 0;
	batch(audit, 1);
	audit_statistics(audit, &statistics);
	EXPECT_FALSE(statistics.anchored);
	audit_close(audit);
	EXPECT_EQ(fake.extensions, 2);
	expect_anchor(3, 2);
	expect_anchor(4, 0);
	expect_anchor(5, 0);
	EXPECT_EQ(verify().anchor, AUDIT_ANCHOR_UNANCHORED);
}

TEST(a_register_that_cannot_be_read)
{
	make_log();
	fake.read_error = EIO;
	run(NULL, 0);
	EXPECT_EQ(fake.extensions, 5);
	EXPECT_EQ(mismatches(), 0);
	expect_intact(RECORDS + 2);
}

/* The register is named by the log's real path. */
TEST(the_name_of_the_register)
{
	static const char prefix[] = "craton-hsm anchor";
	uint8_t wanted[EVP_MAX_MD_SIZE], log_id[KERNEL_LOG_ID_LEN];
	char text[256], other[128];
	int len;

	make_log();
	len = snprintf(text, sizeof(text), "%s%s", prefix, log_path);
	ASSERT_EQ(EVP_Digest(text, (size_t)len, wanted, NULL, EVP_sha256(), NULL), 1);
	EXPECT_EQ(memcmp(fake.log_id, wanted, KERNEL_LOG_ID_LEN), 0);
	snprintf(other, sizeof(other), "%s/../%s/audit.jsonl", folder, strrchr(folder, '/') + 1);
	ASSERT_TRUE(audit_verify_log_id(other, log_id));
	EXPECT_EQ(memcmp(log_id, wanted, KERNEL_LOG_ID_LEN), 0);
	ASSERT_TRUE(audit_verify_log_id("/no/such/file", log_id));
	EXPECT_NE(memcmp(log_id, wanted, KERNEL_LOG_ID_LEN), 0);
}

/* ---- starts ---- */

TEST(a_start_goes_on)
{
	make_log();
	run((const unsigned int[]){2}, 1);
	expect_anchor(RECORDS + 1, 5); /* agent-start */
	EXPECT_EQ(mismatches(), 0);
	EXPECT_EQ(fake.at.counter, 8);
	expect_matches(RECORDS + 4);
	EXPECT_EQ(verify().restarts, 0);
}

/* The module was loaded anew between two runs, and then once more. */
TEST(a_register_that_begins_anew)
{
	make_log();
	fake.at = (struct kernel_register){0};
	run((const unsigned int[]){2, 2}, 2);
	expect_anchor(RECORDS + 1, 0);
	expect_anchor(RECORDS + 2, 1);
	expect_matches(RECORDS + 6);
	EXPECT_EQ(verify().restarts, 1);
	fake.at = (struct kernel_register){0};
	run(NULL, 0);
	expect_matches(RECORDS + 8);
	EXPECT_EQ(mismatches(), 0);
	run(NULL, 0); /* the register is at 2 */
	expect_matches(RECORDS + 10);
	EXPECT_EQ(verify().restarts, 2);
	EXPECT_EQ(mismatches(), 0);
}

/* The hash of the log's last line. */
static void last_hash(uint8_t hash[AUDIT_HASH_LEN])
{
	char line[AUDIT_LINE_MAX + 1] = "";
	FILE *file = fopen(log_path, "r");

	ASSERT_NOT_NULL(file);
	while (fgets(line, sizeof(line), file))
		;
	fclose(file);
	ASSERT_EQ(EVP_Digest(line, strlen(line) - 1, hash, NULL, EVP_sha256(), NULL), 1);
}

/* Just one extension in the new register, which nothing in the log tells of yet. */
TEST(a_crash_after_the_first_batch_of_a_new_register)
{
	struct kernel_register now;
	uint8_t hash[AUDIT_HASH_LEN];

	make_log();
	run(NULL, 0);
	cut_to(RECORDS + 1);
	fake.at = (struct kernel_register){0};
	last_hash(hash);
	fake_extend(fake.log_id, hash, &now);
	expect_matches(RECORDS + 1);
	run(NULL, 0);
	EXPECT_EQ(mismatches(), 0);
	expect_matches(RECORDS + 3);
}

/* The module was not there for the first records: the register covers them all the same. */
TEST(a_module_that_comes_later)
{
	struct audit *audit = start();

	batch(audit, 3);
	audit_close(audit);
	run((const unsigned int[]){1}, 1);
	EXPECT_EQ(mismatches(), 0);
	expect_matches(8);
}

/* SIGKILL between the write of the last batch and its extension. */
TEST(a_crash_before_the_extension)
{
	struct kernel_register before;

	make_log();
	before = fake.at;
	run(NULL, 0);
	cut_to(RECORDS + 1); /* as if the stop had never been */
	fake.at = before;
	EXPECT_EQ(verify().anchor, AUDIT_ANCHOR_UNANCHORED);
	EXPECT_EQ(verify().covered, RECORDS);
	run(NULL, 0);
	EXPECT_EQ(mismatches(), 0);
	expect_anchor(RECORDS + 2, 6); /* what the crash had left out */
	expect_matches(RECORDS + 3);
}

/* The log says so, the register goes on, and the verifier does not forget it. */
static void expect_mismatch(void)
{
	uint64_t counter = fake.at.counter;
	struct audit_verdict verdict;

	run((const unsigned int[]){2}, 1);
	EXPECT_EQ(mismatches(), 1);
	EXPECT_EQ(fake.at.counter, counter + 3);
	verdict = verify();
	EXPECT_NE(verdict.anchor, AUDIT_ANCHOR_MATCHES);
	EXPECT_NE(verdict.anchor, AUDIT_ANCHOR_UNANCHORED);
}

TEST(a_start_on_a_log_that_was_cut)
{
	make_log();
	cut_to(5);
	expect_mismatch();
	expect_text(6, "operation", "anchor-mismatch");
	expect_text(6, "result", "Failure");
	expect_text(6, "ckr", "CKR_GENERAL_ERROR");
	expect_text(6, "detail",
	            "the register is at 5, the log ends at 3: records were cut off its end");
	expect_anchor(6, 0);
}

TEST(a_start_on_a_log_without_its_last_record)
{
	make_log();
	cut_to(8);
	expect_mismatch();
}

TEST(a_start_on_an_empty_log)
{
	make_log();
	cut_to(0);
	expect_mismatch();
	expect_text(1, "operation", "anchor-mismatch");
}

TEST(a_start_on_a_log_written_anew)
{
	make_log();
	forge(3, "\"uid\":1000", "\"uid\":1001");
	expect_mismatch();
}

/* Somebody else, or an agent without the module, went on with the log. */
TEST(a_start_on_a_log_with_foreign_records)
{
	struct audit *audit;

	make_log();
	anchor = NULL;
	audit = open_log();
	batch(audit, 2);
	audit_close(audit);
	EXPECT_EQ(verify().anchor, AUDIT_ANCHOR_UNANCHORED);
	EXPECT_EQ(verify().covered, RECORDS);
	expect_mismatch();
}

/* ---- what the verifier finds ---- */

TEST(no_register)
{
	make_log();
	fake.at = (struct kernel_register){0};
	EXPECT_EQ(verify().anchor, AUDIT_ANCHOR_NONE);
}

/* The batches end at 1, 4, 5, 9, 10. */
TEST(every_cut_is_found)
{
	static const struct {
		enum audit_anchor_verdict anchor;
		uint64_t missing;
	} wanted[RECORDS] = {
		{AUDIT_ANCHOR_CUT, 5}, {AUDIT_ANCHOR_CUT, 4}, {AUDIT_ANCHOR_CUT, 3},
		{AUDIT_ANCHOR_CUT, 3}, {AUDIT_ANCHOR_CUT, 3}, {AUDIT_ANCHOR_CUT, 2},
		{AUDIT_ANCHOR_CUT, 1}, {AUDIT_ANCHOR_CUT, 1}, {AUDIT_ANCHOR_CUT, 1},
		{AUDIT_ANCHOR_CUT, 1},
	};

	make_log();
	for (unsigned int lines = RECORDS; lines-- > 0;) {
		struct audit_verdict verdict;

		cut_to(lines);
		verdict = verify();
		EXPECT_EQ(verdict.anchor, wanted[lines].anchor);
		EXPECT_EQ(verdict.missing_batches, wanted[lines].missing);
		EXPECT_EQ(verdict.covered, 0);
	}
}

/* One record of several in the last batch. */
TEST(a_cut_inside_the_last_batch)
{
	struct audit *audit;

	anchor = &fake_anchor;
	audit = start();
	batch(audit, 3);
	expect_matches(4);
	cut_to(3);
	EXPECT_EQ(verify().anchor, AUDIT_ANCHOR_DIFFERS);
	audit_close(audit);
}

TEST(a_log_written_anew)
{
	make_log();
	for (unsigned int line = 1; line <= RECORDS; line++) {
		struct audit_verdict verdict;

		forge(line, "\"fips_approved\":", "\"fips_Approved\":");
		verdict = verify();
		EXPECT_EQ(verdict.anchor, AUDIT_ANCHOR_DIFFERS);
		forge(line, "\"fips_Approved\":", "\"fips_approved\":");
		expect_matches(RECORDS);
	}
}

/* Numbers that do not follow each other are of no use to whoever writes a log anew. */
TEST(numbers_that_do_not_follow)
{
	static const char *const others[] = {"3", "1", "99"};
	static const char *const strange[] = {"0", "-1", "\"2\"", "null", "2.5"};

	make_log();
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		char other[32];

		snprintf(other, sizeof(other), "\"anchor\":%s,", others[i]);
		forge(5, "\"anchor\":2,", other);
		EXPECT_EQ(verify().anchor, AUDIT_ANCHOR_DIFFERS);
		forge(5, other, "\"anchor\":2,");
	}
	for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		struct audit_verdict verdict;
		const char *path = log_path;
		char other[32];

		snprintf(other, sizeof(other), "\"anchor\":%s,", strange[i]);
		forge(5, "\"anchor\":2,", other);
		ASSERT_EQ(audit_verify(&path, 1, NULL, &verdict), 0);
		EXPECT_EQ(verdict.first_bad_line, 5);
		EXPECT_EQ(verdict.fault, AUDIT_FAULT_EDITED);
		forge(5, other, "\"anchor\":2,");
	}
	forge(5, "\"anchor\":2,", "");
	EXPECT_EQ(verify().anchor, AUDIT_ANCHOR_DIFFERS);
}

/* A cut after the register began anew. */
TEST(cuts_over_a_restart)
{
	struct kernel_register whole;

	make_log();
	fake.at = (struct kernel_register){0};
	run((const unsigned int[]){2, 2}, 2); /* RECORDS + 1, 3, 5, 6 */
	whole = fake.at;
	for (unsigned int lines = RECORDS + 6; lines-- > 0;) {
		struct audit_verdict verdict;

		fake.at = whole;
		cut_to(lines);
		verdict = verify();
		EXPECT_TRUE(verdict.anchor == AUDIT_ANCHOR_CUT ||
		            verdict.anchor == AUDIT_ANCHOR_DIFFERS);
		EXPECT_EQ(verdict.covered, 0);
	}
	EXPECT_EQ(verify().missing_batches, 4);
}

/* A chain that is broken is no log to be held against a register. */
TEST(a_broken_chain_comes_first)
{
	struct audit_verdict verdict;
	const char *path = log_path;

	make_log();
	forge(5, "\"seq\":5,", "\"seq\":6,");
	ASSERT_EQ(audit_verify(&path, 1, &(struct audit_verify_options){.now = &fake.at}, &verdict),
	          0);
	EXPECT_FALSE(verdict.intact);
	EXPECT_EQ(verdict.anchor, AUDIT_ANCHOR_UNTRIED);
}

TEST(without_a_register_nothing_is_said)
{
	struct audit_verdict verdict;
	const char *path = log_path;

	make_log();
	ASSERT_EQ(audit_verify(&path, 1, NULL, &verdict), 0);
	EXPECT_TRUE(verdict.intact);
	EXPECT_EQ(verdict.anchor, AUDIT_ANCHOR_UNTRIED);
}

HARNESS_MAIN
