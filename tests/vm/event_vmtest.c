/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events: each comes once, in order, with its attributes and no others; a slot's end says why.
 * Those of hibernation are power_vmtest's, that of a clone clone_test.sh's.
 */
#include <keyutils.h>
#include <sched.h>

#include "device.h"
#include "events.h"

#define CREATED   CRATON_HSM_EVENT_SLOT_CREATED
#define DESTROYED CRATON_HSM_EVENT_SLOT_DESTROYED
#define DENIED    CRATON_HSM_EVENT_ACCESS_DENIED

#define HAS_CREATED                                                                                \
	(EVENT_HAS(SLOT) | EVENT_HAS(PURPOSE) | EVENT_HAS(FLAGS) | EVENT_HAS(UID) | EVENT_HAS(PID))
#define HAS_DESTROYED (EVENT_HAS(SLOT) | EVENT_HAS(UID) | EVENT_HAS(REASON))
#define HAS_DENIED    (EVENT_HAS(CALL) | EVENT_HAS(UID) | EVENT_HAS(PID))

#define VALUE(event, attribute) ((event)->value[CRATON_HSM_ATTR_##attribute])

static struct listener listener;
static int device;

static void begin(void)
{
	device = device_open();
	ASSERT_TRUE(listener_open(&listener));
	event_expect_none(&listener);
}

static uint64_t boot_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static uint32_t created(uint32_t slot, uint32_t purpose, uint32_t flags, uint32_t uid)
{
	struct event *event = event_expect(&listener, CREATED, HAS_CREATED);

	EXPECT_EQ(VALUE(event, SLOT), slot);
	EXPECT_EQ(VALUE(event, PURPOSE), purpose);
	EXPECT_EQ(VALUE(event, FLAGS), flags);
	EXPECT_EQ(VALUE(event, UID), uid);
	return VALUE(event, PID);
}

static void destroyed(uint32_t slot, uint32_t reason)
{
	struct event *event = event_expect(&listener, DESTROYED, HAS_DESTROYED);

	EXPECT_EQ(VALUE(event, SLOT), slot);
	EXPECT_EQ(VALUE(event, UID), 0);
	EXPECT_EQ(VALUE(event, REASON), reason);
}

static uint32_t denied(uint32_t number, uint32_t uid)
{
	struct event *event = event_expect(&listener, DENIED, HAS_DENIED);

	EXPECT_EQ(VALUE(event, CALL), number);
	EXPECT_EQ(VALUE(event, UID), uid);
	return VALUE(event, PID);
}

/* ---- slots come */

TEST(created_with_attributes)
{
	uint64_t from = boot_time();
	uint32_t slot;
	struct event *event;

	begin();
	slot = slot_generic(device, CRATON_HSM_SEALED);
	EXPECT_EQ(created(slot, CRATON_HSM_GENERIC, CRATON_HSM_SEALED, 0), getpid());
	event = &listener.events[0];
	EXPECT_GE(VALUE(event, TIME), from);
	EXPECT_LE(VALUE(event, TIME), boot_time());
	slot = slot_volume(device, NULL, 64);
	created(slot, CRATON_HSM_VOLUME, CRATON_HSM_SEALED, 0);
	slot = slot_generic(device, CRATON_HSM_PERSISTENT);
	created(slot, CRATON_HSM_GENERIC, CRATON_HSM_PERSISTENT, 0);
	EXPECT_EQ(slot_destroy(device, slot), 0);
	destroyed(slot, CRATON_HSM_REASON_REQUEST);
	event_expect_none(&listener);
}

