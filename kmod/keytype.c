// SPDX-License-Identifier: GPL-2.0-only
/*
 * The key type "craton_hsm", by which keyctl(1) shows slots, and each user's keyring ".craton_hsm" that
 * holds them. A key carries its slot's number and nothing else; there is no read operation.
 *
 * Who ends whom: a slot does not hold a reference on its key, so that unlinking the key's only link destroys
 * it, and with it the slot. A slot that ends unlinks its key. The key's callbacks run with the key's semaphore
 * held (revoke) or in the worker that collects keys (destroy); they name the key as well as the number, so that a
 * late one cannot hit another slot. Unregistering the type waits for both.
 *
 * Neither keys nor keyrings count against the user's quota of keys, which is meant for what add_key(2) makes:
 * slots have their own.
 */
#include <linux/key-type.h>
#include <linux/keyctl.h>
#include <linux/refcount.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "chsm.h"

#define KEYRING_NAME ".craton_hsm"
#define DESCRIPTION_SIZE (CRATON_HSM_LABEL_SIZE + 80)

/*
 * Possession only shows: a session that inherited the keyring by su(1) must not end slots. The owner may
 * revoke (WRITE) and invalidate (SEARCH), but neither widen the mask (SETATTR) nor link the key elsewhere.
 */
#define KEY_PERMISSIONS (KEY_POS_VIEW | KEY_USR_VIEW | KEY_USR_SEARCH | KEY_USR_WRITE)
#define KEYRING_PERMISSIONS                                                                      \
	(KEY_POS_VIEW | KEY_POS_READ | KEY_USR_VIEW | KEY_USR_READ | KEY_USR_SEARCH | KEY_USR_WRITE | KEY_USR_LINK)

struct chsm_keyring {
	struct list_head of_keyrings;
	kuid_t uid;
	struct key *keyring;	/* one reference */
};

static LIST_HEAD(keyrings);
static DEFINE_MUTEX(keyrings_lock);

/* Its address tells our own instantiation from add_key(2) and keyctl(2), whose data lies elsewhere. */
static const u8 token;

static int preparse(struct key_preparsed_payload *payload)
{
	return payload->data == &token ? 0 : -EPERM;
}

static void free_preparse(struct key_preparsed_payload *payload)
{
}

static int instantiate(struct key *key, struct key_preparsed_payload *payload)
{
	return 0;
}

static void gone(struct key *key)
{
	u32 number = (unsigned long)key->payload.data[0];

	if (number)
		chsm_slot_key_gone(number, key);
}

static void describe(const struct key *key, struct seq_file *file)
{
	seq_puts(file, key->description);
}

static struct key_type chsm_key_type = {
	.name = "craton_hsm",
	.preparse = preparse,
	.free_preparse = free_preparse,
	.instantiate = instantiate,
	.revoke = gone,
	.destroy = gone,
	.describe = describe,
};

static int only_slots(struct key *keyring, const struct key_type *type, const union key_payload *payload,
		      struct key *restriction)
{
	return type == &chsm_key_type ? 0 : -EPERM;
}

/* The key type in it makes the core replace the check when this module goes. */
static struct key_restriction *restriction_alloc(void)
{
	struct key_restriction *restriction = kzalloc(sizeof(*restriction), GFP_KERNEL);

	if (restriction) {
		restriction->check = only_slots;
		restriction->keytype = &chsm_key_type;
	}
	return restriction;
}

/*
 * KEEP: its user takes slots out of it one by one, and can neither end it nor clear it. The core tells nobody
 * of a keyring's end: its slots would go on unseen.
 */
static struct key *keyring_make(kuid_t uid)
{
	struct key_restriction *restriction = restriction_alloc();
	struct key *keyring;

	if (!restriction)
		return ERR_PTR(-ENOMEM);
	keyring = keyring_alloc(KEYRING_NAME, uid, GLOBAL_ROOT_GID, current_cred(), KEYRING_PERMISSIONS,
				KEY_ALLOC_NOT_IN_QUOTA | KEY_ALLOC_SET_KEEP, restriction, NULL);
	if (IS_ERR(keyring))
		kfree(restriction);
	return keyring;
}

static struct chsm_keyring *keyring_find(kuid_t uid)
{
	struct chsm_keyring *entry;

	list_for_each_entry(entry, &keyrings, of_keyrings)
		if (uid_eq(entry->uid, uid))
			return entry;
	return NULL;
}

static struct chsm_keyring *keyring_add(kuid_t uid)
{
	struct chsm_keyring *entry = kzalloc(sizeof(*entry), GFP_KERNEL_ACCOUNT);
	struct key *keyring;

	if (!entry)
		return ERR_PTR(-ENOMEM);
	keyring = keyring_make(uid);
	if (IS_ERR(keyring)) {
		kfree(entry);
		return ERR_CAST(keyring);
	}
	entry->uid = uid;
	entry->keyring = keyring;
	list_add(&entry->of_keyrings, &keyrings);
	return entry;
}

