/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is root tries to read what is not his: through another process, a core dump, the swap device,
 * the kernel's own memory. Each way is shown to work on ordinary memory first, so that a refusal
 * means something.
 *
 * # TIMEOUT 120
 */
#include <elf.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/swap.h>
#include <sys/uio.h>

#include "device.h"
#include "pattern.h"

#define PAGE      4096ul
#define LEN       (16 * PAGE)
#define SWAP_DISK "/dev/ram0"
#define SWAP_LEN  (32ul << 20)
#define CGROUP    "/tmp/cgroup"

enum { ORDINARY, ARENA, SLOT, KEK, VOLUME, PATTERNS };

static const char *const names[PATTERNS] = {"ordinary memory", "the arena", "a slot",
                                            "a key-encryption slot", "a volume slot"};
static struct pattern patterns[PATTERNS];
static uint8_t *ordinary, *arena;
static int device;

/* Every page begins with its pattern. */
static void memory_make(void)
{
	for (int i = 0; i < PATTERNS; i++)
		ASSERT_TRUE(pattern_make(&patterns[i]));
	device = device_open();
	ordinary = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	arena = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, device, 0);
	ASSERT_NE((void *)ordinary, MAP_FAILED);
	ASSERT_NE((void *)arena, MAP_FAILED);
	for (size_t at = 0; at < LEN; at += PAGE) {
		pattern_put(&patterns[ORDINARY], ordinary + at);
		pattern_put(&patterns[ARENA], arena + at);
	}
}

static uint32_t slot_of_pattern(int which, uint32_t flags, uint32_t purpose)
{
	uint64_t key[PATTERN_WORDS];
	uint32_t slot;

	pattern_put(&patterns[which], key);
	slot = slot_make(device, flags, purpose, key, sizeof(key));
	pattern_wipe(key);
	return slot;
}

/* Slots, and what use leaves behind: the ciphers' contexts and scratch. */
static void slots_make(void)
{
	uint8_t blob[CRATON_HSM_BLOB_LEN(PATTERN_LEN)];
	uint32_t kek, volume, slot, blob_len = sizeof(blob);

	slot_of_pattern(SLOT, 0, CRATON_HSM_GENERIC);
	kek = slot_of_pattern(KEK, CRATON_HSM_SEALED, CRATON_HSM_KEY_ENCRYPTION);
	volume = slot_of_pattern(VOLUME, CRATON_HSM_SEALED, CRATON_HSM_VOLUME);
	for (int i = 0; i < 10; i++) {
		ASSERT_EQ(slot_wrap(device, kek, volume, blob, &blob_len), 0);
		ASSERT_EQ(slot_unwrap(device, kek, blob, blob_len, &slot), 0);
	}
}

static void expect_seen(int first, int last)
{
	EXPECT_GE(patterns[ORDINARY].seen, LEN / PAGE);
	for (int i = first; i <= last; i++) {
		if (patterns[i].seen)
			HARNESS_FAIL(false, "%s is there, %u times", names[i], patterns[i].seen);
	}
}

/* ---- another process, which is root */

static void by_process_vm(void *unused)
{
	uint64_t word;
	struct iovec to = {&word, sizeof(word)}, from = {ordinary, sizeof(word)};

	(void)unused;
	ASSERT_EQ(process_vm_readv(getppid(), &to, 1, &from, 1, 0), sizeof(word));
	from.iov_base = arena;
	EXPECT_EQ(process_vm_readv(getppid(), &to, 1, &from, 1, 0), -1);
	EXPECT_EQ(errno, EFAULT);
	EXPECT_EQ(process_vm_writev(getppid(), &to, 1, &from, 1, 0), -1);
	EXPECT_EQ(errno, EFAULT);
}

static void by_proc_mem(void *unused)
{
	char path[64];
	uint64_t word;
	int memory;

	(void)unused;
	snprintf(path, sizeof(path), "/proc/%d/mem", getppid());
	memory = open(path, O_RDWR);
	ASSERT_GE(memory, 0);
	ASSERT_EQ(pread(memory, &word, sizeof(word), (uintptr_t)ordinary), sizeof(word));
	EXPECT_EQ(pread(memory, &word, sizeof(word), (uintptr_t)arena), -1);
	EXPECT_EQ(errno, EIO);
	EXPECT_EQ(pwrite(memory, &word, sizeof(word), (uintptr_t)arena), -1);
	EXPECT_EQ(errno, EIO);
}

