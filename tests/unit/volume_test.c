/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes of a token over a real store and real keyrings: made, found, opened into logon keys that
 * nobody reads, rewrapped all or none, removed; and what a client with the PIN may try. By the
 * kernel module where there is one, else in memory.
 */
#include <keyutils.h>

#include "attributes.h"
#include "kernel.h"
#include "volume_object.h"

#define SO_PIN   wire_text("so-pin-1")
#define USER_PIN wire_text("user-pin")
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SLOT     0u

#include "token_fixture.h"

static struct volume_scope scope;
static struct volume_keys keys;
static unsigned int delay_ms;

static void log_in(void)
{
	scope = (struct volume_scope){base_crypto, config, token};
	ASSERT_EQ(token_login(token, TOKEN_USER, USER_PIN, &delay_ms), ERROR_NONE);
}

static void reopen(void)
{
	close_token();
	open_token();
	log_in();
}

static void open_all(void)
{
	open_crypto_and_token();
	ASSERT_EQ(token_initialize(token, SO_PIN, wire_text("volumes"), &delay_ms), ERROR_NONE);
	ASSERT_EQ(token_login(token, TOKEN_SO, SO_PIN, &delay_ms), ERROR_NONE);
	ASSERT_EQ(token_init_pin(token, USER_PIN), ERROR_NONE);
	token_logout(token);
	log_in();
	kernel_open();
	ASSERT_EQ(volume_keys_open(&keys, base_crypto, false), ERROR_NONE);
}

static void close_all(void)
{
	volume_keys_close(&keys);
	close_crypto_and_token();
}

/* ---- volumes ---- */

static struct volume_record plain_record(void)
{
	return (struct volume_record){
		.sector_size = 512,
		.cipher = wire_text("aes-xts-plain64"),
		.device = wire_text("/dev/vda"),
	};
}

static enum err create(const char *name)
{
	struct volume_record record = plain_record();
	volume_auto volume = {0};

	return volume_create(&scope, &keys, wire_text(name), &record, 64, &volume);
}

static enum err find(const char *name)
{
	volume_auto volume = {0};

	return volume_find(&scope, wire_text(name), &volume);
}

/* The logon key's serial, in a fresh keyring of this process; 0 when it did not open. */
static int32_t open_volume(const char *name, enum err *err)
{
	key_serial_t keyring = add_key("keyring", name, NULL, 0, KEY_SPEC_PROCESS_KEYRING);
	volume_auto volume = {0};
	int32_t serial = 0;

	ASSERT_LT(0, keyring);
	ASSERT_EQ(keyctl_setperm(keyring, KEY_POS_ALL | KEY_USR_ALL), 0);
	*err = volume_find(&scope, wire_text(name), &volume);
	if (!*err)
		*err = volume_open(&scope, &keys, &volume, keyring, 0, &serial);
	return *err ? 0 : serial;
}

static bool opens(const char *name)
{
	enum err err;
	int32_t serial = open_volume(name, &err);

	if (err)
		printf("# %s: %s\n", name, err_text(err));
	return serial > 0;
}

static size_t key_count(void)
{
	volume_objects_auto found = {0};

	ASSERT_EQ(volume_kek_find(&scope, (struct wire_bytes){NULL, 0}, &found), ERROR_NONE);
	return found.count;
}

TEST(created_found_and_kept)
{
	volume_auto volume = {0};

	open_all();
	EXPECT_EQ(find("data"), ERROR_VOLUME_UNKNOWN);
	EXPECT_EQ(key_count(), 0);
	ASSERT_EQ(create("data"), ERROR_NONE);
	EXPECT_EQ(create("data"), ERROR_VOLUME_EXISTS);
	ASSERT_EQ(create("other"), ERROR_NONE);
	EXPECT_EQ(key_count(), 1);
	reopen();
	EXPECT_EQ(key_count(), 1);
	ASSERT_EQ(volume_find(&scope, wire_text("data"), &volume), ERROR_NONE);
	EXPECT_TRUE(wire_bytes_equal(volume.record.cipher, wire_text("aes-xts-plain64")));
	EXPECT_TRUE(wire_bytes_equal(volume.record.device, wire_text("/dev/vda")));
	EXPECT_EQ(volume_blob_key_len(volume.record.blob), 64);
	volume_put(&volume);
	close_all();
}

