/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules that every ioctl obeys: sizes, tails, flags, reserved octets, bad addresses, unknown
 * numbers. One table says for each call what a good request is; the sweeps change one thing at a
 * time. All of it twice: as a 64-bit program calls, and as a 32-bit one does, through the int 0x80
 * gate, whose argument lies below 4 GiB.
 */
#include <keyutils.h>
#include <stddef.h>
#include <sys/socket.h>

#include "device.h"

#define PAGE       4096u
#define SIZE_LIMIT 4096u

/* What good requests speak of. */
static struct {
	int device;
	uint32_t slot, kek, volume;
	uint8_t key[32], blob[CRATON_HSM_BLOB_LEN(64)];
	struct craton_hsm_slot entries[4];
	uint32_t names; /* so that no two logon keys are called the same */
} world;

/* A request at the end of a page; the next one cannot be touched. Below 4 GiB, for the gate. */
static uint8_t *page;

struct range {
	uint16_t at, len;
};

struct row {
	const char *name;
	uint32_t number, size, flags; /* flags: those known */
	bool repeatable;              /* the good request works twice */
	void (*fill)(void *request);
	struct range zero[2]; /* what has to be zero */
};

static void fill_nothing(void *request)
{
	(void)request;
}

static void fill_create(void *request)
{
	struct craton_hsm_slot_create *create = request;

	*create = slot_request(0, CRATON_HSM_GENERIC, world.key, sizeof(world.key));
}

static void fill_read(void *request)
{
	struct craton_hsm_slot_read *read = request;

	read->slot = world.slot;
	read->key = (uintptr_t)world.key;
	read->key_len = sizeof(world.key);
}

static void fill_destroy(void *request)
{
	struct craton_hsm_slot_destroy *destroy = request;

	destroy->slot = slot_generic(world.device, 0);
}

static void fill_describe(void *request)
{
	struct craton_hsm_slot_describe *describe = request;

	describe->slot = world.slot;
}

static void fill_list(void *request)
{
	struct craton_hsm_slot_list *list = request;

	list->count = COUNT(world.entries);
	list->entries = (uintptr_t)world.entries;
}

static void fill_wrap(void *request)
{
	struct craton_hsm_wrap *wrap = request;

	wrap->kek = world.kek;
	wrap->slot = world.volume;
	wrap->blob = (uintptr_t)world.blob;
	wrap->blob_len = sizeof(world.blob);
}

static void fill_unwrap(void *request)
{
	struct craton_hsm_unwrap *unwrap = request;
	uint32_t blob_len = sizeof(world.blob);

	ASSERT_EQ(slot_wrap(world.device, world.kek, world.volume, world.blob, &blob_len), 0);
	unwrap->kek = world.kek;
	unwrap->blob = (uintptr_t)world.blob;
	unwrap->blob_len = blob_len;
}

static void fill_logon(void *request)
{
	struct craton_hsm_logon *logon = request;

	logon->slot = world.volume;
	logon->keyring = KEY_SPEC_SESSION_KEYRING;
	snprintf((char *)logon->name, sizeof(logon->name), "abi %u", world.names++);
}

static void fill_extend(void *request)
{
	struct craton_hsm_anchor *anchor = request;

	memcpy(anchor->log_id, "the log of abi_v", sizeof(anchor->log_id));
	anchor->value[0] = 1;
}

static void fill_anchor_read(void *request)
{
	struct craton_hsm_anchor *anchor = request;

	fill_extend(request);
	anchor->size = sizeof(*anchor);
	ASSERT_EQ(call(world.device, CRATON_HSM_ANCHOR_EXTEND, anchor), 0);
	memset(anchor->value, 0, sizeof(anchor->value));
	memset(anchor->anchor, 0, sizeof(anchor->anchor));
	anchor->counter = 0;
}

#define FIELD(type, field)                                                                         \
	{                                                                                          \
		offsetof(struct type, field), sizeof(((struct type *)0)->field)                    \
	}
#define ROW(call, type, ...)                                                                       \
	{                                                                                          \
		.name = #call, .number = CRATON_HSM_##call, .size = sizeof(struct type),           \
		__VA_ARGS__                                                                        \
	}

