/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots as keys: what their owner can see and end by the key calls, what nobody can do with them,
 * and that key and slot go together, whichever goes first. The same by keyctl(1) is
 * keyctl_vmtest's.
 */
#include <keyutils.h>

#include "device.h"

#define TYPE         "craton_hsm"
#define TYPE_IN_PROC "craton_hs" /* /proc/keys has nine columns for it */

static int device;
static uint32_t slot;
static key_serial_t key, keyring;

static void slot_with_key(uint32_t flags)
{
	ASSERT_GE(keyctl_join_session_keyring(NULL), 0);
	/* As pam_keyinit does: what the user's keyring holds is then possessed. */
	ASSERT_EQ(keyctl_link(KEY_SPEC_USER_KEYRING, KEY_SPEC_SESSION_KEYRING), 0);
	device = device_open();
	slot = slot_generic(device, flags);
	key = slot_serial(device, slot);
	keyring = info_of(device).keyring;
	ASSERT_GT(key, 0);
	ASSERT_GT(keyring, 0);
}

static bool slot_is_gone(void *unused)
{
	(void)unused;
	return slot_find(device, slot) == ENOENT;
}

static bool is_linked(key_serial_t in, key_serial_t wanted)
{
	key_serial_t *keys = NULL;
	long len = keyctl_read_alloc(in, (void **)&keys);
	bool found = false;

	ASSERT_GE(len, 0);
	for (size_t i = 0; i < len / sizeof(*keys); i++)
		found = found || keys[i] == wanted;
	free(keys);
	return found;
}

static bool key_is_gone(void *unused)
{
	(void)unused;
	return !is_linked(keyring, key);
}

static bool key_is_unknown(void *unused)
{
	char *text = NULL;
	bool unknown = keyctl_describe_alloc(key, &text) < 0;

	(void)unused;
	free(text);
	return unknown;
}

/* ---- what can be seen */

TEST(description_says_what_the_slot_is)
{
	char *text = NULL, number[32];

	slot_with_key(CRATON_HSM_SEALED);
	ASSERT_GT(keyctl_describe_alloc(key, &text), 0);
	snprintf(number, sizeof(number), "slot %u", slot);
	EXPECT_EQ(strncmp(text, TYPE ";0;0;", strlen(TYPE ";0;0;")), 0);
	EXPECT_NOT_NULL(strstr(text, "a test"));
	EXPECT_NOT_NULL(strstr(text, number));
	EXPECT_NOT_NULL(strstr(text, "32 octets"));
	EXPECT_NOT_NULL(strstr(text, "sealed"));
	EXPECT_NULL(strstr(text, "persistent"));
	free(text);
}

TEST(the_keyring_holds_the_keys)
{
	char *text = NULL;

	slot_with_key(0);
	EXPECT_TRUE(is_linked(KEY_SPEC_USER_KEYRING, keyring));
	EXPECT_TRUE(is_linked(keyring, key));
	ASSERT_GT(keyctl_describe_alloc(keyring, &text), 0);
	EXPECT_NOT_NULL(strstr(text, ";.craton_hsm"));
	EXPECT_EQ(strncmp(text, "keyring;0;", strlen("keyring;0;")), 0);
	free(text);
}

static bool proc_keys_say(const char *wanted)
{
	FILE *file = fopen("/proc/keys", "re");
	char line[512];
	bool found = false;

	ASSERT_NOT_NULL(file);
	while (fgets(line, sizeof(line), file))
		found = found || (strstr(line, TYPE_IN_PROC) && strstr(line, wanted));
	fclose(file);
	return found;
}

TEST(proc_keys)
{
	char number[32];

	slot_with_key(0);
	snprintf(number, sizeof(number), "slot %u,", slot);
	EXPECT_TRUE(proc_keys_say(number));
	snprintf(number, sizeof(number), "%08x", key);
	EXPECT_TRUE(proc_keys_say(number));
	ASSERT_EQ(slot_destroy(device, slot), 0);
	EXPECT_TRUE(comes_true(key_is_gone, NULL, 10));
}

/* A label is shown as it is, and cannot pretend to be another field. */
TEST(labels_are_text)
{
	struct craton_hsm_slot_create request =
		slot_request(CRATON_HSM_GENERATE, CRATON_HSM_GENERIC, NULL, 1);
	char *text = NULL;

	slot_with_key(0);
	memcpy(request.label, "%s%n%p ~", sizeof("%s%n%p ~"));
	ASSERT_EQ(call(device, CRATON_HSM_SLOT_CREATE, &request), 0);
	ASSERT_GT(keyctl_describe_alloc(request.serial, &text), 0);
	EXPECT_NOT_NULL(strstr(text, "%s%n%p ~"));
	free(text);
}

