/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation failing. Each operation runs again and again, with its first allocation failing,
 * then its second, until a run had all it asked for: /proc/thread-self/fail-nth of a kernel with
 * fault injection (the debug ones). A run either works or says ENOMEM; then it has left nothing,
 * and works when it is tried again. Each has a process of its own, and somebody listens to the
 * events, so that these need memory, too. What leaks the kernel's checker finds.
 *
 * # TIMEOUT 300
 */
#include <keyutils.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "device.h"
#include "events.h"
#include "shell.h"

#define PAGE     4096u
#define RUNS_MAX 5000u
#define ENOUGH   100u
#define FIRST_USER                                                                                 \
	20000u /* each run that begins a keyring has a user id of its own from here on             \
	        */

/* What an operation speaks of; of the run's process. */
static struct {
	unsigned int nth;
	int device, made;
	uint32_t kek, volume, slot, blob_len;
	key_serial_t key, keyring;
	uint8_t *arena;
	uint8_t key_text[32], blob[CRATON_HSM_BLOB_LEN(64)];
	struct craton_hsm_slot entries[2];
} world;

/* ---- the n-th allocation of this thread fails */

static int fail_nth = -1;

static bool can_fail(void)
{
	/* Else only what may not wait would fail. */
	static const char *const settings[][2] = {
		{"/sys/kernel/debug/failslab/ignore-gfp-wait", "N"},
		{"/sys/kernel/debug/failslab/verbose", "0"},
		{"/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N"},
		{"/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N"},
		{"/sys/kernel/debug/fail_page_alloc/min-order", "0"},
		{"/sys/kernel/debug/fail_page_alloc/verbose", "0"},
	};

	if (access("/proc/thread-self/fail-nth", F_OK))
		return false;
	for (size_t i = 0; i < COUNT(settings); i++)
		ASSERT_TRUE(file_write(settings[i][0], settings[i][1]));
	return true;
}

static void fail_nth_open(void)
{
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	ASSERT_GE(fail_nth, 0);
}

static void arm(unsigned int nth)
{
	char text[12];
	int len = snprintf(text, sizeof(text), "%u", nth);

	ASSERT_EQ(pwrite(fail_nth, text, len, 0), len);
}

/* Did it fail? */
static bool disarm(void)
{
	char text[12] = "";

	ASSERT_GT(pread(fail_nth, text, sizeof(text) - 1, 0), 0);
	ASSERT_EQ(pwrite(fail_nth, "0", 1, 0), 1);
	return strtoul(text, NULL, 10) == 0;
}

/* ---- the operations: 0 or errno */

static int create(uint32_t flags, uint32_t timeout, const void *key)
{
	struct craton_hsm_slot_create request =
		slot_request(flags, CRATON_HSM_GENERIC, key, sizeof(world.key_text));
	int result;

	request.timeout = timeout;
	result = call(world.device, CRATON_HSM_SLOT_CREATE, &request);
	world.slot = request.slot;
	return result;
}

static int run_open(void)
{
	world.made = open(CRATON_HSM_DEVICE, O_RDWR | O_CLOEXEC);
	return world.made < 0 ? errno : 0;
}

static int run_generate(void)
{
	return create(CRATON_HSM_GENERATE, 0, NULL);
}

static int run_import(void)
{
	return create(CRATON_HSM_PERSISTENT, 60, world.key_text);
}

static void undo_import(void)
{
	ASSERT_EQ(slot_destroy(world.device, world.slot), 0);
}

/* Keyring and quota of a new user, too. */
static void be_a_new_user(void)
{
	close(world.device);
	become(FIRST_USER + world.nth);
	ASSERT_GE(keyctl_join_session_keyring(NULL), 0);
	world.device = device_open();
}

static void make_slot(void)
{
	ASSERT_EQ(run_generate(), 0);
	world.key = slot_serial(world.device, world.slot);
	world.keyring = info_of(world.device).keyring;
}

static int run_read(void)
{
	uint32_t key_len = sizeof(world.key_text);

	return slot_read(world.device, world.slot, world.key_text, &key_len);
}

