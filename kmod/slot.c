// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slots: their table, their life and the calls that concern one. A slot is found by number in an xarray; who
 * takes it out of there (kill) ends it, once: its key, its quota and its module reference go with the place in the
 * table, its pages with the last reference.
 *
 * Locks: slots_lock guards the table, the owners' lists and the link between slot and key. Nothing that takes a
 * key's semaphore, copies to userspace or sleeps for long happens under it; a key's callbacks come in with the
 * key's semaphore held.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <linux/xarray.h>

#include "chsm.h"

#define LIST_MAX 1024

static DEFINE_XARRAY_ALLOC1(slots);
static DEFINE_MUTEX(slots_lock);
static u32 next_number;
static u32 alive;
static bool is_shut;	/* the machine goes down or sleeps: no slot comes */
static struct workqueue_struct *expiries;

static_assert(CRATON_HSM_KEY_MAX <= PAGE_SIZE);

void chsm_slot_load(const struct chsm_slot *slot, u8 *to)
{
	memcpy(to, page_address(slot->page), slot->key_len);
}

void chsm_slot_store(struct chsm_slot *slot, const u8 *from)
{
	memcpy(page_address(slot->page), from, slot->key_len);
}

static void slot_free(struct kref *references)
{
	struct chsm_slot *slot = container_of(references, struct chsm_slot, references);

	chsm_page_free(slot->page);
	kfree(slot);
}

void chsm_slot_put(struct chsm_slot *slot)
{
	kref_put(&slot->references, slot_free);
}

/* What a slot gives back when it is no more, found or not yet found. */
static void slot_end(struct chsm_slot *slot)
{
	chsm_quota_release(slot->uid, CHSM_QUOTA_SLOTS, 1);
	chsm_slot_put(slot);
	module_put(THIS_MODULE);
}

int chsm_label_check(const u8 *label)
{
	unsigned int len = strnlen(label, CRATON_HSM_LABEL_SIZE), i;

	if (!len || len == CRATON_HSM_LABEL_SIZE || memchr_inv(label + len, 0, CRATON_HSM_LABEL_SIZE - len))
		return -EINVAL;
	for (i = 0; i < len; i++)
		if (label[i] < 0x20 || label[i] > 0x7e || label[i] == ':' || label[i] == ';')
			return -EINVAL;
	return 0;
}

static bool fits_purpose(u32 flags, u32 purpose, u32 key_len)
{
	bool sealed = flags & CRATON_HSM_SEALED;

	switch (purpose) {
	case CRATON_HSM_GENERIC:
		return key_len >= 1 && key_len <= CRATON_HSM_KEY_MAX;
	case CRATON_HSM_KEY_ENCRYPTION:
		return sealed && key_len == CRATON_HSM_KEK_LEN;
	case CRATON_HSM_VOLUME:
		return sealed && key_len >= CRATON_HSM_VOLUME_KEY_MIN && key_len <= CRATON_HSM_VOLUME_KEY_MAX;
	default:
		return false;
	}
}

/* Timer and work, one after the other, hold a reference. */
static void expire(struct work_struct *work)
{
	struct chsm_slot *slot = container_of(work, struct chsm_slot, expiry);

	chsm_slot_kill(slot->number, CRATON_HSM_REASON_TIMEOUT);
	chsm_slot_put(slot);
}

static enum hrtimer_restart ring(struct hrtimer *timer)
{
	struct chsm_slot *slot = container_of(timer, struct chsm_slot, timer);

	queue_work(expiries, &slot->expiry);
	return HRTIMER_NORESTART;
}

/* By a clock that goes on while the machine sleeps; jiffies would not, nor reach far enough. */
static void expiry_init(struct chsm_slot *slot, u32 timeout)
{
	INIT_WORK(&slot->expiry, expire);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(&slot->timer, ring, CLOCK_BOOTTIME, HRTIMER_MODE_ABS);
#else
	hrtimer_init(&slot->timer, CLOCK_BOOTTIME, HRTIMER_MODE_ABS);
	slot->timer.function = ring;
#endif
	if (timeout)
		slot->expires = ktime_add(ktime_get_boottime(), ktime_set(timeout, 0));
}

