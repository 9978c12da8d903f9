/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listening socket: what may stand in its way and what may not, and that nothing else is
 * removed or left behind.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "harness.h"

#include "listener.h"

static char folder[64], path[sizeof(((struct sockaddr_un *)0)->sun_path)];
static char error[512];

static void remove_scratch(void)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	if (system(command))
		printf("# %s could not be removed\n", folder);
}

static void set_up(void)
{
	snprintf(folder, sizeof(folder), "/tmp/craton-listen.XXXXXX");
	ASSERT_NOT_NULL(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/sock", folder);
	atexit(remove_scratch);
}

static int try_connect(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, path, strlen(path) + 1);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* How many descriptors are open, so that a refusal can be shown to leave none. */
static int open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void expect_refusal(const char *words)
{
	int before = open_descriptors();

	error[0] = '\0';
	ASSERT_EQ(listener_open(path, error, sizeof(error)), -1);
	if (!strstr(error, words))
		printf("# %s\n", error);
	EXPECT_NOT_NULL(strstr(error, words));
	EXPECT_NULL(strchr(error, '\n'));
	EXPECT_EQ(open_descriptors(), before);
}

static void expect_serves(int listener)
{
	int client = try_connect(), server;

	ASSERT_GE(client, 0);
	server = accept(listener, NULL, NULL);
	ASSERT_GE(server, 0);
	ASSERT_EQ(write(client, "x", 1), 1);
	ASSERT_EQ(read(server, error, 1), 1);
	close(client);
	close(server);
}

static int listen_here(void)
{
	int fd = listener_open(path, error, sizeof(error));

	if (fd < 0)
		printf("# %s\n", error);
	ASSERT_GE(fd, 0);
	return fd;
}

TEST(fresh)
{
	struct stat status;
	int fd;

	set_up();
	fd = listen_here();
	ASSERT_EQ(lstat(path, &status), 0);
	ASSERT_TRUE(S_ISSOCK(status.st_mode));
	ASSERT_EQ(status.st_mode & 07777, 0666);
	ASSERT_TRUE(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	expect_serves(fd);
	listener_close(fd, path);
	ASSERT_NE(lstat(path, &status), 0);
	ASSERT_LT(fcntl(fd, F_GETFD), 0);
}

TEST(mode_does_not_depend_on_umask)
{
	struct stat status;
	int fd;

	set_up();
	umask(0177);
	fd = listen_here();
	ASSERT_EQ(lstat(path, &status), 0);
	ASSERT_EQ(status.st_mode & 07777, 0666);
	listener_close(fd, path);
}

TEST(stale_socket_is_replaced)
{
	int fd;

	set_up();
	close(listen_here()); /* the file stays, as after a kill */
	ASSERT_EQ(access(path, F_OK), 0);
	ASSERT_EQ(try_connect(), -1);
	fd = listen_here();
	expect_serves(fd);
	listener_close(fd, path);
}

TEST(live_socket_is_refused)
{
	int fd;

	set_up();
	fd = listen_here();
	expect_refusal("another daemon answers there");
	close(accept(fd, NULL, NULL)); /* the question whether somebody is there */
	expect_serves(fd);
	listener_close(fd, path);
}

/* A daemon that is too busy to accept is alive all the same. */
TEST_TIMEOUT(busy_socket_is_refused, 10)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	set_up();
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ASSERT_EQ(listen(fd, 0), 0);
	ASSERT_GE(try_connect(), 0); /* fills the queue */
	expect_refusal("another daemon answers there");
	ASSERT_EQ(access(path, F_OK), 0);
}

/* Somebody else's socket of another type. */
TEST(datagram_socket_is_refused)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	set_up();
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	expect_refusal("another daemon answers there");
	ASSERT_EQ(access(path, F_OK), 0);
	close(fd);
}

TEST(file_is_refused)
{
	char content[8];
	int fd;

	set_up();
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	ASSERT_EQ(write(fd, "precious", 8), 8);
	close(fd);
	expect_refusal("not a socket");
	fd = open(path, O_RDONLY);
	ASSERT_EQ(read(fd, content, 8), 8);
	ASSERT_MEMEQ(content, "precious", 8);
	close(fd);
}

TEST(folder_is_refused)
{
	set_up();
	ASSERT_EQ(mkdir(path, 0700), 0);
	expect_refusal("not a socket");
	ASSERT_EQ(access(path, F_OK), 0);
}

TEST(link_is_refused)
{
	char target[128];

	set_up();
	snprintf(target, sizeof(target), "%s/target", folder);
	ASSERT_EQ(symlink(target, path), 0); /* dangling */
	expect_refusal("not a socket");
	ASSERT_NE(access(target, F_OK), 0);
}

TEST(missing_folder)
{
	set_up();
	ASSERT_EQ(rmdir(folder), 0);
	expect_refusal("No such file or directory");
}

/* 107 octets and the terminator is what a socket address takes. */
TEST(long_paths)
{
	char longer[200];
	int fd;

	set_up();
	memset(path + strlen(path), 'x', sizeof(path) - strlen(path) - 1);
	path[sizeof(path) - 1] = '\0';
	fd = listen_here();
	expect_serves(fd);
	listener_close(fd, path);
	for (size_t len = sizeof(path); len < sizeof(longer); len++) {
		memset(longer, 'x', len);
		memcpy(longer, path, strlen(path));
		longer[len] = '\0';
		ASSERT_EQ(listener_open(longer, error, sizeof(error)), -1);
		ASSERT_NOT_NULL(strstr(error, strerror(ENAMETOOLONG)));
	}
}

TEST(refusal_in_a_short_buffer)
{
	set_up();
	ASSERT_EQ(mkdir(path, 0700), 0);
	for (size_t len = 1; len < 200; len++) {
		char *reason = malloc(len);

		ASSERT_NOT_NULL(reason);
		ASSERT_EQ(listener_open(path, reason, len), -1);
		ASSERT_LT(strnlen(reason, len), len);
		free(reason);
	}
}

HARNESS_MAIN
