/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier: whatever is done to a log, the first bad file and line are named. The logs are made
 * here from audit_format and SHA-256, not by the agent, so that both are compared with something.
 */
#include <openssl/evp.h>
#include <stdarg.h>

#include "harness.h"

#include "audit_format.h"
#include "audit_verify.h"
#include "object.h"

#define LINES    8u
#define SEGMENTS 3u

/* A log in memory: the lines with their newlines. */
struct text {
	char lines[LINES * SEGMENTS][AUDIT_LINE_MAX];
	size_t len[LINES * SEGMENTS];
	unsigned int count;
};

static char folder[64];

static void remove_scratch(void)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	if (system(command))
		printf("# %s could not be removed\n", folder);
}

static const char *segment_path(unsigned int segment)
{
	static char paths[SEGMENTS][96];

	snprintf(paths[segment], sizeof(paths[segment]), "%s/audit.%u", folder, segment);
	return paths[segment];
}

static void hash_line(const char *line, size_t len, uint8_t hash[AUDIT_HASH_LEN])
{
	ASSERT_EQ(EVP_Digest(line, len, hash, NULL, EVP_sha256(), NULL), 1);
}

static struct text *make(unsigned int count)
{
	static const uint8_t uid[OBJECT_UID_LEN] = {1, 2, 3};
	struct text *text = calloc(1, sizeof(*text));
	uint8_t hash[AUDIT_HASH_LEN] = {0};

	ASSERT_NOT_NULL(text);
	for (unsigned int i = 0; i < count; i++) {
		struct audit_record record = {
			.operation = "C_Sign",
			.session_handle = 100 + i,
			.key_uid = i % 2 ? uid : NULL,
			.mechanism = CKM_ECDSA,
			.result = i % 3 ? ERROR_NONE : ERROR_PIN_INCORRECT,
			.uid = 1000,
			.pid = 4242,
			.detail = i % 4 ? NULL : "a detail",
		};
		const struct audit_place place = {.sequence = i + 1, .previous_hash = hash};

		text->len[i] = audit_format(text->lines[i], &record, &place,
		                            1700000000000000000 + i * 1000000);
		hash_line(text->lines[i], text->len[i] - 1, hash);
	}
	text->count = count;
	if (!folder[0]) {
		snprintf(folder, sizeof(folder), "/tmp/craton-verify.XXXXXX");
		ASSERT_NOT_NULL(mkdtemp(folder));
		atexit(remove_scratch);
	}
	return text;
}

/* Writes lines from .. to - 1 as a segment. */
static void save(const struct text *text, unsigned int segment, unsigned int from, unsigned int to)
{
	FILE *file = fopen(segment_path(segment), "w");

	ASSERT_NOT_NULL(file);
	for (unsigned int i = from; i < to; i++)
		ASSERT_EQ(fwrite(text->lines[i], 1, text->len[i], file), text->len[i]);
	ASSERT_EQ(fclose(file), 0);
}

static struct audit_verdict verify(unsigned int segments)
{
	const char *paths[SEGMENTS];
	struct audit_verdict verdict;

	for (unsigned int i = 0; i < segments; i++)
		paths[i] = segment_path(i);
	ASSERT_EQ(audit_verify(paths, segments, NULL, &verdict), 0);
	EXPECT_EQ(verdict.intact, verdict.first_bad_line == 0);
	EXPECT_EQ(verdict.intact, verdict.first_bad_file[0] == '\0');
	EXPECT_EQ(verdict.intact, verdict.problem[0] == '\0');
	return verdict;
}

/* The text as one file: intact, or first bad at this line. */
static void expect_bad(const struct text *text, uint64_t line)
{
	struct audit_verdict verdict;

	save(text, 0, 0, text->count);
	verdict = verify(1);
	if (verdict.first_bad_line != line)
		printf("# %s\n", verdict.problem);
	EXPECT_EQ(verdict.first_bad_line, line);
	if (line)
		EXPECT_STREQ(verdict.first_bad_file, segment_path(0));
}

static void expect_fault(const struct text *text, uint64_t line, enum audit_fault fault)
{
	struct audit_verdict verdict;

	expect_bad(text, line);
	verdict = verify(1);
	EXPECT_STREQ(audit_fault_name(verdict.fault), audit_fault_name(fault));
}

static void delete (struct text *text, unsigned int at)
{
	text->count--;
	memmove(text->lines[at], text->lines[at + 1], (text->count - at) * AUDIT_LINE_MAX);
	memmove(&text->len[at], &text->len[at + 1], (text->count - at) * sizeof(text->len[0]));
}

