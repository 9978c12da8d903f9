/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arena: blocks, threads, wiping, and that nobody else can read it (B11).
 */
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <sys/resource.h>

#include "base_fixture.h"

#define THREADS 8
#define ROUNDS  20000
#define SEEN    77 /* exit status; sanitizers use 1 */

TEST(blocks_are_aligned_and_zeroed)
{
	static const size_t lens[] = {1,    15,   16,    17,      100,     4079,
	                              4080, 4081, 65536, 1048560, 1048561, 5000000};

	base_open_memory();
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
			uint8_t *block = slots_allocate(lens[i]);

			ASSERT_NOT_NULL(block);
			ASSERT_EQ((uintptr_t)block % 16, 0);
			ASSERT_TRUE(slots_contains(block));
			for (size_t at = 0; at < lens[i]; at++)
				ASSERT_EQ(block[at], 0);
			memset(block, 0xa5, lens[i]);
			slots_release(block);
		}
	}
	ASSERT_NULL(slots_allocate(0));
	ASSERT_NULL(slots_allocate(SIZE_MAX));
	ASSERT_NULL(slots_allocate(SIZE_MAX - 4096));
	slots_release(NULL);
}

TEST(release_wipes)
{
	uint8_t *block;

	base_open_memory();
	block = slots_allocate(64);
	memset(block, 0xa5, 64);
	slots_release(block);
	/* The block is still mapped; its first octets hold the free list's link. */
	for (int i = 8; i < 64; i++)
		ASSERT_EQ(block[i], 0);
}

TEST(reallocate_keeps_and_wipes)
{
	uint8_t *block, *grown;

	base_open_memory();
	block = slots_allocate(40);
	memset(block, 7, 40);
	grown = slots_reallocate(block, 4000);
	ASSERT_NOT_NULL(grown);
	for (int i = 0; i < 4000; i++)
		ASSERT_EQ(grown[i], i < 40 ? 7 : 0);
	memset(grown, 9, 4000);
	ASSERT_EQ(slots_reallocate(grown, 3900), grown);
	for (int i = 3900; i < 4000; i++)
		ASSERT_EQ(grown[i], 0);
	grown = slots_reallocate(grown, 2000000);
	ASSERT_EQ(grown[3899], 9);
	ASSERT_EQ(grown[3900], 0);
	slots_release(grown);
	ASSERT_NOT_NULL(slots_reallocate(NULL, 10));
}

