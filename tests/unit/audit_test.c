/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log at work: batches and tickets, filtering, the chain over restarts and failed writes,
 * and the form of a line.
 */
#include "audit_help.h"

#include "object.h"
#include "wire/codec.h"

/* ---- batches ---- */

TEST(life_cycle)
{
	struct audit *audit = start();
	uint64_t first = append(audit, NULL), second = append(audit, NULL);
	struct wire_bytes batch, other;
	bool sync;
	int fd, other_fd;

	ASSERT_EQ(second, first + 1);
	ASSERT_LT(audit_written(audit), first);
	ASSERT_TRUE(audit_batch_take(audit, &fd, &batch, &sync));
	ASSERT_TRUE(sync);
	ASSERT_FALSE(audit_batch_take(audit, &other_fd, &other, &sync)); /* one in flight */
	ASSERT_EQ(append(audit, NULL), second + 1);
	ASSERT_EQ(write(fd, batch.data, batch.len), (ssize_t)batch.len);
	ASSERT_FALSE(audit_batch_written(audit, (ssize_t)batch.len, &batch));
	ASSERT_LT(audit_written(audit), first);  /* not before it is done */
	ASSERT_TRUE(audit_batch_done(audit, 0)); /* the third waits */
	ASSERT_EQ(audit_written(audit), second);
	ASSERT_FALSE(audit_lost(audit, first));
	ASSERT_EQ(write_batch(audit, SIZE_MAX), 1);
	ASSERT_EQ(audit_written(audit), second + 1);
	ASSERT_FALSE(audit_batch_take(audit, &fd, &batch, &sync)); /* nothing left */
	audit_close(audit);
	expect_intact(5);
	expect_text(1, "operation", "agent-start");
	expect_text(5, "operation", "agent-stop");
}

TEST(batch_says_when_to_sync)
{
	struct wire_bytes batch;
	struct audit *audit;
	bool sync = false;
	int fd;

	set_up();
	audit = open_log();
	append(audit, NULL);
	ASSERT_TRUE(audit_batch_take(audit, &fd, &batch, &sync));
	ASSERT_TRUE(sync);
	ASSERT_EQ(write(fd, batch.data, batch.len), (ssize_t)batch.len);
	ASSERT_FALSE(audit_batch_written(audit, (ssize_t)batch.len, &batch));
	ASSERT_FALSE(audit_batch_done(audit, 0));
	ASSERT_FALSE(audit_sync_due(audit, &fd));
	audit_close(audit);
}

/* sync = "batch": due once, then not again before a second has passed and something was written. */
TEST(sync_is_due_once)
{
	struct audit *audit = start();
	int fd = -1;

	config->audit.sync = CONFIG_SYNC_BATCH;
	append(audit, NULL);
	write_batch(audit, SIZE_MAX);
	ASSERT_TRUE(audit_sync_due(audit, &fd));
	ASSERT_EQ(fsync(fd), 0);
	ASSERT_FALSE(audit_sync_due(audit, &fd));
	append(audit, NULL);
	write_batch(audit, SIZE_MAX);
	ASSERT_FALSE(audit_sync_due(audit, &fd));
	audit_close(audit);
}

TEST(short_writes)
{
	struct audit *audit = start();

	for (int i = 0; i < 3; i++)
		append(audit, "short");
	ASSERT_GT(write_batch(audit, 7), 100);
	append(audit, NULL);
	write_batch(audit, 1);
	audit_close(audit);
	expect_intact(6);
}

/* Which classes each level lets through, and that switching off means no file at all. */
TEST(levels)
{
	static const struct {
		config_audit_level level;
		enum audit_class least;
	} rows[] = {
		{CONFIG_AUDIT_ALL, AUDIT_SESSION}, {CONFIG_AUDIT_CRYPTO, AUDIT_CRYPTO},
		{CONFIG_AUDIT_AUTH, AUDIT_AUTH},   {CONFIG_AUDIT_ADMIN, AUDIT_ADMIN},
		{CONFIG_AUDIT_NONE, 99},
	};
	struct audit *audit = start();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		config->audit.log_level = rows[i].level;
		for (enum audit_class class = AUDIT_SESSION; class <= AUDIT_ADMIN; class ++) {
			struct audit_record record = record_of(class);
			enum err err = ERROR_NONE;

			EXPECT_EQ(audit_append(audit, &record, &err) != 0, class >= rows[i].least);
			EXPECT_EQ(err, ERROR_NONE);
		}
	}
	audit_close(audit);
	expect_intact(4 + 3 + 2 + 1 + 2);
}

