/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hibernation: refused while anything holds secrets, or they are wiped first, as the module
 * parameter says. It goes as far as freezing the processes (pm_test) and comes back. Reboot is
 * reboot_test.sh's.
 */
#include <setjmp.h>

#include "device.h"
#include "events.h"

#define PARAMETER "/sys/module/craton_hsm/parameters/wipe_on_hibernation"
#define STATE     "/sys/power/state"
#define LEVEL     "/sys/power/pm_test"
#define LEN       (4 * 4096)

#define COUNT_OF(event)  ((event)->value[CRATON_HSM_ATTR_COUNT])
#define REASON_OF(event) ((event)->value[CRATON_HSM_ATTR_REASON])

static struct listener listener;
static int device;

static void begin(const char *wipe)
{
	char states[64];

	if (!file_read(STATE, states, sizeof(states)) || !strstr(states, "disk"))
		SKIP("this kernel does not hibernate");
	if (!file_write(LEVEL, "freezer"))
		SKIP("this kernel has no pm_test");
	file_write("/sys/module/suspend/parameters/pm_test_delay", "0");
	ASSERT_TRUE(file_write(PARAMETER, wipe));
	device = device_open();
	ASSERT_TRUE(listener_open(&listener));
}

static int hibernate(void)
{
	return file_write(STATE, "disk") ? 0 : errno;
}

static uint8_t *arena_map(void)
{
	uint8_t *arena = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, device, 0);

	ASSERT_NE((void *)arena, MAP_FAILED);
	memset(arena, 0x5a, LEN);
	return arena;
}

static void refused(uint32_t count)
{
	struct event *event;

	EXPECT_EQ(hibernate(), EPERM);
	event = event_expect(&listener, CRATON_HSM_EVENT_HIBERNATION_REFUSED, EVENT_HAS(COUNT));
	EXPECT_EQ(COUNT_OF(event), count);
	event_expect_none(&listener);
}

static uint32_t slot_quietly(uint32_t flags)
{
	uint32_t slot = slot_generic(device, flags);

	ASSERT_NOT_NULL(event_next(&listener, 5000)); /* it was created */
	return slot;
}

TEST(refused_while_a_slot_lives)
{
	uint32_t slot;

	begin("N");
	slot = slot_quietly(0);
	refused(1);
	EXPECT_EQ(slot_find(device, slot), 0);
	slot_quietly(CRATON_HSM_SEALED); /* and others may come */
	refused(2);
}

TEST(refused_while_a_persistent_slot_lives)
{
	uint32_t slot;

	begin("N");
	slot = slot_quietly(CRATON_HSM_PERSISTENT);
	close(device);
	refused(1);
	device = device_open();
	EXPECT_EQ(slot_destroy(device, slot), 0);
}

TEST(refused_while_an_arena_is_mapped)
{
	uint8_t *arena;

	begin("N");
	arena = arena_map();
	close(device);
	refused(1);
	for (size_t at = 0; at < LEN; at++)
		ASSERT_EQ(arena[at], 0x5a);
}

TEST(not_refused_without)
{
	begin("N");
	EXPECT_EQ(hibernate(), 0);
	event_expect_none(&listener);
	slot_quietly(0);
	arena_map();
}

static sigjmp_buf after_fault;

static void fault(int number)
{
	siglongjmp(after_fault, number);
}

/* 0, or the signal that reading gave. */
static int touch(const volatile uint8_t *at)
{
	int number = sigsetjmp(after_fault, 1);

	signal(SIGBUS, fault);
	signal(SIGSEGV, fault);
	if (!number)
		(void)*at;
	return number;
}

TEST(wiped_before)
{
	struct event *event;
	uint32_t slots[2];
	uint8_t *arena;

	begin("Y");
	slots[0] = slot_quietly(0);
	slots[1] = slot_quietly(CRATON_HSM_SEALED | CRATON_HSM_PERSISTENT);
	arena = arena_map();
	EXPECT_EQ(hibernate(), 0);
	for (size_t i = 0; i < COUNT(slots); i++) {
		event = event_expect(&listener, CRATON_HSM_EVENT_SLOT_DESTROYED,
		                     EVENT_HAS(SLOT) | EVENT_HAS(UID) | EVENT_HAS(REASON));
		EXPECT_EQ(REASON_OF(event), CRATON_HSM_REASON_POWER);
		EXPECT_EQ(slot_find(device, slots[i]), ENOENT);
	}
	event = event_expect(&listener, CRATON_HSM_EVENT_WIPED,
	                     EVENT_HAS(COUNT) | EVENT_HAS(REASON));
	EXPECT_EQ(COUNT_OF(event), 3);
	EXPECT_EQ(REASON_OF(event), CRATON_HSM_REASON_POWER);
	event_expect_none(&listener);
	EXPECT_EQ(touch(arena), SIGBUS);
	EXPECT_EQ(touch(arena + LEN - 1), SIGBUS);
	EXPECT_EQ(info_of(device).slot_count, 0);
	/* Awake again, there is room for new ones. */
	slot_quietly(0);
	arena = arena_map();
	EXPECT_EQ(touch(arena), 0);
	ASSERT_TRUE(file_write(PARAMETER, "N"));
}

/* What sleeps to memory keeps its memory. */
TEST(suspend_is_no_concern)
{
	char states[64];
	uint32_t slot;

	begin("N");
	ASSERT_NOT_NULL(file_read(STATE, states, sizeof(states)));
	slot = slot_quietly(0);
	if (!strstr(states, "freeze"))
		SKIP("this kernel does not suspend");
	EXPECT_TRUE(file_write(STATE, "freeze"));
	EXPECT_EQ(slot_find(device, slot), 0);
	event_expect_none(&listener);
}

HARNESS_MAIN