static void by_ptrace(void *unused)
{
	pid_t parent = getppid();
	int status;

	(void)unused;
	ASSERT_EQ(ptrace(PTRACE_SEIZE, parent, NULL, NULL), 0);
	ASSERT_EQ(ptrace(PTRACE_INTERRUPT, parent, NULL, NULL), 0);
	ASSERT_EQ(waitpid(parent, &status, __WALL), parent);
	errno = 0;
	ptrace(PTRACE_PEEKDATA, parent, ordinary, NULL);
	EXPECT_EQ(errno, 0);
	EXPECT_EQ(ptrace(PTRACE_PEEKDATA, parent, arena, NULL), -1);
	EXPECT_EQ(errno, EIO);
	EXPECT_EQ(ptrace(PTRACE_POKEDATA, parent, arena, NULL), -1);
	EXPECT_EQ(errno, EIO);
	ASSERT_EQ(ptrace(PTRACE_DETACH, parent, NULL, NULL), 0);
}

static void other_process(void (*run)(void *))
{
	uint64_t words[2];

	memory_make();
	words[0] = *(uint64_t *)arena;
	in_child(run, NULL);
	EXPECT_EQ(*(uint64_t *)arena, words[0]);
}

TEST(process_vm_readv_by_root)
{
	other_process(by_process_vm);
}

TEST(proc_pid_mem_by_root)
{
	other_process(by_proc_mem);
}

TEST(ptrace_by_root)
{
	other_process(by_ptrace);
}

/* Nor can the owner lend its pages out by mistake. */
TEST(pages_cannot_be_lent)
{
	struct iovec pages;
	int pipes[2];

	memory_make();
	ASSERT_EQ(pipe(pipes), 0);
	pages = (struct iovec){ordinary, PAGE};
	ASSERT_EQ(vmsplice(pipes[1], &pages, 1, 0), PAGE);
	pages.iov_base = arena;
	EXPECT_EQ(vmsplice(pipes[1], &pages, 1, 0), -1);
	EXPECT_EQ(errno, EFAULT);
}

/* ---- a core dump */

static void crash(void)
{
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};

	memory_make();
	slots_make();
	memcpy(harness_report + 1, patterns, sizeof(patterns));
	ASSERT_EQ(setrlimit(RLIMIT_CORE, &unlimited), 0);
	/* All kinds of mappings. */
	ASSERT_TRUE(file_write("/proc/self/coredump_filter", "0x7f"));
	signal(SIGABRT, SIG_DFL);
	abort();
}

/* The child's patterns come back by the memory that the harness shares. */
static void core_make(const char *path)
{
	char before[128];
	pid_t child;
	int status;

	ASSERT_LE(sizeof(*harness_report) + sizeof(patterns), PAGE);
	ASSERT_NOT_NULL(file_read("/proc/sys/kernel/core_pattern", before, sizeof(before)));
	ASSERT_TRUE(file_write("/proc/sys/kernel/core_pattern", path));
	file_write("/proc/sys/kernel/core_uses_pid", "0");
	fflush(NULL);
	child = fork();
	if (!child)
		crash();
	ASSERT_EQ(waitpid(child, &status, 0), child);
	ASSERT_TRUE(file_write("/proc/sys/kernel/core_pattern", before));
	ASSERT_TRUE(WIFSIGNALED(status) && WCOREDUMP(status));
	memcpy(patterns, harness_report + 1, sizeof(patterns));
}

TEST(core_dump)
{
	int core;

	core_make("/tmp/core-of-a-test");
	core = open("/tmp/core-of-a-test", O_RDONLY | O_CLOEXEC);
	ASSERT_GE(core, 0);
	ASSERT_TRUE(pattern_scan(patterns, PATTERNS, core, 0, UINT64_MAX / 2));
	expect_seen(ARENA, VOLUME);
	unlink("/tmp/core-of-a-test");
}

/* ---- the swap device */

static void swap_format(int disk)
{
	static uint8_t head[4096];
	/* After 1024 octets for boot code: version, last page, pages that are bad. */
	const uint32_t info[3] = {1, SWAP_LEN / PAGE - 1, 0};

	memcpy(head + 1024, info, sizeof(info));
	memcpy(head + sizeof(head) - 10, "SWAPSPACE2", 10);
	ASSERT_EQ(pwrite(disk, head, sizeof(head), 0), sizeof(head));
	ASSERT_EQ(fsync(disk), 0);
}

static int swap_start(void)
{
	int disk;

	if (access(SWAP_DISK, F_OK) && system("modprobe brd rd_nr=1 rd_size=65536 2>/dev/null"))
		SKIP("no RAM disk (brd) to swap to");
	disk = open(SWAP_DISK, O_RDWR | O_CLOEXEC);
	ASSERT_GE(disk, 0);
	swap_format(disk);
	if (swapon(SWAP_DISK, 0)) {
		EXPECT_EQ(errno, ENOSYS);
		SKIP("this kernel does not swap");
	}
	return disk;
}

