// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events as multicasts of a generic netlink family. Telling is best effort: nobody listens, or there is no
 * memory, and the caller goes on.
 */
#include <linux/cred.h>
#include <linux/pid.h>
#include <linux/ratelimit.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>

#include "chsm.h"

/* TIME and at most five numbers. */
#define MESSAGE_LEN (nla_total_size_64bit(sizeof(u64)) * 6)

static const struct genl_multicast_group groups[] = {
	{ .name = CRATON_HSM_GENL_GROUP },
};

static struct genl_family family = {
	.name = CRATON_HSM_GENL_NAME,
	.version = CRATON_HSM_GENL_VERSION,
	.maxattr = CRATON_HSM_ATTR_COUNT,
	.module = THIS_MODULE,
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
};

/* One number of an event; sent as u64 where the manual says so, else as u32. */
struct number {
	int type;
	u64 value;
};

static int put(struct sk_buff *message, int type, u64 value)
{
	if (type == CRATON_HSM_ATTR_TIME || type == CRATON_HSM_ATTR_GENERATION)
		return nla_put_u64_64bit(message, type, value, CRATON_HSM_ATTR_PAD);
	return nla_put_u32(message, type, value);
}

static int fill(struct sk_buff *message, enum craton_hsm_event event, const struct number *numbers, unsigned int count)
{
	void *head = genlmsg_put(message, 0, 0, &family, 0, event);
	unsigned int i;

	if (!head || put(message, CRATON_HSM_ATTR_TIME, ktime_get_boottime_ns()))
		return -EMSGSIZE;
	for (i = 0; i < count; i++)
		if (put(message, numbers[i].type, numbers[i].value))
			return -EMSGSIZE;
	genlmsg_end(message, head);
	return 0;
}

static void tell(enum craton_hsm_event event, const struct number *numbers, unsigned int count, gfp_t flags)
{
	struct sk_buff *message;

	if (!genl_has_listeners(&family, &init_net, 0))
		return;
	message = genlmsg_new(MESSAGE_LEN, flags);
	if (!message)
		return;
	if (WARN_ON_ONCE(fill(message, event, numbers, count))) {
		nlmsg_free(message);
		return;
	}
	genlmsg_multicast_netns(&family, &init_net, message, 0, 0, flags);
}

void chsm_event_slot_created(const struct chsm_slot *slot)
{
	const struct number numbers[] = {
		{ CRATON_HSM_ATTR_SLOT, slot->number },
		{ CRATON_HSM_ATTR_PURPOSE, slot->purpose },
		{ CRATON_HSM_ATTR_FLAGS, slot->flags },
		{ CRATON_HSM_ATTR_UID, from_kuid_munged(&init_user_ns, slot->uid) },
		{ CRATON_HSM_ATTR_PID, task_tgid_nr(current) },
	};

	tell(CRATON_HSM_EVENT_SLOT_CREATED, numbers, ARRAY_SIZE(numbers), GFP_KERNEL);
}

void chsm_event_slot_destroyed(const struct chsm_slot *slot, enum craton_hsm_reason reason)
{
	const struct number numbers[] = {
		{ CRATON_HSM_ATTR_SLOT, slot->number },
		{ CRATON_HSM_ATTR_UID, from_kuid_munged(&init_user_ns, slot->uid) },
		{ CRATON_HSM_ATTR_REASON, reason },
	};

	tell(CRATON_HSM_EVENT_SLOT_DESTROYED, numbers, ARRAY_SIZE(numbers), GFP_KERNEL);
}

void chsm_event_access_denied(u32 call)
{
	/* The flag keeps the kernel from logging what was suppressed. */
	static struct ratelimit_state limit = RATELIMIT_STATE_INIT_FLAGS(limit, HZ, 10, RATELIMIT_MSG_ON_RELEASE);
	const struct number numbers[] = {
		{ CRATON_HSM_ATTR_CALL, call },
		{ CRATON_HSM_ATTR_UID, from_kuid_munged(&init_user_ns, current_euid()) },
		{ CRATON_HSM_ATTR_PID, task_tgid_nr(current) },
	};

	if (__ratelimit(&limit))
		tell(CRATON_HSM_EVENT_ACCESS_DENIED, numbers, ARRAY_SIZE(numbers), GFP_KERNEL);
}

void chsm_event_vm_generation(u64 generation)
{
	const struct number number = { CRATON_HSM_ATTR_GENERATION, generation };

	tell(CRATON_HSM_EVENT_VM_GENERATION, &number, 1, GFP_ATOMIC);
}

void chsm_event_hibernation_refused(u32 count)
{
	const struct number number = { CRATON_HSM_ATTR_COUNT, count };

	tell(CRATON_HSM_EVENT_HIBERNATION_REFUSED, &number, 1, GFP_KERNEL);
}

void chsm_event_wiped(u32 count, enum craton_hsm_reason reason)
{
	const struct number numbers[] = {
		{ CRATON_HSM_ATTR_COUNT, count },
		{ CRATON_HSM_ATTR_REASON, reason },
	};

	tell(CRATON_HSM_EVENT_WIPED, numbers, ARRAY_SIZE(numbers), GFP_KERNEL);
}

int chsm_event_init(void)
{
	return genl_register_family(&family);
}

void chsm_event_exit(void)
{
	genl_unregister_family(&family);
}