TEST(switched_off)
{
	struct audit_record record = record_of(AUDIT_ADMIN);
	enum err err = ERROR_NONE;
	struct audit *audit;

	set_up();
	config->audit.enabled = false;
	audit = open_log();
	ASSERT_EQ(audit_append(audit, &record, &err), 0);
	ASSERT_EQ(err, ERROR_NONE);
	audit_close(audit);
	ASSERT_NE(access(log_path, F_OK), 0);
}

TEST(no_log_at_all)
{
	ASSERT_EQ(audit_written(NULL), 0);
	ASSERT_FALSE(audit_lost(NULL, 1));
	audit_close(NULL);
}

TEST(chain_over_restarts)
{
	struct audit *audit = start();
	struct audit_statistics statistics;

	for (int i = 0; i < 5; i++) {
		append(audit, NULL);
		write_batch(audit, SIZE_MAX);
		append(audit, NULL); /* written by the close */
		audit_close(audit);
		audit = open_log();
	}
	audit_statistics(audit, &statistics);
	ASSERT_EQ(statistics.sequence, 21);
	ASSERT_EQ(statistics.written, 21);
	ASSERT_EQ(statistics.failures, 0);
	ASSERT_STREQ(statistics.path, log_path);
	audit_close(audit);
	expect_intact(22);
}

/* ---- failures ---- */

/* Writes `len` octets of the batch, then fails as a full disk does. */
static void fail_batch(struct audit *audit, size_t len)
{
	struct wire_bytes batch;
	bool sync;
	int fd;

	ASSERT_TRUE(audit_batch_take(audit, &fd, &batch, &sync));
	ASSERT_LT(len, batch.len);
	if (len) {
		ASSERT_EQ(write(fd, batch.data, len), (ssize_t)len);
		ASSERT_TRUE(audit_batch_written(audit, (ssize_t)len, &batch));
	}
	ASSERT_FALSE(audit_batch_written(audit, -ENOSPC, &batch));
	audit_batch_done(audit, 0);
}

/* A full disk after `len` octets of the batch: the waiting are told, the others are not, the file
 * is whole and goes on. */
static void fail_after(size_t len)
{
	struct audit *audit = start();
	uint64_t before = append(audit, "before"), lost, late, after;
	off_t whole;

	write_batch(audit, SIZE_MAX);
	whole = log_len();
	lost = append(audit, "lost");
	late = append(audit, "lost as well");
	fail_batch(audit, len);
	EXPECT_EQ(log_len(), whole);
	EXPECT_GE(audit_written(audit), late); /* settled */
	EXPECT_FALSE(audit_lost(audit, before));
	EXPECT_TRUE(audit_lost(audit, lost));
	EXPECT_TRUE(audit_lost(audit, late));
	EXPECT_FALSE(audit_lost(audit, late + 1));
	EXPECT_FALSE(audit_lost(audit, 0));
	after = append(audit, "after");
	EXPECT_EQ(after, late + 1);
	write_batch(audit, SIZE_MAX);
	EXPECT_FALSE(audit_lost(audit, after));
	EXPECT_TRUE(audit_lost(audit, lost));
	audit_close(audit);
	expect_intact(4);
	expect_text(3, "detail", "after");
}

TEST(failed_write)
{
	fail_after(0);
}

TEST(failed_write_after_a_piece)
{
	fail_after(100);
}

TEST(failed_write_after_a_whole_record)
{
	fail_after(400);
}

/* Records that were appended while the failing batch was in flight are chained to lost ones. */
TEST(failed_write_takes_the_next_batch_along)
{
	struct audit *audit = start();
	struct wire_bytes batch;
	uint64_t later;
	bool sync;
	int fd;

	append(audit, NULL);
	ASSERT_TRUE(audit_batch_take(audit, &fd, &batch, &sync));
	later = append(audit, NULL);
	ASSERT_FALSE(audit_batch_written(audit, -EIO, &batch));
	ASSERT_FALSE(audit_batch_done(audit, 0)); /* nothing waits any more */
	ASSERT_TRUE(audit_lost(audit, later));
	audit_close(audit);
	expect_intact(2);
}