TEST(bad_arguments)
{
	static const uint32_t lengths[] = {0, 15, 129, UINT32_MAX};
	struct volume_record record = plain_record();
	volume_auto volume = {0};

	open_all();
	EXPECT_EQ(create(""), ERROR_ARGUMENTS);
	EXPECT_EQ(create("a b"), ERROR_ARGUMENTS);
	EXPECT_EQ(create("../a"), ERROR_ARGUMENTS);
	for (size_t i = 0; i < COUNT(lengths); i++)
		EXPECT_EQ(volume_create(&scope, &keys, wire_text("data"), &record, lengths[i],
		                        &volume),
		          ERROR_ARGUMENTS);
	record.sector_size = 513;
	EXPECT_EQ(volume_create(&scope, &keys, wire_text("data"), &record, 64, &volume),
	          ERROR_ARGUMENTS);
	EXPECT_EQ(key_count(), 0);
	close_all();
}

#define LISTED_MAX 8

struct listed {
	size_t count;
	char names[LISTED_MAX][VOLUME_NAME_MAX + 1];
	bool damaged[LISTED_MAX];
};

static void note_listed(void *context, const struct volume *volume)
{
	struct listed *listed = context;

	ASSERT_LT(listed->count, LISTED_MAX);
	snprintf(listed->names[listed->count], VOLUME_NAME_MAX + 1, "%.*s", (int)volume->name.len,
	         (const char *)volume->name.data);
	listed->damaged[listed->count++] = !volume->record.blob.len;
}

TEST(listed_in_order)
{
	static const char *const names[] = {"b", "a1", "c", "a", "b2"};
	static const char *const sorted[] = {"a", "a1", "b", "b2", "c"};
	struct listed listed = {0};

	open_all();
	ASSERT_EQ(volume_list(&scope, note_listed, &listed), ERROR_NONE);
	EXPECT_EQ(listed.count, 0);
	for (size_t i = 0; i < COUNT(names); i++)
		ASSERT_EQ(create(names[i]), ERROR_NONE);
	ASSERT_EQ(volume_list(&scope, note_listed, &listed), ERROR_NONE);
	ASSERT_EQ(listed.count, COUNT(sorted));
	for (size_t i = 0; i < COUNT(sorted); i++) {
		EXPECT_STREQ(listed.names[i], sorted[i]);
		EXPECT_FALSE(listed.damaged[i]);
	}
	close_all();
}

TEST(the_logon_key_is_there_and_closed)
{
	char *description = NULL;
	uint8_t payload[256];
	int32_t serial;
	enum err err;

	open_all();
	ASSERT_EQ(create("data"), ERROR_NONE);
	serial = open_volume("data", &err);
	ASSERT_EQ(err, ERROR_NONE);
	ASSERT_LT(0, keyctl_describe_alloc(serial, &description));
	EXPECT_NOT_NULL(strstr(description, "logon;"));
	EXPECT_NOT_NULL(strstr(description, ";19090000;craton-hsm:data"));
	free(description);
	EXPECT_EQ(keyctl_read(serial, (char *)payload, sizeof(payload)), -1);
	EXPECT_EQ(keyctl_update(serial, "x", 1), -1);
	EXPECT_EQ(keyctl_revoke(serial), -1);
	EXPECT_EQ(keyctl_setperm(serial, KEY_POS_ALL), -1);
	EXPECT_EQ(keyctl_search(KEY_SPEC_PROCESS_KEYRING, "logon", "craton-hsm:data", 0), serial);
	/* Not left in the thread's own keyring. */
	EXPECT_EQ(keyctl_search(KEY_SPEC_THREAD_KEYRING, "logon", "craton-hsm:data", 0), -1);
	close_all();
}

