/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's descriptor of the kernel module, and the arena on it: what each failure says, and
 * what happens when the module gives no more. The module is tests/fake_module.c.
 */
#include "fake_module.c"

#include <sys/stat.h>

#include "base_fixture.h"
#include "kernel.h"

#define MIB (1024u * 1024u)

/* Puts a number into a file of the module's folder, which is made when it is not there. */
static void set(const char *name, uint64_t number)
{
	char text[32];

#ifdef __SANITIZE_THREAD__
	SKIP("ThreadSanitizer needs open() and mmap() itself");
#endif
	base_path("");
	setenv("FAKE_MODULE", base_folder, 1);
	if (!name)
		return;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	base_write(base_path(name), text, strlen(text), 0600);
}

static void expect_refused(enum kernel_module module, const char *text)
{
	kernel_open();
	EXPECT_EQ(kernel_module(), module);
	EXPECT_TRUE(strstr(kernel_reason(), text) != NULL);
	EXPECT_EQ(strncmp(kernel_reason(), CRATON_HSM_DEVICE ": ", strlen(CRATON_HSM_DEVICE) + 2),
	          0);
	EXPECT_NULL(strchr(kernel_reason(), '\n'));
	EXPECT_NULL(kernel_anchor());
	EXPECT_NULL(kernel_map(4096));
	EXPECT_EQ(errno, ENODEV);
	kernel_close();
}

