// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command table: one row per call, with its struct's size and its handler. Sizes, tails, flags and
 * ownership are checked here, so that a handler sees a whole struct from the right process.
 */
#include <linux/fs.h>
#include <linux/ioctl.h>
#include <linux/nospec.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "chsm.h"

#define SIZE_MAX_ACCEPTED 4096

union chsm_request {
	struct craton_hsm_info info;
	struct craton_hsm_slot_create slot_create;
	struct craton_hsm_slot_read slot_read;
	struct craton_hsm_slot_destroy slot_destroy;
	struct craton_hsm_slot_describe slot_describe;
	struct craton_hsm_slot_list slot_list;
	struct craton_hsm_wrap wrap;
	struct craton_hsm_unwrap unwrap;
	struct craton_hsm_logon logon;
	struct craton_hsm_anchor anchor;
};

static int info(struct chsm_file *owner, struct craton_hsm_info *request)
{
	if (memchr_inv(request->reserved, 0, sizeof(request->reserved)))
		return -EINVAL;
	request->abi = CRATON_HSM_ABI;
	request->features = CRATON_HSM_FEATURE_OFFLINE_PAGES;
	if (IS_ENABLED(CONFIG_VMGENID))
		request->features |= CRATON_HSM_FEATURE_VM_GENERATION;
	request->slot_count = chsm_quota_used(owner->uid, CHSM_QUOTA_SLOTS);
	request->slot_quota = READ_ONCE(chsm_slots_per_uid);
	request->arena_len = chsm_quota_used(owner->uid, CHSM_QUOTA_ARENA);
	request->arena_quota_len = READ_ONCE(chsm_arena_bytes_per_uid);
	request->vm_generation = chsm_vm_generation();
	request->keyring = chsm_keyring_serial(owner->uid);
	return 0;
}

/*
 * What did not reach its owner is of no use to anybody. As a request of the owner: by then the number may be a slot
 * of another one.
 */
static void undo_slot(struct chsm_file *owner, u32 number)
{
	struct craton_hsm_slot_destroy request = { .slot = number };

	chsm_slot_destroy(owner, &request);
}

static void undo_create(struct chsm_file *owner, union chsm_request *request)
{
	undo_slot(owner, request->slot_create.slot);
}

static void undo_unwrap(struct chsm_file *owner, union chsm_request *request)
{
	undo_slot(owner, request->unwrap.slot);
}

static void undo_logon(struct chsm_file *owner, union chsm_request *request)
{
	chsm_logon_undo(&request->logon);
}

/*
 * The handlers take their own member of the union; the wrappers keep the types honest without casting
 * function pointers, which control-flow integrity would refuse.
 */
#define HANDLER(name, member, function)                                                          \
	static int name(struct chsm_file *owner, union chsm_request *request)                     \
	{                                                                                         \
		return function(owner, &request->member);                                        \
	}

HANDLER(do_info, info, info)
HANDLER(do_slot_create, slot_create, chsm_slot_create)
HANDLER(do_slot_read, slot_read, chsm_slot_read)
HANDLER(do_slot_destroy, slot_destroy, chsm_slot_destroy)
HANDLER(do_slot_describe, slot_describe, chsm_slot_describe)
HANDLER(do_slot_list, slot_list, chsm_slot_list)
HANDLER(do_wrap, wrap, chsm_wrap)
HANDLER(do_unwrap, unwrap, chsm_unwrap)
HANDLER(do_logon, logon, chsm_logon)
HANDLER(do_anchor_extend, anchor, chsm_anchor_extend)
HANDLER(do_anchor_read, anchor, chsm_anchor_read)

struct command {
	unsigned int size;
	unsigned int size_min;	/* of the struct's first version */
	u32 flags;		/* that the struct may carry */
	bool says_need;		/* -ENOSPC comes with the length that is needed */
	int (*handle)(struct chsm_file *owner, union chsm_request *request);
	/* when the result cannot be written back */
	void (*undo)(struct chsm_file *owner, union chsm_request *request);
};