TEST(keyrings_that_do_not_take_it)
{
	volume_auto volume = {0};
	key_serial_t keyring, key;
	int32_t serial;

	open_all();
	ASSERT_EQ(create("data"), ERROR_NONE);
	ASSERT_EQ(volume_find(&scope, wire_text("data"), &volume), ERROR_NONE);
	EXPECT_EQ(volume_open(&scope, &keys, &volume, 0x7ffffffe, 0, &serial), ERROR_KEYRING);
	key = add_key("user", "no-keyring", "x", 1, KEY_SPEC_PROCESS_KEYRING);
	EXPECT_EQ(volume_open(&scope, &keys, &volume, key, 0, &serial), ERROR_KEYRING);
	keyring = add_key("keyring", "shut", NULL, 0, KEY_SPEC_PROCESS_KEYRING);
	ASSERT_EQ(keyctl_setperm(keyring, KEY_POS_VIEW | KEY_POS_SEARCH | KEY_USR_VIEW), 0);
	EXPECT_EQ(volume_open(&scope, &keys, &volume, keyring, 0, &serial), ERROR_KEYRING);
	keyring = add_key("keyring", "open", NULL, 0, KEY_SPEC_PROCESS_KEYRING);
	ASSERT_EQ(keyctl_setperm(keyring, KEY_POS_ALL | KEY_USR_ALL), 0);
	ASSERT_EQ(volume_open(&scope, &keys, &volume, keyring, 0, &serial), ERROR_NONE);
	EXPECT_EQ(volume_open(&scope, &keys, &volume, keyring, 0, &serial), ERROR_KEYRING);
	volume_put(&volume);
	close_all();
}

/* ---- rewrapping ---- */

struct told {
	size_t good, bad;
	enum err last;
	char name[VOLUME_NAME_MAX + 1];
};

static void tell(void *context, const struct volume *volume, enum err result)
{
	struct told *told = context;

	*(result ? &told->bad : &told->good) += 1;
	told->last = result;
	snprintf(told->name, sizeof(told->name), "%.*s", (int)volume->name.len, volume->name.data);
}

static struct wire_bytes blob_of(const char *name, uint8_t *copy)
{
	volume_auto volume = {0};
	size_t len;

	ASSERT_EQ(volume_find(&scope, wire_text(name), &volume), ERROR_NONE);
	len = volume.record.blob.len;
	memcpy(copy, volume.record.blob.data, len);
	return (struct wire_bytes){copy, len};
}

static void kek_id(uint8_t id[VOLUME_KEK_ID_LEN])
{
	volume_objects_auto found = {0};

	ASSERT_EQ(volume_kek_find(&scope, (struct wire_bytes){NULL, 0}, &found), ERROR_NONE);
	ASSERT_EQ(found.count, 1);
	memcpy(id, volume_kek_id(found.list[0]).data, VOLUME_KEK_ID_LEN);
}

TEST(rewrapped_all)
{
	uint8_t before[VOLUME_BLOB_MAX], after[VOLUME_BLOB_MAX];
	uint8_t old_id[VOLUME_KEK_ID_LEN], new_id[VOLUME_KEK_ID_LEN];
	struct told told = {0};
	size_t count;
	char name[8];

	open_all();
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "v%d", i);
		ASSERT_EQ(create(name), ERROR_NONE);
	}
	kek_id(old_id);
	blob_of("v7", before);
	ASSERT_EQ(volume_rewrap(&scope, &keys, tell, &told, &count), ERROR_NONE);
	EXPECT_EQ(count, 20);
	EXPECT_EQ(told.good, 20);
	EXPECT_EQ(told.bad, 0);
	kek_id(new_id);
	EXPECT_FALSE(wire_bytes_equal((struct wire_bytes){old_id, sizeof(old_id)},
	                              (struct wire_bytes){new_id, sizeof(new_id)}));
	EXPECT_FALSE(wire_bytes_equal((struct wire_bytes){before, CRATON_HSM_BLOB_LEN(64)},
	                              blob_of("v7", after)));
	EXPECT_TRUE(opens("v0"));
	reopen();
	kek_id(old_id);
	EXPECT_MEMEQ(old_id, new_id, sizeof(old_id));
	EXPECT_TRUE(opens("v7"));
	EXPECT_TRUE(opens("v19"));
	close_all();
}

/* An object as a client with the PIN makes it. */
static void plant(const char *name, struct wire_bytes value)
{
	const struct wire_attribute rows[] = {
		{CKA_CLASS, WIRE_ATTRIBUTE_NUMBER, CKO_DATA, {NULL, 0}},
		{CKA_TOKEN, WIRE_ATTRIBUTE_FLAG, true, {NULL, 0}},
		{CKA_PRIVATE, WIRE_ATTRIBUTE_FLAG, true, {NULL, 0}},
		{CKA_APPLICATION, WIRE_ATTRIBUTE_BYTES, 0, wire_text(VOLUME_APPLICATION)},
		{CKA_LABEL, WIRE_ATTRIBUTE_BYTES, 0, wire_text(name)},
		{CKA_VALUE, WIRE_ATTRIBUTE_BYTES, 0, value},
	};
	attributes_auto set = {0};
	object_auto object = NULL;

	for (size_t i = 0; i < COUNT(rows); i++)
		ASSERT_EQ(attributes_set(&set, &rows[i]), ERROR_NONE);
	ASSERT_EQ(object_new(&set, &object), ERROR_NONE);
	ASSERT_EQ(add_objects(&object, 1), ERROR_NONE);
}