static void swap(struct text *text, unsigned int a, unsigned int b)
{
	char line[AUDIT_LINE_MAX];
	size_t len = text->len[a];

	memcpy(line, text->lines[a], sizeof(line));
	memcpy(text->lines[a], text->lines[b], sizeof(line));
	memcpy(text->lines[b], line, sizeof(line));
	text->len[a] = text->len[b];
	text->len[b] = len;
}

/* A line made for this place by somebody who knows the form; returns nothing but changes it. */
static void forge(struct text *text, unsigned int at, uint64_t sequence, unsigned int follows)
{
	struct audit_record record = {.operation = "C_Forged"};
	uint8_t hash[AUDIT_HASH_LEN] = {0};
	const struct audit_place place = {.sequence = sequence, .previous_hash = hash};

	if (follows)
		hash_line(text->lines[follows - 1], text->len[follows - 1] - 1, hash);
	text->len[at] = audit_format(text->lines[at], &record, &place, 1);
}

TEST(intact)
{
	struct text *text = make(LINES);
	struct audit_verdict verdict;
	uint8_t hash[AUDIT_HASH_LEN];
	char hex[2 * AUDIT_HASH_LEN + 1];

	expect_bad(text, 0);
	verdict = verify(1);
	EXPECT_EQ(verdict.records, LINES);
	hash_line(text->lines[LINES - 1], text->len[LINES - 1] - 1, hash);
	for (unsigned int i = 0; i < AUDIT_HASH_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	EXPECT_STREQ(verdict.last_hash, hex);
	free(text);
}

TEST(nothing_to_verify)
{
	struct text *text = make(0);
	struct audit_verdict verdict;

	expect_bad(text, 0);
	ASSERT_EQ(audit_verify(NULL, 0, NULL, &verdict), 0);
	EXPECT_TRUE(verdict.intact);
	EXPECT_EQ(verdict.records, 0);
	free(text);
}

/* Every octet of a line in the middle, changed in three ways: that line is named. */
TEST(edit_every_octet)
{
	static const char changes[] = {0x01, 0x10, (char)0x80};
	struct text *text = make(LINES);
	const unsigned int at = 3;

	for (size_t i = 0; i < text->len[at] - 1; i++) {
		for (size_t change = 0; change < sizeof(changes); change++) {
			struct audit_verdict verdict;

			text->lines[at][i] ^= changes[change];
			save(text, 0, 0, text->count);
			verdict = verify(1);
			text->lines[at][i] ^= changes[change];
			if (verdict.first_bad_line != at + 1)
				printf("# octet %zu: line %llu\n", i,
				       (unsigned long long)verdict.first_bad_line);
			ASSERT_FALSE(verdict.intact);
			ASSERT_EQ(verdict.first_bad_line, at + 1);
			ASSERT_EQ(verdict.fault, AUDIT_FAULT_EDITED);
		}
	}
	expect_bad(text, 0);
	free(text);
}

/* Replaces the first occurrence of `what` in a line by as many octets. */
static void overwrite(struct text *text, unsigned int at, const char *what, const char *by)
{
	char *found = memmem(text->lines[at], text->len[at], what, strlen(what));

	ASSERT_NOT_NULL(found);
	ASSERT_EQ(strlen(what), strlen(by));
	memcpy(found, by, strlen(by));
}

TEST(edit_each_field)
{
	static const struct {
		const char *what, *by;
	} rows[] = {
		{"\"seq\":4", "\"seq\":5"},
		{"\"seq\":4", "\"sEq\":4"},
		{"\"seq\":4", "\"seq\":x"},
		{"\"timestamp\":1", "\"timestamp\":2"},
		{"\"session_handle\":103", "\"session_handle\":203"},
		{"C_Sign", "C_Seed"},
		{"\"fips_approved\":false", "\"fips_approved\": true"},
		{"\"result\":\"Failure\"", "\"result\":\"Success\""},
		{"\"uid\":1000", "\"uid\":0000"}, /* no JSON */
		{"\"uid\":1000", "\"uid\":1001"},
		{"CKM_ECDSA", "CKM_ECDSB"},
		{"\"previous_hash\":\"", "\"previous_hasH\":\""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct text *text = make(LINES);

		overwrite(text, 3, rows[i].what, rows[i].by);
		printf("# %s\n", rows[i].what);
		expect_fault(text, 4, AUDIT_FAULT_EDITED);
		free(text);
	}
}

/* Nothing chains to the last line; what is in it can only be checked for its form and place. That
 * is what last_hash is for. */
TEST(edit_last_line)
{
	struct text *text = make(LINES);
	struct audit_verdict before, after;

	expect_bad(text, 0);
	before = verify(1);
	overwrite(text, LINES - 1, "\"uid\":1000", "\"uid\":1001");
	expect_bad(text, 0);
	after = verify(1);
	EXPECT_NE(strcmp(before.last_hash, after.last_hash), 0);
	free(text);
}

TEST(delete_each_line)
{
	for (unsigned int at = 0; at < LINES; at++) {
		struct text *text = make(LINES);

		delete (text, at);
		/* The last one leaves no trace but in last_hash and the number of records. */
		if (at == LINES - 1)
			expect_bad(text, 0);
		else
			expect_fault(text, at + 1, at ? AUDIT_FAULT_DELETED : AUDIT_FAULT_CUT);
		free(text);
	}
}

TEST(swap_each_pair)
{
	for (unsigned int a = 0; a < LINES; a++) {
		for (unsigned int b = a + 1; b < LINES; b++) {
			struct text *text = make(LINES);

			swap(text, a, b);
			/* At the front nothing says what was before. */
			if (a)
				expect_fault(text, a + 1, AUDIT_FAULT_SWAPPED);
			else
				expect_bad(text, 1);
			free(text);
		}
	}
}

TEST(double_each_line)
{
	for (unsigned int at = 0; at < LINES; at++) {
		struct text *text = make(LINES + 1);

		/* Lines at and at + 1 become the same; the rest moves down by one. */
		for (unsigned int i = LINES; i > at; i--) {
			memcpy(text->lines[i], text->lines[i - 1], AUDIT_LINE_MAX);
			text->len[i] = text->len[i - 1];
		}
		expect_fault(text, at + 2, AUDIT_FAULT_INSERTED);
		free(text);
	}
}

/* A forger who does not renumber and rehash everything after is found where his line begins or at
 * the next. */
TEST(insert_forged_line)
{
	for (unsigned int at = 1; at < LINES; at++) {
		struct text *text = make(LINES + 1);

		for (unsigned int i = LINES; i > at; i--) {
			memcpy(text->lines[i], text->lines[i - 1], AUDIT_LINE_MAX);
			text->len[i] = text->len[i - 1];
		}
		forge(text, at, at + 1, at);
		/* Of the last two nothing says which was there first. */
		expect_fault(text, at == LINES - 1 ? at + 2 : at + 1, AUDIT_FAULT_INSERTED);
		free(text);
	}
}

TEST(replace_by_forged_line)
{
	for (unsigned int at = 0; at < LINES - 1; at++) {
		struct text *text = make(LINES);

		forge(text, at, at + 1, at);
		expect_fault(text, at + 1, AUDIT_FAULT_EDITED);
		forge(text, at, at + 2, at); /* fits, but has the wrong number */
		expect_bad(text, at + 1);
		forge(text, at, at + 1,
		      at ? at - 1 : LINES); /* the number fits, the hash does not */
		expect_bad(text, at + 1);
		free(text);
	}
}

TEST(torn_at_every_length)
{
	struct text *text = make(2);
	size_t len = text->len[1];

	for (text->len[1] = 1; text->len[1] < len; text->len[1]++)
		expect_fault(text, 2, AUDIT_FAULT_CUT);
	text->len[1] = 0;
	expect_bad(text, 0);
	free(text);
}

TEST(newline_lost_in_the_middle)
{
	struct text *text = make(LINES);

	text->len[2]--;
	expect_bad(text, 3);
	text->len[2]++;
	text->lines[2][text->len[2] - 1] = ' ';
	expect_bad(text, 3);
	free(text);
}

TEST(strange_lines)
{
	static const char *const lines[] = {
		"\n",
		"{}\n",
		"[]\n",
		"null\n",
		"3\n",
		"{\"seq\":3}\n",
		"{\"previous_hash\":\"\"}\n",
		"{\"seq\":3,\"previous_hash\":3}\n",
		"\xff\xfe\n",
		"{\"seq\":\n",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct text *text = make(LINES);

		text->len[2] = strlen(lines[i]);
		memcpy(text->lines[2], lines[i], text->len[2]);
		expect_bad(text, 3);
		free(text);
	}
}

TEST(nul_octets)
{
	struct text *text = make(LINES);

	text->lines[2][5] = '\0';
	expect_bad(text, 3);
	memset(text->lines[2], 0, text->len[2] - 1);
	expect_bad(text, 3);
	free(text);
}

/* Deep nesting must not exhaust the verifier's stack. */
TEST(deep_nesting)
{
	struct text *text = make(LINES);

	memset(text->lines[2], '[', AUDIT_LINE_MAX);
	text->lines[2][AUDIT_LINE_MAX - 1] = '\n';
	text->len[2] = AUDIT_LINE_MAX;
	expect_bad(text, 3);
	free(text);
}

/* ---- segments ---- */

static void save_segments(const struct text *text)
{
	for (unsigned int i = 0; i < SEGMENTS; i++)
		save(text, i, i * LINES, (i + 1) * LINES);
}

TEST(segments)
{
	struct text *text = make(LINES * SEGMENTS);
	struct audit_verdict verdict;

	save_segments(text);
	verdict = verify(SEGMENTS);
	EXPECT_TRUE(verdict.intact);
	EXPECT_EQ(verdict.records, LINES * SEGMENTS);
	/* An empty one in between changes nothing. */
	save(text, 1, 0, 0);
	save(text, 2, LINES, SEGMENTS * LINES);
	EXPECT_TRUE(verify(SEGMENTS).intact);
	free(text);
}

TEST(edit_in_each_segment)
{
	for (unsigned int segment = 0; segment < SEGMENTS; segment++) {
		for (unsigned int line = 0; line < LINES; line++) {
			struct text *text = make(LINES * SEGMENTS);
			unsigned int at = segment * LINES + line;
			struct audit_verdict verdict;

			overwrite(text, at, "\"uid\":1000", "\"uid\":1001");
			save_segments(text);
			verdict = verify(SEGMENTS);
			free(text);
			if (at == LINES * SEGMENTS - 1) {
				EXPECT_TRUE(verdict.intact);
				continue;
			}
			EXPECT_STREQ(verdict.first_bad_file, segment_path(segment));
			EXPECT_EQ(verdict.first_bad_line, line + 1);
		}
	}
}

TEST(segments_out_of_order)
{
	struct text *text = make(LINES * SEGMENTS);
	struct audit_verdict verdict;

	save(text, 0, 0, LINES);
	save(text, 1, 2 * LINES, 3 * LINES);
	save(text, 2, LINES, 2 * LINES);
	verdict = verify(SEGMENTS);
	EXPECT_TRUE(verdict.intact);
	EXPECT_EQ(verdict.records, LINES * SEGMENTS);
	/* The middle one is missing. */
	save(text, 2, 0, 0);
	verdict = verify(SEGMENTS);
	EXPECT_STREQ(verdict.first_bad_file, segment_path(1));
	EXPECT_EQ(verdict.first_bad_line, 1);
	EXPECT_EQ(verdict.fault, AUDIT_FAULT_CUT);
	free(text);
}

/* The older segments are in an archive. */
TEST(a_chain_from_the_middle)
{
	const struct audit_verify_options partial = {.partial = true};
	struct text *text = make(LINES * SEGMENTS);
	struct audit_verdict verdict;
	const char *path = segment_path(0);

	save(text, 0, LINES, 3 * LINES);
	verdict = verify(1);
	EXPECT_EQ(verdict.fault, AUDIT_FAULT_CUT);
	ASSERT_EQ(audit_verify(&path, 1, &partial, &verdict), 0);
	EXPECT_TRUE(verdict.intact);
	EXPECT_EQ(verdict.records, 2 * LINES);
	EXPECT_EQ(verdict.last_sequence, 3 * LINES);
	overwrite(text, LINES + 3, "\"uid\":1000", "\"uid\":1001");
	save(text, 0, LINES, 3 * LINES);
	ASSERT_EQ(audit_verify(&path, 1, &partial, &verdict), 0);
	EXPECT_EQ(verdict.first_bad_line, 4);
	free(text);
}

TEST(torn_in_the_middle_segment)
{
	struct text *text = make(LINES * SEGMENTS);
	struct audit_verdict verdict;

	text->len[2 * LINES - 1] -= 5;
	save_segments(text);
	verdict = verify(SEGMENTS);
	EXPECT_STREQ(verdict.first_bad_file, segment_path(1));
	EXPECT_EQ(verdict.first_bad_line, LINES);
	free(text);
}

TEST(missing_file)
{
	const char *paths[] = {segment_path(0), "/nonexistent/audit"};
	struct text *text = make(LINES);
	struct audit_verdict verdict;

	paths[0] = segment_path(0);
	save(text, 0, 0, LINES);
	EXPECT_EQ(audit_verify(paths, 2, NULL, &verdict), -1);
	EXPECT_NOT_NULL(strstr(verdict.problem, "/nonexistent/audit"));
	free(text);
}

TEST(folder_is_not_a_log)
{
	struct text *text = make(0);
	struct audit_verdict verdict;
	const char *path = folder;

	EXPECT_EQ(audit_verify(&path, 1, NULL, &verdict), -1);
	free(text);
}

HARNESS_MAIN