TEST(every_refusal_says_why)
{
	static const struct {
		int error;
		enum kernel_module module;
		const char *text;
	} rows[] = {
		{ENOENT, KERNEL_MISSING, "modprobe"},
		{ENODEV, KERNEL_MISSING, "modprobe"},
		{ENXIO, KERNEL_MISSING, "modprobe"},
		{EACCES, KERNEL_DENIED, "group"},
		{EPERM, KERNEL_DENIED, "group"},
		{EMFILE, KERNEL_FAILED, "Too many open files"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set("open-errno", (uint64_t)rows[i].error);
		expect_refused(rows[i].module, rows[i].text);
	}
	set("open-errno", 0);
	set("info-errno", ENOTTY);
	expect_refused(KERNEL_FAILED, "not the kernel module's device");
	set("info-errno", EIO);
	expect_refused(KERNEL_FAILED, "Input/output error");
	set("info-errno", 0);
	set("abi", CRATON_HSM_ABI + 1);
	expect_refused(KERNEL_OTHER_ABI, "ABI 2, this program ABI 1");
}

TEST(ready)
{
	struct kernel_statistics statistics;
	int fd;

	set(NULL, 0);
	EXPECT_EQ(kernel_module(), KERNEL_UNTRIED);
	kernel_open();
	fd = fake_module.fd;
	kernel_open();
	EXPECT_EQ(fake_module.fd, fd); /* once */
	EXPECT_EQ(kernel_module(), KERNEL_READY);
	EXPECT_STREQ(kernel_reason(), "");
	EXPECT_NOT_NULL(kernel_map(8192));
	EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	kernel_statistics(&statistics);
	EXPECT_EQ(statistics.module, KERNEL_READY);
	EXPECT_EQ(statistics.abi, CRATON_HSM_ABI);
	EXPECT_EQ(statistics.arena_len, 8192);
	EXPECT_EQ(statistics.arena_quota_len, FAKE_QUOTA);
}

/* Only a build with test hooks is told of another device. */
TEST(the_device)
{
	setenv("CRATON_TEST_DEVICE", "/tmp/other", 1);
#ifdef CRATON_TEST_HOOKS
	EXPECT_STREQ(kernel_device(), "/tmp/other");
#else
	EXPECT_STREQ(kernel_device(), CRATON_HSM_DEVICE);
#endif
}

TEST(registers)
{
	const uint8_t log_id[KERNEL_LOG_ID_LEN] = {1}, value[KERNEL_REGISTER_LEN] = {2};
	struct kernel_register now = {.counter = 9}, again;

	set(NULL, 0);
	kernel_open();
	ASSERT_EQ(kernel_anchor()->read(log_id, &now), 0);
	EXPECT_EQ(now.counter, 0); /* there is none */
	ASSERT_EQ(kernel_anchor()->extend(log_id, value, &now), 0);
	EXPECT_EQ(now.counter, 1);
	ASSERT_EQ(kernel_anchor()->read(log_id, &again), 0);
	EXPECT_EQ(memcmp(&again, &now, sizeof(now)), 0);
	set("extend-errno", EACCES);
	EXPECT_EQ(kernel_anchor()->extend(log_id, value, &now), -EACCES);
	set("read-errno", EIO);
	EXPECT_EQ(kernel_anchor()->read(log_id, &now), -EIO);
}

/* ---- the arena ---- */

/* What the agent logs during `run`, without its last newline. */
static const char *logged(void (*run)(void))
{
	static char text[4096];
	int pair[2], kept = dup(STDERR_FILENO);
	ssize_t len;

	ASSERT_EQ(pipe2(pair, O_NONBLOCK), 0);
	dup2(pair[1], STDERR_FILENO);
	run();
	dup2(kept, STDERR_FILENO);
	len = read(pair[0], text, sizeof(text) - 1);
	text[len > 0 ? len : 0] = '\0';
	close(kept);
	close(pair[0]);
	close(pair[1]);
	return text;
}

static void open_kernel_and_memory(void)
{
	kernel_open();
	base_open_memory();
}

static void take_many(void)
{
	for (int i = 0; i < 400; i++)
		ASSERT_NOT_NULL(slots_allocate(65536));
}

TEST(the_arena_is_the_modules)
{
	struct slots_statistics statistics;
	void *own;

	set(NULL, 0);
	EXPECT_STREQ(logged(open_kernel_and_memory), "");
	slots_statistics(&statistics);
	EXPECT_EQ(statistics.backend, SLOTS_KMOD);
	EXPECT_EQ(statistics.locked_len, MIB);
	EXPECT_EQ(statistics.lens[SLOTS_KMOD], MIB);
	own = slots_allocate(5 * MIB);
	EXPECT_GT(fake_module.used_len, 6 * MIB);
	slots_release(own);
	EXPECT_EQ(fake_module.used_len, MIB);
	slots_close();
	EXPECT_EQ(fake_module.used_len, 0);
}

/* With 10 MiB: 1 + 2 + 4 MiB, then what is left in pieces of 1 MiB, then the next backend. */
TEST(a_quota_used_up_is_a_warning_once)
{
	struct slots_statistics statistics;
	const char *said;

	set("arena-quota", 10 * MIB);
	open_kernel_and_memory();
	said = logged(take_many);
	EXPECT_NOT_NULL(strstr(said, "warning: locked memory: kmod gives no more: "));
	EXPECT_NOT_NULL(strstr(said, "arena_bytes_per_uid"));
	slots_statistics(&statistics);
	EXPECT_EQ(statistics.backend, SLOTS_KMOD);
	EXPECT_EQ(statistics.lens[SLOTS_KMOD], 10 * MIB);
	EXPECT_GT(statistics.lens[SLOTS_MEMFD] + statistics.lens[SLOTS_MLOCK] +
	                  statistics.lens[SLOTS_UNLOCKED],
	          15 * MIB);
	EXPECT_NULL(strstr(logged(take_many), "kmod")); /* not again */
}

TEST(no_quota_at_all)
{
	struct slots_statistics statistics;
	const char *said;

	set("arena-quota", 0);
	said = logged(open_kernel_and_memory);
	EXPECT_NOT_NULL(strstr(said, "warning: locked memory: kmod gives none: "));
	EXPECT_NOT_NULL(strstr(said, "arena_bytes_per_uid"));
	slots_statistics(&statistics);
	EXPECT_NE(statistics.backend, SLOTS_KMOD);
}

TEST(kmod_is_insisted_upon)
{
	set("open-errno", EACCES);
	kernel_open();
	EXPECT_EQ(slots_open(SLOTS_KMOD, base_error, sizeof(base_error)), -1);
	EXPECT_TRUE(base_error_has("locked_memory = \"kmod\""));
	EXPECT_TRUE(base_error_has(CRATON_HSM_DEVICE ": permission denied"));
	kernel_close();
	set("open-errno", 0);
	set("arena-quota", 0);
	kernel_open();
	EXPECT_EQ(slots_open(SLOTS_KMOD, base_error, sizeof(base_error)), -1);
	EXPECT_TRUE(base_error_has("arena_bytes_per_uid"));
	set("arena-quota", 2 * MIB);
	EXPECT_EQ(slots_open(SLOTS_KMOD, base_error, sizeof(base_error)), 0);
}

HARNESS_MAIN
