// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happens to secrets when the machine goes down, sleeps to disk, or turns out to be a copy of itself.
 */
#include <linux/atomic.h>
#include <linux/notifier.h>
#include <linux/random.h>
#include <linux/reboot.h>
#include <linux/suspend.h>

#include "chsm.h"

static atomic64_t generation;

static void wipe(void)
{
	u32 count;

	chsm_slots_shut(true);
	chsm_arenas_shut(true);
	count = chsm_slots_wipe() + chsm_arenas_wipe();
	if (count)
		pr_info("craton_hsm: %u slots and arenas wiped\n", count);
	chsm_event_wiped(count, CRATON_HSM_REASON_POWER);
}

static void reopen(void)
{
	chsm_slots_open();
	chsm_arenas_open();
}

/*
 * The image leaves our pages out, so whatever lives now would be gone when the machine comes back, as would what came
 * until then: nothing may.
 */
static int before_sleep(void)
{
	u32 count;

	if (READ_ONCE(chsm_wipe_on_hibernation)) {
		wipe();
		return NOTIFY_OK;
	}
	count = chsm_slots_shut(false) + chsm_arenas_shut(false);
	if (!count)
		return NOTIFY_OK;
	reopen();
	pr_warn("craton_hsm: hibernation refused: %u slots and arenas hold secrets\n", count);
	chsm_event_hibernation_refused(count);
	return notifier_from_errno(-EPERM);
}

static int sleeping(struct notifier_block *block, unsigned long action, void *data)
{
	switch (action) {
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		return before_sleep();
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		reopen();
		return NOTIFY_OK;
	default:
		return NOTIFY_DONE;
	}
}

/* Reboot, power off and kexec alike: nothing must be left in memory for whoever comes next. */
static int before_down(struct notifier_block *block, unsigned long action, void *data)
{
	wipe();
	return NOTIFY_DONE;
}

static int cloned(struct notifier_block *block, unsigned long action, void *data)
{
	chsm_event_vm_generation(atomic64_inc_return(&generation));
	return NOTIFY_DONE;
}

static struct notifier_block sleep_block = { .notifier_call = sleeping };
static struct notifier_block down_block = { .notifier_call = before_down };
static struct notifier_block clone_block = { .notifier_call = cloned };

u64 chsm_vm_generation(void)
{
	return atomic64_read(&generation);
}

int chsm_power_init(void)
{
	int err;

	err = register_pm_notifier(&sleep_block);
	if (err)
		return err;
	err = register_reboot_notifier(&down_block);
	if (err)
		goto out_sleep;
	err = register_random_vmfork_notifier(&clone_block);
	if (err)
		goto out_down;
	return 0;

out_down:
	unregister_reboot_notifier(&down_block);
out_sleep:
	unregister_pm_notifier(&sleep_block);
	return err;
}

void chsm_power_exit(void)
{
	unregister_random_vmfork_notifier(&clone_block);
	unregister_reboot_notifier(&down_block);
	unregister_pm_notifier(&sleep_block);
}
