// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bugs on purpose: writing a bug's name to the module's parameter `bug` commits it, so that
 * tests/vm/planted.sh can see whether the checkers of a debug kernel notice. A checker that never
 * fired is no check.
 */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);
static DEFINE_SPINLOCK(spin);
static u32 table[4];
/* What the compiler cannot see, it cannot warn of. */
static volatile unsigned int beyond = 4;

static int after_free(void)
{
	u8 *octets = kmalloc(64, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(octets);
	kfree(octets);
	return READ_ONCE(octets[0]) & 0;
}

static int out_of_bounds(void)
{
	u8 *octets = kmalloc(64, GFP_KERNEL);

	if (!octets)
		return -ENOMEM;
	WRITE_ONCE(octets[16 * beyond], 1);
	kfree(octets);
	return 0;
}

static int lock_order(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);
	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
	return 0;
}

static int leak(void)
{
	u8 *octets = kmalloc(4000, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(octets);
	return octets ? 0 : -ENOMEM;
}

static int array_bounds(void)
{
	/* One more: the address just behind an array is allowed. */
	return READ_ONCE(table[beyond + 1]) & 0;
}

static int sleep_in_atomic(void)
{
	spin_lock(&spin);
	mutex_lock(&first);
	mutex_unlock(&first);
	spin_unlock(&spin);
	return 0;
}

static const struct {
	const char *name;
	int (*commit)(void);
} bugs[] = {
	{"after_free", after_free},     {"out_of_bounds", out_of_bounds},
	{"lock_order", lock_order},     {"leak", leak},
	{"array_bounds", array_bounds}, {"sleep_in_atomic", sleep_in_atomic},
};

static int commit(const char *value, const struct kernel_param *parameter)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(bugs); i++) {
		if (sysfs_streq(value, bugs[i].name))
			return bugs[i].commit();
	}
	return -EINVAL;
}

static const struct kernel_param_ops bug_ops = {.set = commit};
module_param_cb(bug, &bug_ops, NULL, 0200);

static int __init planted_init(void)
{
	return 0;
}

static void __exit planted_exit(void)
{
}

module_init(planted_init);
module_exit(planted_exit);
MODULE_DESCRIPTION("Bugs on purpose, for the tests of Craton HSM");
MODULE_LICENSE("GPL");