TEST(rewrapped_all_or_none)
{
	uint8_t before[VOLUME_BLOB_MAX], after[VOLUME_BLOB_MAX];
	uint8_t old_id[VOLUME_KEK_ID_LEN], new_id[VOLUME_KEK_ID_LEN];
	struct told told = {0};
	volume_auto damaged = {0};
	size_t count;

	open_all();
	ASSERT_EQ(create("first"), ERROR_NONE);
	ASSERT_EQ(create("second"), ERROR_NONE);
	plant("third", wire_text("no record"));
	kek_id(old_id);
	blob_of("first", before);
	EXPECT_EQ(volume_rewrap(&scope, &keys, tell, &told, &count), ERROR_VOLUME_DAMAGED);
	EXPECT_EQ(told.good, 0);
	EXPECT_EQ(told.bad, 1);
	EXPECT_STREQ(told.name, "third");
	kek_id(new_id);
	EXPECT_MEMEQ(old_id, new_id, sizeof(old_id));
	EXPECT_TRUE(wire_bytes_equal((struct wire_bytes){before, CRATON_HSM_BLOB_LEN(64)},
	                             blob_of("first", after)));
	/* Without the damaged one it works. */
	ASSERT_EQ(volume_find(&scope, wire_text("third"), &damaged), ERROR_VOLUME_DAMAGED);
	ASSERT_EQ(volume_remove(&scope, &damaged), ERROR_NONE);
	EXPECT_EQ(volume_rewrap(&scope, &keys, tell, &told, &count), ERROR_NONE);
	EXPECT_EQ(count, 2);
	EXPECT_TRUE(opens("first"));
	volume_put(&damaged);
	close_all();
}

/* What a client with the PIN planted shows as what it is, hides nothing, and is no second one. */
TEST(listed_with_what_is_damaged)
{
	struct listed listed = {0};

	open_all();
	ASSERT_EQ(create("good"), ERROR_NONE);
	plant("good", wire_text("no record"));
	plant("bad", wire_text("no record"));
	plant("a/b", wire_text("no name of a volume"));
	ASSERT_EQ(volume_list(&scope, note_listed, &listed), ERROR_NONE);
	ASSERT_EQ(listed.count, 2);
	EXPECT_STREQ(listed.names[0], "bad");
	EXPECT_TRUE(listed.damaged[0]);
	EXPECT_STREQ(listed.names[1], "good");
	EXPECT_FALSE(listed.damaged[1]);
	close_all();
}

TEST(rewrapping_none)
{
	struct told told = {0};
	size_t count;

	open_all();
	EXPECT_EQ(volume_rewrap(&scope, &keys, tell, &told, &count), ERROR_NONE);
	EXPECT_EQ(count, 0);
	EXPECT_EQ(told.good + told.bad, 0);
	close_all();
}

/* ---- what somebody with the PIN may try ---- */

/* Another volume's key under this name: the name is authenticated with the key. */
TEST(records_are_bound_to_their_names)
{
	struct wire_buffer value = {0};
	volume_auto volume = {0};
	struct volume_record record;
	uint8_t blob[VOLUME_BLOB_MAX];
	enum err err;

	open_all();
	ASSERT_EQ(create("data"), ERROR_NONE);
	ASSERT_EQ(volume_find(&scope, wire_text("data"), &volume), ERROR_NONE);
	record = volume.record;
	wire_buffer_init(&value, VOLUME_RECORD_MAX, NULL);
	volume_record_encode(&value, &record);
	plant("moved", (struct wire_bytes){value.data, value.len});
	EXPECT_EQ(find("moved"), ERROR_VOLUME_DAMAGED);
	/* And when the name in the wrapped key is changed, too. */
	wire_buffer_reset(&value, VOLUME_RECORD_MAX);
	memcpy(blob, record.blob.data, record.blob.len);
	volume_blob_head(wire_text("renamed"), 64, blob);
	record.blob.data = blob;
	volume_record_encode(&value, &record);
	ASSERT_FALSE(value.failed);
	plant("renamed", (struct wire_bytes){value.data, value.len});
	EXPECT_EQ(find("renamed"), ERROR_NONE);
	EXPECT_EQ(open_volume("renamed", &err), 0);
	EXPECT_EQ(err, ERROR_VOLUME_DAMAGED);
	EXPECT_TRUE(opens("data"));
	wire_buffer_free(&value);
	volume_put(&volume);
	close_all();
}

