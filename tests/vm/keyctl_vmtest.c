/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guide's keyctl(1) commands as an administrator types them, in the session of the process that
 * holds the slots.
 */
#include <keyutils.h>

#include "device.h"
#include "shell.h"

static int device;
static uint32_t slot;
static key_serial_t key;

static void slot_with_label(const char *label, uint32_t flags)
{
	struct craton_hsm_slot_create request =
		slot_request(flags | CRATON_HSM_GENERATE, CRATON_HSM_GENERIC, NULL, 32);

	ASSERT_GE(keyctl_join_session_keyring(NULL), 0);
	ASSERT_EQ(keyctl_link(KEY_SPEC_USER_KEYRING, KEY_SPEC_SESSION_KEYRING), 0);
	device = device_open();
	memset(request.label, 0, sizeof(request.label));
	memcpy(request.label, label, strlen(label));
	ASSERT_EQ(call(device, CRATON_HSM_SLOT_CREATE, &request), 0);
	slot = request.slot;
	key = request.serial;
}

static bool slot_is_gone(void *unused)
{
	(void)unused;
	return slot_find(device, slot) == ENOENT;
}

TEST(show)
{
	slot_with_label("web server", 0);
	SHELL("keyctl show @u");
	EXPECT_TRUE(shell_said("keyring: .craton_hsm"));
	EXPECT_TRUE(shell_said("craton_hsm: web server: slot "));
}

TEST(list)
{
	slot_with_label("web server", 0);
	SHELL("keyctl list %d", info_of(device).keyring);
	EXPECT_TRUE(shell_said("web server"));
}

TEST(describe)
{
	slot_with_label("web server", CRATON_HSM_SEALED);
	SHELL("keyctl describe %d", key);
	EXPECT_TRUE(shell_said("craton_hsm: web server: slot "));
	EXPECT_TRUE(shell_said("sealed"));
}

TEST(rdescribe)
{
	char wanted[128];

	slot_with_label("web server", CRATON_HSM_SEALED);
	SHELL("keyctl rdescribe %d", key);
	snprintf(wanted, sizeof(wanted), ";web server: slot %u, generic, 32 octets, sealed", slot);
	EXPECT_EQ(strncmp(shell_output, "craton_hsm;0;0;010d0000;", 24), 0);
	EXPECT_TRUE(shell_said(wanted));
	/* Neither label nor text has a ';', so that a script may cut the line there. */
	EXPECT_TRUE(strrchr(shell_output, ';') < strstr(shell_output, "web server"));
}

TEST(search)
{
	slot_with_label("web server", 0);
	SHELL("keyctl search @u keyring .craton_hsm");
	EXPECT_EQ(atoi(shell_output), info_of(device).keyring);
}

TEST(read_gives_nothing)
{
	slot_with_label("web server", 0);
	EXPECT_NE(shell("keyctl read %d", key), 0);
	EXPECT_NE(shell("keyctl pipe %d", key), 0);
	EXPECT_NE(shell("keyctl print %d", key), 0);
	EXPECT_TRUE(shell_said("not supported") || shell_said("denied"));
}

TEST(padd_of_our_type)
{
	slot_with_label("web server", 0);
	SHELL_FAILS("not permitted", "echo secret | keyctl padd craton_hsm mine @s");
	SHELL_FAILS("not permitted", "keyctl add craton_hsm mine secret @u");
}

TEST(revoke)
{
	slot_with_label("web server", 0);
	SHELL("keyctl revoke %d", key);
	EXPECT_EQ(slot_find(device, slot), ENOENT);
}

TEST(invalidate)
{
	slot_with_label("web server", 0);
	SHELL("keyctl invalidate %d", key);
	EXPECT_TRUE(comes_true(slot_is_gone, NULL, 10));
}

TEST(unlink_by_number)
{
	slot_with_label("web server", 0);
	SHELL("keyctl unlink %d %d", key, info_of(device).keyring);
	EXPECT_TRUE(comes_true(slot_is_gone, NULL, 10));
}

TEST(an_ended_slot_is_not_shown)
{
	slot_with_label("web server", 0);
	ASSERT_EQ(slot_destroy(device, slot), 0);
	SHELL("keyctl show @u");
	EXPECT_FALSE(shell_said("web server"));
}

HARNESS_MAIN
