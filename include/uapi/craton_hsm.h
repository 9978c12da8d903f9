/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The interface of the craton_hsm kernel module: /dev/craton-hsm, its ioctls, its arena and its
 * generic netlink events. This file is the manual; the kernel and every program build from it.
 *
 * What there is
 *
 *   slot     A numbered, labelled piece of key material of 1 to 4096 octets in pages of the module,
 *            never swapped, wiped before they are given back. A SEALED slot is never readable again;
 *            it serves inside the kernel only. Every slot is also a key of type "craton_hsm" in the
 *            keyring ".craton_hsm" of its owner's user keyring, so keyctl(1) shows it; revoking,
 *            invalidating or unlinking that key destroys the slot.
 *   arena    Memory for the owner's own secrets, by mmap(2) of the device. Not inherited by fork(2),
 *            absent from core dumps, refused to ptrace(2), /proc/PID/mem and process_vm_readv(2),
 *            for root too.
 *   anchor   A register of 32 octets per log that can only be extended, so that a log whose tail was
 *            cut can be told from a whole one.
 *   events   Multicasts of the generic netlink family "craton_hsm" to its group "events".
 *
 * Who may do what
 *
 *   An open file description belongs to the process (address space) that opened the device. Any
 *   other one that holds a copy of the descriptor, by fork, SCM_RIGHTS or pidfd_getfd(2), gets EPERM
 *   from every call. A slot belongs to the description that made it and ends with it; other users
 *   get ENOENT for its number, as if it were not there. A PERSISTENT slot belongs to the effective
 *   user id that made it: any description opened by the same user id may use it, and it stays
 *   until it is destroyed or the machine goes down. The module cannot be unloaded while slots live.
 *
 * How every ioctl works
 *
 *   The argument points to the call's struct. `size` is set to its sizeof; the kernel takes a longer
 *   struct when everything beyond what it knows is zero, so newer programs run on older modules.
 *   Unknown flags and reserved fields must be zero. Results are written back only on success, unless
 *   said otherwise. All calls return 0 or -1 with errno; these errors are common to all:
 *
 *     EPERM     the description was opened by another process
 *     ENOTTY    no such call
 *     EINVAL    size too small, unknown flag, reserved field not zero, value out of its range
 *     E2BIG     size too large (above 4096), or a tail that this module does not know is not zero
 *     EFAULT    an address that cannot be read or written
 *     ENOMEM    no memory
 *     EINTR     a signal came before the kernel's random generator was seeded (SLOT_CREATE, WRAP)
 *     ESHUTDOWN the slots were wiped because the machine goes down, or for as long as it hibernates
 *
 * The same layout serves 32-bit and 64-bit programs; all integers are in the machine's byte order,
 * lengths are in octets, labels are printable ASCII (0x20 to 0x7e, no ';' and no ':'), 1 to 63 of
 * them, padded with zeros to 64.
 */
#ifndef _UAPI_CRATON_HSM_H
#define _UAPI_CRATON_HSM_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define CRATON_HSM_DEVICE "/dev/craton-hsm"
/* Rises when something that worked stops working; additions show in `features`. */
#define CRATON_HSM_ABI 1

#define CRATON_HSM_LABEL_SIZE 64
#define CRATON_HSM_KEY_MAX 4096
#define CRATON_HSM_VOLUME_KEY_MIN 16
#define CRATON_HSM_VOLUME_KEY_MAX 128
#define CRATON_HSM_KEK_LEN 32
#define CRATON_HSM_ANCHOR_LEN 32
#define CRATON_HSM_LOG_ID_LEN 16

/* --------------------------------------------------------------------------------- slots -- */

/* Flags of a slot. */
#define CRATON_HSM_SEALED (1u << 0)     /* never readable */
#define CRATON_HSM_PERSISTENT (1u << 1) /* outlives the description; belongs to the user id */
#define CRATON_HSM_GENERATE (1u << 2)   /* key material from the kernel's generator; SLOT_CREATE only */

