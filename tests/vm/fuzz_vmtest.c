/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random calls from several processes: whole requests with a few wrong parts, mappings, and the key
 * calls on the slots' keys. Nothing is expected of a single call but that it returns; the kernel's
 * log and what is left at the end are the verdict. From the environment, so that the kernel's
 * command line can say them: FUZZ_CALLS (of all processes together), FUZZ_PROCESSES, FUZZ_SEED.
 *
 * # TIMEOUT 3000
 */
#include <keyutils.h>
#include <stddef.h>
#include <sys/mman.h>

#include "device.h"

#define CALLS     20000
#define PROCESSES 4
#define PAGE      4096u
#define PLACE     (32 * PAGE) /* room for what the longest list writes; then a hole */
#define SHARED    8           /* numbers of slots that all processes know of */

/* ---- chance; each process has its own sequence, so that a seed means the same calls */

static uint64_t state;

static uint32_t chance(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 20) % below;
}

static uint32_t any_word(void)
{
	static const uint32_t words[] = {0,
	                                 1,
	                                 2,
	                                 3,
	                                 15,
	                                 16,
	                                 17,
	                                 32,
	                                 64,
	                                 127,
	                                 128,
	                                 129,
	                                 168,
	                                 4095,
	                                 4096,
	                                 4097,
	                                 INT32_MAX,
	                                 1u << 31,
	                                 UINT32_MAX - 1,
	                                 UINT32_MAX};

	return chance(3) ? words[chance(COUNT(words))] : (uint32_t)state;
}

/* ---- what the calls speak of */

static int devices[3];     /* two of this process, one that it inherited */
static uint8_t *places[4]; /* to read and write, to read, nothing, arena */
static uint32_t *shared;
static uint32_t own[CRATON_HSM_VOLUME + 1][4]; /* by purpose */

static uint64_t any_address(void)
{
	static const uint64_t bad[] = {
		0, 1, UINT64_MAX, 0xffff888000000000, 0xffffffff81000000, 0x00007ffffffff000};

	if (!chance(8))
		return bad[chance(COUNT(bad))];
	return (uintptr_t)places[chance(8) ? 0 : chance(COUNT(places))] +
	       (chance(4) ? 0 : chance(PAGE) + PAGE - 64);
}

static uint32_t any_slot(uint32_t purpose)
{
	if (chance(8))
		return own[purpose][chance(4)];
	return chance(8) ? shared[chance(SHARED)] : any_word();
}

static uint32_t any_len(void)
{
	return chance(2) ? 16 + chance(120) : any_word();
}

static void any_text(uint8_t *text)
{
	static const char *const texts[] = {"fuzz", "another name", "%s%n", "a:b", "", "\xff\xfe"};

	memset(text, 0, CRATON_HSM_LABEL_SIZE);
	strcpy((char *)text, texts[chance(10) ? chance(3) : chance(COUNT(texts))]);
	if (!chance(20))
		text[chance(CRATON_HSM_LABEL_SIZE)] = state;
}

static int32_t any_keyring(void)
{
	return chance(4) ? KEY_SPEC_SESSION_KEYRING : (int32_t)any_word();
}

union request {
	uint8_t octets[PAGE];
	uint32_t head[2];
	struct craton_hsm_info info;
	struct craton_hsm_slot_create create;
	struct craton_hsm_slot_read read;
	struct craton_hsm_slot_destroy destroy;
	struct craton_hsm_slot_describe describe;
	struct craton_hsm_slot_list list;
	struct craton_hsm_wrap wrap;
	struct craton_hsm_unwrap unwrap;
	struct craton_hsm_logon logon;
	struct craton_hsm_anchor anchor;
};

static void fill_info(union request *request)
{
	(void)request;
}