/* Asks for the memory of this process alone, everything that was charged to it included. */
static bool reclaim(void)
{
	char self[16];

	snprintf(self, sizeof(self), "%d", getpid());
	mkdir(CGROUP, 0700);
	if (mount("cgroup2", CGROUP, "cgroup2", 0, NULL) && errno != EBUSY)
		return false;
	file_write(CGROUP "/cgroup.subtree_control", "+memory");
	mkdir(CGROUP "/test", 0700);
	if (!file_write(CGROUP "/test/cgroup.procs", self))
		return false;
	memory_make(); /* charged here */
	slots_make();
	/* EAGAIN: less than that could be had. */
	return file_write(CGROUP "/test/memory.reclaim", "512M") || errno == EAGAIN;
}

TEST(swap)
{
	int disk = swap_start();

	if (!reclaim()) {
		printf("# no memory.reclaim here: only MADV_PAGEOUT\n");
		memory_make();
		slots_make();
	}
	ASSERT_EQ(madvise(ordinary, LEN, MADV_PAGEOUT), 0);
	EXPECT_EQ(madvise(arena, LEN, MADV_PAGEOUT), -1);
	ASSERT_TRUE(pattern_scan(patterns, PATTERNS, disk, PAGE, SWAP_LEN - PAGE));
	expect_seen(ARENA, VOLUME);
	ASSERT_EQ(swapoff(SWAP_DISK), 0);
}

/* A line of the mapping's account; `what` with its colon. */
static bool smaps(const void *mapping, const char *what, char *value, size_t size)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	unsigned long from, to;
	bool here = false, found = false;
	char line[256];

	ASSERT_NOT_NULL(file);
	while (!found && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = from == (uintptr_t)mapping;
		found = here && !strncmp(line, what, strlen(what));
	}
	fclose(file);
	if (found)
		snprintf(value, size, "%s", line + strlen(what));
	return found;
}

/* io pf dc de dd: no page of the core's, not copied, not grown, not dumped. */
TEST(the_kernel_knows_no_pages_of_it)
{
	static const char *const zero[] = {"Rss:", "Swap:", "Anonymous:", "LazyFree:"};
	static const char *const flags[] = {" io", " pf", " dc", " de", " dd"};
	char value[256];

	memory_make();
	for (size_t i = 0; i < COUNT(zero); i++) {
		ASSERT_TRUE(smaps(arena, zero[i], value, sizeof(value)));
		EXPECT_EQ(atoi(value), 0);
	}
	ASSERT_TRUE(smaps(ordinary, "Rss:", value, sizeof(value)));
	EXPECT_EQ(atoi(value), LEN / 1024);
	ASSERT_TRUE(smaps(arena, "VmFlags:", value, sizeof(value)));
	for (size_t i = 0; i < COUNT(flags); i++)
		EXPECT_NOT_NULL(strstr(value, flags[i]));
	EXPECT_NULL(strstr(value, " me")); /* may execute */
}

/* ---- the kernel's memory */

/* All memory, as the kernel maps it; not its image, where a page can be seen a second time. */
static bool is_memory(const Elf64_Phdr *segment)
{
	return segment->p_type == PT_LOAD && segment->p_paddr != UINT64_MAX &&
	       segment->p_vaddr < 0xffffffff80000000;
}

static uint64_t scan_kernel(int kcore)
{
	Elf64_Ehdr head;
	Elf64_Phdr segment;
	uint64_t scanned = 0;

	ASSERT_EQ(pread(kcore, &head, sizeof(head), 0), sizeof(head));
	for (int i = 0; i < head.e_phnum; i++) {
		ASSERT_EQ(
			pread(kcore, &segment, sizeof(segment), head.e_phoff + i * sizeof(segment)),
			sizeof(segment));
		if (!is_memory(&segment))
			continue;
		EXPECT_TRUE(pattern_scan(patterns, PATTERNS, kcore, segment.p_offset,
		                         segment.p_filesz));
		scanned += segment.p_filesz;
	}
	return scanned;
}

TEST_TIMEOUT(proc_kcore, 110)
{
	int kcore = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	uint64_t scanned;

	if (kcore < 0)
		SKIP("no /proc/kcore here, or the kernel is locked down");
	memory_make();
	slots_make();
	ASSERT_TRUE(info_of(device).features & CRATON_HSM_FEATURE_OFFLINE_PAGES);
	scanned = scan_kernel(kcore);
	printf("# %lu MiB read\n", scanned >> 20);
	EXPECT_GT(scanned, 100ul << 20);
	expect_seen(ARENA, VOLUME);
}

HARNESS_MAIN