struct chsm_slot *chsm_slot_alloc(struct chsm_file *owner, u32 flags, u32 purpose, u32 key_len, const u8 *label,
				  u32 timeout)
{
	struct chsm_slot *slot;
	int err;

	if (chsm_label_check(label) || !fits_purpose(flags, purpose, key_len))
		return ERR_PTR(-EINVAL);
	err = chsm_quota_charge(owner->uid, CHSM_QUOTA_SLOTS, 1);
	if (err)
		return ERR_PTR(err);
	slot = kzalloc(sizeof(*slot), GFP_KERNEL_ACCOUNT);
	if (!slot)
		goto out_quota;
	slot->flags = flags & (CRATON_HSM_SEALED | CRATON_HSM_PERSISTENT);
	slot->purpose = purpose;
	slot->key_len = key_len;
	slot->page = chsm_page_alloc();
	if (!slot->page)
		goto out_slot;
	kref_init(&slot->references);
	INIT_LIST_HEAD(&slot->of_owner);
	expiry_init(slot, timeout);
	slot->uid = owner->uid;
	slot->owner = flags & CRATON_HSM_PERSISTENT ? NULL : owner;
	memcpy(slot->label, label, sizeof(slot->label));
	__module_get(THIS_MODULE);
	return slot;

out_slot:
	kfree(slot);
out_quota:
	chsm_quota_release(owner->uid, CHSM_QUOTA_SLOTS, 1);
	return ERR_PTR(-ENOMEM);
}

void chsm_slot_abort(struct chsm_slot *slot)
{
	slot_end(slot);
}

/* Into its reserved place. From here on the slot may be killed at any time; never before its listeners know it. */
static int show(struct chsm_slot *slot, struct key *key)
{
	int err = -ESHUTDOWN;

	mutex_lock(&slots_lock);
	if (is_shut)
		goto out;
	err = xa_err(xa_store(&slots, slot->number, slot, GFP_KERNEL));
	if (err)
		goto out;
	slot->key = key;
	alive++;
	if (slot->owner)
		list_add_tail(&slot->of_owner, &slot->owner->slots);
	if (slot->expires) {
		kref_get(&slot->references);
		hrtimer_start(&slot->timer, slot->expires, HRTIMER_MODE_ABS);
	}
	chsm_event_slot_created(slot);
out:
	mutex_unlock(&slots_lock);
	return err;
}

/*
 * The key is linked, and so may be revoked, before the slot can be found: then the callback finds nothing, and
 * the key's state says so afterwards.
 */
int chsm_slot_publish(struct chsm_slot *slot, u32 *number, s32 *serial)
{
	struct key *key;
	int err;

	err = xa_alloc_cyclic(&slots, &slot->number, NULL, XA_LIMIT(1, INT_MAX), &next_number, GFP_KERNEL);
	if (err < 0)
		return err;
	/* Once shown the slot may go at any time, and with it its fields. */
	*number = slot->number;
	key = chsm_key_create(slot);
	if (IS_ERR(key)) {
		err = PTR_ERR(key);
		goto out;
	}
	slot->serial = key->serial;
	*serial = key->serial;
	err = show(slot, key);
	if (err) {
		chsm_key_retire(key);
		goto out;
	}
	if (chsm_key_is_dead(key))
		chsm_slot_kill(*number, CRATON_HSM_REASON_KEY);
	key_put(key);
	return 0;

out:
	xa_release(&slots, *number);
	return err;
}

static bool may_use(const struct chsm_file *owner, const struct chsm_slot *slot)
{
	return slot->flags & CRATON_HSM_PERSISTENT ? uid_eq(slot->uid, owner->uid) : slot->owner == owner;
}

struct chsm_slot *chsm_slot_get(struct chsm_file *owner, u32 number)
{
	struct chsm_slot *slot;

	mutex_lock(&slots_lock);
	slot = xa_load(&slots, number);
	if (slot && may_use(owner, slot))
		kref_get(&slot->references);
	else
		slot = ERR_PTR(is_shut ? -ESHUTDOWN : -ENOENT);
	mutex_unlock(&slots_lock);
	return slot;
}