/* What a slot is for. */
enum craton_hsm_purpose {
	CRATON_HSM_GENERIC = 1,
	CRATON_HSM_KEY_ENCRYPTION = 2, /* SEALED, CRATON_HSM_KEK_LEN octets; wraps and unwraps */
	CRATON_HSM_VOLUME = 3,         /* SEALED, VOLUME_KEY_MIN to _MAX octets; can become a logon key */
};

/*
 * CRATON_HSM_INFO: what this module is, and what the caller uses of it. No other errors.
 * Quotas are per user id (module parameters slots_per_uid, arena_bytes_per_uid).
 */
struct craton_hsm_info {
	__u32 size;
	__u32 flags;                   /* in: 0 */
	__u32 abi;                     /* CRATON_HSM_ABI */
	__u32 features;                /* CRATON_HSM_FEATURE_* */
	__u32 slot_count;              /* slots of the caller's user id */
	__u32 slot_quota;
	__aligned_u64 arena_len;       /* arena octets of the caller's user id */
	__aligned_u64 arena_quota_len;
	__aligned_u64 vm_generation;   /* rises each time the virtual machine was cloned or rolled back */
	__s32 keyring;                 /* serial of the caller's keyring ".craton_hsm", 0 before its first slot */
	__u32 reserved[3];
};

#define CRATON_HSM_FEATURE_VM_GENERATION (1u << 0) /* the kernel reports clones of the machine */
#define CRATON_HSM_FEATURE_OFFLINE_PAGES (1u << 1) /* /proc/kcore and dumps skip the pages */

/*
 * CRATON_HSM_SLOT_CREATE: makes a slot from `key` (import), or with CRATON_HSM_GENERATE from the
 * kernel's random generator; then `key` must be 0. Fails with
 *   EINVAL  bad label, length, purpose, or flags that do not fit the purpose
 *   EDQUOT  the user id's quota of slots is used up; its keys count against no other
 */
struct craton_hsm_slot_create {
	__u32 size;
	__u32 flags;            /* CRATON_HSM_SEALED, _PERSISTENT, _GENERATE */
	__u32 purpose;          /* enum craton_hsm_purpose */
	__u32 key_len;
	__aligned_u64 key;      /* address of key_len octets, or 0 */
	__u32 timeout;          /* seconds until the slot is destroyed by itself, 0 = never */
	__u32 reserved;
	__u8 label[CRATON_HSM_LABEL_SIZE];
	__u32 slot;             /* out: its number, never 0 */
	__s32 serial;           /* out: its key */
};

/*
 * CRATON_HSM_SLOT_READ: copies the key material out. Fails with
 *   ENOENT   no such slot of the caller
 *   EACCES   the slot is SEALED
 *   ENOSPC   key_len is too small; it is set to the length that is needed
 */
struct craton_hsm_slot_read {
	__u32 size;
	__u32 flags;            /* 0 */
	__u32 slot;
	__u32 key_len;          /* in: room at `key`, out: octets written */
	__aligned_u64 key;
};

/* CRATON_HSM_SLOT_DESTROY: wipes and frees a slot. ENOENT: no such slot of the caller. */
struct craton_hsm_slot_destroy {
	__u32 size;
	__u32 flags;            /* 0 */
	__u32 slot;
	__u32 reserved;
};

/* What may be known about a slot. */
struct craton_hsm_slot {
	__u32 slot;
	__u32 flags;            /* CRATON_HSM_SEALED, _PERSISTENT */
	__u32 purpose;
	__u32 key_len;
	__s32 serial;
	__u32 uid;              /* owner, in the caller's user namespace */
	__aligned_u64 remaining; /* seconds left, 0 = no timeout */
	__u8 label[CRATON_HSM_LABEL_SIZE];
};

/* CRATON_HSM_SLOT_DESCRIBE: one slot. ENOENT: no such slot of the caller. */
struct craton_hsm_slot_describe {
	__u32 size;
	__u32 flags;            /* 0 */
	__u32 slot;
	__u32 reserved;
	struct craton_hsm_slot description; /* out; in: zero */
};

