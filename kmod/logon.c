// SPDX-License-Identifier: GPL-2.0-only
/*
 * Volume keys for dm-crypt: a slot's key as a "logon" key, which the kernel can use and nobody can read. The
 * key's permissions let its possessor find and link it, and nobody change it.
 */
#include <linux/key-type.h>
#include <linux/keyctl.h>
#include <linux/slab.h>
#include <keys/user-type.h>

#include "chsm.h"

#define PREFIX "craton-hsm:"
#define PERMISSIONS                                                                              \
	(KEY_POS_VIEW | KEY_POS_SEARCH | KEY_POS_LINK | KEY_USR_VIEW | KEY_USR_SEARCH)

/* Between looking whether the name is taken and taking it. */
static DEFINE_MUTEX(names_lock);

static bool is_taken(key_ref_t keyring, const char *description)
{
	key_ref_t found = keyring_search(keyring, &key_type_logon, description, false);

	if (IS_ERR(found))
		return false;
	key_ref_put(found);
	return true;
}

static key_ref_t add(key_ref_t keyring, const char *description, const struct chsm_slot *slot)
{
	u8 payload[CRATON_HSM_VOLUME_KEY_MAX];
	key_ref_t key;

	if (is_taken(keyring, description))
		return ERR_PTR(-EEXIST);
	chsm_slot_load(slot, payload);
	key = key_create_or_update(keyring, "logon", description, payload, slot->key_len, PERMISSIONS,
				   KEY_ALLOC_IN_QUOTA);
	memzero_explicit(payload, sizeof(payload));
	return key;
}

static int add_to(struct craton_hsm_logon *request, const struct chsm_slot *slot)
{
	char description[sizeof(PREFIX) + CRATON_HSM_LABEL_SIZE];
	key_ref_t keyring, key;

	keyring = lookup_user_key(request->keyring, KEY_LOOKUP_CREATE, KEY_NEED_WRITE);
	if (IS_ERR(keyring))
		return PTR_ERR(keyring);
	if (key_ref_to_ptr(keyring)->type != &key_type_keyring) {
		key_ref_put(keyring);
		return -ENOTDIR;
	}
	snprintf(description, sizeof(description), PREFIX "%s", (const char *)request->name);
	mutex_lock(&names_lock);
	key = add(keyring, description, slot);
	mutex_unlock(&names_lock);
	key_ref_put(keyring);
	if (IS_ERR(key))
		return PTR_ERR(key);
	if (request->timeout)
		key_set_timeout(key_ref_to_ptr(key), request->timeout);
	request->serial = key_ref_to_ptr(key)->serial;
	key_ref_put(key);
	return 0;
}

int chsm_logon(struct chsm_file *owner, struct craton_hsm_logon *request)
{
	struct chsm_slot *slot;
	int err;

	if (request->serial || chsm_label_check(request->name))
		return -EINVAL;
	slot = chsm_slot_get(owner, request->slot);
	if (IS_ERR(slot))
		return PTR_ERR(slot);
	err = slot->purpose == CRATON_HSM_VOLUME ? add_to(request, slot) : -EINVAL;
	chsm_slot_put(slot);
	return err;
}
