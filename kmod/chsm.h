/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the module know of each other. Arrows: main -> ioctl -> {slot, wrap, logon,
 * anchor, arena} -> {keytype, event, quota}. power reaches slot and arena; nothing points back.
 */
#ifndef _CHSM_H
#define _CHSM_H

#include <linux/atomic.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/key.h>
#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include <craton_hsm.h>

/* One open file description, bound to the address space that opened it. */
struct chsm_file {
	struct mm_struct *mm;		/* mmgrab()bed; compared, never used */
	kuid_t uid;			/* effective user id at open */
	struct list_head slots;		/* not persistent ones; under slots_lock of slot.c */
};

/*
 * A slot. Immutable once it can be found, but for `key` and `wraps`. Found by number in an xarray that
 * holds one reference; each caller of chsm_slot_get() holds another. Its page is wiped and freed with the last
 * reference, so a wrap that runs while its slot is destroyed ends on whole data.
 */
struct chsm_slot {
	struct kref references;
	u32 number;
	u32 flags;			/* CRATON_HSM_SEALED, _PERSISTENT */
	u32 purpose;
	u32 key_len;
	struct page *page;		/* the key material; of pages.c */
	kuid_t uid;
	struct chsm_file *owner;	/* NULL when PERSISTENT */
	struct list_head of_owner;
	struct key *key;		/* the key that shows it; no reference, see keytype.c; under slots_lock */
	s32 serial;			/* of that key */
	atomic64_t wraps;
	ktime_t expires;		/* CLOCK_BOOTTIME, 0 = never */
	struct hrtimer timer;
	struct work_struct expiry;
	char label[CRATON_HSM_LABEL_SIZE];
};

/* ---- main.c: module parameters */
extern unsigned int chsm_slots_per_uid;
extern unsigned long chsm_arena_bytes_per_uid;
extern bool chsm_wipe_on_hibernation;

/* ---- ioctl.c: the command table */
long chsm_ioctl(struct file *file, unsigned int command, unsigned long argument);
/* 0, or -EPERM with an event when the caller is not the process that opened the file. */
int chsm_file_check(const struct chsm_file *owner, u32 call);

/* ---- pages.c: pages for secrets: zeroed, offline, wiped when freed */
struct page *chsm_page_alloc(void);
void chsm_page_free(struct page *page);
/* Several: NULL or an array that chsm_pages_free() takes back. */
struct page **chsm_pages_alloc(unsigned long count);
void chsm_pages_free(struct page **pages, unsigned long count);

/* ---- quota.c: slots and arena octets per user id */
enum chsm_quota { CHSM_QUOTA_SLOTS, CHSM_QUOTA_ARENA, CHSM_QUOTA_COUNT };
int chsm_quota_charge(kuid_t uid, enum chsm_quota what, u64 amount);	/* 0, -EDQUOT, -ENOMEM */
void chsm_quota_release(kuid_t uid, enum chsm_quota what, u64 amount);
u64 chsm_quota_used(kuid_t uid, enum chsm_quota what);

/* ---- slot.c: slots, their table and their life */
int chsm_slot_create(struct chsm_file *owner, struct craton_hsm_slot_create *request);
int chsm_slot_read(struct chsm_file *owner, struct craton_hsm_slot_read *request);
int chsm_slot_destroy(struct chsm_file *owner, struct craton_hsm_slot_destroy *request);
int chsm_slot_describe(struct chsm_file *owner, struct craton_hsm_slot_describe *request);
int chsm_slot_list(struct chsm_file *owner, struct craton_hsm_slot_list *request);
/*
 * Two steps, so that a half-made slot is never visible: alloc charges the quota and gives a slot with room for
 * the key material that nobody can find; publish makes its key, numbers it and shows it, or fails; abort takes
 * an unpublished one back. ERR_PTR on failure.
 */
struct chsm_slot *chsm_slot_alloc(struct chsm_file *owner, u32 flags, u32 purpose, u32 key_len, const u8 *label,
				  u32 timeout);