/* Every octet of the wrapped key is authenticated. */
TEST(changed_keys_do_not_open)
{
	uint8_t octets[VOLUME_BLOB_MAX];
	volume_objects_auto found = {0};
	struct wire_bytes blob;
	struct volume_kek kek;
	int32_t serial;

	open_all();
	ASSERT_EQ(create("data"), ERROR_NONE);
	blob = blob_of("data", octets);
	ASSERT_EQ(volume_kek_find(&scope, (struct wire_bytes){NULL, 0}, &found), ERROR_NONE);
	ASSERT_EQ(volume_kek_import(&keys, found.list[0], &kek), ERROR_NONE);
	for (size_t i = 0; i < blob.len; i++) {
		octets[i] ^= 1;
		EXPECT_EQ(volume_keys_logon(&keys, &kek, blob, wire_text("data"),
		                            KEY_SPEC_PROCESS_KEYRING, 0, &serial),
		          ERROR_VOLUME_DAMAGED);
		octets[i] ^= 1;
	}
	EXPECT_EQ(volume_keys_logon(&keys, &kek, blob, wire_text("data"), KEY_SPEC_PROCESS_KEYRING,
	                            0, &serial),
	          ERROR_NONE);
	volume_objects_free(&found);
	close_all();
}

/* A key of the right label that its maker knows, or can use or destroy, wraps no volume. */
static void plant_key(uint64_t different)
{
	const uint8_t known[CRATON_HSM_KEK_LEN] = {1};
	const uint8_t id[VOLUME_KEK_ID_LEN] = {2};
	const uint64_t off[] = {CKA_EXTRACTABLE, CKA_MODIFIABLE, CKA_COPYABLE, CKA_DESTROYABLE,
	                        CKA_ENCRYPT,     CKA_DECRYPT,    CKA_SIGN,     CKA_VERIFY,
	                        CKA_WRAP,        CKA_UNWRAP,     CKA_DERIVE};
	const uint64_t on[] = {CKA_TOKEN, CKA_PRIVATE,          CKA_SENSITIVE,
	                       CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE};
	struct wire_bytes label = wire_text(VOLUME_KEK_LABEL);
	attributes_auto set = {0};
	object_auto object = NULL;

	for (size_t i = 0; i < COUNT(off); i++)
		ASSERT_EQ(attributes_set_flag(&set, off[i], off[i] == different), ERROR_NONE);
	for (size_t i = 0; i < COUNT(on); i++)
		ASSERT_EQ(attributes_set_flag(&set, on[i], on[i] != different), ERROR_NONE);
	ASSERT_EQ(attributes_set_number(&set, CKA_CLASS, CKO_SECRET_KEY), ERROR_NONE);
	ASSERT_EQ(attributes_set_number(&set, CKA_KEY_TYPE, CKK_AES), ERROR_NONE);
	ASSERT_EQ(attributes_set_bytes(&set, CKA_LABEL, label.data, label.len), ERROR_NONE);
	ASSERT_EQ(attributes_set_bytes(&set, CKA_ID, id, sizeof(id)), ERROR_NONE);
	ASSERT_EQ(attributes_set_bytes(&set, CKA_VALUE, known, sizeof(known)), ERROR_NONE);
	ASSERT_EQ(object_new(&set, &object), ERROR_NONE);
	ASSERT_EQ(add_objects(&object, 1), ERROR_NONE);
}