TEST(unwrapped_is_created)
{
	uint8_t blob[CRATON_HSM_BLOB_LEN(64)];
	uint32_t blob_len = sizeof(blob), kek, volume, slot;

	begin();
	kek = slot_kek(device, NULL);
	volume = slot_volume(device, NULL, 64);
	created(kek, CRATON_HSM_KEY_ENCRYPTION, CRATON_HSM_SEALED, 0);
	created(volume, CRATON_HSM_VOLUME, CRATON_HSM_SEALED, 0);
	ASSERT_EQ(slot_wrap(device, kek, volume, blob, &blob_len), 0);
	ASSERT_EQ(slot_unwrap(device, kek, blob, blob_len, &slot), 0);
	created(slot, CRATON_HSM_VOLUME, CRATON_HSM_SEALED, 0);
	event_expect_none(&listener);
}

TEST(what_fails_creates_nothing)
{
	struct craton_hsm_slot_create request = slot_request(0, CRATON_HSM_GENERIC, (void *)1, 32);

	begin();
	EXPECT_EQ(call(device, CRATON_HSM_SLOT_CREATE, &request), EFAULT);
	event_expect_none(&listener);
}

static void of_somebody(void *pid)
{
	become(SOMEBODY);
	*(pid_t *)pid = getpid();
	slot_generic(device_open(), 0);
}

TEST(user_and_process)
{
	pid_t *pid = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct event *event;

	begin();
	in_child(of_somebody, pid);
	event = event_expect(&listener, CREATED, HAS_CREATED);
	EXPECT_EQ(VALUE(event, UID), SOMEBODY);
	EXPECT_EQ(VALUE(event, PID), *pid);
	event = event_expect(&listener, DESTROYED, HAS_DESTROYED);
	EXPECT_EQ(VALUE(event, UID), SOMEBODY);
	EXPECT_EQ(VALUE(event, REASON), CRATON_HSM_REASON_CLOSED);
	event_expect_none(&listener);
}

/* ---- and go */

TEST(destroyed_by_request)
{
	uint32_t slot;

	begin();
	slot = slot_generic(device, 0);
	created(slot, CRATON_HSM_GENERIC, 0, 0);
	ASSERT_EQ(slot_destroy(device, slot), 0);
	destroyed(slot, CRATON_HSM_REASON_REQUEST);
	EXPECT_EQ(slot_destroy(device, slot), ENOENT);
	event_expect_none(&listener);
}

TEST(destroyed_by_close)
{
	uint32_t first, second;

	begin();
	first = slot_generic(device, 0);
	second = slot_generic(device, 0);
	created(first, CRATON_HSM_GENERIC, 0, 0);
	created(second, CRATON_HSM_GENERIC, 0, 0);
	close(device);
	destroyed(first, CRATON_HSM_REASON_CLOSED);
	destroyed(second, CRATON_HSM_REASON_CLOSED);
	event_expect_none(&listener);
}

static long by_revoke(key_serial_t key, key_serial_t keyring)
{
	(void)keyring;
	return keyctl_revoke(key);
}

static long by_invalidate(key_serial_t key, key_serial_t keyring)
{
	(void)keyring;
	return keyctl_invalidate(key);
}

TEST(destroyed_by_key)
{
	static long (*const ends[])(key_serial_t, key_serial_t) = {by_revoke, by_invalidate,
	                                                           keyctl_unlink};

	begin();
	for (size_t i = 0; i < COUNT(ends); i++) {
		uint32_t slot = slot_generic(device, 0);

		created(slot, CRATON_HSM_GENERIC, 0, 0);
		ASSERT_EQ(ends[i](slot_serial(device, slot), info_of(device).keyring), 0);
		destroyed(slot, CRATON_HSM_REASON_KEY);
		event_expect_none(&listener);
	}
}

TEST(destroyed_by_timeout)
{
	struct craton_hsm_slot_create request =
		slot_request(CRATON_HSM_GENERATE, CRATON_HSM_GENERIC, NULL, 1);

	begin();
	request.timeout = 1;
	ASSERT_EQ(call(device, CRATON_HSM_SLOT_CREATE, &request), 0);
	created(request.slot, CRATON_HSM_GENERIC, 0, 0);
	destroyed(request.slot, CRATON_HSM_REASON_TIMEOUT);
	event_expect_none(&listener);
}