static const struct row rows[] = {
	ROW(INFO, craton_hsm_info, .repeatable = true, .fill = fill_nothing,
            .zero = {FIELD(craton_hsm_info, reserved)}),
	ROW(SLOT_CREATE, craton_hsm_slot_create, .repeatable = true, .fill = fill_create,
            .flags = CRATON_HSM_SEALED | CRATON_HSM_PERSISTENT | CRATON_HSM_GENERATE,
            .zero = {FIELD(craton_hsm_slot_create, reserved)}),
	ROW(SLOT_READ, craton_hsm_slot_read, .repeatable = true, .fill = fill_read),
	ROW(SLOT_DESTROY, craton_hsm_slot_destroy, .fill = fill_destroy,
            .zero = {FIELD(craton_hsm_slot_destroy, reserved)}),
	ROW(SLOT_DESCRIBE, craton_hsm_slot_describe, .fill = fill_describe,
            .zero = {FIELD(craton_hsm_slot_describe, reserved),
                     FIELD(craton_hsm_slot_describe, description)}),
	ROW(SLOT_LIST, craton_hsm_slot_list, .repeatable = true, .fill = fill_list),
	ROW(WRAP, craton_hsm_wrap, .repeatable = true, .fill = fill_wrap,
            .zero = {FIELD(craton_hsm_wrap, reserved)}),
	ROW(UNWRAP, craton_hsm_unwrap, .repeatable = true, .fill = fill_unwrap,
            .flags = CRATON_HSM_PERSISTENT, .zero = {FIELD(craton_hsm_unwrap, reserved)}),
	ROW(LOGON, craton_hsm_logon, .fill = fill_logon),
	ROW(ANCHOR_EXTEND, craton_hsm_anchor, .repeatable = true, .fill = fill_extend),
	ROW(ANCHOR_READ, craton_hsm_anchor, .fill = fill_anchor_read,
            .zero = {FIELD(craton_hsm_anchor, value)}),
};

/* ---- two ways to call */