/*
 * CRATON_HSM_SLOT_LIST: the caller's slots in the order of their numbers, those above `after` only.
 * To list all, call again with `after` set to the last number until `count` comes back as 0. Slots
 * that come or go meanwhile may or may not be listed; the others are, once.
 */
struct craton_hsm_slot_list {
	__u32 size;
	__u32 flags;            /* 0 */
	__u32 after;            /* 0 = from the beginning */
	__u32 count;            /* in: room for entries (1 to 1024 are used), out: entries written */
	__aligned_u64 entries;  /* array of struct craton_hsm_slot */
};

/* ------------------------------------------------------------------- wrapped volume keys -- */

/*
 * A wrapped key: this header, key_len octets of ciphertext and a tag of 16 octets, by AES-256-GCM
 * under the key-encryption slot. Everything before `nonce` is additional authenticated data.
 * Numbers are little-endian. Anything changed gives EBADMSG.
 */
struct craton_hsm_blob {
	__u8 magic[4];          /* "CHWK" */
	__u8 version;           /* 1 */
	__u8 purpose;           /* CRATON_HSM_VOLUME */
	__u8 reserved[2];       /* 0 */
	__le32 key_len;
	__u8 label[CRATON_HSM_LABEL_SIZE];
	__u8 nonce[12];
};

#define CRATON_HSM_BLOB_MAGIC "CHWK"
#define CRATON_HSM_BLOB_VERSION 1
#define CRATON_HSM_BLOB_TAG_LEN 16
#define CRATON_HSM_BLOB_LEN(key_len) (sizeof(struct craton_hsm_blob) + (key_len) + CRATON_HSM_BLOB_TAG_LEN)

/*
 * CRATON_HSM_WRAP: wraps a VOLUME slot under a KEY_ENCRYPTION slot. Fails with
 *   ENOENT    one of the slots is not there
 *   EINVAL    one of the slots has another purpose
 *   ENOSPC    blob_len is too small; it is set to the length that is needed
 *   EKEYEXPIRED the key-encryption slot has wrapped 2^32 keys, the bound for random nonces
 *   ENOPKG    the kernel has no AES-GCM (module gcm)
 */
struct craton_hsm_wrap {
	__u32 size;
	__u32 flags;            /* 0 */
	__u32 kek;
	__u32 slot;
	__aligned_u64 blob;
	__u32 blob_len;         /* in: room at `blob`, out: octets written */
	__u32 reserved;
};

/*
 * CRATON_HSM_UNWRAP: makes a new SEALED slot of purpose VOLUME, labelled as the blob says, from a
 * wrapped key. Fails with
 *   ENOENT    no such key-encryption slot
 *   EINVAL    its purpose is another one; blob_len or the blob's header is malformed
 *   EBADMSG   the blob was not made under this key, or it was changed
 *   EDQUOT    as in SLOT_CREATE
 *   ENOPKG    as in WRAP
 */
struct craton_hsm_unwrap {
	__u32 size;
	__u32 flags;            /* CRATON_HSM_PERSISTENT or 0 */
	__u32 kek;
	__u32 blob_len;
	__aligned_u64 blob;
	__u32 timeout;          /* as in SLOT_CREATE */
	__u32 reserved;
	__u32 slot;             /* out */
	__s32 serial;           /* out */
};

/*
 * CRATON_HSM_LOGON: puts a VOLUME slot's key into a "logon" key for dm-crypt, described as
 * "craton-hsm:" and `name`, linked into `keyring`, with permissions that let its possessor search,
 * view and link it and nobody change it. A logon key cannot be read from userspace either. Fails with
 *   ENOENT    no such slot
 *   EINVAL    its purpose is another one; a bad name (as a label)
 *   ENOKEY, EACCES, EKEYREVOKED, ENOTDIR  what `keyring` is, as add_key(2) would say
 *   EEXIST    the keyring has a key of this name
 *   EDQUOT    the user id's quota of keys is used up
 */