/* `last`: the last member of the struct's first version. */
#define COMMAND(call, type, last, ...)                                                           \
	[_IOC_NR(call)] = { .size = sizeof(struct type), .size_min = offsetofend(struct type, last), __VA_ARGS__ }

static const struct command commands[] = {
	COMMAND(CRATON_HSM_INFO, craton_hsm_info, reserved, .handle = do_info),
	COMMAND(CRATON_HSM_SLOT_CREATE, craton_hsm_slot_create, serial, .handle = do_slot_create, .undo = undo_create,
		.flags = CRATON_HSM_SEALED | CRATON_HSM_PERSISTENT | CRATON_HSM_GENERATE),
	COMMAND(CRATON_HSM_SLOT_READ, craton_hsm_slot_read, key, .handle = do_slot_read, .says_need = true),
	COMMAND(CRATON_HSM_SLOT_DESTROY, craton_hsm_slot_destroy, reserved, .handle = do_slot_destroy),
	COMMAND(CRATON_HSM_SLOT_DESCRIBE, craton_hsm_slot_describe, description, .handle = do_slot_describe),
	COMMAND(CRATON_HSM_SLOT_LIST, craton_hsm_slot_list, entries, .handle = do_slot_list),
	COMMAND(CRATON_HSM_WRAP, craton_hsm_wrap, reserved, .handle = do_wrap, .says_need = true),
	COMMAND(CRATON_HSM_UNWRAP, craton_hsm_unwrap, serial, .handle = do_unwrap, .undo = undo_unwrap,
		.flags = CRATON_HSM_PERSISTENT),
	COMMAND(CRATON_HSM_LOGON, craton_hsm_logon, name, .handle = do_logon, .undo = undo_logon),
	COMMAND(CRATON_HSM_ANCHOR_EXTEND, craton_hsm_anchor, anchor, .handle = do_anchor_extend),
	COMMAND(CRATON_HSM_ANCHOR_READ, craton_hsm_anchor, anchor, .handle = do_anchor_read),
};

int chsm_file_check(const struct chsm_file *owner, u32 call)
{
	if (current->mm == owner->mm)
		return 0;
	chsm_event_access_denied(call);
	return -EPERM;
}

static const struct command *command_of(unsigned int number)
{
	unsigned int nr = _IOC_NR(number);

	if (_IOC_TYPE(number) != CRATON_HSM_IOCTL_TYPE || _IOC_DIR(number) != _IOC_NONE || _IOC_SIZE(number) ||
	    nr >= ARRAY_SIZE(commands))
		return NULL;
	return &commands[array_index_nospec(nr, ARRAY_SIZE(commands))];
}

/* Every struct begins with its size and its flags. */
static int take(const struct command *command, union chsm_request *request, void __user *argument)
{
	u32 size;
	int err;

	if (get_user(size, (u32 __user *)argument))
		return -EFAULT;
	if (size > SIZE_MAX_ACCEPTED)
		return -E2BIG;
	if (size < command->size_min)
		return -EINVAL;
	memset(request, 0, sizeof(*request));
	err = copy_struct_from_user(request, command->size, argument, size);
	if (err)
		return err;
	if (request->info.size != size)	/* changed in between */
		return -EINVAL;
	return request->info.flags & ~command->flags ? -EINVAL : 0;
}

long chsm_ioctl(struct file *file, unsigned int number, unsigned long argument)
{
	const struct command *command = command_of(number);
	void __user *user = (void __user *)argument;
	union chsm_request request;
	int err;

	if (!command)
		return -ENOTTY;
	err = chsm_file_check(file->private_data, _IOC_NR(number));
	if (!err)
		err = take(command, &request, user);
	if (err)
		return err;
	err = command->handle(file->private_data, &request);
	if (err && !(err == -ENOSPC && command->says_need))
		return err;
	if (copy_to_user(user, &request, min(request.info.size, command->size))) {
		if (!err && command->undo)
			command->undo(file->private_data, &request);
		return -EFAULT;
	}
	return err;
}
