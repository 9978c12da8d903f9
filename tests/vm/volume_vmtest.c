/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes: logon keys of volume slots, and dm-crypt mappings by dmsetup(8) with them. A filesystem
 * is written, closed, and read again with a key that was rewrapped and unwrapped meanwhile.
 *
 * # TIMEOUT 120
 */
#include <keyutils.h>
#include <sys/mount.h>

#include "device.h"
#include "shell.h"

#define IMAGE    "/tmp/volume-of-a-test"
#define SIZE_MIB 24
#define MAPPING  "craton-test"
#define FOLDER   "/tmp/volume-mounted"
#define TEXT     "octets that nobody must find in the image"
/* POS: view, search, link; USR: view, search. */
#define PERMISSIONS "19090000"

static int device;

static void session(void)
{
	ASSERT_GE(keyctl_join_session_keyring(NULL), 0);
	device = device_open();
}

static int logon_in(uint32_t slot, const char *name, int32_t keyring, uint32_t timeout,
                    int32_t *serial)
{
	struct craton_hsm_logon request = {
		.size = sizeof(request), .slot = slot, .keyring = keyring, .timeout = timeout};
	int result;

	memcpy(request.name, name, strnlen(name, sizeof(request.name)));
	result = call(device, CRATON_HSM_LOGON, &request);
	*serial = request.serial;
	return result;
}

static int logon(uint32_t slot, const char *name)
{
	int32_t serial;

	return logon_in(slot, name, KEY_SPEC_SESSION_KEYRING, 0, &serial);
}

/* ---- logon keys */

TEST(logon_description)
{
	char *text = NULL;
	int32_t serial;

	session();
	ASSERT_EQ(logon_in(slot_volume(device, NULL, 64), "disk 1", KEY_SPEC_SESSION_KEYRING, 0,
	                   &serial),
	          0);
	EXPECT_EQ(keyctl_search(KEY_SPEC_SESSION_KEYRING, "logon", "craton-hsm:disk 1", 0), serial);
	ASSERT_GT(keyctl_describe_alloc(serial, &text), 0);
	EXPECT_STREQ(text, "logon;0;0;" PERMISSIONS ";craton-hsm:disk 1");
	free(text);
}

TEST(nobody_reads_or_changes_a_logon_key)
{
	char octets[128];
	int32_t serial;

	session();
	ASSERT_EQ(logon_in(slot_volume(device, NULL, 64), "disk", KEY_SPEC_SESSION_KEYRING, 0,
	                   &serial),
	          0);
	EXPECT_EQ(keyctl_read(serial, octets, sizeof(octets)), -1);
	EXPECT_TRUE(errno == EOPNOTSUPP || errno == EACCES);
	EXPECT_EQ(keyctl_update(serial, "secret", 6), -1);
	EXPECT_EQ(errno, EACCES);
	EXPECT_EQ(add_key("logon", "craton-hsm:disk", "secret", 6, KEY_SPEC_SESSION_KEYRING), -1);
	EXPECT_EQ(errno, EACCES);
	EXPECT_EQ(keyctl_setperm(serial, 0x3f3f3f3f), -1);
	EXPECT_EQ(errno, EACCES);
	EXPECT_EQ(keyctl_revoke(serial), -1);
	EXPECT_EQ(errno, EACCES);
	EXPECT_EQ(keyctl_set_timeout(serial, 1), -1);
	EXPECT_EQ(errno, EACCES);
	EXPECT_EQ(keyctl_chown(serial, SOMEBODY, -1), -1);
	EXPECT_EQ(errno, EACCES);
	EXPECT_EQ(keyctl_search(KEY_SPEC_SESSION_KEYRING, "logon", "craton-hsm:disk", 0), serial);
}

TEST(logon_names)
{
	static const struct {
		const char *name;
		int wanted;
	} cases[] = {
		{"a", 0},
		{"", EINVAL},
		{"a:b", EINVAL},
		{"a;b", EINVAL},
		{"a\nb", EINVAL},
		{"a b~", 0},
		{"\x7f", EINVAL},
		{"a name of sixty-three characters, which is as long as it gets..", 0},
		{"a name of sixty-four characters, which is one more than it can..", EINVAL},
	};
	uint32_t slot;

	session();
	slot = slot_volume(device, NULL, 64);
	for (size_t i = 0; i < COUNT(cases); i++) {
		int result = logon(slot, cases[i].name);

		if (result != cases[i].wanted)
			HARNESS_FAIL(false, "\"%s\": %d (%s)", cases[i].name, result,
			             strerror(result));
	}
}

