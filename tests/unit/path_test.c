/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths that hold the token: what is refused, in which words, and what is made.
 */
#include <fcntl.h>
#include <limits.h>

#include "base_fixture.h"
#include "path.h"

#define NOBODY 65534

static int open_directory(const char *path)
{
	base_error[0] = '\0';
	return path_open_private_directory(path, base_error, sizeof(base_error));
}

static void refused(const char *path, const char *why)
{
	EXPECT_EQ(open_directory(path), -1);
	EXPECT_TRUE(base_error_has(why));
	EXPECT_EQ(strncmp(base_error, path, strlen(path)), 0);
	EXPECT_NULL(strchr(base_error, '\n'));
}

/* `path` with each % replaced by the scratch folder. */
static const char *expand(const char *path)
{
	static char out[1024];

	snprintf(out, sizeof(out), "%s%s", *path == '%' ? base_folder : "",
	         *path == '%' ? path + 1 : path);
	return out;
}

static void make_folders(void)
{
	ASSERT_EQ(mkdir(base_path("real"), 0700), 0);
	ASSERT_EQ(mkdir(base_path("real/inner"), 0700), 0);
	ASSERT_EQ(mkdir(base_path("group"), 0750), 0);
	ASSERT_EQ(mkdir(base_path("world"), 0701), 0);
	ASSERT_EQ(symlink("real", base_path("link")), 0);
	ASSERT_EQ(symlink("nowhere", base_path("dangling")), 0);
	base_write(base_path("file"), "x", 1, 0600);
}

TEST(refusals)
{
	static const struct {
		const char *path, *why;
	} rows[] = {
		{"", "must be absolute"},
		{"relative", "must be absolute"},
		{"./relative", "must be absolute"},
		{"../relative", "must be absolute"},
		{"/", "must be absolute"},
		{"///", "must be absolute"},
		{"%/../x", "are not allowed"},
		{"%/real/..", "are not allowed"},
		{"%/real/.", "are not allowed"},
		{"%/./real", "are not allowed"},
		{"/..", "are not allowed"},
		{"%/link", "symbolic link"},
		{"%/link/", "symbolic link"},
		{"%/link/inner", "symbolic link"},
		{"%/dangling", "symbolic link"},
		{"%/dangling/x", "symbolic link"},
		{"%/file", "not a directory"},
		{"%/file/x", "not a directory"},
		{"%/missing/x", "does not exist; create it"},
		{"%/group", "mode is 0750, others can get in; chmod 700"},
		{"%/world", "mode is 0701, others can get in; chmod 700"},
	};

	umask(0);
	base_path("");
	make_folders();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		printf("# %s\n", rows[i].path);
		refused(expand(rows[i].path), rows[i].why);
	}
	EXPECT_NE(access(base_path("nowhere"), F_OK), 0);
}

TEST(long_names)
{
	char path[600] = "/", name[NAME_MAX + 2];
	int fd;

	memset(name, 'n', sizeof(name));
	name[NAME_MAX + 1] = '\0';
	snprintf(path, sizeof(path), "%s/%s", base_path("."), name);
	refused(path, "not allowed"); /* for the dot, too */
	snprintf(path, sizeof(path), "%s/%s", base_folder, name);
	refused(path, "names of more than 255 octets");
	path[strlen(path) - 1] = '\0';
	fd = open_directory(path);
	EXPECT_GE(fd, 0);
	close(fd);
}

