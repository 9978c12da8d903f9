// SPDX-License-Identifier: GPL-2.0-only
/*
 * The key type "craton_hsm", by which keyctl(1) shows slots, and each user's keyring ".craton_hsm" that
 * holds them. A key carries its slot's number and nothing else; there is no read operation.
 *
 * Who ends whom: a slot does not hold a reference on its key, so that unlinking the key's last link destroys
 * it, and with it the slot. A slot that ends invalidates its key. The key's callbacks name the key as well as the
 * number, so that a late one cannot hit another slot.
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
 * revoke (WRITE) and invalidate (SEARCH), but not widen the mask (SETATTR).
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

static struct key *keyring_make(kuid_t uid)
{
	struct key_restriction *restriction = restriction_alloc();
	struct key *keyring;

	if (!restriction)
		return ERR_PTR(-ENOMEM);
	keyring = keyring_alloc(KEYRING_NAME, uid, GLOBAL_ROOT_GID, current_cred(), KEYRING_PERMISSIONS,
				KEY_ALLOC_NOT_IN_QUOTA, restriction, NULL);
	if (IS_ERR(keyring))
		kfree(restriction);
	return keyring;
}

/* For keyctl show @u. Without the link, for lack of quota say, the keyring is still there by its number. */
static void link_to_user(struct key *keyring)
{
	key_ref_t user = lookup_user_key(KEY_SPEC_USER_KEYRING, KEY_LOOKUP_CREATE, KEY_NEED_WRITE);

	if (IS_ERR(user))
		return;
	if (key_link(key_ref_to_ptr(user), keyring))
		pr_debug("craton_hsm: the keyring is not linked to the user's\n");
	key_ref_put(user);
}

static struct chsm_keyring *keyring_find(kuid_t uid)
{
	struct chsm_keyring *entry;

	list_for_each_entry(entry, &keyrings, of_keyrings)
		if (uid_eq(entry->uid, uid))
			return entry;
	return NULL;
}

bool chsm_key_is_dead(const struct key *key)
{
	return key->flags & (BIT(KEY_FLAG_REVOKED) | BIT(KEY_FLAG_INVALIDATED) | BIT(KEY_FLAG_DEAD));
}

/* A reference on the user's keyring, made when there is none or its user ended it. */
static struct key *keyring_get(kuid_t uid)
{
	struct chsm_keyring *entry = keyring_find(uid);
	struct key *keyring;

	if (entry && !chsm_key_is_dead(entry->keyring))
		return key_get(entry->keyring);
	keyring = keyring_make(uid);
	if (IS_ERR(keyring))
		return keyring;
	if (!entry) {
		entry = kzalloc(sizeof(*entry), GFP_KERNEL);
		if (!entry) {
			key_put(keyring);
			return ERR_PTR(-ENOMEM);
		}
		entry->uid = uid;
		list_add(&entry->of_keyrings, &keyrings);
	} else {
		key_put(entry->keyring);
	}
	entry->keyring = keyring;
	link_to_user(keyring);
	return key_get(keyring);
}

s32 chsm_keyring_serial(kuid_t uid)
{
	struct chsm_keyring *entry;
	s32 serial;

	mutex_lock(&keyrings_lock);
	entry = keyring_find(uid);
	serial = entry && !chsm_key_is_dead(entry->keyring) ? entry->keyring->serial : 0;
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
	struct key *key, *keyring;
	int err;

	key = key_make(slot);
	if (IS_ERR(key))
		return key;
	mutex_lock(&keyrings_lock);
	keyring = keyring_get(slot->uid);
	mutex_unlock(&keyrings_lock);
	if (IS_ERR(keyring)) {
		key_put(key);
		return keyring;
	}
	err = key_link(keyring, key);
	key_put(keyring);
	if (err) {
		key_put(key);
		return ERR_PTR(err);
	}
	return key;
}

/* The caller keeps the destroy callback from ending, so the memory is there; the key may be past its end. */
struct key *chsm_key_hold(struct key *key)
{
	return refcount_inc_not_zero(&key->usage) ? key : NULL;
}

void chsm_key_retire(struct key *key)
{
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