static int run_destroy(void)
{
	return slot_destroy(world.device, world.slot);
}

static int run_describe(void)
{
	return slot_find(world.device, world.slot);
}

static int run_list(void)
{
	uint32_t count = COUNT(world.entries);

	return slot_list(world.device, 0, world.entries, &count);
}

static void make_volume(void)
{
	ASSERT_GE(keyctl_join_session_keyring(NULL), 0);
	world.kek = slot_kek(world.device, NULL);
	world.volume = slot_volume(world.device, NULL, 64);
	world.blob_len = sizeof(world.blob);
	ASSERT_EQ(slot_wrap(world.device, world.kek, world.volume, world.blob, &world.blob_len), 0);
}

static int run_wrap(void)
{
	uint32_t blob_len = sizeof(world.blob);

	return slot_wrap(world.device, world.kek, world.volume, world.blob, &blob_len);
}

static int run_unwrap(void)
{
	return slot_unwrap(world.device, world.kek, world.blob, world.blob_len, &world.slot);
}

static int run_logon(void)
{
	struct craton_hsm_logon request = {.size = sizeof(request),
	                                   .slot = world.volume,
	                                   .keyring = KEY_SPEC_SESSION_KEYRING,
	                                   .name = "faults"};

	return call(world.device, CRATON_HSM_LOGON, &request);
}

/* A log of its own until the user id has all that it may have: then the module's table is made
 * anew. */
static int run_extend(void)
{
	struct craton_hsm_anchor request = {
		.size = sizeof(request), .log_id = "faults", .value = {1}};

	memcpy(request.log_id + 8, &world.nth, sizeof(world.nth));
	return call(world.device, CRATON_HSM_ANCHOR_EXTEND, &request);
}

static int run_mmap(void)
{
	world.arena = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, world.device, 0);
	if (world.arena == MAP_FAILED)
		return errno;
	for (unsigned int i = 0; i < 8; i++)
		world.arena[PAGE * i] = 1;
	return 0;
}

static int run_revoke(void)
{
	return keyctl_revoke(world.key) ? errno : 0;
}

static int run_invalidate(void)
{
	return keyctl_invalidate(world.key) ? errno : 0;
}

static int run_unlink(void)
{
	return keyctl_unlink(world.key, world.keyring) ? errno : 0;
}

/* Tells no error; whatever failed, all is gone. */
static int run_close(void)
{
	return close(world.device) ? errno : 0;
}

static void reopen(void)
{
	world.device = device_open();
	EXPECT_EQ(info_of(world.device).slot_count, 0);
}

static const struct operation {
	const char *name;
	void (*prepare)(void);
	int (*run)(void);
	void (*undo)(void); /* what the end of the process would not */
	bool ends;          /* what it speaks of: there is no second try */
} operations[] = {
	{"open", NULL, run_open, NULL, false},
	{"generate", NULL, run_generate, NULL, false},
	{"import", NULL, run_import, undo_import, false},
	{"a user's first slot", be_a_new_user, run_generate, NULL, false},
	{"read", make_slot, run_read, NULL, false},
	{"describe", make_slot, run_describe, NULL, false},
	{"list", make_slot, run_list, NULL, false},
	{"destroy", make_slot, run_destroy, NULL, true},
	{"wrap", make_volume, run_wrap, NULL, false},
	{"unwrap", make_volume, run_unwrap, NULL, false},
	{"logon", make_volume, run_logon, NULL, false},
	{"extend", be_a_new_user, run_extend, NULL, false},
	{"mmap", NULL, run_mmap, NULL, false},
	{"revoke", make_slot, run_revoke, NULL, true},
	{"invalidate", make_slot, run_invalidate, NULL, true},
	{"unlink", make_slot, run_unlink, NULL, true},
	{"close", make_volume, run_close, reopen, true},
};

/* ---- the sweep */

static struct {
	const struct operation *operation;
	bool failed;
	int result;
} * outcome; /* shared with the run's process */