TEST(makes_only_the_last)
{
	const char *path = base_path("fresh");
	struct stat by_name, by_fd;
	int fd;

	umask(0);
	fd = open_directory(path);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(stat(path, &by_name), 0);
	ASSERT_EQ(fstat(fd, &by_fd), 0);
	EXPECT_EQ(by_name.st_ino, by_fd.st_ino);
	EXPECT_EQ(by_name.st_mode & 07777, 0700);
	EXPECT_TRUE(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	fd = open_directory(path);
	EXPECT_GE(fd, 0);
	close(fd);
	refused(base_path("fresh/a/b"), "does not exist");
	EXPECT_NE(access(base_path("fresh/a"), F_OK), 0);
}

TEST(open_parent)
{
	const char *name = NULL;
	struct stat here, wanted;
	int fd;

	ASSERT_EQ(mkdir(base_path("real"), 0755), 0);
	fd = path_open_parent(base_path("real//key"), &name, base_error, sizeof(base_error));
	ASSERT_GE(fd, 0);
	EXPECT_STREQ(name, "key");
	ASSERT_EQ(fstat(fd, &here), 0);
	ASSERT_EQ(stat(base_path("real"), &wanted), 0);
	EXPECT_EQ(here.st_ino, wanted.st_ino);
	close(fd);
	fd = path_open_parent("/key", &name, base_error, sizeof(base_error));
	ASSERT_GE(fd, 0);
	EXPECT_STREQ(name, "key");
	close(fd);
	EXPECT_EQ(path_open_parent("key", &name, base_error, sizeof(base_error)), -1);
	EXPECT_TRUE(base_error_has("absolute"));
}

/* Runs `check` in a child that is nobody. */
static void as_nobody(void (*check)(void))
{
	int status = 0;
	pid_t child;

	if (geteuid())
		SKIP("needs root to become somebody else");
	ASSERT_EQ(chmod(base_folder, 0755), 0);
	child = fork();
	if (!child) {
		if (setgid(NOBODY) || setuid(NOBODY))
			_exit(78);
		check();
		fflush(stdout);
		_exit(harness_failed ? 79 : 77);
	}
	ASSERT_EQ(waitpid(child, &status, 0), child);
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(WEXITSTATUS(status), 77);
}

static void check_foreign(void)
{
	refused(expand("%/roots"), "belongs to uid 0, the daemon runs as uid 65534; chown it");
}

TEST(foreign_owner)
{
	ASSERT_EQ(mkdir(base_path("roots"), 0755), 0);
	as_nobody(check_foreign);
}

TEST(foreign_owner_for_root)
{
	if (geteuid())
		SKIP("needs root to give a directory away");
	ASSERT_EQ(mkdir(base_path("given"), 0700), 0);
	ASSERT_EQ(chown(base_path("given"), NOBODY, NOBODY), 0);
	refused(base_path("given"), "belongs to uid 65534");
}

static void check_denied(void)
{
	refused(expand("%/roots/inner"), "permission denied"); /* may not pass */
	refused(expand("%/fresh"), "permission denied");       /* may not make */
	refused(expand("%/roots"), "permission denied");       /* may not open */
}

TEST(permission_denied)
{
	ASSERT_EQ(mkdir(base_path("roots"), 0700), 0);
	ASSERT_EQ(mkdir(base_path("roots/inner"), 0777), 0);
	as_nobody(check_denied);
}

static void check_passable(void)
{
	int fd = open_directory(expand("%/passable/own"));

	EXPECT_GE(fd, 0);
	if (fd < 0)
		printf("# %s\n", base_error);
}

/* A parent that may be passed but not listed is as good as any. */
TEST(parent_without_read_permission)
{
	ASSERT_EQ(mkdir(base_path("passable"), 0711), 0);
	ASSERT_EQ(mkdir(base_path("passable/own"), 0700), 0);
	if (!geteuid())
		ASSERT_EQ(chown(base_path("passable/own"), NOBODY, NOBODY), 0);
	as_nobody(check_passable);
}

TEST(words_for_errno)
{
	static const struct {
		int number;
		const char *why;
	} rows[] = {
		{EACCES, "permission denied"},       {EPERM, "permission denied"},
		{ENOENT, "does not exist"},          {ELOOP, "symbolic link"},
		{ENOTDIR, "not a directory"},        {EROFS, "read-only file system"},
		{ENOSPC, "No space left on device"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		EXPECT_EQ(path_refuse_errno("/p", rows[i].number, base_error, sizeof(base_error)),
		          -1);
		EXPECT_TRUE(base_error_has(rows[i].why));
		EXPECT_EQ(strncmp(base_error, "/p: ", 4), 0);
	}
	EXPECT_EQ(path_refuse_errno("/p", EROFS, base_error, 5), -1);
	EXPECT_STREQ(base_error, "/p: ");
}

HARNESS_MAIN