static void fill_create(union request *request)
{
	uint32_t purpose = 1 + chance(3);
	static const uint32_t lens[] = {0, 0, 32, 64};

	request->create.purpose = chance(20) ? purpose : any_word();
	request->create.flags = (purpose == CRATON_HSM_GENERIC ? 0 : CRATON_HSM_SEALED) |
	                        (chance(4) ? 0 : CRATON_HSM_PERSISTENT);
	request->create.key_len = purpose > 1 && chance(8) ? lens[purpose] : any_len();
	if (chance(2))
		request->create.flags |= CRATON_HSM_GENERATE;
	else
		request->create.key = any_address();
	request->create.timeout = chance(4) ? 0 : chance(3);
	any_text(request->create.label);
}

static void fill_read(union request *request)
{
	request->read.slot = any_slot(CRATON_HSM_GENERIC);
	request->read.key = any_address();
	request->read.key_len = any_len();
}

static void fill_one_slot(union request *request)
{
	request->destroy.slot = any_slot(1 + chance(CRATON_HSM_VOLUME));
}

static void fill_list(union request *request)
{
	request->list.after = chance(2) ? any_slot(CRATON_HSM_GENERIC) : 0;
	request->list.count = any_len();
	request->list.entries = any_address();
}

static void fill_wrap(union request *request)
{
	request->wrap.kek = any_slot(CRATON_HSM_KEY_ENCRYPTION);
	request->wrap.slot = any_slot(CRATON_HSM_VOLUME);
	request->wrap.blob = chance(2) ? (uintptr_t)places[0] : any_address();
	request->wrap.blob_len = chance(2) ? 232 : any_len();
}

static void fill_unwrap(union request *request)
{
	request->unwrap.kek = any_slot(CRATON_HSM_KEY_ENCRYPTION);
	request->unwrap.blob = chance(4) ? (uintptr_t)places[0] : any_address();
	request->unwrap.blob_len = chance(2) ? CRATON_HSM_BLOB_LEN(64) : any_len();
	request->unwrap.timeout = chance(4) ? 0 : chance(3);
}

static void fill_logon(union request *request)
{
	request->logon.slot = any_slot(CRATON_HSM_VOLUME);
	request->logon.keyring = any_keyring();
	request->logon.timeout = chance(4) ? 0 : chance(3);
	any_text(request->logon.name);
}

static void fill_anchor(union request *request)
{
	request->anchor.log_id[0] = 'f';
	request->anchor.log_id[1] = chance(2);
	request->anchor.value[0] = chance(2);
}

static const struct {
	uint32_t number, size, weight;
	uint32_t address; /* where it stands in the request, 0: nowhere */
	void (*fill)(union request *request);
} calls[] = {
	{CRATON_HSM_INFO, sizeof(struct craton_hsm_info), 1, 0, fill_info},
	{CRATON_HSM_SLOT_CREATE, sizeof(struct craton_hsm_slot_create), 6,
         offsetof(struct craton_hsm_slot_create, key), fill_create},
	{CRATON_HSM_SLOT_READ, sizeof(struct craton_hsm_slot_read), 3,
         offsetof(struct craton_hsm_slot_read, key), fill_read},
	{CRATON_HSM_SLOT_DESTROY, sizeof(struct craton_hsm_slot_destroy), 3, 0, fill_one_slot},
	{CRATON_HSM_SLOT_DESCRIBE, sizeof(struct craton_hsm_slot_describe), 2, 0, fill_one_slot},
	{CRATON_HSM_SLOT_LIST, sizeof(struct craton_hsm_slot_list), 2,
         offsetof(struct craton_hsm_slot_list, entries), fill_list},
	{CRATON_HSM_WRAP, sizeof(struct craton_hsm_wrap), 4, offsetof(struct craton_hsm_wrap, blob),
         fill_wrap},
	{CRATON_HSM_UNWRAP, sizeof(struct craton_hsm_unwrap), 4,
         offsetof(struct craton_hsm_unwrap, blob), fill_unwrap},
	{CRATON_HSM_LOGON, sizeof(struct craton_hsm_logon), 3, 0, fill_logon},
	{CRATON_HSM_ANCHOR_EXTEND, sizeof(struct craton_hsm_anchor), 1, 0, fill_anchor},
	{CRATON_HSM_ANCHOR_READ, sizeof(struct craton_hsm_anchor), 1, 0, fill_anchor},
};