/* Runs in a child; the signal that ended it, or 0. */
static int signal_of(void (*run)(void))
{
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (!child) {
		run();
		_exit(0);
	}
	waitpid(child, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void release_twice(void)
{
	void *block;

	base_open_memory();
	block = slots_allocate(100);
	slots_release(block);
	slots_release(block);
}

static void overrun(void)
{
	uint8_t *first, *second;

	base_open_memory();
	first = slots_allocate(32);
	second = slots_allocate(32);
	/* Blocks of one class lie side by side, in either order. */
	memset(first < second ? first : second, 0xff, 64);
	slots_release(first < second ? second : first);
}

TEST(misuse_ends_the_process)
{
	ASSERT_EQ(signal_of(release_twice), SIGABRT);
	ASSERT_EQ(signal_of(overrun), SIGABRT);
}

static void *stress(void *argument)
{
	unsigned int seed = (unsigned int)(uintptr_t)argument;
	uint8_t *held[32] = {NULL};
	uint32_t lens[32];

	for (int i = 0; i < ROUNDS; i++) {
		unsigned int at = (unsigned int)rand_r(&seed) % 32;

		for (uint32_t j = 0; held[at] && j < lens[at]; j++) {
			if (held[at][j] != (uint8_t)(at + 1))
				return (void *)(uintptr_t) "an octet changed";
		}
		slots_release(held[at]);
		lens[at] = 1 + (uint32_t)rand_r(&seed) % 700;
		held[at] = slots_allocate(lens[at]);
		if (!held[at])
			return (void *)(uintptr_t) "no memory";
		memset(held[at], (int)at + 1, lens[at]);
	}
	for (int i = 0; i < 32; i++)
		slots_release(held[i]);
	return NULL;
}

TEST(threads_and_their_ends)
{
	struct slots_statistics before, after;
	pthread_t threads[THREADS];

	base_open_memory();
	slots_statistics(&before);
	for (int round = 0; round < 3; round++) {
		for (uintptr_t i = 0; i < THREADS; i++)
			ASSERT_EQ(pthread_create(&threads[i], NULL, stress, (void *)(i + 1)), 0);
		for (int i = 0; i < THREADS; i++) {
			void *problem;

			pthread_join(threads[i], &problem);
			ASSERT_NULL(problem);
		}
	}
	slots_statistics(&after);
	ASSERT_EQ(after.used_len, before.used_len);
	/* Blocks of ended threads are used again: three rounds need no more memory than one. */
	ASSERT_LE(after.locked_len + after.unlocked_len, 16u << 20);
}

TEST(statistics_count)
{
	struct slots_statistics statistics;
	void *block;

	base_open_memory();
	block = slots_allocate(1000);
	slots_statistics(&statistics);
	ASSERT_EQ(statistics.used_len, 1000);
	ASSERT_GT(statistics.locked_len + statistics.unlocked_len, 1000);
	slots_release(block);
	slots_statistics(&statistics);
	ASSERT_EQ(statistics.used_len, 0);
}

TEST(openssl_lives_here)
{
	EVP_PKEY *key;

	base_open_crypto();
	key = EVP_PKEY_Q_keygen(base_crypto->library, NULL, "EC", "P-256");
	ASSERT_NOT_NULL(key);
	ASSERT_TRUE(slots_contains(key));
	EVP_PKEY_free(key);
}

TEST(proc_mem_cannot_read_it)
{
	struct slots_statistics statistics;
	char octets[16];
	uint8_t *block;
	int fd;

	base_open_memory();
	slots_statistics(&statistics);
	if (statistics.backend != SLOTS_MEMFD)
		SKIP("memfd_secret is not to be had here");
	block = slots_allocate(16);
	memcpy(block, "a secret of ours", 16);
	fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(pread(fd, octets, 16, (off_t)(uintptr_t)block), -1);
	ASSERT_EQ(pread(fd, octets, 16, (off_t)(uintptr_t)base_error), 16);
	close(fd);
}

TEST(a_wish_that_cannot_be_had)
{
	ASSERT_EQ(slots_open(SLOTS_KMOD, base_error, sizeof(base_error)), -1);
	ASSERT_TRUE(base_error_has("kmod"));
}

TEST(a_child_does_not_see_it)
{
	uint8_t *block;
	int status;
	pid_t child;

	base_open_memory();
	block = slots_allocate(16);
	block[0] = SEEN;
	fflush(NULL);
	child = fork();
	if (!child)
		_exit(((volatile uint8_t *)block)[0]);
	waitpid(child, &status, 0);
	ASSERT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) == SEEN);
}

/* Below RLIMIT_MEMLOCK what can be locked is, to the last MiB. */
TEST(the_limit_is_used_up)
{
	const struct rlimit limit = {8u << 20, 8u << 20};
	struct slots_statistics statistics;

	if (getuid())
		SKIP("needs root to become nobody");
	ASSERT_EQ(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	ASSERT_EQ(setgid(65534), 0);
	ASSERT_EQ(setuid(65534), 0);
	base_open_memory();
	for (int i = 0; i < 160; i++)
		ASSERT_NOT_NULL(slots_allocate(65536));
	slots_statistics(&statistics);
	EXPECT_EQ(statistics.locked_len, 8u << 20);
	EXPECT_GT(statistics.unlocked_len, 0);
}

HARNESS_MAIN