TEST(failed_sync_is_a_failed_write)
{
	struct audit *audit = start();
	struct wire_bytes batch;
	uint64_t ticket = append(audit, NULL);
	off_t whole = log_len();
	bool sync;
	int fd;

	ASSERT_TRUE(audit_batch_take(audit, &fd, &batch, &sync));
	ASSERT_EQ(write(fd, batch.data, batch.len), (ssize_t)batch.len);
	ASSERT_FALSE(audit_batch_written(audit, (ssize_t)batch.len, &batch));
	ASSERT_FALSE(audit_batch_done(audit, -EIO));
	ASSERT_TRUE(audit_lost(audit, ticket));
	ASSERT_EQ(log_len(), whole);
	append(audit, NULL);
	audit_close(audit);
	expect_intact(3);
}

/* A write of nothing is no progress. */
TEST(write_of_nothing_is_a_failure)
{
	struct audit *audit = start();
	struct wire_bytes batch;
	uint64_t ticket = append(audit, NULL);
	bool sync;
	int fd;

	ASSERT_TRUE(audit_batch_take(audit, &fd, &batch, &sync));
	ASSERT_FALSE(audit_batch_written(audit, 0, &batch));
	audit_batch_done(audit, 0);
	ASSERT_TRUE(audit_lost(audit, ticket));
	audit_close(audit);
}

TEST(many_failures)
{
	struct audit *audit = start();
	struct audit_statistics statistics;
	uint64_t ticket = 0;

	for (int i = 0; i < 300; i++) {
		ticket = append(audit, NULL);
		fail_batch(audit, i % 50);
		ASSERT_TRUE(audit_lost(audit, ticket));
	}
	audit_statistics(audit, &statistics);
	ASSERT_EQ(statistics.failures, 300);
	append(audit, NULL);
	audit_close(audit);
	expect_intact(3);
}

TEST(full_buffer)
{
	struct audit_record record = record_of(AUDIT_CRYPTO);
	struct audit *audit = start();
	enum err err = ERROR_NONE;
	uint64_t appended = 0;

	while (audit_append(audit, &record, &err))
		appended++;
	ASSERT_EQ(err, ERROR_AUDIT);
	ASSERT_GT(appended, 1000);
	err = ERROR_NONE;
	ASSERT_EQ(audit_append(audit, &record, &err), 0); /* and still */
	ASSERT_EQ(err, ERROR_AUDIT);
	write_batch(audit, 65536);
	append(audit, NULL);
	audit_close(audit);
	expect_intact(appended + 3);
}

/* A disk that is really full. */
TEST(real_full_disk)
{
	struct audit_verdict verdict;
	const char *path = log_path;
	struct audit *audit;
	char fill[256];

	set_up();
	snprintf(fill, sizeof(fill), "mount -t tmpfs -o size=8k tmpfs '%s' 2>/dev/null", folder);
	if (geteuid() || system(fill))
		SKIP("no right to mount a small file system");
	audit = open_log();
	for (int i = 0; i < 40; i++) {
		struct wire_bytes batch;
		uint64_t ticket = append(audit, "0123456789012345678901234567890123456789");
		bool sync, more = true;
		int fd;

		ASSERT_TRUE(audit_batch_take(audit, &fd, &batch, &sync));
		while (more) {
			ssize_t written = write(fd, batch.data, batch.len);

			more = audit_batch_written(audit, written < 0 ? -errno : written, &batch);
		}
		audit_batch_done(audit, 0);
		if (i == 39)
			EXPECT_TRUE(audit_lost(audit, ticket));
	}
	audit_close(audit);
	ASSERT_EQ(audit_verify(&path, 1, NULL, &verdict), 0);
	EXPECT_TRUE(verdict.intact);
	EXPECT_GT(verdict.records, 5);
	snprintf(fill, sizeof(fill), "umount '%s'", folder);
	EXPECT_EQ(system(fill), 0);
}

/* ---- the form ---- */

static const uint8_t previous[AUDIT_HASH_LEN] = {0xab, 0xff, 0x01};

/* Formats between two guards, with its number as its anchor's; the parsed record, the caller's
 * reference. */