/* ---- what nobody can do */

static long do_read(void)
{
	char octets[64];

	return keyctl_read(key, octets, sizeof(octets));
}

static long do_update(void)
{
	return keyctl_update(key, "secret", 6);
}

static long do_instantiate(void)
{
	return keyctl_instantiate(key, "secret", 6, 0);
}

static long do_setperm(void)
{
	return keyctl_setperm(key, 0x3f3f3f3f);
}

static long do_chown(void)
{
	return keyctl_chown(key, SOMEBODY, -1);
}

static long do_timeout(void)
{
	return keyctl_set_timeout(key, 1);
}

static long do_link(void)
{
	return keyctl_link(key, KEY_SPEC_SESSION_KEYRING);
}

static long do_add(void)
{
	return add_key(TYPE, "a test", "secret", 6, KEY_SPEC_SESSION_KEYRING);
}

static long do_add_empty(void)
{
	return add_key(TYPE, "a test", NULL, 0, KEY_SPEC_SESSION_KEYRING);
}

static long do_add_to_keyring(void)
{
	return add_key("user", "a stranger", "secret", 6, keyring);
}

static long do_request(void)
{
	return request_key(TYPE, "nothing of this name", NULL, KEY_SPEC_SESSION_KEYRING);
}

static long do_clear(void)
{
	return keyctl_clear(keyring);
}

static long do_revoke_keyring(void)
{
	return keyctl_revoke(keyring);
}

static long do_invalidate_keyring(void)
{
	return keyctl_invalidate(keyring);
}

static long do_restrict(void)
{
	return keyctl_restrict_keyring(keyring, NULL, NULL);
}

static long do_widen_keyring(void)
{
	return keyctl_setperm(keyring, 0x3f3f3f3f);
}

static long do_move(void)
{
	return keyctl_move(key, keyring, KEY_SPEC_SESSION_KEYRING, 0);
}

static const struct {
	const char *name;
	long (*attempt)(void);
	int wanted, or ;
} attempts[] = {
	{"read", do_read, EOPNOTSUPP, EACCES},
	{"update", do_update, EACCES, EOPNOTSUPP},
	{"instantiate", do_instantiate, EPERM, 0},
	{"setperm", do_setperm, EACCES, 0},
	{"chown", do_chown, EACCES, 0},
	{"timeout", do_timeout, EACCES, 0},
	{"link", do_link, EACCES, 0},
	{"add_key of our type", do_add, EPERM, 0},
	{"add_key of our type, empty", do_add_empty, EPERM, 0},
	{"add_key to our keyring", do_add_to_keyring, EPERM, EACCES},
	{"request_key", do_request, ENOKEY, 0},
	{"clear", do_clear, EPERM, EACCES},
	{"revoke of the keyring", do_revoke_keyring, EPERM, EACCES},
	{"invalidate of the keyring", do_invalidate_keyring, EPERM, EACCES},
	{"restrict", do_restrict, EACCES, EEXIST},
	{"setperm of the keyring", do_widen_keyring, EACCES, 0},
	{"move", do_move, EACCES, 0},
};

TEST(attempts_of_the_owner)
{
	slot_with_key(0);
	for (size_t i = 0; i < COUNT(attempts); i++) {
		int result = attempts[i].attempt() < 0 ? errno : 0;

		if (!result || (result != attempts[i].wanted && result != attempts[i].or))
			HARNESS_FAIL(false, "%s: expected %d, got %d (%s)", attempts[i].name,
			             attempts[i].wanted, result, strerror(result));
	}
	EXPECT_TRUE(is_linked(keyring, key));
	EXPECT_EQ(slot_find(device, slot), 0);
}

static void of_another(void *unused)
{
	(void)unused;
	if (geteuid() == 0)
		become(SOMEBODY);
	EXPECT_EQ(keyctl_revoke(key), -1);
	EXPECT_EQ(errno, EACCES);
	EXPECT_EQ(keyctl_invalidate(key), -1);
	EXPECT_EQ(errno, EACCES);
	EXPECT_EQ(keyctl_unlink(key, keyring), -1);
	EXPECT_EQ(errno, EACCES);
	EXPECT_EQ(do_read(), -1);
}

