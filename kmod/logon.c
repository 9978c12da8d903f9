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
#define DESCRIPTION_SIZE (sizeof(PREFIX) + CRATON_HSM_LABEL_SIZE)
#define PERMISSIONS                                                                              \
	(KEY_POS_VIEW | KEY_POS_SEARCH | KEY_POS_LINK | KEY_USR_VIEW | KEY_USR_SEARCH)

/* Between looking whether the name is taken and taking it. */
static DEFINE_MUTEX(names_lock);

/* 0 when a key of this name may come: none is there, or one that is revoked, expired or negative. */
static int check_free(key_ref_t keyring, const char *description)
{
	key_ref_t found = keyring_search(keyring, &key_type_logon, description, false);

	if (IS_ERR(found))
		return PTR_ERR(found) == -EACCES ? -EACCES : 0;
	key_ref_put(found);
	return -EEXIST;
}

static int instantiate(struct key *key, struct key *keyring, const struct chsm_slot *slot)
{
	u8 payload[CRATON_HSM_VOLUME_KEY_MAX];
	int err;

	chsm_slot_load(slot, payload);
	err = key_instantiate_and_link(key, payload, slot->key_len, keyring, NULL);
	memzero_explicit(payload, sizeof(payload));
	return err;
}

/*
 * A key of our own making takes the place in the keyring. key_create_or_update() would write into one that
 * somebody else made of this name meanwhile, under that one's permissions.
 */
static struct key *add(key_ref_t keyring, const char *description, const struct chsm_slot *slot)
{
	const struct cred *cred = current_cred();
	struct key *key;
	int err;

	err = check_free(keyring, description);
	if (err)
		return ERR_PTR(err);
	key = key_alloc(&key_type_logon, description, cred->fsuid, cred->fsgid, cred, PERMISSIONS, KEY_ALLOC_IN_QUOTA,
			NULL);
	if (IS_ERR(key))
		return key;
	err = instantiate(key, key_ref_to_ptr(keyring), slot);
	if (!err)
		return key;
	key_put(key);
	return ERR_PTR(err);
}

static void describe(const struct craton_hsm_logon *request, char description[DESCRIPTION_SIZE])
{
	snprintf(description, DESCRIPTION_SIZE, PREFIX "%s", (const char *)request->name);
}

static int add_to(struct craton_hsm_logon *request, const struct chsm_slot *slot)
{
	char description[DESCRIPTION_SIZE];
	key_ref_t keyring;
	struct key *key;

	keyring = lookup_user_key(request->keyring, KEY_LOOKUP_CREATE, KEY_NEED_WRITE);
	if (IS_ERR(keyring))
		return PTR_ERR(keyring);
	describe(request, description);
	mutex_lock(&names_lock);
	if (key_ref_to_ptr(keyring)->type == &key_type_keyring)
		key = add(keyring, description, slot);
	else
		key = ERR_PTR(-ENOTDIR);
	mutex_unlock(&names_lock);
	key_ref_put(keyring);
	if (IS_ERR(key))
		return PTR_ERR(key);
	if (request->timeout)
		key_set_timeout(key, request->timeout);
	request->serial = key->serial;
	key_put(key);
	return 0;
}

int chsm_logon(struct chsm_file *owner, struct craton_hsm_logon *request)
{
	struct chsm_slot *slot;
	int err;

	if (chsm_label_check(request->name))
		return -EINVAL;
	slot = chsm_slot_get(owner, request->slot);
	if (IS_ERR(slot))
		return PTR_ERR(slot);
	err = slot->purpose == CRATON_HSM_VOLUME ? add_to(request, slot) : -EINVAL;
	chsm_slot_put(slot);
	return err;
}

/* The key that this request made, unless somebody took it out of the keyring meanwhile and so knows of it. */
void chsm_logon_undo(const struct craton_hsm_logon *request)
{
	char description[DESCRIPTION_SIZE];
	key_ref_t keyring, found;
	struct key *key;

	keyring = lookup_user_key(request->keyring, 0, KEY_NEED_WRITE);
	if (IS_ERR(keyring))
		return;
	describe(request, description);
	found = keyring_search(keyring, &key_type_logon, description, false);
	if (IS_ERR(found))
		goto out;
	key = key_ref_to_ptr(found);
	/* Unlinking needs memory; invalidating does not, and leaves the link to the collector of keys. */
	if (key->serial == request->serial && key_unlink(key_ref_to_ptr(keyring), key))
		key_invalidate(key);
	key_ref_put(found);
out:
	key_ref_put(keyring);
}