TEST(logon_slots)
{
	session();
	EXPECT_EQ(logon(slot_generic(device, 0), "disk"), EINVAL);
	EXPECT_EQ(logon(slot_kek(device, NULL), "disk"), EINVAL);
	EXPECT_EQ(logon(12345678, "disk"), ENOENT);
	EXPECT_EQ(logon(slot_volume(device_open(), NULL, 64), "disk"), ENOENT);
}

TEST(one_name_one_key)
{
	key_serial_t other;
	int32_t serial, second;
	uint32_t slot;

	session();
	slot = slot_volume(device, NULL, 64);
	other = add_key("keyring", "another", NULL, 0, KEY_SPEC_SESSION_KEYRING);
	ASSERT_EQ(logon_in(slot, "disk", other, 0, &serial), 0);
	EXPECT_EQ(logon_in(slot, "disk", other, 0, &second), EEXIST);
	EXPECT_EQ(logon_in(slot_volume(device, NULL, 32), "disk", other, 0, &second), EEXIST);
	EXPECT_EQ(logon_in(slot, "disk", KEY_SPEC_PROCESS_KEYRING, 0, &second), 0);
	ASSERT_EQ(keyctl_unlink(serial, other), 0);
	EXPECT_EQ(logon_in(slot, "disk", other, 0, &second), 0);
}

TEST(logon_keyrings)
{
	key_serial_t revoked, locked, no_keyring;
	int32_t serial;
	uint32_t slot;

	session();
	slot = slot_volume(device, NULL, 64);
	revoked = add_key("keyring", "revoked", NULL, 0, KEY_SPEC_SESSION_KEYRING);
	locked = add_key("keyring", "locked", NULL, 0, KEY_SPEC_SESSION_KEYRING);
	no_keyring = add_key("user", "no keyring", "x", 1, KEY_SPEC_SESSION_KEYRING);
	ASSERT_EQ(keyctl_setperm(locked, 0x0b0b0000), 0); /* view, read, search */
	ASSERT_EQ(keyctl_revoke(revoked), 0);
	EXPECT_EQ(logon_in(slot, "disk", revoked, 0, &serial), EKEYREVOKED);
	EXPECT_EQ(logon_in(slot, "disk", locked, 0, &serial), EACCES);
	EXPECT_EQ(logon_in(slot, "disk", no_keyring, 0, &serial), ENOTDIR);
	EXPECT_EQ(logon_in(slot, "disk", 0x3ffffff1, 0, &serial), ENOKEY);
	EXPECT_EQ(logon_in(slot, "disk", 0, 0, &serial), EINVAL);
	EXPECT_EQ(logon_in(slot, "disk", -1000, 0, &serial), EINVAL);
	EXPECT_EQ(logon_in(slot, "disk", KEY_SPEC_USER_KEYRING, 0, &serial), 0);
	EXPECT_EQ(keyctl_unlink(serial, KEY_SPEC_USER_KEYRING), 0);
}

static bool is_expired(void *serial)
{
	char *text = NULL;
	bool expired = keyctl_describe_alloc(*(int32_t *)serial, &text) < 0;

	free(text);
	return expired;
}

TEST(logon_keys_expire)
{
	int32_t serial;

	session();
	ASSERT_EQ(logon_in(slot_volume(device, NULL, 64), "disk", KEY_SPEC_SESSION_KEYRING, 1,
	                   &serial),
	          0);
	EXPECT_TRUE(comes_true(is_expired, &serial, 10));
	EXPECT_EQ(logon(slot_volume(device, NULL, 64), "disk"), 0);
}

/* ---- the quota of keys */

static void uses_it_up(void *unused)
{
	char name[32];
	int result = 0, made = 0;

	(void)unused;
	become(SOMEBODY);
	session();
	uint32_t slot = slot_volume(device, NULL, 64);

	for (; made < 20 && !result; made += !result) {
		snprintf(name, sizeof(name), "disk %d", made);
		result = logon(slot, name);
	}
	EXPECT_EQ(result, EDQUOT);
	EXPECT_GT(made, 0);
}

TEST(logon_quota)
{
	char before[16];

	ASSERT_NOT_NULL(file_read("/proc/sys/kernel/keys/maxkeys", before, sizeof(before)));
	ASSERT_TRUE(file_write("/proc/sys/kernel/keys/maxkeys", "10"));
	in_child(uses_it_up, NULL);
	ASSERT_TRUE(file_write("/proc/sys/kernel/keys/maxkeys", before));
}

/* ---- mappings */