/* ---- one call */

static size_t any_call(void)
{
	uint32_t left = chance(30);

	for (size_t i = 0; i < COUNT(calls); i++) {
		if (left < calls[i].weight)
			return i;
		left -= calls[i].weight;
	}
	return 0;
}

/* What was made is told to the others, who may use it, end it, or find that they may not. */
static void tell(uint32_t number, const union request *request)
{
	uint32_t purpose = CRATON_HSM_VOLUME, slot = request->unwrap.slot;

	if (number == CRATON_HSM_SLOT_CREATE) {
		purpose = request->create.purpose;
		slot = request->create.slot;
	} else if (number != CRATON_HSM_UNWRAP) {
		return;
	}
	own[purpose][chance(4)] = slot;
	shared[chance(SHARED)] = slot;
}

/* Addresses are chosen: one that is made up may be good, and what lies there this program's own. */
static void one_wrong_octet(union request *request, uint32_t address)
{
	uint64_t chosen;

	memcpy(&chosen, request->octets + address, sizeof(chosen));
	request->octets[chance(128)] = state;
	if (address)
		memcpy(request->octets + address, &chosen, sizeof(chosen));
}

static unsigned int one_ioctl(void)
{
	union request *request = (union request *)(places[0] + PAGE * 2);
	size_t which = any_call();
	uint32_t number = calls[which].number;

	memset(request, 0, sizeof(*request));
	calls[which].fill(request);
	request->head[0] = chance(20) ? calls[which].size : any_word();
	if (!chance(20))
		request->head[1] = any_word();
	if (!chance(10))
		one_wrong_octet(request, calls[which].address);
	if (!chance(50))
		number = any_word();
	if (!chance(50)) {
		ioctl(devices[0], number, any_address());
		return 0;
	}
	if (ioctl(devices[chance(6) ? 0 : chance(3)], number, request))
		return 0;
	tell(number, request);
	return 1;
}

static void one_mapping(void)
{
	size_t pages = 1 + chance(8), len = PAGE * pages, from = chance(pages);
	uint8_t *arena = mmap(NULL, len, chance(4) ? PROT_READ | PROT_WRITE : chance(8),
	                      chance(8) ? MAP_SHARED : MAP_PRIVATE, devices[chance(3)],
	                      chance(8) ? 0 : (off_t)PAGE * chance(4));

	if (arena == MAP_FAILED)
		return;
	switch (chance(6)) {
	case 0:
		mremap(arena, len, PAGE * (1 + chance(16)), MREMAP_MAYMOVE);
		break;
	case 1:
		munmap(arena + PAGE * from, PAGE);
		break;
	case 2:
		madvise(arena, len, chance(26));
		break;
	case 3:
		mprotect(arena + PAGE * from, PAGE * chance(pages - from + 1), chance(8));
		break;
	case 4:
		mlock(arena, len);
		break;
	}
	munmap(arena, len);
}

/* A random key is one of the owner's slots', as the keyring lists them. */
static void one_key_call(void)
{
	key_serial_t keys[256], key;
	struct craton_hsm_info info = {.size = sizeof(info)};
	long len;

	if (ioctl(devices[0], CRATON_HSM_INFO, &info) || !info.keyring)
		return;
	len = keyctl_read(info.keyring, (char *)keys, sizeof(keys));
	if (len < (long)sizeof(key))
		return;
	len = len < (long)sizeof(keys) ? len : (long)sizeof(keys);
	key = keys[chance(len / sizeof(key))];
	switch (chance(6)) {
	case 0:
		keyctl_revoke(key);
		break;
	case 1:
		keyctl_invalidate(key);
		break;
	case 2:
		keyctl_unlink(key, info.keyring);
		break;
	case 3:
		keyctl_link(key, any_keyring());
		break;
	case 4:
		keyctl_clear(chance(2) ? KEY_SPEC_SESSION_KEYRING : info.keyring);
		break;
	default:
		keyctl_describe(key, (char *)places[0], PAGE);
	}
}

