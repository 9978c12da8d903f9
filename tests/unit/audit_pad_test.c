/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records that are settled in the pad: nothing that was answered for is lost, whenever the agent
 * dies and whatever the disk does.
 */
#include <sys/wait.h>

#include "audit_help.h"
#include "audit_pad.h"
#include "clock.h"

static char pad_path[128];

static struct audit *start_relaxed(void)
{
	set_up();
	snprintf(pad_path, sizeof(pad_path), "%s/.audit.jsonl.pending", folder);
	config->audit.sync = CONFIG_SYNC_BATCH;
	return open_log();
}

/* What a kill leaves: no batch written, nothing closed. */
static void die_with(unsigned int batches, unsigned int pending)
{
	pid_t child = fork();
	int status;

	if (!child) {
		struct audit *audit = open_log();

		for (unsigned int i = 0; i < batches; i++) {
			append(audit, "in the file");
			write_batch(audit, SIZE_MAX);
		}
		for (unsigned int i = 0; i < pending; i++)
			append(audit, "in the pad");
		_exit(0);
	}
	waitpid(child, &status, 0);
	ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(settled_at_once)
{
	struct audit *audit = start_relaxed();
	uint64_t ticket = append(audit, NULL);

	EXPECT_EQ(audit_written(audit), ticket);
	EXPECT_TRUE(audit_is_pending(audit));
	write_batch(audit, SIZE_MAX);
	EXPECT_FALSE(audit_is_pending(audit));
	EXPECT_EQ(audit_written(audit), ticket);
	audit_close(audit);
	expect_intact(3); /* agent-start, this one, agent-stop */
}

TEST(always_waits_for_the_disk)
{
	struct audit *audit = start_relaxed();
	uint64_t ticket;

	config->audit.sync = CONFIG_SYNC_ALWAYS;
	ticket = append(audit, NULL);
	EXPECT_LT(audit_written(audit), ticket);
	write_batch(audit, SIZE_MAX);
	EXPECT_EQ(audit_written(audit), ticket);
	audit_close(audit);
}

TEST(due_by_age_and_by_size)
{
	struct audit *audit = start_relaxed();
	uint64_t now;

	append(audit, NULL);
	now = clock_monotonic_ns();
	EXPECT_FALSE(audit_is_due(audit, now - 1000000000));
	EXPECT_TRUE(audit_is_due(audit, now + 2000000));
	for (int i = 0; i < 200; i++)
		append(audit, NULL);
	EXPECT_TRUE(audit_is_due(audit, now - 1000000000));
	write_batch(audit, SIZE_MAX);
	EXPECT_FALSE(audit_is_due(audit, now + 2000000));
	audit_close(audit);
}

/* A disk that does not keep up slows its clients down instead of failing them. */
TEST(a_slow_disk_is_waited_for)
{
	struct audit *audit = start_relaxed();
	struct wire_bytes batch;
	uint64_t ticket = 0;
	bool sync;
	int fd;

	append(audit, NULL);
	ASSERT_TRUE(audit_batch_take(audit, &fd, &batch, &sync));
	do
		ticket = append(audit, NULL);
	while (audit_written(audit) == ticket);
	ASSERT_GT(ticket, 1000);
	ASSERT_EQ(write(fd, batch.data, batch.len), (ssize_t)batch.len);
	audit_batch_written(audit, (ssize_t)batch.len, &batch);
	ASSERT_TRUE(audit_batch_done(audit, 0));
	ASSERT_LT(audit_written(audit), ticket);
	write_batch(audit, SIZE_MAX);
	ASSERT_EQ(audit_written(audit), ticket);
	audit_close(audit);
	expect_intact(ticket + 1); /* agent-start has a ticket, too */
}

TEST(a_killed_agent_leaves_its_records)
{
	struct audit *audit = start_relaxed();

	audit_close(audit);
	die_with(0, 5);
	expect_intact(3); /* start, stop, start */
	die_with(3, 2);
	die_with(0, 0);
	audit_close(open_log());
	/* the first two; three starts with 5, 3 + 2, 0 records; start and stop */
	expect_intact(2 + (1 + 5) + (1 + 5) + 1 + 2);
}

/* Killed between the write and the moment when the pad is told: the log has it, and not twice. */
TEST(nothing_comes_twice)
{
	struct audit *audit = start_relaxed();
	struct wire_bytes batch;
	pid_t child;
	bool sync;
	int fd;

	audit_close(audit);
	child = fork();
	if (!child) {
		audit = open_log();
		append(audit, "one");
		append(audit, "two");
		audit_batch_take(audit, &fd, &batch, &sync);
		append(audit, "three");
		_exit(write(fd, batch.data, batch.len) == (ssize_t)batch.len ? 0 : 1);
	}
	waitpid(child, NULL, 0);
	expect_intact(5);
	audit_close(open_log());
	expect_intact(8);
}

/* A write that was torn in the middle is completed from the pad. */
TEST(a_torn_write_is_completed)
{
	struct audit *audit = start_relaxed();
	struct wire_bytes batch;
	pid_t child;
	bool sync;
	int fd;

	audit_close(audit);
	child = fork();
	if (!child) {
		audit = open_log();
		append(audit, "one");
		append(audit, "two");
		audit_batch_take(audit, &fd, &batch, &sync);
		_exit(write(fd, batch.data, batch.len - 20) == (ssize_t)batch.len - 20 ? 0 : 1);
	}
	waitpid(child, NULL, 0);
	audit_close(open_log());
	expect_intact(2 + 3 + 3); /* with a record of the torn line */
	expect_text(4, "detail", "one");
	expect_text(5, "detail", "two");
	expect_text(6, "operation", "audit-recovered");
}

static void fail_batch(struct audit *audit)
{
	struct wire_bytes batch;
	bool sync;
	int fd;

	ASSERT_TRUE(audit_batch_take(audit, &fd, &batch, &sync));
	ASSERT_EQ(write(fd, batch.data, 10), 10);
	ASSERT_TRUE(audit_batch_written(audit, 10, &batch));
	ASSERT_FALSE(audit_batch_written(audit, -ENOSPC, &batch));
	audit_batch_done(audit, 0);
}

/* What was answered for waits for room; what comes meanwhile is refused. */
TEST(a_full_disk_stalls_it)
{
	struct audit *audit = start_relaxed();
	struct audit_record record = record_of(AUDIT_CRYPTO);
	uint64_t first = append(audit, "answered for");
	enum err err = ERROR_NONE;

	fail_batch(audit);
	EXPECT_FALSE(audit_lost(audit, first));
	EXPECT_EQ(audit_append(audit, &record, &err), 0);
	EXPECT_EQ(err, ERROR_AUDIT);
	EXPECT_FALSE(audit_is_pending(audit)); /* not at once again, */
	for (uint64_t until = clock_monotonic_ns() + 5000000000; !audit_is_pending(audit);)
		ASSERT_LT(clock_monotonic_ns(), until); /* but soon */
	fail_batch(audit);
	EXPECT_EQ(audit_append(audit, &record, &err), 0);
	expect_intact(1);
	write_batch(audit, 7);
	expect_intact(2);
	append(audit, "after it");
	write_batch(audit, SIZE_MAX);
	audit_close(audit);
	expect_intact(4);
}

TEST(killed_while_stalled)
{
	struct audit *audit = start_relaxed();
	pid_t child;

	audit_close(audit);
	child = fork();
	if (!child) {
		audit = open_log();
		append(audit, "answered for");
		fail_batch(audit);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	audit_close(open_log());
	expect_intact(2 + 2 + 2);
}

static void scribble(const char *octets, size_t len, off_t offset)
{
	int fd = open(pad_path, O_WRONLY);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(pwrite(fd, octets, len, offset), (ssize_t)len);
	close(fd);
}

/* Records of another log, or that somebody changed, never get into this one. */
TEST(what_does_not_fit_is_set_aside)
{
	struct audit *audit = start_relaxed();
	char aside[160];

	audit_close(audit);
	die_with(0, 2);
	scribble("9", 1, 4096 + AUDIT_PAD_HALF + 7); /* a number that is not the next */
	audit_close(open_log());
	expect_intact(2 + 1 + 2);
	snprintf(aside, sizeof(aside), "%s.damaged", pad_path);
	EXPECT_EQ(access(aside, F_OK), 0);
}

TEST(nonsense_is_no_pad)
{
	static const char nonsense[8192];
	struct audit *audit = start_relaxed();
	static const uint64_t huge[] = {0x31646170746d7363ull, UINT64_MAX, 5};

	audit_close(audit);
	scribble(nonsense, sizeof(nonsense), 0);
	audit_close(open_log());
	scribble((const char *)huge, sizeof(huge), 0);
	audit_close(open_log());
	expect_intact(6);
	ASSERT_EQ(unlink(pad_path), 0);
	ASSERT_EQ(symlink("/dev/null", pad_path), 0);
	audit_close(open_log()); /* a warning, and every reply waits */
	expect_intact(8);
}

HARNESS_MAIN