int chsm_slot_publish(struct chsm_slot *slot, u32 *number, s32 *serial);
void chsm_slot_abort(struct chsm_slot *slot);
/* A slot that the file may use, with a reference; or ERR_PTR(-ENOENT), -ESHUTDOWN. */
struct chsm_slot *chsm_slot_get(struct chsm_file *owner, u32 number);
void chsm_slot_put(struct chsm_slot *slot);
/* Takes the slot out of the table, retires its key and tells the listeners; does nothing the second time. */
void chsm_slot_kill(u32 number, enum craton_hsm_reason reason);
/* The key ended by itself: the slot ends with it, if it is still this key's. */
void chsm_slot_key_gone(u32 number, const struct key *key);
/* The key material, key_len octets. The caller wipes the other side. */
void chsm_slot_load(const struct chsm_slot *slot, u8 *to);
void chsm_slot_store(struct chsm_slot *slot, const u8 *from);
void chsm_slots_close(struct chsm_file *owner);
/* No slot comes (-ESHUTDOWN) until chsm_slots_open(); without `force` only if none lives. Returns how many live. */
u32 chsm_slots_shut(bool force);
void chsm_slots_open(void);
/* Ends all of them (POWER); shut first. Returns how many. */
u32 chsm_slots_wipe(void);
int chsm_label_check(const u8 *label);	/* 0 or -EINVAL */
int chsm_slots_init(void);
void chsm_slots_exit(void);

/* ---- wrap.c: volume keys under key-encryption slots, AES-256-GCM by the crypto API */
int chsm_wrap(struct chsm_file *owner, struct craton_hsm_wrap *request);
int chsm_unwrap(struct chsm_file *owner, struct craton_hsm_unwrap *request);

/* ---- logon.c: volume slots as logon keys for dm-crypt */
int chsm_logon(struct chsm_file *owner, struct craton_hsm_logon *request);
/* Ends the key of a request that worked and whose serial cannot be told. */
void chsm_logon_undo(const struct craton_hsm_logon *request);

/* ---- keytype.c: the "craton_hsm" key type and each user's keyring ".craton_hsm" */
/*
 * Makes the key that shows a slot and links it into its user's keyring; the slot must have its number. A
 * reference, or ERR_PTR.
 */
struct key *chsm_key_create(const struct chsm_slot *slot);
/* A reference, or NULL when the key's last one is gone. Under the lock that its callbacks take. */
struct key *chsm_key_hold(struct key *key);
bool chsm_key_is_dead(const struct key *key);
/* Takes the key out of its keyring, also in its own callback, and drops the reference. */
void chsm_key_retire(struct key *key);
s32 chsm_keyring_serial(kuid_t uid);	/* 0 when there is none */
int chsm_keytype_init(void);
void chsm_keytype_exit(void);

/* ---- anchor.c */
int chsm_anchor_extend(struct chsm_file *owner, struct craton_hsm_anchor *request);
int chsm_anchor_read(struct chsm_file *owner, struct craton_hsm_anchor *request);
void chsm_anchor_exit(void);

/* ---- arena.c */
int chsm_arena_mmap(struct file *file, struct vm_area_struct *vma);
/* As for slots. */
u32 chsm_arenas_shut(bool force);
void chsm_arenas_open(void);
/* Unmaps and wipes every arena; accesses then give SIGBUS. Returns how many. */
u32 chsm_arenas_wipe(void);

/* ---- event.c: generic netlink multicasts; never fail their caller, safe in atomic context where said */
void chsm_event_slot_created(const struct chsm_slot *slot);
void chsm_event_slot_destroyed(const struct chsm_slot *slot, enum craton_hsm_reason reason);
void chsm_event_access_denied(u32 call);	/* limited to 10 a second */
void chsm_event_vm_generation(u64 generation);	/* atomic */
void chsm_event_hibernation_refused(u32 count);
void chsm_event_wiped(u32 count, enum craton_hsm_reason reason);
int chsm_event_init(void);
void chsm_event_exit(void);

/* ---- power.c: hibernation, reboot, clones of the virtual machine */
u64 chsm_vm_generation(void);
int chsm_power_init(void);
void chsm_power_exit(void);

#endif
