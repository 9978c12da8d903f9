// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers that can only be extended, one per log: who cuts a log's tail cannot turn its register back. They last
 * until the module is unloaded.
 */
#include <crypto/sha2.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "chsm.h"

#define REGISTERS_PER_UID 16

struct chsm_register {
	struct list_head of_registers;
	u8 log_id[CRATON_HSM_LOG_ID_LEN];
	kuid_t uid;
	u64 counter;
	u8 value[CRATON_HSM_ANCHOR_LEN];
};

static LIST_HEAD(registers);
static DEFINE_MUTEX(registers_lock);

static struct chsm_register *find(const u8 *log_id)
{
	struct chsm_register *entry;

	list_for_each_entry(entry, &registers, of_registers)
		if (!memcmp(entry->log_id, log_id, CRATON_HSM_LOG_ID_LEN))
			return entry;
	return NULL;
}

static unsigned int count_of(kuid_t uid)
{
	struct chsm_register *entry;
	unsigned int count = 0;

	list_for_each_entry(entry, &registers, of_registers)
		count += uid_eq(entry->uid, uid);
	return count;
}

static struct chsm_register *add(const u8 *log_id, kuid_t uid)
{
	struct chsm_register *entry;

	if (count_of(uid) >= REGISTERS_PER_UID)
		return ERR_PTR(-EDQUOT);
	entry = kzalloc(sizeof(*entry), GFP_KERNEL_ACCOUNT);
	if (!entry)
		return ERR_PTR(-ENOMEM);
	memcpy(entry->log_id, log_id, sizeof(entry->log_id));
	entry->uid = uid;
	list_add(&entry->of_registers, &registers);
	return entry;
}

static void extend(struct chsm_register *entry, const u8 *value)
{
	u8 input[2 * CRATON_HSM_ANCHOR_LEN];

	memcpy(input, entry->value, CRATON_HSM_ANCHOR_LEN);
	memcpy(input + CRATON_HSM_ANCHOR_LEN, value, CRATON_HSM_ANCHOR_LEN);
	sha256(input, sizeof(input), entry->value);
	entry->counter++;
}

static void show(const struct chsm_register *entry, struct craton_hsm_anchor *request)
{
	request->counter = entry->counter;
	memcpy(request->anchor, entry->value, sizeof(request->anchor));
}

int chsm_anchor_extend(struct chsm_file *owner, struct craton_hsm_anchor *request)
{
	struct chsm_register *entry;
	int err = 0;

	mutex_lock(&registers_lock);
	entry = find(request->log_id);
	if (!entry)
		entry = add(request->log_id, owner->uid);
	if (IS_ERR(entry)) {
		err = PTR_ERR(entry);
	} else if (!uid_eq(entry->uid, owner->uid)) {
		err = -EACCES;
	} else {
		extend(entry, request->value);
		show(entry, request);
	}
	mutex_unlock(&registers_lock);
	return err;
}

int chsm_anchor_read(struct chsm_file *owner, struct craton_hsm_anchor *request)
{
	struct chsm_register *entry;

	if (memchr_inv(request->value, 0, sizeof(request->value)))
		return -EINVAL;
	mutex_lock(&registers_lock);
	entry = find(request->log_id);
	if (entry)
		show(entry, request);
	mutex_unlock(&registers_lock);
	return entry ? 0 : -ENOENT;
}

void chsm_anchor_exit(void)
{
	struct chsm_register *entry, *next;

	list_for_each_entry_safe(entry, next, &registers, of_registers)
		kfree(entry);
}