struct craton_hsm_logon {
	__u32 size;
	__u32 flags;            /* 0 */
	__u32 slot;
	__s32 keyring;          /* serial or KEY_SPEC_* */
	__u32 timeout;          /* seconds until the key expires, 0 = never */
	__s32 serial;           /* out: the logon key */
	__u8 name[CRATON_HSM_LABEL_SIZE];
};

/* -------------------------------------------------------------------------------- anchor -- */

/*
 * CRATON_HSM_ANCHOR_EXTEND: register = SHA-256(register | value), counter = counter + 1. A register
 * starts at 32 zero octets and counter 0, belongs to the user id that extends it first, and lasts
 * until the module is unloaded. When the result cannot be written (EFAULT) it is extended all the same.
 * Fails with
 *   EACCES  the register belongs to another user id
 *   EDQUOT  this user id has 16 registers already
 * CRATON_HSM_ANCHOR_READ: anybody who can open the device may read. `value` must be zero.
 *   ENOENT  no such register
 */
struct craton_hsm_anchor {
	__u32 size;
	__u32 flags;            /* 0 */
	__u8 log_id[CRATON_HSM_LOG_ID_LEN];
	__u8 value[CRATON_HSM_ANCHOR_LEN];
	__aligned_u64 counter;  /* out */
	__u8 anchor[CRATON_HSM_ANCHOR_LEN]; /* out: the register */
};

/* The size is in the struct, not in the number, so that structs can grow. */
#define CRATON_HSM_IOCTL_TYPE 0xC9
#define CRATON_HSM_INFO _IO(CRATON_HSM_IOCTL_TYPE, 0x00)
#define CRATON_HSM_SLOT_CREATE _IO(CRATON_HSM_IOCTL_TYPE, 0x01)
#define CRATON_HSM_SLOT_READ _IO(CRATON_HSM_IOCTL_TYPE, 0x02)
#define CRATON_HSM_SLOT_DESTROY _IO(CRATON_HSM_IOCTL_TYPE, 0x03)
#define CRATON_HSM_SLOT_DESCRIBE _IO(CRATON_HSM_IOCTL_TYPE, 0x04)
#define CRATON_HSM_SLOT_LIST _IO(CRATON_HSM_IOCTL_TYPE, 0x05)
#define CRATON_HSM_WRAP _IO(CRATON_HSM_IOCTL_TYPE, 0x06)
#define CRATON_HSM_UNWRAP _IO(CRATON_HSM_IOCTL_TYPE, 0x07)
#define CRATON_HSM_LOGON _IO(CRATON_HSM_IOCTL_TYPE, 0x08)
#define CRATON_HSM_ANCHOR_EXTEND _IO(CRATON_HSM_IOCTL_TYPE, 0x09)
#define CRATON_HSM_ANCHOR_READ _IO(CRATON_HSM_IOCTL_TYPE, 0x0a)

/* --------------------------------------------------------------------------------- arena -- */

/*
 * mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) gives `len` octets (whole pages) of
 * zeroed arena; as often as the quota allows. munmap(2) of a whole mapping or the end of the process
 * wipes and frees it. Fails with
 *   EPERM   the description was opened by another process
 *   EINVAL  an offset, a private mapping, a part of a mapping (munmap, mremap, mprotect)
 *   EACCES  PROT_EXEC
 *   EDQUOT  the user id's quota is used up
 *   ENOMEM  no memory
 *   ESHUTDOWN the machine goes down
 * It needs no RLIMIT_MEMLOCK. After a wipe because the machine goes down an access gives SIGBUS.
 */

/* -------------------------------------------------------------------------------- events -- */

#define CRATON_HSM_GENL_NAME "craton_hsm"
#define CRATON_HSM_GENL_VERSION 1
#define CRATON_HSM_GENL_GROUP "events"

/*
 * One command per event; the attributes that each carries, beside TIME, are named beside it. Anybody in
 * the initial network namespace may listen (the agent has no capability that could be asked for), so
 * events say numbers and never labels; who owns a slot knows its label.
 */
