// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arenas: memory of this module mapped into one process, for its own secrets. The mapping has page frames and
 * no pages behind it (VM_PFNMAP), so get_user_pages() and all that stands on it, ptrace, /proc/PID/mem,
 * process_vm_readv and vmsplice, is refused; it is not copied by fork nor dumped.
 *
 * Locks: mmap_lock -> arenas_lock; mmap_lock -> arena->lock. A wipe takes arenas_lock and arena->lock without
 * mmap_lock, and unmaps by the file's address space.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/version.h>

#include "chsm.h"

#define CALL_MMAP 0xff

struct chsm_arena {
	struct kref references;		/* mappings; mremap() makes a second one for a moment */
	struct list_head of_arenas;
	struct mutex lock;		/* between a fault and a wipe */
	bool wiped;
	kuid_t uid;
	struct page **pages;
	unsigned long page_count;
	struct address_space *mapping;
};

static LIST_HEAD(arenas);
static DEFINE_MUTEX(arenas_lock);
static u32 alive;
static bool is_shut;	/* the machine goes down or sleeps: no arena comes */

static void arena_free(struct kref *references)
{
	struct chsm_arena *arena = container_of(references, struct chsm_arena, references);

	mutex_lock(&arenas_lock);
	list_del(&arena->of_arenas);
	alive--;
	mutex_unlock(&arenas_lock);
	chsm_pages_free(arena->pages, arena->page_count);
	chsm_quota_release(arena->uid, CHSM_QUOTA_ARENA, (u64)arena->page_count << PAGE_SHIFT);
	mutex_destroy(&arena->lock);
	kfree(arena);
}

static void arena_open(struct vm_area_struct *vma)
{
	struct chsm_arena *arena = vma->vm_private_data;

	kref_get(&arena->references);
}

static void arena_close(struct vm_area_struct *vma)
{
	struct chsm_arena *arena = vma->vm_private_data;

	kref_put(&arena->references, arena_free);
}

static int arena_split(struct vm_area_struct *vma, unsigned long address)
{
	return -EINVAL;
}

static int arena_move(struct vm_area_struct *vma)
{
	return -EINVAL;
}

static vm_fault_t arena_fault(struct vm_fault *fault)
{
	struct chsm_arena *arena = fault->vma->vm_private_data;
	vm_fault_t result = VM_FAULT_SIGBUS;

	mutex_lock(&arena->lock);
	if (!arena->wiped && fault->pgoff < arena->page_count)
		result = vmf_insert_pfn(fault->vma, fault->address, page_to_pfn(arena->pages[fault->pgoff]));
	mutex_unlock(&arena->lock);
	return result;
}

static const struct vm_operations_struct arena_operations = {
	.open = arena_open,
	.close = arena_close,
	.may_split = arena_split,
	.mremap = arena_move,
	.fault = arena_fault,
};

static void set_flags(struct vm_area_struct *vma)
{
	const unsigned long set = VM_PFNMAP | VM_IO | VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_mod(vma, set, VM_MAYEXEC);
#else
	vma->vm_flags = (vma->vm_flags | set) & ~VM_MAYEXEC;
#endif
}

static int check(const struct file *file, const struct vm_area_struct *vma)
{
	int err = chsm_file_check(file->private_data, CALL_MMAP);

	if (err)
		return err;
	if (vma->vm_pgoff || !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	return vma->vm_flags & VM_EXEC ? -EACCES : 0;
}

static struct chsm_arena *arena_alloc(kuid_t uid, unsigned long page_count)
{
	struct chsm_arena *arena;
	int err;

	err = chsm_quota_charge(uid, CHSM_QUOTA_ARENA, (u64)page_count << PAGE_SHIFT);
	if (err)
		return ERR_PTR(err);
	arena = kzalloc(sizeof(*arena), GFP_KERNEL_ACCOUNT);
	if (arena)
		arena->pages = chsm_pages_alloc(page_count);
	if (!arena || !arena->pages) {
		kfree(arena);
		chsm_quota_release(uid, CHSM_QUOTA_ARENA, (u64)page_count << PAGE_SHIFT);
		return ERR_PTR(-ENOMEM);
	}
	kref_init(&arena->references);
	mutex_init(&arena->lock);
	arena->uid = uid;
	arena->page_count = page_count;
	return arena;
}

/* Into the list that a wipe walks; false when the machine goes down. */
static bool enlist(struct chsm_arena *arena)
{
	bool is_open;

	mutex_lock(&arenas_lock);
	is_open = !is_shut;
	list_add(&arena->of_arenas, &arenas);
	alive++;
	mutex_unlock(&arenas_lock);
	return is_open;
}

int chsm_arena_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct chsm_file *owner = file->private_data;
	struct chsm_arena *arena;
	int err;

	err = check(file, vma);
	if (err)
		return err;
	arena = arena_alloc(owner->uid, vma_pages(vma));
	if (IS_ERR(arena))
		return PTR_ERR(arena);
	arena->mapping = file->f_mapping;
	if (!enlist(arena)) {
		kref_put(&arena->references, arena_free);
		return -ESHUTDOWN;
	}
	set_flags(vma);
	vma->vm_private_data = arena;
	vma->vm_ops = &arena_operations;
	return 0;
}

u32 chsm_arenas_shut(bool force)
{
	u32 count;

	mutex_lock(&arenas_lock);
	count = alive;
	is_shut = is_shut || force || !count;
	mutex_unlock(&arenas_lock);
	return count;
}

void chsm_arenas_open(void)
{
	mutex_lock(&arenas_lock);
	is_shut = false;
	mutex_unlock(&arenas_lock);
}

static void wipe(struct chsm_arena *arena)
{
	unsigned long i;

	mutex_lock(&arena->lock);
	arena->wiped = true;
	mutex_unlock(&arena->lock);
	/* No fault can put a page back from here on. */
	unmap_mapping_range(arena->mapping, 0, 0, 1);
	for (i = 0; i < arena->page_count; i++)
		memzero_explicit(page_address(arena->pages[i]), PAGE_SIZE);
}

u32 chsm_arenas_wipe(void)
{
	struct chsm_arena *arena;
	u32 count = 0;

	mutex_lock(&arenas_lock);
	list_for_each_entry(arena, &arenas, of_arenas) {
		wipe(arena);
		count++;
	}
	mutex_unlock(&arenas_lock);
	return count;
}
