/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arena as its owner sees it: what mmap(2) gives and refuses, that parts of a mapping cannot be
 * had, that it is zeroed, counted, and gone in a child. Who else tries to read it is
 * secrecy_vmtest's.
 */
#include <sys/resource.h>

#include "device.h"

#define ARENA_BYTES_PER_UID "/sys/module/craton_hsm/parameters/arena_bytes_per_uid"
#define PAGE                4096ul
#define LEN                 (8 * PAGE)

static uint8_t *arena_map(int device, size_t len)
{
	uint8_t *arena = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, device, 0);

	ASSERT_NE((void *)arena, MAP_FAILED);
	return arena;
}

static bool all_are(const uint8_t *octets, size_t len, uint8_t value)
{
	for (size_t i = 0; i < len; i++) {
		if (octets[i] != value)
			return false;
	}
	return true;
}

/* ---- mapping */

TEST(zeroed_and_kept)
{
	int device = device_open();

	for (int round = 0; round < 20; round++) {
		uint8_t *arena = arena_map(device, LEN);

		ASSERT_TRUE(all_are(arena, LEN, 0));
		memset(arena, 0xa5, LEN);
		ASSERT_TRUE(all_are(arena, LEN, 0xa5));
		ASSERT_EQ(munmap(arena, LEN), 0);
	}
}

TEST(arenas_are_apart)
{
	int device = device_open();
	uint8_t *one = arena_map(device, LEN), *other = arena_map(device, LEN);

	memset(one, 1, LEN);
	EXPECT_TRUE(all_are(other, LEN, 0));
	memset(other, 2, LEN);
	EXPECT_TRUE(all_are(one, LEN, 1));
}

/* It belongs to the mapping, not to the descriptor. */
TEST(outlives_the_descriptor)
{
	int device = device_open();
	uint8_t *arena = arena_map(device, LEN);

	close(device);
	memset(arena, 3, LEN);
	EXPECT_TRUE(all_are(arena, LEN, 3));
	EXPECT_EQ(info_of(device_open()).arena_len, LEN);
}

static const struct {
	const char *name;
	size_t len;
	int protection, flags;
	off_t offset;
	int wanted;
} mappings[] = {
	{"plain", LEN, PROT_READ | PROT_WRITE, MAP_SHARED, 0, 0},
	{"one octet", 1, PROT_READ | PROT_WRITE, MAP_SHARED, 0, 0},
	{"to read", LEN, PROT_READ, MAP_SHARED, 0, 0},
	{"populated", LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, 0, 0},
	{"private", LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0, EINVAL},
	{"private to read", LEN, PROT_READ, MAP_PRIVATE, 0, EINVAL},
	{"offset", LEN, PROT_READ | PROT_WRITE, MAP_SHARED, PAGE, EINVAL},
	{"far offset", LEN, PROT_READ | PROT_WRITE, MAP_SHARED, INT64_MAX & ~0xfffll, EINVAL},
	{"executable", LEN, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, 0, EACCES},
	{"executable only", LEN, PROT_EXEC, MAP_SHARED, 0, EACCES},
	{"nothing", 0, PROT_READ | PROT_WRITE, MAP_SHARED, 0, EINVAL},
	{"more than the quota", 1ul << 30, PROT_READ | PROT_WRITE, MAP_SHARED, 0, EDQUOT},
};

TEST(mappings)
{
	int device = device_open();

	for (size_t i = 0; i < COUNT(mappings); i++) {
		void *arena = mmap(NULL, mappings[i].len, mappings[i].protection, mappings[i].flags,
		                   device, mappings[i].offset);
		int result = arena == MAP_FAILED ? errno : 0;

		/* Above what the offset can say, the core answers. */
		if (result == EOVERFLOW && mappings[i].wanted == EINVAL)
			continue;
		if (result != mappings[i].wanted)
			HARNESS_FAIL(false, "%s: expected %d, got %d (%s)", mappings[i].name,
			             mappings[i].wanted, result, strerror(result));
		if (!result)
			EXPECT_EQ(munmap(arena, mappings[i].len), 0);
		EXPECT_EQ(info_of(device).arena_len, 0);
	}
}

/* ---- a mapping is whole or not there */

static void *the_arena;

static int part_of_munmap(void)
{
	return munmap((uint8_t *)the_arena + PAGE, PAGE);
}

static int head_of_munmap(void)
{
	return munmap(the_arena, PAGE);
}

static int part_of_mprotect(void)
{
	return mprotect((uint8_t *)the_arena + PAGE, PAGE, PROT_READ);
}