#ifdef __x86_64__
/* What a 32-bit program does: system call number `number` of i386. */
static int gate(unsigned int number, unsigned int a, unsigned int b, unsigned int c)
{
	int result;

	__asm__ volatile("int $0x80"
	                 : "=a"(result)
	                 : "a"(number), "b"(a), "c"(b), "d"(c)
	                 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

static int call_compat(int device, unsigned int command, void *argument)
{
	return -gate(54, device, command, (uint32_t)(uintptr_t)argument);
}

static void gate_try(void *argument)
{
	(void)argument;
	_exit(gate(20, 0, 0, 0) == getpid() ? 0 : 1);
}

static bool gate_works(void)
{
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (!child)
		gate_try(NULL);
	return waitpid(child, &status, 0) == child && status == 0;
}
#else
static int call_compat(int device, unsigned int command, void *argument)
{
	return call(device, command, argument);
}

static bool gate_works(void)
{
	return false;
}
#endif

static int (*the_call)(int, unsigned int, void *);

static void world_open(bool compat)
{
	if (compat && !gate_works())
		SKIP("this kernel has no 32-bit system calls");
	the_call = compat ? call_compat : call;
	page = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT,
	            -1, 0);
	ASSERT_NE((void *)page, MAP_FAILED);
	ASSERT_EQ(mprotect(page + 2 * PAGE, PAGE, PROT_NONE), 0);
	ASSERT_GE(keyctl_join_session_keyring(NULL), 0);
	world.device = device_open();
	world.slot = slot_generic(world.device, 0);
	world.kek = slot_kek(world.device, NULL);
	world.volume = slot_volume(world.device, NULL, 64);
}

/* A good request of the row at the end of the page, as large as said, the tail zero. */
static void *good(const struct row *row, uint32_t size)
{
	uint32_t room = size > row->size ? size : row->size;
	uint8_t *request = page + 2 * PAGE - room;

	memset(page, 0, 2 * PAGE);
	row->fill(request);
	memcpy(request, &size, sizeof(size));
	return request;
}

/* The result is the wanted one, and what failed has written nothing. */
static void expect(const struct row *row, void *request, int wanted, const char *what,
                   uint32_t which)
{
	uint8_t before[2 * PAGE];
	int result;

	memcpy(before, page, sizeof(before));
	result = the_call(world.device, row->number, request);
	if (result != wanted)
		HARNESS_FAIL(false, "%s, %s %u: expected %d, got %d (%s)", row->name, what, which,
		             wanted, result, strerror(result));
	if (result && memcmp(before, page, sizeof(before)))
		HARNESS_FAIL(false, "%s, %s %u: failed and wrote", row->name, what, which);
}

/* ---- the sweeps */

static void sweep_size(const struct row *row)
{
	static const uint32_t large[] = {SIZE_LIMIT + 1, 65536, INT32_MAX, UINT32_MAX};

	expect(row, good(row, row->size), 0, "its size", row->size);
	for (uint32_t size = 0; size < row->size; size++)
		expect(row, good(row, size), EINVAL, "size", size);
	for (size_t i = 0; i < COUNT(large); i++) {
		void *request = good(row, row->size);

		memcpy(request, &large[i], sizeof(large[i]));
		expect(row, request, E2BIG, "size", large[i]);
	}
}

static void sweep_tail(const struct row *row)
{
	expect(row, good(row, row->size + 8), 0, "zero tail of", 8);
	expect(row, good(row, SIZE_LIMIT), 0, "zero tail up to", SIZE_LIMIT);
	for (uint32_t at = row->size; at < row->size + 8; at++) {
		uint8_t *request = good(row, row->size + 8);

		request[at] = 1;
		expect(row, request, E2BIG, "tail octet", at);
	}
	uint8_t *request = good(row, SIZE_LIMIT);

	request[SIZE_LIMIT - 1] = 0x80;
	expect(row, request, E2BIG, "tail octet", SIZE_LIMIT - 1);
}

static void sweep_flags(const struct row *row)
{
	for (uint32_t bit = 0; bit < 32; bit++) {
		uint8_t *request = good(row, row->size);
		uint32_t flags = 1u << bit;

		if (flags & row->flags)
			continue;
		memcpy(request + 4, &flags, sizeof(flags));
		expect(row, request, EINVAL, "flag bit", bit);
	}
}

static void sweep_reserved(const struct row *row)
{
	for (size_t i = 0; i < COUNT(row->zero); i++) {
		for (uint32_t at = 0; at < row->zero[i].len; at++) {
			uint8_t *request = good(row, row->size);

			request[row->zero[i].at + at] = 1;
			expect(row, request, EINVAL, "reserved octet", row->zero[i].at + at);
		}
	}
}

static void sweep_address(const struct row *row)
{
	uint8_t *request;

	expect(row, NULL, EFAULT, "address", 0);
	expect(row, page + 2 * PAGE, EFAULT, "address of nothing", 0);
	/* The size can be read, the rest cannot. */
	good(row, row->size);
	memcpy(page + 2 * PAGE - 4, &row->size, 4);
	expect(row, page + 2 * PAGE - 4, EFAULT, "address, octets there:", 4);
	request = good(row, row->size + 8);
	memmove(request + 8, request, row->size);
	expect(row, request + 8, EFAULT, "tail of nothing, octets there:", row->size);
}

static void sweep(void (*one)(const struct row *), bool compat)
{
	world_open(compat);
	for (size_t i = 0; i < COUNT(rows); i++)
		one(&rows[i]);
}

#define SWEEP(what)                                                                                \
	TEST(what##_64)                                                                            \
	{                                                                                          \
		sweep(sweep_##what, false);                                                        \
	}                                                                                          \
	TEST(what##_32)                                                                            \
	{                                                                                          \
		sweep(sweep_##what, true);                                                         \
	}

SWEEP(size)
SWEEP(tail)
SWEEP(flags)
SWEEP(reserved)
SWEEP(address)

/* ---- what is not of the table */

/* Where the result cannot be written, nothing stays behind that the caller does not know of. */
TEST(results_that_cannot_be_written)
{
	static const uint32_t makers[] = {CRATON_HSM_SLOT_CREATE, CRATON_HSM_UNWRAP};

	world_open(false);
	for (size_t i = 0; i < COUNT(rows); i++) {
		bool maker = rows[i].number == makers[0] || rows[i].number == makers[1];
		uint32_t slots;
		void *request;

		if (!rows[i].repeatable)
			continue;
		request = good(&rows[i], rows[i].size);
		slots = info_of(world.device).slot_count;
		ASSERT_EQ(mprotect(page, 2 * PAGE, PROT_READ), 0);
		expect(&rows[i], request, EFAULT, "read-only request", 0);
		ASSERT_EQ(mprotect(page, 2 * PAGE, PROT_READ | PROT_WRITE), 0);
		if (maker)
			EXPECT_EQ(info_of(world.device).slot_count, slots);
	}
}

TEST(a_logon_key_that_cannot_be_told_goes)
{
	const struct row *row = &rows[_IOC_NR(CRATON_HSM_LOGON)];
	char description[CRATON_HSM_LABEL_SIZE + 16];
	struct craton_hsm_logon *request;

	world_open(false);
	request = good(row, row->size);
	snprintf(description, sizeof(description), "craton-hsm:%s", (const char *)request->name);
	ASSERT_EQ(mprotect(page, 2 * PAGE, PROT_READ), 0);
	expect(row, request, EFAULT, "read-only request", 0);
	EXPECT_LT(keyctl_search(KEY_SPEC_SESSION_KEYRING, "logon", description, 0), 0);
	EXPECT_EQ(errno, ENOKEY);
	/* Its name is free. */
	ASSERT_EQ(mprotect(page, 2 * PAGE, PROT_READ | PROT_WRITE), 0);
	expect(row, request, 0, "the same request", 0);
	EXPECT_GT(keyctl_search(KEY_SPEC_SESSION_KEYRING, "logon", description, 0), 0);
}

TEST(addresses_within_requests)
{
	/* Where the address stands in the struct; all are read or written by a good request. */
	static const struct {
		uint32_t number;
		uint32_t at;
	} addresses[] = {
		{CRATON_HSM_SLOT_CREATE, offsetof(struct craton_hsm_slot_create, key)},
		{CRATON_HSM_SLOT_READ, offsetof(struct craton_hsm_slot_read, key)},
		{CRATON_HSM_SLOT_LIST, offsetof(struct craton_hsm_slot_list, entries)},
		{CRATON_HSM_WRAP, offsetof(struct craton_hsm_wrap, blob)},
		{CRATON_HSM_UNWRAP, offsetof(struct craton_hsm_unwrap, blob)},
	};
	static const uint64_t bad[] = {1, UINT64_MAX, 1ull << 63, 0xffff888000000000ull};

	world_open(false);
	for (size_t i = 0; i < COUNT(addresses); i++) {
		const struct row *row = &rows[addresses[i].number - CRATON_HSM_INFO];
		uint64_t nothing = (uintptr_t)page + 2 * PAGE - 1; /* one octet, then a hole */
		uint8_t *request;

		ASSERT_EQ(row->number, addresses[i].number);
		for (size_t j = 0; j < COUNT(bad); j++) {
			request = good(row, row->size);
			memcpy(request + addresses[i].at, &bad[j], 8);
			expect(row, request, EFAULT, "bad address", j);
		}
		request = good(row, row->size);
		memmove(page, request, row->size);
		memcpy(page + addresses[i].at, &nothing, 8);
		int result = the_call(world.device, row->number, page);
		EXPECT_EQ(result, EFAULT);
	}
}

TEST(unknown_numbers)
{
	static const uint32_t types[] = {0xc8, 0xca, 0xff}; /* 0 is the VFS's own */

	world_open(false);
	for (uint32_t number = COUNT(rows); number < 256; number++) {
		uint32_t command = _IO(CRATON_HSM_IOCTL_TYPE, number);

		EXPECT_EQ(call(world.device, command, page), ENOTTY);
		EXPECT_EQ(call(world.device, command, NULL), ENOTTY);
	}
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint32_t number = _IOC_NR(rows[i].number);

		for (size_t j = 0; j < COUNT(types); j++)
			EXPECT_EQ(call(world.device, _IO(types[j], number),
			               good(&rows[i], rows[i].size)),
			          ENOTTY);
		EXPECT_EQ(call(world.device, _IOWR(CRATON_HSM_IOCTL_TYPE, number, uint64_t),
		               good(&rows[i], rows[i].size)),
		          ENOTTY);
	}
}

TEST(unknown_numbers_32)
{
	world_open(true);
	for (uint32_t number = COUNT(rows); number < 256; number++)
		EXPECT_EQ(the_call(world.device, _IO(CRATON_HSM_IOCTL_TYPE, number), page), ENOTTY);
}

static void every_call_is_refused(void *unused)
{
	(void)unused;
	for (size_t i = 0; i < COUNT(rows); i++) {
		/* The parent's requests: the child may not even fill in its own. */
		uint8_t request[128] = {0};

		memcpy(request, &rows[i].size, sizeof(rows[i].size));
		EXPECT_EQ(call(world.device, rows[i].number, request), EPERM);
	}
}

TEST(every_call_is_refused_to_others)
{
	world_open(false);
	in_child(every_call_is_refused, NULL);
	EXPECT_EQ(slot_find(world.device, world.slot), 0);
}

/* The device offers ioctl and mmap, and nothing by accident. */
TEST(other_calls_are_refused)
{
	char octet = 0;

	world_open(false);
	EXPECT_EQ(read(world.device, &octet, 1), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(write(world.device, &octet, 1), -1);
	EXPECT_EQ(errno, EINVAL);
}

HARNESS_MAIN