/* ---- who was refused */

static void second_passes(void)
{
	/* Not more than ten a second are told; begin in a new one. */
	uint64_t from = boot_time();

	while (boot_time() < from + 1100000000)
		poll(NULL, 0, 100);
}

static void calls_of_a_copy(void *unused)
{
	struct craton_hsm_info info = {.size = sizeof(info)};

	(void)unused;
	EXPECT_EQ(call(device, CRATON_HSM_INFO, &info), EPERM);
	EXPECT_EQ(slot_destroy(device, 1), EPERM);
	EXPECT_EQ(mmap(NULL, 4096, PROT_READ, MAP_SHARED, device, 0), MAP_FAILED);
}

TEST(denied_calls)
{
	uint32_t pid;

	second_passes();
	begin();
	in_child(calls_of_a_copy, NULL);
	pid = denied(_IOC_NR(CRATON_HSM_INFO), 0);
	EXPECT_NE(pid, getpid());
	EXPECT_EQ(denied(_IOC_NR(CRATON_HSM_SLOT_DESTROY), 0), pid);
	EXPECT_EQ(denied(0xff, 0), pid);
	event_expect_none(&listener);
}

TEST(denied_reading_of_a_sealed_slot)
{
	uint8_t key[32];
	uint32_t key_len = sizeof(key), slot;

	second_passes();
	begin();
	slot = slot_generic(device, CRATON_HSM_SEALED);
	created(slot, CRATON_HSM_GENERIC, CRATON_HSM_SEALED, 0);
	EXPECT_EQ(slot_read(device, slot, key, &key_len), EACCES);
	EXPECT_EQ(denied(_IOC_NR(CRATON_HSM_SLOT_READ), 0), getpid());
	event_expect_none(&listener);
}

static void many_calls_of_a_copy(void *unused)
{
	(void)unused;
	for (int i = 0; i < 200; i++)
		EXPECT_EQ(slot_destroy(device, 1), EPERM);
}

TEST(denied_calls_are_limited)
{
	uint64_t from;
	unsigned int told = 0;

	second_passes();
	begin();
	from = boot_time();
	in_child(many_calls_of_a_copy, NULL);
	/* Ten for each second begun, if the machine was that slow. */
	unsigned int most = 10 * ((boot_time() - from) / 1000000000 + 1);

	while (event_next(&listener, 0))
		told++;
	EXPECT_GE(told, 10);
	EXPECT_LE(told, most);
}

/* ---- who may listen */

static void listens(void *unused)
{
	struct event *event;

	(void)unused;
	become(SOMEBODY);
	ASSERT_TRUE(listener_open(&listener));
	slot_generic(device_open(), 0);
	event = event_expect(&listener, CREATED, HAS_CREATED);
	/* Numbers only: no label would fit. */
	EXPECT_LE(event->len, NLMSG_HDRLEN + GENL_HDRLEN + 16 + 5 * 8);
}

TEST(without_a_capability)
{
	in_child(listens, NULL);
}

static void listens_elsewhere(void *unused)
{
	struct listener other;

	(void)unused;
	ASSERT_EQ(unshare(CLONE_NEWNET), 0);
	EXPECT_FALSE(listener_open(&other));
}

TEST(not_from_another_network_namespace)
{
	in_child(listens_elsewhere, NULL);
}

TEST(all_listeners_hear)
{
	static struct listener other;
	uint32_t slot;

	begin();
	ASSERT_TRUE(listener_open(&other));
	slot = slot_generic(device, 0);
	created(slot, CRATON_HSM_GENERIC, 0, 0);
	event_expect(&other, CREATED, HAS_CREATED);
	listener_close(&other);
	slot_destroy(device, slot);
	destroyed(slot, CRATON_HSM_REASON_REQUEST);
}

HARNESS_MAIN