static int part_of_replacement(void)
{
	return mmap((uint8_t *)the_arena + PAGE, PAGE, PROT_READ,
	            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED
	               ? -1
	               : 0;
}

static int remap(size_t from, size_t old_len, size_t new_len, int flags)
{
	return mremap((uint8_t *)the_arena + from, old_len, new_len, flags) == MAP_FAILED ? -1 : 0;
}

static int shrink(void)
{
	return remap(0, LEN, LEN / 2, 0);
}

static int grow(void)
{
	return remap(0, LEN, 2 * LEN, MREMAP_MAYMOVE);
}

static int duplicate(void)
{
	return remap(0, 0, LEN, MREMAP_MAYMOVE);
}

static int move_part(void)
{
	return remap(PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
}

static int move_all(void)
{
	void *place = mmap(NULL, LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mremap(the_arena, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, place) == MAP_FAILED ? -1
	                                                                                       : 0;
}

static int keep_and_move(void)
{
	return remap(0, LEN, LEN, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
}

static int execute(void)
{
	return mprotect(the_arena, LEN, PROT_READ | PROT_EXEC);
}

static int inherit(void)
{
	return madvise(the_arena, LEN, MADV_DOFORK);
}

static int dump(void)
{
	return madvise(the_arena, LEN, MADV_DODUMP);
}

static int merge(void)
{
	/* Succeeds and does nothing where it does not apply. */
	return madvise(the_arena, LEN, MADV_MERGEABLE) ? -1 : 0;
}

static int page_out(void)
{
	return madvise(the_arena, LEN, MADV_PAGEOUT);
}

static int forget(void)
{
	return madvise(the_arena, LEN, MADV_DONTNEED);
}

static const struct {
	const char *name;
	int (*attempt)(void);
	bool may_succeed;
	int wanted, or ;
} attempts[] = {
	{"munmap of a part", part_of_munmap, false, EINVAL, 0},
	{"munmap of the first page", head_of_munmap, false, EINVAL, 0},
	{"mprotect of a part", part_of_mprotect, false, EINVAL, 0},
	{"another mapping over a part", part_of_replacement, false, EINVAL, ENOMEM},
	{"mremap to half", shrink, false, EINVAL, 0},
	{"mremap to the double", grow, false, EINVAL, EFAULT},
	{"mremap to a second one", duplicate, false, EINVAL, EFAULT},
	{"mremap of a part", move_part, false, EINVAL, EFAULT},
	{"mremap to another place", move_all, false, EINVAL, EFAULT},
	{"mremap that leaves the first", keep_and_move, false, EINVAL, EFAULT},
	{"mprotect to execute", execute, false, EACCES, 0},
	{"MADV_DOFORK", inherit, false, EINVAL, 0},
	{"MADV_DODUMP", dump, false, EINVAL, 0},
	{"MADV_MERGEABLE", merge, true, EINVAL, 0},
	{"MADV_PAGEOUT", page_out, false, EINVAL, 0},
	{"MADV_DONTNEED", forget, false, EINVAL, 0},
};

TEST(attempts_on_a_mapping)
{
	int device = device_open();
	uint8_t *arena = the_arena = arena_map(device, LEN);

	for (size_t i = 0; i < COUNT(attempts); i++) {
		memset(arena, (int)i + 1, LEN);
		int result = attempts[i].attempt() ? errno : 0;

		if (result != attempts[i].wanted && !(result && result == attempts[i].or) &&
		    !(!result && attempts[i].may_succeed))
			HARNESS_FAIL(false, "%s: expected %d, got %d (%s)", attempts[i].name,
			             attempts[i].wanted, result, strerror(result));
		ASSERT_TRUE(all_are(arena, LEN, i + 1));
		ASSERT_EQ(info_of(device).arena_len, LEN);
	}
	ASSERT_EQ(munmap(arena, LEN), 0);
	EXPECT_EQ(info_of(device).arena_len, 0);
}

/* As guard pages are made: all of it, and back. */
TEST(protection_of_the_whole)
{
	uint8_t *arena = arena_map(device_open(), LEN);

	arena[0] = 7;
	EXPECT_EQ(mprotect(arena, LEN, PROT_NONE), 0);
	EXPECT_EQ(mprotect(arena, LEN, PROT_READ | PROT_WRITE), 0);
	EXPECT_EQ(arena[0], 7);
}

/* ---- the child has it not */

/* How a child ends that reads the octet: its value, or the signal, negative. */
static int child_reads(const volatile uint8_t *octet)
{
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (!child) {
		signal(SIGSEGV, SIG_DFL);
		_exit(*octet);
	}
	waitpid(child, &status, 0);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(not_inherited)
{
	uint8_t *arena = arena_map(device_open(), LEN);
	uint8_t *ordinary =
		mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(arena, 0x5a, LEN);
	memset(ordinary, 0x6b, LEN);
	ASSERT_EQ(child_reads(ordinary), 0x6b);
	ASSERT_EQ(madvise(ordinary, LEN, MADV_DONTFORK), 0);
	if (child_reads(ordinary) == 0x6b)
		SKIP("this kernel (User Mode Linux) leaves a child all of its parent's memory");
	EXPECT_EQ(child_reads(arena), -SIGSEGV);
	EXPECT_TRUE(all_are(arena, LEN, 0x5a));
}

static void maps_nothing(void *argument)
{
	int device = *(int *)argument;

	EXPECT_EQ(mmap(NULL, LEN, PROT_READ, MAP_SHARED, device, 0), MAP_FAILED);
	EXPECT_EQ(errno, EPERM);
}

TEST(a_child_maps_nothing)
{
	int device = device_open();

	in_child(maps_nothing, &device);
}

/* ---- use by system calls of the owner */

TEST(system_calls_take_it)
{
	uint8_t *arena = arena_map(device_open(), LEN);
	uint8_t ordinary[64];
	int pipes[2], file;

	memset(arena, 0x3c, LEN);
	ASSERT_EQ(pipe(pipes), 0);
	ASSERT_EQ(write(pipes[1], arena, sizeof(ordinary)), sizeof(ordinary));
	ASSERT_EQ(read(pipes[0], ordinary, sizeof(ordinary)), sizeof(ordinary));
	EXPECT_TRUE(all_are(ordinary, sizeof(ordinary), 0x3c));
	memset(ordinary, 0x4d, sizeof(ordinary));
	ASSERT_EQ(write(pipes[1], ordinary, sizeof(ordinary)), sizeof(ordinary));
	ASSERT_EQ(read(pipes[0], arena + PAGE - 32, sizeof(ordinary)), sizeof(ordinary));
	EXPECT_TRUE(all_are(arena + PAGE - 32, sizeof(ordinary), 0x4d));
	file = memfd_create("a file", MFD_CLOEXEC);
	ASSERT_EQ(pwrite(file, arena, LEN, 0), LEN);
	ASSERT_EQ(pread(file, arena, LEN, 0), LEN);
}

/* It is not counted against RLIMIT_MEMLOCK. */
TEST(needs_no_memlock)
{
	struct rlimit nothing = {0, 0};

	ASSERT_EQ(setrlimit(RLIMIT_MEMLOCK, &nothing), 0);
	become(SOMEBODY);
	memset(arena_map(device_open(), LEN), 1, LEN);
}

/* ---- the quota */

static void quota_set(uint64_t len)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", len);
	ASSERT_TRUE(file_write(ARENA_BYTES_PER_UID, text));
}

static void uses_it_up(void *unused)
{
	uint8_t *arena;
	int device;

	(void)unused;
	become(SOMEBODY);
	device = device_open();
	EXPECT_EQ(info_of(device).arena_quota_len, LEN);
	EXPECT_EQ(mmap(NULL, LEN + 1, PROT_READ, MAP_SHARED, device, 0), MAP_FAILED);
	EXPECT_EQ(errno, EDQUOT);
	arena = arena_map(device, LEN - PAGE);
	arena_map(device, PAGE);
	EXPECT_EQ(info_of(device).arena_len, LEN);
	EXPECT_EQ(mmap(NULL, 1, PROT_READ, MAP_SHARED, device_open(), 0), MAP_FAILED);
	EXPECT_EQ(errno, EDQUOT);
	EXPECT_EQ(munmap(arena, LEN - PAGE), 0);
	EXPECT_EQ(info_of(device).arena_len, PAGE);
	arena_map(device, LEN - PAGE);
}

TEST(quota)
{
	int device = device_open();
	uint64_t before = info_of(device).arena_quota_len;

	arena_map(device, LEN); /* root's own */
	quota_set(LEN);
	in_child(uses_it_up, NULL);
	in_child(uses_it_up, NULL); /* the first one's end gave it back */
	quota_set(before);
}

/* As large as the agent's heap may become, and again: nothing is kept. */
TEST(the_whole_quota)
{
	int device = device_open();
	uint64_t len = info_of(device).arena_quota_len;

	for (int round = 0; round < 3; round++) {
		uint8_t *arena = arena_map(device, len);

		for (uint64_t at = 0; at < len; at += PAGE) {
			ASSERT_EQ(*(uint64_t *)(arena + at), 0);
			arena[at] = 1;
		}
		ASSERT_EQ(munmap(arena, len), 0);
	}
}

HARNESS_MAIN
