/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log's file as it is found at a start: torn ends are repaired and recorded, and files
 * that are somebody else's, no files or no logs are refused and left as they are.
 */
#include <signal.h>
#include <sys/wait.h>

#include "audit_help.h"

#define OTHER_UID 65534

/* Opening must fail, with these words among those of the one line. */
static void expect_refusal(const char *words)
{
	struct audit *audit = NULL;
	char error[512] = "";

	ASSERT_EQ(audit_open(&audit, config, &crypto, NULL, error, sizeof(error)), -1);
	ASSERT_NULL(audit);
	ASSERT_EQ(strncmp(error, "Failed to open audit log: ", 26), 0);
	if (!strstr(error, words))
		printf("# %s\n", error);
	EXPECT_NOT_NULL(strstr(error, words));
	EXPECT_NULL(strchr(error, '\n'));
	EXPECT_NOT_NULL(strstr(error, log_path));
}

static void put_file(const char *text, size_t len, int flags)
{
	int fd = open(log_path, O_WRONLY | O_CREAT | flags, 0600);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(write(fd, text, len), (ssize_t)len);
	close(fd);
}

/* ---- torn ends ---- */

/* Every way in which the last record can be cut. */
TEST(torn_tail_at_every_length)
{
	struct audit *audit = start();
	char octets[4 * AUDIT_LINE_MAX];
	off_t whole;
	ssize_t len;
	int fd;

	whole = log_len();
	append(audit, "torn");
	write_batch(audit, SIZE_MAX);
	fd = open(log_path, O_RDONLY);
	len = read(fd, octets, sizeof(octets));
	close(fd);
	audit_close(audit);
	ASSERT_GT(len, whole + 100);
	for (off_t cut = whole + 1; cut < len; cut++) {
		put_file(octets, (size_t)cut, O_TRUNC);
		audit_close(open_log());
		expect_intact(4);
		expect_text(2, "operation", "audit-recovered");
		expect_text(3, "operation", "agent-start");
	}
	put_file(octets, (size_t)len, O_TRUNC);
	audit_close(open_log());
	expect_intact(4);
	expect_text(2, "detail", "torn");
}

TEST(torn_octets_are_kept)
{
	struct audit *audit = start();
	static const char torn[] = "{\"seq\":2,\xff";
	char hex[2 * sizeof(torn)] = "";

	audit_close(audit);
	put_file(torn, sizeof(torn) - 1, O_APPEND);
	for (size_t i = 0; i < sizeof(torn) - 1; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned char)torn[i]);
	audit_close(open_log());
	expect_intact(5);
	expect_text(3, "detail", hex);
}

/* A torn end longer than a record can be is shown in part; the line still fits. */
TEST(long_torn_tail)
{
	char torn[AUDIT_LINE_MAX - 1];

	memset(torn, 'z', sizeof(torn));
	audit_close(start());
	put_file(torn, sizeof(torn), O_APPEND);
	audit_close(open_log());
	expect_intact(5);
}

TEST(only_a_torn_line)
{
	set_up();
	put_file("{\"se", 4, O_TRUNC);
	audit_close(open_log());
	expect_intact(3);
	expect_text(1, "operation", "audit-recovered");
}

TEST(killed_between_two_starts)
{
	pid_t pid;
	int status;

	set_up();
	pid = fork();
	if (!pid) {
		struct audit *killed = open_log();

		append(killed, NULL);
		write_batch(killed, SIZE_MAX);
		raise(SIGKILL);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	ASSERT_TRUE(WIFSIGNALED(status));
	audit_close(open_log());
	expect_intact(4);
}

/* ---- files that are refused ---- */

TEST(refuses_modes)
{
	static const mode_t modes[] = {0640, 0604, 0666, 0700, 0400, 0620, 04600};

	audit_close(start());
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		off_t len = log_len();

		ASSERT_EQ(chmod(log_path, modes[i]), 0);
		if (modes[i] == 0400 && geteuid())
			expect_refusal("permission denied");
		else
			expect_refusal("chmod 600");
		ASSERT_EQ(log_len(), len);
	}
	ASSERT_EQ(chmod(log_path, 0600), 0);
	audit_close(open_log());
	expect_intact(4);
}

TEST(refuses_another_owner)
{
	audit_close(start());
	if (geteuid())
		SKIP("only root can give a file away");
	ASSERT_EQ(chown(log_path, OTHER_UID, 0), 0);
	expect_refusal("chown it");
}

TEST(refuses_symbolic_link)
{
	char target[128];

	set_up();
	snprintf(target, sizeof(target), "%s/elsewhere", folder);
	ASSERT_EQ(symlink(target, log_path), 0);
	expect_refusal("symbolic link");
	ASSERT_NE(access(target, F_OK), 0); /* nothing was made there */
}

TEST(refuses_folder)
{
	set_up();
	ASSERT_EQ(mkdir(log_path, 0700), 0);
	expect_refusal("directory");
}

/* Opening a FIFO must not wait for its other end. */
TEST_TIMEOUT(refuses_fifo, 5)
{
	set_up();
	ASSERT_EQ(mkfifo(log_path, 0600), 0);
	expect_refusal("not a regular file");
}

TEST(refuses_missing_folder)
{
	set_up();
	ASSERT_EQ(rmdir(folder), 0);
	expect_refusal("directory does not exist");
}

TEST(refuses_last_lines)
{
	static const char *const lines[] = {
		"garbage\n",
		"\n",
		"{}\n",
		"[]\n",
		"{\"seq\":\"1\"}\n",
		"{\"seq\":0}\n",
		"{\"seq\":-4}\n",
		"{\"seq\":1,\"seq\":2}\n",
		"{\"seq\":1.5}\n",
		"{\"seq\":99999999999999999999}\n",
		"{\"seq\":1} {\"seq\":2}\n",
		"garbage\n{\"se",
	};

	set_up();
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		put_file(lines[i], strlen(lines[i]), O_TRUNC);
		printf("# %zu\n", i);
		expect_refusal("not an audit record");
		ASSERT_EQ(log_len(), (off_t)strlen(lines[i])); /* kept as evidence */
	}
}

TEST(refuses_endless_lines)
{
	static char line[3 * AUDIT_LINE_MAX];

	set_up();
	memset(line, 'x', sizeof(line));
	put_file(line, sizeof(line), O_TRUNC);
	expect_refusal("not an audit record");
	line[sizeof(line) - 1] = '\n';
	put_file(line, sizeof(line), O_TRUNC);
	expect_refusal("not an audit record");
	ASSERT_EQ(log_len(), sizeof(line));
}

/* A short buffer for the reason is not overrun. */
TEST(refusal_in_a_short_buffer)
{
	set_up();
	put_file("garbage\n", 8, O_TRUNC);
	for (size_t len = 1; len < 140; len++) {
		struct audit *audit = NULL;
		char *error = malloc(len);

		ASSERT_NOT_NULL(error);
		ASSERT_EQ(audit_open(&audit, config, &crypto, NULL, error, len), -1);
		ASSERT_LT(strnlen(error, len), len);
		free(error);
	}
}

HARNESS_MAIN
