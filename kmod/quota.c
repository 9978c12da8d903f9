// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each user id has: slots and octets of arena. An entry lives while it counts something.
 */
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uidgid.h>

#include "chsm.h"

struct chsm_user {
	struct list_head of_users;
	kuid_t uid;
	u64 used[CHSM_QUOTA_COUNT];
};

static LIST_HEAD(users);
static DEFINE_MUTEX(users_lock);

static u64 limit_of(enum chsm_quota what)
{
	return what == CHSM_QUOTA_SLOTS ? READ_ONCE(chsm_slots_per_uid) : READ_ONCE(chsm_arena_bytes_per_uid);
}

static struct chsm_user *find(kuid_t uid)
{
	struct chsm_user *user;

	list_for_each_entry(user, &users, of_users)
		if (uid_eq(user->uid, uid))
			return user;
	return NULL;
}

static struct chsm_user *find_or_add(kuid_t uid)
{
	struct chsm_user *user = find(uid);

	if (user)
		return user;
	user = kzalloc(sizeof(*user), GFP_KERNEL_ACCOUNT);
	if (user) {
		user->uid = uid;
		list_add(&user->of_users, &users);
	}
	return user;
}

static void drop_if_idle(struct chsm_user *user)
{
	unsigned int i;

	for (i = 0; i < CHSM_QUOTA_COUNT; i++)
		if (user->used[i])
			return;
	list_del(&user->of_users);
	kfree(user);
}

int chsm_quota_charge(kuid_t uid, enum chsm_quota what, u64 amount)
{
	u64 limit = limit_of(what);
	struct chsm_user *user;
	int err = 0;

	mutex_lock(&users_lock);
	user = find_or_add(uid);
	if (!user) {
		err = -ENOMEM;
	} else if (amount > limit || user->used[what] > limit - amount) {
		err = -EDQUOT;
		drop_if_idle(user);
	} else {
		user->used[what] += amount;
	}
	mutex_unlock(&users_lock);
	return err;
}

void chsm_quota_release(kuid_t uid, enum chsm_quota what, u64 amount)
{
	struct chsm_user *user;

	mutex_lock(&users_lock);
	user = find(uid);
	if (!WARN_ON_ONCE(!user || user->used[what] < amount)) {
		user->used[what] -= amount;
		drop_if_idle(user);
	}
	mutex_unlock(&users_lock);
}

u64 chsm_quota_used(kuid_t uid, enum chsm_quota what)
{
	struct chsm_user *user;
	u64 used;

	mutex_lock(&users_lock);
	user = find(uid);
	used = user ? user->used[what] : 0;
	mutex_unlock(&users_lock);
	return used;
}