static void image_make(void)
{
	SHELL("modprobe -a dm-mod dm-crypt loop ext4");
	SHELL("dd if=/dev/zero of=" IMAGE " bs=1M count=%d && losetup /dev/loop0 " IMAGE, SIZE_MIB);
	/* No udev here: libdevmapper makes the names itself. */
	ASSERT_EQ(setenv("DM_DISABLE_UDEV", "1", 1), 0);
	mkdir(FOLDER, 0700);
}

static int mapping_open(uint32_t slot, const char *name)
{
	EXPECT_EQ(logon(slot, name), 0);
	return shell("dmsetup create " MAPPING " --table '0 %d crypt aes-xts-plain64 "
	             ":64:logon:craton-hsm:%s 0 /dev/loop0 0'",
	             SIZE_MIB * 2048, name);
}

static void mapping_close(const char *name)
{
	char description[128];
	long serial;

	SHELL("dmsetup remove " MAPPING);
	snprintf(description, sizeof(description), "craton-hsm:%s", name);
	serial = keyctl_search(KEY_SPEC_SESSION_KEYRING, "logon", description, 0);
	ASSERT_GT(serial, 0);
	ASSERT_EQ(keyctl_unlink(serial, KEY_SPEC_SESSION_KEYRING), 0);
}

static void file_in_volume(bool write)
{
	SHELL("mount -t ext4 /dev/mapper/" MAPPING " " FOLDER);
	if (write)
		SHELL("for i in 1 2 3 4; do echo '" TEXT "' $i >>" FOLDER "/file; done && sync");
	SHELL("cat " FOLDER "/file");
	EXPECT_TRUE(shell_said(TEXT " 4"));
	SHELL("umount " FOLDER);
}

/* The table names the key; even with --showkeys it is a name. */
static void table_shows_no_key(const char *name)
{
	char wanted[128];

	snprintf(wanted, sizeof(wanted), ":64:logon:craton-hsm:%s ", name);
	SHELL("dmsetup table --showkeys " MAPPING);
	EXPECT_TRUE(shell_said(wanted));
}

/* Wraps under a new key-encryption slot, and ends the key's own. */
static uint32_t rewrap(uint32_t slot)
{
	uint32_t kek = slot_kek(device, NULL), back;
	uint8_t blob[CRATON_HSM_BLOB_LEN(64)];
	uint32_t blob_len = sizeof(blob);

	EXPECT_EQ(slot_wrap(device, kek, slot, blob, &blob_len), 0);
	EXPECT_EQ(slot_destroy(device, slot), 0);
	EXPECT_EQ(slot_unwrap(device, kek, blob, blob_len, &back), 0);
	EXPECT_EQ(slot_destroy(device, kek), 0);
	return back;
}

TEST_TIMEOUT(filesystem, 110)
{
	uint32_t slot;

	session();
	image_make();
	slot = slot_volume(device, NULL, 64);
	ASSERT_EQ(mapping_open(slot, "first"), 0);
	table_shows_no_key("first");
	SHELL("mkfs.ext4 -q /dev/mapper/" MAPPING);
	file_in_volume(true);
	/* The mapping has its own copy: the logon key may go before it, the slot too. */
	mapping_close("first");
	EXPECT_EQ(shell("grep -q '" TEXT "' " IMAGE), 1);
	for (int round = 0; round < 2; round++) {
		slot = rewrap(slot);
		ASSERT_EQ(mapping_open(slot, "again"), 0);
		file_in_volume(false);
		mapping_close("again");
	}
	/* Another key opens, as dm-crypt does, but there is no filesystem. */
	ASSERT_EQ(mapping_open(slot_volume(device, NULL, 64), "wrong"), 0);
	EXPECT_NE(shell("mount -t ext4 /dev/mapper/" MAPPING " " FOLDER), 0);
	mapping_close("wrong");
	/* Who does not have the key in his session opens nothing. */
	ASSERT_GE(keyctl_join_session_keyring(NULL), 0);
	SHELL_FAILS("failed",
	            "dmsetup create " MAPPING " --table '0 %d crypt aes-xts-plain64 "
	            ":64:logon:craton-hsm:again 0 /dev/loop0 0'",
	            SIZE_MIB * 2048);
	SHELL("losetup -d /dev/loop0 && rm " IMAGE);
}

TEST(the_length_must_be_that_of_the_cipher)
{
	session();
	image_make();
	EXPECT_NE(mapping_open(slot_volume(device, NULL, 32), "short"), 0);
	SHELL("losetup -d /dev/loop0 && rm " IMAGE);
}

HARNESS_MAIN