/* A description that ends takes its slots along, under whatever the others do to them. */
static void one_reopening(void)
{
	close(devices[1]);
	devices[1] = open(CRATON_HSM_DEVICE, O_RDWR | O_CLOEXEC);
}

/* All that the description can see, persistent ones too. */
static void destroy_all(int device)
{
	struct craton_hsm_slot entry;
	uint32_t count;

	for (count = 1; slot_list(device, 0, &entry, &count) == 0 && count; count = 1)
		slot_destroy(device, entry.slot);
}

/* ---- processes */

static void process_begin(unsigned int index, uint64_t seed)
{
	state = (seed + 1) * 0x9e3779b97f4a7c15 + index;
	for (int i = 0; i < 20; i++)
		chance(2);
	ASSERT_GE(keyctl_join_session_keyring(NULL), 0);
	if (index % 2)
		become(SOMEBODY);
	devices[0] = open(CRATON_HSM_DEVICE, O_RDWR | O_CLOEXEC);
	devices[1] = open(CRATON_HSM_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(devices[0], 0);
	ASSERT_GE(devices[1], 0);
	for (int i = 0; i < 3; i++) {
		static const int protections[] = {PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE};

		places[i] = mmap(NULL, PLACE + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ASSERT_NE((void *)places[i], MAP_FAILED);
		ASSERT_EQ(mprotect(places[i], PLACE, protections[i]), 0);
	}
	places[3] = mmap(NULL, PLACE, PROT_READ | PROT_WRITE, MAP_SHARED, devices[0], 0);
	ASSERT_NE((void *)places[3], MAP_FAILED);
}

static void process_run(unsigned int index, uint64_t seed, unsigned long count)
{
	unsigned long good = 0, ioctls = 0;

	process_begin(index, seed);
	for (unsigned long i = 0; i < count; i++) {
		switch (chance(64)) {
		case 0:
			one_mapping();
			break;
		case 1:
			one_key_call();
			break;
		case 2:
			if (!chance(8))
				one_reopening();
			else if (!chance(4))
				destroy_all(devices[0]); /* room for others in the quota */
			break;
		default:
			ioctls++;
			good += one_ioctl();
		}
	}
	printf("# process %u: %lu of %lu ioctls worked\n", index, good, ioctls);
	/* Else all this tests is refusals. */
	EXPECT_GT(good, ioctls / 10);
}

static unsigned long number_of(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

static void clean_up(void *uid)
{
	int device;

	if (*(uid_t *)uid)
		become(*(uid_t *)uid);
	device = device_open();
	destroy_all(device);
	EXPECT_EQ(info_of(device).slot_count, 0);
	EXPECT_EQ(info_of(device).arena_len, 0);
}

TEST_TIMEOUT(random_calls, 2900)
{
	unsigned long processes = number_of("FUZZ_PROCESSES", PROCESSES), calls_each;
	uint64_t seed = number_of("FUZZ_SEED", time(NULL));
	uid_t users[] = {0, SOMEBODY};
	pid_t children[64];
	int status;

	ASSERT_TRUE(processes > 0 && processes <= COUNT(children));
	calls_each = number_of("FUZZ_CALLS", CALLS) / processes;
	printf("# FUZZ_SEED=%lu FUZZ_PROCESSES=%lu, %lu calls each\n", seed, processes, calls_each);
	devices[2] = device_open();
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fflush(NULL);
	for (unsigned long i = 0; i < processes; i++) {
		children[i] = fork();
		ASSERT_GE(children[i], 0);
		if (!children[i]) {
			process_run(i, seed, calls_each);
			harness_end(harness_failed);
		}
	}
	for (unsigned long i = 0; i < processes; i++) {
		ASSERT_EQ(waitpid(children[i], &status, 0), children[i]);
		EXPECT_EQ(status, 0);
	}
	for (size_t i = 0; i < COUNT(users); i++)
		in_child(clean_up, &users[i]);
}

HARNESS_MAIN