enum craton_hsm_event {
	CRATON_HSM_EVENT_SLOT_CREATED = 1,   /* SLOT, PURPOSE, FLAGS, UID, PID */
	CRATON_HSM_EVENT_SLOT_DESTROYED = 2, /* SLOT, UID, REASON */
	CRATON_HSM_EVENT_ACCESS_DENIED = 3,  /* CALL, UID, PID; at most 10 a second */
	CRATON_HSM_EVENT_VM_GENERATION = 4,  /* GENERATION */
	CRATON_HSM_EVENT_HIBERNATION_REFUSED = 5, /* COUNT: slots and arenas alive */
	CRATON_HSM_EVENT_WIPED = 6,          /* COUNT: slots and arenas wiped, REASON */
};

enum craton_hsm_reason {
	CRATON_HSM_REASON_REQUEST = 1, /* SLOT_DESTROY */
	CRATON_HSM_REASON_CLOSED = 2,  /* its description ended */
	CRATON_HSM_REASON_KEY = 3,     /* its key was revoked, invalidated or unlinked */
	CRATON_HSM_REASON_TIMEOUT = 4,
	CRATON_HSM_REASON_POWER = 5,   /* reboot, kexec, hibernation */
};

enum craton_hsm_attribute {
	CRATON_HSM_ATTR_PAD = 1,
	CRATON_HSM_ATTR_TIME = 2,       /* u64: CLOCK_BOOTTIME in nanoseconds */
	CRATON_HSM_ATTR_SLOT = 3,       /* u32 */
	CRATON_HSM_ATTR_PURPOSE = 4,    /* u32: enum craton_hsm_purpose */
	CRATON_HSM_ATTR_FLAGS = 5,      /* u32: CRATON_HSM_SEALED, _PERSISTENT */
	CRATON_HSM_ATTR_UID = 6,        /* u32, in the initial user namespace */
	CRATON_HSM_ATTR_PID = 7,        /* u32, in the initial pid namespace */
	CRATON_HSM_ATTR_REASON = 8,     /* u32: enum craton_hsm_reason */
	CRATON_HSM_ATTR_CALL = 9,      /* u32: number of the ioctl, 0xff for mmap */
	CRATON_HSM_ATTR_GENERATION = 10, /* u64 */
	CRATON_HSM_ATTR_COUNT = 11,     /* u32 */
};

/* ------------------------------------------------------- the layout is the same everywhere -- */

#if defined(__cplusplus) && __cplusplus >= 201103L
#define CRATON_HSM_ASSERT(condition) static_assert(condition, #condition)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define CRATON_HSM_ASSERT(condition) _Static_assert(condition, #condition)
#else
#define CRATON_HSM_ASSERT(condition) struct craton_hsm_no_assert
#endif

CRATON_HSM_ASSERT(sizeof(struct craton_hsm_info) == 64);
CRATON_HSM_ASSERT(sizeof(struct craton_hsm_slot_create) == 104);
CRATON_HSM_ASSERT(sizeof(struct craton_hsm_slot_read) == 24);
CRATON_HSM_ASSERT(sizeof(struct craton_hsm_slot_destroy) == 16);
CRATON_HSM_ASSERT(sizeof(struct craton_hsm_slot) == 96);
CRATON_HSM_ASSERT(sizeof(struct craton_hsm_slot_describe) == 112);
CRATON_HSM_ASSERT(sizeof(struct craton_hsm_slot_list) == 24);
CRATON_HSM_ASSERT(sizeof(struct craton_hsm_blob) == 88);
CRATON_HSM_ASSERT(sizeof(struct craton_hsm_wrap) == 32);
CRATON_HSM_ASSERT(sizeof(struct craton_hsm_unwrap) == 40);
CRATON_HSM_ASSERT(sizeof(struct craton_hsm_logon) == 88);
CRATON_HSM_ASSERT(sizeof(struct craton_hsm_anchor) == 96);

#endif