static json_t *format(const struct audit_record *record, uint64_t sequence, int64_t now_ns)
{
	const struct audit_place place = {sequence, sequence, previous};
	char room[16 + AUDIT_LINE_MAX + 16];
	char *line = room + 16;
	json_t *parsed;
	size_t len;

	memset(room, 0x5a, sizeof(room));
	len = audit_format(line, record, &place, now_ns);
	ASSERT_LE(len, AUDIT_LINE_MAX);
	ASSERT_EQ(line[len - 1], '\n');
	ASSERT_EQ(line[len], 0x5a);
	ASSERT_EQ(line[-1], 0x5a);
	ASSERT_NULL(memchr(line, '\n', len - 1));
	for (size_t i = 0; i < len - 1; i++)
		ASSERT_TRUE(line[i] >= 0x20 && line[i] < 0x7f);
	parsed = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	if (!parsed)
		printf("# %.*s", (int)len, line);
	ASSERT_NOT_NULL(parsed);
	return parsed;
}

/* Everything as long as it can be. */
static struct audit_record longest(const char *detail)
{
	static const uint8_t uid[OBJECT_UID_LEN] = {0xff, 0xee};

	return (struct audit_record){
		.class = AUDIT_ADMIN,
		.operation = "C_GetOperationStateOfSomethingWithAVeryLongName",
		.session_handle = UINT64_MAX,
		.key_uid = uid,
		.mechanism = UINT64_MAX - 1,
		.uid = UINT32_MAX,
		.pid = INT32_MAX,
		.client = detail,
		.detail = detail,
	};
}

TEST(every_error_fits)
{
	char detail[3000];

	memset(detail, '"', sizeof(detail));
	detail[sizeof(detail) - 1] = '\0';
	for (enum err err = 0; err < ERROR_COUNT; err++) {
		struct audit_record record = longest(detail);
		json_t *parsed;

		record.result = err;
		parsed = format(&record, UINT64_MAX >> 1, INT64_MAX);
		EXPECT_STREQ(json_string_value(json_object_get(parsed, "result")),
		             err ? "Failure" : "Success");
		EXPECT_EQ(json_object_get(parsed, "ckr") == NULL, err == ERROR_NONE);
		if (err) {
			EXPECT_STREQ(json_string_value(json_object_get(parsed, "ckr")),
			             err_ckr_name(err));
			EXPECT_STREQ(json_string_value(json_object_get(parsed, "reason")),
			             err_text(err));
			EXPECT_EQ(json_integer_value(json_object_get(parsed, "ckr_number")),
			          err_ckr(err));
		}
		EXPECT_EQ(json_string_length(json_object_get(parsed, "detail")), AUDIT_DETAIL_MAX);
		json_decref(parsed);
	}
}

TEST(every_mechanism_fits)
{
	static const uint64_t types[] = {
#define MECHANISM(type, ...) type,
#include "wire/mechanism.def"
#undef MECHANISM
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct audit_record record = longest(NULL);
		json_t *parsed;

		record.mechanism = types[i];
		parsed = format(&record, 1, 1);
		EXPECT_STREQ(json_string_value(json_object_get(parsed, "mechanism")),
		             wire_mechanism_name(types[i]));
		EXPECT_LT(strlen(wire_mechanism_name(types[i])), 64); /* audit_format.c's bound */
		json_decref(parsed);
	}
}

TEST(unknown_mechanism_is_a_number)
{
	struct audit_record record = record_of(AUDIT_CRYPTO);
	json_t *parsed;

	record.mechanism = 0x80000123;
	parsed = format(&record, 1, 1);
	EXPECT_EQ(json_integer_value(json_object_get(parsed, "mechanism")), 0x80000123);
	json_decref(parsed);
	record.mechanism = CK_UNAVAILABLE_INFORMATION;
	parsed = format(&record, 1, 1);
	EXPECT_NULL(json_object_get(parsed, "mechanism"));
	json_decref(parsed);
}

/* A client may send any 64 bits as a handle or a mechanism; the line stays one that JSON readers
 * take, else nobody could start the agent again. */