/* Takes a slot out of the table; with `only` if it is its key's. *key: a reference, or NULL when it is gone already. */
static struct chsm_slot *take_out(u32 number, const struct key *only, struct key **key)
{
	struct chsm_slot *slot;

	mutex_lock(&slots_lock);
	slot = xa_load(&slots, number);
	if (slot && only && slot->key != only)
		slot = NULL;
	if (slot) {
		xa_erase(&slots, number);
		list_del_init(&slot->of_owner);
		alive--;
		*key = chsm_key_hold(slot->key);
		slot->key = NULL;
	}
	mutex_unlock(&slots_lock);
	return slot;
}

static bool kill(u32 number, const struct key *only, enum craton_hsm_reason reason)
{
	struct key *key = NULL;
	struct chsm_slot *slot = take_out(number, only, &key);

	if (!slot)
		return false;
	if (hrtimer_cancel(&slot->timer))
		chsm_slot_put(slot);
	if (key)
		chsm_key_retire(key);
	chsm_event_slot_destroyed(slot, reason);
	slot_end(slot);
	return true;
}

void chsm_slot_kill(u32 number, enum craton_hsm_reason reason)
{
	kill(number, NULL, reason);
}

void chsm_slot_key_gone(u32 number, const struct key *key)
{
	kill(number, key, CRATON_HSM_REASON_KEY);
}

/* The number of some slot of the owner, or 0. */
static u32 first_of(struct chsm_file *owner)
{
	struct chsm_slot *slot;
	u32 number;

	mutex_lock(&slots_lock);
	slot = list_first_entry_or_null(&owner->slots, struct chsm_slot, of_owner);
	number = slot ? slot->number : 0;
	mutex_unlock(&slots_lock);
	return number;
}

void chsm_slots_close(struct chsm_file *owner)
{
	u32 number;

	while ((number = first_of(owner)))
		kill(number, NULL, CRATON_HSM_REASON_CLOSED);
}

u32 chsm_slots_shut(bool force)
{
	u32 count;

	mutex_lock(&slots_lock);
	count = alive;
	is_shut = is_shut || force || !count;
	mutex_unlock(&slots_lock);
	return count;
}

void chsm_slots_open(void)
{
	mutex_lock(&slots_lock);
	is_shut = false;
	mutex_unlock(&slots_lock);
}

u32 chsm_slots_wipe(void)
{
	unsigned long number;
	void *entry;
	u32 count = 0;

	xa_for_each(&slots, number, entry)
		count += kill(number, NULL, CRATON_HSM_REASON_POWER);
	return count;
}

/* Straight into the slot's page, so that no other memory ever has it. Nothing is generated before there is entropy. */
static int fill(struct chsm_slot *slot, const struct craton_hsm_slot_create *request)
{
	void *key = page_address(slot->page);

	if (request->flags & CRATON_HSM_GENERATE)
		return get_random_bytes_wait(key, slot->key_len);
	return copy_from_user(key, u64_to_user_ptr(request->key), slot->key_len) ? -EFAULT : 0;
}

int chsm_slot_create(struct chsm_file *owner, struct craton_hsm_slot_create *request)
{
	bool generate = request->flags & CRATON_HSM_GENERATE;
	struct chsm_slot *slot;
	int err;

	if (request->reserved || generate == !!request->key)
		return -EINVAL;
	slot = chsm_slot_alloc(owner, request->flags, request->purpose, request->key_len, request->label,
			       request->timeout);
	if (IS_ERR(slot))
		return PTR_ERR(slot);
	err = fill(slot, request);
	if (!err)
		err = chsm_slot_publish(slot, &request->slot, &request->serial);
	if (err)
		chsm_slot_abort(slot);
	return err;
}

static int copy_key_out(const struct chsm_slot *slot, struct craton_hsm_slot_read *request)
{
	u32 room = request->key_len;

	if (slot->flags & CRATON_HSM_SEALED) {
		chsm_event_access_denied(_IOC_NR(CRATON_HSM_SLOT_READ));
		return -EACCES;
	}
	request->key_len = slot->key_len;
	if (room < slot->key_len)
		return -ENOSPC;
	if (copy_to_user(u64_to_user_ptr(request->key), page_address(slot->page), slot->key_len))
		return -EFAULT;
	return 0;
}

