/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The module stays while it is needed, whoever may have closed what, and goes when it is not; it
 * takes everything along and comes back empty.
 */
#include <keyutils.h>
#include <sys/syscall.h>

#include "device.h"
#include "events.h"
#include "shell.h"

#define MODULE "craton_hsm"

/* 0 or errno; does not wait. */
static int module_remove(void)
{
	return syscall(SYS_delete_module, MODULE, O_NONBLOCK) ? errno : 0;
}

/* A process that ended a moment ago may still hold something. */
static bool is_removed(void *unused)
{
	(void)unused;
	return module_remove() == 0;
}

static void module_return(void)
{
	SHELL("modprobe " MODULE);
	ASSERT_EQ(access(CRATON_HSM_DEVICE, F_OK), 0);
}

static void reload(void)
{
	ASSERT_TRUE(comes_true(is_removed, NULL, 10));
	EXPECT_NE(access(CRATON_HSM_DEVICE, F_OK), 0);
	module_return();
}

TEST(refused_while_a_descriptor_is_open)
{
	int device = device_open();

	EXPECT_EQ(module_remove(), EAGAIN);
	EXPECT_EQ(info_of(device).abi, CRATON_HSM_ABI);
	close(device);
	reload();
}

TEST(refused_while_a_persistent_slot_lives)
{
	int device = device_open();
	uint32_t slot = slot_generic(device, CRATON_HSM_PERSISTENT);

	close(device);
	EXPECT_EQ(module_remove(), EAGAIN);
	device = device_open();
	EXPECT_EQ(slot_find(device, slot), 0);
	EXPECT_EQ(slot_destroy(device, slot), 0);
	close(device);
	reload();
}

TEST(refused_while_an_arena_is_mapped)
{
	int device = device_open();
	uint8_t *arena = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, device, 0);

	ASSERT_NE((void *)arena, MAP_FAILED);
	close(device);
	EXPECT_EQ(module_remove(), EAGAIN);
	arena[0] = 1;
	ASSERT_EQ(munmap(arena, 4096), 0);
	reload();
}

/* The key may be the last that is known of a slot. */
TEST(goes_when_the_key_of_the_last_slot_is_revoked)
{
	int device = device_open();
	key_serial_t key = slot_serial(device, slot_generic(device, CRATON_HSM_PERSISTENT));

	close(device);
	EXPECT_EQ(module_remove(), EAGAIN);
	ASSERT_EQ(keyctl_revoke(key), 0);
	reload();
}

TEST(goes_when_the_last_slot_times_out)
{
	struct craton_hsm_slot_create request = slot_request(
		CRATON_HSM_GENERATE | CRATON_HSM_PERSISTENT, CRATON_HSM_GENERIC, NULL, 1);
	int device = device_open();

	request.timeout = 1;
	ASSERT_EQ(call(device, CRATON_HSM_SLOT_CREATE, &request), 0);
	close(device);
	EXPECT_EQ(module_remove(), EAGAIN);
	reload();
}

/* With timers armed, keys half collected and a register extended, again and again. */
TEST(takes_everything_along)
{
	struct craton_hsm_slot_create request =
		slot_request(CRATON_HSM_GENERATE, CRATON_HSM_GENERIC, NULL, 1);
	struct craton_hsm_anchor anchor = {.size = sizeof(anchor), .log_id = "of unload"};

	request.timeout = 1;
	for (int round = 0; round < 5; round++) {
		int device = device_open();
		uint32_t slot = slot_generic(device, 0);

		ASSERT_EQ(info_of(device).slot_count, 1);
		anchor.counter = 0;
		ASSERT_EQ(call(device, CRATON_HSM_ANCHOR_EXTEND, &anchor), 0);
		ASSERT_EQ(anchor.counter, 1);
		for (int i = 0; i < 20; i++)
			ASSERT_EQ(call(device, CRATON_HSM_SLOT_CREATE, &request), 0);
		ASSERT_EQ(keyctl_invalidate(slot_serial(device, slot)), 0);
		close(device);
		reload();
	}
}

/* Whose @u still leads to the old keyring gets a new one. */
TEST(the_keyring_after_a_reload)
{
	int device = device_open();
	key_serial_t old, keyring;

	slot_generic(device, 0);
	old = info_of(device).keyring;
	close(device);
	reload();
	device = device_open();
	EXPECT_EQ(info_of(device).keyring, 0);
	slot_generic(device, 0);
	keyring = info_of(device).keyring;
	EXPECT_GT(keyring, 0);
	EXPECT_NE(keyring, old);
	SHELL("keyctl show @u");
	EXPECT_TRUE(shell_said("a test: slot"));
	SHELL("keyctl search @u keyring .craton_hsm");
	EXPECT_EQ(atoi(shell_output), keyring);
}

TEST(without_it)
{
	struct listener listener;

	ASSERT_TRUE(comes_true(is_removed, NULL, 10));
	EXPECT_FALSE(listener_open(&listener));
	EXPECT_EQ(add_key(MODULE, "a test", "x", 1, KEY_SPEC_PROCESS_KEYRING), -1);
	EXPECT_EQ(errno, ENODEV);
	module_return();
	EXPECT_TRUE(listener_open(&listener));
	listener_close(&listener);
	EXPECT_EQ(add_key(MODULE, "a test", "x", 1, KEY_SPEC_PROCESS_KEYRING), -1);
	EXPECT_EQ(errno, EPERM);
}

HARNESS_MAIN