TEST(numbers_beyond_json)
{
	struct audit_record record = record_of(AUDIT_CRYPTO);
	json_t *parsed;

	record.session_handle = INT64_MAX;
	record.mechanism = INT64_MAX;
	parsed = format(&record, 1, 1);
	EXPECT_EQ(json_integer_value(json_object_get(parsed, "session_handle")), INT64_MAX);
	EXPECT_EQ(json_integer_value(json_object_get(parsed, "mechanism")), INT64_MAX);
	json_decref(parsed);
	record.session_handle = UINT64_MAX;
	record.mechanism = 1ull << 63;
	parsed = format(&record, 1, 1);
	EXPECT_STREQ(json_string_value(json_object_get(parsed, "session_handle")),
	             "18446744073709551615");
	EXPECT_STREQ(json_string_value(json_object_get(parsed, "mechanism")),
	             "9223372036854775808");
	json_decref(parsed);
}

TEST(every_octet_in_detail)
{
	for (int octet = 1; octet < 256; octet++) {
		struct audit_record record = record_of(AUDIT_CRYPTO);
		char detail[4] = {'a', (char)octet, 'b', 0};
		bool plain = octet >= 0x20 && octet < 0x7f && octet != '"' && octet != '\\';
		char wanted[4] = {'a', plain ? (char)octet : '?', 'b', 0};
		json_t *parsed;

		record.detail = detail;
		parsed = format(&record, 1, 1);
		EXPECT_STREQ(json_string_value(json_object_get(parsed, "detail")), wanted);
		json_decref(parsed);
	}
}

/* A remote client's name stands in front of what is ours to say, and cannot look like it. */
TEST(client_is_bounded_and_escaped)
{
	struct audit_record record = {.operation = "C_Sign",
	                              .mechanism = CK_UNAVAILABLE_INFORMATION,
	                              .client = "CN=a\",\"result\":\"\n\x7f"};
	json_t *parsed = format(&record, 1, 0);
	char longer[2 * WIRE_CLIENT_MAX];

	EXPECT_STREQ(json_string_value(json_object_get(parsed, "client")), "CN=a?,?result?:???");
	json_decref(parsed);
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	record.client = longer;
	parsed = format(&record, 1, 0);
	EXPECT_EQ(strlen(json_string_value(json_object_get(parsed, "client"))), WIRE_CLIENT_MAX);
	json_decref(parsed);
	record.client = NULL;
	parsed = format(&record, 1, 0);
	EXPECT_NULL(json_object_get(parsed, "client"));
	json_decref(parsed);
}

TEST(fields)
{
	static const uint8_t uid[OBJECT_UID_LEN] = {0x00, 0x01, 0x7f, 0x80, 0xff};
	struct audit_record record = record_of(AUDIT_CRYPTO);
	json_t *parsed;

	record.key_uid = uid;
	record.fips_approved = true;
	parsed = format(&record, 12, 1700000000000007999);
	EXPECT_EQ(json_integer_value(json_object_get(parsed, "seq")), 12);
	EXPECT_EQ(json_integer_value(json_object_get(parsed, "anchor")), 12);
	EXPECT_EQ((int64_t)(json_real_value(json_object_get(parsed, "timestamp")) * 1e6),
	          1700000000000007);
	EXPECT_EQ(json_integer_value(json_object_get(parsed, "session_handle")), 77);
	EXPECT_EQ(json_integer_value(json_object_get(parsed, "uid")), 1000);
	EXPECT_EQ(json_integer_value(json_object_get(parsed, "pid")), 4242);
	EXPECT_STREQ(json_string_value(json_object_get(parsed, "operation")), "C_Sign");
	EXPECT_STREQ(json_string_value(json_object_get(parsed, "mechanism")), "CKM_ECDSA");
	EXPECT_STREQ(json_string_value(json_object_get(parsed, "key_id")),
	             "00017f80ff0000000000000000000000");
	EXPECT_TRUE(json_is_true(json_object_get(parsed, "fips_approved")));
	EXPECT_STREQ(json_string_value(json_object_get(parsed, "previous_hash")),
	             "abff010000000000000000000000000000000000000000000000000000000000");
	json_decref(parsed);
	record.key_uid = NULL;
	parsed = format(&record, 12, 0);
	EXPECT_TRUE(json_is_null(json_object_get(parsed, "key_id")));
	EXPECT_NULL(json_object_get(parsed, "detail"));
	json_decref(parsed);
}

HARNESS_MAIN