int chsm_slot_read(struct chsm_file *owner, struct craton_hsm_slot_read *request)
{
	struct chsm_slot *slot = chsm_slot_get(owner, request->slot);
	int err;

	if (IS_ERR(slot))
		return PTR_ERR(slot);
	err = copy_key_out(slot, request);
	chsm_slot_put(slot);
	return err;
}

int chsm_slot_destroy(struct chsm_file *owner, struct craton_hsm_slot_destroy *request)
{
	struct chsm_slot *slot;
	bool killed;

	if (request->reserved)
		return -EINVAL;
	slot = chsm_slot_get(owner, request->slot);
	if (IS_ERR(slot))
		return PTR_ERR(slot);
	killed = kill(slot->number, NULL, CRATON_HSM_REASON_REQUEST);
	chsm_slot_put(slot);
	return killed ? 0 : -ENOENT;
}

/* Seconds, rounded up, so that 0 says "never" only. */
static u64 remaining(const struct chsm_slot *slot)
{
	s64 left;

	if (!slot->expires)
		return 0;
	left = ktime_to_ns(ktime_sub(slot->expires, ktime_get_boottime()));
	return left <= 0 ? 1 : DIV_ROUND_UP_ULL((u64)left, NSEC_PER_SEC);
}

static void describe(const struct chsm_slot *slot, struct craton_hsm_slot *description)
{
	*description = (struct craton_hsm_slot){
		.slot = slot->number,
		.flags = slot->flags,
		.purpose = slot->purpose,
		.key_len = slot->key_len,
		.serial = slot->serial,
		.uid = from_kuid_munged(current_user_ns(), slot->uid),
		.remaining = remaining(slot),
	};
	memcpy(description->label, slot->label, sizeof(description->label));
}

int chsm_slot_describe(struct chsm_file *owner, struct craton_hsm_slot_describe *request)
{
	struct chsm_slot *slot;

	if (request->reserved || memchr_inv(&request->description, 0, sizeof(request->description)))
		return -EINVAL;
	slot = chsm_slot_get(owner, request->slot);
	if (IS_ERR(slot))
		return PTR_ERR(slot);
	describe(slot, &request->description);
	chsm_slot_put(slot);
	return 0;
}

/* The first slot of the owner above `after`, with a reference; -ENOENT when there is none. */
static struct chsm_slot *next_of(struct chsm_file *owner, u32 after)
{
	unsigned long number = after;
	struct chsm_slot *slot;

	mutex_lock(&slots_lock);
	do
		slot = xa_find_after(&slots, &number, ULONG_MAX, XA_PRESENT);
	while (slot && !may_use(owner, slot));
	if (slot)
		kref_get(&slot->references);
	else
		slot = ERR_PTR(is_shut ? -ESHUTDOWN : -ENOENT);
	mutex_unlock(&slots_lock);
	return slot;
}

int chsm_slot_list(struct chsm_file *owner, struct craton_hsm_slot_list *request)
{
	struct craton_hsm_slot __user *entries = u64_to_user_ptr(request->entries);
	u32 room = min_t(u32, request->count, LIST_MAX), count;
	struct craton_hsm_slot entry;
	struct chsm_slot *slot;
	u32 after = request->after;

	if (!room)
		return -EINVAL;
	for (count = 0; count < room; count++) {
		slot = next_of(owner, after);
		if (slot == ERR_PTR(-ENOENT))
			break;
		if (IS_ERR(slot))
			return PTR_ERR(slot);
		describe(slot, &entry);
		chsm_slot_put(slot);
		if (copy_to_user(&entries[count], &entry, sizeof(entry)))
			return -EFAULT;
		after = entry.slot;
		cond_resched();
	}
	request->count = count;
	return 0;
}

int chsm_slots_init(void)
{
	expiries = alloc_workqueue("craton_hsm", WQ_UNBOUND, 0);
	return expiries ? 0 : -ENOMEM;
}

/* No slot is left: each holds the module. */
void chsm_slots_exit(void)
{
	destroy_workqueue(expiries);
	xa_destroy(&slots);
}