static void run_once(void *nth)
{
	const struct operation *operation = outcome->operation;
	struct craton_hsm_info before, after;

	world.nth = *(unsigned int *)nth;
	world.device = device_open();
	/* Before the process becomes another user's, who may not. */
	fail_nth_open();
	if (operation->prepare)
		operation->prepare();
	before = info_of(world.device);
	arm(world.nth);
	outcome->result = operation->run();
	outcome->failed = disarm();
	if (outcome->result) {
		after = info_of(world.device);
		EXPECT_EQ(after.slot_count, before.slot_count);
		EXPECT_EQ(after.arena_len, before.arena_len);
		if (!operation->ends)
			EXPECT_EQ(operation->run(), 0);
	}
	if (operation->undo)
		operation->undo();
}

/* How many allocations failed. */
static unsigned int sweep(const struct operation *operation, int device)
{
	unsigned int nth, borne = 0;

	outcome->operation = operation;
	for (nth = 1; nth < RUNS_MAX; nth++) {
		in_child(run_once, &nth);
		if (!outcome->failed)
			break;
		if (outcome->result && outcome->result != ENOMEM)
			HARNESS_FAIL(false, "%s, allocation %u: %s", operation->name, nth,
			             strerror(outcome->result));
		borne += !outcome->result;
		EXPECT_EQ(info_of(device).slot_count, 0);
		EXPECT_EQ(info_of(device).arena_len, 0);
	}
	EXPECT_LT(nth, RUNS_MAX);
	EXPECT_EQ(outcome->result, 0);
	printf("# %s: %u allocations failed, %u of them borne\n", operation->name, nth - 1, borne);
	return nth - 1;
}

TEST_TIMEOUT(every_allocation, 2000)
{
	struct listener listener = {0};
	unsigned int failed = 0;
	int device;

	if (!can_fail())
		SKIP("this kernel cannot make allocations fail");
	outcome = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE((void *)outcome, MAP_FAILED);
	ASSERT_TRUE(listener_open(&listener));
	device = device_open();
	for (size_t i = 0; i < COUNT(operations); i++)
		failed += sweep(&operations[i], device);
	/* Else nothing was made to fail. */
	EXPECT_GT(failed, ENOUGH);
	printf("# %u allocations failed\n", failed);
	close(device);
	listener_close(&listener);
}

/* ---- loading the module */

static int module_file;

static int run_load(void)
{
	return syscall(SYS_finit_module, module_file, "", 0) ? errno : 0;
}

static void load_once(void *nth)
{
	fail_nth_open();
	arm(*(unsigned int *)nth);
	outcome->result = run_load();
	outcome->failed = disarm();
	if (outcome->result)
		EXPECT_EQ(run_load(), 0);
	ASSERT_EQ(shell("rmmod craton_hsm"), 0);
}

/* The kernel's own part of it counts: the ladder of our initialisation lies among it. */
TEST_TIMEOUT(every_allocation_of_loading, 1000)
{
	unsigned int nth;

	if (!can_fail())
		SKIP("this kernel cannot make allocations fail");
	outcome = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE((void *)outcome, MAP_FAILED);
	ASSERT_EQ(shell("find /lib/modules/ -name craton_hsm.ko"), 0);
	shell_output[strcspn(shell_output, "\n")] = '\0';
	module_file = open(shell_output, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(module_file, 0);
	ASSERT_EQ(shell("rmmod craton_hsm"), 0);
	for (nth = 1; nth < RUNS_MAX; nth++) {
		in_child(load_once, &nth);
		if (!outcome->failed)
			break;
		if (outcome->result && outcome->result != ENOMEM)
			HARNESS_FAIL(false, "allocation %u: %s", nth, strerror(outcome->result));
	}
	EXPECT_EQ(outcome->result, 0);
	EXPECT_GT(nth, ENOUGH);
	printf("# loading: %u allocations failed\n", nth - 1);
	ASSERT_EQ(run_load(), 0);
}

HARNESS_MAIN