TEST(keys_of_clients_are_not_taken)
{
	static const uint64_t flags[] = {
		CKA_EXTRACTABLE, CKA_MODIFIABLE,       CKA_COPYABLE,
		CKA_DESTROYABLE, CKA_ENCRYPT,          CKA_DECRYPT,
		CKA_SIGN,        CKA_VERIFY,           CKA_WRAP,
		CKA_UNWRAP,      CKA_DERIVE,           CKA_PRIVATE,
		CKA_LOCAL,       CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE};

	open_all();
	for (size_t i = 0; i < COUNT(flags); i++) {
		plant_key(flags[i]);
		EXPECT_EQ(key_count(), 0);
	}
	/* The test can fail: one that differs in nothing is taken. */
	plant_key(CKA_LABEL);
	EXPECT_EQ(key_count(), 1);
	close_all();
}

TEST(a_lost_key_is_said_so)
{
	volume_objects_auto found = {0};
	enum err err;

	open_all();
	ASSERT_EQ(create("data"), ERROR_NONE);
	ASSERT_EQ(volume_kek_find(&scope, (struct wire_bytes){NULL, 0}, &found), ERROR_NONE);
	ASSERT_EQ(remove_object(found.list[0]), ERROR_NONE);
	EXPECT_EQ(open_volume("data", &err), 0);
	EXPECT_EQ(err, ERROR_VOLUME_KEK);
	volume_objects_free(&found);
	close_all();
}

/* ---- changes of the token ---- */

TEST(a_change_is_all_or_none)
{
	volume_auto first = {0}, second = {0};
	struct object *removed[2];
	const struct token_change change = {.removed = removed, .removed_count = 2};

	open_all();
	ASSERT_EQ(create("first"), ERROR_NONE);
	ASSERT_EQ(create("second"), ERROR_NONE);
	ASSERT_EQ(volume_find(&scope, wire_text("first"), &first), ERROR_NONE);
	ASSERT_EQ(volume_find(&scope, wire_text("second"), &second), ERROR_NONE);
	removed[0] = first.object;
	removed[1] = second.object;
	ASSERT_EQ(volume_remove(&scope, &second), ERROR_NONE);
	EXPECT_EQ(token_change_objects(token, &change), ERROR_OBJECT_HANDLE);
	EXPECT_EQ(find("first"), ERROR_NONE);
	reopen();
	EXPECT_EQ(find("first"), ERROR_NONE);
	EXPECT_EQ(find("second"), ERROR_VOLUME_UNKNOWN);
	volume_put(&first);
	volume_put(&second);
	close_all();
}

/* The store's part of it: a row that is not there takes everything back. */
TEST(the_store_changes_all_or_none)
{
	static const uint8_t missing[1][OBJECT_UID_LEN] = {{9}};
	const struct store_row row = {
		.uid = {7}, .is_private = true, .sealed = {(const uint8_t *)"x", 1}};
	struct store_change good = {.rows = &row, .count = 1}, bad = good;

	bad.deleted = missing;
	bad.deleted_count = 1;
	open_all();
	EXPECT_EQ(store_change_objects(store, &bad), ERROR_OBJECT_HANDLE);
	EXPECT_EQ(store_delete_object(store, 0, row.uid), ERROR_OBJECT_HANDLE);
	EXPECT_EQ(store_change_objects(store, &good), ERROR_NONE);
	EXPECT_EQ(store_delete_object(store, 0, row.uid), ERROR_NONE);
	close_all();
}

/* A configuration that wants the module gets it or nothing. */
TEST(the_kernel_or_nothing)
{
	struct volume_keys others;
	enum err err;

	open_all();
	err = volume_keys_open(&others, base_crypto, true);
	EXPECT_EQ(err, kernel_module() == KERNEL_READY ? ERROR_NONE : ERROR_KERNEL);
	volume_keys_close(&others);
	close_all();
}

TEST(nothing_without_the_user)
{
	volume_auto volume = {0};

	open_all();
	ASSERT_EQ(create("data"), ERROR_NONE);
	ASSERT_EQ(volume_find(&scope, wire_text("data"), &volume), ERROR_NONE);
	token_logout(token);
	EXPECT_EQ(find("data"), ERROR_VOLUME_UNKNOWN);
	EXPECT_EQ(create("data"), ERROR_USER_NOT_LOGGED_IN);
	EXPECT_EQ(volume_remove(&scope, &volume), ERROR_USER_NOT_LOGGED_IN);
	log_in();
	EXPECT_EQ(find("data"), ERROR_NONE);
	volume_put(&volume);
	close_all();
}

HARNESS_MAIN