/* The user's keyring, which stays until the module goes; made when there is none. */
static struct key *keyring_of(kuid_t uid)
{
	struct chsm_keyring *entry;
	struct key *keyring;

	mutex_lock(&keyrings_lock);
	entry = keyring_find(uid);
	if (!entry)
		entry = keyring_add(uid);
	keyring = IS_ERR(entry) ? ERR_CAST(entry) : entry->keyring;
	mutex_unlock(&keyrings_lock);
	return keyring;
}

/*
 * For keyctl show @u, which may have lost the link since the last slot. Not for a process that opened the device
 * under another user id: its @u is not the owner's. Without the link, for lack of quota say, the keyring is still
 * there by its number.
 */
static void link_to_user(struct key *keyring)
{
	key_ref_t user;

	if (!uid_eq(keyring->uid, current_uid()))
		return;
	user = lookup_user_key(KEY_SPEC_USER_KEYRING, KEY_LOOKUP_CREATE, KEY_NEED_WRITE);
	if (IS_ERR(user))
		return;
	if (key_link(key_ref_to_ptr(user), keyring))
		pr_debug("craton_hsm: the keyring is not linked to the user's\n");
	key_ref_put(user);
}

s32 chsm_keyring_serial(kuid_t uid)
{
	struct chsm_keyring *entry;
	s32 serial;

	mutex_lock(&keyrings_lock);
	entry = keyring_find(uid);
	serial = entry ? entry->keyring->serial : 0;
	mutex_unlock(&keyrings_lock);
	return serial;
}

static const char *purpose_name(u32 purpose)
{
	static const char *const names[] = {
		[CRATON_HSM_GENERIC] = "generic",
		[CRATON_HSM_KEY_ENCRYPTION] = "key-encryption",
		[CRATON_HSM_VOLUME] = "volume",
	};

	return names[purpose];
}

static struct key *key_make(const struct chsm_slot *slot)
{
	char description[DESCRIPTION_SIZE];
	struct key *key;
	int err;

	snprintf(description, sizeof(description), "%s: slot %u, %s, %u octets%s%s", slot->label, slot->number,
		 purpose_name(slot->purpose), slot->key_len, slot->flags & CRATON_HSM_SEALED ? ", sealed" : "",
		 slot->flags & CRATON_HSM_PERSISTENT ? ", persistent" : "");
	key = key_alloc(&chsm_key_type, description, slot->uid, GLOBAL_ROOT_GID, current_cred(), KEY_PERMISSIONS,
			KEY_ALLOC_NOT_IN_QUOTA, NULL);
	if (IS_ERR(key))
		return key;
	err = key_instantiate_and_link(key, &token, sizeof(token), NULL, NULL);
	if (err) {
		key_put(key);
		return ERR_PTR(err);
	}
	key->payload.data[0] = (void *)(unsigned long)slot->number;
	return key;
}

struct key *chsm_key_create(const struct chsm_slot *slot)
{
	struct key *keyring = keyring_of(slot->uid);
	struct key *key;
	int err;

	if (IS_ERR(keyring))
		return keyring;
	key = key_make(slot);
	if (IS_ERR(key))
		return key;
	err = key_link(keyring, key);
	if (err) {
		key_put(key);
		return ERR_PTR(err);
	}
	link_to_user(keyring);
	return key;
}

bool chsm_key_is_dead(const struct key *key)
{
	return key->flags & (BIT(KEY_FLAG_REVOKED) | BIT(KEY_FLAG_INVALIDATED) | BIT(KEY_FLAG_DEAD));
}

/* The caller keeps the destroy callback from ending, so the memory is there; the key may be past its end. */
struct key *chsm_key_hold(struct key *key)
{
	return refcount_inc_not_zero(&key->usage) ? key : NULL;
}

void chsm_key_retire(struct key *key)
{
	/*
	 * The keyring is there, the key was made with it. Unlinking needs memory; invalidating does not, and leaves the
	 * link to the collector of keys. A revoked key, which no quota counts, the collector would find after minutes:
	 * so its callback ends here, too, with its semaphore held, which invalidating would take again.
	 */
	if (key_unlink(keyring_of(key->uid), key) && !chsm_key_is_dead(key))
		key_invalidate(key);
	key_put(key);
}

int chsm_keytype_init(void)
{
	return register_key_type(&chsm_key_type);
}

void chsm_keytype_exit(void)
{
	struct chsm_keyring *entry, *next;

	list_for_each_entry_safe(entry, next, &keyrings, of_keyrings) {
		key_invalidate(entry->keyring);
		key_put(entry->keyring);
		kfree(entry);
	}
	unregister_key_type(&chsm_key_type);
}