/* The session keyring, which leads to root's, comes along as it does with su(1). */
TEST(attempts_of_another_with_the_same_session)
{
	slot_with_key(0);
	in_child(of_another, NULL);
	EXPECT_EQ(slot_find(device, slot), 0);
}

static void of_a_stranger(void *unused)
{
	become(SOMEBODY);
	ASSERT_GE(keyctl_join_session_keyring(NULL), 0);
	of_another(unused);
}

TEST(attempts_of_a_stranger)
{
	slot_with_key(CRATON_HSM_PERSISTENT);
	in_child(of_a_stranger, NULL);
	EXPECT_EQ(slot_find(device, slot), 0);
	EXPECT_EQ(slot_destroy(device, slot), 0);
}

/* ---- together they go */

static long end_by_revoke(void)
{
	return keyctl_revoke(key);
}

static long end_by_invalidate(void)
{
	return keyctl_invalidate(key);
}

static long end_by_unlink(void)
{
	return keyctl_unlink(key, keyring);
}

static const struct {
	const char *name;
	bool at_once;
	long (*end)(void);
} ends[] = {
	{"revoke", true, end_by_revoke},
	{"invalidate", false, end_by_invalidate},
	{"unlink", false, end_by_unlink},
};

TEST(ending_the_key_ends_the_slot)
{
	static const uint32_t flags[] = {0, CRATON_HSM_SEALED, CRATON_HSM_PERSISTENT};

	for (size_t i = 0; i < COUNT(ends); i++) {
		for (size_t j = 0; j < COUNT(flags); j++) {
			slot_with_key(flags[j]);
			ASSERT_EQ(ends[i].end(), 0);
			if (ends[i].at_once)
				EXPECT_EQ(slot_find(device, slot), ENOENT);
			if (!comes_true(slot_is_gone, NULL, 10))
				HARNESS_FAIL(false, "%s: the slot is still there", ends[i].name);
			/* Nor does its corpse stay: keys without a slot would be memory without a
			 * quota. */
			if (!comes_true(key_is_gone, NULL, 10))
				HARNESS_FAIL(false, "%s: the key is still there", ends[i].name);
			EXPECT_EQ(info_of(device).slot_count, 0);
		}
	}
}

TEST(ending_the_slot_ends_the_key)
{
	slot_with_key(0);
	ASSERT_EQ(slot_destroy(device, slot), 0);
	EXPECT_TRUE(key_is_gone(NULL)); /* at once; what holds on to its number, soon */
	EXPECT_TRUE(comes_true(key_is_unknown, NULL, 10));
	slot_with_key(0);
	close(device);
	EXPECT_TRUE(comes_true(key_is_gone, NULL, 10));
}

TEST(a_timeout_ends_both)
{
	struct craton_hsm_slot_create request =
		slot_request(CRATON_HSM_GENERATE, CRATON_HSM_GENERIC, NULL, 1);

	slot_with_key(0);
	request.timeout = 1;
	ASSERT_EQ(call(device, CRATON_HSM_SLOT_CREATE, &request), 0);
	slot = request.slot;
	key = request.serial;
	EXPECT_TRUE(comes_true(slot_is_gone, NULL, 10));
	EXPECT_TRUE(comes_true(key_is_gone, NULL, 10));
	EXPECT_TRUE(comes_true(key_is_unknown, NULL, 10));
}

/* Who unlinks the keyring from his own loses the sight of it, not the slots; the next one brings it
 * back. */
TEST(the_keyring_unlinked)
{
	slot_with_key(0);
	ASSERT_EQ(keyctl_unlink(keyring, KEY_SPEC_USER_KEYRING), 0);
	EXPECT_EQ(slot_find(device, slot), 0);
	slot_generic(device, 0);
	EXPECT_EQ(info_of(device).keyring, keyring);
	EXPECT_TRUE(is_linked(KEY_SPEC_USER_KEYRING, keyring));
	EXPECT_TRUE(is_linked(keyring, key));
}

static void has_another(void *unused)
{
	key_serial_t of_root = keyring;

	(void)unused;
	become(SOMEBODY);
	slot_with_key(0);
	EXPECT_NE(keyring, of_root);
	EXPECT_TRUE(is_linked(keyring, key));
}

TEST(each_user_has_a_keyring)
{
	slot_with_key(0);
	in_child(has_another, NULL);
}

HARNESS_MAIN
