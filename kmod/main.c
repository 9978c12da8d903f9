// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's life: parameters, the device, and the ladder by which the parts come up and, mirrored, go
 * down. What the device can do is in ioctl.c and arena.c.
 */
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "chsm.h"

unsigned int chsm_slots_per_uid = 1024;
module_param_named(slots_per_uid, chsm_slots_per_uid, uint, 0644);
MODULE_PARM_DESC(slots_per_uid, "slots that one user id may have (default 1024)");

unsigned long chsm_arena_bytes_per_uid = 64UL << 20;
module_param_named(arena_bytes_per_uid, chsm_arena_bytes_per_uid, ulong, 0644);
MODULE_PARM_DESC(arena_bytes_per_uid, "octets of arena that one user id may map (default 64 MiB)");

bool chsm_wipe_on_hibernation;
module_param_named(wipe_on_hibernation, chsm_wipe_on_hibernation, bool, 0644);
MODULE_PARM_DESC(wipe_on_hibernation, "wipe slots and arenas before hibernation instead of refusing it (default N)");

static int chsm_open(struct inode *inode, struct file *file)
{
	struct chsm_file *owner;

	if (!current->mm)
		return -EPERM;
	owner = kzalloc(sizeof(*owner), GFP_KERNEL_ACCOUNT);
	if (!owner)
		return -ENOMEM;
	mmgrab(current->mm);
	owner->mm = current->mm;
	owner->uid = current_euid();
	INIT_LIST_HEAD(&owner->slots);
	file->private_data = owner;
	return nonseekable_open(inode, file);
}

static int chsm_release(struct inode *inode, struct file *file)
{
	struct chsm_file *owner = file->private_data;

	chsm_slots_close(owner);
	mmdrop(owner->mm);
	kfree(owner);
	return 0;
}

static const struct file_operations chsm_operations = {
	.owner = THIS_MODULE,
	.open = chsm_open,
	.release = chsm_release,
	.unlocked_ioctl = chsm_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = chsm_arena_mmap,
};

static struct miscdevice chsm_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "craton-hsm",
	.fops = &chsm_operations,
	.mode = 0660,
};

static int __init chsm_init(void)
{
	int err;

	err = chsm_keytype_init();
	if (err)
		return err;
	err = chsm_slots_init();
	if (err)
		goto out_keytype;
	err = chsm_event_init();
	if (err)
		goto out_slots;
	err = chsm_power_init();
	if (err)
		goto out_event;
	err = misc_register(&chsm_device);
	if (err)
		goto out_power;
	pr_info("craton_hsm: %s, interface %u\n", CRATON_HSM_DEVICE, CRATON_HSM_ABI);
	return 0;

out_power:
	chsm_power_exit();
out_event:
	chsm_event_exit();
out_slots:
	chsm_slots_exit();
out_keytype:
	chsm_keytype_exit();
	return err;
}

static void __exit chsm_exit(void)
{
	misc_deregister(&chsm_device);
	chsm_power_exit();
	chsm_event_exit();
	chsm_slots_exit();
	chsm_keytype_exit();
	chsm_anchor_exit();
}

module_init(chsm_init);
module_exit(chsm_exit);

MODULE_AUTHOR("Craton HSM for Linux");
MODULE_DESCRIPTION("Locked key slots, volume keys and arenas for the Craton HSM agent");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
MODULE_SOFTDEP("pre: gcm aes ghash");
